/* policy.c -- from modules and configuration to chains. */
#include "policy/policy.h"

#include <glib.h>
#include <stdatomic.h>

#include "policy/attach.h"

struct attached {
	const struct rg_policy *p;
	uint32_t accounts;
};

struct service_cfg {
	const struct rg_service *s;
	const void *cfg;
};

struct built {
	struct policy pub;
	atomic_uint refs;
	struct policy_modules *modules;
	struct conf *conf;
	struct rg_arena *arena;
	GArray *attached; /* struct attached */
	GArray *services; /* struct service_cfg */
};

static struct built *built_of(const struct policy *p)
{
	return (struct built *)(uintptr_t)p; /* pub comes first */
}

static struct built *built_new(struct policy_modules *ms, struct conf *c)
{
	struct built *b = g_new0(struct built, 1);

	atomic_init(&b->refs, 1);
	b->modules = policy_modules_ref(ms);
	b->conf = conf_ref(c);
	b->arena = rg_arena_new();
	b->attached = g_array_new(FALSE, FALSE, sizeof(struct attached));
	b->services = g_array_new(FALSE, FALSE, sizeof(struct service_cfg));
	b->pub.n = c->n_account;
	b->pub.of = rg_arena_alloc(b->arena, (c->n_account + 1) * sizeof(void *));
	return b;
}

static struct attached *attached_of(const struct built *b, const struct rg_policy *p)
{
	for (guint i = 0; i < b->attached->len; i++) {
		struct attached *a = &g_array_index(b->attached, struct attached, i);

		if (a->p == p)
			return a;
	}
	return NULL;
}

static void count(const struct policy_chain *c, uint32_t accounts, void *arg)
{
	struct built *b = arg;

	for (uint16_t i = 0; i < c->n; i++) {
		struct attached *a = attached_of(b, c->link[i].p);
		const struct attached new = { c->link[i].p, accounts };

		if (a)
			a->accounts += accounts;
		else
			g_array_append_val(b->attached, new);
	}
}

static void configure_services(struct built *b, struct plans *ps, struct params *params)
{
	for (size_t i = 0; i < ps->n; i++) {
		const struct plan *pl = &ps->of[i];
		struct service_cfg s = { pl->mod->service, NULL };

		if (pl->policy || !pl->active || !s.s->cfg_size)
			continue;
		s.cfg = params_fill_global(params, pl, ps->conf, s.s->cfg_size);
		g_array_append_val(b->services, s);
	}
}

struct policy *policy_build(struct policy_modules *ms, struct conf *c, const struct schema *s,
			    struct rg_faults *f)
{
	size_t errors = rg_faults_errors(f);
	struct built *b = built_new(ms, c);
	struct plans ps = { .modules = ms,
			    .conf = c,
			    .schema = s,
			    .scratch = rg_arena_new(),
			    .keep = b->arena,
			    .faults = f };
	struct params params;

	params_init(&params, b->arena);
	if (!plan_make(&ps)) {
		missing_check(&ps);
		attach_all(&ps, &params, b->pub.of, count, b);
		configure_services(b, &ps, &params);
	}
	params_clear(&params);
	rg_arena_free(ps.scratch);
	if (rg_faults_errors(f) == errors)
		return &b->pub;
	policy_unref(&b->pub);
	return NULL;
}

struct policy *policy_ref(struct policy *p)
{
	atomic_fetch_add(&built_of(p)->refs, 1);
	return p;
}

void policy_unref(struct policy *p)
{
	struct built *b = p ? built_of(p) : NULL;

	if (!b || atomic_fetch_sub(&b->refs, 1) != 1)
		return;
	g_array_free(b->attached, TRUE);
	g_array_free(b->services, TRUE);
	rg_arena_free(b->arena);
	conf_unref(b->conf);
	policy_modules_unref(b->modules);
	g_free(b);
}

uint32_t policy_attached(const struct policy *p, const struct rg_policy *which)
{
	const struct attached *a = attached_of(built_of(p), which);

	return a ? a->accounts : 0;
}

const void *policy_service_cfg(const struct policy *p, const struct rg_service *which)
{
	const struct built *b = built_of(p);

	for (guint i = 0; i < b->services->len; i++) {
		const struct service_cfg *s = &g_array_index(b->services, struct service_cfg, i);

		if (s->s == which)
			return s->cfg;
	}
	return NULL;
}
