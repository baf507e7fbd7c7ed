/* Any text as a scenario: it is read, or its faults are told; nothing else happens. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* the reader is a program's, not a layer's */
#include "sim/expect.c"
#include "sim/happen.c"
#include "sim/script.c"
#include "sim/words.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	int fd = memfd_create("scenario", MFD_CLOEXEC);
	struct rg_faults *faults = rg_faults_new();
	struct script *s;
	char name[32];

	if (fd < 0 || write(fd, data, n) != (ssize_t)n)
		abort();
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	s = script_read(name, faults);
	if (!s != (rg_faults_errors(faults) > 0))
		abort();
	for (size_t i = 0; s && i < s->n_line; i++)
		if (i && s->line[i].at < s->line[i - 1].at)
			abort();
	script_free(s);
	rg_faults_free(faults);
	close(fd);
	return 0;
}
