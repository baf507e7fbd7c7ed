#include "conf/value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *skip(const char *s, const char *end)
{
	while (s < end && (*s == ' ' || *s == '-' || *s == '_'))
		s++;
	return s;
}

static bool same_word(const char *a, const char *a_end, const char *b, const char *b_end)
{
	for (;;) {
		a = skip(a, a_end);
		b = skip(b, b_end);
		if (a == a_end || b == b_end)
			return a == a_end && b == b_end;
		if (tolower((unsigned char)*a++) != tolower((unsigned char)*b++))
			return false;
	}
}

bool value_same_word(const char *a, const char *b)
{
	return same_word(a, a + strlen(a), b, b + strlen(b));
}

bool value_digits(const char *text, uint32_t max, uint32_t *out)
{
	uint64_t n = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		n = n * 10 + (uint64_t)(*text - '0');
		if (n > max)
			return false;
	}
	*out = (uint32_t)n;
	return true;
}

/* symbols is "Name=0,Other name=1" */
static bool symbol(const char *symbols, const char *text, int64_t *out)
{
	const char *end = text + strlen(text);

	while (symbols && *symbols) {
		const char *next = strchr(symbols, ',');
		const char *stop = next ? next : symbols + strlen(symbols);
		const char *eq = memchr(symbols, '=', (size_t)(stop - symbols));

		if (eq && same_word(symbols, eq, text, end)) {
			*out = strtoll(eq + 1, NULL, 10);
			return true;
		}
		symbols = next ? next + 1 : stop;
	}
	return false;
}

static bool boolean(const char *text, int64_t *out)
{
	static const char *const words[] = { "no",	 "yes",	   "off",     "on",
					     "false",	 "true",   "disable", "enable",
					     "disabled", "enabled" };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcasecmp(text, words[i])) {
			*out = (int64_t)(i & 1);
			return true;
		}
	return false;
}

static bool number(const char *text, int64_t *out)
{
	char *end;

	if (!isdigit((unsigned char)*text) &&
	    !(*text == '-' && isdigit((unsigned char)text[1])))
		return false;
	errno = 0;
	*out = strtoll(text, &end, 10);
	return !*end && !errno;
}

static void explain(const struct schema_param *p, char why[VALUE_WHY])
{
	size_t n;

	if (p->type == SCHEMA_BOOL) {
		snprintf(why, VALUE_WHY, "must be 0 or 1 (no or yes)");
		return;
	}
	n = (size_t)snprintf(why, VALUE_WHY, "must be %" PRId64 " to %" PRId64, p->min,
			     p->max);
	for (const char *s = p->symbols; s && *s && n < VALUE_WHY - 1;) {
		size_t len = strcspn(s, ",");

		n += (size_t)snprintf(why + n, VALUE_WHY - n, "%s%.*s",
				      s == p->symbols ? ": " : ", ", (int)len, s);
		s += len + (s[len] == ',');
	}
}

bool value_number(const struct schema_param *p, const char *text, int64_t *out,
		  char why[VALUE_WHY])
{
	bool words =
		p->type == SCHEMA_BOOL || (p->min <= 0 && p->min >= -1 && p->max == 1);

	if (number(text, out)
		    ? *out >= p->min && *out <= p->max
		    : symbol(p->symbols, text, out) || (words && boolean(text, out)))
		return true;
	explain(p, why);
	return false;
}

bool value_codes(const char *text, struct rg_codes *out, char why[VALUE_WHY])
{
	const size_t most = sizeof out->code / sizeof *out->code;

	memset(out, 0, sizeof *out);
	while (*text) {
		char *end;
		long code;

		while (*text == ' ' || *text == ',')
			text++;
		if (!*text)
			break;
		code = isdigit((unsigned char)*text) ? strtol(text, &end, 10) : 0;
		if (code < 100 || code > 699 || (*end && *end != ',' && *end != ' ')) {
			snprintf(why, VALUE_WHY,
				 "must be SIP codes, 100 to 699, separated by commas");
			return false;
		}
		if (out->n == most) {
			snprintf(why, VALUE_WHY, "has more than %zu codes", most);
			return false;
		}
		out->code[out->n++] = (uint16_t)code;
		text = end;
	}
	return true;
}
