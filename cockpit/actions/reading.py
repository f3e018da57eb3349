"""Reading a host just before acting on it: who holds it, and what somebody left open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager

from cockpit.actions import rules, transaction
from cockpit.actions.run import Run
from cockpit.actions.world import AT_ONCE, World
from cockpit.domain.errors import Locked, RevertFailed
from cockpit.domain.events import Warned
from cockpit.domain.hosts import HostFacts
from cockpit.ports import Host

RECOVERY = "recovery"


async def read_settled(
    world: World, host: Host, run: Run, *, deep: bool, early: Awaitable[HostFacts] | None = None, over: bool = False
) -> HostFacts:
    """Facts of a host on which nothing is at work; `early` is a reading that has begun. Recovers an attempt that was left open.

    Raises Locked; RevertFailed where an attempt ended on neither release, unless the caller may go over it: then it is still open
    in the facts."""
    facts = await (early if early is not None else host.facts(deep=deep))
    if facts.holder is not None and facts.holder.kind != RECOVERY:
        holder = facts.holder
        since = f", for {_age(facts.host_time - holder.since)}" if holder.since else ""
        origin = f" from {holder.origin}" if holder.origin else ""
        raise Locked(
            f"{facts.name} is held by {holder.who}",
            f"{holder.kind} {holder.run}".rstrip() + origin + since,
            f"cockpit attach {holder.run}" if holder.run else "try again when it has ended",
        )
    if (left_open := rules.open_attempt(facts)) is not None:
        try:
            await transaction.settle(world, host, left_open, run)
        except RevertFailed:
            if not over:
                raise
            run.emit(Warned, host=facts.name, text=f"run {left_open} cannot be closed; this one goes over it")
        facts = await host.facts(deep=deep)
    return facts


@asynccontextmanager
async def reading_ahead(world: World, names: Sequence[str]) -> AsyncIterator[Mapping[str, Awaitable[HostFacts]]]:
    """Begins to read hosts (as many as are worked on at once) while something else is still being found out."""
    tasks = {name: asyncio.create_task(world.host(name).facts(deep=False)) for name in names[:AT_ONCE]}
    try:
        yield tasks
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


def _age(seconds: float) -> str:
    return f"{max(seconds, 0):.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
