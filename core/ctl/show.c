#include "show.h"

#include <stdio.h>
#include <string.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

/* ---- tables --------------------------------------------------------------------- */

void show_accounts_begin(struct text_table *t)
{
	static const struct text_column column[] = {
		{ "NAME", 20, false },	 { "STATE", 13, false }, { "REGISTRAR", 21, false },
		{ "EXPIRES", 7, true },	 { "NEXT", 6, true },	 { "LAST", 0, false },
	};

	text_table_init(t, column, COUNT(column));
}

void show_accounts_row(struct text_table *t, const json_t *a)
{
	char *code = text_member(a, "last_code"), *reason = text_member(a, "last_reason");
	bool coded = json_integer_value(json_object_get(a, "last_code")) > 0;
	bool worded = strcmp(reason, "-") != 0;

	text_cell(t, text_member(a, "name"));
	text_cell(t, text_member(a, "state"));
	text_cell(t, text_member(a, "registrar"));
	text_cell(t, text_duration(json_object_get(a, "expires_in")));
	text_cell(t, text_duration(json_object_get(a, "next_attempt_in")));
	text_cell(t, g_strdup_printf("%s%s%s", coded ? code : worded ? "" : "-",
				     coded && worded ? " " : "", worded ? reason : ""));
	g_free(code);
	g_free(reason);
}

void show_servers_begin(struct text_table *t)
{
	static const struct text_column column[] = {
		{ "PROXY SET", 18, false }, { "ADDRESS", 21, false }, { "VIA", 3, false },
		{ "HEALTH", 7, false },	    { "RANK", 5, true },      { "TTL", 6, true },
		{ "ACCOUNTS", 8, true },    { "REGISTERS AT", 0, false },
	};

	text_table_init(t, column, COUNT(column));
}

/* Only where it is not the server itself: "name (address)", or what of it is known. */
static char *registers_at(const json_t *s)
{
	const char *name = json_string_value(json_object_get(s, "registers_at"));
	const char *addr = json_string_value(json_object_get(s, "registers_at_address"));
	char *text, *clean;

	if (!name)
		return g_strdup("-");
	text = addr && strcmp(addr, name) ? g_strdup_printf("%s (%s)", name, addr)
					  : g_strdup(name);
	clean = text_clean(text);
	g_free(text);
	return clean;
}

void show_servers_row(struct text_table *t, const json_t *s)
{
	text_cell(t, text_member(s, "proxy_set"));
	text_cell(t, text_member(s, "address"));
	text_cell(t, text_member(s, "transport"));
	text_cell(t, text_member(s, "health"));
	text_cell(t, text_member(s, "rank"));
	text_cell(t, text_duration(json_object_get(s, "ttl")));
	text_cell(t, text_member(s, "accounts"));
	text_cell(t, registers_at(s));
}

void show_calls_begin(struct text_table *t)
{
	static const struct text_column column[] = {
		{ "ID", 6, true },	{ "STATE", 8, false },	 { "LASTS", 7, true },
		{ "ACCOUNT", 16, false }, { "WAY", 3, false },	 { "FROM", 24, false },
		{ "TO", 24, false },	{ "SERVER", 0, false },
	};

	text_table_init(t, column, COUNT(column));
}

void show_calls_row(struct text_table *t, const json_t *c)
{
	static const char *const key[] = { "account", "direction", "from", "to", "server" };
	const char *method = json_string_value(json_object_get(c, "method"));

	text_cell(t, text_member(c, "id"));
	/* a request that stands alone goes by its name */
	text_cell(t, text_member(c, method && strcmp(method, "INVITE") ? "method" : "state"));
	text_cell(t, text_duration(json_object_get(c, "lasts")));
	for (int i = 0; i < COUNT(key); i++)
		text_cell(t, text_member(c, key[i]));
}

void show_trunks_begin(struct text_table *t)
{
	static const struct text_column column[] = {
		{ "TRUNK", 16, false }, { "NAME", 20, false }, { "STATUS", 7, false },
		{ "SERVICE", 7, false }, { "DOWN", 9, true }, { "ACCOUNTS", 0, true },
	};

	text_table_init(t, column, COUNT(column));
}

void show_trunks_row(struct text_table *t, const json_t *x)
{
	char *down = text_member(x, "down"), *trunks = text_member(x, "trunks");

	text_cell(t, text_member(x, "id"));
	text_cell(t, text_member(x, "name"));
	text_cell(t, text_member(x, "status"));
	text_cell(t, text_member(x, "service"));
	text_cell(t, json_object_get(x, "trunks") ? g_strdup_printf("%s of %s", down, trunks)
						  : g_strdup("-"));
	text_cell(t, text_member(x, "accounts"));
	g_free(down);
	g_free(trunks);
}

void show_plugins(const json_t *data)
{
	static const struct text_column column[] = {
		{ "NAME", 18, false },	  { "VERSION", 8, false }, { "KIND", 7, false },
		{ "PRIORITY", 8, true },  { "ACCOUNTS", 8, true }, { "IMPLEMENTS", 0, false },
	};
	static const char *const key[] = { "name",     "version",  "kind",
					   "priority", "accounts", "implements" };
	struct text_table t;
	const json_t *p;
	size_t i;

	text_table_init(&t, column, COUNT(column));
	json_array_foreach(data, i, p)
		for (int k = 0; k < COUNT(key); k++)
			text_cell(&t, text_member(p, key[k]));
	text_table_end(&t);
}

/* ---- one object: a line per member ------------------------------------------------ */

enum how { PLAIN, DURATION, TIME, CODE /* 0: none came */ };
struct line {
	const char *key, *title;
	enum how how;
};

static void print_line(const char *title, char *value)
{
	printf("%-16s %s\n", title, value);
	g_free(value);
}

static void print_as(const char *title, const json_t *value, enum how how)
{
	if (how == CODE && json_integer_value(value) <= 0)
		value = NULL;
	print_line(title, how == DURATION ? text_duration(value) :
			  how == TIME	  ? text_time(value) :
					    text_value(value));
}

static bool is_listed(const char *key, const struct line *line, int n)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(line[i].key, key))
			return true;
	return false;
}

/* The known members in our order, then what a newer daemon may tell besides. */
static void print_members(const json_t *data, const struct line *line, int n)
{
	const char *key;
	json_t *value;

	for (int i = 0; i < n; i++)
		if (line[i].title && (value = json_object_get(data, line[i].key)) != NULL)
			print_as(line[i].title, value, line[i].how);
	json_object_foreach((json_t *)data, key, value) {
		char *title;

		if (is_listed(key, line, n))
			continue;
		title = text_clean(key);
		print_as(g_strdelimit(title, "_", ' '), value, PLAIN);
		g_free(title);
	}
}

/* "12 accounts: 10 registered, 2 backoff" */
static char *counts(const json_t *states)
{
	GString *list = g_string_new(NULL);
	json_int_t sum = 0;
	const char *key;
	json_t *n;
	char *all;

	json_object_foreach((json_t *)states, key, n) {
		char *name = text_clean(key);

		sum += json_integer_value(n);
		if (json_integer_value(n))
			g_string_append_printf(list, "%s%" JSON_INTEGER_FORMAT " %s",
					       list->len ? ", " : ": ", json_integer_value(n),
					       name);
		g_free(name);
	}
	all = g_strdup_printf("%" JSON_INTEGER_FORMAT " account%s%s", sum, sum == 1 ? "" : "s",
			      list->str);
	g_string_free(list, TRUE);
	return all;
}

static char *reload_text(const json_t *reload)
{
	json_t *at = json_object_get(reload, "at");
	json_t *faults = json_object_get(reload, "faults");
	size_t n = json_is_array(faults) ? json_array_size(faults)
					 : (size_t)json_integer_value(faults);
	char *when, *all;

	if (!json_is_string(at) && json_number_value(at) <= 0)
		return g_strdup("none since the start");
	when = text_time(at);
	all = g_strdup_printf("%s, %s, %zu fault%s", when,
			      json_is_true(json_object_get(reload, "ok")) ? "done" : "refused",
			      n, n == 1 ? "" : "s");
	g_free(when);
	return all;
}

void show_status(const json_t *data)
{
	static const struct line line[] = {
		{ "version", NULL, PLAIN }, { "accounts", NULL, PLAIN },
		{ "reload", NULL, PLAIN },  { "rss_kib", NULL, PLAIN },
		{ "uptime", "up for", DURATION }, { "calls", "calls", PLAIN },
		{ "registered", "with a binding", PLAIN }, { "register", "REGISTERs", PLAIN },
		{ "keepalive", "keep-alive", PLAIN },
	};
	json_t *rss = json_object_get(data, "rss_kib");

	print_line("regwayd", text_member(data, "version"));
	print_line("", counts(json_object_get(data, "accounts")));
	print_members(data, line, COUNT(line));
	if (json_is_number(rss))
		print_line("memory", g_strdup_printf("%.1f MiB", json_number_value(rss) / 1024));
	print_line("last reload", reload_text(json_object_get(data, "reload")));
}

static void print_transitions(const json_t *list)
{
	static const struct text_column column[] = {
		{ "AT", 19, false }, { "FROM", 13, false },  { "TO", 13, false },
		{ "CODE", 4, true }, { "SERVER", 0, false },
	};
	struct text_table t;
	const json_t *row;
	size_t i;

	putchar('\n');
	text_table_init(&t, column, COUNT(column));
	json_array_foreach(list, i, row) {
		bool coded = json_integer_value(json_object_get(row, "code")) > 0;

		text_cell(&t, text_time(json_object_get(row, "at")));
		text_cell(&t, text_member(row, "from"));
		text_cell(&t, text_member(row, "to"));
		text_cell(&t, coded ? text_member(row, "code") : g_strdup("-"));
		text_cell(&t, text_member(row, "server"));
	}
	text_table_end(&t);
}

void show_account(const json_t *data)
{
	static const struct line line[] = {
		{ "name", "name", PLAIN },
		{ "index", "index", PLAIN },
		{ "aor", "AOR", PLAIN },
		{ "served", "served", PLAIN },
		{ "serving", "serving", PLAIN },
		{ "state", "state", PLAIN },
		{ "registered", "registered", PLAIN },
		{ "registrar", "registrar", PLAIN },
		{ "registers_at", "registers at", PLAIN },
		{ "transport", "transport", PLAIN },
		{ "local_port", "local port", PLAIN },
		{ "contact", "Contact", PLAIN },
		{ "expires_in", "expires in", DURATION },
		{ "next_attempt_in", "next attempt in", DURATION },
		{ "last_code", "last answer", CODE },
		{ "last_reason", "reason", PLAIN },
		{ "failures", "failures", PLAIN },
		{ "register_sent", "REGISTERs sent", PLAIN },
		{ "register_ok", "answered 2xx", PLAIN },
		{ "policies", "policies", PLAIN },
		{ "transitions", NULL, PLAIN },
	};
	const json_t *transitions = json_object_get(data, "transitions");

	print_members(data, line, COUNT(line));
	if (json_array_size(transitions))
		print_transitions(transitions);
}

/* ---- explain ------------------------------------------------------------------------ */

static bool has_words(const json_t *value)
{
	return json_is_string(value) && *json_string_value(value);
}

/* Who did what, and the servers in the order that came of it. */
static void print_steps(const json_t *steps)
{
	const json_t *step;
	size_t i;

	json_array_foreach(steps, i, step) {
		char *by = text_member(step, "by"), *list = text_member(step, "list");
		char *what = has_words(json_object_get(step, "what")) ? text_member(step, "what")
								      : g_strdup("order");

		printf("  %-18s %-16s %s\n", by, what, list);
		g_free(by);
		g_free(what);
		g_free(list);
	}
}

static void print_next(const json_t *next, const json_t *goal)
{
	bool asks = !has_words(goal) || !strcmp(json_string_value(goal), "register");
	const json_t *entry;
	size_t i;

	if (!json_array_size(next))
		puts("no server would be asked now");
	else
		puts(asks ? "would be asked next" : "would be asked, if it registered");
	json_array_foreach(next, i, entry) {
		char *server = text_member(entry, "server"), *why = text_member(entry, "why");

		printf("  %2zu. %-21s %s\n", i + 1, server, why);
		g_free(server);
		g_free(why);
	}
}

/* " by served_status", if there is such a member. */
static void print_also(const json_t *object, const char *key, const char *words)
{
	char *text = text_member(object, key);

	if (has_words(json_object_get(object, key)))
		printf("%s%s", words, text);
	g_free(text);
}

void show_explain(const json_t *data)
{
	const json_t *now = json_object_get(data, "now"), *last = json_object_get(data, "last");

	print_next(json_object_get(data, "next"), json_object_get(now, "goal"));
	if (json_is_object(now)) {
		print_also(now, "state", "\nnow: ");
		print_also(now, "goal", ", goal ");
		print_also(now, "goal_by", " by ");
		print_also(now, "waits_for", ", waits for ");
		print_also(now, "why", "\n  ");
		putchar('\n');
		print_steps(json_object_get(now, "steps"));
	}
	if (has_words(json_object_get(last, "purpose"))) {
		print_also(last, "purpose", "\nlast round: ");
		putchar('\n');
		print_steps(json_object_get(last, "steps"));
	}
}

/* The lines of a message, each made harmless. */
static void print_message(const char *s, size_t n)
{
	char **line = g_strsplit(s, "\n", -1);

	for (char **l = line; *l && (l[1] || **l); l++) {
		char *clean;

		if (g_str_has_suffix(*l, "\r"))
			(*l)[strlen(*l) - 1] = '\0';
		clean = text_clean(*l);
		puts(clean);
		g_free(clean);
	}
	if (strlen(s) < n)
		puts("(and a zero byte with what follows it)");
	g_strfreev(line);
}

void show_traced(const json_t *x)
{
	const json_t *message = json_object_get(x, "message");
	bool sent = json_is_true(json_object_get(x, "sent"));
	char *at, *local, *peer, *way, *account;

	if (!json_is_string(message)) {
		char *lost = text_member(x, "lost");

		printf("---- %s messages were lost: they are not read fast enough\n\n", lost);
		g_free(lost);
		return;
	}
	at = text_member(x, "at");
	local = text_member(x, "local");
	peer = text_member(x, "peer");
	way = text_member(x, "transport");
	account = text_member(x, "account");
	printf("---- %s %s %s -> %s%s%s\n", at, way, sent ? local : peer, sent ? peer : local,
	       strcmp(account, "-") ? " " : "", strcmp(account, "-") ? account : "");
	print_message(json_string_value(message), json_string_length(message));
	putchar('\n');
	g_free(at);
	g_free(local);
	g_free(peer);
	g_free(way);
	g_free(account);
}

void show_faults(const json_t *faults)
{
	const json_t *fault;
	size_t i;

	json_array_foreach(faults, i, fault) {
		char *text = text_value(fault);

		puts(text);
		g_free(text);
	}
}
