/* schema_account.c -- the Account table and the users behind it. */
#include "conf/rows.h"

#define BY(who) .policy = true, .owner = who

/* clang-format off */
static const struct schema_param rows[] = {
	ROW_INDEX(ACCOUNT, account, a, 20),
	ROW_NAME(ACCOUNT, "ServedIPGroupName", account, served, 255,
		"IP group on whose behalf the account registers."),
	ROW_NAME(ACCOUNT, "ServedTrunkGroup", account, trunk, 255,
		"Trunk group on whose behalf it registers: its TrunkGroupId or name; -1: none."),
	ROW_NAME(ACCOUNT, "ServingIPGroupName", account, serving, 255,
		"IP group at whose proxy set it registers.  Mandatory."),
	ROW_NAME(ACCOUNT, "HostName", account, a.host_name, 49,
		"Host of the AOR; may have a port."),
	ROW_STR(ACCOUNT, "ContactUser", account, a.contact_user, 60, "",
		"User of the AOR and of the Contact."),
	ROW_STR(ACCOUNT, "Username", account, a.username, 60, "", "User of the digest."),
	ROW_SECRET(ACCOUNT, "Password", account, a.password, "Password of the digest."),
	ROW_INT(ACCOUNT, "Register", account, a.reg, 0, 2, "0",
		"No=0,Regular=1,GIN=2,Disable=0,Reg=1,Yes=1",
		"Whether it registers; GIN is RFC 6140.", BY("gin")),
	ROW_INT(ACCOUNT, "RegistrarStickiness", account, a.stickiness, 0, 2, "0",
		"Disable=0,Enable=1,Enable for Non-REGISTER Requests=2",
		"Calls go to the registrar that holds the binding; with 1 refreshes, too.",
		BY("stickiness")),
	ROW_POLICY(ACCOUNT, "RegistrarSearchMode", 0, 2, "0",
		"Current Working Server=0,Current Server=0,According to IMS Specifications=1,"
		"By IMS Specification=1,by-ims-spec=1,Avoid Previous Registrar Until Expiry=2,"
		"avoid-previous=2", "ims_search",
		"How a registrar is looked for: 1 is ims_search, 2 avoid_previous."),
	ROW_POLICY_BOOL(ACCOUNT, "ReRegisterOnInviteFailure", "0", "invite_failure",
		"Register again when an INVITE fails with one of "
		"AccountInviteFailureTriggerCodes."),
	ROW_POLICY_BOOL(ACCOUNT, "RegEventPackageSubscription", "0", "reg_event",
		"Subscribe to the state of the binding (RFC 3680)."),
	ROW_POLICY(ACCOUNT, "RegByServedIPG", 0, 1, "0",
		"Register Always=0,reg-always=0,Register Only if Online=1,reg-if-online=1",
		"served_status",
		"Register only while the served IP group is online."),
	ROW_BOOL(ACCOUNT, "UDPPortAssignment", account, a.own_port, "0",
		"A local UDP port of its own, from AdditionalUDPPorts of the SIP interface.",
		BY("udp_port")),
	ROW_POLICY(ACCOUNT, "FailbackMode", 0, 3, "",
		"newRequests=0,DNSTTL=1,registration=2,duration=3",
		"failback", "When to go back to the primary server."),
	ROW_POLICY(ACCOUNT, "FailbackTimeout", 0, 65535, "3600", NULL, "failback",
		"Seconds of mode duration; 0: for ever; 1 to 59 count as 60."),
	ROW_POLICY_BOOL(ACCOUNT, "FailbackSubscribe", "0", "failback",
		"SUBSCRIBEs fail back, too."),
	ROW_POLICY(ACCOUNT, "RetryCounts", -1, 20, "-1", NULL, "failback",
		"Retransmissions to a silent or refusing server before the next; -1: the proxy "
		"set's."),
	ROW_NAME(ACCOUNT, "OutboundProxySetName", account, outbound, 255,
		"Proxy set through which the account's requests go.", BY("failback")),
	ROW_POLICY_BOOL(ACCOUNT, "RegisterOnEnable", "0", "failback",
		"Register at a server before the first request goes there."),
	ROW_POLICY_BOOL(ACCOUNT, "OnlySignalWithRegistered", "0", "failback",
		"Only servers that hold a binding get requests."),
	ROW_STR(ACCOUNT, "ContactAddress", account, a.contact_address, 255, "local",
		"Host of the Contact: local, received (as the server saw us), or an "
		"address[:port]."),
	ROW_BOOL(ACCOUNT, "Outbound", account, a.flow, "0",
		"The Contact of REGISTERs has reg-id and +sip.instance (RFC 5626)."),
	ROW_INT(ACCOUNT, "GRUU", account, a.gruu, 0, 2, "0", "Disable=0,Public=1,Temporary=2",
		"Contact of calls is the GRUU that the registrar gives (RFC 5627)."),
	ROW_STR(ACCOUNT, "SecurityClient", account, a.security_client, 255, "",
		"Value of Security-Client, as sdes-srtp;mediasec: the protection of media is "
		"negotiated with the registrar; empty: it is not."),
	ROW_BOOL(ACCOUNT, "KeepNonce", account, a.keep_nonce, "1",
		"A REGISTER shows the credentials that the last one did; 0: it waits for the "
		"challenge, for registrars that count an old nonce as a failed attempt."),
	ROW_INT(ACCOUNT, "CallerIdentity", account, a.caller_identity, 0, 2, "0",
		"From=0,P-Asserted-Identity=1,P-Preferred-Identity=2",
		"Where calls have the caller's number; other than From: that has the user of the "
		"AOR."),
	ROW_INT(ACCOUNT, "MaxCalls", account, a.max_calls, 0, 10000000, "0", NULL,
		"Most calls at a time; 0: unlimited."),
	ROW_INT(ACCOUNT, "MaxCallRate", account, a.max_call_rate, 0, 1000000, "0", NULL,
		"Most new calls a second; 0: unlimited."),
	ROW_INT(ACCOUNT, "ApplicationType", account, application, 0, 2, "", "GW=0,SBC=2",
		"Follows from what is served; a value that contradicts it is a warning."),

	ROW_INDEX(USER_INFO, user_info, u, 40),
	ROW_STR(USER_INFO, "LocalUser", user_info, u.local_user, 60, "",
		"User part of the caller to whom the row belongs.  Mandatory."),
	ROW_STR(USER_INFO, "Username", user_info, u.username, 60, "", "User of the digest."),
	ROW_SECRET(USER_INFO, "Password", user_info, u.password, "Password of the digest."),
	ROW_NAME(USER_INFO, "IPGroupName", user_info, group, 255, "IP group of the caller."),
};
/* clang-format on */

const struct schema_rows schema_account_rows = { rows, sizeof rows / sizeof *rows };
