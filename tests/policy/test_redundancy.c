#include "policy.h"

static struct sim s;
static struct sim_link *link;

#define PARKING "ProxyRedundancyMode=0 "
#define HOMING "ProxyRedundancyMode=1 "

static struct rg_ctx with(const char *values)
{
	sim_world(&s, 1);
	link = sim_use(&s, 0, &rg_policy_redundancy, values);
	return sim_ctx(&s, 0, link);
}

static void bind(struct rg_ctx *c, uint32_t id)
{
	s.acc[0].v.registrar = id;
	outcome_of(link->p, c,
		   (struct rg_event){ .type = RG_EV_BOUND, .server = id, .expires = 480 });
}

/* 1, 2, 7 */
static void orders(void **st)
{
	static const struct {
		const char *rule, *values;
		enum rg_purpose why;
		uint32_t present, down, failed, refused;
		uint32_t want[3];
	} row[] = {
		{ "1: from the present one around",
		  PARKING,
		  RG_FOR_REFRESH,
		  Y,
		  0,
		  0,
		  0,
		  { Y, Z, X } },
		{ "1: calls as well", PARKING, RG_FOR_DIALOG, Z, 0, 0, 0, { Z, X, Y } },
		{ "1: nobody yet", PARKING, RG_FOR_SEARCH, 0, 0, 0, 0, { X, Y, Z } },
		{ "1: it left the list", PARKING, RG_FOR_SEARCH, GONE, 0, 0, 0, { X, Y, Z } },
		{ "2: the main one first", HOMING, RG_FOR_REFRESH, Y, 0, 0, 0, { X, Y, Z } },
		{ "2: calls as well", HOMING, RG_FOR_DIALOG, Y, 0, 0, 0, { X, Y, Z } },
		{ "2: but not while it is down", HOMING, RG_FOR_DIALOG, Y, X, 0, 0, { Y, Z, X } },
		{ "7: down is last", PARKING, RG_FOR_REFRESH, Y, Y, 0, 0, { Z, X, Y } },
		{ "7: failed is late", PARKING, RG_FOR_SEARCH, Y, 0, Y, 0, { Z, X, Y } },
		{ "7: failed, but not dead", HOMING, RG_FOR_SEARCH, 0, Y, X, 0, { Z, X, Y } },
		{ "7: refused is later", PARKING, RG_FOR_SEARCH, Y, 0, Z, Y, { X, Z, Y } },
		{ "7: down is last of all", HOMING, RG_FOR_SEARCH, Z, X, 0, Z, { Y, Z, X } },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct rg_list l = { .n = 0 };
		struct rg_ctx c = with(row[i].values);

		if (row[i].present)
			bind(&c, row[i].present);
		for (uint32_t id = X; id <= Z; id++) {
			s.view[id - 1].health = id == row[i].down ? RG_DOWN : RG_UP;
			s.view[id - 1].failed = id == row[i].failed;
		}
		s.acc[0].v.refused = row[i].refused;
		link->p->order(&c, row[i].why, &l);
		if (l.n != 3 || memcmp(l.id, row[i].want, sizeof row[i].want))
			fail_msg("%s: %u %u %u", row[i].rule, l.id[0], l.id[1], l.id[2]);
	}
}

/* REGISTER goes to registrars, calls to proxies. */
static void minds_the_roles(void **st)
{
	struct rg_list l = { .n = 0 };
	struct rg_ctx c = with(HOMING);

	(void)st;
	s.view[0].roles = RG_PROXY;
	s.view[1].roles = RG_REGISTRAR;
	link->p->order(&c, RG_FOR_DIALOG, &l);
	assert_int_equal(l.id[0], X);
	assert_int_equal(l.id[1], Z);
	link->p->order(&c, RG_FOR_SUBSCRIBE, &l);
	assert_int_equal(l.id[0], Y);
	assert_int_equal(l.n, 2);
}

/* 3: who goes home when the main server is found up. */
static void goes_home(void **st)
{
	static const struct {
		int stickiness, search;
		bool want;
	} row[] = {
		{ 0, 0, true }, { 0, 1, true },	 { 0, 2, true },  { 1, 0, false }, { 1, 1, false },
		{ 1, 2, false }, { 2, 0, true }, { 2, 1, true }, { 2, 2, false },
	};
	const struct rg_event up = { .type = RG_EV_HEALTH, .server = X, .code = RG_UP };

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++)
		for (int mode = 0; mode <= 1; mode++) {
			char values[99];
			struct rg_ctx c;

			snprintf(values, sizeof values,
				 "ProxyRedundancyMode=%d RegistrarStickiness=%d "
				 "RegistrarSearchMode=%d",
				 mode, row[i].stickiness, row[i].search);
			c = with(values);
			bind(&c, Y);
			assert_int_equal(outcome_of(link->p, &c, up).verb,
					 mode && row[i].want ? RG_DO_RESTART : NOTHING);
		}
}

static void and_only_then(void **st)
{
	static const struct {
		const char *rule;
		uint32_t registrar, server;
		enum rg_health health;
	} row[] = {
		{ "another one is up", Z, Y, RG_UP },
		{ "the main one is down", Y, X, RG_DOWN },
		{ "nobody knows", Y, X, RG_UNKNOWN },
		{ "we are there", X, X, RG_UP },
		{ "not bound: the round decides", 0, X, RG_UP },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct rg_ctx c = with(HOMING);
		struct outcome o;

		s.acc[0].v.registrar = row[i].registrar;
		o = outcome_of(link->p, &c,
			       (struct rg_event){ .type = RG_EV_HEALTH, .server = row[i].server,
						  .code = (uint16_t)row[i].health });
		if (o.verb != NOTHING)
			fail_msg("%s", row[i].rule);
		untouched_by_others(link->p, &c, 0);
	}
}

/* 4: each code, with and without hot swap. */
static void moves_on_when_a_server_is_lost(void **st)
{
	(void)st;
	for (int swap = 0; swap <= 1; swap++)
		for (uint16_t code = 0; code < 700; code++) {
			struct rg_ctx c = with(PARKING);
			struct rg_event e = { .type = RG_EV_RESULT, .method = RG_M_REGISTER,
					      .code = code, .server = X };
			bool lost = code == 0 || code == 408 || code == 503;
			bool fine = code >= 200 && code < 300;

			s.acc[0].a.hot_swap = swap;
			assert_int_equal(outcome_of(link->p, &c, e).verdict,
					 !lost ? KEPT : swap ? RG_NEXT : RG_WAIT);
			e.method = RG_M_INVITE;
			assert_int_equal(outcome_of(link->p, &c, e).verdict,
					 fine ? KEPT : lost && swap ? RG_NEXT : RG_STOP);
			e.method = RG_M_OPTIONS;
			assert_int_equal(outcome_of(link->p, &c, e).verdict, KEPT);
		}
}

/* 5 */
static void registers_where_a_call_was_answered(void **st)
{
	(void)st;
	for (int stick = 0; stick <= 2; stick++)
		for (int search = 0; search <= 2; search++)
			for (uint16_t code = 0; code < 700; code += 4) {
				char values[99];
				struct rg_event e = { .type = RG_EV_RESULT, .method = RG_M_INVITE,
						      .code = code, .server = Z };
				bool lost = code == 0 || code == 408;
				struct rg_ctx c;

				snprintf(values, sizeof values,
					 HOMING "RegistrarStickiness=%d RegistrarSearchMode=%d",
					 stick, search);
				c = with(values);
				bind(&c, Y);
				assert_int_equal(outcome_of(link->p, &c, e).verb,
						 lost || (stick && search) ? NOTHING
									   : RG_DO_RESTART);
				e.server = Y; /* where we are */
				assert_int_equal(outcome_of(link->p, &c, e).verb, NOTHING);
				e.server = X;
				s.acc[0].v.registrar = 0; /* nowhere */
				assert_int_equal(outcome_of(link->p, &c, e).verb, NOTHING);
				e.method = RG_M_OTHER;
				s.acc[0].v.registrar = Y;
				assert_int_equal(outcome_of(link->p, &c, e).verb, NOTHING);
			}
}

static void the_server_a_call_found_comes_first_once(void **st)
{
	const struct rg_event answered = { .type = RG_EV_RESULT, .method = RG_M_INVITE,
					   .code = 486, .server = Z };
	const struct rg_event refused = { .type = RG_EV_RESULT, .method = RG_M_REGISTER,
					  .code = 403, .server = Z };
	struct rg_ctx c = with(HOMING);
	struct rg_list l;

	(void)st;
	bind(&c, Y);
	outcome_of(link->p, &c, answered);
	link->p->order(&c, RG_FOR_SEARCH, &l);
	assert_int_equal(l.id[0], Z);
	link->p->order(&c, RG_FOR_DIALOG, &l);
	assert_int_equal(l.id[0], X);
	outcome_of(link->p, &c, refused); /* not for us, after all */
	link->p->order(&c, RG_FOR_SEARCH, &l);
	assert_int_equal(l.id[0], X);
	outcome_of(link->p, &c, answered);
	bind(&c, Z);
	link->p->order(&c, RG_FOR_SEARCH, &l);
	assert_int_equal(l.id[0], X);
}

/* 6: in both modes a fruitless search goes round, whatever the answers were. */
static void goes_round(void **st)
{
	static const char *const mode[] = { PARKING, HOMING };

	(void)st;
	for (size_t i = 0; i < 2; i++) {
		with(mode[i]);
		s.srv[0].reg_code = s.srv[1].reg_code = s.srv[2].reg_code = 403;
		sim_start(&s);
		sim_until(&s, HMS(0, 1, 45));
		assert_string_equal(s.log, "00:00:00 a REGISTER X 480 (refused)\n"
					   "00:00:30 a REGISTER Y 480 (refused)\n"
					   "00:01:00 a REGISTER Z 480 (refused)\n"
					   "00:01:30 a REGISTER X 480 (refused)\n");
	}
}

/* 6: what turns the list, and what puts it right again. */
static void turns(void **st)
{
	static const struct {
		const char *rule, *values;
		uint8_t state;
		enum rg_purpose why;
		struct rg_event then;
		uint32_t want;
	} row[] = {
		{ "a search", HOMING, RG_SEARCHING, RG_FOR_SEARCH, { .type = RG_EV_LINK_UP }, Z },
		{ "not for a refresh",
		  HOMING,
		  RG_SEARCHING,
		  RG_FOR_REFRESH,
		  { .type = RG_EV_LINK_UP },
		  X },
		{ "homing: not by a refresh",
		  HOMING,
		  RG_REFRESHING,
		  RG_FOR_SEARCH,
		  { .type = RG_EV_LINK_UP },
		  X },
		{ "parking: by a refresh, too",
		  PARKING,
		  RG_REFRESHING,
		  RG_FOR_SEARCH,
		  { .type = RG_EV_LINK_UP },
		  Z },
		{ "the main one is up",
		  HOMING,
		  RG_SEARCHING,
		  RG_FOR_SEARCH,
		  { .type = RG_EV_HEALTH, .server = X, .code = RG_UP },
		  X },
		{ "another one is up",
		  HOMING,
		  RG_SEARCHING,
		  RG_FOR_SEARCH,
		  { .type = RG_EV_HEALTH, .server = Y, .code = RG_UP },
		  Z },
		{ "parking does not mind",
		  PARKING,
		  RG_SEARCHING,
		  RG_FOR_SEARCH,
		  { .type = RG_EV_HEALTH, .server = X, .code = RG_UP },
		  Z },
		{ "a success",
		  HOMING,
		  RG_SEARCHING,
		  RG_FOR_SEARCH,
		  { .type = RG_EV_BOUND, .server = Y },
		  X },
		{ "parking: a success",
		  PARKING,
		  RG_SEARCHING,
		  RG_FOR_SEARCH,
		  { .type = RG_EV_BOUND, .server = Y },
		  Y },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct rg_ctx c = with(row[i].values);
		struct rg_list l;

		s.acc[0].v.state = row[i].state;
		outcome_of(link->p, &c,
			   (struct rg_event){ .type = RG_EV_RESULT, .method = RG_M_REGISTER,
					      .code = 403, .server = Y });
		outcome_of(link->p, &c, row[i].then);
		link->p->order(&c, row[i].why, &l);
		if (l.id[0] != row[i].want)
			fail_msg("%s: %u", row[i].rule, l.id[0]);
	}
}

/* 6: a server that has left the list turns nothing. */
static void an_unknown_server_does_not_turn_the_list(void **st)
{
	struct rg_ctx c = with(HOMING);
	struct rg_list l;

	(void)st;
	s.acc[0].v.state = RG_SEARCHING;
	outcome_of(link->p, &c,
		   (struct rg_event){ .type = RG_EV_RESULT, .method = RG_M_REGISTER, .server = GONE,
				      .code = 503 });
	link->p->order(&c, RG_FOR_SEARCH, &l);
	assert_int_equal(l.id[0], X);
}

/* The text: main lost, on to the redundant one, and what each mode does then. */
static void parking(void **st)
{
	(void)st;
	with(PARKING);
	s.acc[0].a.hot_swap = true;
	s.srv[0].silent = true;
	sim_start(&s);
	sim_until(&s, HMS(0, 0, 40));
	sim_health(&s, X, RG_DOWN);
	sim_until(&s, HMS(0, 1, 0));
	s.srv[0].silent = false;
	sim_health(&s, X, RG_UP); /* nobody minds */
	sim_until(&s, HMS(0, 5, 0));
	s.srv[1].silent = true; /* the present one is lost, then the last */
	s.srv[2].silent = true;
	sim_until(&s, HMS(0, 10, 0));
	assert_string_equal(s.log, "00:00:00 a REGISTER X 480 (silent)\n"
				   "00:00:07 a REGISTER Y 480\n"
				   "00:04:07 a REGISTER Y 480\n"
				   "00:08:07 a REGISTER Y 480 (silent)\n"
				   "00:08:15 a REGISTER Z 480 (silent)\n"
				   "00:08:22 a REGISTER X 480\n");
}

static void homing(void **st)
{
	(void)st;
	with(HOMING);
	s.acc[0].a.hot_swap = true;
	s.srv[0].silent = true;
	sim_start(&s);
	sim_until(&s, HMS(0, 0, 40));
	sim_health(&s, X, RG_DOWN);
	sim_until(&s, HMS(0, 1, 0));
	s.srv[0].silent = false;
	sim_health(&s, X, RG_UP);
	sim_until(&s, HMS(0, 6, 0));
	assert_string_equal(s.log, "00:00:00 a REGISTER X 480 (silent)\n"
				   "00:00:07 a REGISTER Y 480\n"
				   "00:01:00 a REGISTER X 480\n"
				   "00:05:00 a REGISTER X 480\n");
}

static void a_call_finds_the_redundant_server(void **st)
{
	(void)st;
	with(PARKING);
	s.acc[0].a.hot_swap = true;
	sim_start(&s);
	sim_until(&s, HMS(0, 1, 0));
	s.srv[0].inv_code = 408;
	s.srv[1].inv_code = 503;
	s.srv[2].inv_code = 486;
	sim_invite(&s, 0);
	sim_until(&s, HMS(0, 2, 0));
	sim_invite(&s, 0);
	assert_string_equal(s.log, "00:00:00 a REGISTER X 480\n"
				   "00:01:00 a INVITE X 408\n"
				   "00:01:00 a INVITE Y 503\n"
				   "00:01:00 a INVITE Z 486\n"
				   "00:01:00 a REGISTER Z 480\n"
				   "00:02:00 a INVITE Z 486\n");
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(orders),
		cmocka_unit_test(minds_the_roles),
		cmocka_unit_test(goes_home),
		cmocka_unit_test(and_only_then),
		cmocka_unit_test(moves_on_when_a_server_is_lost),
		cmocka_unit_test(registers_where_a_call_was_answered),
		cmocka_unit_test(the_server_a_call_found_comes_first_once),
		cmocka_unit_test(goes_round),
		cmocka_unit_test(turns),
		cmocka_unit_test(an_unknown_server_does_not_turn_the_list),
		cmocka_unit_test(parking),
		cmocka_unit_test(homing),
		cmocka_unit_test(a_call_finds_the_redundant_server),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
