"""The grammar of `cockpit doctor`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

TEXT = """\
Look over this machine, the repository and its hosts for what a newcomer trips over; each finding comes with its fix. Changes
nothing. Ends with 10 where something has to be mended, else with 0."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], outputs: Sequence[str], epilog: str) -> None:
    parser = commands.add_parser(
        "doctor",
        help="Look over this machine, the repository and hosts; each finding with its fix.",
        description=TEXT,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("hosts", nargs="*", metavar="HOST", help="look at these hosts only: host, glob or @tag")
    parser.add_argument(
        "--host", action="append", default=[], metavar="GLOB|@TAG", help="the same, as an option; may be repeated"
    )
    parser.add_argument("--offline", action="store_true", help="ask nothing beyond this machine")
    parser.add_argument("--strict", action="store_true", help="warnings end with 10 too")
    parser.add_argument("--verbose", action="store_true", help="also what is fine, and the cause of every note")
    parser.add_argument("--output", choices=outputs, help="default: github in GitHub Actions, else text")
    parser.add_argument("--headless", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help="cockpit.yaml")
    parser.add_argument(
        "--known-hosts", metavar="FILE", default=argparse.SUPPRESS, help="host keys, where cockpit.yaml pins none"
    )
