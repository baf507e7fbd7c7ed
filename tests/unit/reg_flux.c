/*
 * Configurations that change under load: each reload draws the proxy sets, their servers,
 * interfaces and names, the groups on them, and the accounts with their policies, identity
 * and credentials anew, while registrars lie, links and addresses go and come, and hands
 * act.  Whatever happens, an account has one REGISTER in flight at most and asks servers of
 * its list only, the counts agree with what is there, and once all is well all are bound.
 */
#include <errno.h>

#include "unit/reg_world.h"

enum { ACCOUNTS = 40, SETS = 4, GROUPS = 6, PEERS = 6, EVENTS = 250, MOST_A_MINUTE = 100 };

struct flux {
	struct world *w;
	GHashTable *minute; /* account: REGISTERs in it */
	rg_ms now_minute;
	unsigned lies;	    /* of a hundred answers */
	bool goodbye;	    /* a former registrar gets one, beside the next request */
	bool plain;	    /* the configuration that all can be bound with */
	bool busy;	    /* ports are taken, and requests cannot be sent */
};

static unsigned roll(struct world *w, unsigned n)
{
	return (unsigned)(world_random(w) % n);
}

static const char *one_of(struct world *w, const char *const *list, unsigned n)
{
	return list[roll(w, n)];
}

/* ---- configurations ------------------------------------------------------------------ */

static void write_set(struct flux *x, GString *ini, unsigned i)
{
	static const char *const mode[] = {
		"", "IsProxyHotSwap = 1", "EnableProxyKeepAlive = 1", "EnableProxyKeepAlive = 2",
		"EnableProxyKeepAlive = 3\nIsProxyHotSwap = 1", "TotalTimeout = 2",
		"RegisterWindow = 2\nIsProxyHotSwap = 1", "RegisterRate = 20",
		"ProxyLoadBalancingMethod = 1", "RetryCounts = 2",
	};
	struct world *w = x->w;
	unsigned n = 1 + roll(w, 4);

	g_string_append_printf(ini, "[ProxySet]\nName = set%u\nSIPInterfaceName = %s\n%s\n", i,
			       roll(w, 2) ? "inside" : "outside",
			       x->plain ? "IsProxyHotSwap = 1"
					: one_of(w, mode, G_N_ELEMENTS(mode)));
	if (roll(w, 4) == 0) {
		g_string_append_printf(ini, "[ProxyIp]\nProxySetId = set%u\n"
				       "IpAddress = sip%u.example\n", i, roll(w, 2));
		return;
	}
	for (unsigned k = 0, first = roll(w, PEERS); k < n; k++)
		g_string_append_printf(ini, "[ProxyIp]\nProxySetId = set%u\nIpAddress = 192.0.2.%u\n",
				       i, 1 + (first + k) % PEERS);
}

static void write_account(struct flux *x, GString *ini, unsigned i)
{
	static const char *const policy[] = {
		"", "RegistrarStickiness = 1", "RegistrarStickiness = 2",
		"RegistrarStickiness = 1\nRegistrarSearchMode = 1",
		"RegistrarStickiness = 1\nRegEventPackageSubscription = 1",
		"FailbackMode = newRequests", "FailbackMode = duration\nFailbackTimeout = 60",
		"UDPPortAssignment = 1", "ReRegisterOnInviteFailure = 1", "RegByServedIPG = 1",
		"Register = 2",
	};
	struct world *w = x->w;
	const char *also = one_of(w, policy, G_N_ELEMENTS(policy));

	g_string_append_printf(ini, "[Account]\nName = a%u\nServedIPGroupName = PBX\n"
			       "ServingIPGroupName = group%u\nContactUser = u%u%s\n"
			       "Username = u\nPassword = p%u\n%s%s\n", i,
			       x->plain ? i % GROUPS : roll(w, GROUPS), i,
			       roll(w, 8) ? "" : "x", roll(w, 20) ? 1 : 2, also,
			       strstr(also, "Register = ") ? ""
			       : x->plain || strstr(also, "UDPPort") || roll(w, 20)
				       ? "\nRegister = 1" : "\nRegister = 0");
}

static char *draw(struct flux *x)
{
	struct world *w = x->w;
	GString *ini = world_ini("ForbiddenRetryTime = 0\nStrictAccountPairs = 0");

	g_string_append_printf(ini, "[Gateway]\nRegisterRate = %u\nRegisterOnServerDown = %u\n"
			       "UnregisterOldRegistrar = %u\nUseRandomUser = %u\n"
			       "RegistrationSyncMode = %u\nSyncIMSAccounts = %u\n"
			       "MaxRegistrationTime = 3600\n",
			       roll(w, 3) ? 0 : 100, roll(w, 2), x->goodbye, roll(w, 2),
			       x->plain ? 0 : roll(w, 2), x->plain ? 0 : roll(w, 2));
	for (unsigned i = 0; i < 2; i++)
		g_string_append_printf(ini, "[SIPInterface]\nName = %s\nUDPPort = %u\nTCPPort = 0\n"
				       "AdditionalUDPPorts = %u-%u\nAdditionalUDPPortsMode = %u\n",
				       i ? "inside" : "outside", 5060 + 10 * i, 6000 + 100 * i,
				       6000 + 100 * i + (x->plain ? ACCOUNTS : roll(w, 6)),
				       roll(w, 2));
	for (unsigned i = 0; i < SETS; i++)
		write_set(x, ini, i);
	for (unsigned i = 0; i < GROUPS; i++)
		g_string_append_printf(ini, "[IPGroup]\nName = group%u\nProxySetName = set%u\n"
				       "SIPGroupName = itsp.example\n", i, roll(w, SETS));
	for (unsigned i = 0; i < ACCOUNTS; i++)
		if (x->plain || roll(w, 5))
			write_account(x, ini, i);
	return g_string_free(ini, FALSE);
}

static void settle(struct world *w)
{
	while (reg_engine_applying(w->e))
		assert_true(rg_timers_step(w->timers, rg_now(w->timers) + 60000));
}

static void reload(struct flux *x)
{
	char *ini;

	settle(x->w);
	ini = draw(x);
	world_conf(x->w, ini);
	g_free(ini);
}

/* ---- the network --------------------------------------------------------------------- */

/* Of the row that is in force; one of a row that is not any more may be anywhere. */
static bool in_its_list(struct world *w, const struct reg_message *m)
{
	uint32_t at = conf_account_find(w->conf, m->account), set, pos = 0, rank = 0;
	struct reg_server_info s;

	if (at == CONF_NONE || reg_engine_applying(w->e))
		return true;
	set = w->conf->ip_group[w->conf->account[at].serving].set;
	while (reg_engine_next_server(w->e, &pos, &rank, &s))
		if (pos == set && rg_addr_equal(&s.addr, &m->server))
			return true;
	return false;
}

static void lie(struct flux *x, struct reg_answer *ans)
{
	struct world *w = x->w;

	if (roll(w, 100) >= x->lies)
		return;
	switch (roll(w, 6)) {
	case 0:
		ans->bound = false;
		break;
	case 1:
		ans->expires = roll(w, 3);
		break;
	case 2:
		ans->expires = UINT32_MAX;
		break;
	case 3:
		*ans = (struct reg_answer){ .code = 423, .min_expires = 300 * roll(w, 9),
					    .reason = "brief" };
		break;
	case 4:
		*ans = (struct reg_answer){ .code = 401, .refused_credentials = roll(w, 2),
					    .reason = "who" };
		break;
	case 5:
		*ans = (struct reg_answer){ .code = 503, .retry_after = roll(w, 30), .repeated = true,
					    .reason = "not now" };
		break;
	}
}

static int registers(void *arg, const struct reg_message *m)
{
	struct flux *x = ((struct world *)arg)->arg;
	rg_ms minute = rg_now(x->w->timers) / 60000;
	struct pending *p;
	guint n;

	if (!x->goodbye)
		assert_null(g_hash_table_lookup(x->w->flying, m->dialogue));
	if (x->busy && roll(x->w, 20) == 0)
		return ENETUNREACH;
	if (m->expires && !in_its_list(x->w, m))
		fail_msg("%s asks .%u, which is not in its list", m->account, m->server.ip[3]);
	if (minute != x->now_minute)
		g_hash_table_remove_all(x->minute);
	x->now_minute = minute;
	n = GPOINTER_TO_UINT(g_hash_table_lookup(x->minute, m->account)) + 1;
	g_hash_table_insert(x->minute, g_strdup(m->account), GUINT_TO_POINTER(n));
	if (n > MOST_A_MINUTE)
		fail_msg("%s sent %u REGISTERs within a minute", m->account, n);
	world_register(arg, m);
	p = g_hash_table_lookup(x->w->pending, &m->token);
	if (m->expires && p->answer.code)
		lie(x, &p->answer);
	return 0;
}

static int subscribes(void *arg, const struct reg_message *m)
{
	(void)arg;
	return m->expires ? ECONNREFUSED : 0;
}

static int opens(void *arg, uint32_t interface, uint16_t port)
{
	struct flux *x = ((struct world *)arg)->arg;

	(void)interface;
	(void)port;
	return x->busy && roll(x->w, 3) == 0 ? EADDRINUSE : 0;
}

static void names(struct world *w, bool all)
{
	w->n_answer = 0;
	for (unsigned i = 1; i <= PEERS; i++) {
		struct reg_resolved *r = &w->answer[w->n_answer];

		if (!all && roll(w, 2))
			continue;
		*r = (struct reg_resolved){ .ttl = 30, .addr.ip = { 192, 0, 2, (uint8_t)i } };
		r->addr.family = 4;
		r->addr.port = 5060;
		w->n_answer++;
	}
	w->dns_silent = !all && roll(w, 4) == 0;
}

/* ---- what happens -------------------------------------------------------------------- */

static void peer_changes(struct world *w)
{
	static const uint16_t code[] = { 0, 0, 0, 0, 403, 404, 480, 500, 503 };
	struct peer *p = &w->peer[1 + roll(w, PEERS)];

	p->does = (uint8_t)(roll(w, 3) ? OK : roll(w, LATE + 1));
	p->code = code[roll(w, G_N_ELEMENTS(code))];
	p->delay_ms = roll(w, 3) ? 0 : roll(w, 4000);
	p->grant = roll(w, 3) ? 0 : 1 + roll(w, 900);
	p->repeated = roll(w, 5) == 0;
}

static void something_happens(struct flux *x)
{
	struct world *w = x->w;
	struct rg_addr addr = { .ip = { 192, 0, 2, (uint8_t)(1 + roll(w, PEERS)) }, .family = 4,
				.port = 5060 };
	char name[16];

	snprintf(name, sizeof name, "a%u", roll(w, ACCOUNTS));
	switch (roll(w, 20)) {
	case 0: case 1: case 2: case 3:
		peer_changes(w);
		break;
	case 4: case 5: case 6: case 7:
		reload(x);
		break;
	case 8:
		names(w, false);
		break;
	case 9:
		reg_engine_link(w->e, roll(w, 2) ? "inside" : NULL, roll(w, 2));
		break;
	case 10:
		reg_engine_moved(w->e, roll(w, 2) ? "inside" : "outside", roll(w, 2), true);
		break;
	case 11:
		reg_disconnected(w->e, &addr, roll(w, 2));
		break;
	case 12:
		reg_seen_elsewhere(w->e, &addr, roll(w, 2));
		break;
	case 13:
		reg_engine_register(w->e, roll(w, 4) ? name : NULL);
		break;
	case 14:
		reg_engine_unregister(w->e, roll(w, 8) ? name : NULL);
		break;
	case 15:
		reg_engine_refresh(w->e, roll(w, 4) ? name : NULL);
		break;
	case 16:
		reg_engine_believe_group(w->e, "PBX", (enum rg_health)roll(w, 3));
		break;
	case 17:
		x->lies = roll(w, 2) ? roll(w, 100) : 0;
		break;
	case 18:
		x->busy = roll(w, 2);
		break;
	default:
		reload(x); /* two of one moment */
		reload(x);
		break;
	}
}

/* What is counted as it happens is what there is. */
static void counts_agree(struct world *w)
{
	struct reg_counts n = world_counts(w);
	struct reg_account_info a;
	struct reg_server_info s;
	uint32_t pos = 0, rank = 0, bound = 0, sum = 0;

	for (unsigned i = 0; i < RG_STATES; i++)
		sum += n.by_state[i];
	assert_int_equal(sum, n.accounts);
	while (reg_engine_next(w->e, &pos, &a, true)) {
		bound += a.registered;
		assert_false(a.registered && a.state == RG_IDLE);
		assert_false(a.state == RG_BOUND && !a.registered);
	}
	assert_in_range(n.registered, bound, n.accounts); /* and those that are leaving */
	for (pos = 0, sum = 0; reg_engine_next_server(w->e, &pos, &rank, &s); sum += s.accounts) {
		assert_in_range(s.window, 1, 1024);
		assert_in_range(s.accounts, 0, n.accounts);
	}
	assert_in_range(sum, 0, n.registered);
}

static void heal(struct flux *x)
{
	struct world *w = x->w;
	struct reg_account_info a;
	uint32_t pos = 0;

	memset(w->peer, 0, sizeof w->peer);
	names(w, true);
	x->lies = 0;
	x->busy = false;
	x->plain = true;
	reload(x);
	settle(w);
	reg_engine_believe_group(w->e, "PBX", RG_UP);
	reg_engine_register(w->e, NULL);
	world_until(w, rg_now(w->timers) + 32000 + 60000 + PEERS * 32000);
	while (reg_engine_next(w->e, &pos, &a, true))
		if (!a.registered)
			fail_msg("%s: %s, last %u %s, next in %lld s", a.name,
				 reg_state_name(a.state), a.last_code, a.last_reason,
				 (long long)a.next_attempt_in);
	assert_int_equal(world_counts(w).accounts, ACCOUNTS);
	assert_int_equal(world_counts(w).registered, ACCOUNTS);
	counts_agree(w);
}

static void flux(bool exact, uint64_t seed)
{
	struct world *w = world_new(exact, true);
	struct flux x = {
		.w = w, .goodbye = seed / 2 % 2,
		.minute = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
	};

	w->x = seed * 0x9e3779b97f4a7c15u | 1;
	w->arg = &x;
	w->port.send_register = registers;
	w->port.subscribe = subscribes;
	w->port.open_port = opens;
	names(w, true);
	reload(&x);
	for (unsigned i = 0; i < EVENTS; i++) {
		world_until(w, rg_now(w->timers) + (rg_ms)(roll(w, 3) ? roll(w, 20000) : roll(w, 50)));
		something_happens(&x);
		if (!reg_engine_applying(w->e))
			counts_agree(w);
	}
	heal(&x);
	world_free(w);
	g_hash_table_destroy(x.minute);
}

/* RG_STORMS: how many of each kind. */
static void fluxes(bool exact)
{
	const char *many = getenv("RG_STORMS");
	uint64_t n = many ? strtoull(many, NULL, 10) : 10;

	for (uint64_t i = 1; i <= n; i++) {
		if (many)
			print_message("# seed %llu\n", (unsigned long long)(2 * i + exact));
		flux(exact, 2 * i + exact);
	}
}

static void exact_time(void **state)
{
	(void)state;
	fluxes(true);
}

static void paced(void **state)
{
	(void)state;
	fluxes(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exact_time),
		cmocka_unit_test(paced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
