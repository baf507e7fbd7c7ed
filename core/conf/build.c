/* build.c -- drafts to rows: numbers, order, names, references. */
#include <stdio.h>
#include <string.h>

#include "conf/load.h"
#include "conf/value.h"

struct conf_row *load_draft(const struct load *l, enum conf_table t, uint32_t i)
{
	return (struct conf_row *)(void *)(l->rows[t]->data + i * load_draft_size(t));
}

static const char *file_of(const struct load *l, const struct conf_row *row)
{
	return conf_file(&l->w->c, row->file);
}

const char *build_hint(struct load *l, const struct names *t, uint32_t n,
		       const char *name, char buf[96])
{
	const char **all, *near;

	buf[0] = '\0';
	if (!l->hints || !n || n > 10000)
		return buf;
	l->hints--;
	all = g_new(const char *, n);
	for (uint32_t i = 0; i < n; i++)
		all[i] =
			((const struct conf_row *)(const void *)(t->rows + i * t->stride))
				->name;
	near = rg_nearest(name, all, n);
	if (near)
		g_snprintf(buf, 96, "; did you mean '%s'?", near);
	g_free(all);
	return buf;
}

/* ---- numbers and order ----------------------------------------------------------- */

/* Rows without an Index take the lowest free ones, in the order of the files. */
static void number_rows(struct load *l, enum conf_table t)
{
	uint32_t n = l->rows[t]->len, next = 0;
	unsigned char *used = g_malloc0(n + 1);

	for (uint32_t i = 0; i < n; i++)
		if (load_draft(l, t, i)->index < n)
			used[load_draft(l, t, i)->index] = 1;
	for (uint32_t i = 0; i < n; i++) {
		if (load_draft(l, t, i)->index != CONF_NONE)
			continue;
		while (used[next])
			next++;
		load_draft(l, t, i)->index = next++;
	}
	g_free(used);
}

/* Rows are appended in the order of the files, so equal numbers keep it. */
static int by_index(const void *a, const void *b)
{
	const struct conf_row *x = a, *y = b;

	if (x->index != y->index)
		return x->index < y->index ? -1 : 1;
	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	return x->line < y->line ? -1 : x->line > y->line;
}

static void sort_rows(struct load *l, enum conf_table t)
{
	uint32_t n = l->rows[t]->len;
	bool sorted = true;

	for (uint32_t i = 1; i < n && sorted; i++)
		sorted = load_draft(l, t, i - 1)->index <= load_draft(l, t, i)->index;
	if (!sorted)
		qsort(l->rows[t]->data, n, load_draft_size(t), by_index);
	for (uint32_t i = 1; i < n; i++) {
		const struct conf_row *a = load_draft(l, t, i - 1),
				      *b = load_draft(l, t, i);

		if (a->index == b->index)
			param_error(l, b, t, "Index", "%s %u stands already at %s:%u",
				    schema_title(t), b->index, file_of(l, a), a->line);
	}
}

static void name_rows(struct load *l, enum conf_table t)
{
	for (uint32_t i = 0; i < l->rows[t]->len; i++) {
		struct conf_row *row = load_draft(l, t, i);
		char buf[16];

		if (*row->name)
			continue;
		snprintf(buf, sizeof buf, "%u", row->index);
		row->name = rg_arena_str(l->arena, buf);
	}
}

struct again {
	struct load *l;
	enum conf_table t;
};

static void name_again(const struct conf_row *row, const struct conf_row *first,
		       void *arg)
{
	const struct again *a = arg;

	if (row->index != first->index) /* that was said of the index */
		param_error(a->l, row, a->t, "Name",
			    "a %s of the name '%s' stands already at %s:%u",
			    schema_title(a->t), row->name, file_of(a->l, first), first->line);
}

void *build_final(struct load *l, enum conf_table t, uint32_t *n)
{
	size_t size = load_row_size(t);
	char *rows;

	*n = l->rows[t]->len;
	rows = rg_arena_alloc(l->arena, *n ? *n * size : 1);
	for (uint32_t i = 0; i < *n; i++)
		memcpy(rows + i * size, load_draft(l, t, i), size);
	return rows;
}

void build_names(struct load *l, enum conf_table t, struct names *index, const void *rows,
		 uint32_t n)
{
	names_build(index, l->arena, rows, load_row_size(t), n, name_again,
		    &(struct again){ l, t });
}

/* ---- groups ------------------------------------------------------------------------ */

/* "" and -1 are no reference.  What says which. */
uint32_t build_refer(struct load *l, const struct conf_row *row, enum conf_table t,
		     const struct names *to, uint32_t n, const char *text, const char *what)
{
	uint32_t at;
	char buf[96];

	if (!*text || !strcmp(text, "-1"))
		return CONF_NONE;
	at = names_refer(to, n, text);
	if (at == CONF_NONE)
		param_error(l, row, t, what, "%s %s: %s = %s: there is no such %s%s",
			    t == CONF_ACCOUNT ? "account" : schema_title(t), row->name,
			    what, text, to == &l->w->proxy_set ? "ProxySet" : "IPGroup",
			    build_hint(l, to, n, text, buf));
	return at;
}

static void group_credentials(struct conf_ip_group *g, const struct draft_ip_group *d)
{
	if (!*g->username && !*g->password) {
		g->username = d->username;
		g->password = d->password;
	}
	if (!*g->server_username && !*g->server_password) {
		g->server_username = d->username;
		g->server_password = d->password;
	}
}

static void build_ip_groups(struct load *l)
{
	struct conf *c = &l->w->c;

	c->ip_group = build_final(l, CONF_IP_GROUP, &c->n_ip_group);
	for (uint32_t i = 0; i < c->n_ip_group; i++) {
		const struct draft_ip_group *d = (void *)load_draft(l, CONF_IP_GROUP, i);
		struct conf_ip_group *g = &c->ip_group[i];

		g->set = build_refer(l, &g->row, CONF_IP_GROUP, &l->w->proxy_set,
				     c->n_proxy_set, d->set, "ProxySetName");
		group_credentials(g, d);
		if (g->set != CONF_NONE && !*c->proxy_set[g->set].contact_name)
			c->proxy_set[g->set].contact_name = g->contact_name;
	}
	build_names(l, CONF_IP_GROUP, &l->w->ip_group, c->ip_group, c->n_ip_group);
}

/* ---- accounts ------------------------------------------------------------- */

/* Where both a trunk group and an IP group stand, the application type says which. */
static void account_served(struct load *l, struct conf_account *a,
			   const struct draft_account *d)
{
	bool trunk = *d->trunk && strcmp(d->trunk, "-1"), group = *d->served;
	char buf[96];

	a->trunk = CONF_NONE;
	a->served = CONF_NONE;
	if (trunk && group) {
		group = d->application != 0;
		trunk = !group;
		row_warn(l, &a->row,
			 "account %s has both a trunk group and an IP group to serve: "
			 "the %s group counts",
			 a->row.name, group ? "IP" : "trunk");
	}
	if (trunk) {
		a->trunk = build_trunk_find(l, d->trunk);
		if (a->trunk == CONF_NONE)
			param_error(l, &a->row, CONF_ACCOUNT, "ServedTrunkGroup",
				    "account %s: ServedTrunkGroup = %s: there is no such "
				    "TrunkGroup%s",
				    a->row.name, d->trunk,
				    build_hint(l, &l->w->trunk_group, l->w->c.n_trunk_group,
					       d->trunk, buf));
	} else if (group) {
		a->served = build_refer(l, &a->row, CONF_ACCOUNT, &l->w->ip_group,
					l->w->c.n_ip_group, d->served, "ServedIPGroupName");
	}
	if (!trunk && (!group || !strcmp(d->served, "-1")))
		row_error(l, &a->row,
			  "account %s has neither ServedIPGroupName nor ServedTrunkGroup",
			  a->row.name);
}

/* An account of a trunk group without a serving group of its own has the group's. */
static void account_serving(struct load *l, struct conf_account *a, const struct draft_account *d)
{
	const struct conf *c = &l->w->c;
	const struct conf_trunk_group *t = a->trunk == CONF_NONE ? NULL : &c->trunk_group[a->trunk];

	a->serving = build_refer(l, &a->row, CONF_ACCOUNT, &l->w->ip_group, c->n_ip_group,
				 d->serving, "ServingIPGroupName");
	a->withheld = t && a->reg && t->registration_mode != CONF_PER_ACCOUNT;
	if (*d->serving && strcmp(d->serving, "-1"))
		return;
	if (t)
		a->serving = t->serving;
	if (a->serving == CONF_NONE)
		row_error(l, &a->row, t ? "account %s has no ServingIPGroupName, and its trunk "
					  "group has none either"
					: "account %s has no ServingIPGroupName",
			  a->row.name);
}

static void build_accounts(struct load *l)
{
	struct conf *c = &l->w->c;

	c->account = build_final(l, CONF_ACCOUNT, &c->n_account);
	for (uint32_t i = 0; i < c->n_account; i++) {
		const struct draft_account *d = (void *)load_draft(l, CONF_ACCOUNT, i);
		struct conf_account *a = &c->account[i];

		account_served(l, a, d);
		account_serving(l, a, d);
		a->outbound = build_refer(l, &a->row, CONF_ACCOUNT, &l->w->proxy_set,
					  c->n_proxy_set, d->outbound, "OutboundProxySetName");
	}
	build_names(l, CONF_ACCOUNT, &l->w->account, c->account, c->n_account);
}

static void build_raw(struct load *l, enum conf_table t, struct names *index)
{
	struct conf *c = &l->w->c;

	c->raw[t] = build_final(l, t, &c->n_raw[t]);
	build_names(l, t, index, c->raw[t], c->n_raw[t]);
}

static void build_gateway(struct load *l)
{
	const struct schema_param *rate =
		schema_find(l->schema, CONF_GATEWAY, "RegisterRate");
	const struct schema_param *max =
		schema_find(l->schema, CONF_GATEWAY, "MaxGeneratedRegistersRate");
	const struct schema_param *interval =
		schema_find(l->schema, CONF_GATEWAY, "GeneratedRegistersInterval");
	const struct schema_param *reasons =
		schema_find(l->schema, CONF_GATEWAY, "AlternativeRoutingReasons");
	struct draft_gateway *g = &l->gateway;
	char why[VALUE_WHY];

	if (!l->w->global_line[rate->number] &&
	    (l->w->global_line[max->number] || l->w->global_line[interval->number]))
		g->g.register_rate = (g->generated_rate + g->generated_interval - 1) /
				     g->generated_interval;
	if (!l->w->global_line[reasons->number])
		value_codes(reasons->dflt, &g->g.alternative_reasons, why);
	field_globals_end(l);
	l->w->c.gateway = g->g;
	build_name_servers(l);
}

void build_rows(struct load *l)
{
	build_gateway(l);
	for (int t = 0; t < CONF_TABLES; t++) {
		if (!l->rows[t])
			continue;
		number_rows(l, (enum conf_table)t);
		sort_rows(l, (enum conf_table)t);
		name_rows(l, (enum conf_table)t);
	}
	build_raw(l, CONF_INTERFACE_TABLE, &l->w->interface_table);
	build_raw(l, CONF_TLS_CONTEXT, &l->w->tls_context);
	build_interfaces(l);
	build_interface_name_servers(l);
	build_proxy_sets(l);
	build_proxy_ips(l);
	build_ip_groups(l);
	build_trunk_groups(l);
	build_accounts(l);
	build_users(l);
	build_routes(l);
}
