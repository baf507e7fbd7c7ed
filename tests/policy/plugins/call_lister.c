/* call_lister -- a service that says on the log which calls are up, whenever that changes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regway/plugin.h"

enum { LOOK_MS = 20, PAGE = 2, TEXT = 4096 };

struct lister {
	const struct rg_host *host;
	struct rg_self *self;
	struct rg_timer_handle *timer;
	char said[TEXT];
};

static size_t write_row(char *out, size_t size, const struct rg_call *c)
{
	int n = snprintf(out, size, " [%llu %s %s %s %s>%s %s>%s at=%s as=%s id=%zu%s%s]",
			 (unsigned long long)c->id, c->method, c->state,
			 c->outbound ? "out" : "in", c->from, c->to, c->from_group, c->to_group,
			 c->server, c->account, strlen(c->session_id),
			 c->began_at > 0 ? " began" : "", c->answered_at > 0 ? " answered" : "");

	return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

static void look(void *arg)
{
	struct lister *l = arg;
	struct rg_call row[PAGE];
	uint64_t cursor = 0;
	char text[TEXT] = "";
	size_t n, at = 0, pages = 0;

	for (; (n = l->host->calls(&cursor, row, PAGE)) > 0; pages++)
		for (size_t i = 0; i < n; i++)
			at += write_row(text + at, sizeof text - at, &row[i]);
	if (strcmp(text, l->said)) {
		l->host->log(l->self, RG_LOG_NOTICE, "%zu pages:%s", pages, text);
		memcpy(l->said, text, sizeof text);
	}
	l->host->timer(l->self, &l->timer, LOOK_MS, look, l);
}

static int start(const struct rg_host *host, struct rg_self *self, const void *cfg, void **priv,
		 struct rg_fault *f)
{
	struct lister *l = calloc(1, sizeof *l);

	(void)cfg;
	(void)f;
	if (!l)
		return ENOMEM;
	l->host = host;
	l->self = self;
	*priv = l;
	return host->timer(self, &l->timer, LOOK_MS, look, l);
}

static bool reconf(void *priv, const void *cfg)
{
	(void)priv;
	(void)cfg;
	return true;
}

static void stop(void *priv)
{
	struct lister *l = priv;

	l->host->timer(l->self, &l->timer, 0, NULL, NULL);
	free(l);
}

RG_SERVICE(call_lister) = {
	RG_SERVICE_HEAD("call_lister", "says which calls are up", NULL),
	.start = start,
	.reconf = reconf,
	.stop = stop,
};
