/*
 * resolvconf.h -- resolv.conf: which name servers it has, and whether it has changed.
 */
#ifndef RG_SIP_RESOLVCONF_H
#define RG_SIP_RESOLVCONF_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/timer.h"

struct resolvconf {
	char *path; /* NULL: none is watched */
	struct stat seen;
	rg_ms looked;
};

/* Another file, or NULL; all-zero is a good beginning.  NULL frees. */
void resolvconf_watch(struct resolvconf *, const char *path);
/* Looks at it once a second at most; true the first time, too. */
bool resolvconf_changed(struct resolvconf *, rg_ms now);
/* The first 64 KiB's nameserver lines, 16 at most, joined by commas; "127.0.0.1" if there
 * are none.  To be g_freed. */
char *resolvconf_servers(const char *path);

#endif
