/*
 * link.c -- which network devices a SIP interface's servers are reached through, so that
 * a link's ups and downs reach the proxy sets they concern.  One with an address has the
 * device of that address; one on all addresses has those that the kernel routes to its
 * servers by.  While a link is down nothing can be learnt, so what was known counts.
 */
#include "main/app.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	LEARN_MS = 30000,
	SOON_MS = 50, /* many devices may change at once */
	SERVERS_MOST = 1000 /* asked about at a time */
};

struct device {
	bool down;
	GPtrArray *told; /* interfaces that have heard of it: char * */
};

struct links {
	struct rg_timer timer;
	GHashTable *interface; /* name: GPtrArray of device names */
	GHashTable *device;    /* name: struct device */
};

static void device_free(void *arg)
{
	struct device *d = arg;

	g_ptr_array_free(d->told, TRUE);
	g_free(d);
}

static void names_free(void *names)
{
	g_ptr_array_free(names, TRUE);
}

/* ---- learning -------------------------------------------------------------------------- */

static bool has(const GPtrArray *names, const char *name)
{
	for (guint i = 0; i < names->len; i++)
		if (!strcmp(names->pdata[i], name))
			return true;
	return false;
}

static void add(GPtrArray *names, const char *name)
{
	if (!has(names, name))
		g_ptr_array_add(names, g_strdup(name));
}

static bool holds(const struct ifaddrs *i, const uint8_t *ip, uint8_t family)
{
	const struct sockaddr_in *four = (const void *)i->ifa_addr;
	const struct sockaddr_in6 *six = (const void *)i->ifa_addr;

	if (!i->ifa_addr)
		return false;
	if (family == 4)
		return four->sin_family == AF_INET && !memcmp(&four->sin_addr, ip, 4);
	return six->sin6_family == AF_INET6 && !memcmp(&six->sin6_addr, ip, 16);
}

static const char *device_of(const struct ifaddrs *all, const uint8_t *ip, uint8_t family)
{
	for (; all; all = all->ifa_next)
		if (holds(all, ip, family))
			return all->ifa_name;
	/* the rest of 127.0.0.0/8 belongs to the loopback device as well */
	return family == 4 && ip[0] == 127 ? "lo" : NULL;
}

/* The device by which the kernel would send there.  Connecting a datagram socket asks
 * the routing table and sends nothing. */
static const char *route_device(const struct ifaddrs *all, const struct rg_addr *to)
{
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(9),
				    .sin6_scope_id = to->scope };
	struct sockaddr *sa = to->family == 4 ? (void *)&four : (void *)&six;
	socklen_t n = to->family == 4 ? sizeof four : sizeof six;
	int fd = socket(sa->sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const char *name = NULL;

	if (fd < 0)
		return NULL;
	memcpy(to->family == 4 ? (void *)&four.sin_addr : (void *)&six.sin6_addr, to->ip,
	       to->family == 4 ? 4 : 16);
	if (!connect(fd, sa, n) && !getsockname(fd, sa, &n))
		name = device_of(all, to->family == 4 ? (const void *)&four.sin_addr
						      : (const void *)&six.sin6_addr,
				 to->family);
	close(fd);
	return name;
}

/* Take what was found; nothing found leaves what was known. */
static void remember(struct links *l, const char *interface, GPtrArray *names)
{
	if (names->len)
		g_hash_table_replace(l->interface, g_strdup(interface), names);
	else
		g_ptr_array_free(names, TRUE);
}

static GPtrArray *names_new(void)
{
	return g_ptr_array_new_with_free_func(g_free);
}

static void learn_addresses(struct links *l, const struct conf *c, const struct ifaddrs *all)
{
	for (uint32_t i = 0; i < c->n_sip_interface; i++) {
		const struct conf_sip_interface *x = &c->sip_interface[i];
		GPtrArray *names = names_new();
		const char *name;

		for (const struct ifaddrs *a = all; a && *x->network_interface; a = a->ifa_next)
			if (!strcmp(a->ifa_name, x->network_interface))
				add(names, a->ifa_name);
		name = x->addr.family ? device_of(all, x->addr.ip, x->addr.family) : NULL;
		if (name)
			add(names, name);
		remember(l, x->row.name, names);
	}
}

static void learn_routes(struct app *app, const struct conf *c, const struct ifaddrs *all)
{
	GPtrArray **names = g_new0(GPtrArray *, c->n_sip_interface + 1);
	uint32_t set = 0, rank = 0, asked = 0;
	struct reg_server_info x;

	while (asked < SERVERS_MOST && reg_engine_next_server(app->engine, &set, &rank, &x)) {
		uint32_t at = set < c->n_proxy_set ? c->proxy_set[set].interface : CONF_NONE;
		const char *name;

		if (at == CONF_NONE || c->sip_interface[at].addr.family ||
		    c->sip_interface[at].closed)
			continue;
		asked++;
		name = route_device(all, &x.addr);
		if (!names[at])
			names[at] = names_new();
		if (name)
			add(names[at], name);
	}
	for (uint32_t i = 0; i < c->n_sip_interface; i++)
		if (names[i])
			remember(app->links, c->sip_interface[i].row.name, names[i]);
	g_free(names);
}

static void learn(void *arg)
{
	struct app *app = arg;
	struct ifaddrs *all;

	if (!getifaddrs(&all)) {
		learn_addresses(app->links, app->gen->conf, all);
		learn_routes(app, app->gen->conf, all);
		freeifaddrs(all);
	}
	rg_timer_set(app->timers, &app->links->timer, rg_now(app->timers) + LEARN_MS, learn, app);
}

static void learn_soon(struct app *app)
{
	rg_timer_set(app->timers, &app->links->timer, rg_now(app->timers) + SOON_MS, learn, app);
}

/* ---- telling ----------------------------------------------------------------------------- */

static void went_down(struct app *app, const char *name, struct device *d)
{
	const struct conf *c = app->gen->conf;

	for (uint32_t i = 0; i < c->n_sip_interface; i++) {
		const char *interface = c->sip_interface[i].row.name;
		const GPtrArray *names = g_hash_table_lookup(app->links->interface, interface);

		if (!names || !has(names, name))
			continue;
		g_ptr_array_add(d->told, g_strdup(interface));
		reg_engine_link(app->engine, interface, false);
	}
}

static void came_up(struct app *app, struct device *d)
{
	for (guint i = 0; i < d->told->len; i++)
		reg_engine_link(app->engine, d->told->pdata[i], true);
	g_ptr_array_set_size(d->told, 0);
}

static bool concerns(const struct links *l, const char *name)
{
	GHashTableIter it;
	gpointer names;

	g_hash_table_iter_init(&it, l->interface);
	while (g_hash_table_iter_next(&it, NULL, &names))
		if (has(names, name))
			return true;
	return false;
}

int link_changed(struct app *app, const char *name, bool up)
{
	struct device *d;

	if (!app->links) {
		app->links = g_new0(struct links, 1);
		app->links->interface =
			g_hash_table_new_full(g_str_hash, g_str_equal, g_free, names_free);
		app->links->device =
			g_hash_table_new_full(g_str_hash, g_str_equal, g_free, device_free);
		learn(app);
	}
	d = g_hash_table_lookup(app->links->device, name);
	if (!d && up) { /* nothing that anybody has missed */
		learn_soon(app);
		return concerns(app->links, name) ? 0 : ENOENT;
	}
	if (!d) {
		d = g_new0(struct device, 1);
		d->told = names_new();
		g_hash_table_insert(app->links->device, g_strdup(name), d);
	}
	if (!up && !d->down) {
		d->down = true;
		went_down(app, name, d);
	} else if (up) {
		came_up(app, d);
		g_hash_table_remove(app->links->device, name);
		learn_soon(app);
	}
	return concerns(app->links, name) ? 0 : ENOENT;
}

/* The configuration has changed. */
void link_apply(struct app *app)
{
	if (app->links)
		learn(app);
}

void link_stop(struct app *app)
{
	if (!app->links)
		return;
	rg_timer_stop(app->timers, &app->links->timer);
	g_hash_table_destroy(app->links->interface);
	g_hash_table_destroy(app->links->device);
	g_free(app->links);
	app->links = NULL;
}
