/* uas.h -- what becomes of requests from outside (RFC 3261 8.2, 9.2, 11.2, 21.4, 21.5). */
#ifndef RG_SIP_UAS_H
#define RG_SIP_UAS_H

#include "sip/stack.h"
#include "sip/subscribe.h"
#include "sip/transaction.h"

struct sip_uas {
	struct sip_ta *ta;
	struct sip_pool *pool;
	struct sip_subscriber *subscriber; /* or NULL */
	sip_stack_request_h *hook;
	void *hook_arg;
	rg_ms second;	  /* the present one of sip_uas_malformed() */
	unsigned refused; /* in it */
};

/* A request that passed the pre-check. */
void sip_uas_request(struct sip_uas *, const struct sip_hop *, const struct sip_head *);
/* An answer of our own, in a server transaction or, stateless, without one. */
void sip_uas_answer(struct sip_uas *, const struct sip_hop *, const struct sip_head *,
		    uint16_t code, const char *reason, const char *headers, bool stateless);
/* One that did not, but can be answered: 400, 414, 505 or 513.  No more than 200 a second
 * are: whoever floods us with them needs no answers. */
void sip_uas_malformed(struct sip_uas *, const struct sip_hop *, const struct sip_head *,
		       enum sip_verdict, const char *why);

#endif
