/* ini.h -- the lines of an ini file: inih behind a reader of our own, which gives
 * exact line numbers, lines up to 64 KiB, headings, and leaves no copy behind. */
#ifndef RG_CONF_INI_H
#define RG_CONF_INI_H

#include "base/fault.h"

enum { INI_LINE_MAX = 65536 };

enum ini_kind {
	INI_OPEN,  /* [ name ]           */
	INI_CLOSE, /* [ \name ]          */
	INI_PAIR,  /* name = value       */
	INI_OTHER  /* text is in name    */
};

/* name and value are trimmed, may be changed in place, and end with the call. */
struct ini_line {
	enum ini_kind kind;
	unsigned line;
	char *name, *value;
};

typedef void (ini_h)(struct ini_line *, void *arg);

/* Read a file.  0 or an errno; what is wrong with the file is a fault. */
int ini_read(const char *path, ini_h *, void *arg, struct rg_faults *);

#endif
