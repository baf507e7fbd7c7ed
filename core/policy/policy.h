/*
 * policy.h -- plugins: found, checked, loaded, and attached to the accounts
 * that ask for them.  What comes out is one immutable chain a distinct
 * combination of parameters, shared by all accounts that have it.
 */
#ifndef RG_POLICY_POLICY_H
#define RG_POLICY_POLICY_H

#include "conf/conf.h"
#include "regway/plugin.h"

/* A shared object that passed its checks.  Counted by the generations using it. */
struct policy_module {
	const struct rg_module *m;
	const struct rg_policy *policy;	  /* or NULL */
	const struct rg_service *service; /* or NULL */
	const char *path;
};

/* The plugins of a directory. */
struct policy_modules;

/* dlopen every NAME.so of dir (NULL: none), check ABI, size and name, and add its
 * parameters to the schema.  A file that is the same (device, inode, size, mtime) as
 * in prev is shared with it; one that was replaced is loaded from a private copy.
 * A broken plugin is an error fault.  prev may be NULL.  NULL: dir cannot be read
 * (fault added). */
struct policy_modules *policy_modules_open(const char *dir, struct policy_modules *prev,
					   struct schema *, struct rg_faults *);
/* The same for plugins linked into the program (tests); table ends with NULL. */
struct policy_modules *policy_modules_static(const struct rg_module *const *table,
					     struct schema *, struct rg_faults *);
struct policy_modules *policy_modules_ref(struct policy_modules *);
/* At the last reference the objects are closed (not with RG_KEEP_PLUGINS in the
 * environment).  Never call it from below a hook. */
void policy_modules_unref(struct policy_modules *);
size_t policy_modules_count(const struct policy_modules *);
const struct policy_module *policy_modules_at(const struct policy_modules *, size_t i);

struct policy_link {
	const struct rg_policy *p;
	/* cfg[RG_PROXY_IP]: one pointer for each ProxyIp row of the serving group's set,
	 * in conf.proxy_ip order; the hook's array, by server, is made of these. */
	const void *cfg[RG_SCOPES];
	uint16_t slot; /* offset of its slot in the account's block, 8-aligned */
	uint16_t ips;  /* pointers in cfg[RG_PROXY_IP] */
};

struct policy_chain {
	uint16_t n;
	uint16_t slot_bytes; /* the whole block of an account; 0: none */
	uint8_t wants;	     /* enum rg_want bits of all links */
	bool timers;	     /* some link has an event hook, so may ask to be woken */
	struct policy_link link[]; /* ascending prio, then name */
};

/* All chains of one configuration.  Counted. */
struct policy {
	const struct policy_chain **of; /* by account position; never NULL entries */
	uint32_t n;			/* accounts */
};

/* Attach: a policy is attached where at least one of the values it implements stands
 * (one that implements none: everywhere), and every `when` is met, in the row that
 * counts for the account: its own, its serving group's, its outbound or else that
 * group's proxy set and its interface, its trunk group's, the gateway's; of a ProxyIp,
 * any of the set's.  Then per-account check, needs and clashes; faults with the
 * account's file and line.  A
 * value that nobody implements is an error that names the plugin which would (loaded
 * or not).  NULL if there was an error.  The configuration may hold errors itself
 * (conf_read()): what comes out is then good for its faults only.  Keeps references on
 * modules and conf. */
struct policy *policy_build(struct policy_modules *, struct conf *, const struct schema *,
			    struct rg_faults *);
struct policy *policy_ref(struct policy *);
void policy_unref(struct policy *);

/* Is this module active under conf ([Plugins] Load; services: their section)? */
bool policy_active(const struct conf *, const struct policy_module *);
/* The block of an active service's RG_GLOBAL parameters; NULL if it has none. */
const void *policy_service_cfg(const struct policy *, const struct rg_service *);
/* Accounts a policy is attached to. */
uint32_t policy_attached(const struct policy *, const struct rg_policy *);

/* What changed from one chain to another of a later generation. */
enum policy_change { POLICY_SAME, POLICY_KEEP, POLICY_REFRESH, POLICY_RESTART };
enum policy_change policy_compare(const struct policy_chain *before,
				  const struct policy_chain *after);

/* The configured part of an account as plugins see it; pointers into conf. */
void policy_account(const struct conf *, uint32_t account, struct rg_account *out);

#endif
