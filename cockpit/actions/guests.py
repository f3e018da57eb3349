"""What changes guests: power, snapshots, backups. How it ended is told by PVE's task, never by the answer that started it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from cockpit.actions import tasks
from cockpit.actions.operations import Operations
from cockpit.actions.run import Approval, Run
from cockpit.domain.errors import CockpitError, Locked, OperationFailed, Refused, UsageError
from cockpit.domain.events import Outcome
from cockpit.domain.guests import ClusterSnapshot, Guest, GuestChange, Snapshot, Storage, Verb, unfit
from cockpit.domain.operation import Impact, Operation, Step
from cockpit.domain.settings import Settings
from cockpit.ports import Clock, Hypervisor

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{1,39}")
_ACTIONS = {
    Verb.START: "guest.start",
    Verb.SHUTDOWN: "guest.shutdown",
    Verb.STOP: "guest.stop",
    Verb.REBOOT: "guest.reboot",
    Verb.SNAPSHOT: "guest.snapshot",
    Verb.BACKUP: "guest.backup",
    Verb.ROLLBACK: "snapshot.rollback",
    Verb.DELETE_SNAPSHOT: "snapshot.delete",
}


class _Planned(Struct, frozen=True):
    change: GuestChange
    snapshot: Snapshot | None
    """What is rolled back to, or deleted."""
    why_not: CockpitError | None = None


class GuestActions:
    def __init__(
        self, hypervisors: Mapping[str, Hypervisor], settings: Settings, operations: Operations, clock: Clock, who: str
    ) -> None:
        self._hypervisors = hypervisors
        self._settings = settings
        self._operations = operations
        self._clock = clock
        self._who = who
        self.changed: list[Callable[[str], None]] = []
        """Called with the name of a cluster after something was done there."""

    async def execute(
        self, verb: Verb, refs: Sequence[str], run: Run, approve: Approval, *, snapshot: str = "", storage: str = ""
    ) -> Outcome:
        """`refs` are `CLUSTER/VMID`. A new snapshot without a name is named after the moment, a backup without a storage goes
        where most is free. Raises nothing that it can explain."""
        planned: dict[str, _Planned] = {}

        async def plan() -> Operation:
            found = await self._plan(verb, refs, snapshot, storage)
            planned.update((p.change.guest.ref, p) for p in found if p.why_not is None)
            if not planned:
                raise next(p.why_not for p in found if p.why_not is not None)
            return self._operation(run, verb, found)

        async def apply(step: Step) -> str:
            try:
                return await self._apply(planned[step.target], step, run)
            finally:
                for tell in tuple(self.changed):
                    tell(step.target.partition("/")[0])

        return await self._operations.execute(run, plan, apply, approve)

    # plan

    async def _plan(self, verb: Verb, refs: Sequence[str], snapshot: str, storage: str) -> list[_Planned]:
        if not refs:
            raise UsageError("no guest is named", "", "CLUSTER/VMID, e.g. home/101")
        if verb is Verb.SNAPSHOT and snapshot and not _NAME.fullmatch(snapshot):
            raise UsageError(f"{snapshot!r} is no name for a snapshot", "a letter, then letters, digits, _ and -, 40 at most")
        if verb is Verb.SNAPSHOT and not snapshot:
            snapshot = time.strftime("cockpit-%Y%m%d-%H%M%S", time.gmtime(self._clock.now()))
        clusters = {ref.partition("/")[0] for ref in refs}
        seen = dict(zip(clusters, await asyncio.gather(*(self._of(c).snapshot() for c in clusters)), strict=True))
        return list(await asyncio.gather(*(self._prepare(verb, ref, snapshot, storage, seen) for ref in dict.fromkeys(refs))))

    async def _prepare(self, verb: Verb, ref: str, snapshot: str, storage: str, seen: Mapping[str, ClusterSnapshot]) -> _Planned:
        cluster, _, vmid = ref.partition("/")
        if not vmid.isdigit():
            raise UsageError(f"{ref!r} is no guest", "", "CLUSTER/VMID, e.g. home/101")
        hypervisor = self._of(cluster)
        guest = await hypervisor.guest(int(vmid))
        why_not = _fits(guest, verb) or _allowed(guest, verb, seen[cluster])
        if why_not is None and verb is Verb.BACKUP:
            target = _storage(seen[cluster], guest, storage)
            if isinstance(target, CockpitError):
                why_not = target
            else:
                storage = target.name
        wanted = None
        if why_not is None and verb in (Verb.ROLLBACK, Verb.DELETE_SNAPSHOT):
            wanted = next((s for s in await hypervisor.snapshots(guest) if s.name == snapshot), None)
            if wanted is None:
                why_not = UsageError(f"{guest.label} has no snapshot {snapshot!r}", "somebody may have deleted it")
        described = f"by {self._who}, with cockpit" if verb is Verb.SNAPSHOT else ""
        return _Planned(GuestChange(guest, verb, snapshot, described, storage if verb is Verb.BACKUP else ""), wanted, why_not)

    def _of(self, cluster: str) -> Hypervisor:
        if cluster not in self._hypervisors:
            raise UsageError(f"there is no cluster {cluster!r}", "", f"clusters: {', '.join(self._hypervisors) or 'none'}")
        return self._hypervisors[cluster]

    def _operation(self, run: Run, verb: Verb, found: Sequence[_Planned]) -> Operation:
        going = [p for p in found if p.why_not is None]
        left_out = [p for p in found if p.why_not is not None]
        one = going[0].change
        many = len(going) > 1
        object_ = f"{len(going)} guests" if many else f"{one.guest.label} of {one.guest.cluster}"
        title = {
            Verb.SNAPSHOT: f"Take a snapshot of {object_}",
            Verb.ROLLBACK: f"Roll {object_} back to {one.snapshot}",
            Verb.DELETE_SNAPSHOT: f"Delete snapshot {one.snapshot} of {object_}",
            Verb.BACKUP: f"Back up {object_}" + ("" if many else f" to {one.storage}"),
        }.get(verb, f"{verb.value.capitalize()} {object_}")
        steps = tuple(
            Step(p.change.guest.ref, self._of(p.change.guest.cluster).commands(p.change), self._protected(p.change.guest))
            for p in going
        )
        named = one.snapshot if verb is Verb.DELETE_SNAPSHOT else one.guest.name or str(one.guest.vmid)
        return Operation(
            run.id,
            _ACTIONS[verb],
            f"roll back to {one.snapshot}" if verb is Verb.ROLLBACK else verb.value,
            title,
            verb.tier,
            steps,
            interrupts=tuple(i for p in going for i in self._interrupts(p)),
            lost=tuple(i for p in going for i in self._lost(p)),
            afterwards=(
                *(i for p in going for i in _afterwards(p)),
                *(Impact("○", p.change.guest.label, f"is left out: {p.why_not.what}") for p in left_out if p.why_not),
            ),
            confirm=f"{len(going)} guests" if many else named,
        )

    def _protected(self, guest: Guest) -> bool:
        cluster = self._settings.clusters.get(guest.cluster)
        return bool(cluster and cluster.protected) or any(
            host.protected for host in self._settings.hosts.values() if host.guest == guest.ref
        )

    def _interrupts(self, planned: _Planned) -> tuple[Impact, ...]:
        guest, verb = planned.change.guest, planned.change.verb
        if guest.status == "stopped" or verb not in (Verb.SHUTDOWN, Verb.STOP, Verb.REBOOT, Verb.ROLLBACK):
            return ()
        words = {
            Verb.SHUTDOWN: "shuts down",
            Verb.STOP: "its power is cut",
            Verb.REBOOT: "restarts",
            Verb.ROLLBACK: "stops",
        }[verb]
        why = f"{words}; has run for {_span(guest.uptime)}" if guest.uptime else words
        out = [Impact("↻" if verb is Verb.REBOOT else "✕", guest.label, why)]
        for host in self._settings.hosts.values():
            if host.guest == guest.ref:
                projects = f": {', '.join(host.projects)}" if host.projects else ""
                out.append(Impact("✕", host.name, f"is the host in it, with all its services{projects}"))
        return tuple(out)

    def _lost(self, planned: _Planned) -> tuple[Impact, ...]:
        guest, verb, snapshot = planned.change.guest, planned.change.verb, planned.snapshot
        if verb is Verb.STOP:
            return (Impact("▲", guest.label, "what it has not written to its disks yet"),)
        if snapshot is None:
            return ()
        age = f" of {_span(self._clock.now() - snapshot.taken)} ago" if snapshot.taken else ""
        if verb is Verb.ROLLBACK:
            return (Impact("✕", guest.label, f"everything on its disks since {snapshot.name}{age}"),)
        return (Impact("✕", snapshot.name, f"the state{age}{f': {snapshot.description}' if snapshot.description else ''}"),)

    # apply

    async def _apply(self, planned: _Planned, step: Step, run: Run) -> str:
        before, verb = planned.change.guest, planned.change.verb
        hypervisor = self._of(before.cluster)
        guest = await hypervisor.guest(before.vmid)
        if (why_not := _fits(guest, verb)) is not None:
            raise why_not
        if (guest.kind, guest.name) != (before.kind, before.name):
            raise Refused(f"{before.label} is another guest now", f"{guest.vmid} is {guest.name}", "look again, then try again")
        if planned.snapshot is not None and planned.snapshot not in await hypervisor.snapshots(guest):
            raise Refused(f"snapshot {planned.snapshot.name} is another one now", "", "look again, then try again")
        fresh = GuestChange(guest, verb, planned.change.snapshot, planned.change.description, planned.change.storage)
        started = self._clock.monotonic()
        upid = await hypervisor.change(fresh)
        task = await tasks.follow(hypervisor, upid, run, step.target, verb.value, self._clock)
        if not task.ok:
            raise OperationFailed(f"{guest.label}: {verb.value} failed", task.exit, f"its log: task {task.kind} on {task.node}")
        seconds = self._clock.monotonic() - started
        with_warnings = f", {task.exit.lower()}" if task.exit.startswith("WARNINGS") else ""
        asked = "HA was asked to do it" if task.kind.startswith("ha") else ""
        return asked or f"{_done(planned.change)} in {_span(seconds)}{with_warnings}"


def _fits(guest: Guest, verb: Verb) -> CockpitError | None:
    reason = unfit(guest, verb)
    if reason is None:
        return None
    what = f"{guest.label}: {reason}"
    return Locked(what, "a task of PVE works on it", "wait until that ends") if guest.lock else Refused(what)


def _allowed(guest: Guest, verb: Verb, seen: ClusterSnapshot) -> CockpitError | None:
    if not seen.quorate:
        return OperationFailed(f"{seen.cluster} has no quorum", "nothing can be changed there", "`pvecm status` on a node")
    if missing := seen.rights.lacks(guest, verb):
        return Refused(f"{guest.label}: {seen.rights.user} may not {verb.value} it", f"it lacks {missing}", "docs/guests.md")
    return None


def backup_storages(seen: ClusterSnapshot, guest: Guest) -> list[Storage]:
    """Where its node can put a backup, most room first."""
    found = [s for s in seen.storages if s.node == guest.node and s.available and "backup" in s.content]
    return sorted(found, key=lambda s: (-s.free, s.name))


def _storage(seen: ClusterSnapshot, guest: Guest, wanted: str) -> Storage | CockpitError:
    found = backup_storages(seen, guest)
    if wanted:
        found = [s for s in found if s.name == wanted]
    if not found:
        what = f"{guest.label}: {wanted or 'no storage'} {'takes no backups of' if wanted else 'takes backups of'} {guest.node}"
        return Refused(what, "", "a storage with the content `backup`")
    allowed = [s for s in found if seen.rights.has(f"/storage/{s.name}", "Datastore.AllocateSpace")]
    if not allowed:
        why = f"it lacks Datastore.AllocateSpace on /storage/{found[0].name}"
        return Refused(f"{guest.label}: {seen.rights.user} may not back it up", why, "docs/guests.md")
    return allowed[0]


def _afterwards(planned: _Planned) -> tuple[Impact, ...]:
    change, snapshot = planned.change, planned.snapshot
    if change.verb is Verb.ROLLBACK and snapshot is not None:
        how = "runs again, with the memory of the snapshot" if snapshot.memory else "is stopped; S starts it"
        return (Impact("●" if snapshot.memory else "○", change.guest.label, how),)
    if change.verb in (Verb.SHUTDOWN, Verb.STOP):
        return (Impact("○", change.guest.label, "is stopped; S starts it"),)
    return ()


def _done(change: GuestChange) -> str:
    return {
        Verb.START: "started",
        Verb.SHUTDOWN: "shut down",
        Verb.STOP: "stopped",
        Verb.REBOOT: "rebooted",
        Verb.SNAPSHOT: f"snapshot {change.snapshot} taken",
        Verb.ROLLBACK: f"rolled back to {change.snapshot}",
        Verb.DELETE_SNAPSHOT: f"snapshot {change.snapshot} deleted",
        Verb.BACKUP: f"backed up to {change.storage}",
    }[change.verb]


def _span(seconds: float) -> str:
    """`9s`, `4m`, `3h`, `41d`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"
