/* svg.h -- the timeline as a drawing: accounts as rows, registrars as colours. */
#ifndef RG_SIM_SVG_H
#define RG_SIM_SVG_H

#include <glib.h>

#include "sim/timeline.h"

/* The whole document; the caller frees it.  accounts: names, a row each, whether or not
 * anything happened to them.  failures: texts of what did not hold. */
GString *svg_draw(const struct script *, const struct timeline *, const GPtrArray *accounts,
		  const GPtrArray *failures);

#endif
