/*
 * answer.c -- what the end of a REGISTER means: a binding, another try, or a failure and
 * whose it is.
 */
#include "reg/reg.h"

#include "base/log.h"

enum {
	AGAIN_MOST = 20,	   /* same server, whatever a policy says */
	RETRY_AFTER_MOST_S = 3600, /* a registrar that lies about it loses no account */
	LATE_ATTEMPTS = 64	   /* of an account, since the one that is answered late */
};

/* About the account, not the server: nobody else will like it better, but the
 * search goes on; see the ladder in fsm.c. */
static bool about_account(const struct reg_answer *ans)
{
	if (ans->code == 401 || ans->code == 407) /* a nonce that was stale says nothing */
		return ans->refused_credentials;
	return ans->code == 403 || ans->code == 404 || ans->code == 604;
}

static bool about_server(uint16_t code)
{
	return code == 0 || code == 408 || code >= 500;
}

static void marks(struct reg_engine *e, struct reg_account *a, uint32_t server, uint16_t code,
		  bool account)
{
	int rank = set_rank(a->set, server);
	uint64_t all = 0;

	if (rank < 0)
		return;
	for (uint32_t i = 0; i < a->set->n; i++)
		if (a->set->view[i].roles & RG_REGISTRAR)
			all |= (uint64_t)1 << i;
	a->tried |= (uint64_t)1 << rank;
	if (account)
		a->forbade |= (uint64_t)1 << rank;
	else
		a->forbade &= ~((uint64_t)1 << rank);
	if ((a->tried & all) == all)
		a->tried = (uint64_t)1 << rank; /* a new turn, but not with this one first */
	if (about_server(code))
		set_failed(e, a->set, server, true);
}

enum rg_verdict answer_failed(struct reg_engine *e, struct reg_account *a,
			      const struct reg_answer *ans)
{
	const struct conf_proxy_set *ps = set_conf(a->set);
	struct reg_round *r = a->round;
	uint16_t code = ans->code >= 200 && ans->code < 300 ? 500 : ans->code;
	struct rg_event ev = { .type = RG_EV_RESULT, .method = RG_M_REGISTER, .code = code,
			       .server = r->server, .retry_after = ans->retry_after };
	struct rg_act act = { .verdict = ps && ps->hot_swap ? RG_NEXT : RG_WAIT };
	uint32_t homes = code && code != 503
				 ? 0 : registrar_failed(a->set, r->server, r->sent_at);

	if (act.verdict == RG_NEXT && r->again + 1u < homes)
		act.verdict = RG_AGAIN; /* the same registrar at its next address */
	a->last_code = ans->code;
	a->reason = reason_intern(e, ans->reason);
	a->failures++;
	e->counts.register_failed++;
	if (ans->retry_after)
		account_bar(a, r->server,
			    rg_now(e->timers) +
				    1000 * (rg_ms)MIN(ans->retry_after, RETRY_AFTER_MOST_S));
	marks(e, a, r->server, code, about_account(ans));
	chain_event(e, a, &ev, &act, -1);
	chain_act(e, a, &act);
	if (act.verdict == RG_AGAIN && r->again++ >= AGAIN_MOST)
		return RG_NEXT;
	return act.verdict;
}

/* ---- answers ------------------------------------------------------------------------- */

static bool success(const struct reg_answer *ans)
{
	return ans->code >= 200 && ans->code < 300 && ans->bound && ans->expires;
}

static void bound(struct reg_engine *e, struct reg_account *a, struct reg_server *s,
		  const struct reg_answer *ans)
{
	uint32_t most = account_gateway(a)->max_registration_time, granted = ans->expires;
	char from[RG_ADDR_TEXT], to[RG_ADDR_TEXT];

	if (most && granted > most) {
		rg_warn("%s: a lease of %u s is taken for %u s (MaxRegistrationTime)",
			account_name(a), granted, most);
		granted = most;
	}
	if (ans->sent_to.family && a->registrar != s->id)
		rg_info("%s: %s has sent it to %s", account_name(a), rg_addr_text(&s->addr, from),
			rg_addr_text(&ans->sent_to, to));
	a->last_code = ans->code;
	a->reason = reason_intern(e, ans->reason);
	a->ok++;
	e->counts.register_ok++;
	a->shortened = a->round && a->round->ask < account_gateway(a)->registration_time;
	round_end(e, a);
	fsm_bind(e, a, s, granted);
	round_settled(e, a);
}

/* An answer to an attempt that was given up: welcome while there is nothing better. */
static void late(struct reg_engine *e, struct reg_account *a, uint64_t token,
		 const struct reg_answer *ans)
{
	struct reg_server *s = server_at(e, (uint32_t)(token >> 16 & 0xfffff));

	if (!s || !ans->late || (uint16_t)(a->attempt - token) > LATE_ATTEMPTS)
		return; /* what is older may be of an account that had this id before */
	keepalive_heard(e, s);
	if (!success(ans) || a->registrar || a->dying || a->by_hand ||
	    set_rank(a->set, s->id) < 0 || (a->state != RG_SEARCHING && a->state != RG_BACKOFF))
		return;
	round_cancel(e, a);
	bound(e, a, s, ans);
}

/* 423: Min-Expires is adopted once per attempt. */
static bool too_brief(struct reg_account *a, const struct reg_answer *ans)
{
	struct reg_round *r = a->round;

	if (ans->code != 423 || r->adopted || ans->min_expires <= r->ask ||
	    ans->min_expires > account_gateway(a)->max_registration_time)
		return false;
	r->adopted = true;
	a->floor = ans->min_expires;
	a->floor_of = r->server;
	return true;
}

/* The round has lost its purpose while the answer was awaited. */
static bool unwanted(struct reg_engine *e, struct reg_account *a)
{
	const char *by;
	enum rg_goal goal = chain_goal(e, a, &by);

	return goal == RG_UNREGISTER || (goal == RG_HOLD && !a->registrar);
}

void answer_bye(struct reg_engine *e, struct reg_account *a, uint32_t server, uint16_t code)
{
	struct rg_event ev = { .type = RG_EV_RESULT, .method = RG_M_REGISTER, .code = code,
			       .server = server };
	struct rg_act act = { .verdict = RG_STOP };

	if (!a->start_bye)
		return;
	a->start_bye = false;
	chain_event(e, a, &ev, &act, -1);
	account_timer(e, a);
	chain_act(e, a, &act);
}

void reg_answered(struct reg_engine *e, uint64_t token, const struct reg_answer *ans)
{
	struct reg_account *a = account_at(e, (uint32_t)(token >> 36));
	struct reg_round *r = a ? a->round : NULL;
	struct reg_server *s;
	enum rg_verdict v;

	if (!r || r->token != token || a->waits != WAITS_ANSWER) {
		struct reg_gen *gen = g_hash_table_lookup(e->goodbyes, &token);

		if (gen) {
			g_hash_table_remove(e->goodbyes, &token);
			gen_leave(e, gen);
			return;
		}
		if (a)
			late(e, a, token, ans);
		return;
	}
	s = server_at(e, r->server);
	a->waits = WAITS_NOT;
	e->busy--;
	if (s)
		server_leave(e, s, r, ans);
	if (a->state == RG_UNREGISTERING) {
		a->last_code = ans->code;
		a->reason = reason_intern(e, ans->reason);
		answer_bye(e, a, r->server, ans->code);
		round_over(e, a, RG_NEXT);
		return;
	}
	/* A list without the server came into force meanwhile: when this round is over a
	 * search begins, which is remembered. */
	if ((!s || set_rank(a->set, s->id) < 0) && success(ans))
		fsm_do(e, a, RG_DO_RESTART);
	if (s && success(ans)) {
		bound(e, a, s, ans);
		return;
	}
	if (s && too_brief(a, ans) && !unwanted(e, a)) {
		round_follow(e, a, RG_AGAIN);
		return;
	}
	if (ans->code >= 200 && ans->code < 300) {
		struct reg_answer lie = *ans;

		lie.reason = success(ans) ? "the server has left the proxy set"
			     : ans->bound ? "granted no time" : "the answer has no binding of ours";
		v = answer_failed(e, a, &lie);
	} else if (!unwanted(e, a) && round_resends(e, a, ans)) {
		return;
	} else {
		v = answer_failed(e, a, ans);
	}
	round_follow(e, a, v != RG_STOP && unwanted(e, a) ? RG_WAIT : v);
}

/* The connection broke: policies hear of it, and with ReRegisterOnConnectionFailure
 * the accounts bound there REGISTER anew. */
void reg_disconnected(struct reg_engine *e, const struct rg_addr *addr, uint32_t interface)
{
	int8_t again = e->gen->conf->gateway.reregister_on_connection_failure;
	struct rg_event ev = { .type = RG_EV_CONN_LOST };

	for (guint i = 1; i < e->server->len; i++) {
		struct reg_server *s = g_ptr_array_index(e->server, i);

		if (!s || !rg_addr_equal(&s->addr, addr) || server_interface(e, s) != interface)
			continue;
		ev.server = s->id;
		for (guint k = 0; k < s->sets->len; k++) {
			struct reg_set *set = g_ptr_array_index(s->sets, k);

			walk_members(e, &set->members, &ev);
			if (again > 0 || (again < 0 && addr->transport == RG_TLS))
				walk_bound(e, &set->members, s->id, RG_DO_REFRESH);
		}
	}
}

void reg_seen_elsewhere(struct reg_engine *e, const struct rg_addr *addr, uint32_t interface)
{
	char text[RG_ADDR_TEXT];

	rg_info("server %s sees us at another address", rg_addr_text(addr, text));
	for (guint i = 1; i < e->server->len; i++) {
		struct reg_server *s = g_ptr_array_index(e->server, i);

		if (!s || !rg_addr_equal(&s->addr, addr) || server_interface(e, s) != interface)
			continue;
		for (guint k = 0; k < s->sets->len; k++) {
			struct reg_set *set = g_ptr_array_index(s->sets, k);

			walk_received(e, &set->members, s->id);
		}
	}
}
