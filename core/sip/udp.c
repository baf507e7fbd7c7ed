/* UDP ports: batches both ways, and ICMP errors told for the right destination. */
#include <errno.h>
#include <glib.h>
#include <linux/errqueue.h>
#include <string.h>
#include <unistd.h>

#include "regway/plugin.h"
#include "sip/transport.h"

enum {
	BATCH = 64,
	STRIDE = 65536 + 320, /* buffers must not all fall on the same cache lines */
	QUEUE_MOST = 65536,   /* datagrams waiting at one port */
	BUFFER = 32 << 20,    /* asked of the kernel, bytes; it may give less */
	ERRORS_A_TURN = 256,
	CONTROL = 64,
	TRIES = 2, TRIES_REFUSED = 64,
};

struct datagram {
	struct sip_buf *buf;
	struct rg_addr peer, local;
	uint8_t tries; /* errors met, which may have been another datagram's */
};

struct port {
	struct sip_udp *udp;
	int fd;
	uint32_t socket, rcvbuf;
	struct rg_addr bound;
	bool any;
	bool dirty, blocked; /* has something to send; waits for room in the kernel */
	GArray *out;
};

struct failure {
	uint32_t socket;
	struct rg_addr peer;
	int err;
	struct sip_buf *sent;
};

struct sip_udp {
	struct sip_carrier *c;
	GHashTable *port; /* by socket */
	GPtrArray *dirty;
	GArray *failed; /* told at the end of the turn */
	char *in;
};

struct sip_udp *sip_udp_new(struct sip_carrier *c)
{
	struct sip_udp *u = g_new0(struct sip_udp, 1);

	u->c = c;
	u->port = g_hash_table_new(NULL, NULL);
	u->dirty = g_ptr_array_new();
	u->failed = g_array_new(FALSE, FALSE, sizeof(struct failure));
	u->in = g_malloc((gsize)BATCH * STRIDE);
	return u;
}

static struct port *find(const struct sip_udp *u, uint32_t socket)
{
	return g_hash_table_lookup(u->port, GUINT_TO_POINTER(socket));
}

/* ---- receiving -------------------------------------------------------------------- */

static void local_of(const struct port *p, struct msghdr *m, struct rg_addr *local)
{
	*local = p->bound;
	if (!p->any)
		return;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof info);
			local->family = 4;
			memcpy(local->ip, &info.ipi_addr, 4);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof info);
			memcpy(local->ip, &info.ipi6_addr, 16);
			local->scope = IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr) ?
					       info.ipi6_ifindex : 0;
		}
	}
}

static void deliver(struct port *p, struct msghdr *m, char *data, size_t len)
{
	struct sip_carrier *c = p->udp->c;
	struct sip_hop hop = { .socket = p->socket };

	sip_sockaddr_get(m->msg_name, &hop.peer);
	hop.peer.transport = RG_UDP;
	local_of(p, m, &hop.local);
	if (len < 5) /* keep-alives of one to four bytes are usual */
		return;
	c->stats->received++;
	if (c->trace)
		c->env.trace(c->env.arg, false, &hop.local, &hop.peer, data, len);
	c->env.received(c->env.arg, &hop, data, len);
}

static void receive(struct port *p)
{
	struct sip_udp *u = p->udp;
	struct mmsghdr mm[BATCH];
	struct iovec iov[BATCH];
	union sip_sockaddr from[BATCH];
	char control[BATCH][CONTROL];
	uint32_t socket = p->socket;
	int n;

	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ u->in + (size_t)i * STRIDE, SIP_BUF_MOST };
		mm[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1,
						 .msg_name = &from[i],
						 .msg_namelen = sizeof from[i] };
		if (p->any) {
			mm[i].msg_hdr.msg_control = control[i];
			mm[i].msg_hdr.msg_controllen = CONTROL;
		}
	}
	n = recvmmsg(p->fd, mm, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		if (find(u, socket) != p)
			return; /* closed by what a message set off */
		deliver(p, &mm[i].msg_hdr, iov[i].iov_base, mm[i].msg_len);
	}
}

/* ---- errors ----------------------------------------------------------------------- */

static bool next_error(struct port *p)
{
	struct sip_carrier *c = p->udp->c;
	union sip_sockaddr to;
	char quoted[2048], control[256];
	struct iovec iov = { quoted, sizeof quoted };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_name = &to,
			    .msg_namelen = sizeof to, .msg_control = control,
			    .msg_controllen = sizeof control };
	ssize_t n = recvmsg(p->fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT);
	struct rg_addr peer = { .transport = RG_UDP };

	if (n < 0)
		return false;
	for (struct cmsghdr *k = CMSG_FIRSTHDR(&m); k; k = CMSG_NXTHDR(&m, k)) {
		struct sock_extended_err e;

		if (!(k->cmsg_level == IPPROTO_IP && k->cmsg_type == IP_RECVERR) &&
		    !(k->cmsg_level == IPPROTO_IPV6 && k->cmsg_type == IPV6_RECVERR))
			continue;
		memcpy(&e, CMSG_DATA(k), sizeof e);
		if (e.ee_origin != SO_EE_ORIGIN_ICMP && e.ee_origin != SO_EE_ORIGIN_ICMP6)
			continue; /* sendmmsg has told it */
		if (e.ee_errno == EMSGSIZE)
			continue; /* a hint of the path's size; the kernel fragments */
		c->stats->icmp++;
		sip_sockaddr_get(&to, &peer);
		c->env.failed(c->env.arg, p->socket, &peer, (int)e.ee_errno, quoted, (size_t)n);
	}
	return true;
}

static void drain_errors(struct port *p)
{
	struct sip_udp *u = p->udp;
	uint32_t socket = p->socket;

	for (int i = 0; i < ERRORS_A_TURN; i++)
		if (find(u, socket) != p || !next_error(p))
			return;
}

static void flush(struct port *p);

static void ready(int fd, int events, void *arg)
{
	struct port *p = arg;
	struct sip_udp *u = p->udp;
	uint32_t socket = p->socket;

	(void)fd;
	if (events & SIP_ERROR)
		drain_errors(p);
	if (events & SIP_WRITE && find(u, socket) == p) {
		p->blocked = false;
		sip_loop_fd(u->c->loop, p->fd, SIP_READ, ready, p);
		flush(p);
	}
	if (events & SIP_READ && find(u, socket) == p)
		receive(p);
}

/* ---- sending ---------------------------------------------------------------------- */

/* Leave from the address that Via and Contact show. */
static void source(struct msghdr *m, char *control, const struct rg_addr *local)
{
	struct in_pktinfo four = { 0 };
	struct in6_pktinfo six = { 0 };
	bool is_six = local->family == 6;
	size_t n = is_six ? sizeof six : sizeof four;
	struct cmsghdr *c;

	memset(control, 0, CONTROL);
	m->msg_control = control;
	m->msg_controllen = CMSG_SPACE(n);
	c = CMSG_FIRSTHDR(m);
	c->cmsg_level = is_six ? IPPROTO_IPV6 : IPPROTO_IP;
	c->cmsg_type = is_six ? IPV6_PKTINFO : IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(n);
	memcpy(&four.ipi_spec_dst, local->ip, 4);
	memcpy(&six.ipi6_addr, local->ip, 16);
	six.ipi6_ifindex = local->scope;
	memcpy(CMSG_DATA(c), is_six ? (void *)&six : (void *)&four, n);
}

/* Up to BATCH from first on; returns how many went, or -errno for the first. */
static int send_batch(struct port *p, guint first)
{
	struct mmsghdr mm[BATCH];
	struct iovec iov[BATCH];
	union sip_sockaddr to[BATCH];
	char control[BATCH][CONTROL];
	guint n = MIN(p->out->len - first, (guint)BATCH);
	int r;

	for (guint i = 0; i < n; i++) {
		struct datagram *d = &g_array_index(p->out, struct datagram, first + i);
		struct msghdr *m = &mm[i].msg_hdr;

		iov[i] = (struct iovec){ d->buf->data, d->buf->len };
		*m = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1, .msg_name = &to[i] };
		m->msg_namelen = sip_sockaddr(&to[i], &d->peer);
		if (p->any)
			source(m, control[i], &d->local);
	}
	r = sendmmsg(p->fd, mm, n, MSG_DONTWAIT);
	return r < 0 ? -errno : r;
}

static void note_failure(struct port *p, struct datagram *d, int err)
{
	struct failure f = { p->socket, d->peer, err, d->buf };

	p->udp->c->stats->send_errors++;
	sip_buf_ref(d->buf);
	g_array_append_val(p->udp->failed, f);
	sip_carrier_wake(p->udp->c);
}

static void release(struct port *p, guint first, guint n)
{
	for (guint i = first; i < first + n; i++)
		sip_buf_unref(g_array_index(p->out, struct datagram, i).buf);
}

/* 0: go on, else the port must wait. */
static bool must_wait(struct port *p, guint *done, int err)
{
	struct datagram *d = &g_array_index(p->out, struct datagram, *done);

	if (err == EAGAIN || err == ENOBUFS) {
		p->blocked = !sip_loop_fd(p->udp->c->loop, p->fd, SIP_READ | SIP_WRITE, ready,
					  p);
		return true;
	}
	/* an ICMP error for an earlier datagram is told here first; "refused" is always one */
	if (++d->tries < (err == ECONNREFUSED ? TRIES_REFUSED : TRIES))
		return false;
	note_failure(p, d, err);
	release(p, *done, 1);
	(*done)++;
	return false;
}

static void flush(struct port *p)
{
	guint done = 0;

	while (done < p->out->len) {
		int n = send_batch(p, done);

		if (n < 0) {
			if (must_wait(p, &done, -n))
				break;
			continue;
		}
		p->udp->c->stats->sent += (uint64_t)n;
		release(p, done, (guint)n);
		done += (guint)n;
	}
	if (done == p->out->len)
		g_array_set_size(p->out, 0);
	else if (done)
		g_array_remove_range(p->out, 0, done);
}

static void tell_failures(struct sip_udp *u)
{
	struct sip_carrier *c = u->c;
	GArray *now = u->failed;

	if (!now->len)
		return;
	u->failed = g_array_new(FALSE, FALSE, sizeof(struct failure));
	for (guint i = 0; i < now->len; i++) {
		struct failure *f = &g_array_index(now, struct failure, i);

		c->env.failed(c->env.arg, f->socket, &f->peer, f->err, f->sent->data,
			      f->sent->len);
		sip_buf_unref(f->sent);
	}
	g_array_free(now, TRUE);
}

static void flush_dirty(struct sip_udp *u)
{
	for (guint i = 0; i < u->dirty->len; i++) {
		struct port *p = g_ptr_array_index(u->dirty, i);

		p->dirty = false;
		if (!p->blocked)
			flush(p);
	}
	g_ptr_array_set_size(u->dirty, 0);
}

void sip_udp_flush(struct sip_udp *u)
{
	flush_dirty(u);
	tell_failures(u);
}

int sip_udp_send(struct sip_udp *u, const struct sip_hop *hop, struct sip_buf *b)
{
	struct port *p = find(u, hop->socket);
	struct datagram d = { b, hop->peer, hop->local, 0 };

	if (!p)
		return ENOTCONN;
	if (p->out->len >= QUEUE_MOST) {
		u->c->stats->dropped++;
		return ENOBUFS;
	}
	sip_buf_ref(b);
	g_array_append_val(p->out, d);
	if (u->c->trace)
		u->c->env.trace(u->c->env.arg, true, &hop->local, &hop->peer, b->data, b->len);
	if (!p->dirty) {
		p->dirty = true;
		g_ptr_array_add(u->dirty, p);
		sip_carrier_wake(u->c);
	}
	return 0;
}

/* ---- opening ---------------------------------------------------------------------- */

/* As much as the kernel gives: a burst of answers must fit. */
static void widen(int fd, int force, int plain)
{
	int size = BUFFER;

	if (setsockopt(fd, SOL_SOCKET, force, &size, sizeof size))
		(void)setsockopt(fd, SOL_SOCKET, plain, &size, sizeof size);
}

static int set_up(struct port *p)
{
	int on = 1, six = p->bound.family == 6, size = 0;
	union sip_sockaddr sa;
	socklen_t n = sizeof size, len = sip_sockaddr(&sa, &p->bound);

	p->fd = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		return errno;
	widen(p->fd, SO_RCVBUFFORCE, SO_RCVBUF);
	widen(p->fd, SO_SNDBUFFORCE, SO_SNDBUF);
	if (six && setsockopt(p->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on))
		return errno;
	(void)setsockopt(p->fd, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_RECVERR : IP_RECVERR,
			 &on, sizeof on);
	if (p->any && setsockopt(p->fd, six ? IPPROTO_IPV6 : IPPROTO_IP,
				 six ? IPV6_RECVPKTINFO : IP_PKTINFO, &on, sizeof on))
		return errno;
	if (bind(p->fd, &sa.sa, len))
		return errno;
	getsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &size, &n);
	p->rcvbuf = (uint32_t)size;
	len = sizeof sa;
	if (!p->bound.port && !getsockname(p->fd, &sa.sa, &len))
		p->bound.port = ntohs(six ? sa.in6.sin6_port : sa.in.sin_port);
	return sip_loop_fd(p->udp->c->loop, p->fd, SIP_READ, ready, p);
}

static void close_port(struct port *p)
{
	struct sip_udp *u = p->udp;

	if (p->fd >= 0) {
		sip_loop_fd(u->c->loop, p->fd, 0, NULL, NULL);
		close(p->fd);
	}
	g_ptr_array_remove(u->dirty, p);
	release(p, 0, p->out->len);
	g_array_free(p->out, TRUE);
	g_free(p);
}

int sip_udp_open(struct sip_udp *u, const struct rg_addr *bound, uint32_t *socket)
{
	struct port *p = g_new0(struct port, 1);
	int err;

	p->udp = u;
	p->fd = -1;
	p->bound = *bound;
	p->bound.transport = RG_UDP;
	p->any = sip_addr_is_any(bound);
	p->out = g_array_new(FALSE, FALSE, sizeof(struct datagram));
	p->socket = sip_carrier_number(u->c);
	err = set_up(p);
	if (err) {
		close_port(p);
		return err;
	}
	g_hash_table_insert(u->port, GUINT_TO_POINTER(p->socket), p);
	*socket = p->socket;
	return 0;
}

void sip_udp_close(struct sip_udp *u, uint32_t socket)
{
	struct port *p = find(u, socket);

	if (!p)
		return;
	flush(p); /* a last answer still goes */
	g_hash_table_remove(u->port, GUINT_TO_POINTER(socket));
	close_port(p);
}

uint32_t sip_udp_rcvbuf(struct sip_udp *u, uint32_t socket)
{
	struct port *p = find(u, socket);

	return p ? p->rcvbuf : 0;
}

void sip_udp_free(struct sip_udp *u)
{
	GHashTableIter it;
	gpointer p;

	if (!u)
		return;
	flush_dirty(u);
	g_hash_table_iter_init(&it, u->port);
	while (g_hash_table_iter_next(&it, NULL, &p))
		close_port(p);
	for (guint i = 0; i < u->failed->len; i++)
		sip_buf_unref(g_array_index(u->failed, struct failure, i).sent);
	g_array_free(u->failed, TRUE);
	g_hash_table_destroy(u->port);
	g_ptr_array_free(u->dirty, TRUE);
	g_free(u->in);
	g_free(u);
}
