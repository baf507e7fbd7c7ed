/* The 2xx of an INVITE until its ACK, and the ACK until nobody asks for it any more.  An ACK
 * has no transaction of its own. */
#include <string.h>

#include "base/random.h"
#include "relay/call.h"

/* ---- our repetitions of the 2xx --------------------------------------------------------- */

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

void ack_wait(struct exchange *x)
{
	rg_ms now = call_now(x->call);

	x->interval = SIP_T1_MS;
	x->give_up = now + SIP_64T1_MS;
	rg_timer_set(call_timers(x->call), &x->timer, now + SIP_T1_MS, repeat, x);
}

/* ---- the ACK on its way ----------------------------------------------------------------- */

static void write_branch(char out[SIP_BRANCH])
{
	memcpy(out, "z9hG4bK", 7);
	for (int i = 7; i < SIP_BRANCH; i += 8)
		sip_hex(out + i, (uint32_t)rg_random64());
}

struct sip_buf *ack_put(struct exchange *x, const struct sip_head *h, struct frame *f,
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

void ack_forward(struct exchange *x, const struct sip_head *h, struct span body)
{
	struct sip_hop hop;
	struct frame f;

	if (x->ack || !x->pair || !frame_ack(x, h, &f, &hop))
		return;
	f.o.body = body;
	x->ack = ack_put(x, h, &f, &hop);
	if (x->ack)
		x->ack = sip_buf_tight(x->ack);
	x->to = hop;
	settled(x);
}

void ack_self(struct exchange *x)
{
	struct sip_hop hop;
	struct frame f;

	if ((x->ack && !x->ack_waits) || !x->pair || !frame_ack(x, NULL, &f, &hop))
		return;
	sip_buf_unref(x->ack);
	x->ack_waits = false;
	x->ack = ack_put(x, NULL, &f, &hop);
	x->to = hop;
	settled(x);
}

static void keep_ack(struct exchange *x, const struct sip_hop *hop, const struct sip_head *h)
{
	x->ack = relay_copy(x->call->relay, h);
	if (!x->ack)
		return;
	x->from = *hop;
	x->ack_waits = true;
}

void ack_request(struct pair *p, enum side from, const struct sip_hop *hop,
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

void ack_again(struct exchange *x)
{
	const struct sip_parts *parts = x->call->relay->parts;
	enum side to = OTHER_SIDE(x->side);
	struct sip_revision rev = { .cseq = 0 };
	char branch[SIP_BRANCH];
	struct sip_buf *b;
	struct sip_hop hop;

	if (x->repeats++ & 1) /* one may be lost */
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
