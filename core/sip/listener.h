/* listener.h -- a port where others connect to us, over TCP or TLS. */
#ifndef RG_SIP_LISTENER_H
#define RG_SIP_LISTENER_H

#include "sip/transport.h"

struct sip_listener;

/* Somebody has connected; fd is taken over. */
typedef void (sip_accepted_h)(void *arg, const struct sip_listener *, int fd,
			      const struct rg_addr *peer);

struct sip_listener {
	struct sip_carrier *c;
	int fd;
	uint32_t number;
	struct rg_addr bound;
	char *context; /* of TLS; NULL: "default" */
	int require;   /* must a client show a certificate; -1: as the context says */
	struct rg_timer pause;
	sip_accepted_h *accepted;
	void *arg;
};

/* bound: address, port and transport.  NULL: *err is why. */
struct sip_listener *sip_listener_new(struct sip_carrier *, const struct rg_addr *bound,
				      sip_accepted_h *, void *arg, int *err);
void sip_listener_free(struct sip_listener *);

#endif
