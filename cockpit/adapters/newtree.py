"""A folder that comes to be whole or not at all: made beside its place (or hidden in it), and moved there at the end."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from cockpit.adapters import process
from cockpit.adapters.git.repository import environment
from cockpit.domain.errors import CockpitError, Refused, UsageError
from cockpit.domain.files import NewFile

_PREFIX = ".cockpit-init-"


class NewFolder:
    """A `cockpit.ports.making.NewTree`. An empty folder that is there stays the same folder: somebody's shell may be in it."""

    def __init__(self, target: Path) -> None:
        self.target = target.absolute()
        self._fills = self.target.is_dir()
        inside = self.target if self._fills else self.target.parent
        self._root = inside / f"{_PREFIX}{secrets.token_hex(6)}"

    @property
    def root(self) -> Path:
        return self._root

    def check(self) -> None:
        """UsageError where the place cannot be taken; nothing is made yet."""
        shown = str(self.target)
        if self.target.is_symlink() or (self.target.exists() and not self._fills):
            raise UsageError(f"{shown} is there already", "it is no folder", "name a folder that does not exist, or an empty one")
        if self._fills and (found := next(self.target.iterdir(), None)) is not None:
            raise Refused(
                f"{shown} is not empty",
                f"{found.name} is in it; nothing was changed",
                "name a folder that does not exist, or an empty one",
            )
        parent = self.target if self._fills else self.target.parent
        if not parent.is_dir():
            raise UsageError(f"there is no folder {parent}", "", f"mkdir -p {parent}")
        if not os.access(parent, os.W_OK | os.X_OK):
            raise UsageError(f"{parent} cannot be written", "", "make it writable, or name another folder")

    async def write(self, files: Mapping[str, NewFile]) -> None:
        # not in a thread, which would go on when this is cancelled; neither is `finish`
        try:
            self._root.mkdir(mode=0o700, exist_ok=True)
            for name, file in files.items():
                path = self._root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(file.data)
                path.chmod(0o755 if file.executable else 0o644)
        except OSError as error:
            raise CockpitError(f"{self.target} cannot be written", f"{error.filename}: {error.strerror}") from None

    async def commit(self, message: str, author: tuple[str, str] | None) -> str:
        # no hook, no signature, no list of ignored files of the person's may keep a file out of the first commit
        settings = ["core.hooksPath=/dev/null", "core.excludesFile=/dev/null", "core.autocrlf=false", "commit.gpgSign=false"]
        if author is not None:
            settings += [f"user.name={author[0]}", f"user.email={author[1]}"]
        options = [word for setting in settings for word in ("-c", setting)]
        await self._git("init", "--quiet", "--template=", "--initial-branch=main")
        if author is not None:
            await self._git("config", "user.name", author[0])
            await self._git("config", "user.email", author[1])
        await self._git(*options, "add", "--all", "--force")
        await self._git(*options, "commit", "--quiet", "--file=-", stdin=message.encode())
        return (await self._git("rev-parse", "HEAD")).strip()

    async def _git(self, *args: str, stdin: bytes | None = None) -> str:
        done = await process.run(("git", "-C", str(self._root), *args), env=environment(), stdin=stdin, deadline=60.0)
        if done.code != 0:
            word = next(arg for arg in args if arg in ("init", "add", "commit", "rev-parse", "config"))
            raise CockpitError(f"git {word} failed", done.complaint[-500:], "nothing was made")
        return done.text

    async def finish(self) -> None:
        try:
            self._root.chmod(0o755)
            if not self._fills:
                # a folder takes the place of an empty one only: what appeared there meanwhile stays
                os.rename(self._root, self.target)
                return
            if sorted(path.name for path in self.target.iterdir()) != [self._root.name]:
                raise Refused(f"{self.target} is no longer empty", "somebody else wrote into it; nothing was changed there")
            moved: list[Path] = []
            try:
                for path in sorted(self._root.iterdir()):
                    os.rename(path, self.target / path.name)
                    moved.append(self.target / path.name)
            except OSError:
                for path in moved:
                    os.rename(path, self._root / path.name)
                raise
            self._root.rmdir()
        except OSError as error:
            raise CockpitError(f"{self.target} cannot be put in its place", error.strerror or "", "nothing was made") from None

    async def discard(self) -> None:
        with contextlib.suppress(OSError):
            shutil.rmtree(self._root)


async def identity(folder: Path) -> tuple[str, str] | None:
    """(name, address) that git would give a commit made in a folder; None where it has none. UsageError without git."""
    found = []
    for name in ("user.name", "user.email"):
        done = await process.run(("git", "-C", str(folder), "config", "--get", name), env=environment(), deadline=20.0)
        found.append(done.text.strip())
    found = [
        value or os.environ.get(variable, "")
        for value, variable in zip(found, ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"), strict=True)
    ]
    return (found[0], found[1]) if all(found) else None
