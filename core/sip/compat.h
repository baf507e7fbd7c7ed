/*
 * compat.h -- the only include of <re.h>: its headers have no guards and change
 * between 1.1.0 (Debian 12) and 4.x.  RE_VER is MMmmpp of the installed libre, given
 * by the build since the headers carry no version.
 */
#ifndef RG_SIP_COMPAT_H
#define RG_SIP_COMPAT_H

#include <re.h>

#define DEBUG_MODULE "regway"
#define DEBUG_LEVEL 3
#include <re_dbg.h> /* dbg_init() */

#include <errno.h>

#ifndef RE_VER
#error "RE_VER is not defined: see the Makefile"
#endif

/* A file descriptor in libre's loop; zeroed is not listened to. */
struct compat_fd {
#if RE_VER >= 30600
	struct re_fhs *fhs;
#else
	bool on;
#endif
};

#if RE_VER >= 30600
static inline void compat_fd_close(struct compat_fd *c, int fd)
{
	(void)fd;
	c->fhs = fd_close(c->fhs);
}

static inline int compat_fd_listen(struct compat_fd *c, int fd, int flags, fd_h *h, void *arg)
{
	compat_fd_close(c, fd);
	return fd_listen(&c->fhs, fd, flags, h, arg);
}
#else
static inline void compat_fd_close(struct compat_fd *c, int fd)
{
	if (c->on)
		fd_close(fd);
	c->on = false;
}

static inline int compat_fd_listen(struct compat_fd *c, int fd, int flags, fd_h *h, void *arg)
{
	int err = fd_listen(fd, flags, h, arg);

	c->on = !err;
	return err;
}
#endif

#endif
