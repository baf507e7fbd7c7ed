/* world.c -- an engine in a scripted world, in virtual time. */
#include "sim/world.h"

#include <glib.h>
#include <string.h>

#include "reg/engine.h"
#include "sim/net.h"

struct gen { /* of the start, or of a reload line; all NULL when it was refused */
	const struct script_line *line;
	struct schema *schema;
	struct policy_modules *modules;
	struct conf *conf;
	struct policy *policy;
};

struct moment { /* lines of one time */
	struct rg_timer timer;
	struct world *w;
	size_t first, end;
};

struct world {
	struct script *script;
	struct timeline *timeline;
	struct rg_timers *timers;
	struct net *net;
	struct reg_engine *engine;
	GArray *gen;   /* struct gen; [0] is the start's */
	guint in_force;
	struct moment *moment;
	size_t n_moment;
};

/* ---- configurations ---------------------------------------------------------------- */

static bool load(struct world *w, struct gen *g, const char *const *path, size_t n,
		 const char *plugin_dir, struct rg_faults *f)
{
	struct policy_modules *prev = NULL;
	size_t errors = rg_faults_errors(f);

	for (guint i = 0; i < w->gen->len; i++)
		if (g_array_index(w->gen, struct gen, i).modules)
			prev = g_array_index(w->gen, struct gen, i).modules;
	g->schema = schema_new();
	g->modules = policy_modules_open(plugin_dir, prev, g->schema, f);
	if (g->modules)
		g->conf = conf_read(path, n, g->schema, f);
	if (g->conf)
		g->policy = policy_build(g->modules, g->conf, g->schema, f);
	return g->policy && rg_faults_errors(f) == errors;
}

static void gen_free(struct gen *g)
{
	if (g->policy)
		policy_unref(g->policy);
	if (g->conf)
		conf_unref(g->conf);
	if (g->modules)
		policy_modules_unref(g->modules);
	if (g->schema)
		schema_free(g->schema);
	memset(g, 0, sizeof *g);
}

static void tell(const struct rg_faults *f)
{
	for (size_t i = 0; i < rg_faults_count(f); i++)
		g_printerr("%s\n", rg_faults_text(f, i));
}

/* A refused reload is no fault of the scenario: it shows that nothing changes. */
static void load_reload(struct world *w, const struct script_line *l, const char *plugin_dir)
{
	struct rg_faults *f = rg_faults_new();
	struct gen g = { .line = NULL };

	if (!load(w, &g, l->path, l->n_path, plugin_dir, f))
		gen_free(&g);
	g.line = l;
	rg_faults_sort(f);
	tell(f);
	rg_faults_free(f);
	g_array_append_val(w->gen, g);
}

static bool load_all(struct world *w, const char *plugin_dir, struct rg_faults *f)
{
	struct script *s = w->script;
	struct gen g = { .line = NULL };
	bool ok = load(w, &g, s->config, s->n_config, plugin_dir, f);

	g_array_append_val(w->gen, g);
	for (size_t i = 0; ok && i < s->n_line; i++)
		if (s->line[i].kind == SCRIPT_RELOAD)
			load_reload(w, &s->line[i], plugin_dir);
	return ok;
}

/* ---- names ----------------------------------------------------------------------------- */

/* The name of an account or group given by name or index, NULL if no configuration
 * has it. */
static const char *settled(const struct world *w, const char *name, bool group)
{
	for (guint i = 0; i < w->gen->len; i++) {
		const struct conf *c = g_array_index(w->gen, struct gen, i).conf;
		uint32_t pos = !c ? CONF_NONE : group ? conf_ip_group_find(c, name)
						       : conf_account_find(c, name);

		if (pos != CONF_NONE)
			return rg_arena_str(w->script->mem, group ? c->ip_group[pos].row.name
								  : c->account[pos].row.name);
	}
	return NULL;
}

static void settle_one(const struct world *w, const char **name, bool group, unsigned line,
		       struct rg_faults *f)
{
	const char *found = settled(w, *name, group);

	if (found)
		*name = found;
	else
		rg_fault_add(f, RG_FAULT_ERROR, w->script->file, line, "no %s \"%s\"",
			     group ? "IP group" : "account", *name);
}

static bool has_trunk(const struct conf *c, const char *text)
{
	bool group = g_str_has_prefix(text, "group:");
	uint64_t id = g_ascii_strtoull(text + (group ? strlen("group:") : 0), NULL, 10);

	for (uint32_t i = 0; i < c->n_trunk_group; i++) {
		const struct conf_trunk_group *t = &c->trunk_group[i];

		if (group && t->id == id)
			return true;
		for (uint32_t k = 0; !group && k < t->n_range; k++)
			if (id >= t->range[k].first && id <= t->range[k].last)
				return true;
	}
	return false;
}

static void settle_trunk(const struct world *w, const char *text, unsigned line,
			 struct rg_faults *f)
{
	for (guint i = 0; i < w->gen->len; i++) {
		const struct conf *c = g_array_index(w->gen, struct gen, i).conf;

		if (c && has_trunk(c, text))
			return;
	}
	rg_fault_add(f, RG_FAULT_ERROR, w->script->file, line, "no trunk \"%s\"", text);
}

static void settle(const struct world *w, struct rg_faults *f)
{
	const struct script *s = w->script;

	for (size_t i = 0; i < s->n_line; i++) {
		struct script_line *l = &s->line[i];

		if (l->kind == SCRIPT_TRUNK)
			settle_trunk(w, l->name, l->line, f);
		if (l->kind == SCRIPT_SERVED || (l->kind >= SCRIPT_REGISTER &&
						 l->kind != SCRIPT_RELOAD))
			settle_one(w, &l->name, l->kind == SCRIPT_SERVED, l->line, f);
	}
	for (size_t i = 0; i < s->n_expect; i++)
		if (s->expect[i].wants == SCRIPT_TRUNK_IS)
			settle_trunk(w, s->expect[i].account, s->expect[i].line, f);
		else if (strcmp(s->expect[i].account, "-"))
			settle_one(w, &s->expect[i].account, false, s->expect[i].line, f);
}

/* ---- what happens ----------------------------------------------------------------------- */

static void moved(void *arg, const struct reg_account_info *info, const struct reg_transition *t)
{
	struct world *w = arg;
	struct timeline_event ev = { .at = t->at, .kind = TIMELINE_STATE, .account = info->name,
				     .state = t->to };
	struct reg_account_info heir;

	if (info->leaving && reg_engine_find(w->engine, info->name, &heir)) {
		if (heir.state != timeline_state(w->timeline, info->name)) {
			ev.state = heir.state;
			timeline_add(w->timeline, &ev);
		}
		return; /* the name is that of another account now */
	}
	if (t->server)
		ev.addr = reg_engine_server(w->engine, t->server);
	timeline_add(w->timeline, &ev);
}

static void told_service(struct world *w, const struct reg_trunk_info *x)
{
	struct timeline_event ev = { .at = rg_now(w->timers), .kind = TIMELINE_TRUNK,
				     .account = x->id, .out = x->out };

	if (x->out != timeline_out(w->timeline, x->id))
		timeline_add(w->timeline, &ev);
}

/* The engine tells of groups; single trunks are asked for when a line expects one. */
static void served_trunk(void *arg, const struct reg_trunk_info *x)
{
	struct world *w = arg;
	struct reg_trunk_info one;

	told_service(w, x);
	for (size_t i = 0; i < w->script->n_expect; i++)
		if (w->script->expect[i].wants == SCRIPT_TRUNK_IS &&
		    reg_engine_trunk_find(w->engine, w->script->expect[i].account, &one))
			told_service(w, &one);
}

static void draw(void *buf, size_t n)
{
	static uint64_t x = 0x9e3779b97f4a7c15u; /* the same numbers in every run */
	unsigned char *p = buf;

	for (size_t i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = (unsigned char)(x >> 32);
	}
}

static void put_in_force(struct world *w, guint i)
{
	struct gen *now = &g_array_index(w->gen, struct gen, w->in_force);
	struct gen *next = &g_array_index(w->gen, struct gen, i);
	bool first = next == now;

	net_conf(w->net, next->conf);
	reg_engine_apply(w->engine,
			 reg_plan_new(first ? NULL : now->conf, first ? NULL : now->policy,
				      next->conf, next->policy), NULL, NULL);
	w->in_force = i;
}

static void reload(struct world *w, const struct script_line *l)
{
	for (guint i = 0; i < w->gen->len; i++) {
		const struct gen *g = &g_array_index(w->gen, struct gen, i);

		if (g->line != l)
			continue;
		if (!g->policy) {
			char time[SCRIPT_TIME];

			g_printerr("%s:%u: reload refused at %s\n", w->script->file, l->line,
				   script_time(l->at, time));
			return;
		}
		while (reg_engine_applying(w->engine) && rg_timers_step(w->timers, l->at))
			; /* one of the same moment before it */
		put_in_force(w, i);
	}
}

static void happen(struct world *w, const struct script_line *l)
{
	switch (l->kind) {
	case SCRIPT_SERVER:
		net_server(w->net, l);
		break;
	case SCRIPT_DNS:
		net_dns(w->net, l);
		break;
	case SCRIPT_HEALTH:
		reg_engine_believe_server(w->engine, &l->addr, l->up ? RG_UP : RG_DOWN);
		break;
	case SCRIPT_SERVED:
		reg_engine_believe_group(w->engine, l->name, l->up ? RG_UP : RG_DOWN);
		break;
	case SCRIPT_TRUNK:
		reg_engine_trunk(w->engine, l->name, l->up);
		break;
	case SCRIPT_LINK:
		net_link(w->net, l->up);
		reg_engine_link(w->engine, NULL, l->up);
		break;
	case SCRIPT_DISCONNECT:
		for (uint32_t i = 0; i < g_array_index(w->gen, struct gen, w->in_force)
						 .conf->n_sip_interface; i++)
			reg_disconnected(w->engine, &l->addr, i);
		break;
	case SCRIPT_REGISTER:
		reg_engine_register(w->engine, l->name);
		break;
	case SCRIPT_UNREGISTER:
		reg_engine_unregister(w->engine, l->name);
		break;
	case SCRIPT_REFRESH:
		reg_engine_refresh(w->engine, l->name);
		break;
	case SCRIPT_RELOAD:
		reload(w, l);
		break;
	case SCRIPT_NOTIFY:
		net_notify(w->net, l);
		break;
	case SCRIPT_CALL_OUT:
		net_call_out(w->net, l);
		break;
	case SCRIPT_CALL_IN:
		net_call_in(w->net, l);
		break;
	}
}

/* The lines that make the engine act come after those that tell it something. */
static void happen_all(struct world *w, const struct moment *m, bool acts)
{
	for (size_t i = m->first; i < m->end; i++)
		if ((w->script->line[i].kind >= SCRIPT_REGISTER) == acts)
			happen(w, &w->script->line[i]);
}

static void moment_due(void *arg)
{
	struct moment *m = arg;

	happen_all(m->w, m, false);
	happen_all(m->w, m, true);
}

static void acts_of_start(void *arg)
{
	struct moment *m = arg;

	happen_all(m->w, m, true);
}

/* Timers of one moment run in the order they were set, and these are set before any of
 * the engine's: a moment's lines come before what the engine does then. */
static void set_moments(struct world *w)
{
	const struct script *s = w->script;

	w->moment = g_new0(struct moment, s->n_line + 1);
	for (size_t i = 0; i < s->n_line; i++) {
		struct moment *m = &w->moment[w->n_moment];

		if (i && s->line[i].at == s->line[i - 1].at) {
			w->moment[w->n_moment - 1].end = i + 1;
			continue;
		}
		m->w = w;
		m->first = i;
		m->end = i + 1;
		if (s->line[i].at > s->start)
			rg_timer_set(w->timers, &m->timer, s->line[i].at, moment_due, m);
		w->n_moment++;
	}
}

/* Servers and groups that lines name are believed from the start.  What a first line
 * "down" finds was up before; what a first line "up" finds was not known. */
static void believe(struct world *w)
{
	const struct script *s = w->script;

	for (size_t i = s->n_line; i-- > 0;) { /* the first line has the last word */
		const struct script_line *l = &s->line[i];

		if (l->kind == SCRIPT_HEALTH)
			reg_engine_believe_server(w->engine, &l->addr,
						  l->up ? RG_UNKNOWN : RG_UP);
		if (l->kind == SCRIPT_SERVED)
			reg_engine_believe_group(w->engine, l->name, l->up ? RG_UNKNOWN : RG_UP);
	}
}

struct world *world_new(struct script *s, const char *plugin_dir, struct timeline *t,
			struct rg_faults *f)
{
	struct world *w = g_new0(struct world, 1);
	struct reg_options opt = { .exact = true, .random = draw, .moved = moved,
				   .trunk = served_trunk, .arg = w };

	w->script = s;
	w->timeline = t;
	w->gen = g_array_new(FALSE, TRUE, sizeof(struct gen));
	if (load_all(w, plugin_dir, f)) {
		size_t errors = rg_faults_errors(f);

		settle(w, f);
		if (rg_faults_errors(f) == errors) {
			w->timers = rg_timers_new(s->start);
			w->net = net_new(w->timers, t);
			set_moments(w);
			opt.timers = w->timers;
			opt.port = net_port(w->net);
			w->engine = reg_engine_new(&opt);
			net_serve(w->net, w->engine);
			return w;
		}
	}
	world_free(w);
	return NULL;
}

GPtrArray *world_accounts(const struct world *w)
{
	GHashTable *seen = g_hash_table_new(g_str_hash, g_str_equal);
	GPtrArray *all = g_ptr_array_new();

	for (guint i = 0; i < w->gen->len; i++) {
		const struct conf *c = g_array_index(w->gen, struct gen, i).conf;

		for (uint32_t k = 0; c && k < c->n_account; k++)
			if (g_hash_table_add(seen, (gpointer)c->account[k].row.name))
				g_ptr_array_add(all, (gpointer)c->account[k].row.name);
	}
	g_hash_table_destroy(seen);
	return all;
}

void world_run(struct world *w)
{
	const struct script *s = w->script;
	bool acts = w->n_moment && s->line[0].at == s->start;
	struct moment *m = &w->moment[0];

	believe(w);
	if (acts)
		happen_all(w, m, false);
	put_in_force(w, 0);
	for (size_t i = m->first; acts && i < m->end; i++)
		if (s->line[i].kind == SCRIPT_TRUNK) /* groups are there only now */
			happen(w, &s->line[i]);
	if (acts)
		rg_timer_set(w->timers, &m->timer, s->start, acts_of_start, m);
	while (rg_timers_step(w->timers, s->until))
		;
}

void world_free(struct world *w)
{
	if (!w)
		return;
	if (w->net)
		net_hang_up(w->net);
	reg_engine_free(w->engine);
	for (size_t i = 0; i < w->n_moment; i++)
		rg_timer_stop(w->timers, &w->moment[i].timer);
	if (w->net)
		net_free(w->net);
	rg_timers_free(w->timers);
	for (guint i = w->gen->len; i-- > 0;)
		gen_free(&g_array_index(w->gen, struct gen, i));
	g_array_free(w->gen, TRUE);
	g_free(w->moment);
	g_free(w);
}
