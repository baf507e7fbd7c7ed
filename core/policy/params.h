/*
 * params.h -- a plugin's parameters, read out of rows into its structs.  Blocks
 * with equal contents are one, so that accounts with equal values share chains.
 * Of this layer only.
 */
#ifndef RG_POLICY_PARAMS_H
#define RG_POLICY_PARAMS_H

#include <glib.h>

#include "policy/plan.h"

/* The rows that count for an account, by scope; values NULL: there is none. */
struct rows {
	const struct conf_values *values[RG_SCOPES];
	const void *row[RG_SCOPES];
	uint32_t set; /* position of the proxy set its requests go through, or CONF_NONE */
};

struct params {
	struct rg_arena *keep;
	GHashTable *blocks; /* struct block, by contents */
};

void params_init(struct params *, struct rg_arena *keep);
void params_clear(struct params *);

void params_rows(const struct conf *, uint32_t account, struct rows *);
/* The value of a parameter for an account; of a ProxyIp's, that of row ip. */
struct setting params_setting(const struct plan_param *, const struct conf *,
			  const struct rows *, uint32_t ip);
/* All of the plugin's blocks; cfg[RG_PROXY_IP] is an array by ProxyIp row of the set. */
void params_fill(struct params *, const struct plan *, const struct conf *,
		 const struct rows *, const void *cfg[RG_SCOPES]);

/* A service's block of size bytes. */
const void *params_fill_global(struct params *, const struct plan *, const struct conf *,
			       size_t size);

#endif
