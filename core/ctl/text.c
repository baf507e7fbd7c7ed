#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

char *text_clean(const char *s)
{
	GString *out = g_string_new(NULL);

	while (*s) {
		gunichar c = g_utf8_get_char_validated(s, -1);

		if (c == (gunichar)-1 || c == (gunichar)-2) {
			g_string_append_printf(out, "\\x%02x", (unsigned char)*s++);
			continue;
		}
		if (g_unichar_isprint(c))
			g_string_append_unichar(out, c);
		else
			g_string_append_printf(out, c < 0x100 ? "\\x%02x" : "\\u{%x}", c);
		s = g_utf8_next_char(s);
	}
	return g_string_free(out, FALSE);
}

static char *joined(const json_t *array)
{
	GString *out = g_string_new(NULL);
	const json_t *item;
	size_t i;

	json_array_foreach(array, i, item) {
		char *text = text_value(item);

		g_string_append_printf(out, "%s%s", i ? " " : "", text);
		g_free(text);
	}
	if (!out->len)
		g_string_append_c(out, '-');
	return g_string_free(out, FALSE);
}

static char *members(const json_t *object)
{
	GString *out = g_string_new(NULL);
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value) {
		char *name = text_clean(key), *text = text_value(value);

		g_string_append_printf(out, "%s%s %s", out->len ? ", " : "", name, text);
		g_free(name);
		g_free(text);
	}
	return g_string_free(out, FALSE);
}

char *text_value(const json_t *value)
{
	if (json_is_string(value) && *json_string_value(value))
		return text_clean(json_string_value(value));
	if (json_is_integer(value))
		return g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
	if (json_is_real(value))
		return g_strdup_printf("%.1f", json_real_value(value));
	if (json_is_boolean(value))
		return g_strdup(json_is_true(value) ? "yes" : "no");
	if (json_is_array(value))
		return joined(value);
	if (json_is_object(value) && json_object_size(value))
		return members(value);
	return g_strdup("-");
}

char *text_member(const json_t *object, const char *key)
{
	return text_value(json_object_get(object, key));
}

char *text_duration(const json_t *seconds)
{
	double v = json_number_value(seconds);
	long s;

	if (!json_is_number(seconds) || v < -1e9 || v > 1e12)
		return g_strdup("-");
	s = (long)v;
	if (s < 60)
		return g_strdup_printf("%lds", s);
	if (s < 3600)
		return g_strdup_printf("%ldm%02lds", s / 60, s % 60);
	if (s < 86400)
		return g_strdup_printf("%ldh%02ldm", s / 3600, s / 60 % 60);
	return g_strdup_printf("%ldd%02ldh", s / 86400, s / 3600 % 24);
}

char *text_time(const json_t *at)
{
	double v = json_number_value(at);
	char buf[32];
	struct tm tm;
	time_t t;

	if (!json_is_number(at) || v <= 0)
		return text_value(json_is_number(at) ? NULL : at);
	t = (time_t)(v > 1e11 ? v / 1000 : v);
	if (v > 1e15 || !localtime_r(&t, &tm) ||
	    !strftime(buf, sizeof buf, "%Y-%m-%d %H:%M:%S", &tm))
		return text_value(at);
	return g_strdup(buf);
}

void text_json(const json_t *value, bool indented)
{
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII |
					       (indented ? JSON_INDENT(2) : 0));

	/* jansson leaves DEL as it is. */
	for (const char *p = text; p && *p; p++) {
		if (*p == 0x7f)
			fputs("\\u007f", stdout);
		else
			putchar(*p);
	}
	free(text);
}

int text_columns(void)
{
	struct winsize ws;

	if (!isatty(STDOUT_FILENO))
		return 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col >= 20)
		return ws.ws_col;
	return 80;
}

static int char_width(gunichar c)
{
	return g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
}

static int text_width(const char *s)
{
	int n = 0;

	for (; *s; s = g_utf8_next_char(s))
		n += char_width(g_utf8_get_char(s));
	return n;
}

/* Print s in a cell; longer than most (not 0), it ends in "~". */
static void print_cell(const char *s, int width, int most, bool right, bool last)
{
	int n = text_width(s), used = 0;

	if (right)
		printf("%*s", n < width ? width - n : 0, "");
	if (!most || n <= most) {
		fputs(s, stdout);
		used = n;
	} else {
		const char *p = s;

		while (used + char_width(g_utf8_get_char(p)) < most) {
			used += char_width(g_utf8_get_char(p));
			p = g_utf8_next_char(p);
		}
		printf("%.*s~", (int)(p - s), s);
		used++;
	}
	if (!last)
		printf("%*s", (right || used >= width ? 0 : width - used) + 1, "");
}

void text_table_init(struct text_table *t, const struct text_column *column, int n)
{
	*t = (struct text_table){ .column = column, .n = n, .limit = -1,
				  .cells = g_ptr_array_new_with_free_func(g_free) };
}

void text_cell(struct text_table *t, char *s)
{
	g_ptr_array_add(t->cells, s);
}

static void print_row(struct text_table *t, const char *const *cell)
{
	int columns = text_columns(), used = 0;

	if (t->limit == 0)
		return;
	if (t->limit > 0)
		t->limit--;
	for (int i = 0; i < t->n; i++) {
		int most = !columns ? 0 : t->width[i];

		if (i == t->n - 1 && columns)
			most = columns - used > 4 ? columns - used : 4;
		print_cell(cell[i], t->width[i], most, t->column[i].right, i == t->n - 1);
		used += t->width[i] + 1;
	}
	putchar('\n');
}

static void measure(struct text_table *t, bool more)
{
	for (int i = 0; i < t->n; i++) {
		const struct text_column *c = &t->column[i];
		int w = text_width(c->title);

		for (guint k = (guint)i; k < t->cells->len; k += (guint)t->n)
			w = MAX(w, text_width(t->cells->pdata[k]));
		if (c->most)
			w = more ? c->most : MIN(w, c->most);
		t->width[i] = w;
	}
}

void text_table_flush(struct text_table *t, bool more)
{
	if (!t->begun) {
		const char *title[12];

		measure(t, more);
		for (int i = 0; i < t->n; i++)
			title[i] = t->column[i].title;
		print_row(t, title);
		t->begun = true;
	}
	for (guint k = 0; k + (guint)t->n <= t->cells->len; k += (guint)t->n)
		print_row(t, (const char *const *)t->cells->pdata + k);
	g_ptr_array_set_size(t->cells, 0);
}

void text_table_end(struct text_table *t)
{
	text_table_flush(t, false);
	g_ptr_array_unref(t->cells);
}
