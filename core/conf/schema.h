/*
 * schema.h -- every table and parameter that a configuration may hold, once.
 * Parsing, ranges, defaults, --dump, docs/parameters.md and the nearest-name
 * hints all come from here.  The core's parameters are a table in schema.c; a
 * plugin adds its own from struct rg_param.
 */
#ifndef RG_CONF_SCHEMA_H
#define RG_CONF_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "regway/plugin.h"

enum conf_table {
	CONF_GATEWAY,
	CONF_INTERFACE_TABLE,
	CONF_SIP_INTERFACE,
	CONF_PROXY_SET,
	CONF_PROXY_IP,
	CONF_IP_GROUP,
	CONF_TRUNK_GROUP,
	CONF_ACCOUNT,
	CONF_ROUTE,	   /* IP2IPRouting */
	CONF_TLS_CONTEXT,  /* TLSContexts */
	CONF_USER_INFO,	   /* SBCUserInfoTable */
	CONF_PLUGINS,
	CONF_TABLES
};

/* The first five are those of enum rg_type. */
enum schema_type {
	SCHEMA_IGNORED = RG_T_NONE, /* a column of the device that means nothing here */
	SCHEMA_INT = RG_T_INT,
	SCHEMA_BOOL = RG_T_BOOL,
	SCHEMA_STR = RG_T_STR,
	SCHEMA_CODES = RG_T_CODES,
	SCHEMA_NAME,	   /* a string that many rows share: a host, a row's name */
	SCHEMA_SECRET,
	SCHEMA_SECRET_FILE /* the file that holds the secret at the same offset */
};

struct schema_param {
	const char *name;  /* canonical: the short name                            */
	uint8_t table;	   /* enum conf_table                                      */
	uint8_t type;	   /* enum schema_type                                     */
	uint8_t on_change; /* enum rg_on_change, of policy parameters              */
	bool policy;	   /* a plugin reads it; conf only checks and keeps it     */
	bool path;	   /* a file, relative to the one that names it            */
	uint16_t number;   /* place in the schema: the key of struct conf_value    */
	uint16_t offset;   /* into the row's struct; policy parameters: none       */
	int64_t min, max;  /* of numbers; max also of characters, 0: 255        */
	const char *dflt;
	const char *symbols;
	const char *owner; /* plugin that implements it, NULL: the core            */
	const char *doc;
	uint8_t size;	   /* bytes at offset; 0: not a field of the row           */
};

struct schema;

struct schema *schema_new(void); /* the core's parameters */
void schema_free(struct schema *);

/* Add the parameters of a plugin (name), or check them against those that the
 * schema has.  0, or EINVAL with a fault that names plugin and parameter.  The
 * plugin's tables must outlive the schema. */
int schema_add(struct schema *, const char *plugin, const struct rg_param *,
	       struct rg_faults *);

/* Case is ignored; a prefix "TABLE_" is allowed.  NULL if unknown. */
const struct schema_param *schema_find(const struct schema *, enum conf_table,
				       const char *name);
const struct schema_param *schema_at(const struct schema *, uint16_t number);
size_t schema_count(const struct schema *);

/* The plugin that a value of a policy parameter needs; NULL: none. */
const char *schema_owner(const struct schema_param *, int64_t value);

/* The title of a table as the device writes it, and back; CONF_TABLES if unknown. */
const char *schema_title(enum conf_table);
enum conf_table schema_table(const char *title);

/* Is this the name of a plugin that was added? */
bool schema_plugin(const struct schema *, const char *name);

/* The known name nearest to a mistyped one, or NULL.  O(names of the table). */
const char *schema_nearest(const struct schema *, enum conf_table, const char *name);
const char *schema_nearest_table(const char *title);

/* docs/parameters.md, complete. */
void schema_document(const struct schema *, void (*write)(const char *, void *), void *arg);

#endif
