#include "conf/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Ends at the padding: some versions append digits.  SIZE_MAX: not base64. */
static size_t base64(const char *text, unsigned char *out, size_t size)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;

	for (; *text && *text != '='; text++) {
		int d = base64_digit(*text);

		if (d < 0)
			return SIZE_MAX;
		bits = bits << 6 | (uint32_t)d;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		if (n == size)
			return SIZE_MAX;
		out[n++] = (unsigned char)(bits >> have);
	}
	return have >= 6 ? SIZE_MAX : n;
}

/* Bytes k, c0, c1, ... stand for c[i] ^ (k + i). */
static const char *reveal(const char *text, char out[SECRET_MAX])
{
	unsigned char raw[SECRET_MAX];
	size_t n = base64(text, raw, sizeof raw);
	const char *wrong = NULL;

	if (n == SIZE_MAX || n == 0) {
		wrong = "is damaged: no base64 follows $1$";
		n = 1;
	}
	for (size_t i = 1; i < n; i++) {
		out[i - 1] = (char)(raw[i] ^ (unsigned char)(raw[0] + i - 1));
		if (!out[i - 1])
			wrong = "is damaged: it holds a NUL";
	}
	out[n - 1] = '\0';
	explicit_bzero(raw, sizeof raw);
	return wrong;
}

const char *secret_file(const char *path, char out[SECRET_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t n = 0;
	ssize_t got = 0;

	out[0] = '\0';
	if (fd < 0)
		return strerrordesc_np(errno);
	while (n < SECRET_MAX - 1 && (got = read(fd, out + n, SECRET_MAX - 1 - n)) > 0)
		n += (size_t)got;
	close(fd);
	if (got < 0)
		return strerrordesc_np(errno);
	out[n] = '\0';
	if (memchr(out, '\0', n))
		return "holds a NUL";
	n = strcspn(out, "\r\n");
	if (n == SECRET_MAX - 1)
		return "is too long";
	explicit_bzero(out + n, SECRET_MAX - n);
	return n ? NULL : "is empty";
}

static const char *named(const char *name, size_t n, char out[SECRET_MAX])
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY"), *value;
	char key[128], path[PATH_MAX];

	if (!n || n >= sizeof key || memchr(name, '/', n) || name[0] == '.')
		return "names no variable between ${ and }";
	memcpy(key, name, n);
	key[n] = '\0';
	value = getenv(key);
	if (value) {
		size_t len = strlen(value);

		if (len >= SECRET_MAX)
			return "is too long";
		memcpy(out, value, len + 1);
		return len ? NULL : "is empty";
	}
	if (!dir || snprintf(path, sizeof path, "%s/%s", dir, key) >= (int)sizeof path ||
	    access(path, F_OK))
		return "names neither an environment variable nor a credential";
	return secret_file(path, out);
}

const char *secret_read(const char *text, char out[SECRET_MAX])
{
	size_t n = strlen(text);

	out[0] = '\0';
	if (!strncmp(text, "$1$", 3))
		return reveal(text + 3, out);
	if (n >= 3 && !strncmp(text, "${", 2) && text[n - 1] == '}')
		return named(text + 2, n - 3, out);
	if (n >= SECRET_MAX)
		return "is too long";
	memcpy(out, text, n + 1);
	return NULL;
}
