#include "conf/ini.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER = 2 * INI_LINE_MAX };

struct reader {
	int fd, err;
	const char *path;
	struct rg_faults *faults;
	ini_h *h;
	void *arg;
	unsigned line;
	bool end, skipping; /* the rest of a line that was too long */
	size_t at, have;
	struct ini_line pair; /* what inih is about to hand back */
	char buf[BUFFER + 1];
};

static void fault(struct reader *r, const char *text)
{
	rg_fault_add(r->faults, RG_FAULT_ERROR, r->path, r->line, "%s", text);
}

/* More bytes behind those that are there. */
static void fill(struct reader *r)
{
	ssize_t n;

	memmove(r->buf, r->buf + r->at, r->have - r->at);
	r->have -= r->at;
	r->at = 0;
	do
		n = read(r->fd, r->buf + r->have, BUFFER - r->have);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		r->err = errno;
		rg_fault_add(r->faults, RG_FAULT_ERROR, r->path, 0, "cannot be read: %s",
			     g_strerror(r->err));
	}
	if (n <= 0)
		r->end = true;
	else
		r->have += (size_t)n;
}

/* The next physical line, terminated, without its end; NULL after the last. */
static char *line_next(struct reader *r, size_t *len)
{
	size_t seen = 0;

	for (;;) {
		char *start = r->buf + r->at;
		char *nl = memchr(start + seen, '\n', r->have - r->at - seen);

		if (!nl && !r->end && r->have - r->at <= INI_LINE_MAX + 1) {
			seen = r->have - r->at;
			fill(r);
			continue;
		}
		*len = nl ? (size_t)(nl - start) : r->have - r->at;
		if (!nl && *len == 0 && r->end)
			return NULL;
		r->at += nl ? *len + 1 : *len;
		if (r->skipping) {
			r->skipping = !nl && !r->end;
			seen = 0;
			if (r->skipping)
				fill(r);
			continue;
		}
		r->line++;
		if (*len && start[*len - 1] == '\r')
			(*len)--;
		start[*len] = '\0';
		if (*len <= INI_LINE_MAX)
			return start;
		fault(r, "the line is longer than 65536 bytes");
		r->skipping = !nl && !r->end;
		if (r->skipping)
			fill(r);
		seen = 0;
	}
}

static char *trim(char *s)
{
	char *end;

	while (isspace((unsigned char)*s))
		s++;
	end = s + strlen(s);
	while (end > s && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	return s;
}

static void heading(struct reader *r, char *s)
{
	struct ini_line l = { INI_OPEN, r->line, s, NULL };
	char *end = strchr(s, ']');
	char *rest = end ? trim(end + 1) : NULL;

	if (!end || (*rest && *rest != ';' && *rest != '#')) {
		l.kind = INI_OTHER;
	} else {
		*end = '\0';
		l.name = trim(s + 1);
		if (*l.name == '\\') {
			l.kind = INI_CLOSE;
			l.name = trim(l.name + 1);
		}
	}
	r->h(&l, r->arg);
}

/* Called by inih: headings and oddities go straight to the handler, a pair goes as
 * a short stand-in through inih, which calls back for it at once. */
static char *next(char *str, int num, void *stream)
{
	struct reader *r = stream;
	size_t len;
	char *s = line_next(r, &len), *eq;

	(void)num;
	if (!s)
		return NULL;
	strcpy(str, "\n");
	if (r->line == 1 && !strncmp(s, "\xEF\xBB\xBF", 3)) {
		s += 3;
		len -= 3;
	}
	if (memchr(s, '\0', len)) {
		fault(r, "the line holds a NUL: the file must be UTF-8 text");
		return str;
	}
	s = trim(s);
	if (*s == '\0' || *s == ';' || *s == '#')
		return str;
	if (*s == '[') {
		heading(r, s);
		return str;
	}
	eq = strchr(s, '=');
	if (!eq || eq == s) {
		r->h(&(struct ini_line){ INI_OTHER, r->line, s, NULL }, r->arg);
		return str;
	}
	*eq = '\0';
	r->pair = (struct ini_line){ INI_PAIR, r->line, trim(s), trim(eq + 1) };
	return strcpy(str, "k = v\n");
}

static int pair(void *user, const char *section, const char *name, const char *value)
{
	struct reader *r = user;

	(void)section;
	(void)name;
	(void)value;
	r->h(&r->pair, r->arg);
	return 1;
}

int ini_read(const char *path, ini_h *h, void *arg, struct rg_faults *faults)
{
	struct reader *r;
	struct stat st;
	/* a FIFO nobody writes to, or a device without end, would hold up every reload */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err = 0;

	if (fd < 0 || fstat(fd, &st))
		err = errno;
	else if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		err = ENOTSUP;
	if (err) {
		rg_fault_add(faults, RG_FAULT_ERROR, path, 0, "cannot be opened: %s",
			     err == ENOTSUP ? "it is no regular file" : g_strerror(err));
		if (fd >= 0)
			close(fd);
		return err;
	}
	r = g_new0(struct reader, 1);
	r->fd = fd;
	r->path = path;
	r->faults = faults;
	r->h = h;
	r->arg = arg;
	if (ini_parse_stream(next, r, pair, r) == -2)
		r->err = ENOMEM;
	close(fd);
	err = r->err;
	explicit_bzero(r, sizeof *r);
	g_free(r);
	return err;
}
