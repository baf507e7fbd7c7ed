/*
 * net.c -- the scripted network.  What a server answers is known when a request is
 * sent; the answer comes at the same moment by a timer, silence when the request's
 * time is over.
 */
#include "sim/net.h"

#include <glib.h>
#include <string.h>

#include "sim/call.h"

enum { SIP_PORT = 5060, METHODS = RG_M_OTHER + 1 };

struct limited { /* a rule for a number of answers */
	struct script_rule rule;
	uint32_t left;
};

struct host {
	struct script_rule base[METHODS];
	GArray *first[METHODS]; /* struct limited; used up before base */
	rg_ms at[METHODS];	/* when first was written */
};

struct pending {
	struct rg_timer timer;
	struct net *net;
	uint64_t token;
	uint8_t kind; /* enum rg_method, RG_M_NONE: a lookup */
	struct reg_answer answer;
	const struct script_line *dns;
	uint16_t port;
	uint8_t transport;
};

struct net {
	struct reg_port port;
	struct rg_timers *timers;
	struct timeline *timeline;
	struct reg_engine *engine;
	const struct conf *conf;
	GHashTable *host;    /* "192.0.2.1:5060": struct host */
	GHashTable *name;    /* lower case: struct script_line of its dns line */
	GHashTable *pending; /* token: struct pending */
	GHashTable *dialogue; /* account: struct reg_dialogue */
	struct calls *calls;
	bool down;	     /* the link */
};

static const struct script_rule up_rule = { .does = SCRIPT_ANSWER, .code = 200, .expires = -1 };
static const struct script_rule dead_rule = { .does = SCRIPT_REFUSE };

/* ---- rules --------------------------------------------------------------------------- */

static struct host *host_of(struct net *net, const struct rg_addr *addr)
{
	char text[RG_ADDR_TEXT];
	struct host *h = g_hash_table_lookup(net->host, rg_addr_text(addr, text));

	if (h)
		return h;
	h = g_new0(struct host, 1);
	for (size_t m = 0; m < METHODS; m++) {
		h->base[m] = up_rule;
		h->first[m] = g_array_new(FALSE, FALSE, sizeof(struct limited));
	}
	g_hash_table_insert(net->host, g_strdup(text), h);
	return h;
}

static void host_free(gpointer p)
{
	struct host *h = p;

	for (size_t m = 0; m < METHODS; m++)
		g_array_free(h->first[m], TRUE);
	g_free(h);
}

/* Lines of one moment add up: those with times= are used up first, in their order.  A
 * later line replaces what is left. */
void net_server(struct net *net, const struct script_line *l)
{
	struct host *h = host_of(net, &l->addr);

	for (size_t m = 0; m < METHODS; m++) {
		struct limited x = { l->rule, l->times };

		if (!(l->methods >> m & 1))
			continue;
		if (h->at[m] != rg_now(net->timers))
			g_array_set_size(h->first[m], 0);
		h->at[m] = rg_now(net->timers);
		if (l->times)
			g_array_append_val(h->first[m], x);
		else
			h->base[m] = l->rule;
	}
}

struct script_rule net_rule(struct net *net, const struct rg_addr *addr, uint8_t method)
{
	struct host *h = host_of(net, addr);
	struct script_rule rule;
	struct limited *x;

	if (net->down)
		return dead_rule;
	if (!h->first[method]->len)
		return h->base[method];
	x = &g_array_index(h->first[method], struct limited, 0);
	rule = x->rule;
	if (!--x->left)
		g_array_remove_index(h->first[method], 0);
	return rule;
}

void net_dns(struct net *net, const struct script_line *l)
{
	g_hash_table_insert(net->name, g_ascii_strdown(l->name, -1), (gpointer)l);
}

void net_link(struct net *net, bool up)
{
	net->down = !up;
}

/* ---- answers ------------------------------------------------------------------------- */

static void resolved(struct net *net, const struct pending *p)
{
	struct reg_resolved answer[RG_SERVERS];
	size_t n = p->dns ? p->dns->n_answer : 0;

	for (size_t i = 0; i < n; i++) {
		answer[i] = p->dns->answer[i];
		answer[i].addr.transport = p->transport;
		if (!answer[i].addr.port)
			answer[i].addr.port = p->port ? p->port : SIP_PORT;
	}
	reg_resolved(net->engine, p->token, answer, n);
}

static void answer(void *arg)
{
	struct pending *p = arg, copy = *p;
	struct net *net = p->net;

	g_hash_table_remove(net->pending, &copy.token);
	if (copy.kind == RG_M_REGISTER)
		reg_answered(net->engine, copy.token, &copy.answer);
	else if (copy.kind == RG_M_OPTIONS)
		reg_probed(net->engine, copy.token, copy.answer.code);
	else if (copy.kind == RG_M_SUBSCRIBE)
		reg_subscribed(net->engine, copy.token, copy.answer.code, copy.answer.expires,
			       copy.answer.retry_after);
	else
		resolved(net, &copy);
}

static void pending_free(gpointer arg)
{
	struct pending *p = arg;

	rg_timer_stop(p->net->timers, &p->timer);
	g_free(p);
}

static void expect_answer(struct net *net, const struct pending *what, uint32_t in_ms)
{
	struct pending *p = g_memdup2(what, sizeof *what);

	p->net = net;
	g_hash_table_replace(net->pending, &p->token, p);
	rg_timer_set(net->timers, &p->timer, rg_now(net->timers) + in_ms, answer, p);
}

static const char *reason(const struct script_rule *rule)
{
	return rule->does == SCRIPT_SILENT ? "no answer"
	       : rule->does == SCRIPT_REFUSE ? "refused" : "";
}

/* ---- the port -------------------------------------------------------------------------- */

static uint16_t local_port(const struct net *net, uint32_t interface, uint8_t transport)
{
	const struct conf_sip_interface *i;

	if (!net->conf || interface >= net->conf->n_sip_interface)
		return 0;
	i = &net->conf->sip_interface[interface];
	return transport == RG_UDP ? i->udp : transport == RG_TCP ? i->tcp : i->tls;
}

struct timeline_event net_sent(const struct net *net, const struct reg_message *m,
			       uint8_t method, const struct script_rule *rule)
{
	return (struct timeline_event){
		.at = rg_now(net->timers), .kind = TIMELINE_REQUEST, .account = m->account,
		.method = method, .addr = m->server, .expires = m->expires,
		.contact = m->all_contacts ? "*" : m->contact_user, .headers = m->headers,
		.code = rule->does == SCRIPT_ANSWER ? rule->code : 0,
		.retry_after = rule->retry_after, .min_expires = rule->min_expires,
		.port = m->local_port ? m->local_port
				      : local_port(net, m->interface, m->server.transport),
	};
}

static int request(struct net *net, const struct reg_message *m, uint8_t method)
{
	struct script_rule rule = net_rule(net, &m->server, method);
	struct timeline_event ev = net_sent(net, m, method, &rule);
	bool ok = ev.code >= 200 && ev.code < 300;
	struct pending p = { .token = m->token, .kind = method };

	p.answer = (struct reg_answer){
		.code = ev.code,
		.transport_failed = rule.does == SCRIPT_REFUSE,
		.bound = ok,
		.refused_credentials = rule.code == 401 || rule.code == 407,
		.retry_after = rule.retry_after, .min_expires = rule.min_expires,
		.reason = reason(&rule),
	};
	if (ok)
		p.answer.expires = rule.expires < 0 || !m->expires ? m->expires
								    : (uint32_t)rule.expires;
	ev.granted = p.answer.expires;
	timeline_add(net->timeline, &ev);
	m->dialogue->cseq++;
	expect_answer(net, &p, rule.does == SCRIPT_SILENT ? m->budget_ms : 0);
	return 0;
}

static int send_register(void *arg, const struct reg_message *m)
{
	return request(arg, m, RG_M_REGISTER);
}

static int subscribe(void *arg, const struct reg_message *m)
{
	struct net *net = arg;

	g_hash_table_insert(net->dialogue, g_strdup(m->account), m->dialogue);
	return request(net, m, RG_M_SUBSCRIBE);
}

static int send_probe(void *arg, const struct reg_probe *q)
{
	struct net *net = arg;
	uint8_t method = q->user ? RG_M_REGISTER : RG_M_OPTIONS;
	struct script_rule rule = net_rule(net, &q->server, method);
	struct pending p = { .token = q->token, .kind = RG_M_OPTIONS };
	struct timeline_event ev = {
		.at = rg_now(net->timers), .kind = TIMELINE_REQUEST, .account = "-",
		.method = method, .addr = q->server,
		.contact = q->contact, .port = local_port(net, q->interface, q->server.transport),
	};

	ev.code = p.answer.code = rule.does == SCRIPT_ANSWER ? rule.code : 0;
	timeline_add(net->timeline, &ev);
	expect_answer(net, &p, rule.does == SCRIPT_SILENT ? q->budget_ms : 0);
	return 0;
}

static int resolve(void *arg, const struct reg_lookup *l)
{
	struct net *net = arg;
	char *name = g_ascii_strdown(l->host, -1);
	struct pending p = { .token = l->token, .kind = RG_M_NONE, .port = l->port,
			     .transport = l->transport };

	p.dns = net->down ? NULL : g_hash_table_lookup(net->name, name);
	g_free(name);
	expect_answer(net, &p, 0);
	return 0;
}

/* Only the port is of interest here. */
static bool local(void *arg, uint32_t interface, uint16_t port, const struct rg_addr *server,
		  struct rg_addr *out)
{
	rg_addr_parse(out, "127.0.0.1");
	out->port = port ? port : local_port(arg, interface, server->transport);
	return true;
}

static void forget(void *arg, uint64_t token)
{
	g_hash_table_remove(((struct net *)arg)->pending, &token);
}

static void renew(void *arg, struct reg_dialogue *d)
{
	(void)arg;
	(void)d;
}

static gboolean is_of(gpointer name, gpointer d, gpointer wanted)
{
	(void)name;
	return d == wanted;
}

static void drop(void *arg, struct reg_dialogue *d)
{
	g_hash_table_foreach_remove(((struct net *)arg)->dialogue, is_of, d);
}

/* g_int64_hash leaves out the upper half, where the account stands. */
static guint token_hash(gconstpointer key)
{
	uint64_t token = *(const uint64_t *)key;

	return (guint)((token >> 32 ^ token) * 2654435761u);
}

struct net *net_new(struct rg_timers *timers, struct timeline *timeline)
{
	struct net *net = g_new0(struct net, 1);

	net->port = (struct reg_port){ .arg = net, .send_register = send_register,
				       .send_probe = send_probe, .resolve = resolve,
				       .forget = forget, .drop = drop, .renew = renew,
				       .subscribe = subscribe, .local = local };
	net->timers = timers;
	net->timeline = timeline;
	net->host = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, host_free);
	net->name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	net->pending = g_hash_table_new_full(token_hash, g_int64_equal, NULL, pending_free);
	net->dialogue = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	net->calls = calls_new(net, timers, timeline);
	return net;
}

void net_hang_up(struct net *net)
{
	calls_end(net->calls);
}

void net_free(struct net *net)
{
	calls_free(net->calls);
	g_hash_table_destroy(net->pending);
	g_hash_table_destroy(net->dialogue);
	g_hash_table_destroy(net->name);
	g_hash_table_destroy(net->host);
	g_free(net);
}

const struct reg_port *net_port(const struct net *net)
{
	return &net->port;
}

void net_serve(struct net *net, struct reg_engine *engine)
{
	net->engine = engine;
}

void net_conf(struct net *net, const struct conf *conf)
{
	net->conf = conf;
}

void net_call_out(struct net *net, const struct script_line *l)
{
	calls_out(net->calls, net->engine, l);
}

void net_call_in(struct net *net, const struct script_line *l)
{
	calls_in(net->calls, net->engine, net->conf, l);
}

/* Nobody is told who has not subscribed. */
void net_notify(struct net *net, const struct script_line *l)
{
	const struct reg_dialogue *d = g_hash_table_lookup(net->dialogue, l->name);

	if (d && !net->down)
		reg_notified(net->engine, d, &l->notice);
}
