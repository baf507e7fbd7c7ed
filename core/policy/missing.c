/* missing.c -- values that stand in a row although nothing loaded acts on them. */
#include <glib.h>

#include "policy/module.h"
#include "policy/plan.h"

struct missing {
	struct plans *ps;
	GHashTable *seen; /* struct conf_values -> GArray of struct wrong, or NULL */
};

struct wrong {
	uint16_t number; /* of the parameter */
	char *text;
};

static const struct plan *plan_named(const struct plans *ps, const char *name)
{
	for (size_t i = 0; i < ps->n; i++)
		if (!g_ascii_strcasecmp(ps->of[i].mod->m->name, name))
			return &ps->of[i];
	return NULL;
}

/* Who claims a value of a parameter. */
struct claimants {
	bool any;		 /* somebody claims some value     */
	bool active;		 /* and somebody active this one   */
	const struct plan *idle; /* somebody who is not active     */
};

static struct claimants claimants_of(const struct plans *ps, const struct schema_param *s,
				     const struct setting *v)
{
	struct claimants c = { false, false, NULL };

	for (size_t i = 0; i < ps->n; i++)
		for (uint16_t k = 0; k < ps->of[i].n; k++) {
			const struct plan_param *b = &ps->of[i].param[k];

			if (b->s != s || claim_empty(&b->implements))
				continue;
			c.any = true;
			if (!claim_match(&b->implements, v))
				continue;
			if (ps->of[i].active)
				c.active = true;
			else if (!c.idle)
				c.idle = &ps->of[i];
		}
	return c;
}

static char *add_to_load(const char *name, const char *text, const struct plan *pl)
{
	return g_strdup_printf(pl->policy ? "%s = %s: no loaded plugin implements this; add %s to "
					    "Load"
					  : "%s = %s: no loaded plugin implements this; add a "
					    "section [%s]",
			       name, text, pl->mod->m->name);
}

/* Nobody claims the value: what of the plugin that the schema names? */
static char *fault_of_owner(const struct plans *ps, const struct schema_param *s,
			    const struct setting *v, const char *text, bool claimed)
{
	const char *name = schema_owner(s, v->num);
	const struct plan *owner = name ? plan_named(ps, name) : NULL;

	if (!name || modules_broken(ps->modules, name))
		return NULL;
	if (!owner)
		return g_strdup_printf("%s = %s: this needs the plugin %s, which is not there "
				       "(yet)",
				       s->name, text, name);
	if (!claimed) /* it only reads the parameter */
		return owner->active ? NULL : add_to_load(s->name, text, owner);
	if (!v->text && v->num <= 0) /* what is on by default was turned off */
		return NULL;
	return g_strdup_printf("%s = %s: no plugin implements this", s->name, text);
}

/* What is wrong with a value, or NULL. */
static char *fault_of(const struct plans *ps, const struct schema_param *s,
		      const struct setting *v)
{
	struct setting dflt = setting_parse(s, s->dflt);
	struct claimants c;
	char buf[32];
	const char *text = setting_text(v, buf);

	if (setting_equal(v, &dflt))
		return NULL;
	c = claimants_of(ps, s, v);
	if (c.active)
		return NULL;
	if (c.idle)
		return add_to_load(s->name, text, c.idle);
	return fault_of_owner(ps, s, v, text, c.any);
}

static void wrong_clear(void *it)
{
	g_free(((struct wrong *)it)->text);
}

/* The faults of a set of values: worked out once, told for each row. */
static GArray *faults_of(struct missing *m, const struct conf_values *values)
{
	GArray *all = NULL;
	gpointer known;

	if (g_hash_table_lookup_extended(m->seen, values, NULL, &known))
		return known;
	for (uint16_t i = 0; i < values->n; i++) {
		const struct conf_value *c = &values->v[i];
		const struct schema_param *s = schema_at(m->ps->schema, c->number);
		const struct setting v = setting_written(s, c);
		const struct wrong it = { c->number, fault_of(m->ps, s, &v) };

		if (!it.text)
			continue;
		if (!all) {
			all = g_array_new(FALSE, FALSE, sizeof it);
			g_array_set_clear_func(all, wrong_clear);
		}
		g_array_append_val(all, it);
	}
	g_hash_table_insert(m->seen, (gpointer)(uintptr_t)values, all);
	return all;
}

static void tell(struct missing *m, const struct conf_row *r)
{
	const struct conf *c = m->ps->conf;
	GArray *all = faults_of(m, r->values);

	for (guint i = 0; all && i < all->len; i++) {
		const struct wrong *it = &g_array_index(all, struct wrong, i);

		rg_fault_add(m->ps->faults, RG_FAULT_ERROR, conf_file(c, r->file),
			     conf_param_line(c, r, it->number), "%s", it->text);
	}
}

/* A global parameter has a place of its own, not that of a row. */
static void tell_global(const struct plans *ps)
{
	const struct conf_values *values = ps->conf->gateway.values;

	for (uint16_t i = 0; i < values->n; i++) {
		const struct schema_param *s = schema_at(ps->schema, values->v[i].number);
		const struct setting v = setting_written(s, &values->v[i]);
		char *text = fault_of(ps, s, &v);
		const char *file = NULL;
		uint32_t line = text ? conf_global_line(ps->conf, s->number, &file) : 0;

		if (text)
			rg_fault_add(ps->faults, RG_FAULT_ERROR, line ? file : NULL, line,
				     "%s", text);
		g_free(text);
	}
}

static void check_table(struct missing *m, const void *rows, size_t size, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) /* each row's struct begins with its struct conf_row */
		tell(m, (const void *)((const char *)rows + i * size));
}

static void all_free(void *all)
{
	if (all)
		g_array_free(all, TRUE);
}

#define TABLE(m, c, t) check_table(m, (c)->t, sizeof *(c)->t, (c)->n_##t)

void missing_check(struct plans *ps)
{
	struct missing m = { ps, g_hash_table_new_full(NULL, NULL, NULL, all_free) };
	const struct conf *c = ps->conf;

	tell_global(ps);
	TABLE(&m, c, sip_interface);
	TABLE(&m, c, proxy_set);
	TABLE(&m, c, proxy_ip);
	TABLE(&m, c, ip_group);
	TABLE(&m, c, trunk_group);
	TABLE(&m, c, account);
	g_hash_table_destroy(m.seen);
}
