#include "policy/setting.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "conf/value.h"

enum { UNSET = -1 }; /* what plugins see of a number without value and default */

enum conf_table setting_table(uint8_t scope)
{
	static const uint8_t table[RG_SCOPES] = {
		[RG_GLOBAL] = CONF_GATEWAY,	      [RG_ACCOUNT] = CONF_ACCOUNT,
		[RG_PROXY_SET] = CONF_PROXY_SET,      [RG_PROXY_IP] = CONF_PROXY_IP,
		[RG_IP_GROUP] = CONF_IP_GROUP,	      [RG_TRUNK_GROUP] = CONF_TRUNK_GROUP,
		[RG_INTERFACE] = CONF_SIP_INTERFACE,
	};

	return table[scope];
}

static bool is_number(const struct schema_param *s)
{
	return s->type == SCHEMA_INT || s->type == SCHEMA_BOOL;
}

struct setting setting_parse(const struct schema_param *s, const char *text)
{
	struct setting v = { .text = !is_number(s), .num = UNSET, .str = text ? text : "" };
	char why[VALUE_WHY];

	if (!v.text && *v.str && !value_number(s, v.str, &v.num, why))
		v.num = UNSET;
	return v;
}

struct setting setting_written(const struct schema_param *s, const struct conf_value *c)
{
	return (struct setting){ .set = true, .text = !is_number(s), .num = c->num,
			       .str = c->str };
}

/* Fields past these are the reader's own and not kept. */
static const uint16_t row_size[CONF_TABLES] = {
	[CONF_GATEWAY] = sizeof(struct conf_gateway),
	[CONF_SIP_INTERFACE] = sizeof(struct conf_sip_interface),
	[CONF_PROXY_SET] = sizeof(struct conf_proxy_set),
	[CONF_PROXY_IP] = sizeof(struct conf_proxy_ip),
	[CONF_IP_GROUP] = sizeof(struct conf_ip_group),
	[CONF_TRUNK_GROUP] = sizeof(struct conf_trunk_group),
	[CONF_ACCOUNT] = sizeof(struct conf_account),
};

bool setting_is_field(const struct schema_param *s)
{
	return s->size && s->offset + s->size <= row_size[s->table];
}

static int64_t field_number(const char *at, uint8_t size, bool sign)
{
	union {
		uint8_t u8;
		int8_t s8;
		uint16_t u16;
		int16_t s16;
		uint32_t u32;
		int32_t s32;
		int64_t s64;
	} n;

	memcpy(&n, at, size);
	switch (size) {
	case 1:
		return sign ? (int64_t)n.s8 : n.u8;
	case 2:
		return sign ? (int64_t)n.s16 : n.u16;
	case 4:
		return sign ? (int64_t)n.s32 : n.u32;
	default:
		return n.s64;
	}
}

static struct setting field_of(const struct schema_param *s, const char *at)
{
	struct setting v = { .str = "" };

	switch (s->type) {
	case SCHEMA_INT:
	case SCHEMA_BOOL:
		v.num = field_number(at, s->size, s->min < 0);
		break;
	case SCHEMA_CODES:
		v.text = true;
		v.codes = (const void *)at;
		break;
	default:
		v.text = true;
		memcpy(&v.str, at, sizeof v.str);
	}
	return v;
}

struct setting setting_of(const struct schema_param *s, const struct setting *dflt,
		      const struct conf_values *values, const void *row)
{
	const struct conf_value *c = values ? conf_value(values, s->number) : NULL;
	struct setting v;

	if (row && setting_is_field(s)) {
		v = field_of(s, (const char *)row + s->offset);
		v.set = c || !setting_equal(&v, dflt);
		return v;
	}
	return c ? setting_written(s, c) : *dflt;
}

bool setting_equal(const struct setting *a, const struct setting *b)
{
	if (a->text || b->text)
		return !g_ascii_strcasecmp(a->str, b->str);
	return a->num == b->num;
}

bool setting_unset(const struct setting *v)
{
	if (!v->set || v->codes)
		return !v->set || !v->codes->n;
	return v->text ? !*v->str || !g_ascii_strcasecmp(v->str, "unset") : v->num == UNSET;
}

const char *setting_text(const struct setting *v, char buf[32])
{
	if (v->text)
		return v->str;
	snprintf(buf, 32, "%lld", (long long)v->num);
	return buf;
}

bool claim_parse(struct claim *c, struct rg_arena *a, const struct schema_param *s,
		 const char *list)
{
	char why[VALUE_WHY], **word;
	bool good = true;
	int64_t num;

	*c = (struct claim){ .any = list && !strcmp(list, "*") };
	if (!list || c->any)
		return true;
	word = g_strsplit(list, ",", UINT8_MAX);
	c->one = rg_arena_alloc(a, g_strv_length(word) * sizeof *c->one);
	for (char **w = word; *w; w++) {
		const char *text = rg_arena_str(a, g_strstrip(*w));

		good &= *text && (!is_number(s) || value_number(s, text, &num, why));
		c->one[c->n++] = setting_parse(s, text);
	}
	g_strfreev(word);
	return good;
}

bool claim_empty(const struct claim *c)
{
	return !c->any && !c->n;
}

bool claim_match(const struct claim *c, const struct setting *v)
{
	if (c->any)
		return !setting_unset(v);
	for (size_t i = 0; i < c->n; i++)
		if (setting_equal(&c->one[i], v))
			return true;
	return false;
}
