#include "sip/dnsanswer.h"

#include <ares.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "regway/plugin.h" /* enum rg_transport */

enum { HEADER = 12, CLASS_IN = 1 };
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
 * error: nobody asked for it, so it is one that nobody can ask for. */
static bool read_name(const struct message *m, size_t *at, char out[DNS_NAME])
{
	char *text;
	long n;

	if (*at >= m->len ||
	    ares_expand_name(m->p + *at, m->p, (int)m->len, &text, &n) != ARES_SUCCESS)
		return false;
	strcpy(out, strlen(text) < DNS_NAME ? text : "?");
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

/* Name servers that block a name answer with addresses that are nobody's. */
static bool usable(const struct rg_addr *a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (a->family == 6 && a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80) /* on which link? */
		return false;
	return rg_addr_is_host(a) && (a->family == 4 || memcmp(a->ip, mapped, sizeof mapped));
}

/* ---- names ----------------------------------------------------------------------- */

static bool host_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.';
}

bool dns_host(char out[DNS_NAME], const char *host)
{
	size_t n = strlen(host), label = 0;

	if (n > 1 && host[n - 1] == '.')
		n--;
	if (!n || n > DNS_NAME - 3)
		return false;
	for (size_t i = 0; i < n; i++) {
		label = host[i] == '.' ? 0 : label + 1;
		if (label > 63 || (!label && (!i || host[i - 1] == '.')) || !host_byte(host[i]))
			return false;
		out[i] = (char)tolower((unsigned char)host[i]);
	}
	out[n] = '\0';
	return true;
}

/* ---- records --------------------------------------------------------------------- */

static void add_address(struct dns_answer *a, const struct message *m, const struct record *r,
			struct dns_record *to)
{
	if (r->size != (r->type == DNS_A ? 4 : 16))
		return;
	to->addr.family = r->type == DNS_A ? 4 : 6;
	memcpy(to->addr.ip, m->p + r->data, r->size);
	for (size_t i = 0; i < a->n; i++)
		if (rg_addr_same_ip(&a->rec[i].addr, &to->addr))
			return;
	a->n += usable(&to->addr);
}

/* The name that ends a record's data: a host, or the root where that means something. */
static bool add_name(struct dns_answer *a, const struct message *m, const struct record *r,
		     size_t at, bool root, struct dns_record *to)
{
	char name[DNS_NAME], *into = a->text + a->text_len;

	if (!read_name(m, &at, name) || at != r->data + r->size)
		return false;
	if (name[0] ? !dns_host(into, name) : !root)
		return false;
	if (!name[0])
		into[0] = '\0';
	to->name = (uint32_t)a->text_len;
	a->text_len += strlen(into) + 1;
	return true;
}

static void add_srv(struct dns_answer *a, const struct message *m, const struct record *r,
		    struct dns_record *to)
{
	const uint8_t *p = m->p + r->data;

	if (r->size < 7)
		return;
	to->priority = get16(p);
	to->weight = get16(p + 2);
	to->port = get16(p + 4);
	a->n += add_name(a, m, r, r->data + 6, true, to) &&
		(to->port || !a->text[to->name]);
}

/* A character string at *at; its text in lower case.  false: it does not fit. */
static bool read_string(const struct message *m, size_t *at, size_t end, char *out, size_t size)
{
	size_t n;

	if (*at >= end || (n = m->p[*at]) > end - *at - 1 || n >= size)
		return false;
	for (size_t i = 0; i < n; i++)
		out[i] = (char)tolower(m->p[*at + 1 + i]);
	out[n] = '\0';
	*at += n + 1;
	return strlen(out) == n;
}

static bool sip_service(const char *service, uint8_t *transport)
{
	static const char *const name[] = { [RG_UDP] = "sip+d2u", [RG_TCP] = "sip+d2t",
					    [RG_TLS] = "sips+d2t" };

	for (uint8_t i = 0; i < sizeof name / sizeof *name; i++)
		if (!strcmp(service, name[i])) {
			*transport = i;
			return true;
		}
	return false;
}

static void add_naptr(struct dns_answer *a, const struct message *m, const struct record *r,
		      struct dns_record *to)
{
	size_t at = r->data + 4, end = r->data + r->size;
	char flags[2], service[16], regexp[1];

	if (r->size < 8)
		return;
	to->priority = get16(m->p + r->data);
	to->weight = get16(m->p + r->data + 2);
	if (!read_string(m, &at, end, flags, sizeof flags) || strcmp(flags, "s") ||
	    !read_string(m, &at, end, service, sizeof service) ||
	    !sip_service(service, &to->addr.transport) ||
	    !read_string(m, &at, end, regexp, sizeof regexp))
		return;
	a->n += add_name(a, m, r, at, false, to);
}

static void add(struct dns_answer *a, const struct message *m, const struct record *r)
{
	struct dns_record *to = &a->rec[a->n];
	size_t n = a->n, text_len = a->text_len;

	if (n == DNS_RECORDS || sizeof a->text - text_len < DNS_NAME)
		return;
	memset(to, 0, sizeof *to);
	to->ttl = r->ttl < a->alias_ttl ? r->ttl : a->alias_ttl;
	if (r->type == DNS_SRV)
		add_srv(a, m, r, to);
	else if (r->type == DNS_NAPTR)
		add_naptr(a, m, r, to);
	else
		add_address(a, m, r, to);
	if (a->n == n)
		a->text_len = text_len;
}

/* One pass: the records of name, and the alias if it has one. */
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
		if (r.type == DNS_CNAME && !alias[0]) {
			if (!read_name(m, &r.data, alias))
				return EBADMSG;
			if (r.ttl < a->alias_ttl)
				a->alias_ttl = r.ttl;
		}
	}
	return 0;
}

void dns_answer_begin(struct dns_answer *a)
{
	a->alias[0] = '\0';
	a->aliases = 0;
	a->alias_ttl = UINT32_MAX;
	a->n = a->text_len = 0;
}

int dns_answer_read(struct dns_answer *a, const uint8_t *msg, size_t len, const char *name,
		    uint16_t type)
{
	char alias[DNS_NAME];
	struct message m;
	int err;

	a->n = a->text_len = 0;
	a->alias[0] = '\0';
	if (!open_message(&m, msg, len))
		return EBADMSG;
	for (;;) {
		err = read_pass(a, &m, a->alias[0] ? a->alias : name, type, alias);
		if (err || a->n || !alias[0])
			return err;
		if (++a->aliases > DNS_ALIASES) {
			a->alias[0] = '\0';
			return ELOOP;
		}
		strcpy(a->alias, alias);
	}
}

/* MNAME, RNAME, then five numbers of 32 bits, MINIMUM the last (RFC 1035 3.3.13). */
static uint32_t minimum(const struct message *m, const struct record *r)
{
	char name[DNS_NAME];
	size_t at = r->data;
	const uint8_t *p;

	if (!read_name(m, &at, name) || !read_name(m, &at, name) ||
	    at + 20 != r->data + r->size)
		return UINT32_MAX;
	p = m->p + at + 16;
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

uint32_t dns_answer_negative(const uint8_t *msg, size_t len)
{
	struct message m;
	struct record r;
	size_t at, authority;

	if (!open_message(&m, msg, len))
		return UINT32_MAX;
	at = m.first;
	authority = get16(msg + 8);
	for (size_t i = 0; i < m.answers + authority && i < RECORDS_READ; i++) {
		uint32_t least;

		if (!read_record(&m, &at, &r))
			return UINT32_MAX;
		if (i < m.answers || r.type != DNS_SOA || r.class != CLASS_IN)
			continue;
		least = minimum(&m, &r);
		return least < r.ttl ? least : r.ttl;
	}
	return UINT32_MAX;
}
