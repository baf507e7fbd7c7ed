/* compare.c -- what a reload means to the policies of an account. */
#include "policy/policy.h"

#include <strings.h>

static enum policy_change change_of(const struct rg_param *p)
{
	return (enum policy_change)(POLICY_KEEP + p->on_change);
}

static enum policy_change stronger(enum policy_change a, enum policy_change b)
{
	return a > b ? a : b;
}

/* A plugin came or went: a value it implements was changed. */
static enum policy_change coming_or_going(const struct policy_link *l)
{
	const struct rg_param *p = l->p->m.params;
	enum policy_change how = POLICY_KEEP;

	for (size_t i = 0; p && p[i].name; i++)
		if (p[i].implements)
			how = stronger(how, change_of(&p[i]));
	return how;
}

static bool same_value(const struct rg_param *p, const void *a, const struct rg_param *q,
		       const void *b)
{
	const char *x = (const char *)a + p->offset, *y = (const char *)b + q->offset;
	const char *s, *t;

	switch (p->type) {
	case RG_T_STR:
		memcpy(&s, x, sizeof s);
		memcpy(&t, y, sizeof t);
		return !strcmp(s, t);
	case RG_T_CODES:
		return !memcmp(x, y, sizeof(struct rg_codes));
	default:
		return !memcmp(x, y, sizeof(int32_t));
	}
}

static bool same_param(const struct policy_link *a, const struct rg_param *p,
		       const struct policy_link *b, const struct rg_param *q)
{
	const void *x = a->cfg[p->scope], *y = b->cfg[q->scope];

	if (p->scope != RG_PROXY_IP)
		return same_value(p, x, q, y);
	if (a->ips != b->ips)
		return false;
	for (uint16_t i = 0; i < a->ips; i++)
		if (!same_value(p, ((const void *const *)x)[i], q, ((const void *const *)y)[i]))
			return false;
	return true;
}

/* The parameter of another object of the same plugin, or NULL. */
static const struct rg_param *counterpart(const struct rg_policy *in, const struct rg_param *p)
{
	for (const struct rg_param *q = in->m.params; q && q->name; q++)
		if (q->scope == p->scope && q->type == p->type && !strcasecmp(q->name, p->name))
			return q;
	return NULL;
}

/* One object and the same bytes: nothing can have changed. */
static bool same_bytes(const struct policy_link *a, const struct policy_link *b)
{
	if (a->p != b->p)
		return false;
	for (int s = 0; s < RG_SCOPES; s++)
		if (a->cfg[s] != b->cfg[s] &&
		    (s == RG_PROXY_IP || memcmp(a->cfg[s], b->cfg[s], a->p->cfg_size[s])))
			return false;
	return true;
}

static enum policy_change compare_links(const struct policy_link *a, const struct policy_link *b)
{
	enum policy_change how = a->p == b->p ? POLICY_SAME : POLICY_KEEP;
	const struct rg_param *q = b->p->m.params;

	if (same_bytes(a, b))
		return POLICY_SAME;
	for (size_t i = 0; q && q[i].name; i++) {
		const struct rg_param *p = a->p == b->p ? &q[i] : counterpart(a->p, &q[i]);

		if (p && p->type != RG_T_NONE && !same_param(a, p, b, &q[i]))
			how = stronger(how, change_of(&q[i]));
	}
	return how;
}

static const struct policy_link *link_named(const struct policy_chain *c, const char *name)
{
	for (uint16_t i = 0; i < c->n; i++)
		if (!strcmp(c->link[i].p->m.name, name))
			return &c->link[i];
	return NULL;
}

enum policy_change policy_compare(const struct policy_chain *before,
				  const struct policy_chain *after)
{
	enum policy_change how = POLICY_SAME;

	if (before == after)
		return POLICY_SAME;
	for (uint16_t i = 0; i < after->n; i++) {
		const struct policy_link *b = &after->link[i];
		const struct policy_link *a = i < before->n && before->link[i].p == b->p ?
						      &before->link[i] :
						      link_named(before, b->p->m.name);

		how = stronger(how, a ? compare_links(a, b) : coming_or_going(b));
	}
	for (uint16_t i = 0; i < before->n; i++)
		if (!link_named(after, before->link[i].p->m.name))
			how = stronger(how, coming_or_going(&before->link[i]));
	return how;
}
