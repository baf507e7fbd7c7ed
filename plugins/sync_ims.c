/*
 * sync_ims -- SyncIMSAccounts = 1.
 *
 *  1. Of the accounts with RegistrarSearchMode = 1 and one serving IP group the
 *     lowest Index that registers is primary, the others are secondary.
 *  2. A secondary uses the server the primary is registered to, for REGISTER and
 *     for calls, and no other.
 *  3. While the primary is not registered a secondary sends no REGISTER -- unless
 *     it was registered before: then it keeps its last server for as long as
 *     refreshes are accepted.
 *  4. When the primary has moved, the secondaries register to its new server.
 *  5. A failed REGISTER of a secondary makes the primary refresh at once.
 *  6. A secondary with Register = 0 hands its triggers for a refresh to the
 *     primary; "another address" is then any but the primary's.
 *  7. Only the primary resolves names.
 */
#include "regway/plugin.h"

struct cfg {
	int32_t stickiness;
};

struct slot {
	uint32_t followed; /* server of the primary that was acted upon */
};

static bool registers(const struct rg_ctx *c)
{
	return c->v->acc->reg != RG_REG_NO;
}

static bool primary(const struct rg_ctx *c)				/* 1 */
{
	return registers(c) && c->group->first == c->v->acc->index;
}

/* Where a secondary belongs, 0: nowhere yet. */
static uint32_t server(const struct rg_ctx *c)				/* 2, 3 */
{
	return c->group->first_registrar ? c->group->first_registrar : c->v->registrar;
}

static enum rg_goal goal(const struct rg_ctx *c)			/* 3 */
{
	return primary(c) || server(c) ? RG_REGISTER : RG_HOLD;
}

static void order(const struct rg_ctx *c, enum rg_purpose why, struct rg_list *l)
{
	if (primary(c))
		return;
	if (why == RG_FOR_SEARCH || why == RG_FOR_REFRESH || rg_reachable(c->v, server(c)))
		rg_list_only(l, server(c));				/* 2 */
}

/* The primary's server is another one than before. */
static void follow(const struct rg_ctx *c, struct rg_act *a)		/* 4 */
{
	struct slot *s = c->slot;
	uint32_t to = c->group->first_registrar;

	if (to && to != s->followed && to != c->v->registrar && registers(c))
		rg_do(a, RG_DO_RESTART);
	s->followed = to;
}

static void hand_over(const struct rg_ctx *c, struct rg_act *a)		/* 6, 7 */
{
	uint8_t n = 0;

	for (uint8_t i = 0; i < a->n; i++) {
		struct rg_todo t = a->todo[i];

		if (t.verb == RG_DO_RESOLVE)
			continue;
		if (t.verb == RG_DO_REFRESH && !registers(c))
			t.whom = RG_FIRST;
		a->todo[n++] = t;
	}
	a->n = n;
}

static void event(const struct rg_ctx *c, const struct rg_event *e, struct rg_act *a)
{
	if (primary(c))
		return;

	if (e->type == RG_EV_GROUP)
		follow(c, a);

	if (rg_failed(e, RG_M_REGISTER)) {
		a->verdict = RG_WAIT;
		rg_do_for(a, RG_DO_REFRESH, RG_FIRST);			/* 5 */
	}

	hand_over(c, a);
}

static bool from_primary_server(const struct rg_ctx *c, uint32_t source)
{
	const struct rg_server *s = rg_server(c->v, source);
	const struct rg_server *home = rg_server(c->v, c->group->first_registrar);

	return s && home && !strcmp(s->host, home->host);
}

static void admit(const struct rg_ctx *c, const struct rg_dialog *d, struct rg_admit *verdict,
		  struct rg_act *a)
{
	if (!d->from_serving || d->method != RG_M_INVITE || registers(c) ||
	    !c->group->first_registrar || from_primary_server(c, d->source))
		return;

	rg_reject(verdict, 480, "Temporarily Unavailable");		/* 6 */
	rg_do_for(a, RG_DO_REFRESH, RG_FIRST);
}

static enum rg_check check(const struct rg_ctx *c, struct rg_fault *f)
{
	const struct cfg *g = c->cfg[RG_ACCOUNT];

	if (registers(c) && !g->stickiness)
		return rg_fault(f, RG_SKIP, "SyncIMSAccounts leaves this account out while "
				"RegistrarStickiness = 0");
	return RG_OK;
}

static const char *const needs[] = { "ims_search", NULL };

static const struct rg_param params[] = {
	RG_IMPLEMENTS(RG_GLOBAL, "SyncIMSAccounts", "1"),
	RG_WHEN(RG_ACCOUNT, "RegistrarSearchMode", "1"),
	RG_READS_INT(RG_ACCOUNT, "RegistrarStickiness", struct cfg, stickiness),
	RG_END,
};

static const struct rg_field fields[] = {
	{ RG_F_SERVER, offsetof(struct slot, followed), "followed" },
	{ .kind = RG_F_END },
};

RG_POLICY(sync_ims) = {
	RG_HEAD("sync_ims", "one IMS search for many accounts", RG_PRIO_GROUP, params),
	.needs = needs,
	.cfg_size = { [RG_ACCOUNT] = sizeof(struct cfg) },
	.slot_size = sizeof(struct slot),
	.group = RG_BY_SERVING,
	.wants = RG_WANTS_LEADER,					/* 7 */
	.slot_version = 1,
	.fields = fields,
	.check = check,
	.goal = goal,
	.order = order,
	.event = event,
	.admit = admit,
};
