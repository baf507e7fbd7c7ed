/*
 * transaction.h -- client and server transactions (RFC 3261 17, RFC 4320, RFC 6026)
 * on our timers.  No sockets: what is sent goes through struct sip_wire, so that all
 * of it runs in virtual time.
 *
 * A client transaction's branch names its slot and a random key, so an answer finds
 * it without a table, and one that nobody waits for any more is known as such without
 * any state being kept (there is no timer K).
 */
#ifndef RG_SIP_TRANSACTION_H
#define RG_SIP_TRANSACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timer.h"
#include "sip/buf.h"
#include "sip/hop.h"
#include "sip/precheck.h"
#include "sip/transport.h"

enum {
	SIP_T1_MS = 500, SIP_T2_MS = 4000, SIP_T4_MS = 5000, SIP_64T1_MS = 64 * SIP_T1_MS,
	SIP_BRANCH = 31,	     /* characters of one */
	SIP_CLIENTS_MOST = 1 << 20,  /* slots */
	SIP_SERVERS_MOST = 262144,   /* server transactions kept: 2,500 calls a second, 32 s each
				      * for INVITE and BYE */
	SIP_SERVERS_OWN_MOST = 16384, /* of them without a handler: the gateway's own answers,
				      * which would be the same again */
	SIP_RETRANSMIT_RFC = 255,    /* as often as there is time for */
};

struct sip_wire {
	int (*send)(void *arg, const struct sip_hop *, struct sip_buf *);
	/* No answer came over a connection in the time a request was given; may be NULL. */
	void (*silent)(void *arg, const struct sip_hop *, rg_ms since);
	void *arg;
};

struct sip_ta;
struct sip_ta *sip_ta_new(struct rg_timers *, struct sip_pool *, struct sip_stats *,
			  const struct sip_wire *);
/* No handler is called; nothing of it may be used afterwards. */
void sip_ta_free(struct sip_ta *);

/* ---- client ----------------------------------------------------------------------- */

struct sip_client;

enum sip_outcome {
	SIP_PROVISIONAL, /* 1xx */
	SIP_FINAL,	 /* INVITE: of a 2xx there may be more, each is told */
	SIP_TIMEOUT,	 /* the budget is used up; a late answer may still come */
	SIP_FAILED,	 /* refused, unreachable, the connection broke */
	SIP_LATE,	 /* a final answer after SIP_TIMEOUT; of INVITE, a 2xx is to be
			  * acknowledged as ever, a refusal has been, and a 1xx made us CANCEL */
	SIP_GONE,	 /* INVITE after its final answer, or SIP_TIMEOUT: nothing more comes */
};

struct sip_event {
	enum sip_outcome outcome;
	int err;			/* SIP_FAILED */
	const struct sip_head *answer;	/* or NULL */
	const struct sip_hop *from;	/* of the answer */
};

/* Inside, sip_client_again or sip_client_stop may be called.  Otherwise the client is
 * gone on return after SIP_FINAL (not of INVITE), SIP_FAILED, SIP_LATE and SIP_GONE. */
typedef void (sip_client_h)(struct sip_client *, const struct sip_event *, void *arg);

/* NULL: too many.  hop is copied. */
struct sip_client *sip_client_new(struct sip_ta *, const struct sip_hop *, bool invite,
				  sip_client_h *, void *arg);
/* What stands in its Via; not terminated. */
void sip_client_branch(const struct sip_client *, char out[SIP_BRANCH]);
/* Send buf (the reference is taken over, also on failure) and wait for an answer,
 * until budget_ms from now; most: repetitions over UDP.  0 or an errno: then the
 * client is as before, and to be stopped.  The handler is not called from inside. */
int sip_client_send(struct sip_client *, struct sip_buf *buf, uint32_t budget_ms,
		    uint8_t most);
/* From the handler at SIP_FINAL: it shall live on as a new transaction, with another
 * branch.  Returns what was sent, or a copy where the old one is still needed: the caller
 * owns it, edits it and sends it.  INVITE: the answer it had is acknowledged again if it
 * comes again. */
struct sip_buf *sip_client_again(struct sip_client *);
/* Forget it; nothing is told any more.  NULL is fine. */
void sip_client_stop(struct sip_client *);
/* Its owner goes away: nothing is told any more, but what must still be acknowledged or
 * repeated is, until it is over; an INVITE without a final answer is cancelled.  NULL is
 * fine. */
void sip_client_leave(struct sip_client *);
/* INVITE: CANCEL it, now or once a 1xx has come (RFC 3261 9.1), as a transaction of its own
 * that ends with its answer, the INVITE's final answer, or after 64 T1; the INVITE ends with
 * SIP_TIMEOUT if it has no final answer 64 T1 after the CANCEL.  headers: whole lines for
 * it (Reason), or n 0. */
void sip_client_cancel(struct sip_client *, struct span headers);

/* NULL once released: after the final answer of an INVITE, or SIP_TIMEOUT, was told. */
const struct sip_buf *sip_client_sent(const struct sip_client *);
const struct sip_hop *sip_client_hop(const struct sip_client *);
struct sip_pool *sip_client_pool(const struct sip_client *);
bool sip_client_repeated(const struct sip_client *); /* since sip_client_new */
rg_ms sip_client_deadline(const struct sip_client *);

/* A response came.  false: it belongs to nothing. */
bool sip_ta_response(struct sip_ta *, const struct sip_hop *, const struct sip_head *);
/* As sip_transport_env.failed tells it.  An ICMP error that does not say for which request it
 * is takes a search among all: not more than 50 a second, since anybody can forge them. */
void sip_ta_failed(struct sip_ta *, uint32_t socket, const struct rg_addr *peer, int err,
		   const char *quoted, size_t n);
size_t sip_ta_clients(const struct sip_ta *); /* in use */

/* ---- server ----------------------------------------------------------------------- */

struct sip_server;

enum sip_server_event {
	SIP_SERVER_CANCEL, /* a CANCEL came for the INVITE */
	SIP_SERVER_ACK,	   /* of a non-2xx answer */
	SIP_SERVER_GONE,   /* last event: over, or nobody acknowledged */
};
typedef void (sip_server_h)(struct sip_server *, enum sip_server_event, void *arg);

/* true: the request was one we know (repeated, or an ACK) and is dealt with. */
bool sip_ta_request(struct sip_ta *, const struct sip_hop *, const struct sip_head *);
/* RFC 3261 8.2.2.2: a request outside a dialog that has come another way already (same From
 * tag, Call-ID and CSeq, another branch), has a handler and was not refused; to be answered
 * 482.  With another Request-URI it is none: an account's Contact is a UAS of its own, and a
 * proxy may ask two of them at once. */
bool sip_ta_merged(const struct sip_ta *, const struct sip_head *);
/* A new request that is not ACK.  NULL: too many; answer it without state. */
struct sip_server *sip_server_new(struct sip_ta *, const struct sip_hop *,
				  const struct sip_head *, sip_server_h *, void *arg);
/* Send an answer (the reference is taken over); a final one ends it, in time.  A 2xx to
 * INVITE may be sent again, as its user must (RFC 3261 13.3.1.4, RFC 6026 7.1): it is not
 * kept here.  Any other answer after a final one is dropped (17.2.2). */
void sip_server_reply(struct sip_server *, uint16_t code, struct sip_buf *);
/* Its owner goes away: nothing is told any more; one without a final answer is forgotten.
 * NULL is fine. */
void sip_server_leave(struct sip_server *);
/* The INVITE transaction a CANCEL is for, or NULL. */
struct sip_server *sip_ta_cancelled(struct sip_ta *, const struct sip_head *);
/* Tell its owner so, if it has one; it may look at the CANCEL meanwhile. */
void sip_server_cancel(struct sip_server *, const struct sip_head *);
const struct sip_head *sip_server_cancelling(const struct sip_server *);
/* Equal for a request and its repetitions, and not to be guessed; also good for a tag. */
void sip_request_key(const struct sip_ta *, const struct sip_head *, struct span method,
		     uint64_t key[2]);
/* Mix s into a key that began with random bits: for what others choose, and hash tables. */
void sip_key_add(uint64_t key[2], struct span s);
size_t sip_ta_servers(const struct sip_ta *);

/* Where the answer to a request goes: RFC 3261 18.2.2, RFC 3581; maddr is ignored. */
struct sip_hop sip_reply_hop(const struct sip_hop *, const struct sip_head *);

/* ---- between client.c and server.c ------------------------------------------------- */

struct sip_clients;
struct sip_servers;

struct sip_ta {
	struct rg_timers *timers;
	struct sip_pool *pool;
	struct sip_stats *stats;
	struct sip_wire wire;
	rg_ms second;	   /* the present one of searches that ICMP errors set off */
	unsigned searches; /* in it */
	struct sip_clients *clients;
	struct sip_servers *servers;
};
struct sip_clients *sip_clients_new(void);
void sip_clients_free(struct sip_ta *);
struct sip_servers *sip_servers_new(void);
void sip_servers_free(struct sip_ta *);

#endif
