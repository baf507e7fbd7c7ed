/* What a loaded configuration holds, and what loading promises: every fault with its
 * place, no secret in any, many files, any thread, and speed. */
#include <glib.h>
#include <glib/gstdio.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "conf/conf.h"

static struct schema *schema;
static char dir[] = "/tmp/conf-load-XXXXXX";

static int begin(void **state)
{
	(void)state;
	schema = schema_new();
	return g_mkdtemp(dir) ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	schema_free(schema);
	return g_rmdir(dir);
}

/* One file of that text; faults are the caller's. */
static struct conf *load_text(const char *text, struct rg_faults *f)
{
	char *path = g_strconcat(dir, "/x.ini", NULL);
	const char *paths[] = { path };
	struct conf *c;

	assert_true(g_file_set_contents(path, text, -1, NULL));
	c = conf_load(paths, 1, schema, f);
	g_unlink(path);
	g_free(path);
	return c;
}

static struct conf *load(const char *text)
{
	struct rg_faults *f = rg_faults_new();
	struct conf *c = load_text(text, f);

	if (!c)
		fail_msg("%s", rg_faults_text(f, 0));
	rg_faults_free(f);
	return c;
}

#define BASE                                                                             \
	"[ProxySet]\nName = ITSP\n[ProxyIp]\nProxySetId = ITSP\nIpAddress = 192.0.2.1\n" \
	"[IPGroup]\nName = PBX\n[IPGroup]\nName = ITSP\nProxySetName = ITSP\n"
#define ACCOUNT "[Account]\nServedIPGroupName = PBX\nServingIPGroupName = ITSP\n"

static void empty(void **state)
{
	struct conf *c = load("");

	(void)state;
	assert_int_equal(c->n_account, 0);
	assert_int_equal(c->n_sip_interface, 1);
	assert_int_equal(c->sip_interface[0].udp, 5060);
	assert_int_equal(c->sip_interface[0].tcp, 5060);
	assert_int_equal(c->sip_interface[0].tls, 0);
	assert_int_equal(c->sip_interface[0].addr.family, 0);
	assert_false(c->sip_interface[0].closed);
	assert_int_equal(c->gateway.registration_time, 180);
	assert_int_equal(c->gateway.retry_time, 30);
	assert_int_equal(c->gateway.register_rate, 150);
	assert_int_equal(c->gateway.time_divider, 50);
	assert_int_equal(c->gateway.refresh_jitter, 10);
	assert_int_equal(c->gateway.forbidden_retry_time, 600);
	assert_int_equal(c->gateway.max_registration_time, 604800);
	assert_int_equal(c->gateway.unknown_source_response, 403);
	assert_int_equal(c->gateway.sip_max_rtx, 7);
	assert_true(c->load_all);
	conf_unref(c);
}

static void rows(void **state)
{
	struct conf *c = load(
		"RegistrationTimeThreshold = 20\n"
		"[SIPInterface]\nName = one\nNetworkInterface = 127.0.0.9\nUDPPort = "
		"5070\n"
		"TCPPort = 0\nAdditionalUDPPorts = 6000-6009\n"
		"[ProxySet]\nName = ITSP\nTotalTimeout = 9\nRegisterWindow = 7\n"
		"KeepAliveFailureResp = 404\nFailureDetectionRetransmissions = "
		"2\nRetryCounts = 3\n"
		"[ProxyIp]\nProxySetId = ITSP\nIpAddress = sip.example.net\n"
		"[ProxyIp]\nProxySetId = 0\nProxyIpIndex = 3\nIpAddress = "
		"[2001:db8::5]:5070\n"
		"TransportType = TCP\nRole = proxy\nMaster = 1\nRegistrar = 192.0.2.77\n"
		"[IPGroup]\nName = PBX\n[IPGroup]\nName = ITSP\nProxySetName = "
		"ITSP\n" ACCOUNT
		"Name = a\nRegister = GIN\nUDPPortAssignment = yes\nContactUser = c\n"
		"HostName = h.example\nUsername = c\nPassword = $1$KllOT19LWw==\n");
	const struct conf_account *a = &c->account[0];
	const struct conf_proxy_set *s = &c->proxy_set[0];

	(void)state;
	assert_int_equal(c->gateway.time_threshold, 20);
	assert_int_equal(c->sip_interface[0].addr.family, 4);
	assert_int_equal(c->sip_interface[0].addr.ip[3], 9);
	assert_int_equal(c->sip_interface[0].port_min, 6000);
	assert_int_equal(c->sip_interface[0].port_max, 6009);
	assert_int_equal(s->n_ip, 2);
	assert_int_equal(s->total_timeout, 9);
	assert_int_equal(s->register_window, 7);
	assert_int_equal(s->keepalive_failure.n, 1);
	assert_int_equal(s->failure_retransmissions, 2);
	assert_int_equal(s->retry_counts, 3);
	assert_int_equal(s->redundancy, -1);
	assert_int_equal(s->dns_method, -1);
	assert_string_equal(c->proxy_ip[0].host, "2001:db8::5"); /* has a ProxyIpIndex */
	assert_int_equal(c->proxy_ip[0].addr.family, 6);
	assert_int_equal(c->proxy_ip[0].addr.port, 5070);
	assert_int_equal(c->proxy_ip[0].addr.transport, RG_TCP);
	assert_true(c->proxy_ip[0].transport_set);
	assert_int_equal(c->proxy_ip[0].roles, RG_PROXY);
	assert_true(c->proxy_ip[0].master);
	assert_string_equal(c->proxy_ip[0].registrar, "192.0.2.77");
	assert_string_equal(c->proxy_ip[1].host, "sip.example.net");
	assert_int_equal(c->proxy_ip[1].addr.family, 0);
	assert_int_equal(c->proxy_ip[1].addr.port, 5060);
	assert_int_equal(c->proxy_ip[1].port, 0);
	assert_false(c->proxy_ip[1].transport_set);
	assert_int_equal(c->proxy_ip[1].roles, RG_REGISTRAR | RG_PROXY);
	assert_int_equal(c->ip_group[0].set, CONF_NONE);
	assert_int_equal(c->ip_group[1].set, 0);
	assert_int_equal(a->served, 0);
	assert_int_equal(a->serving, 1);
	assert_int_equal(a->trunk, CONF_NONE);
	assert_int_equal(a->outbound, CONF_NONE);
	assert_int_equal(a->reg, RG_REG_GIN);
	assert_true(a->own_port);
	assert_string_equal(a->password, "secret");
	assert_string_equal(a->contact_address, "local");
	assert_ptr_equal(a->contact_user, a->username); /* one copy */
	assert_int_equal(conf_value(a->row.values,
				    schema_find(schema, CONF_ACCOUNT, "Register")->number)
				 ->num,
			 2);
	assert_null(conf_value(
		a->row.values,
		schema_find(schema, CONF_ACCOUNT, "RegistrarStickiness")->number));
	conf_unref(c);
}

static void found(void **state)
{
	struct conf *c =
		load(BASE ACCOUNT "Index = 7\nName = seven\nContactUser = 7\n" ACCOUNT
				  "ContactUser = 0\n" ACCOUNT
				  "Index = 3\nContactUser = 3\n" ACCOUNT
				  "Name = 9\nContactUser = n\n");

	(void)state;
	assert_int_equal(c->n_account, 4);
	for (uint32_t i = 1; i < c->n_account; i++)
		assert_true(c->account[i - 1].row.index < c->account[i].row.index);
	assert_int_equal(c->account[conf_account_find(c, "seven")].row.index, 7);
	assert_int_equal(c->account[conf_account_find(c, "7")].row.index, 7);
	assert_int_equal(c->account[conf_account_find(c, "0")].row.index, 0);
	assert_int_equal(c->account[conf_account_find(c, "9")].row.index, 1);
	assert_int_equal(conf_account_find(c, "2"), CONF_NONE);
	assert_int_equal(conf_account_find(c, "Seven"), CONF_NONE);
	assert_int_equal(conf_account_find(c, ""), CONF_NONE);
	assert_int_equal(conf_ip_group_find(c, "ITSP"), 1);
	assert_int_equal(conf_ip_group_find(c, "1"), 1);
	assert_int_equal(conf_proxy_set_find(c, "ITSP"), 0);
	assert_string_equal(c->account[0].row.name, "0");
	conf_unref(c);
}

/* Rows that set the same share one object, whatever order they say it in. */
static void shared_values(void **state)
{
	struct conf *c = load(
		BASE ACCOUNT
		"ContactUser = 1\nRegistrarStickiness = 1\nFailbackTimeout = 30\n" ACCOUNT
		"ContactUser = 2\nFailbackTimeout = 60\nRegistrarStickiness = "
		"Enable\n" ACCOUNT "ContactUser = 3\nRegistrarStickiness = 2\n" ACCOUNT
		"ContactUser = 4\n");

	(void)state;
	assert_ptr_equal(c->account[0].row.values, c->account[1].row.values);
	assert_ptr_not_equal(c->account[0].row.values, c->account[2].row.values);
	assert_int_equal(c->account[0].row.values->n, 2);
	assert_int_equal(c->account[3].row.values->n, 0);
	assert_ptr_equal(c->account[3].row.values, c->ip_group[0].row.values);
	conf_unref(c);
}

static void global_redundancy(void **state)
{
	uint16_t number =
		schema_find(schema, CONF_PROXY_SET, "ProxyRedundancyMode")->number;
	struct conf *c = load("[Gateway]\nProxyRedundancyMode = "
			      "Homing\n[ProxySet]\nHomingCheck = options\n"
			      "[ProxySet]\nProxyRedundancyMode = "
			      "0\n[ProxySet]\nProxyRedundancyMode = -1\n");

	(void)state;
	assert_int_equal(c->proxy_set[0].redundancy, 1);
	assert_int_equal(c->proxy_set[0].row.values->n, 2);
	assert_int_equal(conf_value(c->proxy_set[0].row.values, number)->num, 1);
	assert_int_equal(c->proxy_set[1].redundancy, 0);
	assert_int_equal(conf_value(c->proxy_set[1].row.values, number)->num, 0);
	assert_int_equal(c->proxy_set[2].redundancy, 1);
	assert_int_equal(conf_value(c->proxy_set[2].row.values, number)->num, 1);
	conf_unref(c);
}

static void global_place(void **state)
{
	struct conf *c = load("\n[Gateway]\nSyncIMSAccounts = 1\n");
	const char *file = NULL;

	(void)state;
	assert_int_equal(
		conf_global_line(
			c, schema_find(schema, CONF_GATEWAY, "SyncIMSAccounts")->number,
			&file),
		3);
	assert_true(g_str_has_suffix(file, "/x.ini"));
	assert_int_equal(
		conf_global_line(
			c, schema_find(schema, CONF_GATEWAY, "DrainTime")->number, &file),
		0);
	conf_unref(c);
}

static void plugins(void **state)
{
	struct conf *c =
		load("[Plugins]\nLoad = a, b  c\n[web]\nPort = 1\n[Plugins]\nLoad = d\n");

	(void)state;
	assert_false(c->load_all);
	assert_int_equal(c->n_load, 4);
	assert_string_equal(c->load[2], "c");
	assert_string_equal(c->load[3], "d");
	assert_int_equal(c->load_line, 2);
	assert_int_equal(c->n_section, 1);
	assert_string_equal(c->section[0], "web");
	conf_unref(c);
	c = load("[Plugins]\nLoad =\n");
	assert_false(c->load_all);
	assert_int_equal(c->n_load, 0);
	conf_unref(c);
}

/* ---- files ------------------------------------------------------------------------------ */

static void put(const char *name, const char *text)
{
	char *path = g_build_filename(dir, name, NULL);

	assert_true(g_file_set_contents(path, text, -1, NULL));
	g_free(path);
}

static void drop(const char *name)
{
	char *path = g_build_filename(dir, name, NULL);

	g_remove(path);
	g_free(path);
}

/* Names are resolved over all files, which are read in the order of their names. */
static void directory(void **state)
{
	const char *paths[] = { dir };
	struct rg_faults *f = rg_faults_new();
	struct conf *c;

	(void)state;
	put("10-accounts.ini", ACCOUNT "ContactUser = first\n");
	put("20-more.ini", ACCOUNT "ContactUser = second\n");
	put("30-base.ini", BASE);
	put("40-not-an-ini.txt", "broken");
	put(".hidden.ini", "broken");
	c = conf_load(paths, 1, schema, f);
	if (!c)
		fail_msg("%s", rg_faults_text(f, 0));
	assert_int_equal(c->n_account, 2);
	assert_string_equal(c->account[0].contact_user, "first");
	assert_true(
		g_str_has_suffix(conf_file(c, c->account[1].row.file), "/20-more.ini"));
	assert_int_equal(c->account[1].row.line, 1);
	conf_unref(c);

	put("20-more.ini", "oops\n");
	put("10-accounts.ini", "\noops\n");
	assert_null(conf_load(paths, 1, schema, f));
	assert_int_equal(rg_faults_errors(f), 2);
	assert_non_null(strstr(rg_faults_text(f, 0), "/10-accounts.ini:2: error: "));
	assert_non_null(strstr(rg_faults_text(f, 1), "/20-more.ini:1: error: "));
	rg_faults_free(f);
	drop("10-accounts.ini");
	drop("20-more.ini");
	drop("30-base.ini");
	drop("40-not-an-ini.txt");
	drop(".hidden.ini");
}

static void unreadable(void **state)
{
	const char *paths[] = { "/nonexistent/regway.ini", dir };
	struct rg_faults *f = rg_faults_new();

	(void)state;
	assert_null(conf_load(paths, 2, schema, f));
	assert_int_equal(rg_faults_errors(f), 2);
	assert_non_null(strstr(rg_faults_text(f, 0), "/nonexistent/regway.ini: error: "));
	assert_non_null(strstr(rg_faults_text(f, 1), "no *.ini file"));
	rg_faults_free(f);
}

static void password_file(void **state)
{
	struct conf *c;

	(void)state;
	put("line.secret", "from the file\n");
	c = load(BASE ACCOUNT
		 "ContactUser = 1\nPasswordFile = line.secret\n"); /* beside it */
	assert_string_equal(c->account[0].password, "from the file");
	conf_unref(c);
	drop("line.secret");
}

static void files_beside(void **state)
{
	struct conf *c = load("[TLSContexts]\nName = a\nCAFile = ca.pem\n"
			      "CertificateFile = /etc/own.pem\n");
	char *want = g_build_filename(dir, "ca.pem", NULL);

	(void)state;
	assert_string_equal(conf_raw_value(c->raw[CONF_TLS_CONTEXT], "CAFile"), want);
	assert_string_equal(conf_raw_value(c->raw[CONF_TLS_CONTEXT], "CertificateFile"),
			    "/etc/own.pem");
	assert_string_equal(conf_raw_value(c->raw[CONF_TLS_CONTEXT], "PrivateKeyFile"), "");
	g_free(want);
	conf_unref(c);
}

/* ---- secrets ------------------------------------------------------------------------------ */

/* Wherever a row with a secret goes wrong, the secret stays out of the faults. */
static void no_secret_in_faults(void **state)
{
	static const char *const texts[] = {
		ACCOUNT "Password = hunter2secret\nPassword = hunter2secret\n",
		ACCOUNT "Password = \"hunter2secret\n",
		ACCOUNT "Password = hunter2secret\x01\n",
		ACCOUNT "Password = hunter2secret\xC3\xA4\n",
		(ACCOUNT
		"Password = hunter2secrethunter2secrethunter2secrethunter2secret\n"),
		ACCOUNT "Password = $1$hunter2secret!\n",
		(ACCOUNT "Password = ok\nPasswordFile = /dev/null/hunter2\nPasword = "
			"hunter2secret\n"),
		ACCOUNT "Password hunter2secret\n",
		ACCOUNT "Password hunter2secret=\n",
		ACCOUNT "Password: hunter2secret=\n",
		"[ Account ]\nFORMAT Index = Username, Password;\nAccount 0 = \"u\",\n"
		"\"hunter2secret=\";\n[ \\Account ]\n",
		"Password hunter2secret = 1\n[Gateway]\nSecret hunter2secret = 1\n",
		"[Gateway]\nPassword = \"hunter2secret\n",
		"[Gateway]\nPassword = ${hunter2secret!}\n",
		"[SIP Params]\nPassword = 'hunter2secret\nPasswort = hunter2secret\n",
		("[ Account ]\nFORMAT Index = Username, Password;\nAccount 0 = \"u\", "
		"\"hunter2secret;\n"
		"Account 1 = \"u\", \"hunter2secret\", 3;\nAccount 2 = hunter2secret\n"
		"Account 3 = \"u\", \"hunter2secret\";\n[ \\Account ]\n"),
		("[IPGroup]\nPasswordAsClient = hunter2secret\nPassword = "
		"\"hunter2secret\n"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct rg_faults *f = rg_faults_new();

		assert_null(load_text(texts[i], f));
		for (size_t j = 0; j < rg_faults_count(f); j++)
			if (strstr(rg_faults_text(f, j), "hunter2secret"))
				fail_msg("%s", rg_faults_text(f, j));
		rg_faults_free(f);
	}
}

/* ---- places and texts of faults ------------------------------------------------------------ */

static void param_lines(void **state)
{
	struct conf *c = load(BASE ACCOUNT "\n; a comment\nContactUser = 1\nRegister = 1\n");
	uint16_t user = schema_find(schema, CONF_ACCOUNT, "ContactUser")->number;
	uint16_t host = schema_find(schema, CONF_ACCOUNT, "HostName")->number;
	const struct conf_row *row = &c->account[0].row;
	uint32_t found = conf_param_line(c, row, user);

	(void)state;
	assert_true(found > row->line + 2);
	assert_int_equal(conf_param_line(c, row, schema_find(schema, CONF_ACCOUNT, "Register")->number),
			 found + 1);
	assert_int_equal(conf_param_line(c, row, host), row->line); /* not set */
	conf_settle(c);
	assert_int_equal(conf_param_line(c, row, user), row->line);
	conf_unref(c);
}

static void faults_are_utf8(void **state)
{
	struct rg_faults *f = rg_faults_new();

	(void)state;
	assert_null(load_text(BASE ACCOUNT "ContactUser = 1\nRegister = M\xfcller\nM\xfcller = 1\n",
			      f));
	assert_int_equal(rg_faults_errors(f), 2);
	for (size_t i = 0; i < rg_faults_count(f); i++)
		assert_true(g_utf8_validate(rg_faults_text(f, i), -1, NULL));
	rg_faults_free(f);
}

/* ---- the dump -------------------------------------------------------------------------------- */

static void append(const char *text, void *arg)
{
	g_string_append(arg, text);
}

static void dump_loads_again(void **state)
{
	static const char *const files[] = { "rows",	   "device-old", "device-new",
					     "globals",	   "warnings",	 "masked",
					     "limits-long" };

	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		char *path = g_strdup_printf("tests/conf/%s.ini", files[i]);
		const char *paths[] = { path };
		GString *first = g_string_new(NULL), *second = g_string_new(NULL);
		struct rg_faults *f = rg_faults_new();
		struct conf *c = conf_load(paths, 1, schema, f);
		char **lines, **more;

		assert_non_null(c);
		conf_dump(c, schema, append, first);
		conf_unref(c);
		c = load(first->str);
		conf_dump(c, schema, append, second);
		conf_unref(c);
		lines = g_strsplit(first->str, "\n", -1);
		more = g_strsplit(second->str, "\n", -1);
		for (size_t j = 0, k = 0; lines[j]; j++)
			if (!g_str_has_suffix(lines[j], " = ********"))
				assert_string_equal(lines[j], more[k++]);
		g_strfreev(lines);
		g_strfreev(more);
		g_string_free(first, TRUE);
		g_string_free(second, TRUE);
		rg_faults_free(f);
		g_free(path);
	}
}

/* ---- threads and speed ---------------------------------------------------------------------- */

static void *load_often(void *arg)
{
	const char *paths[] = { arg };
	uintptr_t wrong = 0;

	for (int i = 0; i < 20; i++) {
		struct rg_faults *f = rg_faults_new();
		struct conf *c = conf_load(paths, 1, schema, f), *d = conf_ref(c);

		wrong += !c || c->n_account != 3 ||
			 strcmp(c->account[0].password, "secret");
		conf_unref(c);
		conf_unref(d);
		rg_faults_free(f);
	}
	return (void *)wrong;
}

static void threads(void **state)
{
	pthread_t t[3];

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(
			pthread_create(&t[i], NULL, load_often, "tests/conf/rows.ini"),
			0);
	for (size_t i = 0; i < 3; i++) {
		void *wrong;

		pthread_join(t[i], &wrong);
		assert_null(wrong);
	}
}

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__ ||                       \
	__has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { SLOW = 20 };
#else
enum { SLOW = 1 };
#endif

static double load_seconds(const GString *text, bool good)
{
	struct rg_faults *f = rg_faults_new();
	struct timespec a, b;
	struct conf *c;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	c = load_text(text->str, f);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	assert_int_equal(c != NULL, good);
	if (good)
		assert_int_equal(c->n_account, 100000);
	conf_unref(c);
	rg_faults_free(f);
	return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

/* A hundred thousand rows within a second of processor time, in both forms, in any
 * order, and when every one of them is wrong. */
static void speed(void **state)
{
	GString *table = g_string_new(BASE), *row = g_string_new(BASE),
		*bad = g_string_new(BASE);
	const char *format =
		"[ Account ]\nFORMAT Index = AccountName, ServedTrunkGroup, "
		"ServedIPGroupName, ServingIPGroupName, Username, Password, HostName, "
		"ContactUser, Register, RegistrarStickiness, RegistrarSearchMode;\n";
	double t;

	(void)state;
	g_string_append(table, format);
	g_string_append(bad, format);
	for (unsigned i = 0; i < 100000; i++) {
		unsigned n = i * 7919u % 100000u;

		g_string_append_printf(
			table,
			"Account %u = \"a%u\", -1, \"PBX\", \"ITSP\", \"u%u\", "
			"\"secret%u\", \"example.net\", \"+4930%u\", 1, 1, 0;\n",
			n, n, n, n, n);
		g_string_append_printf(
			bad,
			"Account 1 = \"a\", -1, \"PBX%u\", \"ITSP\", \"u\", "
			"\"s\", \"h\", \"c\", 1, 7, 0;\n",
			n);
		g_string_append_printf(row,
				       ACCOUNT "Name = a%u\nContactUser = +4930%u\n"
					       "Password = secret%u\nRegister = 1\n",
				       n, n, n);
	}
	g_string_append(table, "[ \\Account ]\n");
	g_string_append(bad, "[ \\Account ]\n");
	t = load_seconds(table, true);
	print_message("100,000 rows of a table: %.2f s\n", t);
	assert_true(t < 1.0 * SLOW);
	t = load_seconds(row, true);
	print_message("100,000 rows of their own: %.2f s\n", t);
	assert_true(t < 1.0 * SLOW);
	t = load_seconds(bad, false);
	print_message("100,000 wrong rows: %.2f s\n", t);
	assert_true(t < 2.0 * SLOW);
	g_string_free(table, TRUE);
	g_string_free(row, TRUE);
	g_string_free(bad, TRUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty),
		cmocka_unit_test(rows),
		cmocka_unit_test(found),
		cmocka_unit_test(shared_values),
		cmocka_unit_test(global_redundancy),
		cmocka_unit_test(global_place),
		cmocka_unit_test(plugins),
		cmocka_unit_test(directory),
		cmocka_unit_test(unreadable),
		cmocka_unit_test(password_file),
		cmocka_unit_test(files_beside),
		cmocka_unit_test(no_secret_in_faults),
		cmocka_unit_test(param_lines),
		cmocka_unit_test(faults_are_utf8),
		cmocka_unit_test(dump_loads_again),
		cmocka_unit_test(threads),
		cmocka_unit_test(speed),
	};

	return cmocka_run_group_tests_name("conf_load", tests, begin, end);
}
