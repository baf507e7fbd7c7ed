/* Builds REGISTER and SUBSCRIBE, and rewrites their end for a second try. */
#include <errno.h>
#include <glib.h>
#include <string.h>

#include "regway/plugin.h"
#include "sip/attempt.h"
#include "sip/instance.h"
#include "sip/memo.h"
#include "sip/message.h"
#include "sip/subscribe.h"

#define REG_ID ";reg-id=1"

enum { URI_MOST = 512 };

static const struct sip_memo *memo_of(const struct sip_attempt *a)
{
	return a->own ? a->own : a->dialogue->memo;
}

static uint16_t here(const struct out *o, const struct sip_buf *b)
{
	return (uint16_t)(o->p - b->data);
}

void sip_request_aor(struct out *o, const struct reg_message *r)
{
	out_lit(o, "sip:");
	if (*r->aor_user) {
		out_user(o, r->aor_user);
		out_lit(o, "@");
	}
	out_str(o, r->aor_host);
}

static void out_aor(struct out *o, const char *name, const struct reg_message *r)
{
	out_str(o, name);
	out_lit(o, ": <");
	sip_request_aor(o, r);
	out_lit(o, ">");
}

/* What stands behind '@': our address, the one the server saw, or one configured. */
static void out_contact_host(struct out *o, const struct sip_attempt *a,
			     const struct reg_message *r, const struct rg_addr *local)
{
	const struct sip_memo *m = memo_of(a);

	if (a->received && m && m->seen.family)
		out_address(o, &m->seen);
	else if (a->received || !*r->contact_address || !strcmp(r->contact_address, "local"))
		out_address(o, local);
	else
		out_str(o, r->contact_address);
}

/* RFC 5626 4.2.1: one flow is all we have of a binding; RFC 5627 4.1. */
static void out_instance(struct out *o, const struct sip_attempt *a, const struct reg_message *r)
{
	const struct sip_memo *m = memo_of(a);
	char urn[SIP_INSTANCE];

	if (!r->flow && !r->gruu)
		return;
	sip_instance(urn, r->aor_user, r->aor_host);
	out_lit(o, ";+sip.instance=\"<");
	out_str(o, urn);
	out_lit(o, ">\"");
	if (r->flow && !(m && m->no_outbound))
		out_lit(o, REG_ID);
}

static void out_contact(struct out *o, struct sip_attempt *a, const struct reg_message *r,
			const struct sip_buf *b)
{
	const struct rg_addr *local = &sip_client_hop(a->client)->local;

	if (r->all_contacts && !a->subscription) {
		out_lit(o, "Contact: *\r\n");
		return;
	}
	out_lit(o, "Contact: <");
	a->uri_at = here(o, b);
	out_lit(o, "sip:");
	if (*r->contact_user) {
		out_user(o, r->contact_user);
		out_lit(o, "@");
	}
	a->host_at = here(o, b);
	out_contact_host(o, a, r, local);
	a->host_len = (uint16_t)(here(o, b) - a->host_at);
	out_lit(o, ";rg=");
	out_mem(o, a->contact_token, sizeof a->contact_token);
	if (local->transport != RG_UDP) {
		out_lit(o, ";transport=");
		out_str(o, rg_transport_name(local->transport));
	}
	if (*r->contact_params) {
		if (*r->contact_params != ';')
			out_lit(o, ";");
		out_str(o, r->contact_params);
	}
	a->uri_len = (uint16_t)(here(o, b) - a->uri_at);
	out_lit(o, ">");
	if (!a->subscription) {
		out_lit(o, ";expires=");
		out_number(o, r->expires);
		out_instance(o, a, r);
	}
	out_lit(o, "\r\n");
}

static void out_route(struct out *o, const struct reg_message *r)
{
	out_lit(o, "Route: <sip:");
	if (*r->tls_name && !strchr(r->tls_name, ':'))
		out_mem(o, r->tls_name, rg_tls_domain(r->tls_name));
	else
		out_address(o, &r->server);
	out_lit(o, ";lr;transport=");
	out_str(o, rg_transport_name(r->server.transport));
	out_lit(o, ">\r\n");
}

/* Does a "Supported:" line of the configured headers have path? */
static bool has_path(const char *headers)
{
	for (const char *p = headers; p && *p; p = strchr(p, '\n'), p += p ? 1 : 0) {
		struct span line = { p, strcspn(p, "\r\n") }, rest, value;

		if (line.n < 10 || !span_is((struct span){ p, 10 }, "Supported:"))
			continue;
		rest = (struct span){ p + 10, line.n - 10 };
		while (span_value(&rest, &value))
			if (span_is(value, "path"))
				return true;
	}
	return false;
}

/* What follows the request line, as far as it is the same in all. */
static void out_start(struct out *o, struct sip_attempt *a, const struct sip_buf *b)
{
	char branch[SIP_BRANCH];

	out_lit(o, " SIP/2.0\r\n");
	sip_client_branch(a->client, branch);
	out_via(o, &sip_client_hop(a->client)->local, branch, sizeof branch);
	a->branch_at = (uint16_t)(here(o, b) - sizeof ";rport\r\n" + 1 - SIP_BRANCH);
	out_lit(o, "Max-Forwards: 70\r\n");
}

static void out_supported(struct out *o, const struct reg_message *r)
{
	const char *before = "Supported: ";

	if (!has_path(r->headers)) {
		out_lit(o, "Supported: path");
		before = ", ";
	}
	if (r->flow) {
		out_str(o, before);
		out_lit(o, "outbound");
		before = ", ";
	}
	if (r->gruu) {
		out_str(o, before);
		out_lit(o, "gruu");
		before = ", ";
	}
	if (*before == ',')
		out_lit(o, "\r\n");
}

static void out_security_client(struct out *o, const struct reg_message *r)
{
	out_lit(o, "Security-Client: ");
	out_str(o, r->security_client);
	out_lit(o, "\r\nRequire: mediasec\r\nProxy-Require: mediasec\r\n");
}

static void out_head(struct out *o, struct sip_attempt *a, const struct reg_message *r,
		     const struct sip_buf *b)
{
	const uint8_t *id = a->dialogue->id;

	out_lit(o, "REGISTER sip:");
	out_str(o, r->request_host);
	out_start(o, a, b);
	if (r->initial_route)
		out_route(o, r);
	out_aor(o, "From", r);
	out_lit(o, ";tag=");
	out_hex(o, id + 8, 8);
	out_lit(o, "\r\n");
	out_aor(o, "To", r);
	out_lit(o, "\r\nCall-ID: ");
	out_hex(o, id, 16);
	out_lit(o, "\r\n");
	out_contact(o, a, r, b);
	out_lit(o, "Expires: ");
	out_number(o, r->expires);
	out_lit(o, "\r\n");
	out_supported(o, r);
	if (a->security)
		out_security_client(o, r);
	out_lit(o, "User-Agent: Regway/" RG_VERSION "\r\n");
	out_str(o, r->headers);
	a->tail_at = here(o, b);
}

/* The routes of a request outside a dialog: as for REGISTER, then what the registrar gave
 * for all that follows it (RFC 3608 6.1). */
static void out_service_route(struct out *o, const struct sip_attempt *a,
			      const struct reg_message *r)
{
	const struct sip_memo *m = memo_of(a);

	if (r->initial_route)
		out_route(o, r);
	if (!m || !m->service_route)
		return;
	out_lit(o, "Route: ");
	out_str(o, m->service_route);
	out_lit(o, "\r\n");
}

static void out_subscribe(struct out *o, struct sip_attempt *a, const struct reg_message *r,
			  const struct sip_buf *b)
{
	const struct sip_subscription *s = a->subscription;

	out_lit(o, "SUBSCRIBE ");
	if (s->target)
		out_str(o, s->target);
	else
		sip_request_aor(o, r);
	out_start(o, a, b);
	if (!s->remote_tag)
		out_service_route(o, a, r);
	else if (s->routes)
		out_lit(o, "Route: "), out_str(o, s->routes), out_lit(o, "\r\n");
	out_aor(o, "From", r);
	out_lit(o, ";tag=");
	out_hex(o, s->tag, sizeof s->tag);
	out_lit(o, "\r\n");
	out_aor(o, "To", r);
	if (s->remote_tag)
		out_lit(o, ";tag="), out_str(o, s->remote_tag);
	out_lit(o, "\r\nCall-ID: ");
	out_hex(o, s->id, sizeof s->id);
	out_lit(o, "\r\n");
	out_contact(o, a, r, b);
	out_lit(o, "Event: reg\r\nAccept: application/reginfo+xml\r\n"
		   "User-Agent: Regway/" RG_VERSION "\r\n");
	out_str(o, r->headers);
	a->tail_at = here(o, b);
}

/* The URI of the request line, as a string: the digest-uri. */
static const char *request_uri(const struct sip_attempt *a, const struct sip_buf *b,
			       char uri[URI_MOST])
{
	const char *p = b->data + strlen(a->method) + 1;
	const char *e = memchr(p, ' ', URI_MOST - 1);

	if (!e)
		return "";
	memcpy(uri, p, (size_t)(e - p));
	uri[e - p] = '\0';
	return uri;
}

/* TS 24.229 5.1.1.2: who we are, before there is a challenge. */
static void out_empty_authorization(struct out *o, const struct sip_attempt *a, const char *uri)
{
	out_lit(o, "Authorization: Digest username=\"");
	for (const char *p = a->username; *p; p++) {
		if (*p == '"' || *p == '\\')
			out_lit(o, "\\");
		out_mem(o, p, 1);
	}
	out_lit(o, "\", realm=\"");
	out_str(o, uri + 4);
	out_lit(o, "\", nonce=\"\", uri=\"");
	out_str(o, uri);
	out_lit(o, "\", response=\"\"\r\n");
}

static void out_credentials(struct out *o, struct sip_attempt *a, const struct sip_buf *b)
{
	const struct sip_memo *m = memo_of(a);
	struct digest *known[] = { m ? m->www : NULL, m ? m->proxy : NULL };
	char uri[URI_MOST];
	const char *u = request_uri(a, b, uri);

	for (int i = 0; i < 2; i++)
		for (struct digest *d = known[i]; d; d = digest_next(d)) {
			size_t n = digest_authorize(d, o->p, (size_t)(o->end - o->p),
						    a->username, a->method, u, NULL, 0);

			o->p += n;
			o->full |= !n;
		}
	if (a->empty_authorization && !known[0] && !known[1] && *u)
		out_empty_authorization(o, a, u);
}

static void out_security_verify(struct out *o, const struct sip_attempt *a)
{
	const struct sip_memo *m = memo_of(a);

	if (!a->security || !m || !m->security)
		return;
	if (a->subscription)
		out_lit(o, "Require: mediasec\r\nProxy-Require: mediasec\r\n");
	out_lit(o, "Security-Verify: ");
	out_str(o, m->security);
	out_lit(o, "\r\n");
}

static bool write_tail(struct sip_attempt *a, struct sip_buf *b)
{
	struct out o = { b->data + a->tail_at, b->data + b->cap, false };

	out_lit(&o, "CSeq: ");
	out_number(&o, *a->cseq);
	out_lit(&o, " ");
	out_str(&o, a->method);
	out_lit(&o, "\r\n");
	if (a->subscription) { /* here, since a 423 asks for another one */
		out_lit(&o, "Expires: ");
		out_number(&o, a->asked);
		out_lit(&o, "\r\n");
	}
	if (a->left) {
		out_lit(&o, "Contact: <");
		out_str(&o, a->left);
		out_lit(&o, ">;expires=0\r\n");
	}
	out_security_verify(&o, a);
	out_credentials(&o, a, b);
	out_lit(&o, "Content-Length: 0\r\n\r\n");
	b->len = (uint32_t)(o.p - b->data);
	return !o.full;
}

/* The next larger buffer with the same beginning; NULL: there is none. */
static struct sip_buf *larger(struct sip_buf *b, size_t keep)
{
	struct sip_buf *n = b->cap < SIP_BUF_MOST ? sip_buf_new(b->pool, b->cap + 1) : NULL;

	if (n)
		memcpy(n->data, b->data, keep);
	return n;
}

int sip_request_tail(struct sip_attempt *a, struct sip_buf **bp)
{
	*a->cseq = *a->cseq % INT32_MAX + 1;
	while (!write_tail(a, *bp)) {
		struct sip_buf *n = larger(*bp, a->tail_at);

		if (!n)
			return E2BIG;
		sip_buf_unref(*bp);
		*bp = n;
	}
	return 0;
}

static bool fit(const struct reg_message *r)
{
	return *r->request_host && strlen(r->request_host) < URI_MOST - 8 &&
	       sip_fit_for_uri(r->request_host) && sip_fit_for_uri(r->aor_host) &&
	       sip_fit_for_uri(r->contact_params) && sip_fit_for_uri(r->contact_address) &&
	       sip_fit_for_uri(r->tls_name);
}

static struct sip_buf *build_head(struct sip_attempt *a, const struct reg_message *r,
				  struct sip_buf *b)
{
	while (b) {
		struct out o = { b->data, b->data + b->cap, false };
		struct sip_buf *n;

		if (a->subscription)
			out_subscribe(&o, a, r, b);
		else
			out_head(&o, a, r, b);
		if (!o.full)
			return b;
		n = larger(b, 0);
		sip_buf_unref(b);
		b = n;
	}
	return NULL;
}

int sip_request_build(struct sip_attempt *a, const struct reg_message *r, struct sip_buf **bp)
{
	struct sip_buf *b;
	int err;

	if (!fit(r))
		return EINVAL;
	b = build_head(a, r, sip_buf_new(sip_client_pool(a->client), SIP_BUF_SMALL));
	if (!b)
		return E2BIG;
	err = sip_request_tail(a, &b);
	if (err) {
		sip_buf_unref(b);
		return err;
	}
	*bp = b;
	return 0;
}

/* Is the Contact that was sent not at the address the server saw?  Then it will be taken
 * back by what is sent next. */
bool sip_request_moved(struct sip_attempt *a)
{
	const struct sip_memo *m = memo_of(a);
	const struct sip_buf *b = sip_client_sent(a->client);
	char host[RG_ADDR_TEXT];
	struct out o = { host, host + sizeof host, false };

	if (!b || !a->uri_len || !m || !m->seen.family)
		return false;
	out_address(&o, &m->seen);
	if (a->host_len == o.p - host && !memcmp(b->data + a->host_at, host, a->host_len))
		return false;
	g_free(a->left);
	a->left = g_strndup(b->data + a->uri_at, a->uri_len);
	return true;
}

/* The server told another address than we had written: put that into the Contact. */
static void correct_contact(struct sip_attempt *a, struct sip_buf *b)
{
	const struct sip_memo *m = memo_of(a);
	char host[RG_ADDR_TEXT];
	struct out o = { host, host + sizeof host, false };
	size_t n;

	if (!a->received || !a->uri_len || !m || !m->seen.family)
		return;
	out_address(&o, &m->seen);
	n = (size_t)(o.p - host);
	if (a->tail_at + n - a->host_len > b->cap)
		return;
	memmove(b->data + a->host_at + n, b->data + a->host_at + a->host_len,
		(size_t)(a->tail_at - a->host_at - a->host_len));
	memcpy(b->data + a->host_at, host, n);
	a->tail_at = (uint16_t)(a->tail_at + n - a->host_len);
	a->uri_len = (uint16_t)(a->uri_len + n - a->host_len);
	a->host_len = (uint16_t)n;
}

/* The server has none of RFC 5626; the reg-id ends the line of our Contact. */
static void take_reg_id(struct sip_attempt *a, struct sip_buf *b)
{
	static const char end[] = REG_ID "\r\n";
	const struct sip_memo *m = memo_of(a);
	char *from = b->data + a->uri_at, *p;
	size_t n = sizeof REG_ID - 1;

	if (!m || !m->no_outbound || !a->uri_len)
		return;
	p = memmem(from, (size_t)(a->tail_at - a->uri_at), end, sizeof end - 1);
	if (!p)
		return;
	memmove(p, p + n, (size_t)(b->data + a->tail_at - p) - n);
	a->tail_at = (uint16_t)(a->tail_at - n);
}

int sip_request_again(struct sip_attempt *a, struct sip_buf **bp)
{
	sip_client_branch(a->client, (*bp)->data + a->branch_at);
	correct_contact(a, *bp);
	take_reg_id(a, *bp);
	return sip_request_tail(a, bp);
}
