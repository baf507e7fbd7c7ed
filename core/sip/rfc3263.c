#include "sip/rfc3263.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { METHOD_SRV = 1, METHOD_NAPTR = 2, METHOD_SKYPE = 3 };
enum { NAME = DNS_NAME + 32 };

struct service {
	char name[NAME]; /* of the SRV records */
	uint8_t transport;
	uint16_t preference;
	uint32_t ttl;
	bool stale;
};

struct target {
	const char *host;
	double draw;
	uint32_t ttl;
	uint16_t priority, weight, port;
	uint8_t transport;
	uint8_t service; /* which it came of: the first is preferred */
	bool stale;
};

struct walk {
	const struct reg_lookup *l;
	uint64_t seed;
	rfc3263_look_h *look;
	void *arg;
	struct rfc3263_result *out;
	bool missing;
	struct service service[RFC3263_SERVICES];
	size_t n_service;
	struct target target[RFC3263_TARGETS];
	size_t n_target;
};

uint16_t rfc3263_port(uint8_t transport)
{
	return transport == RG_TLS ? 5061 : 5060;
}

static struct rfc3263_name look(struct walk *w, uint16_t type, const char *name)
{
	struct rfc3263_name x = w->look(w->arg, type, name);

	w->missing |= !x.known;
	return x;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* ---- addresses --------------------------------------------------------------------- */

static void add(struct walk *w, const struct target *t, const struct rfc3263_name *x, size_t i)
{
	struct rfc3263_result *out = w->out;
	struct reg_resolved it = { .addr = x->rec[i].addr, .priority = t->priority,
				   .weight = t->weight, .ttl = least(t->ttl, x->ttl),
				   .stale = t->stale || x->stale };

	it.addr.port = t->port;
	it.addr.transport = t->transport;
	if (out->n == RFC3263_MOST)
		return;
	for (size_t k = 0; k < out->n; k++)
		if (rg_addr_equal(&out->r[k].addr, &it.addr))
			return;
	out->r[out->n++] = it;
}

/* Both families of a target before the next target (RFC 7984 4.2). */
static void addresses(struct walk *w, const struct target *t)
{
	uint8_t families = w->l->families ? w->l->families : REG_IPV4;
	bool six_first = w->l->six_first;

	for (int turn = 0; turn < 2; turn++) {
		bool six = turn ? !six_first : six_first;
		struct rfc3263_name x;

		if (!(families & (six ? REG_IPV6 : REG_IPV4)))
			continue;
		x = look(w, six ? DNS_AAAA : DNS_A, t->host);
		for (size_t i = 0; x.known && i < x.n; i++)
			add(w, t, &x, i);
	}
}

static void own_addresses(struct walk *w, uint8_t transport)
{
	struct target t = { .host = w->l->host, .transport = transport, .ttl = UINT32_MAX,
			    .port = w->l->port ? w->l->port : rfc3263_port(transport) };

	addresses(w, &t);
}

/* ---- SRV --------------------------------------------------------------------------- */

/* Exponential clocks: the order in which they ring is that of RFC 2782's repeated draw. */
static double draw(const struct walk *w, const char *host, uint16_t port, uint16_t weight)
{
	uint64_t h = w->seed ^ 0x9e3779b97f4a7c15u * (port + 1u);
	double u, rate = weight ? weight : 0.001; /* "a very small chance" */

	for (; *host; host++)
		h = (h ^ (unsigned char)*host) * 0x100000001b3u;
	h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
	h = (h ^ h >> 27) * 0x94d049bb133111ebu;
	h ^= h >> 31;
	u = ((double)(h >> 11) + 0.5) / 9007199254740992.0;
	return -log(u) / rate;
}

static int by_order(const void *a, const void *b)
{
	const struct target *x = a, *y = b;

	if (x->service != y->service)
		return x->service < y->service ? -1 : 1;
	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	if (x->draw < y->draw || x->draw > y->draw)
		return x->draw < y->draw ? -1 : 1;
	return strcmp(x->host, y->host);
}

static void add_targets(struct walk *w, const struct service *s, uint8_t number,
			const struct rfc3263_name *x)
{
	for (size_t i = 0; i < x->n && w->n_target < RFC3263_TARGETS; i++) {
		const struct dns_record *r = &x->rec[i];
		const char *host = x->text + r->name;

		if (!*host) /* ".": there is none (RFC 2782) */
			continue;
		w->target[w->n_target++] = (struct target){
			.host = host, .port = r->port, .priority = r->priority,
			.weight = r->weight, .transport = s->transport, .service = number,
			.ttl = least(s->ttl, x->ttl), .stale = s->stale || x->stale,
			.draw = draw(w, host, r->port, r->weight),
		};
	}
}

/* Priorities of one service say nothing about another's. */
static void number_priorities(struct walk *w)
{
	uint16_t rank = 0;
	struct target last;

	if (!w->n_target || w->target[0].service == w->target[w->n_target - 1].service)
		return;
	last = w->target[0];
	for (size_t i = 0; i < w->n_target; i++) {
		struct target now = w->target[i];

		if (now.service != last.service || now.priority != last.priority)
			rank++;
		w->target[i].priority = rank;
		last = now;
	}
}

enum srv { SRV_NONE, SRV_FOUND, SRV_FAILED };

/* all: of all services; else of the first that has any. */
static enum srv ask_services(struct walk *w, bool all)
{
	enum srv srv = SRV_NONE;

	for (size_t i = 0; i < w->n_service; i++) {
		struct rfc3263_name x = look(w, DNS_SRV, w->service[i].name);

		if (!x.known && !all)
			return srv;
		if (x.known && x.n) {
			add_targets(w, &w->service[i], (uint8_t)i, &x);
			srv = SRV_FOUND;
			if (!all)
				return srv;
		} else if (x.failed && srv == SRV_NONE) {
			srv = SRV_FAILED;
		}
	}
	return srv;
}

/* ---- services ---------------------------------------------------------------------- */

static bool supported(const struct reg_lookup *l, uint8_t transport)
{
	return !l->transports || l->transports & 1 << transport;
}

static int by_preference(const void *a, const void *b)
{
	const struct service *x = a, *y = b;

	return x->preference != y->preference ? (int)x->preference - (int)y->preference :
						strcmp(x->name, y->name);
}

/* Only those of the lowest order that leads anywhere (RFC 3403 4.1): a server that is to be
 * reached by TLS is not tried without. */
static void services_of_naptr(struct walk *w, const struct rfc3263_name *x)
{
	uint32_t order = UINT32_MAX;

	for (size_t i = 0; i < x->n; i++)
		if (supported(w->l, x->rec[i].addr.transport))
			order = least(order, x->rec[i].priority);
	for (size_t i = 0; i < x->n && w->n_service < RFC3263_SERVICES; i++) {
		const struct dns_record *r = &x->rec[i];
		struct service *s = &w->service[w->n_service];

		if (r->priority != order || !supported(w->l, r->addr.transport))
			continue;
		*s = (struct service){ .transport = r->addr.transport, .preference = r->weight,
				       .ttl = x->ttl, .stale = x->stale };
		snprintf(s->name, sizeof s->name, "%s", x->text + r->name);
		w->n_service++;
	}
	qsort(w->service, w->n_service, sizeof *w->service, by_preference);
}

static void add_service(struct walk *w, const char *prefix, uint8_t transport)
{
	struct service *s = &w->service[w->n_service++];

	*s = (struct service){ .transport = transport, .ttl = UINT32_MAX };
	snprintf(s->name, sizeof s->name, "%s.%s", prefix, w->l->host);
}

static void services_of_transport(struct walk *w)
{
	static const char *const prefix[] = { [RG_UDP] = "_sip._udp", [RG_TCP] = "_sip._tcp",
					      [RG_TLS] = "_sips._tcp" };
	const struct reg_lookup *l = w->l;

	if (l->method != METHOD_SKYPE || (l->transport_set && l->transport == RG_UDP)) {
		add_service(w, prefix[l->transport <= RG_TLS ? l->transport : RG_UDP],
			    l->transport);
		return;
	}
	if (!l->transport_set || l->transport == RG_TLS)
		add_service(w, "_sipinternaltls._tcp", RG_TLS);
	if (!l->transport_set || l->transport == RG_TCP)
		add_service(w, "_sipinternal._tcp", RG_TCP);
	if (!l->transport_set || l->transport == RG_TLS)
		add_service(w, "_sip._tls", RG_TLS);
	if (!l->transport_set || l->transport == RG_TCP)
		add_service(w, "_sip._tcp", RG_TCP);
}

/* ---- the walk ---------------------------------------------------------------------- */

/* A name that has no SRV records means its addresses; one whose SRV records could not be
 * asked for means nothing yet. */
static void by_srv(struct walk *w, bool naptr)
{
	enum srv srv = ask_services(w, naptr);

	if (w->missing || srv == SRV_FAILED)
		return;
	if (srv == SRV_NONE) {
		own_addresses(w, w->n_service && naptr ? w->service[0].transport :
							 w->l->transport);
		return;
	}
	qsort(w->target, w->n_target, sizeof *w->target, by_order);
	number_priorities(w);
	for (size_t i = 0; i < w->n_target; i++)
		addresses(w, &w->target[i]);
}

bool rfc3263_walk(const struct reg_lookup *l, uint64_t seed, rfc3263_look_h *h, void *arg,
		  struct rfc3263_result *out)
{
	struct walk w = { .l = l, .seed = seed, .look = h, .arg = arg, .out = out };
	struct rfc3263_name x;

	out->n = 0;
	if (l->port || !l->method) {
		own_addresses(&w, l->transport);
		return !w.missing;
	}
	if (l->method == METHOD_NAPTR && !l->transport_set) {
		x = look(&w, DNS_NAPTR, l->host);
		if (!x.known)
			return false;
		services_of_naptr(&w, &x);
	}
	if (w.n_service) {
		by_srv(&w, true);
	} else {
		services_of_transport(&w);
		by_srv(&w, false);
	}
	return !w.missing;
}
