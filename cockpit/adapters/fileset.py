"""Files of a tree that change together: each is written beside its place, then all are moved; what fails is put back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cockpit.domain.errors import CockpitError, Refused

MOST = 8 * 1024 * 1024
_LEFT = ".*.cockpit-????????????.???"
"""What a killed process leaves beside its files."""


class DiskFiles:
    """A `cockpit.ports.making.FileSet` below one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    async def read(self, folders: Sequence[str]) -> dict[str, bytes]:
        return await asyncio.to_thread(self._read, folders)

    def _read(self, folders: Sequence[str]) -> dict[str, bytes]:
        out: dict[str, bytes] = {}
        for name in folders:
            start = self._root / name
            for path in sorted(start.rglob("*")) if start.is_dir() else [start]:
                if path.is_file() and not path.is_symlink() and path.stat().st_size <= MOST:
                    out[path.relative_to(self._root).as_posix()] = path.read_bytes()
        return out

    async def left(self, folders: Sequence[str]) -> tuple[str, ...]:
        found = {*self._root.glob(_LEFT), *(path for name in folders for path in (self._root / name).rglob(_LEFT))}
        return tuple(sorted(path.relative_to(self._root).as_posix() for path in found))

    async def replace(self, files: Mapping[str, bytes | None]) -> None:
        # not in a thread, which would go on when this is cancelled, and whoever waits would take it for undone
        token = secrets.token_hex(6)
        places = {self._inside(name): data for name, data in files.items()}
        fresh = [path for path in places if not path.exists()]
        try:
            for path, data in places.items():
                if data is not None:
                    _write(_beside(path, token, "new"), data, path)
            for path, data in places.items():
                if path not in fresh:
                    os.rename(path, _beside(path, token, "old"))
                if data is not None:
                    os.rename(_beside(path, token, "new"), path)
        except BaseException as error:
            for path in places:
                if path in fresh:
                    path.unlink(missing_ok=True)
                elif (old := _beside(path, token, "old")).exists():
                    os.replace(old, path)
            _clear(places, token)
            if isinstance(error, OSError):
                why = f"{error.filename}: {error.strerror}; nothing was changed"
                raise CockpitError("the files cannot be written", why) from None
            raise
        _clear(places, token)

    def _inside(self, name: str) -> Path:
        path = self._root / name
        if not path.parent.resolve().is_relative_to(self._root) or path.is_symlink():
            raise Refused(f"{name} leads out of the repository", "it is a link, or lies behind one")
        return path


def _beside(path: Path, token: str, kind: str) -> Path:
    return path.with_name(f".{path.name}.cockpit-{token}.{kind}")


def _write(path: Path, data: bytes, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())


def _clear(places: Iterable[Path], token: str) -> None:
    for path in places:
        for kind in ("new", "old"):
            with contextlib.suppress(OSError):
                _beside(path, token, kind).unlink()
