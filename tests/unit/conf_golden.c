/* Every tests/conf/NAME.ini gives what NAME.expect says: the faults, then the dump.
 * With arguments, shows that for the files named, for the tests that are scripts. */
#include <dirent.h>
#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "conf/conf.h"

static void append(const char *text, void *arg)
{
	g_string_append(arg, text);
}

/* Faults and dump of these files, as a reader of the terminal would see them. */
static char *show(const char *const *paths, size_t n, bool dump)
{
	struct schema *schema = schema_new();
	struct rg_faults *faults = rg_faults_new();
	GString *out = g_string_new(NULL);
	struct conf *c = conf_load(paths, n, schema, faults);

	for (size_t i = 0; i < rg_faults_count(faults); i++)
		g_string_append_printf(out, "%s\n", rg_faults_text(faults, i));
	g_string_append_printf(out, "%zu errors, %zu warnings\n",
			       rg_faults_errors(faults), rg_faults_warnings(faults));
	if (c && dump)
		conf_dump(c, schema, append, out);
	assert_true(!c == (rg_faults_errors(faults) > 0));
	conf_unref(c);
	rg_faults_free(faults);
	schema_free(schema);
	return g_string_free(out, FALSE);
}

static void golden(void **state)
{
	const char *ini = *state;
	char *base = g_strndup(ini, strlen(ini) - 4),
	     *expect = g_strconcat(base, ".expect", NULL);
	char *want = NULL, *have = show(&ini, 1, true);

	if (getenv("RG_ACCEPT"))
		g_file_set_contents(expect, have, -1, NULL);
	if (!g_file_get_contents(expect, &want, NULL, NULL))
		fail_msg("%s cannot be read", expect);
	if (strcmp(want, have))
		fail_msg("%s: expected\n%s\nbut it is\n%s", ini, want, have);
	g_free(want);
	g_free(have);
	g_free(expect);
	g_free(base);
}

static int is_ini(const struct dirent *d)
{
	return g_str_has_suffix(d->d_name, ".ini");
}

int main(int argc, char **argv)
{
	struct dirent **all;
	struct CMUnitTest *tests;
	int n, err;

	if (argc > 1) {
		bool check = !strcmp(argv[1], "--check");
		char *text = show((const char *const *)argv + 1 + check,
				  (size_t)(argc - 1 - check), !check);

		fputs(text, stdout);
		g_free(text);
		return 0;
	}
	n = scandir("tests/conf", &all, is_ini, alphasort);
	if (n <= 0) {
		puts("not ok - no tests/conf/*.ini");
		return 1;
	}
	tests = g_new0(struct CMUnitTest, n);
	for (int i = 0; i < n; i++)
		tests[i] = (struct CMUnitTest){
			.name = all[i]->d_name,
			.test_func = golden,
			.initial_state = g_strconcat("tests/conf/", all[i]->d_name, NULL)
		};
	err = _cmocka_run_group_tests("golden", tests, (size_t)n, NULL, NULL);
	for (int i = 0; i < n; i++) {
		g_free(tests[i].initial_state);
		free(all[i]);
	}
	free(all);
	g_free(tests);
	return err;
}
