#include "sip/hostsfile.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

enum { LOOK_MS = 1000, FILE_MOST = 1 << 20, ADDRS = 64 /* of a name */ };

struct hostsfile {
	char *path;
	GHashTable *names; /* name: GArray of struct rg_addr */
	struct stat seen;
	rg_ms looked;
};

static void addrs_free(void *addrs)
{
	g_array_free(addrs, TRUE);
}

static void add(struct hostsfile *h, const char *name, const struct rg_addr *addr)
{
	char *key = g_ascii_strdown(name, -1);
	GArray *addrs = g_hash_table_lookup(h->names, key);

	if (!addrs) {
		addrs = g_array_new(FALSE, FALSE, sizeof *addr);
		g_hash_table_insert(h->names, key, addrs);
	} else {
		g_free(key);
	}
	if (addrs->len < ADDRS)
		g_array_append_vals(addrs, addr, 1);
}

static void read_line(struct hostsfile *h, char *line)
{
	struct rg_addr addr = { .family = 0 };
	char *save, *word;

	line[strcspn(line, "#\r\n")] = '\0';
	word = strtok_r(line, " \t", &save);
	if (!word || !rg_addr_parse_ip(&addr, word))
		return;
	while ((word = strtok_r(NULL, " \t", &save)))
		add(h, word, &addr);
}

static void read_file(struct hostsfile *h)
{
	FILE *f = rg_file_open(h->path);
	size_t size = 0;
	char line[1024];

	g_hash_table_remove_all(h->names);
	while (f && size < FILE_MOST && fgets(line, sizeof line, f)) {
		size += strlen(line);
		read_line(h, line);
	}
	if (f)
		fclose(f);
}

static void look(struct hostsfile *h, rg_ms now)
{
	struct stat st = { .st_size = -1 };

	if (now - h->looked < LOOK_MS)
		return;
	h->looked = now;
	stat(h->path, &st);
	if (st.st_mtim.tv_sec == h->seen.st_mtim.tv_sec &&
	    st.st_mtim.tv_nsec == h->seen.st_mtim.tv_nsec && st.st_size == h->seen.st_size &&
	    st.st_ino == h->seen.st_ino)
		return;
	h->seen = st;
	read_file(h);
}

struct hostsfile *hostsfile_new(const char *path)
{
	struct hostsfile *h = g_new0(struct hostsfile, 1);

	h->path = g_strdup(path);
	h->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, addrs_free);
	h->seen.st_size = -2;
	h->looked = -LOOK_MS;
	return h;
}

void hostsfile_free(struct hostsfile *h)
{
	if (!h)
		return;
	g_hash_table_destroy(h->names);
	g_free(h->path);
	g_free(h);
}

const struct rg_addr *hostsfile_find(struct hostsfile *h, rg_ms now, const char *host, size_t *n)
{
	const GArray *addrs;

	look(h, now);
	addrs = g_hash_table_lookup(h->names, host);
	*n = addrs ? addrs->len : 0;
	return addrs ? (const struct rg_addr *)(void *)addrs->data : NULL;
}
