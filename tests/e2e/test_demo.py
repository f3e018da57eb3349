"""`cockpit demo` in a real terminal: it opens, it deploys, and it leaves nothing behind, whichever way it ends."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

LONGEST = 60.0

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]


def until(holds: Callable[[], bool], what: Callable[[], str]) -> None:
    end = time.monotonic() + LONGEST
    while not holds():
        assert time.monotonic() < end, what()
        time.sleep(0.1)


@dataclass
class Terminal:
    """One tmux server with one window; `folder` is the TMPDIR and HOME of what runs in it."""

    folder: Path
    name: str = field(default_factory=lambda: f"demo-{uuid.uuid4().hex[:8]}")

    def tmux(self, *args: str) -> str:
        done = subprocess.run(["tmux", "-L", self.name, *args], capture_output=True, text=True, timeout=20, check=False)
        return done.stdout

    def run(self, *args: str) -> None:
        (self.folder / "tmp").mkdir(parents=True)
        (self.folder / "home").mkdir()
        command = shlex.join([sys.executable, "-m", "cockpit", "demo", *args])
        script = f"TMPDIR={self.folder}/tmp HOME={self.folder}/home {command}; echo ended: $?; exec sleep 600"
        self.tmux("-f", os.devnull, "new-session", "-d", "-x", "160", "-y", "50", script)

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p")

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def shows(self, *words: str) -> None:
        until(lambda: all(word in self.screen() for word in words), lambda: f"no {words} in\n{self.screen()}")

    @property
    def left(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "tmp").iterdir())

    def processes(self, word: str = "cockpit.simulator") -> list[int]:
        """Processes with this word and our folder in their command line."""
        found = subprocess.run(["ps", "-ww", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout
        here = [line.split(None, 1) for line in found.splitlines() if word in line and str(self.folder) in line]
        return [int(pid) for pid, args in here if not args.startswith(("sh -c", "tmux", "/bin/sh"))]

    def nothing_left(self) -> None:
        until(lambda: not self.processes() and not self.left, lambda: f"{self.processes()} {self.left}\n{self.screen()}")


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[tuple[Terminal, Terminal]]:
    made = Terminal(tmp_path / "a"), Terminal(tmp_path / "b")
    yield made
    for terminal in made:
        terminal.tmux("kill-server")
        terminal.nothing_left()


@pytest.fixture
def terminal(terminals: tuple[Terminal, Terminal]) -> Terminal:
    return terminals[0]


def test_it_opens_on_hosts_with_generations_and_leaves_nothing(terminal: Terminal) -> None:
    terminal.run()
    terminal.shows("Overview", "2 hosts, all well", "14 services, all well")
    assert len(terminal.processes()) == 1 and len(terminal.left) == 1
    terminal.press("3")
    terminal.shows("Generations of", "core: a new token for Cloudflare", "nixpkgs: update", "by hand")
    terminal.press("4")
    terminal.shows("traefik", "paperless", "following")
    terminal.press("C-q")
    terminal.shows("ended: 0")
    terminal.nothing_left()
    assert list((terminal.folder / "home").rglob("*")) == []


def test_two_at_once(terminals: tuple[Terminal, Terminal]) -> None:
    first, second = terminals
    for terminal in terminals:
        terminal.run()
    for terminal in terminals:
        terminal.shows("2 hosts, all well")
    first.press("C-q")
    first.shows("ended: 0")
    first.nothing_left()
    second.press("3")
    second.shows("Generations of")
    second.press("C-q")
    second.shows("ended: 0")
    second.nothing_left()


def test_a_deploy_from_the_first_screen(terminal: Terminal) -> None:
    terminal.run()
    terminal.shows("1 behind main", "2 hosts, all well")
    terminal.press("3")
    terminal.shows("Generations of")
    terminal.press(">")
    terminal.shows("homepage", "recreate")
    terminal.press("y")
    terminal.shows("done, generation 141")
    terminal.press("C-q")
    terminal.nothing_left()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_killed_it_leaves_nothing(terminal: Terminal, how: signal.Signals) -> None:
    terminal.run()
    terminal.shows("2 hosts, all well")
    simulator = terminal.processes()[0]
    parent = int(subprocess.run(["ps", "-o", "ppid=", "-p", str(simulator)], capture_output=True, text=True, check=True).stdout)
    os.kill(parent, how)
    terminal.nothing_left()


def test_ctrl_c_while_it_is_made(terminal: Terminal) -> None:
    terminal.run()
    until(lambda: bool(terminal.processes()), terminal.screen)
    terminal.press("C-c")
    terminal.press("C-q")  # where it was up already
    terminal.shows("ended: ")
    terminal.nothing_left()


def test_only_loopback_is_listened_on(terminal: Terminal) -> None:
    if shutil.which("ss") is None:
        pytest.skip("ss is not installed")
    terminal.run()
    terminal.shows("2 hosts, all well")
    pid = terminal.processes()[0]
    listening = subprocess.run(["ss", "-Hlntup"], capture_output=True, text=True, check=True).stdout.splitlines()
    mine = [line.split()[4] for line in listening if f"pid={pid}," in line]
    assert len(mine) == 2 and all(address.startswith("127.0.0.1:") for address in mine)


def test_a_kept_folder_stays_and_is_not_used_again(terminal: Terminal) -> None:
    kept = terminal.folder / "kept"
    terminal.run("--keep", str(kept))
    terminal.shows("2 hosts, all well")
    terminal.press("C-q")
    terminal.shows("ended: 0")
    until(lambda: not terminal.processes(), terminal.screen)
    log = subprocess.run(["git", "-C", str(kept / "repo"), "log", "--oneline"], capture_output=True, text=True, check=True)
    assert len(log.stdout.splitlines()) == 14
    again = Terminal(terminal.folder / "again")
    again.run("--keep", str(kept))
    again.shows("is not empty", "ended: 2")
    again.tmux("kill-server")
    assert again.left == []
