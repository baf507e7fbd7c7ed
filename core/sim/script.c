/* script.c -- reads a scenario (see regwaysim(1) for its lines). */
#include "sim/script.h"

#include <stdio.h>
#include <string.h>

#include "sim/reader.h"

char *script_time(rg_ms at, char buf[SCRIPT_TIME])
{
	long long ms = at - SCRIPT_EPOCH;

	snprintf(buf, SCRIPT_TIME, "%02lld:%02lld:%02lld.%03lld", ms / 3600000,
		 ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
	return buf;
}

const char *reader_keep(struct reader *r, const char *text)
{
	return text ? rg_arena_str(r->s->mem, text) : "";
}

const char *reader_path(struct reader *r, const char *word)
{
	bool as_is = g_path_is_absolute(word) || !strcmp(r->s->folder, ".");
	char *full = as_is ? g_strdup(word) : g_build_filename(r->s->folder, word, NULL);
	const char *kept = reader_keep(r, full);

	if (!g_file_test(full, G_FILE_TEST_EXISTS))
		words_fault(&r->w, "there is no file \"%s\"", full);
	g_free(full);
	return kept;
}

/* ---- the file ------------------------------------------------------------------------------- */

static void read_config(struct reader *r)
{
	const char *word = words_next(&r->w, "a file");

	for (; word; word = words_peek(&r->w) ? words_next(&r->w, "") : NULL)
		g_ptr_array_add(r->config, (gpointer)reader_path(r, word));
}

static void read_line(struct reader *r, char *text)
{
	struct words *w = &r->w;
	struct script_line l = { .line = w->line };
	const char *word;

	r->text = reader_keep(r, g_strstrip(text));
	w->bad = false;
	words_cut(w, text);
	if (w->bad || !words_peek(w))
		return;
	word = words_next(w, "");
	if (!strcmp(word, "config")) {
		read_config(r);
	} else if (!strcmp(word, "start")) {
		if (r->has_start)
			words_fault(w, "a second start");
		r->has_start = true;
		r->s->start = words_time(w, NULL);
	} else if (!strcmp(word, "until")) {
		if (r->has_until)
			words_fault(w, "a second until");
		r->has_until = true;
		words_time(w, &r->s->until);
	} else if (!strcmp(word, "strict")) {
		r->s->strict = true;
	} else if (!strcmp(word, "dns")) {
		reader_dns(r, &l);
		g_array_append_val(r->line, l);
	} else if (!strcmp(word, "at")) {
		reader_at(r);
	} else if (!strcmp(word, "expect") || !strcmp(word, "never")) {
		reader_expect(r, *word == 'n');
	} else {
		words_fault(w, "\"%s\" begins no line of a scenario", word);
	}
	words_end(w);
}

/* What can only be said when all lines are known. */
static void complete(struct reader *r)
{
	struct script *s = r->s;

	if (!r->config->len)
		rg_fault_add(r->w.faults, RG_FAULT_ERROR, s->file, r->w.line, "no config line");
	if (!r->has_until)
		s->until = MAX(r->last, s->start);
	if (s->until < s->start)
		rg_fault_add(r->w.faults, RG_FAULT_ERROR, s->file, r->w.line,
			     "until is before start");
	for (guint i = 0; i < r->line->len; i++) {
		struct script_line *l = &g_array_index(r->line, struct script_line, i);

		if (!l->at)
			l->at = s->start;
		if (l->at < s->start || l->at > s->until)
			rg_fault_add(r->w.faults, RG_FAULT_ERROR, s->file, l->line,
				     "the time is %s",
				     l->at < s->start ? "before start" : "after until");
	}
	for (guint i = 0; i < r->expect->len; i++) {
		struct script_expect *x = &g_array_index(r->expect, struct script_expect, i);

		if (x->to < s->start || x->from > s->until)
			rg_fault_add(r->w.faults, RG_FAULT_ERROR, s->file, x->line,
				     "the time is not between start and until");
	}
}

static int by_time(gconstpointer a, gconstpointer b)
{
	const struct script_line *x = a, *y = b;

	return x->at != y->at ? (x->at > y->at) - (x->at < y->at)
			      : (x->line > y->line) - (x->line < y->line);
}

static void *array_keep(struct script *s, GArray *a, size_t size, size_t *n)
{
	void *p = rg_arena_alloc(s->mem, (a->len + 1) * size);

	*n = a->len;
	if (a->len)
		memcpy(p, a->data, a->len * size);
	g_array_free(a, TRUE);
	return p;
}

struct script *script_read(const char *file, struct rg_faults *f)
{
	struct script *s = g_new0(struct script, 1);
	struct reader r = { .s = s };
	char *folder = g_path_get_dirname(file), *text = NULL, **line;
	size_t errors = rg_faults_errors(f);
	GError *err = NULL;

	s->mem = rg_arena_new();
	s->file = rg_arena_str(s->mem, file);
	s->folder = rg_arena_str(s->mem, folder);
	g_free(folder);
	s->start = SCRIPT_EPOCH;
	if (!g_file_get_contents(file, &text, NULL, &err)) {
		rg_fault_add(f, RG_FAULT_ERROR, file, 0, "%s", err->message);
		g_error_free(err);
		script_free(s);
		return NULL;
	}
	r.w = (struct words){ .faults = f, .mem = s->mem, .file = s->file };
	r.line = g_array_new(FALSE, TRUE, sizeof(struct script_line));
	r.expect = g_array_new(FALSE, TRUE, sizeof(struct script_expect));
	r.config = g_ptr_array_new();
	line = g_strsplit(g_str_has_prefix(text, "\xef\xbb\xbf") ? text + 3 : text, "\n", -1);
	for (size_t i = 0; line[i]; i++) {
		r.w.line = (unsigned)i + 1;
		read_line(&r, line[i]);
	}
	r.w.line = MAX(r.w.line - (text[0] && g_str_has_suffix(text, "\n")), 1u);
	complete(&r);
	g_array_sort(r.line, by_time);
	s->line = array_keep(s, r.line, sizeof(struct script_line), &s->n_line);
	s->expect = array_keep(s, r.expect, sizeof(struct script_expect), &s->n_expect);
	s->n_config = r.config->len;
	s->config = rg_arena_alloc(s->mem, (r.config->len + 1) * sizeof *s->config);
	for (guint i = 0; i < r.config->len; i++)
		s->config[i] = r.config->pdata[i];
	g_ptr_array_free(r.config, TRUE);
	g_strfreev(line);
	g_free(text);
	if (rg_faults_errors(f) == errors)
		return s;
	script_free(s);
	return NULL;
}

void script_free(struct script *s)
{
	if (!s)
		return;
	rg_arena_free(s->mem);
	g_free(s);
}
