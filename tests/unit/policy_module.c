/* Plugins as files: what is refused and with which words, what is shared, replaced
 * and unloaded.  The plugins are compiled here, by cc. */
#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "policy/policy.h"

static const char source[] =
	"#include <regway/plugin.h>\n"
	"#define TEXT_(x) #x\n"
	"#define TEXT(x) TEXT_(x)\n"
	"#ifndef BUILT_ABI\n"
	"#define BUILT_ABI RG_ABI\n"
	"#endif\n"
	"#ifndef BUILT_SIZE\n"
	"#define BUILT_SIZE sizeof(struct rg_policy)\n"
	"#endif\n"
	"#ifndef KIND\n"
	"#define KIND RG_POLICY_KIND\n"
	"#endif\n"
	"#ifndef CFG\n"
	"#define CFG sizeof(struct cfg)\n"
	"#endif\n"
	"struct cfg { int32_t first, second; };\n"
	"struct slot { int32_t n; };\n"
	"static enum rg_goal goal(const struct rg_ctx *c) { (void)c; return GOAL; }\n"
	"static const struct rg_param params[] = {\n"
	"	RG_INT(RG_ACCOUNT, \"FirstOf\" TEXT(NAME), struct cfg, first, 0, 9, \"1\", \"\"),\n"
	"	RG_INT(RG_ACCOUNT, \"SecondOf\" TEXT(NAME), struct cfg, second, 0, 9, \"1\", \"\"),\n"
	"	RG_END };\n"
	"static const struct rg_field fields[] = {\n"
	"	{ FIELD, offsetof(struct slot, n), \"n\" }, { RG_F_END, 0, NULL } };\n"
	"#ifdef EXTRA\n"
	"EXTRA;\n"
	"#endif\n"
	"#ifndef NO_EXPORT\n"
	"RG_POLICY(NAME) = {\n"
	"	.m = { .abi = BUILT_ABI, .size = BUILT_SIZE, .kind = KIND, .name = TEXT(NAME),\n"
	"	       .version = \"1\", .summary = \"\", .params = params },\n"
	"	.cfg_size = { [RG_ACCOUNT] = CFG }, .slot_size = sizeof(struct slot),\n"
	"	.fields = fields, .goal = goal };\n"
	"#endif\n";

struct world {
	char dir[64];
	struct schema *schema;
	struct rg_faults *faults;
};

static void write_file(const struct world *w, const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", w->dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* Compile the plugin `name` into FILE with some -D. */
static void build(const struct world *w, const char *file, const char *name, const char *flags)
{
	char cmd[1024];

	snprintf(cmd, sizeof cmd,
		 "cc -std=c11 -shared -fPIC -fvisibility=hidden -Icore/include -DNAME=%s "
		 "-DGOAL=RG_REGISTER -DFIELD=RG_F_INT32 %s -Wl,-z,now -o %s/%s.tmp %s/plugin.c "
		 "2>%s/cc.log && mv %s/%s.tmp %s/%s",
		 name, flags, w->dir, file, w->dir, w->dir, w->dir, file, w->dir, file);
	if (system(cmd))
		fail_msg("cannot compile: see the sources in %s; %s", w->dir, cmd);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	unsetenv("RG_KEEP_PLUGINS");
	strcpy(w->dir, "/tmp/rg-module-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	write_file(w, "plugin.c", source);
	w->schema = schema_new();
	w->faults = rg_faults_new();
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	char cmd[128];

	schema_free(w->schema);
	rg_faults_free(w->faults);
	snprintf(cmd, sizeof cmd, "rm -rf %s", w->dir);
	assert_int_equal(system(cmd), 0);
	free(w);
	return 0;
}

/* A new generation: its schema is new, too. */
static struct policy_modules *open_all(struct world *w, struct policy_modules *prev)
{
	schema_free(w->schema);
	w->schema = schema_new();
	return policy_modules_open(w->dir, prev, w->schema, w->faults);
}

static void close_all(struct world *w, struct policy_modules *ms)
{
	schema_free(w->schema);
	w->schema = NULL;
	policy_modules_unref(ms);
}

static const struct rg_policy *only(const struct policy_modules *ms)
{
	assert_int_equal(policy_modules_count(ms), 1);
	return policy_modules_at(ms, 0)->policy;
}

static bool in_memory(const struct world *w, const char *file)
{
	char path[128];
	void *h;

	struct stat st;

	snprintf(path, sizeof path, "%s/%s", w->dir, file);
	if (!stat(path, &st) && !S_ISREG(st.st_mode)) /* dlopen would wait */
		return false;
	h = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
	if (h)
		dlclose(h);
	return h;
}

/* The directory gives one fault, about `file`, holding `text`, and no plugin. */
static void assert_refused(struct world *w, const char *file, const char *text)
{
	struct policy_modules *ms = open_all(w, NULL);
	char begin[128];
	const char *said;

	assert_non_null(ms);
	assert_int_equal(policy_modules_count(ms), 0);
	assert_int_equal(rg_faults_count(w->faults), 1);
	assert_int_equal(rg_faults_errors(w->faults), 1);
	said = rg_faults_text(w->faults, 0);
	snprintf(begin, sizeof begin, "%s/%s: error: ", w->dir, file);
	assert_int_equal(strncmp(said, begin, strlen(begin)), 0);
	if (!strstr(said, text))
		fail_msg("\"%s\" does not say \"%s\"", said, text);
	close_all(w, ms);
	assert_false(in_memory(w, file));
}

static void test_good(void **state)
{
	struct world *w = *state;
	struct policy_modules *ms;

	build(w, "beta.so", "beta", "");
	build(w, "alpha.so", "alpha", "");
	write_file(w, "README", "no plugin");
	write_file(w, ".hidden.so", "no plugin");
	ms = open_all(w, NULL);
	assert_int_equal(rg_faults_count(w->faults), 0);
	assert_int_equal(policy_modules_count(ms), 2);
	assert_string_equal(policy_modules_at(ms, 0)->m->name, "alpha");
	assert_string_equal(policy_modules_at(ms, 1)->m->name, "beta");
	assert_null(policy_modules_at(ms, 0)->service);
	assert_non_null(schema_find(w->schema, CONF_ACCOUNT, "SecondOfalpha"));
	assert_non_null(schema_find(w->schema, CONF_ACCOUNT, "FirstOfbeta"));
	close_all(w, ms);
}

static void test_no_directory(void **state)
{
	struct world *w = *state;
	struct policy_modules *ms = policy_modules_open(NULL, NULL, w->schema, w->faults);

	assert_int_equal(policy_modules_count(ms), 0);
	policy_modules_unref(ms);
	assert_null(policy_modules_open("/nowhere/at/all", NULL, w->schema, w->faults));
	assert_string_equal(rg_faults_text(w->faults, 0),
			    "/nowhere/at/all: error: cannot read the plugin directory: "
			    "No such file or directory");
}

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
#define HERE TEXT(RG_ABI_MAJOR) "." TEXT(RG_ABI_MINOR)
#define RG_ABI_NEXT 2 /* one more than RG_ABI_MINOR */
_Static_assert(RG_ABI_NEXT == RG_ABI_MINOR + 1, "follow the ABI");

static void test_refused(void **state)
{
	static const struct {
		const char *file, *name, *flags, *text;
	} bad[] = {
		{ "major.so", "major", "-DBUILT_ABI='(2u<<16)'",
		  "was built for plugin ABI 2.0, this is " HERE ": build it again" },
		{ "minor.so", "minor", "-DBUILT_ABI='(RG_ABI+1)'",
		  "was built for plugin ABI 1." TEXT(RG_ABI_NEXT) ", this is " HERE },
		{ "size.so", "size", "-DBUILT_SIZE=8",
		  "its struct rg_policy has 8 bytes, here it has" },
		{ "kind.so", "kind", "-DKIND=7", "is neither a policy nor a service (kind 7)" },
		/* a service's size would be needed, not a policy's */
		{ "mixed.so", "mixed", "-DKIND=RG_SERVICE_KIND", "its struct rg_service has" },
		{ "file.so", "other", "", "calls itself other: the file must be called other.so" },
		{ "empty.so", "empty", "-DNO_EXPORT", "exports no rg_plugin_export" },
		{ "tiny.so", "tiny", "-DNO_EXPORT -DEXTRA='RG_EXPORT const int rg_plugin_export = 65536'",
		  "rg_plugin_export is no plugin" },
		{ "cfg.so", "cfg", "-DCFG=4",
		  "parameter SecondOfcfg does not fit its block: cfg_size is 4 bytes" },
		{ "field.so", "field", "-UFIELD -DFIELD=RG_F_MS",
		  "slot field n does not fit the slot of 4 bytes" },
		{ "symbol.so", "symbol",
		  "-DEXTRA='void nowhere(void);RG_EXPORT void f(void);void f(void){nowhere();}'",
		  "cannot be loaded: undefined symbol: nowhere (a plugin links against nothing" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char path[128];

		build(w, bad[i].file, bad[i].name, bad[i].flags);
		assert_refused(w, bad[i].file, bad[i].text);
		snprintf(path, sizeof path, "%s/%s", w->dir, bad[i].file);
		assert_int_equal(unlink(path), 0);
		rg_faults_free(w->faults);
		w->faults = rg_faults_new();
	}
}

static void test_no_object(void **state)
{
	struct world *w = *state;
	char path[128];

	write_file(w, "text.so", "this is no shared object, whatever its name says; it is "
				 "long enough to be looked at, though\n");
	assert_refused(w, "text.so", "cannot be loaded: invalid ELF header");
	rg_faults_free(w->faults);
	w->faults = rg_faults_new();
	snprintf(path, sizeof path, "%s/text.so", w->dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0); /* opening one would wait for ever */
	assert_refused(w, "text.so", "is not a file");
}

/* A broken one does not keep the others from being reported. */
static void test_all_faults(void **state)
{
	struct world *w = *state;
	struct policy_modules *ms;

	build(w, "good.so", "good", "");
	write_file(w, "bad.so", "x");
	write_file(w, "worse.so", "y");
	ms = open_all(w, NULL);
	assert_int_equal(rg_faults_errors(w->faults), 2);
	assert_string_equal(only(ms)->m.name, "good");
	close_all(w, ms);
}

static void test_shared(void **state)
{
	struct world *w = *state;
	struct policy_modules *a, *b;

	build(w, "one.so", "one", "");
	a = open_all(w, NULL);
	b = open_all(w, a);
	assert_ptr_equal(only(a), only(b));
	policy_modules_unref(a);
	assert_true(in_memory(w, "one.so"));
	assert_int_equal(only(b)->goal(NULL), RG_REGISTER);
	policy_modules_ref(b);
	policy_modules_unref(b);
	assert_true(in_memory(w, "one.so"));
	close_all(w, b);
	assert_false(in_memory(w, "one.so"));
}

static void test_replaced(void **state)
{
	struct world *w = *state;
	struct policy_modules *a, *b, *c, *d;

	build(w, "one.so", "one", "-UGOAL -DGOAL=RG_UNREGISTER");
	a = open_all(w, NULL);
	build(w, "one.so", "one", "-UGOAL -DGOAL=RG_HOLD");
	b = open_all(w, a);
	assert_int_equal(rg_faults_count(w->faults), 0);
	assert_ptr_not_equal(only(a), only(b));
	assert_int_equal(only(a)->goal(NULL), RG_UNREGISTER);
	assert_int_equal(only(b)->goal(NULL), RG_HOLD);

	policy_modules_unref(a); /* the new one does not need the old */
	assert_int_equal(only(b)->goal(NULL), RG_HOLD);
	c = open_all(w, b); /* a private copy is shared like any other */
	assert_ptr_equal(only(b), only(c));
	policy_modules_unref(b);

	build(w, "one.so", "one", "-UGOAL -DGOAL=RG_REGISTER");
	d = open_all(w, c);
	assert_int_equal(only(c)->goal(NULL), RG_HOLD);
	assert_int_equal(only(d)->goal(NULL), RG_REGISTER);
	policy_modules_unref(c);
	assert_int_equal(only(d)->goal(NULL), RG_REGISTER);
	close_all(w, d);
	assert_int_equal(rg_faults_count(w->faults), 0);
}

/* Replaced again while both of the earlier ones are in use. */
static void test_replaced_twice(void **state)
{
	static const char *const flags[] = { "-UGOAL -DGOAL=RG_UNREGISTER",
					     "-UGOAL -DGOAL=RG_HOLD",
					     "-UGOAL -DGOAL=RG_REGISTER" };
	struct world *w = *state;
	struct policy_modules *ms[3] = { NULL };

	for (int i = 0; i < 3; i++) {
		build(w, "one.so", "one", flags[i]);
		ms[i] = open_all(w, i ? ms[i - 1] : NULL);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(only(ms[i])->goal(NULL), i);
	schema_free(w->schema);
	w->schema = NULL;
	for (int i = 0; i < 3; i++)
		policy_modules_unref(ms[i]);
	assert_false(in_memory(w, "one.so"));
}

/* Without knowledge of the earlier set, too, a path never means an old file. */
static void test_replaced_unknown(void **state)
{
	struct world *w = *state;
	struct policy_modules *a, *b;

	build(w, "one.so", "one", "-UGOAL -DGOAL=RG_UNREGISTER");
	a = open_all(w, NULL);
	build(w, "one.so", "one", "-UGOAL -DGOAL=RG_HOLD");
	b = open_all(w, NULL);
	assert_int_equal(only(b)->goal(NULL), RG_HOLD);
	policy_modules_unref(a);
	close_all(w, b);
}

static void test_removed(void **state)
{
	struct world *w = *state;
	struct policy_modules *a, *b;
	char path[128];

	build(w, "one.so", "one", "");
	a = open_all(w, NULL);
	snprintf(path, sizeof path, "%s/one.so", w->dir);
	assert_int_equal(unlink(path), 0);
	b = open_all(w, a);
	assert_int_equal(policy_modules_count(b), 0);
	assert_int_equal(only(a)->goal(NULL), RG_REGISTER);
	policy_modules_unref(a);
	close_all(w, b);
}

static void test_keep(void **state)
{
	struct world *w = *state;
	struct policy_modules *ms;

	build(w, "kept.so", "kept", "");
	setenv("RG_KEEP_PLUGINS", "1", 1);
	ms = open_all(w, NULL);
	close_all(w, ms);
	unsetenv("RG_KEEP_PLUGINS");
	assert_true(in_memory(w, "kept.so"));
}

static void test_bad_parameters(void **state)
{
	static const struct rg_param scope[] = {
		{ .name = "Mine", .scope = RG_SCOPES, .type = RG_T_INT }, RG_END
	};
	static const struct rg_param align[] = {
		{ .name = "Mine", .scope = RG_ACCOUNT, .type = RG_T_INT, .offset = 2 }, RG_END
	};
	static const struct rg_policy bad[] = {
		{ RG_HEAD("bad", "", 1, scope) },
		{ RG_HEAD("bad", "", 1, align), .cfg_size = { [RG_ACCOUNT] = 8 } },
	};
	static const char *const says[] = {
		"bad: error: parameter Mine: scope, type or on_change is out of range",
		"bad: error: parameter Mine does not fit its block: cfg_size is 8 bytes",
	};
	struct world *w = *state;

	for (int i = 0; i < 2; i++) {
		const struct rg_module *const table[] = { &bad[i].m, NULL };
		struct policy_modules *ms = policy_modules_static(table, w->schema, w->faults);

		assert_int_equal(policy_modules_count(ms), 0);
		assert_string_equal(rg_faults_text(w->faults, (size_t)i), says[i]);
		policy_modules_unref(ms);
	}
}

/* A file that was refused is not also called missing. */
static void test_one_fault(void **state)
{
	struct world *w = *state;
	struct policy_modules *ms;
	struct policy *policy;
	struct conf *conf;
	char path[128];
	const char *paths[] = { path };

	write_file(w, "stickiness.so", "x");
	write_file(w, "a.ini", "[Plugins]\nLoad = stickiness\n"
			       "[ProxySet]\nName = p\n[ProxyIp]\nProxySetId = p\n"
			       "IpAddress = 192.0.2.1\n[IPGroup]\nName = g\nProxySetName = p\n"
			       "[IPGroup]\nName = s\n[Account]\nServedIPGroupName = s\n"
			       "ServingIPGroupName = g\nContactUser = u\nRegister = 1\n"
			       "RegistrarStickiness = 1\n");
	ms = open_all(w, NULL);
	snprintf(path, sizeof path, "%s/a.ini", w->dir);
	conf = conf_load(paths, 1, w->schema, w->faults);
	assert_non_null(conf);
	policy = policy_build(ms, conf, w->schema, w->faults);
	assert_int_equal(rg_faults_errors(w->faults), 1);
	assert_non_null(strstr(rg_faults_text(w->faults, 0), "stickiness.so: error: cannot be"));
	policy_unref(policy);
	conf_unref(conf);
	close_all(w, ms);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_good),	       T(test_no_directory),	 T(test_refused),
		T(test_no_object),     T(test_all_faults),	 T(test_shared),
		T(test_replaced),      T(test_replaced_twice),	 T(test_replaced_unknown),
		T(test_removed),       T(test_keep),		 T(test_bad_parameters),
		T(test_one_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
