/* Calls that are named in other calls: Replaces (RFC 3891), also inside of a Refer-To. */
#include <string.h>

#include "relay/call.h"

/* to-tag is the tag of who shall be found.  One of ours stands for the other end of that
 * call. */
void replaces_write(struct relay *r, struct span v, struct out *o)
{
	const char *semi = v.n ? memchr(v.p, ';', v.n) : NULL;
	struct span id = { v.p, semi ? (size_t)(semi - v.p) : 0 }, params;
	char tag[RELAY_TAG];
	uint8_t number;
	enum side s;
	struct pair *p;
	struct call *c;

	if (!semi)
		return;
	params = (struct span){ semi, (size_t)(v.p + v.n - semi) };
	c = relay_by_tag(r, span_param(params, "to-tag"), &s, &number);
	if (!c || c->over || !span_equal(span_trim(id), leg_id(&c->leg[s])))
		return;
	p = s == CALLER ? pair_by_number(c, number) :
			  pair_by_remote_tag(c, span_param(params, "from-tag"));
	if (!p || p->ended)
		return;
	s = OTHER_SIDE(s);
	relay_tag(c, s, s == CALLER ? p->number : p->attempt, tag);
	out_span(o, leg_id(&c->leg[s]));
	out_lit(o, ";to-tag=");
	out_span(o, sip_tag(pair_remote(p, s)));
	out_lit(o, ";from-tag=");
	out_mem(o, tag, sizeof tag);
	if (span_param(params, "early-only").p)
		out_lit(o, ";early-only");
}

/* ---- inside of a URI -------------------------------------------------------------------- */

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	       (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static size_t unescape(struct span s, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n && n < size; i++) {
		if (s.p[i] == '%' && i + 2 < s.n && hex_digit(s.p[i + 1]) >= 0 &&
		    hex_digit(s.p[i + 2]) >= 0) {
			out[n++] = (char)(hex_digit(s.p[i + 1]) * 16 + hex_digit(s.p[i + 2]));
			i += 2;
		} else {
			out[n++] = s.p[i];
		}
	}
	return n;
}

/* RFC 3261 25.1: what may stand in a header of a URI. */
static void out_escaped(struct out *o, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.p[i];

		if (g_ascii_isalnum(c) || (c && strchr("-_.!~*'()[]/?:+$", c))) {
			out_mem(o, &c, 1);
		} else {
			out_lit(o, "%");
			out_hex(o, &c, 1);
		}
	}
}

/* The escaped value of Replaces among "?a=b&c=d"; p NULL: none. */
static struct span header_of_uri(struct span headers)
{
	while (headers.n) {
		const char *amp, *eq;
		struct span one;

		headers.p++, headers.n--; /* '?' or '&' */
		amp = headers.n ? memchr(headers.p, '&', headers.n) : NULL;
		one = (struct span){ headers.p, amp ? (size_t)(amp - headers.p) : headers.n };
		eq = one.n ? memchr(one.p, '=', one.n) : NULL;
		if (eq && span_is((struct span){ one.p, (size_t)(eq - one.p) }, "Replaces"))
			return (struct span){ eq + 1, (size_t)(one.p + one.n - eq - 1) };
		headers.p += one.n, headers.n -= one.n;
	}
	return (struct span){ NULL, 0 };
}

/* RFC 5589 7: the transferee asks the target to replace the call that the transferor has with
 * it, as the target knows that call. */
void replaces_refer_to(struct relay *r, struct span value, struct out *o)
{
	char plain[SIP_NAME_MOST], mapped[SIP_NAME_MOST];
	struct out m = { mapped, mapped + sizeof mapped, false };
	struct sip_name_addr na;
	struct span escaped;
	struct sip_uri u;

	if (!sip_name_addr_parse(value, &na) || !sip_uri_parse(na.uri, &u))
		return;
	escaped = header_of_uri(u.headers);
	if (!escaped.p)
		return;
	replaces_write(r, (struct span){ plain, unescape(escaped, plain, sizeof plain) }, &m);
	if (m.p == mapped || m.full)
		return;
	out_mem(o, value.p, (size_t)(escaped.p - value.p));
	out_escaped(o, (struct span){ mapped, (size_t)(m.p - mapped) });
	out_mem(o, escaped.p + escaped.n,
		(size_t)(value.p + value.n - (escaped.p + escaped.n)));
}
