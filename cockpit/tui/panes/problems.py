"""What is wrong now, derived from hosts and services: worst first, one cause is one problem."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from cockpit.actions.bundle import Cockpit
from cockpit.domain import units
from cockpit.domain.files import Encryption, FilesSnapshot
from cockpit.domain.guests import ClusterSnapshot
from cockpit.domain.hosts import HostFacts, Result
from cockpit.domain.releases import Release
from cockpit.domain.services import Health, Service, State
from cockpit.observe.observation import Observation
from cockpit.tui.panes.host_rows import FULL, commit
from cockpit.tui.panes.service_rows import key_of, service_shape
from cockpit.tui.panes.vm_rows import guest_shape, storage_shape

ORDER = "✕▲‖≠◐◌"
TASKS = 50
"""Newest tasks of a cluster that are looked at."""
SUSPECT = 3600.0
"""Seconds after a release within which it may be why a service broke."""
RECENT = 86400.0
"""Seconds for which a failed task is a problem, unless the same one went well since."""


class Problem(Struct, frozen=True):
    shape: str
    what: str
    where: str
    finding: str
    cause: str
    since: float | None
    pane: str
    key: str
    """Of the object in its pane."""
    host: str
    actions: tuple[str, ...]
    """Ids of the catalogue: what helps next."""
    takes_down: int = 1

    @property
    def id(self) -> str:
        return f"{self.pane}/{self.key}/{self.finding[:12]}"


def _service(s: Service, made: Sequence[Release]) -> Problem | None:
    mark = service_shape(s)
    if mark not in "✕▲":
        return None
    if s.state is State.MISSING:
        finding = "there is no container"
    elif s.health is Health.UNHEALTHY:
        finding = "unhealthy"
    elif s.restarts > 1:
        finding = f"restart loop: {s.restarts} restarts"
    else:
        finding = s.state.value
    if s.exit_code:
        finding += f", exit {s.exit_code}" + (", out of memory" if s.oom else "")
    limit = s.usage.memory_limit if s.usage else None
    cause = f"{units.short_size(s.usage.memory)} of {units.short_size(limit)} used" if s.usage and limit else s.image
    actions: tuple[str, ...] = ("service.logs", "app.timeline")
    if (release := _before(s, made)) is not None:
        cause = f"after release {release.run} · {cause}"
        actions += ("host.previous",)
    return Problem(mark, s.ref, s.host, finding, cause, s.since, "services", key_of(s), s.host, actions)


def _before(s: Service, made: Sequence[Release]) -> Release | None:
    """The release of its host that it may come from: the newest one that was made not long before it broke."""
    for release in made:
        for attempt in release.attempts:
            if attempt.host == s.host and attempt.result is Result.DONE and attempt.ended is not None and s.since is not None:
                return release if 0 <= s.since - attempt.ended < SUSPECT else None
    return None


def _host(name: str, facts: HostFacts, against: str) -> list[Problem]:
    out = [
        Problem(
            "✕",
            unit,
            name,
            "unit failed",
            "its last lines are in the journal",
            None,
            "hosts",
            name,
            name,
            ("host.journal", "host.units"),
        )
        for unit in facts.failed_units
    ]
    out += [
        Problem(
            "▲",
            f"{name} {d.mount}",
            "file system",
            f"{d.share:.0%} full",
            f"{units.size(d.used)} of {units.size(d.size)}",
            None,
            "hosts",
            name,
            name,
            ("list.open",),
        )
        for d in facts.disks
        if d.share >= FULL
    ]
    if facts.hold is not None:
        held = ", ".join(commit(c) for c in facts.hold.abandoned[:2])
        number = facts.profile_generation
        behind = f", {against.removeprefix('held, ')}" if "behind" in against else ""
        cause = f"{facts.hold.by} rolled back{': ' + facts.hold.why if facts.hold.why else ''} · refuses {held}"
        out.append(
            Problem(
                "‖",
                name,
                "host",
                f"held at generation {number}{behind}",
                cause,
                facts.hold.at,
                "hosts",
                name,
                name,
                ("list.open", "host.resume"),
            )
        )
    elif against and against != "in step":
        out.append(
            Problem("≠", name, "host", against, "what runs is not what main says", None, "hosts", name, name, ("release.deploy",))
        )
    if facts.reboot is not None:
        old, new = facts.reboot
        out.append(
            Problem(
                "▲",
                name,
                "host",
                "needs a reboot",
                f"booted {old}, the running release has {new}",
                None,
                "hosts",
                name,
                name,
                ("list.open",),
            )
        )
    if facts.holder is not None:
        words = f"{facts.holder.kind} by {facts.holder.who} from {facts.holder.origin}"
        known = bool(facts.holder.run)
        out.append(
            Problem(
                "◐",
                name,
                "host",
                f"run {facts.holder.run} is at work" if known else f"{facts.holder.kind} is at work",
                words,
                facts.holder.since,
                "releases" if known else "hosts",
                facts.holder.run or name,
                name,
                ("release.attach",) if known else ("list.open",),
            )
        )
    return out


def _cluster(name: str, seen: ClusterSnapshot) -> list[Problem]:
    out = []
    if not seen.quorate:
        words = "nothing can be changed there until more nodes are back"
        out.append(Problem("✕", name, "cluster", "no quorum", words, None, "vms", "", "", ("list.open",)))
    for node in seen.nodes:
        if not node.online:
            lost = sum(1 for guest in seen.guests if guest.node == node.name)
            words = f"what its {units.several(lost, 'guest')} do is unknown"
            out.append(Problem("✕", node.name, "node", "offline", words, None, "vms", node.ref, "", ("list.open",), lost))
    shared: set[str] = set()
    online = {node.name for node in seen.nodes if node.online}
    for storage in seen.storages:
        mark = storage_shape(storage, storage.node in online)
        if mark not in "✕▲" or (storage.shared and storage.name in shared):
            continue
        shared.add(storage.name)
        if storage.available and storage.size:
            finding = f"{storage.used / storage.size:.0%} full"
            words = f"{units.short_size(storage.free)} of {units.short_size(storage.size)} are left"
        else:
            finding, words = "not available", f"{storage.kind} on {storage.node}"
        out.append(Problem(mark, storage.name, "storage", finding, words, None, "vms", storage.ref, "", ("list.open",)))
    for guest in seen.guests:
        if guest_shape(guest) in "✕▲":
            words = f"on {guest.node}{f', HA says {guest.ha}' if guest.ha else ''}"
            out.append(
                Problem(
                    guest_shape(guest), guest.label, "guest", guest.status, words, None, "vms", guest.ref, "", ("guest.tasks",)
                )
            )
    for task in seen.tasks[:TASKS]:
        if not task.ok and not task.running and task.ended is not None and seen.taken - task.ended < RECENT:
            newer = any(t.kind == task.kind and t.target == task.target and t.ok and t.started > task.started for t in seen.tasks)
            if not newer:
                known = seen.guest(int(task.target)) if task.target.isdigit() else None
                what = known.label if known is not None else task.target or task.node
                key = known.ref if known is not None else f"{name}/node/{task.node}"
                found = Problem(
                    "▲", what, "VM task", f"{task.kind} failed", task.exit, task.ended, "vms", key, "", ("guest.tasks",)
                )
                out.append(found)
    return out


def _files(seen: FilesSnapshot) -> list[Problem]:
    return [
        Problem(
            "✕", file.path, "secret", "plain text", "a rule of .sops.yaml wants it encrypted; commits are refused", None,
            "files", file.path, "", ("list.open",),
        )
        for file in seen.files
        if file.encryption is Encryption.EXPOSED
    ]  # fmt: skip


def _silent(what: str, where: str, seen: Observation[Any], pane: str, key: str, host: str, now: float) -> Problem | None:
    if seen.error is None:
        return None
    again = f" · tries again in {units.left(max(0.0, seen.retry_at - now))}" if seen.retry_at is not None else ""
    shown = "; its last data is shown in grey" if seen.value is not None else ""
    words = f"{seen.error.why or seen.error.hint}{again}"
    return Problem("◌", what, where, seen.error.what + shown, words, seen.read_at, pane, key, host, ("app.refresh",))


def problems(cockpit: Cockpit, against: dict[str, str]) -> list[Problem]:
    """Broken, look at it, held, drift, at work, stale; within one the newest first."""
    out: list[Problem] = []
    now = cockpit.clock.now()
    silent: list[Problem | None] = []
    made = cockpit.fleet.releases()
    for name, observer in cockpit.fleet.hosts.items():
        seen = observer.latest
        silent.append(_silent(name, "host", seen, "hosts", name, name, now))
        if seen.value is not None and not seen.stale:
            out += _host(name, seen.value, against.get(name, ""))
    for name, engine in cockpit.fleet.services.items():
        # an engine behind a host that is silent is one cause, not two
        if not cockpit.fleet.hosts[name].latest.stale if name in cockpit.fleet.hosts else True:
            silent.append(_silent(f"{name}'s engine", "services", engine.latest, "services", "", name, now))
        if engine.latest.value is not None and not engine.latest.stale:
            out += [p for s in engine.latest.value.services if (p := _service(s, made)) is not None]
    for name, cluster in cockpit.fleet.guests.clusters.items():
        silent.append(_silent(name, "cluster", cluster.latest, "vms", "", "", now))
        if cluster.latest.value is not None and not cluster.latest.stale:
            out += _cluster(name, cluster.latest.value)
    if (tree := cockpit.files.observer.latest).value is not None and not tree.stale:
        out += _files(tree.value)
    out += [p for p in silent if p is not None]
    return sorted(out, key=lambda p: (ORDER.index(p.shape), now - p.since if p.since is not None else now))
