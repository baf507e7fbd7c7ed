"""Kamailio as a test runs it: a registrar (CONFIG), or whatever another configuration makes of it."""
import json
import os
import shutil
import signal
import socket
import subprocess

import rig
from rig import check, wait

CONFIG = """#!KAMAILIO
debug=1
log_stderror=yes
fork=yes
children=2
tcp_children=2
auto_aliases=no
server_signature=no
dns=no
rev_dns=no
listen=udp:{address}:5060
listen=tcp:{address}:5060
mpath="{modules}/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "kex.so"
loadmodule "jsonrpcs.so"
modparam("jsonrpcs", "transport", 4)
modparam("jsonrpcs", "dgram_socket", "{dir}/rpc")
modparam("pv", "shvset", "answer=i:0")
modparam("usrloc", "db_mode", 0)
modparam("usrloc", "hash_size", 14)
modparam("registrar", "max_expires", {longest})
modparam("registrar", "default_expires", {longest})
modparam("registrar", "min_expires", {shortest})
modparam("auth", "algorithm", "{algorithm}")
modparam("auth", "qop", "auth")
request_route {{
	if ($shv(answer) != 0) {{
		sl_send_reply("$shv(answer)", "Told To");
		exit;
	}}
	if (is_method("OPTIONS")) {{
		sl_send_reply("200", "OK");
		exit;
	}}
	if (!is_method("REGISTER")) {{
		sl_send_reply("405", "Method Not Allowed");
		exit;
	}}
	if (!pv_www_authenticate("$td", "pw-$au", "0")) {{
		auth_challenge("$td", "1");
		exit;
	}}
	if (!save("location"))
		sl_reply_error();
}}
"""


def modules():
    for lib in ("/usr/lib/%s-linux-gnu" % os.uname().machine, "/usr/lib64", "/usr/lib"):
        if os.path.exists(lib + "/kamailio/modules/registrar.so"):
            return lib + "/kamailio/modules"
    raise rig.Skip("kamailio's modules are not installed")


class Kamailio:
    """At c.ip(last), or at an address of a namespace that wrap enters."""

    def __init__(self, c, last, longest=3600, shortest=0, algorithm="MD5", seconds=10, config=CONFIG, address=None,
                 wrap=(), **more):
        if not shutil.which("kamailio"):
            raise rig.Skip("kamailio is not installed")
        self.address, self.wrap, self.stopped = address or c.ip(last), wrap, False
        self.at = self.address + ":5060"
        self.dir = os.path.join(c.dir, "kam%d" % last)
        os.mkdir(self.dir)
        self.config = os.path.join(self.dir, "kamailio.cfg")
        with open(self.config, "w") as f:
            f.write(config.format(address=self.address, modules=modules(), dir=self.dir, longest=longest,
                                  shortest=shortest, algorithm=algorithm, **more))
        self.serial = 0
        self.log = os.path.join(self.dir, "log")
        self.start(seconds)
        c.stack.append(self.stop)

    def start(self, seconds=10):
        with open(self.log, "ab") as log:
            self.proc = rig.spawn(
                [*self.wrap, "kamailio", "-DD", "-E", "-f", self.config, "-m", "128", "-M", "16", "-Y", self.dir,
                 "-P", self.dir + "/pid"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait(lambda: self.answers() or self.proc.poll() is not None, seconds, "Kamailio at %s" % self.address)
        if self.proc.poll() is not None:
            with open(self.log, errors="replace") as f:
                raise rig.Failure("Kamailio ended:\n" + f.read()[-2000:])

    def answers(self):
        try:
            return self.rpc("core.version", timeout=0.5)
        except OSError:
            return False

    def rpc(self, method, *params, timeout=10):
        self.serial += 1
        mine = "%s/c%d" % (self.dir, self.serial)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(mine)
            try:
                s.settimeout(timeout)
                s.sendto(json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": 1}).encode(),
                         self.dir + "/rpc")
                answer = json.loads(s.recv(1 << 20))
            finally:
                os.unlink(mine)
        check("result" in answer, "%s: %s" % (method, answer))
        return answer["result"]

    def users(self):
        found = self.rpc("stats.fetch", "usrloc.registered_users")
        return int(list(found.values())[0])

    def answer(self, code):
        self.rpc("pv.shvSet", "answer", "int", code)

    def freeze(self):
        os.killpg(self.proc.pid, signal.SIGSTOP)

    def thaw(self):
        os.killpg(self.proc.pid, signal.SIGCONT)

    def stop(self):
        if self.proc.poll() is None:
            os.killpg(self.proc.pid, signal.SIGCONT)
            self.proc.terminate()
            try:
                self.proc.wait(8)
            except subprocess.TimeoutExpired:
                os.killpg(self.proc.pid, signal.SIGKILL)
                self.proc.wait()
