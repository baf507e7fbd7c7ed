/*
 * location_servers -- location servers register, proxy servers carry calls, and
 * each list may have a master: Role and Master of ProxyIp, ServerSwitching and
 * ServerRedundancy of the proxy set.
 *
 *  1. Registering goes through all location servers, master first, until one
 *     accepts; without location servers the proxy servers are used.
 *  2. With a master a refresh starts with it, too; without one it stays.
 *  3. A call goes through the proxy servers, master first, until one answers,
 *     whatever it answers; with ServerSwitching = authentication-failure a 401,
 *     403 or 407 goes on as well.
 *  4. ServerRedundancy = permanent: calls stay with the proxy that answered last,
 *     until it does not; dns-based: every call starts with the first.
 *  5. An account without a domain takes the address it registers at.
 *  6. Servers found down, and the one that has just failed the refresh, are last.
 */
#include "regway/plugin.h"

enum { PERMANENT = 1 };		      /* ServerRedundancy */
enum { AUTHENTICATION_FAILURE = 2 };  /* ServerSwitching  */

struct set_cfg {
	int32_t redundancy, switching;
};

struct slot {
	uint32_t answered; /* proxy that answered last */
};

static bool has_master(const struct rg_view *v, uint8_t role)
{
	for (size_t i = 0; i < v->nsrv; i++)
		if (v->srv[i].master && v->srv[i].roles & role)
			return true;
	return false;
}

static void list_with_master(const struct rg_view *v, struct rg_list *l, uint8_t role)
{
	rg_list_ranked(l, v, role);
	for (size_t i = v->nsrv; i-- > 0;)
		if (v->srv[i].master && v->srv[i].roles & role)
			rg_list_front(l, v->srv[i].id);
}

static void order(const struct rg_ctx *c, enum rg_purpose why, struct rg_list *l)
{
	const struct set_cfg *set = c->cfg[RG_PROXY_SET];
	const struct slot *s = c->slot;
	bool calls = why == RG_FOR_DIALOG;
	uint8_t role = calls || !rg_first(c->v, RG_REGISTRAR) ? RG_PROXY : RG_REGISTRAR;

	list_with_master(c->v, l, role);				/* 1, 3 */
	if (why == RG_FOR_REFRESH && !has_master(c->v, role))
		rg_list_front(l, c->v->registrar);			/* 2 */
	if (calls && set->redundancy == PERMANENT)
		rg_list_front(l, s->answered);				/* 4 */
	if (why == RG_FOR_SEARCH)
		rg_list_back(l, c->v->refused);				/* 6 */
	rg_list_sink_down(l, c->v);
}

static bool goes_on(const struct set_cfg *set, const struct rg_event *e)
{
	bool refused = e->code == 401 || e->code == 403 || e->code == 407;

	return e->method == RG_M_REGISTER || e->code == 0 ||
	       (refused && set->switching == AUTHENTICATION_FAILURE);
}

static void event(const struct rg_ctx *c, const struct rg_event *e, struct rg_act *a)
{
	struct slot *s = c->slot;

	if (rg_failed(e, RG_M_REGISTER) || rg_failed(e, RG_M_INVITE))
		a->verdict = goes_on(c->cfg[RG_PROXY_SET], e) ? RG_NEXT : RG_STOP; /* 1, 3 */
	if (e->type == RG_EV_RESULT && e->method == RG_M_INVITE && e->code)
		s->answered = e->server;
}

static void request(const struct rg_ctx *c, struct rg_request *r)
{
	uint32_t home = r->method == RG_M_REGISTER ? r->server : c->v->registrar;
	const struct rg_server *s = rg_server(c->v, home);

	if (s && !r->aor_host[0])
		rg_set(r->aor_host, sizeof r->aor_host, s->host);	/* 5 */
}

static const char *const clashes[] = { "failback", "redundancy", NULL };

static const struct rg_param params[] = {
	RG_IMPLEMENTS_INT(RG_PROXY_SET, "ServerRedundancy", struct set_cfg, redundancy, "1,2"),
	RG_IMPLEMENTS_INT(RG_PROXY_SET, "ServerSwitching", struct set_cfg, switching, "1,2"),
	RG_IMPLEMENTS(RG_PROXY_IP, "Role", "1,2"),
	RG_IMPLEMENTS(RG_PROXY_IP, "Master", "1"),
	RG_END,
};

static const struct rg_field fields[] = {
	{ RG_F_SERVER, offsetof(struct slot, answered), "answered" },
	{ .kind = RG_F_END },
};

RG_POLICY(location_servers) = {
	RG_HEAD("location_servers", "lists of location and proxy servers with a master",
		RG_PRIO_BASE, params),
	.clashes = clashes,
	.cfg_size = { [RG_PROXY_SET] = sizeof(struct set_cfg) },
	.slot_size = sizeof(struct slot),
	.slot_version = 1,
	.fields = fields,
	.order = order,
	.event = event,
	.request = request,
};
