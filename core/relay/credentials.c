/* Challenges on a leg: a server's, and those of proxies before it, each with its realm. */
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

static bool take(struct leg *l, const struct sip_head *h, enum sip_field f, bool proxy)
{
	const char *value[VALUES_MOST];
	size_t len[VALUES_MOST], n = 0;
	unsigned at = 0;
	struct span v;

	while (n < VALUES_MOST && sip_next(h, f, &at, &v)) {
		value[n] = v.p;
		len[n++] = v.n;
	}
	return n && digest_challenge(proxy ? &l->proxy : &l->www, value, len, n, proxy, l->username,
				     l->password ? l->password : "") == DIGEST_OK;
}

bool credentials_challenged(struct leg *l, const struct sip_head *h)
{
	if (!leg_has_credentials(l))
		return false;
	if (h->code == 401)
		return take(l, h, H_WWW_AUTHENTICATE, false);
	return h->code == 407 && take(l, h, H_PROXY_AUTHENTICATE, true);
}

void credentials_leave(struct call *c, const struct sip_head *h)
{
	struct reg_dialogue *d = c->route ? reg_route_dialogue(c->route) : NULL;
	struct sip_memo *m = d ? d->memo : NULL;
	const struct leg *l = &c->leg[CALLEE];
	bool proxy = h->code == 407;
	struct span v = sip_value(h, proxy ? H_PROXY_AUTHENTICATE : H_WWW_AUTHENTICATE);

	if (!c->keep_nonce || !v.p || !m || !rg_addr_equal(&m->server, &l->hop.peer))
		return;
	(void)digest_challenge(proxy ? &m->proxy : &m->www, &v.p, &v.n, 1, proxy, l->username,
			       l->password ? l->password : "");
}

void credentials_info(struct leg *l, const struct sip_head *h)
{
	struct span www = sip_value(h, H_AUTHENTICATION_INFO);
	struct span proxy = sip_value(h, H_PROXY_AUTHENTICATION_INFO);

	if (l->www && www.p)
		digest_info(l->www, www.p, www.n);
	if (l->proxy && proxy.p)
		digest_info(l->proxy, proxy.p, proxy.n);
}

void credentials_write(struct leg *l, struct out *o, const char *method, const char *uri,
		       struct span body)
{
	if (!leg_has_credentials(l))
		return;
	for (int i = 0; i < 2; i++)
		for (struct digest *d = i ? l->proxy : l->www; d; d = digest_next(d))
			o->p += digest_authorize(d, o->p, (size_t)(o->end - o->p), l->username,
						 method, uri, body.n ? body.p : NULL, body.n);
}
