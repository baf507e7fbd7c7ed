#include "base/timer.h"

#include <glib.h>

/* A 4-ary heap: half the levels of a binary one, and a node's children share a
 * cache line.  seq keeps timers of one moment in the order they were set. */
struct node {
	rg_ms at;
	uint64_t seq;
	struct rg_timer *t;
};

struct rg_timers {
	rg_ms now;
	uint64_t seq;
	struct node *heap; /* from 1 */
	uint32_t n, size;
};

struct rg_timers *rg_timers_new(rg_ms now)
{
	struct rg_timers *ts = g_new0(struct rg_timers, 1);

	ts->now = now;
	ts->size = 64;
	ts->heap = g_new(struct node, ts->size);
	return ts;
}

void rg_timers_free(struct rg_timers *ts)
{
	if (!ts)
		return;
	g_free(ts->heap);
	g_free(ts);
}

rg_ms rg_now(const struct rg_timers *ts)
{
	return ts->now;
}

static bool before(const struct node *a, const struct node *b)
{
	return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void put(struct rg_timers *ts, uint32_t i, struct node x)
{
	ts->heap[i] = x;
	x.t->place = i;
}

static uint32_t parent(uint32_t i)
{
	return (i + 2) / 4;
}

static void up(struct rg_timers *ts, uint32_t i, struct node x)
{
	while (i > 1 && before(&x, &ts->heap[parent(i)])) {
		put(ts, i, ts->heap[parent(i)]);
		i = parent(i);
	}
	put(ts, i, x);
}

static void down(struct rg_timers *ts, uint32_t i, struct node x)
{
	for (;;) {
		uint32_t first = 4 * i - 2, best = 0;

		for (uint32_t k = first; k < first + 4 && k <= ts->n; k++)
			if (!best || before(&ts->heap[k], &ts->heap[best]))
				best = k;
		if (!best || !before(&ts->heap[best], &x))
			break;
		put(ts, i, ts->heap[best]);
		i = best;
	}
	put(ts, i, x);
}

static void place(struct rg_timers *ts, uint32_t i, struct node x)
{
	if (i > 1 && before(&x, &ts->heap[parent(i)]))
		up(ts, i, x);
	else
		down(ts, i, x);
}

void rg_timer_set(struct rg_timers *ts, struct rg_timer *t, rg_ms at, rg_timer_h *h, void *arg)
{
	struct node x = { at, ts->seq++, t };

	t->h = h;
	t->arg = arg;
	if (at == RG_NEVER) {
		rg_timer_stop(ts, t);
		return;
	}
	if (t->place) {
		place(ts, t->place, x);
		return;
	}
	if (ts->n + 1 >= ts->size) {
		ts->size *= 2;
		ts->heap = g_renew(struct node, ts->heap, ts->size);
	}
	up(ts, ++ts->n, x);
}

void rg_timer_stop(struct rg_timers *ts, struct rg_timer *t)
{
	uint32_t i = t->place;
	struct node last;

	if (!i)
		return;
	t->place = 0;
	last = ts->heap[ts->n--];
	if (i <= ts->n)
		place(ts, i, last);
}

rg_ms rg_timer_at(const struct rg_timers *ts, const struct rg_timer *t)
{
	return t->place ? ts->heap[t->place].at : RG_NEVER;
}

rg_ms rg_timers_next(const struct rg_timers *ts)
{
	return ts->n ? ts->heap[1].at : RG_NEVER;
}

size_t rg_timers_count(const struct rg_timers *ts)
{
	return ts->n;
}

static void run_first(struct rg_timers *ts)
{
	struct rg_timer *t = ts->heap[1].t;

	rg_timer_stop(ts, t);
	t->h(t->arg);
}

void rg_timers_set_now(struct rg_timers *ts, rg_ms now)
{
	ts->now = MAX(ts->now, now);
}

size_t rg_timers_run(struct rg_timers *ts, rg_ms now, size_t max)
{
	size_t ran = 0;

	rg_timers_set_now(ts, now);
	while (ts->n && ts->heap[1].at <= ts->now && (!max || ran < max)) {
		run_first(ts);
		ran++;
	}
	return ran;
}

bool rg_timers_step(struct rg_timers *ts, rg_ms until)
{
	rg_ms next = rg_timers_next(ts);

	if (next > until) {
		if (until > ts->now)
			ts->now = until;
		return false;
	}
	if (next > ts->now)
		ts->now = next;
	run_first(ts);
	return true;
}
