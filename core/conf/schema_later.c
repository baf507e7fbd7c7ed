/* schema_later.c -- tables that are read and checked, and of use to a later version. */
#include "conf/rows.h"

/* clang-format off */
static const struct schema_param rows[] = {
	ROW_INDEX(ROUTE, raw, r, 40),
	ROW_RAW(ROUTE, "SrcIPGroupName", "Any", "IP group a call comes from."),
	ROW_RAW(ROUTE, "SrcUsernamePrefix", "*", "Pattern of the caller's user part."),
	ROW_RAW(ROUTE, "SrcHost", "*", "Host of the caller."),
	ROW_RAW(ROUTE, "DestUsernamePrefix", "*", "Pattern of the called user part."),
	ROW_RAW(ROUTE, "DestHost", "*", "Host that is called."),
	ROW_RAW_INT(ROUTE, "RequestType", 0, 10, "0",
		"All=0,INVITE=1,REGISTER=2,SUBSCRIBE=3,INVITE and REGISTER=4,INVITE and "
		"SUBSCRIBE=5,OPTIONS=6",
		"Methods the route is for."),
	ROW_RAW(ROUTE, "ReRouteIPGroupName", "Any", "IP group that sent a 3xx or REFER."),
	ROW_RAW_INT(ROUTE, "Trigger", 0, 10, "0", NULL, "Why a request is routed again."),
	ROW_RAW_INT(ROUTE, "DestType", 0, 30, "0", NULL, "Kind of destination; 0: an IP group."),
	ROW_RAW(ROUTE, "DestIPGroupName", "", "IP group a call goes to."),
	ROW_RAW(ROUTE, "DestSIPInterfaceName", "", "SIP interface it leaves by."),
	ROW_RAW(ROUTE, "DestAddress", "", "Address it goes to."),
	ROW_RAW_INT(ROUTE, "DestPort", 0, 65535, "0", NULL, "Its port."),
	ROW_RAW_INT(ROUTE, "DestTransportType", -1, 3, "-1", "UDP=0,TCP=1,TLS=2", "Its transport."),
	ROW_RAW_INT(ROUTE, "AltRouteOptions", 0, 4, "0", NULL,
		"Whether the row is an alternative of the one before."),
	ROW_RAW(ROUTE, "IPGroupSetName", "", "Set of IP groups it goes to."),

	ROW_INDEX(TLS_CONTEXT, raw, r, 40),
	ROW_RAW_INT(TLS_CONTEXT, "TLSVersion", 0, 255, "0", NULL,
		"Bits of the versions allowed; 0: any."),
	ROW_RAW(TLS_CONTEXT, "ServerCipherString", "DEFAULT", "Ciphers as a server."),
	ROW_RAW(TLS_CONTEXT, "ClientCipherString", "DEFAULT", "Ciphers as a client."),
	ROW_RAW_INT(TLS_CONTEXT, "RequireStrictCert", 0, 1, "0", "Disable=0,Enable=1",
		"Check key usage of certificates strictly."),
	ROW_RAW_INT(TLS_CONTEXT, "DHKeySize", 0, 16384, "2048", NULL,
		"Bits of Diffie-Hellman keys."),

	{ .name = "Load", .table = CONF_PLUGINS, .type = SCHEMA_STR, .max = 65535, .dflt = "",
	  .doc = "Names of the plugins to load, separated by commas.  Without it every policy is, "
		 "and a service whose own section exists." },
};
/* clang-format on */

const struct schema_rows schema_later_rows = { rows, sizeof rows / sizeof *rows };
