/*
 * trunk.c -- trunks and trunk groups: whether they are up, as told from outside, and
 * whether a group is in service, as its policies have it.  A group is down when every
 * trunk of it is; one whose trunks are not listed is told as a whole.
 */
#include "reg/reg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum { MOST_TRUNK = 65535 };

static uint8_t trunk_health(const struct reg_engine *e, uint32_t id)
{
	return (uint8_t)GPOINTER_TO_UINT(g_hash_table_lookup(e->trunk, GUINT_TO_POINTER(id)));
}

static struct reg_group *group_of(struct reg_engine *e, const struct conf_trunk_group *t)
{
	char name[32];

	snprintf(name, sizeof name, TRUNK_GROUP "%u", t->id);
	return group_named(e, name);
}

/* ", NAME" of a group that has one, else "". */
static const char *called(const struct conf_trunk_group *t, char buf[64])
{
	char index[16];

	snprintf(index, sizeof index, "%u", t->row.index);
	buf[0] = '\0';
	if (strcmp(index, t->row.name))
		snprintf(buf, 64, ", %.40s,", t->row.name);
	return buf;
}

static uint32_t trunks_of(const struct conf_trunk_group *t)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->n_range; i++)
		n += t->range[i].last - t->range[i].first + 1;
	return n;
}

static bool has(const struct conf_trunk_group *t, uint32_t id)
{
	for (uint32_t i = 0; i < t->n_range; i++)
		if (id >= t->range[i].first && id <= t->range[i].last)
			return true;
	return false;
}

/* How many of its trunks are down; *up: one is up. */
static uint32_t count_down(const struct reg_engine *e, const struct conf_trunk_group *t, bool *up)
{
	uint32_t down = 0;

	*up = false;
	for (uint32_t i = 0; i < t->n_range; i++)
		for (uint32_t id = t->range[i].first; id <= t->range[i].last; id++) {
			uint8_t h = trunk_health(e, id);

			down += h == RG_DOWN;
			*up |= h == RG_UP;
		}
	return down;
}

/* ---- status ------------------------------------------------------------------------------ */

static void fill_group(struct reg_engine *e, const struct conf_trunk_group *t,
		       struct reg_trunk_info *x)
{
	struct reg_group *g = group_of(e, t);
	bool up;

	*x = (struct reg_trunk_info){ .name = t->row.name, .health = g->health, .out = g->out };
	snprintf(x->id, sizeof x->id, "group:%u", t->id);
	x->trunks = trunks_of(t);
	x->down = count_down(e, t, &up);
	x->accounts = g->members.id->len - g->members.holes;
}

/* A trunk is out of service when all groups that have it are. */
static void fill_trunk(struct reg_engine *e, uint32_t id, struct reg_trunk_info *x)
{
	const struct conf *c = e->gen->conf;

	*x = (struct reg_trunk_info){ .name = "", .health = trunk_health(e, id), .out = true };
	snprintf(x->id, sizeof x->id, "%u", id);
	for (uint32_t i = 0; i < c->n_trunk_group && x->out; i++)
		if (has(&c->trunk_group[i], id))
			x->out = group_of(e, &c->trunk_group[i])->out;
}

static bool known(const struct reg_engine *e, uint32_t id)
{
	const struct conf *c = e->gen->conf;

	for (uint32_t i = 0; i < c->n_trunk_group; i++)
		if (has(&c->trunk_group[i], id))
			return true;
	return false;
}

/* A trunk's number; "group:N" gives its row.  false: no such trunk or group. */
static bool find(const struct reg_engine *e, const char *text, uint32_t *id,
		 const struct conf_trunk_group **t)
{
	const struct conf *c = e->gen ? e->gen->conf : NULL;
	bool group = !strncmp(text, "group:", 6);
	unsigned long n;
	char *end;

	text += group ? 6 : 0;
	if (!c || *text < '0' || *text > '9')
		return false;
	errno = 0;
	n = strtoul(text, &end, 10);
	*t = NULL;
	if (*end || errno || n > (group ? INT32_MAX : MOST_TRUNK))
		return false;
	*id = (uint32_t)n;
	if (!group)
		return known(e, *id);
	for (uint32_t i = 0; i < c->n_trunk_group && !*t; i++)
		if (c->trunk_group[i].id == *id)
			*t = &c->trunk_group[i];
	return *t != NULL;
}

bool reg_engine_trunk_find(struct reg_engine *e, const char *text, struct reg_trunk_info *x)
{
	const struct conf_trunk_group *t;
	uint32_t id;

	if (!find(e, text, &id, &t))
		return false;
	if (t)
		fill_group(e, t, x);
	else
		fill_trunk(e, id, x);
	return true;
}

bool reg_engine_next_trunk(struct reg_engine *e, uint32_t *group, uint32_t *at,
			   struct reg_trunk_info *x)
{
	const struct conf *c = e->gen ? e->gen->conf : NULL;

	for (; c && *group < c->n_trunk_group; ++*group, *at = 0) {
		const struct conf_trunk_group *t = &c->trunk_group[*group];
		uint32_t n = *at;

		if (!n) {
			fill_group(e, t, x);
			++*at;
			return true;
		}
		n--;
		for (uint32_t i = 0; i < t->n_range; i++) {
			uint32_t size = t->range[i].last - t->range[i].first + 1;

			if (n < size) {
				fill_trunk(e, t->range[i].first + n, x);
				++*at;
				return true;
			}
			n -= size;
		}
	}
	return false;
}

/* ---- changes ----------------------------------------------------------------------------- */

static void tell(struct reg_engine *e, const struct conf_trunk_group *t)
{
	struct reg_trunk_info x;

	if (!e->opt.trunk)
		return;
	fill_group(e, t, &x);
	e->opt.trunk(e->opt.arg, &x);
}

static void judge(struct reg_engine *e, const struct conf_trunk_group *t)
{
	static const char *const word[] = { [RG_UNKNOWN] = "unknown", [RG_UP] = "up",
					    [RG_DOWN] = "down" };
	struct rg_event ev = { .type = RG_EV_TRUNK };
	struct reg_group *g = group_of(e, t);
	uint8_t was = g->health, health = g->told;
	char buf[64];
	bool up;

	if (t->n_range) {
		uint32_t down = count_down(e, t, &up);

		health = up ? RG_UP : down == trunks_of(t) ? RG_DOWN : RG_UNKNOWN;
	}
	g->health = health;
	if (health == was)
		return;
	if (health == RG_DOWN || was == RG_DOWN)
		rg_notice("%s%s is %s", g->name, called(t, buf), word[health]);
	tell(e, t);
	walk_members(e, &g->members, &ev);
}

/* Every group, or those that have this trunk. */
static void judge_all(struct reg_engine *e, uint32_t id)
{
	const struct conf *c = e->gen->conf;

	for (uint32_t i = 0; i < c->n_trunk_group; i++)
		if (id == CONF_NONE || has(&c->trunk_group[i], id))
			judge(e, &c->trunk_group[i]);
}

static void set(struct reg_engine *e, uint32_t id, uint8_t health)
{
	if (trunk_health(e, id) == health)
		return;
	rg_info("trunk %u is %s", id, health == RG_UP ? "up" : "down");
	g_hash_table_insert(e->trunk, GUINT_TO_POINTER(id), GUINT_TO_POINTER(health));
}

int reg_engine_trunk(struct reg_engine *e, const char *text, bool up)
{
	uint8_t health = up ? RG_UP : RG_DOWN;
	const struct conf_trunk_group *t;
	uint32_t id;

	if (!find(e, text, &id, &t))
		return ENOENT;
	if (!t) {
		set(e, id, health);
		judge_all(e, id);
		return 0;
	}
	group_of(e, t)->told = health;
	for (uint32_t i = 0; i < t->n_range; i++)
		for (id = t->range[i].first; id <= t->range[i].last; id++)
			set(e, id, health);
	if (t->n_range)
		judge_all(e, CONF_NONE); /* others may have some of these trunks */
	else
		judge(e, t);
	return 0;
}

/* e->gen is the new generation: groups have other trunks, what is known of them stays. */
void trunk_apply(struct reg_engine *e)
{
	const struct conf *c = e->gen->conf;

	for (uint32_t i = 0; i < c->n_trunk_group; i++) {
		struct reg_group *g = group_of(e, &c->trunk_group[i]);

		g->row = i;
		group_on(e, g, c->trunk_group[i].set);
	}
	judge_all(e, CONF_NONE);
}

/* ---- service ----------------------------------------------------------------------------- */

static void serve(struct reg_engine *e, const struct conf_trunk_group *t, struct reg_group *g,
		  bool in)
{
	char buf[64];

	if (g->out == !in)
		return;
	g->out = !in;
	rg_notice("%s%s is %s", g->name, called(t, buf),
		  in ? "back in service" : "out of service: none of its accounts can register");
	tell(e, t);
}

void trunk_service(struct reg_engine *e, struct reg_account *a, bool in)
{
	if (a->conf->trunk != CONF_NONE && a->served)
		serve(e, &a->gen->conf->trunk_group[a->conf->trunk], a->served, in);
}

/* Does a policy still look after the group as a whole? */
static bool looked_after(struct reg_engine *e, const struct reg_group *g)
{
	for (guint i = 0; i < g->members.id->len; i++) {
		const struct reg_account *a =
			account_at(e, g_array_index(g->members.id, uint32_t, i));

		for (unsigned k = 0; a && !a->dying && k < a->chain->n; k++)
			if (link_policy(a, k)->group == RG_BY_TRUNK)
				return true;
	}
	return false;
}

static const struct conf_trunk_group *row_of(struct reg_engine *e, const struct reg_group *g)
{
	const struct conf *c = e->gen->conf;

	for (uint32_t i = 0; i < c->n_trunk_group; i++)
		if (group_of(e, &c->trunk_group[i]) == g)
			return &c->trunk_group[i];
	return NULL;
}

/* A group without a row any more is neither down nor out. */
static void forget(struct reg_engine *e, struct reg_group *g)
{
	struct reg_trunk_info x = { .name = "" };

	snprintf(x.id, sizeof x.id, "group:%.10s", g->name + strlen(TRUNK_GROUP));
	g->out = false;
	g->health = RG_UNKNOWN;
	if (e->opt.trunk)
		e->opt.trunk(e->opt.arg, &x);
}

void trunk_settled(struct reg_engine *e)
{
	for (guint i = 0; i < e->group->len; i++) {
		struct reg_group *g = g_ptr_array_index(e->group, i);
		const struct conf_trunk_group *t;

		if (strncmp(g->name, TRUNK_GROUP, strlen(TRUNK_GROUP)) ||
		    (!g->out && g->health != RG_DOWN))
			continue;
		t = row_of(e, g);
		if (!t)
			forget(e, g);
		else if (g->out && !looked_after(e, g))
			serve(e, t, g, true);
	}
}
