/* Which Contact of a 2xx is ours (peers do all of these), and readers of values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "sip/contact.h"

#define TOKEN "0011223344556677"
#define URI "sip:line1@192.0.2.1:5070;rg=" TOKEN
#define NOT_SAID UINT32_MAX

static const struct {
	const char *what, *contacts; /* header lines */
	unsigned n;
	bool ours;
	uint32_t expires;
} cases[] = {
	{ "none", "", 0, false, 0 },
	{ "as sent", "Contact: <" URI ">;expires=300\r\n", 1, true, 300 },
	{ "no lifetime", "Contact: <" URI ">\r\n", 1, true, NOT_SAID },
	{ "compact, no blank", "m:<" URI ">;expires=300\r\n", 1, true, 300 },
	{ "token in capitals, host rewritten",
	  "Contact: <sip:x@203.0.113.1:9;RG=" TOKEN ">;q=1.0;Expires=60\r\n", 1, true, 60 },
	{ "token among others, in one line",
	  "Contact: \"Smith, \\\"J\\\" <sip:a@b>\" <sip:j@192.0.2.2;x=\"1,2\">;expires=1, <" URI
	  ">;expires=2, <sip:k@192.0.2.3>;expires=3\r\n", 3, true, 2 },
	{ "token among others, in lines",
	  "Contact: <sip:j@192.0.2.2>;expires=1\r\nContact: <" URI ">;expires=2\r\n", 2, true, 2 },
	{ "token twice, an old binding running out",
	  "Contact: <" URI ">;expires=0, <" URI ">;expires=120\r\n", 2, true, 120 },
	{ "token, but a lease of 0", "Contact: <" URI ">;expires=0\r\n", 1, true, 0 },
	{ "token lost, same URI",
	  "Contact: <sip:line1@192.0.2.1:5070>;expires=50,<sip:z@192.0.2.9>;expires=9\r\n", 2,
	  true, 50 },
	{ "token lost, without <>",
	  "Contact: sip:line1@192.0.2.1:5070;expires=50, sip:z@192.0.2.9;expires=9\r\n", 2, true,
	  50 },
	{ "only one, host rewritten", "Contact: <sip:line1@10.0.0.1>;expires=7\r\n", 1, true, 7 },
	{ "only one, user rewritten", "Contact: <sip:x@192.0.2.1:5070>;expires=7\r\n", 1, true,
	  7 },
	{ "only one, someone else's", "Contact: <sip:bob@10.0.0.1>;expires=7\r\n", 1, false, 0 },
	{ "only one, another's token",
	  "Contact: <sip:line1@192.0.2.1:5070;rg=ffffffffffffffff>;expires=7\r\n", 1, false, 0 },
	{ "two, none ours",
	  "Contact: <sip:line1@10.0.0.1>;expires=7, <sip:line1@10.0.0.2>;expires=8\r\n", 2, false,
	  0 },
	{ "lifetime too large", "Contact: <" URI ">;expires=99999999999\r\n", 1, true,
	  UINT32_MAX - 1 },
	{ "lifetime of no number", "Contact: <" URI ">;expires=soon\r\n", 1, true, NOT_SAID },
	{ "lifetime in quotes", "Contact: <" URI ">;expires=\"33\"\r\n", 1, true, 33 },
	{ "folded", "Contact:\r\n <" URI ">\r\n ; expires = 44\r\n", 1, true, 44 },
	{ "unclosed", "Contact: <" URI "\r\n", 0, false, 0 },
	{ "a star", "Contact: *\r\n", 1, false, 0 },
};

static void finds_our_binding(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sip_binding b;
		struct sip_head h;
		const char *why;
		char text[2048];
		int n = snprintf(text, sizeof text,
				 "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a>\r\n"
				 "To: <sip:a>\r\nCall-ID: i\r\nCSeq: 1 REGISTER\r\n%s\r\n",
				 cases[i].contacts);

		assert_int_equal(sip_precheck(&h, text, (size_t)n, &why), SIP_FINE);
		sip_binding_find(&h, TOKEN, (struct span){ URI, strlen(URI) }, &b);
		if (b.contacts != cases[i].n || b.ours != cases[i].ours ||
		    b.expires != cases[i].expires)
			fail_msg("%s: %u contacts, ours %d, expires %u", cases[i].what, b.contacts,
				 b.ours, b.expires);
	}
}

static struct span s(const char *text)
{
	return (struct span){ text, strlen(text) };
}

static void compares_uris(void **state)
{
	(void)state;
	assert_true(sip_uri_same(s("sip:a@H:5060"), s("SIP:a@h;transport=UDP")));
	assert_true(sip_uri_same(s("sip:[2001:DB8::1]:5070"), s("sip:[2001:db8::1]:5070;x=y")));
	assert_false(sip_uri_same(s("sip:a@h"), s("sip:A@h")));
	assert_false(sip_uri_same(s("sip:a@h"), s("sip:a@h:5061")));
	assert_false(sip_uri_same(s("sip:a@h"), s("sips:a@h")));
	assert_false(sip_uri_same(s("sip:a@h"), s("sip:a@h;transport=tcp")));
	assert_false(sip_uri_same(s("sip:a@h"), s("sip:h")));
	assert_false(sip_uri_same(s("sip:a@[::1"), s("sip:a@[::1")));
	assert_false(sip_uri_same(s(""), s("")));
}

static void reads_values(void **state)
{
	struct span rest = s("a, \"b,\\\"c\" <d,e>,, f "), v;
	uint32_t n;

	(void)state;
	assert_true(span_value(&rest, &v) && span_equal(v, s("a")));
	assert_true(span_value(&rest, &v) && span_equal(v, s("\"b,\\\"c\" <d,e>")));
	assert_true(span_value(&rest, &v) && span_equal(v, s("f")));
	assert_false(span_value(&rest, &v));
	assert_true(span_equal(span_param(s(";x=\";tag=evil\";tag=good;y"), "tag"), s("good")));
	assert_true(span_param(s(";x;lr ;y"), "lr").p != NULL);
	assert_null(span_param(s(";lrx=1"), "lr").p);
	assert_int_equal(span_param(s(";q=\"\""), "q").n, 0);
	assert_true(span_equal(span_param(s(";q=\"unclosed"), "q"), s("unclose")) ||
		    span_equal(span_param(s(";q=\"unclosed"), "q"), s("unclosed")));
	assert_true(span_equal(sip_tag(s("\"x <;tag=1>\" <sip:a;tag=2>;tag=3")), s("3")));
	assert_true(span_equal(sip_tag(s("sip:a;tag=4")), s("4")));
	assert_null(sip_tag(s("<sip:a;tag=2>")).p);
	assert_true(span_number(s("120 (x)"), 1000, &n) && n == 120);
	assert_false(span_number(s("99999999999999999999"), UINT32_MAX, &n));
	assert_false(span_number(s("x"), 9, &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_our_binding),
		cmocka_unit_test(compares_uris),
		cmocka_unit_test(reads_values),
	};

	return cmocka_run_group_tests_name("sip_contact", tests, NULL, NULL);
}
