/*
 * CPU time of the register client alone: N accounts register with digest at a
 * registrar, then all refresh.  No engine, no configuration; what remains is the SIP
 * layer and the kernel.  usage: sip_bench ADDRESS PORT N [WINDOW [udp|tcp]]
 *
 * User I registers as uI with password pw-uI, as tests/bench/regsim.c wants it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/random.h"
#include "sip/stack.h"

struct account {
	struct reg_dialogue dialogue;
	char user[16], password[20];
};

static struct sip_loop *loop;
static struct sip_stack *stack;
static struct account *accounts;
static struct rg_addr server;
static char host[64];
static unsigned n, window = 512, next_one, done, bad, outstanding, phase;
static double cpu_start;
static rg_ms start;

static double cpu(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e6 +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static void send_some(void)
{
	const struct reg_port *port = sip_stack_port(stack);

	while (outstanding < window && next_one < n) {
		struct account *a = &accounts[next_one];
		struct reg_message r = {
			.token = (uint64_t)phase << 32 | next_one++,
			.dialogue = &a->dialogue,
			.server = server,
			.tls_name = "", .request_host = host,
			.aor_user = a->user, .aor_host = host,
			.contact_user = a->user, .contact_params = "",
			.contact_address = "local", .headers = "",
			.expires = 3600, .keep_nonce = true,
			.username = a->user, .password = a->password,
			.budget_ms = 32000, .retransmissions = 255,
		};

		if (port->send_register(port->arg, &r))
			bad++, done++;
		else
			outstanding++;
	}
}

static void begin(unsigned which)
{
	phase = which;
	next_one = done = bad = outstanding = 0;
	cpu_start = cpu();
	start = sip_loop_clock();
	send_some();
}

void reg_answered(struct reg_engine *e, uint64_t token, const struct reg_answer *a)
{
	static const char *const names[] = { "fresh", "refresh", "refresh again" };

	(void)e;
	(void)token;
	outstanding--;
	if (a->code != 200 || !a->bound) {
		if (!bad++)
			fprintf(stderr, "%u %s\n", a->code, a->reason);
	}
	if (++done < n) {
		send_some();
		return;
	}
	printf("%-14s %u done, %u failed, %.2f us CPU each, %.0f a second\n", names[phase], n, bad,
	       (cpu() - cpu_start) / n,
	       n * 1000.0 / (double)(sip_loop_clock() - start + 1));
	fflush(stdout);
	if (phase < 2)
		begin(phase + 1);
	else
		sip_loop_stop(loop);
}

void reg_probed(struct reg_engine *e, uint64_t token, uint16_t code)
{
	(void)e, (void)token, (void)code;
}

void reg_subscribed(struct reg_engine *e, uint64_t t, uint16_t code, uint32_t expires,
		    uint32_t retry_after)
{
	(void)e, (void)t, (void)code, (void)expires, (void)retry_after;
}

void reg_notified(struct reg_engine *e, const struct reg_dialogue *d, const struct reg_notice *n)
{
	(void)e, (void)d, (void)n;
}

void reg_resolved(struct reg_engine *e, uint64_t t, const struct reg_resolved *r, size_t k)
{
	(void)e, (void)t, (void)r, (void)k;
}

void reg_disconnected(struct reg_engine *e, const struct rg_addr *a, uint32_t interface)
{
	(void)e, (void)a, (void)interface;
}

void reg_seen_elsewhere(struct reg_engine *e, const struct rg_addr *a, uint32_t interface)
{
	(void)e, (void)a, (void)interface;
}

static void first(void *arg)
{
	(void)arg;
	begin(0);
}

int main(int argc, char **argv)
{
	struct rg_timers *timers = rg_timers_new(sip_loop_clock());
	struct sip_interface local = { .position = 0, .udp = 17060, .tcp = 17060 };
	struct rg_addr failed;
	struct rg_timer timer = { 0 };

	if (argc < 4 || !rg_addr_parse_ip(&server, argv[1])) {
		fprintf(stderr, "usage: sip_bench ADDRESS PORT N [WINDOW [udp|tcp]]\n");
		return 2;
	}
	server.port = (uint16_t)atoi(argv[2]);
	snprintf(host, sizeof host, "%s", argv[1]);
	n = (unsigned)atoi(argv[3]);
	if (argc > 4)
		window = (unsigned)atoi(argv[4]);
	server.transport = argc > 5 && !strcmp(argv[5], "tcp") ? RG_TCP : RG_UDP;
	rg_addr_parse_ip(&local.addr, "127.0.0.1");
	accounts = calloc(n, sizeof *accounts);
	for (unsigned i = 0; i < n; i++) {
		rg_random(accounts[i].dialogue.id, 16);
		snprintf(accounts[i].user, sizeof accounts[i].user, "u%u", i);
		snprintf(accounts[i].password, sizeof accounts[i].password, "pw-u%u", i);
	}
	/* the stack never looks into the engine, it only hands it back */
	if (sip_loop_new(&loop, timers, 1024) ||
	    sip_stack_new(&stack, loop, (struct reg_engine *)accounts, NULL) ||
	    sip_stack_interfaces(stack, &local, 1, &failed)) {
		perror("sip_bench");
		return 3;
	}
	printf("receive buffer %u KiB\n", sip_stack_rcvbuf(stack) / 1024);
	rg_timer_set(timers, &timer, 0, first, NULL);
	sip_loop_run(loop);
	for (unsigned i = 0; i < n; i++)
		sip_stack_port(stack)->drop(sip_stack_port(stack)->arg, &accounts[i].dialogue);
	sip_stack_free(stack);
	sip_loop_free(loop);
	rg_timers_free(timers);
	free(accounts);
	return 0;
}
