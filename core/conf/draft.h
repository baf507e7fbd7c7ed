/*
 * draft.h -- rows while they are read: the row to be, and what has to wait until
 * all files are known.  The row comes first, so that one offset serves both.
 */
#ifndef RG_CONF_DRAFT_H
#define RG_CONF_DRAFT_H

#include "conf/conf.h"

struct draft_gateway {
	struct conf_gateway g;
	int8_t redundancy;
	uint32_t generated_rate, generated_interval;
};

struct draft_sip_interface {
	struct conf_sip_interface i;
	const char *ports;
};

struct draft_proxy_set {
	struct conf_proxy_set s;
	const char *sbc4, *gw4, *sbc6, *gw6;
};

struct draft_proxy_ip {
	struct conf_proxy_ip p;
	const char *set, *address;
	int8_t transport;
	uint32_t seq; /* place in the files */
};

struct draft_ip_group {
	struct conf_ip_group g;
	const char *set, *username, *password; /* of both roles */
};

struct draft_trunk_group {
	struct conf_trunk_group t;
	const char *serving, *set;
	int32_t first, last; /* trunk; -1: none */
};

struct draft_account {
	struct conf_account a;
	const char *served, *serving, *trunk, *outbound;
	uint8_t application;
};

struct draft_route {
	struct conf_route r;
};

struct draft_user_info {
	struct conf_user_info u;
	const char *group;
};

struct draft_raw {
	struct conf_raw r;
};

#endif
