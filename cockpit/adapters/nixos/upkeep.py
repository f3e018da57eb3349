"""ports.upkeep.Nix: the locks of this repository's flakes, by the nix of this machine."""

from __future__ import annotations

from pathlib import Path

from cockpit.adapters import process
from cockpit.adapters.nixos.nix import NIX, offline
from cockpit.domain.errors import OperationFailed, Unreachable
from cockpit.domain.text import lines

UPDATE = 900.0
"""Deadline in seconds."""


class LocalNix:
    def __init__(self, root: Path) -> None:
        self._root = root

    async def update(self, folder: str) -> None:
        # where it runs is what it updates: how to name a flake differs between versions of nix
        done = await process.run((*NIX, "flake", "update"), cwd=self._root / folder, deadline=UPDATE)
        if done.code != 0:
            kind = Unreachable if offline(done.complaint) else OperationFailed
            raise kind(f"nix could not update {folder}/flake.lock", _last(done))


def _last(done: process.Completed) -> str:
    """What it ended with: the errors, without what it tried before and where to read more."""
    told = [line.strip() for line in lines(done.complaint)]
    errors = [line for line in told if line.startswith("error:")]
    return "\n".join(errors[-3:] or told[-3:])
