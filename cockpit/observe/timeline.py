"""What changed, of everything that is read anyway: releases, tasks of the hypervisor, starts, exits and reboots, newest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from cockpit.domain.errors import Exit
from cockpit.domain.guests import ClusterSnapshot, GuestTask
from cockpit.domain.hosts import AttemptKind, Badge, HostFacts, Result
from cockpit.domain.releases import Release
from cockpit.domain.services import Health, Service, ServicesSnapshot, State
from cockpit.domain.units import duration

TOGETHER = 90.0
"""Seconds within which services of one host that started are one start."""
_QUIET = frozenset({"vncproxy", "vncshell", "spiceproxy", "termproxy"})
"""Tasks of somebody who only looked."""


class Moment(Struct, frozen=True):
    time: float
    shape: str
    """A shape of design/look.md; `·` for what is neither good nor bad."""
    kind: str
    """`release`, `VM task`, `start`, `exit`, `health`, `reboot`, `hold` or `generation`."""
    text: str
    where: str = ""
    """What it happened to: `homelab`, `home/101`."""


def moments(
    facts: Iterable[HostFacts],
    services: Iterable[ServicesSnapshot],
    clusters: Iterable[ClusterSnapshot],
    releases: Iterable[Release],
    since: float = 0.0,
) -> tuple[Moment, ...]:
    """Newest first, not older than `since` (seconds since the epoch)."""
    known = list(releases)
    found = [m for release in known for m in _release(release)]
    for host in facts:
        found += _host(host, known)
    for snapshot in services:
        found += _services(snapshot)
    for cluster in clusters:
        found += [m for task in cluster.tasks if (m := _task(task, cluster)) is not None]
    return tuple(sorted((m for m in found if m.time >= since), key=lambda m: (-m.time, m.kind, m.text)))


def _release(release: Release) -> Iterator[Moment]:
    hosts = ", ".join(release.hosts)
    what = f"{(release.commit or '')[:7]} {release.subject or ''}".strip()
    results = {a.result for a in release.attempts}
    if release.running:
        yield Moment(release.started, "◐", "release", f"{hosts} · {what} is at work", hosts)
        return
    time = release.ended or release.started
    if results == {Result.DONE} and not release.failures:
        held = any(a.hold is not None for a in release.attempts)
        verb = {AttemptKind.ROLLBACK: "rolled back to", AttemptKind.RESUME: "hold lifted,"}.get(release.kind, "runs")
        yield Moment(time, "‖" if held else "●", "release", f"{hosts} {verb} {what} · by {release.who}", hosts)
        return
    why = next((a.reason for a in release.attempts if a.reason), "") or next((why for _, why in release.failures), "")
    refused = results == {Result.REFUSED} or (not results and release.exit in (Exit.REFUSED, Exit.LOCKED))
    mark = "↺" if results == {Result.REVERTED} else "⊘" if refused else "✕"
    yield Moment(time, mark, "release", f"{hosts} · {what}: {why or 'failed'}", hosts)


def _host(facts: HostFacts, releases: Sequence[Release]) -> Iterator[Moment]:
    if facts.uptime is not None:
        yield Moment(facts.host_time - facts.uptime, "·", "reboot", f"{facts.name} was started", facts.name)
    made = {a.generation or a.new_generation for r in releases for a in r.attempts if a.host == facts.name}
    for generation in facts.generations:
        by_hand = generation.number is not None and generation.number not in made and generation.created is not None
        if by_hand and generation.created is not None and Badge.TEST_ONLY not in generation.badges:
            text = f"{facts.name} got generation {generation.number}, not by cockpit"
            yield Moment(generation.created, "▲" if generation.closure.commit is None else "·", "generation", text, facts.name)


def _services(snapshot: ServicesSnapshot) -> Iterator[Moment]:
    started: list[Service] = []
    for service in snapshot.services:
        if service.since is None:
            continue
        where = f"{snapshot.host}/{service.ref}"
        if service.state is State.RUNNING and not service.restarts:
            started.append(service)
            continue
        out = ", out of memory" if service.oom else ""
        again = f", {service.restarts} restarts" if service.restarts else ""
        code = f"exit {service.exit_code}" if service.exit_code is not None else service.state.value
        bad = service.broken or service.restarts
        mark = "✕" if bad else "·"
        yield Moment(service.since, mark, "exit", f"{service.ref}: {code}{out}{again}", where)
    for service in snapshot.services:
        if service.health is Health.UNHEALTHY and service.since is not None and service.state is State.RUNNING:
            yield Moment(
                service.since, "▲", "health", f"{service.ref} unhealthy since it started", f"{snapshot.host}/{service.ref}"
            )
    yield from _starts(snapshot.host, started)


def _starts(host: str, services: list[Service]) -> Iterator[Moment]:
    """Services that started together are one line."""
    services.sort(key=lambda s: s.since or 0.0)
    group: list[Service] = []
    for service in [*services, None]:
        if group and (service is None or (service.since or 0.0) - (group[0].since or 0.0) > TOGETHER):
            names = ", ".join(s.ref for s in group[:3])
            more = f" and {len(group) - 3} more" if len(group) > 3 else ""
            yield Moment(group[-1].since or 0.0, "·", "start", f"{names}{more} of {host} started", f"{host}/{group[0].ref}")
            group = []
        if service is not None:
            group.append(service)


def _task(task: GuestTask, cluster: ClusterSnapshot) -> Moment | None:
    if task.kind in _QUIET:
        return None
    guest = cluster.guest(int(task.target)) if task.target.isdigit() else None
    name = guest.label if guest is not None else task.target
    where = guest.ref if guest is not None else f"{cluster.cluster}/node/{task.node}"
    what = f"{task.node}: {task.kind} {name}".rstrip()
    if task.running:
        return Moment(task.started, "◐", "VM task", f"{what} runs", where)
    time = task.ended or task.started
    took = f", {duration(time - task.started)}" if task.ended else ""
    return Moment(time, "·" if task.ok else "✕", "VM task", f"{what}{took}, {task.exit or 'no outcome'}", where)
