#include "sip/loop.h"

#include <glib.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "sip/compat.h"

enum { ENDS = 8, TIMERS_A_TURN = 1024, MOST_FDS = 1 << 20, STALL_MS = 100, CATCH_UP_MS = 20 };

struct watch {
	struct sip_loop *loop;
	int fd, events;
	struct compat_fd re;
	sip_fd_h *h;
	void *arg;
};

struct post {
	struct post *next;
	sip_call_h *h;
	void *arg;
};

struct sip_loop {
	struct rg_timers *timers;
	GPtrArray *watch; /* by descriptor */
	int timer_fd, signal_fd, post_fd;
	rg_ms armed, catch_up; /* timers wait until the latter */
	unsigned depth;
	bool caught_up; /* and nothing that fell due has run since */
	struct {
		sip_call_h *h;
		void *arg;
	} end[ENDS];
	void (*signal_h)(int, void *);
	void *signal_arg;
	pthread_mutex_t lock;
	struct post *posts, **posts_end;
	bool stopped; /* by a handler that sip_loop_run() called before it waits */
};

rg_ms sip_loop_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (rg_ms)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct rg_timers *sip_loop_timers(const struct sip_loop *l)
{
	return l->timers;
}

bool sip_loop_in_turn(const struct sip_loop *l)
{
	return l->depth;
}

/* After a stall what has come meanwhile is read before what fell due is run: an answer that
 * waits in a socket is no silence of the server's.  Once only, then timers have their turn:
 * under a load that makes every turn long they would never come. */
static bool catching_up(struct sip_loop *l, rg_ms now)
{
	rg_ms late = now - STALL_MS;

	if (!l->caught_up && rg_timers_next(l->timers) < late && rg_now(l->timers) < late) {
		l->catch_up = now + CATCH_UP_MS;
		l->caught_up = true;
	}
	return now < l->catch_up;
}

void sip_loop_enter(struct sip_loop *l)
{
	rg_ms now;

	if (l->depth++)
		return;
	now = sip_loop_clock();
	if (catching_up(l, now)) {
		rg_timers_set_now(l->timers, now);
		return;
	}
	rg_timers_run(l->timers, now, TIMERS_A_TURN);
	l->caught_up = false;
}

/* Only an earlier deadline needs a system call: a later one costs one idle wake-up. */
static void arm(struct sip_loop *l)
{
	rg_ms next = MAX(rg_timers_next(l->timers), l->catch_up);
	struct itimerspec at = { .it_interval = { 0, 0 } };

	if (next >= l->armed)
		return;
	l->armed = next;
	next = MAX(next, 1);
	at.it_value.tv_sec = next / 1000;
	at.it_value.tv_nsec = next % 1000 * 1000000;
	timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

void sip_loop_leave(struct sip_loop *l)
{
	if (l->depth == 1) {
		for (unsigned i = 0; i < ENDS; i++)
			if (l->end[i].h)
				l->end[i].h(l->end[i].arg);
		arm(l);
	}
	l->depth--;
}

void sip_loop_at_end(struct sip_loop *l, sip_call_h *h, void *arg)
{
	for (unsigned i = 0; i < ENDS; i++) {
		if (h ? !l->end[i].h : l->end[i].arg == arg) {
			l->end[i].h = h;
			l->end[i].arg = h ? arg : NULL;
			return;
		}
	}
	g_assert(!h);
}

static void fd_handler(int flags, void *arg)
{
	struct watch *w = arg;
	struct sip_loop *l = w->loop;
	int events = (flags & FD_READ ? SIP_READ : 0) | (flags & FD_WRITE ? SIP_WRITE : 0) |
		     (flags & FD_EXCEPT ? SIP_ERROR : 0);
	int fd = w->fd;

	sip_loop_enter(l);
	/* a timer that ran just now may have ended the watch */
	if ((guint)fd < l->watch->len && g_ptr_array_index(l->watch, fd) == w)
		w->h(fd, events, w->arg);
	sip_loop_leave(l);
}

static void unwatch(struct sip_loop *l, int fd)
{
	struct watch *w = (guint)fd < l->watch->len ? g_ptr_array_index(l->watch, fd) : NULL;

	if (!w)
		return;
	compat_fd_close(&w->re, fd);
	g_ptr_array_index(l->watch, fd) = NULL;
	g_free(w);
}

int sip_loop_fd(struct sip_loop *l, int fd, int events, sip_fd_h *h, void *arg)
{
	struct watch *w;
	int err;

	if (fd < 0)
		return EBADF;
	if (!events) {
		unwatch(l, fd);
		return 0;
	}
	if ((guint)fd >= l->watch->len)
		g_ptr_array_set_size(l->watch, fd + 1);
	w = g_ptr_array_index(l->watch, fd);
	if (!w) {
		w = g_new0(struct watch, 1);
		w->loop = l;
		w->fd = fd;
		g_ptr_array_index(l->watch, fd) = w;
	}
	w->h = h;
	w->arg = arg;
	if (w->events == events)
		return 0;
	w->events = events;
	err = compat_fd_listen(&w->re, fd,
			       (events & SIP_READ ? FD_READ : 0) |
			       (events & SIP_WRITE ? FD_WRITE : 0), fd_handler, w);
	if (err)
		unwatch(l, fd);
	return err;
}

/* What is due ran when the turn began. */
static void timer_handler(int fd, int events, void *arg)
{
	struct sip_loop *l = arg;
	uint64_t n;

	(void)events;
	if (read(fd, &n, sizeof n) < 0 && errno != EAGAIN)
		return;
	l->armed = RG_NEVER;
}

static void post_handler(int fd, int events, void *arg)
{
	struct sip_loop *l = arg;
	struct post *p, *next;
	uint64_t n;

	(void)events;
	if (read(fd, &n, sizeof n) < 0)
		return;
	pthread_mutex_lock(&l->lock);
	p = l->posts;
	l->posts = NULL;
	l->posts_end = &l->posts;
	pthread_mutex_unlock(&l->lock);
	for (; p; p = next) {
		next = p->next;
		p->h(p->arg);
		g_free(p);
	}
}

int sip_loop_post(struct sip_loop *l, sip_call_h *h, void *arg)
{
	struct post *p = g_try_new0(struct post, 1);
	uint64_t one = 1;

	if (!p)
		return ENOMEM;
	p->h = h;
	p->arg = arg;
	pthread_mutex_lock(&l->lock);
	*l->posts_end = p;
	l->posts_end = &p->next;
	pthread_mutex_unlock(&l->lock);
	/* fails only when the counter is full, and then the loop is awake anyway */
	return write(l->post_fd, &one, sizeof one) < 0 && errno != EAGAIN ? errno : 0;
}

static void signal_handler(int fd, int events, void *arg)
{
	struct sip_loop *l = arg;
	struct signalfd_siginfo si;

	(void)events;
	while (read(fd, &si, sizeof si) == (ssize_t)sizeof si)
		l->signal_h((int)si.ssi_signo, l->signal_arg);
}

int sip_loop_signals(struct sip_loop *l, const int *signals, size_t n, void (*h)(int, void *),
		     void *arg)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < n; i++)
		sigaddset(&set, signals[i]);
	if (pthread_sigmask(SIG_BLOCK, &set, NULL))
		return EINVAL;
	l->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (l->signal_fd < 0)
		return errno;
	l->signal_h = h;
	l->signal_arg = arg;
	return sip_loop_fd(l, l->signal_fd, SIP_READ, signal_handler, l);
}

static unsigned fd_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) || r.rlim_cur > MOST_FDS)
		return MOST_FDS;
	return (unsigned)r.rlim_cur;
}

int sip_loop_new(struct sip_loop **lp, struct rg_timers *timers, unsigned fds)
{
	struct sip_loop *l;
	int err = libre_init();

	dbg_init(DBG_EMERG, DBG_NONE); /* every error it warns of is returned as well */
	if (!err)
		err = fd_setsize((int)(fds ? fds : fd_limit()));
	if (err)
		return err;
	l = g_new0(struct sip_loop, 1);
	l->timers = timers;
	l->watch = g_ptr_array_new();
	l->armed = RG_NEVER;
	l->signal_fd = -1;
	l->posts_end = &l->posts;
	pthread_mutex_init(&l->lock, NULL);
	l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	l->post_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (l->timer_fd < 0 || l->post_fd < 0)
		err = errno;
	if (!err)
		err = sip_loop_fd(l, l->timer_fd, SIP_READ, timer_handler, l);
	if (!err)
		err = sip_loop_fd(l, l->post_fd, SIP_READ, post_handler, l);
	if (err) {
		sip_loop_free(l);
		return err;
	}
	*lp = l;
	return 0;
}

static void close_fd(struct sip_loop *l, int fd)
{
	if (fd < 0)
		return;
	unwatch(l, fd);
	close(fd);
}

void sip_loop_free(struct sip_loop *l)
{
	struct post *next;

	if (!l)
		return;
	close_fd(l, l->timer_fd);
	close_fd(l, l->signal_fd);
	close_fd(l, l->post_fd);
	for (guint fd = 0; fd < l->watch->len; fd++)
		unwatch(l, (int)fd);
	g_ptr_array_free(l->watch, TRUE);
	for (struct post *p = l->posts; p; p = next) {
		next = p->next;
		g_free(p);
	}
	pthread_mutex_destroy(&l->lock);
	g_free(l);
	libre_close();
}

int sip_loop_run(struct sip_loop *l)
{
	l->stopped = false;
	sip_loop_enter(l);
	sip_loop_leave(l);
	return l->stopped ? 0 : re_main(NULL); /* which forgets what was cancelled before */
}

void sip_loop_stop(struct sip_loop *l)
{
	l->stopped = true;
	re_cancel();
}
