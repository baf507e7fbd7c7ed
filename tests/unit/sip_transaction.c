/* Transactions in virtual time with a wire that only notes what is put on it: RFC 3261
 * figures 5 to 8, RFC 6026, and what keeps strangers out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regway/plugin.h"
#include "sip/message.h"
#include "sip/transaction.h"

enum { MOST = 64, START = 1000000 };

static struct {
	struct rg_timers *timers;
	struct sip_pool *pool;
	struct sip_stats stats;
	struct sip_ta *ta;
	struct sip_hop hop;
	unsigned sent, events;
	rg_ms sent_at[MOST], event_at[MOST];
	char first[MOST][48]; /* of what was sent */
	char last[2048];
	struct { enum sip_outcome outcome; uint16_t code; int err; } event[MOST];
	int server_event[8];
	unsigned server_events;
	int refuse;
	bool again, own;
} w;

static int wire(void *arg, const struct sip_hop *hop, struct sip_buf *b)
{
	(void)arg;
	if (w.refuse)
		return w.refuse;
	assert_int_equal(hop->socket, w.hop.socket);
	assert_true(w.sent < MOST);
	w.sent_at[w.sent] = rg_now(w.timers) - START;
	snprintf(w.first[w.sent++], sizeof w.first[0], "%.*s", (int)strcspn(b->data, "\r"),
		 b->data);
	snprintf(w.last, sizeof w.last, "%.*s", (int)b->len, b->data);
	return 0;
}

static void note(struct sip_client *c, const struct sip_event *e, void *arg)
{
	(void)arg;
	assert_true(w.events < MOST);
	w.event[w.events].outcome = e->outcome;
	w.event[w.events].code = e->answer ? e->answer->code : 0;
	w.event[w.events].err = e->err;
	w.event_at[w.events++] = rg_now(w.timers) - START;
	if (w.again && e->outcome == SIP_FINAL) {
		struct sip_buf *b = sip_client_again(c);

		w.again = false;
		sip_client_branch(c, strstr(b->data, "branch=") + 7);
		assert_int_equal(sip_client_send(c, b, SIP_64T1_MS, 255), 0);
	}
}

static void note_server(struct sip_server *s, enum sip_server_event e, void *arg)
{
	(void)s, (void)arg;
	w.server_event[w.server_events++ % 8] = (int)e;
}

static int begin(void **state)
{
	struct sip_wire out = { .send = wire };

	(void)state;
	memset(&w, 0, sizeof w);
	w.timers = rg_timers_new(START);
	w.pool = sip_pool_new();
	w.ta = sip_ta_new(w.timers, w.pool, &w.stats, &out);
	w.hop.socket = 7;
	rg_addr_parse(&w.hop.local, "192.0.2.1:5060");
	rg_addr_parse(&w.hop.peer, "192.0.2.2:5060");
	return 0;
}

static int end(void **state)
{
	(void)state;
	sip_ta_free(w.ta);
	assert_int_equal(rg_timers_count(w.timers), 0);
	rg_timers_free(w.timers);
	sip_pool_free(w.pool);
	return 0;
}

static void go_to(rg_ms at)
{
	while (rg_timers_step(w.timers, START + at))
		;
}

static struct sip_client *start(const char *method, uint32_t budget, uint8_t most)
{
	bool invite = !strcmp(method, "INVITE");
	struct sip_client *c = sip_client_new(w.ta, &w.hop, invite, note, NULL);
	struct sip_buf *b = sip_buf_new(w.pool, 1000);
	char branch[SIP_BRANCH];

	sip_client_branch(c, branch);
	b->len = (uint32_t)sprintf(b->data,
				   "%s sip:b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=%.*s;rport\r\n"
				   "Route: <sip:r;lr>\r\nFrom: a;tag=1\r\nTo: b\r\nCall-ID: c\r\n"
				   "CSeq: 9 %s\r\nContent-Length: 0\r\n\r\n",
				   method, SIP_BRANCH, branch, method);
	assert_int_equal(sip_client_send(c, b, budget, most), 0);
	return c;
}

static bool answer_from(const char *branch, const struct sip_hop *from, unsigned code,
			const char *method)
{
	char text[600];
	struct sip_head h;
	const char *why;
	int n = snprintf(text, sizeof text,
			 "SIP/2.0 %u X\r\nVia: SIP/2.0/UDP h;branch=%.*s\r\nFrom: a;tag=1\r\n"
			 "To: b;tag=2\r\nCall-ID: c\r\nCSeq: 9 %s\r\n\r\n",
			 code, SIP_BRANCH, branch, method);

	assert_int_equal(sip_precheck(&h, text, (size_t)n, &why), SIP_FINE);
	return sip_ta_response(w.ta, from, &h);
}

static bool answer(const char *branch, unsigned code, const char *method)
{
	return answer_from(branch, &w.hop, code, method);
}

#define BRANCH(c, name) char name[SIP_BRANCH]; sip_client_branch(c, name)

static void sent_at(size_t n, const rg_ms *at)
{
	assert_int_equal(w.sent, n);
	for (size_t i = 0; i < n; i++)
		if (w.sent_at[i] != at[i])
			fail_msg("number %zu was sent at %lld, not %lld", i,
				 (long long)w.sent_at[i], (long long)at[i]);
}

#define SENT_AT(...) do { const rg_ms at_[] = { __VA_ARGS__ }; \
	sent_at(sizeof at_ / sizeof *at_, at_); } while (0)

static void told(unsigned i, enum sip_outcome outcome, uint16_t code, rg_ms at)
{
	if (i >= w.events || w.event[i].outcome != outcome || w.event[i].code != code ||
	    w.event_at[i] != at)
		fail_msg("event %u of %u: %d %u at %lld", i, w.events, w.event[i].outcome,
			 w.event[i].code, (long long)w.event_at[i]);
}

/* ---- non-INVITE client ------------------------------------------------------------------- */

static void silence(void **state)
{
	(void)state;
	start("REGISTER", SIP_64T1_MS, 255);
	go_to(100000);
	SENT_AT(0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500);
	told(0, SIP_TIMEOUT, 0, 32000);
	told(1, SIP_GONE, 0, 32001);
	assert_int_equal(w.events, 2);
	assert_int_equal(sip_ta_clients(w.ta), 0);
	assert_int_equal(w.stats.timeouts, 1);
}

static void budget_and_repetitions_are_limits(void **state)
{
	(void)state;
	start("REGISTER", 7500, 3);
	go_to(31999);
	SENT_AT(0, 500, 1500, 3500);
	told(0, SIP_TIMEOUT, 0, 7500);
	assert_int_equal(sip_ta_clients(w.ta), 1);
	go_to(32000);
	told(1, SIP_GONE, 0, 32000);
	assert_int_equal(sip_ta_clients(w.ta), 0);
}

static void reliable_is_not_repeated(void **state)
{
	(void)state;
	w.hop.socket = SIP_SOCKET_TCP | 7;
	w.hop.peer.transport = RG_TCP;
	start("REGISTER", SIP_64T1_MS, 255);
	go_to(40000);
	SENT_AT(0);
	told(0, SIP_TIMEOUT, 0, 32000);
}

static void provisional_slows_down(void **state)
{
	struct sip_client *c = start("OPTIONS", SIP_64T1_MS, 255);
	BRANCH(c, b);

	(void)state;
	go_to(600);
	assert_true(answer(b, 100, "OPTIONS"));
	told(0, SIP_PROVISIONAL, 100, 600);
	go_to(9000);
	SENT_AT(0, 500, 4600, 8600);
	assert_true(answer(b, 200, "OPTIONS"));
	told(1, SIP_FINAL, 200, 9000);
	go_to(50000);
	SENT_AT(0, 500, 4600, 8600);
	assert_int_equal(w.events, 2);
}

static void a_final_answer_ends_it(void **state)
{
	struct sip_client *c = start("REGISTER", SIP_64T1_MS, 255);
	BRANCH(c, b);

	(void)state;
	go_to(100);
	assert_true(answer(b, 403, "REGISTER"));
	assert_false(answer(b, 403, "REGISTER")); /* a repetition is nobody's */
	assert_int_equal(sip_ta_clients(w.ta), 0);
	go_to(50000);
	SENT_AT(0);
	assert_int_equal(w.events, 1);
}

static void strangers_are_not_heard(void **state)
{
	struct sip_client *c = start("REGISTER", SIP_64T1_MS, 255);
	struct sip_hop tcp = w.hop;
	BRANCH(c, b);
	char forged[SIP_BRANCH];

	(void)state;
	tcp.peer.transport = RG_TCP;
	assert_false(answer_from(b, &tcp, 200, "REGISTER"));
	assert_false(answer(b, 200, "OPTIONS"));
	for (int i = 0; i < SIP_BRANCH; i++) { /* any other character, in case or not */
		memcpy(forged, b, SIP_BRANCH);
		forged[i] = forged[i] == '0' ? '1' : '0';
		assert_false(answer(forged, 200, "REGISTER"));
	}
	assert_int_equal(w.events, 0);
	assert_true(answer(b, 200, "REGISTER"));
}

static void late_answers_are_told_once(void **state)
{
	struct sip_client *c = start("REGISTER", 2000, 255);
	BRANCH(c, b);

	(void)state;
	go_to(30000);
	told(0, SIP_TIMEOUT, 0, 2000);
	assert_true(answer(b, 100, "REGISTER"));
	assert_true(answer(b, 200, "REGISTER"));
	told(1, SIP_LATE, 200, 30000);
	assert_false(answer(b, 200, "REGISTER"));
	assert_int_equal(w.events, 2);
	c = start("REGISTER", 2000, 255);
	sip_client_branch(c, b);
	go_to(62001);
	assert_false(answer(b, 200, "REGISTER"));
}

static void again_with_another_branch(void **state)
{
	struct sip_client *c = start("REGISTER", SIP_64T1_MS, 255);
	BRANCH(c, b);
	char second[SIP_BRANCH];

	(void)state;
	w.again = true;
	go_to(100);
	assert_true(answer(b, 401, "REGISTER"));
	memcpy(second, strstr(w.last, "branch=") + 7, SIP_BRANCH);
	assert_memory_not_equal(b, second, SIP_BRANCH);
	assert_false(answer(b, 401, "REGISTER"));
	go_to(700);
	SENT_AT(0, 100, 600);
	assert_true(answer(second, 200, "REGISTER"));
	assert_int_equal(w.events, 2);
	assert_int_equal(sip_ta_clients(w.ta), 0);
}

static void a_wire_that_refuses(void **state)
{
	struct sip_client *c;

	(void)state;
	c = sip_client_new(w.ta, &w.hop, false, note, NULL);
	w.refuse = ENOBUFS;
	assert_int_equal(sip_client_send(c, sip_buf_new(w.pool, 10), 1000, 255), ENOBUFS);
	sip_client_stop(c);
	assert_int_equal(sip_ta_clients(w.ta), 0);
	assert_int_equal(w.events, 0);
}

static void failures_find_whom_they_concern(void **state)
{
	struct rg_addr other = w.hop.peer, all = { 0 };
	const char quoted[] = "REGISTER sip:b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=";
	struct sip_client *c;
	char text[200];

	(void)state;
	start("REGISTER", SIP_64T1_MS, 255);
	c = start("REGISTER", SIP_64T1_MS, 255);
	BRANCH(c, b);
	snprintf(text, sizeof text, "%s%.*s;rp", quoted, SIP_BRANCH, b);
	other.port = 9;
	sip_ta_failed(w.ta, 7, &other, ECONNREFUSED, text, strlen(text));
	sip_ta_failed(w.ta, 7, &other, ECONNREFUSED, NULL, 0);
	sip_ta_failed(w.ta, 8, &w.hop.peer, ECONNREFUSED, NULL, 0);
	sip_ta_failed(w.ta, 7, &w.hop.peer, ECONNREFUSED, "SIP/2.0 200 OK", 14);
	assert_int_equal(w.events, 0);
	sip_ta_failed(w.ta, 7, &w.hop.peer, ECONNREFUSED, text, strlen(text));
	assert_int_equal(w.events, 1);
	assert_int_equal(w.event[0].err, ECONNREFUSED);
	sip_ta_failed(w.ta, 7, &w.hop.peer, EHOSTUNREACH, "REGISTER", 8);
	assert_int_equal(w.events, 2);
	start("REGISTER", SIP_64T1_MS, 255);
	sip_ta_failed(w.ta, 7, &all, ECONNRESET, NULL, 0);
	told(2, SIP_FAILED, 0, 0);
	assert_int_equal(sip_ta_clients(w.ta), 0);
}

/* Each is a search among all transactions; whose branch is told is found without. */
static void forged_failures_are_few_in_a_second(void **state)
{
	const char quoted[] = "REGISTER sip:b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=";
	struct rg_addr other = w.hop.peer;
	struct sip_client *c;
	char text[200];

	(void)state;
	start("REGISTER", SIP_64T1_MS, 255);
	c = start("REGISTER", SIP_64T1_MS, 255);
	BRANCH(c, b);
	snprintf(text, sizeof text, "%s%.*s;rp", quoted, SIP_BRANCH, b);
	other.port = 9;
	for (unsigned i = 0; i < 100; i++)
		sip_ta_failed(w.ta, 7, &other, ECONNREFUSED, NULL, 0);
	sip_ta_failed(w.ta, 7, &w.hop.peer, ECONNREFUSED, NULL, 0);
	assert_int_equal(w.events, 0);
	sip_ta_failed(w.ta, 7, &w.hop.peer, ECONNREFUSED, text, strlen(text));
	assert_int_equal(w.events, 1);
	go_to(1000);
	sip_ta_failed(w.ta, 7, &w.hop.peer, ECONNREFUSED, NULL, 0);
	assert_int_equal(w.events, 2);
}

static void slots_are_used_again(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		struct sip_client *c = sip_client_new(w.ta, &w.hop, false, note, NULL);

		assert_non_null(c);
		if (i % 3)
			sip_client_stop(c);
	}
	assert_int_equal(sip_ta_clients(w.ta), 667);
}

/* ---- INVITE client -------------------------------------------------------------------------- */

static void invite_silence(void **state)
{
	(void)state;
	start("INVITE", SIP_64T1_MS, 255);
	go_to(100000);
	SENT_AT(0, 500, 1500, 3500, 7500, 15500, 31500);
	told(0, SIP_TIMEOUT, 0, 32000);
}

static void invite_rings_for_long(void **state)
{
	struct sip_client *c = start("INVITE", SIP_64T1_MS, 255);
	BRANCH(c, b);

	(void)state;
	go_to(600);
	assert_true(answer(b, 180, "INVITE"));
	go_to(170000);
	SENT_AT(0, 500);
	assert_int_equal(w.events, 1);
	assert_true(answer(b, 200, "INVITE"));
	told(1, SIP_FINAL, 200, 170000);
	assert_true(answer(b, 200, "INVITE")); /* RFC 6026: each is told, for timer M */
	told(2, SIP_FINAL, 200, 170000);
	go_to(202000);
	told(3, SIP_GONE, 0, 202000);
	SENT_AT(0, 500); /* ACK of a 2xx is not ours */
}

static void invite_refused_is_acknowledged(void **state)
{
	struct sip_client *c = start("INVITE", SIP_64T1_MS, 255);
	BRANCH(c, b);

	(void)state;
	go_to(100);
	assert_true(answer(b, 486, "INVITE"));
	told(0, SIP_FINAL, 486, 100);
	assert_true(answer(b, 486, "INVITE"));
	SENT_AT(0, 100, 100);
	assert_string_equal(w.first[1], "ACK sip:b SIP/2.0");
	assert_non_null(strstr(w.last, "To: b;tag=2\r\n"));
	assert_non_null(strstr(w.last, "CSeq: 9 ACK\r\n"));
	assert_non_null(strstr(w.last, "Route: <sip:r;lr>\r\n"));
	assert_memory_equal(strstr(w.last, "branch=") + 7, b, SIP_BRANCH);
	assert_int_equal(w.events, 1);
	go_to(32100);
	told(1, SIP_GONE, 0, 32100);
}

static void cancel_waits_for_a_provisional(void **state)
{
	struct sip_client *c = start("INVITE", SIP_64T1_MS, 255);
	BRANCH(c, b);

	(void)state;
	sip_client_cancel(c, (struct span){ NULL, 0 });
	go_to(400);
	SENT_AT(0);
	assert_true(answer(b, 100, "INVITE"));
	SENT_AT(0, 400);
	assert_string_equal(w.first[1], "CANCEL sip:b SIP/2.0");
	assert_non_null(strstr(w.last, "CSeq: 9 CANCEL\r\n"));
	assert_true(answer(b, 200, "CANCEL"));
	assert_int_equal(w.events, 1);
	assert_true(answer(b, 487, "INVITE"));
	told(1, SIP_FINAL, 487, 400);
	assert_string_equal(w.first[2], "ACK sip:b SIP/2.0");
}

static void cancel_without_an_end_ends(void **state)
{
	struct sip_client *c = start("INVITE", SIP_64T1_MS, 255);
	BRANCH(c, b);

	(void)state;
	assert_true(answer(b, 180, "INVITE"));
	go_to(60000);
	sip_client_cancel(c, (struct span){ NULL, 0 });
	go_to(200000);
	told(1, SIP_TIMEOUT, 0, 92000);
	assert_int_equal(sip_ta_clients(w.ta), 0);
}

/* ---- server ------------------------------------------------------------------------------------ */

static struct sip_server *ask(const char *method, const char *branch, bool *known)
{
	static char text[600];
	struct sip_head h;
	const char *why;
	int n = snprintf(text, sizeof text,
			 "%s sip:b SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5070;branch=%s\r\n"
			 "From: a;tag=1\r\nTo: b\r\nCall-ID: c\r\nCSeq: 9 %s\r\n\r\n",
			 method, branch, method);

	assert_int_equal(sip_precheck(&h, text, (size_t)n, &why), SIP_FINE);
	*known = sip_ta_request(w.ta, &w.hop, &h);
	if (*known || !strcmp(method, "ACK"))
		return NULL;
	return sip_server_new(w.ta, &w.hop, &h, w.own ? NULL : note_server, NULL);
}

static void say(struct sip_server *s, uint16_t code)
{
	struct sip_buf *b = sip_buf_new(w.pool, 100);

	b->len = (uint32_t)sprintf(b->data, "SIP/2.0 %u X\r\n\r\n", code);
	sip_server_reply(s, code, b);
}

static void server_answers_repetitions(void **state)
{
	bool known;
	struct sip_server *s = ask("OPTIONS", "z9hG4bK1", &known);

	(void)state;
	assert_false(known);
	assert_null(ask("OPTIONS", "z9hG4bK1", &known)); /* still at work: silence */
	assert_true(known);
	SENT_AT();
	say(s, 200);
	go_to(31999);
	assert_null(ask("OPTIONS", "z9hG4bK1", &known));
	assert_true(known);
	SENT_AT(0, 31999);
	assert_non_null(ask("OPTIONS", "z9hG4bK2", &known)); /* another */
	go_to(32000);
	assert_int_equal(w.server_event[0], SIP_SERVER_GONE);
	assert_int_equal(sip_ta_servers(w.ta), 1);
	go_to(70000);
	assert_int_equal(sip_ta_servers(w.ta), 0); /* nobody answered it */
}

static void invite_server_repeats_until_acknowledged(void **state)
{
	bool known;
	struct sip_server *s = ask("INVITE", "z9hG4bK1", &known);

	(void)state;
	say(s, 100);
	go_to(100000); /* rings without end */
	say(s, 486);
	go_to(101600);
	SENT_AT(0, 100000, 100500, 101500);
	ask("ACK", "z9hG4bK1", &known);
	assert_true(known);
	assert_int_equal(w.server_event[0], SIP_SERVER_ACK);
	ask("ACK", "z9hG4bK1", &known);
	assert_true(known);
	go_to(106599);
	assert_int_equal(sip_ta_servers(w.ta), 1);
	go_to(106600);
	assert_int_equal(w.server_event[1], SIP_SERVER_GONE);
	assert_int_equal(w.server_events, 2);
	assert_int_equal(w.sent, 4);
}

static void invite_server_gives_up(void **state)
{
	bool known;
	struct sip_server *s = ask("INVITE", "z9hG4bK1", &known);

	(void)state;
	say(s, 500);
	go_to(40000);
	SENT_AT(0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500);
	assert_int_equal(w.server_event[0], SIP_SERVER_GONE);
}

static void accepted_absorbs_repetitions(void **state)
{
	bool known;
	struct sip_server *s = ask("INVITE", "z9hG4bK1", &known);

	(void)state;
	say(s, 200);
	ask("INVITE", "z9hG4bK1", &known);
	assert_true(known);
	SENT_AT(0);
	ask("ACK", "z9hG4bK1", &known); /* RFC 6026: to who accepted */
	assert_false(known);
	say(s, 200); /* who accepted repeats it */
	SENT_AT(0, 0);
	go_to(32000);
	assert_int_equal(sip_ta_servers(w.ta), 0);
}

static void the_table_is_bounded(void **state)
{
	unsigned made = 0;
	char branch[40];
	bool known;

	(void)state;
	for (unsigned i = 0; i < SIP_SERVERS_MOST + 100; i++) {
		snprintf(branch, sizeof branch, "z9hG4bK%u", i);
		made += ask("OPTIONS", branch, &known) != NULL;
	}
	assert_int_equal(made, SIP_SERVERS_MOST);
}

/* What the gateway answers by itself is cheap to answer again, so it does not crowd out what
 * calls need. */
static void own_answers_are_bounded_further(void **state)
{
	unsigned made = 0;
	char branch[40];
	bool known;

	(void)state;
	for (unsigned i = 0; i < SIP_SERVERS_OWN_MOST + 100; i++) {
		snprintf(branch, sizeof branch, "z9hG4bK%u", i);
		w.own = true;
		made += ask("OPTIONS", branch, &known) != NULL;
	}
	assert_int_equal(made, SIP_SERVERS_OWN_MOST);
	w.own = false;
	assert_non_null(ask("OPTIONS", "z9hG4bKx", &known));
	go_to(32000);
	w.own = true;
	assert_non_null(ask("OPTIONS", "z9hG4bKy", &known));
}

static void where_answers_go(void **state)
{
	static const struct { const char *via; uint16_t port; } to[] = {
		{ "SIP/2.0/UDP 192.0.2.9:5070;branch=z", 5070 },
		{ "SIP/2.0/UDP 192.0.2.9;branch=z", 5060 },
		{ "SIP/2.0/UDP 192.0.2.9:5070;rport;branch=z", 4711 },
		{ "SIP/2.0/UDP h:5070;maddr=192.0.2.99;branch=z;rport", 4711 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof to / sizeof *to; i++) {
		struct sip_hop from = w.hop, reply;
		struct sip_head h;
		const char *why;
		char text[400];
		int n = snprintf(text, sizeof text,
				 "OPTIONS sip:b SIP/2.0\r\nVia: %s\r\nFrom: a\r\nTo: b\r\n"
				 "Call-ID: c\r\nCSeq: 1 OPTIONS\r\n\r\n", to[i].via);

		from.peer.port = 4711;
		assert_int_equal(sip_precheck(&h, text, (size_t)n, &why), SIP_FINE);
		reply = sip_reply_hop(&from, &h);
		assert_true(rg_addr_same_ip(&reply.peer, &from.peer));
		assert_int_equal(reply.peer.port, to[i].port);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(silence),
		TEST(budget_and_repetitions_are_limits),
		TEST(reliable_is_not_repeated),
		TEST(provisional_slows_down),
		TEST(a_final_answer_ends_it),
		TEST(strangers_are_not_heard),
		TEST(late_answers_are_told_once),
		TEST(again_with_another_branch),
		TEST(a_wire_that_refuses),
		TEST(failures_find_whom_they_concern),
		TEST(forged_failures_are_few_in_a_second),
		TEST(slots_are_used_again),
		TEST(invite_silence),
		TEST(invite_rings_for_long),
		TEST(invite_refused_is_acknowledged),
		TEST(cancel_waits_for_a_provisional),
		TEST(cancel_without_an_end_ends),
		TEST(server_answers_repetitions),
		TEST(invite_server_repeats_until_acknowledged),
		TEST(invite_server_gives_up),
		TEST(accepted_absorbs_repetitions),
		TEST(the_table_is_bounded),
		TEST(own_answers_are_bounded_further),
		TEST(where_answers_go),
	};

	return cmocka_run_group_tests_name("sip_transaction", tests, NULL, NULL);
}
