"""Output for GitHub Actions: groups, annotations, the step summary, the step's outputs.

Whatever comes from outside is printed between `stop-commands` and its token: a remote line can never be a workflow command.
Source: docs.github.com, "Workflow commands for GitHub Actions".
"""

from __future__ import annotations

import io
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from cockpit.actions.status import HostStatus
from cockpit.cli import words
from cockpit.cli.output import Column, Pipe, Row, Text
from cockpit.domain.errors import CockpitError, Exit, SettingsError
from cockpit.domain.events import (
    Cancelled,
    Detached,
    Event,
    Failed,
    HostOutcome,
    Outcome,
    Output,
    Progress,
    Skipped,
    StepFinished,
    StepStarted,
    Waiting,
    Warned,
)
from cockpit.domain.operation import Operation
from cockpit.domain.plan import Plan, Tier
from cockpit.domain.text import plain

MOST = 60_000
"""Characters of what may become a comment or a pull request's text: GitHub takes 65536 there. A step summary becomes one, too."""

Key = tuple[str, str]


def data(text: str) -> str:
    """The message of a workflow command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def prop(text: str) -> str:
    """A property of a workflow command."""
    return data(text).replace(":", "%3A").replace(",", "%2C")


def cell(text: str) -> str:
    """A cell of a Markdown table. It may end in a comment: nobody is mentioned by it."""
    text = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = "".join(f"\\{c}" if c in "\\|`*_[]!#~" else c for c in text)
    return text.replace("@", "<span>@</span>")


def bounded(text: str) -> str:
    """Whole lines, as many as GitHub takes."""
    return text if len(text) <= MOST else text[:MOST].rpartition("\n")[0] + "\n\n(cut: the rest is in the log of the run)\n"


class GitHub:
    def __init__(self, out: Pipe, environ: Mapping[str, str], *, verbose: bool = True) -> None:
        self._out = out
        self._summary_file = environ.get("GITHUB_STEP_SUMMARY")
        self._output_file = environ.get("GITHUB_OUTPUT")
        self._open: Key | None = None
        self._token = ""
        self._held: dict[Key, list[str]] = {}
        """Lines of steps that run beside the open group: groups do not nest."""
        self._ended: set[Key] = set()
        self._plan: Plan | None = None

    def event(self, event: Event) -> None:
        key = (event.host, event.step)
        if event.step == "approve" and not isinstance(event, Failed):
            return
        match event:
            case StepStarted():
                self._start(key)
            case Output():
                self._line(key, event.text)
            case Progress() | Waiting():
                self._line(key, event.text)
            case StepFinished():
                self._line(key, " ".join(part for part in (words.seconds(event.seconds), event.text) if part))
                self._end(key)
            case Failed():
                self._end(key)
                message = "\n".join(part for part in (event.what, event.why, f"hint: {event.hint}" if event.hint else "") if part)
                self._annotate("error", key, message)
            case Warned() | Detached():
                self._annotate("warning", key, event.text)
            case Skipped() | Cancelled():
                self._annotate("notice", key, event.text)
            case _:
                pass

    def plan(self, plan: Plan) -> None:
        self._plan = plan
        self._guarded("plan", list(words.plan_lines(plan)))

    def outcome(self, outcome: Outcome, dropped: int = 0) -> None:
        if self._open is not None:
            self._end(self._open)
        for key in tuple(self._held):
            self._flush(key)
        texts = [f"{h.host}: {words.shape(h.exit)} {plain(h.text)}" for h in outcome.hosts]
        self._guarded(f"outcome of run {outcome.run}", [*texts, f"{dropped} lines of output were dropped"] if dropped else texts)
        self._append(self._summary_file, self.summary(outcome))
        self._append(self._output_file, outputs(outcome))

    def operation(self, operation: Operation, tier: Tier) -> None:
        self._guarded("operation", list(words.operation_lines(operation, tier)))

    def error(self, error: CockpitError) -> None:
        if isinstance(error, SettingsError):
            for c in error.complaints:
                text = f"{c.key}: {c.what}" + (f"; expected {c.expected}" if c.expected else "")
                text += f"; did you mean {c.nearest!r}?" if c.nearest else ""
                self._out.line(f"::error file={prop(plain(c.file))},line={c.line},title=cockpit.yaml::{data(plain(text))}")
            return
        message = "\n".join(part for part in (error.what, error.why, f"hint: {error.hint}" if error.hint else "") if part)
        self._annotate("error", ("", "cockpit"), message)

    def status(self, hosts: Sequence[HostStatus]) -> None:
        lines = Collected()
        Text(lines).status(hosts)
        self._guarded("status", lines.all)

    def rows(self, kind: str, columns: Sequence[Column], rows: Sequence[Row]) -> None:
        lines = Collected()
        Text(lines).rows(kind, columns, rows)
        self._guarded(kind.lower(), lines.all)

    def block(self, title: str, lines: Sequence[str]) -> None:
        """Lines of others, folded under a title."""
        self._guarded(title, list(lines))

    def summary(self, outcome: Outcome) -> str:
        rows = [f"### cockpit: {words.result(outcome).replace('-', ' ')} (run `{outcome.run}`)", ""]
        rows += ["| host | result | generation | commit | previous |", "|---|---|---|---|---|"]
        for host in outcome.hosts:
            texts = (host.host, f"{words.shape(host.exit)} {host.text}", str(host.generation or ""))
            commits = ((host.commit or "")[:9], (host.previous or "")[:9])
            rows.append("| " + " | ".join(cell(text) for text in (*texts, *commits)) + " |")
            if host.why or host.hint:
                rows.append("| | " + cell(": ".join(part for part in (host.why, host.hint) if part)) + " | | | |")
        if self._plan is not None:
            rows += ["", "| host | plan | |", "|---|---|---|"]
            for plan in self._plan.hosts:
                rows += [f"| {cell(plan.host)} | {cell(what)} | {cell(detail)} |" for what, detail in words.plan_rows(plan)]
        return bounded("\n".join(rows) + "\n")

    def _start(self, key: Key) -> None:
        self._held.setdefault(key, [])
        if self._open is None:
            self._reveal(key)

    def _line(self, key: Key, text: str) -> None:
        if key == self._open:
            self._out.line(plain(text))
        else:
            self._held.setdefault(key, []).append(plain(text))

    def _end(self, key: Key) -> None:
        if key == self._open:
            self._close()
            for ended in [k for k in self._held if k in self._ended]:
                self._flush(ended)
            if self._held:
                self._reveal(next(iter(self._held)))
        elif key in self._held:
            self._ended.add(key)

    def _reveal(self, key: Key) -> None:
        """Opens the group of a step, and from here on prints it as it comes."""
        self._token = secrets.token_hex(16)
        self._out.line(f"::group::{data(_title(key))}")
        self._out.line(f"::stop-commands::{self._token}")
        self._open = key
        for line in self._held.pop(key, []):
            self._out.line(line)

    def _close(self) -> None:
        self._out.line(f"::{self._token}::")
        self._out.line("::endgroup::")
        self._open = None

    def _flush(self, key: Key) -> None:
        self._ended.discard(key)
        self._reveal(key)
        self._close()

    def _guarded(self, title: str, lines: list[str]) -> None:
        """A block of its own; an open group is closed for it and goes on behind it."""
        resumed = self._open
        if resumed is not None:
            self._close()
        self._held[title, ""] = lines
        self._flush((title, ""))
        if resumed is not None:
            self._reveal(resumed)

    def _annotate(self, kind: str, key: Key, message: str) -> None:
        """Commands are not heard inside a guarded group: it is left for one line."""
        token = self._token if self._open is not None else ""
        if token:
            self._out.line(f"::{token}::")
        lines = "\n".join(plain(line) for line in message.splitlines())
        self._out.line(f"::{kind} title={prop(_title(key))}::{data(lines)}")
        if token:
            self._token = secrets.token_hex(16)
            self._out.line(f"::stop-commands::{self._token}")

    def _append(self, file: str | None, text: str) -> None:
        if file:
            with Path(file).open("a", encoding="utf-8") as stream:
                stream.write(text)


class Collected(Pipe):
    """Lines that are kept instead of written."""

    def __init__(self) -> None:
        super().__init__(io.StringIO())
        self.all: list[str] = []

    def line(self, text: str = "") -> None:
        self.all.append(text)


def outputs(outcome: Outcome) -> str:
    """Lines for GITHUB_OUTPUT. Of several hosts: `alpha=142,beta=77`."""

    def of(value: dict[str, object]) -> str:
        shown = {host: plain(str(v)) for host, v in value.items() if v is not None}
        return next(iter(shown.values()), "") if len(outcome.hosts) == 1 else ",".join(f"{h}={v}" for h, v in shown.items())

    def each(name: str) -> dict[str, object]:
        return {host.host: getattr(host, name) for host in outcome.hosts}

    changed = "true" if any(_changed(h) for h in outcome.hosts) else "false"
    pairs = {
        "changed": changed,
        "generation": of(each("generation")),
        "previous": of(each("previous")),
        "result": words.result(outcome),
    }
    return "".join(f"{name}={value}\n" for name, value in pairs.items())


def _changed(host: HostOutcome) -> bool:
    return host.changed and host.exit is not Exit.REVERTED


def _title(key: Key) -> str:
    return plain(" ".join(part for part in key if part)) or "cockpit"
