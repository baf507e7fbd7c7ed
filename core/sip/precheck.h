/*
 * precheck.h -- one linear pass over a message before anything else reads it: it
 * holds the message to limits within which every later reader is cheap, and notes
 * where the header lines are.  libre's decoder is quadratic on hostile input; what
 * passes here is safe to give to it.  See docs/adr/0009-reading-messages.md.
 */
#ifndef RG_SIP_PRECHECK_H
#define RG_SIP_PRECHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SIP_MESSAGE_MOST = 65535, /* bytes of a message */
	SIP_HEADER_MOST = 16384,  /* of its header, blank line included */
	SIP_START_MOST = 1024,	  /* of the start line */
	SIP_LINE_MOST = 4096,	  /* of a header line with its continuations */
	SIP_LIST_MOST = 16384,	  /* of those that tell all bindings, or all numbers of a trunk */
	SIP_SHORT_MOST = 256,	  /* of lines that hold a number or an identifier */
	SIP_NAME_MOST = 1024,	  /* of To and From */
	SIP_METHOD_MOST = 64,	  /* of a method's name */
	SIP_LINES_MOST = 128,
	SIP_VALUES_MOST = 256,	  /* comma-separated values of a request */
};

struct span {
	const char *p;
	size_t n;
};

/* Headers that somebody reads; the rest is H_OTHER. */
enum sip_field {
	H_OTHER, H_VIA, H_FROM, H_TO, H_CALL_ID, H_CSEQ, H_CONTACT, H_EXPIRES, H_MIN_EXPIRES,
	H_MAX_FORWARDS, H_CONTENT_LENGTH, H_CONTENT_TYPE, H_RETRY_AFTER, H_WWW_AUTHENTICATE,
	H_PROXY_AUTHENTICATE, H_AUTHENTICATION_INFO, H_PROXY_AUTHENTICATION_INFO,
	H_AUTHORIZATION, H_PROXY_AUTHORIZATION, H_SERVICE_ROUTE, H_PATH, H_P_ASSOCIATED_URI,
	H_ROUTE, H_RECORD_ROUTE, H_REQUIRE, H_SUPPORTED, H_EVENT, H_SUBSCRIPTION_STATE,
	H_CONTENT_ENCODING, H_P_ASSERTED_IDENTITY, H_P_PREFERRED_IDENTITY, H_RACK, H_RSEQ,
	H_REPLACES, H_REFER_TO, H_SESSION_ID, H_SESSION_EXPIRES, H_SECURITY_SERVER,
	H_FLOW_TIMER,
	H_FIELDS
};

/* Offsets into the message. */
struct sip_line {
	uint16_t name, value, len; /* the value is trimmed, and may be folded */
	uint8_t field, name_len;
};

/* A message that passed.  Points into the message; nothing is copied. */
struct sip_head {
	const char *base;
	uint32_t len, header_len; /* len: the body's Content-Length counted in */
	bool request;
	uint16_t code;	     /* response */
	struct span reason;  /* response */
	struct span method;  /* request: of its start line; response: of CSeq */
	struct span uri;     /* request */
	uint32_t cseq;
	uint32_t expires;	/* UINT32_MAX: not given; too large ones are clipped */
	uint8_t max_forwards;	/* 255: not given */
	uint8_t lines;
	uint8_t first[H_FIELDS]; /* position + 1 of the first line of a field, 0: none */
	struct sip_line line[SIP_LINES_MOST];
};

enum sip_verdict {
	SIP_FINE,
	SIP_HOPELESS, /* cannot be answered, or is a response: drop it */
	SIP_BAD,      /* a request that can be answered 400 */
	SIP_VERSION,  /* a request of another version of SIP: 505 */
	SIP_URI_LONG, /* a request line above the limit: 414 (RFC 3261 21.4.12) */
	SIP_LARGE,    /* a request above one of the other limits: 513 (21.5.7) */
};

/* p[0..n): a datagram, exactly one message of a stream, or the beginning of one that is
 * too long.  *why is told in words of ours unless it is fine.  A request that can be
 * answered has a Via and a CSeq; From, To and Call-ID may be missing (RFC 4475 3.3.1). */
enum sip_verdict sip_precheck(struct sip_head *, const char *p, size_t n, const char **why);

/* Value of the first line of a field; p NULL: none. */
struct span sip_value(const struct sip_head *, enum sip_field);
/* Go through the lines of one field: start with *at = 0; false: no more. */
bool sip_next(const struct sip_head *, enum sip_field, unsigned *at, struct span *value);

/* What is known of the message a stream's buffer begins with; zeroed to begin. */
struct sip_framing {
	uint32_t scanned; /* bytes without an end of the header */
	uint32_t need;	  /* bytes of the message, once its header is complete */
	bool started;	  /* it begins with a word and a blank, as messages do */
};

enum { SIP_FRAME_NONE = -1, SIP_FRAME_LARGE = -2 };

/* Bytes of the message p[0..n) begins with when all of it is there, 0 as long as it is
 * not.  SIP_FRAME_NONE: it can never be one (no Content-Length, a zero byte);
 * SIP_FRAME_LARGE: it is one, but too long to be waited for; sip_precheck() then finds a
 * fault in what there is.  Each byte is looked at once, however many calls it takes. */
long sip_frame(struct sip_framing *, const char *p, size_t n);

/* ---- readers of values; all linear and bounded by the value -------------------- */

bool span_is(struct span, const char *text);	 /* case ignored */
bool span_equal(struct span, struct span);	 /* case matters */
bool span_equal_case(struct span, struct span); /* case ignored */
struct span span_trim(struct span);		 /* white space and line folds */
/* Digits at the beginning of s; false: none, or above most. */
bool span_number(struct span s, uint32_t most, uint32_t *out);
/* The next of comma-separated values; quotes and <> are seen.  false: no more. */
bool span_value(struct span *rest, struct span *value);
/* Value of a ";name=value" parameter of params (quotes taken off); p NULL: not there,
 * n 0: without a value. */
struct span span_param(struct span params, const char *name);

/* The topmost Via. */
struct sip_via_part {
	struct span transport, host, params;
	struct span branch;
	uint16_t port; /* 0: none */
	bool rport;    /* asked for (RFC 3581) */
};
bool sip_via_part(struct span value, struct sip_via_part *);

/* The tag of From or To; p NULL: none. */
struct span sip_tag(struct span value);

#endif
