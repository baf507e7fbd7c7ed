#include "sip/transport.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "regway/plugin.h"

enum { SOURCES_MOST = 4096, SOURCE_MS = 30000, ROUNDS = 4 };

/* A local port that is open, of an interface or of an account. */
struct local {
	struct rg_addr bound; /* as configured: family 0 is every address */
	uint32_t number;
	bool used, own;
};

/* Which of our addresses the kernel would use towards a peer. */
struct source {
	struct rg_addr peer, local;
	rg_ms until;
};

struct sip_transport {
	struct sip_carrier c;
	struct sip_udp *udp;
	struct sip_tcp *tcp;
	GArray *interface; /* struct sip_interface */
	GHashTable *local; /* struct local, by itself */
	GHashTable *source;
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

static guint source_hash(gconstpointer k)
{
	return rg_addr_hash(&((const struct source *)k)->peer);
}

static gboolean source_equal(gconstpointer a, gconstpointer b)
{
	return rg_addr_same_ip(&((const struct source *)a)->peer,
			       &((const struct source *)b)->peer);
}

int sip_transport_new(struct sip_transport **tp, struct sip_loop *loop, struct sip_pool *pool,
		      struct sip_stats *stats, const struct sip_transport_env *env)
{
	struct sip_transport *t = g_new0(struct sip_transport, 1);

	t->c = (struct sip_carrier){ .loop = loop, .pool = pool, .stats = stats, .env = *env };
	t->interface = g_array_new(FALSE, FALSE, sizeof(struct sip_interface));
	t->local = g_hash_table_new_full(local_hash, local_equal, g_free, NULL);
	t->source = g_hash_table_new_full(source_hash, source_equal, g_free, NULL);
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
		if (rg_addr_same_ip(&is[i].addr, addr))
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

static int open_all(struct sip_transport *t, const struct sip_interface *is, size_t n,
		    struct rg_addr *bad)
{
	for (size_t i = 0; i < n; i++) {
		const uint16_t port[] = { is[i].udp, is[i].tcp };

		for (uint8_t tp = RG_UDP; tp <= RG_TCP; tp++) {
			struct local *l;
			int err = port[tp] ? open_local(t, &is[i].addr, port[tp], tp, &l) : 0;

			if (err == EADDRINUSE && make_way(t, port[tp], tp))
				err = open_local(t, &is[i].addr, port[tp], tp, &l);
			if (err) {
				*bad = is[i].addr;
				if (!bad->family)
					bad->family = 4;
				bad->port = port[tp];
				bad->transport = tp;
				return err;
			}
			if (port[tp])
				l->used = true;
		}
	}
	return 0;
}

/* Close what is used no more; accounts' own ports go with their address. */
static void sweep(struct sip_transport *t, const struct sip_interface *is, size_t n)
{
	GHashTableIter it;
	gpointer p;

	g_hash_table_iter_init(&it, t->local);
	while (g_hash_table_iter_next(&it, &p, NULL)) {
		struct local *l = p;

		if (l->used || (l->own && address_stays(is, n, &l->bound)))
			continue;
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
		const uint16_t port[] = { is[i].udp, is[i].tcp };

		for (uint8_t tp = RG_UDP; tp <= RG_TCP; tp++) {
			struct local *l = find_local(t, &is[i].addr, port[tp], tp);

			if (port[tp] && l)
				l->used = true;
		}
	}
}

static void adopt(struct sip_transport *t, const struct sip_interface *is, size_t n)
{
	for (guint i = 0; i < t->interface->len; i++) {
		struct rg_addr addr = g_array_index(t->interface, struct sip_interface, i).addr;

		if (!address_stays(is, n, &addr))
			sip_tcp_abandon(t->tcp, &addr);
	}
	g_array_set_size(t->interface, 0);
	if (n)
		g_array_append_vals(t->interface, is, (guint)n);
	for (size_t i = 0; i < n; i++)
		sip_tcp_renumber(t->tcp, &is[i].addr, is[i].position);
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
		sweep(t, old, olds);
		(void)open_all(t, old, olds, &unused); /* what had made way */
	} else {
		adopt(t, is, n);
		sweep(t, is, n);
		g_hash_table_remove_all(t->source);
	}
	g_free(old);
	return err;
}

int sip_transport_open(struct sip_transport *t, uint32_t interface, uint16_t port)
{
	const struct sip_interface *i = interface_at(t, interface);
	struct local *l;
	int err;

	if (!i)
		return EADDRNOTAVAIL;
	err = open_local(t, &i->addr, port, RG_UDP, &l);
	if (!err)
		l->own = true;
	return err;
}

void sip_transport_close(struct sip_transport *t, uint32_t interface, uint16_t port)
{
	const struct sip_interface *i = interface_at(t, interface);
	struct local *l = i ? find_local(t, &i->addr, port, RG_UDP) : NULL;

	if (!l || !l->own)
		return;
	l->own = false;
	if (l->used)
		return;
	close_local(t, l);
	g_hash_table_remove(t->local, l);
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

static int ask_kernel(const struct rg_addr *peer, struct rg_addr *local)
{
	union sip_sockaddr sa;
	socklen_t len = sip_sockaddr(&sa, peer);
	int fd = socket(sa.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return errno;
	if (!peer->port)
		sa.in.sin_port = htons(5060);
	if (connect(fd, &sa.sa, len))
		err = errno;
	len = sizeof sa;
	if (!err && getsockname(fd, &sa.sa, &len))
		err = errno;
	close(fd);
	if (!err)
		sip_sockaddr_get(&sa, local);
	return err;
}

static int source_for(struct sip_transport *t, const struct rg_addr *peer, struct rg_addr *local)
{
	rg_ms now = rg_now(sip_loop_timers(t->c.loop));
	struct source key = { .peer = *peer }, *s = g_hash_table_lookup(t->source, &key);
	struct rg_addr found = { 0 };
	int err;

	if (!s || s->until < now) {
		err = ask_kernel(peer, &found);
		if (err)
			return err;
		if (!s) {
			if (g_hash_table_size(t->source) >= SOURCES_MOST)
				g_hash_table_remove_all(t->source);
			s = g_new0(struct source, 1);
			s->peer = *peer;
			g_hash_table_add(t->source, s);
		}
		s->local = found;
		s->until = now + SOURCE_MS;
	}
	local->family = s->local.family;
	local->scope = s->local.scope;
	memcpy(local->ip, s->local.ip, sizeof local->ip);
	return 0;
}

int sip_transport_hop(struct sip_transport *t, uint32_t interface, uint16_t local_port,
		      const struct rg_addr *peer, const char *tls_name, bool connect,
		      struct sip_hop *hop)
{
	const struct sip_interface *i = interface_at(t, interface);
	uint16_t port;
	struct local *l;
	int err;

	if (!i || !peer->family)
		return EADDRNOTAVAIL;
	if (peer->transport > RG_TCP)
		return EPROTONOSUPPORT;
	port = peer->transport == RG_TCP ? i->tcp : local_port ? local_port : i->udp;
	hop->peer = *peer;
	hop->local = i->addr;
	hop->local.port = port;
	hop->local.transport = peer->transport;
	hop->socket = 0;
	if (!port)
		return EADDRNOTAVAIL;
	if (!i->addr.family || sip_addr_is_any(&i->addr)) {
		err = source_for(t, peer, &hop->local);
		if (err)
			return err;
	} else if (i->addr.family != peer->family) {
		return EAFNOSUPPORT;
	}
	if (peer->transport == RG_TCP)
		return connect ? sip_tcp_connect(t->tcp, interface, &i->addr, tls_name, hop) : 0;
	l = find_local(t, &i->addr, port, RG_UDP);
	if (!l)
		return EADDRNOTAVAIL;
	hop->socket = l->number;
	return 0;
}

static uint16_t port_of(const struct sip_interface *i, uint8_t transport)
{
	return transport == RG_UDP ? i->udp : transport == RG_TCP ? i->tcp : i->tls;
}

/* What an interface on every address has is as good as what has that very address, but
 * comes second. */
static bool on_address(const struct sip_interface *i, const struct rg_addr *local, bool any)
{
	return any ? !i->addr.family || sip_addr_is_any(&i->addr) :
		     rg_addr_same_ip(&i->addr, local);
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
			if (port_of(i, hop->local.transport) == hop->local.port)
				return true;
			own = own ? own : i;
		}
		if (own && hop->local.transport == RG_UDP) {
			*position = own->position;
			*own_port = hop->local.port;
			return true;
		}
	}
	return false;
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
			if (port_of(i, local->transport) == local->port)
				return sip_transport_hop(t, i->position, 0, peer, tls_name, true,
							 hop);
			second = second ? second : i;
		}
	if (!second)
		return EADDRNOTAVAIL;
	if (own && !sip_transport_hop(t, second->position, own, peer, tls_name, true, hop))
		return 0;
	return sip_transport_hop(t, second->position, 0, peer, tls_name, true, hop);
}

int sip_transport_send(struct sip_transport *t, const struct sip_hop *hop, struct sip_buf *b)
{
	return hop->socket & SIP_SOCKET_TCP ? sip_tcp_send(t->tcp, hop, b) :
					      sip_udp_send(t->udp, hop, b);
}

void sip_transport_silent(struct sip_transport *t, const struct sip_hop *hop, rg_ms since)
{
	if (hop->socket & SIP_SOCKET_TCP)
		sip_tcp_silent(t->tcp, hop->socket, since);
}

void sip_transport_ping(struct sip_transport *t, uint32_t every_ms)
{
	if (t->c.ping_ms == every_ms)
		return;
	t->c.ping_ms = every_ms;
	sip_tcp_ping(t->tcp);
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
	sip_loop_at_end(t->c.loop, NULL, t);
	sip_tcp_free(t->tcp);
	sip_udp_free(t->udp);
	g_array_free(t->interface, TRUE);
	g_hash_table_destroy(t->local);
	g_hash_table_destroy(t->source);
	g_free(t);
}
