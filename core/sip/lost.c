#include "sip/lost.h"

#include <glib.h>

#include "base/random.h"

enum { LEAST_MS = 100, RANDOM_MS = 1900 };

struct loss {
	struct sip_lost *owner;
	struct rg_timer timer;
	struct rg_addr peer;
	uint32_t interface;
};

struct sip_lost {
	struct sip_carrier *c;
	GPtrArray *loss;
};

static void loss_free(void *arg)
{
	struct loss *x = arg;

	rg_timer_stop(sip_loop_timers(x->owner->c->loop), &x->timer);
	g_free(x);
}

struct sip_lost *sip_lost_new(struct sip_carrier *c)
{
	struct sip_lost *l = g_new0(struct sip_lost, 1);

	l->c = c;
	l->loss = g_ptr_array_new_with_free_func(loss_free);
	return l;
}

void sip_lost_free(struct sip_lost *l)
{
	g_ptr_array_free(l->loss, TRUE);
	g_free(l);
}

static void tell(void *arg)
{
	struct loss *x = arg;
	struct sip_carrier *c = x->owner->c;
	struct rg_addr peer = x->peer;
	uint32_t interface = x->interface;

	g_ptr_array_remove_fast(x->owner->loss, x);
	c->env.disconnected(c->env.arg, interface, &peer);
}

void sip_lost_add(struct sip_lost *l, uint32_t interface, const struct rg_addr *peer)
{
	struct rg_timers *timers = sip_loop_timers(l->c->loop);
	struct loss *x;

	for (guint i = 0; i < l->loss->len; i++) {
		x = g_ptr_array_index(l->loss, i);
		if (x->interface == interface && rg_addr_equal(&x->peer, peer))
			return;
	}
	x = g_new0(struct loss, 1);
	x->owner = l;
	x->peer = *peer;
	x->interface = interface;
	g_ptr_array_add(l->loss, x);
	rg_timer_set(timers, &x->timer,
		     rg_now(timers) + LEAST_MS + (rg_ms)(rg_random64() % RANDOM_MS), tell, x);
}
