/*
 * by_cost -- a policy of the tests: ProxyIp Cost orders the servers, the cheapest first.
 */
#include "regway/plugin.h"

struct ip_cfg {
	int32_t cost;
};

static int32_t cost(const struct rg_ctx *c, size_t rank)
{
	const struct ip_cfg *const *ip = c->cfg[RG_PROXY_IP];

	return ip[rank]->cost;
}

static void order(const struct rg_ctx *c, enum rg_purpose why, struct rg_list *l)
{
	(void)why;
	l->n = 0;
	for (int32_t of = 0; of <= 9; of++)
		for (size_t i = 0; i < c->v->nsrv; i++)
			if (cost(c, i) == of)
				rg_list_add(l, c->v->srv[i].id);
}

static const struct rg_param params[] = {
	{ .name = "Cost", .scope = RG_PROXY_IP, .type = RG_T_INT, .min = 0, .max = 9, .dflt = "0",
	  .implements = "1,2,3,4,5,6,7,8,9", .doc = "the cheapest first" },
	RG_END,
};

RG_POLICY(by_cost) = {
	RG_HEAD("by_cost", "the cheapest server first", RG_PRIO_BASE, params),
	.cfg_size = { [RG_PROXY_IP] = sizeof(struct ip_cfg) },
	.order = order,
};
