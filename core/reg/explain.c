/*
 * explain.c -- why an account is where it is: in a sentence, and step by step what each
 * policy makes of the list.
 */
#include "reg/reg.h"

#include <stdarg.h>
#include <stdio.h>

enum { LOOKED_AT = 1000 }; /* most members of a group, for the one that goes on */

struct words {
	char *buf;
	size_t n;
};

__attribute__((format(printf, 2, 3))) static void say(struct words *w, const char *fmt, ...)
{
	size_t used = strlen(w->buf);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->buf + used, w->n - used, fmt, ap);
	va_end(ap);
}

static long long seconds_to(const struct reg_engine *e, rg_ms at)
{
	return at <= rg_now(e->timers) ? 0 : (at - rg_now(e->timers) + 999) / 1000;
}

static const char *address(struct reg_engine *e, uint32_t id, char buf[RG_ADDR_TEXT])
{
	struct reg_server *s = server_at(e, id);

	return s ? rg_addr_text(&s->addr, buf) : "a server that is gone";
}

/* ---- held ------------------------------------------------------------------------------ */

static bool goes_on(const struct reg_account *a)
{
	return a->state == RG_SEARCHING || a->state == RG_BACKOFF || a->state == RG_REFRESHING;
}

/* Whom its group waits for: the first, if that one is at it, else one that is. */
static struct reg_account *waited_for(struct reg_engine *e, const struct reg_account *a,
				      const struct reg_share *s)
{
	struct reg_account *first = account_at(e, s->first_id);

	if (first && first != a && goes_on(first))
		return first;
	for (guint i = 0; i < s->member->len && i < LOOKED_AT; i++) {
		struct reg_account *b = account_at(e, g_array_index(s->member, uint32_t, i));

		if (b && b != a && goes_on(b))
			return b;
	}
	return first == a ? NULL : first;
}

static void say_group(struct reg_engine *e, const struct reg_account *a, const struct reg_share *s,
		      struct words *w)
{
	const struct reg_account *b = waited_for(e, a, s);

	if (!b)
		return;
	say(w, "; waits for account %s (%s", account_name(b), reg_state_name(b->state));
	if (b->next_at != RG_NEVER)
		say(w, ", tries again in %lld s", seconds_to(e, b->next_at));
	say(w, ")");
}

/* Keep-alive will tell its status. */
static bool finds_out(const struct reg_group *g)
{
	const struct conf_proxy_set *ps = g->set ? set_conf(g->set) : NULL;

	return ps && ps->keepalive;
}

static void say_served(const struct reg_account *a, struct words *w)
{
	const struct reg_group *g = a->served;
	bool trunk = a->conf->trunk != CONF_NONE;

	if (g && g->health == RG_DOWN)
		say(w, "; %s%s is %s", trunk ? "" : "served IP group ", g->name,
		    trunk ? "down" : "offline");
	else if (g && g->health == RG_UNKNOWN && finds_out(g))
		say(w, "; the status of served IP group %s is not known yet", g->name);
}

static void say_held(struct reg_engine *e, const struct reg_account *a, const char *by,
		     struct words *w)
{
	if (a->conf->withheld) {
		say(w, "RegistrationMode of its trunk group is not Per Account (5)");
		return;
	}
	if (a->heir_at != RG_NEVER) {
		say(w, "a reload has changed who it is: it waits for the un-REGISTER of the one "
		       "before, %lld s at most", seconds_to(e, a->heir_at));
		return;
	}
	if (a->stopped) {
		say(w, "a policy has stopped it after %u %s; \"register\" by hand begins anew",
		    a->last_code, a->reason);
		return;
	}
	for (unsigned i = 0; i < a->chain->n; i++) {
		const struct rg_policy *p = link_policy(a, i);

		if (strcmp(p->m.name, by))
			continue;
		say(w, "%s: %s", by, p->m.summary);
		if (p->wants & RG_WANTS_PORT && !a->port)
			say(w, "; none of AdditionalUDPPorts is free, asked again in %lld s",
			    a->next_at == RG_NEVER ? 0 : seconds_to(e, a->next_at));
		else if (p->group == RG_BY_NONE || p->group == RG_BY_TRUNK)
			say_served(a, w);
		else if (a->link[i].share)
			say_group(e, a, a->link[i].share, w);
	}
}

/* ---- at it --------------------------------------------------------------------------------- */

/* Those that are being looked up, or all. */
static void say_names(const struct reg_account *a, bool all, struct words *w)
{
	for (uint32_t i = 0; i < a->set->n_names; i++)
		if (all || a->set->names[i].token)
			say(w, " %s", names_host(a->set, &a->set->names[i]));
}

static void say_waits(struct reg_engine *e, const struct reg_account *a, struct words *w)
{
	const struct reg_round *r = a->round;
	const struct reg_server *s = r ? server_at(e, r->server) : NULL;
	const char *what = a->state == RG_UNREGISTERING ? "un-REGISTER" : "REGISTER";
	char text[RG_ADDR_TEXT];

	switch (a->waits) {
	case WAITS_START:
		say(w, "waits for its turn (RegisterRate), %u of proxy set %s do", a->set->start.n,
		    a->set->name);
		break;
	case WAITS_NAME:
		say(w, "waits for DNS:");
		say_names(a, false, w);
		break;
	case WAITS_WINDOW:
		if (s)
			say(w, "waits for a place at %s, as %u do: %u REGISTERs of at most %u are "
			       "unanswered there",
			    address(e, s->id, text), s->waiting.n, s->in_flight, s->window);
		break;
	case WAITS_ANSWER:
		say(w, "%s to %s is unanswered for %lld s", what, address(e, r->server, text),
		    (long long)(rg_now(e->timers) - r->sent_at) / 1000);
		if (r->list.n > 1)
			say(w, ", server %u of %u of this round", r->at + 1u, r->list.n);
		break;
	case WAITS_RESEND:
		say(w, "%s refuses, and is asked again in %lld s (RetryCounts: %u of %u)",
		    address(e, r->server, text), seconds_to(e, a->next_at), r->resent, r->resends);
		break;
	default:
		say(w, "between two steps");
		break;
	}
}

static void say_bound(struct reg_engine *e, const struct reg_account *a, struct words *w)
{
	struct reg_server *s = server_at(e, a->registrar);
	char text[RG_ADDR_TEXT];

	say(w, "registered at %s for %lld s more", address(e, a->registrar, text),
	    seconds_to(e, a->expires_at));
	if (a->state == RG_BOUND && a->next_at != RG_NEVER)
		say(w, ", refresh in %lld s", seconds_to(e, a->next_at));
	if (a->state == RG_BOUND && a->shortened)
		say(w, "; a policy asked for a shorter lease (%u s) than RegistrationTime",
		    a->granted);
	if (s && a->set && set_rank(a->set, s->id) < 0)
		say(w, "; it is in the list no more");
	else if (s && s->health == RG_DOWN)
		say(w, "; it was found down and is left at the next refresh");
}

/* ---- between rounds -------------------------------------------------------------------------- */

static bool every_registrar_barred(const struct reg_account *a, rg_ms now)
{
	bool any = false;

	for (uint32_t i = 0; a->set && i < a->set->n; i++) {
		if (!(a->set->view[i].roles & RG_REGISTRAR))
			continue;
		if (!account_barred(a, a->set->view[i].id, now))
			return false;
		any = true;
	}
	return any;
}

/* Which rule has set the pause, as backoff.c has it: after ForbiddenRetryTime it
 * begins the marks of the servers anew. */
static void say_pause(struct reg_engine *e, const struct reg_account *a, struct words *w)
{
	const struct conf_gateway *g = account_gateway(a);

	if (a->last_code >= 200 && a->last_code < 300 && !a->rounds)
		say(w, "the registrar has ended the binding");
	else if (a->last_code)
		say(w, "the last answer was %u %s", a->last_code, a->reason);
	else
		say(w, "%s", *a->reason ? a->reason : "no answer");
	if (a->set && !a->set->n && a->set->n_names) {
		say(w, ":");
		say_names(a, true, w);
	}
	say(w, "; next round in %lld s: ", seconds_to(e, a->next_at));
	if (a->forbidden && !a->tried && !a->forbade)
		say(w, "every registrar has refused the account itself (ForbiddenRetryTime)");
	else if (every_registrar_barred(a, rg_now(e->timers)))
		say(w, "every registrar has asked for it (Retry-After)");
	else if (g->max_backoff_time)
		say(w, "MaxRegistrationBackoffTime, %u rounds in vain", a->rounds);
	else
		say(w, "RegistrationRetryTime");
}

static void say_why(struct reg_engine *e, const struct reg_account *a, const char *by,
		    struct words *w)
{
	switch (a->state) {
	case RG_IDLE:
		say(w, a->by_hand ? "un-registered by hand, until \"register\" by hand or a restart"
				  : "Register = 0: it does not register");
		break;
	case RG_HELD:
		say_held(e, a, by, w);
		break;
	case RG_BOUND:
		say_bound(e, a, w);
		break;
	case RG_BACKOFF:
		say_pause(e, a, w);
		break;
	default:
		say_waits(e, a, w);
		if (a->registrar) {
			say(w, "; ");
			say_bound(e, a, w);
		}
		break;
	}
	if (a->later_at != RG_NEVER)
		say(w, "; a policy wants something of it in %lld s", seconds_to(e, a->later_at));
	if (a->wish)
		say(w, "; a call waits for its registration there");
}

/* ---- step by step ------------------------------------------------------------------- */

static const char *const goal_name[] = {
	[RG_UNREGISTER] = "unregister", [RG_HOLD] = "hold", [RG_REGISTER] = "register",
};
static const char *const verdict_name[] = {
	[RG_AGAIN] = "verdict: again", [RG_NEXT] = "verdict: next", [RG_WAIT] = "verdict: wait",
	[RG_STOP] = "verdict: stop",
};
static const char *const verb_name[] = {
	[RG_DO_REFRESH] = "do: refresh", [RG_DO_RESTART] = "do: restart",
	[RG_DO_UNREGISTER] = "do: unregister", [RG_DO_SUBSCRIBE] = "do: subscribe",
	[RG_DO_UNSUBSCRIBE] = "do: unsubscribe", [RG_DO_RESOLVE] = "do: resolve",
	[RG_DO_TRUNK_OUT] = "do: trunk out", [RG_DO_TRUNK_IN] = "do: trunk in",
	[RG_DO_TELL] = "do: tell",
};

static const char *const waits_name[] = {
	[WAITS_NOT] = "", [WAITS_START] = "its turn (RegisterRate)",
	[WAITS_NAME] = "the name to resolve", [WAITS_WINDOW] = "a place at the server",
	[WAITS_ANSWER] = "an answer", [WAITS_RESEND] = "its next repetition (RetryCounts)",
};

/* Those that have asked to be left alone for a while are not asked. */
static void without_barred(struct reg_engine *e, const struct reg_account *a, struct rg_list *l,
			   struct reg_explanation *x)
{
	struct reg_step *st = &x->now[x->n_now];
	uint8_t n = l->n;

	for (uint8_t i = l->n; i-- > 0;)
		if (account_barred(a, l->id[i], rg_now(e->timers)))
			rg_list_drop(l, l->id[i]);
	if (l->n == n || x->n_now == REG_STEPS)
		return;
	*st = (struct reg_step){ .by = "core", .what = "Retry-After", .n = l->n };
	memcpy(st->server, l->id, l->n * sizeof *l->id);
	x->n_now++;
}

static void last_step(const struct reg_account *a, const struct reg_mark *m, struct reg_step *st)
{
	st->by = !m->by ? "core" : m->by <= a->chain->n ? link_policy(a, m->by - 1u)->m.name : "?";
	st->n = 0;
	switch (m->what) {
	case WHAT_ORDER:
		st->what = m->arg == 255 ? "order: nobody" : "order: first";
		if (a->set && m->arg < a->set->n)
			st->server[st->n++] = a->set->view[m->arg].id;
		break;
	case WHAT_VERDICT:
		st->what = m->arg < G_N_ELEMENTS(verdict_name) ? verdict_name[m->arg] : "verdict";
		break;
	case WHAT_DO:
		st->what = m->arg < G_N_ELEMENTS(verb_name) ? verb_name[m->arg] : "do";
		break;
	default:
		st->what = "goal";
		break;
	}
}

bool reg_engine_explain(struct reg_engine *e, const char *name, struct reg_explanation *x)
{
	struct reg_account *a = account_find(e, name);
	struct words w = { x->why, sizeof x->why };
	bool bound = a && a->registrar;
	struct rg_list l = { .n = 0 };
	uint32_t turn;

	if (!a)
		return false;
	memset(x, 0, sizeof *x);
	x->goal = goal_name[chain_goal(e, a, &x->goal_by)];
	x->state = a->state;
	x->waits_for = waits_name[a->waits];
	if (a->by_hand)
		x->waits_for = "register (un-registered by hand)";
	else if (a->conf->withheld)
		x->waits_for = "RegistrationMode 5 of its trunk group";
	say_why(e, a, x->goal_by, &w);
	if (a->set && a->set->n) {
		turn = a->set->turn; /* of load balancing: asking takes none */
		round_list(e, a, bound ? RG_FOR_REFRESH : RG_FOR_SEARCH, &l, x);
		a->set->turn = turn;
		without_barred(e, a, &l, x);
	}
	x->last_purpose = !a->n_mark ? "" : a->purpose == RG_FOR_REFRESH ? "refresh" : "search";
	for (unsigned i = 0; i < a->n_mark; i++)
		last_step(a, &a->mark[i], &x->last[x->n_last++]);
	return true;
}
