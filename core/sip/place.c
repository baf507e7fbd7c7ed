#include "sip/place.h"

#include <errno.h>

#include "regway/plugin.h"

unsigned sip_places(const struct sip_interface *i, struct rg_addr at[2])
{
	if (i->closed)
		return 0;
	at[0] = i->addr;
	at[1] = i->addr6;
	if (!i->addr.family) {
		at[0].family = 4;
		if (!i->addr6.family)
			at[1].family = 6;
	}
	return at[1].family ? 2 : 1;
}

bool sip_place_of(const struct sip_interface *i, uint8_t family, struct rg_addr *at)
{
	struct rg_addr two[2];
	unsigned n = sip_places(i, two);

	for (unsigned k = 0; k < n; k++)
		if (two[k].family == family) {
			*at = two[k];
			return true;
		}
	return false;
}

bool sip_on_place(const struct sip_interface *i, const struct rg_addr *addr)
{
	struct rg_addr at;

	return sip_place_of(i, addr->family, &at) && rg_addr_same_ip(&at, addr);
}

bool sip_on_places(const struct sip_interface *is, size_t n, const struct rg_addr *addr)
{
	for (size_t i = 0; i < n; i++)
		if (sip_on_place(&is[i], addr))
			return true;
	return false;
}

bool sip_place_optional(const struct sip_interface *i, const struct rg_addr *at, int err)
{
	return !i->addr.family && !i->addr6.family && at->family == 6 &&
	       (err == EAFNOSUPPORT || err == EADDRNOTAVAIL);
}

uint16_t sip_port_of(const struct sip_interface *i, uint8_t transport)
{
	return transport == RG_UDP ? i->udp : transport == RG_TCP ? i->tcp : i->tls;
}
