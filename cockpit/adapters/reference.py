"""The reference homelab that came with this cockpit: in a wheel beside the program, in a checkout at its top."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import cockpit
from cockpit.domain.errors import CockpitError
from cockpit.domain.files import NewFile

PARTS = (
    "cockpit.yaml",
    ".sops.yaml",
    "nix",
    "compose",
    "secrets",
    "tofu",
    ".github/workflows",
    "requirements/run.txt",
    "requirements/build.txt",
)
"""What of the top belongs to a homelab; a part that is not there is left out."""
_JUNK = re.compile(
    r"(?:^|/)(?:\.terraform|__pycache__|\.DS_Store|result)(?:/|$)|\.(?:tfstate|tfplan)(?:\.|$)|(?:^|/)\.terraform\.tfstate|~$|\.swp$"
)
"""What tools leave in a checkout."""
MOST = 8 * 1024 * 1024


def top() -> Path:
    packaged = Path(cockpit.__file__).parent / "reference"
    return packaged if packaged.is_dir() else Path(cockpit.__file__).parents[1]


def read(root: Path | None = None) -> dict[str, NewFile]:
    """Path -> file, in path order. CockpitError where it cannot be read."""
    root = root or top()
    out: dict[str, NewFile] = {}
    for part in PARTS:
        for path in sorted((root / part).rglob("*")) if (root / part).is_dir() else [root / part]:
            name = path.relative_to(root).as_posix()
            if _JUNK.search(name):
                continue
            try:
                found = os.lstat(path)
                if stat.S_ISREG(found.st_mode) and found.st_size <= MOST:
                    out[name] = NewFile(path.read_bytes(), bool(found.st_mode & 0o100))
            except FileNotFoundError:
                continue
            except OSError as error:
                raise CockpitError(
                    "the reference homelab cannot be read", f"{name}: {error.strerror}", "install cockpit again"
                ) from None
    return out
