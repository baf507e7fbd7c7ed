#include "sip/dnsanswer.h"

#include <ares.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

enum { HEADER = 12, TYPE_A = 1, TYPE_CNAME = 5, TYPE_AAAA = 28, CLASS_IN = 1 };
enum { RECORDS_READ = 512 }; /* of a message; more than any that is meant well has */

struct message {
	const uint8_t *p;
	size_t len, answers; /* len fits an int: that is what c-ares takes */
	size_t first;	     /* where the answers begin */
};

struct record {
	char name[DNS_NAME];
	uint16_t type, class;
	uint32_t ttl;
	size_t data, size;
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* The name at *at into out; *at moves behind it.  A name that does not fit out is no
 * error: nobody asked for it, so it is "". */
static bool read_name(const struct message *m, size_t *at, char out[DNS_NAME])
{
	char *text;
	long n;

	if (*at >= m->len ||
	    ares_expand_name(m->p + *at, m->p, (int)m->len, &text, &n) != ARES_SUCCESS)
		return false;
	out[0] = '\0';
	if (strlen(text) < DNS_NAME)
		strcpy(out, text);
	ares_free_string(text);
	*at += (size_t)n;
	return true;
}

static bool read_record(const struct message *m, size_t *at, struct record *r)
{
	const uint8_t *p;

	if (!read_name(m, at, r->name) || m->len - *at < 10)
		return false;
	p = m->p + *at;
	r->type = get16(p);
	r->class = get16(p + 2);
	r->ttl = (uint32_t)get16(p + 4) << 16 | get16(p + 6);
	if (r->ttl > INT32_MAX) /* RFC 2181 8 */
		r->ttl = 0;
	r->size = get16(p + 8);
	r->data = *at + 10;
	*at = r->data + r->size;
	return *at <= m->len;
}

static bool open_message(struct message *m, const uint8_t *msg, size_t len)
{
	char name[DNS_NAME];

	if (len < HEADER || len > 65535 || get16(msg + 4) > 1)
		return false;
	*m = (struct message){ msg, len, get16(msg + 6), HEADER };
	if (m->answers > RECORDS_READ)
		m->answers = RECORDS_READ;
	if (!get16(msg + 4))
		return true;
	if (!read_name(m, &m->first, name) || len - m->first < 4)
		return false;
	m->first += 4;
	return true;
}

/* No server stands at "this host", at a group of hosts, or in class E: such answers
 * come from name servers that block a name. */
static bool usable(const struct rg_addr *a)
{
	static const uint8_t none[16];

	if (a->family == 4)
		return a->ip[0] && a->ip[0] < 224;
	return memcmp(a->ip, none, sizeof none) && a->ip[0] != 0xff;
}

static void add(struct dns_answer *a, const struct message *m, const struct record *r)
{
	struct dns_addr *to = &a->addr[a->n];

	if (r->size != (r->type == TYPE_A ? 4 : 16) || a->n == DNS_RECORDS)
		return;
	memset(to, 0, sizeof *to);
	to->addr.family = r->type == TYPE_A ? 4 : 6;
	memcpy(to->addr.ip, m->p + r->data, r->size);
	to->ttl = r->ttl < a->alias_ttl ? r->ttl : a->alias_ttl;
	for (size_t i = 0; i < a->n; i++)
		if (rg_addr_same_ip(&a->addr[i].addr, &to->addr))
			return;
	a->n += usable(&to->addr);
}

/* One pass: the addresses of name, and the alias if it has one. */
static int read_pass(struct dns_answer *a, const struct message *m, const char *name,
		     uint16_t type, char alias[DNS_NAME])
{
	struct record r;
	size_t at = m->first;

	alias[0] = '\0';
	for (size_t i = 0; i < m->answers; i++) {
		if (!read_record(m, &at, &r))
			return EBADMSG;
		if (r.class != CLASS_IN || strcasecmp(r.name, name))
			continue;
		if (r.type == type)
			add(a, m, &r);
		if (r.type == TYPE_CNAME && !alias[0]) {
			if (!read_name(m, &r.data, alias))
				return EBADMSG;
			if (r.ttl < a->alias_ttl)
				a->alias_ttl = r.ttl;
		}
	}
	return 0;
}

int dns_answer_read(struct dns_answer *a, const uint8_t *msg, size_t len, const char *name,
		    uint16_t type)
{
	char alias[DNS_NAME];
	struct message m;
	int err;

	a->n = 0;
	a->alias[0] = '\0';
	if (!open_message(&m, msg, len))
		return EBADMSG;
	for (;;) {
		err = read_pass(a, &m, a->alias[0] ? a->alias : name, type, alias);
		if (err || a->n || !alias[0])
			return err;
		if (++a->aliases > DNS_ALIASES)
			return ELOOP;
		strcpy(a->alias, alias);
	}
}
