"""OpenTofu for the tests, built from its Go module: once for each content of tests/standin/opentofu, into the person's cache.

`python -m scripts.tofu` builds it where it is not there yet (five minutes on two cores) and prints its path.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.paths import TOP
from tests import gobin
from tests.lab.engine import cache

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
    return cache() / "tofu" / f"{version()}-{digest[:12]}" / "tofu"


def why_not() -> str | None:
    """Why it is not there and cannot be built here; None where `ready` will have it."""
    if binary().exists():
        return None
    if not shutil.which("go"):
        return f"OpenTofu {version()} is built from its Go module, and Go is not installed"
    # it reads go.mod: an old Go says so, a newer one fetches the one that is new enough
    done = subprocess.run(
        ["go", "list", "-m"], cwd=MODULE, env=gobin.environ(), capture_output=True, text=True, timeout=300, check=False
    )
    return None if done.returncode == 0 else f"OpenTofu {version()} cannot be built: {done.stderr.strip().splitlines()[-1]}"


def ready() -> Path:
    """The program; built first if need be. RuntimeError with the end of Go's output."""
    flags = f"-s -w -X {PACKAGE}/version.dev=no"
    return gobin.once(binary(), "-mod=readonly", "-ldflags", flags, f"{PACKAGE}/cmd/tofu", cwd=MODULE, timeout=BUILD)


if __name__ == "__main__":
    if reason := why_not():
        sys.exit(f"not here: {reason}")
    try:
        print(ready())
    except RuntimeError as error:
        sys.exit(str(error))
