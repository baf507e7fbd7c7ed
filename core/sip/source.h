/* source.h -- which of our addresses the kernel would use towards a peer. */
#ifndef RG_SIP_SOURCE_H
#define RG_SIP_SOURCE_H

#include "base/timer.h"
#include "sip/hop.h"

struct sip_sources;

struct sip_sources *sip_sources_new(struct rg_timers *);
void sip_sources_free(struct sip_sources *);
/* Family, ip and scope of *local; known for half a minute.  0 or an errno. */
int sip_source(struct sip_sources *, const struct rg_addr *peer, struct rg_addr *local);
void sip_sources_forget(struct sip_sources *);
/* Addresses or routes have changed: is one of those told since another one now? */
bool sip_sources_changed(struct sip_sources *);

#endif
