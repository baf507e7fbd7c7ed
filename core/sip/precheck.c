#include "sip/precheck.h"

#include <string.h>
#include <strings.h>

static const struct {
	const char *name;
	uint8_t len, field;
	bool single;
	uint16_t most;
} fields[] = {
	{ "Via", 3, H_VIA, false, SIP_LINE_MOST },
	{ "v", 1, H_VIA, false, SIP_LINE_MOST },
	{ "From", 4, H_FROM, true, SIP_NAME_MOST },
	{ "f", 1, H_FROM, true, SIP_NAME_MOST },
	{ "To", 2, H_TO, true, SIP_NAME_MOST },
	{ "t", 1, H_TO, true, SIP_NAME_MOST },
	{ "Call-ID", 7, H_CALL_ID, true, SIP_SHORT_MOST },
	{ "i", 1, H_CALL_ID, true, SIP_SHORT_MOST },
	{ "CSeq", 4, H_CSEQ, true, SIP_SHORT_MOST },
	{ "Contact", 7, H_CONTACT, false, SIP_LIST_MOST },
	{ "m", 1, H_CONTACT, false, SIP_LIST_MOST },
	{ "Expires", 7, H_EXPIRES, true, SIP_SHORT_MOST },
	{ "Min-Expires", 11, H_MIN_EXPIRES, true, SIP_SHORT_MOST },
	{ "Max-Forwards", 12, H_MAX_FORWARDS, true, SIP_SHORT_MOST },
	{ "Content-Length", 14, H_CONTENT_LENGTH, true, SIP_SHORT_MOST },
	{ "l", 1, H_CONTENT_LENGTH, true, SIP_SHORT_MOST },
	{ "Content-Type", 12, H_CONTENT_TYPE, true, SIP_NAME_MOST },
	{ "c", 1, H_CONTENT_TYPE, true, SIP_NAME_MOST },
	{ "Retry-After", 11, H_RETRY_AFTER, true, SIP_SHORT_MOST },
	{ "WWW-Authenticate", 16, H_WWW_AUTHENTICATE, false, SIP_LINE_MOST },
	{ "Proxy-Authenticate", 18, H_PROXY_AUTHENTICATE, false, SIP_LINE_MOST },
	{ "Authentication-Info", 19, H_AUTHENTICATION_INFO, false, SIP_LINE_MOST },
	{ "Proxy-Authentication-Info", 25, H_PROXY_AUTHENTICATION_INFO, false, SIP_LINE_MOST },
	{ "Authorization", 13, H_AUTHORIZATION, false, SIP_LINE_MOST },
	{ "Proxy-Authorization", 19, H_PROXY_AUTHORIZATION, false, SIP_LINE_MOST },
	{ "Service-Route", 13, H_SERVICE_ROUTE, false, SIP_LINE_MOST },
	{ "Path", 4, H_PATH, false, SIP_LINE_MOST },
	{ "P-Associated-URI", 16, H_P_ASSOCIATED_URI, false, SIP_LIST_MOST },
	{ "Route", 5, H_ROUTE, false, SIP_LINE_MOST },
	{ "Record-Route", 12, H_RECORD_ROUTE, false, SIP_LINE_MOST },
	{ "Require", 7, H_REQUIRE, false, SIP_LINE_MOST },
	{ "Supported", 9, H_SUPPORTED, false, SIP_LINE_MOST },
	{ "k", 1, H_SUPPORTED, false, SIP_LINE_MOST },
	{ "Event", 5, H_EVENT, true, SIP_SHORT_MOST },
	{ "o", 1, H_EVENT, true, SIP_SHORT_MOST },
	{ "Subscription-State", 18, H_SUBSCRIPTION_STATE, true, SIP_SHORT_MOST },
	{ "Content-Encoding", 16, H_CONTENT_ENCODING, true, SIP_SHORT_MOST },
	{ "e", 1, H_CONTENT_ENCODING, true, SIP_SHORT_MOST },
	{ "P-Asserted-Identity", 19, H_P_ASSERTED_IDENTITY, false, SIP_LINE_MOST },
	{ "P-Preferred-Identity", 20, H_P_PREFERRED_IDENTITY, false, SIP_LINE_MOST },
	{ "RAck", 4, H_RACK, true, SIP_SHORT_MOST },
	{ "RSeq", 4, H_RSEQ, true, SIP_SHORT_MOST },
	{ "Replaces", 8, H_REPLACES, true, SIP_NAME_MOST },
	{ "Refer-To", 8, H_REFER_TO, true, SIP_LINE_MOST },
	{ "r", 1, H_REFER_TO, true, SIP_LINE_MOST },
	{ "Session-ID", 10, H_SESSION_ID, false, SIP_NAME_MOST },
	{ "Security-Server", 15, H_SECURITY_SERVER, false, SIP_LINE_MOST },
	{ "Flow-Timer", 10, H_FLOW_TIMER, true, SIP_SHORT_MOST },
	{ "Session-Expires", 15, H_SESSION_EXPIRES, false, SIP_SHORT_MOST },
	{ "x", 1, H_SESSION_EXPIRES, false, SIP_SHORT_MOST },
};

enum { FIELD_ROWS = sizeof fields / sizeof *fields, FAULTS_MOST = 64 };

/* Faults of size, not of form. */
static const char header_long[] = "header too long", line_long[] = "header line too long",
		  lines_many[] = "too many header lines", values_many[] = "too many values",
		  body_long[] = "body too long";

static bool is_size(const char *why)
{
	return why == header_long || why == line_long || why == lines_many ||
	       why == values_many || why == body_long;
}

/* Rows by length of the name, so that most headers meet one or two comparisons. */
static int row_of(const char *name, size_t len)
{
	for (int i = 0; i < FIELD_ROWS; i++)
		if (fields[i].len == len && (fields[i].name[0] | 32) == (name[0] | 32) &&
		    !strncasecmp(fields[i].name, name, len))
			return i;
	return -1;
}

static bool token_char(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-.!%*_+`'~", c));
}

static size_t token_len(const char *p, const char *end)
{
	const char *s = p;

	while (s < end && token_char((unsigned char)*s))
		s++;
	return (size_t)(s - p);
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span span_trim(struct span s)
{
	while (s.n && blank(*s.p))
		s.p++, s.n--;
	while (s.n && blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* The end of the line at p without its line break; *next: where the next begins.
 * NULL: no line break, or a byte that may not be in a line. */
static const char *line_end(const char *p, const char *end, const char **next)
{
	const char *lf = memchr(p, '\n', (size_t)(end - p)), *e = lf;

	if (!lf)
		return NULL;
	*next = lf + 1;
	if (e > p && e[-1] == '\r')
		e--;
	if (memchr(p, '\r', (size_t)(e - p)) || memchr(p, 0, (size_t)(e - p)))
		return NULL;
	return e;
}

static bool response_line(struct sip_head *h, const char *p, const char *e)
{
	if (e - p < 11 || p[7] != ' ' || p[8] < '1' || p[8] > '6' || p[9] < '0' || p[9] > '9' ||
	    p[10] < '0' || p[10] > '9')
		return false;
	h->code = (uint16_t)((p[8] - '0') * 100 + (p[9] - '0') * 10 + (p[10] - '0'));
	if (e - p > 11 && p[11] != ' ')
		return false;
	h->reason.p = e - p > 12 ? p + 12 : e;
	h->reason.n = (size_t)(e - h->reason.p);
	return true;
}

/* An IPv6 address without brackets: its end and the port's begin cannot be told apart
 * (RFC 5118 4.2). */
static bool bare_six(struct span uri)
{
	const char *end = uri.p + uri.n, *p = memchr(uri.p, '@', uri.n);
	unsigned colons = 0;

	if (strncasecmp(uri.p, "sip:", 4) && strncasecmp(uri.p, "sips:", 5))
		return false;
	p = p ? p + 1 : (const char *)memchr(uri.p, ':', uri.n) + 1;
	if (p < end && *p == '[')
		return false;
	for (; p < end && *p != ';' && *p != '?'; p++)
		colons += *p == ':';
	return colons > 1;
}

static enum sip_verdict request_line(struct sip_head *h, const char *p, const char *e,
				     const char **why)
{
	const char *sp;

	h->request = true;
	h->method.p = p;
	h->method.n = token_len(p, e);
	*why = "malformed request line";
	if (!h->method.n || h->method.n > SIP_METHOD_MOST || p + h->method.n == e ||
	    p[h->method.n] != ' ')
		return SIP_HOPELESS;
	h->uri.p = p + h->method.n + 1;
	sp = memchr(h->uri.p, ' ', (size_t)(e - h->uri.p));
	if (!sp)
		return SIP_BAD;
	h->uri.n = (size_t)(sp - h->uri.p);
	if (!h->uri.n || e - sp < 5 || strncasecmp(sp + 1, "SIP/", 4))
		return SIP_BAD;
	if (e - sp != 8 || memcmp(sp + 5, "2.0", 3))
		return memchr(sp + 1, ' ', (size_t)(e - sp - 1)) ? SIP_BAD : SIP_VERSION;
	for (size_t i = 0; i < h->uri.n; i++)
		if ((unsigned char)h->uri.p[i] <= ' ' || strchr("<>\"", h->uri.p[i]))
			return SIP_BAD;
	if (bare_six(h->uri)) {
		*why = "an IPv6 address without brackets";
		return SIP_BAD;
	}
	return SIP_FINE;
}

/* p..e is a header line with its continuations. */
static const char *header_line(struct sip_head *h, const char *p, const char *e)
{
	struct sip_line *l = &h->line[h->lines];
	size_t len = token_len(p, e);
	const char *colon = p + len;
	struct span v;
	const char *fault;
	int row;

	if (h->lines == SIP_LINES_MOST)
		return lines_many;
	while (colon < e && (*colon == ' ' || *colon == '\t'))
		colon++;
	if (!len || len > 255 || colon == e || *colon != ':')
		return "malformed header line";
	v = span_trim((struct span){ colon + 1, (size_t)(e - colon - 1) });
	row = row_of(p, len);
	*l = (struct sip_line){
		.name = (uint16_t)(p - h->base),
		.name_len = (uint8_t)len,
		.value = (uint16_t)(v.p - h->base),
		.len = (uint16_t)v.n,
		.field = row < 0 ? H_OTHER : fields[row].field,
	};
	h->lines++; /* noted even if it is too long: an answer repeats some of them */
	fault = e - p > (row < 0 ? (ptrdiff_t)SIP_LINE_MOST : fields[row].most) ? line_long : NULL;
	if (row < 0)
		return fault;
	if (h->first[l->field])
		return fields[row].single ? "header given twice" : fault;
	h->first[l->field] = h->lines;
	return fault;
}

/* The line at p has no end: is that for want of room only? */
static const char *no_end(const struct sip_head *h, const char *p, const char *end)
{
	size_t n = (size_t)(end - p);

	if (end - h->base == SIP_HEADER_MOST && !memchr(p, '\n', n) && !memchr(p, 0, n))
		return header_long;
	return "header without an end, or with bytes it may not have";
}

/* From p to the blank line; a fault is looked past, so that as much as possible is known
 * for an answer, but not for ever.  Returns the first fault. */
static const char *header(struct sip_head *h, const char *p, const char *end)
{
	const char *why = NULL, *fault, *next = p;

	for (unsigned faults = 0; faults < FAULTS_MOST; faults += why != NULL) {
		const char *start = next, *e = line_end(start, end, &next);

		if (!e)
			return no_end(h, start, end);
		if (e == start) {
			h->header_len = (uint32_t)(next - h->base);
			return why;
		}
		while (next < end && (*next == ' ' || *next == '\t')) {
			e = line_end(next, end, &next);
			if (!e)
				return no_end(h, next, end);
		}
		fault = header_line(h, start, e);
		if (fault && !why)
			why = fault;
	}
	return why;
}

struct span sip_value(const struct sip_head *h, enum sip_field f)
{
	const struct sip_line *l;

	if (!h->first[f])
		return (struct span){ NULL, 0 };
	l = &h->line[h->first[f] - 1];
	return (struct span){ h->base + l->value, l->len };
}

bool sip_next(const struct sip_head *h, enum sip_field f, unsigned *at, struct span *value)
{
	unsigned i = *at ? *at : h->first[f] ? h->first[f] - 1u : h->lines;

	for (; i < h->lines; i++) {
		if (h->line[i].field != f)
			continue;
		*value = (struct span){ h->base + h->line[i].value, h->line[i].len };
		*at = i + 1;
		return true;
	}
	return false;
}

static const char *cseq(struct sip_head *h)
{
	struct span v = sip_value(h, H_CSEQ);
	size_t digits = 0;

	while (digits < v.n && v.p[digits] >= '0' && v.p[digits] <= '9')
		digits++;
	if (digits > 10 || !span_number(v, INT32_MAX, &h->cseq))
		return "CSeq out of range";
	v = span_trim((struct span){ v.p + digits, v.n - digits });
	if (!v.n || token_len(v.p, v.p + v.n) != v.n)
		return "malformed CSeq";
	if (!h->request)
		h->method = v;
	else if (!span_equal(v, h->method))
		return "CSeq of another method";
	return NULL;
}

static bool all_digits(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.n;
}

static const char *numbers(struct sip_head *h)
{
	struct span v = sip_value(h, H_MAX_FORWARDS);
	uint32_t n;

	h->max_forwards = 255;
	if (v.p && (!all_digits(v) || !span_number(v, 255, &n)))
		return "Max-Forwards out of range";
	if (v.p)
		h->max_forwards = (uint8_t)n;
	h->expires = UINT32_MAX;
	v = sip_value(h, H_EXPIRES);
	if (v.p && h->request && (!all_digits(v) || !span_number(v, UINT32_MAX - 1, &n)))
		return "Expires out of range";
	if (v.p && all_digits(v))
		h->expires = span_number(v, UINT32_MAX - 1, &n) ? n : UINT32_MAX - 1;
	return NULL;
}

static const char *body(struct sip_head *h, size_t n)
{
	struct span v = sip_value(h, H_CONTENT_LENGTH);
	uint32_t length;

	if (!v.p)
		return NULL;
	if (!all_digits(v) || !span_number(v, UINT32_MAX, &length))
		return "Content-Length out of range";
	if (length > SIP_MESSAGE_MOST)
		return body_long;
	if (length > n - h->header_len)
		return "body shorter than Content-Length";
	h->len = h->header_len + length;
	return NULL;
}

static const char *mandatory(const struct sip_head *h)
{
	static const enum sip_field need[] = { H_FROM, H_TO, H_CALL_ID };

	for (size_t i = 0; i < sizeof need / sizeof *need; i++)
		if (!sip_value(h, need[i]).n)
			return "a mandatory header is missing";
	return NULL;
}

/* Without these the peer cannot be found, or cannot tell what is answered. */
static bool answerable(const struct sip_head *h, struct sip_via_part *via)
{
	return sip_value(h, H_CSEQ).n && sip_via_part(sip_value(h, H_VIA), via);
}

/* Separators with nothing between them: no such Via was written by a peer of good will. */
static bool empty_param(struct span params)
{
	for (const char *p = params.p, *e = p + params.n; p < e;) {
		bool quoted = false;

		for (p++; p < e && blank(*p); p++)
			;
		if (p == e || !token_char((unsigned char)*p))
			return true;
		for (; p < e && (quoted || *p != ';'); p++)
			if (*p == '\\' && quoted && p + 1 < e)
				p++;
			else if (*p == '"')
				quoted = !quoted;
	}
	return false;
}

/* A display name whose quotes do not end takes the address with it. */
static bool open_quote(struct span v)
{
	if (!v.n || *v.p != '"')
		return false;
	for (size_t i = 1; i < v.n; i++)
		if (v.p[i] == '\\')
			i++;
		else if (v.p[i] == '"')
			return false;
	return true;
}

static const char *grammar(const struct sip_head *h, const struct sip_via_part *via)
{
	if (empty_param(via->params))
		return "malformed Via";
	if (open_quote(sip_value(h, H_FROM)) || open_quote(sip_value(h, H_TO)))
		return "quotes without an end";
	return NULL;
}

static const char *values(const struct sip_head *h)
{
	unsigned n = h->lines;

	for (const char *p = h->base, *e = p + h->header_len;
	     (p = memchr(p, ',', (size_t)(e - p))) != NULL; p++)
		if (++n > SIP_VALUES_MOST)
			return values_many;
	return NULL;
}

enum sip_verdict sip_precheck(struct sip_head *h, const char *p, size_t n, const char **why)
{
	const char *end = p + (n < SIP_HEADER_MOST ? n : SIP_HEADER_MOST), *next, *e, *fault;
	enum sip_verdict verdict = SIP_FINE;
	struct sip_via_part via;

	memset(h, 0, offsetof(struct sip_head, line));
	h->base = p;
	h->len = (uint32_t)n;
	*why = "too long";
	if (n > SIP_MESSAGE_MOST)
		return SIP_HOPELESS;
	*why = "malformed start line";
	e = line_end(p, end, &next);
	if (!e)
		return SIP_HOPELESS;
	if (e - p > 7 && !strncasecmp(p, "SIP/2.0", 7)) {
		if (next - p > SIP_START_MOST || !response_line(h, p, e))
			return SIP_HOPELESS;
	} else {
		verdict = request_line(h, p, e, why);
		if (verdict == SIP_HOPELESS)
			return SIP_HOPELESS;
		if (verdict == SIP_FINE && next - p > SIP_START_MOST)
			verdict = SIP_URI_LONG;
	}
	fault = header(h, next, end);
	if (!h->header_len && is_size(fault))
		h->header_len = (uint32_t)(end - p);
	if (!h->header_len || !answerable(h, &via)) {
		*why = fault ? fault : "a mandatory header is missing";
		return SIP_HOPELESS;
	}
	if (verdict == SIP_URI_LONG)
		*why = "request line too long";
	if (verdict == SIP_VERSION || verdict == SIP_URI_LONG)
		return verdict;
	if (verdict == SIP_FINE || fault)
		*why = fault;
	if (!*why)
		*why = mandatory(h);
	if (!*why)
		*why = cseq(h);
	if (!*why)
		*why = numbers(h);
	if (!*why)
		*why = body(h, n);
	if (!*why && h->request)
		*why = grammar(h, &via);
	if (!*why && h->request)
		*why = values(h);
	if (!*why)
		return SIP_FINE;
	if (!h->request)
		return SIP_HOPELESS;
	return is_size(*why) ? SIP_LARGE : SIP_BAD;
}
