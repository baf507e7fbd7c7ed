#include "policy/verify.h"

#include <errno.h>
#include <stdalign.h>

struct where {
	const char *path;
	struct rg_faults *f;
};

#define REFUSE(w, ...) \
	(rg_fault_add((w)->f, RG_FAULT_ERROR, (w)->path, 0, __VA_ARGS__), EINVAL)

static int verify_abi(const struct rg_module *m, size_t room, const struct where *w)
{
	unsigned major, minor;

	if (room && room < sizeof *m)
		return REFUSE(w, "rg_plugin_export is no plugin: see RG_POLICY() in "
				 "<regway/plugin.h>");
	major = m->abi >> 16;
	minor = m->abi & 0xffff;
	if (major != RG_ABI_MAJOR || minor > RG_ABI_MINOR)
		return REFUSE(w, "was built for plugin ABI %u.%u, this is %d.%d: build it again "
				 "with this <regway/plugin.h>",
			      major, minor, RG_ABI_MAJOR, RG_ABI_MINOR);
	return 0;
}

static int verify_head(const struct rg_module *m, size_t room, const char *name,
		       const struct where *w)
{
	bool policy = m->kind == RG_POLICY_KIND;
	size_t size = policy ? sizeof(struct rg_policy) : sizeof(struct rg_service);

	if (!policy && m->kind != RG_SERVICE_KIND)
		return REFUSE(w, "is neither a policy nor a service (kind %u)", m->kind);
	if (m->size != size || (room && room < size))
		return REFUSE(w, "its struct %s has %u bytes, here it has %zu: build it again "
				 "with this <regway/plugin.h>",
			      policy ? "rg_policy" : "rg_service",
			      room && room < size ? (unsigned)room : m->size, size);
	if (!m->name || !*m->name || !m->version || !m->summary)
		return REFUSE(w, "has no name, version or summary");
	if (strcmp(m->name, name))
		return REFUSE(w, "calls itself %s: the file must be called %s.so", m->name,
			      m->name);
	return 0;
}

struct layout {
	size_t size, align;
};

static struct layout layout_of(uint8_t type)
{
	switch (type) {
	case RG_T_INT:
	case RG_T_BOOL:
		return (struct layout){ sizeof(int32_t), alignof(int32_t) };
	case RG_T_STR:
		return (struct layout){ sizeof(char *), alignof(char *) };
	case RG_T_CODES:
		return (struct layout){ sizeof(struct rg_codes), alignof(struct rg_codes) };
	default:
		return (struct layout){ 0, 1 };
	}
}

static int verify_param(const struct rg_param *p, const uint16_t *cfg_size,
			const struct where *w)
{
	struct layout l = layout_of(p->type);

	if (p->scope >= RG_SCOPES || p->type > RG_T_CODES || p->on_change > RG_CHANGE_RESTART)
		return REFUSE(w, "parameter %s: scope, type or on_change is out of range",
			      p->name);
	if (p->type == RG_T_NONE)
		return 0;
	if (p->offset + l.size > cfg_size[p->scope] || p->offset % l.align)
		return REFUSE(w, "parameter %s does not fit its block: cfg_size is %u bytes",
			      p->name, cfg_size[p->scope]);
	return 0;
}

static int verify_params(const struct rg_module *m, const uint16_t *cfg_size,
			 const struct where *w)
{
	int err = 0;

	for (const struct rg_param *p = m->params; p && p->name; p++)
		err |= verify_param(p, cfg_size, w);
	return err;
}

static int verify_policy(const struct rg_policy *p, const struct where *w)
{
	if (p->group > RG_BY_TRUNK)
		return REFUSE(w, "group is out of range");
	for (const struct rg_field *d = p->fields; d && d->kind != RG_F_END; d++) {
		size_t size = d->kind == RG_F_MS ? sizeof(rg_ms) : sizeof(int32_t);

		if (d->kind > RG_F_SERVER || !d->name || d->offset + size > p->slot_size)
			return REFUSE(w, "slot field %s does not fit the slot of %u bytes",
				      d->name ? d->name : "without a name", p->slot_size);
	}
	return verify_params(&p->m, p->cfg_size, w);
}

static int verify_service(const struct rg_service *s, const struct where *w)
{
	const uint16_t cfg_size[RG_SCOPES] = { [RG_GLOBAL] = s->cfg_size };

	if (!s->start || !s->stop)
		return REFUSE(w, "a service needs start and stop");
	return verify_params(&s->m, cfg_size, w);
}

int verify_module(const struct rg_module *m, size_t room, const char *name, const char *path,
		  struct rg_faults *f)
{
	const struct where w = { path, f };

	if (verify_abi(m, room, &w) || verify_head(m, room, name, &w))
		return EINVAL;
	return m->kind == RG_POLICY_KIND ? verify_policy((const struct rg_policy *)m, &w) :
					   verify_service((const struct rg_service *)m, &w);
}
