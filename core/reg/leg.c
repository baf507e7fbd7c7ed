/*
 * leg.c -- how a request reads on its way out: addresses, names, credentials, time.
 */
#include "reg/routing.h"

#include <string.h>

static const char *either(const char *a, const char *b)
{
	return *a ? a : b;
}

static bool as_client(const struct conf_ip_group *g)
{
	return g && (g->authentication_mode == 1 || g->authentication_mode == 3);
}

/* Whoever stands in the user table answers challenges as that user. */
static const struct conf_user_info *user_row(const struct reg_route *r)
{
	return conf_user_find(r->e->gen->conf, r->words->from_user,
			      r->from->trunk ? CONF_NONE : r->from->row);
}

/* What the leg points to, towards the callee or the caller, stays until another's does. */
enum { CALLEE, CALLER };

static void lend(struct reg_route *r, int side, struct reg_gen *gen)
{
	gen_use(gen);
	if (r->lent[side])
		gen_leave(r->e, r->lent[side]);
	r->lent[side] = gen;
}

/* In this order: the user table, the account (and for it the serving group), the group
 * asked, and the gateway for calls of trunk groups that no account matches. */
static void credentials(struct reg_route *r, struct reg_account *a, const struct reg_identity *id,
			struct reg_leg *leg)
{
	const struct conf_user_info *u = r->to_serving || !a ? user_row(r) : NULL;
	const struct conf_ip_group *to = group_row(r->e, r->to);
	const struct conf_gateway *g = &r->e->gen->conf->gateway;

	lend(r, CALLEE, r->e->gen);
	if (u && (*u->username || *u->password)) {
		leg->username = either(u->username, u->local_user);
		leg->password = u->password;
	} else if (a && r->to_serving) {
		lend(r, CALLEE, a->gen);
		leg->username = id->username;
		leg->password = id->password;
	} else if (as_client(to)) {
		leg->username = to->username;
		leg->password = to->password;
	} else if (!a && (r->from->trunk || (r->to && r->to->trunk))) {
		leg->username = g->username;
		leg->password = g->password;
	}
}

static uint8_t media(const struct reg_route *r)
{
	const struct conf_ip_group *ends[] = { group_row(r->e, r->from), group_row(r->e, r->to) };
	uint8_t how = REG_MEDIA_DIRECT;

	for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
		if (!ends[i] || !ends[i]->media_anchor)
			continue;
		if (!ends[i]->media_failure)
			how = REG_MEDIA_REFUSE;
		else if (how == REG_MEDIA_DIRECT)
			how = REG_MEDIA_CONTINUE;
	}
	return how;
}

static uint32_t longest(const struct reg_route *r)
{
	const struct conf_ip_group *ends[] = { group_row(r->e, r->from), group_row(r->e, r->to) };
	uint32_t least = r->e->gen->conf->gateway.max_call_duration;

	for (size_t i = 0; i < G_N_ELEMENTS(ends); i++)
		if (ends[i] && ends[i]->max_call_duration &&
		    (!least || ends[i]->max_call_duration < least))
			least = ends[i]->max_call_duration;
	return least * 60;
}

/* The configured name of the group's set, where that is a name. */
static const char *set_host(const struct conf *c, const struct conf_proxy_set *ps)
{
	if (!ps || !ps->n_ip || c->proxy_ip[ps->first_ip].addr.family)
		return "";
	return c->proxy_ip[ps->first_ip].host;
}

static bool more(const struct reg_route *r)
{
	return r->try->at + 1 < r->try->list.n;
}

struct dress {
	struct reg_outgoing o;
	char identity[1024];
};

/* "sip:user@host", the user escaped as RFC 3261 25.1 has it. */
static void write_uri(char *out, size_t size, const char *user, const char *host)
{
	GString *s = g_string_new("sip:");

	for (const char *p = user; *p; p++) {
		if (g_ascii_isalnum(*p) || strchr("-_.!~*'()&=+$,;?/", *p))
			g_string_append_c(s, *p);
		else
			g_string_append_printf(s, "%%%02X", (unsigned char)*p);
	}
	g_string_append_printf(s, "%s%s", *user ? "@" : "", host);
	g_strlcpy(out, s->len < size ? s->str : "", size);
	g_string_free(s, TRUE);
}

/* As the account in From, with the caller's number beside it. */
static void identify_caller(const struct reg_route *r, struct reg_account *a,
			    const struct reg_message *m, struct dress *d, struct reg_leg *leg)
{
	const char *caller = either(r->words->asserted,
				    either(r->words->preferred, r->words->from_user));

	leg->from_user = m->aor_user;
	if (!*caller)
		return;
	write_uri(d->identity, sizeof d->identity, caller, m->aor_host);
	if (a->conf->caller_identity == CONF_ASSERTED)
		leg->asserted = d->identity;
	else
		leg->preferred = d->identity;
}

/* The account's address of record, where it is to be told besides From. */
static void identify(const struct reg_route *r, struct reg_account *a,
		     const struct reg_message *m, struct dress *d, struct reg_leg *leg)
{
	const struct conf_gateway *g = account_gateway(a);

	if (a->conf->caller_identity != CONF_AS_IT_IS) {
		identify_caller(r, a, m, d, leg);
		return;
	}
	if (g->asserted_id != CONF_AS_IT_IS)
		write_uri(d->identity, sizeof d->identity, m->aor_user, m->aor_host);
	if (g->asserted_id == CONF_ASSERTED)
		leg->asserted = d->identity;
	else if (g->asserted_id == CONF_PREFERRED)
		leg->preferred = d->identity;
	leg->associated_uri = g->associated_uri;
}

/* As the account, towards its serving group. */
static void dress_account(struct reg_route *r, struct reg_account *a, struct reg_server *s,
			  struct dress *d, struct reg_leg *leg)
{
	struct reg_outgoing *o = &d->o;
	const struct conf *c = a->gen->conf;
	const struct conf_ip_group *serving = &c->ip_group[a->conf->serving];
	struct reg_message m;

	request_make(r->e, a, s, (enum rg_method)r->method, 0, more(r), o);
	m = request_message(r->e, a, s, o);
	leg->local_port = m.local_port;
	leg->request_host = leg->to_host = either(serving->sip_group_name, m.request_host);
	leg->from_host = a->registrar ? a->conf->host_name : "";
	leg->from_host = either(leg->from_host, either(serving->sip_group_name, m.aor_host));
	leg->contact_user = a->registrar ? m.contact_user : r->words->from_user;
	if (user_row(r))
		leg->contact_user = r->words->from_user;
	leg->contact_params = m.contact_params;
	leg->contact_address = m.contact_address;
	leg->headers = m.headers;
	leg->service_route = a->registrar == s->id;
	leg->gruu = a->registrar ? a->conf->gruu : 0;
	leg->security = *a->conf->security_client;
	identify(r, a, &m, d, leg);
}

/* As whoever sent it, to a group's servers or to an address. */
static void dress_plain(struct reg_route *r, const struct rg_addr *server,
			const struct conf_proxy_set *ps, struct reg_outgoing *o,
			struct reg_leg *leg)
{
	const struct conf *c = r->e->gen->conf;
	const struct conf_ip_group *from = group_row(r->e, r->from), *to = group_row(r->e, r->to);
	const char *host = either(to ? to->sip_group_name : "", set_host(c, ps));
	char ip[RG_ADDR_TEXT];

	if (!*host) {
		g_snprintf(o->id.request_host, sizeof o->id.request_host,
			   server->family == 6 ? "[%s]" : "%s", rg_addr_ip(server, ip));
		host = o->id.request_host;
	}
	leg->request_host = leg->to_host = host;
	leg->from_host = from ? from->sip_group_name : "";
	leg->contact_user = r->words->from_user;
	if (to && *to->contact_name)
		leg->contact_address = to->contact_name;
	o->q.method = r->method;
	o->q.retransmissions = RG_AS_SET;
	request_budget(ps, &c->gateway, more(r), o);
}

/* The configured server that the caller is. */
static const char *caller_name(struct reg_route *r, const struct reg_set *set)
{
	uint32_t id = source_server(set, &r->source);

	return id ? server_at(r->e, id)->tls_name : "";
}

/* The caller is the serving side, and we are the account to it. */
static void dress_caller(struct reg_route *r, struct reg_account *a, struct reg_outgoing *o,
			 struct reg_leg *leg)
{
	struct reg_server *home = server_at(r->e, a->registrar ? a->registrar :
					    a->set && a->set->n ? a->set->view[0].id : 0);

	leg->from_serving = true;
	leg->caller_user = identity_user(a);
	leg->caller_address = a->conf->contact_address;
	leg->gruu = a->registrar ? a->conf->gruu : 0;
	leg->caller_tls_name = caller_name(r, a->set);
	if (!home)
		return;
	if (!*leg->caller_tls_name)
		leg->caller_tls_name = home->tls_name;
	lend(r, CALLER, a->gen);
	request_make(r->e, a, home, RG_M_INVITE, 0, false, o);
	leg->caller_user = o->q.contact_user;
	leg->caller_username = o->id.username;
	leg->caller_password = o->id.password;
	/* Who called the random user of our binding wants the user behind it. */
	if (!strcmp(r->words->uri_user, o->q.contact_user) &&
	    strcmp(r->words->uri_user, o->id.aor_user))
		leg->request_user = either(r->words->to_user, o->id.aor_user);
}

static void go(struct reg_route *r, struct reg_server *s, const struct rg_addr *addr,
	       uint32_t interface, const char *tls_name)
{
	struct reg_account *a = route_account(r);
	const struct conf_gateway *g = &r->e->gen->conf->gateway;
	struct reg_outgoing caller;
	struct dress d;
	struct reg_leg leg = {
		.server = *addr, .tls_name = tls_name, .interface = interface,
		.to_serving = a && r->to_serving,
		.request_user = "", .from_user = "", .contact_params = "", .headers = "",
		.contact_address = "local", .asserted = "", .preferred = "", .username = "",
		.password = "", .caller_user = "", .caller_username = "",
		.caller_password = "", .caller_address = "local",
		.caller_tls_name = caller_name(r, r->from ? r->from->set : NULL),
		.keep_nonce = g->challenge_caching && (!a || a->conf->keep_nonce),
		.follow_redirect = g->redirects == CONF_3XX_FOLLOW, .media = media(r),
		.longest = longest(r),
		.dialogue = a && r->to_serving ? &a->dialogue : NULL,
	};
	struct reg_set *set = route_set(r);

	memset(&d.o.id, 0, sizeof d.o.id);
	if (a && r->to_serving)
		dress_account(r, a, s, &d, &leg);
	else
		dress_plain(r, addr, set ? set_conf(set) : NULL, &d.o, &leg);
	credentials(r, a, &d.o.id, &leg);
	if (a && r->to_serving && leg.username != d.o.id.username)
		leg.keep_nonce = false; /* the user's, not the account's */
	if (a && !r->to_serving)
		dress_caller(r, a, &caller, &leg);
	r->try->resends = d.o.resends;
	r->try->until = rg_now(r->e->timers) + d.o.budget_ms;
	leg.budget_ms = d.o.budget_ms;
	leg.retransmissions = d.o.retransmissions;
	r->server = *addr;
	r->servers++;
	r->h->go(r->arg, r, &leg);
}

void leg_go(struct reg_route *r, struct reg_server *s)
{
	go(r, s, &s->addr, server_interface(r->e, s), s->tls_name);
}

void leg_go_address(struct reg_route *r, const struct conf_route *row)
{
	const char *name = r->gen->conf->sip_interface[row->interface].row.name;
	const struct conf *c = r->e->gen->conf;
	uint32_t at = 0;

	while (at < c->n_sip_interface && strcmp(c->sip_interface[at].row.name, name))
		at++;
	go(r, NULL, &row->address, at < c->n_sip_interface ? at : 0, "");
}

bool reg_route_serves(const struct reg_route *r, bool caller, const struct rg_addr *addr)
{
	const struct reg_account *a = route_account(r);
	const struct reg_group *g = caller ? r->from : r->to;

	return source_server(a ? a->set : g ? g->set : NULL, addr) != 0;
}

struct reg_dialogue *reg_route_dialogue(const struct reg_route *r)
{
	struct reg_account *a = route_account(r);

	return a ? &a->dialogue : NULL;
}
