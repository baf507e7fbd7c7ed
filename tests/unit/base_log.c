/* The log holds nobody up: not a reader that hangs, not a flood, of whatever lines. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"

static unsigned lines;

static void count(int prio, const char *line)
{
	(void)prio, (void)line;
	lines++;
}

/* By twos, threads and hundreds whose addresses may fall together. */
static void lines_that_come_by_turns_are_held_back(void **state)
{
	static char key[1 << 16];

	(void)state;
	rg_log_to(count);
	for (size_t apart = 8; apart <= 8192; apart *= 2) {
		lines = 0;
		for (unsigned i = 0; i < 1000; i++)
			rg_log_keyed(4, key + apart * (i % 4 + 1), "x");
		assert_in_range(lines, 1, 2 * 4 * 20);
	}
	rg_log_to(NULL);
}

/* Reads all there is. */
static size_t drain(int fd, char *to, size_t size)
{
	ssize_t n = 0;
	size_t all = 0;

	while (all < size && (n = read(fd, to + all, size - all)) > 0)
		all += (size_t)n;
	return all;
}

static void a_reader_that_hangs_holds_nobody_up(void **state)
{
	static char text[1 << 20];
	static char key[1 << 16];
	int fd[2], was = dup(STDERR_FILENO);

	(void)state;
	assert_int_equal(pipe(fd), 0);
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	assert_true(dup2(fd[1], STDERR_FILENO) >= 0);
	alarm(20); /* the end of a test that blocks */
	for (unsigned i = 0; i < 3000; i++)
		rg_log_keyed(4, key + i * 16 % sizeof key, "%0900u", i);
	assert_true(drain(fd[0], text, sizeof text) > 10000);
	rg_log_keyed(4, key, "read again");
	rg_log_keyed(4, key, "and again");
	alarm(0);
	dup2(was, STDERR_FILENO);
	memset(text, 0, sizeof text);
	assert_true(drain(fd[0], text, sizeof text - 1));
	assert_non_null(strstr(text, "lines lost: nobody read them)\nread again\nand again\n"));
	close(fd[0]);
	close(fd[1]);
	close(was);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_that_come_by_turns_are_held_back),
		cmocka_unit_test(a_reader_that_hangs_holds_nobody_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
