#include "sip/tls.h"

#include <errno.h>
#include <glib.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "sip/context.h"

/* Errors beyond errno: a verdict of X509_V_ERR_..., or a reason of OpenSSL's. */
enum { VERDICT = 0x10000, REASON = 0x20000, KIND = 0xffff };

enum { TURN_MOST = 8 << 10 }; /* bytes read for one connection before others come */

struct sip_tls {
	SSL *ssl;
	int fd, err; /* err: of the descriptor */
	size_t left; /* bytes of this turn */
	bool wants_write, up, broken, eof;
	char name[256]; /* of the peer, as its certificate must have it; "" any */
};

/* ---- the descriptor ------------------------------------------------------------------------- */

static int bio_read(BIO *b, char *to, int n)
{
	struct sip_tls *t = BIO_get_data(b);
	ssize_t r;

	BIO_clear_retry_flags(b);
	if (!t->left) {
		BIO_set_retry_read(b);
		return -1;
	}
	r = recv(t->fd, to, MIN((size_t)n, t->left), MSG_DONTWAIT);
	if (r > 0)
		t->left -= (size_t)r;
	else if (!r)
		t->eof = true;
	else if (errno == EAGAIN || errno == EINTR)
		BIO_set_retry_read(b);
	else
		t->err = errno;
	return (int)r;
}

static int bio_write(BIO *b, const char *from, int n)
{
	struct sip_tls *t = BIO_get_data(b);
	ssize_t r = send(t->fd, from, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);

	BIO_clear_retry_flags(b);
	if (r < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(b);
	else if (r < 0)
		t->err = errno == EPIPE ? ECONNRESET : errno;
	return (int)r;
}

static long bio_ctrl(BIO *b, int what, long n, void *p)
{
	const struct sip_tls *t = BIO_get_data(b);

	(void)n, (void)p;
	if (what == BIO_CTRL_EOF)
		return t->eof;
	return what == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *b)
{
	BIO_set_init(b, 1);
	return 1;
}

/* Its own, since OpenSSL's socket BIO can be killed by SIGPIPE and reads without end. */
static const BIO_METHOD *bio_method(void)
{
	static BIO_METHOD *m;

	if (m)
		return m;
	m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "regway");
	if (m) {
		BIO_meth_set_read(m, bio_read);
		BIO_meth_set_write(m, bio_write);
		BIO_meth_set_ctrl(m, bio_ctrl);
		BIO_meth_set_create(m, bio_create);
	}
	return m;
}

/* ---- errors --------------------------------------------------------------------------------- */

bool sip_error_tls(int err)
{
	return err >= VERDICT;
}

const char *sip_error(int err)
{
	const char *text = NULL;

	if (err >= REASON)
		text = ERR_reason_error_string(ERR_PACK(ERR_LIB_SSL, 0, err & KIND));
	else if (err >= VERDICT)
		return X509_verify_cert_error_string(err & KIND);
	else
		text = strerror(err);
	return text ? text : "TLS failed";
}

/* What OpenSSL's answer r means: EAGAIN, 0 for an end in order, or an error. */
static int verdict(struct sip_tls *t, int r)
{
	unsigned long first = ERR_peek_error();
	long verified = SSL_get_verify_result(t->ssl);
	int why = SSL_get_error(t->ssl, r), err;

	ERR_clear_error();
	t->wants_write = why == SSL_ERROR_WANT_WRITE;
	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
		return EAGAIN;
	t->broken = why != SSL_ERROR_ZERO_RETURN;
	if (why == SSL_ERROR_ZERO_RETURN)
		return 0;
	if (t->err || t->eof) {
		err = t->err ? t->err : ECONNRESET;
		return err;
	}
	if (!t->up && verified != X509_V_OK &&
	    ERR_GET_REASON(first) == SSL_R_CERTIFICATE_VERIFY_FAILED)
		return VERDICT | ((int)verified & KIND);
	return ERR_GET_REASON(first) ? REASON | (ERR_GET_REASON(first) & KIND) : EPROTO;
}

/* ---- whom we talk to ------------------------------------------------------------------------ */

/* RFC 5922 7.1: a SIP domain may stand as a URI, too. */
static bool has_uri(const X509 *x, const char *name)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	bool found = false;

	for (int i = 0; !found && i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);
		const char *p;
		size_t n;

		if (g->type != GEN_URI)
			continue;
		p = (const char *)ASN1_STRING_get0_data(g->d.uniformResourceIdentifier);
		n = (size_t)ASN1_STRING_length(g->d.uniformResourceIdentifier);
		found = n == 4 + strlen(name) && !strncasecmp(p, "sip:", 4) &&
			!strncasecmp(p + 4, name, n - 4);
	}
	GENERAL_NAMES_free(all);
	return found;
}

static int check(int ok, X509_STORE_CTX *ctx)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
	const struct sip_tls *t = SSL_get_app_data(ssl);
	const X509 *x = X509_STORE_CTX_get_current_cert(ctx);

	if (ok || X509_STORE_CTX_get_error(ctx) != X509_V_ERR_HOSTNAME_MISMATCH || !x ||
	    !*t->name || !has_uri(x, t->name))
		return ok;
	X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return 1;
}

static bool expect(struct sip_tls *t, bool verify_name)
{
	X509_VERIFY_PARAM *p = SSL_get0_param(t->ssl);
	struct rg_addr literal;
	char ip[RG_ADDR_TEXT];

	if (rg_addr_parse_ip(&literal, t->name)) {
		rg_addr_ip(&literal, ip);
		t->name[0] = '\0';
		return !verify_name || X509_VERIFY_PARAM_set1_ip_asc(p, ip) == 1;
	}
	if (SSL_set_tlsext_host_name(t->ssl, t->name) != 1)
		return false;
	X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return !verify_name || X509_VERIFY_PARAM_set1_host(p, t->name, 0) == 1;
}

/* The domain without the dot that ends it in DNS only; without one, the address. */
static void take_name(struct sip_tls *t, const char *tls_name, const struct rg_addr *peer)
{
	size_t n = MIN(rg_tls_domain(tls_name), sizeof t->name - 1);
	char ip[RG_ADDR_TEXT];

	memcpy(t->name, tls_name, n);
	t->name[n] = '\0';
	if (n && t->name[n - 1] == '.')
		t->name[n - 1] = '\0';
	if (!*t->name)
		g_strlcpy(t->name, rg_addr_ip(peer, ip), sizeof t->name);
}

/* ---- a session ------------------------------------------------------------------------------ */

static struct sip_tls *session(SSL_CTX *ctx, int fd)
{
	struct sip_tls *t = g_new0(struct sip_tls, 1);
	BIO *b = bio_method() ? BIO_new(bio_method()) : NULL;

	t->fd = fd;
	t->ssl = b ? SSL_new(ctx) : NULL;
	if (!t->ssl) {
		BIO_free(b);
		g_free(t);
		return NULL;
	}
	BIO_set_data(b, t);
	SSL_set_bio(t->ssl, b, b);
	SSL_set_app_data(t->ssl, t);
	return t;
}

int sip_tls_client(struct sip_tls **tp, struct sip_tls_contexts *cs, const char *tls_name,
		   const struct rg_addr *peer, int fd)
{
	size_t domain = rg_tls_domain(tls_name);
	const struct sip_tls_context *c =
		sip_tls_context_find(cs, tls_name[domain] ? tls_name + domain + 1 : "default");
	struct sip_tls *t = session(c->client, fd);

	if (!t)
		return ENOMEM;
	take_name(t, tls_name, peer);
	SSL_set_verify(t->ssl, c->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, check);
	if (!expect(t, c->verify == SIP_VERIFY_NAME)) {
		sip_tls_free(t);
		return EINVAL;
	}
	SSL_set_connect_state(t->ssl);
	*tp = t;
	return 0;
}

int sip_tls_server(struct sip_tls **tp, struct sip_tls_contexts *cs, const char *context,
		   int require, int fd)
{
	const struct sip_tls_context *c = sip_tls_context_find(cs, context ? context : "default");
	struct sip_tls *t = session(c->server, fd);

	if (!t)
		return ENOMEM;
	if (require < 0 ? c->require : require)
		SSL_set_verify(t->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, check);
	SSL_set_accept_state(t->ssl);
	*tp = t;
	return 0;
}

void sip_tls_free(struct sip_tls *t)
{
	if (!t)
		return;
	if (t->up && !t->broken)
		(void)SSL_shutdown(t->ssl);
	SSL_free(t->ssl);
	ERR_clear_error();
	g_free(t);
}

void sip_tls_turn(struct sip_tls *t)
{
	t->left = TURN_MOST;
}

bool sip_tls_wants_write(const struct sip_tls *t)
{
	return t->wants_write;
}

/* The queue of errors is the thread's: what others left there is not ours (SSL_get_error(3)). */
int sip_tls_shake(struct sip_tls *t)
{
	int r, err;

	ERR_clear_error();
	r = SSL_do_handshake(t->ssl);
	if (r == 1) {
		t->up = true;
		return 0;
	}
	err = verdict(t, r);
	return err ? err : ECONNRESET;
}

ssize_t sip_tls_read(struct sip_tls *t, void *p, size_t n)
{
	int r;

	ERR_clear_error();
	r = SSL_read(t->ssl, p, (int)MIN(n, (size_t)INT_MAX));
	return r > 0 ? r : -verdict(t, r);
}

ssize_t sip_tls_write(struct sip_tls *t, const void *p, size_t n)
{
	int r, err;

	ERR_clear_error();
	r = SSL_write(t->ssl, p, (int)MIN(n, (size_t)INT_MAX));
	if (r > 0)
		return r;
	err = verdict(t, r);
	return err ? -err : -ECONNRESET;
}
