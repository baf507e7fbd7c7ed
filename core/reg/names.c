/*
 * names.c -- the host names of a proxy set: when they are asked for, and what becomes of the
 * answers.  A failing name is its set's own trouble: it is said once, asked again every 10 s,
 * and its last good answer stays.
 */
#include "reg/reg.h"

#include <string.h>

#include "base/log.h"

enum {
	LOOKUP_RETRY_MS = 10000, /* after a failed lookup (the device's 10 s) */
	FRESH_MS = 1000 /* searches of one second share an answer */
};

static uint8_t method_of(const struct conf *c, const struct conf_proxy_set *s)
{
	return (uint8_t)(s->dns_method >= 0 ? s->dns_method : c->gateway.dns_query_type);
}

static const struct conf_sip_interface no_interface = { .name_servers = "" };

static const struct conf_sip_interface *interface_at(const struct conf *c, uint32_t at)
{
	return at == CONF_NONE ? &no_interface : &c->sip_interface[at];
}

/* Of those that an interface has, or may have soon: a device's addresses come and go. */
static uint8_t families_of(const struct conf *c, const struct conf_proxy_set *s)
{
	const struct conf_sip_interface *four = interface_at(c, s->interface);
	const struct conf_sip_interface *six = interface_at(c, s->interface6);

	return (uint8_t)((four->device || four->addr.family != 6 ? REG_IPV4 : 0) |
			 (six->device || six->addr.family != 4 || six->addr6.family ? REG_IPV6
										    : 0));
}

static uint8_t ports_of(const struct conf_sip_interface *i)
{
	return (uint8_t)((i->udp != 0) << RG_UDP | (i->tcp != 0) << RG_TCP);
}

/* Those for which there is a port; TLS connections go out without one. */
static uint8_t transports_of(const struct conf *c, const struct conf_proxy_set *s)
{
	return (uint8_t)(ports_of(interface_at(c, s->interface)) |
			 ports_of(interface_at(c, s->interface6)) | 1 << RG_TLS);
}

const char *names_host(const struct reg_set *set, const struct reg_name *x)
{
	return x->registrar ? x->registrar : set->e->gen->conf->proxy_ip[x->ip].host;
}

/* Said once, and once more when it is over. */
static void tell(const struct reg_set *set, struct reg_name *x, bool failing)
{
	const char *host = names_host(set, x);

	if (failing && !x->failing)
		rg_warn("proxy set %s: %s does not resolve%s", set->name, host,
			x->n ? "; the last good answer stays" : "");
	else if (!failing && x->failing)
		rg_notice("proxy set %s: %s resolves again", set->name, host);
	x->failing = failing;
}

/* ---- asking ------------------------------------------------------------------------ */

static void resolve_due(void *arg)
{
	struct reg_set *set = arg;

	set_resolve(set->e, set, false);
}

/* A name is asked for again when ProxyIPListRefreshTime is over, sooner when it failed. */
static void resolve_plan(struct reg_set *set)
{
	struct reg_engine *e = set->e;
	rg_ms next = rg_now(e->timers) + 1000 * (rg_ms)e->gen->conf->gateway.proxy_list_refresh;

	for (uint32_t i = 0; i < set->n_names; i++)
		if (!set->names[i].n || set->names[i].failing)
			next = MIN(next, set->names[i].asked_at + LOOKUP_RETRY_MS);
	if (set->n_names)
		rg_timer_set(e->timers, &set->resolve, next, resolve_due, set);
}

void set_resolve(struct reg_engine *e, struct reg_set *set, bool again)
{
	const struct conf *c = set->e->gen->conf;
	const struct conf_proxy_set *ps = set_conf(set);

	for (uint32_t i = 0; ps && i < set->n_names; i++) {
		struct reg_name *n = &set->names[i];
		const struct conf_proxy_ip *p = &c->proxy_ip[n->ip];
		struct reg_lookup l = {
			.host = names_host(set, n), .port = n->registrar ? n->port : p->port,
			.transport = p->addr.transport,
			.transport_set = p->transport_set, .again = again,
			.method = method_of(c, ps), .interface = ps->interface,
			.families = families_of(c, ps), .six_first = ps->prefer_ipv6,
			.transports = transports_of(c, ps), .seed = g_str_hash(set->name),
		};

		if (n->token)
			continue;
		l.token = ++e->probe_tokens;
		n->asked_at = rg_now(e->timers);
		if (e->port->resolve(e->port->arg, &l)) {
			tell(set, n, true);
			continue;
		}
		n->token = l.token;
		set->resolving = true;
		g_hash_table_insert(e->probes, g_memdup2(&l.token, sizeof l.token), set);
	}
	if (set->n_names)
		resolve_plan(set);
}

bool set_ready(struct reg_engine *e, struct reg_set *set, struct reg_account *a)
{
	rg_ms now = rg_now(e->timers);
	bool fresh = true;

	if (set->n && chain_follows(a))
		return true;
	for (uint32_t i = 0; i < set->n_names; i++)
		fresh &= set->names[i].asked_at && now - set->names[i].asked_at < FRESH_MS;
	if (!set->resolving && fresh)
		return true;
	if (!set->resolving)
		set_resolve(e, set, true);
	if (!set->resolving)
		return true;
	a->waits = WAITS_NAME;
	queue_push(e, &set->unresolved, a);
	return false;
}

/* ---- answers ----------------------------------------------------------------------- */

/* The same servers with the same ranks in another order, as name servers turn it round. */
static bool same_servers(const struct reg_name *x, const struct reg_resolved *addr, uint32_t n)
{
	uint32_t known = 0;

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < x->n; k++)
			known += rg_addr_equal(&x->addr[k].addr, &addr[i].addr) &&
				 x->addr[k].priority == addr[i].priority &&
				 x->addr[k].weight == addr[i].weight;
	return n == x->n && known == n;
}

static void take(struct reg_name *x, const struct reg_resolved *addr, uint32_t n)
{
	if (same_servers(x, addr, n)) {
		for (uint32_t k = 0; k < n; k++)
			for (uint32_t i = 0; i < n; i++)
				if (rg_addr_equal(&x->addr[k].addr, &addr[i].addr))
					x->addr[k].ttl = addr[i].ttl;
		return;
	}
	g_free(x->addr);
	x->n = n;
	x->addr = g_memdup2(addr, n * sizeof *addr);
}

static void answered(struct reg_set *set, struct reg_name *x, const struct reg_resolved *addr,
		     uint32_t n)
{
	bool stale = !n;

	for (uint32_t i = 0; i < n; i++)
		stale |= addr[i].stale;
	x->token = 0;
	if (n) {
		take(x, addr, n);
		x->answered_at = rg_now(set->e->timers);
	}
	tell(set, x, stale);
}

/* Those who asked later wait for another answer. */
static void serve(void *arg)
{
	struct reg_set *set = arg;
	struct reg_slice slice = slice_begin(set->e);

	while (set->answered && set->unresolved.n) {
		struct reg_account *a = queue_pop(set->e, &set->unresolved);

		set->answered--;
		a->waits = WAITS_NOT;
		round_begin(set->e, a, a->start);
		if (slice_over(&slice))
			break;
	}
	if (set->answered && set->unresolved.n)
		rg_timer_set(set->e->timers, &set->serve, rg_now(set->e->timers) + 1, serve, set);
	else
		set->answered = 0;
}

void reg_resolved(struct reg_engine *e, uint64_t token, const struct reg_resolved *addr, size_t n)
{
	struct reg_set *set = g_hash_table_lookup(e->probes, &token);

	if (!set)
		return;
	g_hash_table_remove(e->probes, &token);
	set->resolving = false;
	for (uint32_t i = 0; i < set->n_names; i++) {
		if (set->names[i].token == token)
			answered(set, &set->names[i], addr, (uint32_t)MIN(n, (size_t)RG_SERVERS));
		set->resolving |= set->names[i].token != 0;
	}
	set_renew(set);
	resolve_plan(set);
	if (set->resolving)
		return;
	set->answered = set->unresolved.n;
	serve(set);
}

/* ---- configuration ----------------------------------------------------------------- */

void names_clear(struct reg_set *set)
{
	for (uint32_t k = 0; k < set->n_names; k++) {
		if (set->names[k].token) {
			g_hash_table_remove(set->e->probes, &set->names[k].token);
			set->e->port->forget(set->e->port->arg, set->names[k].token);
		}
		g_free(set->names[k].addr);
		g_free(set->names[k].registrar);
	}
	g_free(set->names);
	set->names = NULL;
	set->n_names = 0;
	set->resolving = false;
	set->answered = 0;
	rg_timer_stop(set->e->timers, &set->resolve);
	rg_timer_stop(set->e->timers, &set->serve);
}

static bool same_transport(const struct conf_proxy_ip *p, const struct conf_proxy_ip *q)
{
	return p->addr.transport == q->addr.transport && p->transport_set == q->transport_set;
}

static bool same_name(const struct conf_proxy_ip *p, const struct conf_proxy_ip *q)
{
	return !strcmp(p->host, q->host) && p->port == q->port && same_transport(p, q);
}

static bool same_way(const struct conf *was, const struct conf_proxy_set *x, const struct conf *c,
		     const struct conf_proxy_set *y)
{
	return x->n_ip == y->n_ip && method_of(was, x) == method_of(c, y) &&
	       x->prefer_ipv6 == y->prefer_ipv6 && families_of(was, x) == families_of(c, y) &&
	       transports_of(was, x) == transports_of(c, y) &&
	       !strcmp(interface_at(was, x->interface)->name_servers,
		       interface_at(c, y->interface)->name_servers) &&
	       !strcmp(was->gateway.name_servers, c->gateway.name_servers);
}

static bool differ(const struct reg_set *set, const struct conf *was, uint32_t was_pos)
{
	const struct conf *c = set->e->gen->conf;
	const struct conf_proxy_set *x = &was->proxy_set[was_pos], *y = set_conf(set);

	if (!same_way(was, x, c, y))
		return true;
	for (uint32_t i = 0; i < x->n_ip; i++) {
		const struct conf_proxy_ip *p = &was->proxy_ip[x->first_ip + i];

		if (!same_name(p, &c->proxy_ip[y->first_ip + i]) ||
		    strcmp(p->registrar, c->proxy_ip[y->first_ip + i].registrar))
			return true;
	}
	return false;
}

/* The last good answer stays until there is a new one. */
static void take_over(struct reg_name *x, const struct conf_proxy_ip *p, struct reg_name *old,
		      uint32_t n_old, const struct conf *was)
{
	for (uint32_t k = 0; k < n_old; k++) {
		const struct conf_proxy_ip *q = &was->proxy_ip[old[k].ip];

		if (!old[k].n || !old[k].registrar != !x->registrar ||
		    (x->registrar ? strcmp(q->registrar, p->registrar) || !same_transport(q, p)
				  : !same_name(q, p)))
			continue;
		x->addr = old[k].addr;
		x->n = old[k].n;
		x->answered_at = old[k].answered_at;
		x->failing = old[k].failing;
		x->turns = old[k].turns;
		x->turned_at = old[k].turned_at;
		old[k].addr = NULL;
		old[k].n = 0;
		return;
	}
}

/* The name in the row's Registrar; NULL: there is none, or an address. */
static char *registrar_name(const struct conf_proxy_ip *p, uint16_t *port)
{
	struct rg_addr addr;
	char host[256];

	if (!*p->registrar || rg_addr_parse(&addr, p->registrar) ||
	    !rg_host_port(p->registrar, host, sizeof host, port))
		return NULL;
	return g_strdup(host);
}

bool names_apply(struct reg_set *set, const struct conf *was, uint32_t was_pos)
{
	const struct conf *c = set->e->gen->conf;
	const struct conf_proxy_set *ps = set_conf(set);
	struct reg_name *names = NULL;
	uint32_t n = 0;

	if (was_pos != CONF_NONE && !differ(set, was, was_pos)) {
		for (uint32_t k = 0; k < set->n_names; k++)
			set->names[k].ip += ps->first_ip - was->proxy_set[was_pos].first_ip;
		return false;
	}
	for (uint32_t i = 2 * ps->first_ip; i < 2 * (ps->first_ip + ps->n_ip); i++) {
		const struct conf_proxy_ip *p = &c->proxy_ip[i / 2];
		struct reg_name x = { .ip = i / 2 };

		if (i % 2)
			x.registrar = registrar_name(p, &x.port);
		if (i % 2 ? !x.registrar : p->addr.family != 0)
			continue;
		if (was_pos != CONF_NONE)
			take_over(&x, p, set->names, set->n_names, was);
		names = g_renew(struct reg_name, names, n + 1);
		names[n++] = x;
	}
	names_clear(set);
	set->names = names;
	set->n_names = n;
	return n;
}
