/* Any text as a configuration.  What loads is dumped, and the dump must load again to
 * the same; what does not load has said why. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf/conf.h"

struct text {
	char *s;
	size_t n, size;
};

static void append(const char *s, void *arg)
{
	struct text *t = arg;
	size_t n = strlen(s);

	if (t->n + n >= t->size) {
		t->size = (t->n + n + 1) * 2;
		t->s = realloc(t->s, t->size);
	}
	memcpy(t->s + t->n, s, n + 1);
	t->n += n;
}

static struct conf *load(const char *data, size_t size, const struct schema *schema,
			 struct rg_faults *faults)
{
	int fd = memfd_create("conf", MFD_CLOEXEC);
	const char *path[1];
	char name[32];
	struct conf *c;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	path[0] = name;
	c = conf_load(path, 1, schema, faults);
	close(fd);
	if (!c != (rg_faults_errors(faults) > 0))
		abort();
	return c;
}

static void fail(const struct rg_faults *f, const struct text *first,
		 const struct text *second)
{
	for (size_t i = 0; i < rg_faults_count(f); i++)
		fprintf(stderr, "%s\n", rg_faults_text(f, i));
	fprintf(stderr, "--- dumped\n%s\n--- dumped again\n%s\n", first->s, second->s);
	abort();
}

/* Lines of masked secrets are in the first dump only. */
static void unmask(struct text *t)
{
	char *to = t->s;

	for (char *line = t->s, *next; line && *line; line = next) {
		next = strchr(line, '\n');
		next = next ? next + 1 : line + strlen(line);
		if (memmem(line, (size_t)(next - line), " = ********\n", 12))
			continue;
		memmove(to, line, (size_t)(next - line));
		to += next - line;
	}
	if (to)
		*to = '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct schema *schema;
	struct rg_faults *faults = rg_faults_new();
	struct text first = { 0 }, second = { 0 };
	struct conf *c;

	if (!schema)
		schema = schema_new();
	c = load((const char *)data, size, schema, faults);
	if (c) {
		conf_dump(c, schema, append, &first);
		conf_unref(c);
		c = load(first.s, first.n, schema, faults);
		if (!c)
			fail(faults, &first, &second);
		conf_dump(c, schema, append, &second);
		conf_unref(c);
		unmask(&first);
		unmask(&second);
		if (strcmp(first.s, second.s))
			fail(faults, &first, &second);
	}
	free(first.s);
	free(second.s);
	rg_faults_free(faults);
	return 0;
}
