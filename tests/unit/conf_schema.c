/* The schema: complete, consistent, documented, and open to plugins. */
#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "conf/conf.h"
#include "conf/value.h"

static void append(const char *text, void *arg)
{
	g_string_append(arg, text);
}

/* Each default is a value of its own type and range, each name is found again. */
static void consistent(void **state)
{
	struct schema *s = schema_new();

	(void)state;
	assert_true(schema_count(s) > 200);
	for (uint16_t i = 0; i < schema_count(s); i++) {
		const struct schema_param *p = schema_at(s, i);
		char why[VALUE_WHY] = "", *full;
		int64_t n;

		assert_int_equal(p->number, i);
		assert_ptr_equal(schema_find(s, p->table, p->name), p);
		full = g_strdup_printf("%s_%s", schema_title(p->table), p->name);
		assert_ptr_equal(schema_find(s, p->table, full), p);
		g_free(full);
		assert_non_null(p->dflt);
		if (p->type == SCHEMA_IGNORED)
			continue;
		if (!p->doc || strlen(p->doc) < 5)
			fail_msg("%s has no text", p->name);
		if ((p->type == SCHEMA_INT || p->type == SCHEMA_BOOL) && *p->dflt &&
		    !value_number(p, p->dflt, &n, why))
			fail_msg("%s = %s %s", p->name, p->dflt, why);
		assert_true(p->size || p->policy || p->table == CONF_PLUGINS ||
			    p->table == CONF_ROUTE || p->table == CONF_TLS_CONTEXT ||
			    p->table == CONF_INTERFACE_TABLE);
	}
	assert_null(schema_at(s, (uint16_t)schema_count(s)));
	schema_free(s);
}

static void names(void **state)
{
	struct schema *s = schema_new();

	(void)state;
	assert_string_equal(schema_find(s, CONF_ACCOUNT, "ACCOUNTNAME")->name, "Name");
	assert_string_equal(schema_find(s, CONF_ACCOUNT, "account_accountname")->name,
			    "Name");
	assert_string_equal(schema_find(s, CONF_ACCOUNT, "Account_ServingIPGroup")->name,
			    "ServingIPGroupName");
	assert_string_equal(
		schema_find(s, CONF_TRUNK_GROUP, "TrunkGroupSettings_TrunkGroupName")
			->name,
		"Name");
	assert_null(schema_find(s, CONF_ACCOUNT, "ProxyName"));
	assert_null(schema_find(s, CONF_ACCOUNT, "IPGroup_Register"));
	assert_null(schema_find(s, CONF_ACCOUNT, ""));
	assert_int_equal(schema_table("account"), CONF_ACCOUNT);
	assert_int_equal(schema_table("TrunkGroupSettings"), CONF_TRUNK_GROUP);
	assert_int_equal(schema_table("Accounts"), CONF_TABLES);
	assert_string_equal(schema_nearest_table("Acount"), "Account");
	assert_string_equal(schema_nearest(s, CONF_ACCOUNT, "Account_ContactUsr"),
			    "ContactUser");
	assert_null(schema_nearest(s, CONF_ACCOUNT, "Zebra"));
	schema_free(s);
}

static void owners(void **state)
{
	struct schema *s = schema_new();
	const struct schema_param *reg = schema_find(s, CONF_ACCOUNT, "Register");
	const struct schema_param *search =
		schema_find(s, CONF_ACCOUNT, "RegistrarSearchMode");
	const struct schema_param *sticky =
		schema_find(s, CONF_ACCOUNT, "RegistrarStickiness");

	(void)state;
	assert_null(schema_owner(reg, 0));
	assert_null(schema_owner(reg, 1));
	assert_string_equal(schema_owner(reg, 2), "gin");
	assert_null(schema_owner(search, 0));
	assert_string_equal(schema_owner(search, 1), "ims_search");
	assert_string_equal(schema_owner(search, 2), "avoid_previous");
	assert_string_equal(schema_owner(sticky, 2), "stickiness");
	assert_null(schema_owner(schema_find(s, CONF_GATEWAY, "UnregistrationMode"), 1));
	assert_string_equal(schema_owner(schema_find(s, CONF_ACCOUNT, "FailbackMode"), 0),
			    "failback");
	schema_free(s);
}

/* ---- plugins ------------------------------------------------------------------------- */

struct cfg {
	int32_t a, b;
	const char *s;
	struct rg_codes codes;
};

static int add(const struct rg_param *params, char **said)
{
	struct schema *s = schema_new();
	struct rg_faults *f = rg_faults_new();
	size_t before = schema_count(s);
	int err = schema_add(s, "tester", params, f);

	assert_int_equal(err != 0, rg_faults_errors(f) > 0);
	if (err)
		assert_int_equal(schema_count(s), before);
	*said = err ? g_strdup(rg_faults_text(f, 0)) : NULL;
	rg_faults_free(f);
	schema_free(s);
	return err;
}

static void fits(struct rg_param p)
{
	const struct rg_param params[] = { p, RG_END };
	char *said;

	if (add(params, &said))
		fail_msg("%s", said);
}

static void clashes(struct rg_param p, const char *want)
{
	const struct rg_param params[] = { p, RG_END };
	char *said;

	assert_int_equal(add(params, &said), EINVAL);
	if (!strstr(said, want) || !strstr(said, "tester") || !strstr(said, p.name))
		fail_msg("'%s' does not say '%s'", said, want);
	g_free(said);
}

static void claims(void **state)
{
	(void)state;
	fits((struct rg_param)RG_IMPLEMENTS(RG_ACCOUNT, "RegistrarSearchMode", "1"));
	fits((struct rg_param)RG_IMPLEMENTS(RG_ACCOUNT, "account_register", "2"));
	fits((struct rg_param)RG_READS_INT(RG_ACCOUNT, "RegistrarStickiness", struct cfg,
					   a));
	fits((struct rg_param)RG_READS_CODES(
		RG_GLOBAL, "AccountInviteFailureTriggerCodes", struct cfg, codes));
	fits((struct rg_param)RG_INT(RG_GLOBAL, "AccountRegistrarAvoidanceTime",
				     struct cfg, a, 0, 2000000, "0", "x"));
	fits((struct rg_param)RG_BOOL(RG_GLOBAL, "UseRandomUser", struct cfg, a, "0",
				      "x"));
	clashes((struct rg_param)RG_INT(RG_GLOBAL, "AccountRegistrarAvoidanceTime",
					struct cfg, a, 0, 3000000, "0", "x"),
		"narrower range");
	clashes((struct rg_param)RG_INT(RG_GLOBAL, "AccountRegistrarAvoidanceTime",
					struct cfg, a, 0, 2000000, "7", "x"),
		"another default");
	clashes((struct rg_param)RG_STR(RG_ACCOUNT, "Register", struct cfg, s, NULL, "x"),
		"another type");
	clashes((struct rg_param)RG_STR(RG_ACCOUNT, "Password", struct cfg, s, NULL, "x"),
		"another type");
	clashes((struct rg_param)RG_IMPLEMENTS(RG_ACCOUNT, "NoSuchThing", "1"),
		"not known");
	clashes((struct rg_param)RG_INT(RG_ACCOUNT, "Own", struct cfg, a, 1, 5, "9", "x"),
		"default out of its range");
	clashes((struct rg_param){ .name = "Own", .scope = RG_SCOPES, .type = RG_T_INT },
		"scope");
}

static const struct rg_param own[] = {
	RG_INT(RG_ACCOUNT, "OwnNumber", struct cfg, a, 1, 5, "2", "A number of its own."),
	RG_STR(RG_ACCOUNT, "OwnText", struct cfg, s, "", "A text of its own."),
	{ .name = "OwnMode",
	  .scope = RG_PROXY_SET,
	  .type = RG_T_INT,
	  .max = 1,
	  .dflt = "0",
	  .symbols = "slow=0,fast=1",
	  .implements = "1",
	  .doc = "A mode of its own." },
	RG_INT(RG_GLOBAL, "OwnPort", struct cfg, b, 1, 65535, "8080",
	       "A port of its own."),
	RG_READS_INT(RG_IP_GROUP, "MaxCalls", struct cfg, a),
	RG_END
};

static struct conf *load_text(const char *text, const struct schema *s,
			      struct rg_faults *f)
{
	char path[] = "/tmp/conf-schema-XXXXXX";
	const char *paths[] = { path };
	int fd = g_mkstemp(path);
	struct conf *c;

	assert_true(fd >= 0);
	close(fd);
	assert_true(g_file_set_contents(path, text, -1, NULL));
	c = conf_load(paths, 1, s, f);
	unlink(path);
	return c;
}

/* All that the core's parameters get, a plugin's own get, too. */
static void own_parameters(void **state)
{
	struct schema *s = schema_new();
	struct rg_faults *f = rg_faults_new();
	GString *dump = g_string_new(NULL), *page = g_string_new(NULL);
	const struct schema_param *p;
	const struct conf_value *v;
	struct conf *c;

	(void)state;
	assert_int_equal(schema_add(s, "tester", own, f), 0);
	assert_true(schema_plugin(s, "Tester"));
	p = schema_find(s, CONF_ACCOUNT, "Account_OwnNumber");
	assert_non_null(p);
	assert_string_equal(p->owner, "tester");
	assert_true(p->policy);
	assert_string_equal(schema_nearest(s, CONF_ACCOUNT, "OwnNumbr"), "OwnNumber");

	c = load_text(
		"[tester]\nOwnPort = 81\n[ProxySet]\nName = a\nOwnMode = Fast\n"
		"[IPGroup]\nName = b\nMaxCalls = 4\n[Account]\nServedIPGroupName = b\n"
		"ServingIPGroupName = b\nOwnNumber = 3\nOwnText = hello\n",
		s, f);
	if (!c)
		fail_msg("%s", rg_faults_text(f, 0));
	assert_int_equal(conf_value(c->account[0].row.values, p->number)->num, 3);
	v = conf_value(c->account[0].row.values,
		       schema_find(s, CONF_ACCOUNT, "OwnText")->number);
	assert_string_equal(v->str, "hello");
	v = conf_value(c->proxy_set[0].row.values,
		       schema_find(s, CONF_PROXY_SET, "OwnMode")->number);
	assert_int_equal(v->num, 1);
	v = conf_value(c->gateway.values,
		       schema_find(s, CONF_GATEWAY, "OwnPort")->number);
	assert_int_equal(v->num, 81);
	v = conf_value(c->ip_group[0].row.values,
		       schema_find(s, CONF_IP_GROUP, "MaxCalls")->number);
	assert_int_equal(v->num, 4);
	assert_int_equal(c->ip_group[0].max_calls, 4);
	assert_int_equal(c->n_section, 1);
	assert_string_equal(c->section[0], "tester");
	conf_dump(c, s, append, dump);
	assert_non_null(strstr(dump->str, "OwnNumber = 3\n"));
	assert_non_null(strstr(dump->str, "OwnPort = 81\n"));
	conf_unref(c);

	assert_int_equal(rg_faults_count(f), 0);
	c = load_text("[tester]\nOwnPrt = 81\n[Account]\nOwnNumber = 6\n", s, f);
	assert_null(c);
	assert_non_null(strstr(rg_faults_text(f, 0),
			       ":2: error: unknown parameter 'OwnPrt' in "
			       "[tester]; did you mean 'OwnPort'?"));
	schema_document(s, append, page);
	assert_non_null(strstr(page->str,
			       "| `OwnMode` | 0 to 1, slow (0), fast (1) | 0 | tester | "
			       "A mode of its own. |"));
	g_string_free(dump, TRUE);
	g_string_free(page, TRUE);
	rg_faults_free(f);
	schema_free(s);
}

/* docs/parameters.md is what the schema says, and rows of the plugins' own parameters;
 * make docs brings it up to date. */
static void document(void **state)
{
	struct schema *s = schema_new();
	GString *page = g_string_new(NULL);
	char *committed = NULL, **want, **have;
	size_t i = 0;

	(void)state;
	schema_document(s, append, page);
	assert_true(g_file_get_contents("docs/parameters.md", &committed, NULL, NULL));
	want = g_strsplit(page->str, "\n", -1);
	have = g_strsplit(committed, "\n", -1);
	for (size_t k = 0; have[k]; k++) {
		if (want[i] && !strcmp(want[i], have[k]))
			i++;
		else if (!g_str_has_prefix(have[k], "| `"))
			fail_msg("docs/parameters.md:%zu is not of the schema: %s", k + 1,
				 have[k]);
	}
	if (want[i])
		fail_msg("docs/parameters.md lacks: %s", want[i]);
	g_strfreev(want);
	g_strfreev(have);
	g_free(committed);
	g_string_free(page, TRUE);
	schema_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(consistent),	  cmocka_unit_test(names),
		cmocka_unit_test(owners),	  cmocka_unit_test(claims),
		cmocka_unit_test(own_parameters), cmocka_unit_test(document),
	};

	return cmocka_run_group_tests_name("conf_schema", tests, NULL, NULL);
}
