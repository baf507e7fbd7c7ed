#include "base/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { BATCH = 2048 };

static _Thread_local uint8_t batch[BATCH];
static _Thread_local size_t left; /* unused, at the end of the batch */

static void from_kernel(uint8_t *p, size_t n)
{
	while (n) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			perror("getrandom");
			abort();
		}
		p += got;
		n -= (size_t)got;
	}
}

void rg_random(void *buf, size_t n)
{
	uint8_t *from;

	if (n > BATCH / 4) {
		from_kernel(buf, n);
		return;
	}
	if (n > left) {
		from_kernel(batch, BATCH);
		left = BATCH;
	}
	from = batch + BATCH - left;
	memcpy(buf, from, n);
	memset(from, 0, n);
	left -= n;
}

uint64_t rg_random64(void)
{
	uint64_t v;

	rg_random(&v, sizeof v);
	return v;
}
