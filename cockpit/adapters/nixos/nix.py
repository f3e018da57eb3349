"""The nix of this machine: how a commit of a repository is named to it, what it built, and what its log says about why not."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import quote

from cockpit.adapters import process
from cockpit.adapters.git.repository import environment
from cockpit.domain.errors import BuildFailed
from cockpit.domain.text import plain

NIX = ("nix", "--extra-experimental-features", "nix-command flakes")
BUILD = (*NIX, "build", "--no-link", "--json", "--print-build-logs", "--no-update-lock-file")
KEPT = 2000
"""Last lines of a build's log, to find out why it failed."""
STORE_PATH = re.compile(r"/nix/store/[0-9a-z]{32}-[A-Za-z0-9+._?=-]+")
_BUILT = re.compile(r"(?:/[A-Za-z0-9+._-]+)*/store/[0-9a-z]{32}-[A-Za-z0-9+._?=-]+")
"""Also of a store that is somewhere else (NIX_STORE_DIR)."""
_NETWORK = ("unable to download", "Could not resolve", "Couldn't resolve", "Connection refused", "timed out")
_OWN = re.compile(r"cockpit: (.*)")
_SOURCE = re.compile(r"/nix/store/[a-z0-9]*-source/")


def flake(root: Path, folder: str, commit: str | None, attribute: str) -> str:
    """An attribute of the flake in a folder of a repository, at a commit; without one at the work tree."""
    told = [f"rev={commit}", "allRefs=1"] if commit else []
    if folder not in ("", "."):
        told.append(f"dir={quote(folder)}")
    return f"git+file://{quote(str(root.resolve()))}?{'&'.join(told)}#{attribute}"


def toplevel(attribute: str) -> str:
    """The attribute of a host's whole system."""
    return f'nixosConfigurations."{attribute}".config.system.build.toplevel'


async def build(root: Path, what: str, told: Callable[[str], None], failed: str, hint: str, deadline: float) -> str:
    """Store path of what `flake` names; `told` gets the log as it comes. BuildFailed."""
    log: deque[str] = deque(maxlen=KEPT)

    def line(text: str) -> None:
        log.append(plain(text))
        told(log[-1])

    done = await process.watched((*BUILD, what), line, deadline=deadline, env=environment(), cwd=root)
    if done.code != 0:
        raise build_failed(log, failed, hint)
    return _built(done.out)


def _built(printed: bytes) -> str:
    """The store path of `nix build --json`, which older ones print as well. BuildFailed."""
    try:
        path = str(json.loads(printed)[0]["outputs"]["out"])
    except (ValueError, LookupError, TypeError, RecursionError):
        path = ""
    if not _BUILT.fullmatch(path):
        raise BuildFailed("nix named no system", plain(printed[:200].decode("utf-8", "replace")))
    return path


def build_failed(
    printed: Iterable[str], what: str = "the build failed", hint: str = "mend the commit and try again"
) -> BuildFailed:
    """What the release's own builder says, else what nix said last, with paths as the repository has them."""
    log = list(printed)
    own = [match[1] for line in log if (match := _OWN.search(line))]
    if own:
        said = [line for line in own if not line.startswith("hint: ")]
        hints = [line.removeprefix("hint: ") for line in own if line.startswith("hint: ")]
        return BuildFailed("the release cannot be built", said[0] if said else "", hints[0] if hints else "")
    last = max((number for number, line in enumerate(log) if "error: " in line), default=max(len(log) - 5, 0))
    why = [_SOURCE.sub("", line).strip().removeprefix("error: ") for line in log[last : last + 10] if line.strip()]
    if "no space left" in " ".join(why).lower():
        return BuildFailed(f"{what}: the disk is full", "\n".join(why), "free space on /nix/store: nix-collect-garbage")
    if offline("\n".join(why)):
        return BuildFailed(what, "\n".join(why), "what it needs could not be downloaded: try again where the network is")
    return BuildFailed(what, "\n".join(why), hint)


def offline(said: str) -> bool:
    """Whether nix failed for want of a network."""
    return any(words in said for words in _NETWORK)
