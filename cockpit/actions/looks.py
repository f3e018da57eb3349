"""What is there now, source by source: read at once, each with its own error, so that one dead system is one line."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Generic, TypeVar

from msgspec import Struct

from cockpit.actions.bundle import Cockpit
from cockpit.actions.run import Run
from cockpit.domain.errors import CockpitError, Exit, UsageError
from cockpit.domain.guests import ClusterSnapshot
from cockpit.domain.hosts import HostFacts
from cockpit.domain.plan import Change
from cockpit.domain.releases import Release
from cockpit.observe.observation import Observation, Observer

T = TypeVar("T")


class Look(Struct, Generic[T], frozen=True):
    """One source and what it said, or why it said nothing."""

    source: str
    value: T | None
    error: CockpitError | None = None


class Drift(Struct, frozen=True):
    """Something that is not as git says."""

    host: str
    layer: str
    """`commit`, `boot`, `service`, `secret`, `unit`, `hold` or `project`."""
    what: str
    detail: str = ""


async def facts(cockpit: Cockpit, hosts: Sequence[str]) -> tuple[Look[HostFacts], ...]:
    return await _read({name: cockpit.fleet.hosts[name] for name in hosts})


async def guests(cockpit: Cockpit, patterns: Sequence[str]) -> tuple[Look[ClusterSnapshot], ...]:
    """Of the clusters that match any of these names and globs; of all without a pattern. UsageError where none matches."""
    known = cockpit.fleet.guests.clusters
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise UsageError(f"no cluster matches {pattern!r}", f"cockpit.yaml names {', '.join(known) or 'none'}")
    if not known:
        raise UsageError("cockpit.yaml names no clusters", "guests are read from Proxmox VE", "see `clusters` in its schema")
    wanted = [name for name in known if not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)]
    return await _read({name: known[name] for name in wanted})


async def releases(cockpit: Cockpit, hosts: Sequence[str]) -> tuple[tuple[Release, ...], tuple[Look[HostFacts], ...]]:
    """Newest first, of these hosts; and how each host's reading went."""
    looked = await facts(cockpit, hosts)
    return tuple(r for r in cockpit.fleet.releases() if set(r.hosts) & set(hosts)), looked


async def drift(cockpit: Cockpit, hosts: Sequence[str], run: Run) -> tuple[Look[tuple[Drift, ...]], ...]:
    """What each host runs against what git and its own release say. Changes nothing; the host compares its containers itself."""
    await cockpit.fleet.tree.refresh()
    return tuple(await asyncio.gather(*(_drift(cockpit, name, run) for name in hosts)))


async def _drift(cockpit: Cockpit, name: str, run: Run) -> Look[tuple[Drift, ...]]:
    latest = await cockpit.fleet.hosts[name].refresh()
    if latest.error is not None or latest.value is None:
        return Look(name, None, latest.error)
    seen = latest.value
    found = list(of_facts(seen, await cockpit.fleet.against_main(name)))
    try:
        if seen.manifest is not None:
            plan = await cockpit.deploy.against_itself(seen, run)
            found += [
                Drift(name, "service", f"{s.project}/{s.service}", s.why or s.change.value)
                for s in plan.services
                if s.change is not Change.KEEP
            ]
            found += [Drift(name, "secret", f"{s.project}/{s.name}", s.change) for s in plan.secrets if s.change != "same"]
            found += [Drift(name, "project", p.what, p.why) for p in plan.problems]
    except CockpitError as error:
        return Look(name, tuple(found), error)
    return Look(name, tuple(found))


def of_facts(seen: HostFacts, against: str) -> tuple[Drift, ...]:
    """What one reading shows without asking the host for more."""
    found = []
    if against not in ("", "in step"):
        found.append(Drift(seen.name, "commit", (seen.running.commit or "no commit")[:9], against))
    if seen.profile is not None and seen.profile != seen.running.path:
        found.append(Drift(seen.name, "boot", "runs a system that is not its profile's", seen.profile))
    elif seen.boot_default and seen.boot_default != seen.running.path:
        found.append(Drift(seen.name, "boot", "the next start activates another system", seen.boot_default))
    found += [Drift(seen.name, "unit", unit, "failed") for unit in seen.failed_units]
    if seen.hold is not None:
        found.append(Drift(seen.name, "hold", f"held by {seen.hold.by}", seen.hold.why))
    return tuple(found)


def worst_of(looks: Sequence[Look[T]]) -> list[Exit]:
    return [look.error.exit for look in looks if look.error is not None]


async def _read(observers: Mapping[str, Observer[T]]) -> tuple[Look[T], ...]:
    async def one(name: str, observer: Observer[T]) -> Look[T]:
        latest: Observation[T] = await observer.refresh()
        return Look(name, None if latest.error is not None else latest.value, latest.error)

    return tuple(await asyncio.gather(*(one(name, observer) for name, observer in observers.items())))
