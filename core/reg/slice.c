/* slice.c -- long work is done some milliseconds at a time, so that the loop stays free. */
#include "reg/reg.h"

#include <time.h>

enum { SLICE_US = 5000, LOOKS = 32 /* steps between two looks at the clock */ };

static int64_t clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

struct reg_slice slice_begin(const struct reg_engine *e)
{
	return (struct reg_slice){ .end = e->opt.exact ? INT64_MAX : clock_us() + SLICE_US };
}

bool slice_over(struct reg_slice *s)
{
	return ++s->n % LOOKS == 0 && s->end != INT64_MAX && clock_us() > s->end;
}
