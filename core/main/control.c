/*
 * control.c -- the control socket: a line of JSON in, a line of JSON out.  Every
 * client has bounded buffers; one that does not read is not written to, and one that
 * writes without reading is not read from.
 */
#include "main/app.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

enum { CLIENTS = 64, LINE_MOST = 64 << 10, BACKLOG = 128, STREAM_MOST = 1 << 20 };
enum { PAUSE_MS = 1000 }; /* out of descriptors */

struct control_conn {
	struct control *control;
	int fd;
	GString *in, *out;
	size_t sent;
	bool waits;   /* for an answer that comes later */
	bool streams; /* gets the trace, and is asked nothing more */
	bool ended;   /* nothing more will be read */
	bool overlong; /* skipping the rest of a line */
};

struct control {
	struct app *app;
	int fd;
	char *path;
	GPtrArray *conns;
	struct rg_timer pause;
	gint64 rest; /* no command begins before, us */
};

static void conn_events(struct control_conn *c);

static void conn_free(struct control_conn *c)
{
	struct app *app = c->control->app;

	if (c->waits)
		reload_forget(app, c);
	if (c->streams)
		trace_forget(app, c);
	sip_loop_fd(app->loop, c->fd, 0, NULL, NULL);
	close(c->fd);
	g_string_free(c->in, TRUE);
	g_string_free(c->out, TRUE);
	g_ptr_array_remove_fast(c->control->conns, c);
	g_free(c);
}

static void say(struct control_conn *c, json_t *answer)
{
	char *text = json_dumps(answer, JSON_COMPACT);

	g_string_append(c->out, text ? text : "{\"ok\":false,\"error\":\"no answer\"}");
	g_string_append_c(c->out, '\n');
	free(text);
	json_decref(answer);
}

static void run_line(struct control_conn *c, const char *text, size_t n)
{
	json_error_t why;
	json_t *line = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why), *answer;

	if (!json_is_object(line)) {
		say(c, command_error("a line is one JSON object: %s",
				     line ? "this is something else" : why.text));
		json_decref(line);
		return;
	}
	answer = command_run(c->control->app, line, c);
	if (answer)
		say(c, answer);
	else
		c->waits = true;
	json_decref(line);
}

/* Commands take half of the time at most, however many ask: calls go on meanwhile. */
static void run_in_turn(struct control_conn *c, const char *text, size_t n)
{
	gint64 began = g_get_monotonic_time(), now;

	run_line(c, text, n);
	now = g_get_monotonic_time();
	c->control->rest = now + (now - began);
}

static bool is_pending(const struct control_conn *c)
{
	return !c->waits && !c->streams && !c->out->len &&
	       (c->in->len > LINE_MOST || memchr(c->in->str, '\n', c->in->len));
}

/* One line at a time: the next when its answer is out. */
static void run_lines(struct control_conn *c)
{
	while (!c->waits && !c->streams && c->sent == c->out->len &&
	       g_get_monotonic_time() >= c->control->rest) {
		char *end = memchr(c->in->str, '\n', c->in->len);
		size_t n;

		if (!end && c->in->len > LINE_MOST) {
			say(c, command_error("a line of more than %d bytes", LINE_MOST));
			g_string_truncate(c->in, 0);
			c->overlong = true;
		}
		if (!end)
			return;
		n = (size_t)(end - c->in->str);
		if (c->overlong)
			c->overlong = false;
		else if (n > LINE_MOST)
			say(c, command_error("a line of more than %d bytes", LINE_MOST));
		else
			run_in_turn(c, c->in->str, n);
		g_string_erase(c->in, 0, (gssize)n + 1);
	}
	if (c->streams)
		g_string_truncate(c->in, 0);
}

/* false: the client is gone. */
static bool flush(struct control_conn *c)
{
	while (c->sent < c->out->len) {
		ssize_t n = send(c->fd, c->out->str + c->sent, c->out->len - c->sent, MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (n < 0)
			return false;
		c->sent += (size_t)n;
	}
	if (c->out->allocated_len > 4 * LINE_MOST) {
		g_string_free(c->out, TRUE);
		c->out = g_string_new(NULL);
	} else {
		g_string_truncate(c->out, 0);
	}
	c->sent = 0;
	return true;
}

static void go_on(struct control_conn *c)
{
	size_t before;

	do {
		before = c->in->len;
		run_lines(c);
		if (!flush(c)) {
			conn_free(c);
			return;
		}
	} while (!c->out->len && c->in->len != before);
	if (c->ended && !c->out->len && !c->waits && !c->streams && !is_pending(c)) {
		conn_free(c);
		return;
	}
	conn_events(c);
}

static void conn_ready(int fd, int events, void *arg)
{
	struct control_conn *c = arg;
	char buf[16384];

	if (events & (SIP_READ | SIP_ERROR) && !c->ended && c->in->len <= LINE_MOST) {
		ssize_t n = recv(fd, buf, sizeof buf, 0);

		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			c->ended = true;
		/* a last line without its end */
		if (c->ended && c->in->len && !c->overlong && c->in->str[c->in->len - 1] != '\n')
			g_string_append_c(c->in, '\n');
		if (n > 0 && !c->streams)
			g_string_append_len(c->in, buf, n);
	}
	if (events & SIP_ERROR && c->ended && (c->waits || c->streams)) {
		conn_free(c);
		return;
	}
	go_on(c);
}

static void conn_events(struct control_conn *c)
{
	int want = 0;

	if (c->streams) {
		/* one that only closed its sending side is found gone by the next line */
		want = (c->ended ? 0 : SIP_READ) | (c->out->len ? SIP_WRITE : 0);
		sip_loop_fd(c->control->app->loop, c->fd, want, conn_ready, c);
		return;
	}
	if (!c->ended && !c->waits && !c->out->len)
		want |= SIP_READ;
	if (c->out->len || is_pending(c))
		want |= SIP_WRITE;
	if (!want && !c->ended)
		want = SIP_READ; /* to learn that it left */
	sip_loop_fd(c->control->app->loop, c->fd, want ? want : SIP_WRITE, conn_ready, c);
}

void control_answer(struct control_conn *c, json_t *answer)
{
	c->waits = false;
	say(c, answer);
	go_on(c);
}

void control_stream(struct control_conn *c)
{
	c->streams = true;
}

bool control_line(struct control_conn *c, const char *line, size_t n)
{
	if (c->out->len - c->sent + n > STREAM_MOST)
		return false;
	if (c->sent > STREAM_MOST / 4) {
		g_string_erase(c->out, 0, (gssize)c->sent);
		c->sent = 0;
	}
	g_string_append_len(c->out, line, (gssize)n);
	g_string_append_c(c->out, '\n');
	conn_events(c);
	return true;
}

static void welcome(struct control *ctl, int s)
{
	struct control_conn *c;

	if (ctl->conns->len >= CLIENTS) {
		static const char full[] = "{\"ok\":false,\"error\":\"too many clients\"}\n";

		if (send(s, full, sizeof full - 1, MSG_NOSIGNAL) < 0)
			rg_debug("control: a client left before it was refused");
		close(s);
		return;
	}
	c = g_new0(struct control_conn, 1);
	c->control = ctl;
	c->fd = s;
	c->in = g_string_new(NULL);
	c->out = g_string_new(NULL);
	g_ptr_array_add(ctl->conns, c);
	conn_events(c);
}

static void accept_ready(int fd, int events, void *arg);

static void resume(void *arg)
{
	struct control *ctl = arg;

	(void)sip_loop_fd(ctl->app->loop, ctl->fd, SIP_READ, accept_ready, ctl);
}

static void accept_ready(int fd, int events, void *arg)
{
	struct control *ctl = arg;
	struct rg_timers *timers = ctl->app->timers;
	int s;

	(void)events;
	for (int n = 0; n < CLIENTS; n++) {
		s = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (s < 0)
			break;
		welcome(ctl, s);
	}
	if (s < 0 && errno != EAGAIN) { /* it would be told again and again */
		rg_warn("control socket: %s", g_strerror(errno));
		sip_loop_fd(ctl->app->loop, fd, 0, NULL, NULL);
		rg_timer_set(timers, &ctl->pause, rg_now(timers) + PAUSE_MS, resume, ctl);
	}
}

/* A socket of a daemon that is gone is taken over, one in use is not. */
static int listen_at(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err;
	mode_t mask;

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof un.sun_path) {
		close(fd);
		return -ENAMETOOLONG;
	}
	strcpy(un.sun_path, path);
	if (!connect(fd, (struct sockaddr *)&un, sizeof un) || errno == EAGAIN) {
		close(fd);
		return -EADDRINUSE;
	}
	if (errno == ECONNREFUSED)
		unlink(path);
	mask = umask(0117); /* 0660 */
	err = bind(fd, (struct sockaddr *)&un, sizeof un) || listen(fd, BACKLOG) ? errno : 0;
	umask(mask);
	if (err) {
		close(fd);
		return -err;
	}
	return fd;
}

int control_open(struct app *app)
{
	struct control *ctl;
	int fd = listen_at(app->socket);

	if (fd < 0) {
		rg_err("regwayd: control socket %s: %s", app->socket, g_strerror(-fd));
		return -fd;
	}
	ctl = g_new0(struct control, 1);
	ctl->app = app;
	ctl->fd = fd;
	ctl->path = g_strdup(app->socket);
	ctl->conns = g_ptr_array_new();
	app->control = ctl;
	return sip_loop_fd(app->loop, fd, SIP_READ, accept_ready, ctl);
}

void control_close(struct app *app)
{
	struct control *ctl = app->control;

	if (!ctl)
		return;
	while (ctl->conns->len)
		conn_free(g_ptr_array_index(ctl->conns, 0));
	rg_timer_stop(app->timers, &ctl->pause);
	sip_loop_fd(app->loop, ctl->fd, 0, NULL, NULL);
	close(ctl->fd);
	unlink(ctl->path);
	g_ptr_array_free(ctl->conns, TRUE);
	g_free(ctl->path);
	g_free(ctl);
	app->control = NULL;
}
