/* tls.c -- the rows of TLSContexts with their files, checked before anything changes. */
#include "main/app.h"

#include <string.h>

#include "base/log.h"
#include "sip/tls.h"

static const char *text(const struct conf_raw *r, const char *key)
{
	for (uint16_t i = 0; i < r->n; i++)
		if (!strcmp(r->pair[i].key, key))
			return r->pair[i].value;
	return "";
}

static unsigned number(const struct conf_raw *r, const char *key, unsigned unset)
{
	const char *value = text(r, key);

	return *value ? (unsigned)g_ascii_strtoull(value, NULL, 10) : unset;
}

static void add(struct sip_tls_contexts *all, const struct conf *c, const struct conf_raw *r,
		struct rg_faults *f)
{
	const struct sip_tls_row row = {
		.name = r->row.name,
		.index = r->row.index,
		.certificate = text(r, "CertificateFile"),
		.key = text(r, "PrivateKeyFile"),
		.ca = text(r, "CAFile"),
		.server_ciphers = text(r, "ServerCipherString"),
		.client_ciphers = text(r, "ClientCipherString"),
		.versions = number(r, "TLSVersion", 0),
		.verify = (uint8_t)number(r, "VerifyServer", SIP_VERIFY_NAME),
		.require = number(r, "RequireClientCertificate", 0),
		.strict = number(r, "RequireStrictCert", 0),
	};
	const char *file = conf_file(c, r->row.file);
	char *warning, *fault = sip_tls_contexts_add(all, &row, &warning);

	if (fault)
		rg_fault_add(f, RG_FAULT_ERROR, file, r->row.line, "TLS context %s: %s",
			     row.name, fault);
	if (warning)
		rg_fault_add(f, RG_FAULT_WARNING, file, r->row.line, "TLS context %s: %s",
			     row.name, warning);
	if (row.verify != SIP_VERIFY_NAME)
		rg_fault_add(f, RG_FAULT_WARNING, file, r->row.line,
			     "TLS context %s: VerifyServer = %u: %s", row.name, row.verify,
			     row.verify ? "any server with a certificate of these CAs is believed"
					: "anybody can pose as the server");
	g_free(fault);
	g_free(warning);
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

struct sip_tls_contexts *tls_contexts(const struct conf *c, struct rg_faults *f)
{
	struct sip_tls_contexts *all = sip_tls_contexts_new();

	for (uint32_t i = 0; i < c->n_raw[CONF_TLS_CONTEXT]; i++)
		add(all, c, &c->raw[CONF_TLS_CONTEXT][i], f);
	check_ports(all, c, f);
	return all;
}
