/*
 * port.h -- the seam between the account engine and the network.  The engine
 * calls struct reg_port; the network answers through the functions below.  The
 * daemon puts the SIP layer behind it, regwaysim and the tests a script.
 *
 * Nothing here blocks.  The network never answers from inside a call of the
 * engine: it answers later, from the event loop.
 */
#ifndef RG_REG_PORT_H
#define RG_REG_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "regway/plugin.h"

struct reg_engine;

/* What the network keeps for an account between requests; embedded in the
 * account, at a stable address until reg_port.drop is called for it. */
struct reg_dialogue {
	uint8_t id[16]; /* random, constant: Call-ID, From tag and Contact token come of it */
	uint32_t cseq;	/* last CSeq used; the network counts it up */
	void *memo;	/* the network's: nonce, Service-Route ...; NULL at first */
	void *attempts; /* the network's: requests that may still be answered */
	void *subscription; /* the network's: the dialog of the reg event package */
};

enum reg_gruu { REG_GRUU_NONE, REG_GRUU_PUBLIC, REG_GRUU_TEMPORARY };

/* One REGISTER (or SUBSCRIBE).  Strings are valid during the call only, but for
 * credentials. */
struct reg_message {
	uint64_t token;	      /* given back with the answer */
	const char *account;  /* its name, for traces */
	struct reg_dialogue *dialogue;
	struct rg_addr server;
	const char *tls_name;	 /* configured domain, for SNI and the certificate; "" */
	uint32_t interface;	 /* position in conf.sip_interface */
	uint16_t local_port;	 /* 0: the interface's own */
	const char *request_host; /* of the Request-URI, port included if it has one */
	const char *aor_user, *aor_host;
	const char *contact_user;   /* "": no user part */
	const char *contact_params; /* URI parameters, or "" */
	const char *contact_address; /* "local", "received" or address[:port] */
	const char *headers;	/* whole lines */
	const char *security_client; /* value of Security-Client, or "" */
	uint8_t gruu;		/* enum reg_gruu */
	uint8_t redirects;	/* most 3xx that are followed */
	bool flow;		/* reg-id and +sip.instance in the Contact */
	uint32_t expires;	/* s; 0: un-REGISTER */
	bool all_contacts;	/* Contact: * */
	bool empty_authorization, initial_route, keep_nonce;
	const char *username, *password; /* live until the answer; "" none */
	uint32_t budget_ms;	/* no final answer by then: code 0 */
	uint8_t retransmissions; /* UDP: most repetitions; 255: as RFC 3261 has it */
};

/* The end of a REGISTER: the final answer after challenges were met. */
struct reg_answer {
	uint16_t code; /* 0: none came, or the transport failed */
	bool transport_failed; /* code 0: refused, unreachable, connection broken */
	bool late;     /* came after the attempt had been answered with code 0 */
	bool bound;    /* 2xx: our Contact is in it, or the only one, or none is named */
	bool refused_credentials; /* 401/407 that will not be met by asking again */
	bool repeated; /* a retransmission was needed: the server is slow */
	uint32_t expires; /* 2xx: the granted lease, s; no Contact, no Expires: as asked */
	uint32_t retry_after, min_expires; /* s, 0: not given */
	struct rg_addr sent_to; /* who answered, after a 3xx of the server; family 0: itself */
	const char *reason; /* reason phrase, or words for code 0; valid during the call */
};

/* An OPTIONS or a REGISTER that asks whether a server lives.  The REGISTER binds nothing. */
struct reg_probe {
	uint64_t token;
	struct rg_addr server;
	const char *tls_name;
	uint32_t interface;
	const char *request_host;
	const char *user, *host; /* REGISTER for sip:user@host; user NULL: OPTIONS */
	const char *contact_host; /* OPTIONS: our name in From and Contact; "": our address */
	/* User of a Contact of its own, which it removes although it was never bound; NULL: no
	 * Contact, so that it only asks (RFC 3261 10.2.3). */
	const char *contact;
	uint32_t budget_ms;
	uint8_t retransmissions;
};

/* A NOTIFY of the reg event package (RFC 3680) about our Contact. */
struct reg_notice {
	uint8_t what;	 /* enum rg_notify; NONE: nothing about our Contact */
	uint32_t expires, retry_after; /* s, 0: not given */
	bool gap;	 /* a version is missing: ask for the full state */
	uint32_t left;	 /* of the subscription, s; 0: not given */
	bool terminated; /* it has ended */
	uint8_t reason;	 /* then, RFC 6665 4.1.3: enum reg_reason */
};
enum reg_reason {
	REG_R_NONE, REG_R_DEACTIVATED, REG_R_PROBATION, REG_R_REJECTED, REG_R_TIMEOUT,
	REG_R_GIVEUP, REG_R_NORESOURCE, REG_R_INVARIANT
};

struct reg_resolved {
	struct rg_addr addr;
	uint16_t priority, weight;
	uint32_t ttl; /* s */
	bool stale; /* the last good answer: its TTL is over, and lookups fail */
};

enum { REG_IPV4 = 1, REG_IPV6 = 2 };

struct reg_lookup {
	uint64_t token;
	const char *host;
	uint16_t port;	      /* 0: none configured */
	uint8_t transport;    /* enum rg_transport */
	bool transport_set;   /* configured, so NAPTR is not asked */
	uint8_t method;	      /* 0 A/AAAA, 1 SRV, 2 NAPTR, 3 SRV names of Skype for Business */
	bool again;	      /* not from the cache */
	uint32_t interface;   /* whose name servers are asked */
	uint8_t families;     /* wanted: REG_IPV4, REG_IPV6; 0: IPv4 */
	bool six_first;	      /* IPv6 before IPv4 of one name */
	uint8_t transports;   /* NAPTR: bits 1 << enum rg_transport; 0: all */
	uint32_t seed;	      /* one order of equal SRV records for each */
};

struct reg_port {
	void *arg;
	/* 0, or an errno when the request could not be sent at all; no answer then. */
	int (*send_register)(void *arg, const struct reg_message *);
	int (*send_probe)(void *arg, const struct reg_probe *);
	int (*resolve)(void *arg, const struct reg_lookup *);
	/* SUBSCRIBE for the reg event package, Expires 0 ends it; in the dialog kept in the
	 * dialogue if there is one with that server.  May be NULL: 0 or an errno. */
	int (*subscribe)(void *arg, const struct reg_message *);
	/* A UDP port of an account's own; 0 or an errno (EADDRINUSE ...).  May be NULL. */
	int (*open_port)(void *arg, uint32_t interface, uint16_t port);
	void (*close_port)(void *arg, uint32_t interface, uint16_t port);
	/* Nothing more about this token, not even a late answer. */
	void (*forget)(void *arg, uint64_t token);
	/* The dialogue goes away: free its memo.  What is in flight was forgotten. */
	void (*drop)(void *arg, struct reg_dialogue *);
	/* Credentials or identity changed: nonces and routes are worthless. */
	void (*renew)(void *arg, struct reg_dialogue *);
	/* Our address and port towards a server; false: no such interface. */
	bool (*local)(void *arg, uint32_t interface, uint16_t local_port,
		      const struct rg_addr *server, struct rg_addr *out);
};

/* ---- what the network calls ---------------------------------------------------- */

void reg_answered(struct reg_engine *, uint64_t token, const struct reg_answer *);
/* code 0: no answer. */
void reg_probed(struct reg_engine *, uint64_t token, uint16_t code);
/* The final answer to a SUBSCRIBE; code 0: none. */
void reg_subscribed(struct reg_engine *, uint64_t token, uint16_t code, uint32_t expires,
		    uint32_t retry_after);
void reg_notified(struct reg_engine *, const struct reg_dialogue *, const struct reg_notice *);
/* n 0: the name does not exist or could not be asked; the last good list stays. */
void reg_resolved(struct reg_engine *, uint64_t token, const struct reg_resolved *, size_t n);
/* A connection broke that nobody had asked to close. */
void reg_disconnected(struct reg_engine *, const struct rg_addr *server, uint32_t interface);
/* The server sees our requests come from another address than before: what is bound with
 * the address it saw (ContactAddress = received) is not there any more. */
void reg_seen_elsewhere(struct reg_engine *, const struct rg_addr *server, uint32_t interface);

#endif
