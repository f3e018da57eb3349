"""The demo for as long as you like, with keys over all panes: flat memory, and nothing written down that went wrong."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from statistics import median

from bench.pairs import Failed
from bench.terminal import Size, Watched, watched

GROWTH = 0.10
"""Share by which resident memory may grow from the second quarter of the time to the last."""
ROUNDS: tuple[tuple[str, tuple[bytes, ...]], ...] = (
    ("overview", (b"j", b"j", b"k")),
    ("vms", (b"j", b"j", b"]", b"]", b"[", b"k")),
    ("hosts", (b"j", b"k", b"\t", b"j", b"d", b"]", b"]", b"[", b"[")),
    ("services", (b"j", b"l", b"L", b"w", b"G", b"\x1b", b"j")),
    ("files", (b"j", b"j", b"v", b"\x1b", b"j")),
    ("releases", (b"j", b"\r", b"\x1b", b"k")),
)
"""(pane, keys there): none of them changes anything."""
OVER = (b"?", b"\x10", b"m", b"@")
"""Screens that open over a pane, one after the other; escape closes each."""
AFTER_KEY = 0.15
KEPT = 1 << 20
"""Bytes of what was painted that are remembered."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--size", default="160x50", help="COLUMNSxROWS")


def main(options: argparse.Namespace, scratch: Path) -> bool:
    columns, rows = map(int, options.size.split("x"))
    home, kept = scratch / "home", scratch / "demo"
    home.mkdir()
    command = [sys.executable, "-m", "cockpit", "demo", "--keep", str(kept)]
    environ = {"HOME": str(home), "TMPDIR": str(scratch), "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    with watched(command, size=Size(columns, rows), environ=environ) as program:
        program.shows(r"14 services, all well", 120)
        samples, keys = drive(program, options.minutes * 60)
        program.press(b"\x11")
        left = ended(program)
    complaints = [line for name in ("simulator.log", "cockpit.log") for line in (kept / name).read_text().splitlines()]
    complaints += [f"{path.name} was left" for path in scratch.glob("cockpit-crash-*")]
    early, late = quarters(samples)
    print(f"  {keys} keys in {samples[-1][0] / 60:.1f} minutes; {early:.0f} MiB in the second quarter, {late:.0f} in the last")
    for line in complaints[:20]:
        print(f"  written down: {line}")
    if not left:
        print("  it did not end with ctrl+q")
    grown = late / early - 1
    print(f"  memory {grown:+.1%}, allowed {GROWTH:+.0%}; {len(complaints)} complaints, allowed none")
    return grown <= GROWTH and not complaints and left


def drive(program: Watched, seconds: float) -> tuple[list[tuple[float, float]], int]:
    """Presses keys until the time is over: ((seconds, MiB of the program and what it started) after each pane, keys)."""
    started, samples, keys = time.monotonic(), [], 0
    over = cycle(OVER)
    for number, (name, pressed) in round_and_round():
        del program.seen[:-KEPT]
        before = len(program.seen)
        for key in (str(number).encode(), *pressed, next(over), b"\x1b"):
            program.press(key)
            program.quiet(AFTER_KEY)
            keys += 1
        if len(program.seen) == before:
            raise Failed(f"{name} painted nothing")
        samples.append((time.monotonic() - started, program.memory()))
        if samples[-1][0] >= seconds:
            return samples, keys
    raise Failed("no panes")


def round_and_round() -> Iterator[tuple[int, tuple[str, tuple[bytes, ...]]]]:
    return cycle(enumerate(ROUNDS, 1))


def quarters(samples: list[tuple[float, float]]) -> tuple[float, float]:
    """Median MiB of the second and of the last quarter of the time."""
    if len(samples) < 8:
        raise Failed(f"{len(samples)} samples are too few: give it more time")
    end = samples[-1][0]
    return (
        median(mib for at, mib in samples if end / 4 <= at < end / 2),
        median(mib for at, mib in samples if at >= end * 3 / 4),
    )


def ended(program: Watched) -> bool:
    """Whether it goes by itself."""
    for _ in range(100):
        if os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return True
        try:
            program.quiet(0.1)
        except Failed:
            continue  # it has closed its terminal
    return False
