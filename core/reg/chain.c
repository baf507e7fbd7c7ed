/* chain.c -- asks the policies of an account, and remembers who decided what. */
#include "reg/reg.h"

#include "base/log.h"

enum { FIRST_OF = 128 }; /* rg_todo.whom in the core: and the place of the link */

struct seen {
	struct rg_view v;
	struct rg_account acc;
	struct rg_ctx c;
	const void *ip[RG_SERVERS]; /* a policy's blocks of ProxyIp, by rank */
};

static void look(struct reg_engine *e, struct reg_account *a, struct seen *s)
{
	account_view(e, a, &s->v, &s->acc);
	s->c.v = &s->v;
}

/* The blocks stand by row; a row with a name may be several servers.  While a reload is on
 * its way the account's may be fewer than the set has rows. */
static const void *by_rank(const struct reg_account *a, const struct policy_link *l,
			   struct seen *s)
{
	const struct conf_proxy_set *ps = a->set ? set_conf(a->set) : NULL;
	const void *const *row = l->cfg[RG_PROXY_IP];

	if (!row || !ps || !l->ips)
		return NULL;
	for (uint32_t i = 0; i < a->set->n; i++) {
		uint32_t at = a->set->ip[i] - ps->first_ip;

		s->ip[i] = row[at < l->ips ? at : 0];
	}
	return s->ip;
}

static const struct rg_ctx *ctx(struct reg_account *a, struct seen *s, unsigned i)
{
	memcpy(s->c.cfg, a->chain->link[i].cfg, sizeof s->c.cfg);
	if (s->c.cfg[RG_PROXY_IP])
		s->c.cfg[RG_PROXY_IP] = by_rank(a, &a->chain->link[i], s);
	s->c.slot = link_slot(a, i);
	s->c.group = a->link[i].share ? &a->link[i].share->pub : NULL;
	s->c.gslot = a->link[i].share ? a->link[i].share->slot : NULL;
	return &s->c;
}

void chain_mark(struct reg_account *a, uint8_t by, enum reg_what what, uint8_t arg)
{
	struct reg_mark *last = a->n_mark ? &a->mark[a->n_mark - 1] : NULL;
	struct reg_mark m = { by, (uint8_t)what, arg };

	if (last && last->by == by && last->what == what) {
		*last = m;
		return;
	}
	if (a->n_mark == REG_MARKS) { /* the end of a long round tells more than its middle */
		memmove(a->mark + REG_MARKS / 2, a->mark + REG_MARKS / 2 + 1,
			(REG_MARKS / 2 - 1) * sizeof m);
		a->n_mark--;
	}
	a->mark[a->n_mark++] = m;
}

/* A policy that acts for a group is not asked about an account that has left it. */
static bool has_left(const struct reg_account *a, unsigned i)
{
	return a->dying && link_policy(a, i)->group != RG_BY_NONE;
}

bool chain_hears(const struct reg_account *a)
{
	for (unsigned i = 0; i < a->chain->n; i++)
		if (link_policy(a, i)->event || link_policy(a, i)->goal)
			return true;
	return false;
}

bool chain_follows(const struct reg_account *a)
{
	for (unsigned i = 0; a->chain->wants & RG_WANTS_LEADER && i < a->chain->n; i++) {
		const struct reg_share *s = a->link[i].share;

		if (link_policy(a, i)->wants & RG_WANTS_LEADER && s && s->first_id &&
		    s->first_id != a->id)
			return true;
	}
	return false;
}

enum rg_goal chain_goal(struct reg_engine *e, struct reg_account *a, const char **by)
{
	enum rg_goal goal = RG_REGISTER;
	struct seen s;

	*by = "core";
	if (a->by_hand || a->dying || a->conf->reg == RG_REG_NO)
		return RG_UNREGISTER;
	if (a->stopped || a->conf->withheld || a->heir_at != RG_NEVER)
		return RG_HOLD;
	if (!a->chain->n)
		return goal;
	look(e, a, &s);
	for (unsigned i = 0; i < a->chain->n; i++) {
		enum rg_goal vote;

		if (!link_policy(a, i)->goal)
			continue;
		vote = link_policy(a, i)->goal(ctx(a, &s, i));
		if (vote < goal) {
			goal = vote;
			*by = link_policy(a, i)->m.name;
		}
	}
	return goal;
}

static void explain_list(struct reg_explanation *x, const char *by, const char *what,
			 const struct rg_list *l)
{
	struct reg_step *st;

	if (x->n_now == REG_STEPS)
		return;
	st = &x->now[x->n_now++];
	st->by = by;
	st->what = what;
	st->n = l->n;
	memcpy(st->server, l->id, l->n * sizeof *l->id);
}

/* What a policy left must be in the set, once each. */
static void keep_known(const struct rg_view *v, struct rg_list *l)
{
	uint8_t n = 0;

	if (l->n > RG_SERVERS)
		l->n = RG_SERVERS;
	for (unsigned i = 0; i < l->n; i++) {
		bool twice = false;

		for (unsigned k = 0; k < n; k++)
			twice |= l->id[k] == l->id[i];
		if (twice || !rg_server(v, l->id[i]))
			continue;
		l->id[n] = l->id[i];
		l->how[n++] = l->how[i];
	}
	l->n = n;
}

static bool same_list(const struct rg_list *x, const struct rg_list *y)
{
	return x->n == y->n && !memcmp(x->id, y->id, x->n * sizeof *x->id);
}

void chain_order(struct reg_engine *e, struct reg_account *a, enum rg_purpose why,
		 struct rg_list *l, struct reg_explanation *x)
{
	struct seen s;

	if (x)
		explain_list(x, "core", "order", l);
	else
		chain_mark(a, 0, WHAT_ORDER, l->n ? (uint8_t)set_rank(a->set, l->id[0]) : 255);
	if (!a->chain->n)
		return;
	look(e, a, &s);
	for (unsigned i = 0; i < a->chain->n; i++) {
		const struct rg_policy *p = link_policy(a, i);
		struct rg_list was;

		if (!p->order || has_left(a, i))
			continue;
		was.n = l->n;
		memcpy(was.id, l->id, l->n * sizeof *l->id);
		p->order(ctx(a, &s, i), why, l);
		keep_known(&s.v, l);
		if (x)
			explain_list(x, p->m.name, same_list(&was, l) ? "agrees" : "order", l);
		else if (!same_list(&was, l))
			chain_mark(a, (uint8_t)(i + 1), WHAT_ORDER,
				   l->n ? (uint8_t)set_rank(a->set, l->id[0]) : 255);
	}
}

void chain_request(struct reg_engine *e, struct reg_account *a, struct rg_request *r)
{
	struct seen s;
	bool looked = false;

	for (unsigned i = 0; i < a->chain->n; i++) {
		if (!link_policy(a, i)->request || has_left(a, i))
			continue;
		if (!looked)
			look(e, a, &s);
		looked = true;
		link_policy(a, i)->request(ctx(a, &s, i), r);
	}
}

/* Group actions are the asking policy's: members are told later, in slices; what is for
 * the first says by which link of the chain.  Changed actions of policies before it are
 * its own, too. */
static void of_group(struct reg_engine *e, const struct reg_account *a, unsigned link,
		     struct rg_act *act)
{
	struct reg_share *share = a->link[link].share;
	uint8_t n = 0;

	for (uint8_t i = 0; i < act->n && i < RG_TODOS; i++) {
		struct rg_todo t = act->todo[i];

		if (t.whom == RG_MEMBERS && share)
			walk_share(e, share);
		if (t.whom == RG_FIRST)
			t.whom = (uint8_t)(FIRST_OF + link);
		if (t.whom != RG_MEMBERS)
			act->todo[n++] = t;
	}
	act->n = n;
}

void chain_event(struct reg_engine *e, struct reg_account *a, const struct rg_event *ev,
		 struct rg_act *act, int only)
{
	struct seen s;
	bool looked = false;

	for (unsigned i = 0; i < a->chain->n; i++) {
		const struct rg_policy *p = link_policy(a, i);
		uint8_t verdict = act->verdict, n = act->n;

		if (!p->event || (only >= 0 && (unsigned)only != i))
			continue;
		if (has_left(a, i) && ev->type != RG_EV_LEAVE)
			continue;
		if (!looked)
			look(e, a, &s);
		looked = true;
		act->wake_at = 0;
		p->event(ctx(a, &s, i), ev, act);
		if (act->wake_at) /* at most once a second, whatever a policy asks for */
			a->link[i].wake = act->wake_at == RG_NEVER || ev->type != RG_EV_TIMER
						  ? act->wake_at
						  : MAX(act->wake_at, s.v.now + 1000);
		if (act->verdict != verdict)
			chain_mark(a, (uint8_t)(i + 1), WHAT_VERDICT, act->verdict);
		if (act->n > n && act->n <= RG_TODOS)
			chain_mark(a, (uint8_t)(i + 1), WHAT_DO, act->todo[n].verb);
		of_group(e, a, i, act);
	}
}

void chain_admit(struct reg_engine *e, struct reg_account *a, const struct rg_dialog *d,
		 struct rg_admit *v, const char **by)
{
	uint16_t code = v->code;
	struct rg_act act = { .n = 0 };
	struct seen s;

	if (!a->chain->n)
		return;
	look(e, a, &s);
	for (unsigned i = 0; i < a->chain->n; i++)
		if (link_policy(a, i)->admit && !has_left(a, i)) {
			link_policy(a, i)->admit(ctx(a, &s, i), d, v, &act);
			of_group(e, a, i, &act);
			*by = v->code == code ? *by : link_policy(a, i)->m.name;
			code = v->code;
		}
	chain_act(e, a, &act);
}

static void act_later(struct reg_engine *e, struct reg_account *a, const struct rg_todo *t)
{
	a->later = (uint8_t)(t->verb + 1);
	a->later_at = rg_now(e->timers) + t->after_ms;
	account_timer(e, a);
}

/* The first of the group that a link shares; NULL: there is none. */
static struct reg_account *first_of(struct reg_engine *e, const struct reg_account *a, uint8_t whom)
{
	const struct reg_share *s = whom >= FIRST_OF && whom - FIRST_OF < a->chain->n
					    ? a->link[whom - FIRST_OF].share : NULL;

	return s ? account_at(e, s->first_id) : NULL;
}

void chain_act(struct reg_engine *e, struct reg_account *a, const struct rg_act *act)
{
	for (unsigned i = 0; i < act->n; i++) {
		const struct rg_todo *t = &act->todo[i];
		struct reg_account *to = t->whom == RG_SELF ? a : first_of(e, a, t->whom);

		if (to && t->after_ms)
			act_later(e, to, t);
		else if (to)
			fsm_do(e, to, t->verb);
	}
}

void chain_leave(struct reg_engine *e, struct reg_account *a, unsigned link)
{
	struct rg_event ev = { .type = RG_EV_LEAVE };
	struct rg_act act = { .n = 0 };

	chain_event(e, a, &ev, &act, (int)link);
}
