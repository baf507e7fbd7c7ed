/*
 * dnscache.h -- what is known of names, kept for its TTL (1 s to a day).  One question is on
 * its way for a name and type, whoever asks.  "No such name" is kept for as long as the answer
 * says (RFC 2308), a minute at most, or else for 10 s, a failure for 5 s; while questions fail
 * the last good answer stays, however long that takes.  At most 16384 names and 32 MiB: those
 * that nobody holds go, the longest unused first.
 */
#ifndef RG_SIP_DNSCACHE_H
#define RG_SIP_DNSCACHE_H

#include <sys/queue.h>

#include "sip/dnsanswer.h"
#include "sip/hostsfile.h"
#include "sip/nameserver.h"

struct dnscache;
struct dns_name; /* a name and type, as the name servers of a view see it */

/* Name servers, and a number by which their answers are kept apart from others'. */
struct dns_view {
	struct nameservers *ns;
	uint16_t id;
};

struct dns_found {
	const struct dns_record *rec; /* valid while the name is held and nobody asks for it */
	size_t n;		      /* 0: no such name, or nothing is known of it */
	const char *text;	      /* of the records' names */
	uint32_t ttl;		      /* s left, of the shortest */
	bool failed;		      /* it could not be asked */
	bool stale;		      /* and this is the last good answer */
};

/* Waits for a name; zeroed, and at a stable address until it is told or withdrawn. */
struct dns_want {
	TAILQ_ENTRY(dns_want) link;
	struct dns_name *name;
	bool waiting;
	void (*settled)(void *arg);
	void *arg;
};

/* env must outlive it; hosts is taken, NULL: no hosts file. */
struct dnscache *dnscache_new(const struct resolver_env *, struct hostsfile *hosts);
/* After all name servers.  Whoever holds a name forgets it. */
void dnscache_free(struct dnscache *);

/* Held until dnscache_release.  NULL: not a host name. */
struct dns_name *dnscache_hold(struct dnscache *, const struct dns_view *, uint16_t type,
			       const char *host);
void dnscache_release(struct dnscache *, struct dns_name *);
/* The serial number of the last outcome. */
uint64_t dnscache_serial(const struct dnscache *);
/* Is there an outcome that is still believed, or any later than that serial number? */
bool dnscache_known(const struct dnscache *, const struct dns_name *, bool believed,
		    uint64_t later);
struct dns_found dnscache_read(const struct dnscache *, const struct dns_name *);
/* Ask, and be told (even from inside) when there is an outcome. */
void dnscache_ask(struct dnscache *, struct dns_name *, struct dns_want *);
void dnscache_withdraw(struct dns_want *);
/* Nobody holds a name of that view any more, and its name servers are gone. */
void dnscache_forget(struct dnscache *, const struct dns_view *);

#endif
