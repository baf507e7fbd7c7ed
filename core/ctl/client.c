#include "client.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* A page of 1,000 accounts is half a megabyte; a daemon that sends this has lost its mind. */
enum { LINE_MAX_BYTES = 64 << 20, READ_BYTES = 64 << 10 };

static int fail(struct client *c, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(struct client *c, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->error, sizeof c->error, fmt, ap);
	va_end(ap);
	client_close(c);
	return err;
}

void client_init(struct client *c, int timeout_ms)
{
	*c = (struct client){ .fd = -1, .stop_fd = -1, .timeout_ms = timeout_ms };
}

void client_close(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->buf);
	c->fd = -1;
	c->buf = NULL;
	c->len = c->size = 0;
}

int client_connect(struct client *c, const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = c->timeout_ms / 1000 };
	int err;

	if (strlen(path) >= sizeof sun.sun_path)
		return fail(c, ENAMETOOLONG, "the path is longer than a socket's may be");
	strcpy(sun.sun_path, path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd >= 0) /* bounds a connect to a queue that nobody empties */
		setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&sun, sizeof sun) < 0) {
		err = errno;
		return fail(c, err, "%s", strerror(err));
	}
	return 0;
}

/* Until the socket is ready; 0 or an errno, with the words set. */
static int await(struct client *c, short events)
{
	struct pollfd p[2] = { { .fd = c->fd, .events = events },
			       { .fd = c->stop_fd, .events = POLLIN } };
	int n;

	do
		n = poll(p, 2, c->timeout_ms);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail(c, errno, "%s", strerror(errno));
	if (p[1].revents)
		return fail(c, ECANCELED, "interrupted");
	if (n == 0)
		return fail(c, ETIMEDOUT, "no answer within %d s", c->timeout_ms / 1000);
	return 0;
}

static int send_all(struct client *c, const char *data, size_t n)
{
	while (n) {
		ssize_t sent = send(c->fd, data, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		int err;

		if (sent >= 0) {
			data += sent;
			n -= (size_t)sent;
		} else if (errno == EAGAIN) {
			if ((err = await(c, POLLOUT)))
				return err;
		} else if (errno != EINTR) {
			err = errno;
			return fail(c, err, "the daemon closed the connection: %s", strerror(err));
		}
	}
	return 0;
}

static int grow(struct client *c)
{
	size_t size = c->size ? 2 * c->size : READ_BYTES;
	char *buf;

	if (c->size - c->len >= READ_BYTES / 2)
		return 0;
	if (c->len >= LINE_MAX_BYTES)
		return fail(c, EMSGSIZE, "the daemon's answer is longer than %d MiB",
			    LINE_MAX_BYTES >> 20);
	buf = realloc(c->buf, size);
	if (!buf)
		return fail(c, ENOMEM, "out of memory");
	c->buf = buf;
	c->size = size;
	return 0;
}

/* Receive until the buffer holds a line; *n is its length without the end. */
static int receive_line(struct client *c, size_t *n)
{
	size_t seen = 0;

	for (;;) {
		char *end = c->len > seen ? memchr(c->buf + seen, '\n', c->len - seen) : NULL;
		ssize_t got;
		int err;

		if (end) {
			*n = (size_t)(end - c->buf);
			return 0;
		}
		seen = c->len;
		if ((err = grow(c)) || (err = await(c, POLLIN)))
			return err;
		got = recv(c->fd, c->buf + c->len, c->size - c->len, MSG_DONTWAIT);
		if (got > 0)
			c->len += (size_t)got;
		else if (got == 0)
			return fail(c, ECONNRESET,
				    "the daemon closed the connection before it had answered");
		else if (errno != EINTR && errno != EAGAIN) {
			err = errno;
			return fail(c, err, "%s", strerror(err));
		}
	}
}

static json_t *parse(struct client *c, size_t n, size_t flags)
{
	json_error_t why;
	json_t *answer = json_loadb(c->buf, n, flags, &why);

	c->len -= n + 1;
	memmove(c->buf, c->buf + n + 1, c->len);
	if (json_is_object(answer))
		return answer;
	json_decref(answer);
	errno = fail(c, EPROTO, "the answer is not one of a regwayd");
	return NULL;
}

json_t *client_next(struct client *c)
{
	int patience = c->timeout_ms, err;
	size_t n = 0;

	c->timeout_ms = -1;
	err = receive_line(c, &n);
	c->timeout_ms = patience;
	if (err) {
		errno = err;
		return NULL;
	}
	return parse(c, n, JSON_ALLOW_NUL); /* of a message, perhaps */
}

json_t *client_ask(struct client *c, const char *cmd, json_t *args)
{
	json_t *request = json_pack("{s:s}", "cmd", cmd), *answer;
	char *line = NULL;
	size_t n = 0;
	int err;

	if (args)
		json_object_set_new(request, "args", args);
	line = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	if (!line)
		err = fail(c, ENOMEM, "out of memory");
	else if (!(err = send_all(c, line, strlen(line))) && !(err = send_all(c, "\n", 1)))
		err = receive_line(c, &n);
	free(line);
	if (err) {
		errno = err;
		return NULL;
	}
	answer = parse(c, n, 0);
	if (!answer || json_is_boolean(json_object_get(answer, "ok")))
		return answer;
	json_decref(answer);
	errno = fail(c, EPROTO, "the answer is not one of a regwayd");
	return NULL;
}
