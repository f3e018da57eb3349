"""Lines that a person wants to keep, into a new file of their own."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Sequence
from pathlib import Path

from cockpit.domain.errors import OperationFailed
from cockpit.domain.text import plain

TRIES = 20


async def save_lines(folder: Path, name: str, lines: Sequence[str]) -> Path:
    """Writes `NAME.log`, or `NAME-2.log` where that is there: nothing is ever overwritten. OperationFailed."""
    return await asyncio.to_thread(_save, folder, re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "lines", lines)


def _save(folder: Path, name: str, lines: Sequence[str]) -> Path:
    for number in range(1, TRIES):
        path = folder / (f"{name}.log" if number == 1 else f"{name}-{number}.log")
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        except OSError as error:
            raise OperationFailed(f"{path} cannot be written", error.strerror or "", "start cockpit in another folder") from None
        with open(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.writelines(f"{plain(line)}\n" for line in lines)
        return path
    raise OperationFailed(f"{folder / name}.log is there already", f"and {TRIES - 2} more of that name")
