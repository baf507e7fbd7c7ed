/* Bytes as a message that is relayed: what passes the pre-check is translated both ways, and
 * what comes of it passes it again, with the same body; our own request can be sent again, be
 * cancelled and acknowledged; names and URIs of it are taken apart and put together. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sip/message.h"
#include "sip/transaction.h"
#include "sip/translate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MUST(x) do { if (!(x)) abort(); } while (0)
#define S(s) ((struct span){ "" s, sizeof(s) - 1 })
#define BRANCH "z9hG4bKaaaaaaaabbbbbbbbcccccccc"

static const char asked[] = "INVITE sip:1@gw SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n"
			    "From: a;tag=1\r\nTo: b\r\nCall-ID: theirs\r\nCSeq: 2 INVITE\r\n\r\n";
static const char yes[] = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x;branch=" BRANCH "\r\n"
			  "From: a;tag=1\r\nTo: b;tag=2\r\nCall-ID: ours\r\nCSeq: 1 INVITE\r\n\r\n";
static struct sip_pool *pool;

/* NULL is an answer, too: it had no room. */
static bool read_again(struct sip_head *h, const struct sip_buf *b, struct span body)
{
	const char *why;

	if (!b)
		return false;
	MUST(sip_precheck(h, b->data, b->len, &why) == SIP_FINE);
	MUST(h->len == b->len && h->len - h->header_len == body.n);
	MUST(!body.n || !memcmp(h->base + h->header_len, body.p, body.n));
	return true;
}

/* An identity of theirs on the other leg; the room is what precheck allows. */
static struct span identity(struct span value, char *room, size_t size)
{
	struct out o = { room, room + size, false };
	struct sip_name_addr a;

	if (!sip_name_addr_parse(value, &a))
		return S("<sip:anonymous@anonymous.invalid>;tag=7");
	out_identity(&o, &a, a.uri.n & 1 ? "u\"\xff %41@" : "", a.uri.n & 2 ? "gw.example:5070" : "");
	out_lit(&o, ";tag=7");
	if (o.full)
		return S("<sip:u@h>;tag=7");
	value = (struct span){ room, (size_t)(o.p - room) };
	MUST(sip_name_addr_parse(value, &a) && span_is(sip_tag(value), "7"));
	return value;
}

static void uris(const struct sip_head *h)
{
	struct span line, value;
	unsigned at = 0;

	while (sip_next(h, H_CONTACT, &at, &line))
		while (span_value(&line, &value)) {
			struct sip_name_addr a;
			struct sip_uri u;
			char user[64];

			if (!sip_name_addr_parse(value, &a) || !sip_uri_parse(a.uri, &u))
				continue;
			sip_uri_user(&u, user, sizeof user);
			MUST(strlen(user) < sizeof user && u.scheme.n && (u.user.n || u.host.n));
			for (const char *p = user; *p; p++)
				MUST((unsigned char)*p >= 0x20);
		}
}

static void follow(const struct sip_buf *b, struct span body)
{
	struct sip_revision r = { .cseq = 0 };
	struct sip_buf *again = sip_translate_again(pool, b, &r), *cancel, *ack;
	struct sip_head h;
	const char *why;

	MUST(again && again->len == b->len && !memcmp(again->data, b->data, b->len));
	sip_buf_unref(again);
	r = (struct sip_revision){ .uri = S("sip:x"), .branch = S(BRANCH), .cseq = 7,
				   .credentials = S("Authorization: Digest x\r\n") };
	rg_addr_parse(&r.local, "[2001:db8::1]:5062");
	again = sip_translate_again(pool, b, &r);
	MUST(!again || (read_again(&h, again, body) && h.cseq == 7));
	sip_buf_unref(again);
	cancel = sip_message_cancel(pool, b, S("Reason: SIP;cause=200\r\n"));
	MUST(cancel && read_again(&h, cancel, (struct span){ "", 0 }));
	sip_buf_unref(cancel);
	MUST(sip_precheck(&h, yes, sizeof yes - 1, &why) == SIP_FINE);
	ack = sip_message_ack(pool, b, &h);
	MUST(ack && read_again(&h, ack, (struct span){ "", 0 }));
	sip_buf_unref(ack);
}

static void request(const struct sip_head *h, uint8_t how)
{
	static char from[SIP_LINE_MOST], to[SIP_LINE_MOST];
	struct span body = { h->base + h->header_len, h->len - h->header_len };
	struct sip_hop hop = { .socket = how & 1 };
	struct sip_outbound r = {
		.branch = S(BRANCH), .max_forwards = 69, .cseq = 4711, .call_id = S("ours"),
		.from = identity(sip_value(h, H_FROM), from, sizeof from),
		.to = identity(sip_value(h, H_TO), to, sizeof to),
	};
	struct sip_inbound back = { .request = h, .from = &hop, .to_tag = S("near"),
				    .code = how & 2 ? 480 : 0 };
	struct sip_head there, ok;
	const char *why;
	struct sip_buf *b;

	rg_addr_parse(&r.local, "192.0.2.1:5060");
	rg_addr_parse(&hop.peer, "198.51.100.9:5060");
	if (how & 4) {
		r.contact = sip_value(h, H_CONTACT);
		r.routes = sip_value(h, H_RECORD_ROUTE);
		r.replaces = r.rack = sip_value(h, H_CALL_ID);
		r.asserted = sip_value(h, H_FROM);
		r.headers = S("X-More: 1\r\n");
		r.keep_authorization = true;
	}
	if (how & 8)
		r.body = body = S("new\0body");
	b = sip_translate_request(pool, h, &r);
	if (read_again(&there, b, body)) {
		MUST(there.request && span_equal(there.method, h->method) && there.cseq == 4711);
		follow(b, body);
	}
	sip_buf_unref(b);
	MUST(sip_precheck(&ok, yes, sizeof yes - 1, &why) == SIP_FINE);
	b = sip_translate_answer(pool, &ok, &back);
	if (b) /* its Via lines may have grown beyond what we take */
		MUST(sip_precheck(&there, b->data, b->len, &why) == SIP_FINE ||
		     !strcmp(why, "header line too long"));
	sip_buf_unref(b);
}

static void answer(const struct sip_head *h, uint8_t how)
{
	struct span body = { h->base + h->header_len, h->len - h->header_len };
	struct sip_hop hop = { .socket = 1 };
	struct sip_head q, there;
	struct sip_inbound back = { .request = &q, .from = &hop, .to_tag = S("near"),
				    .keep_challenges = how & 1, .code = how & 2 ? 500 : 0 };
	struct sip_buf *b;
	const char *why;

	MUST(sip_precheck(&q, asked, sizeof asked - 1, &why) == SIP_FINE);
	rg_addr_parse(&hop.peer, "198.51.100.9:5060");
	if (how & 4)
		back.contact = sip_value(h, H_CONTACT);
	if (how & 8)
		back.body = body = S("");
	b = sip_translate_answer(pool, h, &back);
	if (read_again(&there, b, body))
		MUST(!there.request && there.cseq == 2 && (back.code || there.code == h->code));
	sip_buf_unref(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sip_head h;
	const char *why;
	char *copy;

	if (!pool)
		pool = sip_pool_new();
	copy = malloc(n ? n : 1);
	memcpy(copy, data, n);
	if (sip_precheck(&h, copy, n, &why) == SIP_FINE) {
		uris(&h);
		for (uint8_t how = 0; how < 16; how++)
			(h.request ? request : answer)(&h, how);
	}
	free(copy);
	return 0;
}
