"""The grammar of `cockpit lock` and `cockpit update`."""

from __future__ import annotations

import argparse
from typing import Protocol


class Command(Protocol):
    def __call__(
        self, commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str, *, hosts: bool = True
    ) -> argparse.ArgumentParser: ...


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], command: Command) -> None:
    lock = command(
        commands, "lock", "Write compose.lock.yaml: the digest that each tag of a compose file stands for.", hosts=False
    )
    lock.add_argument("projects", nargs="*", metavar="PROJECT", help="these projects only")
    which = lock.add_mutually_exclusive_group()
    which.add_argument("--check", action="store_true", help="ask no registry, write nothing; exit 10 where a lock does not fit")
    which.add_argument(
        "--upgrade", action="store_true", help="also move each tag to the newest of the same form (v3.7.9 to v3.8.0)"
    )
    lock.add_argument("--major", action="store_true", help="with --upgrade: also over the first number")

    update = command(
        commands,
        "update",
        "Newer inputs of the flake, tags and digests, and what they bring; exit 10 when something was written.",
        hosts=False,
    )
    update.add_argument("--flake", action="store_true", help="flake.lock only (needs nix)")
    update.add_argument("--images", action="store_true", help="tags and digests only")
    update.add_argument("--major", action="store_true", help="tags also over their first number")
    update.add_argument("--build", action="store_true", help="build every host as it was and as it is now, and compare")
    update.add_argument("--report", metavar="FILE.md", help="write the report there, as Markdown for a pull request")
