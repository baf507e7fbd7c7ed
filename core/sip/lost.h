/*
 * lost.h -- connections of ours that broke, told after a short random wait: a server that
 * restarts is not met by all its clients at once, and one that ends each connection as it
 * opens does not keep us busy.
 */
#ifndef RG_SIP_LOST_H
#define RG_SIP_LOST_H

#include "sip/transport.h"

struct sip_lost;

struct sip_lost *sip_lost_new(struct sip_carrier *);
void sip_lost_free(struct sip_lost *); /* nobody is told any more */
/* env.disconnected later, once for all that break meanwhile. */
void sip_lost_add(struct sip_lost *, uint32_t interface, const struct rg_addr *peer);

#endif
