#include "sip/buf.h"

#include <glib.h>
#include <string.h>

enum { CLASSES = 3 };

static const uint32_t size_of[CLASSES] = { SIP_BUF_SMALL, 4096, SIP_BUF_MOST };
static const unsigned keep[CLASSES] = { 4096, 256, 4 };

struct sip_pool {
	struct sip_buf *spare[CLASSES];
	unsigned spares[CLASSES];
};

struct sip_pool *sip_pool_new(void)
{
	return g_new0(struct sip_pool, 1);
}

void sip_pool_free(struct sip_pool *p)
{
	if (!p)
		return;
	for (unsigned c = 0; c < CLASSES; c++) {
		while (p->spare[c]) {
			struct sip_buf *b = p->spare[c];

			p->spare[c] = b->next;
			g_free(b);
		}
	}
	g_free(p);
}

static unsigned class_of(size_t cap)
{
	unsigned c = 0;

	while (c < CLASSES && size_of[c] < cap)
		c++;
	return c;
}

struct sip_buf *sip_buf_new(struct sip_pool *p, size_t cap)
{
	unsigned c = class_of(cap);
	struct sip_buf *b;

	if (c == CLASSES)
		return NULL;
	b = p->spare[c];
	if (b) {
		p->spare[c] = b->next;
		p->spares[c]--;
	} else {
		b = g_malloc(sizeof *b + size_of[c]);
		b->pool = p;
		b->cap = size_of[c];
	}
	b->next = NULL;
	b->refs = 1;
	b->len = 0;
	return b;
}

struct sip_buf *sip_buf_tight(struct sip_buf *b)
{
	struct sip_buf *t = g_malloc(sizeof *t + b->len);

	*t = (struct sip_buf){ .pool = b->pool, .refs = 1, .len = b->len, .cap = b->len };
	memcpy(t->data, b->data, b->len);
	sip_buf_unref(b);
	return t;
}

struct sip_buf *sip_buf_ref(struct sip_buf *b)
{
	b->refs++;
	return b;
}

void sip_buf_unref(struct sip_buf *b)
{
	unsigned c;

	if (!b || --b->refs)
		return;
	c = class_of(b->cap);
	if (b->cap != size_of[c] || b->pool->spares[c] >= keep[c]) {
		g_free(b);
		return;
	}
	b->next = b->pool->spare[c];
	b->pool->spare[c] = b;
	b->pool->spares[c]++;
}
