#include "base/fault.h"

#include <ctype.h>
#include <glib.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct fault {
	enum rg_severity severity;
	unsigned file, line, seq;
	char *text;
};

struct rg_faults {
	GArray *all;	  /* struct fault */
	GPtrArray *files; /* in order of first appearance */
	size_t errors;
};

static void fault_clear(void *p)
{
	g_free(((struct fault *)p)->text);
}

struct rg_faults *rg_faults_new(void)
{
	struct rg_faults *f = g_new0(struct rg_faults, 1);

	f->all = g_array_new(FALSE, FALSE, sizeof(struct fault));
	g_array_set_clear_func(f->all, fault_clear);
	f->files = g_ptr_array_new_with_free_func(g_free);
	return f;
}

void rg_faults_free(struct rg_faults *f)
{
	if (!f)
		return;
	g_array_free(f->all, TRUE);
	g_ptr_array_free(f->files, TRUE);
	g_free(f);
}

static unsigned file_number(struct rg_faults *f, const char *file)
{
	for (unsigned i = f->files->len; i-- > 0;)
		if (!strcmp(g_ptr_array_index(f->files, i), file))
			return i;
	g_ptr_array_add(f->files, g_strdup(file));
	return f->files->len - 1;
}

void rg_fault_add(struct rg_faults *f, enum rg_severity severity, const char *file,
		  unsigned line, const char *fmt, ...)
{
	const char *kind = severity == RG_FAULT_ERROR ? "error" : "warning";
	struct fault it = { severity, G_MAXUINT, line, f->all->len, NULL };
	char *what, *raw;
	va_list ap;

	va_start(ap, fmt);
	what = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	for (char *c = what; *c; c++) /* input may hold anything; a line stays a line */
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';

	if (file)
		it.file = file_number(f, file);
	if (file && line)
		raw = g_strdup_printf("%s:%u: %s: %s", file, line, kind, what);
	else if (file)
		raw = g_strdup_printf("%s: %s: %s", file, kind, what);
	else
		raw = g_strdup_printf("%s: %s", kind, what);
	it.text = g_utf8_make_valid(raw, -1); /* for JSON, the journal and terminals */
	g_free(raw);
	g_free(what);

	f->errors += severity == RG_FAULT_ERROR;
	g_array_append_val(f->all, it);
}

size_t rg_faults_errors(const struct rg_faults *f)
{
	return f->errors;
}

size_t rg_faults_warnings(const struct rg_faults *f)
{
	return f->all->len - f->errors;
}

size_t rg_faults_count(const struct rg_faults *f)
{
	return f->all->len;
}

const char *rg_faults_text(const struct rg_faults *f, size_t i)
{
	return g_array_index(f->all, struct fault, i).text;
}

enum rg_severity rg_faults_severity(const struct rg_faults *f, size_t i)
{
	return g_array_index(f->all, struct fault, i).severity;
}

static int by_place(const void *a, const void *b)
{
	const struct fault *x = a, *y = b;

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

void rg_faults_sort(struct rg_faults *f)
{
	g_array_sort(f->all, by_place);
}

/* Levenshtein distance with two rows, case ignored; words are names, so short. */
static size_t distance(const char *a, const char *b)
{
	enum { MOST = 64 };
	size_t n = strlen(a), m = strlen(b), row[MOST + 1];

	if (n > MOST || m > MOST)
		return SIZE_MAX;
	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			bool same = tolower((unsigned char)a[i - 1]) ==
				    tolower((unsigned char)b[j - 1]);
			size_t best = diagonal + !same;

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[m];
}

const char *rg_nearest(const char *word, const char *const *names, size_t n)
{
	size_t best = strlen(word) / 3 + 1;
	const char *found = NULL;

	for (size_t i = 0; i < n; i++) {
		size_t d = distance(word, names[i]);

		if (d <= best && d < strlen(names[i]) && (!found || d < best)) {
			best = d;
			found = names[i];
		}
	}
	return found;
}
