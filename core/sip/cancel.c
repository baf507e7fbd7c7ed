#include "sip/cancel.h"

#include <glib.h>

struct sip_cancel {
	struct sip_ta *ta;
	struct rg_timer timer;
	struct sip_hop hop;
	struct sip_buf *buf; /* NULL: over */
	rg_ms deadline;
	uint32_t interval;
	bool proceeding;
};

static void on_timer(void *arg);

static void end(struct sip_cancel *c)
{
	rg_timer_stop(c->ta->timers, &c->timer);
	sip_buf_unref(c->buf);
	c->buf = NULL;
}

static void put(struct sip_cancel *c)
{
	(void)c->ta->wire.send(c->ta->wire.arg, &c->hop, c->buf);
}

static void arm(struct sip_cancel *c)
{
	rg_ms next = rg_now(c->ta->timers) + c->interval;

	rg_timer_set(c->ta->timers, &c->timer, MIN(next, c->deadline), on_timer, c);
}

static void on_timer(void *arg)
{
	struct sip_cancel *c = arg;

	if (rg_now(c->ta->timers) >= c->deadline) {
		end(c);
		return;
	}
	c->ta->stats->retransmitted++;
	put(c);
	c->interval = c->proceeding ? SIP_T2_MS : MIN(2 * c->interval, (uint32_t)SIP_T2_MS);
	arm(c);
}

struct sip_cancel *sip_cancel_new(struct sip_ta *ta, const struct sip_hop *hop, struct sip_buf *b)
{
	struct sip_cancel *c = g_new0(struct sip_cancel, 1);

	c->ta = ta;
	c->hop = *hop;
	c->buf = b;
	c->interval = SIP_T1_MS;
	c->deadline = rg_now(ta->timers) + SIP_64T1_MS;
	put(c);
	if (hop->socket & SIP_SOCKET_TCP)
		end(c); /* it is not sent again, and nobody waits for the answer */
	else
		arm(c);
	return c;
}

void sip_cancel_answered(struct sip_cancel *c, uint16_t code)
{
	if (!c->buf)
		return;
	if (code >= 200) {
		end(c);
	} else if (!c->proceeding) {
		c->proceeding = true;
		c->interval = SIP_T2_MS;
		arm(c);
	}
}

void sip_cancel_free(struct sip_cancel *c)
{
	if (!c)
		return;
	end(c);
	g_free(c);
}
