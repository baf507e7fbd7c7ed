/*
 * Random schedules: servers die and heal, keep-alive flaps, links come back, calls
 * fail, the served side and the trunks go and come.  Whatever happened, once all is
 * well every account is bound within ten minutes; and nobody floods the network.
 */
#include <stdlib.h>

#include "policy.h"

enum {
	SEEDS = 100,
	STEPS = 200,
	MOST_A_MINUTE = 30 /* three rounds over all servers, each account */
};

static struct sim s;
static uint64_t dice;

static unsigned roll(unsigned n)
{
	dice = dice * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(dice >> 33) % n;
}

static const struct set {
	const char *name;
	bool hot_swap;
	struct {
		const struct rg_policy *p;
		const char *values;
	} link[4];
} sets[] = {
	{ "plain", false, { { NULL, NULL } } },
	{ "IMS",
	  false,
	  { { &rg_policy_stickiness, "RegistrarStickiness=1" },
	    { &rg_policy_ims_search, "RegistrarStickiness=1" } } },
	{ "avoid previous",
	  false,
	  { { &rg_policy_stickiness, "RegistrarStickiness=1" },
	    { &rg_policy_avoid_previous,
	      "AccountRegistrarAvoidanceTime=180 RegistrarStickiness=1" } } },
	{ "avoid previous, homing",
	  true,
	  { { &rg_policy_redundancy,
	      "ProxyRedundancyMode=1 RegistrarStickiness=1 RegistrarSearchMode=2" },
	    { &rg_policy_stickiness, "RegistrarStickiness=1" },
	    { &rg_policy_avoid_previous,
	      "AccountRegistrarAvoidanceTime=180 RegistrarStickiness=1 ProxyRedundancyMode=1" } } },
	{ "failback 0", false, { { &rg_policy_failback, "FailbackMode=0 RetryCounts=3" } } },
	{ "failback 2", false, { { &rg_policy_failback, "FailbackMode=2 RetryCounts=0" } } },
	{ "failback 3",
	  false,
	  { { &rg_policy_failback,
	      "FailbackMode=3 FailbackTimeout=90 RetryCounts=1 FailbackSubscribe=1" } } },
	{ "parking", false, { { &rg_policy_redundancy, "ProxyRedundancyMode=0" } } },
	{ "homing", true, { { &rg_policy_redundancy, "ProxyRedundancyMode=1" } } },
	{ "homing, stickiness 2",
	  false,
	  { { &rg_policy_redundancy, "ProxyRedundancyMode=1 RegistrarStickiness=2" },
	    { &rg_policy_stickiness, "RegistrarStickiness=2" } } },
	{ "synchronised",
	  false,
	  { { &rg_policy_stickiness, "RegistrarStickiness=1" },
	    { &rg_policy_ims_search, "RegistrarStickiness=1" },
	    { &rg_policy_sync_ims, "RegistrarStickiness=1" } } },
	{ "stickiness 2, invite failure",
	  true,
	  { { &rg_policy_stickiness, "RegistrarStickiness=2" },
	    { &rg_policy_invite_failure, NULL } } },
	{ "one prober", true, { { &rg_policy_one_prober, NULL } } },
	{ "one prober, IMS",
	  false,
	  { { &rg_policy_stickiness, "RegistrarStickiness=1" },
	    { &rg_policy_ims_search, "RegistrarStickiness=1" },
	    { &rg_policy_one_prober, NULL } } },
	{ "location servers",
	  false,
	  { { &rg_policy_location_servers, "ServerSwitching=1 ServerRedundancy=1" } } },
	{ "served status, reg event",
	  true,
	  { { &rg_policy_served_status, NULL },
	    { &rg_policy_stickiness, "RegistrarStickiness=1" },
	    { &rg_policy_reg_event, "RegistrarStickiness=1" } } },
	{ "trunk group",
	  true,
	  { { &rg_policy_trunk_group,
	      "RegistrationMode=5 RegisterByTrunkGroupStatus=1 OOSOnRegistrationFail=1" } } },
};

static void set_up(const struct set *set)
{
	sim_world(&s, 3);
	for (size_t i = 0; i < 3; i++) {
		s.acc[i].a.hot_swap = set->hot_swap;
		s.acc[i].a.served_keepalive = s.acc[i].a.keepalive = 1;
		for (size_t k = 0; k < 4 && set->link[k].p; k++)
			sim_use(&s, i, set->link[k].p, set->link[k].values);
	}
}

static void something_happens(void)
{
	static const uint16_t code[] = { 0, 403, 408, 480, 486, 503 };
	struct sim_server *t = &s.srv[roll(3)];
	size_t who = roll(3);

	switch (roll(10)) {
	case 0:
		t->silent = !t->silent;
		break;
	case 1:
		t->reg_code = code[roll(6)];
		break;
	case 2:
		sim_health(&s, t->s.id, roll(2) ? RG_UP : RG_DOWN);
		break;
	case 3:
		t->inv_code = code[roll(6)];
		break;
	case 4:
		sim_link_up(&s);
		break;
	case 5:
		sim_served(&s, who, roll(3) ? RG_UP : RG_DOWN);
		break;
	case 6:
		sim_trunk(&s, roll(3) ? RG_UP : RG_DOWN);
		break;
	case 7:
		sim_notify(&s, who, (enum rg_notify)roll(RG_N_TERMINATED + 1), roll(60));
		break;
	case 8:
		sim_invite_from(&s, who, roll(5));
		break;
	default:
		sim_invite(&s, who);
	}
}

static void heal(void)
{
	for (uint32_t id = X; id <= Z; id++) {
		s.srv[id - 1].silent = false;
		s.srv[id - 1].reg_code = s.srv[id - 1].inv_code = 0;
		sim_health(&s, id, RG_UP);
	}
	for (size_t i = 0; i < 3; i++)
		sim_served(&s, i, RG_UP);
	sim_trunk(&s, RG_UP);
}

static unsigned one_schedule(const struct set *set, unsigned seed)
{
	unsigned worst = 0;

	dice = seed * 977u + 13;
	set_up(set);
	sim_start(&s);
	for (int step = 0; step < STEPS; step++) {
		unsigned before = s.registers;

		s.log[0] = '\0';
		sim_until(&s, s.now + roll(60000));
		something_happens();
		if (s.registers - before > worst)
			worst = s.registers - before;
	}
	s.log[0] = '\0';
	heal();
	sim_until(&s, s.now + 600000);
	for (size_t i = 0; i < 3; i++)
		if (!s.acc[i].v.registrar)
			fail_msg("%s, seed %u: account %zu is not bound, state %u\n%s", set->name,
				 seed, i, s.acc[i].v.state, s.log);
	return worst;
}

static void every_schedule_heals(void **st)
{
	(void)st;
	for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
		unsigned worst = 0;

		for (unsigned seed = 0; seed < SEEDS; seed++) {
			unsigned here = one_schedule(&sets[i], seed);

			worst = here > worst ? here : worst;
		}
		if (worst > MOST_A_MINUTE)
			fail_msg("%s: %u REGISTERs within a minute", sets[i].name, worst);
		printf("# %s: at most %u REGISTERs of three accounts in a step of a minute\n",
		       sets[i].name, worst);
	}
}

int main(void)
{
	const struct CMUnitTest t[] = { cmocka_unit_test(every_schedule_heals) };

	return cmocka_run_group_tests(t, NULL, NULL);
}
