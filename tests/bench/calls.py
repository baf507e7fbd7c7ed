"""Calls: sipp -> the daemon under test -> the simulator, which challenges each INVITE with
401 and answers it after 20 ms; the daemon answers the challenge.  The floor is sipp straight
to the simulator, without a challenge: the limit of the benchmark itself."""
import os
import re
import shutil
import time

import harness as h

SCENARIO = os.path.join(h.HERE, "..", "system", "calls", "call-uac.xml")
TARGET = h.PEER + ":5070"
SETTLE_S = 2


def missing():
    return None if shutil.which("sipp") else "sipp is not installed"


class Sipp:
    def __init__(self, rate, total, hold_ms):
        users = os.path.join(h.TMP, "users.csv")
        with open(users, "w") as f:
            f.write("SEQUENTIAL\nu1;100\n")
        self.d = h.Daemon(["sipp", "-sf", SCENARIO, "-inf", users, "-i", h.NET + ".2", "-p", "5060", "-r", str(rate),
                           "-m", str(total), "-l", str(max(8 * rate, total if hold_ms > 1000 else 0)), "-d",
                           str(hold_ms), "-nostdin", "-buff_size", "4194304", "-timeout", "120", "-timeout_error",
                           "-recv_timeout", "20000" if hold_ms < 1000 else "60000", TARGET], name="sipp")

    def end(self, timeout):
        while self.d.alive() and time.monotonic() - self.d.start < timeout:
            time.sleep(0.02)
        wall = time.monotonic() - self.d.start
        code = self.d.proc.poll()
        self.d.stop()
        with open(self.d.log, errors="replace") as f:
            text = f.read()

        def last(what):
            found = re.findall(what + r"\s*\|\s*\d+\s*\|\s*(\d+)", text)
            return int(found[-1]) if found else None
        return {"code": code, "wall_s": round(wall, 2), "ok": last("Successful call"), "failed": last("Failed call")}


def simulator(*args, addr=h.REG1 + ":5060"):
    return h.Regsim("--answer-ms", 20, *args, addrs=(addr,))


def begun(start, sim):
    d = start(2)
    if start.registers:
        if not sim.wait("aors", 2, 20, 0.02, d):
            d.stop()
            raise RuntimeError("not registered: " + d.last_words())
    else:
        time.sleep(1)
    time.sleep(1)
    return d


def at_rate(start, rate, seconds=8):
    """CPU per call, and whether the rate was held without a failed call."""
    sim, d = simulator("--invite-auth", 401), None
    try:
        d = begun(start, sim)
        c0 = d.cpu()
        r = Sipp(rate, rate * seconds, 0).end(100)
        time.sleep(1)
        c1, s = d.cpu(), sim.ctl("stats")
        n = s["calls_answered"]
        return {"rate": rate, **r, "answered": n, "challenged": s["invite_challenges"], "ended": s["calls_ended"],
                "retransmissions": s["retransmissions"] + s["retransmitted_200"],
                "us_per_call": round((c1 - c0) / max(n, 1) * 1e6, 1), "busy": round((c1 - c0) / r["wall_s"], 2),
                "done": n == rate * seconds, "held": held(r, seconds)}
    finally:
        if d:
            d.stop()
        sim.stop()


def held(r, seconds):
    return r["code"] == 0 and not r["failed"] and r["wall_s"] < seconds + SETTLE_S


def floor(rate, seconds=8):
    sim = simulator("--no-auth", addr=TARGET)
    try:
        r = Sipp(rate, rate * seconds, 0).end(100)
        s = sim.ctl("stats")
        return {"rate": rate, **r, "held": held(r, seconds), "answered": s["calls_answered"],
                "us_per_call": round(s["cpu_s"] / max(s["calls_answered"], 1) * 1e6, 1)}
    finally:
        sim.stop()


def most(at, rates):
    """Up through the rates until one is not held; the last that was, and every run."""
    best, runs = None, []
    for rate in rates:
        r = at(rate)
        runs.append(r)
        if not r.get("held"):
            break
        best = rate
    return best, runs


def many(start, n, rate=1000):
    """n calls up at the same time: memory a call, and what it costs to hold and to end them."""
    sim, d, sipp = simulator("--invite-auth", 401), None, None
    try:
        d = begun(start, sim)
        before = d.pss()
        hold_s = n // rate + 12
        sipp = Sipp(rate, n, 1000 * hold_s)
        open_by = time.monotonic() + n / rate + 8
        while time.monotonic() < open_by and sim.ctl("stats")["calls_acked"] < n:
            time.sleep(0.1)
        time.sleep(2)
        up, after = sim.ctl("stats"), d.pss()
        c0, t0 = d.cpu(), time.monotonic()
        time.sleep(1)
        idle = (d.cpu() - c0) / (time.monotonic() - t0)
        r = sipp.end(n / rate + hold_s + 60)
        sipp = None
        return {"n": n, **r, "up": up["calls_acked"] - up["calls_ended"], "kib_per_call": round((after - before) / n, 2),
                "idle_cpu": round(idle, 3), "done": r["code"] == 0 and not r["failed"]}
    finally:
        if sipp:
            sipp.d.stop()
        if d:
            d.stop()
        sim.stop()
