"""Rollback: the same transaction with an earlier generation as its target, and a hold on what it leaves behind."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from cockpit.actions import planning, rules, transaction
from cockpit.actions.reading import read_settled
from cockpit.actions.run import Run
from cockpit.actions.world import World
from cockpit.domain import units
from cockpit.domain.errors import Refused, UsageError
from cockpit.domain.events import Outcome, Warned
from cockpit.domain.hosts import AttemptKind, Generation, HostFacts, Result, Verdict
from cockpit.domain.plan import HostPlan, Plan

ACTION = "host.rollback"
DOES_NOT_COME_BACK = "volumes and databases stay as they are: a rollback does not bring data back"


class Rollback:
    def __init__(self, world: World) -> None:
        self._world = world

    async def plan(self, host: str | Sequence[str], to: int | str | None, run: Run) -> Plan:
        """`to`: a generation's number, a commit (any prefix), `good`, or None for the previous good one, else the previous."""
        names = _names(host)

        async def one(name: str) -> HostPlan:
            return await self._plan_host(name, to, run)

        title = f"roll back {', '.join(names)}" + (f" to {to}" if to is not None else "")
        return await self._world.plan_hosts(run, "rollback", title, names, one)

    async def apply(self, plan: Plan, run: Run) -> Outcome:
        requests = {
            host.host: planning.request(
                host,
                plan.run,
                self._world,
                hold={"abandoned": list(host.abandons), "why": f"rolled back to {host.new_generation}"},
            )
            for host in plan.hosts
            if not host.nothing_to_do
        }
        return await transaction.apply(self._world, plan, requests, run)

    async def execute(self, host: str | Sequence[str], to: int | str | None, run: Run, *, dry_run: bool = False) -> Outcome:
        async def plan() -> Plan:
            return await self.plan(host, to, run)

        async def apply(plan: Plan) -> Outcome:
            return await self.apply(plan, run)

        return await self._world.conclude(run, ACTION, _names(host), plan, apply, dry_run=dry_run)

    async def _plan_host(self, name: str, to: int | str | None, run: Run) -> HostPlan:
        world = self._world
        host = world.host(name)
        async with world.step(run, "connect", name) as note:
            facts = await read_settled(world, host, run, deep=True, over=True)
            target = await self._target(facts, to)
            note.append(f"target generation {target.number}")
        if rules.open_attempt(facts) is None and target.closure.path == facts.running.path == facts.profile == facts.boot_default:
            return planning.idle(name, AttemptKind.ROLLBACK, facts, None, facts.hold)
        commit = None
        if target.closure.commit is not None:
            commit = (await world.repository.subjects([target.closure.commit])).get(target.closure.commit)
        async with world.step(run, "plan", name) as note:
            plan = await planning.check(world, host, run.id, AttemptKind.ROLLBACK, target.closure, target.number, facts, commit)
            plan = replace(
                plan,
                new_generation=target.number,
                abandons=await self._abandons(facts, target),
                leaves_out=await self._leaves_out(facts, target),
                warnings=(*plan.warnings, *_judgement(target), DOES_NOT_COME_BACK),
            )
            plan = replace(plan, commands=planning.commands(host.settings, plan, run.id))
            for warning in plan.warnings:
                run.emit(Warned, host=name, step="plan", text=warning)
            services, commits = len(plan.interrupted), len(plan.leaves_out)
            note.append(f"{units.several(services, 'service')}, leaves out {units.several(commits, 'commit')}")
        return plan

    async def _target(self, facts: HostFacts, to: int | str | None) -> Generation:
        numbered = [g for g in facts.generations if g.number is not None]
        if to is None or to == "good":
            return _previous(facts, numbered, only_good=to == "good")
        found = [g for g in numbered if str(g.number) == str(to)]
        if not found and isinstance(to, str):
            found = [g for g in numbered if len(to) >= 4 and (g.closure.commit or "").startswith(to.lower())]
            if not found:
                sha = (await self._world.repository.resolve(to)).sha
                found = [g for g in numbered if g.closure.commit == sha]
        if not found:
            kept = ", ".join(str(g.number) for g in numbered)
            raise UsageError(
                f"{facts.name} has no generation {to}", f"it keeps {kept}", "a commit that is gone can be deployed again"
            )
        return max(found, key=lambda g: g.number or 0)

    async def _abandons(self, facts: HostFacts, target: Generation) -> tuple[str, ...]:
        """Commits that ran since the target and are not in it; an earlier hold's stay abandoned."""
        ran = [facts.running.commit]
        ran += [g.closure.commit for g in facts.generations if g.number is None or g.number > (target.number or 0)]
        ran += [
            a.commit
            for a in facts.attempts
            if a.result is Result.DONE and (a.generation or a.new_generation or 0) > (target.number or 0)
        ]
        ran += list(facts.hold.abandoned) if facts.hold is not None else []
        goal = target.closure.commit
        kept = []
        for sha in dict.fromkeys(ran):
            if sha is None or sha == goal:
                continue
            if goal is None or not await self._world.repository.is_ancestor(sha, goal):
                kept.append(sha)
        return tuple(kept)

    async def _leaves_out(self, facts: HostFacts, target: Generation) -> tuple[tuple[str, str], ...]:
        running, goal = facts.running.commit, target.closure.commit
        if running is None or goal is None or not await self._world.repository.known([running]):
            return ()
        commits = await self._world.repository.log(running, exclude=[goal])
        return tuple((commit.sha, commit.subject) for commit in commits)


def _previous(facts: HostFacts, numbered: list[Generation], *, only_good: bool) -> Generation:
    """The newest good generation before the one that runs; where none is known to be good, the previous one."""
    running = next((g.number for g in numbered if g.closure.path == facts.running.path), None)
    same = [g for g in numbered if running is None or (g.number or 0) < running]
    older = sorted((g for g in same if g.closure.path != facts.running.path), key=lambda g: g.number or 0, reverse=True)
    good = next((g for g in older if g.outcome.verdict is Verdict.GOOD), None)
    if good is not None:
        return good
    if only_good or not older:
        why = "none before the running one is known to have been healthy" if older else "it is the first that is kept"
        raise Refused(f"{facts.name} has no earlier {'good ' if only_good else ''}generation", why, "--to NUMBER names one")
    return older[0]


def _judgement(target: Generation) -> tuple[str, ...]:
    verdict = target.outcome.verdict
    if verdict is Verdict.GOOD:
        return ()
    why = f" ({target.outcome.why})" if target.outcome.why else ""
    return (f"generation {target.number} is not known to be good: {verdict.value}{why}",)


def _names(host: str | Sequence[str]) -> tuple[str, ...]:
    return (host,) if isinstance(host, str) else tuple(host)
