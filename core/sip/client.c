/* Client transactions; also what both kinds share. */
#include <errno.h>
#include <glib.h>
#include <string.h>

#include "base/random.h"
#include "sip/message.h"
#include "sip/transaction.h"

enum { CHUNK = 256, CHUNKS = SIP_CLIENTS_MOST / CHUNK };

enum state { FREE, NEW, CALLING, PROCEEDING, COMPLETED, ACCEPTED, LINGERING };

struct sip_client {
	struct sip_ta *ta;
	struct rg_timer timer;
	struct sip_hop hop;
	struct sip_buf *buf, *ack;
	sip_client_h *h;
	void *arg;
	rg_ms started, deadline, next; /* next: repetition */
	uint32_t slot, key, interval, born;
	uint8_t state, left;
	bool invite, reliable, repeated, cancel;
	struct sip_client *spare;
};

struct sip_clients {
	struct sip_client *chunk[CHUNKS];
	uint32_t slots, used, cookie, born;
	struct sip_client *spare;
};

static void on_timer(void *arg);

struct sip_clients *sip_clients_new(void)
{
	struct sip_clients *cs = g_new0(struct sip_clients, 1);

	rg_random(&cs->cookie, sizeof cs->cookie);
	return cs;
}

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

static struct sip_client *at(const struct sip_clients *cs, uint32_t slot)
{
	return slot < cs->slots ? &cs->chunk[slot / CHUNK][slot % CHUNK] : NULL;
}

void sip_clients_free(struct sip_ta *ta)
{
	struct sip_clients *cs = ta->clients;

	for (uint32_t i = 0; i < cs->slots; i++)
		sip_client_stop(at(cs, i));
	for (uint32_t i = 0; i < cs->slots; i += CHUNK)
		g_free(cs->chunk[i / CHUNK]);
	g_free(cs);
}

void sip_ta_free(struct sip_ta *ta)
{
	if (!ta)
		return;
	sip_clients_free(ta);
	sip_servers_free(ta);
	g_free(ta);
}

size_t sip_ta_clients(const struct sip_ta *ta)
{
	return ta->clients->used;
}

/* ---- slots ----------------------------------------------------------------------------- */

static bool grow(struct sip_ta *ta)
{
	struct sip_clients *cs = ta->clients;
	struct sip_client *c;

	if (cs->slots >= SIP_CLIENTS_MOST)
		return false;
	c = g_new0(struct sip_client, CHUNK);
	cs->chunk[cs->slots / CHUNK] = c;
	for (uint32_t i = CHUNK; i-- > 0;) {
		c[i].slot = cs->slots + i;
		c[i].ta = ta;
		c[i].spare = cs->spare;
		cs->spare = &c[i];
	}
	cs->slots += CHUNK;
	return true;
}

static uint32_t new_key(void)
{
	uint32_t key;

	do
		rg_random(&key, sizeof key);
	while (!key);
	return key;
}

struct sip_client *sip_client_new(struct sip_ta *ta, const struct sip_hop *hop, bool invite,
				  sip_client_h *h, void *arg)
{
	struct sip_clients *cs = ta->clients;
	struct sip_client *c;

	if (!cs->spare && !grow(ta))
		return NULL;
	c = cs->spare;
	cs->spare = c->spare;
	cs->used++;
	c->state = NEW;
	c->key = new_key();
	c->hop = *hop;
	c->invite = invite;
	c->reliable = hop->socket & SIP_SOCKET_TCP;
	c->repeated = c->cancel = false;
	c->born = ++cs->born;
	c->h = h;
	c->arg = arg;
	return c;
}

void sip_client_stop(struct sip_client *c)
{
	struct sip_clients *cs;

	if (!c || c->state == FREE)
		return;
	cs = c->ta->clients;
	rg_timer_stop(c->ta->timers, &c->timer);
	sip_buf_unref(c->buf);
	sip_buf_unref(c->ack);
	c->buf = c->ack = NULL;
	c->state = FREE;
	c->key = 0;
	c->spare = cs->spare;
	cs->spare = c;
	cs->used--;
}

static void told_nobody(struct sip_client *c, const struct sip_event *e, void *arg)
{
	(void)c, (void)e, (void)arg;
}

void sip_client_leave(struct sip_client *c)
{
	if (!c)
		return;
	if (c->state == NEW) {
		sip_client_stop(c);
		return;
	}
	c->h = told_nobody;
	c->arg = NULL;
}

void sip_client_branch(const struct sip_client *c, char out[SIP_BRANCH])
{
	memcpy(out, "z9hG4bK", 7);
	sip_hex(out + 7, c->ta->clients->cookie);
	sip_hex(out + 15, c->slot);
	sip_hex(out + 23, c->key);
}

static struct sip_client *by_branch(const struct sip_ta *ta, const char *branch)
{
	uint32_t cookie, slot, key;
	struct sip_client *c;

	if (memcmp(branch, "z9hG4bK", 7) || !sip_unhex(branch + 7, &cookie) ||
	    !sip_unhex(branch + 15, &slot) || !sip_unhex(branch + 23, &key) ||
	    cookie != ta->clients->cookie)
		return NULL;
	c = at(ta->clients, slot);
	return c && c->state > NEW && c->key == key ? c : NULL;
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
	c->state = CALLING;
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

	c->key = new_key();
	c->state = NEW;
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

static void timed_out(struct sip_client *c)
{
	struct sip_event e = { .outcome = SIP_TIMEOUT };
	rg_ms until = c->started + SIP_64T1_MS;
	struct sip_wire *w = &c->ta->wire;
	uint32_t key = c->key;

	c->ta->stats->timeouts++;
	sip_buf_unref(c->buf);
	c->buf = NULL;
	linger(c, LINGERING, MAX(until, rg_now(c->ta->timers) + 1));
	if (c->reliable && w->silent)
		w->silent(w->arg, &c->hop, c->started);
	if (c->key == key) /* what that set off may have stopped it */
		c->h(c, &e, c->arg);
}

static void repeat(struct sip_client *c)
{
	c->repeated = true;
	c->ta->stats->retransmitted++;
	(void)put(c, c->buf); /* a full queue is as good as a lost datagram */
	c->interval *= 2;
	if (!c->invite && (c->interval > SIP_T2_MS || c->state == PROCEEDING))
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
	else if (c->state == CALLING || c->state == PROCEEDING)
		timed_out(c);
	else
		finish(c, &(struct sip_event){ .outcome = SIP_GONE });
}

/* ---- INVITE ------------------------------------------------------------------------------ */

/* CANCEL is a transaction of its own with the branch of what it cancels: it is sent
 * again by the next 1xx or timer only, since the INVITE's own deadline ends all. */
static void send_cancel(struct sip_client *c)
{
	struct sip_buf *b = sip_message_cancel(c->ta->pool, c->buf);

	if (!b)
		return;
	(void)put(c, b);
	sip_buf_unref(b);
	c->deadline = rg_now(c->ta->timers) + SIP_64T1_MS; /* RFC 3261 9.1 */
	arm(c);
}

void sip_client_cancel(struct sip_client *c)
{
	if (!c->invite || c->cancel || (c->state != CALLING && c->state != PROCEEDING))
		return;
	c->cancel = true;
	if (c->state == PROCEEDING)
		send_cancel(c);
}

static void invite_proceeding(struct sip_client *c, const struct sip_event *e)
{
	bool first = c->state == CALLING;

	c->state = PROCEEDING;
	c->next = RG_NEVER;
	if (!c->cancel)
		c->deadline = RG_NEVER; /* timer B is over; timer C is the user's */
	arm(c);
	if (first && c->cancel)
		send_cancel(c);
	c->h(c, e, c->arg);
}

/* A 2xx is acknowledged by who asked (RFC 6026), everything else here. */
static void invite_final(struct sip_client *c, const struct sip_event *e)
{
	rg_ms now = rg_now(c->ta->timers);

	if (e->answer->code < 300) {
		if (c->state == COMPLETED)
			return;
		linger(c, ACCEPTED, now + SIP_64T1_MS);
		c->h(c, e, c->arg);
		return;
	}
	if (c->state == ACCEPTED)
		return;
	if (c->state == COMPLETED) {
		if (c->ack)
			(void)put(c, c->ack);
		return;
	}
	c->ack = sip_message_ack(c->ta->pool, c->buf, e->answer);
	if (c->ack)
		(void)put(c, c->ack);
	linger(c, COMPLETED, now + (c->reliable ? 0 : SIP_64T1_MS));
	c->h(c, e, c->arg);
}

static void invite_answer(struct sip_client *c, const struct sip_event *e)
{
	if (e->answer->code >= 200)
		invite_final(c, e);
	else if (c->state == CALLING || c->state == PROCEEDING)
		invite_proceeding(c, e);
}

/* ---- answers ----------------------------------------------------------------------------- */

static void answer(struct sip_client *c, struct sip_event *e)
{
	if (c->state == LINGERING) {
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
	if (c->state == CALLING && c->next != RG_NEVER) { /* 17.1.2.2: timer E is T2 now */
		c->interval = SIP_T2_MS;
		c->next = rg_now(c->ta->timers) + SIP_T2_MS;
		arm(c);
	}
	c->state = PROCEEDING;
	c->h(c, e, c->arg);
}

static bool same_method(const struct sip_client *c, const struct sip_head *h)
{
	const char *m = c->buf ? c->buf->data : NULL;

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

	if (!sip_via_part(sip_value(h, H_VIA), &via) || via.branch.n != SIP_BRANCH)
		return false;
	c = by_branch(ta, via.branch.p);
	if (!c || c->hop.peer.transport != from->peer.transport)
		return false;
	if (same_method(c, h))
		answer(c, &e);
	else if (!span_is(h->method, "CANCEL"))
		return false;
	return true;
}

/* ---- failures ---------------------------------------------------------------------------- */

static void fail(struct sip_client *c, int err)
{
	if (c->state == CALLING || c->state == PROCEEDING)
		finish(c, &(struct sip_event){ .outcome = SIP_FAILED, .err = err });
}

static bool concerns(const struct sip_client *c, uint32_t socket, const struct rg_addr *peer)
{
	return c->state != FREE && c->hop.socket == socket &&
	       (!peer->family || (rg_addr_same_ip(&c->hop.peer, peer) &&
				  (!peer->port || c->hop.peer.port == peer->port)));
}

void sip_ta_failed(struct sip_ta *ta, uint32_t socket, const struct rg_addr *peer, int err,
		   const char *quoted, size_t n)
{
	struct sip_clients *cs = ta->clients;
	const char *b = n ? memmem(quoted, n, "branch=z9hG4bK", 14) : NULL;
	uint32_t before = cs->born;
	struct sip_client *c;

	if (b && quoted + n - b >= 7 + SIP_BRANCH) {
		c = by_branch(ta, b + 7);
		if (c && concerns(c, socket, peer))
			fail(c, err);
		return;
	}
	if (n > 8 && !memcmp(quoted, "SIP/2.0 ", 8))
		return; /* an answer of ours */
	for (uint32_t i = 0; i < cs->slots; i++) {
		c = at(cs, i);
		if (concerns(c, socket, peer) && (int32_t)(c->born - before) <= 0)
			fail(c, err);
	}
}
