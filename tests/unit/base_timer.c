/* The timer heap against a sorted list: order, moving, stopping, and both ways to run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/timer.h"

enum { TIMERS = 300, ROUNDS = 20000 };

/* What must be: the time, and the order of setting for equal times. */
static struct model {
	struct rg_timer t;
	rg_ms at;
	uint64_t seq;
} model[TIMERS];
static struct rg_timers *ts;
static uint64_t seq;
static int ran, last;

static int earliest(void)
{
	int best = -1;

	for (int i = 0; i < TIMERS; i++)
		if (model[i].at != RG_NEVER &&
		    (best < 0 || model[i].at < model[best].at ||
		     (model[i].at == model[best].at && model[i].seq < model[best].seq)))
			best = i;
	return best;
}

static void due(void *arg)
{
	struct model *m = arg;

	assert_int_equal(m - model, earliest());
	assert_true(m->at <= rg_now(ts));
	m->at = RG_NEVER;
	last = (int)(m - model);
	ran++;
}

static void set(int i, rg_ms at)
{
	rg_timer_set(ts, &model[i].t, at, due, &model[i]);
	model[i].at = at;
	model[i].seq = seq++;
}

static void stop(int i)
{
	rg_timer_stop(ts, &model[i].t);
	model[i].at = RG_NEVER;
}

static void agree(void)
{
	int first = earliest();
	size_t n = 0;

	for (int i = 0; i < TIMERS; i++) {
		n += model[i].at != RG_NEVER;
		assert_int_equal(rg_timer_at(ts, &model[i].t), model[i].at);
	}
	assert_int_equal(rg_timers_count(ts), n);
	assert_int_equal(rg_timers_next(ts), first < 0 ? RG_NEVER : model[first].at);
}

static int begin(void **state)
{
	(void)state;
	ts = rg_timers_new(1000);
	for (int i = 0; i < TIMERS; i++)
		model[i] = (struct model){ .at = RG_NEVER };
	srandom(20261121);
	return 0;
}

static int end(void **state)
{
	(void)state;
	for (int i = 0; i < TIMERS; i++)
		stop(i);
	rg_timers_free(ts);
	return 0;
}

static void at_random(void **state)
{
	rg_ms now = 1000;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		int i = (int)(random() % TIMERS), what = (int)(random() % 8);

		if (what < 5)
			set(i, now + random() % 50); /* many of one moment, some moved */
		else if (what == 5)
			stop(i);
		else if (what == 6)
			rg_timers_run(ts, now += random() % 5, (size_t)(random() % 4));
		else
			set(i, RG_NEVER); /* is the same as stopping */
		if (round % 64 == 0)
			agree();
	}
	rg_timers_run(ts, now + 100, 0);
	agree();
	assert_int_equal(rg_timers_count(ts), 0);
	assert_true(ran > ROUNDS / 10);
}

static void stepwise(void **state)
{
	(void)state;
	set(0, 2000);
	set(1, 1500);
	assert_false(rg_timers_step(ts, 1499));
	assert_int_equal(rg_now(ts), 1499);
	assert_true(rg_timers_step(ts, 3000));
	assert_int_equal(last, 1);
	assert_int_equal(rg_now(ts), 1500); /* the time of what ran, not of the end */
	assert_true(rg_timers_step(ts, 3000));
	assert_false(rg_timers_step(ts, 3000));
	assert_int_equal(rg_now(ts), 3000);
	rg_timers_run(ts, 2500, 0);
	assert_int_equal(rg_now(ts), 3000); /* never backwards */
}

static void again(void *arg)
{
	struct rg_timer *t = arg;

	if (++ran < 5)
		rg_timer_set(ts, t, rg_now(ts), again, t);
}

/* A timer that sets itself to now runs in the same turn, but not more often than allowed. */
static void sets_itself(void **state)
{
	struct rg_timer t = { 0 };

	(void)state;
	ran = 0;
	rg_timer_set(ts, &t, 1000, again, &t);
	assert_int_equal(rg_timers_run(ts, 1000, 3), 3);
	assert_int_equal(rg_timers_run(ts, 1000, 0), 2);
	assert_int_equal(rg_timer_at(ts, &t), RG_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(at_random, begin, end),
		cmocka_unit_test_setup_teardown(stepwise, begin, end),
		cmocka_unit_test_setup_teardown(sets_itself, begin, end),
	};

	return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
