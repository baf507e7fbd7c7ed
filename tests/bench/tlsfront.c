/* tlsfront.c -- TLS in front of regsim: one connection after the other is taken, each message
 * on it goes to the registrar by UDP and each answer back.  tlsfront CERT KEY ADDR PORT TO
 * (TO: the registrar's address, port 5060).  Ends when killed. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, DATAGRAM = 2048, ROOM = 1 << 20, BUFFER = 16 << 20 };

static char in[ROOM], out[BATCH * DATAGRAM], answer[BATCH][DATAGRAM];
static size_t have;

static struct sockaddr_in address(const char *ip, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	if (inet_pton(AF_INET, ip, &a.sin_addr) != 1)
		exit(2);
	return a;
}

/* Requests have no body here: each ends with its blank line. */
static void forward(int udp)
{
	size_t at = 0;
	char *end;

	while ((end = memmem(in + at, have - at, "\r\n\r\n", 4))) {
		size_t n = (size_t)(end + 4 - (in + at));

		while (send(udp, in + at, n, 0) < 0 && (errno == ENOBUFS || errno == EAGAIN))
			;
		at += n;
	}
	memmove(in, in + at, have - at);
	have -= at;
}

static int from_client(SSL *ssl, int udp)
{
	do {
		int n = SSL_read(ssl, in + have, (int)(sizeof in - have));

		if (n <= 0)
			return SSL_get_error(ssl, n) == SSL_ERROR_WANT_READ;
		have += (size_t)n;
		forward(udp);
	} while (SSL_pending(ssl));
	return 1;
}

static int from_registrar(SSL *ssl, int udp)
{
	struct mmsghdr m[BATCH];
	struct iovec iov[BATCH];
	size_t n = 0;
	int got;

	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ answer[i], DATAGRAM };
		m[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[i], .msg_iovlen = 1 } };
	}
	got = recvmmsg(udp, m, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < got; i++) {
		memcpy(out + n, answer[i], m[i].msg_len);
		n += m[i].msg_len;
	}
	return !n || SSL_write(ssl, out, (int)n) > 0;
}

static void serve(SSL_CTX *ctx, int fd, const struct sockaddr_in *to)
{
	int udp = socket(AF_INET, SOCK_DGRAM, 0), size = BUFFER;
	struct pollfd p[] = { { .fd = fd, .events = POLLIN }, { .fd = udp, .events = POLLIN } };
	SSL *ssl = SSL_new(ctx);

	setsockopt(udp, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
	SSL_set_fd(ssl, fd);
	have = 0;
	if (!connect(udp, (const struct sockaddr *)to, sizeof *to) && SSL_accept(ssl) == 1)
		while (poll(p, 2, -1) > 0) {
			if (p[0].revents && !from_client(ssl, udp))
				break;
			if (p[1].revents && !from_registrar(ssl, udp))
				break;
		}
	SSL_free(ssl);
	close(udp);
	close(fd);
}

int main(int argc, char **argv)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	struct sockaddr_in here, to;
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (argc != 6 || SSL_CTX_use_certificate_chain_file(ctx, argv[1]) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, argv[2], SSL_FILETYPE_PEM) != 1) {
		fprintf(stderr, "usage: tlsfront CERT KEY ADDR PORT TO\n");
		return 2;
	}
	here = address(argv[3], atoi(argv[4]));
	to = address(argv[5], 5060);
	signal(SIGPIPE, SIG_IGN);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&here, sizeof here) || listen(fd, 16)) {
		perror(argv[3]);
		return 1;
	}
	for (;;) {
		int one = accept(fd, NULL, NULL);

		if (one >= 0)
			serve(ctx, one, &to);
	}
}
