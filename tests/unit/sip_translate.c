/* A message of one leg becomes the message of the other: exact texts, both ways, and what
 * hostile values do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "regway/plugin.h"
#include "sip/message.h"
#include "sip/transaction.h"
#include "sip/translate.h"

#define S(s) ((struct span){ "" s, sizeof(s) - 1 })
#define BRANCH "z9hG4bKaaaaaaaabbbbbbbbcccccccc"
#define OTHER "z9hG4bKaaaaaaaabbbbbbbbdddddddd"
#define OUR_VIA "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=" BRANCH ";rport\r\n"
#define VIA "Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKx\r\n"
#define SDP "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\n"

static struct sip_pool *pool;

static int begin(void **state)
{
	(void)state;
	pool = sip_pool_new();
	return 0;
}

static int end(void **state)
{
	(void)state;
	sip_pool_free(pool);
	return 0;
}

/* An exact copy, so that ASan sees one byte too many; freed by drop(). */
static void read_n(struct sip_head *h, const char *text, size_t n)
{
	const char *why;
	char *copy = malloc(n);

	memcpy(copy, text, n);
	if (sip_precheck(h, copy, n, &why) != SIP_FINE)
		fail_msg("%s: %s", why, text);
}

static void read_text(struct sip_head *h, const char *text)
{
	read_n(h, text, strlen(text));
}

static void drop(struct sip_head *h)
{
	free((char *)h->base);
}

static struct sip_outbound outbound(void)
{
	struct sip_outbound r = {
		.branch = S(BRANCH), .max_forwards = 69, .call_id = S("ours"), .cseq = 4711,
		.from = S("<sip:us@gw>;tag=7"), .to = S("<sip:them@itsp>"),
		.contact = S("<sip:us@192.0.2.1>"), .uri = S("sip:them@itsp"),
	};

	rg_addr_parse(&r.local, "192.0.2.1:5060");
	return r;
}

static void same(struct sip_buf *b, const char *expected)
{
	char *text;

	assert_non_null(b);
	text = malloc(b->len + 1u);
	memcpy(text, b->data, b->len);
	text[b->len] = '\0';
	assert_string_equal(text, expected);
	free(text);
	sip_buf_unref(b);
}

static void request_is(const char *in, const struct sip_outbound *r, const char *out)
{
	struct sip_head h, again;
	struct sip_buf *b;
	const char *why;

	read_text(&h, in);
	b = sip_translate_request(pool, &h, r);
	assert_non_null(b);
	assert_int_equal(sip_precheck(&again, b->data, b->len, &why), SIP_FINE);
	same(b, out);
	drop(&h);
}

/* ---- requests ------------------------------------------------------------------------ */

#define TOP "INVITE sip:them@itsp SIP/2.0\r\n" OUR_VIA "Max-Forwards: 69\r\n"
#define MIDDLE "From: <sip:us@gw>;tag=7\r\nTo: <sip:them@itsp>\r\nCall-ID: ours\r\n" \
	       "CSeq: 4711 INVITE\r\n"
#define IN "INVITE sip:1@gw SIP/2.0\r\n" VIA
#define WHO "From: \"A\" <sip:a@pbx>;tag=1\r\nTo: <sip:1@gw>\r\nCall-ID: theirs\r\n" \
	    "CSeq: 2 INVITE\r\n"

static void order_and_unknown_headers_stay(void **state)
{
	struct sip_outbound r = outbound();

	(void)state;
	request_is(IN "X-First: 1\r\n"
		      "Via: SIP/2.0/TCP 198.51.100.8;branch=z9hG4bKy\r\n"
		      "Record-Route: <sip:p1;lr>\r\nRoute: <sip:gw;lr>\r\nMax-Forwards: 70\r\n"
		      "Path: <sip:p>\r\nService-Route: <sip:q>\r\n" WHO
		      "Subject:  two blanks \r\n"
		      "Contact: <sip:a@198.51.100.7>, <sip:b@198.51.100.7>\r\n"
		      "Contact: <sip:c@198.51.100.7>\r\n"
		      "X-Empty:\r\nX-Again: a, b\r\nX-Again: c\r\n"
		      "Privacy: id\r\nSession-Expires: 1800;refresher=uac\r\nMin-SE: 90\r\n"
		      "P-Asserted-Identity: <sip:+49@pbx>\r\nP-Asserted-Identity: <tel:+49>\r\n"
		      "Session-ID: ab;remote=00\r\nRefer-To: <sip:x?Replaces=1>\r\n"
		      "Allow: INVITE\r\nAllow: \tACK\r\n"
		      "Authorization: Digest a\r\nProxy-Authorization: Digest b\r\n"
		      "Content-Type: application/sdp\r\nContent-Length: 40\r\n\r\n" SDP "cut",
		   &r, TOP "X-First: 1\r\n" MIDDLE "Subject:  two blanks\r\n"
			   "Contact: <sip:us@192.0.2.1>\r\n"
			   "X-Empty:\r\nX-Again: a, b\r\nX-Again: c\r\n"
			   "Privacy: id\r\nSession-Expires: 1800;refresher=uac\r\nMin-SE: 90\r\n"
			   "P-Asserted-Identity: <sip:+49@pbx>\r\n"
			   "P-Asserted-Identity: <tel:+49>\r\n"
			   "Session-ID: ab;remote=00\r\nRefer-To: <sip:x?Replaces=1>\r\n"
			   "Allow: INVITE\r\nAllow: \tACK\r\n"
			   "Content-Type: application/sdp\r\nContent-Length: 40\r\n\r\n" SDP "c");
}

static void compact_forms_stay_compact(void **state)
{
	struct sip_outbound r = outbound();

	(void)state;
	request_is("INVITE sip:1@gw SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bKx\r\n"
		   "f: <sip:a@pbx>;tag=1\r\nt: <sip:1@gw>\r\ni: theirs\r\nCSeq: 2 INVITE\r\n"
		   "m: <sip:a@h>\r\nk: 100rel\r\nx: 90\r\nc: text/plain\r\nl: 2\r\n\r\nhi",
		   &r, TOP "f: <sip:us@gw>;tag=7\r\nt: <sip:them@itsp>\r\ni: ours\r\n"
			   "CSeq: 4711 INVITE\r\nm: <sip:us@192.0.2.1>\r\nk: 100rel\r\nx: 90\r\n"
			   "c: text/plain\r\nContent-Length: 2\r\n\r\nhi");
}

static void folds_become_blanks(void **state)
{
	struct sip_outbound r = outbound();

	(void)state;
	r.from = S("\"A\r\n\tB\"\r\n <sip:us@gw>\r\n ;tag=7");
	request_is("INVITE sip:1@gw SIP/2.0\nVia: SIP/2.0/UDP\n h;branch=z9hG4bKx\n"
		   "From: <sip:a@pbx>\n ;tag=1\nTo:\n  <sip:1@gw>\nCall-ID: theirs\n"
		   "CSeq: 2\n\tINVITE\nSubject:\r\n first \t\r\n \t second\n  third\r\n"
		   "X-None:\r\n \r\nX : y\r\n\n",
		   &r, TOP "From: \"A B\" <sip:us@gw> ;tag=7\r\nTo: <sip:them@itsp>\r\n"
			   "Call-ID: ours\r\nCSeq: 4711 INVITE\r\n"
			   "Subject: first second third\r\nX-None: \r\nX : y\r\n"
			   "Contact: <sip:us@192.0.2.1>\r\nContent-Length: 0\r\n\r\n");
}

static void what_is_not_told_stays(void **state)
{
	struct sip_outbound r = outbound();

	(void)state;
	r.uri = r.from = r.to = r.call_id = r.contact = (struct span){ NULL, 0 };
	r.keep_authorization = true;
	r.cseq = 0;
	request_is(IN WHO "Contact: <sip:a@h>\r\nRAck: 1 2 INVITE\r\nReplaces: x;to-tag=1\r\n"
			  "Authorization: Digest a\r\nProxy-Authorization: Digest b\r\n\r\n",
		   &r, "INVITE sip:1@gw SIP/2.0\r\n" OUR_VIA "Max-Forwards: 69\r\n"
		       "From: \"A\" <sip:a@pbx>;tag=1\r\nTo: <sip:1@gw>\r\nCall-ID: theirs\r\n"
		       "CSeq: 0 INVITE\r\nRAck: 1 2 INVITE\r\nReplaces: x;to-tag=1\r\n"
		       "Authorization: Digest a\r\nProxy-Authorization: Digest b\r\n"
		       "Content-Length: 0\r\n\r\n");
}

static void what_is_told_is_put_in(void **state)
{
	struct sip_outbound r = outbound();

	(void)state;
	r.routes = S("<sip:p1;lr>, <sip:p2;lr>");
	r.rack = S("9 8 INVITE");
	r.replaces = S("y;to-tag=2");
	r.asserted = S("<sip:+49@itsp>");
	r.preferred = S("<sip:1@itsp>");
	r.headers = S("Authorization: Digest x\r\nX-Account: 7\r\n");
	r.body = S("new");
	rg_addr_parse(&r.local, "[2001:db8::1]:5062");
	r.local.transport = RG_TCP;
	request_is(IN "RAck: 1 2 INVITE\r\nReplaces: x;to-tag=1\r\n"
		      "P-Asserted-Identity: <tel:1>\r\n" WHO
		      "P-Asserted-Identity: <tel:2>\r\nContent-Type: a/b\r\nl: 1\r\n\r\n.",
		   &r, "INVITE sip:them@itsp SIP/2.0\r\n"
		       "Via: SIP/2.0/TCP [2001:db8::1]:5062;branch=" BRANCH ";rport\r\n"
		       "Route: <sip:p1;lr>, <sip:p2;lr>\r\nMax-Forwards: 69\r\n"
		       "RAck: 9 8 INVITE\r\nReplaces: y;to-tag=2\r\n"
		       "P-Asserted-Identity: <sip:+49@itsp>\r\n" MIDDLE
		       "Content-Type: a/b\r\nContact: <sip:us@192.0.2.1>\r\n"
		       "P-Preferred-Identity: <sip:1@itsp>\r\n"
		       "Authorization: Digest x\r\nX-Account: 7\r\n"
		       "Content-Length: 3\r\n\r\nnew");
}

static void identities_and_bodies_can_be_left_out(void **state)
{
	struct sip_outbound r = outbound();

	(void)state;
	r.asserted = r.preferred = r.body = S("");
	request_is(IN "P-Asserted-Identity: <tel:1>\r\n" WHO "P-Preferred-Identity: <tel:2>\r\n"
		      "c: a/b\r\nContent-Encoding: gzip\r\nl: 1\r\n\r\n.",
		   &r, TOP MIDDLE "Contact: <sip:us@192.0.2.1>\r\nContent-Length: 0\r\n\r\n");
}

/* Any byte, zero and header-like lines included. */
static void bodies_go_through_byte_for_byte(void **state)
{
	static const char head[] = IN WHO "Content-Type: multipart/mixed;boundary=\"b\"\r\n"
					  "Content-Length: 600\r\n\r\n";
	static char text[sizeof head - 1 + 600], *body = text + sizeof head - 1;
	static const char part[] = "--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b--\r\n"
				   "Via: no\r\n\r\n\0";
	struct sip_outbound r = outbound();
	struct sip_head h;
	struct sip_buf *b;

	(void)state;
	memcpy(text, head, sizeof head - 1);
	for (size_t i = 0; i < 600; i++)
		body[i] = (char)i;
	memcpy(body + 256, part, sizeof part);
	read_n(&h, text, sizeof text);
	b = sip_translate_request(pool, &h, &r);
	assert_non_null(b);
	assert_memory_equal(b->data + b->len - 600, body, 600);
	assert_memory_equal(b->data + b->len - 604, "\r\n\r\n", 4);
	assert_non_null(memmem(b->data, b->len, "Content-Length: 600\r\n\r\n", 23));
	sip_buf_unref(b);
	drop(&h);
}

static void any_method_goes_through(void **state)
{
	struct sip_outbound r = outbound();

	(void)state;
	request_is("x~FOO. sip:1@gw SIP/2.0\r\n" VIA "From: a;tag=1\r\nTo: b\r\nCall-ID: c\r\n"
		   "CSeq: 1 x~FOO.\r\n\r\n",
		   &r, "x~FOO. sip:them@itsp SIP/2.0\r\n" OUR_VIA "Max-Forwards: 69\r\n"
		       "From: <sip:us@gw>;tag=7\r\nTo: <sip:them@itsp>\r\nCall-ID: ours\r\n"
		       "CSeq: 4711 x~FOO.\r\nContact: <sip:us@192.0.2.1>\r\n"
		       "Content-Length: 0\r\n\r\n");
}

static void requests_of_a_dialog_alone(void **state)
{
	struct sip_outbound r = outbound();

	(void)state;
	r.routes = S("<sip:p1;lr>");
	r.to = S("<sip:them@itsp>;tag=9");
	r.headers = S("Reason: SIP;cause=408\r\n");
	same(sip_translate_new(pool, "BYE", &r),
	     "BYE sip:them@itsp SIP/2.0\r\n" OUR_VIA "Route: <sip:p1;lr>\r\nMax-Forwards: 69\r\n"
	     "From: <sip:us@gw>;tag=7\r\nTo: <sip:them@itsp>;tag=9\r\nCall-ID: ours\r\n"
	     "CSeq: 4711 BYE\r\nReason: SIP;cause=408\r\nContent-Length: 0\r\n\r\n");
	r.uri = S("sip:a b");
	assert_null(sip_translate_new(pool, "BYE", &r));
	r.uri = (struct span){ NULL, 0 };
	assert_null(sip_translate_new(pool, "BYE", &r));
}

/* ---- answers ------------------------------------------------------------------------- */

#define ASKED IN "v: SIP/2.0/UDP up;branch=z9hG4bKu\r\nRecord-Route: <sip:p1;lr>\r\n" \
	      "Record-Route: <sip:p2;lr>\r\n" WHO "\r\n"
#define BACK "Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKx;received=198.51.100.9\r\n" \
	     "Via: SIP/2.0/UDP up;branch=z9hG4bKu\r\n"
#define ANSWER(code) "SIP/2.0 " code "\r\n" OUR_VIA \
	"Record-Route: <sip:far;lr>\r\nFrom: <sip:us@gw>;tag=7\r\nX: y\r\n" \
	"To: <sip:them@itsp>;tag=far\r\nCall-ID: ours\r\nCSeq: 4711 INVITE\r\n"

static void answer_is(const char *in, struct sip_inbound *r, const char *out)
{
	struct sip_head h, q;
	struct sip_hop from = { .socket = 1 };

	rg_addr_parse(&from.peer, "198.51.100.9:5060");
	read_text(&q, ASKED);
	read_text(&h, in);
	r->request = &q;
	r->from = &from;
	same(sip_translate_answer(pool, &h, r), out);
	drop(&h);
	drop(&q);
}

static void answers_of_a_dialog(void **state)
{
	struct sip_inbound r = { .to_tag = S("near"), .contact = S("<sip:gw>") };

	(void)state;
	answer_is(ANSWER("183 Session  Progress") "RSeq: 5\r\nRequire: 100rel\r\n"
		  "Contact: <sip:them@203.0.113.1>\r\nWWW-Authenticate: Digest a\r\n"
		  "Authentication-Info: nextnonce=1\r\nl: 40\r\nm: <sip:x>\r\n\r\n" SDP "xyz",
		  &r, "SIP/2.0 183 Session  Progress\r\n" BACK
		      "Record-Route: <sip:p1;lr>\r\nRecord-Route: <sip:p2;lr>\r\n"
		      "From: \"A\" <sip:a@pbx>;tag=1\r\nX: y\r\nTo: <sip:1@gw>;tag=near\r\n"
		      "Call-ID: theirs\r\nCSeq: 2 INVITE\r\nRSeq: 5\r\nRequire: 100rel\r\n"
		      "Contact: <sip:gw>\r\nContent-Length: 40\r\n\r\n" SDP "x");
	r.record_routes = S("");
	answer_is(ANSWER("200 OK") "\r\n", &r,
		  "SIP/2.0 200 OK\r\n" BACK "From: \"A\" <sip:a@pbx>;tag=1\r\nX: y\r\n"
		  "To: <sip:1@gw>;tag=near\r\nCall-ID: theirs\r\nCSeq: 2 INVITE\r\n"
		  "Contact: <sip:gw>\r\nContent-Length: 0\r\n\r\n");
	r.record_routes = S("<sip:us;lr>");
	r.headers = S("X-More: 1\r\n");
	r.body = S("b");
	r.contact = (struct span){ NULL, 0 };
	answer_is(ANSWER("200 OK") "Contact: <sip:x>\r\n\r\n", &r,
		  "SIP/2.0 200 OK\r\n" BACK "Record-Route: <sip:us;lr>\r\n"
		  "From: \"A\" <sip:a@pbx>;tag=1\r\nX: y\r\n"
		  "To: <sip:1@gw>;tag=near\r\nCall-ID: theirs\r\nCSeq: 2 INVITE\r\n"
		  "X-More: 1\r\nContent-Length: 1\r\n\r\nb");
}

static void answers_that_refuse(void **state)
{
	struct sip_inbound r = { .to_tag = S("near"), .contact = S("<sip:gw>") };

	(void)state;
	r.keep_challenges = true;
	answer_is(ANSWER("407 X") "Proxy-Authenticate: Digest a\r\nWWW-Authenticate: Digest b\r\n\r\n",
		  &r, "SIP/2.0 407 X\r\n" BACK "From: \"A\" <sip:a@pbx>;tag=1\r\nX: y\r\n"
		      "To: <sip:1@gw>;tag=near\r\nCall-ID: theirs\r\nCSeq: 2 INVITE\r\n"
		      "Proxy-Authenticate: Digest a\r\nWWW-Authenticate: Digest b\r\n"
		      "Contact: <sip:gw>\r\nContent-Length: 0\r\n\r\n");
	answer_is(ANSWER("302 X") "Contact: <sip:x>;q=1\r\nContact: <sip:y>\r\n\r\n", &r,
		  "SIP/2.0 302 X\r\n" BACK "From: \"A\" <sip:a@pbx>;tag=1\r\nX: y\r\n"
		  "To: <sip:1@gw>;tag=near\r\nCall-ID: theirs\r\nCSeq: 2 INVITE\r\n"
		  "Contact: <sip:x>;q=1\r\nContact: <sip:y>\r\nContent-Length: 0\r\n\r\n");
	r = (struct sip_inbound){ .code = 480 };
	answer_is(ANSWER("503 X") "Retry-After: 5\r\nProxy-Authenticate: Digest a\r\n\r\n", &r,
		  "SIP/2.0 480 Temporarily Unavailable\r\n" BACK
		  "From: \"A\" <sip:a@pbx>;tag=1\r\nX: y\r\n"
		  "To: <sip:1@gw>\r\nCall-ID: theirs\r\nCSeq: 2 INVITE\r\n"
		  "Retry-After: 5\r\nContent-Length: 0\r\n\r\n");
}

/* ---- once more ----------------------------------------------------------------------- */

static struct sip_buf *ours(void)
{
	struct sip_outbound r = outbound();
	struct sip_head h;
	struct sip_buf *b;

	r.headers = S("Authorization: Digest old\r\nX-After: 1\r\n");
	read_text(&h, IN WHO "Subject: s\r\nl: 3\r\n\r\nabc");
	b = sip_translate_request(pool, &h, &r);
	drop(&h);
	return b;
}

#define AFTER "From: <sip:us@gw>;tag=7\r\nTo: <sip:them@itsp>\r\nCall-ID: ours\r\n"
#define CONTACT "Subject: s\r\nContact: <sip:us@192.0.2.1>\r\n"

static void again_as_it_was(void **state)
{
	struct sip_buf *b = ours(), *c = sip_translate_again(pool, b, &(struct sip_revision){ 0 });

	(void)state;
	assert_non_null(c);
	assert_int_equal(b->len, c->len);
	assert_memory_equal(b->data, c->data, b->len);
	sip_buf_unref(b);
	sip_buf_unref(c);
}

static void again_with_parts_exchanged(void **state)
{
	struct sip_revision r = { .branch = S(OTHER), .cseq = 4712,
				  .credentials = S("Proxy-Authorization: Digest new\r\n") };
	struct sip_buf *b = ours();

	(void)state;
	same(sip_translate_again(pool, b, &r),
	     "INVITE sip:them@itsp SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=" OTHER
	     ";rport\r\nMax-Forwards: 69\r\n" AFTER "CSeq: 4712 INVITE\r\n" CONTACT
	     "X-After: 1\r\nProxy-Authorization: Digest new\r\nContent-Length: 3\r\n\r\nabc");
	rg_addr_parse(&r.local, "203.0.113.5:5070");
	r.local.transport = RG_TCP;
	r.uri = S("sip:other");
	r.cseq = 0;
	r.credentials = S("");
	r.branch = (struct span){ NULL, 0 };
	same(sip_translate_again(pool, b, &r),
	     "INVITE sip:other SIP/2.0\r\nVia: SIP/2.0/TCP 203.0.113.5:5070;branch=" BRANCH
	     ";rport\r\nMax-Forwards: 69\r\n" AFTER "CSeq: 4711 INVITE\r\n" CONTACT
	     "X-After: 1\r\nContent-Length: 3\r\n\r\nabc");
	r.uri = S("sip:\r\nother");
	assert_null(sip_translate_again(pool, b, &r));
	sip_buf_unref(b);
}

/* ---- URIs ---------------------------------------------------------------------------- */

static const struct {
	const char *text, *scheme, *user, *host;
	uint16_t port;
	const char *params, *headers, *plain; /* plain: NULL, no text */
} uris[] = {
	{ "sip:gw", "sip", "", "gw", 0, "", "", "" },
	{ "SIPS:a@h:5061;x=y;lr?a=b&c", "SIPS", "a", "h", 5061, ";x=y;lr", "?a=b&c", "a" },
	{ "sip:+49-30;ext=1;phone-context=x.y@h;user=phone", "sip",
	  "+49-30;ext=1;phone-context=x.y", "h", 0, ";user=phone", "", "+49-30;ext=1;phone-context=x.y" },
	{ "sip:a:secret@h", "sip", "a", "h", 0, "", "", "a" },
	{ "sip:a?b/c@h?d", "sip", "a?b/c", "h", 0, "", "?d", "a?b/c" },
	{ "sip:h?Subject=x;y", "sip", "", "h", 0, "", "?Subject=x;y", "" },
	{ "sip:%61%40b@[2001:db8::1]:5060;lr", "sip", "%61%40b", "[2001:db8::1]", 5060,
	  ";lr", "", "a@b" },
	{ "sip:a@[::ffff:192.0.2.1]", "sip", "a", "[::ffff:192.0.2.1]", 0, "", "", "a" },
	{ "sip:%C3%A4@h", "sip", "%C3%A4", "h", 0, "", "", "\xc3\xa4" },
	{ "sip:a%00b@h", "sip", "a%00b", "h", 0, "", "", NULL },
	{ "sip:a%0ab@h", "sip", "a%0ab", "h", 0, "", "", NULL },
	{ "sip:a%7f@h", "sip", "a%7f", "h", 0, "", "", NULL },
	{ "sip:100%@h", "sip", "100%", "h", 0, "", "", NULL },
	{ "sip:a%4@h", "sip", "a%4", "h", 0, "", "", NULL },
	{ "sip:a%4gb@h", "sip", "a%4gb", "h", 0, "", "", NULL },
	{ "sip:123456789012345678901234567890123@h", "sip",
	  "123456789012345678901234567890123", "h", 0, "", "", NULL }, /* too long for 32 */
	{ "sip:1234567890123456789012345678901@h", "sip",
	  "1234567890123456789012345678901", "h", 0, "", "", "1234567890123456789012345678901" },
	{ "tel:+49-30-1;phone-context=+49", "tel", "+49-30-1", "", 0, ";phone-context=+49",
	  "", "+49-30-1" },
	{ "urn:service:sos.fire", "urn", "service:sos.fire", "", 0, "", "",
	  "service:sos.fire" },
};

static const char *const no_uris[] = {
	"", ":", "sip", "sip:", "tel:", "tel:;x", "tel:1@h", "sip:@h", "sip::x@h",
	"sip:a@", "sip:a@b@c", "sip:a@h:", "sip:a@h:0", "sip:a@h:65536", "sip:a@h:5060x",
	"sip:a@h:99999999999999999999", "sip:a@[", "sip:a@[]", "sip:a@[::1",
	"sip:a@[::1]x", "sip:a@[x]", "sip:a@h!", "sip:a @h", "sip:a@h;x=\t", "sip:a\r\n@h",
	"<sip:a@h>", "sip:a@h>", "sip:\"a\"@h", "http://h", "mailto:a@h", "sipx:a@h",
	"nonsense", "xxxxxxxxxxxxxxxxx:a",
};

static bool text_is(struct span s, const char *text)
{
	return span_equal(s, (struct span){ text, strlen(text) });
}

/* An exact copy, so that ASan sees one byte too many. */
static struct span copy_of(const char *text)
{
	size_t n = strlen(text);
	char *copy = malloc(n ? n : 1);

	memcpy(copy, text, n);
	return (struct span){ copy, n };
}

static void parts_of_uris(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof uris / sizeof *uris; i++) {
		struct span s = copy_of(uris[i].text);
		char user[32];
		struct sip_uri u;

		if (!sip_uri_parse(s, &u) || !text_is(u.scheme, uris[i].scheme) ||
		    !text_is(u.user, uris[i].user) || !text_is(u.host, uris[i].host) ||
		    u.port != uris[i].port || !text_is(u.params, uris[i].params) ||
		    !text_is(u.headers, uris[i].headers))
			fail_msg("%s is taken apart as %.*s %.*s %.*s %u %.*s %.*s", uris[i].text,
				 (int)u.scheme.n, u.scheme.p, (int)u.user.n, u.user.p,
				 (int)u.host.n, u.host.p, u.port, (int)u.params.n, u.params.p,
				 (int)u.headers.n, u.headers.p);
		if (sip_uri_user(&u, user, sizeof user) != !!uris[i].plain ||
		    strcmp(user, uris[i].plain ? uris[i].plain : ""))
			fail_msg("%s: user \"%s\"", uris[i].text, user);
		free((char *)s.p);
	}
	for (size_t i = 0; i < sizeof no_uris / sizeof *no_uris; i++) {
		struct span s = copy_of(no_uris[i]);
		struct sip_uri u;

		if (sip_uri_parse(s, &u))
			fail_msg("%s", no_uris[i]);
		free((char *)s.p);
	}
}

static const struct {
	const char *text, *display, *uri, *params;
} names[] = {
	{ "<sip:a@h>", "", "sip:a@h", "" },
	{ "sip:a@h;tag=1", "", "sip:a@h", ";tag=1" },
	{ "\"A \\\"<x>\\\" B\" <sip:a@h;lr>;tag=1;x", "\"A \\\"<x>\\\" B\"", "sip:a@h;lr",
	  ";tag=1;x" },
	{ "Alice Smith<sip:a@h> ;tag=1", "Alice Smith", "sip:a@h", ";tag=1" },
	{ "\"\"\r\n <sip:a@h>\r\n ;tag=1", "\"\"", "sip:a@h", ";tag=1" },
	{ " < sip:a@h >", "", "sip:a@h", "" },
	{ "<tel:+49;phone-context=x>", "", "tel:+49;phone-context=x", "" },
};

static const char *const no_names[] = {
	"", " ", "<", "<>", ">", "\"", "\"\\\"", "\"a <sip:a@h>", "<sip:a@h",
	"<sip:a b@h>", "<sip:a@h> tag=1", "<sip:a@h>>", "<<sip:a@h>>", "sip:a b@h",
	";tag=1", "<sip:a\"@h>",
};

static void parts_of_names(void **state)
{
	struct sip_name_addr a;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct span s = copy_of(names[i].text);

		if (!sip_name_addr_parse(s, &a) || !text_is(a.display, names[i].display) ||
		    !text_is(a.uri, names[i].uri) || !text_is(a.params, names[i].params))
			fail_msg("%s is taken apart as [%.*s] [%.*s] [%.*s]", names[i].text,
				 (int)a.display.n, a.display.p, (int)a.uri.n, a.uri.p,
				 (int)a.params.n, a.params.p);
		free((char *)s.p);
	}
	for (size_t i = 0; i < sizeof no_names / sizeof *no_names; i++) {
		struct span s = copy_of(no_names[i]);

		if (sip_name_addr_parse(s, &a))
			fail_msg("%s", no_names[i]);
		free((char *)s.p);
	}
}

static const struct {
	const char *from, *user, *host, *identity;
} identities[] = {
	{ "\"A\" <sip:a@h>;tag=1", "", "", "\"A\" <sip:a@h>" },
	{ "sip:a@h;tag=1", "", "", "<sip:a@h>" },
	{ "<sip:a:pw@h:5070;user=phone>", "", "itsp.example", "<sip:a@itsp.example;user=phone>" },
	{ "<sip:a@h:5070;user=phone;maddr=1.2.3.4;TTL=1;lr;method=X;transport=tcp;x=y?s=t>", "b",
	  "itsp:5080", "<sip:b@itsp:5080;user=phone;x=y>" },
	{ "<sip:a@h:5070;transport=tcp>", "b", "", "<sip:b@h:5070;transport=tcp>" },
	{ "<sips:a@h>", "", "i", "<sips:a@i>" },
	{ "<sip:h>", "", "i", "<sip:i>" },
	{ "<sip:h>", "b", "", "<sip:b@h>" },
	{ "<sip:%C3%A4+x@h>", "", "i", "<sip:%C3%A4+x@i>" },
	{ "<sip:a@h>", "a b@c%41\xc3\xa4", "", "<sip:a%20b%40c%41%c3%a4@h>" },
	{ "<sip:a@h>", "+4930", "[2001:db8::1]:5060", "<sip:+4930@[2001:db8::1]:5060>" },
	{ "\"A\" <tel:+49-30;phone-context=x>", "", "",
	  "\"A\" <tel:+49-30;phone-context=x>" },
	{ "<tel:+49-30;ext=5>", "", "itsp", "<sip:+49-30;ext=5@itsp;user=phone>" },
	{ "<tel:+49-30;ext=5>", "+4940", "itsp", "<sip:+4940@itsp;user=phone>" },
	{ "<tel:+49-30>", "+4940", "", "<tel:+4940>" },
	{ "<urn:service:sos>", "", "i", "<urn:service:sos>" },
	{ "<mailto:a@h>", "b", "i", "<sip:b@i>" },
	{ "\"A\r\n\t B\" <sip:a@h>", "", "", "\"A B\" <sip:a@h>" },
};

static void identities_are_exchanged(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof identities / sizeof *identities; i++) {
		char text[200];
		struct out o = { text, text + sizeof text - 1, false };
		struct sip_name_addr a;

		assert_true(sip_name_addr_parse((struct span){ identities[i].from,
							       strlen(identities[i].from) }, &a));
		out_identity(&o, &a, identities[i].user, identities[i].host);
		*o.p = '\0';
		assert_false(o.full);
		assert_string_equal(text, identities[i].identity);
	}
}

/* ---- limits -------------------------------------------------------------------------- */

/* What would not pass the pre-check again is not made. */
static void what_does_not_fit_is_refused(void **state)
{
	static char text[70000], big[70000];
	struct sip_outbound r = outbound();
	struct sip_head h;
	struct sip_buf *b;
	size_t n;

	(void)state;
	memset(big, 'x', sizeof big);
	read_text(&h, IN WHO "\r\n");
	r.body = (struct span){ big, SIP_MESSAGE_MOST };
	assert_null(sip_translate_request(pool, &h, &r));
	r.body.n = 60000;
	b = sip_translate_request(pool, &h, &r);
	assert_non_null(b);
	sip_buf_unref(b);
	r.from = (struct span){ big, SIP_NAME_MOST };
	assert_null(sip_translate_request(pool, &h, &r));
	r.from.n = SIP_NAME_MOST - 6;
	b = sip_translate_request(pool, &h, &r);
	assert_non_null(b);
	sip_buf_unref(b);
	r = outbound();
	r.headers = (struct span){ big, SIP_HEADER_MOST };
	assert_null(sip_translate_request(pool, &h, &r));
	r = outbound();
	r.uri = (struct span){ big, SIP_START_MOST };
	assert_null(sip_translate_request(pool, &h, &r));
	drop(&h);

	n = (size_t)sprintf(text, "%s", IN WHO);
	for (unsigned i = 5; i < SIP_LINES_MOST; i++)
		n += (size_t)sprintf(text + n, "Y: z\r\n");
	strcpy(text + n, "\r\n");
	read_text(&h, text);
	r = outbound(); /* Max-Forwards, Contact and Content-Length are added */
	assert_null(sip_translate_request(pool, &h, &r));
	drop(&h);
}

/* Each place where the text is cut, with every longer value: never a byte too far (ASan). */
static void every_cut_of_a_value_is_safe(void **state)
{
	static const char text[] = "\"A \\\"\" <sip:%41:p@[2001:db8::1]:5060;lr?x=%>\r\n ;tag=\"1\\\"";

	(void)state;
	for (size_t n = 0; n < sizeof text; n++) {
		char *copy = malloc(n ? n : 1), user[8], room[64];
		struct out o = { room, room + sizeof room, false };
		struct span s = { copy, n };
		struct sip_name_addr a;
		struct sip_uri u;

		memcpy(copy, text, n);
		if (sip_name_addr_parse(s, &a)) {
			out_identity(&o, &a, "user%", "host");
			if (sip_uri_parse(a.uri, &u))
				sip_uri_user(&u, user, sizeof user);
		}
		sip_uri_parse(s, &u);
		free(copy);
	}
}

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* The largest headers of each kind; 20 times what is seen is allowed. */
static void hostile_input_is_cheap(void **state)
{
	static const char *const pattern[] = {
		"Y: z\r\n z\r\n", "a:\r\n \r\n \r\n", "Y: ;;\"\"<\\\r\n\t\r\n",
		"m: <sip:a@b>;x=\"\\\r\n ,\r\n", "P-Asserted-Identity: x\r\n",
	};
	static char text[SIP_HEADER_MOST + 1];

	(void)state;
	for (size_t i = 0; i < sizeof pattern / sizeof *pattern; i++) {
		struct sip_outbound r = outbound();
		struct sip_head h;
		const char *why;
		double start;
		size_t n = (size_t)sprintf(text, "%s", IN WHO), k = strlen(pattern[i]), lines = 0;

		while (n + 2 * k + 4 < SIP_HEADER_MOST && lines++ < 118) {
			memcpy(text + n, pattern[i], k);
			n += k;
		}
		memcpy(text + n, "\r\n", 2);
		if (sip_precheck(&h, text, n + 2, &why) != SIP_FINE)
			fail_msg("pattern %zu: %s", i, why);
		start = now_us();
		for (int j = 0; j < 20; j++)
			sip_buf_unref(sip_translate_request(pool, &h, &r));
		start = (now_us() - start) / 20;
		if (start > 2000)
			fail_msg("pattern %zu takes %.0f us", i, start);
		if (getenv("SIP_TIMES"))
			print_message("pattern %zu: %.2f us\n", i, start);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_and_unknown_headers_stay),
		cmocka_unit_test(compact_forms_stay_compact),
		cmocka_unit_test(folds_become_blanks),
		cmocka_unit_test(what_is_not_told_stays),
		cmocka_unit_test(what_is_told_is_put_in),
		cmocka_unit_test(identities_and_bodies_can_be_left_out),
		cmocka_unit_test(bodies_go_through_byte_for_byte),
		cmocka_unit_test(any_method_goes_through),
		cmocka_unit_test(requests_of_a_dialog_alone),
		cmocka_unit_test(answers_of_a_dialog),
		cmocka_unit_test(answers_that_refuse),
		cmocka_unit_test(again_as_it_was),
		cmocka_unit_test(again_with_parts_exchanged),
		cmocka_unit_test(parts_of_uris),
		cmocka_unit_test(parts_of_names),
		cmocka_unit_test(identities_are_exchanged),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(every_cut_of_a_value_is_safe),
		cmocka_unit_test(hostile_input_is_cheap),
	};

	return cmocka_run_group_tests_name("sip_translate", tests, begin, end);
}
