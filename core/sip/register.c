#include "sip/register.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "regway/plugin.h"
#include "sip/attempt.h"
#include "sip/contact.h"
#include "sip/memo.h"
#include "sip/message.h"
#include "sip/redirect.h"
#include "sip/tls.h"

enum { REASON = 96 };

static void answered(struct sip_attempt *a, const struct reg_answer *answer)
{
	const struct sip_register_env *env = sip_register_env(a->owner);

	env->answered(env->arg, a->token, answer);
}

/* ---- answers ---------------------------------------------------------------------------- */

static void reason_of(const struct sip_head *h, char text[REASON])
{
	size_t n = MIN(h->reason.n, (size_t)REASON - 1);

	for (size_t i = 0; i < n; i++)
		text[i] = (unsigned char)h->reason.p[i] < ' ' ? ' ' : h->reason.p[i];
	text[n] = '\0';
}

static void granted(struct sip_attempt *a, const struct sip_head *h, struct sip_memo *m,
		    struct reg_answer *r)
{
	const struct sip_buf *b = sip_client_sent(a->client);
	struct span uri = { b && a->uri_len ? b->data + a->uri_at : NULL, a->uri_len };
	struct sip_binding binding;

	sip_binding_find(h, a->contact_token, uri, &binding);
	if (m)
		sip_memo_gruu(m, binding.params, a->gruu);
	r->bound = binding.ours || (!binding.contacts && a->asked);
	if (!r->bound)
		return;
	if (binding.ours && binding.expires != UINT32_MAX)
		r->expires = binding.expires;
	else
		r->expires = h->expires != UINT32_MAX ? h->expires : a->asked;
}

static void flow_timer(struct sip_attempt *a, const struct sip_head *h)
{
	struct sip_transport *t = sip_register_env(a->owner)->transport;
	uint32_t s = MIN(sip_seconds(h, H_FLOW_TIMER), (uint32_t)86400);

	if (s)
		sip_transport_flow_timer(t, sip_client_hop(a->client), s * 1000);
}

static void report(struct sip_attempt *a, const struct sip_event *e, bool refused)
{
	const struct sip_head *h = e->answer;
	struct sip_memo *m = sip_attempt_memo(a);
	char text[REASON];
	struct reg_answer r = {
		.code = h->code,
		.late = e->outcome == SIP_LATE,
		.refused_credentials = refused,
		.repeated = sip_client_repeated(a->client),
		.retry_after = sip_seconds(h, H_RETRY_AFTER),
		.min_expires = sip_seconds(h, H_MIN_EXPIRES),
		.reason = text,
	};

	if (a->redirects)
		r.sent_to = sip_client_hop(a->client)->peer;
	reason_of(h, text);
	if (h->code < 300)
		granted(a, h, m, &r);
	if (h->code < 300 && m)
		sip_memo_take(m, h);
	if (h->code < 300 && a->flow)
		flow_timer(a, h);
	answered(a, &r);
}

static void report_none(struct sip_attempt *a, const char *why, bool failed)
{
	struct reg_answer r = {
		.transport_failed = failed,
		.repeated = sip_client_repeated(a->client),
		.reason = why,
	};

	answered(a, &r);
}

/* The engine may have forgotten the attempt when it was told, and begun another one
 * in the same place: only its life tells. */
static void close_attempt(struct sip_register *r, uint64_t token, uint32_t life)
{
	struct sip_attempt *a = sip_attempt_find(r, token);

	if (a && a->life == life)
		sip_attempt_free(a);
}

/* true: it is on its way with another end. */
static bool again(struct sip_attempt *a)
{
	int err = sip_attempt_retry(a);

	if (!err)
		return true;
	sip_client_stop(a->client);
	report_none(a, sip_error(err), true);
	return false;
}

/* true: it goes on with credentials. */
static bool met(struct sip_attempt *a, const struct sip_event *e)
{
	enum sip_met m = e->outcome == SIP_FINAL ? sip_attempt_challenged(a, e->answer) :
						   SIP_WORN_OUT;
	struct sip_memo *memo = sip_attempt_memo(a);

	if (m != SIP_MET) {
		if (memo && e->outcome == SIP_FINAL)
			sip_memo_forget_nonces(memo);
		report(a, e, m == SIP_REFUSED);
		return false;
	}
	return again(a);
}

/* It is bound with an address at which it cannot be reached: once more with the one that
 * the server saw. */
static bool must_move(struct sip_attempt *a, const struct sip_event *e)
{
	if (!a->received || a->moved || !a->asked || e->outcome != SIP_FINAL ||
	    e->answer->code >= 300 || !sip_request_moved(a))
		return false;
	a->moved = true;
	return true;
}

/* RFC 3329 2.3.1: Security-Verify was missing, or of a list that is not the server's. */
static bool must_agree(struct sip_attempt *a, const struct sip_event *e)
{
	return sip_attempt_security(a, e->answer) && e->answer->code == 494 &&
	       e->outcome == SIP_FINAL && a->challenges++ < SIP_CHALLENGES_MOST;
}

/* RFC 5626 11.6: the first hop lacks outbound; once more, and from now on, without. */
static bool must_do_without(struct sip_attempt *a, const struct sip_event *e)
{
	struct sip_memo *m = sip_attempt_memo(a);

	if (!a->flow || e->answer->code != 439 || e->outcome != SIP_FINAL || !m || m->no_outbound)
		return false;
	m->no_outbound = true;
	return true;
}

static void register_event(struct sip_client *, const struct sip_event *, void *arg);

static void final(struct sip_attempt *a, const struct sip_event *e)
{
	uint16_t code = e->answer->code;
	struct sip_register *r = a->owner;
	struct sip_memo *m = sip_attempt_memo(a);
	uint64_t token = a->token;
	uint32_t life = a->life;

	if (a->received && m)
		sip_memo_saw(m, e->answer);
	if (must_move(a, e) || must_agree(a, e) || must_do_without(a, e)) {
		if (again(a))
			return;
	} else if (e->outcome == SIP_FINAL &&
		   sip_attempt_redirected(a, e->answer, register_event)) {
		return;
	} else if (code != 401 && code != 407) {
		report(a, e, false);
	} else if (met(a, e)) {
		return;
	}
	close_attempt(r, token, life);
}

static void register_event(struct sip_client *c, const struct sip_event *e, void *arg)
{
	struct sip_attempt *a = arg;
	struct sip_register *r = a->owner;
	uint64_t token = a->token;
	uint32_t life = a->life;

	(void)c;
	switch (e->outcome) {
	case SIP_PROVISIONAL:
		break;
	case SIP_FINAL:
	case SIP_LATE:
		final(a, e);
		break;
	case SIP_TIMEOUT:
		a->username = a->password = "";
		report_none(a, "no answer", false);
		break;
	case SIP_FAILED:
		report_none(a, sip_error(e->err), true);
		close_attempt(r, token, life);
		break;
	case SIP_GONE:
		close_attempt(r, token, life);
		break;
	}
}

/* ---- sending ----------------------------------------------------------------------------- */

/* The dialogue's to give up (sip_register_drop). */
static void belong(struct sip_attempt *a, struct reg_dialogue *d)
{
	a->next = d->attempts;
	a->before = (struct sip_attempt **)&d->attempts;
	if (a->next)
		a->next->before = &a->next;
	d->attempts = a;
}

int sip_register_send(struct sip_register *r, const struct reg_message *q)
{
	struct sip_route to = { q->interface, q->local_port, &q->server, q->tls_name };
	struct sip_attempt *a;
	struct sip_memo *m;
	struct sip_buf *b = NULL;
	int err;

	if (sip_attempt_find(r, q->token))
		return EEXIST;
	a = sip_attempt_new(r, q->token);
	sip_attempt_describe(a, q);
	belong(a, q->dialogue);
	m = q->dialogue->memo;
	/* a good-bye to a server that was left takes nothing away from the one that is bound */
	if (!q->expires && m && !rg_addr_equal(&m->server, &q->server))
		m = a->own = sip_memo_new(&q->server);
	else
		m = sip_memo_for(q->dialogue, &q->server);
	if (!q->keep_nonce)
		sip_memo_forget_nonces(m);
	err = sip_attempt_route(a, &to, register_event);
	if (!err)
		err = sip_request_build(a, q, &b);
	return sip_attempt_start(a, b, q->budget_ms, err);
}

