/* memo.h -- what is known of an account's last server: nonces, routes, our address. */
#ifndef RG_SIP_MEMO_H
#define RG_SIP_MEMO_H

#include "base/addr.h"
#include "reg/port.h"
#include "sip/digest.h"
#include "sip/precheck.h"

enum { SIP_MEMO_TEXT = 2048 }; /* most bytes kept of a list of URIs; of routes all or none */

struct sip_memo {
	struct rg_addr server;
	struct digest *www, *proxy;
	struct rg_addr seen; /* our address as the server saw it; family 0: not told */
	char *service_route, *path, *associated; /* values, comma-separated; NULL: none */
	char *security; /* Security-Server, each value once; NULL: none */
	char *gruu;	/* URI; NULL: none */
	bool no_outbound; /* it said 439: no reg-id for it (RFC 5626 11.6) */
};

/* The memo for this server: what was known of another one is dropped. */
struct sip_memo *sip_memo_for(struct reg_dialogue *, const struct rg_addr *server);
/* One beside the dialogue's. */
struct sip_memo *sip_memo_new(const struct rg_addr *server);
void sip_memo_free(struct sip_memo *); /* NULL is fine */
void sip_memo_drop(struct reg_dialogue *);
void sip_memo_forget_nonces(struct sip_memo *);
/* Replace the lists by those of a 2xx to REGISTER; the challenge's nextnonce, too. */
void sip_memo_take(struct sip_memo *, const struct sip_head *);
/* Replace what Security-Server says, where the answer has it; a challenge without it begins
 * anew.  true: it is news. */
bool sip_memo_security(struct sip_memo *, const struct sip_head *);
/* The GRUU of our binding (parameters of its Contact), one of enum reg_gruu. */
void sip_memo_gruu(struct sip_memo *, struct span params, uint8_t which);
/* received and rport of the topmost Via, else what we wrote there: where the peer saw a
 * request of ours come from (RFC 3581 4).  The transport is left as it was. */
bool sip_seen(const struct sip_head *, struct rg_addr *);
/* true: it is news. */
bool sip_memo_saw(struct sip_memo *, const struct sip_head *);

#endif
