/*
 * client.h -- the control protocol seen from outside: a UNIX stream socket,
 * one JSON object per line each way.
 */
#ifndef RG_CTL_CLIENT_H
#define RG_CTL_CLIENT_H

#include <jansson.h>
#include <stddef.h>

struct client {
	int fd;		/* -1: not connected */
	int stop_fd;	/* readable: give up; -1: none */
	int timeout_ms; /* of silence, after which an answer is no more waited for */
	char *buf;	/* what was received and not yet taken */
	size_t len, size;
	char error[256]; /* why the last call failed, in words; holds no control characters */
};

void client_init(struct client *, int timeout_ms);
/* 0 or an errno; ENOENT and ECONNREFUSED: nobody is there. */
int client_connect(struct client *, const char *path);
void client_close(struct client *); /* may be connected again */

/* Send a command and wait for its answer.  args may be NULL; the reference is taken.
 * NULL: see error; the connection is closed then.  Else an object with a boolean "ok",
 * to be released by the caller.  A stop_fd that got readable fails it with errno ECANCELED. */
json_t *client_ask(struct client *, const char *cmd, json_t *args);

/* The next line of an answer that goes on (trace), however long it takes; as client_ask, but
 * an object of any kind. */
json_t *client_next(struct client *);

#endif
