/*
 * timer.h -- deadlines on a monotonic clock that is given from outside.
 *
 * One heap per event loop.  The owner of the heap moves the time forward: the
 * daemon from CLOCK_MONOTONIC, the simulator and the tests as they please.
 * Setting a timer again moves it.  All O(log n).
 */
#ifndef RG_BASE_TIMER_H
#define RG_BASE_TIMER_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#include "regway/plugin.h" /* rg_ms, RG_NEVER */

struct rg_timers;

typedef void (rg_timer_h)(void *arg);

/* Embedded in what it belongs to; zeroed is stopped. */
struct rg_timer {
	uint32_t place; /* in the heap, from 1; 0: not running */
	rg_timer_h *h;
	void *arg;
};

struct rg_timers *rg_timers_new(rg_ms now);
void rg_timers_free(struct rg_timers *); /* every timer must be stopped or gone */

rg_ms rg_now(const struct rg_timers *);

/* Run h(arg) at the given time; a time that has passed means the next run. */
void rg_timer_set(struct rg_timers *, struct rg_timer *, rg_ms at, rg_timer_h *h, void *arg);
void rg_timer_stop(struct rg_timers *, struct rg_timer *);
/* RG_NEVER when it is not running. */
rg_ms rg_timer_at(const struct rg_timers *, const struct rg_timer *);

/* Earliest deadline, RG_NEVER if there is none. */
rg_ms rg_timers_next(const struct rg_timers *);
size_t rg_timers_count(const struct rg_timers *);

/* Set the time to now (never backwards) and run what is due by then, in order of
 * time; of equal times in the order they were set.  While a handler runs, rg_now
 * is the given now.  At most max handlers (0: no limit); returns how many ran. */
size_t rg_timers_run(struct rg_timers *, rg_ms now, size_t max);

/* Set the time to now (never backwards), and run nothing. */
void rg_timers_set_now(struct rg_timers *, rg_ms now);

/* For the simulator: go to the earliest deadline if it is not after until, and run
 * just that one.  false, and the time is until, when there is none. */
bool rg_timers_step(struct rg_timers *, rg_ms until);

#endif
