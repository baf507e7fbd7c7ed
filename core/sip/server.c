/* Server transactions, found by the branch of the client's Via (RFC 3261 17.2.3). */
#include <glib.h>
#include <string.h>

#include "base/random.h"
#include "regway/plugin.h"
#include "sip/message.h"
#include "sip/transaction.h"

/* TRYING: no final answer yet (RFC 3261 17.2's Proceeding, too). */
enum state { TRYING, COMPLETED, CONFIRMED, ACCEPTED };

struct sip_server {
	uint64_t key[2], asked[2]; /* asked: what a copy by another way has, too */
	struct sip_ta *ta;
	struct rg_timer timer;
	struct sip_hop hop;
	struct sip_buf *last; /* what is sent again */
	sip_server_h *h;
	void *arg;
	rg_ms deadline, next;
	uint32_t interval;
	uint8_t state;
	bool invite, reliable, own, listed /* by asked */;
};

struct sip_servers {
	GHashTable *server, *asked; /* of struct sip_server */
	uint64_t seed[2];
	size_t own;
	const struct sip_head *cancel; /* that is being told */
};

static guint key_hash(gconstpointer k)
{
	return (guint)((const struct sip_server *)k)->key[0];
}

static gboolean key_equal(gconstpointer a, gconstpointer b)
{
	return !memcmp(((const struct sip_server *)a)->key, ((const struct sip_server *)b)->key,
		       sizeof ((const struct sip_server *)a)->key);
}

static guint asked_hash(gconstpointer k)
{
	return (guint)((const struct sip_server *)k)->asked[0];
}

static gboolean asked_equal(gconstpointer a, gconstpointer b)
{
	return !memcmp(((const struct sip_server *)a)->asked, ((const struct sip_server *)b)->asked,
		       sizeof ((const struct sip_server *)a)->asked);
}

struct sip_servers *sip_servers_new(void)
{
	struct sip_servers *ss = g_new0(struct sip_servers, 1);

	ss->server = g_hash_table_new(key_hash, key_equal);
	ss->asked = g_hash_table_new(asked_hash, asked_equal);
	rg_random(ss->seed, sizeof ss->seed);
	return ss;
}

static void release(struct sip_server *s)
{
	rg_timer_stop(s->ta->timers, &s->timer);
	sip_buf_unref(s->last);
	g_free(s);
}

void sip_servers_free(struct sip_ta *ta)
{
	GHashTableIter it;
	gpointer p;

	g_hash_table_iter_init(&it, ta->servers->server);
	while (g_hash_table_iter_next(&it, &p, NULL))
		release(p);
	g_hash_table_destroy(ta->servers->server);
	g_hash_table_destroy(ta->servers->asked);
	g_free(ta->servers);
}

size_t sip_ta_servers(const struct sip_ta *ta)
{
	return g_hash_table_size(ta->servers->server);
}

/* ---- keys: seeded, so that nobody can make two requests meet ------------------------------ */

static uint64_t mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	return x ^ (x >> 32);
}

void sip_key_add(uint64_t key[2], struct span s)
{
	for (size_t i = 0; i < s.n; i += 8) {
		uint64_t w = 0;

		memcpy(&w, s.p + i, MIN((size_t)8, s.n - i));
		key[0] = mix(key[0] ^ w);
		key[1] = mix(key[1] + w) ^ key[0];
	}
	key[0] = mix(key[0] + s.n);
}

void sip_request_key(const struct sip_ta *ta, const struct sip_head *h, struct span method,
		     uint64_t key[2])
{
	struct sip_via_part via;

	memcpy(key, ta->servers->seed, sizeof ta->servers->seed);
	sip_key_add(key, method);
	if (!sip_via_part(sip_value(h, H_VIA), &via))
		return;
	sip_key_add(key, via.branch);
	sip_key_add(key, via.host);
	sip_key_add(key, (struct span){ (const char *)&via.port, sizeof via.port });
	if (via.branch.n > 7 && !memcmp(via.branch.p, "z9hG4bK", 7))
		return;
	/* RFC 2543 */
	sip_key_add(key, sip_value(h, H_CALL_ID));
	sip_key_add(key, sip_tag(sip_value(h, H_FROM)));
	sip_key_add(key, h->uri);
	sip_key_add(key, (struct span){ (const char *)&h->cseq, sizeof h->cseq });
}

/* RFC 3261 8.2.2.2; false: it cannot be told. */
static bool asked_key(const struct sip_ta *ta, const struct sip_head *h, uint64_t key[2])
{
	struct span tag = sip_tag(sip_value(h, H_FROM));

	if (!tag.n || sip_tag(sip_value(h, H_TO)).p)
		return false;
	memcpy(key, ta->servers->seed, sizeof ta->servers->seed);
	sip_key_add(key, h->method);
	sip_key_add(key, sip_value(h, H_CALL_ID));
	sip_key_add(key, tag);
	sip_key_add(key, h->uri);
	sip_key_add(key, (struct span){ (const char *)&h->cseq, sizeof h->cseq });
	return true;
}

bool sip_ta_merged(const struct sip_ta *ta, const struct sip_head *h)
{
	struct sip_server k;

	return asked_key(ta, h, k.asked) && g_hash_table_contains(ta->servers->asked, &k);
}

static void list(struct sip_server *s, const struct sip_head *h)
{
	GHashTable *asked = s->ta->servers->asked;

	s->listed = asked_key(s->ta, h, s->asked) && !g_hash_table_contains(asked, s);
	if (s->listed)
		g_hash_table_add(asked, s);
}

static void unlist(struct sip_server *s)
{
	if (s->listed)
		g_hash_table_remove(s->ta->servers->asked, s);
	s->listed = false;
}

static struct sip_server *find(struct sip_ta *ta, const struct sip_head *h, const char *method)
{
	struct sip_server k;
	struct span m = method ? (struct span){ method, strlen(method) } : h->method;

	sip_request_key(ta, h, m, k.key);
	return g_hash_table_lookup(ta->servers->server, &k);
}

struct sip_server *sip_ta_cancelled(struct sip_ta *ta, const struct sip_head *h)
{
	return find(ta, h, "INVITE");
}

/* ---- life ---------------------------------------------------------------------------------- */

static void end(struct sip_server *s)
{
	if (s->h)
		s->h(s, SIP_SERVER_GONE, s->arg);
	g_hash_table_remove(s->ta->servers->server, s);
	unlist(s);
	s->ta->servers->own -= s->own;
	release(s);
}

static void on_timer(void *arg);

static void arm(struct sip_server *s)
{
	rg_timer_set(s->ta->timers, &s->timer, MIN(s->next, s->deadline), on_timer, s);
}

static void put(struct sip_server *s)
{
	(void)s->ta->wire.send(s->ta->wire.arg, &s->hop, s->last);
}

static void on_timer(void *arg)
{
	struct sip_server *s = arg;
	rg_ms now = rg_now(s->ta->timers);

	if (now >= s->deadline) {
		end(s);
		return;
	}
	s->ta->stats->retransmitted++;
	put(s);
	s->interval = MIN(s->interval * 2, (uint32_t)SIP_T2_MS);
	s->next = now + s->interval;
	arm(s);
}

static void enter(struct sip_server *s, uint8_t state, rg_ms lasts)
{
	s->state = state;
	s->next = RG_NEVER;
	s->deadline = rg_now(s->ta->timers) + lasts;
	arm(s);
}

/* What is answered at once needs none: its connection is there. */
static uint16_t way_back(const struct sip_server *s, const struct sip_head *h)
{
	struct sip_via_part via;

	if (!s->h || !s->reliable || !sip_via_part(sip_value(h, H_VIA), &via))
		return 0;
	return via.port ? via.port : s->hop.peer.transport == RG_TLS ? 5061 : 5060;
}

struct sip_server *sip_server_new(struct sip_ta *ta, const struct sip_hop *from,
				  const struct sip_head *h, sip_server_h *handler, void *arg)
{
	struct sip_server *s;

	if (sip_ta_servers(ta) >= SIP_SERVERS_MOST ||
	    (!handler && ta->servers->own >= SIP_SERVERS_OWN_MOST))
		return NULL;
	s = g_new0(struct sip_server, 1);
	s->ta = ta;
	s->hop = sip_reply_hop(from, h);
	s->h = handler;
	s->arg = arg;
	s->own = !handler;
	ta->servers->own += s->own;
	s->invite = span_is(h->method, "INVITE");
	s->reliable = from->socket & SIP_SOCKET_TCP;
	s->hop.back = way_back(s, h);
	sip_request_key(ta, h, h->method, s->key);
	g_hash_table_add(ta->servers->server, s);
	if (handler) /* our own answer to a copy would be the same */
		list(s, h);
	enter(s, TRYING, SIP_64T1_MS);
	if (s->invite) {
		s->deadline = RG_NEVER;
		arm(s);
	}
	return s;
}

static void forget_last(struct sip_server *s)
{
	sip_buf_unref(s->last);
	s->last = NULL;
}

/* Sent; who keeps it for 32 s keeps no more than there is. */
static void finished(struct sip_server *s, uint16_t code)
{
	if (code >= 300)
		unlist(s); /* another try at it is not refused for this one */
	if (s->reliable || (s->invite && code < 300))
		forget_last(s);
	else
		s->last = sip_buf_tight(s->last);
	if (!s->invite) {
		enter(s, COMPLETED, s->reliable ? 0 : SIP_64T1_MS);
	} else if (code < 300) {
		enter(s, ACCEPTED, SIP_64T1_MS);
	} else {
		enter(s, COMPLETED, SIP_64T1_MS);
		s->interval = SIP_T1_MS;
		s->next = s->reliable ? RG_NEVER : rg_now(s->ta->timers) + SIP_T1_MS;
		arm(s);
	}
}

void sip_server_reply(struct sip_server *s, uint16_t code, struct sip_buf *b)
{
	bool again = s->state == ACCEPTED && code >= 200 && code < 300;

	if (s->state != TRYING && !again) {
		sip_buf_unref(b);
		return;
	}
	forget_last(s);
	s->last = b;
	put(s);
	if (again)
		forget_last(s);
	else if (code >= 200)
		finished(s, code);
}

void sip_server_leave(struct sip_server *s)
{
	if (!s)
		return;
	s->h = NULL;
	if (s->state == TRYING) {
		end(s);
	} else if (s->state == ACCEPTED) { /* who would send it again is gone */
		sip_buf_unref(s->last);
		s->last = NULL;
	}
}

static bool acknowledged(struct sip_server *s)
{
	if (!s || s->state == ACCEPTED) /* RFC 6026: that ACK is for who accepted */
		return false;
	if (s->state != COMPLETED)
		return true;
	forget_last(s);
	enter(s, CONFIRMED, s->reliable ? 0 : SIP_T4_MS);
	if (s->h)
		s->h(s, SIP_SERVER_ACK, s->arg);
	return true;
}

bool sip_ta_request(struct sip_ta *ta, const struct sip_hop *from, const struct sip_head *h)
{
	struct sip_server *s;

	(void)from;
	if (span_is(h->method, "ACK"))
		return acknowledged(find(ta, h, "INVITE"));
	s = find(ta, h, NULL);
	if (!s)
		return false;
	ta->stats->repeated++;
	if (s->last)
		put(s);
	return true;
}

void sip_server_cancel(struct sip_server *s, const struct sip_head *h)
{
	struct sip_servers *ss = s->ta->servers;

	ss->cancel = h;
	if (s->h)
		s->h(s, SIP_SERVER_CANCEL, s->arg);
	ss->cancel = NULL;
}

const struct sip_head *sip_server_cancelling(const struct sip_server *s)
{
	return s->ta->servers->cancel;
}

struct sip_hop sip_reply_hop(const struct sip_hop *from, const struct sip_head *h)
{
	struct sip_hop hop = *from;
	struct sip_via_part via;

	if (from->socket & SIP_SOCKET_TCP || !sip_via_part(sip_value(h, H_VIA), &via) ||
	    via.rport)
		return hop;
	hop.peer.port = via.port ? via.port : 5060;
	return hop;
}
