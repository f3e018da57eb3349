"""`cockpit demo` in a real terminal: it opens, it leaves nothing behind whichever way it ends, and two do not collide."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal, terminals, until

READY = ("2 hosts, all well", "14 services, all well")

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with terminals(1) as made:
        yield made[0]


def test_every_pane_lives_and_nothing_is_left(terminal: Terminal) -> None:
    terminal.run()
    terminal.shows("Overview", *READY)
    assert len(terminal.processes()) == 1 and len(terminal.left) == 1
    terminal.pane("2", "2 nodes · 14 guests", "homelab", "home-assistant", "nfs-bak", "Summary")
    terminal.pane("3", "Generations of", "core: a new token for Cloudflare", "nixpkgs: update", "by hand")
    terminal.pane("4", "traefik", "paperless", "following")
    terminal.pane("5", "compose", "Changes", "main")
    terminal.pane("6", "17 runs", "reverted: paperless/web")
    assert (terminal.demo / "simulator.log").read_text() == ""
    assert (terminal.demo / "cockpit.log").read_text() == ""
    terminal.leave()
    assert list((terminal.folder / "home").rglob("*")) == []


def test_two_at_once() -> None:
    with terminals(2) as (first, second):
        for terminal in (first, second):
            terminal.run()
        for terminal in (first, second):
            terminal.shows(*READY)
        if shutil.which("ss") is not None:
            assert not set(first.ports()) & set(second.ports())
        first.leave()
        second.pane("2", "2 nodes · 14 guests")
        second.pane("3", "2 of 2 reachable", "Generations of")
        second.leave()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_killed_it_leaves_nothing(terminal: Terminal, how: signal.Signals) -> None:
    terminal.run()
    terminal.shows(*READY)
    os.kill(terminal.program, how)
    terminal.nothing_left()


def test_a_closed_window_leaves_nothing(terminal: Terminal) -> None:
    terminal.run()
    terminal.shows(*READY)
    terminal.tmux("kill-server")
    terminal.nothing_left()


def test_ctrl_c_while_it_is_made(terminal: Terminal) -> None:
    terminal.run()
    until(lambda: bool(terminal.processes()), terminal.screen)
    terminal.press("C-c")
    terminal.press("C-q")  # where it was up already
    terminal.shows("ended: ")
    terminal.nothing_left()


def test_ctrl_c_twice_leaves_it(terminal: Terminal) -> None:
    terminal.run()
    terminal.shows(*READY)
    terminal.press("C-c")
    terminal.shows("again leaves cockpit")
    terminal.press("C-c")
    terminal.shows("ended: 0")
    terminal.nothing_left()


def test_only_loopback_is_listened_on(terminal: Terminal) -> None:
    if shutil.which("ss") is None:
        pytest.skip("ss is not installed")
    terminal.run()
    terminal.shows(*READY)
    ports = terminal.ports()
    assert len(ports) == 3, "two hosts and a cluster"
    assert all(address.startswith("127.0.0.1:") for address in ports)


def test_a_folder_with_a_long_path_has_its_sockets_elsewhere(terminal: Terminal) -> None:
    terminal.folder = terminal.folder / ("long" * 20)
    terminal.run()
    terminal.shows(*READY)
    sockets = (terminal.demo / "t").resolve()
    assert sockets.is_dir() and len(str(sockets)) < 60
    terminal.leave()
    assert not sockets.exists()


def test_a_kept_folder_stays_and_is_not_used_again(terminal: Terminal) -> None:
    kept = terminal.folder / "kept"
    terminal.run("--keep", str(kept))
    terminal.shows(*READY)
    terminal.press("C-q")
    terminal.shows("ended: 0")
    until(lambda: not terminal.processes(), terminal.screen)
    log = subprocess.run(["git", "-C", str(kept / "repo"), "log", "--oneline"], capture_output=True, text=True, check=True)
    assert len(log.stdout.splitlines()) == 14
    with terminals(1) as (again,):
        again.run("--keep", str(kept))
        again.shows("is not empty", "ended: 2")
    assert Path(kept / "repo").is_dir()
