/*
 * log.h -- one line on stderr per event, with the journal's priority in front
 * when systemd reads it.  No secret ever goes through here.
 */
#ifndef RG_BASE_LOG_H
#define RG_BASE_LOG_H

#include <stdbool.h>

/* Lines above this priority are dropped (RG_LOG_INFO; RG_LOG_DEBUG with -v). */
void rg_log_level(int prio);
bool rg_log_wants(int prio);
/* Where lines go instead of stderr; NULL: back to stderr. */
void rg_log_to(void (*sink)(int prio, const char *line));

/* prio is an enum rg_log_prio of <regway/plugin.h>.  The same format (its
 * address) is written at most 20 times in ten seconds; then a count follows. */
void rg_log(int prio, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same, counted by another address than the format's, which is not read. */
void rg_log_keyed(int prio, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define rg_err(...) rg_log(3, __VA_ARGS__)
#define rg_warn(...) rg_log(4, __VA_ARGS__)
#define rg_notice(...) rg_log(5, __VA_ARGS__)
#define rg_info(...) rg_log(6, __VA_ARGS__)
#define rg_debug(...) do { if (rg_log_wants(7)) rg_log(7, __VA_ARGS__); } while (0)

/* Whatever the level, at full length, and never held back: for what is said once, when
 * the program starts or does not.  The text's own control characters stay. */
void rg_say(int prio, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
