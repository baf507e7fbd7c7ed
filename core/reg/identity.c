/*
 * identity.c -- who an account says it is.  Six settings with stated fallbacks:
 * AOR user and host, Contact user, authentication user and password, and the host
 * of the Request-URI.
 */
#include "reg/reg.h"

#include <stdio.h>

static const char *either(const char *a, const char *b)
{
	return *a ? a : b;
}

/* The configured name of the set: the first row's, if it is a name. */
static const char *set_host(const struct reg_account *a)
{
	const struct conf *c = a->gen->conf;
	uint32_t set = c->ip_group[a->conf->serving].set;
	const struct conf_proxy_set *ps = set == CONF_NONE ? NULL : &c->proxy_set[set];

	if (!ps || !ps->n_ip || c->proxy_ip[ps->first_ip].addr.family)
		return "";
	return c->proxy_ip[ps->first_ip].host;
}

/* An IPv6 literal in brackets, as a URI wants it. */
static void write_host(char *buf, size_t size, const char *host, const struct reg_server *s)
{
	if (*host)
		snprintf(buf, size, "%s", host);
	else
		snprintf(buf, size, s->addr.family == 6 ? "[%s]" : "%s", s->host);
}

const char *identity_user(const struct reg_account *a)
{
	const struct conf *c = a->gen->conf;
	const char *served_user = a->conf->served != CONF_NONE
					  ? c->ip_group[a->conf->served].contact_user
				  : a->conf->trunk != CONF_NONE
					  ? c->trunk_group[a->conf->trunk].contact_user
					  : "";

	return either(a->conf->contact_user, either(served_user, a->conf->username));
}

void identity_of(const struct reg_account *a, const struct reg_server *s, struct reg_identity *id)
{
	const struct conf *c = a->gen->conf;
	const struct conf_ip_group *serving = &c->ip_group[a->conf->serving];
	bool as_client = serving->authentication_mode == 1 || serving->authentication_mode == 3;
	const char *host = either(a->conf->host_name,
				  either(serving->sip_group_name, set_host(a)));

	write_host(id->aor_host, sizeof id->aor_host, host, s);
	write_host(id->request_host, sizeof id->request_host, host, s);
	id->aor_user = identity_user(a);
	id->contact_user = id->aor_user;
	id->username = a->conf->username;
	id->password = a->conf->password;
	if (!*id->username && !*id->password && as_client) {
		id->username = serving->username;
		id->password = serving->password;
	}
	if (!*id->username && *id->password)
		id->username = id->aor_user;
}
