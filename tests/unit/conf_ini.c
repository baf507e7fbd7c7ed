/* The reader of lines: ends of line, long lines, numbers, what it refuses. */
#include <glib.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "conf/ini.h"

struct got {
	GString *text; /* a line each: number, kind, name, value */
	struct rg_faults *faults;
	int err;
};

static void line(struct ini_line *l, void *arg)
{
	static const char *const kinds[] = { "open", "close", "pair", "other" };
	struct got *g = arg;

	g_string_append_printf(g->text, "%u %s %.40s", l->line, kinds[l->kind], l->name);
	if (l->value && strlen(l->value) > 40)
		g_string_append_printf(g->text, " =%zu", strlen(l->value));
	else if (l->value)
		g_string_append_printf(g->text, " =%s", l->value);
	g_string_append_c(g->text, '\n');
}

static struct got read_text(const char *text, size_t n)
{
	struct got g = { g_string_new(NULL), rg_faults_new(), 0 };
	char path[] = "/tmp/conf-ini-XXXXXX";
	int fd = g_mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), (ssize_t)n);
	close(fd);
	g.err = ini_read(path, line, &g, g.faults);
	unlink(path);
	return g;
}

static void drop(struct got *g)
{
	g_string_free(g->text, TRUE);
	rg_faults_free(g->faults);
}

static void expect(const char *text, size_t n, const char *lines, size_t errors)
{
	struct got g = read_text(text, n);

	assert_string_equal(g.text->str, lines);
	assert_int_equal(rg_faults_errors(g.faults), errors);
	drop(&g);
}

static void forms(void **state)
{
	static const char text[] = "a=1\n"
				   "  b  =  two words ; and more \n"
				   "; comment = 1\n"
				   " # comment = 2\n"
				   "\n"
				   "[ Account ]\n"
				   "FORMAT Index = A, B;\n"
				   "Account 0 = \"x;y\", 1;\n"
				   "[ \\Account ]\n"
				   "[Account];remark\n"
				   "c == d\n"
				   "no pair\n"
				   "= nothing\n"
				   "[open\n"
				   "[closed] rest\n"
				   "last:colon = v";

	(void)state;
	expect(text, sizeof text - 1,
	       "1 pair a =1\n"
	       "2 pair b =two words ; and more\n"
	       "6 open Account\n"
	       "7 pair FORMAT Index =A, B;\n"
	       "8 pair Account 0 =\"x;y\", 1;\n"
	       "9 close Account\n"
	       "10 open Account\n"
	       "11 pair c == d\n"
	       "12 other no pair\n"
	       "13 other = nothing\n"
	       "14 other [open\n"
	       "15 other [closed] rest\n"
	       "16 pair last:colon =v\n",
	       0);
}

static void ends_of_line(void **state)
{
	static const char text[] = "\xEF\xBB\xBF[A]\r\na = 1\r\n\r\nb = 2\r\n[\\A ]";

	(void)state;
	expect(text, sizeof text - 1, "1 open A\n2 pair a =1\n4 pair b =2\n5 close A\n",
	       0);
	expect("", 0, "", 0);
	expect("\n\n", 2, "", 0);
	expect("\xEF\xBB\xBF", 3, "", 0);
}

/* The longest line is taken whole; a longer one is one error, and neither its rest
 * nor the count of lines goes astray, wherever the reader's buffer ends. */
static void long_lines(void **state)
{
	static const size_t extra[] = { 0, 1, 300000 };

	(void)state;
	for (size_t over = 0; over < 3; over++)
		for (size_t lead = 0; lead < 3; lead++) {
			GString *s = g_string_new(NULL);
			bool fits = over == 0;
			struct got g;
			char want[200];

			for (size_t i = 0; i < lead * 70001; i++)
				g_string_append_c(s, '\n');
			g_string_append(s, "k=");
			for (size_t i = 2; i < INI_LINE_MAX + extra[over]; i++)
				g_string_append_c(s, 'x');
			g_string_append(s, "\nafter = 1\n");
			g = read_text(s->str, s->len);
			if (fits)
				g_snprintf(want, sizeof want,
					   "%zu pair k =%d\n%zu pair after =1\n",
					   lead * 70001 + 1, INI_LINE_MAX - 2,
					   lead * 70001 + 2);
			else
				g_snprintf(want, sizeof want, "%zu pair after =1\n",
					   lead * 70001 + 2);
			assert_string_equal(g.text->str, want);
			assert_int_equal(rg_faults_errors(g.faults), fits ? 0 : 1);
			drop(&g);
			g_string_free(s, TRUE);
		}
}

static void nul(void **state)
{
	static const char text[] = "a = 1\nb = \0 2\nc = 3\n";

	(void)state;
	expect(text, sizeof text - 1, "1 pair a =1\n3 pair c =3\n", 1);
}

static void unreadable(void **state)
{
	struct got g = { g_string_new(NULL), rg_faults_new(), 0 };

	(void)state;
	assert_int_not_equal(ini_read("/nonexistent/x.ini", line, &g, g.faults), 0);
	assert_int_not_equal(ini_read("/tmp", line, &g, g.faults), 0);
	assert_int_equal(rg_faults_errors(g.faults), 2);
	assert_string_equal(
		rg_faults_text(g.faults, 0),
		"/nonexistent/x.ini: error: cannot be opened: No such file or directory");
	assert_string_equal(rg_faults_text(g.faults, 1),
			    "/tmp: error: cannot be read: Is a directory");
	drop(&g);
}

/* A FIFO nobody writes to and a device that never ends hold nobody up. */
static void endless(void **state)
{
	struct got g = { g_string_new(NULL), rg_faults_new(), 0 };
	char fifo[] = "/tmp/conf-ini-XXXXXX";

	(void)state;
	close(g_mkstemp(fifo));
	unlink(fifo);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	alarm(5);
	assert_int_not_equal(ini_read(fifo, line, &g, g.faults), 0);
	assert_int_not_equal(ini_read("/dev/zero", line, &g, g.faults), 0);
	alarm(0);
	unlink(fifo);
	assert_string_equal(rg_faults_text(g.faults, 1),
			    "/dev/zero: error: cannot be opened: it is no regular file");
	drop(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),      cmocka_unit_test(ends_of_line),
		cmocka_unit_test(long_lines), cmocka_unit_test(nul),
		cmocka_unit_test(unreadable), cmocka_unit_test(endless),
	};

	return cmocka_run_group_tests_name("conf_ini", tests, NULL, NULL);
}
