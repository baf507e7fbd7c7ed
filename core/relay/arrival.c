/* A request that opens a dialog or stands alone: from whom, and may it. */
#include <string.h>

#include "base/log.h"
#include "relay/call.h"

enum { SOURCES = 256, LOG_MS = 1000, USER = 256, ANCESTORS_MOST = 70 };

/* ---- who is refused is said once a second and source ------------------------------------ */

struct source_log {
	struct {
		struct rg_addr addr;
		rg_ms next;
		uint32_t silent;
	} at[SOURCES];
};

struct source_log *source_log_new(void)
{
	return g_new0(struct source_log, 1);
}

/* Sources that share a place share its line: memory is bounded. */
static void say_of(struct relay *r, const struct rg_addr *peer, struct span method,
		   const char *why)
{
	struct rg_addr ip = *peer;
	rg_ms now = rg_now(r->parts->timers);
	char text[RG_ADDR_TEXT];
	unsigned i;

	ip.port = 0;
	i = rg_addr_hash(&ip) % SOURCES;
	if (now < r->sources->at[i].next) {
		r->sources->at[i].silent++;
		return;
	}
	rg_notice("%s: %.*s refused: %s (%u more since the last such line)",
		  rg_addr_text(peer, text), (int)MIN(method.n, 32), method.p, why,
		  r->sources->at[i].silent);
	r->sources->at[i].addr = ip;
	r->sources->at[i].next = now + LOG_MS;
	r->sources->at[i].silent = 0;
}

static void say(struct relay *r, const struct sip_hop *hop, const struct sip_head *h,
		const char *why)
{
	say_of(r, &hop->peer, h->method, why);
}

static void add(struct out *o, const char *what, const char *value)
{
	if (!*value)
		return;
	out_str(o, what);
	out_str(o, value);
}

void arrival_refused(struct call *c, uint16_t code, const char *reason)
{
	struct span method = { call_method(c), strlen(call_method(c)) };
	struct reg_route_info r;
	char why[512], to[SIP_SHORT_MOST];
	struct out o = { why, why + sizeof why - 1, false };

	reg_route_info(c->route, &r);
	out_number(&o, code);
	out_lit(&o, " ");
	out_str(&o, reason);
	out_lit(&o, ", for ");
	out_str(&o, call_shown_uri(call_target(c), to, sizeof to));
	add(&o, ", from ", r.from_group);
	add(&o, ", by ", r.rule);
	add(&o, ", account ", r.account);
	add(&o, ", ", r.policy);
	*o.p = '\0';
	say_of(c->relay, &c->leg[CALLER].hop.peer, method, why);
}

/* ---- loops ------------------------------------------------------------------------------ */

static bool same_target(const struct call *c, const struct sip_head *h)
{
	return span_equal(call_target(c), h->uri);
}

/* A call from line to line through an ITSP that is a proxy comes back to us with our own
 * From tag, and is none: it is called elsewhere.  So do the calls before that one. */
static bool loops(struct relay *r, const struct sip_head *h)
{
	struct span tag = sip_tag(sip_value(h, H_FROM)), id = sip_value(h, H_CALL_ID);

	for (int i = 0; i < ANCESTORS_MOST; i++) {
		uint8_t number;
		enum side s;
		struct call *c = relay_by_tag(r, tag, &s, &number);

		if (!c || s != CALLEE || !span_equal(id, leg_id(&c->leg[CALLEE])))
			return false;
		if (same_target(c, h))
			return true;
		tag = sip_tag(call_who(c));
		id = leg_id(&c->leg[CALLER]);
	}
	return true;
}

/* ---- who -------------------------------------------------------------------------------- */

struct words {
	char uri_user[USER], uri_host[USER], token[64], to_user[USER], from_user[USER],
		from_host[USER], asserted[USER], preferred[USER];
};

static void copy(struct span s, char *buf, size_t size)
{
	*buf = '\0';
	if (!s.n || s.n >= size)
		return;
	memcpy(buf, s.p, s.n);
	buf[s.n] = '\0';
}

static void parts_of(struct span uri, char *user, char *host)
{
	struct sip_uri u;

	*user = '\0';
	if (host)
		*host = '\0';
	if (!sip_uri_parse(uri, &u))
		return;
	(void)sip_uri_user(&u, user, USER);
	if (host)
		copy(u.host, host, USER);
}

static void identity_of(struct span value, char *user, char *host)
{
	struct span first = { NULL, 0 };
	struct sip_name_addr na = { .uri = { NULL, 0 } };

	if (value.p && span_value(&value, &first))
		(void)sip_name_addr_parse(first, &na);
	parts_of(na.uri, user, host);
}

static void read_words(const struct sip_head *h, struct words *w)
{
	struct sip_uri u;

	memset(w, 0, sizeof *w);
	parts_of(h->uri, w->uri_user, w->uri_host);
	if (sip_uri_parse(h->uri, &u))
		copy(span_param(u.params, "rg"), w->token, sizeof w->token);
	identity_of(sip_value(h, H_TO), w->to_user, NULL);
	identity_of(sip_value(h, H_FROM), w->from_user, w->from_host);
	identity_of(sip_value(h, H_P_ASSERTED_IDENTITY), w->asserted, NULL);
	identity_of(sip_value(h, H_P_PREFERRED_IDENTITY), w->preferred, NULL);
}

static uint8_t engine_method(enum method m)
{
	return m == M_INVITE ? RG_M_INVITE : m == M_SUBSCRIBE ? RG_M_SUBSCRIBE :
	       m == M_OPTIONS ? RG_M_OPTIONS : RG_M_OTHER;
}

/* ---- may it ----------------------------------------------------------------------------- */

static void refuse(struct relay *r, const struct sip_hop *hop, const struct sip_head *h,
		   uint16_t code, const char *headers)
{
	sip_stack_reply(r->env.stack, hop, h, code, NULL, headers, true);
}

/* true: its credentials are right, or none are asked for. */
static bool authentic(struct relay *r, const struct sip_hop *hop, const struct sip_head *h,
		      const struct reg_source *s)
{
	rg_ms now = rg_now(r->parts->timers);
	enum sip_authentic verdict;
	char lines[1024];

	if (!*s->username)
		return true;
	verdict = sip_authenticate(r->authenticator, hop, h, s->realm, s->username, s->password,
				   now);
	if (verdict == SIP_AUTHENTIC)
		return true;
	if (verdict == SIP_FORGED)
		say(r, hop, h, "wrong credentials");
	if (sip_authenticator_challenge(r->authenticator, hop, s->realm, verdict == SIP_STALE, now,
					lines, sizeof lines))
		refuse(r, hop, h, 407, lines);
	else
		refuse(r, hop, h, 500, NULL);
	return false;
}

static void begin(struct relay *r, const struct sip_hop *hop, const struct sip_head *h,
		  const struct reg_arrival *a, bool authenticated)
{
	struct call *c = call_new(r, hop, h);

	if (!c) {
		refuse(r, hop, h, 503, "Retry-After: 10\r\n");
		return;
	}
	c->keep_authorization = !authenticated;
	c->route = reg_route_new(r->env.engine, a, &attempt_h, c);
	reg_route_begin(c->route);
}

static bool judge(struct relay *r, const struct sip_hop *hop, const struct sip_head *h,
		  const struct reg_arrival *a, struct reg_source *s)
{
	reg_route_source(r->env.engine, a, s);
	if (!s->known) {
		say(r, hop, h, "unknown source");
		if (s->unknown)
			refuse(r, hop, h, s->unknown, NULL);
		return false;
	}
	if (!authentic(r, hop, h, s))
		return false;
	if (!h->max_forwards) {
		refuse(r, hop, h, 483, NULL);
		return false;
	}
	if (loops(r, h)) {
		say(r, hop, h, "it has been here before");
		refuse(r, hop, h, 482, NULL);
		return false;
	}
	if (r->draining) {
		refuse(r, hop, h, 503, "Retry-After: 10\r\n");
		return false;
	}
	return true;
}

/* It came to a port that is kept for the calls that began there: there is nobody to call. */
static void stranded(struct relay *r, const struct sip_hop *hop, const struct sip_head *h)
{
	const struct reg_arrival nowhere = { .interface = UINT32_MAX, .token = "" };
	struct reg_source s;

	reg_route_source(r->env.engine, &nowhere, &s);
	if (s.unknown)
		refuse(r, hop, h, 404, NULL);
}

static bool known_scheme(struct span uri)
{
	struct sip_uri u;

	return sip_uri_parse(uri, &u) &&
	       (span_is(u.scheme, "sip") || span_is(u.scheme, "sips") ||
		span_is(u.scheme, "tel") || span_is(u.scheme, "urn"));
}

bool arrival(struct relay *r, const struct sip_hop *hop, const struct sip_head *h)
{
	enum method m = relay_method(h->method);
	struct reg_arrival a = { .method = engine_method(m), .source = hop->peer };
	struct reg_source s = { .known = false };
	struct words w;

	if (m == M_ACK || m == M_CANCEL || m == M_REGISTER || m == M_BYE || m == M_PRACK ||
	    m == M_UPDATE || m == M_INFO || !known_scheme(h->uri))
		return false;
	if (!sip_transport_interface(r->parts->transport, hop, &a.interface, &a.own_port)) {
		stranded(r, hop, h);
		return true;
	}
	read_words(h, &w);
	a.uri_user = w.uri_user;
	a.uri_host = w.uri_host;
	a.token = w.token;
	a.to_user = w.to_user;
	a.from_user = w.from_user;
	a.from_host = w.from_host;
	a.asserted = w.asserted;
	a.preferred = w.preferred;
	if (judge(r, hop, h, &a, &s))
		begin(r, hop, h, &a, *s.username);
	return true;
}
