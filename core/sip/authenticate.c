#include "sip/authenticate.h"

#include <glib.h>
#include <openssl/crypto.h>
#include <string.h>

#include "base/random.h"
#include "sip/challenge.h"
#include "sip/hash.h"
#include "sip/message.h"
#include "sip/transaction.h"
#include "sip/translate.h"

/* A nonce: when it was made, in hexadecimal digits, and a keyed hash of that, of the
 * address it was given to and of the realm. */
enum { KEY = 32, STAMP = 16, MARK = 32, NONCE = STAMP + MARK, USED = 16384 };

struct sip_authenticator {
	uint8_t key[KEY];
	uint64_t seed[2];
	uint64_t used[USED]; /* responses that were right, each at its place */
};

struct sip_authenticator *sip_authenticator_new(void)
{
	struct sip_authenticator *a = g_new0(struct sip_authenticator, 1);

	rg_random(a->key, sizeof a->key);
	rg_random(a->seed, sizeof a->seed);
	return a;
}

void sip_authenticator_free(struct sip_authenticator *a)
{
	if (!a)
		return;
	explicit_bzero(a, sizeof *a);
	g_free(a);
}

/* The port is left out: a new connection of the same peer has another. */
static void make_nonce(const struct sip_authenticator *a, const struct rg_addr *peer,
		       struct span realm, uint64_t stamp, char out[NONCE])
{
	enum sip_hash h = SIP_HASH_SHA_256;
	uint8_t raw[SIP_HASH_MOST];

	sip_hex(out, (uint32_t)(stamp >> 32));
	sip_hex(out + 8, (uint32_t)stamp);
	sip_hash_begin(h);
	sip_hash_add(h, a->key, KEY);
	sip_hash_add(h, out, STAMP);
	sip_hash_add(h, &peer->family, sizeof peer->family);
	sip_hash_add(h, peer->ip, peer->family == 6 ? 16 : 4);
	sip_hash_add(h, realm.p, realm.n);
	sip_hash_add(h, a->key, KEY);
	sip_hash_end(h, raw);
	sip_hash_hex(out + STAMP, raw, MARK / 2);
}

static bool fresh(const struct sip_authenticator *a, const struct rg_addr *peer,
		  struct span realm, const struct challenge_str *nonce, rg_ms now)
{
	uint32_t high, low;
	uint64_t stamp;
	char ours[NONCE];

	if (nonce->n != NONCE || !sip_unhex(nonce->p, &high) || !sip_unhex(nonce->p + 8, &low))
		return false;
	stamp = (uint64_t)high << 32 | low;
	make_nonce(a, peer, realm, stamp, ours);
	return !CRYPTO_memcmp(ours, nonce->p, NONCE) && stamp <= (uint64_t)now &&
	       (uint64_t)now - stamp < SIP_NONCE_MS;
}

/* The same credentials twice are a replay, or a client that does not count: it is asked once
 * more.  Who has no good ones does not get here, so that nothing is pushed out by strangers. */
static bool used(struct sip_authenticator *a, const struct challenge *c)
{
	uint64_t key[2] = { a->seed[0], a->seed[1] }, *place;
	char digits[SIP_HASH_HEX_MOST];

	for (size_t i = 0; i < c->response.n; i++) /* its length was looked at */
		digits[i] = (char)(c->response.p[i] | 32);
	sip_key_add(key, (struct span){ c->nonce.p, c->nonce.n });
	sip_key_add(key, (struct span){ digits, c->response.n });
	place = &a->used[key[0] % USED];
	if (*place == key[1])
		return true;
	*place = key[1];
	return false;
}

static struct span span_of(const struct challenge_str *s)
{
	return (struct span){ s->p, s->n };
}

static bool same_text(const struct challenge_str *s, const char *text)
{
	return span_equal(span_of(s), (struct span){ text, strlen(text) });
}

/* RFC 7616 3.4.6, as far as what lies between leaves the URI alone. */
static bool same_resource(struct span digest_uri, struct span request_uri)
{
	struct sip_uri a, b;

	return span_equal(digest_uri, request_uri) ||
	       (sip_uri_parse(digest_uri, &a) && sip_uri_parse(request_uri, &b) &&
		span_equal(a.user, b.user));
}

/* ":nc:cnonce:qop:", or ":"; n 0: what is needed is missing, or not known. */
static struct span counted(const struct challenge *c, char *room, size_t size)
{
	struct out o = { room, room + size, false };

	out_lit(&o, ":");
	if (c->qop.p) {
		if (c->nc.n != 8 || !c->cnonce.n ||
		    !(span_is(span_of(&c->qop), "auth") || span_is(span_of(&c->qop), "auth-int")))
			return (struct span){ room, 0 };
		out_span(&o, span_of(&c->nc));
		out_lit(&o, ":");
		out_span(&o, span_of(&c->cnonce));
		out_lit(&o, ":");
		out_span(&o, span_of(&c->qop));
		out_lit(&o, ":");
	}
	return (struct span){ room, o.full ? 0 : (size_t)(o.p - room) };
}

static bool offered(const struct challenge *c, enum sip_hash *h)
{
	*h = SIP_HASH_MD5;
	return c->algorithm.p ? sip_hash_find(span_of(&c->algorithm), h) &&
					*h != SIP_HASH_SHA_512_256 :
				sip_hash_begin(*h);
}

static bool right(const struct challenge *c, enum sip_hash h, const struct sip_head *q,
		  const char *username, const char *password)
{
	bool with_body = span_is(span_of(&c->qop), "auth-int");
	struct span body = { q->base + q->header_len, q->len - q->header_len };
	char a2[SIP_HASH_HEX_MOST], ours[SIP_HASH_HEX_MOST], theirs[SIP_HASH_HEX_MOST];
	char room[CHALLENGE_MOST];
	struct span count = counted(c, room, sizeof room);
	uint8_t a1[SIP_HASH_MOST];
	bool same;

	if (!count.n || c->response.n != 2 * sip_hash_bytes(h))
		return false;
	for (size_t i = 0; i < c->response.n; i++) /* upper-case digits are seen */
		theirs[i] = c->response.p[i] >= 'A' && c->response.p[i] <= 'F' ?
				    (char)(c->response.p[i] | 32) : c->response.p[i];
	sip_hash_a1(h, a1, username, span_of(&c->realm), password);
	if (!with_body)
		body.p = NULL;
	sip_hash_a2(h, a2, q->method, span_of(&c->uri), body);
	sip_hash_response(h, ours, a1, span_of(&c->nonce), count, a2);
	same = !CRYPTO_memcmp(ours, theirs, c->response.n);
	explicit_bzero(a1, sizeof a1);
	explicit_bzero(ours, sizeof ours);
	return same && same_text(&c->username, username) &&
	       same_resource(span_of(&c->uri), q->uri);
}

static enum sip_authentic line(struct sip_authenticator *a, const struct sip_hop *from,
			       const struct sip_head *q, struct span value, const char *realm,
			       const char *username, const char *password, rg_ms now)
{
	const char *at = value.p;
	struct challenge c;
	enum sip_hash h;

	if (!value.n || !challenge_next(&c, &at, value.p + value.n) || !c.digest || c.malformed ||
	    !c.realm.p || !same_text(&c.realm, realm) || !c.response.n || !offered(&c, &h))
		return SIP_CHALLENGE;
	if (!right(&c, h, q, username, password))
		return SIP_FORGED;
	return fresh(a, &from->peer, span_of(&c.realm), &c.nonce, now) && !used(a, &c) ?
		       SIP_AUTHENTIC : SIP_STALE;
}

/* What counts more when several lines are of our realm. */
static int weight(enum sip_authentic v)
{
	switch (v) {
	case SIP_AUTHENTIC:
		return 3;
	case SIP_STALE:
		return 2;
	case SIP_FORGED:
		return 1;
	default:
		return 0;
	}
}

enum sip_authentic sip_authenticate(struct sip_authenticator *a, const struct sip_hop *from,
				    const struct sip_head *q, const char *realm,
				    const char *username, const char *password, rg_ms now)
{
	static const enum sip_field field[] = { H_PROXY_AUTHORIZATION, H_AUTHORIZATION };
	enum sip_authentic best = SIP_CHALLENGE;

	for (size_t i = 0; i < G_N_ELEMENTS(field); i++) {
		struct span value;
		unsigned at = 0;

		for (int n = 0; n < SIP_AUTHENTICATE_MOST && sip_next(q, field[i], &at, &value);
		     n++) {
			enum sip_authentic v = line(a, from, q, value, realm, username, password,
						    now);

			if (weight(v) > weight(best))
				best = v;
		}
	}
	return best;
}

static void out_quoted(struct out *o, const char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			o->full = true;
		if (*s == '"' || *s == '\\')
			out_lit(o, "\\");
		out_mem(o, s, 1);
	}
}

bool sip_authenticator_challenge(struct sip_authenticator *a, const struct sip_hop *from,
				 const char *realm, bool stale, rg_ms now, char *out, size_t size)
{
	static const enum sip_hash hash[] = { SIP_HASH_SHA_256, SIP_HASH_MD5 };
	struct out o = { out, out + size, false };
	char nonce[NONCE];

	make_nonce(a, &from->peer, (struct span){ realm, strlen(realm) }, (uint64_t)now, nonce);
	for (size_t i = 0; i < G_N_ELEMENTS(hash); i++) {
		if (!sip_hash_begin(hash[i]))
			continue;
		out_lit(&o, "Proxy-Authenticate: Digest realm=\"");
		out_quoted(&o, realm);
		out_lit(&o, "\", nonce=\"");
		out_mem(&o, nonce, sizeof nonce);
		out_lit(&o, "\", algorithm=");
		out_str(&o, sip_hash_name(hash[i]));
		out_lit(&o, ", qop=\"auth\"");
		if (stale)
			out_lit(&o, ", stale=true");
		out_lit(&o, "\r\n");
	}
	out_mem(&o, "", 1);
	return !o.full;
}
