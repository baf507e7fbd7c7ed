/*
 * group.c -- IP groups and trunk groups with their status; the accounts that share
 * a plugin's slot; and events on their way to many accounts, in slices.
 */
#include "reg/reg.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

struct reg_group *group_named(struct reg_engine *e, const char *name)
{
	struct reg_group *g = g_hash_table_lookup(e->group_by_name, name);
	gpointer health;

	if (g)
		return g;
	g = g_new0(struct reg_group, 1);
	g->e = e;
	g->id = ++e->ids;
	g->name = g_strdup(name);
	g->health = strncmp(name, TRUNK_GROUP, strlen(TRUNK_GROUP)) ? RG_UP : RG_UNKNOWN;
	g->trunk = g->health == RG_UNKNOWN;
	g->row = CONF_NONE;
	g->pairs = g_ptr_array_new();
	members_init(&g->members);
	if (g_hash_table_lookup_extended(e->believed, name, NULL, &health)) {
		g->believed = true;
		g->health = (uint8_t)GPOINTER_TO_UINT(health);
	}
	g_ptr_array_add(e->group, g);
	g_hash_table_insert(e->group_by_name, g->name, g);
	return g;
}

/* Using REGISTER looks at one server only. */
static bool told_by_keepalive(const struct conf_proxy_set *ps)
{
	return ps && ps->keepalive && ps->keepalive != KEEP_REGISTER;
}

/* Online is one server of its set up, with load balancing as many as it takes.  Without
 * keep-alive nothing is known, and it counts as online; with it, but before an answer,
 * nothing is known yet. */
void group_status(struct reg_engine *e, struct reg_group *g)
{
	const struct conf_proxy_set *ps = g->set ? set_conf(g->set) : NULL;
	struct rg_event ev = { .type = RG_EV_SERVED };
	uint8_t health = RG_DOWN;

	if (g->believed || g->trunk)
		return;
	if (!told_by_keepalive(ps))
		health = RG_UP;
	else if (!g->set->n)
		health = RG_UNKNOWN;
	for (uint32_t i = 0; told_by_keepalive(ps) && i < g->set->n; i++) {
		if (g->set->view[i].health == RG_UP)
			health = RG_UP;
		else if (g->set->view[i].health == RG_UNKNOWN && health == RG_DOWN)
			health = RG_UNKNOWN;
	}
	if (g->set && !balance_enough(g->set))
		health = RG_DOWN;
	if (health == g->health)
		return;
	if (g->members.id->len > g->members.holes)
		rg_notice("IP group %s is %s", g->name,
			  health == RG_UP ? "online" : health == RG_DOWN ? "offline" : "unknown");
	g->health = health;
	walk_members(e, &g->members, &ev);
}

bool reg_engine_believe_group(struct reg_engine *e, const char *name, enum rg_health health)
{
	struct reg_group *g = group_named(e, name);
	struct rg_event ev = { .type = RG_EV_SERVED };

	g_hash_table_insert(e->believed, g_strdup(name), GUINT_TO_POINTER(health));
	if (!g->believed) {
		g->believed = true;
		if (g->set)
			keepalive_apply(e);
	}
	if (g->health == health)
		return true;
	g->health = (uint8_t)health;
	walk_members(e, &g->members, &ev);
	return true;
}

void group_on(struct reg_engine *e, struct reg_group *g, uint32_t set)
{
	if (set != CONF_NONE)
		g->set = set_named(e, e->gen->conf->proxy_set[set].row.name);
	if (g->set)
		g_ptr_array_add(g->set->groups, g);
}

/* e->gen is the new generation, the sets have moved. */
void group_apply(struct reg_engine *e, const struct conf *was)
{
	const struct conf *c = e->gen->conf;

	(void)was;
	for (guint i = 0; i < e->group->len; i++) {
		struct reg_group *g = g_ptr_array_index(e->group, i);

		if (g->set)
			g_ptr_array_remove(g->set->groups, g);
		g->set = NULL;
		g->row = CONF_NONE;
	}
	for (uint32_t i = 0; i < c->n_ip_group; i++) {
		const struct conf_ip_group *row = &c->ip_group[i];
		struct reg_group *g = group_named(e, row->row.name);

		g->row = i;
		group_on(e, g, row->set);
		group_status(e, g);
	}
	trunk_apply(e);
}

/* ---- sharing ------------------------------------------------------------------------- */

static bool may_be_first(const struct reg_account *a)
{
	return a->conf->reg != RG_REG_NO && !a->conf->withheld;
}

/* Is it, or is it to be, the first?  Whoever may not be one changes nothing. */
static bool concerns_first(const struct reg_share *s, const struct reg_account *a)
{
	return s->first_id == a->id ||
	       (may_be_first(a) && (!s->first_id || a->conf->row.index < s->pub.first));
}

/* The lowest index that registers. */
static void first(struct reg_engine *e, struct reg_share *s)
{
	struct rg_group was = s->pub;
	struct reg_account *f = NULL;

	for (guint i = 0; i < s->member->len && !f; i++) {
		f = account_at(e, g_array_index(s->member, uint32_t, i));
		if (!may_be_first(f))
			f = NULL;
	}
	s->first_id = f ? f->id : 0;
	s->pub.first = f ? f->conf->row.index : UINT32_MAX;
	s->pub.first_registrar = f ? f->registrar : 0;
	s->pub.first_state = f ? f->state : RG_IDLE;
	if (was.first != s->pub.first || was.first_registrar != s->pub.first_registrar)
		walk_share(e, s);
}

/* Where it stands among the members, or belongs; of those with one index, which there may
 * be while a reload is on its way, where it stands. */
static guint place_of(struct reg_engine *e, const struct reg_share *s, const struct reg_account *a)
{
	guint low = 0, high = s->member->len;

	while (low < high) {
		guint mid = (low + high) / 2;
		uint32_t id = g_array_index(s->member, uint32_t, mid);

		if (account_at(e, id)->conf->row.index < a->conf->row.index)
			low = mid + 1;
		else
			high = mid;
	}
	for (guint i = low; i < s->member->len; i++) {
		uint32_t id = g_array_index(s->member, uint32_t, i);

		if (id == a->id)
			return i;
		if (account_at(e, id)->conf->row.index != a->conf->row.index)
			break;
	}
	return low;
}

struct reg_share *share_join(struct reg_engine *e, const struct rg_policy *p,
			     struct reg_group *g, struct reg_account *a)
{
	/* a replaced plugin may have another idea of what is in there */
	char *key = g_strdup_printf("%s %u %u %u", p->m.name, p->slot_version, p->gslot_size,
				    g->id);
	struct reg_share *s = g_hash_table_lookup(e->share, key);
	uint32_t i;

	if (!s) {
		s = g_new0(struct reg_share, 1);
		s->key = key;
		s->pub.id = g->id;
		s->member = g_array_new(FALSE, FALSE, sizeof(uint32_t));
		s->slot = g_malloc0(p->gslot_size ? p->gslot_size : 1);
		g_hash_table_insert(e->share, key, s);
	} else {
		g_free(key);
	}
	i = place_of(e, s, a);
	g_array_insert_val(s->member, i, a->id);
	s->pub.members++;
	s->pub.bound += a->registrar != 0;
	s->pub.failed += a->failing;
	if (concerns_first(s, a))
		first(e, s); /* nobody may move for long: all may be held */
	return s;
}

/* Whoever stands behind moves forward: nobody is passed over. */
static void walk_shift(struct reg_engine *e, const struct reg_share *s, guint from)
{
	for (GList *l = s->told ? e->walks.head : NULL; l; l = l->next) {
		struct reg_walk *w = l->data;

		if (w->share == s && w->at > from)
			w->at--;
	}
}

void share_leave(struct reg_engine *e, struct reg_share *s, struct reg_account *a)
{
	guint at = place_of(e, s, a);

	g_array_remove_index(s->member, at);
	walk_shift(e, s, at);
	s->pub.members--;
	s->pub.bound -= a->registrar != 0;
	s->pub.failed -= a->failing;
	if (s->first_id == a->id)
		first(e, s);
	if (s->member->len)
		return;
	for (GList *l = e->walks.head, *next; l; l = next) {
		struct reg_walk *w = l->data;

		next = l->next;
		if (w->share == s) {
			g_free(w);
			g_queue_delete_link(&e->walks, l);
		}
	}
	g_hash_table_remove(e->share, s->key);
	g_array_free(s->member, TRUE);
	g_free(s->slot);
	g_free(s->key);
	g_free(s);
}

void share_bound(struct reg_engine *e, struct reg_account *a, bool bound)
{
	for (unsigned i = 0; i < a->chain->n; i++)
		if (a->link[i].share)
			a->link[i].share->pub.bound += bound ? 1u : UINT32_MAX;
	if (bound) /* whatever took its trunk group out of service is over */
		trunk_service(e, a, true);
	share_moved(e, a);
}

/* Its round brought nothing, or it is bound after all.  A trunk group is told when that
 * makes all of its accounts failing, or no more all. */
static void share_failing(struct reg_engine *e, struct reg_account *a, bool failing)
{
	a->failing = failing;
	for (unsigned i = 0; i < a->chain->n; i++) {
		struct reg_share *s = a->link[i].share;
		bool all;

		if (!s)
			continue;
		all = s->pub.failed == s->pub.members;
		s->pub.failed += failing ? 1u : UINT32_MAX;
		if (link_policy(a, i)->group == RG_BY_TRUNK &&
		    all != (s->pub.failed == s->pub.members))
			walk_share(e, s);
	}
}

/* The account's state or registrar changed: of interest if it is its group's first. */
void share_moved(struct reg_engine *e, struct reg_account *a)
{
	bool fails = a->state == RG_BACKOFF || (a->state == RG_HELD && a->stopped);

	if (!a->failing && fails)
		share_failing(e, a, true);
	else if (a->failing && (a->state == RG_BOUND || a->state == RG_IDLE))
		share_failing(e, a, false);
	for (unsigned i = 0; i < a->chain->n; i++) {
		struct reg_share *s = a->link[i].share;

		if (s && concerns_first(s, a))
			first(e, s);
	}
}

/* ---- walks --------------------------------------------------------------------------- */

static void walk_one(struct reg_engine *e, struct reg_walk *w, uint32_t id)
{
	struct reg_account *a = account_at(e, id);

	if (!a || a->dying || (w->received && strcmp(a->conf->contact_address, "received")))
		return;
	if (w->hand) {
		w->hand(e, a);
		return;
	}
	if (w->bound_at) {
		if (w->bound_at == WALK_UNBOUND ? !a->registrar && a->state == RG_BACKOFF
						: a->registrar == w->bound_at)
			fsm_do(e, a, w->verb);
		return;
	}
	if (chain_hears(a))
		fsm_tell(e, a, &w->ev);
}

/* The account that it comes to next; false: it is through. */
static bool walk_next(struct reg_walk *w, uint32_t *id)
{
	GArray *ids = w->share ? w->share->member : w->of ? w->of->id : NULL;

	if (w->at >= (ids ? ids->len : w->end))
		return false;
	*id = ids ? g_array_index(ids, uint32_t, w->at) : w->at + 1;
	w->at++;
	return true;
}

static void walk(void *arg)
{
	struct reg_engine *e = arg;
	struct reg_slice slice = slice_begin(e);

	while (!g_queue_is_empty(&e->walks)) {
		struct reg_walk *w = g_queue_peek_head(&e->walks);
		uint32_t id;

		if (!walk_next(w, &id)) {
			if (w->share && w->share->again) {
				w->share->again = false;
				w->at = 0;
				break; /* the next slice is a moment later */
			}
			if (w->of)
				w->of->walks--;
			if (w->share)
				w->share->told = false;
			e->hands -= w->hand != NULL;
			g_queue_pop_head(&e->walks);
			g_free(w);
			continue;
		}
		walk_one(e, w, id);
		if (slice_over(&slice))
			break;
	}
	if (!g_queue_is_empty(&e->walks))
		rg_timer_set(e->timers, &e->walk, rg_now(e->timers) + 1, walk, e);
}

static void walk_push(struct reg_engine *e, struct reg_walk *w)
{
	g_queue_push_tail(&e->walks, w);
	if (!e->walk.place)
		rg_timer_set(e->timers, &e->walk, rg_now(e->timers), walk, e);
}

static struct reg_walk *walk_of(struct reg_engine *e, struct reg_members *m)
{
	struct reg_walk *w = g_new0(struct reg_walk, 1);

	w->of = m;
	m->walks++;
	walk_push(e, w);
	return w;
}

void walk_members(struct reg_engine *e, struct reg_members *m, const struct rg_event *ev)
{
	if (m->id->len > m->holes)
		walk_of(e, m)->ev = *ev;
}

void walk_bound(struct reg_engine *e, struct reg_members *m, uint32_t server, enum rg_verb verb)
{
	struct reg_walk *w;

	if (m->id->len == m->holes)
		return;
	w = walk_of(e, m);
	w->bound_at = server;
	w->verb = (uint8_t)verb;
}

void walk_received(struct reg_engine *e, struct reg_members *m, uint32_t server)
{
	struct reg_walk *w;

	if (m->id->len == m->holes)
		return;
	w = walk_of(e, m);
	w->bound_at = server;
	w->verb = RG_DO_REFRESH;
	w->received = true;
}

void walk_hand(struct reg_engine *e, uint32_t only,
	       void (*hand)(struct reg_engine *, struct reg_account *))
{
	struct reg_walk *w = g_new0(struct reg_walk, 1);

	w->hand = hand;
	w->at = only ? only - 1 : 0;
	w->end = only ? only : e->n_slab;
	e->hands++;
	walk_push(e, w);
}

/* Members are told once, however often it is asked for before they are; those who had
 * been, once more. */
void walk_share(struct reg_engine *e, struct reg_share *s)
{
	struct reg_walk *w;

	if (s->told) {
		for (GList *l = e->walks.head; l; l = l->next) {
			w = l->data;
			s->again |= w->share == s && w->at;
		}
		return;
	}
	s->told = true;
	w = g_new0(struct reg_walk, 1);
	w->share = s;
	w->ev = (struct rg_event){ .type = RG_EV_GROUP };
	walk_push(e, w);
}

/* Counts the links of an interface that are down.  false: this "up" follows no "down". */
static bool link_counts(struct reg_engine *e, const char *interface, bool up)
{
	guint down = GPOINTER_TO_UINT(g_hash_table_lookup(e->links, interface));

	if (up && !down)
		return false;
	g_hash_table_insert(e->links, g_strdup(interface),
			    GUINT_TO_POINTER(up ? down - 1 : down + 1));
	return true;
}

static bool on_interface(const struct reg_set *set, const char *interface)
{
	const struct conf_proxy_set *ps = set_conf(set);
	const struct conf_sip_interface *all = set->e->gen->conf->sip_interface;

	if (!interface)
		return true;
	return ps && ps->interface != CONF_NONE &&
	       (!strcmp(all[ps->interface].row.name, interface) ||
		!strcmp(all[ps->interface6].row.name, interface));
}

void reg_engine_link(struct reg_engine *e, const char *interface, bool up)
{
	struct rg_event ev = { .type = RG_EV_LINK_UP };

	if (!link_counts(e, interface ? interface : "", up) || !up)
		return;
	/* Silence while the link was down says nothing about a server. */
	for (guint i = 1; i < e->server->len; i++) {
		struct reg_server *s = g_ptr_array_index(e->server, i);

		if (s && s->down == DOWN_SILENT && !s->believed &&
		    (!interface || !strcmp(s->interface, interface)))
			server_health(e, s, RG_UNKNOWN, DOWN_NOT);
	}
	for (guint i = 0; i < e->set->len; i++) {
		struct reg_set *set = g_ptr_array_index(e->set, i);

		if (on_interface(set, interface))
			walk_members(e, &set->members, &ev);
	}
}

/* What was registered from the old address is registered from the new one, and those that
 * had lost their way try again. */
void reg_engine_moved(struct reg_engine *e, const char *interface, bool four, bool six)
{
	for (guint i = 1; i < e->server->len; i++) {
		struct reg_server *s = g_ptr_array_index(e->server, i);

		if (!s || strcmp(s->interface, interface) || !(s->addr.family == 6 ? six : four))
			continue;
		if (s->down == DOWN_SILENT && !s->believed)
			server_health(e, s, RG_UNKNOWN, DOWN_NOT);
		for (guint k = 0; k < s->sets->len; k++) {
			struct reg_set *set = g_ptr_array_index(s->sets, k);

			walk_bound(e, &set->members, s->id, RG_DO_REFRESH);
		}
	}
	for (guint i = 0; i < e->set->len; i++) {
		struct reg_set *set = g_ptr_array_index(e->set, i);

		if (on_interface(set, interface))
			walk_bound(e, &set->members, WALK_UNBOUND, RG_DO_RESTART);
	}
}
