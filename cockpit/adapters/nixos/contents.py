"""What a built system consists of, read by a small script: of a host over SSH, or of this machine's store."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Any, Protocol

from cockpit.adapters.nixos.shapes import project_contents
from cockpit.adapters.outside import table, table_in
from cockpit.domain.contents import Contents, Kernel, ProjectContents, is_store_path
from cockpit.domain.errors import CockpitError
from cockpit.domain.text import plain

SCRIPT = Path(__file__).with_name("contents.sh")
FILES = b'for f in "$@"; do printf \'%s\\0\' "$f"; cat -- "$f" || exit; printf \'\\0\'; done\n'
"""Files by name, NUL behind each name and each content."""


class Asked(Protocol):
    def __call__(self, script: bytes, *words: str) -> Awaitable[bytes]:
        """Output of a shell script that only reads. CockpitError where it fails."""


async def running(host: str, asked: Asked) -> Contents:
    """Of the system that a host runs; the kernel is the one that was booted."""
    return await _contents(host, asked, "/run/current-system", "/run/booted-system")


async def built(host: str, asked: Asked, closure: str) -> Contents:
    """Of a system in the store."""
    return await _contents(host, asked, closure, closure)


async def _contents(host: str, asked: Asked, system: str, booted: str) -> Contents:
    fields = _fields(await asked(SCRIPT.read_bytes(), system, booted))
    closure = fields.get("closure", "").strip()
    if not is_store_path(closure):
        raise CockpitError(f"{host} could not be read", f"{plain(closure[:200])!r} is no system")
    manifest = table_in(fields.get("manifest"))
    commit = manifest.get("commit")
    return Contents(
        host=host,
        closure=closure,
        commit=commit if isinstance(commit, str) and re.fullmatch(r"[0-9a-f]{40}", commit) else None,
        kernel=Kernel(plain(fields.get("version", "").strip()), tuple(_paths(fields.get("kernel", "")))),
        paths=tuple(_paths(fields.get("paths", ""))),
        units=_units(fields.get("units", "")),
        reloads=_names(fields.get("reloads", "")),
        stays=_names(fields.get("stays", "")),
        has_cockpit=bool(manifest),
        projects=await _projects(host, asked, manifest),
    )


async def _projects(host: str, asked: Asked, manifest: Mapping[str, Any]) -> dict[str, ProjectContents]:
    projects = {str(name): value for name, value in table(manifest.get("projects")).items() if isinstance(value, dict)}
    wanted: dict[str, tuple[str, ...]] = {}
    for name, project in projects.items():
        entries = table(project.get("entries"))
        files = [str(entries.get(file, "")) for file in project.get("compose") or ()]
        wanted[name] = tuple(path for path in files if is_store_path(path))
    paths = sorted({path for files in wanted.values() for path in files})
    texts: dict[str, bytes] = {}
    if paths:
        parts = (await asked(FILES, *paths)).split(b"\0")
        texts = {name.decode("utf-8", "replace"): text for name, text in zip(parts[::2], parts[1::2], strict=False)}
    return {
        plain(name): project_contents(name, project, [texts.get(path, b"") for path in wanted[name]])
        for name, project in projects.items()
    }


def _fields(printed: bytes) -> dict[str, str]:
    parts = printed.decode("utf-8", "replace").split("\0")
    return dict(zip(parts[::2], parts[1::2], strict=False))


def _paths(text: str) -> list[str]:
    return [line for line in text.split("\n") if is_store_path(line)]


def _names(text: str) -> tuple[str, ...]:
    return tuple(sorted({_unit(line) for line in text.split("\n") if line}))


def _unit(file: str) -> str:
    """`a.service`, for `a.service.d/overrides.conf` too."""
    return plain(file.split("/")[0].removesuffix(".d") if "/" in file else file)


def _units(text: str) -> dict[str, str]:
    """Lines of sha256sum; a unit with drop-ins has several."""
    found: dict[str, list[str]] = {}
    for line in text.split("\n"):
        digest, _, file = line.partition("  ")
        if re.fullmatch(r"[0-9a-f]{64}", digest) and file:
            found.setdefault(_unit(file), []).append(f"{digest} {file}")
    return {
        unit: lines[0][:64] if len(lines) == 1 else hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
        for unit, lines in found.items()
    }
