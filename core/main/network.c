/*
 * network.c -- the daemon's addresses and ports.  An interface whose address is missing
 * closes nothing else; it opens when the address is there.  The kernel tells of addresses
 * that come and go, so that sockets follow without a reload.
 */
#include "main/app.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "sip/tls.h"

enum {
	LOOK_AGAIN_MS = 5000, /* while one is missing */
	SETTLE_MS = 200,      /* addresses come and go in groups */
};

struct network {
	struct app *app;
	struct conf *conf; /* whose interfaces are open, or wait for their address */
	struct sip_tls_contexts *tls;
	struct sip_interface *open; /* as the SIP layer has them */
	struct rg_timer look;
	int fd; /* of the kernel's news; -1: none */
};

/* ---- addresses of this machine ---------------------------------------------------------- */

/* The kernel's flags of an IPv6 address: one that is temporary or on its way out is not
 * for a Contact.  What cannot be known is taken for good. */
static bool lasting(const struct in6_addr *ip)
{
	FILE *f = fopen("/proc/net/if_inet6", "re");
	char line[160], want[33];
	bool good = true;

	for (int i = 0; i < 16; i++)
		snprintf(want + 2 * i, 3, "%02x", ip->s6_addr[i]);
	while (f && fgets(line, sizeof line, f)) {
		unsigned flags;

		if (strncmp(line, want, 32) || sscanf(line, "%*s %*x %*x %*x %x", &flags) != 1)
			continue;
		good = !(flags & (IFA_F_TEMPORARY | IFA_F_DEPRECATED | IFA_F_TENTATIVE |
				  IFA_F_DADFAILED));
	}
	if (f)
		fclose(f);
	return good;
}

static void six(struct rg_addr *have, const struct sockaddr_in6 *sin6)
{
	bool link = IN6_IS_ADDR_LINKLOCAL(&sin6->sin6_addr);

	if ((have->family && (link || !have->scope)) || !lasting(&sin6->sin6_addr))
		return;
	*have = (struct rg_addr){ .family = 6, .scope = link ? sin6->sin6_scope_id : 0 };
	memcpy(have->ip, &sin6->sin6_addr, 16);
}

/* One address of each family that a network device has. */
static bool device_addresses(const char *name, struct sip_interface *out)
{
	struct ifaddrs *all, *i;

	memset(&out->addr, 0, sizeof out->addr);
	memset(&out->addr6, 0, sizeof out->addr6);
	if (getifaddrs(&all))
		return false;
	for (i = all; i; i = i->ifa_next) {
		const struct sockaddr_in *sin = (const struct sockaddr_in *)(void *)i->ifa_addr;

		if (!sin || strcmp(i->ifa_name, name) || !(i->ifa_flags & IFF_UP))
			continue;
		if (sin->sin_family == AF_INET6)
			six(&out->addr6, (const void *)sin);
		if (sin->sin_family != AF_INET || out->addr.family)
			continue;
		out->addr.family = 4;
		memcpy(out->addr.ip, &sin->sin_addr, 4);
	}
	freeifaddrs(all);
	if (!out->addr.family) {
		out->addr = out->addr6;
		out->addr6.family = 0;
	}
	return out->addr.family;
}

/* Can something be bound to it?  It need not be listed: 127.0.0.0/8 is ours as a whole. */
static bool is_here(const struct rg_addr *a)
{
	struct rg_addr at = *a;
	union sip_sockaddr sa;
	socklen_t n;
	int fd;
	bool gone;

	at.port = 0;
	n = sip_sockaddr(&sa, &at);
	fd = socket(sa.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno != EAFNOSUPPORT;
	gone = bind(fd, &sa.sa, n) && (errno == EADDRNOTAVAIL || errno == ENODEV);
	close(fd);
	return !gone;
}

static struct sip_interface *interfaces(const struct conf *c)
{
	struct sip_interface *list = g_new0(struct sip_interface, c->n_sip_interface + 1);

	for (uint32_t i = 0; i < c->n_sip_interface; i++) {
		const struct conf_sip_interface *x = &c->sip_interface[i];

		list[i].position = i;
		list[i].addr = x->addr;
		list[i].udp = x->udp;
		list[i].tcp = x->tcp;
		list[i].tls = x->tls;
		list[i].tls_context = x->tls_context;
		list[i].tls_mutual = x->tls_mutual;
		if (x->ping_time >= 0)
			list[i].ping_ms = x->ping_time ? (uint32_t)x->ping_time * 1000 : UINT32_MAX;
		if (x->device)
			list[i].closed = !device_addresses(x->network_interface, &list[i]);
		else
			list[i].closed = x->closed || (x->addr.family && !is_here(&x->addr));
	}
	return list;
}

/* ---- opening ------------------------------------------------------------------------------ */

static bool same_places(const struct sip_interface *a, const struct sip_interface *b)
{
	return a->closed == b->closed && rg_addr_same_ip(&a->addr, &b->addr) &&
	       rg_addr_same_ip(&a->addr6, &b->addr6);
}

/* Open all that can be had; an address that vanishes meanwhile closes its interface. */
static int open_all(struct app *app, struct sip_interface *list, uint32_t n, struct rg_addr *bad)
{
	int err = sip_stack_interfaces(app->stack, list, n, bad);

	while (err == EADDRNOTAVAIL) {
		bool known = false;

		for (uint32_t i = 0; i < n; i++) {
			if (list[i].closed || (!rg_addr_same_ip(&list[i].addr, bad) &&
					       !rg_addr_same_ip(&list[i].addr6, bad)))
				continue;
			list[i].closed = known = true;
		}
		if (!known)
			break;
		err = sip_stack_interfaces(app->stack, list, n, bad);
	}
	return err;
}

static void look(void *arg);

static void look_later(struct network *w, rg_ms ms)
{
	rg_timer_set(w->app->timers, &w->look, rg_now(w->app->timers) + ms, look, w);
}

static void plan(struct network *w)
{
	bool missing = false;

	for (uint32_t i = 0; i < w->conf->n_sip_interface; i++)
		missing |= w->open[i].closed;
	if (missing)
		look_later(w, LOOK_AGAIN_MS);
	else
		rg_timer_stop(w->app->timers, &w->look);
}

static void tell_closed(const struct conf *c, const struct sip_interface *list)
{
	for (uint32_t i = 0; i < c->n_sip_interface; i++)
		if (list[i].closed)
			rg_warn("SIP interface %s is closed: \"%s\" is not there (yet)",
				c->sip_interface[i].row.name,
				c->sip_interface[i].network_interface);
}

/* ---- following ---------------------------------------------------------------------------- */

/* Is there another address of that family? */
static bool is_other(const struct sip_interface *was, const struct sip_interface *now,
		     uint8_t family)
{
	const struct rg_addr *pair[][2] = { { &was->addr, &now->addr },
					    { &was->addr6, &now->addr6 } };

	if (was->closed)
		return true;
	for (size_t i = 0; i < G_N_ELEMENTS(pair); i++)
		if (!rg_addr_same_ip(pair[i][0], pair[i][1]) &&
		    (pair[i][0]->family == family || pair[i][1]->family == family))
			return true;
	return false;
}

static void moved(struct network *w, uint32_t at, const struct sip_interface *was,
		  const struct sip_interface *now)
{
	const char *name = w->conf->sip_interface[at].row.name;
	char four[RG_ADDR_TEXT], sixth[RG_ADDR_TEXT];

	if (now->closed) {
		rg_warn("SIP interface %s is closed: its address is gone", name);
		return;
	}
	rg_notice("SIP interface %s is at %s%s%s", name, rg_addr_ip(&now->addr, four),
		  now->addr6.family ? " and " : "", rg_addr_ip(&now->addr6, sixth));
	if (w->app->engine)
		reg_engine_moved(w->app->engine, name, is_other(was, now, 4),
				 is_other(was, now, 6));
}

/* Those on every address send from where the kernel says, and that may have changed. */
static void follow_kernel(struct network *w)
{
	for (uint32_t i = 0; i < w->conf->n_sip_interface; i++) {
		const struct conf_sip_interface *x = &w->conf->sip_interface[i];

		if (x->addr.family || x->device || x->closed)
			continue;
		rg_notice("SIP interface %s sends from another address", x->row.name);
		reg_engine_moved(w->app->engine, x->row.name, true, true);
	}
}

static void look(void *arg)
{
	struct network *w = arg;
	uint32_t n = w->conf->n_sip_interface;
	struct sip_interface *list = interfaces(w->conf), *was = w->open;
	char where[RG_ADDR_TEXT];
	bool differs = false, elsewhere = w->app->engine && sip_stack_moved(w->app->stack);
	struct rg_addr bad;
	int err;

	for (uint32_t i = 0; i < n; i++)
		differs |= !same_places(&list[i], &was[i]);
	err = differs ? open_all(w->app, list, n, &bad) : 0;
	if (err) {
		rg_warn("%s %s: %s", rg_addr_text(&bad, where), rg_transport_name(bad.transport),
			g_strerror(err));
		g_free(list);
		look_later(w, LOOK_AGAIN_MS);
		return;
	}
	w->open = list;
	for (uint32_t i = 0; i < n; i++)
		if (!same_places(&list[i], &was[i]))
			moved(w, i, &was[i], &list[i]);
	g_free(was);
	if (elsewhere)
		follow_kernel(w);
	plan(w);
}

/* What the news are is not read: looking is as cheap, and never out of step. */
static void news(int fd, int events, void *arg)
{
	struct network *w = arg;
	char buf[8192];

	(void)events;
	while (recv(fd, buf, sizeof buf, MSG_DONTWAIT) > 0 || errno == ENOBUFS)
		;
	if (w->conf)
		look_later(w, SETTLE_MS);
}

static int listen_to_kernel(struct network *w)
{
	struct sockaddr_nl to = { .nl_family = AF_NETLINK,
				  .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR |
					       RTMGRP_IPV6_IFADDR };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return -1;
	if (bind(fd, (struct sockaddr *)&to, sizeof to) ||
	    sip_loop_fd(w->app->loop, fd, SIP_READ, news, w)) {
		close(fd);
		return -1;
	}
	return fd;
}

static struct network *network_of(struct app *app)
{
	if (!app->network) {
		app->network = g_new0(struct network, 1);
		app->network->app = app;
		app->network->fd = listen_to_kernel(app->network);
	}
	return app->network;
}

static void keep(struct network *w, const struct generation *g, struct sip_interface *list)
{
	if (w->conf)
		conf_unref(w->conf);
	sip_tls_contexts_unref(w->tls);
	g_free(w->open);
	w->conf = conf_ref(g->conf);
	w->tls = sip_tls_contexts_ref(g->tls);
	w->open = list;
}

int network_apply(struct app *app, const struct generation *g, struct rg_addr *bad)
{
	struct network *w = network_of(app);
	const struct conf_gateway *x = &g->conf->gateway;
	uint32_t ping = x->ping_pong ? x->ping_pong_time : 0;
	struct sip_interface *list = interfaces(g->conf);
	int err;

	sip_stack_contexts(app->stack, g->tls);
	err = open_all(app, list, g->conf->n_sip_interface, bad);
	if (err) {
		if (w->tls)
			sip_stack_contexts(app->stack, w->tls);
		g_free(list);
		return err;
	}
	tell_closed(g->conf, list);
	keep(w, g, list);
	plan(w);
	sip_stack_ping(app->stack, ping > UINT32_MAX / 1000 ? UINT32_MAX : ping * 1000);
	return 0;
}

void network_stop(struct app *app)
{
	struct network *w = app->network;

	if (!w)
		return;
	rg_timer_stop(app->timers, &w->look);
	if (w->fd >= 0) {
		sip_loop_fd(app->loop, w->fd, 0, NULL, NULL);
		close(w->fd);
	}
	if (w->conf)
		conf_unref(w->conf);
	sip_tls_contexts_unref(w->tls);
	g_free(w->open);
	g_free(w);
	app->network = NULL;
}
