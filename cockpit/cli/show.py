"""The commands that only look: guests, generations, releases, drift. One dead system is a line, never the end."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from msgspec.structs import asdict

from cockpit.actions import looks
from cockpit.actions.bundle import Cockpit
from cockpit.actions.looks import Look
from cockpit.cli import words
from cockpit.cli.choice import patterns, select
from cockpit.cli.output import Column, Renderer, Row
from cockpit.domain.errors import CockpitError, Exit, worst
from cockpit.domain.guests import ClusterSnapshot, Guest
from cockpit.domain.hosts import Generation
from cockpit.domain.releases import Release
from cockpit.domain.units import age, exact_time, short_size


async def run(cockpit: Cockpit, args: argparse.Namespace, face: Renderer) -> Exit:
    return await COMMANDS[args.command](cockpit, args, face)


async def _guests(cockpit: Cockpit, args: argparse.Namespace, face: Renderer) -> Exit:
    looked = await looks.guests(cockpit, args.clusters)
    columns = _columns("cluster", "node", ">id", "guest", "type", "state", ">cpu", ">memory", ">up", "lock", "tags")
    found = [g for look in looked if look.value is not None for g in look.value.guests]
    face.rows("Guest", columns, [_guest(g) for g in sorted(found, key=lambda g: (g.cluster, g.vmid))])
    for look in looked:
        if look.value is not None:
            _unwell(look.value, face)
    return _errors(looked, face)


def _guest(guest: Guest) -> Row:
    kind = "tmpl" if guest.template else {"qemu": "vm", "lxc": "lxc"}[guest.kind.value]
    live = guest.running
    memory = f"{short_size(guest.memory) if live else '–'}/{short_size(guest.memory_limit)}"
    return Row(
        (guest.cluster, guest.node, str(guest.vmid), guest.name, kind, guest.status, f"{guest.cpu:.0%}" if live else "",
         memory, age(guest.uptime) if live else "", guest.lock, " ".join(guest.tags)),
        asdict(guest),
    )  # fmt: skip


def _unwell(cluster: ClusterSnapshot, face: Renderer) -> None:
    for node in cluster.nodes:
        if not node.online:
            face.error(CockpitError(f"node {node.name} of {cluster.cluster} is offline", "its guests' state is unknown"))


async def _generations(cockpit: Cockpit, args: argparse.Namespace, face: Renderer) -> Exit:
    looked = await looks.facts(cockpit, _hosts(cockpit, args))
    now = cockpit.clock.now()
    columns = _columns("host", ">generation", ">age", "state", "version", "kernel", "commit", "outcome", "by", "subject")
    rows = [_generation(look.source, g, now) for look in looked if look.value is not None for g in look.value.generations]
    face.rows("Generation", columns, rows)
    return _errors(looked, face)


def _generation(host: str, generation: Generation, now: float) -> Row:
    closure = generation.closure
    badges = sorted(badge.value for badge in generation.badges)
    return Row(
        (host, str(generation.number or "–"), age(now - generation.created) if generation.created else "", " ".join(badges),
         closure.nixos or "", closure.kernel or "", (closure.commit or "")[:9], generation.outcome.verdict.value,
         generation.by or "", closure.subject or ""),
        {"host": host, **asdict(generation)},
    )  # fmt: skip


async def _releases(cockpit: Cockpit, args: argparse.Namespace, face: Renderer) -> Exit:
    found, looked = await looks.releases(cockpit, _hosts(cockpit, args))
    columns = _columns("run", "when", "kind", "hosts", "commit", "outcome", "who", "subject")
    face.rows("Release", columns, [_release(r) for r in found[: max(args.limit, 0)]])
    return _errors(looked, face)


def _release(release: Release) -> Row:
    outcome = "running" if release.running else words.RESULTS[release.exit] if release.exit is not None else "–"
    return Row(
        (release.run, exact_time(release.started), release.kind.value, ",".join(release.hosts), (release.commit or "")[:9],
         outcome, release.who, release.subject or ""),
        asdict(release) | {"outcome": outcome, "hosts": release.hosts},
    )  # fmt: skip


async def _drift(cockpit: Cockpit, args: argparse.Namespace, face: Renderer) -> Exit:
    looked = await looks.drift(cockpit, _hosts(cockpit, args), cockpit.runs.new())
    found = [d for look in looked for d in look.value or ()]
    rows = [Row((d.host, d.layer, d.what, d.detail), asdict(d)) for d in found]
    face.rows("Drift", _columns("host", "layer", "what", "detail"), rows)
    return worst([_errors(looked, face), Exit.TO_DO if found else Exit.DONE])


def _columns(*titles: str) -> tuple[Column, ...]:
    """`>` before a title: to the right."""
    return tuple(Column(title.lstrip(">").upper(), title.startswith(">")) for title in titles)


def _hosts(cockpit: Cockpit, args: argparse.Namespace) -> tuple[str, ...]:
    return select(cockpit.settings.hosts.values(), patterns(args))


def _errors(looked: Sequence[Look[Any]], face: Renderer) -> Exit:
    for look in looked:
        if look.error is not None:
            face.error(look.error)
    return worst(looks.worst_of(looked))


COMMANDS: dict[str, Callable[[Cockpit, argparse.Namespace, Renderer], Awaitable[Exit]]] = {
    "guests": _guests,
    "generations": _generations,
    "releases": _releases,
    "drift": _drift,
}
