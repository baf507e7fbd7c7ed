#include "policy.h"

static struct sim s;
static struct sim_link *link;

static struct rg_ctx with(const char *values)
{
	sim_world(&s, 1);
	sim_use(&s, 0, &rg_policy_stickiness, values);
	link = sim_use(&s, 0, &rg_policy_ims_search, values);
	return sim_ctx(&s, 0, link);
}

/* 1: from the first address down the list, whatever was said of them before. */
static void goes_down_the_list_in_order(void **st)
{
	static const struct {
		uint32_t down, refused;
		uint32_t want[3];
	} row[] = {
		{ 0, 0, { X, Y, Z } },	  { X, 0, { Y, Z, X } }, { Y, 0, { X, Z, Y } },
		{ 0, X, { Y, Z, X } },	  { Z, Y, { X, Y, Z } }, { X, X, { Y, Z, X } },
		{ GONE, GONE, { X, Y, Z } },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++)
		for (unsigned failed = 0; failed < 8; failed++) {
			struct rg_list l = { .id = { Z, X }, .n = 2 };
			struct rg_ctx c = with("RegistrarStickiness=1");

			for (uint32_t k = 0; k < 3; k++) {
				s.view[k].failed = failed >> k & 1;
				s.view[k].health = k + 1 == row[i].down ? RG_DOWN : RG_UNKNOWN;
			}
			s.acc[0].v.refused = row[i].refused;
			rg_policy_ims_search.order(&c, RG_FOR_SEARCH, &l);
			assert_int_equal(l.n, 3);
			assert_memory_equal(l.id, row[i].want, sizeof row[i].want);
		}
}

/* A refresh is stickiness's business while it can pin; else it searches. */
static void leaves_a_pinned_refresh_alone(void **st)
{
	static const struct {
		const char *mode;
		enum rg_purpose why;
		enum rg_health health;
		unsigned want;
	} row[] = {
		{ "RegistrarStickiness=1", RG_FOR_REFRESH, RG_UP, 1 },
		{ "RegistrarStickiness=1", RG_FOR_REFRESH, RG_DOWN, 3 },
		{ "RegistrarStickiness=2", RG_FOR_REFRESH, RG_UP, 3 },
		{ "RegistrarStickiness=2", RG_FOR_DIALOG, RG_UP, 1 },
		{ "RegistrarStickiness=2", RG_FOR_SUBSCRIBE, RG_UP, 1 },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct rg_list l = { .id = { Y }, .n = 1 };
		struct rg_ctx c = with(row[i].mode);

		s.acc[0].v.registrar = Y;
		s.view[1].health = (uint8_t)row[i].health;
		rg_policy_ims_search.order(&c, row[i].why, &l);
		assert_int_equal(l.n, row[i].want);
	}
}

/* 2, 3: every failure of a REGISTER goes on, and asks for the name anew. */
static void next_at_once_whatever_failed(void **st)
{
	struct rg_ctx c = with("RegistrarStickiness=1");

	(void)st;
	for (uint16_t code = 0; code < 700; code++) {
		struct rg_event e = { .type = RG_EV_RESULT, .method = RG_M_REGISTER, .code = code };
		bool fine = code >= 200 && code < 300;

		s.acc[0].a.names = false;
		assert_int_equal(outcome_of(link->p, &c, e).verdict, fine ? KEPT : RG_NEXT);
		assert_int_equal(outcome_of(link->p, &c, e).verb, NOTHING);
		s.acc[0].a.names = true;
		assert_int_equal(outcome_of(link->p, &c, e).verb, fine ? NOTHING : RG_DO_RESOLVE);
	}
}

/* 4: 403, 408, 480 and no answer to an INVITE; no other code, no other method. */
static void refreshes_on_four_results_of_an_invite(void **st)
{
	struct rg_ctx c = with("RegistrarStickiness=1");

	(void)st;
	for (uint8_t m = RG_M_INVITE; m <= RG_M_OTHER; m++)
		for (uint16_t code = 0; code < 700; code++) {
			struct outcome o = outcome_of(link->p, &c,
						      (struct rg_event){ .type = RG_EV_RESULT,
									 .method = m,
									 .code = code });
			bool trigger = m == RG_M_INVITE && (code == 0 || code == 403 ||
							    code == 408 || code == 480);

			assert_int_equal(o.verb, trigger ? RG_DO_REFRESH : NOTHING);
			assert_int_equal(o.verdict, KEPT);
		}
}

/* 5 */
static void rejects_an_invite_from_elsewhere(void **st)
{
	static const struct {
		const char *rule;
		uint32_t registrar, source;
		uint8_t method;
		bool from_serving;
		uint16_t want;
	} row[] = {
		{ "another server", Y, X, RG_M_INVITE, true, 480 },
		{ "not of the set", Y, 0, RG_M_INVITE, true, 480 },
		{ "the registrar", Y, Y, RG_M_INVITE, true, 0 },
		{ "the registrar's address, another port", Y, Z, RG_M_INVITE, true, 0 },
		{ "not registered", 0, X, RG_M_INVITE, true, 0 },
		{ "not an INVITE", Y, X, RG_M_SUBSCRIBE, true, 0 },
		{ "from the served side", Y, X, RG_M_INVITE, false, 0 },
		{ "the registrar has left the set", GONE, X, RG_M_INVITE, true, 480 },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct rg_ctx c = with("RegistrarStickiness=1");
		struct rg_act a = { 0 };
		uint16_t code;

		s.view[2].host = "Y";
		s.acc[0].v.registrar = row[i].registrar;
		code = admitted(link->p, &c,
				(struct rg_dialog){ .from_serving = row[i].from_serving,
						    .method = row[i].method,
						    .source = row[i].source },
				&a);
		if (code != row[i].want)
			fail_msg("%s: %u", row[i].rule, code);
		assert_int_equal(a.n, code ? 1 : 0);
		assert_int_equal(a.todo[0].verb, RG_DO_REFRESH);
	}
}

/* 6 */
static void registers_when_the_link_is_back(void **st)
{
	struct rg_ctx c = with("RegistrarStickiness=1");
	const struct rg_event up = { .type = RG_EV_LINK_UP };

	(void)st;
	assert_int_equal(outcome_of(link->p, &c, up).verb, RG_DO_RESTART);
	s.acc[0].v.registrar = X;
	assert_int_equal(outcome_of(link->p, &c, up).verb, RG_DO_REFRESH);
	s.acc[0].v.registrar = 0;
	s.acc[0].a.reg = RG_REG_NO;
	assert_int_equal(outcome_of(link->p, &c, up).verb, RG_DO_REFRESH);
	untouched_by_others(link->p, &c, 1u << RG_EV_LINK_UP);
}

/* 7 */
static void needs_stickiness_and_register(void **st)
{
	static const struct {
		const char *values;
		uint8_t reg;
		enum rg_check want;
	} row[] = {
		{ "RegistrarStickiness=1", RG_REG_REGULAR, RG_OK },
		{ "RegistrarStickiness=2", RG_REG_GIN, RG_OK },
		{ "RegistrarStickiness=0", RG_REG_REGULAR, RG_SKIP },
		{ "RegistrarStickiness=0 SyncIMSAccounts=1", RG_REG_REGULAR, RG_SKIP },
		{ "RegistrarStickiness=1", RG_REG_NO, RG_SKIP },
		{ "RegistrarStickiness=0 SyncIMSAccounts=1", RG_REG_NO, RG_OK },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct rg_ctx c = with(row[i].values);

		s.acc[0].a.reg = row[i].reg;
		assert_int_equal(checked(link->p, &c), row[i].want);
	}
}

/* The text's own order of things, with every trigger once. */
static void a_round_and_its_triggers(void **st)
{
	(void)st;
	with("RegistrarStickiness=1");
	s.srv[0].reg_code = 503;
	s.srv[1].silent = true;
	s.srv[2].reg_code = 403;
	sim_start(&s);
	sim_until(&s, HMS(0, 1, 3));
	s.srv[2].reg_code = 0;
	sim_until(&s, HMS(0, 2, 0));
	s.srv[2].inv_code = 480;
	sim_invite(&s, 0);
	sim_until(&s, HMS(0, 2, 1));
	sim_invite_from(&s, 0, X);
	sim_until(&s, HMS(0, 2, 2));
	sim_invite_from(&s, 0, Z);
	sim_link_up(&s);
	sim_until(&s, HMS(0, 2, 3));
	s.srv[2].reg_code = 500; /* the refresh fails: a search, Z last */
	s.srv[1].silent = false;
	s.srv[1].reg_code = 480;
	sim_until(&s, HMS(0, 6, 2));
	assert_string_equal(s.log, "00:00:00 a REGISTER X 480 (refused)\n"
				   "00:00:00 a REGISTER Y 480 (silent)\n"
				   "00:00:32 a REGISTER Z 480 (refused)\n"
				   "00:01:02 a REGISTER X 480 (refused)\n"
				   "00:01:02 a REGISTER Y 480 (silent)\n"
				   "00:01:34 a REGISTER Z 480\n"
				   "00:02:00 a INVITE Z 480\n"
				   "00:02:00 a REGISTER Z 480\n"
				   "00:02:01 a refused 480\n"
				   "00:02:01 a REGISTER Z 480\n"
				   "00:02:02 a INVITE to served\n"
				   "00:02:02 a REGISTER Z 480\n"
				   "00:06:02 a REGISTER Z 480 (refused)\n"
				   "00:06:02 a REGISTER X 480 (refused)\n"
				   "00:06:02 a REGISTER Y 480 (refused)\n"
				   "00:06:02 a REGISTER Z 480 (refused)\n");
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(goes_down_the_list_in_order),
		cmocka_unit_test(leaves_a_pinned_refresh_alone),
		cmocka_unit_test(next_at_once_whatever_failed),
		cmocka_unit_test(refreshes_on_four_results_of_an_invite),
		cmocka_unit_test(rejects_an_invite_from_elsewhere),
		cmocka_unit_test(registers_when_the_link_is_back),
		cmocka_unit_test(needs_stickiness_and_register),
		cmocka_unit_test(a_round_and_its_triggers),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
