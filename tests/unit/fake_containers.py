"""Containers in memory: a change happens at once, or as a test wants it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

from msgspec.structs import replace

from cockpit.domain.containers import ContainerDetail, Lifecycle
from cockpit.domain.errors import CockpitError
from cockpit.domain.services import Health, LogItem, Service, ServicesSnapshot, State, Usage
from cockpit.ports import Clock
from tests.unit.fake_clock import START


def service(host: str, project: str, name: str, state: State = State.RUNNING, health: Health = Health.HEALTHY) -> Service:
    container = f"{host}-{project}-{name}"
    return Service(host, project, name, container, container, f"{name}:1", "sha256:1", state, health, START - 3600)


Told = Callable[[ContainerDetail], ContainerDetail]


class FakeEngine:
    """`details` are what a container says where its row does not; `later` are what it says at the next looks after a change."""

    def __init__(self, host: str, services: Iterable[Service], clock: Clock) -> None:
        self.host = host
        self.all = list(services)
        self.clock = clock
        self.lines: list[LogItem] = []
        self.queue: asyncio.Queue[str] = asyncio.Queue()
        self.details: dict[str, Told] = {}
        self.later: dict[str, list[Told]] = {}
        self.errors: dict[str, list[CockpitError]] = {}
        """Raised by the next calls of that name; those of `change` after it was done, where `lost` says so."""
        self.lost = False
        self.changed: list[tuple[str, Lifecycle]] = []
        self.looks = 0
        self.on_change: Callable[[], None] = lambda: None

    def set(self, name: str, **values: object) -> None:
        self.all = [replace(s, **values) if s.service == name else s for s in self.all]

    def _raise(self, call: str) -> None:
        if self.errors.get(call):
            raise self.errors[call].pop(0)

    async def services(self) -> ServicesSnapshot:
        self._raise("services")
        return ServicesSnapshot(self.host, self.clock.now(), tuple(sorted(self.all, key=lambda s: (s.project, s.service))))

    async def changes(self) -> AsyncIterator[str]:
        while True:
            yield await self.queue.get()

    async def logs(
        self, containers: Sequence[str], *, since: float | None = None, tail: int = 200
    ) -> AsyncIterator[list[LogItem]]:
        names = {s.service for s in self.all if s.container in containers}
        yield [line for line in self.lines if line.service in names][-tail:]
        await asyncio.Event().wait()

    async def history(self, containers: Sequence[str], *, since: float | None = None, tail: int | None = 200) -> list[LogItem]:
        self._raise("history")
        names = {s.service for s in self.all if s.container in containers}
        found = [line for line in self.lines if line.service in names and (since is None or line.time >= since)]
        return found if tail is None else found[-tail:]

    async def usage(self, containers: Sequence[str]) -> dict[str, Usage]:
        self._raise("usage")
        return dict.fromkeys(containers, Usage(1.5, 50000000))

    async def container(self, container: str) -> ContainerDetail | None:
        self.looks += 1
        self._raise("container")
        row = next((s for s in self.all if s.container == container), None)
        if row is None:
            return None
        found = ContainerDetail(
            container, row.name, row.state, row.health, row.since, exit_code=row.exit_code or 0, oom=row.oom,
            restarts=row.restarts, policy="no" if row.oneshot else "unless-stopped", image=row.image, image_id=row.image_id,
        )  # fmt: skip
        if (told := self.details.get(row.service)) is not None:
            found = told(found)
        if waiting := self.later.get(row.service):
            return waiting.pop(0)(found) if any(c == container for c, _ in self.changed) else found
        return found

    async def change(self, container: str, verb: Lifecycle, *, grace: float) -> None:
        if not self.lost:
            self._raise("change")
        self.changed.append((container, verb))
        self.on_change()
        row = next(s for s in self.all if s.container == container)
        stopped = verb is Lifecycle.STOP
        state, since = (State.EXITED, row.since) if stopped else (State.RUNNING, self.clock.now())
        self.set(row.service, state=state, since=since, exit_code=143 if stopped else None)
        self._raise("change")

    async def close(self) -> None:
        pass


class FakeShell:
    def __init__(self, code: int = 0) -> None:
        self.code = code
        self.opened: list[Service] = []

    def command(self, service: Service) -> tuple[str, ...]:
        return ("ssh", service.host, "docker", "exec", "-it", service.container, "sh")

    async def open(self, service: Service) -> int:
        self.opened.append(service)
        return self.code
