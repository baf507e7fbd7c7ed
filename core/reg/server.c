/*
 * server.c -- one object a server, however many sets name it: whether it lives,
 * how much it can take at a time, and who waits for a place.
 */
#include "reg/reg.h"

#include <string.h>

#include "base/arena.h"
#include "base/log.h"

enum {
	WINDOW_START = 32,
	SILENT_AFTER = 3, /* transactions in a row without an answer */
	HALVE_AGAIN_MS = 500 /* one loss shows in many transactions: punish once */
};

struct reg_server *server_at(struct reg_engine *e, uint32_t id)
{
	return id && id < e->server->len ? g_ptr_array_index(e->server, id) : NULL;
}

static char *server_key(const struct rg_addr *addr, const char *interface, const char *tls_name)
{
	char text[RG_ADDR_TEXT];

	return g_strdup_printf("%s %u %s %s", rg_addr_text(addr, text), addr->transport,
			       interface, tls_name);
}

static void drain(void *arg);

struct reg_server *server_get(struct reg_engine *e, const struct rg_addr *addr,
			      const char *interface, const char *tls_name)
{
	char *key = server_key(addr, interface, tls_name), text[RG_ADDR_TEXT];
	struct reg_server *s = g_hash_table_lookup(e->server_by_addr, key);
	gpointer health;

	if (s) {
		g_free(key);
		s->uses++;
		return s;
	}
	s = g_new0(struct reg_server, 1);
	s->e = e;
	s->id = e->server->len;
	s->addr = *addr;
	s->interface = rg_arena_intern(e->names, interface);
	s->tls_name = rg_arena_intern(e->names, tls_name);
	rg_addr_ip(addr, s->host);
	s->uses = 1;
	s->window = WINDOW_START;
	s->heard_at = -RG_NEVER / 2;
	s->sets = g_ptr_array_new();
	if (g_hash_table_lookup_extended(e->believed, rg_addr_text(addr, text), NULL, &health)) {
		s->believed = true;
		s->health = (uint8_t)GPOINTER_TO_UINT(health);
		s->down = s->health == RG_DOWN ? DOWN_PROBED : DOWN_NOT;
	}
	g_ptr_array_add(e->server, s);
	g_hash_table_insert(e->server_by_addr, key, s);
	source_add(e, s);
	return s;
}

static void probe_stop(struct reg_engine *e, struct reg_server *s)
{
	rg_timer_stop(e->timers, &s->probe);
	if (!s->probing)
		return;
	g_hash_table_remove(e->probes, &s->probing);
	e->port->forget(e->port->arg, s->probing);
	s->probing = 0;
}

/* The id is never given to another: whoever remembers it finds nobody. */
static void server_free(struct reg_engine *e, struct reg_server *s)
{
	char *key = server_key(&s->addr, s->interface, s->tls_name);

	g_hash_table_remove(e->server_by_addr, key);
	g_free(key);
	source_remove(e, s);
	probe_stop(e, s);
	rg_timer_stop(e->timers, &s->drain);
	e->server->pdata[s->id] = NULL;
	g_ptr_array_free(s->sets, TRUE);
	g_free(s);
}

/* Left three in a row unanswered; keep-alive may have found it down before. */
static bool silent(const struct reg_server *s)
{
	return s->down == DOWN_SILENT ||
	       (s->down == DOWN_PROBED && !s->believed && s->unanswered >= SILENT_AFTER);
}

/* Whoever is next gets no place: the server is silent, or was found down since. */
static bool waits_in_vain(const struct reg_server *s)
{
	return silent(s) || s->waited;
}

/* It goes on at once: with a place, without one, or elsewhere if no list has the server. */
static bool next_goes_on(struct reg_engine *e, const struct reg_server *s)
{
	const struct reg_account *a = account_at(e, s->waiting.head);

	return a && (waits_in_vain(s) || s->in_flight < s->window ||
		     (!s->sets->len && a->state != RG_UNREGISTERING));
}

/* No set names it: it stays while accounts are bound there, to be shown and left, and
 * until those that wait there have been told. */
static void unused(struct reg_engine *e, struct reg_server *s)
{
	if (next_goes_on(e, s))
		rg_timer_set(e->timers, &s->drain, rg_now(e->timers), drain, s);
	else if (!s->bound && !s->waiting.n)
		server_free(e, s);
}

void server_put(struct reg_engine *e, struct reg_server *s)
{
	if (--s->uses)
		return;
	s->keeper = NULL;
	probe_stop(e, s);
	unused(e, s);
}

void server_bound(struct reg_engine *e, struct reg_server *s, int by)
{
	s->bound = (uint32_t)((int)s->bound + by);
	if (!s->uses)
		unused(e, s);
}

/* Position of its interface in the present configuration. */
uint32_t server_interface(struct reg_engine *e, const struct reg_server *s)
{
	const struct conf *c = e->gen->conf;

	for (uint32_t i = 0; i < c->n_sip_interface; i++)
		if (!strcmp(c->sip_interface[i].row.name, s->interface))
			return i;
	return 0;
}

void server_health(struct reg_engine *e, struct reg_server *s, enum rg_health health,
		   enum reg_down why)
{
	char text[RG_ADDR_TEXT];

	if (s->health == health && s->down == why)
		return;
	s->down = (uint8_t)why;
	s->good = 0;
	if (why == DOWN_NOT) {
		s->unanswered = 0;
		s->trial = 0;
	}
	if (s->health != health) {
		bool loud = health == RG_DOWN || s->health == RG_DOWN;

		s->health = (uint8_t)health;
		s->waited = health == RG_DOWN ? s->waiting.n : 0;
		if (loud)
			rg_notice("server %s %s: %s", rg_addr_text(&s->addr, text),
				  rg_transport_name(s->addr.transport),
				  health != RG_DOWN	   ? "is back"
				  : why == DOWN_SILENT ? "is down: three requests unanswered"
						       : "is down: keep-alive failed");
		for (guint i = 0; i < s->sets->len; i++)
			set_health(e, g_ptr_array_index(s->sets, i), s);
	}
	keepalive_server(e, s);
	if (s->waiting.n)
		rg_timer_set(e->timers, &s->drain, rg_now(e->timers), drain, s);
}

/* A server that fell silent takes one REGISTER at a time, as a trial. */
bool server_refuses(const struct reg_server *s)
{
	return silent(s) && s->trial;
}

bool server_enter(struct reg_engine *e, struct reg_server *s, struct reg_account *a)
{
	if (silent(s)) {
		s->trial = a->round->token;
	} else if (!e->opt.exact && s->in_flight >= s->window) {
		queue_push(e, &s->waiting, a);
		a->set->backlog++;
		return false;
	}
	s->in_flight++;
	return true;
}

void server_unwait(struct reg_engine *e, struct reg_server *s, struct reg_account *a)
{
	queue_remove(e, &s->waiting, a);
	s->waited = MIN(s->waited, s->waiting.n);
	a->set->backlog--;
	if (!s->uses)
		unused(e, s);
	else if (!s->drain.place)
		rg_timer_set(e->timers, &s->drain, rg_now(e->timers), drain, s);
}

/* A request was given up; its place is free. */
void server_abandon(struct reg_engine *e, struct reg_server *s, uint64_t token)
{
	if (s->in_flight)
		s->in_flight--;
	if (s->trial == token)
		s->trial = 0;
	if (s->waiting.n && !s->drain.place)
		rg_timer_set(e->timers, &s->drain, rg_now(e->timers), drain, s);
}

/* Once for what was on its way together: a request sent before the last halving tells
 * nothing new, and is no reason.  true: it was one. */
static bool halve(struct reg_engine *e, struct reg_server *s, rg_ms sent_at)
{
	if (sent_at <= s->halved_at || rg_now(e->timers) - s->halved_at < HALVE_AGAIN_MS)
		return false;
	s->halved_at = rg_now(e->timers);
	s->window = MAX(s->window / 2, 1);
	s->grow = 0;
	return true;
}

/* One more place for each answer below the start, then one for each window full. */
static void widen(struct reg_server *s)
{
	uint32_t max = s->window_max ? s->window_max : 1024;

	if (s->window >= max) {
		s->window = max;
		return;
	}
	if (++s->grow >= (s->window < 256 ? 1 : s->window / 16)) {
		s->window++;
		s->grow = 0;
	}
}

void server_leave(struct reg_engine *e, struct reg_server *s, const struct reg_round *r,
		  const struct reg_answer *ans)
{
	if (s->in_flight)
		s->in_flight--;
	if (s->trial == r->token)
		s->trial = 0;
	if (ans->code) {
		s->unanswered = 0;
		keepalive_heard(e, s);
		if (ans->code == 503)
			halve(e, s, r->sent_at);
		else if (!ans->repeated ||
			 (!halve(e, s, r->sent_at) && s->window < WINDOW_START))
			widen(s); /* a slow or lossy way is wide, too, up to the start */
	} else {
		e->counts.unanswered++;
		halve(e, s, r->sent_at);
		if (++s->unanswered >= SILENT_AFTER && s->down == DOWN_NOT && !s->believed)
			server_health(e, s, RG_DOWN, DOWN_SILENT);
		keepalive_doubts(e, s);
	}
	if (s->waiting.n && (s->in_flight < s->window || silent(s)) && !s->drain.place)
		rg_timer_set(e->timers, &s->drain, rg_now(e->timers), drain, s);
}

void server_told(struct reg_engine *e, struct reg_server *s, bool answered)
{
	if (answered) {
		s->unanswered = 0;
		if (s->down == DOWN_SILENT && !s->believed)
			server_health(e, s, RG_UP, DOWN_NOT);
	} else if (++s->unanswered >= SILENT_AFTER && s->down == DOWN_NOT && !s->believed) {
		server_health(e, s, RG_DOWN, DOWN_SILENT);
	}
}

/* Give places to those that wait; if the server is down they are told at once, a
 * slice at a time, and the policies choose the next. */
static void drain(void *arg)
{
	struct reg_server *s = arg;
	struct reg_engine *e = s->e;
	struct reg_slice slice = slice_begin(e);
	struct reg_account *a;

	s->uses++; /* it may lose its last account below */
	while (next_goes_on(e, s)) {
		bool vain = waits_in_vain(s);

		a = queue_pop(e, &s->waiting);
		a->set->backlog--;
		s->waited -= s->waited != 0;
		if (vain) {
			round_unanswered(e, a);
		} else {
			s->in_flight++;
			round_go(e, a);
		}
		if (slice_over(&slice))
			break;
	}
	if (next_goes_on(e, s))
		rg_timer_set(e->timers, &s->drain, rg_now(e->timers) + 1, drain, s);
	server_put(e, s);
	pace_pump(e);
}
