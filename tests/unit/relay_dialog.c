/* Requests in a dialog, from both sides, and the races of RFC 5407. */
#include "unit/relay_world.h"

/* ---- early dialogs --------------------------------------------------------------------- */

static const char *ring(const char *more)
{
	char headers[512];
	const char *invite;

	open_with(&w.caller, "INVITE", "Supported: 100rel\r\n", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	invite = expect(&w.callee, "INVITE ");
	learn_request(&w.callee, invite, "bob");
	snprintf(headers, sizeof headers, "%s%s", contact_of(&w.callee), more);
	reply(&w.callee, invite, "183 Session Progress", "bob", headers, ANSWER);
	learn_answer(&w.caller, expect(&w.caller, "SIP/2.0 183"));
	return invite;
}

static void pick_up(const char *invite)
{
	reply(&w.callee, invite, "200 OK", "bob", contact_of(&w.callee), "");
	expect(&w.caller, "SIP/2.0 200");
	send_cseq(&w.caller, "ACK", 100, "", "");
	expect(&w.callee, "ACK ");
}

static void prack(void **state)
{
	const char *invite, *m;
	char want[64];

	(void)state;
	w.username = "line1"; /* so that the numbers on both legs differ */
	open_with(&w.caller, "INVITE", "Supported: 100rel\r\n", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	reply(&w.callee, expect(&w.callee, "INVITE "), "401 Unauthorized", "x",
	      "WWW-Authenticate: Digest realm=\"i\",nonce=\"n\"\r\n", "");
	expect(&w.callee, "ACK ");
	invite = expect(&w.callee, "INVITE ");
	learn_request(&w.callee, invite, "bob");
	reply(&w.callee, invite, "183 Session Progress", "bob",
	      "Contact: <sip:callee@192.0.2.20>\r\nRequire: 100rel\r\nRSeq: 77\r\n", ANSWER);
	m = expect(&w.caller, "SIP/2.0 183");
	assert_string_equal(header(m, "RSeq"), "77");
	learn_answer(&w.caller, m);
	send_in(&w.caller, "PRACK", "RAck: 77 100 INVITE\r\n", "");
	m = expect(&w.callee, "PRACK ");
	snprintf(want, sizeof want, "77 %u INVITE", cseq_of(invite));
	assert_string_equal(header(m, "RAck"), want);
	reply(&w.callee, m, "200 OK", "", "", "");
	expect(&w.caller, "SIP/2.0 200");
	pick_up(invite);
	hang_up(&w.callee, &w.caller);
	all_gone();
}

static void update_before_the_answer(void **state)
{
	const char *invite = ring(""), *m;

	(void)state;
	send_in(&w.caller, "UPDATE", "Contact: <sip:alice@192.0.2.10>\r\n", OFFER);
	m = expect(&w.callee, "UPDATE ");
	assert_string_equal(body(m), OFFER);
	reply(&w.callee, m, "200 OK", "", contact_of(&w.callee), ANSWER);
	assert_string_equal(body(expect(&w.caller, "SIP/2.0 200")), ANSWER);
	send_in(&w.callee, "UPDATE", contact_of(&w.callee), OFFER);
	m = expect(&w.caller, "UPDATE ");
	reply(&w.caller, m, "200 OK", "", "Contact: <sip:alice@192.0.2.10>\r\n", ANSWER);
	expect(&w.callee, "SIP/2.0 200");
	pick_up(invite);
	hang_up(&w.caller, &w.callee);
	all_gone();
}

/* The caller may end an early dialog by BYE. */
static void early_bye(void **state)
{
	const char *invite = ring(""), *m;

	(void)state;
	send_in(&w.caller, "BYE", "", "");
	m = expect(&w.callee, "BYE ");
	reply(&w.callee, m, "200 OK", "", "", "");
	expect(&w.caller, "SIP/2.0 200");
	assert_int_equal(relay_calls(w.relay), 1); /* its INVITE has no answer yet */
	reply(&w.callee, invite, "487 Request Terminated", "bob", "", "");
	expect(&w.callee, "ACK ");
	expect(&w.caller, "SIP/2.0 487");
	quiet();
	all_gone();
}

/* RFC 5407 3.1.3: the 200 of the callee crosses it. */
static void early_bye_crosses_the_200(void **state)
{
	const char *invite = ring(""), *m;

	(void)state;
	send_in(&w.caller, "BYE", "", "");
	m = expect(&w.callee, "BYE ");
	reply(&w.callee, invite, "200 OK", "bob", contact_of(&w.callee), "");
	expect(&w.caller, "SIP/2.0 200");
	reply(&w.callee, m, "200 OK", "", "", "");
	expect(&w.caller, "SIP/2.0 200");
	expect(&w.callee, "ACK "); /* nobody else would */
	all_gone();
}

/* ---- re-INVITE ----------------------------------------------------------------------------- */

static void reinvite_from(struct ua *from, struct ua *to)
{
	const char *m, *sent;

	sent = send_in(from, "INVITE", contact_of(from), OFFER);
	(void)sent;
	expect(from, "SIP/2.0 100");
	m = expect(to, "INVITE ");
	assert_string_equal(body(m), OFFER);
	reply(to, m, "200 OK", "", contact_of(to), ANSWER);
	m = expect(from, "SIP/2.0 200");
	assert_string_equal(body(m), ANSWER);
	assert_string_equal(header(m, "To"), from->remote);
	pass(500);
	expect(from, "SIP/2.0 200"); /* repeated until its ACK */
	ack(from);
	expect(to, "ACK ");
	pass(40000);
	quiet();
}

static void reinvite_from_both_sides(void **state)
{
	(void)state;
	establish();
	reinvite_from(&w.caller, &w.callee);
	reinvite_from(&w.callee, &w.caller);
	reinvite_from(&w.caller, &w.callee);
	hang_up(&w.callee, &w.caller);
	all_gone();
}

static void glare(void **state)
{
	const char *from_caller, *from_callee, *m;

	(void)state;
	establish();
	from_caller = send_in(&w.caller, "INVITE", contact_of(&w.caller), OFFER);
	expect(&w.caller, "SIP/2.0 100");
	m = expect(&w.callee, "INVITE ");
	from_callee = send_in(&w.callee, "INVITE", contact_of(&w.callee), OFFER);
	ack_failure(&w.callee, from_callee, expect(&w.callee, "SIP/2.0 491"));
	reply(&w.callee, m, "491 Request Pending", "", "", "");
	expect(&w.callee, "ACK ");
	ack_failure(&w.caller, from_caller, expect(&w.caller, "SIP/2.0 491"));
	quiet();
	/* one before the first is answered */
	from_caller = send_in(&w.caller, "INVITE", contact_of(&w.caller), OFFER);
	expect(&w.caller, "SIP/2.0 100");
	m = expect(&w.callee, "INVITE ");
	send_in(&w.caller, "INVITE", contact_of(&w.caller), OFFER);
	assert_true(*header(expect(&w.caller, "SIP/2.0 500"), "Retry-After"));
	reply(&w.callee, m, "488 Not Acceptable Here", "", "", "");
	expect(&w.callee, "ACK ");
	expect(&w.caller, "SIP/2.0 488");
	assert_int_equal(relay_calls(w.relay), 1);
	w.caller.cseq++;
	hang_up(&w.caller, &w.callee);
	all_gone();
}

static void reinvite_is_challenged_and_cancelled(void **state)
{
	const char *m, *again, *own;

	(void)state;
	w.username = "line1";
	establish();
	own = send_in(&w.caller, "INVITE", contact_of(&w.caller), OFFER);
	expect(&w.caller, "SIP/2.0 100");
	m = expect(&w.callee, "INVITE ");
	reply(&w.callee, m, "401 Unauthorized", "", "WWW-Authenticate: Digest realm=\"i\",nonce=\"n\"\r\n", "");
	expect(&w.callee, "ACK ");
	again = expect(&w.callee, "INVITE ");
	assert_int_equal(cseq_of(again), cseq_of(m) + 1);
	reply(&w.callee, again, "180 Ringing", "", contact_of(&w.callee), "");
	expect(&w.caller, "SIP/2.0 180");
	cancel(&w.caller, own);
	expect(&w.caller, "SIP/2.0 200");
	ack_failure(&w.caller, own, expect(&w.caller, "SIP/2.0 487"));
	reply(&w.callee, expect(&w.callee, "CANCEL "), "200 OK", "", "", "");
	reply(&w.callee, again, "487 Request Terminated", "", "", "");
	expect(&w.callee, "ACK ");
	quiet();
	assert_int_equal(relay_calls(w.relay), 1);
	/* the next number is used up by nobody */
	send_in(&w.caller, "INFO", "", "");
	m = expect(&w.callee, "INFO ");
	assert_int_equal(cseq_of(m), cseq_of(again) + 1);
	reply(&w.callee, m, "200 OK", "", "", "");
	expect(&w.caller, "SIP/2.0 200");
	hang_up(&w.callee, &w.caller);
	all_gone();
}

static void reinvite_without_an_answer(void **state)
{
	(void)state;
	establish();
	send_in(&w.caller, "INVITE", contact_of(&w.caller), OFFER);
	expect(&w.caller, "SIP/2.0 100");
	pass(32000);
	while (unread_for(&w.callee))
		expect(&w.callee, "INVITE ");
	expect(&w.caller, "SIP/2.0 408");
	assert_int_equal(relay_calls(w.relay), 1);
	pass(40000);
	while (unread_for(&w.caller))
		expect(&w.caller, "SIP/2.0 408"); /* its ACK is missing */
	hang_up(&w.caller, &w.callee);
	all_gone();
}

/* ---- targets --------------------------------------------------------------------------------- */

static void targets_move(void **state)
{
	const char *m;

	(void)state;
	establish();
	send_in(&w.callee, "UPDATE", "Contact: <sip:callee@192.0.2.20:5070>\r\n", "");
	m = expect(&w.caller, "UPDATE ");
	reply(&w.caller, m, "200 OK", "", "Contact: <sip:alice@192.0.2.10:5080>\r\n", "");
	expect(&w.callee, "SIP/2.0 200");
	send_in(&w.caller, "INFO", "", "");
	assert_int_equal(unread_for(&w.callee)->hop.peer.port, 5070);
	m = expect(&w.callee, "INFO sip:callee@192.0.2.20:5070 ");
	reply(&w.callee, m, "200 OK", "", "", "");
	expect(&w.caller, "SIP/2.0 200");
	/* a refused one changes nothing */
	send_in(&w.callee, "UPDATE", "Contact: <sip:callee@192.0.2.20:5099>\r\n", "");
	m = expect(&w.caller, "UPDATE sip:alice@192.0.2.10:5080 ");
	reply(&w.caller, m, "488 No", "", "", "");
	expect(&w.callee, "SIP/2.0 488");
	send_in(&w.caller, "BYE", "", "");
	m = expect(&w.callee, "BYE sip:callee@192.0.2.20:5070 ");
	reply(&w.callee, m, "200 OK", "", "", "");
	expect(&w.caller, "SIP/2.0 200");
	all_gone();
}

static void route_sets(void **state)
{
	const char *m;

	(void)state;
	establish_with("Record-Route: <sip:192.0.2.10:5065;lr>, <sip:192.0.2.11;lr>\r\n",
		       "Record-Route: <sip:192.0.2.22;lr>\r\nRecord-Route: <sip:192.0.2.20:5066;lr>\r\n");
	send_in(&w.caller, "INFO", "", "");
	assert_int_equal(unread_for(&w.callee)->hop.peer.port, 5066);
	m = expect(&w.callee, "INFO sip:callee@192.0.2.20 ");
	assert_string_equal(header(m, "Route"), "<sip:192.0.2.20:5066;lr>, <sip:192.0.2.22;lr>");
	reply(&w.callee, m, "200 OK", "", "", "");
	expect(&w.caller, "SIP/2.0 200");
	send_in(&w.callee, "BYE", "", "");
	assert_int_equal(unread_for(&w.caller)->hop.peer.port, 5065);
	m = expect(&w.caller, "BYE sip:alice@192.0.2.10 ");
	assert_string_equal(header(m, "Route"), "<sip:192.0.2.10:5065;lr>, <sip:192.0.2.11;lr>");
	reply(&w.caller, m, "200 OK", "", "", "");
	expect(&w.callee, "SIP/2.0 200");
	all_gone();
}

static void a_strict_router(void **state)
{
	const char *m;

	(void)state;
	establish_with("", "Record-Route: <sip:192.0.2.22;lr>, <sip:192.0.2.20:5066>\r\n");
	send_in(&w.caller, "BYE", "", "");
	m = expect(&w.callee, "BYE sip:192.0.2.20:5066 ");
	assert_string_equal(header(m, "Route"), "<sip:192.0.2.22;lr>, <sip:callee@192.0.2.20>");
	reply(&w.callee, m, "200 OK", "", "", "");
	expect(&w.caller, "SIP/2.0 200");
	all_gone();
}

static void a_target_with_a_name(void **state)
{
	const char *invite, *m;
	struct reg_resolved r[2] = { { .priority = 10 }, { .priority = 20 } };

	(void)state;
	open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	invite = expect(&w.callee, "INVITE ");
	reply(&w.callee, invite, "200 OK", "bob", "Contact: <sip:bob@phone.example>\r\n", ANSWER);
	learn_answer(&w.caller, expect(&w.caller, "SIP/2.0 200"));
	ack(&w.caller);
	quiet(); /* it is looked up first */
	assert_int_equal(w.lookups, 1);
	assert_int_equal(w.lookup.families, REG_IPV4);
	assert_int_equal(w.lookup.method, 2); /* NAPTR, since it names no transport */
	assert_int_equal(w.lookup.transports, 1 << RG_UDP | 1 << RG_TLS);
	rg_addr_parse(&r[0].addr, "192.0.2.20:5077");
	rg_addr_parse(&r[1].addr, "192.0.2.21:5060");
	w.resolved(w.lookup_token, r, 2, w.resolved_arg);
	assert_int_equal(unread_for(&w.callee)->hop.peer.port, 5077);
	expect(&w.callee, "ACK sip:bob@phone.example ");
	send_in(&w.caller, "BYE", "", "");
	assert_int_equal(unread_for(&w.callee)->hop.peer.port, 5077);
	m = expect(&w.callee, "BYE ");
	reply(&w.callee, m, "200 OK", "", "", "");
	expect(&w.caller, "SIP/2.0 200");
	all_gone();

	/* a name that is none: where the INVITE went */
	open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	invite = expect(&w.callee, "INVITE ");
	reply(&w.callee, invite, "200 OK", "bob", "Contact: <sip:bob@phone.example>\r\n", ANSWER);
	learn_answer(&w.caller, expect(&w.caller, "SIP/2.0 200"));
	send_in(&w.caller, "BYE", "", "");
	quiet();
	w.resolved(w.lookup_token, NULL, 0, w.resolved_arg);
	expect(&w.callee, "ACK ");
	m = expect(&w.callee, "BYE ");
	reply(&w.callee, m, "200 OK", "", "", "");
	expect(&w.caller, "SIP/2.0 200");
	all_gone();
}

static unsigned drop_all(const struct ua *u)
{
	struct letter *l;
	unsigned n = 0;

	for (; (l = unread_for(u)); n++) {
		l->read = true;
		w.unread--;
	}
	return n;
}

/* Requests go to the next address when the first says nothing (RFC 3263 4.3), those after
 * them at once, and the ACK when the 2xx comes again; credentials to none but servers. */
static void a_name_of_several_addresses(void **state)
{
	const char *invite, *m, *again;
	struct reg_resolved r[2] = { { .priority = 10 }, { .priority = 20 } };

	(void)state;
	w.username = "line1";
	w.stranger = w.second.addr;
	open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	m = expect(&w.callee, "INVITE ");
	reply(&w.callee, m, "401 Unauthorized", "x",
	      "WWW-Authenticate: Digest realm=\"itsp\", nonce=\"n1\"\r\n", "");
	expect(&w.callee, "ACK ");
	invite = expect(&w.callee, "INVITE ");
	reply(&w.callee, invite, "200 OK", "bob", "Contact: <sip:bob@phone.example>\r\n", ANSWER);
	learn_answer(&w.caller, expect(&w.caller, "SIP/2.0 200"));
	rg_addr_parse(&r[0].addr, "192.0.2.20:5077");
	rg_addr_parse(&r[1].addr, "192.0.2.21:5060");
	w.resolved(w.lookup_token, r, 2, w.resolved_arg);
	ack(&w.caller);
	m = expect(&w.callee, "ACK sip:bob@phone.example ");
	assert_string_not_equal(header(m, "Authorization"), "");
	/* nobody was there; the callee says it again from where it speaks */
	reply(&w.callee, invite, "200 OK", "bob", "Contact: <sip:bob@phone.example>\r\n", ANSWER);
	assert_string_equal(header(expect(&w.callee, "ACK "), "Via"), header(m, "Via"));
	reply(&w.callee, invite, "200 OK", "bob", "Contact: <sip:bob@phone.example>\r\n", ANSWER);
	assert_int_equal(unread_for(&w.second)->hop.peer.port, 5060);
	again = expect(&w.second, "ACK sip:bob@phone.example ");
	assert_string_not_equal(header(again, "Via"), header(m, "Via"));
	assert_string_equal(header(again, "Authorization"), "");
	reply(&w.callee, invite, "200 OK", "bob", "Contact: <sip:bob@phone.example>\r\n", ANSWER);
	expect(&w.second, "ACK ");
	reply(&w.callee, invite, "200 OK", "bob", "Contact: <sip:bob@phone.example>\r\n", ANSWER);
	expect(&w.callee, "ACK ");

	send_in(&w.caller, "INFO", "", "");
	pass(14000);
	assert_true(drop_all(&w.callee) > 3);
	quiet();
	pass(1100);
	m = expect(&w.second, "INFO sip:bob@phone.example ");
	assert_string_equal(header(m, "Authorization"), "");
	reply(&w.second, m, "200 OK", "", "", "");
	expect(&w.caller, "SIP/2.0 200");
	send_in(&w.caller, "INFO", "", "");
	m = expect(&w.second, "INFO ");
	reply(&w.second, m, "200 OK", "", "", "");
	expect(&w.caller, "SIP/2.0 200");
	/* silent both: each was asked once */
	send_in(&w.caller, "INFO", "", "");
	pass(40000);
	assert_true(drop_all(&w.second) > 3);
	assert_true(drop_all(&w.callee) > 3);
	expect_nothing(&w.caller);

	send_in(&w.caller, "BYE", "", "");
	m = expect(&w.second, "BYE ");
	reply(&w.second, m, "200 OK", "", "", "");
	expect(&w.caller, "SIP/2.0 200");
	all_gone();
}

/* ---- everything goes through ------------------------------------------------------------------- */

static void every_method(void **state)
{
	static const char *const methods[] = { "INFO", "MESSAGE", "OPTIONS", "UPDATE", "PUBLISH",
					       "FOO" };

	(void)state;
	establish();
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		for (int side = 0; side < 2; side++) {
			struct ua *from = side ? &w.callee : &w.caller;
			struct ua *to = side ? &w.caller : &w.callee;
			char start[32];
			const char *m;

			snprintf(start, sizeof start, "%s ", methods[i]);
			send_in(from, methods[i], "X-Seen: 1\r\n", "body");
			m = expect(to, start);
			assert_string_equal(header(m, "X-Seen"), "1");
			assert_string_equal(body(m), "body");
			reply(to, m, "299 Fine", "", "X-Too: 2\r\n", "answer");
			m = expect(from, "SIP/2.0 299 Fine");
			assert_string_equal(header(m, "X-Too"), "2");
			assert_string_equal(body(m), "answer");
			quiet();
		}
	hang_up(&w.caller, &w.callee);
	all_gone();
}

static void garbage(void **state)
{
	struct ua stranger;
	const char *m;

	(void)state;
	establish();
	stranger = w.callee;
	send_cseq(&w.caller, "INFO", 50, "", ""); /* older than the INVITE */
	expect(&w.caller, "SIP/2.0 500");
	snprintf(stranger.id, sizeof stranger.id, "guessed");
	send_in(&stranger, "BYE", "", "");
	expect(&w.callee, "SIP/2.0 481");
	stranger = w.callee;
	snprintf(stranger.local, sizeof stranger.local, "<sip:x@y>;tag=nobody");
	send_in(&stranger, "BYE", "", "");
	expect(&w.callee, "SIP/2.0 481");
	stranger = w.callee;
	snprintf(stranger.remote, sizeof stranger.remote,
		 "<sip:x@y>;tag=ffffffff0000000000000000s01");
	send_in(&stranger, "BYE", "", "");
	expect(&w.callee, "SIP/2.0 481");
	send_in(&stranger, "ACK", "", "");
	send_cseq(&w.caller, "ACK", 4711, "", "");
	quiet();
	/* an answer to nothing */
	m = send_in(&w.caller, "INFO", "", "");
	expect(&w.callee, "INFO ");
	reply(&w.caller, m, "200 OK", "", "", "");
	quiet();
	pass(40000);
	while (unread_for(&w.callee))
		expect(&w.callee, "INFO ");
	quiet(); /* no 408: RFC 4320 */
	hang_up(&w.caller, &w.callee);
	all_gone();
}

/* ---- ends ---------------------------------------------------------------------------------------- */

/* RFC 5407 3.2.1. */
static void byes_cross(void **state)
{
	const char *m;

	(void)state;
	establish();
	send_in(&w.caller, "BYE", "", "");
	m = expect(&w.callee, "BYE ");
	send_in(&w.callee, "BYE", "", "");
	reply(&w.callee, m, "200 OK", "", "", "");
	expect(&w.callee, "SIP/2.0 200");
	expect(&w.caller, "SIP/2.0 200");
	quiet();
	assert_int_equal(w.records, 1);
	all_gone();
}

static void a_bye_that_is_not_answered(void **state)
{
	(void)state;
	establish();
	send_in(&w.caller, "BYE", "", "");
	pass(30000);
	while (unread_for(&w.callee))
		expect(&w.callee, "BYE ");
	expect(&w.caller, "SIP/2.0 200"); /* before it gives up itself */
	assert_int_equal(relay_calls(w.relay), 0);
	all_gone();
}

static void a_bye_for_an_unknown_dialog(void **state)
{
	(void)state;
	establish();
	send_in(&w.caller, "BYE", "", "");
	reply(&w.callee, expect(&w.callee, "BYE "), "481 Unknown", "", "", "");
	expect(&w.caller, "SIP/2.0 200");
	all_gone();
}

/* RFC 5407 3.2.2: BYE and re-INVITE cross. */
static void bye_crosses_reinvite(void **state)
{
	const char *own, *m, *bye;

	(void)state;
	establish();
	own = send_in(&w.caller, "INVITE", contact_of(&w.caller), OFFER);
	expect(&w.caller, "SIP/2.0 100");
	m = expect(&w.callee, "INVITE ");
	send_in(&w.callee, "BYE", "", "");
	bye = expect(&w.caller, "BYE ");
	reply(&w.callee, m, "481 Unknown", "", "", "");
	expect(&w.callee, "ACK ");
	ack_failure(&w.caller, own, expect(&w.caller, "SIP/2.0 481"));
	reply(&w.caller, bye, "200 OK", "", "", "");
	expect(&w.callee, "SIP/2.0 200");
	quiet();
	all_gone();
}

/* ... and the callee forgets the re-INVITE. */
static void bye_leaves_a_reinvite(void **state)
{
	const char *own, *m, *bye;

	(void)state;
	establish();
	own = send_in(&w.caller, "INVITE", contact_of(&w.caller), OFFER);
	expect(&w.caller, "SIP/2.0 100");
	m = expect(&w.callee, "INVITE ");
	reply(&w.callee, m, "100 Trying", "", "", "");
	send_in(&w.callee, "BYE", "", "");
	bye = expect(&w.caller, "BYE ");
	reply(&w.caller, bye, "200 OK", "", "", "");
	expect(&w.callee, "SIP/2.0 200");
	ack_failure(&w.caller, own, expect(&w.caller, "SIP/2.0 487"));
	expect(&w.callee, "CANCEL ");
	assert_int_equal(w.records, 1);
	/* a 200 all the same */
	reply(&w.callee, m, "200 OK", "", contact_of(&w.callee), ANSWER);
	expect(&w.callee, "ACK ");
	reply(&w.callee, expect(&w.callee, "BYE "), "481 Unknown", "", "", "");
	while (unread_for(&w.callee))
		expect(&w.callee, "CANCEL ");
	quiet();
	all_gone();
}

/* RFC 5407 3.1.6: a BYE before the ACK is there. */
static void bye_before_the_ack(void **state)
{
	const char *invite, *m;

	(void)state;
	open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	invite = expect(&w.callee, "INVITE ");
	learn_request(&w.callee, invite, "bob");
	reply(&w.callee, invite, "200 OK", "bob", contact_of(&w.callee), ANSWER);
	learn_answer(&w.caller, expect(&w.caller, "SIP/2.0 200"));
	send_in(&w.callee, "BYE", "", "");
	m = expect(&w.caller, "BYE ");
	ack(&w.caller);
	expect(&w.callee, "ACK ");
	reply(&w.caller, m, "200 OK", "", "", "");
	expect(&w.callee, "SIP/2.0 200");
	pass(5000);
	quiet();
	all_gone();
}

/* The caller does, and its ACK is lost. */
static void bye_instead_of_the_ack(void **state)
{
	const char *invite, *m;

	(void)state;
	open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	invite = expect(&w.callee, "INVITE ");
	reply(&w.callee, invite, "200 OK", "bob", contact_of(&w.callee), ANSWER);
	learn_answer(&w.caller, expect(&w.caller, "SIP/2.0 200"));
	send_in(&w.caller, "BYE", "", "");
	expect(&w.callee, "ACK ");
	m = expect(&w.callee, "BYE ");
	reply(&w.callee, m, "200 OK", "", "", "");
	expect(&w.caller, "SIP/2.0 200");
	pass(5000);
	quiet();
	all_gone();
}

/* RFC 5407 3.1.4: the ACK is lost, and a re-INVITE is there first. */
static void reinvite_before_the_ack(void **state)
{
	const char *invite, *m, *again;

	(void)state;
	open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	invite = expect(&w.callee, "INVITE ");
	learn_request(&w.callee, invite, "bob");
	reply(&w.callee, invite, "200 OK", "bob", contact_of(&w.callee), ANSWER);
	learn_answer(&w.caller, expect(&w.caller, "SIP/2.0 200"));
	again = send_in(&w.caller, "INVITE", contact_of(&w.caller), OFFER);
	expect(&w.caller, "SIP/2.0 100");
	m = expect(&w.callee, "INVITE ");
	reply(&w.callee, m, "491 Request Pending", "", "", "");
	expect(&w.callee, "ACK ");
	ack_failure(&w.caller, again, expect(&w.caller, "SIP/2.0 491"));
	pass(500);
	expect(&w.caller, "SIP/2.0 200");
	send_cseq(&w.caller, "ACK", 100, "", "");
	assert_int_equal(cseq_of(expect(&w.callee, "ACK ")), cseq_of(invite));
	hang_up(&w.caller, &w.callee);
	all_gone();
}

static void session_timers(void **state)
{
	const char *m;

	(void)state;
	establish_with("Session-Expires: 1800\r\n", "Session-Expires: 90;refresher=uac\r\n");
	pass(89000);
	send_in(&w.caller, "UPDATE", "Contact: <sip:alice@192.0.2.10>\r\n", "");
	m = expect(&w.callee, "UPDATE ");
	reply(&w.callee, m, "200 OK", "", "Session-Expires: 100;refresher=uac\r\n", "");
	expect(&w.caller, "SIP/2.0 200");
	pass(99999);
	quiet();
	pass(1);
	reply(&w.callee, expect(&w.callee, "BYE "), "200 OK", "", "", "");
	reply(&w.caller, expect(&w.caller, "BYE "), "200 OK", "", "", "");
	assert_string_equal(w.record.reason, "session timer");
	assert_string_equal(w.record.ended_by, "gateway");
	all_gone();
}

static void without_session_timer_it_lasts(void **state)
{
	(void)state;
	establish();
	pass(86400000);
	quiet();
	hang_up(&w.caller, &w.callee);
	all_gone();
}

/* A blind transfer: REFER, BYE at once, and the NOTIFY after it. */
static void refer_outlives_the_session(void **state)
{
	const char *m;

	(void)state;
	establish();
	send_in(&w.caller, "REFER", "Refer-To: <sip:carol@itsp.example>\r\n", "");
	m = expect(&w.callee, "REFER ");
	assert_string_equal(header(m, "Refer-To"), "<sip:carol@itsp.example>");
	reply(&w.callee, m, "202 Accepted", "", contact_of(&w.callee), "");
	expect(&w.caller, "SIP/2.0 202");
	hang_up(&w.caller, &w.callee);
	send_in(&w.callee, "NOTIFY", "Event: refer\r\nSubscription-State: active;expires=60\r\n", "x");
	m = expect(&w.caller, "NOTIFY ");
	reply(&w.caller, m, "200 OK", "", "", "");
	expect(&w.callee, "SIP/2.0 200");
	send_in(&w.caller, "INVITE", contact_of(&w.caller), OFFER);
	expect(&w.caller, "SIP/2.0 481");
	send_in(&w.callee, "NOTIFY", "Event: refer\r\nSubscription-State: terminated\r\n", "x");
	m = expect(&w.caller, "NOTIFY ");
	reply(&w.caller, m, "200 OK", "", "", "");
	expect(&w.callee, "SIP/2.0 200");
	send_in(&w.callee, "NOTIFY", "Event: refer\r\nSubscription-State: terminated\r\n", "x");
	expect(&w.callee, "SIP/2.0 481");
	while (unread_for(&w.caller))
		expect(&w.caller, "SIP/2.0 481");
	all_gone();
}

/* MaxCallDuration: both ends are told, also where they have gone without a word. */
static void it_lasts_too_long(void **state)
{
	const char *m;

	(void)state;
	w.longest = 600;
	establish();
	pass(599000);
	quiet();
	send_in(&w.caller, "INVITE", "Contact: <sip:alice@192.0.2.10>\r\n", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	reply(&w.callee, expect(&w.callee, "INVITE "), "200 OK", "", contact_of(&w.callee),
	      ANSWER);
	expect(&w.caller, "SIP/2.0 200");
	ack(&w.caller);
	expect(&w.callee, "ACK ");
	quiet();
	pass(1500); /* what is said in it does not prolong it */
	m = expect(&w.caller, "BYE ");
	assert_string_equal(header(m, "Reason"), "SIP;text=\"MaxCallDuration\"");
	reply(&w.caller, m, "200 OK", "", "", "");
	expect(&w.callee, "BYE "); /* there is nobody */
	assert_string_equal(w.record.ended_by, "gateway");
	assert_string_equal(w.record_reason, "MaxCallDuration");
	w.careless = true;
	all_gone();
}

/* The connection under a BYE breaks: it goes once more, over another one. */
static void the_connection_breaks(void **state)
{
	const char *m;

	(void)state;
	w.tcp = true;
	w.callee.addr.transport = w.server[0].transport = RG_TCP;
	establish();
	for (int i = 0; i < 2; i++) { /* but not for ever */
		send_in(&w.caller, i ? "BYE" : "INFO", "", "");
		expect(&w.callee, i ? "BYE " : "INFO ");
		sip_ta_failed(w.ta, SIP_SOCKET_TCP | 9, &w.callee.addr, ECONNRESET, NULL, 0);
		m = expect(&w.callee, i ? "BYE " : "INFO ");
		if (i) {
			reply(&w.callee, m, "200 OK", "", "", "");
			expect(&w.caller, "SIP/2.0 200");
			break;
		}
		sip_ta_failed(w.ta, SIP_SOCKET_TCP | 9, &w.callee.addr, ECONNRESET, NULL, 0);
		expect(&w.caller, "SIP/2.0 503");
		quiet();
	}
	all_gone();
}

/* The TCP connection to a peer's Contact cannot be had: the one it opened still stands. */
static void the_peers_own_connection(void **state)
{
	const char *m;

	(void)state;
	w.tcp = true;
	w.caller.addr.transport = RG_TCP;
	establish();
	send_in(&w.callee, "BYE", "", "");
	assert_int_equal(unread_for(&w.caller)->hop.socket, SIP_SOCKET_TCP | 9);
	expect(&w.caller, "BYE ");
	sip_ta_failed(w.ta, SIP_SOCKET_TCP | 9, &w.caller.addr, ECONNREFUSED, NULL, 0);
	assert_int_equal(unread_for(&w.caller)->hop.socket, SIP_SOCKET_TCP | 5);
	m = expect(&w.caller, "BYE ");
	reply(&w.caller, m, "200 OK", "", "", "");
	expect(&w.callee, "SIP/2.0 200");
	all_gone();
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(prack), T(update_before_the_answer), T(early_bye), T(early_bye_crosses_the_200),
		T(reinvite_from_both_sides), T(glare), T(reinvite_is_challenged_and_cancelled),
		T(reinvite_without_an_answer), T(targets_move), T(route_sets), T(a_strict_router),
		T(a_target_with_a_name), T(a_name_of_several_addresses), T(every_method), T(garbage), T(byes_cross),
		T(a_bye_that_is_not_answered), T(a_bye_for_an_unknown_dialog),
		T(bye_crosses_reinvite), T(bye_leaves_a_reinvite), T(bye_before_the_ack),
		T(bye_instead_of_the_ack), T(reinvite_before_the_ack),
		T(session_timers), T(without_session_timer_it_lasts),
		T(refer_outlives_the_session), T(the_peers_own_connection),
		T(it_lasts_too_long), T(the_connection_breaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
