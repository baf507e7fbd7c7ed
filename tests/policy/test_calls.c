/* Policies about what calls and notifications tell: invite_failure, reg_event,
 * location_servers. */
#include "policy.h"

static struct sim s;
static struct sim_link *link;

static struct rg_ctx with(const struct rg_policy *p, const char *values)
{
	sim_world(&s, 1);
	link = sim_use(&s, 0, p, values);
	return sim_ctx(&s, 0, link);
}

/* ---- invite_failure ---------------------------------------------------------------- */

/* 1: the codes listed, and no other; no answer is a 408. */
static void listed_codes_start_over(void **st)
{
	(void)st;
	for (int only_500 = 0; only_500 <= 1; only_500++)
		for (uint16_t code = 0; code < 700; code++) {
			struct rg_ctx c = with(&rg_policy_invite_failure,
					       only_500 ? "AccountInviteFailureTriggerCodes=500" :
							  NULL);
			bool listed = only_500 ? code == 500 :
				      code == 403 || code == 408 || code == 480 || code == 0;
			struct rg_event e = { .type = RG_EV_RESULT,
					      .method = RG_M_INVITE,
					      .code = code };

			assert_int_equal(outcome_of(link->p, &c, e).verb,
					 listed ? RG_DO_RESTART : NOTHING);
			e.method = RG_M_REGISTER;
			assert_int_equal(outcome_of(link->p, &c, e).verb, NOTHING);
		}
}

/* 2: which keep-alive lets the failed server be last. */
static void the_failed_server_is_last(void **st)
{
	(void)st;
	for (uint8_t keepalive = 0; keepalive <= 4; keepalive++)
		for (int swap = 0; swap <= 1; swap++) {
			struct rg_ctx c = with(&rg_policy_invite_failure, NULL);
			struct rg_list l = { .id = { X, Y, Z }, .n = 3 };
			bool last = swap && keepalive >= 1 && keepalive <= 3;

			s.acc[0].a.keepalive = keepalive;
			s.acc[0].a.hot_swap = swap;
			outcome_of(link->p, &c,
				   (struct rg_event){ .type = RG_EV_RESULT, .method = RG_M_INVITE,
						      .code = 480, .server = X });
			link->p->order(&c, RG_FOR_REFRESH, &l);
			assert_int_equal(l.id[0], X);
			link->p->order(&c, RG_FOR_SEARCH, &l);
			assert_int_equal(l.id[0], last ? Y : X);
			outcome_of(link->p, &c,
				   (struct rg_event){ .type = RG_EV_BOUND, .server = Y });
			l = (struct rg_list){ .id = { X, Y, Z }, .n = 3 };
			link->p->order(&c, RG_FOR_SEARCH, &l);
			assert_int_equal(l.id[0], X);
		}
}

/* 3 */
static void outranks_the_ims_refresh(void **st)
{
	struct rg_ctx c = with(&rg_policy_invite_failure, NULL);
	struct rg_act a = { 0 };

	(void)st;
	rg_do(&a, RG_DO_REFRESH);
	rg_do_for(&a, RG_DO_REFRESH, RG_FIRST);
	link->p->event(
		&c, &(struct rg_event){ .type = RG_EV_RESULT, .method = RG_M_INVITE, .code = 403 },
		&a);
	assert_int_equal(a.n, 2);
	assert_int_equal(a.todo[0].whom, RG_FIRST);
	assert_int_equal(a.todo[1].verb, RG_DO_RESTART);
	untouched_by_others(link->p, &c, 0);
}

static void a_failed_call_moves_the_registration(void **st)
{
	(void)st;
	with(&rg_policy_invite_failure, NULL);
	s.acc[0].a.hot_swap = true;
	s.acc[0].a.keepalive = 1;
	sim_start(&s);
	sim_until(&s, HMS(0, 1, 0));
	s.srv[0].inv_code = 404;
	sim_invite(&s, 0);
	s.srv[0].inv_code = 480;
	sim_invite(&s, 0);
	sim_until(&s, HMS(0, 2, 0));
	assert_string_equal(s.log, "00:00:00 a REGISTER X 480\n"
				   "00:01:00 a INVITE X 404\n"
				   "00:01:00 a INVITE X 480\n"
				   "00:01:00 a REGISTER Y 480\n");
}

/* ---- reg_event ----------------------------------------------------------------------- */

/* 1 */
static void subscribes_where_it_is_bound(void **st)
{
	(void)st;
	sim_world(&s, 1);
	sim_use(&s, 0, &rg_policy_stickiness, "RegistrarStickiness=1");
	sim_use(&s, 0, &rg_policy_reg_event, "RegistrarStickiness=1");
	s.acc[0].a.hot_swap = true;
	sim_start(&s);
	sim_until(&s, HMS(0, 7, 0));
	s.srv[0].reg_code = 503;
	sim_until(&s, HMS(0, 9, 0));
	assert_string_equal(s.log, "00:00:00 a REGISTER X 480\n"
				   "00:00:00 a SUBSCRIBE X\n"
				   "00:04:00 a REGISTER X 480\n"
				   "00:08:00 a REGISTER X 480 (refused)\n"
				   "00:08:00 a un-SUBSCRIBE\n"
				   "00:08:00 a REGISTER Y 480\n"
				   "00:08:00 a SUBSCRIBE Y\n");
}

/* 1: the binding was lost and came again at the same server. */
static void subscribes_again(void **st)
{
	const struct rg_event bound = { .type = RG_EV_BOUND, .server = X, .expires = 60 };
	const struct rg_event unbound = { .type = RG_EV_UNBOUND };
	struct rg_ctx c = with(&rg_policy_reg_event, "RegistrarStickiness=1");

	(void)st;
	assert_int_equal(outcome_of(link->p, &c, bound).verb, RG_DO_SUBSCRIBE);
	assert_int_equal(outcome_of(link->p, &c, bound).verb, NOTHING);
	assert_int_equal(outcome_of(link->p, &c, unbound).verb, RG_DO_UNSUBSCRIBE);
	assert_int_equal(outcome_of(link->p, &c, bound).verb, RG_DO_SUBSCRIBE);
}

/* 2, 3, 4: every state a NOTIFY may bring. */
static void heeds_notifications(void **st)
{
	static const struct {
		enum rg_notify notify;
		uint32_t retry_after;
		int verb;
		rg_ms wake;
	} row[] = {
		{ RG_N_NONE, 0, NOTHING, 0 },
		{ RG_N_ACTIVE, 0, NOTHING, 0 },
		{ RG_N_REFRESHED, 0, NOTHING, 0 },
		{ RG_N_SHORTENED, 0, RG_DO_REFRESH, 0 },
		{ RG_N_DEACTIVATED, 0, RG_DO_REFRESH, 0 },
		{ RG_N_PROBATION, 7, NOTHING, 7000 },
		{ RG_N_PROBATION, 0, NOTHING, 30000 },
		{ RG_N_REJECTED, 7, NOTHING, 7000 },
		{ RG_N_REJECTED, 0, NOTHING, 0 },
		{ RG_N_UNREGISTERED, 0, RG_DO_RESTART, 0 },
		{ RG_N_TERMINATED, 0, RG_DO_RESTART, 0 },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct rg_ctx c = with(&rg_policy_reg_event, "RegistrarStickiness=1");
		struct rg_act a = { 0 };

		link->p->event(&c,
			       &(struct rg_event){ .type = RG_EV_NOTIFY,
						   .notify = (uint8_t)row[i].notify,
						   .retry_after = row[i].retry_after },
			       &a);
		assert_int_equal(a.n ? a.todo[0].verb : NOTHING, row[i].verb);
		assert_int_equal(a.wake_at, row[i].wake);
	}
}

static void probation_ends(void **st)
{
	(void)st;
	with(&rg_policy_reg_event, "RegistrarStickiness=1");
	sim_start(&s);
	sim_until(&s, HMS(0, 1, 0));
	sim_notify(&s, 0, RG_N_PROBATION, 20);
	sim_until(&s, HMS(0, 2, 0));
	assert_int_equal(outcome_of(link->p,
				    &(struct rg_ctx){ .v = &s.acc[0].v, .slot = link->slot },
				    (struct rg_event){ .type = RG_EV_TIMER })
				 .verb,
			 RG_DO_RESTART);
	assert_string_equal(s.log, "00:00:00 a REGISTER X 480\n"
				   "00:00:00 a SUBSCRIBE X\n"
				   "00:01:20 a REGISTER X 480\n");
	untouched_by_others(link->p, &(struct rg_ctx){ .v = &s.acc[0].v, .slot = link->slot },
			    1u << RG_EV_BOUND | 1u << RG_EV_UNBOUND | 1u << RG_EV_TIMER);
}

/* 5 */
static void needs_stickiness_1(void **st)
{
	struct rg_ctx c = with(&rg_policy_reg_event, "RegistrarStickiness=1");

	(void)st;
	assert_int_equal(checked(link->p, &c), RG_OK);
	s.acc[0].a.reg = RG_REG_NO;
	assert_int_equal(checked(link->p, &c), RG_SKIP);
	c = with(&rg_policy_reg_event, "RegistrarStickiness=2");
	assert_int_equal(checked(link->p, &c), RG_SKIP);
	c = with(&rg_policy_reg_event, "RegistrarStickiness=0");
	assert_int_equal(checked(link->p, &c), RG_SKIP);
}

/* ---- location_servers ------------------------------------------------------------------ */

/* X, Y register, Y is their master; Z and X carry calls. */
static struct rg_ctx lists(const char *values)
{
	with(&rg_policy_location_servers, values);
	s.srv[1].s.roles = RG_REGISTRAR;
	s.srv[2].s.roles = RG_PROXY;
	s.srv[1].s.master = true;
	return sim_ctx(&s, 0, link);
}

static void master_first_then_the_list(void **st)
{
	(void)st;
	lists("ServerSwitching=1");
	s.srv[1].reg_code = 500;
	s.srv[2].s.master = true;
	s.srv[2].silent = true;
	s.srv[0].inv_code = 486;
	sim_start(&s);
	sim_until(&s, 1000);
	sim_invite(&s, 0);
	s.srv[1].reg_code = 0;
	sim_until(&s, HMS(0, 5, 0));
	assert_string_equal(s.log, "00:00:00 a REGISTER Y 480 (refused)\n"
				   "00:00:00 a REGISTER X 480\n"
				   "00:00:01 a INVITE Z 0\n"
				   "00:00:01 a INVITE X 486\n"
				   "00:04:00 a REGISTER Y 480\n"); /* 2 */
}

/* 1, 2, 4, 6 */
static void orders_both_lists(void **st)
{
	static const struct {
		const char *rule;
		enum rg_purpose why;
		const char *values;
		uint32_t registrar, answered, refused, down, master;
		uint8_t roles; /* of all three */
		uint32_t want[3];
	} row[] = {
		{ "2: a refresh stays", RG_FOR_REFRESH, NULL, Y, 0, 0, 0, 0, 3, { Y, X, Z } },
		{ "2: but not with a master", RG_FOR_REFRESH, NULL, Y, 0, 0, 0, Z, 3, { Z, X, Y } },
		{ "1: a search does not", RG_FOR_SEARCH, NULL, Y, 0, 0, 0, 0, 3, { X, Y, Z } },
		{ "6: refused is last", RG_FOR_SEARCH, NULL, 0, 0, X, 0, 0, 3, { Y, Z, X } },
		{ "6: down is last", RG_FOR_DIALOG, NULL, 0, 0, 0, X, X, 3, { Y, Z, X } },
		{ "1: no location servers",
		  RG_FOR_SEARCH,
		  NULL,
		  0,
		  0,
		  0,
		  0,
		  0,
		  RG_PROXY,
		  { X, Y, Z } },
		{ "4: permanent",
		  RG_FOR_DIALOG,
		  "ServerRedundancy=1",
		  X,
		  Z,
		  0,
		  0,
		  Y,
		  3,
		  { Z, Y, X } },
		{ "4: dns-based",
		  RG_FOR_DIALOG,
		  "ServerRedundancy=2",
		  X,
		  Z,
		  0,
		  0,
		  0,
		  3,
		  { X, Y, Z } },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct rg_ctx c = with(&rg_policy_location_servers, row[i].values);
		struct rg_list l = { .n = 0 };

		for (uint32_t id = X; id <= Z; id++) {
			s.view[id - 1].roles = row[i].roles;
			s.view[id - 1].master = id == row[i].master;
			s.view[id - 1].health = id == row[i].down ? RG_DOWN : RG_UP;
		}
		s.acc[0].v.registrar = row[i].registrar;
		s.acc[0].v.refused = row[i].refused;
		outcome_of(link->p, &c,
			   (struct rg_event){ .type = RG_EV_RESULT, .method = RG_M_INVITE,
					      .code = 200, .server = row[i].answered });
		link->p->order(&c, row[i].why, &l);
		if (l.n != 3 || memcmp(l.id, row[i].want, sizeof row[i].want))
			fail_msg("%s: %u %u %u", row[i].rule, l.id[0], l.id[1], l.id[2]);
	}
}

/* 4: only an answer to an INVITE makes a proxy the one to stay with. */
static void stays_with_a_proxy_that_answered(void **st)
{
	static const struct {
		struct rg_event e;
		uint32_t want;
	} row[] = {
		{ { .type = RG_EV_RESULT, .method = RG_M_INVITE, .code = 486, .server = Z }, Z },
		{ { .type = RG_EV_RESULT, .method = RG_M_INVITE, .code = 0, .server = Z }, X },
		{ { .type = RG_EV_RESULT, .method = RG_M_OPTIONS, .code = 200, .server = Z }, X },
		{ { .type = RG_EV_HEALTH, .method = RG_M_INVITE, .code = RG_UP, .server = Z }, X },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct rg_ctx c = with(&rg_policy_location_servers, "ServerRedundancy=1");
		struct rg_list l;

		outcome_of(link->p, &c, row[i].e);
		link->p->order(&c, RG_FOR_DIALOG, &l);
		assert_int_equal(l.id[0], row[i].want);
	}
}

/* 1, 3: each code of both methods under both kinds of switching. */
static void goes_on_or_stops(void **st)
{
	(void)st;
	for (int switching = 0; switching <= 2; switching++) {
		char values[40];
		struct rg_ctx c;

		snprintf(values, sizeof values, "ServerSwitching=%d", switching);
		c = lists(values);
		for (uint16_t code = 0; code < 700; code++) {
			struct rg_event e = { .type = RG_EV_RESULT,
					      .method = RG_M_REGISTER,
					      .code = code };
			bool fine = code >= 200 && code < 300;
			bool refused = code == 401 || code == 403 || code == 407;
			bool on = code == 0 || (refused && switching == 2);

			assert_int_equal(outcome_of(link->p, &c, e).verdict, fine ? KEPT : RG_NEXT);
			e.method = RG_M_INVITE;
			assert_int_equal(outcome_of(link->p, &c, e).verdict,
					 fine ? KEPT : on ? RG_NEXT : RG_STOP);
			e.method = RG_M_OPTIONS;
			assert_int_equal(outcome_of(link->p, &c, e).verdict, KEPT);
		}
		untouched_by_others(link->p, &c, 0);
	}
}

/* 5 */
static void takes_the_domain_of_its_server(void **st)
{
	static const struct {
		uint8_t method;
		uint32_t server, registrar;
		const char *host, *want;
	} row[] = {
		{ RG_M_REGISTER, X, Y, "", "X" },	{ RG_M_INVITE, X, Y, "", "Y" },
		{ RG_M_REGISTER, X, Y, "itsp.example", "itsp.example" },
		{ RG_M_INVITE, X, 0, "", "" },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct rg_request r = { .method = row[i].method, .server = row[i].server };
		struct rg_ctx c = lists(NULL);

		rg_set(r.aor_host, sizeof r.aor_host, row[i].host);
		s.acc[0].v.registrar = row[i].registrar;
		link->p->request(&c, &r);
		assert_string_equal(r.aor_host, row[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(listed_codes_start_over),
		cmocka_unit_test(the_failed_server_is_last),
		cmocka_unit_test(outranks_the_ims_refresh),
		cmocka_unit_test(a_failed_call_moves_the_registration),
		cmocka_unit_test(subscribes_where_it_is_bound),
		cmocka_unit_test(subscribes_again),
		cmocka_unit_test(heeds_notifications),
		cmocka_unit_test(probation_ends),
		cmocka_unit_test(needs_stickiness_1),
		cmocka_unit_test(master_first_then_the_list),
		cmocka_unit_test(orders_both_lists),
		cmocka_unit_test(stays_with_a_proxy_that_answered),
		cmocka_unit_test(goes_on_or_stops),
		cmocka_unit_test(takes_the_domain_of_its_server),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
