/* The engine from outside: its end wherever it is, late answers, what it tells. */
#include "unit/reg_world.h"

static struct reg_account_info account(struct world *w, const char *name)
{
	struct reg_account_info x;

	assert_true(reg_engine_find(w->e, name, &x));
	return x;
}

static struct world *start(const char *set, unsigned n)
{
	struct world *w = world_new(false, false);
	GString *ini = world_ini("RegisterRate = 0\nUnregisterOldRegistrar = 1");

	world_write(ini, "ITSP", set, 1, 3, n, "");
	g_string_append(ini, "[ProxySet]\nName = Named\n[ProxyIp]\nProxySetId = Named\n"
			     "IpAddress = sip.itsp.example\n[IPGroup]\nName = Named\n"
			     "ProxySetName = Named\n[Account]\nName = named\n"
			     "ServedIPGroupName = PBX\nServingIPGroupName = Named\n"
			     "ContactUser = 1\nRegister = 1\n");
	world_use(w, ini);
	return w;
}

/* Freed at any time, nothing is left: no timer, no request that was not forgotten. */
static void ends_anywhere(void **state)
{
	static const rg_ms when[] = { 1000, 1001, 1002, 1010, 1500, 3000, 9000, 20000, 40000,
				      300000 };
	(void)state;

	world_free(world_new(true, false));
	world_free(world_new(false, false));
	for (size_t i = 0; i < G_N_ELEMENTS(when); i++)
		for (uint8_t does = OK; does <= LATE; does++) {
			struct world *w = start("IsProxyHotSwap = 1\nEnableProxyKeepAlive = 1",
						200);

			w->peer[1].does = does;
			w->peer[1].delay_ms = 40;
			w->peer[2].delay_ms = 3;
			w->dns_silent = i % 2;
			world_until(w, when[i]);
			if (i % 3 == 0)
				reg_engine_unregister(w->e, NULL);
			if (i % 3 == 1)
				reg_engine_refresh(w->e, NULL);
			world_free(w);
		}
}

/* A 200 that comes after the attempt was given up is welcome while there is nothing
 * better, and otherwise has no effect. */
static void late_answers(void **state)
{
	struct world *w = start("", 1);
	uint32_t sent;
	(void)state;

	w->peer[1].does = LATE;
	w->peer[1].delay_ms = 2000;
	world_until(w, 1000 + 32500);
	assert_int_equal(account(w, "ITSP0").state, RG_BACKOFF);
	world_until(w, 1000 + 35000);
	assert_int_equal(account(w, "ITSP0").state, RG_BOUND);
	assert_int_equal(account(w, "ITSP0").registrar.ip[3], 1);
	sent = w->peer[2].sent;
	world_until(w, 1000 + 100000);
	assert_int_equal(w->peer[2].sent, sent);
	world_free(w);

	w = start("IsProxyHotSwap = 1", 1);
	w->peer[1].does = LATE;
	w->peer[1].delay_ms = 2000;
	world_until(w, 1000 + 20000);
	assert_int_equal(account(w, "ITSP0").registrar.ip[3], 2);
	assert_int_equal(account(w, "ITSP0").register_ok, 1);
	world_free(w);
}

/* Late answers for an account that is gone meanwhile bind nobody else. */
static void late_for_nobody(void **state)
{
	struct world *w = start("", 20);
	GString *ini = world_ini("RegisterRate = 0");
	(void)state;

	w->peer[1].does = LATE;
	w->peer[1].delay_ms = 5000;
	world_until(w, 1000 + 33000);
	for (unsigned i = 1; i <= 3; i++)
		w->peer[i] = (struct peer){ .code = 500 };
	world_write(ini, "ITSP", "", 1, 1, 0, "");
	world_write(ini, "Other", "", 1, 3, 20, "");
	world_use(w, ini);
	world_until(w, 1000 + 45000);
	assert_int_equal(world_counts(w).registered, 0);
	world_free(w);
}

/* Counters and rows agree. */
static void tells(void **state)
{
	struct world *w = start("", 50);
	struct reg_account_info x;
	struct reg_server_info s;
	struct reg_explanation why;
	struct reg_counts c;
	uint32_t pos = 0, rows = 0, bound = 0, set = 0, rank = 0, servers = 0, sum = 0;
	(void)state;

	w->answer[0] = (struct reg_resolved){ .ttl = 60 };
	assert_true(rg_addr_parse(&w->answer[0].addr, "192.0.2.9:5060"));
	w->n_answer = 1;
	world_until(w, 5000);
	c = world_counts(w);
	assert_int_equal(c.accounts, 51);
	assert_int_equal(c.registered, 51);
	assert_int_equal(c.by_state[RG_BOUND], 51);
	assert_int_equal(c.register_sent, w->sent);
	while (reg_engine_next(w->e, &pos, &x, rows % 2)) {
		rows++;
		bound += x.registered;
		assert_in_range(x.expires_in, 590, 600);
		assert_in_range(x.next_attempt_in, 260, 300);
		assert_int_equal(x.last_code, 200);
		assert_int_equal(x.register_ok, 1);
	}
	assert_int_equal(rows, 51);
	assert_int_equal(bound, 51);
	while (reg_engine_next_server(w->e, &set, &rank, &s)) {
		servers++;
		sum += s.accounts;
	}
	assert_int_equal(servers, 4);
	assert_int_equal(sum, 51);
	x = account(w, "ITSP7");
	assert_string_equal(x.aor, "sip:ITSP7@itsp.example");
	assert_string_equal(x.served, "PBX");
	assert_int_equal(x.n_transitions, 2);
	assert_int_equal(x.transition[1].to, RG_BOUND);
	assert_true(reg_engine_explain(w->e, "ITSP7", &why));
	assert_string_equal(why.goal, "register");
	assert_int_equal(why.now[0].n, 3);
	assert_false(reg_engine_explain(w->e, "nobody", &why));
	assert_false(reg_engine_find(w->e, "nobody", &x));
	assert_int_equal(reg_engine_register(w->e, "nobody"), 0);
	world_free(w);
}

/* The last 16 transitions, oldest first; refreshes that only renew are counted. */
static void transitions(void **state)
{
	struct world *w = start("IsProxyHotSwap = 1", 1);
	struct reg_account_info x;
	(void)state;

	world_until(w, 1000 * 3600);
	x = account(w, "ITSP0");
	assert_int_equal(x.n_transitions, 2);
	assert_in_range(x.renewals, 11, 14);
	for (unsigned i = 0; i < 20; i++) {
		reg_engine_unregister(w->e, "ITSP0");
		world_until(w, rg_now(w->timers) + 1000);
		reg_engine_register(w->e, "ITSP0");
		world_until(w, rg_now(w->timers) + 1000);
	}
	x = account(w, "ITSP0");
	assert_int_equal(x.n_transitions, REG_TRANSITIONS);
	for (unsigned i = 1; i < REG_TRANSITIONS; i++) {
		assert_true(x.transition[i].at >= x.transition[i - 1].at);
		assert_int_equal(x.transition[i].from, x.transition[i - 1].to);
	}
	assert_int_equal(x.transition[REG_TRANSITIONS - 1].to, RG_BOUND);
	world_free(w);
}

/* Every account says good-bye, once, at a stop. */
static void stops(void **state)
{
	struct world *w = start("IsProxyHotSwap = 1", 300);
	(void)state;

	world_until(w, 5000);
	w->peer[1].delay_ms = 50;
	reg_engine_unregister_all(w->e);
	world_until(w, 20000);
	assert_int_equal(reg_engine_busy(w->e), 0);
	assert_int_equal(w->unregisters, 300);
	assert_int_equal(world_counts(w).registered, 0);
	world_until(w, 4000000);
	assert_int_equal(w->unregisters, 300);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_anywhere), cmocka_unit_test(late_answers),
		cmocka_unit_test(late_for_nobody), cmocka_unit_test(tells),
		cmocka_unit_test(transitions), cmocka_unit_test(stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
