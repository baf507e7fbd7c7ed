/*
 * hostsfile.h -- names of /etc/hosts (hosts(5)), which go before DNS.  The file is read
 * again when it has changed; it is looked at once a second at most, and up to 1 MiB of it.
 */
#ifndef RG_SIP_HOSTSFILE_H
#define RG_SIP_HOSTSFILE_H

#include <stddef.h>

#include "base/addr.h"
#include "base/timer.h"

struct hostsfile;

struct hostsfile *hostsfile_new(const char *path);
void hostsfile_free(struct hostsfile *);
/* The addresses of host (lower case) in the order of the file: *n of them, valid until the
 * next call; NULL: it is not there. */
const struct rg_addr *hostsfile_find(struct hostsfile *, rg_ms now, const char *host, size_t *n);

#endif
