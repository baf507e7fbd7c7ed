/* The subscriber of the reg event package against a scripted notifier on loopback. */
#include "unit/sip_peer.h"

#define REGINFO "Content-Type: application/reginfo+xml\r\n"
#define RECORD_ROUTE "Record-Route: <sip:r1;lr>, <sip:r2;lr>\r\n"

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
	assert_null(d.subscription);
	return tear_down(state);
}

static bool has(unsigned n, const char *text)
{
	return strstr(t.request[n % MOST_SEEN], text);
}

/* ---- the notifier ------------------------------------------------------------------------ */

/* What the peer got: requests of ours, and answers to its own. */
static unsigned last_code;

static void accept_it(const struct sip_head *h, char *out, const char *more)
{
	char lines[512];
	struct span to = sip_value(h, H_TO);
	bool tagged = sip_tag(to).p;
	char *tag;

	snprintf(lines, sizeof lines, "Contact: <sip:notifier@127.0.0.1:%u;x=1>\r\n%s", t.addr.port,
		 more);
	reply_to(h, out, "200 OK", lines);
	tag = tagged ? strstr(out, ";tag=peer\r\n") : NULL;
	if (tag) /* reply_to has added one where it had one */
		memmove(tag, tag + 9, strlen(tag + 9) + 1);
}

static void granted(unsigned n, const char *q, const struct sip_head *h, char *out)
{
	(void)n, (void)q;
	last_code = h->code;
	if (h->request)
		accept_it(h, out, "Expires: 300\r\n" RECORD_ROUTE);
}

static void silent(unsigned n, const char *q, const struct sip_head *h, char *out)
{
	(void)n, (void)q, (void)out;
	last_code = h->code;
}

static const char *status; /* of the next answers */
static void refusing(unsigned n, const char *q, const struct sip_head *h, char *out)
{
	last_code = h->code;
	if (h->request && status)
		reply_to(h, out, status, "Retry-After: 7\r\n");
	else if (h->request)
		granted(n, q, h, out);
}

static void challenging(unsigned n, const char *q, const struct sip_head *h, char *out)
{
	last_code = h->code;
	if (h->request && !strstr(q, "\r\nAuthorization: Digest "))
		reply_to(h, out, "401 Unauthorized",
			 "WWW-Authenticate: Digest realm=\"x\", nonce=\"n1\", qop=\"auth\"\r\n");
	else if (h->request && !strncmp(q, "REGISTER", 8))
		reply_to(h, out, "200 OK", "Service-Route: <sip:s1;lr>\r\n");
	else
		granted(n, q, h, out);
}

struct notify {
	unsigned of;	  /* the SUBSCRIBE it follows from */
	unsigned cseq;
	const char *from_tag, *to_tag, *call_id; /* NULL: as they ought to be */
	const char *event, *state, *headers, *body;
};

static unsigned seen, told;
static bool one_more(void)
{
	return t.requests > seen;
}

/* A substring of a request of ours, without its end. */
static void part(unsigned of, const char *before, size_t n, char *out)
{
	const char *p = strstr(t.request[of % MOST_SEEN], before);

	assert_non_null(p);
	memcpy(out, p + strlen(before), n);
	out[n] = '\0';
}

static void send_from(int fd, const char *text)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(t.local.udp) };

	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	assert_int_equal(sendto(fd, text, strlen(text), 0, (struct sockaddr *)&to, sizeof to),
			 strlen(text));
}

static void write_notify(const struct notify *n, char *text, size_t size)
{
	static unsigned branches;
	char id[33], tag[17];
	const char *body = n->body ? n->body : "";

	part(n->of, "\r\nCall-ID: ", 32, id);
	part(n->of, ";tag=", 16, tag);
	snprintf(text, size,
		 "NOTIFY sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;rport;"
		 "branch=z9hG4bKn%u\r\nMax-Forwards: 70\r\nFrom: <sip:a@b>;tag=%s\r\n"
		 "To: <sip:a@b>;tag=%s\r\nCall-ID: %s\r\nCSeq: %u NOTIFY\r\n"
		 "Contact: <sip:other@127.0.0.1:%u>\r\n%s%s%sContent-Length: %zu\r\n\r\n%s",
		 t.addr.port, ++branches, n->from_tag ? n->from_tag : "peer",
		 n->to_tag ? n->to_tag : tag, n->call_id ? n->call_id : id, n->cseq, t.addr.port,
		 n->event ? n->event : "Event: reg\r\n",
		 n->state ? n->state : "Subscription-State: active;expires=300\r\n",
		 n->headers ? n->headers : "", strlen(body), body);
}

/* Send it, and return the code of the answer. */
static unsigned notify(const struct notify *n)
{
	static char text[65536];

	write_notify(n, text, sizeof text);
	seen = t.requests;
	send_from(t.fd, text);
	assert_true(run_until(one_more));
	return last_code;
}

static const char *body(const char *state, const char *event, const char *more, unsigned version,
			const char *fullness)
{
	static char text[1024];

	snprintf(text, sizeof text,
		 "<?xml version=\"1.0\"?><reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" "
		 "version=\"%u\" state=\"%s\"><registration aor=\"sip:+4930123@itsp.example\" id=\"1\""
		 " state=\"active\"><contact id=\"c\" state=\"%s\" event=\"%s\" %s><uri>sip:x@y;"
		 "rg=0011223344556677</uri></contact></registration></reginfo>", version, fullness,
		 state, event, more);
	return text;
}

/* ---- asking -------------------------------------------------------------------------------- */

static int subscribe(const struct reg_message *r)
{
	const struct reg_port *p = sip_stack_port(t.stack);
	int err;

	sip_loop_enter(t.loop);
	err = p->subscribe(p->arg, r);
	sip_loop_leave(t.loop);
	return err;
}

static bool one_word(void)
{
	return t.subscribed > told;
}

/* One SUBSCRIBE and its end; returns the code. */
static unsigned subscribe_once(struct reg_message *r)
{
	told = t.subscribed;
	assert_int_equal(subscribe(r), 0);
	assert_true(run_until(one_word));
	assert_int_equal(t.subscription.token, r->token);
	r->token++;
	return t.subscription.code;
}

static bool same_dialog(unsigned a, unsigned b)
{
	char x[33], y[33];

	part(a, "\r\nCall-ID: ", 32, x);
	part(b, "\r\nCall-ID: ", 32, y);
	return !strcmp(x, y);
}

static void a_dialog_and_its_refresh(void **state)
{
	struct reg_message r = request(&d, 11);
	char text[200];

	(void)state;
	t.script = granted;
	assert_int_equal(subscribe_once(&r), 200);
	assert_int_equal(t.subscription.expires, 300);
	assert_true(has(0, "SUBSCRIBE sip:+4930123@itsp.example SIP/2.0\r\n"));
	assert_true(has(0, "From: <sip:+4930123@itsp.example>;tag="));
	assert_true(has(0, "To: <sip:+4930123@itsp.example>\r\n"));
	assert_true(has(0, "\r\nEvent: reg\r\n"));
	assert_true(has(0, "\r\nAccept: application/reginfo+xml\r\n"));
	assert_true(has(0, "\r\nExpires: 600\r\n"));
	assert_true(has(0, "CSeq: 1 SUBSCRIBE\r\n"));
	snprintf(text, sizeof text, "Contact: <sip:line1@127.0.0.1:%u;rg=0011223344556677>\r\n",
		 t.local.udp);
	assert_true(has(0, text));
	assert_false(has(0, "00112233445566778899aabbccddeeff")); /* REGISTER's Call-ID */
	assert_false(has(0, "Route:"));
	assert_int_equal(d.cseq, 0);

	assert_int_equal(subscribe_once(&r), 200);
	assert_true(same_dialog(0, 1));
	snprintf(text, sizeof text, "SUBSCRIBE sip:notifier@127.0.0.1:%u;x=1 SIP/2.0\r\n",
		 t.addr.port);
	assert_true(has(1, text));
	assert_true(has(1, "To: <sip:+4930123@itsp.example>;tag=peer\r\n"));
	assert_true(has(1, "Route: <sip:r2;lr>, <sip:r1;lr>\r\n"));
	assert_true(has(1, "CSeq: 2 SUBSCRIBE\r\n"));
}

static void what_register_left_is_used(void **state)
{
	struct reg_message r = request(&d, 11), s = request(&d, 12);

	(void)state;
	t.script = challenging;
	assert_int_equal(register_once(&r)->code, 200);
	assert_int_equal(t.requests, 2);
	assert_int_equal(subscribe_once(&s), 200);
	assert_int_equal(t.requests, 3); /* the nonce was kept */
	assert_true(has(2, "Route: <sip:s1;lr>\r\n"));
	assert_true(has(2, "nonce=\"n1\""));
	assert_true(has(2, "nc=00000002"));
	assert_true(has(2, "uri=\"sip:+4930123@itsp.example\""));
	assert_int_equal(d.cseq, 2);
}

static void challenges_are_met(void **state)
{
	struct reg_message r = request(&d, 11);

	(void)state;
	t.script = challenging;
	assert_int_equal(subscribe_once(&r), 200);
	assert_int_equal(t.requests, 2);
	assert_true(has(1, "CSeq: 2 SUBSCRIBE\r\n"));
	r.username = "";
	drop(&d);
	assert_int_equal(subscribe_once(&r), 401);
	assert_int_equal(t.requests, 3);
}

static void ever_too_brief(unsigned n, const char *q, const struct sip_head *h, char *out)
{
	char more[64];

	(void)q;
	snprintf(more, sizeof more, "Retry-After: 7\r\nMin-Expires: %u\r\n", 4000 + n);
	reply_to(h, out, "423 Interval Too Brief", more);
}

static void too_brief_is_met_once(void **state)
{
	struct reg_message r = request(&d, 11);

	(void)state;
	t.script = ever_too_brief;
	assert_int_equal(subscribe_once(&r), 423);
	assert_int_equal(t.requests, 2);
	assert_true(has(1, "\r\nExpires: 4000\r\n"));
	assert_false(has(1, "\r\nExpires: 600\r\n"));
	assert_int_equal(t.subscription.retry_after, 7);
	assert_null(d.subscription);
}

static void refusals(void **state)
{
	struct reg_message r = request(&d, 11);

	(void)state;
	t.script = refusing;
	status = NULL;
	assert_int_equal(subscribe_once(&r), 200);
	status = "503 Service Unavailable";
	assert_int_equal(subscribe_once(&r), 503);
	status = "481 Call Does Not Exist";
	assert_int_equal(subscribe_once(&r), 481);
	assert_true(same_dialog(0, 1) && same_dialog(1, 2));
	assert_null(d.subscription);
	status = NULL;
	assert_int_equal(subscribe_once(&r), 200);
	assert_false(same_dialog(2, 3));
	assert_true(has(3, "To: <sip:+4930123@itsp.example>\r\n"));
}

static void silence(void **state)
{
	struct reg_message r = request(&d, 11);
	const struct reg_port *p = sip_stack_port(t.stack);

	(void)state;
	t.script = silent;
	r.budget_ms = 50;
	r.retransmissions = 0;
	assert_int_equal(subscribe_once(&r), 0);
	assert_null(d.subscription);
	r.budget_ms = 4000;
	assert_int_equal(subscribe(&r), 0);
	assert_int_equal(subscribe(&r), EEXIST);
	r.token++;
	assert_int_equal(subscribe(&r), EALREADY);
	p->forget(p->arg, r.token - 1);
	assert_int_equal(subscribe(&r), 0); /* anew: what was pending never had a dialog */
	p->forget(p->arg, r.token);
	r.expires = 0;
	assert_int_equal(subscribe(&r), ENOENT);
	assert_null(d.subscription);
	r.aor_host = "not fit";
	r.expires = 60;
	assert_int_equal(subscribe(&r), EINVAL);
	assert_null(d.subscription);
}

static void of_another_server(void **state)
{
	struct reg_message r = request(&d, 11);
	struct notify n = { .cseq = 5 };

	(void)state;
	t.script = granted;
	assert_int_equal(subscribe_once(&r), 200);
	rg_addr_parse_ip(&r.server, "127.0.0.9");
	r.budget_ms = 50;
	subscribe_once(&r); /* and what REGISTER knows of its server stays */
	assert_true(rg_addr_equal(&((struct sip_memo *)d.memo)->server, &t.addr));
	assert_int_equal(notify(&n), 481);
	assert_int_equal(t.notified, 0);
}

/* ---- ending ------------------------------------------------------------------------------- */

static void an_end(void **state)
{
	struct reg_message r = request(&d, 11);
	struct notify n = { .cseq = 5, .headers = REGINFO };

	(void)state;
	t.script = granted;
	assert_int_equal(subscribe_once(&r), 200);
	r.expires = 0;
	assert_int_equal(subscribe_once(&r), 200);
	assert_true(same_dialog(0, 1));
	assert_true(has(1, "\r\nExpires: 0\r\n"));
	n.body = body("terminated", "rejected", "", 0, "full");
	assert_int_equal(notify(&n), 200);
	n.cseq++;
	n.state = "Subscription-State: terminated;reason=timeout\r\n";
	n.body = "";
	assert_int_equal(notify(&n), 200);
	assert_int_equal(t.notified, 0);
	assert_null(d.subscription);
	n.cseq++;
	assert_int_equal(notify(&n), 481);
	assert_int_equal(subscribe(&r), ENOENT);
}

static bool four_requests(void)
{
	return t.requests >= 4;
}

/* The account goes, and its credentials with it: the good-bye is said all the same. */
static void an_end_outlives_its_account(void **state)
{
	struct reg_message r = request(&d, 11);
	char *username = strdup("alice"), *password = strdup("secret");

	(void)state;
	t.script = challenging;
	assert_int_equal(subscribe_once(&r), 200);
	assert_int_equal(t.requests, 2);
	r.expires = 0;
	r.username = username;
	r.password = password;
	assert_int_equal(subscribe(&r), 0);
	drop(&d);
	memset(username, 'x', 5);
	memset(password, 'x', 6);
	assert_true(run_until(four_requests));
	assert_true(has(3, "\r\nExpires: 0\r\n"));
	assert_true(has(3, "\r\nAuthorization: Digest username=\"alice\""));
	told = 1;
	assert_true(run_until(one_word));
	free(username);
	free(password);
}

static void an_account_goes(void **state)
{
	struct reg_message r = request(&d, 11);
	struct notify n = { .cseq = 5 };

	(void)state;
	t.script = granted;
	assert_int_equal(subscribe_once(&r), 200);
	drop(&d);
	assert_int_equal(notify(&n), 481);
}

/* ---- notifications -------------------------------------------------------------------------- */

static void effects(void **state)
{
	static const struct {
		const char *state, *event, *more;
		uint8_t what;
		uint32_t expires, retry_after;
	} rows[] = {
		{ "active", "registered", "expires=\"3600\"", RG_N_ACTIVE, 3600, 0 },
		{ "active", "shortened", "expires=\"30\"", RG_N_SHORTENED, 30, 0 },
		{ "terminated", "probation", "retry-after=\"90\"", RG_N_PROBATION, 0, 90 },
		{ "terminated", "unregistered", "", RG_N_UNREGISTERED, 0, 0 },
	};
	struct reg_message r = request(&d, 11);
	struct notify n = { .cseq = 1, .headers = REGINFO };

	(void)state;
	t.script = granted;
	assert_int_equal(subscribe_once(&r), 200);
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++, n.cseq += 3) {
		n.body = body(rows[i].state, rows[i].event, rows[i].more, i, i ? "partial" : "full");
		assert_int_equal(notify(&n), 200);
		assert_int_equal(t.notified, i + 1);
		assert_int_equal(t.notice[i].what, rows[i].what);
		assert_int_equal(t.notice[i].expires, rows[i].expires);
		assert_int_equal(t.notice[i].retry_after, rows[i].retry_after);
		assert_false(t.notice[i].gap || t.notice[i].terminated);
	}
	n.body = body("active", "created", "", 9, "partial");
	n.state = "Subscription-State: active ; expires=77\r\n";
	assert_int_equal(t.notice[0].left, 300);
	assert_int_equal(notify(&n), 200);
	assert_int_equal(t.notice[4].left, 77);
	assert_true(t.notice[4].gap);
	assert_int_equal(t.notice[4].what, RG_N_NONE);
	n.cseq++;
	n.body = n.headers = ""; /* nothing to say */
	assert_int_equal(notify(&n), 200);
	assert_int_equal(t.notified, 5);
}

static void reasons(void **state)
{
	static const struct {
		const char *state;
		uint8_t reason;
		uint32_t retry_after;
	} rows[] = {
		{ "terminated", REG_R_NONE, 0 },
		{ "Terminated;reason=deactivated", REG_R_DEACTIVATED, 0 },
		{ "terminated ;retry-after=60; reason=probation", REG_R_PROBATION, 60 },
		{ "terminated;reason=rejected", REG_R_REJECTED, 0 },
		{ "terminated;reason=timeout", REG_R_TIMEOUT, 0 },
		{ "terminated;reason=giveup;retry-after=5", REG_R_GIVEUP, 5 },
		{ "terminated;reason=noresource", REG_R_NORESOURCE, 0 },
		{ "terminated;reason=invariant", REG_R_INVARIANT, 0 },
		{ "terminated;reason=of-tomorrow", REG_R_NONE, 0 },
	};
	struct reg_message r = request(&d, 11);
	char line[128];

	(void)state;
	t.script = granted;
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct notify n = { .of = t.requests, .cseq = 1, .state = line };

		assert_int_equal(subscribe_once(&r), 200);
		snprintf(line, sizeof line, "Subscription-State: %s\r\n", rows[i].state);
		assert_int_equal(notify(&n), 200);
		assert_int_equal(t.notified, i + 1);
		assert_true(t.notice[i].terminated);
		assert_int_equal(t.notice[i].reason, rows[i].reason);
		assert_int_equal(t.notice[i].retry_after, rows[i].retry_after);
		assert_int_equal(t.notice[i].what, RG_N_NONE);
		assert_null(d.subscription);
	}
}

static void before_the_answer(void **state)
{
	struct reg_message r = request(&d, 11);
	struct notify n = { .cseq = 7, .from_tag = "fork1", .headers = REGINFO RECORD_ROUTE };
	char out[TEXT];
	struct sip_head h;
	const char *why;

	(void)state;
	t.script = silent;
	seen = 0;
	assert_int_equal(subscribe(&r), 0);
	assert_true(run_until(one_more));
	n.body = body("active", "registered", "", 0, "full");
	assert_int_equal(notify(&n), 200);
	assert_true(has(1, "Record-Route: <sip:r1;lr>, <sip:r2;lr>\r\n"));
	assert_int_equal(t.notified, 1);
	n.from_tag = "fork2";
	n.cseq = 9;
	assert_int_equal(notify(&n), 481);
	assert_int_equal(sip_precheck(&h, t.request[0], strlen(t.request[0]), &why), SIP_FINE);
	accept_it(&h, out, "Expires: 100\r\n"); /* of fork "peer": too late */
	told = 0;
	peer_send(out);
	assert_true(run_until(one_word));
	assert_int_equal(t.subscription.code, 200);
	t.script = granted;
	r.token++;
	assert_int_equal(subscribe_once(&r), 200);
	assert_true(has(3, "To: <sip:+4930123@itsp.example>;tag=fork1\r\n"));
	assert_true(has(3, "Route: <sip:r1;lr>, <sip:r2;lr>\r\n"));
	assert_true(has(3, "SUBSCRIBE sip:other@127.0.0.1:"));
}

static void refused_notifications(void **state)
{
	struct {
		const char *what;
		unsigned code;
		struct notify n;
	} rows[] = {
		{ "another Call-ID", 481, { .call_id = "0123456789abcdef0123456789abcdef" } },
		{ "no Call-ID of ours", 481, { .call_id = "x" } },
		{ "another tag of ours", 481, { .to_tag = "0123456789abcdef" } },
		{ "another tag of theirs", 481, { .from_tag = "else" } },
		{ "another event", 489, { .event = "Event: presence\r\n" } },
		{ "an event with an id", 489, { .event = "o: reg;id=3\r\n" } },
		{ "no event", 489, { .event = "" } },
		{ "no state", 400, { .state = "" } },
		{ "an empty state", 400, { .state = "Subscription-State: ;reason=x\r\n" } },
		{ "two states", 400, { .state = "Subscription-State: active\r\n"
						"Subscription-State: active\r\n" } },
		{ "an old CSeq", 500, { .cseq = 10 } },
		{ "an older CSeq", 500, { .cseq = 9 } },
		{ "another type", 415, { .headers = "Content-Type: text/plain\r\n", .body = "x" } },
		{ "no type", 415, { .headers = "", .body = "x" } },
		{ "zipped", 415, { .headers = REGINFO "e: gzip\r\n", .body = "x" } },
		{ "malformed", 400, { .headers = REGINFO, .body = "<reginfo>" } },
		{ "entities", 400, { .headers = REGINFO, .body = "<!DOCTYPE x [<!ENTITY a \"b\">]>"
				"<reginfo version=\"1\" state=\"full\"/>" } },
		{ "an extension", 420, { .headers = "Require: eventlist\r\n" } },
	};
	struct reg_message r = request(&d, 11);
	struct notify good = { .cseq = 10, .headers = REGINFO };

	(void)state;
	t.script = granted;
	assert_int_equal(subscribe_once(&r), 200);
	good.body = body("active", "registered", "", 0, "full");
	assert_int_equal(notify(&good), 200);
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		rows[i].n.cseq = rows[i].n.cseq ? rows[i].n.cseq : 11;
		if (notify(&rows[i].n) != rows[i].code)
			fail_msg("%s: %u, not %u", rows[i].what, last_code, rows[i].code);
		assert_int_equal(t.notified, 1);
		if (rows[i].code == 415)
			assert_true(has(t.requests - 1, "Accept: application/reginfo+xml\r\n"));
		if (rows[i].code == 489)
			assert_true(has(t.requests - 1, "Allow-Events: reg\r\n"));
	}
	good.cseq = 11; /* nothing of it has changed anything */
	good.body = body("terminated", "rejected", "", 1, "partial");
	assert_int_equal(notify(&good), 200);
	assert_int_equal(t.notice[1].what, RG_N_REJECTED);
}

static bool two_notices(void)
{
	return t.notified >= 2;
}

static void from_anywhere_however_large(void **state)
{
	static char large[50000], text[65536];
	struct reg_message r = request(&d, 11);
	struct notify n = { .cseq = 1, .headers = REGINFO, .body = large };
	struct rg_addr other = { 0 };
	int fd = bound(SOCK_DGRAM, &other);

	(void)state;
	t.script = granted;
	assert_int_equal(subscribe_once(&r), 200);
	memset(large, ' ', sizeof large - 1);
	memcpy(large, "<reginfo version=\"0\" state=\"full\">", 34);
	memcpy(large + 40000, "<registration aor=\"sip:a@b\" state=\"terminated\"/></reginfo>", 58);
	assert_int_equal(notify(&n), 200);
	assert_int_equal(t.notice[0].what, RG_N_TERMINATED);
	n.cseq = 2;
	n.body = body("active", "created", "", 1, "partial");
	write_notify(&n, text, sizeof text);
	send_from(fd, text);
	assert_true(run_until(two_notices));
	assert_int_equal(t.notice[1].what, RG_N_ACTIVE);
	send_from(fd, text); /* repeated: answered again, not told again */
	n.cseq = 3;
	assert_int_equal(notify(&n), 200);
	assert_int_equal(t.notified, 2);
	close(fd);
}

#define FLOW(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FLOW(a_dialog_and_its_refresh),
		FLOW(what_register_left_is_used),
		FLOW(challenges_are_met),
		FLOW(too_brief_is_met_once),
		FLOW(refusals),
		FLOW(silence),
		FLOW(of_another_server),
		FLOW(an_end),
		FLOW(an_end_outlives_its_account),
		FLOW(an_account_goes),
		FLOW(effects),
		FLOW(reasons),
		FLOW(before_the_answer),
		FLOW(refused_notifications),
		FLOW(from_anywhere_however_large),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
