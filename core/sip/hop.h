/* hop.h -- where a message goes to or came from. */
#ifndef RG_SIP_HOP_H
#define RG_SIP_HOP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/addr.h"

/* local is what Via and Contact show: a real address even where the socket is bound
 * to every one, and the listening port even on a connection we opened. */
struct sip_hop {
	struct rg_addr local, peer;
	uint32_t socket; /* of the transport; never used again when it is gone */
	uint16_t back;	 /* port of the peer to which an answer goes when the connection that its
			  * request came over is gone (RFC 3261 18.2.2); 0: none */
};

union sip_sockaddr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* Returns the length; family 0 is every IPv4 address. */
socklen_t sip_sockaddr(union sip_sockaddr *, const struct rg_addr *);
/* The transport is left as it was. */
void sip_sockaddr_get(const union sip_sockaddr *, struct rg_addr *);
bool sip_addr_is_any(const struct rg_addr *);

#endif
