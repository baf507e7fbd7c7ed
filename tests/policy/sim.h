/*
 * sim.h -- a small registration engine on virtual time with a scripted network:
 * enough of one to drive the policies through their rules.  What is sent and
 * decided is written to sim.log, a line each: "HH:MM:SS account WHAT".
 */
#ifndef TESTS_POLICY_SIM_H
#define TESTS_POLICY_SIM_H

#include "regway/plugin.h"

enum { S_ACCOUNTS = 4, S_LINKS = 6, S_GROUPS = 12, S_SLOT = 16 };

#define HMS(h, m, s) (1000LL * ((h)*3600LL + (m)*60 + (s)))

struct sim_server {
	struct rg_server s;
	bool silent;
	uint16_t reg_code, inv_code; /* 0: 200 */
	uint32_t grant;		     /* most that is granted; 0: as asked */
};

struct sim_group {
	const struct rg_policy *p;
	struct rg_group pub;
	uint64_t slot[S_SLOT];
};

struct sim_link {
	const struct rg_policy *p;
	uint64_t block[RG_SCOPES][16];
	uint64_t slot[S_SLOT];
	struct sim_group *group;
	rg_ms wake;
};

struct sim_account {
	struct rg_account a;
	struct rg_view v;
	struct sim_link link[S_LINKS];
	size_t nlink;
	struct rg_list list; /* of the round that is under way */
	size_t at;
	uint8_t why;
	rg_ms timer, reply_at, later_at;
	uint8_t later;
	uint16_t reply;
	uint32_t sent; /* Expires asked */
	bool overdue;  /* a policy withheld the refresh */
	bool failing;  /* its rounds brought nothing since it was bound */
	uint32_t trunk;
};

struct sim {
	rg_ms now;
	struct sim_server srv[8];
	struct rg_server view[8];
	size_t nsrv;
	struct sim_account acc[S_ACCOUNTS];
	size_t nacc;
	struct sim_group group[S_GROUPS];
	size_t ngroup;
	unsigned registers; /* sent in all */
	char log[16384];
};

/* Three servers X, Y, Z (ids 1 to 3), up; naccounts accounts a, b, c, d that register. */
void sim_world(struct sim *, size_t naccounts);
/* Attach a policy; values "Name=value Set:Name=value" (Set: of the proxy set, where
 * the account has one of that name, too), others by their defaults. */
struct sim_link *sim_use(struct sim *, size_t acc, const struct rg_policy *, const char *values);
struct rg_ctx sim_ctx(struct sim *, size_t acc, struct sim_link *);

void sim_start(struct sim *);
void sim_until(struct sim *, rg_ms);
void sim_health(struct sim *, uint32_t id, enum rg_health);
void sim_link_up(struct sim *);
void sim_served(struct sim *, size_t acc, enum rg_health);
void sim_trunk(struct sim *, enum rg_health);
void sim_servers(struct sim *, size_t n); /* the list has only its first n now */
void sim_port(struct sim *, size_t acc, uint16_t port);
void sim_notify(struct sim *, size_t acc, enum rg_notify, uint32_t retry_after);
void sim_action(struct sim *, size_t acc, enum rg_verb);
void sim_invite(struct sim *, size_t acc);
void sim_invite_from(struct sim *, size_t acc, uint32_t source);

#endif
