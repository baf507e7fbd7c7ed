/*
 * redundancy -- ProxyRedundancyMode of the proxy set: 0 parking, 1 homing.
 *
 *  1. Parking: go on with the present server even when the main one is back; if
 *     it is lost ask the following ones, after the last the main one again.
 *  2. Homing: the main server -- the first of the list -- comes first, for
 *     REGISTER and for calls.
 *  3. Homing: once keep-alive has found the main server up again, register there
 *     at once.  Stickiness 1 with search mode 0 or 1 stays where it is bound;
 *     search mode 2 goes home by itself, when its avoidance allows.
 *  4. No answer, 408 or 503 moves on to the next server: at once with
 *     IsProxyHotSwap, else after the retry time (calls: not).  Another answer to
 *     an INVITE is an answer.
 *  5. A server that a call found -- it answered, and we are registered elsewhere --
 *     gets the registration at once, unless a search mode owns the order.
 *  6. A search after a fruitless round begins behind the server that failed last,
 *     and after the last one with the main server again.
 *  7. Both: servers found down, those that failed the last attempt, and the one
 *     that has just failed the refresh are asked last, in the list's order.
 *  8. HomingCheck = invite: every call tries the main server first, whatever is
 *     known of it; options and register are probes, which the core sends.
 */
#include "regway/plugin.h"

enum { PARKING, HOMING };
enum { AVOID_PREVIOUS = 2 };

enum { BY_INVITE = 3 }; /* HomingCheck */

struct set_cfg {
	int32_t mode, check;
};

struct cfg {
	int32_t stickiness, search;
};

struct slot {
	uint32_t present;  /* where we registered last            */
	uint32_t next;	   /* after the one that failed last      */
	uint32_t answered; /* found by a call, not registered yet */
};

static void rotate_to(struct rg_list *l, uint32_t id)
{
	int steps = rg_list_find(l, id);

	while (steps-- > 0)
		rg_list_back(l, l->id[0]);
}

static uint32_t after(const struct rg_view *v, uint32_t id)
{
	struct rg_list l;
	int i;

	rg_list_ranked(&l, v, RG_REGISTRAR);
	i = rg_list_find(&l, id);
	return i < 0 ? 0 : l.id[(i + 1) % l.n];
}

static void order(const struct rg_ctx *c, enum rg_purpose why, struct rg_list *l)
{
	const struct set_cfg *set = c->cfg[RG_PROXY_SET];
	const struct slot *s = c->slot;

	rg_list_ranked(l, c->v, why == RG_FOR_DIALOG ? RG_PROXY : RG_REGISTRAR);
	if (s->next && why == RG_FOR_SEARCH)
		rotate_to(l, s->next);					/* 6 */
	else if (set->mode == PARKING)
		rotate_to(l, s->present);				/* 1 */

	rg_list_sink_failed(l, c->v);					/* 7 */
	rg_list_back(l, c->v->refused);
	if (why == RG_FOR_SEARCH)
		rg_list_front(l, s->answered);				/* 5 */
	rg_list_sink_down(l, c->v);
	if (set->mode == HOMING && set->check == BY_INVITE && why == RG_FOR_DIALOG)
		rg_list_front(l, rg_first(c->v, RG_PROXY));		/* 8 */
}

/* Search mode 1 or 2 in effect: another plugin says where to search. */
static bool search_is_owned(const struct cfg *g)
{
	return g->stickiness && g->search;
}

/* Stickiness 1 stays where it is bound; search mode 2 goes home by itself. */
static bool goes_home(const struct cfg *g)
{
	return !g->stickiness || (g->stickiness == 2 && g->search != AVOID_PREVIOUS);
}

static void failed(const struct rg_ctx *c, const struct rg_event *e, struct rg_act *a)
{
	const struct set_cfg *set = c->cfg[RG_PROXY_SET];
	struct slot *s = c->slot;
	bool lost = e->code == 0 || e->code == 408 || e->code == 503;

	if (e->method == RG_M_REGISTER) {
		if (set->mode == PARKING || c->v->state == RG_SEARCHING)
			s->next = after(c->v, e->server);
		if (e->server == s->answered)
			s->answered = 0;
	}
	if (lost && c->v->acc->hot_swap)
		a->verdict = RG_NEXT;					/* 4 */
	else if (e->method == RG_M_INVITE)
		a->verdict = RG_STOP;
	else if (lost)
		a->verdict = RG_WAIT;
}

/* A final answer to an INVITE that proves the server to be there. */
static bool answered(const struct rg_event *e)
{
	return e->type == RG_EV_RESULT && e->method == RG_M_INVITE && e->code != 0 &&
	       e->code != 408 && e->code != 503;
}

static void event(const struct rg_ctx *c, const struct rg_event *e, struct rg_act *a)
{
	const struct set_cfg *set = c->cfg[RG_PROXY_SET];
	const struct cfg *g = c->cfg[RG_ACCOUNT];
	uint32_t home = rg_first(c->v, RG_REGISTRAR), at = c->v->registrar;
	struct slot *s = c->slot;

	if (e->type == RG_EV_BOUND) {
		s->present = e->server;
		s->next = s->answered = 0;
	}

	if (rg_failed(e, RG_M_REGISTER) || rg_failed(e, RG_M_INVITE))
		failed(c, e, a);

	if (answered(e) && at && e->server != at && !search_is_owned(g)) {
		s->answered = e->server;				/* 5 */
		rg_do(a, RG_DO_RESTART);
	}

	if (set->mode == HOMING && e->type == RG_EV_HEALTH && e->code == RG_UP &&
	    e->server == home) {
		s->next = 0;
		if (at && at != home && goes_home(g))
			rg_do(a, RG_DO_RESTART);			/* 3 */
	}
}

static const struct rg_param params[] = {
	RG_IMPLEMENTS_INT(RG_PROXY_SET, "ProxyRedundancyMode", struct set_cfg, mode, "0,1"),
	RG_READS_INT(RG_PROXY_SET, "HomingCheck", struct set_cfg, check),
	RG_READS_INT(RG_ACCOUNT, "RegistrarStickiness", struct cfg, stickiness),
	RG_READS_INT(RG_ACCOUNT, "RegistrarSearchMode", struct cfg, search),
	RG_END,
};

static const struct rg_field fields[] = {
	{ RG_F_SERVER, offsetof(struct slot, present), "present" },
	{ .kind = RG_F_END },
};

RG_POLICY(redundancy) = {
	RG_HEAD("redundancy", "parking and homing", RG_PRIO_BASE, params),
	.cfg_size = { [RG_ACCOUNT] = sizeof(struct cfg), [RG_PROXY_SET] = sizeof(struct set_cfg) },
	.slot_size = sizeof(struct slot),
	.slot_version = 1,
	.fields = fields,
	.order = order,
	.event = event,
};
