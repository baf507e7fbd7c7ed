/*
 * route.c -- the way of a request that opens a dialog or stands alone: who may send it,
 * which group and account it is for, and what comes next when a server fails.
 */
#include "reg/routing.h"

#include <stdio.h>
#include <string.h>

static const char usual_500[] = "Server Internal Error";

struct reg_account *route_account(const struct reg_route *r)
{
	struct reg_account *a = account_at(r->e, r->account);

	return a && !a->dying && !memcmp(a->dialogue.id, r->dialogue, sizeof r->dialogue) ? a
											  : NULL;
}

void route_set_account(struct reg_route *r, const struct reg_account *a)
{
	r->account = a ? a->id : 0;
	if (a)
		memcpy(r->dialogue, a->dialogue.id, sizeof r->dialogue);
}

struct reg_set *route_set(const struct reg_route *r)
{
	const struct reg_account *a = r->to_serving ? route_account(r) : NULL;

	return a ? a->set : r->to ? r->to->set : NULL;
}

/* ---- its beginning and end ------------------------------------------------------------- */

static const char *copy(char **at, const char *s)
{
	size_t n = strlen(s) + 1;
	char *to = *at;

	memcpy(to, s, n);
	*at += n;
	return to;
}

struct reg_route *reg_route_new(struct reg_engine *e, const struct reg_arrival *from,
				const struct reg_route_h *h, void *arg)
{
	struct reg_route *r = g_new0(struct reg_route, 1);
	struct reg_account *of_token = *from->token ? index_token(e, from->token) : NULL;
	char *at;

	r->e = e;
	r->h = h;
	r->arg = arg;
	r->gen = e->gen;
	gen_use(r->gen);
	at = r->text = g_malloc(strlen(from->uri_user) + strlen(from->uri_host) +
				strlen(from->to_user) + strlen(from->from_user) +
				strlen(from->from_host) + strlen(from->asserted) +
				strlen(from->preferred) + 7);
	r->uri_user = copy(&at, from->uri_user);
	r->uri_host = copy(&at, from->uri_host);
	r->to_user = copy(&at, from->to_user);
	r->from_user = copy(&at, from->from_user);
	r->from_host = copy(&at, from->from_host);
	r->asserted = copy(&at, from->asserted);
	r->preferred = copy(&at, from->preferred);
	r->method = from->method;
	r->interface = from->interface;
	r->own_port = from->own_port;
	r->source = from->source;
	r->row = CONF_NONE;
	r->from = source_group(e, from, of_token);
	route_set_account(r, of_token);
	return r;
}

static void stop_trying(struct reg_route *r)
{
	park_leave(r);
	g_free(r->try);
	r->try = NULL;
}

void reg_route_end(struct reg_route *r)
{
	stop_trying(r);
	for (int i = 0; i < METERS; i++)
		if (r->meter[i])
			limit_give(r->e, r->meter[i]);
	for (size_t i = 0; i < G_N_ELEMENTS(r->lent); i++)
		if (r->lent[i])
			gen_leave(r->e, r->lent[i]);
	gen_leave(r->e, r->gen);
	g_free(r->text);
	g_free(r);
}

static void refuse(struct reg_route *r, uint16_t code, const char *reason, uint32_t retry_after)
{
	struct reg_refusal x = { .code = code, .reason = reason, .retry_after = retry_after };

	park_leave(r);
	r->h->refuse(r->arg, r, &x);
}

static void said(struct reg_route *r, const char *by, const char *what, uint16_t code)
{
	if (code)
		snprintf(r->policy, sizeof r->policy, "%.20s: %.10s %u", by, what, code);
	else
		snprintf(r->policy, sizeof r->policy, "%.20s: %.20s", by, what);
}

void route_fail(struct reg_route *r, uint16_t code, const char *reason, uint32_t retry_after)
{
	refuse(r, code, reason, retry_after);
}

/* ---- limits ------------------------------------------------------------------------------ */

enum { METER_ALL, METER_FROM, METER_TO, METER_ACCOUNT };

static bool counts(struct reg_route *r, int which, struct reg_meter *m, uint32_t calls,
		   uint32_t rate)
{
	uint32_t wait;

	if (r->method != RG_M_INVITE || r->meter[which])
		return true;
	wait = limit_take(m, rg_now(r->e->timers), calls, rate);
	if (wait) {
		said(r, "core", calls && m->calls >= calls ? "MaxCalls" : "MaxCallRate", 0);
		route_fail(r, 503, "Service Unavailable", wait);
		return false;
	}
	r->meter[which] = m;
	return true;
}

static bool group_counts(struct reg_route *r, int which, struct reg_group *g)
{
	const struct conf_ip_group *row = group_row(r->e, g);

	if (!g || (which == METER_TO && g == r->from))
		return true;
	return counts(r, which, &g->meter, row ? row->max_calls : 0, row ? row->max_call_rate : 0);
}

static bool account_counts(struct reg_route *r)
{
	const struct reg_account *a = route_account(r);

	return !a || counts(r, METER_ACCOUNT, limit_of(r->e, a->id), a->conf->max_calls,
			    a->conf->max_call_rate);
}

uint32_t reg_route_calls(const struct reg_engine *e)
{
	return e->meter.calls;
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
		rg_reject(&v, 500, usual_500);
	else
		rg_reject(&v, 400, "Bad Request");
	return v;
}

static bool admitted(struct reg_route *r, struct reg_account *a, bool from_serving, bool other)
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
		said(r, by, "refuse", v.code);
		route_fail(r, v.code, v.reason, 0);
		return false;
	}
	r->admitted = true;
	return true;
}

/* ---- servers ------------------------------------------------------------------------------- */

/* The working server first, those that failed and those that are down last. */
static void base_list(struct reg_engine *e, struct reg_set *set, struct rg_list *l)
{
	struct rg_view v = { .srv = set->view, .nsrv = set->n };

	rg_list_ranked(l, &v, RG_PROXY);
	rg_list_sink_failed(l, &v);
	rg_list_sink_down(l, &v);
	balance(e, set, l);
}

static void fill(struct reg_route *r, struct reg_set *set)
{
	struct reg_account *a = r->to_serving ? route_account(r) : NULL;
	struct rg_list *l = &r->try->list;

	l->n = 0;
	r->try->at = r->try->again = 0;
	if (!set || !balance_enough(set))
		return;
	base_list(r->e, set, l);
	if (!a)
		return;
	chain_order(r->e, a, r->method == RG_M_SUBSCRIBE ? RG_FOR_SUBSCRIBE : RG_FOR_DIALOG, l,
		    NULL);
	if (a->n_mark && a->mark[a->n_mark - 1].by && a->mark[a->n_mark - 1].what == WHAT_ORDER)
		said(r, link_policy(a, a->mark[a->n_mark - 1].by - 1u)->m.name, "order", 0);
}

/* Go to the next server that can be asked, or wait for it, or give up. */
void route_next(struct reg_route *r)
{
	struct reg_account *a = r->to_serving ? route_account(r) : NULL;
	struct reg_try *t = r->try;

	for (; t->at < t->list.n && (a || !r->to_serving); t->at++) {
		struct reg_server *s = server_at(r->e, t->list.id[t->at]);

		if (!s)
			continue;
		if (!a || t->list.how[t->at] != RG_REGISTER_FIRST || a->registrar == s->id) {
			leg_go(r, s);
			return;
		}
		if (park(r, a, s))
			return;
	}
	if (t->code)
		route_fail(r, t->code, t->reason, t->retry_after);
	else
		route_fail(r, 500, usual_500, 0);
}

/* Its destination is known: is there room, and a server? */
static void start(struct reg_route *r)
{
	struct reg_account *a = r->to_serving ? route_account(r) : NULL;

	if (a && !a->set) {
		route_fail(r, 500, usual_500, 0);
		return;
	}
	if (a && !admitted(r, a, false, false))
		return;
	if (!group_counts(r, METER_TO, r->to) || !account_counts(r))
		return;
	if (!r->try)
		r->try = g_new0(struct reg_try, 1);
	fill(r, route_set(r));
	if (r->try->list.n)
		route_next(r);
	else
		route_fail(r, 503, "Service Unavailable", 0);
}

/* ---- destinations -------------------------------------------------------------------------- */

static void rule(struct reg_route *r, const char *text)
{
	g_strlcpy(r->rule, text, sizeof r->rule);
}

/* Which of the pair's accounts, by who calls; serving NULL: of any pair. */
static struct reg_account *caller_account(struct reg_route *r, const struct reg_group *serving)
{
	const char *user[] = { r->asserted, r->preferred, r->from_user };
	struct reg_account *a = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(user) && !a; i++)
		a = index_user(r->e, r->from, serving, user[i]);
	return a ? a : index_first(r->e, r->from, serving);
}

static void outbound(struct reg_route *r)
{
	struct reg_account *a = r->forced ? route_account(r) : caller_account(r, NULL);
	const struct conf *c = r->e->gen->conf;

	rule(r, "pair");
	route_set_account(r, a);
	if (a) {
		r->to_serving = true;
		r->to = a->serving;
	} else if (r->from->trunk && r->from->row != CONF_NONE &&
		   c->trunk_group[r->from->row].serving != CONF_NONE) {
		r->to = group_named(r->e, c->ip_group[c->trunk_group[r->from->row].serving].row.name);
	}
	if (r->to)
		start(r);
	else
		route_fail(r, 404, "Not Found", 0);
}

static void to_served(struct reg_route *r, const struct reg_account *a)
{
	r->to = a->served;
	if (!r->to || r->to == r->from)
		route_fail(r, 404, "Not Found", 0);
	else
		start(r);
}

/* Both sides may be one group: then only what surely names an account is for it. */
static void find_way(struct reg_route *r)
{
	struct reg_account *a = NULL, *named = route_account(r);
	bool other = false, serves = r->from->pairs->len > 0;
	enum inbound found = INBOUND_NOBODY;
	const char *by = "";

	route_set_account(r, NULL);
	if (r->forced)
		route_set_account(r, named);
	if (r->forced && r->to_serving) {
		outbound(r);
		return;
	}
	if (r->forced) {
		a = named;
		found = INBOUND_SURE;
	} else if (r->own_port || r->from->n_serving) {
		found = inbound_find(r, named, &a, &by, &other);
	}
	if (found == INBOUND_WEAK && serves)
		found = INBOUND_NOBODY;
	rule(r, by);
	if (found == INBOUND_REFUSED) {
		route_fail(r, 404, "Not Found", 0);
		return;
	}
	if (found == INBOUND_NOBODY) {
		outbound(r);
		return;
	}
	route_set_account(r, a);
	if (admitted(r, a, true, other))
		to_served(r, a);
}

void reg_route_begin(struct reg_route *r)
{
	const struct conf_gateway *g = &r->e->gen->conf->gateway;

	if (!r->from) {
		refuse(r, g->unknown_source_response, NULL, 0);
		return;
	}
	if (counts(r, METER_ALL, &r->e->meter, g->max_calls, g->max_call_rate) &&
	    group_counts(r, METER_FROM, r->from))
		find_way(r);
}

/* ---- answers ------------------------------------------------------------------------------- */

static bool lost(uint16_t code)
{
	return code == 0 || code == 408 || code == 503;
}

/* What the policies make of it; preset: the next server where the set has hot swap. */
static enum rg_verdict judge(struct reg_route *r, uint16_t code)
{
	struct reg_account *a = r->to_serving ? route_account(r) : NULL;
	struct reg_set *set = route_set(r);
	const struct conf_proxy_set *ps = set ? set_conf(set) : NULL;
	struct rg_act act = { .verdict = ps && ps->hot_swap && lost(code) ? RG_NEXT : RG_STOP };
	struct rg_event ev = { .type = RG_EV_RESULT, .method = r->method, .code = code,
			       .server = r->try->list.id[r->try->at] };

	if (r->to_serving && !a)
		return RG_STOP;
	if (set && server_at(r->e, ev.server))
		set_failed(r->e, set, ev.server, lost(code));
	if (a) {
		chain_event(r->e, a, &ev, &act, -1);
		account_timer(r->e, a);
		chain_act(r->e, a, &act);
		fsm_rethink(r->e, a);
	}
	return (enum rg_verdict)act.verdict;
}

void reg_route_answered(struct reg_route *r, uint16_t code, const char *reason,
			uint32_t retry_after)
{
	struct reg_try *t = r->try;
	enum rg_verdict verdict;

	if (!t)
		return;
	verdict = judge(r, code);
	if (code >= 200 && code < 300) {
		stop_trying(r);
		return;
	}
	t->code = code ? code : 408;
	t->retry_after = retry_after;
	g_strlcpy(t->reason, code && reason ? reason : "Request Timeout", sizeof t->reason);
	if (verdict == RG_NEXT || (verdict == RG_AGAIN && t->again++ < 20)) {
		t->at = (uint8_t)(t->at + (verdict == RG_NEXT));
		if (t->at < t->list.n) {
			route_next(r);
			return;
		}
	}
	route_fail(r, t->code, t->reason, retry_after);
}

void reg_route_info(const struct reg_route *r, struct reg_route_info *x)
{
	const struct reg_account *a = route_account(r);

	*x = (struct reg_route_info){
		.account = a ? account_name(a) : "", .from_group = r->from ? r->from->name : "",
		.to_group = r->to ? r->to->name : "", .rule = r->rule,
		.to_serving = r->to_serving, .admitted = r->admitted, .server = r->server,
		.servers = r->servers, .policy = r->policy,
	};
}

/* ---- the simulator's ------------------------------------------------------------------------- */

struct reg_route *reg_route_of(struct reg_engine *e, const char *account, bool out,
			       const struct reg_arrival *from, const struct reg_route_h *h,
			       void *arg)
{
	uint32_t pos = e->gen ? conf_account_find(e->gen->conf, account) : CONF_NONE;
	struct reg_account *a = pos == CONF_NONE ? NULL : account_at(e, e->order[pos]);
	struct reg_route *r;

	if (!a)
		return NULL;
	r = reg_route_new(e, from, h, arg);
	r->forced = true;
	r->from = out ? a->served : a->serving;
	r->to_serving = out;
	route_set_account(r, a);
	return r;
}
