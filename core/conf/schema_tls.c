/* schema_tls.c -- TLS contexts, and which plugins are loaded. */
#include "conf/rows.h"

/* clang-format off */
static const struct schema_param rows[] = {
	ROW_INDEX(TLS_CONTEXT, raw, r, 40),
	ROW_RAW_INT(TLS_CONTEXT, "TLSVersion", 0, 255, "0", NULL,
		"Sum of the versions allowed: 1, 2, 4 and 8 are TLS 1.0 to 1.3; 0: 1.2 and 1.3."),
	ROW_RAW_FILE(TLS_CONTEXT, "CertificateFile",
		"Our certificate, PEM, the chain behind it; needed by a TLSPort and where a server "
		"asks for it."),
	ROW_RAW_FILE(TLS_CONTEXT, "PrivateKeyFile",
		"Its key, PEM, without a password; empty: it is in CertificateFile."),
	ROW_RAW_FILE(TLS_CONTEXT, "CAFile",
		"CAs that are trusted: a PEM file or a folder prepared by c_rehash; empty: those "
		"of the system."),
	ROW_RAW_INT(TLS_CONTEXT, "VerifyServer", 0, 2, "2",
		"Disable=0,Certificate=1,Certificate and Name=2",
		"What is checked of a server: nothing, the certificate, or also that it is for the "
		"name or address in ProxyIp."),
	ROW_RAW_INT(TLS_CONTEXT, "RequireClientCertificate", 0, 1, "0", "Disable=0,Enable=1",
		"Those who connect to us must show a certificate of CAFile."),
	ROW_RAW(TLS_CONTEXT, "ServerCipherString", "DEFAULT",
		"Ciphers up to TLS 1.2 as a server, as OpenSSL writes them."),
	ROW_RAW(TLS_CONTEXT, "ClientCipherString", "DEFAULT", "Likewise as a client."),
	ROW_RAW_INT(TLS_CONTEXT, "RequireStrictCert", 0, 1, "0", "Disable=0,Enable=1",
		"Certificates must keep to RFC 5280 to the letter."),

	{ .name = "Load", .table = CONF_PLUGINS, .type = SCHEMA_STR, .max = 65535, .dflt = "",
	  .doc = "Names of the plugins to load, separated by commas.  Without it every policy is, "
		 "and a service whose own section exists." },
};
/* clang-format on */

const struct schema_rows schema_tls_rows = { rows, sizeof rows / sizeof *rows };
