#define _DEFAULT_SOURCE
#include "base/arena.h"

#include <glib.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum { CHUNK = 1 << 18 };

struct chunk {
	struct chunk *next;
	size_t size, used;
};

struct rg_arena {
	struct chunk *head;
	GHashTable *interned;
	size_t bytes;
};

struct rg_arena *rg_arena_new(void)
{
	return g_new0(struct rg_arena, 1);
}

void rg_arena_free(struct rg_arena *a)
{
	if (!a)
		return;
	if (a->interned)
		g_hash_table_destroy(a->interned);
	for (struct chunk *c = a->head, *next; c; c = next) {
		size_t size = c->size;

		next = c->next;
		explicit_bzero(c, c->used);
		munmap(c, size);
	}
	g_free(a);
}

static struct chunk *chunk_add(struct rg_arena *a, size_t need)
{
	size_t size = need + sizeof(struct chunk) > CHUNK ? need + sizeof(struct chunk) : CHUNK;
	struct chunk *c;

	size = (size + 4095) & ~(size_t)4095;
	c = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (c == MAP_FAILED)
		g_error("out of memory: %zu bytes of configuration", size);
	madvise(c, size, MADV_DONTDUMP);
	c->next = a->head;
	c->size = size;
	c->used = sizeof *c;
	a->head = c;
	a->bytes += size;
	return c;
}

static void *take(struct rg_arena *a, size_t size, size_t align)
{
	struct chunk *c = a->head;
	size_t at = c ? (c->used + align - 1) & ~(align - 1) : 0;

	if (!c || at + size > c->size) {
		c = chunk_add(a, size + align);
		at = (c->used + align - 1) & ~(align - 1);
	}
	c->used = at + size;
	return (char *)c + at;
}

void *rg_arena_alloc(struct rg_arena *a, size_t size)
{
	return take(a, size, 8);
}

const char *rg_arena_strn(struct rg_arena *a, const char *s, size_t n)
{
	char *p;

	if (!n)
		return "";
	p = take(a, n + 1, 1);
	memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

const char *rg_arena_str(struct rg_arena *a, const char *s)
{
	return rg_arena_strn(a, s, strlen(s));
}

const char *rg_arena_intern(struct rg_arena *a, const char *s)
{
	const char *p;

	if (!*s)
		return "";
	if (!a->interned)
		a->interned = g_hash_table_new(g_str_hash, g_str_equal);
	p = g_hash_table_lookup(a->interned, s);
	if (!p) {
		p = rg_arena_str(a, s);
		g_hash_table_add(a->interned, (gpointer)(uintptr_t)p);
	}
	return p;
}

size_t rg_arena_bytes(const struct rg_arena *a)
{
	return a->bytes;
}
