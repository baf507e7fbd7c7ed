/* trunk.c -- trunks: the control command, and the alarms of trunk groups. */
#include "main/app.h"

#include <string.h>

enum { PAGE_MOST = 1000, GROUP_MOST = 65537 /* rows a group may take, its own included */ };

static const char *const health[] = { [RG_UNKNOWN] = "unknown", [RG_UP] = "up",
				      [RG_DOWN] = "down" };

static json_t *row(const struct reg_trunk_info *x)
{
	json_t *o = json_pack("{s:s,s:s,s:s}", "id", x->id, "status", health[x->health % 3],
			      "service", x->out ? "out" : "in");
	json_t *name = json_string(x->name);

	if (strncmp(x->id, "group:", 6)) {
		json_decref(name);
		return o;
	}
	json_object_set_new(o, "name", name ? name : json_string("?"));
	json_object_set_new(o, "trunks", json_integer(x->trunks));
	json_object_set_new(o, "down", json_integer(x->down));
	json_object_set_new(o, "accounts", json_integer(x->accounts));
	return o;
}

/* The lowest and highest would not help: say which groups there are. */
static json_t *unknown(struct app *app, const char *id)
{
	const struct conf *c = app->gen->conf;
	GString *known = g_string_new(NULL);
	json_t *e;

	for (uint32_t i = 0; i < c->n_trunk_group && i < 20; i++)
		g_string_append_printf(known, "%sgroup:%u", i ? ", " : "", c->trunk_group[i].id);
	if (c->n_trunk_group)
		e = command_error("no trunk group has \"%s\"; there are %s%s", id, known->str,
				  c->n_trunk_group > 20 ? ", ..." : "");
	else
		e = command_error("no trunk \"%s\": there is no TrunkGroup", id);
	g_string_free(known, TRUE);
	return e;
}

static json_t *one(struct app *app, const char *id, const char *status)
{
	struct reg_trunk_info x;

	if (status && strcmp(status, "up") && strcmp(status, "down"))
		return command_error("a trunk is set up or down, not \"%s\"", status);
	if (status && reg_engine_trunk(app->engine, id, !strcmp(status, "up")))
		return unknown(app, id);
	if (!reg_engine_trunk_find(app->engine, id, &x))
		return unknown(app, id);
	return json_pack("{s:b,s:[o]}", "ok", 1, "data", row(&x));
}

/* Pages go on after "group * 65537 + row", an opaque number to clients. */
static json_t *all(struct app *app, json_t *args)
{
	json_t *a = json_object_get(args, "after"), *l = json_object_get(args, "limit");
	json_int_t after = a ? json_integer_value(a) : -1;
	json_int_t limit = l ? json_integer_value(l) : PAGE_MOST;
	struct reg_trunk_info x;
	uint32_t group, at;
	json_t *list, *answer;

	if ((a && !json_is_integer(a)) || (l && !json_is_integer(l)) || limit < 1 ||
	    limit > PAGE_MOST || after < -1 || after / GROUP_MOST > UINT32_MAX - 1)
		return command_error("after comes from an answer, limit 1 to %d", PAGE_MOST);
	group = (uint32_t)((after + 1) / GROUP_MOST);
	at = (uint32_t)((after + 1) % GROUP_MOST);
	list = json_array();
	while ((json_int_t)json_array_size(list) < limit &&
	       reg_engine_next_trunk(app->engine, &group, &at, &x))
		json_array_append_new(list, row(&x));
	answer = json_pack("{s:b,s:o}", "ok", 1, "data", list);
	if (group < app->gen->conf->n_trunk_group)
		json_object_set_new(answer, "next",
				    json_integer((json_int_t)group * GROUP_MOST + at - 1));
	return answer;
}

json_t *command_trunk(struct app *app, json_t *args)
{
	json_t *id = json_object_get(args, "id"), *status = json_object_get(args, "status");

	if ((id && !json_is_string(id)) || (status && (!json_is_string(status) || !id)))
		return command_error("trunk wants an id, and with it status up or down");
	if (id)
		return one(app, json_string_value(id), json_string_value(status));
	return all(app, args);
}

void trunk_changed(void *arg, const struct reg_trunk_info *x)
{
	struct app *app = arg;
	bool down = x->health == RG_DOWN;
	struct alarm_state { const char *name; bool now; } state[] = {
		{ "TrunkGroupDown", down }, { "TrunkGroupOutOfService", x->out },
	};

	if (!app->raised)
		app->raised = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(state); i++) {
		char *key = g_strdup_printf("%s %s", state[i].name, x->id);
		bool was = g_hash_table_contains(app->raised, key);

		if (state[i].now && !was)
			g_hash_table_add(app->raised, g_strdup(key));
		else if (!state[i].now && was)
			g_hash_table_remove(app->raised, key);
		if (state[i].now != was)
			alarm_set(app, state[i].name, x->id, state[i].now);
		g_free(key);
	}
}
