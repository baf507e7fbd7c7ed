/* account.c -- one account: its memory, its timer, what its policies see of it. */
#include "reg/reg.h"

#include <stdio.h>
#include <string.h>

enum { CHUNK = 1024 }; /* accounts of a slab chunk; addresses never change */

struct reg_account *account_at(struct reg_engine *e, uint32_t id)
{
	struct reg_account *chunk;

	if (!id || id > e->n_slab)
		return NULL;
	chunk = g_ptr_array_index(e->slab, (id - 1) / CHUNK);
	return chunk[(id - 1) % CHUNK].id ? &chunk[(id - 1) % CHUNK] : NULL;
}

static struct reg_account *slab_take(struct reg_engine *e)
{
	struct reg_account *chunk;
	uint32_t id = e->free_account;

	if (!id) {
		if (e->n_slab % CHUNK == 0)
			g_ptr_array_add(e->slab, g_new0(struct reg_account, CHUNK));
		id = ++e->n_slab;
	}
	chunk = g_ptr_array_index(e->slab, (id - 1) / CHUNK);
	e->free_account = e->free_account ? chunk[(id - 1) % CHUNK].next : 0;
	memset(&chunk[(id - 1) % CHUNK], 0, sizeof *chunk);
	chunk[(id - 1) % CHUNK].id = id;
	return &chunk[(id - 1) % CHUNK];
}

/* ---- queues: intrusive, first in first out ------------------------------------ */

/* It is in one queue at a time: who waits for a port does so again when this is over. */
void queue_push(struct reg_engine *e, struct reg_queue *q, struct reg_account *a)
{
	ports_unwait(e, a);
	a->next = 0;
	a->prev = q->tail;
	if (q->tail)
		account_at(e, q->tail)->next = a->id;
	else
		q->head = a->id;
	q->tail = a->id;
	q->n++;
}

struct reg_account *queue_pop(struct reg_engine *e, struct reg_queue *q)
{
	struct reg_account *a = account_at(e, q->head);

	if (!a)
		return NULL;
	q->head = a->next;
	if (q->head)
		account_at(e, q->head)->prev = 0;
	else
		q->tail = 0;
	q->n--;
	a->next = 0;
	return a;
}

void queue_remove(struct reg_engine *e, struct reg_queue *q, struct reg_account *a)
{
	struct reg_account *before = account_at(e, a->prev), *after = account_at(e, a->next);

	if (before)
		before->next = a->next;
	else
		q->head = a->next;
	if (after)
		after->prev = a->prev;
	else
		q->tail = a->prev;
	q->n--;
	a->next = a->prev = 0;
}

void members_init(struct reg_members *m)
{
	m->id = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	m->holes = m->walks = 0;
}

void members_clear(struct reg_members *m)
{
	g_array_free(m->id, TRUE);
}

uint32_t members_add(struct reg_engine *e, struct reg_members *m, struct reg_account *a,
		     bool served)
{
	if (!m->walks && m->holes > 64 && m->holes > m->id->len / 2) {
		uint32_t n = 0;

		for (uint32_t i = 0; i < m->id->len; i++) {
			uint32_t id = g_array_index(m->id, uint32_t, i);
			struct reg_account *x = account_at(e, id);

			if (!x)
				continue;
			*(served ? &x->in_served : &x->in_set) = n;
			g_array_index(m->id, uint32_t, n++) = id;
		}
		g_array_set_size(m->id, n);
		m->holes = 0;
	}
	g_array_append_val(m->id, a->id);
	return m->id->len - 1;
}

void members_remove(struct reg_members *m, uint32_t at)
{
	g_array_index(m->id, uint32_t, at) = 0;
	m->holes++;
}

/* ---- an account ------------------------------------------------------------------ */

const struct conf_gateway *account_gateway(const struct reg_account *a)
{
	return &a->gen->conf->gateway;
}

const char *account_name(const struct reg_account *a)
{
	return a->conf->row.name;
}

/* Account, server and attempt in one number, so that a late answer still tells
 * where it came from.  Server ids wrap at 2^20, attempts at 2^16. */
uint64_t account_token(struct reg_account *a, uint32_t server)
{
	return (uint64_t)a->id << 36 | (uint64_t)(server & 0xfffff) << 16 | ++a->attempt;
}

/* The set its requests go through: the outbound one, else the serving group's. */
static const char *set_name_of(const struct conf *c, const struct conf_account *row)
{
	uint32_t set = row->outbound != CONF_NONE ? row->outbound : c->ip_group[row->serving].set;

	return set == CONF_NONE ? NULL : c->proxy_set[set].row.name;
}

static void slots_new(struct reg_engine *e, struct reg_account *a, struct reg_link *old,
		      const struct policy_chain *was)
{
	size_t size = a->chain->n * sizeof *a->link + a->chain->slot_bytes;

	a->link = a->chain->n ? g_malloc0(size) : NULL;
	for (unsigned i = 0; i < a->chain->n; i++) {
		const struct rg_policy *p = link_policy(a, i);
		unsigned k = 0;

		a->link[i].wake = RG_NEVER;
		while (was && k < was->n && strcmp(was->link[k].p->m.name, p->m.name))
			k++;
		if (was && k < was->n && was->link[k].p->slot_version == p->slot_version &&
		    was->link[k].p->slot_size == p->slot_size) {
			a->link[i].wake = old[k].wake;
			memcpy(link_slot(a, i), (char *)(old + was->n) + was->link[k].slot,
			       p->slot_size);
		}
	}
	(void)e;
}

static struct reg_group *share_group(const struct reg_account *a, uint8_t by)
{
	return by == RG_BY_SERVING ? a->serving : by == RG_BY_NONE ? NULL : a->served;
}

static void shares(struct reg_engine *e, struct reg_account *a, bool join)
{
	for (unsigned i = 0; i < a->chain->n; i++) {
		struct reg_group *g = share_group(a, link_policy(a, i)->group);

		if (join && g)
			a->link[i].share = share_join(e, link_policy(a, i), g, a);
		if (!join && a->link[i].share) {
			chain_leave(e, a, i);
			share_leave(e, a->link[i].share, a);
			a->link[i].share = NULL;
		}
	}
}

/* Bindings are counted per set, too. */
static void count_in_set(struct reg_account *a, uint32_t by)
{
	int rank = a->set && a->registrar ? set_rank(a->set, a->registrar) : -1;

	if (rank >= 0)
		a->set->bound[rank] += by;
}

/* Where the row says it belongs. */
static void settle(struct reg_engine *e, struct reg_account *a)
{
	const struct conf *c = a->gen->conf;
	const char *set = set_name_of(c, a->conf);
	const char *served = a->conf->served != CONF_NONE ? c->ip_group[a->conf->served].row.name
							   : NULL;
	char trunk[32];

	a->set = set ? set_named(e, set) : NULL;
	a->serving = group_named(e, c->ip_group[a->conf->serving].row.name);
	if (!served && a->conf->trunk != CONF_NONE) {
		snprintf(trunk, sizeof trunk, "trunk group %u",
			 c->trunk_group[a->conf->trunk].id);
		served = trunk;
	}
	a->served = served ? group_named(e, served) : NULL;
	if (a->set) {
		a->set->refs++;
		a->in_set = members_add(e, &a->set->members, a, false);
		count_in_set(a, 1);
	}
	a->serving->refs++;
	if (a->served) {
		a->served->refs++;
		a->in_served = members_add(e, &a->served->members, a, true);
	}
}

static void unsettle(struct reg_account *a)
{
	if (a->set) {
		count_in_set(a, UINT32_MAX);
		members_remove(&a->set->members, a->in_set);
		a->set->refs--;
	}
	a->serving->refs--;
	if (a->served) {
		members_remove(&a->served->members, a->in_served);
		a->served->refs--;
	}
	a->set = NULL;
	a->serving = a->served = NULL;
}

static void draw(struct reg_engine *e, void *buf, size_t n)
{
	e->opt.random(buf, n);
}

struct reg_account *account_new(struct reg_engine *e, struct reg_gen *gen, uint32_t pos)
{
	struct reg_account *a = slab_take(e);

	a->gen = gen;
	gen_use(gen);
	a->conf = &gen->conf->account[pos];
	a->chain = gen->policy->of[pos];
	a->next_at = a->later_at = a->expires_at = a->heir_at = RG_NEVER;
	a->reason = "";
	a->state = RG_IDLE;
	draw(e, a->dialogue.id, sizeof a->dialogue.id);
	draw(e, &a->seed, sizeof a->seed);
	draw(e, &a->attempt, sizeof a->attempt); /* not where a former owner of the id was */
	settle(e, a);
	index_add(e, a);
	slots_new(e, a, NULL, NULL);
	shares(e, a, true);
	e->order[pos] = a->id;
	e->counts.accounts++;
	e->counts.by_state[a->state]++;
	return a;
}

static bool same_place(const struct reg_account *a, const struct reg_gen *gen, uint32_t pos)
{
	const struct conf_account *to = &gen->conf->account[pos];
	const char *set = set_name_of(gen->conf, to);

	return !strcmp(a->serving->name, gen->conf->ip_group[to->serving].row.name) &&
	       (a->set ? set && !strcmp(a->set->name, set) : !set) &&
	       (to->served != CONF_NONE
			? a->served && !strcmp(a->served->name,
					       gen->conf->ip_group[to->served].row.name)
			: !a->served || a->conf->served == CONF_NONE);
}

static bool same_slots(const struct policy_chain *x, const struct policy_chain *y)
{
	if (x == y)
		return true;
	if (x->n != y->n || x->slot_bytes != y->slot_bytes)
		return false;
	for (unsigned i = 0; i < x->n; i++)
		if (x->link[i].p != y->link[i].p || x->link[i].slot != y->link[i].slot)
			return false;
	return true;
}

bool account_move(struct reg_engine *e, struct reg_account *a, struct reg_gen *gen, uint32_t pos)
{
	const struct policy_chain *was = a->chain;
	struct reg_link *old = a->link;
	bool stays = same_place(a, gen, pos), fits = same_slots(was, gen->policy->of[pos]);
	bool index = a->conf->row.index == gen->conf->account[pos].row.index &&
		     a->conf->reg == gen->conf->account[pos].reg;

	if (!stays || !fits || !index)
		shares(e, a, false);
	if (!stays) {
		round_cancel(e, a);
		index_remove(e, a);
		unsettle(a);
		a->tried = a->forbade = 0; /* of the servers it has left */
		a->rounds = a->forbidden = 0;
	}
	if (!fits)
		a->n_mark = 0; /* they name policies by their place */
	gen_use(gen);
	gen_leave(e, a->gen);
	a->gen = gen;
	a->conf = &gen->conf->account[pos];
	a->chain = gen->policy->of[pos];
	if (!stays) {
		settle(e, a);
		index_add(e, a);
	} else {
		index_update(e, a);
	}
	if (!fits) {
		slots_new(e, a, old, was);
		g_free(old);
	}
	if (!stays || !fits || !index)
		shares(e, a, true);
	return stays;
}

void account_dies(struct reg_engine *e, struct reg_account *a)
{
	a->dying = true;
	shares(e, a, false);
}

void account_free(struct reg_engine *e, struct reg_account *a)
{
	struct reg_account *heir = account_at(e, a->heir);
	uint32_t id = a->id;

	round_cancel(e, a);
	round_goodbye_over(e, a);
	index_remove(e, a);
	park_drop(e, a);
	limit_drop(e, a->id);
	subscription_free(e, a);
	ports_release(e, a);
	rg_timer_stop(e->timers, &a->timer);
	shares(e, a, false);
	if (a->registrar) {
		struct reg_server *s = server_at(e, a->registrar);

		if (s) {
			s->bound_ids ^= a->id;
			server_bound(e, s, -1);
		}
		e->counts.registered--;
	}
	unsettle(a);
	e->port->drop(e->port->arg, &a->dialogue);
	g_free(a->link);
	g_free(a->penalty);
	e->counts.accounts--;
	e->counts.by_state[a->state]--;
	gen_leave(e, a->gen);
	explicit_bzero(a, sizeof *a);
	a->next = e->free_account;
	e->free_account = id;
	if (heir)
		fsm_inherit(e, heir);
}

void account_view(struct reg_engine *e, struct reg_account *a, struct rg_view *v,
		  struct rg_account *acc)
{
	policy_account(a->gen->conf, (uint32_t)(a->conf - a->gen->conf->account), acc);
	acc->serving = a->serving->id;
	acc->served = a->served && a->conf->served != CONF_NONE ? a->served->id : 0;
	*v = (struct rg_view){
		.now = rg_now(e->timers), .acc = acc, .state = a->state,
		.served = a->served ? a->served->health : RG_UP,
		.trunk = a->served && a->conf->trunk != CONF_NONE ? a->served->health : RG_UP,
		.port = a->port, .registrar = a->registrar, .refused = a->refused,
		.bound_at = a->bound_at, .expires_at = a->expires_at, .seed = a->seed,
	};
	if (a->set) {
		v->srv = a->set->view;
		v->nsrv = a->set->n;
		v->working = set_working(a->set);
	}
}

static void due(void *arg)
{
	struct reg_account *a = arg;

	fsm_timer(a->serving->e, a);
}

void account_timer(struct reg_engine *e, struct reg_account *a)
{
	rg_ms at = MIN(MIN(a->next_at, a->later_at), a->heir_at);

	if (a->registrar)
		at = MIN(at, a->expires_at);
	for (unsigned i = 0; i < a->chain->n; i++)
		at = MIN(at, a->link[i].wake);
	if (at == RG_NEVER)
		rg_timer_stop(e->timers, &a->timer);
	else if (at != rg_timer_at(e->timers, &a->timer))
		rg_timer_set(e->timers, &a->timer, at, due, a);
}

void account_note(struct reg_engine *e, struct reg_account *a, uint8_t from, uint8_t to)
{
	struct reg_note *n = &a->note[a->note_at];

	n->at_s = (uint32_t)(rg_now(e->timers) / 1000);
	n->code_from_to = (uint16_t)((a->last_code & 0x3ff) << 6 | from << 3 | to);
	n->server = (uint16_t)a->registrar;
	a->note_at = (uint8_t)((a->note_at + 1) % REG_TRANSITIONS);
	if (a->n_note < REG_TRANSITIONS)
		a->n_note++;
	a->renewals = 0;
}

/* Until when the server asked this account to stay away; 0: it did not. */
rg_ms account_barred(const struct reg_account *a, uint32_t server, rg_ms now)
{
	for (unsigned i = 0; i < a->penalties; i++)
		if (a->penalty[i].server == server && a->penalty[i].until > now)
			return a->penalty[i].until;
	return 0;
}

void account_bar(struct reg_account *a, uint32_t server, rg_ms until)
{
	unsigned i = 0;

	while (i < a->penalties && a->penalty[i].server != server)
		i++;
	if (i == a->penalties) {
		if (i == RG_SERVERS)
			return;
		a->penalty = g_renew(struct reg_penalty, a->penalty, ++a->penalties);
	}
	a->penalty[i] = (struct reg_penalty){ server, until };
}

/* Forget what is over. */
void account_pardon(struct reg_account *a, rg_ms now)
{
	uint8_t n = 0;

	for (unsigned i = 0; i < a->penalties; i++)
		if (a->penalty[i].until > now)
			a->penalty[n++] = a->penalty[i];
	a->penalties = n;
	if (n)
		return;
	g_free(a->penalty);
	a->penalty = NULL;
}
