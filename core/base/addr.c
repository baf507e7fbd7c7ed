#include "base/addr.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "regway/plugin.h"

/* A socket for IPv6 alone reaches no IPv4 address, however it is written. */
static bool is_mapped(const uint8_t ip[16])
{
	static const uint8_t prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	return !memcmp(ip, prefix, sizeof prefix);
}

static bool parse_v6(struct rg_addr *a, const char *text, size_t n)
{
	char buf[RG_ADDR_TEXT], *zone;

	if (n >= sizeof buf)
		return false;
	memcpy(buf, text, n);
	buf[n] = '\0';
	zone = strchr(buf, '%');
	if (zone)
		*zone++ = '\0';
	if (inet_pton(AF_INET6, buf, a->ip) != 1)
		return false;
	a->family = 6;
	a->scope = zone ? if_nametoindex(zone) : 0;
	if (is_mapped(a->ip)) {
		memmove(a->ip, a->ip + 12, 4);
		memset(a->ip + 4, 0, 12);
		a->family = 4;
	}
	return !zone || a->scope;
}

bool rg_addr_parse_ip(struct rg_addr *a, const char *text)
{
	size_t n = strlen(text);

	if (n > 1 && text[0] == '[' && text[n - 1] == ']')
		return parse_v6(a, text + 1, n - 2);
	if (strchr(text, ':'))
		return parse_v6(a, text, n);
	if (inet_pton(AF_INET, text, a->ip) != 1)
		return false;
	memset(a->ip + 4, 0, 12);
	a->family = 4;
	a->scope = 0;
	return true;
}

bool rg_host_port(const char *text, char *host, size_t size, uint16_t *port)
{
	const char *end, *digits = NULL;
	size_t n;

	*port = 0;
	if (text[0] == '[') {
		end = strchr(text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return false;
		digits = end[1] ? end + 2 : NULL;
		text++;
	} else {
		end = strchr(text, ':');
		if (end && strchr(end + 1, ':'))
			end = NULL; /* a bare IPv6 address */
		digits = end ? end + 1 : NULL;
		if (!end)
			end = text + strlen(text);
	}
	n = (size_t)(end - text);
	if (!n || n >= size)
		return false;
	if (digits) {
		char *rest;
		long p = strtol(digits, &rest, 10);

		if (*digits < '0' || *digits > '9' || *rest || p < 1 || p > 65535)
			return false;
		*port = (uint16_t)p;
	}
	memcpy(host, text, n);
	host[n] = '\0';
	return true;
}

bool rg_addr_parse(struct rg_addr *a, const char *text)
{
	char host[RG_ADDR_TEXT];
	uint16_t port;

	if (!rg_host_port(text, host, sizeof host, &port) || !rg_addr_parse_ip(a, host))
		return false;
	if (port)
		a->port = port;
	return true;
}

char *rg_addr_ip(const struct rg_addr *a, char buf[RG_ADDR_TEXT])
{
	buf[0] = '\0';
	if (a->family)
		inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->ip, buf, RG_ADDR_TEXT);
	return buf;
}

char *rg_addr_text(const struct rg_addr *a, char buf[RG_ADDR_TEXT])
{
	char ip[RG_ADDR_TEXT], zone[IF_NAMESIZE] = "";

	if (a->family != 6)
		snprintf(buf, RG_ADDR_TEXT, "%.46s:%u", rg_addr_ip(a, ip), a->port);
	else if (a->scope && if_indextoname(a->scope, zone))
		snprintf(buf, RG_ADDR_TEXT, "[%.46s%%%s]:%u", rg_addr_ip(a, ip), zone, a->port);
	else
		snprintf(buf, RG_ADDR_TEXT, "[%.46s]:%u", rg_addr_ip(a, ip), a->port);
	return buf;
}

bool rg_addr_same_ip(const struct rg_addr *a, const struct rg_addr *b)
{
	return a->family == b->family && !memcmp(a->ip, b->ip, sizeof a->ip) &&
	       (a->scope == b->scope || !a->scope || !b->scope);
}

bool rg_addr_equal(const struct rg_addr *a, const struct rg_addr *b)
{
	return rg_addr_same_ip(a, b) && a->port == b->port && a->transport == b->transport;
}

unsigned rg_addr_hash(const struct rg_addr *a)
{
	unsigned h = 2166136261u;

	for (size_t i = 0; i < sizeof a->ip; i++)
		h = (h ^ a->ip[i]) * 16777619u;
	h = (h ^ (a->port & 0xff)) * 16777619u;
	h = (h ^ (unsigned)(a->port >> 8)) * 16777619u;
	return (h ^ a->transport) * 16777619u;
}

char *rg_tls_name(const char *domain, const char *context, char buf[RG_TLS_NAME])
{
	bool other = *context && strcasecmp(context, "default");

	snprintf(buf, RG_TLS_NAME, "%.255s%s%.255s", domain, other ? "," : "",
		 other ? context : "");
	return buf;
}

size_t rg_tls_domain(const char *tls_name)
{
	return strcspn(tls_name, ",");
}

const char *rg_transport_name(uint8_t transport)
{
	return transport == RG_TLS ? "tls" : transport == RG_TCP ? "tcp" : "udp";
}

bool rg_addr_is_host(const struct rg_addr *a)
{
	static const uint8_t none[16];

	if (a->family == 4)
		return a->ip[0] && a->ip[0] < 224;
	return a->family == 6 && a->ip[0] != 0xff && memcmp(a->ip, none, sizeof none);
}
