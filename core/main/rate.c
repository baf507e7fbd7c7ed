/* rate.c -- how much a second, over the last ten seconds. */
#include "main/app.h"

static void sample(void *arg)
{
	struct app *app = arg;
	struct rate *r = &app->rate;
	struct reg_counts n;

	reg_engine_counts(app->engine, &n);
	r->at = (r->at + 1) % RATE_SAMPLES;
	r->count[RATE_SENT][r->at] = n.register_sent;
	r->count[RATE_OK][r->at] = n.register_ok;
	if (r->n < RATE_SAMPLES)
		r->n++;
	rg_timer_set(app->timers, &r->timer, rg_now(app->timers) + 1000, sample, app);
}

void rate_start(struct app *app)
{
	sample(app);
}

void rate_stop(struct app *app)
{
	rg_timer_stop(app->timers, &app->rate.timer);
}

double rate(const struct app *app, enum rate_of of)
{
	const struct rate *r = &app->rate;
	unsigned first = (r->at + RATE_SAMPLES + 1u - r->n) % RATE_SAMPLES;

	if (r->n < 2)
		return 0;
	return (double)(r->count[of][r->at] - r->count[of][first]) / (r->n - 1);
}
