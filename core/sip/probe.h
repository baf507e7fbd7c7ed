/* probe.h -- what register.c and probe.c share: starting an attempt. */
#ifndef RG_SIP_PROBE_H
#define RG_SIP_PROBE_H

#include "sip/register.h"

struct sip_route {
	uint32_t interface;
	uint16_t local_port;
	const struct rg_addr *server;
	const char *tls_name;
};

const struct sip_register_env *sip_register_env(const struct sip_register *);
struct sip_attempt *sip_attempt_new(struct sip_register *, uint64_t token);
void sip_attempt_free(struct sip_attempt *);
void sip_register_seen(struct sip_register *, const struct sip_hop *, const struct sip_head *);
/* Gives it a client; 0 or an errno. */
int sip_attempt_route(struct sip_attempt *, const struct sip_route *, sip_client_h *);
/* Sends it unless err; on failure the attempt is gone. */
int sip_attempt_start(struct sip_attempt *, struct sip_buf *, uint32_t budget_ms, int err);

#endif
