/*
 * reg.h -- the engine's own structures, for the files of reg/ only.
 *
 *   server.c     shared server objects: health, window, who waits for a slot
 *   set.c        proxy sets: which servers, in which order
 *   names.c      a set's host names: when they are asked for, what the answers do
 *   group.c      IP groups and their status; accounts that share a plugin's slot
 *   trunk.c      trunks and trunk groups
 *   keepalive.c  when servers are probed, and what that says of them
 *   probe.c      a probe before it is written
 *   pace.c       who may start a round now
 *   slice.c      long work in small pieces
 *   chain.c      hooks of the policies, actions, the explanation
 *   account.c    one account: memory, timer, view
 *   fsm.c        its states
 *   round.c      a round of REGISTERs
 *   answer.c     what their answers mean
 *   refresh.c    when the next one is due
 *   identity.c   who it says it is
 *   request.c    a request before it is written
 *   ports.c      UDP ports of accounts' own
 *   subscription.c  the reg event package
 *   index.c      accounts by token, user and pair of groups
 *   source.c     groups by the address that a request comes from
 *   inbound.c    which account a request of the serving side is for
 *   rows.c       IP2IPRouting: which row, which account
 *   route.c      a request from its arrival to its end: servers, answers
 *   way.c        where it goes, and as which account
 *   admit.c      whether it may
 *   leg.c        how it reads there
 *   balance.c    the order of a set's servers for it
 *   park.c       requests that wait for a registration
 *   limit.c      how many calls at a time, and a second
 *   reload.c     from one configuration to the next
 *   status.c     what it tells the outside
 *   explain.c    why an account is where it is
 *   engine.c     its beginning and end, and what is done by hand
 */
#ifndef RG_REG_REG_H
#define RG_REG_REG_H

#include <glib.h>

#include "reg/engine.h"
#include "reg/index.h"
#include "reg/limit.h"
#include "reg/route.h"

#define TRUNK_GROUP "trunk group " /* begins the name of a trunk group's reg_group */

/* A configuration and its chains.  It goes when no account and no request uses it
 * any more and another is in force. */
struct reg_gen {
	struct conf *conf;
	struct policy *policy;
	uint32_t users;
};

/* Accounts in order of arrival; a hole is left where one went, so that a walk in
 * slices misses nobody. */
struct reg_members {
	GArray *id;	/* uint32_t, 0: a hole */
	uint32_t holes, walks;
};

struct reg_queue { /* of accounts, through reg_account.next and .prev */
	uint32_t head, tail, n;
};

enum reg_down { DOWN_NOT, DOWN_PROBED, DOWN_SILENT };

/* EnableProxyKeepAlive; the last is HomingCheck = register. */
enum reg_keep { KEEP_OFF, KEEP_OPTIONS, KEEP_REGISTER, KEEP_ACTIVE, KEEP_FAKE, KEEP_HOMING };

struct reg_server {
	uint32_t id;
	struct rg_addr addr;
	const char *interface;	/* name, interned in the engine */
	const char *tls_name;	/* likewise */
	char host[RG_ADDR_TEXT];
	uint8_t health;		/* enum rg_health */
	uint8_t down;		/* enum reg_down */
	bool believed;
	uint32_t uses;		/* entries of sets */
	GPtrArray *sets;	/* struct reg_set that have it */
	uint32_t bound;		/* accounts */
	uint32_t bound_ids;	/* their ids, exclusive-or: of one it is the one */
	struct reg_origin *origin[2]; /* requests from its address; with its port */

	uint32_t in_flight, window, window_max, grow;
	rg_ms halved_at;
	uint32_t unanswered;	/* transactions in a row */
	uint64_t trial;		/* token of the one REGISTER let through while silent */
	struct reg_queue waiting;
	uint32_t waited;	/* of them: when it was found down */
	struct rg_timer drain;	/* gives the waiting their turn, or "no answer" */

	struct reg_set *keeper; /* set whose keep-alive parameters apply, or NULL */
	struct rg_timer probe;
	rg_ms probed_at;
	rg_ms heard_at;		/* last answer to an account's REGISTER */
	uint64_t probing;	/* token, 0: none outstanding */
	bool doubted;		/* Using REGISTER: an account's stayed unanswered */
	uint16_t good;		/* successes in a row while down */
	struct reg_engine *e;
};

struct reg_name {	      /* a host name of a set */
	uint32_t ip;	      /* position in conf.proxy_ip */
	char *registrar;      /* host of its Registrar; NULL: of its IpAddress */
	uint16_t port;	      /* of the Registrar, 0: none */
	uint32_t turns;	      /* of a registrar: its addresses that have failed */
	rg_ms turned_at;      /* what was asked before tells nothing of the one in use */
	uint64_t token;	      /* lookup outstanding */
	struct reg_resolved *addr; /* last good answer */
	uint32_t n;
	rg_ms asked_at, answered_at;
	bool failing; /* since the last lookup */
};

struct reg_set {
	struct reg_engine *e;
	uint32_t id;
	char *name;
	uint32_t pos;		/* in the present conf.proxy_set, CONF_NONE: gone */
	uint32_t refs;		/* accounts and groups */
	struct rg_server *view; /* by rank; ids of servers */
	struct reg_server **srv;
	uint32_t *ip;		/* by rank: position in conf.proxy_ip */
	struct rg_addr *home;	/* by rank: where REGISTERs go; family 0: not known yet */
	uint32_t *bound;	/* by rank: accounts of this set */
	uint32_t n;
	struct reg_name *names;
	uint32_t n_names;
	struct rg_timer resolve;
	bool resolving;
	struct reg_queue unresolved; /* accounts that wait for the answer */
	uint32_t answered;	     /* the first of them: it has come */
	struct rg_timer serve;	     /* they go on, in slices */
	struct reg_members members;  /* accounts that register through it */
	GPtrArray *groups;	     /* reg_group on this set */
	uint32_t turn;		     /* round robin: whose it is */

	struct reg_queue start;	/* accounts that wait for their turn */
	bool queued;		/* is in the engine's ring */
	double tokens;
	rg_ms tokens_at;
	uint32_t backlog;	/* its accounts waiting for a server's window */

	uint32_t keep;		/* Using REGISTER: the server that is asked; 0: none */
	uint32_t keep_tried;	/* that did not answer, in a row */
	uint32_t speaker;	/* place in members of the account it speaks for */
};

struct reg_group { /* an IP group or a trunk group */
	struct reg_engine *e;
	uint32_t id;
	char *name;
	struct reg_set *set;	/* or NULL */
	uint8_t health;
	bool believed;
	uint8_t told; /* enum rg_health of a trunk group without known trunks */
	bool out;     /* of service; trunk groups */
	bool trunk;   /* it is a trunk group */
	uint32_t row; /* in the present conf.ip_group or conf.trunk_group, CONF_NONE: gone */
	uint32_t refs;
	struct reg_members members; /* accounts it is served by */
	GPtrArray *pairs;	    /* reg_pair of those */
	uint32_t n_serving;	    /* accounts it serves; their ids, exclusive-or */
	uint32_t serving_ids;
	struct reg_meter meter;
};

/* Accounts with a group in common, as one policy sees them. */
struct reg_share {
	struct rg_group pub;
	char *key;
	GArray *member;	   /* uint32_t account ids by index, ascending */
	uint32_t first_id; /* account id of pub.first, 0 none */
	bool told;	   /* a walk is on its way */
	bool again;	   /* and has to begin anew when it is through */
	void *slot;
};

struct reg_link { /* one policy of one account */
	rg_ms wake;
	struct reg_share *share;
};

enum reg_waits { WAITS_NOT, WAITS_START, WAITS_NAME, WAITS_WINDOW, WAITS_ANSWER, WAITS_RESEND };

struct reg_round { /* only while in use */
	struct rg_list list;
	uint8_t at, purpose;
	uint8_t again;		/* same server asked again */
	uint8_t resends, resent; /* RetryCounts: to a server that refuses */
	bool adopted;		/* a 423 was obeyed in this attempt */
	bool pinned;		/* only the registrar was in the list */
	uint32_t server;
	uint32_t ask;		/* Expires of the request, s */
	uint64_t token;
	rg_ms sent_at;
	struct reg_gen *gen;	/* whose strings the request in flight points to */
};

struct reg_penalty { /* Retry-After, per account and server */
	uint32_t server;
	rg_ms until;
};

/* Explanation of the last round: who, what, and the first servers of the list. */
struct reg_mark {
	uint8_t by;   /* 0 core, else place in the chain + 1 */
	uint8_t what; /* enum reg_what */
	uint8_t arg;  /* rank of the head of the list, verdict ... */
};
enum { REG_MARKS = 8 };

struct reg_note { /* a transition, 8 bytes */
	uint32_t at_s;
	uint16_t code_from_to; /* code 10 bits, from 3, to 3 */
	uint16_t server;
};

struct reg_account {
	uint32_t id; /* slab number + 1 */
	uint32_t next, prev; /* in a queue */
	struct reg_gen *gen;
	const struct conf_account *conf;
	const struct policy_chain *chain;
	struct reg_link *link;	/* chain->n of them, then the slots; NULL without chain */
	struct reg_set *set;
	struct reg_group *served, *serving;
	uint32_t in_set, in_served; /* places in their members */
	struct reg_pair *pair;	/* and its place there */
	uint32_t in_pair;
	struct reg_entry entry[REG_KEYS];
	struct reg_dialogue dialogue;
	struct rg_timer timer;
	uint64_t seed;
	uint64_t goodbye;	    /* token of the un-REGISTER at the former registrar */
	rg_ms bound_at, expires_at; /* of the binding */
	rg_ms next_at;		    /* refresh, retry; RG_NEVER */
	rg_ms later_at;		    /* action that a policy put off */
	uint64_t tried, forbade;    /* ranks, since the last success */
	struct reg_round *round;
	struct reg_penalty *penalty;
	struct reg_pool *port_of, *port_pool; /* whose port it has; where it waits for one */
	struct reg_subscription *subscription;
	const char *reason;	    /* interned */
	uint32_t registrar, refused;
	uint32_t heir;		    /* account that begins when this one is gone */
	rg_ms heir_at;		    /* of an heir: it begins by then; RG_NEVER: it is none */
	uint32_t wish;		    /* server a call wants it registered at */
	uint32_t granted;	    /* s */
	uint32_t floor, floor_of;   /* s; least Expires that this server takes (423) */
	uint32_t sent, ok, failures, renewals;
	uint16_t attempt;	    /* of tokens */
	uint16_t port;		    /* UDP port of its own, 0: none */
	bool port_open;		    /* it may be closed meanwhile */
	bool start_bye;		    /* un-REGISTER that a policy asked for, with nothing bound */
	uint16_t last_code;
	uint16_t rounds;	    /* fruitless in a row */
	uint8_t forbidden;	    /* steps of that ladder */
	uint8_t penalties;
	uint8_t state;		    /* enum rg_state */
	uint8_t waits;		    /* enum reg_waits */
	uint8_t pending;	    /* 1 + enum rg_verb remembered while busy */
	uint8_t later;		    /* 1 + enum rg_verb of later_at */
	bool by_hand;		    /* un-registered by hand */
	bool dying;		    /* removed: un-REGISTER, then gone */
	bool stopped;		    /* verdict STOP */
	bool failing;		    /* its rounds brought nothing since it was bound */
	bool shortened;		    /* a policy asked for less than RegistrationTime */
	uint8_t indexed;	    /* bits of enum reg_key */
	uint8_t purpose;	    /* of the last round */
	uint8_t start;		    /* enum rg_purpose wanted while it waits for its turn */
	uint8_t n_mark, note_at, n_note;
	struct reg_mark mark[REG_MARKS];
	struct reg_note note[REG_TRANSITIONS];
};

struct reg_walk { /* an event on its way to many accounts, in slices */
	struct reg_members *of; /* or NULL: share; both NULL: accounts by id, up to end */
	struct reg_share *share;
	uint32_t at, end;
	void (*hand)(struct reg_engine *, struct reg_account *); /* no event: done by hand */
	struct rg_event ev;
	uint32_t bound_at; /* not an event but an action, for those bound at this server */
	uint8_t verb;	   /* enum rg_verb */
	bool received;	   /* only those whose Contact has the address the server saw */
};

struct reg_engine {
	struct rg_timers *timers;
	const struct reg_port *port;
	struct reg_options opt;
	struct reg_gen *gen;	/* in force */
	GPtrArray *gens;	/* all that are alive */
	struct rg_timer sweep;
	GHashTable *goodbyes;	/* token: generation; un-REGISTERs at former registrars */
	struct rg_arena *names; /* interned strings that outlive configurations */

	GPtrArray *slab;	/* chunks of accounts */
	uint32_t n_slab, free_account;
	uint32_t *order;	/* account ids by position in conf.account */
	uint32_t n_order;

	GPtrArray *server;	/* by id; [0] is NULL */
	GHashTable *server_by_addr;
	GPtrArray *set, *group;	/* live ones */
	GHashTable *set_by_name, *group_by_name;
	GHashTable *share;	/* by key */
	GHashTable *believed;	/* addr text: health */
	GHashTable *trunk;	/* number: health, of those that were told */
	GHashTable *links;	/* interface: how many links of it are down */
	uint32_t ids;		/* of sets and groups */

	GQueue ring;		/* sets with accounts that wait to start */
	struct rg_timer pump;
	double tokens;
	rg_ms tokens_at;

	GQueue walks;
	uint32_t hands;		/* of them: by hand */
	struct rg_timer walk;

	uint32_t *load;		/* refreshes due in each second, modulo LOAD_S */
	uint32_t load_from;	/* seconds before this one are cleared */
	struct reg_counts counts;
	uint32_t busy;
	GSList *rounds_free;
	uint32_t n_rounds_free;

	struct reg_plan *plan;
	uint32_t plan_at;
	uint8_t plan_phase;
	struct rg_timer apply;
	void (*applied)(void *);
	void *applied_arg;

	char headers[4096];	/* of the request being written */
	uint64_t probe_tokens;
	GHashTable *pools;	/* by interface: ports of accounts' own */
	GHashTable *subscribing; /* token: subscription */
	GHashTable *parked;	/* account: GSList of routes that wait for its registration */

	struct reg_index index;
	GHashTable *pairs;	/* by served and serving group */
	GHashTable *origins;	/* by interface and address: reg_origin */
	struct reg_place *place; /* by position in conf.sip_interface */
	uint32_t n_place;
	uint32_t stamp;		/* what origins say was found out at this one */
	GHashTable *meters;	/* account: reg_meter */
	struct reg_meter meter;	/* of all calls */
	GHashTable *probes;	/* token: server, of lookups: name of a set */
};

/* ---- account.c ---- */
struct reg_account *account_at(struct reg_engine *, uint32_t id); /* NULL: gone */
struct reg_account *account_new(struct reg_engine *, struct reg_gen *, uint32_t pos);
void account_free(struct reg_engine *, struct reg_account *);
/* Put the account on another row and chain; slots of policies that stay are kept.
 * false: it went to another proxy set, and what was on its way was given up. */
bool account_move(struct reg_engine *, struct reg_account *, struct reg_gen *, uint32_t pos);
/* It is removed: from now on it counts in no group, whatever it still has to send. */
void account_dies(struct reg_engine *, struct reg_account *);
void account_view(struct reg_engine *, struct reg_account *, struct rg_view *, struct rg_account *);
void account_timer(struct reg_engine *, struct reg_account *); /* set it to what is next */
const struct conf_gateway *account_gateway(const struct reg_account *);
const char *account_name(const struct reg_account *);
uint64_t account_token(struct reg_account *, uint32_t server);
void account_note(struct reg_engine *, struct reg_account *, uint8_t from, uint8_t to);
rg_ms account_barred(const struct reg_account *, uint32_t server, rg_ms now);
void account_bar(struct reg_account *, uint32_t server, rg_ms until);
void account_pardon(struct reg_account *, rg_ms now);

/* ---- queues and members (account.c) ---- */
void queue_push(struct reg_engine *, struct reg_queue *, struct reg_account *);
struct reg_account *queue_pop(struct reg_engine *, struct reg_queue *);
void queue_remove(struct reg_engine *, struct reg_queue *, struct reg_account *);
void members_init(struct reg_members *);
void members_clear(struct reg_members *);
uint32_t members_add(struct reg_engine *, struct reg_members *, struct reg_account *, bool served);
void members_remove(struct reg_members *, uint32_t at);

/* ---- fsm.c ---- */
void fsm_move(struct reg_engine *, struct reg_account *, enum rg_state);
void fsm_rethink(struct reg_engine *, struct reg_account *);
void fsm_do(struct reg_engine *, struct reg_account *, enum rg_verb);
void fsm_timer(struct reg_engine *, struct reg_account *);
void fsm_bind(struct reg_engine *, struct reg_account *, struct reg_server *, uint32_t granted);
void fsm_unbind(struct reg_engine *, struct reg_account *);
/* A round brought nothing.  why: NEXT, the list was used up; WAIT or STOP as a policy
 * had it.  pinned: the list held the registrar alone. */
void fsm_fruitless(struct reg_engine *, struct reg_account *, enum rg_verdict why, bool pinned);
void fsm_unregistered(struct reg_engine *, struct reg_account *);
void fsm_cancelled(struct reg_engine *, struct reg_account *);
void fsm_inherit(struct reg_engine *, struct reg_account *); /* an heir may begin */
void fsm_tell(struct reg_engine *, struct reg_account *, const struct rg_event *);
bool fsm_busy(const struct reg_account *); /* waits for something in a round */
/* The registrar says so: less time is left; the binding is gone. */
void fsm_shorten(struct reg_engine *, struct reg_account *, uint32_t left);
void fsm_lost(struct reg_engine *, struct reg_account *, uint32_t retry_after, bool refused);

/* ---- backoff.c ---- */
/* ms; counts a step of the ladder of ForbiddenRetryTime. */
rg_ms backoff_delay(struct reg_engine *, struct reg_account *);

/* ---- round.c ---- */
void round_begin(struct reg_engine *, struct reg_account *, enum rg_purpose);
void round_unregister(struct reg_engine *, struct reg_account *, uint32_t server);
void round_go(struct reg_engine *, struct reg_account *); /* has a slot of the window */
bool round_resends(struct reg_engine *, struct reg_account *, const struct reg_answer *);
void round_resend(struct reg_engine *, struct reg_account *); /* its pause is over */
void round_unanswered(struct reg_engine *, struct reg_account *); /* server is down */
void round_end(struct reg_engine *, struct reg_account *);
void round_cancel(struct reg_engine *, struct reg_account *);
void round_goodbye_over(struct reg_engine *, struct reg_account *);
void round_list(struct reg_engine *, struct reg_account *, enum rg_purpose, struct rg_list *,
		struct reg_explanation *);

void round_over(struct reg_engine *, struct reg_account *, enum rg_verdict why);
void round_follow(struct reg_engine *, struct reg_account *, enum rg_verdict);
void round_settled(struct reg_engine *, struct reg_account *);

/* ---- answer.c ---- */
/* The server gave no binding: what is noted of it, and what the policies want next. */
enum rg_verdict answer_failed(struct reg_engine *, struct reg_account *,
			      const struct reg_answer *);
/* The un-REGISTER that a policy asked for with nothing bound is over; once. */
void answer_bye(struct reg_engine *, struct reg_account *, uint32_t server, uint16_t code);

/* ---- refresh.c ---- */
rg_ms refresh_delay(struct reg_engine *, const struct reg_account *);

/* ---- pace.c ---- */
void pace_start(struct reg_engine *, struct reg_account *, enum rg_purpose);
void pace_queue(struct reg_engine *, struct reg_account *);
void pace_cancel(struct reg_engine *, struct reg_account *);
void pace_kick(struct reg_engine *);
void pace_pump(struct reg_engine *);

/* ---- slice.c ---- */
struct reg_slice {
	int64_t end;
	unsigned n;
};
struct reg_slice slice_begin(const struct reg_engine *); /* in exact time it has no end */
bool slice_over(struct reg_slice *); /* after each step: leave the rest for later */

/* ---- chain.c ---- */
enum reg_what { WHAT_ORDER, WHAT_GOAL, WHAT_VERDICT, WHAT_DO };
enum rg_goal chain_goal(struct reg_engine *, struct reg_account *, const char **by);
void chain_order(struct reg_engine *, struct reg_account *, enum rg_purpose, struct rg_list *,
		 struct reg_explanation *);
void chain_request(struct reg_engine *, struct reg_account *, struct rg_request *);
/* Actions are left in act, not run.  only: one link, -1 all. */
void chain_event(struct reg_engine *, struct reg_account *, const struct rg_event *,
		 struct rg_act *, int only);
/* by: who gave the code that v has in the end; left alone if nobody did. */
void chain_admit(struct reg_engine *, struct reg_account *, const struct rg_dialog *,
		 struct rg_admit *, const char **by);
void chain_act(struct reg_engine *, struct reg_account *, const struct rg_act *);
/* It is about to leave the group that it shares with others by this link. */
void chain_leave(struct reg_engine *, struct reg_account *, unsigned link);
void chain_mark(struct reg_account *, uint8_t by, enum reg_what, uint8_t arg);
bool chain_hears(const struct reg_account *);
/* Another account of its group looks names up for it. */
bool chain_follows(const struct reg_account *);

/* ---- server.c ---- */
struct reg_server *server_get(struct reg_engine *, const struct rg_addr *, const char *interface,
			      const char *tls_name);
void server_put(struct reg_engine *, struct reg_server *);
void server_bound(struct reg_engine *, struct reg_server *, int by); /* may free it */
struct reg_server *server_at(struct reg_engine *, uint32_t id);
void server_health(struct reg_engine *, struct reg_server *, enum rg_health, enum reg_down);
/* true: send now; false: it waits in the server's queue. */
bool server_enter(struct reg_engine *, struct reg_server *, struct reg_account *);
/* The request of the round was answered, or not. */
void server_leave(struct reg_engine *, struct reg_server *, const struct reg_round *,
		  const struct reg_answer *);
/* A request other than REGISTER was answered there, or not. */
void server_told(struct reg_engine *, struct reg_server *, bool answered);
bool server_refuses(const struct reg_server *); /* down and on trial: no answer at once */
void server_unwait(struct reg_engine *, struct reg_server *, struct reg_account *);
void server_abandon(struct reg_engine *, struct reg_server *, uint64_t token);
uint32_t server_interface(struct reg_engine *, const struct reg_server *);

/* ---- set.c ---- */
struct reg_set *set_named(struct reg_engine *, const char *name);
void set_apply(struct reg_engine *, const struct conf *);
void set_clear(struct reg_engine *, struct reg_set *);
const struct conf_proxy_set *set_conf(const struct reg_set *);
int set_rank(const struct reg_set *, uint32_t server);
uint32_t set_registrars(const struct reg_set *); /* servers that may be registered at by role */
void set_health(struct reg_engine *, struct reg_set *, struct reg_server *);
void set_failed(struct reg_engine *, struct reg_set *, uint32_t server, bool failed);
uint32_t set_working(const struct reg_set *);
/* Put its list of servers together anew, and tell of it if it has changed. */
void set_renew(struct reg_set *);

bool set_reachable(const struct reg_set *, const struct rg_addr *);

/* ---- registrar.c ---- */
/* ProxyIp Registrar of that server's row; "": it is the registrar itself. */
const char *registrar_text(const struct reg_set *, const struct reg_server *);
/* Where REGISTERs for the server of that row go; family 0: the name is not resolved. */
struct rg_addr registrar_address(const struct reg_set *, uint32_t ip, const struct reg_server *);
void registrar_tls_name(const struct reg_set *, const struct reg_server *, char buf[RG_TLS_NAME]);
/* A REGISTER sent at that time (0: none was) stayed unanswered, or was met by 503: the next
 * address of the name is in use (RFC 3263 4.3).  How many it has; 0: no name. */
uint32_t registrar_failed(struct reg_set *, uint32_t server, rg_ms asked_at);

/* ---- names.c ---- */
const char *names_host(const struct reg_set *, const struct reg_name *);
/* true: its names are resolved freshly enough; else the account waits for them. */
bool set_ready(struct reg_engine *, struct reg_set *, struct reg_account *);
void set_resolve(struct reg_engine *, struct reg_set *, bool again);
/* The names of the set's rows, which were those of row was_pos (CONF_NONE: of none); last
 * good answers stay.  true: there are some to be asked for. */
bool names_apply(struct reg_set *, const struct conf *was, uint32_t was_pos);
void names_clear(struct reg_set *);

/* ---- group.c ---- */
struct reg_group *group_named(struct reg_engine *, const char *name);
void group_apply(struct reg_engine *, const struct conf *);
void group_status(struct reg_engine *, struct reg_group *);
/* Its servers are those of this set: position in the present configuration, or CONF_NONE. */
void group_on(struct reg_engine *, struct reg_group *, uint32_t set);
struct reg_share *share_join(struct reg_engine *, const struct rg_policy *, struct reg_group *,
			     struct reg_account *);
void share_leave(struct reg_engine *, struct reg_share *, struct reg_account *);
void share_bound(struct reg_engine *, struct reg_account *, bool bound);
void share_moved(struct reg_engine *, struct reg_account *);
void walk_members(struct reg_engine *, struct reg_members *, const struct rg_event *);
enum { WALK_UNBOUND = INT32_MAX }; /* as the server: those in back-off */
void walk_bound(struct reg_engine *, struct reg_members *, uint32_t server, enum rg_verb);
/* A refresh of those bound there whose ContactAddress is "received". */
void walk_received(struct reg_engine *, struct reg_members *, uint32_t server);
void walk_share(struct reg_engine *, struct reg_share *);
/* What is done by hand to one account (its id) or to all (0). */
void walk_hand(struct reg_engine *, uint32_t only,
	       void (*)(struct reg_engine *, struct reg_account *));

/* ---- trunk.c ---- */
void trunk_apply(struct reg_engine *);
/* The account's trunk group goes out of service, or comes back. */
void trunk_service(struct reg_engine *, struct reg_account *, bool in);
void trunk_settled(struct reg_engine *); /* all accounts have moved over */

/* ---- keepalive.c ---- */
void keepalive_apply(struct reg_engine *);
void keepalive_server(struct reg_engine *, struct reg_server *); /* health changed */
/* A REGISTER of an account was answered there, or not. */
void keepalive_heard(struct reg_engine *, struct reg_server *);
void keepalive_doubts(struct reg_engine *, struct reg_server *);

/* ---- probe.c ---- */
/* Its strings point into the server, the configuration and id. */
struct reg_identity;
struct reg_probe probe_make(struct reg_engine *, struct reg_server *, enum reg_keep,
			    struct reg_identity *);

/* ---- identity.c ---- */
struct reg_identity {
	char aor_host[256], request_host[256];
	const char *aor_user, *contact_user, *username, *password;
};
void identity_of(const struct reg_account *, const struct reg_server *, struct reg_identity *);
const char *identity_user(const struct reg_account *); /* of its AOR */

/* ---- engine.c ---- */
void gen_use(struct reg_gen *);
void gen_leave(struct reg_engine *, struct reg_gen *);

/* ---- request.c ---- */
struct reg_outgoing {
	struct reg_identity id;
	struct rg_request q;
	uint32_t budget_ms;
	uint8_t retransmissions;
	uint8_t resends; /* to a server that refuses (RetryCounts), before the next */
	char tls_name[RG_TLS_NAME]; /* of where it goes */
};
uint32_t request_time(unsigned retransmissions, bool invite); /* ms */
/* Time and retransmissions that one server of the set gets for the request; more: another
 * is left if this one does not answer.  retransmissions: RG_AS_SET, or as a policy has it. */
void request_budget(const struct conf_proxy_set *, const struct conf_gateway *, bool more,
		    struct reg_outgoing *);
/* more: another server is left if this one does not answer. */
void request_make(struct reg_engine *, struct reg_account *, struct reg_server *, enum rg_method,
		  uint32_t expires, bool more, struct reg_outgoing *);
struct reg_message request_message(struct reg_engine *, struct reg_account *,
				   const struct reg_server *, const struct reg_outgoing *);

/* ---- ports.c ---- */
GHashTable *ports_new(void);
void ports_apply(struct reg_engine *);
void ports_lease(struct reg_engine *, struct reg_account *); /* or wait for one */
void ports_retry(struct reg_engine *, struct reg_account *);
void ports_unwait(struct reg_engine *, struct reg_account *);
void ports_release(struct reg_engine *, struct reg_account *);
/* Before its REGISTER: the port is open, if it has one; 0 or an errno.  Before it rests in
 * that state: closed, if the interface wants it so. */
int ports_open(struct reg_account *);
void ports_rest(struct reg_account *, enum rg_state);
bool ports_move(struct reg_engine *, struct reg_account *);
/* Who has this port of the interface (its name); NULL: nobody. */
struct reg_account *ports_owner(struct reg_engine *, const char *interface, uint16_t port);

/* ---- subscription.c ---- */
void subscription_begin(struct reg_engine *, struct reg_account *);
void subscription_end(struct reg_engine *, struct reg_account *, bool politely);
void subscription_free(struct reg_engine *, struct reg_account *);

/* ---- source.c ---- */
void source_init(struct reg_engine *);
void source_clear(struct reg_engine *);
void source_apply(struct reg_engine *); /* interfaces, sets and groups have moved */
void source_add(struct reg_engine *, struct reg_server *);
void source_remove(struct reg_engine *, struct reg_server *);

/* ---- balance.c ---- */
/* As the set spreads requests: the servers that share the first one's rank change places. */
void balance(struct reg_engine *, struct reg_set *, struct rg_list *);
/* With load balancing: are as many servers up as MinActiveServersLB asks for? */
bool balance_enough(const struct reg_set *);

/* ---- park.c ---- */
void park_bound(struct reg_engine *, struct reg_account *);   /* it was registered */
void park_settled(struct reg_engine *, struct reg_account *); /* a round is over */
void park_drop(struct reg_engine *, struct reg_account *);    /* the account goes away */

/* ---- status.c ---- */
const char *reason_intern(struct reg_engine *, const char *);
struct reg_account *account_find(struct reg_engine *, const char *name); /* or index text */

static inline const struct rg_policy *link_policy(const struct reg_account *a, unsigned i)
{
	return a->chain->link[i].p;
}

static inline void *link_slot(const struct reg_account *a, unsigned i)
{
	return (char *)(a->link + a->chain->n) + a->chain->link[i].slot;
}

#endif
