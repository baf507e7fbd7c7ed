/* notify.c -- tells systemd what the daemon is about; nothing without it. */
#include "main/app.h"

#include <stdarg.h>

#ifdef RG_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

void notify(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
#ifdef RG_SYSTEMD
	sd_notify(0, text);
#endif
	g_free(text);
}

#ifdef RG_SYSTEMD
static void alive(void *arg)
{
	struct app *app = arg;
	uint64_t us;

	if (sd_watchdog_enabled(0, &us) <= 0)
		return;
	sd_notify(0, "WATCHDOG=1");
	rg_timer_set(app->timers, &app->alive, rg_now(app->timers) + (rg_ms)MAX(us / 3000, 1),
		     alive, app);
}
#endif

void notify_alive(struct app *app)
{
#ifdef RG_SYSTEMD
	alive(app);
#else
	(void)app;
#endif
}
