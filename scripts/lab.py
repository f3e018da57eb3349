"""Whether this machine can bring up the lab: `python -m scripts.lab` says why not, with exit status 1."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

TOOLS = ("docker", "dockerd", "debootstrap", "jq", "git", "ip")
"""What tests/lab starts on the machine itself; what a lab host needs is inside its image."""


def why_no_lab() -> str | None:
    """The first thing that the lab lacks here; None when it can be brought up."""
    if not sys.platform.startswith("linux") or not Path("/etc/debian_version").exists():
        return "the lab needs Debian"
    if os.geteuid() != 0:
        return "the lab needs root"
    search = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
    missing = [tool for tool in TOOLS if shutil.which(tool, path=search) is None]
    return f"not installed: {', '.join(missing)} (.ci/run installs what is missing)" if missing else None


def why_no_terminal() -> str | None:
    """Why tests/e2e cannot run here."""
    return None if shutil.which("tmux") else "not installed: tmux"


if __name__ == "__main__":
    if reason := why_no_lab():
        sys.exit(f"not here: {reason}")
