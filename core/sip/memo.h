/* memo.h -- what is known of an account's last server: nonces, routes, our address. */
#ifndef RG_SIP_MEMO_H
#define RG_SIP_MEMO_H

#include "base/addr.h"
#include "reg/port.h"
#include "sip/digest.h"
#include "sip/precheck.h"

enum { SIP_MEMO_TEXT = 2048 }; /* most bytes kept of a list of URIs */

struct sip_memo {
	struct rg_addr server;
	struct digest *www, *proxy;
	struct rg_addr seen; /* our address as the server saw it; family 0: not told */
	char *service_route, *path, *associated; /* values, comma-separated; NULL: none */
};

/* The memo for this server: what was known of another one is dropped. */
struct sip_memo *sip_memo_for(struct reg_dialogue *, const struct rg_addr *server);
void sip_memo_drop(struct reg_dialogue *);
void sip_memo_forget_nonces(struct sip_memo *);
/* Replace the lists by those of a 2xx to REGISTER; the challenge's nextnonce, too. */
void sip_memo_take(struct sip_memo *, const struct sip_head *);
/* received and rport of the topmost Via, else what we wrote there: where the peer saw a
 * request of ours come from (RFC 3581 4).  The transport is left as it was. */
bool sip_seen(const struct sip_head *, struct rg_addr *);
/* true: it is news. */
bool sip_memo_saw(struct sip_memo *, const struct sip_head *);

#endif
