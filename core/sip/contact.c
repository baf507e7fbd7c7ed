#include "sip/contact.h"

#include <glib.h>
#include <string.h>
#include <strings.h>

bool sip_uri_part(struct span s, struct sip_uri_part *u)
{
	const char *colon = s.n ? memchr(s.p, ':', s.n) : NULL, *end, *at, *p, *q;
	uint32_t port = 0;

	memset(u, 0, sizeof *u);
	if (!colon)
		return false;
	end = s.p + s.n;
	u->scheme = (struct span){ s.p, (size_t)(colon - s.p) };
	p = colon + 1;
	at = memchr(p, '@', (size_t)(end - p));
	if (at) {
		u->user = (struct span){ p, (size_t)(at - p) };
		p = at + 1;
	}
	q = p;
	if (q < end && *q == '[') {
		q = memchr(q, ']', (size_t)(end - q));
		if (!q)
			return false;
		q++;
	}
	while (q < end && *q != ':' && *q != ';' && *q != '?')
		q++;
	u->host = (struct span){ p, (size_t)(q - p) };
	if (q < end && *q == ':') {
		if (!span_number((struct span){ q + 1, (size_t)(end - q - 1) }, 65535, &port))
			return false;
		while (q < end && *q != ';' && *q != '?')
			q++;
	}
	u->port = (uint16_t)port;
	p = memchr(q, '?', (size_t)(end - q));
	u->params = (struct span){ q, (size_t)((p ? p : end) - q) };
	return u->host.n;
}

static bool same_transport(struct span a, struct span b)
{
	struct span x = span_param(a, "transport"), y = span_param(b, "transport");

	if (!x.n)
		x = (struct span){ "udp", 3 };
	if (!y.n)
		y = (struct span){ "udp", 3 };
	return span_equal_case(x, y);
}

/* RFC 3261 19.1.4: "%61" is "a". */
static unsigned octet(struct span s, size_t *at)
{
	unsigned char c = (unsigned char)s.p[(*at)++];
	int high, low;

	if (c != '%' || *at + 2 > s.n)
		return c;
	high = g_ascii_xdigit_value(s.p[*at]);
	low = g_ascii_xdigit_value(s.p[*at + 1]);
	if (high < 0 || low < 0)
		return c;
	*at += 2;
	return (unsigned)(high << 4 | low);
}

static bool same_user(struct span a, struct span b)
{
	size_t i = 0, k = 0;

	while (i < a.n && k < b.n)
		if (octet(a, &i) != octet(b, &k))
			return false;
	return i == a.n && k == b.n;
}

static bool same_host(const struct sip_uri_part *a, const struct sip_uri_part *b)
{
	return span_equal_case(a->host, b->host) &&
	       (a->port ? a->port : 5060) == (b->port ? b->port : 5060);
}

bool sip_uri_same(struct span a, struct span b)
{
	struct sip_uri_part x, y;

	return sip_uri_part(a, &x) && sip_uri_part(b, &y) &&
	       span_equal_case(x.scheme, y.scheme) && same_user(x.user, y.user) &&
	       same_host(&x, &y) && same_transport(x.params, y.params);
}

bool sip_contact_part(struct span v, struct sip_contact_part *c)
{
	const char *p = v.p, *end = v.p + v.n, *close;

	while (p < end && *p != '<') {
		if (*p == '"')
			for (p++; p < end && *p != '"'; p++)
				p += *p == '\\' && p + 1 < end;
		p += p < end;
	}
	if (p < end) {
		close = memchr(p, '>', (size_t)(end - p));
		if (!close)
			return false;
		c->uri = span_trim((struct span){ p + 1, (size_t)(close - p - 1) });
		c->params = (struct span){ close + 1, (size_t)(end - close - 1) };
		return c->uri.n;
	}
	/* without <> everything from ';' on is the header's (RFC 3261 20.10) */
	p = memchr(v.p, ';', v.n);
	c->uri = span_trim((struct span){ v.p, (size_t)((p ? p : end) - v.p) });
	c->params = p ? (struct span){ p, (size_t)(end - p) } : (struct span){ end, 0 };
	return c->uri.n;
}

enum rank { FOREIGN, UNCLEAR, SAME_PLACE, SAME_URI, OUR_TOKEN };

/* Some keep none of the parameters, transport neither. */
static bool same_place(const struct sip_uri_part *a, struct span ours)
{
	struct sip_uri_part b;

	return ours.p && sip_uri_part(ours, &b) && !span_param(a->params, "transport").p &&
	       same_user(a->user, b.user) && same_host(a, &b);
}

static bool shares(const struct sip_uri_part *a, struct span ours)
{
	struct sip_uri_part b;

	if (!ours.p || !sip_uri_part(ours, &b))
		return true;
	return same_user(a->user, b.user) || same_host(a, &b);
}

static enum rank rank(const struct sip_contact_part *c, const char *token, struct span ours)
{
	struct sip_uri_part u;
	struct span rg;

	if (!sip_uri_part(c->uri, &u))
		return FOREIGN;
	rg = span_param(u.params, "rg");
	if (!rg.p)
		rg = span_param(c->params, "rg");
	if (rg.p)
		return rg.n == SIP_CONTACT_TOKEN && !strncasecmp(rg.p, token, rg.n) ? OUR_TOKEN :
										    FOREIGN;
	if (ours.p && sip_uri_same(c->uri, ours))
		return SAME_URI;
	if (same_place(&u, ours))
		return SAME_PLACE;
	return shares(&u, ours) ? UNCLEAR : FOREIGN;
}

static uint32_t lifetime(const struct sip_contact_part *c)
{
	struct span v = span_param(c->params, "expires");
	uint32_t n;

	if (!v.n || v.p[0] < '0' || v.p[0] > '9')
		return UINT32_MAX;
	return span_number(v, UINT32_MAX - 1, &n) ? n : UINT32_MAX - 1;
}

/* "Not given" (UINT32_MAX) counts as longest. */
static void consider(struct span value, const char *token, struct span uri, enum rank *best,
		     struct sip_binding *b)
{
	struct sip_contact_part c;
	enum rank r;
	uint32_t t;

	if (!sip_contact_part(value, &c))
		return;
	b->contacts++;
	r = rank(&c, token, uri);
	t = lifetime(&c);
	if (r < *best || r == FOREIGN || (r == *best && t <= b->expires))
		return;
	*best = r;
	b->expires = t;
	b->params = c.params;
}

void sip_binding_find(const struct sip_head *h, const char token[SIP_CONTACT_TOKEN],
		      struct span uri, struct sip_binding *b)
{
	struct span line, value;
	enum rank best = FOREIGN;
	unsigned at = 0;

	*b = (struct sip_binding){ .contacts = 0 };
	while (sip_next(h, H_CONTACT, &at, &line))
		while (span_value(&line, &value))
			consider(value, token, uri, &best, b);
	b->ours = best > UNCLEAR || (best == UNCLEAR && b->contacts == 1);
	if (!b->ours) {
		b->expires = 0;
		b->params.n = 0;
	}
}
