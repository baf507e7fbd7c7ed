/* Secrets of messages that are shown.  What is not well-formed loses them, too: it goes line
 * by line, and a continuation line is as the line before it. */
#include "sip/mask.h"

#include <string.h>

#include "sip/message.h"

enum line { PLAIN, CHALLENGE, SECRET };

/* A blank before the colon does not hide it. */
static enum line kind_of(const char *p, const char *colon)
{
	static const char *const secret[] = { "Authorization", "Proxy-Authorization", "a=crypto",
					      "a=key-mgmt" };
	static const char *const challenge[] = { "WWW-Authenticate", "Proxy-Authenticate",
						 "Authentication-Info",
						 "Proxy-Authentication-Info" };
	struct span name = span_trim((struct span){ p, colon ? (size_t)(colon - p) : 0 });

	for (size_t i = 0; i < G_N_ELEMENTS(secret); i++)
		if (span_is(name, secret[i]))
			return SECRET;
	for (size_t i = 0; i < G_N_ELEMENTS(challenge); i++)
		if (span_is(name, challenge[i]))
			return CHALLENGE;
	return PLAIN;
}

/* Does a parameter whose value must not be seen end here? */
static bool is_secret(const char *from, const char *end)
{
	static const char *const names[] = { "nonce", "nextnonce", "cnonce", "opaque", "response",
					     "rspauth", "auts" };
	struct span name = span_trim((struct span){ from, (size_t)(end - from) });
	const char *p = name.p + name.n;

	while (p > name.p && g_ascii_isalpha(p[-1]))
		p--;
	name.n -= (size_t)(p - name.p);
	name.p = p;
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (span_is(name, names[i]))
			return true;
	return false;
}

/* Behind a value; *open: its quote is not closed before the end. */
static const char *skip_value(const char *p, const char *end, bool *open)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	if (p == end || *p != '"') {
		while (p < end && (!*p || !strchr(", \t\r\n", *p)))
			p++;
		return p;
	}
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\' && p + 1 < end)
			p++;
	*open = p == end;
	return *open ? end : p + 1;
}

/* One line of a challenge.  true: a secret goes on in the next. */
static bool mask_values(GString *g, const char *p, const char *end)
{
	bool open = false;

	for (const char *eq; !open && (eq = memchr(p, '=', (size_t)(end - p)));) {
		g_string_append_len(g, p, eq + 1 - p);
		if (is_secret(p, eq)) {
			g_string_append(g, "***");
			p = skip_value(eq + 1, end, &open);
		} else {
			p = eq + 1;
		}
	}
	g_string_append_len(g, p, end - p);
	if (open)
		g_string_append(g, "\r\n");
	return open;
}

GString *sip_mask(const char *data, size_t len)
{
	GString *g = g_string_sized_new(len + 32);
	const char *p = data, *end = data + len;
	enum line line = PLAIN;

	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p)), *next = lf ? lf + 1 : end;
		const char *colon = memchr(p, ':', (size_t)(next - p));
		bool more = *p == ' ' || *p == '\t';

		/* a name may stand behind blanks, too */
		if (!more || kind_of(p, colon) != PLAIN) {
			line = kind_of(p, colon);
			more = false;
		}
		if (line == PLAIN)
			g_string_append_len(g, p, next - p);
		else if (line == CHALLENGE)
			line = mask_values(g, p, next) ? SECRET : CHALLENGE;
		else if (!more)
			g_string_append_printf(g, "%.*s: ***\r\n", (int)(colon - p), p);
		p = next;
	}
	return g;
}
