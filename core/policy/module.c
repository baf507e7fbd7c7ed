/*
 * module.c -- shared objects: found in a directory, looked at before anything in
 * them is called, and shared between the generations that use them.
 */
#include "policy/policy.h"
#include "policy/verify.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <link.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/module.h"
#include "policy/setting.h"

struct object {
	struct policy_module pub;
	atomic_uint refs;
	void *handle; /* NULL: linked into the program */
	int fd;	      /* of a private copy: its name /proc/self/fd/N must stay taken */
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
};

struct policy_modules {
	atomic_uint refs;
	GPtrArray *all;	   /* struct object, by name */
	GPtrArray *broken; /* names of files that were refused */
};

static void object_unref(void *p)
{
	struct object *o = p;

	if (atomic_fetch_sub(&o->refs, 1) != 1)
		return;
	if (o->handle && !getenv("RG_KEEP_PLUGINS")) {
		dlclose(o->handle);
		if (o->fd >= 0)
			close(o->fd);
	}
	g_free((char *)(uintptr_t)o->pub.path);
	g_free(o);
}

static struct object *object_new(const char *path)
{
	struct object *o = g_new0(struct object, 1);

	atomic_init(&o->refs, 1);
	o->fd = -1;
	o->pub.path = g_strdup(path);
	return o;
}

static struct policy_modules *modules_new(void)
{
	struct policy_modules *ms = g_new0(struct policy_modules, 1);

	atomic_init(&ms->refs, 1);
	ms->all = g_ptr_array_new_with_free_func(object_unref);
	ms->broken = g_ptr_array_new_with_free_func(g_free);
	return ms;
}

static bool same_file(const struct object *o, const struct stat *st)
{
	return o->handle && o->dev == st->st_dev && o->ino == st->st_ino &&
	       o->size == st->st_size && o->mtime.tv_sec == st->st_mtim.tv_sec &&
	       o->mtime.tv_nsec == st->st_mtim.tv_nsec;
}

/* The object of prev that this file still is, or NULL. */
static struct object *unchanged(const struct policy_modules *prev, const char *path,
				const struct stat *st)
{
	for (guint i = 0; prev && i < prev->all->len; i++) {
		struct object *o = g_ptr_array_index(prev->all, i);

		if (!strcmp(o->pub.path, path) && same_file(o, st))
			return o;
	}
	return NULL;
}

/* The loader hands out the old object for a path it knows, whatever the file is by
 * now; a copy in memory has a name of its own.  Descriptor or -1 with errno. */
static int private_copy(const char *path, const char *name)
{
	int in = open(path, O_RDONLY | O_CLOEXEC), out = -1, err = 0;
	char buf[1 << 16];
	ssize_t n;

	if (in < 0)
		return -1;
	out = memfd_create(name, MFD_CLOEXEC);
	if (out < 0)
		err = errno;
	while (!err && (n = read(in, buf, sizeof buf)) != 0) {
		if (n < 0)
			err = errno == EINTR ? 0 : errno;
		else
			for (ssize_t at = 0, w; !err && at < n; at += w) {
				w = write(out, buf + at, (size_t)(n - at));
				if (w < 0) {
					err = errno == EINTR ? 0 : errno;
					w = 0;
				}
			}
	}
	close(in);
	if (err && out >= 0) {
		close(out);
		out = -1;
	}
	errno = err;
	return out;
}

/* What the loader said, without the path it begins with, and with advice. */
static void explain_dlopen(struct rg_faults *f, const char *path, const char *said)
{
	const char *text = said ? said : "unknown error", *colon = strstr(text, ": ");

	if (*text == '/' && colon)
		text = colon + 2;
	if (strstr(text, "undefined symbol"))
		rg_fault_add(f, RG_FAULT_ERROR, path, 0,
			     "cannot be loaded: %s (a plugin links against nothing of the "
			     "daemon)",
			     text);
	else
		rg_fault_add(f, RG_FAULT_ERROR, path, 0, "cannot be loaded: %s", text);
}

static int open_object(struct object *o, const char *name, struct rg_faults *f)
{
	const char *path = o->pub.path;
	char copy[64];
	void *known = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);

	if (known) {
		dlclose(known);
		o->fd = private_copy(path, name);
		if (o->fd < 0) {
			rg_fault_add(f, RG_FAULT_ERROR, path, 0,
				     "was replaced and cannot be copied: %s", strerror(errno));
			return EINVAL;
		}
		g_snprintf(copy, sizeof copy, "/proc/self/fd/%d", o->fd);
		path = copy;
	}
	o->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (o->handle)
		return 0;
	explain_dlopen(f, o->pub.path, dlerror());
	if (o->fd >= 0)
		close(o->fd);
	return EINVAL;
}

/* The bytes behind the exported symbol, so that nothing past them is read. */
static size_t symbol_size(const void *symbol)
{
	const ElfW(Sym) *entry = NULL;
	Dl_info info;

	if (!dladdr1(symbol, &info, (void **)&entry, RTLD_DL_SYMENT) || !entry)
		return 0;
	return entry->st_size;
}

static void publish(struct object *o, const struct rg_module *m)
{
	o->pub.m = m;
	if (m->kind == RG_POLICY_KIND)
		o->pub.policy = (const struct rg_policy *)m;
	else
		o->pub.service = (const struct rg_service *)m;
}

/* A new object of the file, or NULL with a fault. */
static struct object *load(const char *path, const char *name, const struct stat *st,
			   struct rg_faults *f)
{
	struct object *o = object_new(path);
	const struct rg_module *m;

	o->dev = st->st_dev;
	o->ino = st->st_ino;
	o->size = st->st_size;
	o->mtime = st->st_mtim;
	if (!S_ISREG(st->st_mode)) {
		rg_fault_add(f, RG_FAULT_ERROR, path, 0, "is not a file");
		goto refused;
	}
	if (open_object(o, name, f))
		goto refused;
	m = dlsym(o->handle, "rg_plugin_export");
	if (!m) {
		rg_fault_add(f, RG_FAULT_ERROR, path, 0,
			     "exports no rg_plugin_export: see RG_POLICY() in <regway/plugin.h>");
		goto refused;
	}
	if (verify_module(m, symbol_size(m), name, path, f))
		goto refused;
	publish(o, m);
	return o;
refused:
	object_unref(o);
	return NULL;
}

static void add_file(struct policy_modules *ms, const char *dir, const char *file,
		     const struct policy_modules *prev, struct rg_faults *f)
{
	char *path = g_build_filename(dir, file, NULL);
	char *name = g_strndup(file, strlen(file) - strlen(".so"));
	struct object *o = NULL;
	struct stat st;

	if (stat(path, &st)) {
		rg_fault_add(f, RG_FAULT_ERROR, path, 0, "cannot be read: %s", strerror(errno));
	} else {
		o = unchanged(prev, path, &st);
		if (o)
			atomic_fetch_add(&o->refs, 1);
		else
			o = load(path, name, &st, f);
	}
	if (o)
		g_ptr_array_add(ms->all, o);
	else
		g_ptr_array_add(ms->broken, g_strdup(name));
	g_free(path);
	g_free(name);
}

/* Everything it claims of others is in the schema by now. */
static bool can_join(const struct schema *s, const struct rg_module *m)
{
	for (const struct rg_param *p = m->params; p && p->name; p++)
		if (p->type == RG_T_NONE && !schema_find(s, setting_table(p->scope), p->name))
			return false;
	return true;
}

static void join(struct policy_modules *ms, struct object *o, struct schema *s,
		 struct rg_faults *f)
{
	const struct rg_module *m = o->pub.m;

	if (!schema_add(s, m->name, m->params, f))
		return;
	g_ptr_array_add(ms->broken, g_strdup(m->name));
	g_ptr_array_remove(ms->all, o);
}

/* Add all parameters to the schema, whatever the order of the names: who claims a
 * value of another's parameter comes after that one. */
static void join_all(struct policy_modules *ms, struct schema *s, struct rg_faults *f)
{
	GPtrArray *todo = g_ptr_array_new();
	bool force = false;

	for (guint i = 0; i < ms->all->len; i++)
		g_ptr_array_add(todo, g_ptr_array_index(ms->all, i));
	while (todo->len) {
		guint before = todo->len;

		for (guint i = 0; i < todo->len;) {
			struct object *o = g_ptr_array_index(todo, i);

			if (!force && !can_join(s, o->pub.m)) {
				i++;
				continue;
			}
			join(ms, o, s, f);
			g_ptr_array_remove_index(todo, i);
		}
		force = todo->len == before; /* the schema says what is wrong with the rest */
	}
	g_ptr_array_free(todo, TRUE);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct policy_modules *policy_modules_open(const char *dir, struct policy_modules *prev,
					   struct schema *s, struct rg_faults *f)
{
	struct policy_modules *ms;
	GPtrArray *files;
	struct dirent *e;
	DIR *d;

	if (!dir)
		return modules_new();
	d = opendir(dir);
	if (!d) {
		rg_fault_add(f, RG_FAULT_ERROR, dir, 0, "cannot read the plugin directory: %s",
			     strerror(errno));
		return NULL;
	}
	files = g_ptr_array_new_with_free_func(g_free);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.' && g_str_has_suffix(e->d_name, ".so"))
			g_ptr_array_add(files, g_strdup(e->d_name));
	closedir(d);
	g_ptr_array_sort(files, by_text);

	ms = modules_new();
	for (guint i = 0; i < files->len; i++)
		add_file(ms, dir, g_ptr_array_index(files, i), prev, f);
	g_ptr_array_free(files, TRUE);
	join_all(ms, s, f);
	return ms;
}

static int by_name(const void *a, const void *b)
{
	const struct object *x = *(struct object *const *)a, *y = *(struct object *const *)b;

	return strcmp(x->pub.m->name, y->pub.m->name);
}

struct policy_modules *policy_modules_static(const struct rg_module *const *table,
					     struct schema *s, struct rg_faults *f)
{
	struct policy_modules *ms = modules_new();

	for (; *table; table++) {
		const struct rg_module *m = *table;
		struct object *o = object_new(m->name ? m->name : "");

		if (verify_module(m, 0, m->name, o->pub.path, f)) {
			g_ptr_array_add(ms->broken, g_strdup(o->pub.path));
			object_unref(o);
			continue;
		}
		publish(o, m);
		g_ptr_array_add(ms->all, o);
	}
	g_ptr_array_sort(ms->all, by_name);
	join_all(ms, s, f);
	return ms;
}

struct policy_modules *policy_modules_ref(struct policy_modules *ms)
{
	atomic_fetch_add(&ms->refs, 1);
	return ms;
}

void policy_modules_unref(struct policy_modules *ms)
{
	if (!ms || atomic_fetch_sub(&ms->refs, 1) != 1)
		return;
	g_ptr_array_free(ms->all, TRUE);
	g_ptr_array_free(ms->broken, TRUE);
	g_free(ms);
}

size_t policy_modules_count(const struct policy_modules *ms)
{
	return ms->all->len;
}

const struct policy_module *policy_modules_at(const struct policy_modules *ms, size_t i)
{
	const struct object *o = g_ptr_array_index(ms->all, i);

	return &o->pub;
}

const struct policy_module *modules_find(const struct policy_modules *ms, const char *name)
{
	for (size_t i = 0; i < policy_modules_count(ms); i++)
		if (!g_ascii_strcasecmp(policy_modules_at(ms, i)->m->name, name))
			return policy_modules_at(ms, i);
	return NULL;
}

bool modules_broken(const struct policy_modules *ms, const char *name)
{
	for (guint i = 0; i < ms->broken->len; i++)
		if (!g_ascii_strcasecmp(g_ptr_array_index(ms->broken, i), name))
			return true;
	return false;
}
