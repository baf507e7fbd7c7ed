/*
 * call.c -- a dialog-opening request of the served side, as the engine sees it: is it
 * let in, which server gets it, what does the answer mean.  A call may have to wait
 * until the account is registered at the server it is for (RG_REGISTER_FIRST).
 */
#include "reg/reg.h"

#include <string.h>

enum { PARKED_MOST = 8 }; /* calls of one account that wait for a registration */

struct reg_call {
	struct reg_engine *e;
	uint32_t account;
	uint8_t dialogue[16]; /* of the account: its id may go to another one */
	struct rg_list list;
	uint8_t at, method;
	uint8_t again;
	bool waits; /* for the registration at list.id[at] */
	bool asked; /* that registration was begun */
	char caller[128];
	const struct reg_call_h *h;
	void *arg;
	struct rg_timer give_up; /* while it waits */
};

/* NULL: the account is gone. */
static struct reg_account *account_of(const struct reg_call *c)
{
	struct reg_account *a = account_at(c->e, c->account);

	return a && !memcmp(a->dialogue.id, c->dialogue, sizeof c->dialogue) ? a : NULL;
}

static void call_free(struct reg_call *c)
{
	rg_timer_stop(c->e->timers, &c->give_up);
	c->e->parked = g_list_remove(c->e->parked, c);
	g_free(c);
}

static void refuse(struct reg_call *c, uint16_t code, const char *reason)
{
	const struct reg_call_h *h = c->h;
	void *arg = c->arg;

	call_free(c);
	h->refuse(arg, code, reason);
}

static const char *from_host(const struct reg_account *a)
{
	const char *group = a->gen->conf->ip_group[a->conf->serving].sip_group_name;

	return a->registrar && *a->conf->host_name ? a->conf->host_name : group;
}

static bool more(const struct reg_call *c)
{
	return c->at + 1 < c->list.n;
}

static void go(struct reg_call *c, struct reg_account *a, struct reg_server *s)
{
	struct reg_outgoing o;
	struct reg_call_to to;

	request_make(c->e, a, s, c->method, 0, more(c), &o);
	to.m = request_message(c->e, a, s, &o);
	to.server = s->id;
	to.from_host = *from_host(a) ? from_host(a) : o.q.aor_host;
	if (!a->registrar) /* registration disabled or failed */
		to.m.contact_user = c->caller;
	c->h->go(c->arg, c, &to);
}

static void give_up(void *arg);

static unsigned parked(const struct reg_call *c)
{
	unsigned n = 0;

	for (GList *l = c->e->parked; l; l = l->next)
		n += ((struct reg_call *)l->data)->account == c->account;
	return n;
}

/* Register there first.  false: too many wait already. */
static bool park(struct reg_call *c, struct reg_account *a, struct reg_server *s)
{
	const struct conf_proxy_set *ps = set_conf(a->set);
	rg_ms wait = ps && ps->total_timeout ? 1000 * (rg_ms)ps->total_timeout : 32000;

	if (parked(c) >= PARKED_MOST)
		return false;
	c->waits = true;
	c->asked = false;
	c->e->parked = g_list_append(c->e->parked, c);
	rg_timer_set(c->e->timers, &c->give_up, rg_now(c->e->timers) + wait, give_up, c);
	if (!fsm_busy(a)) {
		c->asked = true;
		a->wish = s->id;
		fsm_do(c->e, a, RG_DO_RESTART);
	}
	return true;
}

/* Go to the next server that can be asked, or wait for it, or give up. */
static void next(struct reg_call *c)
{
	struct reg_account *a = account_of(c);

	c->waits = false;
	c->e->parked = g_list_remove(c->e->parked, c);
	rg_timer_stop(c->e->timers, &c->give_up);
	for (; a && !a->dying && c->at < c->list.n; c->at++) {
		struct reg_server *s = server_at(c->e, c->list.id[c->at]);

		if (!s)
			continue;
		if (c->list.how[c->at] != RG_REGISTER_FIRST || a->registrar == s->id) {
			go(c, a, s);
			return;
		}
		if (park(c, a, s))
			return;
	}
	refuse(c, 500, "Server Internal Error");
}

static void give_up(void *arg)
{
	struct reg_call *c = arg;

	c->at++;
	next(c);
}

/* The account is registered anew: the calls for that server go on. */
void call_bound(struct reg_engine *e, struct reg_account *a)
{
	a->wish = 0;
	for (GList *l = e->parked, *then; l; l = then) {
		struct reg_call *c = l->data;

		then = l->next;
		if (c->account == a->id && c->list.id[c->at] == a->registrar)
			next(c);
	}
}

/* A round is over, and the account not where a call wants it: the call goes to its
 * next server, or the round that it waited for begins now. */
void call_settled(struct reg_engine *e, struct reg_account *a)
{
	a->wish = 0;
	for (GList *l = e->parked, *then; l; l = then) {
		struct reg_call *c = l->data;

		then = l->next;
		if (c->account != a->id || c->list.id[c->at] == a->registrar)
			continue;
		if (c->asked) {
			c->at++;
			next(c);
		} else if (!fsm_busy(a)) {
			c->asked = true;
			a->wish = c->list.id[c->at];
			fsm_do(e, a, RG_DO_RESTART);
		}
	}
}

void call_drop(struct reg_engine *e, struct reg_account *a)
{
	for (GList *l = e->parked, *then; l; l = then) {
		struct reg_call *c = l->data;

		then = l->next;
		if (c->account == a->id)
			refuse(c, 500, "Server Internal Error");
	}
}

/* ---- admission -------------------------------------------------------------------------- */

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

/* Those without a policy: the working server first. */
static void base_list(const struct rg_view *v, struct rg_list *l)
{
	rg_list_ranked(l, v, RG_PROXY);
	rg_list_sink_failed(l, v);
	rg_list_sink_down(l, v);
}

static struct reg_account *account_named(struct reg_engine *e, const char *name)
{
	uint32_t pos = e->gen ? conf_account_find(e->gen->conf, name) : CONF_NONE;

	return pos == CONF_NONE ? NULL : account_at(e, e->order[pos]);
}

struct reg_call *reg_call_out(struct reg_engine *e, const char *name, uint8_t method,
			      const char *caller, const struct reg_call_h *h, void *arg)
{
	struct reg_account *a = account_named(e, name);
	struct rg_dialog d = { .method = method };
	struct rg_account acc;
	struct rg_admit v;
	struct reg_call *c;
	struct rg_view view;

	if (!a || !a->set) {
		h->refuse(arg, 500, "Server Internal Error");
		return NULL;
	}
	v = preset(a);
	chain_admit(e, a, &d, &v);
	if (v.code) {
		h->refuse(arg, v.code, v.reason);
		return NULL;
	}
	c = g_new0(struct reg_call, 1);
	c->e = e;
	c->account = a->id;
	memcpy(c->dialogue, a->dialogue.id, sizeof c->dialogue);
	c->method = method;
	g_strlcpy(c->caller, caller, sizeof c->caller);
	c->h = h;
	c->arg = arg;
	account_view(e, a, &view, &acc);
	base_list(&view, &c->list);
	chain_order(e, a, method == RG_M_SUBSCRIBE ? RG_FOR_SUBSCRIBE : RG_FOR_DIALOG, &c->list,
		    NULL);
	if (!c->list.n) {
		refuse(c, 503, "Service Unavailable");
		return NULL;
	}
	next(c);
	return c;
}

static bool lost(uint16_t code)
{
	return code == 0 || code == 408 || code == 503;
}

void reg_call_answered(struct reg_call *c, uint16_t code, const char *reason)
{
	struct reg_account *a = account_of(c);
	const struct conf_proxy_set *ps = a && a->set ? set_conf(a->set) : NULL;
	bool good = code >= 200 && code < 300;
	struct rg_act act = { .verdict = ps && ps->hot_swap && lost(code) ? RG_NEXT : RG_STOP };
	struct rg_event ev = { .type = RG_EV_RESULT, .method = c->method, .code = code,
			       .server = c->list.id[c->at] };

	if (a && !a->dying) {
		struct reg_server *s = server_at(c->e, ev.server);

		if (lost(code) && s)
			set_failed(c->e, a->set, s->id, true);
		chain_event(c->e, a, &ev, &act, -1);
		account_timer(c->e, a);
		chain_act(c->e, a, &act);
		fsm_rethink(c->e, a);
	}
	if (good) {
		call_free(c);
		return;
	}
	if (act.verdict == RG_NEXT || (act.verdict == RG_AGAIN && c->again++ < 20)) {
		c->at = (uint8_t)(c->at + (act.verdict == RG_NEXT));
		if (c->at < c->list.n) {
			next(c);
			return;
		}
	}
	refuse(c, code ? code : 408, reason ? reason : "Request Timeout");
}

void reg_call_cancel(struct reg_call *c)
{
	call_free(c);
}

uint16_t reg_call_in(struct reg_engine *e, const char *name, uint8_t method,
		     const struct rg_addr *source, uint16_t local_port, bool matched_other,
		     const char **reason)
{
	struct reg_account *a = account_named(e, name);
	struct rg_dialog d = { .from_serving = true, .method = method,
			       .matched_other = matched_other, .local_port = local_port };
	struct rg_admit v = { 0, NULL };

	*reason = "Not Found";
	if (!a || !a->set)
		return 404;
	for (uint32_t i = 0; i < a->set->n && !d.source; i++)
		if (rg_addr_same_ip(&a->set->srv[i]->addr, source))
			d.source = a->set->view[i].id;
	chain_admit(e, a, &d, &v);
	*reason = v.reason ? v.reason : "";
	return v.code;
}
