/* Ends that do what they like: whatever comes when, nothing stays behind.  RG_SEED repeats a
 * run that failed. */
#include "unit/relay_world.h"

enum { RUNS = 300, STEPS = 400, KEPT = 16 };

static uint32_t seed;

static unsigned any(unsigned n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static char opened[KEPT][TEXT], sent[KEPT][TEXT];

/* ---- media that are anchored, or not ---- */

enum { JOBS_MOST = 64 };

static struct {
	void (*done)(void *, const char *, size_t);
	void *token; /* NULL: free */
} job[JOBS_MOST];

static bool media_rewrite(void *arg, const struct rg_media_job *j,
			  void (*done)(void *, const char *, size_t), void *token)
{
	(void)arg, (void)j;
	for (int i = 0; i < JOBS_MOST && any(8); i++)
		if (!job[i].token) {
			job[i].done = done;
			job[i].token = token;
			return true;
		}
	return false;
}

static void media_forget_it(void *arg, void *token)
{
	(void)arg;
	for (int i = 0; i < JOBS_MOST; i++)
		if (job[i].token == token)
			job[i].token = NULL;
}

static void media_answer(void)
{
	unsigned i = any(JOBS_MOST), n = 0;
	void *token;

	while (n++ < JOBS_MOST && !job[i].token)
		i = (i + 1) % JOBS_MOST;
	token = job[i].token;
	if (!token)
		return;
	job[i].token = NULL;
	if (any(6))
		job[i].done(token, "v=0\r\n", 5);
	else
		job[i].done(token, NULL, 0);
}

static struct letter *any_letter(void)
{
	unsigned n = w.sent < INBOX ? w.sent : INBOX;

	return n ? &w.inbox[(w.sent - 1 - any(n)) % INBOX] : NULL;
}

static const struct ua *end_of(const struct letter *l)
{
	if (rg_addr_same_ip(&l->hop.peer, &w.caller.addr))
		return &w.caller;
	return rg_addr_same_ip(&l->hop.peer, &w.second.addr) ? &w.second : &w.callee;
}

static const char *any_body(void)
{
	static char large[2000]; /* by TCP, where there is such */

	if (!any(8)) {
		snprintf(large, sizeof large, "%s", OFFER);
		memset(large + strlen(large), 'x', sizeof large - strlen(large) - 1);
		return large;
	}
	return any(2) ? OFFER : "";
}

#define VIA "Via: SIP/2.0/UDP p.example;branch=z9hG4bKp\r\n"
#define VIAS VIA VIA VIA VIA VIA VIA VIA VIA
static const char vias[] = VIAS VIAS VIAS;

static void open_any(void)
{
	static const char *const methods[] = { "INVITE", "INVITE", "INVITE", "SUBSCRIBE", "MESSAGE",
					       "REFER" };
	static const char *const more[] = { "", "Session-Expires: 30\r\n", "Expires: 5\r\n",
					    "Record-Route: <sip:192.0.2.10:5066;lr>\r\n",
					    vias };

	snprintf(opened[any(KEPT)], TEXT, "%s",
		 open_with(&w.caller, methods[any(6)], more[any(5)], any_body()));
}

static void answer_any(void)
{
	static const char *const status[] = {
		"100 Trying", "180 Ringing", "183 Progress", "200 OK", "200 OK", "202 Accepted",
		"302 Moved", "401 Unauthorized", "407 Proxy", "408 Timeout", "481 None",
		"486 Busy", "487 Ended", "491 Pending", "503 No", "603 Decline"
	};
	static const char *const more[] = {
		"", "Session-Expires: 40\r\n", "Expires: 7\r\n", "RSeq: 1\r\nRequire: 100rel\r\n",
		"WWW-Authenticate: Digest realm=\"a\",nonce=\"1\"\r\n",
		"Proxy-Authenticate: Digest realm=\"b\",nonce=\"2\",stale=true\r\n",
		"Record-Route: <sip:proxy.example;lr>\r\n"
	};
	struct letter *l = any_letter();
	static const char *const tags[] = { "bob", "bob", "bob", "carol", "carol", "" };
	char headers[2048], text[TEXT];
	int n;

	if (!l || !strncmp(l->text, "SIP/2.0", 7) || !strncmp(l->text, "ACK", 3))
		return;
	memcpy(text, l->text, sizeof text);
	n = snprintf(headers, sizeof headers, "%s%s", more[any(7)],
		     any(8) ? contact_of(end_of(l)) : "Contact: <sip:x@name.example>\r\n");
	if (!any(12)) /* with the caller's Vias it grows too long */
		for (int i = 0; i < 110; i++)
			n += snprintf(headers + n, sizeof headers - (size_t)n, "X-%d: y\r\n", i);
	reply(end_of(l), text, status[any(16)], tags[any(6)], headers, any_body());
}

/* Something in the dialog that a message of the relay was about. */
static void send_any(void)
{
	static const char *const methods[] = {
		"ACK", "ACK", "ACK", "BYE", "INVITE", "UPDATE", "PRACK", "INFO", "REFER", "NOTIFY",
		"SUBSCRIBE", "MESSAGE"
	};
	static const char *const more[] = {
		"", "RAck: 1 100 INVITE\r\n", "Subscription-State: terminated\r\n",
		"Subscription-State: active;expires=9\r\n", "Refer-To: <sip:x@y>\r\n"
	};
	struct letter *l = any_letter();
	char headers[512];
	struct ua u;

	if (!l)
		return;
	u = *end_of(l);
	if (!strncmp(l->text, "SIP/2.0", 7)) {
		snprintf(u.id, sizeof u.id, "%s", header(l->text, "Call-ID"));
		snprintf(u.local, sizeof u.local, "%s", header(l->text, "From"));
		snprintf(u.target, sizeof u.target, "sip:x@192.0.2.1");
		learn_answer(&u, l->text);
		u.cseq = cseq_of(l->text);
	} else {
		learn_request(&u, l->text, any(3) ? "bob" : "carol");
	}
	if (!*u.target)
		return;
	snprintf(headers, sizeof headers, "%s%s", more[any(5)], any(2) ? contact_of(&u) : "");
	snprintf(sent[any(KEPT)], TEXT, "%s",
		 send_cseq(&u, methods[any(12)], u.cseq + any(4), headers, any_body()));
}

static void time_passes(void)
{
	static const rg_ms steps[] = { 0, 1, 200, 600, 4000, 33000, 200000 };

	pass(steps[any(any(4) ? 4 : 7)]);
}

static void fail_any(void)
{
	static const uint32_t sockets[] = { 7, SIP_SOCKET_TCP | 9, SIP_SOCKET_TCP | 5 };
	struct rg_addr peer = any(2) ? w.callee.addr : w.caller.addr;
	unsigned i = any(3);

	peer.transport = i ? RG_TCP : RG_UDP;
	w.flow_gone |= i == 2;
	sip_ta_failed(w.ta, sockets[i], &peer, any(2) ? ECONNREFUSED : ECONNRESET, NULL, 0);
}

static void step(void)
{
	const char *text;

	switch (any(16)) {
	case 0:
		open_any();
		break;
	case 1:
		text = opened[any(KEPT)];
		if (*text)
			cancel(&w.caller, text);
		break;
	case 2:
		text = any(2) ? opened[any(KEPT)] : sent[any(KEPT)];
		if (*text)
			arrives(&w.caller, text);
		break;
	case 3:
		time_passes();
		break;
	case 4:
		if (!any(8))
			fail_any();
		break;
	case 5:
		if (w.resolved && any(2)) {
			struct reg_resolved r[] = { { .addr = w.callee.addr },
						    { .addr = w.second.addr },
						    { .addr = w.callee.addr } };
			sip_resolved_h *h = w.resolved;

			r[2].addr.port = 5099;
			w.resolved = NULL;
			h(w.lookup_token, r, any(4), w.resolved_arg);
		}
		break;
	case 11:
		media_answer();
		break;
	case 6: case 7: case 8: case 9: case 10:
		answer_any();
		break;
	default:
		send_any();
	}
}

static void ends_do_what_they_like(void **state)
{
	const char *again = getenv("RG_SEED");
	const struct rg_media media = { .rewrite = media_rewrite, .forget = media_forget_it };
	uint32_t first = again ? (uint32_t)strtoul(again, NULL, 0) : 1;

	for (uint32_t run = first; run < first + (again ? 1 : RUNS); run++) {
		begin(state);
		seed = run * 2654435761u;
		memset(opened, 0, sizeof opened);
		memset(sent, 0, sizeof sent);
		w.careless = true;
		w.servers = 2;
		w.username = run % 2 ? "line1" : NULL;
		w.caller_username = run % 3 ? NULL : "line1";
		w.follow = run % 5 == 0;
		w.tcp = run % 4;
		if (run % 4 == 2)
			w.caller.addr.transport = RG_TCP;
		if (run % 8 == 3)
			w.server[0].transport = w.callee.addr.transport = RG_TCP;
		w.media = (uint8_t)(run % 3);
		memset(job, 0, sizeof job);
		relay_set_media(w.relay, &media);
		for (int i = 0; i < STEPS; i++)
			step();
		if (w.resolved)
			w.resolved(w.lookup_token, NULL, 0, w.resolved_arg);
		relay_set_media(w.relay, NULL);
		pass(400000);
		for (uint32_t i = 0; i < w.relay->slots; i++)
			if (w.relay->slot[i] && !w.relay->slot[i]->decided)
				fail_msg("seed %u leaves a call without an end", run);
		relay_hang_up(w.relay);
		pass(400000);
		if (relay_calls(w.relay) || w.relay->bytes || w.routes_alive || sip_ta_clients(w.ta) ||
		    sip_ta_servers(w.ta) || rg_timers_count(w.timers))
			fail_msg("seed %u leaves %u calls, %zu bytes, %u routes, %zu clients, "
				 "%zu servers, %zu timers", run, relay_calls(w.relay),
				 w.relay->bytes, w.routes_alive,
				 sip_ta_clients(w.ta), sip_ta_servers(w.ta),
				 rg_timers_count(w.timers));
		end(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(ends_do_what_they_like) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
