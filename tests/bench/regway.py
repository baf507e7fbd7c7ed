"""Regway under test: its configuration for n accounts, and its control socket."""
import json
import os
import socket
import subprocess
import sys
import time

import harness as h

HEAD = """[Gateway]
RegistrationTime = {expires}
RegisterRate = 0
RegisterOnServerDown = 1
[SIPInterface]
Name = bench
NetworkInterface = {peer}
UDPPort = 5070
TCPPort = 0
TLSPort = 0
[ProxySet]
Name = registrars
EnableProxyKeepAlive = {keepalive}
ProxyKeepAliveTime = 5
FailureDetectionRetransmissions = 1
IsProxyHotSwap = {swap}
RegisterRate = 0
{servers}
[ProxySet]
Name = pbx
[ProxyIp]
ProxySetId = pbx
IpAddress = {net}.2:5060
[IPGroup]
Name = ITSP
ProxySetName = registrars
[IPGroup]
Name = PBX
ProxySetName = pbx

[ Account ]
FORMAT Index = AccountName, ServedIPGroupName, ServingIPGroupName, Username, Password, HostName, ContactUser, \
Register, RegistrarStickiness, RegistrarSearchMode;
"""


class Regway:
    def __init__(self, build):
        self.build, self.dir = build, h.TMP
        self.conf, self.socket = os.path.join(h.TMP, "regway.ini"), os.path.join(h.TMP, "regway.sock")

    def write(self, n, servers, expires, keepalive, search=0, ca=None):
        rows = "".join("[ProxyIp]\nProxySetId = registrars\nProxyIpIndex = %d\nIpAddress = %s:%d\n"
                       "TransportType = %d\n" % (i, s, *((5061, 2) if ca else (5060, 0)))
                       for i, s in enumerate(servers))
        if ca:
            rows += "[TLSContexts]\nName = default\nCAFile = %s\n" % ca
        with open(self.conf + "~", "w") as f:
            f.write(HEAD.format(expires=expires, peer=h.PEER, keepalive=keepalive, servers=rows, net=h.NET,
                                swap=0 if search == 2 else 1))
            f.writelines('Account %d = "a%d", "PBX", "ITSP", "u%d", "pw-u%d", "%s", "u%d", 1, 1, %d;\n'
                         % (i, i, i, i, h.REG1, i, search) for i in range(n))
            f.write("[ \\Account ]\n")
        os.rename(self.conf + "~", self.conf)

    def starter(self, servers=(h.REG1,), expires=3600, keepalive=0, search=0, ca=None):
        def start(n):
            self.write(n, servers, expires, keepalive, search, ca)
            return h.Daemon([os.path.join(self.build, "regwayd"), "-f", self.conf, "-p",
                             os.path.join(self.build, "plugins"), "-s", self.socket, "-S", self.dir],
                            cores=h.DUT_CORE, name="regwayd")
        return start

    def caller(self):
        """For calls: two accounts, which register at once."""
        start = self.starter()

        def begin(n):
            return start(n)
        begin.registers = True
        return begin

    def ctl(self, cmd, **args):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(30)
            s.connect(self.socket)
            s.sendall(json.dumps({"cmd": cmd, "args": args}).encode() + b"\n")
            data = b""
            while not data.endswith(b"\n"):
                more = s.recv(1 << 20)
                if not more:
                    raise RuntimeError("the control socket was closed")
                data += more
        answer = json.loads(data)
        if not answer["ok"]:
            raise RuntimeError(answer["error"])
        return answer["data"]


class Front:
    """TLS in front of the registrar, with a certificate of a CA made now."""

    def __init__(self):
        sys.path.insert(0, os.path.join(h.HERE, "..", "net"))
        from pki import Authority
        self.pki = Authority()
        pair = self.pki.certificate("IP:" + h.REG1)
        self.proc = subprocess.Popen([h.build("tlsfront", "-lssl", "-lcrypto"), *pair, h.REG1, "5061", h.REG1],
                                     preexec_fn=h.pin(h.SIM_CORE))

    def stop(self):
        self.proc.kill()
        self.proc.wait()
        self.pki.close()


def over_tls(regway, n):
    """As harness.register, but over one shared TLS connection."""
    front = Front()
    try:
        return h.register(regway.starter(ca=front.pki.ca), n)
    finally:
        front.stop()


class Pulse:
    """How long the event loop leaves a request lying: one OPTIONS after the other."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((h.PEER.rsplit(".", 1)[0] + ".20", 0))
        self.sock.connect((h.PEER, 5070))
        self.sock.settimeout(5)
        self.n, self.me = 0, "%s:%d" % self.sock.getsockname()

    def once(self):
        self.n += 1
        text = ("OPTIONS sip:{p}:5070 SIP/2.0\r\nVia: SIP/2.0/UDP {m};branch=z9hG4bKpulse{n};rport\r\n"
                "Max-Forwards: 70\r\nFrom: <sip:pulse@{m}>;tag=1\r\nTo: <sip:{p}:5070>\r\nCall-ID: pulse{n}\r\n"
                "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n").format(p=h.PEER, m=self.me, n=self.n)
        t = time.monotonic()
        self.sock.send(text.encode())
        self.sock.recv(65536)
        return time.monotonic() - t

    def worst(self, until):
        most = 0.0
        while not until():
            most = max(most, self.once())
            time.sleep(0.0005)
        return most


def reload(regway, d, sim, seconds=10):
    """Reload what has not changed: time, REGISTERs it caused, longest stall."""
    pulse = Pulse()
    end = time.monotonic() + 1
    before = pulse.worst(lambda: time.monotonic() > end)
    os.utime(regway.conf)
    a, c0, t0 = sim.ctl("stats"), d.cpu(), time.monotonic()
    p = subprocess.Popen([os.path.join(regway.build, "regwayctl"), "-s", regway.socket, "reload"],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=h.pin(h.SIM_CORE))
    done = []

    def over():
        if not done and p.poll() is not None:
            done.append(time.monotonic())
        return bool(done and time.monotonic() > done[0] + 1.5) or time.monotonic() > t0 + seconds + 20

    worst = pulse.worst(over)
    if not done:
        p.kill()
    text = p.communicate()[0]
    b = sim.ctl("stats")
    return {"reload_s": round(done[0] - t0, 3) if done and not p.returncode else None,
            "reload_cpu_s": round(d.cpu() - c0, 3), "registers": b["registers"] - a["registers"],
            "stall_ms": round(worst * 1e3, 1), "stall_idle_ms": round(before * 1e3, 1), "said": text.strip()[-200:]}


def failover(regway, n, search=0, expires=60, timeout=60):
    """All at the first registrar; it falls silent; how long after it is found down
    until the last account is at the second, and what lapsed on the way."""
    servers = (h.REG1, h.REG2)
    sim = h.Regsim("--expires", expires, "--expect", n, addrs=[s + ":5060" for s in servers])
    d = None
    try:
        d = regway.starter(servers, expires=expires, keepalive=1, search=search)(n)
        if not sim.wait("aors", n, timeout, 0.02, d):
            return {"n": n, "done": False}
        time.sleep(6)  # the first keep-alive has been answered
        s = sim.ctl("stats")
        bound = [a["bound_now"] for a in s["addrs"]]
        sim.ctl("mark")
        sim.ctl("silent 0")
        t0, c0, found = time.monotonic(), d.cpu(), None
        moved = 0
        while time.monotonic() - t0 < timeout and moved < n:
            if found is None and any(x["health"] == "down" for x in regway.ctl("servers")):
                found = time.monotonic()
            moved = sim.ctl("count")["since_mark"]
            time.sleep(0.005)
        t1 = time.monotonic()
        s = sim.ctl("stats")
        return {"n": n, "done": moved >= n, "bound_before": bound, "found_down_s": found and round(found - t0, 2),
                "after_found_s": found and round(t1 - found, 2), "all_s": round(t1 - t0, 2),
                "cpu_s": round(d.cpu() - c0, 2), "lapses": s["lapses"] + s["expired_now"], "moved": moved,
                "bound_after": [a["bound_now"] for a in s["addrs"]], "retransmissions": s["retransmissions"]}
    finally:
        if d:
            d.stop()
        sim.stop()
