/* Client transactions; also what both kinds share. */
#include <errno.h>
#include <glib.h>
#include <string.h>

#include "sip/message.h"
#include "sip/slot.h"

enum { SEARCHES_A_SECOND = 50 };

static const struct span no_lines;

static void on_timer(void *arg);

struct sip_ta *sip_ta_new(struct rg_timers *timers, struct sip_pool *pool,
			  struct sip_stats *stats, const struct sip_wire *wire)
{
	struct sip_ta *ta = g_new0(struct sip_ta, 1);

	ta->timers = timers;
	ta->pool = pool;
	ta->stats = stats;
	ta->wire = *wire;
	ta->clients = sip_clients_new();
	ta->servers = sip_servers_new();
	return ta;
}

void sip_ta_free(struct sip_ta *ta)
{
	if (!ta)
		return;
	sip_clients_free(ta);
	sip_servers_free(ta);
	g_free(ta);
}

struct sip_client *sip_client_new(struct sip_ta *ta, const struct sip_hop *hop, bool invite,
				  sip_client_h *h, void *arg)
{
	struct sip_client *c = sip_slot_take(ta);

	if (!c)
		return NULL;
	c->hop = *hop;
	c->invite = invite;
	c->reliable = hop->socket & SIP_SOCKET_TCP;
	c->repeated = c->cancelled = false;
	c->h = h;
	c->arg = arg;
	return c;
}

void sip_client_stop(struct sip_client *c)
{
	if (!c || c->state == CLIENT_FREE)
		return;
	rg_timer_stop(c->ta->timers, &c->timer);
	sip_buf_unref(c->buf);
	g_free(c->ack);
	sip_cancel_free(c->cancel);
	g_free(c->ack_before);
	sip_buf_unref(c->unsent);
	c->buf = c->unsent = NULL;
	c->ack = c->ack_before = NULL;
	c->cancel = NULL;
	c->key_before = 0;
	sip_slot_give_back(c);
}

static void told_nobody(struct sip_client *c, const struct sip_event *e, void *arg)
{
	(void)c, (void)e, (void)arg;
}

void sip_client_leave(struct sip_client *c)
{
	if (!c)
		return;
	if (c->state == CLIENT_NEW) {
		sip_client_stop(c);
		return;
	}
	c->h = told_nobody;
	c->arg = NULL;
	sip_client_cancel(c, no_lines); /* who could still want it? */
}

const struct sip_buf *sip_client_sent(const struct sip_client *c)
{
	return c->buf;
}

const struct sip_hop *sip_client_hop(const struct sip_client *c)
{
	return &c->hop;
}

struct sip_pool *sip_client_pool(const struct sip_client *c)
{
	return c->ta->pool;
}

bool sip_client_repeated(const struct sip_client *c)
{
	return c->repeated;
}

rg_ms sip_client_deadline(const struct sip_client *c)
{
	return c->deadline;
}

/* ---- sending and time ------------------------------------------------------------------ */

static void arm(struct sip_client *c)
{
	rg_ms t = c->next < c->deadline ? c->next : c->deadline;

	rg_timer_set(c->ta->timers, &c->timer, t, on_timer, c);
}

static int put(struct sip_client *c, struct sip_buf *b)
{
	return c->ta->wire.send(c->ta->wire.arg, &c->hop, b);
}

int sip_client_send(struct sip_client *c, struct sip_buf *buf, uint32_t budget_ms, uint8_t most)
{
	rg_ms now = rg_now(c->ta->timers);
	int err;

	if (c->buf != buf)
		sip_buf_unref(c->buf);
	c->buf = buf;
	err = put(c, buf);
	if (err)
		return err;
	c->state = CLIENT_CALLING;
	c->started = now;
	c->deadline = now + budget_ms;
	c->interval = SIP_T1_MS;
	c->left = most;
	c->next = c->reliable || !most ? RG_NEVER : now + SIP_T1_MS;
	arm(c);
	return 0;
}

struct sip_buf *sip_client_again(struct sip_client *c)
{
	struct sip_buf *b = c->buf, *old = b;

	rg_timer_stop(c->ta->timers, &c->timer);
	g_free(c->ack_before);
	c->ack_before = c->ack;
	c->key_before = c->ack ? c->key : 0;
	sip_cancel_free(c->cancel);
	sip_buf_unref(c->unsent);
	c->ack = NULL;
	c->unsent = NULL;
	c->cancel = NULL;
	c->cancelled = false;
	sip_slot_rename(c);
	c->buf = NULL;
	if (b->refs == 1)
		return b;
	b = sip_buf_new(c->ta->pool, old->cap); /* still in a socket's queue */
	memcpy(b->data, old->data, old->len);
	b->len = old->len;
	sip_buf_unref(old);
	return b;
}

/* Tell it, and end the transaction unless the handler took it on or ended it. */
static void finish(struct sip_client *c, const struct sip_event *e)
{
	uint32_t key = c->key;

	rg_timer_stop(c->ta->timers, &c->timer);
	c->h(c, e, c->arg);
	if (c->key == key)
		sip_client_stop(c);
}

static void linger(struct sip_client *c, uint8_t state, rg_ms until)
{
	c->state = state;
	c->next = RG_NEVER;
	c->deadline = until;
	arm(c);
}

static void release_sent(struct sip_client *c)
{
	sip_buf_unref(c->buf);
	c->buf = NULL;
}

static void timed_out(struct sip_client *c)
{
	struct sip_event e = { .outcome = SIP_TIMEOUT };
	rg_ms until = c->started + SIP_64T1_MS;
	struct sip_wire *w = &c->ta->wire;
	uint32_t key = c->key;

	c->ta->stats->timeouts++;
	linger(c, CLIENT_LINGERING, MAX(until, rg_now(c->ta->timers) + 1));
	if (c->reliable && w->silent)
		w->silent(w->arg, &c->hop, c->started);
	if (c->key == key) /* what that set off may have stopped it */
		c->h(c, &e, c->arg);
	if (c->key == key && !c->invite) /* whose late answers may want ACK or CANCEL */
		release_sent(c);
}

static void repeat(struct sip_client *c)
{
	c->repeated = true;
	c->ta->stats->retransmitted++;
	(void)put(c, c->buf); /* a full queue is as good as a lost datagram */
	c->interval *= 2;
	if (!c->invite && (c->interval > SIP_T2_MS || c->state == CLIENT_PROCEEDING))
		c->interval = SIP_T2_MS;
	if (c->left != SIP_RETRANSMIT_RFC)
		c->left--;
	c->next = c->left ? rg_now(c->ta->timers) + c->interval : RG_NEVER;
	arm(c);
}

static void on_timer(void *arg)
{
	struct sip_client *c = arg;

	if (rg_now(c->ta->timers) < c->deadline)
		repeat(c);
	else if (c->state == CLIENT_CALLING || c->state == CLIENT_PROCEEDING)
		timed_out(c);
	else
		finish(c, &(struct sip_event){ .outcome = SIP_GONE });
}

/* ---- INVITE ------------------------------------------------------------------------------ */

static void send_cancel(struct sip_client *c)
{
	if (c->cancel || !c->unsent)
		return;
	c->cancel = sip_cancel_new(c->ta, &c->hop, c->unsent);
	c->unsent = NULL;
	c->deadline = rg_now(c->ta->timers) + SIP_64T1_MS; /* RFC 3261 9.1 */
	arm(c);
}

void sip_client_cancel(struct sip_client *c, struct span headers)
{
	if (!c->invite || c->cancelled ||
	    (c->state != CLIENT_CALLING && c->state != CLIENT_PROCEEDING))
		return;
	c->cancelled = true;
	c->unsent = sip_message_cancel(c->ta->pool, c->buf, headers);
	if (c->state == CLIENT_PROCEEDING)
		send_cancel(c);
}

static void invite_proceeding(struct sip_client *c, const struct sip_event *e)
{
	bool first = c->state == CLIENT_CALLING;

	c->state = CLIENT_PROCEEDING;
	c->next = RG_NEVER;
	if (!c->cancelled)
		c->deadline = RG_NEVER; /* timer B is over; timer C is the user's */
	arm(c);
	if (first && c->cancelled)
		send_cancel(c);
	c->h(c, e, c->arg);
}

static void acknowledge(struct sip_client *c, const struct sip_head *answer)
{
	struct sip_buf *b = sip_message_ack(c->ta->pool, c->buf, answer);

	if (!b)
		return;
	(void)put(c, b);
	c->ack = sip_message_ack_kept(b);
	sip_buf_unref(b);
}

static void acknowledge_again(struct sip_client *c, const char *kept,
			      const struct sip_head *answer)
{
	struct sip_buf *b;

	b = kept ? sip_message_ack_again(c->ta->pool, kept, &c->hop.local, answer) : NULL;
	if (b)
		(void)put(c, b);
	sip_buf_unref(b);
}

/* What there was to cancel is over, and the request was sent for the last time. */
static void tell_final(struct sip_client *c, const struct sip_event *e)
{
	uint32_t key = c->key;

	sip_cancel_free(c->cancel);
	c->cancel = NULL;
	c->h(c, e, c->arg);
	if (c->key == key)
		release_sent(c);
}

/* A 2xx is acknowledged by who asked (RFC 6026), everything else here. */
static void invite_final(struct sip_client *c, const struct sip_event *e)
{
	rg_ms now = rg_now(c->ta->timers);

	if (e->answer->code < 300) {
		if (c->state == CLIENT_COMPLETED)
			return;
		if (c->state != CLIENT_ACCEPTED)
			linger(c, CLIENT_ACCEPTED, now + SIP_64T1_MS);
		tell_final(c, e);
		return;
	}
	if (c->state == CLIENT_ACCEPTED)
		return;
	if (c->state == CLIENT_COMPLETED) {
		acknowledge_again(c, c->ack, e->answer);
		return;
	}
	acknowledge(c, e->answer);
	linger(c, CLIENT_COMPLETED, now + (c->reliable ? 0 : SIP_64T1_MS));
	tell_final(c, e);
}

/* Who asked has gone on without it: what still rings is called off. */
static void invite_late(struct sip_client *c, struct sip_event *e)
{
	if (e->answer->code < 200) {
		c->cancelled = true;
		if (!c->cancel && !c->unsent)
			c->unsent = sip_message_cancel(c->ta->pool, c->buf, no_lines);
		send_cancel(c);
		return;
	}
	if (e->answer->code >= 300)
		acknowledge(c, e->answer);
	e->outcome = SIP_LATE;
	finish(c, e);
}

static void invite_answer(struct sip_client *c, const struct sip_event *e)
{
	if (e->answer->code >= 200)
		invite_final(c, e);
	else if (c->state == CLIENT_CALLING || c->state == CLIENT_PROCEEDING)
		invite_proceeding(c, e);
}

/* ---- answers ----------------------------------------------------------------------------- */

static void answer(struct sip_client *c, struct sip_event *e)
{
	if (c->state == CLIENT_LINGERING && c->invite) {
		invite_late(c, e);
		return;
	}
	if (c->state == CLIENT_LINGERING) {
		if (e->answer->code < 200)
			return;
		e->outcome = SIP_LATE;
		finish(c, e);
		return;
	}
	e->outcome = e->answer->code < 200 ? SIP_PROVISIONAL : SIP_FINAL;
	if (c->invite) {
		invite_answer(c, e);
		return;
	}
	if (e->answer->code >= 200) {
		finish(c, e);
		return;
	}
	if (c->state == CLIENT_CALLING && c->next != RG_NEVER) { /* 17.1.2.2: timer E is T2 now */
		c->interval = SIP_T2_MS;
		c->next = rg_now(c->ta->timers) + SIP_T2_MS;
		arm(c);
	}
	c->state = CLIENT_PROCEEDING;
	c->h(c, e, c->arg);
}

static bool same_method(const struct sip_client *c, const struct sip_head *h)
{
	const char *m = c->buf ? c->buf->data : NULL;

	if (c->invite)
		return span_equal(h->method, (struct span){ "INVITE", 6 });
	if (!m) /* the buffer is gone; the branch alone must do */
		return true;
	return c->buf->len > h->method.n && m[h->method.n] == ' ' &&
	       !memcmp(m, h->method.p, h->method.n);
}

bool sip_ta_response(struct sip_ta *ta, const struct sip_hop *from, const struct sip_head *h)
{
	struct sip_event e = { .answer = h, .from = from };
	struct sip_via_part via;
	struct sip_client *c;
	bool before;

	if (!sip_via_part(sip_value(h, H_VIA), &via) || via.branch.n != SIP_BRANCH)
		return false;
	c = sip_slot_find(ta, via.branch.p, &before);
	if (!c || c->hop.peer.transport != from->peer.transport)
		return false;
	if (before) {
		if (h->code >= 300 && same_method(c, h))
			acknowledge_again(c, c->ack_before, h);
		return true;
	}
	if (same_method(c, h)) {
		answer(c, &e);
		return true;
	}
	if (!c->invite || !c->cancelled || !span_equal(h->method, (struct span){ "CANCEL", 6 }))
		return false;
	if (c->cancel)
		sip_cancel_answered(c->cancel, h->code);
	return true;
}

/* ---- failures ---------------------------------------------------------------------------- */

static void fail(struct sip_client *c, int err)
{
	if (c->state == CLIENT_CALLING || c->state == CLIENT_PROCEEDING)
		finish(c, &(struct sip_event){ .outcome = SIP_FAILED, .err = err });
}

static bool concerns(const struct sip_client *c, uint32_t socket, const struct rg_addr *peer)
{
	return c->state != CLIENT_FREE && c->hop.socket == socket &&
	       (!peer->family || (rg_addr_same_ip(&c->hop.peer, peer) &&
				  (!peer->port || c->hop.peer.port == peer->port)));
}

static bool too_many_searches(struct sip_ta *ta)
{
	rg_ms now = rg_now(ta->timers);

	if (now - ta->second >= 1000) {
		ta->second = now;
		ta->searches = 0;
	}
	return ta->searches++ >= SEARCHES_A_SECOND;
}

void sip_ta_failed(struct sip_ta *ta, uint32_t socket, const struct rg_addr *peer, int err,
		   const char *quoted, size_t n)
{
	const char *b = n ? memmem(quoted, n, "branch=z9hG4bK", 14) : NULL;
	uint32_t youngest = sip_slot_born(ta);
	struct sip_client *c;
	bool before;

	if (b && quoted + n - b >= 7 + SIP_BRANCH) {
		c = sip_slot_find(ta, b + 7, &before);
		if (c && !before && concerns(c, socket, peer))
			fail(c, err);
		return;
	}
	if (n > 8 && !memcmp(quoted, "SIP/2.0 ", 8))
		return; /* an answer of ours */
	if (peer->family && !(socket & SIP_SOCKET_TCP) && too_many_searches(ta))
		return;
	for (uint32_t i = 0; (c = sip_slot_at(ta, i)) != NULL; i++) {
		if (concerns(c, socket, peer) && (int32_t)(c->born - youngest) <= 0)
			fail(c, err);
	}
}
