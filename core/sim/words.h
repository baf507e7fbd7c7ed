/* words.h -- the words of a scenario's line, taken one after the other. */
#ifndef RG_SIM_WORDS_H
#define RG_SIM_WORDS_H

#include "sim/script.h"

struct words {
	struct rg_faults *faults;
	struct rg_arena *mem;
	const char *file;
	unsigned line;
	char **word; /* NULL-ended */
	size_t at;
	bool bad;    /* a fault was added for this line */
};

/* Cut text (which is changed) at white space; double quotes keep a word together, a
 * word that begins with # or ; ends the line. */
void words_cut(struct words *, char *text);

void words_fault(struct words *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The next word, or NULL with a fault that says what is missing. */
const char *words_next(struct words *, const char *what);
const char *words_peek(const struct words *); /* NULL: no more */
void words_end(struct words *); /* a fault if there are more */

/* All of these add a fault and give a harmless value when the word will not do. */
rg_ms words_time(struct words *, rg_ms *end); /* end: of the whole second, or as given */
bool words_span(struct words *, rg_ms *from, rg_ms *to); /* TIME or TIME..TIME */
struct rg_addr words_addr(struct words *);
struct rg_addr words_addr_of(struct words *, const char *text);
uint8_t words_method(struct words *, const char *text);
bool words_up(struct words *); /* up or down */
int64_t words_number(struct words *, const char *text, int64_t min, int64_t max);
/* The value if the next word is KEY=VALUE, which is taken; else NULL. */
const char *words_option(struct words *, const char *key);

#endif
