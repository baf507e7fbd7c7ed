/*
 * Random faults, for hours of virtual time, over all policies: whatever servers, names,
 * the link, served groups, trunks, calls, notifications, hands and reloads do, an account
 * has one REGISTER in flight at most, asks only servers of its present list, floods nobody,
 * shares its port with nobody, and is bound soon after everything is well again.
 */
#include <errno.h>

#include "unit/reg_world.h"
#include "reg/route.h"

enum { EACH = 6, EVENTS = 400, MOST_A_MINUTE = 80 };

static const struct {
	const char *name, *set, *account;
	int first, last; /* 0: by name */
} kind[] = {
	{ "plain", "", "", 1, 3 },
	{ "swap", "IsProxyHotSwap = 1", "", 1, 3 },
	{ "stick", "EnableProxyKeepAlive = 1", "RegistrarStickiness = 1", 2, 4 },
	{ "sticktwo", "IsProxyHotSwap = 1", "RegistrarStickiness = 2", 2, 5 },
	{ "ims", "", "RegistrarStickiness = 1\nRegistrarSearchMode = 1", 1, 4 },
	{ "avoid", "EnableProxyKeepAlive = 1\nProxyRedundancyMode = 1",
	  "RegistrarStickiness = 1\nRegistrarSearchMode = 2", 3, 5 },
	{ "park", "IsProxyHotSwap = 1\nProxyRedundancyMode = 0", "", 1, 5 },
	{ "home", "EnableProxyKeepAlive = 1\nProxyRedundancyMode = 1", "", 3, 5 },
	{ "active", "EnableProxyKeepAlive = 3\nTotalTimeout = 3", "RegByServedIPG = 1", 2, 4 },
	{ "named", "IsProxyHotSwap = 1", "RegistrarStickiness = 1\nRegistrarSearchMode = 1",
	  0, 0 },
	{ "asked", "EnableProxyKeepAlive = 2\nProxyRedundancyMode = 0", "", 1, 4 },
	{ "call", "IsProxyHotSwap = 1", "ReRegisterOnInviteFailure = 1", 1, 4 },
	{ "told", "", "RegistrarStickiness = 1\nRegEventPackageSubscription = 1", 2, 4 },
	{ "own", "IsProxyHotSwap = 1", "UDPPortAssignment = 1", 1, 3 },
	{ "bulk", "", "Register = 2", 3, 5 },
	{ "anew", "", "FailbackMode = newRequests", 1, 3 },
	{ "ttl", "", "FailbackMode = DNSTTL", 1, 3 },
	{ "renewal", "IsProxyHotSwap = 1", "FailbackMode = registration\nRetryCounts = 7", 1, 3 },
	{ "spell", "", "FailbackMode = duration\nFailbackTimeout = 60\nRetryCounts = 2", 2, 4 },
	{ "trunk", "IsProxyHotSwap = 1", "ServedTrunkGroup = 1", 1, 3 },
	{ "lists", "", "", 1, 4 },
	{ "listsperm", "ServerRedundancy = permanent\nEnableProxyKeepAlive = 1", "", 1, 5 },
	{ "listsauth", "ServerSwitching = authentication-failure\nServerRedundancy = dns-based", "",
	  2, 5 },
	{ "listsstick", "ServerSwitching = link-failure-only", "RegistrarStickiness = 1", 1, 4 },
};

struct storm {
	struct world *w;
	GHashTable *minute; /* account: REGISTERs in it */
	GHashTable *resting; /* un-registered by hand */
	guint64 now_minute;
	GHashTable *dialogue; /* of those subscribed, by account */
	const char *owner[8]; /* of the ports */
	bool open[8], busy;
	bool goes, ended; /* the call at hand */
};

/* Each list has its masters; without location servers the proxy servers register. */
static void lists(struct world *w, GString *ini, int k)
{
	static const char *const role[] = { "registrar", "registrar", "proxy", "proxy", "both" };
	size_t from = world_random(w) % 3 ? 0 : 2;
	size_t to = from ? 4 : G_N_ELEMENTS(role);

	for (int i = kind[k].first; i <= kind[k].last; i++)
		g_string_append_printf(ini, "[ProxyIp]\nProxySetId = %s\nIpAddress = 192.0.2.%d\n"
				       "Role = %s\nMaster = %u\n", kind[k].name, i,
				       i == kind[k].last && !from
					       ? "both" : role[from + world_random(w) % (to - from)],
				       (unsigned)(world_random(w) % 4 == 0));
}

static char *configuration(struct world *w, bool start)
{
	GString *ini = world_ini("ForbiddenRetryTime = 0");

	g_string_append_printf(ini, "[Gateway]\nRegisterOnServerDown = %u\nRegisterRate = %u\n",
			       (unsigned)(world_random(w) % 2), start ? 0 : 50u);
	g_string_append_printf(ini, "UseRandomUser = %u\nRegistrationSyncMode = %u\n"
			       "SyncIMSAccounts = %u\nOOSOnRegistrationFail = 1\n"
			       "[SIPInterface]\nName = outside\nAdditionalUDPPorts = 6000-6007\n"
			       "[TrunkGroup]\nTrunkGroupId = 1\nFirstTrunkId = 1\nLastTrunkId = 2\n"
			       "ServingIPGroupName = trunk\nRegistrationMode = 5\n",
			       (unsigned)(world_random(w) % 2), (unsigned)(world_random(w) % 2),
			       (unsigned)(world_random(w) % 2));
	for (size_t i = 0; i < G_N_ELEMENTS(kind); i++) {
		unsigned n = start ? EACH : (unsigned)(world_random(w) % (EACH + 1));
		const char *set = kind[i].set;

		if (g_str_has_prefix(kind[i].name, "lists")) {
			lists(w, ini, (int)i);
			world_write(ini, kind[i].name, set, 1, 0, n, kind[i].account);
			continue;
		}
		if (kind[i].last) {
			world_write(ini, kind[i].name, set, kind[i].first, kind[i].last, n,
				    kind[i].account);
			continue;
		}
		g_string_append_printf(ini, "[ProxyIp]\nProxySetId = %s\nIpAddress = sip.example\n",
				       kind[i].name);
		world_write(ini, kind[i].name, set, 1, 0, n, kind[i].account);
	}
	return g_string_free(ini, FALSE);
}

/* ---- ports, subscriptions, calls --------------------------------------------------------- */

static int opens(void *arg, uint32_t interface, uint16_t port)
{
	struct storm *st = ((struct world *)arg)->arg;

	(void)interface;
	assert_in_range(port, 6000, 6007);
	assert_false(st->open[port - 6000]);
	if (st->busy && world_random(st->w) % 4 == 0)
		return EADDRINUSE;
	st->open[port - 6000] = true;
	st->owner[port - 6000] = NULL;
	return 0;
}

static void closes(void *arg, uint32_t interface, uint16_t port)
{
	struct storm *st = ((struct world *)arg)->arg;

	(void)interface;
	assert_in_range(port, 6000, 6007);
	assert_true(st->open[port - 6000]);
	st->open[port - 6000] = false;
}

/* Whoever has an account's own port is it alone. */
static void leaves_from(struct storm *st, const struct reg_message *m)
{
	const char **owner;

	if (strncmp(m->account, "own", 3)) {
		assert_false(m->local_port >= 6000 && m->local_port <= 6007);
		return;
	}
	assert_in_range(m->local_port, 6000, 6007);
	assert_true(st->open[m->local_port - 6000]);
	owner = &st->owner[m->local_port - 6000];
	if (!*owner)
		*owner = g_intern_string(m->account);
	assert_string_equal(*owner, m->account);
}

static int subscribes(void *arg, const struct reg_message *m)
{
	struct world *w = arg;
	struct storm *st = w->arg;
	struct peer *peer = &w->peer[m->server.ip[3]];
	struct pending *p;

	g_hash_table_insert(st->dialogue, g_strdup(m->account), m->dialogue);
	if (!m->expires)
		return 0;
	p = g_new0(struct pending, 1);
	p->token = m->token;
	p->kind = 3;
	p->peer = peer;
	p->asked = m->expires;
	p->answer.code = peer->does != OK ? 0 : peer->code ? peer->code : 200;
	world_expect(w, p, peer->does == OK ? peer->delay_ms : m->budget_ms);
	return 0;
}

static gboolean is_of(gpointer account, gpointer dialogue, gpointer d)
{
	(void)account;
	return dialogue == d;
}

static void drops(void *arg, struct reg_dialogue *d)
{
	g_hash_table_foreach_remove(((struct storm *)((struct world *)arg)->arg)->dialogue,
				    is_of, d);
	world_drop(arg, d);
}

static void notify(struct world *w)
{
	struct reg_notice n = { .what = (uint8_t)(world_random(w) % (RG_N_TERMINATED + 1)),
				.terminated = world_random(w) % 3 == 0,
				.reason = (uint8_t)(world_random(w) % 8),
				.gap = world_random(w) % 4 == 0,
				.retry_after = (uint32_t)(world_random(w) % 40),
				.expires = (uint32_t)(world_random(w) % 300) };
	struct storm *st = w->arg;
	char name[32];
	struct reg_dialogue *d;

	snprintf(name, sizeof name, "told%u", (unsigned)(world_random(w) % EACH));
	d = g_hash_table_lookup(st->dialogue, name);
	if (d)
		reg_notified(w->e, d, &n);
}

static bool in_the_list(struct world *w, const struct reg_message *m, uint8_t role)
{
	char *set = g_strndup(m->account, strcspn(m->account, "0123456789"));
	struct reg_server_info s;
	uint32_t pos = 0, rank = 0;
	uint8_t all = 0, here = 0;

	while (reg_engine_next_server(w->e, &pos, &rank, &s)) {
		if (strcmp(s.proxy_set, set))
			continue;
		all |= s.roles;
		if (rg_addr_equal(&s.addr, &m->server))
			here = s.roles;
	}
	g_free(set);
	return here & role || (here && !(all & role));
}

static void call_goes(void *arg, struct reg_route *r, const struct reg_leg *leg)
{
	struct storm *st = arg;
	struct reg_route_info info;
	struct reg_message m;

	reg_route_info(r, &info);
	m = (struct reg_message){ .account = info.account, .server = leg->server,
				  .local_port = leg->local_port };
	if (!in_the_list(st->w, &m, g_str_has_prefix(m.account, "listsstick")
					    ? RG_PROXY | RG_REGISTRAR : RG_PROXY))
		fail_msg("a call of %s goes to .%u, which is not in its list", m.account,
			 m.server.ip[3]);
	leaves_from(st, &m);
	st->goes = true;
}

static void call_ends(void *arg, struct reg_route *r, const struct reg_refusal *x)
{
	(void)r;
	assert_in_range(x->code, 400, 699);
	((struct storm *)arg)->ended = true;
}

static struct reg_arrival arrival(void)
{
	return (struct reg_arrival){
		.method = RG_M_INVITE, .uri_user = "called", .uri_host = "", .token = "",
		.to_user = "called", .from_user = "caller", .from_host = "", .asserted = "",
		.preferred = "",
	};
}

static void call(struct world *w, const char *account)
{
	static const struct reg_route_h h = { call_goes, call_ends };
	static const uint16_t code[] = { 0, 200, 403, 408, 480, 486, 503 };
	struct storm *st = w->arg;
	struct reg_arrival from = arrival();
	struct reg_route *r = reg_route_of(w->e, account, true, &from, &h, st);
	unsigned asked = 0;
	uint16_t answer = 0;

	if (!r)
		return;
	st->goes = st->ended = false;
	reg_route_begin(r);
	while (st->goes && !st->ended && (answer < 200 || answer > 299)) {
		assert_true(++asked <= 10);
		if (world_random(w) % 2)
			world_until(w, rg_now(w->timers) + (rg_ms)(world_random(w) % 500));
		if (st->ended)
			break;
		st->goes = false;
		answer = code[world_random(w) % G_N_ELEMENTS(code)];
		reg_route_answered(r, answer, "as told", 0);
	}
	reg_route_end(r);
}

static void call_in(struct world *w, const char *account)
{
	static const struct reg_route_h h = { call_goes, call_ends };
	struct reg_arrival from = arrival();
	struct reg_route *r;

	from.source = (struct rg_addr){ .ip = { 192, 0, 2, (uint8_t)(1 + world_random(w) % 6) },
					.family = 4, .port = 5060 };
	from.own_port = (uint16_t)(world_random(w) % 2 ? 5060 : 6000 + world_random(w) % 8);
	r = reg_route_of(w->e, account, false, &from, &h, w->arg);
	if (!r)
		return;
	reg_route_begin(r); /* the served group has no addresses */
	assert_true(((struct storm *)w->arg)->ended);
	reg_route_end(r);
}

/* ---- REGISTERs --------------------------------------------------------------------------- */

static void sees(struct world *w, const struct reg_message *m)
{
	struct storm *st = w->arg;
	guint64 minute = (guint64)rg_now(w->timers) / 60000;
	guint n;

	assert_int_equal(GPOINTER_TO_UINT(g_hash_table_lookup(w->flying, m->dialogue)), 0);
	if (m->expires && !in_the_list(w, m, RG_REGISTRAR))
		fail_msg("%s asks .%u, which is not in its list", m->account, m->server.ip[3]);
	if (m->expires && g_hash_table_contains(st->resting, m->account))
		fail_msg("%s registers although it was un-registered by hand", m->account);
	leaves_from(st, m);
	if (minute != st->now_minute)
		g_hash_table_remove_all(st->minute);
	st->now_minute = minute;
	n = GPOINTER_TO_UINT(g_hash_table_lookup(st->minute, m->account)) + 1;
	g_hash_table_insert(st->minute, g_strdup(m->account), GUINT_TO_POINTER(n));
	if (n > MOST_A_MINUTE)
		fail_msg("%s sent %u REGISTERs within a minute", m->account, n);
}

static void server_changes(struct world *w)
{
	static const uint16_t code[] = { 0, 0, 0, 403, 404, 408, 423, 480, 500, 503, 503, 603 };
	struct peer *p = &w->peer[1 + world_random(w) % 5];

	p->does = (uint8_t)(world_random(w) % 8);
	if (p->does > LATE)
		p->does = OK;
	p->code = code[world_random(w) % G_N_ELEMENTS(code)];
	p->delay_ms = world_random(w) % 3 ? 0 : (uint32_t)(world_random(w) % 3000);
	p->grant = world_random(w) % 3 ? 0 : 10 + (uint32_t)(world_random(w) % 900);
	p->retry_after = p->code == 503 ? (uint32_t)(world_random(w) % 20) : 0;
	p->repeated = world_random(w) % 5 == 0;
}

static void names_change(struct world *w, bool all)
{
	w->n_answer = 0;
	for (int i = 1; i <= 5; i++) {
		struct reg_resolved *x = &w->answer[w->n_answer];

		if (!all && world_random(w) % 2)
			continue;
		*x = (struct reg_resolved){ .ttl = 30 };
		x->addr.ip[0] = 192;
		x->addr.ip[2] = 2;
		x->addr.ip[3] = (uint8_t)i;
		x->addr.family = 4;
		x->addr.port = 5060;
		w->n_answer++;
	}
	w->dns_silent = !all && world_random(w) % 4 == 0;
}

static void reload(struct world *w, bool start)
{
	char *ini;

	while (reg_engine_applying(w->e))
		assert_true(rg_timers_step(w->timers, rg_now(w->timers) + 60000));
	g_hash_table_remove_all(((struct storm *)w->arg)->resting); /* removed, some of them */
	ini = configuration(w, start);
	world_conf(w, ini);
	g_free(ini);
}

static const char *anybody(struct world *w, char buf[32])
{
	snprintf(buf, 32, "%s%u", kind[world_random(w) % G_N_ELEMENTS(kind)].name,
		 (unsigned)(world_random(w) % EACH));
	return buf;
}

static void something_happens(struct world *w)
{
	struct rg_addr addr = { .ip = { 192, 0, 2, (uint8_t)(1 + world_random(w) % 5) },
				.family = 4, .port = 5060 };
	GHashTable *resting = ((struct storm *)w->arg)->resting;
	char name[32];

	switch (world_random(w) % 24) {
	case 0: case 1: case 2: case 3: case 4: case 5: case 6:
		server_changes(w);
		break;
	case 7:
		names_change(w, false);
		break;
	case 8:
		g_hash_table_remove(resting, anybody(w, name));
		reg_engine_register(w->e, name);
		break;
	case 9:
		if (reg_engine_unregister(w->e, anybody(w, name)))
			g_hash_table_add(resting, g_strdup(name));
		break;
	case 10:
		reg_engine_refresh(w->e, anybody(w, name));
		break;
	case 11:
		reload(w, false);
		break;
	case 12:
		reg_engine_link(w->e, NULL, world_random(w) % 2);
		break;
	case 13:
		reg_disconnected(w->e, &addr, 0);
		break;
	case 14:
		reg_engine_believe_group(w->e, "PBX", (enum rg_health)(world_random(w) % 3));
		break;
	case 15:
		reg_engine_refresh(w->e, NULL);
		break;
	case 16: case 17: case 18:
		call(w, anybody(w, name));
		break;
	case 19:
		call_in(w, anybody(w, name));
		break;
	case 20: case 21: case 22:
		notify(w);
		break;
	case 23:
		reg_engine_trunk(w->e, world_random(w) % 2 ? "1" : "2", world_random(w) % 2);
		break;
	}
}

static uint32_t unbound(struct world *w, const char *but)
{
	struct reg_account_info x;
	uint32_t pos = 0, n = 0;

	while (reg_engine_next(w->e, &pos, &x, true))
		n += !x.registered && strncmp(x.name, but, strlen(but));
	return n;
}

static void complain(struct world *w)
{
	struct reg_account_info x;
	uint32_t pos = 0;

	while (reg_engine_next(w->e, &pos, &x, true))
		if (!x.registered)
			print_error("%s: %s, last %u %s, next in %lld s\n", x.name,
				    reg_state_name(x.state), x.last_code, x.last_reason,
				    (long long)x.next_attempt_in);
}

/* Accounts bound, as the rows of the servers have it. */
static uint32_t bound_at_servers(struct world *w)
{
	struct reg_server_info s;
	uint32_t pos = 0, rank = 0, sum = 0;

	while (reg_engine_next_server(w->e, &pos, &rank, &s)) {
		sum += s.accounts;
		assert_in_range(s.in_flight, 0, s.window);
	}
	return sum;
}

/* Everything is well again: how long does it take? */
static void heal(struct world *w)
{
	reload(w, false); /* whoever others waited for may be gone */
	memset(w->peer, 0, sizeof w->peer);
	names_change(w, true);
	reload(w, true);
	reg_engine_believe_group(w->e, "PBX", RG_UP);
	reg_engine_link(w->e, NULL, true);
	reg_engine_trunk(w->e, "group:1", true);
	((struct storm *)w->arg)->busy = false;
	reg_engine_register(w->e, NULL);
	/* what is in flight, the retry time, and one round */
	world_until(w, rg_now(w->timers) + 32000 + 30000 + 5 * 32000);
	if (unbound(w, "avoid"))
		complain(w);
	assert_int_equal(unbound(w, "avoid"), 0);
	/* an avoided server is asked again when its last lease is over */
	world_until(w, rg_now(w->timers) + 950000);
	if (unbound(w, "-"))
		complain(w);
	assert_int_equal(unbound(w, "-"), 0);
	assert_int_equal(bound_at_servers(w), world_counts(w).registered);
	assert_int_equal(world_counts(w).registered, EACH * G_N_ELEMENTS(kind));
}

static void storm(bool exact, uint64_t seed)
{
	struct world *w = world_new(exact, true);
	struct storm st = {
		.w = w,
		.minute = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
		.resting = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
		.dialogue = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
		.busy = true,
	};

	w->x = seed * 0x9e3779b97f4a7c15u | 1;
	w->arg = &st;
	w->sees = sees;
	w->port.subscribe = subscribes;
	w->port.open_port = opens;
	w->port.close_port = closes;
	w->port.drop = drops;
	names_change(w, true);
	reload(w, true);
	for (unsigned i = 0; i < EVENTS; i++) {
		world_until(w, rg_now(w->timers) + (rg_ms)(world_random(w) % 4
								   ? world_random(w) % 10000
								   : world_random(w) % 300));
		something_happens(w);
	}
	heal(w);
	world_free(w);
	g_hash_table_destroy(st.minute);
	g_hash_table_destroy(st.resting);
	g_hash_table_destroy(st.dialogue);
}

/* RG_STORMS: how many of each kind. */
static void storms(bool exact)
{
	const char *many = getenv("RG_STORMS");
	uint64_t n = many ? strtoull(many, NULL, 10) : 12;

	for (uint64_t i = 1; i <= n; i++)
		storm(exact, 2 * i + exact);
}

static void exact_storms(void **state)
{
	(void)state;
	storms(true);
}

static void paced_storms(void **state)
{
	(void)state;
	storms(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exact_storms),
		cmocka_unit_test(paced_storms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
