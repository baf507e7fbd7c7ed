/* verify.h -- is what a plugin exports fit to be used?  Of this layer only. */
#ifndef RG_POLICY_VERIFY_H
#define RG_POLICY_VERIFY_H

#include "base/fault.h"
#include "regway/plugin.h"

/* room: bytes of the symbol, 0 unknown.  name: what it must be called.  0, or EINVAL
 * with a fault at path.  Nothing is read past what the checks so far allow. */
int verify_module(const struct rg_module *, size_t room, const char *name, const char *path,
		  struct rg_faults *);

#endif
