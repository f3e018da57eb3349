"""What a person does in the demo, in a real terminal: the tour's whole round, power, and a commit of their own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.e2e.terminal import Terminal, terminals, until

TYPING = "esc back to the tree"
"""What the footer says while the editor has the focus."""

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with terminals(1) as made:
        yield made[0]


def ask(terminal: Terminal, key: str, *words: str) -> None:
    """A key, until its dialog is there: it may be too early, while the host's last reading still names a holder."""

    def asked() -> bool:
        if "Cancel" in terminal.screen():
            return True
        terminal.press(key)
        return False

    until(asked, terminal.screen)
    terminal.shows(*words)


def approve(terminal: Terminal) -> None:
    """`y`, until the dialog takes it: for a moment it takes none, lest it is one that was meant for what was there before."""

    def gone() -> bool:
        if "Cancel" not in terminal.screen():
            return True
        terminal.press("y")
        return False

    until(gone, terminal.screen)


def deploy(terminal: Terminal, subject: str) -> None:
    ask(terminal, ">", subject, "Interrupts")
    approve(terminal)


def save_a_secret(terminal: Terminal) -> str:
    """Changes a value of an encrypted file in the editor, and leaves that; the file's path."""
    path = "secrets/homelab/home.yaml"
    before = (terminal.demo / "repo" / path).read_bytes()
    terminal.pane("5", "compose.yaml", "Changes")
    terminal.press("/")
    terminal.type("homelab/home.y")
    terminal.shows("home.yaml")
    terminal.press("Enter")
    terminal.shows("Encrypted by sops")
    terminal.press("Enter")
    terminal.shows("decrypted in memory", TYPING)
    terminal.press("Down", "End")
    terminal.type("X")
    terminal.shows("not saved")
    terminal.press("C-s")
    terminal.shows("Save secrets/homelab/home.yaml")
    terminal.press("y")
    terminal.shows("encrypted and saved")
    after = (terminal.demo / "repo" / path).read_bytes()
    assert after != before and b"ENC[AES256_GCM" in after
    terminal.press("Escape")
    terminal.shows("enter open")  # the tree has the focus
    return path


def quiet(terminal: Terminal) -> None:
    """Neither the simulator nor cockpit wrote anything down that went wrong."""
    assert (terminal.demo / "simulator.log").read_text() == ""
    assert (terminal.demo / "cockpit.log").read_text() == ""


def test_the_tour(terminal: Terminal) -> None:
    terminal.run("--tour")
    terminal.shows("1 of 8", "Overview", "14 services, all well")
    terminal.pane("3", "2 of 8", "Generations of")
    deploy(terminal, "paperless 2.20.3")
    terminal.shows("3 of 8", "done")
    terminal.pane("5", "compose", "Changes")
    terminal.press("p")
    terminal.shows("Pull origin/main")
    terminal.press("y")
    terminal.shows("4 of 8")
    terminal.pane("3", "141", "paperless 2.20.3")
    deploy(terminal, "asks port 8001")
    terminal.shows("5 of 8", "reverted: paperless/web is unhealthy")
    terminal.pane("3", "Generations of", "previous good: 140")
    ask(terminal, "b", "Does not come back")
    approve(terminal)
    terminal.shows("6 of 8", "done, held")
    terminal.pane("4", "traefik", "Logs")
    terminal.press("j")
    terminal.press("l")
    terminal.shows("7 of 8")
    save_a_secret(terminal)
    terminal.shows("Changes", "not staged", "8 of 8")
    terminal.pane("2", "14 guests", "home-assistant")
    terminal.press("r")
    terminal.shows("OUTAGE", "Reboot", "Cancel")
    approve(terminal)
    terminal.shows("The end", "esc closes")
    terminal.press("Escape")
    until(lambda: "Tour" not in terminal.screen(), terminal.screen)
    quiet(terminal)
    terminal.leave()


def test_the_tour_by_its_own_key_and_away_at_once(terminal: Terminal) -> None:
    terminal.run("--tour", cols=80, rows=24)
    terminal.shows("1 of 8", "ctrl+n next")
    terminal.press("C-n")
    terminal.shows("2 of 8")
    terminal.press("C-n")
    terminal.shows("3 of 8")
    terminal.press("Escape")
    until(lambda: "Tour" not in terminal.screen(), terminal.screen)
    terminal.pane("3", "Generations of")
    terminal.leave()


def test_a_secret_is_committed_and_pushed_past_the_commit_of_a_colleague(terminal: Terminal) -> None:
    terminal.run()
    terminal.shows("↓1", "14 services, all well")
    path = save_a_secret(terminal)
    terminal.shows("not staged")
    terminal.press("a")
    terminal.shows("Stage")
    terminal.press("y")
    terminal.shows("home.yaml: staged")
    terminal.press("c")
    terminal.shows("Commit on main")
    terminal.type("home: another token")
    terminal.press("Enter")
    terminal.shows("Commit secrets", "y does this once")
    terminal.press("y")
    terminal.shows("committed as", "↑1")
    until(lambda: "↓1" not in terminal.screen(), terminal.screen)  # he takes his back, so that nobody has to merge
    terminal.press("P")
    terminal.shows("Push 1 commit to origin/main", "Cancel")
    approve(terminal)
    terminal.shows("pushed to origin/main")
    origin = subprocess.run(
        ["git", "-C", str(terminal.demo / "origin.git"), "show", "--stat", "--format=%s", "main"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "home: another token" in origin and path in origin
    quiet(terminal)
    terminal.leave()


def test_a_host_is_off_with_its_guest_and_comes_back(terminal: Terminal) -> None:
    terminal.run()
    terminal.shows("14 services, all well")
    terminal.pane("2", "14 guests", "100 homelab")
    terminal.press("C-x")
    terminal.shows("OUTAGE", "100 homelab", "is the host in it", "Cancel")
    approve(terminal)
    terminal.shows("qmshutdown", "stopped")
    terminal.pane("3", "1 of 2 reachable")
    terminal.pane("2", "14 guests")
    terminal.press("S")
    terminal.shows("Start 100 homelab")
    terminal.press("y")
    terminal.pane("3", "2 of 2 reachable")
    quiet(terminal)
    terminal.leave()
