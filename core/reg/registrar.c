/*
 * registrar.c -- where the REGISTERs of a proxy go: to itself, or to the registrar that its
 * row names (ProxyIp Registrar), by address or by name.  A name is looked up as the names
 * of the set are; one address of it is in use until it does not answer, or has left DNS.
 */
#include "reg/reg.h"

#include <string.h>

static const char *text_of(const struct reg_set *set, uint32_t ip)
{
	return set->e->gen->conf->proxy_ip[ip].registrar;
}

const char *registrar_text(const struct reg_set *set, const struct reg_server *s)
{
	int rank = set && set->pos != CONF_NONE ? set_rank(set, s->id) : -1;

	return rank < 0 ? "" : text_of(set, set->ip[rank]);
}

static struct reg_name *name_of(const struct reg_set *set, uint32_t ip)
{
	for (uint32_t i = 0; i < set->n_names; i++)
		if (set->names[i].registrar && set->names[i].ip == ip)
			return &set->names[i];
	return NULL;
}

/* Of the addresses that there is a way to, the first from the one in use on. */
static struct rg_addr resolved(const struct reg_set *set, const struct reg_name *x)
{
	for (uint32_t i = 0; x && i < x->n; i++) {
		const struct rg_addr *addr = &x->addr[(x->turns + i) % x->n].addr;

		if (set_reachable(set, addr))
			return *addr;
	}
	return (struct rg_addr){ .family = 0 };
}

struct rg_addr registrar_address(const struct reg_set *set, uint32_t ip, const struct reg_server *s)
{
	const char *text = text_of(set, ip);
	struct rg_addr to = { .port = s->addr.transport == RG_TLS ? 5061 : 5060 };

	if (!*text)
		return s->addr;
	if (!rg_addr_parse(&to, text))
		return resolved(set, name_of(set, ip));
	to.transport = s->addr.transport;
	return to;
}

void registrar_tls_name(const struct reg_set *set, const struct reg_server *s,
			char buf[RG_TLS_NAME])
{
	const char *text = registrar_text(set, s);
	char host[256];
	uint16_t port;

	buf[0] = '\0';
	if (!*text)
		g_strlcpy(buf, s->tls_name, RG_TLS_NAME);
	else if (set->home[set_rank(set, s->id)].transport == RG_TLS &&
		 rg_host_port(text, host, sizeof host, &port))
		rg_tls_name(host, set_conf(set)->tls_context, buf);
}

/* Many may have asked that address when it fell silent: they turn it once. */
uint32_t registrar_failed(struct reg_set *set, uint32_t server, rg_ms asked_at)
{
	int rank = set_rank(set, server);
	struct reg_name *x = rank < 0 ? NULL : name_of(set, set->ip[rank]);

	if (!x || !asked_at)
		return 0;
	if (asked_at >= x->turned_at) {
		x->turned_at = rg_now(set->e->timers) + 1;
		x->turns++;
		for (uint32_t i = 0; i < set->n; i++)
			if (set->ip[i] == x->ip)
				set->home[i] = resolved(set, x);
	}
	return x->n;
}
