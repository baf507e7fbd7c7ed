#include "sip/digest.h"

#include <glib.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/random.h"
#include "sip/challenge.h"
#include "sip/hash.h"

enum { CNONCE = 8 };
enum qop { QOP_NONE, QOP_AUTH, QOP_AUTH_INT };

struct digest {
	struct digest *next; /* of another realm */
	uint32_t nc;
	uint16_t realm, opaque, nonce; /* lengths */
	uint16_t room;		       /* for the nonce, which stands last */
	uint8_t hash;
	uint8_t qop;
	bool sess : 1, named : 1 /* algorithm was given */, has_opaque : 1, proxy : 1,
		stale : 1, met : 1 /* by the challenge now read */;
	uint8_t cnonce[CNONCE];
	char text[]; /* raw H(A1), realm and a terminator, opaque, nonce */
};

struct choice {
	enum sip_hash hash;
	bool sess;
	enum qop qop;
};

static char *realm_of(const struct digest *d)
{
	return (char *)d->text + sip_hash_bytes(d->hash);
}

static char *opaque_of(const struct digest *d)
{
	return realm_of(d) + d->realm + 1;
}

static char *nonce_of(const struct digest *d)
{
	return opaque_of(d) + d->opaque;
}

/* ---- the challenge ------------------------------------------------------------- */

/* false: an algorithm that we or the library lack. */
static bool choose_hash(struct choice *ch, const struct challenge_str *algorithm)
{
	struct span name = { algorithm->p ? algorithm->p : "MD5",
			     algorithm->p ? algorithm->n : 3 };

	ch->sess = name.n > 5 && !strncasecmp(name.p + name.n - 5, "-sess", 5);
	if (ch->sess)
		name.n -= 5;
	return sip_hash_find(name, &ch->hash);
}

/* auth before auth-int; an empty list is none. */
static bool choose_qop(struct choice *ch, const struct challenge_str *qop)
{
	const char *p = qop->p, *end = p ? p + qop->n : NULL;
	bool any = false;

	ch->qop = QOP_NONE;
	while (p < end) {
		size_t n = 0;

		while (p + n < end && !strchr(", \t", p[n]))
			n++;
		any |= n > 0;
		if (n == 4 && !strncasecmp(p, "auth", 4))
			ch->qop = QOP_AUTH;
		else if (n == 8 && !strncasecmp(p, "auth-int", 8) && !ch->qop)
			ch->qop = QOP_AUTH_INT;
		p += n < (size_t)(end - p) ? n + 1 : n;
	}
	return ch->qop || !any;
}

static struct digest *make(const struct challenge *c, const struct choice *ch)
{
	size_t fixed = sizeof(struct digest) + sip_hash_bytes(ch->hash) + c->realm.n + 1 +
		       c->opaque.n;
	/* malloc gives 16 n + 8 bytes; what is left over may hold a longer nextnonce */
	size_t size = ((fixed + c->nonce.n + 8 + 15) & ~(size_t)15) - 8;
	struct digest *d = g_malloc0(size);

	d->realm = (uint16_t)c->realm.n;
	d->opaque = (uint16_t)c->opaque.n;
	d->nonce = (uint16_t)c->nonce.n;
	d->room = (uint16_t)(size - fixed);
	d->hash = (uint8_t)ch->hash;
	d->qop = (uint8_t)ch->qop;
	d->sess = ch->sess;
	d->named = c->algorithm.p;
	d->has_opaque = c->opaque.p;
	memcpy(realm_of(d), c->realm.p, c->realm.n);
	if (c->opaque.n)
		memcpy(opaque_of(d), c->opaque.p, c->opaque.n);
	memcpy(nonce_of(d), c->nonce.p, c->nonce.n);
	return d;
}

/* H(A1), RFC 7616 3.4.2.  The session key of -sess is made of the first cnonce, which
 * is then kept, for servers that compute it anew each time. */
static void derive(struct digest *d, const char *username, const char *password)
{
	enum sip_hash h = d->hash;
	uint8_t raw[SIP_HASH_MOST];
	char text[SIP_HASH_HEX_MOST], cnonce[2 * CNONCE];

	sip_hash_a1(h, raw, username, (struct span){ realm_of(d), d->realm }, password);
	if (d->sess) {
		rg_random(d->cnonce, CNONCE);
		sip_hash_begin(h);
		sip_hash_add(h, text, sip_hash_hex(text, raw, sip_hash_bytes(h)));
		sip_hash_add(h, ":", 1);
		sip_hash_add(h, nonce_of(d), d->nonce);
		sip_hash_add(h, ":", 1);
		sip_hash_add(h, cnonce, sip_hash_hex(cnonce, d->cnonce, CNONCE));
		sip_hash_end(h, raw);
		explicit_bzero(text, sizeof text);
	}
	memcpy(d->text, raw, sip_hash_bytes(h));
	explicit_bzero(raw, sizeof raw);
}

static bool same_nonce(const struct digest *a, const struct digest *b)
{
	return a->nonce == b->nonce && !memcmp(nonce_of(a), nonce_of(b), a->nonce);
}

static void free_one(struct digest *d)
{
	if (!d)
		return;
	explicit_bzero(d, digest_bytes(d));
	g_free(d);
}

/* Where the realm's is hung; at a NULL if there is none. */
static struct digest **find(struct digest **dp, const struct challenge_str *realm)
{
	while (*dp && ((*dp)->realm != realm->n || memcmp(realm_of(*dp), realm->p, realm->n)))
		dp = &(*dp)->next;
	return dp;
}

static void drop_oldest(struct digest **dp)
{
	size_t n = 0;

	for (; *dp; dp = &(*dp)->next)
		if (++n > DIGEST_REALMS_MOST) {
			free_one(*dp);
			*dp = NULL;
			return;
		}
}

static enum digest_verdict take(struct digest **dp, const struct challenge *c,
				const struct choice *ch, bool proxy, const char *username,
				const char *password)
{
	struct digest **at = find(dp, &c->realm), *old = *at, *d = make(c, ch);

	d->proxy = proxy;
	d->stale = c->stale;
	d->met = true;
	if (old && old->nc && old->proxy == proxy && same_nonce(old, d)) {
		if (!c->stale) {
			free_one(d);
			old->met = true;
			return DIGEST_REFUSED;
		}
		d->nc = old->nc; /* one nonce, one series of counts */
	}
	derive(d, username, password);
	if (old)
		*at = old->next;
	free_one(old);
	for (at = dp; *at && (*at)->met; at = &(*at)->next)
		; /* those of this challenge in their order, before those of others */
	d->next = *at;
	*at = d;
	drop_oldest(dp);
	return DIGEST_OK;
}

/* DIGEST_OK outranks a refusal, that what is not supported, that what is unreadable. */
static enum digest_verdict better(enum digest_verdict a, enum digest_verdict b)
{
	return a < b ? a : b;
}

enum digest_verdict digest_challenge(struct digest **dp, const char *const *value,
				     const size_t *len, size_t n, bool proxy,
				     const char *username, const char *password)
{
	enum digest_verdict verdict = DIGEST_MALFORMED;
	struct challenge c;
	struct choice ch;

	for (struct digest *d = *dp; d; d = d->next)
		d->met = false;
	for (size_t i = 0; i < n; i++) {
		const char *at = value[i], *end = at + len[i];

		while (challenge_next(&c, &at, end)) {
			struct digest *known = c.realm.p ? *find(dp, &c.realm) : NULL;

			if ((known && known->met) ||
			    (c.digest && (c.malformed || !c.realm.p || !c.nonce.n)))
				continue;
			if (c.digest && choose_hash(&ch, &c.algorithm) &&
			    choose_qop(&ch, &c.qop))
				verdict = better(verdict, take(dp, &c, &ch, proxy, username,
							       password));
			else if (c.digest || !c.malformed)
				verdict = better(verdict, DIGEST_UNSUPPORTED);
		}
	}
	return verdict;
}

void digest_info(struct digest *d, const char *value, size_t len)
{
	struct challenge c;
	char *nonce = nonce_of(d);

	if (d->next)
		return; /* whose it is cannot be told */
	challenge_info(&c, value, value + len);
	if (c.malformed || !c.nextnonce.n || c.nextnonce.n > d->room)
		return;
	if (c.nextnonce.n == d->nonce && !memcmp(nonce, c.nextnonce.p, d->nonce))
		return;
	memcpy(nonce, c.nextnonce.p, c.nextnonce.n);
	d->nonce = (uint16_t)c.nextnonce.n;
	d->nc = 0;
}

/* ---- the answer ---------------------------------------------------------------- */

struct line {
	char *p, *end;
	bool bad; /* does not fit, or would break the line */
};

static void put(struct line *l, const char *s, size_t n)
{
	if ((size_t)(l->end - l->p) < n) {
		l->bad = true;
		return;
	}
	memcpy(l->p, s, n);
	l->p += n;
}

static void put_str(struct line *l, const char *s)
{
	put(l, s, strlen(s));
}

/* name="value", escaped; name holds what goes before the value, quote included. */
static void put_quoted(struct line *l, const char *name, const char *s, size_t n)
{
	size_t from = 0;

	put_str(l, name);
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)s[i] < 0x20 ? s[i] != '\t' : s[i] == 0x7f)
			l->bad = true;
		if (s[i] != '"' && s[i] != '\\')
			continue;
		put(l, s + from, i - from);
		put(l, "\\", 1);
		from = i;
	}
	put(l, s + from, n - from);
	put(l, "\"", 1);
}

size_t digest_authorize(struct digest *d, char *buf, size_t size, const char *username,
			const char *method, const char *uri, const void *body,
			size_t body_len)
{
	enum sip_hash h = d->hash;
	struct line l = { buf, buf + size, false };
	const char *qop = d->qop == QOP_AUTH ? "auth" : "auth-int";
	uint32_t nc = d->nc + 1;
	uint8_t raw[4] = { (uint8_t)(nc >> 24), (uint8_t)(nc >> 16), (uint8_t)(nc >> 8),
			   (uint8_t)nc };
	char request[SIP_HASH_HEX_MOST], response[SIP_HASH_HEX_MOST];
	char count[48] = ":", cnonce[2 * CNONCE];
	struct line c = { count + 1, count + sizeof count, false };

	if (!d->sess)
		rg_random(d->cnonce, CNONCE);
	sip_hash_hex(cnonce, d->cnonce, CNONCE);
	if (d->qop) {
		c.p += sip_hash_hex(c.p, raw, sizeof raw);
		put(&c, ":", 1);
		put(&c, cnonce, sizeof cnonce);
		put(&c, ":", 1);
		put_str(&c, qop);
		put(&c, ":", 1);
	}
	sip_hash_a2(h, request, (struct span){ method, strlen(method) },
		    (struct span){ uri, strlen(uri) },
		    d->qop == QOP_AUTH_INT ? (struct span){ body ? body : "", body_len } :
					     (struct span){ NULL, 0 });
	sip_hash_response(h, response, (const uint8_t *)d->text,
			  (struct span){ nonce_of(d), d->nonce },
			  (struct span){ count, (size_t)(c.p - count) }, request);

	put_str(&l, d->proxy ? "Proxy-Authorization: Digest " : "Authorization: Digest ");
	put_quoted(&l, "username=\"", username, strlen(username));
	put_quoted(&l, ", realm=\"", realm_of(d), d->realm);
	put_quoted(&l, ", nonce=\"", nonce_of(d), d->nonce);
	put_quoted(&l, ", uri=\"", uri, strlen(uri));
	put_quoted(&l, ", response=\"", response, 2 * sip_hash_bytes(h));
	if (d->named) {
		put_str(&l, ", algorithm=");
		put_str(&l, sip_hash_name(h));
		put_str(&l, d->sess ? "-sess" : "");
	}
	if (d->qop || d->sess) /* a session cannot do without its cnonce */
		put_quoted(&l, ", cnonce=\"", cnonce, sizeof cnonce);
	if (d->has_opaque)
		put_quoted(&l, ", opaque=\"", opaque_of(d), d->opaque);
	if (d->qop) {
		put_str(&l, ", qop=");
		put_str(&l, qop);
		put_str(&l, ", nc=");
		put(&l, count + 1, 8);
	}
	put(&l, "\r\n", 2);
	if (l.bad)
		return 0;
	d->nc = nc;
	return (size_t)(l.p - buf);
}

bool digest_is_proxy(const struct digest *d)
{
	return d->proxy;
}

bool digest_was_stale(const struct digest *d)
{
	return d->stale;
}

const char *digest_realm(const struct digest *d)
{
	return realm_of(d);
}

size_t digest_bytes(const struct digest *d)
{
	return (size_t)(nonce_of(d) - (const char *)d) + d->room;
}

struct digest *digest_next(const struct digest *d)
{
	return d->next;
}

void digest_free(struct digest *d)
{
	while (d) {
		struct digest *next = d->next;

		free_one(d);
		d = next;
	}
}
