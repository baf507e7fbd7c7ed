/* make fuzz T=dnsanswer: bytes as a DNS message.  Two bytes, the type and which name was
 * asked for, go before it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sip/dnsanswer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "a.test", "b.a.test", "x", "" };
	struct dns_answer a = { .alias_ttl = UINT32_MAX };
	int err;

	if (size < 2)
		return 0;
	err = dns_answer_read(&a, data + 2, size - 2, names[data[1] % 4], data[0] & 1 ? 1 : 28);
	if (a.n > DNS_RECORDS || (!err && a.aliases > DNS_ALIASES) ||
	    !memchr(a.alias, '\0', sizeof a.alias))
		abort();
	for (size_t i = 0; i < a.n; i++)
		if (a.addr[i].ttl > INT32_MAX ||
		    a.addr[i].addr.family != (data[0] & 1 ? 4 : 6))
			abort();
	return 0;
}
