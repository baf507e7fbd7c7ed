#include "sip/reginfo.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <strings.h>

#include "regway/plugin.h"

static const char namespace[] = "urn:ietf:params:xml:ns:reginfo";

enum state { INIT, ACTIVE, TERMINATED };

/* How sure it is that a Contact is ours. */
enum match { FOREIGN, POSSIBLE, BEFORE, SAME_URI, OUR_TOKEN, OUR_TOKEN_AND_URI };

struct contact {
	uint8_t state, what, match;
	uint32_t expires, retry_after;
	uint64_t id, uri;
};

struct registration {
	uint8_t state;
	bool ours; /* by its address of record */
	unsigned contacts;
	struct contact best; /* match FOREIGN: none */
};

struct reader {
	const struct reginfo_self *self;
	const struct reginfo_watch *watch;
	unsigned depth, known, elements; /* known: depth of the last element we know */
	size_t prefix;			 /* bytes of the namespace prefix with its colon */
	char prefix_text[32];
	bool full;
	uint32_t version;
	struct registration reg;
	struct contact contact;
	char uri[REGINFO_URI];
	size_t uri_len;
	/* the outcome, by who says it */
	unsigned registrations;
	bool aor_seen;
	struct contact aor, sole, sure;
};

static uint64_t hash(const char *p, size_t n)
{
	uint64_t v = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n; i++)
		v = (v ^ (unsigned char)p[i]) * 0x100000001b3u;
	return v;
}

/* ---- attributes ---------------------------------------------------------------------- */

static bool refuse(GError **err, const char *why)
{
	g_set_error_literal(err, G_MARKUP_ERROR, G_MARKUP_ERROR_INVALID_CONTENT, why);
	return false;
}

static const char *attribute(const char **names, const char **values, const char *name)
{
	for (; *names; names++, values++)
		if (!strcmp(*names, name))
			return *values;
	return NULL;
}

/* An unsigned number; one above 32 bits is clipped. */
static bool number(const char *text, uint32_t *out)
{
	struct span s;
	uint32_t n;

	*out = 0;
	if (!text)
		return true;
	s = span_trim((struct span){ text, strlen(text) });
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	*out = span_number(s, UINT32_MAX, &n) ? n : UINT32_MAX;
	return s.n;
}

static bool one_of(const char *text, const char *const *words, uint8_t *out)
{
	for (uint8_t i = 0; text && words[i]; i++)
		if (!strcmp(text, words[i])) {
			*out = i;
			return true;
		}
	return false;
}

/* ---- elements ------------------------------------------------------------------------ */

static bool begin_document(struct reader *r, const char *name, const char **names,
			   const char **values, GError **err)
{
	static const char *const states[] = { "partial", "full", NULL };
	const char *colon = strchr(name, ':'), *ns, *version;
	char xmlns[48] = "xmlns";
	uint8_t full;

	if (colon) {
		r->prefix = (size_t)(colon - name) + 1;
		if (r->prefix > sizeof r->prefix_text)
			return refuse(err, "prefix too long");
		memcpy(r->prefix_text, name, r->prefix);
		xmlns[5] = ':';
		memcpy(xmlns + 6, name, r->prefix - 1);
		xmlns[5 + r->prefix] = '\0';
	}
	ns = attribute(names, values, xmlns);
	version = attribute(names, values, "version");
	if (strcmp(name + r->prefix, "reginfo") || (ns && strcmp(ns, namespace)))
		return refuse(err, "not reginfo");
	if (!version || !number(version, &r->version) ||
	    !one_of(attribute(names, values, "state"), states, &full))
		return refuse(err, "reginfo without version or state");
	r->full = full;
	return true;
}

static bool same_aor(struct span a, struct span b)
{
	struct sip_uri_part x, y;

	return sip_uri_part(a, &x) && sip_uri_part(b, &y) && span_equal(x.user, y.user) &&
	       span_equal_case(x.host, y.host);
}

static bool begin_registration(struct reader *r, const char **names, const char **values,
			       GError **err)
{
	static const char *const states[] = { "init", "active", "terminated", NULL };
	const char *aor = attribute(names, values, "aor");

	r->reg = (struct registration){ 0 };
	if (!aor || !one_of(attribute(names, values, "state"), states, &r->reg.state))
		return refuse(err, "registration without aor or state");
	r->reg.ours = same_aor((struct span){ aor, strlen(aor) }, r->self->aor);
	return true;
}

/* The state counts; the event says how it came about. */
static uint8_t meaning(uint8_t state, const char *event)
{
	static const struct {
		const char *event;
		uint8_t state, what;
	} rows[] = {
		{ "refreshed", ACTIVE, RG_N_REFRESHED },
		{ "shortened", ACTIVE, RG_N_SHORTENED },
		{ "probation", TERMINATED, RG_N_PROBATION },
		{ "deactivated", TERMINATED, RG_N_DEACTIVATED },
		{ "rejected", TERMINATED, RG_N_REJECTED },
		{ "unregistered", TERMINATED, RG_N_UNREGISTERED },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		if (rows[i].state == state && !strcmp(rows[i].event, event))
			return rows[i].what;
	return state == ACTIVE ? RG_N_ACTIVE : RG_N_TERMINATED;
}

static bool begin_contact(struct reader *r, const char **names, const char **values,
			  GError **err)
{
	static const char *const states[] = { "", "active", "terminated", NULL };
	const char *event = attribute(names, values, "event");
	const char *id = attribute(names, values, "id");
	struct contact *c = &r->contact;

	*c = (struct contact){ 0 };
	r->uri_len = 0;
	if (!event || !one_of(attribute(names, values, "state"), states, &c->state) || !c->state)
		return refuse(err, "contact without state or event");
	if (!number(attribute(names, values, "expires"), &c->expires) ||
	    !number(attribute(names, values, "retry-after"), &c->retry_after))
		return refuse(err, "contact with a bad number");
	c->what = meaning(c->state, event);
	c->id = id ? hash(id, strlen(id)) : 0;
	r->reg.contacts++;
	return true;
}

/* ---- which one is ours ---------------------------------------------------------------- */

static bool was_ours(const struct reginfo_watch *w, const struct contact *c)
{
	return w->known && ((c->id && c->id == w->id) || (c->uri && c->uri == w->uri));
}

static enum match match(const struct reader *r, struct span uri, const struct contact *c)
{
	struct sip_uri_part u;
	struct span rg = { NULL, 0 };
	bool same = uri.n && sip_uri_same(uri, r->self->uri);

	if (uri.n && sip_uri_part(uri, &u))
		rg = span_param(u.params, "rg");
	if (rg.n == SIP_CONTACT_TOKEN && !strncasecmp(rg.p, r->self->token, rg.n))
		return same ? OUR_TOKEN_AND_URI : OUR_TOKEN;
	if (rg.p)
		return FOREIGN;
	if (same)
		return SAME_URI;
	return was_ours(r->watch, c) ? BEFORE : POSSIBLE;
}

/* An old Contact of ours, from another address or port, may end while the one we have now
 * lives: in a partial state only its own end counts. */
static bool outdated(const struct reader *r, const struct contact *c)
{
	return !r->full && c->state == TERMINATED && c->match != OUR_TOKEN_AND_URI &&
	       r->watch->known && !was_ours(r->watch, c);
}

static bool better(const struct contact *a, const struct contact *b)
{
	if ((a->match > POSSIBLE) != (b->match > POSSIBLE))
		return a->match > b->match;
	if (a->match > POSSIBLE && a->state != b->state)
		return a->state == ACTIVE;
	return a->match > b->match;
}

static void end_contact(struct reader *r)
{
	struct span uri = span_trim((struct span){ r->uri, r->uri_len });
	struct contact *c = &r->contact;

	if (r->uri_len == sizeof r->uri)
		uri.n = 0;
	c->uri = uri.n ? hash(uri.p, uri.n) : 0;
	c->match = (uint8_t)match(r, uri, c);
	if (!outdated(r, c) && better(c, &r->reg.best))
		r->reg.best = *c;
}

static const struct contact gone = { .state = TERMINATED, .what = RG_N_TERMINATED };

/* What a registration as a whole says about us. */
static struct contact conclude(const struct reader *r)
{
	const struct registration *g = &r->reg;
	const struct contact *c = &g->best;
	bool over = g->state == TERMINATED;

	if (c->match > POSSIBLE ||
	    (c->match == POSSIBLE && g->contacts == 1 && !r->watch->known && (r->full || over)))
		return over && c->state == ACTIVE ? gone : *c;
	if (over || (r->full && r->watch->known))
		return gone;
	return (struct contact){ .what = RG_N_NONE };
}

static void end_registration(struct reader *r)
{
	struct contact c = conclude(r);

	if (!r->registrations++)
		r->sole = c;
	if (c.match > POSSIBLE && better(&c, &r->sure))
		r->sure = c;
	if (r->reg.ours && (!r->aor_seen || better(&c, &r->aor)))
		r->aor = c;
	r->aor_seen |= r->reg.ours;
}

/* ---- the document ---------------------------------------------------------------------- */

/* The name as we know it; NULL: of another namespace. */
static const char *local(const struct reader *r, const char *name)
{
	if (strncmp(name, r->prefix_text, r->prefix))
		return NULL;
	return strchr(name + r->prefix, ':') ? NULL : name + r->prefix;
}

static bool begin_known(struct reader *r, const char *element, const char **names,
			const char **values, GError **err)
{
	static const char *const path[] = { "", "reginfo", "registration", "contact", "uri" };
	const char *name = r->depth > 1 ? local(r, element) : element;

	if (r->depth == 1 && !begin_document(r, element, names, values, err))
		return false;
	if (r->depth >= G_N_ELEMENTS(path) || !name ||
	    (r->depth > 1 && strcmp(name, path[r->depth])))
		return true;
	if (r->depth == 2 && !begin_registration(r, names, values, err))
		return false;
	if (r->depth == 3 && !begin_contact(r, names, values, err))
		return false;
	r->known = r->depth;
	return true;
}

static void start_element(GMarkupParseContext *ctx, const char *element, const char **names,
			  const char **values, gpointer arg, GError **err)
{
	struct reader *r = arg;
	unsigned n = 0;

	(void)ctx;
	while (names[n])
		n++;
	if (++r->elements > REGINFO_ELEMENTS || r->depth == REGINFO_DEPTH ||
	    n > REGINFO_ATTRIBUTES)
		refuse(err, "beyond the limits");
	else if (r->elements > 1 && !r->depth)
		refuse(err, "more than one document");
	else if (++r->depth == r->known + 1)
		begin_known(r, element, names, values, err);
}

static void end_element(GMarkupParseContext *ctx, const char *element, gpointer arg, GError **err)
{
	struct reader *r = arg;

	(void)ctx, (void)element, (void)err;
	if (r->depth-- != r->known)
		return;
	if (r->known == 3)
		end_contact(r);
	else if (r->known == 2)
		end_registration(r);
	r->known--;
}

static void text(GMarkupParseContext *ctx, const char *p, gsize n, gpointer arg, GError **err)
{
	struct reader *r = arg;

	(void)ctx, (void)err;
	if (r->depth != 4 || r->known != 4)
		return;
	n = MIN(n, sizeof r->uri - r->uri_len);
	memcpy(r->uri + r->uri_len, p, n);
	r->uri_len += n;
}

/* Neither DOCTYPE nor ENTITY: a declaration is nowhere needed. */
static bool declares(const char *p, size_t n)
{
	const char *end = p + n;

	while ((p = memmem(p, (size_t)(end - p), "<!", 2)) != NULL) {
		p += 2;
		if (p == end || (*p != '-' && *p != '['))
			return true;
	}
	return false;
}

static int parse(struct reader *r, const char *body, size_t n)
{
	static const GMarkupParser parser = { start_element, end_element, text, NULL, NULL };
	GMarkupParseContext *ctx;
	bool good;

	if (n >= 3 && !memcmp(body, "\xef\xbb\xbf", 3))
		body += 3, n -= 3;
	if (!n || n > REGINFO_MOST || !g_utf8_validate(body, (gssize)n, NULL) ||
	    declares(body, n))
		return EBADMSG;
	ctx = g_markup_parse_context_new(&parser, G_MARKUP_TREAT_CDATA_AS_TEXT, r, NULL);
	good = g_markup_parse_context_parse(ctx, body, (gssize)n, NULL) &&
	       g_markup_parse_context_end_parse(ctx, NULL) && r->elements;
	g_markup_parse_context_free(ctx);
	return good ? 0 : EBADMSG;
}

/* false: nothing is to be learnt from it. */
static bool in_step(const struct reader *r, struct reginfo_watch *w, struct reginfo_news *news)
{
	bool next = w->begun && r->version == w->version + 1;

	if (r->full) {
		w->out_of_step = false;
	} else if (w->begun && r->version <= w->version) {
		return false;
	} else if (!next) {
		news->gap = !w->out_of_step;
		w->out_of_step = true;
	}
	w->begun = true;
	w->version = r->version;
	return r->full || next;
}

static struct contact outcome(const struct reader *r)
{
	if (r->aor_seen)
		return r->aor;
	if (r->watch->aor_known)
		return (struct contact){ .what = RG_N_NONE };
	return r->registrations == 1 ? r->sole : r->sure;
}

int reginfo_read(struct reginfo_watch *w, const struct reginfo_self *self, const char *body,
		 size_t n, struct reginfo_news *news)
{
	struct reader r = { .self = self, .watch = w };
	struct contact c;

	*news = (struct reginfo_news){ .what = RG_N_NONE };
	if (parse(&r, body, n))
		return EBADMSG;
	c = outcome(&r);
	if (!in_step(&r, w, news))
		return 0;
	w->aor_known |= r.aor_seen;
	*news = (struct reginfo_news){ c.what, false, c.expires, c.retry_after };
	if (c.what == RG_N_NONE)
		return 0;
	w->known = c.state == ACTIVE;
	w->id = c.id;
	w->uri = c.uri;
	return 0;
}
