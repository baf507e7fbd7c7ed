/* generation.c -- a configuration with its plugins, read from files. */
#include "main/app.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sip/tls.h"

struct generation *generation_load(const char *const *path, const char *plugin_dir,
				   struct policy_modules *prev, struct rg_faults *f)
{
	struct generation *g = g_new0(struct generation, 1);
	size_t n = 0;

	while (path[n])
		n++;
	g->schema = schema_new();
	g->modules = policy_modules_open(plugin_dir, prev, g->schema, f);
	if (g->modules)
		g->conf = conf_read(path, n, g->schema, f);
	if (g->conf) { /* with errors, too: whoever mends a file wants to know of all of them */
		g->policy = policy_build(g->modules, g->conf, g->schema, f);
		g->tls = tls_contexts(g->conf, g->schema, f);
		if (rg_faults_errors(f))
			record_close(record_open(g->conf, g->schema, true, f));
		conf_settle(g->conf);
	}
	rg_faults_sort(f);
	if (g->policy && !rg_faults_errors(f))
		return g;
	generation_free(g);
	return NULL;
}

void generation_free(struct generation *g)
{
	if (!g)
		return;
	if (g->policy)
		policy_unref(g->policy);
	if (g->conf)
		conf_unref(g->conf);
	sip_tls_contexts_unref(g->tls);
	schema_free(g->schema);
	if (g->modules)
		policy_modules_unref(g->modules);
	g_free(g);
}

static char *unreadable_folder(const char *path, bool contents)
{
	DIR *d = opendir(path);
	struct dirent *entry;
	char *fault = NULL;

	if (!d)
		return g_strdup_printf("%s: %s", path, g_strerror(errno));
	while (contents && !fault && (entry = readdir(d))) {
		char *file;

		if (entry->d_name[0] == '.' || !g_str_has_suffix(entry->d_name, ".ini"))
			continue;
		file = g_build_filename(path, entry->d_name, NULL);
		if (access(file, R_OK))
			fault = g_strdup_printf("%s: %s", file, g_strerror(errno));
		g_free(file);
	}
	closedir(d);
	return fault;
}

char *generation_unreadable(const char *const *path, const char *plugin_dir)
{
	char *fault = NULL;

	for (; *path && !fault; path++) {
		struct stat st;

		if (stat(*path, &st) || access(*path, R_OK))
			fault = g_strdup_printf("%s: %s", *path, g_strerror(errno));
		else if (S_ISDIR(st.st_mode))
			fault = unreadable_folder(*path, true);
	}
	if (!fault) {
		fault = unreadable_folder(plugin_dir, false);
		if (fault) {
			char *said = g_strdup_printf("plugin folder %s", fault);

			g_free(fault);
			fault = said;
		}
	}
	return fault;
}
