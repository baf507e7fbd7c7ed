/* dump.c -- a configuration as text: row form, short names, numbers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "conf/load.h"
#include "conf/value.h"

struct dump {
	const struct conf *c;
	const struct schema *schema;
	void (*write)(const char *, void *);
	void *arg;
};

static void put(const struct dump *d, const char *text)
{
	d->write(text, d->arg);
}

/* A value that would lose a blank or a quote at its end is put in quotes. */
static void line(const struct dump *d, const char *name, const char *text)
{
	size_t n = strlen(text);
	bool quote = n && (text[0] == ' ' || text[n - 1] == ' ' || text[0] == '"');

	put(d, name);
	put(d, quote ? " = \"" : n ? " = " : " =");
	put(d, text);
	put(d, quote ? "\"\n" : "\n");
}

static void number(const struct dump *d, const char *name, int64_t n)
{
	char buf[24];

	snprintf(buf, sizeof buf, "%" PRId64, n);
	line(d, name, buf);
}

static int64_t load_number(const void *row, const struct schema_param *p)
{
	const char *at = (const char *)row + p->offset;
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;

	switch (p->size) {
	case 1:
		memcpy(&u8, at, 1);
		return p->min < 0 || !*p->dflt ? (int8_t)u8 : u8;
	case 2:
		memcpy(&u16, at, 2);
		return p->min < 0 ? (int16_t)u16 : u16;
	default:
		memcpy(&u32, at, 4);
		return p->min < 0 || !*p->dflt ? (int64_t)(int32_t)u32 : (int64_t)u32;
	}
}

static void codes_text(const struct rg_codes *c, char buf[128])
{
	int n = 0;

	buf[0] = '\0';
	for (uint16_t i = 0; i < c->n; i++)
		n += snprintf(buf + n, (size_t)(128 - n), i ? ",%u" : "%u", c->code[i]);
}

/* A field of the final row, if it is not as it would be without a line. */
static void field(const struct dump *d, const void *row, const struct schema_param *p)
{
	const void *at = (const char *)row + p->offset;
	char buf[128], why[VALUE_WHY];
	const char *text;
	int64_t n, preset = -1;

	switch (p->type) {
	case SCHEMA_INT:
	case SCHEMA_BOOL:
		n = load_number(row, p);
		if (*p->dflt)
			value_number(p, p->dflt, &preset, why);
		if (n != preset)
			number(d, p->name, n);
		break;
	case SCHEMA_CODES:
		codes_text(at, buf);
		if (strcmp(buf, p->dflt))
			line(d, p->name, buf);
		break;
	case SCHEMA_SECRET:
		if (**(const char *const *)at)
			line(d, p->name, "********");
		break;
	case SCHEMA_STR:
	case SCHEMA_NAME:
		text = *(const char *const *)at;
		if (strcmp(text, p->dflt))
			line(d, p->name, text);
	}
}

static void policy_value(const struct dump *d, const struct schema_param *p,
			 const struct conf_value *v)
{
	if (p->type == SCHEMA_INT || p->type == SCHEMA_BOOL)
		number(d, p->name, v->num);
	else
		line(d, p->name, v->str);
}

/* References and what else is not kept as it is written.  NULL: nothing to say. */
static const char *special(const struct conf *c, enum conf_table t, const void *row,
			   const char *name, char buf[320])
{
	const struct conf_sip_interface *i = row;
	const struct conf_proxy_set *s = row;
	const struct conf_proxy_ip *p = row;
	const struct conf_ip_group *g = row;
	const struct conf_trunk_group *k = row;
	const struct conf_account *a = row;
	const struct conf_user_info *u = row;
#define NAME_OF(table, at) ((at) == CONF_NONE ? NULL : c->table[at].row.name)

	switch (t) {
	case CONF_SIP_INTERFACE:
		if (!i->port_max)
			return NULL;
		snprintf(buf, 320, "%u-%u", i->port_min, i->port_max);
		return buf;
	case CONF_PROXY_SET:
		if (!strcmp(name, "SBCIPv6SIPInterfaceName"))
			return s->interface6 != s->interface ?
				       NAME_OF(sip_interface, s->interface6) : NULL;
		return strcmp(name, "SBCIPv4SIPInterfaceName")
			       ? NULL
			       : NAME_OF(sip_interface, s->interface);
	case CONF_PROXY_IP:
		if (!strcmp(name, "ProxySetId")) {
			snprintf(buf, 320, "%u", c->proxy_set[p->set].row.index);
			return buf;
		}
		if (!strcmp(name, "TransportType")) {
			snprintf(buf, 320, "%u", p->addr.transport);
			return p->transport_set ? buf : NULL;
		}
		snprintf(buf, 320, strchr(p->host, ':') && p->port ? "[%s]" : "%s",
			 p->host);
		if (p->port)
			snprintf(buf + strlen(buf), 16, ":%u", p->port);
		return buf;
	case CONF_IP_GROUP:
		return strcmp(name, "ProxySetName") ? NULL : NAME_OF(proxy_set, g->set);
	case CONF_TRUNK_GROUP:
		if (!strcmp(name, "FirstTrunkId") || !strcmp(name, "LastTrunkId")) {
			snprintf(buf, 320, "%u", !k->n_range	     ? 0
						 : *name == 'F' ? k->range[0].first
								: k->range[0].last);
			return k->n_range ? buf : NULL;
		}
		return strcmp(name, "ProxySetName") ? NAME_OF(ip_group, k->serving)
						    : NAME_OF(proxy_set, k->set);
	case CONF_ACCOUNT:
		if (!strcmp(name, "ServedIPGroupName"))
			return NAME_OF(ip_group, a->served);
		if (!strcmp(name, "ServingIPGroupName"))
			return NAME_OF(ip_group, a->serving);
		if (!strcmp(name, "OutboundProxySetName"))
			return NAME_OF(proxy_set, a->outbound);
		if (strcmp(name, "ServedTrunkGroup") || a->trunk == CONF_NONE)
			return NULL;
		snprintf(buf, 320, "%u", c->trunk_group[a->trunk].id);
		return buf;
	case CONF_USER_INFO:
		return NAME_OF(ip_group, u->group);
	default:
		return NULL;
	}
#undef NAME_OF
}

static void one(const struct dump *d, enum conf_table t, const void *row,
		const struct conf_values *values, const struct schema_param *p)
{
	const struct conf_value *v = p->policy ? conf_value(values, p->number) : NULL;
	char buf[320];
	const char *text;

	if (p->type == SCHEMA_IGNORED || !strcmp(p->name, "Index") ||
	    !strcmp(p->name, "Name"))
		return;
	if (p->size && p->offset >= load_row_size(t)) {
		text = special(d->c, t, row, p->name, buf);
		if (text)
			line(d, p->name, text);
		else if (v)
			policy_value(d, p, v);
	} else if (v) {
		policy_value(d, p, v);
	} else if (p->size) {
		field(d, row, p);
	}
}

static void heading(const struct dump *d, enum conf_table t, const struct conf_row *row)
{
	char index[16];

	put(d, "\n[");
	put(d, schema_title(t));
	put(d, "]\n");
	snprintf(index, sizeof index, "%u", row->index);
	line(d, "Index", index);
	if (strcmp(row->name, index))
		line(d, "Name", row->name);
}

static void table(const struct dump *d, enum conf_table t, const void *rows, size_t size,
		  uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const void *at = (const char *)rows + i * size;
		const struct conf_row *row = at;

		heading(d, t, row);
		for (uint16_t j = 0; j < schema_count(d->schema); j++) {
			const struct schema_param *p = schema_at(d->schema, j);

			if (p->table == t)
				one(d, t, at, row->values, p);
		}
	}
}

/* Ranges of trunks past the first: a row each. */
static void more_trunks(const struct dump *d)
{
	for (uint32_t i = 0; i < d->c->n_trunk_group; i++) {
		const struct conf_trunk_group *t = &d->c->trunk_group[i];

		for (uint32_t j = 1; j < t->n_range; j++) {
			put(d, "\n[TrunkGroup]\n");
			number(d, "TrunkGroupId", t->id);
			number(d, "FirstTrunkId", t->range[j].first);
			number(d, "LastTrunkId", t->range[j].last);
		}
	}
}

static void raw(const struct dump *d, enum conf_table t)
{
	for (uint32_t i = 0; i < d->c->n_raw[t]; i++) {
		const struct conf_raw *r = &d->c->raw[t][i];

		heading(d, t, &r->row);
		for (uint16_t j = 0; j < r->n; j++)
			line(d, r->pair[j].key, r->pair[j].value);
	}
}

static void gateway(const struct dump *d)
{
	put(d, "[Gateway]\n");
	for (uint16_t j = 0; j < schema_count(d->schema); j++) {
		const struct schema_param *p = schema_at(d->schema, j);

		if (p->table == CONF_GATEWAY)
			one(d, CONF_GATEWAY, &d->c->gateway, d->c->gateway.values, p);
	}
}

static void plugins(const struct dump *d)
{
	if (!d->c->load_all) {
		put(d, "\n[Plugins]\nLoad =");
		for (uint32_t i = 0; i < d->c->n_load; i++) {
			put(d, i ? ", " : " ");
			put(d, d->c->load[i]);
		}
		put(d, "\n");
	}
	for (uint32_t i = 0; i < d->c->n_section; i++) {
		put(d, "\n[");
		put(d, d->c->section[i]);
		put(d, "]\n");
	}
}

void conf_dump(const struct conf *c, const struct schema *schema,
	       void (*write)(const char *, void *), void *arg)
{
	const struct dump d = { c, schema, write, arg };

	gateway(&d);
	raw(&d, CONF_INTERFACE_TABLE);
	table(&d, CONF_SIP_INTERFACE, c->sip_interface, sizeof *c->sip_interface,
	      c->n_sip_interface);
	table(&d, CONF_PROXY_SET, c->proxy_set, sizeof *c->proxy_set, c->n_proxy_set);
	table(&d, CONF_PROXY_IP, c->proxy_ip, sizeof *c->proxy_ip, c->n_proxy_ip);
	table(&d, CONF_IP_GROUP, c->ip_group, sizeof *c->ip_group, c->n_ip_group);
	table(&d, CONF_TRUNK_GROUP, c->trunk_group, sizeof *c->trunk_group,
	      c->n_trunk_group);
	more_trunks(&d);
	table(&d, CONF_ACCOUNT, c->account, sizeof *c->account, c->n_account);
	table(&d, CONF_USER_INFO, c->user_info, sizeof *c->user_info, c->n_user_info);
	table(&d, CONF_ROUTE, c->route, sizeof *c->route, c->n_route);
	raw(&d, CONF_TLS_CONTEXT);
	plugins(&d);
}
