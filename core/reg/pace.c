/*
 * pace.c -- who may start a round now.  Starts, searches and restarts are held to
 * RegisterRate, overall and per proxy set, and the sets take turns, so that a slow
 * one holds up no other.  Refreshes never come here.
 */
#include "reg/reg.h"

#include <math.h>

enum {
	BACKLOG = 256, /* accounts of a set that wait for a window: no more are started */
	BURST_MS = 100 /* tokens do not pile up beyond this */
};

static void refill(double *tokens, rg_ms *at, rg_ms now, uint32_t rate)
{
	double most = fmax(1, (double)rate * BURST_MS / 1000);

	*tokens = fmin(most, *tokens + (double)(now - *at) * rate / 1000);
	*at = now;
}

static uint32_t set_rate(const struct reg_set *set)
{
	const struct conf_proxy_set *ps = set_conf(set);

	return ps ? ps->register_rate : 0;
}

static void pump(void *arg)
{
	pace_pump(arg);
}

static void later(struct reg_engine *e, rg_ms ms)
{
	rg_ms at = rg_now(e->timers) + MAX(ms, 1);

	if (!e->pump.place || rg_timer_at(e->timers, &e->pump) > at)
		rg_timer_set(e->timers, &e->pump, at, pump, e);
}

static void enqueue(struct reg_engine *e, struct reg_set *set)
{
	if (set->queued)
		return;
	set->queued = true;
	g_queue_push_tail(&e->ring, set);
}

/* One account of the set, if it may start now. */
static bool start_one(struct reg_engine *e, struct reg_set *set, rg_ms *wait)
{
	uint32_t rate = set_rate(set);
	struct reg_account *a;

	if (!set->start.n || set->backlog >= BACKLOG) /* they may have left while they waited */
		return false; /* server.c calls again when the backlog drains */
	if (rate) {
		refill(&set->tokens, &set->tokens_at, rg_now(e->timers), rate);
		if (set->tokens < 1) {
			*wait = MIN(*wait, (rg_ms)(1000 / rate) + 1);
			return false;
		}
		set->tokens -= 1;
	}
	a = queue_pop(e, &set->start);
	a->waits = WAITS_NOT;
	if (set_ready(e, set, a))
		round_begin(e, a, a->start);
	return true;
}

void pace_pump(struct reg_engine *e)
{
	uint32_t rate = e->gen ? e->gen->conf->gateway.register_rate : 0, idle = 0;
	struct reg_slice slice = slice_begin(e);
	rg_ms wait = RG_NEVER;

	if (rate)
		refill(&e->tokens, &e->tokens_at, rg_now(e->timers), rate);
	while (idle < g_queue_get_length(&e->ring)) {
		struct reg_set *set = g_queue_pop_head(&e->ring);

		if (rate && e->tokens < 1) {
			g_queue_push_head(&e->ring, set);
			wait = MIN(wait, (rg_ms)(1000 / rate) + 1);
			break;
		}
		if (start_one(e, set, &wait)) {
			e->tokens -= rate ? 1 : 0;
			idle = 0;
		} else if (set->start.n) {
			idle++;
		}
		if (set->start.n)
			g_queue_push_tail(&e->ring, set);
		else
			set->queued = false;
		if (slice_over(&slice)) {
			wait = 1;
			break;
		}
	}
	if (wait != RG_NEVER)
		later(e, wait);
}

/* There may be room for those that wait. */
void pace_kick(struct reg_engine *e)
{
	if (!e->pump.place && !g_queue_is_empty(&e->ring))
		later(e, 1);
}

void pace_queue(struct reg_engine *e, struct reg_account *a)
{
	a->waits = WAITS_START;
	queue_push(e, &a->set->start, a);
	enqueue(e, a->set);
	pace_kick(e);
}

void pace_start(struct reg_engine *e, struct reg_account *a, enum rg_purpose why)
{
	a->start = (uint8_t)why;
	if (e->opt.exact || !a->set) {
		if (!a->set || set_ready(e, a->set, a))
			round_begin(e, a, why);
		return;
	}
	pace_queue(e, a);
}

void pace_cancel(struct reg_engine *e, struct reg_account *a)
{
	queue_remove(e, a->waits == WAITS_NAME ? &a->set->unresolved : &a->set->start, a);
	a->waits = WAITS_NOT;
}
