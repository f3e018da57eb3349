"""A short run of `python -m bench soak`: every pane under keys, nothing written down, and it ends."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.e2e


@pytest.mark.skipif(sys.platform != "linux", reason="the soak reads /proc")
def test_twenty_seconds_of_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "soak", "--minutes", "0.35"], capture_output=True, text=True, timeout=240, check=False
    )
    assert "0 complaints" in done.stdout and "it did not end" not in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0, done.stdout
