/* Session descriptions that a service rewrites while the messages wait. */
#include "unit/relay_world.h"

enum { JOBS = 16 };

static struct {
	unsigned n, forgotten, removed;
	bool gone; /* nobody there */
	struct {
		void (*done)(void *token, const char *sdp, size_t len);
		void *token;
		bool offer, from_caller;
		char from[64], to[64], sdp[512];
	} job[JOBS];
} s;

static bool rewrite(void *arg, const struct rg_media_job *j,
		    void (*done)(void *token, const char *sdp, size_t len), void *token)
{
	(void)arg;
	if (s.gone)
		return false;
	assert_true(s.n < JOBS);
	s.job[s.n].done = done;
	s.job[s.n].token = token;
	s.job[s.n].offer = j->offer;
	s.job[s.n].from_caller = j->from_caller;
	snprintf(s.job[s.n].from, sizeof s.job[0].from, "%s", j->from_tag);
	snprintf(s.job[s.n].to, sizeof s.job[0].to, "%s", j->to_tag);
	snprintf(s.job[s.n].sdp, sizeof s.job[0].sdp, "%.*s", (int)j->len, j->sdp);
	s.n++;
	return true;
}

static void forget(void *arg, void *token)
{
	(void)arg, (void)token;
	s.forgotten++;
}

static void removed(void *arg, uint64_t call)
{
	(void)arg;
	assert_true(call);
	s.removed++;
}

static int begin_media(void **state)
{
	static const struct rg_media m = { .rewrite = rewrite, .forget = forget,
					      .remove = removed };

	memset(&s, 0, sizeof s);
	begin(state);
	w.media = REG_MEDIA_REFUSE;
	relay_set_media(w.relay, &m);
	return 0;
}

static void done(unsigned i, const char *sdp)
{
	s.job[i].done(s.job[i].token, sdp, sdp ? strlen(sdp) : 0);
	pass(0);
}

static const char *invited(void)
{
	const char *invite;

	open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	quiet();
	assert_int_equal(s.n, 1);
	assert_string_equal(s.job[0].sdp, OFFER);
	assert_true(s.job[0].offer);
	assert_true(s.job[0].from_caller);
	assert_string_equal(s.job[0].to, "");
	done(0, "v=0 rewritten");
	invite = expect(&w.callee, "INVITE ");
	assert_string_equal(body(invite), "v=0 rewritten");
	learn_request(&w.callee, invite, "bob");
	return invite;
}

static void a_call_is_anchored(void **state)
{
	const char *invite = invited(), *m;

	(void)state;
	reply(&w.callee, invite, "183 Progress", "bob", contact_of(&w.callee), ANSWER);
	reply(&w.callee, invite, "180 Ringing", "bob", contact_of(&w.callee), "");
	quiet(); /* the 180 does not overtake */
	assert_int_equal(s.n, 2);
	assert_false(s.job[1].offer);
	assert_false(s.job[1].from_caller);
	done(1, "v=0 early");
	m = expect(&w.caller, "SIP/2.0 183");
	assert_string_equal(body(m), "v=0 early");
	assert_non_null(strstr(header(m, "To"), s.job[1].to));
	expect(&w.caller, "SIP/2.0 180");
	reply(&w.callee, invite, "200 OK", "bob", contact_of(&w.callee), ANSWER);
	quiet();
	done(2, "v=0 answer, and a longer one than it was before: it is all there");
	m = expect(&w.caller, "SIP/2.0 200");
	assert_string_equal(body(m), "v=0 answer, and a longer one than it was before: it is all there");
	learn_answer(&w.caller, m);
	ack(&w.caller);
	expect(&w.callee, "ACK ");

	/* the callee offers anew, without an offer in the INVITE */
	send_in(&w.callee, "INVITE", contact_of(&w.callee), "");
	expect(&w.callee, "SIP/2.0 100");
	reply(&w.caller, expect(&w.caller, "INVITE "), "200 OK", "",
	      "Contact: <sip:alice@192.0.2.10>\r\n", OFFER);
	assert_true(s.job[3].offer);
	assert_true(s.job[3].from_caller);
	done(3, "v=0 offer");
	expect(&w.callee, "SIP/2.0 200");
	send_cseq(&w.callee, "ACK", w.callee.cseq, "", ANSWER);
	assert_false(s.job[4].offer);
	assert_false(s.job[4].from_caller);
	done(4, "v=0 last");
	assert_string_equal(body(expect(&w.caller, "ACK ")), "v=0 last");
	assert_int_equal(s.removed, 0);
	hang_up(&w.caller, &w.callee);
	assert_int_equal(s.removed, 1);
	assert_int_equal(s.forgotten, 0);
	assert_true(w.record.anchored);
	all_gone();
}

#define PART "--b1\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b1\r\n" \
	     "Content-Type: application/sdp\r\n\r\n"

static void a_part_of_several(void **state)
{
	const char *m;

	(void)state;
	open_with(&w.caller, "INVITE", "Content-Type: multipart/mixed;boundary=b1\r\n",
		 PART OFFER "\r\n--b1--\r\n");
	expect(&w.caller, "SIP/2.0 100");
	assert_string_equal(s.job[0].sdp, OFFER);
	done(0, "v=0 new");
	m = expect(&w.callee, "INVITE ");
	assert_string_equal(body(m), PART "v=0 new\r\n--b1--\r\n");
	relay_hang_up(w.relay);
	w.unread = 0;
}

static void it_cannot_be_anchored(void **state)
{
	const char *own, *invite;

	(void)state;
	own = open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	done(0, NULL);
	ack_failure(&w.caller, own, expect(&w.caller, "SIP/2.0 503"));
	quiet();
	all_gone();

	/* nor the answer */
	s.n = 0;
	own = open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	done(0, "v=0");
	invite = expect(&w.callee, "INVITE ");
	s.gone = true;
	reply(&w.callee, invite, "200 OK", "bob", contact_of(&w.callee), ANSWER);
	expect(&w.callee, "ACK ");
	reply(&w.callee, expect(&w.callee, "BYE "), "200 OK", "", "", "");
	ack_failure(&w.caller, own, expect(&w.caller, "SIP/2.0 503"));
	quiet();
	all_gone();
}

static void it_goes_on_without(void **state)
{
	(void)state;
	w.media = REG_MEDIA_CONTINUE;
	s.gone = true;
	establish();
	relay_set_media(w.relay, NULL);
	send_in(&w.caller, "UPDATE", "", OFFER);
	assert_string_equal(body(expect(&w.callee, "UPDATE ")), OFFER);
	hang_up(&w.caller, &w.callee);
	assert_int_equal(s.removed, 0);
}

static void a_reinvite_cannot(void **state)
{
	const char *invite = invited(), *own;

	(void)state;
	reply(&w.callee, invite, "200 OK", "bob", contact_of(&w.callee), ANSWER);
	done(1, "v=0");
	learn_answer(&w.caller, expect(&w.caller, "SIP/2.0 200"));
	ack(&w.caller);
	expect(&w.callee, "ACK ");
	s.gone = true;
	own = send_in(&w.caller, "INVITE", contact_of(&w.caller), OFFER);
	expect(&w.caller, "SIP/2.0 100");
	ack_failure(&w.caller, own, expect(&w.caller, "SIP/2.0 488"));
	hang_up(&w.caller, &w.callee);
	all_gone();
}

static void the_caller_gives_up_meanwhile(void **state)
{
	const char *own;

	(void)state;
	own = open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	cancel(&w.caller, own);
	expect(&w.caller, "SIP/2.0 200");
	ack_failure(&w.caller, own, expect(&w.caller, "SIP/2.0 487"));
	assert_int_equal(s.forgotten, 1);
	quiet();
	all_gone();
}

static void the_service_goes_away(void **state)
{
	(void)state;
	open_with(&w.caller, "INVITE", "", OFFER);
	expect(&w.caller, "SIP/2.0 100");
	relay_set_media(w.relay, NULL);
	assert_int_equal(s.forgotten, 1);
	expect(&w.caller, "SIP/2.0 503");
	quiet();
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin_media, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_call_is_anchored), T(a_part_of_several), T(it_cannot_be_anchored),
		T(it_goes_on_without), T(a_reinvite_cannot), T(the_caller_gives_up_meanwhile),
		T(the_service_goes_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
