/*
 * tls.h -- TLS on connections: the contexts of a configuration, and a session of one on
 * a descriptor that does not block.  OpenSSL is known to tls.c and context.c only.
 */
#ifndef RG_SIP_TLS_H
#define RG_SIP_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"

/* How a server's certificate is checked. */
enum sip_verify { SIP_VERIFY_NOTHING, SIP_VERIFY_CHAIN, SIP_VERIFY_NAME };

/* A row of TLSContexts.  Files are PEM; "" is none. */
struct sip_tls_row {
	const char *name;
	uint32_t index; /* it may be referred to by that, too */
	const char *certificate; /* with the chain behind it */
	const char *key;	 /* "": in the file of the certificate */
	const char *ca;		 /* file or folder; "": those of the system */
	const char *server_ciphers, *client_ciphers; /* up to TLS 1.2; "": OpenSSL's choice */
	unsigned versions; /* bits 1, 2, 4, 8: TLS 1.0 to 1.3; 0: 1.2 and 1.3 */
	uint8_t verify;	   /* enum sip_verify */
	bool require;	   /* as a server: a client must show a certificate of the CA */
	bool strict;	   /* certificates must keep to RFC 5280 to the letter */
};

struct sip_tls_contexts;

/* The contexts of a configuration, counted; any thread may make them.  Without a row
 * of that name there is "default", which trusts the system's CAs and has no certificate. */
struct sip_tls_contexts *sip_tls_contexts_new(void);
struct sip_tls_contexts *sip_tls_contexts_ref(struct sip_tls_contexts *);
void sip_tls_contexts_unref(struct sip_tls_contexts *);
/* Told what is wrong with a parameter of a row, in words that hold no secret; error: the row
 * cannot be used.  parameter is NULL where it is the row as a whole. */
typedef void (sip_tls_fault_h)(bool error, const char *parameter, const char *text, void *arg);
/* Read a row's files.  All that is wrong with it is told; after an error it is left out. */
void sip_tls_contexts_add(struct sip_tls_contexts *, const struct sip_tls_row *,
			  sip_tls_fault_h *, void *arg);
/* Can a server use it: does it have a certificate? */
bool sip_tls_contexts_serve(const struct sip_tls_contexts *, const char *name);

struct sip_tls;

/* On a connected descriptor.  tls_name: rg_tls_name().  A context that is gone is
 * "default".  require: -1 as the context says.  0 or an error. */
int sip_tls_client(struct sip_tls **, struct sip_tls_contexts *, const char *tls_name,
		   const struct rg_addr *peer, int fd);
int sip_tls_server(struct sip_tls **, struct sip_tls_contexts *, const char *context, int require,
		   int fd);
/* Not only forgotten: the peer is told as far as that needs no waiting. */
void sip_tls_free(struct sip_tls *);

/* One step of the handshake: 0 done, EAGAIN or an error. */
int sip_tls_shake(struct sip_tls *);
/* As recv() and send(), but errors are returned negative: -EAGAIN ...  A call reads at
 * most some of what is there, so that nobody else waits: until sip_tls_turn() it then
 * returns -EAGAIN. */
ssize_t sip_tls_read(struct sip_tls *, void *, size_t);
ssize_t sip_tls_write(struct sip_tls *, const void *, size_t);
void sip_tls_turn(struct sip_tls *);
/* After EAGAIN: it waits for room to write. */
bool sip_tls_wants_write(const struct sip_tls *);

/* Words for an error of the transport: an errno or what TLS says. */
const char *sip_error(int err);
/* Is it one of TLS? */
bool sip_error_tls(int err);

#endif
