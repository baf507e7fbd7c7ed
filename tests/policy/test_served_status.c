#include "policy.h"

static struct sim s;
static struct sim_link *link;

static struct rg_ctx with(uint8_t keepalive)
{
	sim_world(&s, 1);
	link = sim_use(&s, 0, &rg_policy_served_status, NULL);
	s.acc[0].a.served_keepalive = keepalive;
	return sim_ctx(&s, 0, link);
}

/* 1 to 4: every status under every kind of keep-alive. */
static void wants_what_the_status_says(void **st)
{
	static const struct {
		uint8_t keepalive;
		enum rg_goal unknown;
	} row[] = {
		{ 0, RG_REGISTER }, { 1, RG_HOLD }, { 2, RG_REGISTER },
		{ 3, RG_HOLD },	    { 4, RG_HOLD },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct rg_ctx c = with(row[i].keepalive);

		s.acc[0].v.served = RG_UP;
		assert_int_equal(link->p->goal(&c), RG_REGISTER);
		s.acc[0].v.served = RG_DOWN;
		assert_int_equal(link->p->goal(&c), RG_UNREGISTER);
		s.acc[0].v.served = RG_UNKNOWN;
		assert_int_equal(link->p->goal(&c), row[i].unknown);
	}
}

/* 4, 5 */
static void warns_where_it_has_no_effect(void **st)
{
	struct rg_ctx c = with(1);

	(void)st;
	assert_int_equal(checked(link->p, &c), RG_OK);
	s.acc[0].a.served = 0;
	assert_int_equal(checked(link->p, &c), RG_SKIP);
	c = with(1);
	s.acc[0].a.reg = RG_REG_NO;
	assert_int_equal(checked(link->p, &c), RG_SKIP);
	for (uint8_t k = 0; k <= 4; k++) {
		c = with(k);
		assert_int_equal(checked(link->p, &c), k == 0 || k == 2 ? RG_WARN : RG_OK);
	}
}

static void registration_follows_the_served_side(void **st)
{
	(void)st;
	with(1);
	sim_start(&s);
	sim_until(&s, HMS(0, 0, 5));
	sim_served(&s, 0, RG_UP);
	sim_until(&s, HMS(0, 0, 9));
	sim_served(&s, 0, RG_DOWN);
	sim_invite(&s, 0);
	sim_until(&s, HMS(0, 0, 12));
	sim_served(&s, 0, RG_UP);
	sim_until(&s, HMS(0, 0, 13));
	assert_string_equal(s.log, "00:00:05 a REGISTER X 480\n"
				   "00:00:09 a REGISTER X 0\n"
				   "00:00:09 a refused 400\n"
				   "00:00:12 a REGISTER X 480\n");
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(wants_what_the_status_says),
		cmocka_unit_test(warns_where_it_has_no_effect),
		cmocka_unit_test(registration_follows_the_served_side),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
