/* make fuzz T=dnsanswer: bytes as a DNS message.  Two bytes go before it, the
 * second of which says what name was asked for.  It is read as an answer for each type, and
 * these are then walked as what is known of every name. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sip/dnsanswer.h"
#include "sip/rfc3263.h"

static const uint16_t types[] = { DNS_AAAA, DNS_A, DNS_SRV, DNS_NAPTR };

static struct answers {
	struct dns_answer type[4];
	unsigned looked;
} all;

static void check(const struct dns_answer *a, uint16_t type, int err)
{
	char host[DNS_NAME];

	if (a->n > DNS_RECORDS || (!err && a->aliases > DNS_ALIASES) ||
	    !memchr(a->alias, '\0', sizeof a->alias) || a->text_len > sizeof a->text)
		abort();
	for (size_t i = 0; i < a->n; i++) {
		const struct dns_record *r = &a->rec[i];

		if (r->ttl > INT32_MAX)
			abort();
		if (type == DNS_A || type == DNS_AAAA) {
			if (r->addr.family != (type == DNS_A ? 4 : 6))
				abort();
			continue;
		}
		if (r->name >= a->text_len || r->addr.transport > RG_TLS ||
		    !memchr(a->text + r->name, '\0', a->text_len - r->name))
			abort();
		if (a->text[r->name] && !dns_host(host, a->text + r->name))
			abort();
	}
}

static struct rfc3263_name look(void *arg, uint16_t type, const char *name)
{
	struct answers *x = arg;

	(void)name;
	x->looked++;
	for (unsigned i = 0; i < 4; i++)
		if (types[i] == type)
			return (struct rfc3263_name){ .known = true, .rec = x->type[i].rec,
						      .n = x->type[i].n, .ttl = 1,
						      .text = x->type[i].text };
	abort();
}

static void walk(void)
{
	for (uint8_t method = 0; method < 4; method++) {
		struct reg_lookup l = { .host = "a.test", .method = method,
					.families = REG_IPV4 | REG_IPV6 };
		struct rfc3263_result out;

		all.looked = 0;
		if (!rfc3263_walk(&l, 1, look, &all, &out) || out.n > RFC3263_MOST ||
		    all.looked > 1 + RFC3263_SERVICES + 2 * RFC3263_TARGETS)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "a.test", "b.a.test", "x", "" };

	if (size < 2)
		return 0;
	for (unsigned i = 0; i < 4; i++) {
		struct dns_answer *a = &all.type[i];

		dns_answer_begin(a);
		check(a, types[i],
		      dns_answer_read(a, data + 2, size - 2, names[data[1] % 4], types[i]));
	}
	dns_answer_negative(data + 2, size - 2);
	walk();
	return 0;
}
