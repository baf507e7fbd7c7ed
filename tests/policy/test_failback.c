#include "policy.h"

static struct sim s;
static struct sim_link *link;

#define PLAIN                                                                                      \
	"FailbackTimeout=3600 RetryCounts=-1 Set:RegisterOnEnable=-1 "                             \
	"Set:OnlySignalWithRegistered=-1 "
#define NEW PLAIN "FailbackMode=0 "
#define TTL PLAIN "FailbackMode=1 "
#define RENEWAL PLAIN "FailbackMode=2 "
#define DURATION PLAIN "FailbackMode=3 "

static struct rg_ctx with(const char *values)
{
	sim_world(&s, 1);
	s.nsrv = 2;
	s.acc[0].a.names = true;
	link = sim_use(&s, 0, &rg_policy_failback, values);
	return sim_ctx(&s, 0, link);
}

/* 4: asked twice in all, over to Y; back when the time is up; 7 at both moves. */
static void duration(void **st)
{
	(void)st;
	with("FailbackMode=3 FailbackTimeout=600 RetryCounts=1 FailbackSubscribe=1");
	s.acc[0].a.reg_time = 3600;
	sim_start(&s);
	s.srv[0].silent = true;
	sim_until(&s, HMS(0, 40, 0));
	s.srv[0].silent = false; /* back, but nobody asks it yet */
	sim_invite(&s, 0);
	sim_until(&s, HMS(0, 40, 5));
	assert_string_equal(s.log, "00:00:00 a REGISTER X 3600\n"
				   "00:30:00 a REGISTER X 3600 (silent)\n"
				   "00:30:01 a REGISTER Y 3600\n"
				   "00:30:01 a SUBSCRIBE Y\n"
				   "00:40:00 a INVITE Y 200\n"
				   "00:40:01 a REGISTER X 3600\n"
				   "00:40:01 a SUBSCRIBE X\n");
}

/* 4: 1 to 59 count as 60; the primary is still dead, so it goes on like that. */
static void duration_while_the_primary_is_dead(void **st)
{
	(void)st;
	with(PLAIN "FailbackMode=3 FailbackTimeout=30");
	s.acc[0].a.reg_time = 3600;
	s.srv[0].reg_code = 503;
	sim_start(&s);
	sim_until(&s, HMS(0, 2, 30));
	assert_string_equal(s.log, "00:00:00 a REGISTER X 3600 (refused)\n"
				   "00:00:00 a REGISTER Y 3600\n"
				   "00:01:00 a REGISTER X 3600 (refused)\n"
				   "00:01:00 a REGISTER Y 3600\n"
				   "00:02:00 a REGISTER X 3600 (refused)\n"
				   "00:02:00 a REGISTER Y 3600\n");
}

/* 4: 0 means not until the next failover. */
static void duration_0_stays(void **st)
{
	(void)st;
	with("FailbackMode=3 FailbackTimeout=0 RetryCounts=-1");
	s.srv[0].reg_code = 503;
	sim_start(&s);
	sim_until(&s, 1);
	s.srv[0].reg_code = 0;
	sim_until(&s, HMS(0, 5, 0));
	s.srv[1].reg_code = 503; /* the next failover */
	sim_until(&s, HMS(0, 9, 0));
	assert_string_equal(s.log, "00:00:00 a REGISTER X 480 (refused)\n"
				   "00:00:00 a REGISTER Y 480\n"
				   "00:04:00 a REGISTER Y 480\n"
				   "00:08:00 a REGISTER Y 480 (refused)\n"
				   "00:08:00 a REGISTER X 480\n");
}

/* 1, 2, 3: three accounts side by side. */
static void ttl_renewal_and_new_requests(void **st)
{
	(void)st;
	sim_world(&s, 3);
	s.nsrv = 2;
	sim_use(&s, 0, &rg_policy_failback, TTL);
	sim_use(&s, 1, &rg_policy_failback, RENEWAL);
	sim_use(&s, 2, &rg_policy_failback, NEW);
	s.srv[1].s.ttl_until = HMS(0, 2, 0);
	s.srv[0].reg_code = 503;
	sim_start(&s);
	sim_until(&s, 1);
	s.srv[0].reg_code = 0;
	s.log[0] = '\0';
	sim_invite(&s, 0);
	sim_invite(&s, 1);
	sim_invite(&s, 2);
	sim_until(&s, HMS(0, 4, 1));
	assert_string_equal(s.log, "00:00:00 a INVITE Y 200\n"
				   "00:00:00 b INVITE Y 200\n"
				   "00:00:00 c INVITE X 200\n"
				   "00:02:00 a REGISTER X 480\n"
				   "00:04:00 b REGISTER X 480\n"
				   "00:04:00 c REGISTER X 480\n");
}

/* 2: a TTL that is over already does not make a storm; a vanished server no trouble. */
static void an_old_ttl_waits_for_the_retry_time(void **st)
{
	struct rg_ctx c = with(TTL);
	struct rg_act a = { 0 };

	(void)st;
	s.view[1].ttl_until = 0;
	link->p->event(&c, &(struct rg_event){ .type = RG_EV_BOUND, .server = Y, .expires = 60 },
		       &a);
	assert_int_equal(a.wake_at, 30000);
	link->p->event(&c, &(struct rg_event){ .type = RG_EV_BOUND, .server = GONE, .expires = 60 },
		       &a);
	assert_int_equal(a.wake_at, RG_NEVER);
}

/* 2, 4: when its time is up. */
static void wakes(void **st)
{
	static const struct {
		const char *values;
		unsigned n;
	} row[] = { { TTL, 2 }, { DURATION, 1 } };

	(void)st;
	for (size_t i = 0; i < 2; i++) {
		struct rg_ctx c = with(row[i].values);
		struct rg_act a = { 0 };

		link->p->event(&c, &(struct rg_event){ .type = RG_EV_TIMER }, &a);
		assert_int_equal(a.n, row[i].n);
		assert_int_equal(a.todo[a.n - 1].verb, RG_DO_RESTART);
		untouched_by_others(link->p, &c, 1u << RG_EV_TIMER);
	}
}

/* 5: each code of both methods. */
static void moves_on(void **st)
{
	struct rg_ctx c = with(NEW);

	(void)st;
	for (uint16_t code = 0; code < 700; code++) {
		struct rg_event e = { .type = RG_EV_RESULT, .method = RG_M_REGISTER, .code = code };
		bool fine = code >= 200 && code < 300;

		assert_int_equal(outcome_of(link->p, &c, e).verdict, fine ? KEPT : RG_NEXT);
		e.method = RG_M_INVITE;
		assert_int_equal(outcome_of(link->p, &c, e).verdict,
				 fine ? KEPT : code == 0 || code == 503 ? RG_NEXT : RG_STOP);
		e.method = RG_M_SUBSCRIBE;
		assert_int_equal(outcome_of(link->p, &c, e).verdict, KEPT);
	}
}

/* 6 */
static void counts_retransmissions(void **st)
{
	static const struct {
		const char *values;
		unsigned want;
	} row[] = {
		{ "RetryCounts=-1", RG_AS_SET },
		{ "RetryCounts=3", 3 },
		{ "RetryCounts=0", 0 },
		{ "Set:RetryCounts=5 RetryCounts=-1", 5 },
		{ "Set:RetryCounts=5 RetryCounts=2", 2 },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct rg_request r = { .retransmissions = RG_AS_SET };
		struct rg_ctx c = with(row[i].values);

		link->p->request(&c, &r);
		assert_int_equal(r.retransmissions, row[i].want);
	}
}

/* 7: mode 0 has no such thing; the first registration is no move. */
static void subscribes_anew(void **st)
{
	static const struct {
		const char *values;
		bool want;
	} row[] = {
		{ NEW "FailbackSubscribe=1", false },
		{ RENEWAL "FailbackSubscribe=1", true },
		{ RENEWAL "FailbackSubscribe=0", false },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct rg_ctx c = with(row[i].values);
		struct rg_event e = { .type = RG_EV_BOUND, .server = X, .expires = 60 };

		assert_int_equal(outcome_of(link->p, &c, e).verb, NOTHING);
		assert_int_equal(outcome_of(link->p, &c, e).verb, NOTHING);
		e.server = Y;
		assert_int_equal(outcome_of(link->p, &c, e).verb,
				 row[i].want ? RG_DO_SUBSCRIBE : NOTHING);
	}
}

/* 9, and the roles: REGISTER goes to registrars, calls to proxies. */
static void orders(void **st)
{
	static const struct {
		enum rg_purpose why;
		uint32_t refused, down, want;
	} row[] = {
		{ RG_FOR_SEARCH, 0, 0, X }, { RG_FOR_SEARCH, X, 0, Y },
		{ RG_FOR_SEARCH, 0, X, Y }, { RG_FOR_REFRESH, X, 0, X },
		{ RG_FOR_DIALOG, 0, 0, Z }, { RG_FOR_SUBSCRIBE, 0, 0, X },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct rg_ctx c = with(NEW);
		struct rg_list l;

		s.nsrv = 3;
		c = sim_ctx(&s, 0, link);
		for (uint32_t id = X; id <= Z; id++) {
			s.view[id - 1].roles = id == Z ? RG_PROXY : RG_REGISTRAR;
			s.view[id - 1].health = id == row[i].down ? RG_DOWN : RG_UP;
		}
		s.acc[0].v.refused = row[i].refused;
		link->p->order(&c, row[i].why, &l);
		assert_int_equal(l.id[0], row[i].want);
		assert_int_equal(l.n, row[i].why == RG_FOR_DIALOG ? 1 : 2);
	}
}

/* 8 */
static void registers_before_a_call(void **st)
{
	static const struct {
		const char *values;
		uint32_t registrar;
		unsigned n, first; /* entries, how of the first that is not the registrar */
	} row[] = {
		{ "FailbackMode=2 RegisterOnEnable=0 Set:RegisterOnEnable=-1", X, 2, RG_SEND },
		{ "FailbackMode=2 RegisterOnEnable=1 Set:RegisterOnEnable=-1", X, 2,
		  RG_REGISTER_FIRST },
		{ "FailbackMode=2 RegisterOnEnable=1 Set:RegisterOnEnable=0", X, 2, RG_SEND },
		{ "FailbackMode=2 RegisterOnEnable=0 Set:RegisterOnEnable=1", 0, 2,
		  RG_REGISTER_FIRST },
		{ "FailbackMode=2 RegisterOnEnable=1 OnlySignalWithRegistered=1", X, 1, RG_SEND },
		{ "FailbackMode=2 RegisterOnEnable=1 OnlySignalWithRegistered=1", 0, 2,
		  RG_REGISTER_FIRST },
		{ "FailbackMode=0 RegisterOnEnable=1 OnlySignalWithRegistered=1", X, 2,
		  RG_REGISTER_FIRST },
		{ "FailbackMode=2 RegisterOnEnable=0 OnlySignalWithRegistered=1", X, 2, RG_SEND },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct rg_ctx c = with(row[i].values);
		struct rg_list l = { .n = 0 };

		s.acc[0].v.registrar = row[i].registrar;
		link->p->order(&c, RG_FOR_DIALOG, &l);
		assert_int_equal(l.n, row[i].n);
		for (int k = 0; k < l.n; k++)
			assert_int_equal(l.how[k],
					 l.id[k] == row[i].registrar ? RG_SEND : row[i].first);
		link->p->order(&c, RG_FOR_SEARCH, &l);
		assert_int_equal(l.n, 2);
		assert_int_equal(l.how[1], RG_SEND);
	}
}

static void warns(void **st)
{
	static const struct {
		const char *values;
		bool names;
		enum rg_check want;
	} row[] = {
		{ NEW, false, RG_OK },
		{ TTL, true, RG_OK },
		{ TTL, false, RG_WARN },
		{ DURATION "FailbackSubscribe=1", false, RG_OK },
		{ NEW "FailbackSubscribe=1", false, RG_WARN },
		{ "FailbackMode=2 FailbackTimeout=60", true, RG_WARN },
		{ "FailbackMode=3 FailbackTimeout=60", true, RG_OK },
		{ NEW "OnlySignalWithRegistered=1", true, RG_WARN },
		{ RENEWAL "OnlySignalWithRegistered=1 RegisterOnEnable=1 Set:RegisterOnEnable=-1",
		  true, RG_OK },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct rg_ctx c = with(row[i].values);

		s.acc[0].a.names = row[i].names;
		assert_int_equal(checked(link->p, &c), row[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(duration),
		cmocka_unit_test(duration_while_the_primary_is_dead),
		cmocka_unit_test(duration_0_stays),
		cmocka_unit_test(ttl_renewal_and_new_requests),
		cmocka_unit_test(an_old_ttl_waits_for_the_retry_time),
		cmocka_unit_test(wakes),
		cmocka_unit_test(moves_on),
		cmocka_unit_test(counts_retransmissions),
		cmocka_unit_test(subscribes_anew),
		cmocka_unit_test(orders),
		cmocka_unit_test(registers_before_a_call),
		cmocka_unit_test(warns),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
