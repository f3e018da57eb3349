"""The outer Docker engine: found, or started and later ended by who started it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

LOG = Path("/var/log/cockpit-lab-dockerd.log")


def cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "cockpit"


def answers() -> bool:
    return subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=30).returncode == 0


def missing() -> str:
    """Why there can be no lab on this machine; empty where there can."""
    if os.geteuid() != 0:
        return "the lab needs root"
    for program in ("docker", "dockerd", "debootstrap", "git", "ssh", "ip"):
        if shutil.which(program) is None:
            return f"the lab needs {program}"
    return ""


class Engine:
    """`start` starts a dockerd only where none answers; `stop` ends only what `start` started."""

    def __init__(self) -> None:
        self._started: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        if answers():
            return
        with LOG.open("ab") as log:
            self._started = subprocess.Popen(
                ["dockerd"], stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )
        deadline = time.monotonic() + 60
        while not answers():
            if self._started.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"dockerd did not start: see {LOG}")
            time.sleep(0.3)

    def stop(self) -> None:
        if self._started is None:
            return
        self._started.send_signal(signal.SIGTERM)
        try:
            self._started.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._started.kill()
        self._started = None
