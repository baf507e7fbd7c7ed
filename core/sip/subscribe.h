/*
 * subscribe.h -- the subscriber of the reg event package (RFC 6665, RFC 3680): one
 * subscription an account, at the registrar that holds its binding.  When to subscribe,
 * and what to make of a notification, is the account engine's business.
 */
#ifndef RG_SIP_SUBSCRIBE_H
#define RG_SIP_SUBSCRIBE_H

#include "reg/port.h"
#include "sip/precheck.h"
#include "sip/register.h"
#include "sip/reginfo.h"

struct sip_subscriber_env {
	void (*subscribed)(void *arg, uint64_t token, uint16_t code, uint32_t expires,
			   uint32_t retry_after);
	void (*notified)(void *arg, const struct reg_dialogue *, const struct reg_notice *);
	void *arg;
};

struct sip_subscriber;
struct sip_subscriber *sip_subscriber_new(struct sip_register *,
					  const struct sip_subscriber_env *);
/* After sip_register_free; no dialogue may be used afterwards. */
void sip_subscriber_free(struct sip_subscriber *);

/* As reg_port.subscribe has it, to be forgotten by sip_register_forget.  Also EALREADY: one
 * is on its way; ENOENT: Expires 0, and there is nothing to end.  Where the dialogue has a
 * subscription at another server, or for another address of record, that one is dropped and
 * its notifier gets 481.  Of one that was ended nothing more is told, but for the answer. */
int sip_subscriber_send(struct sip_subscriber *, const struct reg_message *);
/* The dialogue goes away.  An Expires 0 on its way goes on without it. */
void sip_subscription_drop(struct reg_dialogue *);

/* What becomes of a NOTIFY. */
struct sip_notified {
	struct sip_subscription *subscription;
	uint16_t code;	     /* the answer */
	const char *headers; /* of it, whole lines, or NULL */
	struct reg_notice notice;
	char route[SIP_LINE_MOST];
};
/* Is it of a subscription of ours?  By Call-ID, which nobody can guess. */
bool sip_subscriber_knows(struct sip_subscriber *, const struct sip_head *);
/* Of one that it knows: judge and take in.  It is to be answered, and then told. */
void sip_subscriber_notify(struct sip_subscriber *, const struct sip_head *,
			   struct sip_notified *);
void sip_subscriber_tell(struct sip_subscriber *, const struct sip_notified *);

/* ---- between subscribe.c, notify.c and request.c -------------------------------------- */

enum { SIP_TARGET_MOST = 480, SIP_ROUTES_MOST = 16 };

struct sip_subscription {
	uint8_t id[16], tag[8]; /* Call-ID and our tag */
	struct sip_subscriber *owner;
	struct reg_dialogue *dialogue; /* NULL: its account has left it */
	struct sip_attempt *attempt;   /* on its way, or NULL */
	struct rg_addr server;
	uint32_t cseq, remote_cseq;
	bool notified; /* a NOTIFY made the dialog what it is (RFC 6665 4.4.1) */
	bool raised;   /* a 423 was met */
	bool ending;
	char *remote_tag, *target, *routes; /* of the dialog, NULL: none (yet) */
	char *aor, *contact;		    /* URIs as we sent them */
	struct reginfo_watch watch;
	/* of one that may outlive its account: */
	struct reg_dialogue own;
	char *username, *password;
};

struct sip_subscription *sip_subscription_of(struct sip_subscriber *, struct span call_id);
/* Its account hears and says no more of it. */
void sip_subscription_leave(struct sip_subscription *);
/* The dialog's other end: Contact, if it is any good; Record-Route, backwards in an answer.
 * false: a route that cannot be kept. */
void sip_subscription_target(struct sip_subscription *, const struct sip_head *);
bool sip_subscription_routes(struct sip_subscription *, const struct sip_head *, bool backwards);

#endif
