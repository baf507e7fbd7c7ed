/*
 * sip_loop.c -- what a turn of the loop does first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>

#include "sip/compat.h"
#include "sip/loop.h"

enum { TURNS = 20 };

static struct {
	struct sip_loop *loop;
	struct rg_timer timer;
	unsigned turns, fell_due, before_reading;
} t;

/* A load that makes every turn longer than what the loop calls a stall. */
static void busy(int fd, int events, void *arg)
{
	rg_ms end = sip_loop_clock() + 130;

	(void)fd, (void)events, (void)arg;
	while (sip_loop_clock() < end)
		;
	if (++t.turns == TURNS)
		sip_loop_stop(t.loop);
}

static void due(void *arg)
{
	(void)arg;
	if (!t.fell_due++)
		t.before_reading = t.turns;
	rg_timer_set(sip_loop_timers(t.loop), &t.timer, sip_loop_clock() + 10, due, NULL);
}

static void timers_have_their_turn_when_every_turn_is_long(void **state)
{
	struct rg_timers *timers = rg_timers_new(sip_loop_clock());
	int ends[2];

	(void)state;
	assert_int_equal(libre_init(), 0);
	assert_int_equal(sip_loop_new(&t.loop, timers, 0), 0);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(sip_loop_fd(t.loop, ends[0], SIP_READ, busy, NULL), 0);
	rg_timer_set(timers, &t.timer, sip_loop_clock() + 10, due, NULL);
	assert_int_equal(sip_loop_run(t.loop), 0);
	assert_in_range(t.fell_due, TURNS / 3, TURNS * 20);
	assert_in_range(t.before_reading, 1, 3);
	rg_timer_stop(timers, &t.timer);
	sip_loop_fd(t.loop, ends[0], 0, NULL, NULL);
	sip_loop_free(t.loop);
	rg_timers_free(timers);
	close(ends[0]), close(ends[1]);
	libre_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_have_their_turn_when_every_turn_is_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
