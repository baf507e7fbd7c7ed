#include "sip/message.h"

#include <arpa/inet.h>
#include <glib.h>
#include <string.h>

#include "regway/plugin.h"

void out_mem(struct out *o, const void *p, size_t n)
{
	if (!n)
		return;
	if ((size_t)(o->end - o->p) < n) {
		o->full = true;
		return;
	}
	memcpy(o->p, p, n);
	o->p += n;
}

void out_str(struct out *o, const char *s)
{
	out_mem(o, s, strlen(s));
}

void out_span(struct out *o, struct span s)
{
	out_mem(o, s.p, s.n);
}

void out_number(struct out *o, uint32_t v)
{
	char digits[10];
	size_t i = sizeof digits;

	do {
		digits[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	out_mem(o, digits + i, sizeof digits - i);
}

static const char hex[] = "0123456789abcdef";

void out_hex(struct out *o, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char two[2] = { hex[p[i] >> 4], hex[p[i] & 15] };

		out_mem(o, two, 2);
	}
}

void sip_hex(char out[8], uint32_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 4)
		out[i] = hex[v & 15];
}

bool sip_unhex(const char in[8], uint32_t *v)
{
	*v = 0;
	for (int i = 0; i < 8; i++) {
		char c = in[i];
		uint32_t d = c >= '0' && c <= '9' ? (uint32_t)(c - '0') :
			     c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10) : 16;

		if (d == 16)
			return false;
		*v = *v << 4 | d;
	}
	return true;
}

static bool alnum(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f');
}

void out_user(struct out *o, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		char esc[3] = { '%', hex[c >> 4], hex[c & 15] };

		if (alnum(c) || strchr("-_.!~*'()&=+$,;?/", c) ||
		    (c == '%' && is_hex(s[1]) && is_hex(s[2])))
			out_mem(o, s, 1);
		else
			out_mem(o, esc, 3);
	}
}

static void out_octet(struct out *o, uint8_t v)
{
	out_number(o, v);
}

void out_address(struct out *o, const struct rg_addr *a)
{
	char text[RG_ADDR_TEXT];

	if (a->family == 6) {
		out_lit(o, "[");
		out_str(o, rg_addr_ip(a, text));
		out_lit(o, "]");
	} else {
		for (int i = 0; i < 4; i++) {
			if (i)
				out_lit(o, ".");
			out_octet(o, a->ip[i]);
		}
	}
	if (a->port) {
		out_lit(o, ":");
		out_number(o, a->port);
	}
}

static const char *const upper[] = { "UDP", "TCP", "TLS" };

void out_via(struct out *o, const struct rg_addr *local, const char *branch, size_t n)
{
	out_lit(o, "Via: SIP/2.0/");
	out_str(o, upper[local->transport]);
	out_lit(o, " ");
	out_address(o, local);
	out_lit(o, ";branch=");
	out_mem(o, branch, n);
	out_lit(o, ";rport\r\n");
}

bool sip_fit_for_uri(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f || *s == '<' || *s == '>' || *s == '"')
			return false;
	return true;
}

/* ---- requests that follow from an INVITE -------------------------------------------------- */

static void out_line(struct out *o, const char *name, struct span value)
{
	if (!value.p)
		return;
	out_str(o, name);
	out_lit(o, ": ");
	out_span(o, value);
	out_lit(o, "\r\n");
}

static const struct span none;

static struct sip_buf *derived(struct sip_pool *pool, const struct sip_buf *invite,
			       const char *method, struct span to, struct span headers)
{
	struct sip_head h;
	const char *why;
	struct sip_buf *b;
	struct out o;
	struct span value, first;
	unsigned at = 0;

	if (sip_precheck(&h, invite->data, invite->len, &why) != SIP_FINE || !h.request)
		return NULL;
	b = sip_buf_new(pool, h.header_len + to.n + headers.n);
	if (!b)
		return NULL;
	o = (struct out){ b->data, b->data + b->cap, false };
	out_str(&o, method);
	out_lit(&o, " ");
	out_span(&o, h.uri);
	out_lit(&o, " SIP/2.0\r\n");
	value = sip_value(&h, H_VIA);
	if (span_value(&value, &first))
		out_line(&o, "Via", first);
	while (sip_next(&h, H_ROUTE, &at, &value))
		out_line(&o, "Route", value);
	out_lit(&o, "Max-Forwards: 70\r\n");
	out_line(&o, "From", sip_value(&h, H_FROM));
	out_line(&o, "To", to.p ? to : sip_value(&h, H_TO));
	out_line(&o, "Call-ID", sip_value(&h, H_CALL_ID));
	out_lit(&o, "CSeq: ");
	out_number(&o, h.cseq);
	out_lit(&o, " ");
	out_str(&o, method);
	out_lit(&o, "\r\n");
	out_span(&o, headers);
	out_lit(&o, "Content-Length: 0\r\n\r\n");
	if (o.full) {
		sip_buf_unref(b);
		return NULL;
	}
	b->len = (uint32_t)(o.p - b->data);
	return b;
}

struct sip_buf *sip_message_ack(struct sip_pool *pool, const struct sip_buf *invite,
				const struct sip_head *answer)
{
	return derived(pool, invite, "ACK", sip_value(answer, H_TO), none);
}

char *sip_message_ack_kept(const struct sip_buf *ack)
{
	struct sip_head h;
	struct span value;
	const char *why;
	unsigned at = 0;
	GString *s;
	char *kept;

	if (sip_precheck(&h, ack->data, ack->len, &why) != SIP_FINE || !h.request)
		return NULL;
	s = g_string_sized_new(h.uri.n + 24);
	g_string_append_len(s, ack->data, h.uri.p + h.uri.n - ack->data);
	g_string_append(s, " SIP/2.0\r\n");
	while (sip_next(&h, H_ROUTE, &at, &value)) {
		g_string_append(s, "Route: ");
		g_string_append_len(s, value.p, (gssize)value.n);
		g_string_append(s, "\r\n");
	}
	kept = g_strdup(s->str); /* no longer than it is */
	g_string_free(s, TRUE);
	return kept;
}

struct sip_buf *sip_message_ack_again(struct sip_pool *pool, const char *kept,
				      const struct rg_addr *local, const struct sip_head *answer)
{
	size_t n = strlen(kept);
	struct sip_buf *b = sip_buf_new(pool, n + answer->header_len + 64);
	struct sip_via_part via;
	struct out o;

	if (!b || !sip_via_part(sip_value(answer, H_VIA), &via)) {
		sip_buf_unref(b);
		return NULL;
	}
	o = (struct out){ b->data, b->data + b->cap, false };
	out_mem(&o, kept, n);
	out_via(&o, local, via.branch.p, via.branch.n);
	out_lit(&o, "Max-Forwards: 70\r\n");
	out_line(&o, "From", sip_value(answer, H_FROM));
	out_line(&o, "To", sip_value(answer, H_TO));
	out_line(&o, "Call-ID", sip_value(answer, H_CALL_ID));
	out_lit(&o, "CSeq: ");
	out_number(&o, answer->cseq);
	out_lit(&o, " ACK\r\nContent-Length: 0\r\n\r\n");
	b->len = (uint32_t)(o.p - b->data);
	if (!o.full)
		return b;
	sip_buf_unref(b);
	return NULL;
}

struct sip_buf *sip_message_cancel(struct sip_pool *pool, const struct sip_buf *invite,
				   struct span headers)
{
	return derived(pool, invite, "CANCEL", none, headers);
}

/* ---- answers ------------------------------------------------------------------------------ */

/* The topmost Via as received, but for what RFC 3261 18.2.1 and RFC 3581 4 add. */
static void out_top_via(struct out *o, struct span line, const struct sip_hop *from)
{
	struct span rest = line, first, value;
	struct sip_via_part via;
	char ip[RG_ADDR_TEXT];
	const char *p;

	out_lit(o, "Via: ");
	if (!span_value(&rest, &first) || !sip_via_part(first, &via))
		return;
	out_mem(o, first.p, (size_t)(via.params.p - first.p));
	/* parameter by parameter, so that an empty rport can be filled in */
	for (p = via.params.p; p < via.params.p + via.params.n;) {
		const char *end = via.params.p + via.params.n, *q = p + 1;

		while (q < end && *q != ';')
			q++;
		value = span_trim((struct span){ p + 1, (size_t)(q - p - 1) });
		p = q;
		if ((value.n >= 8 && span_is((struct span){ value.p, 8 }, "received")) ||
		    (value.n >= 5 && span_is((struct span){ value.p, 5 }, "rport")))
			continue;
		out_lit(o, ";");
		out_span(o, value);
	}
	out_lit(o, ";received=");
	out_str(o, rg_addr_ip(&from->peer, ip));
	if (via.rport) {
		out_lit(o, ";rport=");
		out_number(o, from->peer.port);
	}
	if (rest.n) {
		out_lit(o, ", ");
		out_span(o, rest);
	}
	out_lit(o, "\r\n");
}

static void out_to(struct out *o, struct span to, const char *tag, size_t n)
{
	if (!to.p)
		return;
	out_lit(o, "To: ");
	out_span(o, to);
	if (n && !sip_tag(to).p) {
		out_lit(o, ";tag=");
		out_mem(o, tag, n);
	}
	out_lit(o, "\r\n");
}

void out_reply_vias(struct out *o, const struct sip_head *h, const struct sip_hop *from)
{
	struct span value;
	unsigned at = 0;
	bool top = true;

	while (sip_next(h, H_VIA, &at, &value)) {
		if (top)
			out_top_via(o, value, from);
		else
			out_line(o, "Via", value);
		top = false;
	}
}

static void reply(struct out *o, const struct sip_head *h, const struct sip_hop *from,
		  const char *tag, size_t n)
{
	out_reply_vias(o, h, from);
	out_line(o, "From", sip_value(h, H_FROM));
	out_to(o, sip_value(h, H_TO), tag, n);
	out_line(o, "Call-ID", sip_value(h, H_CALL_ID));
	out_line(o, "CSeq", sip_value(h, H_CSEQ));
}

struct sip_buf *sip_message_reply(struct sip_pool *pool, const struct sip_head *h,
				  const struct sip_hop *from, uint16_t code,
				  const char *reason, const char *tag, size_t n,
				  const char *headers)
{
	struct sip_buf *b = sip_buf_new(pool, h->header_len + 512 + n +
						      (headers ? strlen(headers) : 0));
	struct out o;

	if (!b)
		return NULL;
	o = (struct out){ b->data, b->data + b->cap, false };
	out_lit(&o, "SIP/2.0 ");
	out_number(&o, code);
	out_lit(&o, " ");
	out_str(&o, reason ? reason : sip_reason(code));
	out_lit(&o, "\r\n");
	reply(&o, h, from, tag, n);
	if (headers)
		out_str(&o, headers);
	out_lit(&o, "Content-Length: 0\r\n\r\n");
	if (o.full) {
		sip_buf_unref(b);
		return NULL;
	}
	b->len = (uint32_t)(o.p - b->data);
	return b;
}

const char *sip_reason(uint16_t code)
{
	static const struct {
		uint16_t code;
		const char *words;
	} reasons[] = {
		{ 100, "Trying" }, { 180, "Ringing" }, { 183, "Session Progress" },
		{ 200, "OK" }, { 400, "Bad Request" }, { 401, "Unauthorized" },
		{ 403, "Forbidden" }, { 404, "Not Found" }, { 405, "Method Not Allowed" },
		{ 408, "Request Timeout" }, { 413, "Request Entity Too Large" },
		{ 414, "Request-URI Too Long" },
		{ 415, "Unsupported Media Type" }, { 416, "Unsupported URI Scheme" },
		{ 420, "Bad Extension" }, { 480, "Temporarily Unavailable" },
		{ 481, "Call/Transaction Does Not Exist" }, { 482, "Loop Detected" },
		{ 483, "Too Many Hops" }, { 486, "Busy Here" }, { 487, "Request Terminated" },
		{ 488, "Not Acceptable Here" }, { 489, "Bad Event" },
		{ 500, "Server Internal Error" },
		{ 501, "Not Implemented" }, { 503, "Service Unavailable" },
		{ 505, "Version Not Supported" }, { 513, "Message Too Large" },
	};

	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (reasons[i].code == code)
			return reasons[i].words;
	return "Error";
}
