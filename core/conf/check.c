/* check.c -- what concerns more than one value, once all rows stand. */
#include <string.h>

#include "conf/load.h"
#include "conf/value.h"

/* ---- limits, and columns that do nothing ---------------------------------------------- */

static void check_lengths(struct load *l)
{
	if (l->gateway.g.long_values)
		return;
	for (guint i = 0; i < l->longer->len; i++) {
		const struct longer *it = &g_array_index(l->longer, struct longer, i);

		rg_fault_add(l->faults, RG_FAULT_ERROR, conf_file(&l->w->c, it->file),
			     it->line,
			     "%s has %u characters, more than %lld (LongValues = 1 "
			     "allows 255)",
			     it->p->name, it->length, (long long)it->p->max);
	}
}

static void check_ignored(struct load *l)
{
	for (uint16_t i = 0; i < schema_count(l->schema); i++) {
		const struct schema_param *p = schema_at(l->schema, i);
		const struct tally *t = &l->tally[i];
		const char *file;

		if (!t->count)
			continue;
		file = conf_file(&l->w->c, t->file);
		if (t->count == 1)
			rg_fault_add(l->faults, RG_FAULT_WARNING, file, t->line,
				     "%s of %s is set and means nothing here", p->name,
				     schema_title((enum conf_table)p->table));
		else
			rg_fault_add(l->faults, RG_FAULT_WARNING, file, t->line,
				     "%s of %s is set and means nothing here (%u rows)",
				     p->name, schema_title((enum conf_table)p->table),
				     t->count);
	}
}

static const struct conf_row *row_at(const struct load *l, enum conf_table t)
{
	return (const struct conf_row *)(const void *)l->rows[t]->data;
}

/* ---- interfaces and proxy sets --------------------------------------------------------- */

static bool same_place(const struct conf_sip_interface *a,
		       const struct conf_sip_interface *b)
{
	if (a->closed || b->closed)
		return false;
	return !a->addr.family || !b->addr.family || rg_addr_same_ip(&a->addr, &b->addr) ||
	       (a->addr6.family && (rg_addr_same_ip(&a->addr6, &b->addr6) ||
				    rg_addr_same_ip(&a->addr6, &b->addr))) ||
	       (b->addr6.family && rg_addr_same_ip(&a->addr, &b->addr6));
}

static const char *clash(const struct conf_sip_interface *a,
			 const struct conf_sip_interface *b)
{
	if (a->udp && a->udp == b->udp)
		return "UDPPort";
	if (a->tcp && a->tcp == b->tcp)
		return "TCPPort";
	if (a->tls && (a->tls == b->tls || a->tls == b->tcp))
		return "TLSPort";
	if (a->tcp && a->tcp == b->tls)
		return "TCPPort";
	if (a->port_max && b->port_max && a->port_min <= b->port_max &&
	    b->port_min <= a->port_max)
		return "AdditionalUDPPorts";
	if ((a->udp && a->udp >= b->port_min && a->udp <= b->port_max) ||
	    (b->udp && b->udp >= a->port_min && b->udp <= a->port_max))
		return "UDPPort and AdditionalUDPPorts";
	return NULL;
}

/* Interfaces are few; more than a thousand are not compared with each other. */
static void check_interfaces(struct load *l)
{
	const struct conf *c = &l->w->c;

	for (uint32_t i = 0; i < c->n_sip_interface; i++) {
		const struct conf_sip_interface *a = &c->sip_interface[i];

		for (uint32_t j = 0; j < i && i < 1000; j++) {
			const struct conf_sip_interface *b = &c->sip_interface[j];
			const char *what = same_place(a, b) ? clash(a, b) : NULL;

			if (what)
				row_error(l, &a->row,
					  "SIP interfaces %s and %s have one address and "
					  "the same %s",
					  b->row.name, a->row.name, what);
		}
		if (!a->udp && !a->tcp && !a->tls)
			row_warn(l, &a->row, "SIP interface %s has no port at all",
				 a->row.name);
	}
}

static void check_context(struct load *l, enum conf_table t, const struct conf_row *row,
			  const char *name)
{
	char buf[96];

	if (!*name || !strcasecmp(name, "default") ||
	    names_refer(&l->w->tls_context, l->w->c.n_raw[CONF_TLS_CONTEXT], name) !=
		    CONF_NONE)
		return;
	param_warn(l, row, t, t == CONF_PROXY_SET ? "TLSContextName" : "TLSContext",
		   "%s %s: there is no TLS context '%s'%s", schema_title(t), row->name, name,
		   build_hint(l, &l->w->tls_context, l->w->c.n_raw[CONF_TLS_CONTEXT], name,
			      buf));
}

static void check_keepalive(struct load *l, const struct conf_proxy_set *s)
{
	for (uint16_t i = 0; i < s->keepalive_failure.n; i++)
		if (s->keepalive_failure.code[i] == 200)
			param_error(l, &s->row, CONF_PROXY_SET, "KeepAliveFailureResp",
				    "ProxySet %s: KeepAliveFailureResp cannot be 200",
				    s->row.name);
}

/* Sets that a registering account or a group needs have addresses. */
static void check_proxy_sets(struct load *l)
{
	const struct conf *c = &l->w->c;
	bool *used = g_new0(bool, c->n_proxy_set + 1);

	for (uint32_t i = 0; i < c->n_ip_group; i++)
		if (c->ip_group[i].set != CONF_NONE)
			used[c->ip_group[i].set] = true;
	for (uint32_t i = 0; i < c->n_proxy_set; i++) {
		const struct conf_proxy_set *s = &c->proxy_set[i];

		check_keepalive(l, s);
		check_context(l, CONF_PROXY_SET, &s->row, s->tls_context);
		if (used[i] && !s->n_ip)
			row_warn(l, &s->row,
				 "ProxySet %s has no ProxyIp: nothing can be sent to it",
				 s->row.name);
	}
	g_free(used);
	for (uint32_t i = 0; i < c->n_sip_interface; i++)
		check_context(l, CONF_SIP_INTERFACE, &c->sip_interface[i].row,
			      c->sip_interface[i].tls_context);
}

/* ---- accounts --------------------------------------------------------------------------- */

static const struct conf_ip_group *group_at(const struct conf *c, uint32_t i)
{
	return i == CONF_NONE ? NULL : &c->ip_group[i];
}

static const char *aor_user(const struct conf *c, const struct conf_account *a)
{
	const struct conf_ip_group *served = group_at(c, a->served);

	if (*a->contact_user)
		return a->contact_user;
	if (served && *served->contact_user)
		return served->contact_user;
	if (a->trunk != CONF_NONE && *c->trunk_group[a->trunk].contact_user)
		return c->trunk_group[a->trunk].contact_user;
	return a->username;
}

static const char *aor_host(const struct conf *c, const struct conf_account *a)
{
	const struct conf_ip_group *serving = group_at(c, a->serving);
	const struct conf_proxy_set *s;

	if (*a->host_name)
		return a->host_name;
	if (!serving)
		return "";
	if (*serving->sip_group_name)
		return serving->sip_group_name;
	if (serving->set == CONF_NONE)
		return "";
	s = &c->proxy_set[serving->set];
	return s->n_ip ? c->proxy_ip[s->first_ip].host : "";
}

/* What a pair may hold once: with StrictAccountPairs one account, else one AOR. */
static guint aor_hash(const struct load *l, const struct conf_account *a)
{
	const struct conf *c = &l->w->c;
	guint h = a->served * 2654435761u ^ a->trunk * 40503u ^ a->serving * 2246822519u;

	if (l->gateway.g.strict_account_pairs)
		return h ^ h >> 15;
	h ^= g_str_hash(aor_user(c, a)) * 31u;
	for (const char *s = aor_host(c, a); *s; s++)
		h = (h ^ (guchar)g_ascii_tolower(*s)) * 16777619u;
	return h ^ h >> 15;
}

static bool aor_equal(const struct load *l, const struct conf_account *a,
		      const struct conf_account *b)
{
	const struct conf *c = &l->w->c;

	if (a->served != b->served || a->trunk != b->trunk || a->serving != b->serving)
		return false;
	return l->gateway.g.strict_account_pairs ||
	       (!strcmp(aor_user(c, a), aor_user(c, b)) &&
		!g_ascii_strcasecmp(aor_host(c, a), aor_host(c, b)));
}

static void aor_again(struct load *l, const struct conf_account *a,
		      const struct conf_account *b)
{
	const struct conf *c = &l->w->c;
	const char *file = conf_file(c, b->row.file);

	if (l->gateway.g.strict_account_pairs)
		row_error(l, &a->row,
			  "account %s serves the same pair of groups as %s at %s:%u "
			  "(StrictAccountPairs = 1)",
			  a->row.name, b->row.name, file, b->row.line);
	else if (!*aor_user(c, a))
		row_error(
			l, &a->row,
			"accounts %s and %s at %s:%u serve the same pair of groups, and "
			"neither has an identity",
			a->row.name, b->row.name, file, b->row.line);
	else
		row_error(l, &a->row,
			  "account %s has the AOR %s@%s of account %s at %s:%u, and the "
			  "same "
			  "pair of groups",
			  a->row.name, aor_user(c, a), aor_host(c, a), b->row.name, file,
			  b->row.line);
}

static void check_aors(struct load *l)
{
	const struct conf *c = &l->w->c;
	uint32_t size = 4, *slot;

	while (size < c->n_account * 2)
		size *= 2;
	slot = g_new0(uint32_t, size);
	for (uint32_t i = 0; i < c->n_account; i++) {
		const struct conf_account *a = &c->account[i];
		uint32_t at = aor_hash(l, a) & (size - 1);

		if (a->serving == CONF_NONE ||
		    (a->served == CONF_NONE && a->trunk == CONF_NONE))
			continue;
		while (slot[at] && !aor_equal(l, a, &c->account[slot[at] - 1]))
			at = (at + 1) & (size - 1);
		if (!slot[at]) {
			slot[at] = i + 1;
			continue;
		}
		aor_again(l, a, &c->account[slot[at] - 1]);
	}
	g_free(slot);
}

static bool host_is_bad(const char *text)
{
	char host[256];
	uint16_t port;

	return *text && (!rg_host_port(text, host, sizeof host, &port) ||
			 strpbrk(host, " \t<>\"@;,/?&=%#"));
}

static void check_texts(struct load *l, const struct conf_account *a)
{
	if (host_is_bad(a->host_name))
		param_error(l, &a->row, CONF_ACCOUNT, "HostName",
			    "account %s: HostName = %s is no host with an optional :port",
			    a->row.name, a->host_name);
	if (strpbrk(a->contact_user, " \t<>\""))
		param_error(l, &a->row, CONF_ACCOUNT, "ContactUser",
			    "account %s: ContactUser = %s cannot be the user of a URI",
			    a->row.name, a->contact_user);
	if (strpbrk(a->security_client, "\r\n\"<>"))
		param_error(l, &a->row, CONF_ACCOUNT, "SecurityClient",
			    "account %s: SecurityClient = %s is no list of mechanisms",
			    a->row.name, a->security_client);
	if (strcmp(a->contact_address, "local") &&
	    strcmp(a->contact_address, "received") &&
	    (!*a->contact_address || host_is_bad(a->contact_address)))
		param_error(l, &a->row, CONF_ACCOUNT, "ContactAddress",
			    "account %s: ContactAddress = %s must be local, received or an "
			    "address[:port]",
			    a->row.name, a->contact_address);
}

static void check_application(struct load *l, const struct conf_account *a,
			      const struct draft_account *d)
{
	if (d->application == UINT8_MAX)
		return;
	if (d->application == 1)
		param_warn(l, &a->row, CONF_ACCOUNT, "ApplicationType",
			   "account %s: ApplicationType 1 is not defined", a->row.name);
	else if (a->served != CONF_NONE && d->application == 0)
		param_warn(l, &a->row, CONF_ACCOUNT, "ApplicationType",
			   "account %s serves an IP group: ApplicationType is 2 (SBC), not 0",
			   a->row.name);
	else if (a->trunk != CONF_NONE && d->application == 2)
		param_warn(l, &a->row, CONF_ACCOUNT, "ApplicationType",
			   "account %s serves a trunk group: ApplicationType is 0 (GW), not 2",
			   a->row.name);
}

static void check_trunk_account(struct load *l, const struct conf_account *a)
{
	const struct conf *c = &l->w->c;
	const struct conf_ip_group *serving = group_at(c, a->serving);
	const struct conf_proxy_set *s =
		serving && serving->set != CONF_NONE ? &c->proxy_set[serving->set] : NULL;

	if (a->trunk == CONF_NONE)
		return;
	if (a->withheld)
		row_warn(l, &a->row,
			 "account %s does not register: RegistrationMode of trunk group %u is not "
			 "Per Account (5)",
			 a->row.name, c->trunk_group[a->trunk].id);
	if (s && s->row.index == 0 && !c->gateway.is_proxy_used)
		row_error(l, &a->row,
			  "account %s: serving IP group %s uses proxy set 0, which needs "
			  "IsProxyUsed = 1",
			  a->row.name, serving->row.name);
}

static void check_account(struct load *l, const struct conf_account *a,
			  const struct draft_account *d)
{
	const struct conf *c = &l->w->c;
	const struct conf_ip_group *serving = group_at(c, a->serving);

	check_texts(l, a);
	check_application(l, a, d);
	check_trunk_account(l, a);
	if (!a->reg)
		return;
	if (!*aor_user(c, a))
		row_error(l, &a->row,
			  "account %s registers, but has no identity: ContactUser, "
			  "Username, or ContactUser of the served IP group",
			  a->row.name);
	if (serving && serving->set == CONF_NONE)
		row_error(l, &a->row,
			  "account %s registers at IP group %s, which has no proxy set",
			  a->row.name, serving->row.name);
}

static void check_accounts(struct load *l)
{
	const struct conf *c = &l->w->c;
	const struct draft_account *d = (const void *)row_at(l, CONF_ACCOUNT);

	for (uint32_t i = 0; i < c->n_account; i++)
		check_account(l, &c->account[i], &d[i]);
	check_aors(l);
	check_primaries(l);
	if (c->gateway.max_accounts && c->n_account > c->gateway.max_accounts)
		row_error(l, &c->account[c->gateway.max_accounts].row,
			  "%u accounts are more than MaxAccounts = %u", c->n_account,
			  c->gateway.max_accounts);
}

/* Who wants a group to prove itself and names nobody gets calls of anybody. */
static void check_ip_groups(struct load *l)
{
	const struct conf *c = &l->w->c;

	for (uint32_t i = 0; i < c->n_ip_group; i++) {
		const struct conf_ip_group *g = &c->ip_group[i];

		if (g->authentication_mode >= 2 && !*g->server_username)
			param_warn(l, &g->row, CONF_IP_GROUP, "AuthenticationMode",
				   "IP group %s: AuthenticationMode is %d, but there is no "
				   "UsernameAsServer: nobody is asked for credentials",
				   g->row.name, g->authentication_mode);
	}
}

void check_all(struct load *l)
{
	check_lengths(l);
	check_ignored(l);
	check_interfaces(l);
	check_proxy_sets(l);
	check_ip_groups(l);
	check_accounts(l);
}
