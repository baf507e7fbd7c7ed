/* The way of a request: who sent it, as which account it goes where, and what comes next. */
#include "unit/reg_world.h"

#include "reg/route.h"

struct trial {
	struct reg_route *route;
	unsigned legs, refusals;
	uint8_t to; /* last octet of the server */
	struct reg_leg leg;
	char request_host[64], from_host[64], contact_user[64], request_user[64], username[64],
		password[64], caller_user[64], asserted[64];
	struct reg_refusal refusal;
	struct reg_route_info info;
};

static void go(void *arg, struct reg_route *r, const struct reg_leg *leg)
{
	struct trial *t = arg;

	t->legs++;
	t->leg = *leg;
	t->to = leg->server.ip[3];
	g_strlcpy(t->request_host, leg->request_host, sizeof t->request_host);
	g_strlcpy(t->request_user, leg->request_user, sizeof t->request_user);
	g_strlcpy(t->from_host, leg->from_host, sizeof t->from_host);
	g_strlcpy(t->contact_user, leg->contact_user, sizeof t->contact_user);
	g_strlcpy(t->username, leg->username, sizeof t->username);
	g_strlcpy(t->password, leg->password, sizeof t->password);
	g_strlcpy(t->caller_user, leg->caller_user ? leg->caller_user : "", sizeof t->caller_user);
	g_strlcpy(t->asserted, leg->asserted, sizeof t->asserted);
	reg_route_info(r, &t->info);
}

static void refuse(void *arg, struct reg_route *r, const struct reg_refusal *x)
{
	struct trial *t = arg;

	t->refusals++;
	t->refusal = *x;
	reg_route_info(r, &t->info);
}

static const struct reg_route_h handlers = { go, refuse };

static struct reg_arrival from(unsigned octet, const char *caller, const char *called)
{
	struct reg_arrival a = {
		.method = RG_M_INVITE, .uri_user = called, .uri_host = "gateway.example",
		.token = "", .to_user = "", .from_user = caller, .from_host = "pbx.example",
		.asserted = "", .preferred = "",
		.source = { .ip = { 192, 0, 2, (uint8_t)octet }, .family = 4, .port = 5060 },
	};
	return a;
}

static struct trial *send(struct world *w, struct reg_arrival a)
{
	struct trial *t = g_new0(struct trial, 1);

	t->route = reg_route_new(w->e, &a, &handlers, t);
	reg_route_begin(t->route);
	return t;
}

static void end(struct trial *t)
{
	reg_route_end(t->route);
	g_free(t);
}

static void goes(struct trial *t, unsigned legs, unsigned to)
{
	if (t->refusals)
		fail_msg("refused with %u (%s)", t->refusal.code, t->info.policy);
	assert_int_equal(t->legs, legs);
	assert_int_equal(t->to, to);
}

static void refused(struct trial *t, unsigned code)
{
	if (!t->refusals)
		fail_msg("it went to .%u by %s", t->to, t->info.rule);
	assert_int_equal(t->refusals, 1);
	assert_int_equal(t->refusal.code, code);
}

static void answered(struct trial *t, uint16_t code)
{
	reg_route_answered(t->route, code, "as told", 0);
}

/* A PBX at .10 and .11, two providers at .1 to .3 and .4 to .6. */
static const char base[] =
	"[Gateway]\nRegistrationTime = 600\nRefreshJitter = 0\nRegisterRate = 0\n"
	"[ProxySet]\nName = pbx\nIsProxyHotSwap = 1\n"
	"[ProxyIp]\nProxySetId = pbx\nIpAddress = 192.0.2.10\n"
	"[ProxyIp]\nProxySetId = pbx\nIpAddress = 192.0.2.11\n"
	"[IPGroup]\nName = PBX\nProxySetName = pbx\n"
	"[ProxySet]\nName = one\nIsProxyHotSwap = 1\n"
	"[ProxyIp]\nProxySetId = one\nIpAddress = 192.0.2.1\n"
	"[ProxyIp]\nProxySetId = one\nIpAddress = 192.0.2.2\n"
	"[ProxyIp]\nProxySetId = one\nIpAddress = 192.0.2.3\n"
	"[IPGroup]\nName = ONE\nProxySetName = one\nSIPGroupName = one.example\n"
	"[ProxySet]\nName = two\n"
	"[ProxyIp]\nProxySetId = two\nIpAddress = 192.0.2.4\n"
	"[ProxyIp]\nProxySetId = two\nIpAddress = 192.0.2.5\n"
	"[IPGroup]\nName = TWO\nProxySetName = two\nSIPGroupName = two.example\n";

static GHashTable *dialogues; /* of those that have registered: their ids */

static void remember(struct world *w, const struct reg_message *m)
{
	(void)w;
	if (!dialogues)
		dialogues = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_hash_table_insert(dialogues, g_strdup(m->account),
			    g_memdup2(m->dialogue->id, sizeof m->dialogue->id));
}

static struct world *made_with(const char *more, bool plugins)
{
	struct world *w = world_new(false, plugins);
	char *ini = g_strconcat(base, more, NULL);

	w->sees = remember;
	world_conf(w, ini);
	world_until(w, 20000);
	g_free(ini);
	return w;
}

static struct world *made(const char *more)
{
	return made_with(more, true);
}

#define ACCOUNT(name, serving, user, more) \
	"[Account]\nName = " name "\nServedIPGroupName = PBX\nServingIPGroupName = " serving \
	"\nContactUser = " user "\nUsername = login-" name "\nPassword = secret\n" more
#define BOUND "Register = 1\n"

/* ---- tokens: what a REGISTER carried -------------------------------------------------- */

static void token_of(const char *name, char out[17])
{
	const uint8_t *id = g_hash_table_lookup(dialogues, name);

	assert_non_null(id);
	for (int i = 0; i < 8; i++)
		snprintf(out + 2 * i, 3, "%02X", id[i]);
}

/* ---- who sent it ------------------------------------------------------------------------ */

static const char *source(struct world *w, struct reg_arrival a, struct reg_source *out)
{
	static struct reg_source s;

	reg_route_source(w->e, &a, out ? out : &s);
	return (out ? out : &s)->known ? (out ? out : &s)->group : NULL;
}

static void sources(void **state)
{
	struct world *w = made(ACCOUNT("a", "ONE", "100", BOUND));
	struct reg_arrival a = from(10, "1", "2");
	struct reg_source s;
	struct trial *t;
	char token[17];

	(void)state;
	assert_string_equal(source(w, from(10, "", ""), NULL), "PBX");
	assert_string_equal(source(w, from(3, "", ""), NULL), "ONE");
	assert_string_equal(source(w, from(5, "", ""), NULL), "TWO");
	a.source.port = 40000;
	a.source.transport = RG_TCP;
	assert_string_equal(source(w, a, NULL), "PBX");
	a.interface = 1; /* there is none */
	assert_null(source(w, a, NULL));
	assert_null(source(w, from(99, "", ""), &s));
	assert_int_equal(s.unknown, 403);
	t = send(w, from(99, "100", "100"));
	refused(t, 403);
	end(t);
	a = from(99, "", "");
	a.own_port = 6000; /* a port proves nothing */
	assert_null(source(w, a, NULL));
	token_of("a", token);
	a = from(99, "1", "2");
	a.token = token; /* only the registrar knows it */
	assert_string_equal(source(w, a, NULL), "ONE");
	a.token = "0123456789abcdef";
	assert_null(source(w, a, NULL));
	token[15] = '\0';
	a.token = token;
	assert_null(source(w, a, NULL));
	world_free(w);
}

/* Two groups at one address are told apart by the port; another port means the first. */
static void sources_by_port(void **state)
{
	struct world *w = made("[ProxySet]\nName = x\n[ProxyIp]\nProxySetId = x\n"
			       "IpAddress = 192.0.2.50:5070\n[IPGroup]\nName = X\nProxySetName = x\n"
			       "[ProxySet]\nName = y\n[ProxyIp]\nProxySetId = y\n"
			       "IpAddress = 192.0.2.50:5080\n[IPGroup]\nName = Y\nProxySetName = y\n");
	struct reg_arrival a = from(50, "", "");

	(void)state;
	a.source.port = 5080;
	assert_string_equal(source(w, a, NULL), "Y");
	a.source.port = 5070;
	assert_string_equal(source(w, a, NULL), "X");
	a.source.port = 1024;
	assert_string_equal(source(w, a, NULL), "X");
	world_free(w);
}

/* A set without addresses stands for its SIP interface, if it is the only one there. */
static void source_interface(void **state)
{
	static const char lone[] = "[SIPInterface]\nName = in\nUDPPort = 5070\nTCPPort = 0\n"
				   "TLSPort = 0\n[SIPInterface]\nName = out\n[ProxySet]\n"
				   "Name = open\nSIPInterfaceName = out\n[IPGroup]\nName = OPEN\n"
				   "ProxySetName = open\n";
	struct world *w = made(lone);
	struct reg_arrival a = from(99, "", "");
	char *two;

	(void)state;
	assert_null(source(w, a, NULL));
	a.interface = 1;
	assert_string_equal(source(w, a, NULL), "OPEN");
	two = g_strconcat(base, lone, "[IPGroup]\nName = ALSO\nProxySetName = open\n", NULL);
	world_conf(w, two);
	world_until(w, 21000);
	assert_null(source(w, a, NULL));
	g_free(two);
	world_free(w);
}

static void source_follows_dns(void **state)
{
	struct world *w = made("[ProxySet]\nName = n\n[ProxyIp]\nProxySetId = n\n"
			       "IpAddress = name.example\n[IPGroup]\nName = N\nProxySetName = n\n"
			       "[ProxySet]\nName = z\n[ProxyIp]\nProxySetId = z\n"
			       "IpAddress = 192.0.2.62\n[IPGroup]\nName = Z\nProxySetName = z\n");

	(void)state;
	assert_null(source(w, from(60, "", ""), NULL));
	w->answer[0] = (struct reg_resolved){ .addr = { .ip = { 192, 0, 2, 60 }, .family = 4,
							.port = 5060 }, .ttl = 60 };
	w->n_answer = 1;
	world_until(w, 100000);
	assert_string_equal(source(w, from(60, "", ""), NULL), "N");
	w->answer[0].addr.ip[3] = 61;
	world_until(w, 200000);
	assert_null(source(w, from(60, "", ""), NULL));
	assert_string_equal(source(w, from(61, "", ""), NULL), "N");
	assert_string_equal(source(w, from(62, "", ""), NULL), "Z");
	w->answer[1] = w->answer[0];
	w->answer[1].addr.ip[3] = 62; /* a server that another set has, too: the lower set counts */
	w->n_answer = 2;
	world_until(w, 300000);
	assert_string_equal(source(w, from(62, "", ""), NULL), "N");
	world_free(w);
}

static void source_authenticates(void **state)
{
	struct world *w = made("[IPGroup]\nName = S\nProxySetName = s\nAuthenticationMode = 2\n"
			       "UsernameAsServer = u\nPasswordAsServer = p\nSIPGroupName = r\n"
			       "[ProxySet]\nName = s\n[ProxyIp]\nProxySetId = s\n"
			       "IpAddress = 192.0.2.70\n");
	struct reg_source s;

	(void)state;
	assert_string_equal(source(w, from(70, "", ""), &s), "S");
	assert_string_equal(s.username, "u");
	assert_string_equal(s.password, "p");
	assert_string_equal(s.realm, "r");
	source(w, from(10, "", ""), &s);
	assert_string_equal(s.username, "");
	world_free(w);
}

/* ---- from the served side --------------------------------------------------------------- */

static void pair(void **state)
{
	struct world *w = made(ACCOUNT("a", "ONE", "100", BOUND "HostName = home.example\n"));
	struct trial *t = send(w, from(10, "4711", "0800"));

	(void)state;
	goes(t, 1, 1);
	assert_true(t->leg.to_serving);
	assert_non_null(t->leg.dialogue);
	assert_string_equal(t->info.account, "a");
	assert_string_equal(t->info.rule, "pair");
	assert_string_equal(t->info.from_group, "PBX");
	assert_string_equal(t->info.to_group, "ONE");
	assert_string_equal(t->from_host, "home.example");
	assert_string_equal(t->request_host, "one.example");
	assert_string_equal(t->request_user, "");
	assert_string_equal(t->contact_user, "100");
	assert_string_equal(t->username, "login-a");
	assert_string_equal(t->password, "secret");
	assert_int_equal(reg_route_calls(w->e), 1);
	end(t);
	assert_int_equal(reg_route_calls(w->e), 0);
	world_free(w);
}

/* Who calls decides which account, in whatever form the number stands; else the first. */
static void pair_choice(void **state)
{
	struct world *w = made("[Account]\nIndex = 7\nName = last\nServedIPGroupName = PBX\n"
			       "ServingIPGroupName = ONE\nContactUser = 7000\nUsername = u7\n" BOUND
			       ACCOUNT("b", "ONE", "+4930200", BOUND)
			       ACCOUNT("c", "ONE", "300", BOUND));
	static const struct {
		const char *asserted, *preferred, *from, *account;
	} all[] = {
		{ "", "", "nobody", "b" },     { "", "", "300", "c" },
		{ "", "", "004930200", "b" },  { "", "", "+4930200", "b" },
		{ "", "", "4930200", "b" },    { "", "300", "4930200", "c" },
		{ "300", "7000", "300", "c" }, { "7000", "300", "300", "last" },
		{ "", "", "u7", "last" },      { "", "", "login-c", "c" },
		{ "unknown", "300", "", "c" }, { "", "", "0300", "c" },
		{ "", "", "3000", "b" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
		struct reg_arrival a = from(10, all[i].from, "1");
		struct trial *t;

		a.asserted = all[i].asserted;
		a.preferred = all[i].preferred;
		t = send(w, a);
		goes(t, 1, 1);
		if (strcmp(t->info.account, all[i].account))
			fail_msg("row %zu: %s", i, t->info.account);
		end(t);
	}
	world_free(w);
}

/* Not registered: 400; without registration at all the caller's own number is the Contact's
 * user. */
static void not_registered(void **state)
{
	struct world *w = made(ACCOUNT("a", "ONE", "100", BOUND) ACCOUNT("b", "TWO", "200", ""));
	struct reg_arrival a = from(10, "200", "1");
	struct trial *t;

	(void)state;
	reg_engine_unregister(w->e, "a");
	world_until(w, 21000);
	t = send(w, from(10, "100", "1"));
	refused(t, 400);
	assert_string_equal(t->info.policy, "core: refuse 400");
	end(t);
	a.asserted = "200";
	a.from_user = "4711";
	t = send(w, a);
	goes(t, 1, 4);
	assert_string_equal(t->contact_user, "4711");
	assert_string_equal(t->from_host, "two.example");
	end(t);
	world_free(w);
}

/* 503, 408 and silence lead to the next server with hot swap, other answers and other sets
 * to the caller; a success makes a server count again. */
static void failover(void **state)
{
	struct world *w = made(ACCOUNT("a", "ONE", "100", BOUND) ACCOUNT("b", "TWO", "200", BOUND));
	struct trial *t = send(w, from(10, "100", "1"));

	(void)state;
	goes(t, 1, 1);
	answered(t, 503);
	goes(t, 2, 2);
	answered(t, 0);
	goes(t, 3, 3);
	answered(t, 200);
	goes(t, 3, 3);
	end(t);
	t = send(w, from(10, "100", "1"));
	goes(t, 1, 3); /* the others failed last */
	answered(t, 486);
	refused(t, 486);
	end(t);
	t = send(w, from(10, "200", "1"));
	goes(t, 1, 4);
	answered(t, 503);
	refused(t, 503);
	end(t);
	t = send(w, from(10, "200", "1"));
	goes(t, 1, 5);
	answered(t, 0);
	refused(t, 408);
	end(t);
	world_free(w);
}

/* RetryCounts counts for a server that refuses, too. */
static void refusing(void **state)
{
	struct world *w = made("[ProxySet]\nName = r\nRetryCounts = 2\nIsProxyHotSwap = 1\n"
			       "[ProxyIp]\nProxySetId = r\nIpAddress = 192.0.2.150\n"
			       "[ProxyIp]\nProxySetId = r\nIpAddress = 192.0.2.151\n"
			       "[IPGroup]\nName = R\nProxySetName = r\n[IP2IPRouting]\n"
			       "SrcIPGroupName = PBX\nDestIPGroupName = R\n");
	struct trial *t = send(w, from(10, "1", "1"));

	(void)state;
	goes(t, 1, 150);
	assert_int_equal(t->leg.retransmissions, 2);
	answered(t, 0);
	goes(t, 1, 150);
	world_until(w, 20499);
	goes(t, 1, 150);
	world_until(w, 20500);
	goes(t, 2, 150);
	answered(t, 0);
	world_until(w, 21500);
	goes(t, 3, 150);
	answered(t, 0);
	goes(t, 4, 151);
	answered(t, 0);
	refused(t, 408); /* nobody is left: no counts */
	end(t);
	t = send(w, from(10, "1", "1"));
	goes(t, 1, 150);
	world_until(w, rg_now(w->timers) + t->leg.budget_ms);
	answered(t, 0); /* silent, not refusing */
	goes(t, 2, 151);
	end(t);
	t = send(w, from(10, "1", "1"));
	answered(t, 0);
	end(t); /* while it waits */
	world_until(w, 60000);
	world_free(w);
}

static void sticky(void **state)
{
	struct world *w = made(ACCOUNT("a", "ONE", "100", BOUND "RegistrarStickiness = 1\n"));
	struct trial *t = send(w, from(10, "100", "1"));

	(void)state;
	goes(t, 1, 1);
	assert_true(t->leg.service_route);
	answered(t, 503);
	refused(t, 503);
	end(t);
	reg_engine_unregister(w->e, "a");
	world_until(w, 21000);
	t = send(w, from(10, "100", "1"));
	refused(t, 500);
	assert_string_equal(t->info.policy, "core: refuse 500");
	end(t);
	world_free(w);
}

/* ---- from the serving side --------------------------------------------------------------- */

static void inbound(void **state)
{
	struct world *w = made(ACCOUNT("a", "ONE", "100", BOUND)
				    ACCOUNT("b", "ONE", "+49200", BOUND));
	struct reg_arrival a;
	struct trial *t;
	char token[17];

	(void)state;
	t = send(w, from(2, "4711", "0049200"));
	goes(t, 1, 10);
	assert_false(t->leg.to_serving);
	assert_string_equal(t->info.account, "b");
	assert_string_equal(t->info.rule, "Request-URI user");
	assert_string_equal(t->info.to_group, "PBX");
	assert_string_equal(t->caller_user, "+49200");
	assert_string_equal(t->leg.caller_username, "login-b");
	assert_string_equal(t->request_user, "");
	assert_string_equal(t->request_host, "192.0.2.10");
	assert_string_equal(t->from_host, "one.example");
	assert_string_equal(t->username, "");
	answered(t, 0);
	goes(t, 2, 11); /* the PBX has two addresses, and hot swap */
	answered(t, 503);
	refused(t, 503);
	end(t);
	a = from(2, "4711", "4712");
	a.to_user = "100";
	t = send(w, a);
	goes(t, 1, 10); /* both failed: both count again */
	assert_string_equal(t->info.account, "a");
	assert_string_equal(t->info.rule, "To user");
	end(t);
	token_of("b", token);
	a = from(77, "4711", "100");
	a.token = token;
	t = send(w, a);
	goes(t, 1, t->to);
	assert_string_equal(t->info.account, "b");
	assert_string_equal(t->info.rule, "token");
	end(t);
	t = send(w, from(2, "4711", "4712"));
	refused(t, 404);
	end(t);
	world_free(w);
}

/* The one account there is gets what names nobody. */
static void inbound_by_source(void **state)
{
	struct world *w = made(ACCOUNT("a", "ONE", "100", BOUND));
	struct trial *t = send(w, from(2, "4711", "4712"));

	(void)state;
	goes(t, 1, 10);
	assert_string_equal(t->info.rule, "source");
	end(t);
	t = send(w, from(4, "4711", "100")); /* TWO serves nobody */
	refused(t, 404);
	end(t);
	world_free(w);
}

/* From another address than the account is registered at. */
static void ims_foreign(void **state)
{
	struct world *w = made(ACCOUNT("a", "ONE", "100", BOUND "RegistrarStickiness = 1\n"
				       "RegistrarSearchMode = 1\n"));
	uint32_t sent = w->sent;
	struct trial *t = send(w, from(2, "4711", "100"));

	(void)state;
	refused(t, 480);
	assert_string_equal(t->info.policy, "ims_search: refuse 480");
	end(t);
	world_until(w, 20100);
	assert_int_equal(w->sent, sent + 1);
	t = send(w, from(1, "4711", "100"));
	goes(t, 1, 10);
	end(t);
	world_free(w);
}

static void own_ports(void **state)
{
	static const char ports[] = "[SIPInterface]\nName = x\nAdditionalUDPPorts = 6000-6009\n"
		ACCOUNT("a", "ONE", "100", BOUND "UDPPortAssignment = 1\n")
		ACCOUNT("b", "ONE", "200", BOUND "UDPPortAssignment = 1\n")
		ACCOUNT("c", "ONE", "300", BOUND);
	struct world *w = made(ports);
	struct reg_arrival a = from(1, "4711", "4712");
	struct trial *t;
	char token[17];

	(void)state;
	a.own_port = 6000;
	t = send(w, a);
	goes(t, 1, 10);
	assert_string_equal(t->info.account, "a");
	assert_string_equal(t->info.rule, "port");
	end(t);
	a.uri_user = "100";
	t = send(w, a);
	goes(t, 1, 10);
	end(t);
	a.uri_user = "200"; /* another's number on this port */
	t = send(w, a);
	refused(t, 404);
	end(t);
	a.uri_user = "4712";
	a.own_port = 6005; /* nobody's */
	t = send(w, a);
	refused(t, 404);
	end(t);
	a.own_port = 6001;
	token_of("a", token);
	a.token = token;
	t = send(w, a);
	refused(t, 404);
	end(t);
	a = from(4, "4711", "4712"); /* the port of an account of another group */
	a.own_port = 6000;
	t = send(w, a);
	refused(t, 404);
	end(t);
	t = send(w, from(1, "4711", "100")); /* it has a port: this is not it */
	refused(t, 404);
	end(t);
	t = send(w, from(1, "4711", "300"));
	goes(t, 1, 10);
	end(t);
	a = from(10, "200", "1");
	t = send(w, a);
	goes(t, 1, 1);
	assert_int_equal(t->leg.local_port, 6001);
	end(t);
	world_free(w);
}

/* ---- rows -------------------------------------------------------------------------------- */

#define ROW(text) "[IP2IPRouting]\n" text "\n"

static void rows(void **state)
{
	struct world *w = made(
		ACCOUNT("a", "ONE", "100", BOUND) ACCOUNT("b", "TWO", "200", BOUND)
		ACCOUNT("z", "TWO", "999", BOUND) ACCOUNT("y", "TWO", "+100", BOUND)
		ROW("SrcIPGroupName = PBX\nDestUsernamePrefix = 00\nDestIPGroupName = TWO")
		ROW("SrcIPGroupName = PBX\nDestUsernamePrefix = 1xx#\nDestIPGroupName = TWO\n"
		    "DestAccountName = z")
		ROW("SrcIPGroupName = ONE\nDestUsernamePrefix = 911\nDestIPGroupName = TWO")
		ROW("SrcIPGroupName = TWO\nDestIPGroupName = ONE\nSrcHost = pbx.example")
		ROW("DestUsernamePrefix = [40-49](7)\nDestType = 1\nDestAddress = 192.0.2.200\n"
		    "DestPort = 5090\nDestTransportType = 1")
		ROW("DestUsernamePrefix = 666\nDestType = 1\nDestAddress = 0.0.0.0")
		ROW("AltRouteOptions = 2\nDestUsernamePrefix = 6667\nDestIPGroupName = TWO")
		ROW("SrcIPGroupName = PBX\nRequestType = SUBSCRIBE\nDestIPGroupName = TWO")
		ROW("SrcIPGroupName = PBX\nDestIPGroupName = ONE"));
	struct reg_arrival a = from(10, "4711", "5");
	struct trial *t;

	(void)state;
	t = send(w, from(10, "4711", "0044"));
	goes(t, 1, 4);
	assert_string_equal(t->info.rule, "route 0");
	assert_string_equal(t->info.account, "b");
	end(t);
	t = send(w, from(10, "200", "112"));
	goes(t, 1, 4);
	assert_string_equal(t->info.account, "z");
	end(t);
	t = send(w, from(10, "100", "0044")); /* the number stands at ONE, too */
	goes(t, 1, 4);
	assert_string_equal(t->info.account, "y");
	end(t);
	t = send(w, from(10, "100", "5"));
	goes(t, 1, 1);
	assert_string_equal(t->info.account, "a");
	end(t);
	t = send(w, from(10, "4711", "1123"));
	goes(t, 1, 1);
	assert_string_equal(t->info.rule, "route 8");
	assert_string_equal(t->info.account, "a");
	end(t);
	t = send(w, from(10, "4711", "4507"));
	goes(t, 1, 200);
	assert_int_equal(t->leg.server.port, 5090);
	assert_int_equal(t->leg.server.transport, RG_TCP);
	assert_string_equal(t->info.account, "");
	assert_string_equal(t->request_host, "192.0.2.200");
	assert_false(t->leg.to_serving);
	answered(t, 404);
	refused(t, 404);
	end(t);
	t = send(w, from(10, "4711", "6660"));
	refused(t, 404);
	end(t);
	t = send(w, from(10, "4711", "6667"));
	goes(t, 1, 4);
	end(t);
	a.method = RG_M_SUBSCRIBE;
	t = send(w, a);
	goes(t, 1, 4);
	assert_int_equal(reg_route_calls(w->e), 0);
	end(t);
	t = send(w, from(2, "4711", "911")); /* it is a's, but the row has it go elsewhere */
	goes(t, 1, 4);
	assert_string_equal(t->info.account, "a");
	assert_string_equal(t->caller_user, "100");
	assert_string_equal(t->username, "");
	end(t);
	t = send(w, from(2, "4711", "100")); /* no row: the account's served group */
	goes(t, 1, 10);
	end(t);
	t = send(w, from(4, "4711", "200"));
	goes(t, 1, 1);
	assert_string_equal(t->info.rule, "route 3");
	assert_string_equal(t->info.account, "b");
	assert_false(t->leg.to_serving);
	end(t);
	world_free(w);
}

/* Where there are rows, what matches none goes nowhere, as on the device, be the rows for
 * others or such as never match; calls of the serving side still find their account. */
static void no_row(void **state)
{
	struct world *w = made(
		ACCOUNT("a", "ONE", "100", BOUND)
		ROW("SrcIPGroupName = PBX\nRequestType = INVITE\nDestUsernamePrefix = 0\n"
		    "DestIPGroupName = ONE"));
	struct reg_arrival a = from(10, "4711", "0");
	struct trial *t;

	(void)state;
	t = send(w, a);
	goes(t, 1, 1);
	end(t);
	t = send(w, from(10, "4711", "5"));
	refused(t, 404);
	assert_string_equal(t->info.rule, "no route");
	assert_string_equal(t->info.account, "");
	assert_int_equal(t->info.servers, 0);
	end(t);
	a.method = RG_M_OTHER;
	t = send(w, a);
	refused(t, 404);
	end(t);
	t = send(w, from(2, "4711", "100"));
	goes(t, 1, 10);
	assert_string_equal(t->info.rule, "Request-URI user");
	end(t);
	world_free(w);
	w = made(ACCOUNT("a", "ONE", "100", BOUND)
		 ROW("SrcIPGroupName = TWO\nDestIPGroupName = ONE")
		 ROW("DestIPGroupName = ONE\nDestType = 3"));
	t = send(w, from(10, "4711", "0"));
	refused(t, 404);
	end(t);
	world_free(w);
}

/* Alternatives stand in for a group that fails, is not registered or full; those that
 * consider inputs only where they match; what the last server said reaches the caller. */
static void alternatives(void **state)
{
	struct world *w = made(
		ACCOUNT("a", "ONE", "100", BOUND) ACCOUNT("b", "TWO", "200", BOUND)
		ROW("SrcIPGroupName = PBX\nDestIPGroupName = ONE")
		ROW("AltRouteOptions = 2\nDestUsernamePrefix = 9\nDestType = 1\n"
		    "DestAddress = 192.0.2.9")
		ROW("AltRouteOptions = 1\nDestType = 3\nDestIPGroupName = PBX") /* not done here */
		ROW("AltRouteOptions = 1\nDestIPGroupName = TWO\nDestUsernamePrefix = 123")
		ROW("SrcIPGroupName = ONE\nDestIPGroupName = TWO"));
	struct trial *t = send(w, from(10, "4711", "5"));

	(void)state;
	goes(t, 1, 1);
	assert_int_equal(t->leg.retransmissions, 3); /* another server is left */
	answered(t, 500);
	goes(t, 2, 4);
	assert_string_equal(t->info.account, "b");
	assert_string_equal(t->info.rule, "route 3");
	answered(t, 486);
	refused(t, 486);
	end(t);
	t = send(w, from(10, "4711", "9"));
	goes(t, 1, 1);
	answered(t, 0);
	goes(t, 2, 2);
	answered(t, 0);
	goes(t, 3, 3);
	answered(t, 0);
	goes(t, 4, 9);
	assert_int_equal(t->info.servers, 4);
	answered(t, 504);
	goes(t, 5, 4);
	answered(t, 0);
	refused(t, 408);
	end(t);
	t = send(w, from(10, "4711", "5"));
	answered(t, 404); /* about the number, not the route */
	refused(t, 404);
	end(t);
	reg_engine_unregister(w->e, "a");
	world_until(w, 21000);
	t = send(w, from(10, "4711", "5"));
	goes(t, 1, 5); /* .4 failed */
	assert_string_equal(t->info.account, "b");
	end(t);
	reg_engine_unregister(w->e, "b");
	world_until(w, 22000);
	t = send(w, from(10, "4711", "5"));
	refused(t, 400);
	end(t);
	reg_engine_register(w->e, "a");
	world_until(w, 23000);
	t = send(w, from(10, "4711", "5"));
	answered(t, 502);
	refused(t, 502); /* not the 400 of the alternative */
	end(t);
	world_free(w);
}

/* A group that its account both serves and registers at, as some files have it: it counts for
 * calls to the group, and its own calls do not come back to it. */
static void served_by_itself(void **state)
{
	struct world *w = made(
		"[Account]\nName = x\nServedIPGroupName = ONE\nServingIPGroupName = ONE\n"
		"ContactUser = 100\nUsername = ux\n" BOUND
		"[Account]\nName = y\nServedIPGroupName = ONE\nServingIPGroupName = ONE\n"
		"ContactUser = 200\nUsername = uy\n" BOUND
		ROW("SrcIPGroupName = PBX\nDestIPGroupName = ONE")
		ROW("SrcIPGroupName = ONE\nDestUsernamePrefix = 2\nDestIPGroupName = PBX"));
	struct trial *t = send(w, from(10, "4711", "1"));
	struct reg_arrival a;

	(void)state;
	goes(t, 1, 1);
	assert_string_equal(t->info.account, "x");
	end(t);
	t = send(w, from(10, "200", "1"));
	goes(t, 1, 1);
	assert_string_equal(t->info.account, "y");
	end(t);
	t = send(w, from(1, "4711", "200"));
	goes(t, 1, 10);
	assert_string_equal(t->info.account, "y");
	end(t);
	a = from(1, "4711", "299"); /* a number of the trunk's, not the account's */
	a.to_user = "100";
	t = send(w, a);
	goes(t, 1, 10);
	assert_string_equal(t->info.account, "");
	end(t);
	t = send(w, from(1, "4711", "100"));
	refused(t, 404);
	end(t);
	world_free(w);
}

/* ---- credentials ------------------------------------------------------------------------- */

static void credentials(void **state)
{
	struct world *w = made(
		"[Gateway]\nSIPChallengeCachingMode = 2\n"
		"[IPGroup]\nName = PLAIN\nProxySetName = plain\nAuthenticationMode = 1\n"
		"UsernameAsClient = gu\nPasswordAsClient = gp\n"
		"[ProxySet]\nName = plain\n[ProxyIp]\nProxySetId = plain\n"
		"IpAddress = 192.0.2.80\n"
		"[IPGroup]\nName = MUTE\nProxySetName = mute\nUsernameAsClient = gu\n"
		"PasswordAsClient = gp\n"
		"[ProxySet]\nName = mute\n[ProxyIp]\nProxySetId = mute\nIpAddress = 192.0.2.81\n"
		"[Account]\nName = bare\nServedIPGroupName = PBX\nServingIPGroupName = PLAIN\n"
		"ContactUser = 1\n"
		ACCOUNT("a", "ONE", "100", BOUND)
		"[SBCUserInfoTable]\nLocalUser = 4711\nUsername = special\nPassword = sp\n"
		"IPGroupName = PBX\n"
		"[SBCUserInfoTable]\nLocalUser = 4712\nUsername = other\nPassword = op\n"
		"IPGroupName = ONE\n"
		"[SBCUserInfoTable]\nLocalUser = 4713\nUsername = any\nPassword = ap\n"
		ROW("SrcIPGroupName = PBX\nDestUsernamePrefix = 1\nDestIPGroupName = ONE")
		ROW("SrcIPGroupName = PBX\nDestUsernamePrefix = 2\nDestIPGroupName = PLAIN")
		ROW("SrcIPGroupName = PBX\nDestUsernamePrefix = 3\nDestIPGroupName = MUTE")
		ROW("SrcIPGroupName = ONE\nDestIPGroupName = PLAIN"));
	static const struct {
		unsigned from;
		const char *caller, *called, *username, *password, *contact;
	} all[] = {
		{ 10, "x", "1", "login-a", "secret", "100" },
		{ 10, "4711", "1", "special", "sp", "4711" },
		{ 10, "4712", "1", "login-a", "secret", "100" },
		{ 10, "4713", "1", "any", "ap", "4713" },
		{ 10, "x", "2", "gu", "gp", "x" },
		{ 10, "4711", "2", "special", "sp", "4711" },
		{ 10, "x", "3", "", "", "x" },
		{ 1, "x", "2", "gu", "gp", "x" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
		struct trial *t = send(w, from(all[i].from, all[i].caller, all[i].called));

		if (t->leg.to_serving &&
		    t->leg.keep_nonce != (strcmp(t->username, "special") &&
					  strcmp(t->username, "any")))
			fail_msg("row %zu: %s and the account's nonces", i, t->username);
		if (t->refusals || strcmp(t->username, all[i].username) ||
		    strcmp(t->password, all[i].password) || strcmp(t->contact_user, all[i].contact))
			fail_msg("row %zu: %s %s contact %s", i, t->username, t->password,
				 t->contact_user);
		end(t);
	}
	world_free(w);
}

static void identity(void **state)
{
	struct world *w = made("[Gateway]\nAssertedIdMode = 1\nEnablePAssociatedURIHeader = 1\n"
			       "SBC3xxBehavior = Handle Locally\nSIPChallengeCachingMode = 1\n"
			       "[Account]\nName = a\nServedIPGroupName = PBX\n"
			       "ServingIPGroupName = ONE\nContactUser = me@home;x\n"
			       "HostName = a.example:5070\nUsername = u\n" BOUND);
	struct trial *t = send(w, from(10, "4711", "1"));

	(void)state;
	goes(t, 1, 1);
	assert_string_equal(t->asserted, "sip:me%40home;x@a.example:5070");
	assert_string_equal(t->leg.preferred, "");
	assert_true(t->leg.associated_uri);
	assert_true(t->leg.follow_redirect);
	assert_true(t->leg.keep_nonce);
	end(t);
	t = send(w, from(1, "4711", "1"));
	goes(t, 1, 10);
	assert_string_equal(t->asserted, "");
	assert_false(t->leg.associated_uri);
	end(t);
	world_free(w);
	w = made(ACCOUNT("a", "ONE", "100", BOUND));
	t = send(w, from(10, "4711", "1"));
	assert_string_equal(t->asserted, "");
	assert_false(t->leg.follow_redirect || t->leg.keep_nonce || t->leg.associated_uri);
	end(t);
	world_free(w);
}

static void media(void **state)
{
	static const struct {
		const char *pbx, *one;
		uint8_t media;
	} all[] = {
		{ "", "", REG_MEDIA_DIRECT },
		{ "MediaAnchor = 1\n", "", REG_MEDIA_REFUSE },
		{ "", "MediaAnchor = 1\nMediaFailure = continue\n", REG_MEDIA_CONTINUE },
		{ "MediaAnchor = 1\nMediaFailure = continue\n", "MediaAnchor = 1\n",
		  REG_MEDIA_REFUSE },
		{ "MediaFailure = continue\n", "", REG_MEDIA_DIRECT },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
		char *ini = g_strdup_printf(
			"[ProxySet]\nName = m\n[ProxyIp]\nProxySetId = m\n"
			"IpAddress = 192.0.2.130\n[IPGroup]\nName = M\nProxySetName = m\n%s"
			"[ProxySet]\nName = n\n[ProxyIp]\nProxySetId = n\n"
			"IpAddress = 192.0.2.131\n[IPGroup]\nName = N\nProxySetName = n\n%s"
			ROW("SrcIPGroupName = M\nDestIPGroupName = N")
			ROW("SrcIPGroupName = N\nDestIPGroupName = M"), all[i].pbx, all[i].one);
		struct world *w = made_with(ini, false); /* whatever anchors it */

		for (unsigned side = 130; side <= 131; side++) {
			struct trial *t = send(w, from(side, "1", "2"));

			goes(t, 1, side == 130 ? 131 : 130);
			assert_int_equal(t->leg.media, all[i].media);
			end(t);
		}
		world_free(w);
		g_free(ini);
	}
}

/* The least of what is set. */
static void max_call_duration(void **state)
{
	static const struct {
		const char *gateway, *m, *n;
		uint32_t s;
	} all[] = {
		{ "", "", "", 0 },
		{ "MaxCallDuration = 90\n", "", "", 5400 },
		{ "", "MaxCallDuration = 2\n", "", 120 },
		{ "MaxCallDuration = 1\n", "MaxCallDuration = 2\n", "", 60 },
		{ "MaxCallDuration = 9\n", "MaxCallDuration = 7\n", "MaxCallDuration = 5\n", 300 },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
		char *ini = g_strdup_printf(
			"[Gateway]\n%s[ProxySet]\nName = m\n[ProxyIp]\nProxySetId = m\n"
			"IpAddress = 192.0.2.130\n[IPGroup]\nName = M\nProxySetName = m\n%s"
			"[ProxySet]\nName = n\n[ProxyIp]\nProxySetId = n\n"
			"IpAddress = 192.0.2.131\n[IPGroup]\nName = N\nProxySetName = n\n%s"
			ROW("SrcIPGroupName = M\nDestIPGroupName = N"),
			all[i].gateway, all[i].m, all[i].n);
		struct world *w = made(ini);
		struct trial *t = send(w, from(130, "1", "2"));

		goes(t, 1, 131);
		assert_int_equal(t->leg.longest, all[i].s);
		end(t);
		world_free(w);
		g_free(ini);
	}
}

/* ---- trunk groups -------------------------------------------------------------------------- */

static void trunks(void **state)
{
	struct world *w = made(
		"[Gateway]\nUserName = global\nPassword = gp\n"
		"[ProxySet]\nName = tg\nIsProxyHotSwap = 1\n"
		"[ProxyIp]\nProxySetId = tg\nIpAddress = 192.0.2.90\n"
		"[ProxySet]\nName = th\n[ProxyIp]\nProxySetId = th\nIpAddress = 192.0.2.91\n"
		"[TrunkGroup]\nTrunkGroupId = 1\nProxySetName = tg\nServingIPGroupName = ONE\n"
		"RegistrationMode = 5\n"
		"[TrunkGroup]\nTrunkGroupId = 2\nProxySetName = th\nServingIPGroupName = TWO\n"
		"[Account]\nName = t\nServedTrunkGroup = 1\nServingIPGroupName = ONE\n"
		"ContactUser = 700\nUsername = tu\nPassword = tp\nRegister = 1\n");
	struct trial *t = send(w, from(90, "4711", "5"));

	(void)state;
	goes(t, 1, 1);
	assert_string_equal(t->info.account, "t");
	assert_string_equal(t->info.from_group, "trunk group 1");
	assert_string_equal(t->username, "tu");
	end(t);
	t = send(w, from(1, "4711", "700"));
	goes(t, 1, 90);
	assert_string_equal(t->info.to_group, "trunk group 1");
	end(t);
	t = send(w, from(91, "4711", "5")); /* no account: the global user */
	goes(t, 1, 4);
	assert_string_equal(t->info.account, "");
	assert_string_equal(t->username, "global");
	end(t);
	reg_engine_unregister(w->e, "t");
	world_until(w, 21000);
	t = send(w, from(90, "4711", "5")); /* never refused for that */
	goes(t, 1, 1);
	assert_string_equal(t->contact_user, "4711");
	end(t);
	world_free(w);
}

/* ---- load balancing ------------------------------------------------------------------------ */

static void balance(void **state)
{
	struct world *w = made(
		"[ProxySet]\nName = rr\nProxyLoadBalancingMethod = 1\nMinActiveServersLB = 2\n"
		"EnableProxyKeepAlive = 1\n"
		"[ProxyIp]\nProxySetId = rr\nIpAddress = 192.0.2.101\n"
		"[ProxyIp]\nProxySetId = rr\nIpAddress = 192.0.2.102\n"
		"[ProxyIp]\nProxySetId = rr\nIpAddress = 192.0.2.103\n"
		"[IPGroup]\nName = RR\nProxySetName = rr\n"
		"[ProxySet]\nName = rw\nProxyLoadBalancingMethod = 2\n"
		"[ProxyIp]\nProxySetId = rw\nIpAddress = 192.0.2.111\nPriority = 1\nWeight = 10\n"
		"[ProxyIp]\nProxySetId = rw\nIpAddress = 192.0.2.112\nPriority = 1\nWeight = 30\n"
		"[ProxyIp]\nProxySetId = rw\nIpAddress = 192.0.2.113\nPriority = 2\nWeight = 90\n"
		"[IPGroup]\nName = RW\nProxySetName = rw\n"
		ROW("SrcIPGroupName = PBX\nDestUsernamePrefix = 1\nDestIPGroupName = RR")
		ROW("SrcIPGroupName = PBX\nDestIPGroupName = RW"));
	unsigned got[256] = { 0 };
	struct rg_addr down = { .family = 4, .ip = { 192, 0, 2, 102 }, .port = 5060 };

	(void)state;
	for (int i = 0; i < 9; i++) {
		struct trial *t = send(w, from(10, "1", "1"));

		got[t->to]++;
		end(t);
	}
	assert_int_equal(got[101], 3);
	assert_int_equal(got[102], 3);
	assert_int_equal(got[103], 3);
	reg_engine_believe_server(w->e, &down, RG_DOWN);
	memset(got, 0, sizeof got);
	for (int i = 0; i < 8; i++) {
		struct trial *t = send(w, from(10, "1", "1"));

		got[t->to]++;
		end(t);
	}
	assert_int_equal(got[101], 4);
	assert_int_equal(got[103], 4);
	down.ip[3] = 103;
	reg_engine_believe_server(w->e, &down, RG_DOWN);
	{
		struct trial *t = send(w, from(10, "1", "1"));

		refused(t, 503); /* fewer than two: the set is offline */
		end(t);
	}
	memset(got, 0, sizeof got);
	for (int i = 0; i < 4000; i++) {
		struct trial *t = send(w, from(10, "1", "2"));

		got[t->to]++;
		end(t);
	}
	assert_in_range(got[111], 850, 1150);
	assert_in_range(got[112], 2850, 3150);
	assert_int_equal(got[113], 0);
	world_free(w);
}

/* Accounts spread over the servers of their set, calls of those that are not sticky, too. */
static void balance_accounts(void **state)
{
	GString *ini = g_string_new("[ProxySet]\nName = lb\nProxyLoadBalancingMethod = 1\n"
				    "[IPGroup]\nName = LB\nProxySetName = lb\n");
	unsigned got[256] = { 0 };
	struct world *w;

	(void)state;
	for (int i = 1; i <= 3; i++)
		g_string_append_printf(ini, "[ProxyIp]\nProxySetId = lb\n"
				       "IpAddress = 192.0.2.%d\n", 140 + i);
	for (int i = 0; i < 60; i++)
		g_string_append_printf(ini, "[Account]\nName = n%d\nServedIPGroupName = PBX\n"
				       "ServingIPGroupName = LB\nContactUser = %d\n" BOUND "%s",
				       i, 1000 + i, i ? "" : "RegistrarStickiness = 1\n");
	w = made(ini->str);
	for (int i = 1; i <= 3; i++)
		assert_int_equal(w->peer[140 + i].sent, 20);
	for (int i = 0; i < 60; i++) {
		struct trial *t = send(w, from(10, i < 30 ? "1001" : "1000", "1"));

		got[t->to]++;
		end(t);
	}
	assert_int_equal(MAX(MAX(got[141], got[142]), got[143]), 40);
	assert_int_equal(MIN(MIN(got[141], got[142]), got[143]), 10);
	world_free(w);
	g_string_free(ini, TRUE);
}

/* A server that leaves three requests in a row unanswered is down for all, until a probe is
 * answered. */
static void silent(void **state)
{
	struct world *w = made(ACCOUNT("b", "TWO", "200", "")
			       ROW("SrcIPGroupName = TWO\nDestIPGroupName = PBX")
			       ROW("SrcIPGroupName = PBX\nDestIPGroupName = TWO"));
	struct trial *t;

	(void)state;
	w->peer[4].does = w->peer[5].does = SILENT;
	for (int i = 0; i < 6; i++) {
		t = send(w, from(10, "200", "1"));
		goes(t, 1, i % 2 ? 5 : 4);
		answered(t, 0);
		end(t);
	}
	w->peer[5].does = OK;
	world_until(w, 60000);
	assert_true(w->peer[4].probes > 0);
	for (int i = 0; i < 3; i++) {
		t = send(w, from(10, "200", "1"));
		goes(t, 1, 5);
		answered(t, 200);
		end(t);
	}
	w->peer[4].does = OK;
	world_until(w, 80000);
	t = send(w, from(10, "200", "1"));
	goes(t, 1, 4);
	end(t);
	world_free(w);
}

/* ---- limits -------------------------------------------------------------------------------- */

static void limits(void **state)
{
	struct world *w = made(ACCOUNT("a", "ONE", "100", BOUND "MaxCalls = 2\n")
			       ACCOUNT("b", "ONE", "200", BOUND "MaxCallRate = 3\n"));
	struct trial *t[8];
	struct reg_arrival a;

	(void)state;
	t[0] = send(w, from(10, "100", "1"));
	t[1] = send(w, from(10, "100", "1"));
	goes(t[1], 1, 1);
	t[2] = send(w, from(10, "100", "1"));
	refused(t[2], 503);
	assert_true(t[2]->refusal.retry_after > 0);
	assert_string_equal(t[2]->info.policy, "core: MaxCalls");
	t[3] = send(w, from(1, "4711", "100")); /* either way */
	refused(t[3], 503);
	a = from(10, "100", "1");
	a.method = RG_M_OTHER;
	t[4] = send(w, a); /* no call */
	goes(t[4], 1, 1);
	end(t[0]);
	t[0] = send(w, from(10, "100", "1"));
	goes(t[0], 1, 1);
	for (int i = 0; i < 5; i++)
		end(t[i]);
	assert_int_equal(reg_route_calls(w->e), 0);
	for (int i = 0; i < 3; i++) {
		t[i] = send(w, from(10, "200", "1"));
		goes(t[i], 1, 1);
		end(t[i]);
	}
	t[0] = send(w, from(10, "200", "1"));
	refused(t[0], 503);
	assert_string_equal(t[0]->info.policy, "core: MaxCallRate");
	end(t[0]);
	world_until(w, 20400);
	t[0] = send(w, from(10, "200", "1"));
	goes(t[0], 1, 1);
	end(t[0]);
	t[0] = send(w, from(10, "200", "1"));
	refused(t[0], 503);
	end(t[0]);
	world_free(w);
}

/* Of groups on both sides, and of all; a full group's alternative gets the call. */
static void limits_of_groups(void **state)
{
	static const char more[] =
		"[Gateway]\nMaxCalls = 4\n"
		"[IPGroup]\nName = SMALL\nProxySetName = small\nMaxCalls = 1\n"
		"[ProxySet]\nName = small\n[ProxyIp]\nProxySetId = small\n"
		"IpAddress = 192.0.2.120\n"
		ROW("SrcIPGroupName = PBX\nDestIPGroupName = SMALL")
		ROW("AltRouteOptions = 1\nDestIPGroupName = TWO")
		ROW("SrcIPGroupName = SMALL\nDestUsernamePrefix = 7\nDestIPGroupName = SMALL")
		ROW("SrcIPGroupName = SMALL\nDestIPGroupName = PBX");
	struct world *w = made(more);
	struct trial *t[5];

	(void)state;
	t[0] = send(w, from(10, "1", "1"));
	goes(t[0], 1, 120);
	t[1] = send(w, from(10, "1", "1"));
	goes(t[1], 1, 4);
	t[2] = send(w, from(120, "1", "1"));
	refused(t[2], 503);
	end(t[2]);
	t[2] = send(w, from(10, "1", "1"));
	t[3] = send(w, from(10, "1", "1"));
	goes(t[3], 1, 4);
	t[4] = send(w, from(10, "1", "1"));
	refused(t[4], 503);
	for (int i = 0; i < 5; i++)
		end(t[i]);
	t[0] = send(w, from(120, "1", "1"));
	goes(t[0], 1, 10);
	end(t[0]);
	t[0] = send(w, from(120, "1", "7")); /* one call, although on both sides */
	goes(t[0], 1, 120);
	end(t[0]);
	world_free(w);
}

/* ---- reload -------------------------------------------------------------------------------- */

/* A call keeps its row and its strings although the configuration is another; new ones go
 * the new way. */
static void reload(void **state)
{
	struct world *w = made(ACCOUNT("a", "ONE", "100", BOUND) ACCOUNT("b", "TWO", "200", BOUND)
			       ROW("SrcIPGroupName = PBX\nDestIPGroupName = ONE")
			       ROW("AltRouteOptions = 1\nDestIPGroupName = TWO"));
	struct trial *old = send(w, from(10, "1", "1")), *t;
	char *now = g_strconcat(base, ACCOUNT("a", "ONE", "101", BOUND)
				ACCOUNT("b", "TWO", "200", BOUND), NULL);

	(void)state;
	goes(old, 1, 1);
	world_conf(w, now);
	world_until(w, 30000);
	assert_string_equal(old->leg.username, "login-a"); /* lent until the route ends */
	assert_string_equal(old->info.rule, "route 0");
	answered(old, 503); /* its account is gone: the alternative */
	goes(old, 2, 4);
	assert_string_equal(old->info.account, "b");
	end(old);
	t = send(w, from(10, "101", "1"));
	goes(t, 1, 1);
	assert_string_equal(t->info.rule, "pair");
	end(t);
	t = send(w, from(1, "1", "101"));
	goes(t, 1, 10);
	end(t);
	t = send(w, from(1, "1", "100"));
	goes(t, 1, 10);
	assert_string_equal(t->info.rule, "source"); /* nobody's number any more */
	end(t);
	g_free(now);
	world_free(w);
}

/* Credentials changed: the account stays, and is known by its new name. */
static void renamed(void **state)
{
	struct world *w = made(ACCOUNT("a", "ONE", "100", BOUND) ACCOUNT("b", "ONE", "200", BOUND));
	char *now = g_strconcat(base, ACCOUNT("a", "ONE", "100", BOUND),
				"[Account]\nName = b\nServedIPGroupName = PBX\n"
				"ServingIPGroupName = ONE\nContactUser = 200\nUsername = new\n"
				"Password = secret\n" BOUND, NULL);
	struct trial *t = send(w, from(10, "login-b", "1"));

	(void)state;
	assert_string_equal(t->info.account, "b");
	end(t);
	world_conf(w, now);
	world_until(w, 30000);
	t = send(w, from(10, "new", "1"));
	assert_string_equal(t->info.account, "b");
	end(t);
	t = send(w, from(10, "login-b", "1"));
	assert_string_equal(t->info.account, "a");
	end(t);
	g_free(now);
	world_free(w);
}

/* Indexes follow whatever comes, changes and goes. */
static void indexes(void **state)
{
	struct world *w = world_new(false, false);
	uint32_t number[200];

	(void)state;
	memset(number, 0, sizeof number);
	for (int round = 0; round < 60; round++) {
		GString *ini = g_string_new(base);
		int lowest = -1;

		for (int i = 0; i < 200; i++) {
			if (world_random(w) % 3 == 0)
				number[i] = world_random(w) % 4 ? 1000 + (uint32_t)i +
						    300 * (uint32_t)(world_random(w) % 3) : 0;
			if (!number[i])
				continue;
			g_string_append_printf(ini, "[Account]\nIndex = %d\nName = n%d\n"
					       "ServedIPGroupName = PBX\n"
					       "ServingIPGroupName = ONE\nContactUser = %u\n",
					       round % 2 ? i : 400 - i, i, number[i]);
			if (lowest < 0 || round % 2 == 0)
				lowest = i;
		}
		world_conf(w, ini->str);
		world_until(w, rg_now(w->timers) + 1000);
		for (int i = 0; i < 200; i++) {
			char user[16], name[16];
			struct trial *t;

			snprintf(user, sizeof user, "%u", number[i] ? number[i] : 5000u + (unsigned)i);
			snprintf(name, sizeof name, "n%d", number[i] ? i : lowest);
			if (lowest < 0)
				continue;
			t = send(w, from(10, user, "1"));
			goes(t, 1, 1);
			if (strcmp(t->info.account, name))
				fail_msg("round %d: %s is %s, not %s", round, user,
					 t->info.account, name);
			end(t);
			t = send(w, from(1, "1", user));
			assert_string_equal(t->info.rule, number[i] ? "Request-URI user" : "pair");
			end(t);
		}
		g_string_free(ini, TRUE);
	}
	world_free(w);
}

/* ---- many ---------------------------------------------------------------------------------- */

static double cpu_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

enum { MANY = 100000 };

static GString *many_ini(int first, int last, bool backwards)
{
	GString *ini = g_string_new(base);

	g_string_append(ini, "[Account]\nFORMAT Index = AccountName, ServedIPGroupName, "
			"ServingIPGroupName, ContactUser, Username;\n");
	for (int i = first; i < last; i++)
		g_string_append_printf(ini, "Account %d = \"n%d\", \"PBX\", \"ONE\", "
				       "\"+4930%06d\", \"login%d\";\n",
				       backwards ? MANY - i : i, i, i, i);
	g_string_append(ini, "[\\Account]\n");
	return ini;
}

/* Apply it; the longest stall of the loop in ms of processor time. */
static double apply(struct world *w, GString *ini)
{
	struct reg_plan *plan = world_plan(w, ini->str);
	double longest, began = cpu_ms(), now;

	reg_engine_apply(w->e, plan, world_applied, w);
	longest = cpu_ms() - began;
	while (reg_engine_applying(w->e)) {
		began = cpu_ms();
		rg_timers_step(w->timers, rg_now(w->timers) + 1000);
		now = cpu_ms() - began;
		longest = MAX(longest, now);
	}
	g_string_free(ini, TRUE);
	return longest;
}

/* A route among 100,000 accounts of one pair takes no longer than among a few, and no reload
 * stalls the loop. */
static void many(void **state)
{
	struct world *w = world_new(false, false);
	const struct {
		int first, last;
		bool backwards;
	} all[] = { { 0, MANY, false }, { 0, MANY, true }, { MANY / 2, MANY, true },
		    { 0, MANY, false }, { 0, 10, false } };
	char user[16];

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
		double stall = apply(w, many_ini(all[i].first, all[i].last, all[i].backwards)), began;

		began = cpu_ms();
		for (int k = 0; k < 20000; k++) {
			int n = all[i].first + (int)(world_random(w) %
						     (uint64_t)(all[i].last - all[i].first));
			struct trial *t;

			if (k & 1)
				snprintf(user, sizeof user, "004930%06d", n);
			else
				snprintf(user, sizeof user, "login%d", n);
			t = send(w, from(10, user, "1"));
			assert_int_equal(t->legs, 1);
			assert_int_equal(atoi(t->info.account + 1), n);
			end(t);
		}
		print_message("%d accounts: %.1f us a route, longest stall %.1f ms\n",
			      all[i].last - all[i].first, (cpu_ms() - began) / 20, stall);
		assert_true(stall < 50);
	}
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sources), cmocka_unit_test(sources_by_port),
		cmocka_unit_test(source_interface), cmocka_unit_test(source_follows_dns),
		cmocka_unit_test(source_authenticates), cmocka_unit_test(pair),
		cmocka_unit_test(pair_choice), cmocka_unit_test(not_registered),
		cmocka_unit_test(failover), cmocka_unit_test(refusing),
		cmocka_unit_test(sticky), cmocka_unit_test(inbound),
		cmocka_unit_test(inbound_by_source), cmocka_unit_test(ims_foreign),
		cmocka_unit_test(own_ports), cmocka_unit_test(rows),
		cmocka_unit_test(no_row),
		cmocka_unit_test(alternatives), cmocka_unit_test(served_by_itself),
		cmocka_unit_test(credentials),
		cmocka_unit_test(identity),
		cmocka_unit_test(media), cmocka_unit_test(max_call_duration),
		cmocka_unit_test(trunks), cmocka_unit_test(balance),
		cmocka_unit_test(balance_accounts), cmocka_unit_test(silent), cmocka_unit_test(limits),
		cmocka_unit_test(limits_of_groups), cmocka_unit_test(reload),
		cmocka_unit_test(renamed),
		cmocka_unit_test(indexes), cmocka_unit_test(many),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	if (dialogues)
		g_hash_table_destroy(dialogues);
	return failed;
}
