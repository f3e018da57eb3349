"""Programs of Go that tests run: built once from the module proxy, kept in the cache of this machine."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.lab.engine import cache

PEBBLE = "github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.3"
"""Let's Encrypt's own small certificate authority for tests."""
REGISTRY = "github.com/distribution/distribution/v3/cmd/registry@v3.1.2"
"""The registry that most others are made of."""


def missing() -> str:
    """Why nothing can be built here; empty where it can."""
    return "" if shutil.which("go") else "not installed: go"


def environ() -> dict[str, str]:
    """Nothing of a person's own settings; and Debian's Go takes no newer toolchain unless it is told to."""
    return {"GOTOOLCHAIN": "auto", **os.environ, "GOFLAGS": "-buildvcs=false", "GOWORK": "off"}


def once(target: Path, *words: str, env: Mapping[str, str] | None = None, cwd: Path | str = "/", timeout: float = 600) -> Path:
    """`target`, as `go install WORDS` makes it: by one process while the others wait, and whole or not at all. RuntimeError with
    the end of Go's output."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            with tempfile.TemporaryDirectory(dir=target.parent) as folder:
                settings = environ() | dict(env or {}) | {"GOBIN": folder}
                argv = ["go", "install", *words]
                done = subprocess.run(argv, env=settings, cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False)
                if done.returncode != 0:
                    raise RuntimeError(f"{' '.join(argv)} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
                (made,) = Path(folder).iterdir()
                made.rename(target)
    return target


def program(package: str) -> Path:
    """The built program of `PATH@VERSION`."""
    path, _, version = package.partition("@")
    name = path.rpartition("/")[2]
    return once(cache() / "go" / f"{name}-{version}" / name, package)


def static(source: Path) -> Path:
    """One file of Go without dependencies, as a static program; what the source says is in its name."""
    name = f"{source.parent.name}-{hashlib.sha256(source.read_bytes()).hexdigest()[:12]}"
    return once(cache() / "go" / name, "-trimpath", "-ldflags=-s -w", str(source), env={"CGO_ENABLED": "0"})
