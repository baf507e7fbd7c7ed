/* tls.c -- the rows of TLSContexts with their files, checked before anything changes. */
#include "main/app.h"

#include <string.h>

#include "base/log.h"
#include "sip/tls.h"

static unsigned number(const struct conf_raw *r, const char *key, unsigned unset)
{
	const char *value = conf_raw_value(r, key);

	return *value ? (unsigned)g_ascii_strtoull(value, NULL, 10) : unset;
}

struct told {
	const struct conf *conf;
	const struct schema *schema;
	const struct conf_raw *row;
	struct rg_faults *faults;
};

static void tell(bool error, const char *parameter, const char *text, void *arg)
{
	const struct told *t = arg;
	const struct conf_row *row = &t->row->row;
	const struct schema_param *p =
		parameter ? schema_find(t->schema, CONF_TLS_CONTEXT, parameter) : NULL;

	rg_fault_add(t->faults, error ? RG_FAULT_ERROR : RG_FAULT_WARNING,
		     conf_file(t->conf, row->file),
		     p ? conf_param_line(t->conf, row, p->number) : row->line,
		     "TLS context %s: %s", row->name, text);
}

static void add(struct sip_tls_contexts *all, struct told *t)
{
	const struct conf_raw *r = t->row;
	const struct sip_tls_row row = {
		.name = r->row.name,
		.index = r->row.index,
		.certificate = conf_raw_value(r, "CertificateFile"),
		.key = conf_raw_value(r, "PrivateKeyFile"),
		.ca = conf_raw_value(r, "CAFile"),
		.server_ciphers = conf_raw_value(r, "ServerCipherString"),
		.client_ciphers = conf_raw_value(r, "ClientCipherString"),
		.versions = number(r, "TLSVersion", 0),
		.verify = (uint8_t)number(r, "VerifyServer", SIP_VERIFY_NAME),
		.require = number(r, "RequireClientCertificate", 0),
		.strict = number(r, "RequireStrictCert", 0),
	};

	sip_tls_contexts_add(all, &row, tell, t);
	if (row.verify == SIP_VERIFY_NOTHING)
		tell(false, "VerifyServer", "VerifyServer = 0: anybody can pose as the server", t);
	else if (row.verify != SIP_VERIFY_NAME)
		tell(false, "VerifyServer",
		     "VerifyServer = 1: any server with a certificate of these CAs is believed", t);
}

static void check_ports(const struct sip_tls_contexts *all, const struct conf *c,
			struct rg_faults *f)
{
	for (uint32_t i = 0; i < c->n_sip_interface; i++) {
		const struct conf_sip_interface *x = &c->sip_interface[i];
		const char *name = *x->tls_context ? x->tls_context : "default";

		if (x->tls && !sip_tls_contexts_serve(all, name))
			rg_fault_add(f, RG_FAULT_WARNING, conf_file(c, x->row.file), x->row.line,
				     "SIP interface %s: TLS context %s has no CertificateFile: "
				     "TLSPort %u stays closed",
				     x->row.name, name, x->tls);
	}
}

struct sip_tls_contexts *tls_contexts(const struct conf *c, const struct schema *schema,
				      struct rg_faults *f)
{
	struct sip_tls_contexts *all = sip_tls_contexts_new();
	size_t errors = rg_faults_errors(f);

	for (uint32_t i = 0; i < c->n_raw[CONF_TLS_CONTEXT]; i++)
		add(all, &(struct told){ c, schema, &c->raw[CONF_TLS_CONTEXT][i], f });
	if (rg_faults_errors(f) == errors) /* else a context may be missing for what was told */
		check_ports(all, c, f);
	return all;
}
