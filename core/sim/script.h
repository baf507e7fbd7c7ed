/*
 * script.h -- a scenario: what the servers answer and when, what is done to the
 * accounts, and what is expected of them.  Times are milliseconds of the engine's
 * clock, which stands EPOCH after midnight of the scenario's first day.
 */
#ifndef RG_SIM_SCRIPT_H
#define RG_SIM_SCRIPT_H

#include "base/arena.h"
#include "base/fault.h"
#include "reg/port.h"

#define SCRIPT_EPOCH ((rg_ms)86400000) /* no time of the engine is 0 */

enum script_does { SCRIPT_ANSWER, SCRIPT_SILENT, SCRIPT_REFUSE };

struct script_rule { /* what a server does with a request */
	uint8_t does;
	uint16_t code;
	int64_t expires; /* granted, s; -1: what was asked */
	uint32_t retry_after, min_expires;
};

enum script_kind {
	SCRIPT_SERVER, SCRIPT_HEALTH, SCRIPT_SERVED, SCRIPT_LINK, SCRIPT_DNS, SCRIPT_DISCONNECT,
	SCRIPT_TRUNK,
	/* from here on the engine is made to act: after the others of the moment */
	SCRIPT_REGISTER, SCRIPT_UNREGISTER, SCRIPT_REFRESH, SCRIPT_RELOAD, SCRIPT_NOTIFY,
	SCRIPT_CALL_OUT, SCRIPT_CALL_IN
};

struct script_line {
	unsigned line;
	rg_ms at;
	uint8_t kind;
	bool up;
	uint8_t methods;	/* SERVER: bits 1 << enum rg_method */
	uint32_t times;		/* SERVER: 0 for good */
	struct script_rule rule;
	struct rg_addr addr;	/* CALL_IN: family 0, the registrar */
	uint16_t port;		/* CALL_IN: local, 0: where it belongs */
	struct reg_notice notice; /* NOTIFY */
	const char *name;	/* account, group, host or trunk */
	struct reg_resolved *answer; /* DNS */
	size_t n_answer;
	const char **path;	/* RELOAD */
	size_t n_path;
};

enum script_wants { SCRIPT_REQUEST, SCRIPT_STATE, SCRIPT_REJECT, SCRIPT_TRUNK_IS, SCRIPT_NEVER };

struct script_expect {
	unsigned line;
	const char *text;
	uint8_t wants;
	rg_ms from, to; /* both included */
	const char *account; /* "-": none; TRUNK_IS: the trunk */
	bool out;	     /* TRUNK_IS */
	uint8_t method, state;
	struct rg_addr addr;
	int64_t expires, port, code; /* -1: any */
	const char *contact, *header; /* NULL: any */
};

struct script {
	struct rg_arena *mem;
	const char *file, *folder;
	const char **config;
	size_t n_config;
	rg_ms start, until;
	struct script_line *line; /* by time, then as written */
	size_t n_line;
	struct script_expect *expect; /* as written */
	size_t n_expect;
	bool strict;
};

/* Faults are added, all of them; NULL if there was one. */
struct script *script_read(const char *file, struct rg_faults *);
void script_free(struct script *);

/* "12:04:00.000" */
enum { SCRIPT_TIME = 48 };
char *script_time(rg_ms, char buf[SCRIPT_TIME]);

#endif
