/*
 * one_prober -- RegistrationSyncMode = 1: when registering to a serving group
 * fails, only the account that noticed first goes on trying.
 *
 *  1. A failure -- no answer, or any but one about the account alone (401, 403, 404,
 *     407, 604: a wrong password keeps nobody else away) -- makes the account that
 *     met it the prober; the others of the serving group wait.  With
 *     SyncIMSAccounts the group's first takes over when it fails as well: the others
 *     depend on it.
 *  2. Its success ends the waiting: all are asked again.
 *  3. A prober that leaves the group, is un-registered by hand or may not register
 *     for another reason hands over: one of those who wait takes its place at once,
 *     the group's first if it is among them.
 *  4. After an answer that is about the prober alone (403, ...) it has one retry
 *     time more; then the one who asks first takes its place.
 *  5. So it is with a prober that has not tried for long: it was held up.
 */
#include "regway/plugin.h"

struct gcfg {
	int32_t max_backoff; /* s */
	int32_t sync;
};

struct gslot {
	rg_ms until; /* the prober is trusted to try again before that */
	uint32_t prober;
	bool on, vacant; /* the prober has gone */
};

static bool waits(const struct rg_ctx *c)
{
	const struct gslot *g = c->gslot;

	return g->on && (g->vacant || g->prober != c->v->acc->index) && c->v->now < g->until;
}

static enum rg_goal goal(const struct rg_ctx *c)
{
	return waits(c) ? RG_HOLD : RG_REGISTER;			/* 1 */
}

/* A round over all servers. */
static rg_ms one_round(const struct rg_ctx *c)
{
	return 40000 * (rg_ms)c->v->nsrv;
}

/* Twice the longest pause, and a round. */
static rg_ms patience(const struct rg_ctx *c)
{
	const struct gcfg *all = c->cfg[RG_GLOBAL];
	rg_ms pause = c->v->acc->retry_time;

	if (pause < all->max_backoff)
		pause = all->max_backoff;
	return 2000 * pause + one_round(c);
}

static void appoint(const struct rg_ctx *c, rg_ms trusted)
{
	struct gslot *g = c->gslot;

	g->on = true;
	g->vacant = false;
	g->prober = c->v->acc->index;
	g->until = c->v->now + trusted;
}

static bool leads(const struct rg_ctx *c)
{
	const struct gcfg *all = c->cfg[RG_GLOBAL];

	return all->sync && c->group->first == c->v->acc->index;
}

static void elect(const struct rg_ctx *c, struct rg_act *a)
{
	const struct gslot *g = c->gslot;

	if (waits(c) && !g->vacant && !leads(c)) {
		a->verdict = RG_WAIT;
		return;
	}
	if (!g->on || g->vacant || g->prober != c->v->acc->index)
		rg_do_for(a, RG_DO_TELL, RG_MEMBERS);			/* 1, 5 */
	appoint(c, patience(c));
}

static bool about_account(uint16_t code)
{
	return code == 401 || code == 403 || code == 404 || code == 407 || code == 604;
}

static bool server_failed(const struct rg_event *e)
{
	return rg_failed(e, RG_M_REGISTER) && !about_account(e->code);
}

static bool probes(const struct rg_ctx *c)
{
	const struct gslot *g = c->gslot;

	return g->on && !g->vacant && g->prober == c->v->acc->index;
}

/* It cannot go on.  What holds it is not our vote. */
static bool goes(const struct rg_ctx *c, const struct rg_event *e)
{
	return e->type == RG_EV_LEAVE ||
	       (e->type == RG_EV_ACTION && e->code == RG_DO_UNREGISTER) ||
	       (e->type == RG_EV_GROUP && c->v->state == RG_HELD);
}

static bool takes_over(const struct rg_ctx *c, const struct rg_event *e)
{
	const struct gslot *g = c->gslot;
	uint32_t self = c->v->acc->index;

	return e->type == RG_EV_GROUP && g->on && g->vacant && g->prober != self &&
	       c->v->state == RG_HELD &&
	       (c->group->first == self || c->group->first_state != RG_HELD);
}

static void event(const struct rg_ctx *c, const struct rg_event *e, struct rg_act *a)
{
	struct gslot *g = c->gslot;

	if (server_failed(e)) {
		elect(c, a);
	} else if (e->type == RG_EV_BOUND && g->on && !waits(c)) {
		g->on = false;							/* 2 */
		rg_do_for(a, RG_DO_TELL, RG_MEMBERS);
	} else if (probes(c) && goes(c, e)) {
		g->vacant = true;						/* 3 */
		if (e->type == RG_EV_LEAVE) /* another may have its Index next */
			g->prober = UINT32_MAX;
		g->until = c->v->now + one_round(c);
		rg_do_for(a, RG_DO_TELL, RG_MEMBERS);
	} else if (takes_over(c, e)) {
		appoint(c, one_round(c));					/* 3 */
	} else if (probes(c) && rg_failed(e, RG_M_REGISTER)) {
		g->until = c->v->now + 1000LL * c->v->acc->retry_time;	/* 4 */
		rg_do_for(a, RG_DO_TELL, RG_MEMBERS);
	}
	if (waits(c))
		a->wake_at = g->until;					/* 5 */
}

static const struct rg_param params[] = {
	RG_IMPLEMENTS(RG_GLOBAL, "RegistrationSyncMode", "1"),
	RG_READS_INT(RG_GLOBAL, "MaxRegistrationBackoffTime", struct gcfg, max_backoff),
	RG_READS_BOOL(RG_GLOBAL, "SyncIMSAccounts", struct gcfg, sync),
	RG_END,
};

RG_POLICY(one_prober) = {
	RG_HEAD("one_prober", "one account finds out when the registrar is back", RG_PRIO_GROUP,
		params),
	.cfg_size = { [RG_GLOBAL] = sizeof(struct gcfg) },
	.gslot_size = sizeof(struct gslot),
	.group = RG_BY_SERVING,
	.goal = goal,
	.event = event,
};
