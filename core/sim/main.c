/* main.c -- regwaysim: a policy on a timeline, without a network. */
#include <glib.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "reg/engine.h"
#include "sim/check.h"
#include "sim/svg.h"
#include "sim/world.h"

enum { HELD, NOT_HELD, MALFORMED };

struct args {
	char *plugin_dir, *svg;
	gboolean json, version;
	char **scenario;
};

static bool read_args(struct args *a, int *argc, char ***argv)
{
	const GOptionEntry entry[] = {
		{ "plugins", 'p', 0, G_OPTION_ARG_FILENAME, &a->plugin_dir,
		  "Folder of the plugins", "DIR" },
		{ "json", 0, 0, G_OPTION_ARG_NONE, &a->json, "Print the timeline as JSON", NULL },
		{ "svg", 0, 0, G_OPTION_ARG_FILENAME, &a->svg, "Draw the timeline", "FILE" },
		{ "version", 0, 0, G_OPTION_ARG_NONE, &a->version, "Print the version", NULL },
		{ G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &a->scenario, NULL,
		  "SCENARIO" },
		{ NULL, 0, 0, 0, NULL, NULL, NULL },
	};
	GOptionContext *o = g_option_context_new(NULL);
	GError *err = NULL;
	bool ok;

	g_option_context_set_summary(o, "Runs accounts through a scenario in virtual time, with "
					"the daemon's engine and plugins.");
	g_option_context_add_main_entries(o, entry, NULL);
	ok = g_option_context_parse(o, argc, argv, &err);
	g_option_context_free(o);
	if (!ok) {
		g_printerr("regwaysim: %s\n", err->message);
		g_error_free(err);
	} else if (!a->version && (!a->scenario || a->scenario[1])) {
		g_printerr("regwaysim: one scenario is wanted (regwaysim --help)\n");
		ok = false;
	}
	return ok;
}

static void tell(struct rg_faults *f)
{
	rg_faults_sort(f);
	for (size_t i = 0; i < rg_faults_count(f); i++)
		g_printerr("%s\n", rg_faults_text(f, i));
}

/* ---- output as JSON --------------------------------------------------------------------- */

static json_t *event_json(const struct timeline_event *ev)
{
	char time[SCRIPT_TIME], host[RG_ADDR_TEXT];
	json_t *o = json_pack("{s:s, s:s}", "time", script_time(ev->at, time),
			      ev->kind == TIMELINE_TRUNK ? "trunk" : "account", ev->account);

	if (ev->addr.family)
		json_object_set_new(o, "server", json_string(rg_addr_text(&ev->addr, host)));
	if (ev->kind == TIMELINE_STATE)
		json_object_set_new(o, "state", json_string(reg_state_name(ev->state)));
	else if (ev->kind == TIMELINE_ACCEPT)
		json_object_set_new(o, "accept", json_true());
	else if (ev->kind == TIMELINE_TRUNK)
		json_object_set_new(o, "service", json_string(ev->out ? "out" : "in"));
	else if (ev->kind == TIMELINE_REJECT)
		json_object_set_new(o, "reject", json_integer(ev->code));
	if (ev->kind != TIMELINE_REQUEST)
		return o;
	json_object_set_new(o, "method", json_string(timeline_method(ev->method)));
	json_object_set_new(o, "code", json_integer(ev->code));
	json_object_set_new(o, "contact", json_string(ev->contact));
	json_object_set_new(o, "port", json_integer(ev->port));
	if (ev->method == RG_M_REGISTER || ev->method == RG_M_SUBSCRIBE) {
		json_object_set_new(o, "expires", json_integer(ev->expires));
		json_object_set_new(o, "granted", json_integer(ev->granted));
	}
	return o;
}

static void print_json(const struct timeline *t, const GPtrArray *failures)
{
	json_t *line = json_array(), *bad = json_array(), *all;

	for (size_t i = 0; i < t->n; i++)
		json_array_append_new(line, event_json(&t->event[i]));
	for (guint i = 0; i < failures->len; i++) { /* they quote the scenario, whatever is in it */
		char *text = g_utf8_make_valid(failures->pdata[i], -1);

		json_array_append_new(bad, json_string(text));
		g_free(text);
	}
	all = json_pack("{s:o, s:o}", "timeline", line, "failures", bad);
	json_dumpf(all, stdout, JSON_INDENT(1));
	putchar('\n');
	json_decref(all);
}

/* ------------------------------------------------------------------------------------------- */

static void quiet(int prio, const char *line)
{
	(void)prio;
	(void)line;
}

static bool draw(const char *file, const struct script *s, const struct world *w,
		 const struct timeline *t, const GPtrArray *failures)
{
	GPtrArray *accounts = world_accounts(w);
	GString *svg = svg_draw(s, t, accounts, failures);
	GError *err = NULL;
	bool ok = g_file_set_contents(file, svg->str, (gssize)svg->len, &err);

	if (!ok) {
		g_printerr("regwaysim: %s\n", err->message);
		g_error_free(err);
	}
	g_string_free(svg, TRUE);
	g_ptr_array_free(accounts, TRUE);
	return ok;
}

static int run(const struct args *a, struct rg_faults *f)
{
	const char *plugin_dir = a->plugin_dir ? a->plugin_dir : RG_PREFIX "/lib/regway/plugins";
	struct script *s = script_read(a->scenario[0], f);
	struct timeline t;
	struct world *w;
	GPtrArray *failures;
	int rc;

	if (!s) {
		tell(f);
		return MALFORMED;
	}
	timeline_init(&t, a->json);
	w = world_new(s, plugin_dir, &t, f);
	tell(f);
	if (!w) {
		timeline_free(&t);
		script_free(s);
		return MALFORMED;
	}
	world_run(w);
	fflush(stdout);
	failures = check(s, &t);
	if (a->json)
		print_json(&t, failures);
	for (guint i = 0; i < failures->len; i++)
		g_printerr("%s\n", (const char *)failures->pdata[i]);
	rc = failures->len ? NOT_HELD : HELD;
	if (a->svg && !draw(a->svg, s, w, &t, failures))
		rc = MALFORMED;
	g_ptr_array_free(failures, TRUE);
	world_free(w);
	timeline_free(&t);
	script_free(s);
	return rc;
}

int main(int argc, char **argv)
{
	struct args a = { .plugin_dir = NULL };
	struct rg_faults *f;
	int rc = MALFORMED;

	rg_log_to(quiet);
	if (read_args(&a, &argc, &argv)) {
		f = rg_faults_new();
		if (a.version) {
			puts("regwaysim " RG_VERSION);
			rc = HELD;
		} else {
			rc = run(&a, f);
		}
		rg_faults_free(f);
	}
	g_free(a.plugin_dir);
	g_free(a.svg);
	g_strfreev(a.scenario);
	return rc;
}
