/*
 * Bytes as what the network sends.  The first byte says as what: a datagram out of the
 * blue, a stream in pieces, or the answers to a REGISTER of ours, whose branch is put in
 * where the bytes have "z9hG4bK".  It must hold: no crash, no leak, each attempt is
 * answered at most once in time, and no answer makes more than three requests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sip/compat.h"
#include "sip/contact.h"
#include "sip/memo.h"
#include "sip/message.h"
#include "sip/register.h"
#include "sip/uas.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char branch[SIP_BRANCH];
static unsigned sent, answers;

#define MUST(x) do { if (!(x)) abort(); } while (0)

static int wire(void *arg, const struct sip_hop *hop, struct sip_buf *b)
{
	const char *at = memmem(b->data, b->len, "branch=z9hG4bK", 14);

	(void)arg, (void)hop;
	if (b->len > 8 && !memcmp(b->data, "REGISTER", 8)) {
		struct sip_head h;
		const char *why;

		sent++;
		MUST(at);
		memcpy(branch, at + 7, SIP_BRANCH);
		MUST(sip_precheck(&h, b->data, b->len, &why) == SIP_FINE);
	}
	return 0;
}

static void answered(void *arg, uint64_t token, const struct reg_answer *a)
{
	(void)arg, (void)token;
	MUST(a->reason && strlen(a->reason) < 256);
	MUST(a->code < 700);
	MUST(a->bound || !a->expires);
	answers += !a->late;
}

static void probed(void *arg, uint64_t token, uint16_t code)
{
	(void)arg, (void)token, (void)code;
}

/* What the decoder behind it makes of a message that passed. */
static void decode(const struct sip_head *h)
{
	struct mbuf *mb = mbuf_alloc(h->len);
	struct sip_msg *msg = NULL;

	mbuf_write_mem(mb, (const uint8_t *)h->base, h->len);
	mb->pos = 0;
	(void)sip_msg_decode(&msg, mb);
	mem_deref(msg);
	mem_deref(mb);
}

static void receive(struct sip_ta *ta, struct sip_uas *uas, const struct sip_hop *hop,
		    const char *p, size_t n)
{
	char *copy = malloc(n ? n : 1);
	struct sip_head h;
	const char *why;
	enum sip_verdict v;

	memcpy(copy, p, n);
	v = sip_precheck(&h, copy, n, &why);
	if (v == SIP_FINE && h.request)
		sip_uas_request(uas, hop, &h);
	else if (v == SIP_FINE)
		sip_ta_response(ta, hop, &h);
	else if (v != SIP_HOPELESS)
		sip_uas_malformed(uas, hop, &h, v, why);
	if (v == SIP_FINE)
		decode(&h);
	free(copy);
}

static void stream(struct sip_ta *ta, struct sip_uas *uas, const struct sip_hop *hop,
		   const char *p, size_t n)
{
	struct sip_framing f = { 0 };
	size_t have = 0;

	while (have < n) {
		long len;

		have += n - have > 97 ? 97 : n - have;
		while ((len = sip_frame(&f, p, have)) > 0) {
			receive(ta, uas, hop, p, (size_t)len);
			p += len;
			have -= (size_t)len;
			n -= (size_t)len;
			f = (struct sip_framing){ 0 };
		}
		if (len == SIP_FRAME_LARGE)
			receive(ta, uas, hop, p, have < SIP_MESSAGE_MOST ? have : SIP_MESSAGE_MOST);
		if (len < 0)
			return;
	}
}

/* Answers are separated by a zero byte. */
static void replies(struct sip_ta *ta, struct sip_uas *uas, const struct sip_hop *hop, char *p,
		    size_t n)
{
	for (char *end = p + n; p < end;) {
		char *zero = memchr(p, 0, (size_t)(end - p)), *stop = zero ? zero : end, *at;

		at = memmem(p, (size_t)(stop - p), "z9hG4bK", 7);
		if (at && stop - at >= SIP_BRANCH)
			memcpy(at, branch, SIP_BRANCH);
		receive(ta, uas, hop, p, (size_t)(stop - p));
		p = stop + 1;
	}
}

static int wire_of(struct sip_transport *t, struct sip_hop *hop)
{
	struct rg_addr peer = { .family = 4, .ip = { 127, 0, 0, 1 }, .port = 5060 };

	return sip_transport_hop(t, 0, 0, &peer, "", false, hop);
}

static void run(struct sip_loop *loop, struct rg_timers *timers, const uint8_t *data, size_t n)
{
	static struct sip_transport *transport;
	static struct sip_stats stats;
	static struct sip_pool *tpool;
	struct sip_pool *pool = sip_pool_new();
	struct sip_wire out = { .send = wire };
	struct sip_ta *ta = sip_ta_new(timers, pool, &stats, &out);
	struct sip_register_env env = { .ta = ta, .pool = pool, .timers = timers,
					.answered = answered, .probed = probed };
	struct sip_uas uas = { .ta = ta, .pool = pool };
	struct reg_dialogue d = { .id = { 1, 2, 3 } };
	struct sip_register *r;
	struct sip_hop hop;
	char *text;
	struct reg_message q = {
		.token = 1, .dialogue = &d, .tls_name = "", .request_host = "h",
		.server = { .family = 4, .ip = { 127, 0, 0, 1 }, .port = 5060 },
		.aor_user = "u", .aor_host = "h", .contact_user = "c", .contact_params = "",
		.contact_address = n > 1 && data[1] & 1 ? "received" : "local", .headers = "",
		.expires = 600, .keep_nonce = true, .username = "u", .password = "p",
		.budget_ms = 5000, .retransmissions = 0,
	};

	if (!transport) { /* opened once: it is not what is tested here */
		struct sip_interface local = { .addr = { .family = 4, .ip = { 127, 0, 0, 1 } },
					       .udp = (uint16_t)(20000 + getpid() % 40000) };
		struct sip_transport_env none = { 0 };
		struct rg_addr bad;

		tpool = sip_pool_new();
		MUST(!sip_transport_new(&transport, loop, tpool, &stats, &none));
		MUST(!sip_transport_interfaces(transport, &local, 1, &bad));
	}
	env.transport = transport;
	r = sip_register_new(&env);
	MUST(!wire_of(transport, &hop));
	sent = answers = 0;
	MUST(!sip_register_send(r, &q));
	text = malloc(n);
	memcpy(text, data + 1, n - 1);
	if (data[0] % 3 == 0)
		receive(ta, &uas, &hop, text, n - 1);
	else if (data[0] % 3 == 1)
		stream(ta, &uas, &hop, text, n - 1);
	else
		replies(ta, &uas, &hop, text, n - 1);
	MUST(sent <= 3 && answers <= 1);
	free(text);
	sip_register_forget(r, 1);
	sip_register_free(r);
	sip_memo_drop(&d);
	sip_ta_free(ta);
	sip_pool_free(pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct rg_timers *timers;
	static struct sip_loop *loop;

	if (!loop) {
		timers = rg_timers_new(0);
		MUST(!sip_loop_new(&loop, timers, 64));
	}
	if (n > 1 && n < 100000)
		run(loop, timers, data, n);
	return 0;
}
