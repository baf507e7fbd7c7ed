/* make fuzz T=digest: lines are headers of one 401, the last one Authentication-Info.
 * Whatever a server says, the answer is one line that fits, and can be read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sip/challenge.h"
#include "sip/digest.h"

enum { HEADERS = 8, LINE = 8192 };

static void hold(int what)
{
	if (!what)
		abort();
}

static void check_line(const char *line, size_t n)
{
	struct challenge c;
	const char *at = memchr(line, ' ', n), *end = line + n - 2;

	hold(n > 2 && !memcmp(end, "\r\n", 2));
	for (size_t i = 0; i + 2 < n; i++)
		hold((unsigned char)line[i] >= 0x20 ? line[i] != 0x7f : line[i] == '\t');
	if (end - at > CHALLENGE_MOST)
		return;
	hold(challenge_next(&c, &at, end) && c.digest && !c.malformed && c.nonce.n);
	hold(!challenge_next(&c, &at, end));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *value[HEADERS], *p = (const char *)data, *end = p + size;
	struct digest *d = NULL;
	size_t len[HEADERS], n = 0;
	static char line[LINE];

	while (p < end && n < HEADERS) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		value[n] = p;
		len[n++] = (size_t)((nl ? nl : end) - p);
		p = nl ? nl + 1 : end;
	}
	for (int again = 0; again < 2 && n; again++) {
		enum digest_verdict v = digest_challenge(&d, value, len, n, again, "al\"ice", "w");

		hold((v == DIGEST_OK) ? d != NULL : again || !d);
		if (!d)
			break;
		for (size_t i = 0; i < 2; i++) {
			size_t wrote = digest_authorize(d, line, size % LINE + i * 512, "al\"ice",
							"REGISTER", "sip:x", "body", 4);

			hold(wrote <= size % LINE + i * 512);
			if (wrote)
				check_line(line, wrote);
		}
		digest_info(d, value[n - 1], len[n - 1]);
		hold(strlen(digest_realm(d)) <= CHALLENGE_MOST);
	}
	digest_free(d);
	return 0;
}
