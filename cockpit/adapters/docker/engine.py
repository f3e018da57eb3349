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
from cockpit.adapters.docker.change import change
from cockpit.adapters.docker.parse import detail_from, memory_limit, service_from
from cockpit.adapters.docker.stream import log_chunks, open_stream
from cockpit.domain.containers import ContainerDetail, Lifecycle
from cockpit.domain.errors import CockpitError, Unreachable
from cockpit.domain.services import LogGap, LogItem, ServicesSnapshot, Usage
from cockpit.domain.text import plain
from cockpit.ports import Clock

if TYPE_CHECKING:
    import docker

T = TypeVar("T")
TIMEOUT = 10
MOST_CONTAINERS = 500
INSPECT_AGAIN = 30.0
HISTORY = 60.0
MOST_HISTORY = 100_000
"""Old lines of one container."""
QUEUE = 20_000
"""Log items that wait for the screen; then the oldest go, with a count."""
CHANGES = 4
"""Containers that are started or stopped at the same time: they have threads of their own, so that reading goes on."""


class DockerEngine:
    """`socket` gives the path of the engine's unix socket (for a remote one: of the local end of the forwarding)."""

    def __init__(self, host: str, socket: Callable[[], Awaitable[str]], clock: Clock) -> None:
        self._host = host
        self._socket = socket
        self._clock = clock
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix=f"docker-{host}")
        self._changing = ThreadPoolExecutor(max_workers=CHANGES, thread_name_prefix=f"docker-change-{host}")
        self._clients: dict[tuple[str, int], docker.APIClient] = {}
        self._inspected: dict[str, tuple[float, str, dict[str, Any]]] = {}
        self._samples: dict[str, tuple[float, float]] = {}

    async def _call(
        self, work: Callable[[docker.APIClient], T], *, deadline: float = TIMEOUT * 2, pool: ThreadPoolExecutor | None = None
    ) -> T:
        path = await self._socket()
        try:
            async with asyncio.timeout(deadline):
                return await asyncio.get_running_loop().run_in_executor(pool or self._pool, self._in_thread, path, work)
        except TimeoutError:
            raise Unreachable(
                f"the container engine of {self._host} does not answer",
                f"nothing within {deadline:.0f}s",
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
        services = [service_from(self._host, row, self._inspected[row["Id"]][2]) for row in rows if row["Id"] in self._inspected]
        services.sort(key=lambda s: (s.project, s.service, s.number))
        return ServicesSnapshot(self._host, now, tuple(services))

    def _stale(self, row: dict[str, Any], now: float) -> bool:
        known = self._inspected.get(row["Id"])
        return known is None or known[1] != _coarse(row) or now - known[0] > INSPECT_AGAIN

    # ---- one container --------------------------------------------------------------------------------------------------------

    async def container(self, container: str) -> ContainerDetail | None:
        data = await self._call(lambda api: _inspect(api, _known(container)))
        return detail_from(data) if data is not None else None

    async def change(self, container: str, verb: Lifecycle, *, grace: float) -> None:
        # the answer to a stop comes when it has stopped
        deadline = grace + TIMEOUT * 2
        await self._call(
            lambda api: change(api, self._host, _known(container), verb, grace), deadline=deadline, pool=self._changing
        )
        self._inspected.pop(container, None)

    async def history(self, containers: Sequence[str], *, since: float | None = None, tail: int | None = 200) -> list[LogItem]:
        reads = [self._old_lines(container, since, tail) for container in containers]
        try:
            async with asyncio.timeout(HISTORY):
                found = await asyncio.gather(*reads)
        except TimeoutError:
            raise Unreachable(f"the logs on {self._host} could not be read", f"no end within {HISTORY:.0f}s", "") from None
        return sorted((item for items in found for item in items), key=lambda item: item.time)

    async def _old_lines(self, container: str, since: float | None, tail: int | None) -> list[LogItem]:
        data = await self._call(lambda api: _inspect(api, _known(container)))
        if data is None:
            return [LogGap(self._host, "", "", self._clock.now(), "the container was removed", bad=False)]
        project, service, tty = _named(data)
        out: list[LogItem] = []
        reader, writer = await open_stream(await self._socket(), _log_path(container, _after(since), tail, follow=False))
        try:
            async for raw in log_chunks(reader, tty):
                now = self._clock.now()
                out += [lines.parse(self._host, project, service, err, line, now) for err, line in raw]
                if len(out) > MOST_HISTORY:
                    count = len(out) - MOST_HISTORY
                    text = f"more than {MOST_HISTORY:,} lines of {service}: older ones are left out"
                    out = [LogGap(self._host, project, service, out[count].time, text), *out[count + 1 :]]
        finally:
            writer.close()
        return out

    async def usage(self, containers: Sequence[str]) -> dict[str, Usage]:
        found = await self._call(lambda api: {c: _stats(api, c) for c in list(containers)[:MOST_CONTAINERS]})
        out: dict[str, Usage] = {}
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
            known = self._inspected.get(container)
            limit = memory_limit(known[2]) if known is not None else None
            out[container] = Usage(percent, max(0, int(memory.get("usage") or 0) - int(cache)), limit)
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

    async def _follow(self, container: str, since: float | None, tail: int, put: Callable[[list[LogItem]], None]) -> None:
        """One container's lines until cancelled; an exit is told, and a new start is followed from where it ended."""
        position = _after(since)
        while True:
            data = await self._call(lambda api: _inspect(api, _known(container)))
            if data is None:
                put([LogGap(self._host, "", "", self._clock.now(), "the container was removed", bad=False)])
                await asyncio.Event().wait()
            project, service, tty = _named(data or {})
            reader, writer = await open_stream(await self._socket(), _log_path(container, position, tail, follow=True))
            try:
                async for raw in log_chunks(reader, tty):
                    now = self._clock.now()
                    items: list[LogItem] = [lines.parse(self._host, project, service, err, line, now) for err, line in raw]
                    newest = max(item.time for item in items)
                    latest = max(line for (_, line), item in zip(raw, items, strict=True) if item.time == newest)
                    position = lines.after(latest) or position
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
                await asyncio.to_thread(self._changing.shutdown, wait=True, cancel_futures=True)
        for client in self._clients.values():
            client.close()
        self._clients.clear()


def _known(container: str) -> str:
    """Only what the engine itself called a container becomes part of a path."""
    if not re.fullmatch(r"[0-9a-f]{12,64}", container):
        raise CockpitError(f"{container!r} is no container id")
    return container


def _named(data: dict[str, Any]) -> tuple[str, str, bool]:
    """(project, service, whether it has a terminal)."""
    config = data.get("Config") or {}
    labels = config.get("Labels") or {}
    service = plain(labels.get("com.docker.compose.service", "")) or plain(str(data.get("Name", "")).lstrip("/"))
    return plain(labels.get("com.docker.compose.project", "")), service, bool(config.get("Tty"))


def _after(since: float | None) -> str | None:
    """The engine's `since` for what comes after a line that was told: times of lines are whole microseconds."""
    return None if since is None else f"{since + 1e-6:.6f}"


def _log_path(container: str, position: str | None, tail: int | None, *, follow: bool) -> str:
    start = "" if position is None else f"&since={position}"
    wanted = "all" if tail is None else tail
    return f"/v1.41/containers/{container}/logs?follow={int(follow)}&stdout=1&stderr=1&timestamps=1&tail={wanted}{start}"


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
