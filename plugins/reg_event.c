/*
 * reg_event -- RegEventPackageSubscription = 1: subscribe to the state of the
 * binding (RFC 3680) at the registrar that holds it, and act when it is lost.
 *
 *  1. Subscribe once bound, and again when bound elsewhere; the subscription ends
 *     with the binding.
 *  2. shortened, deactivated: refresh at once (RFC 3680 5.1).
 *  3. probation: register anew after retry-after, else the retry time.  rejected,
 *     the account is not wanted any more: after retry-after, else as after a refusal
 *     by every registrar, which the core does (ForbiddenRetryTime).
 *  4. unregistered, terminated: register anew at once.
 *  5. No effect without RegistrarStickiness = 1, or while Register = 0.
 */
#include "regway/plugin.h"

struct cfg {
	int32_t stickiness;
};

struct slot {
	uint32_t subscribed; /* at this server */
};

static void notified(const struct rg_ctx *c, const struct rg_event *e, struct rg_act *a)
{
	uint32_t wait = e->retry_after ? e->retry_after : c->v->acc->retry_time;

	switch (e->notify) {
	case RG_N_SHORTENED:
	case RG_N_DEACTIVATED:
		rg_do(a, RG_DO_REFRESH);				/* 2 */
		break;
	case RG_N_REJECTED:
		if (!e->retry_after)
			break;
		/* fall through */
	case RG_N_PROBATION:
		a->wake_at = c->v->now + 1000 * (rg_ms)wait;		/* 3 */
		break;
	case RG_N_UNREGISTERED:
	case RG_N_TERMINATED:
		rg_do(a, RG_DO_RESTART);				/* 4 */
		break;
	default:
		break;
	}
}

static void event(const struct rg_ctx *c, const struct rg_event *e, struct rg_act *a)
{
	struct slot *s = c->slot;

	switch (e->type) {
	case RG_EV_BOUND:
		if (e->server != s->subscribed)
			rg_do(a, RG_DO_SUBSCRIBE);			/* 1 */
		s->subscribed = e->server;
		a->wake_at = RG_NEVER;
		break;
	case RG_EV_UNBOUND:
		rg_do(a, RG_DO_UNSUBSCRIBE);
		s->subscribed = 0;
		break;
	case RG_EV_NOTIFY:
		notified(c, e, a);
		break;
	case RG_EV_TIMER:
		rg_do(a, RG_DO_RESTART);				/* 3 */
		break;
	default:
		break;
	}
}

static enum rg_check check(const struct rg_ctx *c, struct rg_fault *f)	/* 5 */
{
	const struct cfg *g = c->cfg[RG_ACCOUNT];

	if (c->v->acc->reg == RG_REG_NO)
		return rg_fault(f, RG_SKIP, "RegEventPackageSubscription has no effect while "
				"Register = 0");
	if (g->stickiness != 1)
		return rg_fault(f, RG_SKIP, "RegEventPackageSubscription has no effect without "
				"RegistrarStickiness = 1");
	return RG_OK;
}

static const char *const needs[] = { "stickiness", NULL };

static const struct rg_param params[] = {
	RG_IMPLEMENTS(RG_ACCOUNT, "RegEventPackageSubscription", "1"),
	RG_READS_INT(RG_ACCOUNT, "RegistrarStickiness", struct cfg, stickiness),
	RG_END,
};

RG_POLICY(reg_event) = {
	RG_HEAD("reg_event", "watch the binding through the reg event package",
		RG_PRIO_STICK + 1, params),
	.needs = needs,
	.cfg_size = { [RG_ACCOUNT] = sizeof(struct cfg) },
	.slot_size = sizeof(struct slot), /* a subscription does not outlive the process */
	.slot_version = 1,
	.check = check,
	.event = event,
};
