/* reader.h -- what the files that read a scenario share; for sim/ only. */
#ifndef RG_SIM_READER_H
#define RG_SIM_READER_H

#include <glib.h>

#include "sim/words.h"

struct reader {
	struct words w;
	struct script *s;
	GArray *line, *expect; /* struct script_line, struct script_expect */
	GPtrArray *config;
	bool has_until, has_start;
	rg_ms last;	  /* latest time named */
	const char *text; /* the line as written */
};

/* What follows the first word of a line.  Faults are added; the rest of a line is
 * left to words_end(). */
void reader_dns(struct reader *, struct script_line *);
void reader_at(struct reader *);
void reader_expect(struct reader *, bool never);

const char *reader_keep(struct reader *, const char *text); /* NULL: "" */
/* Paths are relative to the scenario. */
const char *reader_path(struct reader *, const char *word);
/* "7" or "group:7" */
const char *reader_trunk(struct reader *);

#endif
