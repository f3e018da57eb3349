"""`make demo` from a clean clone of what is committed here: seconds until the panes live, with every package fetched anew."""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

from bench.soak import ended
from bench.terminal import watched

TOP = Path(__file__).resolve().parents[1]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--budget", type=float, default=300.0, help="seconds; most of them are the downloads")


def main(options: argparse.Namespace, scratch: Path) -> bool:
    clone = scratch / "clone"
    subprocess.run(["git", "clone", "-q", str(TOP), str(clone)], check=True)
    with watched(["make", "demo"], cwd=clone) as program:
        took = program.shows(r"14 services, all well", options.budget * 2)
        program.press(b"\x11")
        ended(program)
    with watched(["make", "demo"], cwd=clone) as program:
        again = program.shows(r"14 services, all well", 120)
        program.press(b"\x11")
        ended(program)
    print(f"  {took:.1f} s from the clone to living panes; {again:.1f} s the second time")
    return bool(took <= options.budget)
