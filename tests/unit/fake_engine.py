"""As much of a Docker engine's API on a unix socket as cockpit asks for."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit


def ident(letter: str) -> str:
    return letter * 64


class FakeEngine:
    """Containers by id; logs and events are queues of bytes that end with None."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "docker.sock")
        self.containers: dict[str, dict[str, Any]] = {}
        self.logs: dict[str, asyncio.Queue[bytes | None]] = {}
        self.events: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.asked: list[str] = []
        self.broken: dict[str, int] = {}
        """Path pattern -> status that it answers with."""
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[Any]] = set()

    def add(self, letter: str, project: str, service: str, **state: Any) -> str:  # noqa: ANN401 - JSON
        labels = {"com.docker.compose.project": project, "com.docker.compose.service": service} if project else {}
        self.containers[ident(letter)] = {
            "Id": ident(letter),
            "Name": f"/{project}-{service}-1",
            "RestartCount": 0,
            "Config": {"Image": "app:1@sha256:00", "Labels": labels, "Tty": False},
            "HostConfig": {"RestartPolicy": {"Name": "unless-stopped"}},
            "State": {
                "Status": "running",
                "Running": True,
                "StartedAt": "2026-11-23T07:00:00Z",
                "FinishedAt": "2026-11-23T08:00:00Z",
                "ExitCode": 0,
            }
            | state,
        }
        self.logs[ident(letter)] = asyncio.Queue()
        return ident(letter)

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving)
        Path(self.path).unlink(missing_ok=True)

    def count(self, pattern: str) -> int:
        return sum(bool(re.search(pattern, path)) for path in self.asked)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._answer(head.split()[1].decode(), writer)
                if b"HTTP/1.0" in head:
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._serving.discard(task)
            writer.close()

    async def _answer(self, target: str, writer: asyncio.StreamWriter) -> None:
        self.asked.append(target)
        path = urlsplit(target).path.removeprefix("/v1.41")
        status = next((code for pattern, code in self.broken.items() if re.search(pattern, path)), 200)
        container = self.containers.get((re.findall(r"[0-9a-f]{64}", path) or [""])[0])
        if status != 200:
            self._json(writer, status, {"message": "broken \x1b[2J"})
        elif path == "/containers/json":
            self._json(writer, 200, [_row(c) for c in self.containers.values()])
        elif path == "/events":
            await self._stream(writer, self.events)
        elif container is None:
            self._json(writer, 404, {"message": "No such container"})
        elif path.endswith("/json"):
            self._json(writer, 200, container)
        elif path.endswith("/stats"):
            self._json(writer, 200, container.get("stats", {}))
        elif path.endswith("/logs"):
            assert parse_qs(urlsplit(target).query)["follow"] == ["1"]
            await self._stream(writer, self.logs[container["Id"]])
        await writer.drain()

    @staticmethod
    def _json(writer: asyncio.StreamWriter, status: int, data: object) -> None:
        body = json.dumps(data).encode()
        writer.write(
            f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        )

    @staticmethod
    async def _stream(writer: asyncio.StreamWriter, queue: asyncio.Queue[bytes | None]) -> None:
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n")
        await writer.drain()
        while (part := await queue.get()) is not None:
            writer.write(part)
            await writer.drain()


def _row(container: dict[str, Any]) -> dict[str, Any]:
    return {
        "Id": container["Id"],
        "Labels": container["Config"]["Labels"],
        "State": container["State"]["Status"],
        "Status": container.get("Status", "Up 2 hours"),
        "ImageID": "sha256:1",
        "Image": "app:1",
        "Ports": [{"PublicPort": 8080}, {"PublicPort": 8080}, {"PrivatePort": 1}],
    }
