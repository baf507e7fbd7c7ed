/*
 * service.c -- service plugins: started when the configuration asks for them, with a
 * host table through which they reach the loop and may look at the accounts.
 */
#include "main/app.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

struct rg_timer_handle {
	struct rg_timer t;
	struct rg_self *self;
	struct rg_timer_handle **owner;
	void (*h)(void *);
	void *arg;
};

struct watched {
	int fd;
	void (*h)(int, uint32_t, void *);
	void *arg;
};

struct rg_self {
	struct app *app;
	const struct rg_service *p;
	struct policy_modules *modules; /* keeps the object loaded */
	void *priv;
	GPtrArray *timers, *fds;
	bool wanted;
};

struct services {
	GPtrArray *running; /* struct rg_self */
	struct rg_self *anchor; /* of media, or NULL */
};

static struct app *the_app; /* rg_host's calls without a self are of this process */

/* ---- the host table -------------------------------------------------------------------- */

static rg_ms host_now(void)
{
	return rg_now(the_app->timers);
}

static int64_t host_wall_ms(void)
{
	return g_get_real_time() / 1000;
}

static void fd_ready(int fd, int events, void *arg)
{
	struct watched *w = arg;

	w->h(fd, (uint32_t)events & (RG_FD_READ | RG_FD_WRITE), w->arg);
}

static int host_fd(struct rg_self *s, int fd, uint32_t events, void (*h)(int, uint32_t, void *),
		   void *arg)
{
	struct watched *w = NULL;
	guint i;

	for (i = 0; i < s->fds->len; i++) {
		w = g_ptr_array_index(s->fds, i);
		if (w->fd == fd)
			break;
	}
	if (!events) {
		if (i == s->fds->len)
			return ENOENT;
		sip_loop_fd(s->app->loop, fd, 0, NULL, NULL);
		g_ptr_array_remove_index_fast(s->fds, i);
		return 0;
	}
	if (i == s->fds->len) {
		w = g_new0(struct watched, 1);
		w->fd = fd;
		g_ptr_array_add(s->fds, w);
	}
	w->h = h;
	w->arg = arg;
	return sip_loop_fd(s->app->loop, fd, (int)events, fd_ready, w);
}

static void timer_due(void *arg)
{
	struct rg_timer_handle *t = arg;
	void (*h)(void *) = t->h;
	void *harg = t->arg;

	*t->owner = NULL;
	g_ptr_array_remove_fast(t->self->timers, t);
	g_free(t);
	h(harg);
}

static int host_timer(struct rg_self *s, struct rg_timer_handle **tp, uint32_t ms,
		      void (*h)(void *), void *arg)
{
	struct rg_timer_handle *t = *tp;

	if (!ms) {
		if (t) {
			rg_timer_stop(s->app->timers, &t->t);
			g_ptr_array_remove_fast(s->timers, t);
			g_free(t);
		}
		*tp = NULL;
		return 0;
	}
	if (!t) {
		t = *tp = g_new0(struct rg_timer_handle, 1);
		t->self = s;
		t->owner = tp;
		g_ptr_array_add(s->timers, t);
	}
	t->h = h;
	t->arg = arg;
	rg_timer_set(s->app->timers, &t->t, rg_now(s->app->timers) + ms, timer_due, t);
	return 0;
}

static int host_post(struct rg_self *s, void (*h)(void *), void *arg)
{
	return sip_loop_post(s->app->loop, h, arg);
}

static void host_log(struct rg_self *s, int prio, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	rg_log_keyed(prio, fmt, "%s: %s", s->p->m.name, text);
}

static size_t host_accounts(uint32_t *cursor, struct rg_row *row, size_t n)
{
	struct reg_account_info *x = g_new0(struct reg_account_info, 1);
	static char text[RG_ADDR_TEXT * 256];
	size_t got = 0;

	while (got < n && got < 256 && reg_engine_next(the_app->engine, cursor, x, true)) {
		char *where = text + RG_ADDR_TEXT * got;

		where[0] = '\0';
		if (x->registrar.family)
			rg_addr_text(&x->registrar, where);
		row[got++] = (struct rg_row){
			.index = x->index, .name = x->name, .served = x->served,
			.serving = x->serving, .registrar = where, .state = x->state,
			.registered = x->registered,
			.expires_in = x->expires_in > 0 ? (uint32_t)x->expires_in : 0,
			.last_code = x->last_code, .failures = x->failures,
			.register_sent = x->register_sent, .register_ok = x->register_ok,
		};
	}
	g_free(x);
	return got;
}

static size_t host_calls(uint64_t *cursor, struct rg_call *row, size_t n)
{
	return calls_rows(the_app, cursor, row, n);
}

static int host_command(struct rg_self *s, const char *text, size_t n,
			void (*h)(const char *, size_t, bool, void *), void *arg)
{
	json_t *line = json_loadb(text, n, 0, NULL), *answer;
	const char *cmd = json_string_value(json_object_get(line, "cmd"));
	char *out;

	/* those that answer later need a connection to answer to */
	if (!cmd || !strcmp(cmd, "reload") || !strcmp(cmd, "check") || !strcmp(cmd, "trace")) {
		json_decref(line);
		return EINVAL;
	}
	answer = command_run(s->app, line, NULL);
	out = json_dumps(answer, JSON_COMPACT);
	h(out, strlen(out), true, arg);
	free(out);
	json_decref(answer);
	json_decref(line);
	return 0;
}

static int host_trunk(const char *id, bool up)
{
	return reg_engine_trunk(the_app->engine, id, up);
}

static int host_link(const char *ifname, bool up)
{
	return link_changed(the_app, ifname, up);
}

static int host_media(struct rg_self *s, const struct rg_media *m)
{
	struct services *all = s->app->services;

	if (all->anchor && all->anchor != s)
		return m ? EBUSY : 0;
	all->anchor = m ? s : NULL;
	relay_set_media(s->app->relay, m);
	return 0;
}

static const struct rg_host host = {
	.abi = RG_ABI, .size = sizeof host, .now = host_now, .wall_ms = host_wall_ms,
	.fd = host_fd, .timer = host_timer, .post = host_post, .log = host_log,
	.accounts = host_accounts, .command = host_command, .trunk = host_trunk,
	.link = host_link, .calls = host_calls, .media = host_media,
};

/* ---- running ------------------------------------------------------------------------------ */

static void self_stop(struct rg_self *s)
{
	host_media(s, NULL);
	if (s->p->stop)
		s->p->stop(s->priv);
	while (s->timers->len) {
		struct rg_timer_handle *t = g_ptr_array_index(s->timers, 0);

		host_timer(s, t->owner, 0, NULL, NULL);
	}
	while (s->fds->len)
		host_fd(s, ((struct watched *)s->fds->pdata[0])->fd, 0, NULL, NULL);
	g_ptr_array_free(s->timers, TRUE);
	g_ptr_array_free(s->fds, TRUE);
	rg_info("service %s stopped", s->p->m.name);
	policy_modules_unref(s->modules);
	g_free(s);
}

static void self_start(struct app *app, const struct policy_module *m)
{
	struct rg_self *s = g_new0(struct rg_self, 1);
	struct rg_fault fault = { "" };
	const void *cfg = policy_service_cfg(app->gen->policy, m->service);
	int err;

	s->app = app;
	s->p = m->service;
	s->modules = policy_modules_ref(app->gen->modules);
	s->timers = g_ptr_array_new();
	s->fds = g_ptr_array_new_with_free_func(g_free);
	s->wanted = true;
	err = s->p->start ? s->p->start(&host, s, cfg, &s->priv, &fault) : 0;
	if (err) {
		rg_err("service %s: %s", s->p->m.name,
		       fault.text[0] ? fault.text : g_strerror(err));
		s->p = &(const struct rg_service){ .m = { .name = m->m->name } };
		self_stop(s);
		return;
	}
	g_ptr_array_add(app->services->running, s);
	rg_info("service %s %s started", s->p->m.name, s->p->m.version);
}

static struct rg_self *running(struct services *all, const struct rg_service *p)
{
	for (guint i = 0; i < all->running->len; i++)
		if (((struct rg_self *)all->running->pdata[i])->p == p)
			return all->running->pdata[i];
	return NULL;
}

void services_apply(struct app *app)
{
	the_app = app;
	if (!app->services) {
		app->services = g_new0(struct services, 1);
		app->services->running = g_ptr_array_new();
	}
	for (guint i = 0; i < app->services->running->len; i++)
		((struct rg_self *)app->services->running->pdata[i])->wanted = false;
	for (size_t i = 0; i < policy_modules_count(app->gen->modules); i++) {
		const struct policy_module *m = policy_modules_at(app->gen->modules, i);
		struct rg_self *s = m->service ? running(app->services, m->service) : NULL;

		if (!m->service || !policy_active(app->gen->conf, m))
			continue;
		if (s && s->p->reconf)
			s->wanted = s->p->reconf(s->priv, policy_service_cfg(app->gen->policy,
									      m->service));
		if (s && s->wanted)
			continue;
		if (s) {
			g_ptr_array_remove_fast(app->services->running, s);
			self_stop(s);
		}
		self_start(app, m);
	}
	for (guint i = app->services->running->len; i-- > 0;) {
		struct rg_self *s = app->services->running->pdata[i];

		if (s->wanted)
			continue;
		g_ptr_array_remove_index_fast(app->services->running, i);
		self_stop(s);
	}
}

void services_stop(struct app *app)
{
	if (!app->services)
		return;
	while (app->services->running->len)
		self_stop(g_ptr_array_remove_index_fast(app->services->running, 0));
	g_ptr_array_free(app->services->running, TRUE);
	g_free(app->services);
	app->services = NULL;
}

void services_moved(struct app *app, const struct reg_account_info *x,
		    const struct reg_transition *t)
{
	char where[RG_ADDR_TEXT] = "";
	struct rg_transition out = { .account = x->name, .from = t->from, .to = t->to,
				     .code = t->code, .at = t->at, .server = where };
	struct rg_addr a;

	if (!app->services || !app->services->running->len)
		return;
	a = reg_engine_server(app->engine, t->server);
	if (a.family)
		rg_addr_text(&a, where);
	for (guint i = 0; i < app->services->running->len; i++) {
		struct rg_self *s = app->services->running->pdata[i];

		if (s->p->transitions)
			s->p->transitions(s->priv, &out, 1);
	}
}
