/* secret.h -- passwords as they may be written.  No secret is left in memory that
 * is not the caller's. */
#ifndef RG_CONF_SECRET_H
#define RG_CONF_SECRET_H

#include <stddef.h>

enum { SECRET_MAX = 1024 };

/* Take text, "$1$..." (the device's obfuscation) or "${NAME}" (environment, else a
 * file of that name in $CREDENTIALS_DIRECTORY) into out, terminated.  Returns NULL,
 * or what is wrong; NAME of a "${NAME}" may be said, it is no secret.  A variable or
 * credential that is empty is wrong: who names one wants a password. */
const char *secret_read(const char *text, char out[SECRET_MAX]);
/* The first line of a file.  NULL, or what is wrong; an empty one is. */
const char *secret_file(const char *path, char out[SECRET_MAX]);

#endif
