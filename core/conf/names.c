#include "conf/names.h"

#include <glib.h>
#include <string.h>

#include "conf/value.h"

static const struct conf_row *row(const struct names *t, uint32_t i)
{
	return (const struct conf_row *)(const void *)(t->rows + i * t->stride);
}

/* The slot of the name, or the free one where it would stand. */
static uint32_t *place(const struct names *t, const char *name)
{
	uint32_t i = g_str_hash(name) * 2654435769u;

	for (i ^= i >> 16;; i++) {
		uint32_t *slot = &t->slot[i & t->mask];

		if (!*slot || !strcmp(row(t, *slot - 1)->name, name))
			return slot;
	}
}

void names_build(struct names *t, struct rg_arena *arena, const void *rows, size_t stride,
		 uint32_t n,
		 void (*again)(const struct conf_row *, const struct conf_row *, void *),
		 void *arg)
{
	uint32_t size = 4;

	while (size < n + n / 2)
		size *= 2;
	t->rows = rows;
	t->stride = stride;
	t->mask = size - 1;
	t->slot = rg_arena_alloc(arena, size * sizeof *t->slot);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t *slot = place(t, row(t, i)->name);

		if (*slot)
			again(row(t, i), row(t, *slot - 1), arg);
		else
			*slot = i + 1;
	}
}

uint32_t names_find(const struct names *t, const char *name)
{
	uint32_t *slot = place(t, name);

	return *slot ? *slot - 1 : CONF_NONE;
}

static uint32_t by_index(const struct names *t, uint32_t n, const char *text)
{
	uint32_t want, low = 0, high = n;

	if (!value_digits(text, INT32_MAX, &want))
		return CONF_NONE;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (row(t, mid)->index < want)
			low = mid + 1;
		else
			high = mid;
	}
	return low < n && row(t, low)->index == want ? low : CONF_NONE;
}

uint32_t names_refer(const struct names *t, uint32_t n, const char *text)
{
	uint32_t i = names_find(t, text);

	return i != CONF_NONE ? i : by_index(t, n, text);
}

uint32_t names_index(const struct names *t, uint32_t n, const char *text)
{
	uint32_t i = by_index(t, n, text);

	return i != CONF_NONE ? i : names_find(t, text);
}
