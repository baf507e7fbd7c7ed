/*
 * udp_port -- UDPPortAssignment = 1: each account talks to the serving group on a
 * UDP port of its own, out of the interface's AdditionalUDPPorts.
 *
 *  1. No port yet: no REGISTER; the core asks again with the usual back-off, and
 *     when one is released.
 *  2. Whatever the account sends leaves from its port.
 *  3. A request from the serving side on any other port is answered 404, also on
 *     its own port when token or Request-URI name another account.
 *  4. A call from the served side is answered 500 while there is no port or no
 *     registration.
 *  5. It needs Register = 1 or 2 and ports to take; not for trunk groups.
 */
#include "regway/plugin.h"

static enum rg_goal goal(const struct rg_ctx *c)
{
	return c->v->port ? RG_REGISTER : RG_HOLD;			/* 1 */
}

static void request(const struct rg_ctx *c, struct rg_request *r)
{
	r->local_port = c->v->port;					/* 2 */
}

static void admit(const struct rg_ctx *c, const struct rg_dialog *d, struct rg_admit *verdict,
		  struct rg_act *a)
{
	const struct rg_view *v = c->v;
	(void)a;

	if (d->from_serving && (d->matched_other || !v->port || d->local_port != v->port))
		rg_reject(verdict, 404, "Not Found");			/* 3 */
	if (!d->from_serving && (!v->port || !v->registrar))
		rg_reject(verdict, 500, "Server Internal Error");	/* 4 */
}

static enum rg_check check(const struct rg_ctx *c, struct rg_fault *f)	/* 5 */
{
	const struct rg_account *acc = c->v->acc;

	if (!acc->served)
		return rg_fault(f, RG_SKIP, "UDPPortAssignment has no effect for a trunk group");
	if (acc->reg == RG_REG_NO)
		return rg_fault(f, RG_ERROR, "UDPPortAssignment = 1 needs Register = 1 or 2");
	if (!acc->has_ports)
		return rg_fault(f, RG_ERROR,
				"UDPPortAssignment = 1 needs AdditionalUDPPorts at the "
				"SIP interface");
	return RG_OK;
}

static const struct rg_param params[] = {
	RG_IMPLEMENTS(RG_ACCOUNT, "UDPPortAssignment", "1"),
	RG_END,
};

RG_POLICY(udp_port) = {
	RG_HEAD("udp_port", "a UDP port for each account", RG_PRIO_DRESS, params),
	.wants = RG_WANTS_PORT,
	.check = check,
	.goal = goal,
	.request = request,
	.admit = admit,
};
