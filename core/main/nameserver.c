/* nameserver.c -- the name servers of a configuration become those that are asked. */
#include "main/app.h"

#include "base/log.h"

void name_servers_apply(struct app *app)
{
	const struct conf *c = app->gen->conf;
	const char **own = g_new0(const char *, c->n_sip_interface + 1);

	for (uint32_t i = 0; i < c->n_sip_interface; i++)
		own[i] = c->sip_interface[i].name_servers;
	if (sip_stack_name_servers(app->stack, c->gateway.name_servers, own, c->n_sip_interface))
		rg_err("name servers: not all of them can be asked");
	g_free(own);
}
