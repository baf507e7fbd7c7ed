/* The plugins as they are built: each value of a policy finds the plugin it needs,
 * and one whose plugin is not there says which that would be. */
#include <glib.h>
#include <unistd.h>

#include "unit/policy_world.h"

static char dir[512];

/* A folder of links to all plugins but one. */
static void folder_without(const char *plugin, char folder[600])
{
	GDir *all = g_dir_open(dir, 0, NULL);
	const char *name;

	snprintf(folder, 600, "/tmp/rg-product-XXXXXX");
	assert_non_null(g_mkdtemp(folder));
	while ((name = g_dir_read_name(all))) {
		char *from = g_canonicalize_filename(dir, NULL), to[900], target[900];

		snprintf(target, sizeof target, "%s/%s", from, name);
		snprintf(to, sizeof to, "%s/%s", folder, name);
		if (strncmp(name, plugin, strlen(plugin)) || name[strlen(plugin)] != '.')
			assert_int_equal(symlink(target, to), 0);
		g_free(from);
	}
	g_dir_close(all);
}

static void folder_remove(const char *folder)
{
	GDir *all = g_dir_open(folder, 0, NULL);
	const char *name;
	char path[900];

	while ((name = g_dir_read_name(all))) {
		snprintf(path, sizeof path, "%s/%s", folder, name);
		unlink(path);
	}
	g_dir_close(all);
	rmdir(folder);
}

static bool there(const char *plugin)
{
	char path[600];

	snprintf(path, sizeof path, "%s/%s.so", dir, plugin);
	return !access(path, R_OK);
}

/* An account with these lines, at a set with those, gets these policies. */
static void gets(const char *set, const char *account, const char *names)
{
	char text[4096];
	struct world w;

	snprintf(text, sizeof text,
		 NETWORK "[ProxySet]\nIndex = 4\nName = four\n%s"
			 "[ProxyIp]\nProxySetId = 4\nIpAddress = 192.0.2.44\n"
			 "[ProxyIp]\nProxySetId = 4\nIpAddress = 192.0.2.45\n"
			 "[IPGroup]\nIndex = 4\nName = FOUR\nProxySetName = four\n"
			 "[IPGroup]\nIndex = 5\nName = SERVED\nProxySetName = two\n"
			 "[Account]\nName = a\nServedIPGroupName = SERVED\n"
			 "ServingIPGroupName = FOUR\nContactUser = a\nHostName = h.example\n%s",
		 set, account);
	world_open_dir(&w, dir, text);
	assert_built(&w);
	assert_string_equal(names_of(&w, "a"), names);
	world_close(&w);
}

static void test_nothing(void **state)
{
	(void)state;
	gets("", "Register = 1\n", "");
	gets("", "Register = 1\nRegistrarStickiness = 0\nRegistrarSearchMode = 0\n"
		 "RegByServedIPG = 0\n", "");
}

static void test_stickiness(void **state)
{
	(void)state;
	gets("", "Register = 1\nRegistrarStickiness = 1\n", "stickiness");
	gets("", "Register = 1\nRegistrarStickiness = Enable for Non-REGISTER Requests\n",
	     "stickiness");
}

static void test_search(void **state)
{
	(void)state;
	gets("", "Register = 1\nRegistrarStickiness = 1\nRegistrarSearchMode = by-ims-spec\n",
	     "stickiness ims_search");
	gets("", "Register = 1\nRegistrarStickiness = 1\nRegistrarSearchMode = 2\n",
	     "stickiness avoid_previous");
}

static void test_served_status(void **state)
{
	(void)state;
	gets("", "Register = 1\nRegByServedIPG = reg-if-online\n", "served_status");
}

static void test_redundancy(void **state)
{
	(void)state;
	gets("ProxyRedundancyMode = Parking\n", "Register = 1\n", "redundancy");
	gets("ProxyRedundancyMode = 1\n", "Register = 1\nRegistrarStickiness = 1\n",
	     "redundancy stickiness");
	/* the global one where the set has none */
	gets("[Gateway]\nProxyRedundancyMode = 1\n", "Register = 1\n", "redundancy");
	gets("ProxyRedundancyMode = -1\n", "Register = 1\n", "");
}

static void test_dress(void **state)
{
	(void)state;
	gets("", "Register = GIN\n", "gin");
	gets("[Gateway]\nUseRandomUser = 1\n", "Register = 1\n", "random_user");
	gets("[Gateway]\nUnregisterOnStartup = 1\n", "Register = 1\n", "startup_unregister");
	gets("", "Register = 1\nReRegisterOnInviteFailure = 1\n", "invite_failure");
}

static void test_together(void **state)
{
	(void)state;
	gets("[Gateway]\nRegistrationSyncMode = 1\n", "Register = 1\n", "one_prober");
	gets("[Gateway]\nSyncIMSAccounts = 1\n",
	     "Register = 1\nRegistrarStickiness = 1\nRegistrarSearchMode = 1\n",
	     "stickiness ims_search sync_ims");
	gets("[Gateway]\nSyncIMSAccounts = 1\n", "Register = 1\n", "");
}

static void test_skeleton(void **state)
{
	(void)state;
	gets("", "Register = 1\nSkeleton = 1\n", "skeleton");
}

static void test_missing(void **state)
{
	static const struct {
		const char *plugin, *text, *value;
	} want[] = {
		{ "gin", ACCOUNT("a", "ITSP", "Register = GIN\n"), "Register = 2" },
		{ "sync_ims", "[Gateway]\nSyncIMSAccounts = 1\n", "SyncIMSAccounts = 1" },
		{ "one_prober", "[Gateway]\nRegistrationSyncMode = 1\n", "RegistrationSyncMode = 1" },
		{ "random_user", "[Gateway]\nUseRandomUser = 1\n", "UseRandomUser = 1" },
		{ "startup_unregister", "[Gateway]\nUnregisterOnStartup = 1\n",
		  "UnregisterOnStartup = 1" },
		{ "trunk_group", "[Gateway]\nRegisterByTrunkGroupStatus = 1\n",
		  "RegisterByTrunkGroupStatus = 1" },
		{ "trunk_group", "[Gateway]\nOOSOnRegistrationFail = 1\n",
		  "OOSOnRegistrationFail = 1" },
		{ "invite_failure", ACCOUNT("a", "ITSP", "ReRegisterOnInviteFailure = 1\n"),
		  "ReRegisterOnInviteFailure = 1" },
		{ "invite_failure", "[Gateway]\nAccountInviteFailureTriggerCodes = 480\n",
		  "AccountInviteFailureTriggerCodes = 480" },
		{ "reg_event", ACCOUNT("a", "ITSP", "RegEventPackageSubscription = 1\n"),
		  "RegEventPackageSubscription = 1" },
		{ "udp_port", ACCOUNT("a", "ITSP", "UDPPortAssignment = 1\n"),
		  "UDPPortAssignment = 1" },
		{ "failback", ACCOUNT("a", "ITSP", "FailbackMode = newRequests\n"),
		  "FailbackMode = 0" },
		{ "location_servers",
		  "[ProxySet]\nName = x\nServerSwitching = link-failure-only\n"
		  "[ProxyIp]\nProxySetId = x\nIpAddress = 192.0.2.88\n", "ServerSwitching = 1" },
	};
	char says[200], text[4096], folder[600];
	struct world w;

	(void)state;
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		folder_without(want[i].plugin, folder);
		snprintf(text, sizeof text, "%s%s", want[i].text, NETWORK);
		snprintf(says, sizeof says, "%s: this needs the plugin %s, which is not there (yet)",
			 want[i].value, want[i].plugin);
		world_open_dir(&w, folder, text);
		assert_null(w.policy);
		assert_fault(&w, says);
		world_close(&w);
		folder_remove(folder);
	}
}

/* Left out of Load, a plugin that is there is named. */
static void test_not_loaded(void **state)
{
	static const struct {
		const char *plugin, *account;
	} want[] = {
		{ "stickiness", "RegistrarStickiness = 1\n" },
		{ "ims_search", "RegistrarSearchMode = 1\n" },
		{ "avoid_previous", "RegistrarSearchMode = 2\n" },
		{ "served_status", "RegByServedIPG = 1\n" },
		{ "skeleton", "Skeleton = 1\n" },
	};
	char says[200], text[4096];
	struct world w;

	(void)state;
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
			snprintf(text, sizeof text, NETWORK "[Plugins]\nLoad =\n" ACCOUNT("a", "ITSP", "%s"),
			 want[i].account);
		snprintf(says, sizeof says, "no loaded plugin implements this; add %s to Load",
			 want[i].plugin);
		world_open_dir(&w, dir, text);
		assert_null(w.policy);
		assert_fault(&w, says);
		world_close(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),	      cmocka_unit_test(test_stickiness),
		cmocka_unit_test(test_search),	      cmocka_unit_test(test_served_status),
		cmocka_unit_test(test_redundancy),    cmocka_unit_test(test_dress),
		cmocka_unit_test(test_together),         cmocka_unit_test(test_skeleton),
		cmocka_unit_test(test_missing),	      cmocka_unit_test(test_not_loaded),
	};

	const char *build = getenv("RG_BUILD");

	snprintf(dir, sizeof dir, "%s/plugins", build ? build : "build");
	if (!there("stickiness")) {
		printf("ok - product # SKIP no plugins are built in %s\n", dir);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
