/*
 * digest.h -- the client side of digest authentication (RFC 7616, RFC 8760, and
 * RFC 2617 and 2069 for old servers): MD5, SHA-256, SHA-512-256 and their -sess
 * forms, qop auth and auth-int or none.
 *
 * For the event loop's thread only: hash contexts are shared.
 */
#ifndef RG_SIP_DIGEST_H
#define RG_SIP_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

/* One challenge for one set of credentials: realm, nonce, algorithm, qop, opaque, H(A1)
 * and nonce count, and the next realm's: a chain of proxies may want an answer each (RFC
 * 3261 22.3).  Those challenged last stand first, in their order.  One allocation each; no password
 * is kept.  When the credentials change, free them. */
struct digest;

enum { DIGEST_REALMS_MOST = 4 };

enum digest_verdict {
	DIGEST_OK,
	DIGEST_REFUSED,	    /* the nonce we answered, and not stale: bad credentials */
	DIGEST_UNSUPPORTED, /* no algorithm or qop we know, or no Digest at all */
	DIGEST_MALFORMED,   /* none that can be read, or one over 2 KiB */
};

/* Take the first challenge we support of each realm among the n values of
 * WWW-Authenticate (proxy false) or Proxy-Authenticate headers, in their order (RFC 8760
 * 2.4); a value may hold several, and other schemes.  *dp is NULL or what was known of that
 * server; on DIGEST_OK what is of those realms is replaced, else all is left as it was.
 * Nothing is kept of the arguments. */
enum digest_verdict digest_challenge(struct digest **dp, const char *const *value,
				     const size_t *len, size_t n, bool proxy,
				     const char *username, const char *password);

/* Write a whole "Authorization: Digest ...\r\n" (Proxy-Authorization) line for the first
 * realm, without a terminator.  uri is the digest-uri, as in the request line; body (NULL
 * if there is none) counts with qop auth-int only.  The nonce count goes up.  Returns the bytes
 * written; 0, and nothing was counted, if it does not fit in size or a string holds a
 * control character. */
size_t digest_authorize(struct digest *, char *buf, size_t size, const char *username,
			const char *method, const char *uri, const void *body,
			size_t body_len);

/* The value of an Authentication-Info or Proxy-Authentication-Info header: its
 * nextnonce replaces the nonce, where there is one realm only.  Anything unreadable is
 * ignored (the server will then say stale). */
void digest_info(struct digest *, const char *value, size_t len);

struct digest *digest_next(const struct digest *); /* of another realm, or NULL */
bool digest_is_proxy(const struct digest *);
/* Did the last challenge say stale=true, so the credentials are not to blame? */
bool digest_was_stale(const struct digest *);
/* To tell servers apart in a chain of proxies; valid until the next challenge. */
const char *digest_realm(const struct digest *);
size_t digest_bytes(const struct digest *); /* of memory */

void digest_free(struct digest *); /* all realms; wipes; NULL is fine */

#endif
