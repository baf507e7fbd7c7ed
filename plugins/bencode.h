/*
 * bencode.h -- what the ng protocol is written in: strings "3:abc", numbers "i5e", lists "l...e"
 * and dictionaries "d...e" of pairs.
 */
#ifndef RG_BENCODE_H
#define RG_BENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { BENCODE_MOST = 65507 }; /* bytes of a message: a datagram */

/* ---- writing --------------------------------------------------------------------------- */

struct out {
	char *p, *end;
	bool full;
};

static inline void put(struct out *o, const char *p, size_t n)
{
	if ((size_t)(o->end - o->p) < n) {
		o->full = true;
		return;
	}
	memcpy(o->p, p, n);
	o->p += n;
}

static inline void put_string(struct out *o, const char *p, size_t n)
{
	char head[24];
	int k = snprintf(head, sizeof head, "%zu:", n);

	put(o, head, (size_t)k);
	put(o, p, n);
}

static inline void put_pair(struct out *o, const char *key, const char *value, size_t n)
{
	put_string(o, key, strlen(key));
	put_string(o, value, n);
}

/* ---- reading --------------------------------------------------------------------------- */

struct in {
	const char *p, *end;
};

/* A string; false: none is here. */
static inline bool get_string(struct in *i, const char **s, size_t *n)
{
	size_t len = 0;
	const char *p = i->p;

	if (p == i->end || *p < '0' || *p > '9')
		return false;
	for (; p < i->end && *p >= '0' && *p <= '9'; p++) {
		len = len * 10 + (size_t)(*p - '0');
		if (len > BENCODE_MOST)
			return false;
	}
	if (p == i->end || *p != ':' || (size_t)(i->end - p - 1) < len)
		return false;
	*s = p + 1;
	*n = len;
	i->p = p + 1 + len;
	return true;
}

/* Pass over any value; lists and dictionaries by counting how deep. */
static inline bool skip(struct in *i)
{
	unsigned depth = 0;

	do {
		const char *s;
		size_t n;

		if (i->p == i->end)
			return false;
		if (*i->p == 'l' || *i->p == 'd') {
			depth++;
			i->p++;
		} else if (*i->p == 'e' && depth) {
			depth--;
			i->p++;
		} else if (*i->p == 'i') {
			i->p = memchr(i->p, 'e', (size_t)(i->end - i->p));
			if (!i->p)
				return false;
			i->p++;
		} else if (!get_string(i, &s, &n)) {
			return false;
		}
	} while (depth);
	return true;
}

/* The string of a key of the dictionary. */
static inline bool look_up(const char *text, size_t len, const char *key, const char **s, size_t *n)
{
	struct in i = { text, text + len };
	const char *k;
	size_t kn;

	if (!len || *i.p++ != 'd')
		return false;
	while (get_string(&i, &k, &kn)) {
		if (kn == strlen(key) && !memcmp(k, key, kn))
			return get_string(&i, s, n);
		if (!skip(&i))
			return false;
	}
	return false;
}

#endif
