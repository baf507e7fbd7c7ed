/* Requests that stand alone, and subscriptions. */
#include "unit/relay_world.h"

static void a_message(void **state)
{
	const char *m;

	(void)state;
	w.username = "line1";
	open_with(&w.caller, "MESSAGE", "X-Odd: kept\r\n", "Hello");
	expect_nothing(&w.caller); /* no 100 */
	m = expect(&w.callee, "MESSAGE sip:+4930999@itsp.example ");
	assert_string_equal(body(m), "Hello");
	reply(&w.callee, m, "401 Unauthorized", "x",
	      "WWW-Authenticate: Digest realm=\"i\",nonce=\"n\"\r\n", "");
	m = expect(&w.callee, "MESSAGE ");
	assert_non_null(strstr(header(m, "Authorization"), "username=\"line1\""));
	assert_int_equal(relay_calls(w.relay), 0);
	reply(&w.callee, m, "202 Accepted", "bob", "", "");
	expect(&w.caller, "SIP/2.0 202");
	assert_int_equal(w.records, 1);
	assert_string_equal(w.record.method, "MESSAGE");
	assert_int_equal(w.record.code, 202);
	quiet();
	all_gone();
}

static void a_message_to_the_next_server(void **state)
{
	const char *m;

	(void)state;
	w.servers = 2;
	open_with(&w.caller, "MESSAGE", "", "Hello");
	pass(4000);
	while (unread_for(&w.callee))
		expect(&w.callee, "MESSAGE ");
	m = expect(&w.second, "MESSAGE ");
	reply(&w.second, m, "404 Not Found", "x", "", "");
	expect(&w.caller, "SIP/2.0 404");
	quiet();
	all_gone();
}

/* Who asked has given up, and so does the relay, whatever the engine waits for. */
static void a_message_that_waits(void **state)
{
	(void)state;
	w.park = true;
	open_with(&w.caller, "MESSAGE", "", "Hello");
	pass(31999);
	assert_int_equal(w.records, 0);
	pass(1);
	assert_int_equal(w.records, 1);
	quiet();
	all_gone();
}

static const char *notify(struct ua *from, struct ua *to, const char *state, const char *text)
{
	char headers[256];
	const char *m;

	snprintf(headers, sizeof headers,
		 "Event: presence\r\nSubscription-State: %s\r\n%s", state, contact_of(from));
	send_in(from, "NOTIFY", headers, text);
	m = expect(to, "NOTIFY ");
	assert_string_equal(body(m), text);
	reply(to, m, "200 OK", "", "", "");
	expect(from, "SIP/2.0 200");
	quiet();
	return m;
}

static void subscribe(const char *expires)
{
	char headers[256];
	const char *m;

	snprintf(headers, sizeof headers, "Event: presence\r\nExpires: %s\r\n", expires);
	open_with(&w.caller, "SUBSCRIBE", headers, "");
	m = expect(&w.callee, "SUBSCRIBE ");
	learn_request(&w.callee, m, "bob");
	snprintf(headers, sizeof headers, "Expires: %s\r\n%s", expires, contact_of(&w.callee));
	reply(&w.callee, m, "200 OK", "bob", headers, "");
	learn_answer(&w.caller, expect(&w.caller, "SIP/2.0 200"));
}

static void a_subscription(void **state)
{
	const char *m;

	(void)state;
	subscribe("600");
	notify(&w.callee, &w.caller, "active;expires=600", "one");
	pass(300000);
	send_in(&w.caller, "SUBSCRIBE", "Event: presence\r\nExpires: 600\r\n"
		"Contact: <sip:alice@192.0.2.10:5099>\r\n", "");
	m = expect(&w.callee, "SUBSCRIBE sip:callee@192.0.2.20 ");
	reply(&w.callee, m, "200 OK", "", "Expires: 600\r\n", "");
	expect(&w.caller, "SIP/2.0 200");
	pass(500000); /* past the first lease */
	assert_string_equal(w.record.method ? w.record.method : "", "");
	m = notify(&w.callee, &w.caller, "active;expires=100", "two");
	assert_memory_equal(m, "NOTIFY sip:alice@192.0.2.10:5099 ", 33);
	notify(&w.callee, &w.caller, "terminated;reason=timeout", "three");
	assert_int_equal(w.records, 1);
	all_gone();
}

/* Nobody is remembered for ever because of what a notifier grants. */
static void a_subscription_for_years(void **state)
{
	(void)state;
	subscribe("4000000000");
	pass(80000 * 1000);
	notify(&w.callee, &w.caller, "active;expires=4294967295", "one");
	pass(86431999);
	assert_int_equal(w.records, 0);
	pass(1);
	assert_int_equal(w.records, 1);
	all_gone();
}

/* They are many, and calls find room all the same. */
static void too_many(void **state)
{
	enum { MOST = 65536 };
	unsigned refused = 0;

	(void)state;
	w.park = w.careless = true;
	for (int i = 0; i < MOST + 2; i++) {
		open_with(&w.caller, i & 1 ? "SUBSCRIBE" : "MESSAGE", "Event: x\r\n", "");
		for (struct letter *l; (l = unread_for(&w.caller)); w.unread--) {
			refused += strstr(l->text, "SIP/2.0 503 ") == l->text &&
				   strstr(l->text, "\r\nRetry-After: ");
			l->read = true;
		}
	}
	assert_int_equal(refused, 2);
	w.park = false;
	open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	reply(&w.callee, expect(&w.callee, "INVITE "), "486 Busy Here", "b", "", "");
	expect(&w.callee, "ACK ");
	pass(40000);
	open_with(&w.caller, "MESSAGE", "", "");
	reply(&w.callee, expect(&w.callee, "MESSAGE "), "200 OK", "b", "", "");
	w.unread = 0;
	all_gone();
}

static void a_subscription_that_runs_out(void **state)
{
	(void)state;
	subscribe("600");
	notify(&w.callee, &w.caller, "active;expires=600", "one");
	pass(631999);
	assert_int_equal(w.records, 0);
	pass(1);
	assert_int_equal(w.records, 1);
	send_in(&w.callee, "NOTIFY", "Event: presence\r\nSubscription-State: active\r\n", "");
	expect(&w.callee, "SIP/2.0 481");
	all_gone();
}

/* RFC 6665 4.4.1: the NOTIFY is there before the 200. */
static void the_notify_is_first(void **state)
{
	const char *m, *n;

	(void)state;
	open_with(&w.caller, "SUBSCRIBE", "Event: presence\r\nExpires: 60\r\n", "");
	m = expect(&w.callee, "SUBSCRIBE ");
	learn_request(&w.callee, m, "bob");
	n = notify(&w.callee, &w.caller, "active;expires=60", "one");
	reply(&w.callee, m, "200 OK", "bob", "Expires: 60\r\nContact: <sip:callee@192.0.2.20>\r\n", "");
	learn_answer(&w.caller, expect(&w.caller, "SIP/2.0 200"));
	assert_string_equal(header(n, "From"), w.caller.remote); /* one dialog */
	notify(&w.callee, &w.caller, "terminated", "two");
	assert_int_equal(w.records, 1);
	all_gone();
}

static void a_fetch(void **state)
{
	(void)state;
	subscribe("0");
	assert_int_equal(w.records, 0);
	notify(&w.callee, &w.caller, "terminated;reason=timeout", "state");
	assert_int_equal(w.records, 1);
	all_gone();
}

static void a_subscription_that_is_refused(void **state)
{
	const char *m;

	(void)state;
	open_with(&w.caller, "SUBSCRIBE", "Event: odd\r\n", "");
	m = expect(&w.callee, "SUBSCRIBE ");
	reply(&w.callee, m, "489 Bad Event", "x", "", "");
	expect(&w.caller, "SIP/2.0 489");
	assert_int_equal(w.records, 1);
	all_gone();
}

static void a_refer_of_its_own(void **state)
{
	const char *m;

	(void)state;
	open_with(&w.caller, "REFER", "Refer-To: <sip:carol@x.example>\r\n", "");
	m = expect(&w.callee, "REFER ");
	learn_request(&w.callee, m, "bob");
	reply(&w.callee, m, "202 Accepted", "bob", contact_of(&w.callee), "");
	learn_answer(&w.caller, expect(&w.caller, "SIP/2.0 202"));
	notify(&w.callee, &w.caller, "terminated;reason=noresource", "SIP/2.0 200 OK");
	all_gone();
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_message), T(a_message_to_the_next_server),
		T(a_message_that_waits), T(a_subscription),
		T(a_subscription_that_runs_out), T(a_subscription_for_years), T(too_many), T(the_notify_is_first), T(a_fetch),
		T(a_subscription_that_is_refused), T(a_refer_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
