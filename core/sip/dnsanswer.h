/*
 * dnsanswer.h -- reads the addresses of a name out of a DNS message (RFC 1035 4.1).
 * Follows the aliases that are in the message; linear in its bytes but for their number.
 */
#ifndef RG_SIP_DNSANSWER_H
#define RG_SIP_DNSANSWER_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

enum {
	DNS_NAME = 256,	  /* of a name in text, terminator included */
	DNS_ALIASES = 8,  /* CNAME steps from a name to its addresses */
	DNS_RECORDS = 64, /* addresses that are kept; the rest is ignored */
};

struct dns_addr {
	struct rg_addr addr; /* family and ip */
	uint32_t ttl;	     /* s, of the record and of the aliases that led to it */
};

struct dns_answer {
	char alias[DNS_NAME]; /* last alias, whose addresses are not in the message; or "" */
	unsigned aliases;     /* counted on from what was given */
	uint32_t alias_ttl;   /* likewise the smallest */
	size_t n;
	struct dns_addr addr[DNS_RECORDS]; /* in the order of the message, each once */
};

/* The records of type (1 A, 28 AAAA) for name.  a->aliases and a->alias_ttl tell how it
 * was come to: 0 and UINT32_MAX for a name that was asked for.  0, EBADMSG, or ELOOP:
 * more aliases than DNS_ALIASES. */
int dns_answer_read(struct dns_answer *a, const uint8_t *msg, size_t len, const char *name,
		    uint16_t type);

#endif
