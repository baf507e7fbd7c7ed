/* The table of calls, and what comes in for them. */
#include <string.h>

#include "base/random.h"
#include "relay/call.h"

struct row {
	uint64_t id;
	struct call *call; /* NULL: it is gone */
};

enum { ROWS_LEAST = 64 };

/* ---- slots and tags --------------------------------------------------------------------- */

bool relay_add(struct relay *r, struct call *c)
{
	struct row row;

	if (r->free_slots->len) {
		c->slot = g_array_index(r->free_slots, uint32_t, r->free_slots->len - 1);
		g_array_set_size(r->free_slots, r->free_slots->len - 1);
	} else {
		if (r->slots == RELAY_CALLS_MOST)
			return false;
		if (r->slots == r->slots_size) {
			r->slots_size = r->slots_size ? r->slots_size * 2 : ROWS_LEAST;
			r->slot = g_renew(struct call *, r->slot, r->slots_size);
		}
		c->slot = r->slots++;
	}
	r->slot[c->slot] = c;
	c->id = ++r->last_id;
	do
		c->key = rg_random64();
	while (!c->key);
	row = (struct row){ c->id, c };
	g_array_append_val(r->order, row);
	return true;
}

/* The first row with this id or a later one. */
static guint row_at(const struct relay *r, uint64_t id)
{
	guint low = 0, high = r->order->len;

	while (low < high) {
		guint mid = low + (high - low) / 2;

		if (g_array_index(r->order, struct row, mid).id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void compact(struct relay *r)
{
	guint n = 0;

	for (guint i = 0; i < r->order->len; i++) {
		struct row row = g_array_index(r->order, struct row, i);

		if (row.call)
			g_array_index(r->order, struct row, n++) = row;
	}
	g_array_set_size(r->order, n);
	r->holes = 0;
}

void relay_remove(struct relay *r, struct call *c)
{
	r->slot[c->slot] = NULL;
	g_array_append_val(r->free_slots, c->slot);
	g_array_index(r->order, struct row, row_at(r, c->id)).call = NULL;
	if (++r->holes > ROWS_LEAST && r->holes > r->order->len / 2)
		compact(r);
}

/* Slot and key, the side whose tag it is, and a number there. */
void relay_tag(const struct call *c, enum side s, uint8_t number, char out[RELAY_TAG])
{
	char eight[8];

	sip_hex(out, c->slot);
	sip_hex(out + 8, (uint32_t)(c->key >> 32));
	sip_hex(out + 16, (uint32_t)c->key);
	out[24] = s == CALLER ? 'c' : 's';
	sip_hex(eight, number);
	memcpy(out + 25, eight + 6, 2);
}

struct call *relay_by_tag(const struct relay *r, struct span tag, enum side *s, uint8_t *number)
{
	uint32_t slot, high, low, n;
	char eight[8] = "000000";
	struct call *c;

	if (tag.n != RELAY_TAG || (tag.p[24] != 'c' && tag.p[24] != 's'))
		return NULL;
	memcpy(eight + 6, tag.p + 25, 2);
	if (!sip_unhex(tag.p, &slot) || !sip_unhex(tag.p + 8, &high) ||
	    !sip_unhex(tag.p + 16, &low) || !sip_unhex(eight, &n) || slot >= r->slots)
		return NULL;
	c = r->slot[slot];
	if (!c || c->key != ((uint64_t)high << 32 | low))
		return NULL;
	*s = tag.p[24] == 'c' ? CALLER : CALLEE;
	*number = (uint8_t)n;
	return c;
}

/* ---- by Call-ID ------------------------------------------------------------------------- */

static uint64_t id_seed[2]; /* callers choose their Call-IDs: they must not meet in the table */

static guint id_hash(gconstpointer p)
{
	uint64_t key[2] = { id_seed[0], id_seed[1] };

	sip_key_add(key, leg_id(p));
	return (guint)key[0];
}

static gboolean id_equal(gconstpointer a, gconstpointer b)
{
	return span_equal(leg_id(a), leg_id(b));
}

/* Of two calls with one Call-ID (a request that forked before us) the first is found. */
void relay_know(struct call *c, enum side s)
{
	if (c->leg[s].text && !g_hash_table_contains(c->relay->by_id, &c->leg[s]))
		g_hash_table_add(c->relay->by_id, &c->leg[s]);
}

void relay_unknow(struct call *c, enum side s)
{
	if (c->leg[s].text && g_hash_table_lookup(c->relay->by_id, &c->leg[s]) == &c->leg[s])
		g_hash_table_remove(c->relay->by_id, &c->leg[s]);
}

static struct call *by_call_id(struct relay *r, struct span id)
{
	struct leg key = { .text = (char *)id.p, .id_len = (uint16_t)id.n }, *l = NULL;

	if (id.n && id.n <= UINT16_MAX)
		l = g_hash_table_lookup(r->by_id, &key);
	return l ? leg_call(l) : NULL;
}

bool relay_find(struct relay *r, const char *call_id, size_t n, struct relay_call_info *info)
{
	struct call *c = by_call_id(r, (struct span){ call_id, n });

	if (c)
		call_info(c, info);
	return c;
}

bool relay_next(struct relay *r, uint64_t *id, struct relay_call_info *info)
{
	for (guint i = row_at(r, *id); i < r->order->len; i++) {
		const struct row *row = &g_array_index(r->order, struct row, i);

		*id = row->id + 1;
		if (!row->call || row->call->over)
			continue;
		call_info(row->call, info);
		return true;
	}
	return false;
}

uint32_t relay_calls(const struct relay *r)
{
	return r->calls;
}

size_t relay_bytes(const struct relay *r)
{
	return r->bytes + r->slots_size * sizeof *r->slot + r->order->len * sizeof(struct row);
}

/* ---- dispatch --------------------------------------------------------------------------- */

enum method relay_method(struct span m)
{
	static const struct {
		const char *name;
		enum method method;
	} methods[] = {
		{ "INVITE", M_INVITE }, { "ACK", M_ACK }, { "BYE", M_BYE }, { "PRACK", M_PRACK },
		{ "UPDATE", M_UPDATE }, { "SUBSCRIBE", M_SUBSCRIBE }, { "NOTIFY", M_NOTIFY },
		{ "REFER", M_REFER }, { "CANCEL", M_CANCEL }, { "REGISTER", M_REGISTER },
		{ "INFO", M_INFO }, { "OPTIONS", M_OPTIONS },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(methods); i++)
		if (span_equal(m, (struct span){ methods[i].name, strlen(methods[i].name) }))
			return methods[i].method;
	return M_OTHER; /* case matters: RFC 3261 7.1 */
}

/* The NOTIFY of a subscription that is being made makes its dialog (RFC 6665 4.4.1). */
static struct pair *made_by_notify(struct call *c, const struct sip_head *h)
{
	const struct exchange *x = c->initial;

	if (relay_method(h->method) != M_NOTIFY || !x || x->over ||
	    (x->method != M_SUBSCRIBE && x->method != M_REFER))
		return NULL;
	return pair_new(c, h);
}

static struct pair *find_pair(struct relay *r, const struct sip_head *h, enum side *s)
{
	struct span from = sip_tag(sip_value(h, H_FROM));
	struct pair *p;
	uint8_t number;
	struct call *c = relay_by_tag(r, sip_tag(sip_value(h, H_TO)), s, &number);

	if (!c || !span_equal(sip_value(h, H_CALL_ID), leg_id(&c->leg[*s])))
		return NULL;
	if (*s == CALLEE) {
		if (number != c->attempt)
			return NULL;
		p = pair_by_remote_tag(c, from);
		return p || !from.n ? p : made_by_notify(c, h);
	}
	p = pair_by_number(c, number);
	return p && span_equal(sip_tag(pair_remote(p, CALLER)), from) ? p : NULL;
}

static bool on_request(void *arg, const struct sip_hop *hop, const struct sip_head *h)
{
	struct relay *r = arg;
	enum method m = relay_method(h->method);
	struct pair *p;
	enum side s;

	if (!sip_tag(sip_value(h, H_TO)).p)
		return m == M_ACK || arrival(r, hop, h);
	p = find_pair(r, h, &s);
	if (p)
		exchange_request(p, s, m, hop, h);
	else if (m != M_ACK)
		sip_stack_reply(r->env.stack, hop, h, 481, NULL, NULL, true);
	return true;
}

/* ---- life ------------------------------------------------------------------------------- */

static void reap(void *arg)
{
	struct relay *r = arg;
	struct call *c = r->reap;

	r->reap = NULL;
	for (struct call *next; c; c = next) {
		next = c->reap;
		c->reaping = false;
		(void)call_reaped(c);
	}
}

void relay_reap(struct call *c)
{
	struct relay *r = c->relay;

	if (c->reaping)
		return;
	c->reaping = true;
	c->reap = r->reap;
	r->reap = c;
	if (!r->reaper.place)
		rg_timer_set(r->parts->timers, &r->reaper, rg_now(r->parts->timers), reap, r);
}

/* The other ends know the ports that calls were made at. */
static bool has_calls(void *arg)
{
	const struct relay *r = arg;

	return r->calls;
}

struct relay *relay_new(const struct relay_env *env)
{
	struct relay *r = g_new0(struct relay, 1);

	r->env = *env;
	r->parts = sip_stack_parts(env->stack);
	r->free_slots = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	r->order = g_array_new(FALSE, FALSE, sizeof(struct row));
	rg_random(id_seed, sizeof id_seed);
	r->by_id = g_hash_table_new(id_hash, id_equal);
	r->authenticator = sip_authenticator_new();
	r->sources = source_log_new();
	sip_stack_on_request(env->stack, on_request, r);
	sip_transport_busy(r->parts->transport, has_calls, r);
	return r;
}

void relay_free(struct relay *r)
{
	if (!r)
		return;
	sip_stack_on_request(r->env.stack, NULL, NULL);
	sip_transport_busy(r->parts->transport, NULL, NULL);
	rg_timer_stop(r->parts->timers, &r->reaper);
	for (uint32_t i = 0; i < r->slots; i++)
		if (r->slot[i])
			call_free(r->slot[i]);
	g_hash_table_destroy(r->by_id);
	g_array_free(r->order, TRUE);
	g_array_free(r->free_slots, TRUE);
	sip_authenticator_free(r->authenticator);
	g_free(r->sources);
	g_free(r->slot);
	g_free(r);
}

void relay_drain(struct relay *r)
{
	r->draining = true;
}

void relay_hang_up(struct relay *r)
{
	r->draining = true;
	for (uint32_t i = 0; i < r->slots; i++)
		if (r->slot[i])
			call_hang_up(r->slot[i]);
}
