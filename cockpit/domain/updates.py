"""What an update brings: inputs of a flake, images, and what the hosts that are built from them will have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from cockpit.domain.errors import CockpitError, UsageError
from cockpit.domain.images import LockRow
from cockpit.domain.plan import PackageChange
from cockpit.domain.text import plain

_PART = re.compile(r"[A-Za-z0-9._-]{1,100}")
_REV = re.compile(r"[0-9a-f]{40,64}")
_DEPTH = 20


class InputChange(Struct, frozen=True):
    """One input of a flake that is locked otherwise than before. Empty where it was not there, or is no more."""

    flake: str
    """Folder of the flake."""
    name: str
    """As the flake calls it; `A/B` for an input of an input."""
    old: str
    new: str
    url: str = ""
    """Where the difference can be read."""


class SystemChange(Struct, frozen=True):
    host: str
    old: str
    new: str
    packages: tuple[PackageChange, ...]
    units: tuple[str, ...]
    reboot: tuple[str, str] | None = None
    """(old, new) version of the kernel, where it can only be changed by a reboot."""

    @property
    def nothing(self) -> bool:
        return not (self.packages or self.units or self.reboot)


class UpdateReport(Struct, frozen=True):
    inputs: tuple[InputChange, ...] = ()
    images: tuple[LockRow, ...] = ()
    """Those that moved."""
    systems: tuple[SystemChange, ...] = ()
    files: tuple[str, ...] = ()
    """What was written."""
    errors: tuple[CockpitError, ...] = ()

    @property
    def reboots(self) -> tuple[str, ...]:
        return tuple(system.host for system in self.systems if system.reboot)


def input_changes(flake: str, old: bytes | None, new: bytes | None) -> tuple[InputChange, ...]:
    before, after = _inputs(flake, old), _inputs(flake, new)
    changes = []
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name, {}), after.get(name, {})
        if was != now:
            changes.append(InputChange(flake, plain(name), _version(was), _version(now), _compare(was, now)))
    return tuple(changes)


def _inputs(flake: str, data: bytes | None) -> dict[str, dict[str, Any]]:
    """Name -> what it is locked to."""
    if data is None:
        return {}
    try:
        lock = json.loads(data)
        nodes = lock["nodes"]
        return dict(_walk(nodes, str(lock["root"]), "", _DEPTH))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UsageError(f"{plain(flake)}/flake.lock is no lock", "", "git diff shows what became of it") from None


def _walk(nodes: dict[str, Any], at: str, prefix: str, depth: int) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, node in (nodes[at].get("inputs") or {}).items():
        if isinstance(node, str) and depth:  # a list follows another input
            yield f"{prefix}{name}", nodes[node]["locked"]
            yield from _walk(nodes, node, f"{prefix}{name}/", depth - 1)


def _version(locked: Mapping[str, Any]) -> str:
    return plain(str(locked.get("rev") or locked.get("narHash") or ""))


def _compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Only what is surely a page of a forge becomes a link."""
    kind, owner, repository = (str(new.get(key, "")) for key in ("type", "owner", "repo"))
    revisions = [str(side.get("rev", "")) for side in (old, new)]
    same = all(old.get(key) == new.get(key) for key in ("type", "owner", "repo", "host"))
    host = str(new.get("host") or {"github": "github.com", "gitlab": "gitlab.com"}.get(kind, ""))
    if (
        not same
        or not all(_REV.fullmatch(r) for r in revisions)
        or not all(_PART.fullmatch(p) for p in (owner, repository, host))
    ):
        return ""
    between = f"compare/{revisions[0]}...{revisions[1]}"
    return f"https://{host}/{owner}/{repository}/{'-/' if kind == 'gitlab' else ''}{between}"
