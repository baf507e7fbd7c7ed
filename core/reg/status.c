/* status.c -- what the engine tells the outside. */
#include "reg/reg.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"

static const char *const state_name[RG_STATES] = {
	[RG_IDLE] = "idle",	      [RG_HELD] = "held",
	[RG_SEARCHING] = "searching", [RG_BOUND] = "registered",
	[RG_REFRESHING] = "refreshing", [RG_BACKOFF] = "backoff",
	[RG_UNREGISTERING] = "unregistering",
};

const char *reg_state_name(uint8_t state)
{
	return state < RG_STATES ? state_name[state] : "?";
}

/* Reason phrases come from the network: a bounded number is kept, printable. */
const char *reason_intern(struct reg_engine *e, const char *reason)
{
	char text[64];
	size_t n = 0;

	if (!reason)
		return "";
	for (; *reason && n < sizeof text - 1; reason++)
		if ((unsigned char)*reason >= 0x20 && *reason != 0x7f)
			text[n++] = *reason;
	text[n] = '\0';
	if (rg_arena_bytes(e->names) > 4u << 20)
		return "(too many different reasons)";
	return rg_arena_intern(e->names, text);
}

static int64_t seconds(rg_ms at, rg_ms now)
{
	return at == RG_NEVER ? -1 : at <= now ? 0 : (at - now + 999) / 1000;
}

static const char *served_name(const struct reg_account *a)
{
	return a->served ? a->served->name : "";
}

static void fill_identity(struct reg_engine *e, struct reg_account *a,
			  struct reg_account_info *x)
{
	uint32_t id = a->registrar ? a->registrar : a->set && a->set->n ? a->set->view[0].id : 0;
	struct reg_server *s = server_at(e, id);
	struct reg_identity who;
	struct rg_addr local;
	char host[RG_ADDR_TEXT];

	if (!s)
		return;
	identity_of(a, s, &who);
	snprintf(x->aor, sizeof x->aor, "sip:%s%s%s", who.aor_user, *who.aor_user ? "@" : "",
		 who.aor_host);
	if (!e->port->local ||
	    !e->port->local(e->port->arg, server_interface(e, s), a->port, &s->addr, &local))
		return;
	x->local_port = local.port;
	rg_addr_text(&local, host);
	if (strcmp(a->conf->contact_address, "local") &&
	    strcmp(a->conf->contact_address, "received") && *a->conf->contact_address)
		snprintf(host, sizeof host, "%.60s", a->conf->contact_address);
	snprintf(x->contact, sizeof x->contact, "sip:%s%s%s", who.contact_user,
		 *who.contact_user ? "@" : "", host);
}

static void fill_notes(struct reg_engine *e, const struct reg_account *a,
		       struct reg_account_info *x)
{
	unsigned first = (a->note_at + (unsigned)REG_TRANSITIONS - a->n_note) % REG_TRANSITIONS;

	(void)e;
	x->n_transitions = a->n_note;
	for (unsigned i = 0; i < a->n_note; i++) {
		const struct reg_note *n = &a->note[(first + i) % REG_TRANSITIONS];

		x->transition[i] = (struct reg_transition){
			.at = 1000 * (rg_ms)n->at_s, .from = n->code_from_to >> 3 & 7,
			.to = n->code_from_to & 7, .code = n->code_from_to >> 6,
			.server = n->server,
		};
	}
}

static struct rg_addr registers_at(const struct reg_set *set, const struct reg_server *s)
{
	if (!set || !s || !*registrar_text(set, s))
		return (struct rg_addr){ .family = 0 };
	return set->home[set_rank(set, s->id)];
}

static void fill(struct reg_engine *e, struct reg_account *a, struct reg_account_info *x,
		 bool light)
{
	struct reg_server *s = server_at(e, a->registrar);
	rg_ms now = rg_now(e->timers), next = MIN(a->next_at, a->later_at);

	memset(x, 0, offsetof(struct reg_account_info, transition));
	x->id = a->id;
	x->index = a->conf->row.index;
	x->name = account_name(a);
	x->served = served_name(a);
	x->serving = a->serving->name;
	x->state = a->state;
	x->registered = a->registrar != 0;
	if (s)
		x->registrar = s->addr;
	x->registers_at = registers_at(a->set, s);
	x->expires_in = a->registrar ? seconds(a->expires_at, now) : -1;
	x->next_attempt_in = seconds(next, now);
	x->last_code = a->last_code;
	x->last_reason = a->reason;
	x->failures = a->failures;
	x->register_sent = a->sent;
	x->register_ok = a->ok;
	x->renewals = a->renewals;
	for (unsigned i = 0; i < a->chain->n && i < RG_SERVERS; i++)
		x->policies[x->n_policies++] = link_policy(a, i)->m.name;
	x->n_transitions = 0;
	if (light)
		return;
	fill_identity(e, a, x);
	fill_notes(e, a, x);
}

bool reg_engine_next(struct reg_engine *e, uint32_t *pos, struct reg_account_info *x, bool light)
{
	while (*pos < e->n_order) {
		struct reg_account *a = account_at(e, e->order[(*pos)++]);

		if (!a || a->dying)
			continue;
		fill(e, a, x, light);
		return true;
	}
	return false;
}

struct reg_account *account_find(struct reg_engine *e, const char *name)
{
	uint32_t pos = e->gen ? conf_account_find(e->gen->conf, name) : CONF_NONE;

	return pos == CONF_NONE ? NULL : account_at(e, e->order[pos]);
}

bool reg_engine_find(struct reg_engine *e, const char *name, struct reg_account_info *x)
{
	struct reg_account *a = account_find(e, name);

	if (a)
		fill(e, a, x, false);
	return a != NULL;
}

const struct reg_dialogue *reg_engine_dialogue(struct reg_engine *e, const char *name)
{
	struct reg_account *a = account_find(e, name);

	return a ? &a->dialogue : NULL;
}

bool reg_engine_next_server(struct reg_engine *e, uint32_t *set, uint32_t *rank,
			    struct reg_server_info *x)
{
	const struct conf *c = e->gen ? e->gen->conf : NULL;

	for (; c && *set < c->n_proxy_set; ++*set, *rank = 0) {
		struct reg_set *p = set_named(e, c->proxy_set[*set].row.name);
		const struct rg_server *v;

		if (!p || *rank >= p->n)
			continue;
		v = &p->view[*rank];
		*x = (struct reg_server_info){
			.proxy_set = p->name, .addr = p->srv[*rank]->addr, .health = v->health,
			.rank = v->rank, .roles = v->roles, .accounts = p->bound[*rank],
			.ttl = seconds(v->ttl_until, rg_now(e->timers)),
			.in_flight = p->srv[*rank]->in_flight, .window = p->srv[*rank]->window,
			.waiting = p->srv[*rank]->waiting.n,
			.registrar = registrar_text(p, p->srv[*rank]),
			.registers_at = registers_at(p, p->srv[*rank]),
		};
		++*rank;
		return true;
	}
	return false;
}

struct rg_addr reg_engine_server(struct reg_engine *e, uint32_t id)
{
	struct reg_server *s = server_at(e, id);

	return s ? s->addr : (struct rg_addr){ .family = 0 };
}

void reg_engine_counts(const struct reg_engine *e, struct reg_counts *x)
{
	*x = e->counts;
}
