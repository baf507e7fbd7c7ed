"""What the loopback tests share: cases that print TAP and run side by side, a daemon
of its own for each, and conditions to wait for instead of sleeps.

A file NAME.test holds functions marked @case("what holds"); each gets a Case with a
loopback network of its own (127.FILE.CASE.x), so files and cases may run at once."""
import concurrent.futures
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

from registrar import NETWORK, Registrar, digest_registrar  # noqa: F401 (for the tests)

BUILD = os.environ.get("RG_BUILD", "build")
CASES, STARTED, LOCKS = [], [], []
SLOW = 3.0 if "asan" in os.environ.get("RG_FLAVOUR", "") or "san" in os.path.basename(BUILD) else 1.0


class Skip(Exception):
    pass


class Failure(Exception):
    pass


def case(name):
    def mark(f):
        CASES.append((name, f))
        return f
    return mark


def check(condition, text, *more):
    if not condition:
        raise Failure(str(text) + "".join("\n  " + str(m) for m in more))


def equal(got, want, text=""):
    check(got == want, "%s: got %r, want %r" % (text or "value", got, want))


def wait(condition, timeout=10.0, what="condition", step=0.02):
    """Wait until condition() is true; what it returned.  The network's events wake it;
    a daemon's state is looked at every step.  Of a turn that took longer than a second only
    that second counts: then the machine was held up, and the daemon as well."""
    left, last = timeout * SLOW, time.monotonic()
    while True:
        value = condition()
        if value:
            return value
        now = time.monotonic()
        left, last = left - min(now - last, 1.0), now
        if left <= 0:
            raise Failure("waited %.1f s in vain for %s" % (timeout * SLOW, what))
        with NETWORK.changed:
            NETWORK.changed.wait(min(step, left))


def hold(condition, seconds, what="condition"):
    """The condition stays true all that time: for what must not happen."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        check(condition(), "%s, which must not happen" % what)
        with NETWORK.changed:
            NETWORK.changed.wait(min(0.05, max(0.0, end - time.monotonic())))
    check(condition(), "%s, which must not happen" % what)


def spawn(argv, **kw):
    """A process in a group of its own, which ends with this program at the latest."""
    proc = subprocess.Popen(argv, start_new_session=True, **kw)
    STARTED.append(proc)
    return proc


def end_all(*_):
    for p in STARTED:
        if p.poll() is None:
            try:
                os.killpg(p.pid, signal.SIGCONT)
                os.killpg(p.pid, signal.SIGKILL)
            except OSError:
                pass
    if _:
        os._exit(1)


# ---- configuration -----------------------------------------------------------------

def section(name, **columns):
    return "[%s]\n%s\n" % (name, "".join("%s = %s\n" % kv for kv in columns.items()))


def gateway(**more):
    values = {"RegistrationTime": 60, "RegistrationRetryTime": 10, "RefreshJitter": 0, "HotSwapRtx": 1}
    values.update(more)
    return section("Gateway", **values)


def account(name, **more):
    values = {"Name": name, "ServedIPGroupName": "PBX", "ServingIPGroupName": "ITSP", "Username": name,
              "Password": "pw-" + name, "HostName": "itsp.test", "ContactUser": name, "Register": 1}
    values.update(more)
    return section("Account", **{k: v for k, v in values.items() if v is not None})


def proxies(name, servers, transport=0, **more):
    """A proxy set and its addresses; a server is a Registrar, or text."""
    out = section("ProxySet", Name=name, **more)
    for i, s in enumerate(servers):
        out += section("ProxyIp", ProxySetId=name, ProxyIpIndex=i, IpAddress=getattr(s, "at", s),
                       TransportType=transport)
    return out


class Case:
    def __init__(self, number, name):
        self.net = "127.%d.%d" % (FILE_NET, number)
        self.name, self.stack, self.notes, self.daemons = name, [], [], []
        self.dir = tempfile.mkdtemp(prefix="rg-net-")
        self.local = self.ip(1)

    def ip(self, last):
        return "%s.%d" % (self.net, last)

    def registrar(self, last=10, **kw):
        r = digest_registrar(self.ip(last), **kw)
        self.stack.append(r.close)
        return r

    def open_registrar(self, last=10, **kw):
        r = Registrar(self.ip(last), **kw)
        self.stack.append(r.close)
        return r

    def interface(self, **more):
        values = {"Name": "outside", "NetworkInterface": self.local, "UDPPort": 5060, "TCPPort": 5060,
                  "TLSPort": 0}
        values.update(more)
        return section("SIPInterface", **values)

    def groups(self, itsp=None, pbx=None):
        return (section("IPGroup", Name="ITSP", Type=0, ProxySetName="itsp", **(itsp or {}))
                + section("IPGroup", Name="PBX", Type=0, ProxySetName="pbx", **(pbx or {})))

    def config(self, servers, accounts, gate=None, proxy=None, transport=0, pbx=None, interface=None):
        """The usual configuration; accounts is text, or a list of names."""
        if not isinstance(accounts, str):
            accounts = "".join(account(a) for a in accounts)
        return (gateway(**(gate or {})) + self.interface(**(interface or {}))
                + proxies("itsp", servers, transport, **(proxy or {}))
                + (pbx or proxies("pbx", [self.ip(2) + ":5060"])) + self.groups() + accounts)

    def daemon(self, config, **kw):
        d = Daemon(self, config, **kw)
        self.daemons.append(d)
        self.stack.append(d.stop)
        return d

    def note(self, text):
        self.notes.append(text)

    def close(self):
        """Everything of the case ends; the first fault of doing so is the case's."""
        fault = None
        for end in reversed(self.stack):
            try:
                end()
            except Exception as e:
                fault = fault or e
        shutil.rmtree(self.dir, ignore_errors=True)
        if fault:
            raise fault


# ---- the daemon ----------------------------------------------------------------------

class Refused(Exception):
    """An answer with "ok": false."""


class Daemon:
    serial = 0

    def __init__(self, case, config, args=(), env=None, wait_ready=True, plugins=None, wrap=()):
        Daemon.serial += 1
        self.case, self.number = case, Daemon.serial
        self.dir = os.path.join(case.dir, "d%d" % self.number)
        self.conf = os.path.join(self.dir, "conf")
        os.makedirs(self.conf)
        self.socket = os.path.join(self.dir, "control.sock")
        self.state = os.path.join(self.dir, "state")
        os.makedirs(self.state)
        self.plugins = plugins or os.path.join(BUILD, "plugins")
        self.write(config)
        self.err, self.ended, self.expect_code = [], False, 0
        self.proc = spawn(
            [*wrap, os.path.join(BUILD, "regwayd"), "-f", self.conf, "-p", self.plugins, "-s", self.socket,
             "-S", self.state, *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})})
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        if wait_ready:
            wait(lambda: self.ready() or self.proc.poll() is not None, 15, "the control socket")
            check(self.proc.poll() is None, "regwayd ended with %s at the start" % self.proc.poll(), self.tail())

    def write(self, config, name="a.ini"):
        """Replace the configuration: text, or a dict of files (None removes one)."""
        for file, text in (config if isinstance(config, dict) else {name: config}).items():
            path = os.path.join(self.conf, file)
            if text is None:
                os.unlink(path)
                continue
            with open(path + "~", "w") as f:
                f.write(text)
            os.rename(path + "~", path)

    def read(self):
        for line in self.proc.stderr:
            self.err.append(line.decode("utf-8", "replace").rstrip("\n"))
            with NETWORK.changed:
                NETWORK.changed.notify_all()

    def log(self, pattern, since=0):
        return [x for x in self.err[since:] if re.search(pattern, x)]

    def said(self, pattern, timeout=5, since=0):
        """Wait for lines of the log, from the line number since on; they come through a pipe,
        later than what they tell of."""
        try:
            return wait(lambda: self.log(pattern, since), timeout, "the line " + pattern)
        except Failure as e:
            raise Failure("%s\n  %s" % (e, self.tail())) from None

    def tail(self, n=25):
        return "\n  ".join(["stderr:"] + self.err[-n:])

    def ready(self):
        try:
            with self.connect():
                return True
        except OSError:
            return False

    def connect(self, timeout=10):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(timeout * SLOW)
        end = time.monotonic() + timeout * SLOW
        while True:
            try:
                s.connect(self.socket)
                return s
            except BlockingIOError:  # the queue of connections is full just now
                if time.monotonic() > end:
                    raise
                time.sleep(0.005)
            except OSError:
                s.close()
                raise

    def raw(self, line, timeout=10):
        """Send one line on a connection of its own; the answer's line, read as JSON."""
        try:
            with self.connect(timeout) as s:
                s.sendall(line if isinstance(line, bytes) else line.encode() + b"\n")
                return json.loads(read_line(s))
        except OSError as e:
            raise Failure("%s of the control socket (regwayd: %s)\n  %s" % (e, self.proc.poll(), self.tail()))

    def ctl(self, cmd, **args):
        answer = self.raw(json.dumps({"cmd": cmd, "args": args}))
        if not answer["ok"]:
            raise Refused("\n".join([answer["error"], *map(str, answer.get("faults", []))]))
        return answer["data"]

    def regwayctl(self, *argv, timeout=20):
        return subprocess.run([os.path.join(BUILD, "regwayctl"), "-s", self.socket, *argv],
                              capture_output=True, text=True, timeout=timeout * SLOW)

    def accounts(self, **args):
        out, after = [], None
        while True:
            answer = self.raw(json.dumps({"cmd": "accounts", "args": {
                **args, **({"after": after} if after is not None else {})}}))
            check(answer["ok"], "accounts refused", answer)
            out += answer["data"]
            after = answer.get("next")
            if after is None:
                return out

    def account(self, name):
        return self.ctl("account", name=name)

    def counts(self):
        return self.ctl("status")["accounts"]

    def is_bound(self, name, registrar=None):
        a = self.account(name)
        return a if a["registered"] and a["state"] == "registered" and (
            not registrar or a["registrar"] == getattr(registrar, "at", registrar)) else None

    def registered(self, name, registrar=None, timeout=10):
        """Wait until the account is registered (there); its row."""
        try:
            return wait(lambda: self.is_bound(name, registrar), timeout,
                        "%s registered at %s" % (name, getattr(registrar, "at", registrar or "any")))
        except Failure as e:
            raise Failure("%s\n  %s\n  %s" % (e, self.account(name), self.tail())) from None

    def in_state(self, name, *states, timeout=10):
        try:
            return wait(lambda: (lambda a: a if a["state"] in states else None)(self.account(name)), timeout,
                        "%s in %s" % (name, "/".join(states)))
        except Failure as e:
            raise Failure("%s\n  %s\n  %s" % (e, self.account(name), self.tail())) from None

    def reload(self):
        """True, or the text of the refusal."""
        try:
            self.ctl("reload")
            return True
        except Refused as e:
            return str(e)

    def stop(self, sig=signal.SIGTERM, timeout=15):
        """It ends with 0, and sanitizers have nothing to say."""
        if self.ended:
            return
        self.ended = True
        if self.proc.poll() is None:
            self.proc.send_signal(sig)
        try:
            code = self.proc.wait(timeout * SLOW)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
            code = "nothing: it had to be killed"
        self.reader.join(5)
        bad = self.log(r"Sanitizer|runtime error:|LeakSanitizer|memory leak|-CRITICAL \*\*")
        check(not bad, "a sanitizer spoke", "\n  ".join(self.err[-60:]))
        check(code == self.expect_code, "regwayd ended with %s" % code, self.tail())


def read_line(sock, limit=64 << 20):
    data = b""
    while b"\n" not in data:
        more = sock.recv(1 << 16)
        if not more:
            raise Failure("the control socket was closed without an answer (%r)" % data[:200])
        data += more
        check(len(data) < limit, "an endless line")
    return data.partition(b"\n")[0]


def run(*argv, timeout=20, **kw):
    """A program of the build, to its end."""
    return subprocess.run([os.path.join(BUILD, argv[0]), *argv[1:]], capture_output=True, text=True,
                          timeout=timeout * SLOW, **kw)


# ---- running -------------------------------------------------------------------------

FILE_NET = 0


def claim(net):
    """A second octet that no other run of the same file is using now."""
    for octet in range(net, 250, 50):
        lock = open(os.path.join(tempfile.gettempdir(), "rg-net-%d.lock" % octet), "a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            LOCKS.append(lock)
            return octet
        except OSError:
            lock.close()
    return net


def one(number, name, function):
    c = Case(number, name)
    try:
        try:
            function(c)
        except BaseException:
            try:
                c.close()
            except Exception as e:
                c.note("and at its end: %s" % e)
            raise
        c.close()
    except Skip as e:
        return "ok %d - %s # SKIP %s" % (number, name, e)
    except Failure as e:
        return "not ok %d - %s\n%s" % (number, name, comment(str(e), c))
    except Exception:
        return "not ok %d - %s\n%s" % (number, name, comment(traceback.format_exc(), c))
    return "ok %d - %s%s" % (number, name, "".join("\n# " + n for n in c.notes))


def comment(text, c):
    text += "".join("\nnote: " + n for n in c.notes)
    for d in c.daemons if "stderr:" not in text else ():
        text += "\n" + d.tail(12)
    return "\n".join("# " + line for line in text.split("\n"))


AGAIN = 2  # so many cases of a file may fail beside the others


def alone(number, name, function, first):
    """A case that failed beside the others, once more with the machine to itself: a test
    of times may need that on a busy one.  The runner counts these and shows the first
    failure, for they are faults until shown otherwise.  RG_STRICT=1: no second try."""
    text = one(number, name, function)
    if text.startswith("not ok"):
        return first + "\n# and once more, alone:\n" + "\n".join("# " + x for x in text.split("\n")[1:])
    return "ok %d - %s # ALONE\n%s" % (number, name, "\n".join(first.split("\n")[1:]))


def main(net, jobs=6, limit=58):
    """Run the cases of the file; net is its second octet,
    limit the seconds they may take in all.  RG_CASE=TEXT picks some."""
    global FILE_NET
    FILE_NET = claim(net)
    signal.signal(signal.SIGTERM, end_all)
    signal.signal(signal.SIGINT, end_all)
    if not os.path.exists(os.path.join(BUILD, "regwayd")):
        print("not ok 1 - there is no %s/regwayd" % BUILD)
        sys.exit(1)
    only = os.environ.get("RG_CASE", "")
    todo = [(i + 1, name, f) for i, (name, f) in enumerate(CASES) if only in name or only == f.__name__]
    print("1..%d" % len(todo), flush=True)
    pool = concurrent.futures.ThreadPoolExecutor(int(os.environ.get("RG_JOBS", jobs)))
    running = [(pool.submit(one, i, name, f), i, name) for i, name, f in todo]
    end, bad, late, failed = time.monotonic() + limit * SLOW, 0, 0, []
    for future, i, name in running:
        try:
            text = future.result(max(0.1, end - time.monotonic()))
        except concurrent.futures.TimeoutError:
            text, late = "not ok %d - %s\n# not done in time" % (i, name), late + 1
        if text.startswith("not ok"):
            failed.append((i, name, CASES[i - 1][1], text))
        else:
            print(text, flush=True)
    again = len(failed) <= AGAIN and not late and not os.environ.get("RG_STRICT")
    for failure in failed:
        text = alone(*failure) if again else failure[-1]
        bad += text.startswith("not ok")
        print(text, flush=True)
    end_all()
    os._exit(1 if bad else 0)
