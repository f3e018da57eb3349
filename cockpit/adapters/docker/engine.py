"""ports.ContainerEngine: bounded calls by the docker SDK in a small thread pool, endless streams by asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from cockpit.adapters.docker import lines
from cockpit.adapters.docker.stream import log_chunks, open_stream
from cockpit.domain.errors import CockpitError, Unreachable
from cockpit.domain.services import Health, LogGap, LogItem, Service, ServicesSnapshot, State
from cockpit.domain.text import plain
from cockpit.ports import Clock

if TYPE_CHECKING:
    import docker

T = TypeVar("T")
TIMEOUT = 10
MOST_CONTAINERS = 500
INSPECT_AGAIN = 30.0
RECENT = 30.0
"""Seconds that the lines of one container may take which are there already."""
QUEUE = 20_000
"""Log items that wait for the screen; then the oldest go, with a count."""
_HEALTH = {"healthy": Health.HEALTHY, "unhealthy": Health.UNHEALTHY, "starting": Health.STARTING}


class DockerEngine:
    """`socket` gives the path of the engine's unix socket (for a remote one: of the local end of the forwarding)."""

    def __init__(self, host: str, socket: Callable[[], Awaitable[str]], clock: Clock) -> None:
        self._host = host
        self._socket = socket
        self._clock = clock
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix=f"docker-{host}")
        self._clients: dict[tuple[str, int], docker.APIClient] = {}
        self._inspected: dict[str, tuple[float, str, dict[str, Any]]] = {}
        self._samples: dict[str, tuple[float, float]] = {}

    async def _call(self, work: Callable[[docker.APIClient], T]) -> T:
        path = await self._socket()
        try:
            async with asyncio.timeout(TIMEOUT * 2):
                return await asyncio.get_running_loop().run_in_executor(self._pool, self._in_thread, path, work)
        except TimeoutError:
            raise Unreachable(
                f"the container engine of {self._host} does not answer",
                f"nothing within {TIMEOUT * 2}s",
                "systemctl status docker",
            ) from None

    def _in_thread(self, path: str, work: Callable[[docker.APIClient], T]) -> T:
        import threading

        import docker
        import docker.errors
        import requests

        key = (path, threading.get_ident())  # a session is never shared between threads
        try:
            if key not in self._clients:
                self._clients[key] = docker.APIClient(base_url=f"unix://{path}", timeout=TIMEOUT, version="1.41")
            return work(self._clients[key])
        except (requests.RequestException, docker.errors.DockerException, OSError) as error:
            if (broken := self._clients.pop(key, None)) is not None:
                broken.close()
            if isinstance(error, docker.errors.APIError):
                raise CockpitError(
                    f"the container engine of {self._host} refuses", plain(str(error.explanation or error))
                ) from None
            raise Unreachable(
                f"the container engine of {self._host} cannot be reached",
                plain(str(error))[:200],
                "systemctl status docker; is the user in the group docker?",
            ) from None

    # ---- snapshots ------------------------------------------------------------------------------------------------------------

    async def services(self) -> ServicesSnapshot:
        now = self._clock.now()
        rows = await self._call(lambda api: api.containers(all=True))
        rows = [row for row in rows if (row.get("Labels") or {}).get("com.docker.compose.oneoff", "False") != "True"][
            :MOST_CONTAINERS
        ]
        wanted = [row["Id"] for row in rows if self._stale(row, now)]
        if wanted:
            found = await self._call(lambda api: [_inspect(api, container) for container in wanted])
            states = {row["Id"]: _coarse(row) for row in rows}
            for container, data in zip(wanted, found, strict=True):
                if data is not None:
                    self._inspected[container] = (now, states[container], data)
        here = {row["Id"] for row in rows}
        self._inspected = {k: v for k, v in self._inspected.items() if k in here}
        services = [self._service(row, self._inspected[row["Id"]][2]) for row in rows if row["Id"] in self._inspected]
        services.sort(key=lambda s: (s.project, s.service, s.number))
        return ServicesSnapshot(self._host, now, tuple(services))

    def _stale(self, row: dict[str, Any], now: float) -> bool:
        known = self._inspected.get(row["Id"])
        return known is None or known[1] != _coarse(row) or now - known[0] > INSPECT_AGAIN

    def _service(self, row: dict[str, Any], data: dict[str, Any]) -> Service:
        labels = row.get("Labels") or {}
        state = data.get("State") or {}
        name = plain(str(data.get("Name", "")).lstrip("/"))
        policy = ((data.get("HostConfig") or {}).get("RestartPolicy") or {}).get("Name") or "no"
        running = state.get("Status") in ("running", "restarting", "paused")
        try:
            status = State(state.get("Status", "dead"))
        except ValueError:
            status = State.DEAD
        return Service(
            host=self._host,
            project=plain(labels.get("com.docker.compose.project", "")),
            service=plain(labels.get("com.docker.compose.service", "")) or name,
            container=row["Id"],
            name=name,
            image=plain(str((data.get("Config") or {}).get("Image") or row.get("Image", ""))).partition("@")[0],
            image_id=plain(str(row.get("ImageID", ""))),
            state=status,
            health=_HEALTH.get((state.get("Health") or {}).get("Status", ""), Health.NONE),
            since=lines.stamp(str(state.get("StartedAt" if running else "FinishedAt", ""))),
            restarts=int(data.get("RestartCount") or 0),
            exit_code=None if running and not data.get("RestartCount") else state.get("ExitCode"),
            oom=bool(state.get("OOMKilled")),
            ports=tuple(sorted({int(p["PublicPort"]) for p in row.get("Ports") or () if p.get("PublicPort")})),
            oneshot=policy in ("no", "on-failure"),
            owned=bool(labels.get("com.docker.compose.project")),
            number=int(labels.get("com.docker.compose.container-number") or 1),
        )

    async def usage(self, containers: Sequence[str]) -> dict[str, tuple[float, int]]:
        found = await self._call(lambda api: {c: _stats(api, c) for c in list(containers)[:MOST_CONTAINERS]})
        out: dict[str, tuple[float, int]] = {}
        for container, data in found.items():
            if not data:
                continue
            cpu = float(((data.get("cpu_stats") or {}).get("cpu_usage") or {}).get("total_usage") or 0) / 1e9
            now = self._clock.monotonic()
            before = self._samples.get(container)
            self._samples[container] = (now, cpu)
            percent = max(0.0, (cpu - before[1]) / (now - before[0]) * 100) if before and now > before[0] else 0.0
            memory = data.get("memory_stats") or {}
            details = memory.get("stats") or {}
            cache = details.get("inactive_file", details.get("total_inactive_file", 0)) or 0
            out[container] = (percent, max(0, int(memory.get("usage") or 0) - int(cache)))
        self._samples = {k: v for k, v in self._samples.items() if k in out}
        return out

    # ---- streams --------------------------------------------------------------------------------------------------------------

    async def changes(self) -> AsyncIterator[str]:
        filters = quote(json.dumps({"type": ["container"]}))
        reader, writer = await open_stream(await self._socket(), f"/v1.41/events?filters={filters}")
        try:
            while line := await reader.readline():
                try:
                    event = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if isinstance(event, dict) and not str(event.get("Action", "")).startswith("exec_"):
                    container = str(event.get("id", ""))
                    self._inspected.pop(container, None)
                    yield container
        except (OSError, ValueError) as error:
            raise Unreachable(f"the container engine of {self._host} went away", str(error)) from None
        finally:
            writer.close()
        raise Unreachable(f"the container engine of {self._host} went away", "its event stream ended")

    async def logs(
        self, containers: Sequence[str], *, since: float | None = None, tail: int = 200
    ) -> AsyncIterator[list[LogItem]]:
        waiting: list[LogItem] = []
        dropped: dict[str, int] = {}
        ready = asyncio.Event()

        def put(items: list[LogItem]) -> None:
            waiting.extend(items)
            over = len(waiting) - QUEUE
            if over > 0:
                for item in waiting[:over]:
                    dropped[item.service] = dropped.get(item.service, 0) + 1
                del waiting[:over]
            ready.set()

        tasks = [asyncio.ensure_future(self._follow(container, since, tail, put)) for container in containers]
        for task in tasks:
            task.add_done_callback(lambda _: ready.set())  # one that fails must be heard
        try:
            while tasks:
                await ready.wait()
                ready.clear()
                gaps: list[LogItem] = [
                    LogGap(self._host, "", service, self._clock.now(), f"{count:,} lines of {service} dropped, oldest first")
                    for service, count in dropped.items()
                ]
                dropped.clear()
                batch, waiting[:] = gaps + waiting, []
                if batch:
                    if len(tasks) > 1:
                        batch.sort(key=lambda item: item.time)
                    yield batch
                for task in tasks:
                    if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                        raise error
                await asyncio.sleep(0.02)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def recent(self, container: str, *, since: float | None = None, tail: int = 200) -> list[LogItem]:
        data = await self._call(lambda api: _inspect(api, _id(container)))
        if data is None:
            return []
        project, service, tty = _named(data)
        found: list[LogItem] = []
        try:
            async with asyncio.timeout(RECENT):
                reader, writer = await self._lines(container, since, tail, follow=False)
                try:
                    async for raw in log_chunks(reader, tty):
                        now = self._clock.now()
                        found += [lines.parse(self._host, project, service, err, line, now) for err, line in raw]
                finally:
                    writer.close()
        except (TimeoutError, OSError, ValueError) as error:
            raise Unreachable(f"the container engine of {self._host} does not answer", str(error) or "timed out") from None
        return found[-tail:]

    async def _lines(
        self, container: str, since: float | None, tail: int, *, follow: bool
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        position = f"&since={since + 1e-6:.6f}" if since is not None else ""
        query = f"follow={int(follow)}&stdout=1&stderr=1&timestamps=1&tail={tail}{position}"
        return await open_stream(await self._socket(), f"/v1.41/containers/{container}/logs?{query}")

    async def _follow(self, container: str, since: float | None, tail: int, put: Callable[[list[LogItem]], None]) -> None:
        """One container's lines until cancelled; an exit is told, and a new start is followed from where it ended."""
        last = since
        while True:
            data = await self._call(lambda api: _inspect(api, _id(container)))
            if data is None:
                put([LogGap(self._host, "", "", self._clock.now(), "the container was removed", bad=False)])
                await asyncio.Event().wait()
            project, service, tty = _named(data or {})
            reader, writer = await self._lines(container, last, tail, follow=True)
            try:
                async for raw in log_chunks(reader, tty):
                    now = self._clock.now()
                    items: list[LogItem] = [lines.parse(self._host, project, service, err, line, now) for err, line in raw]
                    last = max((item.time for item in items), default=last or now)
                    put(items)
            finally:
                writer.close()
            data = await self._call(lambda api: _inspect(api, container))
            state = (data or {}).get("State") or {}
            if data is not None and not state.get("Running"):
                code = state.get("ExitCode")
                reason = ", out of memory" if state.get("OOMKilled") else ""
                put([LogGap(self._host, project, service, self._clock.now(), f"{service} exited: {code}{reason}", bad=code != 0)])
            tail = 100_000
            # a start that ended again between two looks counts too: its lines say why
            while data is not None and not _began(data, state):
                await asyncio.sleep(1)
                data = await self._call(lambda api: _inspect(api, container))

    async def close(self) -> None:
        # a call that still runs would leave its socket open behind us; one that hangs is not waited for
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)
        for client in self._clients.values():
            client.close()
        self._clients.clear()


def _id(container: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{12,64}", container):
        raise CockpitError(f"{container!r} is no container id")
    return container


def _named(data: dict[str, Any]) -> tuple[str, str, bool]:
    """Project, service (else the container's own name), and whether it writes to a terminal."""
    config = data.get("Config") or {}
    labels = config.get("Labels") or {}
    service = plain(labels.get("com.docker.compose.service", "")) or plain(str(data.get("Name", "")).lstrip("/"))
    return plain(labels.get("com.docker.compose.project", "")), service, bool(config.get("Tty"))


def _began(data: dict[str, Any], before: dict[str, Any]) -> bool:
    now = data.get("State") or {}
    return bool(now.get("Running")) or now.get("StartedAt") != before.get("StartedAt")


def _coarse(row: dict[str, Any]) -> str:
    """What of a list row means that a container must be looked at again: not its age in words."""
    status = str(row.get("Status", ""))
    health = status.partition("(")[2] if "(" in status else ""
    young = "second" in status
    return f"{row.get('State')} {health} {young}"


def _inspect(api: docker.APIClient, container: str) -> dict[str, Any] | None:
    import docker.errors

    try:
        data: dict[str, Any] = api.inspect_container(container)
    except docker.errors.NotFound:
        return None
    return data


def _stats(api: docker.APIClient, container: str) -> dict[str, Any]:
    import docker.errors

    try:
        data: dict[str, Any] = api.stats(container, stream=False, one_shot=True)
    except (docker.errors.APIError, ValueError):
        return {}
    return data
