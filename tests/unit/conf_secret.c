/* Passwords in all the ways they may be written. */
#include <glib.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "conf/secret.h"

static void reads(const char *text, const char *want)
{
	char out[SECRET_MAX];
	const char *wrong = secret_read(text, out);

	if (wrong)
		fail_msg("'%s': %s", text, wrong);
	assert_string_equal(out, want);
}

static void refuses(const char *text)
{
	char out[SECRET_MAX];

	assert_non_null(secret_read(text, out));
}

static void plain(void **state)
{
	(void)state;
	reads("", "");
	reads("s3cret; with # signs", "s3cret; with # signs");
	reads("$1", "$1");
	reads("$$", "$$");
	reads("${", "${");
	reads("${}x", "${}x");
}

static void obfuscated(void **state)
{
	(void)state;
	reads("$1$0oKyp6ahuKq9", "Password");
	reads("$1$KllOT19LWw==", "secret");
	reads("$1$gQ==", "");
	reads("$1$qq==", "");
	reads("$1$KllOT19LWw==38104915834", "secret"); /* stops at the padding */
	refuses("$1$");
	refuses("$1$=");
	refuses("$1$A");
	refuses("$1$KllO T19L");
	refuses("$1$KllOT19LW");
	refuses("$1$KioA"); /* a NUL in it */
}

static void named(void **state)
{
	char dir[] = "/tmp/conf-secret-XXXXXX", *path;
	char long_name[300];

	(void)state;
	assert_non_null(g_mkdtemp(dir));
	path = g_strconcat(dir, "/itsp", NULL);
	assert_true(g_file_set_contents(path, "from file\nsecond line\n", -1, NULL));
	setenv("RG_TEST_SECRET", "from environment", 1);
	reads("${RG_TEST_SECRET}", "from environment");
	unsetenv("CREDENTIALS_DIRECTORY");
	refuses("${itsp}");
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	reads("${itsp}", "from file");
	setenv("itsp", "environment first", 1);
	reads("${itsp}", "environment first");
	unsetenv("itsp");
	refuses("${RG_TEST_NOT_SET}");
	setenv("RG_TEST_SECRET", "", 1);
	refuses("${RG_TEST_SECRET}");
	refuses("${../itsp}");
	refuses("${.}");
	refuses("${}");
	memset(long_name, 'n', sizeof long_name);
	memcpy(long_name, "${", 2);
	strcpy(long_name + sizeof long_name - 2, "}");
	refuses(long_name);
	unlink(path);
	rmdir(dir);
	g_free(path);
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void files(void **state)
{
	char path[] = "/tmp/conf-secret-XXXXXX", out[SECRET_MAX];
	char big[2000];
	int fd = g_mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, "hunter2\r\n", 9), 9);
	assert_null(secret_file(path, out));
	assert_string_equal(out, "hunter2");
	memset(big, 'x', sizeof big);
	assert_int_equal(write(fd, big, sizeof big), sizeof big);
	assert_null(secret_file(path, out)); /* only the first line counts */
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, big, sizeof big, 0), sizeof big);
	assert_non_null(secret_file(path, out));
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, "a\0b", 3, 0), 3);
	assert_non_null(secret_file(path, out));
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_non_null(secret_file(path, out)); /* whoever names a file wants a password */
	assert_string_equal(out, "");
	close(fd);
	unlink(path);
	assert_non_null(secret_file(path, out));
	assert_non_null(secret_file("/tmp", out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(obfuscated),
		cmocka_unit_test(named),
		cmocka_unit_test(files),
	};

	return cmocka_run_group_tests_name("conf_secret", tests, NULL, NULL);
}
