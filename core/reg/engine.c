/* engine.c -- the engine's beginning and end, and what is done to it by hand. */
#include "reg/reg.h"

#include <string.h>

#include "base/arena.h"
#include "base/random.h"

void gen_use(struct reg_gen *g)
{
	g->users++;
}

static void gen_free(struct reg_gen *g)
{
	policy_unref(g->policy);
	conf_unref(g->conf);
	g_free(g);
}

/* Plugins may be closed here, so it runs from the loop, never from below a hook. */
static void sweep(void *arg)
{
	struct reg_engine *e = arg;

	for (guint i = e->gens->len; i-- > 0;) {
		struct reg_gen *g = g_ptr_array_index(e->gens, i);

		if (g->users)
			continue;
		g_ptr_array_remove_index_fast(e->gens, i);
		gen_free(g);
	}
}

void gen_leave(struct reg_engine *e, struct reg_gen *g)
{
	if (!--g->users && !e->sweep.place)
		rg_timer_set(e->timers, &e->sweep, rg_now(e->timers), sweep, e);
}

/* The account stands in the upper half of a token, which g_int64_hash leaves out. */
static guint token_hash(gconstpointer key)
{
	uint64_t token = *(const uint64_t *)key;

	return (guint)((token >> 32 ^ token) * 2654435761u);
}

struct reg_engine *reg_engine_new(const struct reg_options *opt)
{
	struct reg_engine *e = g_new0(struct reg_engine, 1);

	e->opt = *opt;
	if (!e->opt.random)
		e->opt.random = rg_random;
	e->timers = opt->timers;
	e->port = opt->port;
	e->names = rg_arena_new();
	e->gens = g_ptr_array_new();
	e->slab = g_ptr_array_new_with_free_func(g_free);
	e->server = g_ptr_array_new();
	g_ptr_array_add(e->server, NULL); /* id 0 is nobody */
	e->server_by_addr = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	e->set = g_ptr_array_new();
	e->group = g_ptr_array_new();
	e->set_by_name = g_hash_table_new(g_str_hash, g_str_equal);
	e->group_by_name = g_hash_table_new(g_str_hash, g_str_equal);
	e->share = g_hash_table_new(g_str_hash, g_str_equal);
	e->believed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	e->trunk = g_hash_table_new(NULL, NULL);
	e->links = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	e->probes = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	e->pools = ports_new();
	e->subscribing = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	e->goodbyes = g_hash_table_new_full(token_hash, g_int64_equal, g_free, NULL);
	e->parked = g_hash_table_new(NULL, NULL);
	index_init(e);
	source_init(e);
	limit_init(e);
	g_queue_init(&e->ring);
	g_queue_init(&e->walks);
	return e;
}

static void clear_groups(struct reg_engine *e)
{
	for (guint i = 0; i < e->group->len; i++) {
		struct reg_group *g = g_ptr_array_index(e->group, i);

		members_clear(&g->members);
		g_ptr_array_free(g->pairs, TRUE);
		g_free(g->name);
		g_free(g);
	}
	g_ptr_array_free(e->group, TRUE);
}

static void walks_drop(struct reg_engine *e)
{
	struct reg_walk *w;

	while ((w = g_queue_pop_head(&e->walks))) {
		if (w->of)
			w->of->walks--;
		e->hands -= w->hand != NULL;
		g_free(w);
	}
	rg_timer_stop(e->timers, &e->walk);
}

void reg_engine_free(struct reg_engine *e)
{
	if (!e)
		return;
	walks_drop(e);
	for (uint32_t id = 1; id <= e->n_slab; id++) {
		struct reg_account *a = account_at(e, id);

		if (!a)
			continue;
		a->heir = 0;
		account_free(e, a);
	}
	while (e->set->len)
		set_clear(e, g_ptr_array_index(e->set, e->set->len - 1));
	index_clear(e);
	clear_groups(e);
	walks_drop(e);
	reg_plan_free(e->plan);
	rg_timer_stop(e->timers, &e->apply);
	rg_timer_stop(e->timers, &e->pump);
	rg_timer_stop(e->timers, &e->sweep);
	for (guint i = 0; i < e->gens->len; i++)
		gen_free(g_ptr_array_index(e->gens, i));
	g_ptr_array_free(e->gens, TRUE);
	g_ptr_array_free(e->slab, TRUE);
	g_ptr_array_free(e->server, TRUE);
	g_ptr_array_free(e->set, TRUE);
	g_hash_table_destroy(e->server_by_addr);
	g_hash_table_destroy(e->set_by_name);
	g_hash_table_destroy(e->group_by_name);
	g_hash_table_destroy(e->share);
	g_hash_table_destroy(e->believed);
	g_hash_table_destroy(e->trunk);
	g_hash_table_destroy(e->links);
	g_hash_table_destroy(e->probes);
	g_hash_table_destroy(e->goodbyes);
	g_hash_table_destroy(e->pools);
	g_hash_table_destroy(e->subscribing);
	g_hash_table_destroy(e->parked);
	source_clear(e);
	limit_clear(e);
	g_queue_clear(&e->ring);
	while (e->rounds_free) {
		g_free(e->rounds_free->data);
		e->rounds_free = g_slist_delete_link(e->rounds_free, e->rounds_free);
	}
	g_free(e->load);
	g_free(e->order);
	rg_arena_free(e->names);
	g_free(e);
}

/* ---- by hand ------------------------------------------------------------------------------- */

static void tell_action(struct reg_engine *e, struct reg_account *a, enum rg_verb verb)
{
	struct rg_event ev = { .type = RG_EV_ACTION, .code = (uint16_t)verb };

	fsm_tell(e, a, &ev);
}

static void by_hand_register(struct reg_engine *e, struct reg_account *a)
{
	a->by_hand = a->stopped = false;
	a->forbidden = 0;
	tell_action(e, a, RG_DO_RESTART);
	if (a->registrar)
		fsm_do(e, a, RG_DO_REFRESH);
	else if (a->state == RG_BACKOFF)
		fsm_do(e, a, RG_DO_RESTART);
}

static void by_hand_unregister(struct reg_engine *e, struct reg_account *a)
{
	a->by_hand = true;
	tell_action(e, a, RG_DO_UNREGISTER);
}

static void by_hand_refresh(struct reg_engine *e, struct reg_account *a)
{
	tell_action(e, a, RG_DO_REFRESH);
	if (a->registrar)
		fsm_do(e, a, RG_DO_REFRESH);
	else if (a->state == RG_BACKOFF)
		fsm_do(e, a, RG_DO_RESTART);
}

/* All of them take their time, and what comes after waits for its turn. */
static uint32_t each(struct reg_engine *e, const char *name,
		     void (*h)(struct reg_engine *, struct reg_account *))
{
	struct reg_account *a = name ? account_find(e, name) : NULL;
	uint32_t n = 0;

	if (a && a->dying)
		a = NULL;
	if (a && !e->hands)
		h(e, a);
	else if (a || !name)
		walk_hand(e, a ? a->id : 0, h);
	for (uint32_t pos = 0; !name && pos < e->n_order; pos++)
		n += account_at(e, e->order[pos]) != NULL;
	return n + (a != NULL);
}

uint32_t reg_engine_register(struct reg_engine *e, const char *name)
{
	return each(e, name, by_hand_register);
}

uint32_t reg_engine_unregister(struct reg_engine *e, const char *name)
{
	return each(e, name, by_hand_unregister);
}

uint32_t reg_engine_refresh(struct reg_engine *e, const char *name)
{
	return each(e, name, by_hand_refresh);
}

void reg_engine_unregister_all(struct reg_engine *e)
{
	each(e, NULL, by_hand_unregister);
}

uint32_t reg_engine_busy(const struct reg_engine *e)
{
	return e->busy;
}

void reg_engine_believe_server(struct reg_engine *e, const struct rg_addr *addr,
			       enum rg_health health)
{
	char text[RG_ADDR_TEXT];

	g_hash_table_insert(e->believed, g_strdup(rg_addr_text(addr, text)),
			    GUINT_TO_POINTER(health));
	for (guint i = 1; i < e->server->len; i++) {
		struct reg_server *s = g_ptr_array_index(e->server, i);

		if (!s || s->addr.port != addr->port || !rg_addr_same_ip(&s->addr, addr))
			continue;
		s->believed = true;
		rg_timer_stop(e->timers, &s->probe);
		server_health(e, s, health, health == RG_DOWN ? DOWN_PROBED : DOWN_NOT);
		for (guint k = 0; health == RG_UP && k < s->sets->len; k++)
			set_failed(e, g_ptr_array_index(s->sets, k), s->id, false);
	}
}
