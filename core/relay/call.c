/* The life of a call, and what is told of it. */
#include <string.h>

#include "base/random.h"
#include "relay/call.h"

enum { METHOD = 15, REASON = 39 }; /* most characters that are kept of them */

static int64_t unix_ms(void)
{
	return g_get_real_time() / 1000;
}

static void take_session_id(struct call *c, const struct sip_head *h)
{
	struct span v = sip_value(h, H_SESSION_ID);
	uint8_t id[16];
	struct out o = { c->session_id, c->session_id + sizeof c->session_id, false };

	if (v.n >= sizeof c->session_id) {
		memcpy(c->session_id, v.p, sizeof c->session_id);
		if (strspn(c->session_id, "0123456789abcdefABCDEF") >= sizeof c->session_id)
			return;
	}
	rg_random(id, sizeof id);
	out_hex(&o, id, sizeof id);
}

static void take_words(struct call *c, const struct sip_head *h)
{
	struct span who = sip_value(h, H_FROM), method = h->method;
	struct out o;

	method.n = MIN(method.n, (size_t)METHOD);
	c->who_at = (uint16_t)(method.n + 1);
	c->who_len = (uint16_t)who.n;
	c->target_len = (uint16_t)h->uri.n;
	c->words = g_malloc(c->who_at + who.n + h->uri.n);
	o = (struct out){ c->words, c->words + c->who_at + who.n + h->uri.n, false };
	out_span(&o, method);
	out_mem(&o, "", 1);
	out_span(&o, who);
	out_span(&o, h->uri);
}

const char *call_method(const struct call *c)
{
	return c->words;
}

struct span call_who(const struct call *c)
{
	return (struct span){ c->words + c->who_at, c->who_len };
}

struct span call_target(const struct call *c)
{
	return (struct span){ c->words + c->who_at + c->who_len, c->target_len };
}

static size_t weight_of(const struct sip_buf *b)
{
	return b ? sizeof *b + b->cap : 0;
}

/* What a call holds itself; its transactions and its route are others'. */
void call_weigh(struct call *c)
{
	size_t n = sizeof *c + c->who_at + c->who_len + c->target_len;

	for (int s = 0; s < 2; s++)
		n += (size_t)c->leg[s].id_len + c->leg[s].self_len + c->leg[s].contact_len;
	for (const struct pair *p = c->pair; p; p = p->next)
		n += sizeof *p + dialog_bytes(&p->dialog[CALLER]) +
		     dialog_bytes(&p->dialog[CALLEE]);
	for (const struct exchange *x = c->exchange; x; x = x->next)
		n += sizeof *x + weight_of(x->request) + weight_of(x->answer) + weight_of(x->ack);
	c->relay->bytes += n - c->weight;
	c->weight = (uint32_t)n;
}

struct call *call_new(struct relay *r, const struct sip_hop *hop, const struct sip_head *h)
{
	enum method m = relay_method(h->method);
	struct call *c;

	if (m != M_INVITE && r->standing >= RELAY_STANDING_MOST)
		return NULL;
	c = g_new0(struct call, 1);
	c->relay = r;
	c->leg[CALLEE].side = CALLEE;
	c->ends = RG_NEVER;
	if (!relay_add(r, c)) {
		g_free(c);
		return NULL;
	}
	c->began_at = unix_ms();
	c->since = rg_now(r->parts->timers);
	c->invite = m == M_INVITE;
	take_session_id(c, h);
	take_words(c, h);
	leg_of_caller(c, hop, h);
	relay_know(c, CALLER);
	c->initial = exchange_new(c, NULL, CALLER, m, hop, h);
	if (c->initial) {
		r->calls += c->invite;
		r->standing += !c->invite;
		return c;
	}
	call_free(c);
	return NULL;
}

void call_decided(struct call *c, uint16_t code, struct span reason)
{
	if (c->decided)
		return;
	c->decided = true;
	c->code = code;
	if (code < 200 || code >= 300) {
		g_free(c->reason);
		c->reason = g_strndup(reason.p, MIN(reason.n, (size_t)REASON));
		if (!c->ended_by)
			c->ended_by = c->state == RELAY_WAITING ? BY_GATEWAY : BY_CALLEE;
		return;
	}
	c->answered_at = unix_ms();
	c->since = rg_now(c->relay->parts->timers);
	c->state = RELAY_ANSWERED;
}

static void call_over(struct call *c)
{
	struct relay_call_info info;

	if (c->over) {
		relay_reap(c);
		return;
	}
	c->state = RELAY_ENDING;
	c->ended_at = unix_ms();
	if (!c->ended_by)
		c->ended_by = BY_CALLEE;
	if (c->relay->env.ended) {
		call_info(c, &info);
		c->relay->env.ended(c->relay->env.arg, &info);
	}
	c->over = true;
	for (struct exchange *x = c->exchange; x; x = x->next) {
		if (x->over || (!x->waits && !x->ack_waits && !media_waits(c, x)))
			continue;
		if (x->ack_waits)
			ack_self(x);
		exchange_reply(x, 481, NULL, NULL);
		exchange_over(x);
	}
	for (struct pair *p = c->pair; p; p = p->next)
		if (c->invite && !p->confirmed) /* an early dialog is over with its INVITE */
			p->lease = 0;
	c->relay->calls -= c->invite;
	c->relay->standing -= !c->invite;
	media_forget(c, NULL);
	media_remove(c);
	c->media = REG_MEDIA_DIRECT;
	relay_reap(c);
}

static bool alive(const struct pair *p)
{
	return (p->confirmed && !p->ended) || p->lease;
}

void call_check(struct call *c)
{
	if (!c->decided)
		return;
	for (const struct pair *p = c->pair; p; p = p->next)
		if (c->invite ? p->confirmed && !p->ended : alive(p))
			return;
	call_over(c);
}

/* ---- the reaper's ----------------------------------------------------------------------- */

static bool in_use(const struct call *c, const struct pair *p)
{
	for (const struct exchange *x = c->exchange; x; x = x->next)
		if (x->pair == p)
			return true;
	return false;
}

/* Early dialogs that came to nothing, once their INVITE is settled. */
static void drop_pairs(struct call *c)
{
	for (struct pair **at = &c->pair, *p; (p = *at);) {
		if (alive(p) || in_use(c, p)) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		pair_free(p);
		call_weigh(c);
	}
}

/* What the route lent is given back. */
static void end_route(struct call *c)
{
	for (int s = 0; s < 2; s++) {
		credentials_free(&c->leg[s]);
		c->leg[s].username = c->leg[s].password = NULL;
	}
	if (c->route)
		reg_route_end(c->route);
	c->route = NULL;
}

bool call_reaped(struct call *c)
{
	bool busy = false;

	for (struct exchange *x = c->exchange, *next; x; x = next) {
		next = x->next;
		if (!x->over)
			busy = true;
		else if (!x->clients)
			exchange_release(x);
	}
	if (!c->initial || c->initial->over)
		drop_pairs(c);
	if (!c->over || busy)
		return false;
	end_route(c);
	for (const struct pair *p = c->pair; p; p = p->next)
		if (p->lease) /* the subscription of a REFER outlives its session */
			return false;
	if (c->exchange)
		return false;
	call_free(c);
	return true;
}

void call_free(struct call *c)
{
	media_forget(c, NULL);
	rg_timer_stop(call_timers(c), &c->timer);
	while (c->exchange) {
		sip_server_leave(c->exchange->server);
		sip_client_leave(c->exchange->client);
		exchange_release(c->exchange);
	}
	for (struct pair *p = c->pair, *next; p; p = next) {
		next = p->next;
		pair_free(p);
	}
	end_route(c);
	relay_unknow(c, CALLER);
	relay_unknow(c, CALLEE);
	relay_remove(c->relay, c);
	leg_clear(&c->leg[CALLER]);
	leg_clear(&c->leg[CALLEE]);
	c->relay->bytes -= c->weight;
	g_free(c->words);
	g_free(c->reason);
	g_free(c);
}

void call_hang_up(struct call *c)
{
	if (!c->over)
		c->ended_by = BY_GATEWAY;
	if (c->initial && !c->initial->answered && !c->initial->over) {
		attempt_give_up(c->initial, 503);
		return;
	}
	for (struct pair *p = c->pair; p; p = p->next) {
		p->lease = 0;
		if (p->confirmed && !p->ended)
			session_hang_up(p, "hung up by the operator");
	}
	session_set_timer(c);
	call_check(c);
}

/* ---- the outside's view ----------------------------------------------------------------- */

/* RFC 3261 19.1.1: what stands between the user and '@'. */
static struct span password_of(struct span uri)
{
	const char *end = uri.p + uri.n, *user = memchr(uri.p, ':', uri.n);
	const char *at = user ? memchr(user, '@', (size_t)(end - user)) : NULL;
	const char *colon = at ? memchr(user + 1, ':', (size_t)(at - user - 1)) : NULL;

	return (struct span){ colon ? colon : end, colon ? (size_t)(at - colon) : 0 };
}

const char *call_shown_uri(struct span value, char *buf, size_t size)
{
	struct out o = { buf, buf + size - 1, false };
	struct sip_name_addr na;
	struct span password;
	struct sip_uri u;

	if (sip_name_addr_parse(value, &na)) {
		if (sip_uri_parse(na.uri, &u) && u.params.n)
			na.uri.n = (size_t)(u.params.p - na.uri.p);
		password = password_of(na.uri);
		out_mem(&o, na.uri.p, (size_t)(password.p - na.uri.p));
		na.uri.n -= (size_t)(password.p + password.n - na.uri.p);
		out_mem(&o, password.p + password.n, na.uri.n);
	}
	*(o.full ? buf : o.p) = '\0';
	return buf;
}

static const char *text_of(struct span s, char *buf, size_t size)
{
	size_t n = MIN(s.n, size - 1);

	if (n)
		memcpy(buf, s.p, n);
	buf[n] = '\0';
	return buf;
}

void call_info(struct call *c, struct relay_call_info *i)
{
	static const char *const enders[] = { "", "caller", "callee", "gateway" };
	static const struct reg_route_info none = { .account = "", .from_group = "",
						    .to_group = "", .rule = "", .policy = "" };
	struct relay *r = c->relay;
	enum { SIZE = sizeof r->scratch[0] };

	*i = (struct relay_call_info){
		.id = c->id, .state = c->state, .method = call_method(c),
		.caller = c->leg[CALLER].hop.peer, .callee = c->leg[CALLEE].hop.peer,
		.began_at = c->began_at, .answered_at = c->answered_at, .ended_at = c->ended_at,
		.lasts = (int64_t)(rg_now(r->parts->timers) - c->since),
		.code = c->code, .reason = c->reason ? c->reason : "",
		.ended_by = enders[c->ended_by],
		.media = c->media, .anchored = c->anchored,
	};
	i->from = call_shown_uri(call_who(c), r->scratch[0], SIZE);
	i->to = call_shown_uri(leg_self(&c->leg[CALLER]), r->scratch[1], SIZE);
	i->call_id[0] = text_of(leg_id(&c->leg[CALLER]), r->scratch[2], SIZE);
	i->call_id[1] = text_of(leg_id(&c->leg[CALLEE]), r->scratch[3], SIZE);
	i->session_id = text_of((struct span){ c->session_id, sizeof c->session_id },
				r->scratch[4], SIZE);
	if (c->route)
		reg_route_info(c->route, &i->route);
	else
		i->route = none;
}
