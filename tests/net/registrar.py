"""A scripted registrar over UDP, TCP and TLS.  All of a program's registrars share one
thread; the tests look at what was recorded and wait for conditions on it."""
import errno
import heapq
import itertools
import re
import secrets
import selectors
import socket
import ssl
import struct
import threading
import time

from sip import Answer, Challenge, Message

SILENT = "silent"
SO_TIMESTAMPNS = 35  # Linux; Python has no name for it


def arrival(ancillary):
    """When the kernel had the datagram, by time.monotonic(): that the test's own program was
    held up is nobody's delay."""
    stamp = next((struct.unpack("qq", x) for _, kind, x in ancillary if kind == SO_TIMESTAMPNS), None)
    for _ in range(10):
        before, wall, after = time.monotonic(), time.time(), time.monotonic()
        if after - before < 0.001:
            break
    age = wall - stamp[0] - stamp[1] / 1e9 if stamp else 0.0
    return before - age if 0 <= age < 60 else before


class Network:
    """The thread that runs the sockets, and the condition that every event signals."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.changed = threading.Condition()
        self.due, self.order = [], itertools.count()
        self.wake, other = socket.socketpair()
        self.wake.setblocking(False)
        other.setblocking(False)
        self.waker = other
        self.selector.register(self.wake, selectors.EVENT_READ, lambda: self.wake.recv(4096))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            timeout = max(0, self.due[0][0] - time.monotonic()) if self.due else None
            for key, _ in self.selector.select(timeout):
                with self.changed:
                    try:
                        key.data()
                    except OSError:
                        pass
                    except AttributeError:
                        if key.fileobj.fileno() >= 0:  # not just closed by a test
                            raise
                    self.changed.notify_all()
            with self.changed:
                while self.due and self.due[0][0] <= time.monotonic():
                    try:
                        heapq.heappop(self.due)[2]()
                    except OSError:
                        pass

    def later(self, delay, call):
        with self.changed:
            heapq.heappush(self.due, (time.monotonic() + delay, next(self.order), call))
        try:
            self.waker.send(b"x")
        except OSError:
            pass

    def add(self, sock, call):
        sock.setblocking(False)
        self.selector.register(sock, selectors.EVENT_READ, call)
        try:
            self.waker.send(b"x")
        except OSError:
            pass

    def remove(self, sock):
        try:
            self.selector.unregister(sock)
        except (KeyError, ValueError):
            pass
        sock.close()


NETWORK = Network()


class Connection:
    transport = "tcp"

    def __init__(self, registrar, sock, peer):
        self.registrar, self.sock, self.peer, self.buffer = registrar, sock, peer, b""
        NETWORK.add(sock, self.readable)

    def readable(self):
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.take(data)

    def take(self, data):
        if not data:
            self.close()
            return
        self.buffer += data
        while True:
            while self.buffer.startswith(b"\r\n"):
                self.registrar.pings += 1
                self.buffer = self.buffer[2:]
            head, blank, rest = self.buffer.partition(b"\r\n\r\n")
            if not blank:
                return
            m = re.search(rb"(?im)^(?:content-length|l)\s*:\s*(\d+)", head)
            size = int(m.group(1)) if m else 0
            if len(rest) < size:
                return
            self.buffer = rest[size:]
            self.registrar.receive(head + blank + rest[:size], self.peer, self.transport, self)

    def send(self, data):
        try:
            self.sock.setblocking(True)
            self.sock.sendall(data)
        finally:
            self.sock.setblocking(False)

    def close(self, reset=False):
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        NETWORK.remove(self.sock)
        if self in self.registrar.connections:
            self.registrar.connections.remove(self)


class TlsConnection(Connection):
    transport = "tls"

    def __init__(self, registrar, sock, peer):
        self.shaken = False
        sock.setblocking(False)
        super().__init__(registrar, registrar.tls.wrap_socket(
            sock, server_side=True, do_handshake_on_connect=False), peer)

    def readable(self):
        try:
            if not self.shaken:
                self.sock.do_handshake()
                self.shaken = True
                self.registrar.shaken.append(self.sock.getpeercert())
            while True:
                self.take(self.sock.recv(65536))
                if self not in self.registrar.connections:
                    return
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError as e:
            self.registrar.tls_faults.append(str(e))
            self.close()


def bind(sock, where):
    """A process that another case is starting holds what was just closed, until its exec."""
    for left in reversed(range(100)):
        try:
            sock.bind(where)
            return
        except OSError as e:
            if e.errno != errno.EADDRINUSE or not left:
                raise
            time.sleep(0.02)


class Registrar:
    """Behaviour is a matter of attributes, which a test may change at any time:

    mode        "up", SILENT or a code, for every method; modes[METHOD] outranks it
    auth        list of Challenge (empty: no digest); passwords: user -> password
    code        401 or 407;  nonce_uses: good for so many requests (None: any)
    grant       most seconds granted;  min_expires: 423 below it
    hook        called with (request, answer that would be given); what it returns is
                sent: an Answer, a list of them, bytes, or None for silence
    requests    all that came, in order; retransmissions are in it, too.  One that has had its
                final answer gets it again (RFC 3261 17.2.2) and is not counted or judged anew
    tls         an ssl.SSLContext: the registrar is there by TLS as well, at tls_port;
                shaken has what the clients showed, tls_faults how handshakes failed
    """

    def __init__(self, address, port=5060, transports=("udp", "tcp"), auth=(), passwords=None, grant=3600,
                 tls=None, tls_port=None):
        self.address, self.port, self.transports = address, port, transports
        self.family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.tls, self.tls_port, self.shaken, self.tls_faults = tls, tls_port or port + 1, [], []
        self.mode, self.modes, self.hook = "up", {}, None
        self.auth, self.passwords = list(auth), passwords or (lambda user: "pw-" + user)
        self.code, self.nonce_uses, self.grant, self.min_expires = 401, None, grant, 0
        self.extra = []                # headers of every 200 to REGISTER
        self.requests, self.answers, self.connections, self.faults = [], [], [], []
        self.bindings, self.nonces, self.nc, self.pings = {}, {}, {}, 0
        self.accepted, self.arrived, self.finals = 0, None, {}
        self.udp = self.tcp = self.secure = self.other = None
        self.start()

    def text(self, port):
        return "%s:%d" % ("[%s]" % self.address if ":" in self.address else self.address, port)

    @property
    def at(self):
        return self.text(self.port)

    @property
    def at_tls(self):
        return self.text(self.tls_port)

    # ---- sockets

    def start(self):
        with NETWORK.changed:
            if "udp" in self.transports and not self.udp:
                self.udp = socket.socket(self.family, socket.SOCK_DGRAM)
                self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
                self.udp.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
                bind(self.udp, self.where(self.port))
                NETWORK.add(self.udp, self.datagrams)
            if "tcp" in self.transports and not self.tcp:
                self.tcp = self.listener(self.port)
                NETWORK.add(self.tcp, lambda: self.accept(self.tcp, Connection))
            if self.tls and not self.secure:
                self.secure = self.listener(self.tls_port)
                NETWORK.add(self.secure, lambda: self.accept(self.secure, TlsConnection))

    def where(self, port):
        return socket.getaddrinfo(self.address, port, self.family, socket.SOCK_DGRAM)[0][4]

    def listener(self, port):
        s = socket.socket(self.family, socket.SOCK_STREAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bind(s, self.where(port))
        s.listen(64)
        return s

    def refuse(self):
        """Close everything: ICMP and RST answer from now on, until start()."""
        with NETWORK.changed:
            for s in (self.udp, self.tcp, self.secure):
                if s:
                    NETWORK.remove(s)
            self.udp = self.tcp = self.secure = None
            self.disconnect()

    def disconnect(self, reset=False):
        with NETWORK.changed:
            for c in list(self.connections):
                c.close(reset)

    def accept(self, listener, kind):
        sock, peer = listener.accept()
        self.accepted += 1
        self.connections.append(kind(self, sock, peer[:2]))

    def datagrams(self):
        for _ in range(200):
            try:
                data, more, _, peer = self.udp.recvmsg(65536, 256)
            except (BlockingIOError, AttributeError):
                return
            self.arrived = arrival(more)
            self.receive(data, peer[:2], "udp", None)

    def send_from(self, data, to):
        """A datagram of the test's own from the registrar's port."""
        self.udp.sendto(data, to)

    # ---- requests

    def receive(self, data, source, transport, conn):
        if not data.strip(b"\r\n\0 "):
            self.pings += 1
            return
        at, self.arrived = self.arrived or time.monotonic(), None
        try:
            m = Message(data, source, at, transport, self, conn)
        except (ValueError, IndexError) as e:
            self.faults.append("%s: %r" % (e, data[:200]))
            return
        if m.status:
            self.answers.append(m)
            return
        self.requests.append(m)
        mode = self.modes.get(m.method, self.mode)
        if mode == SILENT or m.method == "ACK":
            return
        transaction = (m.branch, m.method, m.callid, m.cseq) if transport == "udp" else None
        if transaction in self.finals:
            due, answers = self.finals[transaction]
            for a in answers if time.monotonic() >= due else ():
                self.send(m, a)
            return
        if mode != "up":
            answer = Answer(mode)
        elif m.method == "REGISTER":
            answer = self.register(m)
        elif m.method in ("OPTIONS", "BYE", "CANCEL"):
            answer = Answer(200)
        else:
            answer = Answer(405)
        if self.hook:
            try:
                answer = self.hook(m, answer)
            except Exception as e:  # a fault of the test: say so, and stay alive
                self.faults.append("hook: %r" % e)
                raise OSError from e
        out = [Answer(0, raw=a) if isinstance(a, bytes) else a
               for a in (answer if isinstance(answer, list) else [answer]) if a is not None]
        if transaction and any(a.final for a in out):
            self.finals[transaction] = (time.monotonic() + max(a.delay for a in out), [a for a in out if a.final])
        for a in out:
            if a.delay:
                NETWORK.later(a.delay, lambda a=a: self.send(m, a))
            else:
                self.send(m, a)

    def send(self, m, a):
        data = a.text(m)
        for _ in range(a.copies):
            if m.conn:
                m.conn.send(data)
            elif a.other_port:
                if not self.other:
                    self.other = socket.socket(self.family, socket.SOCK_DGRAM)
                    self.other.bind(self.where(0))
                self.other.sendto(data, m.source)
            elif self.udp:
                self.udp.sendto(data, m.source)
        if a.close and m.conn:
            m.conn.close()

    def challenge(self, stale=False):
        self.nonces[nonce := secrets.token_hex(12)] = 0
        name = "WWW-Authenticate" if self.code == 401 else "Proxy-Authenticate"
        return Answer(self.code, [(name, c.line(nonce, stale)) for c in self.auth])

    def credentials(self, m):
        """None if they are good, else the answer."""
        auth = m.auth
        if not auth or not auth.get("nonce"):
            return self.challenge()
        ours = [c for c in self.auth if c.realm == auth.get("realm")
                and (c.algorithm or "MD5").upper() == auth.get("algorithm", "MD5").upper()]
        if not ours:
            self.faults.append("%s: no such challenge: %s" % (m.user, auth))
            return self.challenge()
        nonce = auth["nonce"]
        if nonce not in self.nonces:
            return self.challenge(stale=True)
        wrong = ours[0].check(m, auth, self.passwords(auth.get("username", "")))
        if wrong:
            self.faults.append("%s: %s" % (m.user, wrong))
            return self.challenge()
        if auth.get("nc"):
            nc, key = int(auth["nc"], 16), (nonce, m.user)
            if nc <= self.nc.get(key, 0) and m.branch not in self.nc:
                self.faults.append("%s: nc %d again" % (m.user, nc))
                return self.challenge(stale=True)
            self.nc[key] = nc
            self.nc[m.branch] = nc
        self.nonces[nonce] += 1
        if self.nonce_uses is not None and self.nonces[nonce] > self.nonce_uses:
            return self.challenge(stale=True)
        return None

    def register(self, m):
        if self.auth and (refused := self.credentials(m)):
            return refused
        if not m.contact: # RFC 3261 10.2.3: only asked
            have = self.bindings.get(m.user)
            return Answer(200, [("Contact", "<%s>;expires=60" % have[0])] if have else [])
        asked = m.expires
        if asked and asked < self.min_expires:
            return Answer(423, [("Min-Expires", str(self.min_expires))])
        granted = min(asked, self.grant)
        if m.contact.strip() == "*" or granted == 0:
            self.bindings.pop(m.user, None)
            return Answer(200, self.extra)
        self.bindings[m.user] = (m.contact_uri, time.monotonic() + granted, m)
        return Answer(200, [("Contact", "<%s>;expires=%d" % (m.contact_uri, granted))] + self.extra)

    # ---- looking back

    def seen(self, method="REGISTER", since=0.0, user=None, auth=None, repeats=False):
        """Requests, each transaction once unless repeats are wanted."""
        out, branches = [], set()
        with NETWORK.changed:
            for m in self.requests:
                if m.method != method or m.time < since or (user and m.user != user):
                    continue
                if auth is not None and bool(m.auth) != auth:
                    continue
                if not repeats and m.branch in branches:
                    continue
                branches.add(m.branch)
                out.append(m)
        return out

    def bound(self, user):
        b = self.bindings.get(user)
        return bool(b and b[1] > time.monotonic())

    def close(self):
        self.refuse()
        if self.other:
            self.other.close()


def digest_registrar(address, **kw):
    """The usual one: MD5 with qop=auth."""
    return Registrar(address, auth=[Challenge()], **kw)
