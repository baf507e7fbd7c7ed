"""Network namespaces for the tests: the gateway's, the registrars', and wires between them."""
import ctypes
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "net"))

import rig  # noqa: E402
from registrar import digest_registrar  # noqa: E402
from rig import check, gateway, wait  # noqa: E402

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


class Space:
    """A network namespace, kept by a process.  "with space:" is this thread in it."""

    def __init__(self, c):
        self.c = c
        self.keeper = rig.spawn(["unshare", "-n", "sleep", "300"])
        c.stack.append(self.keeper.wait)
        c.stack.append(self.keeper.kill)
        self.path = "/proc/%d/ns/net" % self.keeper.pid
        ours = os.readlink("/proc/self/ns/net")
        wait(lambda: os.readlink(self.path) != ours, 10, "the namespace")
        self.wrap = ("nsenter", "-t", str(self.keeper.pid), "-n")
        self.ip("link", "set", "lo", "up")

    def run(self, *argv, **kw):
        return subprocess.run([*self.wrap, *argv], capture_output=True, text=True, timeout=60, **kw)

    def ip(self, *argv, **kw):
        done = self.run("ip", *argv, **kw)
        check(done.returncode == 0, "ip %s: %s" % (" ".join(argv), done.stderr))
        return done.stdout

    def __enter__(self):
        """This thread alone; sockets stay where they were made."""
        enter(self.path)
        return self

    def __exit__(self, *_):
        enter("/proc/%d/ns/net" % os.getpid())


def enter(path):
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        check(LIBC.setns(fd, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno()))
    finally:
        os.close(fd)


class Lab:
    """The gateway's namespace, the registrars', and wires between them."""

    def __init__(self, c):
        self.c, self.near, self.far = c, Space(c), Space(c)

    def wire(self, number):
        return Wire(self, number)

    def start(self, text):
        return self.c.daemon(gateway(RegistrationTime=3600) + text + PBX, wrap=self.near.wrap)


class Wire:
    """A pair of devices, the gateway's near one and the registrar's far one."""

    def __init__(self, lab, number):
        self.lab, self.near, self.far = lab, "near%d" % number, "far%d" % number
        self.local, self.remote = "10.9.%d.1" % number, "10.9.%d.2" % number
        self.make()
        with lab.far:
            self.registrar = digest_registrar(self.remote)
        lab.c.stack.append(self.registrar.close)

    def make(self):
        near, far = self.lab.near.ip, self.lab.far.ip
        near("link", "add", self.near, "type", "veth", "peer", "name", self.far)
        near("link", "set", self.far, "netns", str(self.lab.far.keeper.pid))
        far("addr", "add", self.remote + "/24", "dev", self.far)
        far("link", "set", self.far, "up")
        near("addr", "add", self.local + "/24", "dev", self.near)
        near("link", "set", self.near, "up")
        wait(lambda: "state UP" in near("link", "show", self.near), 5, "the link")

    def down(self):
        self.lab.far.ip("link", "set", self.far, "down")

    def up(self):
        self.lab.far.ip("link", "set", self.far, "up")

    def count(self):
        return len(self.registrar.seen("REGISTER"))


PBX = rig.section("IPGroup", Name="PBX")


def permitted():
    """The arguments of unshare that give namespaces here, or None."""
    for how in (["-n"], ["-rn"]):
        try:
            if subprocess.run(["unshare", *how, "ip", "link", "add", "rgx", "type", "veth", "peer", "name", "rgy"],
                              capture_output=True, timeout=20).returncode == 0:
                return how
        except (OSError, subprocess.TimeoutExpired):
            pass
    return None


def run(file, net, jobs, limit=58):
    """The cases of a test program, inside a namespace of its own."""
    if not os.environ.get("RG_SPACE_INSIDE"):
        how = permitted()
        if not how:
            print("1..1\nok 1 - network namespaces # SKIP namespaces with veth are not permitted here")
            return
        os.execvpe("unshare", ["unshare", *how, sys.executable, "-B", os.path.abspath(file)],
                   {**os.environ, "RG_SPACE_INSIDE": "1"})
    rig.main(net, jobs=jobs, limit=limit)
