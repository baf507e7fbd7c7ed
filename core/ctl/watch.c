/* watch.c -- counts and the accounts that need attention, every second. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "command.h"
#include "show.h"

enum {
	ROWS = 24,
	HEAD = 12, /* lines above the accounts */
	PAGES = 20 /* of 5,000 accounts looked at, for one state and picture */
};

static int rows(void)
{
	struct winsize ws;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_row > HEAD)
		return ws.ws_row;
	return ROWS;
}

/* Up to room accounts of one state, of which there are some; how many were got, or -1.
 * The daemon looks at a part of its accounts for each answer. */
static int take_state(struct ctl *ctl, const char *state, int room, struct text_table *t)
{
	json_t *args = json_pack("{s:s}", "state", state);
	int n = 0;

	for (int page = 0; page < PAGES && n < room; page++) {
		json_t *answer, *next;
		const json_t *row;
		size_t i;

		json_object_set_new(args, "limit", json_integer(room - n));
		answer = client_ask(&ctl->client, "accounts", json_copy(args));
		if (!answer) {
			n = -1;
			break;
		}
		json_array_foreach(json_object_get(answer, "data"), i, row)
			if (n < room) {
				show_accounts_row(t, row);
				n++;
			}
		next = json_object_get(answer, "next");
		if (next)
			json_object_set(args, "after", next);
		json_decref(answer);
		if (!next)
			break;
	}
	json_decref(args);
	return n;
}

/* Those states that somebody is in, the most interesting first, until the screen is full. */
static int take_accounts(struct ctl *ctl, const json_t *status, int room)
{
	const json_t *counts = json_object_get(status, "accounts");
	struct text_table t;
	int n = 0;

	show_accounts_begin(&t);
	for (const char *const *s = ctl_states; *s && room > 0 && n >= 0; s++) {
		json_int_t most = json_integer_value(json_object_get(counts, *s));

		if (most <= 0)
			continue;
		n = take_state(ctl, *s, most < room ? (int)most : room, &t);
		room -= n;
	}
	if (n >= 0)
		text_table_flush(&t, false);
	g_ptr_array_unref(t.cells);
	return n < 0 ? -1 : 0;
}

/* One picture; 0, or -1 when the daemon did not answer. */
static int frame(struct ctl *ctl, int room)
{
	json_t *answer = client_ask(&ctl->client, "status", NULL);
	const json_t *data = json_object_get(answer, "data");
	int err = answer ? 0 : -1;

	if (answer && ctl->json) {
		text_json(data, false);
		putchar('\n');
	} else if (answer) {
		show_status(data);
		putchar('\n');
		err = take_accounts(ctl, data, room);
	}
	json_decref(answer);
	return err;
}

/* SIGINT and SIGTERM become readable, so that nothing has to be interrupted. */
int ctl_stop_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Wait that long, or until a signal came: true. */
static bool stopped(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) > 0;
}

/* On a terminal a daemon that restarts is waited for. */
static int again(struct ctl *ctl, bool terminal)
{
	int err;

	if (!terminal)
		return ctl_fail(CTL_FAILED, "%s", ctl->client.error);
	fputs("\033[H\033[J", stdout);
	err = client_connect(&ctl->client, ctl->socket);
	if (err)
		printf("no regwayd at %s: %s; waiting\n", ctl->socket, ctl->client.error);
	fflush(stdout);
	return CTL_DONE;
}

int ctl_watch(struct ctl *ctl)
{
	static char buf[1 << 16]; /* a picture goes out at once and does not flicker */
	bool terminal = isatty(STDOUT_FILENO) && !ctl->json;
	int status = CTL_DONE, stop = ctl_stop_signals();

	if (stop < 0)
		return ctl_fail(CTL_FAILED, "signalfd: %s", strerror(errno));
	ctl->client.stop_fd = stop;
	setvbuf(stdout, buf, _IOFBF, sizeof buf);
	if (terminal)
		fputs("\033[?1049h\033[?25l", stdout);
	do {
		if (terminal)
			fputs("\033[H\033[J", stdout);
		if (ctl->client.fd < 0 || frame(ctl, terminal ? rows() - HEAD : ROWS))
			status = stopped(stop, 0) ? CTL_DONE : again(ctl, terminal);
		else if (!terminal && !ctl->json)
			putchar('\n');
		if (fflush(stdout))
			status = CTL_FAILED;
	} while (status == CTL_DONE && !stopped(stop, 1000));
	if (terminal)
		fputs("\033[?25h\033[?1049l", stdout);
	close(stop);
	return status;
}
