/*
 * translate.h -- from a message of one leg of a call to the message of the other: what
 * belongs to the leg is written anew, everything else goes through as it stands, header
 * by header in its order, and the body byte for byte.  Pure: message in, message out.
 */
#ifndef RG_SIP_TRANSLATE_H
#define RG_SIP_TRANSLATE_H

#include "sip/buf.h"
#include "sip/hop.h"
#include "sip/precheck.h"

/* How a request reads on its new leg.  Spans point anywhere; p NULL: as said. */
struct sip_outbound {
	struct span uri;	/* Request-URI */
	struct span branch;	/* SIP_BRANCH characters */
	struct rg_addr local;	/* of Via */
	uint8_t max_forwards;
	struct span routes;	/* value of Route; p NULL: none */
	struct span from, to;	/* whole values, tags included */
	struct span call_id;
	uint32_t cseq;
	struct span contact;	/* value; p NULL: the leg gets none */
	struct span rack;	/* value; p NULL: as it stands */
	struct span replaces, refer_to; /* values; p NULL: as they stand */
	struct span asserted, preferred; /* name-addr for P-Asserted-Identity, P-Preferred-
				* Identity, instead of all there are; p NULL: as they stand,
				* n 0: none */
	struct span headers;	/* whole lines to add before Content-Length: credentials and
				 * what the account adds; p NULL: none */
	struct span body;	/* p NULL: as it stands; n 0: none, nor its Content-Type */
	bool keep_authorization; /* Authorization and Proxy-Authorization go through */
};

/* How an answer reads on the other leg: the Via lines, From, Call-ID and CSeq of the
 * request it answers. */
struct sip_inbound {
	const struct sip_head *request; /* that is answered there */
	const struct sip_hop *from;	/* it had come this way */
	struct span to_tag;		/* p NULL: none (100) */
	struct span contact;		/* value; p NULL: none.  3xx and 485: as it stands */
	struct span record_routes;	/* p NULL: that of the request (we are a UA: RFC 3261
					 * 12.1.1 copies it); n 0: none */
	struct span headers, body;	/* as above */
	bool keep_challenges;		/* WWW- and Proxy-Authenticate go through */
	uint16_t code;			/* 0: as it stands; else with its usual reason */
};

/* Left out on the way, whatever is said above: Via, Route, Record-Route, Path,
 * Service-Route, Max-Forwards, Content-Length (written anew, last), Authentication-Info and
 * Proxy-Authentication-Info.  Names stay as they were written, compact or not; a folded line
 * becomes one line (RFC 3261 7.3.1).  A value put in may be folded, too, but lines of
 * headers must be whole.
 * NULL: it would not pass sip_precheck() any more (longer than SIP_BUF_MOST, or its header
 * than the limits there), or uri has a byte that may not stand in a request line. */
struct sip_buf *sip_translate_request(struct sip_pool *, const struct sip_head *,
				      const struct sip_outbound *);
struct sip_buf *sip_translate_answer(struct sip_pool *, const struct sip_head *,
				     const struct sip_inbound *);

/* A request of ours once more: with another branch, CSeq, Via address or credentials.
 * p NULL, 0, family 0: as it was.  credentials replace every Authorization and
 * Proxy-Authorization line. */
struct sip_revision {
	struct span uri, branch, credentials;
	struct rg_addr local;
	uint32_t cseq;
};
struct sip_buf *sip_translate_again(struct sip_pool *, const struct sip_buf *,
				    const struct sip_revision *);

/* A request made from nothing but what its dialog knows (ACK, BYE): uri to cseq and
 * headers of sip_outbound are used, and no body. */
struct sip_buf *sip_translate_new(struct sip_pool *, const char *method,
				  const struct sip_outbound *);

/* ---- parts of URIs and name-addrs; all linear and bounded by the value ------------- */

struct sip_uri {
	struct span scheme;	/* "sip", "sips", "tel" or "urn" */
	struct span user;	/* escapes as they stand; without password; of tel: the number,
				 * of urn what it names ("service:sos"); n 0: none */
	struct span host;	/* IPv6 with its brackets; n 0: tel, urn */
	uint16_t port;		/* 0: none */
	struct span params;	/* ";..." or n 0 */
	struct span headers;	/* "?..." or n 0 */
};
/* false: no URI that could be routed by: another scheme, no host, a port out of range, more
 * than one "@", blanks or control characters anywhere. */
bool sip_uri_parse(struct span, struct sip_uri *);

struct sip_name_addr {
	struct span display;	/* with its quotes; n 0: none */
	struct span uri;	/* without <> */
	struct span params;	/* behind it: ";tag=..." or n 0 */
};
/* One value of From, To, Contact, P-Asserted-Identity ..., with or without <>; without them
 * every parameter is the header's (RFC 3261 20.10).  The URI is not looked into, but has no
 * blank in it.  false: malformed. */
bool sip_name_addr_parse(struct span, struct sip_name_addr *);

/* The user part with escapes resolved (RFC 3261 19.1.4) into out, always terminated; what
 * is no text (below 0x20, 0x7f, "%00", a "%" without two digits) or does not fit makes it ""
 * and false. */
bool sip_uri_user(const struct sip_uri *, char *out, size_t size);

struct out;
/* The value of a From, To or P-...-Identity: display name and URI of from, but with user and
 * host exchanged where they are not ""; no parameters behind it.  user is escaped as needed;
 * host may have a port, and takes the parameters that name a way to the old one (maddr,
 * transport, ttl, lr, method: not allowed here, RFC 3261 table 1) and the headers with it.
 * tel: URIs become sip: ones when a host is given (19.1.6: their parameters are part of the
 * user, "user=phone" is added). */
void out_identity(struct out *, const struct sip_name_addr *from, const char *user,
		  const char *host);

#endif
