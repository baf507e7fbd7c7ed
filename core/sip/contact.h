/* contact.h -- which of the bindings of a 2xx is ours, and how long it lasts. */
#ifndef RG_SIP_CONTACT_H
#define RG_SIP_CONTACT_H

#include <stdbool.h>
#include <stdint.h>

#include "sip/precheck.h"

enum { SIP_CONTACT_TOKEN = 16 }; /* characters of our "rg" parameter */

struct sip_uri_part {
	struct span scheme, user, host, params; /* params begin with ';' or are empty */
	uint16_t port;				/* 0: none */
};

struct sip_contact_part {
	struct span uri, params; /* params: of the header */
};

struct sip_binding {
	unsigned contacts;
	bool ours;
	uint32_t expires; /* of ours; UINT32_MAX: it does not say */
	struct span params; /* of its header */
};

bool sip_uri_part(struct span, struct sip_uri_part *);
/* User, host, port and transport are equal (what RFC 3261 19.1.4 has that matters). */
bool sip_uri_same(struct span, struct span);
/* One value of a Contact header. */
bool sip_contact_part(struct span value, struct sip_contact_part *);

/* Ours is the Contact with our token; else the one whose URI is the one we sent, be it
 * without its transport; else the only one, if it has no other gateway's token and shares
 * user or host with ours.  Of several the one that lasts longest.  uri p NULL: not known
 * any more. */
void sip_binding_find(const struct sip_head *, const char token[SIP_CONTACT_TOKEN],
		      struct span uri, struct sip_binding *);

#endif
