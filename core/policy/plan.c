#include "policy/plan.h"

#include <errno.h>
#include <glib.h>
#include <stdlib.h>

#include "policy/module.h"

static bool named(const char *const *list, uint32_t n, const char *name)
{
	for (uint32_t i = 0; i < n; i++)
		if (!g_ascii_strcasecmp(list[i], name))
			return true;
	return false;
}

bool policy_active(const struct conf *c, const struct policy_module *m)
{
	if (named(c->load, c->n_load, m->m->name))
		return true;
	if (m->policy)
		return c->load_all;
	return named((const char *const *)c->section, c->n_section, m->m->name);
}

/* Every name of the Load line is a plugin that is there. */
static void check_load(struct plans *ps)
{
	const struct conf *c = ps->conf;
	size_t n = policy_modules_count(ps->modules);
	const char **all = g_new0(const char *, n + 1);

	for (size_t i = 0; i < n; i++)
		all[i] = policy_modules_at(ps->modules, i)->m->name;
	for (uint32_t i = 0; i < c->n_load; i++) {
		const char *name = c->load[i], *near;

		if (modules_find(ps->modules, name) || modules_broken(ps->modules, name))
			continue;
		near = rg_nearest(name, all, n);
		rg_fault_add(ps->faults, RG_FAULT_ERROR, conf_file(c, c->load_file),
			     c->load_line, "Load: there is no plugin %s%s%s%s", name,
			     near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
	}
	g_free(all);
}

static int bind_param(struct plans *ps, struct plan *pl, const struct rg_param *p)
{
	struct plan_param *b = &pl->param[pl->n];

	*b = (struct plan_param){ .p = p };
	b->s = schema_find(ps->schema, setting_table(p->scope), p->name);
	if (!b->s) {
		rg_fault_add(ps->faults, RG_FAULT_ERROR, pl->mod->path, 0,
			     "parameter %s is not in the schema", p->name);
		return EINVAL;
	}
	b->dflt = setting_parse(b->s, b->s->dflt);
	if (!claim_parse(&b->implements, ps->scratch, b->s, p->implements) ||
	    !claim_parse(&b->when, ps->scratch, b->s, p->when)) {
		rg_fault_add(ps->faults, RG_FAULT_ERROR, pl->mod->path, 0,
			     "claims values that %s cannot have", p->name);
		return EINVAL;
	}
	pl->n++;
	return 0;
}

static int bind(struct plans *ps, struct plan *pl, const struct policy_module *m)
{
	uint16_t n = 0;
	int err = 0;

	pl->mod = m;
	pl->policy = m->policy;
	pl->active = policy_active(ps->conf, m);
	for (const struct rg_param *p = m->m->params; p && p->name; p++)
		n++;
	pl->param = rg_arena_alloc(ps->scratch, n * sizeof *pl->param);
	for (const struct rg_param *p = m->m->params; p && p->name; p++)
		err |= bind_param(ps, pl, p);
	return err;
}

static int prio_of(const struct plan *pl)
{
	return pl->policy ? pl->policy->prio : INT16_MAX;
}

static int by_prio(const void *a, const void *b)
{
	const struct plan *x = a, *y = b;
	int d = prio_of(x) - prio_of(y);

	return d ? d : strcmp(x->mod->m->name, y->mod->m->name);
}

int plan_make(struct plans *ps)
{
	size_t n = policy_modules_count(ps->modules);
	int err = 0;

	check_load(ps);
	ps->of = rg_arena_alloc(ps->scratch, n * sizeof *ps->of);
	for (size_t i = 0; i < n; i++)
		err |= bind(ps, &ps->of[i], policy_modules_at(ps->modules, i));
	ps->n = n;
	qsort(ps->of, n, sizeof *ps->of, by_prio);
	return err;
}
