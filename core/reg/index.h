/*
 * index.h -- accounts found by what a request names: token, user, pair of groups.  Kept up
 * to date as accounts come, change and go; nothing is ever rebuilt as a whole.
 */
#ifndef RG_REG_INDEX_H
#define RG_REG_INDEX_H

#include <glib.h>
#include <stdint.h>

enum reg_key {
	KEY_TOKEN,	  /* "rg" parameter of the Contact */
	KEY_USER_SERVING, /* user of the AOR, among the accounts of a serving group */
	KEY_USER_SERVED,  /* likewise, of a served group */
	KEY_NAME_SERVED,  /* Username, where it is not that user */
	REG_KEYS
};

struct reg_entry { /* of a chain, inside the account */
	uint32_t next; /* account << 2 | key, 0: the end */
	uint32_t hash;
};

/* Linear hashing: it grows by a bucket an entry, so that no insertion is a long one. */
struct reg_index {
	uint32_t *bucket;
	uint32_t mask, split, n;
};

/* Accounts that serve one group at another, the lowest index on top of the heap. */
struct reg_pair {
	uint64_t key;
	struct reg_group *served, *serving;
	GArray *heap; /* uint32_t account ids */
};

struct reg_engine;
struct reg_account;
struct reg_group;

void index_init(struct reg_engine *);
void index_clear(struct reg_engine *); /* every account is gone */
void index_add(struct reg_engine *, struct reg_account *);
void index_remove(struct reg_engine *, struct reg_account *); /* harmless when it is not there */
void index_update(struct reg_engine *, struct reg_account *); /* other row, same groups */

struct reg_account *index_token(struct reg_engine *, const char *token); /* NULL: nobody */
/* The one with the lowest index whose AOR (or Username, where outbound) has this user, "+"
 * and leading zeros aside; served, serving: NULL any, but not both.  NULL: nobody. */
struct reg_account *index_user(struct reg_engine *, const struct reg_group *served,
			       const struct reg_group *serving, const char *user);
/* The account of the pair with the lowest index; serving NULL: of any pair of served. */
struct reg_account *index_first(struct reg_engine *, const struct reg_group *served,
				const struct reg_group *serving);

/* Are these the same user? */
bool user_same(const char *, const char *);

#endif
