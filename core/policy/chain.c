#include "policy/chain.h"

#include <string.h>

static guint chain_hash(gconstpointer p)
{
	const struct policy_chain *c = p;
	guint h = c->n;

	for (uint16_t i = 0; i < c->n; i++) {
		h = h * 31 + g_direct_hash(c->link[i].p);
		for (int s = 0; s < RG_SCOPES; s++)
			h = h * 31 + g_direct_hash(c->link[i].cfg[s]);
	}
	return h;
}

/* Blocks are shared by content, so equal parameters are equal pointers. */
static gboolean chain_equal(gconstpointer p, gconstpointer q)
{
	const struct policy_chain *a = p, *b = q;

	if (a->n != b->n)
		return FALSE;
	for (uint16_t i = 0; i < a->n; i++)
		if (a->link[i].p != b->link[i].p ||
		    memcmp(a->link[i].cfg, b->link[i].cfg, sizeof a->link[i].cfg))
			return FALSE;
	return TRUE;
}

void chains_init(struct chains *cs, struct rg_arena *keep)
{
	cs->keep = keep;
	cs->all = g_hash_table_new(chain_hash, chain_equal);
}

void chains_clear(struct chains *cs)
{
	g_hash_table_destroy(cs->all);
}

/* Slots one after the other; false: more than a block can hold. */
static bool place_slots(struct policy_chain *c)
{
	size_t at = 0;

	for (uint16_t i = 0; i < c->n; i++) {
		c->link[i].slot = (uint16_t)at;
		at += (c->link[i].p->slot_size + 7u) & ~7u;
		if (at > UINT16_MAX)
			return false;
	}
	c->slot_bytes = (uint16_t)at;
	return true;
}

const struct policy_chain *chains_intern(struct chains *cs, const struct policy_link *link,
					 uint16_t n)
{
	size_t size = sizeof(struct policy_chain) + n * sizeof *link;
	struct policy_chain *c = g_malloc0(size);
	const struct policy_chain *found;

	c->n = n;
	memcpy(c->link, link, n * sizeof *link);
	for (uint16_t i = 0; i < n; i++) {
		c->wants |= link[i].p->wants;
		c->timers |= link[i].p->event != NULL;
	}
	if (!place_slots(c)) {
		g_free(c);
		return NULL;
	}
	found = g_hash_table_lookup(cs->all, c);
	if (!found) {
		struct policy_chain *kept = rg_arena_alloc(cs->keep, size);

		memcpy(kept, c, size);
		g_hash_table_add(cs->all, kept);
		found = kept;
	}
	g_free(c);
	return found;
}
