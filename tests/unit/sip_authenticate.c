/* The served side is asked who it is: RFC 7616's examples and values of Python's hashlib,
 * our own client against our own server, time, addresses, and nonsense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sip/authenticate.h"
#include "sip/digest.h"

enum { NOW = 5000000 };

static struct {
	struct sip_authenticator *a;
	struct sip_hop hop;
	rg_ms now;
} w;

static int begin(void **state)
{
	(void)state;
	w.a = sip_authenticator_new();
	w.now = NOW;
	memset(&w.hop, 0, sizeof w.hop);
	rg_addr_parse(&w.hop.peer, "198.51.100.7:5060");
	return 0;
}

static int end(void **state)
{
	(void)state;
	sip_authenticator_free(w.a);
	return 0;
}

static enum sip_authentic check(const char *method, const char *uri, const char *lines,
				const char *body, const char *realm, const char *username,
				const char *password)
{
	size_t room = strlen(lines) + strlen(body) + 600;
	char *text = malloc(room);
	struct sip_head h;
	const char *why;
	enum sip_authentic v;
	int n = snprintf(text, room,
			 "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: a;tag=1\r\n"
			 "To: b\r\nCall-ID: c\r\nCSeq: 1 %s\r\n%sContent-Length: %zu\r\n\r\n%s",
			 method, uri, method, lines, strlen(body), body);

	text = realloc(text, (size_t)n); /* exact, so that ASan sees one byte too many */
	if (sip_precheck(&h, text, (size_t)n, &why) != SIP_FINE)
		fail_msg("%s: %s", why, lines);
	v = sip_authenticate(w.a, &w.hop, &h, realm, username, password, w.now);
	free(text);
	return v;
}

/* ---- examples ------------------------------------------------------------------------ */

#define RFC "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", " \
	    "uri=\"/dir/index.html\", nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "
#define COUNT "nc=00000001, cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", "

/* The nonce is not ours, so "stale" says that the response is right. */
static const struct {
	const char *value;
	enum sip_authentic verdict;
} examples[] = {
	/* RFC 7616 3.9.1 */
	{ RFC COUNT "algorithm=MD5, qop=auth, response=\"8ca523f5e9506fed4657c9700eebdbec\", "
	  "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"", SIP_STALE },
	{ RFC COUNT "algorithm=SHA-256, qop=auth, "
	  "response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\"",
	  SIP_STALE },
	{ RFC COUNT "qop=auth, response=\"8ca523f5e9506fed4657c9700eebdbec\"", SIP_STALE },
	{ RFC COUNT "algorithm=\"md5\", qop=\"auth\", response=\"8CA523F5E9506FED4657C9700EEBDBEC\"",
	  SIP_STALE },
	/* hashlib */
	{ RFC COUNT "algorithm=MD5, qop=auth-int, response=\"4e1b407ece31d3204ef2ec0403cbe909\"", SIP_STALE },
	{ RFC COUNT "algorithm=SHA-256, qop=auth-int, response=\"373498314a047e72f5eea0316f8918236a18b383abee5fce99c67bd656d3f865\"", SIP_STALE },
	{ RFC "algorithm=MD5, response=\"7b2cc3b30e75b4777ea31027084363fd\"", SIP_STALE },
	{ RFC "response=\"7b2cc3b30e75b4777ea31027084363fd\"", SIP_STALE },
	{ RFC "algorithm=SHA-256, response=\"a1306b0595a6c7fe96c448631fb5cfbd5107bd1fe1da729d978dd7446b812363\"", SIP_STALE },

	{ RFC COUNT "algorithm=MD5, qop=auth, response=\"8ca523f5e9506fed4657c9700eebdbed\"",
	  SIP_FORGED },
	{ RFC COUNT "algorithm=SHA-256, qop=auth, response=\"8ca523f5e9506fed4657c9700eebdbec\"",
	  SIP_FORGED },
	{ RFC COUNT "algorithm=MD5, response=\"8ca523f5e9506fed4657c9700eebdbec\"", SIP_FORGED },
	{ RFC "nc=00000002, cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", "
	  "qop=auth, response=\"8ca523f5e9506fed4657c9700eebdbec\"", SIP_FORGED },
	{ RFC "nc=1, cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", "
	  "qop=auth, response=\"8ca523f5e9506fed4657c9700eebdbec\"", SIP_FORGED },
	{ RFC COUNT "qop=other, response=\"8ca523f5e9506fed4657c9700eebdbec\"", SIP_FORGED },
	{ RFC "nc=00000001, qop=auth, response=\"8ca523f5e9506fed4657c9700eebdbec\"", SIP_FORGED },
	{ RFC "response=\"8\"", SIP_FORGED },

	{ "Digest username=\"Mufasa\", realm=\"elsewhere\", uri=\"/dir/index.html\", nonce=\"x\", "
	  "response=\"8ca523f5e9506fed4657c9700eebdbec\"", SIP_CHALLENGE },
	{ "Digest realm=\"http-auth@example.org\", username=\"Mufasa\", nonce=\"\", response=\"\"",
	  SIP_CHALLENGE },
	{ "Digest realm=\"http-auth@example.org\", response=\"8ca523f5e9506fed4657c9700eebdbec\"",
	  SIP_FORGED },
	{ RFC "algorithm=SHA-512-256, response=\"x\"", SIP_CHALLENGE },
	{ RFC "algorithm=MD5-sess, response=\"x\"", SIP_CHALLENGE },
	{ RFC "response=\"8ca523f5e9506fed4657c9700eebdbec", SIP_CHALLENGE },
	{ RFC "x=\"", SIP_CHALLENGE },
	{ "Digest", SIP_CHALLENGE }, { "Digest ,,,", SIP_CHALLENGE }, { "Basic QWxh", SIP_CHALLENGE },
	{ "", SIP_CHALLENGE }, { ",", SIP_CHALLENGE }, { "\"", SIP_CHALLENGE },
};

static void examples_of_the_rfc(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
		static const char *const name[] = { "Authorization", "Proxy-Authorization" };

		for (int k = 0; k < 2; k++) {
			char line[1000];
			enum sip_authentic v;

			snprintf(line, sizeof line, "%s: %s\r\n", name[k], examples[i].value);
			v = check("GET", "/dir/index.html", line, "Hello, World",
				  "http-auth@example.org", "Mufasa", "Circle of Life");
			if (v != examples[i].verdict)
				fail_msg("%s: %d", line, v);
		}
	}
}

/* ---- our client, our server ------------------------------------------------------------ */

/* The lines of the challenge; which: 0 SHA-256, 1 MD5. */
static struct digest *challenged(unsigned which, const char *username, const char *password,
				 bool stale)
{
	static const char name[] = "Proxy-Authenticate: ";
	struct digest *d = NULL;
	char text[600], *p = text;
	const char *value;
	size_t n;

	assert_true(sip_authenticator_challenge(w.a, &w.hop, "gw \"x\"", stale, w.now, text,
						sizeof text));
	for (; which; which--)
		p = strchr(p, '\n') + 1;
	assert_memory_equal(p, name, sizeof name - 1);
	value = p + sizeof name - 1;
	n = strcspn(value, "\r");
	assert_int_equal(digest_challenge(&d, &value, &n, 1, true, username, password), DIGEST_OK);
	assert_int_equal(digest_was_stale(d), stale);
	return d;
}

static enum sip_authentic with(struct digest *d, const char *username, const char *method,
			       const char *digest_uri, const char *uri)
{
	char line[1000];
	size_t n = digest_authorize(d, line, sizeof line - 1, username, method, digest_uri, NULL, 0);

	line[n] = '\0';
	return check(method, uri, line, "", "gw \"x\"", "pbx", "secret");
}

static enum sip_authentic plain(struct digest *d)
{
	return with(d, "pbx", "INVITE", "sip:1@gw", "sip:1@gw");
}

static void whom_we_challenged_gets_in(void **state)
{
	(void)state;
	for (unsigned which = 0; which < 2; which++) {
		struct digest *d = challenged(which, "pbx", "secret", false);

		assert_int_equal(plain(d), SIP_AUTHENTIC);
		assert_int_equal(plain(d), SIP_AUTHENTIC); /* the next count */
		digest_free(d);
		d = challenged(which, "pbx", "guess", false);
		assert_int_equal(plain(d), SIP_FORGED);
		digest_free(d);
		d = challenged(which, "other", "secret", false);
		assert_int_equal(with(d, "other", "INVITE", "sip:1@gw", "sip:1@gw"), SIP_FORGED);
		digest_free(d);
		d = challenged(which, "pbx", "secret", true);
		assert_int_equal(plain(d), SIP_AUTHENTIC);
		digest_free(d);
	}
	assert_int_equal(check("INVITE", "sip:1@gw", "", "", "gw", "pbx", "secret"), SIP_CHALLENGE);
}

static void the_user_of_the_uri_counts(void **state)
{
	struct digest *d = challenged(0, "pbx", "secret", false);

	(void)state;
	assert_int_equal(with(d, "pbx", "INVITE", "sip:1@gw", "sip:1@192.0.2.1:5060;x"),
			 SIP_AUTHENTIC);
	assert_int_equal(with(d, "pbx", "INVITE", "sip:1@gw", "sip:2@gw"), SIP_FORGED);
	assert_int_equal(with(d, "pbx", "INVITE", "sip:gw", "sip:2@gw"), SIP_FORGED);
	assert_int_equal(with(d, "pbx", "OPTIONS", "sip:gw", "sip:192.0.2.1"), SIP_AUTHENTIC);
	assert_int_equal(with(d, "pbx", "INVITE", "nonsense", "sip:2@gw"), SIP_FORGED);
	digest_free(d);
}

static void nonces_grow_old(void **state)
{
	struct digest *d = challenged(0, "pbx", "secret", false);
	struct digest *bad = challenged(0, "pbx", "guess", false);

	(void)state;
	w.now = NOW + SIP_NONCE_MS - 1;
	assert_int_equal(plain(d), SIP_AUTHENTIC);
	w.now = NOW + SIP_NONCE_MS;
	assert_int_equal(plain(d), SIP_STALE);
	assert_int_equal(plain(bad), SIP_FORGED); /* is not told that the nonce is old */
	w.now = NOW - 1;			  /* not from the future, either */
	assert_int_equal(plain(d), SIP_STALE);
	digest_free(d);
	digest_free(bad);
}

static void nonces_are_for_one_address(void **state)
{
	struct digest *d = challenged(0, "pbx", "secret", false);

	(void)state;
	w.hop.peer.port = 40000;
	assert_int_equal(plain(d), SIP_AUTHENTIC);
	w.hop.peer.ip[3]++;
	assert_int_equal(plain(d), SIP_STALE);
	digest_free(d);
	rg_addr_parse(&w.hop.peer, "[2001:db8::1]:5060");
	d = challenged(1, "pbx", "secret", false);
	assert_int_equal(plain(d), SIP_AUTHENTIC);
	w.hop.peer.ip[15]++;
	assert_int_equal(plain(d), SIP_STALE);
	digest_free(d);
}

static void nonces_are_of_one_process(void **state)
{
	struct digest *d = challenged(0, "pbx", "secret", false);
	struct sip_authenticator *first = w.a;

	(void)state;
	w.a = sip_authenticator_new();
	assert_int_equal(plain(d), SIP_STALE);
	sip_authenticator_free(w.a);
	w.a = first;
	assert_int_equal(plain(d), SIP_AUTHENTIC);
	digest_free(d);
}

/* Of several lines, in whatever order, the best counts; not of more than a few. */
static void several_lines(void **state)
{
	static const char bad[] = "Proxy-Authorization: Digest realm=\"gw \\\"x\\\"\", username=\"pbx\", "
				  "uri=\"sip:1@gw\", nonce=\"n\", response=\"1\"\r\n";
	static const char foreign[] = "Proxy-Authorization: Digest realm=\"itsp\", nonce=\"n\", "
				      "uri=\"x\", username=\"y\", response=\"1\"\r\n";
	struct digest *d = challenged(0, "pbx", "secret", false);
	char text[6000], line[1000];

	(void)state;
#define NEXT() (line[digest_authorize(d, line, sizeof line - 1, "pbx", "INVITE", "sip:1@gw", NULL, \
				      0)] = '\0')
#define VERDICT() check("INVITE", "sip:1@gw", text, "", "gw \"x\"", "pbx", "secret")
	NEXT();
	snprintf(text, sizeof text, "%s%s%s", foreign, bad, line);
	assert_int_equal(VERDICT(), SIP_AUTHENTIC);
	NEXT();
	snprintf(text, sizeof text, "%s%s%s", line, foreign, bad);
	assert_int_equal(VERDICT(), SIP_AUTHENTIC);
	snprintf(text, sizeof text, "%s%s", foreign, bad);
	assert_int_equal(VERDICT(), SIP_FORGED);
	snprintf(text, sizeof text, "%s", foreign);
	assert_int_equal(VERDICT(), SIP_CHALLENGE);
	NEXT();
	snprintf(text, sizeof text, "%s%s%s%s%s", foreign, foreign, foreign, foreign, line);
	assert_int_equal(VERDICT(), SIP_CHALLENGE);
	snprintf(text, sizeof text, "%s%s%s%s%s", foreign, foreign, foreign, foreign, line + 6);
	assert_int_equal(VERDICT(), SIP_AUTHENTIC); /* Authorization */
	digest_free(d);
}

/* Who has seen a request go by cannot send another one with its credentials. */
static void once_only(void **state)
{
	struct digest *d = challenged(0, "pbx", "secret", false);
	char line[1000];
	size_t n = digest_authorize(d, line, sizeof line - 1, "pbx", "INVITE", "sip:1@gw", NULL, 0);
	char *response = strstr(line, "response=\"");

	(void)state;
	line[n] = '\0';
	assert_int_equal(check("INVITE", "sip:1@gw", line, "", "gw \"x\"", "pbx", "secret"),
			 SIP_AUTHENTIC);
	assert_int_equal(check("INVITE", "sip:1@gw", line, "", "gw \"x\"", "pbx", "secret"),
			 SIP_STALE);
	assert_non_null(response);
	for (char *p = response + 10; *p != '"'; p++)
		if (*p >= 'a' && *p <= 'f')
			*p = (char)(*p - 32);
	assert_int_equal(check("INVITE", "sip:1@gw", line, "", "gw \"x\"", "pbx", "secret"),
			 SIP_STALE);
	assert_int_equal(plain(d), SIP_AUTHENTIC); /* the next count */
	digest_free(d);
}

/* One digit of what we gave changed, anywhere: never in. */
static void changed_anywhere(void **state)
{
	struct digest *d = challenged(0, "pbx", "secret", false);
	char line[1000], *nonce, *response;
	size_t n = digest_authorize(d, line, sizeof line - 1, "pbx", "INVITE", "sip:1@gw", NULL, 0);

	(void)state;
	line[n] = '\0';
	nonce = strstr(line, "nonce=\"") + 7;
	response = strstr(line, "response=\"") + 10;
	for (unsigned i = 0; i < 48 + 64; i++) {
		char *at = i < 48 ? nonce + i : response + i - 48, was = *at;

		*at = was == '0' ? '1' : '0';
		assert_int_equal(check("INVITE", "sip:1@gw", line, "", "gw \"x\"", "pbx", "secret"),
				 SIP_FORGED);
		*at = was;
	}
	assert_int_equal(check("INVITE", "sip:1@gw", line, "", "gw \"x\"", "pbx", "secret"),
			 SIP_AUTHENTIC);
	digest_free(d);
}

/* Lines cut anywhere and of any length: nothing but a verdict. */
static void nonsense(void **state)
{
	struct digest *d = challenged(0, "pbx", "secret", false);
	char line[5000], cut[5100];
	size_t n = digest_authorize(d, line, sizeof line - 1, "pbx", "INVITE", "sip:1@gw", NULL, 0);

	(void)state;
	for (size_t i = 21; i < n - 2; i++) {
		snprintf(cut, sizeof cut, "%.*s\r\n", (int)i, line);
		assert_in_range(check("INVITE", "sip:1@gw", cut, "", "gw \"x\"", "pbx", "secret"),
				SIP_AUTHENTIC, SIP_FORGED);
	}
	n = (size_t)snprintf(line, sizeof line, "Proxy-Authorization: Digest realm=\"gw \\\"x\\\"\", "
			     "response=\"x\", qop=auth, nc=00000001, cnonce=\"");
	for (unsigned k = 1000; k < 4000; k += 500) {
		memset(line + n, 'x', k);
		strcpy(line + n + k, "\"\r\n");
		assert_int_not_equal(check("INVITE", "sip:1@gw", line, "", "gw \"x\"", "pbx", "secret"),
				     SIP_AUTHENTIC);
	}
	digest_free(d);
}

static void a_challenge_fits_or_is_not_made(void **state)
{
	char text[600];
	size_t n;

	(void)state;
	assert_true(sip_authenticator_challenge(w.a, &w.hop, "gw", true, w.now, text, sizeof text));
	n = strlen(text);
	assert_non_null(strstr(text, ", algorithm=SHA-256, qop=\"auth\", stale=true\r\n"));
	assert_non_null(strstr(text, ", algorithm=MD5, qop=\"auth\", stale=true\r\n"));
	assert_true(strstr(text, "SHA-256") < strstr(text, "MD5"));
	assert_true(sip_authenticator_challenge(w.a, &w.hop, "gw", true, w.now, text, n + 1));
	assert_false(sip_authenticator_challenge(w.a, &w.hop, "gw", true, w.now, text, n));
	assert_false(sip_authenticator_challenge(w.a, &w.hop, "g\nw", true, w.now, text,
						 sizeof text));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(examples_of_the_rfc),
		TEST(whom_we_challenged_gets_in),
		TEST(the_user_of_the_uri_counts),
		TEST(nonces_grow_old),
		TEST(nonces_are_for_one_address),
		TEST(nonces_are_of_one_process),
		TEST(several_lines),
		TEST(once_only),
		TEST(changed_anywhere),
		TEST(nonsense),
		TEST(a_challenge_fits_or_is_not_made),
	};

	return cmocka_run_group_tests_name("sip_authenticate", tests, NULL, NULL);
}
