#include "sip/local.h"

#include <glib.h>

#include "regway/plugin.h"
#include "sip/place.h"

enum { LEFT_MS = 1000 };

struct sip_locals {
	struct sip_carrier *c;
	struct sip_udp *udp;
	struct sip_tcp *tcp;
	GHashTable *local; /* struct sip_local, by itself */
	sip_transport_busy_h *busy;
	void *busy_arg;
	struct rg_timer leave;
};

static guint local_hash(gconstpointer k)
{
	return rg_addr_hash(&((const struct sip_local *)k)->bound);
}

static gboolean local_equal(gconstpointer a, gconstpointer b)
{
	const struct sip_local *x = a, *y = b;

	return rg_addr_equal(&x->bound, &y->bound);
}

struct sip_locals *sip_locals_new(struct sip_carrier *c, struct sip_udp *udp, struct sip_tcp *tcp)
{
	struct sip_locals *t = g_new0(struct sip_locals, 1);

	t->c = c;
	t->udp = udp;
	t->tcp = tcp;
	t->local = g_hash_table_new_full(local_hash, local_equal, g_free, NULL);
	return t;
}

void sip_locals_free(struct sip_locals *t)
{
	rg_timer_stop(sip_loop_timers(t->c->loop), &t->leave);
	g_hash_table_destroy(t->local);
	g_free(t);
}

void sip_locals_busy(struct sip_locals *t, sip_transport_busy_h *h, void *arg)
{
	t->busy = h;
	t->busy_arg = arg;
}

struct sip_local *sip_local_find(const struct sip_locals *t, const struct rg_addr *addr,
				 uint16_t port, uint8_t transport)
{
	struct sip_local key = { .bound = *addr };

	key.bound.port = port;
	key.bound.transport = transport;
	return g_hash_table_lookup(t->local, &key);
}

int sip_local_open(struct sip_locals *t, const struct rg_addr *addr, uint16_t port,
		   uint8_t transport, struct sip_local **lp)
{
	struct sip_local *l = sip_local_find(t, addr, port, transport);
	int err;

	*lp = l;
	if (l)
		return 0;
	l = g_new0(struct sip_local, 1);
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

static void close_local(struct sip_locals *t, struct sip_local *l)
{
	if (l->bound.transport == RG_UDP)
		sip_udp_close(t->udp, l->number);
	else
		sip_tcp_unlisten(t->tcp, l->number);
}

bool sip_locals_make_way(struct sip_locals *t, uint16_t port, uint8_t transport)
{
	GHashTableIter it;
	gpointer p;
	bool any = false;

	g_hash_table_iter_init(&it, t->local);
	while (g_hash_table_iter_next(&it, &p, NULL)) {
		struct sip_local *l = p;

		if (l->used || l->own || l->bound.port != port || l->bound.transport != transport)
			continue;
		close_local(t, l);
		g_hash_table_iter_remove(&it);
		any = true;
	}
	return any;
}

static bool busy(const struct sip_locals *t)
{
	return t->busy && t->busy(t->busy_arg);
}

/* Nothing that began at them is left. */
static void leave(void *arg)
{
	struct sip_locals *t = arg;
	struct rg_timers *timers = sip_loop_timers(t->c->loop);
	GHashTableIter it;
	gpointer p;

	if (busy(t)) {
		rg_timer_set(timers, &t->leave, rg_now(timers) + LEFT_MS, leave, t);
		return;
	}
	g_hash_table_iter_init(&it, t->local);
	while (g_hash_table_iter_next(&it, &p, NULL)) {
		struct sip_local *l = p;

		if (!l->left || l->used || l->own) {
			l->left = false;
			continue;
		}
		close_local(t, l);
		g_hash_table_iter_remove(&it);
	}
}

static void leave_later(struct sip_locals *t, struct sip_local *l)
{
	struct rg_timers *timers = sip_loop_timers(t->c->loop);

	l->own = false;
	l->left = true;
	rg_timer_set(timers, &t->leave, rg_now(timers) + LEFT_MS, leave, t);
}

void sip_local_give_up(struct sip_locals *t, struct sip_local *l)
{
	if (!l->own)
		return;
	l->own = false;
	if (l->used)
		return;
	if (busy(t)) {
		leave_later(t, l);
		return;
	}
	close_local(t, l);
	g_hash_table_remove(t->local, l);
}

void sip_locals_unmark(struct sip_locals *t)
{
	GHashTableIter it;
	gpointer p;

	g_hash_table_iter_init(&it, t->local);
	while (g_hash_table_iter_next(&it, &p, NULL))
		((struct sip_local *)p)->used = false;
}

void sip_locals_sweep(struct sip_locals *t, const struct sip_interface *is, size_t n, bool wait)
{
	GHashTableIter it;
	gpointer p;

	g_hash_table_iter_init(&it, t->local);
	while (g_hash_table_iter_next(&it, &p, NULL)) {
		struct sip_local *l = p;

		if (l->used || l->left || (l->own && sip_on_places(is, n, &l->bound)))
			continue;
		if (wait && busy(t)) {
			leave_later(t, l);
			continue;
		}
		close_local(t, l);
		g_hash_table_iter_remove(&it);
	}
}

uint32_t sip_locals_rcvbuf(const struct sip_locals *t)
{
	uint32_t least = 0;
	GHashTableIter it;
	gpointer p;

	g_hash_table_iter_init(&it, t->local);
	while (g_hash_table_iter_next(&it, &p, NULL)) {
		struct sip_local *l = p;
		uint32_t size;

		if (l->bound.transport != RG_UDP || !l->used)
			continue;
		size = sip_udp_rcvbuf(t->udp, l->number);
		least = least ? MIN(least, size) : size;
	}
	return least;
}
