/* idle_service -- a service that does nothing but start and stop: the least there is. */
#include "regway/plugin.h"

static int start(const struct rg_host *host, struct rg_self *self, const void *cfg, void **priv,
		 struct rg_fault *f)
{
	(void)cfg;
	(void)f;
	*priv = NULL;
	host->log(self, RG_LOG_INFO, "started");
	return 0;
}

static bool reconf(void *priv, const void *cfg)
{
	(void)priv;
	(void)cfg;
	return true;
}

static void stop(void *priv)
{
	(void)priv;
}

static void transitions(void *priv, const struct rg_transition *t, size_t n)
{
	(void)priv;
	(void)t;
	(void)n;
}

RG_SERVICE(idle_service) = {
	RG_SERVICE_HEAD("idle_service", "does nothing", NULL),
	.start = start,
	.reconf = reconf,
	.stop = stop,
	.transitions = transitions,
};
