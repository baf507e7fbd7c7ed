/*
 * random.h -- unpredictable bytes without a system call each time.  The kernel's
 * generator is read in batches, and what was given out is wiped from the batch.
 * One batch a thread; a child of fork() must not use its parent's.
 */
#ifndef RG_BASE_RANDOM_H
#define RG_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Fit for keys, nonces, branches and tags.  Never fails: a kernel that gives no
 * random bytes ends the process. */
void rg_random(void *buf, size_t n);
uint64_t rg_random64(void);

#endif
