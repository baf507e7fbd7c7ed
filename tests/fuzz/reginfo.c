/*
 * Bytes as the bodies of NOTIFYs of one subscription, separated by zero bytes.  It must
 * hold: no crash, no leak; a body that is refused changes nothing; a gap says nothing else;
 * what was said once is not said again by the same partial state.
 */
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "regway/plugin.h"
#include "sip/reginfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MUST(x) do { if (!(x)) abort(); } while (0)
#define OURS "sip:line1@192.0.2.1:5060;rg=0011223344556677"

static const struct reginfo_self self = {
	"0011223344556677", { "sip:+4930123@itsp.example", 25 }, { OURS, sizeof OURS - 1 }
};

static void take(struct reginfo_watch *w, const char *p, size_t n)
{
	struct reginfo_watch before, again;
	struct reginfo_news news, second;
	char *body = malloc(n ? n : 1); /* so that reading past its end is seen */

	memcpy(body, p, n);
	memcpy(&before, w, sizeof before);
	if (reginfo_read(w, &self, body, n, &news)) {
		MUST(!memcmp(&before, w, sizeof before));
		MUST(news.what == RG_N_NONE && !news.gap);
	} else {
		MUST(w->begun || !before.begun);
		MUST(news.what <= RG_N_TERMINATED);
		MUST(!news.gap || (news.what == RG_N_NONE && w->out_of_step));
		again = *w;
		MUST(!reginfo_read(&again, &self, body, n, &second));
		MUST(!second.gap);
		MUST(second.what == RG_N_NONE || !w->out_of_step);
	}
	free(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *p = (const char *)data, *end = p + n;
	struct reginfo_watch w;

	memset(&w, 0, sizeof w);
	for (unsigned i = 0; p && p < end && i < 8; i++) {
		const char *zero = memchr(p, 0, (size_t)(end - p)), *stop = zero ? zero : end;

		take(&w, p, (size_t)(stop - p));
		p = zero ? zero + 1 : NULL;
	}
	return 0;
}
