"""A name server as small as the tests need it: what a dictionary has, over UDP."""
import socket
import struct

from registrar import NETWORK

TYPES = {"A": 1, "AAAA": 28, "SRV": 33, "NAPTR": 35}
KINDS = {kind: text for text, kind in TYPES.items()}


def name(text):
    return b"".join(bytes([len(x)]) + x.encode() for x in text.strip(".").split(".")) + b"\0"


class Names:
    """zone: (name, "A") -> list of addresses, (name, "SRV") -> list of (priority, weight, port,
    target), (name, "NAPTR") -> list of (order, preference, service, replacement).  It may change at any time.  at: what RG_DNS is to hold."""

    def __init__(self, address, zone, port=5353, ttl=60):
        self.zone, self.ttl, self.asked = zone, ttl, []
        self.at = "%s:%d" % (address, port)
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((address, port))
        NETWORK.add(self.sock, self.readable)

    def close(self):
        with NETWORK.changed:
            NETWORK.remove(self.sock)

    def readable(self):
        data, peer = self.sock.recvfrom(4096)
        labels, i = [], 12
        while data[i]:
            labels.append(data[i + 1:i + 1 + data[i]].decode().lower())
            i += 1 + data[i]
        kind = struct.unpack(">H", data[i + 1:i + 3])[0]
        question = data[12:i + 5]
        asked = ".".join(labels)
        self.asked.append((asked, kind))
        rows = [self.row(kind, v) for v in self.zone.get((asked, KINDS.get(kind)), [])]
        known = any((asked, t) in self.zone for t in TYPES)
        head = data[:2] + struct.pack(">HHHHH", 0x8580 | (0 if known else 3), 1, len(rows), 0, 0)
        answer = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, self.ttl, len(r)) + r for r in rows)
        self.sock.sendto(head + question + answer, peer)

    @staticmethod
    def row(kind, v):
        if kind == TYPES["SRV"]:
            return struct.pack(">HHH", *v[:3]) + name(v[3])
        if kind == TYPES["NAPTR"]:
            text = b"".join(bytes([len(x)]) + x.encode() for x in ("s", v[2], ""))
            return struct.pack(">HH", *v[:2]) + text + name(v[3])
        return socket.inet_pton(socket.AF_INET6 if kind == TYPES["AAAA"] else socket.AF_INET, v)
