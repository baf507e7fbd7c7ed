/* Judges the NOTIFYs of a subscription (RFC 6665 4.1.3, RFC 3680 4.7). */
#include <glib.h>
#include <string.h>

#include "sip/message.h"
#include "sip/subscribe.h"

#define ACCEPT "Accept: application/reginfo+xml\r\n"

/* The dialog, as far as it is known: a second notifier (of a SUBSCRIBE that was forked) is
 * not wanted. */
static bool of_dialog(const struct sip_subscription *s, const struct sip_head *h)
{
	struct span to = sip_tag(sip_value(h, H_TO)), from = sip_tag(sip_value(h, H_FROM));
	char tag[2 * sizeof s->tag];
	struct out o = { tag, tag + sizeof tag, false };

	out_hex(&o, s->tag, sizeof s->tag);
	if (!s->dialogue || !from.n || !span_equal(to, (struct span){ tag, sizeof tag }))
		return false;
	return !s->notified ||
	       span_equal(from, (struct span){ s->remote_tag, strlen(s->remote_tag) });
}

/* The value up to its parameters. */
static struct span head_of(struct span v)
{
	const char *semi = v.n ? memchr(v.p, ';', v.n) : NULL;

	return span_trim((struct span){ v.p, semi ? (size_t)(semi - v.p) : v.n });
}

static uint8_t reason(struct span params)
{
	static const char *const words[] = { "", "deactivated", "probation", "rejected", "timeout",
					     "giveup", "noresource", "invariant" };
	struct span v = span_param(params, "reason");

	for (uint8_t i = 1; i < G_N_ELEMENTS(words); i++)
		if (span_is(v, words[i]))
			return i;
	return REG_R_NONE;
}

static void substate(struct span v, struct reg_notice *n)
{
	uint32_t retry;

	n->terminated = span_is(head_of(v), "terminated");
	if (!n->terminated) {
		if (!span_number(span_param(v, "expires"), INT32_MAX, &n->left))
			n->left = 0;
		return;
	}
	n->reason = reason(v);
	if (span_number(span_param(v, "retry-after"), INT32_MAX, &retry))
		n->retry_after = retry;
}

/* 0, or the answer. */
static uint16_t read_body(const struct sip_subscription *s, const struct sip_head *h,
			  struct reginfo_watch *w, struct reginfo_news *news)
{
	struct span type = head_of(sip_value(h, H_CONTENT_TYPE));
	struct span coding = sip_value(h, H_CONTENT_ENCODING);
	char token[SIP_CONTACT_TOKEN];
	struct out o = { token, token + sizeof token, false };
	struct reginfo_self self = {
		token, { s->aor, strlen(s->aor) }, { s->contact, strlen(s->contact) }
	};

	if (h->len == h->header_len)
		return 0;
	if (!span_is(type, "application/reginfo+xml") ||
	    (coding.n && !span_is(coding, "identity")))
		return 415;
	out_hex(&o, s->own.id, sizeof token / 2);
	return reginfo_read(w, &self, h->base + h->header_len, h->len - h->header_len, news) ?
		       400 : 0;
}

/* Record-Route goes into the answer that makes the dialog (RFC 3261 12.1.1). */
static void echo_route(const struct sip_subscription *s, struct sip_notified *n)
{
	struct out o = { n->route, n->route + sizeof n->route - 1, false };

	if (!s->routes)
		return;
	out_lit(&o, "Record-Route: ");
	out_str(&o, s->routes);
	out_lit(&o, "\r\n");
	*o.p = '\0';
	n->headers = n->route;
}

/* The first one makes the dialog (RFC 6665 4.4.1). */
static bool establish(struct sip_subscription *s, const struct sip_head *h,
		      struct sip_notified *n)
{
	struct span tag = sip_tag(sip_value(h, H_FROM));

	if (!sip_subscription_routes(s, h, false))
		return false;
	g_free(s->remote_tag);
	s->remote_tag = g_strndup(tag.p, tag.n);
	s->notified = true;
	echo_route(s, n);
	return true;
}

static uint16_t judge(struct sip_subscription *s, const struct sip_head *h,
		      struct sip_notified *n)
{
	struct span event = sip_value(h, H_EVENT), state = sip_value(h, H_SUBSCRIPTION_STATE);
	struct reginfo_watch w = s->watch;
	struct reginfo_news news = { 0 };
	uint16_t code;

	if (!of_dialog(s, h))
		return 481;
	if (!span_is(head_of(event), "reg") || span_param(event, "id").p)
		return 489;
	if (!head_of(state).n)
		return 400;
	if (s->notified && h->cseq <= s->remote_cseq)
		return 500;
	code = read_body(s, h, &w, &news);
	if (code)
		return code;
	if (!s->notified && !establish(s, h, n))
		return 400;
	s->remote_cseq = h->cseq;
	s->watch = w;
	sip_subscription_target(s, h);
	substate(state, &n->notice);
	n->notice.what = news.what;
	n->notice.gap = news.gap;
	n->notice.expires = news.expires;
	if (news.retry_after)
		n->notice.retry_after = news.retry_after;
	return 200;
}

void sip_subscriber_notify(struct sip_subscriber *r, const struct sip_head *h,
			   struct sip_notified *n)
{
	n->subscription = sip_subscription_of(r, sip_value(h, H_CALL_ID));
	n->headers = NULL;
	n->notice = (struct reg_notice){ 0 };
	n->code = judge(n->subscription, h, n);
	if (n->code == 415)
		n->headers = ACCEPT;
	else if (n->code == 489)
		n->headers = "Allow-Events: reg\r\n";
}
