"""A file on its way to a storage: multipart/form-data in pieces, so that no image is ever in memory."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from secrets import token_hex

PIECE = 1 << 18
STALLED = 60.0
"""Seconds without a byte taken, or without an answer at the end."""


class Stopped(Exception):
    """Whoever asked for it has gone."""


class Upload:
    """POST /nodes/{node}/storage/{storage}/upload: fields first, the file last, as the node's own parser wants it."""

    def __init__(self, path: Path, size: int, name: str, fields: Mapping[str, str], told: Callable[[int], None]) -> None:
        self._path = path
        self._size = size
        self._told = told
        self.stop = threading.Event()
        self._boundary = token_hex(20)
        parts = [f'name="{field}"\r\n\r\n{value}' for field, value in fields.items()]
        parts.append(f'name="filename"; filename="{name}"\r\nContent-Type: application/octet-stream\r\n\r\n')
        between = f"\r\n--{self._boundary}\r\nContent-Disposition: form-data; "
        self._head = "".join(between + part for part in parts).removeprefix("\r\n").encode()
        self._tail = f"\r\n--{self._boundary}--\r\n".encode()

    def send(self, connection: http.client.HTTPSConnection, path: str, headers: Mapping[str, str]) -> None:
        """Up to the answer, which the caller reads: a node that refuses may say so while it is still being sent to."""
        connection.sock.settimeout(STALLED)
        connection.putrequest("POST", path)
        for name, value in headers.items():
            if name != "Content-Type":
                connection.putheader(name, value)
        connection.putheader("Content-Type", f"multipart/form-data; boundary={self._boundary}")
        connection.putheader("Content-Length", str(len(self._head) + self._size + len(self._tail)))
        connection.endheaders()
        try:
            self._pieces(connection)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            return

    def _pieces(self, connection: http.client.HTTPSConnection) -> None:
        connection.send(self._head)
        sent = 0
        with self._path.open("rb") as file:
            while piece := file.read(min(PIECE, self._size - sent)):
                if self.stop.is_set():
                    raise Stopped
                connection.send(piece)
                sent += len(piece)
                self._told(sent)
        if sent != self._size:
            raise Stopped
        connection.send(self._tail)
