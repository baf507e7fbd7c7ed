/*
 * relay_world.h -- the relay in virtual time: its stack, its transport and its engine are
 * scripted here, its transactions and messages are the real ones.  What it sends lies in the
 * inbox of the end it is for, until a test expects it there.
 */
#ifndef TESTS_RELAY_WORLD_H
#define TESTS_RELAY_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/call.h"
#include "sip/memo.h"
#include "sip/message.h"
#include "sip/transaction.h"

enum { START = 1000000, TEXT = 32768, RING = 16, INBOX = 64, SERVERS = 4 };

struct letter {
	struct sip_hop hop;
	char text[TEXT];
	bool read;
};

/* An end of a call with the one dialog it has. */
struct ua {
	const char *name;
	struct rg_addr addr;
	char id[128], local[512], remote[512], target[512], routes[1024];
	unsigned cseq;
};

static struct {
	struct rg_timers *timers;
	struct sip_pool *pool;
	struct sip_stats stats;
	struct sip_ta *ta;
	struct sip_parts parts;
	struct relay *relay;
	sip_stack_request_h *hook;
	void *hook_arg;
	struct rg_addr local;
	bool careless; /* what is not read may be lost */
	bool tcp; /* the interface has it, too */
	bool flow_gone; /* the connection that was opened to us */
	struct sip_hop flow;
	struct letter inbox[INBOX];
	unsigned sent, unread;
	struct ua caller, callee, second;
	unsigned branches;
	unsigned lookups;
	uint64_t lookup_token;
	struct reg_lookup lookup;
	sip_resolved_h *resolved;
	void *resolved_arg;

	/* what the engine says */
	struct rg_addr server[SERVERS];
	struct rg_addr stranger; /* of no proxy set */
	unsigned servers, routes_alive, answers;
	uint16_t answer[16];
	bool unknown, park, follow, keep_nonce;
	struct reg_dialogue dialogue;
	const char *served_password, *username, *caller_username;
	uint8_t media;
	uint32_t longest;
	uint16_t force_refuse;

	unsigned records;
	struct relay_call_info record;
	char record_reason[64], record_method[16];
} w;

/* ---- the wire -------------------------------------------------------------------------- */

static int put_on_wire(const struct sip_hop *hop, struct sip_buf *b)
{
	struct letter *l = &w.inbox[w.sent++ % INBOX];

	assert_true(b->len < TEXT);
	assert_true(w.careless || l->read || w.sent <= INBOX);
	l->hop = *hop;
	memcpy(l->text, b->data, b->len);
	l->text[b->len] = '\0';
	l->read = false;
	w.unread++;
	return 0;
}

static int wire_send(void *arg, const struct sip_hop *hop, struct sip_buf *b)
{
	(void)arg;
	return put_on_wire(hop, b);
}

int sip_transport_send(struct sip_transport *t, const struct sip_hop *hop, struct sip_buf *b)
{
	(void)t;
	return put_on_wire(hop, b);
}

int sip_transport_hop(struct sip_transport *t, uint32_t interface, uint16_t local_port,
		      const struct rg_addr *peer, const char *tls_name, bool connect,
		      struct sip_hop *hop)
{
	(void)t, (void)interface, (void)local_port, (void)tls_name, (void)connect;
	if (peer->transport == RG_TCP && !w.tcp)
		return EADDRNOTAVAIL;
	hop->local = w.local;
	hop->local.transport = peer->transport;
	hop->peer = *peer;
	hop->socket = peer->transport == RG_TCP ? SIP_SOCKET_TCP | 9 : 7;
	return 0;
}

int sip_transport_way(struct sip_transport *t, const struct rg_addr *local,
		      const struct rg_addr *peer, const char *tls_name, struct sip_hop *hop)
{
	assert_int_equal(local->port, w.local.port);
	return sip_transport_hop(t, 0, 0, peer, tls_name, true, hop);
}

void sip_transport_busy(struct sip_transport *t, sip_transport_busy_h *h, void *arg)
{
	(void)t, (void)h, (void)arg;
}

bool sip_transport_interface(const struct sip_transport *t, const struct sip_hop *hop,
			     uint32_t *position, uint16_t *own_port)
{
	(void)t, (void)hop;
	*position = 0;
	*own_port = 0;
	return true;
}

bool sip_transport_serves(const struct sip_transport *t, uint32_t interface, uint8_t family,
			  uint8_t transport)
{
	(void)t, (void)interface;
	return family == w.local.family && (transport != RG_TCP || w.tcp);
}

bool sip_transport_flow(const struct sip_transport *t, uint32_t socket, struct sip_hop *hop,
			bool *ours)
{
	(void)t;
	*ours = false;
	if (socket != (SIP_SOCKET_TCP | 5) || w.flow_gone)
		return false;
	*hop = w.flow;
	return true;
}

/* ---- the stack --------------------------------------------------------------------------- */

const struct sip_parts *sip_stack_parts(const struct sip_stack *s)
{
	(void)s;
	return &w.parts;
}

void sip_stack_on_request(struct sip_stack *s, sip_stack_request_h *h, void *arg)
{
	(void)s;
	w.hook = h;
	w.hook_arg = arg;
}

void sip_stack_reply(struct sip_stack *s, const struct sip_hop *from, const struct sip_head *h,
		     uint16_t code, const char *reason, const char *headers, bool stateless)
{
	struct sip_buf *b = sip_message_reply(w.pool, h, from, code, reason, "stackstag", 9,
					      headers);
	struct sip_server *server = stateless ? NULL : sip_server_new(w.ta, from, h, NULL, NULL);

	(void)s;
	if (server) {
		sip_server_reply(server, code, b);
		return;
	}
	put_on_wire(from, b);
	sip_buf_unref(b);
}

int sip_stack_lookup(struct sip_stack *s, const struct reg_lookup *l, sip_resolved_h *h, void *arg)
{
	(void)s;
	w.lookups++;
	w.lookup_token = l->token;
	w.lookup = *l;
	w.resolved = h;
	w.resolved_arg = arg;
	assert_true(l->token >> 63);
	return 0;
}

void sip_stack_lookup_cancel(struct sip_stack *s, uint64_t token)
{
	(void)s;
	if (token == w.lookup_token)
		w.resolved = NULL;
}

const char *sip_stack_associated_uri(const struct reg_dialogue *d)
{
	(void)d;
	return NULL;
}

const char *sip_stack_gruu(const struct reg_dialogue *d)
{
	(void)d;
	return NULL;
}

const char *sip_stack_security(const struct reg_dialogue *d)
{
	(void)d;
	return NULL;
}

const char *sip_stack_service_route(const struct reg_dialogue *d)
{
	(void)d;
	return NULL;
}

/* ---- the engine ---------------------------------------------------------------------------- */

struct reg_route {
	const struct reg_route_h *h;
	void *arg;
	unsigned asked;
};

void reg_route_source(struct reg_engine *e, const struct reg_arrival *a, struct reg_source *s)
{
	(void)e, (void)a;
	*s = (struct reg_source){ .known = !w.unknown, .unknown = w.unknown ? 403 : 0,
				  .group = "PBX", .username = "", .password = "", .realm = "" };
	if (w.served_password) {
		s->username = "pbx";
		s->password = w.served_password;
		s->realm = "regway";
	}
}

struct reg_route *reg_route_new(struct reg_engine *e, const struct reg_arrival *a,
				const struct reg_route_h *h, void *arg)
{
	struct reg_route *r = calloc(1, sizeof *r);

	(void)e, (void)a;
	r->h = h;
	r->arg = arg;
	w.routes_alive++;
	return r;
}

static void route_go(struct reg_route *r)
{
	struct reg_leg l = {
		.to_serving = true, .server = w.server[r->asked++], .tls_name = "",
		.request_user = "", .request_host = "itsp.example", .from_user = "+4930123",
		.from_host = "itsp.example", .to_host = "itsp.example", .contact_user = "line1",
		.contact_address = "local", .contact_params = "", .asserted = "",
		.preferred = "", .headers = "", .username = w.username ? w.username : "",
		.password = "secret", .budget_ms = 4000, .retransmissions = SIP_RETRANSMIT_RFC,
		.follow_redirect = w.follow, .media = w.media,
		.longest = w.longest,
		.caller_username = w.caller_username, .caller_password = "secret",
		.keep_nonce = w.keep_nonce, .dialogue = w.keep_nonce ? &w.dialogue : NULL,
	};

	r->h->go(r->arg, r, &l);
}

void reg_route_begin(struct reg_route *r)
{
	if (w.park)
		return;
	if (w.force_refuse) {
		r->h->refuse(r->arg, r, &(struct reg_refusal){ .code = w.force_refuse,
							       .retry_after = 7 });
		return;
	}
	route_go(r);
}

void reg_route_answered(struct reg_route *r, uint16_t code, const char *reason,
			uint32_t retry_after)
{
	(void)reason, (void)retry_after;
	w.answer[w.answers++ % 16] = code;
	if (code >= 200 && code < 300)
		return;
	if ((code == 0 || code == 503 || code == 408) && r->asked < w.servers)
		route_go(r);
	else
		r->h->refuse(r->arg, r, &(struct reg_refusal){ .code = code ? code : 408 });
}

void reg_route_end(struct reg_route *r)
{
	assert_true(w.routes_alive > 0);
	w.routes_alive--;
	free(r);
}

bool reg_route_serves(const struct reg_route *r, bool caller, const struct rg_addr *addr)
{
	(void)r, (void)caller;
	return addr->family == 4 && !rg_addr_same_ip(addr, &w.stranger);
}

struct reg_dialogue *reg_route_dialogue(const struct reg_route *r)
{
	(void)r;
	return w.keep_nonce ? &w.dialogue : NULL;
}

void reg_route_info(const struct reg_route *r, struct reg_route_info *i)
{
	(void)r;
	*i = (struct reg_route_info){ .account = "line1", .from_group = "PBX",
				      .to_group = "ITSP", .rule = "pair", .policy = "" };
}

/* ---- world ----------------------------------------------------------------------------------- */

static void on_ended(void *arg, const struct relay_call_info *i)
{
	(void)arg;
	w.records++;
	w.record = *i;
	snprintf(w.record_reason, sizeof w.record_reason, "%s", i->reason);
	w.record.reason = w.record_reason;
	snprintf(w.record_method, sizeof w.record_method, "%s", i->method);
	w.record.method = w.record_method;
}

static void end_at(struct ua *u, const char *name, const char *addr)
{
	u->name = name;
	rg_addr_parse(&u->addr, addr);
}

static int begin(void **state)
{
	struct sip_wire out = { .send = wire_send };
	struct relay_env env = { .ended = on_ended };

	(void)state;
	memset(&w, 0, sizeof w);
	w.timers = rg_timers_new(START);
	w.pool = sip_pool_new();
	w.ta = sip_ta_new(w.timers, w.pool, &w.stats, &out);
	w.parts = (struct sip_parts){ .timers = w.timers, .pool = w.pool, .ta = w.ta,
				      .stats = &w.stats };
	rg_addr_parse(&w.local, "192.0.2.1:5060");
	end_at(&w.caller, "caller", "192.0.2.10:5060");
	end_at(&w.callee, "callee", "192.0.2.20:5060");
	end_at(&w.second, "second", "192.0.2.21:5060");
	w.server[0] = w.callee.addr;
	w.server[1] = w.second.addr;
	w.servers = 1;
	w.relay = relay_new(&env);
	return 0;
}

static inline void pass(rg_ms ms)
{
	rg_ms until = rg_now(w.timers) + ms;

	while (rg_timers_step(w.timers, until))
		;
}

static inline int end(void **state)
{
	(void)state;
	relay_free(w.relay);
	sip_memo_drop(&w.dialogue);
	sip_ta_free(w.ta);
	assert_int_equal(w.routes_alive, 0);
	assert_int_equal(rg_timers_count(w.timers), 0);
	rg_timers_free(w.timers);
	sip_pool_free(w.pool);
	return 0;
}

/* Everything of the calls is gone once time has passed. */
static inline void all_gone(void)
{
	uint64_t id = 0;
	struct relay_call_info i;

	pass(70000);
	assert_int_equal(relay_calls(w.relay), 0);
	assert_false(relay_next(w.relay, &id, &i));
	assert_int_equal(w.relay->bytes, 0);
	assert_int_equal(w.routes_alive, 0);
	assert_int_equal(sip_ta_clients(w.ta), 0);
	assert_int_equal(sip_ta_servers(w.ta), 0);
	assert_int_equal(rg_timers_count(w.timers), 0);
}

/* ---- messages in ------------------------------------------------------------------------------- */

static inline void arrives(const struct ua *from, const char *text)
{
	struct sip_hop hop = { .local = w.local, .peer = from->addr, .socket = 7 };
	static char copy[TEXT];
	struct sip_server *s;
	struct sip_head h;
	const char *why;

	hop.local.transport = from->addr.transport;
	if (from->addr.transport == RG_TCP) {
		hop.socket = SIP_SOCKET_TCP | 5;
		w.flow = hop;
	}
	snprintf(copy, sizeof copy, "%s", text);
	if (sip_precheck(&h, copy, strlen(copy), &why) != SIP_FINE)
		fail_msg("the test's message is bad: %s\n%s", why, text);
	if (!h.request) {
		(void)sip_ta_response(w.ta, &hop, &h);
	} else if (!sip_ta_request(w.ta, &hop, &h)) {
		if (span_is(h.method, "CANCEL")) {
			s = sip_ta_cancelled(w.ta, &h);
			sip_stack_reply(NULL, &hop, &h, s ? 200 : 481, NULL, NULL, false);
			if (s)
				sip_server_cancel(s, &h);
		} else if (sip_ta_merged(w.ta, &h)) {
			sip_stack_reply(NULL, &hop, &h, 482, NULL, NULL, false);
		} else if (!w.hook(w.hook_arg, &hop, &h)) {
			sip_stack_reply(NULL, &hop, &h, 481, "of the stack", NULL, false);
		}
	}
	pass(0);
}

/* ---- messages out -------------------------------------------------------------------------------- */

/* Value of a header of a message; "" if there is none.  A few live at a time. */
static inline const char *header(const char *msg, const char *name)
{
	static char ring[RING][2048];
	static unsigned at;
	char *out = ring[at++ % RING], key[64];
	const char *p;

	snprintf(key, sizeof key, "\r\n%s: ", name);
	p = strstr(msg, key);
	*out = '\0';
	if (p) {
		p += strlen(key);
		snprintf(out, sizeof ring[0], "%.*s", (int)strcspn(p, "\r"), p);
	}
	return out;
}

static inline const char *body(const char *msg)
{
	const char *p = strstr(msg, "\r\n\r\n");

	return p ? p + 4 : "";
}

static inline struct letter *unread_for(const struct ua *u)
{
	for (unsigned i = w.sent > INBOX ? w.sent - INBOX : 0; i < w.sent; i++) {
		struct letter *l = &w.inbox[i % INBOX];

		if (!l->read && rg_addr_same_ip(&l->hop.peer, &u->addr))
			return l;
	}
	return NULL;
}

/* The next message for this end, which must begin so ("SIP/2.0 200", "INVITE "). */
static inline const char *expect(const struct ua *u, const char *start)
{
	static char ring[RING][TEXT];
	static unsigned at;
	struct letter *l = unread_for(u);
	char *out = ring[at++ % RING];
	struct sip_head h;
	const char *why;

	if (!l)
		fail_msg("%s got nothing, not %s", u->name, start);
	if (strncmp(l->text, start, strlen(start)))
		fail_msg("%s got not %s but:\n%s", u->name, start, l->text);
	l->read = true;
	w.unread--;
	snprintf(out, TEXT, "%s", l->text);
	if (sip_precheck(&h, out, strlen(out), &why) != SIP_FINE)
		fail_msg("what was sent does not pass: %s\n%s", why, out);
	return out;
}

static inline void expect_nothing(const struct ua *u)
{
	struct letter *l = unread_for(u);

	if (l)
		fail_msg("%s got what it should not:\n%s", u->name, l->text);
}

static inline void quiet(void)
{
	expect_nothing(&w.caller);
	expect_nothing(&w.callee);
	expect_nothing(&w.second);
	assert_int_equal(w.unread, 0);
}

/* ---- ends ---------------------------------------------------------------------------------------------- */

static inline void with_body(char *out, size_t size, const char *text)
{
	size_t n = strlen(out);
	bool typed = !*text || strstr(out, "\r\nContent-Type:");

	snprintf(out + n, size - n, "%sContent-Length: %zu\r\n\r\n%s",
		 typed ? "" : "Content-Type: application/sdp\r\n", strlen(text), text);
}

/* An INVITE (or another request) that opens a dialog. */
static inline const char *open_with(struct ua *u, const char *method, const char *more,
				    const char *text)
{
	static char out[TEXT];
	static unsigned calls;

	calls++;
	u->cseq = 100;
	snprintf(u->id, sizeof u->id, "call-%u", calls);
	snprintf(u->local, sizeof u->local, "\"Alice\" <sip:alice@pbx.example>;tag=alice%u", calls);
	snprintf(u->remote, sizeof u->remote, "<sip:+4930999@gw.example>");
	snprintf(u->target, sizeof u->target, "sip:+4930999@192.0.2.1");
	snprintf(out, sizeof out,
		 "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKo%u;rport\r\n"
		 "From: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %u %s\r\nMax-Forwards: 70\r\n"
		 "Contact: <sip:alice@192.0.2.10>\r\n%s",
		 method, u->target, ++w.branches, u->local, u->remote, u->id, u->cseq, method,
		 more);
	with_body(out, sizeof out, text);
	arrives(u, out);
	return out;
}

static inline const char *reply_text(const struct ua *u, const char *request, const char *status,
				     const char *tag, const char *more, const char *text)
{
	static char out[TEXT];
	const char *to = header(request, "To");

	(void)u;
	snprintf(out, sizeof out,
		 "SIP/2.0 %s\r\nVia: %s\r\nFrom: %s\r\nTo: %s%s%s\r\nCall-ID: %s\r\nCSeq: %s\r\n%s",
		 status, header(request, "Via"), header(request, "From"), to,
		 *tag && !strstr(to, ";tag=") ? ";tag=" : "",
		 !strstr(to, ";tag=") ? tag : "", header(request, "Call-ID"),
		 header(request, "CSeq"), more);
	with_body(out, sizeof out, text);
	return out;
}

static inline void reply(const struct ua *u, const char *request, const char *status,
			 const char *tag, const char *more, const char *text)
{
	arrives(u, reply_text(u, request, status, tag, more, text));
}

static inline const char *contact_of(const struct ua *u)
{
	static char line[128];
	char ip[RG_ADDR_TEXT];

	snprintf(line, sizeof line, "Contact: <sip:%s@%s>\r\n", u->name,
		 rg_addr_ip(&u->addr, ip));
	return line;
}

static inline void uri_in(const char *value, char *out, size_t size)
{
	const char *p = strchr(value, '<');

	snprintf(out, size, "%.*s", p ? (int)strcspn(p + 1, ">") : 0, p ? p + 1 : "");
}

/* From now on the dialog that this answer (to the caller) or request (to the callee, which
 * answers with the tag) makes. */
static inline void learn_answer(struct ua *u, const char *answer)
{
	snprintf(u->remote, sizeof u->remote, "%s", header(answer, "To"));
	if (*header(answer, "Contact"))
		uri_in(header(answer, "Contact"), u->target, sizeof u->target);
}

static inline void learn_request(struct ua *u, const char *request, const char *tag)
{
	const char *to = header(request, "To");

	snprintf(u->id, sizeof u->id, "%s", header(request, "Call-ID"));
	snprintf(u->local, sizeof u->local, "%s%s%s", to, strstr(to, ";tag=") ? "" : ";tag=",
		 strstr(to, ";tag=") ? "" : tag);
	snprintf(u->remote, sizeof u->remote, "%s", header(request, "From"));
	uri_in(header(request, "Contact"), u->target, sizeof u->target);
	u->cseq = 5000;
}

/* A request in the dialog; cseq 0: the next. */
static inline const char *send_cseq(struct ua *u, const char *method, unsigned cseq,
				    const char *more, const char *text)
{
	static char ring[RING][TEXT];
	static unsigned at;
	char *out = ring[at++ % RING], ip[RG_ADDR_TEXT];

	if (!cseq)
		cseq = ++u->cseq;
	snprintf(out, TEXT,
		 "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s:5060;branch=z9hG4bKd%u;rport\r\n"
		 "From: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %u %s\r\nMax-Forwards: 70\r\n%s",
		 method, u->target, rg_addr_ip(&u->addr, ip), ++w.branches, u->local, u->remote,
		 u->id, cseq, method, more);
	with_body(out, TEXT, text);
	arrives(u, out);
	return out;
}

static inline const char *send_in(struct ua *u, const char *method, const char *more,
				  const char *text)
{
	return send_cseq(u, method, 0, more, text);
}

static inline void ack(struct ua *u)
{
	send_cseq(u, "ACK", u->cseq, "", "");
}

/* The ACK of a failure belongs to the transaction of the INVITE. */
static inline void ack_failure(const struct ua *u, const char *invite, const char *answer)
{
	char out[4096];

	snprintf(out, sizeof out,
		 "ACK sip:x SIP/2.0\r\nVia: %s\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\n"
		 "CSeq: %u ACK\r\nContent-Length: 0\r\n\r\n",
		 header(invite, "Via"), header(invite, "From"), header(answer, "To"),
		 header(invite, "Call-ID"), (unsigned)atoi(header(invite, "CSeq")));
	arrives(u, out);
}

/* CANCEL of what was sent. */
static inline void cancel_with(const struct ua *u, const char *invite, const char *more)
{
	char out[4096];

	snprintf(out, sizeof out,
		 "CANCEL sip:+4930999@192.0.2.1 SIP/2.0\r\nVia: %s\r\nFrom: %s\r\nTo: %s\r\n"
		 "Call-ID: %s\r\nCSeq: %u CANCEL\r\n%sContent-Length: 0\r\n\r\n",
		 header(invite, "Via"), header(invite, "From"), header(invite, "To"),
		 header(invite, "Call-ID"), (unsigned)atoi(header(invite, "CSeq")), more);
	arrives(u, out);
}

static inline void cancel(const struct ua *u, const char *invite)
{
	cancel_with(u, invite, "");
}

static inline unsigned cseq_of(const char *msg)
{
	return (unsigned)atoi(header(msg, "CSeq"));
}

#define OFFER "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
#define ANSWER "v=0\r\no=- 2 2 IN IP4 192.0.2.20\r\ns=-\r\nt=0 0\r\nm=audio 5000 RTP/AVP 8\r\n"

/* INVITE, 200, ACK: a call that is up.  more: of the INVITE; more_ok: of the 200. */
static inline void establish_with(const char *more, const char *more_ok)
{
	char ok[1024];
	const char *invite;

	open_with(&w.caller, "INVITE", more, OFFER);
	expect(&w.caller, "SIP/2.0 100");
	invite = expect(&w.callee, "INVITE ");
	learn_request(&w.callee, invite, "bob");
	snprintf(ok, sizeof ok, "%s%s", contact_of(&w.callee), more_ok);
	reply(&w.callee, invite, "200 OK", "bob", ok, ANSWER);
	learn_answer(&w.caller, expect(&w.caller, "SIP/2.0 200"));
	ack(&w.caller);
	expect(&w.callee, "ACK ");
	quiet();
}

static inline void establish(void)
{
	establish_with("", "");
}

static inline void hang_up(struct ua *from, struct ua *to)
{
	send_in(from, "BYE", "", "");
	reply(to, expect(to, "BYE "), "200 OK", "", "", "");
	expect(from, "SIP/2.0 200");
	quiet();
	assert_int_equal(relay_calls(w.relay), 0);
}

#endif
