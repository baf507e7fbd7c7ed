#include "base/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BURST = 20, WINDOW_S = 10, FORMATS = 256, NEAR = 8, LINE = 1024 };

/* A bucket a format string, in one of NEAR places that its address tells. */
struct bucket {
	const char *key; /* only compared: it may be gone */
	const char *fmt;
	int64_t since;
	uint64_t used; /* when, by number */
	unsigned n;
};

static int level = 6;
static void (*to)(int, const char *);
static struct bucket bucket[FORMATS];
static unsigned unread; /* lines */

void rg_log_level(int prio)
{
	level = prio;
}

bool rg_log_wants(int prio)
{
	return prio <= level;
}

void rg_log_to(void (*sink)(int, const char *))
{
	to = sink;
}

/* Is stderr the journal's, which takes "<PRIORITY>" before a line?  Then it is the stream
 * of that device and inode (systemd.exec(5)); a variable that was only inherited is not. */
static bool journal(void)
{
	static int is = -1;
	const char *stream;
	char mine[64];
	struct stat st;

	if (is >= 0)
		return is;
	stream = getenv("JOURNAL_STREAM");
	is = 0;
	if (stream && !fstat(STDERR_FILENO, &st)) {
		snprintf(mine, sizeof mine, "%ju:%ju", (uintmax_t)st.st_dev,
			 (uintmax_t)st.st_ino);
		is = !strcmp(mine, stream);
	}
	return is;
}

/* A reader that hangs holds up nobody: what it does not take is lost, and counted. */
static bool readable(void)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	return poll(&p, 1, 0) > 0;
}

static void put(int prio, const char *text)
{
	char line[LINE + 8];
	int n = journal() ? snprintf(line, sizeof line, "<%d>%s\n", prio, text)
			  : snprintf(line, sizeof line, "%s\n", text);

	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nobody reads: nothing can be done about it */
}

static void emit(int prio, const char *text)
{
	char lost[64];

	if (to) {
		to(prio, text);
		return;
	}
	if (!readable()) {
		unread++;
		return;
	}
	if (unread) {
		snprintf(lost, sizeof lost, "(%u lines lost: nobody read them)", unread);
		unread = 0;
		put(4, lost);
		emit(prio, text);
		return;
	}
	put(prio, text);
}

/* That of the key, or the one that was unused for the longest time. */
static struct bucket *bucket_of(const char *key)
{
	static uint64_t uses;
	size_t at = ((uintptr_t)key >> 3) % FORMATS;
	struct bucket *b = &bucket[at];

	for (size_t i = 0; i < NEAR; i++) {
		struct bucket *x = &bucket[(at + i) % FORMATS];

		if (x->key == key) {
			b = x;
			break;
		}
		if (x->used < b->used)
			b = x;
	}
	b->used = ++uses;
	return b;
}

static bool held_back(const char *key, const char *fmt, int prio)
{
	struct bucket *b = bucket_of(key);
	struct timespec ts;
	char text[128];

	clock_gettime(CLOCK_MONOTONIC, &ts);
	if (b->key != key || ts.tv_sec - b->since >= WINDOW_S) {
		if (b->fmt && b->n > BURST) {
			snprintf(text, sizeof text, "(%u more like %.60s)", b->n - BURST,
				 strcmp(b->fmt, "%s") ? b->fmt : "the lines before");
			emit(prio, text);
		}
		*b = (struct bucket){ key, fmt, ts.tv_sec, b->used, 0 };
	}
	return ++b->n > BURST;
}

static void log_args(int prio, const char *key, const char *fmt, va_list ap)
{
	char text[LINE];

	if (!rg_log_wants(prio) || (prio < 7 && held_back(key, fmt, prio)))
		return;
	vsnprintf(text, sizeof text, fmt, ap);
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	emit(prio, text);
}

void rg_log(int prio, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_args(prio, fmt, fmt, ap);
	va_end(ap);
}

void rg_log_keyed(int prio, const char *key, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_args(prio, key, fmt, ap);
	va_end(ap);
}

void rg_say(int prio, const char *fmt, ...)
{
	va_list ap;

	if (journal())
		fprintf(stderr, "<%d>", prio);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}
