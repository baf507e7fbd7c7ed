/*
 * ports.c -- UDP ports of accounts' own, out of AdditionalUDPPorts of a SIP interface.
 * Leases are O(1) and survive reload; who finds none waits, and is served in order.  With
 * AdditionalUDPPortsMode = 1 a leased port is open from the account's REGISTER until its
 * registration is over.
 */
#include "reg/reg.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

enum { PORTS = 65536, TRIES = 16 };

struct reg_pool {
	struct reg_engine *e;
	char *interface; /* name */
	uint16_t min, max;
	uint16_t *free; /* a stack: the lowest is on top at first */
	uint32_t n_free;
	uint8_t leased[PORTS / 8];
	uint32_t *owner; /* account ids, by port; pages of it that are not used cost nothing */
	struct reg_queue waiting;
	struct rg_timer serve;
	bool taken; /* the last one could not be opened, which was said */
};

static bool leased(const struct reg_pool *p, uint32_t port)
{
	return p->leased[port / 8] >> port % 8 & 1;
}

static void mark(struct reg_pool *p, uint16_t port, bool on)
{
	if (on)
		p->leased[port / 8] = (uint8_t)(p->leased[port / 8] | 1u << port % 8);
	else
		p->leased[port / 8] = (uint8_t)(p->leased[port / 8] & ~(1u << port % 8));
}

static bool in_range(const struct reg_pool *p, uint16_t port)
{
	return port >= p->min && port <= p->max && p->min;
}

static uint32_t position(const struct reg_pool *p)
{
	const struct conf *c = p->e->gen->conf;

	for (uint32_t i = 0; i < c->n_sip_interface; i++)
		if (!strcmp(c->sip_interface[i].row.name, p->interface))
			return i;
	return CONF_NONE;
}

/* The pool of the interface towards the account's proxy set; NULL: it has no ports. */
static struct reg_pool *pool_of(struct reg_engine *e, const struct reg_account *a)
{
	const struct conf_proxy_set *ps = a->set ? set_conf(a->set) : NULL;

	if (!ps || ps->interface == CONF_NONE)
		return NULL;
	return g_hash_table_lookup(e->pools,
				   e->gen->conf->sip_interface[ps->interface].row.name);
}

static void serve(void *arg)
{
	struct reg_pool *p = arg;
	bool got = true;

	while (got && p->n_free && p->waiting.n) {
		struct reg_account *a = queue_pop(p->e, &p->waiting);

		a->port_pool = NULL;
		ports_lease(p->e, a);
		got = a->port_pool != p; /* else none of the free ones can be opened now */
		fsm_rethink(p->e, a);
	}
}

static int open_port(struct reg_pool *p, uint16_t port)
{
	uint32_t at = position(p);
	int err = p->e->port->open_port ? p->e->port->open_port(p->e->port->arg, at, port) : 0;

	if (err && !p->taken)
		rg_warn("UDP port %u of SIP interface %s: %s", port, p->interface,
			g_strerror(err));
	p->taken = err != 0;
	return err;
}

static void close_port(struct reg_pool *p, uint16_t port)
{
	uint32_t at = position(p);

	if (p->e->port->close_port && at != CONF_NONE)
		p->e->port->close_port(p->e->port->arg, at, port);
}

static void give_back(struct reg_pool *p, uint16_t port)
{
	mark(p, port, false);
	p->owner[port] = 0;
	if (in_range(p, port))
		p->free[p->n_free++] = port;
	if (p->waiting.n && p->n_free)
		rg_timer_set(p->e->timers, &p->serve, rg_now(p->e->timers), serve, p);
}

/* A port that somebody else on this machine has is tried again later: it goes to the
 * bottom of the stack. */
static uint16_t take(struct reg_pool *p)
{
	for (unsigned i = 0; i < TRIES && p->n_free; i++) {
		uint16_t port = p->free[--p->n_free];

		if (!open_port(p, port)) {
			mark(p, port, true);
			return port;
		}
		memmove(p->free + 1, p->free, p->n_free++ * sizeof *p->free);
		p->free[0] = port;
	}
	return 0;
}

static bool lease(struct reg_account *a, struct reg_pool *p)
{
	a->port = take(p);
	if (!a->port)
		return false;
	a->port_of = p;
	a->port_open = true;
	p->owner[a->port] = a->id;
	return true;
}

void ports_lease(struct reg_engine *e, struct reg_account *a)
{
	struct reg_pool *p = pool_of(e, a);

	if (!(a->chain->wants & RG_WANTS_PORT) || a->port || a->port_pool || !p)
		return;
	if (!lease(a, p) && !fsm_busy(a)) {
		queue_push(e, &p->waiting, a);
		a->port_pool = p;
	}
}

struct reg_account *ports_owner(struct reg_engine *e, const char *interface, uint16_t port)
{
	const struct reg_pool *p = g_hash_table_lookup(e->pools, interface);

	return p ? account_at(e, p->owner[port]) : NULL;
}

/* Some ports could not be opened: perhaps they can now. */
void ports_retry(struct reg_engine *e, struct reg_account *a)
{
	struct reg_pool *p = a->port_pool;

	if (p->n_free)
		rg_timer_set(e->timers, &p->serve, rg_now(e->timers), serve, p);
}

void ports_unwait(struct reg_engine *e, struct reg_account *a)
{
	if (!a->port_pool)
		return;
	queue_remove(e, &a->port_pool->waiting, a);
	a->port_pool = NULL;
}

void ports_release(struct reg_engine *e, struct reg_account *a)
{
	ports_unwait(e, a);
	if (a->port_open)
		close_port(a->port_of, a->port);
	if (a->port)
		give_back(a->port_of, a->port);
	a->port = 0;
	a->port_of = NULL;
	a->port_open = false;
}

/* Somebody else may have taken it while it was closed: then it is another. */
int ports_open(struct reg_account *a)
{
	struct reg_pool *p = a->port_of;

	if (!a->port || a->port_open)
		return 0;
	a->port_open = !open_port(p, a->port);
	if (a->port_open)
		return 0;
	ports_release(p->e, a);
	return lease(a, p) ? 0 : EADDRINUSE;
}

static bool open_when_used(const struct reg_pool *p)
{
	uint32_t at = position(p);

	return at != CONF_NONE && p->e->gen->conf->sip_interface[at].additional_mode == 1;
}

/* An answer that is late is still welcome: it is waited for until the next round. */
void ports_rest(struct reg_account *a, enum rg_state to)
{
	bool over = to == RG_IDLE || to == RG_HELD || (to == RG_BACKOFF && a->last_code);

	if (!over || !a->port_open || !open_when_used(a->port_of))
		return;
	close_port(a->port_of, a->port);
	a->port_open = false;
}

/* After the account has moved to another row: does what it has still fit?  true: it got
 * another port, or lost it. */
bool ports_move(struct reg_engine *e, struct reg_account *a)
{
	uint16_t had = a->port;

	if (a->port_pool && (!(a->chain->wants & RG_WANTS_PORT) || a->port_pool != pool_of(e, a)))
		ports_unwait(e, a);
	if (a->port && (!(a->chain->wants & RG_WANTS_PORT) || a->port_of != pool_of(e, a) ||
			!in_range(a->port_of, a->port)))
		ports_release(e, a);
	ports_lease(e, a);
	if (a->port && !open_when_used(a->port_of))
		ports_open(a);
	return a->port != had;
}

static void fill(struct reg_pool *p, uint16_t min, uint16_t max)
{
	p->min = min;
	p->max = max;
	p->free = g_renew(uint16_t, p->free, min ? max - min + 1u : 1u);
	p->n_free = 0;
	for (uint32_t port = max; min && port >= min; port--)
		if (!leased(p, port))
			p->free[p->n_free++] = (uint16_t)port;
}

void ports_apply(struct reg_engine *e)
{
	const struct conf *c = e->gen->conf;
	GHashTableIter it;
	gpointer value;

	for (uint32_t i = 0; i < c->n_sip_interface; i++) {
		const struct conf_sip_interface *x = &c->sip_interface[i];
		struct reg_pool *p = g_hash_table_lookup(e->pools, x->row.name);

		if (!p && x->port_min) {
			p = g_new0(struct reg_pool, 1);
			p->e = e;
			p->owner = g_new0(uint32_t, PORTS);
			p->interface = g_strdup(x->row.name);
			g_hash_table_insert(e->pools, p->interface, p);
		}
	}
	g_hash_table_iter_init(&it, e->pools);
	while (g_hash_table_iter_next(&it, NULL, &value)) {
		struct reg_pool *p = value;
		uint32_t at = position(p);
		const struct conf_sip_interface *x = at == CONF_NONE ? NULL
								     : &c->sip_interface[at];

		if (!x || x->port_min != p->min || x->port_max != p->max)
			fill(p, x ? x->port_min : 0, x ? x->port_max : 0);
		if (p->waiting.n && p->n_free)
			rg_timer_set(e->timers, &p->serve, rg_now(e->timers), serve, p);
	}
}

static void pool_free(gpointer value)
{
	struct reg_pool *p = value;

	rg_timer_stop(p->e->timers, &p->serve);
	g_free(p->free);
	g_free(p->owner);
	g_free(p->interface);
	g_free(p);
}

GHashTable *ports_new(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, NULL, pool_free);
}
