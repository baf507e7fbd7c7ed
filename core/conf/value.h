/* value.h -- text of a configuration to numbers, by the schema. */
#ifndef RG_CONF_VALUE_H
#define RG_CONF_VALUE_H

#include "conf/schema.h"

enum { VALUE_WHY = 400 };

/* A number in range, one of the symbols, or a boolean's word.  The symbols "unset"
 * and "" stand for the default.  false: why says what it must be. */
bool value_number(const struct schema_param *, const char *text, int64_t *out,
		  char why[VALUE_WHY]);
/* "403,408,480"; blanks are allowed.  false: why says what it must be. */
bool value_codes(const char *text, struct rg_codes *out, char why[VALUE_WHY]);

/* Decimal digits only, at most max. */
bool value_digits(const char *text, uint32_t max, uint32_t *out);

/* Names equal but for case, blanks, dashes and underscores. */
bool value_same_word(const char *a, const char *b);

#endif
