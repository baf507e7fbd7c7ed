/*
 * plan.h -- the plugins of one build, bound to its schema: what each parameter's
 * number and default are, and which values are claimed.  Lives while policy_build
 * runs.  Of this layer only.
 */
#ifndef RG_POLICY_PLAN_H
#define RG_POLICY_PLAN_H

#include "policy/policy.h"
#include "policy/setting.h"

struct plan_param {
	const struct rg_param *p;
	const struct schema_param *s;
	struct setting dflt;
	struct claim implements, when;
};

struct plan {
	const struct policy_module *mod;
	const struct rg_policy *policy; /* NULL: a service */
	bool active;
	uint16_t n;
	struct plan_param *param;
};

struct plans {
	struct policy_modules *modules;
	const struct conf *conf;
	const struct schema *schema;
	struct rg_arena *scratch, *keep; /* of the build; of what comes out */
	struct rg_faults *faults;
	size_t n;
	struct plan *of; /* by prio, then name */
};

/* Bind all modules; [Plugins] Load is checked.  0 or EINVAL with faults. */
int plan_make(struct plans *);

/* Faults about values that stand in a row and that no active plugin implements. */
void missing_check(struct plans *);

#endif
