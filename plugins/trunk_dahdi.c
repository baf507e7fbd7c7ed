/*
 * trunk_dahdi -- a service: DAHDI's spans are trunks.
 *
 *  1. Span N is trunk N.  It is up while its "alarms" file holds no alarm (0, or
 *     nothing), down with any, and down when the span is gone.
 *  2. The files are read every second, and at once where the directory can be watched.
 *  3. DahdiDirectory says where the spans are; without it sysfs, as DAHDI has it.
 *  4. A directory that is not there is said once, and looked for again; spans that
 *     were seen in it are down meanwhile.
 *  5. A reload is told all that is known: it may have brought trunks.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "regway/plugin.h"

#define SYSFS "/sys/bus/dahdi_spans/devices"

enum {
	PERIOD_MS = 1000,
	NOTICED_MS = 10, /* changes come in groups */
	MOST = 1024	 /* spans; DAHDI has up to 128 */
};

enum { NEVER_SEEN, SEEN_UP, SEEN_DOWN };

struct cfg {
	const char *dir;
};

struct watch {
	const struct rg_host *host;
	struct rg_self *self;
	struct rg_timer_handle *timer;
	char dir[256];
	int inotify;		 /* -1: none */
	bool missing;		 /* and it was said */
	bool again;		 /* tell what is known, changed or not */
	uint8_t span[MOST], now[MOST];
};

/* ---- reading --------------------------------------------------------------------------- */

/* A bit mask in sysfs ("0x8"); names of alarms in older versions. */
static bool alarmed(const char *text)
{
	char *end;
	unsigned long bits;

	text += strspn(text, " \t\r\n");
	if (!*text)
		return false;
	bits = strtoul(text, &end, 0);
	end += strspn(end, " \t\r\n");
	return *end || bits;
}

/* SEEN_UP or SEEN_DOWN; NEVER_SEEN: it cannot be said. */
static uint8_t read_span(int dir, const char *name)
{
	char path[300], text[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "%.255s/alarms", name);
	fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return NEVER_SEEN;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n < 0)
		return NEVER_SEEN;
	text[n] = '\0';
	return alarmed(text) ? SEEN_DOWN : SEEN_UP;
}

/* Its number, or -1: another entry. */
static int span_number(const char *name)
{
	char *end;
	long n;

	if (strncmp(name, "span-", 5) || name[5] < '0' || name[5] > '9')
		return -1;
	n = strtol(name + 5, &end, 10);
	return *end || n >= MOST ? -1 : (int)n;
}

/* false: the directory is not there. */
static bool read_all(struct watch *w)
{
	DIR *dir = opendir(w->dir);
	const struct dirent *d;

	memset(w->now, NEVER_SEEN, sizeof w->now);
	if (!dir) {
		if (!w->missing)
			w->host->log(w->self, RG_LOG_WARNING, "%s: %s (yet)", w->dir,
				     strerror(errno));
		w->missing = true;
		return false;
	}
	if (w->missing)
		w->host->log(w->self, RG_LOG_NOTICE, "%s is there", w->dir);
	w->missing = false;
	while ((d = readdir(dir))) {
		int n = span_number(d->d_name);

		if (n >= 0)
			w->now[n] = read_span(dirfd(dir), d->d_name);
	}
	closedir(dir);
	return true;
}

/* ---- telling ------------------------------------------------------------------------------ */

static void tell(struct watch *w)
{
	for (int i = 0; i < MOST; i++) {
		uint8_t now = w->now[i];
		char id[16];
		int err;

		if (!now && w->span[i]) /* it is gone */
			now = SEEN_DOWN;
		if (!now || (now == w->span[i] && !w->again))
			continue;
		snprintf(id, sizeof id, "%d", i);
		err = w->host->trunk(id, now == SEEN_UP);
		if (now != w->span[i])
			w->host->log(w->self, RG_LOG_INFO, "span %d is %s%s", i,
				     now == SEEN_UP ? "up" : "down",
				     err ? ", and a trunk of no group" : "");
		w->span[i] = now;
	}
	w->again = false;
}

/* ---- when ---------------------------------------------------------------------------------- */

static void unwatch(struct watch *w)
{
	if (w->inotify < 0)
		return;
	w->host->fd(w->self, w->inotify, 0, NULL, NULL);
	close(w->inotify);
	w->inotify = -1;
}

static void look(void *arg);

static void noticed(int fd, uint32_t events, void *arg)
{
	char buf[4096] __attribute__((aligned(8)));

	struct watch *w = arg;

	(void)events;
	while (read(fd, buf, sizeof buf) > 0)
		;
	w->host->timer(w->self, &w->timer, NOTICED_MS, look, w);
}

/* sysfs says nothing when a file changes; a directory of one's own does.  Without
 * watching there is still the timer. */
static void watch_files(struct watch *w)
{
	const uint32_t what = IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM;
	char path[300];

	if (w->inotify < 0) {
		w->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		if (w->inotify < 0)
			return;
		if (w->host->fd(w->self, w->inotify, RG_FD_READ, noticed, w)) {
			close(w->inotify);
			w->inotify = -1;
			return;
		}
	}
	/* watching a second time is no second watch */
	inotify_add_watch(w->inotify, w->dir, what | IN_ONLYDIR);
	for (int i = 0; i < MOST; i++) {
		if (!w->now[i])
			continue;
		snprintf(path, sizeof path, "%s/span-%d", w->dir, i);
		inotify_add_watch(w->inotify, path, what | IN_ONLYDIR);
	}
}

static void look(void *arg)
{
	struct watch *w = arg;

	if (read_all(w))
		watch_files(w);
	else
		unwatch(w); /* what it watched is no more */
	tell(w);
	w->host->timer(w->self, &w->timer, PERIOD_MS, look, w);
}

/* ---- the service ---------------------------------------------------------------------------- */

static const char *directory(const struct cfg *cfg)
{
	return *cfg->dir ? cfg->dir : SYSFS;
}

static int start(const struct rg_host *host, struct rg_self *self, const void *cfg, void **priv,
		 struct rg_fault *f)
{
	struct watch *w = calloc(1, sizeof *w);

	(void)f;
	if (!w)
		return ENOMEM;
	w->host = host;
	w->self = self;
	w->inotify = -1;
	snprintf(w->dir, sizeof w->dir, "%s", directory(cfg));
	*priv = w;
	look(w);
	return 0;
}

static bool reconf(void *priv, const void *cfg)
{
	struct watch *w = priv;

	if (strcmp(w->dir, directory(cfg)))
		return false;
	w->again = true;						/* 5 */
	tell(w);
	return true;
}

static void stop(void *priv)
{
	struct watch *w = priv;

	w->host->timer(w->self, &w->timer, 0, NULL, NULL);
	unwatch(w);
	free(w);
}

static const struct rg_param params[] = {
	{ .name = "DahdiDirectory", .scope = RG_GLOBAL, .type = RG_T_STR,
	  .offset = offsetof(struct cfg, dir) },
	RG_END,
};

RG_SERVICE(trunk_dahdi) = {
	RG_SERVICE_HEAD("trunk_dahdi", "DAHDI's spans are trunks, up without an alarm", params),
	.cfg_size = sizeof(struct cfg),
	.start = start,
	.reconf = reconf,
	.stop = stop,
};
