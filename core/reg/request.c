/*
 * request.c -- a request of an account before it is written: who it is from, what the
 * policies add, and the time it is given.
 */
#include "reg/reg.h"

enum { T1_MS = 500, T2_MS = 4000 }; /* RFC 3261 17.1.2.2 */

/* The time in which n retransmissions stay unanswered; those of an INVITE are not held
 * to T2 (RFC 3261 17.1.1.2). */
uint32_t request_time(unsigned n, bool invite)
{
	uint32_t sum = 0, interval = T1_MS;

	for (unsigned i = 0; i <= n && sum < 64 * T1_MS; i++) {
		sum += interval;
		interval = invite ? 2 * interval : MIN(2 * interval, (uint32_t)T2_MS);
	}
	return MIN(sum, 64u * T1_MS);
}

/* Time per server: TotalTimeout; else the retransmissions that a policy, RetryCounts or
 * hot swap allow while another server is left; else 64 T1. */
void request_budget(const struct conf_proxy_set *ps, const struct conf_gateway *g, bool more,
		    struct reg_outgoing *o)
{
	int retransmissions = -1;

	o->budget_ms = 64 * T1_MS;
	o->retransmissions = 255;
	o->resends = 0;
	if (ps && ps->total_timeout) {
		o->budget_ms = 1000 * ps->total_timeout;
		return;
	}
	if (!more)
		return;
	if (o->q.retransmissions != RG_AS_SET)
		retransmissions = o->resends = o->q.retransmissions;
	else if (ps && ps->retry_counts >= 0)
		retransmissions = o->resends = (uint8_t)ps->retry_counts;
	else if (ps && ps->hot_swap)
		retransmissions = g->hot_swap_rtx;
	if (retransmissions < 0)
		return;
	o->retransmissions = (uint8_t)retransmissions;
	o->budget_ms = request_time(o->retransmissions, o->q.method == RG_M_INVITE);
}

/* A REGISTER goes to the registrar that belongs to the proxy. */
static struct rg_addr destination(const struct reg_account *a, const struct reg_server *s,
				  uint8_t method)
{
	int rank = method == RG_M_REGISTER && a->set ? set_rank(a->set, s->id) : -1;

	return rank < 0 ? s->addr : a->set->home[rank];
}

/* The way to it: a proxy may have an address of another family than its registrar. */
static uint32_t interface_to(struct reg_engine *e, const struct reg_account *a,
			     const struct reg_server *s, const struct rg_addr *to)
{
	const struct conf_proxy_set *ps = set_conf(a->set);
	uint32_t at;

	if (!ps || to->family == s->addr.family)
		return server_interface(e, s);
	at = to->family == 6 ? ps->interface6 : ps->interface;
	return at == CONF_NONE ? server_interface(e, s) : at;
}

void request_make(struct reg_engine *e, struct reg_account *a, struct reg_server *s,
		  enum rg_method method, uint32_t expires, bool more, struct reg_outgoing *o)
{
	struct reg_server *home = method == RG_M_REGISTER ? NULL : server_at(e, a->registrar);
	const char *registrar = method == RG_M_REGISTER ? registrar_text(a->set, s) : "";
	struct rg_request *q = &o->q;

	identity_of(a, home ? home : s, &o->id);
	if (*registrar) {
		g_strlcpy(o->id.request_host, registrar, sizeof o->id.request_host);
		registrar_tls_name(a->set, s, o->tls_name);
	} else {
		g_strlcpy(o->tls_name, s->tls_name, sizeof o->tls_name);
	}
	q->method = (uint8_t)method;
	q->server = s->id;
	q->local_port = a->port;
	q->expires = expires;
	q->all_contacts = false;
	q->contact_params[0] = q->aor_host[0] = q->contact_user[0] = '\0';
	rg_set(q->aor_host, sizeof q->aor_host, o->id.aor_host);
	rg_set(q->contact_user, sizeof q->contact_user, o->id.contact_user);
	q->headers = e->headers;
	q->headers[0] = '\0';
	q->headers_len = 0;
	q->headers_size = sizeof e->headers;
	q->retransmissions = RG_AS_SET;
	chain_request(e, a, q);
	request_budget(set_conf(a->set), account_gateway(a), more, o);
}

/* The message for the network; its strings point into o, the server and the row. */
struct reg_message request_message(struct reg_engine *e, struct reg_account *a,
				   const struct reg_server *s, const struct reg_outgoing *o)
{
	const struct conf_gateway *g = account_gateway(a);
	const struct conf_proxy_set *ps = set_conf(a->set);
	struct rg_addr to = destination(a, s, o->q.method);

	return (struct reg_message){
		.account = account_name(a), .dialogue = &a->dialogue,
		.server = to, .tls_name = o->tls_name, .interface = interface_to(e, a, s, &to),
		.local_port = o->q.local_port, .request_host = o->id.request_host,
		.aor_user = o->id.aor_user, .aor_host = o->q.aor_host,
		.contact_user = o->q.contact_user, .contact_params = o->q.contact_params,
		.contact_address = a->conf->contact_address, .headers = o->q.headers,
		.security_client = a->conf->security_client, .gruu = a->conf->gruu,
		.flow = a->conf->flow, .redirects = ps ? ps->redirects : 0,
		.expires = o->q.expires, .all_contacts = o->q.all_contacts,
		.empty_authorization = g->empty_authorization,
		.initial_route = g->initial_route, .keep_nonce = a->conf->keep_nonce,
		.username = o->id.username, .password = o->id.password,
		.budget_ms = o->budget_ms, .retransmissions = o->retransmissions,
	};
}
