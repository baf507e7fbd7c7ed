/*
 * source.c -- who sent it: groups by the addresses of their proxy sets.  What an address
 * stands for is found out once and kept until a set, a group or a DNS answer changes.
 */
#include "reg/routing.h"

#include <string.h>

#include "base/arena.h"

/* Where requests come from: an address at a SIP interface, with or without a port. */
struct reg_origin {
	const char *interface; /* interned */
	struct rg_addr addr;   /* port 0: any; no transport, no scope */
	GPtrArray *servers;    /* that have it */
	struct reg_group *group; /* NULL: none */
	uint32_t stamp;
};

/* A SIP interface. */
struct reg_place {
	const char *name; /* interned */
	struct reg_group *only; /* the one group whose set has no addresses; NULL: none, or more */
};

static guint origin_hash(gconstpointer p)
{
	const struct reg_origin *o = p;

	return rg_addr_hash(&o->addr) ^ (guint)((uintptr_t)o->interface >> 3);
}

static gboolean origin_equal(gconstpointer a, gconstpointer b)
{
	const struct reg_origin *x = a, *y = b;

	return x->interface == y->interface && rg_addr_equal(&x->addr, &y->addr);
}

static struct reg_origin key(const char *interface, const struct rg_addr *addr, bool port)
{
	struct reg_origin o = { .interface = interface, .addr = *addr };

	o.addr.transport = 0;
	if (!port)
		o.addr.port = 0;
	return o;
}

void source_add(struct reg_engine *e, struct reg_server *s)
{
	for (int port = 0; port < 2; port++) {
		struct reg_origin k = key(s->interface, &s->addr, port);
		struct reg_origin *o = g_hash_table_lookup(e->origins, &k);

		if (!o) {
			o = g_new(struct reg_origin, 1);
			*o = k;
			o->servers = g_ptr_array_new();
			g_hash_table_add(e->origins, o);
		}
		g_ptr_array_add(o->servers, s);
		s->origin[port] = o;
	}
	e->stamp++;
}

void source_remove(struct reg_engine *e, struct reg_server *s)
{
	for (int port = 0; port < 2; port++) {
		struct reg_origin *o = s->origin[port];

		g_ptr_array_remove_fast(o->servers, s);
		if (!o->servers->len)
			g_hash_table_remove(e->origins, o);
	}
	e->stamp++;
}

/* Of several the one with the lowest proxy set, then the first row; IP groups before trunk
 * groups. */
static bool before(const struct reg_group *a, const struct reg_group *b)
{
	if (!b)
		return true;
	if (a->set != b->set)
		return a->set->pos < b->set->pos;
	return a->trunk != b->trunk ? b->trunk : a->row < b->row;
}

static struct reg_group *group_at(struct reg_engine *e, struct reg_origin *o)
{
	if (o->stamp == e->stamp)
		return o->group;
	o->stamp = e->stamp;
	o->group = NULL;
	for (guint i = 0; i < o->servers->len; i++) {
		const struct reg_server *s = g_ptr_array_index(o->servers, i);

		for (guint k = 0; k < s->sets->len; k++) {
			const struct reg_set *set = g_ptr_array_index(s->sets, k);

			for (guint m = 0; set->pos != CONF_NONE && m < set->groups->len; m++) {
				struct reg_group *g = g_ptr_array_index(set->groups, m);

				if (g->row != CONF_NONE && before(g, o->group))
					o->group = g;
			}
		}
	}
	return o->group;
}

/* A request from an address that several groups have goes by the port. */
static struct reg_group *by_address(struct reg_engine *e, const char *interface,
				    const struct rg_addr *addr)
{
	struct reg_group *g = NULL;

	for (int port = 1; port >= 0 && !g; port--) {
		struct reg_origin k = key(interface, addr, port);
		struct reg_origin *o = g_hash_table_lookup(e->origins, &k);

		if (o)
			g = group_at(e, o);
	}
	return g;
}

const char *source_interface(const struct reg_engine *e, uint32_t interface)
{
	return interface < e->n_place ? e->place[interface].name : "";
}

struct reg_group *source_group(struct reg_engine *e, const struct reg_arrival *r,
			       const struct reg_account *of_token)
{
	struct reg_group *g;

	if (r->interface >= e->n_place)
		return NULL;
	if (of_token)
		return of_token->serving;
	g = by_address(e, e->place[r->interface].name, &r->source);
	return g ? g : e->place[r->interface].only;
}

uint32_t source_server(const struct reg_set *set, const struct rg_addr *source)
{
	for (uint32_t i = 0; set && i < set->n; i++)
		if (rg_addr_same_ip(&set->srv[i]->addr, source))
			return set->view[i].id;
	return 0;
}

struct reg_account *source_bound(struct reg_engine *e, uint32_t interface,
				 const struct rg_addr *source)
{
	struct reg_origin k = key(source_interface(e, interface), source, false);
	const struct reg_origin *o = g_hash_table_lookup(e->origins, &k);
	uint32_t n = 0, ids = 0;

	for (guint i = 0; o && i < o->servers->len && n < 2; i++) {
		const struct reg_server *s = g_ptr_array_index(o->servers, i);

		n += s->bound;
		ids ^= s->bound_ids;
	}
	return n == 1 ? account_at(e, ids) : NULL;
}

/* ---- configuration ------------------------------------------------------------------------ */

/* The row of an IP group or a trunk group asks its peer for credentials. */
static void credentials(const struct reg_engine *e, const struct reg_group *g,
			struct reg_source *s)
{
	const struct conf_ip_group *row;

	if (g->trunk)
		return;
	row = &e->gen->conf->ip_group[g->row];
	if (row->authentication_mode < 2)
		return;
	s->username = row->server_username;
	s->password = row->server_password;
	s->realm = *row->sip_group_name ? row->sip_group_name : row->row.name;
}

void reg_route_source(struct reg_engine *e, const struct reg_arrival *r, struct reg_source *s)
{
	struct reg_group *g = source_group(e, r, *r->token ? index_token(e, r->token) : NULL);

	*s = (struct reg_source){ .known = g != NULL, .group = "", .username = "",
				  .password = "", .realm = "" };
	if (e->gen)
		s->unknown = e->gen->conf->gateway.unknown_source_response;
	if (!g)
		return;
	s->group = g->name;
	if (g->row != CONF_NONE)
		credentials(e, g, s);
}

/* Groups whose proxy set is there to name a SIP interface: what comes to it from nowhere
 * else is theirs, if there is one such group. */
static void settle_places(struct reg_engine *e)
{
	bool *many = g_new0(bool, e->n_place + 1);

	for (guint i = 0; i < e->group->len; i++) {
		struct reg_group *g = g_ptr_array_index(e->group, i);
		const struct conf_proxy_set *ps = g->set ? set_conf(g->set) : NULL;

		if (g->row == CONF_NONE || !ps || ps->n_ip || ps->interface >= e->n_place)
			continue;
		many[ps->interface] |= e->place[ps->interface].only != NULL;
		e->place[ps->interface].only = g;
	}
	for (uint32_t i = 0; i < e->n_place; i++)
		if (many[i])
			e->place[i].only = NULL;
	g_free(many);
}

void source_apply(struct reg_engine *e)
{
	const struct conf *c = e->gen->conf;

	g_free(e->place);
	e->n_place = c->n_sip_interface;
	e->place = g_new0(struct reg_place, e->n_place + 1);
	for (uint32_t i = 0; i < e->n_place; i++)
		e->place[i].name = rg_arena_intern(e->names, c->sip_interface[i].row.name);
	settle_places(e);
	e->stamp++;
}

static void origin_free(gpointer arg)
{
	struct reg_origin *o = arg;

	g_ptr_array_free(o->servers, TRUE);
	g_free(o);
}

void source_init(struct reg_engine *e)
{
	e->origins = g_hash_table_new_full(origin_hash, origin_equal, origin_free, NULL);
	e->stamp = 1;
}

void source_clear(struct reg_engine *e)
{
	g_hash_table_destroy(e->origins);
	g_free(e->place);
}
