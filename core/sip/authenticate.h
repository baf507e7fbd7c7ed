/*
 * authenticate.h -- the server side of digest authentication (RFC 3261 22, RFC 7616,
 * RFC 8760): what a served group sends is asked for credentials.  Of those who ask no state is
 * kept: a nonce is a time and a keyed hash of it and of who asks.
 */
#ifndef RG_SIP_AUTHENTICATE_H
#define RG_SIP_AUTHENTICATE_H

#include "base/timer.h"
#include "sip/hop.h"
#include "sip/precheck.h"

struct sip_authenticator;
struct sip_authenticator *sip_authenticator_new(void); /* a key of its own */
void sip_authenticator_free(struct sip_authenticator *);

enum sip_authentic {
	SIP_AUTHENTIC,
	SIP_CHALLENGE, /* answer 407 with the lines of sip_authenticator_challenge() */
	SIP_STALE,     /* likewise, stale=true: the credentials are right, the nonce is old */
	SIP_FORGED,    /* wrong credentials: 407 again; who counts may refuse */
};

enum { SIP_NONCE_MS = 300000 }; /* how long a nonce is good for */

/* Looks at Proxy-Authorization, and Authorization, for this realm: the first
 * SIP_AUTHENTICATE_MOST lines of each, and the best of what they say counts.  The response is
 * compared in constant time.  MD5 and SHA-256; qop auth, auth-int, or none (RFC 2069).  The
 * digest-uri must have the user of the Request-URI; its host may be another (what is between
 * us changes it).  A nonce of somebody else's address, or from before a restart, is old, and so
 * are credentials that were good once (of the last some thousand): a request that is repeated
 * is its transaction's. */
enum { SIP_AUTHENTICATE_MOST = 4 };
enum sip_authentic sip_authenticate(struct sip_authenticator *, const struct sip_hop *from,
				    const struct sip_head *, const char *realm,
				    const char *username, const char *password, rg_ms now);
/* Whole Proxy-Authenticate lines, SHA-256 then MD5 (RFC 8760), with qop auth, terminated.
 * false: they do not fit, or the realm has a control character. */
bool sip_authenticator_challenge(struct sip_authenticator *, const struct sip_hop *from,
				 const char *realm, bool stale, rg_ms now, char *out,
				 size_t size);

#endif
