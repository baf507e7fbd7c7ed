/*
 * rfc3263.h -- from a name to servers (RFC 3263 4.1 and 4.2, RFC 2782, RFC 7984), as a
 * function of what is known of names: no network, no clock.  It is walked again each time
 * more has become known, until nothing is missing.
 */
#ifndef RG_SIP_RFC3263_H
#define RG_SIP_RFC3263_H

#include "reg/port.h"
#include "sip/dnsanswer.h"

enum {
	RFC3263_MOST = 64,     /* results; the rest is left out */
	RFC3263_TARGETS = 50,  /* SRV records that are followed (the device's limit) */
	RFC3263_SERVICES = 8,  /* NAPTR records likewise */
};

/* What is known of a name and type. */
struct rfc3263_name {
	bool known; /* false: it has been asked for; walk again later */
	bool failed, stale;
	uint32_t ttl;
	const struct dns_record *rec; /* valid until the walk is over */
	size_t n;
	const char *text;
};
typedef struct rfc3263_name (rfc3263_look_h)(void *arg, uint16_t type, const char *name);

struct rfc3263_result {
	size_t n;
	struct reg_resolved r[RFC3263_MOST]; /* in the order to be tried, each once */
};

/* l: host is no literal.  seed decides between SRV records of equal priority: for one seed
 * the order is always the same and a record that comes or goes moves no other; over many
 * seeds records lead as often as their weights say.  false: names are missing, and *out
 * means nothing. */
bool rfc3263_walk(const struct reg_lookup *l, uint64_t seed, rfc3263_look_h *look, void *arg,
		  struct rfc3263_result *out);

/* 5060, or 5061 for TLS (RFC 3261 18.1.1, 26.2.1). */
uint16_t rfc3263_port(uint8_t transport);

#endif
