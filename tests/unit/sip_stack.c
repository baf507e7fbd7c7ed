/* The stack as a server, its interfaces at reload, and what its trace shows. */
#include "sip/mask.h"
#include "sip/message.h"
#include "sip/transaction.h"
#include "unit/sip_peer.h"

static unsigned got;
static char reply[MOST_SEEN][TEXT];

static void note_reply(int fd, int events, void *arg)
{
	ssize_t n;

	(void)events, (void)arg;
	while ((n = recv(fd, reply[got % MOST_SEEN], TEXT - 1, MSG_DONTWAIT)) > 0)
		reply[got++ % MOST_SEEN][n] = '\0';
}

static bool one_reply(void)
{
	return got >= 1;
}

static struct sockaddr_in to_stack(uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, "127.0.0.1", &sa.sin_addr);
	return sa;
}

static void send_raw(const char *text, size_t n)
{
	struct sockaddr_in sa = to_stack(t.local.udp);

	assert_int_equal(sendto(t.fd, text, n, 0, (struct sockaddr *)&sa, sizeof sa), n);
}

/* What is answered to text, or "" when it must be silence. */
static const char *ask_raw(const char *text, bool silence)
{
	got = 0;
	reply[0][0] = '\0';
	send_raw(text, strlen(text));
	if (silence)
		assert_false(run_for(30, one_reply));
	else
		assert_true(run_until(one_reply));
	return reply[0];
}

static const char *ask(const char *method, const char *uri, const char *via, const char *more)
{
	static unsigned branch;
	char text[TEXT];

	snprintf(text, sizeof text,
		 "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bKt%u%s\r\n"
		 "From: \"A\" <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: x\r\nCSeq: 5 %s\r\n"
		 "%sContent-Length: 0\r\n\r\n", method, uri, t.addr.port, ++branch, via, method,
		 more);
	return ask_raw(text, !strcmp(method, "ACK"));
}

static int begin(void **state)
{
	set_up(state);
	got = 0;
	return sip_loop_fd(t.loop, t.fd, SIP_READ, note_reply, NULL);
}

static bool starts(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* ---- answers ------------------------------------------------------------------------------ */

static void options(void **state)
{
	const char *r = ask("OPTIONS", "sip:127.0.0.1", ";rport;received=9.9.9.9;maddr=192.0.2.1",
			    "");
	char via[160];

	(void)state;
	assert_true(starts(r, "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:"));
	snprintf(via, sizeof via, ";maddr=192.0.2.1;received=127.0.0.1;rport=%u\r\n", t.addr.port);
	assert_non_null(strstr(r, via));
	assert_null(strstr(r, "9.9.9.9"));
	assert_non_null(strstr(r, "\r\nAllow: OPTIONS, NOTIFY\r\n"));
	assert_non_null(strstr(r, "\r\nFrom: \"A\" <sip:a@b>;tag=1\r\nTo: <sip:b@c>;tag="));
	assert_non_null(strstr(r, "\r\nCSeq: 5 OPTIONS\r\n"));
}

static const struct {
	const char *method, *uri, *more, *status;
} asked[] = {
	{ "INVITE", "sip:x@y", "", "SIP/2.0 405 " },
	{ "REGISTER", "sip:y", "", "SIP/2.0 405 " },
	{ "BYE", "sip:x@y", "", "SIP/2.0 481 " },
	{ "NOTIFY", "sip:x@y", "", "SIP/2.0 481 " },
	{ "CANCEL", "sip:x@y", "", "SIP/2.0 481 " },
	{ "DANCE", "sip:x@y", "", "SIP/2.0 501 " },
	{ "OPTIONS", "urn:x", "", "SIP/2.0 416 " },
	{ "OPTIONS", "sip:x", "Require: foo, bar\r\n", "SIP/2.0 420 " },
	{ "OPTIONS", "sip:x", "Max-Forwards: 999\r\n", "SIP/2.0 400 " },
	{ "OPTIONS", "sip:x", "Call-ID: second\r\n", "SIP/2.0 400 " },
	{ "OPTIONS", "sip:x y", "", "SIP/2.0 400 " },
	{ "ACK", "sip:x", "", "" },
};

static void everything_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
		const char *r = ask(asked[i].method, asked[i].uri, ";rport", asked[i].more);

		if (!starts(r, asked[i].status))
			fail_msg("%s: %.*s", asked[i].method, (int)strcspn(r, "\r"), r);
	}
	assert_non_null(strstr(ask("OPTIONS", "sip:x", "", "Require: foo, bar\r\n"),
			       "\r\nUnsupported: foo, bar\r\n"));
	assert_true(starts(ask_raw("OPTIONS sip:x SIP/7.0\r\nVia: SIP/2.0/UDP h;rport\r\nFrom: a\r\n"
				   "To: b\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\r\n", false),
			   "SIP/2.0 505 "));
	assert_int_equal(sip_stack_stats(t.stack)->malformed, 4);
	ask_raw("OPTIONS sip:x SIP/2.0\r\nVia: nonsense\r\n\r\n", true);
	ask_raw("\r\n\r\n", true);
	assert_int_equal(sip_stack_stats(t.stack)->malformed, 5);
}

static void repetitions_get_the_same_answer(void **state)
{
	static const char q[] = "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h;rport;branch=z9hG4bKs"
				"\r\nFrom: a\r\nTo: b\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\r\n";
	char first[TEXT];

	(void)state;
	strcpy(first, ask_raw(q, false));
	assert_string_equal(ask_raw(q, false), first);
	assert_int_equal(sip_stack_stats(t.stack)->repeated, 1);
}

static bool take_messages(void *arg, const struct sip_hop *from, const struct sip_head *h)
{
	assert_int_equal(from->peer.port, t.addr.port);
	++*(unsigned *)arg;
	return span_is(h->method, "MESSAGE");
}

static void others_may_take_requests(void **state)
{
	unsigned n = 0;
	char text[TEXT];

	(void)state;
	sip_stack_on_request(t.stack, take_messages, &n);
	assert_true(starts(ask("INVITE", "sip:x", ";rport", ""), "SIP/2.0 405"));
	assert_true(starts(ask("OPTIONS", "sip:x", ";rport", ""), "SIP/2.0 200"));
	assert_int_equal(n, 1);
	snprintf(text, sizeof text, "MESSAGE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h;rport\r\nFrom: a\r\n"
				    "To: b\r\nCall-ID: c\r\nCSeq: 1 MESSAGE\r\n\r\n");
	ask_raw(text, true);
	assert_int_equal(n, 2);
}

static void never_told(struct sip_server *s, enum sip_server_event e, void *arg)
{
	(void)s, (void)e, (void)arg;
}

static bool answer_180(void *arg, const struct sip_hop *hop, const struct sip_head *h)
{
	const struct sip_parts *p = sip_stack_parts(t.stack);
	struct sip_server *s = sip_server_new(p->ta, hop, h, never_told, NULL);

	++*(unsigned *)arg;
	sip_server_reply(s, 180, sip_message_reply(p->pool, h, hop, 180, NULL, "t", 1, NULL));
	return true;
}

/* RFC 3261 8.2.2.2: what came by two ways is taken once. */
static void a_merged_request_is_a_loop(void **state)
{
	unsigned taken = 0;

	(void)state;
	sip_stack_on_request(t.stack, answer_180, &taken);
	assert_true(starts(ask("INVITE", "sip:x@y", "", ""), "SIP/2.0 180 "));
	assert_true(starts(ask("INVITE", "sip:x@y", "", ""), "SIP/2.0 482 "));
	assert_true(starts(ask("INVITE", "sip:z@y", "", ""), "SIP/2.0 180 "));
	assert_int_equal(taken, 2);
	sip_stack_on_request(t.stack, NULL, NULL);
}

static void unmatched_answers_are_counted(void **state)
{
	(void)state;
	ask_raw("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK000000000000000000000000\r\n"
		"From: a\r\nTo: b\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\n\r\n", true);
	assert_int_equal(sip_stack_stats(t.stack)->unmatched, 1);
}

/* A thousand of the largest datagrams, and those that come after them are served. */
static void hostile_datagrams(void **state)
{
	static char big[60000];

	(void)state;
	memset(big, 'x', sizeof big);
	memcpy(big, "INVITE ", 7);
	for (int i = 0; i < 1000; i++) {
		send_raw(big, sizeof big);
		if (i % 50 == 49)
			run_for(1, never);
	}
	assert_true(starts(ask("OPTIONS", "sip:x", ";rport", ""), "SIP/2.0 200"));
	assert_true(sip_stack_stats(t.stack)->malformed > 500);
}

/* ---- TCP --------------------------------------------------------------------------------------- */

static bool closed;

static void note_stream(int fd, int events, void *arg)
{
	ssize_t n = recv(fd, reply[got % MOST_SEEN], TEXT - 1, MSG_DONTWAIT);

	(void)events, (void)arg;
	if (n <= 0) {
		closed = true;
		close_fd(fd);
		return;
	}
	reply[got++ % MOST_SEEN][n] = '\0';
}

static bool is_closed(void)
{
	return closed;
}

static int connect_to_stack(void)
{
	struct sockaddr_in sa = to_stack(t.local.tcp);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	got = 0;
	closed = false;
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(sip_loop_fd(t.loop, fd, SIP_READ, note_stream, NULL), 0);
	return fd;
}

#define STREAM "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK%s\r\nFrom: a\r\n" \
	"To: b\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"

static void options_over_tcp(void **state)
{
	int fd = connect_to_stack();

	(void)state;
	assert_true(write(fd, "\r\n\r\n", 4) == 4); /* a ping gets its pong */
	assert_true(run_until(one_reply));
	assert_string_equal(reply[0], "\r\n");
	got = 0;
	assert_true(dprintf(fd, STREAM, "1") > 0);
	assert_true(run_until(one_reply));
	assert_true(starts(reply[0], "SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1"));
	close_fd(fd);
}

static void a_flood_of_pings_is_cut_off(void **state)
{
	int fd = connect_to_stack();

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_true(write(fd, "\r\n\r\n", 4) == 4);
	assert_true(run_until(is_closed));
	assert_true(got <= 1);
	assert_int_equal(sip_stack_stats(t.stack)->malformed, 1);
}

/* Most of it comes in one piece, and the rest still wakes us. */
static void a_long_body_in_pieces(void **state)
{
	static char body[60000];
	int fd = connect_to_stack();

	(void)state;
	memset(body, 'b', sizeof body);
	dprintf(fd, "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK9\r\nFrom: a\r\n"
		    "To: b\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\nContent-Length: %zu\r\n\r\n",
		sizeof body);
	for (size_t i = 0; i < sizeof body; i += 20000) {
		assert_false(run_for(10, one_reply));
		assert_int_equal(write(fd, body + i, 20000), 20000);
	}
	assert_true(run_until(one_reply));
	assert_true(starts(reply[0], "SIP/2.0 200 OK\r\n"));
	got = 0;
	assert_true(dprintf(fd, STREAM, "2") > 0);
	assert_true(run_until(one_reply));
	close_fd(fd);
}

static void a_stream_that_cannot_be_framed_is_closed(void **state)
{
	static const char *const bad[] = {
		"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP h\r\n\r\n", /* no Content-Length */
		"OPTIONS sip:x SIP/2.0\r\nContent-Length: 99999\r\n\r\n",
		"x",
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		int fd = connect_to_stack();
		size_t times = strlen(bad[i]) > 1 ? 1 : 20000;

		for (size_t k = 0; k < times; k += 1000) {
			static char x[1000];

			memset(x, 'x', sizeof x);
			if (times > 1 && send(fd, x, sizeof x, MSG_NOSIGNAL) < 0)
				break;
		}
		if (times == 1)
			assert_true(write(fd, bad[i], strlen(bad[i])) > 0);
		assert_true(run_until(is_closed));
	}
	assert_int_equal(sip_stack_stats(t.stack)->malformed, 3);
	assert_int_equal(sip_stack_stats(t.stack)->connections, 0);
}

/* ---- interfaces --------------------------------------------------------------------------------- */

static void interfaces_change(void **state)
{
	struct sip_interface two[2] = { t.local, t.local };
	const struct reg_port *p = sip_stack_port(t.stack);
	struct rg_addr bad, local;
	int taken;

	(void)state;
	two[1].position = 1;
	rg_addr_parse_ip(&two[1].addr, "127.0.0.2");
	assert_int_equal(sip_stack_interfaces(t.stack, two, 2, &bad), 0);
	assert_true(p->local(p->arg, 1, 0, &t.addr, &local));
	assert_int_equal(local.ip[3], 2);
	assert_int_equal(local.port, t.local.udp);

	/* a port that is taken: all as before, and it is named */
	taken = bound(SOCK_DGRAM, &bad);
	two[1].udp = bad.port;
	rg_addr_parse_ip(&two[1].addr, "127.0.0.1");
	assert_int_equal(sip_stack_interfaces(t.stack, two, 2, &bad), EADDRINUSE);
	assert_int_equal(bad.port, two[1].udp);
	assert_true(p->local(p->arg, 1, 0, &t.addr, &local));
	assert_int_equal(local.ip[3], 2);
	close(taken);

	assert_true(starts(ask("OPTIONS", "sip:x", ";rport", ""), "SIP/2.0 200"));
	assert_int_equal(sip_stack_interfaces(t.stack, two, 1, &bad), 0);
	assert_false(p->local(p->arg, 1, 0, &t.addr, &local));
	assert_true(starts(ask("OPTIONS", "sip:x", ";rport", ""), "SIP/2.0 200"));
	assert_int_equal(sip_stack_interfaces(t.stack, NULL, 0, &bad), 0);
	assert_false(p->local(p->arg, 0, 0, &t.addr, &local));
	assert_int_equal(sip_stack_rcvbuf(t.stack), 0);
	ask_raw("OPTIONS sip:x SIP/2.0\r\n\r\n", true);
}

static void on_every_address(void **state)
{
	const struct reg_port *p = sip_stack_port(t.stack);
	struct reg_dialogue d = { .id = { 1 } };
	struct reg_message r = request(&d, 1);
	struct rg_addr bad, local;
	char contact[80];

	(void)state;
	t.local.addr = (struct rg_addr){ 0 };
	assert_int_equal(sip_stack_interfaces(t.stack, &t.local, 1, &bad), 0);
	assert_true(p->local(p->arg, 0, 0, &t.addr, &local));
	assert_int_equal(local.family, 4);
	assert_int_equal(local.ip[0], 127);
	got = 0;
	assert_int_equal(send_register(&r), 0);
	assert_true(run_until(one_reply));
	snprintf(contact, sizeof contact, "\r\nContact: <sip:line1@127.0.0.1:%u;", t.local.udp);
	assert_non_null(strstr(reply[0], contact));
	assert_true(starts(ask("OPTIONS", "sip:x", ";rport", ""), "SIP/2.0 200"));
	p->forget(p->arg, 1);
	drop(&d);
	assert_true(sip_stack_rcvbuf(t.stack) >= 200000);
}

static void a_port_of_its_own(void **state)
{
	struct reg_dialogue d = { .id = { 1 } };
	struct reg_message r = request(&d, 1);
	const struct reg_port *p = sip_stack_port(t.stack);
	uint16_t own = free_port(SOCK_DGRAM);
	char via[80];

	(void)state;
	r.local_port = own;
	assert_int_equal(send_register(&r), EADDRNOTAVAIL);
	assert_int_equal(sip_stack_open(t.stack, 0, own), 0);
	assert_int_equal(sip_stack_open(t.stack, 0, own), 0);
	got = 0;
	assert_int_equal(send_register(&r), 0);
	assert_true(run_until(one_reply));
	snprintf(via, sizeof via, "\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;", own);
	assert_non_null(strstr(reply[0], via));
	p->forget(p->arg, 1);
	sip_stack_close(t.stack, 0, own);
	assert_int_equal(send_register(&r), EADDRNOTAVAIL);
	sip_stack_close(t.stack, 0, t.local.udp); /* the interface's own stays */
	assert_true(starts(ask("OPTIONS", "sip:x", ";rport", ""), "SIP/2.0 200"));
	drop(&d);
}

/* ---- trace -------------------------------------------------------------------------------------- */

static char seen[TEXT];

static void trace(void *arg, bool sent, const struct rg_addr *local, const struct rg_addr *peer,
		  const char *data, size_t len)
{
	(void)arg, (void)sent, (void)local, (void)peer;
	snprintf(seen, sizeof seen, "%.*s", (int)len, data);
}

static void secrets_are_masked(void **state)
{
	static const char q[] = "OPTIONS sip:x SIP/2.0\r\nVia: nothing\r\nauthorization : Digest sec\r\n"
				"\tret=\"secret\"\r\nX: y\r\nProxy-Authorization: secret\r\n"
				"WWW-Authenticate: Digest realm=\"r=1\",nonce = \"se\\\"cret\", qop=\"auth\",\r\n"
				"\topaque=secret,\talgorithm=MD5, nonce=\"sec\r\n ret\", sec\r\n"
				"Proxy-Authenticate : Digest NONCE=\"\",opaque=\r\n"
				"Authentication-Info: nextnonce=\"secret\", rspauth=\"secret\", nc=00000001\r\n"
				"Y: nonce=shown\r\n\r\n";

	(void)state;
	sip_stack_trace(t.stack, trace, NULL);
	ask_raw(q, true);
	assert_non_null(strstr(seen, "\r\nX: y\r\n"));
	assert_non_null(strstr(seen, "***"));
	assert_non_null(strstr(seen, "realm=\"r=1\",nonce =***, qop=\"auth\",\r\n"
				     "\topaque=***,\talgorithm=MD5, nonce=***\r\n"
				     "Proxy-Authenticate : Digest NONCE=***,opaque=***\r\n"
				     "Authentication-Info: nextnonce=***, rspauth=***, nc=00000001\r\n"
				     "Y: nonce=shown\r\n"));
	assert_null(strstr(seen, "sec"));
	assert_null(strstr(seen, "ret"));
	sip_stack_trace(t.stack, NULL, NULL);
	seen[0] = '\0';
	ask_raw(q, true);
	assert_string_equal(seen, "");
}

static void a_zero_byte_ends_no_secret(void **state)
{
	static const char q[] = "SIP/2.0 401 No\r\nWWW-Authenticate: Digest nonce=a\0secret, qop=auth\r\n";
	GString *g = sip_mask(q, sizeof q - 1);

	(void)state;
	assert_null(memmem(g->str, g->len, "secret", 6));
	assert_non_null(memmem(g->str, g->len, "nonce=***, qop=auth", 19));
	g_string_free(g, TRUE);
}

/* ---- loop ---------------------------------------------------------------------------------------- */

static int signal_seen;
static unsigned posted;

static void on_signal(int signal, void *arg)
{
	(void)arg;
	signal_seen = signal;
}

static void on_post(void *arg)
{
	posted += *(unsigned *)arg;
}

static bool both_came(void)
{
	return signal_seen == SIGUSR2 && posted == 3;
}

static void signals_and_posts(void **state)
{
	const int wanted[] = { SIGUSR2 };
	unsigned one = 1, two = 2;

	(void)state;
	assert_int_equal(sip_loop_signals(t.loop, wanted, 1, on_signal, NULL), 0);
	assert_int_equal(sip_loop_post(t.loop, on_post, &one), 0);
	assert_int_equal(sip_loop_post(t.loop, on_post, &two), 0);
	kill(getpid(), SIGUSR2);
	assert_true(run_until(both_came));
}

/* What is due when the loop begins may end it. */
static void stopped_before_it_waits(void **state)
{
	rg_ms due = rg_now(t.timers) + 1;

	(void)state;
	t.done = NULL;
	rg_timer_set(t.timers, &t.deadline, due, give_up, NULL);
	while (sip_loop_clock() <= due + 1)
		;
	alarm(5); /* it would wait for ever */
	assert_int_equal(sip_loop_run(t.loop), 0);
	alarm(0);
	assert_true(t.too_late);
}

static size_t resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	size_t all, pages = 0;

	assert_int_equal(fscanf(f, "%zu %zu", &all, &pages), 2);
	fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* As on a long and narrow wire, to the gateway's end of a connection to a port. */
static void narrow(uint16_t port)
{
	int little = 65536;

	for (int fd = 3; fd < 64; fd++) {
		struct sockaddr_in sa;
		socklen_t len = sizeof sa;

		if (!getpeername(fd, (struct sockaddr *)&sa, &len) && ntohs(sa.sin_port) == port)
			setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
	}
}

/* Until the queue is full; the bytes that were taken. */
static size_t fill_queue(const struct sip_parts *p, const struct sip_hop *hop, struct sip_buf *b)
{
	size_t n = 0;

	sip_loop_enter(t.loop);
	while (!sip_transport_send(p->transport, hop, b))
		n += b->len;
	sip_loop_leave(t.loop);
	return n;
}

/* A peer that reads, but never all of it: what it has read is given back. */
static void a_slow_reader_costs_what_waits(void **state)
{
	const struct sip_parts *p = sip_stack_parts(t.stack);
	struct sip_buf *b = sip_buf_new(p->pool, 32768);
	size_t sent = 0, before = 0;
	struct sip_hop hop;
	static char in[32768];

	(void)state;
	t.listen_fd = bound(SOCK_STREAM, &t.addr);
	t.addr.transport = RG_TCP;
	assert_int_equal(listen(t.listen_fd, 8), 0);
	assert_int_equal(sip_transport_hop(p->transport, 0, 0, &t.addr, "", true, &hop), 0);
	t.conn_fd = accept4(t.listen_fd, NULL, NULL, SOCK_NONBLOCK);
	assert_true(t.conn_fd >= 0);
	narrow(t.addr.port);
	b->len = 32768;
	memset(b->data, 'x', b->len);
	for (unsigned i = 0; i < 6000 && sent < 96u << 20; i++) {
		run_for(i < 20 ? 5 : 1, one_reply);
		sent += fill_queue(p, &hop, b);
		if (i == 200) /* the kernel's buffers have grown */
			before = resident();
		for (unsigned k = 0; i >= 20 && k < 4; k++)
			(void)!recv(t.conn_fd, in, sizeof in, 0);
	}
	assert_true(before && sent >= 96u << 20);
	if (resident() > before + (24u << 20))
		fail_msg("%zu KiB more", (resident() - before) >> 10);
	sip_buf_unref(b);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(options),
		TEST(everything_else),
		TEST(repetitions_get_the_same_answer),
		TEST(others_may_take_requests),
		TEST(a_merged_request_is_a_loop),
		TEST(unmatched_answers_are_counted),
		TEST(hostile_datagrams),
		TEST(options_over_tcp),
		TEST(a_flood_of_pings_is_cut_off),
		TEST(a_long_body_in_pieces),
		TEST(a_stream_that_cannot_be_framed_is_closed),
		TEST(a_slow_reader_costs_what_waits),
		TEST(interfaces_change),
		TEST(on_every_address),
		TEST(a_port_of_its_own),
		TEST(secrets_are_masked),
		TEST(a_zero_byte_ends_no_secret),
		TEST(signals_and_posts),
		TEST(stopped_before_it_waits),
	};

	return cmocka_run_group_tests_name("sip_stack", tests, NULL, NULL);
}
