/* Pacing: RegisterRate overall and by proxy set, turns between sets, and that
 * refreshes are never held back. */
#include "unit/reg_world.h"

static uint32_t most_in(const struct world *w, guint from, guint to)
{
	uint32_t most = 0;

	for (guint i = from; i < to && i < w->per_second->len; i++)
		most = MAX(most, g_array_index(w->per_second, uint32_t, i));
	return most;
}

/* The rate holds in every second, but for the burst of 100 ms, and is used. */
static void rate_overall(void **state)
{
	struct world *w = world_new(false, false);
	GString *ini = world_ini("RegisterRate = 100");
	(void)state;

	world_write(ini, "ITSP", "", 1, 3, 1000, "");
	world_use(w, ini);
	world_until(w, 13000);
	assert_int_equal(world_counts(w).registered, 1000);
	assert_in_range(most_in(w, 0, 13), 90, 111);
	world_free(w);
}

/* A set's own rate binds it and nobody else. */
static void rate_of_a_set(void **state)
{
	struct world *w = world_new(false, false);
	GString *ini = world_ini("RegisterRate = 1000");
	(void)state;

	world_write(ini, "Slow", "RegisterRate = 10", 1, 1, 100, "");
	world_write(ini, "Fast", "", 2, 2, 400, "");
	world_use(w, ini);
	world_until(w, 2500);
	assert_int_equal(w->peer[2].sent, 400);
	assert_in_range(w->peer[1].sent, 10, 18);
	world_until(w, 13000);
	assert_int_equal(w->peer[1].sent, 100);
	world_free(w);
}

/* No rate: as fast as it goes. */
static void rate_zero(void **state)
{
	struct world *w = world_new(false, false);
	GString *ini = world_ini("RegisterRate = 0");
	(void)state;

	world_write(ini, "ITSP", "", 1, 1, 5000, "");
	world_use(w, ini);
	world_until(w, 2500);
	assert_int_equal(world_counts(w).registered, 5000);
	world_free(w);
}

/* Sets take turns: one with very many accounts does not keep a small one waiting. */
static void sets_take_turns(void **state)
{
	struct world *w = world_new(false, false);
	GString *ini = world_ini("RegisterRate = 100");
	(void)state;

	world_write(ini, "Many", "", 1, 1, 2000, "");
	world_write(ini, "Few", "", 2, 2, 50, "");
	world_use(w, ini);
	world_until(w, 2500);
	assert_int_equal(w->peer[2].sent, 50);
	assert_in_range(w->peer[1].sent, 50, 150);
	world_free(w);
}

/* A set whose server answers nothing fills its window and its backlog, no more; the
 * other set goes on at the full rate. */
static void silent_set_holds_nobody_up(void **state)
{
	struct world *w = world_new(false, false);
	GString *ini = world_ini("RegisterRate = 200");
	(void)state;

	w->peer[1].does = SILENT;
	world_write(ini, "Dead", "", 1, 1, 3000, "");
	world_write(ini, "Alive", "", 2, 2, 3000, "");
	world_use(w, ini);
	world_until(w, 33000);
	assert_in_range(w->peer[2].sent, 2900, 3000);
	assert_in_range(w->peer[1].most, 1, 32);
	world_free(w);
}

/* All leases end together and the rate is one a second: refreshes go out all the same,
 * so that no lease lapses. */
static void refreshes_are_free(void **state)
{
	struct world *w = world_new(false, false);
	GString *ini = world_ini("RegisterRate = 20");
	(void)state;

	world_write(ini, "ITSP", "", 1, 1, 400, "");
	world_use(w, ini);
	world_until(w, 25000);
	assert_int_equal(world_counts(w).registered, 400);
	for (guint i = 0; i < 255; i++)
		w->peer[i].grant = 40;
	reg_engine_refresh(w->e, NULL);
	world_until(w, 26000);
	for (rg_ms t = 26000; t < 200000; t += 500) {
		world_until(w, t);
		assert_int_equal(world_counts(w).registered, 400);
	}
	assert_true(w->sent > 400u * 8);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rate_overall),
		cmocka_unit_test(rate_of_a_set),
		cmocka_unit_test(rate_zero),
		cmocka_unit_test(sets_take_turns),
		cmocka_unit_test(silent_set_holds_nobody_up),
		cmocka_unit_test(refreshes_are_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
