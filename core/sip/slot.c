/* Slots come in chunks that stay where they are; a branch names slot and key. */
#include "sip/slot.h"

#include <glib.h>
#include <string.h>

#include "base/random.h"
#include "sip/message.h"

enum { CHUNK = 256, CHUNKS = SIP_CLIENTS_MOST / CHUNK };

struct sip_clients {
	struct sip_client *chunk[CHUNKS];
	uint32_t slots, used, cookie, born;
	struct sip_client *spare;
};

struct sip_clients *sip_clients_new(void)
{
	struct sip_clients *cs = g_new0(struct sip_clients, 1);

	rg_random(&cs->cookie, sizeof cs->cookie);
	return cs;
}

struct sip_client *sip_slot_at(const struct sip_ta *ta, uint32_t slot)
{
	const struct sip_clients *cs = ta->clients;

	return slot < cs->slots ? &cs->chunk[slot / CHUNK][slot % CHUNK] : NULL;
}

void sip_clients_free(struct sip_ta *ta)
{
	struct sip_clients *cs = ta->clients;

	for (uint32_t i = 0; i < cs->slots; i++)
		sip_client_stop(sip_slot_at(ta, i));
	for (uint32_t i = 0; i < cs->slots; i += CHUNK)
		g_free(cs->chunk[i / CHUNK]);
	g_free(cs);
}

size_t sip_ta_clients(const struct sip_ta *ta)
{
	return ta->clients->used;
}

static bool grow(struct sip_ta *ta)
{
	struct sip_clients *cs = ta->clients;
	struct sip_client *c;

	if (cs->slots >= SIP_CLIENTS_MOST)
		return false;
	c = g_new0(struct sip_client, CHUNK);
	cs->chunk[cs->slots / CHUNK] = c;
	for (uint32_t i = CHUNK; i-- > 0;) {
		c[i].slot = cs->slots + i;
		c[i].ta = ta;
		c[i].spare = cs->spare;
		cs->spare = &c[i];
	}
	cs->slots += CHUNK;
	return true;
}

void sip_slot_rename(struct sip_client *c)
{
	do
		rg_random(&c->key, sizeof c->key);
	while (!c->key);
	c->state = CLIENT_NEW;
}

struct sip_client *sip_slot_take(struct sip_ta *ta)
{
	struct sip_clients *cs = ta->clients;
	struct sip_client *c;

	if (!cs->spare && !grow(ta))
		return NULL;
	c = cs->spare;
	cs->spare = c->spare;
	cs->used++;
	c->born = ++cs->born;
	sip_slot_rename(c);
	return c;
}

void sip_slot_give_back(struct sip_client *c)
{
	struct sip_clients *cs = c->ta->clients;

	c->state = CLIENT_FREE;
	c->key = 0;
	c->spare = cs->spare;
	cs->spare = c;
	cs->used--;
}

uint32_t sip_slot_born(const struct sip_ta *ta)
{
	return ta->clients->born;
}

void sip_client_branch(const struct sip_client *c, char out[SIP_BRANCH])
{
	memcpy(out, "z9hG4bK", 7);
	sip_hex(out + 7, c->ta->clients->cookie);
	sip_hex(out + 15, c->slot);
	sip_hex(out + 23, c->key);
}

struct sip_client *sip_slot_find(const struct sip_ta *ta, const char *branch, bool *before)
{
	uint32_t cookie, slot, key;
	struct sip_client *c;

	if (memcmp(branch, "z9hG4bK", 7) || !sip_unhex(branch + 7, &cookie) ||
	    !sip_unhex(branch + 15, &slot) || !sip_unhex(branch + 23, &key) ||
	    cookie != ta->clients->cookie || !key)
		return NULL;
	c = sip_slot_at(ta, slot);
	if (!c)
		return NULL;
	*before = c->key_before == key;
	return *before || (c->state > CLIENT_NEW && c->key == key) ? c : NULL;
}
