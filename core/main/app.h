/*
 * app.h -- the daemon: what its parts share.
 *
 *   main.c        options, start and stop
 *   generation.c  a configuration with its plugins, from files
 *   reload.c      from the present generation to the next
 *   control.c     the control socket: lines in, lines out
 *   command.c     what the lines mean
 *   service.c     service plugins
 *   calls.c       calls that are up
 *   record.c      call records
 *   trace.c       messages as they pass
 *   stop.c        the end: calls and bindings first
 *   trunk.c       trunks
 *   alarm.c       the operator's command
 *   link.c        which network devices a SIP interface uses
 *   network.c     its addresses and ports
 *   tls.c         the contexts of TLS
 *   nameserver.c  which name servers are asked
 *   rate.c        how much a second
 *   notify.c      systemd
 *   value.c       JSON values
 */
#ifndef RG_MAIN_APP_H
#define RG_MAIN_APP_H

#include <glib.h>
#include <jansson.h>

#include "base/fault.h"
#include "base/timer.h"
#include "conf/conf.h"
#include "policy/policy.h"
#include "reg/engine.h"
#include "relay/relay.h"
#include "sip/loop.h"
#include "sip/stack.h"

struct generation {
	struct schema *schema;
	struct policy_modules *modules;
	struct conf *conf;
	struct policy *policy;
	struct sip_tls_contexts *tls;
};

struct reload;
struct record_file;
struct records;
struct trace;
struct control;
struct services;
struct alarms;
struct links;
struct network;

enum rate_of { RATE_SENT, RATE_OK, RATES };
enum { RATE_SAMPLES = 11 }; /* a second apart */

struct rate {
	struct rg_timer timer;
	uint64_t count[RATES][RATE_SAMPLES];
	unsigned at, n;
};

struct app {
	const char **path; /* of the configuration, absolute, NULL-ended */
	const char *plugin_dir, *socket, *state_dir;
	struct rg_timers *timers;
	struct sip_loop *loop;
	struct sip_stack *stack;
	struct reg_engine *engine;
	struct relay *relay;
	struct records *records; /* NULL: none were ever asked for */
	struct trace *trace;	 /* NULL: nobody watches */
	GStringChunk *call_text; /* of the last calls_rows() */
	struct generation *gen; /* in force */
	struct reload *reload;	/* running, or NULL */
	struct control *control;
	struct services *services;
	struct alarms *alarms;
	struct links *links;
	GHashTable *raised; /* "ALARM OBJECT" */
	rg_ms started;
	int64_t reload_at; /* wall clock, s, of the last reload; 0 none */
	bool reload_ok, again; /* again: one more was asked for meanwhile */
	json_t *reload_faults;
	struct network *network;
	struct rate rate;
	struct rg_timer stopping, alive;
	rg_ms stop_by;
	uint8_t stop; /* stop.c; 0: not stopping */
};

/* ---- generation.c ---- */

/* Everything that can fail, done before anything changes.  prev may be NULL.  NULL and
 * faults: refused.  May run in any thread. */
struct generation *generation_load(const char *const *path, const char *plugin_dir,
				   struct policy_modules *prev, struct rg_faults *);
void generation_free(struct generation *);
/* "FILE: why" of the first path or plugin folder that cannot be read; NULL if all can.
 * g_free it. */
char *generation_unreadable(const char *const *path, const char *plugin_dir);

/* ---- reload.c ---- */

typedef void (reload_done_h)(bool ok, json_t *answer, void *arg); /* takes answer */

/* Begin; h is called later, once.  A second one waits for the first (at most one
 * waits; more share it). */
void reload_start(struct app *, reload_done_h *h, void *arg);
/* Only say what would be wrong with these files. */
void reload_check(struct app *, const char *const *path, reload_done_h *h, void *arg);
/* Nobody is to be told any more. */
void reload_forget(struct app *, void *arg);
void reload_stop(struct app *);

/* ---- control.c ---- */

int control_open(struct app *); /* 0 or an errno, said on the log */
void control_close(struct app *);
struct control_conn;
/* Nothing but lines of the trace for this client from now on. */
void control_stream(struct control_conn *);
/* A line for such a client, sent when the loop gets to it.  false: it does not read what
 * it got, and this one is not kept. */
bool control_line(struct control_conn *, const char *line, size_t n);

/* ---- command.c ---- */

/* The answer to a line: a new object; NULL: it comes later through control_answer. */
json_t *command_run(struct app *, json_t *line, struct control_conn *);
void control_answer(struct control_conn *, json_t *answer);
json_t *command_no_account(struct app *, const char *name); /* with the nearest name */
json_t *command_explain(struct app *, json_t *args); /* a new object */
json_t *command_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- value.c ---- */

json_t *value_text(const char *); /* bytes that are no UTF-8 are replaced; NULL is "" */
json_t *value_address(const struct rg_addr *); /* "192.0.2.1:5060", or null */

/* ---- service.c ---- */

void services_apply(struct app *); /* start, reconfigure and stop as the generation says */
void services_stop(struct app *);
void services_moved(struct app *, const struct reg_account_info *, const struct reg_transition *);

/* ---- calls.c ---- */

json_t *command_calls(struct app *, json_t *args); /* a new object */
json_t *call_row(const struct relay_call_info *);  /* one that is up */
json_t *call_record(const struct relay_call_info *); /* one that is over */
const char *call_state(uint8_t state);
enum { CALL_TIME = 40 };
/* Unix time, ms, as ISO 8601 in UTC; returns buf. */
const char *call_time(int64_t ms, char buf[CALL_TIME]);
/* As rg_host.calls has it. */
size_t calls_rows(struct app *, uint64_t *cursor, struct rg_call *, size_t n);

/* ---- record.c ---- */

/* Open what CallRecords names, or with check only see whether that would do.  NULL: it
 * names nothing, or there is one fault more.  The configuration may hold errors.  May run in
 * any thread. */
struct record_file *record_open(const struct conf *, const struct schema *, bool check,
				struct rg_faults *);
void record_close(struct record_file *);
/* From now on records go there (taken; NULL: nowhere). */
void record_use(struct app *, struct record_file *);
/* As relay_env.ended has it. */
void record_call(void *app, const struct relay_call_info *);
/* What is queued gets written, unless the disk hangs. */
void record_stop(struct app *);

/* ---- trace.c ---- */

/* Stream messages, of one account if args name it, to this client.  The first line. */
json_t *command_trace(struct app *, json_t *args, struct control_conn *);
void trace_forget(struct app *, struct control_conn *);

/* ---- stop.c ---- */

/* Let calls end for as long as DrainTime says, un-register if UnregisterOnStop, and end
 * the loop; asked again: hang up, and end it at once. */
void app_stop(struct app *);

/* ---- trunk.c ---- */

json_t *command_trunk(struct app *, json_t *args); /* a new object */
void trunk_changed(void *app, const struct reg_trunk_info *);

/* ---- alarm.c ---- */

/* Say so, and run AlarmCommand; name is static.  Never waits. */
void alarm_set(struct app *, const char *name, const char *object, bool raised);
void alarm_stop(struct app *);

/* ---- link.c ---- */

/* A network device lost its link, or has it (again); 0, or ENOENT: no SIP interface uses
 * it. */
int link_changed(struct app *, const char *device, bool up);
void link_apply(struct app *);
void link_stop(struct app *);

/* ---- nameserver.c ---- */

void name_servers_apply(struct app *); /* those of the generation in force */

/* ---- rate.c ---- */

void rate_start(struct app *);
void rate_stop(struct app *);
double rate(const struct app *, enum rate_of); /* a second */

/* ---- notify.c ---- */

void notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* From now on tell the watchdog, if there is one, that the loop turns. */
void notify_alive(struct app *);

/* ---- network.c ---- */

/* Make the interfaces and TLS contexts of a configuration those of the SIP layer.  One
 * whose address or device is missing stays closed, is said so, and opened when it appears.
 * 0 or an errno with what could not be had; then nothing has changed. */
int network_apply(struct app *, const struct generation *, struct rg_addr *bad);
void network_stop(struct app *);

/* ---- tls.c ---- */

/* With the files that the rows name; what is wrong with them is added to the faults.  The
 * configuration may hold errors.  May run in any thread. */
struct sip_tls_contexts *tls_contexts(const struct conf *, const struct schema *,
				      struct rg_faults *);

/* ---- main.c ---- */

void app_summary(struct app *, char *buf, size_t size);

#endif
