"""Runs as a unit of the container that ../service.test boots: tries the installed service
the way an operator would, with systemctl, journalctl and regwayctl."""
import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, "/out/net")
os.environ["RG_BUILD"] = "/nowhere"
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
from registrar import NETWORK, digest_registrar  # noqa: E402

CTL = "/opt/regway/bin/regwayctl"
CONFIG = """[SIPInterface]
Name = main
NetworkInterface = 127.0.50.9
UDPPort = 5060
TCPPort = 0

[ProxySet]
Name = itsp

[ProxyIp]
ProxySetId = itsp
IPAddress = 127.0.50.1

[IPGroup]
Name = PBX

[IPGroup]
Name = ITSP
ProxySetName = itsp
SIPGroupName = itsp.example

[Gateway]
UnregisterOnStop = 1
AlarmCommand = /usr/bin/true

[Account]
Name = one
ServedIPGroupName = PBX
ServingIPGroupName = ITSP
Username = u1
Password = ${ITSP_PASSWORD}
ContactUser = u1
Register = 1
"""


def run(*argv):
    return subprocess.run(argv, capture_output=True, text=True, timeout=60)


def wait(condition, timeout=30):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        with NETWORK.changed:
            NETWORK.changed.wait(0.05)
    return None


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def show(unit, what):
    return run("systemctl", "show", "-P", what, unit).stdout.strip()


def case(name, good, *why):
    print("%s - %s" % ("ok" if good else "not ok", name), flush=True)
    if not good:
        for w in why:
            for line in str(w).splitlines():
                print("# " + line, flush=True)


def account(name, socket="/run/regway/control.sock"):
    out = run(CTL, "-s", socket, "--json", "account", name)
    return json.loads(out.stdout) if out.returncode == 0 else {}


def entries():
    run("journalctl", "--sync")
    lines = run("journalctl", "-u", "regway", "-o", "json", "--no-pager").stdout.splitlines()
    return [(e["PRIORITY"], str(e["MESSAGE"])) for e in map(json.loads, lines)]


def journal():
    return "\n".join("%s %s" % e for e in entries()[-12:])


def main():
    r = digest_registrar("127.0.50.1", passwords=lambda user: "s3cret" if user == "u1" else "")
    write("/etc/regway/regway.ini", CONFIG)
    run("systemd-tmpfiles", "--create", "/etc/tmpfiles.d/regway.conf")
    write("/etc/creds/itsp", "s3cret")
    write("/etc/systemd/system/regway.service.d/test.conf",
          "[Service]\nLoadCredential=ITSP_PASSWORD:/etc/creds/itsp\nWatchdogSec=3\n")
    run("systemctl", "daemon-reload")
    done = run("systemctl", "start", "regway")
    state = show("regway", "ActiveState")
    case("systemctl start returns when regwayd is ready", done.returncode == 0 and state == "active",
         done.stderr, state, journal())
    case("the account is registered with a password from a systemd credential",
         wait(lambda: account("one").get("registered")), account("one"), journal())
    if state != "active":
        return
    pid = show("regway", "MainPID")
    status = open("/proc/%s/status" % pid, encoding="utf-8").read()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    case("it runs as its own user and with next to no capabilities",
         fields["Uid"].split()[0] != "0" and int(fields["CapEff"], 16) in (0, 1 << 10) and
         fields["NoNewPrivs"].strip() == "1" and fields["Seccomp"].strip() == "2", status)
    mode = os.stat("/run/regway/control.sock").st_mode & 0o777
    case("the control socket is 0660", mode == 0o660, oct(mode))
    case("status says running", show("regway", "StatusText") == "running", show("regway", "StatusText"))

    write("/etc/regway/regway.ini", CONFIG + CONFIG[CONFIG.index("[Account]"):].replace("one", "two").replace("u1", "u2"))
    done = run("systemctl", "reload", "regway")
    case("systemctl reload takes a changed file", done.returncode == 0 and account("two"), done.stderr, journal())
    write("/etc/regway/regway.ini", CONFIG.replace("Register = 1", "Registr = 1"))
    done = run("systemctl", "reload", "regway")
    case("a refused file makes systemctl reload fail and changes nothing",
         done.returncode != 0 and account("one").get("registered") and account("two") and
         show("regway", "ActiveState") == "active", done, journal())
    case("the journal has the fault with its file and line, as an error or a warning",
         any("regway.ini:" in text and level in "34" for level, text in entries()), journal())
    case("no secret is in the journal", not any("s3cret" in text for _, text in entries()))
    write("/etc/regway/regway.ini", CONFIG)
    case("the file is good again", run("systemctl", "reload", "regway").returncode == 0, journal())

    seen = len(r.requests)
    os.kill(int(pid), signal.SIGSTOP)
    back = wait(lambda: show("regway", "MainPID") not in (pid, "0") and show("regway", "ActiveState") == "active", 60)
    case("one that hangs is killed by the watchdog and started again",
         back and show("regway", "NRestarts") == "1", show("regway", "NRestarts"), journal())
    case("and registers again", wait(lambda: len(r.requests) > seen and account("one").get("registered")), journal())
    case("no core was left", not [f for f in os.listdir("/var/lib/regway") if "core" in f])

    before, begun = len(r.requests), time.monotonic()
    done = run("systemctl", "stop", "regway")
    gone = [m for m in list(r.requests)[before:] if "expires=0" in str(m.headers) or m.get("Expires") == "0"]
    case("systemctl stop un-registers and ends in time",
         done.returncode == 0 and gone and time.monotonic() - begun < 20 and
         show("regway", "Result") == "success", done, show("regway", "Result"), len(gone), journal())

    for name in ("a", "b"):
        write("/etc/regway/%s/x.ini" % name, CONFIG.replace("${ITSP_PASSWORD}", "s3cret").replace("5060", str(5000 + ord(name))))
    run("chgrp", "-R", "regway", "/etc/regway")
    done = run("systemctl", "start", "regway@a", "regway@b")
    both = wait(lambda: all(account("one", "/run/regway-%s/control.sock" % n).get("registered") for n in "ab"))
    case("two instances side by side", done.returncode == 0 and both, done.stderr,
         run("journalctl", "-u", "regway@a", "--no-pager").stdout)
    done = run("systemctl", "stop", "regway@a")
    case("one of them stops, the other goes on",
         done.returncode == 0 and account("one", "/run/regway-b/control.sock").get("registered") and
         show("regway@b", "ActiveState") == "active")
    run("systemctl", "stop", "regway@b")

    write("/etc/regway/regway.ini", CONFIG.replace("Register = 1", "Register = often"))
    done = run("systemctl", "start", "regway")
    case("a refused configuration fails the start and is not tried again and again",
         done.returncode != 0 and show("regway", "ActiveState") == "failed" and
         show("regway", "ExecMainStatus") == "1", done, journal())
    done = run("systemd-analyze", "security", "--offline=no", "--no-pager", "regway")
    level = [line for line in done.stdout.splitlines() if "Overall exposure" in line]
    print("# %s" % (level or done.stderr))
    case("systemd-analyze security finds the exposure low", level and float(level[0].split(":")[1].split()[0]) < 3,
         done.stdout[-2000:])
    print("# done", flush=True)


main()
