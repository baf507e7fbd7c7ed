/* Pairs of dialogs: who the other ends are, and where requests to them go. */
#include <string.h>

#include "relay/call.h"

struct span pair_remote(const struct pair *p, enum side s)
{
	const struct dialog *d = &p->dialog[s];

	return s == CALLER ? call_who(p->call) : (struct span){ d->text, d->remote_len };
}

struct span dialog_target(const struct dialog *d)
{
	return (struct span){ d->text ? d->text + d->remote_len : NULL, d->target_len };
}

struct span dialog_routes(const struct dialog *d)
{
	return (struct span){ d->text ? d->text + d->remote_len + d->target_len : NULL,
			      d->routes_len };
}

size_t dialog_bytes(const struct dialog *d)
{
	return (size_t)d->remote_len + d->target_len + d->routes_len +
	       (d->spares ? sizeof *d->spares : 0);
}

static void set(struct pair *p, enum side s, struct span remote, struct span target,
		struct span routes)
{
	struct dialog *d = &p->dialog[s];
	size_t n = remote.n + target.n + routes.n;
	char *text = g_malloc(n + 1), *old = d->text;
	struct out o = { text, text + n, false };

	out_span(&o, remote);
	out_span(&o, target);
	out_span(&o, routes);
	d->text = text;
	d->remote_len = (uint16_t)remote.n;
	d->target_len = (uint16_t)target.n;
	d->routes_len = (uint16_t)routes.n;
	g_free(old);
	call_weigh(p->call);
}

/* ---- what the other end says of itself -------------------------------------------------- */

struct span dialog_route_set(const struct sip_head *h, bool reverse, struct out *o)
{
	struct span value[SIP_LINES_MOST], line;
	const char *from = o->p;
	unsigned at = 0;
	size_t n = 0;

	while (sip_next(h, H_RECORD_ROUTE, &at, &line))
		while (n < SIP_LINES_MOST && span_value(&line, &value[n]))
			n++;
	for (size_t i = 0; i < n; i++) {
		if (i)
			out_lit(o, ", ");
		out_span(o, value[reverse ? n - 1 - i : i]);
	}
	return (struct span){ from, (size_t)(o->p - from) };
}

static struct span contact_uri(const struct sip_head *h)
{
	struct span rest = sip_value(h, H_CONTACT), value;
	struct sip_name_addr na;
	struct sip_uri u;

	if (rest.p && span_value(&rest, &value) && sip_name_addr_parse(value, &na) &&
	    sip_uri_parse(na.uri, &u) && u.host.n)
		return na.uri;
	return (struct span){ NULL, 0 };
}

void dialog_refresh(struct pair *p, enum side s, const struct sip_head *h, bool routes,
		    bool reverse)
{
	struct dialog *d = &p->dialog[s];
	struct span target = contact_uri(h), set_of = dialog_routes(d);
	char buf[SIP_HEADER_MOST];
	struct out o = { buf, buf + sizeof buf, false };

	if (routes)
		set_of = dialog_route_set(h, reverse, &o);
	if (!target.p)
		target = dialog_target(d);
	if (span_equal(target, dialog_target(d)) && span_equal(set_of, dialog_routes(d)))
		return;
	set(p, s, (struct span){ d->text, d->remote_len }, target, set_of);
	nexthop_find(p, s);
}

/* ---- pairs ------------------------------------------------------------------------------ */

/* An end from before RFC 3261 has none (12.1.2). */
struct pair *pair_by_remote_tag(struct call *c, struct span tag)
{
	for (struct pair *p = c->pair; p; p = p->next)
		if (p->attempt == c->attempt &&
		    span_equal(sip_tag(pair_remote(p, CALLEE)), tag))
			return p;
	return NULL;
}

struct pair *pair_by_number(struct call *c, uint8_t number)
{
	for (struct pair *p = c->pair; p; p = p->next)
		if (p->number == number)
			return p;
	return NULL;
}

static const struct span none;

/* No Contact, although there must be one: who it says it is. */
static struct span fallback_target(struct span remote)
{
	struct sip_name_addr na;

	return sip_name_addr_parse(remote, &na) ? na.uri : (struct span){ NULL, 0 };
}

static void begin(struct pair *p, enum side s, const struct sip_head *h, struct span remote,
		  bool reverse)
{
	set(p, s, s == CALLER ? none : remote, fallback_target(remote), none);
	dialog_refresh(p, s, h, true, reverse);
	if (!p->dialog[s].next.family && !p->dialog[s].looking)
		nexthop_find(p, s);
}

struct pair *pair_new(struct call *c, const struct sip_head *h)
{
	const struct sip_buf *request = c->initial ? c->initial->request : NULL;
	struct sip_head invite;
	struct pair *p;
	const char *why;

	if (c->pairs == FORKS_MOST || !request ||
	    sip_precheck(&invite, request->data, request->len, &why) != SIP_FINE)
		return NULL;
	p = g_new0(struct pair, 1);
	p->call = c;
	p->number = ++c->pairs;
	p->attempt = c->attempt;
	p->session = RG_NEVER;
	p->next = c->pair;
	c->pair = p;
	begin(p, CALLER, &invite, sip_value(&invite, H_FROM), false);
	p->dialog[CALLER].remote_cseq = invite.cseq;
	if (h->request)
		begin(p, CALLEE, h, sip_value(h, H_FROM), false);
	else
		begin(p, CALLEE, h, sip_value(h, H_TO), true);
	p->dialog[CALLEE].local_cseq = c->leg[CALLEE].cseq;
	return p;
}

void pair_free(struct pair *p)
{
	for (int s = 0; s < 2; s++) {
		nexthop_forget(p, (enum side)s);
		g_free(p->dialog[s].text);
	}
	g_free(p);
}

/* ---- requests in a dialog --------------------------------------------------------------- */

/* RFC 3261 12.2.1.1: a strict router gets its own URI as Request-URI. */
static void frame_way(const struct dialog *d, struct frame *f)
{
	struct span routes = dialog_routes(d), value;
	bool strict;
	struct span uri = first_route(routes, &strict);
	const char *from;

	f->o.uri = dialog_target(d);
	f->o.routes = routes.n ? routes : (struct span){ NULL, 0 };
	if (!strict)
		return;
	f->o.uri = uri;
	from = f->out.p;
	(void)span_value(&routes, &value);
	routes = span_trim(routes);
	if (routes.n) {
		out_span(&f->out, routes);
		out_lit(&f->out, ", ");
	}
	out_lit(&f->out, "<");
	out_span(&f->out, dialog_target(d));
	out_lit(&f->out, ">");
	f->o.routes = frame_cut(f, from);
}

void dialog_frame(struct pair *p, enum side s, const struct sip_head *h, struct frame *f)
{
	struct dialog *d = &p->dialog[s];
	const struct leg *l = &p->call->leg[s];
	const char *from;

	frame_begin(f);
	frame_way(d, f);
	relay_tag(p->call, s, s == CALLER ? p->number : p->attempt, f->tag);
	from = f->out.p;
	out_span(&f->out, leg_self(l));
	out_lit(&f->out, ";tag=");
	out_mem(&f->out, f->tag, sizeof f->tag);
	f->o.from = frame_cut(f, from);
	f->o.to = pair_remote(p, s);
	f->o.call_id = leg_id(l);
	f->o.cseq = d->local_cseq = d->local_cseq % INT32_MAX + 1;
	f->o.max_forwards = 70;
	if (!h)
		return;
	if (h->max_forwards != 255)
		f->o.max_forwards = h->max_forwards ? (uint8_t)(h->max_forwards - 1) : 0;
	f->o.contact = leg_write_contact(l, h, &f->out);
}
