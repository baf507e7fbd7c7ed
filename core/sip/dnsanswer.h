/*
 * dnsanswer.h -- reads the records of a name out of a DNS message (RFC 1035 4.1; SRV: RFC
 * 2782; NAPTR: RFC 3403, as RFC 3263 4.1 uses it).  Follows the aliases that are in the
 * message; linear in its bytes but for their number.  RFC 2308 for answers that have none.
 */
#ifndef RG_SIP_DNSANSWER_H
#define RG_SIP_DNSANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

enum { DNS_A = 1, DNS_CNAME = 5, DNS_SOA = 6, DNS_AAAA = 28, DNS_SRV = 33, DNS_NAPTR = 35 };

enum {
	DNS_NAME = 256,	  /* of a name in text, terminator included */
	DNS_ALIASES = 8,  /* CNAME steps from a name to its records */
	DNS_RECORDS = 64, /* that are kept; the rest is ignored */
};

struct dns_record {
	uint32_t ttl; /* s, of the record and of the aliases that led to it */
	uint32_t name; /* SRV: target, NAPTR: replacement; offset in the text, "" is the root */
	struct rg_addr addr; /* A, AAAA: family and ip; NAPTR: transport */
	uint16_t priority, weight; /* NAPTR: order and preference */
	uint16_t port;
};

struct dns_answer {
	char alias[DNS_NAME]; /* last alias, whose records are not in the message; or "" */
	unsigned aliases;     /* counted on from what was given */
	uint32_t alias_ttl;   /* likewise the smallest */
	size_t n;
	struct dns_record rec[DNS_RECORDS]; /* in the order of the message; addresses once */
	size_t text_len;
	char text[DNS_RECORDS * DNS_NAME]; /* the names, in lower case */
};

/* Ready for a name that was asked for. */
void dns_answer_begin(struct dns_answer *);

/* The records of type (one of the above but CNAME) for name.  Left out: addresses at which
 * no server can be, SRV targets and replacements that are no host names, and of NAPTR all
 * but those that lead to an SRV record of SIP over UDP, TCP or TLS.  a->aliases and
 * a->alias_ttl tell how the name was come to.  0, EBADMSG, or ELOOP: more aliases than
 * DNS_ALIASES. */
int dns_answer_read(struct dns_answer *a, const uint8_t *msg, size_t len, const char *name,
		    uint16_t type);

/* For how long an answer without records says that there are none, s: the lesser of TTL and
 * MINIMUM of its SOA record (RFC 2308 5); UINT32_MAX: it has none. */
uint32_t dns_answer_negative(const uint8_t *msg, size_t len);

/* host ("host.example" or "host.example.") in lower case without the last dot.  false: not
 * a host name; nothing that is none goes to a name server, where it might mean something
 * else.  Underscores are allowed (RFC 2782). */
bool dns_host(char out[DNS_NAME], const char *host);

#endif
