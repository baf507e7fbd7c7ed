/* timeline.c -- what was sent and what changed, in order. */
#include "sim/timeline.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "reg/engine.h"

enum { SIP_PORT = 5060 };

void timeline_init(struct timeline *t, bool quiet)
{
	*t = (struct timeline){ .mem = rg_arena_new(), .quiet = quiet };
}

void timeline_free(struct timeline *t)
{
	g_free(t->event);
	rg_arena_free(t->mem);
}

const char *timeline_method(uint8_t method)
{
	switch (method) {
	case RG_M_REGISTER:
		return "REGISTER";
	case RG_M_OPTIONS:
		return "OPTIONS";
	case RG_M_INVITE:
		return "INVITE";
	case RG_M_SUBSCRIBE:
		return "SUBSCRIBE";
	default:
		return "-";
	}
}

const char *timeline_addr(const struct rg_addr *addr, char buf[RG_ADDR_TEXT])
{
	if (!addr->family)
		return "";
	return addr->port == SIP_PORT ? rg_addr_ip(addr, buf) : rg_addr_text(addr, buf);
}

static bool is_2xx(uint16_t code)
{
	return code >= 200 && code < 300;
}

static void change_text(char *text, size_t size, const struct timeline_event *ev,
			const char *time, const char *addr)
{
	const char *space = *addr ? " " : "";

	if (ev->kind == TIMELINE_STATE)
		snprintf(text, size, "%s %.200s state %s%s%s", time, ev->account,
			 reg_state_name(ev->state), space, addr);
	else if (ev->kind == TIMELINE_REJECT)
		snprintf(text, size, "%s %.200s reject %u", time, ev->account, ev->code);
	else if (ev->kind == TIMELINE_TRUNK)
		snprintf(text, size, "%s trunk %.200s %s", time, ev->account,
			 ev->out ? "out" : "in");
	else
		snprintf(text, size, "%s %.200s accept%s%s", time, ev->account, space, addr);
}

static bool has_expires(const struct timeline_event *ev)
{
	return ev->method == RG_M_REGISTER || ev->method == RG_M_SUBSCRIBE;
}

const char *timeline_text(const struct timeline_event *ev)
{
	static char text[512];
	char time[SCRIPT_TIME], host[RG_ADDR_TEXT];
	const char *addr = timeline_addr(&ev->addr, host);
	size_t n;

	script_time(ev->at, time);
	if (ev->kind != TIMELINE_REQUEST) {
		change_text(text, sizeof text, ev, time, addr);
		return text;
	}
	n = (size_t)snprintf(text, sizeof text, "%s %.200s %s %s", time, ev->account,
			     timeline_method(ev->method), addr);
	if (has_expires(ev))
		n += (size_t)snprintf(text + n, sizeof text - n, " expires=%u", ev->expires);
	n += (size_t)snprintf(text + n, sizeof text - n, " -> %u", ev->code);
	if (has_expires(ev) && is_2xx(ev->code))
		n += (size_t)snprintf(text + n, sizeof text - n, " %u", ev->granted);
	if (ev->min_expires)
		n += (size_t)snprintf(text + n, sizeof text - n, " min-expires=%u",
				      ev->min_expires);
	if (ev->retry_after)
		snprintf(text + n, sizeof text - n, " retry-after=%u", ev->retry_after);
	return text;
}

static const char *keep(struct timeline *t, const char *text)
{
	return text ? rg_arena_intern(t->mem, text) : "";
}

void timeline_add(struct timeline *t, const struct timeline_event *ev)
{
	struct timeline_event *x;

	if (t->n == t->size) {
		t->size = t->size ? 2 * t->size : 256;
		t->event = g_renew(struct timeline_event, t->event, t->size);
	}
	x = &t->event[t->n++];
	*x = *ev;
	x->account = keep(t, ev->account);
	x->contact = keep(t, ev->contact);
	x->headers = keep(t, ev->headers);
	if (!t->quiet)
		puts(timeline_text(x));
}

bool timeline_out(const struct timeline *t, const char *trunk)
{
	for (size_t i = t->n; i-- > 0;)
		if (t->event[i].kind == TIMELINE_TRUNK && !strcmp(t->event[i].account, trunk))
			return t->event[i].out;
	return false;
}

uint8_t timeline_state(const struct timeline *t, const char *account)
{
	for (size_t i = t->n; i-- > 0;)
		if (t->event[i].kind == TIMELINE_STATE && !strcmp(t->event[i].account, account))
			return t->event[i].state;
	return RG_IDLE;
}
