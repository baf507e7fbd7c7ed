/*
 * stack.h -- the SIP layer as the daemon sees it: interfaces in, struct reg_port out.
 */
#ifndef RG_SIP_STACK_H
#define RG_SIP_STACK_H

#include "reg/port.h"
#include "sip/loop.h"
#include "sip/precheck.h"
#include "sip/transport.h"

struct sip_stack;

/* engine may be NULL at first: answers are dropped until sip_stack_engine().  dns: name
 * servers as resolver_new() takes them, NULL for those of resolv.conf.  0 or an errno. */
int sip_stack_new(struct sip_stack **, struct sip_loop *, struct reg_engine *, const char *dns);
void sip_stack_engine(struct sip_stack *, struct reg_engine *);
/* Accounts must have dropped their dialogues before. */
void sip_stack_free(struct sip_stack *);

/* What the engine is to be given; valid as long as the stack. */
const struct reg_port *sip_stack_port(struct sip_stack *);

/* The TLS contexts from now on; connections that are up keep theirs.  Before the
 * interfaces, which have TLS ports only with a certificate. */
void sip_stack_contexts(struct sip_stack *, struct sip_tls_contexts *);
/* Make these the interfaces, at start and at reload: what stays the same is not
 * touched.  On failure nothing has changed and *bad (address, port, transport) is what
 * could not be had.  0 or an errno (EADDRINUSE, EADDRNOTAVAIL, EACCES ...). */
int sip_stack_interfaces(struct sip_stack *, const struct sip_interface *, size_t n,
			 struct rg_addr *bad);
bool sip_stack_moved(struct sip_stack *); /* sip_transport_moved() */
/* CRLF keep-alive of our connections (RFC 5626 4.4.1): about every so many ms, up to 20 %
 * earlier; one that gives no pong in 10 s is broken.  0 (at first): none. */
void sip_stack_ping(struct sip_stack *, uint32_t every_ms);
/* Name servers, "192.0.2.1,[2001:db8::1]:53": of all interfaces ("": those the stack began
 * with), and of their own by position ("" or NULL: the former).  0 or EINVAL. */
int sip_stack_name_servers(struct sip_stack *, const char *common, const char *const *own,
			   size_t n);
/* An account's own UDP port on an interface: it must be open before a request names it,
 * and is closed by hand or with the interface's address. */
int sip_stack_open(struct sip_stack *, uint32_t interface, uint16_t port);
void sip_stack_close(struct sip_stack *, uint32_t interface, uint16_t port);

/* Least receive buffer of the interfaces' UDP ports in bytes, as the kernel counts: a
 * datagram waiting there takes about 1.3 to 2.3 KiB of it.  0: no UDP port. */
uint32_t sip_stack_rcvbuf(const struct sip_stack *);
const struct sip_stats *sip_stack_stats(const struct sip_stack *);

/* What the last 2xx of this account's registrar said; NULL: nothing.  Comma-separated
 * values, valid until the next answer. */
const char *sip_stack_service_route(const struct reg_dialogue *);
const char *sip_stack_path(const struct reg_dialogue *);
const char *sip_stack_associated_uri(const struct reg_dialogue *);
const char *sip_stack_gruu(const struct reg_dialogue *); /* a URI */
const char *sip_stack_security(const struct reg_dialogue *); /* Security-Server */

/* Is this the Call-ID of the account's REGISTERs, or of its subscription? */
bool sip_stack_is_of(const struct reg_dialogue *, const char *call_id);

/* Each message as it passes, with the secrets in it masked (sip/mask.h); NULL ends it. */
typedef void (sip_stack_trace_h)(void *arg, bool sent, const struct rg_addr *local,
			   const struct rg_addr *peer, const char *data, size_t len);
void sip_stack_trace(struct sip_stack *, sip_stack_trace_h *, void *arg);

/* What the relay builds on; valid as long as the stack. */
struct sip_parts {
	struct sip_loop *loop;
	struct rg_timers *timers;
	struct sip_pool *pool;
	struct sip_transport *transport;
	struct sip_ta *ta;
	struct sip_stats *stats;
};
const struct sip_parts *sip_stack_parts(const struct sip_stack *);
/* As resolver_lookup() and resolver_cancel(); tokens of the engine have bit 63 clear, those
 * of others must have it set. */
typedef void (sip_resolved_h)(uint64_t token, const struct reg_resolved *, size_t n, void *arg);
int sip_stack_lookup(struct sip_stack *, const struct reg_lookup *, sip_resolved_h *, void *arg);
void sip_stack_lookup_cancel(struct sip_stack *, uint64_t token);

/* The gateway's own answer to a request, with a state of its own (or without any:
 * stateless): headers are whole lines or NULL, reason NULL the usual one. */
void sip_stack_reply(struct sip_stack *, const struct sip_hop *, const struct sip_head *,
		     uint16_t code, const char *reason, const char *headers, bool stateless);

/* Requests that are not the stack's own business: all but CANCEL, NOTIFY of a subscription
 * of ours, and OPTIONS to the gateway itself (no user in the Request-URI).  true: taken; else
 * the stack answers as RFC 3261 8.2 has it. */
typedef bool (sip_stack_request_h)(void *arg, const struct sip_hop *, const struct sip_head *);
void sip_stack_on_request(struct sip_stack *, sip_stack_request_h *, void *arg);

#endif
