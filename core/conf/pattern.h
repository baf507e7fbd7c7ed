/*
 * pattern.h -- patterns of user parts in routing rows, in the device's notation:
 *
 *   *          any user                    $          no user at all
 *   123        begins with 123             123#       is 123; [#] is the key itself
 *   x          any one character           [100-199]  a number of that range
 *   [4,5,70]   one of these                [456]      one of these characters
 *   (234)      ends with 234; with ranges and lists inside, too; after a prefix or alone
 */
#ifndef RG_CONF_PATTERN_H
#define RG_CONF_PATTERN_H

#include <stdbool.h>

#include "base/arena.h"

struct conf_pattern;

/* NULL with *why NULL: any user; NULL with a text: what is wrong with it. */
const struct conf_pattern *pattern_read(struct rg_arena *, const char *text, const char **why);
/* O(length of both); pattern NULL: any. */
bool conf_pattern_matches(const struct conf_pattern *, const char *user);

#endif
