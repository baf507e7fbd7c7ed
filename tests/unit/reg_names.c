/* A proxy set's names: which lookups are asked for, and what answers do to the set. */
#include "unit/reg_world.h"

#include <errno.h>

static struct reg_lookup asked; /* the last lookup */
static unsigned lookups, warnings, notices;
static bool six;      /* there is a way to IPv6 addresses */
static bool no_host;  /* the network refuses the name */

static int resolve(void *arg, const struct reg_lookup *l)
{
	asked = *l;
	lookups++;
	return no_host ? EINVAL : world_resolve(arg, l);
}

static bool local(void *arg, uint32_t interface, uint16_t port, const struct rg_addr *server,
		  struct rg_addr *out)
{
	(void)arg, (void)interface, (void)port;
	memset(out, 0, sizeof *out);
	return server->family == 4 || six;
}

static void hear(int prio, const char *line)
{
	if (!strstr(line, "proxy set ITSP: "))
		return;
	warnings += prio == 4;
	notices += prio == 5;
}

static const char rows[] =
	"[IPGroup]\nName = PBX\n[IPGroup]\nName = ITSP\nProxySetName = ITSP\n"
	"[ProxyIp]\nProxySetId = ITSP\nIpAddress = sip.itsp.example\n"
	"[Account]\nName = a\nServedIPGroupName = PBX\nServingIPGroupName = ITSP\n"
	"ContactUser = 1\nRegister = 1\nRegistrarStickiness = 1\n";

static void use(struct world *w, const char *gateway, const char *set)
{
	char *ini = g_strdup_printf("[Gateway]\nRegistrationTime = 600\n%s\n[ProxySet]\n"
				    "Name = ITSP\n%s\n%s", gateway, set, rows);

	world_conf(w, ini);
	g_free(ini);
}

static void answer(struct world *w, const char *const *addr, size_t n)
{
	w->n_answer = n;
	for (size_t i = 0; i < n; i++) {
		w->answer[i] = (struct reg_resolved){ .ttl = 30 };
		assert_true(rg_addr_parse(&w->answer[i].addr, addr[i]));
	}
}
#define ANSWER(w, ...) answer(w, (const char *const[]){ __VA_ARGS__ }, \
			      sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static const char *servers(struct world *w)
{
	static char text[4096];
	struct reg_server_info s;
	uint32_t set = 0, rank = 0;

	text[0] = '\0';
	while (reg_engine_next_server(w->e, &set, &rank, &s)) {
		char one[RG_ADDR_TEXT];

		sprintf(text + strlen(text), "%s%s %s", *text ? ", " : "",
			rg_transport_name(s.addr.transport), rg_addr_text(&s.addr, one));
	}
	return text;
}

static struct world *begin(void)
{
	struct world *w = world_new(false, true);

	lookups = warnings = notices = 0;
	six = no_host = false;
	w->port.resolve = resolve;
	w->port.local = local;
	rg_log_to(hear);
	ANSWER(w, "192.0.2.1:5060", "192.0.2.2:5060");
	return w;
}

static void after(struct world *w, rg_ms ms)
{
	world_until(w, rg_now(w->timers) + ms);
}

static const char *registrar(struct world *w)
{
	static char text[RG_ADDR_TEXT];
	struct reg_account_info x;

	assert_true(reg_engine_find(w->e, "a", &x));
	return x.registered ? rg_addr_text(&x.registrar, text) : "";
}

static void what_is_asked_for(void **state)
{
	struct world *w = begin();

	(void)state;
	use(w, "ProxyDNSQueryType = NAPTR\nSIPTransportType = TCP", "");
	after(w, 1000);
	assert_string_equal(asked.host, "sip.itsp.example");
	assert_int_equal(asked.method, 2);
	assert_int_equal(asked.transport, RG_TCP);
	assert_false(asked.transport_set);
	assert_int_equal(asked.families, REG_IPV4 | REG_IPV6);
	assert_true(asked.six_first);
	assert_int_equal(asked.transports, 1 << RG_UDP | 1 << RG_TCP | 1 << RG_TLS);
	use(w, "ProxyDNSQueryType = NAPTR", "DNSResolveMethod = SRV\nPreferIPv6 = 0\n"
					    "[SIPInterface]\nNetworkInterface = 127.0.0.1\n");
	after(w, 1000);
	assert_int_equal(asked.method, 1);
	assert_int_equal(asked.families, REG_IPV4);
	assert_false(asked.six_first);
	world_free(w);
}

/* Transport and port come with each server. */
static void servers_differ_in_transport(void **state)
{
	struct world *w = begin();

	(void)state;
	ANSWER(w, "192.0.2.1:5070", "192.0.2.1:5080");
	w->answer[1].addr.transport = RG_TCP;
	use(w, "", "DNSResolveMethod = NAPTR");
	after(w, 1000);
	assert_string_equal(servers(w), "udp 192.0.2.1:5070, tcp 192.0.2.1:5080");
	world_free(w);
}

static char tls_name[256];

static void sees(struct world *w, const struct reg_message *m)
{
	(void)w;
	g_strlcpy(tls_name, m->tls_name, sizeof tls_name);
}

/* Whatever names DNS goes through, the certificate must be that of the configured one. */
static void the_configured_name_is_the_certificates(void **state)
{
	struct world *w = begin();

	(void)state;
	w->sees = sees;
	ANSWER(w, "192.0.2.1:5091");
	w->answer[0].addr.transport = RG_TLS;
	use(w, "", "DNSResolveMethod = NAPTR");
	after(w, 1000);
	assert_string_equal(servers(w), "tls 192.0.2.1:5091");
	assert_string_equal(tls_name, "sip.itsp.example");
	world_free(w);
}

/* One that leaves the answer is left at once; the next lookup is ProxyIPListRefreshTime
 * after the last. */
static void leaving_and_joining(void **state)
{
	struct world *w = begin();

	(void)state;
	use(w, "ProxyIPListRefreshTime = 30", "DNSResolveMethod = SRV");
	after(w, 1000);
	assert_string_equal(registrar(w), "192.0.2.1:5060");
	assert_int_equal(lookups, 1);
	ANSWER(w, "192.0.2.3:5060", "192.0.2.1:5060");
	after(w, 28000);
	assert_int_equal(lookups, 1);
	after(w, 2000);
	assert_int_equal(lookups, 2);
	assert_string_equal(servers(w), "udp 192.0.2.3:5060, udp 192.0.2.1:5060");
	assert_string_equal(registrar(w), "192.0.2.1:5060");
	ANSWER(w, "192.0.2.3:5060", "192.0.2.4:5060");
	after(w, 30000);
	assert_string_equal(registrar(w), "192.0.2.3:5060");
	assert_int_equal(w->sent, 2); /* at once, long before a refresh */
	world_free(w);
}

/* Name servers turn an answer round; no account moves for that. */
static void another_order_is_no_change(void **state)
{
	struct world *w = begin();

	(void)state;
	use(w, "", "");
	after(w, 1000);
	ANSWER(w, "192.0.2.2:5060", "192.0.2.1:5060");
	after(w, 60000);
	assert_int_equal(lookups, 2);
	assert_string_equal(servers(w), "udp 192.0.2.1:5060, udp 192.0.2.2:5060");
	w->answer[0].priority = 1; /* but ranks count */
	w->answer[1].priority = 2;
	after(w, 60000);
	assert_string_equal(servers(w), "udp 192.0.2.2:5060, udp 192.0.2.1:5060");
	world_free(w);
}

static void a_failing_name_is_said_once(void **state)
{
	struct world *w = begin();

	(void)state;
	w->dns_silent = true;
	use(w, "", "");
	after(w, 65000);
	assert_in_range(lookups, 6, 8); /* every 10 s */
	assert_int_equal(warnings, 1);
	assert_string_equal(servers(w), "");
	w->dns_silent = false;
	after(w, 10000);
	assert_string_equal(servers(w), "udp 192.0.2.1:5060, udp 192.0.2.2:5060");
	assert_int_equal(notices, 1);
	world_free(w);
}

/* The last good answer, for a week: said once, asked again every 10 s. */
static void stale_answers(void **state)
{
	struct world *w = begin();
	unsigned before;

	(void)state;
	use(w, "", "");
	after(w, 1000);
	w->answer[1].stale = true;
	after(w, 60000);
	assert_int_equal(warnings, 1);
	before = lookups;
	after(w, 100000);
	assert_in_range(lookups - before, 9, 11);
	w->dns_silent = true; /* the network has forgotten it, too */
	after(w, 7 * (rg_ms)86400000);
	assert_int_equal(warnings, 1);
	assert_int_equal(notices, 0);
	assert_string_equal(servers(w), "udp 192.0.2.1:5060, udp 192.0.2.2:5060");
	assert_string_equal(registrar(w), "192.0.2.1:5060");
	w->dns_silent = w->answer[1].stale = false;
	after(w, 11000);
	assert_int_equal(notices, 1);
	world_free(w);
}

static void ipv6_only_where_there_is_a_way(void **state)
{
	struct world *w = begin();

	(void)state;
	ANSWER(w, "[2001:db8::1]:5060", "192.0.2.1:5060");
	use(w, "", "");
	after(w, 1000);
	assert_string_equal(servers(w), "udp 192.0.2.1:5060");
	six = true;
	after(w, 60000);
	assert_string_equal(servers(w), "udp [2001:db8::1]:5060, udp 192.0.2.1:5060");
	world_free(w);
}

static void a_name_that_cannot_be_asked_for(void **state)
{
	struct world *w = begin();

	(void)state;
	no_host = true;
	use(w, "", "");
	after(w, 65000);
	assert_int_equal(warnings, 1);
	assert_string_equal(servers(w), "");
	world_free(w);
}

/* Another method, other name servers: the servers stay until there is an answer. */
static void a_reload_keeps_the_last_answer(void **state)
{
	struct world *w = begin();

	(void)state;
	use(w, "", "");
	after(w, 1000);
	assert_string_equal(registrar(w), "192.0.2.1:5060");
	w->dns_silent = true;
	use(w, "DNSServers = 192.0.2.53", "DNSResolveMethod = SRV");
	after(w, 0);
	assert_int_equal(lookups, 2);
	after(w, 20000);
	assert_string_equal(servers(w), "udp 192.0.2.1:5060, udp 192.0.2.2:5060");
	use(w, "DNSServers = 192.0.2.53", "DNSResolveMethod = SRV");
	after(w, 0);
	w->dns_silent = false;
	ANSWER(w, "192.0.2.7:5070");
	after(w, 10000);
	assert_string_equal(servers(w), "udp 192.0.2.7:5070");
	world_free(w);
}

/* ---- ProxyIp Registrar as a name ------------------------------------------------------- */

static char request_host[256];
static struct rg_addr asked_there;

static void sees_where(struct world *w, const struct reg_message *m)
{
	(void)w;
	g_strlcpy(request_host, m->request_host, sizeof request_host);
	g_strlcpy(tls_name, m->tls_name, sizeof tls_name);
	asked_there = m->server;
}

static const char homed[] =
	"[Gateway]\nRegistrationTime = 600\n[ProxySet]\nName = ITSP\nIsProxyHotSwap = 1\n"
	"[ProxyIp]\nProxySetId = ITSP\nIpAddress = 192.0.2.9\n%s\n"
	"[IPGroup]\nName = PBX\n[IPGroup]\nName = ITSP\nProxySetName = ITSP\n"
	"[Account]\nName = a\nServedIPGroupName = PBX\nServingIPGroupName = ITSP\n"
	"ContactUser = 1\nRegister = 1\nRegistrarStickiness = 1\n";

static void use_home(struct world *w, const char *row)
{
	char *ini = g_strdup_printf(homed, row);

	world_conf(w, ini);
	g_free(ini);
}

static const char *registers_at(struct world *w)
{
	static char text[2 * RG_ADDR_TEXT + 16];
	char home[RG_ADDR_TEXT];
	struct reg_account_info x;

	assert_true(reg_engine_find(w->e, "a", &x));
	if (!x.registered)
		return x.last_reason;
	sprintf(text, "%s at %s", registrar(w),
		x.registers_at.family ? rg_addr_text(&x.registers_at, home) : "itself");
	return text;
}

static const char by_name[] = "Registrar = reg.itsp.example:5070";

static struct world *home(const char *row)
{
	struct world *w = begin();

	w->sees = sees_where;
	ANSWER(w, "192.0.2.1:5070", "192.0.2.2:5070");
	use_home(w, row);
	after(w, 1000);
	return w;
}

static void a_registrar_by_name(void **state)
{
	struct world *w = home(by_name);

	(void)state;
	assert_int_equal(lookups, 1);
	assert_string_equal(asked.host, "reg.itsp.example");
	assert_int_equal(asked.port, 5070);
	assert_string_equal(servers(w), "udp 192.0.2.9:5060");
	assert_string_equal(registers_at(w), "192.0.2.9:5060 at 192.0.2.1:5070");
	assert_string_equal(request_host, "reg.itsp.example:5070");
	assert_int_equal(w->peer[9].sent, 0);
	use_home(w, by_name); /* the same again: nobody is asked anything */
	after(w, 1000);
	assert_int_equal(lookups, 1);
	assert_int_equal(w->sent, 1);
	world_free(w);
}

/* One that leaves DNS is left at once, and a name that fails keeps the last good answer. */
static void a_registrar_that_moves(void **state)
{
	struct world *w = home(by_name);

	(void)state;
	ANSWER(w, "192.0.2.3:5070");
	after(w, 60000);
	assert_string_equal(registers_at(w), "192.0.2.9:5060 at 192.0.2.3:5070");
	assert_int_equal(w->peer[3].sent, 1);
	w->dns_silent = true;
	after(w, 70000);
	assert_int_equal(warnings, 1);
	assert_int_equal(w->sent, 2);
	assert_string_equal(registers_at(w), "192.0.2.9:5060 at 192.0.2.3:5070");
	use_home(w, ""); /* the proxy itself */
	after(w, 1000);
	assert_string_equal(registers_at(w), "192.0.2.9:5060 at itself");
	assert_int_equal(w->peer[9].sent, 1);
	use_home(w, "Registrar = 192.0.2.4");
	after(w, 1000);
	assert_string_equal(registers_at(w), "192.0.2.9:5060 at 192.0.2.4:5060");
	world_free(w);
}

static void a_registrar_that_is_silent(void **state)
{
	struct world *w = begin();

	(void)state;
	w->peer[1].does = SILENT;
	ANSWER(w, "192.0.2.1:5070", "192.0.2.2:5070");
	use_home(w, by_name);
	after(w, 40000);
	assert_string_equal(registers_at(w), "192.0.2.9:5060 at 192.0.2.2:5070");
	assert_int_equal(w->peer[1].sent, 1);
	w->peer[2].code = 503; /* and back when that one has enough */
	w->peer[1].does = OK;
	after(w, 320000);
	assert_string_equal(registers_at(w), "192.0.2.9:5060 at 192.0.2.1:5070");
	w->peer[1].code = 403; /* that is about the account */
	after(w, 320000);
	assert_int_equal(w->peer[2].sent, 2);
	world_free(w);
}

/* Never to the proxy instead, which may not be one to register at. */
static void a_registrar_nobody_knows(void **state)
{
	struct world *w = begin();

	(void)state;
	w->dns_silent = true;
	use_home(w, by_name);
	after(w, 20000);
	assert_int_equal(warnings, 1);
	assert_int_equal(w->sent, 0);
	assert_string_equal(registers_at(w), "registrar's name does not resolve");
	w->dns_silent = false;
	after(w, 60000);
	assert_string_equal(registers_at(w), "192.0.2.9:5060 at 192.0.2.1:5060");
	world_free(w);
}

static void the_registrars_certificate(void **state)
{
	struct world *w = home("TransportType = TLS\nRegistrar = reg.itsp.example");

	(void)state;
	assert_string_equal(tls_name, ""); /* the answer said UDP */
	w->answer[0].addr.transport = RG_TLS;
	w->n_answer = 1;
	after(w, 61000);
	assert_int_equal(asked_there.transport, RG_TLS);
	assert_string_equal(tls_name, "reg.itsp.example");
	use_home(w, "TransportType = TLS\nRegistrar = 192.0.2.4");
	after(w, 1000);
	assert_string_equal(tls_name, "192.0.2.4");
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_asked_for),
		cmocka_unit_test(servers_differ_in_transport),
		cmocka_unit_test(the_configured_name_is_the_certificates),
		cmocka_unit_test(leaving_and_joining),
		cmocka_unit_test(another_order_is_no_change),
		cmocka_unit_test(a_failing_name_is_said_once),
		cmocka_unit_test(stale_answers),
		cmocka_unit_test(ipv6_only_where_there_is_a_way),
		cmocka_unit_test(a_name_that_cannot_be_asked_for),
		cmocka_unit_test(a_reload_keeps_the_last_answer),
		cmocka_unit_test(a_registrar_by_name),
		cmocka_unit_test(a_registrar_that_moves),
		cmocka_unit_test(a_registrar_that_is_silent),
		cmocka_unit_test(a_registrar_nobody_knows),
		cmocka_unit_test(the_registrars_certificate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
