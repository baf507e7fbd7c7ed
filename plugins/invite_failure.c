/*
 * invite_failure -- ReRegisterOnInviteFailure = 1: register again when an INVITE
 * fails.
 *
 *  1. A response to an INVITE that AccountInviteFailureTriggerCodes lists starts
 *     the registration over; no answer counts as 408.
 *  2. With hot swap and keep-alive by OPTIONS, OPTIONS on active server or
 *     REGISTER (not fake REGISTER) the server that failed is tried last.
 *  3. It outranks the refresh that search mode 1 asks for.
 */
#include "regway/plugin.h"

struct gcfg {
	struct rg_codes codes;
};

struct slot {
	uint32_t failed;
};

static bool listed(const struct rg_codes *l, uint16_t code)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->code[i] == code)
			return true;
	return false;
}

static bool tried_last(const struct rg_account *acc)			/* 2 */
{
	return acc->hot_swap && acc->keepalive >= 1 && acc->keepalive <= 3;
}

static void drop_refresh(struct rg_act *a)				/* 3 */
{
	uint8_t n = 0;

	for (uint8_t i = 0; i < a->n; i++)
		if (a->todo[i].verb != RG_DO_REFRESH || a->todo[i].whom != RG_SELF)
			a->todo[n++] = a->todo[i];
	a->n = n;
}

static void event(const struct rg_ctx *c, const struct rg_event *e, struct rg_act *a)
{
	const struct gcfg *g = c->cfg[RG_GLOBAL];
	struct slot *s = c->slot;

	if (e->type == RG_EV_BOUND)
		s->failed = 0;

	if (rg_failed(e, RG_M_INVITE) && listed(&g->codes, e->code ? e->code : 408)) {
		s->failed = tried_last(c->v->acc) ? e->server : 0;
		drop_refresh(a);
		rg_do(a, RG_DO_RESTART);				/* 1 */
	}
}

static void order(const struct rg_ctx *c, enum rg_purpose why, struct rg_list *l)
{
	const struct slot *s = c->slot;

	if (why == RG_FOR_SEARCH)
		rg_list_back(l, s->failed);				/* 2 */
}

static const struct rg_param params[] = {
	RG_IMPLEMENTS(RG_ACCOUNT, "ReRegisterOnInviteFailure", "1"),
	{ .name = "AccountInviteFailureTriggerCodes", .scope = RG_GLOBAL, .type = RG_T_CODES,
	  .offset = offsetof(struct gcfg, codes), .dflt = "403,408,480" },
	RG_END,
};

static const struct rg_field fields[] = {
	{ RG_F_SERVER, offsetof(struct slot, failed), "failed" },
	{ .kind = RG_F_END },
};

RG_POLICY(invite_failure) = {
	RG_HEAD("invite_failure", "register again when an INVITE fails", RG_PRIO_PENALTY, params),
	.cfg_size = { [RG_GLOBAL] = sizeof(struct gcfg) },
	.slot_size = sizeof(struct slot),
	.slot_version = 1,
	.fields = fields,
	.order = order,
	.event = event,
};
