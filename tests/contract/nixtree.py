"""The shipped tree for tests of its Nix code: a copy to spoil, and its evaluation through tests/contract/reference.nix."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from scripts.paths import TOP, tracked

HERE = Path(__file__).parent
SHIPPED = ("nix", "compose", "secrets", "cockpit", "cockpit.yaml", "pyproject.toml", ".sops.yaml")


def ship(target: Path, *names: str) -> Path:
    """What of the repository a host is made of, as git has it, without the rest."""
    for path in tracked():
        name = path.relative_to(TOP)
        if name.parts[0] in (names or SHIPPED):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target / name)
    return target


def evaluate(tree: Path, attribute: str, extra: str = "") -> subprocess.CompletedProcess[str]:
    """An attribute of reference.nix as JSON; `extra` is settings for every host, as Nix."""
    argv = ["nix-instantiate", "--eval", "--strict", "--json", str(HERE / "reference.nix"), "-A", attribute]
    argv += ["--arg", "tree", str(tree), "--arg", "extra", f"{{ {extra} }}"]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
