"""What of the tests this machine can run: `python -m scripts.lab` says why there can be no lab, with exit status 1."""

from __future__ import annotations

import shutil
import sys

from tests.lab import engine


def why_no_lab() -> str | None:
    """The first thing that the lab lacks here; None when it can be brought up."""
    reason = engine.missing()
    return f"{reason} (.ci/run installs it on Debian)" if reason else None


def why_no_terminal() -> str | None:
    """Why tests/e2e cannot run here."""
    return None if shutil.which("tmux") else "it needs tmux"


if __name__ == "__main__":
    if reason := why_no_lab():
        sys.exit(f"not here: {reason}")
