/* The resolver against a scripted name server on loopback.  Timers run on the real clock
 * plus an offset that the tests move, so no TTL is waited for. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "sip/dnsanswer.h"
#include "sip/resolver.h"

enum { TOKENS = 512, WATCHES = 16, MESSAGE = 16384, PATIENCE_MS = 10000 };
enum { A = 1, CNAME = 5, NXDOMAIN = 1000, SERVFAIL, MUTE, GARBAGE, CUT /* after a CNAME */,
       TRUNCATED /* over UDP */, HOLD /* until release() */, MANY /* addresses: data */ };

struct rr {
	const char *name;
	int type;
	uint32_t ttl;
	const char *data;
};

struct got {
	unsigned told;
	size_t n;
	struct reg_resolved r[RESOLVER_MOST];
};

struct world {
	struct rg_timers *timers;
	rg_ms offset;
	struct resolver *r;
	struct watch {
		int fd, events;
		void (*h)(int, int, void *);
		void *arg;
	} watch[WATCHES];
	const struct rr *zone; /* ends with a name of NULL */
	int udp, tcp, conn;
	unsigned asked, asked_tcp, told;
	uint8_t held[MESSAGE];
	size_t held_len;
	struct sockaddr_in held_from;
	struct got got[TOKENS];
	uint64_t cancel; /* by the next done */
	const char *lookup; /* likewise, with token 99 */
};

static rg_ms real(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (rg_ms)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- the name server ----------------------------------------------------------- */

static size_t put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return 2;
}

static size_t put_name(uint8_t *p, const char *name)
{
	uint8_t *from = p;

	for (const char *dot; *name; name = dot + (*dot == '.')) {
		dot = strchr(name, '.');
		if (!dot)
			dot = name + strlen(name);
		*p++ = (uint8_t)(dot - name);
		memcpy(p, name, (size_t)(dot - name));
		p += dot - name;
	}
	*p++ = 0;
	return (size_t)(p - from);
}

static size_t put_record(uint8_t *p, const char *name, int type, uint32_t ttl, const char *data)
{
	uint8_t *from = p, *size;

	p += put_name(p, name);
	p += put16(p, (unsigned)type);
	p += put16(p, 1);
	p += put16(p, ttl >> 16);
	p += put16(p, ttl & 0xffff);
	size = p;
	p += 2;
	if (type == A) {
		assert_int_equal(inet_pton(AF_INET, data, p), 1);
		p += 4;
	} else {
		p += put_name(p, data);
	}
	put16(size, (unsigned)(p - size - 2));
	return (size_t)(p - from);
}

static void read_question(const uint8_t *q, char name[256], size_t *end)
{
	char *to = name;
	size_t at = 12;

	while (q[at]) {
		memcpy(to, q + at + 1, q[at]);
		to += q[at];
		*to++ = '.';
		at += q[at] + 1u;
	}
	to[to > name ? -1 : 0] = '\0';
	*end = at + 5;
}

/* A name's records, and those of its aliases unless the zone has a CUT for it. */
static unsigned put_records(const struct rr *zone, const char *name, uint8_t **p, int steps)
{
	const char *alias = NULL;
	unsigned n = 0;
	int cut = 0;

	for (const struct rr *r = zone; r->name; r++) {
		char many[32];

		if (strcasecmp(r->name, name))
			continue;
		cut |= r->type == CUT;
		for (unsigned i = 0; r->type == MANY && i < (unsigned)atoi(r->data); i++, n++) {
			snprintf(many, sizeof many, "10.0.%u.%u", i / 200, i % 200 + 1);
			*p += put_record(*p, name, A, r->ttl, many);
		}
		if (r->type != A && r->type != CNAME)
			continue;
		*p += put_record(*p, name, r->type, r->ttl, r->data);
		n++;
		if (r->type == CNAME)
			alias = r->data;
	}
	return alias && !cut && steps ? n + put_records(zone, alias, p, steps - 1) : n;
}

static const struct rr *special(const struct rr *zone, const char *name, int type)
{
	for (const struct rr *r = zone; r->name; r++)
		if (r->type == type && !strcasecmp(r->name, name))
			return r;
	return NULL;
}

static size_t reply_to(const struct rr *zone, const uint8_t *q, uint8_t *out, int tcp)
{
	char name[256];
	unsigned n;
	size_t end;
	uint8_t *p;

	read_question(q, name, &end);
	memcpy(out, q, end);
	put16(out + 2, 0x8180);
	put16(out + 6, 0);
	put16(out + 8, 0);
	put16(out + 10, 0);
	if (special(zone, name, MUTE))
		return 0;
	if (special(zone, name, SERVFAIL) || special(zone, name, NXDOMAIN)) {
		out[3] = (uint8_t)(0x80 | (special(zone, name, SERVFAIL) ? 2 : 3));
		return end;
	}
	if (special(zone, name, TRUNCATED) && !tcp) {
		out[2] |= 2;
		return end;
	}
	p = out + end;
	n = put_records(zone, name, &p, 12);
	put16(out + 6, special(zone, name, GARBAGE) ? 7 : n);
	return (size_t)(p - out);
}

static void serve_udp(struct world *w)
{
	uint8_t q[512], out[MESSAGE];
	struct sockaddr_in from;
	socklen_t len = sizeof from;
	ssize_t n = recvfrom(w->udp, q, sizeof q, 0, (struct sockaddr *)&from, &len);
	char name[256];
	size_t end, size;

	if (n < 12)
		return;
	w->asked++;
	read_question(q, name, &end);
	size = reply_to(w->zone, q, out, 0);
	if (special(w->zone, name, HOLD)) {
		memcpy(w->held, out, size);
		w->held_len = size;
		w->held_from = from;
	} else if (size) {
		sendto(w->udp, out, size, 0, (struct sockaddr *)&from, len);
	}
}

static void release(struct world *w)
{
	sendto(w->udp, w->held, w->held_len, 0, (struct sockaddr *)&w->held_from,
	       sizeof w->held_from);
}

static void serve_tcp(struct world *w)
{
	uint8_t q[512], out[MESSAGE];
	size_t size;

	if (recv(w->conn, q, sizeof q, 0) < 14) {
		close(w->conn);
		w->conn = -1;
		return;
	}
	w->asked_tcp++;
	size = reply_to(w->zone, q + 2, out + 2, 1);
	put16(out, (unsigned)size);
	assert_int_equal(send(w->conn, out, size + 2, MSG_NOSIGNAL), size + 2);
}

static int bound(int type, uint16_t *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(*port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&a, sizeof a) ||
	    (type == SOCK_STREAM && listen(fd, 5))) {
		close(fd);
		return -1;
	}
	getsockname(fd, (struct sockaddr *)&a, &len);
	*port = ntohs(a.sin_port);
	return fd;
}

/* ---- the loop ------------------------------------------------------------------ */

static int watch(void *arg, int fd, int events, void (*h)(int, int, void *), void *harg)
{
	struct world *w = arg;
	int place = -1;

	for (int i = 0; i < WATCHES; i++)
		if (w->watch[i].events ? w->watch[i].fd == fd : place < 0)
			place = i;
	for (int i = 0; i < WATCHES; i++)
		if (w->watch[i].events && w->watch[i].fd == fd)
			place = i;
	assert_int_not_equal(place, -1);
	w->watch[place] = (struct watch){ fd, events, h, harg };
	return 0;
}

static void run_timers(struct world *w)
{
	rg_timers_run(w->timers, real() + w->offset, 0);
}

/* One turn of the loop, at most ms long. */
static void turn(struct world *w, int ms)
{
	struct pollfd p[WATCHES + 3];
	rg_ms next = rg_timers_next(w->timers);
	rg_ms wait = next == RG_NEVER ? ms : next - real() - w->offset;

	p[0] = (struct pollfd){ .fd = w->udp, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = w->tcp, .events = POLLIN };
	p[2] = (struct pollfd){ .fd = w->conn, .events = POLLIN };
	for (int i = 0; i < WATCHES; i++)
		p[i + 3] = (struct pollfd){
			.fd = w->watch[i].events ? w->watch[i].fd : -1,
			.events = (short)((w->watch[i].events & RESOLVER_READ ? POLLIN : 0) |
					  (w->watch[i].events & RESOLVER_WRITE ? POLLOUT : 0)) };
	poll(p, WATCHES + 3, wait < 0 ? 0 : wait < ms ? (int)wait : ms);
	run_timers(w);
	if (p[0].revents)
		serve_udp(w);
	if (p[1].revents && w->conn < 0)
		w->conn = accept4(w->tcp, NULL, NULL, SOCK_CLOEXEC);
	if (p[2].revents)
		serve_tcp(w);
	for (int i = 0; i < WATCHES; i++) {
		struct watch it = w->watch[i];
		int events = (p[i + 3].revents & POLLIN ? RESOLVER_READ : 0) |
			     (p[i + 3].revents & POLLOUT ? RESOLVER_WRITE : 0);

		if (p[i + 3].revents && it.events && it.fd == p[i + 3].fd)
			it.h(it.fd, events ? events : 4, it.arg);
	}
}

static void done(uint64_t token, const struct reg_resolved *r, size_t n, void *arg)
{
	struct world *w = arg;
	struct got *g = &w->got[token];

	assert_in_range(n, 0, RESOLVER_MOST);
	g->told++;
	g->n = n;
	for (size_t i = 0; i < n; i++)
		g->r[i] = r[i];
	w->told++;
	if (w->cancel)
		resolver_cancel(w->r, w->cancel);
	w->cancel = 0;
	if (w->lookup) {
		struct reg_lookup l = { .token = 99, .host = w->lookup };

		w->lookup = NULL;
		assert_int_equal(resolver_lookup(w->r, &l, done, w), 0);
	}
}

static int start(struct world *w, uint64_t token, const char *host, bool again)
{
	struct reg_lookup l = { .token = token, .host = host, .again = again };
	unsigned told = w->told;
	int err;

	run_timers(w);
	told = w->told;
	memset(&w->got[token], 0, sizeof w->got[token]);
	err = resolver_lookup(w->r, &l, done, w);
	assert_int_equal(w->told, told); /* never from inside */
	return err;
}

static struct got *await(struct world *w, uint64_t token)
{
	rg_ms end = real() + PATIENCE_MS;

	while (!w->got[token].told && real() < end)
		turn(w, 100);
	assert_int_equal(w->got[token].told, 1);
	return &w->got[token];
}

static struct got *lookup(struct world *w, const char *host)
{
	assert_int_equal(start(w, 1, host, false), 0);
	return await(w, 1);
}

static struct got *lookup_again(struct world *w, const char *host)
{
	assert_int_equal(start(w, 1, host, true), 0);
	return await(w, 1);
}

static void await_question(struct world *w, unsigned asked)
{
	rg_ms end = real() + PATIENCE_MS;

	while (w->asked < asked && real() < end)
		turn(w, 100);
	assert_int_equal(w->asked, asked);
}

static void assert_addrs(const struct got *g, const char *want)
{
	char text[RESOLVER_MOST * RG_ADDR_TEXT] = "", one[RG_ADDR_TEXT];

	for (size_t i = 0; i < g->n; i++) {
		strcat(text, i ? " " : "");
		strcat(text, rg_addr_text(&g->r[i].addr, one));
	}
	assert_string_equal(text, want);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	struct resolver_env env = { watch, NULL, w };
	uint16_t port = 0;
	char servers[64];

	w->timers = env.timers = rg_timers_new(real());
	w->tcp = w->conn = -1;
	for (int i = 0; i < 50 && w->tcp < 0; i++) {
		port = 0;
		w->udp = bound(SOCK_DGRAM, &port);
		w->tcp = bound(SOCK_STREAM, &port);
		if (w->tcp < 0)
			close(w->udp);
	}
	assert_true(w->tcp >= 0);
	snprintf(servers, sizeof servers, "127.0.0.1:%u", port);
	assert_int_equal(resolver_new(&w->r, &env, servers), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	resolver_free(w->r);
	for (int i = 0; i < WATCHES; i++)
		assert_int_equal(w->watch[i].events, 0);
	assert_int_equal(rg_timers_count(w->timers), 0);
	rg_timers_free(w->timers);
	close(w->udp);
	close(w->tcp);
	if (w->conn >= 0)
		close(w->conn);
	free(w);
	return 0;
}

/* ---- answers ------------------------------------------------------------------- */

static const struct rr zone[] = {
	{ "three.test", A, 60, "192.0.2.3" },
	{ "three.test", A, 60, "192.0.2.1" },
	{ "three.test", A, 50, "192.0.2.2" },
	{ "empty.test", CUT, 0, "" },
	{ "gone.test", NXDOMAIN, 0, "" },
	{ "sick.test", SERVFAIL, 0, "" },
	{ "mute.test", MUTE, 0, "" },
	{ "odd.test", A, 60, "0.0.0.0" },
	{ "odd.test", A, 60, "192.0.2.9" },
	{ "odd.test", A, 60, "224.0.0.1" },
	{ "odd.test", A, 60, "192.0.2.9" },
	{ "odd.test", A, 60, "255.255.255.255" },
	{ "garbage.test", A, 60, "192.0.2.9" },
	{ "garbage.test", GARBAGE, 0, "" },
	{ "big.test", TRUNCATED, 0, "" },
	{ "big.test", MANY, 60, "300" },
	{ "alias.test", CNAME, 40, "a2.test" },
	{ "a2.test", CNAME, 20, "three.test" },
	{ "cut.test", CNAME, 15, "cut2.test" },
	{ "cut.test", CUT, 0, "" },
	{ "cut2.test", CNAME, 70, "Three.Test" },
	{ "cut2.test", CUT, 0, "" },
	{ "dangling.test", CNAME, 70, "gone.test" },
	{ "loop.test", CNAME, 60, "loop2.test" },
	{ "loop2.test", CNAME, 60, "loop.test" },
	{ "slow1.test", CNAME, 60, "slow2.test" },
	{ "slow1.test", CUT, 0, "" },
	{ "slow2.test", CNAME, 60, "slow1.test" },
	{ "slow2.test", CUT, 0, "" },
	{ "zero.test", A, 0, "192.0.2.9" },
	{ "long.test", A, 1000000, "192.0.2.9" },
	{ "negative.test", A, 0x80000001u, "192.0.2.9" },
	{ NULL, 0, 0, NULL },
};

static const struct rr good[] = { { "x.test", A, 60, "192.0.2.1" }, { NULL, 0, 0, NULL } };
static const struct rr other[] = { { "x.test", A, 60, "192.0.2.2" }, { NULL, 0, 0, NULL } };
static const struct rr sick[] = { { "x.test", SERVFAIL, 0, "" }, { NULL, 0, 0, NULL } };
static const struct rr gone[] = { { "x.test", NXDOMAIN, 0, "" }, { NULL, 0, 0, NULL } };
static const struct rr mute[] = { { "x.test", MUTE, 0, "" }, { NULL, 0, 0, NULL } };
static const struct rr held[] = { { "x.test", A, 60, "192.0.2.3" }, { "x.test", HOLD, 0, "" },
				  { NULL, 0, 0, NULL } };

static void the_order_of_the_answer_is_kept(void **state)
{
	struct world *w = *state;
	struct got *g;

	w->zone = zone;
	g = lookup(w, "three.test");
	assert_addrs(g, "192.0.2.3:5060 192.0.2.1:5060 192.0.2.2:5060");
	for (size_t i = 0; i < 3; i++)
		assert_in_range(g->r[i].ttl, 45, 50);
	assert_int_equal(w->asked, 1);
}

static void ports_and_transports(void **state)
{
	struct world *w = *state;
	struct reg_lookup l = { .token = 2, .host = "three.test", .transport = RG_TLS };

	w->zone = zone;
	assert_int_equal(resolver_lookup(w->r, &l, done, w), 0);
	l = (struct reg_lookup){ .token = 3, .host = "THREE.test.", .transport = RG_TCP,
				 .port = 5099, .transport_set = true, .method = 2 };
	assert_int_equal(resolver_lookup(w->r, &l, done, w), 0);
	assert_addrs(await(w, 2), "192.0.2.3:5061 192.0.2.1:5061 192.0.2.2:5061");
	assert_addrs(await(w, 3), "192.0.2.3:5099 192.0.2.1:5099 192.0.2.2:5099");
	assert_int_equal(w->got[2].r[0].addr.transport, RG_TLS);
	assert_int_equal(w->got[3].r[2].addr.transport, RG_TCP);
	assert_int_equal(w->asked, 1); /* one name, however it is written */
}

static void literals_need_no_server(void **state)
{
	struct world *w = *state;

	w->zone = zone;
	assert_addrs(lookup(w, "192.0.2.77"), "192.0.2.77:5060");
	assert_int_equal(w->got[1].r[0].ttl, RESOLVER_LITERAL_TTL);
	assert_addrs(lookup(w, "2001:db8::1"), "[2001:db8::1]:5060");
	assert_addrs(lookup(w, "[2001:db8::1]"), "[2001:db8::1]:5060");
	assert_int_equal(w->asked, 0);
}

static void useless_records_are_left_out(void **state)
{
	struct world *w = *state;

	w->zone = zone;
	assert_addrs(lookup(w, "odd.test"), "192.0.2.9:5060");
}

static void no_more_than_64_and_over_tcp(void **state)
{
	struct world *w = *state;
	struct got *g;

	w->zone = zone;
	g = lookup(w, "big.test");
	assert_int_equal(w->asked_tcp, 1);
	assert_int_equal(g->n, RESOLVER_MOST);
	for (size_t i = 0; i < g->n; i++)
		assert_int_equal(g->r[i].addr.ip[3], i + 1);
}

static void ttls_are_clamped(void **state)
{
	struct world *w = *state;

	w->zone = zone;
	assert_int_equal(lookup(w, "zero.test")->r[0].ttl, 1);
	assert_int_equal(lookup(w, "negative.test")->r[0].ttl, 1);
	assert_in_range(lookup(w, "long.test")->r[0].ttl, 86390, 86400);
}

static void aliases_are_followed(void **state)
{
	struct world *w = *state;
	struct got *g;

	w->zone = zone;
	g = lookup(w, "alias.test");
	assert_addrs(g, "192.0.2.3:5060 192.0.2.1:5060 192.0.2.2:5060");
	assert_in_range(g->r[0].ttl, 15, 20);
	assert_int_equal(w->asked, 1);
	g = lookup(w, "cut.test"); /* the server leaves the steps to us */
	assert_addrs(g, "192.0.2.3:5060 192.0.2.1:5060 192.0.2.2:5060");
	assert_in_range(g->r[0].ttl, 10, 15);
	assert_int_equal(w->asked, 4);
	assert_int_equal(lookup(w, "dangling.test")->n, 0);
}

static void loops_of_aliases_end(void **state)
{
	struct world *w = *state;

	w->zone = zone;
	assert_int_equal(lookup(w, "loop.test")->n, 0);
	assert_int_equal(w->asked, 1);
	assert_int_equal(lookup(w, "slow1.test")->n, 0);
	assert_in_range(w->asked, 2, 2 + DNS_ALIASES);
}

static void names_that_are_none(void **state)
{
	static const char *const bad[] = { "", ".", "a..b", ".a", "a b", "a\n", "a/b", "[x]",
					   "\xc3\xa4.test", "a:5060", "a%b" };
	struct world *w = *state;
	char big[400];

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(start(w, 1, bad[i], false), EINVAL);
	memset(big, 'a', sizeof big);
	big[64] = '\0';
	assert_int_equal(start(w, 1, big, false), EINVAL);
	for (size_t i = 0; i < sizeof big; i++)
		big[i] = i % 2 ? '.' : 'a';
	big[255] = '\0';
	assert_int_equal(start(w, 1, big, false), EINVAL);
	w->zone = zone;
	assert_int_equal(start(w, 1, "three.test", false), 0);
	assert_int_equal(start(w, 1, "three.test", false), EEXIST);
	assert_int_equal(await(w, 1)->n, 3);
}

/* ---- the cache ----------------------------------------------------------------- */

static void an_answer_is_kept_for_its_ttl(void **state)
{
	struct world *w = *state;

	w->zone = good;
	lookup(w, "x.test");
	w->zone = other;
	w->offset += 50000;
	assert_addrs(lookup(w, "x.test"), "192.0.2.1:5060");
	assert_in_range(w->got[1].r[0].ttl, 1, 10);
	assert_int_equal(w->asked, 1);
	w->offset += 10000;
	assert_addrs(lookup(w, "x.test"), "192.0.2.2:5060");
	assert_int_equal(w->asked, 2);
}

static void again_goes_past_the_cache(void **state)
{
	struct world *w = *state;

	w->zone = good;
	lookup(w, "x.test");
	w->zone = other;
	assert_addrs(lookup_again(w, "x.test"), "192.0.2.2:5060");
	assert_int_equal(w->asked, 2);
}

static void one_query_for_all_who_ask(void **state)
{
	struct world *w = *state;

	w->zone = good;
	for (uint64_t t = 0; t < TOKENS; t++)
		assert_int_equal(start(w, t, "x.test", t % 2), 0);
	for (uint64_t t = 0; t < TOKENS; t++)
		assert_addrs(await(w, t), "192.0.2.1:5060");
	turn(w, 0);
	assert_int_equal(w->told, TOKENS);
	assert_int_equal(w->asked, 1);
}

static void no_such_name_is_remembered_shortly(void **state)
{
	static const char *const names[] = { "gone.test", "empty.test" };
	struct world *w = *state;

	w->zone = zone;
	for (unsigned i = 0; i < 2; i++) {
		unsigned before = w->asked;

		assert_int_equal(lookup(w, names[i])->n, 0);
		assert_int_equal(lookup(w, names[i])->n, 0);
		assert_int_equal(w->asked, before + 1);
		w->offset += 10001;
		assert_int_equal(lookup(w, names[i])->n, 0);
		assert_int_equal(w->asked, before + 2);
	}
}

static void a_failure_is_remembered_shortly(void **state)
{
	struct world *w = *state;
	unsigned asked;

	w->zone = sick;
	assert_int_equal(lookup(w, "x.test")->n, 0);
	asked = w->asked;
	w->zone = good;
	assert_int_equal(lookup(w, "x.test")->n, 0);
	assert_int_equal(w->asked, asked);
	w->offset += 5001;
	assert_int_equal(lookup(w, "x.test")->n, 1);
}

static void the_last_good_answer_outlives_its_ttl(void **state)
{
	struct world *w = *state;

	w->zone = good;
	lookup(w, "x.test");
	w->zone = sick;
	w->offset += 61000;
	assert_addrs(lookup(w, "x.test"), "192.0.2.1:5060");
	assert_int_equal(w->got[1].r[0].ttl, RESOLVER_STALE_TTL);
	assert_true(w->got[1].r[0].stale);
	w->offset += 3 * 86400000;
	assert_addrs(lookup(w, "x.test"), "192.0.2.1:5060");
	w->zone = other;
	w->offset += 5001;
	assert_addrs(lookup(w, "x.test"), "192.0.2.2:5060");
	assert_false(w->got[1].r[0].stale);
}

/* With "again", while the TTL runs: the answer is as good as before. */
static void a_failure_does_not_spoil_a_fresh_answer(void **state)
{
	struct world *w = *state;

	w->zone = good;
	lookup(w, "x.test");
	w->zone = sick;
	assert_addrs(lookup_again(w, "x.test"), "192.0.2.1:5060");
	assert_in_range(w->got[1].r[0].ttl, 50, 60);
}

static void no_such_name_ends_the_last_good_answer(void **state)
{
	struct world *w = *state;

	w->zone = good;
	lookup(w, "x.test");
	w->zone = gone;
	assert_int_equal(lookup_again(w, "x.test")->n, 0);
	w->zone = sick;
	assert_int_equal(lookup_again(w, "x.test")->n, 0);
}

/* ---- time and trouble ---------------------------------------------------------- */

static void silence_ends_after_three_seconds(void **state)
{
	struct world *w = *state;

	w->zone = mute;
	assert_int_equal(start(w, 1, "x.test", false), 0);
	await_question(w, 1);
	w->offset += 1000;
	turn(w, 0);
	assert_int_equal(w->got[1].told, 0);
	w->offset += 2000;
	turn(w, 0); /* at once: no patience of await() */
	turn(w, 0);
	assert_int_equal(w->got[1].told, 1);
	assert_int_equal(w->got[1].n, 0);
}

static void a_late_answer_is_of_use(void **state)
{
	struct world *w = *state;
	rg_ms end;

	w->zone = held;
	assert_int_equal(start(w, 1, "x.test", false), 0);
	await_question(w, 1);
	w->offset += 3001;
	assert_int_equal(await(w, 1)->n, 0);
	release(w);
	for (end = real() + PATIENCE_MS; real() < end && !lookup(w, "x.test")->n;)
		turn(w, 10);
	assert_addrs(&w->got[1], "192.0.2.3:5060");
	assert_in_range(w->asked, 1, 3); /* repetitions of c-ares, no lookup of ours */
}

static void garbage_counts_as_a_failure(void **state)
{
	struct world *w = *state;

	w->zone = zone;
	assert_int_equal(lookup(w, "garbage.test")->n, 0);
}

static void a_server_that_is_not_there(void **state)
{
	struct world *w = *state;
	struct resolver_env env = { watch, w->timers, w };
	struct resolver *r, *first = w->r;
	uint16_t port = 0;
	char servers[64];
	int fd = bound(SOCK_DGRAM, &port);

	close(fd);
	snprintf(servers, sizeof servers, "127.0.0.1:%u", port);
	assert_int_equal(resolver_new(&r, &env, servers), 0);
	w->r = r;
	assert_int_equal(lookup(w, "x.test")->n, 0);
	resolver_free(r);
	w->r = first;
	assert_int_equal(resolver_new(&r, &env, ""), EINVAL);
	assert_int_equal(resolver_new(&r, &env, "no.address.test"), EINVAL);
}

static void cancelled_is_not_told(void **state)
{
	struct world *w = *state;

	w->zone = good;
	for (uint64_t t = 1; t <= 4; t++)
		assert_int_equal(start(w, t, "x.test", false), 0);
	resolver_cancel(w->r, 2);
	resolver_cancel(w->r, 77); /* unknown */
	w->cancel = 3;		   /* by the first done, while it is ready itself */
	await(w, 1);
	await(w, 4);
	turn(w, 0);
	assert_int_equal(w->got[2].told, 0);
	assert_int_equal(w->got[3].told, 0);
	assert_int_equal(start(w, 5, "192.0.2.1", false), 0);
	resolver_cancel(w->r, 5);
	turn(w, 0);
	assert_int_equal(w->got[5].told, 0);
	assert_int_equal(start(w, 2, "x.test", false), 0); /* the token is free again */
	await(w, 2);
}

static void a_lookup_from_inside_done(void **state)
{
	struct world *w = *state;

	w->zone = good;
	w->lookup = "x.test";
	lookup(w, "x.test");
	assert_addrs(await(w, 99), "192.0.2.1:5060");
	assert_int_equal(w->asked, 1);
}

/* What is in flight, ready or waited for goes with the resolver (ASan, and teardown). */
static void freed_in_the_middle(void **state)
{
	struct world *w = *state;

	w->zone = mute;
	start(w, 1, "x.test", false);
	start(w, 2, "x.test", false);
	start(w, 3, "192.0.2.1", false);
	await_question(w, 1);
	start(w, 4, "192.0.2.1", false);
}

static void the_cache_is_bounded(void **state)
{
	struct world *w = *state;
	char name[32];

	w->zone = good; /* other names have no records */
	for (unsigned i = 0; i < 17000; i++) {
		snprintf(name, sizeof name, "n%u.test", i);
		assert_int_equal(lookup(w, name)->n, 0);
	}
	assert_addrs(lookup(w, "x.test"), "192.0.2.1:5060");
}

static void names_of_the_hosts_file(void **state)
{
	struct world *w = *state;
	struct resolver_env env = { watch, w->timers, w };
	struct resolver *r, *first = w->r;
	char line[256], name[128] = "";
	FILE *f = fopen("/etc/hosts", "r");

	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "127.0.0.1 %127s", name) == 1)
			break;
	if (f)
		fclose(f);
	if (!name[0])
		skip();
	assert_int_equal(resolver_new(&r, &env, NULL), 0);
	w->r = r;
	assert_int_equal(lookup(w, name)->r[0].addr.ip[0], 127);
	resolver_free(r);
	w->r = first;
}

/* ---- messages ------------------------------------------------------------------ */

static size_t sample(uint8_t *msg)
{
	uint8_t q[64] = { 0, 1, 1, 0, 0, 1 };
	size_t n = 12;

	n += put_name(q + n, "alias.test");
	n += put16(q + n, A);
	put16(q + n, 1);
	return reply_to(zone, q, msg, 1);
}

static void every_cut_and_every_byte_changed(void **state)
{
	static struct dns_answer a;
	uint8_t msg[512], *exact;
	size_t len = sample(msg);

	(void)state;
	dns_answer_begin(&a);
	assert_int_equal(dns_answer_read(&a, msg, len, "alias.test", A), 0);
	assert_int_equal(a.n, 3);
	for (size_t cut = 0; cut < len; cut++) {
		exact = malloc(cut ? cut : 1);
		memcpy(exact, msg, cut);
		dns_answer_begin(&a);
		assert_int_equal(dns_answer_read(&a, exact, cut, "alias.test", A), EBADMSG);
		free(exact);
	}
	exact = malloc(len);
	for (size_t i = 0; i < len; i++)
		for (unsigned v = 0; v < 256; v++) {
			memcpy(exact, msg, len);
			exact[i] = (uint8_t)v;
			dns_answer_begin(&a);
			dns_answer_read(&a, exact, len, "alias.test", A);
			assert_in_range(a.n, 0, DNS_RECORDS);
		}
	free(exact);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_order_of_the_answer_is_kept),
		T(ports_and_transports),
		T(literals_need_no_server),
		T(useless_records_are_left_out),
		T(no_more_than_64_and_over_tcp),
		T(ttls_are_clamped),
		T(aliases_are_followed),
		T(loops_of_aliases_end),
		T(names_that_are_none),
		T(an_answer_is_kept_for_its_ttl),
		T(again_goes_past_the_cache),
		T(one_query_for_all_who_ask),
		T(no_such_name_is_remembered_shortly),
		T(a_failure_is_remembered_shortly),
		T(the_last_good_answer_outlives_its_ttl),
		T(a_failure_does_not_spoil_a_fresh_answer),
		T(no_such_name_ends_the_last_good_answer),
		T(silence_ends_after_three_seconds),
		T(a_late_answer_is_of_use),
		T(garbage_counts_as_a_failure),
		T(a_server_that_is_not_there),
		T(cancelled_is_not_told),
		T(a_lookup_from_inside_done),
		T(freed_in_the_middle),
		T(the_cache_is_bounded),
		T(names_of_the_hosts_file),
		cmocka_unit_test(every_cut_and_every_byte_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
