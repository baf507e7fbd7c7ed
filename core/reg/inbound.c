/*
 * inbound.c -- which account a request of the serving side is for: the port it came to,
 * then the token in the Request-URI, its user, the user of To, the server it came from.
 */
#include "reg/routing.h"

/* An account's own port says it all; what else names another account makes it wrong. */
static enum inbound by_port(struct reg_route *r, const struct reg_account *of_token,
			    struct reg_account **a, bool *other)
{
	const struct reg_account *named;

	*a = ports_owner(r->e, source_interface(r->e, r->interface), r->own_port);
	if (!*a || (*a)->dying || (*a)->serving != r->from)
		return INBOUND_REFUSED;
	named = index_user(r->e, NULL, r->from, r->words->uri_user);
	*other = of_token ? of_token != *a
			  : named && named != *a &&
				    !user_same(identity_user(*a), r->words->uri_user);
	return *other ? INBOUND_REFUSED : INBOUND_SURE;
}

/* All others have but one account, or but one is bound where the request comes from. */
static struct reg_account *by_source(struct reg_route *r)
{
	struct reg_account *a = r->from->n_serving == 1
					? account_at(r->e, r->from->serving_ids)
					: source_bound(r->e, r->interface, &r->source);

	return a && a->serving == r->from && !a->dying ? a : NULL;
}

enum inbound inbound_find(struct reg_route *r, const struct reg_account *of_token,
			  struct reg_account **a, const char **rule, bool *other)
{
	*other = false;
	*rule = "port";
	if (r->own_port)
		return by_port(r, of_token, a, other);
	*rule = "token";
	*a = of_token ? account_at(r->e, of_token->id) : NULL;
	if (*a)
		return INBOUND_SURE;
	*rule = "Request-URI user";
	*a = index_user(r->e, NULL, r->from, r->words->uri_user);
	if (*a)
		return INBOUND_SURE;
	*rule = "To user";
	*a = index_user(r->e, NULL, r->from, r->words->to_user);
	if (*a)
		return INBOUND_WEAK;
	*rule = "source";
	*a = by_source(r);
	return *a ? INBOUND_WEAK : INBOUND_NOBODY;
}
