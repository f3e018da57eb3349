"""Resume: lift the hold that a rollback left behind. Deploys nothing."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from cockpit.actions import planning, transaction
from cockpit.actions.reading import read_settled
from cockpit.actions.run import Run
from cockpit.actions.world import World
from cockpit.domain.errors import Refused
from cockpit.domain.events import Outcome
from cockpit.domain.hosts import AttemptKind
from cockpit.domain.plan import HostPlan, Plan

ACTION = "host.resume"


class Resume:
    def __init__(self, world: World) -> None:
        self._world = world

    async def plan(self, host: str | Sequence[str], run: Run) -> Plan:
        """Refused (in `failures`) for a host that is not held."""
        names = _names(host)

        async def one(name: str) -> HostPlan:
            return await self._plan_host(name, run)

        return await self._world.plan_hosts(run, "resume", f"lift the hold of {', '.join(names)}", names, one)

    async def apply(self, plan: Plan, run: Run) -> Outcome:
        requests = {host.host: planning.request(host, plan.run, self._world, lifts=True) for host in plan.hosts}
        return await transaction.apply(self._world, plan, requests, run)

    async def execute(self, host: str | Sequence[str], run: Run, *, dry_run: bool = False) -> Outcome:
        async def plan() -> Plan:
            return await self.plan(host, run)

        async def apply(plan: Plan) -> Outcome:
            return await self.apply(plan, run)

        return await self._world.conclude(run, ACTION, _names(host), plan, apply, dry_run=dry_run)

    async def _plan_host(self, name: str, run: Run) -> HostPlan:
        world = self._world
        host = world.host(name)
        async with world.step(run, "connect", name) as note:
            facts = await read_settled(world, host, run, deep=False)
            if facts.hold is None:
                raise Refused(f"{name} is not held", "there is nothing to lift")
            note.append(f"held by {facts.hold.by} since run {facts.hold.run}")
        async with world.step(run, "plan", name):
            plan = await planning.check(world, host, run.id, AttemptKind.RESUME, facts.running, None, facts, None)
        return replace(plan, nothing_to_do=False, units=type(plan.units)(), services=(), secrets=(), packages=(), reboot=None)


def _names(host: str | Sequence[str]) -> tuple[str, ...]:
    return (host,) if isinstance(host, str) else tuple(host)
