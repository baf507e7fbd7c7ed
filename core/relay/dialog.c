/* Pairs of dialogs: who the other ends are, and where requests to them go. */
#include <string.h>

#include "relay/call.h"

struct span dialog_remote(const struct dialog *d)
{
	return (struct span){ d->text, d->remote_len };
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
	return (size_t)d->remote_len + d->target_len + d->routes_len;
}

static void set(struct dialog *d, struct span remote, struct span target, struct span routes)
{
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
}

/* ---- where to --------------------------------------------------------------------------- */

static uint8_t transport_of(const struct sip_uri *u, uint8_t transport)
{
	struct span t = span_param(u->params, "transport");

	if (span_is(t, "udp"))
		return RG_UDP;
	if (span_is(t, "tcp"))
		return RG_TCP;
	if (span_is(t, "tls"))
		return RG_TLS;
	return transport;
}

bool uri_address(struct span uri, uint8_t transport, struct rg_addr *a, struct sip_uri *u)
{
	char host[RG_ADDR_TEXT];

	memset(a, 0, sizeof *a);
	if (!sip_uri_parse(uri, u) || !u->host.n)
		return false;
	a->transport = transport_of(u, transport);
	a->port = u->port ? u->port : a->transport == RG_TLS ? 5061 : 5060;
	if (u->host.n >= sizeof host)
		return false;
	memcpy(host, u->host.p, u->host.n);
	host[u->host.n] = '\0';
	if (rg_addr_parse_ip(a, host))
		return true;
	a->family = 0;
	return false;
}

/* The URI of the topmost route; p NULL: none, or it cannot be read. */
static struct span first_route(struct span routes, bool *strict)
{
	struct span value;
	struct sip_name_addr na;
	struct sip_uri u;

	*strict = false;
	if (!routes.n || !span_value(&routes, &value) || !sip_name_addr_parse(value, &na))
		return (struct span){ NULL, 0 };
	*strict = sip_uri_parse(na.uri, &u) && !span_param(u.params, "lr").p;
	return na.uri;
}

static uint64_t token_of(const struct pair *p, enum side s)
{
	return (uint64_t)1 << 63 | (uint64_t)s << 62 | (uint64_t)p->number << 52 |
	       (uint64_t)p->call->slot << 32 | (uint32_t)p->call->key;
}

static void stop_looking(struct pair *p, enum side s)
{
	struct dialog *d = &p->dialog[s];

	if (d->looking)
		sip_stack_lookup_cancel(p->call->relay->env.stack, token_of(p, s));
	d->looking = false;
}

static void look_up(struct pair *p, enum side s, const struct sip_uri *u, uint8_t transport)
{
	char host[256];
	struct reg_lookup l = { .token = token_of(p, s), .host = host, .port = u->port,
				.transport = transport, .transport_set = true,
				.method = u->port ? 0 : 1 };
	const struct sip_hop *hop = &p->call->leg[s].hop;
	uint16_t port;

	if (!u->host.n || u->host.n >= sizeof host || *u->host.p == '[')
		return;
	memcpy(host, u->host.p, u->host.n);
	host[u->host.n] = '\0';
	l.families = hop->local.family == 6 ? REG_IPV6 : REG_IPV4;
	(void)sip_transport_interface(p->call->relay->parts->transport, hop, &l.interface, &port);
	p->dialog[s].looking = !sip_stack_lookup(p->call->relay->env.stack, &l, dialog_resolved,
						 p->call->relay);
}

static void find_next(struct pair *p, enum side s)
{
	struct dialog *d = &p->dialog[s];
	const struct leg *l = &p->call->leg[s];
	struct sip_uri u = { .port = 0 };
	bool strict;
	struct span uri = first_route(dialog_routes(d), &strict);
	struct rg_addr a;

	stop_looking(p, s);
	d->next.family = 0;
	if (uri_address(uri.p ? uri : dialog_target(d), l->hop.peer.transport, &a, &u))
		d->next = a;
	else
		look_up(p, s, &u, a.transport);
}

static void proceed(struct call *c)
{
	for (struct exchange *x = c->exchange, *next; x; x = next) {
		next = x->next;
		if (x->waits || x->ack_waits)
			exchange_proceed(x);
	}
}

void dialog_resolved(uint64_t token, const struct reg_resolved *r, size_t n, void *arg)
{
	struct relay *relay = arg;
	uint32_t slot = (uint32_t)(token >> 32) & (RELAY_CALLS_MOST - 1);
	enum side s = token >> 62 & 1 ? CALLEE : CALLER;
	struct call *c = slot < relay->slots ? relay->slot[slot] : NULL;
	struct pair *p = NULL;
	size_t best = 0;

	if (c && (uint32_t)c->key == (uint32_t)token)
		p = pair_by_number(c, token >> 52 & 0xff);
	if (!p || !p->dialog[s].looking)
		return;
	p->dialog[s].looking = false;
	for (size_t i = 1; i < n; i++)
		if (r[i].priority < r[best].priority)
			best = i;
	if (n)
		p->dialog[s].next = r[best].addr;
	proceed(c);
}

int dialog_hop(const struct pair *p, enum side s, struct sip_hop *hop)
{
	const struct dialog *d = &p->dialog[s];
	const struct leg *l = &p->call->leg[s];
	struct sip_transport *t = p->call->relay->parts->transport;

	/* Whom a certificate would have to be for is not told by a Contact: what is verified is
	 * the connection that the dialog began on. */
	if (l->hop.peer.transport == RG_TLS && sip_transport_alive(t, &l->hop) &&
	    (!d->next.family || rg_addr_same_ip(&d->next, &l->hop.peer))) {
		*hop = l->hop;
		return 0;
	}
	return sip_transport_way(t, &l->hop.local,
				 d->next.family ? &d->next : &l->hop.peer, "", hop);
}

/* ---- what the other end says of itself -------------------------------------------------- */

/* All values of Record-Route as one. */
static struct span route_set(const struct sip_head *h, bool reverse, char *buf, size_t size)
{
	struct span value[SIP_LINES_MOST], line;
	struct out o = { buf, buf + size, false };
	unsigned at = 0;
	size_t n = 0;

	while (sip_next(h, H_RECORD_ROUTE, &at, &line))
		while (n < SIP_LINES_MOST && span_value(&line, &value[n]))
			n++;
	for (size_t i = 0; i < n; i++) {
		if (i)
			out_lit(&o, ", ");
		out_span(&o, value[reverse ? n - 1 - i : i]);
	}
	return (struct span){ buf, (size_t)(o.p - buf) };
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

	if (routes)
		set_of = route_set(h, reverse, buf, sizeof buf);
	if (!target.p)
		target = dialog_target(d);
	if (span_equal(target, dialog_target(d)) && span_equal(set_of, dialog_routes(d)))
		return;
	set(d, dialog_remote(d), target, set_of);
	find_next(p, s);
}

bool dialog_in_order(struct dialog *d, uint32_t cseq)
{
	if (cseq < d->remote_cseq)
		return false;
	d->remote_cseq = cseq;
	return true;
}

/* ---- pairs ------------------------------------------------------------------------------ */

struct pair *pair_by_remote_tag(struct call *c, struct span tag)
{
	if (!tag.p)
		return NULL;
	for (struct pair *p = c->pair; p; p = p->next)
		if (p->attempt == c->attempt &&
		    span_equal(sip_tag(dialog_remote(&p->dialog[CALLEE])), tag))
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

/* No Contact, although there must be one: who it says it is. */
static struct span fallback_target(struct span remote)
{
	struct sip_name_addr na;

	return sip_name_addr_parse(remote, &na) ? na.uri : (struct span){ NULL, 0 };
}

static void begin(struct pair *p, enum side s, const struct sip_head *h, struct span remote,
		  bool reverse)
{
	set(&p->dialog[s], remote, fallback_target(remote), (struct span){ NULL, 0 });
	dialog_refresh(p, s, h, true, reverse);
	if (!p->dialog[s].next.family && !p->dialog[s].looking)
		find_next(p, s);
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
		stop_looking(p, (enum side)s);
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
	f->o.to = dialog_remote(d);
	f->o.call_id = leg_id(l);
	f->o.cseq = d->local_cseq = d->local_cseq % INT32_MAX + 1;
	f->o.max_forwards = 70;
	if (!h)
		return;
	if (h->max_forwards != 255)
		f->o.max_forwards = h->max_forwards ? (uint8_t)(h->max_forwards - 1) : 0;
	f->o.contact = leg_write_contact(l, h, &f->out);
}
