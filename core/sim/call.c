/* call.c -- calls of a scenario: a request each, and at its end the call is over. */
#include "sim/call.h"

#include <glib.h>
#include <string.h>

struct calls {
	struct net *net;
	struct rg_timers *timers;
	struct timeline *timeline;
	GPtrArray *open; /* struct call */
	bool over;
};

struct call { /* from the served side */
	struct calls *of;
	const char *account;
	rg_ms since;
	struct reg_call *reg; /* NULL: not told yet, or gone */
	struct rg_timer timer;
	uint16_t code;
};

static void call_free(gpointer arg)
{
	struct call *c = arg;

	rg_timer_stop(c->of->timers, &c->timer);
	g_free(c);
}

static void rejected(struct calls *cs, const char *account, uint16_t code, rg_ms since)
{
	struct timeline_event ev = { .at = rg_now(cs->timers), .kind = TIMELINE_REJECT,
				     .account = account, .code = code, .since = since };

	if (!cs->over)
		timeline_add(cs->timeline, &ev);
}

static void answered(void *arg)
{
	struct call *c = arg;
	uint16_t code = c->code;

	reg_call_answered(c->reg, code, NULL);
	if (code >= 200 && code < 300)
		g_ptr_array_remove_fast(c->of->open, c);
}

static void go(void *arg, struct reg_call *reg, const struct reg_call_to *to)
{
	struct call *c = arg;
	struct script_rule rule = net_rule(c->of->net, &to->m.server, RG_M_INVITE);
	struct timeline_event ev = net_sent(c->of->net, &to->m, RG_M_INVITE, &rule);

	c->reg = reg;
	c->code = ev.code;
	timeline_add(c->of->timeline, &ev);
	rg_timer_set(c->of->timers, &c->timer,
		     rg_now(c->of->timers) + (rule.does == SCRIPT_SILENT ? to->m.budget_ms : 0),
		     answered, c);
}

static void refuse(void *arg, uint16_t code, const char *reason)
{
	struct call *c = arg;

	(void)reason;
	rejected(c->of, c->account, code, c->since);
	g_ptr_array_remove_fast(c->of->open, c);
}

void calls_out(struct calls *cs, struct reg_engine *e, const struct script_line *l)
{
	static const struct reg_call_h h = { go, refuse };
	struct call *c = g_new0(struct call, 1);

	c->of = cs;
	c->account = l->name;
	c->since = rg_now(cs->timers);
	g_ptr_array_add(cs->open, c);
	reg_call_out(e, l->name, RG_M_INVITE, "caller", &h, c);
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
	struct reg_account_info info;
	struct timeline_event ev = { .at = rg_now(cs->timers), .kind = TIMELINE_ACCEPT,
				     .account = l->name };
	uint16_t code = 404;
	const char *reason;

	if (reg_engine_find(e, l->name, &info)) {
		ev.addr = l->addr.family ? l->addr : usual_source(e, conf, &info);
		code = reg_call_in(e, l->name, RG_M_INVITE, &ev.addr,
				   l->port ? l->port : info.local_port, false, &reason);
	}
	if (code)
		rejected(cs, l->name, code, ev.at);
	else
		timeline_add(cs->timeline, &ev);
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
	for (guint i = cs->open->len; i-- > 0;) {
		struct call *c = g_ptr_array_index(cs->open, i);

		if (rg_timer_at(cs->timers, &c->timer) != RG_NEVER) {
			reg_call_cancel(c->reg);
			g_ptr_array_remove_index_fast(cs->open, i);
		}
	}
}

void calls_free(struct calls *cs)
{
	g_ptr_array_free(cs->open, TRUE);
	g_free(cs);
}
