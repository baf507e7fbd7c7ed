"""Hosts behind a router, each in a namespace of its own at an address of either family; and a
wire that loses, doubles and reorders what it carries."""
import fcntl
import heapq
import itertools
import os
import random
import select
import struct
import threading
import time

import rig
from rig import check, wait
from space import Space


class Node(Space):
    """A host at an address of each family, reached through the hub."""

    def __init__(self, hub, number):
        super().__init__(hub.c)
        self.hub, self.number = hub, number
        self.four, self.six = "10.77.%d.2" % number, "fd77:%d::2" % number
        self.dev, self.port = "eth%d" % number, "port%d" % number
        hub.ip("link", "add", self.port, "type", "veth", "peer", "name", self.dev)
        hub.ip("link", "set", self.dev, "netns", str(self.keeper.pid))
        hub.ip("addr", "add", "10.77.%d.1/24" % number, "dev", self.port)
        hub.ip("-6", "addr", "add", "fd77:%d::1/64" % number, "dev", self.port, "nodad")
        hub.ip("link", "set", self.port, "up")
        self.address(self.four + "/24")
        self.address(self.six + "/64")
        self.up()

    def address(self, text, do="add"):
        self.ip("addr", do, text, "dev", self.dev, *(["nodad"] if ":" in text and do == "add" else []))

    def up(self):
        """The link, and the ways over it, which go with it."""
        self.ip("link", "set", self.dev, "up")
        wait(lambda: "state UP" in self.ip("link", "show", self.dev), 5, "the link")
        self.ways()

    def ways(self):
        self.ip("route", "replace", "default", "via", "10.77.%d.1" % self.number)
        self.ip("-6", "route", "replace", "default", "via", "fd77:%d::1" % self.number)


class Hub(Space):
    """Routes between its nodes."""

    def __init__(self, c):
        super().__init__(c)
        for name in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
            if self.run("sh", "-c", "echo 1 > /proc/sys/net/" + name).returncode:
                raise rig.Skip("no forwarding in namespaces here")

    def node(self, number):
        return Node(self, number)


# ---- a bad wire --------------------------------------------------------------------------

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 1, 0x1000


def tun(space, name):
    with space:
        try:
            fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as e:
            raise rig.Skip("neither netem nor /dev/net/tun: %s" % e)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


class BadWire:
    """Two spaces with a wire between them: netem where the kernel has it, else devices whose
    packets this program carries.  worse() makes it bad; 10.78.0.1 and .2 are its ends."""

    LOSS, TWICE, LATE, DELAY = 0.10, 0.02, 0.25, (0.02, 0.06)

    def __init__(self, c, near, far, seed):
        self.near, self.far, self.rnd = near, far, random.Random(seed)
        self.count = {"carried": 0, "lost": 0, "twice": 0, "late": 0}
        self.bad, self.kind, self.closed = False, "netem", False
        near.ip("link", "add", "wire1", "type", "veth", "peer", "name", "wire2")
        if near.run("tc", "qdisc", "add", "dev", "wire1", "root", "netem", "loss", "0%").returncode == 0:
            near.ip("link", "set", "wire2", "netns", str(far.keeper.pid))
        else:
            near.ip("link", "del", "wire1")
            self.kind = "a wire of our own"
            self.fds = [tun(near, "wire1"), tun(far, "wire2")]
            self.thread = threading.Thread(target=self.carry, daemon=True)
            self.thread.start()
            c.stack.append(self.close)
        for space, dev, ip in ((near, "wire1", "10.78.0.1/24"), (far, "wire2", "10.78.0.2/24")):
            space.ip("addr", "add", ip, "dev", dev)
            space.ip("link", "set", dev, "up")

    def worse(self):
        self.bad = True
        if self.kind == "netem":
            for space, dev in ((self.near, "wire1"), (self.far, "wire2")):
                done = space.run("tc", "qdisc", "replace", "dev", dev, "root", "netem", "loss", "10%", "duplicate", "2%",
                                 "delay", "40ms", "20ms", "reorder", "25%")
                check(done.returncode == 0, done.stderr)

    def carry(self):
        due, order = [], itertools.count()
        while not self.closed:
            left = max(0.0, due[0][0] - time.monotonic()) if due else 0.2
            for fd in select.select(self.fds, [], [], min(left, 0.2))[0]:
                to = self.fds[1 - self.fds.index(fd)]
                for _ in range(100):
                    try:
                        packet = os.read(fd, 65536)
                    except OSError:
                        break
                    for delay in self.fate():
                        heapq.heappush(due, (time.monotonic() + delay, next(order), to, packet))
            while due and due[0][0] <= time.monotonic():
                _, _, to, packet = heapq.heappop(due)
                try:
                    os.write(to, packet)
                except OSError:
                    pass  # no room there: lost as well

    def fate(self):
        """The delays of its copies."""
        self.count["carried"] += 1
        if not self.bad:
            return [0.0]
        if self.rnd.random() < self.LOSS:
            self.count["lost"] += 1
            return []
        late = self.rnd.random() < self.LATE
        self.count["late"] += late
        copies = [self.rnd.uniform(*self.DELAY) if late else 0.0]
        if self.rnd.random() < self.TWICE:
            self.count["twice"] += 1
            copies.append(self.rnd.uniform(*self.DELAY))
        return copies

    def close(self):
        self.closed = True
        self.thread.join(2)
        for fd in self.fds:
            os.close(fd)
