#include "sip/conn.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/random.h"
#include "regway/plugin.h"
#include "sip/lost.h"
#include "sip/tls.h"

enum {
	CONNECT_MS = 4000,
	SHAKE_MS = 8000,
	SILENT_MS = 32000,	 /* an accepted connection without a whole message */
	IDLE_MS = 900 * 1000,	 /* an accepted one without a message */
	UNUSED_MS = 7200 * 1000, /* one of ours: longer than any usual lease's half */
	STALL_MS = 30000,	 /* the peer reads nothing */
	PONG_MS = 10000,	 /* RFC 5626 4.4.1 */
	TURN = 4096,		 /* bytes read of one that has more, before others come */
	DEAF = 65536,		 /* bytes that wait: one that takes no answers asks nothing */
	SPARE = 16384,		 /* an empty queue keeps no more than that */
};

static rg_ms now_of(const struct sip_conn *n)
{
	return rg_now(sip_loop_timers(n->c->loop));
}

/* ---- the end --------------------------------------------------------------------------- */

void sip_conn_drop(struct sip_conn *n)
{
	rg_timer_stop(sip_loop_timers(n->c->loop), &n->timer);
	sip_tcp_leave(n->owner, n);
	n->c->stats->connections--;
	sip_tls_free(n->tls);
	if (n->fd >= 0) {
		sip_loop_fd(n->c->loop, n->fd, 0, NULL, NULL);
		close(n->fd);
	}
	g_byte_array_free(n->out, TRUE);
	sip_stream_close(&n->stream);
	g_free(n->tls_name);
	g_free(n);
}

void sip_conn_broken(struct sip_conn *n, int err, bool asked)
{
	struct sip_carrier *c = n->c;
	struct rg_addr peer = n->hop.peer, all = { .family = 0 };
	uint32_t socket = n->hop.socket, interface = n->interface;
	bool tell = n->ours && n->state == SIP_UP && !asked, waited_for = n->asked;
	struct sip_lost *lost = sip_tcp_lost(n->owner);

	if (n->state == SIP_SHAKING || sip_error_tls(err))
		sip_tcp_failed(n->owner, n, err ? err : ECONNRESET);
	sip_conn_drop(n);
	if (waited_for) /* a search among all transactions, which strangers must not set off */
		c->env.failed(c->env.arg, socket, &all, err ? err : ECONNRESET, NULL, 0);
	if (tell)
		sip_lost_add(lost, interface, &peer);
}

/* ---- time ------------------------------------------------------------------------------ */

static rg_ms limit(const struct sip_conn *n)
{
	if (n->state == SIP_CONNECTING)
		return CONNECT_MS;
	if (n->state == SIP_SHAKING)
		return SHAKE_MS;
	if (n->blocked)
		return STALL_MS;
	return n->ours ? UNUSED_MS : n->spoken ? IDLE_MS : SILENT_MS;
}

static void tick(void *arg);

static void watch(struct sip_conn *n)
{
	rg_ms at = n->active + limit(n);

	if (n->ping)
		at = MIN(at, n->ping);
	rg_timer_set(sip_loop_timers(n->c->loop), &n->timer, at, tick, n);
}

static void active(struct sip_conn *n)
{
	n->active = now_of(n);
}

static void tick(void *arg)
{
	struct sip_conn *n = arg;
	rg_ms now = now_of(n);

	if (now >= n->active + limit(n)) {
		sip_conn_broken(n, ETIMEDOUT, n->state == SIP_UP && !n->blocked);
		return;
	}
	if (n->ping && now >= n->ping) {
		if (n->pinged) {
			sip_conn_broken(n, ETIMEDOUT, false);
			return;
		}
		n->pinged = true;
		n->ping += PONG_MS;
		sip_conn_queue(n, "\r\n\r\n", 4);
	}
	watch(n);
}

/* Up to 20 % early at random, so that connections do not ping in step. */
void sip_conn_plan(struct sip_conn *n)
{
	uint32_t every = sip_carrier_ping(n->c, n->interface);

	n->pinged = false;
	n->ping = 0;
	if (n->flow_ms && (!every || n->flow_ms < every))
		every = n->flow_ms;
	if (n->ours && n->state == SIP_UP && every)
		n->ping = now_of(n) + every - (rg_ms)(rg_random64() % (every / 5 + 1));
	watch(n);
}

/* ---- writing --------------------------------------------------------------------------- */

static void ready(int fd, int events, void *arg);

static void wait_for(struct sip_conn *n, int events)
{
	if (n->events != events && !sip_loop_fd(n->c->loop, n->fd, events, ready, n))
		n->events = events;
}

size_t sip_conn_waiting(const struct sip_conn *n)
{
	return n->out->len - n->sent;
}

void sip_conn_queue(struct sip_conn *n, const void *data, size_t len)
{
	g_byte_array_append(n->out, data, (guint)len);
	if (!n->dirty && !n->blocked && n->state == SIP_UP) {
		n->dirty = true;
		sip_tcp_dirty(n->owner, n);
	}
}

void sip_conn_used(struct sip_conn *n)
{
	if (n->state == SIP_UP && !n->blocked)
		active(n);
}

/* Ours is read all the same: what it waits for may come before it writes again. */
static bool is_deaf(const struct sip_conn *n)
{
	return !n->ours && n->blocked && sip_conn_waiting(n) > DEAF;
}

static ssize_t put(struct sip_conn *n, const void *p, size_t len)
{
	ssize_t r;

	if (n->tls)
		return sip_tls_write(n->tls, p, len);
	r = send(n->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	return r < 0 ? -errno : r;
}

static void written(struct sip_conn *n)
{
	n->sent = 0;
	if (n->out->len > SPARE) {
		g_byte_array_free(n->out, TRUE);
		n->out = g_byte_array_new();
	}
	g_byte_array_set_size(n->out, 0);
}

/* A peer that reads, but never all of it, costs what waits, not what was ever sent. */
static void give_back(struct sip_conn *n)
{
	if (n->sent < SPARE || n->sent < n->out->len / 2)
		return;
	g_byte_array_remove_range(n->out, 0, n->sent);
	n->sent = 0;
}

void sip_conn_flush(struct sip_conn *n)
{
	n->dirty = false;
	while (n->sent < n->out->len) {
		ssize_t r = put(n, n->out->data + n->sent, n->out->len - n->sent);

		if (r == -EINTR)
			continue;
		if (r < 0 && r != -EAGAIN) {
			sip_conn_broken(n, (int)-r, false);
			return;
		}
		if (r < 0) {
			if (!n->blocked)
				active(n);
			n->blocked = true;
			give_back(n);
			wait_for(n, is_deaf(n) ? SIP_WRITE : SIP_READ | SIP_WRITE);
			watch(n);
			return;
		}
		n->sent += (guint)r;
		if (n->blocked)
			active(n);
	}
	written(n);
	if (n->blocked) {
		n->blocked = false;
		wait_for(n, SIP_READ);
		watch(n);
	}
}

/* ---- reading --------------------------------------------------------------------------- */

/* Wake us when the rest of a long message is there, not at every segment of it. */
static void wake_at(struct sip_conn *n, size_t bytes)
{
	int low = (int)MAX(bytes, (size_t)1);

	if (n->low == low || n->tls)
		return;
	n->low = low;
	(void)setsockopt(n->fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof low);
}

/* A message is complete.  false: the connection is gone. */
static bool take(struct sip_conn *n, char *data, size_t len)
{
	struct sip_carrier *c = n->c;
	struct sip_tcp *t = n->owner;
	uint32_t socket = n->hop.socket;

	if (!n->spoken)
		sip_tcp_spoken(t, n);
	n->spoken = true;
	active(n);
	c->stats->received++;
	if (c->trace)
		c->env.trace(c->env.arg, false, &n->hop.local, &n->hop.peer, data, len);
	c->env.received(c->env.arg, &n->hop, data, len);
	return sip_tcp_has(t, n, socket);
}

/* false: the connection is gone. */
static bool messages(struct sip_conn *n, const char *bytes, size_t size)
{
	rg_ms now = now_of(n);
	long len = sip_stream_add(&n->stream, bytes, size) ? SIP_FRAME_NONE : 1;
	char *data;
	bool pong;

	n->heard = now;
	if (n->pinged)
		sip_conn_plan(n);
	while (len > 0) {
		len = sip_stream_next(&n->stream, now, &data, &pong);
		if (pong)
			sip_conn_queue(n, "\r\n", 2);
		if (pong && n->spoken) /* it is kept alive, maybe for a long call */
			active(n);
		if (len > 0 && !take(n, data, (size_t)len))
			return false;
	}
	if (!len) {
		wake_at(n, sip_stream_wants(&n->stream));
		return true;
	}
	if (len != SIP_FRAME_LARGE)
		n->c->stats->malformed++;
	else if (!take(n, data, sip_stream_left(&n->stream)))
		return false;
	if (sip_conn_waiting(n)) /* what came before it has its answers, if they go at once */
		(void)put(n, n->out->data + n->sent, sip_conn_waiting(n));
	sip_conn_broken(n, EBADMSG, false);
	return false;
}

static void read_plain(struct sip_conn *n)
{
	size_t size;
	char *room = sip_tcp_room(n->owner, &size);
	ssize_t r = recv(n->fd, room, MIN(size, MAX(TURN, sip_stream_wants(&n->stream))),
			 MSG_DONTWAIT);

	if (r > 0)
		(void)messages(n, room, (size_t)r);
	else if (!r || (errno != EAGAIN && errno != EINTR))
		sip_conn_broken(n, r ? errno : 0, false);
}

static void read_tls(struct sip_conn *n)
{
	size_t size;
	char *room = sip_tcp_room(n->owner, &size);

	sip_tls_turn(n->tls);
	for (;;) {
		ssize_t r = sip_tls_read(n->tls, room, size);

		if (r == -EAGAIN)
			return;
		if (r <= 0) {
			sip_conn_broken(n, (int)-r, false);
			return;
		}
		if (!messages(n, room, (size_t)r))
			return;
	}
}

/* ---- coming up ------------------------------------------------------------------------- */

static void up(struct sip_conn *n)
{
	if (n->state == SIP_SHAKING)
		sip_tcp_shaken(n->owner, n);
	n->state = SIP_UP;
	wait_for(n, SIP_READ);
	active(n);
	sip_conn_plan(n);
	n->c->stats->connected += n->ours;
	if (sip_conn_waiting(n))
		sip_conn_queue(n, "", 0);
}

static void shake(struct sip_conn *n)
{
	struct sip_tcp *t = n->owner;
	uint32_t socket = n->hop.socket;
	gint64 began;
	int err;

	sip_tls_turn(n->tls);
	began = g_get_monotonic_time();
	err = sip_tls_shake(n->tls);
	sip_tcp_shook(t, began);
	if (err == EAGAIN) {
		wait_for(n, SIP_READ | (sip_tls_wants_write(n->tls) ? SIP_WRITE : 0));
		return;
	}
	if (err) {
		sip_conn_broken(n, err, false);
		return;
	}
	up(n);
	if (sip_tcp_has(t, n, socket)) /* what came behind the handshake is read already */
		read_tls(n);
}

static int start_tls(struct sip_conn *n)
{
	int err = sip_tcp_session(n->owner, n);

	if (err)
		return err;
	n->state = SIP_SHAKING;
	active(n);
	watch(n);
	return 0;
}

static void connected(struct sip_conn *n)
{
	int err = 0;
	socklen_t len = sizeof err;

	if (getsockopt(n->fd, SOL_SOCKET, SO_ERROR, &err, &len))
		err = errno;
	if (!err && n->hop.peer.transport == RG_TLS) {
		err = start_tls(n);
		if (!err) {
			shake(n);
			return;
		}
	}
	if (err)
		sip_conn_broken(n, err, false);
	else
		up(n);
}

static void ready(int fd, int events, void *arg)
{
	struct sip_conn *n = arg;
	struct sip_tcp *t = n->owner;
	uint32_t socket = n->hop.socket;

	(void)fd;
	if (n->state == SIP_CONNECTING) {
		if (events & (SIP_WRITE | SIP_ERROR))
			connected(n);
		return;
	}
	if (n->state == SIP_SHAKING) {
		if (sip_tcp_may_shake(t)) /* else we are called again at once */
			shake(n);
		return;
	}
	if (n->blocked)
		sip_conn_flush(n);
	if (!sip_tcp_has(t, n, socket) || is_deaf(n) || !(events & (SIP_READ | SIP_ERROR)))
		return;
	if (n->tls)
		read_tls(n);
	else
		read_plain(n);
}

struct sip_conn *sip_conn_new(struct sip_tcp *owner, struct sip_carrier *c, const char *tls_name)
{
	struct sip_conn *n = g_new0(struct sip_conn, 1);

	n->owner = owner;
	n->c = c;
	n->fd = -1;
	n->tls_name = g_strdup(tls_name ? tls_name : "");
	n->out = g_byte_array_new();
	sip_stream_open(&n->stream);
	n->hop.socket = sip_carrier_number(c) | SIP_SOCKET_TCP;
	n->low = 1;
	active(n);
	sip_tcp_enter(owner, n);
	c->stats->connections++;
	return n;
}

/* Small messages must not wait for the acknowledgement of the one before. */
static void nodelay(int fd)
{
	int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int sip_conn_connect(struct sip_conn *n)
{
	union sip_sockaddr peer, from;
	socklen_t len = sip_sockaddr(&peer, &n->hop.peer), from_len;
	struct rg_addr a = n->from;

	a.port = 0;
	from_len = sip_sockaddr(&from, &a);
	n->fd = socket(peer.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (n->fd < 0)
		return errno;
	nodelay(n->fd);
	if ((!sip_addr_is_any(&a) || !n->hop.local.port) && bind(n->fd, &from.sa, from_len))
		return errno;
	if (connect(n->fd, &peer.sa, len) && errno != EINPROGRESS)
		return errno;
	from_len = sizeof from;
	if (!n->hop.local.port && !getsockname(n->fd, &from.sa, &from_len)) {
		sip_sockaddr_get(&from, &a);
		n->hop.local.port = a.port;
	}
	n->state = SIP_CONNECTING;
	wait_for(n, SIP_WRITE);
	watch(n);
	return 0;
}

int sip_conn_take(struct sip_conn *n, int fd)
{
	union sip_sockaddr local;
	socklen_t len = sizeof local;
	int err = 0;

	n->fd = fd;
	nodelay(fd);
	if (!getsockname(fd, &local.sa, &len))
		sip_sockaddr_get(&local, &n->hop.local);
	n->state = SIP_UP;
	if (n->hop.peer.transport == RG_TLS)
		err = start_tls(n);
	wait_for(n, SIP_READ);
	watch(n);
	return err;
}
