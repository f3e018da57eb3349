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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
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
KEY_LIMIT = 2.0
"""Seconds after which a key counts as not answered."""
BETWEEN_KEYS = 0.08
"""Seconds from an answered key to the next one."""


@dataclass(frozen=True, slots=True)
class Size:
    columns: int = 160
    rows: int = 50


@dataclass(frozen=True, slots=True)
class Idle:
    """What a program that is left alone uses."""

    cpu: float
    """Share of one core."""
    sent: float
    """Bytes a second to the terminal."""


@dataclass
class Watched:
    """A running program, the other end of its terminal, and what it has painted so far."""

    pid: int
    terminal: int
    started: float
    """`time.perf_counter()` at exec."""
    seen: bytearray = field(default_factory=bytearray)

    def painted(self, limit: float = 30.0) -> float:
        """Seconds from exec until the first visible text. Failed when it ends or the limit passes before."""
        self._until(lambda: len(self._visible(bytes(self.seen).partition(FULL_SCREEN)[2]).strip()) > PAINTED, limit, "a picture")
        return time.perf_counter() - self.started

    def shows(self, pattern: str, limit: float = 60.0) -> float:
        """Seconds from exec until the pattern was painted (its text in one piece, whatever the colours). Failed as above."""
        wanted = re.compile(pattern.encode())
        self._until(lambda: wanted.search(self._visible(bytes(self.seen))) is not None, limit, pattern)
        return time.perf_counter() - self.started

    def press(self, keys: bytes) -> None:
        os.write(self.terminal, keys)

    def answers(self, keys: Sequence[bytes]) -> list[float]:
        """Seconds from each key to the first byte that the program paints for it. Failed when it paints none for one of them."""
        found: list[float] = []
        for key in keys:
            self.quiet()
            before, pressed = len(self.seen), time.perf_counter()
            self.press(key)
            self._until(lambda: len(self.seen) > before, KEY_LIMIT, f"an answer to {key!r}")  # noqa: B023 - called before the next
            found.append(time.perf_counter() - pressed)
        return found

    def quiet(self, seconds: float = BETWEEN_KEYS) -> None:
        """Reads what comes for a while."""
        until = time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            self._read(left)

    def idle(self, seconds: float) -> Idle:
        cpu, size, at = self.cpu(), len(self.seen), time.perf_counter()
        self.quiet(seconds)
        spent = time.perf_counter() - at
        return Idle((self.cpu() - cpu) / spent, (len(self.seen) - size) / spent)

    def cpu(self) -> float:
        """Seconds of processor time of the program and what it started."""
        ticks = sum(int(fields[11]) + int(fields[12]) for fields in map(_stat, tree(self.pid)) if fields)
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Resident MiB of the program and what it started."""
        pages = sum(int(fields[21]) for fields in map(_stat, tree(self.pid)) if fields)
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def _until(self, done: Callable[[], bool], limit: float, what: str) -> None:
        until = time.perf_counter() + limit
        while not done():
            if (left := until - time.perf_counter()) <= 0:
                raise Failed(f"no sign of {what} in {limit:g} s:\n{self._last()}")
            self._read(left)

    def _read(self, wait: float) -> None:
        if not select.select([self.terminal], [], [], wait)[0]:
            return
        try:
            data = os.read(self.terminal, 1 << 16)
        except OSError:  # Linux: the other side is closed
            data = b""
        if not data:
            raise Failed(f"it ended:\n{self._last()}")
        for question, answer in ANSWERS.items():
            if question in data:
                os.write(self.terminal, answer)
        self.seen += data

    def _last(self) -> str:
        return self._visible(bytes(self.seen)).decode(errors="replace")[-2000:]

    @staticmethod
    def _visible(data: bytes) -> bytes:
        return ESCAPES.sub(b"", data)


@contextmanager
def watched(
    command: Sequence[str], *, cwd: Path | None = None, size: Size = Size(), environ: Mapping[str, str] | None = None
) -> Iterator[Watched]:
    """Runs a program in a terminal of that size; kills it, and what it started, at the end."""
    gate_read, gate_write = os.pipe()
    pid, terminal = pty.fork()
    if pid == 0:
        # The child waits until the terminal has its size, so that it paints once.
        os.close(gate_write)
        os.read(gate_read, 1)
        if cwd is not None:
            os.chdir(cwd)
        variables = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"} | dict(environ or {})
        os.execvpe(command[0], list(command), variables)  # noqa: S606
    os.close(gate_read)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", size.rows, size.columns, 0, 0))
    started = time.perf_counter()
    os.close(gate_write)
    try:
        yield Watched(pid, terminal, started)
    finally:
        _end(pid)
        os.close(terminal)


def first_paint(command: Sequence[str], *, cwd: Path | None = None, size: Size = Size(), limit: float = 30.0) -> float:
    """Seconds from exec until the first visible text, then kills the program. Failed when it ends or the limit passes before."""
    with watched(command, cwd=cwd, size=size) as program:
        return program.painted(limit)


def tree(pid: int) -> list[int]:
    """A process and all that it started."""
    found, todo = [], [pid]
    while todo:
        found.append(one := todo.pop())
        with suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                todo += map(int, (task / "children").read_text().split())
    return found


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name, from the state on; none when it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return []


def _end(pid: int) -> None:
    """Kills the program and what it started: pty.fork made it the leader of a session."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
