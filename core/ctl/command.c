#include "command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "show.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

const char *const ctl_states[] = { "backoff", "searching",  "unregistering", "refreshing",
				   "held",    "registered", "idle",	     NULL };

int ctl_fail(int status, const char *fmt, ...)
{
	va_list ap;
	char *text, *clean;

	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	clean = text_clean(text);
	fflush(stdout);
	fprintf(stderr, "regwayctl: %s\n", clean);
	g_free(clean);
	g_free(text);
	return status;
}

int ctl_connect(struct ctl *ctl)
{
	int err = client_connect(&ctl->client, ctl->socket);

	if (!err)
		return CTL_DONE;
	if (err == ENAMETOOLONG)
		return ctl_fail(CTL_USAGE, "%s: %s", ctl->socket, ctl->client.error);
	if (err == EACCES || err == EPERM)
		return ctl_fail(CTL_FAILED, "%s: %s; it is for root and the group of regwayd",
				ctl->socket, ctl->client.error);
	if (err == EAGAIN)
		return ctl_fail(CTL_FAILED, "%s: the daemon takes no connection", ctl->socket);
	return ctl_fail(CTL_NO_DAEMON, "no regwayd at %s: %s", ctl->socket, ctl->client.error);
}

int ctl_ask(struct ctl *ctl, const char *cmd, json_t *args, json_t **data, json_t **whole)
{
	json_t *answer = client_ask(&ctl->client, cmd, args);
	const char *error;
	int status = CTL_DONE;

	*data = NULL;
	if (!answer)
		return errno == ECANCELED ? CTL_FAILED
					  : ctl_fail(CTL_FAILED, "%s", ctl->client.error);
	if (json_is_true(json_object_get(answer, "ok"))) {
		json_t *found = json_object_get(answer, "data");

		*data = found ? json_incref(found) : json_object();
	} else {
		error = json_string_value(json_object_get(answer, "error"));
		status = ctl_fail(CTL_FAILED, "%s", error ? error : "refused, and no reason given");
		if (whole)
			*whole = json_incref(answer);
	}
	json_decref(answer);
	return status;
}

/* ---- one answer ------------------------------------------------------------------- */

static int one(struct ctl *ctl, const char *cmd, json_t *args, void (*show)(const json_t *))
{
	json_t *data;
	int status = ctl_ask(ctl, cmd, args, &data, NULL);

	if (!data)
		return status;
	if (ctl->json) {
		text_json(data, true);
		putchar('\n');
	} else {
		show(data);
	}
	json_decref(data);
	return CTL_DONE;
}

static json_t *name_arg(struct ctl *ctl, const char *key)
{
	return json_pack("{s:s}", key, ctl->arg[0]);
}

static json_t *name_args(struct ctl *ctl)
{
	return name_arg(ctl, "name");
}

static int status_command(struct ctl *ctl, const char *cmd)
{
	return one(ctl, cmd, NULL, show_status);
}

static int account_command(struct ctl *ctl, const char *cmd)
{
	return one(ctl, cmd, name_args(ctl), show_account);
}

static int explain_command(struct ctl *ctl, const char *cmd)
{
	return one(ctl, cmd, name_args(ctl), show_explain);
}

static int plugins_command(struct ctl *ctl, const char *cmd)
{
	return one(ctl, cmd, NULL, show_plugins);
}

static void show_done(const json_t *data)
{
	json_int_t n = json_integer_value(json_object_get(data, "accounts"));

	printf("begun for %" JSON_INTEGER_FORMAT " account%s\n", n, n == 1 ? "" : "s");
}

static int action_command(struct ctl *ctl, const char *cmd)
{
	return one(ctl, cmd, ctl->all ? json_pack("{s:b}", "all", 1) : name_args(ctl), show_done);
}

/* ---- pages -------------------------------------------------------------------------- */

struct listing {
	void (*begin)(struct text_table *);
	void (*row)(struct text_table *, const json_t *);
	struct text_table table;
	size_t rows;
};

static void print_page(struct ctl *ctl, struct listing *l, const json_t *page, bool more)
{
	const json_t *row;
	size_t i;

	json_array_foreach(page, i, row) {
		if (!ctl->json) {
			l->row(&l->table, row);
			continue;
		}
		fputs(l->rows++ ? ",\n" : "", stdout);
		text_json(row, false);
	}
	if (!ctl->json)
		text_table_flush(&l->table, more);
	fflush(stdout);
}

/* Where the next page begins; -1: there is none.  A daemon that does not get on is not
 * followed: *stuck. */
static json_int_t next_page(struct ctl *ctl, json_int_t after, const json_t *answer, bool *stuck)
{
	const json_t *next = json_object_get(answer, "next");

	if (!json_is_integer(next))
		return -1;
	if (json_integer_value(next) > after)
		return json_integer_value(next);
	*stuck = true;
	ctl_fail(CTL_FAILED, "the daemon's pages go in circles");
	client_close(&ctl->client);
	return -1;
}

/* An array that was cut short stays open, so that no reader takes it for the whole. */
static int pages(struct ctl *ctl, const char *cmd, json_t *args, struct listing *l)
{
	json_int_t after = -1;
	bool stuck = false;

	json_object_set_new(args, "limit", json_integer(CTL_PAGE));
	if (ctl->json)
		fputs("[", stdout);
	do {
		json_t *answer = client_ask(&ctl->client, cmd, json_copy(args));
		const char *error = json_string_value(json_object_get(answer, "error"));
		bool ok = json_is_true(json_object_get(answer, "ok"));

		if (ok) {
			after = next_page(ctl, after, answer, &stuck);
			print_page(ctl, l, json_object_get(answer, "data"), after >= 0);
			json_object_set_new(args, "after", json_integer(after));
		} else {
			stuck = true;
			ctl_fail(CTL_FAILED, "%s", !answer ? ctl->client.error :
						   error   ? error :
							     "refused, and no reason given");
		}
		json_decref(answer);
	} while (after >= 0 && !stuck);
	if (ctl->json && !stuck)
		fputs("]\n", stdout);
	json_decref(args);
	return stuck ? CTL_FAILED : CTL_DONE;
}

static int list(struct ctl *ctl, const char *cmd, json_t *args, struct listing *l)
{
	int status;

	l->begin(&l->table);
	status = pages(ctl, cmd, args, l);
	g_ptr_array_unref(l->table.cells);
	return status;
}

static int accounts_command(struct ctl *ctl, const char *cmd)
{
	struct listing l = { .begin = show_accounts_begin, .row = show_accounts_row };
	json_t *args = json_object();

	if (ctl->n_arg)
		json_object_set_new(args, "pattern", json_string(ctl->arg[0]));
	if (ctl->state)
		json_object_set_new(args, "state", json_string(ctl->state));
	return list(ctl, cmd, args, &l);
}

/* One that is set up or down is shown as it is then. */
static int trunk_command(struct ctl *ctl, const char *cmd)
{
	struct listing l = { .begin = show_trunks_begin, .row = show_trunks_row };
	json_t *args = json_object();

	if (ctl->n_arg)
		json_object_set_new(args, "id", json_string(ctl->arg[0]));
	if (ctl->n_arg > 1)
		json_object_set_new(args, "status", json_string(ctl->arg[1]));
	return list(ctl, cmd, args, &l);
}

static int servers_command(struct ctl *ctl, const char *cmd)
{
	struct listing l = { .begin = show_servers_begin, .row = show_servers_row };

	return list(ctl, cmd, json_object(), &l);
}

/* ---- reload and check ------------------------------------------------------------------ */

static char *said(const json_t *data, const char *key, const char *what)
{
	json_int_t n = json_integer_value(json_object_get(data, key));

	return g_strdup_printf("%" JSON_INTEGER_FORMAT " %s%s", n, what, n == 1 ? "" : "s");
}

static void print_verdict(const json_t *data, bool reload)
{
	static const char *const key[] = { "added", "removed", "changed", "unchanged" };
	char *errors = said(data, "errors", "error"), *warnings = said(data, "warnings", "warning");

	printf("%s, %s\n", errors, warnings);
	g_free(errors);
	g_free(warnings);
	if (!reload || !json_object_get(data, "unchanged"))
		return;
	fputs("accounts:", stdout);
	for (size_t i = 0; i < COUNT(key); i++)
		printf("%s %" JSON_INTEGER_FORMAT " %s", i ? "," : "",
		       json_integer_value(json_object_get(data, key[i])), key[i]);
	putchar('\n');
}

/* The faults go to stdout whether the files were taken or refused. */
static int judged(struct ctl *ctl, const char *cmd, json_t *args)
{
	json_t *data, *refusal = NULL;
	int status = ctl_ask(ctl, cmd, args, &data, &refusal);
	const json_t *shown = data ? data : refusal;

	if (!shown)
		return status;
	if (data && json_integer_value(json_object_get(data, "errors")) > 0)
		status = ctl_fail(CTL_FAILED, "there are errors");
	if (ctl->json) {
		text_json(shown, true);
		putchar('\n');
	} else {
		show_faults(json_object_get(shown, "faults"));
		if (data)
			print_verdict(data, !strcmp(cmd, "reload"));
	}
	json_decref(data);
	json_decref(refusal);
	return status;
}

static int reload_command(struct ctl *ctl, const char *cmd)
{
	return judged(ctl, cmd, NULL);
}

/* The daemon's working directory is another: paths go absolute. */
static int check_command(struct ctl *ctl, const char *cmd)
{
	json_t *paths = json_array();

	for (int i = 0; i < ctl->n_arg; i++) {
		char *path = g_canonicalize_filename(ctl->arg[i], NULL);

		json_array_append_new(paths, json_string(path));
		g_free(path);
	}
	return judged(ctl, cmd, json_pack("{s:o}", "paths", paths));
}

static int calls_command(struct ctl *ctl, const char *cmd)
{
	struct listing l = { .begin = show_calls_begin, .row = show_calls_row };

	return list(ctl, cmd, json_object(), &l);
}

/* Until Ctrl-C, or until nobody reads what is printed. */
static int trace_command(struct ctl *ctl, const char *cmd)
{
	json_t *line;
	int status = ctl_ask(ctl, cmd, ctl->n_arg ? name_arg(ctl, "account") : NULL, &line, NULL);

	if (!line)
		return status;
	json_decref(line);
	ctl->client.stop_fd = ctl_stop_signals();
	while (!ferror(stdout) && (line = client_next(&ctl->client)) != NULL) {
		if (ctl->json) {
			text_json(line, false);
			putchar('\n');
		} else {
			show_traced(line);
		}
		fflush(stdout);
		json_decref(line);
	}
	if (errno == ECANCELED && !ferror(stdout))
		return CTL_DONE;
	return ferror(stdout) ? CTL_FAILED : ctl_fail(CTL_FAILED, "%s", ctl->client.error);
}

static int watch_command(struct ctl *ctl, const char *cmd)
{
	(void)cmd;
	return ctl_watch(ctl);
}

/* ---- which ------------------------------------------------------------------------------ */

enum { MANY = 1 << 20 };
enum takes { NOTHING, STATE, ALL };

static const struct command {
	const char *name;
	int (*run)(struct ctl *, const char *cmd);
	int min, max;
	enum takes takes;
	const char *what;
} command[] = {
	{ "status", status_command, 0, 0, NOTHING, "" },
	{ "accounts", accounts_command, 0, 1, STATE, "at most one PATTERN" },
	{ "account", account_command, 1, 1, NOTHING, "the name of one account" },
	{ "explain", explain_command, 1, 1, NOTHING, "the name of one account" },
	{ "register", action_command, 0, 1, ALL, "the name of an account, or --all" },
	{ "unregister", action_command, 0, 1, ALL, "the name of an account, or --all" },
	{ "refresh", action_command, 0, 1, ALL, "the name of an account, or --all" },
	{ "servers", servers_command, 0, 0, NOTHING, "" },
	{ "plugins", plugins_command, 0, 0, NOTHING, "" },
	{ "calls", calls_command, 0, 0, NOTHING, "" },
	{ "trunk", trunk_command, 0, 2, NOTHING, "at most an ID (3, group:1), and up or down" },
	{ "reload", reload_command, 0, 0, NOTHING, "" },
	{ "check", check_command, 1, MANY, NOTHING, "files or directories" },
	{ "watch", watch_command, 0, 0, NOTHING, "" },
	{ "trace", trace_command, 0, 1, NOTHING, "at most the name of one account" },
};

static const struct command *find(const char *name)
{
	const char *known[COUNT(command)], *near;

	for (size_t i = 0; i < COUNT(command); i++) {
		if (!strcmp(command[i].name, name))
			return &command[i];
		known[i] = command[i].name;
	}
	near = rg_nearest(name, known, COUNT(known));
	ctl_fail(CTL_USAGE, near ? "no command is called %s; %s was meant?"
				 : "no command is called %s; see regwayctl --help", name, near);
	return NULL;
}

static bool is_state(const char *state)
{
	for (const char *const *s = ctl_states; *s; s++)
		if (!strcmp(*s, state))
			return true;
	return false;
}

static bool fits(const struct ctl *ctl, const struct command *c)
{
	if (ctl->n_arg < c->min || ctl->n_arg > c->max)
		ctl_fail(CTL_USAGE, "%s takes %s", c->name, *c->what ? c->what : "no argument");
	else if (c->run == trunk_command && ctl->n_arg == 2 && strcmp(ctl->arg[1], "up") &&
		 strcmp(ctl->arg[1], "down"))
		ctl_fail(CTL_USAGE, "a trunk is set up or down, not %s", ctl->arg[1]);
	else if (ctl->state && c->takes != STATE)
		ctl_fail(CTL_USAGE, "--state is for accounts");
	else if (ctl->state && !is_state(ctl->state))
		ctl_fail(CTL_USAGE, "%s is no state: idle, held, searching, registered, "
			 "refreshing, backoff, unregistering", ctl->state);
	else if (ctl->all && c->takes != ALL)
		ctl_fail(CTL_USAGE, "--all is for register, unregister and refresh");
	else if (c->takes == ALL && ctl->all == (ctl->n_arg == 1))
		ctl_fail(CTL_USAGE, "%s takes %s", c->name, c->what);
	else
		return true;
	return false;
}

int ctl_command(struct ctl *ctl, const char *name)
{
	const struct command *c = find(name);
	int status;

	if (!c)
		return CTL_USAGE;
	if (!fits(ctl, c))
		return CTL_USAGE;
	for (int i = 0; i < ctl->n_arg; i++)
		if (!g_utf8_validate(ctl->arg[i], -1, NULL))
			return ctl_fail(CTL_USAGE, "%s is not UTF-8", ctl->arg[i]);
	status = ctl_connect(ctl);
	if (status == CTL_DONE)
		status = c->run(ctl, name);
	client_close(&ctl->client);
	return status;
}
