/* How the request of an exchange gets on its way, and once more on another. */
#include <errno.h>
#include <string.h>

#include "relay/call.h"

enum {
	TCP_MS = 5000, /* longer than a connection may take, so that there is time for UDP */
	NO_TCP_MS = 600 * 1000,
};

/* Peers that had no TCP are not asked for it again at each long request; those that share
 * a place share its time. */
static rg_ms *no_tcp(struct relay *r, const struct rg_addr *peer)
{
	return &r->no_tcp[rg_addr_hash(peer) % G_N_ELEMENTS(r->no_tcp)];
}

/* RFC 3261 18.1.1: too long for a datagram.  What cannot be, stays as it is. */
static void move_to_tcp(struct exchange *x)
{
	const struct sip_parts *parts = x->call->relay->parts;
	struct rg_addr peer = x->to.peer;
	struct sip_revision rev = { .local = { .family = 0 } };
	struct sip_client *c;
	struct sip_buf *b;
	struct sip_hop hop;
	char branch[SIP_BRANCH];

	if (call_now(x->call) < *no_tcp(x->call->relay, &x->to.peer))
		return;
	peer.transport = RG_TCP;
	if (sip_transport_way(parts->transport, &x->to.local, &peer, "", &hop))
		return;
	c = sip_client_new(parts->ta, &hop, x->method == M_INVITE, exchange_event, x);
	if (!c)
		return;
	sip_client_branch(c, branch);
	rev.branch = (struct span){ branch, sizeof branch };
	rev.local = hop.local;
	b = sip_translate_again(parts->pool, x->built, &rev);
	if (!b) {
		sip_client_stop(c);
		return;
	}
	sip_client_stop(x->client);
	sip_buf_unref(x->built);
	x->client = c;
	x->built = b;
	x->moved = true;
}

void exchange_keep_credentials(struct exchange *x, const struct frame *f)
{
	if (x->method != M_INVITE)
		return;
	g_free(x->credentials);
	x->credentials = f->credentials.n ? g_strndup(f->credentials.p, f->credentials.n) : NULL;
}

static void drop_built(struct exchange *x)
{
	sip_client_stop(x->client);
	x->client = NULL;
	sip_buf_unref(x->built);
	x->built = NULL;
}

int exchange_build(struct exchange *x, const struct sip_head *h, const char *method,
		   const struct sip_hop *hop, struct frame *f)
{
	const struct sip_parts *parts = x->call->relay->parts;

	if (f->out.full)
		return EMSGSIZE;
	x->client = sip_client_new(parts->ta, hop, x->method == M_INVITE, exchange_event, x);
	if (!x->client)
		return EAGAIN;
	x->to = *hop;
	x->cseq_out = f->o.cseq;
	sip_client_branch(x->client, f->branch);
	f->o.branch = (struct span){ f->branch, sizeof f->branch };
	f->o.local = hop->local;
	x->built = h ? sip_translate_request(parts->pool, h, &f->o) :
		       sip_translate_new(parts->pool, method, &f->o);
	if (x->built)
		return 0;
	drop_built(x);
	return EMSGSIZE;
}

/* The same with another body. */
static struct sip_buf *with_body(struct relay *r, struct sip_buf *b, struct span body)
{
	const char *end = memmem(b->data, b->len, "\r\n\r\n", 4), *p = end;
	struct sip_buf *n;
	struct out o;

	while (p && p > b->data && p[-1] != '\n') /* Content-Length stands last */
		p--;
	n = p ? sip_buf_new(r->parts->pool, (size_t)(p - b->data) + body.n + 40) : NULL;
	if (!n)
		return b;
	o = (struct out){ n->data, n->data + n->cap, false };
	out_mem(&o, b->data, (size_t)(p - b->data));
	out_lit(&o, "Content-Length: ");
	out_number(&o, (uint32_t)body.n);
	out_lit(&o, "\r\n\r\n");
	out_span(&o, body);
	n->len = (uint32_t)(o.p - n->data);
	sip_buf_unref(b);
	return n;
}

int exchange_put(struct exchange *x, struct span body)
{
	struct sip_client *c;
	struct sip_buf *b;
	int err;

	if (body.p)
		x->built = with_body(x->call->relay, x->built, body);
	if (x->built->len > DATAGRAM_MOST && x->to.peer.transport == RG_UDP)
		move_to_tcp(x);
	c = x->client;
	b = x->built;
	x->built = NULL;
	err = sip_client_send(c, b, x->moved ? MAX(x->budget_ms, (uint32_t)TCP_MS) : x->budget_ms,
			      x->most);
	if (err) {
		sip_client_stop(c);
		x->client = NULL;
		return err;
	}
	x->clients++;
	if (x->method == M_INVITE)
		invite_start_timer_c(x);
	return 0;
}

int exchange_send(struct exchange *x, const struct sip_head *h, const char *method,
		  const struct sip_hop *hop, struct frame *f)
{
	int err = exchange_build(x, h, method, hop, f);

	if (x->pair && x->method != M_INVITE)
		x->budget_ms = IN_DIALOG_MS / nexthop_choices(x->pair, OTHER_SIDE(x->side));
	return err ? err : exchange_put(x, (struct span){ NULL, 0 });
}

/* Over another way: a new client with the request sent before. */
static bool resend(struct exchange *x, const struct sip_buf *sent, const struct sip_hop *hop)
{
	const struct sip_parts *parts = x->call->relay->parts;
	struct sip_revision rev = { .local = hop->local,
				    .credentials = credentials_to(x, &hop->peer) };
	char branch[SIP_BRANCH];
	struct sip_buf *b;

	x->client = sip_client_new(parts->ta, hop, x->method == M_INVITE, exchange_event, x);
	if (!x->client)
		return false;
	sip_client_branch(x->client, branch);
	rev.branch = (struct span){ branch, sizeof branch };
	b = sip_translate_again(parts->pool, sent, &rev);
	if (b && !sip_client_send(x->client, b, x->budget_ms, x->most)) {
		x->to = *hop;
		x->clients++;
		return true;
	}
	sip_client_stop(x->client);
	x->client = NULL;
	return false;
}

/* TCP for a long request was not to be had: back to UDP.  A connection that broke is opened
 * again; an end that cannot be connected to may still hold one of its own. */
bool exchange_other_way(struct exchange *x, const struct sip_buf *sent, int err)
{
	struct sip_hop hop = x->to;

	if (!sent || x->cancelled)
		return false;
	if (x->moved) {
		x->moved = false;
		*no_tcp(x->call->relay, &x->to.peer) = call_now(x->call) + NO_TCP_MS;
		return resend(x, sent, &hop);
	}
	if (x->fallen || !x->pair ||
	    !nexthop_other(x->pair, OTHER_SIDE(x->side), &x->to, err, &hop))
		return exchange_next_address(x, sent);
	x->fallen = true;
	return resend(x, sent, &hop);
}

bool exchange_next_address(struct exchange *x, const struct sip_buf *sent)
{
	enum side to = OTHER_SIDE(x->side);
	struct sip_hop hop;

	if (!x->pair || !nexthop_turn(x->pair, to) || !sent || x->cancelled ||
	    x->turns + 1u >= nexthop_choices(x->pair, to) || nexthop(x->pair, to, &hop))
		return false;
	x->turns++;
	return resend(x, sent, &hop);
}

static bool again(struct exchange *x, struct sip_client *c, struct span uri)
{
	struct call *call = x->call;
	struct leg *l = &call->leg[OTHER_SIDE(x->side)];
	struct frame f;
	struct sip_revision rev = { .uri = uri };
	struct sip_buf *old = sip_client_again(c), *b;
	struct sip_head h;
	const char *why;

	if (!old || sip_precheck(&h, old->data, old->len, &why) != SIP_FINE) {
		sip_buf_unref(old);
		return false;
	}
	frame_begin(&f);
	f.o.uri = uri.p ? uri : h.uri;
	f.o.cseq = ++x->cseq_out;
	if (x->pair)
		x->pair->dialog[OTHER_SIDE(x->side)].local_cseq =
			MAX(f.o.cseq, x->pair->dialog[OTHER_SIDE(x->side)].local_cseq);
	else
		l->cseq = f.o.cseq;
	frame_authorize(&f, l, h.method,
			(struct span){ h.base + h.header_len, h.len - h.header_len });
	sip_client_branch(c, f.branch);
	rev.branch = (struct span){ f.branch, sizeof f.branch };
	rev.cseq = f.o.cseq;
	rev.credentials = f.o.headers;
	exchange_keep_credentials(x, &f);
	b = sip_translate_again(call->relay->parts->pool, old, &rev);
	sip_buf_unref(old);
	return b && !sip_client_send(c, b, x->budget_ms, x->most);
}

void exchange_again(struct exchange *x, struct sip_client *c, struct span uri)
{
	if (again(x, c, uri))
		return;
	sip_client_stop(c);
	x->client = NULL;
	x->clients--;
	exchange_unanswered(x, true);
}
