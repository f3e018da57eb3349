"""Deploy: make hosts run a commit, or leave them exactly as they are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence

from msgspec.structs import replace

from cockpit.actions import plain, planning, rules, transaction
from cockpit.actions.reading import read_settled, reading_ahead
from cockpit.actions.run import Run
from cockpit.actions.world import World
from cockpit.domain import units
from cockpit.domain.errors import BuildFailed, Refused
from cockpit.domain.events import Outcome, Output, Progress, Warned
from cockpit.domain.hosts import AttemptKind, Closure, HostFacts
from cockpit.domain.plan import Allow, HostPlan, Plan
from cockpit.domain.repository import Commit
from cockpit.ports import BuildResult, Host

ACTION = "release.deploy"
NOTHING = Allow()
SHOWN = 8
"""Names that a sentence lists before it says how many more."""


class Deploy:
    def __init__(self, world: World) -> None:
        self._world = world

    async def plan(
        self,
        hosts: Sequence[str],
        revision: str | None = None,
        *,
        run: Run,
        allow: Allow = NOTHING,
    ) -> Plan:
        """Builds, and asks each host what the release would change. Nothing that runs or is pointed at changes.

        Raises what concerns the whole run (CockpitError); a host for which there can be no plan is in `failures`."""
        world = self._world
        for name in hosts:
            world.host(name)
        async with reading_ahead(world, hosts) as early:
            async with world.step(run, "resolve") as note:
                commit = await self._resolve(hosts, revision, run)
                note.append(f"{commit.short} {commit.subject}")

            async def one(name: str) -> HostPlan:
                return await self._plan_host(name, commit, run, allow, early.get(name))

            return await world.plan_hosts(run, "deploy", f"deploy {commit.short} {commit.subject}", hosts, one)

    async def apply(self, plan: Plan, run: Run) -> Outcome:
        """The transactions. Raises Refused where the gate says no; else every failure is a host's outcome."""
        requests = {
            host.host: planning.request(host, plan.run, self._world, lifts=host.hold is not None)
            for host in plan.hosts
            if not host.nothing_to_do
        }
        return await transaction.apply(self._world, plan, requests, run)

    async def execute(
        self,
        hosts: Sequence[str],
        revision: str | None = None,
        *,
        run: Run,
        allow: Allow = NOTHING,
        dry_run: bool = False,
    ) -> Outcome:
        """Plan, approve (run.approve), apply; with `dry_run` the plan only. Never raises what it can explain."""

        async def plan() -> Plan:
            return await self.plan(hosts, revision, run=run, allow=allow)

        async def apply(plan: Plan) -> Outcome:
            return await self.apply(plan, run)

        return await self._world.conclude(run, ACTION, hosts, plan, apply, dry_run=dry_run)

    async def against_itself(self, facts: HostFacts, run: Run) -> HostPlan:
        """What would have to change on a host for it to be, whole, the release that it runs. Changes nothing."""
        world = self._world
        return await planning.check(world, world.host(facts.name), run.id, AttemptKind.DEPLOY, facts.running, None, facts, None)

    async def _resolve(self, hosts: Sequence[str], revision: str | None, run: Run) -> Commit:
        world = self._world
        if revision is None:
            tree = await world.repository.tree()
            if tree.head is None:
                raise Refused("there is no commit yet", "cockpit deploys commits, never a work tree", "git commit")
            if tree.modified:
                raise Refused(
                    "tracked files have changes that are in no commit",
                    _names(tree.modified),
                    f"git commit, or --commit {tree.head.short} deploys without them",
                )
            if tree.untracked:
                run.emit(Warned, step="resolve", text=f"not in git, so not deployed: {_names(tree.untracked)}")
            commit = tree.head
        else:
            commit = await world.repository.resolve(revision)
        folders = sorted({folder for name in hosts for folder in world.folders(world.host(name).settings)})
        await world.repository.check_deployable(commit.sha, folders)
        return commit

    async def _plan_host(self, name: str, commit: Commit, run: Run, allow: Allow, early: Awaitable[HostFacts] | None) -> HostPlan:
        world = self._world
        host = world.host(name)
        async with world.step(run, "connect", name) as note:
            facts = await read_settled(world, host, run, deep=False, early=early, over=True)
            note.append(_running(facts))
            if rules.up_to_date(facts, commit.sha):
                return planning.idle(name, AttemptKind.DEPLOY, facts, commit)
            if rules.open_attempt(facts) is None:
                rules.check_test_only(facts, allow.from_test)
            await rules.check_rewind(world, facts, commit, allow_rewind=allow.rewind, from_test=allow.from_test)
            hold = await rules.check_hold(world, host.settings, facts, commit, resume=allow.resume)
        if rules.runs_commit(facts, commit.sha):
            target = facts.running
        else:
            async with world.step(run, "prepare", name) as note:
                target = await self._prepare(host, commit, run)
                note.append(target.path)
        async with world.step(run, "plan", name) as note:
            plan = await planning.check(world, host, run.id, AttemptKind.DEPLOY, target, None, facts, commit, allow.take)
            for warning in plan.warnings:
                run.emit(Warned, host=name, step="plan", text=warning)
            note.append(_sizes(plan))
        return _lifting(plan) if allow.resume and hold is not None else plan

    async def _prepare(self, host: Host, commit: Commit, run: Run) -> Closure:
        """Writes only content-addressed things: the commit's objects, and the closure."""
        world = self._world
        name = host.settings.name
        haves = await host.haves()
        if commit.sha not in haves:
            await plain.refuse(world, host.settings, commit)
            known = await world.repository.known(haves)
            await host.receive(commit.sha, _counted(world.repository.pack(commit.sha, known), run, name))
        built: BuildResult | None = None
        async for item in host.build(run.id, commit.sha):
            if isinstance(item, BuildResult):
                built = item
            else:
                run.emit(Output, host=name, step="prepare", text=item)
        if built is None:
            raise BuildFailed("the build ended without a result", f"{name} said neither a closure nor why not")
        return Closure(path=built.closure, commit=commit.sha, subject=commit.subject, has_cockpit=True)


def _lifting(plan: HostPlan) -> HostPlan:
    """With a hold to lift there is something to do, also where the closure is the same."""
    return replace(plan, nothing_to_do=False)


async def _counted(pack: AsyncIterator[bytes], run: Run, host: str) -> AsyncIterator[bytes]:
    sent = 0
    async for chunk in pack:
        sent += len(chunk)
        yield chunk
    run.emit(Progress, host=host, step="prepare", text=f"sent {sent / 1000:.1f} kB of commits")


def _names(paths: Sequence[str]) -> str:
    more = len(paths) - SHOWN
    return ", ".join(paths[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _running(facts: HostFacts) -> str:
    number = f"generation {facts.profile_generation}, " if facts.profile_generation is not None else ""
    return f"{number}{(facts.running.commit or 'no commit')[:9]}"


def _sizes(plan: HostPlan) -> str:
    if plan.nothing_to_do:
        return "nothing to do"
    sizes = (plan.units.count, "unit"), (len(plan.interrupted), "service"), (len(plan.packages), "package")
    return ", ".join(units.several(*size) for size in sizes)
