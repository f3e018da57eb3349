"""Files of a tree that change together: each is written beside its place, then all are moved; what fails is put back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from cockpit.domain.errors import CockpitError, Refused

MOST = 8 * 1024 * 1024


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

    async def replace(self, files: Mapping[str, bytes | None]) -> None:
        await asyncio.to_thread(self._replace, files)

    def _replace(self, files: Mapping[str, bytes | None]) -> None:
        token = secrets.token_hex(6)
        aside: list[tuple[Path, Path]] = []
        placed: list[Path] = []
        try:
            for name, data in files.items():
                if data is not None:
                    self._write(self._beside(name, token, "new"), data, self._inside(name))
            for name, data in files.items():
                path, old = self._inside(name), self._beside(name, token, "old")
                if path.exists():
                    os.rename(path, old)
                    aside.append((old, path))
                if data is not None:
                    os.rename(self._beside(name, token, "new"), path)
                    placed.append(path)
        except OSError as error:
            for path in placed:
                path.unlink()
            for old, path in aside:
                os.rename(old, path)
            self._clear(files, token)
            raise CockpitError(
                "the secrets cannot be written", f"{error.filename}: {error.strerror}; nothing was changed"
            ) from None
        self._clear(files, token)

    def _inside(self, name: str) -> Path:
        path = self._root / name
        if not path.parent.resolve().is_relative_to(self._root) or path.is_symlink():
            raise Refused(f"{name} leads out of the repository", "it is a link, or lies behind one")
        return path

    def _beside(self, name: str, token: str, kind: str) -> Path:
        path = self._inside(name)
        return path.with_name(f".{path.name}.{token}.{kind}")

    @staticmethod
    def _write(path: Path, data: bytes, target: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())

    def _clear(self, files: Mapping[str, bytes | None], token: str) -> None:
        for name in files:
            for kind in ("new", "old"):
                with contextlib.suppress(OSError):
                    self._beside(name, token, kind).unlink()
