"""One run of an action: a bounded log of events that any number of watchers read from a cursor."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from cockpit.domain import text as texts
from cockpit.domain.errors import CockpitError
from cockpit.domain.events import Event, Failed, Finished, Outcome, Output
from cockpit.domain.operation import Operation
from cockpit.domain.plan import Plan, Tier
from cockpit.ports import Clock

E = TypeVar("E", bound=Event)
Approve = Callable[[Plan], Awaitable[bool]]
Approval = Callable[[Operation, Tier], Awaitable[bool]]
"""Asks a person; the tier is the one that counts, protection included."""

OUTPUT_KEPT = 5000
"""Lines of remote output that a run remembers; older ones are dropped and counted."""


async def never(plan: Plan) -> bool:
    """An approval that is always a no: for plans, and for runs that only watch."""
    return False


async def always(plan: Plan) -> bool:
    """An approval given beforehand: `--yes`."""
    return True


class Run:
    """State events stay for ever; Output is dropped oldest first beyond `OUTPUT_KEPT` lines."""

    def __init__(
        self,
        run_id: str,
        clock: Clock,
        approve: Approve = never,
        *,
        action: str = "",
        title: str = "",
        output_kept: int = OUTPUT_KEPT,
    ) -> None:
        self.id = run_id
        self.action = action
        """Id of the catalogue, once it is known."""
        self.title = title
        self.approve = approve
        self.plan: Plan | None = None
        self.outcome: Outcome | None = None
        self.committed = False
        """A transaction of this run has begun on some host: from here on leaving means detaching, not cancelling."""
        self.started = clock.now()
        self.dropped = 0
        """Output lines that are no longer in the log."""
        self._clock = clock
        self._log: dict[int, Event] = {}
        self._outputs: deque[int] = deque()
        self._output_kept = output_kept
        self._told: list[CockpitError] = []
        self._next = 0
        self._wake = asyncio.Event()

    @property
    def finished(self) -> bool:
        return self.outcome is not None

    @property
    def log(self) -> tuple[Event, ...]:
        """What is remembered now, in order."""
        return tuple(self._log.values())

    def emit(self, kind: type[E], **fields: Any) -> E:  # noqa: ANN401 - the fields of `kind`
        """Appends an event. Its texts may come from outside: they are made harmless here."""
        for name in ("text", "what", "why", "hint"):
            if isinstance(value := fields.get(name), str):
                fields[name] = texts.clean(value) if kind is Output else "\n".join(texts.lines(value))
        event = kind(run=self.id, seq=self._next, time=self._clock.now(), **fields)
        self._log[self._next] = event
        if isinstance(event, Output):
            self._outputs.append(self._next)
            if len(self._outputs) > self._output_kept:
                del self._log[self._outputs.popleft()]
                self.dropped += 1
        self._next += 1
        self._notify()
        return event

    def fail(self, error: CockpitError, *, host: str = "", step: str = "") -> None:
        """Emits Failed, once for one error: an outer step that sees it again adds nothing."""
        if any(told is error for told in self._told):
            return
        self._told.append(error)
        self.emit(Failed, host=host, step=step, exit=error.exit, what=error.what, why=error.why, hint=error.hint)

    def finish(self, outcome: Outcome, text: str = "") -> Outcome:
        """Closes the run with its last event. Only the first call counts."""
        if self.outcome is None:
            self.emit(Finished, exit=outcome.exit, text=text, changed=any(h.changed for h in outcome.hosts))
            self.outcome = outcome
            self._notify()
        return self.outcome

    async def events(self, cursor: int = 0) -> AsyncIterator[Event]:
        """Events with `seq >= cursor`, past ones first, until the run has finished."""
        while True:
            wake = self._wake
            while cursor < self._next:
                event = self._log.get(cursor)
                cursor += 1
                if event is not None:
                    yield event
            if self.finished and cursor >= self._next:
                return
            if wake is self._wake:
                await wake.wait()

    async def wait(self) -> Outcome:
        """Until the run has finished."""
        while self.outcome is None:
            await self._wake.wait()
        return self.outcome

    def _notify(self) -> None:
        wake, self._wake = self._wake, asyncio.Event()
        wake.set()
