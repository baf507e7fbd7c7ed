/*
 * text.h -- what is printed: tables that stay readable at 80 columns, and strings
 * of unknown origin made harmless for a terminal.
 */
#ifndef RG_CTL_TEXT_H
#define RG_CTL_TEXT_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Control, format and undefined characters as \xNN or \u{NNNN}.  To be g_freed. */
char *text_clean(const char *);
/* The string of a member, cleaned; "-" if it is missing or null; numbers and booleans
 * as words; arrays joined by blanks.  To be g_freed. */
char *text_value(const json_t *value);
char *text_member(const json_t *object, const char *key);
/* Seconds as "42s", "7m30s", "2h05m", "3d04h"; anything but a number "-".  To be g_freed. */
char *text_duration(const json_t *seconds);
/* A point of time (seconds or milliseconds since 1970, or words) in local time. */
char *text_time(const json_t *at);
/* One line, or indented; never a raw control character. */
void text_json(const json_t *, bool indented);

/* Columns of the terminal on stdout; 0: it is none, and nothing is ever cut. */
int text_columns(void);

/* A table printed in pages.  Widths come of the first page, within the limits. */
struct text_column {
	const char *title;
	int most; /* widest, on a terminal; 0: to the end of the line */
	bool right;
};

struct text_table {
	const struct text_column *column;
	int n;
	int width[12];
	bool begun;
	int limit; /* lines still to be printed, the title's included; -1: no limit */
	GPtrArray *cells;
};

void text_table_init(struct text_table *, const struct text_column *, int n);
/* The next cell of the row; the string is taken. */
void text_cell(struct text_table *, char *);
/* Print the rows so far.  more: further pages follow, so take the widest columns. */
void text_table_flush(struct text_table *, bool more);
void text_table_end(struct text_table *); /* flush and free */

#endif
