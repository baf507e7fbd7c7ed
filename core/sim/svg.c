/*
 * svg.c -- the timeline as a drawing.  A row for each account: a bar while it is
 * registered, in the colour of the registrar and with its letter, so that it can be read
 * without colours too; above it a mark for each request, a cross where it failed.
 */
#include "sim/svg.h"

#include <stdarg.h>
#include <string.h>

#include "reg/engine.h"

enum {
	PLOT = 1000, ROW = 52, BAR = 14, LANES = 4, LANE = 8, TOP = 74, LETTER = 7,
	TEXT = 12, TICKS = 12, RIGHT = 30
};

/* Apart for the colour-blind, too, and what is legible on them. */
static const struct {
	const char *fill, *text;
} colour[] = { { "#0072b2", "#fff" }, { "#f0b030", "#000" }, { "#007a5a", "#fff" },
	       { "#e39bc6", "#000" }, { "#7cc4ee", "#000" }, { "#c04c00", "#fff" },
	       { "#7a5c20", "#fff" }, { "#bbbbbb", "#000" } };

struct row {
	const char *name;
	guint at;	/* its place */
	bool account;	/* not probes, nor a trunk */
	rg_ms since;	/* of the bar being drawn */
	uint32_t bound; /* 1 + server, 0: none */
	uint8_t state;
	bool out;	/* a trunk */
	double last_x;	/* of the last mark */
	unsigned lane;
};

struct svg {
	GString *out;
	const struct script *script;
	GHashTable *rows;   /* name: struct row */
	GPtrArray *row;	    /* struct row, in order */
	GHashTable *servers; /* "192.0.2.1:5060": 1 + place */
	GPtrArray *server;  /* texts as shown */
	double left;
};

static void put(struct svg *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(struct svg *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	g_string_append_vprintf(s->out, fmt, ap);
	va_end(ap);
}

/* Any bytes as text of XML. */
static char *escaped(const char *text)
{
	char *valid = g_utf8_make_valid(text, -1), *out;

	for (char *p = valid; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
	out = g_markup_escape_text(valid, -1);
	g_free(valid);
	return out;
}

static void put_text(struct svg *s, double x, double y, const char *attributes, const char *text)
{
	char *safe = escaped(text);

	put(s, "<text x=\"%.1f\" y=\"%.1f\"%s>%s</text>\n", x, y, attributes, safe);
	g_free(safe);
}

static void put_title(struct svg *s, const char *text)
{
	char *safe = escaped(text);

	put(s, "<title>%s</title>", safe);
	g_free(safe);
}

static double x_of(const struct svg *s, rg_ms at)
{
	rg_ms length = MAX(s->script->until - s->script->start, 1);

	return s->left + PLOT * (double)(at - s->script->start) / (double)length;
}

static const char *colour_of(uint32_t server)
{
	return server ? colour[(server - 1) % G_N_ELEMENTS(colour)].fill : "#000";
}

/* A, B ... Z, A1 ... */
static const char *letter_of(uint32_t server, char buf[16])
{
	uint32_t n = server - 1;

	if (n < 26)
		g_snprintf(buf, 16, "%c", 'A' + (int)n);
	else
		g_snprintf(buf, 16, "%c%u", 'A' + (int)(n % 26), n / 26);
	return buf;
}

/* ---- rows and servers --------------------------------------------------------------- */

static struct row *row_named(struct svg *s, const char *name)
{
	struct row *r = g_hash_table_lookup(s->rows, name);

	if (r)
		return r;
	r = g_new0(struct row, 1);
	r->name = name;
	r->at = s->row->len;
	r->since = s->script->start;
	r->last_x = -1;
	g_hash_table_insert(s->rows, (gpointer)name, r);
	g_ptr_array_add(s->row, r);
	return r;
}

static uint32_t server_of(struct svg *s, const struct rg_addr *addr)
{
	char text[RG_ADDR_TEXT];
	gpointer place;

	if (!addr->family)
		return 0;
	rg_addr_text(addr, text);
	place = g_hash_table_lookup(s->servers, text);
	if (place)
		return GPOINTER_TO_UINT(place);
	g_ptr_array_add(s->server, g_strdup(text));
	g_hash_table_insert(s->servers, g_strdup(text), GUINT_TO_POINTER(s->server->len));
	return s->server->len;
}

/* Probes are drawn where they failed only. */
static bool drawn(const struct timeline_event *ev)
{
	return strcmp(ev->account, "-") || (ev->code < 200 || ev->code >= 300);
}

static void collect(struct svg *s, const struct timeline *t, const GPtrArray *accounts)
{
	for (guint i = 0; i < accounts->len; i++)
		row_named(s, accounts->pdata[i])->account = true;
	for (size_t i = 0; i < t->n; i++) {
		server_of(s, &t->event[i].addr);
		if (drawn(&t->event[i]))
			row_named(s, t->event[i].account);
	}
}

static double row_y(const struct row *r)
{
	return TOP + ROW * (double)r->at;
}

/* ---- the frame ------------------------------------------------------------------------ */

/* Seconds between two lines of the axis: a round number of them, not too many. */
static rg_ms tick(rg_ms length)
{
	static const rg_ms steps[] = { 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600,
				       7200, 10800, 21600, 43200 };
	rg_ms day = 86400;

	for (size_t i = 0; i < G_N_ELEMENTS(steps); i++)
		if (length <= steps[i] * 1000 * TICKS)
			return steps[i] * 1000;
	while (length > day * 1000 * TICKS)
		day *= 2;
	return day * 1000;
}

static void axis(struct svg *s, double bottom)
{
	rg_ms step = tick(s->script->until - s->script->start);
	rg_ms first = (s->script->start + step - 1) / step * step;
	char time[SCRIPT_TIME];

	for (rg_ms at = first; at <= s->script->until; at += step) {
		double x = x_of(s, at);

		script_time(at, time);
		time[strlen(time) - strlen(".000")] = '\0';
		put(s, "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#ccc\"/>\n", x,
		    TOP - 6, x, bottom);
		put_text(s, x, TOP - 12, " text-anchor=\"middle\"", time);
		put_text(s, x, bottom + TEXT + 3, " text-anchor=\"middle\"", time);
	}
}

static char *label(const struct row *r)
{
	if (!strcmp(r->name, "-"))
		return g_strdup("probes that failed");
	return r->account ? g_strdup(r->name) : g_strdup_printf("trunk %s", r->name);
}

static void names(struct svg *s)
{
	for (guint i = 0; i < s->row->len; i++) {
		const struct row *r = s->row->pdata[i];
		double y = TOP + ROW * (double)i;
		char *shown = label(r);

		put_text(s, s->left - 8, y + ROW - 7, " text-anchor=\"end\"", shown);
		put(s, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#999\" "
		       "stroke-dasharray=\"2 3\"/>\n",
		    s->left, y + ROW - BAR / 2.0 - 4, s->left + PLOT, y + ROW - BAR / 2.0 - 4);
		g_free(shown);
	}
}

/* ---- bars -------------------------------------------------------------------------------- */

static void bar(struct svg *s, const struct row *r, rg_ms until)
{
	double x = x_of(s, r->since), width = x_of(s, until) - x, y = row_y(r) + ROW - BAR - 4;
	bool rests = r->account && !r->bound && (r->state == RG_HELD || r->state == RG_IDLE);
	const char *address = r->bound ? s->server->pdata[r->bound - 1] : "";
	char letter[16], style[64];
	char *text;

	if (width <= 0 || (!r->bound && !rests && !r->out))
		return;
	put(s, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" fill=\"%s\" "
	       "stroke=\"#333\" stroke-width=\"0.5\">",
	    x, y, width, BAR, r->bound ? colour_of(r->bound) : r->out ? "#333" : "#eee");
	put_title(s, r->bound ? address : r->out ? "out of service" : reg_state_name(r->state));
	put(s, "</rect>\n");
	if (!r->bound)
		return;
	text = g_strdup_printf("%s %s", letter_of(r->bound, letter), address);
	if (width < (double)strlen(text) * LETTER)
		*strchr(text, ' ') = '\0'; /* the letter alone */
	g_snprintf(style, sizeof style, " font-size=\"11\" fill=\"%s\"",
		   colour[(r->bound - 1) % G_N_ELEMENTS(colour)].text);
	if (width >= (double)strlen(text) * LETTER + 2)
		put_text(s, x + 3, y + BAR - 3, style, text);
	g_free(text);
}

static void change(struct svg *s, struct row *r, const struct timeline_event *ev)
{
	uint32_t bound = ev->kind == TIMELINE_STATE ? server_of(s, &ev->addr) : 0;

	if (bound != r->bound || ev->out != r->out ||
	    (!bound && ev->kind == TIMELINE_STATE && ev->state != r->state)) {
		bar(s, r, ev->at);
		r->since = ev->at;
	}
	r->bound = bound;
	r->out = ev->out;
	r->state = ev->state;
}

/* ---- marks -------------------------------------------------------------------------------- */

static void cross(struct svg *s, double x, double y, const char *c)
{
	put(s, "<path d=\"M%.1f %.1fl6 6m0 -6l-6 6\" stroke=\"%s\" stroke-width=\"2\" "
	       "fill=\"none\"/>", x - 3, y - 3, c);
}

static void shape(struct svg *s, const struct timeline_event *ev, double x, double y,
		  const char *c)
{
	if (ev->kind == TIMELINE_REJECT)
		put(s, "<rect x=\"%.1f\" y=\"%.1f\" width=\"6\" height=\"6\" fill=\"#fff\" "
		       "stroke=\"#c00\" stroke-width=\"2\"/>",
		    x - 3, y - 3);
	else if (ev->kind == TIMELINE_ACCEPT)
		put(s, "<path d=\"M%.1f %.1fl6 0l-3 6z\" fill=\"%s\"/>", x - 3, y - 3, c);
	else if (ev->code < 200 || ev->code >= 300)
		cross(s, x, y, c);
	else if (ev->method == RG_M_INVITE)
		put(s, "<path d=\"M%.1f %.1fl6 0l-3 -6z\" fill=\"%s\"/>", x - 3, y + 3, c);
	else if (ev->method == RG_M_SUBSCRIBE)
		put(s, "<path d=\"M%.1f %.1fl3.5 3.5l-3.5 3.5l-3.5 -3.5z\" fill=\"%s\"/>", x,
		    y - 3.5, c);
	else
		put(s, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\" stroke=\"%s\"/>", x, y,
		    ev->expires ? c : "#fff", c);
}

/* Marks close together stand above each other, and then beside. */
static void mark(struct svg *s, struct row *r, const struct timeline_event *ev)
{
	double x = x_of(s, ev->at), y;

	if (r->last_x >= 0 && x - r->last_x < LANE) {
		x = MAX(x, r->last_x);
		x += ++r->lane == LANES ? LANE : 0;
		r->lane %= LANES;
	} else {
		r->lane = 0;
	}
	r->last_x = x;
	y = row_y(r) + ROW - BAR - 9 - LANE * (double)r->lane;
	put(s, "<g>");
	put_title(s, timeline_text(ev));
	shape(s, ev, x, y, colour_of(server_of(s, &ev->addr)));
	put(s, "</g>\n");
}

static void events(struct svg *s, const struct timeline *t)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct timeline_event *ev = &t->event[i];
		struct row *r = drawn(ev) ? row_named(s, ev->account) : NULL;

		if (!r)
			continue;
		if (ev->kind == TIMELINE_STATE || ev->kind == TIMELINE_TRUNK)
			change(s, r, ev);
		else
			mark(s, r, ev);
	}
	for (guint i = 0; i < s->row->len; i++)
		bar(s, s->row->pdata[i], s->script->until);
}

/* ---- legend ---------------------------------------------------------------------------------- */

static void legend_mark(struct svg *s, double *x, double y, const struct timeline_event *ev,
			const char *text)
{
	shape(s, ev, *x, y - 4, "#333");
	put_text(s, *x + 8, y, "", text);
	*x += 24 + (double)strlen(text) * LETTER;
}

static void legend(struct svg *s, double y)
{
	const struct timeline_event ok = { .kind = TIMELINE_REQUEST, .method = RG_M_REGISTER,
					   .code = 200, .expires = 1 };
	const struct timeline_event bye = { .kind = TIMELINE_REQUEST, .method = RG_M_REGISTER,
					    .code = 200 };
	const struct timeline_event call = { .kind = TIMELINE_REQUEST, .method = RG_M_INVITE,
					     .code = 200 };
	const struct timeline_event sub = { .kind = TIMELINE_REQUEST, .method = RG_M_SUBSCRIBE,
					    .code = 200 };
	const struct timeline_event bad = { .kind = TIMELINE_REQUEST, .code = 500 };
	const struct timeline_event no = { .kind = TIMELINE_REJECT };
	const struct timeline_event in = { .kind = TIMELINE_ACCEPT };
	double x = s->left;
	char letter[16];

	for (guint i = 0; i < s->server->len; i++) {
		char *text = g_strdup_printf("%s %s", letter_of(i + 1, letter),
					     (char *)s->server->pdata[i]);
		double width = 24 + (double)strlen(text) * LETTER;

		if (x > s->left && x + width > s->left + PLOT) {
			x = s->left;
			y += TEXT + 6;
		}
		put(s, "<rect x=\"%.1f\" y=\"%.1f\" width=\"12\" height=\"10\" fill=\"%s\" "
		       "stroke=\"#333\" stroke-width=\"0.5\"/>",
		    x, y - 9, colour_of(i + 1));
		put_text(s, x + 16, y, "", text);
		x += width + 8;
		g_free(text);
	}
	x = s->left + 3;
	y += TEXT + 8;
	legend_mark(s, &x, y, &ok, "REGISTER");
	legend_mark(s, &x, y, &bye, "un-REGISTER");
	legend_mark(s, &x, y, &call, "call out");
	legend_mark(s, &x, y, &in, "call in");
	legend_mark(s, &x, y, &sub, "SUBSCRIBE");
	legend_mark(s, &x, y, &bad, "failed");
	legend_mark(s, &x, y, &no, "call refused");
	put(s, "<rect x=\"%.1f\" y=\"%.1f\" width=\"12\" height=\"10\" fill=\"#eee\" "
	       "stroke=\"#333\" stroke-width=\"0.5\"/>",
	    x, y - 9);
	put_text(s, x + 16, y, "", "held or idle");
	put(s, "<rect x=\"%.1f\" y=\"%.1f\" width=\"12\" height=\"10\" fill=\"#333\"/>",
	    x + 116, y - 9);
	put_text(s, x + 132, y, "", "trunk out of service");
}

static double legend_height(const struct svg *s)
{
	return (TEXT + 6) * (2.0 + (double)s->server->len / 5);
}

static double left_of(const struct svg *s)
{
	size_t most = strlen("probes that failed"); /* names have 255 bytes at most */

	for (guint i = 0; i < s->row->len; i++)
		most = MAX(most, strlen(((struct row *)s->row->pdata[i])->name));
	return 20 + LETTER * (double)most;
}

GString *svg_draw(const struct script *script, const struct timeline *t,
		  const GPtrArray *accounts, const GPtrArray *failures)
{
	struct svg s = { .out = g_string_new(NULL), .script = script };
	double bottom, width, height;

	s.rows = g_hash_table_new(g_str_hash, g_str_equal);
	s.row = g_ptr_array_new_with_free_func(g_free);
	s.servers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	s.server = g_ptr_array_new_with_free_func(g_free);
	collect(&s, t, accounts);
	s.left = left_of(&s);
	bottom = TOP + ROW * (double)s.row->len + 4;
	width = s.left + PLOT + RIGHT;
	height = bottom + 40 + legend_height(&s) + (TEXT + 4) * (double)failures->len;
	put(&s, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
		"viewBox=\"0 0 %.0f %.0f\" font-family=\"sans-serif\" font-size=\"%d\">\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
	    width, height, width, height, TEXT);
	put_text(&s, s.left, 24, " font-size=\"16\" font-weight=\"bold\"", script->file);
	axis(&s, bottom);
	names(&s);
	events(&s, t);
	legend(&s, bottom + 40);
	for (guint i = 0; i < failures->len; i++) {
		char **line = g_strsplit(failures->pdata[i], "\n", 2);

		put_text(&s, 20, height - 10 - (TEXT + 4) * (double)(failures->len - 1 - i),
			 " fill=\"#c00\"", line[0]);
		g_strfreev(line);
	}
	put(&s, "</svg>\n");
	g_ptr_array_free(s.server, TRUE);
	g_hash_table_destroy(s.servers);
	g_ptr_array_free(s.row, TRUE);
	g_hash_table_destroy(s.rows);
	return s.out;
}
