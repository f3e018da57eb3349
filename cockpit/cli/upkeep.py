"""`cockpit lock` and `cockpit update`: what a homelab is made of, pinned and renewed. Never commits."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec.structs import asdict

from cockpit.actions.upkeep import Upkeep
from cockpit.cli.main import renderer
from cockpit.cli.output import Column, Pipe, Renderer, Row
from cockpit.cli.upkeep_report import markdown
from cockpit.domain.errors import CockpitError, Exit, Refused, UsageError, worst
from cockpit.domain.images import Fit, LockRow
from cockpit.domain.updates import SystemChange

Opener = Callable[[argparse.Namespace], Upkeep]
COLUMNS = tuple(Column(title) for title in ("PROJECT", "SERVICE", "IMAGE", "TAG", "DIGEST", "LOCK", "STATE", "RELEASE NOTES"))


def run(args: argparse.Namespace, opened: Opener) -> Exit:
    face = renderer(args)
    try:
        return asyncio.run(COMMANDS[args.command](opened(args), args, face))
    except CockpitError as error:
        face.error(error)
        return error.exit
    except KeyboardInterrupt:
        face.error(Refused("interrupted", "what was written stays: git shows it"))
        return Exit.REFUSED


async def _lock(upkeep: Upkeep, args: argparse.Namespace, face: Renderer) -> Exit:
    if args.major and not args.upgrade:
        raise UsageError("--major goes with --upgrade")
    if args.check:
        rows = await upkeep.lock.check(args.projects)
        show(face, rows)
        return Exit.TO_DO if any(row.fit in (Fit.MISSING, Fit.STALE) for row in rows) else Exit.DONE
    written = await upkeep.lock.write(args.projects, upgrade=args.upgrade, majors=args.major)
    show(face, written.rows)
    for error in written.errors:
        face.error(error)
    return worst([error.exit for error in written.errors])


def show(face: Renderer, rows: Sequence[LockRow]) -> None:
    """A column in which nothing stands is left out."""
    texts = [cells(row) for row in rows]
    used = [index for index in range(len(COLUMNS)) if any(text[index] for text in texts)]
    told = [
        Row(tuple(text[index] for index in used), asdict(row) | {"moved": row.moved})
        for row, text in zip(rows, texts, strict=True)
    ]
    face.rows("Image", tuple(COLUMNS[index] for index in used), told)


def cells(row: LockRow) -> tuple[str, ...]:
    tag = row.old_tag if row.new_tag == row.old_tag else f"{row.old_tag} → {row.new_tag}"
    digests = [digest.removeprefix("sha256:")[:12] for digest in (row.old_digest, row.new_digest)]
    digest = digests[1] if digests[0] in ("", digests[1]) else " → ".join(digests)
    state = "keeps data" if row.stateful else ""
    notes = row.notes if row.new_tag != row.old_tag else ""
    return (row.project, ",".join(row.services), row.image, tag, digest, row.why or row.fit.value, state, notes)


async def _update(upkeep: Upkeep, args: argparse.Namespace, face: Renderer) -> Exit:
    both = not args.flake and not args.images
    progress = Pipe(sys.stderr)
    say = progress.line if args.output != "json" else _nothing
    report = await upkeep.update.execute(
        say, flake=args.flake or both, images=args.images or both, majors=args.major, build=args.build
    )
    inputs = [Row((i.flake, i.name, i.old[:12], i.new[:12], i.url), asdict(i)) for i in report.inputs]
    face.rows("Input", tuple(Column(title) for title in ("FLAKE", "INPUT", "FROM", "TO", "CHANGES")), inputs)
    show(face, report.images)
    face.rows("SystemUpdate", SYSTEMS, [Row(_system(system), asdict(system)) for system in report.systems])
    for error in report.errors:
        face.error(error)
    if not report.files and not report.errors:
        say("nothing is new")
    if args.report:
        try:
            await asyncio.to_thread(Path(args.report).write_text, markdown(report), encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{args.report} cannot be written", error.strerror or "") from None
    # what could be had is worth a pull request, and its text says what could not
    return Exit.TO_DO if report.files else worst([error.exit for error in report.errors])


def _system(system: SystemChange) -> tuple[str, ...]:
    reboot = " → ".join(system.reboot) if system.reboot else ""
    return (system.host, str(len(system.packages)), str(len(system.units)), reboot)


def _nothing(line: str) -> None:
    """Progress is for people."""


SYSTEMS = (Column("HOST"), Column("PACKAGES", True), Column("UNITS", True), Column("REBOOT"))
COMMANDS = {"lock": _lock, "update": _update}
