/*
 * resolver.h -- names to servers: lookups of RFC 3263, a cache, and the name servers of each
 * interface.  dnscache.h says how long answers are kept, nameserver.h how they are asked for.
 */
#ifndef RG_SIP_RESOLVER_H
#define RG_SIP_RESOLVER_H

#include <stddef.h>
#include <stdint.h>

#include "reg/port.h"
#include "sip/nameserver.h"
#include "sip/rfc3263.h"

enum {
	RESOLVER_MOST = RFC3263_MOST, /* results of a lookup; the rest is left out */
	RESOLVER_STALE_TTL = 30,  /* s, as told for an answer past its TTL */
	RESOLVER_LITERAL_TTL = INT32_MAX, /* s, of an address that needed no DNS */
};

struct resolver;

/* results[0..n) in the order to be tried, valid during the call; n 0: no such name,
 * or it could not be asked and nothing is known. */
typedef void (resolver_done_h)(uint64_t token, const struct reg_resolved *results, size_t n,
			       void *arg);

/* servers: "127.0.0.1:5353,[::1]" or the path of a file like resolv.conf; NULL for those of
 * /etc/resolv.conf, and then names of /etc/hosts are known, too.  0, EINVAL (servers) or
 * ENOMEM.  env is copied. */
int resolver_new(struct resolver **, const struct resolver_env *env, const char *servers);

/* From now on: the name servers where an interface has none of its own (NULL or "": those
 * resolver_new was given), and those of interfaces 0 to n - 1 (likewise).  What makes no
 * sense counts as none.  0, or EINVAL: something made none. */
int resolver_servers(struct resolver *, const char *common, const char *const *own, size_t n);

/* done is called once, from a timer, never from inside, unless the token is cancelled.
 * An IP literal is answered without DNS.  0, EINVAL (not a host name) or EEXIST (token in
 * use); no done then. */
int resolver_lookup(struct resolver *, const struct reg_lookup *, resolver_done_h *done,
		    void *arg);
void resolver_cancel(struct resolver *, uint64_t token);
/* Cancels all.  Not from inside done. */
void resolver_free(struct resolver *);

#endif
