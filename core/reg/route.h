/*
 * route.h -- the seam between the account engine and the relay: who may send a request
 * that opens a dialog (or stands alone), where it goes, as whom, and what comes next when
 * that fails.  No sockets, no SIP messages: the daemon puts the relay behind it,
 * regwaysim and the tests a script.
 *
 * A route lives from reg_route_new() to reg_route_end(), the whole call long: it counts
 * against the limits of MaxCalls, and keeps the configuration it was made under, so that
 * a reload changes nothing for it.
 */
#ifndef RG_REG_ROUTE_H
#define RG_REG_ROUTE_H

#include "reg/port.h"

/* What a request from outside is judged by.  Strings are never NULL ("": not there), are
 * without escapes, and are valid during the call only. */
struct reg_arrival {
	uint8_t method;		/* enum rg_method */
	uint32_t interface;	/* position in conf.sip_interface */
	uint16_t own_port;	/* an account's own UDP port it came to; 0: the interface's */
	struct rg_addr source;	/* transport included */
	const char *uri_user, *uri_host; /* of the Request-URI; of tel: the number, "" */
	const char *token;	/* its "rg" parameter */
	const char *to_user, *from_user, *from_host;
	const char *asserted, *preferred; /* user of P-Asserted-Identity, P-Preferred-Identity */
};

/* Who sent it. */
struct reg_source {
	bool known;		/* else answer with UnknownSourceResponse; 0: not at all */
	uint16_t unknown;	/* that response */
	const char *group;	/* IP group or trunk group; valid until the next reload */
	/* The group wants digest authentication of what it sends (UsernameAsServer);
	 * "": no.  Valid as group. */
	const char *username, *password, *realm;
};
/* O(1) in the number of accounts and groups. */
void reg_route_source(struct reg_engine *, const struct reg_arrival *, struct reg_source *);

/* ---- legs ---------------------------------------------------------------------- */

enum reg_media { REG_MEDIA_DIRECT, REG_MEDIA_REFUSE, REG_MEDIA_CONTINUE }; /* anchored: what
				* becomes of a call while nothing can anchor it */

/* The next server to ask, and how the request reads there.  Strings are never NULL
 * unless said so; "": keep what the request has; valid during go() only, but for
 * username and password, which are valid until the next go() or reg_route_end(). */
struct reg_leg {
	bool to_serving;	/* else towards the served side, or between two groups */
	struct rg_addr server;
	const char *tls_name;	/* configured domain, for SNI and the certificate, or "";
				 * valid as long as the engine */
	uint32_t interface;	/* position in conf.sip_interface of the present configuration */
	uint16_t local_port;	/* own UDP port of the account; 0: the interface's */
	const char *request_user; /* of the Request-URI; a served PBX gets what was dialled */
	const char *request_host; /* port included if it has one */
	const char *from_user, *from_host; /* of From */
	const char *to_host;
	const char *contact_user;
	const char *contact_address; /* "local", "received" or address[:port] */
	const char *contact_params;  /* URI parameters, or "" */
	/* Whole URI, escaped, for P-Asserted-Identity, P-Preferred-Identity, to stand instead of
	 * what the request has. */
	const char *asserted, *preferred;
	const char *headers;	/* whole lines to add, or "" */
	/* The first P-Associated-URI of dialogue, where there is one, stands for asserted, or
	 * for preferred where that is given (EnablePAssociatedURIHeader). */
	bool associated_uri;
	uint8_t gruu;		/* enum reg_gruu: that of the registration is our Contact on
				 * the serving side's leg, whichever that is */
	bool security;		/* with the Security-Verify of dialogue */
	bool initial_route;	/* a Route to the server itself (UseInitialRoute) */
	bool service_route;	/* the Service-Route of dialogue counts */
	/* The account's: nonces and Service-Route; "" and NULL if there is no account.  Valid
	 * during go() only. */
	struct reg_dialogue *dialogue;
	const char *username, *password; /* "": challenges go to the caller */
	bool keep_nonce;	/* SIPChallengeCachingMode: use and leave nonces in dialogue */
	bool follow_redirect;	/* 3xx: ask this server again for the new target; else pass it on */
	uint32_t budget_ms;	/* no answer by then (INVITE: not even a 1xx): code 0 */
	uint8_t retransmissions; /* UDP: most repetitions; 255: as RFC 3261 has it */
	uint8_t media;		/* enum reg_media */
	uint32_t longest;	/* s that a call may last, 0: no limit (MaxCallDuration) */
	/* The other leg, where the caller is: user of our Contact towards it (NULL or "": that
	 * of its Request-URI), and what challenges on it are met with when it is the serving
	 * side (NULL or "": they go to the other end; valid as username). */
	const char *caller_user, *caller_username, *caller_password;
	const char *caller_address; /* as contact_address, of our Contact there; NULL: local */
	const char *caller_tls_name; /* as tls_name, of the server that called; NULL or "":
				      * it is none, or its name is not known */
	bool from_serving;	/* the caller is the account's serving side */
};

struct reg_refusal {
	uint16_t code;		/* 0: say nothing */
	const char *reason;	/* NULL: the usual one */
	uint32_t retry_after;	/* s, 0: no such header */
};

struct reg_route;

/* Exactly one of them follows reg_route_new() and each reg_route_answered() with a code
 * that is no 2xx; maybe from inside, maybe much later (a call that waits for its
 * account's registration).  After refuse, reg_route_end() is still the caller's to call. */
struct reg_route_h {
	void (*go)(void *arg, struct reg_route *, const struct reg_leg *);
	void (*refuse)(void *arg, struct reg_route *, const struct reg_refusal *);
};

/* Never NULL.  h must outlive the route; arg is given back.  Nothing is called from
 * inside: the first word comes with reg_route_begin(). */
struct reg_route *reg_route_new(struct reg_engine *, const struct reg_arrival *,
				const struct reg_route_h *, void *arg);
void reg_route_begin(struct reg_route *);
/* The final answer of the server asked last; code 0: none came; retry_after s, 0 none.
 * After a 2xx nothing follows. */
void reg_route_answered(struct reg_route *, uint16_t code, const char *reason,
			uint32_t retry_after);
/* The caller gave up, or the call is over.  Nothing is told any more. */
void reg_route_end(struct reg_route *);

/* What is known of it, for the records and "regwayctl calls"; valid until it ends. */
struct reg_route_info {
	const char *account;	/* name, "" none */
	const char *from_group, *to_group;
	const char *rule;	/* how it was found: "port", "token", "Request-URI user", "To user",
				 * "source", "pair", "route N" ... */
	bool to_serving;
	bool admitted;		/* the account's policies let it in */
	struct rg_addr server;	/* asked last; family 0: none */
	uint8_t servers;	/* asked so far */
	const char *policy;	/* who decided last, and what: "ims_search: refuse 480"; "" */
};
void reg_route_info(const struct reg_route *, struct reg_route_info *);

/* What the network keeps of the account it is for, on whichever side: its nonces outlive the
 * call.  NULL: there is none, or it is gone.  Valid during the turn. */
struct reg_dialogue *reg_route_dialogue(const struct reg_route *);

/* Is this the address of a server of the account's proxy set, or, without an account, of the
 * group asked (caller: of the group it came from)?  The port does not count. */
bool reg_route_serves(const struct reg_route *, bool caller, const struct rg_addr *);

/* As reg_route_new(), for a script that says which account a call is of: from its served
 * group (out), or from its serving group.  NULL: there is no such account. */
struct reg_route *reg_route_of(struct reg_engine *, const char *account, bool out,
			       const struct reg_arrival *, const struct reg_route_h *,
			       void *arg);

/* Calls (routes of INVITE) now alive. */
uint32_t reg_route_calls(const struct reg_engine *);

#endif
