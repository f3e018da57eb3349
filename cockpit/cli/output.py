"""What an output is, and the two plain ones: text for people, JSON for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Protocol, TextIO

from msgspec import Struct
from msgspec.structs import asdict

from cockpit.actions.status import HostStatus
from cockpit.cli import words
from cockpit.domain.errors import CockpitError, Exit
from cockpit.domain.events import (
    Cancelled,
    Detached,
    Event,
    Failed,
    Outcome,
    Output,
    Skipped,
    StepFinished,
    Waiting,
    Warned,
)
from cockpit.domain.operation import Operation
from cockpit.domain.plan import Plan, Tier
from cockpit.domain.text import lines, plain


class Renderer(Protocol):
    def event(self, event: Event) -> None: ...

    def plan(self, plan: Plan) -> None: ...

    def operation(self, operation: Operation, tier: Tier) -> None:
        """What is about to be done; the tier is the one that counts."""

    def outcome(self, outcome: Outcome, dropped: int = 0) -> None: ...

    def error(self, error: CockpitError) -> None:
        """Something that kept a run from starting."""

    def status(self, hosts: Sequence[HostStatus]) -> None: ...

    def rows(self, kind: str, columns: Sequence[Column], rows: Sequence[Row]) -> None:
        """A table: what `kind` names, one row each."""


class Column(Struct, frozen=True):
    title: str
    right: bool = False


class Row(Struct, frozen=True):
    cells: tuple[str, ...]
    """One for each column, for people."""
    fields: Mapping[str, Any]
    """The same and more, for programs."""


class Pipe:
    """A stream that may be closed at its other end: then the work goes on, unseen."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether nobody reads any more."""
        return self._closed

    def line(self, text: str = "") -> None:
        if self._closed:
            return
        try:
            self._stream.write(text + "\n")
            self._stream.flush()
        except UnicodeEncodeError:
            self._stream.write(text.encode("ascii", "replace").decode() + "\n")
        except (BrokenPipeError, ValueError):
            self._closed = True
            silence(self._stream)


def silence(stream: TextIO) -> None:
    """Lets the interpreter flush a closed stream at its exit without a complaint."""
    try:
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, stream.fileno())
        os.close(descriptor)
    except (OSError, ValueError):
        return


class Text:
    """One line a step: host, shape, step, seconds, note."""

    def __init__(self, out: Pipe, *, verbose: bool = False) -> None:
        self._out = out
        self._verbose = verbose
        self._waiting: dict[str, str] = {}

    def event(self, event: Event) -> None:
        match event:
            case StepFinished():
                self._waiting.pop(event.host, None)
                self._step(event, "✓", words.seconds(event.seconds), event.text)
            case Failed():
                self._step(event, "✕", "", event.what)
                self._reasons(event.why, event.hint)
            case Skipped() | Cancelled():
                self._step(event, "–", "", event.text)
            case Warned():
                self._step(event, "!", "", event.text)
            case Detached():
                self._step(event, "?", "", event.text)
            case Waiting():
                if self._waiting.get(event.host) != event.text:
                    self._waiting[event.host] = event.text
                    self._step(event, "…", "", event.text)
            case Output() if self._verbose:
                self._out.line(f"{event.host:<12}   {plain(event.text)}")
            case _:
                pass

    def plan(self, plan: Plan) -> None:
        self._out.line()
        for line in words.plan_lines(plan):
            self._out.line(line)
        self._out.line()

    def operation(self, operation: Operation, tier: Tier) -> None:
        for line in words.operation_lines(operation, tier):
            self._out.line(line)

    def outcome(self, outcome: Outcome, dropped: int = 0) -> None:
        for host in outcome.hosts:
            number = f", generation {host.generation}" if host.generation is not None else ""
            self._out.line(
                f"{host.host:<12} {words.shape(host.exit)} {plain(host.text)}{number if host.exit is Exit.DONE else ''}"
            )
            if host.exit is Exit.UNKNOWN and host.hint:
                self._out.line(f"  hint: {plain(host.hint)}")
        self._out.line(f"run {outcome.run}: {words.result(outcome).replace('-', ' ')}")

    def error(self, error: CockpitError) -> None:
        self._out.line(f"✕ {plain(error.what)}")
        self._reasons(error.why, error.hint)

    def status(self, hosts: Sequence[HostStatus]) -> None:
        for status in hosts:
            if status.facts is None:
                error = status.error
                self._out.line(f"{status.host:<12} ✕ {plain(str(error)) if error is not None else 'not read'}")
                continue
            facts = status.facts
            number = f"generation {facts.profile_generation}" if facts.profile_generation is not None else "no generation"
            commit = (facts.running.commit or "no commit")[:9]
            mark = "!" if status.problems else "✓"
            self._out.line(
                f"{status.host:<12} {mark} {number}  {commit}  {plain(facts.running.subject or '')}  ({status.against_main})"
            )
            for problem in status.problems:
                self._out.line(f"  {plain(problem)}")

    def rows(self, kind: str, columns: Sequence[Column], rows: Sequence[Row]) -> None:
        cells = [tuple(column.title for column in columns), *(tuple(plain(c) for c in row.cells) for row in rows)]
        widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
        for line in cells if rows else ():
            fields = (
                text.rjust(width) if column.right else text.ljust(width)
                for text, width, column in zip(line, widths, columns, strict=True)
            )
            self._out.line("  ".join(fields).rstrip())

    def _step(self, event: Event, mark: str, duration: str, note: str) -> None:
        self._out.line(f"{event.host:<12} {mark} {plain(event.step):<10} {duration:>6}  {plain(note)}".rstrip())

    def _reasons(self, why: str, hint: str) -> None:
        for line in lines(why):
            self._out.line(f"  {line}")
        for index, line in enumerate(lines(hint)):
            self._out.line(f"  {'hint:' if not index else '     '} {line}")


class Json:
    """One JSON document a line: every event, the plan, at the end the outcome."""

    def __init__(self, out: Pipe) -> None:
        self._out = out

    def event(self, event: Event) -> None:
        self._write(type(event).__name__, event)

    def plan(self, plan: Plan) -> None:
        self._write("Plan", plan, nothing_to_do=plan.nothing_to_do, tier=plan.tier)

    def operation(self, operation: Operation, tier: Tier) -> None:
        self._write("Operation", operation, tier=tier)

    def outcome(self, outcome: Outcome, dropped: int = 0) -> None:
        self._write("Outcome", outcome, result=words.result(outcome), dropped=dropped)

    def error(self, error: CockpitError) -> None:
        fields = {"event": "Error", "exit": int(error.exit), "what": error.what, "why": error.why, "hint": error.hint}
        self._out.line(json.dumps(fields))

    def status(self, hosts: Sequence[HostStatus]) -> None:
        for host in hosts:
            fields: dict[str, Any] = {"event": "Status", "host": host.host, "against_main": host.against_main}
            fields["problems"] = host.problems
            fields["error"] = None if host.error is None else {"exit": int(host.error.exit), "what": host.error.what}
            fields["facts"] = host.facts
            self._out.line(json.dumps(fields, default=_plain_value))

    def rows(self, kind: str, columns: Sequence[Column], rows: Sequence[Row]) -> None:
        for row in rows:
            self._out.line(json.dumps({"event": kind, **row.fields}, default=_plain_value))

    def _write(self, kind: str, value: Any, **more: object) -> None:  # noqa: ANN401 - any record
        self._out.line(json.dumps({"event": kind, **asdict(value), **more}, default=_plain_value))


def _plain_value(value: object) -> object:
    if isinstance(value, Enum):
        return value.name.lower() if isinstance(value.value, int) else value.value
    if isinstance(value, Struct):
        return asdict(value)
    if isinstance(value, frozenset):
        return sorted(str(_plain_value(v)) for v in value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def stdout() -> Pipe:
    return Pipe(sys.stdout)
