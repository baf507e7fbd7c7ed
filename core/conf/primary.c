/*
 * primary.c -- SyncIMSAccounts: which account of a serving IP group is the primary.  One
 * with Register = 0 is none, although its Index is the lowest: whoever wrote it may have
 * meant it to be, and is told.
 */
#include "conf/load.h"

enum { BY_IMS = 1 };

static int64_t value(const struct load *l, const struct conf_values *v, enum conf_table t,
		     const char *name)
{
	const struct schema_param *p = schema_find(l->schema, t, name);
	const struct conf_value *set = p && v ? conf_value(v, p->number) : NULL;

	return set ? set->num : 0;
}

static bool takes_part(const struct load *l, const struct conf_account *a)
{
	return a->serving != CONF_NONE &&
	       value(l, a->row.values, CONF_ACCOUNT, "RegistrarSearchMode") == BY_IMS;
}

void check_primaries(struct load *l)
{
	const struct conf *c = &l->w->c;
	const struct conf_account **primary; /* by serving group */

	if (!value(l, c->gateway.values, CONF_GATEWAY, "SyncIMSAccounts"))
		return;
	primary = g_new0(const struct conf_account *, c->n_ip_group + 1);
	for (uint32_t i = 0; i < c->n_account; i++) {
		const struct conf_account *a = &c->account[i];

		if (a->reg && a->stickiness && takes_part(l, a) &&
		    (!primary[a->serving] || a->row.index < primary[a->serving]->row.index))
			primary[a->serving] = a;
	}
	for (uint32_t i = 0; i < c->n_account; i++) {
		const struct conf_account *a = &c->account[i];

		if (!a->reg && takes_part(l, a) && primary[a->serving] &&
		    a->row.index < primary[a->serving]->row.index)
			row_warn(l, &a->row,
				 "account %s has the lower Index, but is not the primary of "
				 "IP group %s while Register = 0: account %s is",
				 a->row.name, c->ip_group[a->serving].row.name,
				 primary[a->serving]->row.name);
	}
	g_free(primary);
}
