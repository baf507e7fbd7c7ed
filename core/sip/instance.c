#include "sip/instance.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sip/hash.h"

enum { MACHINE = 65 };

/* Read once: the file is on the root file system and 33 bytes long. */
static const char *machine(void)
{
	static char id[MACHINE];
	FILE *f;

	if (*id)
		return id;
	f = fopen("/etc/machine-id", "re");
	if (f && !fgets(id, sizeof id, f))
		*id = '\0';
	if (f)
		fclose(f);
	if (!*id && gethostname(id, sizeof id - 1))
		strcpy(id, "regway");
	return id;
}

void sip_instance(char out[SIP_INSTANCE], const char *user, const char *host)
{
	static const char kind[] = "regway instance";
	uint8_t raw[SIP_HASH_MOST] = { 0 };
	const char *part[] = { kind, machine(), user, host };

	if (sip_hash_begin(SIP_HASH_SHA_256)) {
		for (size_t i = 0; i < sizeof part / sizeof *part; i++)
			sip_hash_add(SIP_HASH_SHA_256, part[i], strlen(part[i]) + 1);
		sip_hash_end(SIP_HASH_SHA_256, raw);
	}
	raw[6] = (uint8_t)(0x80 | (raw[6] & 15));
	raw[8] = (uint8_t)(0x80 | (raw[8] & 63));
	snprintf(out, SIP_INSTANCE,
		 "urn:uuid:%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 raw[0], raw[1], raw[2], raw[3], raw[4], raw[5], raw[6], raw[7], raw[8], raw[9],
		 raw[10], raw[11], raw[12], raw[13], raw[14], raw[15]);
}
