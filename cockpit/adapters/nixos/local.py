"""ports.Builder: systems built by the nix of this machine, for a look at what they consist of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from cockpit.adapters import process
from cockpit.adapters.git.repository import environment
from cockpit.adapters.nixos import contents
from cockpit.adapters.nixos.nix import BUILD, build_failed, built, flake, toplevel
from cockpit.domain.contents import Contents
from cockpit.domain.errors import CockpitError
from cockpit.domain.settings import HostSettings
from cockpit.domain.text import lines, plain

BUILD_TIMEOUT = 3600.0
READ_TIMEOUT = 300.0
SHOWN = 200
"""Last lines of a build's log."""


class ContentsBuilder:
    """Builds from the repository's commits; the work tree is not looked at."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def build(self, host: HostSettings, commit: str) -> AsyncIterator[str | Contents]:
        done = await process.run(self.command(host, commit), env=environment(), cwd=self._root, deadline=BUILD_TIMEOUT)
        log = [plain(line) for line in done.err.decode("utf-8", "replace").splitlines()]
        for line in log[-SHOWN:]:
            yield line
        if done.code != 0:
            raise build_failed(log, f"the system of {host.name} cannot be built", "mend the commit")
        yield await contents.built(host.name, _asked, built(done.out))

    def command(self, host: HostSettings, commit: str) -> tuple[str, ...]:
        return (*BUILD, flake(self._root, host.flake_folder, commit, toplevel(host.flake_attribute)))


async def _asked(script: bytes, *words: str) -> bytes:
    done = await process.run(("sh", "-s", "--", *words), stdin=script, deadline=READ_TIMEOUT)
    if done.code != 0:
        raise CockpitError("what was built could not be read", " ".join(lines(done.complaint)[-2:]))
    return done.out
