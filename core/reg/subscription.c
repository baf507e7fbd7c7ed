/*
 * subscription.c -- the reg event package (RFC 3680) of an account: subscribe where it is
 * bound, keep that alive, and take what the registrar tells.
 */
#include "reg/reg.h"

#include "base/log.h"

enum {
	EXPIRES_S = 3761, /* RFC 3680 4.3 */
	LEAST_MS = 5000,  /* between two SUBSCRIBEs, whatever a notifier says */
	RETRY_MOST_S = 3600
};

struct reg_subscription { /* once wanted, kept: a notifier may end bindings as fast as we come */
	struct reg_engine *e;
	uint32_t account, server;
	uint32_t asked;	  /* the server of sent_at */
	uint64_t token;	  /* of the request in flight, 0: none */
	struct reg_gen *gen;
	rg_ms sent_at;
	rg_ms ends;	  /* as a notification has it, RG_NEVER: none has since sent_at */
	rg_ms until;	  /* end of what is subscribed, 0: nothing is */
	bool live;	  /* asked for, and not ended by us */
	bool over;	  /* refused for good, until it is asked for anew */
	struct rg_timer timer;
};

static void subscribe(struct reg_subscription *s);

static void due(void *arg)
{
	subscribe(arg);
}

static void later(struct reg_subscription *s, rg_ms in)
{
	rg_ms at = MAX(rg_now(s->e->timers) + in, s->sent_at + LEAST_MS);

	rg_timer_set(s->e->timers, &s->timer, at, due, s);
}

/* As long as it asks for, but not for ever. */
static void retry(struct reg_subscription *s, uint32_t after_s)
{
	later(s, 1000 * (rg_ms)MIN(after_s, RETRY_MOST_S));
}

static void land(struct reg_subscription *s)
{
	if (!s->token)
		return;
	g_hash_table_remove(s->e->subscribing, &s->token);
	s->token = 0;
	gen_leave(s->e, s->gen);
}

static int send(struct reg_subscription *s, uint32_t expires)
{
	struct reg_engine *e = s->e;
	struct reg_account *a = account_at(e, s->account);
	struct reg_server *to = server_at(e, s->server);
	struct reg_outgoing o;
	struct reg_message m;
	int err;

	if (!a || !to || !e->port->subscribe)
		return ENOTCONN;
	request_make(e, a, to, RG_M_SUBSCRIBE, expires, false, &o);
	m = request_message(e, a, to, &o);
	m.token = account_token(a, to->id);
	err = e->port->subscribe(e->port->arg, &m);
	if (err || !expires)
		return err;
	s->token = m.token;
	s->gen = a->gen;
	gen_use(s->gen);
	s->sent_at = rg_now(e->timers);
	s->ends = RG_NEVER;
	s->asked = s->server;
	s->live = true;
	g_hash_table_insert(e->subscribing, g_memdup2(&m.token, sizeof m.token), s);
	return 0;
}

static void subscribe(struct reg_subscription *s)
{
	struct reg_account *a = account_at(s->e, s->account);

	if (s->token || !a || s->server != a->registrar)
		return;
	if (send(s, EXPIRES_S))
		later(s, 1000 * (rg_ms)account_gateway(a)->retry_time);
}

/* Subscribe at the registrar that holds the binding. */
void subscription_begin(struct reg_engine *e, struct reg_account *a)
{
	struct reg_subscription *s = a->subscription;

	if (!a->registrar || a->dying)
		return;
	if (!s) {
		s = a->subscription = g_new0(struct reg_subscription, 1);
		s->e = e;
		s->account = a->id;
		s->sent_at = -LEAST_MS;
	}
	if (s->asked != a->registrar)
		s->sent_at = -LEAST_MS;
	s->server = a->registrar;
	s->over = false;
	if (s->token) { /* what is on its way is for another server */
		e->port->forget(e->port->arg, s->token);
		land(s);
	}
	if (rg_now(e->timers) < s->sent_at + LEAST_MS)
		later(s, 0);
	else
		subscribe(s);
}

/* politely: the notifier is told. */
void subscription_end(struct reg_engine *e, struct reg_account *a, bool politely)
{
	struct reg_subscription *s = a->subscription;
	struct reg_server *to = s ? server_at(e, s->server) : NULL;

	if (!s)
		return;
	if (s->token)
		e->port->forget(e->port->arg, s->token);
	land(s);
	rg_timer_stop(e->timers, &s->timer);
	if (politely && s->live && !s->over && to && to->health != RG_DOWN)
		send(s, 0);
	s->live = false;
	s->until = 0;
}

void subscription_free(struct reg_engine *e, struct reg_account *a)
{
	subscription_end(e, a, false);
	g_free(a->subscription);
	a->subscription = NULL;
}

/* Again in good time before its end, which the notifier may bring forward but not put
 * off (RFC 6665 4.1.2.4, 4.2.1.2). */
static void renew(struct reg_subscription *s, const struct conf_gateway *g, rg_ms until)
{
	s->until = MIN(until, s->ends);
	later(s, (s->until - rg_now(s->e->timers)) * g->time_divider / 100);
}

static bool for_good(uint16_t code)
{
	return code == 403 || code == 404 || code == 405 || code == 489 || code == 501;
}

void reg_subscribed(struct reg_engine *e, uint64_t token, uint16_t code, uint32_t expires,
		    uint32_t retry_after)
{
	struct reg_subscription *s = g_hash_table_lookup(e->subscribing, &token);
	struct reg_account *a = s ? account_at(e, s->account) : NULL;
	const struct conf_gateway *g;

	if (!a)
		return;
	land(s);
	g = account_gateway(a);
	if (code >= 200 && code < 300) {
		if (!expires || expires > EXPIRES_S) /* never longer than asked (RFC 6665 3.1.1) */
			expires = EXPIRES_S;
		renew(s, g, rg_now(e->timers) + 1000 * (rg_ms)expires);
		return;
	}
	s->until = 0;
	s->over = for_good(code);
	rg_info("%s: SUBSCRIBE for reg events: %u%s", account_name(a), code,
		s->over ? ", given up" : "");
	if (code == 481) /* the dialog is gone: a new one */
		later(s, 0);
	else if (!s->over)
		retry(s, MAX(retry_after, g->retry_time));
}

/* The subscription has ended: RFC 6665 4.1.3 says what to make of it. */
static void ended(struct reg_subscription *s, const struct reg_notice *n, uint32_t usual)
{
	s->until = 0;
	switch (n->reason) {
	case REG_R_REJECTED:
	case REG_R_NORESOURCE:
	case REG_R_INVARIANT:
		s->over = true;
		rg_timer_stop(s->e->timers, &s->timer);
		break;
	case REG_R_PROBATION:
	case REG_R_GIVEUP:
		retry(s, n->retry_after ? n->retry_after : usual);
		break;
	default:
		retry(s, n->reason ? 0 : n->retry_after);
		break;
	}
}

/* What a notification means for the binding, before the policies hear of it. */
static void effect(struct reg_engine *e, struct reg_account *a, const struct reg_notice *n)
{
	switch (n->what) {
	case RG_N_SHORTENED:
		if (n->expires)
			fsm_shorten(e, a, n->expires);
		break;
	case RG_N_PROBATION:
	case RG_N_REJECTED:
	case RG_N_UNREGISTERED:
	case RG_N_TERMINATED:
		fsm_lost(e, a, n->retry_after, n->what == RG_N_REJECTED);
		break;
	default:
		break;
	}
}

void reg_notified(struct reg_engine *e, const struct reg_dialogue *d, const struct reg_notice *n)
{
	struct reg_account *a = (struct reg_account *)((char *)(uintptr_t)d -
						       offsetof(struct reg_account, dialogue));
	struct rg_event ev = { .type = RG_EV_NOTIFY, .notify = n->what, .server = a->registrar,
			       .expires = n->expires, .retry_after = n->retry_after };
	struct reg_subscription *s = a->subscription;

	if (!a->id || !s || !s->live || a->dying || s->server != a->registrar)
		return;
	if (n->left)
		s->ends = MIN(s->ends, rg_now(e->timers) + 1000 * (rg_ms)n->left);
	if (n->terminated)
		ended(s, n, account_gateway(a)->retry_time);
	else if (n->gap)
		later(s, 0);
	else if (!s->token && s->until > s->ends)
		renew(s, account_gateway(a), s->until);
	if (n->what == RG_N_NONE)
		return;
	effect(e, a, n);
	fsm_tell(e, a, &ev);
}
