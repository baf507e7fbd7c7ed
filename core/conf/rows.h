/* rows.h -- the core's own rows of the schema, in the order of the document. */
#ifndef RG_CONF_ROWS_H
#define RG_CONF_ROWS_H

#include "conf/draft.h"

#define FIELD(s, m) \
	.offset = offsetof(struct draft_##s, m), .size = sizeof(((struct draft_##s *)0)->m)
#define ROW_INT(t, n, s, m, lo, hi, d, y, text, ...) \
	{ .name = n, .table = CONF_##t, .type = SCHEMA_INT, FIELD(s, m), .min = lo, .max = hi, \
	  .dflt = d, .symbols = y, .doc = text, __VA_ARGS__ }
#define ROW_BOOL(t, n, s, m, d, text, ...) \
	{ .name = n, .table = CONF_##t, .type = SCHEMA_BOOL, FIELD(s, m), .max = 1, .dflt = d, \
	  .doc = text, __VA_ARGS__ }
#define ROW_STR(t, n, s, m, most, d, text) \
	{ .name = n, .table = CONF_##t, .type = SCHEMA_STR, FIELD(s, m), .max = most, \
	  .dflt = d, .doc = text }
#define ROW_NAME(t, n, s, m, most, text, ...) \
	{ .name = n, .table = CONF_##t, .type = SCHEMA_NAME, FIELD(s, m), .max = most, \
	  .dflt = "", .doc = text, __VA_ARGS__ }
#define ROW_SECRET(t, n, s, m, text) \
	{ .name = n, .table = CONF_##t, .type = SCHEMA_SECRET, FIELD(s, m), .max = 50, \
	  .dflt = "", .doc = text }, \
	{ .name = n "File", .table = CONF_##t, .type = SCHEMA_SECRET_FILE, FIELD(s, m), \
	  .max = 50, .dflt = "", .doc = "File whose first line is the " n "." }
#define ROW_CODES(t, n, s, m, d, text) \
	{ .name = n, .table = CONF_##t, .type = SCHEMA_CODES, FIELD(s, m), .dflt = d, \
	  .doc = text }
/* Parameters that only policies read. */
#define ROW_POLICY(t, n, lo, hi, d, y, who, text) \
	{ .name = n, .table = CONF_##t, .type = SCHEMA_INT, .min = lo, .max = hi, .dflt = d, \
	  .symbols = y, .doc = text, .policy = true, .owner = who }
#define ROW_POLICY_BOOL(t, n, d, who, text) \
	{ .name = n, .table = CONF_##t, .type = SCHEMA_BOOL, .max = 1, .dflt = d, .doc = text, \
	  .policy = true, .owner = who }
/* Kept as text: tables of later versions. */
#define ROW_RAW(t, n, d, text) \
	{ .name = n, .table = CONF_##t, .type = SCHEMA_STR, .dflt = d, .doc = text }
#define ROW_RAW_FILE(t, n, text) \
	{ .name = n, .table = CONF_##t, .type = SCHEMA_STR, .dflt = "", .doc = text, .path = true }
#define ROW_RAW_INT(t, n, lo, hi, d, y, text) \
	{ .name = n, .table = CONF_##t, .type = SCHEMA_INT, .min = lo, .max = hi, .dflt = d, \
	  .symbols = y, .doc = text }
#define ROW_INDEX(t, s, m, longest) \
	{ .name = "Index", .table = CONF_##t, .type = SCHEMA_INT, FIELD(s, m.row.index), \
	  .max = INT32_MAX, .dflt = "", \
	  .doc = "Number of the row; without it the lowest free one." }, \
	{ .name = "Name", .table = CONF_##t, .type = SCHEMA_STR, FIELD(s, m.row.name), \
	  .max = longest, .dflt = "", .doc = "Unique; without it the row is called by its index." }

struct schema_rows {
	const struct schema_param *row;
	size_t n;
};
extern const struct schema_rows schema_gateway_rows, schema_account_rows, schema_network_rows,
	schema_group_rows, schema_route_rows, schema_tls_rows;

/* Columns of the device that are read and mean nothing here.  Default "*": any
 * value is as good as another, so none is worth a warning. */
struct schema_ignored {
	uint8_t table;
	const char *name, *dflt;
};
extern const struct schema_ignored schema_ignored[];
extern const size_t schema_ignored_count;

/* Other names of a parameter: earlier and later versions of the device, short forms. */
struct schema_alias {
	uint8_t table;
	const char *alias, *name;
};
extern const struct schema_alias schema_aliases[];
extern const size_t schema_aliases_count;

#endif
