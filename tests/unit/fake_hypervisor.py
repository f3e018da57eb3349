"""A cluster in memory: changes are done at once, or as a test wants it."""

from __future__ import annotations

from msgspec.structs import replace

from cockpit.domain.errors import CockpitError, UsageError
from cockpit.domain.guests import (
    Addresses,
    ClusterSnapshot,
    Guest,
    GuestChange,
    GuestKind,
    GuestTask,
    Node,
    Rights,
    Snapshot,
    Storage,
    Verb,
)
from cockpit.domain.settings import ClusterSettings, CredentialSettings
from tests.unit.fake_clock import START

GIB = 1 << 30


def guest(vmid: int, name: str = "", status: str = "running", cluster: str = "home", node: str = "pve1", **more: object) -> Guest:
    values: dict[str, object] = {"cpu": 0.1, "cores": 4, "memory": 2 * GIB, "memory_limit": 8 * GIB, "uptime": 86400.0, **more}
    return Guest(cluster, node, vmid, GuestKind.QEMU, name or f"vm{vmid}", status, **values)  # type: ignore[arg-type]


class FakeHypervisor:
    """`errors` are raised by the next call of that name, `exits` end the tasks of a verb."""

    def __init__(self, *guests: Guest, name: str = "home", protected: bool = False, now: float = START) -> None:
        self._settings = ClusterSettings(
            name, ("pve1",), "root@pam!cockpit", CredentialSettings(env="PVE_SECRET"), protected=protected
        )
        self.now = now
        self.guests = {g.vmid: g for g in guests}
        self.nodes = tuple(Node(name, n, True) for n in sorted({g.node for g in guests}))
        self.storages = tuple(
            Storage(name, n.name, "local", "dir", True, 10 * GIB, 100 * GIB, False, ("iso", "backup")) for n in self.nodes
        )
        self.rights = Rights("root@pam!cockpit", None)
        self.quorate = True
        self.held: dict[int, tuple[Snapshot, ...]] = {}
        self.found: dict[int, Addresses] = {}
        self.done: dict[str, GuestTask] = {}
        self.logs: dict[str, tuple[str, ...]] = {}
        self.exits: dict[Verb, str] = {}
        self.errors: dict[str, list[CockpitError]] = {}
        self.changes: list[GuestChange] = []
        self.looks = 0
        self.running_for = 0
        """Looks at a new task before it ends."""

    @property
    def settings(self) -> ClusterSettings:
        return self._settings

    def _trip(self, name: str) -> None:
        if self.errors.get(name):
            raise self.errors[name].pop(0)

    async def snapshot(self) -> ClusterSnapshot:
        self._trip("snapshot")
        tasks = tuple(sorted(self.done.values(), key=lambda task: (not task.running, -task.started)))
        found = tuple(sorted(self.guests.values(), key=lambda g: (g.node, g.vmid)))
        name = self._settings.name
        return ClusterSnapshot(name, self.now, found, self.nodes, self.storages, self.quorate, self.rights, tasks)

    async def guest(self, vmid: int) -> Guest:
        self._trip("guest")
        if vmid not in self.guests:
            raise UsageError(f"there is no guest {vmid} in {self._settings.name}")
        return self.guests[vmid]

    async def addresses(self, guest: Guest) -> Addresses:
        self._trip("addresses")
        self.looks += 1
        return self.found.get(guest.vmid, Addresses())

    async def snapshots(self, guest: Guest) -> tuple[Snapshot, ...]:
        self._trip("snapshots")
        return self.held.get(guest.vmid, ())

    async def config(self, guest: Guest) -> dict[str, str]:
        self._trip("config")
        return {"cores": f"{guest.cores:g}", "memory": str(guest.memory_limit >> 20), "ostype": "l26", "onboot": "1",
                "scsi0": f"tank:vm-{guest.vmid}-disk-0,discard=on,iothread=1,size=120G",
                "net0": "virtio=BC:24:11:00:00:01,bridge=vmbr0"}  # fmt: skip

    async def tasks(self, guest: Guest) -> tuple[GuestTask, ...]:
        self._trip("tasks")
        found = [task for task in self.done.values() if task.target == str(guest.vmid)]
        return tuple(sorted(found, key=lambda task: (not task.running, -task.started)))

    async def task(self, upid: str) -> GuestTask:
        self._trip("task")
        task = self.done[upid]
        if task.running and self.running_for > 0:
            self.running_for -= 1
            if self.running_for == 0:
                self.done[upid] = replace(task, ended=self.now, exit="OK")
        return task

    async def task_log(self, upid: str, start: int = 0) -> tuple[str, ...]:
        self._trip("task_log")
        return self.logs.get(upid, ("TASK OK",))[start:]

    def commands(self, change: GuestChange) -> tuple[str, ...]:
        what = f" {change.snapshot or change.storage}".rstrip()
        return (f"pvesh {change.verb.value} {change.guest.vmid}{what}",)

    async def change(self, change: GuestChange) -> str:
        self._trip("change")
        self.changes.append(change)
        vmid, verb = change.guest.vmid, change.verb
        exit_status = self.exits.get(verb, "OK")
        upid = f"UPID:{change.guest.node}:{len(self.changes):08X}:0:0:{verb.name.lower()}:{vmid}:root@pam!cockpit:"
        running = self.running_for > 0
        self.done[upid] = GuestTask(
            upid, change.guest.cluster, change.guest.node, verb.name.lower(), str(vmid), "root@pam!cockpit", self.now,
            None if running else self.now, "" if running else exit_status,
        )  # fmt: skip
        if exit_status == "OK":
            self._carry_out(change)
        return upid

    def _carry_out(self, change: GuestChange) -> None:
        vmid, held = change.guest.vmid, self.held.get(change.guest.vmid, ())
        if change.verb is Verb.SNAPSHOT:
            self.held[vmid] = (*held, Snapshot(change.snapshot, self.now, change.description))
        elif change.verb is Verb.DELETE_SNAPSHOT:
            self.held[vmid] = tuple(s for s in held if s.name != change.snapshot)
        elif change.verb in (Verb.START, Verb.SHUTDOWN, Verb.STOP, Verb.ROLLBACK):
            status = "running" if change.verb is Verb.START else "stopped"
            self.guests[vmid] = replace(self.guests[vmid], status=status)

    async def close(self) -> None:
        pass
