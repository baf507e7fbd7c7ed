/* happen.c -- lines of a scenario that say what happens (see regwaysim(1)). */
#include "sim/reader.h"

#include <string.h>

enum { TTL_S = 3600, METHODS_ALL = 0xff };

static void read_answer(struct reader *r, struct script_line *l)
{
	struct words *w = &r->w;
	const char *code = words_next(w, "a code"), *v;

	l->rule = (struct script_rule){ .does = SCRIPT_ANSWER, .code = 200, .expires = -1 };
	if (code)
		l->rule.code = (uint16_t)words_number(w, code, 200, 699);
	while (words_peek(w) && !w->bad) {
		if ((v = words_option(w, "expires")))
			l->rule.expires = words_number(w, v, 0, UINT32_MAX);
		else if ((v = words_option(w, "retry-after")))
			l->rule.retry_after = (uint32_t)words_number(w, v, 0, UINT32_MAX);
		else if ((v = words_option(w, "min-expires")))
			l->rule.min_expires = (uint32_t)words_number(w, v, 0, UINT32_MAX);
		else if ((v = words_option(w, "method")))
			l->methods = (uint8_t)(1 << words_method(w, v));
		else if ((v = words_option(w, "times")))
			l->times = (uint32_t)words_number(w, v, 1, UINT32_MAX);
		else
			words_end(w);
	}
}

static void read_server(struct reader *r, struct script_line *l)
{
	struct words *w = &r->w;
	const char *what, *v;

	l->kind = SCRIPT_SERVER;
	l->methods = METHODS_ALL;
	l->addr = words_addr(w);
	what = words_next(w, "\"answer\", \"silent\", \"refuse\", \"up\" or \"disconnect\"");
	if (!what)
		return;
	l->rule = (struct script_rule){ .does = SCRIPT_ANSWER, .code = 200, .expires = -1 };
	if (!strcmp(what, "answer")) {
		read_answer(r, l);
		return;
	}
	if (!strcmp(what, "disconnect")) {
		l->kind = SCRIPT_DISCONNECT;
		return;
	}
	if (!strcmp(what, "silent"))
		l->rule.does = SCRIPT_SILENT;
	else if (!strcmp(what, "refuse"))
		l->rule.does = SCRIPT_REFUSE;
	else if (strcmp(what, "up"))
		words_fault(w, "a server can \"answer\", be \"silent\", \"refuse\", be \"up\" or "
			       "\"disconnect\", not \"%s\"", what);
	v = words_option(w, "method");
	if (v)
		l->methods = (uint8_t)(1 << words_method(w, v));
}

/* NAME = ADDR[:PORT], ... [ttl=S]; an empty list: the name does not exist. */
void reader_dns(struct reader *r, struct script_line *l)
{
	struct words *w = &r->w;
	char *all = g_strjoinv(" ", w->word + w->at), *equals = strchr(all, '=');
	GArray *answer = g_array_new(FALSE, TRUE, sizeof(struct reg_resolved));
	uint32_t ttl = TTL_S;

	l->kind = SCRIPT_DNS;
	w->at += g_strv_length(w->word + w->at);
	if (!equals || equals == all) {
		words_fault(w, "dns NAME = ADDRESS, ... [ttl=SECONDS] is wanted");
	} else {
		gchar **item = g_strsplit_set(equals + 1, ", ", -1);

		*equals = '\0';
		l->name = reader_keep(r, g_strstrip(all));
		for (gchar **p = item; *p; p++) {
			struct reg_resolved x = { .weight = 0 };

			if (!**p)
				continue;
			if (g_str_has_prefix(*p, "ttl=")) {
				ttl = (uint32_t)words_number(w, *p + 4, 0, UINT32_MAX);
				continue;
			}
			/* no port here means that of the proxy set's row */
			if (!rg_addr_parse(&x.addr, *p))
				words_fault(w, "\"%s\" is no address", *p);
			g_array_append_val(answer, x);
		}
		g_strfreev(item);
	}
	for (guint i = 0; i < answer->len; i++)
		g_array_index(answer, struct reg_resolved, i).ttl = ttl;
	l->n_answer = MIN(answer->len, (guint)RG_SERVERS);
	l->answer = rg_arena_alloc(r->s->mem, (l->n_answer + 1) * sizeof *l->answer);
	for (size_t i = 0; i < l->n_answer; i++)
		l->answer[i] = g_array_index(answer, struct reg_resolved, i);
	g_array_free(answer, TRUE);
	g_free(all);
}

static void read_reload(struct reader *r, struct script_line *l)
{
	size_t n = g_strv_length(r->w.word + r->w.at);
	const char *word;

	l->kind = SCRIPT_RELOAD;
	l->path = rg_arena_alloc(r->s->mem, (n + 1) * sizeof *l->path);
	if (!n)
		words_next(&r->w, "a file");
	while ((word = words_peek(&r->w))) {
		l->path[l->n_path++] = reader_path(r, word);
		r->w.at++;
	}
}

static void read_call(struct reader *r, struct script_line *l)
{
	struct words *w = &r->w;
	const char *way, *v;

	l->name = reader_keep(r, words_next(w, "an account"));
	way = words_next(w, "\"out\" or \"in\"");
	if (way && strcmp(way, "out") && strcmp(way, "in"))
		words_fault(w, "a call goes \"out\" or comes \"in\", not \"%s\"", way);
	l->kind = way && !strcmp(way, "in") ? SCRIPT_CALL_IN : SCRIPT_CALL_OUT;
	while (l->kind == SCRIPT_CALL_IN && words_peek(w) && !w->bad) {
		if ((v = words_option(w, "from")))
			l->addr = words_addr_of(w, v);
		else if ((v = words_option(w, "port")))
			l->port = (uint16_t)words_number(w, v, 1, 65535);
		else
			words_end(w);
	}
}

static void read_notify(struct reader *r, struct script_line *l)
{
	static const struct {
		const char *name;
		uint8_t what;
	} known[] = {
		{ "active", RG_N_ACTIVE },	     { "refreshed", RG_N_REFRESHED },
		{ "shortened", RG_N_SHORTENED },     { "probation", RG_N_PROBATION },
		{ "deactivated", RG_N_DEACTIVATED }, { "rejected", RG_N_REJECTED },
		{ "unregistered", RG_N_UNREGISTERED }, { "terminated", RG_N_TERMINATED },
	};
	struct words *w = &r->w;
	const char *what, *v;

	l->kind = SCRIPT_NOTIFY;
	l->name = reader_keep(r, words_next(w, "an account"));
	what = words_next(w, "an event");
	for (size_t i = 0; what && i < G_N_ELEMENTS(known); i++)
		if (!strcmp(what, known[i].name))
			l->notice.what = known[i].what;
	if (what && !l->notice.what)
		words_fault(w, "\"%s\" is no event of a registration", what);
	while (words_peek(w) && !w->bad) {
		if ((v = words_option(w, "retry-after")))
			l->notice.retry_after = (uint32_t)words_number(w, v, 0, UINT32_MAX);
		else if ((v = words_option(w, "expires")))
			l->notice.expires = (uint32_t)words_number(w, v, 0, UINT32_MAX);
		else
			words_end(w);
	}
}

const char *reader_trunk(struct reader *r)
{
	const char *id = words_next(&r->w, "a trunk");

	if (id)
		words_number(&r->w, g_str_has_prefix(id, "group:") ? id + 6 : id, 0, UINT32_MAX);
	return reader_keep(r, id);
}

void reader_at(struct reader *r)
{
	struct words *w = &r->w;
	struct script_line l = { .line = w->line, .at = words_time(w, NULL), .name = "" };
	const char *verb = words_next(w, "what happens");

	if (!verb || w->bad)
		return;
	if (!strcmp(verb, "server")) {
		read_server(r, &l);
	} else if (!strcmp(verb, "health")) {
		l.kind = SCRIPT_HEALTH;
		l.addr = words_addr(w);
		l.up = words_up(w);
	} else if (!strcmp(verb, "served")) {
		l.kind = SCRIPT_SERVED;
		l.name = reader_keep(r, words_next(w, "an IP group"));
		l.up = words_up(w);
	} else if (!strcmp(verb, "link")) {
		l.kind = SCRIPT_LINK;
		l.up = words_up(w);
	} else if (!strcmp(verb, "dns")) {
		reader_dns(r, &l);
	} else if (!strcmp(verb, "reload")) {
		read_reload(r, &l);
	} else if (!strcmp(verb, "register") || !strcmp(verb, "unregister") ||
		   !strcmp(verb, "refresh")) {
		l.kind = *verb == 'u' ? SCRIPT_UNREGISTER
			 : verb[2] == 'f' ? SCRIPT_REFRESH : SCRIPT_REGISTER;
		l.name = reader_keep(r, words_next(w, "an account"));
	} else if (!strcmp(verb, "call")) {
		read_call(r, &l);
	} else if (!strcmp(verb, "notify")) {
		read_notify(r, &l);
	} else if (!strcmp(verb, "trunk")) {
		l.kind = SCRIPT_TRUNK;
		l.name = reader_trunk(r);
		l.up = words_up(w);
	} else {
		words_fault(w, "\"%s\" is nothing that can happen", verb);
	}
	words_end(w);
	r->last = MAX(r->last, l.at);
	g_array_append_val(r->line, l);
}
