/* account.h -- what a policy is told of an account.  Of this layer only. */
#ifndef RG_POLICY_ACCOUNT_H
#define RG_POLICY_ACCOUNT_H

#include "policy/policy.h"

/* The proxy set its requests go through: the outbound one, else the serving group's. */
uint32_t account_set(const struct conf *, const struct conf_account *);
/* The part that all accounts of a serving group and a set have in common. */
void account_common(const struct conf *, uint32_t serving, uint32_t set, struct rg_account *);
/* The rest: the row's own. */
void account_own(const struct conf *, uint32_t account, struct rg_account *);
/* Literal addresses of a proxy set (CONF_NONE: none) as servers: id is the place of
 * the row plus one.  Returns how many of most were filled; ip: their rows. */
size_t account_servers(const struct conf *, uint32_t set, struct rg_server *,
		       uint32_t *ip, size_t most);

#endif
