/*
 * set.c -- proxy sets: the servers of one, in configured or resolved order.  The
 * list is one array, shared by the views of all accounts of the set.
 */
#include "reg/reg.h"

#include <string.h>

const struct conf_proxy_set *set_conf(const struct reg_set *set)
{
	return set->pos == CONF_NONE ? NULL : &set->e->gen->conf->proxy_set[set->pos];
}

struct reg_set *set_named(struct reg_engine *e, const char *name)
{
	return g_hash_table_lookup(e->set_by_name, name);
}

int set_rank(const struct reg_set *set, uint32_t server)
{
	for (uint32_t i = 0; i < set->n; i++)
		if (set->view[i].id == server)
			return (int)i;
	return -1;
}

uint32_t set_registrars(const struct reg_set *set)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < set->n; i++)
		n += (set->view[i].roles & RG_REGISTRAR) != 0;
	return n;
}

/* "Working": the first that keep-alive has not found down and that did not fail the
 * group's last attempt; 0 if none is. */
uint32_t set_working(const struct reg_set *set)
{
	for (uint32_t i = 0; i < set->n; i++)
		if (set->view[i].roles & RG_REGISTRAR && set->view[i].health != RG_DOWN &&
		    !set->view[i].failed)
			return set->view[i].id;
	return 0;
}

void set_failed(struct reg_engine *e, struct reg_set *set, uint32_t server, bool failed)
{
	int rank = set_rank(set, server);
	bool all = true;

	(void)e;
	if (rank < 0)
		return;
	set->view[rank].failed = failed;
	for (uint32_t i = 0; i < set->n; i++)
		all &= set->view[i].failed || set->view[i].health == RG_DOWN;
	for (uint32_t i = 0; all && i < set->n; i++) /* once all have failed, all count again */
		set->view[i].failed = false;
}

void set_health(struct reg_engine *e, struct reg_set *set, struct reg_server *s)
{
	int rank = set_rank(set, s->id);
	struct rg_event ev = { .type = RG_EV_HEALTH, .server = s->id, .code = s->health };

	if (rank < 0)
		return;
	set->view[rank].health = s->health;
	if (s->health == RG_UP)
		set->view[rank].failed = false;
	for (guint i = 0; i < set->groups->len; i++)
		group_status(e, g_ptr_array_index(set->groups, i));
	walk_members(e, &set->members, &ev);
	if (s->health == RG_DOWN && e->gen->conf->gateway.register_on_server_down)
		walk_bound(e, &set->members, s->id, RG_DO_RESTART);
}

/* ---- the list ---------------------------------------------------------------------- */

struct entry {
	struct reg_server *s;
	uint32_t ip;
	uint16_t priority, weight;
	bool has_priority;
	rg_ms ttl_until;
};

static void entry_add(struct reg_set *set, GArray *l, uint32_t ip, const struct rg_addr *addr,
		      uint16_t priority, uint16_t weight, bool has, rg_ms until)
{
	const struct conf *c = set->e->gen->conf;
	const struct conf_proxy_set *ps = set_conf(set);
	const struct conf_proxy_ip *p = &c->proxy_ip[ip];
	struct entry x = { .ip = ip, .priority = priority, .weight = weight,
			   .has_priority = has, .ttl_until = until };
	uint32_t at = addr->family == 6 ? ps->interface6 : ps->interface;
	const char *interface = at == CONF_NONE ? "" : c->sip_interface[at].row.name;
	char tls_name[RG_TLS_NAME] = "";

	if (l->len == RG_SERVERS)
		return;
	if (addr->transport == RG_TLS)
		rg_tls_name(p->host, ps->tls_context, tls_name);
	x.s = server_get(set->e, addr, interface, tls_name);
	for (guint i = 0; i < l->len; i++)
		if (g_array_index(l, struct entry, i).s == x.s) {
			server_put(set->e, x.s);
			return;
		}
	g_array_append_val(l, x);
}

static gint by_priority(gconstpointer a, gconstpointer b)
{
	const struct entry *x = a, *y = b;

	return (int)x->priority - (int)y->priority;
}

/* An IPv6 address out of DNS is left out where there is no way to one. */
bool set_reachable(const struct reg_set *set, const struct rg_addr *addr)
{
	const struct reg_port *port = set->e->port;
	struct rg_addr local;

	return addr->family != 6 ||
	       port->local(port->arg, set_conf(set)->interface6, 0, addr, &local);
}

static void entries(struct reg_set *set, GArray *l)
{
	const struct conf *c = set->e->gen->conf;
	const struct conf_proxy_set *ps = set_conf(set);
	bool any = false;

	for (uint32_t i = ps ? ps->first_ip : 0; ps && i < ps->first_ip + ps->n_ip; i++) {
		const struct conf_proxy_ip *p = &c->proxy_ip[i];

		if (p->addr.family) {
			entry_add(set, l, i, &p->addr, p->priority, p->weight, p->has_priority,
				  RG_NEVER);
			any |= p->has_priority;
			continue;
		}
		for (uint32_t k = 0; k < set->n_names; k++) {
			struct reg_name *n = &set->names[k];

			for (uint32_t m = 0; n->ip == i && !n->registrar && m < n->n; m++)
				if (set_reachable(set, &n->addr[m].addr))
					entry_add(set, l, i, &n->addr[m].addr,
						  p->has_priority ? p->priority :
								    n->addr[m].priority,
						  p->has_priority ? p->weight :
								    n->addr[m].weight,
						  p->has_priority,
						  n->answered_at +
							  1000 * (rg_ms)n->addr[m].ttl);
		}
	}
	if (any) /* listed order within one priority: the sort must be stable */
		for (guint i = 1; i < l->len; i++)
			for (guint k = i; k && by_priority(&g_array_index(l, struct entry, k - 1),
							   &g_array_index(l, struct entry, k)) > 0;
			     k--) {
				struct entry x = g_array_index(l, struct entry, k);

				g_array_index(l, struct entry, k) =
					g_array_index(l, struct entry, k - 1);
				g_array_index(l, struct entry, k - 1) = x;
			}
}

static void use_conf(struct reg_server *s, const struct conf_proxy_set *ps, uint32_t cap)
{
	s->window_max = ps->register_window ? ps->register_window : 1024;
	if (cap && s->window_max > cap)
		s->window_max = cap;
	if (s->window > s->window_max)
		s->window = s->window_max;
}

/* Marks by rank in the list that was; to: the ranks in the list that is, -1: none. */
static uint64_t marks_moved(uint64_t marks, const int *to, uint32_t n)
{
	uint64_t out = 0;

	for (uint32_t k = 0; marks && k < n; k++, marks >>= 1)
		if (marks & 1 && to[k] >= 0)
			out |= (uint64_t)1 << to[k];
	return out;
}

/* The list has changed: what accounts know of its servers by rank moves along, and those
 * that stayed bound to one while it was not in the list count there again. */
static void members_follow(struct reg_set *set, const struct rg_server *old, uint32_t n)
{
	int to[RG_SERVERS], at;
	uint64_t back = 0;

	for (uint32_t k = 0; k < n; k++)
		to[k] = set_rank(set, old[k].id);
	for (uint32_t i = 0; i < set->n; i++)
		back |= (uint64_t)(set->srv[i]->bound != 0) << i;
	for (uint32_t k = 0; k < n; k++)
		if (to[k] >= 0)
			back &= ~((uint64_t)1 << to[k]);
	for (guint i = 0; i < set->members.id->len; i++) {
		struct reg_account *a =
			account_at(set->e, g_array_index(set->members.id, uint32_t, i));

		if (!a)
			continue;
		a->tried = marks_moved(a->tried, to, n);
		a->forbade = marks_moved(a->forbade, to, n);
		at = back && a->registrar ? set_rank(set, a->registrar) : -1;
		if (at >= 0 && back >> at & 1)
			set->bound[at]++;
	}
}

/* Its REGISTERs go elsewhere: who is bound there does not wait for the next refresh. */
static void moved(struct reg_set *set, const struct reg_server *s, const struct rg_addr *was,
		  const struct rg_addr *home)
{
	if (was->family && home->family && !rg_addr_equal(was, home))
		walk_bound(set->e, &set->members, s->id, RG_DO_REFRESH);
}

/* Put the list together anew; true if the servers or their order changed. */
static bool rebuild(struct reg_set *set)
{
	struct reg_engine *e = set->e;
	GArray *l = g_array_new(FALSE, TRUE, sizeof(struct entry));
	struct rg_server *old = set->view;
	struct reg_server **old_srv = set->srv;
	struct rg_addr *old_home = set->home;
	uint32_t old_n = set->n, *old_bound = set->bound;
	bool changed;

	entries(set, l);
	e->stamp++;
	set->n = l->len;
	set->view = g_new0(struct rg_server, l->len + 1);
	set->srv = g_new0(struct reg_server *, l->len + 1);
	set->ip = g_renew(uint32_t, set->ip, l->len + 1);
	set->bound = g_new0(uint32_t, l->len + 1);
	set->home = g_new0(struct rg_addr, l->len + 1);
	changed = set->n != old_n;
	for (uint32_t i = 0; i < set->n; i++) {
		struct entry *x = &g_array_index(l, struct entry, i);
		const struct conf_proxy_ip *p = &e->gen->conf->proxy_ip[x->ip];
		bool known = false;

		set->srv[i] = x->s;
		set->ip[i] = x->ip;
		set->home[i] = registrar_address(set, x->ip, x->s);
		set->view[i] = (struct rg_server){
			.id = x->s->id, .rank = (uint16_t)i, .roles = p->roles,
			.health = x->s->health, .master = p->master,
			.transport = x->s->addr.transport, .priority = x->priority,
			.weight = x->weight, .ttl_until = x->ttl_until, .host = x->s->host,
		};
		for (uint32_t k = 0; k < old_n; k++)
			if (old[k].id == x->s->id) {
				set->view[i].failed = old[k].failed;
				set->bound[i] = old_bound[k];
				known = true;
				moved(set, x->s, &old_home[k], &set->home[i]);
			}
		changed |= !known || i >= old_n || old[i].id != x->s->id;
		if (!known)
			g_ptr_array_add(x->s->sets, set);
		use_conf(x->s, set_conf(set), e->opt.window_cap);
	}
	if (changed)
		members_follow(set, old, old_n);
	for (uint32_t k = 0; k < old_n; k++) {
		if (set_rank(set, old[k].id) < 0)
			g_ptr_array_remove(old_srv[k]->sets, set);
		server_put(e, old_srv[k]);
	}
	g_free(old);
	g_free(old_srv);
	g_free(old_bound);
	g_free(old_home);
	g_array_free(l, TRUE);
	return changed;
}

static void changed(struct reg_set *set)
{
	struct rg_event ev = { .type = RG_EV_SERVERS };

	for (guint i = 0; i < set->groups->len; i++)
		group_status(set->e, g_ptr_array_index(set->groups, i));
	walk_members(set->e, &set->members, &ev);
}

void set_renew(struct reg_set *set)
{
	if (!rebuild(set))
		return;
	keepalive_apply(set->e);
	changed(set);
}

/* ---- configuration -------------------------------------------------------------------- */

static struct reg_set *set_new(struct reg_engine *e, const char *name)
{
	struct reg_set *set = g_new0(struct reg_set, 1);

	set->e = e;
	set->id = ++e->ids;
	set->name = g_strdup(name);
	set->groups = g_ptr_array_new();
	members_init(&set->members);
	g_ptr_array_add(e->set, set);
	g_hash_table_insert(e->set_by_name, set->name, set);
	return set;
}

void set_clear(struct reg_engine *e, struct reg_set *set)
{
	set->pos = CONF_NONE;
	names_clear(set);
	rebuild(set);
	g_hash_table_remove(e->set_by_name, set->name);
	g_ptr_array_remove(e->set, set);
	g_queue_remove(&e->ring, set);
	members_clear(&set->members);
	g_ptr_array_free(set->groups, TRUE);
	g_free(set->view);
	g_free(set->srv);
	g_free(set->ip);
	g_free(set->bound);
	g_free(set->home);
	g_free(set->name);
	g_free(set);
}

/* Nobody answers any more those that wait for a name: they start again. */
static void release(struct reg_set *set)
{
	struct reg_account *a;

	if (set->resolving || set->answered)
		return;
	while ((a = queue_pop(set->e, &set->unresolved)))
		pace_queue(set->e, a);
}

/* e->gen is the new generation; was the configuration before, NULL at the start. */
void set_apply(struct reg_engine *e, const struct conf *was)
{
	const struct conf *c = e->gen->conf;

	for (guint i = 0; i < e->set->len; i++) {
		struct reg_set *set = g_ptr_array_index(e->set, i);

		set->pos = conf_proxy_set_find(c, set->name);
		if (set->pos == CONF_NONE) {
			names_clear(set); /* its rows are gone */
			release(set);
		}
	}
	for (uint32_t i = 0; i < c->n_proxy_set; i++) {
		struct reg_set *set = set_named(e, c->proxy_set[i].row.name);
		uint32_t was_pos = was ? conf_proxy_set_find(was, c->proxy_set[i].row.name)
				       : CONF_NONE;
		bool asks;

		if (!set)
			set = set_new(e, c->proxy_set[i].row.name);
		set->pos = i;
		asks = names_apply(set, was, was_pos);
		if (rebuild(set) && was)
			changed(set);
		if (asks)
			set_resolve(e, set, false);
		release(set);
	}
}
