/* Numbers, words and lists of codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "conf/value.h"

static const struct schema_param search = {
	.name = "RegistrarSearchMode",
	.type = SCHEMA_INT,
	.max = 2,
	.dflt = "0",
	.symbols = "Current Working Server=0,According to IMS "
		   "Specifications=1,by-ims-spec=1",
};
static const struct schema_param flag = {
	.name = "f", .type = SCHEMA_BOOL, .max = 1, .dflt = "0"
};
static const struct schema_param three = {
	.name = "t",
	.type = SCHEMA_INT,
	.min = -1,
	.max = 1,
	.dflt = "-1",
};
static const struct schema_param far = {
	.name = "far",
	.type = SCHEMA_INT,
	.min = 10,
	.max = 2000000,
	.dflt = "180",
};

static void is(const struct schema_param *p, const char *text, int64_t want)
{
	char why[VALUE_WHY] = "";
	int64_t n = -99;

	if (!value_number(p, text, &n, why))
		fail_msg("%s: '%s': %s", p->name, text, why);
	assert_int_equal(n, want);
}

static void is_not(const struct schema_param *p, const char *text)
{
	char why[VALUE_WHY] = "";
	int64_t n;

	assert_false(value_number(p, text, &n, why));
	assert_true(strlen(why) > 10);
}

static void numbers(void **state)
{
	(void)state;
	is(&far, "10", 10);
	is(&far, "2000000", 2000000);
	is(&three, "-1", -1);
	is_not(&far, "9");
	is_not(&far, "2000001");
	is_not(&far, "99999999999999999999999");
	is_not(&far, "60s");
	is_not(&far, "0x20");
	is_not(&far, " 20");
	is_not(&far, "+20");
	is_not(&far, "yes");
	is_not(&far, "");
	is_not(&far, "-");
}

static void words(void **state)
{
	(void)state;
	is(&search, "1", 1);
	is(&search, "according to ims specifications", 1);
	is(&search, "According-To-IMS_Specifications", 1);
	is(&search, "By IMS Spec", 1);
	is(&search, "current working server", 0);
	is_not(&search, "Current");
	is_not(&search, "Current Working Server=0");
	is_not(&search, "yes");
	is(&flag, "Yes", 1);
	is(&flag, "off", 0);
	is(&flag, "TRUE", 1);
	is(&flag, "false", 0);
	is(&flag, "Enable", 1);
	is(&flag, "disabled", 0);
	is_not(&flag, "2");
	is_not(&flag, "-1");
	is_not(&flag, "maybe");
	is(&three, "on", 1);
}

static void codes(void **state)
{
	struct rg_codes c;
	char why[VALUE_WHY];

	(void)state;
	assert_true(value_codes("403, 408,480", &c, why));
	assert_int_equal(c.n, 3);
	assert_int_equal(c.code[0], 403);
	assert_int_equal(c.code[2], 480);
	assert_true(value_codes("", &c, why));
	assert_int_equal(c.n, 0);
	assert_true(value_codes("100,699", &c, why));
	assert_false(value_codes("99", &c, why));
	assert_false(value_codes("700", &c, why));
	assert_false(value_codes("40x", &c, why));
	assert_false(value_codes("-404", &c, why));
	assert_false(value_codes("404;405", &c, why));
	assert_true(value_codes(
		"400,400,400,400,400,400,400,400,400,400,400,400,400,400,400,400", &c,
		why));
	assert_int_equal(c.n, 16);
	assert_false(value_codes(
		"400,400,400,400,400,400,400,400,400,400,400,400,400,400,400,400,1", &c,
		why));
}

static void digits(void **state)
{
	uint32_t n;

	(void)state;
	assert_true(value_digits("0", 10, &n) && n == 0);
	assert_true(value_digits("4294967295", UINT32_MAX, &n) && n == UINT32_MAX);
	assert_false(value_digits("4294967296", UINT32_MAX, &n));
	assert_false(value_digits("11", 10, &n));
	assert_false(value_digits("", 10, &n));
	assert_false(value_digits("1 ", 10, &n));
	assert_false(value_digits("-1", 10, &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(words),
		cmocka_unit_test(codes),
		cmocka_unit_test(digits),
	};

	return cmocka_run_group_tests_name("conf_value", tests, NULL, NULL);
}
