/* What an INVITE has more than other requests, the first one and those in a dialog. */
#include <string.h>

#include "base/random.h"
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

static struct span reversed_routes(const struct sip_head *h, struct frame *f)
{
	struct span value[SIP_LINES_MOST], line;
	const char *from = f->out.p;
	unsigned at = 0;
	size_t n = 0;

	while (sip_next(h, H_RECORD_ROUTE, &at, &line))
		while (n < SIP_LINES_MOST && span_value(&line, &value[n]))
			n++;
	if (!n)
		return as_it_is;
	while (n-- > 0) {
		out_span(&f->out, value[n]);
		if (n)
			out_lit(&f->out, ", ");
	}
	return frame_cut(f, from);
}

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
	f->o.routes = reversed_routes(h, f);
}

static void hop_of_answer(struct exchange *x, const struct frame *f, const struct sip_hop *from,
			  struct sip_hop *hop)
{
	bool strict;
	struct span route = first_route(f->o.routes, &strict);

	nexthop_of_uri(x->call, OTHER_SIDE(x->side), route.p ? route : f->o.uri, from, hop);
}

static void write_branch(char out[SIP_BRANCH])
{
	memcpy(out, "z9hG4bK", 7);
	for (int i = 7; i < SIP_BRANCH; i += 8)
		sip_hex(out + i, (uint32_t)rg_random64());
}

/* An ACK has no transaction of its own. */
static struct sip_buf *put_ack(struct exchange *x, const struct sip_head *h, struct frame *f,
			       const struct sip_hop *hop)
{
	const struct sip_parts *parts = x->call->relay->parts;
	struct sip_buf *b;

	write_branch(f->branch);
	f->o.branch = (struct span){ f->branch, sizeof f->branch };
	f->o.local = hop->local;
	if (x->credentials &&
	    credentials_may(x->call, OTHER_SIDE((enum side)x->side), &hop->peer))
		f->o.headers = (struct span){ x->credentials, strlen(x->credentials) };
	b = h ? sip_translate_request(parts->pool, h, &f->o) :
		sip_translate_new(parts->pool, "ACK", &f->o);
	if (b)
		(void)sip_transport_send(parts->transport, hop, b);
	return b;
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
	sip_buf_unref(put_ack(x, NULL, &f, &hop));
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
	if (!x->client || !x->clients)
		exchange_over(x);
	else
		sip_client_cancel(x->client, headers);
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

/* ---- the 2xx and its ACK ---------------------------------------------------------------- */

static void repeat(void *arg)
{
	struct exchange *x = arg;
	rg_ms now = call_now(x->call);

	if (now >= x->give_up || !x->server) {
		if (x->pair)
			session_hang_up(x->pair, "no ACK");
		exchange_over(x);
		return;
	}
	sip_server_reply(x->server, 200, sip_buf_ref(x->answer));
	x->interval = MIN(x->interval * 2, (uint32_t)SIP_T2_MS);
	rg_timer_set(call_timers(x->call), &x->timer, MIN(now + x->interval, x->give_up), repeat,
		     x);
}

static void wait_for_ack(struct exchange *x)
{
	rg_ms now = call_now(x->call);

	x->interval = SIP_T1_MS;
	x->give_up = now + SIP_64T1_MS;
	rg_timer_set(call_timers(x->call), &x->timer, now + SIP_T1_MS, repeat, x);
}

/* What the request was is of no interest any more. */
static void settled(struct exchange *x)
{
	rg_timer_stop(call_timers(x->call), &x->timer);
	sip_buf_unref(x->answer);
	sip_buf_unref(x->request);
	x->answer = x->request = NULL;
	g_free(x->credentials);
	x->credentials = NULL;
	sip_server_leave(x->server);
	x->server = NULL;
	call_weigh(x->call);
	if (!x->client)
		exchange_over(x);
}

static bool frame_ack(struct exchange *x, const struct sip_head *h, struct frame *f,
		      struct sip_hop *hop)
{
	enum side to = OTHER_SIDE((enum side)x->side);
	struct dialog *d = &x->pair->dialog[to];
	uint32_t cseq = d->local_cseq;

	if (nexthop(x->pair, to, hop))
		return false;
	dialog_frame(x->pair, to, h, f);
	d->local_cseq = cseq;
	f->o.cseq = x->cseq_out;
	f->o.keep_authorization = credentials_pass(x);
	return true;
}

void invite_ack(struct exchange *x, const struct sip_head *h, struct span body)
{
	struct sip_hop hop;
	struct frame f;

	if (x->ack || !x->pair || !frame_ack(x, h, &f, &hop))
		return;
	f.o.body = body;
	x->ack = put_ack(x, h, &f, &hop);
	if (x->ack)
		x->ack = sip_buf_tight(x->ack);
	x->to = hop;
	settled(x);
}

void invite_ack_self(struct exchange *x)
{
	struct sip_hop hop;
	struct frame f;

	if ((x->ack && !x->ack_waits) || !x->pair || !frame_ack(x, NULL, &f, &hop))
		return;
	sip_buf_unref(x->ack);
	x->ack_waits = false;
	x->ack = put_ack(x, NULL, &f, &hop);
	x->to = hop;
	settled(x);
}

static void keep_ack(struct exchange *x, const struct sip_hop *hop, const struct sip_head *h)
{
	x->ack = sip_buf_new(x->call->relay->parts->pool, h->len);
	if (!x->ack)
		return;
	memcpy(x->ack->data, h->base, h->len);
	x->ack->len = h->len;
	x->from = *hop;
	x->ack_waits = true;
}

void invite_ack_request(struct pair *p, enum side from, const struct sip_hop *hop,
			const struct sip_head *h)
{
	struct exchange *x = invite_by_cseq(p, from, h->cseq);

	if (!x || x->over || !x->accepted || !x->answered || x->ack || x->acknowledged)
		return;
	x->acknowledged = true;
	rg_timer_stop(call_timers(x->call), &x->timer);
	if (p->dialog[OTHER_SIDE(from)].looking)
		keep_ack(x, hop, h);
	else
		media_pass(x, MEDIA_ACK, hop, h);
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

/* The 2xx came again: the ACK has not got there.  It goes once more, over another connection
 * if that one broke, or to another address of the name. */
static void repeat_ack(struct exchange *x)
{
	const struct sip_parts *parts = x->call->relay->parts;
	enum side to = OTHER_SIDE(x->side);
	struct sip_revision rev = { .cseq = 0 };
	char branch[SIP_BRANCH];
	struct sip_buf *b;
	struct sip_hop hop;

	(void)nexthop_turn(x->pair, to);
	if (!nexthop(x->pair, to, &hop) && (hop.socket != x->to.socket ||
					    !rg_addr_equal(&hop.peer, &x->to.peer))) {
		write_branch(branch);
		rev.branch = (struct span){ branch, sizeof branch };
		rev.local = hop.local;
		rev.credentials = credentials_to(x, &hop.peer);
		b = sip_translate_again(parts->pool, x->ack, &rev);
		if (b) {
			sip_buf_unref(x->ack);
			x->ack = b;
			x->to = hop;
		}
	}
	(void)sip_transport_send(parts->transport, &x->to, x->ack);
}

static void repeated_2xx(struct exchange *x, const struct sip_event *e)
{
	if (!x->pair || !span_equal(sip_tag(sip_value(e->answer, H_TO)),
				    sip_tag(pair_remote(x->pair, OTHER_SIDE(x->side)))))
		invite_kill(x, e->from, e->answer);
	else if (x->ack && !x->ack_waits)
		repeat_ack(x);
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
			if (x->pair)
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

static void back_2xx(struct exchange *x, const struct sip_head *h, struct span body)
{
	struct sip_buf *b = exchange_translate(x, h, body, x->pair);
	struct sip_head request;
	const char *why;

	if (!b || !x->server) {
		sip_buf_unref(b);
		exchange_reply(x, 500, NULL, NULL);
		session_hang_up(x->pair, "its answer could not be passed on");
		exchange_over(x);
		return;
	}
	x->answer = sip_buf_ref(b);
	sip_server_reply(x->server, h->code, b);
	x->answered = true;
	call_weigh(x->call);
	wait_for_ack(x);
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
