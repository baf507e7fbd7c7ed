/* uas.h -- what becomes of requests from outside (RFC 3261 8.2, 9.2, 11.2, 21.4.1). */
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
};

/* A request that passed the pre-check. */
void sip_uas_request(struct sip_uas *, const struct sip_hop *, const struct sip_head *);
/* An answer of our own, in a server transaction or, stateless, without one. */
void sip_uas_answer(struct sip_uas *, const struct sip_hop *, const struct sip_head *,
		    uint16_t code, const char *reason, const char *headers, bool stateless);
/* One that did not, but can be answered: 400 or 505. */
void sip_uas_refuse(struct sip_uas *, const struct sip_hop *, const struct sip_head *,
		    uint16_t code, const char *reason);

#endif
