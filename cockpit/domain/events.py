"""What a run tells its watchers. State events are never dropped; Output is dropped oldest first, with a count."""

from __future__ import annotations

from msgspec import Struct

from cockpit.domain.errors import Exit

SCHEMA = 1

STEPS: tuple[str, ...] = ("resolve", "connect", "prepare", "plan", "approve")
"""Steps of the controller, in order."""
PHASES: tuple[str, ...] = ("activate", "reach", "converge", "verify", "confirm", "decide", "profile", "boot", "record")
"""Phases of the transaction on the host, in order (design: transaction)."""
REVERT = "revert"


class Event(Struct, frozen=True, kw_only=True):
    run: str
    seq: int
    time: float
    host: str = ""
    """Empty for what concerns the whole run."""
    step: str = ""
    schema: int = SCHEMA


class StepStarted(Event, frozen=True, kw_only=True):
    text: str = ""
    deadline: float | None = None
    """Seconds from `time` until the step gives up."""


class Progress(Event, frozen=True, kw_only=True):
    text: str
    done: float | None = None
    """0..1 where the total is known."""


class Output(Event, frozen=True, kw_only=True):
    text: str
    """One cleaned line of a remote program."""


class Waiting(Event, frozen=True, kw_only=True):
    text: str
    """What it waits for, e.g. `web: start period`."""
    left: float | None = None


class Warned(Event, frozen=True, kw_only=True):
    text: str


class StepFinished(Event, frozen=True, kw_only=True):
    text: str = ""
    seconds: float = 0.0


class Skipped(Event, frozen=True, kw_only=True):
    text: str


class Failed(Event, frozen=True, kw_only=True):
    exit: Exit
    what: str
    why: str = ""
    hint: str = ""


class Cancelled(Event, frozen=True, kw_only=True):
    text: str = ""


class Detached(Event, frozen=True, kw_only=True):
    """The controller watches no longer; the host finishes or reverts by itself."""

    text: str = ""


class Finished(Event, frozen=True, kw_only=True):
    """The last event: of a host (`host` set) or of the whole run."""

    exit: Exit
    text: str = ""
    generation: int | None = None
    changed: bool = True
    previous: str | None = None


class HostOutcome(Struct, frozen=True):
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


class Outcome(Struct, frozen=True):
    run: str
    exit: Exit
    hosts: tuple[HostOutcome, ...]
