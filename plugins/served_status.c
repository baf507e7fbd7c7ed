/*
 * served_status -- RegByServedIPG = 1, register only while the served IP group
 * is online.
 *
 *  1. Online: register.  2. Offline: give the registration back.
 *  3. Keep-alive has not found out yet: hold.
 *  4. A served proxy set without keep-alive by OPTIONS, OPTIONS on active server
 *     or fake REGISTER counts as online until somebody says otherwise; a warning.
 *  5. No effect while Register = 0, or for a trunk group; a warning.
 */
#include "regway/plugin.h"

/* EnableProxyKeepAlive: the values that tell a status. */
static bool known_by_keepalive(uint8_t mode)
{
	return mode == 1 || mode == 3 || mode == 4;
}

static enum rg_goal goal(const struct rg_ctx *c)
{
	switch (c->v->served) {
	case RG_UP:
		return RG_REGISTER;					/* 1 */
	case RG_DOWN:
		return RG_UNREGISTER;					/* 2 */
	default:							/* 3, 4 */
		return known_by_keepalive(c->v->acc->served_keepalive) ? RG_HOLD : RG_REGISTER;
	}
}

static enum rg_check check(const struct rg_ctx *c, struct rg_fault *f)
{
	const struct rg_account *acc = c->v->acc;

	if (acc->reg == RG_REG_NO)					/* 5 */
		return rg_fault(f, RG_SKIP, "RegByServedIPG has no effect while Register = 0");
	if (!acc->served)
		return rg_fault(f, RG_SKIP, "RegByServedIPG has no effect for a trunk group");
	if (!known_by_keepalive(acc->served_keepalive))			/* 4 */
		return rg_fault(f, RG_WARN, "RegByServedIPG = 1, but the served group's proxy set "
				"has no keep-alive by OPTIONS: it counts as online");
	return RG_OK;
}

static const struct rg_param params[] = {
	RG_IMPLEMENTS(RG_ACCOUNT, "RegByServedIPG", "1"),
	RG_END,
};

RG_POLICY(served_status) = {
	RG_HEAD("served_status", "register only while the served side is online", RG_PRIO_BASE,
		params),
	.check = check,
	.goal = goal,
};
