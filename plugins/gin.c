/*
 * gin -- Register = 2: one registration for all numbers of a PBX (RFC 6140).
 *
 *  1. The Contact of a REGISTER has no user part and carries bnc (RFC 6140 5.2).
 *  2. gin is required of the registrar and of every proxy on the way; path is
 *     supported.
 */
#include "regway/plugin.h"

static void request(const struct rg_ctx *c, struct rg_request *r)
{
	(void)c;
	if (r->method != RG_M_REGISTER)
		return;

	rg_set(r->contact_user, sizeof r->contact_user, "");		/* 1 */
	rg_set(r->contact_params, sizeof r->contact_params, "bnc");
	rg_header(r, "Supported", "path");				/* 2 */
	rg_header(r, "Require", "gin");
	rg_header(r, "Proxy-Require", "gin");
}

static const struct rg_param params[] = {
	RG_IMPLEMENTS(RG_ACCOUNT, "Register", "2"),
	RG_END,
};

RG_POLICY(gin) = {
	RG_HEAD("gin", "one registration for many numbers", RG_PRIO_DRESS, params),
	.request = request,
};
