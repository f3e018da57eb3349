"""ports.SystemBuilder: systems built by this machine's nix. And what a build's log says about why it failed."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from time import monotonic
from urllib.parse import quote

from cockpit.adapters import process
from cockpit.domain.errors import BuildFailed, CockpitError
from cockpit.domain.text import lines
from cockpit.ports import BuildResult

BUILD_TIMEOUT = 3600.0
EXPORT_TIMEOUT = 3600.0
FLAKES = ("--extra-experimental-features", "nix-command flakes")
STORE_PATH = re.compile(r"^/nix/store/[A-Za-z0-9+._?=-]+$")
_OWN = re.compile(r"cockpit: (.*)")
_SOURCE = re.compile(r"/nix/store/[a-z0-9]*-source/")


class LocalBuilder:
    """Builds commits of the repository at `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def build(self, commit: str, folder: str, attribute: str) -> AsyncIterator[str | BuildResult]:
        start = monotonic()
        where = f"git+file://{quote(str(self._root))}?rev={commit}&allRefs=1" + (f"&dir={quote(folder)}" if folder else "")
        installable = f'{where}#nixosConfigurations."{attribute}".config.system.build.toplevel'
        argv = ("nix", *FLAKES, "build", "--no-link", "--json", "--print-build-logs", "--no-update-lock-file")
        done = await process.run((*argv, installable), deadline=BUILD_TIMEOUT)
        log = lines(done.err.decode("utf-8", "replace"))
        for line in log:
            yield line
        closure = _built(done.out)
        if done.code != 0 or not STORE_PATH.match(closure):
            raise build_failed(log)
        yield BuildResult(closure, monotonic() - start)

    async def requisites(self, closure: str) -> tuple[str, ...]:
        done = await process.run(("nix-store", "--query", "--requisites", closure), deadline=120.0)
        if done.code != 0:
            raise CockpitError("the closure cannot be read", done.complaint)
        return tuple(path for path in done.text.split() if STORE_PATH.match(path))

    async def export(self, paths: Sequence[str]) -> AsyncIterator[bytes]:
        async for chunk in process.chunks(("nix-store", "--export", *paths), stdin=b"", deadline=EXPORT_TIMEOUT):
            yield chunk


def _built(printed: bytes) -> str:
    """The store path of `nix build --json`, which older ones print as well."""
    try:
        return str(json.loads(printed)[0]["outputs"]["out"])
    except (ValueError, LookupError, TypeError):
        return ""


def build_failed(log: Sequence[str]) -> BuildFailed:
    """What the release's own builder says, else what nix said last, with paths as the repository has them."""
    own = [match[1] for line in log if (match := _OWN.search(line))]
    if own:
        said = [line for line in own if not line.startswith("hint: ")]
        hint = next((line.removeprefix("hint: ") for line in own if line.startswith("hint: ")), "")
        return BuildFailed("the release cannot be built", said[0] if said else "", hint)
    last = max((number for number, line in enumerate(log) if "error: " in line), default=max(len(log) - 5, 0))
    why = [_SOURCE.sub("", line).strip().removeprefix("error: ") for line in log[last : last + 10] if line.strip()]
    if "no space left" in " ".join(why).lower():
        return BuildFailed("the build failed: the disk is full", "\n".join(why), "free space on /nix/store: nix-collect-garbage")
    return BuildFailed("the build failed", "\n".join(why), "nothing changed on the host; mend the commit and try again")
