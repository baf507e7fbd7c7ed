/* timeline.h -- what was sent and what changed, in order: printed, and kept for the
 * expectations. */
#ifndef RG_SIM_TIMELINE_H
#define RG_SIM_TIMELINE_H

#include "base/arena.h"
#include "sim/script.h"

enum timeline_kind {
	TIMELINE_STATE,
	TIMELINE_REQUEST,
	TIMELINE_REJECT, /* what the caller of a call got */
	TIMELINE_ACCEPT, /* a call from the serving side was let in */
	TIMELINE_TRUNK	 /* went out of service, or came back */
};

struct timeline_event {
	rg_ms at;
	rg_ms since;	     /* REJECT: when the call began */
	uint8_t kind;
	const char *account; /* "-": none; TRUNK: its id */
	uint8_t method;	     /* REQUEST: enum rg_method */
	uint8_t state;
	bool out;	     /* TRUNK: of service */
	bool expected;	     /* a line of the scenario wanted it */
	struct rg_addr addr; /* family 0: none */
	uint32_t expires, granted, retry_after, min_expires;
	uint16_t code, port;
	const char *contact, *headers;
};

struct timeline {
	struct rg_arena *mem;
	struct timeline_event *event;
	size_t n, size;
	bool quiet; /* keep, do not print */
};

void timeline_init(struct timeline *, bool quiet);
void timeline_free(struct timeline *);
/* Copies the event with its strings, and prints its line. */
void timeline_add(struct timeline *, const struct timeline_event *);
/* Is that trunk, or group of trunks, out of service? */
bool timeline_out(const struct timeline *, const char *trunk);
/* The state an account was last seen in. */
uint8_t timeline_state(const struct timeline *, const char *account);
/* Without end of line; valid until the next call. */
const char *timeline_text(const struct timeline_event *);
const char *timeline_method(uint8_t method);
/* "192.0.2.1", with its port when that is not 5060; "" for none. */
const char *timeline_addr(const struct rg_addr *, char buf[RG_ADDR_TEXT]);

#endif
