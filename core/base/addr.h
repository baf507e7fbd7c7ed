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

enum { RG_ADDR_TEXT = 64 }; /* enough for any printed form, terminator included */

/* "192.0.2.1", "2001:db8::1", "[2001:db8::1]"; the port and transport are left as
 * they are.  false: not a literal address. */
bool rg_addr_parse_ip(struct rg_addr *, const char *text);
/* The same with an optional ":port"; no port leaves port as it was. */
bool rg_addr_parse(struct rg_addr *, const char *text);
/* "192.0.2.1" or "2001:db8::1"; returns buf. */
char *rg_addr_ip(const struct rg_addr *, char buf[RG_ADDR_TEXT]);
/* "192.0.2.1:5060" or "[2001:db8::1]:5060"; returns buf. */
char *rg_addr_text(const struct rg_addr *, char buf[RG_ADDR_TEXT]);
bool rg_addr_same_ip(const struct rg_addr *, const struct rg_addr *);
bool rg_addr_equal(const struct rg_addr *, const struct rg_addr *); /* all but scope */
unsigned rg_addr_hash(const struct rg_addr *);

/* Split "host", "host:port", "[v6]:port" into host (without brackets) and port (0:
 * none).  host has size bytes.  false: malformed or too long. */
bool rg_host_port(const char *text, char *host, size_t size, uint16_t *port);

/* "udp", "tcp", "tls" */
const char *rg_transport_name(uint8_t transport);

#endif
