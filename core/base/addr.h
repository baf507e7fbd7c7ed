/* addr.h -- a transport address, small enough to be kept in numbers. */
#ifndef RG_BASE_ADDR_H
#define RG_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Network byte order in ip; port in host order, 0 none. */
struct rg_addr {
	uint8_t ip[16];
	uint32_t scope; /* IPv6 link-local interface index */
	uint16_t port;
	uint8_t family; /* 0 none, 4, 6 */
	uint8_t transport; /* enum rg_transport */
};

enum { RG_ADDR_TEXT = 80 }; /* enough for any printed form, terminator included */

/* "192.0.2.1", "2001:db8::1", "[2001:db8::1]", "fe80::1%eth0"; one that maps an IPv4
 * address (RFC 4291 2.5.5.2) is that.  The port and transport are left as they are.
 * false: not a literal address. */
bool rg_addr_parse_ip(struct rg_addr *, const char *text);
/* The same with an optional ":port"; no port leaves port as it was. */
bool rg_addr_parse(struct rg_addr *, const char *text);
/* "192.0.2.1" or "2001:db8::1", without the scope, which means nothing to others (RFC
 * 4007 11.2); returns buf. */
char *rg_addr_ip(const struct rg_addr *, char buf[RG_ADDR_TEXT]);
/* "192.0.2.1:5060", "[2001:db8::1]:5060" or, for ourselves, "[fe80::1%eth0]:5060";
 * returns buf. */
char *rg_addr_text(const struct rg_addr *, char buf[RG_ADDR_TEXT]);
/* Can one host be there?  Not at "this host", at a group of hosts, or in class E. */
bool rg_addr_is_host(const struct rg_addr *);
/* The same address; of two scopes, which differ, both must be known to tell. */
bool rg_addr_same_ip(const struct rg_addr *, const struct rg_addr *);
bool rg_addr_equal(const struct rg_addr *, const struct rg_addr *); /* all of it */
unsigned rg_addr_hash(const struct rg_addr *);

/* Split "host", "host:port", "[v6]:port" into host (without brackets) and port (0:
 * none).  host has size bytes.  false: malformed or too long. */
bool rg_host_port(const char *text, char *host, size_t size, uint16_t *port);

/* Whom a TLS connection must reach, as one string: the configured domain or address, and
 * after a comma the TLS context if that is not "default".  Returns buf. */
enum { RG_TLS_NAME = 520 };
char *rg_tls_name(const char *domain, const char *context, char buf[RG_TLS_NAME]);
size_t rg_tls_domain(const char *tls_name); /* length of the domain in it */

/* "udp", "tcp", "tls" */
const char *rg_transport_name(uint8_t transport);

#endif
