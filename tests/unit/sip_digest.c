/* Digest answers against the RFCs' examples and against values that Python's hashlib
 * gave; choice among challenges; what is refused; hostile input.  The random bytes are
 * given from here: cnonce 0001020304050607. */
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/random.h"
#include "sip/digest.h"

#define CNONCE "0001020304050607"
#define LEN(a) (sizeof(a) / sizeof *(a))

void rg_random(void *buf, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)buf)[i] = (uint8_t)i;
}

uint64_t rg_random64(void)
{
	return 0;
}

static enum digest_verdict challenge(struct digest **d, const char *value)
{
	size_t len = strlen(value);

	return digest_challenge(d, &value, &len, 1, false, "alice", "wonder");
}

static struct digest *taken(const char *value)
{
	struct digest *d = NULL;

	assert_int_equal(challenge(&d, value), DIGEST_OK);
	assert_non_null(d);
	return d;
}

static const char *answer(struct digest *d, const char *username, const char *method,
			  const char *uri, const char *body)
{
	static char line[8192];
	size_t n = digest_authorize(d, line, sizeof line - 1, username, method, uri, body,
				    body ? strlen(body) : 0);

	assert_in_range(n, 1, sizeof line - 1);
	line[n] = '\0';
	assert_string_equal(line + n - 2, "\r\n");
	assert_ptr_equal(strchr(line, '\n'), line + n - 1);
	return line;
}

static const char *plain(struct digest *d)
{
	return answer(d, "alice", "REGISTER", "sip:example.net", NULL);
}

/* NAME=VALUE as it stands in a line, quotes and all; "" when it is not there. */
static const char *param(const char *line, const char *name)
{
	static char value[4][4096];
	static unsigned turn;
	char *out = value[turn++ % 4], *to = out;
	char key[64];
	const char *p;
	int quoted = 0;

	snprintf(key, sizeof key, " %s=", name);
	p = strstr(line, key);
	for (p = p ? p + strlen(key) : ""; *p && *p != '\r' && (quoted || *p != ','); p++) {
		if (quoted && *p == '\\')
			*to++ = *p++;
		else if (*p == '"')
			quoted = !quoted;
		*to++ = *p;
	}
	*to = '\0';
	return out;
}

static void assert_param(const char *line, const char *name, const char *value)
{
	assert_string_equal(param(line, name), value);
}

static void assert_response(const char *line, const char *response)
{
	char quoted[80];

	snprintf(quoted, sizeof quoted, "\"%s\"", response);
	assert_param(line, "response", quoted);
}

/* What a server would compute from the cnonce of the line; written apart from digest.c
 * and checked against the examples of the RFCs, whose cnonces are not ours. */
static void hash(char out[65], const char *algorithm, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void hash(char out[65], const char *algorithm, const char *fmt, ...)
{
	uint8_t raw[EVP_MAX_MD_SIZE];
	char text[4096];
	unsigned n;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	assert_true(EVP_Digest(text, strlen(text), raw, &n, EVP_get_digestbyname(algorithm), NULL));
	for (unsigned i = 0; i < n; i++)
		sprintf(out + 2 * i, "%02x", raw[i]);
}

struct example {
	const char *algorithm, *user, *realm, *password, *method, *uri, *nonce, *nc, *cnonce, *qop;
};

static void server(char out[65], const struct example *x)
{
	char a1[65], a2[65];

	hash(a1, x->algorithm, "%s:%s:%s", x->user, x->realm, x->password);
	hash(a2, x->algorithm, "%s:%s", x->method, x->uri);
	if (x->qop)
		hash(out, x->algorithm, "%s:%s:%s:%s:%s:%s", a1, x->nonce, x->nc, x->cnonce,
		     x->qop, a2);
	else
		hash(out, x->algorithm, "%s:%s:%s", a1, x->nonce, a2);
}

/* ---- the RFCs ------------------------------------------------------------------ */

/* RFC 7616 3.9.1 and RFC 2617 3.5 */
static const struct {
	struct example x;
	const char *header, *response;
} rfc[] = {
	{ { "MD5", "Mufasa", "http-auth@example.org", "Circle of Life", "GET", "/dir/index.html",
	    "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "00000001",
	    "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "auth" },
	  "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=MD5, "
	  "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "
	  "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"",
	  "8ca523f5e9506fed4657c9700eebdbec" },
	{ { "SHA256", "Mufasa", "http-auth@example.org", "Circle of Life", "GET",
	    "/dir/index.html", "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "00000001",
	    "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "auth" },
	  "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=SHA-256, "
	  "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "
	  "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"",
	  "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1" },
	{ { "MD5", "Mufasa", "testrealm@host.com", "Circle Of Life", "GET", "/dir/index.html",
	    "dcd98b7102dd2f0e8b11d0f600bfb0c093", "00000001", "0a4f113b", "auth" },
	  "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", "
	  "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "
	  "opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
	  "6629fae49393a05397450978507c4ef1" },
	{ { "MD5", "Mufasa", "testrealm@host.com", "Circle Of Life", "GET", "/dir/index.html",
	    "dcd98b7102dd2f0e8b11d0f600bfb0c093", "", "", NULL },
	  "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "
	  "opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
	  "670fd8c2df070c60b045671b8b24ff02" },
};

static void rfc_examples(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(rfc); i++) {
		struct example x = rfc[i].x;
		size_t len = strlen(rfc[i].header);
		struct digest *d = NULL;
		const char *line;
		char want[65];

		server(want, &x);
		assert_string_equal(want, rfc[i].response);
		assert_int_equal(digest_challenge(&d, &rfc[i].header, &len, 1, false, x.user,
						  x.password), DIGEST_OK);
		x.cnonce = CNONCE;
		server(want, &x);
		line = answer(d, x.user, x.method, x.uri, NULL);
		assert_response(line, want);
		if (!x.qop)
			assert_response(line, rfc[i].response);
		digest_free(d);
	}
}

/* python3: H = lambda s: hashlib.new("md5" or "sha256" or "sha512_256", s).hexdigest()
 * a1 = H("alice:example.net:wonder"); of -sess H(a1 + ":n0nce:0001020304050607")
 * a2 = H("REGISTER:sip:example.net"); of auth-int with ":" + H("v=0\r\n")
 * H(a1 + ":n0nce:00000001:0001020304050607:" + qop + ":" + a2), or H(a1:n0nce:a2) */
static const char *const computed[][3] = {
	{ "MD5", "auth",
	  "9310b3586505e18e85dadd1ff796352b" },
	{ "MD5", "auth-int",
	  "2ce452cb922491070d5b013f3491e292" },
	{ "MD5", "",
	  "29985b5a6d2c5f92e8d2497d373aa7cd" },
	{ "MD5-sess", "auth",
	  "76752e4bac78545daedfcb22fbf90d44" },
	{ "MD5-sess", "auth-int",
	  "3bc09fa21af8247f2a1f8aa1886a0795" },
	{ "MD5-sess", "",
	  "c1cd71dc0908a64eb37f7be42f5edf22" },
	{ "SHA-256", "auth",
	  "14d0580a0de84049a4fc04f74826b177b37435db8d3b2b1cdbb2dd8c8f0af24a" },
	{ "SHA-256", "auth-int",
	  "8c45fb66b2374ae503cd30eefe2e984af1a3c1839234b5574617d36d0721f5fa" },
	{ "SHA-256", "",
	  "a9da9166680fbeccb9649a66e3817290293997621c4183c84e572aa5d600574c" },
	{ "SHA-256-sess", "auth",
	  "f55f26736d7b52f1d100203dc5875f3604df1cf98df2b9a37b7cb2c9420cef2f" },
	{ "SHA-256-sess", "auth-int",
	  "6a66a37345dbb67d02ede29f5d243812e98e75f87d8a552b333904966780b488" },
	{ "SHA-256-sess", "",
	  "5f68996b7f56d2fdaaaec6a1cc413074c0bf468b6fab95cfe500a1cee1718a71" },
	{ "SHA-512-256", "auth",
	  "6f7511db338a6ebc17cb48ca76221fca205c343bc474c5b00d7ac02e7255ce1c" },
	{ "SHA-512-256", "auth-int",
	  "b7980421d0b564635d5cf756e5f22556cf8238ccc671dacd4e3afd189c692525" },
	{ "SHA-512-256", "",
	  "1112bb8815bbfff640187a53629fdf00a2cdfaa2d1c91a005b8b55bb7bfedc0f" },
	{ "SHA-512-256-sess", "auth",
	  "1dc78ed8ff4789c8a563366eff75367189081ebeda3a5fbd3027ec33b589608f" },
	{ "SHA-512-256-sess", "auth-int",
	  "53ae3b399d75074fa429a581ab3b2c5e9f545673ef6112294acba8907784734c" },
	{ "SHA-512-256-sess", "",
	  "ea9e99999477c4dc91807e917d4cf28d3306ce1772c65aae606a9aab5a1e71b5" },
};

static void all_algorithms(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(computed); i++) {
		const char *algorithm = computed[i][0], *qop = computed[i][1], *line;
		struct digest *d;
		char value[256];

		snprintf(value, sizeof value, "Digest realm=\"example.net\",nonce=\"n0nce\","
			 "algorithm=%s%s%s%s", algorithm, *qop ? ",qop=\"" : "", qop,
			 *qop ? "\"" : "");
		d = taken(value);
		line = answer(d, "alice", "REGISTER", "sip:example.net", "v=0\r\n");
		assert_response(line, computed[i][2]);
		assert_param(line, "algorithm", algorithm);
		assert_param(line, "qop", qop);
		assert_param(line, "nc", *qop ? "00000001" : "");
		assert_param(line, "cnonce",
			     *qop || strstr(algorithm, "sess") ? "\"" CNONCE "\"" : "");
		digest_free(d);
	}
}

static void a_line_to_the_letter(void **state)
{
	struct digest *d = taken("Digest realm=\"example.net\", nonce=\"n0nce\", qop=\"auth\", "
				 "algorithm=md5, opaque=\"\", domain=\"sip:x sip:y\", foo=bar");

	(void)state;
	assert_string_equal(plain(d),
		"Authorization: Digest username=\"alice\", realm=\"example.net\", nonce=\"n0nce\", "
		"uri=\"sip:example.net\", response=\"9310b3586505e18e85dadd1ff796352b\", "
		"algorithm=MD5, cnonce=\"" CNONCE "\", opaque=\"\", qop=auth, nc=00000001\r\n");
	digest_free(d);
}

static void an_algorithm_not_named_is_not_named_back(void **state)
{
	struct digest *d = taken("Digest realm=\"example.net\", nonce=\"n0nce\", qop=\"auth\"");
	const char *line = plain(d);

	(void)state;
	assert_param(line, "algorithm", "");
	assert_param(line, "opaque", "");
	assert_response(line, "9310b3586505e18e85dadd1ff796352b");
	digest_free(d);
}

static void auth_goes_before_auth_int(void **state)
{
	static const char *const list[][2] = {
		{ "\"auth-int, auth\"", "auth" }, { "\"auth,auth-int\"", "auth" },
		{ "\"auth-int\"", "auth-int" },	  { "auth", "auth" },
		{ "\"AUTH\"", "auth" },		  { "\"token,auth\"", "auth" },
		{ "auth,auth-int", "auth" },	  { "\"\"", "" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(list); i++) {
		struct digest *d;
		char value[128];

		snprintf(value, sizeof value, "Digest realm=\"r\", qop=%s, nonce=\"n\"", list[i][0]);
		d = taken(value);
		assert_param(plain(d), "qop", list[i][1]);
		digest_free(d);
	}
}

/* ---- counting ------------------------------------------------------------------ */

static void the_count_rises_and_a_new_nonce_resets_it(void **state)
{
	struct digest *d = taken("Digest realm=\"r\", nonce=\"one\", qop=\"auth\"");
	const char *next = "qop=auth, rspauth=\"00\", nextnonce=\"two\"";

	(void)state;
	assert_param(plain(d), "nc", "00000001");
	for (int i = 0; i < 9; i++)
		plain(d);
	assert_param(plain(d), "nc", "0000000b");
	digest_info(d, next, strlen(next));
	assert_param(plain(d), "nonce", "\"two\"");
	assert_param(plain(d), "nc", "00000002");
	digest_info(d, next, strlen(next)); /* the same again: a count is never used twice */
	assert_param(plain(d), "nc", "00000003");
	assert_int_equal(challenge(&d, "Digest realm=\"r\", nonce=\"three\", qop=\"auth\""),
			 DIGEST_OK);
	assert_param(plain(d), "nc", "00000001");
	digest_free(d);
}

static void a_nextnonce_without_room_is_ignored(void **state)
{
	static const char *const bad[] = {
		"nextnonce=\"0123456789012345678901234567890123456789012345678901234567890123456789\"",
		"nextnonce=\"\"", "nextnonce=\"open", "nextnonce=\"a\nb\"", "nextnonce", "",
		"rspauth=\"x\", \"", "=,=",
	};
	struct digest *d = taken("Digest realm=\"r\", nonce=\"one\", qop=\"auth\"");
	char big[3000];

	(void)state;
	plain(d);
	for (size_t i = 0; i < LEN(bad); i++)
		digest_info(d, bad[i], strlen(bad[i]));
	snprintf(big, sizeof big, "nextnonce=\"x\", foo=\"%02500d\"", 0);
	digest_info(d, big, strlen(big));
	assert_param(plain(d), "nonce", "\"one\"");
	assert_param(plain(d), "nc", "00000003");
	digest_free(d);
}

static void a_session_key_stays_with_nextnonce(void **state)
{
	struct digest *d = taken("Digest realm=\"example.net\", nonce=\"n0nce\", qop=auth, "
				 "algorithm=MD5-sess");
	char a1[65], a2[65], want[65];

	(void)state;
	digest_info(d, "nextnonce=\"other\"", 17);
	hash(a1, "MD5", "alice:example.net:wonder");
	memcpy(want, a1, sizeof want);
	hash(a1, "MD5", "%s:n0nce:" CNONCE, want);
	hash(a2, "MD5", "REGISTER:sip:example.net");
	hash(want, "MD5", "%s:other:00000001:" CNONCE ":auth:%s", a1, a2);
	assert_response(plain(d), want);
	digest_free(d);
}

static void what_does_not_fit_is_not_counted(void **state)
{
	struct digest *d = taken("Digest realm=\"r\", nonce=\"n\", qop=\"auth\", opaque=\"o\"");
	size_t whole = strlen(plain(d));

	(void)state;
	for (size_t size = 0; size < whole; size++) {
		char *exact = malloc(size ? size : 1); /* one byte beyond is found by ASan */

		assert_int_equal(digest_authorize(d, exact, size, "alice", "REGISTER",
						  "sip:example.net", NULL, 0), 0);
		free(exact);
	}
	assert_param(plain(d), "nc", "00000002");
	assert_int_equal(strlen(plain(d)), whole);
	digest_free(d);
}

/* ---- verdicts ------------------------------------------------------------------ */

static void the_same_nonce_again_is_a_refusal(void **state)
{
	static const char same[] = "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"";
	struct digest *d = taken(same), *before = d;

	(void)state;
	assert_int_equal(challenge(&d, same), DIGEST_OK); /* it was not answered yet */
	plain(d);
	before = d;
	assert_int_equal(challenge(&d, same), DIGEST_REFUSED);
	assert_ptr_equal(d, before);
	assert_int_equal(challenge(&d, "Digest realm=\"r\", nonce=\"n\", qop=\"auth\", stale=FALSE"),
			 DIGEST_REFUSED);
	assert_int_equal(challenge(&d, "Digest realm=\"r\", nonce=\"m\", qop=\"auth\""), DIGEST_OK);
	plain(d);
	assert_int_equal(challenge(&d, "Digest realm=\"s\", nonce=\"m\", qop=\"auth\""), DIGEST_OK);
	digest_free(d);
}

static void each_realm_has_its_own(void **state)
{
	struct digest *d = taken("Digest realm=\"a\", nonce=\"1\", Digest realm=\"b\", nonce=\"2\", "
				 "Digest realm=\"a\", nonce=\"3\", algorithm=SHA-256");
	char value[64];

	(void)state;
	assert_string_equal(digest_realm(d), "a");
	assert_param(plain(d), "nonce", "\"1\"");
	assert_string_equal(digest_realm(digest_next(d)), "b");
	assert_null(digest_next(digest_next(d)));
	digest_info(d, "nextnonce=\"4\"", 13);
	assert_param(plain(d), "nonce", "\"1\""); /* it may be of b */
	assert_int_equal(challenge(&d, "Digest realm=\"b\", nonce=\"5\""), DIGEST_OK);
	assert_string_equal(digest_realm(d), "b");
	assert_string_equal(digest_realm(digest_next(d)), "a");
	/* refused by one, asked by another: there is something to answer */
	assert_int_equal(challenge(&d, "Digest realm=\"a\", nonce=\"1\", Digest realm=\"c\", nonce=\"6\""),
			 DIGEST_OK);
	for (int i = 0; i < 20; i++) { /* a realm that is always another one does not pile up */
		size_t n = 0;

		snprintf(value, sizeof value, "Digest realm=\"r%d\", nonce=\"n\"", i);
		assert_int_equal(challenge(&d, value), DIGEST_OK);
		for (struct digest *p = d; p; p = digest_next(p))
			n++;
		assert_true(n <= DIGEST_REALMS_MOST);
	}
	assert_string_equal(digest_realm(d), "r19");
	digest_free(d);
}

static void stale_is_no_refusal(void **state)
{
	struct digest *d = taken("Digest realm=\"r\", nonce=\"n\", qop=\"auth\"");

	(void)state;
	plain(d);
	assert_int_equal(challenge(&d, "Digest realm=\"r\", nonce=\"n\", stale=TRUE, qop=\"auth\""),
			 DIGEST_OK);
	assert_true(digest_was_stale(d));
	assert_param(plain(d), "nc", "00000002");
	assert_int_equal(challenge(&d, "Digest realm=\"r\", nonce=\"m\", stale=\"true\""), DIGEST_OK);
	assert_true(digest_was_stale(d));
	assert_int_equal(challenge(&d, "Digest realm=\"stale=true\", nonce=\"o\""), DIGEST_OK);
	assert_false(digest_was_stale(d));
	digest_free(d);
}

static const struct {
	enum digest_verdict want;
	const char *value, *realm; /* of the one taken */
} verdicts[] = {
	{ DIGEST_OK, "digest REALM=\"r\", NONCE=\"n\"", "r" },
	{ DIGEST_OK, "Digest realm=r,nonce=n", "r" },
	{ DIGEST_OK, "Digest realm = \"r\" ,\r\n\tnonce= \"n\" ", "r" },
	{ DIGEST_OK, "Digest realm=\"\", nonce=\"n\"", "" },
	{ DIGEST_OK, "Digest realm=\"a,b\",, nonce=\"n\",", "a,b" },
	{ DIGEST_OK, "Digest realm=\"r\", realm=\"s\", nonce=\"n\"", "r" },
	{ DIGEST_OK, "Digest realm=\"r\", algorithm=\"sha-256\", nonce=\"n\"", "r" },
	{ DIGEST_OK, "Digest realm=\"r\", nonce=\"n\", userhash=true, charset=UTF-8", "r" },
	{ DIGEST_OK, "Basic realm=\"b\", Digest realm=\"r\", nonce=\"n\"", "r" },
	{ DIGEST_OK, "Negotiate abc/==, Digest realm=\"r\", nonce=\"n\"", "r" },
	{ DIGEST_OK, "Negotiate, Digest realm=\"r\", nonce=\"n\"", "r" },
	{ DIGEST_OK, "Digest realm=\"a\", nonce=\"n\", algorithm=SHA-512-256, "
		     "Digest realm=\"b\", nonce=\"n\"", "a" },
	{ DIGEST_OK, "Digest realm=\"a\", nonce=\"n\", algorithm=SHA3, "
		     "Digest realm=\"b\", nonce=\"n\", algorithm=MD5", "b" },
	{ DIGEST_OK, "Digest realm=\"a\", nonce=\"x y\", qop=token, Digest realm=b, nonce=n", "b" },
	{ DIGEST_OK, "Digest realm=\"a\", Digest realm=b, nonce=n", "b" },
	{ DIGEST_OK, "Digest realm=\"a\"x, nonce=\"n\", Digest realm=b, nonce=n", "b" },
	{ DIGEST_UNSUPPORTED, "Basic realm=\"b\"", NULL },
	{ DIGEST_UNSUPPORTED, "AKAv1 realm=\"b\", nonce=\"n\"", NULL },
	{ DIGEST_UNSUPPORTED, "Digest realm=\"r\", nonce=\"n\", algorithm=AKAv1-MD5", NULL },
	{ DIGEST_UNSUPPORTED, "Digest realm=\"r\", nonce=\"n\", algorithm=-sess", NULL },
	{ DIGEST_UNSUPPORTED, "Digest realm=\"r\", nonce=\"n\", algorithm=\"\"", NULL },
	{ DIGEST_UNSUPPORTED, "Digest realm=\"r\", nonce=\"n\", qop=\"auth-conf\"", NULL },
	{ DIGEST_MALFORMED, "", NULL },
	{ DIGEST_MALFORMED, " , ,", NULL },
	{ DIGEST_MALFORMED, "realm=\"r\", nonce=\"n\"", NULL },
	{ DIGEST_MALFORMED, "Digest realm=\"r\"", NULL },
	{ DIGEST_MALFORMED, "Digest nonce=\"n\"", NULL },
	{ DIGEST_MALFORMED, "Digest realm=\"r\", nonce=\"\"", NULL },
	{ DIGEST_MALFORMED, "Digest realm=\"r, nonce=\"n\"", NULL },
	{ DIGEST_MALFORMED, "Digest realm=\"r\", nonce=\"n", NULL },
	{ DIGEST_MALFORMED, "Digest realm=\"r\", nonce=\"n\\", NULL },
	{ DIGEST_MALFORMED, "Digest realm=\"r\", nonce=\"a\r\n b\"", NULL },
	{ DIGEST_MALFORMED, "Digest realm=\"r\\\n\", nonce=\"n\"", NULL },
	{ DIGEST_MALFORMED, "Digest realm=\"r\", nonce=a\x01" "b", NULL },
	{ DIGEST_MALFORMED, "Digest realm=\"r\" nonce=\"n\"", NULL },
	{ DIGEST_MALFORMED, "Digest realm=\"r\", nonce=\"n\", \xff", NULL },
};

static void verdict_of_each(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(verdicts); i++) {
		struct digest *d = NULL;

		if (challenge(&d, verdicts[i].value) != verdicts[i].want)
			fail_msg("verdict of: %s", verdicts[i].value);
		if (verdicts[i].realm)
			assert_string_equal(digest_realm(d), verdicts[i].realm);
		else
			assert_null(d);
		digest_free(d);
	}
}

static void what_is_known_survives_a_bad_challenge(void **state)
{
	struct digest *d = taken("Digest realm=\"r\", nonce=\"n\", qop=\"auth\"");

	(void)state;
	for (size_t i = 0; i < LEN(verdicts); i++)
		if (verdicts[i].want != DIGEST_OK)
			assert_int_equal(challenge(&d, verdicts[i].value), verdicts[i].want);
	assert_int_equal(digest_challenge(&d, NULL, NULL, 0, false, "a", "b"), DIGEST_MALFORMED);
	assert_param(plain(d), "nonce", "\"n\"");
	digest_free(d);
}

/* RFC 8760 2.4: in order of appearance, not by strength */
static void the_first_supported_header_counts(void **state)
{
	static const char *const values[] = {
		"Basic realm=\"zero\"",
		"Digest realm=\"one\", nonce=\"n\", algorithm=SHA-999",
		"Digest realm=\"two\", nonce=\"n\", algorithm=MD5",
		"Digest realm=\"three\", nonce=\"n\", algorithm=SHA-256",
	};
	size_t len[LEN(values)];
	struct digest *d = NULL;

	(void)state;
	for (size_t i = 0; i < LEN(values); i++)
		len[i] = strlen(values[i]);
	assert_int_equal(digest_challenge(&d, values, len, 4, true, "alice", "wonder"), DIGEST_OK);
	assert_string_equal(digest_realm(d), "two");
	assert_true(digest_is_proxy(d));
	assert_memory_equal(plain(d), "Proxy-Authorization: Digest ", 28);
	digest_free(d);
}

/* ---- strings ------------------------------------------------------------------- */

/* Escapes are of the header, not of the value that is hashed. */
static void escapes_are_undone_and_redone(void **state)
{
	static const struct example x = { "MD5", "al\"i\\ce", "r\"e\\alm", "wonder", "REGISTER",
					  "sip:example.net", "n\"o\\nce", "", "", NULL };
	const char *value = "Digest realm=\"r\\\"e\\\\\\alm\", nonce=\"n\\\"o\\\\nce\", "
			    "opaque=\"o\\\\\"";
	size_t len = strlen(value);
	struct digest *d = NULL;
	const char *line;
	char want[65];

	(void)state;
	assert_int_equal(digest_challenge(&d, &value, &len, 1, false, x.user, x.password),
			 DIGEST_OK);
	assert_string_equal(digest_realm(d), x.realm);
	line = answer(d, x.user, x.method, x.uri, NULL);
	server(want, &x);
	assert_response(line, want);
	assert_param(line, "username", "\"al\\\"i\\\\ce\"");
	assert_param(line, "realm", "\"r\\\"e\\\\alm\"");
	assert_param(line, "nonce", "\"n\\\"o\\\\nce\"");
	assert_param(line, "opaque", "\"o\\\\\"");
	digest_free(d);
}

static void no_string_breaks_the_line(void **state)
{
	struct digest *d = taken("Digest realm=\"r\", nonce=\"n\", qop=\"auth\"");
	char line[1024];

	(void)state;
	assert_int_equal(digest_authorize(d, line, sizeof line, "a\r\nVia: x", "REGISTER",
					  "sip:x", NULL, 0), 0);
	assert_int_equal(digest_authorize(d, line, sizeof line, "a", "REGISTER", "sip:x\n", NULL,
					  0), 0);
	assert_param(answer(d, "J\xc3\xa4s\xc3\xb8n", "REGISTER", "sip:x", NULL), "username",
		     "\"J\xc3\xa4s\xc3\xb8n\"");
	digest_free(d);
}

static void a_value_over_2_kib_is_malformed(void **state)
{
	struct digest *d = NULL;
	char value[2100];

	(void)state;
	for (int size = 2040; size < 2060; size++) {
		int head = snprintf(value, sizeof value, "Digest realm=\"r\", nonce=\"");

		memset(value + head, 'n', (size_t)(size - head - 1));
		value[size - 1] = '"';
		value[size] = '\0';
		assert_int_equal(challenge(&d, value), size <= 2048 ? DIGEST_OK : DIGEST_MALFORMED);
	}
	assert_in_range(strlen(plain(d)), 2048, 2400);
	digest_free(d);
}

static void every_cut_and_every_byte_changed(void **state)
{
	static const char good[] =
		"Basic realm=\"b\", Digest realm=\"r\\\"\", nonce=\"n\\\\once\", qop=\"auth,auth-int\","
		" algorithm=SHA-256-sess, opaque=\"o\", stale=true, Digest realm=\"q\", nonce=z";
	static const char odd[] = "\"\\,= \0\r\n\t\x7f\xff";
	struct digest *d = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof good; i++) {
		char *cut = malloc(i ? i : 1);
		const char *value = cut;
		size_t len = i;

		memcpy(cut, good, i);
		digest_challenge(&d, &value, &len, 1, false, "alice", "wonder");
		for (size_t k = 0; i && k < sizeof odd; k++) {
			cut[i - 1] = odd[k];
			digest_challenge(&d, &value, &len, 1, false, "alice", "wonder");
			if (d)
				plain(d);
		}
		free(cut);
	}
	assert_non_null(d);
	digest_free(d);
}

/* ---- cost ---------------------------------------------------------------------- */

static void a_usual_one_takes_200_bytes(void **state)
{
	struct digest *d = taken(
		"Digest realm=\"sip.provider.example\", "
		"nonce=\"ZVxk5GVcY7hVd4n3q9Cm1Q7yHoZVxk5GVcY7hVd4n3q9Cm1Q7yHo\", qop=\"auth\", "
		"opaque=\"5ccc069c403ebaf9f0171e9517f40e41\", algorithm=SHA-256");

	(void)state;
	assert_in_range(digest_bytes(d), 100, 200);
	digest_free(d);
}

/* A guard against a fetch or a system call per answer, which costs much more; printed
 * for whoever wants to know. */
static void an_answer_is_cheap(void **state)
{
	enum { TURNS = 20000 };
	struct digest *d = taken("Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=MD5");
	struct timespec a, b;
	double us;

	(void)state;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	for (int i = 0; i < TURNS; i++)
		plain(d);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	us = ((double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3) / TURNS;
	print_message("# %.2f us an answer\n", us);
	assert_true(us < 50);
	digest_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_examples),
		cmocka_unit_test(all_algorithms),
		cmocka_unit_test(a_line_to_the_letter),
		cmocka_unit_test(an_algorithm_not_named_is_not_named_back),
		cmocka_unit_test(auth_goes_before_auth_int),
		cmocka_unit_test(the_count_rises_and_a_new_nonce_resets_it),
		cmocka_unit_test(a_nextnonce_without_room_is_ignored),
		cmocka_unit_test(a_session_key_stays_with_nextnonce),
		cmocka_unit_test(what_does_not_fit_is_not_counted),
		cmocka_unit_test(the_same_nonce_again_is_a_refusal),
		cmocka_unit_test(each_realm_has_its_own),
		cmocka_unit_test(stale_is_no_refusal),
		cmocka_unit_test(verdict_of_each),
		cmocka_unit_test(what_is_known_survives_a_bad_challenge),
		cmocka_unit_test(the_first_supported_header_counts),
		cmocka_unit_test(escapes_are_undone_and_redone),
		cmocka_unit_test(no_string_breaks_the_line),
		cmocka_unit_test(a_value_over_2_kib_is_malformed),
		cmocka_unit_test(every_cut_and_every_byte_changed),
		cmocka_unit_test(a_usual_one_takes_200_bytes),
		cmocka_unit_test(an_answer_is_cheap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
