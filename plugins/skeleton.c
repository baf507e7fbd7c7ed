/*
 * skeleton -- a policy to start from: copy it, rename it, and throw away the hooks
 * that yours does not need.  It is attached where an account says Skeleton = 1,
 * and then changes nothing.  docs/plugins.md walks through it.
 *
 * Write the rules of your policy here, numbered, and put the number beside the
 * line that carries a rule out: the comment is the specification.
 */
#include "regway/plugin.h"

/* One struct for each table the policy reads. */
struct cfg {
	int32_t mode;
};

/* What it remembers of an account; zero at first. */
struct slot {
	int32_t registrations;
};

/* Can the account have this policy at all?  Asked when the configuration is read. */
static enum rg_check check(const struct rg_ctx *c, struct rg_fault *f)
{
	if (c->v->acc->reg == RG_REG_NO)
		return rg_fault(f, RG_SKIP, "Skeleton has no effect while Register = 0");
	return RG_OK;
}

/* Should the account be registered now?  The lowest vote of the chain wins. */
static enum rg_goal goal(const struct rg_ctx *c)
{
	(void)c;
	return RG_REGISTER;
}

/* Which servers, in which order?  Edit the list that the policies before made. */
static void order(const struct rg_ctx *c, enum rg_purpose why, struct rg_list *l)
{
	(void)c;
	(void)why;
	(void)l;
}

/* A request of ours before it is written. */
static void request(const struct rg_ctx *c, struct rg_request *r)
{
	(void)c;
	(void)r;
}

/* Somebody wants to open a dialog through the account: let it in? */
static void admit(const struct rg_ctx *c, const struct rg_dialog *d, struct rg_admit *verdict,
		  struct rg_act *a)
{
	(void)c;
	(void)d;
	(void)verdict;
	(void)a;
}

/* Something happened: remember it, judge it, ask for something. */
static void event(const struct rg_ctx *c, const struct rg_event *e, struct rg_act *a)
{
	struct slot *s = c->slot;
	(void)a;

	if (e->type == RG_EV_BOUND)
		s->registrations++;
}

static const struct rg_param params[] = {
	{ .name = "Skeleton", .scope = RG_ACCOUNT, .type = RG_T_INT,
	  .offset = offsetof(struct cfg, mode), .min = 0, .max = 1, .dflt = "0",
	  .implements = "1", .doc = "attach the skeleton policy, which does nothing" },
	RG_END,
};

/* Fields of the slot that outlive a restart, and that can be shown. */
static const struct rg_field fields[] = {
	{ RG_F_INT32, offsetof(struct slot, registrations), "registrations" },
	{ .kind = RG_F_END },
};

RG_POLICY(skeleton) = {
	RG_HEAD("skeleton", "a policy to start from", RG_PRIO_BASE, params),
	.cfg_size = { [RG_ACCOUNT] = sizeof(struct cfg) },
	.slot_size = sizeof(struct slot),
	.slot_version = 1,
	.fields = fields,
	.check = check,
	.goal = goal,
	.order = order,
	.request = request,
	.admit = admit,
	.event = event,
};
