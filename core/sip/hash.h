/*
 * hash.h -- what both sides of digest authentication compute (RFC 7616 3.4).  For the event
 * loop's thread only: contexts are shared.
 */
#ifndef RG_SIP_HASH_H
#define RG_SIP_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sip/precheck.h"

enum sip_hash { SIP_HASH_MD5, SIP_HASH_SHA_256, SIP_HASH_SHA_512_256, SIP_HASHES };
enum { SIP_HASH_MOST = 32, SIP_HASH_HEX_MOST = 2 * SIP_HASH_MOST };

/* "SHA-256", as the algorithm parameter has it. */
const char *sip_hash_name(enum sip_hash);
size_t sip_hash_bytes(enum sip_hash);
/* The one of that name, case ignored; false: there is none, or the library lacks it (FIPS:
 * no MD5). */
bool sip_hash_find(struct span name, enum sip_hash *);

/* false: the library lacks it.  One at a time for each of them. */
bool sip_hash_begin(enum sip_hash);
void sip_hash_add(enum sip_hash, const void *, size_t);
void sip_hash_end(enum sip_hash, uint8_t out[SIP_HASH_MOST]);
void sip_hash_end_hex(enum sip_hash, char out[SIP_HASH_HEX_MOST]);
/* Lower-case digits, not terminated; returns their number. */
size_t sip_hash_hex(char *out, const uint8_t *, size_t);

/* H(A1) without -sess. */
void sip_hash_a1(enum sip_hash, uint8_t out[SIP_HASH_MOST], const char *username,
		 struct span realm, const char *password);
/* H(A2); body p NULL: not qop auth-int. */
void sip_hash_a2(enum sip_hash, char out[SIP_HASH_HEX_MOST], struct span method,
		 struct span uri, struct span body);
/* The response; count: ":nc:cnonce:qop:", or ":" without qop (RFC 2069). */
void sip_hash_response(enum sip_hash, char out[SIP_HASH_HEX_MOST], const uint8_t *a1,
		       struct span nonce, struct span count, const char *a2);

#endif
