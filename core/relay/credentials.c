/* Challenges on a leg: a server's, and those of proxies before it, each with its realm. */
#include <string.h>

#include "relay/call.h"
#include "sip/challenge.h"
#include "sip/memo.h"

enum { VALUES_MOST = 8 };

bool leg_has_credentials(const struct leg *l)
{
	return l->username && *l->username;
}

void credentials_free(struct leg *l)
{
	for (int i = 0; i < REALMS_MOST; i++) {
		digest_free(l->digest[i]);
		l->digest[i] = NULL;
	}
}

/* The place of what asks so: its realm's, an empty one, or the oldest's. */
static struct digest **place_for(struct leg *l, bool proxy, const char *realm)
{
	for (int i = 0; i < REALMS_MOST; i++) {
		struct digest *d = l->digest[i];

		if (!d || (digest_is_proxy(d) == proxy && !strcmp(digest_realm(d), realm)))
			return &l->digest[i];
	}
	digest_free(l->digest[0]);
	memmove(l->digest, l->digest + 1, (REALMS_MOST - 1) * sizeof *l->digest);
	l->digest[REALMS_MOST - 1] = NULL;
	return &l->digest[REALMS_MOST - 1];
}

static bool realm_of(struct span value, char *realm, size_t size)
{
	struct challenge *c = g_new(struct challenge, 1); /* 2 KiB: not for the stack */
	const char *at = value.p;
	bool found = false;

	while (!found && challenge_next(c, &at, value.p + value.n))
		if (c->digest && !c->malformed && c->realm.n < size) {
			memcpy(realm, c->realm.p, c->realm.n);
			realm[c->realm.n] = '\0';
			found = true;
		}
	g_free(c);
	return found;
}

static bool take(struct leg *l, const struct sip_head *h, enum sip_field f, bool proxy)
{
	const char *value[VALUES_MOST];
	size_t len[VALUES_MOST], n = 0;
	unsigned at = 0;
	struct span v;
	char realm[256];

	while (n < VALUES_MOST && sip_next(h, f, &at, &v)) {
		value[n] = v.p;
		len[n++] = v.n;
	}
	if (!n || !realm_of((struct span){ value[0], len[0] }, realm, sizeof realm))
		return false;
	return digest_challenge(place_for(l, proxy, realm), value, len, n, proxy, l->username,
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

	for (int i = 0; i < REALMS_MOST && l->digest[i]; i++) {
		struct span v = digest_is_proxy(l->digest[i]) ? proxy : www;

		if (v.p)
			digest_info(l->digest[i], v.p, v.n);
	}
}

void credentials_write(struct leg *l, struct out *o, const char *method, const char *uri,
		       struct span body)
{
	if (!leg_has_credentials(l))
		return;
	for (int i = 0; i < REALMS_MOST && l->digest[i]; i++)
		o->p += digest_authorize(l->digest[i], o->p, (size_t)(o->end - o->p), l->username,
					 method, uri, body.n ? body.p : NULL, body.n);
}
