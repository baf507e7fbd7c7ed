/*
 * stop.c -- the end of the daemon: no new calls; those that are up get DrainTime to end,
 * then they are hung up; then the accounts un-register, if they are to.
 */
#include "main/app.h"

#include <inttypes.h>

#include "base/log.h"

enum { RUNNING, DRAINING, HANGING_UP, UNREGISTERING, ENDED };
enum { LOOK_MS = 50, HANG_UP_MOST_MS = 5000, UNREGISTER_MOST_MS = 10000 };

static void look(void *arg);

static void wait_for(struct app *app, uint8_t what, rg_ms most)
{
	app->stop = what;
	app->stop_by = rg_now(app->timers) + most;
	look(app);
}

static void finish(struct app *app)
{
	app->stop = ENDED;
	rg_timer_stop(app->timers, &app->stopping);
	sip_loop_stop(app->loop);
}

static bool done(struct app *app)
{
	struct reg_counts n;

	if (rg_now(app->timers) >= app->stop_by)
		return true;
	if (app->stop != UNREGISTERING)
		return !relay_calls(app->relay);
	reg_engine_counts(app->engine, &n);
	return !reg_engine_busy(app->engine) && !n.registered && !n.by_state[RG_UNREGISTERING];
}

static void hang_up(struct app *app)
{
	rg_notice("stopping: %" PRIu32 " calls are hung up", relay_calls(app->relay));
	relay_hang_up(app->relay);
	wait_for(app, HANGING_UP, HANG_UP_MOST_MS);
}

static void unregister(struct app *app)
{
	if (!app->gen->conf->gateway.unregister_on_stop) {
		finish(app);
		return;
	}
	reg_engine_unregister_all(app->engine);
	wait_for(app, UNREGISTERING, UNREGISTER_MOST_MS);
}

static void look(void *arg)
{
	struct app *app = arg;

	if (!done(app))
		rg_timer_set(app->timers, &app->stopping, rg_now(app->timers) + LOOK_MS, look, app);
	else if (app->stop == DRAINING && relay_calls(app->relay))
		hang_up(app);
	else if (app->stop != UNREGISTERING)
		unregister(app);
	else
		finish(app);
}

void app_stop(struct app *app)
{
	uint32_t calls = relay_calls(app->relay), patience = app->gen->conf->gateway.drain_time;

	if (app->stop == RUNNING) {
		/* systemd is to wait as long as we may take */
		notify("STOPPING=1\nSTATUS=stopping, %" PRIu32 " calls\nEXTEND_TIMEOUT_USEC=%"
		       PRIu64, calls, (patience + UINT64_C(30)) * 1000000);
		if (calls)
			rg_notice("stopping: waiting up to %" PRIu32 " s for %" PRIu32 " calls",
				  patience, calls);
		else
			rg_notice("stopping");
		relay_drain(app->relay);
		wait_for(app, DRAINING, patience * 1000ll);
		return;
	}
	if (app->stop < HANGING_UP && calls)
		relay_hang_up(app->relay);
	finish(app);
}
