"""Files below one folder: nothing outside it is ever opened, and what is written is there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from cockpit.domain.errors import CockpitError, Conflict, Refused, UsageError
from cockpit.domain.files import Content, Entry
from cockpit.domain.text import plain

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""A named pipe in the tree must not hold us up."""


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Disk:
    """`root` is the top of the work tree. Everything here blocks: call it in a thread."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, path: str, most: int) -> Content:
        with self._folder(path) as (folder, name):
            data = _read(folder, name, path, most)
        return Content(path, data, digest(data))

    def read_many(self, paths: list[str], most: int) -> dict[str, bytes]:
        out = {}
        for path in paths:
            with contextlib.suppress(CockpitError):
                out[path] = self.read(path, most).data
        return out

    def entries(self, paths: list[str]) -> tuple[Entry, ...]:
        """Those that are there; links are not followed."""
        out = []
        for path in paths:
            try:
                found = os.lstat(os.path.join(self._root, path))
            except OSError:
                continue
            link = stat.S_ISLNK(found.st_mode)
            if link or stat.S_ISREG(found.st_mode):
                out.append(Entry(path, found.st_size, hash((found.st_mtime_ns, found.st_ino, found.st_size)), link))
        return tuple(out)

    def write(self, path: str, data: bytes, expected: str, most: int) -> Content:
        with self._folder(path) as (folder, name):
            mode = _unchanged(folder, name, path, expected, most)
            temporary = f".{name[:80]}.{secrets.token_hex(6)}"
            try:
                self._write(folder, temporary, data, mode)
                _unchanged(folder, name, path, expected, most)
                os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
                os.fsync(folder)
            except OSError as error:
                raise _failed(f"{plain(path)} cannot be written", error) from None
            finally:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=folder)
        return Content(path, data, digest(data))

    @staticmethod
    def _write(folder: int, name: str, data: bytes, mode: int) -> None:
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())

    @contextlib.contextmanager
    def _folder(self, path: str) -> Iterator[tuple[int, str]]:
        """(descriptor of the folder, name in it). A link is followed where it leads to a file of the same tree."""
        shown = plain(path)
        try:
            root = self._root.resolve(strict=True)
            pure = PurePosixPath(path)
            if not path or "\0" in path or pure.is_absolute() or ".." in pure.parts:
                raise Refused(f"{shown} is not in the repository")
            real = (root / pure).resolve()
            if not real.is_relative_to(root) or real == root:
                raise Refused(
                    f"{shown} leads out of the repository", "it is a link, or lies behind one", "open what it points to"
                )
            parts = real.relative_to(root).parts
            if ".git" in parts:
                raise Refused(f"{shown} belongs to git itself")
            folder = os.open(root, _FOLDER)
        except (OSError, RuntimeError) as error:
            raise _failed(f"{shown} cannot be opened", error) from None
        try:
            for part in parts[:-1]:
                deeper = os.open(part, _FOLDER, dir_fd=folder)
                os.close(folder)
                folder = deeper
            yield folder, parts[-1]
        except OSError as error:
            raise _failed(f"{shown} cannot be opened", error) from None
        finally:
            os.close(folder)


def _read(folder: int, name: str, path: str, most: int) -> bytes:
    shown = plain(path)
    try:
        descriptor = os.open(name, _FILE, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Refused(f"{shown} is a link that leads nowhere") from None
        raise _failed(f"{shown} cannot be read", error) from None
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise UsageError(f"{shown} is no regular file")
        data = file.read(most + 1) if found.st_size <= most else b"x" * (most + 1)
    if len(data) > most:
        raise UsageError(
            f"{shown} is too large to open", f"{max(found.st_size, most + 1):,} bytes, {most:,} at most", "open it in your editor"
        )
    return data


def _unchanged(folder: int, name: str, path: str, expected: str, most: int) -> int:
    """The mode of the file; Conflict where it is no longer what was read."""
    shown = plain(path)
    try:
        mode = stat.S_IMODE(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        if not expected:
            return 0o644
        raise Conflict(
            f"{shown} is gone from the disk", "it was deleted or renamed after it was opened", "copy your text: ctrl+o"
        ) from None
    if digest(_read(folder, name, path, 64 * most)) != expected:
        raise Conflict(
            f"{shown} changed on the disk",
            "somebody else wrote it after it was opened; nothing was overwritten",
            "copy your text (ctrl+o), leave with esc, and open the file again",
        )
    return mode


def _failed(what: str, error: OSError | RuntimeError) -> CockpitError:
    if isinstance(error, FileNotFoundError):
        return UsageError(what, "it is not there")
    return UsageError(what, getattr(error, "strerror", None) or "a loop of links")
