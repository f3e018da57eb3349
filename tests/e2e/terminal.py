"""`cockpit demo` in a tmux window, and everything that it could leave behind."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

LONGEST = 60.0


def until(holds: Callable[[], bool], what: Callable[[], str]) -> None:
    end = time.monotonic() + LONGEST
    while not holds():
        assert time.monotonic() < end, what()
        time.sleep(0.1)


@dataclass
class Terminal:
    """One tmux server with one window; `folder` holds the TMPDIR and HOME of what runs in it."""

    folder: Path
    name: str = field(default_factory=lambda: f"demo-{uuid.uuid4().hex[:8]}")

    def tmux(self, *args: str) -> str:
        done = subprocess.run(["tmux", "-L", self.name, *args], capture_output=True, text=True, timeout=20, check=False)
        return done.stdout

    def run(self, *args: str, cols: int = 160, rows: int = 50) -> None:
        self.start(shlex.join([sys.executable, "-m", "cockpit", "demo", *args]), cols=cols, rows=rows)

    def start(self, command: str, *, cols: int = 160, rows: int = 50) -> None:
        """A command that opens the demo, as a person types it."""
        (self.folder / "tmp").mkdir(parents=True, exist_ok=True)
        (self.folder / "home").mkdir(exist_ok=True)
        script = (
            f"unset COLUMNS LINES; TMPDIR={self.folder}/tmp HOME={self.folder}/home {command}; echo ended: $?; exec sleep 600"
        )
        self.tmux("-f", os.devnull, "new-session", "-d", "-x", str(cols), "-y", str(rows), script)

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p")

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        self.tmux("send-keys", "-l", text)

    def shows(self, *words: str) -> None:
        until(lambda: all(word in self.screen() for word in words), lambda: f"no {words} in\n{self.screen()}")

    def pane(self, key: str, *words: str) -> None:
        """Goes to a pane, and waits until it says this."""
        self.press(key)
        self.shows(*words)

    @property
    def left(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "tmp").iterdir()) if (self.folder / "tmp").is_dir() else []

    @property
    def demo(self) -> Path:
        """The demo's own folder."""
        return next((self.folder / "tmp").glob("cockpit-demo-*"))

    @property
    def simulator(self) -> int:
        return self.processes()[0]

    @property
    def program(self) -> int:
        """The process of cockpit itself."""
        found = subprocess.run(["ps", "-o", "ppid=", "-p", str(self.simulator)], capture_output=True, text=True, check=True)
        return int(found.stdout)

    def processes(self, word: str = "cockpit.simulator") -> list[int]:
        """Processes with this word and our folder in their command line."""
        found = subprocess.run(["ps", "-ww", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout
        here = [line.split(None, 1) for line in found.splitlines() if word in line and str(self.folder) in line]
        return [int(pid) for pid, args in here if not args.startswith(("sh -c", "tmux", "/bin/sh"))]

    def ports(self) -> list[str]:
        """Addresses that its processes listen on."""
        listening = subprocess.run(["ss", "-Hlntup"], capture_output=True, text=True, check=True).stdout.splitlines()
        pids = (self.simulator, self.program)
        return [line.split()[4] for line in listening if any(f"pid={pid}," in line for pid in pids)]

    def leave(self) -> None:
        self.press("C-q")
        self.shows("ended: 0")
        self.nothing_left()

    def nothing_left(self) -> None:
        until(lambda: not self.processes() and not self.left, lambda: f"{self.processes()} {self.left}\n{self.screen()}")


@contextmanager
def terminals(count: int) -> Iterator[list[Terminal]]:
    """In a folder with a short path; afterwards nothing of them is there."""
    folder = Path(tempfile.mkdtemp(prefix="ck-"))
    made = [Terminal(folder / str(index)) for index in range(count)]
    try:
        yield made
    finally:
        for terminal in made:
            terminal.tmux("kill-server")
        for terminal in made:
            terminal.nothing_left()
        shutil.rmtree(folder)
