"""requirements/*.txt satisfy pyproject.toml, pin everything by hash, and name no registry."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from scripts.paths import TOP

FOLDER = TOP / "requirements"
LOCKS = ("run.txt", "dev.txt", "build.txt")


def entries(text: str) -> list[tuple[str, str, int]]:
    """(canonical name, version, number of hashes) of a lock."""
    joined = text.replace("\\\n", " ")
    out: list[tuple[str, str, int]] = []
    for line in filter(None, map(str.strip, joined.splitlines())):
        found = re.match(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", line)
        assert found, f"not pinned: {line[:80]}"
        out.append((canonicalize_name(found[1]), found[2], line.count("--hash=sha256:")))
    return out


def lock(name: str) -> dict[str, tuple[str, int]]:
    return {package: (version, hashes) for package, version, hashes in entries((FOLDER / name).read_text())}


def project() -> dict[str, Any]:
    return tomllib.loads((TOP / "pyproject.toml").read_text())


def unsatisfied(wanted: list[str], locked: dict[str, tuple[str, int]]) -> list[str]:
    out = []
    for requirement in map(Requirement, wanted):
        version = locked.get(canonicalize_name(requirement.name))
        if version is None:
            out.append(f"{requirement}: not locked")
        elif not requirement.specifier.contains(Version(version[0]), prereleases=True):
            out.append(f"{requirement}: locked at {version[0]}")
    return out


def test_what_the_program_needs() -> None:
    assert unsatisfied(project()["project"]["dependencies"], lock("run.txt")) == [], "run `make lock`"


@pytest.mark.parametrize("extra", ["dev", "demo"])
def test_what_an_extra_needs(extra: str) -> None:
    data = project()["project"]
    wanted = data["dependencies"] + data["optional-dependencies"][extra]
    assert unsatisfied(wanted, lock("dev.txt")) == [], "run `make lock`"


def test_what_the_build_needs() -> None:
    assert unsatisfied(project()["build-system"]["requires"] + ["uv"], lock("build.txt")) == [], "run `make lock`"


def test_the_locks_agree() -> None:
    run, dev, build = map(lock, LOCKS)
    assert {name: entry[0] for name, entry in run.items()}.items() <= {name: entry[0] for name, entry in dev.items()}.items()
    assert {n: (dev[n][0], build[n][0]) for n in dev.keys() & build.keys() if dev[n][0] != build[n][0]} == {}


@pytest.mark.parametrize("name", LOCKS)
def test_hashes_and_no_address(name: str) -> None:
    text = (FOLDER / name).read_text()
    assert [package for package, _, hashes in entries(text) if not hashes] == []
    assert not re.search(r"://|--(?:extra-)?index|--find-links|@ ", text)


def test_a_wrong_lock_is_found() -> None:
    assert unsatisfied(["click>=99", "absent"], {"click": ("8.1", 1)}) == ["click>=99: locked at 8.1", "absent: not locked"]


def test_no_other_lock() -> None:
    """uv.lock names its registry (docs/decisions/0001-no-uv-lock.md)."""
    assert not Path(TOP / "uv.lock").exists()
