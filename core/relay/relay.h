/*
 * relay.h -- calls: a dialog-aware back-to-back relay between the served and the serving
 * side.  Where a request goes, and as whom, is the engine's business (reg/route.h); the
 * relay carries it out, keeps the two legs of each dialog apart, and passes on everything
 * it does not have to understand.
 */
#ifndef RG_RELAY_RELAY_H
#define RG_RELAY_RELAY_H

#include "reg/route.h"
#include "regway/plugin.h"
#include "sip/stack.h"

struct relay;

/* One call or one standing request, as the outside sees it.  Strings are valid during the
 * call that gives it. */
enum relay_state { RELAY_WAITING, RELAY_TRYING, RELAY_RINGING, RELAY_ANSWERED, RELAY_ENDING };
struct relay_call_info {
	uint64_t id;		/* ascending, never used again */
	const char *session_id; /* RFC 7989, of the caller's side: 32 hex digits */
	uint8_t state;		/* enum relay_state */
	const char *method;	/* "INVITE", "MESSAGE" ... */
	const char *from, *to;	/* URIs as the caller wrote them, without parameters and
				 * passwords */
	const char *call_id[2]; /* of the caller's and the callee's leg; "" not yet */
	struct rg_addr caller, callee; /* peers; family 0: not yet */
	struct reg_route_info route;
	int64_t began_at, answered_at, ended_at; /* Unix time, ms; 0: not (yet) */
	int64_t lasts;		/* ms since it was answered, or else since it began */
	uint16_t code;		/* final answer to the caller; 0: none yet */
	const char *reason;	/* its phrase; why it ended */
	const char *ended_by;	/* "caller", "callee", "gateway"; "" not yet */
	uint8_t media;		/* enum reg_media; anchored tells whether it is */
	bool anchored;
};

struct relay_env {
	struct sip_stack *stack;
	struct reg_engine *engine;
	/* A call, or a standing request, is over (INVITE that were refused, too; not those of
	 * unknown sources).  May be NULL. */
	void (*ended)(void *arg, const struct relay_call_info *);
	void *arg;
};

/* Takes the stack's requests (sip_stack_on_request). */
struct relay *relay_new(const struct relay_env *);
/* Forgets every call without a word. */
void relay_free(struct relay *);

/* New calls get 503 with Retry-After from now on. */
void relay_drain(struct relay *);
/* End every call: BYE to both sides, CANCEL or 503 where it is not answered. */
void relay_hang_up(struct relay *);

uint32_t relay_calls(const struct relay *); /* dialogs made by INVITE, and those being made */
size_t relay_bytes(const struct relay *);   /* of memory, roughly, for all of them */

/* Calls in the order of their beginning.  id: where to go on (0 first), moved forward;
 * false at the end.  O(1) a row. */
bool relay_next(struct relay *, uint64_t *id, struct relay_call_info *);
/* The call a message with this Call-ID belongs to, on either leg; false: none. */
bool relay_find(struct relay *, const char *call_id, size_t n, struct relay_call_info *);

/* ---- media ----------------------------------------------------------------------- */

/* What anchors media between the ends (struct rg_media of regway/plugin.h: a service is
 * behind it); copied.  NULL: nothing does any more, and what waits for it has failed. */
void relay_set_media(struct relay *, const struct rg_media *);

#endif
