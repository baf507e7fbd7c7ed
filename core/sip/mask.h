/*
 * mask.h -- messages as they may be shown: without credentials, keys of media, and what
 * credentials are made from.
 */
#ifndef RG_SIP_MASK_H
#define RG_SIP_MASK_H

#include <glib.h>
#include <stddef.h>

/* A message, or whatever came, with the secrets in it as ***; the caller frees it.
 * Authorization, Proxy-Authorization, a=crypto (RFC 4568) and a=key-mgmt (RFC 4567) lose their
 * values; challenges and Authentication-Info lose nonces, opaque and digests (RFC 7616): whose
 * trace is read by others must not lend them a digest that is still good. */
GString *sip_mask(const char *data, size_t len);

#endif
