"""Operations: plan, approve, apply and the record, for every change that is no transaction on a host.

An action gives `plan` (re-reads its targets, and says how dangerous it is) and `apply` (does one target, and says in a few words
how it went). Everything else, safety first, is the same for all of them and happens here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from cockpit.actions.run import Approval, Run
from cockpit.actions.safety import Gate, raised
from cockpit.actions.world import uncancel
from cockpit.domain.errors import CockpitError, Exit, Refused, worst
from cockpit.domain.events import Cancelled, HostOutcome, Outcome, StepFinished, StepStarted
from cockpit.domain.operation import Operation, Step
from cockpit.domain.plan import Tier
from cockpit.ports import AuditLog, Clock

AT_ONCE = 4
"""Targets that are worked on at the same time."""


async def unasked(operation: Operation, tier: Tier) -> bool:
    """`--yes`, or a headless caller that was asked beforehand."""
    return True


class Operations:
    def __init__(self, clock: Clock, audit: AuditLog, gate: Gate, who: str, origin: str) -> None:
        self._clock = clock
        self._audit = audit
        self._gate = gate
        self._who = who
        self._origin = origin

    async def execute(
        self,
        run: Run,
        plan: Callable[[], Awaitable[Operation]],
        apply: Callable[[Step], Awaitable[str]],
        approve: Approval,
        *,
        at_once: int = AT_ONCE,
    ) -> Outcome:
        """Raises nothing that it can explain: the outcome has one HostOutcome for each target (`host` is the target).

        Targets are independent: the failure of one is its own outcome, and the others go on. `at_once=1` keeps their order.
        """
        operation: Operation | None = None
        try:
            self._gate.begin(run.title or run.action or "this")
            operation = await plan()
            run.action, run.title = operation.action, operation.title
            outcome = await self._approved(run, operation, apply, approve, at_once)
        except CockpitError as error:
            run.fail(error)
            targets = operation.targets if operation is not None else ("",)
            outcome = Outcome(run.id, error.exit, tuple(_failed(target, error) for target in targets))
        except asyncio.CancelledError:
            uncancel()
            return self._cancelled(run, operation, "cancelled")
        if outcome.exit is Exit.REFUSED and operation is not None and not any(h.changed or h.why for h in outcome.hosts):
            return run.finish(outcome, "not approved")
        self._record(run, operation, outcome)
        return run.finish(outcome, "; ".join(h.text for h in outcome.hosts if h.exit is outcome.exit))

    async def _approved(
        self, run: Run, operation: Operation, apply: Callable[[Step], Awaitable[str]], approve: Approval, at_once: int
    ) -> Outcome:
        tier = raised(operation.tier, any(step.protected for step in operation.steps))
        if self._gate.headless:
            self._check(operation)
        if tier is not Tier.READ:
            run.emit(StepStarted, step="approve")
            if not await approve(operation, tier):
                return self._cancelled(run, operation, "not approved")
            if not self._gate.headless:
                self._gate.allow_once(operation.run)
            run.emit(StepFinished, step="approve", text=f"by {self._who}")
        try:
            self._check(operation)
            return await self._apply(run, operation, apply, at_once)
        finally:
            self._gate.spend(operation.run)

    def _check(self, operation: Operation) -> None:
        for step in operation.steps:
            host = step.target.split("/")[0]
            self._gate.check(operation.tier, operation.action, host, step.protected, run=operation.run)

    async def _apply(self, run: Run, operation: Operation, apply: Callable[[Step], Awaitable[str]], at_once: int) -> Outcome:
        limit = asyncio.Semaphore(at_once)
        done: dict[int, HostOutcome] = {}

        async def one(number: int, step: Step) -> None:
            async with limit:
                started = self._clock.monotonic()
                run.emit(StepStarted, host=step.target, step=operation.verb)
                try:
                    text = await apply(step)
                except CockpitError as error:
                    run.fail(error, host=step.target, step=operation.verb)
                    done[number] = _failed(step.target, error)
                    return
                seconds = self._clock.monotonic() - started
                run.emit(StepFinished, host=step.target, step=operation.verb, text=text, seconds=seconds)
                done[number] = HostOutcome(step.target, Exit.DONE, text, changed=True, seconds=seconds)

        run.committed = True
        try:
            async with asyncio.TaskGroup() as group:
                for number, step in enumerate(operation.steps):
                    group.create_task(one(number, step), name=f"{operation.action} {step.target}")
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        outcomes = tuple(done[number] for number in range(len(operation.steps)))
        return Outcome(run.id, worst([o.exit for o in outcomes]), outcomes)

    def _cancelled(self, run: Run, operation: Operation | None, how: str) -> Outcome:
        """Refused without a reason: nobody wanted it, so there is nothing to record."""
        if run.committed and operation is not None:
            unknown = "cancelled while it was at work; look before you try again"
            outcome = Outcome(run.id, Exit.UNKNOWN, tuple(HostOutcome(name, Exit.UNKNOWN, unknown) for name in operation.targets))
            self._record(run, operation, outcome)
            return run.finish(outcome, unknown)
        error = Refused(f"{how}; nothing changed", "", "--yes to apply" if self._gate.headless else "")
        run.emit(Cancelled, text=f"{error.what}; {error.hint}" if error.hint else error.what)
        targets = operation.targets if operation is not None else ("",)
        return run.finish(Outcome(run.id, Exit.REFUSED, tuple(_failed(target, error) for target in targets)), how)

    def _record(self, run: Run, operation: Operation | None, outcome: Outcome) -> None:
        record: dict[str, Any] = {
            "schema": 1,
            "run": outcome.run,
            "action": run.action,
            "title": run.title,
            "who": self._who,
            "origin": self._origin,
            "at": run.started,
            "ended": self._clock.now(),
            "exit": int(outcome.exit),
            "commands": list(operation.commands) if operation is not None and run.committed else [],
            "targets": [
                {"target": h.host, "exit": int(h.exit), "text": h.text, "why": h.why, "changed": h.changed} for h in outcome.hosts
            ],
        }
        self._audit.append(record)


def _failed(target: str, error: CockpitError) -> HostOutcome:
    return HostOutcome(target, error.exit, error.what, error.why, error.hint)
