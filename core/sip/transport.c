#include "sip/transport.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "regway/plugin.h"
#include "sip/place.h"
#include "sip/source.h"
#include "sip/tls.h"

enum { ROUNDS = 4, LEFT_MS = 1000 };

/* A local port that is open, of an interface or of an account. */
struct local {
	struct rg_addr bound; /* all zero is every address of the family */
	uint32_t number;
	bool used, own;
	bool left; /* by its interface or account, for what began there */
};

struct sip_transport {
	struct sip_carrier c;
	struct sip_udp *udp;
	struct sip_tcp *tcp;
	struct sip_tls_contexts *contexts;
	GArray *interface; /* struct sip_interface */
	GHashTable *local; /* struct local, by itself */
	struct sip_sources *source;
	sip_transport_busy_h *busy;
	void *busy_arg;
	struct rg_timer leave;
};

uint32_t sip_carrier_number(struct sip_carrier *c)
{
	c->next_socket = c->next_socket % (SIP_SOCKET_TCP - 1) + 1;
	return c->next_socket;
}

static void flush(void *arg)
{
	struct sip_transport *t = arg;

	for (int i = 0; i < ROUNDS && t->c.waiting; i++) {
		t->c.waiting = false;
		sip_tcp_flush(t->tcp);
		sip_udp_flush(t->udp);
	}
	if (t->c.waiting)
		rg_timer_set(sip_loop_timers(t->c.loop), &t->c.soon, 0, flush, t);
}

static void nothing(void *arg)
{
	(void)arg; /* the end of the turn does it */
}

void sip_carrier_wake(struct sip_carrier *c)
{
	c->waiting = true;
	if (!sip_loop_in_turn(c->loop))
		rg_timer_set(sip_loop_timers(c->loop), &c->soon, 0, nothing, c);
}

static guint local_hash(gconstpointer k)
{
	return rg_addr_hash(&((const struct local *)k)->bound);
}

static gboolean local_equal(gconstpointer a, gconstpointer b)
{
	return rg_addr_equal(&((const struct local *)a)->bound, &((const struct local *)b)->bound);
}

int sip_transport_new(struct sip_transport **tp, struct sip_loop *loop, struct sip_pool *pool,
		      struct sip_stats *stats, const struct sip_transport_env *env)
{
	struct sip_transport *t = g_new0(struct sip_transport, 1);

	t->c = (struct sip_carrier){ .loop = loop, .pool = pool, .stats = stats, .env = *env };
	t->interface = g_array_new(FALSE, FALSE, sizeof(struct sip_interface));
	t->local = g_hash_table_new_full(local_hash, local_equal, g_free, NULL);
	t->source = sip_sources_new(sip_loop_timers(loop));
	t->udp = sip_udp_new(&t->c);
	t->tcp = sip_tcp_new(&t->c);
	sip_loop_at_end(loop, flush, t);
	*tp = t;
	return 0;
}

/* ---- local ports ---------------------------------------------------------------------- */

static struct local *find_local(struct sip_transport *t, const struct rg_addr *addr,
				uint16_t port, uint8_t transport)
{
	struct local key = { .bound = *addr };

	key.bound.port = port;
	key.bound.transport = transport;
	return g_hash_table_lookup(t->local, &key);
}

static int open_local(struct sip_transport *t, const struct rg_addr *addr, uint16_t port,
		      uint8_t transport, struct local **lp)
{
	struct local *l = find_local(t, addr, port, transport);
	int err;

	*lp = l;
	if (l)
		return 0;
	l = g_new0(struct local, 1);
	l->bound = *addr;
	l->bound.port = port;
	l->bound.transport = transport;
	err = transport == RG_UDP ? sip_udp_open(t->udp, &l->bound, &l->number) :
				    sip_tcp_listen(t->tcp, &l->bound, &l->number);
	if (err) {
		g_free(l);
		return err;
	}
	g_hash_table_add(t->local, l);
	*lp = l;
	return 0;
}

static void close_local(struct sip_transport *t, struct local *l)
{
	if (l->bound.transport == RG_UDP)
		sip_udp_close(t->udp, l->number);
	else
		sip_tcp_unlisten(t->tcp, l->number);
}

static const struct sip_interface *interface_at(const struct sip_transport *t, uint32_t position)
{
	const struct sip_interface *i;

	if (position < t->interface->len) { /* usually they are numbered in order */
		i = &g_array_index(t->interface, struct sip_interface, position);
		if (i->position == position)
			return i;
	}
	for (guint k = 0; k < t->interface->len; k++) {
		i = &g_array_index(t->interface, struct sip_interface, k);
		if (i->position == position)
			return i;
	}
	return NULL;
}

static bool address_stays(const struct sip_interface *is, size_t n, const struct rg_addr *addr)
{
	for (size_t i = 0; i < n; i++)
		if (sip_on_place(&is[i], addr))
			return true;
	return false;
}

/* A port moves to another address, or to all of them: what is not used any more makes
 * way.  false: nothing did. */
static bool make_way(struct sip_transport *t, uint16_t port, uint8_t transport)
{
	GHashTableIter it;
	gpointer p;
	bool any = false;

	g_hash_table_iter_init(&it, t->local);
	while (g_hash_table_iter_next(&it, &p, NULL)) {
		struct local *l = p;

		if (l->used || l->own || l->bound.port != port || l->bound.transport != transport)
			continue;
		close_local(t, l);
		g_hash_table_iter_remove(&it);
		any = true;
	}
	return any;
}

static const char *context_of(const struct sip_interface *i)
{
	return i->tls_context && *i->tls_context ? i->tls_context : "default";
}

/* Nobody can connect to a TLS port without a certificate. */
static bool wanted(const struct sip_transport *t, const struct sip_interface *i, uint8_t transport)
{
	return sip_port_of(i, transport) &&
	       (transport != RG_TLS ||
		(t->contexts && sip_tls_contexts_serve(t->contexts, context_of(i))));
}

static int open_one(struct sip_transport *t, const struct sip_interface *i,
		    const struct rg_addr *at, uint8_t transport)
{
	uint16_t port = sip_port_of(i, transport);
	struct local *l;
	int err = open_local(t, at, port, transport, &l);

	if (err == EADDRINUSE && make_way(t, port, transport))
		err = open_local(t, at, port, transport, &l);
	if (!err)
		l->used = true;
	return err && !sip_place_optional(i, at, err) ? err : 0;
}

static int open_all(struct sip_transport *t, const struct sip_interface *is, size_t n,
		    struct rg_addr *bad)
{
	for (size_t i = 0; i < n; i++) {
		struct rg_addr at[2];
		unsigned two = sip_places(&is[i], at);

		for (uint8_t tp = RG_UDP; tp <= RG_TLS; tp++)
			for (unsigned k = 0; wanted(t, &is[i], tp) && k < two; k++) {
				int err = open_one(t, &is[i], &at[k], tp);

				if (!err)
					continue;
				*bad = at[k];
				bad->port = sip_port_of(&is[i], tp);
				bad->transport = tp;
				return err;
			}
	}
	return 0;
}

static bool busy(const struct sip_transport *t)
{
	return t->busy && t->busy(t->busy_arg);
}

/* Nothing that began at them is left. */
static void leave(void *arg)
{
	struct sip_transport *t = arg;
	struct rg_timers *timers = sip_loop_timers(t->c.loop);
	GHashTableIter it;
	gpointer p;

	if (busy(t)) {
		rg_timer_set(timers, &t->leave, rg_now(timers) + LEFT_MS, leave, t);
		return;
	}
	g_hash_table_iter_init(&it, t->local);
	while (g_hash_table_iter_next(&it, &p, NULL)) {
		struct local *l = p;

		if (!l->left || l->used || l->own) {
			l->left = false;
			continue;
		}
		close_local(t, l);
		g_hash_table_iter_remove(&it);
	}
}

static void leave_later(struct sip_transport *t, struct local *l)
{
	struct rg_timers *timers = sip_loop_timers(t->c.loop);

	l->own = false;
	l->left = true;
	rg_timer_set(timers, &t->leave, rg_now(timers) + LEFT_MS, leave, t);
}

/* Close what is used no more; accounts' own ports go with their address.  wait: not while
 * something goes on that began there. */
static void sweep(struct sip_transport *t, const struct sip_interface *is, size_t n, bool wait)
{
	GHashTableIter it;
	gpointer p;

	g_hash_table_iter_init(&it, t->local);
	while (g_hash_table_iter_next(&it, &p, NULL)) {
		struct local *l = p;

		if (l->used || l->left || (l->own && address_stays(is, n, &l->bound)))
			continue;
		if (wait && busy(t)) {
			leave_later(t, l);
			continue;
		}
		close_local(t, l);
		g_hash_table_iter_remove(&it);
	}
}

static void mark(struct sip_transport *t, const struct sip_interface *is, size_t n)
{
	GHashTableIter it;
	gpointer p;

	g_hash_table_iter_init(&it, t->local);
	while (g_hash_table_iter_next(&it, &p, NULL))
		((struct local *)p)->used = false;
	for (size_t i = 0; i < n; i++) {
		struct rg_addr at[2];
		unsigned two = sip_places(&is[i], at);

		for (uint8_t tp = RG_UDP; tp <= RG_TLS; tp++)
			for (unsigned k = 0; wanted(t, &is[i], tp) && k < two; k++) {
				uint16_t port = sip_port_of(&is[i], tp);
				struct local *l = find_local(t, &at[k], port, tp);

				if (l)
					l->used = true;
			}
	}
}

static void adopt(struct sip_transport *t, const struct sip_interface *is, size_t n)
{
	struct rg_addr at[2];
	bool pings = false; /* their period has changed somewhere */

	for (guint i = 0; i < t->interface->len; i++) {
		struct sip_interface *was = &g_array_index(t->interface, struct sip_interface, i);
		unsigned two = sip_places(was, at);

		pings = pings || i >= n || is[i].ping_ms != was->ping_ms;
		for (unsigned k = 0; k < two; k++)
			if (!address_stays(is, n, &at[k]))
				sip_tcp_abandon(t->tcp, &at[k]);
	}
	g_array_set_size(t->interface, 0);
	if (n)
		g_array_append_vals(t->interface, is, (guint)n);
	for (size_t i = 0; i < n; i++) {
		unsigned two = sip_places(&is[i], at);

		for (unsigned k = 0; k < two; k++) {
			struct local *l = find_local(t, &at[k], is[i].tls, RG_TLS);

			sip_tcp_renumber(t->tcp, &at[k], is[i].position);
			if (l)
				sip_tcp_context(t->tcp, l->number, context_of(&is[i]),
						is[i].tls_mutual);
		}
	}
	if (pings)
		sip_tcp_ping(t->tcp);
}

void sip_transport_contexts(struct sip_transport *t, struct sip_tls_contexts *contexts)
{
	sip_tls_contexts_ref(contexts);
	sip_tls_contexts_unref(t->contexts);
	t->contexts = contexts;
	sip_tcp_contexts(t->tcp, contexts);
}

int sip_transport_interfaces(struct sip_transport *t, const struct sip_interface *is, size_t n,
			     struct rg_addr *bad)
{
	struct sip_interface *old;
	guint olds = t->interface->len;
	struct rg_addr unused;
	int err;

	memset(bad, 0, sizeof *bad);
	old = g_memdup2(t->interface->data, olds * sizeof *old);
	mark(t, is, n);
	err = open_all(t, is, n, bad);
	if (err) {
		mark(t, old, olds);
		sweep(t, old, olds, false);
		(void)open_all(t, old, olds, &unused); /* what had made way */
	} else {
		adopt(t, is, n);
		sweep(t, is, n, true);
		sip_sources_forget(t->source);
	}
	g_free(old);
	return err;
}

int sip_transport_open(struct sip_transport *t, uint32_t interface, uint16_t port)
{
	const struct sip_interface *i = interface_at(t, interface);
	struct rg_addr at[2];
	unsigned n;

	if (!i || i->closed)
		return EADDRNOTAVAIL;
	n = sip_places(i, at);
	for (unsigned k = 0; k < n; k++) {
		struct local *l;
		int err = open_local(t, &at[k], port, RG_UDP, &l);

		if (!err)
			l->own = true;
		else if (!sip_place_optional(i, &at[k], err)) {
			sip_transport_close(t, interface, port);
			return err;
		}
	}
	return 0;
}

void sip_transport_close(struct sip_transport *t, uint32_t interface, uint16_t port)
{
	const struct sip_interface *i = interface_at(t, interface);
	struct rg_addr at[2];
	unsigned n = i ? sip_places(i, at) : 0;

	for (unsigned k = 0; k < n; k++) {
		struct local *l = find_local(t, &at[k], port, RG_UDP);

		if (!l || !l->own)
			continue;
		l->own = false;
		if (l->used)
			continue;
		if (busy(t)) {
			leave_later(t, l);
			continue;
		}
		close_local(t, l);
		g_hash_table_remove(t->local, l);
	}
}

uint32_t sip_transport_rcvbuf(const struct sip_transport *t)
{
	uint32_t least = 0;
	GHashTableIter it;
	gpointer p;

	g_hash_table_iter_init(&it, t->local);
	while (g_hash_table_iter_next(&it, &p, NULL)) {
		struct local *l = p;
		uint32_t size;

		if (l->bound.transport != RG_UDP || !l->used)
			continue;
		size = sip_udp_rcvbuf(t->udp, l->number);
		least = least ? MIN(least, size) : size;
	}
	return least;
}

/* ---- the way to a peer ------------------------------------------------------------------ */

int sip_transport_hop(struct sip_transport *t, uint32_t interface, uint16_t local_port,
		      const struct rg_addr *peer, const char *tls_name, bool connect,
		      struct sip_hop *hop)
{
	const struct sip_interface *i = interface_at(t, interface);
	struct rg_addr from;
	uint16_t port;
	struct local *l;
	int err;

	if (!i || i->closed || !peer->family)
		return EADDRNOTAVAIL;
	if (peer->transport > RG_TLS)
		return EPROTONOSUPPORT;
	if (!sip_place_of(i, peer->family, &from))
		return EAFNOSUPPORT;
	port = sip_port_of(i, peer->transport);
	if (peer->transport == RG_UDP && local_port)
		port = local_port;
	hop->peer = *peer;
	hop->local = from;
	hop->local.port = port;
	hop->local.transport = peer->transport;
	hop->socket = 0;
	if (!port && peer->transport != RG_TLS)
		return EADDRNOTAVAIL;
	if (sip_addr_is_any(&from)) {
		err = sip_source(t->source, peer, &hop->local);
		if (err)
			return err;
	}
	if (peer->transport != RG_UDP)
		return sip_tcp_connect(t->tcp, interface, &from, tls_name, connect, hop);
	l = find_local(t, &from, port, RG_UDP);
	if (!l)
		return EADDRNOTAVAIL;
	hop->socket = l->number;
	return 0;
}

/* What an interface on every address has is as good as what has that very address, but
 * comes second. */
static bool on_address(const struct sip_interface *i, const struct rg_addr *local, bool any)
{
	struct rg_addr at;

	return sip_place_of(i, local->family, &at) &&
	       (any ? sip_addr_is_any(&at) : rg_addr_same_ip(&at, local));
}

bool sip_transport_interface(const struct sip_transport *t, const struct sip_hop *hop,
			     uint32_t *position, uint16_t *own_port)
{
	for (int any = 0; any < 2; any++) {
		const struct sip_interface *own = NULL;

		for (guint k = 0; k < t->interface->len; k++) {
			const struct sip_interface *i =
				&g_array_index(t->interface, struct sip_interface, k);

			if (!on_address(i, &hop->local, any))
				continue;
			*position = i->position;
			*own_port = 0;
			if (sip_port_of(i, hop->local.transport) == hop->local.port)
				return true;
			own = own ? own : i;
		}
		if (own) { /* an account's port, or that of a connection we opened */
			*position = own->position;
			*own_port = hop->local.transport == RG_UDP ? hop->local.port : 0;
			return true;
		}
	}
	return false;
}

/* The address is no interface's any more, but its port is still open. */
static int left_way(struct sip_transport *t, const struct rg_addr *local,
		    const struct rg_addr *peer, struct sip_hop *hop)
{
	const struct local *l = peer->transport == RG_UDP && peer->family == local->family ?
					find_local(t, local, local->port, RG_UDP) : NULL;

	if (!l)
		return EADDRNOTAVAIL;
	hop->peer = *peer;
	hop->local = l->bound;
	hop->socket = l->number;
	return 0;
}

int sip_transport_way(struct sip_transport *t, const struct rg_addr *local,
		      const struct rg_addr *peer, const char *tls_name, struct sip_hop *hop)
{
	const struct sip_interface *second = NULL;
	uint16_t own = peer->transport == RG_UDP ? local->port : 0;

	for (int any = 0; any < 2; any++)
		for (guint k = 0; k < t->interface->len; k++) {
			const struct sip_interface *i =
				&g_array_index(t->interface, struct sip_interface, k);

			if (!on_address(i, local, any))
				continue;
			if (sip_port_of(i, local->transport) == local->port)
				return sip_transport_hop(t, i->position, 0, peer, tls_name, true,
							 hop);
			second = second ? second : i;
		}
	if (!second)
		return left_way(t, local, peer, hop);
	if (own && !sip_transport_hop(t, second->position, own, peer, tls_name, true, hop))
		return 0;
	return sip_transport_hop(t, second->position, 0, peer, tls_name, true, hop);
}

bool sip_transport_serves(const struct sip_transport *t, uint32_t interface, uint8_t family,
			  uint8_t transport)
{
	const struct sip_interface *i = interface_at(t, interface);
	struct rg_addr at;

	return i && !i->closed && sip_place_of(i, family, &at) &&
	       (transport == RG_TLS || sip_port_of(i, transport));
}

bool sip_transport_flow(const struct sip_transport *t, uint32_t socket, struct sip_hop *hop,
			bool *ours)
{
	return sip_tcp_flow(t->tcp, socket, hop, ours);
}

/* By TLS only where one is up: there is no name that a new one could be checked against, and
 * who connects has rarely a certificate to be called by (RFC 5923). */
static int send_back(struct sip_transport *t, const struct sip_hop *hop, struct sip_buf *b)
{
	struct rg_addr peer = hop->peer;
	struct sip_hop other;
	int err = 0;

	peer.port = hop->back;
	if (!sip_tcp_between(t->tcp, &hop->local, &peer, &other))
		err = peer.transport == RG_TLS ? ENOTCONN :
			sip_transport_way(t, &hop->local, &peer, "", &other);
	return err ? err : sip_tcp_send(t->tcp, &other, b);
}

int sip_transport_send(struct sip_transport *t, const struct sip_hop *hop, struct sip_buf *b)
{
	int err;

	if (!(hop->socket & SIP_SOCKET_TCP))
		return sip_udp_send(t->udp, hop, b);
	err = sip_tcp_send(t->tcp, hop, b);
	return err == ENOTCONN && hop->back ? send_back(t, hop, b) : err;
}

void sip_transport_silent(struct sip_transport *t, const struct sip_hop *hop, rg_ms since)
{
	if (hop->socket & SIP_SOCKET_TCP)
		sip_tcp_silent(t->tcp, hop->socket, since);
}

/* The carrier is the transport's first member. */
uint32_t sip_carrier_ping(const struct sip_carrier *c, uint32_t interface)
{
	const struct sip_interface *i = interface_at((const struct sip_transport *)c, interface);

	if (!i || !i->ping_ms)
		return c->ping_ms;
	return i->ping_ms == UINT32_MAX ? 0 : i->ping_ms;
}

void sip_transport_ping(struct sip_transport *t, uint32_t every_ms)
{
	if (t->c.ping_ms == every_ms)
		return;
	t->c.ping_ms = every_ms;
	sip_tcp_ping(t->tcp);
}

void sip_transport_flow_timer(struct sip_transport *t, const struct sip_hop *hop, uint32_t ms)
{
	if (hop->socket & SIP_SOCKET_TCP)
		sip_tcp_flow_timer(t->tcp, hop->socket, ms);
}

bool sip_transport_moved(struct sip_transport *t)
{
	return sip_sources_changed(t->source);
}

void sip_transport_busy(struct sip_transport *t, sip_transport_busy_h *h, void *arg)
{
	t->busy = h;
	t->busy_arg = arg;
}

void sip_transport_trace(struct sip_transport *t, bool on)
{
	t->c.trace = on;
}

void sip_transport_free(struct sip_transport *t)
{
	if (!t)
		return;
	rg_timer_stop(sip_loop_timers(t->c.loop), &t->c.soon);
	rg_timer_stop(sip_loop_timers(t->c.loop), &t->leave);
	sip_loop_at_end(t->c.loop, NULL, t);
	sip_tcp_free(t->tcp);
	sip_udp_free(t->udp);
	sip_tls_contexts_unref(t->contexts);
	g_array_free(t->interface, TRUE);
	g_hash_table_destroy(t->local);
	sip_sources_free(t->source);
	g_free(t);
}
