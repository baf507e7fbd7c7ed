/*
 * reload.c -- from one configuration to the next.  The plan is worked out before, in
 * another thread if need be: which account is which, and what about it differs.  The
 * commit cannot fail: sets and groups at once, accounts in slices.
 */
#include "reg/reg.h"

#include <string.h>

#include "base/log.h"

enum { HEIR_MS = 5000 }; /* the good-bye of the one before has this long */

enum change {
	SAME,	 /* moves to the new generation, nothing more */
	UPDATE,	 /* timers, limits, parameters: no SIP, event START */
	REFRESH, /* a policy parameter asks for a REGISTER */
	RENEW,	 /* credentials: REGISTER anew, the binding stays meanwhile */
	RESTART, /* a policy parameter asks for a search */
	REPLACE	 /* identity or group: un-REGISTER, then register as new */
};

struct step {
	uint32_t from; /* position before, CONF_NONE: added */
	uint8_t change;
};

struct reg_plan {
	struct conf *before, *after;
	struct policy *before_policy, *after_policy;
	struct step *step; /* by position after */
	bool *kept;	   /* by position before */
	struct reg_plan_counts counts;
	uint32_t *leaving; /* account ids, filled at the commit */
	uint32_t n_leaving;
};

static bool eq(const char *a, const char *b)
{
	return a == b || !strcmp(a, b);
}

static const char *group_name(const struct conf *c, uint32_t g)
{
	return g == CONF_NONE ? "" : c->ip_group[g].row.name;
}

static uint32_t trunk_id(const struct conf *c, const struct conf_account *a)
{
	return a->trunk == CONF_NONE ? CONF_NONE : c->trunk_group[a->trunk].id;
}

static const char *served_user(const struct conf *c, const struct conf_account *a)
{
	if (a->served != CONF_NONE)
		return c->ip_group[a->served].contact_user;
	return a->trunk == CONF_NONE ? "" : c->trunk_group[a->trunk].contact_user;
}

/* What of the serving and served groups goes into a REGISTER. */
static bool same_identity(const struct conf *x, const struct conf_account *a,
			  const struct conf *y, const struct conf_account *b)
{
	const struct conf_ip_group *g = &x->ip_group[a->serving], *h = &y->ip_group[b->serving];
	const char *u = served_user(x, a), *v = served_user(y, b);

	return eq(a->host_name, b->host_name) && eq(a->contact_user, b->contact_user) &&
	       eq(g->sip_group_name, h->sip_group_name) && eq(u, v) &&
	       (*a->contact_user || *u || eq(a->username, b->username)) &&
	       eq(group_name(x, a->serving), group_name(y, b->serving)) &&
	       eq(group_name(x, a->served), group_name(y, b->served)) &&
	       trunk_id(x, a) == trunk_id(y, b) && a->reg == b->reg &&
	       eq(a->contact_address, b->contact_address) && a->flow == b->flow &&
	       (a->gruu != 0) == (b->gruu != 0);
}

static bool same_credentials(const struct conf *x, const struct conf_account *a,
			     const struct conf *y, const struct conf_account *b)
{
	const struct conf_ip_group *g = &x->ip_group[a->serving], *h = &y->ip_group[b->serving];

	if (!eq(a->username, b->username) || !eq(a->password, b->password) ||
	    !eq(a->security_client, b->security_client))
		return false;
	return *a->username || *a->password ||
	       (eq(g->username, h->username) && eq(g->password, h->password) &&
		g->authentication_mode == h->authentication_mode);
}

static enum change compare(const struct reg_plan *p, uint32_t from, uint32_t to)
{
	const struct conf_account *a = &p->before->account[from], *b = &p->after->account[to];
	const struct policy_chain *c = p->before_policy->of[from], *d = p->after_policy->of[to];
	enum policy_change policy = c == d ? POLICY_SAME : policy_compare(c, d);

	if (!same_identity(p->before, a, p->after, b))
		return REPLACE;
	if (!same_credentials(p->before, a, p->after, b))
		return RENEW;
	if (policy == POLICY_RESTART)
		return RESTART;
	if (policy == POLICY_REFRESH)
		return REFRESH;
	if (policy == POLICY_KEEP || a->withheld != b->withheld || a->max_calls != b->max_calls ||
	    a->max_call_rate != b->max_call_rate || a->gruu != b->gruu ||
	    a->keep_nonce != b->keep_nonce ||
	    a->caller_identity != b->caller_identity || a->row.index != b->row.index)
		return UPDATE;
	return SAME;
}

struct reg_plan *reg_plan_new(struct conf *before, struct policy *before_policy,
			      struct conf *after, struct policy *after_policy)
{
	struct reg_plan *p = g_new0(struct reg_plan, 1);
	uint32_t n = after->n_account;

	p->before = before ? conf_ref(before) : NULL;
	p->before_policy = before_policy ? policy_ref(before_policy) : NULL;
	p->after = conf_ref(after);
	p->after_policy = policy_ref(after_policy);
	p->step = g_new(struct step, n + 1);
	p->kept = before ? g_new0(bool, before->n_account + 1) : NULL;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t from = before ? conf_account_find(before, after->account[i].row.name)
				       : CONF_NONE;

		p->step[i] = (struct step){ from, SAME };
		if (from == CONF_NONE) {
			p->counts.added++;
			continue;
		}
		p->kept[from] = true;
		p->step[i].change = (uint8_t)compare(p, from, i);
		if (p->step[i].change == SAME)
			p->counts.unchanged++;
		else
			p->counts.changed++;
	}
	for (uint32_t i = 0; before && i < before->n_account; i++)
		p->counts.removed += !p->kept[i];
	return p;
}

void reg_plan_free(struct reg_plan *p)
{
	if (!p)
		return;
	if (p->before)
		conf_unref(p->before);
	if (p->before_policy)
		policy_unref(p->before_policy);
	conf_unref(p->after);
	policy_unref(p->after_policy);
	g_free(p->step);
	g_free(p->kept);
	g_free(p->leaving);
	g_free(p);
}

void reg_plan_counts(const struct reg_plan *p, struct reg_plan_counts *out)
{
	*out = p->counts;
}

/* ---- commit ---------------------------------------------------------------------------- */

static void begin(struct reg_engine *e, struct reg_account *a)
{
	struct rg_event ev = { .type = RG_EV_START, .code = !e->plan->before };

	fsm_tell(e, a, &ev);
}

static void leave(struct reg_engine *e, struct reg_account *a)
{
	account_dies(e, a);
	index_remove(e, a);
	fsm_rethink(e, a);
}

/* A row that became another account: the old one says good-bye, a new one begins when
 * that is over -- it may have the same address of record, and a late good-bye would take
 * its binding away -- but does not wait for ever. */
static void replace(struct reg_engine *e, struct reg_account *a, uint32_t pos)
{
	struct reg_account *b = account_new(e, e->gen, pos);

	b->by_hand = a->by_hand;
	if (a->registrar || fsm_busy(a) || a->state == RG_UNREGISTERING ||
	    a->heir_at != RG_NEVER) {
		a->heir = b->id;
		b->heir_at = rg_now(e->timers) + HEIR_MS;
	}
	begin(e, b);
	leave(e, a);
}

static void one(struct reg_engine *e, struct reg_plan *p, uint32_t pos)
{
	struct reg_account *a = account_at(e, e->order[pos]);
	enum change c = p->step[pos].change;
	bool asks, waits, renew = c == RENEW, parted = a && a->state == RG_UNREGISTERING;

	if (p->step[pos].from == CONF_NONE || !a) {
		begin(e, account_new(e, e->gen, pos));
		return;
	}
	if (c == REPLACE) {
		replace(e, a, pos);
		return;
	}
	if (!account_move(e, a, e->gen, pos)) {
		c = parted ? UPDATE : RESTART; /* its servers are others now */
		fsm_cancelled(e, a);
	}
	if (ports_move(e, a) && c < RESTART)
		c = RESTART; /* its Contact is another */
	if (c == SAME)
		return;
	asks = fsm_busy(a);
	if (renew) {
		e->port->renew(e->port->arg, &a->dialogue);
		a->tried = a->forbade = 0;
		a->forbidden = 0;
	}
	waits = a->state == RG_BACKOFF && (a->stopped || c == RENEW);
	a->stopped = false;
	if (waits)
		fsm_do(e, a, RG_DO_RESTART);
	begin(e, a);
	/* What is asked now with the old credentials will have to be asked again. */
	if (c == RESTART || (c == RENEW && asks && !a->registrar))
		fsm_do(e, a, RG_DO_RESTART);
	else if ((c == RENEW || c == REFRESH) && a->registrar)
		fsm_do(e, a, RG_DO_REFRESH);
}

static void finish(struct reg_engine *e)
{
	struct reg_plan *p = e->plan;

	e->plan = NULL;
	for (guint i = e->set->len; i-- > 0;) {
		struct reg_set *set = g_ptr_array_index(e->set, i);
		bool used = false;

		for (guint k = 0; k < e->group->len; k++)
			used |= ((struct reg_group *)e->group->pdata[k])->set == set;
		if (set->pos == CONF_NONE && !set->refs && !used && !set->members.walks)
			set_clear(e, set);
	}
	trunk_settled(e);
	reg_plan_free(p);
	if (e->applied)
		e->applied(e->applied_arg);
}

static void slice(void *arg)
{
	struct reg_engine *e = arg;
	struct reg_plan *p = e->plan;
	struct reg_slice s = slice_begin(e);

	while (!slice_over(&s)) {
		if (p->n_leaving) {
			struct reg_account *a = account_at(e, p->leaving[--p->n_leaving]);

			if (a)
				leave(e, a);
			continue;
		}
		if (e->plan_at == p->after->n_account) {
			finish(e);
			return;
		}
		one(e, p, e->plan_at++);
	}
	rg_timer_set(e->timers, &e->apply, rg_now(e->timers) + 1, slice, e);
}

/* Ids of the accounts that stay are known at once, so that they can be asked about
 * while the slices go on; those that leave keep their old generation. */
static void reorder(struct reg_engine *e, struct reg_plan *p)
{
	uint32_t *order = g_new0(uint32_t, p->after->n_account + 1);

	p->leaving = g_new(uint32_t, e->n_order + 1);
	for (uint32_t i = e->n_order; i-- > 0;)
		if (!p->kept || !p->kept[i])
			p->leaving[p->n_leaving++] = e->order[i];
	for (uint32_t i = 0; i < p->after->n_account; i++)
		if (p->step[i].from != CONF_NONE)
			order[i] = e->order[p->step[i].from];
	g_free(e->order);
	e->order = order;
	e->n_order = p->after->n_account;
}

void reg_engine_apply(struct reg_engine *e, struct reg_plan *p, void (*done)(void *), void *arg)
{
	struct conf *was = e->gen ? e->gen->conf : NULL;
	struct reg_gen *gen = g_new0(struct reg_gen, 1), *old = e->gen;

	g_assert(!e->plan); /* main waits for the one before */
	gen->conf = conf_ref(p->after);
	gen->policy = policy_ref(p->after_policy);
	g_ptr_array_add(e->gens, gen);
	e->gen = gen;
	gen_use(gen);
	if (old)
		gen_leave(e, old);
	e->plan = p;
	e->plan_at = 0;
	e->applied = done;
	e->applied_arg = arg;
	reorder(e, p);
	set_apply(e, was);
	ports_apply(e);
	group_apply(e, was);
	source_apply(e);
	keepalive_apply(e);
	rg_timer_set(e->timers, &e->apply, rg_now(e->timers), slice, e);
}

bool reg_engine_applying(const struct reg_engine *e)
{
	return e->plan != NULL;
}
