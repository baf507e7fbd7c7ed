#include "sip/stack.h"

#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "sip/mask.h"
#include "sip/memo.h"
#include "sip/register.h"
#include "sip/resolver.h"
#include "sip/subscribe.h"
#include "sip/uas.h"

struct sip_stack {
	struct sip_loop *loop;
	struct rg_timers *timers;
	struct reg_engine *engine;
	struct reg_port port;
	struct sip_pool *pool;
	struct sip_stats stats;
	struct sip_transport *transport;
	struct sip_ta *ta;
	struct sip_register *reg;
	struct sip_subscriber *subscriber;
	struct sip_uas uas;
	struct resolver *resolver;
	struct sip_parts parts;
	sip_stack_trace_h *trace;
	void *trace_arg;
	rg_ms complained; /* of an answer that cannot be read */
};

enum { COMPLAINTS_MS = 60000 };

/* ---- from the network -------------------------------------------------------------------- */

/* Whoever waits for it will say "no answer"; this is why.  Not for each of a flood. */
static void complain(struct sip_stack *s, const struct sip_hop *hop, const char *data, size_t len,
		     const char *why)
{
	rg_ms now = rg_now(s->timers);
	char text[RG_ADDR_TEXT];

	rg_debug("%s: malformed message: %s", rg_addr_text(&hop->peer, text), why);
	if (len < 8 || memcmp(data, "SIP/2.0 ", 8) ||
	    (s->complained && now - s->complained < COMPLAINTS_MS))
		return;
	s->complained = now;
	rg_warn("%s: an answer cannot be read and is dropped: %s", rg_addr_text(&hop->peer, text),
		why);
}

static void received(void *arg, const struct sip_hop *hop, char *data, size_t len)
{
	struct sip_stack *s = arg;
	struct sip_head h;
	const char *why;
	enum sip_verdict v = sip_precheck(&h, data, len, &why);

	if (v == SIP_FINE) {
		if (h.request)
			sip_uas_request(&s->uas, hop, &h);
		else if (!sip_ta_response(s->ta, hop, &h))
			s->stats.unmatched++;
		return;
	}
	s->stats.malformed++;
	complain(s, hop, data, len, why);
	if (v != SIP_HOPELESS)
		sip_uas_malformed(&s->uas, hop, &h, v, why);
}

static void failed(void *arg, uint32_t socket, const struct rg_addr *peer, int err,
		   const char *quoted, size_t n)
{
	struct sip_stack *s = arg;

	sip_ta_failed(s->ta, socket, peer, err, quoted, n);
}

static void disconnected(void *arg, uint32_t interface, const struct rg_addr *peer)
{
	struct sip_stack *s = arg;

	if (s->engine)
		reg_disconnected(s->engine, peer, interface);
}

/* ---- tracing -------------------------------------------------------------------------------- */

static void traced(void *arg, bool sent, const struct rg_addr *local, const struct rg_addr *peer,
		   const char *data, size_t len)
{
	struct sip_stack *s = arg;
	GString *g;

	if (!s->trace)
		return;
	g = sip_mask(data, len);
	s->trace(s->trace_arg, sent, local, peer, g->str, g->len);
	g_string_free(g, TRUE);
}

static bool is_hex(const uint8_t id[16], const char *text)
{
	char hex[33];

	for (int i = 0; i < 16; i++)
		snprintf(hex + 2 * i, 3, "%02x", id[i]);
	return !strcmp(hex, text);
}

bool sip_stack_is_of(const struct reg_dialogue *d, const char *call_id)
{
	const struct sip_subscription *s = d->subscription;

	return is_hex(d->id, call_id) || (s && is_hex(s->id, call_id));
}

void sip_stack_trace(struct sip_stack *s, sip_stack_trace_h *h, void *arg)
{
	s->trace = h;
	s->trace_arg = arg;
	sip_transport_trace(s->transport, h != NULL);
}

/* ---- to and from the engine ------------------------------------------------------------------ */

static void answered(void *arg, uint64_t token, const struct reg_answer *a)
{
	struct sip_stack *s = arg;

	if (s->engine)
		reg_answered(s->engine, token, a);
}

static void probed(void *arg, uint64_t token, uint16_t code)
{
	struct sip_stack *s = arg;

	if (s->engine)
		reg_probed(s->engine, token, code);
}

static void seen_elsewhere(void *arg, uint32_t interface, const struct rg_addr *server)
{
	struct sip_stack *s = arg;

	if (s->engine)
		reg_seen_elsewhere(s->engine, server, interface);
}

static void subscribed(void *arg, uint64_t token, uint16_t code, uint32_t expires,
		       uint32_t retry_after)
{
	struct sip_stack *s = arg;

	if (s->engine)
		reg_subscribed(s->engine, token, code, expires, retry_after);
}

static void notified(void *arg, const struct reg_dialogue *d, const struct reg_notice *n)
{
	struct sip_stack *s = arg;

	if (s->engine)
		reg_notified(s->engine, d, n);
}

static void resolved(uint64_t token, const struct reg_resolved *results, size_t n, void *arg)
{
	struct sip_stack *s = arg;

	if (s->engine)
		reg_resolved(s->engine, token, results, n);
}

static int send_register(void *arg, const struct reg_message *r)
{
	return sip_register_send(((struct sip_stack *)arg)->reg, r);
}

static int send_probe(void *arg, const struct reg_probe *p)
{
	return sip_register_probe(((struct sip_stack *)arg)->reg, p);
}

static int subscribe(void *arg, const struct reg_message *r)
{
	return sip_subscriber_send(((struct sip_stack *)arg)->subscriber, r);
}

static int resolve(void *arg, const struct reg_lookup *l)
{
	struct sip_stack *s = arg;

	return resolver_lookup(s->resolver, l, resolved, s);
}

static void forget(void *arg, uint64_t token)
{
	struct sip_stack *s = arg;

	if (!sip_register_forget(s->reg, token))
		resolver_cancel(s->resolver, token);
}

static void drop(void *arg, struct reg_dialogue *d)
{
	(void)arg;
	sip_register_drop(d);
	sip_subscription_drop(d);
	sip_memo_drop(d);
}

static void renew(void *arg, struct reg_dialogue *d)
{
	(void)arg;
	sip_memo_drop(d);
}

static bool local(void *arg, uint32_t interface, uint16_t local_port,
		  const struct rg_addr *server, struct rg_addr *out)
{
	struct sip_stack *s = arg;
	struct sip_hop hop;

	if (sip_transport_hop(s->transport, interface, local_port, server, "", false, &hop))
		return false;
	*out = hop.local;
	return true;
}

static int open_port(void *arg, uint32_t interface, uint16_t port)
{
	return sip_stack_open(arg, interface, port);
}

static void close_port(void *arg, uint32_t interface, uint16_t port)
{
	sip_stack_close(arg, interface, port);
}

const struct reg_port *sip_stack_port(struct sip_stack *s)
{
	return &s->port;
}

static const struct sip_memo no_memo;

static const struct sip_memo *memo(const struct reg_dialogue *d)
{
	return d->memo ? d->memo : &no_memo;
}

const char *sip_stack_service_route(const struct reg_dialogue *d)
{
	return memo(d)->service_route;
}

const char *sip_stack_path(const struct reg_dialogue *d)
{
	return memo(d)->path;
}

const char *sip_stack_associated_uri(const struct reg_dialogue *d)
{
	return memo(d)->associated;
}

const char *sip_stack_gruu(const struct reg_dialogue *d)
{
	return memo(d)->gruu;
}

const char *sip_stack_security(const struct reg_dialogue *d)
{
	return memo(d)->security;
}

/* ---- life ---------------------------------------------------------------------- */

static int wire_send(void *arg, const struct sip_hop *hop, struct sip_buf *b)
{
	return sip_transport_send(((struct sip_stack *)arg)->transport, hop, b);
}

static void wire_silent(void *arg, const struct sip_hop *hop, rg_ms since)
{
	sip_transport_silent(((struct sip_stack *)arg)->transport, hop, since);
}

static int resolver_fd(void *arg, int fd, int events, void (*h)(int, int, void *), void *harg)
{
	return sip_loop_fd(((struct sip_stack *)arg)->loop, fd, events, h, harg);
}

static void make_register(struct sip_stack *s)
{
	struct sip_register_env env = {
		.ta = s->ta,
		.transport = s->transport,
		.pool = s->pool,
		.timers = s->timers,
		.answered = answered,
		.probed = probed,
		.seen_elsewhere = seen_elsewhere,
		.arg = s,
	};
	struct sip_subscriber_env senv = { subscribed, notified, s };

	s->reg = sip_register_new(&env);
	s->subscriber = sip_subscriber_new(s->reg, &senv);
	s->uas = (struct sip_uas){ .ta = s->ta, .pool = s->pool, .subscriber = s->subscriber };
	s->port = (struct reg_port){
		.arg = s,
		.send_register = send_register,
		.send_probe = send_probe,
		.subscribe = subscribe,
		.resolve = resolve,
		.forget = forget,
		.drop = drop,
		.renew = renew,
		.local = local,
		.open_port = open_port,
		.close_port = close_port,
	};
}

int sip_stack_new(struct sip_stack **sp, struct sip_loop *loop, struct reg_engine *engine,
		  const char *dns)
{
	struct sip_stack *s = g_new0(struct sip_stack, 1);
	struct sip_transport_env env = { received, failed, disconnected, traced, s };
	struct sip_wire wire = { wire_send, wire_silent, s };
	struct resolver_env renv = { resolver_fd, sip_loop_timers(loop), s };
	int err;

	s->loop = loop;
	s->timers = sip_loop_timers(loop);
	s->engine = engine;
	s->pool = sip_pool_new();
	err = sip_transport_new(&s->transport, loop, s->pool, &s->stats, &env);
	if (!err)
		err = resolver_new(&s->resolver, &renv, dns);
	if (!err) {
		s->ta = sip_ta_new(s->timers, s->pool, &s->stats, &wire);
		s->parts = (struct sip_parts){ loop, s->timers, s->pool, s->transport, s->ta,
					       &s->stats };
		make_register(s);
		*sp = s;
		return 0;
	}
	sip_stack_free(s);
	return err;
}

void sip_stack_free(struct sip_stack *s)
{
	if (!s)
		return;
	s->engine = NULL;
	sip_register_free(s->reg);
	sip_subscriber_free(s->subscriber);
	sip_ta_free(s->ta);
	sip_transport_free(s->transport);
	resolver_free(s->resolver);
	sip_pool_free(s->pool);
	g_free(s);
}

void sip_stack_engine(struct sip_stack *s, struct reg_engine *engine)
{
	s->engine = engine;
}

void sip_stack_contexts(struct sip_stack *s, struct sip_tls_contexts *contexts)
{
	sip_transport_contexts(s->transport, contexts);
}

int sip_stack_interfaces(struct sip_stack *s, const struct sip_interface *is, size_t n,
			 struct rg_addr *bad)
{
	return sip_transport_interfaces(s->transport, is, n, bad);
}

int sip_stack_name_servers(struct sip_stack *s, const char *common, const char *const *own,
			   size_t n)
{
	return resolver_servers(s->resolver, common, own, n);
}

bool sip_stack_moved(struct sip_stack *s)
{
	return sip_transport_moved(s->transport);
}

void sip_stack_ping(struct sip_stack *s, uint32_t every_ms)
{
	sip_transport_ping(s->transport, every_ms);
}

int sip_stack_open(struct sip_stack *s, uint32_t interface, uint16_t port)
{
	return sip_transport_open(s->transport, interface, port);
}

void sip_stack_close(struct sip_stack *s, uint32_t interface, uint16_t port)
{
	sip_transport_close(s->transport, interface, port);
}

uint32_t sip_stack_rcvbuf(const struct sip_stack *s)
{
	return sip_transport_rcvbuf(s->transport);
}

const struct sip_stats *sip_stack_stats(const struct sip_stack *s)
{
	return &s->stats;
}

void sip_stack_on_request(struct sip_stack *s, sip_stack_request_h *h, void *arg)
{
	s->uas.hook = h;
	s->uas.hook_arg = arg;
}

const struct sip_parts *sip_stack_parts(const struct sip_stack *s)
{
	return &s->parts;
}

int sip_stack_lookup(struct sip_stack *s, const struct reg_lookup *l, sip_resolved_h *h, void *arg)
{
	return resolver_lookup(s->resolver, l, h, arg);
}

void sip_stack_lookup_cancel(struct sip_stack *s, uint64_t token)
{
	resolver_cancel(s->resolver, token);
}

void sip_stack_reply(struct sip_stack *s, const struct sip_hop *from, const struct sip_head *h,
		     uint16_t code, const char *reason, const char *headers, bool stateless)
{
	sip_uas_answer(&s->uas, from, h, code, reason, headers, stateless);
}
