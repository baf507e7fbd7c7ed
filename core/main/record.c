/*
 * record.c -- call records: a line of JSON for each call that is over, appended to a file
 * or sent to the journal.  A thread of its own writes, so that a slow disk holds up nobody;
 * what it cannot take is lost and counted.
 */
#include "main/app.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#ifdef RG_SYSTEMD
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>
#endif

enum { QUEUE_MOST = 16 << 20 }; /* bytes that wait for the disk */
enum { SAY_MS = 60000, STOP_MOST_US = 3000000 };

static const char journal_socket[] = "/run/systemd/journal/socket";

struct record_file {
	char *name;
	int fd;	      /* -1: the journal */
	bool torn;    /* the last line was written in part */
};

struct item {
	enum { LINE, USE, END } what;
	struct record_file *file; /* USE: from now on; NULL: nothing is written */
	char *line;
	size_t n;
};

struct records {
	struct app *app;
	GThread *thread;
	GAsyncQueue *queue, *ended;
	struct rg_timer say;
	rg_ms said_at;
	char *name;		/* of the file in use, NULL none */
	atomic_size_t waiting;	/* bytes */
	atomic_uint lost;	/* and not yet said */
	atomic_int why;		/* errno of the last */
	atomic_bool posted, gone; /* gone: nobody is to be told any more */
};

/* ---- what CallRecords names ------------------------------------------------------------ */

static bool to_journal(const char *name)
{
	return !strcmp(name, "journal");
}

static int open_journal(void)
{
#ifdef RG_SYSTEMD
	return access(journal_socket, W_OK) ? errno : 0;
#else
	return ENOTSUP;
#endif
}

/* Only looks: nothing is made. */
static int look(const char *name)
{
	struct stat st;
	char *folder;
	int err;

	if (!stat(name, &st))
		return S_ISDIR(st.st_mode) ? EISDIR : access(name, W_OK) ? errno : 0;
	if (errno != ENOENT)
		return errno;
	folder = g_path_get_dirname(name);
	err = access(folder, W_OK | X_OK) ? errno : 0;
	g_free(folder);
	return err;
}

void record_close(struct record_file *f)
{
	if (!f)
		return;
	if (f->fd >= 0)
		close(f->fd);
	g_free(f->name);
	g_free(f);
}

struct record_file *record_open(const struct conf *c, const struct schema *schema, bool check,
				struct rg_faults *faults)
{
	const char *name = c->gateway.call_records, *file = NULL;
	const struct schema_param *p;
	uint32_t line;
	int fd = -1, err;

	if (!*name)
		return NULL;
	if (to_journal(name)) {
		err = open_journal();
	} else if (name[0] != '/') {
		err = EINVAL;
	} else if (check) {
		err = look(name);
	} else {
		/* a FIFO without a reader must not hold us up */
		fd = open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
			  0640);
		err = fd < 0 ? errno : 0;
	}
	if (!err) {
		struct record_file *f = g_new0(struct record_file, 1);

		f->name = g_strdup(name);
		f->fd = fd;
		return f;
	}
	p = schema_find(schema, CONF_GATEWAY, "CallRecords");
	line = conf_global_line(c, p->number, &file);
	rg_fault_add(faults, RG_FAULT_ERROR, file, line, "CallRecords %s: %s", name,
		     err == EINVAL ? "neither an absolute path nor \"journal\"" : g_strerror(err));
	return NULL;
}

/* ---- the thread that writes -------------------------------------------------------------- */

static void say(void *arg)
{
	struct records *r = arg;
	rg_ms now = rg_now(r->app->timers);
	unsigned n;

	r->posted = false;
	if (now < r->said_at + SAY_MS) {
		rg_timer_set(r->app->timers, &r->say, r->said_at + SAY_MS, say, r);
		return;
	}
	n = atomic_exchange(&r->lost, 0);
	if (!n)
		return;
	r->said_at = now;
	rg_err("call records: %s: %s; %u lost", r->name ? r->name : "-", g_strerror(r->why), n);
}

static void lose(struct records *r, int why)
{
	r->why = why;
	r->lost++;
	if (!r->gone && !atomic_exchange(&r->posted, true))
		sip_loop_post(r->app->loop, say, r);
}

#ifdef RG_SYSTEMD
static int write_journal(const char *line, size_t n)
{
	static char priority[] = "PRIORITY=6", kind[] = "REGWAY_RECORD=call";
	char *message = g_malloc(n + 9);
	struct iovec part[] = { { message, 0 }, { priority, sizeof priority - 1 },
				{ kind, sizeof kind - 1 } };
	int err;

	memcpy(message, "MESSAGE=", 8);
	memcpy(message + 8, line, n - 1); /* without its end */
	part[0].iov_len = n + 7;
	/* it does not tell when nobody is there */
	err = access(journal_socket, W_OK) ? errno : -sd_journal_sendv(part, 3);
	g_free(message);
	return err;
}
#else
static int write_journal(const char *line, size_t n)
{
	(void)line, (void)n;
	return ENOTSUP;
}
#endif

/* A line that was torn by a full disk is ended before the next one. */
static int write_file(struct record_file *f, const char *line, size_t n)
{
	if (f->torn) {
		if (write(f->fd, "\n", 1) != 1)
			return errno;
		f->torn = false;
	}
	while (n) {
		ssize_t put = write(f->fd, line, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return errno;
		f->torn = true;
		line += put;
		n -= (size_t)put;
	}
	f->torn = false;
	return 0;
}

static gpointer work(gpointer arg)
{
	struct records *r = arg;
	struct record_file *f = NULL;
	sigset_t broken_pipe;

	sigemptyset(&broken_pipe); /* of a FIFO: EPIPE does */
	sigaddset(&broken_pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &broken_pipe, NULL);
	for (;;) {
		struct item *x = g_async_queue_pop(r->queue);
		bool end = x->what == END;
		int err;

		if (x->what == LINE) {
			err = !f ? 0 : f->fd < 0 ? write_journal(x->line, x->n)
						 : write_file(f, x->line, x->n);
			atomic_fetch_sub(&r->waiting, x->n);
			if (err)
				lose(r, err);
			free(x->line);
		} else {
			record_close(f);
			f = x->file;
		}
		g_free(x);
		if (end)
			break;
	}
	g_async_queue_push(r->ended, r);
	return NULL;
}

static void push(struct records *r, struct item item)
{
	struct item *x = g_new(struct item, 1);

	*x = item;
	g_async_queue_push(r->queue, x);
}

/* ---- what the rest of the daemon calls ----------------------------------------------------- */

void record_use(struct app *app, struct record_file *f)
{
	struct records *r = app->records;

	if (!f && !r)
		return;
	if (!r) {
		r = app->records = g_new0(struct records, 1);
		r->app = app;
		r->queue = g_async_queue_new();
		r->ended = g_async_queue_new();
		r->said_at = -SAY_MS;
		r->thread = g_thread_new("records", work, r);
	}
	g_free(r->name);
	r->name = f ? g_strdup(f->name) : NULL;
	push(r, (struct item){ .what = USE, .file = f });
}

void record_call(void *arg, const struct relay_call_info *x)
{
	struct app *app = arg;
	struct records *r = app->records;
	json_t *o;
	char *line;
	size_t n;

	if (!r || !r->name)
		return;
	o = call_record(x);
	line = json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15));
	json_decref(o);
	if (!line) {
		lose(r, ENOMEM);
		return;
	}
	n = strlen(line) + 1;
	if (r->waiting + n > QUEUE_MOST) {
		free(line);
		lose(r, EAGAIN);
		return;
	}
	line[n - 1] = '\n';
	r->waiting += n;
	push(r, (struct item){ .what = LINE, .line = line, .n = n });
}

void record_stop(struct app *app)
{
	struct records *r = app->records;

	if (!r)
		return;
	app->records = NULL;
	r->gone = true;
	push(r, (struct item){ .what = END });
	/* a disk that hangs does not keep the daemon from its end */
	if (!g_async_queue_timeout_pop(r->ended, STOP_MOST_US)) {
		rg_err("call records: %s hangs; records are lost", r->name ? r->name : "-");
		g_thread_unref(r->thread);
		rg_timer_stop(app->timers, &r->say);
		return;
	}
	g_thread_join(r->thread);
	if (r->lost)
		rg_err("call records: %s: %s; %u lost", r->name ? r->name : "-",
		       g_strerror(r->why), r->lost);
	rg_timer_stop(app->timers, &r->say);
	g_async_queue_unref(r->queue);
	g_async_queue_unref(r->ended);
	g_free(r->name);
	g_free(r);
}
