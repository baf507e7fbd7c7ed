/* table.c -- headings, rows in both forms, and globals: a line at a time. */
#include <ctype.h>
#include <string.h>

#include "conf/load.h"
#include "conf/value.h"

enum { COLUMNS = 512 };

/* "; did you mean 'X'?" for a mistyped name, as long as hints are left: each costs
 * O(names), and a broken file may hold a hundred thousand. */
static const char *hint(struct load *l, enum conf_table t, const char *name, char buf[96])
{
	const char *near = l->hints ? schema_nearest(l->schema, t, name) : NULL;

	buf[0] = '\0';
	if (near) {
		l->hints--;
		g_snprintf(buf, 96, "; did you mean '%s'?", near);
	}
	return buf;
}

/* A name as it may be shown: its first word, and a row's number.  What follows, or stands
 * behind a quote, may be a password in the wrong place. */
static const char *shown(struct load *l, const char *name)
{
	size_t n = strcspn(name, " \t:\""), more = strspn(name + n, " \t0123456789");

	if (!name[n + more])
		n += more;
	if (!n || n >= sizeof l->shown)
		return n ? "a long name" : "...";
	memcpy(l->shown, name, n);
	l->shown[n] = '\0';
	return l->shown;
}

/* ---- headings ----------------------------------------------------------------------- */

static bool ends_in_params(const char *title)
{
	size_t n = strlen(title);

	return n >= 6 && !g_ascii_strcasecmp(title + n - 6, "Params");
}

static void section_end(struct load *l, bool closed)
{
	if (l->table != CONF_TABLES && l->form == FORM_OPEN && !closed &&
	    l->table != CONF_PLUGINS)
		field_row_begin(l, l->table, CONF_NONE,
				l->opened); /* a row of defaults */
	if (l->form == FORM_TABLE && !closed && l->table != CONF_TABLES)
		rg_fault_add(l->faults, RG_FAULT_ERROR, l->path, l->opened,
			     "table %s is not closed: add the line [ \\%s ] after its "
			     "last row",
			     l->title, l->title);
	field_row_end(l);
	l->table = CONF_TABLES;
	l->form = FORM_OPEN;
	l->n_column = 0;
	l->channels = false;
	l->globals = true;
	l->strict = l->skip = false;
	l->title[0] = '\0';
}

static void section_add(struct load *l, const char *title)
{
	gpointer name = (gpointer)(uintptr_t)rg_arena_intern(l->arena, title);

	if (g_hash_table_add(l->section_seen, name))
		g_ptr_array_add(l->sections, name);
}

/* A service's own section is one, too, when its plugin is not loaded. */
static void unknown(struct load *l, const char *title)
{
	const char *near;

	section_add(l, title);
	l->globals = false;
	l->skip = true;
	if (!g_hash_table_add(l->unknown_titles, g_ascii_strdown(title, -1)))
		return;
	near = schema_nearest_table(title);
	load_warn(l, "[%.99s] is no table known here and is skipped%s%s%s", title,
		  near ? "; did you mean [" : "", near ? near : "", near ? "]?" : "");
}

static void section_begin(struct load *l, const char *title)
{
	enum conf_table t = schema_table(title);

	section_end(l, false);
	g_strlcpy(l->title, title, sizeof l->title);
	l->opened = l->line;
	if (t == CONF_GATEWAY) {
		l->strict = true;
	} else if (t != CONF_TABLES) {
		l->globals = false;
		l->table = t;
	} else if (schema_plugin(l->schema, title)) {
		l->strict = true;
		section_add(l, title);
	} else if (!ends_in_params(title)) {
		unknown(l, title);
	}
}

static void section_close(struct load *l, const char *title)
{
	if (g_ascii_strcasecmp(title, l->title)) {
		if (l->table != CONF_TABLES)
			load_error(l,
				   "[ \\%.99s ] closes a table that is not open: %s of line "
				   "%u is",
				   title, l->title, l->opened);
		return;
	}
	section_end(l, true);
}

/* ---- values ------------------------------------------------------------------------- */

/* Take away one pair of quotes.  false: it was opened and not closed. */
static bool unquote(char **text, char quote, bool *quoted)
{
	size_t n = strlen(*text);

	*quoted = false;
	if ((*text)[0] != quote)
		return true;
	if (n < 2 || (*text)[n - 1] != quote)
		return false;
	(*text)[n - 1] = '\0';
	++*text;
	*quoted = true;
	return true;
}

static bool value_text(struct load *l, const char *name, char **text, bool *quoted)
{
	bool device = l->globals && !l->strict;

	if (unquote(text, '"', quoted) &&
	    (*quoted || !device || unquote(text, '\'', quoted)))
		return true;
	l->open_quote = l->line;
	load_error(l,
		   "the quote that opens the value of %s is not closed on this line; "
		   "if the value goes on in the next line, join the two",
		   shown(l, name));
	return false;
}

static void global_unknown(struct load *l, const char *name)
{
	char buf[96];

	if (l->strict) {
		load_error(l, "unknown parameter '%s' in [%s]%s", shown(l, name), l->title,
			   hint(l, CONF_GATEWAY, name, buf));
		return;
	}
	if (!l->unknown_globals.count++) {
		l->unknown_globals.line = l->line;
		g_strlcpy(l->unknown_global, shown(l, name), sizeof l->unknown_global);
	}
}

static void global_line(struct load *l, char *name, char *text)
{
	const struct schema_param *p = schema_find(l->schema, CONF_GATEWAY, name);
	bool quoted;

	if (!value_text(l, name, &text, &quoted))
		return;
	if (p)
		field_set_global(l, p, text, quoted);
	else
		global_unknown(l, name);
}

/* ---- one section per row ------------------------------------------------------------ */

static bool plugin_name(const char *w)
{
	return !w[strspn(w,
			 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			 "_-")];
}

static void plugins_line(struct load *l, char *text)
{
	char *save = NULL;

	if (!l->w->c.load_line) {
		l->w->c.load_line = l->line;
		l->w->c.load_file = l->file;
	}
	l->w->c.load_all = false;
	for (char *w = strtok_r(text, ", \t", &save); w;
	     w = strtok_r(NULL, ", \t", &save)) {
		if (plugin_name(w))
			g_ptr_array_add(l->plugins, (gpointer)(uintptr_t)rg_arena_intern(
							    l->arena, w));
		else
			load_error(l, "'%s' cannot be the name of a plugin", shown(l, w));
	}
}

static void row_line(struct load *l, char *name, char *text)
{
	const struct schema_param *p = schema_find(l->schema, l->table, name);
	char buf[96];
	bool quoted;

	if (l->form == FORM_OPEN && l->table != CONF_PLUGINS)
		field_row_begin(l, l->table, CONF_NONE, l->opened);
	l->form = FORM_ROW;
	if (!p) {
		load_error(l, "unknown parameter '%s' in [%s]%s", shown(l, name), l->title,
			   hint(l, l->table, name, buf));
		return;
	}
	if (!value_text(l, name, &text, &quoted))
		return;
	if (l->table == CONF_PLUGINS)
		plugins_line(l, text);
	else
		field_set(l, p, text, quoted);
}

/* ---- the device's table form --------------------------------------------------------- */

static bool unknown_is_error(enum conf_table t)
{
	return t == CONF_SIP_INTERFACE || t == CONF_PROXY_SET || t == CONF_PROXY_IP ||
	       t == CONF_IP_GROUP || t == CONF_ACCOUNT;
}

static void column(struct load *l, const char *name)
{
	const struct schema_param *p = schema_find(l->schema, l->table, name);
	bool error = unknown_is_error(l->table);
	char buf[96];

	if (!p)
		rg_fault_add(
			l->faults, error ? RG_FAULT_ERROR : RG_FAULT_WARNING, l->path,
			l->line, "unknown column '%s' in the FORMAT of %s%s%s",
			shown(l, name), l->title, hint(l, l->table, name, buf),
			error ? " (correct it, or take it out of FORMAT and rows)" : "");
	for (uint32_t i = 0; p && i < l->n_column; i++)
		if (l->column[i] == p) {
			load_error(l, "column '%s' stands twice in the FORMAT of %s",
				   shown(l, name), l->title);
			p = NULL;
		}
	if (l->n_column == COLUMNS) {
		load_error(l, "more than %d columns", COLUMNS);
		l->n_column--;
	}
	l->column[l->n_column++] = p;
}

static void format_line(struct load *l, char *text)
{
	size_t n = strlen(text);

	if (l->form != FORM_OPEN) {
		load_error(l,
			   "FORMAT stands in the midst of %s: it must be its first line",
			   l->title);
		return;
	}
	l->form = FORM_TABLE;
	l->format_line = l->line;
	if (!l->column)
		l->column = g_new0(const struct schema_param *, COLUMNS);
	if (n && text[n - 1] == ';')
		text[n - 1] = '\0';
	else
		load_error(l, "FORMAT does not end in ';': is the line cut?");
	l->channels = l->table == CONF_TRUNK_GROUP && strcasestr(text, "TrunkGroupNum");
	for (char *next; text; text = next) {
		next = strchr(text, ',');
		if (next)
			*next++ = '\0';
		text = g_strstrip(text);
		if (*text)
			column(l, text);
		else
			load_error(l, "FORMAT of %s has an empty column name", l->title);
	}
}

/* The next field of a row, cut out in place.  at points behind it, *end says what
 * follows: ',' or ';' (of the line's end), 0: neither. */
static char *field_next(char **at, bool *quoted, char *end)
{
	char *s = *at, *start, *stop;

	while (isspace((unsigned char)*s))
		s++;
	*quoted = *s == '"';
	if (*quoted) {
		/* A quote closes only before a separator: passwords may hold quotes. */
		for (stop = start = s + 1; *stop; stop++) {
			if (*stop != '"')
				continue;
			s = stop + 1;
			while (isspace((unsigned char)*s))
				s++;
			if (!*s || *s == ',' || (*s == ';' && !s[1]))
				break;
		}
		if (!*stop) {
			*end = '"';
			return NULL;
		}
	} else {
		start = s;
		while (*s && *s != ',' && !(*s == ';' && !s[1]))
			s++;
		for (stop = s; stop > start && isspace((unsigned char)stop[-1]);)
			stop--;
	}
	*end = *s;
	*at = *s ? s + 1 : s;
	*stop = '\0';
	return start;
}

/* Values of a row that is told to be cut or miscounted are not looked at. */
static uint32_t fields(struct load *l, char *text, char **value, bool *quoted)
{
	uint32_t n = 0;
	char end;

	do {
		bool q;
		char *v = field_next(&text, &q, &end);

		if (!v) {
			load_error(l, "the quote that opens value %u is not closed",
				   n + 1);
			return 0;
		}
		if (n < COLUMNS) {
			value[n] = v;
			quoted[n] = q;
		}
		n++;
	} while (end == ',');
	if (end != ';') {
		load_error(l, "the row does not end in ';': is it cut?");
		return 0;
	}
	if (n != l->n_column) {
		load_error(
			l,
			"%u values for %u columns: count them against FORMAT in line %u",
			n, l->n_column, l->format_line);
		return 0;
	}
	return n;
}

static void table_row(struct load *l, uint32_t index, char *text)
{
	char *value[COLUMNS];
	bool quoted[COLUMNS];
	uint32_t n;

	n = fields(l, text, value, quoted);
	if (!n)
		return;
	field_row_begin(l, l->table, l->channels ? CONF_NONE : index, l->line);
	for (uint32_t i = 0; i < n; i++)
		if (l->column[i] && (quoted[i] || strcmp(value[i], "$$")))
			field_set(l, l->column[i], value[i], quoted[i]);
	field_row_end(l);
}

/* "Account 7": the rest after the title, or NULL. */
static const char *after_title(const struct load *l, const char *name)
{
	const char *titles[] = { l->title, schema_title(l->table) };

	for (size_t i = 0; i < G_N_ELEMENTS(titles); i++) {
		size_t n = strlen(titles[i]);

		if (!g_ascii_strncasecmp(name, titles[i], n) &&
		    isspace((unsigned char)name[n])) {
			for (name += n; isspace((unsigned char)*name);)
				name++;
			return name;
		}
	}
	return NULL;
}

static void table_line(struct load *l, char *name, char *text)
{
	const char *number = after_title(l, name);
	uint32_t index;

	if (l->table == CONF_PLUGINS) {
		row_line(l, name, text);
	} else if (!strncasecmp(name, "FORMAT", 6) &&
		   (!name[6] || isspace((unsigned char)name[6]))) {
		format_line(l, text);
	} else if (!number && l->form != FORM_TABLE) {
		row_line(l, name, text);
	} else if (!number) {
		load_error(l, "'%s' is neither FORMAT nor a row of %s", shown(l, name),
			   l->title);
	} else if (l->form != FORM_TABLE) {
		load_error(l, "a row of %s comes before its FORMAT line", l->title);
	} else if (!value_digits(number, INT32_MAX, &index)) {
		load_error(l, "'%s' is no row number", shown(l, number));
	} else {
		table_row(l, index, text);
	}
}

static void other_line(struct load *l, const char *text)
{
	if (l->skip)
		return;
	if (*text == '[')
		load_error(l, "the heading is not closed: ']' is missing");
	else if (l->open_quote && l->open_quote + 1 == l->line)
		load_error(l, "this is the rest of line %u: join the two", l->open_quote);
	else
		load_error(l, "neither a heading, a comment nor 'name = value'");
}

void load_line(struct ini_line *line, void *arg)
{
	struct load *l = arg;

	l->line = line->line;
	switch (line->kind) {
	case INI_OPEN:
		section_begin(l, line->name);
		break;
	case INI_CLOSE:
		section_close(l, line->name);
		break;
	case INI_OTHER:
		other_line(l, line->name);
		break;
	case INI_PAIR:
		if (l->globals)
			global_line(l, line->name, line->value);
		else if (!l->skip)
			table_line(l, line->name, line->value);
	}
}

void load_file_end(struct load *l)
{
	const char *near;

	section_end(l, false);
	if (!l->unknown_globals.count)
		return;
	l->line = l->unknown_globals.line;
	near = schema_nearest(l->schema, CONF_GATEWAY, l->unknown_global);
	load_warn(l, "%u parameter%s not known here and skipped, the first is '%s'%s%s%s",
		  l->unknown_globals.count,
		  l->unknown_globals.count == 1 ? " is" : "s are", l->unknown_global,
		  near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	l->unknown_globals.count = 0;
}
