/* nameserver.c -- which name servers are asked: those of [Gateway], and those of a SIP
 * interface's row of InterfaceTable. */
#include <string.h>

#include "conf/load.h"

enum { SERVERS = 8 };

/* "192.0.2.1", "[2001:db8::1]:53" in canonical form behind what is in list.  true: it is
 * one, or "", 0.0.0.0 or ::, which are none. */
static bool add(GString *list, const char *text)
{
	struct rg_addr addr = { .family = 0 };
	char host[RG_ADDR_TEXT];
	uint16_t port;
	static const uint8_t none[16];

	if (!*text)
		return true;
	if (!rg_host_port(text, host, sizeof host, &port) || !rg_addr_parse_ip(&addr, host))
		return false;
	if (!memcmp(addr.ip, none, sizeof none))
		return true;
	g_string_append_printf(list, strchr(host, ':') ? "%s[%s]" : "%s%s",
			       list->len ? "," : "", host);
	if (port)
		g_string_append_printf(list, ":%u", port);
	return true;
}

static const char *keep(struct load *l, GString *list)
{
	const char *text = rg_arena_intern(l->arena, list->str);

	g_string_free(list, TRUE);
	return text;
}

static void list_fault(struct load *l, const char *why)
{
	const struct schema_param *p = schema_find(l->schema, CONF_GATEWAY, "DNSServers");

	rg_fault_add(l->faults, RG_FAULT_ERROR,
		     conf_file(&l->w->c, l->w->global_file[p->number]),
		     l->w->global_line[p->number], "DNSServers = %s %s",
		     l->w->c.gateway.dns_servers, why);
}

void build_name_servers(struct load *l)
{
	struct conf_gateway *g = &l->w->c.gateway;
	GString *list = g_string_new(NULL);
	char **part = g_strsplit(g->dns_servers, ",", -1);
	guint n = g_strv_length(part);

	for (char **p = part; *p; p++)
		if (!add(list, g_strstrip(*p)))
			list_fault(l, "must be addresses with an optional :port, separated by "
				      "commas");
	if (n > SERVERS)
		list_fault(l, "has more than 8 addresses");
	g_strfreev(part);
	g->name_servers = keep(l, list);
}

static const char *own(struct load *l, const struct conf_raw *r)
{
	static const char *const key[] = { "PrimaryDNSServerIPAddress",
					   "SecondaryDNSServerIPAddress" };
	GString *list = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(key); i++)
		if (!add(list, conf_raw_value(r, key[i])))
			param_error(l, &r->row, CONF_INTERFACE_TABLE, key[i],
				    "InterfaceTable %s: %s = %s is no address", r->row.name,
				    key[i], conf_raw_value(r, key[i]));
	return keep(l, list);
}

void build_interface_name_servers(struct load *l)
{
	const struct conf *c = &l->w->c;

	for (uint32_t i = 0; i < c->n_sip_interface; i++) {
		struct conf_sip_interface *s = &c->sip_interface[i];
		uint32_t at = *s->network_interface ? names_find(&l->w->interface_table,
								 s->network_interface)
						    : CONF_NONE;

		s->name_servers = at == CONF_NONE ? ""
						  : own(l, &c->raw[CONF_INTERFACE_TABLE][at]);
	}
}
