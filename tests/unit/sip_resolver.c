/* Lookups, the cache and its answers, against a scripted name server. */
#include "unit/sip_dns.h"

/* ---- answers ------------------------------------------------------------------- */

static const struct rr zone[] = {
	{ "three.test", A, 60, "192.0.2.3" },
	{ "three.test", A, 60, "192.0.2.1" },
	{ "three.test", A, 50, "192.0.2.2" },
	{ "empty.test", CUT, 0, "" },
	{ "gone.test", NXDOMAIN, 0, "" },
	{ "sick.test", SERVFAIL, 0, "" },
	{ "mute.test", MUTE, 0, "" },
	{ "odd.test", A, 60, "0.0.0.0" },
	{ "odd.test", A, 60, "192.0.2.9" },
	{ "odd.test", A, 60, "224.0.0.1" },
	{ "odd.test", A, 60, "192.0.2.9" },
	{ "odd.test", A, 60, "255.255.255.255" },
	{ "garbage.test", A, 60, "192.0.2.9" },
	{ "garbage.test", GARBAGE, 0, "" },
	{ "big.test", TRUNCATED, 0, "" },
	{ "big.test", MANY, 60, "300" },
	{ "alias.test", CNAME, 40, "a2.test" },
	{ "a2.test", CNAME, 20, "three.test" },
	{ "cut.test", CNAME, 15, "cut2.test" },
	{ "cut.test", CUT, 0, "" },
	{ "cut2.test", CNAME, 70, "Three.Test" },
	{ "cut2.test", CUT, 0, "" },
	{ "dangling.test", CNAME, 70, "gone.test" },
	{ "loop.test", CNAME, 60, "loop2.test" },
	{ "loop2.test", CNAME, 60, "loop.test" },
	{ "slow1.test", CNAME, 60, "slow2.test" },
	{ "slow1.test", CUT, 0, "" },
	{ "slow2.test", CNAME, 60, "slow1.test" },
	{ "slow2.test", CUT, 0, "" },
	{ "zero.test", A, 0, "192.0.2.9" },
	{ "long.test", A, 1000000, "192.0.2.9" },
	{ "negative.test", A, 0x80000001u, "192.0.2.9" },
	{ NULL, 0, 0, NULL },
};

static const struct rr good[] = { { "x.test", A, 60, "192.0.2.1" }, { NULL, 0, 0, NULL } };
static const struct rr other[] = { { "x.test", A, 60, "192.0.2.2" }, { NULL, 0, 0, NULL } };
static const struct rr sick[] = { { "x.test", SERVFAIL, 0, "" }, { NULL, 0, 0, NULL } };
static const struct rr gone[] = { { "x.test", NXDOMAIN, 0, "" }, { NULL, 0, 0, NULL } };
static const struct rr mute[] = { { "x.test", MUTE, 0, "" }, { NULL, 0, 0, NULL } };
static const struct rr held[] = { { "x.test", A, 60, "192.0.2.3" }, { "x.test", HOLD, 0, "" },
				  { NULL, 0, 0, NULL } };

static void the_order_of_the_answer_is_kept(void **state)
{
	struct world *w = *state;
	struct got *g;

	w->zone = zone;
	g = lookup(w, "three.test");
	assert_addrs(g, "192.0.2.3:5060 192.0.2.1:5060 192.0.2.2:5060");
	for (size_t i = 0; i < 3; i++)
		assert_in_range(g->r[i].ttl, 45, 50);
	assert_int_equal(w->asked, 1);
}

static void ports_and_transports(void **state)
{
	struct world *w = *state;
	struct reg_lookup l = { .token = 2, .host = "three.test", .transport = RG_TLS };

	w->zone = zone;
	assert_int_equal(resolver_lookup(w->r, &l, done, w), 0);
	l = (struct reg_lookup){ .token = 3, .host = "THREE.test.", .transport = RG_TCP,
				 .port = 5099, .transport_set = true, .method = 2 };
	assert_int_equal(resolver_lookup(w->r, &l, done, w), 0);
	assert_addrs(await(w, 2), "192.0.2.3:5061 192.0.2.1:5061 192.0.2.2:5061");
	assert_addrs(await(w, 3), "192.0.2.3:5099 192.0.2.1:5099 192.0.2.2:5099");
	assert_int_equal(w->got[2].r[0].addr.transport, RG_TLS);
	assert_int_equal(w->got[3].r[2].addr.transport, RG_TCP);
	assert_int_equal(w->asked, 1); /* one name, however it is written */
}

static void literals_need_no_server(void **state)
{
	struct world *w = *state;

	w->zone = zone;
	assert_addrs(lookup(w, "192.0.2.77"), "192.0.2.77:5060");
	assert_int_equal(w->got[1].r[0].ttl, RESOLVER_LITERAL_TTL);
	assert_addrs(lookup(w, "2001:db8::1"), "[2001:db8::1]:5060");
	assert_addrs(lookup(w, "[2001:db8::1]"), "[2001:db8::1]:5060");
	assert_int_equal(w->asked, 0);
}

static void useless_records_are_left_out(void **state)
{
	struct world *w = *state;

	w->zone = zone;
	assert_addrs(lookup(w, "odd.test"), "192.0.2.9:5060");
}

static void no_more_than_64_and_over_tcp(void **state)
{
	struct world *w = *state;
	struct got *g;

	w->zone = zone;
	g = lookup(w, "big.test");
	assert_int_equal(w->asked_tcp, 1);
	assert_int_equal(g->n, RESOLVER_MOST);
	for (size_t i = 0; i < g->n; i++)
		assert_int_equal(g->r[i].addr.ip[3], i + 1);
}

static void ttls_are_clamped(void **state)
{
	struct world *w = *state;

	w->zone = zone;
	assert_int_equal(lookup(w, "zero.test")->r[0].ttl, 1);
	assert_int_equal(lookup(w, "negative.test")->r[0].ttl, 1);
	assert_in_range(lookup(w, "long.test")->r[0].ttl, 86390, 86400);
}

static void aliases_are_followed(void **state)
{
	struct world *w = *state;
	struct got *g;

	w->zone = zone;
	g = lookup(w, "alias.test");
	assert_addrs(g, "192.0.2.3:5060 192.0.2.1:5060 192.0.2.2:5060");
	assert_in_range(g->r[0].ttl, 15, 20);
	assert_int_equal(w->asked, 1);
	g = lookup(w, "cut.test"); /* the server leaves the steps to us */
	assert_addrs(g, "192.0.2.3:5060 192.0.2.1:5060 192.0.2.2:5060");
	assert_in_range(g->r[0].ttl, 10, 15);
	assert_int_equal(w->asked, 4);
	assert_int_equal(lookup(w, "dangling.test")->n, 0);
}

static void loops_of_aliases_end(void **state)
{
	struct world *w = *state;

	w->zone = zone;
	assert_int_equal(lookup(w, "loop.test")->n, 0);
	assert_int_equal(w->asked, 1);
	assert_int_equal(lookup(w, "slow1.test")->n, 0);
	assert_in_range(w->asked, 2, 2 + DNS_ALIASES);
}

static void names_that_are_none(void **state)
{
	static const char *const bad[] = { "", ".", "a..b", ".a", "a b", "a\n", "a/b", "[x]",
					   "\xc3\xa4.test", "a:5060", "a%b" };
	struct world *w = *state;
	char big[400];

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(start(w, 1, bad[i], false), EINVAL);
	memset(big, 'a', sizeof big);
	big[64] = '\0';
	assert_int_equal(start(w, 1, big, false), EINVAL);
	for (size_t i = 0; i < sizeof big; i++)
		big[i] = i % 2 ? '.' : 'a';
	big[255] = '\0';
	assert_int_equal(start(w, 1, big, false), EINVAL);
	w->zone = zone;
	assert_int_equal(start(w, 1, "three.test", false), 0);
	assert_int_equal(start(w, 1, "three.test", false), EEXIST);
	assert_int_equal(await(w, 1)->n, 3);
}

/* ---- the cache ----------------------------------------------------------------- */

static void an_answer_is_kept_for_its_ttl(void **state)
{
	struct world *w = *state;

	w->zone = good;
	lookup(w, "x.test");
	w->zone = other;
	w->offset += 50000;
	assert_addrs(lookup(w, "x.test"), "192.0.2.1:5060");
	assert_in_range(w->got[1].r[0].ttl, 1, 10);
	assert_int_equal(w->asked, 1);
	w->offset += 10000;
	assert_addrs(lookup(w, "x.test"), "192.0.2.2:5060");
	assert_int_equal(w->asked, 2);
}

static void again_goes_past_the_cache(void **state)
{
	struct world *w = *state;

	w->zone = good;
	lookup(w, "x.test");
	w->zone = other;
	assert_addrs(lookup_again(w, "x.test"), "192.0.2.2:5060");
	assert_int_equal(w->asked, 2);
}

static void one_query_for_all_who_ask(void **state)
{
	struct world *w = *state;

	w->zone = good;
	for (uint64_t t = 0; t < TOKENS; t++)
		assert_int_equal(start(w, t, "x.test", t % 2), 0);
	for (uint64_t t = 0; t < TOKENS; t++)
		assert_addrs(await(w, t), "192.0.2.1:5060");
	turn(w, 0);
	assert_int_equal(w->told, TOKENS);
	assert_int_equal(w->asked, 1);
}

static void no_such_name_is_remembered_shortly(void **state)
{
	static const char *const names[] = { "gone.test", "empty.test" };
	struct world *w = *state;

	w->zone = zone;
	for (unsigned i = 0; i < 2; i++) {
		unsigned before = w->asked;

		assert_int_equal(lookup(w, names[i])->n, 0);
		assert_int_equal(lookup(w, names[i])->n, 0);
		assert_int_equal(w->asked, before + 1);
		w->offset += 10001;
		assert_int_equal(lookup(w, names[i])->n, 0);
		assert_int_equal(w->asked, before + 2);
	}
}

/* For the lesser of the SOA's TTL and MINIMUM, and a minute at most. */
static void no_such_name_is_remembered_as_told(void **state)
{
	static const struct {
		struct rr rr[3];
		unsigned s;
	} is[] = {
		{ { { "x.test", NXDOMAIN, 0, "" }, { "x.test", SOA, 300, "30" } }, 30 },
		{ { { "x.test", NXDOMAIN, 0, "" }, { "x.test", SOA, 20, "300" } }, 20 },
		{ { { "x.test", SOA, 300, "3" } }, 3 },
		{ { { "x.test", NXDOMAIN, 0, "" }, { "x.test", SOA, 3600, "86400" } }, 60 },
		{ { { "x.test", NXDOMAIN, 0, "" }, { "x.test", SOA, 0, "0" } }, 1 },
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof is / sizeof *is; i++) {
		unsigned asked = w->asked;

		w->zone = is[i].rr;
		assert_int_equal(lookup(w, "x.test")->n, 0);
		w->offset += is[i].s * 1000 - 900;
		lookup(w, "x.test");
		assert_int_equal(w->asked, asked + 1);
		w->offset += 1000;
		w->zone = good;
		assert_addrs(lookup(w, "x.test"), "192.0.2.1:5060");
		assert_int_equal(w->asked, asked + 2);
		w->offset += 60000;
	}
}

static void a_failure_is_remembered_shortly(void **state)
{
	struct world *w = *state;
	unsigned asked;

	w->zone = sick;
	assert_int_equal(lookup(w, "x.test")->n, 0);
	asked = w->asked;
	w->zone = good;
	assert_int_equal(lookup(w, "x.test")->n, 0);
	assert_int_equal(w->asked, asked);
	w->offset += 5001;
	assert_int_equal(lookup(w, "x.test")->n, 1);
}

static void the_last_good_answer_outlives_its_ttl(void **state)
{
	struct world *w = *state;

	w->zone = good;
	lookup(w, "x.test");
	w->zone = sick;
	w->offset += 61000;
	assert_addrs(lookup(w, "x.test"), "192.0.2.1:5060");
	assert_int_equal(w->got[1].r[0].ttl, RESOLVER_STALE_TTL);
	assert_true(w->got[1].r[0].stale);
	w->offset += 3 * 86400000;
	assert_addrs(lookup(w, "x.test"), "192.0.2.1:5060");
	w->zone = other;
	w->offset += 5001;
	assert_addrs(lookup(w, "x.test"), "192.0.2.2:5060");
	assert_false(w->got[1].r[0].stale);
}

/* With "again", while the TTL runs: the answer is as good as before. */
static void a_failure_does_not_spoil_a_fresh_answer(void **state)
{
	struct world *w = *state;

	w->zone = good;
	lookup(w, "x.test");
	w->zone = sick;
	assert_addrs(lookup_again(w, "x.test"), "192.0.2.1:5060");
	assert_in_range(w->got[1].r[0].ttl, 50, 60);
}

static void no_such_name_ends_the_last_good_answer(void **state)
{
	struct world *w = *state;

	w->zone = good;
	lookup(w, "x.test");
	w->zone = gone;
	assert_int_equal(lookup_again(w, "x.test")->n, 0);
	w->zone = sick;
	assert_int_equal(lookup_again(w, "x.test")->n, 0);
}

/* ---- time and trouble ---------------------------------------------------------- */

static void silence_ends_after_three_seconds(void **state)
{
	struct world *w = *state;

	w->zone = mute;
	assert_int_equal(start(w, 1, "x.test", false), 0);
	await_question(w, 1);
	w->offset += 1000;
	turn(w, 0);
	assert_int_equal(w->got[1].told, 0);
	w->offset += 2000;
	turn(w, 0); /* at once: no patience of await() */
	turn(w, 0);
	assert_int_equal(w->got[1].told, 1);
	assert_int_equal(w->got[1].n, 0);
}

static void a_late_answer_is_of_use(void **state)
{
	struct world *w = *state;
	rg_ms end;

	w->zone = held;
	assert_int_equal(start(w, 1, "x.test", false), 0);
	await_question(w, 1);
	w->offset += 3001;
	assert_int_equal(await(w, 1)->n, 0);
	release(w);
	for (end = real() + PATIENCE_MS; real() < end && !lookup(w, "x.test")->n;)
		turn(w, 10);
	assert_addrs(&w->got[1], "192.0.2.3:5060");
	assert_in_range(w->asked, 1, 3); /* repetitions of c-ares, no lookup of ours */
}

static void garbage_counts_as_a_failure(void **state)
{
	struct world *w = *state;

	w->zone = zone;
	assert_int_equal(lookup(w, "garbage.test")->n, 0);
}

static void a_server_that_is_not_there(void **state)
{
	struct world *w = *state;
	struct resolver_env env = { watch, w->timers, w };
	struct resolver *r, *first = w->r;
	uint16_t port = 0;
	char servers[64];
	int fd = bound(SOCK_DGRAM, &port);

	close(fd);
	snprintf(servers, sizeof servers, "127.0.0.1:%u", port);
	assert_int_equal(resolver_new(&r, &env, servers), 0);
	w->r = r;
	assert_int_equal(lookup(w, "x.test")->n, 0);
	resolver_free(r);
	w->r = first;
	assert_int_equal(resolver_new(&r, &env, ""), EINVAL);
	assert_int_equal(resolver_new(&r, &env, "no.address.test"), EINVAL);
}

static void cancelled_is_not_told(void **state)
{
	struct world *w = *state;

	w->zone = good;
	for (uint64_t t = 1; t <= 4; t++)
		assert_int_equal(start(w, t, "x.test", false), 0);
	resolver_cancel(w->r, 2);
	resolver_cancel(w->r, 77); /* unknown */
	w->cancel = 3;		   /* by the first done, while it is ready itself */
	await(w, 1);
	await(w, 4);
	turn(w, 0);
	assert_int_equal(w->got[2].told, 0);
	assert_int_equal(w->got[3].told, 0);
	assert_int_equal(start(w, 5, "192.0.2.1", false), 0);
	resolver_cancel(w->r, 5);
	turn(w, 0);
	assert_int_equal(w->got[5].told, 0);
	assert_int_equal(start(w, 2, "x.test", false), 0); /* the token is free again */
	await(w, 2);
}

static void a_lookup_from_inside_done(void **state)
{
	struct world *w = *state;

	w->zone = good;
	w->lookup = "x.test";
	lookup(w, "x.test");
	assert_addrs(await(w, 99), "192.0.2.1:5060");
	assert_int_equal(w->asked, 1);
}

/* What is in flight, ready or waited for goes with the resolver (ASan, and teardown). */
static void freed_in_the_middle(void **state)
{
	struct world *w = *state;

	w->zone = mute;
	start(w, 1, "x.test", false);
	start(w, 2, "x.test", false);
	start(w, 3, "192.0.2.1", false);
	await_question(w, 1);
	start(w, 4, "192.0.2.1", false);
}

static void the_cache_is_bounded(void **state)
{
	struct world *w = *state;
	char name[32];

	w->zone = good; /* other names have no records */
	for (unsigned i = 0; i < 17000; i++) {
		snprintf(name, sizeof name, "n%u.test", i);
		assert_int_equal(lookup(w, name)->n, 0);
	}
	assert_addrs(lookup(w, "x.test"), "192.0.2.1:5060");
}

static void names_of_the_hosts_file(void **state)
{
	struct world *w = *state;
	struct resolver_env env = { watch, w->timers, w };
	struct resolver *r, *first = w->r;
	char line[256], name[128] = "";
	FILE *f = fopen("/etc/hosts", "r");

	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "127.0.0.1 %127s", name) == 1)
			break;
	if (f)
		fclose(f);
	if (!name[0])
		skip();
	assert_int_equal(resolver_new(&r, &env, NULL), 0);
	w->r = r;
	assert_int_equal(lookup(w, name)->r[0].addr.ip[0], 127);
	resolver_free(r);
	w->r = first;
}

/* ---- messages ------------------------------------------------------------------ */

static size_t sample(uint8_t *msg)
{
	uint8_t q[64] = { 0, 1, 1, 0, 0, 1 };
	size_t n = 12;

	n += put_name(q + n, "alias.test");
	n += put16(q + n, A);
	put16(q + n, 1);
	return reply_to(zone, q, msg, 1);
}

static void every_cut_and_every_byte_changed(void **state)
{
	static struct dns_answer a;
	uint8_t msg[512], *exact;
	size_t len = sample(msg);

	(void)state;
	dns_answer_begin(&a);
	assert_int_equal(dns_answer_read(&a, msg, len, "alias.test", A), 0);
	assert_int_equal(a.n, 3);
	for (size_t cut = 0; cut < len; cut++) {
		exact = malloc(cut ? cut : 1);
		memcpy(exact, msg, cut);
		dns_answer_begin(&a);
		assert_int_equal(dns_answer_read(&a, exact, cut, "alias.test", A), EBADMSG);
		free(exact);
	}
	exact = malloc(len);
	for (size_t i = 0; i < len; i++)
		for (unsigned v = 0; v < 256; v++) {
			memcpy(exact, msg, len);
			exact[i] = (uint8_t)v;
			dns_answer_begin(&a);
			dns_answer_read(&a, exact, len, "alias.test", A);
			dns_answer_negative(exact, len);
			assert_in_range(a.n, 0, DNS_RECORDS);
		}
	free(exact);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_order_of_the_answer_is_kept),
		T(ports_and_transports),
		T(literals_need_no_server),
		T(useless_records_are_left_out),
		T(no_more_than_64_and_over_tcp),
		T(ttls_are_clamped),
		T(aliases_are_followed),
		T(loops_of_aliases_end),
		T(names_that_are_none),
		T(an_answer_is_kept_for_its_ttl),
		T(again_goes_past_the_cache),
		T(one_query_for_all_who_ask),
		T(no_such_name_is_remembered_shortly),
		T(no_such_name_is_remembered_as_told),
		T(a_failure_is_remembered_shortly),
		T(the_last_good_answer_outlives_its_ttl),
		T(a_failure_does_not_spoil_a_fresh_answer),
		T(no_such_name_ends_the_last_good_answer),
		T(silence_ends_after_three_seconds),
		T(a_late_answer_is_of_use),
		T(garbage_counts_as_a_failure),
		T(a_server_that_is_not_there),
		T(cancelled_is_not_told),
		T(a_lookup_from_inside_done),
		T(freed_in_the_middle),
		T(the_cache_is_bounded),
		T(names_of_the_hosts_file),
		cmocka_unit_test(every_cut_and_every_byte_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
