"""`cockpit`: parses first, and imports what a command needs only when it runs."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from cockpit.actions.bundle import Cockpit
    from cockpit.actions.doctor import Doctor
    from cockpit.actions.upkeep import Upkeep
    from cockpit.domain.errors import CockpitError
    from cockpit.early import Early


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code (cockpit.domain.errors.Exit)."""
    from cockpit import __version__
    from cockpit.cli import parser

    args = parser.parse(__version__, argv)
    try:
        return int(_dispatch(args))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        from cockpit.cli.output import silence

        silence(sys.stdout)
        return 0
    except Exception as error:
        from cockpit.cli.defect import report

        path = report(error, __version__)
        where = f"the report is in {path}" if path is not None else "its report could not be written"
        sys.stderr.write(
            f"✕ a defect in cockpit: {type(error).__name__}\n  {where}; it holds no values, only places in the code\n"
        )
        return 1


def _dispatch(args: argparse.Namespace) -> int:
    if args.command in (None, "open"):
        return _terminal_ui(args)
    if args.command == "config":
        return _config(args)
    if args.command == "demo":
        return _demo(args)
    if args.command in ("init", "secrets"):
        return _begin(args)
    if args.command == "doctor":
        return _doctor(args)
    if args.command == "adopt":
        return _adopt(args)
    from cockpit.adapters.lean import load_msgspec

    load_msgspec()
    if args.command in ("lock", "update"):
        return _upkeep(args)
    from cockpit import early

    asked = early.ask(args)
    try:
        from cockpit.cli.main import run

        return run(args, lambda args: _open_headless(args, asked))
    finally:
        if asked is not None:
            asked.close()


def _upkeep(args: argparse.Namespace) -> int:
    from cockpit.cli import upkeep

    def opened(args: argparse.Namespace) -> Upkeep:
        from cockpit.wiring.upkeep import open_upkeep

        return open_upkeep(args.config)

    return int(upkeep.run(args, opened))


def _open_headless(args: argparse.Namespace, asked: Early | None) -> Cockpit:
    from cockpit import wiring

    return wiring.open_cockpit(
        config=args.config,
        known_hosts=args.known_hosts,
        headless=True,
        approve_hosts=getattr(args, "approve_host", ()),
        as_user=getattr(args, "as_user", None),
        early=asked,
    )


def _terminal_ui(args: argparse.Namespace) -> int:
    from cockpit.domain.errors import CockpitError, UsageError

    try:
        if args.headless or not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise UsageError("the terminal UI needs a terminal", "there is none here", "cockpit --help names the commands")
        from cockpit import wiring

        cockpit = wiring.open_cockpit(config=args.config, known_hosts=args.known_hosts, headless=False)
        from cockpit.tui.app import CockpitApp

        cockpit.runs.on_defect = _report
        if place := getattr(args, "address", ""):
            from cockpit.domain.places import find

            find(place, cockpit.settings.hosts, cockpit.settings.clusters)  # a mistake is told before the screen is taken
        return CockpitApp(cockpit, tour=getattr(args, "tour", False), place=place).run() or 0
    except CockpitError as error:
        return _tell(error)


def _demo(args: argparse.Namespace) -> int:
    """The terminal UI in an environment that leads to the simulated homelab; that ends, and is cleared away, with it."""
    import logging
    import os
    import tempfile

    from cockpit.domain.errors import CockpitError
    from cockpit.simulator import launch

    if args.headless or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return _terminal_ui(args)  # which says that there is no terminal
    try:
        sys.stdout.write("making a homelab ...")
        sys.stdout.flush()
        with launch.demo(args.keep) as config:
            sys.stdout.write("\r\x1b[K")
            environ = launch.environment(config.parents[1], os.environ)
            os.environ.clear()
            os.environ.update(environ)
            tempfile.tempdir = None  # it was looked up already
            logging.basicConfig(filename=config.parents[1] / "cockpit.log", level=logging.WARNING)
            os.chdir(config.parent)
            args.config = str(config)
            return _terminal_ui(args)
    except CockpitError as error:
        return _tell(error)


def _begin(args: argparse.Namespace) -> int:
    from cockpit.cli import new, output
    from cockpit.wiring import making

    out = output.stdout()
    return int(new.run(args, making.open_init, making.open_secrets, out, new.terminal(out)))


def _doctor(args: argparse.Namespace) -> int:
    from cockpit.cli import doctor

    def opened() -> Doctor:
        from cockpit import wiring

        return wiring.open_doctor(config=args.config, known_hosts=args.known_hosts)

    return int(doctor.run(args, opened))


def _report(error: Exception) -> str:
    from cockpit import __version__
    from cockpit.cli.defect import report

    return f"the report is in {report(error, __version__)}"


def _adopt(args: argparse.Namespace) -> int:
    from cockpit.cli import adopt
    from cockpit.wiring.making import open_adopt

    return int(adopt.run(args, open_adopt(adopt.asker(args.headless or args.yes))))


def _config(args: argparse.Namespace) -> int:
    from cockpit.domain.errors import CockpitError

    try:
        from cockpit import wiring

        if args.what == "schema":
            sys.stdout.write(wiring.schema())
            return 0
        sys.stdout.write(f"✓ {wiring.check(args.config)}\n")
        return 0
    except CockpitError as error:
        return _tell(error)


def _tell(error: CockpitError) -> int:
    """An error that kept a run from starting, on standard error."""
    import os

    from cockpit.cli.github import GitHub
    from cockpit.cli.output import Pipe, Text

    if os.environ.get("GITHUB_ACTIONS") == "true":
        GitHub(Pipe(sys.stdout), os.environ).error(error)
    else:
        Text(Pipe(sys.stderr)).error(error)
    return int(error.exit)


if __name__ == "__main__":
    sys.exit(main())
