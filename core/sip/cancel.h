/*
 * cancel.h -- the CANCEL of an INVITE client transaction: a non-INVITE transaction of its
 * own (RFC 3261 9.1, 17.1.2) that shares the INVITE's branch, so its answers come there.
 */
#ifndef RG_SIP_CANCEL_H
#define RG_SIP_CANCEL_H

#include "sip/transaction.h"

struct sip_cancel;

/* Sends it (the reference is taken over), and again until it is answered, at most for
 * 64 T1; what becomes of the INVITE is not its business.  hop is copied. */
struct sip_cancel *sip_cancel_new(struct sip_ta *, const struct sip_hop *, struct sip_buf *);
void sip_cancel_answered(struct sip_cancel *, uint16_t code);
void sip_cancel_free(struct sip_cancel *); /* NULL is fine */

#endif
