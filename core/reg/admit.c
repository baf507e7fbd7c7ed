/*
 * admit.c -- may it go there: limits of calls, the account's registration, its policies.
 */
#include "reg/routing.h"

/* ---- limits ------------------------------------------------------------------------------ */

bool admit_counts(struct reg_route *r, int which, struct reg_meter *m, uint32_t calls,
		   uint32_t rate)
{
	uint32_t wait;

	if (r->method != RG_M_INVITE || r->meter[which])
		return true;
	wait = limit_take(m, rg_now(r->e->timers), calls, rate);
	if (wait) {
		route_said(r, "core", calls && m->calls >= calls ? "MaxCalls" : "MaxCallRate", 0);
		route_fail(r, 503, "Service Unavailable", wait);
		return false;
	}
	r->meter[which] = m;
	return true;
}

bool admit_group(struct reg_route *r, int which, struct reg_group *g)
{
	const struct conf_ip_group *row = group_row(r->e, g);

	if (!g || (which == METER_TO && g == r->from))
		return true;
	return admit_counts(r, which, &g->meter, row ? row->max_calls : 0,
			    row ? row->max_call_rate : 0);
}

bool admit_account(struct reg_route *r)
{
	const struct reg_account *a = route_account(r);

	return !a || admit_counts(r, METER_ACCOUNT, limit_of(r->e, a->id), a->conf->max_calls,
			    a->conf->max_call_rate);
}

/* ---- admission ----------------------------------------------------------------------------- */

/* 400 while not registered; stickiness and own ports make it 500.  Not for accounts
 * that do not register, nor for trunk groups. */
static struct rg_admit preset(const struct reg_account *a)
{
	struct rg_admit v = { 0, NULL };

	if (a->registrar || a->conf->reg == RG_REG_NO || a->conf->served == CONF_NONE)
		return v;
	if (a->conf->stickiness || a->conf->own_port)
		rg_reject(&v, 500, "Server Internal Error");
	else
		rg_reject(&v, 400, "Bad Request");
	return v;
}

bool admit(struct reg_route *r, struct reg_account *a, bool from_serving, bool other)
{
	const struct conf *c = r->e->gen->conf;
	struct rg_dialog d = { .from_serving = from_serving, .method = r->method,
			       .matched_other = other, .local_port = r->own_port };
	struct rg_admit v = { 0, NULL };
	const char *by = "core";

	if (!from_serving)
		v = preset(a);
	else if (!d.local_port && r->interface < c->n_sip_interface)
		d.local_port = c->sip_interface[r->interface].udp;
	if (from_serving)
		d.source = source_server(a->set, &r->source);
	chain_admit(r->e, a, &d, &v, &by);
	if (v.code) {
		route_said(r, by, "refuse", v.code);
		route_fail(r, v.code, v.reason, 0);
		return false;
	}
	r->admitted = true;
	return true;
}
