"""The grammar of the command line. Imports argparse and nothing else, so that `--help` is quick."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Final

OUTPUTS: Final = ("text", "github", "json")

ADDRESSES: Final = "HOST, HOST@GENERATION, HOST/PROJECT[/SERVICE][/logs], CLUSTER/VMID, releases/RUN, files/PATH, or a pane"
EXITS: Final = """\
exit codes:
   0 done, or nothing to do          6 revert failed: RESCUE.txt on the host
   1 a defect in cockpit             7 locked by someone else
   2 usage or settings               8 a secret cannot be decrypted
   3 host cannot be reached          9 refused; nothing changed
   4 build failed; nothing changed  10 plan, --dry-run, doctor: something to do
   5 failed and reverted            11 outcome unknown: cockpit attach
                                    12 tried, and did not work
"""


def parse(version: str, argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Options alone are the terminal UI, whose first paint does not wait for the grammar of all commands."""
    words = sys.argv[1:] if argv is None else argv
    alone = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    _everywhere(alone)
    try:
        args, rest = alone.parse_known_args(words)
    except argparse.ArgumentError:
        return build(version).parse_args(words)  # which says it better
    if rest:
        return build(version).parse_args(words)
    args.command = None
    return args


def build(version: str) -> argparse.ArgumentParser:
    from cockpit.cli import grammar_adopt, grammar_doctor, grammar_images, grammar_new, grammar_release, grammar_upkeep

    parser = argparse.ArgumentParser(
        prog="cockpit",
        description="The terminal cockpit for a homelab that is written as code. Without a command: the terminal UI.",
        epilog=EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"cockpit {version}")
    _everywhere(parser)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    deploy = _command(commands, "deploy", "Make hosts run a commit, or leave them exactly as they are.")
    _changes(deploy)
    _deploys(deploy)
    deploy.add_argument("--dry-run", action="store_true", help="end with the plan (exit 10 when there is something to do)")

    plan = _command(commands, "plan", "Show what a deploy would change; exit 10 when there is something to do.")
    _deploys(plan)

    grammar_release.add(commands, _command, plan)

    rollback = _command(commands, "rollback", "Go back to an earlier generation, and hold what it leaves behind.")
    rollback.add_argument("--to", metavar="TARGET", help="generation, commit, or `good` (default: the previous good one)")
    _changes(rollback)
    rollback.add_argument("--dry-run", action="store_true", help="end with the plan (exit 10 when there is something to do)")

    resume = _command(commands, "resume", "Lift the hold that a rollback left behind; deploys nothing.")
    _changes(resume)
    resume.add_argument("--dry-run", action="store_true", help="end with the plan")

    attach = _command(commands, "attach", "Watch a run to its end, from any machine.", hosts=False)
    attach.add_argument("run", metavar="RUN", help="run id, or the first characters of one")
    attach.add_argument("--host", action="append", default=[], metavar="GLOB|@TAG", help="ask only these hosts")

    _command(commands, "status", "What runs where, and what a person should look at.")
    _command(commands, "generations", "Generations of hosts: what each one is, how it did, who made it.")
    guests = _command(commands, "guests", "Guests of Proxmox VE clusters.", hosts=False)
    guests.add_argument("clusters", nargs="*", metavar="CLUSTER", help="name or glob; all without one")
    releases = _command(commands, "releases", "Deploys and rollbacks, newest first.")
    releases.add_argument("--limit", type=int, default=20, metavar="N", help="as many as these (default: 20)")
    _command(commands, "drift", "What runs and is not as git says; exit 10 when there is any. Changes nothing.")

    _services(commands)
    grammar_upkeep.add(commands, _command)

    grammar_new.add(commands, EXITS)
    grammar_doctor.add(commands, OUTPUTS, EXITS)
    grammar_adopt.add(commands, _command)
    grammar_images.add(commands, _command)

    demo = commands.add_parser("demo", help="Open the terminal UI on a simulated homelab.", allow_abbrev=False)
    demo.add_argument("--tour", action="store_true", help="with a guide: a round of two minutes")
    demo.add_argument("--keep", metavar="DIR", help="make it in this new folder, and leave it there")

    opened = commands.add_parser("open", help="The terminal UI, at one object.", allow_abbrev=False)
    opened.add_argument("address", metavar="ADDRESS", help=ADDRESSES)
    opened.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS)

    config = commands.add_parser("config", help="Check cockpit.yaml, or print its schema.", allow_abbrev=False)
    config.add_argument("what", choices=("check", "schema"))
    config.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS)
    return parser


def _everywhere(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help="cockpit.yaml (default: the nearest one upwards from here)")
    parser.add_argument("--known-hosts", metavar="FILE", help="host keys, where cockpit.yaml pins none")
    parser.add_argument("--headless", action="store_true", help=argparse.SUPPRESS)


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str, *, hosts: bool = True
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name, help=text, description=text, epilog=EXITS, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    if hosts:
        parser.add_argument("hosts", nargs="*", metavar="HOST", help="host, glob or @tag")
        parser.add_argument(
            "--host", action="append", default=[], metavar="GLOB|@TAG", help="the same, as an option; may be repeated"
        )
    parser.add_argument("--headless", action="store_true", help="never the terminal UI, never a question")
    parser.add_argument("--output", choices=OUTPUTS, help="default: github in GitHub Actions, else text")
    parser.add_argument("--verbose", action="store_true", help="also what remote programs print")
    # Given before or after the command: the default must not overwrite what came before.
    parser.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help="cockpit.yaml")
    parser.add_argument(
        "--known-hosts", metavar="FILE", default=argparse.SUPPRESS, help="host keys, where cockpit.yaml pins none"
    )
    return parser


def _services(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    _command(commands, "services", "Every service of the compose projects: state, health, restarts, image.")

    logs = _command(commands, "logs", "Lines of services, merged by time.", hosts=False)
    logs.add_argument("targets", nargs="+", metavar="TARGET", help="HOST/PROJECT/SERVICE, or HOST/PROJECT for all of a project")
    logs.add_argument("--since", metavar="AGE", help="not older than this: 30s, 10m, 2h, 1d")
    logs.add_argument("--tail", type=int, metavar="N", help="the last N lines of each (default: 200, with --since all)")
    logs.add_argument("--follow", action="store_true", help="go on with new lines until interrupted")

    do = _command(commands, "do", "One operation of the terminal UI: restart a service, start a guest.", hosts=False)
    do.add_argument("action", metavar="ACTION", help="an id of docs/reference/keys.md, e.g. service.restart")
    do.add_argument("targets", nargs="+", metavar="TARGET", help="HOST/PROJECT[/SERVICE], or CLUSTER/VMID[@SNAPSHOT]")
    do.add_argument("--yes", action="store_true", help="also what interrupts or loses data; without it that is refused")
    do.add_argument("--approve-host", action="append", default=[], metavar="HOST", help="a protected host or cluster")


def _changes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="apply the plan; without it a plan that changes something is refused")
    parser.add_argument(
        "--approve-host", action="append", default=[], metavar="HOST", help="a protected host that may be changed"
    )


def _deploys(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--commit", metavar="REV", help="what to deploy (default: HEAD, with nothing modified)")
    parser.add_argument("--resume", action="store_true", help="lift a hold, then deploy")
    parser.add_argument("--allow-rewind", action="store_true", help="also a commit that does not contain what runs")
    parser.add_argument(
        "--take",
        nargs=2,
        action="append",
        default=[],
        metavar=("host|git", "PATH"),
        help="whose content wins where a file was changed on the host and in git; PATH on the host, or `all`",
    )
    parser.add_argument("--from-test", action="store_true", help="also over a system that is not the profile's")
