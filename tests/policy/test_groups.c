/* Policies that act for several accounts: sync_ims, one_prober, trunk_group. */
#include "policy.h"

static struct sim s;

/* ---- sync_ims ------------------------------------------------------------------ */

static void synchronise(size_t n)
{
	sim_world(&s, n);
}

static struct sim_link *attach(size_t i)
{
	if (s.acc[i].a.reg)
		sim_use(&s, i, &rg_policy_stickiness, "RegistrarStickiness=1");
	sim_use(&s, i, &rg_policy_ims_search, "RegistrarStickiness=1 SyncIMSAccounts=1");
	return sim_use(&s, i, &rg_policy_sync_ims, "RegistrarStickiness=1");
}

/* 2, 4, 6: c has no registration of its own. */
static void follows_the_primary(void **st)
{
	(void)st;
	synchronise(3);
	s.acc[2].a.reg = RG_REG_NO;
	for (size_t i = 0; i < 3; i++)
		attach(i);
	s.srv[0].reg_code = 503;
	sim_start(&s);
	sim_until(&s, HMS(0, 1, 0));
	s.srv[1].reg_code = 503;
	s.srv[0].reg_code = 0; /* Y dies, X is back */
	s.srv[1].inv_code = 408;
	sim_invite(&s, 2);
	sim_until(&s, HMS(0, 2, 0));
	assert_string_equal(s.log, "00:00:00 a REGISTER X 480 (refused)\n"
				   "00:00:00 a REGISTER Y 480\n"
				   "00:00:00 b REGISTER Y 480\n"
				   "00:01:00 c INVITE Y 408\n"
				   "00:01:00 a REGISTER Y 480 (refused)\n"
				   "00:01:00 a REGISTER X 480\n"
				   "00:01:00 b REGISTER X 480\n");
}

/* 3: while the primary is lost, a secondary goes on where it is, refreshes included. */
static void a_bound_secondary_goes_on_alone(void **st)
{
	(void)st;
	synchronise(2);
	s.nsrv = 1;
	attach(0);
	attach(1);
	s.acc[0].a.reg_time = 300;
	sim_start(&s);
	sim_until(&s, HMS(0, 2, 0));
	s.srv[0].reg_code = 500; /* the primary's refresh fails */
	sim_until(&s, HMS(0, 2, 31));
	s.srv[0].reg_code = 0;
	s.acc[0].a.retry_time = 3600;
	s.acc[0].timer = HMS(1, 0, 0);
	s.log[0] = '\0';
	sim_until(&s, HMS(0, 4, 0));
	sim_invite(&s, 1);
	assert_int_equal(s.acc[0].v.registrar, 0);
	assert_string_equal(s.log, "00:04:00 b REGISTER X 480\n"
				   "00:04:00 b INVITE X 200\n");
	s.srv[0].reg_code = 500; /* now its own refresh fails: it waits for the primary */
	s.log[0] = '\0';
	sim_until(&s, HMS(0, 59, 0));
	s.srv[0].reg_code = 0;
	sim_until(&s, HMS(1, 0, 0));
	assert_string_equal(s.log, "00:08:00 b REGISTER X 480 (refused)\n"
				   "01:00:00 a REGISTER X 300\n"
				   "01:00:00 b REGISTER X 480\n");
}

/* 5: a secondary's failure makes the primary refresh; the secondary waits its time. */
static void a_failed_secondary_makes_the_primary_refresh(void **st)
{
	struct rg_ctx c;
	struct sim_link *link;

	(void)st;
	synchronise(2);
	attach(0);
	link = attach(1);
	sim_start(&s);
	sim_until(&s, 1);
	c = sim_ctx(&s, 1, link);
	for (uint16_t code = 0; code < 700; code++) {
		struct outcome o = outcome_of(link->p, &c,
					      (struct rg_event){ .type = RG_EV_RESULT,
								 .method = RG_M_REGISTER,
								 .code = code });
		bool fine = code >= 200 && code < 300;

		assert_int_equal(o.verb, fine ? NOTHING : RG_DO_REFRESH);
		assert_int_equal(o.whom, fine ? RG_SELF : RG_FIRST);
		assert_int_equal(o.verdict, fine ? KEPT : RG_WAIT);
	}
	c = sim_ctx(&s, 0, &s.acc[0].link[2]); /* the primary's own failures are its own */
	assert_int_equal(outcome_of(link->p, &c,
				    (struct rg_event){ .type = RG_EV_RESULT,
						       .method = RG_M_REGISTER, .code = 500 })
				 .verb,
			 NOTHING);
}

/* 4: once per move, and not for news of other kinds. */
static void moves_once(void **st)
{
	const struct rg_event news = { .type = RG_EV_GROUP };
	struct sim_link *link;
	struct rg_ctx c;

	(void)st;
	synchronise(2);
	attach(0);
	link = attach(1);
	c = sim_ctx(&s, 1, link);
	link->group->pub.first = 0;
	link->group->pub.first_registrar = Y;
	assert_int_equal(outcome_of(link->p, &c, news).verb, RG_DO_RESTART);
	assert_int_equal(outcome_of(link->p, &c, news).verb, NOTHING);
	s.acc[1].v.registrar = Z;
	link->group->pub.first_registrar = Z; /* we are there already */
	assert_int_equal(outcome_of(link->p, &c, news).verb, NOTHING);
	link->group->pub.first_registrar = 0;
	assert_int_equal(outcome_of(link->p, &c, news).verb, NOTHING);
	s.acc[1].a.reg = RG_REG_NO;
	link->group->pub.first_registrar = X;
	assert_int_equal(outcome_of(link->p, &c, news).verb, NOTHING);
}

/* 2, 3 */
static void a_secondary_has_one_server(void **st)
{
	static const struct {
		const char *rule;
		uint32_t first, own, down;
		enum rg_purpose why;
		int n;
		uint32_t want;
	} row[] = {
		{ "2: the primary's", Y, X, 0, RG_FOR_SEARCH, 1, Y },
		{ "2: even if it is down", Y, X, Y, RG_FOR_REFRESH, 1, Y },
		{ "2: calls as well", Y, 0, 0, RG_FOR_DIALOG, 1, Y },
		{ "but not to one that is down", Y, 0, Y, RG_FOR_DIALOG, 3, X },
		{ "3: its own", 0, X, 0, RG_FOR_REFRESH, 1, X },
		{ "3: none", 0, 0, 0, RG_FOR_SEARCH, 0, 0 },
		{ "calls go to the working one", 0, 0, 0, RG_FOR_DIALOG, 3, X },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct rg_list l = { .id = { X, Y, Z }, .n = 3 };
		struct sim_link *link;
		struct rg_ctx c;

		synchronise(2);
		attach(0);
		link = attach(1);
		c = sim_ctx(&s, 1, link);
		link->group->pub.first_registrar = row[i].first;
		s.acc[1].v.registrar = row[i].own;
		if (row[i].down)
			s.view[row[i].down - 1].health = RG_DOWN;
		link->p->order(&c, row[i].why, &l);
		if (l.n != row[i].n || (l.n && l.id[0] != row[i].want))
			fail_msg("%s: %d", row[i].rule, l.n);
		assert_int_equal(link->p->goal(&c),
				 row[i].first || row[i].own ? RG_REGISTER : RG_HOLD);
	}
}

/* 6, 7: what a secondary hands over, and what it forgets. */
static void hands_over(void **st)
{
	for (int reg = RG_REG_NO; reg <= RG_REG_REGULAR; reg++) {
		struct rg_act a = { 0 };
		struct sim_link *link;
		struct rg_ctx c;

		(void)st;
		synchronise(2);
		s.acc[1].a.reg = (uint8_t)reg;
		attach(0);
		link = attach(1);
		c = sim_ctx(&s, 1, link);
		rg_do(&a, RG_DO_RESOLVE);
		rg_do(&a, RG_DO_REFRESH);
		rg_do(&a, RG_DO_SUBSCRIBE);
		link->p->event(
			&c, &(struct rg_event){ .type = RG_EV_RESULT, .method = RG_M_INVITE }, &a);
		assert_int_equal(a.n, 2);
		assert_int_equal(a.todo[0].verb, RG_DO_REFRESH);
		assert_int_equal(a.todo[0].whom, reg ? RG_SELF : RG_FIRST);
		assert_int_equal(a.todo[1].whom, RG_SELF);
	}
}

/* 6: an INVITE to an account without registration, from another address. */
static void foreign_invites_of_the_unregistered(void **st)
{
	static const struct {
		const char *rule;
		uint32_t first, source;
		uint8_t reg, method;
		bool from_serving;
		uint16_t want;
	} row[] = {
		{ "from elsewhere", Y, X, RG_REG_NO, RG_M_INVITE, true, 480 },
		{ "not of the set", Y, 0, RG_REG_NO, RG_M_INVITE, true, 480 },
		{ "from there", Y, Y, RG_REG_NO, RG_M_INVITE, true, 0 },
		{ "from nowhere known", 0, X, RG_REG_NO, RG_M_INVITE, true, 0 },
		{ "it registers itself", Y, X, RG_REG_REGULAR, RG_M_INVITE, true, 0 },
		{ "not an INVITE", Y, X, RG_REG_NO, RG_M_OTHER, true, 0 },
		{ "from the served side", Y, X, RG_REG_NO, RG_M_INVITE, false, 0 },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct rg_act a = { 0 };
		struct sim_link *link;
		struct rg_ctx c;
		uint16_t code;

		synchronise(2);
		s.acc[1].a.reg = row[i].reg;
		attach(0);
		link = attach(1);
		c = sim_ctx(&s, 1, link);
		link->group->pub.first_registrar = row[i].first;
		code = admitted(link->p, &c,
				(struct rg_dialog){ .from_serving = row[i].from_serving,
						    .method = row[i].method,
						    .source = row[i].source },
				&a);
		if (code != row[i].want)
			fail_msg("%s: %u", row[i].rule, code);
		assert_int_equal(a.n, code ? 1 : 0);
		assert_int_equal(a.todo[0].whom, code ? RG_FIRST : 0);
		assert_int_equal(a.todo[0].verb, RG_DO_REFRESH);
	}
}

/* The primary is not held by itself, and its list is its own. */
static void the_primary_is_free(void **st)
{
	struct rg_list l = { .id = { X, Y, Z }, .n = 3 };
	struct sim_link *link;
	struct rg_ctx c;

	(void)st;
	synchronise(1);
	link = attach(0);
	c = sim_ctx(&s, 0, link);
	assert_int_equal(link->p->goal(&c), RG_REGISTER);
	link->p->order(&c, RG_FOR_SEARCH, &l);
	assert_int_equal(l.n, 3);
	assert_int_equal(checked(link->p, &c), RG_OK);
	memset(link->block, 0, sizeof link->block); /* RegistrarStickiness = 0 */
	assert_int_equal(checked(link->p, &c), RG_SKIP);
	s.acc[0].a.reg = RG_REG_NO;
	assert_int_equal(checked(link->p, &c), RG_OK);
}

/* ---- one_prober ------------------------------------------------------------------- */

static void probers(size_t n)
{
	sim_world(&s, n);
	s.nsrv = 1;
	for (size_t i = 0; i < n; i++)
		sim_use(&s, i, &rg_policy_one_prober, NULL);
}

static void one_account_finds_out_for_all(void **st)
{
	(void)st;
	probers(3);
	s.srv[0].reg_code = 503;
	sim_start(&s);
	sim_until(&s, HMS(0, 1, 10));
	s.srv[0].reg_code = 0;
	sim_until(&s, HMS(0, 2, 0));
	assert_string_equal(s.log, "00:00:00 a REGISTER X 480 (refused)\n"
				   "00:00:00 b REGISTER X 480 (refused)\n"
				   "00:00:00 c REGISTER X 480 (refused)\n"
				   "00:00:30 a REGISTER X 480 (refused)\n"
				   "00:01:00 a REGISTER X 480 (refused)\n"
				   "00:01:30 a REGISTER X 480\n"
				   "00:01:30 b REGISTER X 480\n"
				   "00:01:30 c REGISTER X 480\n");
}

/* 1: what is a failure of the server, and what is about the account. */
static void only_the_server_elects(void **st)
{
	(void)st;
	for (uint16_t code = 0; code < 700; code++) {
		struct rg_act a = { .verdict = KEPT };
		struct sim_link *link;
		struct rg_ctx other;
		struct rg_ctx c;
		bool account = code == 401 || code == 403 || code == 404 || code == 407 || code == 604;
		bool elects = !account && (code < 200 || code >= 300);

		probers(2);
		link = &s.acc[0].link[0];
		c = sim_ctx(&s, 0, link);
		link->p->event(&c,
			       &(struct rg_event){ .type = RG_EV_RESULT, .method = RG_M_REGISTER,
						   .code = code },
			       &a);
		assert_int_equal(a.n, elects ? 1 : 0);
		assert_int_equal(a.verdict, KEPT);
		assert_int_equal(link->p->goal(&c), RG_REGISTER);
		other = sim_ctx(&s, 1, &s.acc[1].link[0]);
		assert_int_equal(link->p->goal(&other), elects ? RG_HOLD : RG_REGISTER);
	}
}

/* 2, 3: what ends the waiting, and after how long. */
static void ends_of_the_waiting(void **st)
{
	enum { LONG = 100000 };
	static const struct {
		const char *rule;
		size_t who;
		struct rg_event e;
		bool told;
		rg_ms waits; /* the other one */
	} row[] = {
		{ "2: the prober got through", 0, { .type = RG_EV_BOUND }, true, 0 },
		{ "2: a refresh of another one", 1, { .type = RG_EV_BOUND }, false, LONG },
		{ "3: un-registered by hand",
		  0,
		  { .type = RG_EV_ACTION, .code = RG_DO_UNREGISTER },
		  true,
		  0 },
		{ "3: gone", 0, { .type = RG_EV_LEAVE }, true, 0 },
		{ "3: another one is gone", 1, { .type = RG_EV_LEAVE }, false, LONG },
		{ "refreshed by hand",
		  0,
		  { .type = RG_EV_ACTION, .code = RG_DO_REFRESH },
		  false,
		  LONG },
		{ "3: another one un-registered",
		  1,
		  { .type = RG_EV_ACTION, .code = RG_DO_UNREGISTER },
		  false,
		  LONG },
		{ "4: forbidden",
		  0,
		  { .type = RG_EV_RESULT, .method = RG_M_REGISTER, .code = 403 },
		  true,
		  30000 },
		{ "4: another one is forbidden",
		  1,
		  { .type = RG_EV_RESULT, .method = RG_M_REGISTER, .code = 403 },
		  false,
		  LONG },
		{ "the prober failed again",
		  0,
		  { .type = RG_EV_RESULT, .method = RG_M_REGISTER, .code = 503 },
		  false,
		  LONG },
		{ "a call",
		  0,
		  { .type = RG_EV_RESULT, .method = RG_M_INVITE, .code = 403 },
		  false,
		  LONG },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct rg_act a = { 0 };
		struct rg_ctx c[2];

		probers(2);
		for (size_t k = 0; k < 2; k++)
			c[k] = sim_ctx(&s, k, &s.acc[k].link[0]);
		rg_policy_one_prober.event(
			&c[0], &(struct rg_event){ .type = RG_EV_RESULT, .method = RG_M_REGISTER },
			&a);
		a.n = 0;
		rg_policy_one_prober.event(&c[row[i].who], &row[i].e, &a);
		if (a.n != row[i].told || (a.n && a.todo[0].whom != RG_MEMBERS))
			fail_msg("%s", row[i].rule);
		a.wake_at = 0;
		s.acc[1].v.state = RG_HELD;
		rg_policy_one_prober.event(&c[1], &(struct rg_event){ .type = RG_EV_GROUP }, &a);
		assert_int_equal(a.wake_at, row[i].waits);
		assert_int_equal(rg_policy_one_prober.goal(&c[1]),
				 row[i].waits ? RG_HOLD : RG_REGISTER);
		s.acc[0].v.now = s.acc[1].v.now = row[i].waits;
		assert_int_equal(rg_policy_one_prober.goal(&c[1]), RG_REGISTER);
	}
}

/* 4, 5: who takes the place and gets through ends the waiting, too. */
static void a_successor_gets_through(void **st)
{
	struct rg_act a = { 0 };
	struct rg_ctx c[2];

	(void)st;
	probers(2);
	for (size_t k = 0; k < 2; k++)
		c[k] = sim_ctx(&s, k, &s.acc[k].link[0]);
	rg_policy_one_prober.event(
		&c[0], &(struct rg_event){ .type = RG_EV_RESULT, .method = RG_M_REGISTER }, &a);
	s.acc[0].v.now = s.acc[1].v.now = 100000;
	a.n = 0;
	rg_policy_one_prober.event(&c[1], &(struct rg_event){ .type = RG_EV_BOUND }, &a);
	assert_int_equal(a.n, 1);
	assert_int_equal(rg_policy_one_prober.goal(&c[0]), RG_REGISTER);
}

/* 1: who fails while somebody probes gives up its round. */
static void the_others_wait(void **st)
{
	struct rg_event e = { .type = RG_EV_RESULT, .method = RG_M_REGISTER, .code = 0 };
	struct rg_act a = { .verdict = KEPT };
	struct rg_ctx c;

	(void)st;
	probers(2);
	c = sim_ctx(&s, 0, &s.acc[0].link[0]);
	rg_policy_one_prober.event(&c, &e, &a);
	c = sim_ctx(&s, 1, &s.acc[1].link[0]);
	a.n = 0;
	rg_policy_one_prober.event(&c, &e, &a);
	assert_int_equal(a.n, 0);
	assert_int_equal(a.verdict, RG_WAIT);
	assert_int_equal(a.wake_at, 100000);
}

/* 3: the next of those who wait takes the place, whoever was the prober, and alone. */
static void the_next_one_takes_over(void **st)
{
	static const struct {
		const char *rule;
		enum rg_state state; /* of the one who is told first */
		bool goes, takes;
	} row[] = {
		{ "it waits", RG_HELD, true, true },
		{ "un-registered by hand itself", RG_IDLE, true, false },
		{ "bound: nothing to find out", RG_BOUND, true, false },
		{ "the prober is still there", RG_HELD, false, false },
	};
	struct rg_event group = { .type = RG_EV_GROUP };

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct rg_act a = { 0 };
		struct rg_ctx c[3];

		probers(3);
		for (size_t k = 0; k < 3; k++)
			c[k] = sim_ctx(&s, k, &s.acc[k].link[0]);
		rg_policy_one_prober.event(
			&c[0], &(struct rg_event){ .type = RG_EV_RESULT, .method = RG_M_REGISTER },
			&a);
		if (row[i].goes)
			rg_policy_one_prober.event(&c[0], &(struct rg_event){ .type = RG_EV_LEAVE },
						   &a);
		s.acc[1].v.state = (uint8_t)row[i].state;
		s.acc[2].v.state = RG_HELD;
		rg_policy_one_prober.event(&c[1], &group, &a);
		rg_policy_one_prober.event(&c[2], &group, &a);
		if (rg_policy_one_prober.goal(&c[2]) !=
		    (row[i].goes && !row[i].takes ? RG_REGISTER : RG_HOLD))
			fail_msg("%s: the third", row[i].rule);
		if (rg_policy_one_prober.goal(&c[1]) != (row[i].takes ? RG_REGISTER : RG_HOLD))
			fail_msg("%s: the second", row[i].rule);
		s.acc[2].v.now = 39999; /* not as long as one who has failed */
		if (row[i].takes)
			assert_int_equal(rg_policy_one_prober.goal(&c[2]), RG_HOLD);
		s.acc[2].v.now = 40000;
		if (row[i].takes)
			assert_int_equal(rg_policy_one_prober.goal(&c[2]), RG_REGISTER);
	}
}

/* 1: a group's first goes before those who depend on it; 3: so it does when the prober is held. */
static void the_first_goes_before(void **st)
{
	struct rg_event failed = { .type = RG_EV_RESULT, .method = RG_M_REGISTER };
	struct rg_event group = { .type = RG_EV_GROUP };
	struct rg_act a = { 0 };
	struct rg_ctx c[3];

	(void)st;
	for (int sync = 0; sync < 2; sync++) {
		sim_world(&s, 2);
		for (size_t k = 0; k < 2; k++) {
			sim_use(&s, k, &rg_policy_one_prober, sync ? "SyncIMSAccounts=1" : NULL);
			c[k] = sim_ctx(&s, k, &s.acc[k].link[0]);
		}
		rg_policy_one_prober.event(&c[1], &failed, &a);
		rg_policy_one_prober.event(&c[0], &failed, &a);
		assert_int_equal(rg_policy_one_prober.goal(&c[0]), sync ? RG_REGISTER : RG_HOLD);
		assert_int_equal(rg_policy_one_prober.goal(&c[1]), sync ? RG_HOLD : RG_REGISTER);
	}

	probers(3);
	for (size_t k = 0; k < 3; k++)
		c[k] = sim_ctx(&s, k, &s.acc[k].link[0]);
	s.group[0].pub.first = 2;
	rg_policy_one_prober.event(&c[1], &failed, &a);
	for (size_t k = 0; k < 3; k++)
		s.acc[k].v.state = RG_HELD; /* the prober by another policy */
	s.group[0].pub.first_state = RG_HELD;
	for (size_t k = 0; k < 3; k++)
		rg_policy_one_prober.event(&c[(k + 1) % 3], &group, &a);
	assert_int_equal(rg_policy_one_prober.goal(&c[2]), RG_REGISTER);
	assert_int_equal(rg_policy_one_prober.goal(&c[0]), RG_HOLD);
	assert_int_equal(rg_policy_one_prober.goal(&c[1]), RG_HOLD);
}

/* 5: the prober is not heard of any more; whoever asks first takes over. */
static void a_lost_prober_is_replaced(void **st)
{
	(void)st;
	probers(3);
	s.srv[0].reg_code = 503;
	sim_start(&s);
	sim_until(&s, 1);
	s.acc[0].nlink = 0; /* held up for ever */
	s.acc[0].timer = RG_NEVER;
	s.log[0] = '\0';
	sim_until(&s, HMS(0, 2, 0));
	assert_string_equal(s.log, "00:01:40 b REGISTER X 480 (refused)\n");
	s.log[0] = '\0';
	s.srv[0].reg_code = 0;
	sim_until(&s, HMS(0, 2, 10));
	assert_string_equal(s.log, "00:02:10 b REGISTER X 480\n"
				   "00:02:10 c REGISTER X 480\n");
}

/* 5: the longer of retry time and back-off counts. */
static void patience_minds_the_back_off(void **st)
{
	struct rg_event e = { .type = RG_EV_RESULT, .method = RG_M_REGISTER, .code = 0 };
	struct rg_act a = { 0 };
	struct rg_ctx c;

	(void)st;
	sim_world(&s, 2);
	for (size_t i = 0; i < 2; i++)
		sim_use(&s, i, &rg_policy_one_prober, "MaxRegistrationBackoffTime=1800");
	c = sim_ctx(&s, 0, &s.acc[0].link[0]);
	rg_policy_one_prober.event(&c, &e, &a);
	c = sim_ctx(&s, 1, &s.acc[1].link[0]);
	rg_policy_one_prober.event(&c, &(struct rg_event){ .type = RG_EV_START }, &a);
	assert_int_equal(a.wake_at, 3600000 + 120000);
}

/* ---- trunk_group ------------------------------------------------------------------- */

static void trunks(const char *values)
{
	sim_world(&s, 2);
	s.nsrv = 1;
	for (size_t i = 0; i < 2; i++) {
		s.acc[i].a.served = 0;
		sim_use(&s, i, &rg_policy_trunk_group, values);
	}
}

/* 1: down un-registers; the first REGISTER is not withheld. */
static void follows_the_trunks(void **st)
{
	(void)st;
	trunks("RegistrationMode=5");
	s.acc[0].v.trunk = s.acc[1].v.trunk = RG_DOWN;
	sim_start(&s);
	sim_until(&s, HMS(0, 1, 0));
	sim_trunk(&s, RG_UP);
	sim_trunk(&s, RG_DOWN);
	sim_until(&s, HMS(0, 2, 0));
	sim_trunk(&s, RG_UP);
	sim_until(&s, HMS(0, 2, 1));
	assert_string_equal(s.log, "00:00:00 a REGISTER X 480\n"
				   "00:00:00 b REGISTER X 480\n"
				   "00:01:00 a REGISTER X 0\n"
				   "00:01:00 b REGISTER X 0\n"
				   "00:02:00 a REGISTER X 480\n"
				   "00:02:00 b REGISTER X 480\n");
}

/* 2, 4 */
static void withholds_the_first_register(void **st)
{
	static const struct {
		const char *values;
		enum rg_health trunk;
		enum rg_goal want;
	} row[] = {
		{ "RegistrationMode=5 RegisterByTrunkGroupStatus=1", RG_DOWN, RG_UNREGISTER },
		{ "RegistrationMode=5 RegisterByTrunkGroupStatus=1", RG_UP, RG_REGISTER },
		{ "RegistrationMode=5 RegisterByTrunkGroupStatus=1", RG_UNKNOWN, RG_REGISTER },
		{ "RegistrationMode=5 RegisterByTrunkGroupStatus=0", RG_DOWN, RG_REGISTER },
		{ "RegistrationMode=1 RegisterByTrunkGroupStatus=0", RG_UP, RG_HOLD },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct rg_ctx c;

		trunks(row[i].values);
		c = sim_ctx(&s, 0, &s.acc[0].link[0]);
		s.acc[0].v.trunk = (uint8_t)row[i].trunk;
		assert_int_equal(rg_policy_trunk_group.goal(&c), row[i].want);
	}
}

/* 3: out when the last account has failed, in at the first success, once each. */
static void out_of_service_when_all_failed(void **st)
{
	(void)st;
	trunks("RegistrationMode=5 OOSOnRegistrationFail=1");
	s.srv[0].reg_code = 403;
	sim_start(&s);
	sim_until(&s, HMS(0, 0, 31));
	s.srv[0].reg_code = 0;
	sim_until(&s, HMS(0, 1, 1));
	assert_string_equal(s.log, "00:00:00 a REGISTER X 480 (refused)\n"
				   "00:00:00 b REGISTER X 480 (refused)\n"
				   "00:00:00 a trunk out\n"
				   "00:00:30 a REGISTER X 480 (refused)\n"
				   "00:00:30 b REGISTER X 480 (refused)\n"
				   "00:01:00 a REGISTER X 480\n"
				   "00:01:00 a trunk in\n"
				   "00:01:00 b REGISTER X 480\n");
}

/* 3: by what the group counts, whoever hears of it; once each. */
static void counts_accounts_not_failures(void **st)
{
	struct rg_event failed = { .type = RG_EV_RESULT, .method = RG_M_REGISTER, .code = 503 };
	struct rg_event bound = { .type = RG_EV_BOUND, .server = X };
	struct rg_event group = { .type = RG_EV_GROUP };
	static const struct {
		size_t who;
		char event;
		uint32_t failed;
		int want;
	} step[] = {
		{ 0, 'f', 0, NOTHING }, { 0, 'f', 1, NOTHING },	      { 0, 'b', 0, NOTHING },
		{ 1, 'f', 1, NOTHING }, { 0, 'g', 2, RG_DO_TRUNK_OUT }, { 1, 'g', 2, NOTHING },
		{ 1, 'f', 2, NOTHING }, { 1, 'g', 1, NOTHING },	      { 1, 'b', 1, RG_DO_TRUNK_IN },
		{ 1, 'b', 1, NOTHING }, { 0, 'f', 2, RG_DO_TRUNK_OUT },
	};

	(void)st;
	trunks("RegistrationMode=5 OOSOnRegistrationFail=1");
	for (size_t i = 0; i < sizeof step / sizeof *step; i++) {
		struct rg_ctx c = sim_ctx(&s, step[i].who, &s.acc[step[i].who].link[0]);
		struct outcome o;

		s.group[0].pub.members = 2;
		s.group[0].pub.failed = step[i].failed;
		o = outcome_of(&rg_policy_trunk_group, &c,
			       step[i].event == 'b' ? bound : step[i].event == 'g' ? group : failed);
		if (o.verb != step[i].want)
			fail_msg("step %zu: %d", i, o.verb);
	}
}

/* 3: one of two servers that refuses is no failure of the account. */
static void a_server_is_not_the_account(void **st)
{
	(void)st;
	trunks("RegistrationMode=5 OOSOnRegistrationFail=1");
	s.nsrv = 2;
	s.acc[0].a.hot_swap = s.acc[1].a.hot_swap = true;
	s.srv[0].reg_code = 503;
	sim_start(&s);
	sim_until(&s, HMS(0, 10, 0));
	assert_non_null(strstr(s.log, "a REGISTER Y"));
	assert_null(strstr(s.log, "trunk"));
}

static void stays_in_service_unless_told(void **st)
{
	(void)st;
	trunks("RegistrationMode=5");
	s.srv[0].reg_code = 403;
	sim_start(&s);
	sim_until(&s, HMS(0, 1, 0));
	assert_null(strstr(s.log, "trunk"));
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(follows_the_primary),
		cmocka_unit_test(a_bound_secondary_goes_on_alone),
		cmocka_unit_test(a_failed_secondary_makes_the_primary_refresh),
		cmocka_unit_test(moves_once),
		cmocka_unit_test(a_secondary_has_one_server),
		cmocka_unit_test(hands_over),
		cmocka_unit_test(foreign_invites_of_the_unregistered),
		cmocka_unit_test(the_primary_is_free),
		cmocka_unit_test(one_account_finds_out_for_all),
		cmocka_unit_test(only_the_server_elects),
		cmocka_unit_test(ends_of_the_waiting),
		cmocka_unit_test(a_successor_gets_through),
		cmocka_unit_test(the_others_wait),
		cmocka_unit_test(the_next_one_takes_over),
		cmocka_unit_test(the_first_goes_before),
		cmocka_unit_test(a_lost_prober_is_replaced),
		cmocka_unit_test(patience_minds_the_back_off),
		cmocka_unit_test(follows_the_trunks),
		cmocka_unit_test(withholds_the_first_register),
		cmocka_unit_test(out_of_service_when_all_failed),
		cmocka_unit_test(counts_accounts_not_failures),
		cmocka_unit_test(a_server_is_not_the_account),
		cmocka_unit_test(stays_in_service_unless_told),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
