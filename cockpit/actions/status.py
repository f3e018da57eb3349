"""Status: one line per host, from its facts."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from cockpit.domain.errors import CockpitError
from cockpit.domain.hosts import HostFacts
from cockpit.observe.fleet import Fleet


class HostStatus(Struct, frozen=True):
    host: str
    facts: HostFacts | None
    error: CockpitError | None
    against_main: str
    problems: tuple[str, ...]


async def status(fleet: Fleet, hosts: Sequence[str]) -> tuple[HostStatus, ...]:
    """Reads the hosts now, at once. A host that does not answer is a line with its error."""
    await fleet.refresh(hosts)
    found = []
    for name in hosts:
        latest = fleet.hosts[name].latest
        facts = None if latest.error is not None else latest.value
        text = await fleet.against_main(name) if facts is not None else "unknown"
        found.append(HostStatus(name, facts, latest.error, text, problems(facts) if facts is not None else ()))
    return tuple(found)


def problems(facts: HostFacts) -> tuple[str, ...]:
    """What a person should look at, worst first."""
    found = []
    if facts.holder is not None:
        found.append(f"{facts.holder.kind} {facts.holder.run} by {facts.holder.who} is at work")
    found += [f"{service} is not as it should be" for service in facts.stopped]
    found += [f"{unit} failed" for unit in facts.failed_units]
    if facts.profile is not None and facts.profile != facts.running.path:
        found.append("runs a system that is not its profile's")
    if facts.hold is not None:
        found.append(f"held by {facts.hold.by} since run {facts.hold.run}")
    if facts.reboot is not None:
        found.append(f"reboot needed: {facts.reboot[0]} to {facts.reboot[1]}")
    found += [f"{disk.mount} is {disk.share:.0%} full" for disk in facts.disks if disk.share >= 0.9]
    return tuple(found)
