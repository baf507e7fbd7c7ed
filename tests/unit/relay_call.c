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


static void the_callee_ends_it(void **state)
{
	const char *m;

	(void)state;
	establish();
	send_in(&w.callee, "BYE", "Reason: Q.850;cause=16\r\n", "");
	m = expect(&w.caller, "BYE sip:alice@192.0.2.10 SIP/2.0");
	assert_string_equal(header(m, "Reason"), "Q.850;cause=16");
	assert_string_equal(header(m, "Call-ID"), w.caller.id);
	assert_string_equal(header(m, "To"), w.caller.local);
	assert_string_equal(header(m, "From"), w.caller.remote);
	reply(&w.caller, m, "200 OK", "", "", "");
	expect(&w.callee, "SIP/2.0 200");
	assert_string_equal(w.record.ended_by, "callee");
	all_gone();
}

/* Two phones ring behind the callee; the second one answers. */
static void forks(void **state)
{
	const char *invite, *m;
	char first[512], second[512];

	(void)state;
	open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	invite = expect(&w.callee, "INVITE ");
	reply(&w.callee, invite, "180 Ringing", "one", contact_of(&w.callee), "");
	m = expect(&w.caller, "SIP/2.0 180");
	snprintf(first, sizeof first, "%s", header(m, "To"));
	reply(&w.callee, invite, "183 Session Progress", "two", contact_of(&w.callee), ANSWER);
	m = expect(&w.caller, "SIP/2.0 183");
	snprintf(second, sizeof second, "%s", header(m, "To"));
	assert_string_not_equal(first, second);
	reply(&w.callee, invite, "180 Ringing", "one", contact_of(&w.callee), "");
	assert_string_equal(header(expect(&w.caller, "SIP/2.0 180"), "To"), first);
	reply(&w.callee, invite, "200 OK", "two", contact_of(&w.callee), ANSWER);
	m = expect(&w.caller, "SIP/2.0 200");
	assert_string_equal(header(m, "To"), second);
	learn_answer(&w.caller, m);
	ack(&w.caller);
	expect(&w.callee, "ACK ");

	/* the first one answers, too: it is not wanted any more */
	reply(&w.callee, invite, "200 OK", "one", contact_of(&w.callee), ANSWER);
	m = expect(&w.callee, "ACK ");
	assert_non_null(strstr(header(m, "To"), "tag=one"));
	m = expect(&w.callee, "BYE ");
	assert_non_null(strstr(header(m, "To"), "tag=one"));
	reply(&w.callee, m, "200 OK", "", "", "");
	/* and repeats it: one ACK, no second BYE */
	reply(&w.callee, invite, "200 OK", "one", contact_of(&w.callee), ANSWER);
	expect(&w.callee, "ACK ");
	quiet();
	hang_up(&w.caller, &w.callee);
	all_gone();
}

static void a_refusal_is_passed_on(void **state)
{
	const char *invite, *own, *m;

	(void)state;
	own = open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	invite = expect(&w.callee, "INVITE ");
	reply(&w.callee, invite, "486 Busy Here", "bob", "Warning: 399 x \"no\"\r\n", "");
	expect(&w.callee, "ACK ");
	m = expect(&w.caller, "SIP/2.0 486 Busy Here");
	assert_string_equal(header(m, "Warning"), "399 x \"no\"");
	ack_failure(&w.caller, own, m);
	quiet();
	assert_int_equal(w.records, 1);
	assert_int_equal(w.record.code, 486);
	all_gone();
}

static void the_next_server_is_asked(void **state)
{
	const char *invite, *m;

	(void)state;
	w.servers = 2;
	open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	invite = expect(&w.callee, "INVITE ");
	reply(&w.callee, invite, "503 Service Unavailable", "x", "Retry-After: 5\r\n", "");
	expect(&w.callee, "ACK ");
	m = expect(&w.second, "INVITE ");
	assert_string_not_equal(header(m, "Call-ID"), header(invite, "Call-ID"));
	assert_string_not_equal(header(m, "From"), header(invite, "From"));
	assert_string_equal(body(m), OFFER);
	learn_request(&w.second, m, "carol");
	reply(&w.second, m, "200 OK", "carol", contact_of(&w.second), ANSWER);
	learn_answer(&w.caller, expect(&w.caller, "SIP/2.0 200"));
	ack(&w.caller);
	expect(&w.second, "ACK ");
	hang_up(&w.second, &w.caller);
	all_gone();
}

/* A server that is silent, and answers when another one has the call. */
static void a_late_answer_is_ended(void **state)
{
	const char *invite, *m;

	(void)state;
	w.servers = 2;
	open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	invite = expect(&w.callee, "INVITE ");
	pass(4000);
	while (unread_for(&w.callee))
		expect(&w.callee, "INVITE ");
	m = expect(&w.second, "INVITE ");
	assert_int_equal(w.answer[0], 0);
	reply(&w.callee, invite, "200 OK", "bob", contact_of(&w.callee), ANSWER);
	expect(&w.callee, "ACK ");
	reply(&w.callee, expect(&w.callee, "BYE "), "200 OK", "", "", "");
	expect_nothing(&w.caller);
	learn_request(&w.second, m, "carol");
	reply(&w.second, m, "200 OK", "carol", contact_of(&w.second), ANSWER);
	learn_answer(&w.caller, expect(&w.caller, "SIP/2.0 200"));
	ack(&w.caller);
	expect(&w.second, "ACK ");
	hang_up(&w.caller, &w.second);
	all_gone();
}

static void nobody_answers(void **state)
{
	(void)state;
	open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	pass(4000);
	expect(&w.caller, "SIP/2.0 408");
	assert_int_equal(w.record.code, 408);
	all_gone();
}

static void timer_c_runs_out(void **state)
{
	const char *invite, *m;

	(void)state;
	open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	invite = expect(&w.callee, "INVITE ");
	reply(&w.callee, invite, "180 Ringing", "bob", contact_of(&w.callee), "");
	expect(&w.caller, "SIP/2.0 180");
	pass(170000);
	reply(&w.callee, invite, "180 Ringing", "bob", contact_of(&w.callee), "");
	expect(&w.caller, "SIP/2.0 180");
	pass(180000);
	quiet();
	pass(1000);
	m = expect(&w.callee, "CANCEL ");
	expect(&w.caller, "SIP/2.0 408");
	reply(&w.callee, m, "200 OK", "bob", "", "");
	reply(&w.callee, invite, "487 Request Terminated", "bob", "", "");
	expect(&w.callee, "ACK ");
	assert_string_equal(w.record.ended_by, "gateway");
	all_gone();
}

/* ---- CANCEL ---------------------------------------------------------------------------- */

static void cancel_while_it_rings(void **state)
{
	const char *invite, *own, *m;

	(void)state;
	own = open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	invite = expect(&w.callee, "INVITE ");
	reply(&w.callee, invite, "180 Ringing", "bob", contact_of(&w.callee), "");
	expect(&w.caller, "SIP/2.0 180");
	cancel_with(&w.caller, own, "Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n");
	expect(&w.caller, "SIP/2.0 200");
	m = expect(&w.caller, "SIP/2.0 487");
	ack_failure(&w.caller, own, m);
	m = expect(&w.callee, "CANCEL ");
	assert_string_equal(header(m, "Reason"), "SIP;cause=200;text=\"Call completed elsewhere\"");
	assert_string_equal(header(m, "Via"), header(invite, "Via"));
	assert_int_equal(w.records, 1);
	assert_string_equal(w.record.ended_by, "caller");
	assert_int_equal(w.record.code, 487);
	reply(&w.callee, m, "200 OK", "bob", "", "");
	reply(&w.callee, invite, "487 Request Terminated", "bob", "", "");
	expect(&w.callee, "ACK ");
	quiet();
	all_gone();
}

static void cancel_before_the_first_1xx(void **state)
{
	const char *invite, *own;

	(void)state;
	own = open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	invite = expect(&w.callee, "INVITE ");
	cancel(&w.caller, own);
	expect(&w.caller, "SIP/2.0 200");
	ack_failure(&w.caller, own, expect(&w.caller, "SIP/2.0 487"));
	expect_nothing(&w.callee);
	reply(&w.callee, invite, "100 Trying", "", "", "");
	reply(&w.callee, expect(&w.callee, "CANCEL "), "200 OK", "bob", "", "");
	reply(&w.callee, invite, "487 Request Terminated", "bob", "", "");
	expect(&w.callee, "ACK ");
	quiet();
	all_gone();
}

static void cancel_crosses_the_200(void **state)
{
	const char *invite, *own;

	(void)state;
	own = open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	invite = expect(&w.callee, "INVITE ");
	reply(&w.callee, invite, "180 Ringing", "bob", contact_of(&w.callee), "");
	expect(&w.caller, "SIP/2.0 180");
	cancel(&w.caller, own);
	expect(&w.caller, "SIP/2.0 200");
	ack_failure(&w.caller, own, expect(&w.caller, "SIP/2.0 487"));
	reply(&w.callee, invite, "200 OK", "bob", contact_of(&w.callee), ANSWER);
	reply(&w.callee, expect(&w.callee, "CANCEL "), "481 Gone", "bob", "", "");
	expect(&w.callee, "ACK ");
	reply(&w.callee, expect(&w.callee, "BYE "), "200 OK", "", "", "");
	quiet();
	all_gone();
}

static void cancel_too_late(void **state)
{
	const char *invite, *own;

	(void)state;
	own = open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	invite = expect(&w.callee, "INVITE ");
	learn_request(&w.callee, invite, "bob");
	reply(&w.callee, invite, "200 OK", "bob", contact_of(&w.callee), ANSWER);
	learn_answer(&w.caller, expect(&w.caller, "SIP/2.0 200"));
	cancel(&w.caller, own);
	expect(&w.caller, "SIP/2.0 200");
	quiet();
	ack(&w.caller);
	expect(&w.callee, "ACK ");
	hang_up(&w.caller, &w.callee);
	all_gone();
}

static void cancel_while_the_route_waits(void **state)
{
	const char *own;

	(void)state;
	w.park = true;
	own = open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	cancel(&w.caller, own);
	expect(&w.caller, "SIP/2.0 200");
	ack_failure(&w.caller, own, expect(&w.caller, "SIP/2.0 487"));
	quiet();
	assert_int_equal(w.routes_alive, 0);
	all_gone();
}

/* ---- acknowledgement ------------------------------------------------------------------- */

static void the_2xx_is_repeated_until_its_ack(void **state)
{
	const char *invite, *m;

	(void)state;
	open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	invite = expect(&w.callee, "INVITE ");
	learn_request(&w.callee, invite, "bob");
	reply(&w.callee, invite, "200 OK", "bob", contact_of(&w.callee), ANSWER);
	learn_answer(&w.caller, expect(&w.caller, "SIP/2.0 200"));
	pass(1500); /* T1, and 2 T1 after it */
	expect(&w.caller, "SIP/2.0 200");
	expect(&w.caller, "SIP/2.0 200");
	reply(&w.callee, invite, "200 OK", "bob", contact_of(&w.callee), ANSWER);
	quiet(); /* there is no ACK yet */
	ack(&w.caller);
	m = expect(&w.callee, "ACK ");
	reply(&w.callee, invite, "200 OK", "bob", contact_of(&w.callee), ANSWER);
	assert_string_equal(expect(&w.callee, "ACK "), m);
	pass(60000);
	quiet();
	hang_up(&w.caller, &w.callee);
	all_gone();
}

static void an_ack_that_never_comes(void **state)
{
	const char *invite;
	unsigned n = 0;

	(void)state;
	open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	invite = expect(&w.callee, "INVITE ");
	reply(&w.callee, invite, "200 OK", "bob", contact_of(&w.callee), ANSWER);
	pass(31999);
	while (unread_for(&w.caller)) {
		expect(&w.caller, "SIP/2.0 200");
		n++;
	}
	assert_int_equal(n, 11);
	quiet();
	pass(1);
	expect(&w.callee, "ACK ");
	reply(&w.callee, expect(&w.callee, "BYE "), "200 OK", "", "", "");
	reply(&w.caller, expect(&w.caller, "BYE "), "200 OK", "", "", "");
	assert_string_equal(w.record.ended_by, "gateway");
	assert_string_equal(w.record.reason, "no ACK");
	all_gone();
}

static void an_offerless_invite(void **state)
{
	const char *invite;

	(void)state;
	open_with(&w.caller, "INVITE", "", "");
	expect(&w.caller, "SIP/2.0 100");
	invite = expect(&w.callee, "INVITE ");
	learn_request(&w.callee, invite, "bob");
	reply(&w.callee, invite, "200 OK", "bob", contact_of(&w.callee), OFFER);
	learn_answer(&w.caller, expect(&w.caller, "SIP/2.0 200"));
	send_cseq(&w.caller, "ACK", w.caller.cseq, "", ANSWER);
	assert_string_equal(body(expect(&w.callee, "ACK ")), ANSWER);
	hang_up(&w.caller, &w.callee);
	all_gone();
}

/* ---- challenges ------------------------------------------------------------------------ */

#define CHALLENGE "Digest realm=\"itsp.example\",nonce=\"n1\",algorithm=MD5,qop=\"auth\"\r\n"

static void challenges_are_met(void **state)
{
	const char *invite, *again, *m;

	(void)state;
	w.username = "line1";
	open_with(&w.caller, "INVITE", "Proxy-Authorization: Digest username=\"pbx\"\r\n", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	invite = expect(&w.callee, "INVITE ");
	assert_string_equal(header(invite, "Proxy-Authorization"), "");
	reply(&w.callee, invite, "407 Authenticate", "x", "Proxy-Authenticate: " CHALLENGE, "");
	expect(&w.callee, "ACK ");
	again = expect(&w.callee, "INVITE ");
	assert_string_equal(header(again, "Call-ID"), header(invite, "Call-ID"));
	assert_int_equal(cseq_of(again), cseq_of(invite) + 1);
	assert_non_null(strstr(header(again, "Proxy-Authorization"), "username=\"line1\""));
	assert_string_equal(body(again), OFFER);
	quiet();
	reply(&w.callee, again, "100 Trying", "", "", "");
	learn_request(&w.callee, again, "bob");
	reply(&w.callee, again, "200 OK", "bob", contact_of(&w.callee), ANSWER);
	learn_answer(&w.caller, expect(&w.caller, "SIP/2.0 200"));
	ack(&w.caller);
	m = expect(&w.callee, "ACK ");
	assert_int_equal(cseq_of(m), cseq_of(again));
	assert_string_equal(header(m, "Proxy-Authorization"), header(again, "Proxy-Authorization"));

	/* the nonce is known now; when it is stale, that is met, too */
	send_in(&w.caller, "BYE", "", "");
	m = expect(&w.callee, "BYE ");
	assert_int_equal(cseq_of(m), cseq_of(again) + 1);
	assert_non_null(strstr(header(m, "Proxy-Authorization"), "nonce=\"n1\""));
	reply(&w.callee, m, "407 Authenticate", "",
	      "Proxy-Authenticate: Digest realm=\"itsp.example\",nonce=\"n2\",stale=true,"
	      "algorithm=MD5,qop=\"auth\"\r\n", "");
	expect_nothing(&w.caller);
	m = expect(&w.callee, "BYE ");
	assert_int_equal(cseq_of(m), cseq_of(again) + 2);
	assert_non_null(strstr(header(m, "Proxy-Authorization"), "nonce=\"n2\""));
	reply(&w.callee, m, "200 OK", "", "", "");
	expect(&w.caller, "SIP/2.0 200");
	all_gone();
}

static void credentials_that_are_wrong(void **state)
{
	const char *m;

	(void)state;
	w.username = "line1";
	open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	reply(&w.callee, expect(&w.callee, "INVITE "), "401 Unauthorized", "x",
	      "WWW-Authenticate: " CHALLENGE, "");
	expect(&w.callee, "ACK ");
	reply(&w.callee, expect(&w.callee, "INVITE "), "401 Unauthorized", "x",
	      "WWW-Authenticate: " CHALLENGE, "");
	expect(&w.callee, "ACK ");
	m = expect(&w.caller, "SIP/2.0 401");
	assert_string_equal(header(m, "WWW-Authenticate"), "");
	quiet();
	all_gone();
}

static void without_credentials_the_caller_is_asked(void **state)
{
	const char *invite, *m;

	(void)state;
	open_with(&w.caller, "INVITE", "Authorization: Digest username=\"pbx\"\r\n", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	invite = expect(&w.callee, "INVITE ");
	assert_string_equal(header(invite, "Authorization"), "Digest username=\"pbx\"");
	reply(&w.callee, invite, "401 Unauthorized", "x", "WWW-Authenticate: " CHALLENGE, "");
	expect(&w.callee, "ACK ");
	m = expect(&w.caller, "SIP/2.0 401");
	assert_non_null(strstr(header(m, "WWW-Authenticate"), "nonce=\"n1\""));
	quiet();
	all_gone();
}

/* A call from the ITSP: it challenges the BYE towards it. */
static void the_callers_side_challenges(void **state)
{
	const char *m;

	(void)state;
	w.caller_username = "line1";
	establish();
	send_in(&w.callee, "BYE", "", "");
	m = expect(&w.caller, "BYE ");
	reply(&w.caller, m, "401 Unauthorized", "", "WWW-Authenticate: " CHALLENGE, "");
	m = expect(&w.caller, "BYE ");
	assert_non_null(strstr(header(m, "Authorization"), "username=\"line1\""));
	reply(&w.caller, m, "200 OK", "", "", "");
	expect(&w.callee, "SIP/2.0 200");
	quiet();
	all_gone();
}

/* Two proxies in a row, each with a realm of its own. */
static void two_realms(void **state)
{
	const char *m;

	(void)state;
	w.username = "line1";
	open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	reply(&w.callee, expect(&w.callee, "INVITE "), "407 Authenticate", "x",
	      "Proxy-Authenticate: Digest realm=\"one\",nonce=\"a\"\r\n", "");
	expect(&w.callee, "ACK ");
	reply(&w.callee, expect(&w.callee, "INVITE "), "407 Authenticate", "x",
	      "Proxy-Authenticate: Digest realm=\"two\",nonce=\"b\"\r\n", "");
	expect(&w.callee, "ACK ");
	m = expect(&w.callee, "INVITE ");
	assert_non_null(strstr(m, "realm=\"one\""));
	assert_non_null(strstr(m, "realm=\"two\""));
	reply(&w.callee, m, "486 Busy", "x", "", "");
	expect(&w.callee, "ACK ");
	expect(&w.caller, "SIP/2.0 486");
	all_gone();
}

/* The nonce of a registration is used at once, and a new one left for the next call. */
static void nonces_are_kept(void **state)
{
	static const char *const first = "Digest realm=\"i\",nonce=\"n1\",qop=\"auth\"";
	struct sip_memo *m = sip_memo_for(&w.dialogue, &w.callee.addr);
	size_t len = strlen(first);
	const char *invite, *bye;

	(void)state;
	w.username = "line1";
	w.keep_nonce = true;
	assert_int_equal(digest_challenge(&m->www, &first, &len, 1, false, "line1", "secret"),
			 DIGEST_OK);
	for (int i = 0; i < 2; i++) {
		open_with(&w.caller, "INVITE", "", OFFER);
		expect(&w.caller, "SIP/2.0 100");
		invite = expect(&w.callee, "INVITE ");
		assert_non_null(strstr(header(invite, "Authorization"),
				       i ? "nonce=\"n2\"" : "nonce=\"n1\""));
		if (!i) {
			reply(&w.callee, invite, "401 Unauthorized", "x",
			      "WWW-Authenticate: Digest realm=\"i\",nonce=\"n2\",stale=true,"
			      "qop=\"auth\"\r\n", "");
			expect(&w.callee, "ACK ");
			invite = expect(&w.callee, "INVITE ");
		}
		learn_request(&w.callee, invite, "bob");
		reply(&w.callee, invite, "200 OK", "bob", contact_of(&w.callee), ANSWER);
		learn_answer(&w.caller, expect(&w.caller, "SIP/2.0 200"));
		ack(&w.caller);
		assert_string_equal(header(expect(&w.callee, "ACK "), "Authorization"),
				    header(invite, "Authorization"));
		send_in(&w.caller, "BYE", "", "");
		bye = expect(&w.callee, "BYE ");
		assert_non_null(strstr(header(bye, "Authorization"), "nonce=\"n2\""));
		assert_non_null(strstr(header(bye, "Authorization"),
				       i ? "nc=00000004" : "nc=00000002"));
		reply(&w.callee, bye, "200 OK", "", "", "");
		expect(&w.caller, "SIP/2.0 200");
	}
	all_gone();
}

/* A proxy's, too; the ACK of the 2xx says it as the INVITE did (RFC 3261 22.1). */
static void a_proxys_nonce_is_kept(void **state)
{
	static const char *const first = "Digest realm=\"i\",nonce=\"n1\",qop=\"auth\"";
	struct sip_memo *m = sip_memo_for(&w.dialogue, &w.callee.addr);
	size_t len = strlen(first);
	const char *invite, *x;

	(void)state;
	w.username = "line1";
	w.keep_nonce = true;
	assert_int_equal(digest_challenge(&m->proxy, &first, &len, 1, true, "line1", "secret"),
			 DIGEST_OK);
	open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	invite = expect(&w.callee, "INVITE ");
	assert_string_not_equal(header(invite, "Proxy-Authorization"), "");
	learn_request(&w.callee, invite, "bob");
	reply(&w.callee, invite, "200 OK", "bob", contact_of(&w.callee), ANSWER);
	learn_answer(&w.caller, expect(&w.caller, "SIP/2.0 200"));
	ack(&w.caller);
	x = expect(&w.callee, "ACK ");
	assert_string_equal(header(x, "Proxy-Authorization"),
			    header(invite, "Proxy-Authorization"));
	assert_string_equal(header(x, "Authorization"), "");
	send_in(&w.caller, "BYE", "", "");
	reply(&w.callee, expect(&w.callee, "BYE "), "200 OK", "", "", "");
	expect(&w.caller, "SIP/2.0 200");
	all_gone();
}

/* Two that meet the same challenge at once are both answered, with counts of their own; one
 * whose answer is refused is not asked for ever. */
static void one_nonce_for_two(void **state)
{
	static const char challenge[] =
		"WWW-Authenticate: Digest realm=\"i\",nonce=\"n1\",qop=\"auth\"\r\n";
	char first[TEXT], second[TEXT];
	struct ua one;

	(void)state;
	w.username = "line1";
	w.keep_nonce = true;
	open_with(&w.caller, "INVITE", "", OFFER);
	one = w.caller;
	expect(&w.caller, "SIP/2.0 100");
	snprintf(first, sizeof first, "%s", expect(&w.callee, "INVITE "));
	open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	snprintf(second, sizeof second, "%s", expect(&w.callee, "INVITE "));
	reply(&w.callee, first, "401 Unauthorized", "x", challenge, "");
	expect(&w.callee, "ACK ");
	snprintf(first, sizeof first, "%s", expect(&w.callee, "INVITE "));
	assert_non_null(strstr(header(first, "Authorization"), "nc=00000001"));
	reply(&w.callee, second, "401 Unauthorized", "x", challenge, "");
	expect(&w.callee, "ACK ");
	snprintf(second, sizeof second, "%s", expect(&w.callee, "INVITE "));
	assert_non_null(strstr(header(second, "Authorization"), "nc=00000002"));
	reply(&w.callee, second, "401 Unauthorized", "x", challenge, "");
	expect(&w.callee, "ACK ");
	expect(&w.caller, "SIP/2.0 401");
	reply(&w.callee, first, "486 Busy Here", "x", "", "");
	expect(&w.callee, "ACK ");
	expect(&one, "SIP/2.0 486");
	w.careless = true;
	all_gone();
}

/* With the caller's Vias it is longer than a message may be: the call cannot be, and ends. */
static void an_answer_too_long_to_pass_on(void **state)
{
	char more[8192] = "";
	size_t n = 0;

	(void)state;
	for (int i = 0; i < 30; i++)
		n += (size_t)snprintf(more + n, sizeof more - n,
				      "Via: SIP/2.0/UDP p%d.example;branch=z9hG4bKv%d\r\n", i, i);
	open_with(&w.caller, "INVITE", more, OFFER);
	expect(&w.caller, "SIP/2.0 100");
	n = (size_t)snprintf(more, sizeof more, "%s", contact_of(&w.callee));
	for (int i = 0; i < 110; i++)
		n += (size_t)snprintf(more + n, sizeof more - n, "X-%d: y\r\n", i);
	reply(&w.callee, expect(&w.callee, "INVITE "), "200 OK", "bob", more, ANSWER);
	expect(&w.callee, "ACK ");
	reply(&w.callee, expect(&w.callee, "BYE "), "200 OK", "", "", "");
	expect(&w.caller, "SIP/2.0 500");
	quiet();
	all_gone();
	assert_int_equal(w.records, 1);
	assert_int_equal(w.record.code, 500);
	assert_string_equal(w.record.ended_by, "gateway");
}

/* ---- redirections ---------------------------------------------------------------------- */

static void a_redirection_is_passed_on(void **state)
{
	const char *m;

	(void)state;
	open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	reply(&w.callee, expect(&w.callee, "INVITE "), "302 Moved", "x",
	      "Contact: <sip:+4940@elsewhere.example>\r\n", "");
	expect(&w.callee, "ACK ");
	m = expect(&w.caller, "SIP/2.0 302");
	assert_string_equal(header(m, "Contact"), "<sip:+4940@elsewhere.example>");
	all_gone();
}

static void a_redirection_is_followed(void **state)
{
	const char *invite, *m = NULL;

	(void)state;
	w.follow = true;
	open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	invite = expect(&w.callee, "INVITE ");
	for (int i = 0; i < 5; i++) {
		char contact[64];

		snprintf(contact, sizeof contact, "Contact: <sip:+494%d@elsewhere.example>\r\n", i);
		reply(&w.callee, i ? m : invite, "302 Moved", "x", contact, "");
		expect(&w.callee, "ACK ");
		m = expect(&w.callee, "INVITE sip:+494");
		assert_non_null(strstr(m, "@itsp.example SIP/2.0"));
		assert_int_equal(cseq_of(m), cseq_of(invite) + (unsigned)i + 1);
	}
	reply(&w.callee, m, "302 Moved", "x", "Contact: <sip:+4999@elsewhere.example>\r\n", "");
	expect(&w.callee, "ACK ");
	expect(&w.caller, "SIP/2.0 302"); /* five are enough */
	quiet();
	all_gone();
}

/* ---- what cannot be sent ----------------------------------------------------------------- */

/* A header that only just passes does not with a Via of ours: no server is to blame. */
static void a_request_that_grows_too_long(void **state)
{
	static char more[16100];
	char *p = more;

	(void)state;
	for (int i = 0; i < 15; i++) {
		p += sprintf(p, "X-%02d: ", i);
		memset(p, 'x', 1058);
		p += 1058;
		p += sprintf(p, "\r\n");
	}
	open_with(&w.caller, "INVITE", more, "");
	expect(&w.caller, "SIP/2.0 100");
	expect(&w.caller, "SIP/2.0 513");
	assert_int_equal(w.answers, 0);
	quiet();
	all_gone();
}

/* ---- long requests --------------------------------------------------------------------- */

static void a_long_invite_goes_by_tcp(void **state)
{
	static char more[1200] = "X-Long: ";
	const char *invite;

	(void)state;
	memset(more + 8, 'x', sizeof more - 11);
	memcpy(more + sizeof more - 3, "\r\n", 3);
	open_with(&w.caller, "INVITE", more, OFFER);
	expect(&w.caller, "SIP/2.0 100");
	assert_int_equal(unread_for(&w.callee)->hop.peer.transport, RG_UDP); /* no TCP here */
	invite = expect(&w.callee, "INVITE ");
	reply(&w.callee, invite, "486 Busy", "x", "", "");
	expect(&w.callee, "ACK ");
	expect(&w.caller, "SIP/2.0 486");

	w.tcp = true;
	open_with(&w.caller, "INVITE", more, OFFER);
	expect(&w.caller, "SIP/2.0 100");
	assert_int_equal(unread_for(&w.callee)->hop.peer.transport, RG_TCP);
	invite = expect(&w.callee, "INVITE ");
	assert_memory_equal(header(invite, "Via"), "SIP/2.0/TCP ", 12);
	/* it is refused: back to UDP */
	w.callee.addr.transport = RG_TCP;
	sip_ta_failed(w.ta, SIP_SOCKET_TCP | 9, &w.callee.addr, ECONNREFUSED, NULL, 0);
	w.callee.addr.transport = RG_UDP;
	assert_int_equal(unread_for(&w.callee)->hop.peer.transport, RG_UDP);
	invite = expect(&w.callee, "INVITE ");
	assert_memory_equal(header(invite, "Via"), "SIP/2.0/UDP ", 12);
	reply(&w.callee, invite, "486 Busy", "x", "", "");
	expect(&w.callee, "ACK ");
	expect(&w.caller, "SIP/2.0 486");
	/* and TCP is not tried again for a while */
	open_with(&w.caller, "INVITE", more, OFFER);
	expect(&w.caller, "SIP/2.0 100");
	assert_int_equal(unread_for(&w.callee)->hop.peer.transport, RG_UDP);
	reply(&w.callee, expect(&w.callee, "INVITE "), "486 Busy", "x", "", "");
	expect(&w.callee, "ACK ");
	expect(&w.caller, "SIP/2.0 486");
	all_gone();
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_call_and_its_end), T(the_callee_ends_it), T(forks), T(a_refusal_is_passed_on),
		T(the_next_server_is_asked), T(a_late_answer_is_ended), T(nobody_answers),
		T(timer_c_runs_out), T(cancel_while_it_rings), T(cancel_before_the_first_1xx),
		T(cancel_crosses_the_200), T(cancel_too_late), T(cancel_while_the_route_waits),
		T(the_2xx_is_repeated_until_its_ack), T(an_ack_that_never_comes),
		T(an_offerless_invite), T(challenges_are_met), T(credentials_that_are_wrong),
		T(without_credentials_the_caller_is_asked), T(the_callers_side_challenges),
		T(two_realms), T(nonces_are_kept), T(one_nonce_for_two), T(a_proxys_nonce_is_kept),
		T(an_answer_too_long_to_pass_on),
		T(a_redirection_is_passed_on), T(a_redirection_is_followed),
		T(a_request_that_grows_too_long), T(a_long_invite_goes_by_tcp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
