#include "sip/register.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "regway/plugin.h"
#include "sip/contact.h"
#include "sip/memo.h"
#include "sip/message.h"
#include "sip/probe.h"
#include "sip/redirect.h"
#include "sip/seen.h"
#include "sip/tls.h"

enum { SPARES = 4096, REASON = 96, VALUES_MOST = 8 };

struct sip_register {
	struct sip_register_env env;
	GHashTable *attempt; /* by token */
	struct sip_seen *seen;
	struct sip_attempt *spare;
	unsigned spares;
	uint32_t lives;
};

struct sip_register *sip_register_new(const struct sip_register_env *env)
{
	struct sip_register *r = g_new0(struct sip_register, 1);

	r->env = *env;
	r->attempt = g_hash_table_new(NULL, NULL);
	r->seen = sip_seen_new();
	return r;
}

/* ---- attempts ------------------------------------------------------------------------- */

struct sip_attempt *sip_attempt_new(struct sip_register *r, uint64_t token)
{
	struct sip_attempt *a = r->spare;

	if (a) {
		r->spare = a->spare;
		r->spares--;
		memset(a, 0, sizeof *a);
	} else {
		a = g_new0(struct sip_attempt, 1);
	}
	a->owner = r;
	a->token = token;
	a->life = ++r->lives;
	a->username = a->password = "";
	return a;
}

void sip_attempt_free(struct sip_attempt *a)
{
	struct sip_register *r = a->owner;

	if (a->ended)
		a->ended(a);
	sip_memo_free(a->own);
	g_free(a->left);
	if (a->before) {
		*a->before = a->next;
		if (a->next)
			a->next->before = a->before;
	}
	if (g_hash_table_lookup(r->attempt, GSIZE_TO_POINTER(a->token)) == a)
		g_hash_table_remove(r->attempt, GSIZE_TO_POINTER(a->token));
	if (r->spares >= SPARES) {
		g_free(a);
		return;
	}
	a->spare = r->spare;
	r->spare = a;
	r->spares++;
}

void sip_register_free(struct sip_register *r)
{
	GHashTableIter it;
	gpointer p;

	if (!r)
		return;
	g_hash_table_iter_init(&it, r->attempt);
	while (g_hash_table_iter_next(&it, NULL, &p)) {
		sip_client_stop(((struct sip_attempt *)p)->client);
		g_free(((struct sip_attempt *)p)->left);
		sip_memo_free(((struct sip_attempt *)p)->own);
		g_free(p);
	}
	while (r->spare) {
		struct sip_attempt *a = r->spare;

		r->spare = a->spare;
		g_free(a);
	}
	g_hash_table_destroy(r->attempt);
	sip_seen_free(r->seen);
	g_free(r);
}

bool sip_register_forget(struct sip_register *r, uint64_t token)
{
	struct sip_attempt *a = g_hash_table_lookup(r->attempt, GSIZE_TO_POINTER(token));

	if (!a)
		return false;
	sip_client_stop(a->client);
	sip_attempt_free(a);
	return true;
}

void sip_register_drop(struct reg_dialogue *d)
{
	while (d->attempts) {
		struct sip_attempt *a = d->attempts;

		sip_client_stop(a->client);
		sip_attempt_free(a);
	}
}

bool sip_attempt_running(const struct sip_register *r, uint64_t token)
{
	return g_hash_table_lookup(r->attempt, GSIZE_TO_POINTER(token));
}

static void answered(struct sip_attempt *a, const struct reg_answer *answer)
{
	const struct sip_register_env *env = &a->owner->env;

	env->answered(env->arg, a->token, answer);
}

/* What is known of the server that was asked; NULL: by now the account is with another
 * one, and a late answer changes nothing there. */
struct sip_memo *sip_attempt_memo(struct sip_attempt *a)
{
	const struct rg_addr *server = &sip_client_hop(a->client)->peer;
	struct sip_memo *m = a->dialogue->memo;

	if (a->own)
		return a->own;
	return !m || rg_addr_equal(&m->server, server) ? sip_memo_for(a->dialogue, server) : NULL;
}

/* ---- challenges ------------------------------------------------------------------------ */

static bool stale(const char *const *value, const size_t *len, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k + 6 < len[i]; k++)
			if (!g_ascii_strncasecmp(value[i] + k, "stale", 5)) {
				struct span s = { value[i] + k + 5, len[i] - k - 5 };

				s = span_trim(s);
				if (s.n && *s.p == '=')
					s = span_trim((struct span){ s.p + 1, s.n - 1 });
				if (s.n && *s.p == '"')
					s.p++, s.n--;
				if (s.n >= 4 && span_is((struct span){ s.p, 4 }, "true"))
					return true;
			}
	return false;
}

bool sip_attempt_security(struct sip_attempt *a, const struct sip_head *h)
{
	struct sip_memo *m = a->security ? sip_attempt_memo(a) : NULL;

	return m && sip_memo_security(m, h);
}

enum sip_met sip_attempt_challenged(struct sip_attempt *a, const struct sip_head *h)
{
	bool proxy = h->code == 407;
	enum sip_field f = proxy ? H_PROXY_AUTHENTICATE : H_WWW_AUTHENTICATE;
	struct sip_memo *m = sip_attempt_memo(a);
	const char *value[VALUES_MOST];
	size_t len[VALUES_MOST], n = 0;
	struct span v;
	unsigned at = 0;

	while (n < VALUES_MOST && sip_next(h, f, &at, &v)) {
		value[n] = v.p;
		len[n++] = v.n;
	}
	if (!n || !*a->username || !m)
		return SIP_REFUSED;
	if (digest_challenge(proxy ? &m->proxy : &m->www, value, len, n, proxy, a->username,
			     a->password) != DIGEST_OK)
		return SIP_REFUSED;
	if (a->challenges++ < SIP_CHALLENGES_MOST)
		return SIP_MET;
	return stale(value, len, n) ? SIP_WORN_OUT : SIP_REFUSED;
}

int sip_attempt_retry(struct sip_attempt *a)
{
	rg_ms left = sip_client_deadline(a->client) - rg_now(a->owner->env.timers);
	struct sip_buf *b = sip_client_again(a->client);
	int err = sip_request_again(a, &b);

	if (err) {
		sip_buf_unref(b);
		return err;
	}
	return sip_client_send(a->client, b, left > 0 ? (uint32_t)left : 1, a->retransmissions);
}

/* ---- answers ---------------------------------------------------------------------------- */

uint32_t sip_seconds(const struct sip_head *h, enum sip_field f)
{
	uint32_t n;
	struct span v = sip_value(h, f);

	if (!v.n || *v.p < '0' || *v.p > '9')
		return 0;
	return span_number(v, INT32_MAX, &n) ? n : INT32_MAX;
}

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
	uint32_t s = sip_seconds(h, H_FLOW_TIMER);

	if (s)
		sip_transport_flow_timer(a->owner->env.transport, sip_client_hop(a->client),
					 MIN(s, (uint32_t)86400) * 1000);
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
	struct sip_attempt *a = g_hash_table_lookup(r->attempt, GSIZE_TO_POINTER(token));

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

void sip_attempt_describe(struct sip_attempt *a, const struct reg_message *q)
{
	static const char hex[] = "0123456789abcdef";

	a->method = "REGISTER";
	a->cseq = &q->dialogue->cseq;
	a->dialogue = q->dialogue;
	a->username = q->username ? q->username : "";
	a->password = q->password ? q->password : "";
	a->asked = q->expires;
	a->retransmissions = q->retransmissions;
	a->received = !strcmp(q->contact_address, "received");
	a->all_contacts = q->all_contacts;
	a->empty_authorization = q->empty_authorization;
	a->security = q->security_client && *q->security_client;
	a->flow = q->flow;
	a->gruu = q->gruu;
	a->redirects_most = (uint8_t)MIN(q->redirects, SIP_REDIRECTS_MOST);
	for (int i = 0; i < 8; i++) {
		a->contact_token[2 * i] = hex[q->dialogue->id[i] >> 4];
		a->contact_token[2 * i + 1] = hex[q->dialogue->id[i] & 15];
	}
}

int sip_attempt_start(struct sip_attempt *a, struct sip_buf *b, uint32_t budget_ms, int err)
{
	if (!err)
		err = sip_client_send(a->client, b, budget_ms, a->retransmissions);
	if (err) {
		sip_client_stop(a->client);
		sip_attempt_free(a);
		return err;
	}
	g_hash_table_insert(a->owner->attempt, GSIZE_TO_POINTER(a->token), a);
	return 0;
}

int sip_attempt_route(struct sip_attempt *a, const struct sip_route *to, sip_client_h *h)
{
	struct sip_register_env *env = &a->owner->env;
	struct sip_hop hop;
	int err = sip_transport_hop(env->transport, to->interface, to->local_port, to->server,
				    to->tls_name, true, &hop);

	if (err)
		return err;
	a->client = sip_client_new(env->ta, &hop, false, h, a);
	return a->client ? 0 : ENOBUFS;
}

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

	if (sip_attempt_running(r, q->token))
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

const struct sip_register_env *sip_register_env(const struct sip_register *r)
{
	return &r->env;
}

/* What the answer to a probe tells of our own address. */
void sip_register_seen(struct sip_register *r, const struct sip_hop *hop, const struct sip_head *h)
{
	struct rg_addr server = hop->peer;
	uint32_t interface;
	uint16_t own;

	if (sip_seen_changed(r->seen, hop, h) &&
	    sip_transport_interface(r->env.transport, hop, &interface, &own))
		r->env.seen_elsewhere(r->env.arg, interface, &server);
}
