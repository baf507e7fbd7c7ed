/*
 * reginfo.h -- reads application/reginfo+xml (RFC 3680 5) for one thing: what became of
 * our Contact.  The body is hostile until shown otherwise: it is held to limits, has no
 * DTD and no entities of its own, and one that is malformed changes nothing.
 */
#ifndef RG_SIP_REGINFO_H
#define RG_SIP_REGINFO_H

#include <stdbool.h>
#include <stdint.h>

#include "sip/contact.h"
#include "sip/precheck.h"

enum {
	REGINFO_MOST = 65536, /* bytes of a body */
	REGINFO_DEPTH = 8,
	REGINFO_ELEMENTS = 4000,
	REGINFO_ATTRIBUTES = 32, /* of an element */
	REGINFO_URI = 512,	 /* bytes of a Contact; a longer one is not ours */
};

/* Who we are. */
struct reginfo_self {
	const char *token; /* SIP_CONTACT_TOKEN characters: our "rg" parameter */
	struct span aor, uri; /* URIs: address of record, Contact as we sent it */
};

/* What is known from earlier bodies of the subscription; zeroed to begin. */
struct reginfo_watch {
	uint32_t version;
	bool begun;
	bool out_of_step; /* a version was missing; no full state since then */
	bool aor_known;	  /* the notifier calls our address of record as we do */
	bool known;	  /* our Contact was active: by these */
	uint64_t id, uri;
};

struct reginfo_news {
	uint8_t what; /* enum rg_notify of regway/plugin.h; NONE: nothing about ours */
	bool gap;     /* a version is missing: ask for the full state */
	uint32_t expires, retry_after; /* s, 0: not given */
};

/* Ours is the Contact with our token, else the one with our URI, else the one that was
 * ours before, else the only one.  A full state counts whatever its version (CSeq gives
 * the order); a partial one that is not newer is passed over, and one after a gap only
 * says so.  0 or EBADMSG: then *watch is as it was. */
int reginfo_read(struct reginfo_watch *, const struct reginfo_self *, const char *body,
		 size_t n, struct reginfo_news *);

#endif
