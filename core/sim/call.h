/* call.h -- calls of a scenario: a request each, and at its end the call is over. */
#ifndef RG_SIM_CALL_H
#define RG_SIM_CALL_H

#include "sim/net.h"

struct calls *calls_new(struct net *, struct rg_timers *, struct timeline *);
/* Gives up those that wait for an answer; nothing more is told. */
void calls_end(struct calls *);
void calls_free(struct calls *);

void calls_out(struct calls *, struct reg_engine *, const struct script_line *);
void calls_in(struct calls *, struct reg_engine *, const struct conf *,
	      const struct script_line *);

#endif
