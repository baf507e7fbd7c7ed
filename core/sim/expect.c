/* expect.c -- lines of a scenario that say what is expected, and what is not. */
#include "sim/reader.h"

#include <string.h>

#include "reg/engine.h"

static void read_state(struct reader *r, struct script_expect *x)
{
	const char *name = words_next(&r->w, "a state");

	x->wants = SCRIPT_STATE;
	for (x->state = 0; name && x->state < RG_STATES; x->state++)
		if (!strcmp(name, reg_state_name(x->state)))
			return;
	if (name)
		words_fault(&r->w, "\"%s\" is no state", name);
}

static void read_service(struct reader *r, struct script_expect *x)
{
	const char *what;

	x->wants = SCRIPT_TRUNK_IS;
	x->account = reader_trunk(r);
	what = words_next(&r->w, "\"in\" or \"out\"");
	if (what && strcmp(what, "in") && strcmp(what, "out"))
		words_fault(&r->w, "a trunk is \"in\" or \"out\" of service, not \"%s\"", what);
	x->out = what && !strcmp(what, "out");
}

static void read_reject(struct reader *r, struct script_expect *x)
{
	const char *code = words_next(&r->w, "a code");

	x->wants = SCRIPT_REJECT;
	if (code)
		x->code = words_number(&r->w, code, 300, 699);
}

static void read_request(struct reader *r, struct script_expect *x, const char *method)
{
	struct words *w = &r->w;
	const char *v;

	x->method = words_method(w, method);
	x->addr = words_addr(w);
	while (words_peek(w) && !w->bad && x->wants != SCRIPT_NEVER) {
		if ((v = words_option(w, "expires")))
			x->expires = words_number(w, v, 0, UINT32_MAX);
		else if ((v = words_option(w, "port")))
			x->port = words_number(w, v, 1, 65535);
		else if ((v = words_option(w, "code")))
			x->code = words_number(w, v, 0, 699);
		else if ((v = words_option(w, "contact")))
			x->contact = reader_keep(r, v);
		else if ((v = words_option(w, "header")))
			x->header = reader_keep(r, v);
		else
			words_end(w);
	}
}

void reader_expect(struct reader *r, bool never)
{
	struct words *w = &r->w;
	struct script_expect x = { .line = w->line, .text = reader_keep(r, r->text),
				   .wants = never ? SCRIPT_NEVER : SCRIPT_REQUEST,
				   .expires = -1, .port = -1, .code = -1 };
	const char *what;

	if (never) {
		x.from = words_time(w, NULL);
		words_time(w, &x.to);
		if (!w->bad && x.to < x.from)
			words_fault(w, "the window ends before it begins");
	} else {
		words_span(w, &x.from, &x.to);
	}
	x.account = reader_keep(r, words_next(w, "an account"));
	if (!never && !strcmp(x.account, "trunk")) {
		read_service(r, &x);
	} else if ((what = words_next(w, "a method"))) {
		if (!never && !strcmp(what, "state"))
			read_state(r, &x);
		else if (!never && !strcmp(what, "reject"))
			read_reject(r, &x);
		else
			read_request(r, &x, what);
	}
	words_end(w);
	r->last = MAX(r->last, x.to);
	g_array_append_val(r->expect, x);
}
