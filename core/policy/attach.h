/*
 * attach.h -- which policies an account gets.  Accounts whose parameters and groups
 * are the same are worked out once; only check() runs for each.  Of this layer only.
 */
#ifndef RG_POLICY_ATTACH_H
#define RG_POLICY_ATTACH_H

#include "policy/chain.h"
#include "policy/params.h"
#include "policy/plan.h"

/* How many accounts a chain serves. */
typedef void attach_count(const struct policy_chain *, uint32_t accounts, void *arg);

/* A chain for every account, in of[]; faults as they are found.  of[] is complete only
 * if no error was added. */
void attach_all(struct plans *, struct params *, const struct policy_chain **of,
		attach_count *, void *arg);

#endif
