/*
 * keepalive.c -- asks servers whether they live.  A server is probed once, however
 * many sets name it: by the parameters of the first set with keep-alive that has it.
 * One that fell silent is probed even without keep-alive, until it answers.
 */
#include "reg/reg.h"

#include "base/log.h"

enum {
	SILENT_PROBE_MS = 10000 /* between probes of a silent server without keep-alive */
};

enum { KEEP_OFF, KEEP_OPTIONS, KEEP_REGISTER, KEEP_ACTIVE, KEEP_FAKE };
enum { HOMING_UNSET, HOMING_OPTIONS, HOMING_REGISTER };

static const struct conf_proxy_set *rules(const struct reg_server *s)
{
	return s->keeper ? set_conf(s->keeper) : NULL;
}

/* The kind of keep-alive it gets.  HomingCheck has the main server of a set probed
 * where the set has no keep-alive. */
static unsigned kind(const struct reg_server *s)
{
	const struct conf_proxy_set *ps = rules(s);

	if (!ps)
		return KEEP_OFF;
	if (ps->keepalive)
		return ps->keepalive;
	return ps->homing_check == HOMING_REGISTER ? KEEP_FAKE : KEEP_OPTIONS;
}

static bool homing_main(const struct reg_set *set, const struct conf_proxy_set *ps,
			const struct reg_server *s)
{
	return ps->redundancy == 1 && set->n && set->view[0].id == s->id &&
	       (ps->homing_check == HOMING_OPTIONS || ps->homing_check == HOMING_REGISTER);
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

static bool wanted(const struct reg_server *s)
{
	if (s->believed)
		return false;
	if (s->down != DOWN_NOT)
		return true;
	if (kind(s) == KEEP_OFF || kind(s) == KEEP_REGISTER)
		return false;
	return kind(s) != KEEP_ACTIVE || active(s);
}

static rg_ms period(const struct reg_server *s)
{
	const struct conf_proxy_set *ps = rules(s);

	if (ps)
		return 1000 * (rg_ms)ps->keepalive_time;
	return SILENT_PROBE_MS;
}

static void probe(void *arg);

static void again(struct reg_server *s, rg_ms in)
{
	rg_timer_set(s->e->timers, &s->probe, rg_now(s->e->timers) + in, probe, s);
}

/* One period after the last one was sent, however long its answer took. */
static void next_probe(struct reg_server *s)
{
	again(s, MAX(s->probed_at + period(s) - rg_now(s->e->timers), 0));
}

static const char *probe_host(const struct reg_engine *e, const struct reg_server *s)
{
	const struct conf_proxy_set *ps = rules(s);

	if (ps && ps->n_ip && !e->gen->conf->proxy_ip[ps->first_ip].addr.family)
		return e->gen->conf->proxy_ip[ps->first_ip].host;
	return s->host;
}

static void result(struct reg_server *s, uint16_t code);

static void probe(void *arg)
{
	struct reg_server *s = arg;
	struct reg_engine *e = s->e;
	const struct conf_proxy_set *ps = rules(s);
	int rtx = ps && ps->failure_retransmissions >= 0 ? ps->failure_retransmissions
							  : e->gen->conf->gateway.sip_max_rtx;
	struct reg_probe p = {
		.server = s->addr, .tls_name = s->tls_name, .interface = server_interface(e, s),
		.request_host = probe_host(e, s), .budget_ms = request_time((unsigned)rtx, false),
		.retransmissions = (uint8_t)MIN(rtx, 254),
		.user = kind(s) == KEEP_FAKE ? "keepalive" : NULL,
	};

	if (!wanted(s)) {
		if (kind(s) == KEEP_ACTIVE)
			again(s, period(s));
		return;
	}
	if (s->probing)
		return;
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

/* An answer that is not in KeepAliveFailureResp, or any answer where nothing is
 * configured, means that it lives. */
static bool lives(const struct reg_server *s, uint16_t code)
{
	const struct conf_proxy_set *ps = rules(s);

	for (unsigned i = 0; ps && i < ps->keepalive_failure.n; i++)
		if (ps->keepalive_failure.code[i] == code)
			return false;
	return code != 0;
}

static void result(struct reg_server *s, uint16_t code)
{
	const struct conf_proxy_set *ps = rules(s);
	struct reg_engine *e = s->e;
	bool keep = ps != NULL;

	if (!lives(s, code)) {
		e->counts.probes_lost++;
		s->good = 0;
		if (s->down == DOWN_NOT && keep)
			server_health(e, s, RG_DOWN, DOWN_PROBED);
		next_probe(s);
		return;
	}
	/* An offline server is online again after its first success and
	 * SuccessDetectionRetries more, SuccessDetectionInterval apart. */
	if (s->down == DOWN_PROBED && ps && s->good++ < ps->success_retries) {
		again(s, 1000 * (rg_ms)ps->success_interval);
		return;
	}
	server_health(e, s, RG_UP, DOWN_NOT);
	for (guint i = 0; i < s->sets->len; i++) /* it counts again as working */
		set_failed(e, g_ptr_array_index(s->sets, i), s->id, false);
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

/* The sets have changed: who is probed by whose rules. */
void keepalive_apply(struct reg_engine *e)
{
	rg_ms spread = 0;

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
			again(s, e->opt.exact ? 0 : spread++ % 1000);
	}
}
