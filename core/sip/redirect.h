/* redirect.h -- a REGISTER that its server sends elsewhere (RFC 3261 8.1.3.4, 21.3). */
#ifndef RG_SIP_REDIRECT_H
#define RG_SIP_REDIRECT_H

#include "sip/attempt.h"

/* From the handler: follow a 300, 301, 302 or 305 to the first address that it names, if it may
 * be followed: as often as the message allows, over the same transport (UDP or TCP), never to
 * where it has been, and never to a name.  true: a new client of the attempt is on its way. */
bool sip_attempt_redirected(struct sip_attempt *, const struct sip_head *, sip_client_h *);

#endif
