"""Attach: watch a run that somebody started, from any machine, to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from cockpit.actions.run import Run
from cockpit.actions.safety import ROLE
from cockpit.actions.transaction import Watcher
from cockpit.actions.world import World, failed, uncancel
from cockpit.domain.errors import CockpitError, Exit, Refused, Unreachable, UsageError, worst
from cockpit.domain.events import Finished, HostOutcome, Outcome, Warned
from cockpit.domain.hosts import Attempt, Result
from cockpit.domain.ids import is_run_id

ACTION = "release.attach"


class Attach:
    def __init__(self, world: World) -> None:
        self._world = world

    async def execute(self, prefix: str, run: Run, *, hosts: Sequence[str] | None = None) -> Outcome:
        """Watches the hosts' run `prefix` to its end; `run` takes its id as soon as that is known.

        A closed record is told at once. An open attempt that nobody works on is recovered first."""
        run.action = run.action or ACTION
        world = self._world
        names = list(hosts if hosts is not None else world.hosts)
        outcomes: dict[str, HostOutcome] = {}
        try:
            if not is_run_id(prefix):
                raise UsageError(f"{prefix!r} is not a run id", "eight characters of 0-9 and a-z, or the first of them")
            orphans: set[str] = set()
            found = await self._find(prefix, names, run, orphans)

            async def one(name: str) -> None:
                outcomes[name] = await self._watch(name, found[name], name in orphans, run)

            await world.each(list(found), one)
        except CockpitError as error:
            run.fail(error)
            outcomes = {name: failed(name, error) for name in hosts or ()}
            return run.finish(Outcome(run.id, error.exit, tuple(outcomes.values())), error.what)
        except asyncio.CancelledError:
            uncancel()
            for name in names if not outcomes else ():
                outcomes[name] = HostOutcome(
                    name, Exit.UNKNOWN, "outcome unknown", "left before its end", f"cockpit attach {prefix}"
                )
        ordered = tuple(outcomes.values())
        code = worst([o.exit for o in ordered])
        outcome = Outcome(run.id, code, ordered)
        world.record(run, outcome, action=ACTION)
        return run.finish(outcome, "; ".join(f"{o.host}: {o.text}" for o in ordered))

    async def _find(self, prefix: str, names: Sequence[str], run: Run, orphans: set[str]) -> dict[str, Attempt]:
        """host -> its attempt of that run. `orphans` are those that are open with nobody at work. The run takes the full id."""
        world = self._world
        found: dict[str, Attempt] = {}
        ids: set[str] = set()
        silent: list[CockpitError] = []

        async def one(name: str) -> None:
            try:
                facts = await world.host(name).facts(deep=True)
            except Unreachable as error:
                silent.append(error)
                run.emit(Warned, host=name, text=f"not asked: {error.what}")
                return
            for attempt in facts.attempts:
                if attempt.run.startswith(prefix):
                    ids.add(attempt.run)
                    found[name] = attempt
                    if attempt.result in (Result.OPEN, Result.REVERT_FAILED) and facts.holder is None:
                        orphans.add(name)

        await world.each(names, one)
        if len(ids) > 1:
            raise UsageError(f"{len(ids)} runs begin with {prefix!r}", ", ".join(sorted(ids)), "one more character")
        if not found and silent:
            raise silent[0]
        if not found:
            record = next((r for r in reversed(world.audit.records()) if str(r.get("run", "")).startswith(prefix)), None)
            why = "the audit log here does not know it either"
            if record is not None:
                texts = "; ".join(f"{h['host']}: {h['text']}" for h in record.get("hosts", ()))
                why = f"it ended before it reached a host: {texts}" if texts else "it ended before it reached a host"
            raise Refused(f"no host knows run {prefix}", f"so nothing happened there; {why}")
        run.id = ids.pop()
        return found

    async def _watch(self, name: str, attempt: Attempt, orphaned: bool, run: Run) -> HostOutcome:
        host = self._world.host(name)
        watcher = Watcher(self._world, host, run, attempt.run, commit=attempt.commit, previous=attempt.old_commit)
        try:
            record = await host.outcome(attempt.run)
            if record is None and orphaned and self._world.gate.observes:
                raise Refused(
                    "nobody is at work on it", "its host has to finish or revert it, and the role here is to observe", ROLE
                )
            if record is None and orphaned:
                run.emit(Warned, host=name, text="nobody is at work on it; the host finishes or reverts it now")
                await host.recover()
            outcome = await watcher.watch() if record is None else watcher.told(record)
        except CockpitError as error:
            run.fail(error, host=name)
            outcome = failed(name, error)
        except asyncio.CancelledError:
            outcome = watcher.detached("the controller left")
        run.emit(
            Finished, host=name, exit=outcome.exit, text=outcome.text, generation=outcome.generation, changed=outcome.changed
        )
        return outcome
