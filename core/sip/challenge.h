/*
 * challenge.h -- reads the values of WWW-Authenticate, Proxy-Authenticate and
 * Authentication-Info headers, and of Authorization and Proxy-Authorization, which are
 * written the same way (RFC 7616 3.3 to 3.5, RFC 7235 2.1).  Linear, and bounded by
 * CHALLENGE_MOST.
 */
#ifndef RG_SIP_CHALLENGE_H
#define RG_SIP_CHALLENGE_H

#include <stdbool.h>
#include <stddef.h>

enum { CHALLENGE_MOST = 2048 }; /* bytes of a header value */

/* p NULL: not given.  Unescaped, and free of control characters. */
struct challenge_str {
	const char *p;
	size_t n;
};

struct challenge {
	bool digest;	/* the scheme is Digest */
	bool malformed; /* something in it could not be read */
	bool stale;
	struct challenge_str realm, nonce, opaque, algorithm, qop, nextnonce;
	struct challenge_str username, uri, response, cnonce, nc; /* of credentials */
	char text[CHALLENGE_MOST]; /* where the strings are */
};

/* Read the next challenge, or the credentials, of a value from *at on, which moves;
 * false: no more. */
bool challenge_next(struct challenge *, const char **at, const char *end);
/* Parameters without a scheme: Authentication-Info. */
void challenge_info(struct challenge *, const char *at, const char *end);

#endif
