"""Programs of Go that tests run: built once from the module proxy, kept in the cache of this machine."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from tests.lab.engine import cache

PEBBLE = "github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.3"
"""Let's Encrypt's own small certificate authority for tests."""
REGISTRY = "github.com/distribution/distribution/v3/cmd/registry@v3.1.2"
"""The registry that most others are made of."""


def missing() -> str:
    """Why nothing can be built here; empty where it can."""
    return "" if shutil.which("go") else "not installed: go"


def program(package: str) -> Path:
    """The built program of `PATH@VERSION`."""
    path, _, version = package.partition("@")
    folder = cache() / "go" / f"{path.rpartition('/')[2]}-{version}"
    found = folder / path.rpartition("/")[2]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.exists():
            run(["go", "install", package], env={"GOBIN": str(folder)}, timeout=600)
    return found


def static(source: Path, target: Path) -> Path:
    """One file of Go without dependencies, as a static program: `target`, with what the source says in its name."""
    found = target.with_name(f"{target.name}-{hashlib.sha256(source.read_bytes()).hexdigest()[:12]}")
    found.parent.mkdir(parents=True, exist_ok=True)
    with target.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.exists():
            run(["go", "build", "-trimpath", "-ldflags=-s -w", "-o", f"{found}.new", str(source)], env={"CGO_ENABLED": "0"})
            Path(f"{found}.new").rename(found)
    return found


def run(argv: list[str], env: dict[str, str], timeout: float = 300) -> None:
    # GOFLAGS of a person must not make a file of a module out of it
    done = subprocess.run(
        argv, capture_output=True, text=True, env=os.environ | {"GOFLAGS": ""} | env, timeout=timeout, check=False, cwd="/"
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}\n{done.stderr[-2000:]}")
