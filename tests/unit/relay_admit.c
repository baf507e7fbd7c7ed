/* Who may, loops, draining, and what the outside sees of the calls. */
#include "unit/relay_world.h"

#include "base/log.h"

static unsigned lines;

static void count_line(int prio, const char *line)
{
	(void)prio, (void)line;
	lines++;
}

/* However many there are: one line a second, and nothing is kept. */
static void an_unknown_source(void **state)
{
	(void)state;
	w.unknown = true;
	lines = 0;
	rg_log_to(count_line);
	for (int i = 0; i < 20; i++) {
		open_with(&w.caller, "INVITE", "", OFFER);
		expect(&w.caller, "SIP/2.0 403");
	}
	assert_int_equal(lines, 1);
	pass(1000);
	open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 403");
	assert_int_equal(lines, 2);
	rg_log_to(NULL);
	assert_int_equal(w.routes_alive, 0);
	assert_int_equal(sip_ta_servers(w.ta), 0);
	assert_int_equal(w.records, 0);
	quiet();
}

/* RFC 7616 for the user "pbx" is tried with the authenticator's own tests. */
static void the_served_side_is_asked(void **state)
{
	const char *m;

	(void)state;
	w.served_password = "secret";
	open_with(&w.caller, "INVITE", "", OFFER);
	m = expect(&w.caller, "SIP/2.0 407");
	assert_non_null(strstr(header(m, "Proxy-Authenticate"), "realm=\"regway\""));
	expect_nothing(&w.callee);
	open_with(&w.caller, "INVITE",
		  "Proxy-Authorization: Digest username=\"pbx\",realm=\"regway\",nonce=\"x\","
		  "uri=\"sip:x\",response=\"00000000000000000000000000000000\"\r\n", OFFER);
	expect(&w.caller, "SIP/2.0 407");
	quiet();
	assert_int_equal(w.routes_alive, 0);
}

static void hops_run_out(void **state)
{
	char text[TEXT];

	(void)state;
	snprintf(text, sizeof text,
		 "INVITE sip:1@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKhops\r\n"
		 "From: <sip:a@b>;tag=1\r\nTo: <sip:1@b>\r\nCall-ID: hops\r\nCSeq: 1 INVITE\r\n"
		 "Max-Forwards: 0\r\nContent-Length: 0\r\n\r\n");
	arrives(&w.caller, text);
	expect(&w.caller, "SIP/2.0 483");
	quiet();
}

static void what_is_not_for_it(void **state)
{
	(void)state;
	open_with(&w.caller, "REGISTER", "", "");
	expect(&w.caller, "SIP/2.0 481 of the stack");
	open_with(&w.caller, "BYE", "", "");
	expect(&w.caller, "SIP/2.0 481 of the stack");
	open_with(&w.caller, "ACK", "", "");
	quiet();
}

/* The INVITE of our callee's leg as a proxy sends it on. */
static void comes_back(const char *invite, const char *uri)
{
	char text[TEXT];

	snprintf(text, sizeof text,
		 "INVITE %s SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.20:5060;branch=z9hG4bKp%u\r\n"
		 "Via: %s\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: 1 INVITE\r\n"
		 "Contact: %s\r\nMax-Forwards: 60\r\nContent-Length: 0\r\n\r\n",
		 uri, ++w.branches, header(invite, "Via"), header(invite, "From"),
		 header(invite, "To"), header(invite, "Call-ID"), header(invite, "Contact"));
	arrives(&w.callee, text);
}

static void loops(void **state)
{
	const char *invite, *second;

	(void)state;
	open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	invite = expect(&w.callee, "INVITE ");
	comes_back(invite, "sip:+4930999@192.0.2.1");
	expect(&w.callee, "SIP/2.0 482");
	comes_back(invite, "sip:line2@192.0.2.1"); /* another line: no loop */
	expect(&w.callee, "SIP/2.0 100");
	second = expect(&w.callee, "INVITE ");
	comes_back(second, "sip:line3@192.0.2.1");
	expect(&w.callee, "SIP/2.0 100");
	second = expect(&w.callee, "INVITE ");
	comes_back(second, "sip:line2@192.0.2.1"); /* two calls ago */
	expect(&w.callee, "SIP/2.0 482");
	quiet();
	assert_int_equal(relay_calls(w.relay), 3);
}

static void merged_requests(void **state)
{
	char copy[TEXT], *p;

	(void)state;
	snprintf(copy, sizeof copy, "%s", open_with(&w.caller, "INVITE", "", OFFER));
	expect(&w.caller, "SIP/2.0 100");
	expect(&w.callee, "INVITE ");
	arrives(&w.caller, copy); /* repeated */
	expect(&w.caller, "SIP/2.0 100");
	p = strstr(copy, "z9hG4bKo");
	p[7] = 'm';
	arrives(&w.caller, copy); /* on another way */
	expect(&w.caller, "SIP/2.0 482");
	quiet();
	assert_int_equal(relay_calls(w.relay), 1);
}

static void the_route_refuses(void **state)
{
	const char *m;

	(void)state;
	w.force_refuse = 503;
	lines = 0;
	rg_log_to(count_line);
	open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	m = expect(&w.caller, "SIP/2.0 503");
	assert_string_equal(header(m, "Retry-After"), "7");
	assert_int_equal(lines, 1);
	rg_log_to(NULL);
	assert_int_equal(w.record.code, 503);
	assert_string_equal(w.record.ended_by, "gateway");
	all_gone();
}

static void draining(void **state)
{
	(void)state;
	establish();
	relay_drain(w.relay);
	{
		struct ua other = w.caller;

		open_with(&other, "INVITE", "", OFFER);
		assert_true(*header(expect(&w.caller, "SIP/2.0 503"), "Retry-After"));
	}
	hang_up(&w.caller, &w.callee);
	all_gone();
}

static void hanging_up(void **state)
{
	const char *invite;
	struct ua other;

	(void)state;
	establish();
	other = w.caller;
	open_with(&other, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	invite = expect(&w.callee, "INVITE ");
	reply(&w.callee, invite, "180 Ringing", "x", "", "");
	expect(&w.caller, "SIP/2.0 180");
	assert_int_equal(relay_calls(w.relay), 2);
	relay_hang_up(w.relay);
	expect(&w.caller, "BYE ");
	expect(&w.caller, "SIP/2.0 503");
	expect(&w.callee, "BYE ");
	expect(&w.callee, "CANCEL ");
	assert_int_equal(relay_calls(w.relay), 0);
	assert_int_equal(w.records, 2);
	pass(70000);
}

static void what_is_told(void **state)
{
	struct relay_call_info i;
	uint64_t id = 0, first;

	(void)state;
	assert_false(relay_next(w.relay, &id, &i));
	establish_with("Session-ID: 0123456789abcdef0123456789abcdef;remote=x\r\n", "");
	assert_true(relay_next(w.relay, &id, &i));
	first = i.id;
	assert_int_equal(i.state, RELAY_ANSWERED);
	assert_string_equal(i.from, "sip:alice@pbx.example");
	assert_string_equal(i.to, "sip:+4930999@gw.example");
	assert_string_equal(i.session_id, "0123456789abcdef0123456789abcdef");
	assert_string_equal(i.call_id[0], w.caller.id);
	assert_string_equal(i.call_id[1], w.callee.id);
	assert_string_equal(i.route.account, "line1");
	assert_int_equal(i.code, 200);
	assert_true(i.began_at && i.answered_at && !i.ended_at);
	assert_false(relay_next(w.relay, &id, &i));
	assert_true(relay_find(w.relay, w.callee.id, strlen(w.callee.id), &i));
	assert_int_equal(i.id, first);
	assert_true(relay_find(w.relay, w.caller.id, strlen(w.caller.id), &i));
	assert_false(relay_find(w.relay, "none", 4, &i));
	assert_in_range(relay_bytes(w.relay), 500, 8000);
	hang_up(&w.caller, &w.callee);
	assert_string_equal(w.record.from, "sip:alice@pbx.example");
	assert_true(w.record.ended_at);
	all_gone();
}

/* Rows come in the order of their calls, whatever has ended in between. */
static void many_calls(void **state)
{
	enum { N = 400 };
	static struct ua caller[N], callee[N];
	struct relay_call_info i;
	uint64_t id = 0, last = 0;
	unsigned rows = 0;
	size_t bytes;

	(void)state;
	for (int k = 0; k < N; k++) {
		establish();
		caller[k] = w.caller;
		callee[k] = w.callee;
	}
	pass(40000);
	bytes = relay_bytes(w.relay) / N;
	if (bytes > 2048)
		fail_msg("%zu bytes a call", bytes);
	assert_int_equal(sip_ta_clients(w.ta), 0);
	assert_int_equal(sip_ta_servers(w.ta), 0);
	for (int k = 0; k < N; k++)
		if (k % 4) {
			send_in(&caller[k], "BYE", "", "");
			reply(&callee[k], expect(&w.callee, "BYE "), "200 OK", "", "", "");
			expect(&w.caller, "SIP/2.0 200");
		}
	pass(40000);
	assert_int_equal(relay_calls(w.relay), N / 4);
	while (relay_next(w.relay, &id, &i)) {
		assert_true(i.id > last);
		last = i.id;
		rows++;
	}
	assert_int_equal(rows, N / 4);
	for (int k = 0; k < N; k += 4) {
		send_in(&callee[k], "BYE", "", "");
		reply(&caller[k], expect(&w.caller, "BYE "), "200 OK", "", "", "");
		expect(&w.callee, "SIP/2.0 200");
	}
	assert_int_equal(w.records, N);
	all_gone();
}

static const char *tag_of(const char *value)
{
	return strstr(value, "tag=") + 4;
}

/* An attended transfer names the call it replaces as one leg knows it. */
static void replaces(void **state)
{
	char more[512], want[512];
	struct ua caller, callee;
	const char *m;

	(void)state;
	establish();
	caller = w.caller;
	callee = w.callee;
	snprintf(more, sizeof more, "Replaces: %s;to-tag=%s;from-tag=%s\r\n", caller.id,
		 tag_of(caller.remote), tag_of(caller.local));
	open_with(&w.caller, "INVITE", more, OFFER);
	expect(&w.caller, "SIP/2.0 100");
	m = expect(&w.callee, "INVITE ");
	snprintf(want, sizeof want, "%s;to-tag=bob;from-tag=%s", callee.id, tag_of(callee.remote));
	assert_string_equal(header(m, "Replaces"), want);

	snprintf(more, sizeof more,
		 "Refer-To: \"C\" <sip:c@x?A=b&Replaces=%s%%3Bto-tag%%3D%s%%3bfrom-tag%%3D%s&D=e>;f\r\n",
		 caller.id, tag_of(caller.remote), tag_of(caller.local));
	open_with(&w.caller, "REFER", more, "");
	m = expect(&w.callee, "REFER ");
	snprintf(want, sizeof want,
		 "\"C\" <sip:c@x?A=b&Replaces=%s%%3bto-tag%%3dbob%%3bfrom-tag%%3d%s&D=e>;f",
		 callee.id, tag_of(callee.remote));
	assert_string_equal(header(m, "Refer-To"), want);

	/* one that is not ours, or that the receiver knows itself, stays as it is */
	open_with(&w.caller, "INVITE", "Replaces: x;to-tag=1;from-tag=2\r\n", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	m = expect(&w.callee, "INVITE ");
	assert_string_equal(header(m, "Replaces"), "x;to-tag=1;from-tag=2");
	snprintf(more, sizeof more, "Replaces: %s;to-tag=bob;from-tag=%s\r\n", callee.id,
		 tag_of(callee.remote));
	open_with(&w.caller, "INVITE", more, OFFER);
	expect(&w.caller, "SIP/2.0 100");
	m = expect(&w.callee, "INVITE ");
	snprintf(want, sizeof want, "%s;to-tag=bob;from-tag=%s", callee.id, tag_of(callee.remote));
	assert_string_equal(header(m, "Replaces"), want);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_unknown_source), T(the_served_side_is_asked), T(hops_run_out),
		T(what_is_not_for_it), T(loops), T(merged_requests), T(the_route_refuses),
		T(draining), T(hanging_up), T(what_is_told), T(many_calls), T(replaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
