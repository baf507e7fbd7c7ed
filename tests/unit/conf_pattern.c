/* Patterns of user parts in routing rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include <glib.h>

#include "conf/pattern.h"

static void matching(void **state)
{
	static const struct {
		const char *pattern, *yes[5], *no[5];
	} all[] = {
		{ "*", { "", "1", "anybody" }, { NULL } },
		{ "", { "", "1" }, { NULL } },
		{ "$", { "" }, { "1", "$" } },
		{ "123", { "123", "1234" }, { "12", "1", "", "0123" } },
		{ "123#", { "123" }, { "1234", "12", "123#" } },
		{ "123[#]", { "123#", "123#4" }, { "123" } },
		{ "1#3", { "1#3", "1#34" }, { "1", "13" } },
		{ "*345", { "*345", "*3456" }, { "345", "12345" } },
		{ "+49", { "+4930", "+49" }, { "4930", "004930" } },
		{ "54xx#", { "5412", "54ab" }, { "541", "54123" } },
		{ "x", { "1", "ab" }, { "" } },
		{ "[100-199]", { "100", "199", "1500", "150" }, { "99", "200", "1", "10" } },
		{ "[100-199]#", { "100", "199" }, { "1500", "99" } },
		{ "123[100-200]", { "123100", "1232009" }, { "123201", "12310" } },
		{ "[2,3,5-7]", { "2", "31", "65" }, { "4", "", "12" } },
		{ "[111,222]#", { "111", "222" }, { "112", "1111" } },
		{ "[1,22]#", { "1", "22" }, { "2", "11", "122" } },
		{ "23xx[456]", { "23004", "2399567" }, { "23007", "2300" } },
		{ "(234)", { "234", "1234" }, { "2345", "34", "" } },
		{ "[4-8](23[4,5,6])", { "4234", "80236" }, { "3234", "4237", "234" } },
		{ "03(100)", { "03100", "03999100" }, { "0310", "3100" } },
		{ "(55-60)", { "155", "60" }, { "154", "551" } },
		{ "(4,5)", { "14", "5" }, { "41", "6" } },
		{ "(3#45)", { "123#45" }, { "12345" } },
		{ "(3*45)", { "123*45" }, { "12345" } },
		{ "1(1)", { "11", "121" }, { "1", "12" } },
		{ "alice", { "alice", "alice2" }, { "Alice", "bob" } },
		{ "[0001-0100]", { "0001", "01009" }, { "0000", "1", "0101" } },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
		struct rg_arena *a = rg_arena_new();
		const char *why;
		const struct conf_pattern *p = pattern_read(a, all[i].pattern, &why);

		if (why)
			fail_msg("%s %s", all[i].pattern, why);
		for (size_t k = 0; k < 5 && all[i].yes[k]; k++)
			if (!conf_pattern_matches(p, all[i].yes[k]))
				fail_msg("%s does not match '%s'", all[i].pattern, all[i].yes[k]);
		for (size_t k = 0; k < 5 && all[i].no[k]; k++)
			if (conf_pattern_matches(p, all[i].no[k]))
				fail_msg("%s matches '%s'", all[i].pattern, all[i].no[k]);
		rg_arena_free(a);
	}
}

static void wrong(void **state)
{
	static const char *const all[] = {
		"[1", "1]", "(1", "1)", "[]", "[1,]", "[5-3]", "[1-22]", "[a-c]", "()[", "1(2)3",
		"1#(2)", "[1-2", "((1)", "[1234567890-1234567891]",
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
		struct rg_arena *a = rg_arena_new();
		const char *why;

		if (pattern_read(a, all[i], &why) || !why)
			fail_msg("%s is taken", all[i]);
		rg_arena_free(a);
	}
}

/* What made others take for ever is linear here, and nothing is read past the end. */
static void hostile(void **state)
{
	struct rg_arena *a = rg_arena_new();
	const char *why;
	const struct conf_pattern *p =
		pattern_read(a, "[1,11,111,1111][1,11,111,1111][1,11,111,1111][1,11,111,1111]"
			     "[1,11,111,1111][1,11,111,1111][1,11,111,1111][1,11,111,1111]2", &why);
	char user[1000], *text = g_malloc(1000);
	clock_t began = clock();

	(void)state;
	assert_non_null(p);
	memset(user, '1', sizeof user);
	user[sizeof user - 1] = '\0';
	for (int i = 0; i < 1000; i++)
		assert_false(conf_pattern_matches(p, user));
	assert_true(clock() - began < 5 * CLOCKS_PER_SEC);
	for (size_t n = 0; n < 300; n++) { /* whatever it is, it is a pattern or a fault */
		uint32_t x = (uint32_t)n * 2654435761u;

		for (size_t i = 0; i < 12; i++, x = x * 1664525u + 1013904223u)
			text[i] = "[](),-#x*$123"[(x >> 16) % 13];
		text[12] = '\0';
		p = pattern_read(a, text, &why);
		conf_pattern_matches(p, "123");
	}
	rg_arena_free(a);
	g_free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matching), cmocka_unit_test(wrong), cmocka_unit_test(hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
