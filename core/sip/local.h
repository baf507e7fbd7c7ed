/*
 * local.h -- the local ports that are open: of interfaces, of accounts, and those that either
 * has left while something that began there goes on.
 */
#ifndef RG_SIP_LOCAL_H
#define RG_SIP_LOCAL_H

#include "sip/transport.h"

struct sip_local {
	struct rg_addr bound; /* all zero is every address of the family */
	uint32_t number;      /* of the UDP port or of the listener */
	bool used, own;	      /* by an interface; by an account */
	bool left;	      /* by its interface or account, for what began there */
};

struct sip_locals;

/* The carrier, UDP and TCP must outlive them; freeing them closes nothing. */
struct sip_locals *sip_locals_new(struct sip_carrier *, struct sip_udp *, struct sip_tcp *);
void sip_locals_free(struct sip_locals *);
void sip_locals_busy(struct sip_locals *, sip_transport_busy_h *, void *arg);

/* NULL: it is not open. */
struct sip_local *sip_local_find(const struct sip_locals *, const struct rg_addr *, uint16_t port,
				 uint8_t transport);
/* Find or open it.  0 or an errno; then *out is NULL. */
int sip_local_open(struct sip_locals *, const struct rg_addr *, uint16_t port, uint8_t transport,
		   struct sip_local **out);
/* The account of an own port wants it no more: it is closed, at once or when nothing that
 * began there is left. */
void sip_local_give_up(struct sip_locals *, struct sip_local *);

/* A port moves to another address, or to all of them: what is not used any more makes
 * way.  false: nothing did. */
bool sip_locals_make_way(struct sip_locals *, uint16_t port, uint8_t transport);
/* No interface uses any: those that do are marked next. */
void sip_locals_unmark(struct sip_locals *);
/* Close what is used no more; accounts' own ports go with their address, which is one of
 * these interfaces or none.  wait: not while something goes on that began there. */
void sip_locals_sweep(struct sip_locals *, const struct sip_interface *, size_t n, bool wait);
/* Least receive buffer of the UDP ports that interfaces use, bytes; 0: none. */
uint32_t sip_locals_rcvbuf(const struct sip_locals *);

#endif
