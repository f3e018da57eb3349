"""The audit log: JSON lines, append-only, readable by its owner only."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

TAIL = 4 * 1024 * 1024


class FileAuditLog:
    """ports.AuditLog in a file ($XDG_STATE_HOME/cockpit/audit.jsonl)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[tuple[int, int, int], list[dict[str, Any]]] | None = None
        """(size, time of the last write, limit) and what was read then: panes ask every second."""

    def append(self, record: dict[str, Any]) -> None:
        """One write of one line, so that lines of several cockpits never mix. A log that cannot be written stops nothing."""
        line = json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                size = os.fstat(descriptor).st_size
                # a line that a crash or a full disk cut off must not swallow this one
                cut = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
                os.write(descriptor, b"\n" * cut + line.encode())
            finally:
                os.close(descriptor)
        except OSError:
            return

    def records(self, limit: int = 500) -> list[dict[str, Any]]:
        """The newest records, oldest first; lines that are damaged are left out."""
        try:
            stat = self._path.stat()
            now = (stat.st_size, stat.st_mtime_ns, limit)
            if self._read is not None and self._read[0] == now:
                return self._read[1]
            with self._path.open("rb") as file:
                file.seek(0, os.SEEK_END)
                start = max(0, file.tell() - TAIL)
                file.seek(start)
                lines = file.read().splitlines()[1 if start else 0 :]
        except OSError:
            return []
        if limit <= 0:
            return []
        found: list[dict[str, Any]] = []
        for line in lines[-limit:]:
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(record, dict):
                found.append(record)
        self._read = now, found
        return found
