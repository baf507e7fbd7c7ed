/* limit.h -- how many calls at a time, and how many new ones a second. */
#ifndef RG_REG_LIMIT_H
#define RG_REG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "regway/plugin.h"

/* Of an account, a group, or all.  An account has one only while calls of it count. */
struct reg_meter {
	uint32_t calls;
	double tokens;	/* of a bucket that holds the calls of a second */
	rg_ms at;	/* when they were counted last, 0: full */
	uint32_t account; /* 0: a group's, or all's */
	bool orphan;	/* its account is gone: the last call frees it */
};

struct reg_engine;

void limit_init(struct reg_engine *);
void limit_clear(struct reg_engine *);
/* One call more; limits 0: none.  0, or the seconds after which it may be tried again. */
uint32_t limit_take(struct reg_meter *, rg_ms now, uint32_t max_calls, uint32_t max_rate);
void limit_give(struct reg_engine *, struct reg_meter *); /* that call is over */
struct reg_meter *limit_of(struct reg_engine *, uint32_t account); /* made on first use */
void limit_drop(struct reg_engine *, uint32_t account); /* it goes away */

#endif
