"""`cockpit deploy --help` against `python -c 'import asyncio'`. Budget: 1.1 x."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.pairs import Side, compare, timed, verdict

BUDGET = 1.1


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pairs", type=int, default=30)


def main(options: argparse.Namespace, scratch: Path) -> bool:
    found = compare(
        Side("cockpit deploy --help", lambda: timed([sys.executable, "-m", "cockpit", "deploy", "--help"], cwd=scratch)),
        Side("python -c 'import asyncio'", lambda: timed([sys.executable, "-c", "import asyncio"], cwd=scratch)),
        pairs=options.pairs,
        warm=2,
    )
    print("\n".join(found.lines()))
    print(verdict(found.ratio, BUDGET))
    return found.ratio <= BUDGET
