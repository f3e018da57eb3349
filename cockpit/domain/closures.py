"""Closures by the names of their store paths: which packages differ between two."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cockpit.domain.plan import PackageChange
from cockpit.domain.text import plain

_ENTRY = re.compile(r"^[0-9a-z]{32}-e-[0-9a-f]{12}$")
"""A file of a release (nix/lib/release.nix): what it changes is told as services and secrets."""
_PACKAGE = re.compile(r"^[0-9a-z]{32}-(.+?)(?:-([0-9].*?))?$")


def package_changes(old: Iterable[str], new: Iterable[str]) -> list[PackageChange]:
    """Packages by name whose versions differ; several versions of one name are joined."""
    before, after = _versions(old), _versions(new)
    changes: list[PackageChange] = []
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        if was != now:
            changes.append(PackageChange(plain(name), _joined(was), _joined(now)))
    return changes


def _versions(paths: Iterable[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path in paths:
        name = path.rpartition("/")[2]
        if (match := _PACKAGE.match(name)) and not _ENTRY.match(name):
            found.setdefault(match[1], set()).add(match[2] or "")
    return found


def _joined(versions: set[str] | None) -> str | None:
    return None if versions is None else ", ".join(sorted(plain(v) for v in versions)) or "–"
