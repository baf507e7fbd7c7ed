/* What is refused or warned of when policies meet a configuration, word by word. */
#include "unit/policy_world.h"

#define TABLE(...) (const struct rg_module *const[]) { __VA_ARGS__, NULL }
#define NONE ((const struct rg_module *const[]){ NULL })

static const struct rg_param ims_params[] = {
	RG_IMPLEMENTS(RG_ACCOUNT, "RegistrarSearchMode", "1"), RG_END
};
static const struct rg_policy ims_search = { RG_HEAD("ims_search", "", 300, ims_params) };
static const struct rg_param sync_params[] = {
	RG_IMPLEMENTS(RG_GLOBAL, "SyncIMSAccounts", "1"),
	RG_WHEN(RG_ACCOUNT, "RegistrarSearchMode", "1"), RG_END
};
static const char *const sync_needs[] = { "ims_search", NULL };
static const struct rg_policy sync_ims = { RG_HEAD("sync_ims", "", 500, sync_params),
					   .needs = sync_needs };
static const struct rg_param avoid_params[] = {
	RG_IMPLEMENTS(RG_ACCOUNT, "RegistrarSearchMode", "2"),
	RG_READS_INT(RG_GLOBAL, "AccountRegistrarAvoidanceTime", struct rg_fault, text), RG_END
};
static const struct rg_policy avoid_previous = { RG_HEAD("avoid_previous", "", 300, avoid_params),
						 .cfg_size = { [RG_GLOBAL] = 4 } };

/* ---- values without plugin ------------------------------------------------------------ */

static void refused(const struct rg_module *const *table, const char *text, const char *says)
{
	struct world w;

	world_open(&w, table, text);
	assert_null(w.policy);
	assert_int_equal(rg_faults_errors(w.faults), 1);
	assert_string_equal(world_fault(&w, 0), says);
	world_close(&w);
}

static void loads(const struct rg_module *const *table, const char *text)
{
	struct world w;

	world_open(&w, table, text);
	assert_built(&w);
	assert_int_equal(rg_faults_errors(w.faults), 0);
	world_close(&w);
}

/* What needs a plugin, and the plugin that it needs. */
static void test_not_there(void **state)
{
	(void)state;
	refused(NONE, ACCOUNT("a", "ITSP", "RegistrarSearchMode = 1\n") NETWORK,
		"7: error: RegistrarSearchMode = 1: this needs the plugin ims_search, which is not "
		"there (yet)");
	refused(TABLE(&ims_search.m),
		ACCOUNT("a", "ITSP", "RegistrarSearchMode = avoid-previous\n") NETWORK,
		"7: error: RegistrarSearchMode = 2: this needs the plugin avoid_previous, which is "
		"not there (yet)");
	refused(NONE, ACCOUNT("a", "ITSP", "Register = 2\n") NETWORK,
		"7: error: Register = 2: this needs the plugin gin, which is not there (yet)");
	refused(NONE, ACCOUNT("a", "ITSP", "RegistrarStickiness = 1\n") NETWORK,
		"7: error: RegistrarStickiness = 1: this needs the plugin stickiness, which is not "
		"there (yet)");
	/* only read, but by nobody */
	refused(NONE, ACCOUNT("a", "ITSP", "FailbackTimeout = 100\n") NETWORK,
		"7: error: FailbackTimeout = 100: this needs the plugin failback, which is not there "
		"(yet)");
	/* a set that no account uses */
	refused(NONE, "[ProxySet]\nName = spare\nProxyRedundancyMode = 1\n"
		      "[ProxyIp]\nProxySetId = spare\nIpAddress = 192.0.2.77\n" NETWORK
		      ACCOUNT("a", "ITSP", ""),
		"3: error: ProxyRedundancyMode = 1: this needs the plugin redundancy, which is not "
		"there (yet)");
}

static void test_defaults_need_nobody(void **state)
{
	(void)state;
	loads(NONE, NETWORK ACCOUNT("a", "ITSP",
				    "RegistrarSearchMode = 0\nRegistrarStickiness = 0\n"
				    "Register = 1\nFailbackTimeout = 3600\nUDPPortAssignment = no\n"));
	loads(TABLE(&avoid_previous.m),
	      NETWORK "[Gateway]\nAccountRegistrarAvoidanceTime = 180\n"
	      ACCOUNT("a", "ITSP", "RegistrarSearchMode = 2\n"));
}

static void test_not_loaded(void **state)
{
	(void)state;
	refused(TABLE(&ims_search.m, &avoid_previous.m),
		ACCOUNT("a", "ITSP", "RegistrarSearchMode = 1\n") NETWORK
		"[Plugins]\nLoad = avoid_previous\n",
		"7: error: RegistrarSearchMode = 1: no loaded plugin implements this; add ims_search "
		"to Load");
	loads(TABLE(&ims_search.m, &avoid_previous.m),
	      ACCOUNT("a", "ITSP", "RegistrarSearchMode = 1\n") NETWORK
	      "[Plugins]\nLoad = avoid_previous, IMS_Search\n");
	/* sync_ims only looks at the value: it does not implement it */
	refused(TABLE(&ims_search.m, &sync_ims.m),
		ACCOUNT("a", "ITSP", "RegistrarSearchMode = 1\n") NETWORK
		"[Plugins]\nLoad = sync_ims\n",
		"7: error: RegistrarSearchMode = 1: no loaded plugin implements this; add ims_search "
		"to Load");
}

static void test_global_not_loaded(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TABLE(&avoid_previous.m),
		   "[Gateway]\nAccountRegistrarAvoidanceTime = 180\nSyncIMSAccounts = 1\n"
		   "[Plugins]\nLoad =\n" NETWORK);
	assert_null(w.policy);
	assert_int_equal(rg_faults_errors(w.faults), 2);
	assert_fault(&w, ":2: error: AccountRegistrarAvoidanceTime = 180: no loaded plugin implements this; "
			 "add avoid_previous to Load");
	assert_fault(&w, ":3: error: SyncIMSAccounts = 1: this needs the plugin sync_ims, which is not there "
			 "(yet)");
	world_close(&w);
}

/* One for the row, not for each account behind it; one for each row that has it. */
static void test_once_a_row(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, NONE,
		   "[ProxySet]\nIndex = 7\nName = seven\nProxyRedundancyMode = 1\nHomingCheck = options\n"
		   "[ProxyIp]\nProxySetId = 7\nIpAddress = 192.0.2.77\n"
		   "[IPGroup]\nIndex = 7\nName = SEVEN\nProxySetName = seven\n" NETWORK
		   ACCOUNT("a", "SEVEN", "") ACCOUNT("b", "SEVEN", "") ACCOUNT("c", "SEVEN", "")
		   ACCOUNT("d", "ITSP", "RegistrarSearchMode = 1\n")
		   ACCOUNT("e", "ITSP", "RegistrarSearchMode = 1\n"));
	assert_null(w.policy);
	assert_int_equal(world_count(&w, "ProxyRedundancyMode = 1"), 1);
	assert_int_equal(world_count(&w, "HomingCheck = 1"), 1);
	assert_int_equal(world_count(&w, "RegistrarSearchMode = 1"), 2);
	assert_int_equal(rg_faults_errors(w.faults), 4);
	world_close(&w);
}

/* On by default, and turned off: that needs nobody. */
static const struct rg_param lamp_params[] = {
	{ .name = "TestLamp", .scope = RG_ACCOUNT, .type = RG_T_INT, .min = 0, .max = 2, .dflt = "1",
	  .implements = "1" },
	RG_END
};
static const struct rg_policy lamp = { RG_HEAD("lamp", "", 1, lamp_params),
				       .cfg_size = { [RG_ACCOUNT] = 4 } };

static void test_turned_off(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TABLE(&lamp.m), NETWORK ACCOUNT("on", "ITSP", "")
					       ACCOUNT("off", "ITSP", "TestLamp = 0\n"));
	assert_built(&w);
	assert_string_equal(names_of(&w, "on"), "lamp");
	assert_string_equal(names_of(&w, "off"), "");
	world_close(&w);
	refused(TABLE(&lamp.m), ACCOUNT("a", "ITSP", "TestLamp = 2\n") NETWORK,
		"7: error: TestLamp = 2: no plugin implements this");
}

static void test_impossible_claim(void **state)
{
	static const struct rg_param wrong[] = {
		RG_IMPLEMENTS(RG_ACCOUNT, "RegistrarSearchMode", "1,9"), RG_END
	};
	static const struct rg_policy bad = { RG_HEAD("bad", "", 1, wrong) };
	struct world w;

	(void)state;
	world_open(&w, TABLE(&bad.m), NETWORK);
	assert_null(w.policy);
	assert_string_equal(world_fault(&w, 0),
			    "bad: error: claims values that RegistrarSearchMode cannot have");
	world_close(&w);
}

/* ---- the Load line --------------------------------------------------------------------- */

static int start(const struct rg_host *h, struct rg_self *s, const void *cfg, void **priv,
		 struct rg_fault *f)
{
	(void)h, (void)s, (void)cfg, (void)priv, (void)f;
	return 0;
}

static void stop(void *priv)
{
	(void)priv;
}

struct web_cfg {
	int32_t port;
};
static const struct rg_param web_params[] = {
	RG_INT(RG_GLOBAL, "WebPort", struct web_cfg, port, 0, 65535, "8080", ""), RG_END
};
static const struct rg_service web = { RG_SERVICE_HEAD("web", "", web_params),
				       .cfg_size = sizeof(struct web_cfg), .start = start,
				       .stop = stop };

static bool active(const struct rg_module *const *table, const char *name, const char *text)
{
	struct world w;
	bool is = false;

	world_open(&w, table, text);
	assert_built(&w);
	for (size_t i = 0; i < policy_modules_count(w.modules); i++)
		if (!strcmp(policy_modules_at(w.modules, i)->m->name, name))
			is = policy_active(w.conf, policy_modules_at(w.modules, i));
	world_close(&w);
	return is;
}

static void test_active(void **state)
{
	const struct rg_module *const all[] = { &ims_search.m, &web.m, NULL };

	(void)state;
	assert_true(active(all, "ims_search", NETWORK));
	assert_false(active(all, "web", NETWORK));
	assert_true(active(all, "web", NETWORK "[web]\n"));
	assert_true(active(all, "web", NETWORK "[Plugins]\nLoad = web\n"));
	assert_false(active(all, "ims_search", NETWORK "[Plugins]\nLoad = web\n"));
	assert_true(active(all, "web", NETWORK "[web]\n[Plugins]\nLoad = ims_search\n"));
}

static void test_service_cfg(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TABLE(&web.m), NETWORK "[Gateway]\nWebPort = 8443\n[Plugins]\nLoad = web\n");
	assert_built(&w);
	assert_int_equal(((const struct web_cfg *)policy_service_cfg(w.policy, &web))->port, 8443);
	world_close(&w);
	world_open(&w, TABLE(&web.m), NETWORK);
	assert_null(policy_service_cfg(w.policy, &web));
	world_close(&w);
	refused(TABLE(&web.m), "[Gateway]\nWebPort = 8443\n" NETWORK,
		"2: error: WebPort = 8443: no loaded plugin implements this; add a section [web]");
}

static void test_load_unknown(void **state)
{
	(void)state;
	refused(TABLE(&ims_search.m), "[Plugins]\nLoad = ims_serch\n" NETWORK,
		"2: error: Load: there is no plugin ims_serch; did you mean ims_search?");
	refused(TABLE(&ims_search.m), "[Plugins]\nLoad = ims_search, whatever\n" NETWORK,
		"2: error: Load: there is no plugin whatever");
}

/* ---- needs and clashes ------------------------------------------------------------------- */

static const struct rg_param loner_params[] = {
	{ .name = "TestLoner", .scope = RG_ACCOUNT, .type = RG_T_BOOL, .dflt = "0", .implements = "1" },
	RG_END
};
static const char *const loner_clashes[] = { "lamp", "avoid_previous", "ims_search", NULL };
static const struct rg_policy loner = { RG_HEAD("loner", "", 5, loner_params),
					.clashes = loner_clashes,
					.cfg_size = { [RG_ACCOUNT] = 4 } };
static const struct rg_param follower_params[] = {
	{ .name = "TestFollower", .scope = RG_ACCOUNT, .type = RG_T_BOOL, .dflt = "0",
	  .implements = "1" },
	RG_END
};
static const char *const follower_needs[] = { "ims_search", NULL };
static const struct rg_policy follower = { RG_HEAD("follower", "", 5, follower_params),
					   .needs = follower_needs,
					   .cfg_size = { [RG_ACCOUNT] = 4 } };

static void test_needs(void **state)
{
	(void)state;
	refused(TABLE(&ims_search.m, &follower.m),
		ACCOUNT("a", "ITSP", "Register = 1\nTestFollower = 1\n") NETWORK,
		"1: error: account a: follower: needs ims_search, which this account does not have");
	loads(TABLE(&ims_search.m, &follower.m),
	      NETWORK ACCOUNT("a", "ITSP", "Register = 1\nTestFollower = 1\nRegistrarSearchMode = 1\n")
	      ACCOUNT("b", "ITSP", "Register = 0\nTestFollower = 1\n"));
}

static void test_clashes(void **state)
{
	(void)state;
	refused(TABLE(&ims_search.m, &loner.m),
		ACCOUNT("a", "ITSP", "Register = 1\nTestLoner = 1\nRegistrarSearchMode = 1\n") NETWORK,
		"1: error: account a: loner: cannot be combined with ims_search");
	loads(TABLE(&ims_search.m, &loner.m),
	      NETWORK ACCOUNT("a", "ITSP", "Register = 1\nTestLoner = 1\n")
	      ACCOUNT("b", "ITSP", "Register = 1\nRegistrarSearchMode = 1\n")
	      ACCOUNT("c", "ITSP", "Register = 0\nTestLoner = 1\nRegistrarSearchMode = 1\n"));
}

/* ---- check() -------------------------------------------------------------------------------- */

struct judge_cfg {
	int32_t verdict;
};

/* TestVerdict is the answer, if the view is what it should be. */
static enum rg_check judge(const struct rg_ctx *c, struct rg_fault *f)
{
	const struct rg_view *v = c->v;
	const struct judge_cfg *g = c->cfg[RG_ACCOUNT];
	const int32_t *const *ip = c->cfg[RG_PROXY_IP];
	bool two = v->nsrv == 2 && v->srv[0].id == 1 && v->srv[1].id == 3 &&
		   v->srv[1].rank == 1 && v->srv[1].transport == RG_TCP &&
		   v->srv[0].roles == (RG_REGISTRAR | RG_PROXY) &&
		   !strcmp(v->srv[1].host, "192.0.2.3") && v->srv[0].ttl_until == RG_NEVER &&
		   v->srv[1].health == RG_UNKNOWN;

	if (!two || c->slot || c->group || c->gslot || v->now || v->registrar ||
	    strcmp(v->acc->host_name, "itsp.example") || v->acc->literals != 2 || !v->acc->names)
		return rg_fault(f, RG_ERROR, "the view is wrong");
	if (*ip[0] != 5 || *ip[1] != 6)
		return rg_fault(f, RG_ERROR, "the ProxyIp blocks are wrong");
	return rg_fault(f, (enum rg_check)g->verdict, "so it is");
}

static const struct rg_param judge_params[] = {
	{ .name = "TestVerdict", .scope = RG_ACCOUNT, .type = RG_T_INT, .max = 3, .dflt = "0" },
	{ .name = "TestAddress", .scope = RG_PROXY_IP, .type = RG_T_INT, .max = 9, .dflt = "5" },
	RG_END
};
static const struct rg_policy judge_policy = {
	RG_HEAD("judge", "", 5, judge_params),
	.cfg_size = { [RG_ACCOUNT] = sizeof(struct judge_cfg), [RG_PROXY_IP] = 4 },
	.check = judge,
};

#define JUDGED                                                                              \
	"[ProxySet]\nIndex = 1\nName = one\n"                                               \
	"[ProxyIp]\nProxySetId = 1\nIpAddress = 192.0.2.1\nTestAddress = 5\n"               \
	"[ProxyIp]\nProxySetId = 1\nIpAddress = itsp.example\nTestAddress = 9\n"            \
	"[ProxyIp]\nProxySetId = 1\nIpAddress = 192.0.2.3\nTransportType = TCP\n"           \
	"TestAddress = 6\n"                                                                 \
	"[IPGroup]\nIndex = 1\nName = PBX\n"                                                \
	"[IPGroup]\nIndex = 2\nName = ITSP\nProxySetName = one\n"

static void test_check(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TABLE(&judge_policy.m),
		   ACCOUNT("ok", "ITSP", "") ACCOUNT("warn", "ITSP", "TestVerdict = 1\n")
		   ACCOUNT("skip", "ITSP", "TestVerdict = 2\n") JUDGED);
	assert_built(&w);
	assert_int_equal(rg_faults_count(w.faults), 2);
	assert_string_equal(world_fault(&w, 0), "7: warning: account warn: judge: so it is");
	assert_string_equal(world_fault(&w, 1), "14: warning: account skip: judge: so it is");
	assert_string_equal(names_of(&w, "ok"), "judge");
	assert_string_equal(names_of(&w, "warn"), "judge");
	assert_string_equal(names_of(&w, "skip"), "");
	assert_int_equal(policy_attached(w.policy, &judge_policy), 2);
	world_close(&w);
	refused(TABLE(&judge_policy.m), ACCOUNT("bad", "ITSP", "TestVerdict = 3\n") JUDGED,
		"1: error: account bad: judge: so it is");
}

/* One of the same combination is skipped, the other is not: check() sees each account. */
static enum rg_check odd(const struct rg_ctx *c, struct rg_fault *f)
{
	return c->v->acc->index & 1 ? rg_fault(f, RG_SKIP, "is odd") : RG_OK;
}
static const struct rg_policy odd_policy = { RG_HEAD("odd", "", 5, NULL), .check = odd };
static const char *const even_needs[] = { "odd", NULL };
static const struct rg_policy even_policy = { RG_HEAD("even", "", 6, NULL), .needs = even_needs };

static char *many(unsigned n, const char *more)
{
	char *text = malloc(sizeof NETWORK + n * 200ul), *at = text;

	at += sprintf(at, "%s", NETWORK);
	for (unsigned i = 0; i < n; i++)
		at += sprintf(at, "[Account]\nServedIPGroupName=PBX\nServingIPGroupName=ITSP\n"
				  "ContactUser=u%u\nHostName=h.example\n%s", i, more);
	return text;
}

static void test_per_account(void **state)
{
	char *text = many(100, "");
	struct world w;

	(void)state;
	world_open(&w, TABLE(&odd_policy.m, &even_policy.m), text);
	free(text);
	assert_built(&w);
	assert_string_equal(names_of(&w, "0"), "odd even");
	assert_string_equal(names_of(&w, "1"), "even");
	assert_ptr_equal(chain_of(&w, "4"), chain_of(&w, "2"));
	assert_ptr_equal(chain_of(&w, "5"), chain_of(&w, "1"));
	assert_int_equal(policy_attached(w.policy, &odd_policy), 50);
	assert_int_equal(policy_attached(w.policy, &even_policy), 100);
	/* twenty, then a sum */
	assert_int_equal(rg_faults_count(w.faults), 21);
	assert_int_equal(world_count(&w, ": odd: is odd"), 20);
	assert_fault(&w, "warning: odd: the same of 30 more accounts");
	world_close(&w);
}

/* Errors are not lost behind warnings, and what needs a skipped one is told. */
static void test_needs_skipped(void **state)
{
	char *text = many(100, "Register = 1\n");
	struct world w;

	(void)state;
	world_open(&w, TABLE(&odd_policy.m, &even_policy.m), text);
	free(text);
	assert_null(w.policy);
	assert_int_equal(rg_faults_errors(w.faults), 21);
	assert_int_equal(world_count(&w, "even: needs odd, which this account does not have"), 20);
	assert_fault(&w, "error: even: the same of 30 more accounts");
	world_close(&w);
}

/* ---- limits ------------------------------------------------------------------------------------ */

static void test_limits(void **state)
{
	static struct rg_policy p[66];
	static char name[66][8];
	const struct rg_module *table[66] = { NULL };

	(void)state;
	for (int i = 0; i < 65; i++) {
		snprintf(name[i], sizeof name[i], "p%02d", i);
		p[i] = (struct rg_policy){ RG_HEAD(name[i], "", 1, NULL), .slot_size = 1000 };
		table[i] = &p[i].m;
	}
	refused(table, ACCOUNT("a", "ITSP", "") NETWORK,
		"1: error: account a: p64: more than 64 policies on an account");
	table[64] = NULL;
	loads(table, ACCOUNT("a", "ITSP", "") NETWORK);
	p[3].slot_size = 4000;
	refused(table, ACCOUNT("a", "ITSP", "") NETWORK,
		"1: error: account a: p63: the slots of this account's policies are more than 64 KiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_there),
		cmocka_unit_test(test_defaults_need_nobody),
		cmocka_unit_test(test_not_loaded),
		cmocka_unit_test(test_global_not_loaded),
		cmocka_unit_test(test_once_a_row),
		cmocka_unit_test(test_turned_off),
		cmocka_unit_test(test_impossible_claim),
		cmocka_unit_test(test_active),
		cmocka_unit_test(test_service_cfg),
		cmocka_unit_test(test_load_unknown),
		cmocka_unit_test(test_needs),
		cmocka_unit_test(test_clashes),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_per_account),
		cmocka_unit_test(test_needs_skipped),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
