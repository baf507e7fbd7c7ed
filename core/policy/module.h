/* module.h -- looking plugins up by name; of this layer only. */
#ifndef RG_POLICY_MODULE_H
#define RG_POLICY_MODULE_H

#include "policy/policy.h"

/* By name, case ignored; NULL: not there, or refused. */
const struct policy_module *modules_find(const struct policy_modules *, const char *name);
/* A file of that name is there but was refused: that fault is enough. */
bool modules_broken(const struct policy_modules *, const char *name);

#endif
