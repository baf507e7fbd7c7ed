#include "sip/hop.h"

#include <arpa/inet.h>
#include <string.h>

socklen_t sip_sockaddr(union sip_sockaddr *s, const struct rg_addr *a)
{
	memset(s, 0, sizeof *s);
	if (a->family == 6) {
		s->in6.sin6_family = AF_INET6;
		s->in6.sin6_port = htons(a->port);
		s->in6.sin6_scope_id = a->scope;
		memcpy(&s->in6.sin6_addr, a->ip, 16);
		return sizeof s->in6;
	}
	s->in.sin_family = AF_INET;
	s->in.sin_port = htons(a->port);
	if (a->family)
		memcpy(&s->in.sin_addr, a->ip, 4);
	return sizeof s->in;
}

void sip_sockaddr_get(const union sip_sockaddr *s, struct rg_addr *a)
{
	memset(a->ip, 0, sizeof a->ip);
	a->scope = 0;
	if (s->sa.sa_family == AF_INET6) {
		a->family = 6;
		a->port = ntohs(s->in6.sin6_port);
		a->scope = s->in6.sin6_scope_id;
		memcpy(a->ip, &s->in6.sin6_addr, 16);
		return;
	}
	a->family = 4;
	a->port = ntohs(s->in.sin_port);
	memcpy(a->ip, &s->in.sin_addr, 4);
}

bool sip_addr_is_any(const struct rg_addr *a)
{
	static const uint8_t zero[16];

	return !a->family || !memcmp(a->ip, zero, a->family == 6 ? 16 : 4);
}
