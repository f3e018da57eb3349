"""The containers of one host: their states, their logs, and what happened to them."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from cockpit.simulator.described import labels
from cockpit.simulator.logs import speaker, trouble
from cockpit.simulator.release import Release, ServiceSpec

KEPT = 2000
"""Log lines that a container keeps."""


@dataclass
class Container:
    id: str
    spec: ServiceSpec
    created: float
    random: Random
    state: str = "running"
    health: str = ""
    started: float = 0.0
    finished: float | None = None
    code: int = 0
    restarts: int = 0
    cpu: float = 0.0
    """Seconds of a processor that it used until `seen`."""
    seen: float = 0.0
    memory: int = 0
    lines: deque[tuple[float, bool, str]] = field(default_factory=lambda: deque(maxlen=KEPT))
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    said: int = 0
    """Lines that it ever said; `lines` are the last of them."""
    voice: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return f"{self.spec.project}-{self.spec.name}-1"

    @property
    def labels(self) -> dict[str, str]:
        return labels(self.spec.made) | {
            "com.docker.compose.project": self.spec.project,
            "com.docker.compose.service": self.spec.name,
            "com.docker.compose.container-number": "1",
            "com.docker.compose.oneoff": "False",
            "com.docker.compose.config-hash": self.spec.digest,
            "com.docker.compose.project.working_dir": f"/var/lib/cockpit/projects/{self.spec.project}",
        }

    @property
    def status(self) -> str:
        if self.state != "running":
            return "Created" if self.state == "created" else f"Exited ({self.code}) {_ago(self.finished or self.created)} ago"
        words = {"": "", "starting": " (health: starting)"}.get(self.health, f" ({self.health})")
        return f"Up {_ago(self.started)}{words}"

    def say(self, at: float, lines: Iterable[tuple[bool, str]]) -> None:
        for err, text in lines:
            if self.lines:
                at = max(at, self.lines[-1][0] + 1e-5)  # no two lines of an engine have the same time
            self.lines.append((at, err, text))
            self.said += 1


def _ago(at: float) -> str:
    seconds = max(1, int(time.time() - at))
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds} second{'s' if seconds > 1 else ''}"


def image_id(image: str) -> str:
    return f"sha256:{hashlib.sha256(image.encode()).hexdigest()}"


class Containers:
    """`pace` stretches every delay: 1 for people, less for tests."""

    def __init__(self, host: str, pace: float = 1.0) -> None:
        self.host = host
        self._pace = pace
        self._here: dict[tuple[str, str], Container] = {}
        self._made = 0
        self._listeners: set[asyncio.Queue[dict[str, Any]]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.images: dict[str, float] = {}
        """Image -> when it was pulled."""

    @property
    def all(self) -> list[Container]:
        return sorted(self._here.values(), key=lambda c: -c.created)

    def find(self, word: str) -> Container | None:
        return next((c for c in self._here.values() if c.name == word or (len(word) >= 4 and c.id.startswith(word))), None)

    def stopped(self, release: Release) -> list[str]:
        """`project/service` of the release that are not as they should be."""
        found = []
        for spec in release.services:
            container = self._here.get((spec.project, spec.name))
            if (
                container is None
                or (container.state != "running" and not (spec.oneshot and container.code == 0))
                or container.health == "unhealthy"
            ):
                found.append(f"{spec.project}/{spec.name}")
        return found

    def changes(self, release: Release, before: Release) -> list[dict[str, Any]]:
        """What `apply` would do, in the words of a plan."""
        found: list[dict[str, Any]] = []
        secrets = {key for key, digest in release.secrets.items() if before.secrets.get(key, digest) != digest}
        for spec in release.services:
            container = self._here.get((spec.project, spec.name))
            why = change = ""
            old = container.spec.image if container is not None else None
            changed = next((name for name in spec.secrets if (spec.project, name) in secrets), None)
            if container is None:
                change, why = "create", "new"
            elif container.spec.image != spec.image:
                change, why = "recreate", "image"
            elif container.spec.digest != spec.digest:
                change, why = "recreate", "config"
            elif changed is not None:
                change, why = "recreate", f"secret {changed}"
            elif container.state != "running" and not spec.oneshot:
                change, why = "start", "not running"
            if change:
                found.append(_change(spec, change, why, old, spec.image))
        wanted = {(spec.project, spec.name) for spec in release.services}
        for key, container in self._here.items():
            if key not in wanted:
                found.append(_change(container.spec, "remove", "no longer in the release", container.spec.image, None))
        return found

    def apply(self, release: Release, before: Release, only: Collection[tuple[str, str]] | None = None) -> None:
        """Makes the containers those of a release, or only these of them; the ones that did not change go on running."""
        specs = {(spec.project, spec.name): spec for spec in release.services}
        for change in self.changes(release, before):
            key = (change["project"], change["service"])
            if only is not None and key not in only:
                continue
            container = self._here.get(key)
            if change["change"] == "start" and container is not None:
                self.start(container)
                continue
            if container is not None:
                if container.state == "running":
                    self.stop(container)
                self._emit("destroy", self._here.pop(key))
            if key in specs:
                self.start(self._make(specs[key], time.time()))

    def remove(self, keys: Collection[tuple[str, str]]) -> None:
        for key in keys:
            if (container := self._here.get(key)) is not None:
                self.stop(container)
                self._emit("destroy", self._here.pop(key))

    def settle(self, release: Release, since: float) -> None:
        """As `apply`, but long ago: they run and are healthy already, with logs behind them."""
        for index, spec in enumerate(release.services):
            container = self._make(spec, since + index * 0.8)
            container.started = container.created + 0.4
            container.health = "healthy" if spec.checked else ""
            container.seen = time.time()
            container.cpu = (container.seen - container.started) * _share(container)
            speak, every = speaker(spec.image)
            told: list[tuple[bool, str]] = []
            now = time.time()
            at = max(container.started, now - every * 250)
            while at < now:
                container.say(at, speak(container.random, at))
                at += every * container.random.uniform(0.3, 1.7)
                if now - every * 13 < at < now - every * 9 and not told:
                    told = trouble(spec.image, at)
                    container.say(at, told)
            self._live(container)

    def _make(self, spec: ServiceSpec, at: float) -> Container:
        self._made += 1
        name = hashlib.sha256(f"{self.host} {spec.project} {spec.name} {spec.digest} {self._made}".encode()).hexdigest()
        random = Random(name)  # noqa: S311 - what a container says, not what it keeps secret
        container = Container(name, spec, at, random, state="created", memory=random.randint(18, 420) * 1024 * 1024)
        container.state = "running"
        self._here[spec.project, spec.name] = container
        self.images.setdefault(spec.image, at)
        return container

    # ---- one container ---------------------------------------------------------------------------------------------------------

    def start(self, container: Container) -> None:
        now = time.time()
        container.state, container.started, container.seen, container.code = "running", now, now, 0
        container.health = "starting" if container.spec.checked else ""
        container.say(now, [(False, f"starting {container.spec.image}")])
        self._emit("start", container)
        self._live(container)
        if container.spec.checked:
            self._spawn(self._judge(container, now))

    def stop(self, container: Container, code: int = 0, action: str = "stop") -> None:
        if container.state != "running":
            return
        usage(container)
        container.state, container.finished, container.code, container.health = "exited", time.time(), code, ""
        if container.voice is not None:
            container.voice.cancel()
        container.say(container.finished, [(False, "received SIGTERM, shutting down" if code in (0, 143) else "killed")])
        self._notify(container)
        self._emit("die", container, exitCode=str(code))
        self._emit(action, container)

    async def _judge(self, container: Container, started: float) -> None:
        await asyncio.sleep(1.4 * self._pace)
        if container.started != started or container.state != "running":
            return
        container.health = "unhealthy" if container.spec.ill else "healthy"
        if container.spec.ill:
            container.say(time.time(), [(True, f"[ERROR] health check: {container.spec.ill.partition(': ')[2]}")])
            self._notify(container)
        self._emit(f"health_status: {container.health}", container)

    def _live(self, container: Container) -> None:
        if container.voice is not None:
            container.voice.cancel()
        container.voice = self._spawn(self._speak(container))

    async def _speak(self, container: Container) -> None:
        speak, every = speaker(container.spec.image)
        while True:
            await asyncio.sleep(every * container.random.uniform(0.3, 1.7))
            now = time.time()
            container.say(now, speak(container.random, now))
            async with container.changed:
                container.changed.notify_all()

    def _notify(self, container: Container) -> None:
        async def tell() -> None:
            async with container.changed:
                container.changed.notify_all()

        self._spawn(tell())

    # ---- events ----------------------------------------------------------------------------------------------------------------

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(1000)
        self._listeners.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.discard(queue)

    def _emit(self, action: str, container: Container, **more: str) -> None:
        now = time.time()
        attributes = {**container.labels, "image": container.spec.image, "name": container.name, **more}
        event = {
            "status": action, "id": container.id, "from": container.spec.image, "Type": "container", "Action": action,
            "Actor": {"ID": container.id, "Attributes": attributes}, "time": int(now), "timeNano": int(now * 1e9),
        }  # fmt: skip
        for queue in self._listeners:
            if not queue.full():
                queue.put_nowait(event)

    def _spawn(self, work: Any) -> asyncio.Task[None]:  # noqa: ANN401 - a coroutine
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def usage(container: Container) -> tuple[float, int]:
    """(seconds of a processor that it ever used, bytes of memory now)."""
    now = time.time()
    if container.state == "running":
        container.cpu += max(0.0, now - container.seen) * _share(container) * container.random.uniform(0.4, 1.8)
        container.seen = now
        wobble = container.random.uniform(0.97, 1.04)
        return container.cpu, int(container.memory * wobble)
    return container.cpu, 0


def _share(container: Container) -> float:
    """How much of a processor it uses: some are busier."""
    return 0.002 + (int(container.id[:4], 16) % 60) / 1000


def _change(spec: ServiceSpec, change: str, why: str, old: str | None, new: str | None) -> dict[str, Any]:
    return {"project": spec.project, "service": spec.name, "change": change, "why": why, "old_image": old, "new_image": new}
