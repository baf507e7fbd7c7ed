/* Session descriptions that are rewritten on their way, and the messages that wait for it:
 * those of one call go on in the order they came. */
#include <string.h>

#include "base/log.h"
#include "relay/call.h"

enum { WARN_MS = 60 * 1000, ITEMS_MOST = 32 };

struct media_item {
	struct media_item *next;
	struct exchange *x;
	struct sip_buf *message;
	struct sip_hop hop;
	uint8_t kind;	/* enum media_kind */
	bool asked;	/* the service has it */
};

static const struct span as_it_is = { NULL, 0 };

/* ---- where the session description is --------------------------------------------------- */

static bool is_sdp(struct span type)
{
	const char *semi = type.n ? memchr(type.p, ';', type.n) : NULL;

	if (semi)
		type.n = (size_t)(semi - type.p);
	return span_is(span_trim(type), "application/sdp");
}

/* The Content-Type among the header lines of a part. */
static bool sdp_part(struct span header)
{
	while (header.n) {
		const char *lf = memchr(header.p, '\n', header.n);
		struct span line = { header.p, lf ? (size_t)(lf - header.p) : header.n };
		const char *colon = line.n ? memchr(line.p, ':', line.n) : NULL;

		if (colon && span_is(span_trim((struct span){ line.p, (size_t)(colon - line.p) }),
				     "Content-Type"))
			return is_sdp((struct span){ colon + 1,
						     (size_t)(line.p + line.n - colon - 1) });
		if (!lf)
			break;
		header.n -= (size_t)(lf + 1 - header.p);
		header.p = lf + 1;
	}
	return false;
}

/* RFC 2046 5.1: the first part that is one. */
static struct span in_multipart(struct span type, struct span body)
{
	struct span boundary = span_param(type, "boundary");
	char mark[80] = "--";
	const char *p = body.p, *end = body.p + body.n, *head, *next;
	size_t n = boundary.n + 2;

	if (!boundary.n || n >= sizeof mark)
		return as_it_is;
	memcpy(mark + 2, boundary.p, boundary.n);
	p = memmem(p, (size_t)(end - p), mark, n);
	while (p) {
		p += n;
		next = memmem(p, (size_t)(end - p), mark, n);
		if (!next)
			break;
		/* no further, or many parts are read many times */
		head = memmem(p, (size_t)(next - p), "\r\n\r\n", 4);
		if (head && sdp_part((struct span){ p, (size_t)(head - p) })) {
			struct span part = { head + 4, (size_t)(next - head - 4) };

			if (part.n >= 2 && next[-1] == '\n' && next[-2] == '\r')
				part.n -= 2; /* the line break is the boundary's */
			return part;
		}
		p = next;
	}
	return as_it_is;
}

static struct span sdp_of(const struct sip_head *h)
{
	struct span type = sip_value(h, H_CONTENT_TYPE);
	struct span body = { h->base + h->header_len, h->len - h->header_len };

	if (!type.p || !body.n || h->first[H_CONTENT_ENCODING])
		return as_it_is;
	if (is_sdp(type))
		return body;
	if (type.n > 10 && span_is((struct span){ type.p, 10 }, "multipart/"))
		return in_multipart(type, body);
	return as_it_is;
}

/* ---- on it goes ------------------------------------------------------------------------- */

static void deliver(struct exchange *x, enum media_kind kind, const struct sip_head *h,
		    struct span body)
{
	if (kind == MEDIA_ACK)
		ack_forward(x, h, body);
	else if (kind == MEDIA_ANSWER && x->method == M_INVITE)
		invite_back(x, h, body);
	else if (kind == MEDIA_ANSWER)
		exchange_answered(x, h, body);
	else if (x == x->call->initial)
		attempt_forward(x, body);
	else
		exchange_forward(x, h, body);
}

static void warn(struct call *c)
{
	struct relay *r = c->relay;
	rg_ms now = call_now(c);

	if (now < r->media_warned)
		return;
	r->media_warned = now + WARN_MS;
	rg_warn("media cannot be anchored: calls %s",
		c->media == REG_MEDIA_REFUSE ? "are refused" : "go on without");
}

/* Nothing anchors it. */
static void fail(struct exchange *x, enum media_kind kind, const struct sip_hop *hop,
		 const struct sip_head *h)
{
	struct call *c = x->call;

	warn(c);
	if (c->media != REG_MEDIA_REFUSE || kind == MEDIA_ACK) {
		deliver(x, kind, h, as_it_is);
	} else if (x == c->initial) {
		if (kind == MEDIA_ANSWER && h->code >= 200 && x->method == M_INVITE)
			invite_kill(x, hop, h);
		attempt_give_up(x, 503);
	} else if (kind == MEDIA_REQUEST) {
		exchange_reply(x, 488, NULL, NULL);
		exchange_over(x);
	} else {
		deliver(x, kind, h, as_it_is);
	}
}

/* ---- the queue -------------------------------------------------------------------------- */

static void advance(struct call *);

static void drop(struct call *c, struct media_item **at)
{
	struct media_item *i = *at;
	const struct rg_media *m = &c->relay->media;

	*at = i->next;
	if (i->asked && m->forget)
		m->forget(m->arg, i);
	sip_buf_unref(i->message);
	g_free(i);
}

/* The body with the session description exchanged. */
static char *compose(const struct sip_head *h, const char *sdp, size_t len, struct span *body)
{
	struct span old = sdp_of(h);
	const char *begin = h->base + h->header_len, *end = h->base + h->len;
	size_t before = (size_t)(old.p - begin);
	size_t after = (size_t)(end - (old.p + old.n));
	char *text = g_malloc(before + len + after + 1);

	memcpy(text, begin, before);
	memcpy(text + before, sdp, len);
	memcpy(text + before + len, old.p + old.n, after);
	*body = (struct span){ text, before + len + after };
	return text;
}

static void done(void *token, const char *sdp, size_t len)
{
	struct media_item *i = token;
	struct exchange *x = i->x;
	struct call *c = x->call;
	struct sip_buf *message = sip_buf_ref(i->message);
	struct sip_hop hop = i->hop;
	enum media_kind kind = (enum media_kind)i->kind;
	struct sip_head h;
	const char *why;
	char *text = NULL;
	struct span body;

	i->asked = false;
	drop(c, &c->item);
	if (sip_precheck(&h, message->data, message->len, &why) == SIP_FINE) {
		if (sdp) {
			c->anchored = true;
			text = compose(&h, sdp, len, &body);
			deliver(x, kind, &h, body);
		} else {
			fail(x, kind, &hop, &h);
		}
	}
	g_free(text);
	sip_buf_unref(message);
	advance(c);
}

static const struct pair *fork_of(const struct exchange *x, const struct sip_head *h)
{
	if (x->pair || h->request)
		return x->pair;
	return pair_by_remote_tag(x->call, sip_tag(sip_value(h, H_TO)));
}

static void tag_text(struct span tag, char *buf, size_t size)
{
	size_t n = MIN(tag.n, size - 1);

	if (n)
		memcpy(buf, tag.p, n);
	buf[n] = '\0';
}

static bool is_offer(struct exchange *x, enum media_kind kind)
{
	if (kind == MEDIA_ACK)
		return false;
	if (kind == MEDIA_ANSWER)
		return !x->offered;
	if (x->method == M_PRACK) { /* RFC 3262 5 */
		const struct exchange *invite = invite_pending(x->pair, (enum side)x->side);

		if (invite && !invite->offered)
			return false;
	}
	x->offered = true;
	return true;
}

static bool ask(struct media_item *i, const struct sip_head *h, struct span sdp)
{
	struct exchange *x = i->x;
	struct call *c = x->call;
	const struct rg_media *m = &c->relay->media;
	const struct pair *p = fork_of(x, h);
	char from[SIP_SHORT_MOST], to[RELAY_TAG + 1] = "";
	struct rg_media_job job = { .call = c->id, .from_tag = from, .to_tag = to,
				       .sdp = sdp.p, .len = sdp.n };

	tag_text(sip_tag(call_who(c)), from, sizeof from);
	if (p)
		relay_tag(c, CALLER, p->number, to);
	job.offer = is_offer(x, (enum media_kind)i->kind);
	job.from_caller = (i->kind == MEDIA_ANSWER) == (x->side == CALLEE);
	i->asked = true;
	if (m->rewrite(m->arg, &job, done, i))
		return true;
	i->asked = false;
	return false;
}

/* Deliver what does not have to wait. */
static void advance(struct call *c)
{
	while (c->item && !c->item->asked) {
		struct media_item *i = c->item;
		struct exchange *x = i->x;
		enum media_kind kind = (enum media_kind)i->kind;
		struct sip_buf *message;
		struct sip_hop hop = i->hop;
		struct sip_head h;
		const char *why;
		bool readable = sip_precheck(&h, i->message->data, i->message->len, &why) ==
				SIP_FINE;
		struct span sdp = readable ? sdp_of(&h) : as_it_is;

		if (sdp.p && c->relay->media.rewrite && ask(i, &h, sdp))
			return;
		message = sip_buf_ref(i->message);
		drop(c, &c->item);
		if (readable && sdp.p)
			fail(x, kind, &hop, &h);
		else if (readable)
			deliver(x, kind, &h, as_it_is);
		sip_buf_unref(message);
	}
}

/* Where the next one goes; *n: behind how many. */
static struct media_item **queue_end(struct call *c, size_t *n)
{
	struct media_item **at = &c->item;

	for (*n = 0; *at; ++*n)
		at = &(*at)->next;
	return at;
}

void media_pass(struct exchange *x, enum media_kind kind, const struct sip_hop *hop,
		const struct sip_head *h)
{
	struct call *c = x->call;
	struct media_item *i, **at;
	size_t n;

	if (!c->item && (c->media == REG_MEDIA_DIRECT || !sdp_of(h).p)) {
		deliver(x, kind, h, as_it_is);
		return;
	}
	at = queue_end(c, &n);
	i = n < ITEMS_MOST ? g_new0(struct media_item, 1) : NULL;
	if (!i || !(i->message = relay_copy(c->relay, h))) {
		g_free(i);
		fail(x, kind, hop, h);
		return;
	}
	i->x = x;
	i->hop = *hop;
	i->kind = (uint8_t)kind;
	*at = i;
	if (c->item == i)
		advance(c);
}

void media_forget(struct call *c, const struct exchange *x)
{
	const struct media_item *first = c->item;

	for (struct media_item **at = &c->item; *at;) {
		if (!x || (*at)->x == x)
			drop(c, at);
		else
			at = &(*at)->next;
	}
	if (c->item && c->item != first)
		advance(c);
}

bool media_waits(const struct call *c, const struct exchange *x)
{
	for (const struct media_item *i = c->item; i; i = i->next)
		if (i->x == x)
			return true;
	return false;
}

void media_remove(struct call *c)
{
	const struct rg_media *m = &c->relay->media;

	if (c->anchored && m->remove)
		m->remove(m->arg, c->id);
}

/* A service that goes away has forgotten its tokens: what waits goes on as if it had failed. */
void relay_set_media(struct relay *r, const struct rg_media *m)
{
	struct rg_media none = { .arg = NULL };

	for (uint32_t i = 0; i < r->slots; i++) {
		struct media_item *item = r->slot[i] ? r->slot[i]->item : NULL;

		if (item && item->asked && r->media.forget)
			r->media.forget(r->media.arg, item);
		if (item)
			item->asked = false;
	}
	r->media = m ? *m : none;
	for (uint32_t i = 0; i < r->slots; i++)
		if (r->slot[i])
			advance(r->slot[i]);
}
