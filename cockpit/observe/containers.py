"""Containers beside their state: cpu and memory of the last minutes, and the details of one that somebody looks at."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from cockpit.domain.containers import ContainerDetail
from cockpit.domain.errors import CockpitError, UsageError
from cockpit.domain.services import Service, ServicesSnapshot, State, Usage
from cockpit.ports import ContainerEngine

KEPT = 48
"""Readings of each container that are remembered."""


class Containers:
    def __init__(self, engines: Mapping[str, ContainerEngine]) -> None:
        self._engines = engines
        self._past: dict[str, deque[Usage]] = {}
        self._measured: set[str] = set()
        """Containers whose cpu was asked for before: the first answer knows no time to compare with."""

    def past(self, service: Service) -> Sequence[Usage]:
        """Oldest first."""
        return tuple(self._past.get(f"{service.host}/{service.container}", ()))

    async def measured(self, host: str, seen: ServicesSnapshot) -> ServicesSnapshot:
        """With cpu and memory of what runs. Without them where the engine does not tell: its state is worth more."""
        running = [s.container for s in seen.services if s.state is State.RUNNING and s.container]
        try:
            found = await self._engines[host].usage(running) if running else {}
        except CockpitError:
            return seen
        here = {f"{host}/{container}" for container in found}
        for container, usage in found.items():
            key = f"{host}/{container}"
            if key in self._measured:
                self._past.setdefault(key, deque(maxlen=KEPT)).append(usage)
        self._measured = {key for key in self._measured if not key.startswith(f"{host}/")} | here
        for gone in [key for key in self._past if key.startswith(f"{host}/") and key not in here]:
            del self._past[gone]
        return replace(seen, services=tuple(replace(s, usage=found.get(s.container, s.usage)) for s in seen.services))

    async def detail(self, service: Service) -> ContainerDetail:
        """Read now. UsageError where it is gone."""
        found = await self._engines[service.host].container(service.container) if service.container else None
        if found is None:
            raise UsageError(f"{service.ref} has no container", "it was removed or made anew", "ctrl+r reads again")
        return found
