/*
 * arena.h -- memory that lives and dies together: one per configuration
 * generation.  Pages of an arena are kept out of core dumps, since passwords
 * stand among the strings, and wiped when it is freed.
 */
#ifndef RG_BASE_ARENA_H
#define RG_BASE_ARENA_H

#include <stddef.h>

struct rg_arena;

struct rg_arena *rg_arena_new(void);
void rg_arena_free(struct rg_arena *);

/* Zeroed, aligned to 8 bytes; never NULL (an exhausted machine ends the process). */
void *rg_arena_alloc(struct rg_arena *, size_t size);
/* A copy; the empty string costs nothing. */
const char *rg_arena_str(struct rg_arena *, const char *);
const char *rg_arena_strn(struct rg_arena *, const char *, size_t n);
/* One copy for all equal strings. */
const char *rg_arena_intern(struct rg_arena *, const char *);
size_t rg_arena_bytes(const struct rg_arena *);

#endif
