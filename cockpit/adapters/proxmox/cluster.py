"""ports.Hypervisor: bounded calls by proxmoxer in four threads, each with a session of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from cockpit.adapters.proxmox import parse
from cockpit.adapters.proxmox.begun import Begun
from cockpit.adapters.proxmox.calls import Call, call_of, command, task_types
from cockpit.adapters.proxmox.errors import CutShort, NotReached, SignedOut, explain, not_pve
from cockpit.adapters.proxmox.threads import DaemonThreads
from cockpit.adapters.proxmox.ticket import Ticket
from cockpit.domain.errors import CockpitError, OperationFailed, OutcomeUnknown, Unreachable, UsageError
from cockpit.domain.guests import (
    Addresses,
    ClusterSnapshot,
    Guest,
    GuestChange,
    GuestKind,
    GuestTask,
    Rights,
    Snapshot,
)
from cockpit.domain.secret import Secret
from cockpit.domain.settings import ClusterSettings
from cockpit.ports import Clock

if TYPE_CHECKING:
    from cockpit.adapters.proxmox.session import NodeSession
    from cockpit.adapters.proxmox.upload import Upload

T = TypeVar("T")
Credential = Callable[[], Awaitable[Secret]]

THREADS = 4
AGENT = 3.0
"""Seconds that a guest's agent gets: a hung one would keep a thread for ten."""
AGENTS_AT_ONCE = 2
"""Threads that agents may hold, so that the polls of a cluster are never starved."""
RIGHTS_FOR = 60.0
LOOKED_FOR = 10.0
"""Seconds that the task of a lost answer is looked for."""
DEADLINE = 60.0
"""No call, with all its tries on all addresses, takes longer."""


class ProxmoxCluster:
    """`credential` is asked with the first call, and again after it was refused."""

    def __init__(self, settings: ClusterSettings, credential: Credential, clock: Clock) -> None:
        self._settings = settings
        self._credential = credential
        self._clock = clock
        self._pool = DaemonThreads(THREADS, f"pve-{settings.name}")
        self._threads = threading.local()
        self._sessions: list[NodeSession] = []
        self._ticket = None if settings.token else Ticket()
        self._secret: Secret | None = None
        self._epoch = 0
        """Counts secrets: a session knows only the one that it was opened with."""
        self._asking = asyncio.Lock()
        self._agents = asyncio.Semaphore(AGENTS_AT_ONCE)
        self._first = 0
        """The address that answered last."""
        self._rights: tuple[float, Rights] | None = None
        self._ahead: tuple[ProxmoxCluster, Begun[ClusterSnapshot]] | None = None

    def begin(self) -> None:
        """Has the first snapshot read while the caller goes on starting the program; `snapshot` then waits for that one."""
        other = ProxmoxCluster(self._settings, self._credential, self._clock)  # locks belong to one event loop each
        self._ahead = other, Begun(other.snapshot, f"pve-{self._settings.name}-first")

    @property
    def settings(self) -> ClusterSettings:
        return self._settings

    # reading

    async def snapshot(self) -> ClusterSnapshot:
        if self._ahead is None:
            return await self._snapshot()
        other, first = self._ahead
        try:
            return await first.answer()
        finally:
            self._ahead, self._secret, self._rights = None, other._secret, other._rights
            await other.close()

    async def _snapshot(self) -> ClusterSnapshot:
        name, now = self._settings.name, self._clock.now()
        reads = [
            asyncio.ensure_future(self._get(path, list))
            for path in (("cluster", "resources"), ("cluster", "status"), ("cluster", "tasks"))
        ]
        try:
            rights = await self._read_rights(now)
        except CockpitError:
            rights = Rights(self._settings.user)  # what is not known is not refused here: PVE itself will
        try:
            rows, about, tasks = await asyncio.gather(*reads)
        finally:
            for read in reads:
                read.cancel()
            await asyncio.gather(*reads, return_exceptions=True)
        quorate, addresses = parse.status(about)
        guests, nodes, storages = parse.resources(name, rows, addresses)
        return ClusterSnapshot(name, now, guests, nodes, storages, quorate, rights, parse.tasks_of(name, tasks))

    async def _read_rights(self, now: float) -> Rights:
        if self._rights is None or now - self._rights[0] > RIGHTS_FOR:
            answer = await self._get(("access", "permissions"), dict)
            self._rights = now, parse.rights_of(self._settings.user, answer)
        return self._rights[1]

    async def guest(self, vmid: int) -> Guest:
        name = self._settings.name
        rows = await self._get(("cluster", "resources"), list, type="vm")
        row = next((r for r in rows if isinstance(r, dict) and str(r.get("vmid")) == str(vmid)), None)
        if row is None:
            raise UsageError(f"there is no guest {vmid} in {name}", f"or {self._settings.user} may not see it")
        kind = "lxc" if row.get("type") == "lxc" else "qemu"
        if row.get("status") == "unknown":
            return parse.guest_of(name, row)
        now = await self._get(("nodes", str(row.get("node")), kind, str(vmid), "status", "current"), dict)
        kept = {key: row[key] for key in ("node", "type", "vmid", "tags", "pool", "hastate", "template") if key in row}
        return parse.guest_of(name, {**now, **kept})

    async def addresses(self, guest: Guest) -> Addresses:
        if not guest.running:
            return Addresses()
        at = ("nodes", guest.node, guest.kind.value, str(guest.vmid))
        async with self._agents:
            if guest.kind is GuestKind.LXC:
                found = parse.interfaces(await self._get((*at, "interfaces"), list, read=AGENT))
                return Addresses(found.found)
            try:
                answer = await self._get((*at, "agent", "network-get-interfaces"), dict, read=AGENT, tries=1)
            except OperationFailed as error:
                # "No QEMU guest agent configured" is no fault; "is not running" is
                return Addresses(agent=None if "configured" in error.why else False)
            except Unreachable:
                return Addresses(agent=False)
        rows = answer.get("result")
        return parse.interfaces(rows if isinstance(rows, list) else [])

    async def snapshots(self, guest: Guest) -> tuple[Snapshot, ...]:
        at = ("nodes", guest.node, guest.kind.value, str(guest.vmid), "snapshot")
        return parse.snapshots_of(await self._get(at, list))

    async def config(self, guest: Guest) -> dict[str, str]:
        return parse.config_of(await self._get(("nodes", guest.node, guest.kind.value, str(guest.vmid), "config"), dict))

    async def tasks(self, guest: Guest) -> tuple[GuestTask, ...]:
        rows = await self._get(("nodes", guest.node, "tasks"), list, vmid=str(guest.vmid), source="all", limit="50")
        return parse.tasks_of(self._settings.name, rows)

    async def task(self, upid: str) -> GuestTask:
        answer = await self._get(("nodes", parse.node_of_task(upid), "tasks", upid, "status"), dict)
        return parse.task_of(self._settings.name, answer)

    async def task_log(self, upid: str, start: int = 0) -> tuple[str, ...]:
        path = ("nodes", parse.node_of_task(upid), "tasks", upid, "log")
        return parse.log_of(await self._get(path, list, start=str(start), limit="500"))

    # changing

    def commands(self, change: GuestChange) -> tuple[str, ...]:
        return (command(change),)

    async def change(self, change: GuestChange) -> str:
        known = {task.upid for task in await self.tasks(change.guest)}
        try:
            answer = await self._send(call_of(change))
        except CutShort as error:
            return await self._look_for(change, known, error)
        if not isinstance(answer, str) or not answer.startswith("UPID:"):
            raise OutcomeUnknown(
                f"{self._settings.name} answered without a task", "nobody knows whether it works on it", "look at its tasks"
            )
        return answer

    async def begin_task(self, call: Call) -> str:
        """The UPID of what a call started, for changes that no guest has a list of tasks for."""
        try:
            answer = await self._send(call)
        except CutShort as error:
            hint = "look at its tasks before you try again"
            raise OutcomeUnknown(f"nobody knows whether {self._settings.name} began", str(error), hint) from None
        if not isinstance(answer, str) or not answer.startswith("UPID:"):
            raise OutcomeUnknown(f"{self._settings.name} answered without a task", "nobody knows whether it works on it")
        return answer

    async def upload(self, call: Call, upload: Upload, deadline: float) -> str:
        """The UPID of the task that puts a file in its place. Whatever cuts it short, the file is not there then."""
        try:
            answer = await self._dispatch(lambda secret: self._anywhere(call, secret, str, 0.0, 1, upload), deadline)
        except BaseException:
            upload.stop.set()  # its thread would go on sending
            raise
        return answer

    async def send(self, call: Call) -> object:
        """A change that starts no task, once."""
        return await self._send(call)

    async def contents(self, node: str, storage: str, content: str) -> list[object]:
        """Volumes of a storage, of one type of content."""
        return await self._get(("nodes", node, "storage", storage, "content"), list, content=content)

    async def _look_for(self, change: GuestChange, known: set[str], lost: CockpitError) -> str:
        """The task of a change whose answer was lost: a new one, of the right type, of this user."""
        wanted, until = task_types(change), self._clock.monotonic() + LOOKED_FOR
        while True:
            try:
                for task in await self.tasks(change.guest):
                    if task.upid not in known and task.kind in wanted and task.user == self._settings.user:
                        return task.upid
            except Unreachable:
                pass  # the same trouble that lost the answer; it is asked again until the time is up
            if self._clock.monotonic() >= until:
                raise OutcomeUnknown(
                    f"nobody knows whether {change.guest.label} {change.verb.value} began",
                    f"{lost}; no task of it appeared within {LOOKED_FOR:.0f}s",
                    "look at its tasks before you try again",
                )
            await self._clock.sleep(0.5)

    # calls

    async def _get(self, path: tuple[str, ...], shape: type[T], *, read: float = 0.0, tries: int = 2, **asked: str) -> T:
        """GET, tried again where the connection was cut, and at the next address where none answers."""
        call = Call("GET", path, tuple(asked.items()))
        return await self._dispatch(lambda secret: self._anywhere(call, secret, shape, read, tries), read * 2 or DEADLINE)

    async def _send(self, call: Call) -> object:
        """Once. Another address is asked only where nothing was sent to the one before."""
        return await self._dispatch(lambda secret: self._anywhere(call, secret, object, 0.0, 1), DEADLINE)

    async def _dispatch(self, work: Callable[[Secret], T], deadline: float) -> T:
        async with self._asking:
            if self._secret is None:
                self._secret = await self._credential()
        secret = self._secret
        try:
            async with asyncio.timeout(deadline):
                return await asyncio.get_running_loop().run_in_executor(self._pool, work, secret)
        except TimeoutError:
            raise CutShort(f"{self._settings.name} does not answer", f"nothing within {deadline:.0f}s") from None
        except SignedOut:
            self._secret, self._epoch = None, self._epoch + 1  # a corrected one is read with the next call
            raise

    # in threads

    def _anywhere(self, call: Call, secret: Secret, shape: type[T], read: float, tries: int, upload: Upload | None = None) -> T:
        """At the address that answered last, then at the others."""
        addresses, first, last = self._settings.addresses, self._first, CockpitError("no address")
        for index in (*range(first, len(addresses)), *range(first)):
            for _ in range(tries):
                try:
                    answer = self._once(addresses[index], call, secret, read, upload)
                except NotReached as error:
                    last = error
                    break
                except CutShort as error:
                    if call.method != "GET" or read:
                        raise
                    last = error
                    continue
                if not isinstance(answer, shape):
                    raise not_pve(self._settings, addresses[index], "no JSON as Proxmox VE sends it")
                self._first = index
                return answer
        raise last

    def _once(self, address: str, call: Call, secret: Secret, read: float, upload: Upload | None) -> object:
        from cockpit.adapters.proxmox import session as https

        try:
            session = self._session(address, secret)
            if (ticket := self._ticket) is None:
                return session.call(call, read or https.READ, upload)
            with ticket.lock:
                if not ticket.good:
                    session.sign_in(ticket)
                used = ticket.value
            try:
                return session.call(call, read or https.READ, upload)
            except Exception as error:
                if not isinstance(explain(error, self._settings, address), SignedOut):
                    raise
            # 401 comes before anything is done, so even a change may be sent again with a new ticket
            with ticket.lock:
                if ticket.value == used:
                    session.sign_in(ticket)
            return session.call(call, read or https.READ, upload)
        except CockpitError:
            raise
        except Exception as error:
            raise explain(error, self._settings, address) from None

    def _session(self, address: str, secret: Secret) -> NodeSession:
        from cockpit.adapters.proxmox import session as https

        mine: dict[tuple[str, int], NodeSession] = self._threads.__dict__.setdefault("sessions", {})
        key = (address, self._epoch)
        if key not in mine:
            settings = self._settings
            mine[key] = https.NodeSession(address, settings.user, secret, settings.fingerprint, self._ticket)
            self._sessions.append(mine[key])
        return mine[key]

    async def close(self) -> None:
        if self._ahead is not None:
            await self._ahead[0].close()
        self._pool.shutdown(wait=False, cancel_futures=True)
        sessions, self._sessions = self._sessions, []
        for session in sessions:
            session.close()
