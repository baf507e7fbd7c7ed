#include "sip/resolver.h"

#include <ares.h>
#include <errno.h>
#include <glib.h>
#include <netdb.h>
#include <string.h>
#include <sys/queue.h>

#include "sip/dnsanswer.h"

enum { TYPE_A = 1, CLASS_IN = 1 };
enum { NAMES = 16384 /* in the cache */, SLICE = 256 /* answers told in one go */ };
enum { TTL_LEAST = 1, TTL_MOST = 86400, TTL_HOSTS = 30 }; /* s */
enum { TRY_MS = 700, TRIES = 3, DEADLINE_MS = 3000 };
enum { NONE_MS = 10000, FAILED_MS = 5000, STALE_MS = 30 * 60 * 1000 };

TAILQ_HEAD(asks, ask);

/* A (name, type) of the cache. */
struct name {
	rg_ms believed; /* until then nobody is asked again, whatever the outcome was */
	rg_ms ttl_end, good; /* of the addresses; until then they may be served */
	struct rg_addr *addr;
	size_t n;
	unsigned flights, asks; /* that point here */
	struct flight *flight;	/* the one that is waited for */
	struct asks waiting;
	uint16_t type;
	char key[]; /* a byte for the type, and the name in lower case */
};

/* A query of c-ares; it outlives its deadline, and a late answer is still of use. */
struct flight {
	struct resolver *r;
	struct name *name;
	struct rg_timer deadline;
	char *alias; /* what is asked for now; NULL: the name itself */
	unsigned aliases;
	uint32_t alias_ttl;
};

/* A lookup that was not told yet. */
struct ask {
	TAILQ_ENTRY(ask) link;
	uint64_t token;
	struct name *name; /* NULL: literal */
	struct rg_addr literal;
	uint16_t port;
	uint8_t transport;
	bool ready;
	resolver_done_h *done;
	void *arg;
};

struct resolver {
	struct resolver_env env;
	ares_channel channel;
	GHashTable *names;  /* key of struct name -> it */
	GHashTable *tokens; /* token of struct ask -> it */
	struct asks ready;
	struct rg_timer tell, poll;
	bool hosts; /* look into /etc/hosts */
	bool going; /* being freed */
};

static rg_ms now_of(const struct resolver *r)
{
	return rg_now(r->env.timers);
}

/* ---- telling ------------------------------------------------------------------- */

static struct reg_resolved result(const struct ask *a, const struct rg_addr *addr, uint32_t ttl)
{
	struct reg_resolved it = { .addr = *addr, .ttl = ttl };

	it.addr.port = a->port;
	it.addr.transport = a->transport;
	return it;
}

static size_t results(const struct resolver *r, const struct ask *a,
		      struct reg_resolved out[RESOLVER_MOST])
{
	const struct name *name = a->name;
	rg_ms now = now_of(r);
	uint32_t ttl = RESOLVER_STALE_TTL;
	size_t n = 0;

	if (!name) {
		out[n++] = result(a, &a->literal, RESOLVER_LITERAL_TTL);
		return n;
	}
	if (now >= name->good)
		return 0;
	if (now < name->ttl_end)
		ttl = (uint32_t)((name->ttl_end - now + 999) / 1000);
	for (; n < name->n && n < RESOLVER_MOST; n++)
		out[n] = result(a, &name->addr[n], ttl);
	return n;
}

static void ask_free(struct resolver *r, struct ask *a)
{
	g_hash_table_remove(r->tokens, &a->token);
	TAILQ_REMOVE(a->ready ? &r->ready : &a->name->waiting, a, link);
	if (a->name)
		a->name->asks--;
	g_free(a);
}

static void tell(void *arg)
{
	struct resolver *r = arg;
	struct reg_resolved out[RESOLVER_MOST];
	struct ask *a;

	/* In slices, so that many who wait for one name do not stall the loop. */
	for (unsigned i = 0; i < SLICE && (a = TAILQ_FIRST(&r->ready)); i++) {
		struct ask it = *a;
		size_t n = results(r, a, out);

		ask_free(r, a);
		it.done(it.token, out, n, it.arg);
	}
	if (!TAILQ_EMPTY(&r->ready))
		rg_timer_set(r->env.timers, &r->tell, now_of(r), tell, r);
}

static void make_ready(struct resolver *r, struct ask *a)
{
	a->ready = true;
	TAILQ_INSERT_TAIL(&r->ready, a, link);
	if (!r->tell.place)
		rg_timer_set(r->env.timers, &r->tell, now_of(r), tell, r);
}

/* ---- outcomes ------------------------------------------------------------------ */

static void settle(struct resolver *r, struct name *name)
{
	struct ask *a;

	while ((a = TAILQ_FIRST(&name->waiting))) {
		TAILQ_REMOVE(&name->waiting, a, link);
		make_ready(r, a);
	}
}

static void set_addresses(struct name *name, const struct dns_addr *addr, size_t n)
{
	g_free(name->addr);
	name->addr = n ? g_new(struct rg_addr, n) : NULL;
	name->n = n;
	for (size_t i = 0; i < n; i++)
		name->addr[i] = addr[i].addr;
}

static void found(struct resolver *r, struct name *name, const struct dns_addr *addr, size_t n)
{
	uint32_t ttl = TTL_MOST;

	for (size_t i = 0; i < n; i++)
		ttl = MIN(ttl, addr[i].ttl);
	set_addresses(name, addr, n);
	name->ttl_end = now_of(r) + (rg_ms)MAX(ttl, TTL_LEAST) * 1000;
	name->believed = name->ttl_end;
	name->good = name->ttl_end + STALE_MS;
	settle(r, name);
}

/* An answer, too: what was good before is so no more (RFC 8767 4). */
static void found_none(struct resolver *r, struct name *name)
{
	set_addresses(name, NULL, 0);
	name->believed = now_of(r) + NONE_MS;
	settle(r, name);
}

static void failed(struct resolver *r, struct name *name)
{
	name->believed = now_of(r) + FAILED_MS;
	settle(r, name);
}

/* ---- asking -------------------------------------------------------------------- */

static void poll_later(struct resolver *r);

static void poll_due(void *arg)
{
	struct resolver *r = arg;

	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	poll_later(r);
}

static void poll_later(struct resolver *r)
{
	struct timeval tv, *t = ares_timeout(r->channel, NULL, &tv);

	if (t)
		rg_timer_set(r->env.timers, &r->poll,
			     now_of(r) + t->tv_sec * 1000 + t->tv_usec / 1000 + 1, poll_due, r);
	else
		rg_timer_stop(r->env.timers, &r->poll);
}

static void fd_ready(int fd, int events, void *arg)
{
	struct resolver *r = arg;
	bool broken = !(events & (RESOLVER_READ | RESOLVER_WRITE));

	ares_process_fd(r->channel, broken || events & RESOLVER_READ ? fd : ARES_SOCKET_BAD,
			broken || events & RESOLVER_WRITE ? fd : ARES_SOCKET_BAD);
	poll_later(r);
}

/* A socket that cannot be watched is one more silent name server. */
static void fd_wanted(void *arg, ares_socket_t fd, int reads, int writes)
{
	struct resolver *r = arg;

	r->env.fd(r->env.arg, fd,
		  (reads ? RESOLVER_READ : 0) | (writes ? RESOLVER_WRITE : 0), fd_ready, r);
}

static void flight_end(struct flight *f)
{
	rg_timer_stop(f->r->env.timers, &f->deadline);
	if (f->name->flight == f)
		f->name->flight = NULL;
	f->name->flights--;
	g_free(f->alias);
	g_free(f);
}

static void answered(void *arg, int status, int timeouts, unsigned char *msg, int len)
{
	struct flight *f = arg;
	struct resolver *r = f->r;
	struct name *name = f->name;
	bool late = name->flight != f;
	struct dns_answer a = { .aliases = f->aliases, .alias_ttl = f->alias_ttl };

	(void)timeouts;
	if (status == ARES_SUCCESS &&
	    dns_answer_read(&a, msg, (size_t)len, f->alias ? f->alias : name->key + 1,
			    name->type))
		status = ARES_EBADRESP;
	if (status == ARES_SUCCESS && !a.n && a.alias[0] && !late) {
		g_free(f->alias);
		f->alias = g_strdup(a.alias);
		f->aliases = a.aliases;
		f->alias_ttl = a.alias_ttl;
		ares_query(r->channel, a.alias, CLASS_IN, name->type, answered, f);
		return;
	}
	flight_end(f);
	if (r->going)
		return;
	if (status == ARES_SUCCESS && a.n)
		found(r, name, a.addr, a.n);
	else if (late)
		return;
	else if (status == ARES_SUCCESS || status == ARES_ENOTFOUND || status == ARES_ENODATA)
		found_none(r, name);
	else
		failed(r, name);
}

static void too_late(void *arg)
{
	struct flight *f = arg;

	f->name->flight = NULL;
	failed(f->r, f->name);
}

static bool in_hosts_file(struct resolver *r, struct name *name)
{
	struct dns_addr addr[DNS_RECORDS];
	struct hostent *he;
	size_t n = 0;

	if (!r->hosts || name->type != TYPE_A ||
	    ares_gethostbyname_file(r->channel, name->key + 1, AF_INET, &he) != ARES_SUCCESS)
		return false;
	for (; n < DNS_RECORDS && he->h_addr_list[n]; n++) {
		addr[n] = (struct dns_addr){ .addr.family = 4, .ttl = TTL_HOSTS };
		memcpy(addr[n].addr.ip, he->h_addr_list[n], 4);
	}
	ares_free_hostent(he);
	if (n)
		found(r, name, addr, n);
	return n;
}

static void query(struct resolver *r, struct name *name)
{
	struct flight *f;

	if (in_hosts_file(r, name))
		return;
	f = g_new0(struct flight, 1);
	f->r = r;
	f->name = name;
	f->alias_ttl = UINT32_MAX;
	name->flight = f;
	name->flights++;
	rg_timer_set(r->env.timers, &f->deadline, now_of(r) + DEADLINE_MS, too_late, f);
	ares_query(r->channel, name->key + 1, CLASS_IN, name->type, answered, f);
	poll_later(r);
}

/* ---- names --------------------------------------------------------------------- */

static void name_free(void *p)
{
	struct name *name = p;

	g_free(name->addr);
	g_free(name);
}

static gboolean is_past(void *key, void *value, void *arg)
{
	const struct name *name = value;
	const struct resolver *r = arg;

	(void)key;
	return !name->flights && !name->asks && now_of(r) >= name->believed;
}

static gboolean is_idle(void *key, void *value, void *arg)
{
	const struct name *name = value;

	(void)key, (void)arg;
	return !name->flights && !name->asks;
}

/* "host.example" or "host.example."; key gets type and name.  Nothing that is not a
 * host name goes to a name server, where it might mean something else. */
static bool make_key(char key[DNS_NAME + 1], uint16_t type, const char *host)
{
	size_t n = strlen(host), label = 0;

	if (n > 1 && host[n - 1] == '.')
		n--;
	if (!n || n > DNS_NAME - 3)
		return false;
	for (size_t i = 0; i < n; i++) {
		label = host[i] == '.' ? 0 : label + 1;
		if (label > 63 || (!label && (!i || host[i - 1] == '.')))
			return false;
		if (!g_ascii_isalnum(host[i]) && !strchr("-_.", host[i]))
			return false;
		key[i + 1] = g_ascii_tolower(host[i]);
	}
	key[0] = (char)type;
	key[n + 1] = '\0';
	return true;
}

static struct name *name_get(struct resolver *r, const char *key, uint16_t type)
{
	struct name *name = g_hash_table_lookup(r->names, key);

	if (name)
		return name;
	if (g_hash_table_size(r->names) >= NAMES)
		g_hash_table_foreach_remove(r->names, is_past, r);
	if (g_hash_table_size(r->names) >= NAMES)
		g_hash_table_foreach_remove(r->names, is_idle, r);
	name = g_malloc0(sizeof *name + strlen(key) + 1);
	name->type = type;
	name->believed = name->good = INT64_MIN;
	TAILQ_INIT(&name->waiting);
	strcpy(name->key, key);
	g_hash_table_insert(r->names, name->key, name);
	return name;
}

/* ---- the interface ------------------------------------------------------------- */

int resolver_new(struct resolver **rp, const struct resolver_env *env, const char *servers)
{
	struct resolver *r = g_new0(struct resolver, 1);
	struct ares_options o = { .flags = ARES_FLAG_NOALIASES,
				  .timeout = TRY_MS,
				  .tries = TRIES,
				  .sock_state_cb = fd_wanted,
				  .sock_state_cb_data = r };

	r->env = *env;
	r->hosts = !servers;
	TAILQ_INIT(&r->ready);
	if (ares_library_init(ARES_LIB_INIT_ALL) ||
	    ares_init_options(&r->channel, &o,
			      ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
				      ARES_OPT_SOCK_STATE_CB)) {
		g_free(r);
		return ENOMEM;
	}
	r->names = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, name_free);
	r->tokens = g_hash_table_new(g_int64_hash, g_int64_equal);
	if (servers && (!*servers || ares_set_servers_ports_csv(r->channel, servers))) {
		resolver_free(r);
		return EINVAL;
	}
	*rp = r;
	return 0;
}

int resolver_lookup(struct resolver *r, const struct reg_lookup *l, resolver_done_h *done,
		    void *arg)
{
	/* Methods 1 and 2 begin with SRV and NAPTR here (RFC 3263 4.1, 4.2); without those
	 * records a name means its addresses, and so it does until they are asked for. */
	uint16_t type = TYPE_A;
	uint16_t port = l->port ? l->port : l->transport == RG_TLS ? 5061 : 5060;
	struct rg_addr literal = { .family = 0 };
	struct name *name = NULL;
	char key[DNS_NAME + 1];
	struct ask *a;

	if (g_hash_table_contains(r->tokens, &l->token))
		return EEXIST;
	if (!rg_addr_parse_ip(&literal, l->host)) {
		if (!make_key(key, type, l->host))
			return EINVAL;
		name = name_get(r, key, type);
	}
	a = g_new0(struct ask, 1);
	a->token = l->token;
	a->name = name;
	a->literal = literal;
	a->port = port;
	a->transport = l->transport;
	a->done = done;
	a->arg = arg;
	g_hash_table_insert(r->tokens, &a->token, a);
	if (!name) {
		make_ready(r, a);
		return 0;
	}
	name->asks++;
	if (!l->again && now_of(r) < name->believed) {
		make_ready(r, a);
		return 0;
	}
	TAILQ_INSERT_TAIL(&name->waiting, a, link);
	if (!name->flight)
		query(r, name);
	return 0;
}

void resolver_cancel(struct resolver *r, uint64_t token)
{
	struct ask *a = g_hash_table_lookup(r->tokens, &token);

	if (a)
		ask_free(r, a);
}

void resolver_free(struct resolver *r)
{
	GHashTableIter i;
	void *a;

	if (!r)
		return;
	r->going = true;
	g_hash_table_iter_init(&i, r->tokens);
	while (g_hash_table_iter_next(&i, NULL, &a))
		g_free(a);
	rg_timer_stop(r->env.timers, &r->tell);
	ares_destroy(r->channel); /* ends the flights */
	rg_timer_stop(r->env.timers, &r->poll);
	g_hash_table_destroy(r->tokens);
	g_hash_table_destroy(r->names);
	ares_library_cleanup();
	g_free(r);
}
