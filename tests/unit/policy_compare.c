/* What one generation's chain means to an account that had another; and how long
 * the chains of a hundred thousand accounts take. */
#include <time.h>

#include "unit/policy_world.h"

#define TABLE(...) (const struct rg_module *const[]) { __VA_ARGS__, NULL }

struct cfg {
	int32_t keep, refresh, restart;
	const char *word;
	struct rg_codes codes;
};
struct ip_cfg {
	int32_t n;
};
#define PARAM(key, where, t, s, m, change, preset)                                    \
	{ .name = key, .scope = where, .type = t, .offset = offsetof(struct s, m),     \
	  .on_change = change, .max = t == RG_T_INT ? 99 : 0, .dflt = preset }
static const struct rg_param main_params[] = {
	PARAM("TestKeep", RG_ACCOUNT, RG_T_INT, cfg, keep, RG_CHANGE_KEEP, "0"),
	PARAM("TestRefresh", RG_ACCOUNT, RG_T_INT, cfg, refresh, RG_CHANGE_REFRESH, "0"),
	PARAM("TestRestart", RG_ACCOUNT, RG_T_INT, cfg, restart, RG_CHANGE_RESTART, "0"),
	PARAM("TestWord", RG_ACCOUNT, RG_T_STR, cfg, word, RG_CHANGE_REFRESH, "x"),
	PARAM("TestCodes", RG_ACCOUNT, RG_T_CODES, cfg, codes, RG_CHANGE_REFRESH, "403"),
	PARAM("TestIp", RG_PROXY_IP, RG_T_INT, ip_cfg, n, RG_CHANGE_RESTART, "0"),
	RG_END
};
#define MAIN \
	{ RG_HEAD("main", "", 100, main_params), \
	  .cfg_size = { [RG_ACCOUNT] = sizeof(struct cfg), \
			[RG_PROXY_IP] = sizeof(struct ip_cfg) } }
static const struct rg_policy main_policy = MAIN;
static const struct rg_policy main_again = MAIN; /* the same, from another object */

/* The version before: it did not know TestRefresh, and laid its block out otherwise. */
struct old_cfg {
	const char *word;
	int32_t restart;
};
static const struct rg_param old_params[] = {
	PARAM("TestRestart", RG_ACCOUNT, RG_T_INT, old_cfg, restart, RG_CHANGE_RESTART, "0"),
	PARAM("TestWord", RG_ACCOUNT, RG_T_STR, old_cfg, word, RG_CHANGE_REFRESH, "x"),
	RG_END
};
static const struct rg_policy main_old = { RG_HEAD("main", "", 100, old_params),
					   .cfg_size = { [RG_ACCOUNT] = sizeof(struct old_cfg) } };

static const struct rg_param soft_params[] = {
	PARAM("TestSoft", RG_ACCOUNT, RG_T_BOOL, cfg, keep, RG_CHANGE_KEEP, "0"), RG_END
};
static struct rg_param soft_claims[2];
static const struct rg_policy soft = { RG_HEAD("soft", "", 50, soft_claims),
				       .cfg_size = { [RG_ACCOUNT] = sizeof(struct cfg) } };
static struct rg_param hard_claims[2];
static const struct rg_policy hard = { RG_HEAD("hard", "", 150, hard_claims),
				       .cfg_size = { [RG_ACCOUNT] = sizeof(struct cfg) } };

static int setup(void **state)
{
	(void)state;
	soft_claims[0] = soft_params[0];
	soft_claims[0].implements = "1";
	hard_claims[0] = soft_params[0];
	hard_claims[0].name = "TestHard";
	hard_claims[0].on_change = RG_CHANGE_RESTART;
	hard_claims[0].implements = "1";
	return 0;
}

static enum policy_change compare(const struct rg_module *const *before, const char *x,
				  const struct rg_module *const *after, const char *y)
{
	enum policy_change how;
	struct world a, b;

	world_open(&a, before, x);
	world_open(&b, after, y);
	assert_built(&a);
	assert_built(&b);
	how = policy_compare(chain_of(&a, "a"), chain_of(&b, "a"));
	world_close(&a);
	world_close(&b);
	return how;
}

#define A(more) NETWORK ACCOUNT("a", "ITSP", more)

static void test_same(void **state)
{
	const struct rg_module *const *t = TABLE(&main_policy.m, &soft.m);

	(void)state;
	assert_int_equal(compare(t, A(""), t, A("")), POLICY_SAME);
	assert_int_equal(compare(t, A("TestWord = hello\nTestCodes = 403,408\nTestSoft = 1\n"), t,
				 A("TestSoft = yes\nTestCodes = 403, 408\nTestWord = hello\n")),
			 POLICY_SAME);
	assert_int_equal(compare(t, A("TestWord = x\n"), t, A("TestRestart = 0\n")), POLICY_SAME);
}

static void test_by_parameter(void **state)
{
	const struct rg_module *const *t = TABLE(&main_policy.m);

	(void)state;
	assert_int_equal(compare(t, A(""), t, A("TestKeep = 1\n")), POLICY_KEEP);
	assert_int_equal(compare(t, A("TestRefresh = 2\n"), t, A("TestRefresh = 1\n")),
			 POLICY_REFRESH);
	assert_int_equal(compare(t, A("TestWord = y\n"), t, A("")), POLICY_REFRESH);
	assert_int_equal(compare(t, A(""), t, A("TestCodes = 480\n")), POLICY_REFRESH);
	assert_int_equal(compare(t, A(""), t, A("TestRestart = 1\n")), POLICY_RESTART);
	assert_int_equal(compare(t, A("TestKeep = 4\nTestWord = a\n"), t,
				 A("TestKeep = 5\nTestRestart = 5\nTestWord = b\n")),
			 POLICY_RESTART);
}

static void test_by_address(void **state)
{
	static const char plus[] = "[ProxyIp]\nProxySetId = 1\nIpAddress = 192.0.2.4\n";
	static const char set[] = "[ProxyIp]\nProxySetId = 1\nIpAddress = 192.0.2.4\nTestIp = 3\n";
	const struct rg_module *const *t = TABLE(&main_policy.m);
	char x[4096], y[4096];

	(void)state;
	snprintf(x, sizeof x, "%s%s", A(""), plus);
	snprintf(y, sizeof y, "%s%s", A(""), set);
	assert_int_equal(compare(t, x, t, x), POLICY_SAME);
	assert_int_equal(compare(t, x, t, y), POLICY_RESTART);
	assert_int_equal(compare(t, A(""), t, x), POLICY_RESTART); /* one address more */
}

static void test_replaced_object(void **state)
{
	const struct rg_module *const *t = TABLE(&main_policy.m);
	const struct rg_module *const *u = TABLE(&main_again.m);
	const struct rg_module *const *old = TABLE(&main_old.m);

	(void)state;
	assert_int_equal(compare(t, A(""), u, A("")), POLICY_KEEP);
	assert_int_equal(compare(t, A(""), u, A("TestRefresh = 1\n")), POLICY_REFRESH);
	assert_int_equal(compare(old, A("TestRestart = 3\nTestWord = w\n"), t,
				 A("TestRefresh = 1\nTestRestart = 3\nTestWord = w\n")),
			 POLICY_KEEP);
	assert_int_equal(compare(old, A("TestWord = w\n"), t, A("TestWord = v\n")),
			 POLICY_REFRESH);
	assert_int_equal(compare(t, A("TestRestart = 2\n"), old, A("")), POLICY_RESTART);
}

static void test_coming_and_going(void **state)
{
	const struct rg_module *const *t = TABLE(&main_policy.m, &soft.m, &hard.m);
	const struct rg_module *const *without = TABLE(&main_policy.m);

	(void)state;
	assert_int_equal(compare(t, A(""), t, A("TestSoft = 1\n")), POLICY_KEEP);
	assert_int_equal(compare(t, A("TestSoft = 1\n"), t, A("")), POLICY_KEEP);
	assert_int_equal(compare(t, A("TestSoft = 1\n"), without, A("")), POLICY_KEEP);
	assert_int_equal(compare(t, A(""), t, A("TestHard = 1\n")), POLICY_RESTART);
	assert_int_equal(compare(t, A("TestHard = 1\n"), t, A("TestSoft = 1\n")), POLICY_RESTART);
	assert_int_equal(compare(TABLE(&main_policy.m), A(""), TABLE(&soft.m), A("")), POLICY_KEEP);
}

/* ---- scale --------------------------------------------------------------------------------- */

static enum rg_check checks(const struct rg_ctx *c, struct rg_fault *f)
{
	return c->v->acc->reg == RG_REG_NO ? rg_fault(f, RG_ERROR, "registers not") : RG_OK;
}
static const struct rg_policy checking = { RG_HEAD("checking", "", 1, NULL), .check = checks };

enum { ACCOUNTS = 100000, GROUPS = 500 };

static char *huge(void)
{
	char *text = malloc(64ul * 1024 * 1024), *at = text;

	at += sprintf(at, "%s", NETWORK);
	for (int i = 0; i < GROUPS; i++)
		at += sprintf(at, "[ProxySet]\nIndex = %d\nName = s%d\n"
				  "[ProxyIp]\nProxySetId = s%d\nIpAddress = 192.0.2.1\n"
				  "[IPGroup]\nIndex = %d\nName = g%d\nProxySetName = s%d\n",
			      i + 10, i, i, i + 10, i, i);
	at += sprintf(at, "[ Account ]\nFORMAT Index = Name, ServedIPGroupName, "
			  "ServingIPGroupName, ContactUser, Register, TestKeep, TestWord;\n");
	for (int i = 0; i < ACCOUNTS; i++)
		at += sprintf(at, "Account %d = \"n%d\", \"PBX\", \"g%d\", \"u%d\", 1, %d, \"w%d\";\n",
			      i, i, i % GROUPS, i, i % 7, i % 11);
	sprintf(at, "[ \\Account ]\n");
	return text;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void test_scale(void **state)
{
	const struct rg_module *const *t = TABLE(&main_policy.m, &soft.m, &hard.m, &checking.m);
	char *text = huge();
	struct policy *again;
	struct world w;
	double begin, built, compared;

	(void)state;
	world_open(&w, t, text);
	free(text);
	assert_built(&w);
	assert_int_equal(w.policy->n, ACCOUNTS);
	begin = seconds();
	again = policy_build(w.modules, w.conf, w.schema, w.faults);
	built = seconds();
	for (uint32_t i = 0; i < ACCOUNTS; i++)
		assert_true(policy_compare(w.policy->of[i], again->of[i]) == POLICY_SAME);
	compared = seconds();
	print_message("# %d accounts: built in %.0f ms, compared in %.0f ms\n", ACCOUNTS,
		      (built - begin) * 1e3, (compared - built) * 1e3);
	/* ten times what it takes, for slow machines and sanitizers */
	assert_true(built - begin < 3);
	assert_true(compared - built < 3);
	assert_int_equal(policy_attached(again, &main_policy), ACCOUNTS);
	policy_unref(again);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_by_parameter),
		cmocka_unit_test(test_by_address),
		cmocka_unit_test(test_replaced_object),
		cmocka_unit_test(test_coming_and_going),
		cmocka_unit_test(test_scale),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
