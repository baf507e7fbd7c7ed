/* explain.c -- the command "explain": why an account is where it is, and what comes next. */
#include "main/app.h"

#include <string.h>

static json_t *steps(struct app *app, const struct reg_step *st, unsigned n)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < n; i++) {
		json_t *servers = json_array();

		for (unsigned k = 0; k < st[i].n; k++) {
			struct rg_addr a = reg_engine_server(app->engine, st[i].server[k]);

			json_array_append_new(servers, value_address(&a));
		}
		json_array_append_new(list, json_pack("{s:s,s:s,s:o}", "by", st[i].by, "what",
						      st[i].what, "list", servers));
	}
	return list;
}

/* The policy and what it is for. */
static json_t *in_words(struct app *app, const char *by)
{
	const struct policy_modules *all = app->gen->modules;
	json_t *o;
	char *s;

	for (size_t i = 0; i < policy_modules_count(all); i++) {
		const struct policy_module *p = policy_modules_at(all, i);

		if (strcmp(p->m->name, by))
			continue;
		s = g_strdup_printf("%s: %s", by, p->m->summary);
		o = value_text(s);
		g_free(s);
		return o;
	}
	return value_text(by);
}

/* Each server that would be asked, in order, and who put it there. */
static json_t *next_of(struct app *app, const struct reg_explanation *x)
{
	const struct reg_step *last = x->n_now ? &x->now[x->n_now - 1] : NULL;
	json_t *list = json_array();

	for (unsigned i = 0; last && i < last->n; i++) {
		struct rg_addr a = reg_engine_server(app->engine, last->server[i]);
		unsigned who = x->n_now - 1;
		json_t *why;

		/* the earliest step since which this place has not changed */
		while (who && x->now[who - 1].n > i &&
		       x->now[who - 1].server[i] == last->server[i])
			who--;
		why = who ? in_words(app, x->now[who].by)
			  : value_text("core: listed order, working first");
		json_array_append_new(list, json_pack("{s:o,s:o}", "server", value_address(&a),
						      "why", why));
	}
	return list;
}

json_t *command_explain(struct app *app, json_t *args)
{
	const char *name = json_string_value(json_object_get(args, "name"));
	struct reg_explanation *x;
	json_t *o;

	if (!name)
		return command_error("explain wants a name");
	x = g_new0(struct reg_explanation, 1);
	if (!reg_engine_explain(app->engine, name, x)) {
		g_free(x);
		return command_no_account(app, name);
	}
	o = json_pack("{s:o,s:{s:s,s:s,s:s,s:s,s:o,s:o},s:{s:s,s:o}}", "next", next_of(app, x),
		      "now", "goal", x->goal, "goal_by", x->goal_by, "state",
		      reg_state_name(x->state), "waits_for", x->waits_for, "why",
		      value_text(x->why), "steps", steps(app, x->now, x->n_now), "last",
		      "purpose", x->last_purpose, "steps", steps(app, x->last, x->n_last));
	g_free(x);
	return json_pack("{s:b,s:o}", "ok", 1, "data", o);
}
