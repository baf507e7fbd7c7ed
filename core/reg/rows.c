/*
 * rows.c -- IP2IPRouting: the first row that matches, in the order of the table; and the
 * alternatives that stand below it.
 */
#include "reg/routing.h"

#include <string.h>

enum { ALL, INVITE, REGISTER, SUBSCRIBE, INVITE_REGISTER, INVITE_SUBSCRIBE, OPTIONS };

static bool method_matches(uint8_t type, uint8_t method)
{
	switch (type) {
	case ALL:
		return true;
	case INVITE:
	case INVITE_REGISTER:
		return method == RG_M_INVITE;
	case SUBSCRIBE:
		return method == RG_M_SUBSCRIBE;
	case INVITE_SUBSCRIBE:
		return method == RG_M_INVITE || method == RG_M_SUBSCRIBE;
	case OPTIONS:
		return method == RG_M_OPTIONS;
	default:
		return false;
	}
}

/* "*" any, "*.example.com" any below it. */
static bool host_matches(const char *pattern, const char *host)
{
	size_t n, m;

	if (!*pattern || !strcmp(pattern, "*"))
		return true;
	if (*pattern != '*')
		return !g_ascii_strcasecmp(pattern, host);
	n = strlen(++pattern);
	m = strlen(host);
	return m > n && !g_ascii_strcasecmp(pattern, host + m - n);
}

static bool matches(const struct reg_route *r, const struct conf_route *row)
{
	return method_matches(row->request_type, r->method) &&
	       host_matches(row->from_host, r->words->from_host) &&
	       host_matches(row->to_host, r->words->uri_host) &&
	       conf_pattern_matches(row->from_pattern, r->words->from_user) &&
	       conf_pattern_matches(row->to_pattern, r->words->uri_user);
}

/* Those of the group and those of any, as they stand in the table. */
uint32_t rows_first(const struct reg_route *r)
{
	const struct conf *c = r->gen->conf;
	uint32_t own = CONF_NONE, any, at, from = r->from->trunk ? CONF_NONE
					: conf_ip_group_find(c, r->from->name);

	if (!c->n_route || from == CONF_NONE)
		return CONF_NONE;
	own = c->route_of[from];
	any = c->route_of[c->n_ip_group];
	while (own != CONF_NONE || any != CONF_NONE) {
		at = MIN(own, any); /* CONF_NONE is behind every row */
		if (at == own)
			own = c->route[own].next;
		else
			any = c->route[any].next;
		if (matches(r, &c->route[at]))
			return at;
	}
	return CONF_NONE;
}

uint32_t rows_alternative(const struct reg_route *r, uint32_t row)
{
	const struct conf *c = r->gen->conf;

	while (++row < c->n_route && c->route[row].alternative) {
		const struct conf_route *x = &c->route[row];

		if (x->dead || (x->alternative == 2 && !(matches(r, x) &&
				(x->from == CONF_NONE ||
				 !strcmp(c->ip_group[x->from].row.name, r->from->name)))))
			continue;
		return row;
	}
	return CONF_NONE;
}

bool rows_reason(const struct reg_route *r, uint16_t code)
{
	const struct rg_codes *reasons = &r->e->gen->conf->gateway.alternative_reasons;

	for (uint16_t i = 0; i < reasons->n; i++)
		if (reasons->code[i] == code)
			return true;
	return false;
}
