/*
 * resolver.h -- names to servers (RFC 3263) on c-ares, with a cache of its own.
 *
 * One query is in flight for a name and type, whoever asks.  Answers are kept for
 * their TTL (1 s to a day), "no such name" for 10 s, a failure for 5 s; while
 * lookups fail the last good answer is served for up to 30 minutes after its TTL.
 */
#ifndef RG_SIP_RESOLVER_H
#define RG_SIP_RESOLVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/timer.h"
#include "reg/port.h"

enum {
	RESOLVER_MOST = 64,	  /* results of a lookup; the rest is ignored */
	RESOLVER_STALE_TTL = 30,  /* s, as told for an answer past its TTL */
	RESOLVER_LITERAL_TTL = INT32_MAX, /* s, of an address that needed no DNS */
};

enum { RESOLVER_READ = 1, RESOLVER_WRITE = 2 };

/* What the resolver needs of the event loop.  fd: from now on call h(fd, events,
 * harg) when one of events is possible on the socket; events 0: never again.
 * Returns 0 or an errno. */
struct resolver_env {
	int (*fd)(void *arg, int fd, int events, void (*h)(int fd, int events, void *harg),
		  void *harg);
	struct rg_timers *timers;
	void *arg;
};

struct resolver;

/* results[0..n) in the order of the answer, valid during the call; n 0: no such name,
 * or it could not be asked and nothing is known. */
typedef void (resolver_done_h)(uint64_t token, const struct reg_resolved *results, size_t n,
			       void *arg);

/* servers: "127.0.0.1:5353,[::1]" or NULL for those of resolv.conf, and then names of
 * /etc/hosts are known, too.  0, EINVAL (servers) or ENOMEM.  env is copied. */
int resolver_new(struct resolver **, const struct resolver_env *env, const char *servers);

/* done is called once, from a timer, never from inside, unless the token is cancelled.
 * The port is the configured one, else 5060, or 5061 for TLS; an IP literal is answered
 * without DNS.  0, EINVAL (not a host name) or EEXIST (token in use); no done then. */
int resolver_lookup(struct resolver *, const struct reg_lookup *, resolver_done_h *done,
		    void *arg);
void resolver_cancel(struct resolver *, uint64_t token);
/* Cancels all.  Not from inside done. */
void resolver_free(struct resolver *);

#endif
