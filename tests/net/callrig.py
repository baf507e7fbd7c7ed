"""What the tests of calls share: a gateway with a PBX on one side and an ITSP on the other."""
import signal

import rig
from phone import SDP, SDP2, Phone, established, hang_up  # noqa: F401 (for the tests)
from rig import account, check, equal, section, wait  # noqa: F401
from sip import Challenge


class World:
    """PBX at .2, ITSP's servers from .10 on, one account "alice" of theirs.

    gate, itsp, pbx, proxy, served, interface: columns of [Gateway], of the two groups and their
    proxy sets, of the SIP interface; accounts: text, or a list of names; more: text."""

    def __init__(self, c, servers=1, accounts=("alice",), gate=None, itsp=None, pbx=None, proxy=None,
                 served=None, interface=None, more="", transport=0, pbx_transport=0, auth=True, bound=True,
                 pbxs=1, start=True, **kw):
        self.c, self.gw = c, c.local + ":5060"
        self.itsps = [self.phone(10 + i, "itsp") for i in range(servers)]
        for p in self.itsps:
            p.auth = [Challenge()] if auth else []
        self.pbxs = [self.phone(2 + i, "pbx") for i in range(pbxs)]
        self.itsp, self.pbx = self.itsps[0], self.pbxs[0]
        if not isinstance(accounts, str):
            accounts = "".join(account(a) for a in accounts)
        self.parts = dict(gate=gate or {}, itsp=itsp or {}, pbx=pbx or {}, proxy=proxy or {}, served=served or {},
                          interface=interface or {}, more=more, transport=transport, pbx_transport=pbx_transport,
                          accounts=accounts)
        self.d = None
        if start:
            self.begin(**kw)
            for name in [a["name"] for a in self.d.accounts()] if bound is True else bound or []:
                self.d.registered(name)

    def begin(self, **kw):
        self.d = self.c.daemon(self.config(), **kw)
        self.c.stack.append(self.first_stop)

    def first_stop(self):
        """Calls that a case leaves up are hung up by the second SIGTERM."""
        if not self.d.ended and self.d.proc.poll() is None and self.d.ctl("status")["calls"]:
            self.d.proc.send_signal(signal.SIGTERM)
            wait(lambda: self.d.log("^stopping"), 5, "the stop")

    def phone(self, last, user):
        p = Phone(self.c.ip(last), user=user)
        self.c.stack.append(p.close)
        return p

    def config(self, **change):
        x = {**self.parts, **change}
        c = self.c
        itsp = {"SIPGroupName": "group.test", **x["itsp"]}
        return (rig.gateway(**x["gate"]) + c.interface(**x["interface"])
                + rig.proxies("itsp", self.itsps, x["transport"], **x["proxy"])
                + rig.proxies("pbx", self.pbxs, x["pbx_transport"], **x["served"])
                + c.groups(itsp, x["pbx"]) + x["accounts"] + x["more"])

    # ---- from the PBX

    def out(self, user="5551", **kw):
        """The INVITE of a call from the PBX; its Leg."""
        kw.setdefault("from_user", "alice")
        return self.pbx.call(self.gw, "sip:%s@%s" % (user, self.gw), **kw)

    def up(self, **kw):
        """A call that is up; both legs."""
        leg = self.out(**kw)
        return leg, established(leg, self.itsp)

    # ---- from the ITSP

    def contact(self, name="alice", itsp=None):
        """Where the ITSP sends calls for the account: its Contact."""
        return (itsp or self.itsp).bindings[name][0]

    def come(self, name="alice", itsp=None, uri=None, **kw):
        kw.setdefault("from_user", "4711")
        itsp = itsp or self.itsp
        return itsp.call(self.gw, uri or self.contact(name, itsp), **kw)

    def up_in(self, **kw):
        leg = self.come(**kw)
        return leg, established(leg, self.pbx)

    def calls(self):
        return self.d.ctl("calls")

    def settle(self):
        """What the PBX has sent by UDP is taken, and what there was to say to it has come."""
        self.pbx.leg(self.gw, "sip:" + self.gw).request("OPTIONS").final()

    def over(self):
        wait(lambda: self.d.ctl("status")["calls"] == 0, 5, "no call left in status")
        equal(self.calls(), [], "calls")


def body_of(m):
    return m.body


def auth_ok(itsp, m):
    """The request carries good credentials (as the ITSP sees it)."""
    wrong = itsp.credentials(m)
    check(wrong is None, "credentials of %s: %s" % (m.first, itsp.faults[-1:]), m.headers)


def challenge(heard, code=401, stale=False):
    """Refuse a request with a digest challenge."""
    itsp = heard.phone
    itsp.code = code
    a = itsp.challenge(stale)
    itsp.code = 401
    heard.answer(code, headers=a.headers)
