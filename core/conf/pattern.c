/* pattern.c -- patterns of user parts: read once, matched by the set of places reached. */
#include "conf/pattern.h"

#include <glib.h>
#include <string.h>

#include "conf/value.h"

enum { PARTS = 64, RANGES = 64, USER = 256 };

struct range { /* of numbers with so many digits */
	uint8_t digits;
	uint32_t low, high;
};

struct part {
	uint8_t kind; /* of the below */
	char c;
	uint16_t n; /* characters of set, or ranges */
	const char *set;
	const struct range *range;
};
enum { LITERAL, ANY, SET, RANGE };

struct conf_pattern {
	uint16_t n_prefix, n_suffix;
	bool ends;  /* nothing behind the prefix */
	bool empty; /* $ */
	const struct part *prefix, *suffix;
};

/* ---- reading ------------------------------------------------------------------------- */

static bool range_one(const char *text, struct range *r)
{
	const char *dash = strchr(text, '-');
	size_t n = dash ? (size_t)(dash - text) : strlen(text);
	char low[12];

	if (!n || n > 9 || (dash && strlen(dash + 1) != n))
		return false;
	memcpy(low, text, n);
	low[n] = '\0';
	r->digits = (uint8_t)n;
	if (!value_digits(low, INT32_MAX, &r->low) ||
	    !value_digits(dash ? dash + 1 : low, INT32_MAX, &r->high))
		return false;
	return r->low <= r->high;
}

/* What stands in brackets, or alone in a suffix: numbers and ranges, or characters. */
static const char *list_read(struct rg_arena *a, char *text, struct part *p)
{
	struct range all[RANGES], *kept;
	uint16_t n = 0;

	if (!*text)
		return "has empty brackets";
	if (!strpbrk(text, ",-")) {
		*p = (struct part){ .kind = SET, .n = (uint16_t)strlen(text),
				    .set = rg_arena_str(a, text) };
		return NULL;
	}
	for (char *next; text; text = next) {
		next = strchr(text, ',');
		if (next)
			*next++ = '\0';
		if (n == RANGES)
			return "has too many numbers in one list";
		if (!range_one(g_strstrip(text), &all[n++]))
			return "holds a list with something else than numbers and ranges of "
			       "equal length";
	}
	kept = rg_arena_alloc(a, n * sizeof *kept);
	memcpy(kept, all, n * sizeof *kept);
	*p = (struct part){ .kind = RANGE, .n = n, .range = kept };
	return NULL;
}

static const char *parts_read(struct rg_arena *a, char *text, const struct part **out, uint16_t *n)
{
	struct part all[PARTS], *kept;
	const char *why = NULL;

	*n = 0;
	for (char *s = text; *s && !why; s++) {
		struct part *p = &all[*n];
		char *close;

		if (++*n == PARTS)
			return "is too long";
		*p = (struct part){ .kind = *s == 'x' || *s == 'X' ? ANY : LITERAL, .c = *s };
		if (*s == ']' || *s == ')' || *s == '(')
			return "has a bracket that nothing opens";
		if (*s != '[')
			continue;
		close = strchr(s, ']');
		if (!close)
			return "has a bracket that is not closed";
		*close = '\0';
		why = list_read(a, s + 1, p);
		s = close;
	}
	kept = rg_arena_alloc(a, *n * sizeof *kept + 1);
	memcpy(kept, all, *n * sizeof *kept);
	*out = kept;
	return why;
}

static const char *suffix_read(struct rg_arena *a, char *text, struct conf_pattern *p)
{
	size_t n = strlen(text);
	struct part *one;

	if (!n || text[n - 1] != ')')
		return "has a bracket that is not closed";
	text[n - 1] = '\0';
	if (strchr(text, '[') || !strpbrk(text, ",-"))
		return parts_read(a, text, &p->suffix, &p->n_suffix);
	p->suffix = one = rg_arena_alloc(a, sizeof *one);
	p->n_suffix = 1;
	return list_read(a, text, one);
}

static const char *read_into(struct rg_arena *a, char *text, struct conf_pattern *p)
{
	char *open = strchr(text, '(');
	const char *why = NULL;
	size_t n;

	if (open) {
		*open = '\0';
		why = suffix_read(a, open + 1, p);
	}
	n = strlen(text);
	if (n && text[n - 1] == '#') {
		if (open)
			return "ends the number before its suffix";
		p->ends = true;
		text[n - 1] = '\0';
	}
	if (why || !strcmp(text, "*"))
		return why;
	return parts_read(a, text, &p->prefix, &p->n_prefix);
}

const struct conf_pattern *pattern_read(struct rg_arena *a, const char *text, const char **why)
{
	struct conf_pattern *p;
	char *copy;

	*why = NULL;
	if (!*text || !strcmp(text, "*"))
		return NULL;
	p = rg_arena_alloc(a, sizeof *p);
	memset(p, 0, sizeof *p);
	p->empty = !strcmp(text, "$");
	if (p->empty)
		return p;
	copy = g_strdup(text);
	*why = read_into(a, copy, p);
	g_free(copy);
	return *why ? NULL : p;
}

/* ---- matching ------------------------------------------------------------------------ */

static bool in_range(const struct range *r, const char *user)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < r->digits; i++) {
		if (user[i] < '0' || user[i] > '9')
			return false;
		n = 10 * n + (uint32_t)(user[i] - '0');
	}
	return n >= r->low && n <= r->high;
}

/* From each place reached before to those reached after the part. */
static void step(const struct part *p, const char *user, size_t len, const bool *from, bool *to)
{
	memset(to, 0, len + 1);
	for (size_t at = 0; at < len; at++) {
		if (!from[at])
			continue;
		if (p->kind == ANY || (p->kind == LITERAL && user[at] == p->c) ||
		    (p->kind == SET && memchr(p->set, user[at], p->n)))
			to[at + 1] = true;
		for (uint16_t i = 0; p->kind == RANGE && i < p->n; i++)
			if (at + p->range[i].digits <= len && in_range(&p->range[i], user + at))
				to[at + p->range[i].digits] = true;
	}
}

static void walk(const struct part *p, uint16_t n, const char *user, size_t len, bool at[USER + 1])
{
	bool next[USER + 1];

	for (uint16_t i = 0; i < n; i++) {
		step(&p[i], user, len, at, next);
		memcpy(at, next, len + 1);
	}
}

bool conf_pattern_matches(const struct conf_pattern *p, const char *user)
{
	size_t len = strnlen(user, USER), first = 0;
	bool at[USER + 1] = { true };

	if (!p)
		return true;
	if (p->empty)
		return !len;
	walk(p->prefix, p->n_prefix, user, len, at);
	if (p->ends)
		return at[len];
	while (first <= len && !at[first])
		first++;
	if (first > len || !p->n_suffix)
		return first <= len;
	memset(at, 0, first);
	memset(at + first, true, len + 1 - first);
	walk(p->suffix, p->n_suffix, user, len, at);
	return at[len];
}
