#include "sip/source.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IPV6_PREFER_SRC_PUBLIC
#define IPV6_PREFER_SRC_PUBLIC 2 /* <linux/in6.h>, which <netinet/in.h> excludes */
#endif

enum { SOURCES_MOST = 4096, SOURCE_MS = 30000 };

struct source {
	struct rg_addr peer, local;
	rg_ms until;
};

struct sip_sources {
	struct rg_timers *timers;
	GHashTable *by_peer;
};

static guint source_hash(gconstpointer k)
{
	return rg_addr_hash(&((const struct source *)k)->peer);
}

static gboolean source_equal(gconstpointer a, gconstpointer b)
{
	return rg_addr_same_ip(&((const struct source *)a)->peer,
			       &((const struct source *)b)->peer);
}

struct sip_sources *sip_sources_new(struct rg_timers *timers)
{
	struct sip_sources *t = g_new0(struct sip_sources, 1);

	t->timers = timers;
	t->by_peer = g_hash_table_new_full(source_hash, source_equal, g_free, NULL);
	return t;
}

void sip_sources_free(struct sip_sources *t)
{
	g_hash_table_destroy(t->by_peer);
	g_free(t);
}

void sip_sources_forget(struct sip_sources *t)
{
	g_hash_table_remove_all(t->by_peer);
}

static int ask_kernel(const struct rg_addr *peer, struct rg_addr *local)
{
	union sip_sockaddr sa;
	socklen_t len = sip_sockaddr(&sa, peer);
	int fd = socket(sa.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;
	int lasting = IPV6_PREFER_SRC_PUBLIC; /* a Contact outlives a temporary address */

	if (fd < 0)
		return errno;
	if (peer->family == 6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, &lasting, sizeof lasting);
	if (!peer->port)
		sa.in.sin_port = htons(5060);
	if (connect(fd, &sa.sa, len))
		err = errno;
	len = sizeof sa;
	if (!err && getsockname(fd, &sa.sa, &len))
		err = errno;
	close(fd);
	if (!err)
		sip_sockaddr_get(&sa, local);
	return err;
}

int sip_source(struct sip_sources *t, const struct rg_addr *peer, struct rg_addr *local)
{
	rg_ms now = rg_now(t->timers);
	struct source key = { .peer = *peer }, *s = g_hash_table_lookup(t->by_peer, &key);
	struct rg_addr found = { 0 };
	int err;

	if (!s || s->until < now) {
		err = ask_kernel(peer, &found);
		if (err)
			return err;
		if (!s) {
			if (g_hash_table_size(t->by_peer) >= SOURCES_MOST)
				g_hash_table_remove_all(t->by_peer);
			s = g_new0(struct source, 1);
			s->peer = *peer;
			g_hash_table_add(t->by_peer, s);
		}
		s->local = found;
		s->until = now + SOURCE_MS;
	}
	local->family = s->local.family;
	local->scope = s->local.scope;
	memcpy(local->ip, s->local.ip, sizeof local->ip);
	return 0;
}

bool sip_sources_changed(struct sip_sources *t)
{
	GHashTableIter it;
	gpointer p;
	bool changed = false;

	g_hash_table_iter_init(&it, t->by_peer);
	while (g_hash_table_iter_next(&it, &p, NULL)) {
		struct rg_addr now = { 0 };
		struct source *s = p;

		if (ask_kernel(&s->peer, &now)) /* no way there for now */
			continue;
		changed |= !rg_addr_same_ip(&now, &s->local);
		s->local = now;
		s->until = rg_now(t->timers) + SOURCE_MS;
	}
	return changed;
}
