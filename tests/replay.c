/*
 * replay.c -- a fuzz target without a fuzzer: each file of the folder given, whole and
 * cut at 64 places, goes through it once.  So make check builds every target, and what
 * a fuzzer once found stays found.
 */
#include <glib.h>
#include <stdint.h>
#include <stdio.h>

enum { CUTS = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of its own size, so that a sanitizer sees what reads beyond. */
static void feed(const char *text, size_t n)
{
	uint8_t *copy = g_malloc(n ? n : 1);

	for (size_t i = 0; i < n; i++)
		copy[i] = (uint8_t)text[i];
	(void)LLVMFuzzerTestOneInput(copy, n);
	g_free(copy);
}

int main(int argc, char **argv)
{
	GDir *dir = argc == 2 ? g_dir_open(argv[1], 0, NULL) : NULL;
	const char *name;
	unsigned n = 0;

	if (!dir) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	while ((name = g_dir_read_name(dir))) {
		char *path = g_build_filename(argv[1], name, NULL), *text;
		gsize size;

		if (!g_file_get_contents(path, &text, &size, NULL)) {
			printf("not ok %u - %s cannot be read\n", ++n, path);
			return 1;
		}
		for (size_t cut = 1; cut <= CUTS; cut++)
			feed(text, size * cut / CUTS);
		printf("ok %u - %s\n", ++n, name);
		fflush(stdout);
		g_free(text);
		g_free(path);
	}
	g_dir_close(dir);
	printf("1..%u\n", n);
	return !n;
}
