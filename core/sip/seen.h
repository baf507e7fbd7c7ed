/* seen.h -- where servers see us come from, by the answers to probes: what a NAT makes of
 * our address, and that it makes something else of it. */
#ifndef RG_SIP_SEEN_H
#define RG_SIP_SEEN_H

#include "sip/hop.h"
#include "sip/precheck.h"

struct sip_seen;

struct sip_seen *sip_seen_new(void);
void sip_seen_free(struct sip_seen *);
/* The answer to what was sent that way; true: another address than the answer before told.
 * Connections are news by themselves and not looked at. */
bool sip_seen_changed(struct sip_seen *, const struct sip_hop *, const struct sip_head *answer);

#endif
