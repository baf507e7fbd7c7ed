#!/usr/bin/env -S python3 -B
"""Many proxy sets of two servers each, which are found by SRV records: what it costs to
register through them and to keep an eye on them.  The registrars are ports of one simulator;
the name server is this file as a program of its own."""
import json
import os
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PORT, PER_HOST = 10000, 500  # servers of one address

HEAD = """[Gateway]
RegistrationTime = 3600
RegisterRate = 0
[SIPInterface]
Name = bench
NetworkInterface = {peer}
UDPPort = 5070
TCPPort = 0
TLSPort = 0
[ProxySet]
Name = pbx
[ProxyIp]
ProxySetId = pbx
IpAddress = {net}.2:5060
[IPGroup]
Name = PBX
ProxySetName = pbx
"""
SET = """[ProxySet]
Name = s{i}
EnableProxyKeepAlive = Using OPTIONS
ProxyKeepAliveTime = {period}
IsProxyHotSwap = 1
RegisterRate = 0
DNSResolveMethod = SRV
[ProxyIp]
ProxySetId = s{i}
IpAddress = s{i}.bench
[IPGroup]
Name = G{i}
ProxySetName = s{i}
"""
ACCOUNTS = """[ Account ]
FORMAT Index = AccountName, ServedIPGroupName, ServingIPGroupName, Username, Password, HostName, ContactUser, \
Register, RegistrarStickiness;
"""


def place(net, k):
    """Address and port of server k; a set has 2i and 2i + 1."""
    return "%s.%d" % (net, 100 + k // PER_HOST), PORT + k % PER_HOST


def zone(net, n):
    z = {}
    for i in range(n):
        pair = [(10 + m, 1, place(net, 2 * i + m)[1], "ab"[m] + "%d.bench" % i) for m in (0, 1)]
        z["_sip._udp.s%d.bench" % i, "SRV"] = pair
        for m in (0, 1):
            z[pair[m][3], "A"] = [place(net, 2 * i + m)[0]]
    return z


def write(h, path, n, each, period):
    with open(path, "w") as f:
        f.write(HEAD.format(peer=h.PEER, net=h.NET))
        f.writelines(SET.format(i=i, period=period) for i in range(n))
        f.write(ACCOUNTS)
        f.writelines('Account %d = "a%d", "PBX", "G%d", "u%d", "pw-u%d", "", "u%d", 1, 1;\n' % (i, i, i % n, i, i, i)
                     for i in range(n * each))
        f.write("[ \\Account ]\n")


def measure(h, rg, n=1000, each=10, period=5, timeout=40):
    """Figures until all are registered, then of keep-alive alone."""
    sim = dns = d = None
    servers = ["%s:%d" % place(h.NET, k) for k in range(2 * n)]
    try:
        sim = h.Regsim("--expires", 3600, "--expect", n * each, addrs=servers)
        dns = subprocess.Popen([sys.executable, "-B", __file__, h.NET, str(n)], preexec_fn=h.pin(h.SIM_CORE),
                               stdout=subprocess.PIPE)
        dns.stdout.readline()  # it is there
        write(h, rg.conf, n, each, period)
        d = h.Daemon([os.path.join(rg.build, "regwayd"), "-f", rg.conf, "-p", os.path.join(rg.build, "plugins"),
                      "-s", rg.socket, "-S", rg.dir], cores=h.DUT_CORE, name="regwayd",
                     env={"RG_DNS": h.NET + ".9:5353"})
        if not sim.wait("rx", 1, timeout, 0.001, d):
            raise RuntimeError("nothing came: " + d.last_words())
        load = d.cpu()
        done = sim.wait("aors", n * each, timeout, 0.01, d)
        wall = time.monotonic() - d.start
        time.sleep(2)
        cpu, s = d.cpu() - load, sim.ctl("stats")
        row = {"sets": n, "n": n * each, "done": done, "start_to_all_s": round(wall, 2), "load_cpu_s": round(load, 3),
               "us_per_reg": round(cpu / max(s["aors_registered"], 1) * 1e6, 1), "pss_kib": d.pss(),
               "retransmissions": s["retransmissions"], "refused": s["wrong_digest"] + s["wrong_user"] + s["rejected"],
               "sim_drops": s["socket_drops"]}
        time.sleep(2 * period)  # what start has gathered has spread
        a, c0, t0 = sim.ctl("stats"), d.cpu(), time.monotonic()
        time.sleep(3 * period)
        b, c1, t1 = sim.ctl("stats"), d.cpu(), time.monotonic()
        probes = b["options"] - a["options"]
        text = subprocess.run([os.path.join(rg.build, "regwayctl"), "-s", rg.socket, "servers", "--json"],
                              stdout=subprocess.PIPE, check=True).stdout
        health = [x["health"] for x in json.loads(text) if x["proxy_set"] != "pbx"]
        row.update(probes=probes, probes_per_s=round(probes / (t1 - t0)),
                   us_per_probe=round((c1 - c0) / max(probes, 1) * 1e6, 1), registers=b["registers"] - a["registers"],
                   up=health.count("up"), servers=len(health))
        row["cpu_ms_per_minute"] = round(row["us_per_probe"] * 2 * n / 1e3, 1)  # each server once, the default
        return row
    finally:
        if d:
            d.stop()
        if dns:
            dns.kill()
            dns.wait()
        if sim:
            sim.stop()


if __name__ == "__main__":
    sys.path.insert(0, os.path.join(HERE, "..", "net"))
    from names import Names
    Names(sys.argv[1] + ".9", zone(sys.argv[1], int(sys.argv[2])))
    print("ready", flush=True)
    signal.pause()
