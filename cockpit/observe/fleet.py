"""All hosts of the homelab as they are now: facts, services, logs, releases, differences."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from functools import partial

from msgspec.structs import replace

from cockpit.domain.errors import CockpitError, UsageError
from cockpit.domain.hosts import Closure, Generation, HostFacts
from cockpit.domain.releases import Release
from cockpit.domain.repository import Commit, TreeState
from cockpit.domain.services import LogItem, Service, ServicesSnapshot
from cockpit.observe.against import against, main_commit
from cockpit.observe.containers import Containers
from cockpit.observe.difference import GenerationDiff, difference
from cockpit.observe.guests import Guests
from cockpit.observe.logs import merged
from cockpit.observe.observation import Observer
from cockpit.observe.releases import releases
from cockpit.ports import AuditLog, Clock, ContainerEngine, Host, Repository

__all__ = ["Fleet", "GenerationDiff"]

CALM = 0.3
"""Seconds that changes of an engine are gathered for before it is read again."""
RETRY_FIRST = 2.0
RETRY_MOST = 60.0


class Fleet:
    def __init__(
        self,
        hosts: Mapping[str, Host],
        engines: Mapping[str, ContainerEngine],
        repository: Repository,
        clock: Clock,
        audit: AuditLog,
        guests: Guests | None = None,
    ) -> None:
        self._hosts = hosts
        self._engines = engines
        self._repository = repository
        self._clock = clock
        self._audit = audit
        self._against: dict[str, str] = {}
        self._main: Commit | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._started = False
        self.hosts: dict[str, Observer[HostFacts]] = {name: Observer(self._reader(host), clock) for name, host in hosts.items()}
        self.containers = Containers(engines)
        self.services: dict[str, Observer[ServicesSnapshot]] = {
            name: Observer(partial(self._read_engine, name), clock) for name in engines
        }
        self.guests = guests or Guests({}, clock)
        self.tree: Observer[TreeState] = Observer(self._read_tree, clock)

    def start_clusters(self) -> None:
        """Before the first picture: their first reading began with the program, and is there by now."""
        if not self._tasks:
            for name, cluster in self.guests.clusters.items():
                self._spawn(cluster.run(), f"cluster {name}")

    def start(self) -> None:
        """Keeps everything up to date in the background, until `stop`."""
        if self._started:
            return
        self._started = True
        self.start_clusters()
        self._spawn(self.tree.run(), "tree")
        for name, facts in self.hosts.items():
            self._spawn(facts.run(), f"facts {name}")
        for name, services in self.services.items():
            self._spawn(services.run(), f"services {name}")
            self._spawn(self._changes(name), f"changes {name}")

    async def stop(self) -> None:
        self._started = False
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def refresh(self, hosts: Sequence[str] | None = None) -> None:
        """Reads the work tree and these hosts now, at once. Failures are in their observers."""
        names = list(self.hosts if hosts is None else hosts)
        await self.tree.refresh()
        await asyncio.gather(*(self.hosts[name].refresh() for name in names))

    def logs(
        self, services: Sequence[Service], since: float | None = None, tail: int = 200
    ) -> AsyncGenerator[list[LogItem], None]:
        """Live lines of these services, of any hosts, in batches. Close it (`aclose`) to stop."""
        return merged(self._engines, services, self._clock, since, tail)

    async def history(self, services: Sequence[Service], since: float | None, tail: int | None) -> list[LogItem]:
        """Lines of these services up to now, merged by time. A host that does not answer raises Unreachable."""
        by_host: dict[str, list[str]] = {}
        for service in services:
            if service.container:
                by_host.setdefault(service.host, []).append(service.container)
        found = await asyncio.gather(*(self._engines[h].history(c, since=since, tail=tail) for h, c in by_host.items()))
        return sorted((item for items in found for item in items), key=lambda item: item.time)

    def releases(self) -> tuple[Release, ...]:
        """Every attempt that is known, joined by run, newest first."""
        facts = [observer.latest.value for observer in self.hosts.values()]
        return releases([f for f in facts if f is not None], self._audit.records())

    async def diff(self, host: str, old_generation: int | None, new_generation: int | None) -> GenerationDiff:
        """None is the running `test` that is no generation. UsageError where a generation is not there."""
        old, new = self._generation(host, old_generation), self._generation(host, new_generation)
        return await difference(self._hosts[host], self._repository, old, new)

    async def commit(self, sha: str) -> Commit | None:
        """As the repository has it."""
        return (await self._repository.subjects([sha])).get(sha)

    async def units(self, host: str) -> tuple[tuple[str, str, str], ...]:
        """(unit, active state, description), failed first."""
        return await self._hosts[host].units()

    async def journal(self, host: str, unit: str | None = None, lines: int = 200) -> tuple[str, ...]:
        return await self._hosts[host].journal(unit, lines)

    async def against_main(self, host: str) -> str:
        """`in step`, `2 behind main`, `held, 2 behind main` ...; as of the last reading, empty before the first."""
        return self._against.get(host, "")

    def _generation(self, host: str, number: int | None) -> Generation:
        facts = self.hosts[host].latest.value
        found = next((g for g in facts.generations if g.number == number), None) if facts is not None else None
        if found is None:
            raise UsageError(f"{host} has no generation {number}")
        return found

    async def _read_engine(self, name: str) -> ServicesSnapshot:
        """What is not looked at is not measured: that is one request for each container."""
        seen = await self._engines[name].services()
        return await self.containers.measured(name, seen) if self.services[name].is_shown else seen

    def _reader(self, host: Host) -> Callable[[], Awaitable[HostFacts]]:
        async def read() -> HostFacts:
            facts = await self._with_subjects(await host.facts())
            if self._main is None:
                self._main = await main_commit(self._repository)
            self._against[facts.name] = await self._distance(facts)
            return facts

        return read

    async def _read_tree(self) -> TreeState:
        tree = await self._repository.tree()
        self._main = await main_commit(self._repository)
        for name, observer in self.hosts.items():
            if observer.latest.value is not None:
                self._against[name] = await self._distance(observer.latest.value)
        return tree

    async def _distance(self, facts: HostFacts) -> str:
        try:
            return await against(self._repository, facts, self._main)
        except CockpitError as error:
            return f"unknown: {error.what}"

    async def _with_subjects(self, facts: HostFacts) -> HostFacts:
        """Hosts know commits by number only; the repository knows what they are about."""
        wanted = {facts.running.commit, *(g.closure.commit for g in facts.generations)}
        wanted |= {a.commit for a in facts.attempts if a.subject is None or a.subject == ""}
        try:
            subjects = await self._repository.subjects(sorted(sha for sha in wanted if sha))
        except CockpitError:
            return facts

        def named(closure: Closure) -> Closure:
            commit = subjects.get(closure.commit or "")
            return replace(closure, subject=commit.subject) if commit is not None else closure

        return replace(
            facts,
            running=named(facts.running),
            generations=tuple(replace(g, closure=named(g.closure)) for g in facts.generations),
            attempts=tuple(
                replace(a, subject=subjects[a.commit].subject) if not a.subject and a.commit in subjects else a
                for a in facts.attempts
            ),
        )

    async def _changes(self, name: str) -> None:
        delay = RETRY_FIRST
        while True:
            try:
                async for _ in self._engines[name].changes():
                    delay = RETRY_FIRST
                    await self._clock.sleep(CALM)
                    self.services[name].poke()
            except CockpitError:
                self.services[name].poke()
            await self._clock.sleep(delay)
            delay = min(delay * 2, RETRY_MOST)

    def _spawn(self, work: Awaitable[None], name: str) -> None:
        self._tasks.append(asyncio.ensure_future(_named(work)))
        self._tasks[-1].set_name(name)


async def _named(work: Awaitable[None]) -> None:
    await work
