/* stream.h -- takes the messages out of what a connection reads. */
#ifndef RG_SIP_STREAM_H
#define RG_SIP_STREAM_H

#include "base/timer.h"
#include "sip/precheck.h"

struct mbuf;

/* Zeroed, then sip_stream_open. */
struct sip_stream {
	struct mbuf *in;
	struct sip_framing framing;
	rg_ms pinged;
	unsigned pings; /* that came too fast */
};

int sip_stream_open(struct sip_stream *); /* 0 or ENOMEM */
void sip_stream_close(struct sip_stream *);

/* What was read; copied. */
int sip_stream_add(struct sip_stream *, const void *, size_t);
/* Bytes of the next message, at *data until the next call of anything here; 0: it is not
 * complete; below 0: this stream can go no further, for what sip_frame() said, and at *data
 * is what came.  *pong: a ping is to be answered (RFC 5626 3.5.1): a blank line.  Call it
 * until it returns 0. */
long sip_stream_next(struct sip_stream *, rg_ms now, char **data, bool *pong);
/* Bytes that came and were not taken, at most SIP_MESSAGE_MOST. */
size_t sip_stream_left(const struct sip_stream *);
/* After 0: how many bytes to wait for, at least 1. */
size_t sip_stream_wants(const struct sip_stream *);

#endif
