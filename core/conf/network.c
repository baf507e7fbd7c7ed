/* network.c -- interfaces, proxy sets and addresses: drafts to rows. */
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "conf/load.h"
#include "conf/value.h"

/* ---- SIP interfaces --------------------------------------------------------------- */

/* An address that others can reach outranks one of the link. */
static void better(struct rg_addr *have, const struct sockaddr_in6 *sin6)
{
	bool link = IN6_IS_ADDR_LINKLOCAL(&sin6->sin6_addr);

	if (have->family && (link || !have->scope))
		return;
	*have = (struct rg_addr){ .family = 6, .scope = link ? sin6->sin6_scope_id : 0 };
	memcpy(have->ip, &sin6->sin6_addr, 16);
}

/* The addresses of a system interface, one of a family. */
static bool system_address(const char *name, struct rg_addr *addr, struct rg_addr *addr6)
{
	struct ifaddrs *all, *a;

	if (getifaddrs(&all))
		return false;
	for (a = all; a; a = a->ifa_next) {
		if (!a->ifa_addr || strcmp(a->ifa_name, name))
			continue;
		if (a->ifa_addr->sa_family == AF_INET6)
			better(addr6, (const void *)a->ifa_addr);
		if (a->ifa_addr->sa_family != AF_INET || addr->family)
			continue;
		addr->family = 4;
		memcpy(addr->ip, &((struct sockaddr_in *)(void *)a->ifa_addr)->sin_addr, 4);
	}
	freeifaddrs(all);
	if (!addr->family) {
		*addr = *addr6;
		addr6->family = 0;
	}
	return addr->family != 0;
}

static void check_addresses(struct load *l)
{
	const struct conf *c = &l->w->c;

	for (uint32_t i = 0; i < c->n_raw[CONF_INTERFACE_TABLE]; i++) {
		const struct conf_raw *r = &c->raw[CONF_INTERFACE_TABLE][i];
		struct rg_addr addr;

		if (!rg_addr_parse_ip(&addr, conf_raw_value(r, "IPAddress")))
			param_error(l, &r->row, CONF_INTERFACE_TABLE, "IPAddress",
				    "InterfaceTable %s: IPAddress '%s' is no address",
				    r->row.name, conf_raw_value(r, "IPAddress"));
	}
}

static void interface_address(struct load *l, struct conf_sip_interface *i)
{
	const struct conf *c = &l->w->c;
	uint32_t at;

	if (!*i->network_interface)
		return;
	at = names_find(&l->w->interface_table, i->network_interface);
	if (at != CONF_NONE) {
		const struct conf_raw *r = &c->raw[CONF_INTERFACE_TABLE][at];

		i->closed = !rg_addr_parse_ip(&i->addr, conf_raw_value(r, "IPAddress"));
		return;
	}
	if (rg_addr_parse_ip(&i->addr, i->network_interface))
		return;
	i->device = true;
	if (!system_address(i->network_interface, &i->addr, &i->addr6)) {
		i->closed = true;
		param_warn(l, &i->row, CONF_SIP_INTERFACE, "NetworkInterface",
			   "SIP interface %s: there is no network interface '%s' (yet): "
			   "closed until it appears",
			   i->row.name, i->network_interface);
	}
}

static void interface_ports(struct load *l, struct conf_sip_interface *i,
			    const char *text)
{
	char first[8];
	const char *dash = strchr(text, '-');
	uint32_t low, high;

	if (!*text)
		return;
	if (!dash || (size_t)(dash - text) >= sizeof first)
		goto bad;
	memcpy(first, text, (size_t)(dash - text));
	first[dash - text] = '\0';
	g_strchomp(first);
	for (dash++; *dash == ' ';)
		dash++;
	if (!value_digits(first, 65535, &low) || !value_digits(dash, 65535, &high) ||
	    low > high || low < 1025)
		goto bad;
	i->port_min = (uint16_t)low;
	i->port_max = (uint16_t)high;
	if (i->udp >= low && i->udp <= high)
		param_error(l, &i->row, CONF_SIP_INTERFACE, "AdditionalUDPPorts",
			    "AdditionalUDPPorts = %s holds the interface's own UDPPort %u",
			    text, i->udp);
	return;
bad:
	param_error(l, &i->row, CONF_SIP_INTERFACE, "AdditionalUDPPorts",
		    "AdditionalUDPPorts = %s must be FIRST-LAST within 1025 to 65535", text);
}

void build_interfaces(struct load *l)
{
	struct conf *c = &l->w->c;

	check_addresses(l);
	c->sip_interface = build_final(l, CONF_SIP_INTERFACE, &c->n_sip_interface);
	for (uint32_t i = 0; i < c->n_sip_interface; i++) {
		const struct draft_sip_interface *d =
			(void *)load_draft(l, CONF_SIP_INTERFACE, i);

		interface_address(l, &c->sip_interface[i]);
		interface_ports(l, &c->sip_interface[i], d->ports);
	}
	if (!c->n_sip_interface) {
		struct conf_sip_interface *i = rg_arena_alloc(l->arena, sizeof *i);

		memcpy(i, l->blank[CONF_SIP_INTERFACE], sizeof *i);
		i->row.index = 0;
		i->row.name = "default";
		i->row.values = l->no_values;
		c->sip_interface = i;
		c->n_sip_interface = 1;
	}
	build_names(l, CONF_SIP_INTERFACE, &l->w->sip_interface, c->sip_interface,
		    c->n_sip_interface);
}

/* ---- proxy sets and their addresses -------------------------------------------------- */

/* Position of the first of these that exists; CONF_NONE: none does. */
static uint32_t interface_of(struct load *l, const struct conf_proxy_set *s,
			     const char *const names[2], const char *const columns[2])
{
	const struct conf *c = &l->w->c;
	char buf[96];

	for (int i = 0; i < 2; i++) {
		uint32_t at;

		if (!*names[i])
			continue;
		at = names_refer(&l->w->sip_interface, c->n_sip_interface, names[i]);
		if (at != CONF_NONE)
			return at;
		param_warn(l, &s->row, CONF_PROXY_SET, columns[i],
			   "ProxySet %s: there is no SIPInterface '%s': the first is used%s",
			   s->row.name, names[i],
			   build_hint(l, &l->w->sip_interface, c->n_sip_interface, names[i],
				      buf));
	}
	return CONF_NONE;
}

/* One for a family serves the other as well, unless that has its own. */
static void set_interface(struct load *l, struct conf_proxy_set *s,
			  const struct draft_proxy_set *d)
{
	static const char *const column4[] = { "SBCIPv4SIPInterfaceName",
					       "GWIPv4SIPInterfaceName" };
	static const char *const column6[] = { "SBCIPv6SIPInterfaceName",
					       "GWIPv6SIPInterfaceName" };
	uint32_t four = interface_of(l, s, (const char *const[]){ d->sbc4, d->gw4 }, column4);
	uint32_t six = interface_of(l, s, (const char *const[]){ d->sbc6, d->gw6 }, column6);

	s->interface = four != CONF_NONE ? four : six != CONF_NONE ? six : 0;
	s->interface6 = six != CONF_NONE ? six : s->interface;
}

/* A set without a redundancy mode of its own has the global one, if that is set. */
static void set_redundancy(struct load *l, struct conf_proxy_set *s)
{
	const struct schema_param *p =
		schema_find(l->schema, CONF_PROXY_SET, "ProxyRedundancyMode");
	const struct conf_values *old = s->row.values;
	struct conf_value *v;
	uint16_t n = 0;

	if (s->redundancy != -1 || l->gateway.redundancy == -1)
		return;
	s->redundancy = l->gateway.redundancy;
	v = g_new0(struct conf_value, old->n + 1u);
	for (uint16_t i = 0; i < old->n && old->v[i].number < p->number; i++)
		v[n++] = old->v[i];
	v[n++] = (struct conf_value){ p->number, s->redundancy, "" };
	for (uint16_t i = 0; i < old->n; i++)
		if (old->v[i].number > p->number)
			v[n++] = old->v[i];
	s->row.values = values_of(l, v, n);
	g_free(v);
}

void build_proxy_sets(struct load *l)
{
	struct conf *c = &l->w->c;

	c->proxy_set = build_final(l, CONF_PROXY_SET, &c->n_proxy_set);
	for (uint32_t i = 0; i < c->n_proxy_set; i++) {
		set_interface(l, &c->proxy_set[i],
			      (void *)load_draft(l, CONF_PROXY_SET, i));
		set_redundancy(l, &c->proxy_set[i]);
		c->proxy_set[i].contact_name = "";
	}
	build_names(l, CONF_PROXY_SET, &l->w->proxy_set, c->proxy_set, c->n_proxy_set);
}

static int by_set(const void *a, const void *b)
{
	const struct draft_proxy_ip *x = a, *y = b;

	if (x->p.set != y->p.set)
		return x->p.set < y->p.set ? -1 : 1;
	if (x->p.order != y->p.order)
		return x->p.order < y->p.order ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* A name ends in a label with a letter (RFC 1123 2.1); what does not is a mistyped
 * address, and so is what holds colons. */
static bool may_be_name(const char *host)
{
	size_t n = strlen(host);

	if (n && host[n - 1] == '.')
		n--;
	while (n && host[n - 1] >= '0' && host[n - 1] <= '9')
		n--;
	return n && host[n - 1] != '.' && !strpbrk(host, " \t<>\"@;,/?&=%#[]:");
}

static void proxy_ip_set(struct load *l, struct draft_proxy_ip *d)
{
	const struct conf *c = &l->w->c;
	char buf[96];

	d->p.set = CONF_NONE;
	if (!*d->set) {
		row_error(l, &d->p.row, "ProxyIp %u has no ProxySetId", d->p.row.index);
		return;
	}
	d->p.set = names_index(&l->w->proxy_set, c->n_proxy_set, d->set);
	if (d->p.set == CONF_NONE)
		param_error(l, &d->p.row, CONF_PROXY_IP, "ProxySetId",
			    "ProxyIp %u: there is no ProxySet '%s'%s", d->p.row.index, d->set,
			    build_hint(l, &l->w->proxy_set, c->n_proxy_set, d->set, buf));
}

static void proxy_ip_address(struct load *l, struct draft_proxy_ip *d)
{
	struct conf_proxy_ip *p = &d->p;
	struct rg_addr addr;
	char host[256];
	uint16_t port;

	p->host = "";
	if (!*d->address) {
		row_error(l, &p->row, "ProxyIp %u has no IpAddress", p->row.index);
		return;
	}
	if (!rg_host_port(d->address, host, sizeof host, &p->port) ||
	    (!rg_addr_parse_ip(&p->addr, host) && !may_be_name(host))) {
		param_error(l, &p->row, CONF_PROXY_IP, "IpAddress",
			    "IpAddress = %s is no address or name with an optional :port",
			    d->address);
		return;
	}
	p->host = rg_arena_intern(l->arena, host);
	if (*p->registrar &&
	    (!rg_host_port(p->registrar, host, sizeof host, &port) ||
	     (!rg_addr_parse_ip(&addr, host) && !may_be_name(host))))
		param_error(l, &p->row, CONF_PROXY_IP, "Registrar",
			    "Registrar = %s is no address or name with an optional :port",
			    p->registrar);
	p->transport_set = d->transport != -1;
	p->addr.transport =
		(uint8_t)(p->transport_set ? d->transport : l->gateway.g.transport);
	p->addr.port = p->port ? p->port : p->addr.transport == RG_TLS ? 5061 : 5060;
	p->has_priority = p->priority || p->weight;
}

/* Sets take their slices of the sorted array; rows without a place come last. */
static void proxy_ip_slices(struct load *l)
{
	struct conf *c = &l->w->c;

	for (uint32_t i = 0; i < c->n_proxy_ip; i++) {
		struct conf_proxy_ip *p = &c->proxy_ip[i], *before = i ? p - 1 : NULL;
		struct conf_proxy_set *s;

		if (p->set == CONF_NONE)
			continue;
		s = &c->proxy_set[p->set];
		if (!s->n_ip++)
			s->first_ip = i;
		if (before && before->set != p->set)
			before = NULL;
		if (p->order == CONF_NONE)
			p->order = before ? before->order + 1 : 0;
		else if (before && before->order == p->order)
			param_error(l, &p->row, CONF_PROXY_IP, "ProxyIpIndex",
				    "ProxyIpIndex %u of proxy set %s stands already at %s:%u",
				    p->order, s->row.name, conf_file(c, before->row.file),
				    before->row.line);
		if (s->n_ip == RG_SERVERS + 1)
			row_error(l, &p->row, "proxy set %s has more than %d addresses",
				  s->row.name, RG_SERVERS);
	}
}

void build_proxy_ips(struct load *l)
{
	GArray *rows = l->rows[CONF_PROXY_IP];

	for (uint32_t i = 0; i < rows->len; i++) {
		struct draft_proxy_ip *d = (void *)load_draft(l, CONF_PROXY_IP, i);

		proxy_ip_set(l, d);
		proxy_ip_address(l, d);
	}
	if (rows->len)
		qsort(rows->data, rows->len, sizeof(struct draft_proxy_ip), by_set);
	l->w->c.proxy_ip = build_final(l, CONF_PROXY_IP, &l->w->c.n_proxy_ip);
	proxy_ip_slices(l);
}
