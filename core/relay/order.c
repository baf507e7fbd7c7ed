/* What is out of order in a dialog is answered here, and goes no further. */
#include <string.h>

#include "relay/call.h"

static bool in_order(struct dialog *d, uint32_t cseq)
{
	if (cseq < d->remote_cseq)
		return false;
	d->remote_cseq = cseq;
	return true;
}

static void refuse(struct relay *r, const struct sip_hop *hop, const struct sip_head *h,
		   uint16_t code, const char *headers)
{
	sip_stack_reply(r->env.stack, hop, h, code, NULL, headers, false);
}

/* RFC 3261 14.2 and 12.2.2. */
static bool refuse_invite(struct pair *p, enum side from, const struct sip_hop *hop,
			  const struct sip_head *h)
{
	char retry[40] = "Retry-After: ";
	struct relay *r = p->call->relay;
	struct exchange *own = invite_pending(p, from);

	if (own) {
		struct out o = { retry + 13, retry + sizeof retry - 1, false };

		out_number(&o, g_random_int() % 10);
		out_lit(&o, "\r\n");
		*o.p = '\0';
		refuse(r, hop, h, 500, retry);
		return true;
	}
	if (!invite_pending(p, OTHER_SIDE(from)))
		return false;
	refuse(r, hop, h, 491, NULL);
	return true;
}

static bool bye_pending(const struct pair *p, enum side from)
{
	for (const struct exchange *x = p->call->exchange; x; x = x->next)
		if (x->pair == p && x->method == M_BYE && x->side == from && !x->over)
			return true;
	return false;
}

bool order_refuses(struct pair *p, enum side from, enum method m, const struct sip_hop *hop,
		   const struct sip_head *h)
{
	struct relay *r = p->call->relay;

	if (m == M_BYE && (p->ended || bye_pending(p, OTHER_SIDE(from)) || bye_pending(p, from))) {
		/* both hang up at once, or one twice */
		refuse(r, hop, h, 200, NULL);
		return true;
	}
	if (p->ended && (!p->lease || m == M_INVITE || m == M_UPDATE || m == M_PRACK)) {
		refuse(r, hop, h, 481, NULL);
		return true;
	}
	if (!in_order(&p->dialog[from], h->cseq)) {
		refuse(r, hop, h, 500, NULL);
		return true;
	}
	if (!h->max_forwards) {
		refuse(r, hop, h, 483, NULL);
		return true;
	}
	return m == M_INVITE && refuse_invite(p, from, hop, h);
}
