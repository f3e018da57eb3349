"""ports.upkeep.Nix: flakes of this repository, by the nix of this machine."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator
from pathlib import Path

from cockpit.adapters import process
from cockpit.adapters.nixos.nix import BUILD as NIX_BUILD
from cockpit.adapters.nixos.nix import NIX, built, flake, toplevel
from cockpit.domain.errors import BuildFailed, OperationFailed, Unreachable
from cockpit.domain.text import lines, plain
from cockpit.domain.updates import System

UPDATE, BUILD, QUERY = 900.0, 7200.0, 120.0
"""Deadlines in seconds."""
_ATTRIBUTE = re.compile(r"[A-Za-z0-9_-]+")
_NETWORK = ("unable to download", "Could not resolve", "Couldn't resolve", "Connection refused", "timed out")


class LocalNix:
    def __init__(self, root: Path) -> None:
        self._root = root

    async def update(self, folder: str) -> None:
        # where it runs is what it updates: how to name a flake differs between versions of nix
        done = await process.run((*NIX, "flake", "update"), cwd=self._root / folder, deadline=UPDATE)
        if done.code != 0:
            kind = Unreachable if any(word in done.complaint for word in _NETWORK) else OperationFailed
            raise kind(f"nix could not update {folder}/flake.lock", _last(done))

    async def build(self, folder: str, attribute: str, commit: str | None) -> str:
        if not _ATTRIBUTE.fullmatch(attribute):
            raise BuildFailed(f"{plain(attribute)!r} is no attribute")
        what = flake(self._root, folder, commit, toplevel(attribute))
        done = await process.run((*NIX_BUILD, what), cwd=self._root, deadline=BUILD)
        if done.code != 0:
            raise BuildFailed(f"{attribute} does not build{f' at {commit[:9]}' if commit else ''}", _last(done))
        return built(done.out)

    async def system(self, path: str) -> System:
        done = await process.run(("nix-store", "-qR", path), deadline=QUERY)
        if done.code != 0:
            raise OperationFailed(f"nix-store does not know {plain(path)}", _last(done))
        closure = tuple(sorted(done.text.split()))
        kernel, units = await asyncio.to_thread(lambda: (_kernel(Path(path)), dict(_units(Path(path)))))
        return System(path, closure, kernel, units)


def _last(done: process.Completed) -> str:
    """What it ended with: the errors, without what it tried before and where to read more."""
    told = [line.strip() for line in lines(done.complaint)]
    errors = [line for line in told if line.startswith("error:")]
    return "\n".join(errors[-3:] or told[-3:])


def _kernel(top: Path) -> tuple[str, ...]:
    """Kernel, first programs and modules as paths, then the kernel's version."""
    parts = [str((top / part).resolve()) if (top / part).exists() else "" for part in ("kernel", "initrd", "kernel-modules")]
    modules = top / "kernel-modules/lib/modules"
    versions = sorted(path.name for path in modules.iterdir()) if modules.is_dir() else []
    return (*parts, plain(versions[0]) if versions else "unknown")


def _units(top: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Unit -> the files that it is made of: its own, and what is added to it in NAME.d."""
    folder = top / "etc/systemd/system"
    if not folder.is_dir():
        return
    found: dict[str, list[str]] = {}
    for entry in os.scandir(folder.resolve()):
        if entry.name.endswith((".wants", ".requires", ".upholds")):
            continue
        if entry.name.endswith(".d") and entry.is_dir():
            added = [os.path.realpath(inner.path) for inner in os.scandir(entry.path)]
            found.setdefault(plain(entry.name.removesuffix(".d")), []).extend(added)
        elif not entry.is_dir():
            found.setdefault(plain(entry.name), []).append(os.path.realpath(entry.path))
    for name, files in found.items():
        yield name, tuple(sorted(files))
