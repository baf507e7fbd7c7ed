/* Reload at full size: 100,000 accounts move to the next configuration in slices, send
 * nothing, and what changed is what acts. */
#include "unit/reg_world.h"

enum { MANY = 100000 };

static GString *table(const char *gateway, unsigned first, unsigned n, const char *password)
{
	GString *ini = world_ini(gateway);

	world_write(ini, "ITSP", "", 1, 2, 0, "");
	g_string_append(ini, "[ Account ]\nFORMAT Index = AccountName, ServedIPGroupName, "
			     "ServingIPGroupName, ContactUser, Register, Password;\n");
	for (unsigned i = first; i < first + n; i++)
		g_string_append_printf(ini, "Account %u = \"a%u\", \"PBX\", \"ITSP\", \"%u\", 1, "
				       "\"%s\";\n", i, i, i, password);
	g_string_append(ini, "[ \\Account ]\n");
	return ini;
}

static double cpu_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1000 + (double)ts.tv_nsec / 1e6;
}

/* The longest single step of the loop until the reload is done, CPU time. */
static double longest_step(struct world *w, uint32_t applied)
{
	double longest = 0;

	while (w->applied < applied) {
		double from = cpu_ms();

		assert_true(rg_timers_step(w->timers, rg_now(w->timers) + 5000));
		longest = MAX(longest, cpu_ms() - from);
	}
	return longest;
}

static void unchanged(void **state)
{
	struct world *w = world_new(false, false);
	struct reg_plan_counts n;
	struct reg_plan *plan;
	GString *ini = table("RegisterRate = 0", 0, MANY, "p");
	uint32_t sent;
	double from, commit, step;
	(void)state;

	world_conf(w, ini->str);
	world_until(w, 60000);
	assert_int_equal(world_counts(w).registered, MANY);
	sent = w->sent;
	plan = world_plan(w, ini->str);
	reg_plan_counts(plan, &n);
	assert_int_equal(n.unchanged, MANY);
	assert_int_equal(n.added + n.removed + n.changed, 0);
	from = cpu_ms();
	reg_engine_apply(w->e, plan, world_applied, w);
	commit = cpu_ms() - from;
	step = longest_step(w, 2);
	print_message("# commit %.1f ms, longest slice %.1f ms\n", commit, step);
	assert_true(commit < 50);
	assert_true(step < 50);
	assert_int_equal(w->sent, sent);
	assert_int_equal(world_counts(w).registered, MANY);
	g_string_free(ini, TRUE);
	world_free(w);
}

static void removed_and_added(void **state)
{
	struct world *w = world_new(false, false);
	GString *before = table("RegisterRate = 0", 0, 3000, "p");
	GString *after = table("RegisterRate = 0", 1000, 3000, "p");
	struct reg_plan_counts n;
	struct reg_plan *plan;
	(void)state;

	world_conf(w, before->str);
	world_until(w, 30000);
	assert_int_equal(w->sent, 3000);
	plan = world_plan(w, after->str);
	reg_plan_counts(plan, &n);
	assert_int_equal(n.added, 1000);
	assert_int_equal(n.removed, 1000);
	assert_int_equal(n.unchanged, 2000);
	reg_engine_apply(w->e, plan, world_applied, w);
	world_until(w, 60000);
	assert_int_equal(w->unregisters, 1000);
	assert_int_equal(w->sent, 5000);
	assert_int_equal(world_counts(w).registered, 3000);
	assert_int_equal(world_counts(w).accounts, 3000);
	g_string_free(before, TRUE);
	g_string_free(after, TRUE);
	world_free(w);
}

/* A changed password is REGISTERed anew, paced or not, and once. */
static void changed(void **state)
{
	struct world *w = world_new(false, false);
	GString *before = table("RegisterRate = 0", 0, 2000, "p");
	GString *after = table("RegisterRate = 0", 0, 2000, "q");
	(void)state;

	world_conf(w, before->str);
	world_until(w, 30000);
	world_conf(w, after->str);
	world_until(w, 60000);
	assert_int_equal(w->sent, 4000);
	assert_int_equal(w->unregisters, 0);
	assert_int_equal(world_counts(w).registered, 2000);
	g_string_free(before, TRUE);
	g_string_free(after, TRUE);
	world_free(w);
}

/* Reload upon reload while everything is in flight. */
static void in_the_middle(void **state)
{
	struct world *w = world_new(false, false);
	(void)state;

	w->peer[1].does = SILENT;
	w->peer[2].delay_ms = 300;
	for (unsigned i = 0; i < 30; i++) {
		GString *ini = table(i % 2 ? "RegisterRate = 500" : "RegisterRate = 0\n"
					"UnregisterOldRegistrar = 1", i % 5 * 100, 1000,
				     i % 3 ? "p" : "q");

		world_use(w, ini);
		while (w->applied <= i)
			assert_true(rg_timers_step(w->timers, rg_now(w->timers) + 1000));
		world_until(w, rg_now(w->timers) + 777);
	}
	w->peer[1].does = OK;
	world_until(w, rg_now(w->timers) + 200000);
	assert_int_equal(world_counts(w).accounts, 1000);
	assert_int_equal(world_counts(w).registered, 1000);
	assert_int_equal(reg_engine_busy(w->e), 0);
	world_free(w);
}

/* The longest single step until then, CPU time. */
static double longest_until(struct world *w, rg_ms at)
{
	double longest = 0;

	for (;;) {
		double from = cpu_ms();
		bool more = rg_timers_step(w->timers, at);

		longest = MAX(longest, cpu_ms() - from);
		if (!more)
			return longest;
	}
}

/* What is done to all at once is done in slices: the start when their name has been
 * resolved, a refresh by hand, and half of them leaving the queue and the group they share. */
static void many_at_once(void **state)
{
	struct world *w = world_new(false, true);
	const char *gateway = "RegisterRate = 0\nRegistrationSyncMode = 1";
	GString *all = table(gateway, 0, MANY, "p"), *half = table(gateway, 0, MANY / 2, "p");
	double start, hand, later, leave, from;
	char *ip;
	(void)state;

	for (int i = 1; i <= 2; i++) {
		GString *ini = i == 1 ? all : half;

		while ((ip = strstr(ini->str, "192.0.2.2")))
			memcpy(ip, "itsp.name", 9);
	}
	for (int i = 0; i < 2; i++) {
		w->answer[i] = (struct reg_resolved){
			.addr = { .ip = { 192, 0, 2, (uint8_t)(3 + i) }, .family = 4,
				  .port = 5060 }, .ttl = 3600 };
		w->n_answer++;
	}
	world_conf(w, all->str);
	start = longest_until(w, 60000);
	assert_int_equal(world_counts(w).registered, MANY);
	w->peer[1].delay_ms = 20000;
	from = cpu_ms();
	assert_int_equal(reg_engine_refresh(w->e, NULL), MANY);
	hand = cpu_ms() - from;
	later = longest_until(w, 62000);
	hand = MAX(hand, later);
	assert_int_equal(world_counts(w).by_state[RG_REFRESHING], MANY);
	world_conf(w, half->str);
	from = cpu_ms();
	leave = longest_step(w, 2);
	print_message("# longest steps: start %.1f ms, by hand %.1f ms, leaving %.1f ms, in all "
		      "%.0f ms\n", start, hand, leave, cpu_ms() - from);
	assert_true(start < 50 && hand < 50 && leave < 50);
#ifndef __SANITIZE_ADDRESS__
	assert_true(cpu_ms() - from < 8000); /* more than 11,000 when leaving a queue was O(n) */
#endif
	g_string_free(all, TRUE);
	g_string_free(half, TRUE);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unchanged),
		cmocka_unit_test(removed_and_added),
		cmocka_unit_test(changed),
		cmocka_unit_test(in_the_middle),
		cmocka_unit_test(many_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
