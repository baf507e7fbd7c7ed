/* From a name to servers, on what a table says of names: no network, no time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <cmocka.h>

#include "sip/rfc3263.h"

enum { LINES = 256 };

/* "TYPE NAME TTL RECORD" a line; RECORD as in a zone file, without quotes; or "? TYPE NAME"
 * (not known yet), "! TYPE NAME" (failed), "~..." (a record, the last good one). */
struct table {
	const char *const *line;
	unsigned looked;
	struct dns_record rec[DNS_RECORDS];
	char text[DNS_RECORDS * DNS_NAME];
	char kept[128][DNS_NAME];
	unsigned n_kept;
};

static uint16_t type_of(const char *s)
{
	return !strcmp(s, "A") ? DNS_A : !strcmp(s, "AAAA") ? DNS_AAAA
	       : !strcmp(s, "SRV") ? DNS_SRV : DNS_NAPTR;
}

static void read_record(struct table *t, uint16_t type, const char *data, struct dns_record *r)
{
	char name[256] = "", flags[16], service[16];
	unsigned v[3] = { 0 };

	if (type == DNS_A || type == DNS_AAAA) {
		assert_true(rg_addr_parse_ip(&r->addr, data));
		return;
	}
	if (type == DNS_SRV)
		assert_int_equal(sscanf(data, "%u %u %u %255s", &v[0], &v[1], &v[2], name), 4);
	else
		assert_int_equal(sscanf(data, "%u %u %15s %15s %255s", &v[0], &v[1], flags,
					service, name), 5);
	if (!strcmp(name, "."))
		name[0] = '\0';
	r->priority = (uint16_t)v[0];
	r->weight = (uint16_t)v[1];
	r->port = (uint16_t)v[2];
	if (type == DNS_NAPTR)
		r->addr.transport = !strcmp(service, "SIPS+D2T") ? RG_TLS
				    : !strcmp(service, "SIP+D2T") ? RG_TCP : RG_UDP;
	strcpy(t->kept[t->n_kept], name);
	r->name = (uint32_t)(t->n_kept++ * DNS_NAME);
}

static struct rfc3263_name look(void *arg, uint16_t type, const char *name)
{
	struct table *t = arg;
	static struct dns_record pool[32][DNS_RECORDS];
	static unsigned turn;
	struct dns_record *rec = pool[turn++ % 32];
	struct rfc3263_name x = { .known = true, .ttl = 1000, .text = t->kept[0] };

	t->looked++;
	for (const char *const *l = t->line; *l; l++) {
		char kind[16], host[256], data[256] = "";
		const char *p = *l + strspn(*l, "?!~ ");
		unsigned ttl = 0;

		assert_true(sscanf(p, "%15s %255s %u %255[^\n]", kind, host, &ttl, data) >= 2);
		if (type_of(kind) != type || strcasecmp(host, name))
			continue;
		x.known = **l != '?';
		x.failed = **l == '!';
		x.stale |= **l == '~';
		if (!*data)
			continue;
		memset(&rec[x.n], 0, sizeof rec[x.n]);
		read_record(t, type, data, &rec[x.n]);
		x.ttl = ttl < x.ttl ? ttl : x.ttl;
		x.n++;
	}
	x.rec = rec;
	return x;
}

static char shown[8192];

/* "UDP 192.0.2.1:5060, ..." or "?" when something is missing. */
static const char *walk_seed(const char *const *line, struct reg_lookup l, uint64_t seed)
{
	static struct table t;
	struct rfc3263_result out;
	char text[RG_ADDR_TEXT];

	memset(&t, 0, sizeof t);
	t.line = line;
	if (!rfc3263_walk(&l, seed, look, &t, &out))
		return "?";
	shown[0] = '\0';
	for (size_t i = 0; i < out.n; i++)
		sprintf(shown + strlen(shown), "%s%s %s%s", i ? ", " : "",
			rg_transport_name(out.r[i].addr.transport),
			rg_addr_text(&out.r[i].addr, text), out.r[i].stale ? " stale" : "");
	return shown;
}

static const char *walk(const char *const *line, struct reg_lookup l)
{
	return walk_seed(line, l, 1);
}

#define ZONE(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define LOOK(...) ((struct reg_lookup){ .host = "itsp.test", __VA_ARGS__ })

static const char *const whole[] = {
	"NAPTR itsp.test 60 20 10 s SIP+D2U _sip._udp.itsp.test",
	"NAPTR itsp.test 60 10 20 s SIP+D2T _sip._tcp.itsp.test",
	"NAPTR itsp.test 60 10 10 s SIPS+D2T _sips._tcp.itsp.test",
	"SRV _sip._udp.itsp.test 60 0 0 5070 udp.itsp.test",
	"SRV _sip._tcp.itsp.test 60 0 0 5080 tcp.itsp.test",
	"SRV _sips._tcp.itsp.test 60 0 0 5091 tls.itsp.test",
	"A udp.itsp.test 60 192.0.2.1", "A tcp.itsp.test 60 192.0.2.2",
	"A tls.itsp.test 60 192.0.2.3", "A itsp.test 60 192.0.2.9", NULL
};

/* RFC 3263 4.1: the lowest order, in the order of preference; transport and port of each. */
static void naptr(void **state)
{
	(void)state;
	assert_string_equal(walk(whole, LOOK(.method = 2)),
			    "tls 192.0.2.3:5091, tcp 192.0.2.2:5080");
	assert_string_equal(walk(whole, LOOK(.method = 2, .transports = 1 << RG_UDP)),
			    "udp 192.0.2.1:5070");
	assert_string_equal(walk(whole, LOOK(.method = 2, .transports = 1 << RG_TCP | 1 << RG_UDP)),
			    "tcp 192.0.2.2:5080");
}

/* What is configured is not asked for: transport, port, method. */
static void what_is_configured_skips(void **state)
{
	(void)state;
	assert_string_equal(walk(whole, LOOK(.method = 2, .transport_set = true)),
			    "udp 192.0.2.1:5070");
	assert_string_equal(walk(whole, LOOK(.method = 2, .transport_set = true,
					     .transport = RG_TLS)), "tls 192.0.2.3:5091");
	assert_string_equal(walk(whole, LOOK(.method = 1, .transport = RG_TCP)),
			    "tcp 192.0.2.2:5080");
	assert_string_equal(walk(whole, LOOK(.method = 2, .port = 5099)), "udp 192.0.2.9:5099");
	assert_string_equal(walk(whole, LOOK(.method = 0, .transport = RG_TLS)),
			    "tls 192.0.2.9:5061");
}

static void without_records_the_next_step(void **state)
{
	const char *const no_naptr[] = { "SRV _sip._udp.itsp.test 60 0 0 5070 udp.itsp.test",
					 "A udp.itsp.test 60 192.0.2.1", NULL };
	const char *const no_srv[] = { "A itsp.test 60 192.0.2.9", NULL };
	const char *const lost_srv[] = { "NAPTR itsp.test 60 1 1 s SIP+D2T _sip._tcp.itsp.test",
					 "A itsp.test 60 192.0.2.9", NULL };

	(void)state;
	assert_string_equal(walk(no_naptr, LOOK(.method = 2)), "udp 192.0.2.1:5070");
	assert_string_equal(walk(no_srv, LOOK(.method = 2)), "udp 192.0.2.9:5060");
	assert_string_equal(walk(no_srv, LOOK(.method = 1)), "udp 192.0.2.9:5060");
	assert_string_equal(walk(lost_srv, LOOK(.method = 2)), "tcp 192.0.2.9:5060");
	assert_string_equal(walk(ZONE("A other.test 60 192.0.2.9"), LOOK(.method = 2)), "");
}

/* A failed NAPTR lookup leads to SRV; a failed SRV lookup does not lead to the addresses of
 * a domain, where perhaps a web server stands. */
static void failures(void **state)
{
	(void)state;
	assert_string_equal(walk(ZONE("! NAPTR itsp.test",
				      "SRV _sip._udp.itsp.test 60 0 0 5070 udp.itsp.test",
				      "A udp.itsp.test 60 192.0.2.1"), LOOK(.method = 2)),
			    "udp 192.0.2.1:5070");
	assert_string_equal(walk(ZONE("! SRV _sip._udp.itsp.test", "A itsp.test 60 192.0.2.9"),
				 LOOK(.method = 1)), "");
	assert_string_equal(walk(ZONE("SRV _sip._udp.itsp.test 60 1 0 5070 a.test",
				      "SRV _sip._udp.itsp.test 60 2 0 5070 b.test",
				      "! A a.test", "A b.test 60 192.0.2.2"), LOOK(.method = 1)),
			    "udp 192.0.2.2:5070");
	assert_string_equal(walk(ZONE("SRV _sip._udp.itsp.test 60 1 0 5070 a.test",
				      "~A a.test 30 192.0.2.1"), LOOK(.method = 1)),
			    "udp 192.0.2.1:5070 stale");
}

/* RFC 2782: "." means that there is none, whatever addresses the domain has. */
static void decidedly_none(void **state)
{
	(void)state;
	assert_string_equal(walk(ZONE("SRV _sip._udp.itsp.test 60 0 0 5060 .",
				      "A itsp.test 60 192.0.2.9"), LOOK(.method = 1)), "");
}

static void missing_names_are_waited_for(void **state)
{
	(void)state;
	assert_string_equal(walk(ZONE("? NAPTR itsp.test"), LOOK(.method = 2)), "?");
	assert_string_equal(walk(ZONE("? SRV _sip._udp.itsp.test"), LOOK(.method = 2)), "?");
	assert_string_equal(walk(ZONE("SRV _sip._udp.itsp.test 60 1 0 5060 a.test",
				      "SRV _sip._udp.itsp.test 60 2 0 5060 b.test",
				      "A a.test 60 192.0.2.1", "? A b.test"),
				 LOOK(.method = 1)), "?");
	assert_string_equal(walk(ZONE("A itsp.test 60 192.0.2.1", "? AAAA itsp.test"),
				 LOOK(.families = REG_IPV4 | REG_IPV6)), "?");
}

static void priorities_then_names_once(void **state)
{
	static const char *const zone[] = {
		"SRV _sip._udp.itsp.test 60 30 0 5060 c.test",
		"SRV _sip._udp.itsp.test 60 10 0 5060 a.test",
		"SRV _sip._udp.itsp.test 60 20 0 5070 a.test",
		"SRV _sip._udp.itsp.test 60 20 0 5060 again.test",
		"A a.test 60 192.0.2.1", "A a.test 60 192.0.2.2", "A c.test 60 192.0.2.3",
		"A again.test 60 192.0.2.2", NULL };

	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) /* again.test's is there already */
		assert_string_equal(walk_seed(zone, LOOK(.method = 1), seed),
				    "udp 192.0.2.1:5060, udp 192.0.2.2:5060, "
				    "udp 192.0.2.1:5070, udp 192.0.2.2:5070, "
				    "udp 192.0.2.3:5060");
}

/* RFC 7984: per target both families, the preferred first. */
static void both_families(void **state)
{
	static const char *const zone[] = {
		"SRV _sip._udp.itsp.test 60 1 0 5060 a.test",
		"SRV _sip._udp.itsp.test 60 2 0 5060 b.test",
		"A a.test 60 192.0.2.1", "AAAA a.test 60 2001:db8::1",
		"A b.test 60 192.0.2.2", "AAAA b.test 60 2001:db8::2", NULL };

	(void)state;
	assert_string_equal(walk(zone, LOOK(.method = 1, .families = REG_IPV4 | REG_IPV6,
					    .six_first = true)),
			    "udp [2001:db8::1]:5060, udp 192.0.2.1:5060, "
			    "udp [2001:db8::2]:5060, udp 192.0.2.2:5060");
	assert_string_equal(walk(zone, LOOK(.method = 1, .families = REG_IPV4 | REG_IPV6)),
			    "udp 192.0.2.1:5060, udp [2001:db8::1]:5060, "
			    "udp 192.0.2.2:5060, udp [2001:db8::2]:5060");
	assert_string_equal(walk(zone, LOOK(.method = 1, .families = REG_IPV6)),
			    "udp [2001:db8::1]:5060, udp [2001:db8::2]:5060");
	assert_string_equal(walk(zone, LOOK(.method = 1)),
			    "udp 192.0.2.1:5060, udp 192.0.2.2:5060");
	assert_string_equal(walk(ZONE("A itsp.test 60 192.0.2.1", "! AAAA itsp.test"),
				 LOOK(.families = REG_IPV4 | REG_IPV6)), "udp 192.0.2.1:5060");
}

/* The least of the chain; of each result its own. */
static void ttls(void **state)
{
	static const char *const zone[] = {
		"NAPTR itsp.test 50 1 1 s SIP+D2U _sip._udp.itsp.test",
		"SRV _sip._udp.itsp.test 90 1 0 5060 a.test",
		"SRV _sip._udp.itsp.test 90 2 0 5060 b.test",
		"A a.test 70 192.0.2.1", "A b.test 20 192.0.2.2", NULL };
	struct reg_lookup l = LOOK(.method = 2);
	static struct table t;
	struct rfc3263_result out;

	(void)state;
	t.line = zone;
	assert_true(rfc3263_walk(&l, 1, look, &t, &out));
	assert_int_equal(out.n, 2);
	assert_int_equal(out.r[0].ttl, 50);
	assert_int_equal(out.r[1].ttl, 20);
	assert_int_equal(out.r[0].priority, 1);
	assert_int_equal(out.r[1].priority, 2);
}

/* One service's priorities say nothing about another's: they are numbered through. */
static void priorities_of_several_services(void **state)
{
	static const char *const zone[] = {
		"NAPTR itsp.test 60 1 1 s SIP+D2T _sip._tcp.itsp.test",
		"NAPTR itsp.test 60 1 2 s SIP+D2U _sip._udp.itsp.test",
		"SRV _sip._tcp.itsp.test 60 100 0 5060 a.test",
		"SRV _sip._tcp.itsp.test 60 200 0 5060 b.test",
		"SRV _sip._udp.itsp.test 60 10 0 5060 a.test",
		"A a.test 60 192.0.2.1", "A b.test 60 192.0.2.2", NULL };
	struct reg_lookup l = LOOK(.method = 2);
	static struct table t;
	struct rfc3263_result out;

	(void)state;
	t.line = zone;
	assert_true(rfc3263_walk(&l, 1, look, &t, &out));
	assert_int_equal(out.n, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(out.r[i].priority, i);
	assert_int_equal(out.r[2].addr.transport, RG_UDP);
}

/* RFC 2782's weights, over many seeds; for one seed always the same. */
static void weights(void **state)
{
	static const char *const zone[] = {
		"SRV _sip._udp.itsp.test 60 0 60 5060 a.test",
		"SRV _sip._udp.itsp.test 60 0 30 5060 b.test",
		"SRV _sip._udp.itsp.test 60 0 10 5060 c.test",
		"SRV _sip._udp.itsp.test 60 0 0 5060 d.test",
		"A a.test 60 192.0.2.1", "A b.test 60 192.0.2.2", "A c.test 60 192.0.2.3",
		"A d.test 60 192.0.2.4", NULL };
	unsigned first[5] = { 0 }, second[5] = { 0 };

	(void)state;
	for (uint64_t seed = 0; seed < 20000; seed++) {
		const char *got = walk_seed(zone, LOOK(.method = 1), seed * 7919);

		first[got[12] - '0']++;
		if (got[12] == '1')
			second[got[32] - '0']++;
	}
	assert_in_range(first[1], 11600, 12400);
	assert_in_range(first[2], 5700, 6300);
	assert_in_range(first[3], 1800, 2200);
	assert_in_range(first[4], 0, 10);
	assert_in_range(second[2] * 100 / first[1], 72, 78); /* 30 of 40 */
}

/* One that leaves or comes moves no other. */
static void the_order_is_stable(void **state)
{
	static const char *const zone[] = {
		"SRV _sip._udp.itsp.test 60 0 5 5060 n1.test",
		"SRV _sip._udp.itsp.test 60 0 5 5060 n2.test",
		"SRV _sip._udp.itsp.test 60 0 5 5060 n3.test",
		"SRV _sip._udp.itsp.test 60 0 5 5060 n4.test",
		"A n1.test 60 192.0.2.1", "A n2.test 60 192.0.2.2", "A n3.test 60 192.0.2.3",
		"A n4.test 60 192.0.2.4", NULL };
	static const char *const less[] = { /* turned round, and without the third */
		"SRV _sip._udp.itsp.test 60 0 5 5060 n4.test",
		"SRV _sip._udp.itsp.test 60 0 5 5060 n2.test",
		"SRV _sip._udp.itsp.test 60 0 5 5060 n1.test",
		"A n1.test 60 192.0.2.1", "A n2.test 60 192.0.2.2", "A n4.test 60 192.0.2.4",
		NULL };

	(void)state;
	for (unsigned seed = 0; seed < 100; seed++) {
		char all[256], want[256] = "";

		strcpy(all, walk_seed(zone, LOOK(.method = 1), seed));
		for (char *save, *p = strtok_r(all, ", ", &save); p;
		     p = strtok_r(NULL, ", ", &save))
			if (strcmp(p, "udp") && strcmp(p, "192.0.2.3:5060"))
				sprintf(want + strlen(want), "%sudp %s", *want ? ", " : "", p);
		assert_string_equal(walk_seed(less, LOOK(.method = 1), seed), want);
	}
}

static void skype(void **state)
{
	(void)state;
	assert_string_equal(walk(ZONE("SRV _sip._tls.itsp.test 60 0 0 5061 a.test",
				      "SRV _sip._tcp.itsp.test 60 0 0 5060 a.test",
				      "A a.test 60 192.0.2.1"), LOOK(.method = 3)),
			    "tls 192.0.2.1:5061");
	assert_string_equal(walk(ZONE("SRV _sipinternaltls._tcp.itsp.test 60 0 0 5061 a.test",
				      "SRV _sipinternal._tcp.itsp.test 60 0 0 5060 a.test",
				      "A a.test 60 192.0.2.1"),
				 LOOK(.method = 3, .transport = RG_TCP, .transport_set = true)),
			    "tcp 192.0.2.1:5060");
}

/* However many records there are: so many names, so many results. */
static void bounded(void **state)
{
	static char lines[LINES][64];
	static const char *zone[LINES + 1];
	struct reg_lookup l = LOOK(.method = 2, .families = REG_IPV4 | REG_IPV6);
	static struct table t;
	struct rfc3263_result out;
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		sprintf(lines[n++], "NAPTR itsp.test 60 1 %u s SIP+D2U s%u.test", i, i);
	for (unsigned i = 0; i < 60; i++)
		sprintf(lines[n++], "SRV s%u.test 60 0 0 5060 n%u.test", i / 30, i);
	for (unsigned i = 0; i < 60; i++)
		sprintf(lines[n++], "A n%u.test 60 192.0.2.%u", i, i + 1);
	for (unsigned i = 0; i < 60; i++)
		sprintf(lines[n++], "AAAA n%u.test 60 2001:db8::%x", i, i + 1);
	for (unsigned i = 0; i < n; i++)
		zone[i] = lines[i];
	t.line = zone;
	assert_true(rfc3263_walk(&l, 1, look, &t, &out));
	assert_int_equal(out.n, RFC3263_MOST);
	assert_int_equal(t.looked, 1 + 8 + 2 * RFC3263_TARGETS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(naptr),
		cmocka_unit_test(what_is_configured_skips),
		cmocka_unit_test(without_records_the_next_step),
		cmocka_unit_test(failures),
		cmocka_unit_test(decidedly_none),
		cmocka_unit_test(missing_names_are_waited_for),
		cmocka_unit_test(priorities_then_names_once),
		cmocka_unit_test(both_families),
		cmocka_unit_test(ttls),
		cmocka_unit_test(priorities_of_several_services),
		cmocka_unit_test(weights),
		cmocka_unit_test(the_order_is_stable),
		cmocka_unit_test(skype),
		cmocka_unit_test(bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
