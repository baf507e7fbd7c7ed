#include "sip/seen.h"

#include <glib.h>

#include "regway/plugin.h"
#include "sip/memo.h"

enum { WAYS_MOST = 4096 };

struct way {
	struct rg_addr peer, seen;
	uint32_t socket;
};

struct sip_seen {
	GHashTable *way;
};

static guint way_hash(gconstpointer k)
{
	const struct way *w = k;

	return rg_addr_hash(&w->peer) * 31 + w->socket;
}

static gboolean way_equal(gconstpointer a, gconstpointer b)
{
	const struct way *x = a, *y = b;

	return x->socket == y->socket && rg_addr_equal(&x->peer, &y->peer);
}

struct sip_seen *sip_seen_new(void)
{
	struct sip_seen *s = g_new0(struct sip_seen, 1);

	s->way = g_hash_table_new_full(way_hash, way_equal, g_free, NULL);
	return s;
}

void sip_seen_free(struct sip_seen *s)
{
	g_hash_table_destroy(s->way);
	g_free(s);
}

bool sip_seen_changed(struct sip_seen *s, const struct sip_hop *hop, const struct sip_head *answer)
{
	struct way key = { .peer = hop->peer, .socket = hop->socket }, *w;
	struct rg_addr seen = { .transport = RG_UDP };
	bool changed;

	if (hop->peer.transport != RG_UDP || !sip_seen(answer, &seen))
		return false;
	w = g_hash_table_lookup(s->way, &key);
	if (!w) {
		if (g_hash_table_size(s->way) >= WAYS_MOST)
			g_hash_table_remove_all(s->way);
		w = g_memdup2(&key, sizeof key);
		w->seen = seen;
		g_hash_table_add(s->way, w);
		return false;
	}
	changed = !rg_addr_equal(&w->seen, &seen);
	w->seen = seen;
	return changed;
}
