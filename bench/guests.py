"""1,000 and 5,000 guests in VMs, beside a minimal Textual app: exec to all of them on screen, keys, idle, memory.

A fake of Proxmox VE answers over HTTPS on a loopback port; how long the same question takes it without cockpit is told, because
that much is not ours. Budgets: first paint + that question + 80 ms for 1,000; idle 2 % of a core and 120 MiB.
"""

from __future__ import annotations

import argparse
import json
import ssl
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from bench import minimal_app
from bench.first_paint import SAMPLE, sample
from bench.hypervisor import VARIABLE, hypervisor
from bench.pairs import verdict
from bench.terminal import Idle, Size, watched

BEYOND = 0.080
CPU, MEMORY = 0.02, 120.0
SETTLED = 50.0
"""Seconds after which nothing is young any more: a list that was moved in was sorted anew, the graphs are as long as they get."""
KEYS = (b"j",) * 30 + (b"\x04",) * 6 + (b"k",) * 20 + (b"G", b"k", b"gg")


@dataclass(frozen=True, slots=True)
class Found:
    """Of one run; seconds, MiB."""

    paint: float
    shown: float
    keys: tuple[float, ...]
    idle: Idle
    memory: float

    def p95(self) -> float:
        return quantiles(self.keys, n=20)[-1] if self.keys else 0.0


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--idle", type=float, default=12.0, help="seconds that each run is left alone")


def main(options: argparse.Namespace, scratch: Path) -> bool:
    within = True
    for count in options.counts:
        with hypervisor(count) as (lines, environ):
            folder = scratch / str(count)
            folder.mkdir()
            config = sample(folder, SAMPLE + lines)
            ours, theirs = [], []
            for _ in range(options.runs):
                ours.append(_ours(config, count, environ, options.idle))
                theirs.append(_theirs(options.idle))
            within &= _tell(count, ours, theirs, _question(lines, environ[VARIABLE]))
    return within


def _ours(config: Path, count: int, environ: dict[str, str], idle: float) -> Found:
    command = [sys.executable, "-m", "cockpit", "--config", str(config)]
    with watched(command, cwd=config.parent, size=Size(), environ=environ) as program:
        paint = program.painted()
        program.press(b"2")
        shown = program.shows(f"{count:,} guests".replace(",", ",?"))
        program.quiet(2.0)
        keys = program.answers(KEYS)
        program.quiet(SETTLED)
        return Found(paint, shown, tuple(keys), program.idle(idle), program.memory())


def _theirs(idle: float) -> Found:
    folder = Path(minimal_app.__file__).resolve().parents[1]
    with watched([sys.executable, "-m", "bench.minimal_app"], cwd=folder) as program:
        paint = program.painted()
        program.quiet(1.0)
        return Found(paint, paint, (), program.idle(idle), program.memory())


def _question(lines: str, token: str) -> float:
    """Seconds that the fake takes to answer what cockpit asks it for (median of five, a connection each)."""
    address = lines.split("'")[1]
    user = next(line.split(": ")[1] for line in lines.splitlines() if "user:" in line)
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE  # ours, on loopback
    request = urllib.request.Request(
        f"https://{address}/api2/json/cluster/resources", headers={"Authorization": f"PVEAPIToken={user}={token}"}
    )
    found = []
    for _ in range(5):
        at = time.perf_counter()
        with urllib.request.urlopen(request, context=trust, timeout=30) as answer:  # noqa: S310
            json.load(answer)
        found.append(time.perf_counter() - at)
    return median(found)


def _tell(count: int, ours: list[Found], theirs: list[Found], question: float) -> bool:
    def row(name: str, runs: list[Found]) -> str:
        keys = f"{median(r.p95() for r in runs) * 1000:6.1f} ms" if runs[0].keys else "        –"
        return (
            f"  {name:<20}{median(r.paint for r in runs) * 1000:8.0f} ms{median(r.shown for r in runs) * 1000:9.0f} ms   {keys}"
            f"{median(r.idle.cpu for r in runs) * 100:9.2f} %{median(r.idle.sent for r in runs):9.0f} B/s"
            f"{median(r.memory for r in runs):9.1f} MiB"
        )

    print(f"\n  {count:,} guests          first paint    on screen   key p95     idle         sent       memory")
    print(row("cockpit", ours))
    print(row("minimal Textual app", theirs))
    beyond = median(r.shown - r.paint for r in ours) - question
    print(
        f"  the fake alone answers the question in {question * 1000:.0f} ms; beyond first paint and that: {beyond * 1000:.0f} ms"
    )
    cpu, memory = median(r.idle.cpu for r in ours), median(r.memory for r in ours)
    print(verdict(beyond * 1000, BEYOND * 1000 * max(1, count / 1000), "ms"))
    print(verdict(cpu * 100, CPU * 100, "% of a core"))
    print(verdict(memory, MEMORY, "MiB"))
    return beyond <= BEYOND * max(1, count / 1000) and cpu <= CPU and memory <= MEMORY
