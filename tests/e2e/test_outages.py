"""A system is taken away and brought back under a running terminal UI: its lines grey, the rest lives, and it comes back."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from cockpit.simulator import launch
from tests.e2e.terminal import Terminal, terminals, until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with terminals(1) as made:
        made[0].run()
        made[0].shows("2 hosts, all well", "14 services, all well")
        yield made[0]


def do(terminal: Terminal, action: str, target: str) -> None:
    """By the command line, as somebody else would."""
    config = terminal.demo / "repo" / "cockpit.yaml"
    argv = [sys.executable, "-m", "cockpit", "--config", str(config), "do", action, target, "--yes"]
    environ = launch.environment(terminal.demo, os.environ)
    done = subprocess.run(argv, env=environ, cwd=config.parent, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_host_goes_with_its_guest_and_comes_back(terminal: Terminal) -> None:
    terminal.pane("3", "2 of 2 reachable")
    do(terminal, "guest.stop", "home/101")
    terminal.press("C-r")
    terminal.shows("1 of 2 reachable", "again in")
    # the other one lives: its generations can be walked, and its services are read
    terminal.press("j", "j")
    terminal.pane("4", "traefik", "following")
    terminal.pane("1", "nas", "1 of 2 hosts up", "tries again in")
    do(terminal, "guest.start", "home/101")
    terminal.pane("3", "Generations of")
    terminal.press("C-r")
    terminal.shows("2 of 2 reachable")
    terminal.pane("1", "2 hosts, all well")


def test_everything_silent_and_every_key_answers(terminal: Terminal) -> None:
    simulator = terminal.simulator
    os.kill(simulator, signal.SIGSTOP)
    try:
        terminal.press("C-r")
        for key, words in {"2": "opnsense", "3": "Generations of", "4": "traefik", "6": "deploy", "1": "Problems"}.items():
            terminal.pane(key, words)
        until(lambda: "stale" in terminal.screen() and "in grey" in terminal.screen(), terminal.screen)
    finally:
        os.kill(simulator, signal.SIGCONT)
    terminal.press("C-r")
    until(lambda: "stale" not in terminal.screen(), terminal.screen)
    terminal.shows("2 hosts, all well", "14 services, all well")
