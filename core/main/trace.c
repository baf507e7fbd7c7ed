/*
 * trace.c -- SIP messages as they pass, for those who watch: a line of JSON each on their
 * control connection.  Nobody is waited for: who does not read loses lines, and is told
 * how many.
 *
 * A watcher of one account gets its REGISTERs and SUBSCRIBEs, and its calls.  Whose call
 * a first INVITE is shows only once it was routed: messages that belong to nobody are
 * kept for a moment, and told when a later one tells whose they are.
 */
#include "main/app.h"

#include <string.h>

#include "sip/precheck.h"

enum { HELD_MOST = 256, HELD_BYTES = 1 << 20, KNOWN_MOST = 4096 };

struct held { /* a message of nobody yet */
	char *call_id, *line;
	size_t n;
};

struct watcher {
	struct control_conn *conn;
	char *account;	   /* NULL: every message */
	GHashTable *known; /* Call-IDs of its calls */
	GQueue order;	   /* the same, the oldest first */
	GQueue held;
	size_t held_bytes;
	uint64_t lost;
};

struct trace {
	struct app *app;
	GPtrArray *watcher;
};

/* ---- one message ------------------------------------------------------------------------- */

static struct span call_id_of(const char *data, size_t n)
{
	const char *end = data + n, *p = memchr(data, '\n', n);
	struct span none = { NULL, 0 };

	for (p = p ? p + 1 : end; p < end && *p != '\r' && *p != '\n';) {
		const char *lf = memchr(p, '\n', (size_t)(end - p)), *eol = lf ? lf : end;
		const char *colon = memchr(p, ':', (size_t)(eol - p));
		struct span name = span_trim((struct span){ p, colon ? (size_t)(colon - p) : 0 });

		if (span_is(name, "Call-ID") || span_is(name, "i"))
			return span_trim((struct span){ colon + 1, (size_t)(eol - colon) - 1 });
		p = lf ? lf + 1 : end;
	}
	return none;
}

/* Bytes that are no UTF-8 are replaced. */
static json_t *text(const char *s, size_t n)
{
	json_t *j = json_stringn(s, n);
	char *valid;

	if (j)
		return j;
	valid = g_utf8_make_valid(s, (gssize)n);
	j = json_string(valid);
	g_free(valid);
	return j;
}

static char *line_of(bool sent, const struct rg_addr *local, const struct rg_addr *peer,
		     const char *account, const char *data, size_t n)
{
	char here[RG_ADDR_TEXT], there[RG_ADDR_TEXT], at[CALL_TIME], *line;
	json_t *o = json_object();

	json_object_set_new(o, "at", json_string(call_time(g_get_real_time() / 1000, at)));
	json_object_set_new(o, "sent", json_boolean(sent));
	json_object_set_new(o, "transport", json_string(rg_transport_name(peer->transport)));
	json_object_set_new(o, "local", json_string(rg_addr_text(local, here)));
	json_object_set_new(o, "peer", json_string(rg_addr_text(peer, there)));
	json_object_set_new(o, "account", *account ? text(account, strlen(account)) : json_null());
	json_object_set_new(o, "message", text(data, n));
	line = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return line;
}

/* ---- one watcher -------------------------------------------------------------------------- */

static void tell(struct watcher *w, const char *line, size_t n)
{
	char count[64];

	if (w->lost) {
		g_snprintf(count, sizeof count, "{\"lost\":%" G_GUINT64_FORMAT "}", w->lost);
		if (control_line(w->conn, count, strlen(count)))
			w->lost = 0;
	}
	if (w->lost || !control_line(w->conn, line, n))
		w->lost++;
}

static void held_free(struct watcher *w, struct held *h)
{
	w->held_bytes -= h->n;
	g_free(h->call_id);
	free(h->line);
	g_free(h);
}

static void hold(struct watcher *w, char *call_id, char *line)
{
	struct held *h = g_new(struct held, 1);

	*h = (struct held){ call_id, line, strlen(line) };
	g_queue_push_tail(&w->held, h);
	w->held_bytes += h->n;
	while (w->held.length > HELD_MOST || w->held_bytes > HELD_BYTES)
		held_free(w, g_queue_pop_head(&w->held));
}

static void know(struct watcher *w, const char *call_id)
{
	char *copy;

	if (!*call_id || g_hash_table_contains(w->known, call_id))
		return;
	copy = g_strdup(call_id);
	g_hash_table_add(w->known, copy);
	g_queue_push_tail(&w->order, copy);
	if (w->order.length > KNOWN_MOST)
		g_hash_table_remove(w->known, g_queue_pop_head(&w->order));
}

/* What was held, and turns out to be of a call of the account. */
static void release(struct watcher *w)
{
	GList *next;

	for (GList *l = w->held.head; l; l = next) {
		struct held *h = l->data;

		next = l->next;
		if (!g_hash_table_contains(w->known, h->call_id))
			continue;
		tell(w, h->line, h->n);
		g_queue_delete_link(&w->held, l);
		held_free(w, h);
	}
}

static bool is_of(struct app *app, struct watcher *w, const char *call_id,
		  const struct relay_call_info *call)
{
	const struct reg_dialogue *d;

	if (call && !strcmp(call->route.account, w->account)) {
		know(w, call->call_id[0]);
		know(w, call->call_id[1]);
		know(w, call_id);
		release(w);
		return true;
	}
	if (g_hash_table_contains(w->known, call_id))
		return true;
	d = reg_engine_dialogue(app->engine, w->account);
	return d && sip_stack_is_of(d, call_id);
}

static void offer(struct app *app, struct watcher *w, char *call_id, char *line,
		  const struct relay_call_info *call)
{
	if (!w->account || is_of(app, w, call_id, call))
		tell(w, line, strlen(line));
	else if (!call || !*call->route.account) /* else it is somebody else's */
		hold(w, g_strdup(call_id), strdup(line));
}

static void passed(void *arg, bool sent, const struct rg_addr *local, const struct rg_addr *peer,
		   const char *data, size_t n)
{
	struct trace *t = arg;
	struct span id = call_id_of(data, n);
	char *call_id = g_strndup(id.p ? id.p : "", id.n);
	struct relay_call_info x;
	bool found = id.n && relay_find(t->app->relay, call_id, id.n, &x);
	char *line = line_of(sent, local, peer, found ? x.route.account : "", data, n);

	for (guint i = 0; line && i < t->watcher->len; i++)
		offer(t->app, t->watcher->pdata[i], call_id, line, found ? &x : NULL);
	free(line);
	g_free(call_id);
}

/* ---- coming and going ---------------------------------------------------------------------- */

json_t *command_trace(struct app *app, json_t *args, struct control_conn *conn)
{
	const char *name = json_string_value(json_object_get(args, "account"));
	struct reg_account_info *x = g_new0(struct reg_account_info, 1);
	struct watcher *w;

	if (name && !reg_engine_find(app->engine, name, x)) {
		g_free(x);
		return command_no_account(app, name);
	}
	w = g_new0(struct watcher, 1);
	w->conn = conn;
	w->account = name ? g_strdup(x->name) : NULL;
	w->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_free(x);
	if (!app->trace) {
		app->trace = g_new0(struct trace, 1);
		app->trace->app = app;
		app->trace->watcher = g_ptr_array_new();
		sip_stack_trace(app->stack, passed, app->trace);
	}
	g_ptr_array_add(app->trace->watcher, w);
	control_stream(conn);
	return json_pack("{s:b,s:{s:s?}}", "ok", 1, "data", "account", w->account);
}

static void watcher_free(struct watcher *w)
{
	while (w->held.length)
		held_free(w, g_queue_pop_head(&w->held));
	g_queue_clear(&w->order);
	g_hash_table_destroy(w->known);
	g_free(w->account);
	g_free(w);
}

void trace_forget(struct app *app, struct control_conn *conn)
{
	GPtrArray *all = app->trace->watcher;

	for (guint i = all->len; i-- > 0;)
		if (((struct watcher *)all->pdata[i])->conn == conn)
			watcher_free(g_ptr_array_remove_index(all, i));
	if (all->len)
		return;
	sip_stack_trace(app->stack, NULL, NULL);
	g_ptr_array_free(all, TRUE);
	g_free(app->trace);
	app->trace = NULL;
}
