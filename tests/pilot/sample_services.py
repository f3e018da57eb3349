"""The sample homelab's containers closely: details, graphs, and a host that brings projects up and down."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from msgspec.structs import replace

from cockpit.domain.containers import ContainerDetail, Lifecycle, Mount, Port, Probe
from cockpit.domain.plan import Change, ServiceChange
from cockpit.domain.secret import Secret
from cockpit.domain.services import Health, Service, Usage
from cockpit.domain.settings import HostSettings
from cockpit.observe.containers import Containers
from tests.unit.fake_containers import FakeEngine

MIB = 1024**2
DAY = 86400.0


class SampleEngine(FakeEngine):
    async def container(self, container: str) -> ContainerDetail | None:
        found = await super().container(container)
        row = next((s for s in self.all if s.container == container), None)
        if found is None or row is None:
            return found
        now = self.clock.now()
        fine = row.health is not Health.UNHEALTHY
        probes = tuple(
            Probe(
                now - 40 + 10 * i, now - 39.9 + 10 * i, 0 if fine else 1, "ok" if fine else "connect ECONNREFUSED 127.0.0.1:3001"
            )
            for i in range(4)
        )
        return replace(
            found,
            created=now - 9 * DAY, finished=now - 41 if row.exit_code else None, command="/init --quiet", user="1000:1000",
            digest=f"sha256:{row.container[:40]}", memory_limit=512 * MIB, read_only=row.service == "web",
            ports=(*(Port(p, "tcp", "127.0.0.1" if p > 1000 else "0.0.0.0", p) for p in row.ports), Port(9000, "tcp")),
            mounts=(
                Mount("volume", f"{row.project}_data", "/data", True),
                Mount("bind", f"/run/cockpit/secrets/{row.project}/db-password", "/run/secrets/db", False),
                Mount("bind", f"/var/lib/cockpit/projects/{row.project}/web.conf", "/etc/web.conf", False),
            ),
            networks=((f"{row.project}_default", "172.20.0.4"), ("proxy", "172.19.0.7")),
            environment=tuple(
                (name, Secret(value.encode()))
                for name, value in (
                    ("PAPERLESS_DBPASS_FILE", "/run/secrets/db"), ("PAPERLESS_TIME_ZONE", "Europe/Berlin"),
                    ("PAPERLESS_URL", "https://docs.lab.example.org"), ("PATH", "/usr/local/bin"), ("TOKEN", "hunter2\x1b[2J"),
                )
            ),
            probes=() if row.health is Health.NONE else probes, failing=0 if fine else 4,
            check="curl -fs http://127.0.0.1:8000/" if row.health is not Health.NONE else "",
            labels=(("com.docker.compose.project", row.project), ("homepage.widget.key", "hunter2"), ("traefik.enable", "true")),
        )  # fmt: skip


class SampleContainers(Containers):
    """Graphs stand still: they are of the numbers, not of how often was polled."""

    def past(self, service: Service) -> Sequence[Usage]:
        usage = service.usage
        if usage is None:
            return ()
        seed = sum(map(ord, service.address))
        return (
            *(
                replace(usage, cpu=usage.cpu * (0.3 + seed * (i + 3) % 11 / 14), memory=int(usage.memory * (0.5 + i / 64)))
                for i in range(31)
            ),
            usage,
        )


class SampleHost:
    """Brings up what is not running, and takes down what is."""

    def __init__(self, settings: HostSettings, engine: FakeEngine) -> None:
        self._settings = settings
        self._engine = engine
        self.wants: dict[str, ServiceChange] = {}
        self.composed: list[tuple[Lifecycle, str, str]] = []

    @property
    def settings(self) -> HostSettings:
        return self._settings

    async def compose_plan(self, project: str) -> tuple[ServiceChange, ...]:
        return tuple(
            self.wants.get(s.ref, ServiceChange(project, s.service, Change.KEEP))
            for s in self._engine.all
            if s.project == project
        )

    async def compose(
        self, verb: Lifecycle, project: str, service: str, request: dict[str, Any]
    ) -> AsyncIterator[str | dict[str, Any]]:
        self.composed.append((verb, project, service))
        yield f"docker compose -p {project} {verb.value}"
        if verb is Lifecycle.DOWN:
            self._engine.all = [s for s in self._engine.all if s.project != project]
        image = {"service": service, "image": "app:1", "old": "sha256:1", "new": "sha256:2"}
        yield {"done": verb.value, "images": [image] if verb is Lifecycle.PULL else []}
