/* document.c -- docs/parameters.md, from the schema. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "conf/rows.h"

struct out {
	const struct schema *schema;
	void (*write)(const char *, void *);
	void *arg;
};

static void put(const struct out *o, const char *text)
{
	o->write(text, o->arg);
}

static const char *const about[CONF_TABLES] = {
	[CONF_GATEWAY] =
		"Global parameters: in `[Gateway]`, before the first section, under any "
		"heading that "
		"ends in `Params`, or in the section of the service they belong to.",
	[CONF_INTERFACE_TABLE] = "Names for local addresses, as the device has them.",
	[CONF_SIP_INTERFACE] = ("Local addresses and ports.  Without a row there is one "
				"on all addresses, UDP and TCP 5060."),
	[CONF_PROXY_SET] = "A list of servers and how it is used.",
	[CONF_PROXY_IP] = "The servers of the proxy sets, at most 64 a set.",
	[CONF_IP_GROUP] = "Who is on the other side: PBX, provider, ...",
	[CONF_TRUNK_GROUP] = ("Trunks behind a local gateway; also `[TrunkGroupSettings]`.  "
			      "Rows of one TrunkGroupId make one group: what they set adds up."),
	[CONF_ACCOUNT] = "Registrations and credentials.",
	[CONF_ROUTE] = "Routes of requests: the first row that matches, in the order of "
		       "Index, and then its alternatives.  Without one the account's "
		       "pair of groups counts.",
	[CONF_TLS_CONTEXT] = "Certificates, and what is demanded of others', by name: for SIP "
			     "interfaces and proxy sets.",
	[CONF_USER_INFO] = "Callers with credentials of their own.",
	[CONF_PLUGINS] = "Which plugins are loaded.",
};

/* '|' would end a cell. */
static void cell(const struct out *o, const char *text)
{
	char one[2] = "";

	for (; *text; text++) {
		if (*text == '|' || *text == '<')
			put(o, "\\");
		one[0] = *text;
		put(o, one);
	}
}

static void values(const struct out *o, const struct schema_param *p)
{
	char buf[64];

	switch (p->type) {
	case SCHEMA_BOOL:
		put(o, "no (0), yes (1)");
		return;
	case SCHEMA_CODES:
		put(o, "SIP codes, separated by commas");
		return;
	case SCHEMA_SECRET:
		put(o, "text, `$1$...`, `${NAME}`");
		return;
	case SCHEMA_SECRET_FILE:
		put(o, "file");
		return;
	case SCHEMA_STR:
	case SCHEMA_NAME:
		if (p->path) {
			put(o, "file");
			return;
		}
		snprintf(buf, sizeof buf, "text, up to %" PRId64, p->max ? p->max : 255);
		put(o, buf);
		return;
	}
	snprintf(buf, sizeof buf, "%" PRId64 " to %" PRId64, p->min, p->max);
	put(o, buf);
	for (const char *s = p->symbols; s && *s;) {
		size_t n = strcspn(s, ",");
		size_t name = strcspn(s, "=");

		snprintf(buf, sizeof buf, ", %.*s (%.*s)", (int)name, s,
			 n > name ? (int)(n - name - 1) : 0,
			 n > name ? s + name + 1 : "");
		put(o, buf);
		s += n + (s[n] == ',');
	}
}

static void aliases(const struct out *o, const struct schema_param *p)
{
	for (size_t i = 0; i < schema_aliases_count; i++) {
		if (schema_aliases[i].table != p->table ||
		    strcmp(schema_aliases[i].name, p->name))
			continue;
		put(o, ", `");
		put(o, schema_aliases[i].alias);
		put(o, "`");
	}
}

static void parameter(const struct out *o, const struct schema_param *p)
{
	put(o, "| `");
	put(o, p->name);
	put(o, "`");
	aliases(o, p);
	put(o, " | ");
	values(o, p);
	put(o, " | ");
	cell(o, p->dflt ? p->dflt : "");
	put(o, " | ");
	put(o, p->owner ? p->owner : "");
	put(o, " | ");
	cell(o, p->doc ? p->doc : "");
	put(o, " |\n");
}

static void ignored(const struct out *o, enum conf_table t)
{
	bool any = false;

	for (uint16_t i = 0; i < schema_count(o->schema); i++) {
		const struct schema_param *p = schema_at(o->schema, i);

		if (p->table != t || p->type != SCHEMA_IGNORED)
			continue;
		put(o, any ? ", `" : "\nOf the device, taken without effect: `");
		put(o, p->name);
		put(o, "`");
		any = true;
	}
	if (any)
		put(o, ".\n");
}

void schema_document(const struct schema *schema, void (*write)(const char *, void *),
		     void *arg)
{
	const struct out o = { schema, write, arg };

	put(&o,
	    "# Parameters\n\n"
	    "Made from the schema by `regwayd --document`; do not edit.  Names are taken "
	    "in any "
	    "case and with the table's name in front (`Account_Register`).  A number "
	    "that has a "
	    "name may be written either way.  Strings longer than given need `LongValues "
	    "= 1`.  "
	    "A file may be named relative to the one that names it.  "
	    "A parameter with a plugin has an effect only when that plugin is loaded.\n");
	for (int t = 0; t < CONF_TABLES; t++) {
		put(&o, "\n## ");
		put(&o, schema_title((enum conf_table)t));
		put(&o, "\n\n");
		put(&o, about[t]);
		put(&o, "\n\n| parameter | values | default | plugin | meaning |\n"
			"|---|---|---|---|---|\n");
		for (uint16_t i = 0; i < schema_count(schema); i++) {
			const struct schema_param *p = schema_at(schema, i);

			if (p->table == t && p->type != SCHEMA_IGNORED)
				parameter(&o, p);
		}
		ignored(&o, (enum conf_table)t);
	}
}
