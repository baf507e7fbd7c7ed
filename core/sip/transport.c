#include "sip/transport.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "regway/plugin.h"
#include "sip/local.h"
#include "sip/place.h"
#include "sip/source.h"
#include "sip/tls.h"

enum { ROUNDS = 4 };

struct sip_transport {
	struct sip_carrier c;
	struct sip_udp *udp;
	struct sip_tcp *tcp;
	struct sip_tls_contexts *contexts;
	GArray *interface; /* struct sip_interface */
	struct sip_locals *local;
	struct sip_sources *source;
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

int sip_transport_new(struct sip_transport **tp, struct sip_loop *loop, struct sip_pool *pool,
		      struct sip_stats *stats, const struct sip_transport_env *env)
{
	struct sip_transport *t = g_new0(struct sip_transport, 1);

	t->c = (struct sip_carrier){ .loop = loop, .pool = pool, .stats = stats, .env = *env };
	t->interface = g_array_new(FALSE, FALSE, sizeof(struct sip_interface));
	t->source = sip_sources_new(sip_loop_timers(loop));
	t->udp = sip_udp_new(&t->c);
	t->tcp = sip_tcp_new(&t->c);
	t->local = sip_locals_new(&t->c, t->udp, t->tcp);
	sip_loop_at_end(loop, flush, t);
	*tp = t;
	return 0;
}

/* ---- interfaces ---------------------------------------------------------------------- */

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
	struct sip_local *l;
	int err = sip_local_open(t->local, at, port, transport, &l);

	if (err == EADDRINUSE && sip_locals_make_way(t->local, port, transport))
		err = sip_local_open(t->local, at, port, transport, &l);
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

static void mark(struct sip_transport *t, const struct sip_interface *is, size_t n)
{
	sip_locals_unmark(t->local);
	for (size_t i = 0; i < n; i++) {
		struct rg_addr at[2];
		unsigned two = sip_places(&is[i], at);

		for (uint8_t tp = RG_UDP; tp <= RG_TLS; tp++)
			for (unsigned k = 0; wanted(t, &is[i], tp) && k < two; k++) {
				uint16_t port = sip_port_of(&is[i], tp);
				struct sip_local *l = sip_local_find(t->local, &at[k], port, tp);

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
			if (!sip_on_places(is, n, &at[k]))
				sip_tcp_abandon(t->tcp, &at[k]);
	}
	g_array_set_size(t->interface, 0);
	if (n)
		g_array_append_vals(t->interface, is, (guint)n);
	for (size_t i = 0; i < n; i++) {
		unsigned two = sip_places(&is[i], at);

		for (unsigned k = 0; k < two; k++) {
			struct sip_local *l = sip_local_find(t->local, &at[k], is[i].tls, RG_TLS);

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
		sip_locals_sweep(t->local, old, olds, false);
		(void)open_all(t, old, olds, &unused); /* what had made way */
	} else {
		adopt(t, is, n);
		sip_locals_sweep(t->local, is, n, true);
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
		struct sip_local *l;
		int err = sip_local_open(t->local, &at[k], port, RG_UDP, &l);

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
		struct sip_local *l = sip_local_find(t->local, &at[k], port, RG_UDP);

		if (l)
			sip_local_give_up(t->local, l);
	}
}

uint32_t sip_transport_rcvbuf(const struct sip_transport *t)
{
	return sip_locals_rcvbuf(t->local);
}

/* ---- the way to a peer ------------------------------------------------------------------ */

int sip_transport_hop(struct sip_transport *t, uint32_t interface, uint16_t local_port,
		      const struct rg_addr *peer, const char *tls_name, bool connect,
		      struct sip_hop *hop)
{
	const struct sip_interface *i = interface_at(t, interface);
	struct rg_addr from;
	uint16_t port;
	struct sip_local *l;
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
	l = sip_local_find(t->local, &from, port, RG_UDP);
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
	const struct sip_local *l = peer->transport == RG_UDP && peer->family == local->family ?
					sip_local_find(t->local, local, local->port, RG_UDP) : NULL;

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
	sip_locals_busy(t->local, h, arg);
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
	sip_tls_contexts_unref(t->contexts);
	g_array_free(t->interface, TRUE);
	sip_locals_free(t->local);
	sip_sources_free(t->source);
	g_free(t);
}
