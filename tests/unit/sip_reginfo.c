/* What a reginfo body says about our Contact, and what hostile ones cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "regway/plugin.h"
#include "sip/reginfo.h"

#define TOKEN "0011223344556677"
#define OURS "sip:line1@192.0.2.1:5060;rg=" TOKEN
#define NS "xmlns=\"urn:ietf:params:xml:ns:reginfo\""
#define DOC(version, state, inside) \
	"<?xml version=\"1.0\"?>\n<reginfo " NS " version=\"" version "\" state=\"" state "\">" \
	inside "</reginfo>"
#define REG(state, inside) \
	"<registration aor=\"sip:+4930123@itsp.example\" id=\"a\" state=\"" state "\">" inside \
	"</registration>"
#define OTHER_REG(state, inside) \
	"<registration aor=\"tel:+4930123\" id=\"b\" state=\"" state "\">" inside "</registration>"
#define CONTACT(id, state, event, more, uri) \
	"<contact id=\"" id "\" state=\"" state "\" event=\"" event "\" " more "><uri>" uri \
	"</uri></contact>"
#define FOUR(x) x "0=\"\" " x "1=\"\" " x "2=\"\" " x "3=\"\" "
#define FULL(inside) DOC("0", "full", REG("active", inside))

static const struct reginfo_self self = {
	TOKEN, { "sip:+4930123@itsp.example", 25 }, { OURS, sizeof OURS - 1 }
};

static int look(struct reginfo_watch *w, const char *body, struct reginfo_news *n)
{
	return reginfo_read(w, &self, body, strlen(body), n);
}

static void says(const char *what, const char *body, uint8_t expect)
{
	struct reginfo_watch w = { 0 };
	struct reginfo_news n;

	if (look(&w, body, &n) || n.what != expect || n.gap)
		fail_msg("%s: says %u, not %u", what, n.what, expect);
}

/* ---- one body ------------------------------------------------------------------------- */

static void states_and_events(void **state)
{
	static const struct {
		const char *state, *event;
		uint8_t what;
	} rows[] = {
		{ "active", "registered", RG_N_ACTIVE }, { "active", "created", RG_N_ACTIVE },
		{ "active", "refreshed", RG_N_REFRESHED },
		{ "active", "shortened", RG_N_SHORTENED },
		{ "terminated", "expired", RG_N_TERMINATED },
		{ "terminated", "deactivated", RG_N_DEACTIVATED },
		{ "terminated", "probation", RG_N_PROBATION },
		{ "terminated", "unregistered", RG_N_UNREGISTERED },
		{ "terminated", "rejected", RG_N_REJECTED },
		/* the state counts where the event contradicts it or is new */
		{ "active", "expired", RG_N_ACTIVE }, { "active", "brandnew", RG_N_ACTIVE },
		{ "terminated", "refreshed", RG_N_TERMINATED },
		{ "terminated", "brandnew", RG_N_TERMINATED },
	};
	char body[1024];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(body, sizeof body,
			 DOC("0", "full", REG("active", "<contact id=\"x\" state=\"%s\" "
					      "event=\"%s\"><uri>" OURS "</uri></contact>")),
			 rows[i].state, rows[i].event);
		says(rows[i].event, body, rows[i].what);
	}
}

static void numbers(void **state)
{
	struct reginfo_watch w = { 0 };
	struct reginfo_news n;

	(void)state;
	assert_int_equal(look(&w, FULL(CONTACT("x", "active", "shortened", "expires=\"60\"", OURS)),
			      &n), 0);
	assert_int_equal(n.expires, 60);
	assert_int_equal(n.retry_after, 0);
	assert_int_equal(look(&w, FULL(CONTACT("x", "terminated", "probation",
					       "retry-after=\" 99999999999 \"", OURS)), &n), 0);
	assert_int_equal(n.what, RG_N_PROBATION);
	assert_true(n.retry_after == UINT32_MAX);
}

static void which_is_ours(void **state)
{
	(void)state;
	says("token, rewritten", FULL(CONTACT("x", "terminated", "rejected", "",
					      "sip:x@198.51.100.9:99;rg=" TOKEN)
				      CONTACT("y", "active", "registered", "", "sip:line1@192.0.2.1")),
	     RG_N_ACTIVE);
	says("token among strangers", FULL(CONTACT("y", "active", "registered", "", "sip:bob@b")
					   CONTACT("x", "terminated", "rejected", "",
						   "sip:x@198.51.100.9:99;rg=" TOKEN)),
	     RG_N_REJECTED);
	says("same URI without the token", FULL(CONTACT("y", "active", "registered", "", "sip:b@b")
						CONTACT("x", "terminated", "rejected", "",
							"sip:line1@192.0.2.1")), RG_N_REJECTED);
	says("the only one", FULL(CONTACT("x", "terminated", "rejected", "", "sip:sbc@10.0.0.1")),
	     RG_N_REJECTED);
	says("another gateway's", FULL(CONTACT("x", "terminated", "rejected", "",
					       "sip:line1@192.0.2.1;rg=ffffffffffffffff")),
	     RG_N_NONE);
	says("two strangers", FULL(CONTACT("x", "terminated", "rejected", "", "sip:a@a")
				   CONTACT("y", "terminated", "rejected", "", "sip:b@b")),
	     RG_N_NONE);
	says("in CDATA, with blanks",
	     DOC("0", "full", REG("active", CONTACT("x", "active", "created", "",
						    "<![CDATA[ " OURS " ]]>"))), RG_N_ACTIVE);
	says("a new one replaces an old one",
	     FULL(CONTACT("x", "terminated", "expired", "", "sip:line1@192.0.2.1:5070;rg=" TOKEN)
		  CONTACT("y", "active", "registered", "", OURS)), RG_N_ACTIVE);
	says("the registration is over", DOC("0", "full", REG("terminated", "")), RG_N_TERMINATED);
	says("over, whatever the Contact says",
	     DOC("0", "full", REG("terminated", CONTACT("x", "active", "created", "", OURS))),
	     RG_N_TERMINATED);
	says("there never was one", DOC("0", "full", REG("init", "")), RG_N_NONE);
	says("nothing at all", DOC("0", "full", ""), RG_N_NONE);
}

static void which_address_of_record(void **state)
{
	(void)state;
	says("ours counts, the other is barred",
	     DOC("0", "full", OTHER_REG("terminated", CONTACT("x", "terminated", "rejected", "", OURS))
			      REG("active", CONTACT("x", "active", "created", "", OURS))),
	     RG_N_ACTIVE);
	says("known by another name",
	     DOC("0", "full", OTHER_REG("active", CONTACT("x", "terminated", "rejected", "", OURS))),
	     RG_N_REJECTED);
	says("known by other names, no Contact of ours",
	     DOC("0", "full", OTHER_REG("terminated", "") OTHER_REG("terminated", "")), RG_N_NONE);
}

static void names_and_namespaces(void **state)
{
	(void)state;
	says("a prefix and extensions",
	     "\xef\xbb\xbf<r:reginfo xmlns:r=\"urn:ietf:params:xml:ns:reginfo\" "
	     "xmlns:g=\"urn:g\" r:x=\"\" version=\"7\" state=\"full\"><r:registration state=\"active\""
	     " aor=\"sip:+4930123@ITSP.example\" id=\"1\"><g:registration aor=\"x\"/>"
	     "<r:contact id=\"q\" event=\"rejected\" state=\"terminated\"><r:uri>sip:a@b</r:uri>"
	     "<r:display-name xml:lang=\"de\">A &amp; B</r:display-name><g:contact><g:uri>y</g:uri>"
	     "</g:contact></r:contact></r:registration></r:reginfo>", RG_N_REJECTED);
	says("at the limits", DOC("0", "full", "<b><c><d><e><f><g><h/></g></f></e></d></c></b>"
			"<a " FOUR("a") FOUR("b") FOUR("c") FOUR("d") FOUR("e") FOUR("f") FOUR("g")
			FOUR("h") "/>"), RG_N_NONE);
	says("elements in the wrong place mean nothing",
	     DOC("0", "full", "<contact id=\"x\" state=\"terminated\" event=\"rejected\"><uri>" OURS
			      "</uri></contact><a><registration/></a>"), RG_N_NONE);
}

/* ---- one after another ----------------------------------------------------------------- */

struct step {
	const char *body;
	uint8_t what;
	bool gap;
};

static void walk(const struct step *s, size_t n)
{
	struct reginfo_watch w = { 0 };
	struct reginfo_news news;

	for (size_t i = 0; i < n; i++) {
		assert_int_equal(look(&w, s[i].body, &news), 0);
		if (news.what != s[i].what || news.gap != s[i].gap)
			fail_msg("step %zu: what %u gap %d, not %u %d", i, news.what, news.gap,
				 s[i].what, s[i].gap);
	}
}

#define WALK(steps) walk(steps, sizeof steps / sizeof *steps)
#define BOUND CONTACT("x", "active", "registered", "", OURS)
#define STRANGER(state) CONTACT("s", state, "expired", "", "sip:bob@b")

static void partial_states(void **state)
{
	static const struct step steps[] = {
		{ DOC("0", "full", REG("active", BOUND STRANGER("active"))), RG_N_ACTIVE, false },
		{ DOC("1", "partial", REG("active", STRANGER("terminated"))), RG_N_NONE, false },
		{ DOC("2", "partial", REG("active", CONTACT("x", "active", "shortened", "", OURS))),
		  RG_N_SHORTENED, false },
		/* an old one, again the present one, then a gap that is told once */
		{ DOC("2", "partial", REG("active", CONTACT("x", "terminated", "rejected", "", OURS))),
		  RG_N_NONE, false },
		{ DOC("3", "partial", OTHER_REG("terminated", CONTACT("x", "terminated", "rejected",
								      "", OURS))), RG_N_NONE, false },
		{ DOC("5", "partial", REG("active", CONTACT("x", "terminated", "rejected", "", OURS))),
		  RG_N_NONE, true },
		{ DOC("9", "partial", REG("terminated", "")), RG_N_NONE, false },
		{ DOC("10", "full", REG("active", BOUND)), RG_N_ACTIVE, false },
		{ DOC("12", "partial", REG("active", "")), RG_N_NONE, true },
		{ DOC("13", "partial", REG("active", CONTACT("x", "terminated", "deactivated", "",
							     OURS))), RG_N_DEACTIVATED, false },
	};

	(void)state;
	WALK(steps);
}

static void full_states(void **state)
{
	static const struct step steps[] = {
		{ DOC("8", "full", REG("active", BOUND STRANGER("active"))), RG_N_ACTIVE, false },
		/* restarted: CSeq says that it is newer */
		{ DOC("0", "full", REG("active", BOUND)), RG_N_ACTIVE, false },
		{ DOC("0", "full", REG("active", STRANGER("active"))), RG_N_TERMINATED, false },
		{ DOC("0", "full", REG("active", STRANGER("active") STRANGER("active"))), RG_N_NONE,
		  false },
		{ DOC("4", "full", REG("active", BOUND)), RG_N_ACTIVE, false },
		{ DOC("5", "full", REG("init", "")), RG_N_TERMINATED, false },
	};

	(void)state;
	WALK(steps);
}

static void contacts_are_remembered(void **state)
{
	static const struct step by_id[] = {
		{ DOC("0", "full", REG("active", CONTACT("x", "active", "created", "", "sip:sbc@s"))),
		  RG_N_ACTIVE, false },
		{ DOC("1", "partial", REG("active", CONTACT("x", "terminated", "rejected", "",
							    "sip:sbc@other"))), RG_N_REJECTED, false },
	};
	static const struct step by_uri[] = {
		{ DOC("0", "full", REG("active", CONTACT("x", "active", "created", "", "sip:sbc@s"))),
		  RG_N_ACTIVE, false },
		{ DOC("1", "partial", REG("active", CONTACT("y", "terminated", "rejected", "",
							    "sip:sbc@s"))), RG_N_REJECTED, false },
	};
	static const struct step moved[] = {
		{ DOC("0", "full", REG("active", CONTACT("x", "active", "created", "", OURS))),
		  RG_N_ACTIVE, false },
		/* what was left behind at another port runs out */
		{ DOC("1", "partial", REG("active", CONTACT("old", "terminated", "expired", "",
							    "sip:line1@192.0.2.1:5999;rg=" TOKEN))),
		  RG_N_NONE, false },
	};
	static const struct step unknown[] = {
		{ DOC("0", "full", REG("active", STRANGER("active") STRANGER("active"))), RG_N_NONE,
		  false },
		{ DOC("1", "partial", REG("active", STRANGER("terminated"))), RG_N_NONE, false },
		{ DOC("2", "partial", REG("terminated", STRANGER("terminated"))), RG_N_TERMINATED,
		  false },
	};
	static const struct step never_full[] = {
		{ DOC("4", "partial", REG("active", BOUND)), RG_N_NONE, true },
		{ DOC("5", "partial", REG("active", CONTACT("x", "active", "refreshed", "", OURS))),
		  RG_N_REFRESHED, false },
	};

	(void)state;
	WALK(by_id);
	WALK(by_uri);
	WALK(moved);
	WALK(unknown);
	WALK(never_full);
}

/* ---- what is refused ------------------------------------------------------------------- */

static void refused(const char *what, const char *body, size_t n)
{
	struct reginfo_watch w = { 3, true, true, true, true, 5, 6 }, before = w;
	struct reginfo_news news;
	struct timespec a, b;
	double ms;
	int err;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	err = reginfo_read(&w, &self, body, n, &news);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	ms = (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
	if (err != EBADMSG)
		fail_msg("%s: %d, not EBADMSG", what, err);
	assert_memory_equal(&w, &before, sizeof w);
	assert_int_equal(news.what, RG_N_NONE);
	assert_false(news.gap);
	if (ms > 100) /* a hundred times of what it takes */
		fail_msg("%s: took %.1f ms", what, ms);
}

static void malformed(void **state)
{
	static const char *const rows[] = {
		"", " ", "no xml", "<reginfo", "<reginfo/>", "<a/>", "<reginfo></registration>",
		"<reginfo version=\"0\" state=\"full\">", "\xef\xbb\xbf", "<presence/>",
		"<reginfo version=\"0\" state=\"full\"/><reginfo version=\"1\" state=\"full\"/>",
		"<reginfo version=\"0\" state=\"half\"/>", "<reginfo version=\"-1\" state=\"full\"/>",
		"<reginfo version=\"\" state=\"full\"/>", "<reginfo state=\"full\"/>",
		"<reginfo xmlns=\"urn:other\" version=\"0\" state=\"full\"/>",
		"<p:reginfo xmlns:p=\"urn:other\" version=\"0\" state=\"full\"/>",
		DOC("0", "full", "<registration aor=\"sip:a@b\"/>"),
		DOC("0", "full", "<registration state=\"active\"/>"),
		DOC("0", "full", REG("gone", "")),
		FULL("<contact id=\"x\" event=\"created\"/>"),
		FULL("<contact id=\"x\" state=\"active\"/>"),
		FULL("<contact id=\"x\" state=\"\" event=\"created\"/>"),
		FULL("<contact id=\"x\" state=\"init\" event=\"created\"/>"),
		FULL(CONTACT("x", "active", "created", "expires=\"soon\"", OURS)),
		FULL(CONTACT("x", "active", "created", "retry-after=\"1.5\"", OURS)),
		FULL(CONTACT("x", "active", "created", "", "&nbsp;")),
		FULL(CONTACT("x", "active", "created", "", "&#0;")),
		FULL(CONTACT("x", "active", "created", "", "\xff\xfe")),
		FULL(CONTACT("x", "active", "created", "", "\xc0\x80")),
		FULL(CONTACT("x", "active", "created", "", "\xed\xa0\x80")),
		DOC("0", "full", "<!-- \xff -->"), DOC("0", "full", "<?p \xff?>"),
		DOC("0", "full", "<a b=\"\xff\"/>"), DOC("0", "full", "<a\xff/>"),
		DOC("0", "full", "<a><b><c><d><e><f><g><h/></g></f></e></d></c></b></a>"),
		DOC("0", "full", "<a " FOUR("a") FOUR("b") FOUR("c") FOUR("d") FOUR("e") FOUR("f")
			FOUR("g") FOUR("h") "i=\"\"/>"),
		"<!DOCTYPE reginfo>" DOC("0", "full", ""),
		"<!doctype x SYSTEM \"file:///etc/passwd\">" DOC("0", "full", ""),
		DOC("0", "full", "<!ENTITY a \"b\">"), DOC("0", "full", "<!"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		refused(rows[i], rows[i], strlen(rows[i]));
	refused("a zero byte", "<reginfo version=\"0\" state=\"full\">\0</reginfo>", 46);
	refused("UTF-16", "\xff\xfe<\0r\0", 6);
}

/* begin, then the piece as often as it takes to fill n bytes, then end */
static char *filled(const char *begin, const char *piece, const char *end, size_t n)
{
	char *body = malloc(n + 1);
	size_t at = strlen(begin), last = n - strlen(end);

	memcpy(body, begin, at);
	for (; at + strlen(piece) <= last; at += strlen(piece))
		memcpy(body + at, piece, strlen(piece));
	memset(body + at, ' ', last - at);
	memcpy(body + last, end, strlen(end) + 1);
	return body;
}

static void too_much(const char *what, const char *begin, const char *piece, const char *end,
		     size_t n)
{
	char *body = filled(begin, piece, end, n);

	refused(what, body, n);
	free(body);
}

#define ROOT "<reginfo version=\"9\" state=\"full\""
#define LAUGH "<!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">"

static void hostile(void **state)
{
	(void)state;
	too_much("billion laughs", "<!DOCTYPE l [<!ENTITY a \"ha\">", LAUGH,
		 "]>" ROOT ">&b;</reginfo>", 60000);
	too_much("megabytes", ROOT ">", "<registration aor=\"sip:a@b\" state=\"init\"/>",
		 "</reginfo>", 8 << 20);
	too_much("one byte more", ROOT ">", " ", "</reginfo>", REGINFO_MOST + 1);
	too_much("deep", ROOT ">", "<a>", "", 65000);
	too_much("many elements", ROOT ">", "<a/>", "</reginfo>", 65000);
	too_much("many attributes", ROOT, " a=\"\"", "/>", 65000);
	too_much("many quotes", ROOT, " a='>'", "/>", 65000);
	too_much("open comments", ROOT ">", "<!-- > ", "", 65000);
	too_much("open CDATA", ROOT "><![CDATA[", "]]", "", 65000);
	too_much("ampersands", ROOT ">", "&", "</reginfo>", 65000);
	too_much("an endless reference", ROOT ">&#", "1", "</reginfo>", 65000);
	too_much("an endless name", ROOT "><", "a", "", 65000);
	too_much("an endless prefix", "<", "a", ":reginfo/>", 65000);
	too_much("processing", ROOT ">", "<?a>", "", 65000);
}

/* Within the limits it is read, however large. */
static void large(void **state)
{
	char *body = filled("<reginfo version=\"9\" state=\"full\">"
			    REG("active", CONTACT("x", "terminated", "rejected", "", OURS)),
			    "<registration aor=\"sip:a@b\" state=\"init\"/>", "</reginfo>", 65536);
	struct reginfo_watch w = { 0 };
	struct reginfo_news n;

	(void)state;
	assert_int_equal(reginfo_read(&w, &self, body, 65536, &n), 0);
	assert_int_equal(n.what, RG_N_REJECTED);
	free(body);
	body = filled(ROOT ">" "<registration aor=\"sip:+4930123@itsp.example\" state=\"active\">"
		      "<contact state=\"active\" event=\"created\"><uri>" OURS, "x",
		      "</uri></contact></registration></reginfo>", 60000);
	w = (struct reginfo_watch){ 0 };
	assert_int_equal(reginfo_read(&w, &self, body, 60000, &n), 0);
	assert_int_equal(n.what, RG_N_ACTIVE); /* by being the only one: its URI is too long */
	assert_true(w.known && !w.uri);
	free(body);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(states_and_events),
		cmocka_unit_test(numbers),
		cmocka_unit_test(which_is_ours),
		cmocka_unit_test(which_address_of_record),
		cmocka_unit_test(names_and_namespaces),
		cmocka_unit_test(partial_states),
		cmocka_unit_test(full_states),
		cmocka_unit_test(contacts_are_remembered),
		cmocka_unit_test(malformed),
		cmocka_unit_test(hostile),
		cmocka_unit_test(large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
