"""A program in a real pseudo-terminal, watched from outside."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.pairs import Failed

ESCAPES = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[PX^_].*?\x1b\\|\x1b.", re.S)
ANSWERS: Mapping[bytes, bytes] = {
    b"\x1b[c": b"\x1b[?62;22c",
    b"\x1b[0c": b"\x1b[?62;22c",
    b"\x1b[6n": b"\x1b[1;1R",
    b"\x1b[?2026$p": b"\x1b[?2026;2$y",
    b"\x1b[?2048$p": b"\x1b[?2048;0$y",
    b"\x1b]10;?": b"\x1b]10;rgb:ffff/ffff/ffff\x1b\\",
    b"\x1b]11;?": b"\x1b]11;rgb:0000/0000/0000\x1b\\",
}
"""Questions that programs ask a terminal and wait for, with a usual terminal's answers."""
FULL_SCREEN = b"\x1b[?1049h"
"""A program takes the alternate screen before it paints. What it prints without that is a complaint, not a picture."""
PAINTED = 20
"""Visible bytes that count as a painted screen."""


@dataclass(frozen=True, slots=True)
class Size:
    columns: int = 160
    rows: int = 50


def first_paint(command: Sequence[str], *, cwd: Path | None = None, size: Size = Size(), limit: float = 30.0) -> float:
    """Seconds from exec until the first visible text, then kills the program. Failed when it ends or the limit passes before."""
    gate_read, gate_write = os.pipe()
    pid, terminal = pty.fork()
    if pid == 0:
        # The child waits until the terminal has its size, so that it paints once.
        os.close(gate_write)
        os.read(gate_read, 1)
        if cwd is not None:
            os.chdir(cwd)
        os.execvpe(command[0], list(command), os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"})  # noqa: S606
    os.close(gate_read)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", size.rows, size.columns, 0, 0))
    started = time.perf_counter()
    os.close(gate_write)
    try:
        return _painted(terminal, started, limit)
    finally:
        _end(pid)
        os.close(terminal)


def _painted(terminal: int, started: float, limit: float) -> float:
    seen = b""
    while (left := started + limit - time.perf_counter()) > 0:
        if not select.select([terminal], [], [], left)[0]:
            break
        try:
            data = os.read(terminal, 1 << 16)
        except OSError:  # Linux: the other side is closed
            data = b""
        if not data:
            raise Failed(f"it ended before it painted:\n{ESCAPES.sub(b'', seen).decode(errors='replace')[-2000:]}")
        for question, answer in ANSWERS.items():
            if question in data:
                os.write(terminal, answer)
        seen += data
        if len(ESCAPES.sub(b"", seen.partition(FULL_SCREEN)[2]).strip()) > PAINTED:
            return time.perf_counter() - started
    raise Failed(f"nothing was painted in {limit:g} s:\n{ESCAPES.sub(b'', seen).decode(errors='replace')[-2000:]}")


def _end(pid: int) -> None:
    """Kills the program and what it started: pty.fork made it the leader of a session."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
