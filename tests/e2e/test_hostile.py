"""The same through a real pty: what the terminal receives holds no clipboard write and no foreign escape."""

from __future__ import annotations

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

import pytest

SCRIPT = """
from tests.pilot.test_hostile import poisoned
from cockpit.tui.app import CockpitApp
CockpitApp(poisoned(), start="{pane}").run()
"""
LONGEST = 20.0


@pytest.mark.e2e
@pytest.mark.parametrize(("pane", "sign"), [("hosts", "Generations of"), ("services", "following"), ("releases", "Releases")])
def test_no_foreign_escape_reaches_the_terminal(pane: str, sign: str) -> None:
    import pyte

    pid, master = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
        os.execv(sys.executable, [sys.executable, "-c", SCRIPT.format(pane=pane)])  # noqa: S606
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))
    received = b""
    screen = pyte.Screen(160, 50)
    stream = pyte.ByteStream(screen)
    try:
        end = time.monotonic() + LONGEST
        quiet = time.monotonic()
        while time.monotonic() < end:
            if select.select([master], [], [], 0.1)[0]:
                data = os.read(master, 65536)
                received += data
                stream.feed(
                    re.sub(rb"\x1b\[[<=>?][0-9;:]*[a-zA-Z]|\x1bP.*?\x1b\\|\x1b\[[0-9;?]*\$[a-z]", b"", data, flags=re.DOTALL)
                )
                quiet = time.monotonic()
            elif (
                any(sign in row for row in screen.display)
                and any("markup" in row for row in screen.display)
                and time.monotonic() - quiet > 1
            ):
                break
        else:
            pytest.fail("the pane did not come:\n" + "\n".join(screen.display))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(master)
    assert b"\x1b]52" not in received
    assert b"ZXZpbA" not in received
    assert b"\x1b[5n" not in received
    assert "\u202e".encode() not in received
    assert b"\x9b" not in received.decode("utf-8", "replace").encode("latin-1", "ignore")
