/* Pairs of dialogs as sessions and subscriptions: how long they last, and their end by us. */
#include <string.h>

#include "relay/call.h"

enum {
	GRACE_MS = 32 * 1000,	     /* for the last NOTIFY of a subscription */
	REFER_LEASE_MS = 180 * 1000, /* RFC 3515 names none: until the first NOTIFY says one */
	LEASE_MOST_S = 86400,	     /* whoever wants more refreshes it */
};

/* ---- how long --------------------------------------------------------------------------- */

static void on_timer(void *arg);

static bool in_session(const struct pair *p)
{
	return p->confirmed && !p->ended;
}

void session_set_timer(struct call *c)
{
	rg_ms next = RG_NEVER;

	for (struct pair *p = c->pair; p; p = p->next) {
		if (in_session(p))
			next = MIN(next, MIN(p->session, c->ends));
		if (p->lease)
			next = MIN(next, p->lease);
	}
	if (next == RG_NEVER)
		rg_timer_stop(call_timers(c), &c->timer);
	else
		rg_timer_set(call_timers(c), &c->timer, next, on_timer, c);
}

static void on_timer(void *arg)
{
	struct call *c = arg;
	rg_ms now = call_now(c);

	for (struct pair *p = c->pair; p; p = p->next) {
		if (p->lease && p->lease <= now)
			p->lease = 0;
		if (in_session(p) && p->session <= now)
			session_hang_up(p, "session timer"); /* RFC 4028 10 */
		else if (in_session(p) && c->ends <= now)
			session_hang_up(p, "MaxCallDuration");
	}
	session_set_timer(c);
	call_check(c);
}

static rg_ms after(const struct call *c, uint32_t s)
{
	return call_now(c) + (rg_ms)MIN(s, (uint32_t)LEASE_MOST_S) * 1000 + GRACE_MS;
}

static void session_timer(struct pair *p, const struct sip_head *answer)
{
	struct span v = sip_value(answer, H_SESSION_EXPIRES);
	uint32_t s;

	p->session = v.p && span_number(v, INT32_MAX, &s) && s ?
			     call_now(p->call) + (rg_ms)s * 1000 : RG_NEVER;
}

/* RFC 6665 4.1.3. */
static void notified(struct pair *p, const struct sip_head *request)
{
	struct span v = sip_value(request, H_SUBSCRIPTION_STATE), word = v, expires;
	const char *semi = v.n ? memchr(v.p, ';', v.n) : NULL;
	uint32_t s;

	if (!v.p)
		return;
	if (semi)
		word.n = (size_t)(semi - v.p);
	expires = span_param(v, "expires");
	if (span_is(span_trim(word), "terminated"))
		p->lease = 0;
	else if (expires.n && span_number(expires, UINT32_MAX, &s))
		p->lease = after(p->call, s);
	else if (!p->lease)
		p->lease = call_now(p->call) + REFER_LEASE_MS;
}

static void subscribed(struct pair *p, const struct sip_head *request,
		       const struct sip_head *answer)
{
	uint32_t s = answer->expires != UINT32_MAX ? answer->expires :
		     request->expires != UINT32_MAX ? request->expires : 3600;

	p->lease = after(p->call, s);
}

void session_accepted(struct exchange *x, const struct sip_head *request,
		      const struct sip_head *answer)
{
	enum side from = (enum side)x->side;
	struct call *c = x->call;
	struct pair *p = x->pair;

	if (!p)
		return;
	if (x->method == M_INVITE || x->method == M_UPDATE || x->method == M_SUBSCRIBE ||
	    x->method == M_NOTIFY) {
		dialog_refresh(p, from, request, false, false);
		if (x->method != M_NOTIFY)
			dialog_refresh(p, OTHER_SIDE(from), answer, false, false);
	}
	if (x == c->initial && x->method == M_INVITE) {
		p->confirmed = true;
		if (c->longest)
			c->ends = call_now(c) + (rg_ms)c->longest * 1000;
		call_decided(c, answer->code, answer->reason);
	}
	if (x->method == M_INVITE || x->method == M_UPDATE)
		session_timer(p, answer);
	else if (x->method == M_SUBSCRIBE)
		subscribed(p, request, answer);
	else if (x->method == M_NOTIFY)
		notified(p, request);
	else if (x->method == M_REFER)
		p->lease = call_now(c) + REFER_LEASE_MS;
	session_set_timer(c);
}

/* ---- its end ---------------------------------------------------------------------------- */

/* Who hangs up before its ACK has accepted all the same: the callee must not go on repeating
 * its 2xx. */
void session_bye(struct exchange *bye)
{
	for (struct exchange *x = bye->call->exchange; x; x = x->next)
		if (x->pair == bye->pair && x->method == M_INVITE && x->accepted &&
		    x->answered && !x->over && x->side == bye->side)
			ack_self(x);
}

void session_over(struct pair *p, enum ender by, const char *reason)
{
	struct call *c = p->call;

	if (p->ended) {
		call_check(c);
		return;
	}
	p->ended = true;
	for (struct exchange *x = c->exchange, *next; x; x = next) {
		next = x->next;
		if (x->pair != p || x->over || x->method == M_BYE)
			continue;
		if (x->method == M_INVITE && (x->answered || x->accepted)) {
			ack_self(x);
			exchange_over(x);
		} else if (x->method == M_INVITE) {
			exchange_give_up(x, 487);
		}
	}
	if (p->confirmed && !c->ended_by) {
		c->ended_by = (uint8_t)by;
		g_free(c->reason);
		c->reason = g_strdup(reason);
	}
	session_set_timer(c);
	call_check(c);
}

void session_ends_soon(struct pair *p)
{
	p->session = MIN(p->session, call_now(p->call) + GRACE_MS);
	session_set_timer(p->call);
}

static void send_bye(struct pair *p, enum side to, const char *headers)
{
	struct exchange *x = exchange_new(p->call, p, OTHER_SIDE(to), M_BYE, NULL, NULL);
	struct sip_hop hop;
	struct frame f;

	if (!x)
		return;
	if (!nexthop(p, to, &hop)) {
		dialog_frame(p, to, NULL, &f);
		f.o.headers.p = f.out.p;
		out_str(&f.out, headers);
		f.o.headers = frame_cut(&f, f.o.headers.p);
		if (credentials_may(p->call, to, &hop.peer))
			frame_authorize(&f, &p->call->leg[to], (struct span){ "BYE", 3 },
					(struct span){ NULL, 0 });
		if (!exchange_send(x, NULL, "BYE", &hop, &f))
			return;
	}
	exchange_over(x);
}

void session_hang_up(struct pair *p, const char *reason)
{
	char line[128];
	struct out o = { line, line + sizeof line - 1, false };

	if (p->ended)
		return;
	session_over(p, BY_GATEWAY, reason);
	out_lit(&o, "Reason: SIP;text=\""); /* RFC 3326 */
	out_str(&o, reason);
	out_lit(&o, "\"\r\n");
	*o.p = '\0';
	if (p->confirmed) /* else the caller has had its refusal */
		send_bye(p, CALLER, line);
	send_bye(p, CALLEE, line);
}
