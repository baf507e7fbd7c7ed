#include "sip/memo.h"

#include <glib.h>
#include <string.h>

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
	memset(m, 0, sizeof *m);
}

void sip_memo_drop(struct reg_dialogue *d)
{
	if (!d->memo)
		return;
	clear(d->memo);
	g_free(d->memo);
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

/* All lines of a field as one, or NULL; one that is too long is not kept at all. */
static char *joined(const struct sip_head *h, enum sip_field f)
{
	struct span line, value;
	GString *s = NULL;
	unsigned at = 0;

	if (!h->first[f])
		return NULL;
	s = g_string_new(NULL);
	while (sip_next(h, f, &at, &line)) {
		while (span_value(&line, &value)) {
			if (s->len)
				g_string_append(s, ", ");
			for (size_t i = 0; i < value.n; i++)
				g_string_append_c(s, value.p[i] == '\r' || value.p[i] == '\n' ?
							     ' ' : value.p[i]);
		}
	}
	return g_string_free(s, !s->len || s->len > SIP_MEMO_TEXT);
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
		replace(&m->service_route, joined(h, H_SERVICE_ROUTE));
	if (h->first[H_PATH] || m->path)
		replace(&m->path, joined(h, H_PATH));
	if (h->first[H_P_ASSOCIATED_URI] || m->associated)
		replace(&m->associated, joined(h, H_P_ASSOCIATED_URI));
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
	if (!rg_addr_parse_ip(seen, text))
		return false;
	rport = span_param(via.params, "rport");
	seen->port = rport.n && span_number(rport, 65535, &port) ? (uint16_t)port : via.port;
	return true;
}

bool sip_memo_saw(struct sip_memo *m, const struct sip_head *h)
{
	struct rg_addr seen = { .transport = m->server.transport };

	if (!sip_seen(h, &seen) || rg_addr_equal(&seen, &m->seen))
		return false;
	m->seen = seen;
	return true;
}
