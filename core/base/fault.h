/* fault.h -- a list of what is wrong with a configuration, each with its place. */
#ifndef RG_BASE_FAULT_H
#define RG_BASE_FAULT_H

#include <stdbool.h>
#include <stddef.h>

enum rg_severity { RG_FAULT_WARNING, RG_FAULT_ERROR };

struct rg_faults; /* owned by who made it; not shared between threads */

struct rg_faults *rg_faults_new(void);
void rg_faults_free(struct rg_faults *);

/* Add a fault.  file may be NULL (no place), line 0 likewise.  Never contains a
 * secret: that is the caller's promise.  What is quoted may be any bytes: the text is one
 * line of UTF-8. */
void rg_fault_add(struct rg_faults *, enum rg_severity, const char *file, unsigned line,
		  const char *fmt, ...) __attribute__((format(printf, 5, 6)));

size_t rg_faults_errors(const struct rg_faults *);
size_t rg_faults_warnings(const struct rg_faults *);
size_t rg_faults_count(const struct rg_faults *);

/* "FILE:LINE: error: TEXT" of fault i, in the order of file and line once
 * rg_faults_sort was called; valid until the list is changed. */
const char *rg_faults_text(const struct rg_faults *, size_t i);
enum rg_severity rg_faults_severity(const struct rg_faults *, size_t i);
/* Stable sort by file (order of first appearance) and line. */
void rg_faults_sort(struct rg_faults *);

/* The nearest of n names to word (edit distance, case ignored), or NULL when
 * none is near enough to be meant. */
const char *rg_nearest(const char *word, const char *const *names, size_t n);

#endif
