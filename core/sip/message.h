/*
 * message.h -- puts messages together, without printf: a gateway that registers
 * 100,000 lines writes 200,000 of them in a row.
 */
#ifndef RG_SIP_MESSAGE_H
#define RG_SIP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sip/buf.h"
#include "sip/hop.h"
#include "sip/precheck.h"

/* Where to write.  What does not fit is dropped, and full says so. */
struct out {
	char *p, *end;
	bool full;
};

void out_mem(struct out *, const void *, size_t);
void out_str(struct out *, const char *);
void out_span(struct out *, struct span);
void out_number(struct out *, uint32_t);
void out_hex(struct out *, const uint8_t *, size_t); /* two digits a byte */
/* The user part of a URI: what RFC 3261 25.1 does not allow there is escaped; "%41"
 * stays. */
void out_user(struct out *, const char *);
/* "192.0.2.1" or "[2001:db8::1]", and the port unless it is 0. */
void out_address(struct out *, const struct rg_addr *);
/* "SIP/2.0/UDP address:port" with the branch, and ";rport" for a request of ours. */
void out_via(struct out *, const struct rg_addr *local, const char *branch, size_t n);
/* The Via lines of an answer to request, the topmost with received and rport (RFC 3261
 * 18.2.1, RFC 3581 4). */
void out_reply_vias(struct out *, const struct sip_head *request, const struct sip_hop *from);
#define out_lit(o, s) out_mem(o, "" s, sizeof(s) - 1)

/* Eight lower-case hex digits, and back; false: not such. */
void sip_hex(char out[8], uint32_t);
bool sip_unhex(const char in[8], uint32_t *);

/* No byte below 0x21 and no '<' '>' '"': fit to stand in a URI. */
bool sip_fit_for_uri(const char *);

/* The ACK of a non-2xx answer to the INVITE that was sent (RFC 3261 17.1.1.3), and its
 * CANCEL (9.1) with further header lines.  NULL: what was sent cannot be read. */
struct sip_buf *sip_message_ack(struct sip_pool *, const struct sip_buf *invite,
				const struct sip_head *answer);
struct sip_buf *sip_message_cancel(struct sip_pool *, const struct sip_buf *invite,
				   struct span headers);

/* What must be kept of an ACK to send it again, the rest being in the answer that comes
 * again: its request line and routes, to be freed by g_free(); NULL: it cannot be read. */
char *sip_message_ack_kept(const struct sip_buf *ack);
struct sip_buf *sip_message_ack_again(struct sip_pool *, const char *kept,
				      const struct rg_addr *local, const struct sip_head *answer);

/* An answer to a request: Via lines (the topmost with received and rport), From, To
 * with our tag, Call-ID, CSeq; then headers (whole lines, or NULL) and an empty body.
 * tag: of To if it has none; n 0: none is added.  NULL: too long. */
struct sip_buf *sip_message_reply(struct sip_pool *, const struct sip_head *request,
				  const struct sip_hop *from, uint16_t code,
				  const char *reason, const char *tag, size_t n,
				  const char *headers);
/* The reason phrase of RFC 3261 21; "Error" for one it does not have. */
const char *sip_reason(uint16_t code);

#endif
