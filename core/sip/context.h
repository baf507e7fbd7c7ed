/* context.h -- what context.c makes of a row and tls.c uses. */
#ifndef RG_SIP_CONTEXT_H
#define RG_SIP_CONTEXT_H

#include <openssl/ssl.h>

#include "sip/tls.h"

struct sip_tls_context {
	char *name;
	uint32_t index;
	SSL_CTX *client, *server;
	uint8_t verify; /* enum sip_verify */
	bool require, has_certificate;
};

/* Never NULL. */
const struct sip_tls_context *sip_tls_context_find(const struct sip_tls_contexts *,
						   const char *name);

#endif
