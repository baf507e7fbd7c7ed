/* What all dialogs with one side share, and how requests to it are written. */
#include <string.h>

#include "relay/call.h"
#include "sip/memo.h"

struct span leg_id(const struct leg *l)
{
	return (struct span){ l->text, l->id_len };
}

struct span leg_self(const struct leg *l)
{
	return (struct span){ l->text ? l->text + l->id_len : NULL, l->self_len };
}

struct span leg_contact(const struct leg *l)
{
	return (struct span){ l->text ? l->text + l->id_len + l->self_len : NULL,
			      l->contact_len };
}

void leg_set(struct leg *l, struct span id, struct span self, struct span contact)
{
	char *text = g_malloc(id.n + self.n + contact.n + 1), *old = l->text;
	struct out o = { text, text + id.n + self.n + contact.n, false };

	out_span(&o, id);
	out_span(&o, self);
	out_span(&o, contact);
	l->text = text;
	l->id_len = (uint16_t)id.n;
	l->self_len = (uint16_t)self.n;
	l->contact_len = (uint16_t)contact.n;
	g_free(old); /* the spans may have been its */
	call_weigh(leg_call(l));
}

void leg_clear(struct leg *l)
{
	g_free(l->text);
	l->text = NULL;
	l->id_len = l->self_len = l->contact_len = 0;
}

/* What stands behind '@' in our Contact: our address, the one the registrar saw, or one
 * configured. */
static void out_host(struct out *o, const struct rg_addr *local, const char *address,
		     const struct sip_memo *m)
{
	bool received = !strcmp(address, "received");

	if (received && m && m->seen.family)
		out_address(o, &m->seen);
	else if (received || !*address || !strcmp(address, "local"))
		out_address(o, local);
	else
		out_str(o, address);
}

void leg_write_uri(struct out *o, bool sips, struct span user, const struct rg_addr *local,
		   const char *address, const struct reg_dialogue *d)
{
	if (sips)
		out_lit(o, "sips:");
	else
		out_lit(o, "sip:");
	if (user.n) {
		out_span(o, user);
		out_lit(o, "@");
	}
	out_host(o, local, address, d ? d->memo : NULL);
	if (local->transport == RG_UDP || sips)
		return;
	out_lit(o, ";transport=");
	out_str(o, rg_transport_name(local->transport));
}

/* The user we are towards the caller, until the route says better: whom it called. */
static struct span called_user(const struct sip_head *h)
{
	struct sip_name_addr to;
	struct sip_uri u;

	if (sip_uri_parse(h->uri, &u) && u.user.n && u.host.n)
		return u.user;
	if (sip_name_addr_parse(sip_value(h, H_TO), &to) && sip_uri_parse(to.uri, &u) &&
	    u.user.n && u.host.n)
		return u.user;
	return (struct span){ "regway", 6 };
}

/* RFC 3261 12.1.1: the dialog will be one of sips: URIs. */
static bool wants_sips(const struct sip_hop *hop, const struct sip_head *h)
{
	struct span rest = sip_value(h, h->first[H_RECORD_ROUTE] ? H_RECORD_ROUTE : H_CONTACT);
	struct sip_name_addr na;
	struct span value;

	if (hop->local.transport != RG_TLS)
		return false;
	return uri_is_sips(h->uri) ||
	       (rest.p && span_value(&rest, &value) && sip_name_addr_parse(value, &na) &&
		uri_is_sips(na.uri));
}

void leg_of_caller(struct call *c, const struct sip_hop *hop, const struct sip_head *h)
{
	char text[SIP_NAME_MOST + 128];
	struct out o = { text, text + sizeof text, false };

	leg_write_uri(&o, wants_sips(hop, h), called_user(h), &hop->local, "local", NULL);
	c->leg[CALLER].hop = *hop;
	leg_spoken(&c->leg[CALLER], hop);
	leg_set(&c->leg[CALLER], sip_value(h, H_CALL_ID), sip_value(h, H_TO),
		(struct span){ text, (size_t)(o.p - text) });
}

void leg_spoken(struct leg *l, const struct sip_hop *hop)
{
	if (hop->socket & SIP_SOCKET_TCP)
		l->flow = hop->socket;
}

void leg_set_contact(struct leg *l, const char *user, const char *address,
		     const struct reg_dialogue *d)
{
	char text[SIP_NAME_MOST + 128], escaped[SIP_NAME_MOST];
	struct out o = { text, text + sizeof text, false };
	struct out u = { escaped, escaped + sizeof escaped, false };
	struct span old = leg_contact(l);
	const char *at = memchr(old.p, '@', old.n), *colon = memchr(old.p, ':', old.n);

	if ((!user || !*user) && (!address || !*address))
		return;
	if (user && *user)
		out_user(&u, user);
	else if (at && colon < at)
		out_mem(&u, colon + 1, (size_t)(at - colon - 1));
	leg_write_uri(&o, uri_is_sips(old), (struct span){ escaped, (size_t)(u.p - escaped) },
		      &l->hop.local, address ? address : "local", d);
	if (!o.full && !u.full)
		leg_set(l, leg_id(l), leg_self(l), (struct span){ text, (size_t)(o.p - text) });
}

void leg_set_gruu(struct leg *l, const char *gruu)
{
	if (gruu)
		leg_set(l, leg_id(l), leg_self(l), (struct span){ gruu, strlen(gruu) });
}

/* Header parameters are the endpoint's words about itself (RFC 3840): they go on. */
struct span leg_write_contact(const struct leg *l, const struct sip_head *h, struct out *o)
{
	struct span rest = sip_value(h, H_CONTACT), value;
	const char *from = o->p;
	struct sip_name_addr na;

	if (!rest.p || !span_value(&rest, &value))
		return (struct span){ NULL, 0 };
	out_lit(o, "<");
	out_span(o, leg_contact(l));
	out_lit(o, ">");
	if (sip_name_addr_parse(value, &na))
		out_span(o, na.params);
	return (struct span){ from, (size_t)(o->p - from) };
}

/* ---- frames ----------------------------------------------------------------------------- */

void frame_begin(struct frame *f)
{
	memset(&f->o, 0, sizeof f->o);
	f->credentials = (struct span){ NULL, 0 };
	f->out = (struct out){ f->scratch, f->scratch + sizeof f->scratch, false };
}

struct span frame_cut(const struct frame *f, const char *from)
{
	return (struct span){ from, (size_t)(f->out.p - from) };
}

void frame_authorize(struct frame *f, struct leg *l, struct span method, struct span body)
{
	char uri[SIP_START_MOST + 1], name[36];
	const char *own = f->out.p, *from = f->o.headers.p ? f->o.headers.p : own;

	if (!leg_has_credentials(l) || f->o.uri.n >= sizeof uri ||
	    method.n >= sizeof name)
		return;
	memcpy(uri, f->o.uri.p, f->o.uri.n);
	uri[f->o.uri.n] = '\0';
	memcpy(name, method.p, method.n);
	name[method.n] = '\0';
	credentials_write(l, &f->out, name, uri, body);
	f->credentials = frame_cut(f, own);
	if (f->out.p > from)
		f->o.headers = frame_cut(f, from);
}

void frame_names(struct frame *f, struct relay *r, const struct sip_head *h)
{
	const char *from = f->out.p;

	if (h->first[H_REPLACES])
		replaces_write(r, sip_value(h, H_REPLACES), &f->out);
	if (f->out.p > from)
		f->o.replaces = frame_cut(f, from);
	from = f->out.p;
	if (h->first[H_REFER_TO])
		replaces_refer_to(r, sip_value(h, H_REFER_TO), &f->out);
	if (f->out.p > from)
		f->o.refer_to = frame_cut(f, from);
}
