/*
 * file.h -- files of others that are read while the daemon runs.
 */
#ifndef RG_BASE_FILE_H
#define RG_BASE_FILE_H

#include <stdio.h>

/* A regular file, to be read and fclose()d; NULL: there is none.  What stands there
 * instead, a FIFO for example, makes nobody wait. */
FILE *rg_file_open(const char *path);

#endif
