#include "sip/resolver.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

#include "sip/dnscache.h"

enum { SLICE = 256 /* lookups in one go */ };

TAILQ_HEAD(lookups, lookup);

struct view {
	struct dns_view dns;
	struct resolver *r;
	char *servers; /* as given; NULL: the first */
	unsigned uses; /* by interfaces and lookups */
};

/* A name that a lookup holds. */
struct use {
	struct dns_want want;
	struct dns_name *name;
};

/* A lookup that was not told yet. */
struct lookup {
	TAILQ_ENTRY(lookup) link; /* of the ready */
	struct resolver *r;
	struct reg_lookup l; /* host is ours */
	char *host;
	uint64_t since, seed; /* serial number of the cache at the beginning */
	struct rg_addr literal;
	struct view *view; /* NULL: literal */
	GPtrArray *use;	   /* struct use */
	unsigned missing;
	bool ready, walking;
	resolver_done_h *done;
	void *arg;
};

struct resolver {
	struct resolver_env env;
	struct dnscache *cache;
	GHashTable *tokens; /* token of struct lookup -> it */
	GPtrArray *views;   /* struct view in use */
	struct view *common, **own;
	size_t n_own;
	char *first; /* servers as given to resolver_new */
	uint16_t view_ids;
	uint64_t host_seed;
	struct lookups ready;
	struct rg_timer tell;
	struct rfc3263_result result;
};

/* ---- views ------------------------------------------------------------------------- */

static int view_get(struct resolver *r, const char *servers, struct view **out)
{
	struct view *v;
	int err;

	for (guint i = 0; i < r->views->len; i++) {
		v = g_ptr_array_index(r->views, i);
		if (!strcmp(v->servers, servers)) {
			v->uses++;
			*out = v;
			return 0;
		}
	}
	v = g_new0(struct view, 1);
	v->r = r;
	v->uses = 1;
	v->dns.id = r->view_ids;
	err = nameservers_new(&v->dns.ns, &r->env, servers);
	if (err) {
		g_free(v);
		return err;
	}
	r->view_ids++;
	v->servers = g_strdup(servers);
	g_ptr_array_add(r->views, v);
	*out = v;
	return 0;
}

static void view_put(struct view *v)
{
	struct resolver *r = v->r;

	if (--v->uses)
		return;
	g_ptr_array_remove(r->views, v);
	nameservers_free(v->dns.ns);
	dnscache_forget(r->cache, &v->dns);
	g_free(v->servers);
	g_free(v);
}

static struct view *view_of(struct resolver *r, uint32_t interface)
{
	return interface < r->n_own && r->own[interface] ? r->own[interface] : r->common;
}

int resolver_servers(struct resolver *r, const char *common, const char *const *own, size_t n)
{
	struct view **old = r->own, *was = r->common, *v;
	size_t n_old = r->n_own;
	int err = 0;

	if (view_get(r, common && *common ? common : r->first, &v)) {
		err = EINVAL;
		if (view_get(r, r->first, &v))
			return err;
	}
	r->common = v;
	r->own = g_new0(struct view *, n + 1);
	r->n_own = n;
	for (size_t i = 0; i < n; i++)
		if (own[i] && *own[i] && view_get(r, own[i], &r->own[i]))
			err = EINVAL;
	for (size_t i = 0; i < n_old; i++)
		if (old[i])
			view_put(old[i]);
	view_put(was);
	g_free(old);
	return err;
}

/* ---- lookups ----------------------------------------------------------------------- */

static void tell(void *arg);

static void make_ready(struct lookup *k)
{
	struct resolver *r = k->r;

	k->ready = true;
	TAILQ_INSERT_TAIL(&r->ready, k, link);
	if (!r->tell.place)
		rg_timer_set(r->env.timers, &r->tell, rg_now(r->env.timers), tell, r);
}

static void lookup_free(struct lookup *k)
{
	struct resolver *r = k->r;

	g_hash_table_remove(r->tokens, &k->l.token);
	if (k->ready)
		TAILQ_REMOVE(&r->ready, k, link);
	for (guint i = 0; i < k->use->len; i++) {
		struct use *u = g_ptr_array_index(k->use, i);

		dnscache_withdraw(&u->want);
		dnscache_release(r->cache, u->name);
		g_free(u);
	}
	g_ptr_array_free(k->use, TRUE);
	if (k->view)
		view_put(k->view);
	g_free(k->host);
	g_free(k);
}

static void settled(void *arg)
{
	struct lookup *k = arg;

	if (!--k->missing && !k->walking)
		make_ready(k);
}

static struct use *use_of(struct lookup *k, struct dns_name *name)
{
	struct resolver *r = k->r;
	struct use *u;

	for (guint i = 0; i < k->use->len; i++) {
		u = g_ptr_array_index(k->use, i);
		if (u->name == name) {
			dnscache_release(r->cache, name);
			return u;
		}
	}
	u = g_new0(struct use, 1);
	u->name = name;
	u->want.settled = settled;
	u->want.arg = k;
	g_ptr_array_add(k->use, u);
	return u;
}

static struct rfc3263_name look(void *arg, uint16_t type, const char *host)
{
	struct lookup *k = arg;
	struct dnscache *c = k->r->cache;
	struct dns_name *name = dnscache_hold(c, &k->view->dns, type, host);
	struct dns_found f;
	struct use *u;

	if (!name)
		return (struct rfc3263_name){ .known = true };
	u = use_of(k, name);
	if (!dnscache_known(c, name, !k->l.again, k->since)) {
		if (!u->want.waiting) {
			k->missing++;
			dnscache_ask(c, name, &u->want);
		}
		return (struct rfc3263_name){ .known = false };
	}
	f = dnscache_read(c, name);
	return (struct rfc3263_name){
		.known = true, .failed = f.failed && !f.n, .stale = f.stale,
		.ttl = f.stale ? RESOLVER_STALE_TTL : f.ttl, .rec = f.rec, .n = f.n,
		.text = f.text,
	};
}

static void tell_literal(struct lookup *k)
{
	struct reg_resolved it = { .addr = k->literal, .ttl = RESOLVER_LITERAL_TTL };
	struct lookup copy = *k;

	it.addr.port = k->l.port ? k->l.port : rfc3263_port(k->l.transport);
	it.addr.transport = k->l.transport;
	lookup_free(k);
	copy.done(copy.l.token, &it, 1, copy.arg);
}

static void walk(struct lookup *k)
{
	struct resolver *r = k->r;
	struct lookup copy;
	bool over;

	k->walking = true;
	over = rfc3263_walk(&k->l, k->seed, look, k, &r->result);
	k->walking = false;
	if (over) {
		copy = *k;
		lookup_free(k);
		copy.done(copy.l.token, r->result.r, r->result.n, copy.arg);
	} else if (!k->missing) {
		make_ready(k);
	}
}

/* In slices, so that many who wait for one name do not stall the loop. */
static void tell(void *arg)
{
	struct resolver *r = arg;
	struct lookup *k;

	for (unsigned i = 0; i < SLICE && (k = TAILQ_FIRST(&r->ready)); i++) {
		TAILQ_REMOVE(&r->ready, k, link);
		k->ready = false;
		if (k->view)
			walk(k);
		else
			tell_literal(k);
	}
	if (!TAILQ_EMPTY(&r->ready) && !r->tell.place)
		rg_timer_set(r->env.timers, &r->tell, rg_now(r->env.timers), tell, r);
}

static uint64_t hash(const char *s, uint64_t h)
{
	for (; *s; s++)
		h = (h ^ (unsigned char)g_ascii_tolower(*s)) * 0x100000001b3u;
	return h;
}

int resolver_lookup(struct resolver *r, const struct reg_lookup *l, resolver_done_h *done,
		    void *arg)
{
	struct rg_addr literal = { .family = 0 };
	char host[DNS_NAME];
	struct lookup *k;

	if (g_hash_table_contains(r->tokens, &l->token))
		return EEXIST;
	if (!rg_addr_parse_ip(&literal, l->host) && !dns_host(host, l->host))
		return EINVAL;
	k = g_new0(struct lookup, 1);
	k->r = r;
	k->l = *l;
	k->literal = literal;
	k->use = g_ptr_array_new();
	k->done = done;
	k->arg = arg;
	if (!literal.family) {
		k->l.host = k->host = g_strdup(host);
		k->seed = hash(host, r->host_seed ^ l->seed * 0x9e3779b97f4a7c15u);
		k->since = dnscache_serial(r->cache);
		k->view = view_of(r, l->interface);
		k->view->uses++;
	}
	g_hash_table_insert(r->tokens, &k->l.token, k);
	make_ready(k);
	return 0;
}

void resolver_cancel(struct resolver *r, uint64_t token)
{
	struct lookup *k = g_hash_table_lookup(r->tokens, &token);

	if (k)
		lookup_free(k);
}

/* ---- life -------------------------------------------------------------------------- */

int resolver_new(struct resolver **rp, const struct resolver_env *env, const char *servers)
{
	struct resolver *r = g_new0(struct resolver, 1);
	char machine[256] = "";
	int err;

	r->env = *env;
	r->first = g_strdup(servers ? servers : "/etc/resolv.conf");
	gethostname(machine, sizeof machine - 1);
	r->host_seed = hash(machine, 0xcbf29ce484222325u);
	TAILQ_INIT(&r->ready);
	r->views = g_ptr_array_new();
	r->tokens = g_hash_table_new(g_int64_hash, g_int64_equal);
	r->cache = dnscache_new(&r->env, servers ? NULL : hostsfile_new("/etc/hosts"));
	err = view_get(r, r->first, &r->common);
	if (err) {
		resolver_free(r);
		return err;
	}
	*rp = r;
	return 0;
}

void resolver_free(struct resolver *r)
{
	GHashTableIter i;
	void *k;

	if (!r)
		return;
	for (g_hash_table_iter_init(&i, r->tokens); g_hash_table_iter_next(&i, NULL, &k);
	     g_hash_table_iter_init(&i, r->tokens))
		lookup_free(k);
	for (size_t n = 0; n < r->n_own; n++)
		if (r->own[n])
			view_put(r->own[n]);
	if (r->common)
		view_put(r->common);
	rg_timer_stop(r->env.timers, &r->tell);
	dnscache_free(r->cache);
	g_hash_table_destroy(r->tokens);
	g_ptr_array_free(r->views, TRUE);
	g_free(r->own);
	g_free(r->first);
	g_free(r);
}
