/* TCP connections: pooled by (local interface, peer, TLS name), framed once. */
#include <glib.h>
#include <string.h>

#include "base/random.h"
#include "regway/plugin.h"
#include "sip/compat.h"
#include "sip/stream.h"
#include "sip/transport.h"

enum {
	CONNECT_MS = 4000,
	SILENT_MS = 32000,	 /* an accepted connection without a whole message */
	IDLE_MS = 900 * 1000,	 /* an accepted one without a message */
	UNUSED_MS = 7200 * 1000, /* one of ours: longer than any usual lease's half */
	PONG_MS = 10000, /* RFC 5626 4.4.1 */
	ACCEPTED_MOST = 4096,
	ACCEPTED_PEER_MOST = 64, /* from one address */
	OUT_MOST = 1 << 20,	 /* bytes waiting for a connection to come up */
	BACKLOG = 256,
};

struct conn {
	struct sip_tcp *tcp;
	struct tcp_conn *tc;
	struct sip_hop hop;
	struct rg_addr from; /* of the interface */
	uint32_t interface;
	bool ours, up, dirty;
	bool spoken; /* a whole message has come */
	char *tls_name;
	struct mbuf *out;
	struct sip_stream stream;
	struct rg_timer timer;
	rg_ms active; /* last message either way */
	rg_ms heard;  /* last byte */
	rg_ms ping;   /* the next one; 0: none */
	bool pinged;  /* and nothing was heard since */
	int low;	/* bytes we want to be woken for */
};

struct listener {
	struct sip_tcp *tcp;
	struct tcp_sock *ts;
	uint32_t number;
	struct rg_addr bound;
};

struct sip_tcp {
	struct sip_carrier *c;
	GHashTable *conn;     /* by socket */
	GHashTable *pool;     /* ours, by key */
	GHashTable *listener; /* by number */
	GPtrArray *dirty;
	unsigned accepted;
};

static guint key_hash(gconstpointer k)
{
	const struct conn *c = k;

	return rg_addr_hash(&c->hop.peer) * 31 + rg_addr_hash(&c->from) + g_str_hash(c->tls_name);
}

static gboolean key_equal(gconstpointer a, gconstpointer b)
{
	const struct conn *x = a, *y = b;

	return rg_addr_equal(&x->hop.peer, &y->hop.peer) && rg_addr_same_ip(&x->from, &y->from) &&
	       !strcmp(x->tls_name, y->tls_name);
}

struct sip_tcp *sip_tcp_new(struct sip_carrier *c)
{
	struct sip_tcp *t = g_new0(struct sip_tcp, 1);

	t->c = c;
	t->conn = g_hash_table_new(NULL, NULL);
	t->pool = g_hash_table_new(key_hash, key_equal);
	t->listener = g_hash_table_new(NULL, NULL);
	t->dirty = g_ptr_array_new();
	return t;
}

static struct conn *find(const struct sip_tcp *t, uint32_t socket)
{
	return g_hash_table_lookup(t->conn, GUINT_TO_POINTER(socket));
}

static void to_sa(struct sa *sa, const struct rg_addr *a)
{
	union sip_sockaddr s;

	sip_sockaddr(&s, a);
	sa_set_sa(sa, &s.sa);
}

static void from_sa(struct rg_addr *a, const struct sa *sa)
{
	union sip_sockaddr s;

	memset(&s, 0, sizeof s);
	memcpy(&s, &sa->u, MIN((size_t)sa->len, sizeof s));
	sip_sockaddr_get(&s, a);
}

/* ---- the end of a connection --------------------------------------------------------- */

static void drop(struct conn *n)
{
	struct sip_tcp *t = n->tcp;

	rg_timer_stop(sip_loop_timers(t->c->loop), &n->timer);
	g_hash_table_remove(t->conn, GUINT_TO_POINTER(n->hop.socket));
	if (n->ours && g_hash_table_lookup(t->pool, n) == n)
		g_hash_table_remove(t->pool, n);
	if (!n->ours)
		t->accepted--;
	g_ptr_array_remove(t->dirty, n);
	t->c->stats->connections--;
	mem_deref(n->tc);
	mem_deref(n->out);
	sip_stream_close(&n->stream);
	g_free(n->tls_name);
	g_free(n);
}

/* It broke, or we gave it up; whoever waits for an answer on it is told. */
static void broken(struct conn *n, int err, bool asked)
{
	struct sip_carrier *c = n->tcp->c;
	struct rg_addr peer = n->hop.peer, all = { .family = 0 };
	uint32_t socket = n->hop.socket, interface = n->interface;
	bool tell = n->ours && n->up && !asked;

	drop(n);
	c->env.failed(c->env.arg, socket, &all, err ? err : ECONNRESET, NULL, 0);
	if (tell)
		c->env.disconnected(c->env.arg, interface, &peer);
}

static void close_handler(int err, void *arg)
{
	struct conn *n = arg;
	struct sip_loop *loop = n->tcp->c->loop;
	uint32_t socket = n->hop.socket;
	struct sip_tcp *t = n->tcp;

	sip_loop_enter(loop);
	if (find(t, socket) == n)
		broken(n, err, false);
	sip_loop_leave(loop);
}

/* ---- time ----------------------------------------------------------------------------- */

static rg_ms limit(const struct conn *n)
{
	if (!n->up)
		return CONNECT_MS;
	return n->ours ? UNUSED_MS : n->spoken ? IDLE_MS : SILENT_MS;
}

static void queue(struct conn *n, const void *data, size_t len)
{
	n->out->pos = n->out->end;
	mbuf_write_mem(n->out, data, len);
	if (n->dirty || !n->up)
		return;
	n->dirty = true;
	g_ptr_array_add(n->tcp->dirty, n);
	sip_carrier_wake(n->tcp->c);
}

static void tick(void *arg);

static void watch(struct conn *n)
{
	struct rg_timers *ts = sip_loop_timers(n->tcp->c->loop);
	rg_ms at = n->active + limit(n);

	if (n->ping)
		at = MIN(at, n->ping);
	rg_timer_set(ts, &n->timer, at, tick, n);
}

static void tick(void *arg)
{
	struct conn *n = arg;

	if (rg_now(sip_loop_timers(n->tcp->c->loop)) >= n->active + limit(n)) {
		broken(n, ETIMEDOUT, n->up);
		return;
	}
	if (n->ping && rg_now(sip_loop_timers(n->tcp->c->loop)) >= n->ping) {
		if (n->pinged) {
			broken(n, ETIMEDOUT, false);
			return;
		}
		n->pinged = true;
		n->ping += PONG_MS;
		queue(n, "\r\n\r\n", 4);
	}
	watch(n);
}

/* Up to 20 % early at random, so that connections do not ping in step. */
static void plan_ping(struct conn *n)
{
	uint32_t every = n->tcp->c->ping_ms;

	n->pinged = false;
	n->ping = 0;
	if (n->ours && n->up && every)
		n->ping = rg_now(sip_loop_timers(n->tcp->c->loop)) + every -
			  (rg_ms)(rg_random64() % (every / 5 + 1));
	watch(n);
}

void sip_tcp_ping(struct sip_tcp *t)
{
	GHashTableIter it;
	gpointer p;

	g_hash_table_iter_init(&it, t->conn);
	while (g_hash_table_iter_next(&it, NULL, &p))
		plan_ping(p);
}

void sip_tcp_silent(struct sip_tcp *t, uint32_t socket, rg_ms since)
{
	struct conn *n = find(t, socket);

	if (n && n->heard < since)
		broken(n, ETIMEDOUT, false);
}

static void active(struct conn *n)
{
	n->active = rg_now(sip_loop_timers(n->tcp->c->loop));
}

/* ---- receiving ------------------------------------------------------------------------ */

static void wake_at(struct conn *n, size_t bytes)
{
	int low = (int)MAX(bytes, (size_t)1);

	if (n->low == low)
		return;
	n->low = low;
	compat_rcvlowat(n->tc, low);
}

/* A message is complete.  false: the connection is gone. */
static bool take(struct conn *n, char *data, size_t len)
{
	struct sip_carrier *c = n->tcp->c;
	struct sip_tcp *t = n->tcp;
	uint32_t socket = n->hop.socket;

	n->spoken = true;
	active(n);
	c->stats->received++;
	if (c->trace)
		c->env.trace(c->env.arg, false, &n->hop.local, &n->hop.peer, data, len);
	c->env.received(c->env.arg, &n->hop, data, len);
	return find(t, socket) == n;
}

static void read_all(struct conn *n, struct mbuf *mb)
{
	rg_ms now = rg_now(sip_loop_timers(n->tcp->c->loop));
	long len = sip_stream_add(&n->stream, mbuf_buf(mb), mbuf_get_left(mb)) ? -1 : 1;
	char *data;
	bool pong;

	n->heard = now;
	if (n->pinged)
		plan_ping(n);
	while (len > 0) {
		len = sip_stream_next(&n->stream, now, &data, &pong);
		if (pong)
			queue(n, "\r\n", 2);
		if (len > 0 && !take(n, data, (size_t)len))
			return;
	}
	if (!len) {
		wake_at(n, sip_stream_wants(&n->stream));
		return;
	}
	n->tcp->c->stats->malformed++;
	broken(n, EBADMSG, false);
}

static void recv_handler(struct mbuf *mb, void *arg)
{
	struct conn *n = arg;
	struct sip_tcp *t = n->tcp;
	uint32_t socket = n->hop.socket;
	struct sip_loop *loop = t->c->loop;

	sip_loop_enter(loop);
	if (find(t, socket) == n)
		read_all(n, mb);
	sip_loop_leave(loop);
}

/* ---- sending -------------------------------------------------------------------------- */

static void flush(struct conn *n)
{
	int err;

	n->dirty = false;
	if (!n->out->end)
		return;
	n->out->pos = 0;
	err = tcp_send(n->tc, n->out);
	mbuf_rewind(n->out);
	if (err)
		broken(n, err, false);
}

void sip_tcp_flush(struct sip_tcp *t)
{
	while (t->dirty->len)
		flush(g_ptr_array_remove_index_fast(t->dirty, t->dirty->len - 1));
}

int sip_tcp_send(struct sip_tcp *t, const struct sip_hop *hop, struct sip_buf *b)
{
	struct conn *n = find(t, hop->socket);

	if (!n)
		return ENOTCONN;
	if (n->out->end + b->len > OUT_MOST) {
		t->c->stats->dropped++;
		return ENOBUFS;
	}
	if (t->c->trace)
		t->c->env.trace(t->c->env.arg, true, &hop->local, &hop->peer, b->data, b->len);
	t->c->stats->sent++;
	if (n->up)
		active(n);
	queue(n, b->data, b->len);
	return 0;
}

/* ---- opening -------------------------------------------------------------------------- */

static void estab_handler(void *arg)
{
	struct conn *n = arg;
	struct sip_loop *loop = n->tcp->c->loop;
	struct sip_tcp *t = n->tcp;
	uint32_t socket = n->hop.socket;

	sip_loop_enter(loop);
	if (find(t, socket) == n) {
		n->up = true;
		compat_nodelay(n->tc);
		active(n);
		plan_ping(n);
		t->c->stats->connected += n->ours;
		if (n->out->end)
			queue(n, "", 0);
	}
	sip_loop_leave(loop);
}

static struct conn *conn_new(struct sip_tcp *t, const char *tls_name)
{
	struct conn *n = g_new0(struct conn, 1);

	n->tcp = t;
	n->tls_name = g_strdup(tls_name ? tls_name : "");
	n->out = mbuf_alloc(2048);
	sip_stream_open(&n->stream);
	n->hop.socket = sip_carrier_number(t->c) | SIP_SOCKET_TCP;
	n->low = 1;
	active(n);
	g_hash_table_insert(t->conn, GUINT_TO_POINTER(n->hop.socket), n);
	t->c->stats->connections++;
	return n;
}

static int start(struct conn *n)
{
	struct sa peer, from;
	struct rg_addr a = n->from;
	int err;

	to_sa(&peer, &n->hop.peer);
	err = tcp_conn_alloc(&n->tc, &peer, estab_handler, recv_handler, close_handler, n);
	if (err)
		return err;
	a.port = 0;
	to_sa(&from, &a);
	if (!sip_addr_is_any(&a))
		err = tcp_conn_bind(n->tc, &from);
	return err ? err : tcp_conn_connect(n->tc, &peer);
}

int sip_tcp_connect(struct sip_tcp *t, uint32_t interface, const struct rg_addr *from,
		    const char *tls_name, struct sip_hop *hop)
{
	struct conn *n, key = { .hop = *hop, .from = *from,
				.tls_name = (char *)(uintptr_t)(tls_name ? tls_name : "") };
	int err;

	n = g_hash_table_lookup(t->pool, &key);
	if (n) {
		hop->socket = n->hop.socket;
		return 0;
	}
	n = conn_new(t, tls_name);
	n->ours = true;
	n->from = *from;
	n->interface = interface;
	n->hop.local = hop->local;
	n->hop.peer = hop->peer;
	err = start(n);
	if (err) {
		drop(n);
		return err;
	}
	g_hash_table_insert(t->pool, n, n);
	watch(n);
	hop->socket = n->hop.socket;
	return 0;
}

static bool too_many(struct sip_tcp *t, const struct rg_addr *peer)
{
	unsigned same = 0;
	GHashTableIter it;
	gpointer p;

	if (t->accepted < ACCEPTED_PEER_MOST)
		return false;
	if (t->accepted >= ACCEPTED_MOST)
		return true;
	g_hash_table_iter_init(&it, t->conn);
	while (g_hash_table_iter_next(&it, NULL, &p)) {
		struct conn *n = p;

		same += !n->ours && rg_addr_same_ip(&n->hop.peer, peer);
	}
	return same >= ACCEPTED_PEER_MOST;
}

static void accept_conn(struct listener *l, const struct rg_addr *peer)
{
	struct sip_tcp *t = l->tcp;
	struct conn *n;
	struct sa local;

	if (too_many(t, peer)) {
		t->c->stats->dropped++;
		tcp_reject(l->ts);
		return;
	}
	n = conn_new(t, "");
	n->from = l->bound;
	n->hop.peer = *peer;
	n->hop.local = l->bound;
	t->accepted++;
	t->c->stats->accepted++;
	n->up = true;
	if (tcp_accept(&n->tc, l->ts, NULL, recv_handler, close_handler, n)) {
		drop(n);
		return;
	}
	compat_nodelay(n->tc);
	if (!tcp_conn_local_get(n->tc, &local))
		from_sa(&n->hop.local, &local);
	watch(n);
}

static void accept_handler(const struct sa *sa, void *arg)
{
	struct listener *l = arg;
	struct sip_loop *loop = l->tcp->c->loop;
	struct rg_addr peer = { .transport = RG_TCP };

	from_sa(&peer, sa);
	sip_loop_enter(loop);
	accept_conn(l, &peer);
	sip_loop_leave(loop);
}

int sip_tcp_listen(struct sip_tcp *t, const struct rg_addr *bound, uint32_t *number)
{
	struct listener *l = g_new0(struct listener, 1);
	struct sa sa;
	int err;

	l->tcp = t;
	l->bound = *bound;
	l->bound.transport = RG_TCP;
	to_sa(&sa, bound);
	err = tcp_sock_alloc(&l->ts, &sa, accept_handler, l);
	if (!err)
		err = tcp_sock_bind(l->ts, &sa);
	if (!err)
		err = tcp_sock_listen(l->ts, BACKLOG);
	if (!err && !l->bound.port && !tcp_sock_local_get(l->ts, &sa))
		l->bound.port = sa_port(&sa);
	if (err) {
		mem_deref(l->ts);
		g_free(l);
		return err;
	}
	l->number = sip_carrier_number(t->c);
	g_hash_table_insert(t->listener, GUINT_TO_POINTER(l->number), l);
	*number = l->number;
	return 0;
}

void sip_tcp_unlisten(struct sip_tcp *t, uint32_t number)
{
	struct listener *l = g_hash_table_lookup(t->listener, GUINT_TO_POINTER(number));

	if (!l)
		return;
	g_hash_table_remove(t->listener, GUINT_TO_POINTER(number));
	mem_deref(l->ts);
	g_free(l);
}

/* Connections may go while they are told of, so they are found anew each time. */
void sip_tcp_abandon(struct sip_tcp *t, const struct rg_addr *from)
{
	GHashTableIter it;
	gpointer p;
	bool found;

	do {
		found = false;
		g_hash_table_iter_init(&it, t->conn);
		while (!found && g_hash_table_iter_next(&it, NULL, &p))
			found = rg_addr_same_ip(&((struct conn *)p)->from, from);
		if (found)
			broken(p, ENOTCONN, true);
	} while (found);
}

void sip_tcp_renumber(struct sip_tcp *t, const struct rg_addr *from, uint32_t interface)
{
	GHashTableIter it;
	gpointer p;

	g_hash_table_iter_init(&it, t->conn);
	while (g_hash_table_iter_next(&it, NULL, &p)) {
		struct conn *n = p;

		if (rg_addr_same_ip(&n->from, from))
			n->interface = interface;
	}
}

void sip_tcp_free(struct sip_tcp *t)
{
	GHashTableIter it;
	gpointer p;

	if (!t)
		return;
	sip_tcp_flush(t);
	for (g_hash_table_iter_init(&it, t->conn); g_hash_table_iter_next(&it, NULL, &p);
	     g_hash_table_iter_init(&it, t->conn))
		drop(p);
	for (g_hash_table_iter_init(&it, t->listener); g_hash_table_iter_next(&it, NULL, &p);
	     g_hash_table_iter_init(&it, t->listener))
		sip_tcp_unlisten(t, ((struct listener *)p)->number);
	g_hash_table_destroy(t->conn);
	g_hash_table_destroy(t->pool);
	g_hash_table_destroy(t->listener);
	g_ptr_array_free(t->dirty, TRUE);
	g_free(t);
}
