/* What a call takes: with its transactions, after them, and that all of it is given back. */
#include "relay_world.h"

#include <malloc.h>

enum { CALLS = 500, MOST_BUSY = 2750, MOST_CALM = 1550 };

/* As an ITSP has it: the INVITE is challenged. */
static void challenged_call(void)
{
	char ok[1024];
	const char *invite;

	open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	invite = expect(&w.callee, "INVITE ");
	reply(&w.callee, invite, "401 Unauthorized", "x",
	      "WWW-Authenticate: Digest realm=\"itsp.example\", "
	      "nonce=\"0123456789abcdef0123456789abcdef\", algorithm=MD5, qop=\"auth\"\r\n", "");
	expect(&w.callee, "ACK ");
	invite = expect(&w.callee, "INVITE ");
	learn_request(&w.callee, invite, "bob");
	snprintf(ok, sizeof ok, "%s", contact_of(&w.callee));
	reply(&w.callee, invite, "180 Ringing", "bob", ok, "");
	expect(&w.caller, "SIP/2.0 180");
	reply(&w.callee, invite, "200 OK", "bob", ok, ANSWER);
	learn_answer(&w.caller, expect(&w.caller, "SIP/2.0 200"));
	ack(&w.caller);
	expect(&w.callee, "ACK ");
	quiet();
}

static double per_call(size_t before)
{
	return ((double)mallinfo2().uordblks - (double)before) / CALLS;
}

static void a_call_is_small(void **state)
{
	size_t before, bytes;
	double busy, calm;

	(void)state;
	w.username = "line1";
	challenged_call(); /* pools and tables are warm */
	before = mallinfo2().uordblks;
	bytes = relay_bytes(w.relay);
	for (int i = 0; i < CALLS; i++)
		challenged_call();
	busy = per_call(before);
	pass(40000);
	calm = per_call(before);
	bytes = (relay_bytes(w.relay) - bytes) / CALLS;
	print_message("# %.0f bytes a call with its transactions, %.0f after them; told: %zu\n",
		      busy, calm, bytes);
	if (!mallinfo2().uordblks) /* a sanitizer's malloc does not count */
		skip();
	if (busy > MOST_BUSY || calm > MOST_CALM || (double)bytes > calm ||
	    (double)bytes < calm / 2)
		fail_msg("%.0f, %.0f and %zu bytes a call", busy, calm, bytes);
}

/* What is told of them goes up and down again. */
static void what_is_told(void **state)
{
	size_t before, up;

	(void)state;
	establish();
	hang_up(&w.caller, &w.callee);
	all_gone();
	before = relay_bytes(w.relay);
	establish();
	up = relay_bytes(w.relay);
	assert_in_range(up - before, 700, 4000);
	send_in(&w.callee, "INVITE", "Contact: <sip:bob@192.0.2.20:5099>\r\n", OFFER);
	expect(&w.callee, "SIP/2.0 100");
	reply(&w.caller, expect(&w.caller, "INVITE "), "488 Not Acceptable Here", "", "", "");
	expect(&w.caller, "ACK ");
	expect(&w.callee, "SIP/2.0 488");
	hang_up(&w.caller, &w.callee);
	all_gone();
	assert_in_range(relay_bytes(w.relay), before, before + 32); /* a row of the table */
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = { T(a_call_is_small), T(what_is_told) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
