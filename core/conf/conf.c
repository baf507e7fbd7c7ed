#include "conf/conf.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conf/load.h"

enum { HINTS = 100 };

static struct conf_whole *whole(const struct conf *c)
{
	return (struct conf_whole *)(uintptr_t)c;
}

/* ---- reading ------------------------------------------------------------------------ */

static struct load *load_new(const struct schema *schema, struct rg_faults *faults)
{
	struct load *l = g_new0(struct load, 1);
	size_t n = schema_count(schema);

	l->w = g_new0(struct conf_whole, 1);
	l->w->refs = 1;
	l->w->arena = rg_arena_new();
	l->w->file = g_ptr_array_new();
	l->w->c.load_all = true;
	l->schema = schema;
	l->faults = faults;
	l->arena = l->w->arena;
	l->hints = HINTS;
	l->tally = g_new0(struct tally, n);
	l->stamp = g_new0(uint32_t, n);
	l->w->global_line = rg_arena_alloc(l->arena, n * sizeof(uint32_t));
	l->w->global_file = rg_arena_alloc(l->arena, n * sizeof(uint16_t));
	l->w->n_global = n;
	l->w->set = g_array_new(FALSE, FALSE, sizeof(struct conf_set));
	l->longer = g_array_new(FALSE, FALSE, sizeof(struct longer));
	l->value = g_array_new(FALSE, FALSE, sizeof(struct conf_value));
	l->global_value = g_array_new(FALSE, FALSE, sizeof(struct conf_value));
	l->pair = g_array_new(FALSE, FALSE, sizeof(struct conf_pair));
	l->sections = g_ptr_array_new();
	l->section_seen = g_hash_table_new(NULL, NULL);
	l->plugins = g_ptr_array_new();
	l->table = CONF_TABLES;
	l->globals = true;
	l->no_values = values_of(l, NULL, 0);
	field_blank(l, CONF_GATEWAY, &l->gateway);
	for (int t = 0; t < CONF_TABLES; t++) {
		size_t size = load_draft_size((enum conf_table)t);

		if (!size)
			continue;
		l->rows[t] = g_array_new(FALSE, FALSE, (guint)size);
		l->blank[t] = g_malloc0(size);
		field_blank(l, (enum conf_table)t, l->blank[t]);
	}
	return l;
}

static void load_free(struct load *l)
{
	for (int t = 0; t < CONF_TABLES; t++) {
		if (l->rows[t])
			g_array_free(l->rows[t], TRUE);
		g_free(l->blank[t]);
	}
	g_hash_table_destroy(l->value_sets);
	g_hash_table_destroy(l->trunk_by_id);
	g_ptr_array_free(l->sections, TRUE);
	g_hash_table_destroy(l->section_seen);
	g_ptr_array_free(l->plugins, TRUE);
	g_array_free(l->pair, TRUE);
	g_array_free(l->value, TRUE);
	g_array_free(l->global_value, TRUE);
	g_array_free(l->longer, TRUE);
	g_free(l->column);
	g_free(l->tally);
	g_free(l->stamp);
	g_free(l);
}

static void read_file(struct load *l, const char *path)
{
	if (l->w->file->len > UINT16_MAX) {
		rg_fault_add(l->faults, RG_FAULT_ERROR, path, 0, "one file too many");
		return;
	}
	l->path = rg_arena_str(l->arena, path);
	l->file = (uint16_t)l->w->file->len;
	g_ptr_array_add(l->w->file, (gpointer)(uintptr_t)l->path);
	l->unknown_titles = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	ini_read(path, load_line, l, l->faults);
	load_file_end(l);
	g_hash_table_destroy(l->unknown_titles);
}

static int is_ini(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 4 && d->d_name[0] != '.' && !strcmp(d->d_name + n - 4, ".ini");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void read_directory(struct load *l, const char *path)
{
	struct dirent **all;
	int n = scandir(path, &all, is_ini, by_name);
	size_t len = strlen(path);

	if (n < 0) {
		rg_fault_add(l->faults, RG_FAULT_ERROR, path, 0, "cannot be read: %s",
			     g_strerror(errno));
		return;
	}
	if (!n)
		rg_fault_add(l->faults, RG_FAULT_ERROR, path, 0,
			     "the directory holds no *.ini file");
	for (int i = 0; i < n; i++) {
		char *file = g_strdup_printf(
			"%s%s%s", path, path[len - 1] == '/' ? "" : "/", all[i]->d_name);

		read_file(l, file);
		g_free(file);
		free(all[i]);
	}
	free(all);
}

static const char **list(struct load *l, const GPtrArray *names, uint32_t *n)
{
	const char **all =
		rg_arena_alloc(l->arena, names->len ? names->len * sizeof *all : 1);

	*n = names->len;
	for (guint i = 0; i < names->len; i++)
		all[i] = g_ptr_array_index(names, i);
	return all;
}

struct conf *conf_read(const char *const *paths, size_t n, const struct schema *schema,
		       struct rg_faults *faults)
{
	struct load *l = load_new(schema, faults);
	struct conf *c = &l->w->c;
	struct stat st;

	for (size_t i = 0; i < n; i++) {
		if (*paths[i] && !stat(paths[i], &st) && S_ISDIR(st.st_mode))
			read_directory(l, paths[i]);
		else
			read_file(l, paths[i]);
	}
	build_rows(l);
	c->section = list(l, l->sections, &c->n_section);
	c->load = list(l, l->plugins, &c->n_load);
	check_all(l);
	load_free(l);
	rg_faults_sort(faults);
	return c;
}

struct conf *conf_load(const char *const *paths, size_t n, const struct schema *schema,
		       struct rg_faults *faults)
{
	size_t errors = rg_faults_errors(faults);
	struct conf *c = conf_read(paths, n, schema, faults);

	if (rg_faults_errors(faults) == errors)
		return c;
	conf_unref(c);
	return NULL;
}

/* ---- the finished thing -------------------------------------------------------------- */

struct conf *conf_ref(struct conf *c)
{
	if (c)
		g_atomic_int_inc(&whole(c)->refs);
	return c;
}

void conf_unref(struct conf *c)
{
	struct conf_whole *w = whole(c);

	if (!c || !g_atomic_int_dec_and_test(&w->refs))
		return;
	conf_settle(c);
	rg_arena_free(w->arena);
	g_ptr_array_free(w->file, TRUE);
	g_free(w);
}

const char *conf_file(const struct conf *c, uint16_t file)
{
	const GPtrArray *all = whole(c)->file;

	return file < all->len ? g_ptr_array_index(all, file) : NULL;
}

uint32_t conf_global_line(const struct conf *c, uint16_t number, const char **file)
{
	const struct conf_whole *w = whole(c);

	if (number >= w->n_global || !w->global_line[number])
		return 0;
	*file = conf_file(c, w->global_file[number]);
	return w->global_line[number];
}

uint32_t conf_param_line(const struct conf *c, const struct conf_row *row, uint16_t number)
{
	const GArray *set = whole(c)->set;

	for (uint32_t i = row->set; set && i && i <= set->len; i++) {
		const struct conf_set *s = &g_array_index(set, struct conf_set, i - 1);

		if (s->number == number)
			return row->line + s->below;
		if (s->last)
			break;
	}
	return row->line;
}

void conf_settle(struct conf *c)
{
	struct conf_whole *w = whole(c);

	if (w->set)
		g_array_free(w->set, TRUE);
	w->set = NULL;
}

uint32_t conf_account_find(const struct conf *c, const char *name)
{
	return names_refer(&whole(c)->account, c->n_account, name);
}

uint32_t conf_ip_group_find(const struct conf *c, const char *name)
{
	return names_refer(&whole(c)->ip_group, c->n_ip_group, name);
}

uint32_t conf_proxy_set_find(const struct conf *c, const char *name)
{
	return names_refer(&whole(c)->proxy_set, c->n_proxy_set, name);
}

const char *conf_raw_value(const struct conf_raw *r, const char *key)
{
	for (uint16_t i = 0; i < r->n; i++)
		if (!strcmp(r->pair[i].key, key))
			return r->pair[i].value;
	return "";
}

const struct conf_value *conf_value(const struct conf_values *values, uint16_t number)
{
	size_t low = 0, high = values->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (values->v[mid].number == number)
			return &values->v[mid];
		if (values->v[mid].number < number)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}
