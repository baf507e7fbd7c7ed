/*
 * reg_world.h -- an engine on virtual time with a network that does as it is told, for
 * the tests of the account engine.  Servers are told apart by the last octet of their
 * address.  Plugins are those of the build folder (RG_BUILD).
 */
#ifndef TESTS_UNIT_REG_WORLD_H
#define TESTS_UNIT_REG_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include <glib.h>

#include "base/log.h"
#include "reg/engine.h"

enum does { OK, SILENT, REFUSE, LATE };

struct peer {
	uint8_t does;
	uint16_t code;	   /* 0: 200 */
	uint32_t delay_ms; /* of an answer; LATE: after the request was given up */
	uint32_t grant;	   /* 0: as asked */
	uint32_t retry_after;
	bool repeated;
	uint32_t sent, probes, outstanding, most;
};

struct world {
	struct rg_timers *timers;
	struct reg_port port;
	struct reg_engine *e;
	struct schema *schema;
	struct policy_modules *modules;
	struct conf *conf;
	struct policy *policy;
	bool plugins;
	GHashTable *pending; /* token: struct pending */
	GHashTable *flying;  /* dialogue: requests outstanding */
	struct peer peer[256];
	struct reg_resolved answer[RG_SERVERS]; /* of every name */
	size_t n_answer;
	bool dns_silent;
	uint64_t x;
	uint32_t sent, unregisters, applied;
	GArray *per_second; /* REGISTERs sent in each second since the start */
	void (*sees)(struct world *, const struct reg_message *);
	void *arg;
};

struct pending {
	struct rg_timer timer;
	struct world *w;
	uint64_t token;
	uint8_t kind; /* 0 REGISTER, 1 probe, 2 lookup, 3 SUBSCRIBE */
	struct peer *peer;
	const struct reg_dialogue *dialogue;
	struct reg_answer answer;
	uint32_t asked;
};

static inline uint64_t world_random(struct world *w)
{
	w->x ^= w->x << 13;
	w->x ^= w->x >> 7;
	w->x ^= w->x << 17;
	return w->x;
}

static inline void world_draw(void *buf, size_t n)
{
	static struct world drawn = { .x = 88172645463325252u };

	for (size_t i = 0; i < n; i++)
		((unsigned char *)buf)[i] = (unsigned char)(world_random(&drawn) >> 40);
}

static inline void world_ends(struct pending *p)
{
	struct world *w = p->w;

	if (p->kind == 0 && !p->answer.late) {
		guint n = GPOINTER_TO_UINT(g_hash_table_lookup(w->flying, p->dialogue));

		p->peer->outstanding--;
		g_hash_table_insert(w->flying, (gpointer)p->dialogue, GUINT_TO_POINTER(n - 1));
	}
	rg_timer_stop(w->timers, &p->timer);
	g_hash_table_steal(w->pending, &p->token);
}

static inline void world_answer(void *arg)
{
	struct pending *p = arg;
	struct world *w = p->w;

	world_ends(p);
	if (p->kind == 0)
		reg_answered(w->e, p->token, &p->answer);
	else if (p->kind == 1)
		reg_probed(w->e, p->token, p->answer.code);
	else if (p->kind == 3)
		reg_subscribed(w->e, p->token, p->answer.code, p->asked, 0);
	else
		reg_resolved(w->e, p->token, w->answer, w->dns_silent ? 0 : w->n_answer);
	if (p->kind == 0 && p->peer->does == LATE && !p->answer.late && !p->answer.code) {
		p->answer = (struct reg_answer){ .code = 200, .late = true, .bound = true,
						 .expires = p->asked, .reason = "OK" };
		g_hash_table_insert(w->pending, &p->token, p);
		rg_timer_set(w->timers, &p->timer, rg_now(w->timers) + p->peer->delay_ms,
			     world_answer, p);
		return;
	}
	g_free(p);
}

static inline void world_expect(struct world *w, struct pending *p, uint32_t ms)
{
	p->w = w;
	assert_null(g_hash_table_lookup(w->pending, &p->token));
	g_hash_table_insert(w->pending, &p->token, p);
	rg_timer_set(w->timers, &p->timer, rg_now(w->timers) + ms, world_answer, p);
}

static inline int world_register(void *arg, const struct reg_message *m)
{
	struct world *w = arg;
	struct peer *peer = &w->peer[m->server.ip[3]];
	struct pending *p = g_new0(struct pending, 1);
	guint flying = GPOINTER_TO_UINT(g_hash_table_lookup(w->flying, m->dialogue));
	guint second = (guint)(rg_now(w->timers) / 1000);
	bool silent = peer->does == SILENT || peer->does == LATE;

	if (w->sees)
		w->sees(w, m);
	m->dialogue->cseq++;
	w->sent++;
	w->unregisters += !m->expires;
	if (w->per_second->len <= second)
		g_array_set_size(w->per_second, second + 1);
	g_array_index(w->per_second, uint32_t, second)++;
	peer->sent++;
	peer->outstanding++;
	peer->most = MAX(peer->most, peer->outstanding);
	g_hash_table_insert(w->flying, m->dialogue, GUINT_TO_POINTER(flying + 1));
	p->token = m->token;
	p->peer = peer;
	p->dialogue = m->dialogue;
	p->asked = m->expires;
	if (peer->does == OK)
		p->answer = (struct reg_answer){
			.code = peer->code ? peer->code : 200, .bound = true,
			.expires = peer->grant && m->expires ? peer->grant : m->expires,
			.retry_after = peer->retry_after, .repeated = peer->repeated,
			.reason = "as told",
		};
	else
		p->answer = (struct reg_answer){ .transport_failed = peer->does == REFUSE,
						 .reason = "nobody" };
	world_expect(w, p, silent ? m->budget_ms : peer->delay_ms);
	return 0;
}

static inline int world_probe(void *arg, const struct reg_probe *q)
{
	struct world *w = arg;
	struct peer *peer = &w->peer[q->server.ip[3]];
	struct pending *p = g_new0(struct pending, 1);

	peer->probes++;
	p->token = q->token;
	p->kind = 1;
	p->peer = peer;
	p->answer.code = peer->does == OK ? 200 : 0;
	world_expect(w, p, peer->does == SILENT || peer->does == LATE ? q->budget_ms : 1);
	return 0;
}

static inline int world_resolve(void *arg, const struct reg_lookup *l)
{
	struct pending *p = g_new0(struct pending, 1);

	p->token = l->token;
	p->kind = 2;
	world_expect(arg, p, 5);
	return 0;
}

static inline void world_forget(void *arg, uint64_t token)
{
	struct world *w = arg;
	struct pending *p = g_hash_table_lookup(w->pending, &token);

	if (!p)
		return;
	world_ends(p);
	g_free(p);
}

/* What was not forgotten before its dialogue is dropped would be answered to nobody;
 * only late answers may still be on their way. */
static inline void world_drop(void *arg, struct reg_dialogue *d)
{
	struct world *w = arg;
	guint flying = GPOINTER_TO_UINT(g_hash_table_lookup(w->flying, d));

	if (flying)
		fail_msg("a dialogue was dropped with %u requests in flight", flying);
	g_hash_table_remove(w->flying, d);
}

static inline void world_renew(void *arg, struct reg_dialogue *d)
{
	(void)arg;
	(void)d;
}

static inline void world_quiet(int prio, const char *line)
{
	(void)prio;
	(void)line;
}

static inline guint world_token_hash(gconstpointer key)
{
	uint64_t token = *(const uint64_t *)key;

	return (guint)((token >> 32 ^ token) * 2654435761u);
}

static inline struct world *world_new(bool exact, bool plugins)
{
	struct world *w = g_new0(struct world, 1);
	struct reg_options opt = { .exact = exact, .random = world_draw };

	rg_log_to(world_quiet);
	w->x = 0x2545f4914f6cdd1du;
	w->plugins = plugins;
	w->timers = rg_timers_new(1000);
	w->pending = g_hash_table_new(world_token_hash, g_int64_equal);
	w->flying = g_hash_table_new(g_direct_hash, g_direct_equal);
	w->per_second = g_array_new(FALSE, TRUE, sizeof(uint32_t));
	w->port = (struct reg_port){ .arg = w, .send_register = world_register,
				     .send_probe = world_probe, .resolve = world_resolve,
				     .forget = world_forget, .drop = world_drop,
				     .renew = world_renew };
	opt.timers = w->timers;
	opt.port = &w->port;
	w->e = reg_engine_new(&opt);
	return w;
}

static inline void world_applied(void *arg)
{
	((struct world *)arg)->applied++;
}

/* Work out what a configuration changes, and put it in force. */
static inline struct reg_plan *world_plan(struct world *w, const char *ini)
{
	char file[] = "/tmp/regway-unit-XXXXXX.ini", dir[512];
	const char *path = file, *build = getenv("RG_BUILD");
	struct rg_faults *f = rg_faults_new();
	int fd = g_mkstemp(file);
	struct conf *conf;
	struct policy *policy;
	struct reg_plan *plan;

	assert_true(fd >= 0);
	close(fd);
	assert_true(g_file_set_contents(file, ini, -1, NULL));
	if (!w->schema) {
		w->schema = schema_new();
		snprintf(dir, sizeof dir, "%s/plugins", build ? build : "build");
		w->modules = policy_modules_open(w->plugins ? dir : NULL, NULL, w->schema, f);
	}
	conf = conf_load(&path, 1, w->schema, f);
	unlink(file);
	policy = conf && w->modules ? policy_build(w->modules, conf, w->schema, f) : NULL;
	for (size_t i = 0; !policy && i < rg_faults_count(f); i++)
		print_error("%s\n", rg_faults_text(f, i));
	assert_non_null(policy);
	rg_faults_free(f);
	plan = reg_plan_new(w->conf, w->policy, conf, policy);
	if (w->policy) {
		policy_unref(w->policy);
		conf_unref(w->conf);
	}
	w->conf = conf;
	w->policy = policy;
	return plan;
}

static inline void world_conf(struct world *w, const char *ini)
{
	reg_engine_apply(w->e, world_plan(w, ini), world_applied, w);
}

static inline void world_until(struct world *w, rg_ms at)
{
	while (rg_timers_step(w->timers, at))
		;
}

static inline struct reg_counts world_counts(const struct world *w)
{
	struct reg_counts c;

	reg_engine_counts(w->e, &c);
	return c;
}

/* Frees the engine wherever it is; nothing of it may be left. */
static inline void world_free(struct world *w)
{
	GHashTableIter it;
	gpointer v;

	reg_engine_free(w->e);
	g_hash_table_iter_init(&it, w->pending);
	while (g_hash_table_iter_next(&it, NULL, &v)) {
		struct pending *p = v;

		assert_true(p->answer.late); /* what else there is was forgotten */
		rg_timer_stop(w->timers, &p->timer);
		g_hash_table_iter_steal(&it);
		g_free(p);
	}
	assert_int_equal(rg_timers_count(w->timers), 0);
	if (w->policy) {
		policy_unref(w->policy);
		conf_unref(w->conf);
		policy_modules_unref(w->modules);
		schema_free(w->schema);
	}
	g_hash_table_destroy(w->pending);
	g_hash_table_destroy(w->flying);
	g_array_free(w->per_second, TRUE);
	rg_timers_free(w->timers);
	g_free(w);
}

/* A set NAME with servers first to last, a serving group of that name, and n accounts
 * NAME0 ... that register there. */
static inline void world_write(GString *ini, const char *name, const char *set, int first, int last,
			       unsigned n, const char *account)
{
	const char *served = strstr(account, "ServedTrunkGroup") ? "" : "ServedIPGroupName = PBX\n";
	const char *reg = strstr(account, "Register = ") ? "" : "Register = 1\n";

	g_string_append_printf(ini, "[ProxySet]\nName = %s\n%s\n[IPGroup]\nName = %s\n"
			       "ProxySetName = %s\nSIPGroupName = itsp.example\n",
			       name, set, name, name);
	for (int i = first; i <= last; i++)
		g_string_append_printf(ini, "[ProxyIp]\nProxySetId = %s\nIpAddress = 192.0.2.%d\n",
				       name, i);
	for (unsigned i = 0; i < n; i++)
		g_string_append_printf(ini, "[Account]\nName = %s%u\n%s"
				       "ServingIPGroupName = %s\nContactUser = %s%u\n%s%s\n",
				       name, i, served, name, name, i, reg, account);
}

static inline GString *world_ini(const char *gateway)
{
	GString *ini = g_string_new(NULL);

	g_string_printf(ini, "[Gateway]\nRegistrationTime = 600\n%s\n[IPGroup]\nName = PBX\n",
			gateway);
	return ini;
}

static inline void world_use(struct world *w, GString *ini)
{
	world_conf(w, ini->str);
	g_string_free(ini, TRUE);
}

#endif
