"""SIP messages and digest, as little as a scripted registrar needs."""
import hashlib
import re
import secrets

SHORT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length",
         "k": "supported", "c": "content-type", "s": "subject"}
REASON = {100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 202: "Accepted", 301: "Moved Permanently", 302: "Moved Temporarily",
          400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
          405: "Method Not Allowed", 407: "Proxy Authentication Required", 408: "Request Timeout", 423: "Interval Too Brief", 480: "Temporarily Unavailable",
          481: "Call/Transaction Does Not Exist", 486: "Busy Here", 487: "Request Terminated",
          488: "Not Acceptable Here", 491: "Request Pending", 500: "Server Internal Error",
          503: "Service Unavailable", 603: "Decline"}
HASH = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


class Message:
    """A request or an answer as it came, with the facts of its arrival."""

    def __init__(self, data, source=None, time=0.0, transport="udp", server=None, conn=None):
        head, _, self.body = data.partition(b"\r\n\r\n")
        lines = re.sub(r"\r\n[ \t]+", " ", head.decode("utf-8", "replace")).split("\r\n")
        self.first, self.headers = lines[0], []
        self.raw, self.source, self.time = data, source, time
        self.transport, self.server, self.conn = transport, server, conn
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon:
                raise ValueError("no colon in header: %r" % line)
            name = name.strip().lower()
            self.headers.append((SHORT.get(name, name), value.strip()))
        words = self.first.split(" ", 2)
        self.status = int(words[1]) if words[0] == "SIP/2.0" else 0
        self.method = "" if self.status else words[0]
        self.uri = "" if self.status else words[1]

    def get(self, name, default=None):
        return next((v for n, v in self.headers if n == name.lower()), default)

    def all(self, name):
        return [v for n, v in self.headers if n == name.lower()]

    def _param(self, header, name):
        m = re.search(r";\s*%s=([^;,\s>]+)" % name, self.get(header, ""))
        return m.group(1) if m else None

    @property
    def branch(self):
        return self._param("via", "branch")

    @property
    def from_tag(self):
        return self._param("from", "tag")

    @property
    def to_tag(self):
        return self._param("to", "tag")

    @property
    def cseq_method(self):
        return self.get("cseq", "0 x").split()[1]

    @property
    def cseq(self):
        return int(self.get("cseq", "0 x").split()[0])

    @property
    def callid(self):
        return self.get("call-id")

    @property
    def user(self):
        m = re.search(r"sips?:([^@>;]+)@", self.get("to", ""))
        return m.group(1) if m else ""

    def uri_of(self, header):
        """The URI of From, To and their like."""
        text = self.get(header, "")
        m = re.search(r"<([^>]*)>", text)
        return m.group(1) if m else text.split(";")[0].strip()

    def user_of(self, header):
        m = re.search(r"(?:sips?|tel):([^@>;]+)", self.uri_of(header))
        return m.group(1) if m else ""

    def host_of(self, header):
        m = re.search(r"sips?:(?:[^@>]*@)?([^;>:]+)", self.uri_of(header))
        return m.group(1) if m else ""

    def values(self, header):
        """Of a header with comma-separated <...> values, over all its lines."""
        return [v.strip() for line in self.all(header) for v in re.findall(r"[^,<]*<[^>]*>[^,]*|[^,]+", line)]

    @property
    def contact(self):
        return self.get("contact", "")

    @property
    def contact_uri(self):
        m = re.search(r"<([^>]*)>", self.contact)
        return m.group(1) if m else self.contact.split(";")[0]

    @property
    def expires(self):
        m = re.search(r">[^,]*;\s*expires=(\d+)", self.contact)
        return int(m.group(1) if m else self.get("expires", "3600"))

    @property
    def auth(self):
        text = self.get("authorization") or self.get("proxy-authorization")
        return digest_fields(text) if text else None

    def __repr__(self):
        return "<%.3f %s%s from %s:%s cseq %s>" % (
            self.time, self.first, " (auth)" if self.method and self.auth else "",
            *(self.source or ("?", "?")), self.get("cseq"))


def digest_fields(text):
    text = text.partition(" ")[2]
    return {k.lower(): a if a is not None and a != "" else b
            for k, a, b in re.findall(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^,\s]*))', text)}


def digest(algorithm, user, realm, password, method, uri, nonce, qop=None, nc="", cnonce="", body=b""):
    """The response of RFC 7616 3.4.1, computed anew on this side."""
    base = algorithm[:-5] if algorithm.lower().endswith("-sess") else algorithm

    def h(data):
        return hashlib.new(HASH[base.upper()], data if isinstance(data, bytes) else data.encode()).hexdigest()

    ha1 = h("%s:%s:%s" % (user, realm, password))
    if base != algorithm:
        ha1 = h("%s:%s:%s" % (ha1, nonce, cnonce))
    a2 = "%s:%s" % (method, uri)
    if qop == "auth-int":
        a2 += ":" + h(body)
    middle = "%s:%s:%s:%s" % (nonce, nc, cnonce, qop) if qop else nonce
    return h("%s:%s:%s" % (ha1, middle, h(a2)))


class Challenge:
    """One WWW-Authenticate (or Proxy-Authenticate) line and its check."""

    def __init__(self, realm="rig", algorithm="MD5", qop="auth", extra=""):
        self.realm, self.algorithm, self.qop, self.extra = realm, algorithm, qop, extra

    def line(self, nonce, stale=False):
        out = 'Digest realm="%s", nonce="%s"' % (self.realm, nonce)
        if self.algorithm:
            out += ", algorithm=%s" % self.algorithm
        if self.qop:
            out += ', qop="%s"' % self.qop
        return out + (", stale=true" if stale else "") + self.extra

    def check(self, request, auth, password):
        """None if the credentials are good, else what is wrong with them."""
        algorithm = auth.get("algorithm", "MD5")
        if algorithm.upper() != (self.algorithm or "MD5").upper():
            return "algorithm is %s" % algorithm
        if self.qop and auth.get("qop") not in self.qop.replace(" ", "").split(","):
            return "qop is %s" % auth.get("qop")
        if not self.qop and auth.get("qop"):
            return "qop without being offered"
        if auth.get("uri") != request.uri:
            return "uri is %s" % auth.get("uri")
        if auth.get("qop") and not re.fullmatch("[0-9a-f]{8}", auth.get("nc", "")):
            return "nc is %s" % auth.get("nc")
        want = digest(algorithm, auth.get("username", ""), self.realm, password, request.method,
                      auth["uri"], auth.get("nonce", ""), auth.get("qop"), auth.get("nc", ""),
                      auth.get("cnonce", ""), request.body)
        return None if auth.get("response") == want else "response does not match"


class Answer:
    """What is sent back; headers is a list of (name, value)."""

    def __init__(self, code, headers=(), reason=None, delay=0.0, copies=1, other_port=False,
                 raw=None, close=False, body=b""):
        self.code, self.reason = code, reason or REASON.get(code, "Answer")
        self.headers, self.delay, self.copies = list(headers), delay, copies
        self.other_port, self.raw, self.close, self.body = other_port, raw, close, body

    @property
    def final(self):
        return 200 <= self.code < 700 if self.raw is None else bool(re.match(rb"SIP/2.0 [2-6]\d\d ", self.raw))

    def text(self, request):
        if self.raw is not None:
            return self.raw
        to = request.get("to", "")
        if self.code > 100 and ";tag=" not in to:
            to += ";tag=" + secrets.token_hex(4)
        host, port = request.source
        vias = request.all("via")
        if vias:
            vias[0] = re.sub(r";rport(?!=)", ";rport=%d;received=%s" % (port, host), vias[0])
        lines = ["SIP/2.0 %d %s" % (self.code, self.reason)] + ["Via: " + v for v in vias]
        lines += ["From: " + request.get("from", ""), "To: " + to, "Call-ID: " + request.get("call-id", ""),
                  "CSeq: " + request.get("cseq", "")]
        lines += ["%s: %s" % h for h in self.headers]
        lines += ["Content-Length: %d" % len(self.body), "", ""]
        return "\r\n".join(lines).encode() + self.body


def request(method, uri, source, branch=None, headers=(), to=None, user="probe", cseq=1, body=b"",
            transport="UDP", callid=None):
    """A well-formed request of our own, as bytes."""
    lines = ["%s %s SIP/2.0" % (method, uri),
             "Via: SIP/2.0/%s %s:%d;branch=%s;rport" % (transport, *source,
                                                        branch or "z9hG4bK" + secrets.token_hex(8)),
             "Max-Forwards: 70", "From: <sip:%s@%s>;tag=%s" % (user, source[0], secrets.token_hex(4)),
             "To: <%s>" % (to or uri), "Call-ID: %s" % (callid or secrets.token_hex(8)),
             "CSeq: %d %s" % (cseq, method), "Contact: <sip:%s@%s:%d>" % (user, *source)]
    lines += ["%s: %s" % h for h in headers] + ["Content-Length: %d" % len(body), "", ""]
    return "\r\n".join(lines).encode() + body
