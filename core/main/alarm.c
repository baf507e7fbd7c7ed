/*
 * alarm.c -- what an operator wants to be woken for: a line on the log, and
 * AlarmCommand run with the alarm's name, its object and "raised" or "cleared".  The
 * command runs on its own, a few at a time; the loop only starts and reaps it.
 */
#include "main/app.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

enum {
	AT_A_TIME = 4,
	QUEUED = 256,
	MOST_MS = 30000, /* then it is killed: one that hangs must not hold up the next */
	LOOK_MS = 100	 /* between looks at one without a pidfd */
};

struct alarm_entry {
	const char *name; /* static */
	char object[32];
	bool raised;
};

struct running {
	struct app *app;
	pid_t pid;
	int pidfd; /* -1: it is looked after by the timer */
	rg_ms until;
	struct rg_timer timer;
	bool killed;
};

struct alarms {
	GQueue queue; /* struct alarm_entry */
	GPtrArray *running;
	bool dropped; /* said */
	bool useless; /* said that the command cannot be run */
};

static void start_some(struct app *app);

/* ---- a command at its end ------------------------------------------------------------- */

static void over(struct running *r, int status)
{
	struct app *app = r->app;

	if (status < 0 || !WIFEXITED(status) || WEXITSTATUS(status))
		rg_warn("AlarmCommand %s", r->killed	      ? "was killed: it ran too long"
					   : status < 0	      ? "was lost"
					   : WIFEXITED(status) ? "failed"
							       : "was killed by a signal");
	if (r->pidfd >= 0) {
		sip_loop_fd(app->loop, r->pidfd, 0, NULL, NULL);
		close(r->pidfd);
	}
	rg_timer_stop(app->timers, &r->timer);
	g_ptr_array_remove_fast(app->alarms->running, r);
	g_free(r);
}

/* true: it has ended, and r is gone. */
static bool reap(struct running *r)
{
	int status;
	pid_t pid;

	do
		pid = waitpid(r->pid, &status, WNOHANG);
	while (pid < 0 && errno == EINTR);
	if (!pid)
		return false;
	over(r, pid < 0 ? -1 : status);
	return true;
}

static void ended(int fd, int events, void *arg)
{
	struct running *r = arg;
	struct app *app = r->app;

	(void)fd;
	(void)events;
	if (reap(r))
		start_some(app);
}

static void look(void *arg)
{
	struct running *r = arg;
	struct app *app = r->app;
	rg_ms now = rg_now(app->timers);

	if (reap(r)) {
		start_some(app);
		return;
	}
	if (now >= r->until && !r->killed) {
		r->killed = true;
		kill(-r->pid, SIGKILL);
	}
	if (r->pidfd < 0 || !r->killed)
		rg_timer_set(app->timers, &r->timer,
			     r->pidfd < 0 ? now + LOOK_MS : r->until, look, r);
}

/* ---- and at its beginning --------------------------------------------------------------- */

/* In a group of its own, with no signal blocked, no descriptor but 0 to 2 and nothing of
 * our environment but PATH: that may hold passwords. */
static int spawn(const char *command, const struct alarm_entry *a, pid_t *pid)
{
	char *argv[] = { (char *)(uintptr_t)command, (char *)(uintptr_t)a->name,
			 (char *)(uintptr_t)a->object,
			 (char *)(uintptr_t)(a->raised ? "raised" : "cleared"), NULL };
	char *path = g_strdup_printf("PATH=%s", getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
	char *env[] = { path, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int err;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_addclosefrom_np(&files, 3);
	err = posix_spawn(pid, command, &files, &attr, argv, env);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	g_free(path);
	return err;
}

static void start(struct app *app, const char *command, const struct alarm_entry *a)
{
	struct running *r = g_new0(struct running, 1);
	int err = spawn(command, a, &r->pid);

	if (err) {
		if (!app->alarms->useless)
			rg_err("AlarmCommand %s: %s", command, g_strerror(err));
		app->alarms->useless = true;
		g_free(r);
		return;
	}
	app->alarms->useless = false;
	r->app = app;
	r->until = rg_now(app->timers) + MOST_MS;
	r->pidfd = pidfd_open(r->pid, 0);
	if (r->pidfd >= 0 && sip_loop_fd(app->loop, r->pidfd, SIP_READ, ended, r)) {
		close(r->pidfd);
		r->pidfd = -1;
	}
	g_ptr_array_add(app->alarms->running, r);
	rg_timer_set(app->timers, &r->timer,
		     r->pidfd < 0 ? rg_now(app->timers) + LOOK_MS : r->until, look, r);
}

static void start_some(struct app *app)
{
	while (app->alarms->running->len < AT_A_TIME) {
		struct alarm_entry *a = g_queue_pop_head(&app->alarms->queue);
		const char *command = app->gen->conf->gateway.alarm_command;

		if (!a)
			return;
		if (*command)
			start(app, command, a);
		g_free(a);
	}
}

void alarm_set(struct app *app, const char *name, const char *object, bool raised)
{
	struct alarm_entry *a;

	rg_log(raised ? RG_LOG_WARNING : RG_LOG_NOTICE, "alarm %s of %s %s", name, object,
	       raised ? "raised" : "cleared");
	if (!*app->gen->conf->gateway.alarm_command)
		return;
	if (!app->alarms) {
		app->alarms = g_new0(struct alarms, 1);
		app->alarms->running = g_ptr_array_new();
	}
	if (app->alarms->queue.length >= QUEUED) {
		if (!app->alarms->dropped)
			rg_err("AlarmCommand is too slow: alarms are dropped");
		app->alarms->dropped = true;
		return;
	}
	app->alarms->dropped = false;
	a = g_new0(struct alarm_entry, 1);
	a->name = name;
	a->raised = raised;
	g_strlcpy(a->object, object, sizeof a->object);
	g_queue_push_tail(&app->alarms->queue, a);
	start_some(app);
}

/* Commands that run go on without us; init reaps them. */
void alarm_stop(struct app *app)
{
	struct alarms *all = app->alarms;

	if (!all)
		return;
	for (guint i = 0; i < all->running->len; i++) {
		struct running *r = g_ptr_array_index(all->running, i);

		if (r->pidfd >= 0) {
			sip_loop_fd(app->loop, r->pidfd, 0, NULL, NULL);
			close(r->pidfd);
		}
		rg_timer_stop(app->timers, &r->timer);
		g_free(r);
	}
	g_ptr_array_free(all->running, TRUE);
	g_queue_clear_full(&all->queue, g_free);
	g_free(all);
	app->alarms = NULL;
}
