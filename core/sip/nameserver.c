#define CARES_NO_DEPRECATED
#include "sip/nameserver.h"

#include <ares.h>
#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/log.h"
#include "sip/resolvconf.h"

enum { CLASS_IN = 1, SERVERS = 8 };
enum { TRY_MS = 700, TRIES = 3, DEADLINE_MS = 3000 };
enum { SILENT_AFTER = 2, SHUN_MS = 30000 };
/* Younger than TRY_MS at a time: dnsmasq refuses the 151st. */
enum { YOUNG = 100 };
enum { EDNS_BYTES = 1232 }; /* DNS flag day 2020: never a fragment */

TAILQ_HEAD(questions, question);

struct server {
	LIST_ENTRY(server) link; /* of all, those that are no more asked included */
	struct nameservers *ns;
	ares_channel channel;
	struct rg_timer poll;
	char *text;
	unsigned uses;	 /* by questions and attempts */
	unsigned silent; /* in a row */
	rg_ms shunned;	 /* until then it is asked last */
	bool retired;
};

struct question {
	TAILQ_ENTRY(question) link;
	struct nameservers *ns;
	const char *name;
	uint16_t type;
	nameservers_h *h;
	void *arg;
	struct rg_timer step, deadline;
	struct server *to[SERVERS]; /* in the order in which they are asked */
	unsigned n, at, out;
	LIST_HEAD(, attempt) attempts;
	int status;   /* of the last failure */
	bool waiting; /* not begun */
	bool young;
};

struct attempt {
	struct question *q; /* NULL: it was answered otherwise */
	struct server *s;
	bool counted; /* as silence */
	LIST_ENTRY(attempt) link; /* of q */
};

struct nameservers {
	const struct resolver_env *env;
	LIST_HEAD(, server) all;
	struct server *server[SERVERS];
	unsigned n, version, young;
	struct questions waiting, begun;
	struct rg_timer sweep;
	struct resolvconf file; /* path NULL: servers were given */
	bool going; /* being freed */
};

static rg_ms now_of(const struct nameservers *ns)
{
	return rg_now(ns->env->timers);
}

/* ---- a channel of c-ares ----------------------------------------------------------- */

static void poll_later(struct server *s);

static void poll_due(void *arg)
{
	struct server *s = arg;

	ares_process_fd(s->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	poll_later(s);
}

static void poll_later(struct server *s)
{
	struct timeval tv, *t = ares_timeout(s->channel, NULL, &tv);

	if (t)
		rg_timer_set(s->ns->env->timers, &s->poll,
			     now_of(s->ns) + t->tv_sec * 1000 + t->tv_usec / 1000 + 1, poll_due,
			     s);
	else
		rg_timer_stop(s->ns->env->timers, &s->poll);
}

static void fd_ready(int fd, int events, void *arg)
{
	struct server *s = arg;
	bool broken = !(events & (RESOLVER_READ | RESOLVER_WRITE));

	ares_process_fd(s->channel, broken || events & RESOLVER_READ ? fd : ARES_SOCKET_BAD,
			broken || events & RESOLVER_WRITE ? fd : ARES_SOCKET_BAD);
	poll_later(s);
}

/* A socket that cannot be watched is one more silent name server. */
static void fd_wanted(void *arg, ares_socket_t fd, int reads, int writes)
{
	struct server *s = arg;
	const struct resolver_env *env = s->ns->env;

	env->fd(env->arg, fd, (reads ? RESOLVER_READ : 0) | (writes ? RESOLVER_WRITE : 0),
		fd_ready, s);
}

static void server_free(struct server *s)
{
	LIST_REMOVE(s, link);
	if (s->channel)
		ares_destroy(s->channel);
	rg_timer_stop(s->ns->env->timers, &s->poll);
	g_free(s->text);
	g_free(s);
}

static struct server *server_new(struct nameservers *ns, const char *text)
{
	struct server *s = g_new0(struct server, 1);
	struct ares_options o = { .flags = ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP |
					   ARES_FLAG_EDNS,
				  .timeout = TRY_MS,
				  .tries = TRIES,
				  .ednspsz = EDNS_BYTES,
				  .lookups = (char *)(uintptr_t)"b",
				  .resolvconf_path = (char *)(uintptr_t)"/dev/null",
				  .sock_state_cb = fd_wanted,
				  .sock_state_cb_data = s };
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ |
		   ARES_OPT_SOCK_STATE_CB |
		   ARES_OPT_LOOKUPS | ARES_OPT_RESOLVCONF; /* no files: ours has been read */

#ifdef ARES_OPT_QUERY_CACHE
	mask |= ARES_OPT_QUERY_CACHE; /* none: the cache is ours */
#endif
	s->ns = ns;
	s->text = g_strdup(text);
	LIST_INSERT_HEAD(&ns->all, s, link);
	if (ares_init_options(&s->channel, &o, mask)) {
		s->channel = NULL;
		server_free(s);
		return NULL;
	}
	if (!*text || ares_set_servers_ports_csv(s->channel, text)) {
		server_free(s);
		return NULL;
	}
	return s;
}

/* ---- the list ---------------------------------------------------------------------- */

static void sweep(void *arg)
{
	struct nameservers *ns = arg;
	struct server *s = LIST_FIRST(&ns->all), *next;

	for (; s; s = next) {
		next = LIST_NEXT(s, link);
		if (s->retired && !s->uses)
			server_free(s);
	}
}

/* Not at once: we may be inside of the channel. */
static void sweep_later(struct nameservers *ns)
{
	if (!ns->going)
		rg_timer_set(ns->env->timers, &ns->sweep, now_of(ns), sweep, ns);
}

static void release(struct server *s)
{
	if (!--s->uses && s->retired)
		sweep_later(s->ns);
}

static struct server *server_known(struct nameservers *ns, const char *text)
{
	for (unsigned i = 0; i < ns->n; i++)
		if (!strcmp(ns->server[i]->text, text))
			return ns->server[i];
	return NULL;
}

static bool is_listed(struct server *const *list, unsigned n, const struct server *s)
{
	for (unsigned i = 0; i < n; i++)
		if (list[i] == s)
			return true;
	return false;
}

static void retire(struct nameservers *ns, struct server *const *list, unsigned n,
		   struct server *const *keep, unsigned n_keep)
{
	for (unsigned i = 0; i < n; i++)
		if (!is_listed(keep, n_keep, list[i]))
			list[i]->retired = true;
	sweep_later(ns);
}

/* The servers that stay keep what is known of them. */
static int list_set(struct nameservers *ns, const char *csv)
{
	char **part = g_strsplit(csv, ",", -1);
	struct server *to[SERVERS], *s;
	unsigned n = 0;
	int err = 0;

	for (char **p = part; *p && n < SERVERS && !err; p++) {
		const char *text = g_strstrip(*p);

		s = server_known(ns, text);
		if (!s)
			s = server_new(ns, text);
		if (!s)
			err = EINVAL;
		else if (!is_listed(to, n, s))
			to[n++] = s;
	}
	g_strfreev(part);
	if (err || !n) {
		retire(ns, to, n, ns->server, ns->n);
		return EINVAL;
	}
	retire(ns, ns->server, ns->n, to, n);
	if (n != ns->n || memcmp(to, ns->server, n * sizeof *to))
		ns->version++;
	memcpy(ns->server, to, n * sizeof *to);
	ns->n = n;
	return 0;
}

/* ---- resolv.conf ------------------------------------------------------------------- */

/* One line that makes no sense does not cost the others. */
static void file_apply(struct nameservers *ns)
{
	char *csv = resolvconf_servers(ns->file.path), **part = g_strsplit(csv, ",", -1);
	GString *good = g_string_new(NULL);

	for (char **p = part; *p; p++) {
		struct server *s = server_known(ns, *p) ? NULL : server_new(ns, *p);

		if (s || server_known(ns, *p))
			g_string_append_printf(good, "%s%s", good->len ? "," : "", *p);
		else
			rg_warn("%s: nameserver %s is no address", ns->file.path, *p);
		if (s)
			server_free(s);
	}
	if (list_set(ns, good->len ? good->str : "127.0.0.1") == 0 && ns->version > 1)
		rg_debug("name servers: %s", good->str);
	g_string_free(good, TRUE);
	g_strfreev(part);
	g_free(csv);
}

static void look(struct nameservers *ns)
{
	if (resolvconf_changed(&ns->file, now_of(ns)))
		file_apply(ns);
}

unsigned nameservers_version(struct nameservers *ns)
{
	look(ns);
	return ns->version;
}

int nameservers_set(struct nameservers *ns, const char *servers)
{
	int err;

	if (*servers == '/') {
		resolvconf_watch(&ns->file, servers);
		look(ns);
		return 0;
	}
	err = list_set(ns, servers);
	if (!err)
		resolvconf_watch(&ns->file, NULL);
	return err;
}

/* ---- questions --------------------------------------------------------------------- */

static void begin(struct question *q);

static void start_waiting(struct nameservers *ns)
{
	struct question *q;

	while (!ns->going && ns->young < YOUNG && (q = TAILQ_FIRST(&ns->waiting))) {
		TAILQ_REMOVE(&ns->waiting, q, link);
		begin(q);
	}
}

static void grown(struct question *q)
{
	if (!q->young)
		return;
	q->young = false;
	q->ns->young--;
}

static void tell(struct question *q, int status, const uint8_t *msg, size_t len)
{
	struct nameservers *ns = q->ns;
	struct question it = *q;
	struct attempt *a;

	while ((a = LIST_FIRST(&q->attempts))) {
		LIST_REMOVE(a, link);
		a->q = NULL;
	}
	for (unsigned i = 0; i < q->n; i++)
		release(q->to[i]);
	rg_timer_stop(ns->env->timers, &q->step);
	rg_timer_stop(ns->env->timers, &q->deadline);
	grown(q);
	TAILQ_REMOVE(q->waiting ? &ns->waiting : &ns->begun, q, link);
	g_free(q);
	it.h(it.arg, status, msg, len, true);
	start_waiting(ns);
}

static void fell_silent(struct server *s)
{
	if (++s->silent >= SILENT_AFTER)
		s->shunned = now_of(s->ns) + SHUN_MS;
}

static bool is_answer(int status)
{
	return status == ARES_SUCCESS || status == ARES_ENOTFOUND || status == ARES_ENODATA;
}

static void learn(struct attempt *a, int status, size_t len)
{
	struct server *s = a->s;

	if (is_answer(status) || len) {
		s->silent = 0;
		s->shunned = 0;
	} else if (status == ARES_ECONNREFUSED) {
		s->silent = SILENT_AFTER;
		s->shunned = now_of(s->ns) + SHUN_MS;
	} else if (!a->counted) {
		fell_silent(s);
	}
}

static void next(struct question *q);

static void answered(void *arg, int status, int timeouts, unsigned char *msg, int len)
{
	struct attempt *a = arg;
	struct nameservers *ns = a->s->ns;
	struct question *q = a->q;

	(void)timeouts;
	if (!ns->going)
		learn(a, status, msg && len > 0 ? (size_t)len : 0);
	release(a->s);
	if (q)
		LIST_REMOVE(a, link);
	g_free(a);
	if (!q)
		return;
	q->out--;
	if (is_answer(status)) {
		tell(q, status, msg, msg && len > 0 ? (size_t)len : 0);
		return;
	}
	q->status = status;
	if (q->at < q->n && !ns->going)
		next(q);
	else if (!q->out)
		tell(q, status, NULL, 0);
}

/* The server asked last has not answered; ask the next as well. */
static void step(void *arg)
{
	struct question *q = arg;
	struct nameservers *ns = q->ns;
	struct attempt *a;

	grown(q);
	LIST_FOREACH(a, &q->attempts, link)
		if (!a->counted) {
			a->counted = true;
			fell_silent(a->s);
		}
	if (q->at < q->n)
		next(q);
	start_waiting(ns);
}

static void next(struct question *q)
{
	struct attempt *a = g_new0(struct attempt, 1);
	struct server *s = q->to[q->at++];

	a->q = q;
	a->s = s;
	LIST_INSERT_HEAD(&q->attempts, a, link);
	q->out++;
	s->uses++;
	rg_timer_set(q->ns->env->timers, &q->step, now_of(q->ns) + TRY_MS, step, q);
	ares_query(s->channel, q->name, CLASS_IN, q->type, answered, a); /* q may be gone */
	poll_later(s);
}

static void too_late(void *arg)
{
	struct question *q = arg;

	q->h(q->arg, ARES_ETIMEOUT, NULL, 0, false);
}

/* Those that are shunned come last; when the time is over one question tries. */
static void begin(struct question *q)
{
	struct nameservers *ns = q->ns;
	rg_ms now = now_of(ns);

	q->waiting = false;
	q->young = true;
	ns->young++;
	TAILQ_INSERT_TAIL(&ns->begun, q, link);
	for (int shunned = 0; shunned < 2; shunned++)
		for (unsigned i = 0; i < ns->n; i++) {
			struct server *s = ns->server[i];

			if ((now < s->shunned) != shunned)
				continue;
			if (!shunned && s->shunned && ns->n > 1)
				s->shunned = now + SHUN_MS;
			if (is_listed(q->to, q->n, s))
				continue;
			q->to[q->n++] = s;
			s->uses++;
		}
	rg_timer_set(ns->env->timers, &q->deadline, now + DEADLINE_MS, too_late, q);
	next(q);
}

void nameservers_ask(struct nameservers *ns, const char *name, uint16_t type, nameservers_h *h,
		     void *arg)
{
	struct question *q = g_new0(struct question, 1);

	q->ns = ns;
	q->name = name;
	q->type = type;
	q->h = h;
	q->arg = arg;
	q->waiting = true;
	look(ns);
	if (ns->young < YOUNG) {
		begin(q);
		return;
	}
	TAILQ_INSERT_TAIL(&ns->waiting, q, link);
}

/* ---- life -------------------------------------------------------------------------- */

int nameservers_new(struct nameservers **nsp, const struct resolver_env *env,
		    const char *servers)
{
	struct nameservers *ns = g_new0(struct nameservers, 1);

	ns->env = env;
	TAILQ_INIT(&ns->waiting);
	TAILQ_INIT(&ns->begun);
	if (ares_library_init(ARES_LIB_INIT_ALL)) {
		g_free(ns);
		return ENOMEM;
	}
	if (nameservers_set(ns, servers)) {
		nameservers_free(ns);
		return EINVAL;
	}
	*nsp = ns;
	return 0;
}

void nameservers_free(struct nameservers *ns)
{
	struct question *q;
	struct server *s;

	if (!ns)
		return;
	ns->going = true;
	while ((q = TAILQ_FIRST(&ns->waiting)))
		tell(q, ARES_EDESTRUCTION, NULL, 0);
	LIST_FOREACH(s, &ns->all, link) { /* ends the attempts, and so the questions */
		ares_destroy(s->channel);
		s->channel = NULL;
	}
	while ((s = LIST_FIRST(&ns->all)))
		server_free(s);
	rg_timer_stop(ns->env->timers, &ns->sweep);
	resolvconf_watch(&ns->file, NULL);
	ares_library_cleanup();
	g_free(ns);
}
