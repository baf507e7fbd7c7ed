/*
 * trunk_group -- an account of a trunk group follows its trunks, and they follow it.
 *
 *  1. When every trunk of the group goes down the account is un-registered; when
 *     one is back it registers again.
 *  2. RegisterByTrunkGroupStatus = 1: a group that is down withholds the first
 *     REGISTER, too.
 *  3. OOSOnRegistrationFail = 1: when registering has failed for all accounts of
 *     the group it goes out of service; the first success brings it back.
 *  4. The account registers only with RegistrationMode 5, Per Account.
 */
#include "regway/plugin.h"

enum { PER_ACCOUNT = 5 };

struct gcfg {
	int32_t by_status, out_on_fail;
};

struct tcfg {
	int32_t mode;
};

struct slot {
	int32_t went_down; /* the trunks, while this was attached */
};

struct gslot {
	bool out;
};

static enum rg_goal goal(const struct rg_ctx *c)
{
	const struct gcfg *all = c->cfg[RG_GLOBAL];
	const struct tcfg *t = c->cfg[RG_TRUNK_GROUP];
	const struct slot *s = c->slot;

	if (t->mode != PER_ACCOUNT)
		return RG_HOLD;						/* 4 */
	if (s->went_down || (all->by_status && c->v->trunk == RG_DOWN))
		return RG_UNREGISTER;					/* 1, 2 */
	return RG_REGISTER;
}

static void event(const struct rg_ctx *c, const struct rg_event *e, struct rg_act *a)
{
	const struct gcfg *all = c->cfg[RG_GLOBAL];
	bool nobody = c->group->members && c->group->failed >= c->group->members;
	struct gslot *g = c->gslot;
	struct slot *s = c->slot;

	if (e->type == RG_EV_TRUNK)
		s->went_down = c->v->trunk == RG_DOWN;			/* 1 */

	if (all->out_on_fail && !g->out && nobody) {
		g->out = true;
		rg_do(a, RG_DO_TRUNK_OUT);				/* 3 */
	}
	if (g->out && (e->type == RG_EV_BOUND || !all->out_on_fail)) {
		g->out = false;
		rg_do(a, RG_DO_TRUNK_IN);
	}
}

/* Attached to every account of a trunk group that registers, whatever the values (1): a
 * trunk group always has a TrunkGroupId.  The core warns of another RegistrationMode. */
static const struct rg_param params[] = {
	RG_IMPLEMENTS_INT(RG_GLOBAL, "RegisterByTrunkGroupStatus", struct gcfg, by_status, "0,1"),
	RG_IMPLEMENTS_INT(RG_GLOBAL, "OOSOnRegistrationFail", struct gcfg, out_on_fail, "0,1"),
	RG_WHEN(RG_TRUNK_GROUP, "TrunkGroupId", "*"),
	RG_WHEN(RG_ACCOUNT, "Register", "1,2"),
	RG_READS_INT(RG_TRUNK_GROUP, "RegistrationMode", struct tcfg, mode),
	RG_END,
};

RG_POLICY(trunk_group) = {
	RG_HEAD("trunk_group", "registration follows the trunk group and back", RG_PRIO_BASE,
		params),
	.cfg_size = { [RG_GLOBAL] = sizeof(struct gcfg), [RG_TRUNK_GROUP] = sizeof(struct tcfg) },
	.slot_size = sizeof(struct slot),
	.gslot_size = sizeof(struct gslot),
	.group = RG_BY_TRUNK,
	.slot_version = 2,
	.goal = goal,
	.event = event,
};
