/*
 * engine.h -- the account engine: keeps every account of a configuration
 * registered as its policies say.  It knows no sockets and no clock: requests go
 * out through struct reg_port, time comes from struct rg_timers.  The daemon, the
 * simulator and the tests drive the same engine.
 */
#ifndef RG_REG_ENGINE_H
#define RG_REG_ENGINE_H

#include "base/timer.h"
#include "conf/conf.h"
#include "policy/policy.h"
#include "reg/port.h"

struct reg_engine;

struct reg_account_info;
struct reg_transition;
struct reg_trunk_info;

struct reg_options {
	struct rg_timers *timers;
	const struct reg_port *port; /* must outlive the engine */
	/* The simulator: no start spread, no pacing, no windows, no jitter. */
	bool exact;
	/* Cap of the window towards an interface's servers; 0: none (socket buffers). */
	uint32_t window_cap;
	/* Random bytes; NULL: the system's. */
	void (*random)(void *buf, size_t n);
	/* A trunk group went up or down, out of service or in; may be NULL. */
	void (*trunk)(void *arg, const struct reg_trunk_info *);
	/* Every state change of an account; may be NULL. */
	void (*moved)(void *arg, const struct reg_account_info *, const struct reg_transition *);
	void *arg;
};

struct reg_engine *reg_engine_new(const struct reg_options *);
/* Forgets everything at once, without a word on the network. */
void reg_engine_free(struct reg_engine *);

/* ---- configuration ---------------------------------------------------------- */

/* What a reload will do, worked out before: may be made in another thread.
 * before may be NULL (the start).  Keeps references on all four. */
struct reg_plan;
struct reg_plan *reg_plan_new(struct conf *before, struct policy *before_policy,
			      struct conf *after, struct policy *after_policy);
void reg_plan_free(struct reg_plan *);

struct reg_plan_counts {
	uint32_t added, removed, changed, unchanged;
};
void reg_plan_counts(const struct reg_plan *, struct reg_plan_counts *);

/* Commit; cannot fail.  Takes the plan.  Sets and groups change at once, accounts in
 * slices of a few ms; done(arg) when the last one has moved over (never from inside). */
void reg_engine_apply(struct reg_engine *, struct reg_plan *, void (*done)(void *), void *arg);
bool reg_engine_applying(const struct reg_engine *);

/* Un-REGISTER every bound account (UnregisterOnStop). */
void reg_engine_unregister_all(struct reg_engine *);
/* Accounts with a request of theirs outstanding. */
uint32_t reg_engine_busy(const struct reg_engine *);

/* ---- by hand ------------------------------------------------------------------ */

/* By name or index text; NULL: every account.  Returns how many were told. */
uint32_t reg_engine_register(struct reg_engine *, const char *name);
uint32_t reg_engine_unregister(struct reg_engine *, const char *name);
uint32_t reg_engine_refresh(struct reg_engine *, const char *name);

/* What is otherwise found out by probes (the simulator's lines).  A server or group set
 * so is believed and never probed again. */
void reg_engine_believe_server(struct reg_engine *, const struct rg_addr *, enum rg_health);
bool reg_engine_believe_group(struct reg_engine *, const char *group, enum rg_health);
/* A link of that SIP interface went down or came up; NULL: of every one.  Only the
 * proxy sets on it hear of it, and only of an "up" that follows a "down". */
void reg_engine_link(struct reg_engine *, const char *interface, bool up);
/* An interface has another address, or has one again: of IPv4, of IPv6, or of both.  Whoever
 * is bound over the other family is left alone. */
void reg_engine_moved(struct reg_engine *, const char *interface, bool four, bool six);

/* ---- trunks ------------------------------------------------------------------- */

struct reg_trunk_info {
	char id[24];	    /* "3", "group:1" */
	const char *name;   /* of a group, else "" */
	uint8_t health;	    /* enum rg_health; unknown: nobody has told */
	bool out;	    /* of service: no account of the group can register */
	uint32_t trunks, down, accounts; /* of a group */
};

/* A trunk ("3"), or a group with all its trunks ("group:1"), is up or down.  What is
 * told stays over reloads.  0, or ENOENT: no trunk group has it. */
int reg_engine_trunk(struct reg_engine *, const char *id, bool up);
bool reg_engine_trunk_find(struct reg_engine *, const char *id, struct reg_trunk_info *);
/* Each group, followed by its trunks.  group, at: where to go on (0, 0 first), moved
 * forward; false at the end. */
bool reg_engine_next_trunk(struct reg_engine *, uint32_t *group, uint32_t *at,
			   struct reg_trunk_info *);

/* ---- status ------------------------------------------------------------------- */

struct reg_transition {
	rg_ms at;
	uint8_t from, to; /* enum rg_state */
	uint16_t code;	  /* last SIP code then */
	uint32_t server;  /* its id, 0: none */
};

enum { REG_TRANSITIONS = 16 };

struct reg_account_info {
	uint32_t id; /* handle for paging */
	uint32_t index;
	const char *name, *served, *serving;
	char aor[512], contact[512];
	uint8_t state; /* enum rg_state */
	bool registered;
	bool leaving; /* no row has it any more: it says good-bye (only told to moved) */
	struct rg_addr registrar; /* family 0: none */
	struct rg_addr registers_at; /* the registrar of that proxy; family 0: itself */
	uint16_t local_port;
	int64_t expires_in, next_attempt_in; /* s; -1: none */
	uint16_t last_code;
	const char *last_reason;
	uint32_t failures;
	uint32_t register_sent, register_ok;
	uint32_t renewals; /* refreshes that only renewed, since the last transition */
	const char *policies[RG_SERVERS];
	uint8_t n_policies;
	struct reg_transition transition[REG_TRANSITIONS]; /* oldest first */
	uint8_t n_transitions;
};

/* Accounts in the order of their index.  pos: where to go on (0 first), moved
 * forward; false at the end.  O(1) a row.  light: neither aor, contact nor transitions. */
bool reg_engine_next(struct reg_engine *, uint32_t *pos, struct reg_account_info *, bool light);
bool reg_engine_find(struct reg_engine *, const char *name, struct reg_account_info *);
/* What the network knows the account by; NULL: there is none.  Valid until the loop goes on. */
const struct reg_dialogue *reg_engine_dialogue(struct reg_engine *, const char *name);

struct reg_server_info {
	const char *proxy_set;
	struct rg_addr addr;
	uint8_t health; /* enum rg_health */
	uint16_t rank;
	int64_t ttl; /* s, -1: literal */
	uint32_t accounts; /* bound there, of this set */
	uint32_t in_flight, window, waiting;
	uint8_t roles;
	const char *registrar; /* ProxyIp Registrar: registered at for this proxy; "": itself */
	struct rg_addr registers_at; /* its address; family 0: itself, or not known yet */
};
/* set, rank: where to go on, moved forward; false at the end. */
bool reg_engine_next_server(struct reg_engine *, uint32_t *set, uint32_t *rank,
			    struct reg_server_info *);
/* The address of a server id; family 0 if it is gone. */
struct rg_addr reg_engine_server(struct reg_engine *, uint32_t id);

struct reg_counts {
	uint32_t accounts, by_state[RG_STATES], registered;
	uint64_t register_sent, register_ok, register_failed, unanswered, failovers;
	uint64_t probes_sent, probes_lost;
};
void reg_engine_counts(const struct reg_engine *, struct reg_counts *);

/* Who decided what: each policy's edit of the list, in order. */
struct reg_step {
	const char *by; /* "core" or the plugin's name */
	uint32_t server[RG_SERVERS];
	uint8_t n;
	const char *what; /* "order", "goal: hold", "verdict: next" ... */
};
enum { REG_STEPS = 24 };
struct reg_explanation {
	const char *goal; /* "register", "hold", "unregister" */
	const char *goal_by;
	uint8_t state;
	const char *waits_for; /* in words; "" */
	char why[400];	       /* in a sentence: why it is in this state */
	struct reg_step now[REG_STEPS]; /* the list a round begun now would have */
	uint8_t n_now;
	const char *last_purpose; /* "search", "refresh", "" none yet */
	struct reg_step last[REG_STEPS]; /* what the last round did */
	uint8_t n_last;
};
bool reg_engine_explain(struct reg_engine *, const char *name, struct reg_explanation *);

const char *reg_state_name(uint8_t state); /* "idle" ... of enum rg_state */

#endif
