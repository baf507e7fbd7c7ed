/*
 * park.c -- requests that wait until their account is registered at the server they are for
 * (RG_REGISTER_FIRST).
 */
#include "reg/routing.h"

enum { PARKED_MOST = 8, WAIT_MS = 32000 }; /* of one account; 64 T1 */

static GSList *waiting(struct reg_engine *e, uint32_t account)
{
	return g_hash_table_lookup(e->parked, GUINT_TO_POINTER(account));
}

static void keep(struct reg_engine *e, uint32_t account, GSList *l)
{
	if (l)
		g_hash_table_insert(e->parked, GUINT_TO_POINTER(account), l);
	else
		g_hash_table_remove(e->parked, GUINT_TO_POINTER(account));
}

void park_leave(struct reg_route *r)
{
	if (!r->try || !r->try->waits)
		return;
	r->try->waits = false;
	rg_timer_stop(r->e->timers, &r->try->give_up);
	keep(r->e, r->account, g_slist_remove(waiting(r->e, r->account), r));
}

static void go_on(struct reg_route *r, bool next)
{
	park_leave(r);
	r->try->at = (uint8_t)(r->try->at + next);
	route_next(r);
}

static void give_up(void *arg)
{
	go_on(arg, true);
}

bool park(struct reg_route *r, struct reg_account *a, struct reg_server *s)
{
	const struct conf_proxy_set *ps = set_conf(a->set);
	rg_ms wait = ps && ps->total_timeout ? 1000 * (rg_ms)ps->total_timeout : WAIT_MS;
	GSList *l = waiting(r->e, a->id);

	if (g_slist_length(l) >= PARKED_MOST)
		return false;
	r->try->waits = true;
	r->try->asked = !fsm_busy(a);
	keep(r->e, a->id, g_slist_append(l, r));
	rg_timer_set(r->e->timers, &r->try->give_up, rg_now(r->e->timers) + wait, give_up, r);
	if (r->try->asked) {
		a->wish = s->id;
		fsm_do(r->e, a, RG_DO_RESTART);
	}
	return true;
}

/* Those that wait now; while they go on others may come and go. */
static unsigned all(struct reg_engine *e, uint32_t account, struct reg_route *r[PARKED_MOST])
{
	unsigned n = 0;

	for (GSList *l = waiting(e, account); l && n < PARKED_MOST; l = l->next)
		r[n++] = l->data;
	return n;
}

void park_bound(struct reg_engine *e, struct reg_account *a)
{
	struct reg_route *r[PARKED_MOST];
	unsigned n = all(e, a->id, r);

	a->wish = 0;
	for (unsigned i = 0; i < n; i++)
		if (g_slist_find(waiting(e, a->id), r[i]) &&
		    r[i]->try->list.id[r[i]->try->at] == a->registrar)
			go_on(r[i], false);
}

/* A round is over, and the account not where a request wants it: that goes to its next
 * server, or the round that it waited for begins now. */
void park_settled(struct reg_engine *e, struct reg_account *a)
{
	struct reg_route *r[PARKED_MOST];
	unsigned n = all(e, a->id, r);

	a->wish = 0;
	for (unsigned i = 0; i < n; i++) {
		struct reg_try *t;

		if (!g_slist_find(waiting(e, a->id), r[i]))
			continue;
		t = r[i]->try;
		if (t->list.id[t->at] == a->registrar)
			continue;
		if (t->asked) {
			go_on(r[i], true);
		} else if (!fsm_busy(a)) {
			t->asked = true;
			a->wish = t->list.id[t->at];
			fsm_do(e, a, RG_DO_RESTART);
		}
	}
}

void park_drop(struct reg_engine *e, struct reg_account *a)
{
	struct reg_route *r[PARKED_MOST];
	unsigned n = all(e, a->id, r);

	for (unsigned i = 0; i < n; i++)
		if (g_slist_find(waiting(e, a->id), r[i])) {
			park_leave(r[i]);
			route_fail(r[i], 500, "Server Internal Error", 0);
		}
}
