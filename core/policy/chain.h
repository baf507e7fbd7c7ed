/* chain.h -- chains, each combination once.  Of this layer only. */
#ifndef RG_POLICY_CHAIN_H
#define RG_POLICY_CHAIN_H

#include <glib.h>

#include "policy/policy.h"
#include "base/arena.h"

enum { CHAIN_LINKS = 64 };

struct chains {
	struct rg_arena *keep;
	GHashTable *all; /* struct policy_chain, by contents */
};

void chains_init(struct chains *, struct rg_arena *keep);
void chains_clear(struct chains *);

/* The chain of these links, in their order; slot offsets are worked out here.  NULL:
 * the slots together are too big for an account's block. */
const struct policy_chain *chains_intern(struct chains *, const struct policy_link *,
					 uint16_t n);

#endif
