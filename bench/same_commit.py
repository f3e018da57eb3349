"""Deploy of the commit that runs already, against `ssh HOST true`, each with a fresh connection. Budget: 2.5 x.

`python -m bench same_commit --config cockpit.yaml --host homelab -- -i KEY cockpit@ADDRESS`
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.pairs import Side, compare, timed, verdict

BUDGET = 2.5
SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ControlMaster=no", "-o", "ControlPath=none")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, help="cockpit.yaml in a clean checkout of the commit that runs")
    parser.add_argument("--host", required=True, help="a host of it")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("ssh", nargs="+", help="after --: arguments of ssh, as far as the destination")


def main(options: argparse.Namespace, scratch: Path) -> bool:
    config = options.config.resolve()
    deploy = [sys.executable, "-m", "cockpit", "--config", str(config), "deploy", "--headless", "--host", options.host]
    # The first one may have something to do. Without --yes, one of those that are measured that changes anything is refused.
    timed([*deploy, "--yes"], cwd=config.parent)
    found = compare(
        Side("cockpit deploy", lambda: timed(deploy, cwd=config.parent)),
        Side("ssh HOST true", lambda: timed([*SSH, *options.ssh, "true"])),
        pairs=options.pairs,
    )
    print("\n".join(found.lines()))
    print(verdict(found.ratio, BUDGET))
    return found.ratio <= BUDGET
