/* values.c -- what rows set of the parameters of policies: sets, of which equal ones are one. */
#include <stdlib.h>
#include <string.h>

#include "conf/load.h"

static guint values_hash(gconstpointer p)
{
	const struct conf_values *v = p;
	guint h = v->n;

	for (uint16_t i = 0; i < v->n; i++) {
		h = (h ^ v->v[i].number) * 16777619u;
		h = (h ^ (guint)v->v[i].num) * 16777619u;
		h = (h ^ (guint)(uintptr_t)v->v[i].str) * 16777619u;
	}
	return h ^ h >> 15;
}

static gboolean values_equal(gconstpointer a, gconstpointer b)
{
	const struct conf_values *x = a, *y = b;

	if (x->n != y->n)
		return FALSE;
	for (uint16_t i = 0; i < x->n; i++) /* strings are interned */
		if (x->v[i].number != y->v[i].number || x->v[i].num != y->v[i].num ||
		    x->v[i].str != y->v[i].str)
			return FALSE;
	return TRUE;
}

const struct conf_values *values_of(struct load *l, const struct conf_value *v, uint16_t n)
{
	size_t size = sizeof(struct conf_values) + n * sizeof *v;
	struct conf_values *set = g_malloc(size), *known, *made;

	set->n = n;
	if (n)
		memcpy(set->v, v, n * sizeof *v);
	if (!l->value_sets)
		l->value_sets = g_hash_table_new(values_hash, values_equal);
	known = g_hash_table_lookup(l->value_sets, set);
	if (!known) {
		made = rg_arena_alloc(l->arena, size);
		memcpy(made, set, size);
		g_hash_table_add(l->value_sets, made);
		known = made;
	}
	g_free(set);
	return known;
}

static int by_number(const void *a, const void *b)
{
	const struct conf_value *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

const struct conf_values *values_end(struct load *l)
{
	const struct conf_values *set;

	if (!l->value->len)
		return l->no_values;
	qsort(l->value->data, l->value->len, sizeof(struct conf_value), by_number);
	set = values_of(l, (const struct conf_value *)(const void *)l->value->data,
			   (uint16_t)l->value->len);
	g_array_set_size(l->value, 0);
	return set;
}

void value_add(struct load *l, const struct schema_param *p, int64_t n, const char *text)
{
	struct conf_value v = { .number = p->number, .num = n, .str = "" };

	if (text && *text)
		v.str = rg_arena_intern(l->arena, text);
	g_array_append_val(l->value, v);
}
