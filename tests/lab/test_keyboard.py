"""The rollback as an operator does it: cockpit in a real terminal (tmux), a real host, four keys."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator

import pytest

from tests.lab.controller import Controller, assert_whole, attempts, settle, world
from tests.lab.homelab import Homelab
from tests.lab.host import LabHost


class Terminal:
    """A tmux server of our own with one window. Waits are bounded and look at what the terminal shows."""

    def __init__(self, command: str, environment: dict[str, str], folder: str, size: tuple[int, int] = (160, 50)) -> None:
        self.name = f"cockpit-{uuid.uuid4().hex[:8]}"
        exports = " ".join(
            f"{key}={shlex.quote(value)}"
            for key, value in environment.items()
            if key in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "PATH")
        )
        self.tmux(
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            str(size[0]),
            "-y",
            str(size[1]),
            "-c",
            folder,
            f"env {exports} {command}; sleep 600",
        )

    def tmux(self, *args: str) -> str:
        done = subprocess.run(["tmux", "-L", self.name, *args], check=True, capture_output=True, text=True, timeout=20)
        return done.stdout

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p")

    def keys(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def wait(self, text: str, seconds: float = 30) -> str:
        deadline = time.monotonic() + seconds
        while text not in (shown := self.screen()):
            assert time.monotonic() < deadline, f"{text!r} did not appear:\n{shown}"
            time.sleep(0.1)
        return shown

    def end(self) -> None:
        subprocess.run(["tmux", "-L", self.name, "kill-server"], check=False, capture_output=True)


@pytest.fixture
def terminal(controller: Controller, homelab: Homelab) -> Iterator[Terminal]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    made = Terminal(shlex.join(controller.argv()), controller.environment, str(homelab.path))
    yield made
    made.end()


@pytest.fixture(scope="module")
def deployed(controller: Controller, homelab: Homelab, host: LabHost) -> str:
    """A second generation with another unit, service and secret; its subject and a container's log are hostile."""
    homelab.edit(f"nix/hosts/{host.name}.nix", "marker one", "marker two")
    homelab.edit("compose/home/compose.yaml", "app:1", "app:2")
    homelab.edit(
        "compose/home/compose.yaml",
        "echo level=info msg=tick",
        "printf '\\\\033]52;c;aGFjaw==\\\\007\\\\033[2J[/bold] pwned '; echo level=info msg=tick",
    )
    homelab.encrypt(f"secrets/{host.name}/paperless.yaml", "paperless:\n  db-password: correct-horse-2\n")
    homelab.commit("release two [/markup] \x1b]0;title\x07 [link=x]")
    done = controller.deploy()
    assert done.code == 0, done.out
    assert "\x1b" not in done.out
    return assert_whole(host).commit


def test_rollback_from_the_keyboard(
    controller: Controller, host: LabHost, homelab: Homelab, deployed: str, terminal: Terminal
) -> None:
    first = homelab.git("rev-parse", "HEAD~1")
    assert world(host).db_password == "correct-horse-2"
    terminal.wait("Overview")
    terminal.keys("3")
    shown = terminal.wait("Generations of")
    terminal.wait("release two [/markup]")
    terminal.keys("j")
    terminal.keys("b")
    shown = terminal.wait("roll back")
    shown = terminal.wait("OUTAGE")
    assert "Cancel" in shown
    # enter stands on Cancel
    terminal.keys("Enter")
    deadline = time.monotonic() + 10
    while "OUTAGE" in terminal.screen():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert world(host).commit == deployed
    terminal.keys("b")
    terminal.wait("OUTAGE")
    terminal.keys("y")
    deadline = time.monotonic() + 90
    while (last := attempts(host)[-1])["intent"]["kind"] != "rollback" or last["outcome"] is None:
        assert time.monotonic() < deadline, terminal.screen()
        time.sleep(0.3)
    settle(host)
    found = assert_whole(host)
    assert found.commit == first
    assert found.db_password == "correct-horse-1"
    assert found.containers["home/homepage"][0].endswith("app:1")
    terminal.keys("3")
    terminal.wait("held")
    refused = controller.deploy("--commit", deployed)
    assert refused.code == 9, refused.out
    assert world(host) == found


def test_hostile_logs_reach_the_screen_harmless(
    controller: Controller, host: LabHost, homelab: Homelab, deployed: str, terminal: Terminal
) -> None:
    assert controller.deploy("--resume").code == 0
    terminal.wait("Overview")
    terminal.keys("4")
    terminal.wait("homepage")
    terminal.keys("/")
    terminal.keys(*"homepage")
    terminal.keys("Enter")
    shown = terminal.wait("[/bold] pwned")
    assert "Services" in shown, "the screen was cleared from inside a log"
    buffers = subprocess.run(
        ["tmux", "-L", terminal.name, "list-buffers"], capture_output=True, text=True, check=False, timeout=10
    )
    assert buffers.stdout.strip() == "", "a log wrote to the clipboard"
