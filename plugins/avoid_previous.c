/*
 * avoid_previous -- RegistrarSearchMode = 2, Avoid Previous Registrar Until Expiry.
 *
 *  1. A registrar we left -- one where we registered before registering
 *     somewhere else -- is not asked again until the time it last granted,
 *     plus AccountRegistrarAvoidanceTime, has passed since it granted it; that
 *     last moment itself is still avoided.
 *  2. Among the others the best working one comes first, for refreshes as well
 *     as for searches: those found down, those that failed the last attempt,
 *     and the one that has just failed the refresh are asked last.
 *  3. While a better registrar is being avoided we ask for no more time than
 *     brings the refresh just past the end of its avoidance; so with the first
 *     REGISTER at the server for which we leave it.
 *  4. Homing (ProxyRedundancyMode = 1): a main server found up again that needs
 *     no avoiding is registered at once.
 *  5. More than three literal addresses are refused; of a name that resolves to
 *     more the first three count.
 *  6. No hot swap: after a failure the next round waits for the retry time; it
 *     begins behind the server that failed.
 *  7. No effect while RegistrarStickiness = 0 or Register = 0.
 */
#include "regway/plugin.h"

enum { MOST = 3, HOMING = 1 };

struct gcfg {
	int32_t grace;
};

struct cfg {
	int32_t stickiness;
};

struct set_cfg {
	int32_t redundancy;
};

struct slot {
	struct visit {
		rg_ms at;
		uint32_t id, expires;
	} visit[MOST];
	uint32_t last; /* where we registered last      */
	uint32_t next; /* after the one that failed last */
};

/* Milliseconds for which a server is to be avoided while another is the last one we
 * registered at; none is negative. */
static rg_ms avoided_for(const struct rg_ctx *c, uint32_t id, uint32_t last)	/* 1 */
{
	const struct gcfg *g = c->cfg[RG_GLOBAL];
	const struct slot *s = c->slot;

	for (size_t i = 0; i < MOST; i++) {
		const struct visit *v = &s->visit[i];

		if (v->id == id && id != last)
			return v->at + 1000 * ((rg_ms)v->expires + g->grace) - c->v->now;
	}
	return -1;
}

/* The servers that count, by rank. */
static void ranked(const struct rg_view *v, struct rg_list *l)
{
	rg_list_ranked(l, v, RG_REGISTRAR);				/* 2 */
	if (l->n > MOST)
		l->n = MOST;						/* 5 */
}

static uint32_t after(const struct rg_view *v, uint32_t id)
{
	struct rg_list l;
	int i;

	ranked(v, &l);
	i = rg_list_find(&l, id);
	return i < 0 ? 0 : l.id[(i + 1) % l.n];
}

static void order(const struct rg_ctx *c, enum rg_purpose why, struct rg_list *l)
{
	const struct slot *s = c->slot;

	if (why != RG_FOR_SEARCH && why != RG_FOR_REFRESH)
		return;

	ranked(c->v, l);
	for (int i = why == RG_FOR_SEARCH ? rg_list_find(l, s->next) : 0; i > 0; i--)
		rg_list_back(l, l->id[0]);				/* 6 */
	rg_list_sink_failed(l, c->v);
	rg_list_back(l, c->v->refused);
	rg_list_sink_down(l, c->v);

	for (size_t i = 0; i < c->v->nsrv; i++)
		if (avoided_for(c, c->v->srv[i].id, s->last) >= 0)
			rg_list_drop(l, c->v->srv[i].id);		/* 1 */
}

/* The least Expires whose refresh falls after that many milliseconds. */
static uint32_t past(rg_ms wait, uint8_t refresh_pct)
{
	uint32_t s = (uint32_t)(wait / 1000) + 1;

	return (s * 100 + refresh_pct - 1) / refresh_pct;
}

static void request(const struct rg_ctx *c, struct rg_request *r)	/* 3 */
{
	const struct rg_server *to = rg_server(c->v, r->server);

	if (r->method != RG_M_REGISTER || !r->expires || !to)
		return;

	for (size_t i = 0; i < c->v->nsrv; i++) {
		const struct rg_server *s = &c->v->srv[i];
		rg_ms wait = avoided_for(c, s->id, to->id);

		if (s->rank < to->rank && wait >= 0) {
			uint32_t ask = past(wait, c->v->acc->refresh_pct);

			if (ask < r->expires)
				r->expires = ask;
		}
	}
}

/* The visit to replace: that of the same server, else a free one, else the oldest. */
static struct visit *place_for(struct slot *s, uint32_t id)
{
	struct visit *best = &s->visit[0];

	for (size_t i = 0; i < MOST; i++) {
		struct visit *v = &s->visit[i];

		if (v->id == id)
			return v;
		if (best->id && (!v->id || v->at < best->at))
			best = v;
	}
	return best;
}

static void event(const struct rg_ctx *c, const struct rg_event *e, struct rg_act *a)
{
	const struct set_cfg *set = c->cfg[RG_PROXY_SET];
	struct slot *s = c->slot;

	if (e->type == RG_EV_BOUND) {
		*place_for(s, e->server) = (struct visit){ c->v->now, e->server, e->expires };
		s->last = e->server;
		s->next = 0;
	}

	if (rg_failed(e, RG_M_REGISTER)) {				/* 6 */
		a->verdict = RG_WAIT;
		if (c->v->state == RG_SEARCHING)
			s->next = after(c->v, e->server);
	}

	if (e->type == RG_EV_HEALTH && e->code == RG_UP && set->redundancy == HOMING &&
	    e->server == rg_first(c->v, RG_REGISTRAR) && c->v->registrar &&
	    e->server != c->v->registrar && avoided_for(c, e->server, s->last) < 0)
		rg_do(a, RG_DO_RESTART);				/* 4 */
}

static enum rg_check check(const struct rg_ctx *c, struct rg_fault *f)
{
	const struct rg_account *acc = c->v->acc;
	const struct cfg *g = c->cfg[RG_ACCOUNT];

	if (acc->reg == RG_REG_NO)					/* 7 */
		return rg_fault(f, RG_SKIP, "RegistrarSearchMode = 2 has no effect while "
				"Register = 0");
	if (!g->stickiness)
		return rg_fault(f, RG_SKIP, "RegistrarSearchMode = 2 has no effect while "
				"RegistrarStickiness = 0");
	if (acc->literals > MOST)					/* 5 */
		return rg_fault(f, RG_ERROR, "RegistrarSearchMode = 2 takes at most three "
				"addresses in the proxy set");
	if (acc->hot_swap)						/* 6 */
		return rg_fault(f, RG_WARN, "RegistrarSearchMode = 2 knows no hot swap: "
				"IsProxyHotSwap is ignored for this account");
	return RG_OK;
}

static const char *const needs[] = { "stickiness", NULL };

static const struct rg_param params[] = {
	RG_IMPLEMENTS(RG_ACCOUNT, "RegistrarSearchMode", "2"),
	RG_READS_INT(RG_ACCOUNT, "RegistrarStickiness", struct cfg, stickiness),
	RG_READS_INT(RG_PROXY_SET, "ProxyRedundancyMode", struct set_cfg, redundancy),
	RG_INT(RG_GLOBAL, "AccountRegistrarAvoidanceTime", struct gcfg, grace, 0, 2000000, "0",
	       "seconds added to the last granted Expires of a registrar before it is asked again"),
	RG_END,
};

#define VISIT(n) \
	{ RG_F_MS, offsetof(struct slot, visit[n].at), "at" #n }, \
	{ RG_F_SERVER, offsetof(struct slot, visit[n].id), "server" #n }, \
	{ RG_F_INT32, offsetof(struct slot, visit[n].expires), "expires" #n }

static const struct rg_field fields[] = {
	VISIT(0), VISIT(1), VISIT(2),
	{ RG_F_SERVER, offsetof(struct slot, last), "last" },
	{ .kind = RG_F_END },
};

RG_POLICY(avoid_previous) = {
	RG_HEAD("avoid_previous", "keep away from the last registrar until it forgot us",
		RG_PRIO_SEARCH, params),
	.needs = needs,
	.cfg_size = { [RG_GLOBAL] = sizeof(struct gcfg), [RG_ACCOUNT] = sizeof(struct cfg),
		      [RG_PROXY_SET] = sizeof(struct set_cfg) },
	.slot_size = sizeof(struct slot),
	.slot_version = 1,
	.fields = fields,
	.check = check,
	.order = order,
	.request = request,
	.event = event,
};
