/* trunk.c -- trunk groups: the device's two tables, and several rows, make one group. */
#include <string.h>

#include "conf/load.h"
#include "conf/value.h"

enum { NO_TRUNK = 255 }; /* what the device writes for analog ports */

static struct draft_trunk_group *draft(const struct load *l, uint32_t i)
{
	return (void *)load_draft(l, CONF_TRUNK_GROUP, i);
}

/* ---- ranges of trunks ------------------------------------------------------------------ */

static void range_add(struct load *l, const struct draft_trunk_group *d, GArray *ranges)
{
	bool no_first = d->first == -1 || d->first == NO_TRUNK;
	bool no_last = d->last == -1 || d->last == NO_TRUNK;
	struct conf_trunk_range r;

	if (no_first) {
		if (!no_last)
			param_error(l, &d->t.row, CONF_TRUNK_GROUP, "LastTrunkId",
				    "TrunkGroup %s: LastTrunkId without FirstTrunkId",
				    d->t.row.name);
		return;
	}
	if (!no_last && d->last < d->first) {
		param_error(l, &d->t.row, CONF_TRUNK_GROUP, "LastTrunkId",
			    "TrunkGroup %s: LastTrunkId = %d is less than FirstTrunkId = %d",
			    d->t.row.name, d->last, d->first);
		return;
	}
	r.first = (uint32_t)d->first;
	r.last = no_last ? r.first : (uint32_t)d->last;
	g_array_append_val(ranges, r);
}

static int by_first(const void *a, const void *b)
{
	const struct conf_trunk_range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Ascending and apart: the channels of one trunk may stand in several rows. */
static void ranges_take(struct load *l, struct conf_trunk_group *t, GArray *ranges)
{
	struct conf_trunk_range *all = (void *)ranges->data;
	uint32_t n = 0;

	if (!ranges->len)
		return;
	qsort(all, ranges->len, sizeof *all, by_first);
	for (guint i = 1; i < ranges->len; i++) {
		if (all[i].first > all[n].last + 1)
			all[++n] = all[i];
		else
			all[n].last = MAX(all[n].last, all[i].last);
	}
	t->n_range = n + 1;
	t->range = rg_arena_alloc(l->arena, t->n_range * sizeof *all);
	memcpy((void *)(uintptr_t)t->range, all, t->n_range * sizeof *all);
}

/* ---- settings of several rows ---------------------------------------------------------- */

static bool is_text(const struct schema_param *p)
{
	return p->type == SCHEMA_STR || p->type == SCHEMA_NAME;
}

static bool same(const struct schema_param *p, const char *a, const char *b)
{
	const char *x, *y;

	if (!is_text(p))
		return !memcmp(a, b, p->size);
	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return !strcmp(x, y);
}

static void contradiction(struct load *l, const struct conf_row *row, const struct conf_row *first,
			  const char *name)
{
	param_error(l, row, CONF_TRUNK_GROUP, name, "%s of this trunk group is another at %s:%u",
		    name, conf_file(&l->w->c, first->file), first->line);
}

/* What one row sets and the other leaves counts; if both set it, they have to agree. */
static void merge_fields(struct load *l, struct draft_trunk_group *to,
			 const struct draft_trunk_group *from)
{
	static const char *const own[] = { "Index", "Name", "TrunkGroupId", "FirstTrunkId",
					   "LastTrunkId", NULL };

	for (uint16_t i = 0; i < schema_count(l->schema); i++) {
		const struct schema_param *p = schema_at(l->schema, i);
		const char *blank = (const char *)l->blank[CONF_TRUNK_GROUP] + p->offset;
		const char *b = (const char *)from + p->offset;
		char *a = (char *)to + p->offset;

		if (p->table != CONF_TRUNK_GROUP || !p->size || p->type == SCHEMA_IGNORED ||
		    g_strv_contains(own, p->name) || same(p, b, blank) || same(p, a, b))
			continue;
		if (same(p, a, blank))
			memcpy(a, b, p->size);
		else
			contradiction(l, &from->t.row, &to->t.row, p->name);
	}
}

static void merge_values(struct load *l, struct draft_trunk_group *to,
			 const struct draft_trunk_group *from)
{
	const struct conf_values *x = to->t.row.values, *y = from->t.row.values;
	struct conf_value *v = g_new0(struct conf_value, (gsize)x->n + y->n + 1);
	uint16_t n = 0, i = 0, j = 0;

	while (i < x->n || j < y->n) {
		if (j == y->n || (i < x->n && x->v[i].number < y->v[j].number)) {
			v[n++] = x->v[i++];
		} else if (i == x->n || y->v[j].number < x->v[i].number) {
			v[n++] = y->v[j++];
		} else {
			const struct schema_param *p = schema_at(l->schema, x->v[i].number);

			if (!p->size && (x->v[i].num != y->v[j].num ||
					 strcmp(x->v[i].str, y->v[j].str)))
				contradiction(l, &from->t.row, &to->t.row, p->name);
			v[n++] = x->v[i++];
			j++;
		}
	}
	to->t.row.values = values_of(l, v, n);
	g_free(v);
}

/* Named after its number for want of a name. */
static bool nameless(const struct conf_row *row)
{
	uint32_t n;

	return value_digits(row->name, INT32_MAX, &n) && n == row->index;
}

static void merge(struct load *l, struct draft_trunk_group *to,
		  const struct draft_trunk_group *from)
{
	merge_fields(l, to, from);
	merge_values(l, to, from);
	if (nameless(&from->t.row))
		return;
	if (nameless(&to->t.row))
		to->t.row.name = from->t.row.name;
	else if (strcmp(to->t.row.name, from->t.row.name))
		contradiction(l, &from->t.row, &to->t.row, "Name");
}

/* ---- groups ------------------------------------------------------------------------------ */

static struct conf_trunk_group group(struct load *l, struct draft_trunk_group *d)
{
	const struct conf *c = &l->w->c;

	d->t.serving = build_refer(l, &d->t.row, CONF_TRUNK_GROUP, &l->w->ip_group, c->n_ip_group,
				   d->serving, "ServingIPGroupName");
	d->t.set = build_refer(l, &d->t.row, CONF_TRUNK_GROUP, &l->w->proxy_set, c->n_proxy_set,
			       d->set, "ProxySetName");
	return d->t;
}

void build_trunk_groups(struct load *l)
{
	struct conf *c = &l->w->c;
	uint32_t n = l->rows[CONF_TRUNK_GROUP]->len;
	uint32_t *first = g_new0(uint32_t, n + 1); /* by group: its first row */
	GArray **ranges = g_new0(GArray *, n + 1);

	l->trunk_by_id = g_hash_table_new(NULL, NULL);
	for (uint32_t i = 0; i < n; i++) {
		struct draft_trunk_group *d = draft(l, i);
		gpointer at;

		if (d->t.id == CONF_NONE)
			d->t.id = d->t.row.index;
		at = g_hash_table_lookup(l->trunk_by_id, GUINT_TO_POINTER(d->t.id));
		if (at) {
			merge(l, draft(l, first[GPOINTER_TO_UINT(at) - 1]), d);
		} else {
			first[c->n_trunk_group] = i;
			ranges[c->n_trunk_group] =
				g_array_new(FALSE, FALSE, sizeof(struct conf_trunk_range));
			at = GUINT_TO_POINTER(++c->n_trunk_group);
			g_hash_table_insert(l->trunk_by_id, GUINT_TO_POINTER(d->t.id), at);
		}
		range_add(l, d, ranges[GPOINTER_TO_UINT(at) - 1]);
	}
	c->trunk_group = rg_arena_alloc(l->arena, (c->n_trunk_group + 1) * sizeof *c->trunk_group);
	for (uint32_t i = 0; i < c->n_trunk_group; i++) {
		c->trunk_group[i] = group(l, draft(l, first[i]));
		ranges_take(l, &c->trunk_group[i], ranges[i]);
		g_array_free(ranges[i], TRUE);
	}
	g_free(ranges);
	g_free(first);
	build_names(l, CONF_TRUNK_GROUP, &l->w->trunk_group, c->trunk_group, c->n_trunk_group);
}

uint32_t build_trunk_find(const struct load *l, const char *text)
{
	uint32_t id;
	gpointer at = NULL;

	if (value_digits(text, INT32_MAX, &id))
		at = g_hash_table_lookup(l->trunk_by_id, GUINT_TO_POINTER(id));
	return at ? GPOINTER_TO_UINT(at) - 1 : names_find(&l->w->trunk_group, text);
}
