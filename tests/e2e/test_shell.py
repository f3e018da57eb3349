"""A shell from Services in a real terminal: it has it alone, ctrl+c is its own, and the pane is there again after it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable

import pytest

SCRIPT = """
from cockpit.adapters import process
from cockpit.tui.app import CockpitApp
from tests.pilot.sample import sample

class Shell:
    def command(self, service):
        return ("sh",)

    async def open(self, service):
        # a signal between two commands is heard after the next one: that must be a short one
        wait = "while [ -z $heard ]; do sleep 0.2; done"
        inside = f"trap 'heard=1; echo heard' INT; echo inside $0; read a; echo got $a; {wait}; read b; echo got $b; exit 3"
        return await process.foreground(("sh", "-c", inside, service.ref))

cockpit = sample()
cockpit.services._shell = Shell()
CockpitApp(cockpit, start="services").run()
"""
LONGEST = 30.0


@pytest.mark.e2e
def test_a_shell_and_back() -> None:
    import pyte

    pid, master = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
        os.execv(sys.executable, [sys.executable, "-c", SCRIPT])  # noqa: S606
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    screen = pyte.Screen(120, 40)
    stream = pyte.ByteStream(screen)
    received = b""

    def wait(reached: Callable[[], bool], what: str) -> None:
        nonlocal received
        end = time.monotonic() + LONGEST
        while not reached():
            if time.monotonic() > end:
                pytest.fail(f"{what}:\n" + "\n".join(screen.display))
            if select.select([master], [], [], 0.1)[0]:
                data = os.read(master, 65536)
                received += data
                stream.feed(
                    re.sub(rb"\x1b\[[<=>?][0-9;:]*[a-zA-Z]|\x1bP.*?\x1b\\|\x1b\[[0-9;?]*\$[a-z]", b"", data, flags=re.DOTALL)
                )

    def type_(keys: bytes) -> None:
        os.write(master, keys)

    try:
        wait(lambda: all(any(word in row for row in screen.display) for word in ("following", "97%")), "the pane did not come")
        # the cursor of the sample is on a service that does not run: the next one does
        type_(b"j")
        wait(lambda: any("s shell" in row for row in screen.display), "the shell is not offered")
        type_(b"s")
        wait(lambda: any("y does this once" in row for row in screen.display), "it did not ask")
        type_(b"y")
        wait(lambda: b"inside paperless/" in received, "the shell did not begin")
        type_(b"one\n")
        wait(lambda: b"got one" in received, "the shell does not hear")
        type_(b"\x03")
        wait(lambda: b"heard" in received, "ctrl+c is not the shell's")
        type_(b"two\n")
        wait(lambda: b"got two" in received, "ctrl+c ended it")
        wait(lambda: b"follow" in received[received.index(b"got two") :], "the pane did not come back")
        type_(b"d")
        wait(lambda: any("policy unless-stopped" in row for row in screen.display), "the pane does not hear keys")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(master)
