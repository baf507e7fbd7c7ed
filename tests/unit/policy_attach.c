/* Which policies an account gets, with which parameters, in which order. */
#include "unit/policy_world.h"

#define POLICY(id, p, ...) \
	static const struct rg_policy id = { RG_HEAD(#id, "", p, id##_params), __VA_ARGS__ }
#define TABLE(...) (const struct rg_module *const[]) { __VA_ARGS__, NULL }

static const struct rg_param everywhere_params[] = { RG_END };
POLICY(everywhere, 50, .slot_size = 3);

struct own {
	int32_t level, flag, mode;
	const char *word;
	struct rg_codes codes;
};
static const struct rg_param own_params[] = {
	{ .name = "TestMode", .scope = RG_ACCOUNT, .type = RG_T_INT,
	  .offset = offsetof(struct own, mode), .min = 0, .max = 3, .dflt = "0",
	  .symbols = "off=0,soft=1,hard=2", .implements = "1,hard" },
	RG_INT(RG_ACCOUNT, "TestLevel", struct own, level, -5, 2000000, "7", ""),
	RG_BOOL(RG_ACCOUNT, "TestFlag", struct own, flag, "1", ""),
	RG_STR(RG_ACCOUNT, "TestWord", struct own, word, "none", ""),
	{ .name = "TestCodes", .scope = RG_ACCOUNT, .type = RG_T_CODES,
	  .offset = offsetof(struct own, codes), .dflt = "403,408" },
	RG_END
};
POLICY(own, 100, .cfg_size = { [RG_ACCOUNT] = sizeof(struct own) }, .slot_size = 9);

static const struct rg_param third_params[] = { RG_IMPLEMENTS(RG_ACCOUNT, "TestMode", "3"), RG_END };
POLICY(third, 100, .slot_size = 8);

/* Only where another's value stands; it implements nothing. */
static const struct rg_param beside_params[] = { RG_WHEN(RG_ACCOUNT, "TestMode", "2,3"), RG_END };
POLICY(beside, 90, .wants = RG_WANTS_PORT);

static const struct rg_param star_params[] = {
	{ .name = "TestStar", .scope = RG_ACCOUNT, .type = RG_T_INT, .min = -1, .max = 3,
	  .dflt = "-1", .implements = "*" },
	RG_END
};
static const struct rg_policy star = { RG_HEAD("star", "", 10, star_params),
				       .cfg_size = { [RG_ACCOUNT] = 4 } };

static void test_by_value(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TABLE(&third.m, &own.m, &everywhere.m, &star.m, &beside.m),
		   NETWORK ACCOUNT("zero", "ITSP", "") ACCOUNT("one", "ITSP", "TestMode = 1\n")
		   ACCOUNT("two", "ITSP", "TestMode = hard\n")
		   ACCOUNT("three", "ITSP", "TestMode = 3\nTestStar = 0\n")
		   ACCOUNT("unset", "ITSP", "TestStar = -1\n"));
	assert_built(&w);
	assert_string_equal(names_of(&w, "zero"), "everywhere");
	assert_string_equal(names_of(&w, "one"), "everywhere own");
	assert_string_equal(names_of(&w, "two"), "everywhere beside own");
	assert_string_equal(names_of(&w, "three"), "star everywhere beside third");
	assert_string_equal(names_of(&w, "unset"), "everywhere");
	assert_int_equal(policy_attached(w.policy, &everywhere), 5);
	assert_int_equal(policy_attached(w.policy, &own), 2);
	assert_int_equal(policy_attached(w.policy, &beside), 2);
	assert_int_equal(policy_attached(w.policy, NULL), 0);
	assert_int_equal(chain_of(&w, "one")->wants, 0);
	assert_int_equal(chain_of(&w, "two")->wants, RG_WANTS_PORT);
	world_close(&w);
}

/* Either of two values needs the plugin; what it asks for besides must be there. */
static const struct rg_param either_params[] = {
	{ .name = "TestLeft", .scope = RG_ACCOUNT, .type = RG_T_INT, .max = 3, .dflt = "0",
	  .implements = "1,2" },
	{ .name = "TestRight", .scope = RG_PROXY_SET, .type = RG_T_INT, .max = 3, .dflt = "0",
	  .implements = "1" },
	RG_WHEN(RG_ACCOUNT, "Register", "1,2"),
	RG_END
};
static const struct rg_policy either = { RG_HEAD("either", "", 1, either_params),
					 .cfg_size = { [RG_ACCOUNT] = 4, [RG_PROXY_SET] = 4 } };

static void test_either(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TABLE(&either.m),
		   NETWORK "[ProxySet]\nIndex = 4\nName = four\nTestRight = 1\n"
		   "[ProxyIp]\nProxySetId = 4\nIpAddress = 192.0.2.44\n"
		   "[IPGroup]\nIndex = 4\nName = FOUR\nProxySetName = four\n"
		   ACCOUNT("none", "ITSP", "Register = 1\n")
		   ACCOUNT("left", "ITSP", "Register = 1\nTestLeft = 2\n")
		   ACCOUNT("right", "FOUR", "Register = 1\n")
		   ACCOUNT("both", "FOUR", "Register = 1\nTestLeft = 1\n")
		   ACCOUNT("not", "FOUR", "Register = 0\nTestLeft = 1\n"));
	assert_built(&w);
	assert_string_equal(names_of(&w, "none"), "");
	assert_string_equal(names_of(&w, "left"), "either");
	assert_string_equal(names_of(&w, "right"), "either");
	assert_string_equal(names_of(&w, "both"), "either");
	assert_string_equal(names_of(&w, "not"), "");
	world_close(&w);
}

static void test_slots(void **state)
{
	const struct policy_chain *c;
	struct world w;

	(void)state;
	world_open(&w, TABLE(&own.m, &everywhere.m, &beside.m),
		   NETWORK ACCOUNT("a", "ITSP", "TestMode = 2\n"));
	assert_built(&w);
	c = chain_of(&w, "a");
	assert_int_equal(c->n, 3);
	assert_int_equal(c->link[0].slot, 0);  /* everywhere: 3 bytes */
	assert_int_equal(c->link[1].slot, 8);  /* beside: none */
	assert_int_equal(c->link[2].slot, 8);  /* own: 9 bytes */
	assert_int_equal(c->slot_bytes, 24);
	assert_false(c->timers);
	world_close(&w);
}

static void test_blocks(void **state)
{
	const struct own *o;
	struct world w;

	(void)state;
	world_open(&w, TABLE(&own.m),
		   NETWORK ACCOUNT("a", "ITSP", "TestMode = 1\n")
		   ACCOUNT("b", "ITSP",
			   "TestMode = 2\nTestLevel = -5\nTestFlag = no\nTestWord = hello\n"
			   "TestCodes = 480, 503,600\n")
		   ACCOUNT("c", "ITSP", "TestMode = soft\nTestLevel = 7\n"));
	assert_built(&w);
	o = chain_of(&w, "a")->link[0].cfg[RG_ACCOUNT];
	assert_int_equal(o->mode, 1);
	assert_int_equal(o->level, 7);
	assert_int_equal(o->flag, 1);
	assert_string_equal(o->word, "none");
	assert_int_equal(o->codes.n, 2);
	assert_int_equal(o->codes.code[1], 408);
	/* written or by default: one block, one chain */
	assert_ptr_equal(chain_of(&w, "a"), chain_of(&w, "c"));
	o = chain_of(&w, "b")->link[0].cfg[RG_ACCOUNT];
	assert_int_equal(o->mode, 2);
	assert_int_equal(o->level, -5);
	assert_int_equal(o->flag, 0);
	assert_string_equal(o->word, "hello");
	assert_int_equal(o->codes.n, 3);
	assert_int_equal(o->codes.code[0], 480);
	assert_int_equal(o->codes.code[2], 600);
	for (int s = 0; s < RG_SCOPES; s++)
		assert_true(s == RG_ACCOUNT || !chain_of(&w, "b")->link[0].cfg[s]);
	world_close(&w);
}

/* ---- scopes: each looks at the row that serves the account ------------------------- */

#define SCOPED(id, where)                                                              \
	static const struct rg_param id##_params[] = {                                 \
		{ .name = "Test_" #id, .scope = where, .type = RG_T_INT, .min = 0,     \
		  .max = 9, .dflt = "0", .implements = "1,2" },                        \
		RG_END                                                                 \
	};                                                                             \
	static const struct rg_policy id = { RG_HEAD(#id, "", 1, id##_params),         \
					     .cfg_size = { [where] = 4 } }
SCOPED(global, RG_GLOBAL);
SCOPED(group, RG_IP_GROUP);
SCOPED(interface, RG_INTERFACE);
SCOPED(set, RG_PROXY_SET);
SCOPED(trunk, RG_TRUNK_GROUP);
SCOPED(address, RG_PROXY_IP);

static void test_scopes(void **state)
{
	const int32_t *const *ips;
	struct world w;

	(void)state;
	world_open(&w,
		   TABLE(&global.m, &group.m, &interface.m, &set.m, &trunk.m, &address.m),
		   "[Gateway]\nTest_global = 2\n"
		   "[SIPInterface]\nName = lan\nNetworkInterface = 127.0.0.1\nTest_interface = 1\n"
		   "[ProxySet]\nIndex = 1\nName = one\nTest_set = 1\n"
		   "[ProxySet]\nIndex = 2\nName = two\n"
		   "[ProxyIp]\nProxySetId = 1\nIpAddress = 192.0.2.1\n"
		   "[ProxyIp]\nProxySetId = 1\nIpAddress = 192.0.2.2\nTest_address = 2\n"
		   "[ProxyIp]\nProxySetId = 2\nIpAddress = 192.0.2.3\n"
		   "[IPGroup]\nIndex = 1\nName = PBX\nTest_group = 1\n"
		   "[IPGroup]\nIndex = 2\nName = ITSP\nProxySetName = one\n"
		   "[IPGroup]\nIndex = 3\nName = OTHER\nProxySetName = two\nTest_group = 2\n"
		   "[TrunkGroup]\nTrunkGroupId = 7\nName = T1\nRegistrationMode = 5\nTest_trunk = 1\n"
		   ACCOUNT("a", "ITSP", "") ACCOUNT("b", "OTHER", "")
		   "[Account]\nName = c\nServedTrunkGroup = 7\nServingIPGroupName = OTHER\n"
		   "ContactUser = c\n");
	assert_built(&w);
	assert_string_equal(names_of(&w, "a"), "address global interface set");
	assert_string_equal(names_of(&w, "b"), "global group interface");
	assert_string_equal(names_of(&w, "c"), "global group interface trunk");
	assert_int_equal(*(const int32_t *)chain_of(&w, "b")->link[1].cfg[RG_IP_GROUP], 2);
	ips = chain_of(&w, "a")->link[0].cfg[RG_PROXY_IP];
	assert_int_equal(chain_of(&w, "a")->link[0].ips, 2);
	assert_int_equal(*ips[0], 0);
	assert_int_equal(chain_of(&w, "b")->link[0].ips, 0);
	world_close(&w);
}

/* A column of the core is read as the core reads it: the global mode counts, too. */
struct fields {
	int32_t redundancy, hot_swap, reg;
};
static const struct rg_param fields_params[] = {
	RG_IMPLEMENTS_INT(RG_PROXY_SET, "ProxyRedundancyMode", struct fields, redundancy, "0,1"),
	RG_READS_BOOL(RG_PROXY_SET, "IsProxyHotSwap", struct fields, hot_swap),
	RG_END
};
POLICY(fields, 1, .cfg_size = { [RG_PROXY_SET] = sizeof(struct fields) });

static const struct rg_param gin_params[] = { RG_IMPLEMENTS(RG_ACCOUNT, "Register", "2"), RG_END };
POLICY(gin, 600, .wants = 0);

static void test_core_fields(void **state)
{
	const struct fields *f;
	struct world w;

	(void)state;
	world_open(&w, TABLE(&fields.m, &gin.m),
		   NETWORK "[Gateway]\nProxyRedundancyMode = 1\n"
		   ACCOUNT("a", "ITSP", "Register = 1\n") ACCOUNT("b", "OTHER", "Register = GIN\n"));
	/* fields owns no column of the gateway's, but reads the set's effective one */
	assert_fault(&w, "ProxyRedundancyMode = 1: this needs the plugin redundancy");
	world_close(&w);
	world_open(&w, TABLE(&fields.m, &gin.m),
		   NETWORK ACCOUNT("a", "ITSP", "Register = 1\n")
		   ACCOUNT("b", "OTHER", "Register = GIN\n"));
	assert_built(&w);
	assert_string_equal(names_of(&w, "a"), "");
	assert_string_equal(names_of(&w, "b"), "gin");
	world_close(&w);
	world_open(&w, TABLE(&fields.m),
		   NETWORK "[ProxySet]\nIndex = 4\nName = four\nProxyRedundancyMode = Homing\n"
		   "IsProxyHotSwap = 1\n[ProxyIp]\nProxySetId = 4\nIpAddress = 192.0.2.44\n"
		   "[IPGroup]\nIndex = 4\nName = FOUR\nProxySetName = four\n"
		   ACCOUNT("a", "FOUR", ""));
	assert_built(&w);
	f = chain_of(&w, "a")->link[0].cfg[RG_PROXY_SET];
	assert_int_equal(f->redundancy, 1);
	assert_int_equal(f->hot_swap, 1);
	world_close(&w);
}

/* Read only, by a policy that is everywhere: what is not set is -1 or no. */
struct reads {
	int32_t redundancy, unset;
};
static const struct rg_param reader_params[] = {
	RG_READS_INT(RG_PROXY_SET, "ProxyRedundancyMode", struct reads, redundancy),
	{ .name = "TestUnset", .scope = RG_PROXY_SET, .type = RG_T_BOOL,
	  .offset = offsetof(struct reads, unset), .dflt = "" },
	RG_END
};
POLICY(reader, 1, .cfg_size = { [RG_PROXY_SET] = sizeof(struct reads) });
/* any value, even the default, as long as it is written */
static const struct rg_param written_params[] = {
	RG_IMPLEMENTS(RG_ACCOUNT, "UDPPortAssignment", "*"), RG_END
};
POLICY(written, 2, .wants = RG_WANTS_PORT);

static void test_unset(void **state)
{
	const struct reads *r;
	struct world w;

	(void)state;
	world_open(&w, TABLE(&reader.m, &written.m),
		   NETWORK ACCOUNT("a", "ITSP", "") ACCOUNT("b", "ITSP", "UDPPortAssignment = 0\n"));
	assert_built(&w);
	assert_string_equal(names_of(&w, "a"), "reader");
	assert_string_equal(names_of(&w, "b"), "reader written");
	r = chain_of(&w, "a")->link[0].cfg[RG_PROXY_SET];
	assert_int_equal(r->redundancy, -1);
	assert_int_equal(r->unset, 0);
	world_close(&w);
}

/* ---- many accounts share ------------------------------------------------------------ */

static char *many(unsigned n)
{
	size_t room = sizeof NETWORK + n * 160ul;
	char *text = malloc(room), *at = text;

	at += sprintf(at, "%s", NETWORK);
	for (unsigned i = 0; i < n; i++)
		at += sprintf(at,
			      "[Account]\nServedIPGroupName=PBX\nServingIPGroupName=%s\n"
			      "ContactUser=u%u\nHostName=h.example\nRegister=1\nTestMode=%u\n",
			      i & 1 ? "ITSP" : "OTHER", i, i % 3);
	return text;
}

static void test_sharing(void **state)
{
	char *text = many(600);
	struct world w;

	(void)state;
	world_open(&w, TABLE(&own.m, &everywhere.m), text);
	free(text);
	assert_built(&w);
	for (uint32_t i = 3; i < w.policy->n; i++) /* neither group has a parameter here */
		assert_ptr_equal(w.policy->of[i], w.policy->of[i % 3]);
	assert_ptr_not_equal(w.policy->of[0], w.policy->of[1]);
	assert_int_equal(policy_attached(w.policy, &own), 400);
	world_close(&w);
}

/* ---- policy_account ------------------------------------------------------------------ */

static void test_account(void **state)
{
	struct rg_account a;
	struct world w;

	(void)state;
	world_open(&w, TABLE(&everywhere.m),
		   "[Gateway]\nRegistrationTime = 600\nRegistrationRetryTime = 40\n"
		   "RegistrationTimeDivider = 60\n"
		   NETWORK "[IPGroup]\nIndex = 9\nName = SERVED\nProxySetName = two\n"
		   "ContactUser = shared\n"
		   "[Account]\nIndex = 5\nName = a\nServedIPGroupName = SERVED\n"
		   "ServingIPGroupName = ITSP\nHostName = h.example\nUsername = auth\nRegister = 1\n"
		   "[Account]\nServedIPGroupName = PBX\nServingIPGroupName = OTHER\n"
		   "Username = auth\n");
	assert_built(&w);
	policy_account(w.conf, conf_account_find(w.conf, "a"), &a);
	assert_int_equal(a.index, 5);
	assert_int_equal(a.serving, 3); /* index plus one */
	assert_int_equal(a.served, 10);
	assert_string_equal(a.name, "a");
	assert_string_equal(a.host_name, "h.example");
	assert_string_equal(a.contact_user, "shared"); /* the served group's */
	assert_int_equal(a.reg, RG_REG_REGULAR);
	assert_int_equal(a.refresh_pct, 60);
	assert_int_equal(a.reg_time, 600);
	assert_int_equal(a.retry_time, 40);
	assert_true(a.hot_swap);
	assert_true(a.names);
	assert_int_equal(a.literals, 2);
	assert_false(a.has_ports);
	policy_account(w.conf, conf_account_find(w.conf, "0"), &a);
	assert_string_equal(a.contact_user, "auth");
	assert_false(a.hot_swap);
	assert_false(a.names);
	assert_int_equal(a.literals, 1);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_value),    cmocka_unit_test(test_slots),
		cmocka_unit_test(test_blocks),	    cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_core_fields), cmocka_unit_test(test_sharing),
		cmocka_unit_test(test_account),	    cmocka_unit_test(test_either),
		cmocka_unit_test(test_unset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
