/*
 * network.c -- the daemon's addresses and ports.  An interface that is missing closes
 * nothing else: it is looked for again until it is there.
 */
#include "main/app.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>

#include "base/log.h"

enum { LOOK_AGAIN_MS = 5000 };

/* The first IPv4 address of a network device of this system. */
static bool device_address(const char *name, struct rg_addr *out)
{
	struct ifaddrs *all, *i;
	bool found = false;

	if (getifaddrs(&all))
		return false;
	for (i = all; i && !found; i = i->ifa_next) {
		const struct sockaddr_in *sin = (const struct sockaddr_in *)(void *)i->ifa_addr;

		if (strcmp(i->ifa_name, name) || !sin || sin->sin_family != AF_INET ||
		    !(i->ifa_flags & IFF_UP))
			continue;
		*out = (struct rg_addr){ .family = 4 };
		memcpy(out->ip, &sin->sin_addr, 4);
		found = true;
	}
	freeifaddrs(all);
	return found;
}

static struct sip_interface *interfaces(const struct conf *c, bool *closed)
{
	struct sip_interface *list = g_new0(struct sip_interface, c->n_sip_interface + 1);

	for (uint32_t i = 0; i < c->n_sip_interface; i++) {
		const struct conf_sip_interface *x = &c->sip_interface[i];

		list[i] = (struct sip_interface){ .position = i, .addr = x->addr };
		if (x->closed && !device_address(x->network_interface, &list[i].addr)) {
			closed[i] = true;
			continue;
		}
		list[i].udp = x->udp;
		list[i].tcp = x->tcp;
		list[i].tls = x->tls;
	}
	return list;
}

static void look_again(void *arg);

/* Open all that can be had; those whose address is not of this machine are closed. */
static int open_all(struct app *app, struct conf *c, bool *closed, struct rg_addr *bad)
{
	struct sip_interface *list = interfaces(c, closed);
	int err = sip_stack_interfaces(app->stack, list, c->n_sip_interface, bad);

	while (err == EADDRNOTAVAIL) {
		bool known = false;

		for (uint32_t i = 0; i < c->n_sip_interface; i++) {
			if (closed[i] || !rg_addr_same_ip(&list[i].addr, bad))
				continue;
			closed[i] = known = true;
			list[i].udp = list[i].tcp = list[i].tls = 0;
		}
		if (!known)
			break;
		err = sip_stack_interfaces(app->stack, list, c->n_sip_interface, bad);
	}
	g_free(list);
	return err;
}

static void tell(struct app *app, const struct conf *c, const bool *closed, bool first)
{
	bool missing = false;

	for (uint32_t i = 0; i < c->n_sip_interface; i++) {
		const struct conf_sip_interface *x = &c->sip_interface[i];

		missing |= closed[i];
		if (closed[i] && first)
			rg_warn("SIP interface %s is closed: \"%s\" is not there (yet)",
				x->row.name, x->network_interface);
	}
	if (missing)
		rg_timer_set(app->timers, &app->missing, rg_now(app->timers) + LOOK_AGAIN_MS,
			     look_again, app);
	else
		rg_timer_stop(app->timers, &app->missing);
}

static void look_again(void *arg)
{
	struct app *app = arg;
	bool *closed = g_new0(bool, app->network->n_sip_interface + 1);
	struct rg_addr bad;

	if (open_all(app, app->network, closed, &bad))
		memset(closed, true, app->network->n_sip_interface);
	tell(app, app->network, closed, false);
	g_free(closed);
}

int network_apply(struct app *app, struct conf *c, struct rg_addr *bad)
{
	bool *closed = g_new0(bool, c->n_sip_interface + 1);
	uint32_t ping = c->gateway.ping_pong ? c->gateway.ping_pong_time : 0;
	int err = open_all(app, c, closed, bad);

	if (!err) {
		if (app->network)
			conf_unref(app->network);
		app->network = conf_ref(c);
		tell(app, c, closed, true);
		sip_stack_ping(app->stack, ping > UINT32_MAX / 1000 ? UINT32_MAX : ping * 1000);
	}
	g_free(closed);
	return err;
}

void network_stop(struct app *app)
{
	if (!app->timers)
		return;
	rg_timer_stop(app->timers, &app->missing);
	if (app->network)
		conf_unref(app->network);
}
