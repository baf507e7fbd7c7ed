/* user.c -- SBCUserInfoTable: who answers challenges as whom; found by LocalUser. */
#include <string.h>

#include "conf/load.h"

static guint user_hash(const char *user, uint32_t group)
{
	return (g_str_hash(user) ^ group * 40503u) * 2654435769u >> 3;
}

/* The slot of the user and group, or the free one where it would stand. */
static uint32_t *place(const struct conf_whole *w, const char *user, uint32_t group)
{
	for (uint32_t i = user_hash(user, group);; i++) {
		uint32_t *slot = &w->user[i & w->user_mask];
		const struct conf_user_info *u = *slot ? &w->c.user_info[*slot - 1] : NULL;

		if (!u || (u->group == group && !strcmp(u->local_user, user)))
			return slot;
	}
}

/* Of equal ones the first counts. */
static void index_users(struct load *l)
{
	struct conf_whole *w = l->w;
	uint32_t size = 4;

	while (size < w->c.n_user_info + w->c.n_user_info / 2 + 1)
		size *= 2;
	w->user_mask = size - 1;
	w->user = rg_arena_alloc(l->arena, size * sizeof *w->user);
	for (uint32_t i = 0; i < w->c.n_user_info; i++) {
		uint32_t *slot = place(w, w->c.user_info[i].local_user, w->c.user_info[i].group);

		if (!*slot)
			*slot = i + 1;
	}
}

const struct conf_user_info *conf_user_find(const struct conf *c, const char *user, uint32_t group)
{
	const struct conf_whole *w = (const struct conf_whole *)(const void *)c;
	uint32_t at;

	if (!*user || !c->n_user_info)
		return NULL;
	at = *place(w, user, group);
	if (!at && group != CONF_NONE)
		at = *place(w, user, CONF_NONE);
	return at ? &c->user_info[at - 1] : NULL;
}

void build_users(struct load *l)
{
	struct conf *c = &l->w->c;

	c->user_info = build_final(l, CONF_USER_INFO, &c->n_user_info);
	for (uint32_t i = 0; i < c->n_user_info; i++) {
		const struct draft_user_info *d =
			(void *)load_draft(l, CONF_USER_INFO, i);
		struct conf_user_info *u = &c->user_info[i];
		char buf[96];

		u->group = *d->group
				   ? names_refer(&l->w->ip_group, c->n_ip_group, d->group)
				   : CONF_NONE;
		if (*d->group && u->group == CONF_NONE)
			param_warn(l, &u->row, CONF_USER_INFO, "IPGroupName",
				   "user %s: there is no IPGroup '%s': the row has none%s",
				   u->row.name, d->group,
				   build_hint(l, &l->w->ip_group, c->n_ip_group, d->group,
					      buf));
		if (!*u->local_user)
			row_error(l, &u->row, "user %s has no LocalUser", u->row.name);
	}
	index_users(l);
}
