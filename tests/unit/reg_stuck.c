/*
 * What may leave an account waiting for ever: those that wait in a queue go on when
 * those before them leave it, whichever way.
 */
#include "unit/reg_world.h"

static uint32_t in_state(struct world *w, enum rg_state state)
{
	return world_counts(w).by_state[state];
}

/* Accounts NAME0 ... of the serving group of that name. */
static void accounts(GString *ini, const char *name, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		g_string_append_printf(ini, "[Account]\nName = %s%u\nServedIPGroupName = PBX\n"
				       "ServingIPGroupName = %s\nContactUser = %s%u\n"
				       "Register = 1\n", name, i, name, name, i);
}

/* A set of one server, .ip, and a group that uses it. */
static void set_of(GString *ini, const char *name, int ip, const char *group)
{
	g_string_append_printf(ini, "[ProxySet]\nName = %s\n[ProxyIp]\nProxySetId = %s\n"
			       "IpAddress = 192.0.2.%d\n", name, name, ip);
	if (group)
		g_string_append_printf(ini, "[IPGroup]\nName = %s\nProxySetName = %s\n", group, name);
}

static void group_on(GString *ini, const char *group, const char *set)
{
	g_string_append_printf(ini, "[IPGroup]\nName = %s\nProxySetName = %s\n", group, set);
}

/* Those in flight are taken away by a reload: those that wait for a place get it. */
static void window_is_given_back(void **state)
{
	struct world *w = world_new(false, false);
	GString *before = world_ini("RegisterRate = 0"), *after = world_ini("RegisterRate = 0");
	(void)state;

	for (int i = 0; i < 2; i++) {
		GString *ini = i ? after : before;

		set_of(ini, "One", 1, NULL);
		set_of(ini, "Two", 2, NULL);
		group_on(ini, "First", i ? "Two" : "One");
		group_on(ini, "Second", "One");
		accounts(ini, "First", 32);
		accounts(ini, "Second", 20);
	}
	w->peer[1].delay_ms = 20000;
	world_use(w, before);
	world_until(w, 2000);
	assert_int_equal(w->peer[1].outstanding, 32);
	w->peer[1].delay_ms = 0;
	world_use(w, after);
	world_until(w, 60000);
	assert_int_equal(world_counts(w).registered, 52);
	world_free(w);
}

/* Those that filled the backlog are removed: the starts it held up go on. */
static void backlog_is_given_back(void **state)
{
	struct world *w = world_new(false, false);
	GString *before = world_ini("RegisterRate = 0"), *after = world_ini("RegisterRate = 0");
	(void)state;

	for (int i = 0; i < 2; i++) {
		GString *ini = i ? after : before;

		set_of(ini, "One", 1, "Group");
		accounts(ini, "Group", i ? 32 : 32 + 256); /* the last ones go */
		group_on(ini, "Late", "One");
		accounts(ini, "Late", 10);
	}
	w->peer[1].delay_ms = 20000;
	world_use(w, before);
	world_until(w, 2000);
	assert_int_equal(w->peer[1].outstanding, 32);
	world_use(w, after);
	w->peer[1].delay_ms = 0;
	world_until(w, 90000);
	assert_int_equal(world_counts(w).accounts, 42);
	assert_int_equal(world_counts(w).registered, 42);
	world_free(w);
}

/* All that waited in one set left; the set after it in the ring has its turn. */
static void empty_set_ends_no_turn(void **state)
{
	struct world *w = world_new(false, false);
	GString *before = world_ini("RegisterRate = 10"), *after = world_ini("RegisterRate = 10");
	(void)state;

	for (int i = 0; i < 2; i++) {
		GString *ini = i ? after : before;

		set_of(ini, "One", 1, "First");
		set_of(ini, "Two", 2, "Second");
		set_of(ini, "Three", 3, "Third");
		accounts(ini, "First", i ? 0 : 50);
		accounts(ini, "Second", i ? 0 : 50);
		accounts(ini, "Third", 50);
	}
	world_use(w, before);
	world_until(w, 3000);
	world_use(w, after);
	world_until(w, 60000);
	assert_int_equal(world_counts(w).registered, 50);
	world_free(w);
}

/* The name does not resolve, nor does its server answer; the operator writes an address. */
static void name_becomes_an_address(void **state)
{
	struct world *w = world_new(false, false);
	GString *before = world_ini("RegisterRate = 0"), *after = world_ini("RegisterRate = 0");
	(void)state;

	g_string_append(before, "[ProxySet]\nName = One\n[ProxyIp]\nProxySetId = One\n"
				"IpAddress = sip.example\n[IPGroup]\nName = Group\nProxySetName = One\n");
	accounts(before, "Group", 5);
	set_of(after, "One", 1, "Group");
	accounts(after, "Group", 5);
	world_use(w, before);
	world_until(w, 1002);
	assert_int_equal(in_state(w, RG_SEARCHING), 5);
	world_until(w, 1004); /* the answer is on its way */
	world_use(w, after);
	world_until(w, 60000);
	assert_int_equal(world_counts(w).registered, 5);
	world_free(w);
}

/* Its group gets another set while the un-REGISTER by hand is in flight. */
static void unregistering_moves(void **state)
{
	struct world *w = world_new(false, false);
	GString *before = world_ini("RegisterRate = 0"), *after = world_ini("RegisterRate = 0");
	(void)state;

	for (int i = 0; i < 2; i++) {
		GString *ini = i ? after : before;

		set_of(ini, "One", 1, NULL);
		set_of(ini, "Two", 2, NULL);
		group_on(ini, "Group", i ? "Two" : "One");
		accounts(ini, "Group", 3);
	}
	world_use(w, before);
	world_until(w, 5000);
	assert_int_equal(world_counts(w).registered, 3);
	w->peer[1].does = SILENT;
	reg_engine_unregister(w->e, "Group0");
	reg_engine_unregister(w->e, "Group1");
	reg_engine_register(w->e, "Group1"); /* wanted again already */
	world_until(w, 5100);
	assert_int_equal(in_state(w, RG_UNREGISTERING), 2);
	world_use(w, after);
	world_until(w, 30000);
	assert_int_equal(in_state(w, RG_UNREGISTERING), 0);
	assert_int_equal(in_state(w, RG_IDLE), 1);
	assert_int_equal(world_counts(w).registered, 2);
	reg_engine_register(w->e, "Group0");
	world_until(w, 60000);
	assert_int_equal(world_counts(w).registered, 3);
	world_free(w);
}

/* A server that left its set goes when the last account bound there does, which waits
 * in its queue just then. */
static void last_one_waits(void **state)
{
	struct world *w = world_new(false, true);
	GString *before = world_ini("RegisterRate = 0\nRefreshJitter = 0");
	GString *after = world_ini("RegisterRate = 0\nRefreshJitter = 0");
	(void)state;

	for (int i = 0; i < 2; i++)
		world_write(i ? after : before, "ITSP", "RegisterWindow = 1", 1 + i, 1 + i, 2,
			    "RegistrarStickiness = 1");
	world_use(w, before);
	world_until(w, 5000);
	assert_int_equal(world_counts(w).registered, 2);
	w->peer[1].delay_ms = 2000;
	w->peer[1].code = 500;
	reg_engine_refresh(w->e, NULL);
	world_until(w, 5500);
	assert_int_equal(w->peer[1].outstanding, 1);
	world_use(w, after);
	world_until(w, 90000);
	assert_int_equal(world_counts(w).registered, 2);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(window_is_given_back),
		cmocka_unit_test(backlog_is_given_back),
		cmocka_unit_test(empty_set_ends_no_turn),
		cmocka_unit_test(name_becomes_an_address),
		cmocka_unit_test(unregistering_moves),
		cmocka_unit_test(last_one_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
