"""Guests of all clusters as they are now: polls, cpu of the last minutes, addresses, and what is read of the selected one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial

from cockpit.domain.errors import CockpitError
from cockpit.domain.guests import Addresses, ClusterSnapshot, Guest, GuestDetail
from cockpit.observe.observation import Observation, Observer
from cockpit.ports import Clock, Hypervisor

SHOWN_EVERY = 5.0
"""PVE's own caches are ten seconds old at most."""
SECONDS_PER_GUEST = 0.001
"""What each guest beyond the first thousand adds to that: a poll of five thousand costs five times as much."""
HIDDEN_EVERY = 60.0
KEPT = 48
"""Polls whose cpu is remembered."""
ADDRESSES_FOR = 300.0
SILENT_FOR = 60.0
"""Seconds after which an agent that did not answer is asked again."""
LOG_LINES = 2000
"""Lines of a task's log that are kept."""


class Guests:
    def __init__(self, hypervisors: Mapping[str, Hypervisor], clock: Clock) -> None:
        self._hypervisors = hypervisors
        self._clock = clock
        self._cpu: dict[str, deque[float]] = {}
        self._addresses: dict[str, tuple[float, Addresses]] = {}
        self.clusters: dict[str, Observer[ClusterSnapshot]] = {}
        for name, hypervisor in hypervisors.items():
            observer = Observer(hypervisor.snapshot, clock, shown_every=SHOWN_EVERY, hidden_every=HIDDEN_EVERY)
            observer.listen(partial(self._remember, name))
            self.clusters[name] = observer

    def guest(self, ref: str) -> Guest | None:
        """`CLUSTER/VMID`, as of the last poll."""
        cluster, _, vmid = ref.partition("/")
        seen = self.clusters[cluster].latest.value if cluster in self.clusters else None
        return seen.guest(int(vmid)) if seen is not None and vmid.isdigit() else None

    def cpu(self, ref: str) -> Sequence[float]:
        """Shares of its cores, oldest first; of a guest or a node."""
        return tuple(self._cpu.get(ref, ()))

    def addresses(self, ref: str) -> Addresses | None:
        """As of the last look; None before the first."""
        found = self._addresses.get(ref)
        return found[1] if found is not None else None

    async def look(self, guests: Sequence[Guest]) -> bool:
        """Asks those guests for their addresses whose answer is missing or old; whether anything is new."""
        now = self._clock.now()
        wanted = [g for g in guests if g.running and g.cluster in self._hypervisors and self._is_old(g.ref, now)]

        async def ask(guest: Guest) -> None:
            try:
                found = await self._hypervisors[guest.cluster].addresses(guest)
            except CockpitError:
                found = Addresses(agent=False)
            self._addresses[guest.ref] = self._clock.now(), found

        await asyncio.gather(*(ask(g) for g in wanted))
        return bool(wanted)

    def _is_old(self, ref: str, now: float) -> bool:
        if (found := self._addresses.get(ref)) is None:
            return True
        return now - found[0] > (SILENT_FOR if found[1].agent is False else ADDRESSES_FOR)

    async def detail(self, guest: Guest) -> GuestDetail:
        """Snapshots, recent tasks and configuration, read at once."""
        hypervisor = self._hypervisors[guest.cluster]
        reads = (hypervisor.snapshots(guest), hypervisor.tasks(guest), hypervisor.config(guest))
        snapshots, tasks, config = await asyncio.gather(*reads)
        return GuestDetail(snapshots, tasks, config)

    async def log(self, cluster: str, upid: str, known: Sequence[str]) -> tuple[tuple[str, ...], bool]:
        """The log of a task from the lines that are known on, the newest ones of it, and whether the task still runs."""
        hypervisor = self._hypervisors[cluster]
        task = await hypervisor.task(upid)
        lines = [*known, *await hypervisor.task_log(upid, len(known))]
        return tuple(lines[:LOG_LINES]), task.running

    def _remember(self, name: str, seen: Observation[ClusterSnapshot]) -> None:
        if seen.value is None or seen.stale:
            return
        found = {n.ref: n.cpu for n in seen.value.nodes} | {g.ref: g.cpu for g in seen.value.guests}
        for ref, cpu in found.items():
            if (history := self._cpu.get(ref)) is None:
                history = self._cpu[ref] = deque(maxlen=KEPT)
            history.append(cpu)
        self.clusters[name].pace(SHOWN_EVERY + max(0, len(seen.value.guests) - 1000) * SECONDS_PER_GUEST)
        for gone in [ref for ref in self._cpu if ref.startswith(f"{name}/") and ref not in found]:
            del self._cpu[gone]
            self._addresses.pop(gone, None)
