"""ports.Builder: systems built by the nix of this machine, from the commits of a repository."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from cockpit.adapters import process
from cockpit.adapters.nixos import contents, nix
from cockpit.domain.contents import Contents
from cockpit.domain.errors import CockpitError
from cockpit.domain.settings import HostSettings
from cockpit.domain.text import lines

BUILD_TIMEOUT = 7200.0
EXPORT_TIMEOUT = 3600.0
READ_TIMEOUT = 300.0


class LocalBuilder:
    """Builds hosts of the repository at `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def build(self, host: HostSettings, commit: str | None, told: Callable[[str], None]) -> str:
        what = nix.flake(self._root, host.flake_folder.strip("/"), commit, nix.toplevel(host.flake_attribute))
        failed = f"the system of {host.name} cannot be built{f' at {commit[:9]}' if commit else ''}"
        return await nix.build(self._root, what, told, failed, "mend the commit and try again", BUILD_TIMEOUT)

    async def contents(self, host: HostSettings, closure: str) -> Contents:
        return await contents.built(host.name, _asked, closure)

    async def requisites(self, closure: str) -> tuple[str, ...]:
        done = await process.run(("nix-store", "--query", "--requisites", closure), deadline=READ_TIMEOUT)
        if done.code != 0:
            raise CockpitError("the closure cannot be read", done.complaint)
        return tuple(path for path in done.text.split() if nix.STORE_PATH.fullmatch(path))

    async def export(self, paths: Sequence[str]) -> AsyncIterator[bytes]:
        async for chunk in process.chunks(("nix-store", "--export", *paths), stdin=b"", deadline=EXPORT_TIMEOUT):
            yield chunk


async def _asked(script: bytes, *words: str) -> bytes:
    done = await process.run(("sh", "-s", "--", *words), stdin=script, deadline=READ_TIMEOUT)
    if done.code != 0:
        raise CockpitError("what was built could not be read", " ".join(lines(done.complaint)[-2:]))
    return done.out
