/* words.c -- the words of a scenario's line. */
#include "sim/words.h"

#include <ctype.h>
#include <glib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIP_PORT = 5060, HOURS_MOST = 9999 };

void words_fault(struct words *w, const char *fmt, ...)
{
	va_list ap;
	char *text;

	if (w->bad) /* one a line: the rest would only follow from it */
		return;
	w->bad = true;
	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	rg_fault_add(w->faults, RG_FAULT_ERROR, w->file, w->line, "%s", text);
	g_free(text);
}

void words_cut(struct words *w, char *text)
{
	size_t n = 0, size = strlen(text) / 2 + 2;

	w->word = rg_arena_alloc(w->mem, size * sizeof *w->word);
	w->at = 0;
	for (char *p = text;;) {
		char *out;
		bool quoted = false;

		while (isspace((unsigned char)*p))
			p++;
		if (!*p || *p == '#' || *p == ';')
			break;
		w->word[n++] = out = p;
		for (; *p && (quoted || !isspace((unsigned char)*p)); p++) {
			if (*p == '"')
				quoted = !quoted;
			else
				*out++ = *p;
		}
		if (quoted)
			words_fault(w, "a quotation mark is missing");
		if (*p)
			p++;
		*out = '\0';
	}
	w->word[n] = NULL;
}

const char *words_peek(const struct words *w)
{
	return w->word[w->at];
}

const char *words_next(struct words *w, const char *what)
{
	if (w->word[w->at])
		return w->word[w->at++];
	words_fault(w, "%s is missing", what);
	return NULL;
}

void words_end(struct words *w)
{
	if (words_peek(w))
		words_fault(w, "not understood: \"%s\"", words_peek(w));
}

static bool number(const char **p, unsigned most_digits, int64_t *out)
{
	unsigned n = 0;

	for (*out = 0; isdigit((unsigned char)**p) && n < most_digits; n++)
		*out = *out * 10 + *(*p)++ - '0';
	return n > 0;
}

/* HH:MM:SS or HH:MM:SS.mmm; hours go on beyond 23. */
static bool parse_time(const char *p, rg_ms *at, bool *exact)
{
	int64_t h, m, s, ms = 0;

	if (!number(&p, 4, &h) || *p++ != ':' || !number(&p, 2, &m) || *p++ != ':' ||
	    !number(&p, 2, &s) || h > HOURS_MOST || m > 59 || s > 59)
		return false;
	*exact = *p == '.';
	if (*exact) {
		const char *from = ++p;

		if (!number(&p, 3, &ms))
			return false;
		for (long n = p - from; n < 3; n++)
			ms *= 10;
	}
	*at = SCRIPT_EPOCH + ((h * 60 + m) * 60 + s) * 1000 + ms;
	return !*p;
}

static bool time_of(struct words *w, const char *text, rg_ms *from, rg_ms *to)
{
	bool exact;

	if (!parse_time(text, from, &exact)) {
		words_fault(w, "\"%s\" is no time (HH:MM:SS or HH:MM:SS.mmm)", text);
		return false;
	}
	*to = *from + (exact ? 0 : 999);
	return true;
}

rg_ms words_time(struct words *w, rg_ms *end)
{
	const char *text = words_next(w, "a time");
	rg_ms from = 0, to = 0;

	if (text)
		time_of(w, text, &from, &to);
	if (end)
		*end = to;
	return from;
}

bool words_span(struct words *w, rg_ms *from, rg_ms *to)
{
	const char *text = words_next(w, "a time"), *dots = text ? strstr(text, "..") : NULL;
	rg_ms none;
	char *first;
	bool ok;

	*from = *to = 0;
	if (!text)
		return false;
	if (!dots)
		return time_of(w, text, from, to);
	first = g_strndup(text, (gsize)(dots - text));
	ok = time_of(w, first, from, &none) && time_of(w, dots + 2, &none, to);
	g_free(first);
	if (ok && *to < *from)
		words_fault(w, "the window \"%s\" ends before it begins", text);
	return ok;
}

struct rg_addr words_addr_of(struct words *w, const char *text)
{
	struct rg_addr addr = { .port = SIP_PORT };

	if (!rg_addr_parse(&addr, text)) {
		words_fault(w, "\"%s\" is no address", text);
		addr.family = 0;
	}
	return addr;
}

struct rg_addr words_addr(struct words *w)
{
	const char *text = words_next(w, "an address");

	return text ? words_addr_of(w, text) : (struct rg_addr){ .family = 0 };
}

uint8_t words_method(struct words *w, const char *text)
{
	static const struct {
		const char *name;
		uint8_t method;
	} known[] = {
		{ "REGISTER", RG_M_REGISTER }, { "INVITE", RG_M_INVITE },
		{ "OPTIONS", RG_M_OPTIONS },   { "SUBSCRIBE", RG_M_SUBSCRIBE },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
		if (!strcmp(text, known[i].name))
			return known[i].method;
	words_fault(w, "\"%s\" is no method (REGISTER, INVITE, OPTIONS or SUBSCRIBE)", text);
	return RG_M_NONE;
}

bool words_up(struct words *w)
{
	const char *text = words_next(w, "\"up\" or \"down\"");

	if (text && strcmp(text, "up") && strcmp(text, "down"))
		words_fault(w, "\"up\" or \"down\" is wanted, not \"%s\"", text);
	return text && !strcmp(text, "up");
}

int64_t words_number(struct words *w, const char *text, int64_t min, int64_t max)
{
	const char *p = text;
	int64_t n;

	if (number(&p, 10, &n) && !*p && n >= min && n <= max)
		return n;
	words_fault(w, "\"%s\" is no number from %lld to %lld", text, (long long)min,
		    (long long)max);
	return min;
}

const char *words_option(struct words *w, const char *key)
{
	const char *word = words_peek(w);
	size_t n = strlen(key);

	if (!word || strncmp(word, key, n) || word[n] != '=')
		return NULL;
	w->at++;
	return word + n + 1;
}
