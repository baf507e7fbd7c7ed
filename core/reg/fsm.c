/*
 * fsm.c -- the states of an account.  fsm_move() alone assigns the state; what is
 * wanted is asked of the policies after every event (fsm_rethink), and one step is
 * taken towards it.
 *
 *   IDLE, HELD   not registered: Register = 0 or by hand; a policy says not now
 *   SEARCHING    a round in search order; an old binding counts until its end
 *   BOUND        until the refresh timer, or a trigger
 *   REFRESHING   a round in refresh order
 *   BACKOFF      waits for the next round
 *   UNREGISTERING  Expires 0 sent
 */
#include "reg/reg.h"

#include "base/log.h"

enum { FLOOR_MS = 1000 /* no refresh earlier than this after a REGISTER */ };

bool fsm_busy(const struct reg_account *a)
{
	return a->round || a->waits != WAITS_NOT;
}

void fsm_move(struct reg_engine *e, struct reg_account *a, enum rg_state to)
{
	uint8_t from = a->state;

	ports_rest(a, to);
	if (from == to)
		return;
	e->counts.by_state[from]--;
	e->counts.by_state[to]++;
	a->state = (uint8_t)to;
	share_moved(e, a);
	if (e->opt.moved) {
		static struct reg_account_info info; /* large, and mostly not filled */
		struct reg_transition t = { rg_now(e->timers), from, (uint8_t)to, a->last_code,
					    a->registrar };

		info.id = a->id;
		info.name = account_name(a);
		info.index = a->conf->row.index;
		info.state = (uint8_t)to;
		info.leaving = a->dying;
		e->opt.moved(e->opt.arg, &info, &t);
	}
	/* A refresh that only renews is counted, not listed. */
	if (!(from == RG_BOUND && to == RG_REFRESHING) &&
	    !(from == RG_REFRESHING && to == RG_BOUND))
		account_note(e, a, from, (uint8_t)to);
}

/* ---- bound and unbound -------------------------------------------------------------- */

static void count_bound(struct reg_engine *e, struct reg_account *a, uint32_t server, int by)
{
	struct reg_server *s = server_at(e, server);
	int rank = a->set ? set_rank(a->set, server) : -1;

	if (rank >= 0)
		a->set->bound[rank] = (uint32_t)((int)a->set->bound[rank] + by);
	if (s) {
		s->bound_ids ^= a->id;
		server_bound(e, s, by);
	}
	e->counts.registered = (uint32_t)((int)e->counts.registered + by);
}

static void leave_old(struct reg_engine *e, struct reg_account *a, uint32_t old)
{
	if (old && server_at(e, old) && account_gateway(a)->unregister_old_registrar)
		round_unregister(e, a, old);
}

void fsm_bind(struct reg_engine *e, struct reg_account *a, struct reg_server *s, uint32_t granted)
{
	struct rg_event ev = { .type = RG_EV_BOUND, .server = s->id, .expires = granted };
	struct rg_act act = { .n = 0 };
	uint32_t old = a->registrar, refused = a->refused;
	char text[RG_ADDR_TEXT];

	if (old != s->id) {
		e->counts.failovers += old != 0;
		count_bound(e, a, s->id, 1);
	}
	a->registrar = s->id;
	a->granted = granted;
	a->bound_at = rg_now(e->timers);
	a->expires_at = a->bound_at + 1000 * (rg_ms)granted;
	a->next_at = a->bound_at + refresh_delay(e, a);
	a->tried = a->forbade = 0;
	a->failures = a->refused = 0;
	a->rounds = a->forbidden = 0;
	a->stopped = false;
	account_pardon(a, a->bound_at);
	if (a->set)
		set_failed(e, a->set, s->id, false);
	if (old != s->id) {
		rg_info("%s: registered at %s for %u s", account_name(a),
			rg_addr_text(&s->addr, text), granted);
		if (a->state == RG_REFRESHING) /* it moved: that is worth a line */
			account_note(e, a, RG_REFRESHING, RG_BOUND);
	} else {
		a->renewals++;
	}
	fsm_move(e, a, RG_BOUND);
	if (!old)
		share_bound(e, a, true);
	else
		share_moved(e, a);
	chain_event(e, a, &ev, &act, -1);
	account_timer(e, a);
	if (old && old != s->id) {
		leave_old(e, a, old);
		count_bound(e, a, old, -1);
	} else if (refused != s->id) {
		leave_old(e, a, refused); /* its refresh failed, but its lease may live */
	}
	chain_act(e, a, &act);
	park_bound(e, a);
}

void fsm_unbind(struct reg_engine *e, struct reg_account *a)
{
	struct rg_event ev = { .type = RG_EV_UNBOUND, .server = a->registrar };
	struct rg_act act = { .n = 0 };

	if (!a->registrar)
		return;
	count_bound(e, a, a->registrar, -1);
	a->registrar = 0;
	a->expires_at = RG_NEVER;
	share_bound(e, a, false);
	chain_event(e, a, &ev, &act, -1);
	chain_act(e, a, &act);
}

/* ---- a round without success --------------------------------------------------------- */

static void search(struct reg_engine *e, struct reg_account *a)
{
	fsm_move(e, a, RG_SEARCHING);
	a->next_at = RG_NEVER;
	account_timer(e, a);
	pace_start(e, a, RG_FOR_SEARCH);
}

static void back_to_bound(struct reg_engine *e, struct reg_account *a)
{
	rg_ms due = a->bound_at + 1000 * (rg_ms)a->granted * account_gateway(a)->time_divider / 100;

	a->next_at = MAX(due, rg_now(e->timers) + FLOOR_MS);
	fsm_move(e, a, RG_BOUND);
	account_timer(e, a);
}

static bool tried(const struct reg_account *a, uint32_t server)
{
	int rank = a->set ? set_rank(a->set, server) : -1;

	return rank >= 0 && a->tried >> rank & 1;
}

void fsm_fruitless(struct reg_engine *e, struct reg_account *a, enum rg_verdict why, bool pinned)
{
	bool refresh = a->purpose == RG_FOR_REFRESH;
	char code[8] = ""; /* none where nobody answered */
	const char *by;

	if (a->last_code)
		g_snprintf(code, sizeof code, "%u ", a->last_code);
	if (a->wish && a->registrar) { /* asked for a call alone: the binding stays */
		back_to_bound(e, a);
		return;
	}
	/* A try for a better server that was given up leaves the binding as it is; at one
	 * that is in the list no more only until the next try. */
	if (!refresh && a->registrar && why == RG_WAIT && !tried(a, a->registrar)) {
		back_to_bound(e, a);
		if (a->set && set_rank(a->set, a->registrar) < 0)
			a->next_at = MIN(a->next_at, rg_now(e->timers) + backoff_delay(e, a));
		account_timer(e, a);
		return;
	}
	if (a->registrar) {
		if (refresh) {
			rg_warn("%s: refresh failed: %s%s", account_name(a), code, a->reason);
			a->refused = a->registrar;
		}
		fsm_unbind(e, a);
	} else {
		rg_info("%s: not registered: %s%s", account_name(a), code, a->reason);
	}
	if (!refresh)
		a->refused = 0;
	if (a->rounds < UINT16_MAX)
		a->rounds++;
	e->opt.random(&a->seed, sizeof a->seed);
	a->stopped = why == RG_STOP;
	if (chain_goal(e, a, &by) != RG_REGISTER) {
		fsm_move(e, a, RG_HELD);
		account_timer(e, a);
		return; /* fsm_rethink goes on */
	}
	if (refresh && why == RG_NEXT && pinned) {
		search(e, a); /* the refresh asked the registrar alone: now the others */
		return;
	}
	fsm_move(e, a, RG_BACKOFF);
	a->next_at = rg_now(e->timers) + backoff_delay(e, a);
	account_timer(e, a);
}

/* ---- what is wanted -------------------------------------------------------------------- */

static void unregister(struct reg_engine *e, struct reg_account *a)
{
	struct reg_server *s = server_at(e, a->registrar);
	uint32_t server = a->registrar;

	if (s)
		s->uses++; /* until the good-bye is sent */
	fsm_unbind(e, a);
	a->next_at = RG_NEVER;
	fsm_move(e, a, RG_UNREGISTERING);
	account_timer(e, a);
	round_unregister(e, a, server);
	if (s)
		server_put(e, s);
}

/* Un-REGISTER without a binding of ours: former ones of the AOR are to be forgotten. */
static void forget_old(struct reg_engine *e, struct reg_account *a)
{
	if (a->conf->reg == RG_REG_NO || !a->set || a->dying)
		return;
	ports_unwait(e, a);
	a->next_at = RG_NEVER;
	a->start_bye = true;
	fsm_move(e, a, RG_UNREGISTERING);
	account_timer(e, a);
	pace_start(e, a, RG_FOR_SEARCH);
}

static void rest(struct reg_engine *e, struct reg_account *a, bool idle)
{
	if (a->dying) {
		if (a->heir_at == RG_NEVER) /* else who comes after it waits as well */
			account_free(e, a);
		return;
	}
	if (idle)
		ports_unwait(e, a);
	a->next_at = a->port_pool ? rg_now(e->timers) + backoff_delay(e, a) : RG_NEVER;
	fsm_move(e, a, idle ? RG_IDLE : RG_HELD);
	account_timer(e, a);
}

void fsm_rethink(struct reg_engine *e, struct reg_account *a)
{
	const char *by;
	enum rg_goal goal;

	if (!a->by_hand && !a->dying && a->conf->reg != RG_REG_NO)
		ports_lease(e, a);
	goal = chain_goal(e, a, &by);
	if (a->waits != WAITS_NOT && a->waits != WAITS_ANSWER && a->state != RG_UNREGISTERING &&
	    (goal == RG_UNREGISTER || (goal == RG_HOLD && a->state != RG_REFRESHING))) {
		round_cancel(e, a);
		if (a->registrar)
			back_to_bound(e, a);
	}
	if (fsm_busy(a) || a->state == RG_UNREGISTERING)
		return; /* asked again when the answer is here */
	switch (goal) {
	case RG_REGISTER:
		if (a->state == RG_IDLE || a->state == RG_HELD)
			search(e, a);
		break;
	case RG_HOLD:
		if (!a->registrar)
			rest(e, a, false);
		break;
	case RG_UNREGISTER:
		if (a->registrar)
			unregister(e, a);
		else
			rest(e, a, a->by_hand || a->conf->reg == RG_REG_NO);
		break;
	}
}

static void remember(struct reg_account *a, enum rg_verb verb)
{
	if (!a->pending || verb > (enum rg_verb)(a->pending - 1))
		a->pending = (uint8_t)(verb + 1);
}

static void restart(struct reg_engine *e, struct reg_account *a)
{
	const char *by;

	if (a->by_hand || a->dying || a->conf->reg == RG_REG_NO)
		return;
	if (fsm_busy(a) || a->state == RG_UNREGISTERING)
		remember(a, RG_DO_RESTART);
	else if (chain_goal(e, a, &by) == RG_REGISTER)
		search(e, a);
}

static void refresh(struct reg_engine *e, struct reg_account *a)
{
	if (fsm_busy(a) || a->state == RG_UNREGISTERING)
		remember(a, RG_DO_REFRESH);
	else if (a->registrar)
		round_begin(e, a, RG_FOR_REFRESH);
}

void fsm_do(struct reg_engine *e, struct reg_account *a, enum rg_verb verb)
{
	switch (verb) {
	case RG_DO_REFRESH:
		refresh(e, a);
		break;
	case RG_DO_RESTART:
		restart(e, a);
		break;
	case RG_DO_UNREGISTER:
		if (fsm_busy(a))
			remember(a, verb);
		else if (a->registrar)
			unregister(e, a);
		else if (a->state != RG_UNREGISTERING)
			forget_old(e, a);
		break;
	case RG_DO_SUBSCRIBE:
		subscription_begin(e, a);
		break;
	case RG_DO_UNSUBSCRIBE:
		subscription_end(e, a, true);
		break;
	case RG_DO_RESOLVE:
		if (a->set)
			set_resolve(e, a->set, true);
		break;
	case RG_DO_TRUNK_OUT:
	case RG_DO_TRUNK_IN:
		trunk_service(e, a, verb == RG_DO_TRUNK_IN);
		break;
	default:
		break;
	}
}

/* The registrar has cut the lease short (reg event). */
void fsm_shorten(struct reg_engine *e, struct reg_account *a, uint32_t left)
{
	rg_ms until = rg_now(e->timers) + 1000 * (rg_ms)left;

	if (!a->registrar || until >= a->expires_at)
		return;
	a->expires_at = until;
	a->granted = left;
	a->bound_at = rg_now(e->timers);
	if (a->state == RG_BOUND)
		a->next_at = a->bound_at + refresh_delay(e, a);
	account_timer(e, a);
}

/* The registrar has dropped the binding (reg event); the policies say what follows,
 * and the retry time if they say nothing.  An account that is refused waits as if every
 * registrar had said so to its REGISTER. */
void fsm_lost(struct reg_engine *e, struct reg_account *a, uint32_t retry_after, bool refused)
{
	if (!a->registrar || a->state == RG_UNREGISTERING)
		return;
	rg_notice("%s: the registrar has ended the binding", account_name(a));
	fsm_unbind(e, a);
	if (a->state != RG_BOUND)
		return; /* a round is on its way */
	fsm_move(e, a, RG_BACKOFF);
	if (refused)
		a->forbade = UINT64_MAX;
	a->next_at = rg_now(e->timers) +
		     (retry_after ? 1000 * (rg_ms)MIN(retry_after, 3600) : backoff_delay(e, a));
	account_timer(e, a);
}

void fsm_unregistered(struct reg_engine *e, struct reg_account *a)
{
	e->opt.random(&a->seed, sizeof a->seed);
	fsm_move(e, a, a->by_hand || a->dying || a->conf->reg == RG_REG_NO ? RG_IDLE : RG_HELD);
	a->pending = 0;
	answer_bye(e, a, 0, 0); /* nobody can have answered: whoever waits waits no more */
	fsm_rethink(e, a);
}

/* The round was given up from outside: nobody will answer. */
void fsm_cancelled(struct reg_engine *e, struct reg_account *a)
{
	if (a->state == RG_UNREGISTERING)
		fsm_unregistered(e, a);
	else if (a->registrar)
		back_to_bound(e, a);
}

void fsm_tell(struct reg_engine *e, struct reg_account *a, const struct rg_event *ev)
{
	struct rg_act act = { .n = 0 };

	if (a->dying)
		return;
	chain_event(e, a, ev, &act, -1);
	account_timer(e, a);
	chain_act(e, a, &act);
	fsm_rethink(e, a);
}

/* The one before it is gone, or has had its time. */
void fsm_inherit(struct reg_engine *e, struct reg_account *a)
{
	if (a->heir_at == RG_NEVER)
		return;
	a->heir_at = RG_NEVER;
	account_timer(e, a);
	fsm_rethink(e, a);
}

/* ---- time ---------------------------------------------------------------------------- */

static void expired(struct reg_engine *e, struct reg_account *a)
{
	const char *by;

	rg_warn("%s: the binding has expired", account_name(a));
	fsm_unbind(e, a);
	if (a->state != RG_BOUND)
		return;
	if (chain_goal(e, a, &by) == RG_REGISTER)
		search(e, a);
	else
		fsm_rethink(e, a);
}

static void next(struct reg_engine *e, struct reg_account *a)
{
	const char *by;

	a->next_at = RG_NEVER;
	if (a->waits == WAITS_RESEND) {
		round_resend(e, a);
		return;
	}
	if (a->state == RG_BOUND) {
		round_begin(e, a, RG_FOR_REFRESH);
		return;
	}
	if (a->port_pool) {
		ports_retry(e, a);
		a->next_at = rg_now(e->timers) + backoff_delay(e, a);
		return;
	}
	if (a->state != RG_BACKOFF)
		return;
	if (chain_goal(e, a, &by) == RG_REGISTER)
		search(e, a);
	else
		fsm_rethink(e, a);
}

void fsm_timer(struct reg_engine *e, struct reg_account *a)
{
	rg_ms now = rg_now(e->timers);
	uint32_t id = a->id;
	bool woken = false;

	if (a->registrar && now >= a->expires_at)
		expired(e, a);
	for (unsigned i = 0; i < a->chain->n; i++) {
		struct rg_event ev = { .type = RG_EV_TIMER };
		struct rg_act act = { .n = 0 };

		if (now < a->link[i].wake)
			continue;
		a->link[i].wake = RG_NEVER;
		woken = true;
		chain_event(e, a, &ev, &act, (int)i);
		chain_act(e, a, &act);
	}
	if (now >= a->later_at) {
		uint8_t verb = (uint8_t)(a->later - 1);

		a->later_at = RG_NEVER;
		a->stopped = false;
		fsm_do(e, a, verb);
	}
	if (now >= a->heir_at)
		fsm_inherit(e, a);
	if (now >= a->next_at)
		next(e, a);
	if (woken && a->id == id)
		fsm_rethink(e, a);
	if (a->id == id)
		account_timer(e, a);
}
