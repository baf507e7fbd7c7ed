#include "policy.h"

static struct sim s;
static struct sim_link *link;

static struct rg_ctx with(const char *values)
{
	sim_world(&s, 1);
	link = sim_use(&s, 0, &rg_policy_stickiness, values);
	return sim_ctx(&s, 0, link);
}

/* 1, 2, 3: who is pinned to the registrar, by purpose and health. */
static void pins_to_the_registrar(void **st)
{
	static const struct {
		const char *mode;
		enum rg_purpose why;
		uint32_t registrar;
		enum rg_health health;
		bool pinned;
	} row[] = {
		{ "RegistrarStickiness=1", RG_FOR_SEARCH, Y, RG_UP, false },
		{ "RegistrarStickiness=1", RG_FOR_REFRESH, Y, RG_UP, true },
		{ "RegistrarStickiness=1", RG_FOR_DIALOG, Y, RG_UP, true },
		{ "RegistrarStickiness=1", RG_FOR_SUBSCRIBE, Y, RG_UP, true },
		{ "RegistrarStickiness=2", RG_FOR_SEARCH, Y, RG_UP, false },
		{ "RegistrarStickiness=2", RG_FOR_REFRESH, Y, RG_UP, false },
		{ "RegistrarStickiness=2", RG_FOR_DIALOG, Y, RG_UP, true },
		{ "RegistrarStickiness=2", RG_FOR_SUBSCRIBE, Y, RG_UP, true },
		{ "RegistrarStickiness=1", RG_FOR_DIALOG, Y, RG_UNKNOWN, true },
		{ "RegistrarStickiness=1", RG_FOR_DIALOG, Y, RG_DOWN, false },
		{ "RegistrarStickiness=1", RG_FOR_REFRESH, Y, RG_DOWN, false },
		{ "RegistrarStickiness=1", RG_FOR_DIALOG, 0, RG_UP, false },
		{ "RegistrarStickiness=1", RG_FOR_DIALOG, GONE, RG_UP, false },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct rg_list l = { .id = { X, Y, Z }, .n = 3 };
		struct rg_ctx c = with(row[i].mode);

		s.acc[0].v.registrar = row[i].registrar;
		s.view[1].health = (uint8_t)row[i].health;
		rg_policy_stickiness.order(&c, row[i].why, &l);
		assert_int_equal(l.n, row[i].pinned ? 1 : 3);
		assert_int_equal(l.id[0], row[i].pinned ? Y : X);
	}
}

/* 4: only a change of the list, and only if the registrar is not in it any more. */
static void leaves_a_registrar_that_left_the_list(void **st)
{
	struct rg_ctx c = with("RegistrarStickiness=1");
	const struct rg_event changed = { .type = RG_EV_SERVERS };

	(void)st;
	assert_int_equal(outcome_of(link->p, &c, changed).verb, NOTHING);
	s.acc[0].v.registrar = Y;
	assert_int_equal(outcome_of(link->p, &c, changed).verb, NOTHING);
	s.acc[0].v.registrar = GONE;
	assert_int_equal(outcome_of(link->p, &c, changed).verb, RG_DO_RESTART);
	untouched_by_others(link->p, &c, 1u << RG_EV_SERVERS);
}

static void at_once_and_elsewhere(void **st)
{
	(void)st;
	with("RegistrarStickiness=1");
	s.srv[0].reg_code = s.srv[1].reg_code = 503;
	s.acc[0].a.hot_swap = true;
	sim_start(&s);
	sim_until(&s, HMS(0, 1, 0));
	s.srv[0].reg_code = s.srv[1].reg_code = 0;
	sim_servers(&s, 2); /* Z is gone */
	sim_until(&s, HMS(0, 2, 0));
	assert_string_equal(s.log, "00:00:00 a REGISTER X 480 (refused)\n"
				   "00:00:00 a REGISTER Y 480 (refused)\n"
				   "00:00:00 a REGISTER Z 480\n"
				   "00:01:00 a REGISTER X 480\n");
}

/* 5: the served side of an unregistered account. */
static void refuses_with_500(void **st)
{
	static const struct {
		bool from_serving, trunk;
		uint8_t reg;
		uint32_t registrar;
		uint16_t want;
	} row[] = {
		{ false, false, RG_REG_REGULAR, 0, 500 },
		{ false, false, RG_REG_GIN, 0, 500 },
		{ false, false, RG_REG_NO, 0, 0 },
		{ false, false, RG_REG_REGULAR, Y, 0 },
		{ false, true, RG_REG_REGULAR, 0, 0 },
		{ true, false, RG_REG_REGULAR, 0, 0 },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++)
		for (uint8_t m = RG_M_INVITE; m <= RG_M_OTHER; m++) {
			struct rg_ctx c = with("RegistrarStickiness=2");
			struct rg_act a = { 0 };

			s.acc[0].v.registrar = row[i].registrar;
			s.acc[0].a.reg = row[i].reg;
			if (row[i].trunk)
				s.acc[0].a.served = 0;
			assert_int_equal(row[i].want,
					 admitted(link->p, &c,
						  (struct rg_dialog){
							  .from_serving = row[i].from_serving,
							  .method = m },
						  &a));
			assert_int_equal(a.n, 0);
		}
}

/* 6 */
static void has_no_effect_without_register(void **st)
{
	struct rg_ctx c = with("RegistrarStickiness=1");

	(void)st;
	assert_int_equal(checked(link->p, &c), RG_OK);
	s.acc[0].a.reg = RG_REG_NO;
	assert_int_equal(checked(link->p, &c), RG_SKIP);
	c = with("RegistrarStickiness=1 SyncIMSAccounts=1");
	s.acc[0].a.reg = RG_REG_NO;
	assert_int_equal(checked(link->p, &c), RG_SKIP);
	c = with("RegistrarStickiness=1 SyncIMSAccounts=1 RegistrarSearchMode=1");
	s.acc[0].a.reg = RG_REG_NO;
	assert_int_equal(checked(link->p, &c), RG_OK);
}

/* Refresh after refresh at the same registrar; calls go there and nowhere else. */
static void stays_where_it_is_bound(void **st)
{
	(void)st;
	with("RegistrarStickiness=1");
	s.acc[0].a.hot_swap = true;
	s.srv[0].reg_code = 503;
	sim_start(&s);
	sim_until(&s, 1);
	s.srv[0].reg_code = 0;
	s.srv[1].inv_code = 503;
	sim_invite(&s, 0);
	sim_until(&s, HMS(0, 4, 0));
	sim_until(&s, HMS(0, 4, 1));
	s.srv[1].reg_code = 403; /* a refresh fails: the search decides */
	sim_until(&s, HMS(0, 9, 0));
	assert_string_equal(s.log, "00:00:00 a REGISTER X 480 (refused)\n"
				   "00:00:00 a REGISTER Y 480\n"
				   "00:00:00 a INVITE Y 503\n"
				   "00:04:00 a REGISTER Y 480\n"
				   "00:08:00 a REGISTER Y 480 (refused)\n"
				   "00:08:00 a REGISTER X 480\n");
}

/* Found down by keep-alive: the account leaves at its next refresh, not before. */
static void leaves_a_dead_registrar_at_the_refresh(void **st)
{
	(void)st;
	with("RegistrarStickiness=1");
	sim_start(&s);
	sim_until(&s, HMS(0, 1, 0));
	sim_health(&s, X, RG_DOWN);
	sim_until(&s, HMS(0, 2, 0));
	sim_invite(&s, 0); /* to the working server */
	sim_until(&s, HMS(0, 5, 0));
	sim_health(&s, X, RG_UP);
	sim_until(&s, HMS(0, 8, 0));
	assert_string_equal(s.log, "00:00:00 a REGISTER X 480\n"
				   "00:02:00 a INVITE Y 200\n"
				   "00:04:00 a REGISTER Y 480\n"
				   "00:08:00 a REGISTER Y 480\n");
}

/* 2: a refresh goes to the working server, calls stay. */
static void mode_2_searches_at_each_refresh(void **st)
{
	(void)st;
	with("RegistrarStickiness=2");
	s.srv[0].s.health = RG_DOWN;
	sim_start(&s);
	sim_until(&s, HMS(0, 1, 0));
	sim_health(&s, X, RG_UP);
	sim_invite(&s, 0);
	sim_until(&s, HMS(0, 4, 0));
	sim_invite(&s, 0);
	assert_string_equal(s.log, "00:00:00 a REGISTER Y 480\n"
				   "00:01:00 a INVITE Y 200\n"
				   "00:04:00 a REGISTER X 480\n"
				   "00:04:00 a INVITE X 200\n");
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(pins_to_the_registrar),
		cmocka_unit_test(leaves_a_registrar_that_left_the_list),
		cmocka_unit_test(at_once_and_elsewhere),
		cmocka_unit_test(refuses_with_500),
		cmocka_unit_test(has_no_effect_without_register),
		cmocka_unit_test(stays_where_it_is_bound),
		cmocka_unit_test(leaves_a_dead_registrar_at_the_refresh),
		cmocka_unit_test(mode_2_searches_at_each_refresh),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
