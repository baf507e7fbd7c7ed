/*
 * nameserver.h -- asks name servers, through c-ares: a channel of its own for each, so that
 * one that is silent costs TRY_MS once or twice and is asked last for a while, and a list
 * can change while questions are on their way.  c-ares repeats, checks id, question and
 * source, and turns to TCP when an answer was cut off.
 */
#ifndef RG_SIP_NAMESERVER_H
#define RG_SIP_NAMESERVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/timer.h"

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

struct nameservers;

/* status: of c-ares; ARES_SUCCESS (the message has answers), ARES_ENOTFOUND, ARES_ENODATA
 * are answers (the message says for how long), the rest are failures.  Called once with last
 * true, and that may be from inside nameservers_ask().  Before that with ARES_ETIMEOUT when
 * nobody has answered in 3 s: what comes later is of use, too. */
typedef void (nameservers_h)(void *arg, int status, const uint8_t *msg, size_t len, bool last);

/* servers: up to 8 as "127.0.0.1:5353,[::1]", or the path of a file like resolv.conf, which
 * is looked at again while it is used (at most once a second).  0, EINVAL (servers) or
 * ENOMEM.  env must outlive it. */
int nameservers_new(struct nameservers **, const struct resolver_env *env, const char *servers);
/* From now on ask these; what is on its way goes on.  0 or EINVAL: nothing changed. */
int nameservers_set(struct nameservers *, const char *servers);
/* How often the list has changed, after a look at the file. */
unsigned nameservers_version(struct nameservers *);

/* name must outlive the question.  Of those on their way some wait for others, so that
 * nobody is flooded. */
void nameservers_ask(struct nameservers *, const char *name, uint16_t type, nameservers_h *,
		     void *arg);
/* Ends all questions, with ARES_EDESTRUCTION. */
void nameservers_free(struct nameservers *);

#endif
