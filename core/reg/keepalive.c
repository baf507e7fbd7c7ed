/*
 * keepalive.c -- asks servers whether they live.  A server is probed once, however
 * many sets name it: by the parameters of the first set with keep-alive that has it.
 * One that fell silent is probed even without keep-alive, until it answers.
 *
 * Using REGISTER asks one server of a set at a time, each RegistrationTime, and goes on
 * to the next when that one does not answer; any answer will do.  An account's REGISTER
 * tells as much, so none is sent where one was answered within that time; one that was
 * not has the server asked at once.
 */
#include "reg/reg.h"

#include "base/log.h"

enum {
	SILENT_PROBE_MS = 10000, /* between probes of a silent server without keep-alive */
	ACCOUNTS_FIRST_MS = 1000 /* their REGISTERs may spare ours, which are in their names */
};

enum { HOMING_UNSET, HOMING_OPTIONS, HOMING_REGISTER };

static const struct conf_proxy_set *rules(const struct reg_server *s)
{
	return s->keeper ? set_conf(s->keeper) : NULL;
}

static bool homing_main(const struct reg_set *set, const struct conf_proxy_set *ps,
			const struct reg_server *s)
{
	return ps->redundancy == 1 && set->n && set->view[0].id == s->id &&
	       (ps->homing_check == HOMING_OPTIONS || ps->homing_check == HOMING_REGISTER);
}

/* The kind of keep-alive it gets.  HomingCheck has the main server of a set probed
 * where the set has no keep-alive, or one that asks another server. */
static enum reg_keep kind(const struct reg_server *s)
{
	const struct conf_proxy_set *ps = rules(s);

	if (!ps)
		return KEEP_OFF;
	if (ps->keepalive &&
	    (ps->keepalive != KEEP_REGISTER || !homing_main(s->keeper, ps, s)))
		return ps->keepalive;
	return ps->homing_check == HOMING_REGISTER ? KEEP_HOMING : KEEP_OPTIONS;
}

/* Is it in use: the working server of a set, or one with bindings? */
static bool active(const struct reg_server *s)
{
	if (s->bound)
		return true;
	for (guint i = 0; i < s->sets->len; i++)
		if (set_working(g_ptr_array_index(s->sets, i)) == s->id)
			return true;
	return false;
}

/* Using REGISTER: is it the one that a set asks? */
static bool current(const struct reg_server *s)
{
	for (guint i = 0; i < s->sets->len; i++)
		if (((struct reg_set *)g_ptr_array_index(s->sets, i))->keep == s->id)
			return true;
	return false;
}

/* The main server of a homing set is asked besides while it is down: without HomingCheck
 * homing goes by the keep-alive as it is. */
static bool missed(const struct reg_server *s)
{
	for (guint i = 0; s->down != DOWN_NOT && i < s->sets->len; i++) {
		const struct reg_set *set = g_ptr_array_index(s->sets, i);

		if (set->keep && set_conf(set)->redundancy == 1 && set->view[0].id == s->id)
			return true;
	}
	return false;
}

static bool wanted(const struct reg_server *s)
{
	if (s->believed)
		return false;
	if (kind(s) == KEEP_REGISTER && s->down != DOWN_SILENT)
		return s->doubted || current(s) || missed(s);
	if (s->down != DOWN_NOT)
		return true;
	return kind(s) == KEEP_ACTIVE ? active(s) : kind(s) != KEEP_OFF;
}

static rg_ms period(const struct reg_server *s)
{
	const struct conf_proxy_set *ps = rules(s);

	if (!ps || (kind(s) == KEEP_REGISTER && s->down == DOWN_SILENT))
		return SILENT_PROBE_MS;
	if (kind(s) == KEEP_REGISTER)
		return 1000 * (rg_ms)s->e->gen->conf->gateway.registration_time;
	return 1000 * (rg_ms)ps->keepalive_time;
}

static void probe(void *arg);

static void again(struct reg_server *s, rg_ms in)
{
	rg_timer_set(s->e->timers, &s->probe, rg_now(s->e->timers) + in, probe, s);
}

/* One period after the last one was sent, however long its answer took. */
static void next_probe(struct reg_server *s)
{
	rg_ms last = s->probed_at;

	if (kind(s) == KEEP_REGISTER && s->down == DOWN_NOT)
		last = MAX(last, s->heard_at);
	again(s, MAX(last + period(s) - rg_now(s->e->timers), 0));
}

/* ---- Using REGISTER: one after the other ------------------------------------------------ */

/* The one to ask after set->keep, round the list; *n: how many there are. */
static struct reg_server *following(const struct reg_set *set, uint32_t *n)
{
	int at = set_rank(set, set->keep);
	struct reg_server *next = NULL;
	uint8_t role = set_registrars(set) ? RG_REGISTRAR : RG_PROXY;

	*n = 0;
	for (uint32_t i = 1; i <= set->n; i++) {
		uint32_t rank = (uint32_t)(at + (int)i) % set->n;
		struct reg_server *s = set->srv[rank];

		if (!(set->view[rank].roles & role) ||
		    (s->believed && s->health == RG_DOWN))
			continue;
		if (!next)
			next = s;
		++*n;
	}
	return next;
}

/* It does not live: the sets that asked it ask the next one at once, but rest for
 * RegistrationRetryTime when they have been round. */
static void pass_on(struct reg_server *s)
{
	for (guint i = 0; i < s->sets->len; i++) {
		struct reg_set *set = g_ptr_array_index(s->sets, i);
		struct reg_server *next;
		rg_ms rest = 0;
		uint32_t n;

		if (set->keep != s->id)
			continue;
		next = following(set, &n);
		if (!next)
			continue;
		set->keep = next->id;
		if (++set->keep_tried >= n) {
			set->keep_tried = 0;
			rest = 1000 * (rg_ms)s->e->gen->conf->gateway.retry_time;
		}
		again(next, rest);
	}
}

static void stays(const struct reg_server *s)
{
	for (guint i = 0; i < s->sets->len; i++) {
		struct reg_set *set = g_ptr_array_index(s->sets, i);

		if (set->keep == s->id)
			set->keep_tried = 0;
	}
}

void keepalive_heard(struct reg_engine *e, struct reg_server *s)
{
	s->heard_at = rg_now(e->timers);
	if (s->down == DOWN_SILENT ||
	    (kind(s) == KEEP_REGISTER && s->health != RG_UP && !s->believed))
		server_health(e, s, RG_UP, DOWN_NOT);
}

/* One REGISTER may get lost on its way: ours decides. */
void keepalive_doubts(struct reg_engine *e, struct reg_server *s)
{
	(void)e;
	if (kind(s) != KEEP_REGISTER || s->down != DOWN_NOT || s->believed || s->doubted)
		return;
	s->doubted = true;
	if (!s->probing)
		again(s, 0);
}

/* Nothing to ask: an account has been answered, or waits for its answer. */
static bool spared(struct reg_server *s)
{
	rg_ms now = rg_now(s->e->timers);

	if (kind(s) != KEEP_REGISTER || s->doubted || s->down != DOWN_NOT)
		return false;
	if (now - s->heard_at < period(s)) {
		stays(s);
		next_probe(s);
		return true;
	}
	if (s->in_flight)
		again(s, ACCOUNTS_FIRST_MS);
	return s->in_flight;
}

/* ---- one probe ------------------------------------------------------------------------------ */

static void result(struct reg_server *s, uint16_t code);

static void probe(void *arg)
{
	struct reg_server *s = arg;
	struct reg_engine *e = s->e;
	struct reg_identity id;
	struct reg_probe p;

	if (!wanted(s)) {
		if (kind(s) == KEEP_ACTIVE)
			again(s, period(s));
		return;
	}
	if (s->probing || spared(s))
		return;
	p = probe_make(e, s, kind(s), &id);
	s->doubted = false;
	s->probed_at = rg_now(e->timers);
	p.token = s->probing = ++e->probe_tokens;
	g_hash_table_insert(e->probes, g_memdup2(&p.token, sizeof p.token), s);
	e->counts.probes_sent++;
	if (!e->port->send_probe(e->port->arg, &p))
		return;
	g_hash_table_remove(e->probes, &p.token);
	s->probing = 0;
	result(s, 0);
}

/* An answer that is not in KeepAliveFailureResp means that it lives; so does any where
 * nothing is configured, and any to Using REGISTER.  With HomingCheck a main server that
 * answers 408 or 503 is as lost as it is for the accounts. */
static bool lives(const struct reg_server *s, uint16_t code)
{
	const struct conf_proxy_set *ps = rules(s);

	if (ps && homing_main(s->keeper, ps, s) && (code == 408 || code == 503))
		return false;
	for (unsigned i = 0;
	     ps && kind(s) != KEEP_REGISTER && i < ps->keepalive_failure.n; i++)
		if (ps->keepalive_failure.code[i] == code)
			return false;
	return code != 0;
}

static void result(struct reg_server *s, uint16_t code)
{
	const struct conf_proxy_set *ps = rules(s);
	struct reg_engine *e = s->e;

	s->doubted = false;
	if (!lives(s, code)) {
		e->counts.probes_lost++;
		s->good = 0;
		if (s->down == DOWN_NOT && ps)
			server_health(e, s, RG_DOWN, DOWN_PROBED);
		else
			pass_on(s);
		if (kind(s) != KEEP_REGISTER || !current(s))
			next_probe(s);
		return;
	}
	/* An offline server is online again after its first success and
	 * SuccessDetectionRetries more, SuccessDetectionInterval apart. */
	if (s->down == DOWN_PROBED && ps && kind(s) != KEEP_REGISTER &&
	    s->good++ < ps->success_retries) {
		again(s, 1000 * (rg_ms)ps->success_interval);
		return;
	}
	server_health(e, s, RG_UP, DOWN_NOT);
	for (guint i = 0; i < s->sets->len; i++) /* it counts again as working */
		set_failed(e, g_ptr_array_index(s->sets, i), s->id, false);
	stays(s);
	next_probe(s);
}

void reg_probed(struct reg_engine *e, uint64_t token, uint16_t code)
{
	struct reg_server *s = g_hash_table_lookup(e->probes, &token);

	if (!s)
		return;
	g_hash_table_remove(e->probes, &token);
	s->probing = 0;
	result(s, code);
}

/* It went down or came back: a silent one without keep-alive gets its probe. */
void keepalive_server(struct reg_engine *e, struct reg_server *s)
{
	if (s->down != DOWN_NOT)
		pass_on(s);
	if (s->probing || s->believed || !s->uses)
		return;
	if (s->down == DOWN_SILENT && !s->probe.place)
		again(s, period(s));
	(void)e;
}

/* The status of all its groups is told from outside: there is nothing to find out. */
static bool told(const struct reg_set *set)
{
	for (guint i = 0; i < set->groups->len; i++)
		if (!((struct reg_group *)g_ptr_array_index(set->groups, i))->believed)
			return false;
	return set->groups->len > 0;
}

/* Using REGISTER begins with the first; the present one stays while it is in the list. */
static void choose(struct reg_set *set)
{
	const struct conf_proxy_set *ps = set_conf(set);
	struct reg_server *first = NULL;
	uint32_t n;

	if (ps && ps->keepalive == KEEP_REGISTER && set->n && !told(set)) {
		if (set->keep && set_rank(set, set->keep) >= 0)
			return;
		set->keep = 0;
		first = following(set, &n);
	}
	set->keep = first ? first->id : 0;
	set->keep_tried = 0;
}

static rg_ms first(const struct reg_server *s)
{
	return kind(s) == KEEP_REGISTER || kind(s) == KEEP_HOMING ? ACCOUNTS_FIRST_MS : 0;
}

/* The sets have changed: who is probed by whose rules. */
void keepalive_apply(struct reg_engine *e)
{
	rg_ms spread = 0;

	for (guint i = 0; i < e->set->len; i++)
		choose(g_ptr_array_index(e->set, i));
	for (guint i = 1; i < e->server->len; i++) {
		struct reg_server *s = g_ptr_array_index(e->server, i);
		struct reg_set *was, *keeper = NULL;

		if (!s)
			continue;
		was = s->keeper;
		for (guint k = 0; k < s->sets->len; k++) {
			struct reg_set *set = g_ptr_array_index(s->sets, k);
			const struct conf_proxy_set *ps = set_conf(set);

			if (ps && (ps->keepalive || homing_main(set, ps, s)) && !told(set) &&
			    (!keeper || set->pos < keeper->pos))
				keeper = set;
		}
		s->keeper = keeper;
		if (!keeper && was && !s->believed && s->down != DOWN_SILENT) {
			rg_timer_stop(e->timers, &s->probe);
			server_health(e, s, RG_UNKNOWN, DOWN_NOT);
		}
		if (keeper && !s->probe.place && !s->probing && !s->believed)
			again(s, (e->opt.exact ? 0 : spread++ % 1000) + first(s));
	}
}
