"""The Docker Engine API of one host: what cockpit asks, over any byte stream; anything else fails loudly."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from msgspec import Struct

from cockpit.simulator.containers import Container, Containers, image_id, usage
from cockpit.simulator.described import EPOCH, inspected, memory_limit, mounts, nanoseconds, probes, stamp

MOST_HEAD = 32 * 1024
_REASONS = {
    200: "OK",
    201: "Created",
    204: "No Content",
    304: "Not Modified",
    404: "Not Found",
    409: "Conflict",
    501: "Not Implemented",
}


class Reader(Protocol):
    async def readuntil(self, separator: bytes) -> bytes: ...
    async def readexactly(self, n: int) -> bytes: ...
    async def read(self, n: int = -1) -> bytes: ...


class Writer(Protocol):
    def write(self, data: bytes) -> None: ...
    async def drain(self) -> None: ...
    def close(self) -> None: ...


class Request(Struct, frozen=True):
    method: str
    path: str
    query: dict[str, str]
    body: bytes

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() in ("1", "true", "yes")


class Reply(Struct, frozen=True):
    status: int
    data: Any = None
    stream: AsyncIterator[bytes] | None = None


class Engine:
    def __init__(self, containers: Containers, say: Callable[[str], None]) -> None:
        self._containers = containers
        self._say = say

    async def serve(self, reader: Reader, writer: Writer) -> None:
        """One connection, until it ends."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *rest = head.split("\r\n")
                method, target, version = first.split(" ")
                headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in rest if ":" in line)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                url = urlsplit(target)
                query = {key: values[-1] for key, values in parse_qs(url.query, keep_blank_values=True).items()}
                path = re.sub(r"^/v\d+\.\d+(?=/)", "", unquote(url.path))
                reply = self.answer(Request(method, path, query, body))
                keep = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
                if reply.stream is not None:
                    await self._stream(reader, writer, reply.stream, chunked=version == "HTTP/1.1")
                    return
                _write(writer, reply, keep)
                await writer.drain()
                if not keep:
                    return
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, BrokenPipeError, ValueError):
            return
        finally:
            with contextlib.suppress(Exception):
                writer.close()

    async def _stream(self, reader: Reader, writer: Writer, source: AsyncIterator[bytes], *, chunked: bool) -> None:
        """Until the source ends or the other side has gone away, which only reading tells."""
        kind = "Transfer-Encoding: chunked" if chunked else "Connection: close"
        writer.write(
            f"HTTP/1.{int(chunked)} 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n{kind}\r\n\r\n".encode()
        )

        async def copy() -> None:
            async for data in source:
                writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n" if chunked else data)
                await writer.drain()
            if chunked:
                writer.write(b"0\r\n\r\n")
                await writer.drain()

        copying = asyncio.ensure_future(copy())
        gone = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({copying, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            copying.cancel()
            gone.cancel()
            await asyncio.gather(copying, gone, return_exceptions=True)

    # ---- what it answers -------------------------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Reply:
        match request.method, request.path.strip("/").split("/"):
            case "GET" | "HEAD", ["_ping"]:
                return Reply(200, "OK")
            case "GET", ["version"]:
                return Reply(200, {"Version": "28.5.2-simulated", "ApiVersion": "1.51", "MinAPIVersion": "1.24", "Os": "linux"})
            case "GET", ["info"]:
                return Reply(200, self._info())
            case "GET", ["containers", "json"]:
                return Reply(200, self.rows(everything=request.flag("all"), filters=request.query.get("filters", "")))
            case "GET", ["images", "json"]:
                return Reply(200, self._images())
            case "GET", ["images", *words] if words and words[-1] == "json":
                return self._image("/".join(words[:-1]))
            case "GET", ["events"]:
                return Reply(200, stream=self._events())
            case method, ["containers", word, verb]:
                container = self._containers.find(word)
                if container is None:
                    return Reply(404, {"message": f"No such container: {word}"})
                return self._container(method, verb, container, request)
        return self._unknown(request)

    def _unknown(self, request: Request) -> Reply:
        text = f"the simulated engine does not know {request.method} {request.path}"
        self._say(text)
        return Reply(501, {"message": text})

    def _container(self, method: str, verb: str, container: Container, request: Request) -> Reply:
        running = container.state == "running"
        match method, verb:
            case "GET", "json":
                return Reply(200, _inspected(container))
            case "GET", "stats":
                return Reply(200, _stats(container))
            case "GET", "logs":
                return Reply(200, stream=_logs(container, request))
            case "POST", "start":
                if running:
                    return Reply(304)
                self._containers.start(container)
                return Reply(204)
            case "POST", "stop":
                if not running:
                    return Reply(304)
                self._containers.stop(container)
                return Reply(204)
            case "POST", "restart":
                self._containers.stop(container)
                self._containers.start(container)
                return Reply(204)
            case "POST", "kill":
                if not running:
                    return Reply(409, {"message": f"container {container.id} is not running"})
                self._containers.stop(container, code=137, action="kill")
                return Reply(204)
        return self._unknown(request)

    def rows(self, *, everything: bool = True, filters: str = "") -> list[dict[str, Any]]:
        try:
            wanted = json.loads(filters or "{}")
            labels, ids = _words(wanted.get("label")), _words(wanted.get("id"))
        except (ValueError, AttributeError):
            labels, ids = [], []
        rows = []
        for container in self._containers.all:
            own = container.labels
            if not (everything or container.state == "running"):
                continue
            if any(own.get(k) is None or (v and own[k] != v) for k, _, v in (label.partition("=") for label in labels)):
                continue
            if ids and not any(container.id.startswith(word) for word in ids):
                continue
            rows.append(_row(container))
        return rows

    def _info(self) -> dict[str, Any]:
        here = self._containers.all
        running = sum(c.state == "running" for c in here)
        return {
            "Containers": len(here), "ContainersRunning": running, "ContainersStopped": len(here) - running,
            "Images": len(self._containers.images), "Name": self._containers.host, "ServerVersion": "28.5.2-simulated",
            "NCPU": 4, "MemTotal": 16 * 1024**3, "OperatingSystem": "NixOS (simulated)",
        }  # fmt: skip

    def _images(self) -> list[dict[str, Any]]:
        used = {c.spec.image for c in self._containers.all}
        return [
            {
                "Id": image_id(name), "RepoTags": [name], "RepoDigests": [_digest(name)], "Created": int(at - 9 * 86400),
                "Size": _size(name), "Containers": int(name in used), "Labels": {}, "ParentId": "", "SharedSize": -1,
            }
            for name, at in self._containers.images.items()
        ]  # fmt: skip

    def _image(self, word: str) -> Reply:
        for name in self._containers.images:
            if word in (name, image_id(name)) or image_id(name).removeprefix("sha256:").startswith(word):
                data = {"Id": image_id(name), "RepoTags": [name], "RepoDigests": [_digest(name)], "Size": _size(name)}
                return Reply(200, data | {"Created": EPOCH, "Os": "linux", "Architecture": "amd64", "Config": {"Labels": {}}})
        return Reply(404, {"message": f"No such image: {word}"})

    async def _events(self) -> AsyncIterator[bytes]:
        async for event in self._containers.events():
            yield json.dumps(event).encode() + b"\n"


def _words(value: object) -> list[str]:
    """Filters come as a list, or as a mapping to true."""
    return [str(word) for word in value] if isinstance(value, list | dict) else []


def _write(writer: Writer, reply: Reply, keep: bool) -> None:
    body = b"" if reply.data is None else reply.data.encode() if isinstance(reply.data, str) else json.dumps(reply.data).encode()
    kind = "text/plain" if isinstance(reply.data, str) else "application/json"
    head = f"HTTP/1.1 {reply.status} {_REASONS[reply.status]}\r\nContent-Type: {kind}\r\n"
    head += f"Connection: {'keep-alive' if keep else 'close'}\r\n"
    if reply.status not in (204, 304):
        head += f"Content-Length: {len(body)}\r\n"
    writer.write(f"{head}\r\n".encode() + body)


def _digest(image: str) -> str:
    return f"{image.rpartition(':')[0]}@{image_id(image + ' digest')}"


def _size(image: str) -> int:
    return 20_000_000 + int(image_id(image)[-6:], 16) * 60


def _row(container: Container) -> dict[str, Any]:
    return {
        "Id": container.id, "Names": [f"/{container.name}"], "Command": "/entrypoint",
        "Image": container.spec.image, "ImageID": image_id(container.spec.image),
        "Created": int(container.created), "State": container.state, "Status": container.status,
        "Labels": container.labels, "Mounts": mounts(container), "NetworkSettings": {"Networks": {}},
        "Ports": [{"IP": "127.0.0.1", "PrivatePort": p, "PublicPort": p, "Type": "tcp"} for p in container.spec.ports],
    }  # fmt: skip


def _inspected(container: Container) -> dict[str, Any]:
    running = container.state == "running"
    state: dict[str, Any] = {
        "Status": container.state, "Running": running, "Paused": False, "Restarting": False, "OOMKilled": False, "Dead": False,
        "Pid": 1000 + int(container.id[:4], 16) if running else 0, "ExitCode": container.code, "Error": "",
        "StartedAt": stamp(container.started), "FinishedAt": stamp(container.finished),
    }  # fmt: skip
    if container.spec.checked:
        log = probes(container)
        failing = len(log) if container.health == "unhealthy" else 0
        state["Health"] = {"Status": container.health or "none", "FailingStreak": failing, "Log": log}
    return inspected(container) | {
        "Id": container.id, "Name": f"/{container.name}", "Created": stamp(container.created),
        "State": state, "Image": image_id(container.spec.image), "RestartCount": container.restarts, "Driver": "overlay2",
    }  # fmt: skip


def _stats(container: Container) -> dict[str, Any]:
    seconds, memory = usage(container)
    if limit := memory_limit(container):
        memory = min(memory, limit * 3 // 4)
    if container.state != "running":
        return {"id": container.id, "name": f"/{container.name}", "cpu_stats": {}, "memory_stats": {}}
    return {
        "id": container.id, "name": f"/{container.name}",
        "cpu_stats": {"cpu_usage": {"total_usage": int(seconds * 1e9)}, "online_cpus": 4},
        "memory_stats": {"usage": memory + 4_000_000, "stats": {"inactive_file": 4_000_000}, "limit": limit or 16 * 1024**3},
    }  # fmt: skip


async def _logs(container: Container, request: Request) -> AsyncIterator[bytes]:
    """Frames as the engine multiplexes them; following, until the container ends."""
    since = _since(request.query.get("since") or "0")
    tail = request.query.get("tail", "all")
    wanted = {False: request.flag("stdout"), True: request.flag("stderr")}
    seen = container.said
    lines = [line for line in container.lines if nanoseconds(line[0]) >= since and wanted[line[1]]]
    if tail.isdigit():
        lines = lines[max(0, len(lines) - int(tail)) :]
    if lines:
        yield b"".join(_frame(line, request.flag("timestamps")) for line in lines)
    while request.flag("follow") and (container.state == "running" or seen < container.said):
        async with container.changed:
            if seen >= container.said:
                await container.changed.wait()
        fresh = min(container.said - seen, len(container.lines))
        seen = container.said
        lines = [line for line in list(container.lines)[len(container.lines) - fresh :] if wanted[line[1]]]
        if lines:
            yield b"".join(_frame(line, request.flag("timestamps")) for line in lines)


def _since(text: str) -> int:
    """Nanoseconds of `seconds.fraction`, digit by digit as the engine reads it: floats would tell a line twice."""
    whole, _, fraction = text.partition(".")
    return int(whole) * 10**9 + int(fraction[:9].ljust(9, "0"))


def _frame(line: tuple[float, bool, str], stamped: bool) -> bytes:
    at, err, text = line
    payload = (f"{stamp(at)} {text}\n" if stamped else f"{text}\n").encode()
    return bytes([1 + err, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload
