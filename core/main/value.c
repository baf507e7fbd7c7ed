/* value.c -- JSON values of what the daemon knows. */
#include "main/app.h"

json_t *value_text(const char *s)
{
	json_t *j = json_string(s ? s : "");
	char *valid;

	if (j)
		return j;
	valid = g_utf8_make_valid(s, -1);
	j = json_string(valid);
	g_free(valid);
	return j;
}

json_t *value_address(const struct rg_addr *a)
{
	char buf[RG_ADDR_TEXT];

	return a->family ? json_string(rg_addr_text(a, buf)) : json_null();
}
