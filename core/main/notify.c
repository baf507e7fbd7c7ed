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
