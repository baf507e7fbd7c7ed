/* regwayctl -- the daemon's control program. */
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include "command.h"

#define SOCKET "/run/regway/control.sock"

static const char help[] =
	"usage: regwayctl [-s SOCKET] [--json] COMMAND\n"
	"\n"
	"  status                       version, uptime, counts, last reload\n"
	"  accounts [PATTERN]           a row each; --state STATE filters\n"
	"  account NAME                 everything about one account\n"
	"  explain NAME                 which server would be asked next, and why\n"
	"  register | unregister | refresh  NAME | --all\n"
	"  servers                      addresses of the proxy sets, and their health\n"
	"  calls                        the calls that are up\n"
	"  plugins                      what is loaded and what it implements\n"
	"  trunk [ID [up|down]]         trunks and trunk groups; 3, or group:1 for all of a group\n"
	"  reload                       read the configuration anew, all or nothing\n"
	"  check PATH...                what a reload of these files would say\n"
	"  watch                        live view, until Ctrl-C\n"
	"  trace [ACCOUNT]              SIP messages as they pass, until Ctrl-C\n"
	"\n"
	"  -s, --socket SOCKET          (" SOCKET ")\n"
	"  -t, --timeout SECONDS        wait this long for an answer (60)\n"
	"      --json                   JSON instead of tables\n"
	"      --version  --help\n"
	"\n"
	"exit: 0 done, 1 refused or failed, 2 bad usage, 3 no daemon at the socket\n";

enum { OPT_JSON = 256, OPT_STATE, OPT_ALL, OPT_VERSION, OPT_HELP };
enum { MOST_SECONDS = 86400 };

static const struct option options[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "timeout", required_argument, NULL, 't' },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "state", required_argument, NULL, OPT_STATE },
	{ "all", no_argument, NULL, OPT_ALL },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static int seconds(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	return *end || n < 1 || n > MOST_SECONDS ? 0 : (int)n;
}

/* -1: go on; else the exit status. */
static int read_options(struct ctl *ctl, int argc, char **argv)
{
	int timeout = 60, o;

	while ((o = getopt_long(argc, argv, "s:t:h", options, NULL)) != -1) {
		if (o == 's')
			ctl->socket = optarg;
		else if (o == 't' && (timeout = seconds(optarg)) == 0)
			return ctl_fail(CTL_USAGE, "--timeout takes 1 to %d seconds", MOST_SECONDS);
		else if (o == OPT_JSON)
			ctl->json = true;
		else if (o == OPT_STATE)
			ctl->state = optarg;
		else if (o == OPT_ALL)
			ctl->all = true;
		else if (o == OPT_VERSION)
			return puts("regwayctl " RG_VERSION) < 0;
		else if (o == OPT_HELP || o == 'h')
			return fputs(help, stdout) < 0;
		else if (o == '?')
			return CTL_USAGE;
	}
	if (optind >= argc) {
		fputs(help, stderr);
		return CTL_USAGE;
	}
	client_init(&ctl->client, 1000 * timeout);
	ctl->arg = argv + optind + 1;
	ctl->n_arg = argc - optind - 1;
	return -1;
}

int main(int argc, char **argv)
{
	struct ctl ctl = { .socket = SOCKET };
	int status;

	setlocale(LC_CTYPE, "");
	status = read_options(&ctl, argc, argv);
	if (status < 0)
		status = ctl_command(&ctl, argv[optind]);
	if ((fflush(stdout) || ferror(stdout)) && status == CTL_DONE)
		status = ctl_fail(CTL_FAILED, "the output could not be written");
	return status;
}
