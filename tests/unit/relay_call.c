/* Calls through the relay: how they are set up, from which side they end. */
#include "unit/relay_world.h"

static void a_call_and_its_end(void **state)
{
	const char *invite, *m;

	(void)state;
	open_with(&w.caller, "INVITE", "X-Odd: kept\r\n", OFFER);
	m = expect(&w.caller, "SIP/2.0 100");
	assert_null(strstr(header(m, "To"), "tag="));
	invite = expect(&w.callee, "INVITE sip:+4930999@itsp.example SIP/2.0\r\n");
	assert_string_equal(header(invite, "X-Odd"), "kept");
	assert_string_equal(header(invite, "Max-Forwards"), "69");
	assert_string_equal(body(invite), OFFER);
	assert_string_not_equal(header(invite, "Call-ID"), w.caller.id);
	assert_memory_equal(header(invite, "From"), "\"Alice\" <sip:+4930123@itsp.example>;tag=", 40);
	assert_string_equal(header(invite, "To"), "<sip:+4930999@itsp.example>");
	assert_string_equal(header(invite, "Contact"), "<sip:line1@192.0.2.1:5060>");
	assert_int_equal(relay_calls(w.relay), 1);

	reply(&w.callee, invite, "180 Ringing", "bob", contact_of(&w.callee), "");
	m = expect(&w.caller, "SIP/2.0 180");
	assert_string_equal(header(m, "Contact"), "<sip:+4930999@192.0.2.1:5060>");
	assert_string_equal(header(m, "Call-ID"), w.caller.id);
	learn_request(&w.callee, invite, "bob");
	reply(&w.callee, invite, "200 OK", "bob", contact_of(&w.callee), ANSWER);
	learn_answer(&w.caller, m);
	m = expect(&w.caller, "SIP/2.0 200");
	assert_string_equal(header(m, "To"), w.caller.remote); /* the same fork */
	assert_string_equal(body(m), ANSWER);
	ack(&w.caller);
	m = expect(&w.callee, "ACK sip:callee@192.0.2.20 SIP/2.0");
	assert_int_equal(cseq_of(m), cseq_of(invite));
	quiet();

	send_in(&w.caller, "BYE", "", "");
	m = expect(&w.callee, "BYE sip:callee@192.0.2.20 SIP/2.0");
	assert_int_equal(cseq_of(m), cseq_of(invite) + 1);
	reply(&w.callee, m, "200 OK", "", "", "");
	expect(&w.caller, "SIP/2.0 200");
	assert_int_equal(relay_calls(w.relay), 0);
	assert_int_equal(w.records, 1);
	assert_int_equal(w.record.code, 200);
	assert_string_equal(w.record.ended_by, "caller");
	quiet();
	all_gone();
	quiet();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_call_and_its_end, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
