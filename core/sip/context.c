#include "sip/context.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MOST = 1 << 20, TLS_1_0 = 1, TLS_1_1 = 2, TLS_1_2 = 4, TLS_1_3 = 8 };

struct sip_tls_contexts {
	gint refs;
	GPtrArray *row;			 /* struct sip_tls_context */
	struct sip_tls_context *built_in; /* made when it is needed */
};

static void context_free(void *arg)
{
	struct sip_tls_context *c = arg;

	if (!c)
		return;
	SSL_CTX_free(c->client);
	SSL_CTX_free(c->server);
	g_free(c->name);
	g_free(c);
}

/* ---- files: an error is told in words of ours, never with what a file holds -------------- */

struct text {
	unsigned char *p;
	size_t n;
};

static char *read_file(const char *path, struct text *t)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t got;

	*t = (struct text){ NULL, 0 };
	if (fd < 0)
		return g_strdup(g_strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > FILE_MOST) {
		close(fd);
		return g_strdup("is no file of a reasonable size");
	}
	t->p = g_malloc((gsize)st.st_size + 1);
	while (t->n < (size_t)st.st_size &&
	       (got = read(fd, t->p + t->n, (size_t)st.st_size - t->n)) > 0)
		t->n += (size_t)got;
	close(fd);
	return NULL;
}

static void forget(struct text *t)
{
	if (t->p)
		OPENSSL_cleanse(t->p, t->n);
	g_free(t->p);
	*t = (struct text){ NULL, 0 };
}

static int no_password(char *buf, int size, int writing, void *asked)
{
	(void)buf, (void)size, (void)writing;
	*(bool *)asked = true;
	return -1;
}

static void use_chain(SSL_CTX *ctx, BIO *in)
{
	X509 *x;

	while ((x = PEM_read_bio_X509(in, NULL, NULL, NULL)))
		if (!SSL_CTX_add0_chain_cert(ctx, x))
			X509_free(x);
	ERR_clear_error(); /* the end of the file is one */
}

static char *validity(const X509 *x)
{
	if (X509_cmp_current_time(X509_get0_notAfter(x)) < 0)
		return g_strdup("has expired");
	if (X509_cmp_current_time(X509_get0_notBefore(x)) > 0)
		return g_strdup("is not valid yet");
	return NULL;
}

static char *use_certificate(struct sip_tls_context *c, const char *path, char **warning)
{
	struct text t;
	char *fault = read_file(path, &t);
	BIO *in = fault ? NULL : BIO_new_mem_buf(t.p, (int)t.n);
	X509 *x = in ? PEM_read_bio_X509_AUX(in, NULL, NULL, NULL) : NULL;

	if (!fault && !x)
		fault = g_strdup("holds no certificate in PEM form");
	if (x && (SSL_CTX_use_certificate(c->client, x) != 1 ||
		  SSL_CTX_use_certificate(c->server, x) != 1))
		fault = g_strdup("holds a certificate that OpenSSL refuses");
	if (x && !fault) {
		BIO *again = BIO_new_mem_buf(t.p, (int)t.n);

		*warning = validity(x);
		X509_free(PEM_read_bio_X509(again, NULL, NULL, NULL));
		use_chain(c->client, in);
		use_chain(c->server, again);
		BIO_free(again);
	}
	X509_free(x);
	BIO_free(in);
	forget(&t); /* the key may be in it as well */
	return fault;
}

static char *use_key(struct sip_tls_context *c, const char *path)
{
	struct text t;
	char *fault = read_file(path, &t);
	BIO *in = fault ? NULL : BIO_new_mem_buf(t.p, (int)t.n);
	bool asked = false;
	EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, no_password, &asked) : NULL;

	if (!fault && asked)
		fault = g_strdup("is encrypted: a key without a password is needed");
	else if (!fault && !key)
		fault = g_strdup("holds no private key in PEM form");
	else if (!fault && (SSL_CTX_use_PrivateKey(c->client, key) != 1 ||
			    SSL_CTX_use_PrivateKey(c->server, key) != 1))
		fault = g_strdup("does not belong to the certificate");
	EVP_PKEY_free(key);
	BIO_free(in);
	forget(&t);
	return fault;
}

static char *use_cas(struct sip_tls_context *c, const char *path)
{
	struct stat st;
	STACK_OF(X509_NAME) *names;
	const char *file = path, *dir = NULL;

	if (!*path) {
		SSL_CTX_set_default_verify_paths(c->client);
		SSL_CTX_set_default_verify_paths(c->server);
		return NULL;
	}
	if (stat(path, &st) || access(path, R_OK))
		return g_strdup(g_strerror(errno));
	if (S_ISDIR(st.st_mode)) {
		file = NULL;
		dir = path;
	} else if (!S_ISREG(st.st_mode)) { /* a pipe would be waited for */
		return g_strdup("is neither a file nor a folder");
	}
	if (SSL_CTX_load_verify_locations(c->client, file, dir) != 1 ||
	    SSL_CTX_load_verify_locations(c->server, file, dir) != 1)
		return g_strdup("holds no certificate in PEM form");
	names = file ? SSL_load_client_CA_file(file) : NULL;
	if (names)
		SSL_CTX_set_client_CA_list(c->server, names); /* takes it */
	return NULL;
}

/* ---- a context ------------------------------------------------------------------------------ */

/* Below 1.2 only what is asked for by its bit, and then with what it needs (RFC 8996). */
static void versions(SSL_CTX *ctx, unsigned bits)
{
	static const int version[] = { TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION,
				       TLS1_3_VERSION };
	static const uint64_t no[] = { SSL_OP_NO_TLSv1, SSL_OP_NO_TLSv1_1, SSL_OP_NO_TLSv1_2,
				       SSL_OP_NO_TLSv1_3 };
	int least = -1, most = -1;

	bits &= TLS_1_0 | TLS_1_1 | TLS_1_2 | TLS_1_3;
	if (!bits)
		bits = TLS_1_2 | TLS_1_3;
	for (int i = 0; i < 4; i++) {
		if (!(bits & 1u << i))
			continue;
		least = least < 0 ? i : least;
		most = i;
	}
	SSL_CTX_set_min_proto_version(ctx, version[least]);
	SSL_CTX_set_max_proto_version(ctx, version[most]);
	for (int i = least; i < most; i++)
		if (!(bits & 1u << i))
			SSL_CTX_set_options(ctx, no[i]);
	if (bits & (TLS_1_0 | TLS_1_1))
		SSL_CTX_set_security_level(ctx, 0);
}

static SSL_CTX *ctx_new(const SSL_METHOD *method, const struct sip_tls_row *r)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (!ctx)
		return NULL;
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					 SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_dh_auto(ctx, 1);
	versions(ctx, r->versions);
	if (r->strict)
		X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_X509_STRICT);
	return ctx;
}

static char *ciphers(SSL_CTX *ctx, const char *list)
{
	if (!*list || !strcasecmp(list, "DEFAULT") || SSL_CTX_set_cipher_list(ctx, list) == 1)
		return NULL;
	ERR_clear_error();
	return g_strdup("names no cipher that OpenSSL has");
}

struct telling {
	sip_tls_fault_h *h;
	void *arg;
	bool bad; /* there was an error */
};

/* false: there was nothing to tell.  The fault is taken. */
static bool tell(struct telling *t, bool error, const char *parameter, const char *value,
		 char *fault)
{
	char *text;

	if (!fault)
		return false;
	text = g_strdup_printf("%s %s: %s", parameter, value, fault);
	t->h(error, parameter, text, t->arg);
	t->bad |= error;
	g_free(text);
	g_free(fault);
	return true;
}

static void fill(struct sip_tls_context *c, const struct sip_tls_row *r, struct telling *t)
{
	char *warning = NULL;

	tell(t, true, "ClientCipherString", r->client_ciphers,
	     ciphers(c->client, r->client_ciphers));
	tell(t, true, "ServerCipherString", r->server_ciphers,
	     ciphers(c->server, r->server_ciphers));
	tell(t, true, "CAFile", r->ca, use_cas(c, r->ca));
	if (*r->certificate) {
		bool bad = tell(t, true, "CertificateFile", r->certificate,
				use_certificate(c, r->certificate, &warning));

		tell(t, false, "CertificateFile", r->certificate, warning);
		if (*r->key)
			tell(t, true, "PrivateKeyFile", r->key, use_key(c, r->key));
		else if (!bad)
			tell(t, true, "CertificateFile", r->certificate,
			     use_key(c, r->certificate));
	} else if (*r->key) {
		t->bad = true;
		t->h(true, "PrivateKeyFile", "PrivateKeyFile without CertificateFile", t->arg);
	}
	ERR_clear_error();
}

static struct sip_tls_context *context_new(const struct sip_tls_row *r)
{
	struct sip_tls_context *c = g_new0(struct sip_tls_context, 1);

	c->name = g_strdup(r->name);
	c->index = r->index;
	c->verify = r->verify;
	c->require = r->require;
	c->has_certificate = *r->certificate;
	c->client = ctx_new(TLS_client_method(), r);
	c->server = ctx_new(TLS_server_method(), r);
	return c;
}

/* ---- the contexts of a configuration -------------------------------------------------------- */

struct sip_tls_contexts *sip_tls_contexts_new(void)
{
	static const struct sip_tls_row plain = {
		.name = "default", .index = UINT32_MAX, .certificate = "", .key = "", .ca = "",
		.server_ciphers = "", .client_ciphers = "", .verify = SIP_VERIFY_NAME,
	};
	struct sip_tls_contexts *cs = g_new0(struct sip_tls_contexts, 1);

	cs->refs = 1;
	cs->row = g_ptr_array_new_with_free_func(context_free);
	cs->built_in = context_new(&plain);
	g_free(use_cas(cs->built_in, ""));
	return cs;
}

struct sip_tls_contexts *sip_tls_contexts_ref(struct sip_tls_contexts *cs)
{
	g_atomic_int_inc(&cs->refs);
	return cs;
}

void sip_tls_contexts_unref(struct sip_tls_contexts *cs)
{
	if (!cs || !g_atomic_int_dec_and_test(&cs->refs))
		return;
	g_ptr_array_free(cs->row, TRUE);
	context_free(cs->built_in);
	g_free(cs);
}

void sip_tls_contexts_add(struct sip_tls_contexts *cs, const struct sip_tls_row *r,
			  sip_tls_fault_h *h, void *arg)
{
	struct sip_tls_context *c = context_new(r);
	struct telling t = { h, arg, !c->client || !c->server };

	if (t.bad)
		h(true, NULL, "OpenSSL gives no context", arg);
	else
		fill(c, r, &t);
	if (t.bad)
		context_free(c);
	else
		g_ptr_array_add(cs->row, c);
}

const struct sip_tls_context *sip_tls_context_find(const struct sip_tls_contexts *cs,
						   const char *name)
{
	char index[16];

	for (guint i = 0; i < cs->row->len; i++) {
		const struct sip_tls_context *c = g_ptr_array_index(cs->row, i);

		g_snprintf(index, sizeof index, "%u", c->index);
		if (!strcasecmp(c->name, name) || !strcmp(index, name))
			return c;
	}
	return !strcasecmp(name, "default") ? cs->built_in : sip_tls_context_find(cs, "default");
}

bool sip_tls_contexts_serve(const struct sip_tls_contexts *cs, const char *name)
{
	return sip_tls_context_find(cs, name)->has_certificate;
}
