/*
 * buf.h -- message buffers: counted, since a datagram may wait in a socket's queue
 * after its transaction is over, and recycled, since there are two a registration.
 */
#ifndef RG_SIP_BUF_H
#define RG_SIP_BUF_H

#include <stddef.h>
#include <stdint.h>

struct sip_pool;

struct sip_buf {
	struct sip_pool *pool;
	struct sip_buf *next;
	uint32_t refs, len, cap;
	char data[];
};

enum { SIP_BUF_SMALL = 1400, SIP_BUF_MOST = 65535 };

struct sip_pool *sip_pool_new(void);
void sip_pool_free(struct sip_pool *); /* every buffer must have been given back */

/* One reference, len 0, room for at least cap bytes; NULL above SIP_BUF_MOST. */
struct sip_buf *sip_buf_new(struct sip_pool *, size_t cap);
/* The same in no more memory than it needs, to be kept for long and not to be added to: a
 * reference is taken over, another one is returned. */
struct sip_buf *sip_buf_tight(struct sip_buf *);
struct sip_buf *sip_buf_ref(struct sip_buf *);
void sip_buf_unref(struct sip_buf *); /* NULL is fine */

#endif
