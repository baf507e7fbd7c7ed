/*
 * register.h -- the REGISTER client: one attempt at one server, challenges included
 * (RFC 3261 10.2, RFC 7616, RFC 3327, RFC 3608, RFC 6140, TS 24.229 5.1.1), and the
 * probes that ask whether a server lives.  What to make of an answer is the account
 * engine's business.
 */
#ifndef RG_SIP_REGISTER_H
#define RG_SIP_REGISTER_H

#include "reg/port.h"
#include "sip/transaction.h"

struct sip_register_env {
	struct sip_ta *ta;
	struct sip_transport *transport;
	struct sip_pool *pool;
	struct rg_timers *timers;
	void (*answered)(void *arg, uint64_t token, const struct reg_answer *);
	void (*probed)(void *arg, uint64_t token, uint16_t code);
	/* The server sees us at another address than when it was probed before. */
	void (*seen_elsewhere)(void *arg, uint32_t interface, const struct rg_addr *server);
	void *arg;
};

struct sip_register;
struct sip_register *sip_register_new(const struct sip_register_env *);
void sip_register_free(struct sip_register *); /* memos are the dialogues' */

/* As struct reg_port has them. */
int sip_register_send(struct sip_register *, const struct reg_message *);
int sip_register_probe(struct sip_register *, const struct reg_probe *);
bool sip_register_forget(struct sip_register *, uint64_t token);
/* Give up all that is on its way for a dialogue: nobody will be there to hear of it. */
void sip_register_drop(struct reg_dialogue *);

#endif
