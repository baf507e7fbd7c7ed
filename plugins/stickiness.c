/*
 * stickiness -- RegistrarStickiness.
 *
 *  1. 1, enabled: calls, subscriptions and refreshes go to the registrar that
 *     last answered a REGISTER with 2xx, and to no other.
 *  2. 2, enabled for non-REGISTER requests: as 1, but a refresh searches.
 *  3. Once the registrar is found down, or a refresh failed, the search decides.
 *  4. A registrar that is no longer in the list is left at once.
 *  5. While the account is not registered, a call from the served IP group is
 *     answered 500 (without this plugin: 400).
 *  6. No effect while Register = 0.
 */
#include "regway/plugin.h"

enum { ENABLED = 1 };
enum { BY_IMS = 1 };

struct gcfg {
	int32_t sync;
};

struct cfg {
	int32_t mode, search;
};

static void order(const struct rg_ctx *c, enum rg_purpose why, struct rg_list *l)
{
	const struct cfg *g = c->cfg[RG_ACCOUNT];

	if (why == RG_FOR_SEARCH || (why == RG_FOR_REFRESH && g->mode != ENABLED)) /* 2 */
		return;
	if (rg_reachable(c->v, c->v->registrar))				   /* 3 */
		rg_list_only(l, c->v->registrar);				   /* 1 */
}

static void event(const struct rg_ctx *c, const struct rg_event *e, struct rg_act *a)
{
	if (e->type == RG_EV_SERVERS && c->v->registrar && !rg_server(c->v, c->v->registrar))
		rg_do(a, RG_DO_RESTART);					   /* 4 */
}

static void admit(const struct rg_ctx *c, const struct rg_dialog *d, struct rg_admit *verdict,
		  struct rg_act *a)
{
	const struct rg_account *acc = c->v->acc;
	(void)a;

	if (!d->from_serving && acc->served && acc->reg != RG_REG_NO && !c->v->registrar)
		rg_reject(verdict, 500, "Server Internal Error");		   /* 5 */
}

static enum rg_check check(const struct rg_ctx *c, struct rg_fault *f)
{
	const struct gcfg *all = c->cfg[RG_GLOBAL];
	const struct cfg *g = c->cfg[RG_ACCOUNT];

	if (c->v->acc->reg != RG_REG_NO || (all->sync && g->search == BY_IMS))
		return RG_OK; /* a synchronised account without Register follows its primary */
	return rg_fault(f, RG_SKIP, "RegistrarStickiness has no effect while Register = 0");
}

static const struct rg_param params[] = {
	RG_IMPLEMENTS_INT(RG_ACCOUNT, "RegistrarStickiness", struct cfg, mode, "1,2"),
	RG_READS_INT(RG_ACCOUNT, "RegistrarSearchMode", struct cfg, search),
	RG_READS_INT(RG_GLOBAL, "SyncIMSAccounts", struct gcfg, sync),
	RG_END,
};

RG_POLICY(stickiness) = {
	RG_HEAD("stickiness", "stay with the registrar that accepted us", RG_PRIO_STICK, params),
	.cfg_size = { [RG_GLOBAL] = sizeof(struct gcfg), [RG_ACCOUNT] = sizeof(struct cfg) },
	.check = check,
	.order = order,
	.admit = admit,
	.event = event,
};
