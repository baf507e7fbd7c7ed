/* Readers of header values and of the framing of streams; see precheck.h. */
#include <string.h>
#include <strings.h>

#include "sip/precheck.h"

bool span_is(struct span s, const char *text)
{
	return s.n == strlen(text) && (!s.n || !strncasecmp(s.p, text, s.n));
}

bool span_equal(struct span a, struct span b)
{
	return a.n == b.n && (!a.n || !memcmp(a.p, b.p, a.n));
}

bool span_equal_case(struct span a, struct span b)
{
	return a.n == b.n && (!a.n || !strncasecmp(a.p, b.p, a.n));
}

bool span_number(struct span s, uint32_t most, uint32_t *out)
{
	uint64_t v = 0;
	size_t i = 0;

	for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
		v = v * 10 + (uint64_t)(s.p[i] - '0');
		if (v > most)
			return false;
	}
	*out = (uint32_t)v;
	return i;
}

static const char *skip_quoted(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\' && p + 1 < end)
			p++;
	return p < end ? p + 1 : end;
}

bool span_value(struct span *rest, struct span *value)
{
	const char *p = rest->p, *end;
	bool angle = false;

	do {
		if (!rest->n)
			return false;
		end = p + rest->n;
		value->p = p;
		while (p < end && (*p != ',' || angle)) {
			if (*p == '"' && !angle) {
				p = skip_quoted(p, end);
				continue;
			}
			angle = *p == '<' ? true : *p == '>' ? false : angle;
			p++;
		}
		value->n = (size_t)(p - value->p);
		p += p < end;
		*rest = (struct span){ p, (size_t)(end - p) };
		*value = span_trim(*value);
	} while (!value->n);
	return true;
}

static bool name_matches(struct span at, const char *name, size_t n)
{
	if (at.n < n || ((*at.p ^ *name) & ~32) || strncasecmp(at.p, name, n))
		return false;
	at = span_trim((struct span){ at.p + n, at.n - n });
	return !at.n || *at.p == '=' || *at.p == ';';
}

static struct span param_value(struct span s)
{
	const char *end;

	s = span_trim(s);
	if (!s.n || *s.p != '=')
		return (struct span){ s.p, 0 };
	s = span_trim((struct span){ s.p + 1, s.n - 1 });
	if (s.n && *s.p == '"') {
		end = skip_quoted(s.p, s.p + s.n);
		s.n = (size_t)(end - s.p) - 1;
		s.p++;
		return (struct span){ s.p, s.n ? s.n - 1 : 0 };
	}
	end = s.p;
	while (end < s.p + s.n && *end != ';' && *end != ',' && *end != ' ' && *end != '\t' &&
	       *end != '\r' && *end != '>')
		end++;
	return (struct span){ s.p, (size_t)(end - s.p) };
}

struct span span_param(struct span params, const char *name)
{
	const char *p = params.p, *end = params.n ? p + params.n : p;
	size_t n = strlen(name);

	while (p < end) {
		struct span at;

		if (*p == '"') {
			p = skip_quoted(p, end);
			continue;
		}
		if (*p++ != ';')
			continue;
		at.p = p;
		at.n = (size_t)(end - p);
		at = span_trim(at);
		if (name_matches(at, name, n))
			return param_value((struct span){ at.p + n, at.n - n });
	}
	return (struct span){ NULL, 0 };
}

static bool via_host(struct span s, struct sip_via_part *via)
{
	const char *p = s.p, *end = p + s.n, *colon;
	uint32_t port = 0;

	if (s.n && *p == '[') {
		p = memchr(p, ']', s.n);
		if (!p)
			return false;
		p++;
	}
	colon = memchr(p, ':', (size_t)(end - p));
	via->host = span_trim((struct span){ s.p, (size_t)((colon ? colon : end) - s.p) });
	if (colon && !span_number(span_trim((struct span){ colon + 1, (size_t)(end - colon - 1) }),
				  65535, &port))
		return false;
	via->port = (uint16_t)port;
	return via->host.n;
}

/* SIP / 2.0 / UDP host:port;params -- blanks around the slashes are allowed. */
bool sip_via_part(struct span value, struct sip_via_part *via)
{
	struct span rest = value, v, sent_by;
	const char *semi, *p, *end;
	unsigned slashes = 0;

	memset(via, 0, sizeof *via);
	if (!span_value(&rest, &v) || v.n < 7 || strncasecmp(v.p, "SIP", 3))
		return false;
	semi = memchr(v.p, ';', v.n);
	end = semi ? semi : v.p + v.n;
	for (p = v.p; p < end && slashes < 2; p++)
		slashes += *p == '/';
	if (slashes < 2)
		return false;
	sent_by = span_trim((struct span){ p, (size_t)(end - p) });
	for (p = sent_by.p; p < end && *p != ' ' && *p != '\t' && *p != '\r'; p++)
		;
	via->transport = (struct span){ sent_by.p, (size_t)(p - sent_by.p) };
	if (!via_host(span_trim((struct span){ p, (size_t)(end - p) }), via))
		return false;
	via->params = (struct span){ end, (size_t)(v.p + v.n - end) };
	via->branch = span_param(via->params, "branch");
	via->rport = span_param(via->params, "rport").p;
	return true;
}

struct span sip_tag(struct span value)
{
	const char *p = value.p, *end = value.n ? p + value.n : p, *after = NULL;

	for (; p < end; p++) {
		if (*p == '"') {
			p = skip_quoted(p, end) - 1;
		} else if (*p == '<') {
			p = memchr(p, '>', (size_t)(end - p));
			if (!p)
				return (struct span){ NULL, 0 };
			after = p + 1;
			break;
		}
	}
	if (!after)
		after = value.p; /* addr-spec: parameters are the header's */
	return span_param((struct span){ after, (size_t)(end - after) }, "tag");
}

/* The Content-Length of a complete header; -1: none, or none that is a length. */
static long frame_length(const char *p, const char *end)
{
	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p)), *v = NULL;
		uint32_t n;

		if (!lf)
			break;
		if (lf - p > 15 && !strncasecmp(p, "Content-Length", 14))
			v = p + 14;
		else if (lf - p > 2 && (*p | 32) == 'l')
			v = p + 1;
		while (v && v < lf && (*v == ' ' || *v == '\t'))
			v++;
		if (v && v < lf && *v == ':') {
			struct span s = span_trim((struct span){ v + 1, (size_t)(lf - v - 1) });

			return span_number(s, UINT32_MAX, &n) ? (long)n : -1;
		}
		p = lf + 1;
	}
	return -1;
}

long sip_frame(struct sip_framing *f, const char *p, size_t n)
{
	size_t from = f->scanned > 3 ? f->scanned - 3 : 0;
	size_t limit = n < SIP_HEADER_MOST ? n : SIP_HEADER_MOST;
	const char *e;
	long length;

	if (!f->need) {
		e = limit > from ? memmem(p + from, limit - from, "\r\n\r\n", 4) : NULL;
		if (!e) { /* what is known to be no header is not waited for */
			if (limit > f->scanned && memchr(p + f->scanned, 0, limit - f->scanned))
				return SIP_FRAME_NONE;
			f->scanned = (uint32_t)limit;
			if (limit > SIP_METHOD_MOST && !f->started)
				f->started = memchr(p, ' ', SIP_METHOD_MOST + 1) != NULL;
			if (limit > SIP_METHOD_MOST && !f->started)
				return SIP_FRAME_NONE;
			return n < SIP_HEADER_MOST ? 0 : SIP_FRAME_LARGE;
		}
		length = frame_length(p, e + 2);
		if (length < 0)
			return SIP_FRAME_NONE;
		if (e - p + 4 + length > SIP_MESSAGE_MOST)
			return SIP_FRAME_LARGE;
		f->need = (uint32_t)(e - p + 4 + length);
	}
	return f->need <= n ? (long)f->need : 0;
}
