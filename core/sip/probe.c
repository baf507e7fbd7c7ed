/* Asks whether a server lives: by OPTIONS, or by a REGISTER that binds nothing. */
#include "sip/attempt.h"

#include <errno.h>
#include <string.h>

#include "base/random.h"
#include "sip/message.h"

static void out_ids(struct out *o, const char *method)
{
	uint8_t id[16];

	rg_random(id, sizeof id);
	out_lit(o, "Call-ID: ");
	out_hex(o, id, 12);
	out_lit(o, "\r\nCSeq: 1 ");
	out_str(o, method);
	out_lit(o, "\r\n");
}

static void out_ourselves(struct out *o, const struct reg_probe *p, const struct rg_addr *local)
{
	if (!p->user && p->contact_host && *p->contact_host)
		out_str(o, p->contact_host);
	else
		out_address(o, local);
}

static void out_from(struct out *o, const struct reg_probe *p, const struct rg_addr *local)
{
	uint8_t tag[6];

	rg_random(tag, sizeof tag);
	out_lit(o, "From: <sip:");
	if (p->user) {
		out_user(o, p->user);
		out_lit(o, "@");
		out_str(o, p->host);
	} else {
		out_ourselves(o, p, local);
	}
	out_lit(o, ">;tag=");
	out_hex(o, tag, sizeof tag);
	out_lit(o, "\r\nTo: <sip:");
	if (p->user) {
		out_user(o, p->user);
		out_lit(o, "@");
	}
	out_str(o, p->user ? p->host : p->request_host);
	out_lit(o, ">\r\n");
}

/* A REGISTER asks what is bound, or takes a binding away that was never there: it
 * disturbs nobody's. */
static void out_contact(struct out *o, const struct reg_probe *p, const struct rg_addr *local)
{
	if (p->user && !p->contact)
		return;
	out_lit(o, "Contact: <sip:");
	if (p->user) {
		out_user(o, p->contact);
		out_lit(o, "@");
	}
	out_ourselves(o, p, local);
	if (local->transport) {
		out_lit(o, ";transport=");
		out_str(o, rg_transport_name(local->transport));
	}
	out_lit(o, ">\r\n");
	if (p->user)
		out_lit(o, "Expires: 0\r\n");
	else
		out_lit(o, "Accept: application/sdp\r\n");
}

static int build(struct sip_attempt *a, const struct reg_probe *p, struct sip_buf **bp)
{
	const struct rg_addr *local = &sip_client_hop(a->client)->local;
	const char *method = p->user ? "REGISTER" : "OPTIONS";
	struct sip_buf *b = sip_buf_new(sip_client_pool(a->client), SIP_BUF_SMALL);
	struct out o = { b->data, b->data + b->cap, false };
	char branch[SIP_BRANCH];

	out_str(&o, method);
	out_lit(&o, " sip:");
	out_str(&o, p->request_host);
	out_lit(&o, " SIP/2.0\r\n");
	sip_client_branch(a->client, branch);
	out_via(&o, local, branch, sizeof branch);
	out_lit(&o, "Max-Forwards: 70\r\n");
	out_from(&o, p, local);
	out_ids(&o, method);
	out_contact(&o, p, local);
	out_lit(&o, "User-Agent: Regway/" RG_VERSION "\r\nContent-Length: 0\r\n\r\n");
	b->len = (uint32_t)(o.p - b->data);
	*bp = b;
	if (!o.full && *p->request_host && (!p->contact_host || sip_fit_for_uri(p->contact_host)) &&
	    sip_fit_for_uri(p->request_host) &&
	    (!p->user || (*p->host && sip_fit_for_uri(p->host))))
		return 0;
	sip_buf_unref(b);
	*bp = NULL;
	return o.full ? E2BIG : EINVAL;
}

/* One word is all the engine hears; what comes later changes nothing. */
static void probe_event(struct sip_client *c, const struct sip_event *e, void *arg)
{
	struct sip_attempt *a = arg;
	const struct sip_register_env *env = sip_register_env(a->owner);
	uint64_t token = a->token;

	if (e->outcome == SIP_PROVISIONAL)
		return;
	if (e->outcome == SIP_FINAL)
		sip_register_seen(a->owner, sip_client_hop(c), e->answer);
	sip_client_stop(c);
	sip_attempt_free(a);
	env->probed(env->arg, token, e->outcome == SIP_FINAL ? e->answer->code : 0);
}

int sip_register_probe(struct sip_register *r, const struct reg_probe *p)
{
	struct sip_route to = { p->interface, 0, &p->server, p->tls_name };
	struct sip_attempt *a = sip_attempt_new(r, p->token);
	struct sip_buf *b = NULL;
	int err;

	a->retransmissions = p->retransmissions;
	err = sip_attempt_route(a, &to, probe_event);
	if (!err)
		err = build(a, p, &b);
	return sip_attempt_start(a, b, p->budget_ms, err);
}
