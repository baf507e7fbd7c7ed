/*
 * sip_dns.h -- a resolver and two scripted name servers on loopback, for the tests.  Timers
 * run on the real clock plus an offset that the tests move, so no TTL is waited for.
 */
#ifndef SIP_DNS_H
#define SIP_DNS_H

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
enum { A = 1, CNAME = 5, SOA = 6 /* MINIMUM: goes with an answer without records */,
       AAAA = 28, SRV = 33 /* "PRIORITY WEIGHT PORT TARGET" */,
       NAPTR = 35 /* "ORDER PREFERENCE FLAGS SERVICE REPLACEMENT" */ };
enum { NXDOMAIN = 1000, SERVFAIL, MUTE, GARBAGE, CUT /* after a CNAME */,
       TRUNCATED /* over UDP */, HOLD /* until release() */, MANY /* addresses: data */,
       FOREIGN /* answers with other ids, before the right one */, OLD /* knows no EDNS */ };

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
	char server[64]; /* the first, as resolver_new takes it */
	int udp2; /* of the second server, -1: there is none; it knows the same names */
	bool deaf, deaf2; /* whatever is asked */
	unsigned asked, asked2, asked_tcp, told;
	uint8_t held[MESSAGE];
	size_t held_len;
	struct sockaddr_in held_from;
	struct got got[TOKENS];
	uint64_t cancel; /* by the next done */
	const char *lookup; /* likewise, with token 99 */
};

static inline rg_ms real(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (rg_ms)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- the name server ----------------------------------------------------------- */

static inline size_t put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return 2;
}

static inline size_t put_name(uint8_t *p, const char *name)
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

static inline size_t put_record(uint8_t *p, const char *name, int type, uint32_t ttl, const char *data)
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
	} else if (type == AAAA) {
		assert_int_equal(inet_pton(AF_INET6, data, p), 1);
		p += 16;
	} else if (type == SRV) {
		unsigned v[3];
		char target[256];

		assert_int_equal(sscanf(data, "%u %u %u %255s", &v[0], &v[1], &v[2], target), 4);
		for (int i = 0; i < 3; i++)
			p += put16(p, v[i]);
		p += put_name(p, strcmp(target, ".") ? target : "");
	} else if (type == NAPTR) {
		char text[3][256];
		unsigned v[2];

		assert_int_equal(sscanf(data, "%u %u %255s %255s %255s", &v[0], &v[1], text[0],
					text[1], text[2]), 5);
		p += put16(p, v[0]);
		p += put16(p, v[1]);
		for (int i = 0; i < 2; i++) {
			size_t n = strlen(text[i]);

			*p++ = (uint8_t)n;
			memcpy(p, text[i], n);
			p += n;
		}
		*p++ = 0; /* no regular expression */
		p += put_name(p, text[2]);
	} else if (type == SOA) {
		memset(p, 0, 2 + 16); /* names of the root, four numbers */
		p += 2 + 16;
		p += put16(p, (unsigned)atoi(data) >> 16);
		p += put16(p, (unsigned)atoi(data) & 0xffff);
	} else {
		p += put_name(p, data);
	}
	put16(size, (unsigned)(p - size - 2));
	return (size_t)(p - from);
}

static inline void read_question(const uint8_t *q, char name[256], size_t *end)
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
static inline unsigned put_records(const struct rr *zone, const char *name, int type, uint8_t **p,
				   int steps)
{
	const char *alias = NULL;
	unsigned n = 0;
	int cut = 0;

	for (const struct rr *r = zone; r->name; r++) {
		char many[32];

		if (strcasecmp(r->name, name))
			continue;
		cut |= r->type == CUT;
		for (unsigned i = 0; r->type == MANY && type == A && i < (unsigned)atoi(r->data); i++, n++) {
			snprintf(many, sizeof many, "10.0.%u.%u", i / 200, i % 200 + 1);
			*p += put_record(*p, name, A, r->ttl, many);
		}
		if (r->type != type && r->type != CNAME)
			continue;
		*p += put_record(*p, name, r->type, r->ttl, r->data);
		n++;
		if (r->type == CNAME)
			alias = r->data;
	}
	return alias && !cut && steps ? n + put_records(zone, alias, type, p, steps - 1) : n;
}

static const struct rr *special(const struct rr *zone, const char *name, int type)
{
	for (const struct rr *r = zone; r->name; r++)
		if (r->type == type && !strcasecmp(r->name, name))
			return r;
	return NULL;
}

/* The authority section of an answer without records; its end. */
static inline uint8_t *put_soa(const struct rr *zone, const char *name, uint8_t *out, uint8_t *p)
{
	const struct rr *r = special(zone, name, SOA);

	if (!r)
		return p;
	put16(out + 8, 1);
	return p + put_record(p, "test", SOA, r->ttl, r->data);
}

static inline size_t reply_to(const struct rr *zone, const uint8_t *q, uint8_t *out, int tcp)
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
		return (size_t)(put_soa(zone, name, out, out + end) - out);
	}
	if (special(zone, name, OLD) && q[11]) {
		out[3] = 0x81; /* format error */
		return end;
	}
	if (special(zone, name, TRUNCATED) && !tcp) {
		out[2] |= 2;
		return end;
	}
	p = out + end;
	n = put_records(zone, name, q[end - 3], &p, 12);
	put16(out + 6, special(zone, name, GARBAGE) ? 7 : n);
	if (!n)
		p = put_soa(zone, name, out, p);
	return (size_t)(p - out);
}

static inline void send_foreign(int fd, const uint8_t *out, size_t size,
				const struct sockaddr_in *to)
{
	uint8_t other[MESSAGE];

	memcpy(other, out, size);
	for (int i = 0; i < 50; i++) {
		other[0] = (uint8_t)(out[0] + 1 + i);
		other[size - 1] = (uint8_t)(200 + i % 50); /* an address that must not be used */
		sendto(fd, other, size, 0, (const struct sockaddr *)to, sizeof *to);
	}
}

static inline void serve_udp(struct world *w, int fd, unsigned *asked, bool deaf)
{
	uint8_t q[512], out[MESSAGE];
	struct sockaddr_in from;
	socklen_t len = sizeof from;
	ssize_t n = recvfrom(fd, q, sizeof q, 0, (struct sockaddr *)&from, &len);
	char name[256];
	size_t end, size;

	if (n < 12)
		return;
	++*asked;
	if (deaf)
		return;
	read_question(q, name, &end);
	size = reply_to(w->zone, q, out, 0);
	if (special(w->zone, name, HOLD)) {
		memcpy(w->held, out, size);
		w->held_len = size;
		w->held_from = from;
		return;
	}
	if (special(w->zone, name, FOREIGN))
		send_foreign(fd, out, size, &from);
	if (size)
		sendto(fd, out, size, 0, (struct sockaddr *)&from, len);
}

static inline void release(struct world *w)
{
	sendto(w->udp, w->held, w->held_len, 0, (struct sockaddr *)&w->held_from,
	       sizeof w->held_from);
}

static inline void serve_tcp(struct world *w)
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

static inline int bound(int type, uint16_t *port)
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

static inline int watch(void *arg, int fd, int events, void (*h)(int, int, void *), void *harg)
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

static inline void run_timers(struct world *w)
{
	rg_timers_run(w->timers, real() + w->offset, 0);
}

/* One turn of the loop, at most ms long. */
static inline void turn(struct world *w, int ms)
{
	struct pollfd p[WATCHES + 4];
	rg_ms next = rg_timers_next(w->timers);
	rg_ms wait = next == RG_NEVER ? ms : next - real() - w->offset;

	p[0] = (struct pollfd){ .fd = w->udp, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = w->tcp, .events = POLLIN };
	p[2] = (struct pollfd){ .fd = w->conn, .events = POLLIN };
	p[3] = (struct pollfd){ .fd = w->udp2, .events = POLLIN };
	for (int i = 0; i < WATCHES; i++)
		p[i + 4] = (struct pollfd){
			.fd = w->watch[i].events ? w->watch[i].fd : -1,
			.events = (short)((w->watch[i].events & RESOLVER_READ ? POLLIN : 0) |
					  (w->watch[i].events & RESOLVER_WRITE ? POLLOUT : 0)) };
	poll(p, WATCHES + 4, wait < 0 ? 0 : wait < ms ? (int)wait : ms);
	run_timers(w);
	if (p[0].revents)
		serve_udp(w, w->udp, &w->asked, w->deaf);
	if (p[3].revents)
		serve_udp(w, w->udp2, &w->asked2, w->deaf2);
	if (p[1].revents && w->conn < 0)
		w->conn = accept4(w->tcp, NULL, NULL, SOCK_CLOEXEC);
	if (p[2].revents)
		serve_tcp(w);
	for (int i = 0; i < WATCHES; i++) {
		struct watch it = w->watch[i];
		int events = (p[i + 4].revents & POLLIN ? RESOLVER_READ : 0) |
			     (p[i + 4].revents & POLLOUT ? RESOLVER_WRITE : 0);

		if (p[i + 4].revents && it.events && it.fd == p[i + 4].fd)
			it.h(it.fd, events ? events : 4, it.arg);
	}
}

static inline void done(uint64_t token, const struct reg_resolved *r, size_t n, void *arg)
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

static inline int start(struct world *w, uint64_t token, const char *host, bool again)
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

static inline struct got *await(struct world *w, uint64_t token)
{
	rg_ms end = real() + PATIENCE_MS;

	while (!w->got[token].told && real() < end)
		turn(w, 100);
	assert_int_equal(w->got[token].told, 1);
	return &w->got[token];
}

static inline struct got *lookup(struct world *w, const char *host)
{
	assert_int_equal(start(w, 1, host, false), 0);
	return await(w, 1);
}

static inline struct got *lookup_again(struct world *w, const char *host)
{
	assert_int_equal(start(w, 1, host, true), 0);
	return await(w, 1);
}

static inline void await_question(struct world *w, unsigned asked)
{
	rg_ms end = real() + PATIENCE_MS;

	while (w->asked < asked && real() < end)
		turn(w, 100);
	assert_int_equal(w->asked, asked);
}

static inline void assert_addrs(const struct got *g, const char *want)
{
	char text[RESOLVER_MOST * RG_ADDR_TEXT] = "", one[RG_ADDR_TEXT];

	for (size_t i = 0; i < g->n; i++) {
		strcat(text, i ? " " : "");
		strcat(text, rg_addr_text(&g->r[i].addr, one));
	}
	assert_string_equal(text, want);
}

static inline int setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	struct resolver_env env = { watch, NULL, w };
	uint16_t port = 0;

	w->timers = env.timers = rg_timers_new(real());
	w->tcp = w->conn = w->udp2 = -1;
	for (int i = 0; i < 50 && w->tcp < 0; i++) {
		port = 0;
		w->udp = bound(SOCK_DGRAM, &port);
		w->tcp = bound(SOCK_STREAM, &port);
		if (w->tcp < 0)
			close(w->udp);
	}
	assert_true(w->tcp >= 0);
	snprintf(w->server, sizeof w->server, "127.0.0.1:%u", port);
	assert_int_equal(resolver_new(&w->r, &env, w->server), 0);
	*state = w;
	return 0;
}

static inline int teardown(void **state)
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
	if (w->udp2 >= 0)
		close(w->udp2);
	free(w);
	return 0;
}

#endif
