/* A request from one side to the other, and its answers back. */
#include <errno.h>
#include <string.h>

#include "relay/call.h"

/* ---- life ------------------------------------------------------------------------------- */

static void server_event(struct sip_server *s, enum sip_server_event e, void *arg)
{
	struct exchange *x = arg;

	if (e == SIP_SERVER_CANCEL && !x->answered)
		invite_cancelled(x, sip_server_cancelling(s));
	else if (e == SIP_SERVER_GONE)
		x->server = NULL;
	if (e == SIP_SERVER_GONE && x == x->call->initial && !x->answered)
		attempt_refuse(x, 408, NULL, NULL); /* nobody hears of it: no INVITE */
}

struct sip_buf *relay_copy(const struct relay *r, const struct sip_head *h)
{
	struct sip_buf *b = sip_buf_new(r->parts->pool, h->len);

	if (b) {
		memcpy(b->data, h->base, h->len);
		b->len = h->len;
	}
	return b;
}

static bool take_request(struct exchange *x, const struct sip_hop *hop, const struct sip_head *h)
{
	struct relay *r = x->call->relay;

	x->request = relay_copy(r, h);
	x->server = x->request ? sip_server_new(r->parts->ta, hop, h, server_event, x) : NULL;
	if (!x->server) {
		sip_buf_unref(x->request);
		return false;
	}
	x->from = *hop;
	x->cseq_in = h->cseq;
	return true;
}

static void send_trying(struct exchange *x, const struct sip_head *h)
{
	struct sip_buf *b = sip_message_reply(x->call->relay->parts->pool, h, &x->from, 100, NULL,
					      NULL, 0, NULL);

	if (b)
		sip_server_reply(x->server, 100, b);
}

struct exchange *exchange_new(struct call *c, struct pair *p, enum side from, enum method m,
			      const struct sip_hop *hop, const struct sip_head *h)
{
	struct exchange *x;

	/* who floods the call must not keep the other end from hanging up; of a pair there
	 * is one BYE a side */
	if (c->exchanges[from] >= EXCHANGES_MOST + (m == M_BYE && p ? 2 * FORKS_MOST : 0))
		return NULL;
	x = g_new0(struct exchange, 1);
	x->call = c;
	x->pair = p;
	x->side = (uint8_t)from;
	x->method = (uint8_t)m;
	x->budget_ms = m == M_INVITE ? SIP_64T1_MS : IN_DIALOG_MS;
	x->most = SIP_RETRANSMIT_RFC;
	if (h && !take_request(x, hop, h)) {
		g_free(x);
		return NULL;
	}
	x->next = c->exchange;
	if (x->next)
		x->next->prev = x;
	c->exchange = x;
	c->exchanges[from]++;
	call_weigh(c);
	if (h && m == M_INVITE)
		send_trying(x, h);
	return x;
}

/* Nothing more is to be told to anybody; late clients may still say something. */
void exchange_over(struct exchange *x)
{
	if (x->over)
		return;
	x->over = true;
	rg_timer_stop(call_timers(x->call), &x->timer);
	media_forget(x->call, x);
	sip_server_leave(x->server);
	x->server = NULL;
	if (x->client) {
		sip_client_leave(x->client);
		if (exchange_sent(x))
			x->clients--;
		x->client = NULL;
	}
	x->waits = x->ack_waits = false;
	relay_reap(x->call);
}

void exchange_release(struct exchange *x)
{
	struct call *c = x->call;

	if (x->prev)
		x->prev->next = x->next;
	else
		c->exchange = x->next;
	if (x->next)
		x->next->prev = x->prev;
	c->exchanges[x->side]--;
	call_weigh(c);
	if (c->initial == x)
		c->initial = NULL;
	rg_timer_stop(call_timers(c), &x->timer);
	sip_buf_unref(x->request);
	sip_buf_unref(x->answer);
	sip_buf_unref(x->ack);
	sip_buf_unref(x->built);
	g_free(x->credentials);
	g_free(x->killed);
	g_free(x);
}

/* ---- requests in a dialog --------------------------------------------------------------- */

static struct span body_of(const struct sip_head *h, struct span body)
{
	return body.p ? body :
			(struct span){ h->base + h->header_len, h->len - h->header_len };
}

/* RFC 3262 7.2: the CSeq of the INVITE on its leg. */
static void frame_rack(struct exchange *x, const struct sip_head *h, struct frame *f)
{
	struct span v = sip_value(h, H_RACK), rest;
	const char *from = f->out.p, *sp;
	const struct exchange *invite;
	uint32_t rseq, cseq;

	if (!v.p || !span_number(v, UINT32_MAX, &rseq))
		return;
	sp = memchr(v.p, ' ', v.n);
	if (!sp)
		return;
	rest = span_trim((struct span){ sp, (size_t)(v.p + v.n - sp) });
	if (!span_number(rest, UINT32_MAX, &cseq))
		return;
	invite = invite_by_cseq(x->pair, (enum side)x->side, cseq);
	if (!invite)
		return;
	while (rest.n && *rest.p >= '0' && *rest.p <= '9')
		rest.p++, rest.n--;
	out_number(&f->out, rseq);
	out_lit(&f->out, " ");
	out_number(&f->out, invite->cseq_out);
	out_span(&f->out, rest);
	f->o.rack = frame_cut(f, from);
}

static void unsent(struct exchange *x)
{
	if (x->method == M_BYE) {
		exchange_reply(x, 200, NULL, NULL);
		session_over(x->pair, x->side == CALLER ? BY_CALLER : BY_CALLEE, "BYE");
	} else {
		exchange_reply(x, 503, NULL, NULL);
	}
	exchange_over(x);
}

void exchange_forward(struct exchange *x, const struct sip_head *h, struct span body)
{
	enum side to = OTHER_SIDE((enum side)x->side);
	struct sip_hop hop;
	struct frame f;
	int err = nexthop(x->pair, to, &hop);

	if (!err) {
		dialog_frame(x->pair, to, h, &f);
		f.o.body = body;
		f.o.keep_authorization = credentials_pass(x);
		if (x->method == M_PRACK)
			frame_rack(x, h, &f);
		frame_names(&f, x->call->relay, h);
		if (credentials_may(x->call, to, &hop.peer))
			frame_authorize(&f, &x->call->leg[to], h->method, body_of(h, body));
		exchange_keep_credentials(x, &f);
		err = exchange_send(x, h, NULL, &hop, &f);
	}
	if (err)
		unsent(x);
}

void exchange_proceed(struct exchange *x)
{
	struct sip_buf *b = x->ack_waits ? x->ack : x->request;
	struct sip_head h;
	const char *why;

	x->waits = false;
	if (x->method == M_BYE)
		session_bye(x);
	if (x->over || !b || sip_precheck(&h, b->data, b->len, &why) != SIP_FINE)
		return;
	if (x->ack_waits) {
		x->ack_waits = false;
		x->ack = NULL;
		media_pass(x, MEDIA_ACK, &x->from, &h);
		sip_buf_unref(b);
	} else {
		media_pass(x, MEDIA_REQUEST, &x->from, &h);
	}
}

void exchange_request(struct pair *p, enum side from, enum method m, const struct sip_hop *hop,
		      const struct sip_head *h)
{
	struct exchange *x;

	leg_spoken(&p->call->leg[from], hop);
	if (m == M_ACK) {
		ack_request(p, from, hop, h);
		return;
	}
	if (order_refuses(p, from, m, hop, h))
		return;
	x = exchange_new(p->call, p, from, m, hop, h);
	if (!x) {
		sip_stack_reply(p->call->relay->env.stack, hop, h, 503, NULL, NULL, true);
		return;
	}
	if (p->dialog[OTHER_SIDE(from)].looking) {
		x->waits = true;
		return;
	}
	if (m == M_BYE)
		session_bye(x);
	media_pass(x, MEDIA_REQUEST, hop, h);
}

/* ---- answers ---------------------------------------------------------------------------- */

void exchange_reply(struct exchange *x, uint16_t code, const char *reason, const char *headers)
{
	struct relay *r = x->call->relay;
	char tag[RELAY_TAG];
	struct sip_head h;
	struct sip_buf *b;
	const char *why;

	if (!x->server || x->answered ||
	    sip_precheck(&h, x->request->data, x->request->len, &why) != SIP_FINE)
		return;
	relay_tag(x->call, CALLER, 0, tag);
	b = sip_message_reply(r->parts->pool, &h, &x->from, code, reason, tag, sizeof tag, headers);
	if (b)
		sip_server_reply(x->server, code, b);
	x->answered = true;
	sip_server_leave(x->server);
	x->server = NULL;
}

struct sip_buf *exchange_translate(struct exchange *x, const struct sip_head *answer,
				   struct span body, const struct pair *fork)
{
	struct call *c = x->call;
	struct sip_inbound in = { .from = &x->from, .body = body };
	char tag[RELAY_TAG], contact[SIP_LINE_MOST];
	struct out o = { contact, contact + sizeof contact, false };
	struct sip_head request;
	const char *why;

	if (sip_precheck(&request, x->request->data, x->request->len, &why) != SIP_FINE)
		return NULL;
	in.request = &request;
	relay_tag(c, CALLER, fork ? fork->number : 0, tag);
	in.to_tag = (struct span){ tag, sizeof tag };
	in.contact = leg_write_contact(&c->leg[x->side], answer, &o);
	in.keep_challenges = !leg_has_credentials(&c->leg[OTHER_SIDE(x->side)]);
	return sip_translate_answer(c->relay->parts->pool, answer, &in);
}

void exchange_back(struct exchange *x, const struct sip_head *answer, struct span body)
{
	struct sip_buf *b;

	if (!x->server || x->answered)
		return;
	b = exchange_translate(x, answer, body, x->pair ? x->pair :
			       pair_by_remote_tag(x->call, sip_tag(sip_value(answer, H_TO))));
	if (!b) { /* too long with the caller's Vias: of a 1xx nothing hangs on it */
		if (answer->code >= 200)
			exchange_reply(x, answer->code, NULL, NULL);
		return;
	}
	sip_server_reply(x->server, answer->code, b);
	if (answer->code < 200)
		return;
	x->answered = true;
	sip_server_leave(x->server);
	x->server = NULL;
}

void exchange_give_up(struct exchange *x, uint16_t code)
{
	exchange_reply(x, code, NULL, NULL);
	x->cancelled = true;
	if (x->method != M_INVITE || !exchange_sent(x)) {
		exchange_over(x);
		return;
	}
	rg_timer_stop(call_timers(x->call), &x->timer);
	media_forget(x->call, x);
	sip_client_cancel(x->client, (struct span){ NULL, 0 });
}

void exchange_answered(struct exchange *x, const struct sip_head *h, struct span body)
{
	struct call *c = x->call;
	struct sip_head request;
	const char *why;

	exchange_back(x, h, body);
	if (h->code < 200)
		return;
	if (h->code < 300 && x->request &&
	    sip_precheck(&request, x->request->data, x->request->len, &why) == SIP_FINE)
		session_accepted(x, &request, h);
	if (x == c->initial)
		call_decided(c, h->code, h->reason);
	exchange_over(x);
	call_check(c);
}

/* It has no answer. */
void exchange_failed(struct exchange *x, bool transport)
{
	if (x->method == M_BYE) {
		exchange_reply(x, 200, NULL, NULL);
		if (x->pair)
			session_over(x->pair, x->side == CALLER ? BY_CALLER : BY_CALLEE, "BYE");
	} else if (transport || x->method == M_INVITE) {
		exchange_reply(x, transport ? 503 : 408, NULL, NULL);
	} /* else nothing: RFC 4320 4.2 */
	exchange_over(x);
}

/* A challenge to a BYE that the sender is to meet: it comes again. */
static bool comes_again(const struct exchange *x, const struct sip_head *h)
{
	return x->server && (h->code == 401 || h->code == 407) && credentials_pass(x);
}

static void plain_final(struct exchange *x, struct sip_client *c, const struct sip_event *e)
{
	const struct sip_head *h = e->answer;
	bool again = comes_again(x, h);

	if (exchange_challenged(x, c, h))
		return;
	if (x == x->call->initial) {
		if (h->code >= 300 && attempt_redirected(x, c, h))
			return;
		x->client = NULL;
		x->clients--;
		if (h->code >= 300)
			attempt_failed(x, h);
		else
			attempt_accepted(x, e->from, h);
		return;
	}
	x->client = NULL;
	x->clients--;
	if (x->server && x->method == M_BYE && (h->code == 481 || h->code == 408))
		exchange_failed(x, false);
	else if (x->server && x->method == M_BYE)
		exchange_answered(x, h, (struct span){ NULL, 0 }); /* it waits for nobody */
	else if (x->server)
		media_pass(x, MEDIA_ANSWER, e->from, h);
	else
		exchange_over(x);
	if (x->method == M_BYE && x->pair && again)
		session_ends_soon(x->pair);
	else if (x->method == M_BYE && x->pair)
		session_over(x->pair, x->side == CALLER ? BY_CALLER : BY_CALLEE, "BYE");
}

bool exchange_challenged(struct exchange *x, struct sip_client *c, const struct sip_head *h)
{
	enum side to = OTHER_SIDE((enum side)x->side);
	struct leg *l = &x->call->leg[to];

	if (h->code >= 200 && h->code < 300)
		credentials_info(l, h);
	if ((h->code != 401 && h->code != 407) || x->cancelled ||
	    x->challenges >= CHALLENGES_MOST || !credentials_may(x->call, to, &x->to.peer) ||
	    !credentials_challenged(l, h, sip_client_sent(c)))
		return false;
	x->challenges++;
	exchange_again(x, c, (struct span){ NULL, 0 });
	return true;
}

void exchange_unanswered(struct exchange *x, bool transport)
{
	if (x == x->call->initial)
		attempt_failed(x, NULL);
	else
		exchange_failed(x, transport);
}

static void plain(struct exchange *x, struct sip_client *c, const struct sip_event *e)
{
	bool again;

	switch (e->outcome) {
	case SIP_PROVISIONAL:
		if (e->answer->code != 100 && x->server)
			media_pass(x, MEDIA_ANSWER, e->from, e->answer);
		break;
	case SIP_FINAL:
		plain_final(x, c, e);
		break;
	default:
		x->client = NULL;
		x->clients--;
		again = e->outcome == SIP_FAILED ?
				exchange_other_way(x, sip_client_sent(c), e->err) :
				exchange_next_address(x, sip_client_sent(c));
		if (e->outcome == SIP_TIMEOUT) /* a late answer would be of no use to anybody */
			sip_client_stop(c);
		if (!again)
			exchange_unanswered(x, e->outcome == SIP_FAILED);
	}
}

void exchange_event(struct sip_client *c, const struct sip_event *e, void *arg)
{
	struct exchange *x = arg;
	bool gone = e->outcome == SIP_FAILED || e->outcome == SIP_LATE || e->outcome == SIP_GONE;

	if (c != x->client) { /* of an attempt before, or after a time-out */
		if (e->answer && e->answer->code >= 200 && e->answer->code < 300 &&
		    x->method == M_INVITE)
			invite_kill(x, e->from, e->answer);
		if (gone) {
			x->clients--;
			relay_reap(x->call);
		}
		return;
	}
	if (x->method != M_INVITE) {
		plain(x, c, e);
		return;
	}
	if (gone) {
		x->client = NULL;
		x->clients--;
		relay_reap(x->call);
		if (e->outcome == SIP_FAILED && exchange_other_way(x, sip_client_sent(c), e->err)) {
			invite_start_timer_c(x);
			return;
		}
	}
	invite_event(x, c, e);
}
