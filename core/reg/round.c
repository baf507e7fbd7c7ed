/*
 * round.c -- a round of REGISTERs: which servers, in which order, one attempt after
 * the other.
 */
#include "reg/reg.h"

#include <errno.h>
#include <string.h>

enum {
	RESEND_MS = 500, RESEND_MOST_MS = 4000, /* as retransmissions: T1, T2 */
	UNREGISTER_MS = 4000, /* nobody waits longer for a good-bye */
	ROUNDS_KEPT = 2048
};

static struct reg_round *round_new(struct reg_engine *e)
{
	GSList *l = e->rounds_free;
	struct reg_round *r;

	if (!l)
		return g_new0(struct reg_round, 1);
	r = l->data;
	e->rounds_free = g_slist_delete_link(l, l);
	e->n_rounds_free--;
	memset(r, 0, sizeof *r);
	return r;
}

void round_end(struct reg_engine *e, struct reg_account *a)
{
	if (!a->round)
		return;
	if (a->round->gen)
		gen_leave(e, a->round->gen);
	if (e->n_rounds_free < ROUNDS_KEPT) {
		e->rounds_free = g_slist_prepend(e->rounds_free, a->round);
		e->n_rounds_free++;
	} else {
		g_free(a->round);
	}
	a->round = NULL;
	a->waits = WAITS_NOT;
}

/* Whatever it waits for, it waits no more. */
void round_cancel(struct reg_engine *e, struct reg_account *a)
{
	struct reg_server *s = a->round ? server_at(e, a->round->server) : NULL;

	if (a->waits == WAITS_START || a->waits == WAITS_NAME)
		pace_cancel(e, a);
	if (a->waits == WAITS_WINDOW && s)
		server_unwait(e, s, a);
	if (a->waits == WAITS_ANSWER) {
		e->port->forget(e->port->arg, a->round->token);
		e->busy--;
		if (s)
			server_abandon(e, s, a->round->token);
	}
	round_end(e, a);
}

/* ---- the list --------------------------------------------------------------------------- */

/* Without a policy: the working server first, then those that failed, then those
 * that are down; and not the same dead first server for ever. */
static void base_list(const struct reg_account *a, const struct rg_view *v, enum rg_purpose why,
		      struct rg_list *l)
{
	rg_list_ranked(l, v, RG_REGISTRAR);
	for (size_t i = 0; i < v->nsrv; i++)
		if (a->tried >> i & 1)
			rg_list_back(l, v->srv[i].id);
	rg_list_sink_failed(l, v);
	if (why == RG_FOR_SEARCH)
		rg_list_back(l, v->refused);
	rg_list_sink_down(l, v);
	if (!a->tried) /* what was tried keeps its place */
		balance(a->set->e, a->set, l);
}

void round_list(struct reg_engine *e, struct reg_account *a, enum rg_purpose why,
		struct rg_list *l, struct reg_explanation *x)
{
	struct rg_account acc;
	struct rg_view v;

	account_view(e, a, &v, &acc);
	base_list(a, &v, why, l);
	chain_order(e, a, why, l, x);
	if (a->wish && why == RG_FOR_SEARCH && rg_server(&v, a->wish))
		rg_list_only(l, a->wish); /* a call waits for just this registration */
}

static void drop_barred(struct reg_engine *e, struct reg_account *a, struct rg_list *l)
{
	for (uint8_t i = l->n; a->penalties && i-- > 0;)
		if (account_barred(a, l->id[i], rg_now(e->timers)))
			rg_list_drop(l, l->id[i]);
}

/* ---- one request --------------------------------------------------------------------------- */

/* The least Expires that the server is known to take. */
static uint32_t least(const struct reg_account *a, const struct reg_server *s)
{
	return a->floor_of == s->id ? a->floor : 0;
}

static int send(struct reg_engine *e, struct reg_account *a, struct reg_server *s)
{
	struct reg_round *r = a->round;
	bool leaving = a->state == RG_UNREGISTERING;
	bool more = r->at + 1 < r->list.n || (r->pinned && a->set->n > 1);
	struct reg_outgoing o;
	struct reg_message m;
	uint32_t ask = 0;
	int err;

	if (!leaving)
		ask = MAX(account_gateway(a)->registration_time, least(a, s));
	request_make(e, a, s, RG_M_REGISTER, ask, more, &o);
	if (!leaving)
		r->ask = MAX(o.q.expires, least(a, s));
	m = request_message(e, a, s, &o);
	m.token = r->token;
	m.expires = leaving ? 0 : r->ask;
	if (leaving) {
		m.all_contacts |= account_gateway(a)->unregistration_all;
		m.budget_ms = UNREGISTER_MS;
		m.retransmissions = 255;
	}
	r->resends = leaving ? 0 : o.resends;
	r->sent_at = rg_now(e->timers);
	err = m.server.family ? e->port->send_register(e->port->arg, &m) : EHOSTUNREACH;
	if (!err) {
		gen_use(a->gen);
		if (r->gen)
			gen_leave(e, r->gen);
		r->gen = a->gen;
		a->waits = WAITS_ANSWER;
		a->sent++;
		e->counts.register_sent++;
		e->busy++;
	}
	return err;
}

/* ---- the round ------------------------------------------------------------------------------- */

/* What was remembered while the round was on its way. */
void round_settled(struct reg_engine *e, struct reg_account *a)
{
	uint8_t pending = a->pending;

	a->pending = 0;
	if (e->parked)
		park_settled(e, a);
	if (pending && !a->dying)
		fsm_do(e, a, (enum rg_verb)(pending - 1));
	fsm_rethink(e, a);
}

void round_over(struct reg_engine *e, struct reg_account *a, enum rg_verdict why)
{
	bool pinned = a->round->pinned;

	round_end(e, a);
	if (a->state == RG_UNREGISTERING) {
		fsm_unregistered(e, a);
		return;
	}
	fsm_fruitless(e, a, why, pinned);
	round_settled(e, a);
}

/* The list of a long round may name a server that has left the set meanwhile, or is none
 * for registering any more; where none is, all are. */
static bool may_ask(const struct reg_account *a, const struct reg_server *s)
{
	int rank;

	if (!s || a->state == RG_UNREGISTERING)
		return s != NULL;
	rank = set_rank(a->set, s->id);
	return rank >= 0 && (a->set->view[rank].roles & RG_REGISTRAR || !set_registrars(a->set));
}

/* To the next candidate, or the same again; false: the round is over. */
static bool goes_on(struct reg_engine *e, struct reg_account *a, enum rg_verdict v)
{
	struct reg_round *r = a->round;

	if (v == RG_WAIT || v == RG_STOP) {
		round_over(e, a, v);
		return false;
	}
	if (v == RG_NEXT) {
		r->at++;
		r->adopted = false;
		r->again = r->resent = 0;
	}
	return true;
}

/* A server that refuses gets RetryCounts repetitions, as far apart as retransmissions
 * would be, before it counts as failed.  true: the account waits for the next one. */
bool round_resends(struct reg_engine *e, struct reg_account *a, const struct reg_answer *ans)
{
	struct reg_round *r = a->round;

	if (!ans->transport_failed || r->resent >= r->resends)
		return false;
	a->next_at = rg_now(e->timers) + MIN(RESEND_MS << MIN(r->resent, 10), RESEND_MOST_MS);
	r->resent++;
	a->waits = WAITS_RESEND;
	account_timer(e, a);
	return true;
}

/* Its registrar's name has never been resolved; the proxy itself may be well. */
static bool homeless(const struct reg_account *a, const struct reg_server *s)
{
	int rank = a->set ? set_rank(a->set, s->id) : -1;

	return rank >= 0 && !a->set->home[rank].family;
}

/* Try the candidates from r->at on until one request is on its way, or waits. */
static void attempt(struct reg_engine *e, struct reg_account *a)
{
	struct reg_round *r = a->round;

	if (ports_open(a)) { /* that is no server's fault */
		a->last_code = 0;
		a->reason = "its UDP port cannot be opened";
		a->failures++;
		round_over(e, a, RG_WAIT);
		return;
	}
	while (r->at < r->list.n) {
		struct reg_answer none = { .reason = "server is down" };
		struct reg_server *s = server_at(e, r->list.id[r->at]);
		enum rg_verdict v = RG_NEXT;

		if (!may_ask(a, s)) {
			r->at++;
			continue;
		}
		r->server = s->id;
		r->sent_at = 0;
		r->token = account_token(a, s->id);
		if (homeless(a, s)) {
			none.reason = "registrar's name does not resolve";
		} else if (!server_refuses(s)) {
			int err;

			if (!server_enter(e, s, a)) {
				a->waits = WAITS_WINDOW;
				return;
			}
			err = send(e, a, s);
			if (!err)
				return;
			none.transport_failed = true;
			none.reason = g_strerror(err);
			server_leave(e, s, r, &none);
			if (round_resends(e, a, &none))
				return;
		}
		if (a->state != RG_UNREGISTERING)
			v = answer_failed(e, a, &none);
		else
			answer_bye(e, a, r->server, 0);
		if (!goes_on(e, a, v))
			return;
	}
	round_over(e, a, RG_NEXT);
}

/* What a failed attempt is followed by. */
void round_follow(struct reg_engine *e, struct reg_account *a, enum rg_verdict v)
{
	if (goes_on(e, a, v))
		attempt(e, a);
}

void round_begin(struct reg_engine *e, struct reg_account *a, enum rg_purpose why)
{
	struct reg_round *r = a->round = round_new(e);
	const char *by;

	r->purpose = a->purpose = (uint8_t)why;
	a->n_mark = 0;
	a->next_at = RG_NEVER;
	if (a->state == RG_UNREGISTERING) { /* nothing is bound: the first that would be asked */
		if (a->set && a->set->n)
			round_list(e, a, why, &r->list, NULL);
		r->list.n = MIN(r->list.n, 1);
		attempt(e, a);
		return;
	}
	if (chain_goal(e, a, &by) == RG_UNREGISTER) { /* changed its mind while it waited */
		round_end(e, a);
		fsm_rethink(e, a);
		return;
	}
	fsm_move(e, a, why == RG_FOR_REFRESH ? RG_REFRESHING : RG_SEARCHING);
	account_timer(e, a);
	if (!a->set || !a->set->n) {
		a->last_code = 0;
		a->reason = a->set && a->set->n_names ? "name does not resolve" : "no server";
		round_over(e, a, RG_WAIT);
		return;
	}
	round_list(e, a, why, &r->list, NULL);
	drop_barred(e, a, &r->list);
	r->pinned = why == RG_FOR_REFRESH && r->list.n == 1 && r->list.id[0] == a->registrar;
	if (!r->list.n) {
		a->reason = "no server may be asked";
		round_over(e, a, RG_WAIT);
		return;
	}
	attempt(e, a);
}

/* Nobody waits for the answer to a good-bye any more. */
void round_goodbye_over(struct reg_engine *e, struct reg_account *a)
{
	struct reg_gen *gen = a->goodbye ? g_hash_table_lookup(e->goodbyes, &a->goodbye) : NULL;

	if (gen) {
		e->port->forget(e->port->arg, a->goodbye);
		g_hash_table_remove(e->goodbyes, &a->goodbye);
		gen_leave(e, gen);
	}
	a->goodbye = 0;
}

void round_unregister(struct reg_engine *e, struct reg_account *a, uint32_t server)
{
	if (a->state != RG_UNREGISTERING) { /* good-bye to a former registrar: no answer awaited */
		struct reg_server *s = server_at(e, server);
		uint8_t state = a->state, waits = a->waits;
		struct reg_round r = { .server = server, .list.n = 1 };

		r.token = account_token(a, server);
		round_goodbye_over(e, a);
		a->round = &r;
		a->state = RG_UNREGISTERING;
		if (s && !send(e, a, s)) { /* the generation stays until its answer */
			g_hash_table_insert(e->goodbyes, g_memdup2(&r.token, sizeof r.token),
					    r.gen);
			a->goodbye = r.token;
			e->busy--;
		}
		a->state = state;
		a->waits = waits;
		a->round = NULL;
		return;
	}
	a->round = round_new(e);
	a->round->list.n = 1;
	a->round->list.id[0] = server;
	attempt(e, a);
}

/* Its turn has come in the server's queue. */
void round_go(struct reg_engine *e, struct reg_account *a)
{
	struct reg_server *s = server_at(e, a->round->server);
	struct reg_answer none = { .transport_failed = true };
	enum rg_verdict v = RG_NEXT;
	int err;

	a->waits = WAITS_NOT;
	if (!may_ask(a, s)) {
		if (s)
			s->in_flight--;
		a->round->at++;
		attempt(e, a);
		return;
	}
	err = send(e, a, s);
	if (!err)
		return;
	none.reason = g_strerror(err);
	server_leave(e, s, a->round, &none);
	if (round_resends(e, a, &none))
		return;
	if (a->state != RG_UNREGISTERING)
		v = answer_failed(e, a, &none);
	round_follow(e, a, v);
}

void round_resend(struct reg_engine *e, struct reg_account *a)
{
	a->waits = WAITS_NOT;
	attempt(e, a);
}

void round_unanswered(struct reg_engine *e, struct reg_account *a)
{
	struct reg_answer none = { .reason = "server is down" };
	enum rg_verdict v = RG_NEXT;

	a->waits = WAITS_NOT;
	if (a->state != RG_UNREGISTERING)
		v = answer_failed(e, a, &none);
	round_follow(e, a, v);
}

