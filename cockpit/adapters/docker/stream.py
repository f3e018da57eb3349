"""Endless answers of the engine (logs, events), by asyncio from its unix socket: a blocked SDK thread cannot be cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from cockpit.domain.errors import CockpitError, Unreachable
from cockpit.domain.text import plain

CONNECT = 10.0
LONGEST_LINE = 64 * 1024
CHUNK = 1 << 17


async def open_stream(socket: str, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """GET path; the reader stands behind the head. HTTP/1.0, so that the body comes as it is, without chunks."""
    try:
        async with asyncio.timeout(CONNECT):
            reader, writer = await asyncio.open_unix_connection(socket, limit=1 << 20)
            try:
                writer.write(f"GET {path} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
                await writer.drain()
                head = await reader.readuntil(b"\r\n\r\n")
                status = head.split(None, 2)[1:2]
                if status != [b"200"]:
                    body = await reader.read(2000)
                    raise CockpitError(
                        "the container engine refuses",
                        plain(body.decode("utf-8", "replace").strip()) or head[:80].decode("latin-1"),
                    )
            except BaseException:
                writer.close()
                raise
    except TimeoutError:
        raise Unreachable(
            "the container engine does not answer", f"nothing within {CONNECT:.0f}s", "systemctl status docker"
        ) from None
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, IndexError) as error:
        raise Unreachable("the container engine cannot be reached", str(error), "systemctl status docker") from None
    return reader, writer


async def log_chunks(reader: asyncio.StreamReader, tty: bool) -> AsyncIterator[list[tuple[bool, bytes]]]:
    """(is standard error, line) in batches, as many as came at once. Frames are 8 bytes (stream, 0 0 0, length) and a payload."""
    rest = {False: b"", True: b""}
    buffer = b""
    while True:
        try:
            data = await reader.read(CHUNK)
        except OSError:
            data = b""
        if not data:
            tail = [(err, line) for err, line in rest.items() if line]
            if tail:
                yield tail
            return
        batch: list[tuple[bool, bytes]] = []
        if tty:
            _cut(rest, False, data, batch)
        else:
            buffer += data
            at, size = 0, len(buffer)
            while size - at >= 8:
                length = int.from_bytes(buffer[at + 4 : at + 8], "big")
                if size - at - 8 < length:
                    break
                _cut(rest, buffer[at] == 2, buffer[at + 8 : at + 8 + length], batch)
                at += 8 + length
            buffer = buffer[at:]
        if batch:
            yield batch


def _cut(rest: dict[bool, bytes], stderr: bool, data: bytes, batch: list[tuple[bool, bytes]]) -> None:
    """Whole lines into the batch; a line that never ends is cut at LONGEST_LINE."""
    lines = (rest[stderr] + data).split(b"\n")
    rest[stderr] = lines.pop()
    if len(rest[stderr]) > LONGEST_LINE:
        lines.append(rest[stderr])
        rest[stderr] = b""
    batch.extend((stderr, line) for line in lines)
