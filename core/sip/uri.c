/* Parts of URIs and name-addrs; see translate.h. */
#include <string.h>
#include <strings.h>

#include "sip/message.h"
#include "sip/translate.h"

static const struct span none;

static bool printable(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= ' ' || c == 0x7f || c == '<' || c == '>' || c == '"')
			return false;
	}
	return true;
}

static struct span between(const char *p, const char *end)
{
	return (struct span){ p, (size_t)(end - p) };
}

/* The first of either, or end. */
static const char *find(const char *p, const char *end, char a, char b)
{
	while (p < end && *p != a && *p != b)
		p++;
	return p;
}

static bool host_char(char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '.' ||
	       c == '-' || c == '_';
}

static bool v6_char(char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f') || c == '.' ||
	       c == ':';
}

/* host[:port] up to end. */
static bool host_port(struct sip_uri *u, const char *p, const char *end)
{
	const char *q = p;
	uint32_t port = 0;
	struct span digits;

	if (q < end && *q == '[') {
		for (q++; q < end && v6_char(*q);)
			q++;
		if (q == end || *q != ']' || q - p < 3)
			return false;
		q++;
	} else {
		while (q < end && host_char(*q))
			q++;
	}
	u->host = between(p, q);
	if (!u->host.n || (q < end && *q != ':'))
		return false;
	if (q == end)
		return true;
	digits = between(q + 1, end);
	for (size_t i = 0; i < digits.n; i++)
		if (digits.p[i] < '0' || digits.p[i] > '9')
			return false;
	if (!span_number(digits, 65535, &port) || !port)
		return false;
	u->port = (uint16_t)port;
	return true;
}

static bool sip_rest(struct sip_uri *u, const char *p, const char *end)
{
	const char *at = memchr(p, '@', (size_t)(end - p)), *q;

	if (at) {
		u->user = between(p, find(p, at, ':', ':'));
		p = at + 1;
		if (!u->user.n || memchr(p, '@', (size_t)(end - p)))
			return false;
	}
	q = find(p, end, ';', '?');
	if (!host_port(u, p, q))
		return false;
	p = find(q, end, '?', '?');
	u->params = between(q, p);
	u->headers = between(p, end);
	return true;
}

/* Without a host: a number or a name, and parameters. */
static bool other_rest(struct sip_uri *u, const char *p, const char *end)
{
	const char *q = find(p, end, ';', '?'), *e = find(q, end, '?', '?');

	u->user = between(p, q);
	u->params = between(q, e);
	u->headers = between(e, end);
	return u->user.n && !memchr(p, '@', (size_t)(end - p));
}

bool sip_uri_parse(struct span s, struct sip_uri *u)
{
	const char *colon = s.n ? memchr(s.p, ':', s.n < 6 ? s.n : 6) : NULL;

	memset(u, 0, sizeof *u);
	if (!colon || !printable(s))
		return false;
	u->scheme = between(s.p, colon);
	if (span_is(u->scheme, "sip") || span_is(u->scheme, "sips"))
		return sip_rest(u, colon + 1, s.p + s.n);
	if (span_is(u->scheme, "tel") || span_is(u->scheme, "urn"))
		return other_rest(u, colon + 1, s.p + s.n);
	return false;
}

/* The end of the quoted string that begins at p; NULL: it has none. */
static const char *quoted_end(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		p += *p == '\\' && end - p > 1;
	return p < end ? p + 1 : NULL;
}

bool sip_name_addr_parse(struct span s, struct sip_name_addr *a)
{
	const char *p, *end, *close;

	*a = (struct sip_name_addr){ none, none, none };
	s = span_trim(s);
	p = s.p;
	end = s.n ? p + s.n : p;
	while (p < end && *p != '<') {
		p = *p == '"' ? quoted_end(p, end) : p + 1;
		if (!p)
			return false;
	}
	if (p < end) {
		close = memchr(p, '>', (size_t)(end - p));
		if (!close)
			return false;
		a->display = span_trim(between(s.p, p));
		a->uri = span_trim(between(p + 1, close));
		a->params = span_trim(between(close + 1, end));
	} else {
		p = find(s.p, end, ';', ';');
		a->uri = span_trim(between(s.p, p));
		a->params = span_trim(between(p, end));
	}
	return a->uri.n && printable(a->uri) && (!a->params.n || *a->params.p == ';');
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	       (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* The character at *p, which moves; 0: no text. */
static char unescaped(const char **p, const char *end)
{
	const char *s = (*p)++;
	unsigned char c = (unsigned char)*s;

	if (c == '%') {
		if (end - s < 3 || digit(s[1]) < 0 || digit(s[2]) < 0)
			return 0;
		c = (unsigned char)(digit(s[1]) << 4 | digit(s[2]));
		*p = s + 3;
	}
	return c < 0x20 || c == 0x7f ? 0 : (char)c;
}

bool sip_uri_user(const struct sip_uri *u, char *out, size_t size)
{
	const char *p = u->user.p, *end = u->user.n ? p + u->user.n : p;
	size_t n = 0;

	while (p < end && n + 1 < size) {
		out[n] = unescaped(&p, end);
		if (!out[n++]) {
			p = NULL;
			break;
		}
	}
	out[p == end ? n : 0] = '\0';
	return p == end;
}

/* ---- identities ---------------------------------------------------------------------- */

static bool is_way(struct span param)
{
	static const char *const way[] = { "maddr", "transport", "ttl", "lr", "method" };
	const char *e = find(param.p, param.p + param.n, '=', '=');

	for (size_t i = 0; i < sizeof way / sizeof *way; i++)
		if (span_is(between(param.p, e), way[i]))
			return true;
	return false;
}

static void out_params(struct out *o, struct span params, bool all)
{
	const char *p = params.p, *end = params.n ? p + params.n : p;

	while (p < end) { /* at a ';' */
		const char *q = find(p + 1, end, ';', ';');
		struct span one = between(p + 1, q);

		if (all || !is_way(one)) {
			out_lit(o, ";");
			out_span(o, one);
		}
		p = q;
	}
}

/* What stands before "@". */
static void out_who(struct out *o, const struct sip_uri *u, const char *user, bool tel)
{
	if (*user) {
		out_user(o, user);
	} else {
		out_span(o, u->user);
		if (tel)
			out_span(o, u->params);
	}
	if (*user || u->user.n)
		out_lit(o, "@");
}

static void out_sip(struct out *o, const struct sip_uri *u, const char *user, const char *host)
{
	bool tel = !u->host.n && u->scheme.n;

	if (u->scheme.n && !tel)
		out_span(o, u->scheme);
	else
		out_lit(o, "sip");
	out_lit(o, ":");
	out_who(o, u, user, tel);
	if (*host) {
		out_str(o, host);
	} else {
		out_span(o, u->host);
		if (u->port) {
			out_lit(o, ":");
			out_number(o, u->port);
		}
	}
	if (tel)
		out_lit(o, ";user=phone");
	else
		out_params(o, u->params, !*host);
}

static void out_tel(struct out *o, const struct sip_uri *u, const char *user)
{
	out_span(o, u->scheme);
	out_lit(o, ":");
	out_user(o, user);
	out_span(o, u->params);
}

/* The only blank that may be in it is a fold's. */
static void out_display(struct out *o, struct span s)
{
	while (s.n) {
		const char *lf = memchr(s.p, '\n', s.n);
		struct span piece = { s.p, lf ? (size_t)(lf - s.p) : s.n };

		out_span(o, piece.n ? span_trim(piece) : piece);
		out_lit(o, " ");
		s = lf ? span_trim(between(lf, s.p + s.n)) : none;
	}
}

void out_identity(struct out *o, const struct sip_name_addr *from, const char *user,
		  const char *host)
{
	struct sip_uri u;
	bool known = sip_uri_parse(from->uri, &u);
	bool number = known && span_is(u.scheme, "tel");

	out_display(o, from->display);
	out_lit(o, "<");
	if (!*user && !*host)
		out_span(o, from->uri);
	else if (number && !*host)
		out_tel(o, &u, user);
	else if (known && (u.host.n || number))
		out_sip(o, &u, user, host);
	else if (*user && *host)
		out_sip(o, &(struct sip_uri){ none, none, none, 0, none, none }, user, host);
	else
		out_span(o, from->uri);
	out_lit(o, ">");
}
