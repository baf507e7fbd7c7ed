/*
 * limit.c -- MaxCalls and MaxCallRate: a count, and a bucket that fills by the rate and
 * holds one second of it.
 */
#include "reg/reg.h"

enum { BUSY_S = 5, RATE_S = 1 }; /* Retry-After */

uint32_t limit_take(struct reg_meter *m, rg_ms now, uint32_t max_calls, uint32_t max_rate)
{
	if (max_calls && m->calls >= max_calls)
		return BUSY_S;
	if (max_rate) {
		if (!m->at)
			m->tokens = max_rate;
		else
			m->tokens += (double)(now - m->at) * max_rate / 1000;
		m->tokens = MIN(m->tokens, max_rate);
		m->at = MAX(now, 1);
		if (m->tokens < 1)
			return RATE_S;
		m->tokens -= 1;
	}
	m->calls++;
	return 0;
}

/* One with a rate stays, or its bucket would be full again; it goes with its account. */
void limit_give(struct reg_engine *e, struct reg_meter *m)
{
	if (--m->calls)
		return;
	if (m->account && !m->orphan && !m->at)
		limit_drop(e, m->account);
	else if (m->orphan)
		g_free(m);
}

struct reg_meter *limit_of(struct reg_engine *e, uint32_t account)
{
	struct reg_meter *m = g_hash_table_lookup(e->meters, GUINT_TO_POINTER(account));

	if (!m) {
		m = g_new0(struct reg_meter, 1);
		m->account = account;
		g_hash_table_insert(e->meters, GUINT_TO_POINTER(account), m);
	}
	return m;
}

void limit_drop(struct reg_engine *e, uint32_t account)
{
	struct reg_meter *m = g_hash_table_lookup(e->meters, GUINT_TO_POINTER(account));

	if (!m)
		return;
	g_hash_table_remove(e->meters, GUINT_TO_POINTER(account));
	m->orphan = true;
	if (!m->calls)
		g_free(m);
}

void limit_init(struct reg_engine *e)
{
	e->meters = g_hash_table_new(NULL, NULL);
}

/* Every account is gone, and with them the meters; calls may still hold some. */
void limit_clear(struct reg_engine *e)
{
	g_hash_table_destroy(e->meters);
}
