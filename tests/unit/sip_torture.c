/* Messages of tests/fuzz/corpus/translate that no peer of good will sends, but some peer does:
 * "ok-" are relayed, and all but what belongs to the leg comes through; of the others the name
 * says what becomes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sip/message.h"
#include "sip/transaction.h"
#include "sip/translate.h"

#define FOLDER "tests/fuzz/corpus/translate"
#define S(s) ((struct span){ "" s, sizeof(s) - 1 })
#define BRANCH "z9hG4bKaaaaaaaabbbbbbbbcccccccc"
#define ASKED "INVITE sip:1@gw SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: a;tag=1\r\n" \
	      "To: b\r\nCall-ID: theirs\r\nCSeq: 2 INVITE\r\nRecord-Route: <sip:p;lr>\r\n\r\n"

static struct sip_pool *pool;
static const char *at; /* the file */

#define MUST(x) do { if (!(x)) fail_msg("%s: %s", at, #x); } while (0)

static char *content(const char *name, size_t *n)
{
	char path[300], *text = NULL;
	FILE *f;

	snprintf(path, sizeof path, FOLDER "/%s", name);
	f = fopen(path, "rb");
	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	*n = (size_t)ftell(f);
	rewind(f);
	text = malloc(*n ? *n : 1); /* exact, so that ASan sees one byte too many */
	assert_int_equal(fread(text, 1, *n, f), *n);
	fclose(f);
	return text;
}

static bool of_the_leg(const struct sip_line *l)
{
	static const uint8_t fields[] = {
		H_VIA, H_ROUTE, H_RECORD_ROUTE, H_PATH, H_SERVICE_ROUTE, H_MAX_FORWARDS, H_CONTACT,
		H_CONTENT_LENGTH, H_AUTHORIZATION, H_PROXY_AUTHORIZATION, H_WWW_AUTHENTICATE,
		H_PROXY_AUTHENTICATE, H_AUTHENTICATION_INFO, H_PROXY_AUTHENTICATION_INFO,
	};

	return memchr(fields, l->field, sizeof fields);
}

static bool written_anew(const struct sip_line *l)
{
	return l->field == H_FROM || l->field == H_TO || l->field == H_CALL_ID || l->field == H_CSEQ;
}

/* Equal but for white space where it may differ: at folds. */
static bool same_value(struct span a, struct span b)
{
	while (a.n && b.n) {
		bool fold = memchr("\r\n\t ", *a.p, 4) && memchr("\r\n\t ", *b.p, 4);

		if (fold)
			a = span_trim(a), b = span_trim(b);
		else if (*a.p != *b.p)
			return false;
		else
			a.p++, a.n--, b.p++, b.n--;
	}
	return !a.n && !b.n;
}

static unsigned next_line(const struct sip_head *h, unsigned i)
{
	while (i < h->lines && of_the_leg(&h->line[i]))
		i++;
	return i;
}

static void all_came_through(const struct sip_head *a, const struct sip_head *b)
{
	unsigned i = next_line(a, 0), k = next_line(b, 0);

	for (; i < a->lines && k < b->lines; i = next_line(a, i + 1), k = next_line(b, k + 1)) {
		const struct sip_line *l = &a->line[i], *m = &b->line[k];

		MUST(l->name_len == m->name_len &&
		     !memcmp(a->base + l->name, b->base + m->name, l->name_len));
		MUST(written_anew(l) || same_value((struct span){ a->base + l->value, l->len },
						   (struct span){ b->base + m->value, m->len }));
		MUST(!memchr(b->base + m->value, '\n', m->len));
	}
	MUST(i == a->lines && k == b->lines);
	MUST(a->len - a->header_len == b->len - b->header_len);
	MUST(!memcmp(a->base + a->header_len, b->base + b->header_len, a->len - a->header_len));
}

static void read_again(struct sip_head *h, const struct sip_buf *b)
{
	const char *why = "";

	MUST(b);
	if (sip_precheck(h, b->data, b->len, &why) != SIP_FINE)
		fail_msg("%s: what comes of it is no message: %s\n%.*s", at, why, (int)b->len,
			 b->data);
	MUST(h->len == b->len && sip_value(h, H_CONTENT_LENGTH).p);
}

/* What follows from a request of ours can be made of it. */
static void can_be_worked_with(const struct sip_buf *b)
{
	struct sip_revision none = { .cseq = 0 };
	struct sip_buf *again = sip_translate_again(pool, b, &none);
	struct sip_buf *cancel = sip_message_cancel(pool, b, (struct span){ NULL, 0 });
	struct sip_head h;

	MUST(again && again->len == b->len && !memcmp(again->data, b->data, b->len));
	read_again(&h, cancel);
	sip_buf_unref(again);
	sip_buf_unref(cancel);
}

static void relay_request(const struct sip_head *h)
{
	struct sip_hop from = { .socket = 1 };
	struct sip_outbound r = {
		.branch = S(BRANCH), .max_forwards = 69, .call_id = S("ours"), .cseq = 4711,
		.from = S("<sip:us@gw>;tag=7"), .to = S("<sip:them@itsp>"),
		.contact = S("<sip:us@192.0.2.1>"),
	};
	struct sip_buf *b, *answer;
	struct sip_inbound back = { .request = h, .from = &from, .to_tag = S("near") };
	struct sip_head there, ok;
	const char *why;
	static const char yes[] = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x\r\nFrom: a;tag=1\r\n"
				  "To: b;tag=2\r\nCall-ID: ours\r\nCSeq: 1 INVITE\r\n\r\n";

	rg_addr_parse(&r.local, "192.0.2.1:5060");
	rg_addr_parse(&from.peer, "198.51.100.9:5060");
	b = sip_translate_request(pool, h, &r);
	read_again(&there, b);
	MUST(span_equal(there.method, h->method) && span_equal(there.uri, h->uri));
	MUST(there.cseq == 4711 && there.max_forwards == 69);
	all_came_through(h, &there);
	can_be_worked_with(b);
	sip_buf_unref(b);

	assert_int_equal(sip_precheck(&ok, yes, sizeof yes - 1, &why), SIP_FINE);
	answer = sip_translate_answer(pool, &ok, &back);
	read_again(&there, answer);
	MUST(there.cseq == h->cseq && span_equal(there.method, h->method));
	MUST(sip_tag(sip_value(&there, H_TO)).n);
	sip_buf_unref(answer);
}

static void relay_answer(const struct sip_head *h)
{
	struct sip_hop from = { .socket = 1 };
	struct sip_head q, there;
	struct sip_inbound back = { .request = &q, .from = &from, .to_tag = S("near"),
				    .contact = S("<sip:gw>") };
	struct sip_buf *b;
	const char *why;

	assert_int_equal(sip_precheck(&q, ASKED, sizeof ASKED - 1, &why), SIP_FINE);
	rg_addr_parse(&from.peer, "198.51.100.9:5060");
	b = sip_translate_answer(pool, h, &back);
	read_again(&there, b);
	MUST(there.code == h->code && span_equal(there.reason, h->reason));
	MUST(there.cseq == 2 && span_is(sip_value(&there, H_CALL_ID), "theirs"));
	all_came_through(h, &there);
	sip_buf_unref(b);
}

static bool begins(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

static void one(const char *name)
{
	enum sip_verdict expected = begins(name, "ok-") ? SIP_FINE : begins(name, "bad-") ? SIP_BAD :
				    begins(name, "version-") ? SIP_VERSION : SIP_HOPELESS;
	struct sip_head h;
	const char *why;
	size_t n;
	char *text = content(name, &n);
	enum sip_verdict v;

	at = name;
	v = sip_precheck(&h, text, n, &why);
	if (v != expected)
		fail_msg("%s: verdict %d, %s", name, v, why ? why : "-");
	if (v == SIP_FINE && h.request)
		relay_request(&h);
	else if (v == SIP_FINE)
		relay_answer(&h);
	free(text);
}

static void every_message(void **state)
{
	DIR *d = opendir(FOLDER);
	unsigned n = 0;

	(void)state;
	assert_non_null(d);
	pool = sip_pool_new();
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		if (*e->d_name != '.')
			one(e->d_name), n++;
	closedir(d);
	sip_pool_free(pool);
	assert_in_range(n, 30, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_message) };

	return cmocka_run_group_tests_name("sip_torture", tests, NULL, NULL);
}
