#include "conf/schema.h"

#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "conf/rows.h"
#include "conf/value.h"

struct key {
	const char *name;
	uint8_t table;
};

struct schema {
	GPtrArray *all;	     /* struct schema_param *, by number */
	GHashTable *by_name; /* struct key * to struct schema_param *; aliases, too */
	GPtrArray *plugins;  /* names */
};

/* clang-format off */
static const char *const titles[CONF_TABLES] = {
	[CONF_GATEWAY] = "Gateway",	    [CONF_INTERFACE_TABLE] = "InterfaceTable",
	[CONF_SIP_INTERFACE] = "SIPInterface", [CONF_PROXY_SET] = "ProxySet",
	[CONF_PROXY_IP] = "ProxyIp",	    [CONF_IP_GROUP] = "IPGroup",
	[CONF_TRUNK_GROUP] = "TrunkGroup",  [CONF_ACCOUNT] = "Account",
	[CONF_ROUTE] = "IP2IPRouting",	    [CONF_TLS_CONTEXT] = "TLSContexts",
	[CONF_USER_INFO] = "SBCUserInfoTable", [CONF_PLUGINS] = "Plugins",
};
/* clang-format on */
#define SETTINGS "TrunkGroupSettings"

static guint key_hash(gconstpointer p)
{
	const struct key *k = p;
	guint h = 2166136261u ^ k->table;

	for (const char *c = k->name; *c; c++)
		h = (h ^ (guchar)g_ascii_tolower(*c)) * 16777619u;
	return h;
}

static gboolean key_equal(gconstpointer a, gconstpointer b)
{
	const struct key *x = a, *y = b;

	return x->table == y->table && !g_ascii_strcasecmp(x->name, y->name);
}

static void name_add(struct schema *s, uint8_t table, const char *name,
		     struct schema_param *p)
{
	struct key *k = g_new(struct key, 1);

	*k = (struct key){ name, table };
	g_hash_table_insert(s->by_name, k, p);
}

static struct schema_param *param_add(struct schema *s, const struct schema_param *row)
{
	struct schema_param *p = g_memdup2(row, sizeof *row);

	p->number = (uint16_t)s->all->len;
	g_ptr_array_add(s->all, p);
	name_add(s, p->table, p->name, p);
	return p;
}

static struct schema_param *find(const struct schema *s, enum conf_table t,
				 const char *name)
{
	struct key k = { name, (uint8_t)t };

	return g_hash_table_lookup(s->by_name, &k);
}

struct schema *schema_new(void)
{
	const struct schema_rows *parts[] = { &schema_gateway_rows, &schema_account_rows,
					      &schema_network_rows, &schema_group_rows,
					      &schema_route_rows, &schema_tls_rows };
	struct schema *s = g_new0(struct schema, 1);

	s->all = g_ptr_array_new_with_free_func(g_free);
	s->plugins = g_ptr_array_new_with_free_func(g_free);
	s->by_name = g_hash_table_new_full(key_hash, key_equal, g_free, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
		for (size_t j = 0; j < parts[i]->n; j++)
			param_add(s, &parts[i]->row[j]);
	for (size_t i = 0; i < schema_ignored_count; i++)
		param_add(s, &(struct schema_param){ .name = schema_ignored[i].name,
						     .table = schema_ignored[i].table,
						     .type = SCHEMA_IGNORED,
						     .dflt = schema_ignored[i].dflt });
	for (size_t i = 0; i < schema_aliases_count; i++) {
		const struct schema_alias *a = &schema_aliases[i];

		name_add(s, a->table, a->alias, find(s, a->table, a->name));
	}
	return s;
}

void schema_free(struct schema *s)
{
	if (!s)
		return;
	g_hash_table_destroy(s->by_name);
	g_ptr_array_free(s->all, TRUE);
	g_ptr_array_free(s->plugins, TRUE);
	g_free(s);
}

/* Without "TABLE_"; NULL when there is no such prefix. */
static const char *unprefixed(const char *title, const char *name)
{
	size_t n = strlen(title);

	return !g_ascii_strncasecmp(name, title, n) && name[n] == '_' ? name + n + 1
								      : NULL;
}

const struct schema_param *schema_find(const struct schema *s, enum conf_table t,
				       const char *name)
{
	const struct schema_param *p = find(s, t, name);
	const char *rest;

	if (p)
		return p;
	rest = unprefixed(titles[t], name);
	if (!rest && t == CONF_TRUNK_GROUP)
		rest = unprefixed(SETTINGS, name);
	return rest ? find(s, t, rest) : NULL;
}

const struct schema_param *schema_at(const struct schema *s, uint16_t number)
{
	return number < s->all->len ? g_ptr_array_index(s->all, number) : NULL;
}

size_t schema_count(const struct schema *s)
{
	return s->all->len;
}

/* Parameters of which two plugins implement a value each, or the core all but one. */
static const struct {
	uint8_t table;
	int64_t value;
	const char *name, *owner;
} owners[] = {
	{ CONF_ACCOUNT, 1, "Register", NULL },
	{ CONF_ACCOUNT, 2, "RegistrarSearchMode", "avoid_previous" },
};

const char *schema_owner(const struct schema_param *p, int64_t value)
{
	char why[VALUE_WHY];
	int64_t preset;

	for (size_t i = 0; i < G_N_ELEMENTS(owners); i++)
		if (owners[i].table == p->table && owners[i].value == value &&
		    !strcmp(owners[i].name, p->name))
			return owners[i].owner;
	if ((p->type == SCHEMA_INT || p->type == SCHEMA_BOOL) && p->dflt && *p->dflt &&
	    value_number(p, p->dflt, &preset, why) && preset == value)
		return NULL;
	return p->owner;
}

const char *schema_title(enum conf_table t)
{
	return titles[t];
}

enum conf_table schema_table(const char *title)
{
	for (int t = 0; t < CONF_TABLES; t++)
		if (!g_ascii_strcasecmp(title, titles[t]))
			return (enum conf_table)t;
	return g_ascii_strcasecmp(title, SETTINGS) ? CONF_TABLES : CONF_TRUNK_GROUP;
}

bool schema_plugin(const struct schema *s, const char *name)
{
	for (guint i = 0; i < s->plugins->len; i++)
		if (!g_ascii_strcasecmp(g_ptr_array_index(s->plugins, i), name))
			return true;
	return false;
}

const char *schema_nearest(const struct schema *s, enum conf_table t, const char *name)
{
	GPtrArray *names = g_ptr_array_new();
	const char *rest = unprefixed(titles[t], name), *best;

	for (guint i = 0; i < s->all->len; i++) {
		const struct schema_param *p = g_ptr_array_index(s->all, i);

		if (p->table == t && p->type != SCHEMA_IGNORED)
			g_ptr_array_add(names, (gpointer)(uintptr_t)p->name);
	}
	for (size_t i = 0; i < schema_aliases_count; i++)
		if (schema_aliases[i].table == t)
			g_ptr_array_add(names,
					(gpointer)(uintptr_t)schema_aliases[i].alias);
	best = rg_nearest(rest ? rest : name, (const char *const *)names->pdata,
			  names->len);
	g_ptr_array_free(names, TRUE);
	return best;
}

const char *schema_nearest_table(const char *title)
{
	return rg_nearest(title, titles, CONF_TABLES);
}

/* ---- parameters of plugins ------------------------------------------------------ */

/* clang-format off */
static const enum conf_table scope_table[RG_SCOPES] = {
	[RG_GLOBAL] = CONF_GATEWAY,	    [RG_ACCOUNT] = CONF_ACCOUNT,
	[RG_PROXY_SET] = CONF_PROXY_SET,    [RG_PROXY_IP] = CONF_PROXY_IP,
	[RG_IP_GROUP] = CONF_IP_GROUP,	    [RG_TRUNK_GROUP] = CONF_TRUNK_GROUP,
	[RG_INTERFACE] = CONF_SIP_INTERFACE,
};
/* clang-format on */

static bool has_range(const struct rg_param *r)
{
	return r->type == RG_T_INT && (r->min || r->max);
}

static bool type_fits(const struct schema_param *p, const struct rg_param *r)
{
	switch (r->type) {
	case RG_T_NONE:
		return p->type != SCHEMA_IGNORED;
	case RG_T_INT:
		return p->type == SCHEMA_INT || p->type == SCHEMA_BOOL;
	case RG_T_BOOL:
		return p->type == SCHEMA_BOOL ||
		       (p->type == SCHEMA_INT && p->min >= 0 && p->max <= 1);
	case RG_T_STR:
		return p->type == SCHEMA_STR || p->type == SCHEMA_NAME;
	default:
		return p->type == SCHEMA_CODES;
	}
}

/* What speaks against a plugin's use of a parameter that is there, or NULL. */
static const char *contradiction(const struct schema_param *p, const struct rg_param *r)
{
	if (!type_fits(p, r))
		return "has another type";
	if (has_range(r) && (r->min < p->min || r->max > p->max))
		return "has a narrower range";
	if (r->dflt && p->dflt && strcmp(r->dflt, p->dflt))
		return "has another default";
	return NULL;
}

static const char *bad_default(const struct schema_param *p)
{
	char why[VALUE_WHY];
	struct rg_codes codes;
	int64_t n;

	if (p->dflt[0] == '\0')
		return NULL;
	if ((p->type == SCHEMA_INT || p->type == SCHEMA_BOOL) &&
	    !value_number(p, p->dflt, &n, why))
		return "has a default out of its range";
	if (p->type == SCHEMA_CODES && !value_codes(p->dflt, &codes, why))
		return "has a default that is no list of codes";
	return NULL;
}

static const char *param_new(struct schema *s, const char *plugin,
			     const struct rg_param *r)
{
	bool number = r->type == RG_T_INT || r->type == RG_T_BOOL;
	struct schema_param p = {
		.name = r->name,
		.table = (uint8_t)scope_table[r->scope],
		.type = r->type,
		.on_change = r->on_change,
		.policy = true,
		.min = r->min,
		.max = r->max,
		.dflt = r->dflt	 ? r->dflt
			: number ? "0"
				 : "",
		.symbols = r->symbols,
		.owner = plugin,
		.doc = r->doc,
	};
	const char *wrong;

	if (r->type == RG_T_NONE)
		return "is not known, so nothing of it can be claimed";
	if (s->all->len >= UINT16_MAX)
		return "is one too many";
	if (r->type == RG_T_BOOL)
		p.max = 1;
	else if (r->type == RG_T_INT && !has_range(r))
		p.min = INT32_MIN, p.max = INT32_MAX;
	wrong = bad_default(&p);
	if (!wrong)
		param_add(s, &p);
	return wrong;
}

/* The plugin reads or claims a parameter that is there. */
static const char *param_use(struct schema_param *p, const char *plugin,
			     const struct rg_param *r)
{
	const char *wrong = contradiction(p, r);

	if (wrong)
		return wrong;
	if (r->type != RG_T_NONE || r->implements)
		p->policy = true;
	if (r->on_change > p->on_change)
		p->on_change = r->on_change;
	if (r->implements && !p->owner)
		p->owner = plugin;
	if (!p->doc)
		p->doc = r->doc;
	return NULL;
}

int schema_add(struct schema *s, const char *plugin, const struct rg_param *r,
	       struct rg_faults *faults)
{
	char *name = g_strdup(plugin);
	int err = 0;

	g_ptr_array_add(s->plugins, name);
	for (; r && r->name; r++) {
		struct schema_param *p;
		const char *wrong;

		if (r->scope >= RG_SCOPES || r->type > RG_T_CODES || !*r->name) {
			wrong = "has a scope or type that is not known";
		} else {
			p = (struct schema_param *)(uintptr_t)schema_find(
				s, scope_table[r->scope], r->name);
			wrong = p ? param_use(p, name, r) : param_new(s, name, r);
		}
		if (wrong) {
			rg_fault_add(faults, RG_FAULT_ERROR, NULL, 0,
				     "plugin %s: parameter %s %s", plugin, r->name,
				     wrong);
			err = EINVAL;
		}
	}
	return err;
}
