/* slot.h -- where client transactions live; for the transaction layer only. */
#ifndef RG_SIP_SLOT_H
#define RG_SIP_SLOT_H

#include "sip/cancel.h"
#include "sip/transaction.h"

enum sip_client_state {
	CLIENT_FREE, CLIENT_NEW, CLIENT_CALLING, CLIENT_PROCEEDING,
	CLIENT_COMPLETED, CLIENT_ACCEPTED, CLIENT_LINGERING,
};

struct sip_client {
	struct sip_ta *ta;
	struct rg_timer timer;
	struct sip_hop hop;
	struct sip_buf *buf;
	char *ack;		   /* of its refusal, as sip_message_ack_kept() has it */
	struct sip_cancel *cancel; /* what was sent */
	struct sip_buf *unsent;	   /* CANCEL that waits for a 1xx */
	sip_client_h *h;
	void *arg;
	rg_ms started, deadline, next; /* next: repetition */
	uint32_t slot, key, interval, born;
	uint32_t key_before; /* INVITE: of the transaction before sip_client_again(), whose */
	char *ack_before;    /* final answer may come again; 0, NULL: none */
	uint8_t state, left;
	bool invite, reliable, repeated, cancelled;
	struct sip_client *spare;
};

/* A free slot with a key of its own, state NEW; NULL: too many. */
struct sip_client *sip_slot_take(struct sip_ta *);
void sip_slot_give_back(struct sip_client *);
/* Another key, so that the old branch finds it no more. */
void sip_slot_rename(struct sip_client *);
struct sip_client *sip_slot_at(const struct sip_ta *, uint32_t slot); /* NULL: beyond the last */
/* The transaction that was sent with this branch (SIP_BRANCH characters), or NULL; *before:
 * it is the one before sip_client_again(). */
struct sip_client *sip_slot_find(const struct sip_ta *, const char *branch, bool *before);
uint32_t sip_slot_born(const struct sip_ta *); /* of the youngest */

#endif
