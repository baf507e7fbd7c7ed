/*
 * loop.h -- the event loop: libre's epoll, and one timerfd for all of our timers.
 *
 * Every handler runs inside a turn: when it begins, the clock of the timers is set
 * and what is due runs; when it ends, what was collected meanwhile (datagrams) is
 * flushed.  After a stall of 100 ms and more what is due waits for the sockets, once.
 * One loop a process; all but sip_loop_post belongs to its thread.
 */
#ifndef RG_SIP_LOOP_H
#define RG_SIP_LOOP_H

#include <stddef.h>

#include "base/timer.h"

enum { SIP_READ = 1, SIP_WRITE = 2, SIP_ERROR = 4 };

typedef void (sip_fd_h)(int fd, int events, void *arg);
typedef void (sip_call_h)(void *arg);

struct sip_loop;

/* Monotonic milliseconds: what rg_timers_new() is to be given. */
rg_ms sip_loop_clock(void);

/* fds: most descriptors, 0: what RLIMIT_NOFILE allows.  timers outlive the loop.
 * 0 or an errno. */
int sip_loop_new(struct sip_loop **, struct rg_timers *timers, unsigned fds);
void sip_loop_free(struct sip_loop *);
struct rg_timers *sip_loop_timers(const struct sip_loop *);

/* Blocks until sip_loop_stop; 0 or an errno. */
int sip_loop_run(struct sip_loop *);
void sip_loop_stop(struct sip_loop *);

/* From now on call h when one of events is possible; a second call replaces the
 * first, events 0 ends it (before the descriptor is closed).  SIP_ERROR is told
 * unasked.  0 or an errno. */
int sip_loop_fd(struct sip_loop *, int fd, int events, sip_fd_h *h, void *arg);

/* Block n signals in this thread (call it before others are started) and have them
 * told from the loop.  Once. */
int sip_loop_signals(struct sip_loop *, const int *signals, size_t n,
		     void (*h)(int signal, void *arg), void *arg);

/* From any thread: run h(arg) in the loop.  0 or ENOMEM. */
int sip_loop_post(struct sip_loop *, sip_call_h *h, void *arg);

/* h(arg) at the end of each turn.  At most 8; h NULL: the one of this arg ends. */
void sip_loop_at_end(struct sip_loop *, sip_call_h *h, void *arg);

/* Around a handler that the loop does not know of (libre's connections).  They nest. */
void sip_loop_enter(struct sip_loop *);
void sip_loop_leave(struct sip_loop *);
/* Are we in a turn, so that an end of it will come? */
bool sip_loop_in_turn(const struct sip_loop *);

#endif
