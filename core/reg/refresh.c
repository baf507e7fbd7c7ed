/* refresh.c -- the refresh's place in time. */
#include "reg/reg.h"

enum {
	LOAD_S = 8192,	/* seconds of the table of refreshes due */
	FLOOR_MS = 1000 /* no refresh earlier than this after a REGISTER */
};

/* How many refreshes are due in the second of at, which is not in the past. */
static uint32_t *load_of(struct reg_engine *e, rg_ms at)
{
	uint32_t now = (uint32_t)(rg_now(e->timers) / 1000), n = 0;

	if (!e->load)
		e->load = g_new0(uint32_t, LOAD_S);
	for (; e->load_from < now && n < LOAD_S; n++) /* seconds that are over */
		e->load[e->load_from++ % LOAD_S] = 0;
	e->load_from = now;
	return &e->load[(at / 1000) % LOAD_S];
}

/* Milliseconds from a 2xx to the refresh (RegistrationTimeDivider, -Threshold); up to
 * RefreshJitter earlier, in the second with the fewest refreshes. */
rg_ms refresh_delay(struct reg_engine *e, const struct reg_account *a)
{
	const struct conf_gateway *g = account_gateway(a);
	rg_ms lease = 1000 * (rg_ms)a->granted, delay = lease * g->time_divider / 100;
	rg_ms threshold = 1000 * (rg_ms)g->time_threshold, window, best, step;
	uint32_t least = UINT32_MAX;

	if (threshold && threshold < delay)
		delay = lease - threshold;
	if (e->opt.exact || a->shortened) /* a policy has its reason for just this time */
		return MAX(delay, MIN(FLOOR_MS, lease));
	window = delay * g->refresh_jitter / 100;
	best = delay;
	step = MAX(1000, window / 128);
	for (rg_ms d = delay - window; d <= delay; d += step) {
		uint32_t n = *load_of(e, rg_now(e->timers) + d);

		if (n <= least) { /* the latest of equals: fewest REGISTERs over time */
			least = n;
			best = d;
		}
	}
	++*load_of(e, rg_now(e->timers) + best);
	return MAX(best, MIN(FLOOR_MS, lease));
}
