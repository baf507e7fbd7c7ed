#include "sip/resolvconf.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"

enum { FILE_MOST = 65536, LINES_MOST = 16, LOOK_MS = 1000 };

/* As resolv.conf(5) has it: without any nameserver line the local host is meant. */
char *resolvconf_servers(const char *path)
{
	GString *csv = g_string_new(NULL);
	char line[512], name[128];
	FILE *f = rg_file_open(path);
	size_t size = 0, n = 0;

	while (f && size < FILE_MOST && n < LINES_MOST && fgets(line, sizeof line, f)) {
		size += strlen(line);
		if (sscanf(line, " nameserver %127s", name) == 1 && !strchr(name, ','))
			g_string_append_printf(csv, "%s%s", n++ ? "," : "", name);
	}
	if (f)
		fclose(f);
	if (!csv->len)
		g_string_append(csv, "127.0.0.1");
	return g_string_free(csv, FALSE);
}

void resolvconf_watch(struct resolvconf *r, const char *path)
{
	g_free(r->path);
	*r = (struct resolvconf){ .path = g_strdup(path), .seen = { .st_size = -2 },
				  .looked = -LOOK_MS };
}

bool resolvconf_changed(struct resolvconf *r, rg_ms now)
{
	struct stat st = { .st_size = -1 }, was = r->seen;

	if (!r->path || now - r->looked < LOOK_MS)
		return false;
	r->looked = now;
	stat(r->path, &st);
	r->seen = st;
	return st.st_mtim.tv_sec != was.st_mtim.tv_sec ||
	       st.st_mtim.tv_nsec != was.st_mtim.tv_nsec || st.st_size != was.st_size ||
	       st.st_ino != was.st_ino || st.st_dev != was.st_dev;
}
