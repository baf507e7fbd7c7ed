/* missing.c -- values that stand in a row although nothing loaded acts on them. */
#include <glib.h>

#include "policy/module.h"
#include "policy/plan.h"

struct missing {
	struct plans *ps;
	GHashTable *seen; /* struct conf_values -> GPtrArray of texts, or NULL */
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
	return g_strdup_printf("%s = %s: no loaded plugin implements this; add %s to Load",
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

/* The faults of a set of values: worked out once, told for each row. */
static GPtrArray *faults_of(struct missing *m, const struct conf_values *values)
{
	GPtrArray *texts = NULL;
	gpointer known;

	if (g_hash_table_lookup_extended(m->seen, values, NULL, &known))
		return known;
	for (uint16_t i = 0; i < values->n; i++) {
		const struct conf_value *c = &values->v[i];
		const struct schema_param *s = schema_at(m->ps->schema, c->number);
		const struct setting v = setting_written(s, c);
		char *text = fault_of(m->ps, s, &v);

		if (!text)
			continue;
		if (!texts)
			texts = g_ptr_array_new_with_free_func(g_free);
		g_ptr_array_add(texts, text);
	}
	g_hash_table_insert(m->seen, (gpointer)(uintptr_t)values, texts);
	return texts;
}

static void tell(struct missing *m, const struct conf_values *values, const char *file,
		 uint32_t line)
{
	GPtrArray *texts = faults_of(m, values);

	for (guint i = 0; texts && i < texts->len; i++)
		rg_fault_add(m->ps->faults, RG_FAULT_ERROR, file, line, "%s",
			     (const char *)g_ptr_array_index(texts, i));
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
	for (uint32_t i = 0; i < n; i++) {
		/* each row's struct begins with its struct conf_row */
		const struct conf_row *r = (const void *)((const char *)rows + i * size);

		tell(m, r->values, conf_file(m->ps->conf, r->file), r->line);
	}
}

static void texts_free(void *texts)
{
	if (texts)
		g_ptr_array_free(texts, TRUE);
}

#define TABLE(m, c, t) check_table(m, (c)->t, sizeof *(c)->t, (c)->n_##t)

void missing_check(struct plans *ps)
{
	struct missing m = { ps, g_hash_table_new_full(NULL, NULL, NULL, texts_free) };
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
