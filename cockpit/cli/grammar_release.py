"""The grammar of `cockpit release`, and of plans that only look. Imports argparse and nothing else."""

from __future__ import annotations

import argparse
from collections.abc import Callable

Command = Callable[..., argparse.ArgumentParser]


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], command: Command, plan: argparse.ArgumentParser) -> None:
    release = command(commands, "release", "Build what a commit makes of hosts on this machine, and write it down as data.")
    release.add_argument("--commit", metavar="REV", help="what to build (default: HEAD, with nothing modified)")
    release.add_argument("--file", metavar="FILE", required=True, help="where to write it, for `cockpit plan --release`")

    plan.add_argument("--read-only", action="store_true", help="only look: nothing is sent, pulled or tried on a host")
    plan.add_argument(
        "--release", metavar="FILE", help="with --read-only: of what `cockpit release` wrote, instead of building it"
    )
    plan.add_argument(
        "--as", dest="as_user", metavar="USER", help="with --read-only: as this user of the hosts, who needs no rights"
    )
