/*
 * one_prober -- RegistrationSyncMode = 1: when registering to a serving group
 * fails, only the account that noticed first goes on trying.
 *
 *  1. A failure of the server (no answer, 408, 5xx) makes the account that met it
 *     the prober; the others of the serving group wait.
 *  2. Its success ends the waiting: all are asked again.  So does un-registering it
 *     by hand.
 *  3. After an answer that is about the prober alone (403, ...) it has one retry
 *     time more; then the one who asks first takes its place.
 *  4. So it is with a prober that has not tried for long: it was removed, or held up.
 */
#include "regway/plugin.h"

struct gcfg {
	int32_t max_backoff; /* s */
};

struct gslot {
	rg_ms until; /* the prober is trusted to try again before that */
	uint32_t prober;
	bool on;
};

static bool waits(const struct rg_ctx *c)
{
	const struct gslot *g = c->gslot;

	return g->on && g->prober != c->v->acc->index && c->v->now < g->until;
}

static enum rg_goal goal(const struct rg_ctx *c)
{
	return waits(c) ? RG_HOLD : RG_REGISTER;			/* 1 */
}

/* Twice the longest pause, and the time that a round over all servers may take. */
static rg_ms patience(const struct rg_ctx *c)
{
	const struct gcfg *all = c->cfg[RG_GLOBAL];
	rg_ms pause = c->v->acc->retry_time;

	if (pause < all->max_backoff)
		pause = all->max_backoff;
	return 2000 * pause + 40000 * (rg_ms)c->v->nsrv;
}

static void elect(const struct rg_ctx *c, struct rg_act *a)
{
	struct gslot *g = c->gslot;
	uint32_t self = c->v->acc->index;

	if (waits(c)) {
		a->verdict = RG_WAIT;
		return;
	}
	if (!g->on || g->prober != self)
		rg_do_for(a, RG_DO_TELL, RG_MEMBERS);			/* 1, 4 */
	g->on = true;
	g->prober = self;
	g->until = c->v->now + patience(c);
}

static bool server_failed(const struct rg_event *e)
{
	return rg_failed(e, RG_M_REGISTER) &&
	       (e->code == 0 || e->code == 408 || (e->code >= 500 && e->code < 600));
}

static bool probes(const struct rg_ctx *c)
{
	const struct gslot *g = c->gslot;

	return g->on && g->prober == c->v->acc->index;
}

/* The group goes on without a prober. */
static bool over(const struct rg_ctx *c, const struct rg_event *e)	/* 2 */
{
	const struct gslot *g = c->gslot;

	if (e->type == RG_EV_BOUND)
		return g->on && !waits(c);
	return probes(c) && e->type == RG_EV_ACTION && e->code == RG_DO_UNREGISTER;
}

static void event(const struct rg_ctx *c, const struct rg_event *e, struct rg_act *a)
{
	struct gslot *g = c->gslot;

	if (server_failed(e)) {
		elect(c, a);
	} else if (over(c, e)) {
		g->on = false;
		rg_do_for(a, RG_DO_TELL, RG_MEMBERS);
	} else if (probes(c) && rg_failed(e, RG_M_REGISTER)) {
		g->until = c->v->now + 1000LL * c->v->acc->retry_time;	/* 3 */
		rg_do_for(a, RG_DO_TELL, RG_MEMBERS);
	}
	if (waits(c))
		a->wake_at = g->until;					/* 4 */
}

static const struct rg_param params[] = {
	RG_IMPLEMENTS(RG_GLOBAL, "RegistrationSyncMode", "1"),
	RG_READS_INT(RG_GLOBAL, "MaxRegistrationBackoffTime", struct gcfg, max_backoff),
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
