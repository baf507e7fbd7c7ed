#include "sip/challenge.h"

#include <string.h>
#include <strings.h>

enum item { END, PARAM, SCHEME, OTHER };

/* White space of a header value, folding included. */
static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_token(char c)
{
	if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		return true;
	return c && strchr("!#$%&'*+-.^_`|~", c);
}

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && is_space(*p))
		p++;
	return p;
}

/* To the next comma that is not in a quoted string. */
static const char *skip_item(const char *p, const char *end)
{
	bool quoted = false;

	for (; p < end && (quoted || *p != ','); p++) {
		if (*p == '"')
			quoted = !quoted;
		else if (quoted && *p == '\\' && end - p > 1)
			p++;
	}
	return p;
}

/* The opening quote is behind *at.  Writes the unescaped string to out, which has room
 * for all that is left. */
static bool read_quoted(struct challenge_str *s, char *out, const char **at, const char *end)
{
	const char *p = *at;

	s->p = out;
	for (; p < end && *p != '"'; p++) {
		if (*p == '\\' && ++p == end)
			return false;
		if (is_control(*p) && *p != '\t')
			return false;
		*out++ = *p;
	}
	if (p == end)
		return false;
	s->n = (size_t)(out - s->p);
	p = skip_space(p + 1, end);
	*at = p;
	return p == end || *p == ',';
}

static bool read_bare(struct challenge_str *s, char *out, const char **at, const char *end)
{
	const char *p = *at;

	s->p = out;
	for (; p < end && *p != ',' && !is_space(*p); p++) {
		if (is_control(*p) || *p == '"')
			return false;
		*out++ = *p;
	}
	s->n = (size_t)(out - s->p);
	*at = p;
	return true;
}

static bool is(const struct challenge_str *s, const char *word)
{
	return s->n == strlen(word) && !strncasecmp(s->p, word, s->n);
}

static struct challenge_str *slot(struct challenge *c, const struct challenge_str *name)
{
	return is(name, "realm")     ? &c->realm
	     : is(name, "nonce")     ? &c->nonce
	     : is(name, "opaque")    ? &c->opaque
	     : is(name, "algorithm") ? &c->algorithm
	     : is(name, "qop")	     ? &c->qop
	     : is(name, "nextnonce") ? &c->nextnonce
	     : is(name, "username")  ? &c->username
	     : is(name, "uri")	     ? &c->uri
	     : is(name, "response")  ? &c->response
	     : is(name, "cnonce")    ? &c->cnonce
	     : is(name, "nc")	     ? &c->nc
				     : NULL;
}

/* What stands at p; the token is read and p is behind it (PARAM: behind the "="). */
static enum item look(struct challenge_str *token, const char **at, const char *end)
{
	const char *p = *at, *next;

	while (p < end && (is_space(*p) || *p == ','))
		p++;
	*at = token->p = p;
	if (p == end)
		return END;
	while (p < end && is_token(*p))
		p++;
	token->n = (size_t)(p - token->p);
	next = skip_space(p, end);
	if (!token->n)
		return OTHER;
	if (next < end && *next == '=') {
		*at = next + 1;
		return PARAM;
	}
	if (next > p && next < end && *next != ',') {
		*at = next;
		return SCHEME;
	}
	return OTHER;
}

/* A parameter that is given twice counts as given first. */
static void read_param(struct challenge *c, char **out, const struct challenge_str *name,
		       const char **at, const char *end)
{
	struct challenge_str value = { NULL, 0 }, *to = slot(c, name);
	const char *p = skip_space(*at, end);
	bool good;

	if (p < end && *p == '"') {
		p++;
		good = read_quoted(&value, *out, &p, end);
		*at = good ? p : skip_item(*at, end);
	} else {
		good = read_bare(&value, *out, &p, end);
		*at = good ? p : skip_item(p, end);
	}
	if (!good) {
		c->malformed = true;
		return;
	}
	if (to && !to->p) {
		*to = value;
		*out += value.n;
	} else if (is(name, "stale")) {
		c->stale |= is(&value, "true");
	}
}

static void clear(struct challenge *c)
{
	memset(c, 0, offsetof(struct challenge, text));
}

/* Until the next scheme.  A lone word is skipped: a token68, or the second half of a
 * qop list that was not quoted. */
static void read_params(struct challenge *c, const char **at, const char *end, bool to_scheme)
{
	char *out = c->text;

	for (;;) {
		const char *begin = *at;
		struct challenge_str token;

		switch (look(&token, at, end)) {
		case END:
			return;
		case PARAM:
			read_param(c, &out, &token, at, end);
			break;
		case SCHEME:
			if (to_scheme) {
				*at = begin;
				return;
			}
			break;
		case OTHER:
			c->malformed |= !token.n;
			*at = skip_item(*at, end);
		}
	}
}

bool challenge_next(struct challenge *c, const char **at, const char *end)
{
	struct challenge_str token;

	clear(c);
	if (end - *at > CHALLENGE_MOST) {
		c->malformed = true;
		*at = end;
		return true;
	}
	switch (look(&token, at, end)) {
	case END:
		return false;
	case SCHEME:
		c->digest = is(&token, "Digest");
		break;
	case PARAM:
		c->malformed = true;
		break;
	case OTHER:
		c->malformed = !token.n;
		*at = skip_item(*at, end);
	}
	read_params(c, at, end, true);
	return true;
}

void challenge_info(struct challenge *c, const char *at, const char *end)
{
	clear(c);
	if (end - at > CHALLENGE_MOST)
		c->malformed = true;
	else
		read_params(c, &at, end, false);
}
