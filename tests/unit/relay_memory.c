/* What a call takes: with its transactions, after them, and that all of it is given back. */
#include "relay_world.h"

#include <malloc.h>

enum { CALLS = 500 };

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
	print_message("# %.0f bytes a call with its transactions, %.0f after them; told: %zu\n",
		      busy, calm, (relay_bytes(w.relay) - bytes) / CALLS);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = { T(a_call_is_small) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
