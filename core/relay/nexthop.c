/* Where requests to an end go: to the URI of its first route or of its target, or over the
 * connection it has opened to us, where there is no other way to it. */
#include <errno.h>
#include <string.h>

#include "relay/call.h"
#include "sip/rfc3263.h"

/* ---- what a URI says -------------------------------------------------------------------- */

bool uri_is_sips(struct span uri)
{
	return uri.n > 5 && span_is((struct span){ uri.p, 5 }, "sips:");
}

/* What it is reached by; usual where it does not say.  A sips: URI is TLS, whatever else it
 * says (RFC 5630 3.1.2). */
static uint8_t transport_of(const struct sip_uri *u, bool sips, uint8_t usual, bool *told)
{
	struct span t = span_param(u->params, "transport");

	*told = true;
	if (sips || span_is(u->scheme, "sips") || span_is(t, "tls"))
		return RG_TLS;
	if (span_is(t, "udp"))
		return RG_UDP;
	if (span_is(t, "tcp"))
		return RG_TCP;
	*told = false;
	return usual;
}

/* true: a literal address; a's transport, and its port, are told in any case. */
static bool address_of(const struct sip_uri *u, struct rg_addr *a)
{
	char host[RG_ADDR_TEXT];

	a->port = u->port ? u->port : rfc3263_port(a->transport);
	if (!u->host.n || u->host.n >= sizeof host)
		return false;
	memcpy(host, u->host.p, u->host.n);
	host[u->host.n] = '\0';
	if (rg_addr_parse_ip(a, host))
		return true;
	a->family = 0;
	return false;
}

/* The URI of the topmost route; p NULL: none, or it cannot be read. */
struct span first_route(struct span routes, bool *strict)
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

static struct span next_uri(const struct dialog *d)
{
	bool strict;
	struct span uri = first_route(dialog_routes(d), &strict);

	return uri.p ? uri : dialog_target(d);
}

/* ---- names ------------------------------------------------------------------------------ */

static uint64_t token_of(const struct pair *p, enum side s)
{
	return (uint64_t)1 << 63 | (uint64_t)s << 62 | (uint64_t)p->number << 52 |
	       (uint64_t)p->call->slot << 32 | (uint32_t)p->call->key;
}

void nexthop_forget(struct pair *p, enum side s)
{
	struct dialog *d = &p->dialog[s];

	if (d->looking)
		sip_stack_lookup_cancel(p->call->relay->env.stack, token_of(p, s));
	d->looking = false;
	g_free(d->spares);
	d->spares = NULL;
}

/* What can be reached from where the leg is.  One that began over TLS does not fall back
 * behind it, whatever the name's records say. */
static void reach(const struct pair *p, enum side s, struct reg_lookup *l)
{
	const struct sip_transport *t = p->call->relay->parts->transport;
	const struct sip_hop *hop = &p->call->leg[s].hop;
	uint16_t port;

	(void)sip_transport_interface(t, hop, &l->interface, &port);
	for (uint8_t tp = RG_UDP; tp <= RG_TLS; tp++) {
		if (sip_transport_serves(t, l->interface, 4, tp)) {
			l->families |= REG_IPV4;
			l->transports |= (uint8_t)(1 << tp);
		}
		if (sip_transport_serves(t, l->interface, 6, tp)) {
			l->families |= REG_IPV6;
			l->transports |= (uint8_t)(1 << tp);
		}
	}
	l->six_first = hop->local.family == 6;
	if (hop->peer.transport == RG_TLS)
		l->transports = 1 << RG_TLS;
}

/* RFC 3263 4: NAPTR unless the URI names a transport or a port. */
static void look_up(struct pair *p, enum side s, const struct sip_uri *u, uint8_t transport,
		    bool told)
{
	char host[256];
	struct reg_lookup l = { .token = token_of(p, s), .host = host, .port = u->port,
				.transport = transport, .transport_set = told,
				.method = u->port ? 0 : told ? 1 : 2,
				.seed = (uint32_t)p->call->key };

	if (!u->host.n || u->host.n >= sizeof host || *u->host.p == '[')
		return;
	memcpy(host, u->host.p, u->host.n);
	host[u->host.n] = '\0';
	reach(p, s, &l);
	p->dialog[s].looking = !sip_stack_lookup(p->call->relay->env.stack, &l, nexthop_resolved,
						 p->call->relay);
}

void nexthop_find(struct pair *p, enum side s)
{
	struct dialog *d = &p->dialog[s];
	struct rg_addr a = { .family = 0 };
	struct sip_uri u = { .port = 0 };
	bool told = false;

	nexthop_forget(p, s);
	d->next.family = 0;
	d->by_flow = false;
	d->sips = uri_is_sips(dialog_target(d)) || uri_is_sips(next_uri(d));
	if (!sip_uri_parse(next_uri(d), &u))
		return;
	a.transport = transport_of(&u, d->sips, p->call->leg[s].hop.peer.transport, &told);
	if (address_of(&u, &a))
		d->next = a;
	else
		look_up(p, s, &u, a.transport, told);
}

static void proceed(struct call *c)
{
	for (struct exchange *x = c->exchange, *next; x; x = next) {
		next = x->next;
		if (x->waits || x->ack_waits)
			exchange_proceed(x);
	}
}

static void take(struct dialog *d, const struct reg_resolved *r, size_t n)
{
	d->next = r[0].addr;
	n = MIN(n - 1, (size_t)SPARES_MOST);
	if (!n)
		return;
	d->spares = g_new0(struct spares, 1);
	d->spares->n = (uint8_t)n;
	for (size_t i = 0; i < n; i++)
		d->spares->addr[i] = r[i + 1].addr;
}

void nexthop_resolved(uint64_t token, const struct reg_resolved *r, size_t n, void *arg)
{
	struct relay *relay = arg;
	uint32_t slot = (uint32_t)(token >> 32) & (RELAY_CALLS_MOST - 1);
	enum side s = token >> 62 & 1 ? CALLEE : CALLER;
	struct call *c = slot < relay->slots ? relay->slot[slot] : NULL;
	struct pair *p = NULL;

	if (c && (uint32_t)c->key == (uint32_t)token)
		p = pair_by_number(c, token >> 52 & 0xff);
	if (!p || !p->dialog[s].looking)
		return;
	p->dialog[s].looking = false;
	if (n)
		take(&p->dialog[s], r, n);
	call_weigh(c);
	proceed(c);
}

/* ---- the way there ---------------------------------------------------------------------- */

/* Whom a TLS connection must reach: the configured server where it is it, or where every
 * server of that side must be able to show that name; else whom the URI names. */
static const char *tls_name(const struct leg *l, const struct rg_addr *to, struct span host,
			    char buf[RG_TLS_NAME])
{
	const char *name = l->tls_name ? l->tls_name : "";
	size_t n = rg_tls_domain(name);
	char domain[256] = "";
	struct rg_addr a;

	if (n && rg_addr_same_ip(to, &l->hop.peer))
		return name;
	memcpy(domain, name, MIN(n, sizeof domain - 1));
	if (n && l->serving && !rg_addr_parse_ip(&a, domain))
		return name;
	memset(domain, 0, sizeof domain);
	memcpy(domain, host.p, MIN(host.n, sizeof domain - 1));
	if (rg_addr_parse_ip(&a, domain))
		*domain = '\0'; /* the address it is sent to */
	return rg_tls_name(domain, name[n] ? name + n + 1 : "", buf);
}

static int open_way(const struct call *c, enum side s, const struct rg_addr *to,
		    struct span host, struct sip_hop *hop)
{
	const struct leg *l = &c->leg[s];
	char buf[RG_TLS_NAME];

	return sip_transport_way(c->relay->parts->transport, &l->hop.local, to,
				 to->transport == RG_TLS ? tls_name(l, to, host, buf) : "", hop);
}

/* The connection that the leg is on, where it is fit for this dialog. */
static bool flow_of(const struct pair *p, enum side s, struct sip_hop *flow, bool *ours)
{
	const struct leg *l = &p->call->leg[s];

	return l->flow &&
	       sip_transport_flow(p->call->relay->parts->transport, l->flow, flow, ours) &&
	       (!p->dialog[s].sips || flow->peer.transport == RG_TLS);
}

/* It is taken where nothing else is known, or has worked.  An end that connects by TLS has
 * rarely a certificate of its own to be called by (RFC 5923); one whose Contact is not where
 * it speaks from is behind a NAT. */
static bool prefers_flow(const struct dialog *d, const struct sip_hop *flow, bool ours)
{
	if (d->by_flow || !d->next.family)
		return true;
	if (ours || flow->peer.transport != d->next.transport)
		return false;
	return rg_addr_same_ip(&flow->peer, &d->next) ? d->next.transport == RG_TLS :
							!d->routes_len;
}

int nexthop(const struct pair *p, enum side s, struct sip_hop *hop)
{
	const struct dialog *d = &p->dialog[s];
	const struct leg *l = &p->call->leg[s];
	struct sip_uri u = { .port = 0 };
	struct sip_hop flow;
	bool ours, flows = flow_of(p, s, &flow, &ours);

	if (flows && prefers_flow(d, &flow, ours)) {
		*hop = flow;
		return 0;
	}
	(void)sip_uri_parse(next_uri(d), &u);
	if (d->next.family && !open_way(p->call, s, &d->next, u.host, hop))
		return 0;
	if (flows) {
		*hop = flow;
		return 0;
	}
	if (d->sips && l->hop.peer.transport != RG_TLS)
		return EPROTONOSUPPORT;
	return open_way(p->call, s, &l->hop.peer, u.host, hop);
}

bool nexthop_turn(struct pair *p, enum side s)
{
	struct dialog *d = &p->dialog[s];
	struct rg_addr failed = d->next;
	struct spares *x = d->spares;

	if (!x)
		return false;
	d->next = x->addr[x->at];
	x->addr[x->at] = failed;
	x->at = (uint8_t)((x->at + 1) % x->n);
	return true;
}

unsigned nexthop_choices(const struct pair *p, enum side s)
{
	const struct dialog *d = &p->dialog[s];

	return d->spares && !d->by_flow ? 1u + d->spares->n : 1;
}

bool nexthop_other(struct pair *p, enum side s, const struct sip_hop *failed, int err,
		   struct sip_hop *hop)
{
	bool ours;

	if (failed->peer.transport == RG_UDP)
		return false;
	if (flow_of(p, s, hop, &ours) && hop->socket != failed->socket) {
		p->dialog[s].by_flow = true;
		return true;
	}
	/* it broke under the request: there may be another one */
	return (err == ECONNRESET || err == EPIPE) && !nexthop(p, s, hop);
}

void nexthop_of_uri(const struct call *c, enum side s, struct span uri, const struct sip_hop *from,
		struct sip_hop *hop)
{
	struct rg_addr a = { .family = 0 };
	struct sip_uri u = { .port = 0 };
	bool told;

	if (sip_uri_parse(uri, &u))
		a.transport = transport_of(&u, false, from->peer.transport, &told);
	if (!address_of(&u, &a))
		a = from->peer;
	if (open_way(c, s, &a, u.host, hop))
		*hop = *from;
}
