#include "policy/account.h"

static void count_addresses(const struct conf *c, const struct conf_proxy_set *set,
			    struct rg_account *out)
{
	for (uint32_t i = 0; i < set->n_ip; i++) {
		if (!c->proxy_ip[set->first_ip + i].addr.family)
			out->names = true;
		else if (out->literals < UINT8_MAX)
			out->literals++;
	}
}

uint32_t account_set(const struct conf *c, const struct conf_account *a)
{
	return a->outbound != CONF_NONE ? a->outbound : c->ip_group[a->serving].set;
}

void account_common(const struct conf *c, uint32_t serving, uint32_t at, struct rg_account *out)
{
	const struct conf_ip_group *g = &c->ip_group[serving];
	const struct conf_proxy_set *set;

	memset(out, 0, sizeof *out);
	out->serving = g->row.index + 1;
	out->refresh_pct = c->gateway.time_divider;
	out->reg_time = c->gateway.registration_time;
	out->retry_time = c->gateway.retry_time;
	if (at == CONF_NONE)
		return;
	set = &c->proxy_set[at];
	out->hot_swap = set->hot_swap;
	out->keepalive = set->keepalive;
	count_addresses(c, set, out);
	if (set->interface != CONF_NONE)
		out->has_ports = c->sip_interface[set->interface].port_min != 0;
}

/* The user of AOR and Contact: the account's, else the served group's, else the name
 * it authenticates with. */
static const char *contact_user(const struct conf *c, const struct conf_account *a)
{
	if (*a->contact_user)
		return a->contact_user;
	if (a->served != CONF_NONE && *c->ip_group[a->served].contact_user)
		return c->ip_group[a->served].contact_user;
	return a->username;
}

void account_own(const struct conf *c, uint32_t account, struct rg_account *out)
{
	const struct conf_account *a = &c->account[account];

	out->index = a->row.index;
	out->name = a->row.name;
	out->host_name = a->host_name;
	out->contact_user = contact_user(c, a);
	out->reg = a->reg;
	if (a->served == CONF_NONE)
		return;
	out->served = c->ip_group[a->served].row.index + 1;
	if (c->ip_group[a->served].set != CONF_NONE)
		out->served_keepalive = c->proxy_set[c->ip_group[a->served].set].keepalive;
}

void policy_account(const struct conf *c, uint32_t account, struct rg_account *out)
{
	const struct conf_account *a = &c->account[account];

	account_common(c, a->serving, account_set(c, a), out);
	account_own(c, account, out);
}

size_t account_servers(const struct conf *c, uint32_t set, struct rg_server *out,
		       uint32_t *ip, size_t most)
{
	const struct conf_proxy_set *s;
	size_t n = 0;

	if (set == CONF_NONE)
		return 0;
	s = &c->proxy_set[set];
	for (uint32_t i = 0; i < s->n_ip && n < most; i++) {
		const struct conf_proxy_ip *p = &c->proxy_ip[s->first_ip + i];

		if (!p->addr.family)
			continue;
		ip[n] = i;
		out[n] = (struct rg_server){
			.id = p->order + 1,
			.rank = (uint16_t)n,
			.roles = p->roles,
			.master = p->master,
			.transport = p->addr.transport,
			.priority = p->priority,
			.weight = p->weight,
			.ttl_until = RG_NEVER,
			.host = p->host,
		};
		n++;
	}
	return n;
}
