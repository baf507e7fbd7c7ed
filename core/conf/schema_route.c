/* schema_route.c -- routes of calls. */
#include "conf/rows.h"

/* clang-format off */
static const struct schema_param rows[] = {
	ROW_INDEX(ROUTE, route, r, 40),
	ROW_NAME(ROUTE, "SrcIPGroupName", route, r.from_name, 255,
		"IP group a request comes from; Any: all of them."),
	ROW_STR(ROUTE, "SrcUsernamePrefix", route, r.from_user, 255, "*",
		"Pattern of the caller's user part (From): * any, $ none, a prefix, x any "
		"character, # at the end: no more, [100-199] [4,5,70] [456] ranges, lists and "
		"characters, (12) how it ends."),
	ROW_STR(ROUTE, "SrcHost", route, r.from_host, 255, "*",
		"Host of From; * any, *.NAME any below NAME."),
	ROW_STR(ROUTE, "DestUsernamePrefix", route, r.to_user, 255, "*",
		"Pattern of the user part of the Request-URI, likewise."),
	ROW_STR(ROUTE, "DestHost", route, r.to_host, 255, "*",
		"Host of the Request-URI, likewise."),
	ROW_INT(ROUTE, "RequestType", route, r.request_type, 0, 10, "0",
		"All=0,INVITE=1,REGISTER=2,SUBSCRIBE=3,INVITE and REGISTER=4,INVITE and "
		"SUBSCRIBE=5,OPTIONS=6",
		"Methods the row is for.  Rows of REGISTER alone, and above 6, never match."),
	ROW_NAME(ROUTE, "ReRouteIPGroupName", route, r.rerouted, 255,
		"IP group that sent a 3xx or REFER.  Requests are not routed again here: a row "
		"that names one never matches."),
	ROW_INT(ROUTE, "Trigger", route, r.trigger, 0, 10, "0",
		"Any=0,3xx=1,REFER=2,3xx or REFER=3,Initial only=4",
		"Why a request is routed; rows other than 0 and 4 never match."),
	ROW_INT(ROUTE, "DestType", route, r.dest_type, 0, 30, "0", "IP Group=0,Dest Address=1",
		"Kind of destination; the device's others never match."),
	ROW_NAME(ROUTE, "DestIPGroupName", route, r.to_name, 255, "IP group it goes to."),
	ROW_NAME(ROUTE, "DestAccountName", route, r.account_name, 255,
		"Account as which it goes there; without one that of the pair of groups which "
		"matches the caller, else the pair's first, else none."),
	ROW_NAME(ROUTE, "DestSIPInterfaceName", route, r.interface_name, 255,
		"SIP interface it leaves by, with DestType 1; without it the first."),
	ROW_NAME(ROUTE, "DestAddress", route, r.address_name, 255,
		"Address it goes to, with DestType 1; no name.  0.0.0.0: nowhere, it is refused "
		"with 404."),
	ROW_INT(ROUTE, "DestPort", route, r.port, 0, 65535, "0", NULL, "Its port."),
	ROW_INT(ROUTE, "DestTransportType", route, r.transport, -1, 3, "-1",
		"UDP=0,TCP=1,TLS=2,SCTP=3",
		"Its transport; -1: SIPTransportType.  A row with SCTP never matches."),
	ROW_INT(ROUTE, "AltRouteOptions", route, r.alternative, 0, 4, "0",
		"Route Row=0,Alternative Route Ignore Inputs=1,Alternative Route Consider Inputs=2",
		"1: the row stands in when the one before fails (AlternativeRoutingReasons); 2: if "
		"it matches the request, too."),
	ROW_NAME(ROUTE, "IPGroupSetName", route, r.set, 255,
		"Set of IP groups it goes to: such a row never matches."),
};
/* clang-format on */

const struct schema_rows schema_route_rows = { rows, sizeof rows / sizeof *rows };
