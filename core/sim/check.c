/* check.c -- did what was expected happen, and nothing that was ruled out? */
#include "sim/check.h"

#include <string.h>

#include "reg/engine.h"

static bool in_time(const struct script_expect *x, const struct timeline_event *ev)
{
	return ev->at >= x->from && ev->at <= x->to && !strcmp(ev->account, x->account);
}

static bool same_request(const struct script_expect *x, const struct timeline_event *ev)
{
	return ev->kind == TIMELINE_REQUEST && ev->method == x->method &&
	       rg_addr_same_ip(&ev->addr, &x->addr) &&
	       ev->addr.port == x->addr.port &&
	       (x->expires < 0 || ev->expires == x->expires) &&
	       (x->port < 0 || ev->port == x->port) &&
	       (x->code < 0 || ev->code == x->code) &&
	       (!x->contact || !strcmp(ev->contact, x->contact)) &&
	       (!x->header || strstr(ev->headers, x->header));
}

static size_t first_at(const struct timeline *t, rg_ms at)
{
	size_t lo = 0, hi = t->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (t->event[mid].at < at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void fail(GPtrArray *out, const struct script *s, const struct timeline *t,
		 const struct script_expect *x, const char *what)
{
	GString *text = g_string_new(NULL);
	unsigned shown = 0;

	g_string_printf(text, "%s:%u: %s: %s", s->file, x->line, what, x->text);
	for (size_t i = first_at(t, x->from); i < t->n && t->event[i].at <= x->to; i++) {
		const struct timeline_event *ev = &t->event[i];

		if (!in_time(x, ev) || x->wants == SCRIPT_NEVER || shown++ >= 8)
			continue;
		g_string_append_printf(text, "\n    but: %s", timeline_text(ev));
	}
	g_ptr_array_add(out, g_string_free(text, FALSE));
}

/* The event of this line: after that of the line before it with the same time and
 * account, so that they match in written order. */
static bool find_request(const struct script *s, struct timeline *t, size_t k, size_t *place)
{
	const struct script_expect *x = &s->expect[k];
	size_t from = first_at(t, x->from);

	for (size_t i = k; i-- > 0;) {
		const struct script_expect *y = &s->expect[i];

		if (y->wants == SCRIPT_REQUEST && place[i] != SIZE_MAX && y->from == x->from &&
		    y->to == x->to && !strcmp(y->account, x->account)) {
			from = place[i] + 1;
			break;
		}
	}
	for (size_t i = from; i < t->n && t->event[i].at <= x->to; i++) {
		struct timeline_event *ev = &t->event[i];

		if (ev->expected || !in_time(x, ev) || !same_request(x, ev))
			continue;
		ev->expected = true;
		place[k] = i;
		return true;
	}
	return false;
}

/* In the state when the first moment is over, or later entered within the window. */
static bool find_state(const struct timeline *t, const struct script_expect *x)
{
	uint8_t state = RG_IDLE;

	for (size_t i = 0; i < t->n && t->event[i].at <= x->to; i++) {
		const struct timeline_event *ev = &t->event[i];

		if (ev->kind != TIMELINE_STATE || strcmp(ev->account, x->account))
			continue;
		if (ev->at > x->from && state == x->state)
			return true;
		state = ev->state;
		if (ev->at >= x->from && state == x->state)
			return true;
	}
	return state == x->state;
}

/* The call of that time: it began or was refused then. */
static bool find_reject(struct timeline *t, const struct script_expect *x)
{
	for (size_t i = first_at(t, x->from); i < t->n; i++) {
		struct timeline_event *ev = &t->event[i];

		if (ev->kind != TIMELINE_REJECT || ev->expected || ev->code != x->code ||
		    strcmp(ev->account, x->account) || (ev->at > x->to && ev->since > x->to) ||
		    (ev->at > x->to && ev->since < x->from))
			continue;
		ev->expected = true;
		return true;
	}
	return false;
}

/* In service at first. */
static bool find_service(const struct timeline *t, const struct script_expect *x)
{
	bool out = false;

	for (size_t i = 0; i < t->n && t->event[i].at <= x->to; i++) {
		const struct timeline_event *ev = &t->event[i];

		if (ev->kind != TIMELINE_TRUNK || strcmp(ev->account, x->account))
			continue;
		if (ev->at > x->from && out == x->out)
			return true;
		out = ev->out;
		if (ev->at >= x->from && out == x->out)
			return true;
	}
	return out == x->out;
}

static bool find_never(const struct timeline *t, const struct script_expect *x)
{
	for (size_t i = first_at(t, x->from); i < t->n && t->event[i].at <= x->to; i++)
		if (in_time(x, &t->event[i]) && same_request(x, &t->event[i]))
			return true;
	return false;
}

static void check_strict(const struct script *s, struct timeline *t, GPtrArray *out)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct timeline_event *ev = &t->event[i];
		bool keepalive = ev->method == RG_M_OPTIONS && !strcmp(ev->account, "-");

		if (ev->kind == TIMELINE_REQUEST && !ev->expected && !keepalive)
			g_ptr_array_add(out, g_strdup_printf("%s: strict: not expected: %s",
							     s->file, timeline_text(ev)));
	}
}

GPtrArray *check(const struct script *s, struct timeline *t)
{
	GPtrArray *out = g_ptr_array_new_with_free_func(g_free);
	size_t *place = g_new(size_t, s->n_expect + 1);

	for (size_t k = 0; k < s->n_expect; k++) {
		const struct script_expect *x = &s->expect[k];
		bool held = false;

		place[k] = SIZE_MAX;
		switch (x->wants) {
		case SCRIPT_REQUEST:
			held = find_request(s, t, k, place);
			break;
		case SCRIPT_STATE:
			held = find_state(t, x);
			break;
		case SCRIPT_TRUNK_IS:
			held = find_service(t, x);
			break;
		case SCRIPT_REJECT:
			held = find_reject(t, x);
			break;
		default:
			held = !find_never(t, x);
			break;
		}
		if (!held)
			fail(out, s, t, x, x->wants == SCRIPT_NEVER ? "it did happen"
								     : "not seen");
	}
	if (s->strict)
		check_strict(s, t, out);
	g_free(place);
	return out;
}
