/* The window of a server: how many REGISTERs may be outstanding, how that grows and
 * shrinks, and that a server which falls silent keeps nobody waiting. */
#include "unit/reg_world.h"

static struct reg_server_info server(struct world *w, uint32_t rank)
{
	struct reg_server_info x;
	uint32_t set = 0;

	assert_true(reg_engine_next_server(w->e, &set, &rank, &x));
	return x;
}

static struct world *start(const char *set, unsigned n, uint32_t delay_ms)
{
	struct world *w = world_new(false, false);
	GString *ini = world_ini("RegisterRate = 0");

	w->peer[1].delay_ms = delay_ms;
	w->peer[2].delay_ms = delay_ms;
	world_write(ini, "ITSP", set, 1, 2, n, "");
	world_use(w, ini);
	return w;
}

/* It starts at 32 and grows while answers come. */
static void grows(void **state)
{
	struct world *w = start("", 5000, 1000);
	(void)state;

	world_until(w, 1900);
	assert_int_equal(w->peer[1].outstanding, 32);
	world_until(w, 2900);
	assert_in_range(w->peer[1].outstanding, 40, 64);
	world_until(w, 40000);
	assert_in_range(w->peer[1].most, 200, 1024);
	assert_int_equal(world_counts(w).registered, 5000);
	world_free(w);
}

/* RegisterWindow caps it, below the start, too. */
static void is_capped(void **state)
{
	struct world *w = start("RegisterWindow = 7", 300, 100);
	(void)state;

	world_until(w, 30000);
	assert_int_equal(w->peer[1].most, 7);
	assert_int_equal(world_counts(w).registered, 300);
	world_free(w);
}

/* A retransmission and a 503 halve it, at most twice a second; answers widen it. */
static void halves(void **state)
{
	struct world *w = start("", 30000, 200);
	uint32_t before;
	(void)state;

	world_until(w, 6000);
	before = server(w, 0).window;
	assert_in_range(before, 256, 1024);
	w->peer[1].repeated = true;
	world_until(w, 6450);
	assert_in_range(server(w, 0).window, before / 2, before / 2 + 20);
	world_until(w, 12000);
	assert_in_range(server(w, 0).window, 8, 32); /* they keep coming */
	w->peer[1].repeated = false;
	world_until(w, 14000);
	assert_in_range(server(w, 0).window, 33, 1024);
	before = server(w, 0).window;
	w->peer[1].code = 503;
	world_until(w, 14450);
	assert_in_range(server(w, 0).window, before / 2, before / 2 + 20);
	world_free(w);
}

/* Each way loses a tenth of the datagrams: nearly a fifth of the requests is repeated, some
 * of them twice or more. */
static void loses(struct world *w, const struct reg_message *m)
{
	struct peer *p = &w->peer[m->server.ip[3]];
	uint32_t wait = 500;

	p->delay_ms = 1;
	p->repeated = false;
	for (; wait < 8000 && world_random(w) % 100 < 19; wait *= 2) {
		p->repeated = true;
		p->delay_ms += wait;
	}
}

/* Loss is not overload: every retransmission halves the window, but it has grown again
 * before refreshes are late, and no lease ends although they are short. */
static void loss_is_no_collapse(void **state)
{
	struct world *w = world_new(false, false);
	GString *ini = world_ini("RegisterRate = 0");
	uint32_t least = UINT32_MAX, most = 0;
	(void)state;

	world_write(ini, "ITSP", "", 1, 1, 3000, "");
	w->sees = loses;
	w->peer[1].grant = 20;
	world_use(w, ini);
	world_until(w, 30000);
	for (rg_ms at = 30000; at < 300000; at += 100) {
		world_until(w, at);
		least = MIN(least, world_counts(w).registered);
		most = MAX(most, server(w, 0).waiting);
	}
	print_message("# at least %u registered, at most %u waiting\n", least, most);
	assert_in_range(least, 2990, 3000);
	assert_in_range(most, 0, 1000);
	world_free(w);
}

/* A registrar that is later than T1 has everything sent twice, however little is asked of
 * it: the window gets narrow, but not so narrow that thousands wait for it. */
static void slow_is_no_overload(void **state)
{
	struct world *w = start("", 3000, 600);
	uint32_t most = 0;
	(void)state;

	w->peer[1].repeated = true;
	for (rg_ms at = 2000; at < 200000; at += 500) {
		world_until(w, at);
		most = MAX(most, at > 10000 ? server(w, 0).window : 0);
	}
	assert_in_range(most, 1, 32);
	assert_int_equal(world_counts(w).registered, 3000);
	world_free(w);
}

/* It falls silent with thousands in the queue: three that stay unanswered are enough,
 * the others get "no answer" at once and go to the next server. */
static void silence_frees_the_queue(void **state)
{
	struct world *w = start("IsProxyHotSwap = 1", 5000, 1);
	(void)state;

	w->peer[1].does = SILENT;
	world_until(w, 1000 + 7600);
	assert_true(server(w, 0).health == RG_DOWN);
	assert_int_equal(server(w, 0).waiting, 0);
	world_until(w, 1000 + 11000);
	assert_int_equal(world_counts(w).registered, 5000);
	assert_in_range(w->peer[1].sent, 3, 40);
	world_free(w);
}

/* Keep-alive finds it down while hundreds wait for a place: they go elsewhere at once, and
 * not one after the other as those before them are given up. */
static void found_down_frees_the_queue(void **state)
{
	struct world *w = start("IsProxyHotSwap = 1\nEnableProxyKeepAlive = 1\n"
				"ProxyKeepAliveTime = 10\nFailureDetectionRetransmissions = 0",
				500, 1);
	(void)state;

	w->peer[1].does = SILENT; /* the first 32 are unanswered until 8500 */
	world_until(w, 3000);
	assert_true(server(w, 0).health == RG_DOWN);
	assert_int_equal(server(w, 0).waiting, 0);
	assert_int_equal(world_counts(w).registered, 500 - 32);
	world_until(w, 12000);
	assert_int_equal(world_counts(w).registered, 500);
	world_free(w);
}

/* Found down by keep-alive and asked nevertheless, there is nobody else: once three were not
 * answered it takes one at a time, and nobody queues for it. */
static void found_down_is_tried(void **state)
{
	struct world *w = world_new(false, false);
	GString *ini = world_ini("RegisterRate = 0");
	(void)state;

	world_write(ini, "ITSP", "EnableProxyKeepAlive = 1\nProxyKeepAliveTime = 10\n"
				 "FailureDetectionRetransmissions = 0", 1, 1, 300, "");
	w->peer[1].does = SILENT;
	world_use(w, ini);
	world_until(w, 300000);
	assert_int_equal(server(w, 0).waiting, 0);
	assert_in_range(w->peer[1].outstanding, 0, 1);
	assert_in_range(w->peer[1].sent, 10, 64);
	w->peer[1].does = OK;
	world_until(w, 360000);
	assert_int_equal(world_counts(w).registered, 300);
	world_free(w);
}

/* One trial at a time at a silent server; its answer brings it back. */
static void comes_back(void **state)
{
	struct world *w = start("IsProxyHotSwap = 1", 200, 1);
	(void)state;

	w->peer[1].does = SILENT;
	world_until(w, 30000);
	assert_int_equal(world_counts(w).registered, 200);
	assert_in_range(w->peer[1].probes, 1, 3);
	w->peer[1].does = OK;
	world_until(w, 60000);
	assert_true(server(w, 0).health == RG_UP);
	world_free(w);
}

/* Two silent servers, nobody else: a trial now and then, no flood, and all is well soon
 * after one of them is back. */
static void all_silent(void **state)
{
	struct world *w = start("IsProxyHotSwap = 1", 1000, 1);
	uint32_t before;
	(void)state;

	w->peer[1].does = w->peer[2].does = SILENT;
	world_until(w, 120000);
	before = w->sent;
	world_until(w, 720000);
	assert_in_range(w->sent - before, 1, 600 * 2);
	w->peer[2].does = OK;
	world_until(w, 720000 + 80000);
	assert_int_equal(world_counts(w).registered, 1000);
	world_free(w);
}

/* What the window let in is let out, however a request ends. */
static void nothing_leaks(void **state)
{
	struct world *w = start("RegisterWindow = 16", 400, 20);
	(void)state;

	for (unsigned i = 0; i < 40; i++) {
		w->peer[1].does = (uint8_t)(world_random(w) % 3);
		w->peer[1].code = world_random(w) % 2 ? 403 : 0;
		world_until(w, 1000 + 5000 * (rg_ms)(i + 1));
		if (i % 4 == 0)
			reg_engine_unregister(w->e, NULL);
		else
			reg_engine_register(w->e, NULL);
	}
	w->peer[1] = w->peer[2] = (struct peer){ .does = OK };
	reg_engine_unregister(w->e, NULL);
	world_until(w, 400000);
	assert_int_equal(server(w, 0).in_flight, 0);
	assert_int_equal(server(w, 1).in_flight, 0);
	assert_int_equal(server(w, 0).waiting, 0);
	assert_int_equal(reg_engine_busy(w->e), 0);
	assert_int_equal(world_counts(w).registered, 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows),
		cmocka_unit_test(is_capped),
		cmocka_unit_test(halves),
		cmocka_unit_test(loss_is_no_collapse),
		cmocka_unit_test(slow_is_no_overload),
		cmocka_unit_test(silence_frees_the_queue),
		cmocka_unit_test(found_down_frees_the_queue),
		cmocka_unit_test(found_down_is_tried),
		cmocka_unit_test(comes_back),
		cmocka_unit_test(all_silent),
		cmocka_unit_test(nothing_leaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
