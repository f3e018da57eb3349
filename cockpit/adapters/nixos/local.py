"""ports.Builder: systems built by the nix of this machine, for a look at what they consist of."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

from cockpit.adapters import process
from cockpit.adapters.git.repository import environment
from cockpit.adapters.nixos.contents import built
from cockpit.domain.contents import Contents
from cockpit.domain.errors import BuildFailed, CockpitError
from cockpit.domain.settings import HostSettings
from cockpit.domain.text import lines, plain

BUILD_TIMEOUT = 3600.0
READ_TIMEOUT = 300.0
SHOWN = 200
"""Last lines of a build's log."""


class LocalBuilder:
    """Builds from the repository's commits; the work tree is not looked at."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def build(self, host: HostSettings, commit: str) -> AsyncIterator[str | Contents]:
        done = await process.run(self.command(host, commit), env=environment(), cwd=self._root, deadline=BUILD_TIMEOUT)
        log = [plain(line) for line in done.err.decode("utf-8", "replace").splitlines()]
        for line in log[-SHOWN:]:
            yield line
        if done.code != 0:
            own = [line.partition("cockpit: ")[2] for line in log if "cockpit: " in line]  # what the release's builder says
            why = [line.strip() for line in log if "error:" in line][-1:] or log[-1:]
            hints = [line.removeprefix("hint: ") for line in own if line.startswith("hint: ")]
            raise BuildFailed(
                f"the system of {host.name} cannot be built",
                " ".join([line for line in own if not line.startswith("hint: ")][:1] or why),
                (hints or ["mend the commit"])[0],
            )
        try:
            closure = str(json.loads(done.out)[0]["outputs"]["out"])
        except (ValueError, LookupError, TypeError, RecursionError):
            raise BuildFailed("the build named no system", plain(done.text[:200])) from None
        yield await built(host.name, _asked, closure)

    def command(self, host: HostSettings, commit: str) -> tuple[str, ...]:
        folder = f"&dir={quote(host.flake_folder)}" if host.flake_folder else ""
        attribute = f'nixosConfigurations."{host.flake_attribute}".config.system.build.toplevel'
        return (
            *("nix", "--extra-experimental-features", "nix-command flakes", "build", "--no-link", "--json"),
            *("--print-build-logs", "--no-update-lock-file"),
            f"git+file://{quote(str(self._root))}?rev={commit}{folder}#{attribute}",
        )


async def _asked(script: bytes, *words: str) -> bytes:
    done = await process.run(("sh", "-s", "--", *words), stdin=script, deadline=READ_TIMEOUT)
    if done.code != 0:
        raise CockpitError("what was built could not be read", " ".join(lines(done.complaint)[-2:]))
    return done.out
