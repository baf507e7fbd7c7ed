/*
 * route.c -- IP2IPRouting: drafts to rows.  A row that asks for what is not done here never
 * matches, and one warning a column says so.
 */
#include <string.h>

#include "conf/load.h"

struct cannot {
	const char *column, *what;
	uint32_t count;
	const struct conf_row *row;
};

enum { DEST_GROUP, DEST_ADDRESS };
enum { TRIGGER_ANY, TRIGGER_INITIAL = 4 };
enum { ALTERNATIVE_MOST = 2 };

static bool is_any(const char *text)
{
	return !*text || !strcmp(text, "*") || !strcmp(text, "-1") ||
	       !g_ascii_strcasecmp(text, "Any");
}

static void cannot(struct cannot *c, struct conf_route *r, bool is)
{
	if (!is)
		return;
	r->dead = true;
	if (!c->count++)
		c->row = &r->row;
}

/* A name that no row has: the row never matches. */
static uint32_t refer(struct load *l, struct conf_route *r, const struct names *to, uint32_t n,
		      const char *text, const char *column)
{
	uint32_t at = names_refer(to, n, text);
	char buf[96];

	if (at != CONF_NONE)
		return at;
	param_warn(l, &r->row, CONF_ROUTE, column,
		   "IP2IPRouting %s never matches: %s = %s: there is no such row%s", r->row.name,
		   column, text, build_hint(l, to, n, text, buf));
	r->dead = true;
	return CONF_NONE;
}

static const struct conf_pattern *pattern(struct load *l, struct conf_route *r, const char *text,
					  const char *column)
{
	const char *why;
	const struct conf_pattern *p = pattern_read(l->arena, text, &why);

	if (why)
		param_error(l, &r->row, CONF_ROUTE, column, "IP2IPRouting %s: %s = %s %s",
			    r->row.name, column, text, why);
	return p;
}

static void address(struct load *l, struct conf_route *r)
{
	const struct conf *c = &l->w->c;

	r->interface = is_any(r->interface_name) ? 0 : refer(l, r, &l->w->sip_interface,
							c->n_sip_interface, r->interface_name,
							"DestSIPInterfaceName");
	r->address.transport = (uint8_t)(r->transport >= 0 ? r->transport
							   : l->gateway.g.transport);
	r->address.port = r->port ? r->port : r->address.transport == RG_TLS ? 5061 : 5060;
	if (!rg_addr_parse(&r->address, r->address_name)) {
		param_warn(l, &r->row, CONF_ROUTE, "DestAddress",
			   "IP2IPRouting %s never matches: DestAddress = %s is no address (a name "
			   "belongs into a ProxySet)",
			   r->row.name, r->address_name);
		r->dead = true;
	}
}

static void build_one(struct load *l, struct conf_route *r, struct cannot *no)
{
	const struct conf *c = &l->w->c;

	r->from = r->to = r->account = CONF_NONE;
	cannot(&no[0], r, r->dest_type > DEST_ADDRESS);
	cannot(&no[1], r, r->alternative > ALTERNATIVE_MOST);
	cannot(&no[2], r, r->trigger != TRIGGER_ANY && r->trigger != TRIGGER_INITIAL);
	cannot(&no[3], r, !is_any(r->rerouted));
	cannot(&no[4], r, *r->set != '\0');
	cannot(&no[5], r, r->dest_type == DEST_ADDRESS && r->transport > RG_TLS);
	if (r->dead)
		return;
	if (!is_any(r->from_name))
		r->from = refer(l, r, &l->w->ip_group, c->n_ip_group, r->from_name,
				"SrcIPGroupName");
	if (r->dest_type == DEST_ADDRESS)
		address(l, r);
	else
		r->to = refer(l, r, &l->w->ip_group, c->n_ip_group, r->to_name, "DestIPGroupName");
	if (*r->account_name)
		r->account = refer(l, r, &l->w->account, c->n_account, r->account_name,
				   "DestAccountName");
	if (r->account != CONF_NONE && c->account[r->account].serving != r->to) {
		param_warn(l, &r->row, CONF_ROUTE, "DestAccountName",
			   "IP2IPRouting %s: DestAccountName = %s has no effect: that account is "
			   "of another serving group",
			   r->row.name, r->account_name);
		r->account = CONF_NONE;
	}
	if (r->to != CONF_NONE && c->ip_group[r->to].set == CONF_NONE)
		param_warn(l, &r->row, CONF_ROUTE, "DestIPGroupName",
			   "IP2IPRouting %s leads to IP group %s, which has no proxy set",
			   r->row.name, r->to_name);
	r->from_pattern = pattern(l, r, r->from_user, "SrcUsernamePrefix");
	r->to_pattern = pattern(l, r, r->to_user, "DestUsernamePrefix");
}

/* Main rows in order, by the group they are for; those for any group apart. */
static void chain_rows(struct load *l)
{
	struct conf *c = &l->w->c;

	c->route_of = rg_arena_alloc(l->arena, (c->n_ip_group + 1) * sizeof *c->route_of);
	for (uint32_t i = 0; i <= c->n_ip_group; i++)
		c->route_of[i] = CONF_NONE;
	for (uint32_t i = c->n_route; i-- > 0;) {
		struct conf_route *r = &c->route[i];
		uint32_t *head = &c->route_of[r->from == CONF_NONE ? c->n_ip_group : r->from];

		if (r->dead || r->alternative)
			continue;
		r->next = *head;
		*head = i;
	}
}

/* Once there are rows, calls of a served group without any are refused. */
static void warn_without(struct load *l)
{
	const struct conf *c = &l->w->c;
	bool *told = g_new0(bool, c->n_ip_group + 1);

	for (uint32_t i = 0; i < c->n_account; i++) {
		uint32_t group = c->account[i].served;

		if (group == CONF_NONE || told[group] || c->route_of[group] != CONF_NONE)
			continue;
		told[group] = true;
		row_warn(l, &c->ip_group[group].row,
			 "IP2IPRouting has no row for calls of IP group %s: they are refused with "
			 "404",
			 c->ip_group[group].row.name);
	}
	g_free(told);
}

void build_routes(struct load *l)
{
	struct cannot no[] = {
		{ "DestType", "only 0 (IP group) and 1 (address) are done here", 0, NULL },
		{ "AltRouteOptions", "only 0, 1 and 2 are done here, not forking", 0, NULL },
		{ "Trigger", "only 0 (any) and 4 (initial) are done here", 0, NULL },
		{ "ReRouteIPGroupName", "requests are not routed again here", 0, NULL },
		{ "IPGroupSetName", "there are no sets of IP groups here", 0, NULL },
		{ "DestTransportType", "only UDP, TCP and TLS are done here", 0, NULL },
	};
	struct conf *c = &l->w->c;
	struct names names;

	c->route = build_final(l, CONF_ROUTE, &c->n_route);
	for (uint32_t i = 0; i < c->n_route; i++)
		build_one(l, &c->route[i], no);
	for (size_t i = 0; i < G_N_ELEMENTS(no); i++)
		if (no[i].count)
			param_warn(l, no[i].row, CONF_ROUTE, no[i].column,
				   "IP2IPRouting: %s: %s; %u row%s", no[i].column, no[i].what,
				   no[i].count,
				   no[i].count == 1 ? " never matches" : "s never match");
	build_names(l, CONF_ROUTE, &names, c->route, c->n_route);
	chain_rows(l);
	if (c->n_route && c->route_of[c->n_ip_group] == CONF_NONE)
		warn_without(l);
	if (c->n_route && c->route[0].alternative)
		row_warn(l, &c->route[0].row, "IP2IPRouting %s is an alternative of no row",
			 c->route[0].row.name);
}
