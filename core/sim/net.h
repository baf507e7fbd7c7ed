/* net.h -- the scripted network: the engine's port, answered by rules. */
#ifndef RG_SIM_NET_H
#define RG_SIM_NET_H

#include "conf/conf.h"
#include "reg/engine.h"
#include "sim/timeline.h"

struct net;

struct net *net_new(struct rg_timers *, struct timeline *);
void net_free(struct net *); /* after the engine */
/* Who is on the line ends: before the engine. */
void net_hang_up(struct net *);
const struct reg_port *net_port(const struct net *);
/* Where answers go, and whose interfaces send. */
void net_serve(struct net *, struct reg_engine *);
void net_conf(struct net *, const struct conf *);

/* SERVER, DNS and LINK lines. */
void net_server(struct net *, const struct script_line *);
void net_dns(struct net *, const struct script_line *);
void net_link(struct net *, bool up);

/* ---- for call.c ---- */
struct calls;
/* What the server does with a request sent now; of a limited rule one answer is used. */
struct script_rule net_rule(struct net *, const struct rg_addr *, uint8_t method);
/* The line of the timeline for a request; not added yet. */
struct timeline_event net_sent(const struct net *, const struct reg_message *, uint8_t method,
			       const struct script_rule *);
/* CALL_OUT, CALL_IN and NOTIFY lines. */
void net_call_out(struct net *, const struct script_line *);
void net_call_in(struct net *, const struct script_line *);
void net_notify(struct net *, const struct script_line *);

#endif
