"""What a run tells its watchers. State events are never dropped; Output is dropped oldest first, with a count."""

from __future__ import annotations

from dataclasses import dataclass

from cockpit.domain.errors import Exit

SCHEMA = 1

STEPS: tuple[str, ...] = ("resolve", "connect", "prepare", "plan", "approve")
"""Steps of the controller, in order."""
PHASES: tuple[str, ...] = ("activate", "reach", "converge", "verify", "confirm", "decide", "profile", "boot", "record")
"""Phases of the transaction on the host, in order (design: transaction)."""
REVERT = "revert"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    run: str
    seq: int
    time: float
    host: str = ""
    """Empty for what concerns the whole run."""
    step: str = ""
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted(Event):
    text: str = ""
    deadline: float | None = None
    """Seconds from `time` until the step gives up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress(Event):
    text: str
    done: float | None = None
    """0..1 where the total is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output(Event):
    text: str
    """One cleaned line of a remote program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting(Event):
    text: str
    """What it waits for, e.g. `web: start period`."""
    left: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned(Event):
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished(Event):
    text: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped(Event):
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(Event):
    exit: Exit
    what: str
    why: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled(Event):
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detached(Event):
    """The controller watches no longer; the host finishes or reverts by itself."""

    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished(Event):
    """The last event: of a host (`host` set) or of the whole run."""

    exit: Exit
    text: str = ""
    generation: int | None = None
    changed: bool = True
    previous: str | None = None


@dataclass(frozen=True, slots=True)
class HostOutcome:
    host: str
    exit: Exit
    text: str
    why: str = ""
    hint: str = ""
    generation: int | None = None
    commit: str | None = None
    previous: str | None = None
    changed: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    run: str
    exit: Exit
    hosts: tuple[HostOutcome, ...]
