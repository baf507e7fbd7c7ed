#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define EACH(a, u) for (struct sim_link *u = (a)->link; u < (a)->link + (a)->nlink; u++)

static void say(struct sim *s, const char *fmt, ...)
{
	size_t n = strlen(s->log);
	long long t = s->now / 1000;
	va_list ap;

	if (n + 200 > sizeof s->log) /* a flood: what was first tells more */
		return;
	n += (size_t)snprintf(s->log + n, sizeof s->log - n, "%02lld:%02lld:%02lld ", t / 3600,
			      t / 60 % 60, t % 60);
	va_start(ap, fmt);
	n += (size_t)vsnprintf(s->log + n, sizeof s->log - n, fmt, ap);
	va_end(ap);
	snprintf(s->log + n, sizeof s->log - n, "\n");
}

static struct sim_server *server(struct sim *s, uint32_t id)
{
	for (size_t i = 0; i < s->nsrv; i++)
		if (s->srv[i].s.id == id)
			return &s->srv[i];
	return NULL;
}

static const char *host(struct sim *s, uint32_t id)
{
	struct sim_server *t = server(s, id);

	return t ? t->s.host : "?";
}

/* ---- parameters ---------------------------------------------------------------- */

static void store(const struct rg_param *p, char *to, const char *text, size_t n)
{
	char value[64];
	int32_t num;
	char *s = value;
	struct rg_codes codes = { 0 };
	const char *string = n ? "set" : ""; /* never NULL; which one is all the same here */

	snprintf(value, sizeof value, "%.*s", (int)n, text);
	switch (p->type) {
	case RG_T_INT:
	case RG_T_BOOL:
		num = (int32_t)strtol(value, NULL, 10);
		memcpy(to + p->offset, &num, sizeof num);
		break;
	case RG_T_CODES:
		while (*s) {
			codes.code[codes.n++] = (uint16_t)strtol(s, &s, 10);
			s += *s == ',';
		}
		memcpy(to + p->offset, &codes, sizeof codes);
		break;
	case RG_T_STR:
		memcpy(to + p->offset, &string, sizeof string);
		break;
	default:
		break;
	}
}

/* The last one wins. */
static const char *find_value(const char *values, const char *name, size_t *n)
{
	const char *found = NULL;
	size_t len = strlen(name);

	for (const char *s = values; s && *s; s = strchr(s, ' '), s = s ? s + 1 : NULL)
		if (!strncmp(s, name, len) && s[len] == '=') {
			*n = strcspn(s + len + 1, " ");
			found = s + len + 1;
		}
	return found;
}

static struct sim_group *group_of(struct sim *s, const struct sim_account *a,
				  const struct rg_policy *p)
{
	uint32_t id = p->group == RG_BY_SERVING ? a->a.serving :
		      p->group == RG_BY_SERVED	? a->a.served :
						  a->trunk;

	for (size_t i = 0; i < s->ngroup; i++)
		if (s->group[i].p == p && s->group[i].pub.id == id)
			return &s->group[i];
	s->group[s->ngroup] = (struct sim_group){ .p = p, .pub = { .id = id } };
	return &s->group[s->ngroup++];
}

struct sim_link *sim_use(struct sim *s, size_t acc, const struct rg_policy *p, const char *values)
{
	struct sim_account *a = &s->acc[acc];
	size_t i = a->nlink++;
	struct sim_link *u;

	for (; i && a->link[i - 1].p->prio > p->prio; i--)
		a->link[i] = a->link[i - 1];
	u = &a->link[i];
	*u = (struct sim_link){ .p = p, .wake = RG_NEVER };
	for (const struct rg_param *q = p->m.params; q && q->name; q++) {
		size_t n = q->dflt ? strlen(q->dflt) : 0;
		const char *text = NULL;
		char name[64];

		snprintf(name, sizeof name, "Set:%s", q->name);
		if (q->scope == RG_PROXY_SET)
			text = find_value(values, name, &n);
		if (!text)
			text = find_value(values, q->name, &n);
		if (!text)
			text = q->dflt;
		if (text || q->type == RG_T_STR)
			store(q, (char *)u->block[q->scope], text ? text : "", n);
	}
	if (p->group)
		u->group = group_of(s, a, p);
	return u;
}

/* ---- what a hook sees ------------------------------------------------------------ */

static void look(struct sim *s, struct sim_account *a)
{
	for (size_t i = 0; i < s->nsrv; i++)
		s->view[i] = s->srv[i].s;
	a->v.now = s->now;
	a->v.acc = &a->a;
	a->v.srv = s->view;
	a->v.nsrv = s->nsrv;
	a->v.working = 0;
	for (size_t i = s->nsrv; i-- > 0;)
		if (s->view[i].health != RG_DOWN && !s->view[i].failed)
			a->v.working = s->view[i].id;
}

static struct rg_ctx ctx(struct sim *s, struct sim_account *a, struct sim_link *u)
{
	struct rg_ctx c = { .v = &a->v, .slot = u->slot };

	look(s, a);
	for (size_t i = 0; i < RG_SCOPES; i++)
		c.cfg[i] = u->p->cfg_size[i] ? u->block[i] : NULL;
	if (u->group) {
		c.group = &u->group->pub;
		c.gslot = u->group->slot;
	}
	return c;
}

struct rg_ctx sim_ctx(struct sim *s, size_t acc, struct sim_link *u)
{
	return ctx(s, &s->acc[acc], u);
}

/* ---- rounds ---------------------------------------------------------------------- */

static void rethink(struct sim *, struct sim_account *);
static void round_start(struct sim *, struct sim_account *, enum rg_purpose);
static void apply(struct sim *, struct sim_account *, const struct rg_act *);

static void emit(struct sim *s, struct sim_account *a, struct rg_event e, struct rg_act *act,
		 const struct sim_link *only)
{
	EACH(a, u) {
		struct rg_ctx c = ctx(s, a, u);

		if (!u->p->event || (only && u != only))
			continue;
		act->wake_at = 0;
		u->p->event(&c, &e, act);
		if (act->wake_at)
			u->wake = act->wake_at;
	}
}

static void tell(struct sim *s, struct sim_account *a, struct rg_event e)
{
	struct rg_act act = { 0 };

	emit(s, a, e, &act, NULL);
	apply(s, a, &act);
	rethink(s, a);
}

static void tell_members(struct sim *s, const struct sim_group *g)
{
	for (size_t i = 0; i < s->nacc; i++)
		EACH(&s->acc[i], u)
			if (u->group == g) {
				tell(s, &s->acc[i], (struct rg_event){ .type = RG_EV_GROUP });
				break;
			}
}

static void group_count(struct sim *s, struct sim_group *g)
{
	const struct sim_account *first = NULL;

	g->pub.members = g->pub.bound = g->pub.failed = 0;
	for (size_t i = 0; i < s->nacc; i++)
		EACH(&s->acc[i], u)
			if (u->group == g) {
				g->pub.members++;
				g->pub.bound += s->acc[i].v.registrar != 0;
				g->pub.failed += s->acc[i].failing;
				if (!first && s->acc[i].a.reg)
					first = &s->acc[i];
			}
	g->pub.first = first ? first->a.index : 0;
	g->pub.first_registrar = first ? first->v.registrar : 0;
	g->pub.first_state = first ? first->v.state : RG_IDLE;
}

/* Counters anew; members hear of it when the first of them has moved, those of a trunk
 * group also when all of them fail, or no more all. */
static void groups_changed(struct sim *s)
{
	for (size_t i = 0; i < s->ngroup; i++) {
		struct sim_group *g = &s->group[i];
		bool all = g->pub.failed == g->pub.members;
		uint32_t was = g->pub.first_registrar;

		group_count(s, g);
		if (g->pub.first_registrar != was ||
		    (g->p->group == RG_BY_TRUNK && all != (g->pub.failed == g->pub.members)))
			tell_members(s, g);
	}
}

static void unbind(struct sim *s, struct sim_account *a)
{
	struct rg_act act = { 0 };

	if (!a->v.registrar)
		return;
	a->v.registrar = 0;
	a->overdue = false;
	emit(s, a, (struct rg_event){ .type = RG_EV_UNBOUND }, &act, NULL);
	apply(s, a, &act);
	groups_changed(s);
}

static enum rg_goal wanted(struct sim *s, struct sim_account *a)
{
	enum rg_goal g = a->a.reg ? RG_REGISTER : RG_UNREGISTER;

	EACH(a, u) {
		struct rg_ctx c = ctx(s, a, u);
		enum rg_goal vote = u->p->goal ? u->p->goal(&c) : RG_REGISTER;

		if (vote < g)
			g = vote;
	}
	return g;
}

static void rest(struct sim_account *a, uint8_t state, rg_ms timer)
{
	a->v.state = state;
	a->timer = timer;
	a->reply_at = RG_NEVER;
}

static void backoff(struct sim *s, struct sim_account *a)
{
	unbind(s, a);
	a->v.refused = 0;
	a->v.seed++;
	rest(a, RG_BACKOFF, s->now + 1000LL * a->a.retry_time);
	a->failing = true;
	groups_changed(s);
}

static void dress(struct sim *s, struct sim_account *a, struct rg_request *r)
{
	EACH(a, u) {
		struct rg_ctx c = ctx(s, a, u);

		if (u->p->request)
			u->p->request(&c, r);
	}
}

/* How long a silent server is waited for. */
static rg_ms budget(const struct sim_account *a, const struct rg_request *r)
{
	rg_ms all = 500, step = 500;

	if (r->retransmissions == RG_AS_SET)
		return a->a.hot_swap && a->at + 1u < a->list.n ? 7500 : 32000;
	for (unsigned i = 0; i < r->retransmissions; i++, all += step)
		step = step < 4000 ? 2 * step : step;
	return all < 32000 ? all : 32000;
}

static void attempt(struct sim *s, struct sim_account *a)
{
	struct rg_request r = { .method = RG_M_REGISTER, .expires = a->a.reg_time,
				.retransmissions = RG_AS_SET };
	struct sim_server *t;

	if (a->at >= a->list.n) {
		if (a->why == RG_FOR_SEARCH) {
			backoff(s, a);
			return;
		}
		a->v.refused = a->v.registrar;
		unbind(s, a);
		a->v.state = RG_IDLE;
		rethink(s, a);
		a->v.refused = 0;
		return;
	}
	t = server(s, a->list.id[a->at]);
	r.server = t->s.id;
	dress(s, a, &r);
	a->sent = r.expires;
	a->reply = t->silent ? 0 : t->reg_code ? t->reg_code : 200;
	a->reply_at = s->now + (t->silent ? budget(a, &r) : 0);
	s->registers++;
	say(s, "%s REGISTER %s %u%s", a->a.name, t->s.host, r.expires,
	    t->silent ? " (silent)" : a->reply != 200 ? " (refused)" : "");
}

static void plain_order(const struct sim_account *a, struct rg_list *l, uint8_t roles)
{
	rg_list_ranked(l, &a->v, roles);
	rg_list_sink_failed(l, &a->v);
	rg_list_back(l, a->v.refused);
	rg_list_sink_down(l, &a->v);
}

static void ask_order(struct sim *s, struct sim_account *a, enum rg_purpose why, struct rg_list *l)
{
	EACH(a, u) {
		struct rg_ctx c = ctx(s, a, u);

		if (u->p->order)
			u->p->order(&c, why, l);
	}
}

static void round_start(struct sim *s, struct sim_account *a, enum rg_purpose why)
{
	a->why = (uint8_t)why;
	a->at = 0;
	a->overdue = false;
	rest(a, why == RG_FOR_REFRESH ? RG_REFRESHING : RG_SEARCHING, RG_NEVER);
	look(s, a);
	plain_order(a, &a->list, RG_REGISTRAR);
	ask_order(s, a, why, &a->list);
	attempt(s, a);
}

static void mark_failed(struct sim *s, struct sim_server *t, bool failed)
{
	bool all = true;

	t->s.failed = failed;
	for (size_t i = 0; i < s->nsrv; i++)
		all &= s->srv[i].s.failed;
	for (size_t i = 0; i < s->nsrv; i++)
		s->srv[i].s.failed &= failed && !all;
}

static void accepted(struct sim *s, struct sim_account *a, struct sim_server *t)
{
	uint32_t got = t->grant && t->grant < a->sent ? t->grant : a->sent;

	rest(a, RG_BOUND, s->now + 10LL * got * a->a.refresh_pct);
	a->failing = false;
	a->v.registrar = t->s.id;
	a->v.bound_at = s->now;
	a->v.expires_at = s->now + 1000LL * got;
	mark_failed(s, t, false);
	tell(s, a, (struct rg_event){ .type = RG_EV_BOUND, .server = t->s.id, .expires = got });
	groups_changed(s);
}

static void answer(struct sim *s, struct sim_account *a)
{
	struct sim_server *t = server(s, a->list.id[a->at]);
	struct rg_act act = { .verdict = a->a.hot_swap ? RG_NEXT : RG_WAIT };

	a->reply_at = RG_NEVER;
	if (t && a->reply == 200) {
		accepted(s, a, t);
		return;
	}
	if (t && (a->reply == 0 || a->reply == 408 || a->reply >= 500))
		mark_failed(s, t, true);
	emit(s, a,
	     (struct rg_event){ .type = RG_EV_RESULT, .method = RG_M_REGISTER,
				.code = a->reply, .server = a->list.id[a->at] },
	     &act, NULL);
	switch (act.verdict) {
	case RG_AGAIN:
		attempt(s, a);
		break;
	case RG_NEXT:
		a->at++;
		attempt(s, a);
		break;
	default:
		backoff(s, a);
	}
	apply(s, a, &act);
	rethink(s, a);
}

/* ---- what policies ask for ------------------------------------------------------- */

static void unregister(struct sim *s, struct sim_account *a)
{
	struct rg_request r = { .method = RG_M_REGISTER };

	r.server = a->v.registrar ? a->v.registrar : s->srv[0].s.id;
	dress(s, a, &r);
	say(s, "%s REGISTER %s 0%s", a->a.name, host(s, r.server), r.all_contacts ? " *" : "");
	unbind(s, a);
	a->v.seed++;
	rest(a, RG_HELD, RG_NEVER);
	tell(s, a,
	     (struct rg_event){ .type = RG_EV_RESULT, .method = RG_M_REGISTER, .code = 200,
				.server = r.server });
}

static void act_on(struct sim *s, struct sim_account *a, uint8_t verb)
{
	switch (verb) {
	case RG_DO_REFRESH:
		if (a->v.state == RG_BOUND)
			round_start(s, a, RG_FOR_REFRESH);
		break;
	case RG_DO_RESTART:
		if ((a->v.state == RG_BOUND || a->v.state == RG_BACKOFF) &&
		    wanted(s, a) == RG_REGISTER)
			round_start(s, a, RG_FOR_SEARCH);
		break;
	case RG_DO_UNREGISTER:
		unregister(s, a);
		break;
	case RG_DO_SUBSCRIBE:
		say(s, "%s SUBSCRIBE %s", a->a.name, host(s, a->v.registrar));
		break;
	case RG_DO_UNSUBSCRIBE:
		say(s, "%s un-SUBSCRIBE", a->a.name);
		break;
	case RG_DO_TRUNK_OUT:
		say(s, "%s trunk out", a->a.name);
		break;
	case RG_DO_TRUNK_IN:
		say(s, "%s trunk in", a->a.name);
		break;
	default:
		break;
	}
}

static void apply(struct sim *s, struct sim_account *a, const struct rg_act *act)
{
	for (size_t i = 0; i < act->n; i++) {
		const struct rg_todo *t = &act->todo[i];
		struct sim_group *g = NULL;

		if (t->whom == RG_SELF && t->after_ms) {
			a->later = t->verb;
			a->later_at = s->now + t->after_ms;
		} else if (t->whom == RG_SELF) {
			act_on(s, a, t->verb);
		}
		if (t->whom == RG_SELF)
			continue;
		EACH(a, u)
			g = u->group ? u->group : g;
		if (t->whom == RG_MEMBERS)
			tell_members(s, g);
		for (size_t k = 0; k < s->nacc && t->whom == RG_FIRST; k++)
			if (s->acc[k].a.reg && s->acc[k].a.index == g->pub.first) {
				act_on(s, &s->acc[k], t->verb);
				break;
			}
	}
}

static void rethink(struct sim *s, struct sim_account *a)
{
	enum rg_goal g = wanted(s, a);

	if (g == RG_REGISTER && (a->v.state == RG_IDLE || a->v.state == RG_HELD))
		round_start(s, a, RG_FOR_SEARCH);
	else if (g == RG_REGISTER && a->v.state == RG_BOUND && a->overdue)
		round_start(s, a, RG_FOR_REFRESH);
	else if (g != RG_REGISTER && !a->v.registrar &&
		 (a->v.state == RG_BACKOFF || a->v.state == RG_IDLE))
		rest(a, RG_HELD, RG_NEVER);
	else if (g == RG_UNREGISTER && a->v.registrar)
		unregister(s, a);
}

/* ---- time ------------------------------------------------------------------------ */

void sim_world(struct sim *s, size_t naccounts)
{
	static const char *const servers[] = { "X", "Y", "Z" };
	static const char *const names[] = { "a", "b", "c", "d" };

	memset(s, 0, sizeof *s);
	s->nsrv = 3;
	s->nacc = naccounts;
	for (uint32_t i = 0; i < 3; i++)
		s->srv[i].s = (struct rg_server){ .id = i + 1, .rank = (uint16_t)i,
						  .roles = RG_REGISTRAR | RG_PROXY,
						  .health = RG_UP, .ttl_until = RG_NEVER,
						  .host = servers[i] };
	for (uint32_t i = 0; i < naccounts; i++)
		s->acc[i].a = (struct rg_account){ .index = i, .served = 10 + i, .serving = 1,
						   .name = names[i], .host_name = "",
						   .contact_user = "pbx", .reg = RG_REG_REGULAR,
						   .reg_time = 480, .retry_time = 30,
						   .refresh_pct = 50 };
}

void sim_start(struct sim *s)
{
	for (size_t i = 0; i < s->nacc; i++) {
		rest(&s->acc[i], RG_IDLE, RG_NEVER);
		s->acc[i].later_at = RG_NEVER;
	}
	for (size_t i = 0; i < s->ngroup; i++)
		group_count(s, &s->group[i]);
	for (size_t i = 0; i < s->nacc; i++)
		tell(s, &s->acc[i], (struct rg_event){ .type = RG_EV_START, .code = 1 });
}

static void due(struct sim *s, struct sim_account *a)
{
	bool go = wanted(s, a) == RG_REGISTER;

	if (a->v.registrar && s->now >= a->v.expires_at) {
		unbind(s, a);
		a->v.state = RG_IDLE;
		rethink(s, a);
	} else if (a->v.registrar && !go) {
		a->overdue = true;
		a->timer = a->v.expires_at;
	} else if (go) {
		round_start(s, a, a->v.registrar ? RG_FOR_REFRESH : RG_FOR_SEARCH);
	} else {
		rest(a, RG_HELD, RG_NEVER);
	}
}

static void wake(struct sim *s, struct sim_account *a, struct sim_link *u)
{
	struct rg_act act = { 0 };

	u->wake = RG_NEVER;
	emit(s, a, (struct rg_event){ .type = RG_EV_TIMER }, &act, u);
	apply(s, a, &act);
	rethink(s, a);
}

void sim_until(struct sim *s, rg_ms t)
{
	for (unsigned steps = 0;; steps++) {
		enum { NOTHING, ANSWER, DUE, LATER, WAKE } what = NOTHING;
		struct sim_account *a = NULL;
		struct sim_link *link = NULL;
		rg_ms first = RG_NEVER;

		for (size_t i = 0; i < s->nacc; i++) {
			struct sim_account *b = &s->acc[i];

			if (b->reply_at < first)
				first = b->reply_at, a = b, what = ANSWER;
			if (b->timer < first)
				first = b->timer, a = b, what = DUE;
			if (b->later_at < first)
				first = b->later_at, a = b, what = LATER;
			EACH(b, u)
				if (u->wake < first)
					first = u->wake, a = b, link = u, what = WAKE;
		}
		if (what == NOTHING || first > t)
			break;
		if (steps > 100000) {
			fprintf(stderr, "time stands still:\n%.2000s", s->log);
			abort();
		}
		if (first > s->now)
			s->now = first;
		if (what == ANSWER)
			answer(s, a);
		if (what == DUE)
			due(s, a);
		if (what == LATER) {
			a->later_at = RG_NEVER;
			act_on(s, a, a->later);
		}
		if (what == WAKE)
			wake(s, a, link);
	}
	s->now = t;
}

/* ---- the world outside ------------------------------------------------------------ */

static void tell_all(struct sim *s, struct rg_event e)
{
	for (size_t i = 0; i < s->nacc; i++)
		tell(s, &s->acc[i], e);
}

void sim_health(struct sim *s, uint32_t id, enum rg_health h)
{
	server(s, id)->s.health = (uint8_t)h;
	if (h == RG_UP)
		server(s, id)->s.failed = false;
	tell_all(s, (struct rg_event){ .type = RG_EV_HEALTH, .server = id, .code = (uint16_t)h });
}

void sim_link_up(struct sim *s)
{
	tell_all(s, (struct rg_event){ .type = RG_EV_LINK_UP });
}

void sim_served(struct sim *s, size_t i, enum rg_health h)
{
	s->acc[i].v.served = (uint8_t)h;
	tell(s, &s->acc[i], (struct rg_event){ .type = RG_EV_SERVED });
}

void sim_trunk(struct sim *s, enum rg_health h)
{
	for (size_t i = 0; i < s->nacc; i++)
		s->acc[i].v.trunk = (uint8_t)h;
	tell_all(s, (struct rg_event){ .type = RG_EV_TRUNK });
}

void sim_servers(struct sim *s, size_t n)
{
	s->nsrv = n;
	tell_all(s, (struct rg_event){ .type = RG_EV_SERVERS });
}

void sim_port(struct sim *s, size_t i, uint16_t port)
{
	s->acc[i].v.port = port;
	rethink(s, &s->acc[i]);
}

void sim_notify(struct sim *s, size_t i, enum rg_notify n, uint32_t retry_after)
{
	tell(s, &s->acc[i],
	     (struct rg_event){ .type = RG_EV_NOTIFY, .notify = (uint8_t)n,
				.retry_after = retry_after });
}

void sim_action(struct sim *s, size_t i, enum rg_verb verb)
{
	if (verb == RG_DO_UNREGISTER)
		s->acc[i].a.reg = RG_REG_NO;
	tell(s, &s->acc[i], (struct rg_event){ .type = RG_EV_ACTION, .code = (uint16_t)verb });
}

static bool let_in(struct sim *s, struct sim_account *a, struct rg_dialog d)
{
	struct rg_admit v = { 0 };
	struct rg_act act = { 0 };

	if (!d.from_serving && a->a.reg && a->a.served && !a->v.registrar)
		v.code = 400;
	EACH(a, u) {
		struct rg_ctx c = ctx(s, a, u);

		if (u->p->admit)
			u->p->admit(&c, &d, &v, &act);
	}
	if (v.code)
		say(s, "%s refused %u", a->a.name, v.code);
	apply(s, a, &act);
	return !v.code;
}

void sim_invite_from(struct sim *s, size_t i, uint32_t source)
{
	if (let_in(s, &s->acc[i],
		   (struct rg_dialog){ .from_serving = true, .method = RG_M_INVITE,
				       .source = source, .local_port = s->acc[i].v.port }))
		say(s, "%s INVITE to served", s->acc[i].a.name);
}

void sim_invite(struct sim *s, size_t i)
{
	struct sim_account *a = &s->acc[i];
	struct rg_list l;

	if (!let_in(s, a, (struct rg_dialog){ .method = RG_M_INVITE }))
		return;
	look(s, a);
	plain_order(a, &l, RG_PROXY);
	ask_order(s, a, RG_FOR_DIALOG, &l);
	for (size_t k = 0; k < l.n; k++) {
		struct sim_server *t = server(s, l.id[k]);
		struct rg_act act = { .verdict = RG_STOP };
		uint16_t code = t->silent ? 0 : t->inv_code ? t->inv_code : 200;

		say(s, "%s INVITE %s %u%s", a->a.name, t->s.host, code,
		    l.how[k] == RG_REGISTER_FIRST ? " (registered first)" : "");
		emit(s, a,
		     (struct rg_event){ .type = RG_EV_RESULT, .method = RG_M_INVITE,
					.code = code, .server = t->s.id },
		     &act, NULL);
		apply(s, a, &act);
		if ((code >= 200 && code < 300) || act.verdict != RG_NEXT)
			break;
	}
}
