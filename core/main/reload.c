/*
 * reload.c -- build, prepare, commit, drain.  Files are read, plugins loaded and the
 * plan made in a helper thread; sockets are opened next; only then is anything
 * changed.  A refused configuration leaves everything as it was.
 */
#include "main/app.h"

#include <string.h>
#include <time.h>

#include "base/log.h"

enum { LOGGED = 50 }; /* faults of a reload; the caller gets up to a thousand */

struct waiting { /* somebody who wants to know */
	reload_done_h *h;
	void *arg;
};

struct reload {
	struct app *app;
	bool check;
	char **path;
	struct policy_modules *modules; /* of the generation before */
	struct conf *conf;
	struct policy *policy;
	struct rg_faults *faults;
	struct generation *next;
	struct reg_plan *plan;
	struct record_file *records;
	GThread *thread;
	struct rg_timer wait;
	GArray *waiting, *later; /* later: for the one after */
	json_t *answer;
};

static json_t *faults_json(const struct rg_faults *f)
{
	json_t *list = json_array();

	for (size_t i = 0; i < rg_faults_count(f) && i < 1000; i++)
		json_array_append_new(list, json_string(rg_faults_text(f, i)));
	return list;
}

static void reload_free(struct reload *r)
{
	if (r->modules)
		policy_modules_unref(r->modules);
	if (r->conf)
		conf_unref(r->conf);
	if (r->policy)
		policy_unref(r->policy);
	rg_faults_free(r->faults);
	generation_free(r->next);
	reg_plan_free(r->plan);
	record_close(r->records);
	g_strfreev(r->path);
	g_array_free(r->waiting, TRUE);
	if (r->later)
		g_array_free(r->later, TRUE);
	json_decref(r->answer);
	g_free(r);
}

static void tell(struct reload *r, bool ok, json_t *answer)
{
	for (guint i = 0; i < r->waiting->len; i++) {
		struct waiting w = g_array_index(r->waiting, struct waiting, i);

		if (w.h)
			w.h(ok, json_incref(answer), w.arg);
	}
	json_decref(answer);
}

static json_t *data(struct reload *r)
{
	struct reg_plan_counts n = { 0 };
	json_t *d;

	if (r->plan)
		reg_plan_counts(r->plan, &n);
	d = json_pack("{s:o,s:i,s:i}", "faults", faults_json(r->faults), "errors",
		      (int)rg_faults_errors(r->faults), "warnings",
		      (int)rg_faults_warnings(r->faults));
	if (r->plan)
		json_object_update_new(d, json_pack("{s:i,s:i,s:i,s:i}", "added", (int)n.added,
						    "removed", (int)n.removed, "changed",
						    (int)n.changed, "unchanged",
						    (int)n.unchanged));
	return json_pack("{s:b,s:o}", "ok", 1, "data", d);
}

static json_t *refusal(struct reload *r, const char *why)
{
	return json_pack("{s:b,s:s,s:o,s:i,s:i}", "ok", 0, "error", why, "faults",
			 faults_json(r->faults), "errors", (int)rg_faults_errors(r->faults),
			 "warnings", (int)rg_faults_warnings(r->faults));
}

static void remember(struct app *app, struct reload *r, bool ok)
{
	app->reload_at = time(NULL);
	app->reload_ok = ok;
	json_decref(app->reload_faults);
	app->reload_faults = faults_json(r->faults);
}

static void begin(struct app *app, GArray *waiting, const char *const *path, bool check);

/* The end of a reload or check; the one that was asked for meanwhile begins. */
static void end(struct reload *r, bool ok, json_t *answer)
{
	struct app *app = r->app;
	GArray *later = r->later;

	r->later = NULL;
	app->reload = NULL;
	if (!r->check)
		notify("READY=1\nSTATUS=running%s", ok ? "" : "; the last reload was refused");
	tell(r, ok, answer);
	reload_free(r);
	if (later)
		begin(app, later, app->path, false);
}

/* Whoever sent the signal looks here. */
static void log_faults(const struct rg_faults *f)
{
	size_t n = rg_faults_count(f);

	for (size_t i = 0; i < n && i < LOGGED; i++)
		rg_say(rg_faults_severity(f, i) == RG_FAULT_ERROR ? 3 : 4, "%s",
		       rg_faults_text(f, i));
	if (n > LOGGED)
		rg_say(4, "(%zu faults more: regwayd --check tells them)", n - LOGGED);
}

static void refuse(struct reload *r, const char *why)
{
	if (!r->check) {
		remember(r->app, r, false);
		log_faults(r->faults);
		rg_err("reload refused: %s; everything runs on", why);
	}
	end(r, false, refusal(r, why));
}

static void applied(void *arg)
{
	struct reload *r = arg;

	end(r, true, json_incref(r->answer));
}

/* From here on nothing can fail. */
static void commit(struct reload *r)
{
	struct app *app = r->app;
	struct generation *old = app->gen;
	struct reg_plan_counts n;
	struct reg_plan *plan = r->plan;

	r->answer = data(r);
	reg_plan_counts(plan, &n);
	app->gen = r->next;
	r->next = NULL;
	r->plan = NULL;
	remember(app, r, true);
	rg_notice("reload: %u accounts added, %u removed, %u changed, %u unchanged", n.added,
		  n.removed, n.changed, n.unchanged);
	log_faults(r->faults);
	name_servers_apply(app);
	reg_engine_apply(app->engine, plan, applied, r);
	record_use(app, r->records);
	r->records = NULL;
	link_apply(app);
	services_apply(app);
	generation_free(old);
}

static void prepare(void *arg)
{
	struct reload *r = arg;
	char where[RG_ADDR_TEXT];
	struct rg_addr bad;
	int err;

	if (!r->next) {
		size_t n = rg_faults_errors(r->faults);
		char *why = g_strdup_printf("%zu error%s in the configuration", n,
					    n == 1 ? "" : "s");

		refuse(r, why);
		g_free(why);
		return;
	}
	if (r->check) {
		end(r, true, data(r));
		return;
	}
	if (reg_engine_applying(r->app->engine)) { /* the start is not over yet */
		rg_timer_set(r->app->timers, &r->wait, rg_now(r->app->timers) + 20, prepare, r);
		return;
	}
	err = network_apply(r->app, r->next, &bad);
	if (err) {
		char *why = g_strdup_printf("%s %s: %s", rg_addr_text(&bad, where),
					    rg_transport_name(bad.transport), g_strerror(err));

		rg_fault_add(r->faults, RG_FAULT_ERROR, NULL, 0, "%s", why);
		refuse(r, why);
		g_free(why);
		return;
	}
	commit(r);
}

static void built(void *arg)
{
	struct reload *r = arg;

	g_thread_join(r->thread);
	r->thread = NULL;
	prepare(r);
}

static gpointer build(gpointer arg)
{
	struct reload *r = arg;

	r->next = generation_load((const char *const *)r->path, r->app->plugin_dir, r->modules,
				  r->faults);
	if (r->next)
		r->records = record_open(r->next->conf, r->next->schema, r->check, r->faults);
	if (rg_faults_errors(r->faults)) {
		generation_free(r->next);
		r->next = NULL;
	}
	if (r->next && !r->check)
		r->plan = reg_plan_new(r->conf, r->policy, r->next->conf, r->next->policy);
	sip_loop_post(r->app->loop, built, r);
	return NULL;
}

static void begin(struct app *app, GArray *waiting, const char *const *path, bool check)
{
	struct reload *r = g_new0(struct reload, 1);

	app->reload = r;
	r->app = app;
	r->check = check;
	r->path = g_strdupv((char **)path);
	r->modules = policy_modules_ref(app->gen->modules);
	r->conf = conf_ref(app->gen->conf);
	r->policy = policy_ref(app->gen->policy);
	r->faults = rg_faults_new();
	r->waiting = waiting;
	if (!check)
		notify("RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT "\nSTATUS=reloading",
		       g_get_monotonic_time());
	r->thread = g_thread_new("reload", build, r);
}

static GArray *one(reload_done_h *h, void *arg)
{
	GArray *a = g_array_new(FALSE, FALSE, sizeof(struct waiting));
	struct waiting w = { h, arg };

	g_array_append_val(a, w);
	return a;
}

void reload_start(struct app *app, reload_done_h *h, void *arg)
{
	struct waiting w = { h, arg };

	if (!app->reload)
		begin(app, one(h, arg), app->path, false);
	else if (!app->reload->later)
		app->reload->later = one(h, arg);
	else
		g_array_append_val(app->reload->later, w);
}

void reload_check(struct app *app, const char *const *path, reload_done_h *h, void *arg)
{
	if (app->reload) {
		h(false, command_error("a reload is running; try again"), arg);
		return;
	}
	begin(app, one(h, arg), path, true);
}

static void forget(GArray *list, void *arg)
{
	for (guint i = 0; list && i < list->len; i++)
		if (g_array_index(list, struct waiting, i).arg == arg)
			g_array_index(list, struct waiting, i).h = NULL;
}

void reload_forget(struct app *app, void *arg)
{
	if (!app->reload)
		return;
	forget(app->reload->waiting, arg);
	forget(app->reload->later, arg);
}

void reload_stop(struct app *app)
{
	struct reload *r = app->reload;

	if (!r)
		return;
	if (r->thread)
		g_thread_join(r->thread);
	rg_timer_stop(app->timers, &r->wait);
	app->reload = NULL;
	reload_free(r);
}
