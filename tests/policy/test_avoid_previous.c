#include "policy.h"

static struct sim s;
static struct sim_link *link;

static struct rg_ctx with(const char *values)
{
	sim_world(&s, 1);
	sim_use(&s, 0, &rg_policy_stickiness, "RegistrarStickiness=1 RegistrarSearchMode=2");
	sim_use(&s, 0, &rg_policy_redundancy, values);
	link = sim_use(&s, 0, &rg_policy_avoid_previous, values);
	return sim_ctx(&s, 0, link);
}

static void bind(struct rg_ctx *c, uint32_t id, uint32_t expires)
{
	s.acc[0].v.registrar = id;
	outcome_of(link->p, c,
		   (struct rg_event){ .type = RG_EV_BOUND, .server = id, .expires = expires });
}

static void at(rg_ms now)
{
	s.now = s.acc[0].v.now = now;
}

#define HOMING "RegistrarStickiness=1 AccountRegistrarAvoidanceTime=180 ProxyRedundancyMode=1"

/* The text's own timeline, 12:00 to 12:11, under homing as it has it. */
static void the_timeline(void **st)
{
	(void)st;
	with(HOMING);
	s.now = HMS(12, 0, 0);
	sim_start(&s);
	sim_until(&s, HMS(12, 1, 0));
	sim_health(&s, X, RG_DOWN);
	sim_until(&s, HMS(12, 5, 0));
	sim_health(&s, X, RG_UP);
	sim_until(&s, HMS(12, 16, 0));
	assert_string_equal(s.log, "12:00:00 a REGISTER X 480\n"
				   "12:04:00 a REGISTER Y 480\n"
				   "12:08:00 a REGISTER Y 362\n"
				   "12:11:01 a REGISTER X 480\n"
				   "12:15:01 a REGISTER X 480\n");
}

/* 1: avoided up to the last moment, and not a moment longer. */
static void avoids_until_expiry_and_grace_have_passed(void **st)
{
	static const struct {
		rg_ms now;
		bool avoided;
	} row[] = {
		{ HMS(12, 4, 0), true },     { HMS(12, 10, 59), true }, { HMS(12, 11, 0), true },
		{ HMS(12, 11, 0) + 1, false }, { HMS(13, 0, 0), false },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++)
		for (int why = RG_FOR_SEARCH; why <= RG_FOR_REFRESH; why++) {
			struct rg_list l = { .n = 0 };
			struct rg_ctx c = with(HOMING);

			at(HMS(12, 0, 0));
			bind(&c, X, 480);
			at(HMS(12, 4, 0));
			bind(&c, Y, 480);
			at(row[i].now);
			link->p->order(&c, (enum rg_purpose)why, &l);
			assert_int_equal(rg_list_has(&l, X), !row[i].avoided);
			assert_int_equal(l.id[0], row[i].avoided ? Y : X);
			assert_int_equal(l.n, row[i].avoided ? 2 : 3);
		}
}

/* 2, 6: who is asked last, and where a search begins after a fruitless one. */
static void orders(void **st)
{
	static const struct {
		const char *rule;
		enum rg_purpose why;
		uint32_t down, failed, refused, fruitless;
		uint8_t state;
		uint32_t want[3];
	} row[] = {
		{ "2: by rank", RG_FOR_REFRESH, 0, 0, 0, 0, 0, { X, Y, Z } },
		{ "2: down is last", RG_FOR_SEARCH, X, 0, 0, 0, 0, { Y, Z, X } },
		{ "2: failed is late", RG_FOR_SEARCH, 0, X, 0, 0, 0, { Y, Z, X } },
		{ "2: down is later than failed", RG_FOR_SEARCH, X, Y, 0, 0, 0, { Z, Y, X } },
		{ "2: refused is late", RG_FOR_SEARCH, 0, 0, Y, 0, 0, { X, Z, Y } },
		{ "2: refused is later than failed", RG_FOR_SEARCH, 0, Y, X, 0, 0, { Z, Y, X } },
		{ "6: behind the first", RG_FOR_SEARCH, 0, 0, 0, X, RG_SEARCHING, { Y, Z, X } },
		{ "6: behind the second", RG_FOR_SEARCH, 0, 0, 0, Y, RG_SEARCHING, { Z, X, Y } },
		{ "6: behind the last", RG_FOR_SEARCH, 0, 0, 0, Z, RG_SEARCHING, { X, Y, Z } },
		{ "6: a refresh does not turn",
		  RG_FOR_REFRESH,
		  0,
		  0,
		  0,
		  X,
		  RG_SEARCHING,
		  { X, Y, Z } },
		{ "6: nor is turned by one",
		  RG_FOR_SEARCH,
		  0,
		  0,
		  0,
		  X,
		  RG_REFRESHING,
		  { X, Y, Z } },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct rg_list l = { .n = 0 };
		struct rg_ctx c = with(HOMING);

		for (uint32_t id = X; id <= Z; id++) {
			s.view[id - 1].health = id == row[i].down ? RG_DOWN : RG_UP;
			s.view[id - 1].failed = id == row[i].failed;
		}
		s.acc[0].v.state = row[i].state;
		s.acc[0].v.refused = row[i].refused;
		if (row[i].fruitless)
			outcome_of(link->p, &c,
				   (struct rg_event){ .type = RG_EV_RESULT,
						      .method = RG_M_REGISTER, .code = 403,
						      .server = row[i].fruitless });
		link->p->order(&c, row[i].why, &l);
		if (l.n != 3 || memcmp(l.id, row[i].want, sizeof row[i].want))
			fail_msg("%s: %u %u %u", row[i].rule, l.id[0], l.id[1], l.id[2]);
		bind(&c, Z, 480); /* a success: from the top again */
		s.acc[0].v.refused = 0;
		link->p->order(&c, RG_FOR_SEARCH, &l);
		if (!row[i].down && !row[i].failed)
			assert_int_equal(l.id[0], X);
	}
}

/* 1: who has only ever been at one registrar has left nobody. */
static void the_present_registrar_is_never_avoided(void **st)
{
	struct rg_list l = { .n = 0 };
	struct rg_ctx c = with(HOMING);

	(void)st;
	bind(&c, X, 480);
	bind(&c, X, 480);
	link->p->order(&c, RG_FOR_SEARCH, &l);
	assert_int_equal(l.id[0], X);
	assert_int_equal(l.n, 3);
}

/* Calls are not its business. */
static void leaves_calls_alone(void **st)
{
	struct rg_list l = { .id = { Z }, .n = 1 };
	struct rg_ctx c = with(HOMING);

	(void)st;
	bind(&c, X, 480);
	bind(&c, Y, 480);
	link->p->order(&c, RG_FOR_DIALOG, &l);
	link->p->order(&c, RG_FOR_SUBSCRIBE, &l);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.id[0], Z);
}

/* More servers than visits are kept of: the oldest visit is forgotten. */
static void forgets_the_oldest_visit(void **st)
{
	struct rg_list l = { .n = 0 };
	struct rg_ctx c = with(HOMING);

	(void)st;
	for (uint32_t id = 11; id <= 13; id++) { /* servers of former days */
		bind(&c, id, 480);
		at(s.now + 1000);
	}
	bind(&c, X, 480);
	at(s.now + 1000);
	bind(&c, Y, 480);
	at(s.now + 1000);
	bind(&c, Z, 480);
	link->p->order(&c, RG_FOR_SEARCH, &l);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.id[0], Z);
}

/* 3 */
static void asks_for_less_while_a_better_one_is_avoided(void **st)
{
	static const struct {
		const char *rule;
		rg_ms now;
		uint32_t server;
		uint8_t method, pct;
		uint32_t expires, want;
	} row[] = {
		{ "the text's example", HMS(12, 8, 0), Y, RG_M_REGISTER, 50, 480, 362 },
		{ "another divider, rounded up", HMS(12, 8, 0), Y, RG_M_REGISTER, 70, 480, 259 },
		{ "to the last second", HMS(12, 11, 0), Y, RG_M_REGISTER, 50, 480, 2 },
		{ "the refresh comes before the end anyway", HMS(12, 4, 0), Y, RG_M_REGISTER, 50,
		  480, 480 },
		{ "it is over", HMS(12, 11, 1), Y, RG_M_REGISTER, 50, 480, 480 },
		{ "to the better server itself", HMS(12, 8, 0), X, RG_M_REGISTER, 50, 480, 480 },
		{ "un-REGISTER", HMS(12, 8, 0), Y, RG_M_REGISTER, 50, 0, 0 },
		{ "not a REGISTER", HMS(12, 8, 0), Y, RG_M_SUBSCRIBE, 50, 480, 480 },
		{ "a server that is not of the set", HMS(12, 8, 0), GONE, RG_M_REGISTER, 50, 480,
		  480 },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct rg_request r = { .method = row[i].method, .server = row[i].server,
					.expires = row[i].expires };
		struct rg_ctx c = with(HOMING);

		s.acc[0].a.refresh_pct = row[i].pct;
		at(HMS(12, 0, 0));
		bind(&c, X, 480);
		at(HMS(12, 4, 0));
		bind(&c, Y, 480);
		at(row[i].now);
		link->p->request(&c, &r);
		if (r.expires != row[i].want)
			fail_msg("%s: %u", row[i].rule, r.expires);
	}
}

/* 3: the registrar that the account is still at counts as left by a REGISTER to another. */
static void asks_for_less_from_the_first_time(void **st)
{
	struct rg_request y = { .method = RG_M_REGISTER, .server = Y, .expires = 3600 };
	struct rg_request x = { .method = RG_M_REGISTER, .server = X, .expires = 3600 };
	struct rg_ctx c = with(HOMING);

	(void)st;
	at(HMS(12, 0, 0));
	bind(&c, X, 480);
	at(HMS(12, 4, 0));
	link->p->request(&c, &y);
	assert_int_equal(y.expires, 842);
	link->p->request(&c, &x);
	assert_int_equal(x.expires, 3600);
}

/* 3: however long the grace and whatever the divider, the refresh is past the end. */
static void the_shortened_refresh_is_past_the_end(void **st)
{
	(void)st;
	for (uint8_t pct = 30; pct <= 100; pct += 7)
		for (rg_ms late = 0; late < 3000; late += 250) {
			struct rg_request r = { .method = RG_M_REGISTER,
						.server = Y,
						.expires = 100000 };
			struct rg_ctx c = with(HOMING);

			s.acc[0].a.refresh_pct = pct;
			bind(&c, X, 60);
			at(late);
			bind(&c, Y, 60);
			link->p->request(&c, &r);
			assert_true(late + 10LL * r.expires * pct > 240000);
			assert_true(late + 10LL * r.expires * pct < 243000);
		}
}

/* 4 */
static void goes_home_at_once_when_it_may(void **st)
{
	static const struct {
		const char *rule, *values;
		uint32_t left, registrar, server;
		enum rg_health health;
		bool want;
	} row[] = {
		{ "the main one is back", HOMING, 0, Y, X, RG_UP, true },
		{ "parking", "ProxyRedundancyMode=0 RegistrarStickiness=1", 0, Y, X, RG_UP, false },
		{ "avoided", HOMING, X, Y, X, RG_UP, false },
		{ "not the main one", HOMING, 0, Y, Z, RG_UP, false },
		{ "it went down", HOMING, 0, Y, X, RG_DOWN, false },
		{ "we are there", HOMING, 0, X, X, RG_UP, false },
		{ "not bound", HOMING, 0, 0, X, RG_UP, false },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct rg_ctx c = with(row[i].values);
		struct outcome o;

		if (row[i].left)
			bind(&c, row[i].left, 480);
		if (row[i].registrar)
			bind(&c, row[i].registrar, 480);
		o = outcome_of(link->p, &c,
			       (struct rg_event){ .type = RG_EV_HEALTH, .server = row[i].server,
						  .code = (uint16_t)row[i].health });
		if (o.verb != (row[i].want ? RG_DO_RESTART : NOTHING))
			fail_msg("%s: %d", row[i].rule, o.verb);
		untouched_by_others(link->p, &c, 1u << RG_EV_BOUND);
	}
}

/* 4: the last moment of the avoidance is avoided for going home, too. */
static void goes_home_strictly_after(void **st)
{
	const struct rg_event up = { .type = RG_EV_HEALTH, .server = X, .code = RG_UP };
	struct rg_ctx c = with(HOMING);

	(void)st;
	bind(&c, X, 480);
	bind(&c, Y, 480);
	at(660000);
	assert_int_equal(outcome_of(link->p, &c, up).verb, NOTHING);
	at(660001);
	assert_int_equal(outcome_of(link->p, &c, up).verb, RG_DO_RESTART);
}

/* 6: every failure waits; a result that is none, and other methods, are let be. */
static void waits_after_a_failure(void **st)
{
	struct rg_ctx c = with(HOMING);

	(void)st;
	for (uint8_t m = RG_M_REGISTER; m <= RG_M_OTHER; m++)
		for (uint16_t code = 0; code < 700; code++) {
			struct outcome o = outcome_of(link->p, &c,
						      (struct rg_event){ .type = RG_EV_RESULT,
									 .method = m,
									 .code = code });
			bool failure = m == RG_M_REGISTER && (code < 200 || code >= 300);

			assert_int_equal(o.verb, NOTHING);
			assert_int_equal(o.verdict, failure ? RG_WAIT : KEPT);
		}
}

static void one_server_a_round_and_the_next_one_after_the_wait(void **st)
{
	(void)st;
	with(HOMING);
	s.acc[0].a.hot_swap = true;
	s.srv[0].reg_code = s.srv[1].reg_code = s.srv[2].reg_code = 403;
	sim_start(&s);
	sim_until(&s, HMS(0, 1, 45));
	s.srv[1].reg_code = 0;
	sim_until(&s, HMS(0, 3, 0));
	assert_string_equal(s.log, "00:00:00 a REGISTER X 480 (refused)\n"
				   "00:00:30 a REGISTER Y 480 (refused)\n"
				   "00:01:00 a REGISTER Z 480 (refused)\n"
				   "00:01:30 a REGISTER X 480 (refused)\n"
				   "00:02:00 a REGISTER Y 480\n");
}

/* A server that is not in the list (any more) leaves the turn where it was. */
static void an_unknown_server_does_not_turn_the_list(void **st)
{
	struct rg_list l = { .n = 0 };
	struct rg_ctx c = with(HOMING);

	(void)st;
	s.acc[0].v.state = RG_SEARCHING;
	outcome_of(link->p, &c,
		   (struct rg_event){ .type = RG_EV_RESULT, .method = RG_M_REGISTER, .server = GONE,
				      .code = 503 });
	link->p->order(&c, RG_FOR_SEARCH, &l);
	assert_int_equal(l.id[0], X);
}

/* 5: four addresses resolved: the fourth is never asked; all left: nobody is. */
static void three_servers_count(void **st)
{
	struct rg_list l = { .n = 0 };
	struct rg_ctx c = with(HOMING);

	(void)st;
	s.srv[3].s = s.srv[2].s;
	s.srv[3].s.id = 4;
	s.nsrv = 4;
	c = sim_ctx(&s, 0, link);
	link->p->order(&c, RG_FOR_SEARCH, &l);
	assert_int_equal(l.n, 3);
	assert_false(rg_list_has(&l, 4));
}

/* 5, 6, 7 */
static void checks_the_configuration(void **st)
{
	static const struct {
		const char *rule, *values;
		uint8_t reg, literals;
		bool hot_swap;
		enum rg_check want;
	} row[] = {
		{ "three addresses", HOMING, RG_REG_REGULAR, 3, false, RG_OK },
		{ "four", HOMING, RG_REG_REGULAR, 4, false, RG_ERROR },
		{ "hot swap", HOMING, RG_REG_GIN, 3, true, RG_WARN },
		{ "both: the error", HOMING, RG_REG_GIN, 4, true, RG_ERROR },
		{ "no stickiness", "RegistrarStickiness=0", RG_REG_REGULAR, 4, true, RG_SKIP },
		{ "no registration", HOMING, RG_REG_NO, 4, true, RG_SKIP },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct rg_ctx c = with(row[i].values);

		s.acc[0].a.reg = row[i].reg;
		s.acc[0].a.literals = row[i].literals;
		s.acc[0].a.hot_swap = row[i].hot_swap;
		if (checked(link->p, &c) != row[i].want)
			fail_msg("%s", row[i].rule);
	}
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(the_timeline),
		cmocka_unit_test(avoids_until_expiry_and_grace_have_passed),
		cmocka_unit_test(orders),
		cmocka_unit_test(the_present_registrar_is_never_avoided),
		cmocka_unit_test(leaves_calls_alone),
		cmocka_unit_test(forgets_the_oldest_visit),
		cmocka_unit_test(asks_for_less_while_a_better_one_is_avoided),
		cmocka_unit_test(asks_for_less_from_the_first_time),
		cmocka_unit_test(the_shortened_refresh_is_past_the_end),
		cmocka_unit_test(goes_home_at_once_when_it_may),
		cmocka_unit_test(goes_home_strictly_after),
		cmocka_unit_test(waits_after_a_failure),
		cmocka_unit_test(one_server_a_round_and_the_next_one_after_the_wait),
		cmocka_unit_test(an_unknown_server_does_not_turn_the_list),
		cmocka_unit_test(three_servers_count),
		cmocka_unit_test(checks_the_configuration),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
