/* Nothing is given out twice, also across the ends of batches, and all of a request is
 * filled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/random.h"

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void no_value_comes_twice(void **state)
{
	enum { N = 100000 };
	uint64_t *v = malloc(N * sizeof *v);

	(void)state;
	for (size_t i = 0; i < N; i++)
		v[i] = rg_random64();
	qsort(v, N, sizeof *v, by_value);
	for (size_t i = 1; i < N; i++)
		assert_true(v[i] != v[i - 1]); /* by chance once in 3.7e9 runs */
	free(v);
}

/* Each byte of each size becomes something else than what stood there, sooner or later,
 * and the bytes around it never do. */
static void all_that_is_asked_for_is_filled(void **state)
{
	enum { MOST = 5000, TRIES = 40 };
	static uint8_t buf[MOST + 2], changed[MOST];

	(void)state;
	for (size_t n = 0; n <= MOST; n += n < 40 ? 1 : 331) {
		memset(changed, 0, sizeof changed);
		for (int i = 0; i < TRIES; i++) {
			memset(buf, 0x55, sizeof buf);
			rg_random(buf + 1, n);
			assert_int_equal(buf[0], 0x55);
			assert_int_equal(buf[n + 1], 0x55);
			for (size_t k = 0; k < n; k++)
				changed[k] |= buf[k + 1] != 0x55;
		}
		for (size_t k = 0; k < n; k++)
			assert_true(changed[k]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_value_comes_twice),
		cmocka_unit_test(all_that_is_asked_for_is_filled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
