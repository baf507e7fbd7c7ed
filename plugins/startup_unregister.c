/*
 * startup_unregister -- UnregisterOnStartup = 1: forget old bindings before the
 * first REGISTER.
 *
 *  1. When the process starts, and only then, an account that registers sends
 *     REGISTER with Contact: * and Expires 0, even if its lease was resumed.
 *  2. One second after the answer, whatever it is, it registers.
 *  3. Should there be no answer at all it registers after a while nevertheless.
 *  4. While there is nobody to ask -- the name does not resolve yet, the primary of
 *     SyncIMSAccounts is not registered -- it waits: that holds a REGISTER up as well.
 */
#include "regway/plugin.h"

enum { NOT_ASKED, WAITING, NOBODY, DONE };
enum { AFTER_MS = 1000, PATIENCE_MS = 40000 };

struct slot {
	int32_t stage;
};

static enum rg_goal goal(const struct rg_ctx *c)
{
	const struct slot *s = c->slot;

	return s->stage == WAITING || s->stage == NOBODY ? RG_HOLD : RG_REGISTER;
}

static void request(const struct rg_ctx *c, struct rg_request *r)
{
	const struct slot *s = c->slot;

	if (s->stage == WAITING && r->method == RG_M_REGISTER && !r->expires)
		r->all_contacts = true;					/* 1 */
}

static void ask(const struct rg_ctx *c, struct rg_act *a)
{
	struct slot *s = c->slot;

	s->stage = WAITING;
	rg_do(a, RG_DO_UNREGISTER);					/* 1 */
	a->wake_at = c->v->now + PATIENCE_MS;				/* 3 */
}

static void start(const struct rg_ctx *c, const struct rg_event *e, struct rg_act *a)
{
	struct slot *s = c->slot;

	if (s->stage != NOT_ASKED)
		return;
	s->stage = DONE;
	if (e->code == 1 && c->v->acc->reg != RG_REG_NO)
		ask(c, a);
}

static void answered(const struct rg_ctx *c, const struct rg_event *e, struct rg_act *a)
{
	struct slot *s = c->slot;

	if (!e->server)
		s->stage = NOBODY;					/* 4 */
	a->wake_at = c->v->now + (e->server ? AFTER_MS : 1000LL * c->v->acc->retry_time);
}

static bool news(const struct rg_event *e)
{
	return e->type == RG_EV_TIMER || e->type == RG_EV_SERVERS || e->type == RG_EV_GROUP;
}

static void event(const struct rg_ctx *c, const struct rg_event *e, struct rg_act *a)
{
	struct slot *s = c->slot;

	if (e->type == RG_EV_START)
		start(c, e, a);
	else if (s->stage == WAITING && e->type == RG_EV_RESULT && e->method == RG_M_REGISTER)
		answered(c, e, a);					/* 2 */
	else if (s->stage == WAITING && e->type == RG_EV_TIMER)
		s->stage = DONE;
	else if (s->stage == NOBODY && news(e))
		ask(c, a);						/* 4 */
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
