"""Kamailio's uac module under test (packages kamailio and kamailio-sqlite-modules)."""
import json
import os
import shutil
import sqlite3
import time

import harness as h

CFG = """#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=2
listen=udp:{peer}:5070
maxbuffer=4194304
auto_aliases=no
server_signature=no
dns=no
rev_dns=no
dns_try_naptr=no
use_dns_failover=no
dns_srv_lb=no
dns_cache_init=no
mpath="{modules}/"
loadmodule "db_sqlite.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "rr.so"
loadmodule "uac.so"
loadmodule "jsonrpcs.so"
modparam("jsonrpcs", "transport", 2)
modparam("jsonrpcs", "fifo_name", "{tmp}/kam.fifo")
modparam("tm", "fr_timer", 30000)
modparam("tm", "wt_timer", 1000)
modparam("uac", "reg_db_url", "sqlite://{tmp}/kam.sqlite")
modparam("uac", "reg_contact_addr", "{peer}:5070")
modparam("uac", "reg_timer_interval", {interval})
modparam("uac", "reg_retry_interval", 5)
modparam("uac", "reg_hash_size", 14)
modparam("uac", "reg_keep_callid", 1)
modparam("uac", "reg_random_delay", {spread})
modparam("uac", "reg_gc_interval", 1)
request_route {{ sl_send_reply("404", "Not Here"); exit; }}
"""
CALLS = """#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=2
listen=udp:{peer}:5070
maxbuffer=4194304
auto_aliases=no
server_signature=no
dns=no
rev_dns=no
mpath="{modules}/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "rr.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "uac.so"
modparam("rr", "enable_full_lr", 1)
modparam("uac", "restore_mode", "none")
modparam("uac", "credential", "u1:regsim:pw-u1")
request_route {{
	if (has_totag()) {{
		if (loose_route() || (is_method("ACK") && t_check_trans()))
			t_relay();
		exit;
	}}
	if (is_method("CANCEL")) {{
		if (t_check_trans())
			t_relay();
		exit;
	}}
	t_check_trans();
	record_route();
	$du = "sip:{reg}:5060";
	t_on_failure("CHALLENGED");
	t_relay();
}}
failure_route[CHALLENGED] {{
	if (!t_is_canceled() && t_check_status("401|407") && uac_auth())
		t_relay();
}}
"""
SQL = "/usr/share/kamailio/db_sqlite/"


def modules():
    for lib in ("/usr/lib/%s-linux-gnu" % os.uname().machine, "/usr/lib64", "/usr/lib"):
        if os.path.exists(lib + "/kamailio/modules/uac.so"):
            return lib + "/kamailio/modules"
    return None


def missing():
    """None, or what keeps Kamailio from being measured."""
    if not shutil.which("kamailio"):
        return "kamailio is not installed"
    if not modules() or not os.path.exists(SQL) or not os.path.exists(modules() + "/db_sqlite.so"):
        return "kamailio-sqlite-modules is not installed"
    return None


def starter(expires=3600, interval=1, spread=3):
    def start(n):
        path = os.path.join(h.TMP, "kam.sqlite")
        if os.path.exists(path):
            os.unlink(path)
        db = sqlite3.connect(path)
        for f in ("standard-create.sql", "uac-create.sql"):
            with open(SQL + f) as text:
                db.executescript(text.read())
        db.executemany(
            "insert into uacreg(l_uuid,l_username,l_domain,r_username,r_domain,realm,auth_username,"
            "auth_password,auth_proxy,expires) values(?,?,?,?,?,?,?,?,?,?)",
            (("u%d" % i, "u%d" % i, "local", "u%d" % i, h.REG1, "regsim", "u%d" % i, "pw-u%d" % i,
              "sip:%s:5060" % h.REG1, expires) for i in range(n)))
        db.commit()
        db.close()
        cfg = os.path.join(h.TMP, "kam.cfg")
        with open(cfg, "w") as f:
            f.write(CFG.format(tmp=h.TMP, peer=h.PEER, interval=interval, spread=spread, modules=modules()))
        return h.Daemon(["kamailio", "-DD", "-E", "-f", cfg, "-m", "4000", "-M", "256", "-Y", h.TMP,
                         "-P", os.path.join(h.TMP, "kam.pid")], name="kamailio")
    return start


def caller():
    """For calls: a stateful proxy that answers the challenge."""
    def start(_):
        cfg = os.path.join(h.TMP, "calls.cfg")
        with open(cfg, "w") as f:
            f.write(CALLS.format(peer=h.PEER, reg=h.REG1, modules=modules()))
        return h.Daemon(["kamailio", "-DD", "-E", "-f", cfg, "-m", "2048", "-M", "64", "-Y", h.TMP,
                         "-P", os.path.join(h.TMP, "kam.pid")], name="kamailio")
    start.registers = False
    return start


def reload(d, sim, settle=8):
    fifo, reply = os.path.join(h.TMP, "kam.fifo"), "rgbench%d" % os.getpid()
    path = "/tmp/" + reply
    os.mkfifo(path)
    try:
        a, t0 = sim.ctl("stats"), time.monotonic()
        with open(fifo, "w") as f:
            f.write(json.dumps({"jsonrpc": "2.0", "method": "uac.reg_reload", "reply_name": reply, "id": 1}) + "\n")
        with open(path) as f:
            f.read()
        t1 = time.monotonic()
        time.sleep(settle)
        return {"reload_s": round(t1 - t0, 2), "registers": sim.ctl("stats")["registers"] - a["registers"]}
    finally:
        os.unlink(path)
