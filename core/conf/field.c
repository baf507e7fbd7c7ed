/* field.c -- a value into the row that is being read. */
#include <stdio.h>
#include <string.h>

#include "conf/load.h"
#include "conf/secret.h"
#include "conf/value.h"

static const struct {
	size_t draft, row;
} sizes[CONF_TABLES] = {
	[CONF_INTERFACE_TABLE] = { sizeof(struct draft_raw), sizeof(struct conf_raw) },
	[CONF_SIP_INTERFACE] = { sizeof(struct draft_sip_interface),
				 sizeof(struct conf_sip_interface) },
	[CONF_PROXY_SET] = { sizeof(struct draft_proxy_set),
			     sizeof(struct conf_proxy_set) },
	[CONF_PROXY_IP] = { sizeof(struct draft_proxy_ip), sizeof(struct conf_proxy_ip) },
	[CONF_IP_GROUP] = { sizeof(struct draft_ip_group), sizeof(struct conf_ip_group) },
	[CONF_TRUNK_GROUP] = { sizeof(struct draft_trunk_group),
			       sizeof(struct conf_trunk_group) },
	[CONF_ACCOUNT] = { sizeof(struct draft_account), sizeof(struct conf_account) },
	[CONF_ROUTE] = { sizeof(struct draft_route), sizeof(struct conf_route) },
	[CONF_TLS_CONTEXT] = { sizeof(struct draft_raw), sizeof(struct conf_raw) },
	[CONF_USER_INFO] = { sizeof(struct draft_user_info),
			     sizeof(struct conf_user_info) },
};

size_t load_draft_size(enum conf_table t)
{
	return sizes[t].draft;
}

size_t load_row_size(enum conf_table t)
{
	return t == CONF_GATEWAY ? sizeof(struct conf_gateway) : sizes[t].row;
}

bool load_is_raw(enum conf_table t)
{
	return t == CONF_INTERFACE_TABLE || t == CONF_TLS_CONTEXT;
}

static struct conf_row *open_row(struct load *l)
{
	GArray *rows = l->rows[l->table];

	return (struct conf_row *)(void *)(rows->data +
					   (rows->len - 1) * sizes[l->table].draft);
}

static void store(void *row, const struct schema_param *p, int64_t n)
{
	char *at = (char *)row + p->offset;
	uint8_t u8 = (uint8_t)n;
	uint16_t u16 = (uint16_t)n;
	uint32_t u32 = (uint32_t)n;

	memcpy(at,
	       p->size == 1   ? (void *)&u8
	       : p->size == 2 ? (void *)&u16
			      : (void *)&u32,
	       p->size);
}

/* A string of the configuration; equal ones of a row are one. */
static const char *keep(struct load *l, const struct schema_param *p, const char *text)
{
	const char *s;

	if (!*text)
		return "";
	if (p->type == SCHEMA_NAME || !p->size)
		return rg_arena_intern(l->arena, text);
	for (unsigned i = 0; i < l->n_recent; i++)
		if (!strcmp(l->recent[i], text))
			return l->recent[i];
	s = rg_arena_str(l->arena, text);
	if (l->n_recent < G_N_ELEMENTS(l->recent))
		l->recent[l->n_recent++] = s;
	return s;
}

void field_blank(struct load *l, enum conf_table t, void *row)
{
	char why[VALUE_WHY];
	int64_t n;

	for (uint16_t i = 0; i < schema_count(l->schema); i++) {
		const struct schema_param *p = schema_at(l->schema, i);

		if (p->table != t || !p->size)
			continue;
		if (p->type == SCHEMA_INT || p->type == SCHEMA_BOOL)
			store(row, p,
			      *p->dflt && value_number(p, p->dflt, &n, why) ? n : -1);
		else if (p->type != SCHEMA_CODES)
			*(const char **)(void *)((char *)row + p->offset) = p->dflt;
	}
}

/* ---- rows --------------------------------------------------------------------------- */

void field_row_begin(struct load *l, enum conf_table t, uint32_t index, unsigned line)
{
	struct conf_row *row;

	g_array_append_vals(l->rows[t], l->blank[t], 1);
	row = open_row(l);
	row->index = index;
	row->line = line;
	row->file = l->file;
	row->values = l->no_values;
	if (t == CONF_PROXY_IP)
		((struct draft_proxy_ip *)(void *)row)->seq = l->rows[t]->len;
	l->serial++;
	l->n_recent = 0;
	l->row_open = true;
}

void field_row_end(struct load *l)
{
	struct conf_row *row;

	if (!l->row_open)
		return;
	l->row_open = false;
	row = open_row(l);
	row->values = values_end(l);
	if (row->set)
		g_array_index(l->w->set, struct conf_set, l->w->set->len - 1).last = true;
	if (load_is_raw(l->table)) {
		struct conf_raw *raw = (struct conf_raw *)(void *)row;
		size_t size = l->pair->len * sizeof(struct conf_pair);

		raw->n = (uint16_t)l->pair->len;
		raw->pair = rg_arena_alloc(l->arena, size ? size : 1);
		if (size)
			memcpy(raw->pair, l->pair->data, size);
		g_array_set_size(l->pair, 0);
	}
}

/* ---- one value ---------------------------------------------------------------------- */

static bool same_value(const char *a, const char *b)
{
	char *end_a, *end_b;

	if (!g_ascii_strcasecmp(a, b))
		return true;
	if (!*a || !*b)
		return false;
	return g_ascii_strtoll(a, &end_a, 10) == g_ascii_strtoll(b, &end_b, 10) &&
	       !*end_a && !*end_b && end_a != a && end_b != b;
}

static void ignored(struct load *l, const struct schema_param *p, const char *text)
{
	struct tally *t = &l->tally[p->number];

	if (!*text || !strcmp(p->dflt, "*") || same_value(text, p->dflt))
		return;
	if (!t->count++) {
		t->line = l->line;
		t->file = l->file;
	}
}

/* No secret is ever in the text of the fault. */
static bool clean(struct load *l, const struct schema_param *p, const char *text)
{
	bool secret = p->type == SCHEMA_SECRET || p->type == SCHEMA_SECRET_FILE;
	size_t length = strlen(text), most = p->max ? (size_t)p->max : 255;
	bool wide = false;

	for (const char *c = text; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f) {
			load_error(l, "%s holds a control character", p->name);
			return false;
		}
		wide = wide || (unsigned char)*c > 0x7f;
	}
	if (wide && secret) {
		load_error(l, "%s holds a character outside ASCII", p->name);
		return false;
	}
	if (wide && !g_utf8_validate(text, -1, NULL)) {
		load_error(l, "%s is not UTF-8", p->name);
		return false;
	}
	if (wide)
		length = (size_t)g_utf8_strlen(text, -1);
	if (length > most && length <= 255) {
		struct longer it = { p, l->line, (uint32_t)length, l->file };

		g_array_append_val(l->longer, it);
	} else if (length > most) {
		load_error(l, "%s has %zu characters, more than %zu", p->name, length,
			   most);
		return false;
	}
	return true;
}

/* A file that is named relative to the one that is read.  To be g_freed. */
static char *beside(const struct load *l, const char *name)
{
	char *dir = g_path_get_dirname(l->path);
	char *path = *name == '/' ? g_strdup(name) : g_build_filename(dir, name, NULL);

	g_free(dir);
	return path;
}

static const char *read_secret(struct load *l, const struct schema_param *p,
			       const char *text, char out[SECRET_MAX])
{
	const char *wrong;
	char *path;

	if (p->type == SCHEMA_SECRET)
		return secret_read(text, out);
	path = beside(l, text);
	wrong = secret_file(path, out);
	g_free(path);
	return wrong;
}

/* "${NAME}" with a NAME that may be said aloud, not a password that looks like it. */
static bool is_variable(const char *text)
{
	size_t n = strlen(text);

	return n > 3 && g_str_has_prefix(text, "${") &&
	       strspn(text + 2, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_.-") == n - 3;
}

static void set_secret(struct load *l, void *row, const struct schema_param *p,
		       const char *text)
{
	char secret[SECRET_MAX];
	const char **field = (const char **)(void *)((char *)row + p->offset), *wrong;

	if (p->type == SCHEMA_SECRET && !strcmp(text, "********")) {
		load_warn(l, "%s is masked: it loads as none", p->name);
		return;
	}
	wrong = read_secret(l, p, text, secret);
	if (wrong && p->type == SCHEMA_SECRET_FILE)
		load_error(l, "%s %s: %s", p->name, text, wrong);
	else if (wrong && is_variable(text))
		load_error(l, "%s = %s %s", p->name, text, wrong);
	else if (wrong)
		load_error(l, "%s %s", p->name, wrong);
	else if (**field)
		load_error(l, "%s: the password is given twice", p->name);
	else if (clean(l, p, secret))
		*field = rg_arena_str(l->arena, secret);
	explicit_bzero(secret, sizeof secret);
}

/* Numbers that the texts round. */
static int64_t rounded(const struct schema_param *p, int64_t n)
{
	return p->table == CONF_ACCOUNT && n > 0 && n < 60 &&
			       !strcmp(p->name, "FailbackTimeout")
		       ? 60
		       : n;
}

static void raw_add(struct load *l, const struct schema_param *p, const char *text)
{
	char *path = p->path && *text ? beside(l, text) : NULL;
	struct conf_pair it = { p->name, rg_arena_intern(l->arena, path ? path : text) };

	g_array_append_val(l->pair, it);
	g_free(path);
}

static void set_number(struct load *l, void *row, const struct schema_param *p,
		       const char *text)
{
	char why[VALUE_WHY];
	int64_t n;

	if (!*p->dflt && value_same_word(text, "unset"))
		return;
	if (!value_number(p, text, &n, why)) {
		load_error(l, "%s = %s %s", p->name, text, why);
		return;
	}
	n = rounded(p, n);
	if (p->size)
		store(row, p, n);
	if (p->policy)
		value_add(l, p, n, NULL);
	if (load_is_raw(p->table) && !p->size) {
		snprintf(why, sizeof why, "%" G_GINT64_FORMAT, n);
		raw_add(l, p, why);
	}
}

static void set_codes(struct load *l, void *row, const struct schema_param *p,
		      const char *text)
{
	char why[VALUE_WHY];
	struct rg_codes codes;

	if (!value_codes(text, &codes, why)) {
		load_error(l, "%s = %s %s", p->name, text, why);
		return;
	}
	if (p->size)
		memcpy((char *)row + p->offset, &codes, sizeof codes);
	if (p->policy)
		value_add(l, p, 0, text);
}

static void set(struct load *l, void *row, const struct schema_param *p, char *text)
{
	switch (p->type) {
	case SCHEMA_IGNORED:
		ignored(l, p, text);
		break;
	case SCHEMA_INT:
	case SCHEMA_BOOL:
		if (*text)
			set_number(l, row, p, text);
		break;
	case SCHEMA_CODES:
		set_codes(l, row, p, text);
		break;
	case SCHEMA_SECRET:
	case SCHEMA_SECRET_FILE:
		if (*text)
			set_secret(l, row, p, text);
		break;
	default:
		if (!clean(l, p, text))
			break;
		if (p->size)
			*(const char **)(void *)((char *)row + p->offset) =
				keep(l, p, text);
		else if (load_is_raw(p->table))
			raw_add(l, p, text);
		if (p->policy)
			value_add(l, p, 0, text);
	}
}

/* A row of the device's tables is one line, which the row knows. */
static void note_line(struct load *l, const struct schema_param *p)
{
	struct conf_row *row = open_row(l);
	struct conf_set it = { p->number, (uint16_t)(l->line - row->line), false };

	if (l->line == row->line || l->line - row->line > UINT16_MAX)
		return;
	g_array_append_val(l->w->set, it);
	if (!row->set)
		row->set = l->w->set->len;
}

uint32_t field_line(const struct load *l, const struct conf_row *row, enum conf_table t,
		    const char *name)
{
	const struct schema_param *p = schema_find(l->schema, t, name);

	return p ? conf_param_line(&l->w->c, row, p->number) : row->line;
}

void field_set(struct load *l, const struct schema_param *p, char *text, bool quoted)
{
	if (l->stamp[p->number] == l->serial) {
		load_error(l, "%s stands twice in this row", p->name);
		return;
	}
	l->stamp[p->number] = l->serial;
	if (!quoted && !*text)
		return;
	note_line(l, p);
	set(l, open_row(l), p, text);
}

/* A global may come again, from another file perhaps: the last one counts. */
static void global_again(struct load *l, const struct schema_param *p)
{
	load_warn(l, "%s was set before, at %s:%u; this value counts", p->name,
		  conf_file(&l->w->c, l->w->global_file[p->number]),
		  l->w->global_line[p->number]);
	for (guint i = 0; i < l->value->len; i++)
		if (g_array_index(l->value, struct conf_value, i).number == p->number) {
			g_array_remove_index_fast(l->value, i);
			break;
		}
	if (p->type == SCHEMA_SECRET || p->type == SCHEMA_SECRET_FILE)
		*(const char **)(void *)((char *)&l->gateway + p->offset) = "";
}

void field_set_global(struct load *l, const struct schema_param *p, char *text,
		      bool quoted)
{
	GArray *of_row = l->value;

	l->value = l->global_value;
	if (l->w->global_line[p->number])
		global_again(l, p);
	l->w->global_line[p->number] = l->line;
	l->w->global_file[p->number] = l->file;
	l->n_recent = 0;
	if (quoted || *text)
		set(l, &l->gateway, p, text);
	l->value = of_row;
}

void field_globals_end(struct load *l)
{
	GArray *of_row = l->value;

	l->value = l->global_value;
	l->gateway.g.values = values_end(l);
	l->value = of_row;
}
