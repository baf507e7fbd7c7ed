#include "sip/uas.h"

#include <stdio.h>
#include <string.h>

#include "sip/message.h"

enum { REFUSALS_A_SECOND = 200 };

#define ALLOW "Allow: OPTIONS, NOTIFY\r\n"

static struct sip_buf *answer(struct sip_uas *u, const struct sip_hop *from,
			      const struct sip_head *h, uint16_t code, const char *reason,
			      const char *headers)
{
	uint64_t key[2];
	char tag[16];

	sip_request_key(u->ta, h, h->method, key);
	sip_hex(tag, (uint32_t)(key[1] >> 32));
	sip_hex(tag + 8, (uint32_t)key[1]);
	return sip_message_reply(u->pool, h, from, code, reason, tag, sizeof tag, headers);
}

static void stateless(struct sip_uas *u, const struct sip_hop *from, const struct sip_head *h,
		      struct sip_buf *b)
{
	struct sip_hop to = sip_reply_hop(from, h);

	if (b)
		(void)u->ta->wire.send(u->ta->wire.arg, &to, b);
	sip_buf_unref(b);
}

static void refuse(struct sip_uas *u, const struct sip_hop *from, const struct sip_head *h,
		   uint16_t code, const char *reason)
{
	if (!span_is(h->method, "ACK"))
		stateless(u, from, h, answer(u, from, h, code, reason, NULL));
}

void sip_uas_malformed(struct sip_uas *u, const struct sip_hop *from, const struct sip_head *h,
		       enum sip_verdict v, const char *why)
{
	static const uint16_t code[] = { [SIP_BAD] = 400, [SIP_VERSION] = 505,
					 [SIP_URI_LONG] = 414, [SIP_LARGE] = 513 };
	rg_ms now = rg_now(u->ta->timers);

	if (now - u->second >= 1000) {
		u->second = now;
		u->refused = 0;
	}
	if (u->refused++ < REFUSALS_A_SECOND)
		refuse(u, from, h, code[v], v == SIP_BAD ? why : NULL);
}

void sip_uas_answer(struct sip_uas *u, const struct sip_hop *from, const struct sip_head *h,
		    uint16_t code, const char *reason, const char *headers, bool no_state)
{
	struct sip_buf *b = answer(u, from, h, code, reason, headers);
	struct sip_server *s;

	if (!b)
		return;
	s = no_state ? NULL : sip_server_new(u->ta, from, h, NULL, NULL);
	if (s)
		sip_server_reply(s, code, b);
	else
		stateless(u, from, h, b);
}

static void reply(struct sip_uas *u, const struct sip_hop *from, const struct sip_head *h,
		  uint16_t code, const char *headers)
{
	sip_uas_answer(u, from, h, code, NULL, headers, false);
}

/* A Request-URI without a user names the gateway itself. */
static bool for_us(const struct sip_head *h)
{
	return !memchr(h->uri.p, '@', h->uri.n) &&
	       !(h->uri.n > 4 && span_is((struct span){ h->uri.p, 4 }, "tel:"));
}

static bool is_one_of(struct span method, const char *const *names)
{
	for (; *names; names++)
		if (span_equal(method, (struct span){ *names, strlen(*names) }))
			return true;
	return false;
}

static bool known_scheme(struct span uri)
{
	return (uri.n > 4 && span_is((struct span){ uri.p, 4 }, "sip:")) ||
	       (uri.n > 5 && span_is((struct span){ uri.p, 5 }, "sips:")) ||
	       (uri.n > 4 && span_is((struct span){ uri.p, 4 }, "tel:"));
}

/* RFC 3261 8.2.2.3: we know no extension that a request could require. */
static bool refuse_extension(struct sip_uas *u, const struct sip_hop *from,
			     const struct sip_head *h)
{
	static const char name[] = "Unsupported: ";
	char line[SIP_SHORT_MOST];
	size_t n = sizeof name - 1;
	bool any = false;
	unsigned at = 0;
	struct span require, option;

	memcpy(line, name, n);
	while (sip_next(h, H_REQUIRE, &at, &require)) {
		while (span_value(&require, &option)) {
			any = true;
			if (n + option.n + 3 > sizeof line || memchr(option.p, '\n', option.n))
				continue; /* those that fit say enough */
			memcpy(line + n, option.p, option.n);
			n += option.n;
			memcpy(line + n, ", ", 2);
			n += 2;
		}
	}
	if (!any)
		return false;
	memcpy(line + n - 2, "\r\n", 3);
	reply(u, from, h, 420, n < sizeof name ? NULL : line);
	return true;
}

/* It is answered before the account hears of it, whatever that makes of it. */
static bool notified(struct sip_uas *u, const struct sip_hop *from, const struct sip_head *h)
{
	struct sip_notified n;

	if (!u->subscriber || !span_equal(h->method, (struct span){ "NOTIFY", 6 }) ||
	    !sip_subscriber_knows(u->subscriber, h))
		return false;
	if (refuse_extension(u, from, h))
		return true;
	sip_subscriber_notify(u->subscriber, h, &n);
	reply(u, from, h, n.code, n.headers);
	sip_subscriber_tell(u->subscriber, &n);
	return true;
}

static void cancel(struct sip_uas *u, const struct sip_hop *from, const struct sip_head *h)
{
	struct sip_server *s = sip_ta_cancelled(u->ta, h);

	reply(u, from, h, s ? 200 : 481, NULL);
	if (s)
		sip_server_cancel(s, h);
}

static void other(struct sip_uas *u, const struct sip_hop *from, const struct sip_head *h)
{
	static const char *const in_dialog[] = { "BYE", "UPDATE", "INFO", "PRACK", "NOTIFY",
						 NULL };
	static const char *const known[] = { "INVITE", "REGISTER", "SUBSCRIBE", "MESSAGE",
					     "REFER", "PUBLISH", NULL };

	if (is_one_of(h->method, in_dialog) || sip_tag(sip_value(h, H_TO)).n)
		reply(u, from, h, 481, NULL);
	else
		reply(u, from, h, is_one_of(h->method, known) ? 405 : 501, ALLOW);
}

void sip_uas_request(struct sip_uas *u, const struct sip_hop *from, const struct sip_head *h)
{
	bool options = span_equal(h->method, (struct span){ "OPTIONS", 7 });

	if (sip_ta_request(u->ta, from, h))
		return;
	if (span_equal(h->method, (struct span){ "CANCEL", 6 })) {
		cancel(u, from, h);
		return;
	}
	if (sip_ta_merged(u->ta, h)) {
		refuse(u, from, h, 482, NULL);
		return;
	}
	if (notified(u, from, h))
		return;
	if (!(options && for_us(h)) && u->hook && u->hook(u->hook_arg, from, h))
		return;
	if (span_equal(h->method, (struct span){ "ACK", 3 }))
		return;
	if (!known_scheme(h->uri)) {
		reply(u, from, h, 416, NULL);
		return;
	}
	if (!options) {
		other(u, from, h);
		return;
	}
	if (!refuse_extension(u, from, h))
		reply(u, from, h, 200,
		      ALLOW "Accept: application/sdp\r\nSupported: path\r\n"
			    "User-Agent: Regway/" RG_VERSION "\r\n");
}
