/*
 * balance.c -- ProxyLoadBalancingMethod: servers of the best priority that are up share the
 * requests, in turn or at random by their weights (RFC 2782).
 */
#include "reg/reg.h"

enum { ROUND_ROBIN = 1, RANDOM_WEIGHTS };

static const struct rg_server *seen(const struct reg_set *set, uint32_t id)
{
	int rank = set_rank(set, id);

	return rank < 0 ? NULL : &set->view[rank];
}

/* How many at the head of the list share it. */
static int sharers(const struct reg_set *set, const struct rg_list *l)
{
	const struct rg_server *first = l->n ? seen(set, l->id[0]) : NULL;
	int n = 0;

	for (; first && n < l->n; n++) {
		const struct rg_server *s = seen(set, l->id[n]);

		if (!s || s->health == RG_DOWN || s->failed || s->priority != first->priority)
			break;
	}
	return n;
}

/* The place of one of them, by weight; without any weight all are equal. */
static int draw(struct reg_engine *e, const struct reg_set *set, const struct rg_list *l, int from,
		int n)
{
	uint32_t sum = 0, at;

	for (int i = from; i < n; i++)
		sum += seen(set, l->id[i])->weight;
	e->opt.random(&at, sizeof at);
	if (!sum)
		return from + (int)(at % (uint32_t)(n - from));
	at %= sum;
	for (int i = from; i < n; i++) {
		uint32_t weight = seen(set, l->id[i])->weight;

		if (at < weight)
			return i;
		at -= weight;
	}
	return from;
}

void balance(struct reg_engine *e, struct reg_set *set, struct rg_list *l)
{
	const struct conf_proxy_set *ps = set_conf(set);
	int n = ps && ps->load_balancing ? sharers(set, l) : 0;

	if (n < 2)
		return;
	if (ps->load_balancing == ROUND_ROBIN)
		for (uint32_t turn = set->turn++ % (uint32_t)n; turn; turn--)
			rg_list_move(l, 0, n - 1);
	for (int i = 0; ps->load_balancing == RANDOM_WEIGHTS && i < n - 1; i++)
		rg_list_move(l, draw(e, set, l, i, n), i);
}

bool balance_enough(const struct reg_set *set)
{
	const struct conf_proxy_set *ps = set_conf(set);
	uint32_t up = 0;

	if (!ps || !ps->load_balancing || ps->min_active <= 1)
		return true;
	for (uint32_t i = 0; i < set->n; i++)
		up += set->view[i].health != RG_DOWN;
	return up >= ps->min_active;
}
