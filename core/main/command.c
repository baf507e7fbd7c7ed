/* command.c -- the commands of the control socket. */
#include "main/app.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
	PAGE_MOST = 1000,
	LOOK_MOST = 5000 /* rows looked at for one answer, so that nothing stalls */
};

json_t *command_error(const char *fmt, ...)
{
	va_list ap;
	char *text;
	json_t *j;

	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	j = json_pack("{s:b,s:s}", "ok", 0, "error", text);
	g_free(text);
	return j ? j : json_pack("{s:b,s:s}", "ok", 0, "error", "not text");
}

static json_t *ok(json_t *data)
{
	return json_pack("{s:b,s:o}", "ok", 1, "data", data);
}

static json_t *number_or_null(int64_t n)
{
	return n < 0 ? json_null() : json_integer(n);
}

static const char *arg_text(json_t *args, const char *key)
{
	return json_string_value(json_object_get(args, key));
}

/* ---- accounts -------------------------------------------------------------------------- */

static json_t *row(const struct reg_account_info *x)
{
	json_t *o = json_object(), *policies = json_array();

	json_object_set_new(o, "index", json_integer(x->index));
	json_object_set_new(o, "name", value_text(x->name));
	json_object_set_new(o, "served", value_text(x->served));
	json_object_set_new(o, "serving", value_text(x->serving));
	json_object_set_new(o, "aor", value_text(x->aor));
	json_object_set_new(o, "state", json_string(reg_state_name(x->state)));
	json_object_set_new(o, "registered", json_boolean(x->registered));
	json_object_set_new(o, "registrar", value_address(&x->registrar));
	if (x->registers_at.family)
		json_object_set_new(o, "registers_at", value_address(&x->registers_at));
	json_object_set_new(o, "transport",
			    x->registrar.family
				    ? json_string(rg_transport_name(x->registrar.transport))
				    : json_null());
	json_object_set_new(o, "local_port", json_integer(x->local_port));
	json_object_set_new(o, "contact", value_text(x->contact));
	json_object_set_new(o, "expires_in", number_or_null(x->expires_in));
	json_object_set_new(o, "next_attempt_in", number_or_null(x->next_attempt_in));
	json_object_set_new(o, "last_code", json_integer(x->last_code));
	json_object_set_new(o, "last_reason", value_text(x->last_reason));
	json_object_set_new(o, "failures", json_integer(x->failures));
	json_object_set_new(o, "register_sent", json_integer(x->register_sent));
	json_object_set_new(o, "register_ok", json_integer(x->register_ok));
	for (unsigned i = 0; i < x->n_policies; i++)
		json_array_append_new(policies, json_string(x->policies[i]));
	json_object_set_new(o, "policies", policies);
	return o;
}

/* Position of the first account whose index is above after; -1: the first of all. */
static uint32_t position_after(const struct conf *c, json_int_t after)
{
	uint32_t low = 0, high = c->n_account;

	while (low < high) {
		uint32_t mid = (low + high) / 2;

		if ((json_int_t)c->account[mid].row.index > after)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static bool matches(const struct reg_account_info *x, GPatternSpec *pattern, const char *state)
{
	if (state && strcmp(state, reg_state_name(x->state)))
		return false;
	return !pattern || g_pattern_spec_match_string(pattern, x->name);
}

static bool page_of(json_t *args, json_int_t *after, json_int_t *limit)
{
	json_t *a = json_object_get(args, "after"), *l = json_object_get(args, "limit");

	*after = a ? json_integer_value(a) : -1;
	*limit = l ? json_integer_value(l) : PAGE_MOST;
	return (!a || json_is_integer(a)) && (!l || json_is_integer(l)) && *limit >= 1 &&
	       *limit <= PAGE_MOST && *after >= -1;
}

static bool state_known(const char *state)
{
	for (unsigned i = 0; i < RG_STATES; i++)
		if (!strcmp(state, reg_state_name((uint8_t)i)))
			return true;
	return false;
}

static json_t *cmd_accounts(struct app *app, json_t *args)
{
	const char *glob = arg_text(args, "pattern"), *state = arg_text(args, "state");
	struct reg_account_info *x;
	GPatternSpec *pattern;
	json_int_t after, limit;
	json_t *list, *answer;
	uint32_t pos, looked = 0;
	bool more = true;

	if (!page_of(args, &after, &limit))
		return command_error("after is an index, limit 1 to %d", PAGE_MOST);
	if (state && !state_known(state))
		return command_error("no such state: %s", state);
	x = g_new0(struct reg_account_info, 1);
	pattern = glob ? g_pattern_spec_new(glob) : NULL;
	list = json_array();
	pos = position_after(app->gen->conf, after);
	while ((json_int_t)json_array_size(list) < limit && looked++ < LOOK_MOST &&
	       (more = reg_engine_next(app->engine, &pos, x, true))) {
		after = x->index;
		if (!matches(x, pattern, state))
			continue;
		if (reg_engine_find(app->engine, x->name, x))
			json_array_append_new(list, row(x));
	}
	answer = ok(list);
	if (more && pos < app->gen->conf->n_account)
		json_object_set_new(answer, "next", json_integer(after));
	if (pattern)
		g_pattern_spec_free(pattern);
	g_free(x);
	return answer;
}

json_t *command_no_account(struct app *app, const char *name)
{
	const struct conf *c = app->gen->conf;
	const char **names = g_new(const char *, c->n_account + 1), *near;
	uint32_t n = MIN(c->n_account, 10000);

	for (uint32_t i = 0; i < n; i++)
		names[i] = c->account[i].row.name;
	near = rg_nearest(name, names, n);
	g_free(names);
	return near ? command_error("no account \"%s\"; nearest is \"%s\"", name, near)
		    : command_error("no account \"%s\"", name);
}

static json_t *transitions(struct app *app, const struct reg_account_info *x)
{
	json_t *list = json_array();
	rg_ms now = rg_now(app->timers);

	for (unsigned i = 0; i < x->n_transitions; i++) {
		const struct reg_transition *t = &x->transition[i];
		struct rg_addr server = reg_engine_server(app->engine, t->server);

		json_array_append_new(
			list, json_pack("{s:I,s:s,s:s,s:i,s:o}", "at",
					(json_int_t)(time(NULL) - (now - t->at) / 1000), "from",
					reg_state_name(t->from), "to", reg_state_name(t->to),
					"code", (int)t->code, "server", value_address(&server)));
	}
	return list;
}

static json_t *cmd_account(struct app *app, json_t *args)
{
	const char *name = arg_text(args, "name");
	struct reg_account_info *x;
	json_t *o;

	if (!name)
		return command_error("account wants a name");
	x = g_new0(struct reg_account_info, 1);
	if (!reg_engine_find(app->engine, name, x)) {
		g_free(x);
		return command_no_account(app, name);
	}
	o = row(x);
	json_object_set_new(o, "renewals", json_integer(x->renewals));
	json_object_set_new(o, "transitions", transitions(app, x));
	g_free(x);
	return ok(o);
}

/* ---- by hand ------------------------------------------------------------------------------ */

static json_t *by_hand(struct app *app, json_t *args,
		       uint32_t (*h)(struct reg_engine *, const char *))
{
	const char *name = arg_text(args, "name");
	bool all = json_is_true(json_object_get(args, "all"));
	uint32_t n;

	if (!name == !all)
		return command_error("a name or all");
	n = h(app->engine, all ? NULL : name);
	if (!n && !all)
		return command_no_account(app, name);
	return ok(json_pack("{s:I}", "accounts", (json_int_t)n));
}

static json_t *cmd_register(struct app *app, json_t *args)
{
	return by_hand(app, args, reg_engine_register);
}

static json_t *cmd_unregister(struct app *app, json_t *args)
{
	return by_hand(app, args, reg_engine_unregister);
}

static json_t *cmd_refresh(struct app *app, json_t *args)
{
	return by_hand(app, args, reg_engine_refresh);
}

/* ---- the rest ------------------------------------------------------------------------------ */

static json_t *server(const struct reg_server_info *x)
{
	static const char *const health[] = { "unknown", "up", "down" };

	json_t *row = json_pack("{s:o,s:o,s:s,s:s,s:i,s:o,s:i,s:i,s:i,s:i}", "proxy_set",
			 value_text(x->proxy_set), "address", value_address(&x->addr), "transport",
			 rg_transport_name(x->addr.transport), "health", health[x->health % 3],
			 "rank", (int)x->rank, "ttl", number_or_null(x->ttl), "accounts",
			 (int)x->accounts, "in_flight", (int)x->in_flight, "window",
			 (int)x->window, "waiting", (int)x->waiting);

	if (*x->registrar) { /* what an account's "registrar" stands for there */
		json_object_set_new(row, "registers_at", value_text(x->registrar));
		json_object_set_new(row, "registers_at_address", value_address(&x->registers_at));
	}
	return row;
}

/* Pages go on after "set * 64 + rank", an opaque number to clients. */
static json_t *cmd_servers(struct app *app, json_t *args)
{
	struct reg_server_info x;
	json_int_t after, limit;
	json_t *list = json_array(), *answer;
	uint32_t set, rank;

	if (!page_of(args, &after, &limit)) {
		json_decref(list);
		return command_error("after comes from an answer, limit 1 to %d", PAGE_MOST);
	}
	set = (uint32_t)((after + 1) / (RG_SERVERS + 1));
	rank = (uint32_t)((after + 1) % (RG_SERVERS + 1));
	while ((json_int_t)json_array_size(list) < limit &&
	       reg_engine_next_server(app->engine, &set, &rank, &x))
		json_array_append_new(list, server(&x));
	answer = ok(list);
	if (set < app->gen->conf->n_proxy_set)
		json_object_set_new(answer, "next",
				    json_integer((json_int_t)set * (RG_SERVERS + 1) + rank - 1));
	return answer;
}

static json_t *implements(const struct rg_module *m)
{
	json_t *list = json_array();

	for (const struct rg_param *p = m->params; p && p->name; p++)
		if (p->implements) {
			char *s = g_strdup_printf("%s=%s", p->name, p->implements);

			json_array_append_new(list, json_string(s));
			g_free(s);
		}
	return list;
}

static json_t *cmd_plugins(struct app *app, json_t *args)
{
	json_t *list = json_array();

	(void)args;
	for (size_t i = 0; i < policy_modules_count(app->gen->modules); i++) {
		const struct policy_module *p = policy_modules_at(app->gen->modules, i);

		json_array_append_new(
			list,
			json_pack("{s:s,s:s,s:s,s:o,s:I,s:b,s:o,s:s}", "name", p->m->name,
				  "version", p->m->version, "kind",
				  p->policy ? "policy" : "service", "priority",
				  p->policy ? json_integer(p->policy->prio) : json_null(),
				  "accounts",
				  (json_int_t)(p->policy ? policy_attached(app->gen->policy,
									   p->policy)
							 : 0),
				  "active", policy_active(app->gen->conf, p), "implements",
				  implements(p->m), "summary", p->m->summary));
	}
	return ok(list);
}

static long rss_kib(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long pages = 0;

	if (f && fscanf(f, "%*s %ld", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static json_t *cmd_status(struct app *app, json_t *args)
{
	json_t *states = json_object(), *reload;
	struct reg_counts n;

	(void)args;
	reg_engine_counts(app->engine, &n);
	for (unsigned i = 0; i < RG_STATES; i++)
		json_object_set_new(states, reg_state_name((uint8_t)i),
				    json_integer(n.by_state[i]));
	reload = json_pack("{s:o,s:b,s:O}", "at",
			   app->reload_at ? json_integer(app->reload_at) : json_null(), "ok",
			   app->reload_ok, "faults", app->reload_faults);
	return ok(json_pack(
		"{s:s,s:I,s:o,s:i,s:o,s:i,s:I,s:{s:f,s:f},s:{s:I,s:I,s:I,s:I,s:I},s:{s:I,s:I}}",
		"version",
		RG_VERSION, "uptime", (json_int_t)((rg_now(app->timers) - app->started) / 1000),
		"accounts", states, "registered", (int)n.registered, "reload", reload, "calls",
		(int)relay_calls(app->relay),
		"rss_kib", (json_int_t)rss_kib(), "rates", "register_sent",
		rate(app, RATE_SENT), "register_ok", rate(app, RATE_OK), "register",
		"sent", (json_int_t)n.register_sent,
		"ok", (json_int_t)n.register_ok, "failed", (json_int_t)n.register_failed,
		"unanswered", (json_int_t)n.unanswered, "failovers", (json_int_t)n.failovers,
		"keepalive", "sent", (json_int_t)n.probes_sent, "lost",
		(json_int_t)n.probes_lost));
}

static void answered(bool good, json_t *answer, void *arg)
{
	(void)good;
	control_answer(arg, answer);
}

static json_t *check(struct app *app, json_t *args, struct control_conn *conn)
{
	json_t *paths = json_object_get(args, "paths"), *one;
	GPtrArray *list = g_ptr_array_new();
	char *fault;
	size_t i;

	json_array_foreach(paths, i, one) {
		if (json_is_string(one) && json_string_value(one)[0] == '/')
			g_ptr_array_add(list, (gpointer)(uintptr_t)json_string_value(one));
	}
	if (!list->len || list->len != json_array_size(paths)) {
		g_ptr_array_free(list, TRUE);
		return command_error("check wants absolute paths");
	}
	g_ptr_array_add(list, NULL);
	fault = generation_unreadable((const char *const *)list->pdata, app->plugin_dir);
	if (fault) {
		json_t *e = command_error("%s", fault);

		g_free(fault);
		g_ptr_array_free(list, TRUE);
		return e;
	}
	if (app->reload) {
		g_ptr_array_free(list, TRUE);
		return command_error("a reload is running; try again");
	}
	reload_check(app, (const char *const *)list->pdata, answered, conn);
	g_ptr_array_free(list, TRUE);
	return NULL;
}

json_t *command_run(struct app *app, json_t *line, struct control_conn *conn)
{
	static const struct {
		const char *name;
		json_t *(*run)(struct app *, json_t *);
	} command[] = {
		{ "status", cmd_status },     { "accounts", cmd_accounts },
		{ "account", cmd_account },   { "explain", command_explain },
		{ "register", cmd_register }, { "unregister", cmd_unregister },
		{ "refresh", cmd_refresh },   { "servers", cmd_servers },
		{ "plugins", cmd_plugins },  { "trunk", command_trunk },
		{ "calls", command_calls },
	};
	const char *cmd = arg_text(line, "cmd");
	json_t *args = json_object_get(line, "args");

	if (!cmd)
		return command_error("no \"cmd\"");
	if (args && !json_is_object(args))
		return command_error("\"args\" is an object");
	for (size_t i = 0; i < G_N_ELEMENTS(command); i++)
		if (!strcmp(cmd, command[i].name))
			return command[i].run(app, args);
	if (!strcmp(cmd, "check"))
		return check(app, args, conn);
	if (!strcmp(cmd, "trace"))
		return command_trace(app, args, conn);
	if (!strcmp(cmd, "reload")) {
		reload_start(app, answered, conn);
		return NULL;
	}
	return command_error("no such command: %s", cmd);
}
