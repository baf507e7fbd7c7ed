/*
 * failback -- FailbackMode: when to go back to the primary server after a failover.
 *
 *  1. 0, new requests: every request tries the primary first.
 *  2. 1, DNS TTL: the last registered server first, until the DNS TTL it had when
 *     we registered there runs out; then the account registers at the primary.  A
 *     literal address has no TTL: never, and a warning.
 *  3. 2, registration: the last registered server first, until its registration
 *     is due for renewal; then the primary first.
 *  4. 3, duration: the last registered server first, until FailbackTimeout has
 *     passed since the failover; then the account registers at the primary.  0
 *     means not until the next failover; 1 to 59 mean 60.
 *  5. A failure moves to the next server at once, whatever IsProxyHotSwap; of
 *     INVITEs, no answer and 503 are failures.
 *  6. RetryCounts: retransmissions to a silent server before that; -1: the proxy
 *     set's.  An outbound set's outranks the account's.
 *  7. FailbackSubscribe, modes 1 to 3: subscribe anew after registering elsewhere.
 *  8. RegisterOnEnable: register at a server before a call goes there.
 *     OnlySignalWithRegistered, with it and modes 1 to 3: while registered, calls
 *     go to that server only.  The proxy set's values outrank the account's.
 *  9. Servers found down, and the one that has just failed the refresh, are last.
 * 10. What has no effect is a warning: the account's other parameters without
 *     FailbackMode, FailbackTimeout without mode 3, FailbackSubscribe with mode 0,
 *     OnlySignalWithRegistered without RegisterOnEnable and modes 1 to 3.
 */
#include "regway/plugin.h"

#include <stdio.h>

enum mode { NEW_REQUESTS, DNS_TTL, REGISTRATION, DURATION };

struct cfg {
	int32_t mode, timeout, retries, subscribe, register_on, only;
	const char *outbound;
};

struct set_cfg {
	int32_t retries, register_on, only;
};

struct slot {
	rg_ms until;   /* the last server keeps its preference until then */
	uint32_t last; /* server registered with last                     */
};

static const struct cfg *cfg(const struct rg_ctx *c)
{
	return c->cfg[RG_ACCOUNT];
}

/* -1 leaves it to the other one. */
static int32_t preferred(int32_t first, int32_t second)
{
	return first >= 0 ? first : second;
}

static bool registers_first(const struct rg_ctx *c)
{
	const struct set_cfg *set = c->cfg[RG_PROXY_SET];

	return preferred(set->register_on, cfg(c)->register_on);
}

static bool only_registered(const struct rg_ctx *c)
{
	const struct set_cfg *set = c->cfg[RG_PROXY_SET];

	return preferred(set->only, cfg(c)->only) && registers_first(c) &&
	       cfg(c)->mode != NEW_REQUESTS;
}

static rg_ms later(rg_ms a, rg_ms b)
{
	return a > b ? a : b;
}

static rg_ms preference_ends(const struct rg_ctx *c, uint32_t id)
{
	const struct rg_server *s = rg_server(c->v, id);
	rg_ms timeout = cfg(c)->timeout, now = c->v->now;

	switch (cfg(c)->mode) {
	case DNS_TTL:							/* 2 */
		return s ? later(s->ttl_until, now + 1000LL * c->v->acc->retry_time) : 0;
	case REGISTRATION:						/* 3 */
		return RG_NEVER;	/* ended by the refresh itself */
	case DURATION:							/* 4 */
		return timeout ? now + 1000 * later(timeout, 60) : RG_NEVER;
	default:							/* 1 */
		return 0;
	}
}

static void signal_with_registered(const struct rg_ctx *c, struct rg_list *l) /* 8 */
{
	uint32_t at = c->v->registrar;

	if (only_registered(c) && at)
		rg_list_only(l, at);
	for (int i = 0; registers_first(c) && i < l->n; i++)
		if (l->id[i] != at)
			l->how[i] = RG_REGISTER_FIRST;
}

static void order(const struct rg_ctx *c, enum rg_purpose why, struct rg_list *l)
{
	const struct slot *s = c->slot;
	bool renewal = cfg(c)->mode == REGISTRATION && why == RG_FOR_REFRESH;

	rg_list_ranked(l, c->v, why == RG_FOR_DIALOG ? RG_PROXY : RG_REGISTRAR);
	if (c->v->now < s->until && !renewal)
		rg_list_front(l, s->last);
	if (why == RG_FOR_SEARCH)
		rg_list_back(l, c->v->refused);				/* 9 */
	rg_list_sink_down(l, c->v);
	if (why == RG_FOR_DIALOG)
		signal_with_registered(c, l);
}

static void bound(const struct rg_ctx *c, uint32_t id, struct rg_act *a)
{
	struct slot *s = c->slot;
	bool moved = id != s->last;

	if (cfg(c)->subscribe && cfg(c)->mode != NEW_REQUESTS && moved && s->last)
		rg_do(a, RG_DO_SUBSCRIBE);				/* 7 */

	if (id == rg_first(c->v, RG_REGISTRAR))
		s->until = 0;
	else if (moved || c->v->now >= s->until)
		s->until = preference_ends(c, id);

	s->last = id;
	a->wake_at = s->until ? s->until : RG_NEVER;
}

static void event(const struct rg_ctx *c, const struct rg_event *e, struct rg_act *a)
{
	if (e->type == RG_EV_BOUND)
		bound(c, e->server, a);

	if (e->type == RG_EV_TIMER) {					/* 2, 4 */
		if (cfg(c)->mode == DNS_TTL)
			rg_do(a, RG_DO_RESOLVE);
		rg_do(a, RG_DO_RESTART);
	}

	if (rg_failed(e, RG_M_REGISTER))
		a->verdict = RG_NEXT;					/* 5 */
	if (rg_failed(e, RG_M_INVITE))
		a->verdict = e->code == 0 || e->code == 503 ? RG_NEXT : RG_STOP;
}

static void request(const struct rg_ctx *c, struct rg_request *r)	/* 6 */
{
	const struct set_cfg *set = c->cfg[RG_PROXY_SET];
	int32_t n = *cfg(c)->outbound ? preferred(set->retries, cfg(c)->retries)
				      : preferred(cfg(c)->retries, set->retries);

	if (n >= 0)
		r->retransmissions = (uint8_t)n;
}

static void add(struct rg_fault *f, bool wrong, const char *text)
{
	size_t n = strlen(f->text);

	if (wrong)
		snprintf(f->text + n, sizeof f->text - n, "%s%s", n ? "; " : "", text);
}

static enum rg_check check(const struct rg_ctx *c, struct rg_fault *f)	/* 10 */
{
	const struct cfg *g = cfg(c);

	if (g->mode < 0)
		return rg_fault(f, RG_SKIP, "FailbackTimeout, FailbackSubscribe, RetryCounts, "
				"RegisterOnEnable and OnlySignalWithRegistered of an account have "
				"no effect without FailbackMode");
	add(f, g->mode == DNS_TTL && !c->v->acc->names,			/* 2 */
	    "FailbackMode = DNSTTL never goes back: the proxy set has addresses only");
	add(f, g->mode != DURATION && g->timeout != 3600,
	    "FailbackTimeout has no effect without duration");
	add(f, g->mode == NEW_REQUESTS && g->subscribe,
	    "FailbackSubscribe has no effect with newRequests");
	add(f, g->only && !only_registered(c),
	    "OnlySignalWithRegistered has no effect without RegisterOnEnable and modes 1 to 3");
	return *f->text ? RG_WARN : RG_OK;
}

static const char *const clashes[] = { "redundancy", "location_servers", "stickiness", NULL };

static const struct rg_param params[] = {
	RG_IMPLEMENTS_INT(RG_ACCOUNT, "FailbackMode", struct cfg, mode, "*"),
	RG_IMPLEMENTS_INT(RG_ACCOUNT, "FailbackTimeout", struct cfg, timeout, "*"),
	RG_IMPLEMENTS_INT(RG_ACCOUNT, "FailbackSubscribe", struct cfg, subscribe, "1"),
	RG_IMPLEMENTS_INT(RG_ACCOUNT, "RetryCounts", struct cfg, retries, "*"),
	RG_IMPLEMENTS_INT(RG_ACCOUNT, "RegisterOnEnable", struct cfg, register_on, "1"),
	RG_IMPLEMENTS_INT(RG_ACCOUNT, "OnlySignalWithRegistered", struct cfg, only, "1"),
	{ .name = "OutboundProxySetName", .scope = RG_ACCOUNT, .type = RG_T_STR,
	  .offset = offsetof(struct cfg, outbound) },
	RG_READS_INT(RG_PROXY_SET, "RetryCounts", struct set_cfg, retries),
	RG_READS_INT(RG_PROXY_SET, "RegisterOnEnable", struct set_cfg, register_on),
	RG_READS_INT(RG_PROXY_SET, "OnlySignalWithRegistered", struct set_cfg, only),
	RG_END,
};

static const struct rg_field fields[] = {
	{ RG_F_MS, offsetof(struct slot, until), "until" },
	{ RG_F_SERVER, offsetof(struct slot, last), "last" },
	{ .kind = RG_F_END },
};

RG_POLICY(failback) = {
	RG_HEAD("failback", "when to go back to the primary server", RG_PRIO_BASE, params),
	.clashes = clashes,
	.cfg_size = { [RG_ACCOUNT] = sizeof(struct cfg), [RG_PROXY_SET] = sizeof(struct set_cfg) },
	.slot_size = sizeof(struct slot),
	.slot_version = 1,
	.fields = fields,
	.check = check,
	.order = order,
	.request = request,
	.event = event,
};
