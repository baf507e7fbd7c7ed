/*
 * route.c -- the way of a request that opens a dialog or stands alone: who may send it,
 * which group and account it is for, and what comes next when a server fails.
 */
#include "reg/routing.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

enum { T1_MS = 500, T2_MS = 4000 }; /* RFC 3261 17.1.2.2 */

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

static struct reg_words *words_of(const struct reg_arrival *from)
{
	struct reg_words *w;
	char *at;

	w = g_malloc(sizeof *w + strlen(from->uri_user) + strlen(from->uri_host) +
		     strlen(from->to_user) + strlen(from->from_user) + strlen(from->from_host) +
		     strlen(from->asserted) + strlen(from->preferred) + 7);
	at = w->text;
	w->uri_user = copy(&at, from->uri_user);
	w->uri_host = copy(&at, from->uri_host);
	w->to_user = copy(&at, from->to_user);
	w->from_user = copy(&at, from->from_user);
	w->from_host = copy(&at, from->from_host);
	w->asserted = copy(&at, from->asserted);
	w->preferred = copy(&at, from->preferred);
	return w;
}

struct reg_route *reg_route_new(struct reg_engine *e, const struct reg_arrival *from,
				const struct reg_route_h *h, void *arg)
{
	struct reg_route *r = g_new0(struct reg_route, 1);
	struct reg_account *of_token = *from->token ? index_token(e, from->token) : NULL;

	r->e = e;
	r->h = h;
	r->arg = arg;
	r->gen = e->gen;
	gen_use(r->gen);
	r->words = words_of(from);
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
	if (r->try)
		rg_timer_stop(r->e->timers, &r->try->resend);
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
	g_free(r->words);
	g_free(r);
}

static const char *method_name(uint8_t method)
{
	return method == RG_M_INVITE	  ? "INVITE"
	       : method == RG_M_SUBSCRIBE ? "SUBSCRIBE"
	       : method == RG_M_OPTIONS	  ? "OPTIONS" : "request";
}

void route_refuse(struct reg_route *r, uint16_t code, const char *reason, uint32_t retry_after)
{
	struct reg_refusal x = { .code = code, .reason = reason, .retry_after = retry_after };

	if (r->from && !(r->try && r->try->code)) /* the relay says it, too: not so often */
		rg_debug("%s from %s for '%s' refused: %u%s%s%s%s", method_name(r->method),
			r->from->name, r->words->uri_user, code, *r->rule ? ", " : "", r->rule,
			*r->policy ? ", " : "", r->policy);
	park_leave(r);
	r->h->refuse(r->arg, r, &x);
}

void route_said(struct reg_route *r, const char *by, const char *what, uint16_t code)
{
	if (code)
		snprintf(r->policy, sizeof r->policy, "%.20s: %.10s %u", by, what, code);
	else
		snprintf(r->policy, sizeof r->policy, "%.20s: %.20s", by, what);
}

/* The destination is no good: the alternative of its row gets the request, or the caller
 * the answer. */
static void fail(struct reg_route *r, uint16_t code, const char *reason, uint32_t retry_after)
{
	uint32_t row = r->row;

	while (row != CONF_NONE && (row = rows_alternative(r, row)) != CONF_NONE)
		if (way_row(r, row)) {
			route_start(r);
			return;
		}
	route_refuse(r, code, reason, retry_after);
}

/* What a server has said outlives what the gateway says of the alternatives. */
void route_fail(struct reg_route *r, uint16_t code, const char *reason, uint32_t retry_after)
{
	if (r->try && r->try->code)
		fail(r, r->try->code, r->try->reason, r->try->retry_after);
	else
		fail(r, code, reason, retry_after);
}

uint32_t reg_route_calls(const struct reg_engine *e)
{
	return e->meter.calls;
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
	r->try->at = r->try->again = r->try->resent = 0;
	if (!set || !balance_enough(set))
		return;
	base_list(r->e, set, l);
	if (!a)
		return;
	chain_order(r->e, a, r->method == RG_M_SUBSCRIBE ? RG_FOR_SUBSCRIBE : RG_FOR_DIALOG, l,
		    NULL);
	if (a->n_mark && a->mark[a->n_mark - 1].by && a->mark[a->n_mark - 1].what == WHAT_ORDER)
		route_said(r, link_policy(a, a->mark[a->n_mark - 1].by - 1u)->m.name, "order", 0);
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
	route_fail(r, 500, "Server Internal Error", 0);
}

/* Its destination is known: is there room, and a server? */
void route_start(struct reg_route *r)
{
	struct reg_account *a = r->to_serving ? route_account(r) : NULL;

	if (a && !a->set) {
		route_fail(r, 500, "Server Internal Error", 0);
		return;
	}
	if (a && !admit(r, a, false, false))
		return;
	if (!admit_group(r, METER_TO, r->to) || !admit_account(r))
		return;
	if (!r->try)
		r->try = g_new0(struct reg_try, 1);
	fill(r, route_set(r));
	if (!r->to)
		leg_go_address(r, route_row(r));
	else if (r->try->list.n)
		route_next(r);
	else
		route_fail(r, 503, "Service Unavailable", 0);
}

void reg_route_begin(struct reg_route *r)
{
	const struct conf_gateway *g = &r->e->gen->conf->gateway;

	if (!r->from) {
		route_refuse(r, g->unknown_source_response, NULL, 0);
		return;
	}
	if (admit_counts(r, METER_ALL, &r->e->meter, g->max_calls, g->max_call_rate) &&
	    admit_group(r, METER_FROM, r->from))
		way_find(r);
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
	if (set && server_at(r->e, ev.server)) {
		set_failed(r->e, set, ev.server, lost(code));
		server_told(r->e, server_at(r->e, ev.server), code != 0);
	}
	if (a) {
		chain_event(r->e, a, &ev, &act, -1);
		account_timer(r->e, a);
		chain_act(r->e, a, &act);
		fsm_rethink(r->e, a);
	}
	return (enum rg_verdict)act.verdict;
}

static void resend(void *arg)
{
	route_next(arg);
}

/* RetryCounts: a server that refuses is asked again as often as one that is silent, and as
 * far apart. */
static bool resends(struct reg_route *r, uint16_t code)
{
	struct reg_try *t = r->try;
	rg_ms now = rg_now(r->e->timers);

	if (code || now >= t->until || t->resent >= t->resends)
		return false;
	rg_timer_set(r->e->timers, &t->resend, now + MIN(T1_MS << MIN(t->resent, 10), T2_MS),
		     resend, r);
	t->resent++;
	return true;
}

void reg_route_answered(struct reg_route *r, uint16_t code, const char *reason,
			uint32_t retry_after)
{
	struct reg_try *t = r->try;
	enum rg_verdict verdict;

	if (!t || (r->to && t->at >= t->list.n) || resends(r, code))
		return;
	verdict = r->to ? judge(r, code) : RG_STOP;
	if (code >= 200 && code < 300) {
		stop_trying(r);
		g_free(r->words);
		r->words = NULL;
		return;
	}
	t->code = code ? code : 408;
	t->retry_after = retry_after;
	g_strlcpy(t->reason, code && reason ? reason : "Request Timeout", sizeof t->reason);
	if (verdict == RG_NEXT || (verdict == RG_AGAIN && t->again++ < 20)) {
		t->at = (uint8_t)(t->at + (verdict == RG_NEXT));
		t->resent = 0;
		if (t->at < t->list.n) {
			route_next(r);
			return;
		}
	}
	if (!code || rows_reason(r, code))
		route_fail(r, t->code, t->reason, retry_after);
	else
		route_refuse(r, t->code, t->reason, retry_after);
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
