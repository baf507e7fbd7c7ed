#include "sip/listener.h"

#include <errno.h>
#include <glib.h>
#include <unistd.h>

#include "base/log.h"

enum {
	BACKLOG = 256,
	ACCEPTS_A_TURN = 64,
	PAUSE_MS = 1000, /* out of descriptors */
};

static void ready(int fd, int events, void *arg);

static void resume(void *arg)
{
	struct sip_listener *l = arg;

	(void)sip_loop_fd(l->c->loop, l->fd, SIP_READ, ready, l);
}

static void ready(int fd, int events, void *arg)
{
	struct sip_listener *l = arg;
	struct rg_timers *timers = sip_loop_timers(l->c->loop);

	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		union sip_sockaddr sa;
		socklen_t len = sizeof sa;
		struct rg_addr peer = { .transport = l->bound.transport };
		int one = accept4(fd, &sa.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (one < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
				errno == ENOMEM)) { /* it would be told again and again */
			rg_warn("no connection can be accepted: %s", g_strerror(errno));
			sip_loop_fd(l->c->loop, fd, 0, NULL, NULL);
			rg_timer_set(timers, &l->pause, rg_now(timers) + PAUSE_MS, resume, l);
			return;
		}
		if (one < 0 && errno == EAGAIN)
			return;
		if (one < 0)
			continue;
		sip_sockaddr_get(&sa, &peer);
		l->accepted(l->arg, l, one, &peer);
	}
}

static int listen_on(struct sip_listener *l)
{
	union sip_sockaddr sa;
	socklen_t len = sip_sockaddr(&sa, &l->bound);
	int on = 1;

	l->fd = socket(sa.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0)
		return errno;
	(void)setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (l->bound.family == 6 &&
	    setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on))
		return errno;
	if (bind(l->fd, &sa.sa, len) || listen(l->fd, BACKLOG))
		return errno;
	return sip_loop_fd(l->c->loop, l->fd, SIP_READ, ready, l);
}

void sip_listener_free(struct sip_listener *l)
{
	rg_timer_stop(sip_loop_timers(l->c->loop), &l->pause);
	if (l->fd >= 0) {
		sip_loop_fd(l->c->loop, l->fd, 0, NULL, NULL);
		close(l->fd);
	}
	g_free(l->context);
	g_free(l);
}

struct sip_listener *sip_listener_new(struct sip_carrier *c, const struct rg_addr *bound,
				      sip_accepted_h *accepted, void *arg, int *err)
{
	struct sip_listener *l = g_new0(struct sip_listener, 1);

	l->c = c;
	l->bound = *bound;
	l->require = -1;
	l->accepted = accepted;
	l->arg = arg;
	*err = listen_on(l);
	if (*err) {
		sip_listener_free(l);
		return NULL;
	}
	l->number = sip_carrier_number(c);
	return l;
}
