/* From a message of one leg to the message of the other; see translate.h.  The header is
 * put together beside, so that the buffer is of the right size and copied into once. */
#include "sip/translate.h"

#include <string.h>

#include "sip/message.h"
#include "sip/transaction.h"

struct text {
	struct out o;
	bool bad; /* would not be fit to send */
	char header[SIP_HEADER_MOST];
};

static void begin(struct text *t)
{
	t->o = (struct out){ t->header, t->header + sizeof t->header, false };
	t->bad = false;
}

/* A value on one line: each fold is a blank. */
static void put_value(struct text *t, struct span s)
{
	while (s.n) {
		const char *lf = memchr(s.p, '\n', s.n), *p = lf, *end = s.p + s.n;

		if (!lf) {
			out_span(&t->o, s);
			return;
		}
		while (p > s.p && (p[-1] == '\r' || p[-1] == ' ' || p[-1] == '\t'))
			p--;
		out_mem(&t->o, s.p, (size_t)(p - s.p));
		out_lit(&t->o, " ");
		s = span_trim((struct span){ lf, (size_t)(end - lf) });
	}
}

static void end_line(struct text *t, const char *begun, size_t most)
{
	t->bad |= (size_t)(t->o.p - begun) > most;
	out_lit(&t->o, "\r\n");
}

/* most: as sip_precheck() has it for such a line. */
static void put_line(struct text *t, struct span name, struct span value, size_t most)
{
	const char *begun = t->o.p;

	out_span(&t->o, name);
	out_lit(&t->o, ": ");
	put_value(t, value);
	end_line(t, begun, most);
}

#define NAMED(s) ((struct span){ "" s, sizeof(s) - 1 })

static struct span name_of(const struct sip_head *h, const struct sip_line *l)
{
	return (struct span){ h->base + l->name, l->name_len };
}

static struct span value_of(const struct sip_head *h, const struct sip_line *l)
{
	return (struct span){ h->base + l->value, l->len };
}

static void keep(struct text *t, const struct sip_head *h, const struct sip_line *l)
{
	put_value(t, (struct span){ h->base + l->name,
				    (size_t)(l->value + l->len - l->name) });
	out_lit(&t->o, "\r\n");
}

static void put_instead(struct text *t, const struct sip_head *h, const struct sip_line *l,
			struct span value, size_t most)
{
	if (value.p)
		put_line(t, name_of(h, l), value, most);
	else
		keep(t, h, l);
}

/* One value for all lines of a field, where its first one stood. */
static void put_once(struct text *t, const struct sip_head *h, const struct sip_line *l,
		     struct span value)
{
	if (value.n && l == &h->line[h->first[l->field] - 1])
		put_line(t, name_of(h, l), value, SIP_LINE_MOST);
}

/* ... and where there was none. */
static void add_once(struct text *t, const struct sip_head *h, enum sip_field f,
		     struct span name, struct span value)
{
	if (value.n && !h->first[f])
		put_line(t, name, value, SIP_LINE_MOST);
}

static void put_cseq(struct text *t, struct span name, uint32_t cseq, struct span method)
{
	out_span(&t->o, name);
	out_lit(&t->o, ": ");
	out_number(&t->o, cseq);
	out_lit(&t->o, " ");
	out_span(&t->o, method);
	out_lit(&t->o, "\r\n");
}

static void put_request_line(struct text *t, struct span method, struct span uri)
{
	for (size_t i = 0; i < uri.n; i++)
		t->bad |= (unsigned char)uri.p[i] <= ' ';
	t->bad |= !uri.n;
	out_span(&t->o, method);
	out_lit(&t->o, " ");
	out_span(&t->o, uri);
	out_lit(&t->o, " SIP/2.0");
	end_line(t, t->header, SIP_START_MOST - 2);
}

/* What the other leg gives by itself, or not at all. */
static bool left_out(uint8_t field)
{
	switch (field) {
	case H_VIA:
	case H_ROUTE:
	case H_RECORD_ROUTE:
	case H_PATH:
	case H_SERVICE_ROUTE:
	case H_MAX_FORWARDS:
	case H_CONTENT_LENGTH:
	case H_AUTHENTICATION_INFO:
	case H_PROXY_AUTHENTICATION_INFO:
		return true;
	default:
		return false;
	}
}

static bool describes_body(uint8_t field)
{
	return field == H_CONTENT_TYPE || field == H_CONTENT_ENCODING;
}

static struct span body_of(const struct sip_head *h)
{
	return (struct span){ h->base + h->header_len, h->len - h->header_len };
}

static size_t count(const struct text *t, char c)
{
	size_t n = 0;

	for (const char *p = t->header; (p = memchr(p, c, (size_t)(t->o.p - p))) != NULL; p++)
		n++;
	return n;
}

/* sip_precheck() has its limits for others; what goes beyond them must not come from us,
 * who read our own requests again, either. */
static bool fit(const struct text *t, bool request)
{
	size_t lines;

	if (t->o.full || t->bad)
		return false;
	lines = count(t, '\n') - 2; /* start and blank line */
	return lines <= SIP_LINES_MOST &&
	       (!request || lines + count(t, ',') <= SIP_VALUES_MOST);
}

/* Content-Length, the blank line, the body. */
static struct sip_buf *finish(struct sip_pool *pool, struct text *t, struct span body,
			      bool request)
{
	struct sip_buf *b;
	size_t n;

	out_lit(&t->o, "Content-Length: ");
	out_number(&t->o, (uint32_t)body.n);
	out_lit(&t->o, "\r\n\r\n");
	if (!fit(t, request) || body.n > SIP_MESSAGE_MOST)
		return NULL;
	n = (size_t)(t->o.p - t->header);
	b = sip_buf_new(pool, n + body.n);
	if (!b)
		return NULL;
	memcpy(b->data, t->header, n);
	if (body.n)
		memcpy(b->data + n, body.p, body.n);
	b->len = (uint32_t)(n + body.n);
	return b;
}

/* ---- requests ------------------------------------------------------------------------ */

static void put_top(struct text *t, struct span method, struct span uri,
		    const struct sip_outbound *r)
{
	put_request_line(t, method, uri);
	out_via(&t->o, &r->local, r->branch.p, r->branch.n);
	if (r->routes.n)
		put_line(t, NAMED("Route"), r->routes, SIP_LINE_MOST);
	out_lit(&t->o, "Max-Forwards: ");
	out_number(&t->o, r->max_forwards);
	out_lit(&t->o, "\r\n");
}

static void request_line(struct text *t, const struct sip_head *h, const struct sip_line *l,
			 const struct sip_outbound *r)
{
	switch (l->field) {
	case H_FROM:
		put_instead(t, h, l, r->from, SIP_NAME_MOST);
		break;
	case H_TO:
		put_instead(t, h, l, r->to, SIP_NAME_MOST);
		break;
	case H_CALL_ID:
		put_instead(t, h, l, r->call_id, SIP_SHORT_MOST);
		break;
	case H_CSEQ:
		put_cseq(t, name_of(h, l), r->cseq, h->method);
		break;
	case H_CONTACT:
		put_once(t, h, l, r->contact);
		break;
	case H_RACK:
		put_instead(t, h, l, r->rack, SIP_SHORT_MOST);
		break;
	case H_REPLACES:
		put_instead(t, h, l, r->replaces, SIP_NAME_MOST);
		break;
	case H_REFER_TO:
		put_instead(t, h, l, r->refer_to, SIP_LINE_MOST);
		break;
	case H_P_ASSERTED_IDENTITY:
		if (r->asserted.p)
			put_once(t, h, l, r->asserted);
		else
			keep(t, h, l);
		break;
	case H_P_PREFERRED_IDENTITY:
		if (r->preferred.p)
			put_once(t, h, l, r->preferred);
		else
			keep(t, h, l);
		break;
	case H_AUTHORIZATION:
	case H_PROXY_AUTHORIZATION:
		if (r->keep_authorization)
			keep(t, h, l);
		break;
	default:
		if (!left_out(l->field) &&
		    !(describes_body(l->field) && r->body.p && !r->body.n))
			keep(t, h, l);
	}
}

struct sip_buf *sip_translate_request(struct sip_pool *pool, const struct sip_head *h,
				      const struct sip_outbound *r)
{
	struct text t;

	begin(&t);
	put_top(&t, h->method, r->uri.p ? r->uri : h->uri, r);
	for (unsigned i = 0; i < h->lines; i++)
		request_line(&t, h, &h->line[i], r);
	add_once(&t, h, H_CONTACT, NAMED("Contact"), r->contact);
	add_once(&t, h, H_P_ASSERTED_IDENTITY, NAMED("P-Asserted-Identity"), r->asserted);
	add_once(&t, h, H_P_PREFERRED_IDENTITY, NAMED("P-Preferred-Identity"), r->preferred);
	out_span(&t.o, r->headers);
	return finish(pool, &t, r->body.p ? r->body : body_of(h), true);
}

struct sip_buf *sip_translate_new(struct sip_pool *pool, const char *method,
				  const struct sip_outbound *r)
{
	struct span m = { method, strlen(method) };
	struct text t;

	begin(&t);
	put_top(&t, m, r->uri, r);
	put_line(&t, NAMED("From"), r->from, SIP_NAME_MOST);
	put_line(&t, NAMED("To"), r->to, SIP_NAME_MOST);
	put_line(&t, NAMED("Call-ID"), r->call_id, SIP_SHORT_MOST);
	put_cseq(&t, NAMED("CSeq"), r->cseq, m);
	out_span(&t.o, r->headers);
	return finish(pool, &t, (struct span){ NULL, 0 }, true);
}

/* ---- answers ------------------------------------------------------------------------- */

static void put_status(struct text *t, const struct sip_head *h, uint16_t code)
{
	out_lit(&t->o, "SIP/2.0 ");
	out_number(&t->o, code ? code : h->code);
	out_lit(&t->o, " ");
	if (code)
		out_str(&t->o, sip_reason(code));
	else
		out_span(&t->o, h->reason);
	end_line(t, t->header, SIP_START_MOST - 2);
}

static void put_to(struct text *t, struct span name, struct span to, struct span tag)
{
	const char *begun = t->o.p;

	out_span(&t->o, name);
	out_lit(&t->o, ": ");
	put_value(t, to);
	if (tag.n && !sip_tag(to).p) {
		out_lit(&t->o, ";tag=");
		out_span(&t->o, tag);
	}
	end_line(t, begun, SIP_NAME_MOST);
}

/* RFC 3261 12.1.1: of the answers that may make a dialog. */
static void put_record_routes(struct text *t, const struct sip_inbound *r, uint16_t code)
{
	struct span value;
	unsigned at = 0;

	if (r->record_routes.p) {
		if (r->record_routes.n)
			put_line(t, NAMED("Record-Route"), r->record_routes, SIP_LINE_MOST);
		return;
	}
	if (code <= 100 || code >= 300)
		return;
	while (sip_next(r->request, H_RECORD_ROUTE, &at, &value))
		put_line(t, NAMED("Record-Route"), value, SIP_LINE_MOST);
}

static bool redirects(uint16_t code)
{
	return (code >= 300 && code < 400) || code == 485;
}

static void answer_line(struct text *t, const struct sip_head *h, const struct sip_line *l,
			const struct sip_inbound *r)
{
	const struct sip_head *q = r->request;

	switch (l->field) {
	case H_FROM:
		put_line(t, name_of(h, l), sip_value(q, H_FROM), SIP_NAME_MOST);
		break;
	case H_TO:
		put_to(t, name_of(h, l), sip_value(q, H_TO), r->to_tag);
		break;
	case H_CALL_ID:
		put_line(t, name_of(h, l), sip_value(q, H_CALL_ID), SIP_SHORT_MOST);
		break;
	case H_CSEQ:
		put_cseq(t, name_of(h, l), q->cseq, q->method);
		break;
	case H_CONTACT:
		if (redirects(h->code))
			keep(t, h, l);
		else
			put_once(t, h, l, r->contact);
		break;
	case H_WWW_AUTHENTICATE:
	case H_PROXY_AUTHENTICATE:
		if (r->keep_challenges)
			keep(t, h, l);
		break;
	default:
		if (!left_out(l->field) &&
		    !(describes_body(l->field) && r->body.p && !r->body.n))
			keep(t, h, l);
	}
}

struct sip_buf *sip_translate_answer(struct sip_pool *pool, const struct sip_head *h,
				     const struct sip_inbound *r)
{
	struct text t;

	begin(&t);
	put_status(&t, h, r->code);
	out_reply_vias(&t.o, r->request, r->from);
	put_record_routes(&t, r, r->code ? r->code : h->code);
	for (unsigned i = 0; i < h->lines; i++)
		answer_line(&t, h, &h->line[i], r);
	if (!redirects(h->code))
		add_once(&t, h, H_CONTACT, NAMED("Contact"), r->contact);
	out_span(&t.o, r->headers);
	return finish(pool, &t, r->body.p ? r->body : body_of(h), false);
}

/* ---- once more ----------------------------------------------------------------------- */

/* Our topmost Via, which is alone on its line. */
static void put_via_again(struct text *t, const struct sip_head *h, const struct sip_line *l,
			  const struct sip_revision *r)
{
	struct span v = value_of(h, l), branch;
	struct sip_via_part via;

	if (!sip_via_part(v, &via)) {
		t->bad = true;
		return;
	}
	branch = r->branch.p ? r->branch : via.branch;
	if (r->local.family) {
		out_via(&t->o, &r->local, branch.p, branch.n);
		return;
	}
	if (!via.branch.p) {
		t->bad = true;
		return;
	}
	out_mem(&t->o, h->base + l->name, (size_t)(via.branch.p - (h->base + l->name)));
	out_span(&t->o, branch);
	out_mem(&t->o, via.branch.p + via.branch.n,
		(size_t)(v.p + v.n - (via.branch.p + via.branch.n)));
	out_lit(&t->o, "\r\n");
}

static void again_line(struct text *t, const struct sip_head *h, const struct sip_line *l,
		       const struct sip_revision *r)
{
	switch (l->field) {
	case H_VIA:
		if (l == &h->line[h->first[H_VIA] - 1])
			put_via_again(t, h, l, r);
		else
			keep(t, h, l);
		break;
	case H_CSEQ:
		put_cseq(t, name_of(h, l), r->cseq ? r->cseq : h->cseq, h->method);
		break;
	case H_AUTHORIZATION:
	case H_PROXY_AUTHORIZATION:
		if (!r->credentials.p)
			keep(t, h, l);
		break;
	case H_CONTENT_LENGTH:
		break;
	default:
		keep(t, h, l);
	}
}

struct sip_buf *sip_translate_again(struct sip_pool *pool, const struct sip_buf *b,
				    const struct sip_revision *r)
{
	struct sip_head h;
	const char *why;
	struct text t;

	if (sip_precheck(&h, b->data, b->len, &why) != SIP_FINE || !h.request)
		return NULL;
	begin(&t);
	put_request_line(&t, h.method, r->uri.p ? r->uri : h.uri);
	for (unsigned i = 0; i < h.lines; i++)
		again_line(&t, &h, &h.line[i], r);
	out_span(&t.o, r->credentials);
	return finish(pool, &t, body_of(&h), true);
}
