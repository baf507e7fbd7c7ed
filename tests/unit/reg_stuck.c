/*
 * What may leave an account waiting for ever: those that wait in a queue go on when
 * those before them leave it, whichever way.
 */
#include <errno.h>

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

/* It waits for one of the ports of an interface, and its set goes to another interface,
 * which has some. */
static void waits_for_the_right_port(void **state)
{
	struct world *w = world_new(false, true);
	GString *before = world_ini("RegisterRate = 0"), *after = world_ini("RegisterRate = 0");
	(void)state;

	for (int i = 0; i < 2; i++) {
		GString *ini = i ? after : before;

		g_string_append(ini, "[SIPInterface]\nName = inside\nUDPPort = 5060\n"
				     "AdditionalUDPPorts = 6000-6000\n"
				     "[SIPInterface]\nName = outside\nUDPPort = 5070\n"
				     "TCPPort = 0\n"
				     "AdditionalUDPPorts = 7000-7001\n");
		world_write(ini, "One", "SIPInterfaceName = inside", 1, 1, 1,
			    "UDPPortAssignment = 1");
		world_write(ini, "Two", i ? "SIPInterfaceName = outside"
					  : "SIPInterfaceName = inside", 2, 2, 1,
			    "UDPPortAssignment = 1");
	}
	world_use(w, before);
	world_until(w, 5000);
	assert_int_equal(world_counts(w).registered, 1);
	assert_int_equal(in_state(w, RG_HELD), 1);
	world_use(w, after);
	world_until(w, 120000);
	assert_int_equal(world_counts(w).registered, 2);
	world_free(w);
}

static int nowhere(void *arg, const struct reg_message *m)
{
	(void)arg;
	(void)m;
	return ENETUNREACH;
}

/* UnregisterOnStartup: the un-REGISTER cannot even be sent.  That is an answer, too. */
static void good_bye_cannot_be_sent(void **state)
{
	struct world *w = world_new(false, true);
	GString *ini = world_ini("RegisterRate = 0\nUnregisterOnStartup = 1");
	(void)state;

	world_write(ini, "ITSP", "", 1, 1, 2, "");
	w->port.send_register = nowhere;
	world_use(w, ini);
	world_until(w, 1500);
	w->port.send_register = world_register;
	world_until(w, 10000);
	assert_int_equal(world_counts(w).registered, 2);
	world_free(w);
}

static int taken(void *arg, uint32_t interface, uint16_t port)
{
	(void)interface;
	(void)port;
	return ((struct world *)arg)->arg ? EADDRINUSE : 0;
}

static void closed(void *arg, uint32_t interface, uint16_t port)
{
	(void)arg;
	(void)interface;
	(void)port;
}

/* Ports are open while they are needed, and somebody else has taken those of many accounts
 * meanwhile: the server that they would have asked is as well as before. */
static void port_is_no_servers_fault(void **state)
{
	struct world *w = world_new(false, true);
	GString *ini = world_ini("RegisterRate = 0\nRefreshJitter = 0");
	(void)state;

	g_string_append(ini, "[SIPInterface]\nName = outside\nAdditionalUDPPorts = 6000-6009\n"
			     "AdditionalUDPPortsMode = 1\n");
	world_write(ini, "Own", "", 1, 1, 10, "UDPPortAssignment = 1");
	world_write(ini, "Any", "", 1, 1, 1, "");
	w->port.open_port = taken;
	w->port.close_port = closed;
	w->peer[1].code = 500;
	world_use(w, ini);
	world_until(w, 2000);
	assert_int_equal(in_state(w, RG_BACKOFF), 11);
	w->arg = w; /* the ports were closed, and are taken now */
	w->peer[1].code = 0;
	world_until(w, 32500);
	assert_int_equal(world_counts(w).registered, 1);
	w->arg = NULL;
	world_until(w, 120000);
	assert_int_equal(world_counts(w).registered, 11);
	assert_int_equal(w->peer[1].probes, 0);
	world_free(w);
}

/* It becomes another account twice while the first one's good-bye is unanswered: the last
 * one begins when that is over, not before. */
static void heir_of_an_heir(void **state)
{
	struct world *w = world_new(false, false);
	uint32_t sent;
	(void)state;

	for (int i = 0; i < 3; i++) {
		GString *ini = world_ini("RegisterRate = 0");
		char user[64];

		snprintf(user, sizeof user, "HostName = host%d.example", i);
		world_write(ini, "ITSP", "", 1, 1, 1, user);
		world_use(w, ini);
		world_until(w, 2000 + 500 * i);
		w->peer[1].does = SILENT;
	}
	assert_int_equal(w->unregisters, 1);
	sent = w->sent;
	w->peer[1].does = OK;
	world_until(w, 5500); /* the good-bye is waited for until 6000 */
	assert_int_equal(w->sent, sent);
	world_until(w, 9000);
	assert_int_equal(world_counts(w).accounts, 1);
	assert_int_equal(world_counts(w).registered, 1);
	world_free(w);
}

/* Its policies hold it, and the lease ends: no search begins. */
static void held_when_the_lease_ends(void **state)
{
	struct world *w = world_new(false, true);
	GString *ini = world_ini("RegisterRate = 0");
	uint32_t sent;
	(void)state;

	g_string_append(ini, "[ProxySet]\nName = In\nEnableProxyKeepAlive = 1\n"
			     "[ProxyIp]\nProxySetId = In\nIpAddress = 192.0.2.9\n"
			     "[IPGroup]\nName = Office\nProxySetName = In\n");
	set_of(ini, "One", 1, "ITSP");
	g_string_append(ini, "[Account]\nName = a\nServedIPGroupName = Office\n"
			     "ServingIPGroupName = ITSP\nContactUser = a\nRegister = 1\n"
			     "RegByServedIPG = 1\n");
	w->peer[1].grant = 1;
	world_use(w, ini);
	world_until(w, 4100);
	assert_int_equal(world_counts(w).registered, 1);
	sent = w->sent;
	reg_engine_believe_group(w->e, "Office", RG_UNKNOWN);
	world_until(w, 30000);
	assert_int_equal(w->sent, sent);
	assert_int_equal(in_state(w, RG_HELD), 1);
	reg_engine_believe_group(w->e, "Office", RG_UP);
	world_until(w, 30500);
	assert_int_equal(world_counts(w).registered, 1);
	world_free(w);
}

/* A reload takes the server away that is just being asked: its 2xx is no reason to stay
 * there until the refresh, nor to wait for the retry time. */
static void answered_by_one_that_left(void **state)
{
	(void)state;
	for (int other = 0; other < 2; other++) { /* it stays in another set, or is gone */
		struct world *w = world_new(false, false);

		for (int i = 0; i < 2; i++) {
			GString *ini = world_ini("RegisterRate = 0");

			set_of(ini, "One", 1 + i, "Group");
			set_of(ini, "Two", other ? 1 : 3, "Other");
			accounts(ini, "Group", 3);
			w->peer[1].delay_ms = 3000;
			world_use(w, ini);
			world_until(w, 2000);
		}
		assert_int_equal(w->peer[1].outstanding, 3);
		world_until(w, 8000);
		assert_int_equal(w->peer[2].sent, 3);
		assert_int_equal(world_counts(w).registered, 3);
		world_free(w);
	}
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
		cmocka_unit_test(waits_for_the_right_port),
		cmocka_unit_test(good_bye_cannot_be_sent),
		cmocka_unit_test(heir_of_an_heir),
		cmocka_unit_test(held_when_the_lease_ends),
		cmocka_unit_test(answered_by_one_that_left),
		cmocka_unit_test(port_is_no_servers_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
