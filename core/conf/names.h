/* names.h -- rows of a table found by name.  4 to 8 bytes a row. */
#ifndef RG_CONF_NAMES_H
#define RG_CONF_NAMES_H

#include "base/arena.h"
#include "conf/conf.h"

struct names {
	const char *rows; /* each begins with struct conf_row */
	size_t stride;
	uint32_t mask;
	uint32_t *slot; /* position + 1 */
};

/* Index n rows.  again is told of a row whose name stands already, which is left out. */
void names_build(struct names *, struct rg_arena *, const void *rows, size_t stride, uint32_t n,
		 void (*again)(const struct conf_row *, const struct conf_row *first, void *arg),
		 void *arg);
/* By name; CONF_NONE. */
uint32_t names_find(const struct names *, const char *name);
/* By name, else by the text of the index; the rows must be sorted by index. */
uint32_t names_refer(const struct names *, uint32_t n, const char *text);
/* By index, else by name. */
uint32_t names_index(const struct names *, uint32_t n, const char *text);

#endif
