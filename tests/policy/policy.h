/* policy.h -- what the policy tests share: the policies, and small tables of hooks. */
#ifndef TESTS_POLICY_POLICY_H
#define TESTS_POLICY_POLICY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "sim.h"

extern const struct rg_policy rg_policy_stickiness, rg_policy_ims_search,
	rg_policy_avoid_previous, rg_policy_served_status, rg_policy_redundancy,
	rg_policy_skeleton, rg_policy_gin, rg_policy_random_user, rg_policy_startup_unregister,
	rg_policy_invite_failure, rg_policy_reg_event, rg_policy_udp_port, rg_policy_sync_ims,
	rg_policy_one_prober, rg_policy_trunk_group, rg_policy_location_servers,
	rg_policy_failback;
extern const struct rg_service rg_service_idle_service;

enum { X = 1, Y, Z, GONE = 9 };
enum { NOTHING = -1, KEPT = 77 }; /* no verb; a verdict that no policy touched */

/* What one event made of an act: the only verb asked for, and the verdict. */
struct outcome {
	int verb, whom, verdict;
};

static inline struct outcome outcome_of(const struct rg_policy *p, const struct rg_ctx *c,
					struct rg_event e)
{
	struct rg_act a = { .verdict = KEPT };
	struct outcome o = { NOTHING, RG_SELF, KEPT };

	p->event(c, &e, &a);
	assert_true(a.n <= 1);
	if (a.n) {
		o.verb = a.todo[0].verb;
		o.whom = a.todo[0].whom;
	}
	o.verdict = a.verdict;
	return o;
}

static inline enum rg_check checked(const struct rg_policy *p, const struct rg_ctx *c)
{
	struct rg_fault f = { "" };
	enum rg_check answer = p->check(c, &f);

	if (answer != RG_OK)
		assert_true(strlen(f.text) > 20);
	return answer;
}

/* Every event that is not the RESULT of a request, with harmless fields. */
static inline void untouched_by_others(const struct rg_policy *p, const struct rg_ctx *c,
				       uint32_t heeded)
{
	for (uint8_t t = RG_EV_START; t <= RG_EV_ACTION; t++) {
		struct outcome o;

		if (heeded >> t & 1 || t == RG_EV_RESULT)
			continue;
		o = outcome_of(p, c, (struct rg_event){ .type = t, .server = Y });
		assert_int_equal(o.verb, NOTHING);
		assert_int_equal(o.verdict, KEPT);
	}
}

static inline uint16_t admitted(const struct rg_policy *p, const struct rg_ctx *c,
				struct rg_dialog d, struct rg_act *a)
{
	struct rg_admit v = { 0 };

	p->admit(c, &d, &v, a);
	return v.code;
}

#endif
