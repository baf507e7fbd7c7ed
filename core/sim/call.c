/* call.c -- calls of a scenario: a request each, and at its end the call is over. */
#include "sim/call.h"

#include <glib.h>
#include <string.h>

#include "reg/route.h"

struct calls {
	struct net *net;
	struct rg_timers *timers;
	struct timeline *timeline;
	GPtrArray *open; /* struct call */
	bool over;
};

struct call {
	struct calls *of;
	const char *account;
	rg_ms since;
	struct reg_route *route;
	struct rg_timer timer;
	struct rg_addr source; /* from the serving side; family 0: from the served side */
	uint16_t code;
};

static void call_free(gpointer arg)
{
	struct call *c = arg;

	rg_timer_stop(c->of->timers, &c->timer);
	reg_route_end(c->route);
	g_free(c);
}

static void rejected(struct calls *cs, const char *account, uint16_t code, rg_ms since)
{
	struct timeline_event ev = { .at = rg_now(cs->timers), .kind = TIMELINE_REJECT,
				     .account = account, .code = code, .since = since };

	if (!cs->over)
		timeline_add(cs->timeline, &ev);
}

static void accepted(struct call *c)
{
	struct timeline_event ev = { .at = rg_now(c->of->timers), .kind = TIMELINE_ACCEPT,
				     .account = c->account, .addr = c->source };

	if (!c->of->over)
		timeline_add(c->of->timeline, &ev);
}

static void end(struct call *c)
{
	g_ptr_array_remove_fast(c->of->open, c);
}

static void answered(void *arg)
{
	struct call *c = arg;
	uint16_t code = c->code;

	reg_route_answered(c->route, code, NULL, 0);
	if (code >= 200 && code < 300)
		end(c);
}

/* The served side is nobody's script: it answers every call it is offered. */
static void go(void *arg, struct reg_route *route, const struct reg_leg *leg)
{
	struct call *c = arg;
	struct reg_route_info info;
	struct reg_message m = {
		.server = leg->server, .interface = leg->interface,
		.local_port = leg->local_port, .contact_user = leg->contact_user,
		.headers = leg->headers,
	};
	struct script_rule rule = net_rule(c->of->net, &leg->server, RG_M_INVITE);
	struct timeline_event ev;

	if (c->source.family) {
		accepted(c);
		reg_route_answered(route, 200, NULL, 0);
		end(c);
		return;
	}
	reg_route_info(route, &info); /* a row may have it go as another account */
	m.account = *info.account ? g_intern_string(info.account) : c->account;
	ev = net_sent(c->of->net, &m, RG_M_INVITE, &rule);
	c->code = ev.code;
	timeline_add(c->of->timeline, &ev);
	rg_timer_set(c->of->timers, &c->timer,
		     rg_now(c->of->timers) + (rule.does == SCRIPT_SILENT ? leg->budget_ms : 0),
		     answered, c);
}

/* A served group without addresses is offered nothing; what counts is who was let in. */
static void refuse(void *arg, struct reg_route *route, const struct reg_refusal *x)
{
	struct call *c = arg;
	struct reg_route_info info;

	reg_route_info(route, &info);
	if (c->source.family && info.admitted && !info.servers && x->code == 503)
		accepted(c);
	else
		rejected(c->of, c->account, x->code, c->since);
	end(c);
}

static void begin(struct calls *cs, struct reg_engine *e, const char *account,
		  const struct reg_arrival *from)
{
	static const struct reg_route_h h = { go, refuse };
	struct call *c = g_new0(struct call, 1);

	c->of = cs;
	c->account = account;
	c->since = rg_now(cs->timers);
	c->source = from->source;
	c->route = reg_route_of(e, account, !from->source.family, from, &h, c);
	if (!c->route) {
		rejected(cs, account, from->source.family ? 404 : 500, c->since);
		g_free(c);
		return;
	}
	g_ptr_array_add(cs->open, c);
	reg_route_begin(c->route);
}

static struct reg_arrival arrival(const char *from)
{
	return (struct reg_arrival){
		.method = RG_M_INVITE, .uri_user = "called", .uri_host = "", .token = "",
		.to_user = "called", .from_user = from, .from_host = "", .asserted = "",
		.preferred = "",
	};
}

void calls_out(struct calls *cs, struct reg_engine *e, const struct script_line *l)
{
	struct reg_arrival from = arrival("caller");

	begin(cs, e, l->name, &from);
}

/* The registrar, else the first server of the account's proxy set. */
static struct rg_addr usual_source(struct reg_engine *e, const struct conf *conf,
				   const struct reg_account_info *info)
{
	uint32_t pos = conf_ip_group_find(conf, info->serving), set = 0, rank = 0;
	struct reg_server_info s;

	if (info->registrar.family || pos == CONF_NONE || conf->ip_group[pos].set == CONF_NONE)
		return info->registrar;
	while (reg_engine_next_server(e, &set, &rank, &s))
		if (!strcmp(s.proxy_set, conf->proxy_set[conf->ip_group[pos].set].row.name))
			return s.addr;
	return info->registrar;
}

void calls_in(struct calls *cs, struct reg_engine *e, const struct conf *conf,
	      const struct script_line *l)
{
	struct reg_arrival from = arrival("");
	struct reg_account_info info;

	if (!reg_engine_find(e, l->name, &info)) {
		rejected(cs, l->name, 404, rg_now(cs->timers));
		return;
	}
	from.source = l->addr.family ? l->addr : usual_source(e, conf, &info);
	from.own_port = l->port ? l->port : info.local_port;
	if (!from.source.family) /* of a set without addresses: from wherever it likes */
		rg_addr_parse(&from.source, "0.0.0.0");
	begin(cs, e, l->name, &from);
}

struct calls *calls_new(struct net *net, struct rg_timers *timers, struct timeline *timeline)
{
	struct calls *cs = g_new0(struct calls, 1);

	cs->net = net;
	cs->timers = timers;
	cs->timeline = timeline;
	cs->open = g_ptr_array_new_with_free_func(call_free);
	return cs;
}

void calls_end(struct calls *cs)
{
	cs->over = true;
	g_ptr_array_set_size(cs->open, 0);
}

void calls_free(struct calls *cs)
{
	g_ptr_array_free(cs->open, TRUE);
	g_free(cs);
}
