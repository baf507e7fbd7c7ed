/*
 * ims_search -- RegistrarSearchMode = 1, According to IMS Specifications.
 *
 *  1. A search starts with the first listed address and goes down the list; the
 *     one that has just failed the refresh is asked last, but for those found down.
 *  2. An address that fails is followed by the next one at once; the core
 *     waits the retry time when the list is used up, then rule 1 applies again.
 *  3. A new search resolves the proxy set's name anew.
 *  4. The binding is refreshed at once when an INVITE to the serving group
 *     ends in 403, 408 or 480, or is not answered at all;
 *  5. when an INVITE comes from an IP address other than the registrar's (and
 *     that INVITE is answered 480);
 *  6. and when the link to the proxy has come back, keep-alive or not; an
 *     account that lost its binding meanwhile searches then.
 *  7. No effect while RegistrarStickiness = 0 or Register = 0; but under
 *     SyncIMSAccounts = 1 an account with Register = 0 follows the primary
 *     (sync_ims), so its triggers count.
 */
#include "regway/plugin.h"

enum { STICKY = 1 };

struct gcfg {
	int32_t sync;
};

struct cfg {
	int32_t stickiness;
};

static bool triggers_refresh(uint16_t code)
{
	return code == 403 || code == 408 || code == 480 || code == 0;
}

/* The refresh that stickiness has pinned to the registrar. */
static bool pinned(const struct rg_ctx *c, enum rg_purpose why)
{
	const struct cfg *g = c->cfg[RG_ACCOUNT];

	return why == RG_FOR_REFRESH && g->stickiness == STICKY &&
	       rg_reachable(c->v, c->v->registrar);
}

static void order(const struct rg_ctx *c, enum rg_purpose why, struct rg_list *l)
{
	if ((why != RG_FOR_SEARCH && why != RG_FOR_REFRESH) || pinned(c, why))
		return;

	rg_list_ranked(l, c->v, RG_REGISTRAR);				/* 1 */
	rg_list_back(l, c->v->refused);
	rg_list_sink_down(l, c->v);
}

static bool registers_unbound(const struct rg_view *v)
{
	return v->acc->reg != RG_REG_NO && !v->registrar;
}

static void event(const struct rg_ctx *c, const struct rg_event *e, struct rg_act *a)
{
	if (rg_failed(e, RG_M_REGISTER)) {
		a->verdict = RG_NEXT;					/* 2 */
		if (c->v->acc->names)
			rg_do(a, RG_DO_RESOLVE);			/* 3 */
	}

	if (rg_failed(e, RG_M_INVITE) && triggers_refresh(e->code))
		rg_do(a, RG_DO_REFRESH);				/* 4 */

	if (e->type == RG_EV_LINK_UP)					/* 6 */
		rg_do(a, registers_unbound(c->v) ? RG_DO_RESTART : RG_DO_REFRESH);
}

static bool from_registrar(const struct rg_view *v, uint32_t source)
{
	const struct rg_server *s = rg_server(v, source), *home = rg_server(v, v->registrar);

	return source == v->registrar || (s && home && !strcmp(s->host, home->host));
}

static void admit(const struct rg_ctx *c, const struct rg_dialog *d, struct rg_admit *verdict,
		  struct rg_act *a)
{
	if (!d->from_serving || d->method != RG_M_INVITE || !c->v->registrar ||
	    from_registrar(c->v, d->source))
		return;

	rg_reject(verdict, 480, "Temporarily Unavailable");		/* 5 */
	rg_do(a, RG_DO_REFRESH);
}

static enum rg_check check(const struct rg_ctx *c, struct rg_fault *f)	/* 7 */
{
	const struct gcfg *all = c->cfg[RG_GLOBAL];
	const struct cfg *g = c->cfg[RG_ACCOUNT];

	if (c->v->acc->reg == RG_REG_NO)
		return all->sync ? RG_OK : rg_fault(f, RG_SKIP, "RegistrarSearchMode = 1 has no "
						    "effect while Register = 0");
	if (!g->stickiness)
		return rg_fault(f, RG_SKIP, "RegistrarSearchMode = 1 has no effect while "
				"RegistrarStickiness = 0");
	return RG_OK;
}

static const char *const needs[] = { "stickiness", NULL };

static const struct rg_param params[] = {
	RG_IMPLEMENTS(RG_ACCOUNT, "RegistrarSearchMode", "1"),
	RG_READS_INT(RG_ACCOUNT, "RegistrarStickiness", struct cfg, stickiness),
	RG_READS_INT(RG_GLOBAL, "SyncIMSAccounts", struct gcfg, sync),
	RG_END,
};

RG_POLICY(ims_search) = {
	RG_HEAD("ims_search", "search the registrar as IMS asks", RG_PRIO_SEARCH, params),
	.needs = needs,
	.cfg_size = { [RG_GLOBAL] = sizeof(struct gcfg), [RG_ACCOUNT] = sizeof(struct cfg) },
	.check = check,
	.order = order,
	.event = event,
	.admit = admit,
};
