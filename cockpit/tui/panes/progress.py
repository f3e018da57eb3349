"""What a run has told so far, as a model: steps of each host, from its event log or from a closed record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from cockpit.domain.events import (
    PHASES,
    STEPS,
    Cancelled,
    Detached,
    Event,
    Failed,
    Finished,
    Output,
    Progress,
    Skipped,
    StepFinished,
    StepStarted,
    Waiting,
    Warned,
)
from cockpit.domain.hosts import Attempt, Result

ALL = (*STEPS, *PHASES)


class Step(Struct, frozen=True):
    """One step of one host: to come, current, done or failed."""

    shape: str = "○"
    text: str = ""
    seconds: float | None = None
    started: float | None = None
    deadline: float | None = None
    waiting: str = ""
    left: float | None = None
    at: float = 0.0
    """When `left` was said."""
    done: float | None = None


class HostProgress(Struct):
    host: str
    steps: dict[str, Step] = field(default_factory=dict)
    finished: Finished | None = None
    failed: Failed | None = None
    warnings: list[str] = field(default_factory=list)

    def step(self, name: str) -> Step:
        return self.steps.get(name, Step())

    def passed(self, name: str) -> bool:
        """Whether a later step has begun."""
        return any(self.step(later).shape != "○" for later in ALL[ALL.index(name) + 1 :])

    @property
    def current(self) -> str | None:
        return next((name for name, step in self.steps.items() if step.shape == "◐"), None)

    @property
    def count(self) -> int:
        """Steps that are behind it."""
        return len(ALL) if self.finished and not self.finished.exit else sum(1 for s in self.steps.values() if s.shape in "●✕")

    @property
    def shape(self) -> str:
        if self.finished is not None:
            return "●" if not self.finished.exit else "↺" if self.finished.exit == 5 else "✕"
        return "✕" if self.failed else "◐"


class RunProgress(Struct):
    hosts: dict[str, HostProgress]
    output: list[Output]
    detached: str = ""


def follow(log: Iterable[Event], hosts: Sequence[str]) -> RunProgress:
    """The model of a live run."""
    out = RunProgress({name: HostProgress(name) for name in hosts}, [])
    for event in log:
        if event.host and event.host not in out.hosts:
            out.hosts[event.host] = HostProgress(event.host)
        if isinstance(event, Output):
            out.output.append(event)
        elif isinstance(event, Detached):
            out.detached = event.text
        for host in [out.hosts[event.host]] if event.host else list(out.hosts.values()):
            _tell(host, event)
    return out


def _tell(host: HostProgress, event: Event) -> None:
    step = host.step(event.step)
    match event:
        case StepStarted():
            for name, other in host.steps.items():
                if other.shape == "◐":
                    host.steps[name] = replace(other, shape="●")
            host.steps[event.step] = Step("◐", event.text, started=event.time, deadline=event.deadline)
        case StepFinished():
            host.steps[event.step] = replace(
                step, shape="●", text=event.text or step.text, seconds=event.seconds, waiting="", left=None
            )
        case Skipped() if event.step:
            host.steps[event.step] = replace(step, shape="○", text=event.text)
        case Progress() if event.step:
            host.steps[event.step] = replace(step, text=event.text, done=event.done)
        case Waiting() if event.step:
            host.steps[event.step] = replace(step, waiting=event.text, left=event.left, at=event.time)
        case Warned():
            host.warnings.append(event.text)
        case Failed():
            host.failed = event
            where = event.step or host.current
            if where:
                host.steps[where] = replace(host.step(where), shape="✕", text=event.why or event.what)
        case Cancelled() | Detached():
            host.warnings.append(event.text)
        case Finished() if event.host:
            host.finished = event
        case _:
            pass


def recorded(attempts: Sequence[Attempt], now: float) -> RunProgress:
    """The model of what a host wrote down."""
    out = RunProgress({}, [])
    for attempt in attempts:
        host = HostProgress(attempt.host)
        for phase, seconds in attempt.timings:
            host.steps[phase] = Step("●", "", seconds)
        if attempt.phase and attempt.result is Result.OPEN:
            host.steps[attempt.phase] = Step("◐", started=None)
        elif attempt.phase and attempt.result in (Result.REVERTED, Result.REVERT_FAILED, Result.FAILED):
            host.steps[attempt.phase] = replace(host.step(attempt.phase), shape="✕", text=attempt.reason)
        out.hosts[attempt.host] = host
    return out
