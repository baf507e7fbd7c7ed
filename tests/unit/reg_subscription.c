/* A subscription to reg events ends when the registrar says so, not later. */
#include "unit/reg_world.h"

struct watch {
	struct reg_dialogue *dialogue;
	uint64_t token;
	rg_ms at, from;
	uint32_t n;
};

static int subscribes(void *arg, const struct reg_message *m)
{
	struct world *w = arg;
	struct watch *x = w->arg;

	x->dialogue = m->dialogue;
	x->token = m->token;
	x->at = rg_now(w->timers);
	x->n++;
	return 0;
}

/* Subscribed for 1000 s at second 0, unless a notification has come before the answer. */
static struct world *watched(struct watch *x, uint32_t left)
{
	struct world *w = world_new(true, true);
	GString *ini = world_ini("");
	struct reg_notice n = { .what = RG_N_ACTIVE, .left = left };

	w->arg = x;
	w->port.subscribe = subscribes;
	world_write(ini, "ITSP", "", 1, 1, 1,
		    "RegistrarStickiness = 1\nRegEventPackageSubscription = 1");
	world_use(w, ini);
	world_until(w, rg_now(w->timers) + 10);
	x->from = x->at;
	assert_int_equal(x->n, 1);
	if (left)
		reg_notified(w->e, x->dialogue, &n);
	reg_subscribed(w->e, x->token, 200, 1000, 0);
	return w;
}

/* When it subscribes again. */
static rg_ms renewed(struct world *w, struct watch *x)
{
	uint32_t n = x->n;

	while (x->n == n)
		assert_true(rg_timers_step(w->timers, x->from + 4000000));
	return (x->at - x->from) / 1000;
}

static void half_of_what_is_granted(void **state)
{
	struct watch x = { .n = 0 };
	struct world *w = watched(&x, 0);
	(void)state;

	assert_int_equal(renewed(w, &x), 500);
	world_free(w);
}

static void a_notification_shortens(void **state)
{
	struct reg_notice n = { .what = RG_N_ACTIVE, .left = 200 };
	struct watch x = { .n = 0 };
	struct world *w = watched(&x, 0);
	(void)state;

	world_until(w, x.from + 100000);
	reg_notified(w->e, x.dialogue, &n);
	assert_int_equal(renewed(w, &x), 200);
	reg_subscribed(w->e, x.token, 200, 1000, 0); /* what was said of the former is over */
	assert_int_equal(renewed(w, &x), 700);
	world_free(w);
}

static void a_notification_puts_nothing_off(void **state)
{
	struct reg_notice n = { .what = RG_N_ACTIVE, .left = 5000 };
	struct watch x = { .n = 0 };
	struct world *w = watched(&x, 0);
	(void)state;

	world_until(w, x.from + 100000);
	reg_notified(w->e, x.dialogue, &n);
	assert_int_equal(renewed(w, &x), 500);
	world_free(w);
}

static void it_may_come_before_the_answer(void **state)
{
	struct watch x = { .n = 0 };
	struct world *w = watched(&x, 60);
	(void)state;

	assert_int_equal(renewed(w, &x), 30);
	world_free(w);
}

/* However short, no storm of SUBSCRIBEs. */
static void not_faster_than_every_five_seconds(void **state)
{
	struct watch x = { .n = 0 };
	struct world *w = watched(&x, 1);
	(void)state;

	assert_int_equal(renewed(w, &x), 5);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(half_of_what_is_granted),
		cmocka_unit_test(a_notification_shortens),
		cmocka_unit_test(a_notification_puts_nothing_off),
		cmocka_unit_test(it_may_come_before_the_answer),
		cmocka_unit_test(not_faster_than_every_five_seconds),
	};

	return cmocka_run_group_tests_name("reg_subscription", tests, NULL, NULL);
}
