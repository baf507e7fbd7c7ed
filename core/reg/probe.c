/* probe.c -- a probe before it is written: OPTIONS, or a REGISTER, and whose. */
#include "reg/reg.h"

#include <stdio.h>

enum { LOOKED_AT = 64 }; /* members, for one to speak for; there may be holes */

static const char nobody[] = "keepalive"; /* who is not registered anywhere */

static const char *named_host(const struct reg_engine *e, const struct reg_server *s)
{
	const struct conf_proxy_set *ps = s->keeper ? set_conf(s->keeper) : NULL;

	if (ps && ps->n_ip && !e->gen->conf->proxy_ip[ps->first_ip].addr.family)
		return e->gen->conf->proxy_ip[ps->first_ip].host;
	return s->host;
}

/* As it stands in a URI: an IPv6 address has brackets. */
static void write_host(char *buf, size_t size, const char *host, const struct reg_server *s)
{
	snprintf(buf, size, host == s->host && s->addr.family == 6 ? "[%s]" : "%s", host);
}

/* An account that registers through the set: a registrar that sees a user it does not
 * know may take us for a burglar. */
static const struct reg_account *speaker(struct reg_set *set)
{
	const GArray *id = set->members.id;

	for (unsigned n = MIN(id->len, LOOKED_AT); n; n--, set->speaker++) {
		const struct reg_account *a;

		if (set->speaker >= id->len)
			set->speaker = 0;
		a = account_at(set->e, g_array_index(id, uint32_t, set->speaker));
		if (a && !a->dying && a->conf->reg != RG_REG_NO)
			return a;
	}
	return NULL;
}

/* Nobody registers through the set: its IP group speaks for itself. */
static void group_identity(struct reg_engine *e, const struct reg_server *s,
			   struct reg_identity *id)
{
	const struct conf *c = e->gen->conf;
	const char *host = "";

	id->aor_user = "";
	for (uint32_t i = 0; i < c->n_ip_group; i++) {
		const struct conf_ip_group *g = &c->ip_group[i];

		if (g->set != s->keeper->pos)
			continue;
		id->aor_user = g->contact_user;
		host = g->sip_group_name;
		break;
	}
	if (!*id->aor_user)
		id->aor_user = *c->gateway.username ? c->gateway.username : nobody;
	if (!*host)
		host = named_host(e, s);
	write_host(id->aor_host, sizeof id->aor_host, host, s);
	g_strlcpy(id->request_host, id->aor_host, sizeof id->request_host);
}

struct reg_probe probe_make(struct reg_engine *e, struct reg_server *s, enum reg_keep kind,
			    struct reg_identity *id)
{
	const struct conf_proxy_set *ps = s->keeper ? set_conf(s->keeper) : NULL;
	int rtx = ps && ps->failure_retransmissions >= 0 ? ps->failure_retransmissions
							  : e->gen->conf->gateway.sip_max_rtx;
	struct reg_probe p = {
		.server = s->addr, .tls_name = s->tls_name, .interface = server_interface(e, s),
		.request_host = id->request_host, .budget_ms = request_time((unsigned)rtx, false),
		.retransmissions = (uint8_t)MIN(rtx, 254),
		.contact_host = ps ? ps->contact_name : "",
	};
	const struct reg_account *a;

	write_host(id->request_host, sizeof id->request_host, named_host(e, s), s);
	if (kind == KEEP_FAKE) {
		p.user = p.contact = nobody;
		p.host = p.request_host;
	}
	if (kind != KEEP_REGISTER && kind != KEEP_HOMING)
		return p;
	a = speaker(s->keeper);
	if (a)
		identity_of(a, s, id);
	if (!a || !*id->aor_user)
		group_identity(e, s, id);
	p.user = id->aor_user;
	p.host = id->aor_host;
	p.contact = kind == KEEP_HOMING ? nobody : NULL;
	return p;
}
