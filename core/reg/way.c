/*
 * way.c -- where a request goes: by a row of IP2IPRouting, else to the group that the account
 * it is for serves; without any rows to where the account of who sent it is registered.
 */
#include "reg/routing.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

static void rule(struct reg_route *r, const char *text)
{
	g_strlcpy(r->rule, text, sizeof r->rule);
}

/* Which of the pair's accounts, by who calls; serving NULL: of any pair. */
static struct reg_account *caller_account(struct reg_route *r, const struct reg_group *served,
					  const struct reg_group *serving)
{
	const char *user[] = { r->words->asserted, r->words->preferred, r->words->from_user };
	struct reg_account *a = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(user) && !a; i++)
		a = index_user(r->e, served, serving, user[i]);
	return a ? a : index_first(r->e, served, serving);
}

/* Forget the destination before, and what of it counts. */
static void leave(struct reg_route *r)
{
	for (int i = METER_TO; i <= (r->inbound ? METER_TO : METER_ACCOUNT); i++) {
		if (r->meter[i])
			limit_give(r->e, r->meter[i]);
		r->meter[i] = NULL;
	}
	r->to_serving = false;
	r->to = NULL;
}

/* The account that a row names, or the groups' own; or a group that is served by itself,
 * as some files have it. */
static struct reg_account *row_account(struct reg_route *r, const struct conf_route *row)
{
	const struct conf *c = r->gen->conf;
	struct reg_account *a;

	if (row->account != CONF_NONE) {
		const char *name = c->account[row->account].row.name;
		uint32_t pos = conf_account_find(r->e->gen->conf, name);

		return pos == CONF_NONE ? NULL : account_at(r->e, r->e->order[pos]);
	}
	a = r->caller ? account_at(r->e, r->caller) : NULL;
	if (a && a->serving == r->to && a->served == r->from)
		return a;
	a = caller_account(r, r->from, r->to);
	return a || r->inbound ? a : caller_account(r, r->to, r->to);
}

/* DestAddress = 0.0.0.0: nobody is to get it. */
static bool barred(const struct conf_route *x)
{
	static const uint8_t none[sizeof x->address.ip];

	return x->to == CONF_NONE && !memcmp(x->address.ip, none, sizeof none);
}

/* Who is to get it by this row.  false: that is nobody. */
bool way_row(struct reg_route *r, uint32_t row)
{
	const struct conf_route *x = &r->gen->conf->route[row];
	struct reg_account *a;

	leave(r);
	r->row = row;
	snprintf(r->rule, sizeof r->rule, "route %u", x->row.index);
	if (barred(x))
		return false;
	if (x->to != CONF_NONE) {
		r->to = group_named(r->e, r->gen->conf->ip_group[x->to].row.name);
		if (r->to->row == CONF_NONE)
			return false;
		a = row_account(r, x);
		if (a && a->serving == r->to) {
			r->to_serving = true;
			route_set_account(r, a);
		} else if (!r->inbound) {
			route_set_account(r, NULL);
		}
	} else if (!r->inbound) {
		route_set_account(r, NULL);
	}
	return true;
}

static void outbound(struct reg_route *r)
{
	struct reg_account *a = r->caller ? account_at(r->e, r->caller)
					  : caller_account(r, r->from, NULL);
	const struct conf *c = r->e->gen->conf;
	uint32_t serving = r->from->trunk && r->from->row != CONF_NONE
				   ? c->trunk_group[r->from->row].serving : CONF_NONE;

	rule(r, "pair");
	route_set_account(r, a);
	if (a) {
		r->to_serving = true;
		r->to = a->serving;
	} else if (serving != CONF_NONE) {
		r->to = group_named(r->e, c->ip_group[serving].row.name);
	}
	if (r->to)
		route_start(r);
	else
		route_fail(r, 404, "Not Found", 0);
}

static void to_served(struct reg_route *r, const struct reg_account *a)
{
	r->to = a->served;
	if (!r->to || r->to == r->from)
		route_fail(r, 404, "Not Found", 0);
	else
		route_start(r);
}

/* Is it for an account, as the serving side knows it?  Both sides may be one group: then
 * only what surely names an account is.  false: it was refused. */
static bool find_called(struct reg_route *r, struct reg_account *named)
{
	struct reg_account *a = NULL;
	enum inbound found = INBOUND_NOBODY;
	bool other = false;
	const char *by = "";

	if (r->forced && !r->to_serving) {
		a = named;
		found = INBOUND_SURE;
	} else if (!r->forced && (r->own_port || r->from->n_serving)) {
		found = inbound_find(r, named, &a, &by, &other);
	}
	if (found == INBOUND_WEAK && r->from->pairs->len)
		found = INBOUND_NOBODY;
	if (found == INBOUND_NOBODY)
		return true;
	rule(r, by);
	if (found == INBOUND_REFUSED) {
		route_fail(r, 404, "Not Found", 0);
		return false;
	}
	rg_debug("from %s for %s: account %s, by %s", r->from->name, r->words->uri_user,
		 account_name(a), *by ? by : "name");
	r->inbound = true;
	route_set_account(r, a);
	return admit(r, a, true, other);
}

/* Rows say it all, where there are any: what none of them names goes nowhere. */
static void no_row(struct reg_route *r)
{
	rule(r, "no route");
	route_fail(r, 404, "Not Found", 0);
}

void way_find(struct reg_route *r)
{
	struct reg_account *named = route_account(r);
	uint32_t row;

	route_set_account(r, NULL);
	if (!find_called(r, named))
		return;
	if (r->forced && !r->inbound)
		r->caller = named ? named->id : 0;
	row = rows_first(r);
	if (row != CONF_NONE && way_row(r, row))
		route_start(r);
	else if (row != CONF_NONE)
		route_fail(r, 404, "Not Found", 0);
	else if (r->inbound && route_account(r))
		to_served(r, route_account(r));
	else if (r->gen->conf->n_route && !r->from->trunk)
		no_row(r);
	else
		outbound(r);
}
