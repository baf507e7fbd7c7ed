/* What an INVITE has more than other requests, the first one and those in a dialog. */
#include <string.h>

#include "relay/call.h"

static const struct span as_it_is = { NULL, 0 };

struct exchange *invite_pending(const struct pair *p, enum side from)
{
	for (struct exchange *x = p->call->exchange; x; x = x->next)
		if (x->method == M_INVITE && x->side == from && !x->over && !x->answered &&
		    !x->cancelled && (x->pair == p || x == p->call->initial))
			return x;
	return NULL;
}

struct exchange *invite_by_cseq(const struct pair *p, enum side from, uint32_t cseq)
{
	for (struct exchange *x = p->call->exchange; x; x = x->next)
		if (x->method == M_INVITE && x->side == from && x->cseq_in == cseq &&
		    (x->pair == p || (x == p->call->initial && !x->pair)))
			return x;
	return NULL;
}

/* ---- a 2xx nobody wants ----------------------------------------------------------------- */

static void frame_of_answer(struct frame *f, const struct sip_head *h)
{
	struct span rest = sip_value(h, H_CONTACT), value;
	struct sip_name_addr na;

	frame_begin(f);
	f->o.from = sip_value(h, H_FROM);
	f->o.to = sip_value(h, H_TO);
	f->o.call_id = sip_value(h, H_CALL_ID);
	f->o.cseq = h->cseq;
	f->o.max_forwards = 70;
	if ((rest.p && span_value(&rest, &value) && sip_name_addr_parse(value, &na)) ||
	    sip_name_addr_parse(f->o.to, &na))
		f->o.uri = na.uri;
	f->o.routes = dialog_route_set(h, true, &f->out);
}

static void hop_of_answer(struct exchange *x, const struct frame *f, const struct sip_hop *from,
			  struct sip_hop *hop)
{
	bool strict;
	struct span route = first_route(f->o.routes, &strict);

	nexthop_of_uri(x->call, OTHER_SIDE(x->side), route.p ? route : f->o.uri, from, hop);
}

static uint32_t hash_of(struct span tag)
{
	uint32_t v = 2166136261u;

	for (size_t i = 0; i < tag.n; i++)
		v = (v ^ (unsigned char)tag.p[i]) * 16777619u;
	return v;
}

/* One that is forgotten, of very many, gets a second BYE; none goes without. */
static bool killed(const struct exchange *x, uint32_t hash)
{
	for (unsigned i = 0; i < MIN(x->n_killed, (unsigned)FORKS_MOST); i++)
		if (x->killed[i] == hash)
			return true;
	return false;
}

static void remember(struct exchange *x, uint32_t hash)
{
	if (!x->killed)
		x->killed = g_new0(uint32_t, FORKS_MOST);
	x->killed[x->n_killed++ % FORKS_MOST] = hash;
}

void invite_kill(struct exchange *x, const struct sip_hop *from, const struct sip_head *h)
{
	uint32_t hash = hash_of(sip_tag(sip_value(h, H_TO)));
	enum side to = OTHER_SIDE((enum side)x->side);
	struct exchange *bye;
	struct sip_hop hop;
	struct frame f;

	frame_of_answer(&f, h);
	hop_of_answer(x, &f, from, &hop);
	sip_buf_unref(ack_put(x, NULL, &f, &hop));
	if (killed(x, hash))
		return;
	bye = exchange_new(x->call, NULL, (enum side)x->side, M_BYE, NULL, NULL);
	if (!bye)
		return;
	f.o.cseq = h->cseq + 1;
	f.o.headers = as_it_is;
	if (credentials_may(x->call, to, &hop.peer))
		frame_authorize(&f, &x->call->leg[to], (struct span){ "BYE", 3 }, as_it_is);
	if (exchange_send(bye, NULL, "BYE", &hop, &f))
		exchange_over(bye);
	else
		remember(x, hash);
}

/* ---- giving up -------------------------------------------------------------------------- */

/* The callee is told; what it says yet is dealt with, but nobody hears of it. */
static void abandon(struct exchange *x, struct span headers)
{
	x->cancelled = true;
	rg_timer_stop(call_timers(x->call), &x->timer);
	media_forget(x->call, x);
	if (exchange_sent(x))
		sip_client_cancel(x->client, headers);
	else
		exchange_over(x);
}

static void end_with(struct exchange *x, uint16_t code, enum ender by, struct span headers)
{
	struct call *c = x->call;
	const char *words = sip_reason(code);

	exchange_reply(x, code, NULL, NULL);
	abandon(x, headers);
	if (x != c->initial)
		return;
	c->ended_by = (uint8_t)by;
	call_decided(c, code, (struct span){ words, strlen(words) });
	for (struct pair *p = c->pair; p; p = p->next)
		p->ended = true;
	call_check(c);
}

void invite_end(struct exchange *x, uint16_t code, enum ender by)
{
	end_with(x, code, by, as_it_is);
}

/* RFC 3326: a call that was taken elsewhere is no missed one. */
static struct span reasons_of(const struct sip_head *h, char *buf, size_t size)
{
	struct out o = { buf, buf + size, false };

	for (unsigned i = 0; h && i < h->lines; i++) {
		const struct sip_line *l = &h->line[i];
		struct span value = { h->base + l->value, l->len };

		if (!span_is((struct span){ h->base + l->name, l->name_len }, "Reason") ||
		    memchr(value.p, '\n', value.n) || (size_t)(o.end - o.p) < value.n + 10)
			continue;
		out_lit(&o, "Reason: ");
		out_span(&o, value);
		out_lit(&o, "\r\n");
	}
	return (struct span){ buf, (size_t)(o.p - buf) };
}

void invite_cancelled(struct exchange *x, const struct sip_head *cancel)
{
	char lines[1024];

	end_with(x, 487, x->side == CALLER ? BY_CALLER : BY_CALLEE,
		 reasons_of(cancel, lines, sizeof lines));
}

static void timer_c(void *arg)
{
	invite_end(arg, 408, BY_GATEWAY);
}

void invite_start_timer_c(struct exchange *x)
{
	rg_timer_set(call_timers(x->call), &x->timer, call_now(x->call) + TIMER_C_MS, timer_c, x);
}

/* ---- answers of the callee -------------------------------------------------------------- */

static struct pair *fork_of(struct exchange *x, const struct sip_head *h)
{
	struct span tag = sip_tag(sip_value(h, H_TO));
	struct pair *p;

	if (x->pair || x != x->call->initial || (!tag.n && h->code < 200))
		return x->pair;
	p = pair_by_remote_tag(x->call, tag);
	return p ? p : pair_new(x->call, h);
}

static void provisional(struct exchange *x, const struct sip_event *e)
{
	if (x->cancelled || x->answered || x->accepted || e->answer->code == 100)
		return;
	invite_start_timer_c(x);
	(void)fork_of(x, e->answer);
	media_pass(x, MEDIA_ANSWER, e->from, e->answer);
}

static void accepted(struct exchange *x, struct pair *p, const struct sip_event *e)
{
	struct call *c = x->call;

	x->accepted = true;
	credentials_info(&c->leg[OTHER_SIDE(x->side)], e->answer);
	rg_timer_stop(call_timers(c), &x->timer);
	if (x == c->initial) {
		x->pair = p;
		dialog_refresh(p, CALLEE, e->answer, true, true);
		for (struct pair *q = c->pair; q; q = q->next)
			q->ended |= q != p; /* RFC 3261 13.2.2.4 */
		reg_route_answered(c->route, e->answer->code, "", 0);
	}
	media_pass(x, MEDIA_ANSWER, e->from, e->answer);
}

static void repeated_2xx(struct exchange *x, const struct sip_event *e)
{
	if (!x->pair || !span_equal(sip_tag(sip_value(e->answer, H_TO)),
				    sip_tag(pair_remote(x->pair, OTHER_SIDE(x->side)))))
		invite_kill(x, e->from, e->answer);
	else if (x->ack && !x->ack_waits)
		ack_again(x);
}

static void success(struct exchange *x, const struct sip_event *e)
{
	struct pair *p;

	if (x->accepted) {
		repeated_2xx(x, e);
		return;
	}
	if (x->cancelled || x->answered || x->over) {
		invite_kill(x, e->from, e->answer);
		return;
	}
	p = fork_of(x, e->answer);
	if (p && !p->ended) {
		accepted(x, p, e);
		return;
	}
	invite_kill(x, e->from, e->answer);
	invite_end(x, 487, BY_CALLEE);
}

static void failure(struct exchange *x, struct sip_client *c, const struct sip_head *h)
{
	if (x->accepted || exchange_challenged(x, c, h))
		return;
	if (x == x->call->initial && h->code < 400 && attempt_redirected(x, c, h))
		return;
	rg_timer_stop(call_timers(x->call), &x->timer);
	x->client = NULL; /* it acknowledges by itself */
	x->clients--;
	sip_client_leave(c);
	if (x->cancelled || x->answered) {
		exchange_over(x);
		call_check(x->call);
	} else if (x == x->call->initial) {
		attempt_failed(x, h);
	} else {
		exchange_back(x, h, as_it_is);
		exchange_over(x);
	}
}

void invite_event(struct exchange *x, struct sip_client *c, const struct sip_event *e)
{
	switch (e->outcome) {
	case SIP_PROVISIONAL:
		provisional(x, e);
		break;
	case SIP_FINAL:
		if (e->answer->code < 300)
			success(x, e);
		else
			failure(x, c, e->answer);
		break;
	case SIP_TIMEOUT:
	case SIP_FAILED:
		x->client = NULL; /* a late 2xx is still ended */
		if (x->cancelled || x->answered) {
			exchange_over(x);
			call_check(x->call);
		} else if (!x->accepted) {
			if (x->pair && e->outcome == SIP_TIMEOUT)
				(void)nexthop_turn(x->pair, OTHER_SIDE(x->side));
			exchange_unanswered(x, e->outcome == SIP_FAILED);
		}
		break;
	default: /* nothing more comes */
		if (x->cancelled || x->over || (x->ack && !x->ack_waits)) {
			exchange_over(x);
			call_check(x->call);
		}
	}
}

/* ---- and back --------------------------------------------------------------------------- */

/* It cannot be told to the caller. */
static void refuse_2xx(struct exchange *x)
{
	static const char why[] = "its answer could not be passed on";
	struct call *c = x->call;

	exchange_reply(x, 500, NULL, NULL);
	if (x == c->initial) {
		c->ended_by = BY_GATEWAY;
		call_decided(c, 500, (struct span){ why, sizeof why - 1 });
	}
	session_hang_up(x->pair, why);
	exchange_over(x);
}

static void back_2xx(struct exchange *x, const struct sip_head *h, struct span body)
{
	struct sip_buf *b = exchange_translate(x, h, body, x->pair);
	struct sip_head request;
	const char *why;

	if (!b || !x->server) {
		sip_buf_unref(b);
		refuse_2xx(x);
		return;
	}
	x->answer = sip_buf_ref(b);
	sip_server_reply(x->server, h->code, b);
	x->answered = true;
	call_weigh(x->call);
	ack_wait(x);
	if (sip_precheck(&request, x->request->data, x->request->len, &why) == SIP_FINE)
		session_accepted(x, &request, h);
}

void invite_back(struct exchange *x, const struct sip_head *h, struct span body)
{
	struct pair *p;
	struct sip_buf *b;

	if (h->code >= 200) {
		back_2xx(x, h, body);
		return;
	}
	if (!x->server || x->answered)
		return;
	p = fork_of(x, h);
	if (h->code > 100 && x == x->call->initial)
		x->call->state = MAX(x->call->state, RELAY_RINGING);
	b = exchange_translate(x, h, body, p);
	if (b)
		sip_server_reply(x->server, h->code, b);
}
