/*
 * link -- a service: which network links are up, from the kernel (rtnetlink).
 *
 *  1. A device is up while it is set up and has a carrier.  Each change is told, and
 *     at the start the state of each device.
 *  2. An address that came or went while the device is up is told as down and up: what
 *     is registered was registered from another address.  Changes within a moment are
 *     one; link-local addresses, tentative ones and renewed ones are none.
 *  3. When the kernel had more to tell than could be taken, everything is asked for
 *     anew.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "regway/plugin.h"

enum {
	MOMENT_MS = 200,
	READS_MOST = 64 /* before others get their turn */
};

struct address {
	uint8_t family, ip[16];
	bool seen;
	bool gone; /* with its link: no change if it comes back with it */
};

struct device {
	int index; /* 0: a free place */
	char name[IF_NAMESIZE];
	bool up, told, seen;
	bool moved; /* an address came or went */
	struct address *addr;
	size_t naddr;
};

enum { ASK_NOTHING, ASK_LINKS, ASK_ADDRESSES };

struct links {
	const struct rg_host *host;
	struct rg_self *self;
	struct mnl_socket *nl;
	struct rg_timer_handle *timer;
	struct device *dev;
	size_t ndev;
	uint32_t seq;
	uint8_t asking;
	bool first; /* nothing was known before: addresses have not changed */
	bool again; /* messages were lost while asking */
	bool failed;
};

/* ---- devices ------------------------------------------------------------------------------ */

static struct device *device(struct links *l, int index)
{
	for (size_t i = 0; i < l->ndev; i++)
		if (l->dev[i].index == index)
			return &l->dev[i];
	return NULL;
}

static struct device *device_new(struct links *l, int index)
{
	struct device *d = device(l, 0);

	if (!d) {
		d = realloc(l->dev, (l->ndev + 16) * sizeof *d);
		if (!d)
			return NULL;
		l->dev = d;
		memset(d + l->ndev, 0, 16 * sizeof *d);
		d += l->ndev;
		l->ndev += 16;
	}
	memset(d, 0, sizeof *d);
	d->index = index;
	return d;
}

static void tell(struct links *l, struct device *d, bool up)
{
	if (d->told && d->up == up)
		return;
	if (d->told || !up)
		l->host->log(l->self, RG_LOG_INFO, "%s is %s", d->name, up ? "up" : "down");
	d->up = up;
	d->told = true;
	l->host->link(d->name, up);
}

static void device_gone(struct links *l, struct device *d)
{
	tell(l, d, false);
	free(d->addr);
	memset(d, 0, sizeof *d);
}

static int name_of(const struct nlattr *a, void *arg)
{
	if (mnl_attr_get_type(a) == IFLA_IFNAME && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)
		*(const char **)arg = mnl_attr_get_str(a);
	return MNL_CB_OK;
}

static void link_message(struct links *l, const struct nlmsghdr *h)
{
	const struct ifinfomsg *m = mnl_nlmsg_get_payload(h);
	struct device *d = device(l, m->ifi_index);
	const char *name = NULL;

	if (m->ifi_index <= 0 || m->ifi_family != AF_UNSPEC) /* a bridge's own view */
		return;
	mnl_attr_parse(h, sizeof *m, name_of, &name);
	if (h->nlmsg_type == RTM_DELLINK) {
		if (d)
			device_gone(l, d);
		return;
	}
	if (!name || strlen(name) >= sizeof d->name)
		return;
	if (d && strcmp(d->name, name)) { /* renamed: another device to whoever uses it */
		device_gone(l, d);
		d = NULL;
	}
	if (!d)
		d = device_new(l, m->ifi_index);
	if (!d)
		return;
	memcpy(d->name, name, strlen(name) + 1);
	d->seen = true;
	tell(l, d, (m->ifi_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING));
}

/* ---- addresses ---------------------------------------------------------------------------- */

static void moment_over(void *arg)
{
	struct links *l = arg;

	for (size_t i = 0; i < l->ndev; i++) {
		struct device *d = &l->dev[i];

		if (!d->index || !d->moved)
			continue;
		d->moved = false;
		if (!d->up)
			continue;
		l->host->log(l->self, RG_LOG_INFO, "%s has other addresses", d->name);
		l->host->link(d->name, false);
		l->host->link(d->name, true);
	}
}

static void moved(struct links *l, struct device *d)
{
	if (l->first)
		return;
	d->moved = true;
	if (!l->timer)
		l->host->timer(l->self, &l->timer, MOMENT_MS, moment_over, l);
}

struct parsed {
	struct address *to;
	uint32_t flags;
	bool local, found;
};

static int address_of(const struct nlattr *a, void *arg)
{
	unsigned type = mnl_attr_get_type(a), n = mnl_attr_get_payload_len(a);
	struct parsed *p = arg;

	if (type == IFA_FLAGS && n == sizeof p->flags)
		p->flags = mnl_attr_get_u32(a);
	if (type != IFA_LOCAL && (type != IFA_ADDRESS || p->local))
		return MNL_CB_OK;
	if (n != (p->to->family == AF_INET ? 4 : 16))
		return MNL_CB_OK;
	memcpy(p->to->ip, mnl_attr_get_payload(a), n);
	p->local = type == IFA_LOCAL; /* that of IFA_ADDRESS may be the peer's */
	p->found = true;
	return MNL_CB_OK;
}

/* false: an address of no interest. */
static bool read_address(const struct nlmsghdr *h, struct address *out)
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
	struct parsed p = { .to = out, .flags = m->ifa_flags };

	*out = (struct address){ .family = m->ifa_family };
	if ((m->ifa_family != AF_INET && m->ifa_family != AF_INET6) ||
	    m->ifa_scope >= RT_SCOPE_LINK)
		return false;
	mnl_attr_parse(h, sizeof *m, address_of, &p);
	return p.found && !(p.flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED));
}

static struct address *address(const struct device *d, const struct address *x)
{
	for (size_t i = 0; i < d->naddr; i++)
		if (d->addr[i].family == x->family && !memcmp(d->addr[i].ip, x->ip, 16))
			return &d->addr[i];
	return NULL;
}

static void address_drop(struct links *l, struct device *d, struct address *a)
{
	if (!d->up) {
		a->gone = true;
		return;
	}
	*a = d->addr[--d->naddr];
	moved(l, d);
}

static void address_message(struct links *l, const struct nlmsghdr *h)
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
	struct device *d = device(l, (int)m->ifa_index);
	struct address x, *a;

	if (!d || !d->index || !read_address(h, &x))
		return;
	a = address(d, &x);
	if (h->nlmsg_type == RTM_DELADDR) {
		if (a)
			address_drop(l, d, a);
		return;
	}
	if (!a) {
		a = realloc(d->addr, (d->naddr + 1) * sizeof *a);
		if (!a)
			return;
		d->addr = a;
		a += d->naddr++;
		*a = x;
		moved(l, d);
	}
	a->seen = true;
	a->gone = false;
}

/* ---- asking -------------------------------------------------------------------------------- */

static void ask(struct links *l, uint8_t what)
{
	char buf[256] __attribute__((aligned(8))) = { 0 };
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct rtgenmsg *g;

	h->nlmsg_type = what == ASK_LINKS ? RTM_GETLINK : RTM_GETADDR;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = ++l->seq;
	if (what == ASK_LINKS) {
		mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	} else {
		g = mnl_nlmsg_put_extra_header(h, sizeof *g);
		g->rtgen_family = AF_UNSPEC;
	}
	for (size_t i = 0; i < l->ndev; i++) {
		if (what == ASK_LINKS)
			l->dev[i].seen = false;
		for (size_t k = 0; what == ASK_ADDRESSES && k < l->dev[i].naddr; k++)
			l->dev[i].addr[k].seen = false;
	}
	l->asking = what;
	if (mnl_socket_sendto(l->nl, h, h->nlmsg_len) < 0)
		l->asking = ASK_NOTHING;
}

/* An answer is complete: what was not in it is gone. */
static void answered(struct links *l)
{
	uint8_t what = l->asking;

	for (size_t i = 0; i < l->ndev; i++) {
		struct device *d = &l->dev[i];

		if (d->index && what == ASK_LINKS && !d->seen)
			device_gone(l, d);
		for (size_t k = d->naddr; what == ASK_ADDRESSES && k-- > 0;)
			if (!d->addr[k].seen && !d->addr[k].gone)
				address_drop(l, d, &d->addr[k]);
	}
	if (what == ASK_LINKS) {
		ask(l, ASK_ADDRESSES);
		return;
	}
	l->asking = ASK_NOTHING;
	l->first = false;
	if (l->again) {
		l->again = false;
		ask(l, ASK_LINKS);
	}
}

static void lost(struct links *l)
{
	if (l->asking)
		l->again = true;
	else
		ask(l, ASK_LINKS);
}

static void message(struct links *l, const struct nlmsghdr *h)
{
	size_t n = mnl_nlmsg_get_payload_len(h);

	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		if (n >= sizeof(struct ifinfomsg))
			link_message(l, h);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		if (n >= sizeof(struct ifaddrmsg))
			address_message(l, h);
		break;
	case NLMSG_DONE:
	case NLMSG_ERROR:
		if (l->asking && h->nlmsg_seq == l->seq)
			answered(l);
	}
	if (h->nlmsg_flags & NLM_F_DUMP_INTR)
		l->again = true;
}

static void readable(int fd, uint32_t events, void *arg)
{
	char buf[32768] __attribute__((aligned(8)));
	struct links *l = arg;

	(void)fd;
	(void)events;
	for (int i = 0; i < READS_MOST; i++) {
		ssize_t got = mnl_socket_recvfrom(l->nl, buf, sizeof buf);
		const struct nlmsghdr *h = (const void *)buf;
		int left = (int)got;

		if (got < 0 && errno == ENOBUFS) {
			lost(l);
			continue;
		}
		if (got <= 0) {
			if (got < 0 && errno != EAGAIN && errno != EINTR && !l->failed)
				l->host->log(l->self, RG_LOG_ERR, "rtnetlink: %s",
					     strerror(errno));
			l->failed = got < 0 && errno != EAGAIN && errno != EINTR;
			return;
		}
		for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
			message(l, h);
	}
}

/* ---- the service ---------------------------------------------------------------------------- */

static void stop(void *priv)
{
	struct links *l = priv;

	if (l->timer)
		l->host->timer(l->self, &l->timer, 0, NULL, NULL);
	if (l->nl) {
		l->host->fd(l->self, mnl_socket_get_fd(l->nl), 0, NULL, NULL);
		mnl_socket_close(l->nl);
	}
	for (size_t i = 0; i < l->ndev; i++)
		free(l->dev[i].addr);
	free(l->dev);
	free(l);
}

static int start(const struct rg_host *host, struct rg_self *self, const void *cfg, void **priv,
		 struct rg_fault *f)
{
	const unsigned groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
	struct links *l = calloc(1, sizeof *l);
	int err;

	(void)cfg;
	if (!l)
		return ENOMEM;
	l->host = host;
	l->self = self;
	l->first = true;
	l->seq = (uint32_t)time(NULL);
	l->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	err = !l->nl || mnl_socket_bind(l->nl, groups, MNL_SOCKET_AUTOPID) < 0 ? errno : 0;
	if (!err)
		err = host->fd(self, mnl_socket_get_fd(l->nl), RG_FD_READ, readable, l);
	if (err) {
		rg_fault(f, RG_ERROR, "rtnetlink cannot be listened to");
		stop(l);
		return err;
	}
	*priv = l;
	ask(l, ASK_LINKS);
	return 0;
}

static bool reconf(void *priv, const void *cfg)
{
	(void)priv;
	(void)cfg;
	return true;
}

RG_SERVICE(link) = {
	RG_SERVICE_HEAD("link", "tells when a network link goes down, comes up, or has other "
				"addresses", NULL),
	.start = start,
	.reconf = reconf,
	.stop = stop,
};
