/* main.c -- the daemon: options, start, signals, stop. */
#include "main/app.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"

enum { EXIT_CLEAN, EXIT_REFUSED, EXIT_USAGE, EXIT_CANNOT_START };
enum { DATAGRAM = 2304 }; /* of a receive buffer, as the kernel counts an answer */

static const char usage[] =
	"usage: regwayd [-f PATH]... [-p PLUGINDIR] [-s SOCKET] [-S STATEDIR] [-v]\n"
	"               [--check] [--dump] [--version] [--help]\n"
	"  -f PATH       configuration: a file, or a folder for all its *.ini (" RG_SYSCONF
	"/regway)\n"
	"  -p PLUGINDIR  plugins (" RG_PREFIX "/lib/regway/plugins)\n"
	"  -s SOCKET     control socket (/run/regway/control.sock)\n"
	"  -S STATEDIR   for services that keep state (/var/lib/regway)\n"
	"  -v            log more\n"
	"  --check       load everything, print the faults, and exit 1 if there are errors\n"
	"  --dump        print the configuration in canonical form\n"
	"  --document    print the parameters, as docs/parameters.md has them\n"
	"Exit: 0 clean stop, 1 configuration refused, 2 bad usage, 3 could not start.\n";

struct options {
	GPtrArray *path;
	const char *plugin_dir, *socket, *state_dir;
	bool verbose, check, dump, document;
};

static char *absolute(const char *path)
{
	char *cwd, *all;

	if (path[0] == '/')
		return g_strdup(path);
	cwd = g_get_current_dir();
	all = g_build_filename(cwd, path, NULL);
	g_free(cwd);
	return all;
}

static int bad_usage(const char *what, const char *arg)
{
	fprintf(stderr, "regwayd: %s %s (regwayd --help tells what there is)\n", what, arg);
	return EXIT_USAGE;
}

/* -1: go on; else exit with that. */
static int read_options(int argc, char **argv, struct options *o)
{
	for (int i = 1; i < argc; i++) {
		const char *a = argv[i], **into = NULL;

		if (!strcmp(a, "--help")) {
			fputs(usage, stdout);
			return EXIT_CLEAN;
		}
		if (!strcmp(a, "--version")) {
			printf("regwayd %s (plugin ABI %d.%d)\n", RG_VERSION, RG_ABI_MAJOR,
			       RG_ABI_MINOR);
			return EXIT_CLEAN;
		}
		if (!strcmp(a, "-v"))
			o->verbose = true;
		else if (!strcmp(a, "--check"))
			o->check = true;
		else if (!strcmp(a, "--dump"))
			o->dump = true;
		else if (!strcmp(a, "--document"))
			o->document = true;
		else if (!strcmp(a, "-p"))
			into = &o->plugin_dir;
		else if (!strcmp(a, "-s"))
			into = &o->socket;
		else if (!strcmp(a, "-S"))
			into = &o->state_dir;
		else if (strcmp(a, "-f"))
			return bad_usage(a[0] == '-' ? "no such option:" : "not understood:", a);
		if (!into && strcmp(a, "-f"))
			continue;
		if (++i == argc || !*argv[i])
			return bad_usage("a value is missing after", a);
		if (into)
			*into = argv[i];
		else
			g_ptr_array_add(o->path, absolute(argv[i]));
	}
	if (!o->path->len)
		g_ptr_array_add(o->path, g_strdup(RG_SYSCONF "/regway"));
	g_ptr_array_add(o->path, NULL);
	return -1;
}

static void write_out(const char *text, void *arg)
{
	fputs(text, arg);
}

static void print_faults(const struct rg_faults *f, FILE *to)
{
	for (size_t i = 0; i < rg_faults_count(f); i++)
		fprintf(to, "%s\n", rg_faults_text(f, i));
}

/* --check and --dump. */
static int examine(const struct options *o)
{
	struct rg_faults *f = rg_faults_new();
	struct generation *g =
		generation_load((const char *const *)o->path->pdata, o->plugin_dir, NULL, f);
	int rc;

	if (g)
		record_close(record_open(g->conf, g->schema, true, f));
	rc = rg_faults_errors(f) ? EXIT_REFUSED : EXIT_CLEAN;
	if (o->dump) {
		print_faults(f, stderr);
		if (g)
			conf_dump(g->conf, g->schema, write_out, stdout);
	} else {
		print_faults(f, stdout);
		printf("%zu errors, %zu warnings\n", rg_faults_errors(f), rg_faults_warnings(f));
	}
	generation_free(g);
	rg_faults_free(f);
	return rc;
}

static int document(const struct options *o)
{
	struct rg_faults *f = rg_faults_new();
	struct schema *s = schema_new();
	struct policy_modules *m = policy_modules_open(o->plugin_dir, NULL, s, f);

	print_faults(f, stderr);
	schema_document(s, write_out, stdout);
	if (m)
		policy_modules_unref(m);
	schema_free(s);
	rg_faults_free(f);
	return EXIT_CLEAN;
}

/* ---- the running daemon ------------------------------------------------------------------ */

void app_summary(struct app *app, char *buf, size_t size)
{
	struct reg_counts n;

	reg_engine_counts(app->engine, &n);
	snprintf(buf, size,
		 "%u accounts: %u registered, %u searching, %u refreshing, %u in back-off, "
		 "%u held, %u unregistering, %u idle; REGISTER sent %" PRIu64 ", ok %" PRIu64
		 ", failed %" PRIu64,
		 n.accounts, n.registered, n.by_state[RG_SEARCHING], n.by_state[RG_REFRESHING],
		 n.by_state[RG_BACKOFF], n.by_state[RG_HELD], n.by_state[RG_UNREGISTERING],
		 n.by_state[RG_IDLE], n.register_sent, n.register_ok, n.register_failed);
}

static void signalled(int sig, void *arg)
{
	struct app *app = arg;
	char text[256];

	switch (sig) {
	case SIGHUP:
		reload_start(app, NULL, NULL);
		break;
	case SIGUSR1:
		app_summary(app, text, sizeof text);
		rg_notice("%s", text);
		break;
	default:
		app_stop(app);
	}
}

static void moved(void *arg, const struct reg_account_info *x, const struct reg_transition *t)
{
	services_moved(arg, x, t);
}

static void log_faults(const struct rg_faults *f)
{
	for (size_t i = 0; i < rg_faults_count(f); i++)
		rg_say(rg_faults_severity(f, i) == RG_FAULT_ERROR ? 3 : 4, "%s",
		       rg_faults_text(f, i));
}

/* 0, or an exit code; the reason was said. */
static int load(struct app *app, struct record_file **records)
{
	char *fault = generation_unreadable(app->path, app->plugin_dir);
	struct rg_faults *f;

	if (fault) {
		rg_say(3, "regwayd: %s", fault);
		g_free(fault);
		return EXIT_CANNOT_START;
	}
	f = rg_faults_new();
	app->gen = generation_load(app->path, app->plugin_dir, NULL, f);
	if (app->gen)
		*records = record_open(app->gen->conf, app->gen->schema, false, f);
	log_faults(f);
	if (rg_faults_errors(f)) {
		rg_say(3, "regwayd: configuration refused: %zu error%s", rg_faults_errors(f),
		       rg_faults_errors(f) == 1 ? "" : "s");
		generation_free(app->gen);
		app->gen = NULL;
	}
	rg_faults_free(f);
	return app->gen ? 0 : EXIT_REFUSED;
}

static int open_network(struct app *app)
{
	static const int signals[] = { SIGHUP, SIGTERM, SIGINT, SIGUSR1 };
	char where[RG_ADDR_TEXT];
	struct rg_addr bad;
	int err;

	app->timers = rg_timers_new(sip_loop_clock());
	err = sip_loop_new(&app->loop, app->timers, 0);
	if (!err)
		err = sip_loop_signals(app->loop, signals, G_N_ELEMENTS(signals), signalled, app);
	if (!err)
		err = sip_stack_new(&app->stack, app->loop, NULL, getenv("RG_DNS"));
	if (err) {
		rg_say(3, "regwayd: %s", g_strerror(err));
		return EXIT_CANNOT_START;
	}
	err = network_apply(app, app->gen, &bad);
	if (err) {
		rg_say(3, "regwayd: %s %s: %s", rg_addr_text(&bad, where),
		       rg_transport_name(bad.transport), g_strerror(err));
		return EXIT_CANNOT_START;
	}
	return 0;
}

static void begin(struct app *app)
{
	struct reg_options opt = {
		.timers = app->timers, .port = sip_stack_port(app->stack),
		.window_cap = sip_stack_rcvbuf(app->stack) / DATAGRAM, .moved = moved,
		.trunk = trunk_changed, .arg = app,
	};
	struct relay_env env = { app->stack, NULL, record_call, app };

	name_servers_apply(app);
	app->engine = reg_engine_new(&opt);
	sip_stack_engine(app->stack, app->engine);
	env.engine = app->engine;
	app->relay = relay_new(&env);
	reg_engine_apply(app->engine,
			 reg_plan_new(NULL, NULL, app->gen->conf, app->gen->policy), NULL, NULL);
	services_apply(app);
	rate_start(app);
}

static void end(struct app *app)
{
	if (app->engine) {
		reload_stop(app);
		control_close(app);
		services_stop(app);
		relay_free(app->relay);
		link_stop(app);
		alarm_stop(app);
		rate_stop(app);
		rg_timer_stop(app->timers, &app->stopping);
		reg_engine_free(app->engine);
	}
	record_stop(app);
	network_stop(app);
	sip_stack_free(app->stack);
	sip_loop_free(app->loop);
	generation_free(app->gen);
	json_decref(app->reload_faults);
	if (app->call_text)
		g_string_chunk_free(app->call_text);
	if (app->raised)
		g_hash_table_destroy(app->raised);
	rg_timers_free(app->timers);
}

static int run(struct app *app)
{
	struct record_file *records = NULL;
	int rc = load(app, &records);

	if (!rc)
		rc = open_network(app);
	if (!rc) {
		app->started = rg_now(app->timers);
		app->reload_faults = json_array();
		app->reload_ok = true;
		begin(app);
		record_use(app, records);
		records = NULL;
		if (control_open(app))
			rc = EXIT_CANNOT_START;
	}
	/* Whoever is answered now finds all accounts there.  The time creeps: however long it
	 * takes, nothing that waits for an answer falls due before the sockets are read. */
	while (!rc && reg_engine_applying(app->engine))
		rg_timers_run(app->timers, MIN(sip_loop_clock(), rg_now(app->timers) + 1), 64);
	if (!rc) {
		rg_notice("regwayd %s: %u accounts, %zu plugins", RG_VERSION,
			  app->gen->conf->n_account, policy_modules_count(app->gen->modules));
		notify("READY=1\nSTATUS=running");
		notify_alive(app);
		if (sip_loop_run(app->loop))
			rc = EXIT_CANNOT_START;
	}
	record_close(records);
	end(app);
	return rc;
}

/* Passwords and nonces stay out of core dumps and away from other users' debuggers,
 * but for those who debug on purpose. */
static void keep_secrets(void)
{
	struct rlimit none = { 0, 0 };

	if (getenv("RG_KEEP_PLUGINS"))
		return;
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
}

int main(int argc, char **argv)
{
	struct options o = {
		.path = g_ptr_array_new_with_free_func(g_free),
		.plugin_dir = RG_PREFIX "/lib/regway/plugins",
		.socket = "/run/regway/control.sock", .state_dir = "/var/lib/regway",
	};
	struct app app = { .stop = 0 };
	int rc = read_options(argc, argv, &o);

	if (rc < 0 && o.verbose)
		rg_log_level(RG_LOG_DEBUG);
	if (rc < 0 && o.document) {
		rc = document(&o);
	} else if (rc < 0 && (o.check || o.dump)) {
		char *fault = generation_unreadable((const char *const *)o.path->pdata,
						    o.plugin_dir);

		if (fault)
			fprintf(stderr, "regwayd: %s\n", fault);
		rc = fault ? EXIT_CANNOT_START : examine(&o);
		g_free(fault);
	} else if (rc < 0) {
		keep_secrets();
		app.path = (const char **)o.path->pdata;
		app.plugin_dir = o.plugin_dir;
		app.socket = o.socket;
		app.state_dir = o.state_dir;
		rc = run(&app);
	}
	g_ptr_array_free(o.path, TRUE);
	return rc;
}
