/*
 * backoff.c -- how long an account waits after a round that brought nothing:
 * ForbiddenRetryTime where every registrar has refused the account itself, Retry-After,
 * else RegistrationRetryTime, growing to MaxRegistrationBackoffTime.
 */
#include "reg/reg.h"

enum { FORBIDDEN_MOST_S = 3600 };

static rg_ms spread(struct reg_engine *e, rg_ms upper)
{
	uint32_t r;

	if (e->opt.exact)
		return upper;
	e->opt.random(&r, sizeof r);
	return upper / 2 + (rg_ms)(r % (uint32_t)MAX(upper / 2, 1)); /* RFC 5626 4.5 */
}

/* Every registrar has said that it is about the account, or cannot be asked. */
static bool forbidden(const struct reg_account *a)
{
	for (uint32_t i = 0; i < a->set->n; i++)
		if (a->set->view[i].roles & RG_REGISTRAR && !(a->forbade >> i & 1) &&
		    a->set->view[i].health != RG_DOWN)
			return false;
	return a->forbade != 0;
}

/* Earliest end of Retry-After if every registrar asked for one; 0: some may be asked. */
static rg_ms all_barred(const struct reg_account *a, rg_ms now)
{
	rg_ms first = 0;

	for (uint32_t i = 0; i < a->set->n; i++) {
		rg_ms until = account_barred(a, a->set->view[i].id, now);

		if (!(a->set->view[i].roles & RG_REGISTRAR))
			continue;
		if (!until)
			return 0;
		first = first ? MIN(first, until) : until;
	}
	return first;
}

rg_ms backoff_delay(struct reg_engine *e, struct reg_account *a)
{
	const struct conf_gateway *g = account_gateway(a);
	rg_ms now = rg_now(e->timers), retry = 1000 * (rg_ms)g->retry_time, barred;

	if (a->set && g->forbidden_retry_time && forbidden(a)) {
		rg_ms wait = 1000 * (rg_ms)g->forbidden_retry_time << MIN(a->forbidden, 10);

		if (a->forbidden < 10)
			a->forbidden++;
		a->tried = a->forbade = 0;
		return MIN(wait, 1000 * (rg_ms)MAX(FORBIDDEN_MOST_S, g->forbidden_retry_time));
	}
	barred = a->set ? all_barred(a, now) : 0;
	if (barred)
		return barred - now;
	if (g->max_backoff_time) {
		rg_ms upper = retry << MIN(a->rounds, 20);

		return spread(e, MIN(upper, 1000 * (rg_ms)g->max_backoff_time));
	}
	return retry;
}
