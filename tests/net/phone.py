"""A scripted user agent over UDP, TCP and TLS: it says nothing that the test does not tell it to
say, and keeps every message that came.

    pbx = Phone(c.ip(2));  itsp = Phone(c.ip(10))       # the latter registers accounts, too
    call = pbx.call(d, "sip:123@itsp.test")             # a Leg, its INVITE sent
    other = itsp.take("INVITE")                         # the Leg at the other end
    other.answer(180); call.sent.code(180)
    other.answer(200, body=SDP); call.sent.code(200); call.ack()
    other.heard("ACK")
    call.request("BYE"); other.heard("BYE").answer(200) ...
"""
import re
import secrets
import time

import rig
from registrar import NETWORK, SILENT, Connection, Registrar, TlsConnection
from sip import REASON
import socket

SDP = (b"v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n"
       b"m=audio 40000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n")
SDP2 = SDP.replace(b"40000", b"50000").replace(b"192.0.2.7", b"192.0.2.8")
SDP_TYPE = [("Content-Type", "application/sdp")]


def branch():
    return "z9hG4bK" + secrets.token_hex(8)


class Sent:
    """A request that went out, and what came back for it."""

    def __init__(self, leg, method, cseq, data, way, branch):
        self.leg, self.phone, self.method, self.cseq = leg, leg.phone, method, cseq
        self.data, self.way, self.branch, self.time = data, way, branch, time.monotonic()

    def again(self):
        self.phone.put(self.data, self.way)

    @property
    def answers(self):
        with NETWORK.changed:
            return [m for m in self.phone.answers if m.branch == self.branch and m.cseq_method == self.method]

    def code(self, code, timeout=5.0, tag=None, nth=1):
        """Wait for the nth answer with that code; a final one in its place is a failure."""
        def found():
            got = [m for m in self.answers if m.status == code and (tag is None or m.to_tag == tag)]
            if len(got) >= nth:
                return got[nth - 1]
            wrong = [m for m in self.answers if m.status >= 200 and m.status != code]
            if wrong and code >= 200:
                raise rig.Failure("%s got %s, not %d" % (self.method, wrong[0].first, code))
            return None
        m = rig.wait(found, timeout, "%d to %s (got %s)" % (code, self.method, [a.first for a in self.answers]))
        self.leg.learn(self, m)
        return m

    def final(self, timeout=5.0):
        m = rig.wait(lambda: next((m for m in self.answers if m.status >= 200), None), timeout,
                     "an end of " + self.method)
        self.leg.learn(self, m)
        return m

    def refused(self, code, timeout=5.0):
        """A final answer to an INVITE that is no 2xx, acknowledged as it must be."""
        m = self.code(code, timeout)
        self.ack_refusal(m)
        return m

    def ack_refusal(self, m):
        """RFC 3261 17.1.1.3: in the transaction, with its branch."""
        uri = self.data.split(b" ", 2)[1].decode()
        vias = re.search(rb"(?im)^Via:[^\r]*", self.data).group(0).decode()
        routes = re.findall(rb"(?im)^Route:[^\r]*", self.data)
        lines = ["ACK %s SIP/2.0" % uri, vias, "Max-Forwards: 70", "From: " + m.get("from"),
                 "To: " + m.get("to"), "Call-ID: " + m.callid, "CSeq: %d ACK" % self.cseq]
        lines += [r.decode() for r in routes]
        self.phone.put("\r\n".join(lines + ["Content-Length: 0", "", ""]).encode(), self.way)

    def cancel(self):
        uri = self.data.split(b" ", 2)[1].decode()
        keep = [line.decode() for line in re.findall(rb"(?im)^(?:Via|From|To|Call-ID|Route|Max-Forwards):[^\r]*",
                                                     self.data)]
        lines = ["CANCEL %s SIP/2.0" % uri, *keep, "CSeq: %d CANCEL" % self.cseq, "Content-Length: 0", "", ""]
        data = "\r\n".join(lines).encode()
        self.phone.put(data, self.way)
        return Sent(self.leg, "CANCEL", self.cseq, data, self.way, self.branch)


class Heard:
    """A request that came, to be answered when the test likes."""

    def __init__(self, leg, message):
        self.leg, self.m, self.phone = leg, message, leg.phone

    def answer(self, code, headers=(), body=b"", tag=None, reason=None, contact=True, to=None):
        m, leg = self.m, self.leg
        to_header = m.get("to")
        if code > 100 and ";tag=" not in to_header and (tag or leg.local_tag):
            to_header += ";tag=" + (tag or leg.local_tag)
        host, port = m.source
        vias = m.all("via")
        vias[0] = re.sub(r";rport(?!=)", ";rport=%d;received=%s" % (port, host), vias[0])
        lines = ["SIP/2.0 %d %s" % (code, reason or REASON.get(code, "Answer"))]
        lines += ["Via: " + v for v in vias]
        lines += ["Record-Route: " + v for v in m.all("record-route")] if code in range(101, 300) else []
        lines += ["From: " + m.get("from"), "To: " + to_header, "Call-ID: " + m.callid, "CSeq: " + m.get("cseq")]
        if contact and 101 <= code < 300 and m.method not in ("BYE", "CANCEL", "PRACK", "MESSAGE", "INFO"):
            lines.append("Contact: <%s>" % leg.contact)
        if body and not any(h[0].lower() == "content-type" for h in headers):
            lines.append("Content-Type: application/sdp")
        lines += ["%s: %s" % h for h in headers] + ["Content-Length: %d" % len(body), "", ""]
        data = "\r\n".join(lines).encode() + body
        self.phone.put(data, m.conn if m.conn else ("udp", m.source))
        return data

    def again(self, data):
        self.phone.put(data, self.m.conn if self.m.conn else ("udp", self.m.source))

    def repeats(self):
        return [x for x in self.phone.requests if x.branch == self.m.branch and x.method == self.m.method]


class Leg:
    """One end of a dialog (RFC 3261 12)."""

    def __init__(self, phone, way, callid=None, local_tag=None):
        self.phone, self.way = phone, way
        self.callid = callid or secrets.token_hex(8)
        self.local_tag, self.remote_tag = local_tag or secrets.token_hex(4), None
        self.local_uri = self.remote_uri = self.target = None
        self.routes, self.number, self.sent, self.used = [], 0, None, set()
        self.invite = None  # a Heard
        self.own_contact = None  # a URI instead of the phone's

    @property
    def transport(self):
        return self.way.transport if isinstance(self.way, Connection) else self.way[0]

    @property
    def contact(self):
        if self.own_contact:
            return self.own_contact
        way = "" if self.transport == "udp" else ";transport=" + self.transport
        port = self.phone.tls_port if self.transport == "tls" else self.phone.port
        return "sip:%s@%s%s" % (self.phone.user, self.phone.text(port), way)

    def learn(self, sent, m):
        """What an answer makes of the dialog."""
        if m.to_tag and m.status < 300 and sent.method in ("INVITE", "SUBSCRIBE", "REFER", "UPDATE"):
            if self.remote_tag is None or m.status >= 200:
                if self.remote_tag != m.to_tag or not self.routes:
                    self.routes = list(reversed(m.values("record-route")))
                self.remote_tag = m.to_tag
            if m.contact_uri:
                self.target = m.contact_uri

    def request(self, method, headers=(), body=b"", uri=None, cseq=None, tag=None, contact=True, way=None,
                forwards=70, vias=(), send=True, of=None):
        if cseq is None:
            if method != "ACK":
                self.number += 1
            cseq = self.number
        b = branch()
        way = way or self.way
        if not isinstance(way, Connection) and way[0] != "udp":
            way = self.way = self.phone.connection(way[1], way[0])
        name = way.transport.upper() if isinstance(way, Connection) else "UDP"
        to = "To: <%s>" % self.remote_uri
        remote = self.remote_tag if tag is None else tag
        if remote:
            to += ";tag=" + remote
        target = uri or self.target
        lines = ["%s %s SIP/2.0" % (method, target),
                 "Via: SIP/2.0/%s %s;branch=%s;rport" % (name, self.phone.at, b)]
        lines += ["Via: " + v for v in vias]
        lines += ["Max-Forwards: %d" % forwards] if forwards is not None else []
        lines += ["Route: " + r for r in self.routes]
        lines += [self.from_line(), to, "Call-ID: " + self.callid, "CSeq: %d %s" % (cseq, of or method)]
        if contact and method in ("INVITE", "UPDATE", "SUBSCRIBE", "REFER", "NOTIFY"):
            lines.append("Contact: <%s>" % self.contact)
        if body and not any(h[0].lower() == "content-type" for h in headers):
            lines.append("Content-Type: application/sdp")
        lines += ["%s: %s" % h for h in headers] + ["Content-Length: %d" % len(body), "", ""]
        data = "\r\n".join(lines).encode() + body
        sent = Sent(self, method, cseq, data, way, b)
        if method == "INVITE":
            self.sent = sent
        if send:
            self.phone.put(data, way)
        return sent

    def from_line(self):
        return "From: <%s>%s" % (self.local_uri, self.local_tag and ";tag=" + self.local_tag)

    def ack(self, sent=None, body=b"", headers=()):
        sent = sent or self.sent
        return self.request("ACK", cseq=sent.cseq, body=body, headers=headers)

    # ---- the receiving side

    def answer(self, code, **kw):
        """To the INVITE that made it, or the last one that came."""
        return self.invite.answer(code, **kw)

    def requests(self, method=None):
        with NETWORK.changed:
            return [m for m in self.phone.requests if m.callid == self.callid and method in (None, m.method)]

    def heard(self, method, timeout=5.0, cseq=None):
        """The next request of this dialog with that method that the test has not had yet."""
        def found():
            for m in self.requests(method):
                key = (m.method, m.branch)
                if key not in self.used and (cseq is None or m.cseq == cseq):
                    self.used.add(key)
                    return m
            return None
        m = rig.wait(found, timeout, "%s at %s (there are %s)" % (method, self.phone.at,
                                                                  [x.first for x in self.requests()]))
        if method in ("INVITE", "UPDATE") and m.contact_uri:
            self.target = m.contact_uri
        h = Heard(self, m)
        if method == "INVITE":
            self.invite = h
        return h

    def quiet(self, method, seconds=0.4):
        rig.hold(lambda: not [m for m in self.requests(method) if (m.method, m.branch) not in self.used], seconds,
                 "%s comes" % method)


class TlsLine(TlsConnection):
    """One that the phone opened, its handshake done."""

    def __init__(self, phone, sock, peer):
        self.shaken = True
        Connection.__init__(self, phone, sock, peer)


class Phone(Registrar):
    """REGISTERs and keep-alive OPTIONS are answered as a registrar would; all else waits
    for the test."""

    def __init__(self, address, user="phone", **kw):
        super().__init__(address, **kw)
        self.user, self.taken, self.lines = user, set(), {}
        self.mode, self.modes = SILENT, {"REGISTER": "up"}

    def receive(self, data, source, transport, conn):
        if data.startswith(b"OPTIONS"):
            to = re.search(rb"(?im)^(?:To|t)\s*:[^\r]*", data)
            self.modes["OPTIONS"] = SILENT if to and b"tag=" in to.group(0) else self.options
        super().receive(data, source, transport, conn)

    options = "up"  # what those of keep-alive get
    tls_client = tls_expects = None  # an ssl.SSLContext and the gateway's name, to connect by TLS

    def put(self, data, way):
        """way: a Connection, ("udp", (address, port)), ("tcp", ...) or ("tls", ...)."""
        with NETWORK.changed:
            if isinstance(way, Connection):
                way.send(data)
            elif way[0] != "udp":
                self.connection(way[1], way[0]).send(data)
            else:
                self.udp.sendto(data, way[1])

    def connection(self, peer, transport="tcp"):
        with NETWORK.changed:
            c = self.lines.get(peer)
            if c and c in self.connections:
                return c
        s = socket.socket(self.family, socket.SOCK_STREAM)
        s.bind((self.address, 0))
        s.settimeout(5)
        s.connect(peer)
        if transport == "tls":
            s = self.tls_client.wrap_socket(s, server_hostname=self.tls_expects)
        with NETWORK.changed:
            c = self.lines[peer] = (TlsLine if transport == "tls" else Connection)(self, s, peer)
            self.connections.append(c)
            return c

    # ---- calls

    def leg(self, to, uri, from_user=None, from_host=None, transport="udp", callid=None):
        """A dialog that is not yet; to: address text or a Case's gateway."""
        host, port = re.fullmatch(r"\[?(.*?)\]?(?::(\d+))?", to).groups()
        leg = Leg(self, (transport, (host, int(port or 5060))), callid)
        leg.local_uri = "sip:%s@%s" % (from_user or self.user, from_host or self.text(0)[:-2])
        leg.remote_uri = leg.target = uri
        return leg

    def call(self, to, uri, body=SDP, headers=(), **kw):
        leg = self.leg(to, uri, **kw)
        leg.request("INVITE", headers=headers, body=body)
        return leg

    def take(self, method="INVITE", timeout=5.0, match=None):
        """The next request outside of a dialog; a Leg with .invite set."""
        def found():
            with NETWORK.changed:
                for m in self.requests:
                    if m.method == method and m.branch not in self.taken and not m.to_tag and (
                            not match or match(m)):
                        self.taken.add(m.branch)
                        return m
            return None
        m = rig.wait(found, timeout, "%s at %s (there are %s)" % (method, self.at, self.methods()))
        way = m.conn if m.conn else ("udp", m.source)
        leg = Leg(self, way, m.callid)
        leg.remote_tag, leg.remote_uri, leg.local_uri = m.from_tag, m.uri_of("from"), m.uri_of("to")
        leg.target, leg.routes = m.contact_uri, m.values("record-route")
        leg.used.add((m.method, m.branch))
        leg.invite = Heard(leg, m)
        return leg

    def methods(self):
        with NETWORK.changed:
            return [m.first for m in self.requests if m.method not in ("REGISTER", "OPTIONS")]

    def none(self, method="INVITE", seconds=0.4):
        """No further request of that method comes."""
        rig.hold(lambda: not [m for m in self.requests if m.method == method and m.branch not in self.taken],
                 seconds, "%s comes to %s" % (method, self.at))


def established(caller_leg, callee, body=SDP2, **kw):
    """From the INVITE sent to the ACK received; the callee's leg."""
    other = callee.take("INVITE", **kw)
    other.answer(200, body=body)
    caller_leg.sent.code(200)
    caller_leg.ack()
    other.heard("ACK")
    return other


def hang_up(leg, other):
    bye = leg.request("BYE")
    other.heard("BYE").answer(200)
    bye.code(200)
