/*
 * What hostile input costs: a child runs the SIP layer, the parent throws 1,000 inputs
 * of 64 KiB of each kind at it, as datagrams and as TCP in segments of 1,400 bytes, and
 * prints the child's CPU time for each.  The promise is 200 us in the mean.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sip/stack.h"

enum { SIZE = 65000, TIMES = 1000, SEGMENT = 1400, PORT = 17062 };

#define REST "From: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: x@y\r\n"
#define VIA "Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKx\r\n"
#define Q "INVITE sip:b SIP/2.0\r\n"
#define GOOD Q VIA REST "CSeq: 1 INVITE\r\n"
/* As many as 16 KiB hold, and the rest as a body. */
#define BODY "\r\nContent-Length: 48000\r\n\r\n"

static const struct {
	const char *what, *start, *pattern;
} kinds[] = {
	{ "start line without end", "", "INVITE x x x " },
	{ "digits of CSeq", Q "CSeq: ", "1" },
	{ "line feeds", "", "\r\n" },
	{ "short lines", GOOD, "a:\r\n" },
	{ "no names", GOOD, ":\n" },
	{ "commas", GOOD "X: ", "," },
	{ "Via", GOOD "Via: ", "SIP/2.0/UDP a;branch=," },
	{ "quotes", GOOD "Contact: ", "<\";" },
	{ "a body", GOOD "Content-Length: 64000\r\n\r\n", "x" },
	{ "zeros", GOOD, "" },
};

void reg_answered(struct reg_engine *e, uint64_t token, const struct reg_answer *a)
{
	(void)e, (void)token, (void)a;
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

static int child(void)
{
	struct rg_timers *timers = rg_timers_new(sip_loop_clock());
	struct sip_interface local = { .udp = PORT, .tcp = PORT };
	struct sip_loop *loop;
	struct sip_stack *stack;
	struct rg_addr bad;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	rg_addr_parse_ip(&local.addr, "127.0.0.1");
	if (sip_loop_new(&loop, timers, 1024) || sip_stack_new(&stack, loop, NULL, NULL) ||
	    sip_stack_interfaces(stack, &local, 1, &bad))
		return 3;
	return sip_loop_run(loop);
}

static double cpu_us(pid_t pid)
{
	char path[64];
	unsigned long long ns = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/schedstat", pid);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%llu", &ns) != 1)
		exit(3);
	fclose(f);
	return (double)ns / 1e3;
}

static void nap(long us)
{
	struct timespec ts = { 0, us * 1000 };

	nanosleep(&ts, NULL);
}

static struct sockaddr_in target(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(PORT) };

	inet_pton(AF_INET, "127.0.0.1", &sa.sin_addr);
	return sa;
}

static void datagram(const char *p)
{
	static int fd = -1;
	struct sockaddr_in sa = target();

	if (fd < 0)
		fd = socket(AF_INET, SOCK_DGRAM, 0);
	sendto(fd, p, SIZE, 0, (struct sockaddr *)&sa, sizeof sa);
}

/* Until the other side hangs up. */
static void stream(const char *p, long pause_us)
{
	struct sockaddr_in sa = target();
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa))
		exit(3);
	for (size_t at = 0; at < SIZE; at += SEGMENT) {
		size_t n = SIZE - at < SEGMENT ? SIZE - at : SEGMENT;

		if (send(fd, p + at, n, MSG_NOSIGNAL) < 0)
			break;
		if (pause_us)
			nap(pause_us);
	}
	close(fd);
}

int main(void)
{
	static char p[SIZE];
	pid_t pid = fork();
	double worst = 0;

	if (!pid)
		_exit(child());
	nap(300000);
	printf("%-24s %10s %10s %10s\n", "us CPU each", "datagram", "TCP", "TCP slow");
	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
		size_t a = strlen(kinds[k].start), n = strlen(kinds[k].pattern);

		memcpy(p, kinds[k].start, a);
		for (size_t i = a; i < SIZE; i++)
			p[i] = n ? kinds[k].pattern[(i - a) % n] : 0;
		printf("%-24s", kinds[k].what);
		for (int mode = 0; mode < 3; mode++) {
			double start = cpu_us(pid), each;
			int times = mode == 2 ? TIMES / 10 : TIMES;

			for (int i = 0; i < times; i++) {
				if (mode)
					stream(p, mode == 2 ? 20 : 0);
				else
					datagram(p);
				if (i % 16 == 15)
					nap(2000);
			}
			nap(100000);
			each = (cpu_us(pid) - start) / times;
			worst = each > worst ? each : worst;
			printf(" %10.1f", each);
		}
		printf("\n");
	}
	printf("worst %.1f\n", worst);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return worst > 200;
}
