#include "sip/dnscache.h"

#include <ares.h>
#include <glib.h>
#include <string.h>

#include "base/log.h"

enum { NAMES = 16384, BYTES = 32 << 20 };
enum { TTL_LEAST = 1, TTL_MOST = 86400, TTL_HOSTS = 30 }; /* s */
enum { NONE = 10, NONE_MOST = 60 }; /* s */
enum { FAILED_MS = 5000, ALIASES_MS = 3000 };
enum { PREFIX = 6 }; /* of a key: view and type */

TAILQ_HEAD(names, dns_name);
TAILQ_HEAD(wants, dns_want);

struct dns_name {
	TAILQ_ENTRY(dns_name) link; /* of the idle */
	const struct dns_view *view;
	rg_ms believed; /* until then nobody is asked again, whatever the outcome was */
	rg_ms ttl_end;
	uint64_t settled; /* serial number */
	struct dns_record *rec;
	char *text;
	size_t n, bytes;
	unsigned holds, flights;
	struct flight *flight; /* the one that is waited for */
	struct wants wants;
	bool failing;
	uint16_t type;
	char key[]; /* view, type, and the name in lower case */
};

/* A question; it outlives the time that is waited for it. */
struct flight {
	struct dnscache *c;
	struct dns_name *name;
	char *alias; /* what is asked for now; NULL: the name itself */
	unsigned aliases;
	uint32_t alias_ttl;
	rg_ms began;
};

struct dnscache {
	const struct resolver_env *env;
	struct hostsfile *hosts;
	GHashTable *names; /* key: struct dns_name */
	struct names idle; /* the longest unused first */
	size_t bytes;
	uint64_t serial;
	struct dns_answer answer; /* being read */
};

static rg_ms now_of(const struct dnscache *c)
{
	return rg_now(c->env->timers);
}

/* ---- names ------------------------------------------------------------------------- */

static void name_free(void *p)
{
	struct dns_name *name = p;

	g_free(name->rec);
	g_free(name->text);
	g_free(name);
}

static void remove_name(struct dnscache *c, struct dns_name *name)
{
	TAILQ_REMOVE(&c->idle, name, link);
	c->bytes -= name->bytes;
	g_hash_table_remove(c->names, name->key);
}

static void make_room(struct dnscache *c)
{
	struct dns_name *name;

	while ((g_hash_table_size(c->names) > NAMES || c->bytes > BYTES) &&
	       (name = TAILQ_FIRST(&c->idle)))
		remove_name(c, name);
}

static bool in_use(const struct dns_name *name)
{
	return name->holds || name->flights;
}

static void used(struct dnscache *c, struct dns_name *name, unsigned *count)
{
	if (!in_use(name))
		TAILQ_REMOVE(&c->idle, name, link);
	++*count;
}

static void unused(struct dnscache *c, struct dns_name *name, unsigned *count)
{
	--*count;
	if (in_use(name))
		return;
	TAILQ_INSERT_TAIL(&c->idle, name, link);
	make_room(c);
}

struct dns_name *dnscache_hold(struct dnscache *c, const struct dns_view *view, uint16_t type,
			       const char *host)
{
	char key[PREFIX + DNS_NAME];
	struct dns_name *name;

	g_snprintf(key, sizeof key, "%04x%02x", view->id, type & 0xffu);
	if (!dns_host(key + PREFIX, host))
		return NULL;
	name = g_hash_table_lookup(c->names, key);
	if (!name) {
		size_t size = sizeof *name + strlen(key) + 1;

		name = g_malloc0(size);
		name->view = view;
		name->type = type;
		name->believed = INT64_MIN;
		name->bytes = size;
		TAILQ_INIT(&name->wants);
		strcpy(name->key, key);
		g_hash_table_insert(c->names, name->key, name);
		TAILQ_INSERT_TAIL(&c->idle, name, link);
		c->bytes += size;
	}
	used(c, name, &name->holds);
	make_room(c);
	return name;
}

void dnscache_release(struct dnscache *c, struct dns_name *name)
{
	unused(c, name, &name->holds);
}

/* ---- outcomes ---------------------------------------------------------------------- */

uint64_t dnscache_serial(const struct dnscache *c)
{
	return c->serial;
}

bool dnscache_known(const struct dnscache *c, const struct dns_name *name, bool believed,
		    uint64_t later)
{
	return name->settled > later || (believed && now_of(c) < name->believed);
}

struct dns_found dnscache_read(const struct dnscache *c, const struct dns_name *name)
{
	rg_ms left = name->ttl_end - now_of(c);

	return (struct dns_found){
		.rec = name->rec, .n = name->n, .text = name->text, .failed = name->failing,
		.ttl = left > 0 ? (uint32_t)((left + 999) / 1000) : 0,
		.stale = name->failing && name->n && left <= 0,
	};
}

static void settle(struct dnscache *c, struct dns_name *name)
{
	struct dns_want *w;

	name->settled = ++c->serial;
	while ((w = TAILQ_FIRST(&name->wants))) {
		dnscache_withdraw(w);
		w->settled(w->arg);
	}
}

static void set_records(struct dnscache *c, struct dns_name *name, const struct dns_answer *a)
{
	g_free(name->rec);
	g_free(name->text);
	c->bytes -= name->bytes;
	name->n = a ? a->n : 0;
	name->rec = name->n ? g_memdup2(a->rec, a->n * sizeof *a->rec) : NULL;
	name->text = name->n ? g_memdup2(a->text, MAX(a->text_len, 1)) : NULL;
	name->bytes = sizeof *name + strlen(name->key) + 1;
	if (name->n)
		name->bytes += a->n * sizeof *a->rec + MAX(a->text_len, 1);
	c->bytes += name->bytes;
	name->failing = false;
}

static void found(struct dnscache *c, struct dns_name *name, const struct dns_answer *a)
{
	uint32_t ttl = TTL_MOST;

	for (size_t i = 0; i < a->n; i++)
		ttl = MIN(ttl, a->rec[i].ttl);
	set_records(c, name, a);
	name->ttl_end = now_of(c) + (rg_ms)MAX(ttl, TTL_LEAST) * 1000;
	name->believed = name->ttl_end;
	settle(c, name);
}

/* An answer, too: what was good before is so no more (RFC 8767 4).  Not for the hours that
 * some zones ask for: who has just entered a name wants the line to register. */
static void found_none(struct dnscache *c, struct dns_name *name, uint32_t ttl)
{
	ttl = ttl == UINT32_MAX ? NONE : CLAMP(ttl, TTL_LEAST, NONE_MOST);
	set_records(c, name, NULL);
	name->believed = now_of(c) + (rg_ms)ttl * 1000;
	settle(c, name);
}

static void failed(struct dnscache *c, struct dns_name *name, int status)
{
	const char *type = name->type == DNS_A	    ? "A"
			   : name->type == DNS_AAAA ? "AAAA"
			   : name->type == DNS_SRV  ? "SRV" : "NAPTR";

	if (!name->failing && status != ARES_EDESTRUCTION)
		rg_info("DNS: %s %s: %s%s", name->key + PREFIX, type, ares_strerror(status),
			name->n ? "; the last good answer stays" : "");
	name->failing = true;
	name->believed = now_of(c) + FAILED_MS;
	settle(c, name);
}

/* ---- asking ------------------------------------------------------------------------ */

static void answered(void *arg, int status, const uint8_t *msg, size_t len, bool last);

/* true: the name has an alias elsewhere, which is asked for. */
static bool follow(struct flight *f)
{
	const struct dns_answer *a = &f->c->answer;
	char alias[DNS_NAME];

	if (now_of(f->c) - f->began > ALIASES_MS || !dns_host(alias, a->alias))
		return false;
	g_free(f->alias);
	f->alias = g_strdup(alias);
	f->aliases = a->aliases;
	f->alias_ttl = a->alias_ttl;
	nameservers_ask(f->name->view->ns, f->alias, f->name->type, answered, f);
	return true;
}

static void flight_end(struct flight *f)
{
	if (f->name->flight == f)
		f->name->flight = NULL;
	g_free(f->alias);
	g_free(f);
}

static void outcome(struct dnscache *c, struct dns_name *name, int status, uint32_t negative,
		    bool late)
{
	if (status == ARES_SUCCESS && c->answer.n)
		found(c, name, &c->answer);
	else if (late)
		return;
	else if (status == ARES_SUCCESS || status == ARES_ENOTFOUND || status == ARES_ENODATA)
		found_none(c, name, negative);
	else
		failed(c, name, status);
}

static void answered(void *arg, int status, const uint8_t *msg, size_t len, bool last)
{
	struct flight *f = arg;
	struct dnscache *c = f->c;
	struct dns_name *name = f->name;
	bool late = name->flight != f;
	uint32_t negative = UINT32_MAX;

	if (!last) {
		name->flight = NULL;
		failed(c, name, status);
		return;
	}
	dns_answer_begin(&c->answer);
	c->answer.aliases = f->aliases;
	c->answer.alias_ttl = f->alias_ttl;
	if (status == ARES_SUCCESS &&
	    dns_answer_read(&c->answer, msg, len, f->alias ? f->alias : name->key + PREFIX,
			    name->type))
		status = ARES_EBADRESP;
	if (status == ARES_SUCCESS && !c->answer.n && c->answer.alias[0] && !late) {
		if (follow(f))
			return;
		status = ARES_EBADRESP;
	}
	if ((status == ARES_ENOTFOUND || status == ARES_ENODATA) && len)
		negative = dns_answer_negative(msg, len);
	flight_end(f);
	outcome(c, name, status, negative, late);
	unused(c, name, &name->flights);
}

/* What the hosts file says is all there is, as getaddrinfo(3) has it. */
static bool in_hosts_file(struct dnscache *c, struct dns_name *name)
{
	struct dns_answer *a = &c->answer;
	const struct rg_addr *addr;
	size_t n;

	if (!c->hosts || (name->type != DNS_A && name->type != DNS_AAAA))
		return false;
	addr = hostsfile_find(c->hosts, now_of(c), name->key + PREFIX, &n);
	if (!addr)
		return false;
	dns_answer_begin(a);
	for (size_t i = 0; i < n && a->n < DNS_RECORDS; i++)
		if (addr[i].family == (name->type == DNS_A ? 4 : 6))
			a->rec[a->n++] = (struct dns_record){ .ttl = TTL_HOSTS, .addr = addr[i] };
	if (a->n)
		found(c, name, a);
	else
		found_none(c, name, UINT32_MAX);
	return true;
}

void dnscache_ask(struct dnscache *c, struct dns_name *name, struct dns_want *w)
{
	struct flight *f;

	w->name = name;
	w->waiting = true;
	TAILQ_INSERT_TAIL(&name->wants, w, link);
	if (name->flight || in_hosts_file(c, name))
		return;
	f = g_new0(struct flight, 1);
	f->c = c;
	f->name = name;
	f->alias_ttl = UINT32_MAX;
	f->began = now_of(c);
	name->flight = f;
	used(c, name, &name->flights);
	nameservers_ask(name->view->ns, name->key + PREFIX, name->type, answered, f);
}

void dnscache_withdraw(struct dns_want *w)
{
	if (w->waiting)
		TAILQ_REMOVE(&w->name->wants, w, link);
	w->waiting = false;
}

/* ---- life -------------------------------------------------------------------------- */

struct dnscache *dnscache_new(const struct resolver_env *env, struct hostsfile *hosts)
{
	struct dnscache *c = g_new0(struct dnscache, 1);

	c->env = env;
	c->hosts = hosts;
	c->names = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, name_free);
	TAILQ_INIT(&c->idle);
	return c;
}

void dnscache_forget(struct dnscache *c, const struct dns_view *view)
{
	struct dns_name *name, *next;

	for (name = TAILQ_FIRST(&c->idle); name; name = next) {
		next = TAILQ_NEXT(name, link);
		if (name->view == view)
			remove_name(c, name);
	}
}

void dnscache_free(struct dnscache *c)
{
	if (!c)
		return;
	g_hash_table_destroy(c->names);
	hostsfile_free(c->hosts);
	g_free(c);
}
