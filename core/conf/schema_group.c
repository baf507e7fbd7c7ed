/* schema_group.c -- IP groups and trunk groups. */
#include "conf/rows.h"

#define BY(who) .policy = true, .owner = who

/* clang-format off */
static const struct schema_param rows[] = {
	ROW_INDEX(IP_GROUP, ip_group, g, 40),
	ROW_INT(IP_GROUP, "Type", ip_group, g.type, 0, 2, "0", "Server=0,User=1,Gateway=2",
		"Where the group's addresses come from: its proxy set, or registrations."),
	ROW_NAME(IP_GROUP, "ProxySetName", ip_group, set, 255, "Proxy set of the group."),
	ROW_STR(IP_GROUP, "SIPGroupName", ip_group, g.sip_group_name, 100, "",
		"Host of Request-URIs towards the group and of From of calls it makes."),
	ROW_STR(IP_GROUP, "ContactUser", ip_group, g.contact_user, 60, "",
		"User of the AOR of accounts that serve this group and have none of their own."),
	ROW_STR(IP_GROUP, "ContactName", ip_group, g.contact_name, 255, "",
		"Host of the Contact, also of OPTIONS to the servers of its proxy set."),
	ROW_INT(IP_GROUP, "AuthenticationMode", ip_group, g.authentication_mode, 0, 3, "0",
		"User Authenticates=0,SBC as Client=1,SBC as Server=2,SBC as Both Client and "
		"Server=3",
		"Who answers and who sends challenges."),
	ROW_STR(IP_GROUP, "UsernameAsClient", ip_group, g.username, 60, "",
		"User for accounts without credentials, with AuthenticationMode 1 or 3."),
	ROW_SECRET(IP_GROUP, "PasswordAsClient", ip_group, g.password, "Its password."),
	ROW_STR(IP_GROUP, "UsernameAsServer", ip_group, g.server_username, 60, "",
		"User that the group must authenticate as, with AuthenticationMode 2 or 3."),
	ROW_SECRET(IP_GROUP, "PasswordAsServer", ip_group, g.server_password, "Its password."),
	ROW_STR(IP_GROUP, "Username", ip_group, username, 60, "",
		"UsernameAsClient and UsernameAsServer in one, where they are empty."),
	ROW_SECRET(IP_GROUP, "Password", ip_group, password, "Likewise."),
	ROW_INT(IP_GROUP, "MaxCalls", ip_group, g.max_calls, 0, 10000000, "0", NULL,
		"Most calls at a time; 0: unlimited."),
	ROW_INT(IP_GROUP, "MaxCallRate", ip_group, g.max_call_rate, 0, 1000000, "0", NULL,
		"Most new calls a second; 0: unlimited."),
	ROW_INT(IP_GROUP, "MaxCallDuration", ip_group, g.max_call_duration, 0, 35791, "0",
		NULL,
		"Minutes that a call of the group may last; the least counts of both ends' groups "
		"and [Gateway].  0: says nothing."),
	ROW_BOOL(IP_GROUP, "MediaAnchor", ip_group, g.media_anchor, "0",
		"The media of calls goes through a relay of media.", .owner = "media_rtpengine"),
	ROW_INT(IP_GROUP, "MediaFailure", ip_group, g.media_failure, 0, 1, "refuse",
		"refuse=0,continue=1", "What becomes of a call when the relay is not there."),

	ROW_INDEX(TRUNK_GROUP, trunk_group, t, 40),
	ROW_INT(TRUNK_GROUP, "TrunkGroupId", trunk_group, t.id, 0, 2147483647, "", NULL,
		"Number of the trunk group; without it the index."),
	ROW_INT(TRUNK_GROUP, "FirstTrunkId", trunk_group, first, -1, 65535, "-1", NULL,
		"First of a range of the group's trunks.  Further ranges stand in rows of the same "
		"TrunkGroupId; 255, as the device writes it for analog ports: none."),
	ROW_INT(TRUNK_GROUP, "LastTrunkId", trunk_group, last, -1, 65535, "-1", NULL,
		"Last of them; without it the first."),
	ROW_NAME(TRUNK_GROUP, "ServingIPGroupName", trunk_group, serving, 255,
		"IP group that its calls go to, and its accounts without one register at."),
	ROW_NAME(TRUNK_GROUP, "ProxySetName", trunk_group, set, 255,
		"The local gateway that owns the trunks."),
	ROW_INT(TRUNK_GROUP, "RegistrationMode", trunk_group, t.registration_mode, -1, 255, "1",
		"Per Endpoint=0,Per Gateway=1,Don't Register=4,Per Account=5",
		"Accounts of the group register only with Per Account."),
	ROW_STR(TRUNK_GROUP, "ContactUser", trunk_group, t.contact_user, 60, "",
		"User of the Contact of accounts that have none."),
	ROW_STR(TRUNK_GROUP, "GatewayName", trunk_group, t.gateway_name, 255, "",
		"Host of From of its calls."),
};
/* clang-format on */

const struct schema_rows schema_group_rows = { rows, sizeof rows / sizeof *rows };
