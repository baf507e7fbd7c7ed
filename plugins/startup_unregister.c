/*
 * startup_unregister -- UnregisterOnStartup = 1: forget old bindings before the
 * first REGISTER.
 *
 *  1. When the process starts, and only then, an account that registers sends
 *     REGISTER with Contact: * and Expires 0, even if its lease was resumed.
 *  2. One second after the answer, whatever it is, it registers.
 *  3. Should there be no answer at all it registers after a while nevertheless.
 */
#include "regway/plugin.h"

enum { NOT_ASKED, WAITING, DONE };
enum { AFTER_MS = 1000, PATIENCE_MS = 40000 };

struct slot {
	int32_t stage;
};

static enum rg_goal goal(const struct rg_ctx *c)
{
	const struct slot *s = c->slot;

	return s->stage == WAITING ? RG_HOLD : RG_REGISTER;
}

static void request(const struct rg_ctx *c, struct rg_request *r)
{
	const struct slot *s = c->slot;

	if (s->stage == WAITING && r->method == RG_M_REGISTER && !r->expires)
		r->all_contacts = true;					/* 1 */
}

static void start(const struct rg_ctx *c, const struct rg_event *e, struct rg_act *a)
{
	struct slot *s = c->slot;

	if (s->stage != NOT_ASKED)
		return;
	s->stage = e->code == 1 && c->v->acc->reg != RG_REG_NO ? WAITING : DONE;
	if (s->stage == WAITING) {
		rg_do(a, RG_DO_UNREGISTER);				/* 1 */
		a->wake_at = c->v->now + PATIENCE_MS;			/* 3 */
	}
}

static void event(const struct rg_ctx *c, const struct rg_event *e, struct rg_act *a)
{
	struct slot *s = c->slot;

	if (e->type == RG_EV_START)
		start(c, e, a);
	else if (s->stage == WAITING && e->type == RG_EV_RESULT && e->method == RG_M_REGISTER)
		a->wake_at = c->v->now + AFTER_MS;			/* 2 */
	else if (s->stage == WAITING && e->type == RG_EV_TIMER)
		s->stage = DONE;
}

static const struct rg_param params[] = {
	RG_IMPLEMENTS(RG_GLOBAL, "UnregisterOnStartup", "1"),
	RG_END,
};

RG_POLICY(startup_unregister) = {
	RG_HEAD("startup_unregister", "unregister first, then register", RG_PRIO_BASE, params),
	.slot_size =
		sizeof(struct slot), /* no field outlives the process: the next one asks again */
	.slot_version = 1,
	.goal = goal,
	.request = request,
	.event = event,
};
