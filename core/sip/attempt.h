/*
 * attempt.h -- one attempt of the REGISTER client at one server, and what REGISTERs, SUBSCRIBEs
 * and probes have in common: attempt.c makes it and meets challenges, request.c writes its
 * message, register.c, subscribe.c and probe.c make of its answers what they are for.
 */
#ifndef RG_SIP_ATTEMPT_H
#define RG_SIP_ATTEMPT_H

#include "sip/register.h"

enum {
	SIP_CHALLENGES_MOST = 2, /* answered in one attempt, by each server */
	SIP_REDIRECTS_MOST = 3,	 /* followed in one attempt */
};

struct sip_subscription;

/* One attempt, from send_register, send_probe or subscribe to its last word. */
struct sip_attempt {
	struct sip_register *owner;
	struct sip_client *client;
	struct sip_attempt *spare;
	uint64_t token;
	uint32_t life; /* never the same twice, where the address may be */
	struct reg_dialogue *dialogue; /* NULL: a probe */
	struct sip_memo *own; /* of a good-bye to a server that was left; NULL: the dialogue's */
	struct sip_attempt *next, **before; /* among those of the dialogue */
	struct sip_subscription *subscription; /* NULL: not a SUBSCRIBE */
	const char *method;
	uint32_t *cseq;			       /* counted up by each request */
	void (*ended)(struct sip_attempt *);   /* before it is freed; or NULL */
	const char *username, *password; /* "" once answered */
	uint32_t asked;			 /* expires */
	uint8_t retransmissions, challenges;
	bool security;	/* mediasec (draft-dawes-sipcore-mediasec-parameter) */
	bool flow;	/* with a reg-id (RFC 5626) */
	uint8_t gruu;	/* enum reg_gruu */
	uint8_t redirects, redirects_most;
	struct rg_addr been[SIP_REDIRECTS_MOST]; /* who sent it elsewhere */
	bool received, all_contacts, empty_authorization;
	bool moved; /* it was sent once more, with the address that the server saw */
	char contact_token[16];
	/* where things are in what was sent */
	uint16_t branch_at, uri_at, uri_len; /* uri: of our Contact; len 0: none */
	uint16_t host_at, host_len;	     /* in it */
	uint16_t tail_at;		     /* CSeq and what follows */
	char *left;  /* URI of a Contact that is taken back; NULL: none */
};

struct sip_route {
	uint32_t interface;
	uint16_t local_port;
	const struct rg_addr *server;
	const char *tls_name;
};

const struct sip_register_env *sip_register_env(const struct sip_register *);
/* An answer to a probe came: it tells of our own address. */
void sip_register_seen(struct sip_register *, const struct sip_hop *, const struct sip_head *);

struct sip_attempt *sip_attempt_new(struct sip_register *, uint64_t token);
void sip_attempt_free(struct sip_attempt *);
/* Gives it a client; 0 or an errno. */
int sip_attempt_route(struct sip_attempt *, const struct sip_route *, sip_client_h *);
/* Sends it unless err; on failure the attempt is gone. */
int sip_attempt_start(struct sip_attempt *, struct sip_buf *, uint32_t budget_ms, int err);

/* What Security-Server says counts for what is sent next.  true: it is news. */
bool sip_attempt_security(struct sip_attempt *, const struct sip_head *);
/* Take in the challenge of a 401 or 407.  SIP_REFUSED: the credentials are bad, or we have
 * none or no algorithm for it; SIP_WORN_OUT: the server never ceases to call our nonces
 * stale. */
enum sip_met { SIP_MET, SIP_REFUSED, SIP_WORN_OUT };
enum sip_met sip_attempt_challenged(struct sip_attempt *, const struct sip_head *);
/* From the handler: send it again within what is left of the budget, with credentials and
 * a new end.  0 or an errno. */
int sip_attempt_retry(struct sip_attempt *);
/* What is known of the server that was asked; NULL: the account is with another one. */
struct sip_memo *sip_attempt_memo(struct sip_attempt *);
/* Fill in what a request for an account has. */
void sip_attempt_describe(struct sip_attempt *, const struct reg_message *);
/* The one that is on its way with this token, or NULL. */
struct sip_attempt *sip_attempt_find(const struct sip_register *, uint64_t token);
/* Value of Retry-After or Min-Expires, s; 0: not given. */
uint32_t sip_seconds(const struct sip_head *, enum sip_field);

struct out;
/* "sip:USER@HOST" of the address of record. */
void sip_request_aor(struct out *, const struct reg_message *);
/* The whole message; the branch is that of a->client.  0, EINVAL (a string that may not
 * stand in a header), E2BIG or ENOMEM. */
int sip_request_build(struct sip_attempt *, const struct reg_message *,
		      struct sip_buf **);
/* Write CSeq, credentials and the end anew; *bp may be replaced by a larger one. */
int sip_request_tail(struct sip_attempt *, struct sip_buf **bp);
/* Is the Contact that was sent not at the address the server saw?  Then it will be taken
 * back by what is sent next. */
bool sip_request_moved(struct sip_attempt *);
/* Make what was sent the message of a new transaction, after a challenge. */
int sip_request_again(struct sip_attempt *, struct sip_buf **bp);

#endif
