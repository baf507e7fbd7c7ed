#include "sip/hash.h"

#include <openssl/evp.h>
#include <string.h>

/* A hash is fetched once per process; its context is used again and again. */
static struct hash {
	const char *name, *provider_name;
	size_t bytes;
	bool tried;
	EVP_MD_CTX *ctx; /* NULL: not tried yet, or not to be had */
} hashes[SIP_HASHES] = {
	[SIP_HASH_MD5] = { "MD5", "MD5", 16, false, NULL },
	[SIP_HASH_SHA_256] = { "SHA-256", "SHA2-256", 32, false, NULL },
	[SIP_HASH_SHA_512_256] = { "SHA-512-256", "SHA2-512/256", 32, false, NULL },
};

const char *sip_hash_name(enum sip_hash i)
{
	return hashes[i].name;
}

size_t sip_hash_bytes(enum sip_hash i)
{
	return hashes[i].bytes;
}

bool sip_hash_find(struct span name, enum sip_hash *out)
{
	for (enum sip_hash i = 0; i < SIP_HASHES; i++)
		if (span_is(name, hashes[i].name)) {
			*out = i;
			return sip_hash_begin(i);
		}
	return false;
}

bool sip_hash_begin(enum sip_hash i)
{
	struct hash *h = &hashes[i];

	if (!h->tried) {
		EVP_MD *md = EVP_MD_fetch(NULL, h->provider_name, NULL);

		h->tried = true;
		h->ctx = EVP_MD_CTX_new();
		if (!md || !h->ctx || !EVP_DigestInit_ex2(h->ctx, md, NULL)) {
			EVP_MD_CTX_free(h->ctx);
			h->ctx = NULL;
		}
		EVP_MD_free(md); /* the context holds it */
		return h->ctx;
	}
	return h->ctx && EVP_DigestInit_ex2(h->ctx, NULL, NULL);
}

void sip_hash_add(enum sip_hash i, const void *p, size_t n)
{
	EVP_DigestUpdate(hashes[i].ctx, p, n);
}

static void add_str(enum sip_hash i, const char *s)
{
	sip_hash_add(i, s, strlen(s));
}

static void add_span(enum sip_hash i, struct span s)
{
	sip_hash_add(i, s.p, s.n);
}

void sip_hash_end(enum sip_hash i, uint8_t out[SIP_HASH_MOST])
{
	EVP_DigestFinal_ex(hashes[i].ctx, out, NULL);
}

size_t sip_hash_hex(char *out, const uint8_t *p, size_t n)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*out++ = digit[p[i] >> 4];
		*out++ = digit[p[i] & 15];
	}
	return 2 * n;
}

void sip_hash_end_hex(enum sip_hash i, char out[SIP_HASH_HEX_MOST])
{
	uint8_t raw[SIP_HASH_MOST];

	sip_hash_end(i, raw);
	sip_hash_hex(out, raw, hashes[i].bytes);
	explicit_bzero(raw, sizeof raw);
}

void sip_hash_a1(enum sip_hash i, uint8_t out[SIP_HASH_MOST], const char *username,
		 struct span realm, const char *password)
{
	sip_hash_begin(i);
	add_str(i, username);
	add_str(i, ":");
	add_span(i, realm);
	add_str(i, ":");
	add_str(i, password);
	sip_hash_end(i, out);
}

void sip_hash_a2(enum sip_hash i, char out[SIP_HASH_HEX_MOST], struct span method,
		 struct span uri, struct span body)
{
	char text[SIP_HASH_HEX_MOST];

	if (body.p) {
		sip_hash_begin(i);
		add_span(i, body);
		sip_hash_end_hex(i, text);
	}
	sip_hash_begin(i);
	add_span(i, method);
	add_str(i, ":");
	add_span(i, uri);
	if (body.p) {
		add_str(i, ":");
		sip_hash_add(i, text, 2 * hashes[i].bytes);
	}
	sip_hash_end_hex(i, out);
}

void sip_hash_response(enum sip_hash i, char out[SIP_HASH_HEX_MOST], const uint8_t *a1,
		       struct span nonce, struct span count, const char *a2)
{
	char text[SIP_HASH_HEX_MOST];

	sip_hash_begin(i);
	sip_hash_add(i, text, sip_hash_hex(text, a1, hashes[i].bytes));
	add_str(i, ":");
	add_span(i, nonce);
	add_span(i, count);
	sip_hash_add(i, a2, 2 * hashes[i].bytes);
	sip_hash_end_hex(i, out);
	explicit_bzero(text, sizeof text);
}
