/* Name servers: dead, slow, wrong or changed ones, and whole lookups by RFC 3263. */
#include "unit/sip_dns.h"

#include <glib.h>
#include <sys/stat.h>

#include "sip/resolvconf.h"

enum { TRY_MS = 700 };

static const struct rr zone[] = {
	{ "x.test", A, 60, "192.0.2.1" },
	{ "foreign.test", A, 60, "192.0.2.1" },
	{ "foreign.test", FOREIGN, 0, "" },
	{ "old.test", A, 60, "192.0.2.1" },
	{ "old.test", OLD, 0, "" },
	{ "sick.test", SERVFAIL, 0, "" },
	{ "itsp.test", NAPTR, 300, "10 20 S SIP+D2T _sip._tcp.itsp.test" },
	{ "itsp.test", NAPTR, 300, "10 10 s SIP+D2U _sip._udp.itsp.test" },
	{ "itsp.test", NAPTR, 300, "5 10 u E2U+sip x.test" },
	{ "itsp.test", NAPTR, 300, "4 10 a SIP+D2U x.test" },
	{ "itsp.test", NAPTR, 300, "3 10 s SIP+D2S _sip._sctp.itsp.test" },
	{ "_sip._udp.itsp.test", SRV, 200, "10 0 5070 one.test" },
	{ "_sip._udp.itsp.test", SRV, 200, "20 0 5071 two.test" },
	{ "_sip._tcp.itsp.test", SRV, 200, "10 0 5080 one.test" },
	{ "one.test", A, 100, "192.0.2.11" },
	{ "two.test", CNAME, 100, "three.test" },
	{ "three.test", A, 90, "192.0.2.13" },
	{ "dual.test", A, 60, "192.0.2.1" },
	{ "dual.test", AAAA, 60, "2001:db8::1" },
	{ "dual.test", AAAA, 60, "fe80::1" },
	{ "dual.test", AAAA, 60, "::ffff:192.0.2.7" },
	{ "odd.test", SRV, 60, "1 0 5060 a b.test" },
	{ "_sip._udp.odd.test", SRV, 60, "1 0 5060 o$dd.test" },
	{ "_sip._udp.odd.test", SRV, 60, "2 0 0 x.test" },
	{ "_sip._udp.odd.test", SRV, 60, "3 0 5060 x.test" },
	{ "_sip._udp.round.test", SRV, 60, "1 0 5060 loop.test" },
	{ "loop.test", CNAME, 60, "loop2.test" },
	{ "loop2.test", CNAME, 60, "loop.test" },
	{ NULL, 0, 0, NULL },
};

static const struct rr none[] = { { NULL, 0, 0, NULL } };

/* Both servers, the scripted one first. */
static void two(struct world *w)
{
	uint16_t port = 0;
	char both[128];

	w->udp2 = bound(SOCK_DGRAM, &port);
	snprintf(both, sizeof both, "%s,127.0.0.1:%u", w->server, port);
	assert_int_equal(resolver_servers(w->r, both, NULL, 0), 0);
	w->zone = zone;
}

static int begin(struct world *w, uint64_t token, struct reg_lookup l)
{
	l.token = token;
	memset(&w->got[token], 0, sizeof w->got[token]);
	run_timers(w);
	return resolver_lookup(w->r, &l, done, w);
}

static struct got *ask(struct world *w, struct reg_lookup l)
{
	assert_int_equal(begin(w, 1, l), 0);
	return await(w, 1);
}

#define LOOK(...) ((struct reg_lookup){ __VA_ARGS__ })

static void turns(struct world *w, int n)
{
	for (int i = 0; i < n; i++)
		turn(w, 5);
}

/* ---- servers ----------------------------------------------------------------------- */

static void the_next_is_asked_when_one_is_silent(void **state)
{
	struct world *w = *state;

	two(w);
	w->deaf = true;
	begin(w, 1, LOOK(.host = "x.test"));
	await_question(w, 1);
	turns(w, 3);
	assert_int_equal(w->asked2, 0);
	w->offset += TRY_MS;
	assert_addrs(await(w, 1), "192.0.2.1:5060");
	assert_int_equal(w->asked2, 1);
}

/* Dead from the start: after two names nobody waits for it, but for one question each 30 s;
 * when it answers it is first again. */
static void a_dead_first_server_costs_little(void **state)
{
	struct world *w = *state;
	unsigned asked;

	two(w);
	w->deaf = true;
	for (int i = 0; i < 2; i++) {
		begin(w, 1, LOOK(.host = "x.test", .again = true));
		turns(w, 3);
		w->offset += TRY_MS;
		await(w, 1);
	}
	w->offset += 10000; /* the repetitions are over */
	turns(w, 10);
	asked = w->asked;
	for (int i = 0; i < 10; i++)
		assert_int_equal(ask(w, LOOK(.host = "x.test", .again = true))->n, 1);
	assert_int_equal(w->asked, asked);
	assert_int_equal(w->asked2, 12);
	w->offset += 30000;
	w->deaf = false;
	for (int i = 0; i < 3; i++)
		assert_int_equal(ask(w, LOOK(.host = "x.test", .again = true))->n, 1);
	assert_int_equal(w->asked2, 12);
}

static void a_server_that_refuses_or_fails_is_passed_over_at_once(void **state)
{
	struct world *w = *state;
	uint16_t port = 0, gone = 0;
	char both[128];
	int fd = bound(SOCK_DGRAM, &gone);
	rg_ms begun = real();

	close(fd); /* ICMP: nobody is there */
	w->udp2 = bound(SOCK_DGRAM, &port);
	snprintf(both, sizeof both, "127.0.0.1:%u,127.0.0.1:%u", gone, port);
	assert_int_equal(resolver_servers(w->r, both, NULL, 0), 0);
	w->zone = zone;
	assert_int_equal(ask(w, LOOK(.host = "x.test"))->n, 1);
	two(w);
	assert_int_equal(ask(w, LOOK(.host = "sick.test"))->n, 0);
	assert_in_range(w->asked, 1, 2); /* c-ares: once more without EDNS */
	assert_in_range(w->asked2, 1, 2);
	assert_in_range(real() - begun, 0, TRY_MS - 1);
}

static void answers_that_are_not_ours(void **state)
{
	struct world *w = *state;

	w->zone = zone;
	assert_addrs(ask(w, LOOK(.host = "foreign.test")), "192.0.2.1:5060");
}

static void a_server_without_edns(void **state)
{
	struct world *w = *state;

	w->zone = zone;
	assert_addrs(ask(w, LOOK(.host = "old.test")), "192.0.2.1:5060");
	assert_int_equal(w->asked, 2);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* What stands there instead of a file holds nobody up, nor does one that is far too long. */
static void a_file_may_be_anything(void **state)
{
	char dir[] = "/tmp/rg-dns-XXXXXX", path[64], *csv;
	GString *s = g_string_new(NULL);
	unsigned commas = 0;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/resolv.conf", dir);
	alarm(20); /* the end of a test that blocks */
	assert_int_equal(mkfifo(path, 0600), 0);
	csv = resolvconf_servers(path);
	assert_string_equal(csv, "127.0.0.1");
	g_free(csv);
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	csv = resolvconf_servers(path);
	assert_string_equal(csv, "127.0.0.1");
	g_free(csv);
	rmdir(path);
	alarm(0);
	for (unsigned i = 0; i < 3000; i++)
		g_string_append_printf(s, "nameserver 127.77.%u.%u\n", i / 250, 1 + i % 250);
	write_file(path, s->str);
	csv = resolvconf_servers(path);
	for (const char *p = csv; *p; p++)
		commas += *p == ',';
	assert_int_equal(commas, 15);
	g_free(csv);
	g_string_free(s, TRUE);
	unlink(path);
	rmdir(dir);
}

static void the_file_is_read_again(void **state)
{
	struct world *w = *state;
	struct resolver_env env = { watch, w->timers, w };
	char dir[] = "/tmp/rg-dns-XXXXXX", path[64];
	struct nameservers *ns;
	unsigned version;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/resolv.conf", dir);
	write_file(path, "# comment\nsearch itsp.test\nnameserver 127.0.0.53\n");
	assert_int_equal(nameservers_new(&ns, &env, path), 0);
	version = nameservers_version(ns);
	w->offset += 1001;
	run_timers(w);
	assert_int_equal(nameservers_version(ns), version);
	write_file(path, "nameserver 127.0.0.54\nnameserver fd00::1\nnameserver rubbish\n");
	assert_int_equal(nameservers_version(ns), version); /* not looked at yet */
	w->offset += 1001;
	run_timers(w);
	assert_int_equal(nameservers_version(ns), version + 1);
	unlink(path);
	w->offset += 1001;
	run_timers(w);
	assert_int_equal(nameservers_version(ns), version + 2); /* then 127.0.0.1 */
	assert_int_equal(nameservers_set(ns, "no.address"), EINVAL);
	assert_int_equal(nameservers_set(ns, ""), EINVAL);
	assert_int_equal(nameservers_version(ns), version + 2);
	nameservers_free(ns);
	rmdir(dir);
}

/* Name servers of an interface's own, answers kept apart; a change while questions are on
 * their way. */
static void interfaces_have_their_own(void **state)
{
	struct world *w = *state;
	uint16_t port = 0;
	char second[64];
	const char *own[2] = { NULL, second };

	w->udp2 = bound(SOCK_DGRAM, &port);
	snprintf(second, sizeof second, "127.0.0.1:%u", port);
	assert_int_equal(resolver_servers(w->r, "", own, 2), 0);
	w->zone = zone;
	assert_int_equal(ask(w, LOOK(.host = "x.test"))->n, 1);
	assert_int_equal(w->asked, 1);
	assert_int_equal(ask(w, LOOK(.host = "x.test", .interface = 1))->n, 1);
	assert_int_equal(w->asked2, 1);
	assert_int_equal(ask(w, LOOK(.host = "x.test", .interface = 2))->n, 1);
	assert_int_equal(w->asked + w->asked2, 2);
	w->deaf2 = true;
	begin(w, 2, LOOK(.host = "x.test", .interface = 1, .again = true));
	turns(w, 3);
	assert_int_equal(resolver_servers(w->r, NULL, NULL, 0), 0);
	assert_int_equal(ask(w, LOOK(.host = "x.test", .interface = 1))->n, 1);
	assert_int_equal(w->asked + w->asked2, 3);
	w->offset += 3001;
	assert_addrs(await(w, 2), "192.0.2.1:5060"); /* the last good one */
	own[1] = "rubbish";
	assert_int_equal(resolver_servers(w->r, "more rubbish", own, 2), EINVAL);
	assert_int_equal(ask(w, LOOK(.host = "x.test", .again = true, .interface = 1))->n, 1);
}

/* A thousand names at once: a hundred on their way, and those of a dead zone hold up the
 * others for less than a second a hundred. */
static void no_server_is_flooded(void **state)
{
	struct world *w = *state;
	static char name[500][32];
	static struct rr many[1001];
	unsigned most = 0;

	for (unsigned i = 0; i < 500; i++) {
		snprintf(name[i], sizeof name[i], "n%u.test", i);
		many[i] = (struct rr){ name[i], MUTE, 0, "" };
	}
	w->zone = many;
	for (uint64_t t = 0; t < 500; t++)
		assert_int_equal(begin(w, t, LOOK(.host = name[t])), 0);
	for (int i = 0; i < 300; i++)
		turn(w, 1);
	most = w->asked;
	assert_int_equal(most, 100);
	for (int i = 0; i < 5; i++) {
		w->offset += TRY_MS + 1;
		for (int k = 0; k < 400; k++)
			turn(w, 0);
	}
	w->zone = zone;
	w->offset += 3000;
	for (uint64_t t = 0; t < 500; t++)
		assert_int_equal(await(w, t)->n, 0);
	assert_int_equal(ask(w, LOOK(.host = "x.test"))->n, 1);
}

/* ---- lookups ----------------------------------------------------------------------- */

static void naptr_srv_and_addresses(void **state)
{
	struct world *w = *state;
	struct got *g;

	w->zone = zone;
	g = ask(w, LOOK(.host = "itsp.test", .method = 2));
	assert_addrs(g, "192.0.2.11:5070 192.0.2.13:5071 192.0.2.11:5080");
	assert_int_equal(g->r[0].addr.transport, RG_UDP);
	assert_int_equal(g->r[2].addr.transport, RG_TCP);
	assert_in_range(g->r[0].ttl, 98, 100);
	assert_in_range(g->r[1].ttl, 88, 90);
	assert_int_equal(w->asked, 5); /* NAPTR, 2 SRV, 2 A */
	g = ask(w, LOOK(.host = "itsp.test", .method = 2));
	assert_int_equal(w->asked, 5);
	w->offset += 91000; /* three.test is over, the others are not */
	g = ask(w, LOOK(.host = "itsp.test", .method = 2));
	assert_int_equal(w->asked, 6);
	assert_int_equal(g->n, 3);
}

/* The last good answer of the whole chain, while nothing is answered. */
static void a_chain_outlives_its_name_servers(void **state)
{
	struct world *w = *state;
	struct got *g;

	w->zone = zone;
	ask(w, LOOK(.host = "itsp.test", .method = 2));
	w->deaf = true;
	w->offset += 86400000;
	begin(w, 1, LOOK(.host = "itsp.test", .method = 2));
	for (int i = 0; i < 4; i++) {
		turns(w, 4);
		w->offset += 3001;
	}
	g = await(w, 1);
	assert_addrs(g, "192.0.2.11:5070 192.0.2.13:5071 192.0.2.11:5080");
	for (size_t i = 0; i < g->n; i++) {
		assert_true(g->r[i].stale);
		assert_int_equal(g->r[i].ttl, RESOLVER_STALE_TTL);
	}
}

static void families(void **state)
{
	struct world *w = *state;

	w->zone = zone;
	assert_addrs(ask(w, LOOK(.host = "dual.test", .families = REG_IPV4 | REG_IPV6,
				 .six_first = true)), "[2001:db8::1]:5060 192.0.2.1:5060");
	assert_addrs(ask(w, LOOK(.host = "dual.test", .families = REG_IPV6)),
		     "[2001:db8::1]:5060");
	assert_addrs(ask(w, LOOK(.host = "dual.test")), "192.0.2.1:5060");
	assert_int_equal(w->asked, 2);
}

static void odd_targets_are_left_out(void **state)
{
	struct world *w = *state;

	w->zone = zone;
	assert_addrs(ask(w, LOOK(.host = "odd.test", .method = 1)), "192.0.2.1:5060");
	assert_int_equal(w->asked, 2);
}

static void a_loop_behind_an_srv_record(void **state)
{
	struct world *w = *state;

	w->zone = zone;
	assert_int_equal(ask(w, LOOK(.host = "round.test", .method = 1))->n, 0);
}

static void one_failing_name_is_its_own(void **state)
{
	struct world *w = *state;

	w->zone = zone;
	begin(w, 2, LOOK(.host = "sick.test", .method = 2));
	assert_int_equal(ask(w, LOOK(.host = "itsp.test", .method = 2))->n, 3);
	assert_int_equal(await(w, 2)->n, 0);
	w->zone = none;
	assert_int_equal(ask(w, LOOK(.host = "itsp.test", .method = 2))->n, 3);
}

/* Lookups on their way when the resolver goes (ASan, and teardown). */
static void freed_in_the_middle(void **state)
{
	struct world *w = *state;

	two(w);
	w->deaf = w->deaf2 = true;
	for (uint64_t t = 0; t < 300; t++) {
		char name[32];

		snprintf(name, sizeof name, "n%u.test", (unsigned)t);
		begin(w, t, LOOK(.host = name, .method = (uint8_t)(t % 3)));
	}
	turns(w, 5);
	w->offset += TRY_MS;
	turns(w, 5);
	for (uint64_t t = 0; t < 300; t += 2)
		resolver_cancel(w->r, t);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_next_is_asked_when_one_is_silent),
		T(a_dead_first_server_costs_little),
		T(a_server_that_refuses_or_fails_is_passed_over_at_once),
		T(answers_that_are_not_ours),
		T(a_server_without_edns),
		T(a_file_may_be_anything),
		T(the_file_is_read_again),
		T(interfaces_have_their_own),
		T(no_server_is_flooded),
		T(naptr_srv_and_addresses),
		T(a_chain_outlives_its_name_servers),
		T(families),
		T(odd_targets_are_left_out),
		T(a_loop_behind_an_srv_record),
		T(one_failing_name_is_its_own),
		T(freed_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
