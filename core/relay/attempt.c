/* The request that makes a dialog, or stands alone: from server to server, as the route
 * says. */
#include <errno.h>
#include <string.h>

#include "base/random.h"
#include "relay/call.h"

/* ---- how it reads on the callee's leg --------------------------------------------------- */

/* The Request-URI without our own Contact token. */
static struct span without_token(struct span uri, struct frame *f)
{
	struct span v = span_param(uri, "rg");
	const char *from = f->out.p, *semi = v.p, *end = v.p + v.n;

	if (!v.p)
		return uri;
	while (semi > uri.p && *semi != ';')
		semi--;
	out_mem(&f->out, uri.p, (size_t)(semi - uri.p));
	out_mem(&f->out, end, (size_t)(uri.p + uri.n - end));
	return frame_cut(f, from);
}

static struct span frame_identity(struct frame *f, struct span value, const char *user,
				  const char *host)
{
	const char *from = f->out.p;
	struct sip_name_addr na;

	if (!sip_name_addr_parse(value, &na))
		return value;
	out_identity(&f->out, &na, user, host);
	return frame_cut(f, from);
}

/* A sips: URI asks for TLS on every hop: of the leg that it came on, as this one is another. */
static void fit_scheme(struct frame *f, const struct reg_leg *l)
{
	const char *from = f->out.p;

	if (l->server.transport == RG_TLS || !uri_is_sips(f->o.uri))
		return;
	out_lit(&f->out, "sip:");
	out_span(&f->out, (struct span){ f->o.uri.p + 5, f->o.uri.n - 5 });
	f->o.uri = frame_cut(f, from);
}

static void frame_uri(struct frame *f, const struct sip_head *h, const struct reg_leg *l)
{
	struct sip_name_addr na = { .uri = without_token(h->uri, f) };
	struct span whole;
	const char *from = f->out.p;

	f->o.uri = na.uri;
	if (!*l->request_user && !*l->request_host)
		return;
	out_identity(&f->out, &na, l->request_user, l->request_host);
	whole = frame_cut(f, from);
	if (sip_name_addr_parse(whole, &na))
		f->o.uri = na.uri;
}

static void frame_tagged(struct frame *f, const struct call *c, struct span *value)
{
	const char *from = f->out.p;

	relay_tag(c, CALLEE, c->attempt, f->tag);
	out_span(&f->out, *value);
	out_lit(&f->out, ";tag=");
	out_mem(&f->out, f->tag, sizeof f->tag);
	*value = frame_cut(f, from);
}

static struct span frame_new_id(struct frame *f)
{
	const char *from = f->out.p;
	uint8_t id[16];

	rg_random(id, sizeof id);
	out_hex(&f->out, id, sizeof id);
	return frame_cut(f, from);
}

static struct span frame_contact_uri(struct frame *f, const struct reg_leg *l,
				     const struct sip_hop *hop, struct span from_value)
{
	char escaped[512];
	struct out o = { escaped, escaped + sizeof escaped, false };
	const char *from = f->out.p;
	const char *gruu = l->gruu && l->dialogue ? sip_stack_gruu(l->dialogue) : NULL;
	struct sip_name_addr na;
	struct sip_uri u;

	if (gruu) {
		out_str(&f->out, gruu);
		return frame_cut(f, from);
	}
	if (*l->contact_user)
		out_user(&o, l->contact_user);
	else if (sip_name_addr_parse(from_value, &na) && sip_uri_parse(na.uri, &u) && u.host.n)
		out_span(&o, u.user);
	leg_write_uri(&f->out, uri_is_sips(f->o.uri),
		      (struct span){ escaped, (size_t)(o.p - escaped) }, &hop->local,
		      l->contact_address, l->dialogue);
	if (*l->contact_params && *l->contact_params != ';')
		out_lit(&f->out, ";");
	out_str(&f->out, l->contact_params);
	return frame_cut(f, from);
}

static void frame_routes(struct frame *f, const struct reg_leg *l)
{
	const char *service = l->service_route && l->dialogue ?
				      sip_stack_service_route(l->dialogue) : NULL;
	const char *from = f->out.p;

	if (l->initial_route) {
		out_lit(&f->out, "<sip:");
		if (*l->tls_name && !strchr(l->tls_name, ':'))
			out_mem(&f->out, l->tls_name, rg_tls_domain(l->tls_name));
		else
			out_address(&f->out, &l->server);
		out_lit(&f->out, ";lr;transport=");
		out_str(&f->out, rg_transport_name(l->server.transport));
		out_lit(&f->out, ">");
		if (service)
			out_lit(&f->out, ", ");
	}
	if (service)
		out_str(&f->out, service);
	if (f->out.p > from)
		f->o.routes = frame_cut(f, from);
}

static struct span frame_name_addr(struct frame *f, const char *uri)
{
	const char *from = f->out.p;

	if (!*uri)
		return (struct span){ NULL, 0 };
	if (!strchr(uri, '<'))
		out_lit(&f->out, "<");
	out_str(&f->out, uri);
	if (!strchr(uri, '<'))
		out_lit(&f->out, ">");
	return frame_cut(f, from);
}

/* TS 24.229 5.1.2A.1: the identity that the registrar gave stands for ours. */
static void frame_asserted(struct frame *f, const struct reg_leg *l)
{
	const char *given = l->associated_uri && l->dialogue ?
				    sip_stack_associated_uri(l->dialogue) : NULL;
	struct span rest = { given, given ? strlen(given) : 0 }, first;

	f->o.asserted = frame_name_addr(f, l->asserted);
	f->o.preferred = frame_name_addr(f, l->preferred);
	if (!given || !span_value(&rest, &first))
		return;
	if (f->o.preferred.p)
		f->o.preferred = first;
	else
		f->o.asserted = first;
}

/* RFC 7989: who does not know of it gets one all the same, so that both legs can be found
 * together. */
static void frame_session_id(struct frame *f, const struct call *c, const struct sip_head *h)
{
	if (h->first[H_SESSION_ID])
		return;
	out_lit(&f->out, "Session-ID: ");
	out_mem(&f->out, c->session_id, sizeof c->session_id);
	out_lit(&f->out, ";remote=00000000000000000000000000000000\r\n");
}

/* What the registrar offered is told back to it (RFC 3329 2.3.1). */
static void frame_security(struct frame *f, const struct reg_leg *l)
{
	const char *server = l->security && l->dialogue ? sip_stack_security(l->dialogue) : NULL;

	if (!server)
		return;
	out_lit(&f->out, "Security-Verify: ");
	out_str(&f->out, server);
	out_lit(&f->out, "\r\nRequire: mediasec\r\nProxy-Require: mediasec\r\n");
}

static void frame_request(struct frame *f, struct call *c, const struct sip_head *h,
			  const struct reg_leg *l, const struct sip_hop *hop)
{
	struct leg *leg = &c->leg[CALLEE];
	struct span self, contact;
	const char *from;

	frame_begin(f);
	frame_uri(f, h, l);
	fit_scheme(f, l);
	f->o.max_forwards = h->max_forwards == 255 ? 70 : (uint8_t)(h->max_forwards - 1);
	frame_routes(f, l);
	f->o.from = self = frame_identity(f, sip_value(h, H_FROM), l->from_user, l->from_host);
	frame_tagged(f, c, &f->o.from);
	f->o.to = frame_identity(f, sip_value(h, H_TO), "", l->to_host);
	f->o.call_id = frame_new_id(f);
	f->o.cseq = leg->cseq = 1;
	contact = frame_contact_uri(f, l, hop, self);
	relay_unknow(c, CALLEE);
	leg_set(leg, f->o.call_id, self, contact);
	relay_know(c, CALLEE);
	f->o.contact = leg_write_contact(leg, h, &f->out);
	frame_asserted(f, l);
	frame_names(f, c->relay, h);
	from = f->out.p;
	out_str(&f->out, l->headers);
	frame_security(f, l);
	frame_session_id(f, c, h);
	f->o.headers = frame_cut(f, from);
	f->o.keep_authorization = c->keep_authorization && !leg_has_credentials(leg);
	frame_authorize(f, leg, h->method, /* with what is known from before */
			(struct span){ h->base + h->header_len, h->len - h->header_len });
}

/* ---- go and refuse ---------------------------------------------------------------------- */

static void begin_leg(struct call *c, const struct reg_leg *l, const struct sip_hop *hop)
{
	struct leg *leg = &c->leg[CALLEE], *caller = &c->leg[CALLER];

	credentials_free(leg);
	leg->username = l->username;
	leg->password = l->password;
	leg->hop = *hop;
	leg->flow = 0;
	leg_spoken(leg, hop);
	leg->tls_name = l->tls_name;
	leg->serving = l->to_serving;
	caller->tls_name = l->caller_tls_name;
	caller->serving = l->from_serving;
	caller->username = l->caller_username;
	caller->password = l->caller_password;
	leg_set_contact(caller, l->caller_user, l->caller_address,
			reg_route_dialogue(c->route));
	if (l->gruu && !l->to_serving && reg_route_dialogue(c->route))
		leg_set_gruu(caller, sip_stack_gruu(reg_route_dialogue(c->route)));
	c->follow_redirect = l->follow_redirect;
	c->keep_nonce = l->keep_nonce;
	c->media = l->media;
	c->longest = l->longest;
	c->attempt++;
	for (struct pair *p = c->pair; p; p = p->next)
		p->ended = true; /* forks of the server asked before */
}

static int attempt(struct exchange *x, const struct reg_leg *l)
{
	struct call *c = x->call;
	struct sip_head h;
	struct sip_hop hop;
	struct frame f;
	const char *why;
	int err = sip_transport_hop(c->relay->parts->transport, l->interface, l->local_port,
				    &l->server, l->tls_name, true, &hop);

	if (err)
		return err;
	if (sip_precheck(&h, x->request->data, x->request->len, &why) != SIP_FINE)
		return EINVAL;
	begin_leg(c, l, &hop);
	x->budget_ms = l->budget_ms;
	x->most = l->retransmissions;
	x->challenges = x->redirects = 0;
	x->moved = x->fallen = false;
	frame_request(&f, c, &h, l, &hop);
	exchange_keep_credentials(x, &f);
	err = exchange_build(x, &h, NULL, &hop, &f);
	if (!err)
		media_pass(x, MEDIA_REQUEST, &x->from, &h);
	return err;
}

static void failed_soon(void *arg)
{
	attempt_failed(arg, NULL);
}

/* Told from a timer, so that a long list of servers nobody can reach is no recursion. */
static void fail_soon(struct exchange *x)
{
	rg_timer_set(call_timers(x->call), &x->timer, call_now(x->call), failed_soon, x);
}

void attempt_forward(struct exchange *x, struct span body)
{
	x->call->state = MAX(x->call->state, RELAY_TRYING);
	if (x->built && exchange_put(x, body))
		fail_soon(x);
}

/* What is wrong with the request, or with us, is no server's fault. */
static void cannot_send(struct exchange *x, int err)
{
	if (err == EMSGSIZE || err == EINVAL)
		attempt_refuse(x, 513, "Message Too Large", NULL);
	else if (err == EAGAIN)
		attempt_refuse(x, 503, NULL, "Retry-After: 10\r\n");
	else
		fail_soon(x);
}

static void go(void *arg, struct reg_route *r, const struct reg_leg *l)
{
	struct call *c = arg;
	struct exchange *x = c->initial;
	int err;

	(void)r;
	if (!x || x->over || x->answered || x->cancelled)
		return;
	sip_buf_unref(x->answer);
	x->answer = NULL;
	x->heard = NULL;
	err = attempt(x, l);
	if (err)
		cannot_send(x, err);
}

/* The answer that made the route give up says more than its code. */
static bool pass_on(struct exchange *x, uint16_t code)
{
	struct sip_head h;
	const char *why;

	if (x->heard && x->heard->code == code) {
		exchange_back(x, x->heard, (struct span){ NULL, 0 });
		return true;
	}
	if (!x->answer || sip_precheck(&h, x->answer->data, x->answer->len, &why) != SIP_FINE ||
	    h.code != code)
		return false;
	exchange_back(x, &h, (struct span){ NULL, 0 });
	return true;
}

void attempt_refuse(struct exchange *x, uint16_t code, const char *reason, const char *headers)
{
	const char *words = reason ? reason : sip_reason(code);

	exchange_reply(x, code, reason, headers);
	call_decided(x->call, code, (struct span){ words, strlen(words) });
	exchange_over(x);
	call_check(x->call);
}

void attempt_give_up(struct exchange *x, uint16_t code)
{
	if (x->method == M_INVITE)
		invite_end(x, code, BY_GATEWAY);
	else
		attempt_refuse(x, code, NULL, NULL);
}

static void refuse(void *arg, struct reg_route *r, const struct reg_refusal *f)
{
	struct call *c = arg;
	struct exchange *x = c->initial;
	char retry[40];
	struct out o = { retry, retry + sizeof retry - 1, false };

	(void)r;
	if (!x || x->over || x->answered || x->cancelled)
		return;
	if (f->code && pass_on(x, f->code)) {
		const char *words = sip_reason(f->code);

		call_decided(c, f->code, x->heard ? x->heard->reason :
					 (struct span){ words, strlen(words) });
		exchange_over(x);
		call_check(c);
		return;
	}
	if (!f->code) {
		call_decided(c, 0, (struct span){ "", 0 });
		exchange_over(x);
		call_check(c);
		return;
	}
	if (!c->attempt)
		arrival_refused(c, f->code, f->reason ? f->reason : sip_reason(f->code));
	if (f->retry_after) {
		out_lit(&o, "Retry-After: ");
		out_number(&o, f->retry_after);
		out_lit(&o, "\r\n");
	}
	*o.p = '\0';
	attempt_refuse(x, f->code, f->reason, *retry ? retry : NULL);
}

const struct reg_route_h attempt_h = { go, refuse };

/* ---- how it ended ----------------------------------------------------------------------- */

static uint32_t retry_after(const struct sip_head *h)
{
	struct span v = h ? sip_value(h, H_RETRY_AFTER) : (struct span){ NULL, 0 };
	uint32_t s;

	return v.p && span_number(v, 86400 * 7, &s) ? s : 0;
}

void attempt_failed(struct exchange *x, const struct sip_head *h)
{
	struct call *c = x->call;
	char reason[128] = "";
	uint8_t attempt = c->attempt;

	if (x->over || x->answered)
		return;
	if (x->cancelled) {
		exchange_over(x);
		call_check(c);
		return;
	}
	rg_timer_stop(call_timers(c), &x->timer);
	media_forget(c, x);
	for (struct pair *p = c->pair; p; p = p->next)
		p->ended = true;
	if (h)
		memcpy(reason, h->reason.p, MIN(h->reason.n, sizeof reason - 1));
	x->heard = h;
	reg_route_answered(c->route, h ? h->code : 0, reason, retry_after(h));
	if (x->heard && !x->over && c->attempt == attempt)
		x->answer = relay_copy(c->relay, h);
	x->heard = NULL;
}

void attempt_accepted(struct exchange *x, const struct sip_hop *from, const struct sip_head *h)
{
	struct call *c = x->call;

	(void)from;
	reg_route_answered(c->route, h->code, "", 0);
	if (x->method == M_SUBSCRIBE || x->method == M_REFER) {
		x->pair = pair_by_remote_tag(c, sip_tag(sip_value(h, H_TO)));
		if (!x->pair)
			x->pair = pair_new(c, h);
	}
	media_pass(x, MEDIA_ANSWER, from, h);
}

/* The same server, another target: its user is whom the server says. */
bool attempt_redirected(struct exchange *x, struct sip_client *c, const struct sip_head *h)
{
	struct span rest = sip_value(h, H_CONTACT), value, old;
	const struct sip_buf *sent = sip_client_sent(c);
	struct sip_name_addr na, to = { .display = { NULL, 0 } };
	struct sip_head request;
	char user[256], text[SIP_START_MOST];
	struct out o = { text, text + sizeof text, false };
	struct sip_uri u;
	const char *why;

	if (!x->call->follow_redirect || h->code > 399 || h->code == 380 || x->cancelled ||
	    x->redirects == REDIRECTS_MOST || !sent || !rest.p || !span_value(&rest, &value) ||
	    !sip_name_addr_parse(value, &na) || !sip_uri_parse(na.uri, &u) ||
	    !sip_uri_user(&u, user, sizeof user) || !*user ||
	    sip_precheck(&request, sent->data, sent->len, &why) != SIP_FINE)
		return false;
	to.uri = old = request.uri;
	out_identity(&o, &to, user, "");
	if (o.full || !sip_name_addr_parse((struct span){ text, (size_t)(o.p - text) }, &to) ||
	    span_equal(to.uri, old))
		return false;
	x->redirects++;
	x->challenges = 0;
	exchange_again(x, c, to.uri);
	return true;
}
