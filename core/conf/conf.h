/*
 * conf.h -- the configuration: immutable once built, counted, and shared by
 * reference.  Rows refer to each other by position in their array.  Strings are
 * never NULL and live as long as the configuration.
 */
#ifndef RG_CONF_CONF_H
#define RG_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/fault.h"
#include "conf/pattern.h"
#include "conf/schema.h"

#define CONF_NONE UINT32_MAX /* no such row */

/* Values of policy parameters that a row sets explicitly, by number, ascending.
 * Equal sets of a configuration are one object: compare pointers. */
struct conf_value {
	uint16_t number; /* schema_param.number */
	int64_t num;	 /* RG_T_INT, RG_T_BOOL */
	const char *str; /* RG_T_STR, RG_T_CODES as written; else "" */
};
struct conf_values {
	uint16_t n;
	struct conf_value v[];
};

struct conf_row {
	uint32_t index; /* Index of the row in its table */
	uint32_t line;
	uint16_t file;	/* conf_file() */
	uint32_t set;	/* for conf_param_line() */
	const char *name;
	const struct conf_values *values; /* never NULL */
};

struct conf_sip_interface {
	struct conf_row row;
	const char *network_interface; /* as written */
	struct rg_addr addr; /* family 0: every address; closed: none could be found */
	struct rg_addr addr6; /* besides addr; family 0: none */
	bool device; /* of a system interface, whose addresses these were when it was read */
	bool closed;
	uint16_t udp, tcp, tls; /* 0: none */
	uint16_t port_min, port_max; /* AdditionalUDPPorts, 0: none */
	const char *tls_context;
	int8_t tls_mutual; /* -1: as the context says */
	int32_t ping_time; /* PingPongKeepAliveTime, s; 0 none, -1: the gateway's */
	uint8_t additional_mode; /* 0 always open, 1 open when used */
	const char *name_servers; /* of its InterfaceTable row, "a,b"; "" none */
};

struct conf_proxy_ip {
	struct conf_row row;
	uint32_t set;
	uint32_t order;	  /* ProxyIpIndex */
	const char *host; /* without port */
	struct rg_addr addr; /* literal: family not 0; port and transport always set */
	uint16_t port;	  /* as written, 0: none */
	bool transport_set; /* TransportType is not -1 */
	uint16_t priority, weight;
	bool has_priority;
	uint8_t roles; /* enum rg_role bits */
	bool master;
	const char *registrar;
};

struct conf_proxy_set {
	struct conf_row row;
	uint32_t interface; /* position, CONF_NONE only if there is no interface at all */
	uint32_t interface6; /* towards servers with an IPv6 address; usually the same */
	uint32_t first_ip, n_ip; /* in conf.proxy_ip, which is sorted by set and order */
	uint8_t keepalive; /* 0 none, 1 OPTIONS, 2 REGISTER, 3 OPTIONS active, 4 fake REGISTER */
	uint32_t keepalive_time; /* s */
	struct rg_codes keepalive_failure;
	uint16_t success_retries, success_interval; /* times, s */
	int16_t failure_retransmissions; /* -1: SIPMaxRtx */
	uint8_t homing_check; /* 0 unset, 1 OPTIONS, 2 REGISTER, 3 INVITE */
	int8_t redundancy; /* 0 parking, 1 homing; the global one already applied: -1 unset */
	bool hot_swap;
	uint8_t load_balancing;
	uint16_t min_active;
	int8_t dns_method; /* -1: ProxyDNSQueryType */
	bool prefer_ipv6;
	const char *tls_context;
	const char *contact_name; /* of the first IP group with the set that has one; "" */
	uint8_t redirects; /* RegisterRedirects */
	uint32_t total_timeout; /* s, 0 none */
	int8_t retry_counts;	/* -1 unset */
	uint32_t register_rate; /* a second, 0 unlimited */
	uint32_t register_window;
};

struct conf_ip_group {
	struct conf_row row;
	uint32_t set; /* position or CONF_NONE */
	uint8_t type; /* 0 server, 1 user, 2 gateway */
	const char *sip_group_name, *contact_user, *contact_name;
	uint8_t authentication_mode;
	const char *username, *password;		/* as client */
	const char *server_username, *server_password; /* as server */
	uint32_t max_calls, max_call_rate;
	uint32_t max_call_duration; /* min */
	bool media_anchor;
	uint8_t media_failure;
};

/* FirstTrunkId to LastTrunkId. */
struct conf_trunk_range {
	uint32_t first, last;
};

enum { CONF_PER_ACCOUNT = 5 }; /* RegistrationMode */

struct conf_trunk_group {
	struct conf_row row;
	uint32_t id;		    /* TrunkGroupId */
	uint32_t serving;	    /* position of the IP group or CONF_NONE */
	uint32_t set;		    /* ProxySetName, position or CONF_NONE */
	int32_t registration_mode;  /* 5: per account */
	const char *contact_user, *gateway_name;
	uint32_t n_range; /* of its trunks; ascending and apart */
	const struct conf_trunk_range *range;
};

struct conf_account {
	struct conf_row row;
	uint32_t served;  /* position of the IP group, CONF_NONE: a trunk group */
	uint32_t trunk;	  /* position of the trunk group or CONF_NONE */
	uint32_t serving; /* position of the IP group */
	uint32_t outbound; /* position of the proxy set or CONF_NONE */
	const char *host_name, *contact_user, *username, *password;
	const char *contact_address; /* "local", "received" or an address[:port] */
	uint32_t max_calls, max_call_rate;
	const char *security_client; /* SecurityClient; "": no mediasec */
	uint8_t reg; /* enum rg_regmode */
	uint8_t gruu; /* 0 none, 1 public, 2 temporary: enum reg_gruu */
	uint8_t caller_identity; /* CallerIdentity: enum conf_asserted */
	bool flow; /* Outbound */
	bool keep_nonce;
	uint8_t stickiness; /* RegistrarStickiness, for 400 or 500 and status */
	bool own_port;	    /* UDPPortAssignment */
	bool withheld; /* its trunk group does not register per account */
};

/* A row of IP2IPRouting. */
struct conf_route {
	struct conf_row row;
	const char *from_user, *from_host, *to_user, *to_host; /* as written; "*": any */
	const struct conf_pattern *from_pattern, *to_pattern;  /* of those users */
	const char *from_name, *to_name, *account_name, *address_name, *interface_name,
		*rerouted, *set; /* as written, for --dump */
	uint16_t port;
	int8_t transport;
	uint8_t trigger;
	uint32_t from;	  /* position of the IP group, CONF_NONE: any */
	uint32_t to;	  /* likewise; CONF_NONE: to address */
	uint32_t account; /* position; CONF_NONE: as the pair has it */
	struct rg_addr address;
	uint32_t interface; /* position, for address */
	uint8_t request_type, dest_type;
	uint8_t alternative; /* 0 no, 1 whatever its inputs, 2 if it matches */
	bool dead;	     /* it asks for what is not done here: never matches */
	uint32_t next;	     /* main row of the same from, CONF_NONE: the last */
};

struct conf_user_info {
	struct conf_row row;
	const char *local_user, *username, *password;
	uint32_t group; /* position or CONF_NONE */
};

/* Tables of which later versions make use: kept as written, for --dump. */
struct conf_raw {
	struct conf_row row;
	uint16_t n;
	struct conf_pair { const char *key, *value; } *pair;
};

enum { CONF_3XX_FOLLOW = 2 };
enum conf_asserted { CONF_AS_IT_IS, CONF_ASSERTED, CONF_PREFERRED };

struct conf_gateway {
	const struct conf_values *values;
	uint32_t registration_time, retry_time, max_backoff_time, time_threshold; /* s */
	uint8_t time_divider; /* % */
	uint8_t refresh_jitter; /* % */
	uint32_t register_rate; /* starts a second, 0 unlimited */
	uint32_t forbidden_retry_time, max_registration_time; /* s */
	uint8_t hot_swap_rtx, sip_max_rtx;
	uint8_t dns_query_type;
	const char *dns_servers; /* as written */
	const char *name_servers; /* "a,b:port"; "": those of the system */
	uint8_t transport; /* SIPTransportType: enum rg_transport */
	uint32_t proxy_list_refresh; /* s */
	bool unregister_on_stop, unregister_old_registrar, register_on_server_down;
	bool strict_account_pairs, long_values, unregistration_all;
	bool empty_authorization, initial_route;
	int8_t reregister_on_connection_failure; /* -1: of TLS only */
	uint8_t challenge_caching; /* SIPChallengeCachingMode */
	bool use_proxy_ip_as_host, is_proxy_used;
	uint32_t max_accounts;
	const char *username, *password, *proxy_name; /* global UserName, Password, ProxyName */
	uint32_t drain_time; /* s */
	uint16_t unknown_source_response;
	const char *call_records, *dahdi_directory, *alarm_command;
	uint32_t max_calls, max_call_rate;
	uint32_t max_call_duration; /* min */
	uint8_t redirects; /* SBC3xxBehavior: CONF_3XX_FOLLOW, else passed on */
	uint8_t asserted_id;  /* AssertedIdMode: enum conf_asserted */
	bool associated_uri;  /* EnablePAssociatedURIHeader */
	struct rg_codes alternative_reasons; /* AlternativeRoutingReasons */
	bool ping_pong;
	uint32_t ping_pong_time; /* s */
};

struct conf {
	struct conf_gateway gateway;
	struct conf_sip_interface *sip_interface;
	struct conf_proxy_set *proxy_set;
	struct conf_proxy_ip *proxy_ip;
	struct conf_ip_group *ip_group;
	struct conf_trunk_group *trunk_group;
	struct conf_account *account; /* by index, ascending */
	struct conf_user_info *user_info;
	struct conf_route *route; /* by index, ascending */
	uint32_t *route_of;	  /* by position of the IP group, any group's at n_ip_group: the
				   * first main row, CONF_NONE: none */
	struct conf_raw *raw[CONF_TABLES];
	uint32_t n_sip_interface, n_proxy_set, n_proxy_ip, n_ip_group, n_trunk_group, n_account,
		n_user_info, n_route, n_raw[CONF_TABLES];
	/* [Plugins] Load; all: no such line.  Names as written. */
	bool load_all;
	uint32_t n_load;
	const char **load;
	uint32_t load_line;
	uint16_t load_file;
	const char **section; /* headings seen that are no table: a service's own section */
	uint32_t n_section;
};

/* Read all files (a directory means its *.ini in name order) as one configuration.
 * Faults are added, all of them; NULL if one is an error.  Pure but for reading
 * files, the environment and the systemd credentials: may run in any thread. */
struct conf *conf_load(const char *const *paths, size_t n, const struct schema *,
		       struct rg_faults *);
/* The same, but never NULL: after an error it is good for finding further ones only, for
 * its references may lead nowhere (CONF_NONE) where conf.h promises a position. */
struct conf *conf_read(const char *const *paths, size_t n, const struct schema *,
		       struct rg_faults *);
struct conf *conf_ref(struct conf *); /* thread-safe */
void conf_unref(struct conf *);

const char *conf_file(const struct conf *, uint16_t file);
/* Position of the account (group, set) with that name or index text; CONF_NONE. O(1). */
uint32_t conf_account_find(const struct conf *, const char *name);
uint32_t conf_ip_group_find(const struct conf *, const char *name);
uint32_t conf_proxy_set_find(const struct conf *, const char *name);
/* The row of SBCUserInfoTable for this user of the IP group (position; CONF_NONE: none):
 * one that names the group before one that names none.  NULL: there is none.  O(1). */
const struct conf_user_info *conf_user_find(const struct conf *, const char *local_user,
					    uint32_t group);
/* The value of a column in a row that is kept as written; "" if it is not set. */
const char *conf_raw_value(const struct conf_raw *, const char *key);
/* The value a row sets explicitly for a policy parameter, or NULL. */
const struct conf_value *conf_value(const struct conf_values *, uint16_t number);

/* Where a row sets this parameter; the row's own line where nothing better is known: rows
 * of the device's tables, defaults, and after conf_settle(). */
uint32_t conf_param_line(const struct conf *, const struct conf_row *, uint16_t number);
/* All faults are told: forget the lines of single parameters. */
void conf_settle(struct conf *);

/* Where [Gateway] and its like set a global parameter last: the line, 0 if nowhere. */
uint32_t conf_global_line(const struct conf *, uint16_t number, const char **file);

/* The configuration in canonical row form: short names, numeric values, secrets as
 * "********" (which loads as none, with a warning). */
void conf_dump(const struct conf *, const struct schema *,
	       void (*write)(const char *, void *), void *arg);

#endif
