/* Requests on their way while everything else happens: servers that change their minds,
 * reloads, accounts that come and go, callers that give up.  Each gets its one word when one
 * is due, what it was lent lives as long as promised, and nothing stays.  RG_SEED repeats a
 * run that failed. */
#include "unit/reg_world.h"

#include "reg/route.h"

enum { RUNS = 200, STEPS = 400, TRIALS = 24 };

enum state { DUE, ASKED, REFUSED, ACCEPTED };

static struct trial {
	struct reg_route *route; /* NULL: free */
	enum state state;
	struct reg_leg leg;
	unsigned words;
} trial[TRIALS];

static uint32_t seed;
static char token[17];

static unsigned any(unsigned n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

/* Read it, for those who watch memory. */
static void touch(const char *s)
{
	assert_true(s && strlen(s) < 4096);
}

static void touch_lent(const struct trial *t)
{
	touch(t->leg.username);
	touch(t->leg.password);
	touch(t->leg.tls_name);
	touch(t->leg.caller_username ? t->leg.caller_username : "");
	touch(t->leg.caller_password ? t->leg.caller_password : "");
}

static void one_word(struct trial *t, enum state s)
{
	struct reg_route_info info;

	if (t->state != DUE)
		fail_msg("seed %u: a word in state %d", seed, t->state);
	t->state = s;
	t->words++;
	reg_route_info(t->route, &info);
	touch(info.account);
	touch(info.from_group);
	touch(info.to_group);
	touch(info.policy);
}

static void go(void *arg, struct reg_route *r, const struct reg_leg *l)
{
	struct trial *t = arg;

	assert_ptr_equal(t->route, r);
	one_word(t, ASKED);
	t->leg = *l;
	assert_int_not_equal(l->server.family, 0);
	assert_true(l->budget_ms > 0);
	touch_lent(t);
	touch(l->caller_user ? l->caller_user : "");
	touch(l->request_user);
	touch(l->request_host);
	touch(l->from_user);
	touch(l->from_host);
	touch(l->contact_user);
	touch(l->contact_params);
	touch(l->asserted);
	touch(l->preferred);
	touch(l->headers);
}

static void refuse(void *arg, struct reg_route *r, const struct reg_refusal *x)
{
	struct trial *t = arg;

	assert_ptr_equal(t->route, r);
	one_word(t, REFUSED);
	assert_true(x->code >= 300 && x->code < 700);
}

static const struct reg_route_h handlers = { go, refuse };

/* ---- configurations ---------------------------------------------------------------------- */

static const char *pick(const char *const list[], unsigned n)
{
	return list[any(n)];
}
#define PICK(...) pick((const char *const[]){ __VA_ARGS__ }, \
	sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static void write_account(GString *ini, unsigned i)
{
	g_string_append_printf(ini, "[Account]\nName = a%u\nServedIPGroupName = %s\n"
			       "ServingIPGroupName = %s\nContactUser = %u\nUsername = %s\n"
			       "Password = secret\n%s%s", i, PICK("PBX", "PBX", "OTHER"),
			       PICK("ONE", "TWO"), 100 + i, PICK("login", "u"),
			       PICK("Register = 0\n", "Register = 1\n", "Register = 1\n",
				    "Register = 1\nRegistrarStickiness = 1\n",
				    "Register = 1\nRegistrarStickiness = 1\nRegistrarSearchMode = 1\n",
				    "Register = 1\nFailbackMode = registration\nRegisterOnEnable = 1\n",
				    "Register = 1\nFailbackMode = registration\nRegisterOnEnable = 1\n"),
			       PICK("", "", "MaxCalls = 2\n", "MaxCallRate = 1\n"));
}

static void write_row(GString *ini)
{
	g_string_append_printf(ini, "[IP2IPRouting]\n%sDestUsernamePrefix = %s\n%s\n",
			       PICK("SrcIPGroupName = PBX\n", "SrcIPGroupName = ONE\n",
				    "AltRouteOptions = 1\n", "AltRouteOptions = 2\n", ""),
			       PICK("*", "*", "1", "5"),
			       PICK("DestIPGroupName = ONE", "DestIPGroupName = TWO",
				    "DestIPGroupName = PBX", "DestType = 1\nDestAddress = 192.0.2.9",
				    "DestType = 1\nDestAddress = 0.0.0.0", "DestType = 3"));
}

static char *any_conf(void)
{
	static const struct {
		const char *name;
		unsigned first, last;
	} group[] = { { "PBX", 10, 11 }, { "OTHER", 12, 12 }, { "ONE", 1, 3 }, { "TWO", 4, 6 } };
	GString *ini = g_string_new(NULL);
	unsigned rows = any(3) ? 0 : 1 + any(4);

	g_string_append_printf(ini, "[Gateway]\nRegistrationTime = 60\nRegistrationRetryTime = 10\n"
			       "%s", PICK("", "MaxCalls = 6\n", "SBC3xxBehavior = 2\n"));
	for (size_t i = 0; i < G_N_ELEMENTS(group); i++) {
		g_string_append_printf(ini, "[ProxySet]\nName = s%s\n%s[IPGroup]\nName = %s\n"
				       "ProxySetName = s%s\n%s", group[i].name,
				       PICK("", "IsProxyHotSwap = 1\n", "TotalTimeout = 4\n"
					    "IsProxyHotSwap = 1\n",
					    "EnableProxyKeepAlive = 1\nProxyLoadBalancingMethod = 1\n"),
				       group[i].name, group[i].name,
				       PICK("", "", "MaxCalls = 3\n", "MaxCallDuration = 2\n",
					    "AuthenticationMode = 1\nUsernameAsClient = c\n"
					    "PasswordAsClient = p\n"));
		for (unsigned k = group[i].first; k <= group[i].last; k++)
			g_string_append_printf(ini, "[ProxyIp]\nProxySetId = s%s\n"
					       "IpAddress = 192.0.2.%u\n", group[i].name, k);
	}
	for (unsigned i = 0; i < 8; i++)
		if (any(4))
			write_account(ini, i);
	while (rows--)
		write_row(ini);
	return g_string_free(ini, FALSE);
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void remember(struct world *w, const struct reg_message *m)
{
	(void)w;
	for (int i = 0; i < 8; i++)
		snprintf(token + 2 * i, 3, "%02x", m->dialogue->id[i]);
}

static void begin_one(struct world *w)
{
	struct trial *t = &trial[any(TRIALS)];
	struct reg_arrival a = {
		.method = (uint8_t)(any(3) ? RG_M_INVITE : any(2) ? RG_M_SUBSCRIBE : RG_M_OTHER),
		.uri_user = PICK("5", "1", "100", "101", "102", "103"), .uri_host = "gw",
		.token = any(4) ? "" : token, .to_user = PICK("", "104", "105"),
		.from_user = PICK("100", "101", "login", "7"), .from_host = "pbx",
		.asserted = PICK("", "", "106"), .preferred = "",
		.source = { .ip = { 192, 0, 2, (uint8_t)(any(3) ? 10 + any(3) : 1 + any(13)) },
			    .family = 4, .port = 5060 },
	};

	if (t->route)
		return;
	*t = (struct trial){ .state = DUE };
	t->route = reg_route_new(w->e, &a, &handlers, t);
	reg_route_begin(t->route);
}

static void answer_one(void)
{
	static const uint16_t code[] = { 0, 0, 200, 200, 302, 404, 408, 480, 486, 500, 503, 603 };
	struct trial *t = &trial[any(TRIALS)];
	uint16_t c = code[any(G_N_ELEMENTS(code))];

	if (!t->route || t->state != ASKED)
		return;
	touch_lent(t);
	t->state = c == 200 ? ACCEPTED : DUE;
	reg_route_answered(t->route, c, "as told", any(3));
}

static void end_one(struct trial *t)
{
	if (!t->route)
		return;
	if (t->state == ASKED || t->state == ACCEPTED)
		touch_lent(t);
	reg_route_end(t->route);
	t->route = NULL;
}

static void reload(struct world *w, uint32_t *begun)
{
	char *ini;

	if (w->applied != *begun)
		return; /* the one before is under way */
	ini = any_conf();
	world_conf(w, ini);
	g_free(ini);
	++*begun;
}

static void step(struct world *w, uint32_t *begun)
{
	char name[4];
	unsigned i;

	switch (any(16)) {
	case 0:
		i = 1 + any(12);
		w->peer[i].does = (uint8_t)(any(2) ? OK : any(3));
		w->peer[i].code = any(8) ? 0 : 403;
		break;
	case 1:
		if (!any(4))
			reload(w, begun);
		break;
	case 2:
		snprintf(name, sizeof name, "a%u", any(8));
		if (!any(6))
			reg_engine_unregister(w->e, name);
		else
			reg_engine_register(w->e, name);
		break;
	case 3: case 4:
		world_until(w, rg_now(w->timers) + (any(5) ? any(2000) : any(40000)));
		break;
	case 5:
		end_one(&trial[any(TRIALS)]);
		break;
	case 6: case 7: case 8: case 9: case 10:
		answer_one();
		break;
	default:
		begin_one(w);
	}
}

static void one_run(uint32_t run)
{
	struct world *w = world_new(false, true);
	uint32_t begun = 0;

	seed = run * 2654435761u;
	strcpy(token, "0011223344556677");
	w->sees = remember;
	reload(w, &begun);
	world_until(w, rg_now(w->timers) + 5000);
	for (int i = 0; i < STEPS; i++)
		step(w, &begun);
	/* whatever they wait for, it ends */
	world_until(w, rg_now(w->timers) + 600000);
	for (int i = 0; i < TRIALS; i++)
		if (trial[i].route && trial[i].state == DUE)
			fail_msg("run %u: no word for %d after %u", run, i, trial[i].words);
	for (int i = 0; i < TRIALS; i++)
		end_one(&trial[i]);
	if (reg_route_calls(w->e))
		fail_msg("run %u: %u calls are counted", run, reg_route_calls(w->e));
	world_free(w);
}

static void requests_meet_everything(void **state)
{
	const char *again = getenv("RG_SEED");
	uint32_t first = again ? (uint32_t)strtoul(again, NULL, 0) : 1;

	(void)state;
	for (uint32_t run = first; run < first + (again ? 1 : RUNS); run++)
		one_run(run);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(requests_meet_everything) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
