/* The REGISTER client against a scripted registrar on loopback: what it asks, what it
 * makes of the answers, and that a lying registrar gets nothing out of it. */
#include "unit/sip_peer.h"

#define NONCE "WWW-Authenticate: Digest realm=\"itsp.example\", nonce=\"n%u\", qop=\"auth\"\r\n"

static struct reg_dialogue d;

static int begin(void **state)
{
	memset(&d, 0, sizeof d);
	for (unsigned i = 0; i < sizeof d.id; i++)
		d.id[i] = (uint8_t)(i * 17);
	return set_up(state);
}

static int end(void **state)
{
	drop(&d);
	assert_null(d.memo);
	return tear_down(state);
}

static bool has(unsigned n, const char *text)
{
	return strstr(t.request[n], text);
}

static void challenge(const struct sip_head *h, char *out, unsigned nonce)
{
	char more[256];

	snprintf(more, sizeof more, NONCE, nonce);
	reply_to(h, out, "401 Unauthorized", more);
}

/* ---- scripts -------------------------------------------------------------------------- */

static void digest(unsigned n, const char *q, const struct sip_head *h, char *out)
{
	(void)n;
	if (!strstr(q, "\r\nAuthorization: Digest "))
		challenge(h, out, 1);
	else
		grant(h, out, 480);
}

static void lease_0(unsigned n, const char *q, const struct sip_head *h, char *out)
{
	(void)n, (void)q;
	grant(h, out, 0);
}

static void foreign(unsigned n, const char *q, const struct sip_head *h, char *out)
{
	(void)n, (void)q;
	reply_to(h, out, "200 OK", "Contact: <sip:bob@192.0.2.9:5070>;expires=3600\r\n");
}

static void other_token(unsigned n, const char *q, const struct sip_head *h, char *out)
{
	(void)n, (void)q;
	reply_to(h, out, "200 OK",
		 "Contact: <sip:line1@127.0.0.1;rg=ffffffffffffffff>;expires=3600\r\n");
}

static void endless_401(unsigned n, const char *q, const struct sip_head *h, char *out)
{
	(void)q;
	challenge(h, out, n);
}

static void same_401(unsigned n, const char *q, const struct sip_head *h, char *out)
{
	(void)n, (void)q;
	challenge(h, out, 7);
}

static void stale_401(unsigned n, const char *q, const struct sip_head *h, char *out)
{
	char more[256];

	(void)q;
	snprintf(more, sizeof more,
		 "WWW-Authenticate: Digest realm=\"r\", nonce=\"s%u\", stale=true\r\n", n);
	reply_to(h, out, "401 Unauthorized", more);
}

static void unknown_algorithm(unsigned n, const char *q, const struct sip_head *h, char *out)
{
	(void)n, (void)q;
	reply_to(h, out, "401 Unauthorized",
		 "WWW-Authenticate: Digest realm=\"r\", nonce=\"x\", algorithm=AKAv1-MD5\r\n");
}

static void proxy_407(unsigned n, const char *q, const struct sip_head *h, char *out)
{
	(void)n;
	if (!strstr(q, "\r\nProxy-Authorization: Digest "))
		reply_to(h, out, "407 Proxy Authentication Required",
			 "Proxy-Authenticate: Digest realm=\"p\", nonce=\"x\"\r\n");
	else
		grant(h, out, 300);
}

static void too_brief(unsigned n, const char *q, const struct sip_head *h, char *out)
{
	char more[64];

	(void)q;
	snprintf(more, sizeof more, "Min-Expires: %u\r\n", 3600 << n);
	reply_to(h, out, "423 Interval Too Brief", more);
}

static void to_itself(unsigned n, const char *q, const struct sip_head *h, char *out)
{
	char more[64];

	(void)n, (void)q;
	snprintf(more, sizeof more, "Contact: <sip:127.0.0.1:%u>\r\n", t.addr.port);
	reply_to(h, out, "302 Moved Temporarily", more);
}

static void no_contact(unsigned n, const char *q, const struct sip_head *h, char *out)
{
	(void)n, (void)q;
	reply_to(h, out, "200 OK", "");
}

static void busy(unsigned n, const char *q, const struct sip_head *h, char *out)
{
	(void)n, (void)q;
	reply_to(h, out, "503 Service\tUnavailable",
		 "Retry-After: 120 (in a \"while\");duration=30\r\n");
}

static void silent(unsigned n, const char *q, const struct sip_head *h, char *out)
{
	(void)n, (void)q, (void)h;
	*out = '\0';
}

static void slow(unsigned n, const char *q, const struct sip_head *h, char *out)
{
	(void)q;
	if (n)
		grant(h, out, 600);
}

static void routes(unsigned n, const char *q, const struct sip_head *h, char *out)
{
	(void)q;
	if (!n)
		reply_to(h, out, "200 OK",
			 "Service-Route: <sip:a;lr>,\r\n <sip:b,c;lr>\r\nService-Route: <sip:d>\r\n"
			 "P-Associated-URI: <sip:+49@x>\r\nPath: <sip:p>\r\n");
	else
		reply_to(h, out, "200 OK", "Service-Route: <sip:e;lr>\r\n");
}

/* A NAT between us: the answer tells where the request seemed to come from. */
static void natted(unsigned n, const char *q, const struct sip_head *h, char *out)
{
	char text[TEXT], *rport;

	(void)q;
	if (n == 0)
		challenge(h, text, 1);
	else
		grant(h, text, 600);
	rport = strstr(text, ";rport");
	snprintf(out, TEXT, "%.*s;received=203.0.113.7;rport=4711%s", (int)(rport - text), text,
		 rport + 6);
}

/* ---- what is asked ------------------------------------------------------------------------ */

static void fresh_then_refresh(void **state)
{
	struct reg_message r = request(&d, 11);
	const struct reg_answer *a;
	char port[80];

	(void)state;
	t.script = digest;
	a = register_once(&r);
	assert_int_equal(a->code, 200);
	assert_true(a->bound);
	assert_int_equal(a->expires, 480);
	assert_false(a->repeated || a->late || a->refused_credentials);
	assert_int_equal(t.requests, 2);
	assert_true(has(0, "REGISTER sip:itsp.example SIP/2.0\r\n"));
	assert_true(has(0, "To: <sip:+4930123@itsp.example>\r\n"));
	assert_true(has(0, "From: <sip:+4930123@itsp.example>;tag=8899aabbccddeeff\r\n"));
	assert_true(has(0, "Call-ID: 00112233445566778899aabbccddeeff\r\n"));
	snprintf(port, sizeof port,
		 "Contact: <sip:line1@127.0.0.1:%u;rg=0011223344556677>;expires=600\r\n",
		 t.local.udp);
	assert_true(has(0, port));
	assert_true(has(0, "Supported: path\r\n"));
	assert_true(has(0, "CSeq: 1 REGISTER\r\n"));
	assert_true(has(1, "CSeq: 2 REGISTER\r\n"));
	assert_true(has(1, "nc=00000001"));
	assert_true(has(1, "uri=\"sip:itsp.example\""));
	assert_string_not_equal(strstr(t.request[0], "branch="), strstr(t.request[1], "branch="));

	r.token = 12;
	a = register_once(&r);
	assert_int_equal(a->code, 200);
	assert_int_equal(t.requests, 3);
	assert_true(has(2, "nc=00000002"));
	assert_true(has(2, "CSeq: 3 REGISTER\r\n"));
	assert_true(has(2, "Call-ID: 00112233445566778899aabbccddeeff\r\n"));

	r.token = 13;
	r.keep_nonce = false;
	a = register_once(&r);
	assert_int_equal(a->code, 200);
	assert_int_equal(t.requests, 5);
	assert_false(has(3, "Authorization"));
}

static void another_server_gets_no_nonce(void **state)
{
	struct reg_message r = request(&d, 1);
	struct rg_addr first = t.addr;

	(void)state;
	t.script = digest;
	register_once(&r);
	sip_loop_fd(t.loop, t.fd, 0, NULL, NULL);
	close(t.fd);
	t.fd = bound(SOCK_DGRAM, &t.addr);
	assert_int_not_equal(t.addr.port, first.port);
	assert_int_equal(sip_loop_fd(t.loop, t.fd, SIP_READ, peer_udp, NULL), 0);
	r.server = t.addr;
	assert_int_equal(register_once(&r)->code, 200);
	assert_int_equal(t.requests, 4);
	assert_false(has(2, "Authorization"));
}

static void identity_in_all_its_forms(void **state)
{
	struct reg_message r = request(&d, 1);

	(void)state;
	t.script = no_contact;
	r.contact_user = "";
	r.contact_params = "bnc";
	r.headers = "Supported: gin, path\r\nRequire: gin\r\nProxy-Require: gin\r\n";
	r.aor_user = "a b#c%41%";
	r.initial_route = r.empty_authorization = true;
	register_once(&r);
	assert_true(has(0, "Contact: <sip:127.0.0.1:"));
	assert_true(has(0, ";bnc>;expires=600"));
	assert_true(has(0, "To: <sip:a%20b%23c%41%25@itsp.example>"));
	assert_null(strstr(strstr(t.request[0], "Supported:") + 1, "Supported:"));
	assert_true(has(0, ";lr;transport=udp>\r\n"));
	assert_true(has(0, "Authorization: Digest username=\"alice\", realm=\"itsp.example\", "
			   "nonce=\"\", uri=\"sip:itsp.example\", response=\"\"\r\n"));
	r.contact_address = "198.51.100.7:5080";
	r.contact_user = "u";
	register_once(&r);
	assert_true(has(1, "Contact: <sip:u@198.51.100.7:5080;rg="));
	r.all_contacts = true;
	r.expires = 0;
	register_once(&r);
	assert_true(has(2, "Contact: *\r\nExpires: 0\r\n"));
}

static void a_string_that_breaks_the_message_is_refused(void **state)
{
	struct reg_message r = request(&d, 1);

	(void)state;
	r.request_host = "itsp.example SIP/2.0\r\nX: y";
	assert_int_equal(send_register(&r), EINVAL);
	r = request(&d, 1);
	r.contact_address = "a>b";
	assert_int_equal(send_register(&r), EINVAL);
	r = request(&d, 1);
	r.request_host = "";
	assert_int_equal(send_register(&r), EINVAL);
	r = request(&d, 1);
	r.interface = 5;
	assert_int_equal(send_register(&r), EADDRNOTAVAIL);
	r = request(&d, 1);
	r.server.transport = RG_TLS + 1;
	assert_int_equal(send_register(&r), EPROTONOSUPPORT);
	r = request(&d, 1);
	r.server.family = 6; /* the interface has an IPv4 address only */
	assert_int_equal(send_register(&r), EAFNOSUPPORT);
	assert_int_equal(t.answers, 0);
}

static void long_headers_get_a_larger_buffer(void **state)
{
	static char headers[3000];
	struct reg_message r = request(&d, 1);
	size_t n = 0;

	(void)state;
	while (n + 40 < sizeof headers)
		n += (size_t)snprintf(headers + n, sizeof headers - n, "X-Long: %030d\r\n", 7);
	r.headers = headers;
	t.script = digest;
	assert_int_equal(register_once(&r)->code, 200);
	assert_true(has(1, headers));
}

static void contact_follows_what_the_server_saw(void **state)
{
	struct reg_message r = request(&d, 1);

	(void)state;
	t.script = natted;
	r.contact_address = "received";
	assert_true(register_once(&r)->bound);
	assert_true(has(0, "Contact: <sip:line1@127.0.0.1:"));
	assert_true(has(1, "Contact: <sip:line1@203.0.113.7:4711;rg=0011223344556677>;expires"));
	assert_true(has(1, "Authorization: Digest"));
	r.token = 2;
	register_once(&r);
	assert_true(has(2, "Contact: <sip:line1@203.0.113.7:4711;rg="));
}

static void un_register_answers_a_challenge(void **state)
{
	struct reg_message r = request(&d, 1);

	(void)state;
	t.script = digest;
	r.expires = 0;
	assert_int_equal(register_once(&r)->code, 200);
	assert_int_equal(t.requests, 2);
	assert_true(has(1, "Expires: 0\r\n"));
	assert_true(has(1, ";expires=0\r\n"));
}

static void routes_are_replaced(void **state)
{
	struct reg_message r = request(&d, 1);

	(void)state;
	t.script = routes;
	register_once(&r);
	assert_string_equal(sip_stack_service_route(&d), "<sip:a;lr>, <sip:b,c;lr>, <sip:d>");
	assert_string_equal(sip_stack_associated_uri(&d), "<sip:+49@x>");
	assert_string_equal(sip_stack_path(&d), "<sip:p>");
	register_once(&r);
	assert_string_equal(sip_stack_service_route(&d), "<sip:e;lr>");
	assert_null(sip_stack_associated_uri(&d));
	assert_null(sip_stack_path(&d));
}

/* ---- registrars that lie --------------------------------------------------------------- */

static const struct {
	const char *what;
	void (*script)(unsigned, const char *, const struct sip_head *, char *);
	uint16_t code;
	bool bound, refused;
	uint32_t expires, min_expires, retry_after;
	unsigned requests;
} liars[] = {
	{ "a lease of 0", lease_0, 200, true, false, 0, 0, 0, 1 },
	{ "someone else's binding", foreign, 200, false, false, 0, 0, 0, 1 },
	{ "another gateway's binding", other_token, 200, false, false, 0, 0, 0, 1 },
	{ "endless 401, new nonces", endless_401, 401, false, true, 0, 0, 0, 3 },
	{ "endless 401, one nonce", same_401, 401, false, true, 0, 0, 0, 2 },
	{ "endless 401, stale", stale_401, 401, false, false, 0, 0, 0, 3 },
	{ "an unknown algorithm", unknown_algorithm, 401, false, true, 0, 0, 0, 1 },
	{ "407", proxy_407, 200, true, false, 300, 0, 0, 2 },
	{ "423", too_brief, 423, false, false, 0, 3600, 0, 1 },
	{ "3xx to itself", to_itself, 302, false, false, 0, 0, 0, 1 },
	{ "200 without Contact", no_contact, 200, true, false, 600, 0, 0, 1 },
	{ "503 with Retry-After", busy, 503, false, false, 0, 0, 120, 1 },
};

static void lies_are_told_as_they_are(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof liars / sizeof *liars; i++) {
		struct reg_message r = request(&d, 100 + i);
		const struct reg_answer *a;

		drop(&d);
		t.requests = 0;
		t.script = liars[i].script;
		a = register_once(&r);
		if (a->code != liars[i].code || a->bound != liars[i].bound ||
		    a->refused_credentials != liars[i].refused ||
		    a->expires != liars[i].expires || a->min_expires != liars[i].min_expires ||
		    a->retry_after != liars[i].retry_after || t.requests != liars[i].requests)
			fail_msg("%s: %u bound %d refused %d expires %u min %u retry %u, %u sent",
				 liars[i].what, a->code, a->bound, a->refused_credentials,
				 a->expires, a->min_expires, a->retry_after, t.requests);
	}
}

static void without_credentials_a_challenge_is_the_end(void **state)
{
	struct reg_message r = request(&d, 1);

	(void)state;
	t.script = digest;
	r.username = r.password = "";
	assert_int_equal(register_once(&r)->code, 401);
	assert_true(t.answer[0].a.refused_credentials);
	assert_int_equal(t.requests, 1);
}

/* ---- silence and refusal ------------------------------------------------------------------ */

static void late_answer(void **state)
{
	struct reg_message r = request(&d, 1);
	struct sip_head h;
	const char *why;
	char out[TEXT];

	(void)state;
	t.script = silent;
	r.budget_ms = 50;
	assert_int_equal(register_once(&r)->code, 0);
	assert_false(t.answer[0].a.transport_failed);
	assert_int_equal(sip_precheck(&h, t.request[0], strlen(t.request[0]), &why), SIP_FINE);
	grant(&h, out, 480);
	peer_send(out);
	assert_true(run_until(two_answers));
	assert_true(t.answer[1].a.late);
	assert_true(t.answer[1].a.bound);
	assert_int_equal(t.answer[1].a.code, 200);
	assert_int_equal(t.answer[1].a.expires, 480);
	peer_send(out); /* once is enough */
	assert_false(run_for(50, never));
	assert_int_equal(t.answers, 2);
	assert_int_equal(sip_stack_stats(t.stack)->unmatched, 1);
}

static bool one_unmatched(void)
{
	return sip_stack_stats(t.stack)->unmatched > 0;
}

/* The account is gone, and another one has its place: what it asked is given up. */
static void late_for_a_former_account(void **state)
{
	struct reg_message r = request(&d, 1);
	struct sip_head h;
	const char *why;
	char out[TEXT];

	(void)state;
	t.script = silent;
	r.budget_ms = 50;
	assert_int_equal(register_once(&r)->code, 0);
	assert_int_equal(sip_precheck(&h, t.request[0], strlen(t.request[0]), &why), SIP_FINE);
	reply_to(&h, out, "200 OK", "Contact: *\r\nService-Route: <sip:foreign;lr>\r\n");
	drop(&d);
	memset(&d, 0, sizeof d);
	d.id[0] = 1;
	peer_send(out);
	assert_true(run_until(one_unmatched));
	assert_int_equal(t.answers, 1);
	assert_null(d.memo);
}

static void a_retransmission_is_told(void **state)
{
	struct reg_message r = request(&d, 1);

	(void)state;
	t.script = slow;
	assert_true(register_once(&r)->repeated);
	assert_int_equal(t.requests, 2);
	assert_string_equal(t.request[0], t.request[1]);
}

static bool one_request(void)
{
	return t.requests >= 1;
}

static void an_answer_before_a_stall_counts(void **state)
{
	struct reg_message r = request(&d, 1);
	rg_ms end;

	(void)state;
	assert_false(run_for(50, never)); /* the pause between two tests was a stall, too */
	t.script = busy;
	assert_int_equal(send_register(&r), 0);
	assert_true(run_until(one_request));
	assert_int_equal(t.answers, 0); /* it waits in the socket */
	for (end = sip_loop_clock() + 700; sip_loop_clock() < end;)
		; /* past T1 */
	assert_true(run_until(one_answer));
	assert_false(run_for(50, never));
	assert_int_equal(t.answer[0].a.code, 503);
	assert_int_equal(t.requests, 1);
}

static void forgotten_is_forgotten(void **state)
{
	const struct reg_port *p = sip_stack_port(t.stack);
	struct reg_message r = request(&d, 9);

	(void)state;
	t.script = digest;
	assert_int_equal(send_register(&r), 0);
	assert_int_equal(send_register(&r), EEXIST);
	p->forget(p->arg, 9);
	assert_false(run_for(50, never));
	assert_int_equal(t.answers, 0);
	assert_int_equal(t.requests, 1);
}

static void a_closed_port_is_noticed_at_once(void **state)
{
	struct reg_message r = request(&d, 1), alive = request(&d, 2);
	struct reg_dialogue other = { .id = { 1 } };

	(void)state;
	t.script = slow;
	alive.dialogue = &other;
	assert_int_equal(send_register(&alive), 0); /* its first is not answered */
	r.server.port = free_port(SOCK_DGRAM);
	assert_int_equal(send_register(&r), 0);
	assert_true(run_for(400, one_answer));
	assert_int_equal(t.answer[0].token, 1);
	assert_int_equal(t.answer[0].a.code, 0);
	assert_true(t.answer[0].a.transport_failed);
	assert_true(sip_stack_stats(t.stack)->icmp);
	assert_true(run_until(two_answers));
	assert_int_equal(t.answer[1].a.code, 200);
	drop(&other);
}

enum { MANY = 200 };

static bool all_answered(void)
{
	return t.answers >= MANY;
}

/* Errors told for one destination leave the other's datagrams alone. */
static void many_at_a_closed_port(void **state)
{
	static struct reg_dialogue many[MANY];
	uint16_t closed = free_port(SOCK_DGRAM);
	const struct reg_port *p = sip_stack_port(t.stack);

	(void)state;
	t.script = digest;
	sip_loop_enter(t.loop);
	for (unsigned i = 0; i < MANY; i++) {
		struct reg_message r = request(&many[i], 1000 + i);

		r.server.port = i % 2 ? closed : t.addr.port;
		many[i].id[0] = (uint8_t)i;
		assert_int_equal(p->send_register(p->arg, &r), 0);
	}
	sip_loop_leave(t.loop);
	assert_true(run_until(all_answered));
	assert_int_equal(t.registered, MANY / 2);
	assert_int_equal(t.refused, MANY / 2);
	for (unsigned i = 0; i < MANY; i++)
		drop(&many[i]);
}

/* ---- TCP ------------------------------------------------------------------------------------ */

static void over_tcp(void **state)
{
	struct reg_message r;
	const struct reg_answer *a;
	char contact[120];

	(void)state;
	use_tcp();
	t.script = digest;
	r = request(&d, 1);
	a = register_once(&r);
	assert_int_equal(a->code, 200);
	assert_int_equal(a->expires, 480);
	snprintf(contact, sizeof contact,
		 "<sip:line1@127.0.0.1:%u;rg=0011223344556677;transport=tcp>", t.local.tcp);
	assert_true(has(1, contact));
	assert_true(has(0, "Via: SIP/2.0/TCP 127.0.0.1:"));
	r.token = 2;
	register_once(&r);
	assert_int_equal(t.requests, 3);
	assert_int_equal(sip_stack_stats(t.stack)->connected, 1);
}

static void a_broken_connection_is_told(void **state)
{
	struct reg_message r;

	(void)state;
	use_tcp();
	t.script = digest;
	r = request(&d, 1);
	register_once(&r);
	peer_close();
	assert_true(run_until(one_disconnect));
	assert_int_equal(t.answers, 1);
	assert_int_equal(sip_stack_stats(t.stack)->connections, 0);
}

static void hang_up(unsigned n, const char *q, const struct sip_head *h, char *out)
{
	(void)n, (void)q, (void)h;
	*out = '\0';
	peer_close();
}

static void a_break_fails_what_is_in_flight(void **state)
{
	struct reg_message r;

	(void)state;
	use_tcp();
	t.script = hang_up;
	r = request(&d, 1);
	assert_int_equal(register_once(&r)->code, 0);
	assert_true(t.answer[0].a.transport_failed);
	assert_true(run_until(one_disconnect)); /* after a short random wait */
}

static void a_refused_connection_is_no_disconnect(void **state)
{
	struct reg_message r = request(&d, 1);

	(void)state;
	r.server.transport = RG_TCP;
	r.server.port = free_port(SOCK_STREAM);
	assert_int_equal(register_once(&r)->code, 0);
	assert_true(t.answer[0].a.transport_failed);
	assert_int_equal(t.disconnects, 0);
}

/* Nothing at all comes: the next request opens another connection. */
static void a_dead_connection_is_given_up(void **state)
{
	struct reg_message r;

	(void)state;
	use_tcp();
	t.script = silent;
	r = request(&d, 1);
	r.budget_ms = 60;
	assert_int_equal(register_once(&r)->code, 0);
	assert_false(t.answer[0].a.transport_failed);
	assert_int_equal(sip_stack_stats(t.stack)->connections, 0);
	assert_true(run_until(one_disconnect));
	t.script = digest;
	r.token = 2;
	r.budget_ms = 4000;
	assert_int_equal(register_once(&r)->code, 200);
	assert_int_equal(sip_stack_stats(t.stack)->connected, 2);
}

static void half_silent(unsigned n, const char *q, const struct sip_head *h, char *out)
{
	if (n)
		digest(n, q, h, out);
}

static bool one_registered(void)
{
	return t.registered >= 1;
}

/* Only one request is not answered: the connection is fine. */
static void a_connection_that_speaks_stays(void **state)
{
	struct reg_dialogue other = { .id = { 1 } };
	struct reg_message r, s;

	(void)state;
	use_tcp();
	t.script = half_silent;
	r = request(&d, 1);
	s = request(&other, 2);
	r.budget_ms = 100;
	assert_int_equal(send_register(&r), 0);
	assert_int_equal(send_register(&s), 0);
	assert_true(run_until(one_registered));
	assert_true(run_until(two_answers));
	assert_int_equal(sip_stack_stats(t.stack)->connections, 1);
	drop(&other);
}

static bool pinged_twice(void)
{
	return t.pings >= 2;
}

static void pings_want_pongs(void **state)
{
	struct reg_message r;

	(void)state;
	use_tcp();
	t.script = digest;
	sip_stack_ping(t.stack, 20);
	r = request(&d, 1);
	register_once(&r);
	assert_true(run_until(pinged_twice));
	assert_int_equal(t.disconnects, 0);
	sip_stack_ping(t.stack, 0);
	assert_int_equal(sip_stack_stats(t.stack)->connections, 1);
}

static void pieces(unsigned n, const char *q, const struct sip_head *h, char *out)
{
	char text[TEXT];
	size_t len;

	(void)n, (void)q;
	grant(h, text, 77);
	len = strlen(text);
	for (size_t i = 0; i < len; i += 7)
		assert_true(write(t.conn_fd, text + i, len - i < 7 ? len - i : 7) > 0);
	*out = '\0';
}

static void a_message_in_pieces_is_one(void **state)
{
	struct reg_message r;

	(void)state;
	use_tcp();
	t.script = pieces;
	r = request(&d, 1);
	assert_int_equal(register_once(&r)->expires, 77);
}

/* ---- probes ---------------------------------------------------------------------------------- */

static int send_probe(const struct reg_probe *q)
{
	const struct reg_port *p = sip_stack_port(t.stack);
	int err;

	t.probes = 0;
	sip_loop_enter(t.loop);
	err = p->send_probe(p->arg, q);
	sip_loop_leave(t.loop);
	return err;
}

static void probes(void **state)
{
	struct reg_probe p = { .token = 5, .server = t.addr, .tls_name = "",
			       .request_host = "itsp.example", .budget_ms = 4000,
			       .retransmissions = 255 };

	(void)state;
	t.script = busy;
	assert_int_equal(send_probe(&p), 0);
	assert_true(run_until(one_probe));
	assert_int_equal(t.probe_code, 503);
	assert_true(has(0, "OPTIONS sip:itsp.example SIP/2.0\r\n"));
	p.user = "alice";
	p.host = "home.example";
	p.contact = "nobody";
	assert_int_equal(send_probe(&p), 0);
	assert_true(run_until(one_probe));
	assert_true(has(1, "REGISTER sip:itsp.example SIP/2.0\r\n"));
	assert_true(has(1, "To: <sip:alice@home.example>\r\n"));
	assert_true(has(1, "Contact: <sip:nobody@127.0.0.1:"));
	assert_true(has(1, "Expires: 0\r\n"));
	p.contact = NULL; /* it only asks */
	assert_int_equal(send_probe(&p), 0);
	assert_true(run_until(one_probe));
	assert_true(has(2, "From: <sip:alice@home.example>;tag="));
	assert_false(has(2, "\r\nContact:"));
	p.host = "home.example>";
	assert_int_equal(send_probe(&p), EINVAL);
	p.host = "home.example";
	t.script = silent;
	p.budget_ms = 40;
	p.retransmissions = 0;
	assert_int_equal(send_probe(&p), 0);
	assert_true(run_until(one_probe));
	assert_int_equal(t.probe_code, 0);
	assert_int_equal(t.requests, 4);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(fresh_then_refresh),
		TEST(another_server_gets_no_nonce),
		TEST(identity_in_all_its_forms),
		TEST(a_string_that_breaks_the_message_is_refused),
		TEST(long_headers_get_a_larger_buffer),
		TEST(contact_follows_what_the_server_saw),
		TEST(un_register_answers_a_challenge),
		TEST(routes_are_replaced),
		TEST(lies_are_told_as_they_are),
		TEST(without_credentials_a_challenge_is_the_end),
		TEST(late_answer),
		TEST(late_for_a_former_account),
		TEST(a_retransmission_is_told),
		TEST(an_answer_before_a_stall_counts),
		TEST(forgotten_is_forgotten),
		TEST(a_closed_port_is_noticed_at_once),
		TEST(many_at_a_closed_port),
		TEST(over_tcp),
		TEST(a_broken_connection_is_told),
		TEST(a_break_fails_what_is_in_flight),
		TEST(a_refused_connection_is_no_disconnect),
		TEST(a_dead_connection_is_given_up),
		TEST(a_connection_that_speaks_stays),
		TEST(pings_want_pongs),
		TEST(a_message_in_pieces_is_one),
		TEST(probes),
	};

	return cmocka_run_group_tests_name("sip_register", tests, NULL, NULL);
}
