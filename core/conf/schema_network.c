/* schema_network.c -- interfaces, proxy sets and their addresses. */
#include "conf/rows.h"

#define BY(who) .policy = true, .owner = who

/* clang-format off */
static const struct schema_param rows[] = {
	ROW_INDEX(INTERFACE_TABLE, raw, r, 40),
	ROW_RAW(INTERFACE_TABLE, "IPAddress", "", "Local address."),
	ROW_RAW(INTERFACE_TABLE, "PrimaryDNSServerIPAddress", "0.0.0.0",
		"Name server for proxy sets of SIP interfaces with this row; 0.0.0.0: DNSServers."),
	ROW_RAW(INTERFACE_TABLE, "SecondaryDNSServerIPAddress", "0.0.0.0", "The next one."),

	ROW_INDEX(SIP_INTERFACE, sip_interface, i, 40),
	ROW_STR(SIP_INTERFACE, "NetworkInterface", sip_interface, i.network_interface, 255, "",
		"Name in InterfaceTable, name of a system interface, or an address; empty: every "
		"address."),
	ROW_INT(SIP_INTERFACE, "UDPPort", sip_interface, i.udp, 0, 65535, "5060", NULL, "0: none."),
	ROW_INT(SIP_INTERFACE, "TCPPort", sip_interface, i.tcp, 0, 65535, "5060", NULL, "0: none."),
	ROW_INT(SIP_INTERFACE, "TLSPort", sip_interface, i.tls, 0, 65535, "0", NULL,
		"0: none; TLS towards servers works without one."),
	ROW_STR(SIP_INTERFACE, "AdditionalUDPPorts", sip_interface, ports, 255, "",
		"Range x-y within 1025 to 65535 from which accounts get UDP ports of their own."),
	ROW_INT(SIP_INTERFACE, "AdditionalUDPPortsMode", sip_interface, i.additional_mode, 0, 1,
		"0",
		"Always Open=0,Open When Used=1",
		"1: an account's port is open from its REGISTER until its registration is over, "
		"not as long as the account has it."),
	ROW_NAME(SIP_INTERFACE, "TLSContext", sip_interface, i.tls_context, 255,
		"Row of TLSContexts; default is built in."),
	ROW_INT(SIP_INTERFACE, "TLSMutualAuthentication", sip_interface, i.tls_mutual, -1, 1, "-1",
		"Not Configured=-1,Disable=0,Enable=1",
		"Those who connect to TLSPort must show a certificate; -1: as "
		"RequireClientCertificate of the context."),
	ROW_INT(SIP_INTERFACE, "PingPongKeepAliveTime", sip_interface, i.ping_time, -1, 2000000,
		"-1", NULL,
		"CRLF keep-alive of its TCP and TLS connections, s; 0: none, -1: as the gateway "
		"has it."),

	ROW_INDEX(PROXY_SET, proxy_set, s, 40),
	ROW_NAME(PROXY_SET, "SBCIPv4SIPInterfaceName", proxy_set, sbc4, 255,
		"SIP interface towards the servers; without one the first."),
	ROW_NAME(PROXY_SET, "GWIPv4SIPInterfaceName", proxy_set, gw4, 255,
		"Counts where SBCIPv4SIPInterfaceName is empty."),
	ROW_NAME(PROXY_SET, "SBCIPv6SIPInterfaceName", proxy_set, sbc6, 255, "Counts after those."),
	ROW_NAME(PROXY_SET, "GWIPv6SIPInterfaceName", proxy_set, gw6, 255, "Counts last."),
	ROW_INT(PROXY_SET, "EnableProxyKeepAlive", proxy_set, s.keepalive, 0, 4, "0",
		"Disable=0,Using OPTIONS=1,Using REGISTER=2,Using OPTIONS on Active Server=3,"
		"Using Fake REGISTER=4,OPTIONS=1,REGISTER=2",
		"How servers are probed: OPTIONS to all of them; REGISTER, each RegistrationTime, "
		"to one until it does not answer, then to the next; OPTIONS to those in use; "
		"REGISTER for a made-up user. With REGISTER any answer means up, and none is sent "
		"where an account's own was answered within that time."),
	ROW_INT(PROXY_SET, "ProxyKeepAliveTime", proxy_set, s.keepalive_time, 5, 2000000, "60",
		NULL,
		"Seconds between probes; not for Using REGISTER."),
	ROW_CODES(PROXY_SET, "KeepAliveFailureResp", proxy_set, s.keepalive_failure, "",
		"Answers to a probe that mean down, but for Using REGISTER; 200 cannot be one."),
	ROW_INT(PROXY_SET, "SuccessDetectionRetries", proxy_set, s.success_retries, 1, 100, "1",
		NULL,
		"Probes in a row that must succeed before a server is up again."),
	ROW_INT(PROXY_SET, "SuccessDetectionInterval", proxy_set, s.success_interval, 1, 200,
		"10", NULL,
		"Seconds between those."),
	ROW_INT(PROXY_SET, "FailureDetectionRetransmissions", proxy_set, s.failure_retransmissions,
		-1, 255, "-1", NULL, "Retransmissions of a probe before the server is down; -1: "
		"SIPMaxRtx."),
	ROW_INT(PROXY_SET, "ProxyRedundancyMode", proxy_set, s.redundancy, -1, 1, "-1",
		"Not Configured=-1,Parking=0,Homing=1",
		"Stay with the redundant server, or go home when the main one is back; -1: the "
		"global one.",
		BY("redundancy")),
	ROW_BOOL(PROXY_SET, "IsProxyHotSwap", proxy_set, s.hot_swap, "0",
		"A request that fails goes to the next server at once."),
	ROW_INT(PROXY_SET, "ProxyLoadBalancingMethod", proxy_set, s.load_balancing, 0, 2, "0",
		"Disable=0,Round Robin=1,Random Weights=2", "How requests are spread."),
	ROW_INT(PROXY_SET, "MinActiveServersLB", proxy_set, s.min_active, 1, 64, "1", NULL,
		"With fewer servers up the set is offline."),
	ROW_INT(PROXY_SET, "DNSResolveMethod", proxy_set, s.dns_method, -1, 3, "-1",
		"Not Configured=-1,A-Record=0,A=0,SRV=1,NAPTR=2,Microsoft Skype for Business=3",
		"How names without a port become servers; -1: ProxyDNSQueryType.  3 asks for the "
		"SRV records _sipinternaltls._tcp, _sipinternal._tcp, _sip._tls and _sip._tcp."),
	ROW_BOOL(PROXY_SET, "PreferIPv6", proxy_set, s.prefer_ipv6, "1",
		"Of a name with addresses of both families, IPv6 goes first (RFC 6724)."),
	ROW_NAME(PROXY_SET, "TLSContextName", proxy_set, s.tls_context, 255,
		"Row of TLSContexts; default is built in."),
	ROW_INT(PROXY_SET, "RegisterRedirects", proxy_set, s.redirects, 0, 3, "0", NULL,
		"Most redirections (300, 301, 302, 305) of a REGISTER that are followed, to "
		"addresses in their Contacts; 0: they are failures."),
	ROW_INT(PROXY_SET, "TotalTimeout", proxy_set, s.total_timeout, 0, 3600, "0", NULL,
		"Seconds given to one server for a request; 0: HotSwapRtx with hot swap, else 64 "
		"T1."),
	ROW_INT(PROXY_SET, "RetryCounts", proxy_set, s.retry_counts, -1, 20, "-1", NULL,
		"Retransmissions to a silent or refusing server before the next; -1: as "
		"TotalTimeout says.",
		BY("failback")),
	ROW_INT(PROXY_SET, "RegisterRate", proxy_set, s.register_rate, 0, 1000000, "0", NULL,
		"Starts, searches and restarts a second at this set; 0: unlimited."),
	ROW_INT(PROXY_SET, "RegisterWindow", proxy_set, s.register_window, 1, 65535, "1024", NULL,
		"Most REGISTERs outstanding at one server."),
	ROW_INT(PROXY_SET, "HomingCheck", proxy_set, s.homing_check, 1, 3, "",
		"options=1,register=2,invite=3",
		"How the main server is probed while another is used; unset: keep-alive as "
		"configured.",
		BY("redundancy")),
	ROW_POLICY(PROXY_SET, "RegisterOnEnable", -1, 1, "-1", NULL, "failback",
		"Of an outbound set; -1: the account's."),
	ROW_POLICY(PROXY_SET, "OnlySignalWithRegistered", -1, 1, "-1", NULL, "failback",
		"Of an outbound set; -1: the account's."),
	ROW_POLICY(PROXY_SET, "ServerRedundancy", 1, 2, "", "permanent=1,dns-based=2",
		"location_servers", "How long another server is kept; unset: as the device."),
	ROW_POLICY(PROXY_SET, "ServerSwitching", 1, 2, "",
		"link-failure-only=1,authentication-failure=2",
		"location_servers", "What makes the gateway try the next server; unset: as the "
		"device."),

	ROW_INDEX(PROXY_IP, proxy_ip, p, 40),
	ROW_NAME(PROXY_IP, "ProxySetId", proxy_ip, set, 255,
		"Index or name of the proxy set.  Mandatory."),
	ROW_INT(PROXY_IP, "ProxyIpIndex", proxy_ip, p.order, 0, 2147483647, "", NULL,
		"Place in the set; without it as the rows stand, behind those that have one."),
	ROW_STR(PROXY_IP, "IpAddress", proxy_ip, address, 255, "",
		"Address or name, with an optional :port.  Mandatory."),
	ROW_INT(PROXY_IP, "TransportType", proxy_ip, transport, -1, 2, "-1",
		"Not Configured=-1,UDP=0,TCP=1,TLS=2", "-1: SIPTransportType."),
	ROW_INT(PROXY_IP, "Priority", proxy_ip, p.priority, 0, 65535, "0", NULL,
		"0 is the highest."),
	ROW_INT(PROXY_IP, "Weight", proxy_ip, p.weight, 0, 65535, "0", NULL,
		"Share among servers of one priority."),
	ROW_INT(PROXY_IP, "Role", proxy_ip, p.roles, 1, 3, "both", "registrar=1,proxy=2,both=3",
		"What the server is for.", BY("location_servers")),
	ROW_BOOL(PROXY_IP, "Master", proxy_ip, p.master, "0",
		"Every REGISTER starts with it.", BY("location_servers")),
	ROW_STR(PROXY_IP, "Registrar", proxy_ip, p.registrar, 255, "",
		"Address or name[:port] registered at for this proxy; empty: the proxy itself."),
};
/* clang-format on */

const struct schema_rows schema_network_rows = { rows, sizeof rows / sizeof *rows };
