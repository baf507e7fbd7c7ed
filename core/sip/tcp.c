/* All connections: ours, pooled by (local interface, peer, TLS name), and those that
 * others open, held within bounds. */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "regway/plugin.h"
#include "sip/conn.h"
#include "sip/listener.h"
#include "sip/lost.h"
#include "sip/tls.h"

enum {
	ACCEPTED_MOST = 4096,
	ACCEPTED_PEER_MOST = 64, /* from one address */
	SHAKING_MOST = 512,	 /* accepted, and TLS is not up */
	SHAKING_PEER_MOST = 16,
	OUT_MOST = 1 << 20, /* bytes waiting for a connection */
	FAULTS_MOST = 1024,
	FLOW_LEAST_MS = 5000,
	ROOM = 65536,
};

struct sip_tcp {
	struct sip_carrier *c;
	struct sip_tls_contexts *contexts;
	struct sip_lost *lost;
	GHashTable *conn;     /* by socket */
	GHashTable *pool;     /* ours, by key */
	GHashTable *listener; /* by number */
	GHashTable *faults;   /* TLS to a peer that fails: key -> how often */
	GPtrArray *dirty;
	unsigned accepted, accepted_most, shaking;
	gint64 rest; /* no handshake goes on before, us */
	char room[ROOM];
};

static guint key_hash(gconstpointer k)
{
	const struct sip_conn *c = k;

	return rg_addr_hash(&c->hop.peer) * 31 + rg_addr_hash(&c->from) + g_str_hash(c->tls_name);
}

static gboolean key_equal(gconstpointer a, gconstpointer b)
{
	const struct sip_conn *x = a, *y = b;

	return rg_addr_equal(&x->hop.peer, &y->hop.peer) && rg_addr_same_ip(&x->from, &y->from) &&
	       !strcmp(x->tls_name, y->tls_name);
}

/* Half of the descriptors stay for what is ours: registrars, DNS, a reload. */
static unsigned accepted_most(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) || r.rlim_cur / 2 > ACCEPTED_MOST)
		return ACCEPTED_MOST;
	return (unsigned)r.rlim_cur / 2;
}

struct sip_tcp *sip_tcp_new(struct sip_carrier *c)
{
	struct sip_tcp *t = g_new0(struct sip_tcp, 1);

	t->c = c;
	t->accepted_most = accepted_most();
	t->contexts = sip_tls_contexts_new();
	t->lost = sip_lost_new(c);
	t->conn = g_hash_table_new(NULL, NULL);
	t->pool = g_hash_table_new(key_hash, key_equal);
	t->listener = g_hash_table_new(NULL, NULL);
	t->faults = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	t->dirty = g_ptr_array_new();
	return t;
}

void sip_tcp_contexts(struct sip_tcp *t, struct sip_tls_contexts *contexts)
{
	sip_tls_contexts_ref(contexts);
	sip_tls_contexts_unref(t->contexts);
	t->contexts = contexts;
}

/* ---- what a connection asks of us ------------------------------------------------------ */

static struct sip_conn *find(const struct sip_tcp *t, uint32_t socket)
{
	return g_hash_table_lookup(t->conn, GUINT_TO_POINTER(socket));
}

bool sip_tcp_has(const struct sip_tcp *t, const struct sip_conn *n, uint32_t socket)
{
	return find(t, socket) == n;
}

void sip_tcp_enter(struct sip_tcp *t, struct sip_conn *n)
{
	g_hash_table_insert(t->conn, GUINT_TO_POINTER(n->hop.socket), n);
}

void sip_tcp_leave(struct sip_tcp *t, struct sip_conn *n)
{
	g_hash_table_remove(t->conn, GUINT_TO_POINTER(n->hop.socket));
	if (n->ours && g_hash_table_lookup(t->pool, n) == n)
		g_hash_table_remove(t->pool, n);
	if (!n->ours)
		t->accepted--;
	if (!n->ours && n->state == SIP_SHAKING)
		t->shaking--;
	if (n->dirty)
		g_ptr_array_remove(t->dirty, n);
}

void sip_tcp_dirty(struct sip_tcp *t, struct sip_conn *n)
{
	g_ptr_array_add(t->dirty, n);
	sip_carrier_wake(t->c);
}

struct sip_lost *sip_tcp_lost(struct sip_tcp *t)
{
	return t->lost;
}

char *sip_tcp_room(struct sip_tcp *t, size_t *size)
{
	*size = sizeof t->room;
	return t->room;
}

/* ---- TLS -------------------------------------------------------------------------------- */

static struct sip_listener *listener_of(const struct sip_tcp *t, uint32_t number)
{
	return g_hash_table_lookup(t->listener, GUINT_TO_POINTER(number));
}

int sip_tcp_session(struct sip_tcp *t, struct sip_conn *n)
{
	const struct sip_listener *l;
	int err;

	if (n->ours)
		return sip_tls_client(&n->tls, t->contexts, n->tls_name, &n->hop.peer, n->fd);
	l = listener_of(t, n->listener);
	if (!l)
		return ENOTCONN;
	err = sip_tls_server(&n->tls, t->contexts, l->context, l->require, n->fd);
	t->shaking += !err;
	return err;
}

static char *fault_key(const struct sip_conn *n)
{
	char text[RG_ADDR_TEXT];

	return g_strdup_printf("%s %s", rg_addr_text(&n->hop.peer, text), n->tls_name);
}

/* Whom it concerns is said once, then each time its count has ten times as many. */
static void ours_failed(struct sip_tcp *t, const struct sip_conn *n, int err)
{
	char *key = fault_key(n), text[RG_ADDR_TEXT];
	guint count = GPOINTER_TO_UINT(g_hash_table_lookup(t->faults, key)) + 1, say = 1;
	int len = (int)rg_tls_domain(n->tls_name);

	while (say < count)
		say *= 10;
	if (say == count)
		rg_warn("TLS to %s (%.*s): %s%s", rg_addr_text(&n->hop.peer, text), len,
			n->tls_name, sip_error(err), count > 1 ? ", again and again" : "");
	if (count == 1 && g_hash_table_size(t->faults) >= FAULTS_MOST)
		g_hash_table_remove_all(t->faults);
	g_hash_table_replace(t->faults, key, GUINT_TO_POINTER(count));
}

void sip_tcp_failed(struct sip_tcp *t, const struct sip_conn *n, int err)
{
	char text[RG_ADDR_TEXT];

	if (n->ours)
		ours_failed(t, n, err);
	else
		rg_info("TLS from %s: %s", rg_addr_text(&n->hop.peer, text), sip_error(err));
}

void sip_tcp_shaken(struct sip_tcp *t, const struct sip_conn *n)
{
	if (!n->ours)
		t->shaking--;
}

void sip_tcp_shook(struct sip_tcp *t, int64_t began)
{
	gint64 now = g_get_monotonic_time();

	t->rest = now + (now - began);
}

bool sip_tcp_may_shake(const struct sip_tcp *t)
{
	return g_get_monotonic_time() >= t->rest;
}

void sip_tcp_spoken(struct sip_tcp *t, const struct sip_conn *n)
{
	char *key, text[RG_ADDR_TEXT];
	guint count;

	if (!n->tls || !n->ours || !g_hash_table_size(t->faults))
		return;
	key = fault_key(n);
	count = GPOINTER_TO_UINT(g_hash_table_lookup(t->faults, key));
	if (count)
		rg_notice("TLS to %s works again after %u failures",
			  rg_addr_text(&n->hop.peer, text), count);
	g_hash_table_remove(t->faults, key);
	g_free(key);
}

/* ---- messages ----------------------------------------------------------------------------- */

void sip_tcp_flush(struct sip_tcp *t)
{
	while (t->dirty->len)
		sip_conn_flush(g_ptr_array_remove_index_fast(t->dirty, t->dirty->len - 1));
}

int sip_tcp_send(struct sip_tcp *t, const struct sip_hop *hop, struct sip_buf *b)
{
	struct sip_conn *n = find(t, hop->socket);

	if (!n)
		return ENOTCONN;
	if (sip_conn_waiting(n) + b->len > OUT_MOST) {
		t->c->stats->dropped++;
		return ENOBUFS;
	}
	if (t->c->trace)
		t->c->env.trace(t->c->env.arg, true, &hop->local, &hop->peer, b->data, b->len);
	t->c->stats->sent++;
	n->asked |= b->len < 8 || memcmp(b->data, "SIP/2.0 ", 8);
	sip_conn_queue(n, b->data, b->len);
	sip_conn_used(n);
	return 0;
}

void sip_tcp_ping(struct sip_tcp *t)
{
	GHashTableIter it;
	gpointer p;

	g_hash_table_iter_init(&it, t->conn);
	while (g_hash_table_iter_next(&it, NULL, &p))
		sip_conn_plan(p);
}

void sip_tcp_flow_timer(struct sip_tcp *t, uint32_t socket, uint32_t ms)
{
	struct sip_conn *n = find(t, socket);

	ms = MAX(ms, (uint32_t)FLOW_LEAST_MS);
	if (!n || !n->ours || n->flow_ms == ms)
		return;
	n->flow_ms = ms;
	sip_conn_plan(n);
}

void sip_tcp_silent(struct sip_tcp *t, uint32_t socket, rg_ms since)
{
	struct sip_conn *n = find(t, socket);

	if (n && n->heard < since)
		sip_conn_broken(n, ETIMEDOUT, false);
}

bool sip_tcp_flow(const struct sip_tcp *t, uint32_t socket, struct sip_hop *hop, bool *ours)
{
	const struct sip_conn *n = find(t, socket);

	if (!n)
		return false;
	*hop = n->hop;
	*ours = n->ours;
	return true;
}

bool sip_tcp_between(const struct sip_tcp *t, const struct rg_addr *local,
		     const struct rg_addr *peer, struct sip_hop *hop)
{
	GHashTableIter it;
	gpointer p;

	g_hash_table_iter_init(&it, t->pool);
	while (g_hash_table_iter_next(&it, NULL, &p)) {
		const struct sip_conn *n = p;

		if (!rg_addr_equal(&n->hop.peer, peer) || !rg_addr_same_ip(&n->hop.local, local))
			continue;
		*hop = n->hop;
		return true;
	}
	return false;
}

/* ---- opening -------------------------------------------------------------------------------- */

static struct sip_conn *known(const struct sip_tcp *t, const struct rg_addr *from,
			      const char *tls_name, const struct sip_hop *hop)
{
	struct sip_conn key = { .hop = *hop, .from = *from,
				.tls_name = (char *)(uintptr_t)(tls_name ? tls_name : "") };

	return g_hash_table_lookup(t->pool, &key);
}

int sip_tcp_connect(struct sip_tcp *t, uint32_t interface, const struct rg_addr *from,
		    const char *tls_name, bool connect, struct sip_hop *hop)
{
	struct sip_conn *n = known(t, from, tls_name, hop);
	int err;

	if (!n && !connect)
		return 0;
	if (!n) {
		n = sip_conn_new(t, t->c, tls_name);
		n->ours = true;
		n->from = *from;
		n->interface = interface;
		n->hop.local = hop->local;
		n->hop.peer = hop->peer;
		err = sip_conn_connect(n);
		if (err) {
			sip_conn_drop(n);
			return err;
		}
		g_hash_table_insert(t->pool, n, n);
	}
	*hop = n->hop;
	return 0;
}

/* One address has too many of them already. */
static bool too_many(const struct sip_tcp *t, const struct rg_addr *peer)
{
	unsigned same = 0, shaking = 0;
	GHashTableIter it;
	gpointer p;

	if (t->accepted < ACCEPTED_PEER_MOST && t->shaking < SHAKING_PEER_MOST)
		return false;
	g_hash_table_iter_init(&it, t->conn);
	while (g_hash_table_iter_next(&it, NULL, &p)) {
		const struct sip_conn *n = p;

		if (n->ours || !rg_addr_same_ip(&n->hop.peer, peer))
			continue;
		same++;
		shaking += n->state == SIP_SHAKING;
	}
	return same >= ACCEPTED_PEER_MOST ||
	       (peer->transport == RG_TLS && shaking >= SHAKING_PEER_MOST);
}

/* Who is in earnest speaks at once: when many addresses fill us, the one that has been
 * silent longest makes way.  false: there is none. */
static bool make_room(struct sip_tcp *t, const struct rg_addr *peer)
{
	bool shaking = peer->transport == RG_TLS && t->shaking >= SHAKING_MOST;
	struct sip_conn *silent = NULL;
	GHashTableIter it;
	gpointer p;

	if (!shaking && t->accepted < t->accepted_most)
		return true;
	g_hash_table_iter_init(&it, t->conn);
	while (g_hash_table_iter_next(&it, NULL, &p)) {
		struct sip_conn *n = p;

		if (n->ours || n->spoken || (shaking && n->state != SIP_SHAKING))
			continue;
		if (!silent || n->active < silent->active)
			silent = n;
	}
	if (silent)
		sip_conn_drop(silent);
	return silent;
}

static void accepted(void *arg, const struct sip_listener *l, int fd, const struct rg_addr *peer)
{
	struct sip_tcp *t = arg;
	struct sip_conn *n;

	if (too_many(t, peer) || !make_room(t, peer)) {
		t->c->stats->dropped++;
		close(fd);
		return;
	}
	n = sip_conn_new(t, t->c, "");
	n->from = l->bound;
	n->listener = l->number;
	n->hop.peer = *peer;
	n->hop.local = l->bound;
	t->accepted++;
	t->c->stats->accepted++;
	if (sip_conn_take(n, fd))
		sip_conn_drop(n);
}

int sip_tcp_listen(struct sip_tcp *t, const struct rg_addr *bound, uint32_t *number)
{
	int err;
	struct sip_listener *l = sip_listener_new(t->c, bound, accepted, t, &err);

	if (!l)
		return err;
	g_hash_table_insert(t->listener, GUINT_TO_POINTER(l->number), l);
	*number = l->number;
	return 0;
}

void sip_tcp_context(struct sip_tcp *t, uint32_t number, const char *context, int require)
{
	struct sip_listener *l = listener_of(t, number);

	if (!l)
		return;
	g_free(l->context);
	l->context = g_strdup(context);
	l->require = require;
}

void sip_tcp_unlisten(struct sip_tcp *t, uint32_t number)
{
	struct sip_listener *l = listener_of(t, number);

	if (!l)
		return;
	g_hash_table_remove(t->listener, GUINT_TO_POINTER(number));
	sip_listener_free(l);
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
			found = rg_addr_same_ip(&((struct sip_conn *)p)->from, from);
		if (found)
			sip_conn_broken(p, ENOTCONN, true);
	} while (found);
}

void sip_tcp_renumber(struct sip_tcp *t, const struct rg_addr *from, uint32_t interface)
{
	GHashTableIter it;
	gpointer p;

	g_hash_table_iter_init(&it, t->conn);
	while (g_hash_table_iter_next(&it, NULL, &p)) {
		struct sip_conn *n = p;

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
		sip_conn_drop(p);
	for (g_hash_table_iter_init(&it, t->listener); g_hash_table_iter_next(&it, NULL, &p);
	     g_hash_table_iter_init(&it, t->listener))
		sip_tcp_unlisten(t, ((struct sip_listener *)p)->number);
	g_hash_table_destroy(t->conn);
	g_hash_table_destroy(t->pool);
	g_hash_table_destroy(t->listener);
	g_hash_table_destroy(t->faults);
	g_ptr_array_free(t->dirty, TRUE);
	sip_tls_contexts_unref(t->contexts);
	sip_lost_free(t->lost);
	g_free(t);
}
