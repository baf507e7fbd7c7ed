/* place.h -- where an interface is: an address, one of each family, or all of them. */
#ifndef RG_SIP_PLACE_H
#define RG_SIP_PLACE_H

#include "sip/transport.h"

/* The addresses it is on (all zero: every one of the family); returns how many. */
unsigned sip_places(const struct sip_interface *, struct rg_addr at[2]);
/* The one for that family; false: there is none. */
bool sip_place_of(const struct sip_interface *, uint8_t family, struct rg_addr *at);
bool sip_on_place(const struct sip_interface *, const struct rg_addr *);
bool sip_on_places(const struct sip_interface *, size_t n, const struct rg_addr *);
/* IPv6 is not on every machine: where an interface is on every address, it is had where it
 * can be, and this error of opening it is none. */
bool sip_place_optional(const struct sip_interface *, const struct rg_addr *at, int err);
uint16_t sip_port_of(const struct sip_interface *, uint8_t transport); /* 0: none */

#endif
