/* check.h -- did what was expected happen, and nothing that was ruled out? */
#ifndef RG_SIM_CHECK_H
#define RG_SIM_CHECK_H

#include <glib.h>

#include "sim/timeline.h"

/* One text per failure ("FILE:LINE: ..."), in the order of the scenario; the caller
 * frees the array, and with it the texts. */
GPtrArray *check(const struct script *, struct timeline *);

#endif
