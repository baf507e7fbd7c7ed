/* Addresses as text, nearest names, and what a log line may be. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/addr.h"
#include "base/fault.h"
#include "base/log.h"
#include "regway/plugin.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- addresses ------------------------------------------------------------------------- */

static void addresses(void **state)
{
	static const struct {
		const char *text, *shown; /* NULL: it is none */
	} row[] = {
		{ "192.0.2.1", "192.0.2.1:5060" },
		{ "192.0.2.1:5070", "192.0.2.1:5070" },
		{ "2001:db8::1", "[2001:db8::1]:5060" },
		{ "[2001:db8::1]", "[2001:db8::1]:5060" },
		{ "[2001:DB8:0::1]:5061", "[2001:db8::1]:5061" },
		{ "::ffff:192.0.2.9", "192.0.2.9:5060" }, /* RFC 4291 2.5.5.2 */
		{ "[fe80::1%lo]:5062", "[fe80::1%lo]:5062" },
		{ "fe80::1%no-such-device", NULL },
		{ "192.0.2.1:", NULL },
		{ "192.0.2.1:0", NULL },
		{ "192.0.2.1:65536", NULL },
		{ "192.0.2.1:+80", NULL },
		{ "192.0.2.1:80x", NULL },
		{ "192.0.2", NULL },
		{ "192.0.2.256", NULL },
		{ " 192.0.2.1", NULL },
		{ "[2001:db8::1", NULL },
		{ "[2001:db8::1]x", NULL },
		{ "[]", NULL },
		{ "", NULL },
		{ ":5060", NULL },
		{ "2001:db8:::1", NULL },
		{ "name.example", NULL },
	};
	char long_one[400], buf[RG_ADDR_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(row); i++) {
		struct rg_addr a = { .port = 5060 };
		bool ok = rg_addr_parse(&a, row[i].text);

		if (ok != (row[i].shown != NULL))
			fail_msg("'%s' %s", row[i].text, ok ? "was taken" : "was refused");
		if (ok)
			assert_string_equal(rg_addr_text(&a, buf), row[i].shown);
	}
	memset(long_one, '1', sizeof long_one);
	long_one[sizeof long_one - 1] = '\0';
	assert_false(rg_addr_parse(&(struct rg_addr){ 0 }, long_one));
	long_one[0] = '[';
	long_one[sizeof long_one - 2] = ']';
	assert_false(rg_addr_parse(&(struct rg_addr){ 0 }, long_one));
}

static void alike(void **state)
{
	struct rg_addr a = { .port = 1 }, b = { .port = 1 };

	(void)state;
	assert_true(rg_addr_parse_ip(&a, "fe80::1%lo"));
	assert_true(rg_addr_parse_ip(&b, "fe80::1"));
	assert_true(rg_addr_same_ip(&a, &b)); /* one of them does not say where */
	assert_int_equal(rg_addr_hash(&a), rg_addr_hash(&b));
	b.scope = a.scope + 1;
	assert_false(rg_addr_same_ip(&a, &b));
	assert_true(rg_addr_parse_ip(&b, "fe80::1%lo"));
	b.transport = RG_TCP;
	assert_true(rg_addr_same_ip(&a, &b));
	assert_false(rg_addr_equal(&a, &b));
}

static void host_and_port(void **state)
{
	char host[8];
	uint16_t port;

	(void)state;
	assert_true(rg_host_port("a.b:1", host, sizeof host, &port));
	assert_string_equal(host, "a.b");
	assert_int_equal(port, 1);
	assert_true(rg_host_port("seven77", host, sizeof host, &port));
	assert_int_equal(port, 0);
	assert_false(rg_host_port("eight888", host, sizeof host, &port));
}

static void tls_names(void **state)
{
	char buf[RG_TLS_NAME], most[600];

	(void)state;
	assert_string_equal(rg_tls_name("itsp.example", "", buf), "itsp.example");
	assert_string_equal(rg_tls_name("itsp.example", "Default", buf), "itsp.example");
	assert_string_equal(rg_tls_name("itsp.example", "own", buf), "itsp.example,own");
	assert_int_equal(rg_tls_domain(buf), 12);
	memset(most, 'm', sizeof most - 1);
	most[sizeof most - 1] = '\0';
	assert_true(strlen(rg_tls_name(most, most, buf)) < RG_TLS_NAME);
}

/* ---- nearest names ------------------------------------------------------------------------ */

static void nearest(void **state)
{
	static const char *const name[] = { "RegistrationTime", "RegisterRate", "Name", "ITSP" };
	char long_one[200];

	(void)state;
	assert_string_equal(rg_nearest("RegistratonTime", name, 4), "RegistrationTime");
	assert_string_equal(rg_nearest("registrationtime", name, 4), "RegistrationTime");
	assert_string_equal(rg_nearest("ITPS", name, 4), "ITSP");
	assert_null(rg_nearest("Voltage", name, 4));
	assert_null(rg_nearest("", name, 4));
	assert_null(rg_nearest("ITSP", name, 0));
	memset(long_one, 'N', sizeof long_one - 1);
	long_one[sizeof long_one - 1] = '\0';
	assert_null(rg_nearest(long_one, name, 4));
}

/* ---- the log ---------------------------------------------------------------------------------- */

static char said[64][1100];
static unsigned lines;

static void sink(int prio, const char *line)
{
	(void)prio;
	snprintf(said[lines++ % 64], sizeof said[0], "%s", line);
}

static void log_lines(void **state)
{
	char long_one[3000];

	(void)state;
	rg_log_to(sink);
	rg_warn("a\nb\x1b[1m%s", "c\r");
	assert_string_equal(said[0], "a?b?[1mc?");
	memset(long_one, 'x', sizeof long_one - 1);
	long_one[sizeof long_one - 1] = '\0';
	rg_warn("long: %s", long_one);
	assert_int_equal(strlen(said[1]), 1023);
	rg_debug("nobody asked for this");
	assert_int_equal(lines, 2);
	rg_log_level(RG_LOG_DEBUG);
	rg_debug("somebody did");
	assert_int_equal(lines, 3);
	rg_log_level(RG_LOG_INFO);
	for (int i = 0; i < 1000; i++) /* a flood of one kind */
		rg_warn("again %d", i);
	assert_int_equal(lines, 3 + 20);
	rg_notice("another kind");
	assert_true(lines >= 3 + 20 + 1);
	rg_log_to(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),	 cmocka_unit_test(alike),
		cmocka_unit_test(host_and_port), cmocka_unit_test(tls_names),
		cmocka_unit_test(nearest),	 cmocka_unit_test(log_lines),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
