"""What every action works with, and what all of them do the same way: steps, several hosts at once, the record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from msgspec import Struct

from cockpit.actions.run import Run
from cockpit.actions.safety import Gate
from cockpit.domain.errors import CockpitError, Exit, Refused, UsageError, worst
from cockpit.domain.events import Cancelled, HostOutcome, Outcome, Skipped, StepFinished, StepStarted
from cockpit.domain.plan import HostPlan, Plan, Problem
from cockpit.domain.settings import HostSettings, Settings
from cockpit.ports import AuditLog, Clock, Host, Repository, SecretStore

AT_ONCE = 4
"""Hosts that are worked on at the same time."""


class NotApproved(Exception):
    """The person said no, or nobody was asked: not a failure, and nothing to record."""


class World(Struct, frozen=True):
    settings: Settings
    hosts: Mapping[str, Host]
    repository: Repository
    clock: Clock
    audit: AuditLog
    gate: Gate
    who: str
    origin: str
    secrets: SecretStore

    def host(self, name: str) -> Host:
        if name not in self.hosts:
            raise UsageError(f"there is no host {name!r}", f"cockpit.yaml names {', '.join(sorted(self.hosts)) or 'none'}")
        return self.hosts[name]

    def folders(self, settings: HostSettings) -> tuple[str, ...]:
        """Paths of the repository that a host's release is made of."""
        found = {settings.flake_folder}
        for name in settings.projects:
            if project := self.settings.projects.get(name):
                found.add(project.source)
                found.update(secret.file for secret in project.secrets)
        return tuple(sorted(folder.strip("/") for folder in found if folder.strip("/")))

    @asynccontextmanager
    async def step(self, run: Run, step: str, host: str = "", text: str = "") -> AsyncIterator[list[str]]:
        """A step of the controller. What is put into the list becomes the note of its end. Errors pass; the caller tells them."""
        started = self.clock.monotonic()
        run.emit(StepStarted, host=host, step=step, text=text)
        note: list[str] = []
        try:
            yield note
        except CockpitError as error:
            run.fail(error, host=host, step=step)
            raise
        run.emit(StepFinished, host=host, step=step, text=", ".join(note), seconds=self.clock.monotonic() - started)

    async def each(self, names: Sequence[str], work: Callable[[str], Awaitable[None]]) -> None:
        """Works on several hosts at once. `work` tells its own failures; what it raises ends everything."""
        limit = asyncio.Semaphore(AT_ONCE)

        async def limited(name: str) -> None:
            async with limit:
                await work(name)

        try:
            async with asyncio.TaskGroup() as group:
                for name in names:
                    group.create_task(limited(name), name=f"host {name}")
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def plan_hosts(
        self, run: Run, action: str, title: str, names: Sequence[str], plan_host: Callable[[str], Awaitable[HostPlan]]
    ) -> Plan:
        """A plan of several hosts; a host for which there can be no plan is a failure of the plan."""
        for name in names:
            self.host(name)
        plans: dict[str, HostPlan] = {}
        failures: dict[str, Problem] = {}

        async def one(name: str) -> None:
            try:
                plans[name] = await plan_host(name)
            except CockpitError as error:
                run.fail(error, host=name)
                failures[name] = Problem(error.exit, error.what, error.why, error.hint)

        await self.each(names, one)
        run.plan = Plan(
            run=run.id,
            action=action,
            title=title,
            hosts=tuple(plans[name] for name in names if name in plans),
            failures=tuple((name, failures[name]) for name in names if name in failures),
        )
        return run.plan

    async def conclude(
        self,
        run: Run,
        action: str,
        names: Sequence[str],
        plan: Callable[[], Awaitable[Plan]],
        apply: Callable[[Plan], Awaitable[Outcome]],
        *,
        dry_run: bool,
        reads: bool = False,
    ) -> Outcome:
        """Plan, approve, apply, and the record of it: what is the same for every action. Raises nothing it can explain.

        `reads`: making the plan changes nothing anywhere, so an observer may."""
        run.action = run.action or action
        recorded = not dry_run
        try:
            if not reads:
                self.gate.begin(run.action)
            made = await plan()
            outcome = await self._approved(run, made, apply, dry_run)
        except CockpitError as error:
            run.fail(error)
            outcome = Outcome(run.id, error.exit, tuple(failed(name, error) for name in names))
        except NotApproved:
            recorded = False
            outcome = self._not_approved(run, names)
        except asyncio.CancelledError:
            uncancel()
            recorded = False
            outcome = self._cancelled(run, names, "cancelled")
        if recorded:
            self.record(run, outcome)
        return run.finish(outcome, _sentence(outcome, run.plan, dry_run))

    async def look(self, run: Run, names: Sequence[str], work: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Something that changes nothing on any host: not recorded, allowed to an observer. Raises nothing it can explain."""
        try:
            outcome = await work()
        except CockpitError as error:
            run.fail(error)
            outcome = Outcome(run.id, error.exit, tuple(failed(name, error) for name in names))
        except asyncio.CancelledError:
            uncancel()
            outcome = self._cancelled(run, names, "cancelled")
        return run.finish(outcome, _sentence(outcome, None, False))

    def _not_approved(self, run: Run, names: Sequence[str]) -> Outcome:
        if not self.gate.headless:
            return self._cancelled(run, names, "not approved")
        error = Refused("not approved", "nothing changed", "--yes to apply")
        run.fail(error, step="approve")
        return Outcome(run.id, error.exit, tuple(failed(name, error) for name in names))

    def _cancelled(self, run: Run, names: Sequence[str], how: str) -> Outcome:
        text = f"{how}; nothing changed"
        run.emit(Cancelled, text=text)
        return Outcome(run.id, Exit.REFUSED, tuple(HostOutcome(name, Exit.REFUSED, text) for name in names))

    async def _approved(self, run: Run, plan: Plan, apply: Callable[[Plan], Awaitable[Outcome]], dry_run: bool) -> Outcome:
        if broken := broken_hosts(plan):
            for host in plan.hosts:
                for problem in host.problems:
                    run.fail(as_error(problem), host=host.host, step="plan")
            return self._stopped(run, plan, broken)
        if plan.nothing_to_do:
            return Outcome(run.id, Exit.DONE, tuple(untouched(host) for host in plan.hosts))
        if dry_run:
            hosts = tuple(
                untouched(h) if h.nothing_to_do else HostOutcome(h.host, Exit.TO_DO, "something to do") for h in plan.hosts
            )
            return Outcome(run.id, Exit.TO_DO, hosts)
        run.emit(StepStarted, step="approve")
        for host in plan.hosts:
            if not host.nothing_to_do and self.gate.headless:
                self.check(plan, host)
        if not await run.approve(plan):
            raise NotApproved("not approved")
        self.gate.allow_once(plan)
        run.emit(StepFinished, step="approve", text=f"by {self.who}")
        try:
            return await apply(plan)
        finally:
            self.gate.spend(plan.run)

    def check(self, plan: Plan, host: HostPlan) -> None:
        protected = self.host(host.host).settings.protected
        self.gate.check(plan.tier, plan.action, host.host, protected, run=plan.run)

    def _stopped(self, run: Run, plan: Plan, broken: dict[str, Problem]) -> Outcome:
        outcomes = []
        for name, problem in broken.items():
            outcomes.append(HostOutcome(name, problem.exit, problem.what, problem.why, problem.hint))
        for host in plan.hosts:
            if host.host not in broken:
                outcomes.append(untouched(host) if host.nothing_to_do else skipped(run, host.host, next(iter(broken))))
        return Outcome(run.id, worst([o.exit for o in outcomes]), tuple(outcomes))

    def record(self, run: Run, outcome: Outcome, *, action: str | None = None) -> None:
        """Appends to the audit log of this machine, also what never reached a host."""
        plan = run.plan
        record: dict[str, Any] = {
            "schema": 1,
            "run": outcome.run,
            "action": action or run.action,
            "who": self.who,
            "origin": self.origin,
            "at": run.started,
            "ended": self.clock.now(),
            "exit": int(outcome.exit),
            "plan": None if plan is None else summary(plan),
            "commands": [c for h in plan.hosts for c in h.commands] if plan is not None and run.committed else [],
            "hosts": [
                {
                    "host": h.host,
                    "exit": int(h.exit),
                    "text": h.text,
                    "why": h.why,
                    "commit": h.commit,
                    "generation": h.generation,
                    "previous": h.previous,
                    "changed": h.changed,
                }
                for h in outcome.hosts
            ],
        }
        self.audit.append(record)


def uncancel() -> None:
    """The cancellation was heard and is answered with an outcome."""
    if (task := asyncio.current_task()) is not None:
        while task.cancelling():
            task.uncancel()


def as_error(problem: Problem) -> CockpitError:
    error = CockpitError(problem.what, problem.why, problem.hint)
    error.exit = problem.exit
    return error


def failed(name: str, error: CockpitError) -> HostOutcome:
    return HostOutcome(name, error.exit, error.what, error.why, error.hint)


def untouched(plan: HostPlan) -> HostOutcome:
    return HostOutcome(
        plan.host, Exit.DONE, "nothing to do", generation=plan.old_generation, commit=plan.commit, previous=plan.old.commit
    )


def skipped(run: Run, name: str, because: str) -> HostOutcome:
    text = f"skipped: {because} failed"
    run.emit(Skipped, host=name, text=text)
    return HostOutcome(name, Exit.REFUSED, text, "nothing changed here")


def broken_hosts(plan: Plan) -> dict[str, Problem]:
    """Hosts that cannot be deployed, with the worst of what is in the way."""
    broken = dict(plan.failures)
    for host in plan.hosts:
        if host.problems:
            code = worst([problem.exit for problem in host.problems])
            broken[host.host] = next(problem for problem in host.problems if problem.exit is code)
    return broken


def summary(plan: Plan) -> dict[str, Any]:
    return {
        "title": plan.title,
        "hosts": [
            {
                "host": h.host,
                "kind": h.kind.value,
                "commit": h.commit,
                "subject": h.subject,
                "old": h.old.path,
                "old_generation": h.old_generation,
                "new": h.new.path,
                "new_generation": h.new_generation,
                "units": h.units.count,
                "services": [f"{s.project}/{s.service} {s.change.value}" for s in h.interrupted],
                "nothing_to_do": h.nothing_to_do,
            }
            for h in plan.hosts
        ],
        "failures": [[name, problem.what] for name, problem in plan.failures],
    }


def _sentence(outcome: Outcome, plan: Plan | None, dry_run: bool) -> str:
    if outcome.exit is Exit.DONE and plan is not None and plan.nothing_to_do:
        return "nothing to do"
    if outcome.exit is Exit.TO_DO and dry_run:
        return "there is something to do"
    if outcome.exit is Exit.DONE:
        return "done"
    return "; ".join(f"{h.host}: {h.text}" for h in outcome.hosts if h.exit is outcome.exit)
