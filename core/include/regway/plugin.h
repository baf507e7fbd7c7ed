/*
 * regway/plugin.h -- all that a plugin sees of the gateway.
 *
 * There are two kinds of plugin, both shared objects that the daemon dlopens.
 *
 * A POLICY is a set of pure decisions: state in, decision out.  A hook reads
 * its struct rg_ctx, writes its own slot, its group's slot and the decision it
 * was handed, and returns.  It does no I/O, takes no time, keeps no pointer it
 * was given, allocates nothing, and learns the time from ctx->v->now alone.
 * The same file runs in the daemon and in regwaysim.
 *
 * A SERVICE does I/O (a web page, a link watcher) through the host table it is
 * started with, on the daemon's event loop; see struct rg_host.
 *
 * A plugin exports one symbol, made by RG_POLICY() or RG_SERVICE(), and links
 * against nothing of the daemon.  docs/plugins.md is the guide; this is the
 * reference.
 */
#ifndef REGWAY_PLUGIN_H
#define REGWAY_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RG_ABI_MAJOR 1 /* raised: every plugin must be rebuilt            */
#define RG_ABI_MINOR 1 /* raised: members were appended, old plugins load */
#define RG_ABI ((uint32_t)RG_ABI_MAJOR << 16 | RG_ABI_MINOR)

/* Most servers of a proxy set; most actions of one chain run. */
enum { RG_SERVERS = 64, RG_TODOS = 8 };

#define RG_NEVER INT64_MAX

typedef int64_t rg_ms; /* monotonic milliseconds; never wall clock */

/* ---- what every plugin begins with ---------------------------------------- */

enum rg_kind { RG_POLICY_KIND = 1, RG_SERVICE_KIND };

struct rg_module {
	uint32_t abi;  /* RG_ABI: major must be equal, minor not above the core's */
	uint32_t size; /* of the whole struct that follows, in bytes              */
	uint8_t kind;  /* enum rg_kind                                            */
	const char *name, *version, *summary;
	const struct rg_param *params; /* name NULL ends; may be NULL             */
};

/* ---- parameters: the core reads, checks and stores them -------------------- */

/* The table a parameter stands in; index of rg_ctx.cfg. */
enum rg_scope {
	RG_GLOBAL,	/* [Gateway]                                             */
	RG_ACCOUNT,
	RG_PROXY_SET,	/* the account's outbound one, else its serving group's  */
	RG_PROXY_IP,	/* cfg[RG_PROXY_IP] is an array, see rg_ctx              */
	RG_IP_GROUP,	/* the account's serving group                           */
	RG_TRUNK_GROUP, /* the served trunk group                                */
	RG_INTERFACE,	/* SIP interface towards the serving group               */
	RG_SCOPES
};

enum rg_type {
	RG_T_NONE,  /* nothing is stored: the row only claims values            */
	RG_T_INT,   /* int32_t                                                  */
	RG_T_BOOL,  /* int32_t, 0 or 1                                          */
	RG_T_STR,   /* const char *, never NULL; lives as long as the cfg block */
	RG_T_CODES  /* struct rg_codes: "403,408,480"                           */
};

/* What reload does with an account whose value changed. */
enum rg_on_change {
	RG_CHANGE_KEEP,	   /* hand the new value over; event START               */
	RG_CHANGE_REFRESH, /* and REGISTER at once, in refresh order             */
	RG_CHANGE_RESTART  /* and REGISTER at once, in search order              */
};

struct rg_param {
	const char *name;     /* as in the ini file, without the table's prefix   */
	uint8_t scope;	      /* enum rg_scope                                    */
	uint8_t type;	      /* enum rg_type                                     */
	uint8_t on_change;    /* enum rg_on_change                                */
	uint16_t offset;      /* into the block of its scope                      */
	int64_t min, max;     /* RG_T_INT                                         */
	const char *dflt;     /* as it would be written in the file               */
	const char *symbols;  /* "newRequests=0,DNSTTL=1", or NULL                */
	const char *implements; /* values that need this plugin: "1", "1,2", "*"; */
				/* it is attached where one of them stands, or    */
				/* one of another parameter that it implements    */
	const char *when;     /* and only there: values this parameter must have  */
	const char *doc;
};

struct rg_codes {
	uint16_t n, code[16];
};

/* The value stands in the core's schema already; the plugin implements some of it. */
#define RG_IMPLEMENTS(where, key, values) \
	{ .name = key, .scope = where, .implements = values }
/* The plugin is attached only where key has one of the values; another implements them. */
#define RG_WHEN(where, key, values) \
	{ .name = key, .scope = where, .when = values }
#define RG_IMPLEMENTS_INT(where, key, s, m, values) \
	{ .name = key, .scope = where, .type = RG_T_INT, .offset = offsetof(s, m), \
	  .implements = values }
#define RG_READS_INT(where, key, s, m) \
	{ .name = key, .scope = where, .type = RG_T_INT, .offset = offsetof(s, m) }
#define RG_READS_BOOL(where, key, s, m) \
	{ .name = key, .scope = where, .type = RG_T_BOOL, .offset = offsetof(s, m) }
#define RG_READS_CODES(where, key, s, m) \
	{ .name = key, .scope = where, .type = RG_T_CODES, .offset = offsetof(s, m) }
/* A parameter of the plugin's own, unknown to the core. */
#define RG_INT(where, key, s, m, lo, hi, preset, text) \
	{ .name = key, .scope = where, .type = RG_T_INT, .offset = offsetof(s, m), \
	  .min = lo, .max = hi, .dflt = preset, .doc = text }
#define RG_BOOL(where, key, s, m, preset, text) \
	{ .name = key, .scope = where, .type = RG_T_BOOL, .offset = offsetof(s, m), \
	  .min = 0, .max = 1, .dflt = preset, .doc = text }
#define RG_STR(where, key, s, m, preset, text) \
	{ .name = key, .scope = where, .type = RG_T_STR, .offset = offsetof(s, m), \
	  .dflt = preset, .doc = text }
#define RG_END { .name = NULL }

/* ---- state: what a hook may read ------------------------------------------- */

enum rg_role { RG_REGISTRAR = 1, RG_PROXY = 2 };
enum rg_health { RG_UNKNOWN, RG_UP, RG_DOWN };
enum rg_state {
	RG_IDLE,	  /* Register = 0, or un-registered by hand               */
	RG_HELD,	  /* a policy says: not now                               */
	RG_SEARCHING,	  /* a round of REGISTERs in search order                 */
	RG_BOUND,
	RG_REFRESHING,	  /* a round in refresh order; the binding still counts   */
	RG_BACKOFF,	  /* waits for the next round                             */
	RG_UNREGISTERING,
	RG_STATES
};
enum rg_regmode { RG_REG_NO, RG_REG_REGULAR, RG_REG_GIN };
enum rg_transport { RG_UDP, RG_TCP, RG_TLS };

/* One server of the set.  The array is the set's own and shared. */
struct rg_server {
	uint32_t id;	    /* stable while the daemon lives; 0 is none            */
	uint16_t rank;	    /* place in the configured or resolved order           */
	uint8_t roles;	    /* enum rg_role bits                                   */
	uint8_t health;	    /* enum rg_health                                      */
	bool master;	    /* configured as the master of its list                */
	bool failed;	    /* failed the group's last attempt; see "working"      */
	uint8_t transport;  /* enum rg_transport                                   */
	uint16_t priority, weight;
	rg_ms ttl_until;    /* end of its DNS TTL; RG_NEVER if literal             */
	const char *host;   /* printable address, without port                     */
};

struct rg_account {
	uint32_t index;		  /* its Index in the table                        */
	uint32_t served, serving; /* group ids; served 0: a trunk group            */
	const char *name, *host_name, *contact_user;
	uint8_t reg;		  /* enum rg_regmode                               */
	uint8_t refresh_pct;	  /* refresh after this share of the lease         */
	bool hot_swap;		  /* the proxy set tries the next server by itself */
	uint8_t keepalive;	  /* EnableProxyKeepAlive: 0 none, 1 OPTIONS,      */
				  /* 2 REGISTER, 3 OPTIONS active, 4 fake REGISTER */
	uint8_t served_keepalive; /* likewise, of the served group's set           */
	uint8_t literals;	  /* addresses configured as such in the set       */
	bool names;		  /* the set has host names, too                   */
	bool has_ports;		  /* its interface has AdditionalUDPPorts          */
	uint32_t reg_time;	  /* requested Expires, s                          */
	uint32_t retry_time;	  /* between fruitless rounds, s                   */
};

struct rg_view {
	rg_ms now;
	const struct rg_account *acc;
	uint8_t state;	       /* enum rg_state                                     */
	uint8_t served;	       /* enum rg_health of the served group                */
	uint8_t trunk;	       /* enum rg_health of the served trunk group          */
	uint16_t port;	       /* leased local UDP port; 0: none (yet)              */
	uint32_t registrar;    /* server holding the binding, 0: not bound          */
	uint32_t refused;      /* server that just failed the refresh, else 0       */
	uint32_t working;      /* the proxy set's current working server, 0: none   */
	rg_ms bound_at;	       /* last 2xx to a REGISTER                            */
	rg_ms expires_at;      /* end of the binding                                */
	uint64_t seed;	       /* random; new after an un-register or failed round  */
	const struct rg_server *srv; /* by rank                                     */
	size_t nsrv;
};

/* Accounts that share a group, as one plugin sees them: only those it is
 * attached to.  Kept up to date by the core at O(1) per event. */
struct rg_group {
	uint32_t id;		  /* of the group                                  */
	uint32_t members;	  /* attached accounts of the group                */
	uint32_t bound;		  /* of these, bound                               */
	uint32_t first;		  /* lowest Index that registers (Register not 0)  */
	uint32_t first_registrar; /* where that one is bound, 0: not               */
	uint8_t first_state;	  /* its enum rg_state                             */
	uint32_t failed;	  /* members whose rounds bring nothing            */
};

struct rg_ctx {
	const struct rg_view *v;
	const void *cfg[RG_SCOPES]; /* the plugin's blocks, by scope; NULL if it   */
				    /* has no parameter there.  RG_PROXY_IP: an    */
				    /* array of v->nsrv pointers to blocks, by rank */
	void *slot;		    /* the plugin's data of this account, zeroed   */
	const struct rg_group *group; /* NULL unless rg_policy.group               */
	void *gslot;		    /* the plugin's data of that group, zeroed     */
};

/* ---- decisions: what a hook may write --------------------------------------- */

enum rg_goal { RG_UNREGISTER, RG_HOLD, RG_REGISTER }; /* the lowest vote wins */

enum rg_purpose { RG_FOR_SEARCH, RG_FOR_REFRESH, RG_FOR_DIALOG, RG_FOR_SUBSCRIBE };

enum rg_how {
	RG_SEND,	   /* send the request                                      */
	RG_REGISTER_FIRST  /* calls: register there, then send                      */
};

struct rg_list {
	uint32_t id[RG_SERVERS];
	uint8_t how[RG_SERVERS]; /* enum rg_how */
	uint8_t n;
};

enum rg_verdict { /* after a failed request                                        */
	RG_AGAIN, /* same server, now                                              */
	RG_NEXT,  /* next candidate, now                                           */
	RG_WAIT,  /* whole round again after the retry time                        */
	RG_STOP	  /* no more: relay the answer (calls), or stay idle               */
};

enum rg_verb {
	RG_DO_REFRESH,	  /* REGISTER now, in refresh order                        */
	RG_DO_RESTART,	  /* REGISTER now, in search order                         */
	RG_DO_UNREGISTER, /* REGISTER with Expires 0                               */
	RG_DO_SUBSCRIBE,
	RG_DO_UNSUBSCRIBE,
	RG_DO_RESOLVE,	  /* ask DNS again before the next round                   */
	RG_DO_TRUNK_OUT,
	RG_DO_TRUNK_IN,
	RG_DO_TELL	  /* event GROUP, and the goal asked again                 */
};

enum rg_whom {
	RG_SELF,
	RG_FIRST,   /* the group's first (rg_group.first); needs rg_policy.group   */
	RG_MEMBERS  /* all of the group, paced; the verb is RG_DO_TELL             */
};

struct rg_todo {
	uint8_t verb, whom;
	uint32_t after_ms; /* 0: now                                               */
};

struct rg_act {
	uint8_t verdict; /* enum rg_verdict, preset by the core; RESULT events only */
	rg_ms wake_at;	 /* event TIMER then; 0: as it was, RG_NEVER: cancel        */
	struct rg_todo todo[RG_TODOS];
	uint8_t n;
};

enum rg_method {
	RG_M_NONE, RG_M_REGISTER, RG_M_INVITE, RG_M_SUBSCRIBE, RG_M_OPTIONS, RG_M_OTHER
};

/* An outgoing request before it is written.  Edit it through the helpers. */
struct rg_request {
	uint8_t method;	       /* enum rg_method                                    */
	uint32_t server;
	uint32_t expires;      /* s                                                 */
	uint16_t local_port;   /* 0: the interface's own                            */
	bool all_contacts;     /* un-REGISTER with Contact: *                       */
	char contact_user[256];	 /* "": no user part                                */
	char contact_params[128]; /* URI parameters, inside <>                      */
	char aor_host[256];
	char *headers;	       /* whole lines; core-owned                           */
	uint16_t headers_len, headers_size;
	uint8_t retransmissions; /* UDP, to a silent server; preset RG_AS_SET         */
};

enum { RG_AS_SET = 255 }; /* as the proxy set has it */

/* An incoming request that would open a dialog. */
struct rg_dialog {
	bool from_serving;
	uint8_t method;
	bool matched_other;  /* token or Request-URI user name another account      */
	uint32_t source;     /* server it came from (by IP), 0: not of the set      */
	uint16_t local_port;
};

struct rg_admit {
	uint16_t code; /* 0: let it in */
	const char *reason;
};

enum rg_event_type {
	RG_EV_START,	 /* attached, or its configuration was renewed;            */
			 /* .code 1: with the start of the process                 */
	RG_EV_BOUND,	 /* REGISTER got a 2xx: .server .expires                   */
	RG_EV_UNBOUND,	 /* the binding is gone                                    */
	RG_EV_RESULT,	 /* a request was answered or failed: .method .server .code */
	RG_EV_TIMER,	 /* the wake_at of this plugin                             */
	RG_EV_SERVERS,	 /* list changed: DNS or reload                            */
	RG_EV_HEALTH,	 /* .server is now .code (enum rg_health)                  */
	RG_EV_SERVED,	 /* v->served changed                                      */
	RG_EV_TRUNK,	 /* v->trunk changed                                       */
	RG_EV_LINK_UP,	 /* the link towards .server came up                       */
	RG_EV_CONN_LOST, /* the connection to .server broke                        */
	RG_EV_GROUP,	 /* ctx->group changed, or a member asked for it           */
	RG_EV_NOTIFY,	 /* reg event: .notify .expires .retry_after               */
	RG_EV_ACTION,	 /* by hand: .code is an enum rg_verb                      */
	RG_EV_LEAVE	 /* it leaves the group, which counts it for the last time: */
			 /* removed, moved, or the policy is detached; of what may */
			 /* be asked for only RG_DO_TELL is heard                  */
};

enum rg_notify {
	RG_N_NONE, RG_N_ACTIVE, RG_N_REFRESHED, RG_N_SHORTENED, RG_N_PROBATION,
	RG_N_DEACTIVATED, RG_N_REJECTED, RG_N_UNREGISTERED, RG_N_TERMINATED
};

struct rg_event {
	uint8_t type;	/* enum rg_event_type                                       */
	uint8_t method; /* enum rg_method; RESULT                                   */
	uint8_t notify; /* enum rg_notify; NOTIFY                                   */
	uint16_t code;	/* SIP status; 0 with RESULT: no answer                     */
	uint32_t server, expires /* s */, retry_after /* s */;
};

/* ---- a policy ----------------------------------------------------------------- */

enum rg_check { /* answer of rg_policy.check; the text goes to the operator    */
	RG_OK,
	RG_WARN, /* attach, and say so                                          */
	RG_SKIP, /* say so, do not attach                                       */
	RG_ERROR /* refuse the configuration                                    */
};

struct rg_fault {
	char text[200];
};

enum rg_by { RG_BY_NONE, RG_BY_SERVING, RG_BY_SERVED, RG_BY_TRUNK };
enum rg_want {
	RG_WANTS_PORT = 1,	/* a UDP port of the account's own: v->port            */
	RG_WANTS_LEADER = 2	/* only the group's first resolves names for a search  */
};

/* What a slot holds, so that it survives a restart, a new version of the plugin
 * and can be shown.  Fields that are not named start at zero again. */
enum rg_field_kind { RG_F_END, RG_F_INT32, RG_F_MS, RG_F_SERVER };
struct rg_field {
	uint8_t kind;
	uint16_t offset;
	const char *name;
};

struct rg_policy {
	struct rg_module m;
	int16_t prio;			/* place in the chain: enum rg_prio         */
	const char *const *needs;	/* plugins that must be attached, too; looked at */
					/* after check(), where Register is not 0   */
	const char *const *clashes;	/* plugins that must not; NULL-ended        */
	uint16_t cfg_size[RG_SCOPES];	/* bytes                                    */
	uint16_t slot_size, gslot_size; /* bytes                                    */
	uint8_t group;			/* enum rg_by: which accounts share gslot   */
	uint8_t wants;			/* enum rg_want bits                        */
	uint32_t slot_version;		/* raised when the slot's layout changes    */
	const struct rg_field *fields;	/* RG_F_END ends; may be NULL               */

	/* Each may be NULL.  check runs when the configuration is built, maybe in
	 * another thread: v->now is 0, there is no slot and no group, and v->srv has
	 * the literal addresses only. */
	enum rg_check (*check)(const struct rg_ctx *, struct rg_fault *);
	enum rg_goal (*goal)(const struct rg_ctx *);
	void (*order)(const struct rg_ctx *, enum rg_purpose, struct rg_list *);
	void (*request)(const struct rg_ctx *, struct rg_request *);
	void (*admit)(const struct rg_ctx *, const struct rg_dialog *, struct rg_admit *,
		      struct rg_act *);
	void (*event)(const struct rg_ctx *, const struct rg_event *, struct rg_act *);
};

enum rg_prio {		       /* chains run upwards: the last word is high         */
	RG_PRIO_BASE = 100,    /* which list, which end first                       */
	RG_PRIO_STICK = 200,   /* pin to the registrar                              */
	RG_PRIO_SEARCH = 300,  /* search mode: owns the order of REGISTER           */
	RG_PRIO_PENALTY = 400, /* push a server to the back                         */
	RG_PRIO_GROUP = 500,   /* act for several accounts together                 */
	RG_PRIO_DRESS = 600    /* ports, headers, contacts                          */
};

/* ---- a service ------------------------------------------------------------------ */

struct rg_self;	 /* the host's record of a running service                          */
struct rg_timer_handle;

enum rg_log_prio { RG_LOG_ERR = 3, RG_LOG_WARNING, RG_LOG_NOTICE, RG_LOG_INFO, RG_LOG_DEBUG };
enum rg_fd_events { RG_FD_READ = 1, RG_FD_WRITE = 2 };

/* One account as a service sees it; strings are valid until the call returns. */
struct rg_row {
	uint32_t index;
	const char *name, *served, *serving, *registrar;
	uint8_t state; /* enum rg_state */
	bool registered;
	uint32_t expires_in; /* s */
	uint16_t last_code;
	uint32_t failures;
	uint64_t register_sent, register_ok;
};

struct rg_transition {
	const char *account;
	uint8_t from, to; /* enum rg_state */
	uint16_t code;
	rg_ms at;
	const char *server;
};

/* One call, or one request that stands alone, while it is up; strings are valid until the
 * next page is asked for.  Times are Unix ms, 0: not yet. */
struct rg_call {
	uint64_t id; /* ascending, never used again */
	const char *session_id, *method, *state; /* as regwayctl calls has them */
	const char *from, *to; /* URIs as the caller wrote them */
	const char *account, *from_group, *to_group, *server; /* "": none */
	bool outbound; /* towards the serving side */
	int64_t began_at, answered_at;
};

/* A session description on its way through a call whose media is to be anchored. */
struct rg_media_job {
	uint64_t call;		  /* rg_call.id */
	const char *from_tag, *to_tag; /* of the caller's leg; to_tag "": not yet */
	bool offer;		  /* else an answer */
	bool from_caller;
	const char *sdp;	  /* not terminated */
	size_t len;
};

/* What anchors media.  Nothing here blocks. */
struct rg_media {
	void *arg;
	/* Rewrite it; done is called once, later: sdp NULL means that it cannot be anchored.
	 * false: nobody is there to do it, and done is not called.  What the job points to is
	 * valid during the call. */
	bool (*rewrite)(void *arg, const struct rg_media_job *,
			void (*done)(void *token, const char *sdp, size_t len), void *token);
	void (*forget)(void *arg, void *token);	  /* done must not be called any more */
	void (*remove)(void *arg, uint64_t call); /* the call is over */
};

struct rg_host {
	uint32_t abi, size;
	rg_ms (*now)(void);
	int64_t (*wall_ms)(void);
	/* All return 0 or an errno.  events 0 removes the descriptor. */
	int (*fd)(struct rg_self *, int fd, uint32_t events,
		  void (*)(int fd, uint32_t events, void *arg), void *arg);
	int (*timer)(struct rg_self *, struct rg_timer_handle **, uint32_t ms,
		     void (*)(void *arg), void *arg); /* ms 0 cancels and frees */
	int (*post)(struct rg_self *, void (*)(void *arg), void *arg); /* any thread */
	void (*log)(struct rg_self *, int prio, const char *fmt, ...)
		__attribute__((format(printf, 3, 4)));
	/* Pages: begin with *cursor = 0; returns rows filled, 0 at the end. */
	size_t (*accounts)(uint32_t *cursor, struct rg_row *, size_t n);
	/* A line of the control protocol; the answer may come in parts. */
	int (*command)(struct rg_self *, const char *json, size_t n,
		       void (*)(const char *, size_t, bool last, void *arg), void *arg);
	int (*trunk)(const char *id, bool up);
	int (*link)(const char *ifname, bool up);
	/* As accounts; from ABI 1.1 on. */
	size_t (*calls)(uint64_t *cursor, struct rg_call *, size_t n);
	/* This service anchors media from now on (copied); NULL, or its end: no more.  EBUSY:
	 * another one does.  From ABI 1.1 on. */
	int (*media)(struct rg_self *, const struct rg_media *);
};

struct rg_service {
	struct rg_module m;
	uint16_t cfg_size; /* of its RG_GLOBAL parameters, bytes */
	int (*start)(const struct rg_host *, struct rg_self *, const void *cfg, void **priv,
		     struct rg_fault *); /* 0 or an errno with the text */
	bool (*reconf)(void *priv, const void *cfg); /* false: stop and start me  */
	void (*stop)(void *priv);
	void (*transitions)(void *priv, const struct rg_transition *, size_t n);
};

/* ---- export ------------------------------------------------------------------------ */

#define RG_EXPORT __attribute__((visibility("default")))
#ifdef RG_STATIC /* linked into a test: one symbol per plugin */
#define RG_POLICY(n) const struct rg_policy rg_policy_##n
#define RG_SERVICE(n) const struct rg_service rg_service_##n
#else
#define RG_POLICY(n) RG_EXPORT const struct rg_policy rg_plugin_export
#define RG_SERVICE(n) RG_EXPORT const struct rg_service rg_plugin_export
#endif

#ifndef RG_VERSION
#define RG_VERSION "0"
#endif
/* The head of a policy: RG_HEAD("name", "what it does", RG_PRIO_STICK, params) */
#define RG_HEAD(n, text, p, par) \
	.m = { .abi = RG_ABI, .size = sizeof(struct rg_policy), .kind = RG_POLICY_KIND, \
	       .name = n, .version = RG_VERSION, .summary = text, .params = par }, \
	.prio = p
#define RG_SERVICE_HEAD(n, text, par) \
	.m = { .abi = RG_ABI, .size = sizeof(struct rg_service), .kind = RG_SERVICE_KIND, \
	       .name = n, .version = RG_VERSION, .summary = text, .params = par }

/* ---- small helpers; all of them plain data ------------------------------------------ */

/* The server with that id, or NULL when it is not (any more) in the set. */
static inline const struct rg_server *rg_server(const struct rg_view *v, uint32_t id)
{
	for (size_t i = 0; i < v->nsrv; i++)
		if (v->srv[i].id == id)
			return &v->srv[i];
	return NULL;
}

/* In the set and not found down. */
static inline bool rg_reachable(const struct rg_view *v, uint32_t id)
{
	const struct rg_server *s = rg_server(v, id);

	return s && s->health != RG_DOWN;
}

/* The first server with one of the roles, 0 if there is none. */
static inline uint32_t rg_first(const struct rg_view *v, uint8_t roles)
{
	for (size_t i = 0; i < v->nsrv; i++)
		if (v->srv[i].roles & roles)
			return v->srv[i].id;
	return 0;
}

static inline int rg_list_find(const struct rg_list *l, uint32_t id)
{
	for (int i = 0; i < l->n; i++)
		if (l->id[i] == id)
			return i;
	return -1;
}

static inline bool rg_list_has(const struct rg_list *l, uint32_t id)
{
	return rg_list_find(l, id) >= 0;
}

/* Append; a server stands in a list once. */
static inline void rg_list_add(struct rg_list *l, uint32_t id)
{
	if (!id || l->n >= RG_SERVERS || rg_list_has(l, id))
		return;
	l->how[l->n] = RG_SEND;
	l->id[l->n++] = id;
}

/* Move the entry at from to place to. */
static inline void rg_list_move(struct rg_list *l, int from, int to)
{
	uint32_t id = l->id[from];
	uint8_t how = l->how[from];
	int step = from < to ? 1 : -1;

	for (int i = from; i != to; i += step) {
		l->id[i] = l->id[i + step];
		l->how[i] = l->how[i + step];
	}
	l->id[to] = id;
	l->how[to] = how;
}

static inline void rg_list_back(struct rg_list *l, uint32_t id)
{
	int i = rg_list_find(l, id);

	if (i >= 0)
		rg_list_move(l, i, l->n - 1);
}

static inline void rg_list_front(struct rg_list *l, uint32_t id)
{
	int i = rg_list_find(l, id);

	if (i >= 0)
		rg_list_move(l, i, 0);
}

static inline void rg_list_drop(struct rg_list *l, uint32_t id)
{
	if (!rg_list_has(l, id))
		return;
	rg_list_back(l, id);
	l->n--;
}

static inline void rg_list_only(struct rg_list *l, uint32_t id)
{
	l->n = 0;
	rg_list_add(l, id);
}

/* All servers with one of the roles, in the set's order. */
static inline void rg_list_ranked(struct rg_list *l, const struct rg_view *v, uint8_t roles)
{
	l->n = 0;
	for (size_t i = 0; i < v->nsrv && l->n < RG_SERVERS; i++)
		if (v->srv[i].roles & roles) {
			l->how[l->n] = RG_SEND;
			l->id[l->n++] = v->srv[i].id;
		}
}

/* Servers found down go to the end, in their order. */
static inline void rg_list_sink_down(struct rg_list *l, const struct rg_view *v)
{
	for (size_t i = 0; i < v->nsrv; i++)
		if (v->srv[i].health == RG_DOWN)
			rg_list_back(l, v->srv[i].id);
}

/* Those that failed the group's last attempt go behind the others. */
static inline void rg_list_sink_failed(struct rg_list *l, const struct rg_view *v)
{
	for (size_t i = 0; i < v->nsrv; i++)
		if (v->srv[i].failed)
			rg_list_back(l, v->srv[i].id);
}

static inline void rg_do_for(struct rg_act *a, enum rg_verb verb, enum rg_whom whom)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->todo[i].verb == verb && a->todo[i].whom == whom)
			return;
	if (a->n < RG_TODOS)
		a->todo[a->n++] = (struct rg_todo){ (uint8_t)verb, (uint8_t)whom, 0 };
}

static inline void rg_do(struct rg_act *a, enum rg_verb verb)
{
	rg_do_for(a, verb, RG_SELF);
}

static inline void rg_reject(struct rg_admit *d, uint16_t code, const char *reason)
{
	d->code = code;
	d->reason = reason;
}

/* Add a header line.  false: it does not fit, or holds CR, LF or NUL's like;
 * the request then goes out without it, and the core says so once. */
static inline bool rg_header(struct rg_request *r, const char *name, const char *value)
{
	size_t n = strlen(name), m = strlen(value);

	if (strpbrk(name, "\r\n: ") || strpbrk(value, "\r\n") ||
	    (size_t)r->headers_len + n + m + 4 >= r->headers_size)
		return false;
	memcpy(r->headers + r->headers_len, name, n);
	memcpy(r->headers + r->headers_len + n, ": ", 2);
	memcpy(r->headers + r->headers_len + n + 2, value, m);
	memcpy(r->headers + r->headers_len + n + 2 + m, "\r\n", 3);
	r->headers_len = (uint16_t)(r->headers_len + n + m + 4);
	return true;
}

/* Copy a string into a field of a request; false: too long, nothing was changed. */
static inline bool rg_set(char *field, size_t size, const char *value)
{
	size_t n = strlen(value);

	if (n >= size || strpbrk(value, "\r\n"))
		return false;
	memcpy(field, value, n + 1);
	return true;
}

static inline enum rg_check rg_fault(struct rg_fault *f, enum rg_check how, const char *text)
{
	strncpy(f->text, text, sizeof f->text - 1);
	f->text[sizeof f->text - 1] = '\0';
	return how;
}

/* A request of that method ended in anything but a 2xx. */
static inline bool rg_failed(const struct rg_event *e, enum rg_method method)
{
	return e->type == RG_EV_RESULT && e->method == method &&
	       (e->code < 200 || e->code >= 300);
}

#endif
