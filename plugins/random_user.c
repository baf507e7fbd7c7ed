/*
 * random_user -- UseRandomUser = 1: a random user part in the Contact of each
 * account.
 *
 *  1. A letter, then random digits and letters; the same in REGISTER, INVITE and
 *     un-REGISTER.
 *  2. A new one after an un-register or a failed REGISTER: the account's seed
 *     changes then.
 *  3. A Contact without a user part stays so (GIN).
 */
#include "regway/plugin.h"

#include <inttypes.h>
#include <stdio.h>

static void request(const struct rg_ctx *c, struct rg_request *r)
{
	uint64_t seed = c->v->seed;					/* 2 */

	if (r->contact_user[0])						/* 3 */
		snprintf(r->contact_user, sizeof r->contact_user, "%c%016" PRIx64,
			 (char)('a' + seed % 26), seed);		/* 1 */
}

static const struct rg_param params[] = {
	RG_IMPLEMENTS(RG_GLOBAL, "UseRandomUser", "1"),
	RG_END,
};

RG_POLICY(random_user) = {
	RG_HEAD("random_user", "a contact nobody can guess", RG_PRIO_DRESS - 1, params),
	.request = request,
};
