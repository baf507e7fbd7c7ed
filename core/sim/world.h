/* world.h -- an engine, its configurations and the scripted network, run through a
 * scenario in virtual time. */
#ifndef RG_SIM_WORLD_H
#define RG_SIM_WORLD_H

#include <glib.h>

#include "sim/timeline.h"

struct world;

/* Loads every configuration that the scenario names, and settles the names in its
 * lines.  NULL: a fault was added.  Takes neither. */
struct world *world_new(struct script *, const char *plugin_dir, struct timeline *,
			struct rg_faults *);
/* Names of all accounts of all configurations, each once; the caller frees the array,
 * the names are the world's. */
GPtrArray *world_accounts(const struct world *);
void world_run(struct world *);
void world_free(struct world *);

#endif
