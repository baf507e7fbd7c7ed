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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unchanged),
		cmocka_unit_test(removed_and_added),
		cmocka_unit_test(changed),
		cmocka_unit_test(in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
