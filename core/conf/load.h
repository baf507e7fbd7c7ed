/*
 * load.h -- one run of conf_load, as its steps share it.
 *
 *   ini.c         lines of a file
 *   table.c       lines to drafts of rows
 *   field.c       their values, by the schema
 *   values.c      those that policies read
 *   value.c       text to numbers
 *   secret.c      passwords
 *   build.c       drafts to rows: numbers, order, names, references
 *   network.c     interfaces, proxy sets, addresses
 *   nameserver.c  which name servers are asked
 *   trunk.c       trunk groups
 *   route.c       IP2IPRouting
 *   pattern.c     patterns of users in it
 *   user.c        SBCUserInfoTable
 *   names.c       rows found by name
 *   check.c       what concerns more than one value
 *   primary.c     SyncIMSAccounts
 *   conf.c        files and folders; the finished configuration
 *   dump.c        the configuration as text
 *   schema*.c     every table and parameter
 *   document.c    docs/parameters.md
 */
#ifndef RG_CONF_LOAD_H
#define RG_CONF_LOAD_H

#include <glib.h>

#include "base/arena.h"
#include "conf/draft.h"
#include "conf/ini.h"
#include "conf/names.h"

/* Where a row in row form sets a parameter.  Entries of a row stand together. */
struct conf_set {
	uint16_t number;
	uint16_t below; /* lines below the row's own */
	bool last;	/* of the row */
};

/* A configuration with what its functions need. */
struct conf_whole {
	struct conf c;
	int refs; /* atomic */
	struct rg_arena *arena;
	GPtrArray *file; /* names, in the arena */
	uint32_t *global_line; /* by number of the parameter */
	uint16_t *global_file;
	size_t n_global;
	GArray *set; /* struct conf_set; NULL: settled */
	uint32_t *user; /* of user_info, by LocalUser and group: position + 1 */
	uint32_t user_mask;
	struct names account, ip_group, proxy_set, sip_interface, trunk_group, interface_table,
		tls_context;
};

/* A warning that many rows share: said once, with the count. */
struct tally {
	uint32_t count, line;
	uint16_t file;
};

/* A string that is too long unless LongValues says otherwise. */
struct longer {
	const struct schema_param *p;
	uint32_t line, length;
	uint16_t file;
};

enum load_form { FORM_OPEN, FORM_ROW, FORM_TABLE };

struct load {
	struct conf_whole *w;
	const struct schema *schema;
	struct rg_faults *faults;
	struct rg_arena *arena; /* the configuration's */

	/* what is read */
	struct draft_gateway gateway;
	GArray *rows[CONF_TABLES];
	void *blank[CONF_TABLES]; /* a row with its defaults */
	GHashTable *trunk_by_id; /* TrunkGroupId: position + 1 */
	GHashTable *value_sets;
	const struct conf_values *no_values;
	GPtrArray *sections, *plugins;
	GHashTable *section_seen;
	struct tally *tally; /* by number of the parameter */
	uint32_t *stamp;     /* by number: the row that set it last */
	uint32_t serial;     /* of rows */
	GArray *longer;
	unsigned hints; /* nearest names still worth the time */

	/* where we are */
	const char *path;
	uint16_t file;
	unsigned line;
	enum conf_table table; /* CONF_TABLES: none */
	enum load_form form;
	bool globals, strict, skip;
	char title[64];
	char shown[100]; /* a name in a fault */
	unsigned opened, format_line;
	bool row_open;
	const struct schema_param **column;
	uint32_t n_column;
	bool channels; /* rows of the device's own TrunkGroup: their Index means nothing here */
	unsigned open_quote; /* line of a value whose quote was not closed */
	GHashTable *unknown_titles;
	struct tally unknown_globals;
	char unknown_global[64];

	/* of the open row */
	GArray *value;	  /* struct conf_value */
	GArray *global_value;
	GArray *pair;	  /* struct conf_pair */
	const char *recent[8]; /* strings of the row, to share equal ones */
	unsigned n_recent;
};

size_t load_draft_size(enum conf_table);
size_t load_row_size(enum conf_table); /* of the final row */
bool load_is_raw(enum conf_table);

#define load_fault(l, how, ...) rg_fault_add((l)->faults, how, (l)->path, (l)->line, __VA_ARGS__)
#define load_error(l, ...) load_fault(l, RG_FAULT_ERROR, __VA_ARGS__)
#define load_warn(l, ...) load_fault(l, RG_FAULT_WARNING, __VA_ARGS__)
/* About a row that was read before. */
#define row_fault(l, how, row, ...) \
	rg_fault_add((l)->faults, how, conf_file(&(l)->w->c, (row)->file), (row)->line, __VA_ARGS__)
#define row_error(l, row, ...) row_fault(l, RG_FAULT_ERROR, row, __VA_ARGS__)
#define row_warn(l, row, ...) row_fault(l, RG_FAULT_WARNING, row, __VA_ARGS__)
/* About a parameter of such a row, where the row sets it. */
#define param_fault(l, how, row, table, name, ...) \
	rg_fault_add((l)->faults, how, conf_file(&(l)->w->c, (row)->file), \
		     field_line(l, row, table, name), __VA_ARGS__)
#define param_error(l, row, table, name, ...) \
	param_fault(l, RG_FAULT_ERROR, row, table, name, __VA_ARGS__)
#define param_warn(l, row, table, name, ...) \
	param_fault(l, RG_FAULT_WARNING, row, table, name, __VA_ARGS__)

/* table.c: a line; and the end of a file. */
void load_line(struct ini_line *, void *load);
void load_file_end(struct load *);

/* field.c */
void field_blank(struct load *, enum conf_table, void *row); /* defaults */
void field_row_begin(struct load *, enum conf_table, uint32_t index, unsigned line);
void field_row_end(struct load *);
/* Set a value of the open row.  quoted: it stood in quotes. */
void field_set(struct load *, const struct schema_param *, char *text, bool quoted);
void field_set_global(struct load *, const struct schema_param *, char *text, bool quoted);
void field_globals_end(struct load *);
/* The line where a row sets the parameter of that name, else its own. */
uint32_t field_line(const struct load *, const struct conf_row *, enum conf_table,
		    const char *name);

/* values.c: a value of a policy's parameter for the row that is read (text NULL: n counts),
 * and all of them at its end. */
void value_add(struct load *, const struct schema_param *, int64_t n, const char *text);
const struct conf_values *values_end(struct load *);
/* The one object for these values (ascending numbers). */
const struct conf_values *values_of(struct load *, const struct conf_value *, uint16_t n);

/* build.c, network.c: drafts to rows. */
void build_rows(struct load *);
void build_interfaces(struct load *);
void build_proxy_sets(struct load *);
void build_proxy_ips(struct load *);
struct conf_row *load_draft(const struct load *, enum conf_table, uint32_t i);
/* The drafts' rows as an array of the configuration; draft i stays row i. */
void *build_final(struct load *, enum conf_table, uint32_t *n);
void build_names(struct load *, enum conf_table, struct names *, const void *rows, uint32_t n);
/* "; did you mean 'X'?" for a name that no row has; "" when none is near. */
const char *build_hint(struct load *, const struct names *, uint32_t n, const char *name,
		       char buf[96]);

/* The row that text names; "" and -1 are no reference.  what: the parameter, for faults. */
uint32_t build_refer(struct load *, const struct conf_row *, enum conf_table,
		     const struct names *to, uint32_t n, const char *text, const char *what);

/* route.c: IP2IPRouting, after all it refers to */
void build_routes(struct load *);

/* user.c: SBCUserInfoTable */
void build_users(struct load *);

/* nameserver.c: those of the gateway, and those of interfaces by InterfaceTable. */
void build_name_servers(struct load *);
void build_interface_name_servers(struct load *);

/* trunk.c: drafts to trunk groups; and the one of that TrunkGroupId or name. */
void build_trunk_groups(struct load *);
uint32_t build_trunk_find(const struct load *, const char *text);

/* check.c: what concerns more than one value. */
void check_all(struct load *);
/* primary.c: accounts with the lowest Index that are no primary (SyncIMSAccounts). */
void check_primaries(struct load *);

#endif
