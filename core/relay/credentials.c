/* Challenges on a leg: a server's, and those of proxies before it, each with its realm. */
#include <string.h>

#include "relay/call.h"
#include "sip/memo.h"

enum { VALUES_MOST = 8 };

bool leg_has_credentials(const struct leg *l)
{
	return l->username && *l->username;
}

bool credentials_may(const struct call *c, enum side s, const struct rg_addr *peer)
{
	if (!leg_has_credentials(&c->leg[s]))
		return false;
	/* a caller may have come with a token, from anywhere */
	return (s == CALLEE && rg_addr_same_ip(peer, &c->leg[s].hop.peer)) ||
	       (c->route && reg_route_serves(c->route, s == CALLER, peer));
}

struct span credentials_to(const struct exchange *x, const struct rg_addr *peer)
{
	static const struct span kept = { NULL, 0 }, none = { "", 0 };
	enum side to = OTHER_SIDE((enum side)x->side);

	return leg_has_credentials(&x->call->leg[to]) && !credentials_may(x->call, to, peer) ?
		       none : kept;
}

bool credentials_pass(const struct exchange *x)
{
	return !leg_has_credentials(&x->call->leg[OTHER_SIDE((enum side)x->side)]) &&
	       (x->side == CALLEE || x->call->keep_authorization);
}

void credentials_free(struct leg *l)
{
	digest_free(l->www);
	digest_free(l->proxy);
	l->www = l->proxy = NULL;
}

/* Where nonces are kept for the account (SIPChallengeCachingMode), a call has none of its own:
 * of one nonce there must be one count.  make: there shall be such a place, if there can be. */
static struct sip_memo *accounts(struct leg *l, bool make)
{
	struct call *c = leg_call(l);
	struct reg_dialogue *d = NULL;
	struct sip_memo *m;

	if (c->keep_nonce && l->serving && c->route)
		d = reg_route_dialogue(c->route);
	m = d ? d->memo : NULL;
	if (d && !m && make)
		m = sip_memo_for(d, &l->hop.peer);
	return m && rg_addr_equal(&m->server, &l->hop.peer) ? m : NULL;
}

static struct digest **held(struct leg *l, bool proxy, bool make)
{
	struct digest **own = proxy ? &l->proxy : &l->www;
	struct sip_memo *m = *own ? NULL : accounts(l, make);

	return !m ? own : proxy ? &m->proxy : &m->www;
}

/* Was this nonce in what was sent?  Another request may have met the same challenge. */
static bool shown(const struct sip_buf *sent, const char *challenge, size_t n)
{
	const char *at = sent ? memmem(challenge, n, "nonce=\"", 7) : NULL, *end;

	if (!at)
		return true;
	end = memchr(at + 7, '"', n - (size_t)(at + 7 - challenge));
	return !end || memmem(sent->data, sent->len, at, (size_t)(end + 1 - at));
}

static bool take(struct leg *l, const struct sip_head *h, enum sip_field f, bool proxy,
		 const struct sip_buf *sent)
{
	const char *value[VALUES_MOST];
	size_t len[VALUES_MOST], n = 0;
	struct digest **dp = held(l, proxy, true);
	enum digest_verdict verdict;
	bool rejected = false;
	unsigned at = 0;
	struct span v;

	while (n < VALUES_MOST && sip_next(h, f, &at, &v)) {
		value[n] = v.p;
		len[n++] = v.n;
		rejected |= shown(sent, v.p, v.n);
	}
	if (!n)
		return false;
	verdict = digest_challenge(dp, value, len, n, proxy, l->username,
				   l->password ? l->password : "");
	return verdict == DIGEST_OK || (verdict == DIGEST_REFUSED && !rejected);
}

bool credentials_challenged(struct leg *l, const struct sip_head *h, const struct sip_buf *sent)
{
	if (!leg_has_credentials(l))
		return false;
	if (h->code == 401)
		return take(l, h, H_WWW_AUTHENTICATE, false, sent);
	return h->code == 407 && take(l, h, H_PROXY_AUTHENTICATE, true, sent);
}

void credentials_info(struct leg *l, const struct sip_head *h)
{
	struct span www = sip_value(h, H_AUTHENTICATION_INFO);
	struct span proxy = sip_value(h, H_PROXY_AUTHENTICATION_INFO);
	struct digest *d;

	if (www.p && (d = *held(l, false, false)))
		digest_info(d, www.p, www.n);
	if (proxy.p && (d = *held(l, true, false)))
		digest_info(d, proxy.p, proxy.n);
}

void credentials_write(struct leg *l, struct out *o, const char *method, const char *uri,
		       struct span body)
{
	if (!leg_has_credentials(l))
		return;
	for (int i = 0; i < 2; i++)
		for (struct digest *d = *held(l, i, false); d; d = digest_next(d))
			o->p += digest_authorize(d, o->p, (size_t)(o->end - o->p), l->username,
						 method, uri, body.n ? body.p : NULL, body.n);
}
