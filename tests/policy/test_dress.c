/* Policies about the request itself: gin, random_user, udp_port, startup_unregister;
 * and the two that do nothing, skeleton and idle_service. */
#include <ctype.h>

#include "policy.h"

static struct sim s;
static struct sim_link *link;
static char headers[256];

static struct rg_ctx with(const struct rg_policy *p, const char *values)
{
	sim_world(&s, 1);
	link = sim_use(&s, 0, p, values);
	return sim_ctx(&s, 0, link);
}

static struct rg_request request(uint8_t method)
{
	struct rg_request r = { .method = method, .server = X, .expires = 60, .headers = headers,
				.headers_size = sizeof headers };

	headers[0] = '\0';
	rg_set(r.contact_user, sizeof r.contact_user, "pbx");
	return r;
}

/* ---- gin ------------------------------------------------------------------------------ */

static void gin_contact(void **st)
{
	struct rg_ctx c = with(&rg_policy_gin, NULL);

	(void)st;
	for (uint8_t m = RG_M_REGISTER; m <= RG_M_OTHER; m++) {
		struct rg_request r = request(m);
		bool reg = m == RG_M_REGISTER;

		link->p->request(&c, &r);
		assert_string_equal(r.contact_user, reg ? "" : "pbx");
		assert_string_equal(r.contact_params, reg ? "bnc" : "");
		headers[r.headers_len] = '\0';
		assert_string_equal(headers, reg ? "Supported: path\r\nRequire: gin\r\n"
						   "Proxy-Require: gin\r\n" :
						   "");
	}
}

/* ---- random_user ----------------------------------------------------------------------- */

static void random_contact(void **st)
{
	struct rg_ctx c = with(&rg_policy_random_user, NULL);
	char first[256];

	(void)st;
	for (uint8_t m = RG_M_REGISTER; m <= RG_M_OTHER; m++) { /* 1: the same in all */
		struct rg_request r = request(m);

		s.acc[0].v.seed = 0xfeed;
		link->p->request(&c, &r);
		assert_true(islower((unsigned char)r.contact_user[0]));
		assert_int_equal(strlen(r.contact_user), 17);
		if (m > RG_M_REGISTER)
			assert_string_equal(r.contact_user, first);
		memcpy(first, r.contact_user, sizeof first);
		s.acc[0].v.seed = 0xbeef; /* 2 */
		link->p->request(&c, &r);
		assert_string_not_equal(r.contact_user, first);
		r.contact_user[0] = '\0'; /* 3 */
		link->p->request(&c, &r);
		assert_string_equal(r.contact_user, "");
	}
}

/* ---- udp_port -------------------------------------------------------------------------- */

static void waits_for_a_port(void **st)
{
	(void)st;
	with(&rg_policy_udp_port, NULL);
	assert_int_equal(link->p->wants, RG_WANTS_PORT);
	sim_start(&s);
	sim_until(&s, HMS(0, 0, 5));
	sim_invite(&s, 0);
	sim_port(&s, 0, 6000);
	sim_until(&s, HMS(0, 0, 6));
	sim_invite(&s, 0);
	assert_string_equal(s.log, "00:00:05 a refused 500\n"
				   "00:00:05 a REGISTER X 480\n"
				   "00:00:06 a INVITE X 200\n");
}

static void one_port_one_account(void **st)
{
	static const struct {
		const char *rule;
		uint16_t port, local;
		uint32_t registrar;
		bool from_serving, other;
		uint16_t want;
	} row[] = {
		{ "3: on its port", 6000, 6000, X, true, false, 0 },
		{ "3: on another", 6000, 5060, X, true, false, 404 },
		{ "3: for another account", 6000, 6000, X, true, true, 404 },
		{ "3: no port", 0, 0, X, true, false, 404 },
		{ "4: a call", 6000, 5060, X, false, false, 0 },
		{ "4: no port", 0, 5060, X, false, false, 500 },
		{ "4: not registered", 6000, 5060, 0, false, false, 500 },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++)
		for (uint8_t m = RG_M_INVITE; m <= RG_M_OTHER; m++) {
			struct rg_ctx c = with(&rg_policy_udp_port, NULL);
			struct rg_request r = request(m);
			struct rg_act a = { 0 };
			uint16_t code;

			s.acc[0].v.port = row[i].port;
			s.acc[0].v.registrar = row[i].registrar;
			code = admitted(link->p, &c,
					(struct rg_dialog){ .from_serving = row[i].from_serving,
							    .method = m,
							    .matched_other = row[i].other,
							    .local_port = row[i].local },
					&a);
			if (code != row[i].want)
				fail_msg("%s: %u", row[i].rule, code);
			link->p->request(&c, &r); /* 2 */
			assert_int_equal(r.local_port, row[i].port);
			assert_int_equal(link->p->goal(&c), row[i].port ? RG_REGISTER : RG_HOLD);
		}
}

static void needs_ports_to_take(void **st)
{
	struct rg_ctx c = with(&rg_policy_udp_port, NULL);

	(void)st;
	assert_int_equal(checked(link->p, &c), RG_ERROR);
	s.acc[0].a.has_ports = true;
	assert_int_equal(checked(link->p, &c), RG_OK);
	s.acc[0].a.reg = RG_REG_NO;
	assert_int_equal(checked(link->p, &c), RG_ERROR);
	s.acc[0].a.served = 0;
	assert_int_equal(checked(link->p, &c), RG_SKIP);
}

/* ---- startup_unregister ------------------------------------------------------------------ */

/* 1, 2 */
static void forgets_old_bindings_first(void **st)
{
	(void)st;
	with(&rg_policy_startup_unregister, NULL);
	s.acc[0].v.registrar = Y; /* a resumed lease */
	sim_start(&s);
	sim_until(&s, HMS(0, 5, 0));
	assert_string_equal(s.log, "00:00:00 a REGISTER Y 0 *\n"
				   "00:00:01 a REGISTER X 480\n"
				   "00:04:01 a REGISTER X 480\n");
}

/* 1: not after a reload, not for who does not register, and once. */
static void only_when_the_process_starts(void **st)
{
	static const struct {
		uint16_t code;
		uint8_t reg;
		int verb;
	} row[] = {
		{ 1, RG_REG_REGULAR, RG_DO_UNREGISTER },
		{ 0, RG_REG_REGULAR, NOTHING },
		{ 1, RG_REG_NO, NOTHING },
	};

	(void)st;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct rg_ctx c = with(&rg_policy_startup_unregister, NULL);
		struct rg_event e = { .type = RG_EV_START, .code = row[i].code };
		struct rg_request r = request(RG_M_REGISTER);

		s.acc[0].a.reg = row[i].reg;
		assert_int_equal(outcome_of(link->p, &c, e).verb, row[i].verb);
		e.code = 1;
		assert_int_equal(outcome_of(link->p, &c, e).verb, NOTHING);
		assert_int_equal(link->p->goal(&c), row[i].verb == NOTHING ? RG_REGISTER : RG_HOLD);
		r.expires = 0;
		link->p->request(&c, &r);
		assert_int_equal(r.all_contacts, row[i].verb != NOTHING);
	}
}

/* 3: an answer that never comes. */
static void waits_only_so_long(void **st)
{
	struct rg_ctx c = with(&rg_policy_startup_unregister, NULL);
	struct rg_request r = request(RG_M_REGISTER), call = request(RG_M_INVITE);
	struct rg_act a = { 0 };

	(void)st;
	link->p->event(&c, &(struct rg_event){ .type = RG_EV_START, .code = 1 }, &a);
	assert_int_equal(a.wake_at, 40000);
	link->p->request(&c, &r);
	link->p->request(&c, &call);
	assert_false(r.all_contacts || call.all_contacts);
	untouched_by_others(link->p, &c, 1u << RG_EV_TIMER);
	outcome_of(link->p, &c,
		   (struct rg_event){ .type = RG_EV_RESULT, .method = RG_M_INVITE });
	assert_int_equal(link->p->goal(&c), RG_HOLD);
	assert_int_equal(outcome_of(link->p, &c, (struct rg_event){ .type = RG_EV_TIMER }).verb,
			 NOTHING);
	assert_int_equal(link->p->goal(&c), RG_REGISTER);
	a.wake_at = 0; /* and it is done: later answers mean nothing */
	link->p->event(&c, &(struct rg_event){ .type = RG_EV_RESULT, .method = RG_M_REGISTER }, &a);
	assert_int_equal(a.wake_at, 0);
}

/* 4: nobody could be asked; again when there is news. */
static void waits_for_somebody_to_ask(void **st)
{
	static const uint8_t news[] = { RG_EV_TIMER, RG_EV_SERVERS, RG_EV_GROUP };
	struct rg_event nobody = { .type = RG_EV_RESULT, .method = RG_M_REGISTER };
	struct rg_event asked = { .type = RG_EV_RESULT, .method = RG_M_REGISTER, .server = X };
	struct rg_ctx c = with(&rg_policy_startup_unregister, NULL);
	struct rg_act a = { 0 };

	(void)st;
	outcome_of(link->p, &c, (struct rg_event){ .type = RG_EV_START, .code = 1 });
	for (size_t i = 0; i < sizeof news / sizeof *news; i++) {
		link->p->event(&c, &nobody, &a);
		assert_int_equal(a.wake_at, 30000);
		assert_int_equal(link->p->goal(&c), RG_HOLD);
		assert_int_equal(outcome_of(link->p, &c, (struct rg_event){ .type = news[i] }).verb,
				 RG_DO_UNREGISTER);
	}
	link->p->event(&c, &asked, &a);
	assert_int_equal(a.wake_at, 1000);
	outcome_of(link->p, &c, (struct rg_event){ .type = RG_EV_TIMER });
	assert_int_equal(link->p->goal(&c), RG_REGISTER);
}

/* ---- those that do nothing ------------------------------------------------------------------ */

static void skeleton_changes_nothing(void **st)
{
	struct rg_ctx c = with(&rg_policy_skeleton, "Skeleton=1");
	struct rg_request r = request(RG_M_REGISTER), before = r;
	struct rg_list l = { .id = { X, Y, Z }, .n = 3 };
	struct rg_act a = { 0 };

	(void)st;
	link->p->order(&c, RG_FOR_SEARCH, &l);
	assert_int_equal(l.n, 3);
	link->p->request(&c, &r);
	assert_memory_equal(&r, &before, sizeof r);
	assert_int_equal(admitted(link->p, &c, (struct rg_dialog){ .method = RG_M_INVITE }, &a), 0);
	untouched_by_others(link->p, &c, 0);
	assert_int_equal(checked(link->p, &c), RG_OK);
	s.acc[0].a.reg = RG_REG_NO;
	assert_int_equal(checked(link->p, &c), RG_SKIP);
	s.acc[0].a.reg = RG_REG_REGULAR;
	sim_start(&s);
	sim_until(&s, HMS(0, 4, 0));
	assert_string_equal(s.log, "00:00:00 a REGISTER X 480\n00:04:00 a REGISTER X 480\n");
}

static int said;

static void say(struct rg_self *self, int prio, const char *fmt, ...)
{
	(void)self;
	(void)fmt;
	said = prio;
}

static void idle_service_starts_and_stops(void **st)
{
	const struct rg_service *p = &rg_service_idle_service;
	struct rg_host host = { .abi = RG_ABI, .size = sizeof host, .log = say };
	struct rg_fault f = { "" };
	void *priv = &host;

	(void)st;
	assert_int_equal(p->m.kind, RG_SERVICE_KIND);
	assert_int_equal(p->start(&host, NULL, NULL, &priv, &f), 0);
	assert_int_equal(said, RG_LOG_INFO);
	assert_true(p->reconf(priv, NULL));
	p->transitions(priv, NULL, 0);
	p->stop(priv);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(gin_contact),
		cmocka_unit_test(random_contact),
		cmocka_unit_test(waits_for_a_port),
		cmocka_unit_test(one_port_one_account),
		cmocka_unit_test(needs_ports_to_take),
		cmocka_unit_test(forgets_old_bindings_first),
		cmocka_unit_test(only_when_the_process_starts),
		cmocka_unit_test(waits_only_so_long),
		cmocka_unit_test(waits_for_somebody_to_ask),
		cmocka_unit_test(skeleton_changes_nothing),
		cmocka_unit_test(idle_service_starts_and_stops),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
