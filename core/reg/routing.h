/*
 * routing.h -- a request's way through the gateway, for the files that find it: source.c,
 * inbound.c, rows.c, route.c, leg.c, park.c.
 */
#ifndef RG_REG_ROUTING_H
#define RG_REG_ROUTING_H

#include "reg/reg.h"

enum { METER_ALL, METER_FROM, METER_TO, METER_ACCOUNT, METERS };

/* While servers are being asked; gone once one has accepted. */
struct reg_try {
	struct rg_list list;
	uint8_t at, again;
	bool waits; /* for the registration at list.id[at] */
	bool asked; /* that registration was begun */
	struct rg_timer give_up; /* while it waits */
	uint8_t resends, resent; /* RetryCounts: to a server that refuses */
	struct rg_timer resend;
	rg_ms until; /* the server asked last has as long */
	uint16_t code; /* final answer of the server asked last; 0: none yet */
	uint32_t retry_after;
	char reason[64];
};

/* As struct reg_arrival has them. */
struct reg_words {
	const char *uri_user, *uri_host, *to_user, *from_user, *from_host, *asserted, *preferred;
	char text[]; /* of them */
};

struct reg_route {
	struct reg_engine *e;
	struct reg_gen *gen;  /* it was made under */
	struct reg_gen *lent[2]; /* whose credentials the leg points to, on either side */
	const struct reg_route_h *h;
	void *arg;
	struct reg_group *from, *to; /* NULL: unknown; not a group but an address */
	struct reg_try *try;
	struct reg_meter *meter[METERS];
	struct reg_words *words; /* what the request says; gone once a server has accepted */
	struct rg_addr source, server; /* asked last */
	uint32_t interface;
	uint32_t account; /* 0: none */
	uint32_t caller;  /* account that a script calls as; 0: as found */
	uint8_t dialogue[16]; /* of the account: its id may go to another one */
	uint32_t row;	  /* in gen->conf->route, CONF_NONE: as its account has it */
	uint16_t own_port;
	uint8_t method, servers;
	bool to_serving;  /* as the account */
	bool admitted, counted;
	bool forced;	  /* the account is given, not found */
	bool inbound;	  /* the account is whom the serving side called */
	char rule[20], policy[44];
};

/* ---- route.c ---- */
/* A row's destination is no group but an address. */
static inline const struct conf_route *route_row(const struct reg_route *r)
{
	return r->row == CONF_NONE ? NULL : &r->gen->conf->route[r->row];
}
struct reg_account *route_account(const struct reg_route *); /* NULL: none, or gone */
void route_set_account(struct reg_route *, const struct reg_account *); /* NULL: none */
struct reg_set *route_set(const struct reg_route *); /* whose servers are asked; or NULL */
void route_start(struct reg_route *); /* its destination is known: is there room, and a server? */
void route_next(struct reg_route *); /* the list goes on at try->at */
/* The destination is no good: the alternative of its row gets the request, or the caller the
 * answer; refuse: the caller does.  Nothing of the route may be touched after either. */
void route_fail(struct reg_route *, uint16_t code, const char *reason, uint32_t retry_after);
void route_refuse(struct reg_route *, uint16_t code, const char *reason, uint32_t retry_after);
/* For the records: who decided what; code 0: none. */
void route_said(struct reg_route *, const char *by, const char *what, uint16_t code);

/* ---- way.c ---- */
void way_find(struct reg_route *); /* who sent it is known */
/* Its destination is that of the row.  false: there is no such group any more. */
bool way_row(struct reg_route *, uint32_t row);

/* ---- admit.c: each false has told the route so, which may be gone ---- */
bool admit(struct reg_route *, struct reg_account *, bool from_serving, bool names_other);
bool admit_counts(struct reg_route *, int which, struct reg_meter *, uint32_t calls,
		  uint32_t rate);
bool admit_group(struct reg_route *, int which, struct reg_group *);
bool admit_account(struct reg_route *);

/* ---- source.c ---- */
/* The group that sent it; of_token: the account its token names, or NULL.  NULL: nobody's. */
struct reg_group *source_group(struct reg_engine *, const struct reg_arrival *,
			       const struct reg_account *of_token);
const char *source_interface(const struct reg_engine *, uint32_t interface); /* its name */
/* The set's server with that IP, 0: none. */
uint32_t source_server(const struct reg_set *, const struct rg_addr *);
/* The one account that is bound at servers with that IP; NULL: none, or several. */
struct reg_account *source_bound(struct reg_engine *, uint32_t interface, const struct rg_addr *);

/* ---- inbound.c ---- */
enum inbound { INBOUND_NOBODY, INBOUND_WEAK, INBOUND_SURE, INBOUND_REFUSED };
/* The account a request of the serving side is for, and by which rule; weak: To user or
 * source.  other: the request names another account than its port does. */
enum inbound inbound_find(struct reg_route *, const struct reg_account *of_token,
			  struct reg_account **, const char **rule, bool *other);

/* ---- rows.c ---- */
/* The first row of IP2IPRouting for it, and the next alternative of a row; CONF_NONE: none.
 * Positions in gen->conf->route. */
uint32_t rows_first(const struct reg_route *);
uint32_t rows_alternative(const struct reg_route *, uint32_t row);
/* Does this answer of a server lead to an alternative row? */
bool rows_reason(const struct reg_route *, uint16_t code);

/* ---- leg.c ---- */
void leg_go(struct reg_route *, struct reg_server *);
/* To the address of the row. */
void leg_go_address(struct reg_route *, const struct conf_route *);

/* ---- park.c ---- */
/* It waits until the account is registered at this server.  false: too many do. */
bool park(struct reg_route *, struct reg_account *, struct reg_server *);
void park_leave(struct reg_route *); /* harmless when it does not wait */

static inline const struct conf_ip_group *group_row(const struct reg_engine *e,
						    const struct reg_group *g)
{
	return g && !g->trunk && g->row != CONF_NONE ? &e->gen->conf->ip_group[g->row] : NULL;
}

#endif
