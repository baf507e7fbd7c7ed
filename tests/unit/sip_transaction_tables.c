/* The state machines of RFC 3261 17 (figures 5 to 8) and RFC 6026, row by row: what is done
 * to a transaction, and all that comes of it, in virtual time.
 *
 * Done:  INVITE OPTIONS   a client sends that; INVITE/4000: with 4 s for an answer
 *        180 C200         it is answered; the C: its CANCEL is
 *        cancel leave stop again (as it is answered 401) fail (the transport did)
 *        <INVITE <INVITE/2 <INVITE:x   a request arrives; with another branch; Request-URI
 *        own<OPTIONS      ... one that the gateway itself answers
 *        =180             it is answered
 *        deaf             the wire refuses all from here on
 *        @500             until then
 * Comes: ACK@0 180@0      sent
 *        (180 (FAILED     told the client's user
 *        {ACK {GONE       told the server's
 *        new known passed merged nobody's   what became of what arrived
 *        [1]              transactions left */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regway/plugin.h"
#include "sip/message.h"
#include "sip/transaction.h"

enum { START = 1000000 };

static const struct row {
	const char *what;
	bool reliable;
	const char *done, *comes;
} rows[] = {
	/* ---- figure 5: INVITE client, with RFC 6026's Accepted ---- */
	{ "Calling: timer A", false, "INVITE @8000",
	  "INVITE@0 INVITE@500 INVITE@1500 INVITE@3500 INVITE@7500 [1]" },
	{ "Calling: timer B", false, "INVITE @33000",
	  "INVITE@0 INVITE@500 INVITE@1500 INVITE@3500 INVITE@7500 INVITE@15500 INVITE@31500 "
	  "(TIMEOUT@32000 (GONE@32001 [0]" },
	{ "Calling: reliable, timer B alone", true, "INVITE @33000",
	  "INVITE@0 (TIMEOUT@32000 (GONE@32001 [0]" },
	{ "Calling: transport error", false, "INVITE @100 fail", "INVITE@0 (FAILED@100 [0]" },
	{ "Calling: not even sent", false, "deaf INVITE", "refused [0]" },
	{ "Calling: 1xx", false, "INVITE @100 100 @40000", "INVITE@0 (100@100 [1]" },
	{ "Calling: 2xx", false, "INVITE @100 200", "INVITE@0 (200@100 [1]" },
	{ "Calling: 300 to 699", false, "INVITE @100 300", "INVITE@0 ACK@100 (300@100 [1]" },
	{ "Calling: 699", false, "INVITE @100 699", "INVITE@0 ACK@100 (699@100 [1]" },
	{ "Proceeding: 1xx", false, "INVITE 100 180 180 183",
	  "INVITE@0 (100@0 (180@0 (180@0 (183@0 [1]" },
	{ "Proceeding: 2xx", false, "INVITE 180 @200000 200", "INVITE@0 (180@0 (200@200000 [1]" },
	{ "Proceeding: 300 to 699", false, "INVITE 180 @9000 486",
	  "INVITE@0 (180@0 ACK@9000 (486@9000 [1]" },
	{ "Proceeding: transport error", true, "INVITE 180 @9 fail",
	  "INVITE@0 (180@0 (FAILED@9 [0]" },
	{ "Completed: 300 to 699 again", false, "INVITE 486 @500 486 @4000 486",
	  "INVITE@0 ACK@0 (486@0 ACK@500 ACK@4000 [1]" },
	{ "Completed: 1xx and 2xx", false, "INVITE 486 180 200", "INVITE@0 ACK@0 (486@0 [1]" },
	{ "Completed: timer D", false, "INVITE 486 @31999 486 @32000 486",
	  "INVITE@0 ACK@0 (486@0 ACK@31999 (GONE@32000 nobody's [0]" },
	{ "Completed: reliable, timer D of nothing", true, "INVITE 486 @1",
	  "INVITE@0 ACK@0 (486@0 (GONE@0 [0]" },
	{ "Completed: transport error", false, "INVITE 486 fail @32000",
	  "INVITE@0 ACK@0 (486@0 (GONE@32000 [0]" },
	{ "Accepted: 2xx, each is told", false, "INVITE 200 @500 200 @1500 200",
	  "INVITE@0 (200@0 (200@500 (200@1500 [1]" },
	{ "Accepted: 1xx and 300 to 699", false, "INVITE 200 180 486", "INVITE@0 (200@0 [1]" },
	{ "Accepted: timer M, not begun anew", false, "INVITE 200 @31999 200 @32000 200",
	  "INVITE@0 (200@0 (200@31999 (GONE@32000 nobody's [0]" },
	{ "Accepted: reliable, timer M all the same", true, "INVITE 200 @31999 200 @32000",
	  "INVITE@0 (200@0 (200@31999 (GONE@32000 [0]" },
	{ "Accepted: transport error", false, "INVITE 200 fail", "INVITE@0 (200@0 [1]" },
	{ "Terminated", false, "INVITE stop 180 200 486",
	  "INVITE@0 nobody's nobody's nobody's [0]" },

	/* ---- 9.1 and 17.1.2: CANCEL ---- */
	{ "CANCEL waits for a 1xx", false, "INVITE cancel @400 100",
	  "INVITE@0 CANCEL@400 (100@400 [1]" },
	{ "CANCEL never sent: a final answer came", false, "INVITE cancel 200",
	  "INVITE@0 (200@0 [1]" },
	{ "CANCEL is sent once a user wants it", false, "INVITE 180 cancel cancel",
	  "INVITE@0 (180@0 CANCEL@0 [1]" },
	{ "CANCEL: timer E and F; the INVITE ends", false, "INVITE 180 cancel @64002",
	  "INVITE@0 (180@0 CANCEL@0 CANCEL@500 CANCEL@1500 CANCEL@3500 CANCEL@7500 CANCEL@11500 "
	  "CANCEL@15500 CANCEL@19500 CANCEL@23500 CANCEL@27500 CANCEL@31500 (TIMEOUT@32000 "
	  "(GONE@32001 [0]" },
	{ "CANCEL: 1xx", false, "INVITE 180 cancel @600 C100 @9000",
	  "INVITE@0 (180@0 CANCEL@0 CANCEL@500 CANCEL@4600 CANCEL@8600 [1]" },
	{ "CANCEL: 2xx", false, "INVITE 180 cancel @600 C200 @9000 487",
	  "INVITE@0 (180@0 CANCEL@0 CANCEL@500 ACK@9000 (487@9000 [1]" },
	{ "CANCEL: 481", false, "INVITE 180 cancel C481 C481 @9000",
	  "INVITE@0 (180@0 CANCEL@0 [1]" },
	{ "CANCEL: reliable", true, "INVITE 180 cancel @9000 C200",
	  "INVITE@0 (180@0 CANCEL@0 [1]" },
	{ "CANCEL: 487 without an answer of its own", false, "INVITE 180 cancel 487 @9000 C200",
	  "INVITE@0 (180@0 CANCEL@0 ACK@0 (487@0 [1]" },
	{ "CANCEL: a crossing 200", false, "INVITE 180 cancel 200 @9000",
	  "INVITE@0 (180@0 CANCEL@0 (200@0 [1]" },
	{ "CANCEL: answered, the INVITE is not", false, "INVITE 180 cancel C200 @32001",
	  "INVITE@0 (180@0 CANCEL@0 (TIMEOUT@32000 (GONE@32001 [0]" },
	{ "CANCEL: 1xx do not make it last", false, "INVITE 180 cancel C200 @31000 180 @32001",
	  "INVITE@0 (180@0 CANCEL@0 (180@31000 (TIMEOUT@32000 (GONE@32001 [0]" },
	{ "CANCEL is not for others", false, "OPTIONS 100 cancel C200",
	  "OPTIONS@0 (100@0 nobody's [1]" },
	{ "no CANCEL, no answer to it", false, "INVITE 180 C200",
	  "INVITE@0 (180@0 nobody's [1]" },
	{ "left: CANCEL", false, "INVITE 180 leave C200 487 @33000",
	  "INVITE@0 (180@0 CANCEL@0 ACK@0 [0]" },
	{ "left before a 1xx", false, "INVITE leave @100 180 C200 @33000",
	  "INVITE@0 CANCEL@100 [0]" },
	{ "left: ACK goes on", false, "INVITE 486 leave @500 486",
	  "INVITE@0 ACK@0 (486@0 ACK@500 [1]" },
	{ "stopped: CANCEL too", false, "INVITE 180 cancel stop @9000",
	  "INVITE@0 (180@0 CANCEL@0 [0]" },
	{ "late 1xx: nobody waits", false, "INVITE/4000 @9000 180 @9500 487",
	  "INVITE@0 INVITE@500 INVITE@1500 INVITE@3500 (TIMEOUT@4000 CANCEL@9000 CANCEL@9500 "
	  "ACK@9500 (LATE@9500 [0]" },
	{ "late 1xx: once", false, "INVITE/4000 @9000 180 180 C200 @41000",
	  "INVITE@0 INVITE@500 INVITE@1500 INVITE@3500 (TIMEOUT@4000 CANCEL@9000 (GONE@41000 [0]" },
	{ "late 200 to CANCEL is no answer", false, "INVITE 180 cancel @32000 C200",
	  "INVITE@0 (180@0 CANCEL@0 CANCEL@500 CANCEL@1500 CANCEL@3500 CANCEL@7500 CANCEL@11500 "
	  "CANCEL@15500 CANCEL@19500 CANCEL@23500 CANCEL@27500 CANCEL@31500 (TIMEOUT@32000 [1]" },
	{ "late 2xx", false, "INVITE/400 @500 200", "INVITE@0 (TIMEOUT@400 (LATE@500 [0]" },
	{ "late 300 to 699", false, "INVITE/400 @500 486",
	  "INVITE@0 (TIMEOUT@400 ACK@500 (LATE@500 [0]" },

	/* ---- again: another transaction of the same user ---- */
	{ "again", false, "INVITE again 401 @100 180",
	  "INVITE@0 ACK@0 (401@0 INVITE@0 (180@100 [1]" },
	{ "again: the old answer is acknowledged", false, "INVITE again 401 old401 @500 old401",
	  "INVITE@0 ACK@0 (401@0 INVITE@0 ACK@0 INVITE@500 ACK@500 [1]" },
	{ "again: other old answers", false, "INVITE again 401 old180 old200",
	  "INVITE@0 ACK@0 (401@0 INVITE@0 [1]" },
	{ "again: not INVITE", false, "OPTIONS again 401 old401 200",
	  "OPTIONS@0 (401@0 OPTIONS@0 nobody's (200@0 [0]" },
	{ "again: CANCEL anew", false, "INVITE again 401 180 cancel C200",
	  "INVITE@0 ACK@0 (401@0 INVITE@0 (180@0 CANCEL@0 [1]" },

	/* ---- figure 6: non-INVITE client ---- */
	{ "Trying: timer E", false, "OPTIONS @8000",
	  "OPTIONS@0 OPTIONS@500 OPTIONS@1500 OPTIONS@3500 OPTIONS@7500 [1]" },
	{ "Trying: timer F", true, "OPTIONS @33000", "OPTIONS@0 (TIMEOUT@32000 (GONE@32001 [0]" },
	{ "Trying: transport error", false, "OPTIONS fail", "OPTIONS@0 (FAILED@0 [0]" },
	{ "Trying: 1xx", false, "OPTIONS @600 100 @9000",
	  "OPTIONS@0 OPTIONS@500 (100@600 OPTIONS@4600 OPTIONS@8600 [1]" },
	{ "Trying: 200 to 699", false, "OPTIONS 600", "OPTIONS@0 (600@0 [0]" },
	{ "Proceeding: timer E is T2", false, "OPTIONS 100 @9000 100 @12000",
	  "OPTIONS@0 (100@0 OPTIONS@4000 OPTIONS@8000 (100@9000 OPTIONS@12000 [1]" },
	{ "Proceeding: timer F", true, "OPTIONS 100 @33000",
	  "OPTIONS@0 (100@0 (TIMEOUT@32000 (GONE@32001 [0]" },
	{ "Proceeding: transport error", false, "OPTIONS 100 fail",
	  "OPTIONS@0 (100@0 (FAILED@0 [0]" },
	{ "Proceeding: 1xx", false, "OPTIONS 100 100", "OPTIONS@0 (100@0 (100@0 [1]" },
	{ "Proceeding: 200 to 699", false, "OPTIONS 100 404", "OPTIONS@0 (100@0 (404@0 [0]" },
	{ "Completed is not kept: known by its branch", false, "OPTIONS 200 200 100",
	  "OPTIONS@0 (200@0 nobody's nobody's [0]" },

	/* ---- figure 7: INVITE server, with RFC 6026's Accepted ---- */
	{ "Proceeding: INVITE before any answer", false, "<INVITE <INVITE", "new known [1]" },
	{ "Proceeding: 1xx, INVITE again", false, "<INVITE =100 @500 <INVITE =180 @1500 <INVITE",
	  "new 100@0 100@500 known 180@500 180@1500 known [1]" },
	{ "Proceeding: without end", false, "<INVITE =180 @1000000 <INVITE",
	  "new 180@0 180@1000000 known [1]" },
	{ "Proceeding: ACK", false, "<INVITE =180 <ACK", "new 180@0 known [1]" },
	{ "Proceeding: CANCEL", false, "<INVITE =180 <CANCEL", "new 180@0 {CANCEL@0 [1]" },
	{ "Proceeding: 2xx", false, "<INVITE =200 @31999", "new 200@0 [1]" },
	{ "Proceeding: 300 to 699", false, "<INVITE =486", "new 486@0 [1]" },
	{ "Proceeding: transport error", false, "<INVITE deaf =180 @10 <INVITE",
	  "new known [1]" },
	{ "Completed: timer G", false, "<INVITE =486 @9000",
	  "new 486@0 486@500 486@1500 486@3500 486@7500 [1]" },
	{ "Completed: timer H", false, "<INVITE =486 @32000",
	  "new 486@0 486@500 486@1500 486@3500 486@7500 486@11500 486@15500 486@19500 486@23500 "
	  "486@27500 486@31500 {GONE@32000 [0]" },
	{ "Completed: reliable, timer H alone", true, "<INVITE =486 @31999 @32000",
	  "new 486@0 {GONE@32000 [0]" },
	{ "Completed: INVITE", false, "<INVITE =486 @100 <INVITE",
	  "new 486@0 486@100 known [1]" },
	{ "Completed: ACK", false, "<INVITE =486 @100 <ACK @4000",
	  "new 486@0 {ACK@100 known [1]" },
	{ "Completed: other answers", false, "<INVITE =486 =180 =200 =500", "new 486@0 [1]" },
	{ "Completed: transport error", false, "<INVITE deaf =486 @600 <INVITE <ACK",
	  "new known {ACK@600 known [1]" },
	{ "Confirmed: ACK, INVITE", false, "<INVITE =486 <ACK <ACK <INVITE",
	  "new 486@0 {ACK@0 known known known [1]" },
	{ "Confirmed: other answers", false, "<INVITE =486 <ACK =200",
	  "new 486@0 {ACK@0 known [1]" },
	{ "Confirmed: timer I", false, "<INVITE =486 <ACK @4999 @5000",
	  "new 486@0 {ACK@0 known {GONE@5000 [0]" },
	{ "Confirmed: reliable, timer I of nothing", true, "<INVITE =486 <ACK @1",
	  "new 486@0 {ACK@0 known {GONE@0 [0]" },
	{ "Accepted: INVITE", false, "<INVITE =200 @100 <INVITE", "new 200@0 known [1]" },
	{ "Accepted: ACK is for who accepted", false, "<INVITE =200 <ACK <ACK",
	  "new 200@0 passed passed [1]" },
	{ "Accepted: 2xx again", false, "<INVITE =200 @500 =200 @1500 =200 @31999 <INVITE",
	  "new 200@0 200@500 200@1500 known [1]" },
	{ "Accepted: other answers", false, "<INVITE =200 =180 =486", "new 200@0 [1]" },
	{ "Accepted: timer L", false, "<INVITE =200 @31999 =200 @32000 <ACK",
	  "new 200@0 200@31999 {GONE@32000 passed [0]" },
	{ "Accepted: reliable, timer L all the same", true, "<INVITE =200 @31999 <INVITE @32000",
	  "new 200@0 known {GONE@32000 [0]" },
	{ "an ACK of nothing", false, "<ACK", "passed [0]" },
	{ "left without an answer", false, "<INVITE =180 sleave <INVITE", "new 180@0 new [1]" },
	{ "left: repeats on", false, "<INVITE =486 sleave @500 <ACK @5500",
	  "new 486@0 486@500 known [0]" },

	/* ---- figure 8: non-INVITE server ---- */
	{ "Trying: request", false, "<OPTIONS <OPTIONS", "new known [1]" },
	{ "Trying: 1xx", false, "<OPTIONS =100", "new 100@0 [1]" },
	{ "Trying: 200 to 699", false, "<OPTIONS =200", "new 200@0 [1]" },
	{ "Trying: nobody answers", false, "<OPTIONS @32000", "new {GONE@32000 [0]" },
	{ "Proceeding: request", false, "<OPTIONS =100 <OPTIONS", "new 100@0 100@0 known [1]" },
	{ "Proceeding: 1xx", false, "<OPTIONS =100 =183", "new 100@0 183@0 [1]" },
	{ "Proceeding: 200 to 699", false, "<OPTIONS =100 =404 @100 <OPTIONS",
	  "new 100@0 404@0 404@100 known [1]" },
	{ "Proceeding: transport error", false, "<OPTIONS =100 deaf <OPTIONS",
	  "new 100@0 known [1]" },
	{ "Completed: request", false, "<OPTIONS =200 @31999 <OPTIONS",
	  "new 200@0 200@31999 known [1]" },
	{ "Completed: other answers", false, "<OPTIONS =200 =404 =100 <OPTIONS",
	  "new 200@0 200@0 known [1]" },
	{ "Completed: transport error", false, "<OPTIONS =200 deaf <OPTIONS",
	  "new 200@0 known [1]" },
	{ "Completed: timer J", false, "<OPTIONS =200 @32000 <OPTIONS",
	  "new 200@0 {GONE@32000 new [1]" },
	{ "Completed: reliable, timer J of nothing", true, "<OPTIONS =200 @1",
	  "new 200@0 {GONE@0 [0]" },

	/* ---- 8.2.2.2: the same request by another way ---- */
	{ "merged: before an answer", false, "<INVITE <INVITE/2", "new merged [1]" },
	{ "merged: while it rings", false, "<INVITE =180 <INVITE/2", "new 180@0 merged [1]" },
	{ "merged: accepted", false, "<INVITE =200 <INVITE/2 @32000 <INVITE/2",
	  "new 200@0 merged {GONE@32000 new [1]" },
	{ "merged: not INVITE", false, "<OPTIONS =200 <OPTIONS/2", "new 200@0 merged [1]" },
	{ "not merged: it was refused", false, "<INVITE =503 <INVITE/2 <INVITE/3",
	  "new 503@0 new merged [2]" },
	{ "not merged: its owner gave it up", false, "<INVITE sleave <INVITE/2", "new new [1]" },
	{ "not merged: repeated", false, "<INVITE <INVITE", "new known [1]" },
	{ "not merged: another method", false, "<INVITE <OPTIONS/2", "new new [2]" },
	{ "not merged: another account's Contact", false, "<INVITE <INVITE/2:x", "new new [2]" },
	{ "not merged: the gateway's own answer", false, "own<OPTIONS =200 own<OPTIONS/2",
	  "new 200@0 new [2]" },
	{ "not merged: in a dialog", false, "<INVITE;d <INVITE/2;d", "new new [2]" },
};

static struct {
	struct rg_timers *timers;
	struct sip_pool *pool;
	struct sip_stats stats;
	struct sip_ta *ta;
	struct sip_hop hop;
	struct sip_client *c;
	struct sip_server *s;
	char log[2000], method[16], branch[SIP_BRANCH], old[SIP_BRANCH];
	bool deaf, again;
} w;

static void say(const char *fmt, ...)
{
	size_t n = strlen(w.log);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w.log + n, sizeof w.log - n, fmt, ap);
	va_end(ap);
}

static long long now(void)
{
	return (long long)(rg_now(w.timers) - START);
}

static int wire(void *arg, const struct sip_hop *hop, struct sip_buf *b)
{
	(void)arg, (void)hop;
	if (w.deaf)
		return ENOBUFS;
	if (!memcmp(b->data, "SIP/2.0 ", 8))
		say("%.3s@%lld ", b->data + 8, now());
	else
		say("%.*s@%lld ", (int)strcspn(b->data, " "), b->data, now());
	return 0;
}

static void told(struct sip_client *c, const struct sip_event *e, void *arg)
{
	static const char *const name[] = { "", "", "TIMEOUT", "FAILED", "LATE", "GONE" };

	(void)arg;
	if (*name[e->outcome])
		say("(%s@%lld ", name[e->outcome], now());
	else
		say("(%u@%lld ", e->answer->code, now());
	if (w.again && e->outcome == SIP_FINAL) {
		struct sip_buf *b = sip_client_again(c);

		w.again = false;
		memcpy(w.old, w.branch, SIP_BRANCH);
		sip_client_branch(c, w.branch);
		memcpy(strstr(b->data, "branch=") + 7, w.branch, SIP_BRANCH);
		assert_int_equal(sip_client_send(c, b, SIP_64T1_MS, 255), 0);
	}
}

static void told_server(struct sip_server *s, enum sip_server_event e, void *arg)
{
	static const char *const name[] = { "CANCEL", "ACK", "GONE" };

	(void)s, (void)arg;
	say("{%s@%lld ", name[e], now());
}

static void send_request(const char *method, uint32_t budget)
{
	struct sip_buf *b = sip_buf_new(w.pool, 1000);

	w.c = sip_client_new(w.ta, &w.hop, !strcmp(method, "INVITE"), told, NULL);
	sip_client_branch(w.c, w.branch);
	strcpy(w.method, method);
	b->len = (uint32_t)sprintf(b->data,
				   "%s sip:b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=%.*s;rport\r\n"
				   "From: a;tag=1\r\nTo: b\r\nCall-ID: c\r\nCSeq: 9 %s\r\n"
				   "Content-Length: 0\r\n\r\n",
				   method, SIP_BRANCH, w.branch, method);
	if (sip_client_send(w.c, b, budget, 255)) {
		say("refused ");
		sip_client_stop(w.c);
	}
}

static void answer(const char *branch, const char *code, const char *method)
{
	char text[600];
	struct sip_head h;
	const char *why;
	int n = snprintf(text, sizeof text,
			 "SIP/2.0 %.3s X\r\nVia: SIP/2.0/UDP h;branch=%.*s\r\nFrom: a;tag=1\r\n"
			 "To: b;tag=2\r\nCall-ID: c\r\nCSeq: 9 %s\r\n\r\n",
			 code, SIP_BRANCH, branch, method);

	assert_int_equal(sip_precheck(&h, text, (size_t)n, &why), SIP_FINE);
	if (!sip_ta_response(w.ta, &w.hop, &h))
		say("nobody's ");
}

/* METHOD[/BRANCH][:USER][;d] */
static void arrives(const char *what, sip_server_h *handler)
{
	int n = (int)strcspn(what, "/:;");
	const char *slash = strchr(what, '/'), *colon = strchr(what, ':');
	struct sip_server *cancelled;
	struct sip_head h;
	const char *why;
	char text[600];
	int len = snprintf(text, sizeof text,
			   "%.*s sip:%s@b SIP/2.0\r\nVia: SIP/2.0/UDP h;rport;branch=z9hG4bK%c\r\n"
			   "From: a;tag=1\r\nTo: b%s\r\nCall-ID: c\r\nCSeq: 9 %.*s\r\n\r\n",
			   n, what, colon ? colon + 1 : "u", slash ? slash[1] : '1',
			   strchr(what, ';') ? ";tag=2" : "", n, what);

	assert_int_equal(sip_precheck(&h, text, (size_t)len, &why), SIP_FINE);
	if (sip_ta_request(w.ta, &w.hop, &h)) {
		say("known ");
	} else if (!strncmp(what, "ACK", 3)) {
		say("passed ");
	} else if (!strncmp(what, "CANCEL", 6)) {
		cancelled = sip_ta_cancelled(w.ta, &h);
		assert_non_null(cancelled);
		sip_server_cancel(cancelled, &h);
	} else if (sip_ta_merged(w.ta, &h)) {
		say("merged ");
	} else {
		w.s = sip_server_new(w.ta, &w.hop, &h, handler, NULL);
		assert_non_null(w.s);
		say("new ");
	}
}

static void reply(const char *code)
{
	struct sip_buf *b = sip_buf_new(w.pool, 100);

	b->len = (uint32_t)sprintf(b->data, "SIP/2.0 %s X\r\n\r\n", code);
	sip_server_reply(w.s, (uint16_t)atoi(code), b);
}

static void go_to(rg_ms at)
{
	while (rg_timers_step(w.timers, START + at))
		;
}

static void do_one(const char *step)
{
	const char *slash = strchr(step, '/');

	if (!strncmp(step, "INVITE", 6) || !strcmp(step, "OPTIONS"))
		send_request(*step == 'I' ? "INVITE" : "OPTIONS",
			     slash ? (uint32_t)atoi(slash + 1) : SIP_64T1_MS);
	else if (*step >= '0' && *step <= '9')
		answer(w.branch, step, w.method);
	else if (*step == 'C')
		answer(w.branch, step + 1, "CANCEL");
	else if (!strncmp(step, "old", 3))
		answer(w.old, step + 3, w.method);
	else if (*step == '@')
		go_to(atoi(step + 1));
	else if (*step == '<')
		arrives(step + 1, told_server);
	else if (!strncmp(step, "own<", 4))
		arrives(step + 4, NULL);
	else if (*step == '=')
		reply(step + 1);
	else if (!strcmp(step, "cancel"))
		sip_client_cancel(w.c, (struct span){ NULL, 0 });
	else if (!strcmp(step, "leave"))
		sip_client_leave(w.c);
	else if (!strcmp(step, "sleave"))
		sip_server_leave(w.s);
	else if (!strcmp(step, "stop"))
		sip_client_stop(w.c);
	else if (!strcmp(step, "again"))
		w.again = true;
	else if (!strcmp(step, "deaf"))
		w.deaf = true;
	else if (!strcmp(step, "fail"))
		sip_ta_failed(w.ta, w.hop.socket, &w.hop.peer, ECONNREFUSED, NULL, 0);
	else
		fail_msg("%s?", step);
}

static void run(const struct row *r)
{
	struct sip_wire out = { .send = wire };
	char done[400], *save, *step;

	memset(&w, 0, sizeof w);
	w.timers = rg_timers_new(START);
	w.pool = sip_pool_new();
	w.ta = sip_ta_new(w.timers, w.pool, &w.stats, &out);
	w.hop.socket = 7 | (r->reliable ? SIP_SOCKET_TCP : 0);
	rg_addr_parse(&w.hop.local, "192.0.2.1:5060");
	rg_addr_parse(&w.hop.peer, "192.0.2.2:5060");
	w.hop.peer.transport = r->reliable ? RG_TCP : RG_UDP;
	assert_true(strlen(r->done) < sizeof done);
	strcpy(done, r->done);
	for (step = strtok_r(done, " ", &save); step; step = strtok_r(NULL, " ", &save))
		do_one(step);
	say("[%zu]", sip_ta_clients(w.ta) + sip_ta_servers(w.ta));
	sip_ta_free(w.ta);
	assert_int_equal(rg_timers_count(w.timers), 0);
	rg_timers_free(w.timers);
	sip_pool_free(w.pool);
}

static void every_row(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		run(&rows[i]);
		if (strcmp(w.log, rows[i].comes)) {
			print_error("%s: %s\n  comes %s\n  not   %s\n", rows[i].what, rows[i].done,
				    w.log, rows[i].comes);
			bad++;
		}
	}
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_row) };

	return cmocka_run_group_tests_name("sip_transaction_tables", tests, NULL, NULL);
}
