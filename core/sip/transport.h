/*
 * transport.h -- carries messages: UDP ports and TCP and TLS connections of the local
 * interfaces.  It knows bytes and addresses, no SIP but the framing of streams.
 *
 * Nothing is told from inside a call: messages and failures come from the loop.
 */
#ifndef RG_SIP_TRANSPORT_H
#define RG_SIP_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sip/buf.h"
#include "sip/hop.h"
#include "sip/loop.h"

/* One local interface; main fills these from the configuration. */
struct sip_interface {
	uint32_t position;  /* what requests name it by */
	/* An interface is on one address, or on one of each family; family 0 of addr: every
	 * address, those of IPv6 only where this machine has it. */
	struct rg_addr addr, addr6; /* addr6.family 0: none besides addr */
	/* Ports, 0: none.  TLS connections are opened without one as well: they then leave
	 * from a port of their own, and nobody can connect to us. */
	uint16_t udp, tcp, tls;
	const char *tls_context; /* of those who connect; NULL: "default" */
	int8_t tls_mutual;	 /* must they show a certificate; -1: as the context says */
	bool closed;		 /* its address is missing: nothing goes out or comes in */
	uint32_t ping_ms;	 /* of its connections; 0: as sip_transport_ping() has it,
				  * UINT32_MAX: none */
};

struct sip_stats {
	uint64_t received, sent;       /* messages */
	uint64_t malformed;	       /* dropped or answered 400 */
	uint64_t unmatched;	       /* responses to nothing we asked */
	uint64_t retransmitted;	       /* by us */
	uint64_t repeated;	       /* requests that came again */
	uint64_t send_errors, dropped; /* refused by the kernel; queue or table full */
	uint64_t icmp;		       /* errors told by the network */
	uint64_t connected, accepted, connections; /* the last: now open */
	uint64_t timeouts;	       /* client transactions without an answer */
};

struct sip_transport_env {
	/* data[0..len) may be written to during the call */
	void (*received)(void *arg, const struct sip_hop *, char *data, size_t len);
	/* Sending failed or the peer refused.  quoted: the beginning of what was sent, or
	 * NULL and n 0 if that is not known: then it concerns all towards peer from socket;
	 * peer->family 0: all on socket, which is gone. */
	void (*failed)(void *arg, uint32_t socket, const struct rg_addr *peer, int err,
		       const char *quoted, size_t n);
	/* A connection we had opened broke and nobody had asked to close it. */
	void (*disconnected)(void *arg, uint32_t interface, const struct rg_addr *peer);
	/* Each message as it passes, while tracing is on.  Nothing is masked here. */
	void (*trace)(void *arg, bool sent, const struct rg_addr *local,
		      const struct rg_addr *peer, const char *data, size_t len);
	void *arg;
};

struct sip_transport;
struct sip_tls_contexts;

int sip_transport_new(struct sip_transport **, struct sip_loop *, struct sip_pool *,
		      struct sip_stats *, const struct sip_transport_env *);
void sip_transport_free(struct sip_transport *);

/* The TLS contexts from now on; connections that are up keep theirs. */
void sip_transport_contexts(struct sip_transport *, struct sip_tls_contexts *);
/* Make these the interfaces.  What is the same stays open; on failure nothing has
 * changed and *bad is the address that could not be had.  0 or an errno. */
int sip_transport_interfaces(struct sip_transport *, const struct sip_interface *, size_t n,
			     struct rg_addr *bad);
/* A further UDP port on an interface's address; kept until closed.  0 (also when it is
 * open already) or an errno. */
int sip_transport_open(struct sip_transport *, uint32_t interface, uint16_t port);
void sip_transport_close(struct sip_transport *, uint32_t interface, uint16_t port);

/* While this says so, ports that no interface and no account has any more stay open, so that
 * what began there (calls) can end there; but they make way for others.  NULL: never. */
typedef bool (sip_transport_busy_h)(void *arg);
void sip_transport_busy(struct sip_transport *, sip_transport_busy_h *, void *arg);

/* The way from an interface to a peer (its transport counts).  local_port: of a UDP
 * port of its own, 0 the interface's.  tls_name: whom a TLS connection must reach
 * (rg_tls_name), "" where there is none; the peer's address then.
 * connect: open or find a connection, else only local and peer are filled in.
 * 0; EADDRNOTAVAIL: no such interface or port; EPROTONOSUPPORT, ENETUNREACH ... */
int sip_transport_hop(struct sip_transport *, uint32_t interface, uint16_t local_port,
		      const struct rg_addr *peer, const char *tls_name, bool connect,
		      struct sip_hop *);
/* Queue a message for the end of the turn; takes a reference of its own. 0 or an errno:
 * the socket is gone or its queue is full.  Where the hop has a way back, an answer whose
 * connection is gone takes another one to that port, over TCP one that is opened for it. */
int sip_transport_send(struct sip_transport *, const struct sip_hop *, struct sip_buf *);

/* Nothing was heard of an answer since then: a connection on which nothing at all has
 * come is dead and given up, so that the next request opens another. */
void sip_transport_silent(struct sip_transport *, const struct sip_hop *, rg_ms since);
/* Ping our connections (RFC 5626 4.4.1) about every so many ms, and give up one that
 * does not answer in 10 s; 0: never. */
void sip_transport_ping(struct sip_transport *, uint32_t every_ms);
/* The server of a connection of ours wants to hear from us at least that often, ms (Flow-Timer,
 * RFC 5626 4.4): it is pinged more often if need be, but not above once in 5 s. */
void sip_transport_flow_timer(struct sip_transport *, const struct sip_hop *, uint32_t ms);

/* The interface a message came to: position, and the account's own UDP port or 0.  false:
 * it is gone. */
bool sip_transport_interface(const struct sip_transport *, const struct sip_hop *,
			     uint32_t *position, uint16_t *own_port);
/* The way to a peer from the interface that has this local address and port (peer's
 * transport counts; the port of another transport of that interface will do), or else from
 * that address: for what outlives a configuration.  As sip_transport_hop with connect. */
int sip_transport_way(struct sip_transport *, const struct rg_addr *local,
		      const struct rg_addr *peer, const char *tls_name, struct sip_hop *);

/* Can an interface (by position) send to addresses of that family (4, 6) that way? */
bool sip_transport_serves(const struct sip_transport *, uint32_t interface, uint8_t family,
			  uint8_t transport);
/* The way over a connection, and whether we have opened it, as long as it is there. */
bool sip_transport_flow(const struct sip_transport *, uint32_t socket, struct sip_hop *,
			bool *ours);

/* Least receive buffer among the interfaces' UDP ports as obtained, bytes; 0: none. */
uint32_t sip_transport_rcvbuf(const struct sip_transport *);

/* The machine's addresses have changed: has that changed where an interface on every
 * address sends from? */
bool sip_transport_moved(struct sip_transport *);

void sip_transport_trace(struct sip_transport *, bool on);

/* ---- between the files of the transport ----------------------------------------- */

enum { SIP_SOCKET_TCP = 1u << 31 }; /* set in the number of a connection */

struct sip_udp;
struct sip_tcp;

/* What all of them share. */
struct sip_carrier {
	struct sip_loop *loop;
	struct sip_pool *pool;
	struct sip_stats *stats;
	struct sip_transport_env env;
	uint32_t next_socket; /* 31 bits, never 0 */
	bool waiting;	      /* there is something to flush */
	bool trace;
	uint32_t ping_ms;
	struct rg_timer soon;
};
uint32_t sip_carrier_number(struct sip_carrier *);
/* Period of pings on an interface's connections, ms; 0: none. */
uint32_t sip_carrier_ping(const struct sip_carrier *, uint32_t interface);
/* Have everything flushed at the end of this turn, or in one that is made for it. */
void sip_carrier_wake(struct sip_carrier *);

struct sip_udp *sip_udp_new(struct sip_carrier *);
void sip_udp_free(struct sip_udp *);
/* bound: address and port.  0 or an errno. */
int sip_udp_open(struct sip_udp *, const struct rg_addr *bound, uint32_t *socket);
void sip_udp_close(struct sip_udp *, uint32_t socket);
int sip_udp_send(struct sip_udp *, const struct sip_hop *, struct sip_buf *);
void sip_udp_flush(struct sip_udp *);
uint32_t sip_udp_rcvbuf(struct sip_udp *, uint32_t socket);

struct sip_tcp *sip_tcp_new(struct sip_carrier *);
void sip_tcp_free(struct sip_tcp *);
int sip_tcp_listen(struct sip_tcp *, const struct rg_addr *bound, uint32_t *listener);
void sip_tcp_unlisten(struct sip_tcp *, uint32_t listener);
/* from: the interface's address (all zero: every); sets hop->socket and, if it has none,
 * the local port.  connect false: only of one that is there. */
int sip_tcp_connect(struct sip_tcp *, uint32_t interface, const struct rg_addr *from,
		    const char *tls_name, bool connect, struct sip_hop *);
void sip_tcp_contexts(struct sip_tcp *, struct sip_tls_contexts *);
void sip_tcp_context(struct sip_tcp *, uint32_t listener, const char *context, int require);
int sip_tcp_send(struct sip_tcp *, const struct sip_hop *, struct sip_buf *);
void sip_tcp_flush(struct sip_tcp *);
void sip_tcp_silent(struct sip_tcp *, uint32_t socket, rg_ms since);
bool sip_tcp_flow(const struct sip_tcp *, uint32_t socket, struct sip_hop *, bool *ours);
/* A connection between these addresses, whoever it was opened for. */
bool sip_tcp_between(const struct sip_tcp *, const struct rg_addr *local,
		     const struct rg_addr *peer, struct sip_hop *);
void sip_tcp_flow_timer(struct sip_tcp *, uint32_t socket, uint32_t ms);
void sip_tcp_ping(struct sip_tcp *); /* the period has changed */
/* Close the connections of an interface that is gone, by the address they left from. */
void sip_tcp_abandon(struct sip_tcp *, const struct rg_addr *from);
void sip_tcp_renumber(struct sip_tcp *, const struct rg_addr *from, uint32_t interface);

#endif
