/*
 * index.c -- accounts found by what a request names.  One hash table of chains through
 * the accounts themselves holds every key: 12 bytes a key; and a heap for each pair of
 * groups tells the lowest index: 4 bytes an account.
 */
#include "reg/reg.h"

#include <string.h>

enum { FIRST_BUCKETS = 1024, USER_MOST = 256 };

/* ---- users ------------------------------------------------------------------------------ */

/* A number without "+", leading zeros, visual separators (RFC 3966 5.1.1) and parameters; any
 * other user as it is.  Returns its length. */
static size_t user_normal(const char *user, char out[USER_MOST])
{
	const char *p = user + (*user == '+');
	size_t n = 0;

	for (; *p && *p != ';' && n < USER_MOST; p++) {
		if (strchr("-.()", *p))
			continue;
		if (*p < '0' || *p > '9')
			break;
		if (*p != '0' || n)
			out[n++] = *p;
	}
	if (n && n < USER_MOST && (!*p || *p == ';'))
		return n;
	n = strnlen(user, USER_MOST);
	memcpy(out, user, n);
	return n;
}

bool user_same(const char *a, const char *b)
{
	char x[USER_MOST], y[USER_MOST];
	size_t n = user_normal(a, x);

	return n == user_normal(b, y) && !memcmp(x, y, n);
}

static uint32_t user_hash(enum reg_key key, const struct reg_group *g, const char *user)
{
	uint32_t h = (2166136261u ^ (uint32_t)key) * 16777619u ^ g->id * 2654435761u;
	char text[USER_MOST];
	size_t n = user_normal(user, text);

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)text[i]) * 16777619u;
	return h ^ h >> 15;
}

/* ---- the table --------------------------------------------------------------------------- */

static struct reg_entry *entry(struct reg_engine *e, uint32_t ref)
{
	return &account_at(e, ref >> 2)->entry[ref & 3];
}

static uint32_t *bucket(struct reg_index *x, uint32_t hash)
{
	uint32_t at = hash & x->mask;

	return &x->bucket[at < x->split ? hash & (2 * x->mask + 1) : at];
}

/* One bucket more: the chain at split is divided. */
static void grow(struct reg_engine *e, struct reg_index *x)
{
	uint32_t ref = x->bucket[x->split], next;

	if (!x->split)
		x->bucket = g_renew(uint32_t, x->bucket, 2 * ((size_t)x->mask + 1));
	x->bucket[x->split] = x->bucket[x->split + x->mask + 1] = 0;
	x->split++;
	for (; ref; ref = next) {
		struct reg_entry *it = entry(e, ref);
		uint32_t *b = bucket(x, it->hash);

		next = it->next;
		it->next = *b;
		*b = ref;
	}
	if (x->split > x->mask) {
		x->mask = 2 * x->mask + 1;
		x->split = 0;
	}
}

static void link_entry(struct reg_engine *e, struct reg_account *a, enum reg_key key, uint32_t hash)
{
	struct reg_index *x = &e->index;
	struct reg_entry *it = &a->entry[key];
	uint32_t *b = bucket(x, hash);

	it->hash = hash;
	it->next = *b;
	*b = a->id << 2 | (uint32_t)key;
	a->indexed = (uint8_t)(a->indexed | 1u << key);
	if (++x->n > x->mask + x->split)
		grow(e, x);
}

static void unlink_entry(struct reg_engine *e, struct reg_account *a, enum reg_key key)
{
	uint32_t ref = a->id << 2 | (uint32_t)key;
	uint32_t *p = bucket(&e->index, a->entry[key].hash);

	if (!(a->indexed >> key & 1))
		return;
	while (*p != ref)
		p = &entry(e, *p)->next;
	*p = a->entry[key].next;
	a->indexed = (uint8_t)(a->indexed & ~(1u << key));
	e->index.n--;
}

/* ---- pairs ------------------------------------------------------------------------------- */

static uint32_t rank_of(struct reg_engine *e, uint32_t id)
{
	return account_at(e, id)->conf->row.index;
}

static void put(struct reg_engine *e, struct reg_pair *p, uint32_t at, uint32_t id)
{
	g_array_index(p->heap, uint32_t, at) = id;
	account_at(e, id)->in_pair = at;
}

/* The account's place after it came, changed its index, or took the place of another. */
static void sift(struct reg_engine *e, struct reg_pair *p, uint32_t at)
{
	const uint32_t *heap = (const uint32_t *)(const void *)p->heap->data;
	uint32_t id = heap[at], mine = rank_of(e, id), n = p->heap->len;

	for (; at && rank_of(e, heap[(at - 1) / 2]) > mine; at = (at - 1) / 2)
		put(e, p, at, heap[(at - 1) / 2]);
	for (uint32_t child; (child = 2 * at + 1) < n; at = child) {
		if (child + 1 < n && rank_of(e, heap[child + 1]) < rank_of(e, heap[child]))
			child++;
		if (rank_of(e, heap[child]) >= mine)
			break;
		put(e, p, at, heap[child]);
	}
	put(e, p, at, id);
}

static uint64_t pair_key(const struct reg_group *served, const struct reg_group *serving)
{
	return (uint64_t)served->id << 32 | serving->id;
}

static void pair_join(struct reg_engine *e, struct reg_account *a)
{
	uint64_t key = pair_key(a->served, a->serving);
	struct reg_pair *p = g_hash_table_lookup(e->pairs, &key);

	if (!p) {
		p = g_new0(struct reg_pair, 1);
		p->key = key;
		p->served = a->served;
		p->serving = a->serving;
		p->heap = g_array_new(FALSE, FALSE, sizeof(uint32_t));
		g_hash_table_insert(e->pairs, &p->key, p);
		g_ptr_array_add(a->served->pairs, p);
	}
	g_array_append_val(p->heap, a->id);
	a->pair = p;
	a->in_pair = p->heap->len - 1;
	sift(e, p, a->in_pair);
}

static void pair_leave(struct reg_engine *e, struct reg_account *a)
{
	struct reg_pair *p = a->pair;
	uint32_t last, at = a->in_pair;

	if (!p)
		return;
	a->pair = NULL;
	last = g_array_index(p->heap, uint32_t, p->heap->len - 1);
	g_array_set_size(p->heap, p->heap->len - 1);
	if (last != a->id) {
		put(e, p, at, last);
		sift(e, p, at);
	}
	if (p->heap->len)
		return;
	g_ptr_array_remove_fast(p->served->pairs, p);
	g_hash_table_remove(e->pairs, &p->key);
}

static void pair_free(gpointer arg)
{
	struct reg_pair *p = arg;

	g_array_free(p->heap, TRUE);
	g_free(p);
}

/* ---- accounts ---------------------------------------------------------------------------- */

/* Hash of a key of the account; false: it has none of the kind. */
static bool key_of(const struct reg_account *a, enum reg_key key, uint32_t *hash)
{
	const char *user = identity_user(a);

	switch (key) {
	case KEY_TOKEN:
		memcpy(hash, a->dialogue.id, sizeof *hash);
		return true;
	case KEY_USER_SERVING:
		*hash = user_hash(key, a->serving, user);
		return *user;
	case KEY_USER_SERVED:
		if (a->served)
			*hash = user_hash(key, a->served, user);
		return a->served && *user;
	default:
		if (!a->served || !*a->conf->username || user_same(user, a->conf->username))
			return false;
		*hash = user_hash(key, a->served, a->conf->username);
		return true;
	}
}

void index_add(struct reg_engine *e, struct reg_account *a)
{
	uint32_t hash;

	for (int key = 0; key < REG_KEYS; key++)
		if (key_of(a, (enum reg_key)key, &hash))
			link_entry(e, a, (enum reg_key)key, hash);
	a->serving->n_serving++;
	a->serving->serving_ids ^= a->id;
	if (a->served)
		pair_join(e, a);
}

void index_remove(struct reg_engine *e, struct reg_account *a)
{
	if (!a->indexed)
		return;
	for (int key = 0; key < REG_KEYS; key++)
		unlink_entry(e, a, (enum reg_key)key);
	a->serving->n_serving--;
	a->serving->serving_ids ^= a->id;
	pair_leave(e, a);
}

void index_update(struct reg_engine *e, struct reg_account *a)
{
	uint32_t hash;

	if (!a->indexed)
		return;
	for (int key = KEY_TOKEN + 1; key < REG_KEYS; key++) {
		bool has = key_of(a, (enum reg_key)key, &hash);

		if (has && a->indexed >> key & 1 && hash == a->entry[key].hash)
			continue;
		unlink_entry(e, a, (enum reg_key)key);
		if (has)
			link_entry(e, a, (enum reg_key)key, hash);
	}
	if (a->pair)
		sift(e, a->pair, a->in_pair);
}

/* ---- looking up -------------------------------------------------------------------------- */

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
					    : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

struct reg_account *index_token(struct reg_engine *e, const char *token)
{
	uint8_t id[8];
	uint32_t hash;

	for (size_t i = 0; i < sizeof id; i++, token += 2) {
		int high = hex(token[0]), low = high < 0 ? -1 : hex(token[1]);

		if (low < 0)
			return NULL;
		id[i] = (uint8_t)(high << 4 | low);
	}
	if (*token)
		return NULL;
	memcpy(&hash, id, sizeof hash);
	for (uint32_t ref = *bucket(&e->index, hash); ref; ref = entry(e, ref)->next) {
		struct reg_account *a = account_at(e, ref >> 2);

		if ((ref & 3) == KEY_TOKEN && !memcmp(a->dialogue.id, id, sizeof id))
			return a;
	}
	return NULL;
}

static void better(struct reg_account **best, struct reg_account *a)
{
	if (!*best || a->conf->row.index < (*best)->conf->row.index)
		*best = a;
}

static void find_user(struct reg_engine *e, enum reg_key key, const struct reg_group *served,
		      const struct reg_group *serving, const char *user,
		      struct reg_account **best)
{
	uint32_t hash = user_hash(key, key == KEY_USER_SERVING ? serving : served, user);

	for (uint32_t ref = *bucket(&e->index, hash); ref; ref = entry(e, ref)->next) {
		struct reg_account *a = account_at(e, ref >> 2);

		if ((ref & 3) != (uint32_t)key || a->entry[key].hash != hash ||
		    (served && a->served != served) || (serving && a->serving != serving))
			continue;
		if (user_same(key == KEY_NAME_SERVED ? a->conf->username : identity_user(a), user))
			better(best, a);
	}
}

struct reg_account *index_user(struct reg_engine *e, const struct reg_group *served,
			       const struct reg_group *serving, const char *user)
{
	struct reg_account *best = NULL;

	if (!*user)
		return NULL;
	if (!served) {
		find_user(e, KEY_USER_SERVING, NULL, serving, user, &best);
		return best;
	}
	find_user(e, KEY_USER_SERVED, served, serving, user, &best);
	find_user(e, KEY_NAME_SERVED, served, serving, user, &best);
	return best;
}

struct reg_account *index_first(struct reg_engine *e, const struct reg_group *served,
				const struct reg_group *serving)
{
	struct reg_account *best = NULL;
	struct reg_pair *p;

	if (serving) {
		uint64_t key = pair_key(served, serving);

		p = g_hash_table_lookup(e->pairs, &key);
		return p ? account_at(e, g_array_index(p->heap, uint32_t, 0)) : NULL;
	}
	for (guint i = 0; i < served->pairs->len; i++) {
		p = g_ptr_array_index(served->pairs, i);
		better(&best, account_at(e, g_array_index(p->heap, uint32_t, 0)));
	}
	return best;
}

static guint key_hash(gconstpointer p)
{
	uint64_t key = *(const uint64_t *)p;

	return (guint)((key >> 32 ^ key << 7 ^ key) * 2654435761u >> 4);
}

void index_init(struct reg_engine *e)
{
	e->index.mask = FIRST_BUCKETS - 1;
	e->index.bucket = g_new0(uint32_t, FIRST_BUCKETS);
	e->pairs = g_hash_table_new_full(key_hash, g_int64_equal, NULL, pair_free);
}

void index_clear(struct reg_engine *e)
{
	g_free(e->index.bucket);
	g_hash_table_destroy(e->pairs);
}
