#include "sip/stream.h"

#include <string.h>

#include "sip/compat.h"

enum {
	FIRST = 4096,
	PING_MS = 1000,	 /* pings that come faster get no pong, */
	PINGS_MOST = 16, /* and too many of them end the connection */
};

int sip_stream_open(struct sip_stream *s)
{
	s->in = mbuf_alloc(FIRST);
	return s->in ? 0 : ENOMEM;
}

void sip_stream_close(struct sip_stream *s)
{
	mem_deref(s->in);
	s->in = NULL;
}

int sip_stream_add(struct sip_stream *s, const void *data, size_t n)
{
	struct mbuf *in = s->in;
	size_t pos;
	int err;

	if (!in)
		return ENOMEM;
	if (in->pos == in->end)
		mbuf_rewind(in);
	else if (in->pos > SIP_MESSAGE_MOST)
		mbuf_shift(in, -(ssize_t)in->pos);
	pos = in->pos;
	in->pos = in->end;
	err = mbuf_write_mem(in, data, n);
	in->pos = pos;
	return err;
}

static bool deserves_pong(struct sip_stream *s, rg_ms now)
{
	if (s->pinged && now - s->pinged < PING_MS) {
		s->pings++;
		return false;
	}
	s->pinged = now;
	s->pings = 0;
	return true;
}

/* Blank lines between messages; a double one is a ping.  false: too many of them. */
static bool skip_blank(struct sip_stream *s, rg_ms now, bool *pong)
{
	struct mbuf *in = s->in;

	while (in->pos < in->end && (in->buf[in->pos] == '\r' || in->buf[in->pos] == '\n')) {
		if (in->end - in->pos < 4 || memcmp(in->buf + in->pos, "\r\n\r\n", 4)) {
			in->pos++;
			continue;
		}
		in->pos += 4;
		*pong |= deserves_pong(s, now);
		if (s->pings > PINGS_MOST)
			return false;
	}
	return true;
}

long sip_stream_next(struct sip_stream *s, rg_ms now, char **data, bool *pong)
{
	struct mbuf *in = s->in;
	long len;

	*pong = false;
	*data = (char *)in->buf + in->pos;
	if (!s->framing.scanned && !s->framing.need && !skip_blank(s, now, pong))
		return SIP_FRAME_NONE;
	*data = (char *)in->buf + in->pos;
	len = sip_frame(&s->framing, *data, in->end - in->pos);
	if (len > 0) {
		in->pos += (size_t)len;
		s->framing = (struct sip_framing){ 0 };
	}
	return len;
}

size_t sip_stream_left(const struct sip_stream *s)
{
	size_t n = s->in->end - s->in->pos;

	return n < SIP_MESSAGE_MOST ? n : SIP_MESSAGE_MOST;
}

size_t sip_stream_wants(const struct sip_stream *s)
{
	return s->framing.need ? s->framing.need - (s->in->end - s->in->pos) : 1;
}
