/*
 * conn.h -- one connection: a descriptor, perhaps TLS on it, the framing of what it
 * reads, what waits to be written, and its time limits.  tcp.c knows all of them.
 */
#ifndef RG_SIP_CONN_H
#define RG_SIP_CONN_H

#include <glib.h>

#include "sip/stream.h"
#include "sip/transport.h"

struct sip_tls;
struct sip_lost;

enum sip_conn_state { SIP_CONNECTING, SIP_SHAKING, SIP_UP };

struct sip_conn {
	struct sip_tcp *owner;
	struct sip_carrier *c;
	struct sip_hop hop;
	struct rg_addr from; /* the interface's: part of the key of ours */
	uint32_t interface;
	uint32_t listener; /* it came to; 0: ours */
	int fd;
	int events; /* what the loop waits for */
	uint8_t state; /* enum sip_conn_state */
	bool ours, dirty;
	bool spoken;  /* a whole message has come */
	bool blocked; /* the kernel takes no more just now */
	char *tls_name; /* "" without TLS */
	struct sip_tls *tls;
	GByteArray *out;
	guint sent; /* of out */
	struct sip_stream stream;
	struct rg_timer timer;
	rg_ms active; /* last message either way, or progress of what is being written */
	rg_ms heard;  /* last byte */
	rg_ms ping;   /* the next one; 0: none */
	uint32_t flow_ms; /* the server's Flow-Timer; 0: none */
	bool pinged;  /* and nothing was heard since */
	bool asked;   /* requests of ours went over it */
	int low;      /* bytes we want to be woken for */
};

/* Without a descriptor; in its owner's table from now on. */
struct sip_conn *sip_conn_new(struct sip_tcp *owner, struct sip_carrier *, const char *tls_name);
/* Begin: to hop.peer from the address from; its port is told in hop.local if that has
 * none.  0 or an errno; then drop it. */
int sip_conn_connect(struct sip_conn *);
/* One that was accepted; fd is its own from now on.  0 or an errno; then drop it. */
int sip_conn_take(struct sip_conn *, int fd);

/* Written at the end of the turn, once it is up. */
void sip_conn_queue(struct sip_conn *, const void *, size_t);
/* Bytes that wait. */
size_t sip_conn_waiting(const struct sip_conn *);
void sip_conn_flush(struct sip_conn *);
/* Something of ours was queued: it is not idle. */
void sip_conn_used(struct sip_conn *);
/* The period of pings may have changed. */
void sip_conn_plan(struct sip_conn *);
/* It broke, or we give it up: whoever waits for an answer on it is told, and it is gone.
 * asked: no surprise to anybody. */
void sip_conn_broken(struct sip_conn *, int err, bool asked);
/* Gone without a word. */
void sip_conn_drop(struct sip_conn *);

/* ---- what its owner gives --------------------------------------------------------- */

bool sip_tcp_has(const struct sip_tcp *, const struct sip_conn *, uint32_t socket);
void sip_tcp_enter(struct sip_tcp *, struct sip_conn *);
void sip_tcp_leave(struct sip_tcp *, struct sip_conn *);
void sip_tcp_dirty(struct sip_tcp *, struct sip_conn *);
/* Begin TLS: n->tls.  0 or an error. */
int sip_tcp_session(struct sip_tcp *, struct sip_conn *);
/* Its handshake is done; the first message came; or TLS failed. */
void sip_tcp_shaken(struct sip_tcp *, const struct sip_conn *);
void sip_tcp_spoken(struct sip_tcp *, const struct sip_conn *);
void sip_tcp_failed(struct sip_tcp *, const struct sip_conn *, int err);
/* Handshakes take half of our time at most, however many there are: one of them began at
 * that time of g_get_monotonic_time(); may another go on now? */
void sip_tcp_shook(struct sip_tcp *, int64_t began);
bool sip_tcp_may_shake(const struct sip_tcp *);
struct sip_lost *sip_tcp_lost(struct sip_tcp *);
/* Where everybody reads into, and its size. */
char *sip_tcp_room(struct sip_tcp *, size_t *size);

#endif
