/* setting.h -- a parameter's value in one row, and the sets of values that plugins
 * claim.  Of this layer only. */
#ifndef RG_POLICY_SETTING_H
#define RG_POLICY_SETTING_H

#include "base/arena.h"
#include "conf/conf.h"

struct setting {
	bool set;	 /* by the row: written there, or another than the default */
	bool text;	 /* str counts; otherwise num */
	int64_t num;
	const char *str; /* as written, never NULL */
	const struct rg_codes *codes; /* parsed already, or NULL */
};

/* "1,2", "parking", "*" */
struct claim {
	bool any; /* "*": whatever is set and is not "unset" */
	uint8_t n;
	struct setting *one;
};

enum conf_table setting_table(uint8_t scope);

/* As the schema's default is written; "" of a number is UNSET. */
struct setting setting_parse(const struct schema_param *, const char *text);
/* As the row has it.  No row (NULL): the default. */
struct setting setting_of(const struct schema_param *, const struct setting *dflt,
		      const struct conf_values *, const void *row);
struct setting setting_written(const struct schema_param *, const struct conf_value *);
/* Is the parameter a field of the row's struct, so that the core's reading of it
 * (a global default applied, say) is what counts? */
bool setting_is_field(const struct schema_param *);
bool setting_equal(const struct setting *, const struct setting *);
/* Nothing: not set, -1, or an empty text. */
bool setting_unset(const struct setting *);
/* As an operator would write it. */
const char *setting_text(const struct setting *, char buf[32]);

/* false: a word of the list is no value of the parameter. */
bool claim_parse(struct claim *, struct rg_arena *, const struct schema_param *,
		 const char *list);
bool claim_empty(const struct claim *);
bool claim_match(const struct claim *, const struct setting *);

#endif
