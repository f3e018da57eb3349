"""ports.SystemBuilder: systems built by this machine's nix, to be sent to a host that cannot build them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from time import monotonic

from cockpit.adapters import process
from cockpit.adapters.nixos.nix import BUILD, STORE_PATH, build_failed, built, flake, toplevel
from cockpit.domain.errors import CockpitError
from cockpit.domain.text import lines
from cockpit.ports import BuildResult

BUILD_TIMEOUT = 3600.0
EXPORT_TIMEOUT = 3600.0


class LocalBuilder:
    """Builds commits of the repository at `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def build(self, commit: str, folder: str, attribute: str) -> AsyncIterator[str | BuildResult]:
        start = monotonic()
        done = await process.run((*BUILD, flake(self._root, folder, commit, toplevel(attribute))), deadline=BUILD_TIMEOUT)
        log = lines(done.err.decode("utf-8", "replace"))
        for line in log:
            yield line
        if done.code != 0:
            raise build_failed(log, hint="nothing changed on the host; mend the commit and try again")
        yield BuildResult(built(done.out), monotonic() - start)

    async def requisites(self, closure: str) -> tuple[str, ...]:
        done = await process.run(("nix-store", "--query", "--requisites", closure), deadline=120.0)
        if done.code != 0:
            raise CockpitError("the closure cannot be read", done.complaint)
        return tuple(path for path in done.text.split() if STORE_PATH.fullmatch(path))

    async def export(self, paths: Sequence[str]) -> AsyncIterator[bytes]:
        async for chunk in process.chunks(("nix-store", "--export", *paths), stdin=b"", deadline=EXPORT_TIMEOUT):
            yield chunk
