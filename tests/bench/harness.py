"""What the benchmarks share: the simulated registrar, a daemon under test, and its CPU
time and memory as /proc tells them.  Linux only, standard library only."""
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
NET = os.environ.get("BENCH_NET", "127.0.77")  # a loopback network for this run
REG1, REG2, PEER = NET + ".10", NET + ".11", NET + ".1"
CTL = (NET + ".9", 5999)
TMP = tempfile.mkdtemp(prefix="rg-bench-")
OUT = [None]  # where programs are built and results go

CORES = sorted(os.sched_getaffinity(0))
SIM_CORE = [CORES[-1]] if len(CORES) > 1 else CORES
DUT_CORE = [CORES[0]]


def pin(cores):
    return lambda: os.sched_setaffinity(0, cores)


def build(name, *libs):
    """Compile one of the C programs next to this file, when it is newer."""
    src, exe = os.path.join(HERE, name + ".c"), os.path.join(OUT[0], name)
    if not os.path.exists(exe) or os.path.getmtime(exe) < os.path.getmtime(src):
        subprocess.run(["cc", "-std=c11", "-O2", "-o", exe, src, *libs], check=True)
    return exe


class Regsim:
    def __init__(self, *args, addrs=(REG1 + ":5060",)):
        self.proc = subprocess.Popen(
            [build("regsim"), "--quiet", "--control", "%s:%d" % CTL, *map(str, args), *addrs],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, preexec_fn=pin(SIM_CORE))
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.connect(CTL)
        self.sock.settimeout(0.2)
        for _ in range(50):
            if self.proc.poll() is not None:
                raise RuntimeError("regsim did not start: is %s in use?" % NET)
            try:
                self.ctl("count")
                break
            except OSError:
                time.sleep(0.02)
        self.sock.settimeout(20)

    def ctl(self, cmd):
        self.sock.send(cmd.encode())
        text = self.sock.recv(65536).decode()
        return json.loads(text) if text.startswith("{") else text.strip()

    def wait(self, key, value, timeout, step=0.01, daemon=None):
        """Wait until the counter reaches the value; False when time is up."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if daemon and not daemon.alive():
                raise RuntimeError("the daemon ended: " + daemon.last_words())
            if self.ctl("count")[key] >= value:
                return True
            time.sleep(step)
        return False

    def stop(self):
        if self.proc.poll() is None:
            self.proc.terminate()
        self.proc.communicate(timeout=30)
        self.sock.close()


def session_pids(sid):
    pids = []
    for d in os.listdir("/proc"):
        if d.isdigit():
            try:
                with open("/proc/%s/stat" % d) as f:
                    if int(f.read().rsplit(")", 1)[1].split()[3]) == sid:
                        pids.append(int(d))
            except (OSError, IndexError):
                pass
    return pids


class Daemon:
    """A process tree in a session of its own, in the foreground."""

    def __init__(self, argv, cores=None, name="daemon", env=None):
        self.start = time.monotonic()
        self.log = os.path.join(TMP, name + ".log")
        with open(self.log, "wb") as log:
            self.proc = subprocess.Popen(argv, start_new_session=True, stdout=log, stderr=subprocess.STDOUT,
                                         stdin=subprocess.DEVNULL, preexec_fn=pin(cores or CORES),
                                         env={**os.environ, **(env or {})})
        self.sid = self.proc.pid

    def alive(self):
        return self.proc.poll() is None

    def last_words(self):
        with open(self.log, errors="replace") as f:
            return "".join(f.readlines()[-5:])

    def cpu(self):
        """CPU seconds of all threads of all its processes (exact, from schedstat)."""
        total = 0
        for p in session_pids(self.sid):
            try:
                for t in os.listdir("/proc/%d/task" % p):
                    with open("/proc/%d/task/%s/schedstat" % (p, t)) as f:
                        total += int(f.read().split()[0])
            except OSError:
                pass
        return total / 1e9

    def pss(self):
        """Proportional set size in KiB over all its processes."""
        total = 0
        for p in session_pids(self.sid):
            try:
                with open("/proc/%d/smaps_rollup" % p) as f:
                    total += sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
            except OSError:
                pass
        return total

    def stop(self, timeout=20):
        if self.alive():
            self.proc.terminate()
            try:
                self.proc.wait(timeout)
            except subprocess.TimeoutExpired:
                pass
        for p in session_pids(self.sid):  # only what this object started
            try:
                os.kill(p, signal.SIGKILL)
            except OSError:
                pass
        self.proc.wait()


def median(rows, key):
    values = [r[key] for r in rows if r and r.get(key) is not None]
    return statistics.median(values) if values else None


def register(start, n, expires=3600, timeout=120, also=None):
    """Start the daemon with n accounts; figures until all of them are registered."""
    sim, d = Regsim("--expires", expires, "--expect", n), None
    try:
        d = start(n)
        if not sim.wait("registers", 1, timeout, 0.001, d):
            raise RuntimeError("no REGISTER came: " + d.last_words())
        cpu0 = d.cpu()
        done = sim.wait("aors", n, timeout, 0.02, d)
        wall = time.monotonic() - d.start
        time.sleep(2)  # the last answers and the ends of transactions count, too
        cpu1, pss, s = d.cpu(), d.pss(), sim.ctl("stats")
        ok = s["aors_registered"]
        row = {"n": n, "done": done, "registered": ok, "start_to_all_s": round(wall, 2),
               "us_per_reg": round((cpu1 - cpu0) / max(ok, 1) * 1e6, 1), "load_cpu_s": round(cpu0, 3),
               "pss_kib": pss, "retransmissions": s["retransmissions"], "challenges": s["challenges"],
               "refused": s["wrong_digest"] + s["wrong_user"] + s["rejected"],
               "max_per_s": s["max_register_ok_per_s"],
               "sim_drops": s["socket_drops"]}
        if also:
            row.update(also(d, sim))
        return row
    finally:
        if d:
            d.stop()
        sim.stop()


def steady(d, sim, seconds):
    """CPU per refresh while accounts are refreshed as their leases want."""
    a, c0, t0 = sim.ctl("stats"), d.cpu(), time.monotonic()
    time.sleep(seconds)
    c1, t1, b = d.cpu(), time.monotonic(), sim.ctl("stats")
    ok = b["register_ok"] - a["register_ok"]
    return {"seconds": round(t1 - t0, 1), "refreshes": ok, "us_per_refresh": round((c1 - c0) / max(ok, 1) * 1e6, 1),
            "per_s": round(ok / (t1 - t0)), "challenges": b["challenges"] - a["challenges"],
            "lapses": b["lapses"], "callid_changes": b["callid_changes"]}


def floor(n):
    """The bare loop that only registers: CPU per registration."""
    exe = build("regflood", "-lcrypto")
    sim = Regsim("--expect", n)
    try:
        out = subprocess.run([exe, REG1, "5060", str(n)], capture_output=True, timeout=120, check=True,
                             preexec_fn=pin(DUT_CORE)).stdout
        r = json.loads(out)
        return {"n": n, "us_per_reg": r["cpu_us_per_reg"], "start_to_all_s": r["wall_s"], "registered": r["ok"]}
    finally:
        sim.stop()


signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that "finally" clauses run
