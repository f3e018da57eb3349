"""`cockpit doctor`: the report on a terminal, as JSON, or as annotations of GitHub Actions."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from cockpit.actions.doctor import Doctor, Examination, Result
from cockpit.actions.doctor.report import WORDS, Row, rows
from cockpit.cli.choice import patterns, select
from cockpit.cli.github import Collected, GitHub, cell, data, prop
from cockpit.cli.output import Json, Pipe, Text, stdout
from cockpit.domain.errors import CockpitError, Exit, UsageError
from cockpit.domain.findings import Finding, Level
from cockpit.domain.text import plain

UNKNOWN_WIDTH, WIDEST = 100, 120
_INKS = {"good": "32", "warn": "33", "bad": "31", "accent": "36", "muted": "2", "faint": "2", "b": "1"}
_ANNOTATIONS = {Level.FAIL: "error", Level.WARN: "warning", Level.NOTE: "notice"}
MOST_ANNOTATIONS = 10
"""Of each kind: GitHub shows no more of a step."""


def run(args: argparse.Namespace, open_doctor: Callable[[], Doctor], out: Pipe | None = None) -> Exit:
    """Raises only defects."""
    out = out or stdout()
    output = args.output or ("github" if os.environ.get("GITHUB_ACTIONS") == "true" else "text")
    try:
        return asyncio.run(_run(args, open_doctor, output, out))
    except CockpitError as error:
        (GitHub(out, os.environ) if output == "github" else Json(out) if output == "json" else Text(out)).error(error)
        return error.exit
    except KeyboardInterrupt:
        Text(out).error(UsageError("interrupted", "nothing was changed"))
        return Exit.REFUSED


async def _run(args: argparse.Namespace, open_doctor: Callable[[], Doctor], output: str, out: Pipe) -> Exit:
    doctor = open_doctor()
    try:
        settings, names = doctor.settings, None
        if settings is None and patterns(args):
            raise UsageError("there is no homelab here", "so there are no hosts to look at", "run it in the homelab's repository")
        if settings is not None:
            names = select(settings.hosts.values(), patterns(args))
        progress = Progress(sys.stderr) if output == "text" and not out.closed else None
        found = await doctor.examine(names, offline=args.offline, on_result=progress.step if progress else None)
        if progress is not None:
            progress.clear()
    finally:
        await doctor.close()
    code = found.exit(strict=args.strict)
    match output:
        case "json":
            as_json(found, code, out)
        case "github":
            as_annotations(found, out, os.environ.get("GITHUB_STEP_SUMMARY"))
        case _:
            as_text(found, out, sys.stdout, verbose=args.verbose)
    return code


class Progress:
    """One line that is written over, on a terminal only."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream if stream.isatty() else None

    def step(self, result: Result, left: int) -> None:
        if self._stream is not None and left:
            self._stream.write(f"\r\x1b[Klooking: {left} to come")
            self._stream.flush()

    def clear(self) -> None:
        if self._stream is not None:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def as_text(found: Examination, out: Pipe, stream: TextIO, *, verbose: bool) -> None:
    tty = stream.isatty()
    width = min(WIDEST, shutil.get_terminal_size((UNKNOWN_WIDTH, 24)).columns) if tty else UNKNOWN_WIDTH
    colours = tty and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"
    ascii_only = "utf" not in (stream.encoding or "").lower()
    for row in rows(found, width, verbose=verbose, ascii_only=ascii_only):
        out.line(_painted(row) if colours else "".join(text for text, _ in row).rstrip())


def _painted(row: Row) -> str:
    parts = []
    for text, ink in row:
        codes = [code for name in ink.split() if (code := _INKS.get(name))]
        parts.append(f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if codes and text.strip() else text)
    return "".join(parts).rstrip()


def as_json(found: Examination, code: Exit, out: Pipe) -> None:
    """A document `Finding` for each, then one `Examination`."""
    for result in found.results:
        for finding in result.findings:
            out.line(json.dumps({"event": "Finding"} | finding_fields(result, finding)))
    counts = {level.value: found.count(level) for level in Level}
    out.line(json.dumps({"event": "Examination", "offline": found.offline, "exit": int(code), **counts}))


def finding_fields(result: Result, finding: Finding) -> dict[str, object]:
    return {
        "check": finding.check,
        "group": result.check.group.name.lower(),
        "title": result.check.title,
        "level": finding.level.value,
        "host": finding.host,
        "file": finding.file,
        "line": finding.line,
        "what": plain(finding.what),
        "why": plain(finding.why),
        "fix": plain(finding.fix),
    }


def as_annotations(found: Examination, out: Pipe, summary: str | None) -> None:
    lines = Collected()
    for row in rows(found, UNKNOWN_WIDTH):
        lines.line("".join(text for text, _ in row).rstrip())
    GitHub(out, {}).block("doctor", lines.all)
    said = dict.fromkeys(_ANNOTATIONS, 0)
    table = ["| | check | finding | fix |", "|---|---|---|---|"]
    for result in found.results:
        for finding in result.findings:
            kind = _ANNOTATIONS.get(finding.level)
            if kind is None:
                continue
            table.append(f"| {finding.level.value} | {cell(finding.check)} | {cell(_sentence(finding))} | {cell(finding.fix)} |")
            said[finding.level] += 1
            if said[finding.level] <= MOST_ANNOTATIONS:
                out.line(f"::{kind} {_place(finding)}title={prop(plain(finding.check))}::{data(_told(finding))}")
    if summary:
        counts = ", ".join(f"{found.count(level)} {WORDS[level]}" for level in Level if found.count(level))
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write("\n".join([f"### cockpit doctor: {counts}", "", *table]) + "\n")


def _place(finding: Finding) -> str:
    if not finding.file:
        return ""
    return f"file={prop(plain(finding.file))}," + (f"line={finding.line}," if finding.line else "")


def _sentence(finding: Finding) -> str:
    where = f" ({finding.where})" if finding.where else ""
    return ": ".join(part for part in (finding.what + where, finding.why) if part)


def _told(finding: Finding) -> str:
    host = f"{finding.host}: " if finding.host else ""
    return "\n".join(
        plain(part) for part in (host + finding.what, finding.why, f"fix: {finding.fix}" if finding.fix else "") if part
    )
