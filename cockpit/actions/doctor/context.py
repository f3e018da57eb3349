"""What a check is given: the homelab's settings and the ports, and what several checks want to know, read once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from cockpit.actions.lock import Lock
from cockpit.domain.checkup import HostCheckup, Identity, Rule
from cockpit.domain.errors import CockpitError, Complaint, UsageError
from cockpit.domain.files import MOST_BYTES, MOST_FILES
from cockpit.domain.hosts import HostFacts
from cockpit.domain.marked import Node
from cockpit.domain.settings import HostSettings, Settings, UserSettings
from cockpit.ports import Clock, ContainerEngine, Host, SecretStore, WorkTree
from cockpit.ports.doctor import CheckupHost, Keyring, Machine

T = TypeVar("T")
Parse = Callable[[str, str, list[Complaint]], Node]
"""(text, name, complaints) -> tree. SettingsError where it is no YAML."""


@dataclass
class Context:
    machine: Machine
    clock: Clock
    user: UserSettings
    parse: Parse
    settings: Settings | None = None
    trouble: CockpitError | None = None
    """Why there are no settings."""
    tree: WorkTree | None = None
    keyring: Keyring | None = None
    secrets: SecretStore | None = None
    lock: Lock | None = None
    hosts: Mapping[str, Host] = field(default_factory=dict)
    checkups: Mapping[str, CheckupHost] = field(default_factory=dict)
    engines: Mapping[str, ContainerEngine] = field(default_factory=dict)
    known_hosts: Path | None = None
    wanted: tuple[str, ...] = ()
    """Names of the hosts that are looked at."""
    _known: dict[object, asyncio.Future[Any]] = field(default_factory=dict)

    @property
    def homelab(self) -> Settings:
        """For checks that are only run where there are settings."""
        if self.settings is None:
            raise self.trouble or UsageError("there is no cockpit.yaml")
        return self.settings

    @property
    def looked_at(self) -> tuple[HostSettings, ...]:
        return tuple(self.homelab.hosts[name] for name in self.wanted)

    @property
    def projects(self) -> tuple[str, ...]:
        """Of the hosts that are looked at; of all where that is every host, also those that run nowhere."""
        settings = self.homelab
        if set(self.wanted) == set(settings.hosts):
            return tuple(settings.projects)
        return tuple(name for name in settings.projects if any(name in host.projects for host in self.looked_at))

    async def once(self, key: object, make: Callable[[], Awaitable[T]]) -> T:
        """What `make` gives, or raises, the first time. A check that gives up does not take it from the others."""
        if key not in self._known:
            self._known[key] = asyncio.ensure_future(make())
            self._known[key].add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may be left to hear it
        return cast(T, await asyncio.shield(self._known[key]))

    async def close(self) -> None:
        """Ends what nobody waits for any more."""
        for reading in self._known.values():
            reading.cancel()
        await asyncio.gather(*self._known.values(), return_exceptions=True)
        self._known.clear()

    # ---- hosts -----------------------------------------------------------------------------------------------------------------

    async def facts(self, host: str) -> HostFacts:
        return await self.once(("facts", host), lambda: self.hosts[host].facts())

    async def checkup(self, host: str) -> HostCheckup:
        return await self.once(("checkup", host), lambda: self.checkups[host].checkup())

    # ---- files -----------------------------------------------------------------------------------------------------------------

    async def paths(self) -> tuple[str, ...]:
        """Files that git has or would take, in order."""

        async def read() -> tuple[str, ...]:
            if self.tree is None:
                return ()
            entries, _ = await self.tree.entries(MOST_FILES)
            return tuple(entry.path for entry in entries)

        return await self.once("paths", read)

    async def matching(self, pattern: str) -> tuple[str, ...]:
        """Paths that the whole of the expression matches."""
        return tuple(path for path in await self.paths() if re.fullmatch(pattern, path))

    async def bytes_of(self, path: str) -> bytes | None:
        """A file of the work tree; None where it is not there or cannot be read."""

        async def read() -> bytes | None:
            if self.tree is None:
                return None
            try:
                return (await self.tree.read(path, MOST_BYTES)).data
            except CockpitError:
                return None

        return await self.once(("file", path), read)

    async def text_of(self, path: str) -> str | None:
        data = await self.bytes_of(path)
        return None if data is None else data.decode("utf-8", "replace")

    async def yaml(self, path: str) -> tuple[Node, tuple[Complaint, ...]]:
        """SettingsError where it is no YAML, UsageError where it is not there."""

        async def read() -> tuple[Node, tuple[Complaint, ...]]:
            text = await self.text_of(path)
            if text is None:
                raise UsageError(f"{path} cannot be read", "it is not there, or too large")
            complaints: list[Complaint] = []
            node = await asyncio.to_thread(self.parse, text, path, complaints)
            return node, tuple(complaints)

        return await self.once(("yaml", path), read)

    # ---- keys ------------------------------------------------------------------------------------------------------------------

    async def identities(self) -> tuple[Identity, ...]:
        keyring = self.keyring
        return () if keyring is None else await self.once("identities", keyring.identities)

    async def rules(self) -> tuple[Rule, ...]:
        keyring = self.keyring
        return () if keyring is None else await self.once("rules", keyring.rules)
