"""OpenTofu for the tests, built from its Go module: once for each content of tests/standin/opentofu, into the person's cache.

`python -m scripts.tofu` builds it where it is not there yet (five minutes on two cores) and prints its path.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.paths import TOP

MODULE = TOP / "tests" / "standin" / "opentofu"
PACKAGE = "github.com/opentofu/opentofu"
BUILD = 1800.0
"""Seconds that a build may take, downloads included."""


def version() -> str:
    """`1.12.6`, as go.mod pins it."""
    found = re.search(rf"^\s*{re.escape(PACKAGE)} v(\S+)", (MODULE / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError(f"{MODULE / 'go.mod'} does not require {PACKAGE}")
    return found[1]


def binary() -> Path:
    """Where it is, or will be."""
    digest = hashlib.sha256((MODULE / "go.mod").read_bytes() + (MODULE / "go.sum").read_bytes()).hexdigest()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "cockpit" / "tofu" / f"{version()}-{digest[:12]}" / "tofu"


def why_not() -> str | None:
    """Why it is not there and cannot be built here; None where `ready` will have it."""
    if binary().exists():
        return None
    if not shutil.which("go"):
        return f"OpenTofu {version()} is built from its Go module, and Go is not installed"
    # it reads go.mod: an old Go says so, a newer one fetches the one that is new enough
    done = subprocess.run(
        ["go", "list", "-m"], cwd=MODULE, env=_environ(), capture_output=True, text=True, timeout=300, check=False
    )
    return None if done.returncode == 0 else f"OpenTofu {version()} cannot be built: {done.stderr.strip().splitlines()[-1]}"


def ready() -> Path:
    """The program; built first if need be, by one process while the others wait. RuntimeError with the end of Go's output."""
    made = binary()
    if made.exists():
        return made
    made.parent.mkdir(parents=True, exist_ok=True)
    with open(made.parent / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if made.exists():
            return made
        part = made.with_suffix(".part")
        command = ["go", "build", "-o", str(part), "-ldflags", f"-s -w -X {PACKAGE}/version.dev=no", f"{PACKAGE}/cmd/tofu"]
        done = subprocess.run(command, cwd=MODULE, env=_environ(), capture_output=True, text=True, timeout=BUILD, check=False)
        if done.returncode != 0:
            part.unlink(missing_ok=True)
            raise RuntimeError(f"go build ended with {done.returncode}: {done.stderr.strip()[-500:]}")
        part.rename(made)
    return made


def _environ() -> dict[str, str]:
    """Debian's Go takes no newer toolchain unless it is told to."""
    return {"GOTOOLCHAIN": "auto", **os.environ, "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}


if __name__ == "__main__":
    if reason := why_not():
        sys.exit(f"not here: {reason}")
    try:
        print(ready())
    except RuntimeError as error:
        sys.exit(str(error))
