#include "sip/redirect.h"

#include <string.h>

#include "sip/contact.h"
#include "sip/memo.h"
#include "sip/message.h"

/* An address of one host; the text of it stands in a message. */
static bool address_of(const struct sip_uri_part *u, uint8_t transport, struct rg_addr *to)
{
	struct span asked = span_param(u->params, "transport");
	char text[RG_ADDR_TEXT];
	struct span host = u->host;

	*to = (struct rg_addr){ .family = 0 };
	if (host.n > 2 && *host.p == '[')
		host = (struct span){ host.p + 1, host.n - 2 };
	if (!span_is(u->scheme, "sip") || host.n >= sizeof text ||
	    (asked.n && !span_is(asked, rg_transport_name(transport))))
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	if (!rg_addr_parse_ip(to, text))
		return false;
	to->port = u->port ? u->port : 5060;
	to->transport = transport;
	return rg_addr_is_host(to);
}

static bool has_been(const struct sip_attempt *a, const struct rg_addr *to)
{
	for (unsigned i = 0; i < a->redirects; i++)
		if (rg_addr_equal(&a->been[i], to))
			return true;
	return rg_addr_equal(&sip_client_hop(a->client)->peer, to);
}

static bool target_of(const struct sip_attempt *a, const struct sip_head *h, struct rg_addr *to)
{
	const struct rg_addr *now = &sip_client_hop(a->client)->peer;
	struct span line, value;
	struct sip_contact_part c;
	struct sip_uri_part u;
	unsigned at = 0;

	while (sip_next(h, H_CONTACT, &at, &line))
		while (span_value(&line, &value)) {
			if (!sip_contact_part(value, &c) || !sip_uri_part(c.uri, &u) ||
			    !address_of(&u, now->transport, to) || to->family != now->family ||
			    has_been(a, to))
				continue;
			return true;
		}
	return false;
}

/* What was sent before, for the new client; our address in it follows.  The registrar of a 302 is
 * the target itself, that of a 305 stays (RFC 3261 21.3.3, 21.3.4). */
static struct sip_buf *rewrite(struct sip_attempt *a, const struct sip_buf *b,
			       const struct rg_addr *before, bool proxy)
{
	const struct sip_hop *hop = sip_client_hop(a->client);
	const char *line = memmem(b->data, b->len, "\r\n", 2);
	const char *rest = memmem(line + 2, b->len - (size_t)(line + 2 - b->data), "\r\n", 2) + 2;
	const char *host = b->data + a->host_at, *end = b->data + a->tail_at;
	char old[RG_ADDR_TEXT], branch[SIP_BRANCH];
	struct out o = { old, old + sizeof old, false };
	struct sip_buf *n = sip_buf_new(sip_client_pool(a->client), b->len + 2 * RG_ADDR_TEXT);
	bool ours;

	if (!n)
		return NULL;
	out_address(&o, before);
	ours = a->uri_len && a->host_len == o.p - old && !memcmp(host, old, a->host_len);
	o = (struct out){ n->data, n->data + n->cap, false };
	if (proxy) {
		out_mem(&o, b->data, (size_t)(line - b->data));
	} else {
		out_lit(&o, "REGISTER sip:");
		out_address(&o, &hop->peer);
		out_lit(&o, " SIP/2.0");
	}
	out_lit(&o, "\r\n");
	sip_client_branch(a->client, branch);
	out_via(&o, &hop->local, branch, sizeof branch);
	a->branch_at = (uint16_t)(o.p - n->data - (long)sizeof ";rport\r\n" + 1 - SIP_BRANCH);
	if (a->uri_len) {
		a->uri_at = (uint16_t)(a->uri_at + (o.p - n->data) - (rest - b->data));
		out_mem(&o, rest, (size_t)(host - rest));
		a->host_at = (uint16_t)(o.p - n->data);
		if (ours)
			out_address(&o, &hop->local);
		else
			out_mem(&o, host, a->host_len);
		rest = host + a->host_len;
		a->uri_len = (uint16_t)(a->uri_len - a->host_len + (o.p - n->data - a->host_at));
		a->host_len = (uint16_t)(o.p - n->data - a->host_at);
	}
	out_mem(&o, rest, (size_t)(end - rest));
	a->tail_at = (uint16_t)(o.p - n->data);
	if (!o.full)
		return n;
	sip_buf_unref(n);
	return NULL;
}

static void forget_server(struct sip_attempt *a, const struct rg_addr *to)
{
	if (a->own) {
		sip_memo_free(a->own);
		a->own = sip_memo_new(to);
	} else {
		(void)sip_memo_for(a->dialogue, to);
	}
}

/* Sends it; the old client is still there. */
static bool go(struct sip_attempt *a, struct sip_client *old, bool proxy)
{
	const struct sip_buf *sent = sip_client_sent(old);
	rg_ms left = sip_client_deadline(old) - rg_now(sip_register_env(a->owner)->timers);
	struct sip_buf *b;

	if (!sent)
		return false;
	b = rewrite(a, sent, &sip_client_hop(old)->local, proxy);
	if (!b)
		return false;
	if (sip_request_tail(a, &b)) {
		sip_buf_unref(b);
		return false;
	}
	return !sip_client_send(a->client, b, left > 0 ? (uint32_t)left : 1, a->retransmissions);
}

bool sip_attempt_redirected(struct sip_attempt *a, const struct sip_head *h, sip_client_h *told)
{
	const struct sip_register_env *env = sip_register_env(a->owner);
	struct sip_client *old = a->client;
	bool proxy = h->code == 305;
	struct sip_hop hop;
	struct rg_addr to;

	if (a->redirects >= a->redirects_most || sip_client_hop(old)->peer.transport == RG_TLS ||
	    (h->code > 302 && !proxy) || h->code < 300 || !target_of(a, h, &to) ||
	    sip_transport_way(env->transport, &sip_client_hop(old)->local, &to, "", &hop))
		return false;
	a->client = sip_client_new(env->ta, &hop, false, told, a);
	if (!a->client) {
		a->client = old;
		return false;
	}
	a->been[a->redirects++] = sip_client_hop(old)->peer;
	a->challenges = 0;
	forget_server(a, &to);
	if (go(a, old, proxy)) {
		sip_client_stop(old);
		return true;
	}
	sip_client_stop(a->client);
	a->client = old;
	a->redirects_most = 0;
	return false;
}
