/*
 * sip_peer.h -- a stack and a scripted peer in one event loop, for the tests of the
 * SIP layer.  The peer answers each request by what its script returns; a test runs
 * the loop until what it waits for is there, or five seconds have passed.
 */
#ifndef TESTS_SIP_PEER_H
#define TESTS_SIP_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sip/contact.h"
#include "sip/memo.h"
#include "sip/stack.h"

enum { PATIENCE_MS = 5000, MOST_SEEN = 32, TEXT = 4096 };

struct answer_seen {
	uint64_t token;
	struct reg_answer a;
	char reason[128];
};

static struct {
	struct rg_timers *timers;
	struct sip_loop *loop;
	struct sip_stack *stack;
	struct sip_interface local;

	int fd, listen_fd, conn_fd;
	struct sockaddr_in from;
	struct rg_addr addr;
	/* writes the answer to request number n (from 0) into out; "": silence */
	void (*script)(unsigned n, const char *request, const struct sip_head *, char *out);
	unsigned requests;
	char request[MOST_SEEN][TEXT];

	unsigned subscribed, notified;
	struct { uint64_t token; uint16_t code; uint32_t expires, retry_after; } subscription;
	struct reg_notice notice[MOST_SEEN];

	unsigned answers, probes, disconnects, moves, registered, refused, pings;
	struct answer_seen answer[MOST_SEEN];
	uint16_t probe_code;
	bool (*done)(void);
	struct rg_timer deadline;
	bool too_late;
} t;

/* ---- what the engine would get ---------------------------------------------------- */

void reg_answered(struct reg_engine *e, uint64_t token, const struct reg_answer *a)
{
	struct answer_seen *s = &t.answer[t.answers++ % MOST_SEEN];

	(void)e;
	t.registered += a->code == 200;
	t.refused += a->transport_failed;
	s->token = token;
	s->a = *a;
	snprintf(s->reason, sizeof s->reason, "%s", a->reason);
	s->a.reason = s->reason;
}

void reg_probed(struct reg_engine *e, uint64_t token, uint16_t code)
{
	(void)e, (void)token;
	t.probes++;
	t.probe_code = code;
}

void reg_subscribed(struct reg_engine *e, uint64_t token, uint16_t code, uint32_t expires,
		    uint32_t retry_after)
{
	(void)e;
	t.subscribed++;
	t.subscription.token = token;
	t.subscription.code = code;
	t.subscription.expires = expires;
	t.subscription.retry_after = retry_after;
}

void reg_notified(struct reg_engine *e, const struct reg_dialogue *d, const struct reg_notice *n)
{
	(void)e, (void)d;
	t.notice[t.notified++ % MOST_SEEN] = *n;
}

void reg_resolved(struct reg_engine *e, uint64_t token, const struct reg_resolved *r, size_t n)
{
	(void)e, (void)token, (void)r, (void)n;
}

void reg_disconnected(struct reg_engine *e, const struct rg_addr *server, uint32_t interface)
{
	(void)e, (void)interface;
	assert_true(rg_addr_same_ip(server, &t.addr));
	t.disconnects++;
}

void reg_seen_elsewhere(struct reg_engine *e, const struct rg_addr *server, uint32_t interface)
{
	(void)e, (void)server, (void)interface;
	t.moves++;
}

/* ---- the loop ----------------------------------------------------------------------- */

static void stop_if_done(void *arg)
{
	(void)arg;
	if (t.done && t.done())
		sip_loop_stop(t.loop);
}

static void give_up(void *arg)
{
	(void)arg;
	t.too_late = true;
	sip_loop_stop(t.loop);
}

/* true: done() came true in time. */
static inline bool run_for(rg_ms ms, bool (*done)(void))
{
	t.done = done;
	t.too_late = false;
	sip_loop_enter(t.loop);
	rg_timer_set(t.timers, &t.deadline, rg_now(t.timers) + ms, give_up, NULL);
	sip_loop_leave(t.loop);
	if (!done() && !t.too_late) /* a slow machine: the time is over already */
		sip_loop_run(t.loop);
	rg_timer_stop(t.timers, &t.deadline);
	t.done = NULL;
	return !t.too_late;
}

static inline bool run_until(bool (*done)(void))
{
	return run_for(PATIENCE_MS, done);
}

static inline bool one_answer(void)
{
	return t.answers >= 1;
}

static inline bool two_answers(void)
{
	return t.answers >= 2;
}

static inline bool one_probe(void)
{
	return t.probes >= 1;
}

static inline bool one_disconnect(void)
{
	return t.disconnects >= 1;
}

static inline bool never(void)
{
	return false;
}

/* ---- the peer ------------------------------------------------------------------------ */

/* A reply with the request's own headers; more: further header lines. */
static inline void reply_to(const struct sip_head *h, char *out, const char *status,
			    const char *more)
{
	struct span via = sip_value(h, H_VIA), from = sip_value(h, H_FROM);
	struct span to = sip_value(h, H_TO), id = sip_value(h, H_CALL_ID);

	snprintf(out, TEXT,
		 "SIP/2.0 %s\r\nVia: %.*s\r\nFrom: %.*s\r\nTo: %.*s;tag=peer\r\n"
		 "Call-ID: %.*s\r\nCSeq: %u %.*s\r\n%sContent-Length: 0\r\n\r\n",
		 status, (int)via.n, via.p, (int)from.n, from.p, (int)to.n, to.p, (int)id.n, id.p,
		 h->cseq, (int)h->method.n, h->method.p, more);
}

/* The Contact of the request with another lifetime. */
static inline void grant(const struct sip_head *h, char *out, unsigned expires)
{
	char more[512];
	struct sip_contact_part c = { { "", 0 }, { "", 0 } };

	sip_contact_part(sip_value(h, H_CONTACT), &c);
	snprintf(more, sizeof more, "Contact: <%.*s>;expires=%u\r\n", (int)c.uri.n, c.uri.p,
		 expires);
	reply_to(h, out, "200 OK", more);
}

static bool peer_answer(const char *data, size_t n, char *out)
{
	struct sip_head h;
	const char *why;
	char *copy = t.request[t.requests % MOST_SEEN];

	*out = '\0';
	assert_true(n < TEXT);
	memcpy(copy, data, n);
	copy[n] = '\0';
	if (sip_precheck(&h, copy, n, &why) != SIP_FINE)
		fail_msg("what was sent does not pass: %s\n%s", why, copy);
	t.script(t.requests++, copy, &h, out);
	return *out;
}

static void peer_udp(int fd, int events, void *arg)
{
	char data[TEXT], out[TEXT];
	socklen_t len = sizeof t.from;
	ssize_t n;

	(void)events, (void)arg;
	while ((n = recvfrom(fd, data, sizeof data, MSG_DONTWAIT, (struct sockaddr *)&t.from,
			     &len)) > 0)
		if (t.script && peer_answer(data, (size_t)n, out))
			sendto(fd, out, strlen(out), 0, (struct sockaddr *)&t.from, len);
}

static void peer_send(const char *text)
{
	if (t.addr.transport == RG_TCP)
		assert_true(write(t.conn_fd, text, strlen(text)) > 0);
	else
		sendto(t.fd, text, strlen(text), 0, (struct sockaddr *)&t.from, sizeof t.from);
}

static void peer_close(void)
{
	sip_loop_fd(t.loop, t.conn_fd, 0, NULL, NULL);
	close(t.conn_fd);
	t.conn_fd = -1;
}

static void peer_tcp(int fd, int events, void *arg)
{
	static char in[65536];
	static size_t have;
	struct sip_framing f = { 0 };
	char out[TEXT];
	ssize_t n = recv(fd, in + have, sizeof in - have, MSG_DONTWAIT);
	long len;

	(void)events, (void)arg;
	if (n <= 0) {
		have = 0;
		peer_close();
		return;
	}
	have += (size_t)n;
	if (have >= 4 && !memcmp(in, "\r\n\r\n", 4)) {
		t.pings++;
		assert_int_equal(write(fd, "\r\n", 2), 2);
		memmove(in, in + 4, have -= 4);
	}
	while ((len = sip_frame(&f, in, have)) > 0) {
		bool answer = t.script && peer_answer(in, (size_t)len, out);

		memmove(in, in + len, have - (size_t)len);
		have -= (size_t)len;
		f = (struct sip_framing){ 0 };
		if (answer && t.conn_fd >= 0)
			peer_send(out);
	}
}

static void peer_accept(int fd, int events, void *arg)
{
	(void)events, (void)arg;
	t.conn_fd = accept(fd, NULL, NULL);
	assert_int_equal(sip_loop_fd(t.loop, t.conn_fd, SIP_READ, peer_tcp, NULL), 0);
}

static int bound(int type, struct rg_addr *addr)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof sa;
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, "127.0.0.1", &sa.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	getsockname(fd, (struct sockaddr *)&sa, &len);
	addr->port = ntohs(sa.sin_port);
	return fd;
}

/* A port nobody listens at. */
static inline uint16_t free_port(int type)
{
	struct rg_addr a = { 0 };

	close(bound(type, &a));
	return a.port;
}

static inline int set_up(void **state)
{
	struct rg_addr bad;

	(void)state;
	memset(&t, 0, sizeof t);
	t.conn_fd = t.listen_fd = t.fd = -1;
	t.timers = rg_timers_new(sip_loop_clock());
	assert_int_equal(sip_loop_new(&t.loop, t.timers, 1024), 0);
	assert_int_equal(sip_stack_new(&t.stack, t.loop, (struct reg_engine *)&t, "127.0.0.1:9"),
			 0);
	rg_addr_parse_ip(&t.addr, "127.0.0.1");
	t.fd = bound(SOCK_DGRAM, &t.addr);
	assert_int_equal(sip_loop_fd(t.loop, t.fd, SIP_READ, peer_udp, NULL), 0);
	t.local = (struct sip_interface){ .udp = free_port(SOCK_DGRAM),
					  .tcp = free_port(SOCK_STREAM) };
	rg_addr_parse_ip(&t.local.addr, "127.0.0.1");
	assert_int_equal(sip_stack_interfaces(t.stack, &t.local, 1, &bad), 0);
	sip_loop_at_end(t.loop, stop_if_done, &t);
	rg_timers_set_now(t.timers, sip_loop_clock()); /* what a slow machine took is no stall */
	return 0;
}

static inline void use_tcp(void)
{
	t.listen_fd = bound(SOCK_STREAM, &t.addr);
	t.addr.transport = RG_TCP;
	assert_int_equal(listen(t.listen_fd, 8), 0);
	assert_int_equal(sip_loop_fd(t.loop, t.listen_fd, SIP_READ, peer_accept, NULL), 0);
}

static void close_fd(int fd)
{
	if (fd < 0)
		return;
	sip_loop_fd(t.loop, fd, 0, NULL, NULL);
	close(fd);
}

static inline int tear_down(void **state)
{
	(void)state;
	sip_stack_free(t.stack);
	close_fd(t.fd);
	close_fd(t.listen_fd);
	close_fd(t.conn_fd);
	sip_loop_free(t.loop);
	rg_timers_free(t.timers);
	return 0;
}

/* ---- accounts -------------------------------------------------------------------------- */

static inline struct reg_message request(struct reg_dialogue *d, uint64_t token)
{
	return (struct reg_message){
		.token = token, .dialogue = d, .server = t.addr, .tls_name = "",
		.request_host = "itsp.example", .aor_user = "+4930123", .aor_host = "itsp.example",
		.contact_user = "line1", .contact_params = "", .contact_address = "local",
		.headers = "", .expires = 600, .keep_nonce = true, .username = "alice",
		.password = "secret", .budget_ms = 4000, .retransmissions = 255,
	};
}

static inline int send_register(const struct reg_message *r)
{
	const struct reg_port *p = sip_stack_port(t.stack);
	int err;

	sip_loop_enter(t.loop);
	err = p->send_register(p->arg, r);
	sip_loop_leave(t.loop);
	return err;
}

/* One REGISTER and its end. */
static inline const struct reg_answer *register_once(const struct reg_message *r)
{
	t.answers = 0;
	assert_int_equal(send_register(r), 0);
	assert_true(run_until(one_answer));
	assert_int_equal(t.answers, 1);
	assert_int_equal(t.answer[0].token, r->token);
	return &t.answer[0].a;
}

static inline void drop(struct reg_dialogue *d)
{
	const struct reg_port *p = sip_stack_port(t.stack);

	p->drop(p->arg, d);
}

#endif
