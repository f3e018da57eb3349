"""A believable homelab for pilot and snapshot tests: host homelab with fifteen generations, host edge that is held.

It is 14:07 on a winter day; nothing here reads a clock, a disk or a network.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, cast

from msgspec.structs import replace

from cockpit.actions.attach import Attach
from cockpit.actions.bundle import Cockpit, Runs
from cockpit.actions.deploy import NOTHING, Deploy
from cockpit.actions.doctor import Doctor
from cockpit.actions.files import FileActions
from cockpit.actions.guests import GuestActions
from cockpit.actions.images import ImageActions
from cockpit.actions.operations import Operations
from cockpit.actions.resume import Resume
from cockpit.actions.rollback import Rollback
from cockpit.actions.run import Run
from cockpit.actions.safety import Gate
from cockpit.actions.services import ServiceActions
from cockpit.domain.errors import CockpitError, Exit, Unreachable
from cockpit.domain.events import HostOutcome, Outcome, Output, Progress, StepFinished, StepStarted, Waiting
from cockpit.domain.hosts import (
    Attempt,
    AttemptKind,
    Badge,
    Closure,
    Disk,
    Generation,
    GenerationOutcome,
    Hold,
    HostFacts,
    Manifest,
    ManifestProject,
    Result,
    Verdict,
)
from cockpit.domain.plan import Allow, Change, HostPlan, PackageChange, Plan, SecretChange, ServiceChange, UnitChanges
from cockpit.domain.releases import Release
from cockpit.domain.repository import Commit, TreeState
from cockpit.domain.services import Health, Level, LogGap, LogItem, LogLine, Service, ServicesSnapshot, State, Usage
from cockpit.domain.settings import ClusterSettings, CredentialSettings, HostSettings, ProjectSettings, Settings, UserSettings
from cockpit.observe.files import Files
from cockpit.observe.fleet import Fleet, GenerationDiff
from cockpit.observe.observation import Observer
from cockpit.ports import SecretStore, WorkTree
from tests.pilot.sample_files import SampleSecrets, SampleWorkTree
from tests.pilot.sample_guests import SampleGuests, sample_hypervisor
from tests.pilot.sample_services import SampleContainers, SampleEngine, SampleHost
from tests.unit.clinic import Clinic
from tests.unit.fake_clock import FakeClock
from tests.unit.fake_containers import FakeShell
from tests.unit.fake_images import FakeImageBuilder

NOW = 1766239631.0
M, H, D = 60.0, 3600.0, 86400.0
GIB, MIB = 1024**3, 1024**2

G = GenerationOutcome
GOOD = Verdict.GOOD


CLUSTER = ClusterSettings("home", ("10.20.0.2", "10.20.0.3"), "cockpit@pve!desk", CredentialSettings(env="PVE_SECRET"))


def sha(short: str) -> str:
    return (short + hashlib.sha1(short.encode(), usedforsecurity=False).hexdigest())[:40]


def store(name: str) -> str:
    digest = hashlib.sha256(name.encode()).hexdigest()[:32]
    return f"/nix/store/{digest}-nixos-system-{name}"


class FixedClock:
    """Stands still until a test moves it."""

    def __init__(self, now: float = NOW) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class NoAudit:
    def append(self, record: dict[str, Any]) -> None:
        pass

    def records(self, limit: int = 500) -> list[dict[str, Any]]:
        return [
            {"time": NOW - 40 * M, "run": "5vk3r218", "action": "deploy", "who": "CI 1182", "host": "homelab", "outcome": "done",
             "commands": ["ssh cockpit@100.64.0.7 sudo cockpit-transaction run --base 7h2cqz4n0lx8"]},
        ]  # fmt: skip


# number, age, badges, verdict, how long, nixos, kernel, commit, subject, GiB, by
_GENERATIONS: list[tuple[int, float, str, Verdict, float | None, str, str, str | None, str, float, str]] = [
    (142, 40 * M, "running default needs-reboot", Verdict.UNHEALTHY, None, "25.11", "6.12.60", "8c41f0e",
        "paperless: 2.14.0", 4.82, "CI 1182"),
    (141, 2 * D, "", GOOD, 2 * D, "25.11", "6.12.60", "5b0c9d1", "flake: update inputs", 4.77, "CI 1171"),
    (140, 4 * D, "", GOOD, 2 * D, "25.11", "6.12.58", "c77e210", "gotify: keep 30d of messages", 4.68, "ada"),
    (139, 6 * D, "", GOOD, 2 * D, "25.11", "6.12.58", "a08f6e4", "homepage: links for minio and pbs", 4.68, "CI 1164"),
    (138, 9 * D, "booted", GOOD, 3 * D, "25.11", "6.12.58", "1d9e03c", "kernel 6.12.58", 4.68, "CI 1160"),
    (137, 12 * D, "", GOOD, 3 * D, "25.11", "6.12.55", "77e0d1a", "miniflux: own database", 4.67, "bo"),
    (136, 12 * D, "dirty", Verdict.BY_HAND, None, "25.11", "6.12.55", None, "nixos-rebuild switch by root, no commit",
        4.65, "root"),
    (135, 16 * D, "", GOOD, 4 * D, "25.11", "6.12.55", "0b6f2ce", "socket-proxy: deny exec", 4.65, "ada"),
    (134, 19 * D, "", Verdict.ABANDONED, None, "25.11", "6.12.55", "d3f1190", "postgres: 17, first try", 4.71, "ada"),
    (133, 19 * D, "", GOOD, 3 * D, "25.11", "6.12.52", "b81c0a4", "watchtower: monitor only", 4.65, "CI 1140"),
    (132, 23 * D, "", GOOD, 4 * D, "25.11", "6.12.52", "e4a9177", "dozzle: 8.14", 4.65, "CI 1138"),
    (131, 24 * D, "", GOOD, 1 * D, "25.11", "6.12.52", "f3b70d8", "nixos 25.11", 4.65, "CI 1133"),
    (130, 30 * D, "", GOOD, 6 * D, "25.05", "6.12.50", "29d5f0b", "traefik: dashboards behind forward-auth", 4.31, "CI 1131"),
    (129, 34 * D, "", GOOD, 4 * D, "25.05", "6.12.50", "71e6ad2", "backup: restic to pbs", 4.30, "bo"),
    (128, 35 * D, "", GOOD, 1 * D, "25.05", "6.12.50", "0dd94c5", "gotify: tokens per app", 4.29, "CI 1126"),
]  # fmt: skip


def generation(host: str, row: tuple[Any, ...]) -> Generation:
    number, age, badges, verdict, seconds, nixos, kernel, commit, subject, gib, by = row
    closure = Closure(
        store(f"{host}-{nixos}-{number}"), sha(commit) if commit else None, subject, nixos, kernel, has_cockpit=True
    )
    return Generation(
        number, closure, NOW - age, frozenset(Badge(b) for b in badges.split()), G(verdict, seconds), by, int(gib * GIB)
    )


def attempt(seq: int, run: str, host: str, commit: str, subject: str, who: str, age: float, took: float | None, new: int | None,
            result: Result = Result.DONE, kind: AttemptKind = AttemptKind.DEPLOY, **more: Any) -> Attempt:  # noqa: ANN401  # fmt: skip
    old = (new or 142) - 1
    return Attempt(
        seq=seq, run=run, host=host, kind=kind, who="CI" if who.startswith("CI") else who,
        origin=f"https://git.lab.example.org/ada/homelab/actions/runs/{who[3:]}" if who.startswith("CI") else "laptop",
        started=NOW - age - (took or 0), ended=None if took is None else NOW - age, commit=sha(commit), subject=subject,
        old_closure=store(f"{host}-25.11-{old}"), old_generation=old, old_commit=sha("5b0c9d1"),
        new_closure=store(f"{host}-25.11-{new}"), new_generation=new, generation=new, result=result, **more,
    )  # fmt: skip


TIMINGS = (
    ("activate", 5.4),
    ("reach", 0.7),
    ("converge", 38.2),
    ("verify", 20.1),
    ("confirm", 0.5),
    ("profile", 0.1),
    ("boot", 0.9),
)
ATTEMPTS: tuple[Attempt, ...] = (
    attempt(218, "5vk3r218", "homelab", "8c41f0e", "paperless: 2.14.0", "CI 1182", 39 * M, 72, 142, timings=TIMINGS),
    attempt(217, "5vk1f217", "edge", "5b0c9d1", "roll back 88 → 87", "ada", 2 * H, 48, 87, kind=AttemptKind.ROLLBACK,
            hold=Hold("5vk1f217", (sha("e93ab52"),), "ada", NOW - 2 * H, 87, "traefik 3.5 answers 401")),
    attempt(216, "5vk0b216", "edge", "e93ab52", "traefik: 3.5.0", "CI 1179", 3 * H, 63, 88, abandoned="5vk1f217"),
    attempt(215, "5vk0a215", "homelab", "e93ab52", "traefik: 3.5.0", "CI 1179", 3 * H, 151, None, Result.REVERTED,
            reason="traefik unhealthy", phase="verify"),
    attempt(214, "5vh8w214", "homelab", "5b0c9d1", "flake: update inputs", "CI 1171", 2 * D, 260, 141),
    attempt(214, "5vh8w214", "edge", "5b0c9d1", "flake: update inputs", "CI 1171", 2 * D, 240, 87),
    attempt(213, "5vh8t213", "edge", "5b0c9d1", "flake: update inputs", "CI 1170", 2 * D, 3, None, Result.REFUSED,
        reason="tree dirty"),
    attempt(212, "5vf4n212", "homelab", "c77e210", "gotify: keep 30d", "ada", 4 * D, 39, 140),
    attempt(211, "5vd2m211", "homelab", "a08f6e4", "homepage: new links", "CI 1164", 6 * D, 31, 139),
    attempt(210, "5va9k210", "homelab", "1d9e03c", "kernel 6.12.58", "CI 1160", 9 * D, 302, 138),
    attempt(210, "5va9k210", "edge", "1d9e03c", "kernel 6.12.58", "CI 1160", 9 * D, 280, 86),
    attempt(209, "5v87j209", "homelab", "9f0aa17", "postgres: 17", "ada", 11 * D, 224, None, Result.FAILED,
        reason="build failed"),
    attempt(208, "5v76h208", "homelab", "77e0d1a", "miniflux: own database", "bo", 12 * D, 52, 137),
    attempt(207, "5v31g207", "homelab", "0b6f2ce", "socket-proxy: deny exec", "ada", 16 * D, 28, 135),
    attempt(206, "5v08f206", "homelab", "b81c0a4", "roll back 134 → 133", "ada", 19 * D, 44, 133, kind=AttemptKind.ROLLBACK),
    attempt(205, "5v07e205", "homelab", "d3f1190", "postgres: 17, first try", "ada", 19 * D, 81, 134),
)  # fmt: skip


def homelab_facts() -> HostFacts:
    generations = tuple(generation("homelab", row) for row in _GENERATIONS)
    return HostFacts(
        name="homelab", read_at=NOW - 4, host_time=NOW - 4, running=generations[0].closure, booted=generations[4].closure.path,
        boot_default=generations[0].closure.path, profile=generations[0].closure.path, profile_generation=142,
        generations=generations, failed_units=("restic-data.service",),
        disks=(Disk("/", int(87.6 * GIB), 120 * GIB), Disk("/nix", int(52.8 * GIB), 120 * GIB), Disk("/boot",
            int(414 * MIB), 511 * MIB)),
        load=2.31, uptime=9 * D, reboot=("6.12.58", "6.12.60"), attempts=tuple(a for a in ATTEMPTS if a.host == "homelab"),
        owned_projects=("core", "home", "miniflux", "observe", "paperless"), stopped=("paperless/worker",),
        manifest=Manifest(sha("8c41f0e"), "homelab", 15, (
            ManifestProject("paperless", "/var/lib/cockpit/projects/paperless", ("broker", "db", "web", "worker"), (),
                ("db-password", "secret-key")),
            ManifestProject("core", "/var/lib/cockpit/projects/core", ("socket-proxy", "traefik"), (), ("dns-token",)),
            ManifestProject("observe", "/var/lib/cockpit/projects/observe", ("dozzle", "gotify", "uptime-kuma", "watchtower")),
        )),
    )  # fmt: skip


def edge_facts() -> HostFacts:
    rows: list[tuple[Any, ...]] = [
        (88, 3 * H, "", Verdict.ABANDONED, 40 * M, "25.11", "6.12.60", "e93ab52", "traefik: 3.5.0", 3.12, "CI 1179"),
        (
            87,
            2 * D,
            "running default held booted",
            GOOD,
            2 * D,
            "25.11",
            "6.12.60",
            "5b0c9d1",
            "flake: update inputs",
            3.10,
            "CI 1171",
        ),
        (86, 9 * D, "", GOOD, 7 * D, "25.11", "6.12.58", "1d9e03c", "kernel 6.12.58", 3.02, "CI 1160"),
    ]
    generations = tuple(generation("edge", row) for row in rows)
    return HostFacts(
        name="edge", read_at=NOW - 4, host_time=NOW - 4, running=generations[1].closure, booted=generations[1].closure.path,
        boot_default=generations[1].closure.path, profile=generations[1].closure.path, profile_generation=87,
        generations=generations,
        disks=(Disk("/", 14 * GIB, 40 * GIB), Disk("/nix", int(15.2 * GIB), 40 * GIB), Disk("/boot", 214 * MIB, 511 * MIB)),
        load=0.08, uptime=9 * D, attempts=tuple(a for a in ATTEMPTS if a.host == "edge"), owned_projects=("proxy",),
        hold=Hold("5vk1f217", (sha("e93ab52"), sha("6e02b5d"), sha("8c41f0e")), "ada", NOW - 2 * H, 87,
            "traefik 3.5 answers 401 behind forward-auth"),
    )  # fmt: skip


# project, host, service, state, health, age, restarts, exit, image, cpu, MiB, ports
_SERVICES: list[tuple[str, str, str, State, Health, float, int, int | None, str, float, int, tuple[int, ...]]] = [
    ("paperless", "homelab", "worker", State.RESTARTING, Health.NONE, 41, 6, 137, "paperless-ngx:2.14.0", 97, 511, ()),
    ("paperless", "homelab", "web", State.RUNNING, Health.HEALTHY, 39 * M, 0, None, "paperless-ngx:2.14.0", 12, 342, (8000,)),
    ("paperless", "homelab", "db", State.RUNNING, Health.HEALTHY, 9 * D, 0, None, "postgres:16.10", 22, 188, (5432,)),
    ("paperless", "homelab", "broker", State.RUNNING, Health.HEALTHY, 9 * D, 0, None, "valkey:8.1.4", 1, 14, (6379,)),
    ("core", "homelab", "traefik", State.RUNNING, Health.HEALTHY, 3 * H, 1, None, "traefik:v3.4.4", 4, 61, (80, 443)),
    ("core", "homelab", "socket-proxy", State.RUNNING, Health.HEALTHY, 9 * D, 0, None, "socket-proxy:1.10.0", 0, 9, ()),
    ("observe", "homelab", "uptime-kuma", State.RUNNING, Health.UNHEALTHY, 4 * D, 0, None, "uptime-kuma:2.0.2", 0, 148, (3001,)),
    ("observe", "homelab", "gotify", State.RUNNING, Health.HEALTHY, 4 * D, 0, None, "gotify/server:2.7.3", 0, 22, ()),
    ("observe", "homelab", "dozzle", State.RUNNING, Health.HEALTHY, 9 * D, 0, None, "dozzle:v8.14.4", 1, 38, ()),
    ("observe", "homelab", "watchtower", State.RUNNING, Health.HEALTHY, 9 * D, 0, None, "watchtower:1.7.1", 0, 12, ()),
    ("home", "homelab", "homepage", State.RUNNING, Health.HEALTHY, 6 * D, 0, None, "homepage:v1.6.1", 0, 97, ()),
    ("miniflux", "homelab", "app", State.RUNNING, Health.HEALTHY, 9 * D, 0, None, "miniflux:2.2.14", 1, 41, ()),
    ("miniflux", "homelab", "db", State.RUNNING, Health.HEALTHY, 9 * D, 0, None, "postgres:16.10", 1, 64, ()),
    ("proxy", "edge", "traefik", State.RUNNING, Health.HEALTHY, 2 * H, 0, None, "traefik:v3.4.4", 2, 54, (80, 443)),
    ("proxy", "edge", "socket-proxy", State.RUNNING, Health.HEALTHY, 9 * D, 0, None, "socket-proxy:1.10.0", 0, 8, ()),
]  # fmt: skip


ROUTES = {
    "paperless/web": "https://docs.lab.example.org/",
    "core/traefik": "https://traefik.lab.example.org/",
    "observe/uptime-kuma": "https://status.lab.example.org/",
    "home/homepage": "https://lab.example.org/",
}
AFTER = {"paperless/web": ("db", "broker"), "paperless/worker": ("db", "broker")}


def services(host: str) -> ServicesSnapshot:
    found = []
    for project, on, name, state, health, age, restarts, code, image, cpu, mib, ports in _SERVICES:
        if on == host:
            ident = hashlib.sha256(f"{host}{project}{name}".encode()).hexdigest()
            limit = 512 * MIB if name == "worker" else None
            found.append(Service(host, project, name, ident, f"{project}-{name}-1", image, f"sha256:{ident}", state,
                health, NOW - age, restarts,
                                 code, code == 137, ports, usage=Usage(cpu, mib * MIB, limit)))  # fmt: skip
    found = [replace(s, url=ROUTES.get(s.ref, ""), after=AFTER.get(s.ref, ())) for s in found]
    return ServicesSnapshot(host, NOW - 1, tuple(sorted(found, key=lambda s: (s.project, s.service))))


_TODAY = NOW - 25
_LOGS: list[tuple[float, str, Level, str]] = [
    (0.310, "traefik", Level.INFO, "GET /api/statistics/ status=200 ms=17 router=paperless@docker client=100.64.0.3"),
    (0.877, "web", Level.INFO, "GET /api/ui_settings/ status=200 ms=9 user=ada"),
    (1.240, "db", Level.INFO, "duration: 214 ms statement=SELECT documents_document.id FROM documents_document WHERE owner = 3"),
    (1.902, "traefik", Level.INFO, "GET /api/documents/?page=2 status=200 ms=38 router=paperless@docker client=100.64.0.3"),
    (2.118, "web", Level.INFO, "POST /api/documents/post_document/ status=202 ms=112 user=ada"),
    (2.220, "worker", Level.INFO, "consuming scan_0231.pdf task=3f1c09e2 pages=214 lang=deu+eng"),
    (2.500, "db", Level.UNKNOWN, "▲ 1,284 lines of db dropped, oldest first: 14,000/s came in"),
    (8.641, "db", Level.INFO, "checkpoint complete: wrote 812 buffers (5.0%) write_s=4.1 sync_s=0.02"),
    (11.377, "worker", Level.WARN, "memory is near its limit rss=498MiB limit=512MiB task=3f1c09e2"),
    (12.015, "worker", Level.ERROR, "task documents.tasks.consume_file failed task=3f1c09e2 attempt=3"),
    (12.015, "worker", Level.UNKNOWN, "Traceback (most recent call last):"),
    (12.015, "worker", Level.UNKNOWN, '  File "/usr/src/paperless/src/documents/tasks.py", line 184, in consume_file'),
    (12.015, "worker", Level.UNKNOWN, "    text = parser.parse(path, mime_type)"),
    (12.015, "worker", Level.UNKNOWN, '  File "/usr/lib/python3/site-packages/celery/app/trace.py", line 453, in trace_task'),
    (12.015, "worker", Level.UNKNOWN, "    R = retval = fun(*args, **kwargs)"),
    (12.015, "worker", Level.UNKNOWN, "MemoryError: cannot allocate 67108864 bytes"),
    (12.600, "worker", Level.UNKNOWN, "✕ worker exited: 137, out of memory · restart 6 in 10m"),
    (14.930, "worker", Level.INFO, '{"level": "info", "msg": "celery@worker ready", "queues": "celery", "concurrency": 2}'),
    (15.006, "db", Level.WARN, "could not receive data from client: Connection reset by peer"),
    (15.411, "traefik", Level.WARN, 'GET /api/tasks/ status=502 ms=3 router=paperless@docker error="connection refused"'),
    (16.180, "traefik", Level.INFO, "GET /api/tasks/ status=200 ms=41 router=paperless@docker"),
    (16.702, "worker", Level.INFO, "consuming scan_0231.pdf task=3f1c09e2 attempt=4"),
    (16.911, "web", Level.INFO, "GET /api/documents/?page=3 status=200 ms=35 user=ada"),
]


def log_items(wanted: Sequence[Service]) -> list[LogItem]:
    names = {s.service: s for s in reversed(wanted)}
    out: list[LogItem] = []
    for at, name, level, text in _LOGS:
        if (s := names.get(name)) is None:
            continue
        if text[0] in "▲✕":
            out.append(LogGap(s.host, s.project, s.service, _TODAY + at, text[2:], bad=text[0] == "✕"))
        else:
            out.append(LogLine(s.host, s.project, s.service, _TODAY + at, text, level=level))
    return out


PACKAGES = tuple(
    PackageChange(*row)
    for row in (
        ("openssl", "3.4.3", "3.4.2"), ("neovim", "0.11.5", "0.11.4"), ("tailscale", "1.90.6", "1.90.1"), ("zstd", "1.5.7",
            "1.5.6"),
        ("git", "2.51.2", "2.51.0"), ("curl", "8.16.0", "8.15.0"), ("restic", "0.18.1", "0.18.0"), ("sops", "3.12.2", "3.12.1"),
        ("age", "1.3.0", "1.2.1"), ("paperless-ocr-de", "1.2", None),
    )
)  # fmt: skip
CHANGES = (
    ServiceChange("paperless", "web", Change.RECREATE, "image", "paperless-ngx:2.14.0", "paperless-ngx:2.13.5"),
    ServiceChange("paperless", "worker", Change.RECREATE, "image", "paperless-ngx:2.14.0", "paperless-ngx:2.13.5"),
    ServiceChange("paperless", "db", Change.KEEP),
    ServiceChange("paperless", "broker", Change.KEEP),
    *(ServiceChange(p, n, Change.KEEP) for p, on, n, *_ in _SERVICES if on == "homelab" and p != "paperless"),
)
SECRETS = (SecretChange("paperless", "db-password", "changed"),)
LEFT_OUT = (
    Commit(sha("8c41f0e"), "paperless: 2.14.0"),
    Commit(sha("6e02b5d"), "traefik: back to 3.4.4; inputs"),
    Commit(sha("e93ab52"), "traefik: 3.5.0"),
)


class SampleFleet(Fleet):
    """Answers at once, from the tables above."""

    def __init__(self, clock: FixedClock) -> None:
        self.facts = {"homelab": homelab_facts(), "edge": edge_facts()}
        self.snapshots = {"homelab": services("homelab"), "edge": services("edge")}
        self.engines = {name: SampleEngine(name, seen.services, clock) for name, seen in self.snapshots.items()}
        self.containers = SampleContainers(self.engines)
        self.failing: dict[str, CockpitError] = {}
        self.extra: list[LogItem] = []
        self.more = asyncio.Event()
        self.attempts = list(ATTEMPTS)
        self.hosts = {name: Observer(self._read_facts(name), clock, shown_every=3600, hidden_every=3600) for name in self.facts}
        self.services = {
            name: Observer(self._read_services(name), clock, shown_every=3600, hidden_every=3600) for name in self.facts
        }
        self.tree_state = TreeState("main", Commit(sha("8c41f0e"), "paperless: 2.14.0"), 1, 0, ("a", "b", "c"))
        self.tree: Observer[TreeState] = Observer(self._tree, clock, shown_every=3600, hidden_every=3600)
        self.hypervisor = sample_hypervisor(clock.now())
        self.guests = SampleGuests({"home": self.hypervisor}, clock)
        self.tasks: list[asyncio.Task[None]] = []

    def _read_facts(self, name: str) -> Callable[[], Awaitable[HostFacts]]:
        async def read() -> HostFacts:
            if error := self.failing.get(name):
                raise error
            return self.facts[name]

        return read

    def _read_services(self, name: str) -> Callable[[], Awaitable[ServicesSnapshot]]:
        async def read() -> ServicesSnapshot:
            if error := self.failing.get(name):
                raise error
            return self.snapshots[name]

        return read

    async def _tree(self) -> TreeState:
        return self.tree_state

    def start_clusters(self) -> None:
        pass

    def start(self) -> None:
        observers: list[Observer[Any]] = [*self.hosts.values(), *self.services.values(), self.tree]
        observers += self.guests.clusters.values()
        self.tasks = [asyncio.ensure_future(o.run()) for o in observers]

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def take(self, name: str) -> None:
        """After a change: the engine's services are what is read."""
        self.snapshots[name] = ServicesSnapshot(name, NOW - 1, tuple(self.engines[name].all))
        self.services[name].poke()

    def silence(self, name: str) -> None:
        self.failing[name] = Unreachable(f"no connection to {name}", "timed out after 5s")

    async def logs(
        self, services: Sequence[Service], since: float | None = None, tail: int = 200
    ) -> AsyncGenerator[list[LogItem], None]:
        yield log_items(services)
        while True:
            await self.more.wait()
            self.more.clear()
            batch, self.extra = self.extra, []
            yield batch

    def releases(self) -> tuple[Release, ...]:
        runs: dict[str, list[Attempt]] = {}
        for a in self.attempts:
            runs.setdefault(a.run, []).append(a)
        return tuple(
            Release(run, many[0].kind, many[0].commit, many[0].subject, many[0].who, many[0].origin, many[0].started,
                many[0].ended,
                    tuple(sorted(many, key=lambda a: a.host)))
            for run, many in runs.items()
        )  # fmt: skip

    async def diff(self, host: str, old_generation: int | None, new_generation: int | None) -> GenerationDiff:
        by_number = {g.number: g for g in self.facts[host].generations}
        return GenerationDiff(
            host, by_number[old_generation], by_number[new_generation], PACKAGES, CHANGES, SECRETS, (), LEFT_OUT
        )

    async def commit(self, sha: str) -> Commit | None:
        named = (g.closure for facts in self.facts.values() for g in facts.generations if g.closure.commit == sha)
        found = next(named, None)
        message = f"{found.subject}\n\nTasted twice, as the release notes ask for." if found else ""
        return Commit(sha, found.subject or "", "ada", NOW - 2 * D, message) if found else None

    async def units(self, host: str) -> tuple[tuple[str, str, str], ...]:
        return (
            ("restic-data.service", "failed", "Back up /data with restic"),
            ("docker.service", "active", "Docker Application Container Engine"),
            ("sshd.service", "active", "SSH Daemon"),
            ("tailscaled.service", "active", "Tailscale node agent"),
            ("restic-data.timer", "active", "Back up /data every night"),
        )

    async def journal(self, host: str, unit: str | None = None, lines: int = 200) -> tuple[str, ...]:
        return (
            "2025-12-20T09:02:11 restic[4411]: Fatal: unable to create lock in backend: repository is already locked",
            "2025-12-20T09:02:11 restic[4411]: lock was created by PID 3312 on backup",
            "2025-12-20T09:02:11 systemd[1]: restic-data.service: Main process exited, code=exited, status=1/FAILURE",
        )

    async def against_main(self, host: str) -> str:
        return {"homelab": "in step", "edge": "held, 3 behind"}[host]


COMMANDS = (
    "ssh cockpit@100.64.0.7 sudo /nix/store/9k3fzq0x1cfb6d2p7m4v8w5n3hj1r0ya-cockpit-transaction/bin/cockpit-transaction"
    " run --switch-generation 141 --base 7h2cqz4n0lx8 --revert-after 300",
    "# on the host, by its own supervisor, one after another:",
    "/nix/store/q81xrbn5w0a7c3k9v2dm6j4zfpsl1h8y-nixos-system-homelab-25.11/bin/switch-to-configuration test",
    "# cockpit must get in by a new connection before this goes on",
    "docker compose -p paperless up -d --wait --wait-timeout 120",
    "nix-env -p /nix/var/nix/profiles/system --switch-generation 141",
    "/nix/store/q81xrbn5w0a7c3k9v2dm6j4zfpsl1h8y-nixos-system-homelab-25.11/bin/switch-to-configuration boot",
)


def make_plan(fleet: SampleFleet, run: str, action: str, host: str, to: int | None) -> Plan:
    facts = fleet.facts[host]
    target = next((g for g in facts.generations if g.number == to), facts.generations[-1])
    running = facts.running_generation
    assert running is not None
    return Plan(run, action, f"{action} {host}", (
        HostPlan(host, AttemptKind.ROLLBACK if action == "rollback" else AttemptKind.DEPLOY, "7h2cqz4n0lx8",
            running.closure, running.number,
                 target.closure, target.number if action == "rollback" else None, target.closure.commit, target.closure.subject,
                 UnitChanges(restart=("tailscaled.service", "restic-data.timer"), reload=("dbus.service",)), CHANGES,
                 SECRETS, PACKAGES,
                 abandons=(sha("8c41f0e"),) if action == "rollback" else (),
                 leaves_out=tuple((c.sha, c.subject) for c in LEFT_OUT) if action == "rollback" else (), commands=COMMANDS),
    ))  # fmt: skip


class SampleRollback(Rollback):
    """Plans at once, asks, then walks through the steps; `hold` keeps it in converge."""

    def __init__(self, fleet: SampleFleet, clock: FixedClock, gate: Gate) -> None:
        self.fleet, self.clock, self.gate = fleet, clock, gate
        self.go_on = asyncio.Event()
        self.plan_ready = asyncio.Event()
        self.plan_ready.set()
        self.applied: list[Plan] = []

    async def execute(self, host: str | Sequence[str], to: int | str | None, run: Run, *, dry_run: bool = False) -> Outcome:
        return await walk(self, "rollback", [host] if isinstance(host, str) else host, int(to) if to is not None else 141, run)


class SampleDeploy(Deploy):
    def __init__(self, walker: SampleRollback) -> None:
        self.walker = walker

    async def execute(self, hosts: Sequence[str], revision: str | None = None, *, run: Run, allow: Allow = NOTHING,
                      dry_run: bool = False) -> Outcome:  # fmt: skip
        return await walk(self.walker, "deploy", hosts, 142, run)


async def walk(self: SampleRollback, action: str, hosts: Sequence[str], to: int, run: Run) -> Outcome:
    for step, text in (
        ("resolve", "5b0c9d1, generation 141"),
        ("connect", "100.64.0.7, key pinned"),
        ("plan", "1 unit, 2 services, 1 secret"),
    ):
        for host in hosts:
            run.emit(StepStarted, host=host, step=step)
            run.emit(StepFinished, host=host, step=step, text=text, seconds=0.4)
    await self.plan_ready.wait()
    plan = make_plan(self.fleet, run.id, action, hosts[0], to)
    run.plan = plan
    if not await run.approve(plan):
        return run.finish(Outcome(run.id, Exit.REFUSED, tuple(HostOutcome(h, Exit.REFUSED, "not approved") for h in hosts)))
    self.applied.append(plan)
    for host in hosts:
        run.emit(StepFinished, host=host, step="approve", text="ada", seconds=9.0)
        run.emit(StepStarted, host=host, step="activate", text="switch-to-configuration test")
        run.emit(StepFinished, host=host, step="activate", text="1 unit", seconds=5.4)
        run.emit(StepFinished, host=host, step="reach", text="new connection, 100.64.0.7:22", seconds=0.7)
        run.emit(StepStarted, host=host, step="converge", text="paperless: 3 of 4 healthy", deadline=120.0)
        run.emit(Output, host=host, step="converge", text="docker compose -p paperless up --wait")
        for name, word in (
            ("broker", "Healthy"),
            ("db", "Healthy"),
            ("worker", "Recreate"),
            ("web", "Recreate"),
            ("web", "Started"),
        ):
            run.emit(Output, host=host, step="converge", text=f"Container paperless-{name}-1   {word}")
        run.emit(Progress, host=host, step="converge", text="paperless: 3 of 4 healthy", done=0.75)
        run.emit(Waiting, host=host, step="converge", text="web: start period", left=12.0)
    await self.go_on.wait()
    return run.finish(
        Outcome(run.id, Exit.DONE, tuple(HostOutcome(h, Exit.DONE, "done", generation=to, changed=True) for h in hosts))
    )


class SampleResume(Resume):
    def __init__(self) -> None:
        self.asked: list[str] = []

    async def execute(self, host: str | Sequence[str], run: Run, *, dry_run: bool = False) -> Outcome:
        self.asked.append(str(host))
        return run.finish(Outcome(run.id, Exit.DONE, (HostOutcome(str(host), Exit.DONE, "the hold is lifted"),)))


class SampleAttach(Attach):
    def __init__(self) -> None:
        self.asked: list[str] = []

    async def execute(self, prefix: str, run: Run, *, hosts: Sequence[str] | None = None) -> Outcome:
        self.asked.append(prefix)
        return run.finish(Outcome(run.id, Exit.DONE, ()))


class SampleRepository:
    """Nothing of the terminal UI asks it directly."""


def _clinic() -> Clinic:
    """A homelab with something to mend, something to look at, and a host that does not answer."""
    clinic = Clinic()
    clinic.edit("compose/web/compose.yaml", "${TAILNET_IP:?}:443:443", "443:443")
    clinic.files.pop("compose/web/traefik.env")
    clinic.keyring.own.clear()
    clinic.host.said = Unreachable("cockpit@100.64.0.7 does not answer", "no connection within 10s", "tailscale status")
    return clinic


def sample(user: UserSettings | None = None, clock: FixedClock | None = None) -> Cockpit:
    """A whole bundle over the tables above."""
    clock = clock or FixedClock()
    fleet = SampleFleet(clock)
    gate = Gate(clock)
    rollback = SampleRollback(fleet, clock, gate)
    hosts = {
        "homelab": HostSettings("homelab", "100.64.0.7", projects=("paperless", "core"), guest="home/100"),
        "edge": HostSettings("edge", "100.64.0.9", projects=("proxy",)),
    }
    repository: Any = SampleRepository()
    unused: Any = None  # the terminal UI builds nothing and reads no release files
    work_tree: WorkTree = SampleWorkTree()
    secrets: SecretStore = SampleSecrets()
    paperless = ProjectSettings("paperless", "compose/paperless", "/var/lib/cockpit/projects/paperless")
    settings = Settings(Path("/homelab"), hosts=hosts, projects={"paperless": paperless}, clusters={"home": CLUSTER})
    operations = Operations(clock, NoAudit(), gate, "ada", "laptop")
    compose = {name: SampleHost(settings.hosts[name], fleet.engines[name]) for name in hosts}
    services = ServiceActions(
        fleet.engines, compose, settings, operations, FakeClock(NOW), "ada", "laptop", FakeShell(), gate, NoAudit()
    )
    services.changed.append(fleet.take)
    guests = GuestActions({"home": fleet.hypervisor}, settings, operations, clock, "ada")
    guests.changed.append(lambda name: fleet.guests.clusters[name].poke())
    return Cockpit(
        settings=settings, user=user or UserSettings(), clock=clock, repository=repository,
        fleet=fleet,
        deploy=SampleDeploy(rollback), rollback=rollback, resume=SampleResume(), attach=SampleAttach(), gate=gate,
        releases=unused, read_only=unused,
        bootstrap=cast(Any, None),
        work_tree=work_tree, files=Files(work_tree, secrets, clock),
        file_actions=FileActions(work_tree, secrets, operations), guests=guests, services=services,
        images=ImageActions(settings, repository, FakeImageBuilder(), {}, {}, work_tree, operations, clock),
        audit=NoAudit(), runs=Runs(clock),
        who="ada", origin="laptop", version="0.1.0", doctor=Doctor(lambda: _clinic().context()),
    )  # fmt: skip
