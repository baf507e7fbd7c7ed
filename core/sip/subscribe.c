#include "sip/subscribe.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "base/random.h"
#include "sip/attempt.h"
#include "sip/contact.h"
#include "sip/memo.h"
#include "sip/message.h"

struct sip_subscriber {
	struct sip_subscriber_env env;
	struct sip_register *reg;
	GHashTable *subscription; /* by Call-ID */
};

/* The identifiers are random: any part of one is a hash. */
static guint id_hash(gconstpointer k)
{
	guint h;

	memcpy(&h, ((const struct sip_subscription *)k)->id, sizeof h);
	return h;
}

static gboolean id_equal(gconstpointer a, gconstpointer b)
{
	return !memcmp(((const struct sip_subscription *)a)->id,
		       ((const struct sip_subscription *)b)->id, 16);
}

static void wipe(char **p)
{
	if (*p)
		explicit_bzero(*p, strlen(*p));
	g_free(*p);
	*p = NULL;
}

static void subscription_free(gpointer p)
{
	struct sip_subscription *s = p;

	sip_memo_drop(&s->own);
	wipe(&s->username);
	wipe(&s->password);
	g_free(s->remote_tag);
	g_free(s->target);
	g_free(s->routes);
	g_free(s->aor);
	g_free(s->contact);
	g_free(s);
}

struct sip_subscriber *sip_subscriber_new(struct sip_register *reg,
					  const struct sip_subscriber_env *env)
{
	struct sip_subscriber *r = g_new0(struct sip_subscriber, 1);

	r->env = *env;
	r->reg = reg;
	r->subscription = g_hash_table_new_full(id_hash, id_equal, NULL, subscription_free);
	return r;
}

void sip_subscriber_free(struct sip_subscriber *r)
{
	if (!r)
		return;
	g_hash_table_destroy(r->subscription);
	g_free(r);
}

/* ---- life ------------------------------------------------------------------------------- */

static struct sip_subscription *subscription_new(struct sip_subscriber *r,
						 const struct reg_message *q, char *aor)
{
	struct sip_subscription *s = g_new0(struct sip_subscription, 1);

	rg_random(s->id, sizeof s->id);
	rg_random(s->tag, sizeof s->tag);
	s->owner = r;
	s->dialogue = q->dialogue;
	s->server = q->server;
	s->aor = aor;
	memcpy(s->own.id, q->dialogue->id, sizeof s->own.id);
	q->dialogue->subscription = s;
	g_hash_table_add(r->subscription, s);
	return s;
}

/* It is gone with its account and its last request. */
static void settle(struct sip_subscription *s)
{
	if (!s->dialogue && !s->attempt)
		g_hash_table_remove(s->owner->subscription, s);
}

void sip_subscription_leave(struct sip_subscription *s)
{
	if (s->dialogue)
		s->dialogue->subscription = NULL;
	s->dialogue = NULL;
	settle(s);
}

void sip_subscription_drop(struct reg_dialogue *d)
{
	if (d->subscription)
		sip_subscription_leave(d->subscription);
}

static void attempt_ended(struct sip_attempt *a)
{
	struct sip_subscription *s = a->subscription;

	s->attempt = NULL;
	wipe(&s->username);
	wipe(&s->password);
	settle(s);
}

static bool unhex(const char *p, uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n; i += 4) {
		uint32_t v;

		if (!sip_unhex(p + 2 * i, &v))
			return false;
		for (size_t k = 0; k < 4; k++)
			out[i + k] = (uint8_t)(v >> (24 - 8 * k));
	}
	return true;
}

struct sip_subscription *sip_subscription_of(struct sip_subscriber *r, struct span call_id)
{
	struct sip_subscription k;

	if (call_id.n != 2 * sizeof k.id || !unhex(call_id.p, k.id, sizeof k.id))
		return NULL;
	return g_hash_table_lookup(r->subscription, &k);
}

/* ---- the dialog --------------------------------------------------------------------------- */

static void replace(char **kept, const char *p, size_t n)
{
	g_free(*kept);
	*kept = g_strndup(p, n);
}

void sip_subscription_target(struct sip_subscription *s, const struct sip_head *h)
{
	struct span line = sip_value(h, H_CONTACT), value;
	struct sip_contact_part c;
	struct sip_uri_part u;

	if (!span_value(&line, &value) || !sip_contact_part(value, &c) ||
	    c.uri.n > SIP_TARGET_MOST || !sip_uri_part(c.uri, &u) ||
	    !(span_is(u.scheme, "sip") || span_is(u.scheme, "sips")))
		return;
	for (size_t i = 0; i < c.uri.n; i++)
		if ((unsigned char)c.uri.p[i] <= ' ' || strchr("<>\"\x7f", c.uri.p[i]))
			return;
	replace(&s->target, c.uri.p, c.uri.n);
}

static void append_value(GString *g, struct span v)
{
	if (g->len)
		g_string_append(g, ", ");
	for (size_t i = 0; i < v.n; i++)
		g_string_append_c(g, v.p[i] == '\r' || v.p[i] == '\n' ? ' ' : v.p[i]);
}

bool sip_subscription_routes(struct sip_subscription *s, const struct sip_head *h, bool backwards)
{
	struct span line, value[SIP_ROUTES_MOST], v;
	unsigned at = 0, n = 0;
	size_t len = 0;
	GString *g;

	while (sip_next(h, H_RECORD_ROUTE, &at, &line))
		while (span_value(&line, &v)) {
			len += v.n + 2;
			if (n == SIP_ROUTES_MOST || len > SIP_MEMO_TEXT)
				return false;
			value[n++] = v;
		}
	g = g_string_sized_new(len);
	for (unsigned i = 0; i < n; i++)
		append_value(g, value[backwards ? n - 1 - i : i]);
	g_free(s->routes);
	s->routes = g_string_free(g, !n);
	return true;
}

/* A 2xx: it makes the dialog unless a NOTIFY has come first, and moves its other end. */
static void accepted(struct sip_subscription *s, const struct sip_head *h)
{
	struct span tag = sip_tag(sip_value(h, H_TO));

	if (!s->remote_tag && tag.n && sip_subscription_routes(s, h, true))
		replace(&s->remote_tag, tag.p, tag.n);
	else if (!s->remote_tag || !tag.n ||
		 !span_equal(tag, (struct span){ s->remote_tag, strlen(s->remote_tag) }))
		return;
	sip_subscription_target(s, h);
}

/* Refusals of a refresh that leave the subscription as it was until it expires (RFC 6665
 * 4.1.2.2, RFC 5057 5.1). */
static bool leaves_it(uint16_t code)
{
	switch (code) {
	case 400: case 401: case 402: case 403: case 407: case 413: case 423: case 429:
	case 500: case 503: case 600: case 603:
		return true;
	default:
		return code >= 300 && code < 400;
	}
}

/* ---- answers --------------------------------------------------------------------------------- */

static void conclude(struct sip_attempt *a, uint16_t code, const struct sip_head *h)
{
	struct sip_subscription *s = a->subscription;
	struct sip_subscriber_env env = s->owner->env;
	bool good = code >= 200 && code < 300;
	uint32_t expires = 0, retry_after = h ? sip_seconds(h, H_RETRY_AFTER) : 0;
	uint64_t token = a->token;

	if (good && a->asked) {
		expires = MIN(h->expires, a->asked); /* UINT32_MAX: as asked */
		accepted(s, h);
	}
	if (!good && (s->ending || !s->remote_tag || !leaves_it(code)))
		sip_subscription_leave(s);
	sip_attempt_free(a);
	env.subscribed(env.arg, token, code, expires, retry_after);
}

/* true: it was asked again. */
static bool asked_again(struct sip_attempt *a, const struct sip_head *h)
{
	struct sip_subscription *s = a->subscription;
	uint32_t least = sip_seconds(h, H_MIN_EXPIRES);
	struct sip_memo *m;

	if (h->code == 401 || h->code == 407) {
		if (sip_attempt_challenged(a, h) == SIP_MET)
			return !sip_attempt_retry(a);
		m = sip_attempt_memo(a);
		if (m)
			sip_memo_forget_nonces(m);
		return false;
	}
	if (h->code != 423 || s->raised || least <= a->asked || !a->asked)
		return false;
	s->raised = true;
	a->asked = least;
	return !sip_attempt_retry(a);
}

static void note_contact(struct sip_attempt *a)
{
	const struct sip_buf *b = sip_client_sent(a->client);

	if (b)
		replace(&a->subscription->contact, b->data + a->uri_at, a->uri_len);
}

/* One word is all the engine hears. */
static void subscribe_event(struct sip_client *c, const struct sip_event *e, void *arg)
{
	struct sip_attempt *a = arg;

	if (e->outcome == SIP_PROVISIONAL)
		return;
	if (e->outcome == SIP_FINAL && asked_again(a, e->answer)) {
		note_contact(a);
		return;
	}
	sip_client_stop(c);
	if (e->outcome == SIP_FINAL)
		conclude(a, e->answer->code, e->answer);
	else
		conclude(a, 0, NULL);
}

/* ---- sending --------------------------------------------------------------------------------- */

static char *aor_of(const struct reg_message *q)
{
	size_t size = 3 * strlen(q->aor_user) + strlen(q->aor_host) + 8;
	char *text = g_malloc(size);
	struct out o = { text, text + size - 1, false };

	sip_request_aor(&o, q);
	*o.p = '\0';
	return text;
}

/* The account's subscription if this request can be one of its dialog. */
static struct sip_subscription *current(const struct reg_message *q, const char *aor)
{
	struct sip_subscription *s = q->dialogue->subscription;

	if (!s || (rg_addr_equal(&s->server, &q->server) && !s->ending &&
		   !strcmp(s->aor, aor) && (s->remote_tag || (s->attempt && q->expires))))
		return s;
	sip_subscription_leave(s);
	return NULL;
}

/* What is known of another server is the REGISTERs' to keep; and what ends a subscription
 * may be on its way longer than its account lives. */
static void choose_dialogue(struct sip_attempt *a, const struct reg_message *q)
{
	struct sip_subscription *s = a->subscription;
	struct sip_memo *m = q->dialogue->memo;

	if (!q->expires) {
		s->ending = true;
		wipe(&s->username);
		wipe(&s->password);
		a->username = s->username = g_strdup(a->username);
		a->password = s->password = g_strdup(a->password);
	}
	if (!q->expires || (m && !rg_addr_equal(&m->server, &q->server)))
		a->dialogue = &s->own;
	m = sip_memo_for(a->dialogue, &q->server);
	if (!q->keep_nonce)
		sip_memo_forget_nonces(m);
}

static int start(struct sip_subscription *s, const struct reg_message *q)
{
	struct sip_route to = { q->interface, q->local_port, &q->server, q->tls_name };
	struct sip_attempt *a = sip_attempt_new(s->owner->reg, q->token);
	struct sip_buf *b = NULL;
	int err;

	sip_attempt_describe(a, q);
	a->method = "SUBSCRIBE";
	a->cseq = &s->cseq;
	a->empty_authorization = false;
	a->subscription = s;
	a->ended = attempt_ended;
	s->attempt = a;
	s->raised = false;
	choose_dialogue(a, q);
	err = sip_attempt_route(a, &to, subscribe_event);
	if (!err)
		err = sip_request_build(a, q, &b);
	if (!err)
		replace(&s->contact, b->data + a->uri_at, a->uri_len);
	return sip_attempt_start(a, b, q->budget_ms, err);
}

int sip_subscriber_send(struct sip_subscriber *r, const struct reg_message *q)
{
	char *aor = aor_of(q);
	struct sip_subscription *s = current(q, aor);
	int err;

	if (sip_attempt_find(r->reg, q->token))
		err = EEXIST;
	else if (strlen(aor) > SIP_TARGET_MOST)
		err = EINVAL;
	else if (s && s->attempt)
		err = EALREADY;
	else if (!s && !q->expires)
		err = ENOENT;
	else
		err = 0;
	if (s || err)
		g_free(aor);
	if (err)
		return err;
	if (!s)
		s = subscription_new(r, q, aor);
	err = start(s, q);
	if (err && (!s->remote_tag || s->ending))
		sip_subscription_leave(s);
	return err;
}

/* ---- notifications ------------------------------------------------------------------------ */

bool sip_subscriber_knows(struct sip_subscriber *r, const struct sip_head *h)
{
	return sip_subscription_of(r, sip_value(h, H_CALL_ID));
}

void sip_subscriber_tell(struct sip_subscriber *r, const struct sip_notified *n)
{
	struct sip_subscription *s = n->subscription;
	const struct reg_dialogue *d = s->dialogue;
	bool ending = s->ending;

	if (n->code >= 300)
		return;
	if (n->notice.terminated)
		sip_subscription_leave(s);
	if (d && !ending &&
	    (n->notice.what != RG_N_NONE || n->notice.gap || n->notice.terminated))
		r->env.notified(r->env.arg, d, &n->notice);
}
