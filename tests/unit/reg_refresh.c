/* Where a refresh is placed: in the jitter window before its time, spread, never late;
 * and waits of a retry ladder drawn from 50 to 100 %. */
#include "unit/reg_world.h"

static void all_bound_at_once(struct world *w, const char *gateway, unsigned n)
{
	GString *ini = world_ini(gateway);

	world_write(ini, "ITSP", "", 1, 1, n, "");
	world_use(w, ini);
	world_until(w, 5000);
	assert_int_equal(world_counts(w).registered, n);
}

static uint32_t in_seconds(const struct world *w, guint from, guint to)
{
	uint32_t sum = 0;

	for (guint i = from; i < to && i < w->per_second->len; i++)
		sum += g_array_index(w->per_second, uint32_t, i);
	return sum;
}

/* 6,000 bound within seconds, a lease of 600 s, half of it, 10 % earlier at most: the
 * refreshes come between 270 and 300 s, about 200 in each second. */
static void spread_in_the_window(void **state)
{
	struct world *w = world_new(false, false);
	uint32_t most = 0;
	(void)state;

	all_bound_at_once(w, "RegisterRate = 0", 6000);
	world_until(w, 310000);
	assert_int_equal(in_seconds(w, 6, 269), 0);
	assert_int_equal(in_seconds(w, 269, 306), 6000);
	for (guint i = 269; i < 306 && i < w->per_second->len; i++)
		most = MAX(most, g_array_index(w->per_second, uint32_t, i));
	assert_in_range(most, 150, 260);
	world_free(w);
}

/* RefreshJitter = 0: at half of the lease, to the second. */
static void no_jitter(void **state)
{
	struct world *w = world_new(false, false);
	(void)state;

	all_bound_at_once(w, "RegisterRate = 0\nRefreshJitter = 0", 500);
	world_until(w, 310000);
	assert_int_equal(in_seconds(w, 6, 300), 0);
	assert_int_equal(in_seconds(w, 300, 306), 500);
	world_free(w);
}

/* Over hours nobody's lease lapses and nobody asks earlier than the jitter allows. */
static void never_late(void **state)
{
	struct world *w = world_new(false, false);
	(void)state;

	all_bound_at_once(w, "RegisterRate = 0\nRefreshJitter = 50", 300);
	for (rg_ms t = 10000; t < 4 * 3600000; t += 30000) {
		world_until(w, t);
		assert_int_equal(world_counts(w).registered, 300);
	}
	assert_in_range(w->sent, 300 * 48, 300 * 97);
	world_free(w);
}

/* MaxRegistrationBackoffTime: each wait within 50 to 100 % of its step, and different. */
static void ladder_is_drawn(void **state)
{
	struct world *w = world_new(false, false);
	GString *ini = world_ini("RegisterRate = 0\nRegistrationRetryTime = 40\n"
				 "MaxRegistrationBackoffTime = 1000");
	unsigned seconds = 0;
	(void)state;

	w->peer[1].code = 500;
	world_write(ini, "ITSP", "", 1, 1, 400, "");
	world_use(w, ini);
	world_until(w, 90000);
	assert_int_equal(in_seconds(w, 3, 40), 0);
	assert_int_equal(in_seconds(w, 40, 84), 400);
	for (guint i = 40; i < 84; i++)
		seconds += g_array_index(w->per_second, uint32_t, i) > 0;
	assert_in_range(seconds, 30, 44);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spread_in_the_window),
		cmocka_unit_test(no_jitter),
		cmocka_unit_test(never_late),
		cmocka_unit_test(ladder_is_drawn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
