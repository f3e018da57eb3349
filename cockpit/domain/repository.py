"""The homelab's own git repository."""

from __future__ import annotations

from msgspec import Struct


class Commit(Struct, frozen=True):
    sha: str
    subject: str
    author: str = ""
    time: float = 0.0
    message: str = ""
    """The whole message, for `This reverts commit`."""

    @property
    def short(self) -> str:
        return self.sha[:7]


class TreeState(Struct, frozen=True):
    branch: str | None
    head: Commit | None
    ahead: int = 0
    behind: int = 0
    modified: tuple[str, ...] = ()
    """Tracked files with changes, staged or not."""
    untracked: tuple[str, ...] = ()
