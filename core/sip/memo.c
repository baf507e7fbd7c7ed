#include "sip/memo.h"

#include <glib.h>
#include <string.h>

#include "sip/translate.h"

enum { GRUU_MOST = 255 };

void sip_memo_forget_nonces(struct sip_memo *m)
{
	digest_free(m->www);
	digest_free(m->proxy);
	m->www = m->proxy = NULL;
}

static void clear(struct sip_memo *m)
{
	sip_memo_forget_nonces(m);
	g_free(m->service_route);
	g_free(m->path);
	g_free(m->associated);
	g_free(m->security);
	g_free(m->gruu);
	memset(m, 0, sizeof *m);
}

struct sip_memo *sip_memo_new(const struct rg_addr *server)
{
	struct sip_memo *m = g_new0(struct sip_memo, 1);

	m->server = *server;
	return m;
}

void sip_memo_free(struct sip_memo *m)
{
	if (!m)
		return;
	clear(m);
	g_free(m);
}

void sip_memo_drop(struct reg_dialogue *d)
{
	sip_memo_free(d->memo);
	d->memo = NULL;
}

struct sip_memo *sip_memo_for(struct reg_dialogue *d, const struct rg_addr *server)
{
	struct sip_memo *m = d->memo;

	if (!m)
		d->memo = m = g_new0(struct sip_memo, 1);
	if (!rg_addr_equal(&m->server, server)) {
		clear(m);
		m->server = *server;
	}
	return m;
}

/* All lines of a field as one, or NULL.  What is too long is not kept at all, but for those of
 * which the first values do: then as many as there is room for. */
static char *joined(const struct sip_head *h, enum sip_field f, bool first)
{
	struct span line, value;
	GString *s = NULL;
	unsigned at = 0;

	if (!h->first[f])
		return NULL;
	s = g_string_new(NULL);
	while (sip_next(h, f, &at, &line)) {
		while (span_value(&line, &value)) {
			if (first && s->len + 2 + value.n > SIP_MEMO_TEXT)
				break;
			if (s->len)
				g_string_append(s, ", ");
			for (size_t i = 0; i < value.n; i++)
				g_string_append_c(s, value.p[i] == '\r' || value.p[i] == '\n' ?
							     ' ' : value.p[i]);
		}
	}
	return g_string_free(s, !s->len || s->len > SIP_MEMO_TEXT);
}

/* As joined(), each value once: a proxy takes two that are equal for a forgery (403). */
static char *joined_once(const struct sip_head *h, enum sip_field f)
{
	char *all = joined(h, f, false);
	struct span rest = { all, all ? strlen(all) : 0 }, value;
	GString *s = g_string_new(NULL);

	while (rest.n && span_value(&rest, &value)) {
		struct span seen = { s->str, s->len }, other;
		bool twice = false;

		while (!twice && seen.n && span_value(&seen, &other))
			twice = span_equal_case(other, value);
		if (twice)
			continue;
		if (s->len)
			g_string_append(s, ", ");
		g_string_append_len(s, value.p, (gssize)value.n);
	}
	g_free(all);
	return g_string_free(s, !s->len);
}

static void replace(char **kept, char *now)
{
	g_free(*kept);
	*kept = now;
}

static void info(struct digest *d, struct span v)
{
	if (d && v.p)
		digest_info(d, v.p, v.n);
}

void sip_memo_take(struct sip_memo *m, const struct sip_head *h)
{
	if (h->first[H_SERVICE_ROUTE] || m->service_route)
		replace(&m->service_route, joined(h, H_SERVICE_ROUTE, false));
	if (h->first[H_PATH] || m->path)
		replace(&m->path, joined(h, H_PATH, false));
	if (h->first[H_P_ASSOCIATED_URI] || m->associated)
		replace(&m->associated, joined(h, H_P_ASSOCIATED_URI, true));
	info(m->www, sip_value(h, H_AUTHENTICATION_INFO));
	info(m->proxy, sip_value(h, H_PROXY_AUTHENTICATION_INFO));
}

bool sip_seen(const struct sip_head *h, struct rg_addr *seen)
{
	struct sip_via_part via;
	struct span received, rport;
	char text[RG_ADDR_TEXT];
	uint32_t port;

	if (!sip_via_part(sip_value(h, H_VIA), &via))
		return false;
	received = span_param(via.params, "received");
	if (!received.n)
		received = via.host;
	if (received.n >= sizeof text)
		return false;
	memcpy(text, received.p, received.n);
	text[received.n] = '\0';
	if (!rg_addr_parse_ip(seen, text) || !rg_addr_is_host(seen))
		return false;
	rport = span_param(via.params, "rport");
	seen->port = rport.n && span_number(rport, 65535, &port) ? (uint16_t)port : via.port;
	return true;
}

bool sip_memo_security(struct sip_memo *m, const struct sip_head *h)
{
	char *now = joined_once(h, H_SECURITY_SERVER);
	bool news = g_strcmp0(now, m->security);

	if (now || h->code == 401 || h->code == 407)
		replace(&m->security, now);
	return now && news;
}

void sip_memo_gruu(struct sip_memo *m, struct span params, uint8_t which)
{
	struct span v = { NULL, 0 };
	struct sip_uri u;

	if (which)
		v = span_param(params, which == REG_GRUU_TEMPORARY ? "temp-gruu" : "pub-gruu");
	replace(&m->gruu, v.n && v.n <= GRUU_MOST && sip_uri_parse(v, &u) && u.host.n ?
				  g_strndup(v.p, v.n) : NULL);
}

bool sip_memo_saw(struct sip_memo *m, const struct sip_head *h)
{
	struct rg_addr seen = { .transport = m->server.transport };

	if (!sip_seen(h, &seen) || rg_addr_equal(&seen, &m->seen))
		return false;
	m->seen = seen;
	return true;
}
