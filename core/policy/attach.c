#include "policy/attach.h"

#include <string.h>

#include "policy/account.h"

enum { TELL = 20 }; /* faults of one plugin and kind, before they are only counted */

enum kind { KIND_WARNING, KIND_ERROR, KIND_NEEDS, KINDS };

/* Policies an account may get, with their blocks. */
struct candidate {
	const struct plan *plan;
	struct policy_link link;
	const void **check_ips; /* cfg[RG_PROXY_IP] by literal server */
};

/* What some of the candidates make together; several if check() says RG_SKIP. */
struct variant {
	struct variant *next;
	uint64_t mask; /* of candidates */
	const struct policy_chain *chain;
	const struct plan *wrong; /* whose needs or clashes are not met, and how */
	const char *text;
	uint32_t accounts;
};

/* What check() sees of a serving group. */
struct serving {
	struct rg_account common;
	size_t nsrv;
	struct rg_server *srv; /* literal addresses */
	uint32_t *ip;	       /* and their rows in the set */
};

/* Accounts with the same parameters and groups. */
struct combination {
	uint16_t n;
	struct candidate *of;
	uint64_t checks; /* candidates that have check() */
	struct variant *variants;
	const struct serving *serving;
};

struct attach {
	struct plans *ps;
	struct params *params;
	struct chains chains;
	GHashTable *combinations; /* by key */
	struct serving **serving; /* by position of the IP group; made when needed */
	uint32_t (*told)[KINDS];  /* by plan */
};

/* ---- faults, not too many of one kind ------------------------------------------ */

static void tell(struct attach *a, const struct plan *pl, enum kind kind, uint32_t account,
		 const char *text)
{
	const struct conf *c = a->ps->conf;
	const struct conf_row *r = &c->account[account].row;
	uint32_t *told = &a->told[pl - a->ps->of][kind];

	if ((*told)++ >= TELL)
		return;
	rg_fault_add(a->ps->faults, kind == KIND_WARNING ? RG_FAULT_WARNING : RG_FAULT_ERROR,
		     conf_file(c, r->file), r->line, "account %s: %s: %s", r->name,
		     pl->mod->m->name, text);
}

static void tell_rest(struct attach *a)
{
	for (size_t i = 0; i < a->ps->n; i++)
		for (int k = 0; k < KINDS; k++)
			if (a->told[i][k] > TELL)
				rg_fault_add(a->ps->faults,
					     k == KIND_WARNING ? RG_FAULT_WARNING :
								 RG_FAULT_ERROR,
					     NULL, 0, "%s: the same of %u more accounts",
					     a->ps->of[i].mod->m->name, a->told[i][k] - TELL);
}

/* ---- what a row asks for --------------------------------------------------------- */

static bool row_matches(const struct plans *ps, const struct plan_param *b,
			const struct claim *claim, const struct rows *r)
{
	const struct conf_proxy_set *set;
	struct setting v;

	if (b->p->scope != RG_PROXY_IP) {
		if (!r->values[b->p->scope])
			return false;
		v = params_setting(b, ps->conf, r, 0);
		return claim_match(claim, &v);
	}
	if (r->set == CONF_NONE)
		return false;
	set = &ps->conf->proxy_set[r->set];
	for (uint32_t i = 0; i < set->n_ip; i++) {
		v = params_setting(b, ps->conf, r, set->first_ip + i);
		if (claim_match(claim, &v))
			return true;
	}
	return false;
}

/* One of the values that it implements stands there, and all that it asks for besides. */
static bool asked_for(const struct plans *ps, const struct plan *pl, const struct rows *r)
{
	bool implements = false, stands = false;

	for (uint16_t i = 0; i < pl->n; i++) {
		const struct plan_param *b = &pl->param[i];

		if (!claim_empty(&b->when) && !row_matches(ps, b, &b->when, r))
			return false;
		if (claim_empty(&b->implements))
			continue;
		implements = true;
		stands = stands || row_matches(ps, b, &b->implements, r);
	}
	return stands || !implements;
}

/* ---- combinations ---------------------------------------------------------------- */

/* All that counts: what the row says and whom it refers to. */
struct key {
	const struct conf_values *values; /* equal sets are one object */
	uint32_t serving, set, trunk;
};

static guint key_hash(gconstpointer p)
{
	const struct key *k = p;

	return ((g_direct_hash(k->values) * 31 + k->serving) * 31 + k->set) * 31 + k->trunk;
}

static gboolean key_equal(gconstpointer p, gconstpointer q)
{
	const struct key *a = p, *b = q;

	return a->values == b->values && a->serving == b->serving && a->set == b->set &&
	       a->trunk == b->trunk;
}

static const struct serving *serving_of(struct attach *a, uint32_t group, uint32_t set)
{
	struct rg_server srv[RG_SERVERS];
	uint32_t ip[RG_SERVERS];
	bool own = set == a->ps->conf->ip_group[group].set; /* not an outbound one */
	struct serving *g = own ? a->serving[group] : NULL;

	if (g)
		return g;
	g = rg_arena_alloc(a->ps->scratch, sizeof *g);
	if (own)
		a->serving[group] = g;
	account_common(a->ps->conf, group, set, &g->common);
	g->nsrv = account_servers(a->ps->conf, set, srv, ip, RG_SERVERS);
	g->srv = rg_arena_alloc(a->ps->scratch, (g->nsrv + 1) * sizeof *srv);
	g->ip = rg_arena_alloc(a->ps->scratch, (g->nsrv + 1) * sizeof *ip);
	memcpy(g->srv, srv, g->nsrv * sizeof *srv);
	memcpy(g->ip, ip, g->nsrv * sizeof *ip);
	return g;
}

static const void **check_ips(struct attach *a, const struct policy_link *l,
			      const struct serving *g)
{
	const void *const *all = l->cfg[RG_PROXY_IP];
	const void **some;

	if (!all || !l->p->check)
		return NULL;
	some = rg_arena_alloc(a->ps->scratch, (g->nsrv + 1) * sizeof *some);
	for (size_t i = 0; i < g->nsrv; i++)
		some[i] = all[g->ip[i]];
	return some;
}

static void add_candidate(struct attach *a, struct combination *x, const struct plan *pl,
			  const struct rows *r)
{
	struct candidate *c = &x->of[x->n];

	c->plan = pl;
	c->link = (struct policy_link){ .p = pl->policy };
	params_fill(a->params, pl, a->ps->conf, r, c->link.cfg);
	if (c->link.cfg[RG_PROXY_IP])
		c->link.ips = (uint16_t)a->ps->conf->proxy_set[r->set].n_ip;
	c->check_ips = check_ips(a, &c->link, x->serving);
	if (pl->policy->check)
		x->checks |= UINT64_C(1) << x->n;
	x->n++;
}

static struct combination *combine(struct attach *a, uint32_t account)
{
	const struct conf_account *acc = &a->ps->conf->account[account];
	struct combination *x = rg_arena_alloc(a->ps->scratch, sizeof *x);
	const struct plan *one_too_many = NULL;
	struct candidate of[CHAIN_LINKS];
	struct rows r;

	params_rows(a->ps->conf, account, &r);
	x->of = of;
	x->serving = serving_of(a, acc->serving, r.set);
	for (size_t i = 0; i < a->ps->n; i++) {
		const struct plan *pl = &a->ps->of[i];

		if (!pl->active || !pl->policy || !asked_for(a->ps, pl, &r))
			continue;
		if (x->n < CHAIN_LINKS)
			add_candidate(a, x, pl, &r);
		else
			one_too_many = pl;
	}
	if (one_too_many)
		tell(a, one_too_many, KIND_ERROR, account, "more than 64 policies on an account");
	x->of = rg_arena_alloc(a->ps->scratch, (x->n + 1u) * sizeof *of);
	memcpy(x->of, of, x->n * sizeof *of);
	return x;
}

static struct combination *combination_of(struct attach *a, uint32_t account)
{
	const struct conf_account *acc = &a->ps->conf->account[account];
	struct key probe = { acc->row.values, acc->serving,
			     account_set(a->ps->conf, acc), acc->trunk }, *key;
	struct combination *x = g_hash_table_lookup(a->combinations, &probe);

	if (x)
		return x;
	x = combine(a, account);
	key = rg_arena_alloc(a->ps->scratch, sizeof *key);
	*key = probe;
	g_hash_table_insert(a->combinations, key, x);
	return x;
}

/* ---- variants: the chain of those that check() let through ----------------------- */

static bool has(const struct combination *x, uint64_t mask, const char *name)
{
	for (uint16_t i = 0; i < x->n; i++)
		if (mask >> i & 1 && !strcmp(x->of[i].plan->mod->m->name, name))
			return true;
	return false;
}

/* The first name of the list that is (not) attached, or NULL. */
static const char *first(const struct combination *x, uint64_t mask, const char *const *list,
			 bool attached)
{
	for (; list && *list; list++)
		if (has(x, mask, *list) == attached)
			return *list;
	return NULL;
}

static void find_wrong(struct attach *a, const struct combination *x, struct variant *v)
{
	for (uint16_t i = 0; i < x->n && !v->wrong; i++) {
		const struct rg_policy *p = x->of[i].link.p;
		const char *need, *clash;
		char *text;

		if (!(v->mask >> i & 1))
			continue;
		need = first(x, v->mask, p->needs, false);
		clash = first(x, v->mask, p->clashes, true);
		if (!need && !clash)
			continue;
		text = need ? g_strdup_printf("needs %s, which this account does not have", need) :
			      g_strdup_printf("cannot be combined with %s", clash);
		v->wrong = x->of[i].plan;
		v->text = rg_arena_str(a->ps->scratch, text);
		g_free(text);
	}
}

static struct variant *variant_of(struct attach *a, struct combination *x, uint64_t mask)
{
	struct policy_link link[CHAIN_LINKS];
	struct variant *v;
	uint16_t n = 0;

	for (v = x->variants; v; v = v->next)
		if (v->mask == mask)
			return v;
	v = rg_arena_alloc(a->ps->scratch, sizeof *v);
	v->mask = mask;
	for (uint16_t i = 0; i < x->n; i++)
		if (mask >> i & 1)
			link[n++] = x->of[i].link;
	v->chain = chains_intern(&a->chains, link, n);
	if (!v->chain) {
		v->wrong = x->of[x->n - 1].plan;
		v->text = "the slots of this account's policies are more than 64 KiB";
	} else {
		find_wrong(a, x, v);
	}
	v->next = x->variants;
	x->variants = v;
	return v;
}

/* false: do not attach. */
static bool passes(struct attach *a, const struct candidate *c, const struct rg_view *view,
		   uint32_t account)
{
	struct rg_fault f = { "" };
	struct rg_ctx ctx = { .v = view };
	enum rg_check answer;

	memcpy(ctx.cfg, c->link.cfg, sizeof ctx.cfg);
	ctx.cfg[RG_PROXY_IP] = c->check_ips;
	answer = c->link.p->check(&ctx, &f);
	f.text[sizeof f.text - 1] = '\0';
	if (answer != RG_OK)
		tell(a, c->plan, answer == RG_ERROR ? KIND_ERROR : KIND_WARNING, account, f.text);
	return answer != RG_SKIP;
}

static const struct policy_chain *attach(struct attach *a, uint32_t account)
{
	struct combination *x = combination_of(a, account);
	struct rg_account acc = x->serving->common;
	struct rg_view view = { .acc = &acc, .srv = x->serving->srv, .nsrv = x->serving->nsrv };
	uint64_t mask = x->n == 64 ? UINT64_MAX : (UINT64_C(1) << x->n) - 1;
	struct variant *v;

	if (x->checks) {
		account_own(a->ps->conf, account, &acc);
		for (uint16_t i = 0; i < x->n; i++)
			if (x->checks >> i & 1 && !passes(a, &x->of[i], &view, account))
				mask &= ~(UINT64_C(1) << i);
	}
	v = variant_of(a, x, mask);
	v->accounts++;
	if (v->wrong && (a->ps->conf->account[account].reg != RG_REG_NO || !v->chain))
		tell(a, v->wrong, KIND_NEEDS, account, v->text);
	return v->chain;
}

static void count(struct attach *a, attach_count *fn, void *arg)
{
	GHashTableIter it;
	gpointer x;

	g_hash_table_iter_init(&it, a->combinations);
	while (g_hash_table_iter_next(&it, NULL, &x))
		for (struct variant *v = ((struct combination *)x)->variants; v; v = v->next)
			if (v->chain)
				fn(v->chain, v->accounts, arg);
}

/* Of a configuration with errors some accounts lead nowhere, which was told. */
static bool is_whole(const struct conf_account *a)
{
	return a->serving != CONF_NONE && (a->served != CONF_NONE || a->trunk != CONF_NONE);
}

void attach_all(struct plans *ps, struct params *params, const struct policy_chain **of,
		attach_count *fn, void *arg)
{
	struct attach a = { .ps = ps, .params = params };

	chains_init(&a.chains, ps->keep);
	a.combinations = g_hash_table_new(key_hash, key_equal);
	a.serving = rg_arena_alloc(ps->scratch, (ps->conf->n_ip_group + 1) * sizeof *a.serving);
	a.told = rg_arena_alloc(ps->scratch, (ps->n + 1) * sizeof *a.told);
	for (uint32_t i = 0; i < ps->conf->n_account; i++)
		if (is_whole(&ps->conf->account[i]))
			of[i] = attach(&a, i);
	tell_rest(&a);
	count(&a, fn, arg);
	g_hash_table_destroy(a.combinations);
	chains_clear(&a.chains);
}
