/* policy_world.h -- an ini text and plugins of the test's own, built into chains. */
#ifndef TESTS_POLICY_WORLD_H
#define TESTS_POLICY_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "policy/policy.h"

struct world {
	char path[64];
	struct schema *schema;
	struct rg_faults *faults;
	struct policy_modules *modules;
	struct conf *conf;
	struct policy *policy;
};

/* Two proxy sets, two IP groups and a served one: what every text begins with. */
#define NETWORK                                                                          \
	"[SIPInterface]\nName = lan\nNetworkInterface = 127.0.0.1\n"                      \
	"[ProxySet]\nIndex = 1\nName = one\nIsProxyHotSwap = 1\n"                         \
	"[ProxySet]\nIndex = 2\nName = two\n"                                             \
	"[ProxyIp]\nProxySetId = 1\nIpAddress = 192.0.2.1\n"                              \
	"[ProxyIp]\nProxySetId = 1\nIpAddress = itsp.example\n"                           \
	"[ProxyIp]\nProxySetId = 1\nIpAddress = 192.0.2.3\nTransportType = 1\n"           \
	"[ProxyIp]\nProxySetId = 2\nIpAddress = 192.0.2.9\n"                              \
	"[IPGroup]\nIndex = 1\nName = PBX\n"                                              \
	"[IPGroup]\nIndex = 2\nName = ITSP\nProxySetName = one\n"                         \
	"[IPGroup]\nIndex = 3\nName = OTHER\nProxySetName = two\n"
#define ACCOUNT(name, serving, more)                                                     \
	"[Account]\nName = " name "\nServedIPGroupName = PBX\nServingIPGroupName = " serving \
	"\nContactUser = " name "\nHostName = itsp.example\n" more

static inline void world_close(struct world *w)
{
	schema_free(w->schema);
	policy_unref(w->policy);
	conf_unref(w->conf);
	policy_modules_unref(w->modules);
	rg_faults_free(w->faults);
	if (*w->path)
		unlink(w->path);
	memset(w, 0, sizeof *w);
}

/* Read and build; w->policy is NULL if that was refused. */
static inline void world_build(struct world *w, const char *text)
{
	const char *paths[1] = { w->path };
	FILE *f;
	int fd;

	strcpy(w->path, "/tmp/rg-policy-XXXXXX.ini");
	fd = mkstemps(w->path, 4);
	assert_true(fd >= 0);
	f = fdopen(fd, "w");
	fputs(text, f);
	fclose(f);
	w->conf = conf_load(paths, 1, w->schema, w->faults);
	if (!w->conf)
		for (size_t i = 0; i < rg_faults_count(w->faults); i++)
			print_message("# %s\n", rg_faults_text(w->faults, i));
	assert_non_null(w->conf);
	w->policy = policy_build(w->modules, w->conf, w->schema, w->faults);
}

static inline void world_open(struct world *w, const struct rg_module *const *table,
			      const char *text)
{
	memset(w, 0, sizeof *w);
	w->schema = schema_new();
	w->faults = rg_faults_new();
	w->modules = policy_modules_static(table, w->schema, w->faults);
	assert_int_equal(rg_faults_count(w->faults), 0);
	world_build(w, text);
}

/* The same with the plugins of a directory. */
static inline void world_open_dir(struct world *w, const char *dir, const char *text)
{
	memset(w, 0, sizeof *w);
	w->schema = schema_new();
	w->faults = rg_faults_new();
	w->modules = policy_modules_open(dir, NULL, w->schema, w->faults);
	assert_non_null(w->modules);
	assert_int_equal(rg_faults_count(w->faults), 0);
	world_build(w, text);
}

/* Without the file's name: "LINE: error: TEXT". */
static inline const char *world_fault(const struct world *w, size_t i)
{
	const char *text = rg_faults_text(w->faults, i);
	size_t n = strlen(w->path);

	return strncmp(text, w->path, n) ? text : text + n + 1;
}

static inline size_t world_count(const struct world *w, const char *part)
{
	size_t n = 0;

	for (size_t i = 0; i < rg_faults_count(w->faults); i++)
		n += strstr(rg_faults_text(w->faults, i), part) != NULL;
	return n;
}

static inline void assert_fault(const struct world *w, const char *part)
{
	if (world_count(w, part))
		return;
	for (size_t i = 0; i < rg_faults_count(w->faults); i++)
		print_message("# %s\n", rg_faults_text(w->faults, i));
	fail_msg("no fault says \"%s\"", part);
}

static inline void assert_built(const struct world *w)
{
	for (size_t i = 0; !w->policy && i < rg_faults_count(w->faults); i++)
		print_message("# %s\n", rg_faults_text(w->faults, i));
	assert_non_null(w->policy);
}

static inline const struct policy_chain *chain_of(const struct world *w, const char *account)
{
	uint32_t pos = conf_account_find(w->conf, account);

	assert_int_not_equal(pos, CONF_NONE);
	return w->policy->of[pos];
}

/* "a b c": the chain's policies in order. */
static inline const char *names_of(const struct world *w, const char *account)
{
	static char text[512];
	const struct policy_chain *c = chain_of(w, account);

	*text = '\0';
	for (uint16_t i = 0; i < c->n; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "",
			 c->link[i].p->m.name);
	return text;
}

#endif
