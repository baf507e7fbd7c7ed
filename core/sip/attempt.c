/* Attempts: made, found by their token, given up; what REGISTER and SUBSCRIBE have in common. */
#include "sip/attempt.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "regway/plugin.h"
#include "sip/memo.h"
#include "sip/message.h"
#include "sip/seen.h"

enum { SPARES = 4096, VALUES_MOST = 8 };

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
	if (sip_attempt_find(r, a->token) == a)
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
	struct sip_attempt *a = sip_attempt_find(r, token);

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

struct sip_attempt *sip_attempt_find(const struct sip_register *r, uint64_t token)
{
	return g_hash_table_lookup(r->attempt, GSIZE_TO_POINTER(token));
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

/* ---- sending ----------------------------------------------------------------------------- */

uint32_t sip_seconds(const struct sip_head *h, enum sip_field f)
{
	uint32_t n;
	struct span v = sip_value(h, f);

	if (!v.n || *v.p < '0' || *v.p > '9')
		return 0;
	return span_number(v, INT32_MAX, &n) ? n : INT32_MAX;
}

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
