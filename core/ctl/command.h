/* command.h -- the commands of regwayctl, and what they share. */
#ifndef RG_CTL_COMMAND_H
#define RG_CTL_COMMAND_H

#include <jansson.h>
#include <stdbool.h>

#include "client.h"

enum ctl_exit { CTL_DONE, CTL_FAILED, CTL_USAGE, CTL_NO_DAEMON };
enum { CTL_PAGE = 1000 }; /* rows asked for at once; the most the daemon gives */

struct ctl {
	struct client client;
	const char *socket;
	bool json, all;
	const char *state; /* --state, or NULL */
	char **arg;	   /* what follows the command */
	int n_arg;
};

/* The seven states, NULL-ended; the most interesting first. */
extern const char *const ctl_states[];

/* Say on stderr why, and return status. */
int ctl_fail(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Connect; a status, with the words printed. */
int ctl_connect(struct ctl *);
/* Ask and take the answer's data.  A status, with the words printed; *data is then NULL.
 * whole, if not NULL, gets the answer of a daemon that refused, to be released. */
int ctl_ask(struct ctl *, const char *cmd, json_t *args, json_t **data, json_t **whole);

/* Run the command of that name; CTL_USAGE, with the words printed, if there is none or
 * its arguments do not fit. */
int ctl_command(struct ctl *, const char *name);

int ctl_watch(struct ctl *);

/* A descriptor that gets readable when the program is to end, or -1; for client.stop_fd. */
int ctl_stop_signals(void);

#endif
