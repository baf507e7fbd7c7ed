/* calls.c -- the calls that are up: rows for the control socket, the records and services. */
#include "main/app.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MOST = 1000 };

const char *call_time(int64_t ms, char buf[CALL_TIME])
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm;
	size_t n;

	gmtime_r(&s, &tm);
	n = strftime(buf, CALL_TIME, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, CALL_TIME - n, ".%03dZ", (int)(ms % 1000));
	return buf;
}

static json_t *point(int64_t ms)
{
	char buf[CALL_TIME];

	return ms > 0 ? json_string(call_time(ms, buf)) : json_null();
}

const char *call_state(uint8_t state)
{
	static const char *const name[] = { "waiting", "trying", "ringing", "answered", "ending" };

	return state < G_N_ELEMENTS(name) ? name[state] : "unknown";
}

json_t *call_row(const struct relay_call_info *x)
{
	const struct reg_route_info *r = &x->route;
	json_t *o = json_object();

	json_object_set_new(o, "id", json_integer((json_int_t)x->id));
	json_object_set_new(o, "session_id", value_text(x->session_id));
	json_object_set_new(o, "method", value_text(x->method));
	json_object_set_new(o, "state", json_string(call_state(x->state)));
	json_object_set_new(o, "direction", json_string(r->to_serving ? "out" : "in"));
	json_object_set_new(o, "account", value_text(r->account));
	json_object_set_new(o, "from_group", value_text(r->from_group));
	json_object_set_new(o, "to_group", value_text(r->to_group));
	json_object_set_new(o, "from", value_text(x->from));
	json_object_set_new(o, "to", value_text(x->to));
	json_object_set_new(o, "caller", value_address(&x->caller));
	json_object_set_new(o, "callee", value_address(&x->callee));
	json_object_set_new(o, "server", value_address(&r->server));
	json_object_set_new(o, "servers", json_integer(r->servers));
	json_object_set_new(o, "rule", value_text(r->rule));
	json_object_set_new(o, "policy", value_text(r->policy));
	json_object_set_new(o, "caller_call_id", value_text(x->call_id[0]));
	json_object_set_new(o, "callee_call_id", value_text(x->call_id[1]));
	json_object_set_new(o, "began", point(x->began_at));
	json_object_set_new(o, "answered", point(x->answered_at));
	json_object_set_new(o, "code", json_integer(x->code));
	json_object_set_new(o, "media", json_string(x->media == REG_MEDIA_DIRECT ? "direct" :
						    x->anchored ? "anchored" : "not anchored"));
	return o;
}

json_t *call_record(const struct relay_call_info *x)
{
	json_t *o = call_row(x);
	int64_t talked = x->answered_at > 0 ? x->lasts : 0;

	json_object_del(o, "state");
	json_object_set_new(o, "ended", point(x->ended_at));
	json_object_set_new(o, "duration", json_real((double)talked / 1000));
	json_object_set_new(o, "reason", value_text(x->reason));
	json_object_set_new(o, "ended_by", value_text(x->ended_by));
	return o;
}

/* Pages go on after an id; ids only grow. */
json_t *command_calls(struct app *app, json_t *args)
{
	json_t *a = json_object_get(args, "after"), *l = json_object_get(args, "limit");
	json_int_t after = a ? json_integer_value(a) : -1, limit = l ? json_integer_value(l) : MOST;
	struct relay_call_info x;
	json_t *list, *answer;
	uint64_t at;

	if ((a && !json_is_integer(a)) || (l && !json_is_integer(l)) || after < -1 || limit < 1 ||
	    limit > MOST)
		return command_error("after is an id, limit 1 to %d", MOST);
	list = json_array();
	at = (uint64_t)(after + 1);
	while ((json_int_t)json_array_size(list) < limit && relay_next(app->relay, &at, &x)) {
		json_t *row = call_row(&x);

		after = (json_int_t)x.id;
		json_object_set_new(row, "lasts", json_integer(x.lasts / 1000));
		json_array_append_new(list, row);
	}
	answer = json_pack("{s:b,s:o}", "ok", 1, "data", list);
	if (relay_next(app->relay, &at, &x))
		json_object_set_new(answer, "next", json_integer(after));
	return answer;
}

size_t calls_rows(struct app *app, uint64_t *cursor, struct rg_call *row, size_t n)
{
	struct relay_call_info x;
	char where[RG_ADDR_TEXT];
	size_t got = 0;

	if (app->call_text)
		g_string_chunk_clear(app->call_text);
	else
		app->call_text = g_string_chunk_new(4096);
	for (; got < n && got < MOST && relay_next(app->relay, cursor, &x); got++) {
		GStringChunk *c = app->call_text;

		where[0] = '\0';
		if (x.route.server.family)
			rg_addr_text(&x.route.server, where);
		row[got] = (struct rg_call){
			.id = x.id, .state = call_state(x.state), .outbound = x.route.to_serving,
			.session_id = g_string_chunk_insert(c, x.session_id),
			.method = g_string_chunk_insert_const(c, x.method),
			.from = g_string_chunk_insert(c, x.from),
			.to = g_string_chunk_insert(c, x.to),
			.account = g_string_chunk_insert_const(c, x.route.account),
			.from_group = g_string_chunk_insert_const(c, x.route.from_group),
			.to_group = g_string_chunk_insert_const(c, x.route.to_group),
			.server = g_string_chunk_insert_const(c, where),
			.began_at = x.began_at, .answered_at = x.answered_at,
		};
	}
	return got;
}
