#include "policy/params.h"

#include "conf/value.h"
#include "policy/account.h"

struct block {
	uint32_t size;
	void *data;
};

static guint block_hash(gconstpointer p)
{
	const struct block *b = p;
	const uint8_t *byte = b->data;
	guint h = b->size;

	for (uint32_t i = 0; i < b->size; i++)
		h = (h ^ byte[i]) * 16777619u;
	return h;
}

static gboolean block_equal(gconstpointer p, gconstpointer q)
{
	const struct block *a = p, *b = q;

	return a->size == b->size && !memcmp(a->data, b->data, a->size);
}

void params_init(struct params *ps, struct rg_arena *keep)
{
	ps->keep = keep;
	ps->blocks = g_hash_table_new_full(block_hash, block_equal, g_free, NULL);
}

void params_clear(struct params *ps)
{
	g_hash_table_destroy(ps->blocks);
}

/* The one kept copy of these bytes. */
static const void *intern(struct params *ps, void *data, size_t size)
{
	struct block probe = { (uint32_t)size, data }, *b;

	b = g_hash_table_lookup(ps->blocks, &probe);
	if (!b) {
		b = g_new(struct block, 1);
		b->size = (uint32_t)size;
		b->data = rg_arena_alloc(ps->keep, size);
		memcpy(b->data, data, size);
		g_hash_table_add(ps->blocks, b);
	}
	return b->data;
}

void params_rows(const struct conf *c, uint32_t account, struct rows *r)
{
	const struct conf_account *a = &c->account[account];
	const struct conf_ip_group *g = &c->ip_group[a->serving];
	const struct conf_proxy_set *set = NULL;
	uint32_t interface = CONF_NONE;

	memset(r, 0, sizeof *r);
	r->set = account_set(c, a);
	if (r->set != CONF_NONE) {
		set = &c->proxy_set[r->set];
		interface = set->interface;
	}
	r->row[RG_GLOBAL] = &c->gateway;
	r->values[RG_GLOBAL] = c->gateway.values;
	r->row[RG_ACCOUNT] = a;
	r->values[RG_ACCOUNT] = a->row.values;
	r->row[RG_IP_GROUP] = g;
	r->values[RG_IP_GROUP] = g->row.values;
	if (set) {
		r->row[RG_PROXY_SET] = set;
		r->values[RG_PROXY_SET] = set->row.values;
	}
	if (a->trunk != CONF_NONE) {
		r->row[RG_TRUNK_GROUP] = &c->trunk_group[a->trunk];
		r->values[RG_TRUNK_GROUP] = c->trunk_group[a->trunk].row.values;
	}
	if (interface != CONF_NONE) {
		r->row[RG_INTERFACE] = &c->sip_interface[interface];
		r->values[RG_INTERFACE] = c->sip_interface[interface].row.values;
	}
}

struct setting params_setting(const struct plan_param *b, const struct conf *c,
			  const struct rows *r, uint32_t ip)
{
	const struct conf_proxy_ip *row;

	if (b->p->scope != RG_PROXY_IP)
		return setting_of(b->s, &b->dflt, r->values[b->p->scope], r->row[b->p->scope]);
	row = &c->proxy_ip[ip];
	return setting_of(b->s, &b->dflt, row->row.values, row);
}

static void store(struct params *ps, const struct rg_param *p, const struct setting *v,
		  char *block)
{
	char *to = block + p->offset;
	const char *text;
	int32_t num;

	switch (p->type) {
	case RG_T_INT:
	case RG_T_BOOL:
		num = (int32_t)(p->type == RG_T_BOOL ? v->num > 0 : v->num);
		memcpy(to, &num, sizeof num);
		break;
	case RG_T_STR:
		text = rg_arena_intern(ps->keep, v->str);
		memcpy(to, &text, sizeof text);
		break;
	case RG_T_CODES: {
		char why[VALUE_WHY];
		struct rg_codes codes;

		if (v->codes)
			codes = *v->codes;
		else
			value_codes(v->str, &codes, why); /* the reader has checked it */
		memcpy(to, &codes, sizeof codes);
		break;
	}
	}
}

static const void *fill_block(struct params *ps, const struct plan *pl, uint8_t scope,
			      size_t size, const struct conf *c, const struct rows *r,
			      uint32_t ip)
{
	char *tmp = g_malloc0(size);
	const void *kept;

	for (uint16_t i = 0; i < pl->n; i++) {
		const struct plan_param *b = &pl->param[i];

		if (b->p->scope == scope && b->p->type != RG_T_NONE) {
			struct setting v = params_setting(b, c, r, ip);

			store(ps, b->p, &v, tmp);
		}
	}
	kept = intern(ps, tmp, size);
	g_free(tmp);
	return kept;
}

static const void *fill_ips(struct params *ps, const struct plan *pl, size_t size,
			    const struct conf *c, const struct rows *r)
{
	const struct conf_proxy_set *set;
	const void **array, *kept;

	if (r->set == CONF_NONE || !c->proxy_set[r->set].n_ip)
		return NULL;
	set = &c->proxy_set[r->set];
	array = g_new0(const void *, set->n_ip);
	for (uint32_t i = 0; i < set->n_ip; i++)
		array[i] = fill_block(ps, pl, RG_PROXY_IP, size, c, r, set->first_ip + i);
	kept = intern(ps, array, set->n_ip * sizeof *array);
	g_free(array);
	return kept;
}

const void *params_fill_global(struct params *ps, const struct plan *pl, const struct conf *c,
			       size_t size)
{
	const struct rows r = {
		.values = { [RG_GLOBAL] = c->gateway.values },
		.row = { [RG_GLOBAL] = &c->gateway },
		.set = CONF_NONE,
	};

	return fill_block(ps, pl, RG_GLOBAL, size, c, &r, 0);
}

void params_fill(struct params *ps, const struct plan *pl, const struct conf *c,
		 const struct rows *r, const void *cfg[RG_SCOPES])
{
	const uint16_t *size = pl->policy->cfg_size;

	for (uint8_t s = 0; s < RG_SCOPES; s++) {
		if (!size[s])
			cfg[s] = NULL;
		else if (s == RG_PROXY_IP)
			cfg[s] = fill_ips(ps, pl, size[s], c, r);
		else
			cfg[s] = fill_block(ps, pl, s, size[s], c, r, 0);
	}
}
