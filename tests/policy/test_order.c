/* Every order hook, alone and in the chains that occur, over all states of three
 * servers: health, failed, where we are bound, who refused, and the purpose. */
#include "policy.h"

static struct sim s;

enum trait {
	PINS_CALLS = 1,	  /* bound and reachable: calls go there alone       */
	PINS_REFRESH = 2, /* and refreshes                                   */
	DOWN_LAST = 4,	  /* who is down comes behind who is not: REGISTER   */
	AVOIDS = 8,	  /* X was left a while ago                          */
	WHOLE = 16	  /* unless pinned or avoided, everybody is asked    */
};

static const struct chain {
	const char *name;
	unsigned traits;
	struct {
		const struct rg_policy *p;
		const char *values;
	} link[4];
} chains[] = {
	{ "stickiness 1", PINS_CALLS | PINS_REFRESH | WHOLE | DOWN_LAST,
	  { { &rg_policy_stickiness, "RegistrarStickiness=1" } } },
	{ "stickiness 2", PINS_CALLS | WHOLE | DOWN_LAST,
	  { { &rg_policy_stickiness, "RegistrarStickiness=2" } } },
	{ "IMS 1", PINS_CALLS | PINS_REFRESH | WHOLE | DOWN_LAST,
	  { { &rg_policy_stickiness, "RegistrarStickiness=1" },
	    { &rg_policy_ims_search, "RegistrarStickiness=1" } } },
	{ "IMS 2", PINS_CALLS | WHOLE | DOWN_LAST,
	  { { &rg_policy_stickiness, "RegistrarStickiness=2" },
	    { &rg_policy_ims_search, "RegistrarStickiness=2" } } },
	{ "avoid previous", PINS_CALLS | AVOIDS | WHOLE | DOWN_LAST,
	  { { &rg_policy_stickiness, "RegistrarStickiness=1" },
	    { &rg_policy_avoid_previous, "RegistrarStickiness=1" } } },
	{ "avoid previous, homing", PINS_CALLS | AVOIDS | WHOLE | DOWN_LAST,
	  { { &rg_policy_redundancy, "ProxyRedundancyMode=1" },
	    { &rg_policy_stickiness, "RegistrarStickiness=2" },
	    { &rg_policy_avoid_previous, "RegistrarStickiness=2" } } },
	{ "parking", WHOLE | DOWN_LAST, { { &rg_policy_redundancy, "ProxyRedundancyMode=0" } } },
	{ "homing", WHOLE | DOWN_LAST, { { &rg_policy_redundancy, "ProxyRedundancyMode=1" } } },
	{ "parking, stickiness 1, IMS", PINS_CALLS | PINS_REFRESH | WHOLE | DOWN_LAST,
	  { { &rg_policy_redundancy, "ProxyRedundancyMode=0" },
	    { &rg_policy_stickiness, "RegistrarStickiness=1" },
	    { &rg_policy_ims_search, "RegistrarStickiness=1" } } },
	{ "failback 0", WHOLE | DOWN_LAST, { { &rg_policy_failback, "FailbackMode=0" } } },
	{ "failback 3", WHOLE | DOWN_LAST,
	  { { &rg_policy_failback, "FailbackMode=3 FailbackTimeout=600" } } },
	{ "location servers", WHOLE | DOWN_LAST,
	  { { &rg_policy_location_servers, "ServerRedundancy=1" } } },
	{ "invite failure", WHOLE, { { &rg_policy_invite_failure, NULL } } },
	{ "skeleton", WHOLE | DOWN_LAST, { { &rg_policy_skeleton, NULL } } },
};

struct state {
	uint8_t health[3];
	bool failed[3];
	uint32_t registrar, refused;
	enum rg_purpose why;
};

static void set_up(const struct chain *ch, struct sim_link *link[4])
{
	sim_world(&s, 1);
	for (size_t i = 0; i < 4 && ch->link[i].p; i++)
		link[i] = sim_use(&s, 0, ch->link[i].p, ch->link[i].values);
	for (size_t i = 0; i < s.acc[0].nlink; i++) { /* X, then Y: X was left */
		struct rg_ctx c = sim_ctx(&s, 0, &s.acc[0].link[i]);

		if (!c.slot || !s.acc[0].link[i].p->event)
			continue;
		for (uint32_t id = X; id <= Y; id++) {
			struct rg_act a = { 0 };

			s.acc[0].link[i].p->event(&c,
						  &(struct rg_event){ .type = RG_EV_BOUND,
								      .server = id,
								      .expires = 480 },
						  &a);
		}
	}
}

static void apply_state(const struct state *t)
{
	for (size_t i = 0; i < 3; i++) {
		s.srv[i].s.health = t->health[i];
		s.srv[i].s.failed = t->failed[i];
	}
	s.acc[0].v.registrar = t->registrar;
	s.acc[0].v.refused = t->refused;
}

static void base(struct rg_list *l, const struct state *t)
{
	const struct rg_view *v = &s.acc[0].v;

	sim_ctx(&s, 0, &s.acc[0].link[0]); /* fills the view */
	rg_list_ranked(l, v, t->why == RG_FOR_DIALOG ? RG_PROXY : RG_REGISTRAR);
	rg_list_sink_failed(l, v);
	rg_list_back(l, v->refused);
	rg_list_sink_down(l, v);
}

static bool pinned(unsigned traits, const struct state *t)
{
	bool calls = t->why == RG_FOR_DIALOG || t->why == RG_FOR_SUBSCRIBE;
	bool reachable =
		t->registrar >= X && t->registrar <= Z && t->health[t->registrar - 1] != RG_DOWN;

	return reachable && ((calls && traits & PINS_CALLS) ||
			     (t->why == RG_FOR_REFRESH && traits & PINS_REFRESH));
}

#define HOLDS(what)                                                                                \
	do {                                                                                       \
		if (!(what))                                                                       \
			fail_msg("%s: " #what                                                      \
				 ": health %u%u%u failed %u%u%u at %u refused %u why %u",          \
				 ch->name, t->health[0], t->health[1], t->health[2], t->failed[0], \
				 t->failed[1], t->failed[2], t->registrar, t->refused, t->why);    \
	} while (0)

static void look_at(const struct chain *ch, const struct state *t, const struct rg_list *l)
{
	bool registers = t->why == RG_FOR_SEARCH || t->why == RG_FOR_REFRESH;
	bool alone = pinned(ch->traits, t), avoided = ch->traits & AVOIDS && registers;

	HOLDS(l->n <= 3);
	for (int i = 0; i < l->n; i++) {
		HOLDS(l->id[i] >= X && l->id[i] <= Z);		      /* nothing invented */
		HOLDS(l->how[i] == RG_SEND);
		for (int k = 0; k < i; k++) {
			HOLDS(l->id[k] != l->id[i]);		      /* nothing twice */
			HOLDS(!(ch->traits & DOWN_LAST) || !registers ||
			      t->health[l->id[k] - 1] != RG_DOWN ||
			      t->health[l->id[i] - 1] == RG_DOWN);
		}
	}
	HOLDS(!alone || (l->n == 1 && l->id[0] == t->registrar));     /* pinned: alone */
	HOLDS(!avoided || !rg_list_has(l, X));			      /* avoided: absent */
	HOLDS(alone || !(ch->traits & WHOLE) || l->n == (avoided ? 2 : 3));
}

static void try_all(const struct chain *ch)
{
	struct sim_link *link[4] = { NULL };

	set_up(ch, link);
	for (unsigned n = 0; n < 27u * 8 * 5 * 4 * 4; n++) {
		struct state st = {
			.health = { (uint8_t)(n % 3), (uint8_t)(n / 3 % 3), (uint8_t)(n / 9 % 3) },
			.failed = { n / 27 & 1, n / 54 & 1, n / 108 & 1 },
			.registrar = n / 216 % 5 == 4 ? GONE : n / 216 % 5,
			.refused = n / 1080 % 4,
			.why = (enum rg_purpose)(n / 4320 % 4),
		};
		struct rg_list l;

		apply_state(&st);
		base(&l, &st);
		for (size_t i = 0; i < s.acc[0].nlink; i++) {
			struct rg_ctx c = sim_ctx(&s, 0, &s.acc[0].link[i]);

			if (s.acc[0].link[i].p->order)
				s.acc[0].link[i].p->order(&c, st.why, &l);
		}
		look_at(ch, &st, &l);
	}
}

static void all_states_of_three_servers(void **st)
{
	(void)st;
	for (size_t i = 0; i < sizeof chains / sizeof *chains; i++)
		try_all(&chains[i]);
}

/* An empty set, and a full one. */
static void any_number_of_servers(void **st)
{
	static struct rg_server srv[RG_SERVERS];

	(void)st;
	for (size_t k = 0; k < RG_SERVERS; k++)
		srv[k] = (struct rg_server){ .id = (uint32_t)k + 1,
					     .rank = (uint16_t)k,
					     .roles = 3,
					     .health = k % 5 ? RG_UP : RG_DOWN,
					     .failed = k % 7 == 1,
					     .host = "" };
	for (size_t i = 0; i < sizeof chains / sizeof *chains; i++)
		for (size_t n = 0; n <= RG_SERVERS; n += RG_SERVERS) {
			struct sim_link *link[4] = { NULL };
			struct rg_list l = { .n = 0 };

			set_up(&chains[i], link);
			for (size_t k = 0; k < s.acc[0].nlink; k++) {
				struct rg_ctx c = sim_ctx(&s, 0, &s.acc[0].link[k]);

				s.acc[0].v.srv = srv;
				s.acc[0].v.nsrv = n;
				if (s.acc[0].link[k].p->order)
					s.acc[0].link[k].p->order(&c, RG_FOR_SEARCH, &l);
			}
			assert_true(l.n <= n);
		}
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(all_states_of_three_servers),
		cmocka_unit_test(any_number_of_servers),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
