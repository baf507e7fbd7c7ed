/*
 * call.h -- a call as the files of the relay see it.
 *
 *   relay.c        the table of calls, dispatch of what comes in, the outside's view
 *   arrival.c      a request without a To tag: who may, and from where
 *   call.c         life and end of a call
 *   leg.c          what all dialogs with one side share: Call-ID, identity, Contact
 *   dialog.c       pairs of dialogs: tags, targets, route sets
 *   nexthop.c      where requests in a dialog go
 *   attempt.c      the dialog-making request, from server to server
 *   exchange.c     a request from one side to the other, and its answers
 *   order.c        what is out of order in a dialog
 *   send.c         how it gets on its way
 *   invite.c       what INVITE has more: 1xx, 2xx, timer C, CANCEL
 *   ack.c          the 2xx until its ACK, and the ACK
 *   session.c      pairs as sessions and subscriptions: how long, and their end by us
 *   credentials.c  challenges on a leg
 *   replaces.c     calls named in other calls
 *   media.c        session descriptions that wait to be rewritten
 *
 * A call has two legs and, for each fork of the callee that said something, a pair of
 * dialogs.  Every request that is under way is an exchange.  Nothing is freed from inside:
 * what is over is marked, and the reaper takes it at the end of the turn.
 */
#ifndef RG_RELAY_CALL_H
#define RG_RELAY_CALL_H

#include <glib.h>
#include <stddef.h>

#include "relay/relay.h"
#include "sip/authenticate.h"
#include "sip/digest.h"
#include "sip/message.h"
#include "sip/transaction.h"
#include "sip/translate.h"

enum side { CALLER, CALLEE };
#define OTHER_SIDE(s) ((s) == CALLER ? CALLEE : CALLER)

enum method {
	M_OTHER, M_INVITE, M_ACK, M_BYE, M_PRACK, M_UPDATE, M_SUBSCRIBE, M_NOTIFY, M_REFER,
	M_CANCEL, M_REGISTER, M_INFO, M_OPTIONS
};

enum {
	RELAY_TAG = 27,		/* characters of a tag of ours */
	RELAY_CALLS_MOST = 1 << 20,
	RELAY_STANDING_MOST = 1 << 16, /* subscriptions and requests that stand alone among them */
	FORKS_MOST = 32,	/* pairs of a call, all its attempts counted */
	EXCHANGES_MOST = 64,	/* of one side of a call at a time; BYEs are let through */
	CHALLENGES_MOST = 2,	/* answered, of one attempt */
	REDIRECTS_MOST = 5,
	SPARES_MOST = 3,
	DATAGRAM_MOST = 1300,	/* RFC 3261 18.1.1 */
	TIMER_C_MS = 181 * 1000,
	/* No 408 may be told for it (RFC 4320 4.2), but a BYE must be answered in time. */
	IN_DIALOG_MS = SIP_64T1_MS - 2000,
	RETRY_AFTER_S = 10,
};

enum ender { BY_NOBODY, BY_CALLER, BY_CALLEE, BY_GATEWAY };

struct call;
struct pair;
struct exchange;

/* What all dialogs with one side share.  The strings stand in text one after the other. */
struct leg {
	char *text; /* NULL: not yet */
	uint16_t id_len, self_len, contact_len; /* Call-ID; our From or To value without a
						 * tag; URI of our Contact */
	uint8_t side;	    /* enum side: which one of its call it is */
	bool serving;	    /* the registrar's side */
	struct sip_hop hop; /* where the dialog-making message came from or went to */
	uint32_t flow;	    /* connection that the end spoke over last; 0: none */
	uint32_t cseq;	    /* last of ours outside of pairs: of the dialog-making request */
	const char *username, *password; /* of the route; "": challenges are passed on */
	const char *tls_name;	    /* of its configured server; NULL or "": none */
	struct digest *www, *proxy; /* challenges of it, each realm's */
};

/* What else the name of a next hop stands for, asked in turn (RFC 3263 4.3). */
struct spares {
	uint8_t n, at;
	struct rg_addr addr[SPARES_MOST];
};

/* One side of a pair, as we stand in it.  Strings in text: the callee's To value with its
 * tag, the other end's target, the route set. */
struct dialog {
	char *text;
	uint16_t remote_len, target_len, routes_len;
	bool looking; /* up the next hop's name */
	bool sips;    /* TLS on every hop (RFC 5630) */
	bool by_flow; /* nothing but the connection of its own reaches it */
	uint32_t local_cseq, remote_cseq;
	struct rg_addr next; /* family 0: not known */
	struct spares *spares; /* NULL: none */
};

struct pair {
	struct pair *next;
	struct call *call;
	uint8_t number;	/* in our tag towards the caller, from 1 */
	uint8_t attempt; /* of the callee's leg it belongs to */
	bool confirmed;	/* a session: by 2xx to INVITE */
	bool ended;	/* no session any more, or there will be none */
	rg_ms lease;	/* of a subscription; 0: none */
	rg_ms session;	/* Session-Expires; RG_NEVER: none */
	struct dialog dialog[2];
};

struct exchange {
	struct exchange *next, *prev;
	struct call *call;
	struct pair *pair;	   /* NULL: the request that makes dialogs */
	struct sip_server *server; /* NULL: the request is ours, or is answered */
	struct sip_client *client; /* the present one */
	struct sip_buf *request;   /* as it came; NULL: ours, or not needed any more */
	struct sip_buf *built;	   /* to be sent by client, waits for its session description */
	struct sip_buf *answer;	   /* a 2xx that is repeated until its ACK; before that, the
				    * final answer that a late decision may pass on */
	struct sip_buf *ack;	   /* sent, kept for repetitions of the 2xx; or received, while
				    * ack_waits */
	char *credentials;	   /* of an INVITE: for its ACK, too */
	struct sip_hop from, to;   /* the request's way */
	struct rg_timer timer;
	rg_ms give_up;
	uint32_t cseq_in, cseq_out, interval, budget_ms;
	uint32_t *killed; /* FORKS_MOST hashes of To tags of 2xx that got their BYE, or NULL */
	uint8_t n_killed;
	uint8_t most;		   /* repetitions */
	uint8_t side;		   /* enum side that sent it */
	uint8_t method;		   /* enum method */
	uint8_t clients;	   /* that may still call us */
	uint8_t challenges, redirects;
	uint8_t turns;	/* to another address of the next hop's name */
	uint8_t repeats; /* of the ACK */
	bool answered;	/* a final answer went back */
	bool accepted;	/* 2xx came: INVITE waits for its ACK, or is acknowledged */
	bool cancelled; /* nobody waits for it any more */
	const struct sip_head *heard; /* during reg_route_answered(): what came */
	bool offered;	/* it had an SDP offer */
	bool moved;	/* to TCP for its length; udp is where it would have gone */
	bool fallen;	/* back to the connection the dialog came over, or to a new one */
	bool acknowledged; /* the ACK of its 2xx came */
	bool waits, ack_waits; /* for the address of the next hop */
	bool over;	/* the reaper may have it once clients is 0 */
};

struct call {
	struct relay *relay;
	struct reg_route *route;
	struct call *reap; /* list */
	struct leg leg[2];
	struct pair *pair;
	struct exchange *exchange, *initial;
	struct media_item *item; /* in their order; see media.c */
	struct rg_timer timer; /* sessions and leases */
	rg_ms ends; /* MaxCallDuration is over; RG_NEVER */
	uint64_t id, key;
	uint32_t slot;
	uint32_t longest; /* s; 0: no limit */
	uint16_t exchanges[2];	/* by the side that sent them */
	uint8_t pairs, attempt;
	uint8_t state;	/* enum relay_state */
	uint8_t media;	/* enum reg_media */
	uint8_t ended_by; /* enum ender */
	bool over, reaping, follow_redirect, anchored;
	bool invite, decided; /* decided: the caller has its final answer */
	bool keep_authorization, keep_nonce;
	uint16_t code;
	int64_t began_at, answered_at, ended_at; /* Unix time, ms */
	rg_ms since; /* answered, or else begun: the wall clock may be set meanwhile */
	char session_id[32];
	char *words; /* method, its terminator, From and Request-URI as the caller wrote them */
	char *reason; /* NULL: none */
	uint16_t who_at, who_len, target_len;
	uint32_t weight; /* bytes of it all, as last told to the relay */
};

struct source_log;

struct relay {
	struct relay_env env;
	const struct sip_parts *parts;
	struct call **slot;	/* NULL: free */
	uint32_t slots, slots_size, first_free;
	GArray *free_slots;	/* of uint32_t */
	GArray *order;		/* of struct row, by id */
	uint32_t holes;		/* in order */
	GHashTable *by_id;	/* of struct leg, by Call-ID */
	struct sip_authenticator *authenticator;
	struct rg_media media;
	struct call *reap;
	struct rg_timer reaper;
	struct source_log *sources;
	rg_ms media_warned;
	rg_ms no_tcp[64];	/* until then; see send.c */
	uint64_t last_id;
	uint32_t calls, standing; /* of INVITE, of other requests; not over */
	size_t bytes;		/* weights of all calls */
	bool draining;
	char scratch[5][512];	/* of relay_call_info */
};

static inline struct rg_timers *call_timers(const struct call *c)
{
	return c->relay->parts->timers;
}

static inline struct call *leg_call(struct leg *l)
{
	return (struct call *)((char *)(l - l->side) - offsetof(struct call, leg));
}

static inline rg_ms call_now(const struct call *c)
{
	return rg_now(c->relay->parts->timers);
}

/* ---- relay.c ---- */

/* Give it a slot; false: there is none. */
bool relay_add(struct relay *, struct call *);
void relay_remove(struct relay *, struct call *);
/* Enter or take out the Call-ID of a leg. */
void relay_know(struct call *, enum side);
void relay_unknow(struct call *, enum side);
/* The reaper shall look at it. */
void relay_reap(struct call *);
void relay_tag(const struct call *, enum side, uint8_t number, char out[RELAY_TAG]);
/* The call whose tag this is, with the side it is our tag on, and its number there. */
struct call *relay_by_tag(const struct relay *, struct span tag, enum side *, uint8_t *number);
enum method relay_method(struct span);

/* ---- arrival.c ---- */

/* A request without a To tag.  false: none of the relay's. */
bool arrival(struct relay *, const struct sip_hop *, const struct sip_head *);
struct source_log *source_log_new(void);
/* The engine refuses it before any server was asked: say so, once a second and source. */
void arrival_refused(struct call *, uint16_t code, const char *reason);

/* ---- call.c ---- */

/* For a request that makes a dialog or stands alone; NULL: too many. */
struct call *call_new(struct relay *, const struct sip_hop *, const struct sip_head *);
const char *call_method(const struct call *);
struct span call_who(const struct call *);    /* From */
struct span call_target(const struct call *); /* Request-URI */
/* The URI of a From or To value, or a URI, as it may be shown: without parameters and
 * password; what is too long not at all. */
const char *call_shown_uri(struct span value, char *buf, size_t size);
/* It has grown or shrunk. */
void call_weigh(struct call *);
/* The final answer to the caller was given. */
void call_decided(struct call *, uint16_t code, struct span reason);
/* It ends, if no session, no subscription and no initial request are left. */
void call_check(struct call *);
/* The reaper's: free what is over; true: the call itself, too. */
bool call_reaped(struct call *);
/* Nothing is told any more to whom it concerns. */
void call_free(struct call *);
/* The operator ends it. */
void call_hang_up(struct call *);
void call_info(struct call *, struct relay_call_info *);

/* ---- leg.c ---- */

struct span leg_id(const struct leg *);
struct span leg_self(const struct leg *);
struct span leg_contact(const struct leg *);
void leg_set(struct leg *, struct span id, struct span self, struct span contact);
void leg_clear(struct leg *);
/* The caller's, from its request. */
void leg_of_caller(struct call *, const struct sip_hop *, const struct sip_head *);
/* A request of that end came this way. */
void leg_spoken(struct leg *, const struct sip_hop *);
/* Our Contact on it once the route is known; NULL or "": as it is. */
void leg_set_contact(struct leg *, const char *user, const char *address,
		     const struct reg_dialogue *);
/* Our Contact on it is this URI; NULL: as it is. */
void leg_set_gruu(struct leg *, const char *gruu);
/* "sip:user@address" of ours, or "sips:"; address as reg_leg.contact_address. */
void leg_write_uri(struct out *, bool sips, struct span user, const struct rg_addr *local,
		   const char *address, const struct reg_dialogue *);
/* "<URI>" of ours with the header parameters of the Contact in h; p NULL: h has none. */
struct span leg_write_contact(const struct leg *, const struct sip_head *, struct out *);

/* What a request is written with.  The scratch is where its parts are put together. */
struct frame {
	struct sip_outbound o;
	struct out out;
	struct span credentials; /* of o.headers */
	char tag[RELAY_TAG], branch[SIP_BRANCH];
	char scratch[12288];
};
void frame_begin(struct frame *);
/* The text written since from, as a span. */
struct span frame_cut(const struct frame *, const char *from);
/* Credentials for this leg to f->o.headers, which they follow. */
void frame_authorize(struct frame *, struct leg *, struct span method, struct span body);

/* Replaces and Refer-To, where they name calls of ours. */
void frame_names(struct frame *, struct relay *, const struct sip_head *);

/* ---- dialog.c ---- */

struct pair *pair_by_remote_tag(struct call *, struct span tag);
struct pair *pair_by_number(struct call *, uint8_t number);
/* A fork of the callee: by its answer to the initial request, or its NOTIFY.  NULL: too
 * many. */
struct pair *pair_new(struct call *, const struct sip_head *);
void pair_free(struct pair *);
struct span pair_remote(const struct pair *, enum side); /* From or To value of that end */
struct span dialog_target(const struct dialog *);
struct span dialog_routes(const struct dialog *);
/* Contact, and with routes the route set (reverse: as the UAC has it), from a message of
 * that end; a name is looked up. */
void dialog_refresh(struct pair *, enum side, const struct sip_head *, bool routes,
		    bool reverse);
/* The values of Record-Route as one; reverse: as the UAC has them.  n 0: none. */
struct span dialog_route_set(const struct sip_head *, bool reverse, struct out *);
/* Parts of a request to that side: URI, routes, From, To, Call-ID, the next CSeq, and
 * Contact if h has one. */
void dialog_frame(struct pair *, enum side, const struct sip_head *, struct frame *);
size_t dialog_bytes(const struct dialog *);

/* ---- nexthop.c ---- */

bool uri_is_sips(struct span uri);
struct span first_route(struct span routes, bool *strict); /* URI; p NULL: none */
/* Its target or routes are new: find the next hop, by name if need be. */
void nexthop_find(struct pair *, enum side);
void nexthop_forget(struct pair *, enum side);
void nexthop_resolved(uint64_t token, const struct reg_resolved *, size_t n, void *relay);
/* The way to that side; a connection that is gone is opened again.  0 or an errno. */
int nexthop(const struct pair *, enum side, struct sip_hop *);
/* After a failure with err of a connection: is there another one? */
bool nexthop_other(struct pair *, enum side, const struct sip_hop *failed, int err,
	       struct sip_hop *);
/* From now on another address of the name is the next hop.  false: it has no other. */
bool nexthop_turn(struct pair *, enum side);
/* How many addresses may be asked in turn, at least 1. */
unsigned nexthop_choices(const struct pair *, enum side);
/* Where no dialog is: to a URI, if it can be, else back to where from. */
void nexthop_of_uri(const struct call *, enum side, struct span uri, const struct sip_hop *from,
		struct sip_hop *);

/* ---- attempt.c ---- */

extern const struct reg_route_h attempt_h;
/* The initial request was sent on: its session description is ready. */
void attempt_forward(struct exchange *, struct span body);
/* The client of the initial request came to its end: without an answer (NULL), with one
 * of failure, with a 2xx. */
void attempt_failed(struct exchange *, const struct sip_head *answer);
void attempt_accepted(struct exchange *, const struct sip_hop *, const struct sip_head *);
/* The gateway gives it up: this to the caller, CANCEL to the callee. */
void attempt_give_up(struct exchange *, uint16_t code);
/* A 3xx that is followed: true. */
bool attempt_redirected(struct exchange *, struct sip_client *, const struct sip_head *);
/* Answer the initial request ourselves, and be done with it. */
void attempt_refuse(struct exchange *, uint16_t code, const char *reason, const char *headers);

/* ---- exchange.c ---- */

/* A message as it came; NULL: there is no room for it. */
struct sip_buf *relay_copy(const struct relay *, const struct sip_head *);
/* NULL: too many; head and hop as the request came, NULL for one of ours. */
struct exchange *exchange_new(struct call *, struct pair *, enum side from, enum method,
			      const struct sip_hop *, const struct sip_head *);
/* A request in a dialog. */
void exchange_request(struct pair *, enum side from, enum method, const struct sip_hop *,
		      const struct sip_head *);
/* Pass a request on in its dialog, as it came or with another body. */
void exchange_forward(struct exchange *, const struct sip_head *, struct span body);
/* Pass an answer back. */
void exchange_back(struct exchange *, const struct sip_head *, struct span body);
/* An answer as it reads on the other leg, there from this fork (NULL: none). */
struct sip_buf *exchange_translate(struct exchange *, const struct sip_head *, struct span body,
				   const struct pair *fork);
/* A 401 or 407 was met: it goes on. */
bool exchange_challenged(struct exchange *, struct sip_client *, const struct sip_head *);
/* No answer will come: transport or time. */
void exchange_unanswered(struct exchange *, bool transport);
void exchange_failed(struct exchange *, bool transport);
/* The same of what is no INVITE, with what it means. */
void exchange_answered(struct exchange *, const struct sip_head *, struct span body);
/* The gateway's own answer. */
void exchange_reply(struct exchange *, uint16_t code, const char *reason, const char *headers);
void exchange_over(struct exchange *);
/* Its present client is under way: it does not wait for its session description. */
static inline bool exchange_sent(const struct exchange *x)
{
	return x->client && !x->built;
}
/* Stop waiting for the callee of an unanswered one. */
void exchange_give_up(struct exchange *, uint16_t code);
void exchange_release(struct exchange *); /* the reaper's */
void exchange_proceed(struct exchange *); /* the next hop is known now */
sip_client_h exchange_event;

/* ---- order.c ---- */

/* true: the request was answered, since there is no such session any more, its CSeq is lower
 * than one before, another INVITE is under way ... */
bool order_refuses(struct pair *, enum side from, enum method, const struct sip_hop *,
		   const struct sip_head *);

/* ---- send.c ---- */

/* Write what the frame says, from h or, h NULL, as a new request; then send it as a client
 * transaction, as it is or with another body.  0 or an errno: then there is nothing. */
int exchange_build(struct exchange *, const struct sip_head *h, const char *method,
		   const struct sip_hop *, struct frame *);
int exchange_put(struct exchange *, struct span body);
/* Those of an INVITE, for its ACK. */
void exchange_keep_credentials(struct exchange *, const struct frame *);
int exchange_send(struct exchange *, const struct sip_head *h, const char *method,
		  const struct sip_hop *, struct frame *);
/* Once more, from the handler at SIP_FINAL, with credentials.  uri p NULL: as it was. */
void exchange_again(struct exchange *, struct sip_client *, struct span uri);
/* The transport failed: is there another way for what was sent? */
bool exchange_other_way(struct exchange *, const struct sip_buf *sent, int err);
/* Nobody answered, or nobody is there: it goes to another address of the name. */
bool exchange_next_address(struct exchange *, const struct sip_buf *sent);

/* ---- invite.c ---- */

void invite_event(struct exchange *, struct sip_client *, const struct sip_event *);
/* A 1xx or the 2xx goes back. */
void invite_back(struct exchange *, const struct sip_head *, struct span body);
/* cancel: by this one; may be NULL. */
void invite_cancelled(struct exchange *, const struct sip_head *cancel);
/* It ends without the callee's answer: this to who asked, CANCEL to the other side. */
void invite_end(struct exchange *, uint16_t code, enum ender);
void invite_start_timer_c(struct exchange *);
/* A 2xx that nobody wants: ACK, and BYE the first time. */
void invite_kill(struct exchange *, const struct sip_hop *, const struct sip_head *);
/* The one of this dialog and side without a final answer, or with this number; NULL: none. */
struct exchange *invite_pending(const struct pair *, enum side from);
struct exchange *invite_by_cseq(const struct pair *, enum side from, uint32_t cseq);

/* ---- ack.c ---- */

/* The 2xx went back: it is repeated until its ACK comes; without one the session ends. */
void ack_wait(struct exchange *);
/* The ACK of that side came. */
void ack_request(struct pair *, enum side, const struct sip_hop *, const struct sip_head *);
/* It goes on, as it came or with another body. */
void ack_forward(struct exchange *, const struct sip_head *, struct span body);
/* The one nobody sent, before a BYE. */
void ack_self(struct exchange *);
/* The 2xx came again, so the ACK has not got there: once more, over another connection if that
 * one broke, every second time to another address of the name. */
void ack_again(struct exchange *);
/* Written from h, or h NULL as the frame says, and sent; the caller's, or NULL. */
struct sip_buf *ack_put(struct exchange *, const struct sip_head *h, struct frame *,
			const struct sip_hop *);

/* ---- session.c ---- */

/* What an exchange's 2xx means for its pair: timers, subscriptions, ends. */
void session_accepted(struct exchange *, const struct sip_head *request,
		      const struct sip_head *answer);
/* The session of a pair is over: by a BYE that came to its end, or refused. */
void session_over(struct pair *, enum ender, const char *reason);
void session_hang_up(struct pair *, const char *reason);
void session_set_timer(struct call *);
/* If the BYE does not come again, we send one. */
void session_ends_soon(struct pair *);
/* A BYE came. */
void session_bye(struct exchange *);

/* ---- credentials.c ---- */

/* Take the challenge of a 401 or 407 to what was sent (or NULL); false: it cannot be met. */
bool credentials_challenged(struct leg *, const struct sip_head *, const struct sip_buf *sent);
/* The next nonce of an answer (RFC 7616 3.5). */
void credentials_info(struct leg *, const struct sip_head *);
/* Authorization lines for a request; what does not fit is left out. */
void credentials_write(struct leg *, struct out *, const char *method, const char *uri,
		       struct span body);
bool leg_has_credentials(const struct leg *);
/* May that side's credentials be shown to this address?  To the server that was asked, and
 * to those of the account's proxy set.  Where else the other end has its target or routes
 * is its own word: it could have a digest made for any Request-URI and nonce it likes, and
 * call with it. */
bool credentials_may(const struct call *, enum side, const struct rg_addr *);
/* For sip_revision, when what was sent goes to this address as well: it keeps its credentials,
 * or leaves ours out. */
struct span credentials_to(const struct exchange *, const struct rg_addr *);
/* Does a request go on with the credentials it came with?  Those that were for us do not. */
bool credentials_pass(const struct exchange *);
void credentials_free(struct leg *);

/* ---- replaces.c ---- */

/* The value of Replaces as the other leg of the call it names has it; nothing: it names none
 * of ours, or what its receiver knows itself. */
void replaces_write(struct relay *, struct span value, struct out *);
/* Likewise a Refer-To with one in it. */
void replaces_refer_to(struct relay *, struct span value, struct out *);

/* ---- media.c ---- */

enum media_kind { MEDIA_REQUEST, MEDIA_ANSWER, MEDIA_ACK };
/* A message is to go on, now or when its session description has been rewritten, and after
 * those before it. */
void media_pass(struct exchange *, enum media_kind, const struct sip_hop *,
		const struct sip_head *);
void media_forget(struct call *, const struct exchange *); /* exchange NULL: all */
void media_remove(struct call *);
bool media_waits(const struct call *, const struct exchange *); /* a message of it does */

#endif
